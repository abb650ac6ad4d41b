"""What the error model alone lets expect: hits, roll-backs, iterations executed for each useful one."""

from math import comb

from anyk.nn import TrainingCode
from papers.codenet.experiment import OPERATIONS, RATE

LAYERS = 3


def hits(nodes: int, rate: float = RATE) -> float:
    """Hits in one iteration, on all nodes together."""
    return nodes * LAYERS * OPERATIONS * rate


def failing(code: TrainingCode, rate: float = RATE) -> float:
    """Probability q that an iteration meets a stage that cannot be corrected; 0 where nobody looks.

    A block hit after an update or before the forward product meets that product, one hit before the backward product
    meets that. Whoever is wrong at a product is mended in it.
    """
    if code.name == "uncoded":
        return 0.0
    tolerance, fine = code.tolerance(), 1.0
    for stage, correctable, chances in ((code.forward, tolerance.forward, 2), (code.backward, tolerance.backward, 1)):
        wrong = 1 - (1 - rate) ** (chances * len(stage.members[0]))  # one task, if any of its members is
        tasks = len(stage.members)
        fine *= sum(
            comb(tasks, count) * wrong**count * (1 - wrong) ** (tasks - count) for count in range(correctable + 1)
        )
    return 1 - fine**LAYERS


def executed_per_useful(q: float, interval: int) -> float:
    """Iterations executed for each that counts, with a checkpoint every ``interval`` of them."""
    return ((1 - q) ** -interval - 1) / (q * interval) if q else 1.0
