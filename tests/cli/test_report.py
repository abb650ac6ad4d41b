"""``anyk matmul --record`` and ``anyk report``: what happened, kept and shown; and what is refused."""

import json

import numpy as np
import pytest

from anyk.report import read
from anyk.report.reading import parsed

MATDOT = ("--code", "matdot", "--inner", 3, "--workers", 8, "--engine", "simulated", "--faults", "lambda")


@pytest.fixture
def recorded(run, matrices):
    """run.json of a product in the current directory."""
    done = run("matmul", "A.npy", "B.npy", *MATDOT, "--record", "run.json", "--quiet")
    assert done.exit_code == 0, done.output
    return parsed(read("run.json"))


def test_a_product_is_recorded_with_its_shapes_and_engine(recorded):
    assert recorded.operands == ((60, 50), (50, 40))
    assert recorded.shape == (60, 40)
    assert recorded.engine == "simulated"
    assert recorded.code.name == "matdot"
    assert recorded.count("used") == 5
    assert recorded.planned is None


def test_a_record_becomes_a_page_a_picture_and_a_trace(run, recorded, tmp_path):
    done = run(
        "report", "run.json", "-o", "run.html", "--svg", "run.svg", "--png", "run.png", "--trace", "run.trace.json"
    )

    assert done.exit_code == 0, done.output
    assert not done.stdout
    assert [line.split(":")[0] for line in done.stderr.splitlines()] == [
        "run.html",
        "run.svg",
        "run.png",
        "run.trace.json",
    ]
    assert "60 × 40 product from 5 of 8 answers" in (tmp_path / "run.html").read_text()
    assert (tmp_path / "run.svg").read_text().startswith("<svg")
    assert (tmp_path / "run.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((tmp_path / "run.trace.json").read_text())["traceEvents"]


def test_without_a_place_the_page_goes_to_stdout(run, recorded):
    done = run("report", "run.json")

    assert done.stdout.startswith("<!doctype html>")
    assert not run("report", "run.json", "--svg", "run.svg").stdout


def test_a_stream_is_recorded_with_the_error_of_each_answer(run, matrices):
    done = run("matmul", "A.npy", "B.npy", *MATDOT, "--stream", "--record", "run.json", "--quiet")
    decodings = parsed(read("run.json")).decodings

    assert done.exit_code == 0, done.output
    assert [each.answers for each in decodings] == [1, 2, 3, 4, 5]
    assert decodings[-1].error < 1e-12 < decodings[0].error


def test_a_plan_is_compared_with_what_happened(run, matrices, tmp_path):
    planned = run("plan", "60x50", "50x40", "--workers", 8, "--stragglers", 2, "--json")
    (tmp_path / "plan.json").write_text(planned.stdout)
    done = run("matmul", "A.npy", "B.npy", *MATDOT, "--record", "run.json", "--planned", "plan.json", "--quiet")

    assert done.exit_code == 0, done.output
    best = json.loads(planned.stdout)["best"]
    assert parsed(read("run.json")).planned["seconds"] == best["seconds"]
    assert "planned" in run("report", "run.json").stdout


def test_a_run_that_fails_is_recorded_all_the_same(run, matrices):
    crash = ("--engine", "simulated", "--faults", "crash:1.0", "--retries", 0)
    done = run(
        "matmul", "A.npy", "B.npy", "--code", "matdot", "--inner", 3, "--workers", 8, *crash, "--record", "r.json"
    )
    record = parsed(read("r.json"))

    assert done.exit_code == 3
    assert "see it with `anyk report r.json" in done.stderr
    assert not record.finished
    assert record.count("lost") >= 4
    assert record.reason.startswith("no product")
    assert "No product" in run("report", "r.json").stdout


def test_a_run_that_never_began_leaves_no_record(run, matrices, tmp_path):
    np.save("wide.npy", np.ones((3, 7)))
    done = run("matmul", "A.npy", "wide.npy", *MATDOT, "--record", "run.json")

    assert done.exit_code == 2
    assert not (tmp_path / "run.json").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--record", "missing/run.json"), "there is no directory"),
        (("--planned", "A.npy"), "Add --record FILE"),
        (("--record", "run.json", "--planned", "A.npy"), "is not what `anyk plan --json` wrote"),
        (("--record", "run.json", "--planned", "missing.json"), "is not what `anyk plan --json` wrote"),
    ],
)
def test_what_cannot_be_recorded_is_refused_before_the_work(run, matrices, words, told):
    done = run("matmul", "A.npy", "B.npy", *MATDOT, *words)

    assert done.exit_code == 2
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "cannot be read as JSON"),
        ("[]", "not what a run wrote"),
        ('{"kind": "product"}', "it has version None"),
        ('{"kind": "product", "version": 1}', "has no 'finished'"),
        ('{"kind": "lunch"}', "There are pages for training, product"),
    ],
)
def test_a_foreign_file_is_refused_in_one_line(run, tmp_path, text, told):
    (tmp_path / "run.json").write_text(text)
    done = run("report", tmp_path / "run.json", "-o", tmp_path / "page.html")

    assert done.exit_code == 2
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "page.html").exists()
