"""The measurements of coded training run, keep what they measured, and say of it what is true."""

import json
from pathlib import Path

import pytest
import torch

from anyk.nn import generalized_polydot
from benchmarks import training_gains, training_language, training_overhead, training_precision, training_ranks
from benchmarks.kept import Kept
from benchmarks.training_precision import Faulty


@pytest.mark.parametrize(
    "measuring", [training_overhead, training_precision, training_gains], ids=lambda it: it.__name__
)
def test_every_measurement_runs_at_tiny_size_and_is_not_made_twice(measuring, tmp_path, capsys):  # type: ignore[no-untyped-def]
    kept = tmp_path / "kept.json"
    assert measuring.main(["--quick", "--json", str(kept)]) == 0
    first = kept.read_text()
    assert measuring.main(["--quick", "--json", str(kept)]) == 0

    assert kept.read_text() == first
    assert {row["table"] for row in json.loads(first)["rows"]} <= set(capsys.readouterr().out.split())


@pytest.mark.slow
@pytest.mark.cluster
@pytest.mark.timeout(900)
@pytest.mark.parametrize("measuring", [training_ranks, training_language], ids=lambda it: it.__name__)
def test_every_measurement_of_ranks_runs_at_tiny_size(measuring, tmp_path):  # type: ignore[no-untyped-def]
    assert measuring.main(["--quick", "--json", str(tmp_path / "kept.json")]) == 0
    rows = json.loads((tmp_path / "kept.json").read_text())["rows"]

    tables = {training_ranks: {"speeds", "phases", "faults"}, training_language: {"virtual", "ranks"}}
    assert {row["table"] for row in rows} == tables[measuring]


def test_rows_are_written_one_by_one_and_missing_ones_are_told(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "rows.json")
    kept.row({"table": "a", "n": 1}, lambda: {"value": 2.0})
    again = Kept(tmp_path / "rows.json", budget=-1)

    assert again.row({"table": "a", "n": 1}, dict)["value"] == 2.0  # type: ignore[index]
    assert again.row({"table": "a", "n": 2}, dict) is None
    assert "1 rows are missing" in "".join(again.printed())


def test_phases_and_whole_steps_do_what_they_say() -> None:
    bench = training_overhead.Bench.of(16, 4, generalized_polydot(2, 2, nodes=8))
    before = bench.layer.coded.detach().clone()
    for call in (bench.wholes() | bench.phases()).values():
        call()

    assert set(bench.phases()) == {"products", "update", "encode", "screen", "decode"}
    assert not torch.equal(bench.layer.coded, before)
    assert not bench.layer.collective.health.counts["located"]


def test_faulty_nodes_lose_and_spoil_as_many_answers_as_asked() -> None:
    nodes = Faulty(8, missing=2, wrong=1)
    copies = torch.ones(8, 3, 4)
    answers, came = nodes.gather(nodes.strike("product", copies, "here"), 7)
    _, stored = nodes.gather(copies, 7)

    assert (answers != copies).flatten(1).any(dim=1).sum() == 1
    assert came.sum() == 6
    assert stored.all()


def test_errors_of_products_are_told_right_declared_or_wrong() -> None:
    code = generalized_polydot(2, 2, nodes=8)
    found = {
        (phase, faults): training_precision.product_error_of(code, phase, "float64", "wrong", faults, 0)
        for phase in ("forward", "backward")
        for faults in (0, 1, 4)
    }

    assert all(found[phase, faults] < 1e-12 for phase in ("forward", "backward") for faults in (0, 1))
    assert found["forward", 4] == found["backward", 4] == float("inf")


def test_residuals_of_stored_blocks_are_zero_on_the_code_and_see_what_leaves_it() -> None:
    code = generalized_polydot(2, 2, nodes=8)
    blocks = torch.from_numpy(code.encode(torch.randn(2, 2, 5, 4, dtype=torch.float64).numpy()))
    clean = training_gains.residual(code, blocks)
    blocks[3, 0, 0] += 1e-10

    assert clean < 2
    assert training_gains.residual(code, blocks) > 1e3
