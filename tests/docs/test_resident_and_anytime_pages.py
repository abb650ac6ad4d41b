"""The manual's pages on `place` and `stream`: their examples run, their table is the program's."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest

from anyk import codes
from anyk.codes import transposed

DOCS = Path(__file__).parents[2] / "docs"


def examples(page):
    return re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)


@pytest.fixture
def table(monkeypatch):
    pytest.importorskip("sphinx")
    monkeypatch.syspath_prepend(DOCS / "_ext")
    yield __import__("transposed_table")
    del sys.modules["transposed_table"]


def test_the_table_tells_what_the_program_needs(table):
    head, *rows = table.rows()

    assert len(head) == 5
    for written, _, forward, backward, formula in rows:
        code = eval(written.strip("`"), vars(codes).copy())
        assert forward == f"any {code.recovery_threshold}"
        if backward.startswith("any"):
            assert backward == f"any {transposed(code).recovery_threshold}"
            sizes = {"rows": code.partition.rows, "inner": code.partition.inner}
            if formula[-1:] in "1r":
                assert eval(formula.replace(" rows", " * rows").replace("s inner", "s * inner"), sizes) == int(
                    backward.split()[1]
                )
    assert any(row[3].startswith("refused") for row in rows)


@pytest.mark.cluster
def test_the_examples_of_a_resident_matrix_run_as_the_comments_say():
    names = {}
    for block in examples("resident.md"):
        exec(block, names)

    A, S = names["A"], names["S"]
    assert np.allclose(names["y"], A @ np.ones(200))
    assert np.allclose(names["Y"], A @ np.eye(200, 7))
    assert np.allclose(names["z"], A.T @ names["y"])
    assert names["failed"] == 0
    assert np.allclose(np.sort(names["largest"]), np.linalg.eigvalsh(S)[-3:])
    assert np.allclose(np.sort(names["sizes"]), np.linalg.svd(A, compute_uv=False)[2::-1])
    assert np.allclose(names["fitted"], np.linalg.lstsq(A, np.ones(300), rcond=None)[0], atol=1e-4)
    assert names["difference"] < 1e-12


@pytest.mark.cluster
def test_the_examples_of_a_stream_run_as_the_comments_say(capsys):
    names = {}
    for block in examples("anytime.md"):
        exec(block, names)

    first, *_, last = capsys.readouterr().out.splitlines()[:-1]
    assert re.fullmatch(r"\d answers: error \d\.\de[-+]\d\d", first)
    assert re.fullmatch(r"4 answers: error \d\.\de-1\d", last)
    assert names["best"].error <= 1e-6
    assert names["first"].survivors
