"""``anyk demo`` on real processes."""

import json
import os
import signal
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import anyk
from anyk.cli.board import Board
from anyk.cli.demo import stage
from anyk.cli.demo.acts import Setting, acts
from anyk.faults import Crash

pytestmark = pytest.mark.cluster


def test_the_coded_product_is_right_and_no_process_is_left(start):
    process = start("demo", "--fast", "--size", 200, "--json")

    out, err = process.communicate(timeout=100)

    assert (process.returncode, err) == (0, "")
    told = json.loads(out)
    well, troubled, corrupted, uncoded = told["acts"]
    assert told["right"]
    assert well["troubles"] == {}
    assert troubled["troubles"] == {"2": "killed", "5": "stopped", "9": "slow"}
    assert max(troubled["error"], troubled["difference_from_numpy"]) < 1e-10
    assert 5 not in troubled["survivors"]
    assert (corrupted["wrong"], corrupted["troubles"]) == ([3], {"3": "wrong bit"})
    assert max(corrupted["error"], corrupted["difference_from_numpy"]) < 1e-10
    assert [act["wrong"] for act in (well, troubled, uncoded)] == [[], [], []]
    assert uncoded["error"] is None
    assert uncoded["answers"] < uncoded["recovery_threshold"]
    if find_spec("torch"):
        reference, coded = told["training"]["reference"], told["training"]["coded"]
        assert coded["accuracy"] == pytest.approx(reference["accuracy"], abs=0.01)
        assert coded["errors_injected"] > reference["errors_injected"] == 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in told["processes"])


def test_without_a_terminal_it_is_told_in_lines(start):
    process = start("demo", "--fast", "--size", 100)

    out, err = process.communicate(timeout=100)

    assert (process.returncode, err) == (0, "")
    for line in (
        "worker 2 got SIGKILL",
        "worker 5 got SIGSTOP",
        "answer 7 of 7",
        "answer 8 of 8",
        "the answer of task 3 is wrong: thrown out",
        "→ the product",
        "→ no product",
        "enough to name worker 3",
    ):
        assert line in out
    assert "\x1b" not in out


def test_ctrl_c_leaves_nobody_behind(start):
    process = start("demo", "--size", 100)
    while "got SIGSTOP" not in process.stdout.readline():
        pass
    os.killpg(process.pid, signal.SIGINT)

    _, err = process.communicate(timeout=60)

    assert process.returncode == 130
    assert "Traceback" not in err


@pytest.mark.parametrize("workers", range(7, 65))
def test_the_code_spares_the_victims_at_every_number_of_workers(workers):
    setting = Setting(100, workers, 1.0, 5.0, 0)

    assert setting.coded.workers == workers
    assert workers - setting.coded.recovery_threshold >= 3
    assert setting.uncoded.recovery_threshold == setting.uncoded.workers <= workers
    assert [act.awaited <= workers for act in acts(setting)] == [True] * 4


def test_the_board_knows_what_became_of_every_attempt():
    engine = anyk.engines.open("simulated:8", faults=Crash(ranks=(2,), rounds=(0,), after_seconds=0.5))
    board = Board(engine.clock.now)

    code = anyk.codes.matdot(3, 8)
    anyk.matmul(np.eye(12), np.eye(12), code, engine=engine, stop=anyk.everyone, watch=board.see)

    assert board.count("used") == 8
    assert [(each.task, each.cause) for each in board.attempts if each.state == "lost"] == [(2, "crashed")]
    assert board.count("out") == 0
    assert board.elapsed() == pytest.approx(board.ended - board.began)


def test_a_wrong_worker_who_is_not_named_is_not_status_0(run, monkeypatch):
    monkeypatch.setattr(stage, "WRONG_BIT", 0)

    done = run("demo", "--fast", "--size", 50, "--json")

    assert done.exit_code == 4
    assert json.loads(done.stdout)["acts"][2]["wrong"] == []


def test_a_wrong_product_is_not_status_0(run, monkeypatch):
    monkeypatch.setattr(sys.modules["anyk.cli.demo"], "RIGHT", 0.0)

    done = run("demo", "--fast", "--size", 50, "--json")

    assert done.exit_code == 4
    assert not json.loads(done.stdout)["right"]
