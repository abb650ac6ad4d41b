"""The tutorial on engines, followed to the letter."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs/extend/engine.md"


@pytest.fixture
def directory(tmp_path):
    """A project with the files of the page."""
    for name, text in re.findall(
        r"```\{code-block\} python\n:caption: (\w+\.py)\n(.*?)```", PAGE.read_text(), re.DOTALL
    ):
        (tmp_path / name).write_text(text)
    return tmp_path


def run(directory, *command):
    environment = {**os.environ, "PYTHONPATH": str(directory), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, *command], cwd=directory, env=environment, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_engine_keeps_the_contract(directory):
    said = run(directory, "-m", "pytest", "-p", "no:cacheprovider", "-v", "test_threads.py")

    assert "test_work_on_a_lane_runs_in_order PASSED" in said
    assert "test_a_killed_worker_answers_all_it_owes_with_worker_lost SKIPPED" in said


def test_every_verb_takes_the_engine(directory):
    (directory / "check.py").write_text((directory / "use.py").read_text() + "\nassert C.error < 1e-12\n")

    run(directory, "check.py")
