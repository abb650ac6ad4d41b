"""The explorer computes in the page what the library computes: the same thresholds, sizes, sets and errors."""

import json
import re
import shutil
import subprocess
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import pytest

import anyk
from anyk.bases import digit_tables, scattered
from anyk.code import WORST_USEFUL_ERROR, Code
from anyk.errors import CodeError
from anyk.partition import Partition
from anyk.verbs.screen import Screening
from anyk.weights import product_error
from tests.report.browser import Browser, find_browser

FORMULAS = Path(__file__).parents[2] / "docs/_static/explorer/formulas.js"
APPROXIMATE = FORMULAS.with_name("approximate.js")

#: Partition and workers: every partition up to 3 x 3 x 3 on workers too few, and enough, and larger ones.
CUTS = [
    (cut, max(1, int(times * np.prod(cut)) + extra))
    for cut in product((1, 2, 3), repeat=3)
    for times, extra in (((1, -1), (2, 1)) if sum(cut) % 2 else ((2, 0),))
]
CUTS += [((4, 1, 4), 16), ((4, 2, 4), 40), ((5, 2, 3), 31), ((1, 10, 1), 24), ((2, 6, 2), 40)]
CUTS += [((10, 1, 1), 12), ((3, 3, 4), 42), ((4, 4, 1), 19)]
SIZES = (1000, 777, 1234)

#: Runs in Node or in a page: costs of every family at every cut, and what sets of answers amplify.
PROGRAM = """
(settings) => settings.map(({ cut, P, sizes, dtype }) => Object.fromEntries(anykFormulas.FAMILIES.map((family) => {
  const costs = anykFormulas.costs(family, cut, P, sizes, dtype);
  if (!costs.exists || family.kind === "table") return [family.name, { ...costs, family }];
  const code = anykFormulas.prepared(family, costs.cut, P, anykFormulas.generator(5));
  const answers = [costs.threshold, (costs.threshold + costs.tasks) >> 1, costs.tasks];
  const sets = answers.flatMap((count) => [
    ...anykFormulas.randomSets(costs.tasks, count, 3, anykFormulas.generator(count)),
    ...(code.neighbours ? [code.neighbours(count)] : []),
  ]);
  const amplified = sets.map((set) => code.amplification(set));
  const { typical } = anykFormulas.errors(code, costs.tasks, costs.threshold, dtype, 24, anykFormulas.generator(2));
  return [family.name, { ...costs, family, sets, amplified, typical, positions: code.positions, left: code.left,
    right: code.right }];
})))
"""


def computed(program, argument):
    """What the page's JavaScript gives, from Node or else from a browser."""
    scripts = FORMULAS.read_text() + APPROXIMATE.read_text().replace('"use strict";', "")
    if node := shutil.which("node"):
        code = f"{scripts}\nprocess.stdout.write(JSON.stringify(({program})({json.dumps(argument)})))"
        return json.loads(
            subprocess.run([node, "-"], input=code, capture_output=True, text=True, check=True, timeout=100).stdout
        )
    if not find_browser():
        pytest.skip("neither Node nor a browser is here")
    with Browser() as browser:
        browser.show("<!doctype html><title>formulas</title>")
        return browser.evaluate(f"{scripts}\n({program})({json.dumps(argument)})")


@pytest.fixture(scope="module")
def rows():
    """One (family, cut, P, dtype, what the page says) for every setting."""
    asked = [
        {"cut": [int(part) for part in cut], "P": int(P), "sizes": SIZES, "dtype": dtype}
        for cut, P in CUTS
        for dtype in ("float64", "float32")
    ]
    told = computed(PROGRAM, asked)
    return [
        (name, tuple(each["cut"]), each["P"], each["dtype"], row)
        for each, families in zip(asked, told, strict=True)
        for name, row in families.items()
    ]


@cache
def made(name, cut, P, dtype):
    """The library's code for what the page asks; None where it refuses."""
    m, n, p = cut
    wide = {"dtype": "float64"} if dtype == "float64" else {"dtype": dtype}
    calls = {
        "uncoded": lambda: anyk.codes.uncoded(m, n, p),
        "replication": lambda: anyk.codes.replication(m, n, p, max(1, P // (m * n * p))),
        "mds": lambda: anyk.codes.mds(m, P, **wide),
        "polynomial": lambda: anyk.codes.polynomial(m, p, P, **wide),
        "matdot": lambda: anyk.codes.matdot(n, P, **wide),
        "polydot": lambda: anyk.codes.polydot(m, n, p, P, **wide),
        "generalized_polydot": lambda: anyk.codes.generalized_polydot(m, n, p, P, **wide),
        "random_khatri_rao": lambda: anyk.codes.random_khatri_rao(m, p, P, rng=0, **wide),
    }
    try:
        return calls[name]()
    except CodeError:
        return None


def test_what_the_page_loads_is_there():
    loaded = re.findall(r'(?:src|href)="([^"]*)"', (FORMULAS.parents[2] / "explorer.md").read_text())

    assert len(loaded) == 4
    assert all((FORMULAS.parents[2] / each).is_file() for each in loaded)


def test_the_page_knows_every_family(rows):
    assert {name for name, *_ in rows} == set(anyk.codes.CATALOGUE)


def test_thresholds_tasks_and_sizes_are_the_librarys(rows):
    compared = 0
    for name, cut, P, dtype, row in rows:
        if row["family"]["kind"] == "table" or not row["exists"]:
            continue
        code = made(name, cut, P, "float64")
        if code is None:
            continue  # too inexact; a test of its own
        entry = np.dtype(dtype).itemsize
        a, b = code.partition.left_block(SIZES[:2]), code.partition.right_block(SIZES[1:])
        c = code.partition.result_block((SIZES[0], SIZES[2]))
        expected = {
            "cut": [code.partition.rows, code.partition.inner, code.partition.cols],
            "threshold": code.recovery_threshold,
            "tasks": code.workers,
            "leftBytes": entry * np.prod(a),
            "rightBytes": entry * np.prod(b),
            "answerBytes": entry * np.prod(c),
            "workerBytes": entry * (np.prod(a) + np.prod(b) + np.prod(c)),
            "upBytes": entry * code.workers * (np.prod(a) + np.prod(b)),
            "downBytes": entry * code.recovery_threshold * np.prod(c),
        }
        assert {key: row[key] for key in expected} == expected, (name, cut, P)
        assert row["work"] == pytest.approx(code.workers * a[0] * a[1] * c[1] / np.prod(SIZES))
        compared += 1

    assert compared > 400


def test_what_the_page_says_cannot_exist_the_library_refuses(rows):
    absent = [(name, cut, P) for name, cut, P, _, row in rows if not row["exists"] and row["family"]["kind"] != "table"]

    assert len(absent) > 20
    for name, cut, P in absent:
        if name in ("uncoded", "replication"):  # they make their own number of tasks
            assert made(name, cut, P, "float64").workers > P
        else:
            assert made(name, cut, P, "float64") is None


def test_positions_are_the_librarys(rows):
    for name, _, P, _, row in rows:
        if row.get("positions"):
            assert row["positions"] == scattered(P).tolist(), name


def test_amplifications_are_the_librarys(rows):
    """Both solve in double precision: they may differ by rounding times the conditioning, which the result shows.

    The library weighs the noise lambda against the residual, in extended precision: which of several exact weights it
    takes, where the tables have no frame, is rounded to eps / lambda, and the norm of the least ones to its square. In
    double precision, where large systems are solved, that is no longer small: then only least is least.
    """
    compared, rounded = 0, 10 * (float(np.finfo(np.longdouble).eps) / product_error("float64")) ** 2
    for name, cut, P, dtype, row in rows:
        if dtype != "float64" or "sets" not in row:
            continue
        code = code_of(name, cut, P, row)
        for survivors, amplified in zip(row["sets"], row["amplified"], strict=True):
            if amplified is None:  # these do not decode
                assert not code.decodes(survivors)
                continue
            expected = code.noise_amplification(survivors)
            tolerance = 1e-10 + 1e3 * np.finfo(float).eps * amplified + (rounded if code.positions is None else 0)
            if code.positions is None and code.workers > 40:
                assert amplified * (1 - 1e-9) <= expected <= 1.5 * amplified, (name, cut, P, survivors)
            elif tolerance < 1e-2:  # beyond, nothing is left but the order of magnitude
                assert amplified == pytest.approx(expected, rel=tolerance), (name, cut, P, survivors)
            else:
                assert product_error("float64") * amplified > 1e-6
            compared += 1

    assert compared > 2000


def code_of(name, cut, P, row):
    """The code itself, also where the family would refuse it: its tables from the page, or from the formula."""
    m, n, p = row["cut"]
    if name == "random_khatri_rao":
        left, right = np.array(row["left"]).T[:, None], np.array(row["right"]).T[None]
        return Code(name, Partition(m, n, p), left, right, row["threshold"])
    if code := made(name, cut, P, "float64"):
        return code
    stride = 2 * n - 1 if name == "polydot" else n
    left, right, positions = digit_tables(m, n, p, P, stride=stride, basis="trigonometric")
    return Code(name, Partition(m, n, p), left, right, row["threshold"], positions=positions)


def test_the_page_calls_inexact_what_the_library_refuses(rows):
    """Both judge by random sets, each by its own: only a clear case must agree."""
    told = computed(PROGRAM, [{"cut": [6, 1, 6], "P": 120, "sizes": SIZES, "dtype": "float32"}])[0]

    assert made("polynomial", (6, 1, 6), 120, "float32") is None
    assert told["polynomial"]["typical"] > WORST_USEFUL_ERROR / 10
    for name, cut, P, dtype, row in rows:
        if row["family"]["kind"] == "circle" and row["exists"] and made(name, cut, P, dtype):
            assert row["typical"] < WORST_USEFUL_ERROR * 10, (name, cut, P, dtype)


def test_answers_to_await_for_wrong_ones_are_the_librarys():
    kinds = {
        "checked": ("checked", "random"),
        "random": ("syndrome", "random"),
        "adversarial": ("syndrome", "adversarial"),
    }
    asked = [[wrong, screen] for wrong in range(4) for screen in kinds]

    told = computed("(asked) => asked.map(([wrong, screen]) => anykFormulas.extra(wrong, screen))", asked)

    assert told == [Screening(wrong, *kinds[screen]).extra for wrong, screen in asked]


def test_design_errors_are_tabulated_and_lie_between_their_neighbours():
    from benchmarks.explorer import design_error

    asked = [
        ("approximate_matdot", (1, 3, 1), 6, "float64"),
        ("approximate_matdot", (1, 4, 1), 8, "float64"),
        ("approximate_matdot", (1, 2, 1), 4, "float32"),
        ("approximate_polydot", (1, 2, 2), 6, "float64"),
        ("approximate_polydot", (2, 2, 2), 10, "float64"),
    ]
    told = computed(
        "(asked) => asked.map(([family, cut, P, dtype]) => "
        "anykFormulas.designError(globalThis.anykApproximate[family], cut, P, dtype))",
        asked,
    )
    between, low, high = computed(
        "(asked) => asked.map((P) => "
        "anykFormulas.designError(anykApproximate.approximate_matdot, [1, 4, 1], P, 'float64'))",
        [7, 6, 8],
    )

    # A finer search among candidates moves a digit; more than that, and `python -m benchmarks.explorer` is due.
    assert told == pytest.approx([design_error(*each) for each in asked], rel=0.1)
    assert low < between < high
