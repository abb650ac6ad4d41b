"""Approximate PolyDot: one answer fewer than Generalized PolyDot for half the digits."""

import numpy as np
import pytest

import anyk
from anyk import CodeError
from anyk.codes import approximate_polydot


def rms(code, results, dtype="float64"):
    return float(np.sqrt(np.mean(code.errors(results, dtype) ** 2)))


def test_two_by_two_by_two_decodes_from_eight_of_twelve():
    code = approximate_polydot(2, 2, 2, workers=12)

    assert code.recovery_threshold == 8
    assert rms(code, 8) <= 1e-7


def test_every_count_between_costs_its_share_of_digits():
    errors = [approximate_polydot(2, 3, 1, 12, results=results).design_error for results in (6, 7)]

    # three steps, then two
    assert errors[0] < 2e-3
    assert errors[1] < 1e-6


#: rows, inner, cols, workers, results -> largest root mean square error of the real tables, float64: the law
#: lambda^(1/2) = 1.8e-8 times what few spare workers cost; and lambda^(1/3) = 7e-6 for three steps.
REAL = {
    (2, 2, 1, 6, 4): 1e-7,
    (2, 2, 2, 10, 8): 1e-7,
    (2, 2, 2, 11, 8): 2e-7,
    (1, 3, 2, 10, 7): 2e-7,
    (2, 3, 2, 14, 12): 1e-4,
}


@pytest.mark.parametrize("case", REAL, ids=str)
def test_real_tables_follow_the_same_law(case):
    *cut, workers, results = case
    code = approximate_polydot(*cut, workers, results=results, basis="chebyshev")

    assert not code.is_complex
    assert rms(code, results) <= REAL[case]


def test_real_tables_multiply_as_well_as_promised():
    code = approximate_polydot(2, 2, 2, 10, basis="chebyshev")
    rng = np.random.default_rng(1)
    A, B = rng.standard_normal((120, 160)), rng.standard_normal((160, 100))
    a, b = code.encode(A, B)
    tasks = (0, 2, 3, 4, 5, 6, 8, 9)
    product = anyk.decode(code, {task: a[task] @ b[task] for task in tasks})
    error = np.linalg.norm(product.value - A @ B) / np.linalg.norm(A @ B)

    assert a[0].dtype == np.float64
    assert 1 / 1.5 <= error / code.expected_error(tasks) <= 1.5


@pytest.mark.parametrize("basis", ["unit_circle", "chebyshev"])
def test_the_design_error_is_the_error_of_fresh_sets(basis):
    code = approximate_polydot(2, 2, 2, 10, basis=basis)

    # 45 sets: all of them
    assert code.design_error == pytest.approx(rms(code, 8))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"rows": 2, "inner": 1, "cols": 2, "workers": 6}, "nothing to approximate"),
        ({"rows": 2, "inner": 2, "cols": 2, "workers": 12, "results": 7}, "fewer than 8 answers"),
        ({"rows": 2, "inner": 2, "cols": 2, "workers": 12, "results": 9}, "generalized_polydot"),
        ({"rows": 2, "inner": 2, "cols": 2, "workers": 7}, "8 results are needed and 7 workers exist"),
        ({"rows": 2, "inner": 2, "cols": 2, "workers": 12, "results": 8.0}, "`results` to be an integer, not 8.0"),
        ({"rows": 2, "inner": 2, "cols": 2, "workers": "12"}, "`workers` to be an integer, not '12'"),
        ({"rows": 2, "inner": 2, "cols": 2, "workers": 12, "basis": "real"}, "'unit_circle' or 'chebyshev'"),
        ({"rows": 2, "inner": 4, "cols": 2, "workers": 32, "dtype": "bfloat16"}, r"copies=2\) on 32 workers"),
    ],
)
def test_what_cannot_work_is_refused_with_the_way_out(arguments, words):
    with pytest.raises(CodeError, match=words):
        approximate_polydot(**arguments)
