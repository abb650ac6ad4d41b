"""Products from workers of whom some answer wrongly."""

import numpy as np
import pytest

import anyk
from anyk.faults import BitFlip, GaussianError, LowRank, NonFinite, Scaled, Stale, Zeros, combine
from anyk.verbs.screen import OperandScreen, Screening
from anyk.verbs.witness import OperandWitness

CODE = anyk.codes.matdot(2, 8)
RNG = np.random.default_rng(0)
A, B = RNG.standard_normal((60, 40)), RNG.standard_normal((40, 50))
RIGHT = A @ B


def multiplied(faults, a=A, b=B, code=CODE, engine="inline", **options):
    with anyk.engines.open(engine, faults=faults, seed=3, workers=code.workers) as opened:
        return anyk.matmul(a, b, code, engine=opened, rng=1, **options)


def off(product, right=RIGHT):
    return np.linalg.norm(product.value - right) / np.linalg.norm(right)


SCREENS = [
    ("checked", "random"),
    ("syndrome", "random"),
    ("syndrome", "adversarial"),
    ("both", "random"),
]


@pytest.mark.parametrize(("screen", "model"), SCREENS)
@pytest.mark.parametrize(
    "faults",
    [
        GaussianError(ranks=(0, 1)),
        GaussianError(size=1e-6, share=0.0, ranks=(0, 1)),
        BitFlip(bits=(60,), ranks=(0, 1)),
        Zeros(ranks=(0, 1)),
        combine(NonFinite(ranks=(0,)), Scaled(factor=1.001, ranks=(1,))),
    ],
    ids=str,
)
def test_wrong_answers_do_not_reach_the_product(faults, screen, model):
    product = multiplied(faults, wrong=2, screen=screen, model=model)

    assert off(product) < 1e-13
    assert product.error < 1e-13
    assert product.wrong == (0, 1)
    assert not {0, 1} & {*product.survivors}


def test_without_screening_they_do():
    with pytest.warns(anyk.PrecisionWarning):
        assert off(multiplied(GaussianError(ranks=(0, 1)))) > 1e-3


def test_checked_answers_find_as_many_as_there_are_to_spare_whatever_they_agree_on():
    product = multiplied(LowRank(ranks=(0, 2, 4, 5, 7)), wrong=5)

    assert product.wrong == (0, 2, 4, 5, 7)
    assert product.survivors == (1, 3, 6)
    assert off(product) < 1e-13
    assert "checked one by one" in product.reason


def test_no_answer_is_looked_at_where_the_product_agrees_with_the_operands(monkeypatch):
    asked = []
    monkeypatch.setattr(OperandWitness, "holds", lambda self, task, answer: asked.append(task) or True)

    assert "agrees with the operands" in multiplied(None, wrong=2).reason
    assert asked == []
    assert multiplied(None, wrong=2, verify=False).error_kind == "expected"
    assert asked == []
    assert "checked one by one" in multiplied(GaussianError(ranks=(1,)), wrong=2, tolerance=1.0).reason
    assert asked != []


def test_what_is_expected_follows_from_the_operands_not_from_blocks_that_workers_share():
    rng = np.random.default_rng(6)
    for code in (CODE, anyk.codes.generalized_polydot(2, 2, 2, 12), anyk.codes.mds(3, 7)):
        left, right = code.encode(A, B)
        screen = OperandScreen(Screening(2, "checked", "random"), code, (A, B), (left, right), None, rng)
        left[1][2, 3] += 1e-3
        right[4][5, 6] *= 1.001

        assert screen.suspects({task: left[task] @ right[task] for task in range(6)}) == (1, 4)


@pytest.mark.parametrize("bands", [1, 3])
@pytest.mark.parametrize(("screen", "model"), SCREENS)
def test_every_band_of_rows_is_screened(screen, model, bands):
    product = multiplied(
        GaussianError(size=1e-6, share=0.0, ranks=(2,)), wrong=1, screen=screen, model=model, bands=bands
    )

    assert product.wrong == (2,)
    assert off(product) < 1e-13


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_products_of_constant_matrices_are_not_suspected(dtype):
    ones = np.ones((400, 2000), dtype)
    for code in (CODE, anyk.codes.generalized_polydot(2, 2, 2, 12), anyk.codes.mds(4, 8)):
        for screen in ("checked", "syndrome"):
            product = multiplied(None, ones, ones.T, code=code, wrong=1, screen=screen)
            assert product.wrong == ()
            assert off(product, 2000 * np.ones((400, 400))) < 1e-5


def test_conspiracies_are_found_from_the_answers_alone():
    product = multiplied(LowRank(ranks=(0, 5)), wrong=2, screen="syndrome", model="adversarial")

    assert product.wrong == (0, 5)
    assert off(product) < 1e-13
    assert "up to 2 wrong answers are found whatever they say" in product.reason


@pytest.mark.parametrize("screen", ["checked", "both"])
def test_where_too_few_remain_wrong_answers_are_computed_elsewhere(screen):
    product = multiplied(GaussianError(ranks=(0, 1, 2, 3, 4, 5), rounds=(0,)), wrong=1, screen=screen)

    assert {0, 1} <= {*product.wrong}
    assert off(product) < 1e-13


def test_more_wrong_answers_than_can_be_located_are_a_declared_failure():
    with pytest.raises(anyk.ClusterError, match="contradict one another"):
        multiplied(GaussianError(ranks=range(5)), wrong=1, screen="syndrome")


def test_a_stale_answer_is_thrown_out():
    with anyk.engines.open("inline", faults=Stale(ranks=(2,)), workers=8) as engine:
        first = anyk.matmul(A, B, CODE, engine=engine, wrong=1)
        second = anyk.matmul(A + 1, B, CODE, engine=engine, wrong=1)

    assert first.wrong == (2,)
    assert second.wrong == (2,)
    assert off(second, (A + 1) @ B) < 1e-13


@pytest.mark.parametrize("screen", ["checked", "syndrome"])
@pytest.mark.parametrize(
    "code",
    [
        anyk.codes.matdot(3, 9, basis="unit_circle"),
        anyk.codes.generalized_polydot(2, 2, 2, 12),
        anyk.codes.approximate_matdot(4, 8),
        anyk.codes.mds(3, 7),
        anyk.codes.replication(2, 1, 1, copies=3),
    ],
    ids=lambda code: code.name,
)
def test_every_code_is_screened(code, screen):
    right = multiplied(None, code=code, wrong=1, screen=screen)
    product = multiplied(GaussianError(ranks=(1,)), code=code, wrong=1, screen=screen)

    assert (right.wrong, product.wrong) == ((), (1,))
    assert off(product) < max(1e-12, 3 * code.design_error)


@pytest.mark.parametrize("dtype", ["float32", "complex64", "complex128", "int64"])
def test_every_dtype_is_screened(dtype):
    rng = np.random.default_rng(4)
    a, b = (rng.integers(-9, 10, shape).astype(dtype) for shape in ((30, 40), (40, 20)))
    for screen in ("checked", "syndrome"):
        product = multiplied(BitFlip(bits=(29,), ranks=(1,)), a, b, wrong=1, screen=screen)
        assert off(product, a @ b) < 1e-5
        assert np.isfinite(product.value).all()


def test_products_that_cancel_are_not_suspected():
    square = RNG.standard_normal((40, 40))
    for code in (CODE, anyk.codes.mds(3, 8)):
        for screen in ("checked", "syndrome"):
            product = multiplied(None, square, np.linalg.inv(square), code=code, wrong=1, screen=screen)
            assert product.wrong == ()


def test_nothing_is_awaited_for_nothing():
    assert len(multiplied(None).survivors) == 3
    assert len(multiplied(None, wrong=2).survivors) == 5
    assert len(multiplied(None, wrong=2, screen="syndrome").survivors) == 6
    assert len(multiplied(None, wrong=2, screen="syndrome", model="adversarial").survivors) == 7
    assert len(multiplied(None, screen="checked").survivors) == 3


def test_a_code_is_chosen_with_answers_to_spare():
    with anyk.engines.open("inline", workers=8) as engine:
        product = anyk.matmul(A, B, engine=engine, wrong=2, stragglers=1)
    assert product.code.workers - product.code.recovery_threshold >= 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"wrong": 6}, r"needs 3 \+ 6 answers, and `matdot` has 8 tasks"),
        ({"wrong": 3, "screen": "syndrome", "model": "adversarial"}, "or screen='checked'"),
        ({"wrong": -1}, "cannot be negative"),
        ({"wrong": 1, "screen": "trusting"}, "screen='trusting'. is unknown"),
        ({"wrong": 1, "model": "byzantine"}, "model='byzantine'. is unknown"),
    ],
)
def test_what_cannot_be_screened_is_refused(options, message):
    with pytest.raises(anyk.InputError, match=message):
        multiplied(None, **options)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_colluding_workers_are_checked_in_every_one_of_many_trials(dtype):
    rng = np.random.default_rng(5)
    a, b, other = (rng.standard_normal((24, 24)).astype(dtype) for _ in range(3))
    left, right = CODE.encode(a, b)
    false, _ = CODE.encode(other, b)
    for _ in range(50):
        wrong = tuple(sorted(rng.permutation(8)[:5].tolist()))
        screen = OperandScreen(Screening(5, "checked", "random"), CODE, (a, b), (left, right), None, rng)
        answers = {w: (false if w in wrong else left)[w] @ right[w] for w in range(8)}
        assert screen.suspects(answers) == wrong


# --- streams --------------------------------------------------------------------------------------------------------


def streamed(faults, code, engine="inline", **options):
    with anyk.engines.open(engine, faults=faults, seed=3, workers=code.workers) as opened:
        return [*anyk.stream(A, B, code, engine=opened, rng=1, **options)]


@pytest.mark.parametrize(("screen", "model"), SCREENS)
@pytest.mark.parametrize(
    "code", [CODE, anyk.codes.mds(3, 8), anyk.codes.approximate_matdot(4, 9)], ids=lambda code: code.name
)
def test_a_stream_gives_the_same_products_as_without_the_wrong_workers(code, screen, model):
    products = streamed(GaussianError(ranks=(1, 2)), code, wrong=2, screen=screen, model=model)

    assert products[-1].wrong == (1, 2)
    for product in products:
        assert not {1, 2} & {*product.survivors}
        assert product.error / 3 < off(product) < 3 * product.error
    assert off(products[-1]) < max(1e-13, 3 * code.design_error)
    if screen == "syndrome":
        assert len(products[0].survivors) > code.recovery_threshold
    else:
        assert products[0].survivors == (0,)
        assert "checked one by one" in products[0].reason


def test_a_stream_to_a_tolerance_is_not_deceived():
    faults = Scaled(factor=1.3, ranks=(0, 2))
    code = anyk.codes.mds(4, 8)
    (*_, last) = streamed(faults, code, wrong=2, tolerance=1e-10)

    assert (last.wrong, last.survivors) == ((0, 2), (1, 3, 4, 5))
    assert off(last) < 1e-13
    (*_, deceived) = streamed(faults, code, tolerance=0.25)
    assert 0 in deceived.survivors


def test_a_stream_refuses_what_cannot_be_screened_at_once():
    with pytest.raises(anyk.InputError, match=r"`stream\(wrong=6, .* needs 3 \+ 6 answers, and `matdot` has 8 tasks"):
        anyk.stream(A, B, CODE, wrong=6)


# --- real workers ---------------------------------------------------------------------------------------------------


@pytest.mark.cluster
@pytest.mark.parametrize(("screen", "model"), SCREENS)
def test_real_workers_that_answer_wrongly_are_thrown_out(screen, model):
    product = multiplied(
        GaussianError(size=0.01, ranks=(1, 6)), engine="processes:8", wrong=2, screen=screen, model=model,
        stop=anyk.everyone,
    )  # fmt: skip

    assert (product.wrong, off(product) < 1e-13) == ((1, 6), True)


@pytest.mark.cluster
@pytest.mark.parametrize("screen", ["checked", "syndrome"])
def test_a_stream_of_real_workers_stays_right(screen):
    products = streamed(GaussianError(ranks=(1, 6)), CODE, "processes:8", wrong=2, screen=screen, tolerance=1e-12)

    assert off(products[-1]) < 1e-13
    assert not any({1, 6} & {*product.survivors} for product in products)
