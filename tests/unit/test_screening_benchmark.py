"""The tables on wrong answers: they are made, in parts if need be, and kept."""

import json

import numpy as np
import pytest

import anyk
from benchmarks.screening import __main__ as screening
from benchmarks.screening import smallest, words


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """Runs the command and returns what its file then holds."""
    monkeypatch.setattr(smallest, "SIDES", (8,))
    monkeypatch.setattr(smallest, "COLUMNS", (1, 2))
    place = tmp_path / "screening.json"

    def run(*line):
        assert screening.main([*map(str, line), "--json", str(place)]) == 0
        return {name: table["rows"] for name, table in json.loads(place.read_text()).items()}

    return run


def test_every_table_is_made(kept, capsys):
    small = ("--trials", 2, "--words", 100, "--side", 90, "--workers", 8, 8, "--wrong", 2, 4, "--dtypes", "float64")
    tables = kept(*small)

    assert tables.keys() == screening.KEYS.keys()
    assert all(rows for rows in tables.values())
    block = [row for row in tables["found"] if row["errors"] == "block"]
    assert [(row["wrong"], row["named"], row["declared"]) for row in block] == [(2, 2, 0), (3, 2, 0), (4, 0, 2)]
    assert all(row["named"] == 2 for row in tables["colluding"])
    assert all(row["suspected"] == 0 for row in tables["clean"])
    assert {row["method"]: row["nine workers who agree"] for row in tables["rivals"]} == {
        "coded, checked answers": "3 right",
        "coded, syndromes": "3 noticed",
        "checksums (ABFT)": "3 noticed",
        "Freivalds, 2 columns": "3 noticed",
        "computed twice": "3 missed",
        "computed three times, vote": "3 missed",
    }
    assert "smallest" in capsys.readouterr().out


def test_tables_are_filled_in_parts_that_do_not_depend_on_one_another(kept, capsys):
    whole = kept("found", "--trials", 2, "--workers", 8, 8, "--wrong", 1, 2)["found"]
    kept("found", "--trials", 2, "--workers", 8, 8, "--wrong", 1, 1)
    assert kept("found", "--trials", 2, "--workers", 8, 8, "--wrong", 1, 2, "--missing")["found"] == whole
    capsys.readouterr()

    kept("found", "--trials", 2, "--workers", 8, 8, "--wrong", 1, 2, "--missing")
    assert "(no rows)" in capsys.readouterr().out


def test_an_unknown_table_is_refused_by_name(capsys):
    assert screening.main(["no_such_table"]) == 2

    assert "no_such_table" in capsys.readouterr().err


def test_outcomes_tell_right_from_declared_unseen_and_silent(monkeypatch):
    rng = np.random.default_rng(0)
    code = anyk.codes.mds(4, 8)
    answers = words.word(code, rng, "float64")
    wrong = {task: answers[task] + 1 for task in range(4)}

    def outcome(given):
        return words.outcome(code, answers, answers | given, "random", rng)

    assert outcome({1: wrong[1]}) == "named"
    assert outcome({1: answers[1] * (1 + 1e-16)}) == "unseen"
    assert outcome(wrong) == "declared"
    nobody = anyk.Located((), True, True, "", 0.0, 1e-15)
    monkeypatch.setattr(words, "locate", lambda *_: nobody)
    assert outcome({1: wrong[1]}) == "silent"
