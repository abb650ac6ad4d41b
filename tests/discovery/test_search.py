"""The verb and the search behind it: what comes back, and that stopping, going on and repeating change nothing."""

import dataclasses
import json
import sys

import numpy as np
import pytest

import anyk
from anyk.discovery import Discovery, Goal, checked, scored, search
from anyk.discovery.methods import Method
from anyk.discovery.objective import errors
from anyk.errors import CodeError, InputError
from anyk.partition import Partition
from tests.discovery.toys import all_sets

TASK = {"inner": 3, "workers": 5, "results": 4}
METHODS = ["newton", "gradient", "alternating"]


def same(one, other):
    return (
        np.array_equal(one.code.left, other.code.left)
        and np.array_equal(one.code.right, other.code.right)
        and one.history == other.history
        and one.score == other.score
    )


@pytest.mark.parametrize("dtype", ["float64", "bfloat16"])
def test_a_found_code_is_better_than_the_closed_form(dtype):
    closed = anyk.codes.approximate_matdot(3, 5, results=4, dtype=dtype)
    found = anyk.discover(**TASK, dtype=dtype, budget=400, rng=0)

    assert found.error < 0.9 * np.sqrt(np.mean(closed.errors(4, dtype) ** 2))
    assert found.code.recovery_threshold == 4


def test_what_is_promised_is_what_the_code_says_of_itself():
    found = anyk.discover(**TASK, dtype="float32", budget=60, rng=0)
    told = found.code.errors(4, "float32")

    assert found.score.all_sets
    assert found.score.sets == 5
    assert found.score.rms == pytest.approx(np.sqrt(np.mean(told**2)), rel=1e-9)
    assert found.score.median == pytest.approx(np.median(told), rel=1e-9)
    assert found.score.worst == pytest.approx(told.max(), rel=1e-9)
    assert found.code.design_error == pytest.approx(found.score.rms)
    assert found.error == found.score.rms


def test_a_found_code_multiplies_matrices():
    code = anyk.discover(**TASK, budget=60, rng=0).code
    rng = np.random.default_rng(0)
    A, B = rng.standard_normal((60, 90)), rng.standard_normal((90, 50))
    left, right = code.encode(A, B)
    product = anyk.decode(code, {task: left[task] @ right[task] for task in (0, 2, 3, 4)})

    assert np.linalg.norm(product.value - A @ B) < 3 * code.expected_error((0, 2, 3, 4)) * np.linalg.norm(A @ B)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("objective", ["rms", "worst"])
def test_no_search_ends_worse_than_it_began(method, objective):
    found = anyk.discover(**TASK, dtype="float32", method=method, objective=objective, budget=60, rng=1)

    assert found.error <= found.history[0][1]
    assert min(error for _, error in found.history) == pytest.approx(found.error, rel=1e-9)


def test_the_worst_set_is_better_when_it_is_asked_for():
    rms, worst = (anyk.discover(**TASK, dtype="float32", objective=each, budget=80, rng=0) for each in ("rms", "worst"))

    assert worst.score.worst < rms.score.worst
    assert worst.error == worst.score.worst


def test_any_partition_can_be_searched():
    found = anyk.discover(2, 7, 4, rows=2, dtype="bfloat16", budget=40, rng=0)

    assert found.code.partition == Partition(2, 2, 1)
    assert found.error < found.history[0][1]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("start", ["structured", "random"])
def test_the_same_seed_gives_the_same_code(method, start):
    one, other = (anyk.discover(**TASK, method=method, start=start, budget=55, rng=5) for _ in range(2))

    assert same(one, other)


def test_another_seed_gives_another_code():
    one, other = (anyk.discover(**TASK, start="random", budget=20, rng=seed) for seed in (0, 1))

    assert not np.array_equal(one.code.left, other.code.left)


def test_a_generator_is_a_seed_too():
    one, other = (anyk.discover(**TASK, budget=20, rng=np.random.default_rng(3)) for _ in range(2))

    assert same(one, other)
    assert one.seed == other.seed


@pytest.mark.parametrize("method", METHODS)
def test_a_search_stopped_after_an_epoch_and_continued_is_the_search_that_was_not_stopped(method, tmp_path):
    settings = {**TASK, "dtype": "float32", "method": method, "start": "random"}
    whole = anyk.discover(**settings, budget=110, rng=2)
    ends = [at for at, _ in whole.history]
    first = anyk.discover(**settings, budget=ends[1], rng=2)
    first.save(tmp_path / "code.json")
    second = anyk.discover(**settings, budget=110, rng=99, resume=tmp_path / "code.json")

    assert first.iterations == ends[1] < whole.iterations
    assert same(whole, second)


def test_a_search_goes_through_several_rounds_and_remembers_that_in_its_file(tmp_path):
    settings = {**TASK, "dtype": "bfloat16"}
    first = anyk.discover(**settings, budget=70, rng=0)
    first.save(tmp_path / "code.json")
    second = anyk.discover(**settings, budget=100, resume=str(tmp_path / "code.json"))

    assert second.state.round >= first.state.round >= 1
    assert second.error <= first.error


def test_a_discovery_comes_back_from_its_file_as_it_was(tmp_path):
    found = anyk.discover(**TASK, dtype="float16", budget=30, rng=0)
    found.save(tmp_path / "code.json")
    again = Discovery.load(tmp_path / "code.json")

    for each in dataclasses.fields(Discovery):
        if each.name not in ("code", "state"):
            assert getattr(again, each.name) == getattr(found, each.name)
    np.testing.assert_array_equal(again.code.left, found.code.left)
    np.testing.assert_array_equal(again.state.right, found.state.right)
    np.testing.assert_array_equal(anyk.codes.load(tmp_path / "code.json").left, found.code.left)
    assert "Infinity" not in (tmp_path / "code.json").read_text()
    assert "any 4 of 5" in repr(again)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text.pop("anyk_discovery"),
        lambda text: text["anyk_discovery"].pop("state"),
        lambda text: text["anyk_discovery"].update(format=99),
        lambda text: text["anyk_discovery"]["state"].update(left=[[1.0]]),
        lambda text: text["anyk_discovery"]["state"]["left"][0][0].__setitem__(0, float("nan")),
        lambda text: text["anyk_discovery"].update(score={"rms": 1}),
        lambda text: text.update(anyk_discovery=[]),
    ],
)
def test_a_damaged_search_is_refused(damage, tmp_path):
    path = tmp_path / "code.json"
    anyk.discover(**TASK, dtype="bfloat16", budget=3, rng=0).save(path)
    text = json.loads(path.read_text())
    damage(text)
    path.write_text(json.dumps(text))

    with pytest.raises(InputError, match=r"Discovery\.load"):
        Discovery.load(path)


@pytest.mark.parametrize("method", METHODS)
def test_an_interrupted_search_keeps_the_best_so_far(method):
    def interrupt(step):
        if step.iteration == 30:
            raise KeyboardInterrupt

    found = anyk.discover(**TASK, dtype="float32", method=method, rng=0, progress=interrupt)

    assert found.reason == "interrupted"
    assert found.iterations == 30
    assert found.error <= found.history[0][1]


def test_progress_is_told_of_every_step():
    steps = []
    found = anyk.discover(**TASK, dtype="float32", budget=25, rng=0, progress=steps.append)

    assert [step.iteration for step in steps] == [*range(1, 26)]
    assert steps[-1].budget == 25
    assert found.reason == "budget"


def test_a_budget_of_no_iterations_gives_the_closed_form():
    found = anyk.discover(**TASK, budget=0, rng=0)
    closed = anyk.codes.approximate_matdot(3, 5, results=4)

    np.testing.assert_allclose(found.code.left, closed.left, rtol=1e-14)


def test_a_search_without_a_way_down_ends_too(monkeypatch):
    stuck = Method(lambda tables, loss, steps, tick: tables, steps=5, sets=lambda goal: 100)
    monkeypatch.setattr(sys.modules["anyk.discovery.search"], "METHODS", {"newton": stuck})
    found = search(checked(Goal(Partition(1, 3, 1), 5, 4)), method="newton", seed=0, budget=7)

    assert (found.iterations, found.reason) == (7, "budget")


def test_time_can_be_the_budget():
    assert anyk.discover(**TASK, dtype="float32", budget="1s", rng=0).iterations > 0


def test_one_code_can_be_improved_by_hand():
    start = anyk.codes.approximate_matdot(3, 5, results=4, dtype="float32")
    found = anyk.discover(**TASK, dtype="float32", start=start, budget=30, rng=0)

    assert found.start == "approximate_matdot"
    assert found.error < start.design_error


def test_random_sets_stand_in_for_too_many():
    goal = checked(Goal(Partition(1, 6, 1), 20, 10, "float32"))
    found = search(goal, method="alternating", seed=0, budget=2)
    score = found.score

    assert (score.sets, score.all_sets) == (2000 - 0, False)
    again = scored(goal, found.code.left, found.code.right, np.random.default_rng([0, 3]))
    assert again == score


def test_a_code_with_an_exact_threshold_says_so():
    found = anyk.discover(3, 7, 5, budget=1, rng=0)

    assert found.code.exact_threshold == 5
    assert errors(found.code.left, found.code.right, all_sets(7, 5), 3.3e-16).max() < 1e-13


@pytest.mark.parametrize(
    ("asked", "error", "words"),
    [
        ({"inner": 4, "workers": 8, "results": 3}, CodeError, "fewer than 4 answers"),
        ({"inner": 2, "workers": 9, "results": 3, "rows": 2}, CodeError, "fewer than 4 answers"),
        ({"inner": 3, "workers": 4, "results": 5}, CodeError, "5 results are needed and 4 workers exist"),
        ({**TASK, "dtype": "int32"}, InputError, "not a real floating dtype"),
        ({**TASK, "dtype": "complex128"}, InputError, "not a real floating dtype"),
        ({**TASK, "dtype": "float33"}, InputError, "not a real floating dtype"),
        ({**TASK, "objective": "mean"}, CodeError, "objective='mean' is unknown"),
        ({**TASK, "method": "luck"}, CodeError, r"method='luck'\) is unknown"),
        ({**TASK, "start": "here"}, CodeError, "start='here'"),
        ({**TASK, "start": anyk.codes.matdot(3, 6)}, CodeError, "no real code of partition"),
        ({**TASK, "start": anyk.codes.matdot(3, 5, basis="unit_circle")}, CodeError, "no real code of partition"),
        ({**TASK, "budget": -1}, InputError, "budget=-1"),
        ({**TASK, "budget": 1.5}, InputError, "budget=1.5"),
        ({**TASK, "budget": "soon"}, InputError, "budget='soon'"),
        ({"inner": 0, "workers": 4, "results": 5}, anyk.AnykError, "inner"),
        ({**TASK, "resume": "nowhere.json"}, InputError, "nowhere"),
        ({**TASK, "workers": 5.0}, CodeError, "`workers` to be an integer, not 5.0"),
        ({**TASK, "results": True}, CodeError, "`results` to be an integer, not True"),
        ({"inner": 1, "workers": 3, "results": 2}, CodeError, "one block needs no code"),
        ({**TASK, "rng": -3}, InputError, "rng=-3"),
        ({**TASK, "rng": "luck"}, InputError, "rng='luck'"),
    ],
)
def test_bad_input_is_one_clear_error(asked, error, words):
    with pytest.raises(error, match=words):
        anyk.discover(**asked)


def test_a_search_does_not_go_on_as_another():
    found = anyk.discover(**TASK, dtype="bfloat16", budget=2, rng=0)

    with pytest.raises(InputError, match=r"resume=…"):
        anyk.discover(**TASK, dtype="float32", resume=found)
