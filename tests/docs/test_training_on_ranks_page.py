"""The manual's page on real ranks: what it says of its tables holds in them, and its commands exist."""

import json
import re
from pathlib import Path

import pytest

pytest.importorskip("torch")

from anyk.cli import main
from benchmarks.training_ranks import CODES

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "training-on-ranks.md").read_text()


def rows(name, table):
    return [row for row in json.loads((DOCS / f"_data/{name}.json").read_text())["rows"] if row["table"] == table]


def test_every_option_on_the_page_exists():
    known = {option for param in main.commands["train"].params for option in param.opts}
    said = {
        word
        for line in re.findall(r"anyk train .*|anyk\.nn\.train .*", PAGE)
        for word in re.findall(r"--[a-z-]+", line)
    }

    assert said <= known


def test_faults_cost_coded_ranks_no_accuracy_and_no_roll_back():
    coded = [row for row in rows("training_ranks", "faults") if row["system"] == "coded"]
    others = {row["system"] for row in rows("training_ranks", "faults")} - {"coded"}

    assert others == {*CODES, "plain"} - {"coded"}
    assert len({row["accuracy"] for row in coded}) == 1
    assert {row["rollbacks"] for row in coded} == {0}


def test_the_coded_language_model_learned_as_the_clean_one_did():
    (virtual,) = rows("training_language", "virtual")
    (ranks,) = rows("training_language", "ranks")
    clean, coded, real = (
        list(map(float, text.split())) for text in (virtual["clean"], virtual["coded"], ranks["ranks"])
    )

    assert coded == pytest.approx(clean, abs=2e-3)
    assert real == pytest.approx(clean, abs=2e-3)
