import json
import subprocess
import sys
import time

import pytest

import anyk
from benchmarks import __main__ as benchmarks
from benchmarks import bench_faults, measure, stored

MACHINE = {"system", "cores", "python", "numpy"}


@pytest.mark.cluster
@pytest.mark.parametrize("name", benchmarks.discover())
def test_every_benchmark_runs_at_tiny_size(name, tmp_path, capsys):
    assert benchmarks.main(["--tiny", "--only", name, "--json", str(tmp_path)]) == 0

    written = json.loads((tmp_path / f"{name}.json").read_text())
    assert written["rows"]
    assert written["tiny"]
    assert set(written["machine"]) == MACHINE
    assert name in capsys.readouterr().out


def test_an_unknown_benchmark_is_refused_by_name(capsys):
    assert benchmarks.main(["--only", "no_such_stage"]) == 2

    assert "no_such_stage" in capsys.readouterr().err


def test_a_common_file_keeps_the_newest_of_every_benchmark(tmp_path):
    common = tmp_path / "all.json"
    for name, report in (("b", {"rows": [1]}), ("a", {"rows": [2]}), ("b", {"rows": [3]})):
        benchmarks.keep(common, name, report)

    assert json.loads(common.read_text()) == {"a": {"rows": [2]}, "b": {"rows": [3]}}


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([], "(no rows)"),
        ([{"stage": "encode", "seconds": 0.0123456}], " stage  seconds\nencode   0.0123"),
        ([{"a": 1}, {"b": 2}], "a\n1\n\nb\n2"),
        ([{"a": {"min": 1.0, "median": 2.0, "max": 3e6}}], "a".rjust(17) + "\n2.00 (1.00–3e+06)"),
    ],
)
def test_rows_are_printed_in_columns(rows, expected):
    assert benchmarks.table(rows) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, ""), ("lost", "lost"), (12, "12"), (0.0, "0.00"), (123.4, "123"), (1234.5, "1.23e+03")],
)
def test_cells_have_three_digits(value, expected):
    assert benchmarks.show(value) == expected


def test_contenders_take_turns():
    calls = []
    contenders = {name: measure.Contender(lambda name=name: calls.append(name)) for name in "ab"}
    samples = measure.in_turns(contenders, turns=2, warm=1)

    assert "".join(calls) == "ababab"
    assert [len(each) for each in samples.values()] == [2, 2]


def test_ratios_are_formed_within_a_turn():
    assert measure.ratios([1.0, 20.0, 3.0], [1.0, 10.0, 1.0]) == {"min": 1.0, "median": 2.0, "max": 3.0}


def busy(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


@pytest.mark.cluster
def test_processor_time_of_workers_is_counted_and_of_nobody_else():
    with anyk.engines.open("processes:2") as engine:
        work = measure.Contender(
            lambda: engine.lanes[0].submit(busy, 0.1).result(), measure.of_engine(engine), measure.idle(engine)
        )
        sample = measure.measured(work)

    assert 0.1 <= sample.workers < sample.wall + 0.05
    assert sample.cpu == sample.own + sample.workers
    assert measure.cpu_of([2**22 + 1]) == 0.0


def test_memory_is_seen_while_it_is_there():
    # In a process of its own: here others free, and share, what was counted before.
    program = """
from benchmarks import measure
with measure.peak_memory(list) as peak:
    before = peak()
    held = b"x" * (300 << 20)
    during = peak() - before
    del held
    print(before, during, peak() - before, measure.peak_rss())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    before, during, after, rss = map(int, done.stdout.split())

    assert before > 0
    assert after >= during > 250 << 20
    assert rss > 300 << 20


@pytest.mark.parametrize("alike", [True, False])
def test_copies_of_replicated_work_never_share_a_worker(alike):
    code = bench_faults.replication(8, alike=alike)
    products = [(code.left[:, 0, task].argmax(), code.right[0, :, task].argmax()) for task in range(32)]
    owners = {product: {task % 8 for task in range(32) if products[task] == product} for product in products}

    assert len(owners) == 16
    assert all(len(workers) == 2 for workers in owners.values())


def test_a_stored_product_is_right_and_leaves_no_file(tmp_path, capsys):
    stored.main([str(tmp_path), "--shape", "300", "200", "100", "--memory", "2e6", "--engine", "inline"])
    said = capsys.readouterr().out

    assert float(said.partition("rows compared ")[2].partition("\n")[0]) < 1e-13
    assert "largest memory of the master" in said
    assert not [*tmp_path.iterdir()]
