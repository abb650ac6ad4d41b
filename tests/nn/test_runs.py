"""Training runs: the same seed gives the same run, errors change nothing where the code corrects them."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

pytest.importorskip("torch")

import numpy as np
import torch

from anyk.errors import CodeError, InputError
from anyk.nn.health import Health
from anyk.nn.record import Record
from anyk.nn.runs import Configuration, default_nodes
from anyk.nn.training import perceptron, train

#: Of errors: enough to spoil an uncoded run, and for a coded one to be rolled back now and then.
RATE = 0.05


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    """Six classes around six centres: a small network learns most of them in forty updates."""
    path, rng = tmp_path_factory.mktemp("data") / "some.npz", np.random.default_rng(0)
    y = rng.integers(0, 6, 200)
    np.savez(path, x=rng.standard_normal((6, 9))[y] + 0.8 * rng.standard_normal((200, 9)), y=y)
    return str(path)


@pytest.fixture(scope="module")
def small(samples):
    """A run of a second."""
    return Configuration(data=samples, hidden=(12,), steps=40, batch=16, lr=0.5, checkpoint_every=10)


@pytest.fixture(scope="module")
def errorless(small):
    """What comes of it without errors."""
    return train(small).run


def without_time(run):
    """What the same configuration gives again."""
    return replace(run, seconds=0.0)


def test_a_network_learns(errorless):
    assert errorless.accuracy > 0.6  # by chance: 0.17
    assert errorless.losses[-1] < errorless.losses[0]
    assert (errorless.steps, errorless.executed, errorless.rollbacks, errorless.finished) == (40, 40, 0, True)
    assert errorless.errors_injected == errorless.errors_located == 0
    assert [step for step, _ in errorless.accuracies] == [10, 20, 30, 40]
    assert errorless.accuracies[-1][1] == errorless.accuracy


def test_the_same_seed_gives_the_same_run(small):
    asked = replace(small, error_rate=0.01, steps=12)
    first, again, other = (without_time(train(each).run) for each in (asked, asked, replace(asked, seed=1)))

    assert first == again
    assert first.errors_injected > 0
    assert first.losses != other.losses


def test_coded_training_under_errors_comes_to_the_accuracy_without(small, errorless):
    run = train(replace(small, nodes=12, error_rate=RATE)).run

    assert run.accuracy == errorless.accuracy
    assert set(run.errors_by_step) == {"stored", "activation", "encode", "product", "decode", "hadamard", "update"}
    assert sum(run.errors_by_step.values()) == run.errors_injected
    assert run.errors_located > 0
    assert run.losses == pytest.approx(errorless.losses, rel=1e-3)


def test_uncoded_training_under_errors_does_not(small, errorless):
    run = train(replace(small, strategy="uncoded", error_rate=RATE)).run

    assert run.errors_injected > 0
    assert run.errors_located == 0
    assert run.accuracy < errorless.accuracy - 0.1


def test_every_strategy_without_errors_learns_the_same(small, errorless):
    for strategy in ("mds", "replication", "uncoded"):
        run = train(replace(small, strategy=strategy, steps=10)).run

        assert run.accuracy == errorless.accuracies[0][1]
        assert run.losses == pytest.approx(errorless.losses[:10], rel=1e-3)


def test_too_many_errors_roll_back_and_end_in_time(small):
    run = train(replace(small, nodes=8, error_rate=0.1, attempts=1, steps=10, patience=2.0)).run

    assert not run.finished
    assert "stuck" in run.reason
    assert run.rollbacks > 0
    assert run.executed == 20
    assert len(run.losses) == run.steps < 10
    assert 0 <= run.accuracy <= 1


def test_the_error_map_counts_every_error_where_it_happened(small):
    run = train(replace(small, error_rate=0.02, steps=10)).run
    found = run.error_map

    assert found.steps_per_column == 1
    assert np.array(found.injected).shape == np.array(found.located).shape == (10, run.executed)
    assert np.sum(found.injected) == run.errors_injected > 0
    assert np.sum(found.located) == run.errors_located > 0


def test_a_long_error_map_draws_steps_together():
    health = Health(3)
    record = Record(health, steps=130)
    for step in range(130):
        if step >= 128:
            health.note("injected", [1, 2], "linear decode")
        if step == 3:
            health.note("located", [0], "linear forward")
        record.made(step + 1, loss=float("nan") if step == 7 else 1.0)
        record.executed()
    report = SimpleNamespace(useful=130, executed=130, rollbacks=0)
    told = record.outcome(report)
    found = told["error_map"]

    assert found.steps_per_column == 2
    assert np.argwhere(np.array(found.injected)).tolist() == [[1, 64], [2, 64]]
    assert np.argwhere(np.array(found.located)).tolist() == [[0, 1]]
    assert found.injected[1][64] == 2
    assert told["errors_by_step"] == {"decode": 4}
    assert told["losses"].count(None) == 1


def test_a_run_and_its_weights_are_written(small, tmp_path):
    from safetensors.torch import load_file

    trained = train(replace(small, steps=3))
    trained.save(tmp_path)
    written = json.loads((tmp_path / "run.json").read_text())
    plain = perceptron(trained.run.layers, torch.float32, seed=5)
    plain.load_state_dict(load_file(tmp_path / "model.safetensors"))

    assert written["kind"] == "training"
    assert written["configuration"]["steps"] == 3
    assert written["accuracy"] == trained.run.accuracy
    assert len(written["losses"]) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.safetensors", "run.json"]
    with pytest.raises(InputError, match="cannot be made"):
        trained.save(tmp_path / "run.json")
    with pytest.raises(InputError, match="was not written"):
        trained.run.save(tmp_path / "nowhere/run.json")


def test_updates_are_watched(small):
    seen = []
    train(replace(small, steps=12, error_rate=0.02), watch=seen.append)

    assert [moment.step for moment in seen] == list(range(1, 13))
    assert [moment.step for moment in seen if moment.accuracy is not None] == [10]
    assert seen[-1].counts["injected"] > 0


def test_torch_is_left_as_it_was(small):
    torch.manual_seed(3)
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    train(replace(small, steps=1))

    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"batch": 0}, r"`train\(batch=0\)` needs integers"),
        ({"hidden": (8, 0)}, r"`train\(hidden=\(8, 0\)\)` needs integers"),
        ({"steps": 1.5}, r"`train\(steps=1.5\)` needs integers"),
        ({"strategy": "magic"}, "Use gpd, mds, replication, uncoded"),
        ({"dtype": "float16"}, "Use float32, float64"),
        ({"patience": 0.5}, "of at least 1"),
    ],
)
def test_settings_outside_their_bounds_are_refused(asked, told):
    with pytest.raises(InputError, match=told):
        Configuration(**asked)


@pytest.mark.parametrize(
    "asked", [{"error_rate": 2.0}, {"error_kind": "cosmic"}, {"lr": -1.0}, {"checkpoint_every": 0}]
)
def test_parts_refuse_what_is_theirs(small, asked):
    with pytest.raises(InputError):
        train(replace(small, **asked))


def test_a_code_that_cannot_exist_is_refused(small):
    with pytest.raises(CodeError, match="nodes"):
        train(replace(small, strategy="replication", nodes=10))


@pytest.mark.parametrize("grid", [(2, 2), (2, 4), (3, 3)])
def test_default_nodes_work_for_every_strategy(grid):
    for strategy in ("gpd", "mds", "replication", "uncoded"):
        code = Configuration(strategy=strategy, grid=grid).code()

        assert code.nodes == default_nodes(strategy, *grid)
        least = min(code.tolerance().forward, code.tolerance().backward)
        assert least == {"gpd": 3, "mds": 1, "replication": 1, "uncoded": 0}[strategy]
