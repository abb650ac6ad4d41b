"""Real worker processes that answer wrongly are named from the answers alone."""

import numpy as np
import pytest

import anyk
from anyk.engines.work import multiply
from anyk.faults import (
    BitFlip,
    GaussianError,
    LowRank,
    NonFinite,
    PaperError,
    Scaled,
    Stale,
    SwappedBlocks,
    Zeros,
    combine,
)

pytestmark = pytest.mark.cluster

CODE = anyk.codes.matdot(2, 8)
MODELS = {
    "sign": BitFlip(bits=(63,), ranks=(1, 6)),
    "exponent": BitFlip(bits=(61,), numbers=3, ranks=(1, 6)),
    "noise": GaussianError(size=1e-6, ranks=(1, 6)),
    "published": PaperError(ranks=(1, 6)),
    "scaled": Scaled(factor=1.001, ranks=(1, 6)),
    "swapped": SwappedBlocks(ranks=(1, 6)),
    "zeros": Zeros(ranks=(1, 6)),
    "stale": Stale(ranks=(1, 6), rounds=(1,)),
    "two kinds": combine(NonFinite(ranks=(1,)), GaussianError(ranks=(6,))),
}


def answers_of(engine, rng, *, shared):
    """One product on the engine's lanes; its answers as they came back, written to shared buffers or returned."""
    left, right = CODE.encode(rng.standard_normal((60, 40)), rng.standard_normal((40, 50)))
    answers = {}
    for task, (lane, a, b) in enumerate(zip(engine.lanes, left, right, strict=True)):
        if shared:
            answers[task] = lane.alloc("answer", (60, 50), np.float64)
            assert lane.submit(multiply, a, b, anyk.engines.base.Ref("answer")).result(timeout=30) is None
        else:
            answers[task] = lane.submit(multiply, a, b).result(timeout=30)
    return answers


@pytest.mark.parametrize(
    ("engine", "name", "shared"),
    [
        (engine, name, shared)
        for engine in ("inline", "processes:8")
        for name in MODELS
        for shared in (True, False)
        if shared or engine == "inline" or name in ("noise", "stale")
    ],
)
def test_corrupted_workers_are_named(engine, name, shared):
    rng = np.random.default_rng(0)
    with anyk.engines.open(engine, workers=8, faults=MODELS[name], seed=1) as opened:
        first = anyk.locate(CODE, answers_of(opened, rng, shared=shared), rng=rng)
        second = anyk.locate(CODE, answers_of(opened, rng, shared=shared), rng=rng)

    assert first.wrong == (() if name == "stale" else (1, 6))
    assert (second.wrong, second.certified) == ((1, 6), True)


def test_workers_with_one_cause_are_named_without_a_certificate():
    rng = np.random.default_rng(1)
    with anyk.engines.open("processes:8", faults=LowRank(ranks=(1, 6)), seed=1) as opened:
        located = anyk.locate(CODE, answers_of(opened, rng, shared=True), model="adversarial", rng=rng)

    assert (located.wrong, located.found) == ((1, 6), True)
