"""The page of pictures: each is there, is named with its command, and shows what its text says."""

import re
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib")

import docs.pictures.__main__ as pictures
from docs.pictures import anytime, conditioning, survivors, timeline

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "pictures.md").read_text()


@pytest.mark.parametrize("name", pictures.NAMES)
def test_a_picture_is_there_and_named_with_its_command(name):
    assert f"`python -m docs.pictures {name}`" in PAGE
    assert f"(pictures/{name}.svg)" in PAGE
    assert (DOCS / f"pictures/{name}.svg").read_text().lstrip().startswith("<?xml")
    assert (DOCS / f"pictures/{name}.png").read_bytes().startswith(b"\x89PNG")


def test_a_picture_is_drawn_by_its_command_and_unknown_ones_are_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(pictures, "HERE", tmp_path)

    assert pictures.main(["timeline"]) == 0
    assert "never answers" in (tmp_path / "timeline.svg").read_text()
    assert pictures.main(["no-such"]) == 2
    assert "timeline" in capsys.readouterr().err


def test_the_faulty_run_is_the_one_in_the_text():
    outcomes = {stretch.worker: stretch.outcome for stretch in timeline.product().timeline()}

    assert outcomes[timeline.CRASHED] == "lost"
    assert outcomes[timeline.SILENT] == outcomes[timeline.SLOW] == "cancelled"
    assert outcomes[timeline.WRONG] == "wrong"
    assert [*outcomes.values()].count("used") == 5


def test_powers_err_up_to_a_hundred_times_more_and_approximate_tables_vary_most():
    tables = {name: survivors.errors(code) for name, code in survivors.codes().items()}
    trigonometric, _, powers, approximate = tables.values()

    assert 30 < powers.max() / trigonometric.max() < 300
    assert approximate.max() < 1e-7
    assert (approximate.max() / approximate.min()) > 2


def test_codes_of_the_falling_error_need_the_answers_the_text_says():
    needed = [code.recovery_threshold for code in anytime.codes().values()]
    path = dict(enumerate(error for _, error in anytime.falling([*anytime.codes().values()][-1])))

    assert needed[1:3] == [5, 9]
    assert len(path) >= 6
    assert min(path.values()) < 1e-6


def test_the_real_basis_is_as_good_as_roots_of_unity_in_its_worst_sets(monkeypatch):
    monkeypatch.setattr(conditioning, "SPARE", range(4, 6))
    monkeypatch.setattr(conditioning, "SETS", 60)
    median, worst = ({basis: conditioning.amplification(basis)[:, at] for basis in conditioning.BASES} for at in (0, 1))

    assert np.all(worst["trigonometric"] < 1.1 * worst["unit_circle"])
    assert np.all(100 * worst["trigonometric"] < worst["chebyshev"])
    assert np.all(100 * median["chebyshev"] < median["monomial"])


def test_the_picture_of_rounding_stands_where_a_code_is_chosen():
    page = (DOCS / "choose-a-code.md").read_text()

    assert "(pictures/conditioning.svg)" in page
    assert "`python -m docs.pictures conditioning`" in page


def test_the_front_page_shows_any_k_of_p():
    drawing = (DOCS / "_static/any-k-of-p.svg").read_text()

    assert "_static/any-k-of-p.svg" in (DOCS / "index.md").read_text()
    assert "docs/_static/any-k-of-p.svg" in (DOCS.parent / "README.md").read_text()
    assert len(re.findall("worker \\d", drawing)) == 8
    assert drawing.count(">answer<") == 5  # of which any five decode
