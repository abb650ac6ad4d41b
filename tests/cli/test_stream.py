"""``anyk matmul --stream``: better products, one line each."""

import json
import re

import numpy as np

GRACEFUL = ("--code", "approximate_matdot", "--inner", 5, "--workers", 10, "--profile", "graceful")
INLINE = ("--engine", "inline")


def test_every_line_is_better_and_the_last_is_written(run, matrices):
    A, B = matrices

    done = run("matmul", "A.npy", "B.npy", "-o", "C.npy", *GRACEFUL, *INLINE, "--stream", "--tolerance", "1e-5")

    errors = [float(each) for each in re.findall(r"error (\S+) from", done.stderr)]
    assert done.exit_code == 0
    assert len(errors) >= 3
    assert errors == sorted(errors, reverse=True)
    assert np.linalg.norm(np.load("C.npy") - A @ B) <= 2e-5 * np.linalg.norm(A @ B)


def test_stdout_stays_one_json_object(run, matrices):
    done = run("matmul", "A.npy", "B.npy", *GRACEFUL, *INLINE, "--stream", "--tolerance", "1e-3", "--json")

    assert json.loads(done.stdout)["error"] <= 1e-3


def test_without_a_code_the_rule_chooses(run, matrices):
    done = run("matmul", "A.npy", "B.npy", "--workers", 6, "--stragglers", 2, *INLINE, "--stream", "--json")

    assert json.loads(done.stdout)["code"]["name"] == "polynomial"


def test_a_deadline_ends_a_stream_with_the_best_so_far(run, matrices):
    asked = ("--engine", "simulated", "--faults", "pareto", "--stream", "--tolerance", "1e-30", "--deadline", 3)
    done = run("matmul", "A.npy", "B.npy", *GRACEFUL, *asked, "--json")

    assert done.exit_code == 0
    assert "by the deadline of 3 s" in json.loads(done.stdout)["warnings"][0]


def test_quiet_is_quiet(run, matrices):
    done = run("matmul", "A.npy", "B.npy", *GRACEFUL, *INLINE, "--stream", "--tolerance", "1e-3", "--quiet")

    assert not done.stderr
    assert not done.stdout
