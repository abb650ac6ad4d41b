"""The explorer in a real browser: it computes what the library does, follows its sliders, and fits where it is read.

Skipped where no Chromium is installed; ANYK_BROWSER names one that has another name.
"""

import json
import re
from pathlib import Path

import pytest

import anyk
from tests.report.browser import DESKTOP, PHONE, Browser, find_browser

pytestmark = pytest.mark.skipif(find_browser() is None, reason="needs Chromium")

DOCS = Path(__file__).parents[2] / "docs"
RAW = re.search(r"```\{raw\} html\n(.*?)```", (DOCS / "explorer.md").read_text(), re.DOTALL)[1]

NUMBER = "document.querySelector('[data-family={}] [data-name={}] b').textContent"
VERDICT = "document.querySelector('[data-family={}] .verdict').textContent"


@pytest.fixture(scope="module")
def browser():
    with Browser() as opened:
        yield opened


@pytest.fixture
def show(browser, tmp_path):
    """Show the explorer at a size, with something asked for in its address."""

    def shown(size=DESKTOP, address="", *, dark=False):
        file = tmp_path / "page.html"
        head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        file.write_text(
            f'<!doctype html><html lang="en"><head>{head}<title>Explorer</title><base href="{DOCS.as_uri()}/">'
            f'</head><body style="margin: 1rem">{RAW}</body></html>',
            encoding="utf-8",
        )
        browser.open(f"{file.as_uri()}#{address}", size, dark=dark)
        settled(browser)
        return browser

    return shown


def settled(browser):
    """Wait until what is asked for has been drawn."""
    browser.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def ask(browser, name, value):
    browser.evaluate(
        f"(() => {{ const c = document.getElementById('explorer-{name}'); c.value = {json.dumps(value)};"
        " c.dispatchEvent(new Event('input')); c.dispatchEvent(new Event('change')); })()"
    )
    settled(browser)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("size", [PHONE, DESKTOP])
def test_the_page_is_whole_at_every_size(show, size, dark):
    browser = show(size, "P=60&m=4&n=3&p=4&wrong=2", dark=dark)

    assert browser.evaluate("document.documentElement.scrollWidth") == size[0]
    assert browser.complaints == []
    assert all(request.startswith("file:") for request in browser.requests)
    for name in anyk.codes.CATALOGUE:
        assert f"anyk.codes.{name}(" in browser.text()
    assert browser.evaluate("document.querySelectorAll('.explorer polyline').length") == 2


def test_its_numbers_are_those_of_the_library(show):
    code = anyk.codes.generalized_polydot(3, 2, 2, 20)
    browser = show(address="P=20&missing=3&m=3&n=2&p=2&height=900&depth=800&width=600")

    assert "any 13 of 20 decode; 4 to spare" in browser.evaluate(VERDICT.format("generalized_polydot"))
    assert (
        browser.evaluate(NUMBER.format("generalized_polydot", "workerBytes")) == "2.64 MB"
    )  # (300*400+400*300+300*300)*8
    assert browser.evaluate(NUMBER.format("generalized_polydot", "work")) == f"{round(20 / 12, 2)} ×"
    assert code.recovery_threshold == 13
    # the worst kind of set: those missing sit beside each other on the circle
    worst = code.expected_error([task for task in range(20) if code.positions[task] >= 7])
    assert browser.evaluate(NUMBER.format("generalized_polydot", "worst")) == f"{worst:.0e}".replace("e-0", "e-")


def test_sliders_change_numbers_and_the_address(show):
    browser = show()
    before = browser.evaluate(VERDICT.format("matdot"))
    ask(browser, "P", 30)
    ask(browser, "n", 5)

    assert before == "any 3 of 16 decode; 10 to spare"
    assert browser.evaluate(VERDICT.format("matdot")) == "any 9 of 30 decode; 18 to spare"
    assert "P=30" in browser.evaluate("location.hash")
    assert browser.evaluate("document.querySelector('output[for=explorer-P]').textContent") == "30"


def test_wrong_answers_are_awaited_in_addition(show):
    browser = show(address="P=10&missing=2&n=4")
    ask(browser, "wrong", 2)
    checked = browser.evaluate(VERDICT.format("matdot"))
    ask(browser, "screen", "adversarial")

    assert checked == "any 7 of 10 decode, 2 more are awaited: 1 answer short"
    assert browser.evaluate(VERDICT.format("matdot")) == "any 7 of 10 decode, 4 more are awaited: 3 answers short"
    bar = "document.querySelector('[data-family=matdot] .budget').ariaLabel"
    assert browser.evaluate(bar) == "Answers: 7 needed, 1 reserve, 2 missing, 1 lacking"


def test_what_cannot_be_made_says_what_it_needs(show):
    browser = show(address="P=10&m=2&n=3&p=2")

    assert browser.evaluate(VERDICT.format("polydot")) == "needs 20 workers"
    ask(browser, "n", 1)
    assert browser.evaluate(VERDICT.format("approximate_matdot")) == "needs at least two inner blocks"


def test_a_precision_that_does_not_do_is_refused(show):
    browser = show(address="P=120&m=6&n=1&p=6&dtype=float32")

    assert "too inexact in float32" in browser.evaluate(VERDICT.format("polynomial"))
    with pytest.raises(anyk.CodeError):
        anyk.codes.polynomial(6, 6, 120, dtype="float32")


def test_errors_of_another_family_are_drawn(show):
    browser = show(address="P=24&m=2&n=3&p=2")
    ask(browser, "family", "matdot")
    told = browser.evaluate("document.querySelector('.told').textContent")
    ask(browser, "family", "approximate_matdot")

    assert told.startswith("matdot, float64: typically")
    assert "from 5 answers" in told
    assert "tabulated" in browser.evaluate("document.querySelector('.told').textContent")


@pytest.mark.parametrize("address", ["P=%00&m=-3&n=1e9&height=x&dtype=<b>&family=lunch", "P=9999&P=2&&&=", "<script>"])
def test_an_address_nobody_wrote_changes_nothing(show, address):
    browser = show(address=address)

    assert browser.complaints == []
    assert browser.evaluate("document.querySelectorAll('.family').length") == len(anyk.codes.CATALOGUE)


def test_every_control_has_a_name_and_can_be_reached(show):
    browser = show()

    assert browser.evaluate(
        "[...document.querySelectorAll('.explorer input, .explorer select')].every((c) => c.labels.length)"
    )
    reached = []
    for _ in range(14):
        browser.press("Tab")
        reached.append(browser.evaluate("document.activeElement.id"))
    assert len({each for each in reached if each.startswith("explorer-")}) == 13
    browser.evaluate("document.getElementById('explorer-m').focus()")
    browser.press("ArrowRight")
    settled(browser)
    assert "m=3" in browser.evaluate("location.hash")
