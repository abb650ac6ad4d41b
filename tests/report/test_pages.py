"""Pages of runs: self-contained, complete, and safe whatever the file holds."""

import json
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from anyk.errors import InputError
from anyk.report import page, read, svg

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
    pictures = re.findall(r"<svg.*?</svg>", text, re.DOTALL)

    assert tags.open == []
    assert tags.links == []
    assert "script" not in tags.seen
    assert not re.search(r"url\(|@import", text)
    assert set(re.findall(r"https?://[^\"]+", text)) == {"http://www.w3.org/2000/svg"}  # a name, not an address
    assert len(pictures) == 4  # two curves, one map and its legend
    assert all(ElementTree.fromstring(picture).attrib["role"] == "img" for picture in pictures)


def test_words_in_a_file_stay_words():
    bad = '<script>alert(1)</script>&"'
    text = page({**RUN, "reason": bad, "finished": False, "configuration": {**RUN["configuration"], "data": bad}})

    assert "script" not in Tags(text).seen
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


def points(picture):
    """The line of a curve."""
    line = ElementTree.fromstring(picture).find("{*}polyline").attrib["points"]
    return [tuple(map(float, point.split(","))) for point in line.split()]


def test_a_curve_goes_through_its_points():
    (x0, y0), (x1, y1), (x2, y2) = points(svg.curve([(0, 0.0), (5, 0.5), (10, 1.0)], 10, "some", unit=True))

    assert x1 == pytest.approx((x0 + x2) / 2, abs=0.1)
    assert y1 == pytest.approx((y0 + y2) / 2, abs=0.1)
    assert x0 < x2
    assert y0 > y2  # up is less in SVG


def test_many_points_are_drawn_as_a_band_and_its_mean():
    picture = svg.curve([(step, step % 2) for step in range(10_000)], 10_000, "some")

    assert "polygon" in picture
    assert len(points(picture)) <= 240
    assert len(picture) < 20_000


def test_a_curve_that_leaps_is_drawn_on_logarithms():
    heights = [y for _, y in points(svg.curve([(1, 1.0), (2, 1.0), (3, 1.0), (4, 1e3), (5, 1e6)], 5, "loss"))]

    assert heights[2] - heights[3] == pytest.approx(heights[3] - heights[4], abs=0.2)


@pytest.mark.parametrize("values", [[], [(1, float("nan"))], [(1, 0.0)], [(1, float("inf")), (2, 1.0)]])
def test_a_curve_of_next_to_nothing_is_a_picture_all_the_same(values):
    assert ElementTree.fromstring(svg.curve(values, 0, "some")) is not None


def test_a_map_draws_every_count_that_is_not_zero():
    root = ElementTree.fromstring(svg.heat_map([[0, 1, 0], [3, 0, 3]], 3, "some"))
    cells = {path.attrib["fill"]: path.attrib["d"].count("M") for path in root.findall("{*}path")}

    assert cells == {svg.LEVELS[0]: 1, svg.LEVELS[-1]: 2}
    assert [text.text for text in root.findall("{*}text")][:4] == ["node 0", "1", "node 1", "6"]


def test_colours_grow_darker_with_the_count():
    brightness = [
        sum(int(colour[at : at + 2], 16) * part for at, part in ((1, 0.21), (3, 0.72), (5, 0.07)))
        for colour in svg.LEVELS
    ]

    assert brightness == sorted(brightness, reverse=True)
    assert [svg.level(count, 8) for count in range(1, 9)] == list(range(8))
    assert svg.level(1, 1000) == 0
    assert svg.level(1000, 1000) == 7
