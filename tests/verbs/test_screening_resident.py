"""Products of a resident matrix whose workers answer wrongly, or whose blocks change."""

from dataclasses import replace

import numpy as np
import pytest

import anyk
from anyk.engines.base import Ref
from anyk.engines.pumped import PumpedEngine
from anyk.engines.pumped_lanes import PumpedLane
from anyk.faults import BitFlip, GaussianError, LowRank, NonFinite, Scaled, Zeros
from tests.verbs import deeds

RNG = np.random.default_rng(0)
A = RNG.standard_normal((61, 50))
B, Y = RNG.standard_normal((50, 7)), RNG.standard_normal((61, 3))
CODES = {
    "mds": anyk.codes.mds(3, 8),
    "matdot": anyk.codes.matdot(2, 8),
    "generalized polydot": anyk.codes.generalized_polydot(2, 2, 1, 12),
    "complex": anyk.codes.matdot(2, 8, basis="unit_circle"),
    "replication": anyk.codes.replication(2, 1, 1, copies=3),
}
SCREENS = [("checked", "random"), ("syndrome", "random"), ("syndrome", "adversarial"), ("both", "random")]


def off(product, right):
    return np.linalg.norm(product.value - right) / np.linalg.norm(right)


def sides(coded, a=A, b=B, y=Y):
    """Both products of a resident matrix, with what they should be."""
    return [(coded, b, a @ b), (coded.T, y, a.T @ y)]


@pytest.mark.parametrize("side", [0, 1], ids=["as it is", "transposed"])
@pytest.mark.parametrize(("screen", "model"), SCREENS)
@pytest.mark.parametrize("code", ["mds", "matdot", "generalized polydot", "complex"])
@pytest.mark.parametrize(
    "faults",
    [
        GaussianError(ranks=(1,)),
        GaussianError(size=1e-6, share=0.0, ranks=(1,)),
        BitFlip(bits=(61,), ranks=(1,)),
        Zeros(ranks=(1,)),
        NonFinite(ranks=(1,)),
    ],
    ids=lambda faults: type(faults).__name__,
)
def test_wrong_answers_reach_neither_product(faults, code, screen, model, side):
    code = CODES[code]
    with (
        anyk.engines.open("inline", faults=faults, seed=3, workers=code.workers) as engine,
        anyk.place(A, code, engine=engine, wrong=1, screen=screen, model=model, rng=1) as coded,
    ):
        matrix, operand, right = sides(coded)[side]
        product = matrix.product(operand, stop=anyk.everyone)
        vector = matrix.product(operand[:, 0], stop=anyk.everyone)

        assert product.wrong == vector.wrong == (1,)
        assert max(off(product, right), off(vector, right[:, 0])) < 1e-12
        assert 1 not in {*product.survivors, *vector.survivors}


@pytest.mark.parametrize("dtype", ["float32", "complex64", "complex128"])
def test_every_dtype_is_screened(dtype):
    a = (A + 1j * A[::-1]).astype(dtype) if dtype.startswith("c") else A.astype(dtype)
    code = CODES["generalized polydot"]
    with (
        anyk.engines.open("inline", faults=Scaled(factor=1.01, ranks=(2,)), workers=code.workers) as engine,
        anyk.place(a, code, engine=engine, wrong=1) as coded,
    ):
        for side, operand, right in sides(coded, a, B.astype(dtype), Y.astype(dtype)):
            product = side.product(operand, stop=anyk.everyone)

            assert product.wrong == (2,)
            assert off(product, right) < 1e-5


def test_nobody_is_suspected_whose_products_cancel_or_are_constant():
    square = RNG.standard_normal((40, 40))
    with anyk.place(square, anyk.codes.mds(3, 8), engine="inline", wrong=2) as coded:
        assert coded.product(np.linalg.inv(square)).wrong == ()
        assert coded.product(np.zeros(40)).wrong == ()
    for dtype in ("float64", "float32"):
        with anyk.place(np.ones((300, 2000), dtype), anyk.codes.mds(3, 8), engine="inline", wrong=2) as coded:
            for side, operand in ((coded, np.ones((2000, 5), dtype)), (coded.T, np.ones(300, dtype))):
                for screen in ("checked", "syndrome"):
                    assert side.product(operand, screen=screen).wrong == ()


def test_checked_answers_find_any_number_that_conspires():
    code = CODES["matdot"]
    with (
        anyk.engines.open("inline", faults=LowRank(ranks=(0, 2, 4, 5, 7)), workers=8) as engine,
        anyk.place(A, code, engine=engine) as coded,
    ):
        product = coded.product(B, wrong=5)

    assert (product.wrong, product.survivors) == ((0, 2, 4, 5, 7), (1, 3, 6))
    assert off(product, A @ B) < 1e-13


def test_a_product_is_asked_as_the_matrix_was_unless_it_says_otherwise():
    with anyk.place(A, CODES["mds"], engine="inline", wrong=1, screen="syndrome") as coded:
        assert len(coded.product(B).survivors) == 3 + 2
        assert len(coded.product(B, wrong=2).survivors) == 3 + 3
        assert len(coded.product(B, screen="checked").survivors) == 3 + 1
        assert len(coded.product(B, model="adversarial").survivors) == 3 + 2
        assert len(coded.T.product(Y).survivors) == coded.T.code.recovery_threshold + 2
    with anyk.place(A, CODES["mds"], engine="inline") as coded:
        assert len(coded.product(B).survivors) == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"wrong": 6}, r"`place\(wrong=6, .* needs 3 \+ 6 answers, and `mds` has 8 tasks"),
        ({"wrong": -1}, "cannot be negative"),
        ({"wrong": 1, "screen": "trusting"}, "is unknown"),
    ],
)
def test_what_cannot_be_screened_is_refused(options, message):
    with pytest.raises(anyk.InputError, match=message):
        anyk.place(A, CODES["mds"], engine="inline", **options)


def test_the_transpose_refuses_what_its_own_threshold_does_not_allow():
    with (
        anyk.place(A, anyk.codes.mds(3, 6), engine="inline", wrong=3) as coded,
        pytest.raises(anyk.InputError, match=r"`product\(wrong=3, .* needs 5 \+ 3 answers"),
    ):
        coded.T.product(Y)


# --- blocks that change ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("screen", ["checked", "syndrome"])
@pytest.mark.parametrize("code", CODES)
def test_a_block_that_changed_is_found_by_its_answer_and_regenerated(code, screen):
    code = CODES[code]
    with anyk.place(A, code, engine="inline", wrong=1, screen=screen) as coded:
        block = coded._resident.blocks.arrays[1]
        before = block.copy()
        block[3, 5] += 1e-3

        product = coded.product(B, stop=anyk.everyone)
        assert off(product, A @ B) < 1e-12
        assert product.wrong == (1,)
        assert "block 1 was wrong and computed anew from the others" in product.reason
        assert abs(block - before).max() < 1e-12
        # It was not the worker's fault.
        assert product.distrusted == ()
        assert anyk.engines.suspicions(coded.engine) == {}
        assert coded.product(B, stop=anyk.everyone).wrong == ()


def test_blocks_are_repaired_on_request_from_those_that_did_not_change():
    code = CODES["mds"]
    with anyk.place(A, code, engine="inline") as coded:
        assert coded.repair() == ()
        before = [block.copy() for block in coded._resident.blocks.arrays]
        for task in (0, 2, 4, 5, 7):
            coded._resident.blocks.arrays[task][task, 1] *= -1

        assert coded.repair() == (0, 2, 4, 5, 7)
        assert all(
            np.allclose(now, then, atol=1e-12) for now, then in zip(coded._resident.blocks.arrays, before, strict=True)
        )
        for task in range(6):
            coded._resident.blocks.arrays[task][:] = np.nan
        with pytest.raises(anyk.ClusterError, match="does not follow from the others"):
            coded.repair()
    with pytest.raises(anyk.InputError, match="was closed"):
        coded.repair()


@pytest.mark.parametrize("dtype", ["float64", "float32", "complex64"])
@pytest.mark.parametrize("code", CODES)
def test_right_blocks_are_never_repaired(code, dtype):
    for matrix in (A, np.ones((300, 2000)), A * 10.0 ** RNG.uniform(-6, 6, (61, 1))):
        with anyk.place(matrix.astype(dtype), CODES[code], engine="inline") as coded:
            assert coded.repair() == ()


def test_a_worker_whose_own_copy_changed_gets_the_block_again(monkeypatch):
    monkeypatch.setattr(PumpedEngine, "caps", replace(PumpedEngine.caps, shared_memory=False))
    monkeypatch.setattr(PumpedLane, "alloc", lambda *_: None)
    with anyk.place(A, CODES["mds"], engine="inline", wrong=1) as coded:
        coded @ B
        lane, name = coded.engine.lanes[1], coded._resident.blocks._names[1]
        changed = lane.fetch(name).result().copy()
        changed[3, 5] += 1e-3
        lane.put(name, changed).result()

        assert coded.product(B, stop=anyk.everyone).wrong == (1,)
        assert coded.product(B, stop=anyk.everyone).wrong == ()


@pytest.mark.cluster
@pytest.mark.parametrize("screen", ["checked", "syndrome"])
def test_real_workers_that_spoil_their_blocks_or_their_answers_are_overruled(screen):
    code = CODES["mds"]
    with (
        anyk.engines.open("processes:8", faults=GaussianError(ranks=(6,), rounds=(0, 1))) as engine,
        anyk.place(A, code, engine=engine, wrong=2, screen=screen) as coded,
    ):
        first = coded.product(B, stop=anyk.everyone)
        name = coded._resident.blocks._names[3]
        engine.lanes[3].submit(deeds.spoil, Ref(name)).result(timeout=30)
        second = coded.product(B, stop=anyk.everyone)
        third = coded.T.product(Y, stop=anyk.everyone)

    assert first.wrong == (6,)
    assert second.wrong == (3, 6)
    assert "block 3 was wrong and computed anew" in second.reason
    assert (second.distrusted, third.distrusted) == ((6,), (6,))
    assert third.wrong == ()
    assert max(off(first, A @ B), off(second, A @ B), off(third, A.T @ Y)) < 1e-12
