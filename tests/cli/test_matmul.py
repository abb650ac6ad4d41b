"""``anyk matmul``: what it computes, says and returns."""

import json
import os
import signal
import sys

import numpy as np
import pytest
from click.testing import CliRunner

import anyk
from anyk.cli import code_options, main

MATDOT = ("--code", "matdot", "--inner", 3, "--workers", 8)
INLINE = ("--engine", "inline")


def test_it_writes_the_product_and_says_who_answered(run, matrices):
    A, B = matrices

    done = run("matmul", "A.npy", "B.npy", "-o", "C.npy", *MATDOT, *INLINE)

    assert done.exit_code == 0
    np.testing.assert_allclose(np.load("C.npy"), A @ B, rtol=1e-10, atol=1e-12)
    assert "C.npy: 60 x 40, float64, from 5 of 8 answers" in done.stdout
    assert "matdot, any 5 of 8" in done.stdout
    assert "tasks 0-4" in done.stdout
    assert "measured" in done.stdout
    assert not done.stderr


def test_without_a_code_the_default_rule_chooses(run, matrices):
    done = run("matmul", "A.npy", "B.npy", "--workers", 6, "--stragglers", 2, *INLINE, "--json")

    assert json.loads(done.stdout)["code"] | {"partition": None} == {
        "name": "polynomial",
        "partition": None,
        "workers": 6,
        "recovery_threshold": 4,
        "exact_threshold": 4,
    }


def test_json_is_one_object_with_everything_a_script_would_ask(run, matrices):
    done = run("matmul", "A.npy", "B.npy", "-o", "C.npz:product", *MATDOT, *INLINE, "--json")

    told = json.loads(done.stdout)
    assert told["shape"] == [60, 40]
    assert told["dtype"] == "float64"
    assert told["survivors"] == [0, 1, 2, 3, 4]
    assert told["error"] < 1e-12
    assert told["error_kind"] == "measured"
    assert told["output"] == "C.npz:product"
    assert {"encode", "collect", "decode", "total"} <= told["seconds"].keys()
    assert [stretch["outcome"] for stretch in told["timeline"]].count("used") == 5
    assert told["warnings"] == []


def test_quiet_says_nothing(run, matrices):
    done = run("matmul", "A.npy", "B.npy", "-o", "C.npy", *MATDOT, *INLINE, "--quiet")

    assert done.exit_code == 0
    assert not done.output


def test_lost_workers_are_named(run, matrices):
    done = run("matmul", "A.npy", "B.npy", *MATDOT, "--engine", "simulated", "--faults", "crash:0.4", "--seed", 2)

    assert done.exit_code == 0
    assert "lost" in done.stdout
    assert "crashed" in done.stdout


def test_integers_are_exact(run, matrices):
    np.save("I.npy", np.arange(30).reshape(5, 6))
    done = run("matmul", "I.npy", "I.npy", "-o", "C.npy", *MATDOT, *INLINE)
    assert done.exit_code == 2

    np.save("T.npy", np.arange(30).reshape(6, 5))
    done = run("matmul", "I.npy", "T.npy", "-o", "C.npy", *MATDOT, *INLINE)
    assert "integers, checked" in done.stdout
    assert np.load("C.npy").tolist() == (np.arange(30).reshape(5, 6) @ np.arange(30).reshape(6, 5)).tolist()


def test_a_saved_code_can_be_used(run, matrices):
    A, B = matrices
    assert run("show", "matdot", "--inner", 3, "--workers", 8, "--save", "code.json").exit_code == 0

    done = run("matmul", "A.npy", "B.npy", "-o", "C.npy", "--code", "code.json", *INLINE)

    assert done.exit_code == 0
    np.testing.assert_allclose(np.load("C.npy"), A @ B, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", anyk.codes.CATALOGUE)
def test_every_family_multiplies(name, run, matrices):
    A, B = matrices
    words = code_options.example(name).split()

    done = run("matmul", "A.npy", "B.npy", "-o", "C.npy", "--code", *words, *INLINE)

    assert done.exit_code == 0, done.output
    row = anyk.codes.CATALOGUE[name]
    error = np.linalg.norm(np.load("C.npy") - A @ B) / np.linalg.norm(A @ B)
    assert error <= max(1e-10, 3 * row.function(**row.example).design_error)


def test_a_new_family_brings_its_options(monkeypatch):
    def braided(strands: int, workers: int, *, twist: float = 0.5) -> anyk.Code:
        """Braided.

        Args:
            strands: number of strands; at least 2.
            workers: number of tasks P.
            twist: how much.
        """
        return anyk.codes.matdot(strands, workers)

    row = anyk.codes.Family(braided, "for this test", "2*strands - 1", {"strands": 2, "workers": 4})
    monkeypatch.setattr(anyk.codes, "CATALOGUE", {**anyk.codes.CATALOGUE, "braided": row})
    code_options.parameters.cache_clear()
    try:
        assert code_options.parameters()["strands"] == (int, ("braided",))
        assert code_options.parameters()["twist"] == (float, ("braided",))
        assert code_options.build("braided", {"strands": 2, "workers": 4}, seed=0, dtype="float64").workers == 4
    finally:
        code_options.parameters.cache_clear()


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (("A.npy", "A.npy", *MATDOT), 2, "must agree"),
        (("A.npy", "Z.npy", *MATDOT), 2, "`Z.npy` cannot be read: there is no such file"),
        (("A.npy", "B.npy", "--code", "matdot", "--inner", 4, "--workers", 5), 2, "Use 7 or more workers"),
        (("A.npy", "B.npy", "--code", "matdot", "--inner", 4), 2, "needs --workers. For example"),
        (("A.npy", "B.npy", *MATDOT, "--cols", 2), 2, "has no parameter --cols"),
        (("A.npy", "B.npy", "--inner", 4), 2, "--code names none"),
        (("A.npy", "B.npy", *MATDOT, "--stragglers", 2), 2, "--stragglers"),
        (("A.npy", "B.npy", "--workers", 2, "--stragglers", 2), 2, "leaves no answer"),
        (("A.npy", "B.npy", *MATDOT, "--engine", "steam"), 2, "there is no engine of that name"),
        (("A.npy", "B.npy", *MATDOT, "--faults", "plague"), 2, "does not exist"),
        (("A.npy", "B.npy", *MATDOT, "-o", "nowhere/C.npy"), 2, "no directory"),
        (("A.npy", "B.npy", *MATDOT, "--engine", "simulated", "--faults", "crash:1"), 3, "no product"),
        (("A.npy", "B.npy", *MATDOT, "--engine", "simulated", "--timeout", 0.5), 3, "the time is over"),
        (("inf.npy", "B.npy", *MATDOT), 2, "must be finite"),
        (("big.npy", "big.npy", *MATDOT), 4, "overflow"),
    ],
)
def test_every_error_is_one_line_and_a_telling_status(words, status, says, run, matrices):
    np.save("inf.npy", np.full((3, 50), np.inf))
    np.save("big.npy", np.full((30, 30), 1e300))
    engine = () if "--engine" in words else INLINE

    done = run("matmul", *words, *engine)

    assert done.exit_code == status, done.output
    assert says in done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert not done.stdout


def test_wrong_usage_is_status_2(run, matrices):
    assert run("matmul", "A.npy").exit_code == 2
    assert run("matmul", "A.npy", "B.npy", "--code", "magic").exit_code == 2
    assert "Families: uncoded" in run("matmul", "A.npy", "B.npy", "--code", "magic").stderr


def test_a_bug_is_one_line_too_unless_the_environment_asks_for_more(run, matrices, monkeypatch):
    def broken(*_, **__):
        raise ZeroDivisionError("once in a blue moon")

    monkeypatch.setattr(anyk, "matmul", broken)
    done = run("matmul", "A.npy", "B.npy", *MATDOT, *INLINE)
    assert (done.exit_code, done.stderr) == (
        1,
        "error: ZeroDivisionError: once in a blue moon (ANYK_DEBUG=1 shows where)\n",
    )

    monkeypatch.setenv("ANYK_DEBUG", "1")
    done = run("matmul", "A.npy", "B.npy", *MATDOT, *INLINE)
    assert isinstance(done.exception, ZeroDivisionError)


def test_warnings_are_lines_on_stderr_and_in_json(run, matrices):
    done = run("matmul", "A.npy", "B.npy", *MATDOT, *INLINE, "--tolerance", 1e-30, "--json")

    assert done.exit_code == 0
    assert done.stderr.startswith("warning: the product's measured relative error")
    assert len(json.loads(done.stdout)["warnings"]) == 1


def test_notes_do_not_disturb_json(run, matrices):
    anyk.cli.files.scipy.io.mmwrite("S.mtx", anyk.cli.files.scipy.sparse.eye_array(50))
    done = run("matmul", "A.npy", "S.mtx", *MATDOT, *INLINE, "--json")

    assert "note: S.mtx is sparse" in done.stderr
    assert json.loads(done.stdout)["shape"] == [60, 50]


# --- as a real process ----------------------------------------------------------------------------------------------


@pytest.mark.cluster
def test_it_runs_on_real_processes(start, matrices):
    A, B = matrices
    process = start("matmul", "A.npy", "B.npy", "-o", "C.npy", *MATDOT, "--json")

    out, err = process.communicate(timeout=60)

    assert (process.returncode, err) == (0, "")
    assert json.loads(out)["code"]["name"] == "matdot"
    np.testing.assert_allclose(np.load("C.npy"), A @ B, rtol=1e-10, atol=1e-12)


@pytest.mark.cluster
def test_ctrl_c_ends_everything_and_touches_nothing(start, matrices, tmp_path):
    np.save("C.npy", np.zeros(3))
    process = start(
        *("matmul", "A.npy", "B.npy", "-o", "C.npy", *MATDOT, "--faults", "pareto", "--unit", 600),
        prelude="import anyk.cli.progress as p\nsee = p.Progress.see\n"
        "p.Progress.see = lambda self, step: (see(self, step), print('out', flush=True))",
    )
    assert process.stdout.readline() == "out\n"
    os.killpg(process.pid, signal.SIGINT)

    _, err = process.communicate(timeout=60)

    assert process.returncode == 130
    assert "Traceback" not in err
    assert np.load("C.npy").tolist() == [0, 0, 0]
    assert sorted(each.name for each in tmp_path.iterdir()) == ["A.npy", "B.npy", "C.npy"]


def test_output_that_nobody_reads_is_no_error(matrices):
    assert os.system(f"{sys.executable} -m anyk codes --json | head -c 10 > first") == 0


def test_completion_knows_the_families():
    done = CliRunner().invoke(
        main,
        prog_name="anyk",
        env={"_ANYK_COMPLETE": "bash_complete", "COMP_WORDS": "anyk show po", "COMP_CWORD": "2"},
    )

    assert "polynomial" in done.stdout
    assert "matdot" not in done.stdout


def test_wrong_answers_are_thrown_out(run, matrices):
    line = ("matmul", "A.npy", "B.npy", "--code", "matdot", "--inner", 2, "--workers", 9, *INLINE)
    done = run(*line, "--wrong", 4, "--faults", "wrong-block:0.3", "--seed", 1, "--json")

    told = json.loads(done.stdout)
    assert done.exit_code == 0
    assert told["wrong"]
    assert told["error"] < 1e-12
    assert "checked one by one" in told["reason"]
    told = json.loads(
        run(*line, "--wrong", 2, "--screen", "syndrome", "--faults", "wrong-block:0.2", "--seed", 1, "--json").stdout
    )
    assert told["wrong"]
    assert "agree" in told["reason"]
    done = run(*line, "--wrong", 4, "--stream", "--faults", "wrong-block:0.5", "--seed", 1, "--json")
    assert json.loads(done.stdout)["wrong"]
    assert json.loads(done.stdout)["error"] < 1e-12
