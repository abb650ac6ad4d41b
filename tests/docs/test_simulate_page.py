"""The page on simulations: its example runs, its commands exist, its rules are the program's."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from anyk.cli import main
from anyk.simulation import SPECULATIONS

PAGE = (Path(__file__).parents[2] / "docs/simulate.md").read_text()


def test_the_example_runs_and_says_what_its_comment_says():
    names = {}
    exec(re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)[1], names)
    plain, coded = names["plain"].quantile(0.5), names["coded"].quantile(0.5)

    assert 10 < plain < 30
    assert coded == pytest.approx(1.4, abs=0.05)


def test_its_commands_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("trace.csv", "delays.csv"):
        np.savetxt(name, 0.1 + np.random.default_rng(0).random((40, 64)), delimiter=",")
    commands = [line for line in re.findall(r"^anyk .*", PAGE, re.MULTILINE) if line.split()[1] == "simulate"]
    commands += ["anyk bench --fit delays.csv"]
    assert len(commands) >= 4
    for line in commands:
        words = shlex.split(line)[1:]
        few = ["--products", "2"] if words[0] == "simulate" else []
        done = CliRunner().invoke(main, [*words, *few])

        assert done.exit_code == 0, (line, done.output)


def test_the_rules_in_the_table_are_those_of_the_program():
    told = dict(re.findall(r"\| `speculation:(\w+)`.*?\| (\d+) %", PAGE))

    assert {name: float(percent) / 100 for name, percent in told.items()} == {
        name: rule.quantile for name, rule in SPECULATIONS.items()
    }
