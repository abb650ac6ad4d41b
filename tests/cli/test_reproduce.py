import pytest

import anyk
from anyk.cli.reproduce import checkout
from anyk.errors import InputError


def test_a_figure_is_made_by_the_papers_of_the_checkout(start):
    pytest.importorskip("matplotlib")
    pytest.importorskip("torch")
    process = start("reproduce", "approximate-matmul", "fig1a", "--quick")
    said, warned = process.communicate(timeout=100)

    assert process.returncode == 0, warned
    assert "anyk" in said
    assert "2, 2, 3" in said


def test_an_unknown_figure_is_refused_with_the_papers_status(start):
    process = start("reproduce", "no-such-paper")
    _, warned = process.communicate(timeout=60)

    assert process.returncode == 2
    assert "approximate-matmul" in warned


def test_without_a_checkout_it_says_where_the_papers_are(tmp_path, run, monkeypatch):
    with pytest.raises(InputError, match="Clone the repository"):
        checkout([tmp_path, tmp_path.parent])

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(anyk, "__file__", str(tmp_path / "anyk/__init__.py"))
    done = run("reproduce", "approximate-matmul")

    assert done.exit_code == 2
    assert "not installed with the package" in done.stderr
