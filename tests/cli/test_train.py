"""``anyk train`` and ``anyk report``: what they tell and write, and what they refuse."""

import json
import os
import re
import signal
import sys
import time
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from anyk.nn import STRATEGIES
from anyk.nn.record import Moment
from anyk.nn.soft_errors import SoftErrors

SMALL = ("--hidden", 12, "--batch", 16, "--lr", 0.5, "--checkpoint-every", 10)


@pytest.fixture
def data(tmp_path):
    """Three classes around three centres."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 120)
    np.savez(tmp_path / "some.npz", x=rng.standard_normal((3, 6))[y] + 0.5 * rng.standard_normal((120, 6)), y=y)
    return tmp_path / "some.npz"


def test_json_is_one_object_with_everything_a_script_would_ask(run, data):
    done = run("train", "--data", data, *SMALL, "--steps", 12, "--error-rate", 0.02, "--seed", 3, "--json")
    told = json.loads(done.stdout)

    assert done.exit_code == 0, done.output
    assert 0 <= told["accuracy"] <= 1
    assert (told["steps"], told["rollbacks"], told["finished"]) == (12, 0, True)
    assert told["errors_injected"] > 0
    assert told["errors_located"] > 0
    assert told["configuration"]["seed"] == 3
    assert told["code"]["nodes"] == 10
    assert told["output"] is None
    assert "losses" not in told


def test_errors_change_nothing_coded_and_the_report_shows_them(run, data, tmp_path):
    asked = ("train", "--data", data, *SMALL, "--steps", 20, "--nodes", 12)
    errorless = json.loads(run(*asked, "--json").stdout)
    done = run(*asked, "--error-rate", 0.02, "--output", tmp_path / "out")
    written = json.loads((tmp_path / "out/run.json").read_text())
    page = run("report", tmp_path / "out/run.json", "-o", tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()

    assert done.exit_code == 0, done.output
    assert f"accuracy {100 * errorless['accuracy']:.2f} %" in done.stdout
    assert written["accuracy"] == errorless["accuracy"]
    assert written["errors_injected"] > 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["model.safetensors", "run.json"]
    assert (page.exit_code, page.stdout) == (0, "")
    assert f"{written['errors_injected']:,}" in text
    assert run("report", tmp_path / "out/run.json").stdout == text


def test_scalars_for_tensorboard_are_written(run, data, tmp_path):
    pytest.importorskip("tensorboard")
    done = run("train", "--data", data, *SMALL, "--steps", 7, "--tensorboard", tmp_path / "board", "-q")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tmp_path / "board")).Reload()

    assert (done.exit_code, done.output) == (0, "")
    assert [event.step for event in events.Scalars("loss")] == list(range(1, 8))
    assert [event.step for event in events.Scalars("accuracy")] == [6]  # an epoch has six updates
    assert events.Scalars("rollbacks")[-1].value == 0


def test_a_run_that_gets_stuck_is_told_and_ends_with_status_3(run, data):
    done = run(
        "train", "--data", data, *SMALL, "--steps", 10, "--nodes", 8, "--error-rate", 0.2, "--attempts", 1, "--json"
    )
    told = json.loads(done.stdout)

    assert done.exit_code == 3
    assert not told["finished"]
    assert told["rollbacks"] > 0
    assert told["steps"] < 10
    assert "stuck" in done.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--grid", "2"), "'2' should look like 2x2"),
        (("--grid", "2x0"), "should look like 2x2"),
        (("--hidden", "8,x"), "'8,x' should look like 128,64"),
        (("--checkpoint-every", "never"), "neither a number of updates"),
        (("--strategy", "magic"), "is not one of"),
        (("--data", "nowhere"), "there is no such data set"),
        (("--strategy", "replication", "--nodes", 10), "needs a multiple of 4 nodes"),
        (("--nodes", 5), "Use 6 or more nodes"),
    ],
)
def test_bad_input_is_one_line_and_status_2(run, data, words, told):
    done = run("train", "--data", data, *words)

    assert done.exit_code == 2
    assert told in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.output


def test_an_output_that_cannot_be_is_told_before_any_work(run, data, tmp_path):
    (tmp_path / "file").write_text("")
    done = run("train", "--data", "nowhere", "--output", tmp_path / "file")

    assert done.exit_code == 2
    assert "cannot be a directory" in done.stderr


def test_the_bar_says_how_far_it_is_and_what_went_wrong():
    line = import_module("anyk.cli.train").told(Moment(7, 90, 0.5, None, 2, {"injected": 1200, "located": 30}))

    assert line == "7 of 90, loss 0.5, 1,200 errors: 30 found, 0 blocks rebuilt, 2 roll-backs"


def test_without_torch_it_says_what_to_install(run, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("anyk.nn")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    done = run("train")

    assert done.exit_code == 2
    assert re.search(r"needs PyTorch.*pip install 'anyk\[nn\]'", done.stderr)


def test_the_command_knows_what_the_library_has():
    command = import_module("anyk.cli.train")

    assert tuple(STRATEGIES) == command.STRATEGIES
    for kind in command.KINDS:
        assert SoftErrors(0.5, kind=kind).rate == 0.5


def test_a_file_that_no_run_wrote_makes_no_page(run, tmp_path):
    (tmp_path / "other.json").write_text('{"a": 1}')
    done = run("report", tmp_path / "other.json", "-o", tmp_path / "page.html")

    assert done.exit_code == 2
    assert "not what a run wrote" in done.stderr
    assert not (tmp_path / "page.html").exists()


# --- runs that go on, runs on ranks -----------------------------------------------------------------------------------


def test_a_run_goes_on_from_its_directory_with_the_settings_it_was_begun_with(run, data, tmp_path):
    asked = ("train", "--data", data, *SMALL, "--nodes", 12, "--error-rate", 0.02)
    whole = json.loads(run(*asked, "--steps", 26, "-o", tmp_path / "whole", "--json").stdout)
    run(*asked, "--steps", 14, "--resume", tmp_path / "run", "-q")
    done = run("train", "--resume", tmp_path / "run", "--steps", 26, "-o", tmp_path / "rest", "--json")
    told = json.loads(done.stdout)
    losses, rest = (json.loads((tmp_path / name / "run.json").read_text())["losses"] for name in ("whole", "rest"))

    assert done.exit_code == 0, done.output
    assert told["configuration"] == whole["configuration"]
    assert (told["steps"], told["executed"]) == (26, 26)
    assert told["accuracy"] == whole["accuracy"]
    assert rest == pytest.approx(losses, rel=1e-3)
    assert told["errors_injected"] > 0


def test_a_run_that_is_whole_already_is_told_again(run, data, tmp_path):
    asked = ("train", "--data", data, *SMALL, "--steps", 8, "--resume", tmp_path / "run", "--json")
    first, again = (json.loads(run(*asked).stdout) for _ in range(2))

    assert {**again, "seconds": 0} == {**first, "seconds": 0}


@pytest.mark.parametrize(("words", "told"), [(("--lr", 0.2), "lr=0.5, not 0.2"), (("--seed", 5), "seed=0, not 5")])
def test_going_on_with_other_settings_is_refused(run, data, tmp_path, words, told):
    run("train", "--data", data, *SMALL, "--steps", 4, "--resume", tmp_path / "run", "-q")
    done = run("train", "--resume", tmp_path / "run", *words)

    assert done.exit_code == 2
    assert told in done.stderr


def test_a_damaged_record_of_the_settings_is_told(run, data, tmp_path):
    (tmp_path / "configuration.json").write_text("{")
    done = run("train", "--resume", tmp_path)

    assert done.exit_code == 2
    assert "configuration.json` is damaged" in done.stderr


@pytest.mark.cluster
@pytest.mark.timeout(300)
def test_ranks_tell_what_virtual_nodes_tell(start, run, data, tmp_path):
    asked = ("train", "--data", data, *SMALL, "--grid", "1x2", "--nodes", 6, "--steps", 12, "--json")
    virtual = json.loads(run(*asked).stdout)
    out, err = start(*asked, "--engine", "processes", "--error-rate", 0.01, "-o", tmp_path / "out").communicate()
    told = json.loads(out)

    assert told.keys() == virtual.keys(), err
    assert (told["engine"], told["accuracy"], told["steps"]) == ("processes", virtual["accuracy"], 12)
    assert told["errors_injected"] == sum(told["errors_by_step"].values()) > 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["model.safetensors", "run.json"]


@pytest.mark.slow
@pytest.mark.cluster
@pytest.mark.timeout(600)
def test_ranks_under_torchrun_tell_the_same(start, run, data):
    asked = ("train", "--data", data, *SMALL, "--grid", "1x2", "--nodes", 6, "--steps", 12, "--json")
    virtual = json.loads(run(*asked).stdout)
    out, err = start(*asked, "--engine", "torchrun", "--error-rate", 0.01).communicate()
    told = json.loads(out)

    assert told.keys() == virtual.keys(), err
    assert (told["engine"], told["accuracy"], told["steps"]) == ("torchrun", virtual["accuracy"], 12)


@pytest.mark.slow
@pytest.mark.cluster
@pytest.mark.timeout(600)
@pytest.mark.parametrize("engine", ["virtual", "processes"])
def test_a_run_of_which_everything_was_killed_goes_on(start, run, data, tmp_path, engine):
    asked = ("train", "--data", data, *SMALL, "--grid", "1x2", "--nodes", 6, "--steps", 400, "--json")
    whole = json.loads(run(*asked).stdout)
    first = start(*asked, "--engine", engine, "--resume", tmp_path / "run")
    while not (tmp_path / "run/step-000000000020").exists():
        assert first.poll() is None
        time.sleep(0.01)
    for entry in Path("/proc").glob("[0-9]*"):  # the command, the launcher, every rank
        with suppress(OSError):
            if str(tmp_path / "run") in (entry / "cmdline").read_text():
                os.kill(int(entry.name), signal.SIGKILL)
    first.wait()
    out, err = start("train", "--resume", tmp_path / "run", "--engine", engine, "--json").communicate()
    told = json.loads(out)

    assert (told["accuracy"], told["steps"], told["finished"]) == (whole["accuracy"], 400, True), err
