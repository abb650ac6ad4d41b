"""Pages of runs: self-contained, complete, and safe whatever the file holds."""

import json
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from anyk.errors import InputError
from anyk.report import page, read
from anyk.report.curves import curve
from anyk.report.error_map import LEVELS, error_map, legend, level
from anyk.report.html import resource

RUN = {
    "kind": "training",
    "configuration": {"data": "digits", "hidden": [8], "steps": 4, "error_rate": 0.01, "seed": 0},
    "layers": [64, 8, 10],
    "code": {
        "name": "generalized_polydot",
        "rows": 2,
        "inner": 2,
        "nodes": 3,
        "forward_threshold": 5,
        "backward_threshold": 6,
        "tolerance": {"forward": 4, "backward": 3, "update": 4, "stored": 5},
    },
    "accuracy": 0.9721,
    "finished": True,
    "reason": "",
    "steps": 4,
    "executed": 6,
    "rollbacks": 1,
    "errors_injected": 1234,
    "errors_located": 3,
    "blocks_regenerated": 1,
    "copies_refreshed": 0,
    "products_repeated": 0,
    "nodes_evicted": 0,
    "errors_by_step": {"decode": 3, "activation": 1},
    "losses": [2.0, None, 1.0, 0.5],
    "accuracies": [[2, 0.5], [4, 0.9721]],
    "error_map": {
        "steps_per_column": 2,
        "injected": [[0, 1, 0], [2, 0, 0], [0, 0, 7]],
        "located": [[0, 0, 0], [0, 0, 0], [0, 0, 0]],
    },
    "seconds": 1.5,
}


class Tags(HTMLParser):
    """Everything a page opens, and whether it closes it."""

    def __init__(self, text):
        super().__init__()
        self.open, self.seen, self.links = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        self.links += [value for name, value in attrs if name in ("src", "href", "srcset", "xlink:href")]
        if tag not in ("meta",):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_of_a_training_run_shows_all_that_matters():
    text = page(RUN)
    words = re.sub(r"<[^>]*>", " ", text)

    for told in ("97.21 %", "1,234", "roll-backs", "in decode", "64 – 8 – 10", "5 forward, 6 backward", "node 2"):
        assert told in words, told
    assert "None." in words  # no error was found


def test_the_page_is_well_formed_and_fetches_nothing():
    text = page(RUN)
    tags = Tags(text)

    assert tags.open == []
    assert tags.links == []
    assert tags.seen.count("script") == 1
    assert not re.search(r"url\((?!#)|@import|https?:", text)
    assert text.count('role="img"') == 3  # two curves and one map


def test_words_in_a_file_stay_words():
    bad = '<script>alert(1)</script>&"'
    text = page({**RUN, "reason": bad, "finished": False, "configuration": {**RUN["configuration"], "data": bad}})

    assert Tags(text).seen.count("script") == 1, "the page's own"
    assert "alert(1)</script>" not in text
    assert "&lt;script&gt;" in text


@pytest.mark.parametrize(
    ("missing", "wrong"), [("losses", None), ("error_map", {"steps_per_column": 1}), ("code", 3), ("accuracy", "x")]
)
def test_a_run_that_is_not_whole_is_refused(missing, wrong):
    with pytest.raises(InputError, match="cannot be shown"):
        page({**RUN, missing: wrong})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "cannot be read as JSON"),
        ("[1, 2]", "not what a run wrote"),
        ("{}", "not what a run wrote"),
        ("[" * 100_000, "cannot be read as JSON"),
    ],
)
def test_a_file_that_no_run_wrote_is_refused(tmp_path, text, told):
    (tmp_path / "run.json").write_text(text)

    with pytest.raises(InputError, match=told):
        read(tmp_path / "run.json")


def test_an_unknown_kind_says_which_there_are(tmp_path):
    (tmp_path / "run.json").write_text(json.dumps({"kind": "lunch"}))

    with pytest.raises(InputError, match="There are pages for training"):
        page(read(tmp_path / "run.json"))


# --- pictures ---------------------------------------------------------------------------------------------------------


def drawn(picture):
    """The plot of a picture as a tree."""
    return ElementTree.fromstring(f"<svg>{picture.plot}</svg>")


def points(picture):
    """The line of a curve."""
    line = drawn(picture).find(".//polyline").attrib["points"]
    return [tuple(map(float, point.split(","))) for point in line.split()]


def titles(picture):
    return [title.text for title in drawn(picture).iter("title")]


def test_a_curve_goes_through_its_points():
    (x0, y0), (x1, y1), (x2, y2) = points(curve([(0, 0.0), (5, 0.5), (10, 1.0)], 10, "some", unit=True))

    assert (x0, x1, x2) == (0, 50, 100)
    assert y1 == pytest.approx((y0 + y2) / 2, abs=0.1)
    assert y0 > y2  # up is less in SVG


def test_many_points_are_drawn_as_a_band_and_its_mean():
    picture = curve([(step, step % 2) for step in range(10_000)], 10_000, "some")

    assert drawn(picture).find(".//polygon") is not None
    assert len(points(picture)) <= 240
    assert len(picture.plot) < 100_000
    assert titles(picture)[0] == "Updates 0 to 41: some 0.5 on average, from 0 to 1."


def test_every_point_of_a_curve_tells_its_value():
    assert titles(curve([(1, 2.0), (2, float("nan")), (3, 1.0)], 4, "loss")) == [
        "Update 1: loss 2.",
        "Update 3: loss 1.",
    ]


def test_a_curve_that_leaps_is_drawn_on_logarithms():
    heights = [y for _, y in points(curve([(1, 1.0), (2, 1.0), (3, 1.0), (4, 1e3), (5, 1e6)], 5, "loss"))]

    assert heights[2] - heights[3] == pytest.approx(heights[3] - heights[4], abs=0.2)


@pytest.mark.parametrize("values", [[], [(1, float("nan"))], [(1, 0.0)], [(1, float("inf")), (2, 1.0)]])
def test_a_curve_of_next_to_nothing_is_a_picture_all_the_same(values):
    assert drawn(curve(values, 0, "some")) is not None


def test_a_map_draws_every_count_that_is_not_zero_at_its_node_and_update():
    picture = error_map([[0, 1, 0], [3, 0, 3]], 5, 2, "errors injected")
    cells = [(rect.attrib["class"], rect.attrib["x"], rect.attrib["width"]) for rect in drawn(picture).iter("rect")]

    assert cells[1:] == [
        ("level-0", "40.00%", "40.00%"),
        ("level-7", "0.00%", "40.00%"),
        ("level-7", "80.00%", "20.00%"),
    ]
    assert titles(picture) == [
        "Node 0, updates 3 to 4, errors injected: 1.",
        "Node 1, updates 1 to 2, errors injected: 3.",
        "Node 1, update 5, errors injected: 3.",
    ]
    assert re.findall(r">([^<]+)</text>", picture.names) == ["node 0", "node 1"]
    assert [text.text for text in drawn(picture).iter("text")][:2] == ["1", "6"]


def test_few_counts_have_a_colour_each_and_many_share_them():
    assert [level(count, 8) for count in range(1, 9)] == list(range(8))
    assert level(1, 1000) == 0
    assert level(1000, 1000) == LEVELS - 1
    assert re.findall(r"</i>([^<]+)", legend(3)) == ["0", "1", "2", "3"]
    assert re.findall(r"</i>([^<]+)", legend(10**6))[1:3] == ["1–71,429", "71,430–214,286"]


def test_more_lies_further_from_the_ground_in_light_and_in_dark():
    light, dark = resource("training.css").split("@media", 1)

    def brightness(style):
        colours = dict(re.findall(r"--level-(\d): #(\w{6})", style))
        return [
            sum(int(colours[str(at)][part : part + 2], 16) * share for part, share in ((0, 0.21), (2, 0.72), (4, 0.07)))
            for at in range(LEVELS)
        ]

    assert brightness(light) == sorted(brightness(light), reverse=True)
    assert brightness(dark) == sorted(brightness(dark))
