"""How tests follow a tutorial to the letter: its code blocks, a copy of the project, and pytest run there."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parents[2]


def blocks_of(page):
    """Code blocks of a page by caption; a block without one goes by its language."""
    text = (HERE / "docs" / page).read_text()
    found = re.findall(r"```\{code-block\} (\w+)\n(?::caption: ([^\n]*)\n)?(.*?)```", text, re.DOTALL)
    return {caption or language: code for language, caption, code in found}


def copy_project(to):
    """Sources and contract tests, ready to be added to."""
    for part in ("src", "tests/contracts"):
        shutil.copytree(HERE / part, to / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(HERE / "pyproject.toml", to)


def insert(text, before, line):
    """Put a line in front of the first line that starts so."""
    place = re.search(rf"^{re.escape(before)}", text, re.MULTILINE).start()
    return text[:place] + line + text[place:]


def run_pytest(directory, *arguments):
    """Run pytest in a directory, with what stands in its ``src`` before anything installed."""
    return run(directory, "-m", "pytest", "-p", "no:cacheprovider", "-v", *arguments)


def run(directory, *command):
    """Run Python in a directory and return what it said."""
    path = os.pathsep.join([str(directory / "src"), str(directory)])
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, *command], cwd=directory, env=environment, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
