"""Pages in a real browser: what is seen on a phone and on a desk, in light and in dark, and what pointing does.

Skipped where no Chromium is installed; ANYK_BROWSER names one that has another name.
"""

from dataclasses import replace

import pytest

from anyk.report import page, recorded
from tests.report.browser import DESKTOP, PHONE, Browser, find_browser
from tests.report.stories import OPERANDS, PLANNED, product
from tests.report.test_pages import RUN

pytestmark = pytest.mark.skipif(find_browser() is None, reason="needs Chromium")

#: Elements that stick out of the window at the right, but for what scrolls in a box of its own.
STICKING_OUT = """
[...document.querySelectorAll("body *")].filter((e) => {
  const b = e.getBoundingClientRect();
  return b.width && b.right > innerWidth + 1 && !e.closest(".wide, figure > svg");
}).map((e) => e.outerHTML.slice(0, 120))
"""
#: Words of one picture that lie over each other.
COLLISIONS = """
[...document.querySelectorAll(".chart")].flatMap((chart) => {
  const boxes = [...chart.querySelectorAll("text")].filter((t) => t.getClientRects().length)
    .map((t) => [t.textContent, t.getBoundingClientRect()]);
  const meet = (a, b) =>
    a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 3 && b.top < a.bottom - 3;
  return boxes.flatMap(([one, a], at) =>
    boxes.slice(at + 1).filter(([, b]) => meet(a, b)).map(([two]) => [one, two]));
})
"""


@pytest.fixture(scope="module")
def browser():
    with Browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """The page of a run in which everything happened."""
    path = tmp_path_factory.mktemp("page") / "run.html"
    path.write_text(page(recorded(product(), operands=OPERANDS, planned=PLANNED).as_dict()), encoding="utf-8")
    return path


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("size", [PHONE, DESKTOP])
def test_the_page_is_whole_at_every_size(browser, file, size, dark):
    browser.open(file, size, dark=dark)

    assert browser.evaluate("document.documentElement.scrollWidth") == size[0]
    assert browser.evaluate(STICKING_OUT) == []
    assert browser.evaluate(COLLISIONS) == []
    assert "60 × 40 product from 5 of 8 answers" in browser.text()
    assert browser.complaints == []
    assert browser.requests == [file.as_uri()]
    paper = browser.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == ("rgb(20, 23, 27)" if dark else "rgb(255, 255, 255)")


def test_pointing_at_a_bar_tells_about_it(browser, file):
    browser.open(file)
    browser.hover(".bar.o-wrong > rect")

    assert "task 1" in browser.evaluate("document.querySelector('.told').textContent")
    assert "wrong: thrown out" in browser.evaluate("document.querySelector('.told').textContent")


def test_a_tap_on_a_phone_tells_about_a_bar(browser, file):
    browser.open(file, PHONE)
    browser.click(".bar.o-lost > rect")

    assert "killed by <the> test" in browser.evaluate("document.querySelector('.told').textContent")


def test_arrow_keys_step_from_bar_to_bar(browser, file):
    def told():
        return browser.evaluate("document.querySelector('.told').textContent")

    browser.open(file)
    hint = told()
    browser.evaluate("document.querySelector('.chart').focus()")
    browser.press("ArrowRight")
    first = told()
    browser.press("ArrowDown")
    second = told()
    browser.press("ArrowLeft")

    assert "Worker 0, task 0" in first
    assert len({hint, first, second}) == 3
    assert told() == first
    browser.press("End")
    assert "found wrong" in told()


def test_everything_that_reacts_can_be_reached_by_keyboard(browser, file):
    browser.open(file)
    reached = []
    while "summary" not in reached and len(reached) < 20:
        browser.press("Tab")
        reached.append(browser.evaluate("document.activeElement.className || document.activeElement.localName"))

    assert reached.count("button") == 5
    assert reached.count("chart") == 2
    assert reached[-1] == "summary"


def test_the_legend_shows_only_what_was_chosen(browser, file):
    browser.open(file)
    bright = "[...document.querySelectorAll('.live .bar')].filter((b) => getComputedStyle(b).opacity > 0.9).length"
    before = browser.evaluate(bright)
    browser.click("button[data-kind=lost]")
    lost = browser.evaluate(bright)
    browser.evaluate("document.querySelector('.chart').focus()")
    browser.press("End")
    told = browser.evaluate("document.querySelector('.told').textContent")
    browser.click("button[data-kind=lost]")

    errors = browser.evaluate("document.querySelectorAll('.live')[1].querySelectorAll('.bar').length")
    assert lost == 2 + errors
    assert "lost after" in told
    assert browser.evaluate(bright) == before


def test_all_is_there_for_those_who_do_not_see(browser, file):
    browser.open(file)

    assert browser.evaluate(
        "[...document.querySelectorAll('svg')].every((s) => s.ariaHidden || s.closest('[aria-hidden]') "
        "|| s.closest('[role=img]'))"
    )
    assert browser.evaluate("document.querySelectorAll('details tbody tr').length") == 11
    assert browser.evaluate("document.querySelector('h1') && document.documentElement.lang") == "en"
    assert "8 workers over 2.5 s" in browser.evaluate("document.querySelector('.chart').ariaLabel")


def test_a_crowd_and_long_words_fit_on_a_phone(browser, tmp_path):
    long = recorded(product(), operands=OPERANDS)
    rows = [replace(row, worker=row.worker + 40 * at, cause="no" * 80) for at in range(6) for row in long.attempts]
    many = replace(long, attempts=tuple(rows), reason="because " * 60, engine="x" * 90, planned={"code": "y" * 70})
    path = tmp_path / "many.html"
    path.write_text(page(many.as_dict()), encoding="utf-8")
    browser.open(path, PHONE)

    assert browser.evaluate("document.documentElement.scrollWidth") == PHONE[0]
    assert browser.complaints == []


# --- the page of a training run ---------------------------------------------------------------------------------------

NODES, COLUMNS = 12, 100


@pytest.fixture(scope="module")
def training(tmp_path_factory):
    """The page of a long run on many nodes, with errors everywhere."""
    injected = [[(node * column) % 7 if column % 5 else 0 for column in range(COLUMNS)] for node in range(NODES)]
    run = RUN | {
        "configuration": RUN["configuration"] | {"steps": 19_000},
        "code": RUN["code"] | {"nodes": NODES},
        "steps": 19_000,
        "executed": 20_000,
        "losses": [2.0 / (1 + step / 500) for step in range(19_000)],
        "accuracies": [[step, 1 - 1 / (2 + step / 1000)] for step in range(1_000, 19_001, 1_000)],
        "error_map": {"steps_per_column": 200, "injected": injected, "located": injected},
    }
    path = tmp_path_factory.mktemp("training") / "training.html"
    path.write_text(page(run), encoding="utf-8")
    return path


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("size", [PHONE, DESKTOP])
def test_the_page_of_a_training_run_is_whole_at_every_size(browser, training, size, dark):
    browser.open(training, size, dark=dark)

    assert browser.evaluate("document.documentElement.scrollWidth") == size[0]
    assert browser.evaluate(STICKING_OUT) == []
    assert browser.evaluate(COLLISIONS) == []
    assert "97.21 %" in browser.text()
    assert browser.evaluate("[...document.querySelectorAll('svg.plot')].every((s) => s.clientHeight > 50)")
    assert browser.evaluate("document.querySelectorAll('.chart').length") == 4
    assert browser.complaints == []
    assert browser.requests == [training.as_uri()]
    paper = browser.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == ("rgb(20, 23, 27)" if dark else "rgb(255, 255, 255)")
    fewest, most = (
        browser.evaluate(f"getComputedStyle(document.querySelector('rect.level-{which}')).fill") for which in (0, 7)
    )
    assert (fewest, most) == (
        ("rgb(44, 74, 120)", "rgb(242, 226, 107)") if dark else ("rgb(242, 226, 107)", "rgb(31, 63, 108)")
    )


def test_pointing_at_a_cell_of_the_map_tells_whose_errors_they_were(browser, training):
    browser.open(training)
    browser.hover(".chart.map .lane:nth-of-type(4) .bar > rect")
    told = browser.evaluate("document.querySelectorAll('.told')[2].textContent")

    assert told.startswith("Node 3, updates 201 to 400, errors injected: 3")


def test_a_tap_on_a_curve_tells_its_value_there(browser, training):
    browser.open(training, PHONE)
    browser.click(".plot > .bar:nth-of-type(60) > .strip")

    assert "loss" in browser.evaluate("document.querySelector('.told').textContent")
    assert "on average, from" in browser.evaluate("document.querySelector('.told').textContent")


def test_arrow_keys_step_along_a_curve(browser, training):
    browser.open(training)
    browser.evaluate("document.querySelectorAll('.chart')[1].focus()")
    browser.press("End")

    assert browser.evaluate("document.querySelectorAll('.told')[1].textContent") == "Update 19,000: accuracy 0.972."


def test_a_short_run_is_whole_on_a_phone(browser, tmp_path):
    path = tmp_path / "short.html"
    path.write_text(page(RUN), encoding="utf-8")
    browser.open(path, PHONE)

    assert browser.evaluate("document.documentElement.scrollWidth") == PHONE[0]
    assert browser.evaluate(COLLISIONS) == []
    assert browser.complaints == []
