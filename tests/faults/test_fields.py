"""A fault model that cannot be drawn from cannot be made."""

import math

import numpy as np
import pytest

from anyk.errors import InputError
from anyk.faults import (
    Bimodal,
    Bursts,
    Crash,
    GroupOutage,
    LogNormal,
    Pareto,
    ShiftedExponential,
    SlowNodes,
    Stop,
    Trace,
)

BAD = [
    *[(model, {"unit_seconds": bad}) for model in (ShiftedExponential, Pareto, Bursts) for bad in (-1, math.inf, "1")],
    (ShiftedExponential, {"shift": -0.1}),
    (ShiftedExponential, {"scale": math.nan}),
    (Pareto, {"shape": 0}),
    (Pareto, {"shape": 0.05}),
    (Pareto, {"scale": -1}),
    (Bimodal, {"probability": 1.1, "factor": 2}),
    (Bimodal, {"probability": 0.1, "factor": 0.5}),
    (Bimodal, {"probability": True, "factor": 2}),
    (LogNormal, {"sigma": -0.1}),
    (LogNormal, {"sigma": 11}),
    (LogNormal, {"sigma": 0.1, "ceiling": -1}),
    (Bursts, {"late": 0.9, "stalled": 0.2}),
    (Bursts, {"late_times": (2.0, 1.0)}),
    (Bursts, {"stall_times": (0.0, 1.0)}),
    (Bursts, {"stall_times": (1.0,)}),
    (Bursts, {"late_times": "12"}),
    (Bursts, {"burst": -0.1}),
    (SlowNodes, {"fraction": 2}),
    (SlowNodes, {"factor": 0.5}),
    (SlowNodes, {"ranks": 3}),
    (Crash, {"ranks": (-1,)}),
    (Crash, {"ranks": "01"}),
    (Crash, {"rounds": 1}),
    (Crash, {"after_seconds": -1}),
    (Stop, {"ranks": (1.5,)}),
    (Stop, {"probability": None}),
    (GroupOutage, {"size": 0}),
    (GroupOutage, {"size": 2.0}),
    (GroupOutage, {"end": "pause"}),
    (Trace, {"source": [[1.0]], "unit_seconds": -1}),
]


@pytest.mark.parametrize(("model", "fields"), BAD)
def test_a_bad_field_is_refused_by_name(model, fields):
    names = "|".join(fields)
    with pytest.raises(InputError, match=rf"`{model.__name__}\(({names})=.*\)` .* must be .* came\. \w"):
        model(**fields)


def test_the_message_names_the_call_the_rule_what_came_and_the_way_out():
    with pytest.raises(InputError) as caught:
        Pareto(shape=0)

    assert str(caught.value) == (
        "`Pareto(shape=0)` is no fault model: shape must be a number from 0.1 to 1e+09, and 0 came. "
        "Clusters look like 1.5 to 2.5."
    )


def test_numbers_of_any_kind_become_plain_ones_so_that_the_repr_can_be_read_back():
    assert repr(Pareto(shape=np.float32(1.5))) == "Pareto(shape=1.5, scale=1.0, unit_seconds=1.0)"
    assert repr(Crash(ranks=np.arange(2))) == "Crash(probability=0.0, ranks=(0, 1), rounds=None, after_seconds=0.0)"
    assert repr(Bursts(late_times=[1, 2]).late_times) == "(1.0, 2.0)"
