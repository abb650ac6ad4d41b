"""Tables and weights against numbers of 30 digits that were made without anyk (make_trigonometric.py)."""

import json
from pathlib import Path

import numpy as np
import pytest

from anyk.bases import digit_tables
from anyk.code import Code
from anyk.partition import Partition
from anyk.weights import System, product_error

CASES = json.loads(Path(__file__).with_name("trigonometric.json").read_text())
EPSILON = np.finfo(float).eps


@pytest.fixture(params=CASES, ids=lambda case: f"{case['name']} {case['partition']} of {case['workers']}")
def golden(request):
    """One case, its numbers rounded to extended precision."""
    numbers = {name: np.array(request.param[name]).astype(np.longdouble) for name in ("left", "right", "weights")}
    return {**request.param, **numbers}


@pytest.fixture
def code(golden):
    m, n, p = golden["partition"]
    *tables, positions = digit_tables(m, n, p, golden["workers"], stride=n, basis="trigonometric")
    return Code(golden["name"], Partition(m, n, p), *tables, m * n * p + n - 1, positions=positions)


def test_tasks_sit_where_they_should(golden, code):
    assert code.positions.tolist() == golden["positions"]


def test_tables_are_right_to_the_last_digits(golden, code):
    """Each coefficient is a product of two functions below sqrt2, each right to a few roundings."""
    for name in ("left", "right"):
        mine, exact = getattr(code, name), golden[name]
        assert mine.shape == exact.shape
        assert abs(mine - exact).max() <= 2 * 8 * EPSILON


@pytest.mark.parametrize("way", ["correction", "least squares"])
def test_weights_are_right_to_what_the_survivors_condition_allows(golden, code, way):
    """Coefficients are off by a rounding or two; weights by that times the condition of the survivors' columns."""
    survivors, exact = golden["survivors"], golden["weights"]
    if way == "correction":
        mine, _ = code.solve(survivors)
    else:
        system = System(code.left, code.right)
        mine = (system.solve(survivors, product_error("float64")).weights[0] / system.norms[survivors, None]).T
    columns = np.einsum("ijw,klw->ijklw", golden["left"], golden["right"]).reshape(-1, code.workers)[:, survivors]
    values = np.linalg.svd(columns.astype(float), compute_uv=False)
    bound = 16 * EPSILON * np.sqrt(len(survivors)) * values[0] / values[-1] * np.linalg.norm(exact.astype(float))

    assert np.linalg.norm((mine - exact).astype(float)) <= bound
