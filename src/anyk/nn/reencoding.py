"""When rounding has carried stored blocks so far from their code that they are encoded again."""

from anyk.nn.inventory import Inventory

#: Encode again when blocks are this many times as far from their code as screening expects. It forgives 4; 2 is what
#: rounding makes of the measurement itself in float64.
_DRIFT = 3.0

#: Blocks this far away are wrong, not drifted; the next product finds them.
_ERROR = 1000.0

#: ... and after so many updates.
_UPDATES = 10_000


class Reencoding:
    """Watches the drift of what is stored.

    Args:
        inventory: of it.

    Attributes:
        drift: as measured last, see `anyk.nn.drift.drift`.
        times: how often everything was encoded again.
    """

    def __init__(self, inventory: Inventory) -> None:
        self._inventory, self.drift, self.times = inventory, 0.0, 0

    @property
    def looks_due(self) -> bool:
        """Somebody was caught perhaps because of drift; to be verified first."""
        return _DRIFT < self._inventory.drift() < _ERROR

    def if_due(self) -> str | None:
        """Encode again if need be; what is stored was verified just now.

        Returns:
            What was done, in words.
        """
        self.drift = self._inventory.drift()
        if self.drift <= _DRIFT and self._inventory.updates() < _UPDATES:
            return None
        self._inventory.reencode()
        self.times += 1
        return f"encoded again, drift {self.drift:.2g}"
