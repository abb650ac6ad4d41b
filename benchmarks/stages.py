"""The codes and matrices on which encoding and decoding are measured; read by `bench_encode` and `bench_decode`."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from anyk import codes
from anyk.code import Code
from anyk.engines.limits import threads
from benchmarks.measure import Contender, Row, in_turns, ratios, spread

Array = NDArray[Any]

DTYPES = ("float64", "float32")


def cases(tiny: bool) -> Iterator[tuple[str, Code, Array, Array]]:
    """What is measured: a name, a code, both operands (float64)."""
    size = 60 if tiny else 2000
    rng = np.random.default_rng(0)
    A, B = rng.standard_normal((2, size, size))
    yield "polynomial 4x4", codes.polynomial(4, 4, 18), A, B
    yield "matdot m=8", codes.matdot(8, 18), A, B
    yield "generalized polydot 2x2x2", codes.generalized_polydot(2, 2, 2, 12), A, B


def inputs(tiny: bool) -> Iterator[tuple[str, Code, Array, Array]]:
    """The same stage on matrices that do not lie in memory as one would wish; the whole blocks come first."""
    size = 60 if tiny else 2000
    rng = np.random.default_rng(0)
    A, B = rng.standard_normal((2, size + 2, size + 2))
    code = codes.polynomial(4, 4, 18)
    yield "contiguous", code, A[:size, :size].copy(), B[:size, :size].copy()
    yield "cut out of a larger one", code, A[:size, :size], B[:size, :size]
    yield "transposed", code, A[:size, :size].T, B[:size, :size].T
    yield "padded", code, A[1 : size - 2, 1 : size - 2].copy(), B[1 : size - 2, 1 : size - 2].copy()


def compared(
    labels: Row,
    stage: Callable[[int], object],
    copy: Callable[[], object],
    turns: int,
    target: float | None,
    moved: int,
) -> Row:
    """One row: a stage against copying the same bytes.

    Processor time on one thread, where it is work and nothing else; and time on the wall with all threads.

    Args:
        labels: of the row.
        stage: called with the number of threads that it may use.
        copy: what it is compared with, in one thread.
        turns: of measuring.
        target: in seconds of processor time.
        moved: bytes that are copied.
    """
    with threadpool_limits(1):
        one, shared = Contender(lambda: stage(1)), Contender(lambda: stage(threads()))
        samples = in_turns({"stage": one, "shared": shared, "copy": Contender(copy)}, turns)
    stage_cpu, copy_cpu = ([sample.cpu for sample in samples[name]] for name in ("stage", "copy"))
    wall, copy_wall = ([sample.wall for sample in samples[name]] for name in ("shared", "copy"))
    return {
        **labels,
        "MB": round(moved / 1e6),
        "cpu s": spread(stage_cpu),
        "copy cpu s": spread(copy_cpu),
        "times a copy": ratios(stage_cpu, copy_cpu),
        "target cpu s": target,
        f"wall s, {threads()} threads": spread(wall),
        "wall times a copy": ratios(wall, copy_wall),
    }
