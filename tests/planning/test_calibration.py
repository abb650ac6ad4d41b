"""The calibration is one readable file per user: found where settings belong, kept whole, and never required."""

import json
from pathlib import Path

import pytest

import anyk
from anyk.errors import InputError
from anyk.planning import CostModel, load, place, store
from anyk.verbs.calibrate import calibrate

ASKED = {"workers": 4, "stragglers": 1}
LARGE = ((9000, 9000), (9000, 9000))


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.delenv("ANYK_CALIBRATION", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return tmp_path


def test_it_stands_among_the_users_settings(home, monkeypatch):
    assert place() == home / "anyk" / "calibration.json"

    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setenv("HOME", str(home))
    assert place() == home / ".config" / "anyk" / "calibration.json"

    monkeypatch.setenv("ANYK_CALIBRATION", "/elsewhere/speeds.json")
    assert place() == Path("/elsewhere/speeds.json")


def test_what_is_kept_is_found_again_to_the_last_bit():
    costs = CostModel(worker_operations=1e10 / 3, source="a test")
    path = store(costs)

    assert load() == costs
    assert path == place()
    assert json.loads(path.read_text())["costs"]["source"] == "a test"
    assert [each.name for each in path.parent.iterdir()] == ["calibration.json"], "nothing is left beside it"


def test_without_a_calibration_plans_are_made_from_round_numbers():
    assert load() is None
    assert anyk.plan(*LARGE, **ASKED).costs == CostModel()


def test_plans_use_the_calibration():
    slow = CostModel(worker_operations=1e9, machine_operations=1e9, source="a test")
    store(slow)
    planned = anyk.plan(*LARGE, **ASKED)

    assert planned.costs == slow
    assert planned.best.seconds > anyk.plan(*LARGE, **ASKED, costs=CostModel()).best.seconds


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"costs": 3}', '{"costs": {"speed": 3}}', '{"costs": {"task_seconds": "quick"}}', "\xff"],
)
def test_a_damaged_calibration_is_an_error_that_says_what_to_do(text):
    path = store(CostModel())
    path.write_bytes(text.encode("latin-1"))

    with pytest.raises(InputError, match=r"is no calibration: .* Remove it, or write a new one with `anyk bench"):
        anyk.plan(*LARGE, **ASKED)


def test_a_place_that_cannot_be_written_is_named(home):
    (home / "anyk").write_text("in the way")

    with pytest.raises(InputError, match="was not written"):
        store(CostModel())
    with pytest.raises(InputError, match="cannot be read"):
        load()


@pytest.mark.cluster
def test_a_calibration_measures_every_speed():
    """On tiny matrices, where the numbers mean nothing; that they are numbers is what is asked."""
    costs = calibrate(side=96, turns=1)

    assert "96 x 96" in costs.source
    assert costs.task_seconds > 0
    assert store(costs).exists()
    assert load() == costs
