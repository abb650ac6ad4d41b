"""``anyk plan`` and ``anyk bench --calibrate``."""

import json
import sys

import pytest

from anyk.planning import CostModel, load

LARGE = ("20000x20000", "20000x20000", "--workers", 40, "--stragglers", 8)


@pytest.fixture(autouse=True)
def no_calibration(tmp_path, monkeypatch):
    monkeypatch.setenv("ANYK_CALIBRATION", str(tmp_path / "calibration.json"))


def test_the_issue_in_one_command(run, tmp_path):
    trace = tmp_path / "trace.csv"
    trace.write_text("0.1,0.2,0.1,3\n0.1,0.1,0.1,0.1\n")
    limits = ("--wrong", 2, "--tolerance", "1e-6", "--memory-per-worker", "2GB", "--bandwidth", "1GB/s")
    done = run("plan", *LARGE, *limits, "--delays", trace)

    assert done.exit_code == 0, done.output
    words = " ".join(done.stdout.split())
    assert "8 may be missing, 2 wrong (random), error up to 1e-06, 2 GB per worker, link 1 GB/s" in words
    assert "From Polynomial to MatDot" in words
    assert "matdot" in words
    assert "Use generalized_polydot" in words
    assert "uncoded is out" in words
    assert "one machine" in words
    assert max(map(len, done.stdout.splitlines())) <= 100


def test_a_plan_as_json(run):
    told = json.loads(run("plan", *LARGE, "--memory-per-worker", "1.5GB", "--json").stdout)

    assert told["request"]["memory_per_worker"] == 1.5e9
    assert told["request"]["shape_a"] == [20_000, 20_000]
    assert told["best"] == told["candidates"][0]
    assert told["best"]["recovery_threshold"] <= 32
    assert all(each["memory_per_worker"] <= 1.5e9 for each in told["candidates"] if each["workers"])
    assert [each["family"] for each in told["trade_off"]][-1] == "matdot"


def test_one_machine_is_said_where_it_wins(run):
    assert "Use one machine:" in run("plan", "100x100", "100x100", "--workers", 4).stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("20000", "10x10", "--workers", 4), "'20000' is no shape"),
        (("0x10", "10x10", "--workers", 4), "'0x10' is no shape"),
        (("10x10", "10x10"), "Missing option '--workers'"),
        (("10x10", "9x10", "--workers", 4), "A has 10 columns and B 9 rows"),
        (("10x10", "10x10", "--workers", 4, "--stragglers", 4), "leaves no answer"),
        (("10x10", "10x10", "--workers", 4, "--memory-per-worker", "lots"), "'lots' is no number of bytes"),
        (("10x10", "10x10", "--workers", 4, "--memory-per-worker", "1GB/s"), "is no number of bytes"),
        (("10x10", "10x10", "--workers", 4, "--bandwidth", "0GB/s"), "is no number of bytes"),
        (("10x10", "10x10", "--workers", 4, "--delays", "nowhere.csv"), "neither a preset nor a file"),
        (("10x10", "10x10", "--workers", 4, "--tolerance", "1e-30"), "cannot be met"),
    ],
)
def test_wrong_usage_is_one_line_and_status_2(words, message, run):
    done = run("plan", *words)

    assert done.exit_code == 2
    assert message in " ".join(done.stderr.split())
    assert "Traceback" not in done.output


@pytest.mark.parametrize(
    ("text", "bytes_"),
    [
        ("2GB", 2e9),
        ("2g", 2e9),
        ("512MiB", 512 * 2**20),
        ("1.5kB", 1500),
        ("7", 7),
        ("1GB/s", 1e9),
        ("10Gbit/s", 1.25e9),
    ],
)
def test_sizes_as_one_types_them(text, bytes_):
    from anyk.cli.quantities import Bytes

    assert Bytes(per_second=True).convert(text, None, None) == bytes_


def test_a_damaged_calibration_is_one_line(run, tmp_path):
    (tmp_path / "calibration.json").write_text("{")
    done = run("plan", *LARGE)

    assert done.exit_code == 2
    assert "is no calibration" in done.stderr


def test_bench_measures_and_keeps(run, monkeypatch):
    monkeypatch.setattr(
        sys.modules["anyk.cli.bench"], "measured", lambda: CostModel(task_seconds=0.25, source="a test")
    )
    done = run("bench", "--calibrate")

    assert done.exit_code == 0, done.output
    assert "each task" in done.stdout
    assert "250" in done.stdout
    assert load() == CostModel(task_seconds=0.25, source="a test")

    told = json.loads(run("bench", "--calibrate", "--json").stdout)
    assert told["costs"]["task_seconds"] == 0.25


def test_bench_asks_what_to_measure(run):
    done = run("bench")

    assert done.exit_code == 2
    assert "Add --calibrate" in done.stderr
