"""``anyk simulate``, and ``anyk bench --record`` and ``--fit``."""

import json

import numpy as np
import pytest

import anyk


def test_strategies_stand_side_by_side(run):
    done = run("simulate", "--workers", 20, "--products", 50, "--delays", "dolly", "--strategy", "uncoded,matdot:4")

    assert done.exit_code == 0, done.output
    assert "20/20" in done.stdout
    assert "7/20" in done.stdout
    assert "matdot:4" in done.stdout


def test_without_strategies_the_usual_ones_are_compared(run):
    told = run("simulate", "--workers", 20, "--products", 5).stdout

    for name in ("uncoded", "replication:2", "speculation:spark", "speculation:cubed", "polynomial:4x4"):
        assert name in told


def test_json_holds_what_the_function_says(run):
    told = json.loads(
        run(
            "simulate", "--workers", 20, "--products", 50, "--delays", "lambda", "--strategy", "mds:15", "--json"
        ).stdout
    )
    found = anyk.simulate("mds:15", workers=20, products=50, delays="lambda", rng=0)

    assert told["strategies"] == [json.loads(json.dumps(found.as_dict()))]


def test_a_real_job_for_every_product_says_the_same(run):
    words = (
        "simulate",
        "--workers",
        8,
        "--products",
        5,
        "--delays",
        "crash:0.2",
        "--strategy",
        "mds:6,uncoded",
        "--json",
    )

    fast, real = (json.loads(run(*words, *more).stdout) for more in ((), ("--job",)))
    assert fast == real


def test_wrong_answers_cost_answers(run):
    plain, screened, syndrome = (
        json.loads(
            run(
                *("simulate", "--workers", 20, "--delays", "shifted-exp", "--strategy", "mds:15", "--json", *more)
            ).stdout
        )["strategies"][0]["mean_seconds"]
        for more in ((), ("--wrong", 2), ("--wrong", 2, "--screen", "syndrome"))
    )

    assert plain < screened < syndrome


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--strategy", "nonsense"), "no strategy of that name"),
        (("--delays", "nope"), "does not exist"),
        (("--delays", "nowhere.csv"), "cannot be read"),
        (("--strategy", "uncoded", "--wrong", 2, "--screen", "syndrome"), "Use --screen checked"),
    ],
)
def test_wrong_usage_is_told_in_one_line(run, words, told):
    done = run("simulate", "--workers", 4, *words)

    assert done.exit_code == 2
    assert told in done.stderr


def test_a_bad_line_of_a_recording_is_named(run, tmp_path):
    path = tmp_path / "delays.csv"
    path.write_text("1,2\n1,\n")

    for words in (("simulate", "--workers", 2, "--delays", path), ("bench", "--fit", path)):
        done = run(*words)
        assert (done.exit_code, "line 2, column 2" in done.stderr) == (2, True)


def test_a_recording_is_fitted_and_replayed(run, tmp_path):
    path = tmp_path / "delays.csv"
    words = ("bench", "--record", path, "--engine", "simulated:6", "--products", 8, "--size", 4, "--faults", "pareto")
    told = json.loads(run(*words, "--json").stdout)
    rows = np.loadtxt(path, delimiter=",")

    assert rows.shape == (8, 6)
    assert told["fit"]["times"] == 48
    assert {law["name"] for law in told["fit"]["laws"]} == {"shifted-exponential", "pareto", "log-normal", "bimodal"}
    assert "99.9 % within" in run("bench", "--fit", path).stdout
    replayed = json.loads(run("simulate", "--workers", 6, "--delays", path, "--strategy", "uncoded", "--json").stdout)
    assert replayed["strategies"][0]["quantile_seconds"]["0.999"] == rows.max()


def test_too_short_a_recording_is_written_all_the_same(run, tmp_path):
    path = tmp_path / "delays.csv"
    done = run("bench", "--record", path, "--engine", "simulated:2", "--products", 2, "--size", 4)

    assert done.exit_code == 0, done.output
    assert "tells nothing" in done.stderr
    assert np.loadtxt(path, delimiter=",").shape == (2, 2)


def test_a_measurement_must_be_named(run):
    assert "--record FILE" in run("bench").stderr
