"""The quick verdict on clean answers says yes only where the locator does, and never to an error worth naming."""

import numpy as np
import pytest

from anyk.nn import TrainingCode, generalized_polydot, product_mds, replication
from anyk.nn.clean import checks_of
from anyk.screening import draw_columns, locate
from anyk.weights import product_error

CODES = [generalized_polydot(2, 2, nodes=8), generalized_polydot(4, 4, nodes=32), product_mds(2, 2, nodes=16)]


def prints(code: TrainingCode, rng: np.random.Generator, dtype: str, batch: int = 4) -> np.ndarray:
    """Fingerprints of the answers of one forward product, shape (T, batch, 2)."""
    task = code.forward.code
    blocks = rng.standard_normal((task.partition.rows * task.partition.inner, 16, 12)).astype(dtype)
    inputs = rng.standard_normal((task.partition.inner, 12, batch)).astype(dtype)
    left = task.left.reshape(-1, task.workers).T.astype(dtype)
    stored, given = np.tensordot(left, blocks, 1), np.tensordot(task.right[:, 0].T.astype(dtype), inputs, 1)
    answers = (stored @ given).swapaxes(1, 2)
    return answers @ draw_columns(16, 2, rng).astype(dtype)


@pytest.mark.parametrize("code", CODES, ids=repr)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_clean_answers_agree_and_an_error_of_a_thousand_roundings_does_not(code: TrainingCode, dtype: str) -> None:
    rng, noise = np.random.default_rng(0), product_error(dtype)
    tasks = tuple(range(code.forward.code.workers))
    checks = checks_of(code.forward.code, tasks, dtype)
    for scale in (1.0, 1e-30, 1e15):
        for _ in range(20):
            known = prints(code, rng, dtype) * np.asarray(scale, dtype)
            assert checks.agree(known, noise)
            for wrong in tasks:
                spoilt = known.copy()
                spoilt[wrong] *= 1 + 1000 * noise
                assert not checks.agree(spoilt, noise)


@pytest.mark.parametrize("code", CODES, ids=repr)
def test_whoever_is_believed_here_is_believed_by_the_locator(code: TrainingCode) -> None:
    rng, noise, tasks = np.random.default_rng(1), product_error("float32"), tuple(range(code.forward.code.workers))
    believed = 0
    for trial in range(200):
        known = prints(code, rng, "float32")
        known[rng.integers(len(tasks))] *= 1 + rng.uniform(0, 100) * noise
        agree = checks_of(code.forward.code, tasks, "float32").agree(known, noise)
        located = locate(code.forward.code, dict(enumerate(known)), "random", np.random.default_rng(trial), noise=noise)
        if agree:
            assert (located.found, located.wrong) == (True, ())
        believed += agree
    assert 0 < believed < 200


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_numbers_that_cannot_be_squared_are_left_to_the_locator(value: float) -> None:
    code = CODES[0].forward.code
    known = prints(CODES[0], np.random.default_rng(2), "float64")
    known[3, 1, 0] = value

    assert not checks_of(code, tuple(range(8)), "float64").agree(known, 1e-15)


def test_all_zero_answers_are_left_to_the_locator_which_believes_them() -> None:
    code = replication(2, 2, nodes=12).forward.code

    assert not checks_of(code, tuple(range(12)), "float64").agree(np.zeros((12, 4, 2)), 1e-15)
    assert locate(code, dict(enumerate(np.zeros((12, 4, 2)))), "random", np.random.default_rng(0)).wrong == ()
