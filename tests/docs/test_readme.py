"""Every command of the README runs; long ones in a small size, which stands here beside them."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()

#: What is added to a command so that it ends soon; and the library it needs beside anyk's own.
SMALLER = {
    "anyk demo": "--fast --size 100",
    "anyk train --nodes 10 --strategy gpd --error-rate 1e-2": "--epochs 1",
    "anyk reproduce approximate-matmul fig2a": "--quick",
    "python examples/pagerank.py": "inline",
    "python -m benchmarks": "--tiny --only encode --json {tmp}",
}
NEEDS = {"anyk train": "torch", "anyk reproduce": "matplotlib"}
#: Take some seconds of work even so, and have tests of their own that run them smaller still.
LONG = ("anyk demo", "anyk train", "anyk reproduce", "python")
#: What whole checks and installations do is tested by being done: `make test` builds the manual and runs these tests,
#: and those of the release install the package.
NOT_HERE = {"make demo", "make test", "make docs", "pip install .", "pip install '.[nn]'"}


def commands():
    """Each line of its code blocks that is a command, and each command in the text."""
    blocks = [block for language, block in re.findall(r"```(\w*)\n(.*?)```", README, re.DOTALL) if language != "python"]
    lines = [line.partition("  #")[0].strip() for block in blocks for line in block.splitlines()]
    inline = re.findall(r"`((?:anyk|make|python|pip) [^`]+)`", re.sub(r"```.*?```", "", README, flags=re.DOTALL))
    return sorted({line for line in [*lines, *inline] if re.match(r"(anyk|make|python|pip) ", line)})


def test_the_readme_has_commands_and_none_is_forgotten():
    found = commands()

    assert len(found) >= 9
    assert NOT_HERE | set(SMALLER) <= set(found)


@pytest.mark.cluster
@pytest.mark.parametrize(
    "command",
    [
        pytest.param(line, marks=pytest.mark.slow if line.startswith(LONG) else ())
        for line in commands()
        if line not in NOT_HERE
    ],
)
def test_a_command_of_the_readme_runs(command, tmp_path):
    for start, library in NEEDS.items():
        if command.startswith(start):
            pytest.importorskip(library)
    rng = np.random.default_rng(0)
    np.save(tmp_path / "A.npy", rng.standard_normal((40, 30)))
    np.save(tmp_path / "B.npy", rng.standard_normal((30, 20)))
    program, *words = shlex.split(command + " " + SMALLER.get(command, "").format(tmp=tmp_path))
    words = [str(ROOT / word) if word.startswith("examples/") else word for word in words]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}

    done = subprocess.run(
        [sys.executable, *(["-m", "anyk"] if program == "anyk" else []), *words],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout + done.stderr


def test_the_readme_makes_what_the_makefile_makes():
    makefile = (ROOT / "Makefile").read_text()

    for target in re.findall(r"^make (\w+)", README, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)
    assert re.search(r"^demo:.*\n\t.*/anyk demo$", makefile, re.MULTILINE)


def test_links_of_the_readme_lead_somewhere():
    links = re.findall(r"\]\(([^)#]+)\)", README)

    assert len(links) > 10
    for link in links:
        assert link.startswith("https://") or (ROOT / link).exists(), link
