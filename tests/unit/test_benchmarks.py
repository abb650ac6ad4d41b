import json

import pytest

from benchmarks import __main__ as benchmarks


def test_every_benchmark_runs_at_tiny_size(tmp_path, capsys):
    assert benchmarks.main(["--tiny", "--results", str(tmp_path)]) == 0

    written = {path.stem: json.loads(path.read_text()) for path in tmp_path.glob("*.json")}
    assert sorted(written) == benchmarks.discover()
    assert all(report["rows"] and report["tiny"] for report in written.values())


def test_an_unknown_benchmark_is_refused_by_name(capsys):
    assert benchmarks.main(["no_such_stage"]) == 2

    assert "no_such_stage" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([], "(no rows)"),
        ([{"stage": "encode", "seconds": 0.0123456}], " stage  seconds\nencode  0.01235"),
    ],
)
def test_rows_are_printed_in_columns(rows, expected):
    assert benchmarks.table(rows) == expected
