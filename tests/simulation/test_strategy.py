"""Strategies by name say what the codes they are named after say."""

import pytest

import anyk
from anyk.codes import CATALOGUE
from anyk.errors import InputError
from anyk.simulation import Strategy, strategy


@pytest.mark.parametrize("family", [name for name in CATALOGUE if name != "replication"])
def test_a_family_by_name_is_the_code_itself(family):
    example = dict(CATALOGUE[family].example)
    code = CATALOGUE[family].function(**example)
    numbers = [str(value) for name, value in example.items() if name not in ("workers", "rng")]
    by_name = strategy(":".join([family, "x".join(numbers)]) if family != "uncoded" else "uncoded", code.workers)
    of_code = Strategy.of(code)

    assert (by_name.tasks, by_name.needed, by_name.copies) == (of_code.tasks, of_code.needed, of_code.copies)
    assert of_code.share / by_name.share in (1, 4)  # a name does not know that a code is complex


def test_replication_by_name_is_the_code_itself():
    by_name, of_code = strategy("replication:2", 8), Strategy.of(anyk.codes.replication(2, 1, 2, copies=2))
    assert (
        (by_name.tasks, by_name.needed, by_name.copies) == (of_code.tasks, of_code.needed, of_code.copies) == (8, 7, 2)
    )


@pytest.mark.parametrize(
    ("name", "workers", "told"),
    [
        ("nonsense", 4, "no strategy of that name"),
        ("matdot", 4, "takes inner"),
        ("matdot:0", 4, "at least 1"),
        ("matdot:x", 4, "whole numbers"),
        ("matdot:4", 6, "7 answers are needed"),
        ("replication:9", 4, "copies are from 1"),
        ("replication:0", 4, "copies are from 1"),
        ("speculation:hadoop", 4, "Rules are"),
        (7, 4, "neither a name nor a code"),
        (anyk.codes.matdot(2, 8), 4, "Use 8 or more workers"),
    ],
)
def test_what_is_no_strategy_is_refused_in_words(name, workers, told):
    with pytest.raises(InputError, match=told):
        strategy(name, workers)
