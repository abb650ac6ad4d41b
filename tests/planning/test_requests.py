"""What is asked of the planner is checked at its border."""

import pytest

import anyk
from anyk.errors import InputError
from anyk.planning import CostModel, Request
from anyk.planning.delays import delays_of

SQUARE = {"shape_a": (100, 100), "shape_b": (100, 100), "workers": 6}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"shape_a": (100,)}, r"shape_a=\(100,\).* needs a pair of sizes"),
        ({"shape_b": (0, 100)}, "needs a pair of sizes"),
        ({"shape_b": 7}, "needs a pair of sizes"),
        ({"shape_b": (99, 100)}, "A has 100 columns and B 99 rows"),
        ({"workers": 2.5}, "workers=2.5.* must be an integer"),
        ({"wrong": -1}, "wrong=-1.* must be an integer of at least 0"),
        ({"stragglers": 6}, "leaves no answer to decode from"),
        ({"tolerance": 0}, "tolerance=0.* must be a positive number"),
        ({"tolerance": 1e-20}, "cannot be met"),
        ({"tolerance": 1e-8, "dtype": "float32"}, "or a wider dtype"),
        ({"memory_per_worker": -1}, "memory_per_worker=-1"),
        ({"bandwidth": float("inf")}, "bandwidth=inf"),
        ({"delays": 3}, "delays=3.* is no fault model"),
        ({"delays": "thunder"}, "neither a preset nor a file"),
        ({"model": "byzantine"}, "model='byzantine'.* Use 'random' or 'adversarial'"),
        ({"delay_unit": "hours"}, "Use 'seconds' or 'tasks'"),
        ({"cores": 0}, "cores=0"),
        ({"dtype": "U4"}, "holds no numbers"),
        ({"dtype": "float128x"}, "is no dtype"),
    ],
)
def test_bad_questions_are_refused(given, message):
    asked = {**SQUARE, **given}
    with pytest.raises(InputError, match=message):
        anyk.plan(asked.pop("shape_a"), asked.pop("shape_b"), **asked, costs=CostModel())


@pytest.mark.parametrize("speed", [0, -1.0, float("nan"), float("inf"), "fast", True])
def test_a_speed_is_a_positive_number(speed):
    with pytest.raises(InputError, match="encode_bytes"):
        CostModel(encode_bytes=speed)


@pytest.mark.parametrize(
    ("screen", "model", "extra"),
    [("checked", "random", 2), ("syndrome", "random", 3), ("syndrome", "adversarial", 4)],
)
def test_wrong_answers_take_more_answers_as_in_matmul(screen, model, extra):
    from anyk.verbs.screen import Screening

    assert Request((9, 9), (9, 9), 6, wrong=2, screen=screen, model=model).extra == extra
    assert Screening(2, screen, model).extra == extra


def test_presets_are_multiples_of_a_task_and_files_are_seconds(tmp_path):
    (tmp_path / "delays.csv").write_text("0.5,1\n")

    assert delays_of("lambda")[1] == "tasks"
    assert delays_of(str(tmp_path / "delays.csv")) == (anyk.faults.Trace([[0.5, 1.0]]), "seconds")
    assert delays_of(f"trace:{tmp_path / 'delays.csv'}")[1] == "seconds"
    assert delays_of(None) == (None, "seconds")
