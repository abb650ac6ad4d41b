"""What answers look like through a few columns, formed by the workers that have them.

A worker that lies about its answer may lie about this, too, and one whose memory fails later sends something else. So a
right fingerprint proves nothing: it only spares looking at an answer that is wrong by accident. What is believed is the
product, compared with the operands by columns that no worker knows.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from anyk.verbs.kept import Kept
from anyk.verbs.witness import OperandWitness

Array = NDArray[Any]


class Fingerprints:
    """Those of one product.

    Args:
        witness: of the operands, with columns that the workers are told.
    """

    def __init__(self, witness: OperandWitness) -> None:
        self.witness = witness
        self._right: set[int] = set()

    @property
    def words(self) -> str:
        """What was found."""
        return f"{len(self._right)} fingerprints look right"

    def forget(self, task: int) -> None:
        """The task is computed again."""
        self._right.discard(task)

    def strange(self, kept: Kept, tasks: Sequence[int]) -> tuple[int, ...]:
        """Answers that look wrong where they lie; those that looked right before are not asked for again.

        Raises:
            Gone: some are lost.
        """
        fresh = [task for task in tasks if task not in self._right]
        return self._unlike(kept.seen_through(fresh, self.witness.columns)) if fresh else ()

    def _unlike(self, images: Mapping[int, Array]) -> tuple[int, ...]:
        wrong = tuple(task for task, image in images.items() if not self.witness.looks_right(task, image))
        self._right |= images.keys() - {*wrong}
        return wrong
