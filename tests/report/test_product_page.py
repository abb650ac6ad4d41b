"""The page of a product's run: complete, well formed, safe whatever the file holds; and its pictures."""

import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from anyk.report import page, recorded, view
from anyk.report.drawing import MOST_ROWS, picture
from anyk.report.lanes import lanes, shown
from anyk.report.record import Record
from anyk.verbs import Stretch
from tests.report.stories import OPERANDS, PLANNED, product
from tests.report.test_pages import Tags


def record(**changed):
    return replace(recorded(product(), operands=OPERANDS, engine="processes", planned=PLANNED), **changed)


@pytest.fixture(scope="module")
def text():
    return page(record().as_dict())


def words(text):
    """What a reader is told, in one line."""
    body = re.sub(r"<(style|script)>.*?</\1>", " ", text, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]*>", " ", body).split())


def test_the_page_tells_all_that_matters(text):
    told = words(text)
    for each in (
        "60 × 40 product from 5 of 8 answers",
        "5 answers decode",
        "3.1 s in all",
        "3.0e-15 relative error, measured",
        "150 MB peak memory",
        "2 lost",
        "1 answered wrongly",
        "Task 0 was lost on worker 0: killed by &lt;the&gt; test.",
        "Worker 6 was gone: its host went away.",
        "Worker 0 was replaced by a fresh one.",
        "Wrong answers were found: task 1.",
        "Task 7 was answered by worker 7, too late to be used.",
        "wait for answers 2 s · 65 %",
        "coded A, 8 blocks",
        "to the workers 1 MB",
        "any 5 of 8",
        "60×50 by 50×40",
    ):
        assert each in told, each


def test_the_plan_stands_beside_what_happened(text):
    told = words(text)

    assert "seconds 2 s 3.1 s +55 %" in told
    assert "relative error 3.0e-15 3.0e-15 as planned" in told
    assert "sent to workers 1 MB 1 MB as planned" in told
    assert "answers used 5 5 as planned" in told


def test_without_a_plan_the_page_says_so():
    assert "No plan was made for this run." in words(page(record(planned=None).as_dict()))


def test_the_page_is_well_formed_and_fetches_nothing(text):
    tags = Tags(re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL))

    assert tags.open == []
    assert all(link.startswith("#") for link in tags.links)
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", text))
    assert not re.search(r"@import|https?://|fetch\(|XMLHttpRequest|import\(", text)
    ids = re.findall(r'\bid="([^"]*)"', text)
    assert len(ids) == len(set(ids))
    assert {link[1:] for link in tags.links} <= set(ids)


def test_every_sending_is_drawn_once_and_says_what_became_of_it(text):
    bars = re.findall(r'<g class="bar o-(\w+)"[^>]*><title>(.*?)</title>', text)
    kinds = [kind for kind, _ in bars]

    assert {kind: kinds.count(kind) for kind in ("used", "answered", "wrong", "lost", "cancelled", "joined")} == {
        "used": 5,
        "answered": 1,
        "wrong": 1,
        "lost": 2,
        "cancelled": 2,
        "joined": 1,
    }
    assert "Worker 1, task 1: sent at 0 s, answered after 500 ms, wrong: thrown out." in [told for _, told in bars]


def test_bars_lie_where_their_times_are(text):
    """Task 2 was out from 0 to 0.6 of 2.5 s."""
    (bar,) = re.findall(r"task 2: .*?</title>(<rect [^>]*>)", text)

    assert 'x="0.00%"' in bar
    assert 'width="24.00%"' in bar


def test_outcomes_differ_in_more_than_colour(text):
    """Each has a mark of its own at its end, and grounds that are not alike in grey."""
    marks = {
        name: re.search(rf'<g id="m-{name}">(.*?)</g>', text)[1] for name in ("used", "wrong", "lost", "cancelled")
    }
    fills = dict(re.findall(r"\.b-(\w+) \{ fill: ([^;]*);", text))

    assert len(set(marks.values())) == 4
    assert fills["wrong"] == "url(#cross)"
    assert fills["lost"] == "url(#hatch)"
    assert len(set(fills.values())) == 5


def contrast(one, other):
    """Of two colours, as the accessibility guidelines define it."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour):
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(part * weight for part, weight in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))


def test_words_and_marks_stand_out_in_light_and_in_dark(text):
    blocks = re.findall(r":root \{([^}]*--paper[^}]*)\}", text)
    themes = [dict(re.findall(r"--([\w-]+): (#\w{6})", block)) for block in blocks if "--used" in block]

    assert len(themes) == 2
    for theme in themes:
        for name in ("ink", "quiet"):
            assert contrast(theme[name], theme["paper"]) >= 4.5, name
            assert contrast(theme[name], theme["faint"]) >= 4.5, name
        for name in ("used", "lost", "wrong", "idle"):
            assert contrast(theme[name], theme["paper"]) >= 3, name
    assert luminance(themes[0]["paper"]) > 0.9 > 0.1 > luminance(themes[1]["paper"])


def test_words_in_a_file_stay_words():
    bad = '</title><script>alert(1)</script>&"'
    text = page(record(reason=bad, engine=bad, dtype=bad).as_dict())

    assert text.count("<script>") == 1  # the page's own
    assert "&lt;script&gt;alert" in text


def test_a_product_of_integers_says_that_it_is_exact():
    assert "0 error: integers, checked" in words(page(record(error=0.0, error_kind="exact").as_dict()))


# --- many workers, many bands -----------------------------------------------------------------------------------------


def crowd(workers, **changed):
    """Everybody answered after their rank in milliseconds."""
    rows = tuple(Stretch(task, task, 0, 0.0, 0.001 * (task + 1), "used") for task in range(workers))
    return Record(True, "all came", (4, 4), attempts=rows, survivors=tuple(range(workers)), **changed)


def test_of_ten_thousand_workers_those_that_matter_are_drawn():
    rows = [*crowd(10_000).attempts]
    rows[7777] = replace(rows[7777], outcome="lost")
    many = replace(crowd(10_000), attempts=tuple(rows))
    drawn = shown(lanes(many), MOST_ROWS)
    text = page(many.as_dict())

    assert len(drawn) == MOST_ROWS
    assert 7777 in {lane.worker for lane in drawn}
    assert "9,840 more workers are not drawn" in text
    assert len(text) < 1_000_000


def test_a_worker_with_many_tasks_does_one_after_the_other():
    rows = tuple(Stretch(task, 0, 0, 0.0, 1.0 + task, "used") for task in range(3))
    (lane,) = lanes(Record(True, "", attempts=rows))

    assert [(bar.began, bar.ended) for bar in lane.bars] == [(0.0, 1.0), (1.0, 2.0), (2.0, 3.0)]


def test_bands_begin_their_answers_anew():
    rows = [Stretch(task, task, 0, float(band), band + 0.5, "used", band=band) for band in (0, 1) for task in (0, 1)]
    text = page(Record(True, "", (4, 4), attempts=tuple(rows)).as_dict())

    assert "bands of rows" in text
    assert text.count('class="came"') == 4


# --- pictures ---------------------------------------------------------------------------------------------------------


def test_the_svg_stands_alone():
    drawn = view(record().as_dict(), "svg").decode()
    root = ElementTree.fromstring(drawn)

    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert root.attrib["role"] == "img"
    assert "60 × 40 product from 5 of 8 answers" in root.attrib["aria-label"]
    assert not re.search(r"url\((?!#)|@import|<script", drawn)
    shown_ = [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"used: 5", "lost: 2", "wrong, thrown out: 1", "too late to be used: 1", "not awaited: 2"} <= set(shown_)


def test_the_png_is_a_picture():
    pytest.importorskip("matplotlib")
    drawn = view(record().as_dict(), "png")

    assert drawn.startswith(b"\x89PNG\r\n\x1a\n")
    assert int.from_bytes(drawn[16:20]) >= 1000  # px wide


def test_without_matplotlib_a_png_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)

    with pytest.raises(Exception, match=r"pip install 'anyk\[plot\]'"):
        view(record().as_dict(), "png")


def test_the_label_says_in_words_what_the_timeline_shows():
    assert picture(record()).label == (
        "Timeline of 8 workers over 2.5 s: 11 tasks sent: 5 used, 1 too late to be used, 1 wrong, thrown out, 2 lost, "
        "2 not awaited."
    )
