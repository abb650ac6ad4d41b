"""The tutorial on fault models, followed to the letter."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parents[2]
PAGE = HERE / "docs/extend/fault-model.md"


@pytest.fixture(scope="module")
def blocks():
    """Code blocks of the page by caption; a block without one goes by its language."""
    found = re.findall(r"```\{code-block\} (\w+)\n(?::caption: ([^\n]*)\n)?(.*?)```", PAGE.read_text(), re.DOTALL)
    return {caption or language: text for language, caption, text in found}


def run(directory, *arguments):
    """Run pytest in a directory, with what stands in its ``src`` before anything installed."""
    path = os.pathsep.join([str(directory / "src"), str(directory)])
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-v", *arguments]
    done = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def insert(text, before, line):
    """Put a line in front of the first line that starts so."""
    place = re.search(rf"^{re.escape(before)}", text, re.MULTILINE).start()
    return text[:place] + line + text[place:]


def test_one_file_and_one_row_make_a_fault_model_that_the_kit_tests(tmp_path, blocks):
    for part in ("src", "tests/contracts"):
        shutil.copytree(HERE / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(HERE / "pyproject.toml", tmp_path)
    (tmp_path / "src/anyk/faults/sawtooth.py").write_text(blocks["src/anyk/faults/sawtooth.py"])
    table = tmp_path / "src/anyk/faults/__init__.py"
    text = insert(table.read_text(), "from anyk.faults.slow_nodes", blocks["the imports"])
    text = insert(text, '    "SlowNodes",', blocks["__all__"])
    table.write_text(insert(text, '    "slow-nodes": Family(', blocks["FAULTS"]))

    said = run(tmp_path, *blocks["console"].removeprefix("$ python -m pytest ").split())
    assert "sawtooth.py::anyk.faults.sawtooth.Sawtooth PASSED" in said
    assert "test_a_seed_decides_every_fate[sawtooth] PASSED" in said
    assert "test_rounds_are_independent[sawtooth] PASSED" in said


def test_outside_the_package_the_kit_is_run_on_the_same_file(tmp_path, blocks):
    (tmp_path / "sawtooth.py").write_text(blocks["src/anyk/faults/sawtooth.py"])
    (tmp_path / "test_sawtooth.py").write_text(blocks["test_sawtooth.py"])

    assert "TestSawtooth::test_the_repr_builds_the_model_again PASSED" in run(tmp_path, "test_sawtooth.py")
