"""Whom a crash or a stop hits."""

from anyk.faults.base import Draw


def hit(draw: Draw, probability: float, ranks: tuple[int, ...], rounds: tuple[int, ...] | None) -> bool:
    """The named ranks for certain, anyone else with a probability, in the named rounds only.

    >>> [hit(Draw(seed=0, round=round, rank=3), 0.0, ranks=(3,), rounds=(1,)) for round in range(3)]
    [False, True, False]
    """
    if rounds is not None and draw.round not in rounds:
        return False
    return draw.rank in ranks or bool(draw.own().random() < probability)
