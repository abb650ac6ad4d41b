"""What the tests of the command line share: a way to run it, and matrices in files."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from anyk.cli import main


@pytest.fixture
def run():
    """Run ``anyk`` in this process."""
    return lambda *words: CliRunner().invoke(main, [str(word) for word in words])


@pytest.fixture
def start(tmp_path):
    """Start ``python -m anyk`` in a process and session of its own; what still lives of it in the end is an error."""
    started = []

    def go(*words, prelude=""):
        code = f"{prelude}\nfrom anyk.cli import main\nmain({[str(word) for word in words]!r}, prog_name='anyk')"
        command = [sys.executable, "-c", code] if prelude else [sys.executable, "-m", "anyk", *map(str, words)]
        process = subprocess.Popen(
            command,
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield go
    for process in started:
        process.communicate(timeout=60)
        assert not living(process.pid), "processes were left behind"


def living(session):
    """Processes of a session."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if os.getsid(int(entry.name)) == session and "State:\tZ" not in (entry / "status").read_text():
                found.append((entry / "cmdline").read_text())
        except (ProcessLookupError, FileNotFoundError):
            continue
    return found


@pytest.fixture
def matrices(tmp_path, monkeypatch):
    """A.npy and B.npy in a directory of their own, which is the current one."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    A, B = rng.standard_normal((60, 50)), rng.standard_normal((50, 40))
    np.save("A.npy", A)
    np.save("B.npy", B)
    return A, B
