"""``anyk discover``: what it writes, what it tells, and Ctrl-C."""

import json
import signal

import pytest

import anyk
from anyk.discovery import Discovery

TASK = ("--inner", 3, "--workers", 5, "--results", 4, "--dtype", "float32")


def test_a_found_code_is_written_and_can_be_used(run, tmp_path):
    path = tmp_path / "code.json"
    done = run("discover", *TASK, "--budget", 40, "-o", path)

    assert done.exit_code == 0, done.output
    assert "any 4 of 5" in done.stdout
    assert f"--code{path}" in "".join(done.stdout.split())  # long paths are broken where the line ends
    assert anyk.codes.load(path).recovery_threshold == 4
    assert run("show", path).exit_code == 0


def test_json_is_one_object_with_everything_a_script_would_ask(run):
    told = json.loads(run("discover", *TASK, "--budget", 20, "--seed", 7, "--json").stdout)

    assert told["iterations"] == 20
    assert told["seed"] == 7
    assert told["error"] == told["score"]["rms"]
    assert told["recovery_threshold"] == 4
    assert told["history"][0][0] == 0
    assert told["output"] is None


def test_the_command_finds_what_the_verb_finds(run, tmp_path):
    path = tmp_path / "code.json"
    run("discover", *TASK, "--budget", 30, "--seed", 3, "-o", path, "--quiet")
    found = anyk.discover(3, 5, 4, dtype="float32", budget=30, rng=3)

    assert (anyk.codes.load(path).left == found.code.left).all()


def test_a_search_goes_on_from_its_file(run, tmp_path):
    path = tmp_path / "code.json"
    run("discover", *TASK, "--budget", 10, "-o", path)
    done = run("discover", *TASK, "--budget", 25, "--resume", path, "-o", path)

    assert done.exit_code == 0, done.output
    assert Discovery.load(path).iterations == 25


def test_quiet_says_nothing(run, tmp_path):
    done = run("discover", *TASK, "--budget", 2, "-o", tmp_path / "code.json", "-q")

    assert (done.exit_code, done.output) == (0, "")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--inner", 4, "--workers", 8, "--results", 3), "fewer than 4 answers"),
        (("--inner", 3, "--workers", 4, "--results", 5), "4 workers exist"),
        ((*TASK, "--budget", "soon"), "budget='soon'"),
        ((*TASK, "--resume", "nowhere.json"), "nowhere.json"),
        ((*TASK, "-o", "no/such/place.json"), "there is no directory"),
        ((*TASK, "--method", "luck"), "luck"),
    ],
)
def test_bad_input_is_one_line_and_status_2(words, told, run):
    done = run("discover", *words)

    assert done.exit_code == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_ctrl_c_writes_the_best_so_far(start, tmp_path):
    # the first step tells that the search is under way
    prelude = (
        "import sys, anyk.cli\n"
        "def show(self, done, total, told): print('step', file=sys.stderr, flush=True)\n"
        "sys.modules['anyk.cli.discover'].Bar.show = show"
    )
    process = start("discover", *TASK, "--budget", "60s", "-o", "code.json", prelude=prelude)
    assert process.stderr.readline() == "step\n"
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)

    assert process.returncode == 130, told
    assert "the best so far is in code.json" in told
    assert Discovery.load(tmp_path / "code.json").reason == "interrupted"
