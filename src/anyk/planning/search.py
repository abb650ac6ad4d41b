"""`plan`: count all, wait for the promising, build those near the front, and put them in order."""

import numpy as np
from numpy.random import Generator
from numpy.typing import DTypeLike

from anyk.errors import CodeError
from anyk.faults import FaultModel
from anyk.partition import Shape
from anyk.planning import calibration
from anyk.planning.bridge import bridge
from anyk.planning.candidate import Candidate
from anyk.planning.costs import CostModel
from anyk.planning.delays import delays_of
from anyk.planning.drafts import enumerated
from anyk.planning.front import Front, one_machine
from anyk.planning.prediction import counted
from anyk.planning.reasons import left_out, with_reasons
from anyk.planning.request import DelayUnit, Model, Request, Screen, dtype_name
from anyk.planning.result import Plan
from anyk.planning.waiting import Waiting


def plan(
    shape_a: Shape,
    shape_b: Shape,
    *,
    workers: int,
    stragglers: int = 0,
    wrong: int = 0,
    tolerance: float | None = None,
    dtype: DTypeLike = "float64",
    memory_per_worker: float | None = None,
    delays: FaultModel | str | None = None,
    bandwidth: float | None = None,
    model: Model = "random",
    screen: Screen = "syndrome",
    delay_unit: DelayUnit | None = None,
    cores: int | None = None,
    local: bool = True,
    placed: bool = False,
    costs: CostModel | None = None,
    rng: Generator | int = 0,
) -> Plan:
    """Which code for this product on this cluster, and whether to code, or to distribute, at all.

    Partitions, families, bases, thresholds and numbers of workers are compared by their counts; of the promising ones
    the waiting time is taken from the delay model, with the same draws for all; those near the front are built and
    their errors looked up. Every prediction and its formula: the manual's page *Plan*.

    Args:
        shape_a: (height, depth) of A.
        shape_b: (depth, width) of B.
        workers: how many there are; a code may use fewer. At least 1.
        stragglers: answers that may be missing in the end; below ``workers``.
        wrong: answers that may be wrong without notice; so many more must be there as it takes to find them.
        tolerance: relative error that is good enough; allows approximate codes. None: exact codes only.
        dtype: of the operands.
        memory_per_worker: bytes a worker has for its two coded blocks and its answer; None: enough.
        delays: a model of `anyk.faults`, the name of a preset, or a CSV file to replay; None: nobody is late.
        bandwidth: bytes per second of the master's link, each way; None: blocks are in shared memory and sending is
            free.
        model: what wrong answers may be like: ``"random"`` or ``"adversarial"``.
        screen: how they are found: ``"syndrome"``: from the answers alone; ``"checked"``: against the operands, which
            takes fewer answers.
        delay_unit: ``"seconds"``: delays come on top of the work, as on engines; ``"tasks"``: the model's numbers are
            multiples of each candidate's own task time. Default: ``"tasks"`` for the name of a preset, else
            ``"seconds"``.
        cores: that all workers share, where they are processes of one machine; None: each has its own.
        local: whether this machine may compute the product itself, without any worker.
        placed: A is on the workers already (`anyk.place`): neither encoding nor sending it counts.
        costs: speeds of machine and engine; default: those of ``anyk bench --calibrate``, or round numbers.
        rng: decides the draws of the delay model.

    Returns:
        The plan; ``plan.best.code`` goes into `anyk.matmul`.

    Raises:
        CodeError: no code meets the limits, and this machine may not do it alone.
        InputError: an argument out of range, or a calibration file that cannot be read.

    >>> import anyk
    >>> planned = anyk.plan((20000, 20000), (20000, 20000), workers=12, stragglers=2, costs=CostModel())
    >>> planned.best.code
    Code('polynomial', partition 5 x 1 x 2, any 10 of 12)
    """
    faults, unit = delays_of(delays)
    request = Request(
        shape_a,
        shape_b,
        workers,
        stragglers,
        wrong,
        tolerance,
        dtype_name(dtype),
        memory_per_worker,
        faults,
        bandwidth,
        model,
        screen,
        delay_unit or unit,
        cores,
        local,
        placed,
    )
    return planned(request, costs or calibration.load() or CostModel(), np.random.default_rng(rng))


def planned(request: Request, costs: CostModel, rng: Generator) -> Plan:
    """`plan`, of checked arguments."""
    drafts = enumerated(request)
    counts = counted(drafts, request, costs)
    roomy = counts.memory <= (request.memory_per_worker or np.inf)
    waiting = Waiting(request, rng)
    fitting = np.flatnonzero(roomy)
    front = Front(request, costs, waiting, drafts.take(fitting), counts.take(fitting))
    here = [one_machine(request, costs)] if request.local else []
    found = sorted([*here, *front.candidates()], key=_order)
    notes = left_out(request, found, len(drafts) - len(fitting), len(drafts), front.unbuilt)
    if not found:
        raise CodeError(f"`plan(workers={request.workers}, …, local=False)`: {'; '.join(notes)}. Loosen a limit.")
    notes = (*notes, f"times are made from {costs.source}")
    considered = len(drafts) + len(here)
    return Plan(request, with_reasons(found, request, considered), bridge(request, costs), considered, costs, notes)


def _order(candidate: Candidate) -> tuple[float, float, float]:
    """Fastest first; of equals the more exact one, then the one that moves less."""
    return float(f"{candidate.seconds:.6e}"), float(f"{candidate.error:.0e}"), candidate.traffic
