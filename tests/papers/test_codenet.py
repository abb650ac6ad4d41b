"""CodeNet's experiment runs at small size, and the error model gives the expectations of its README."""

import json
from dataclasses import replace

import pytest

pytest.importorskip("torch")

from papers.codenet import __main__ as codenet
from papers.codenet.expected import executed_per_useful, failing, hits
from papers.codenet.experiment import STRATEGIES, Setting, run


@pytest.fixture(scope="module")
def data():
    return codenet.samples("digits")


def setting(name, **other):
    return replace(Setting(name, 20, interval=4, useful=12, executed=60, rate=2e-3), **other)


def test_all_strategies_run_at_tiny_size(capsys):
    assert codenet.main(["--quick"]) == 0

    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    assert [row["strategy"] for row in rows] == list(STRATEGIES)


@pytest.mark.parametrize("name", [name for name in STRATEGIES if not name.startswith("uncoded")])
def test_protected_runs_follow_the_network_without_errors(name, data):
    row = run(setting(name), data)

    assert row["hits"] > 0
    assert row["loss"] < 1e-4
    assert row["useful"] <= row["executed"]
    assert row["useful"] == 12 or row["executed"] == 60


def test_replication_rolls_back_and_generalized_polydot_does_not(data):
    back = run(setting("replication, 40 nodes"), data)
    none = run(setting("GPD 2 x 10, 40 nodes"), data)

    assert back["rollbacks"] > 0
    assert back["executed"] > back["useful"]
    assert (none["rollbacks"], none["executed"], none["useful"]) == (0, 12, 12)
    assert none["regenerated"] > 0


def test_an_unprotected_run_leaves_the_path(data):
    row = run(setting("uncoded, 40 nodes", useful=40, interval=40), data)

    assert row["rollbacks"] == 0
    assert row["loss"] is None or row["loss"] > 1e-2


def test_expectations_are_those_of_the_error_model():
    assert hits(40) == pytest.approx(0.108)
    q = {name: failing(make()) for name, make in STRATEGIES.items()}

    assert q["replication, 40 nodes"] == pytest.approx(0.102, abs=1e-3)
    assert q["product MDS, 38 nodes"] == pytest.approx(4.6e-4, rel=0.1)
    assert q["GPD 2 x 10, 38 nodes"] < 1e-9
    assert q["uncoded, 40 nodes"] == 0
    assert executed_per_useful(0.108, 10) == pytest.approx(1.98, abs=0.01)
    assert executed_per_useful(0.0, 10) == 1
