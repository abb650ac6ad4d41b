"""Approximate PolyDot: one answer fewer than Generalized PolyDot for half the digits."""

import numpy as np
import pytest

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


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"rows": 2, "inner": 1, "cols": 2, "workers": 6}, "nothing to approximate"),
        ({"rows": 2, "inner": 2, "cols": 2, "workers": 12, "results": 7}, "fewer than 8 answers"),
        ({"rows": 2, "inner": 2, "cols": 2, "workers": 12, "results": 9}, "generalized_polydot"),
        ({"rows": 2, "inner": 2, "cols": 2, "workers": 7}, "8 results are needed and 7 workers exist"),
    ],
)
def test_what_cannot_work_is_refused_with_the_way_out(arguments, words):
    with pytest.raises(CodeError, match=words):
        approximate_polydot(**arguments)
