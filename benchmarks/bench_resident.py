"""A resident matrix times vectors: what anyk adds to the same block products on the same workers."""

from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

import anyk
from anyk.code import Code
from anyk.decoding import prepare
from anyk.engines.base import Engine, Ref
from anyk.engines.work import multiply
from benchmarks.measure import Contender, Row, Sample, idle, in_turns, of_engine, spread

Array = NDArray[Any]


def run(tiny: bool) -> list[Row]:
    """Products with 1, 8 and 64 right-hand sides, then the weights of survivor sets."""
    size, code, turns = (60, anyk.codes.mds(2, 3), 2) if tiny else (4096, anyk.codes.mds(13, 16), 41)
    A = np.random.default_rng(0).standard_normal((size, size))
    with anyk.engines.open(f"processes:{code.workers}") as engine, anyk.place(A, code, engine=engine) as coded:
        rows = [_product(coded, engine, width, turns) for width in (1, 8, 64)]
    return [*rows, *_weights(tiny)]


def _product(coded: anyk.CodedMatrix, engine: Engine, width: int, turns: int) -> Row:
    size = coded.shape[1]
    x = np.random.default_rng(1).standard_normal((size, width))
    bare = _bare(coded, engine, x)
    settled = {"pids": of_engine(engine), "settle": idle(engine)}
    contenders = {
        "bare": Contender(bare, **settled),
        "coded": Contender(lambda: coded @ x, **settled),
        "NumPy": Contender(_plain(size, x)),
    }
    samples = in_turns(contenders, turns if width < 64 else max(2, turns // 4), warm=3)
    overhead = [1e3 * (ours.wall - theirs.wall) for ours, theirs in zip(samples["coded"], samples["bare"], strict=True)]
    return {
        "size": size,
        "code": repr(coded.code),
        "right-hand sides": width,
        "coded @ x, ms": _wall(samples["coded"]),
        "the same products on the same lanes, ms": _wall(samples["bare"]),
        "overhead, ms": spread(overhead),
        "master's cpu added, ms": spread(
            1e3 * (a.own - b.own) for a, b in zip(samples["coded"], samples["bare"], strict=True)
        ),
        "target ms": 2.0 if (width, size) == (1, 4096) else None,
        "plain NumPy, all cores, ms": _wall(samples["NumPy"]),
    }


def _wall(samples: list[Sample]) -> dict[str, float]:
    return spread(1e3 * sample.wall for sample in samples)


def _plain(size: int, x: Array) -> Callable[[], Array]:
    A = np.random.default_rng(0).standard_normal((size, size))
    return lambda: A @ x


def _bare(coded: anyk.CodedMatrix, engine: Engine, x: Array) -> Callable[[], None]:
    """As many blocks of the same size, the vector handed out, every lane asked, the k-th answer awaited: no more."""
    code, rng = coded.code, np.random.default_rng(2)
    height = code.partition.left_block(coded.shape)[0]
    shapes = {"A": (height, x.shape[0]), "x": x.shape, "y": (height, x.shape[1])}
    buffers = [
        {name: lane.alloc(f"bare {name} {x.shape[1]}", shape, x.dtype) for name, shape in shapes.items()}
        for lane in engine.lanes
    ]
    for each in buffers:
        rng.standard_normal(out=each["A"])
    refs = [Ref(f"bare {name} {x.shape[1]}") for name in shapes]

    def call() -> None:
        for each in buffers:
            np.copyto(each["x"], x)
        pending: set[Future[Any]] = {lane.submit(multiply, *refs) for lane in engine.lanes}
        answered = 0
        while answered < code.recovery_threshold:
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            answered += len(done)

    return call


# --- weights ----------------------------------------------------------------------------------------------------------


def _codes(tiny: bool) -> Iterator[tuple[str, Code]]:
    if tiny:
        yield "mds", anyk.codes.mds(2, 3)
        return
    rng = np.random.default_rng(0)
    yield "mds, 13 of 16", anyk.codes.mds(13, 16)
    yield "mds, 40 of 48", anyk.codes.mds(40, 48)
    yield "polynomial 4x4, 16 of 18", anyk.codes.polynomial(4, 4, 18)
    yield "polynomial 6x6, 36 of 44", anyk.codes.polynomial(6, 6, 44)
    yield "matdot 8, 15 of 18", anyk.codes.matdot(8, 18)
    yield "matdot 20, 39 of 48", anyk.codes.matdot(20, 48)
    yield "matdot 20, Chebyshev, 39 of 42", anyk.codes.matdot(20, 42, basis="chebyshev")
    yield "generalized polydot 3x3x4, 39 of 48", anyk.codes.generalized_polydot(3, 3, 4, 48)
    yield "random Khatri-Rao 4x4, 16 of 20", anyk.codes.random_khatri_rao(4, 4, 20, rng=rng)
    yield "random Khatri-Rao 6x6, 36 of 44", anyk.codes.random_khatri_rao(6, 6, 44, rng=rng)
    yield "replication 4x4 twice, 31 of 32", anyk.codes.replication(4, 1, 4, 2)


def _weights(tiny: bool) -> list[Row]:
    """Weights of random survivor sets of threshold size: of a set never seen before, and of one seen lately."""
    rows = []
    for name, code in _codes(tiny):
        rng, first, again = np.random.default_rng(3), [], []
        prepare(code, range(code.recovery_threshold))  # what a code works out once
        for _ in range(3 if tiny else 50):
            survivors = tuple(rng.permutation(code.workers)[: code.recovery_threshold].tolist())
            for times in (first, again):
                began = perf_counter()
                prepare(code, survivors)
                times.append(1e3 * (perf_counter() - began))
        rows.append(
            {
                "code": name,
                "new survivor set, ms": spread(first),
                "known survivor set, ms": spread(again),
                "target ms": 10.0,
            }
        )
    return rows
