"""The record of a run: all of it goes into the file and comes back, and a foreign or broken file is refused."""

import copy
import json
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import anyk
from anyk.errors import InputError
from anyk.job.messages import Left, Result
from anyk.report import page, predictions, read, recorded, recorded_failure, save_run, view, write_record
from anyk.report.reading import _RULES, parsed
from anyk.report.record import Record
from tests.report.stories import OPERANDS, PLANNED, product, story


@pytest.fixture
def written(tmp_path):
    """What the file of a run holds."""
    save_run(product(), tmp_path / "run.json", operands=OPERANDS, engine="processes", planned=PLANNED)
    return read(tmp_path / "run.json")


def test_what_was_recorded_comes_back(written):
    assert parsed(written) == recorded(product(), operands=OPERANDS, engine="processes", planned=PLANNED)


def test_the_record_tells_the_whole_story(written):
    record = parsed(written)

    assert {name: record.count(name) for name in ("used", "answered", "wrong", "lost", "cancelled")} == {
        "used": 5,
        "answered": 1,
        "wrong": 1,
        "lost": 2,
        "cancelled": 2,
    }
    assert [(moment.kind, moment.worker) for moment in record.moments] == [("joined", 0), ("left", 6), ("done", None)]
    assert [(each.answers, each.suspects) for each in record.decodings] == [(5, (1,)), (5, None)]
    assert record.decodings[-1].error == 3e-15
    assert record.ended_seconds == 2.5
    assert record.moved == (1_000_000, 250_000, 0)


def test_expected_errors_are_foreseen_in_the_order_the_answers_came(written):
    record, code = parsed(written), anyk.codes.matdot(3, 8)
    order = [2, 3, 4, 0, 1, 7]

    assert [answers for answers, _ in record.foreseen] == [1, 2, 3, 4, 5, 6]
    assert [error for _, error in record.foreseen] == [code.expected_error(order[:count]) for count in range(1, 7)]


def test_a_run_without_a_product_is_recorded_too(tmp_path):
    steps, job = story([Result(0, 0, 100.5), *(Left(worker, 101.0, "gone") for worker in range(1, 8))], retries=0)
    write_record(recorded_failure(steps, job.reason, anyk.codes.matdot(3, 8)), tmp_path / "run.json")
    record = parsed(read(tmp_path / "run.json"))

    assert not record.finished
    assert record.count("lost") == 4  # from then on it is hopeless, and nobody is asked any more
    assert [each.kind for each in record.moments].count("failed") == 1
    assert "No product" in page(read(tmp_path / "run.json"))


def test_products_without_a_story_are_recorded(tmp_path):
    code, rng = anyk.codes.matdot(2, 4), np.random.default_rng(0)
    A, B = rng.standard_normal((8, 6)), rng.standard_normal((6, 4))
    blocks = code.encode(A, B)
    products = [
        anyk.decode(code, {task: blocks[0][task] @ blocks[1][task] for task in (0, 1, 3)}),
        anyk.matmul(A[:0], B, code, engine="inline"),
        anyk.matmul(A[0], B[:, 0], code, engine="inline"),
        anyk.matmul(np.arange(6).reshape(2, 3), np.ones((3, 2), int), code, engine="inline"),
    ]

    for each in products:
        save_run(each, tmp_path / "run.json")
        written = read(tmp_path / "run.json")
        assert "<h1>" in page(written)
        assert view(written, "svg").startswith(b"<svg")
        assert json.loads(view(written, "trace"))["traceEvents"]


def test_numbers_that_json_does_not_know_are_unknown(tmp_path):
    save_run(product(error=float("nan")), tmp_path / "run.json")

    assert parsed(read(tmp_path / "run.json")).error is None
    assert "unknown" in page(read(tmp_path / "run.json"))


def test_an_old_file_is_replaced_whole_or_not_at_all(tmp_path):
    save_run(product(), tmp_path / "run.json")
    with pytest.raises(InputError, match=r"was not written"):
        save_run(product(), tmp_path / "missing" / "run.json")

    save_run(product(error=0.5), tmp_path / "run.json")
    assert parsed(read(tmp_path / "run.json")).error == 0.5
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_entries_alone_have_no_story(tmp_path):
    with pytest.raises(InputError, match=r"ndarray came\. Pass what `anyk.matmul` returned"):
        save_run(np.eye(3), tmp_path / "run.json")


# --- predictions ------------------------------------------------------------------------------------------------------


def test_a_candidate_of_a_plan_is_kept(tmp_path):
    best = anyk.plan((600, 600), (600, 600), workers=8, stragglers=2, delays="lambda").best

    kept = recorded(product(), planned=best).planned

    assert kept == {
        "code": best.code.name,
        "answers": best.answers,
        "seconds": best.seconds,
        "error": best.error,
        "worst_error": best.worst_error,
        "memory": best.memory,
        "upload": best.upload,
        "download": best.download,
    }


def test_a_prediction_nobody_knows_is_refused():
    with pytest.raises(InputError, match=r"knows no prediction called 'luck'. Use code, answers"):
        recorded(product(), planned={"luck": 1.0})
    with pytest.raises(ValueError, match="seconds is -1"):
        predictions({"seconds": -1})


# --- files that are not what they should be ---------------------------------------------------------------------------


def test_every_field_has_its_rule():
    for kind, rules in _RULES.items():
        assert set(rules) == {each.name for each in fields(kind)}, kind


@pytest.mark.parametrize("name", [each.name for each in fields(Record)])
def test_a_file_without_a_field_is_refused(written, name):
    with pytest.raises(InputError, match=rf"cannot be shown: ValueError the run has no '{name}'"):
        page({key: value for key, value in written.items() if key != name})


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"version": 2}, "it has version 2, and this anyk reads 1"),
        ({"version": None}, "version None"),
        ({"finished": 1}, "neither true nor false, but 1"),
        ({"error": "small"}, "no finite number, but 'small'"),
        ({"error": -1.0}, "negative"),
        ({"seconds": [1.0]}, "holds no names"),
        ({"seconds": {"total": 1e400}}, "seconds of the run.total is no finite number"),
        ({"attempts": {}}, "attempts of the run is no list"),
        ({"attempts": [{"task": 1}]}, r"attempts of the run\[0\] has no 'worker'"),
        ({"attempts": [None]}, r"attempts of the run\[0\] has no fields"),
        ({"code": "matdot"}, "code of the run has no fields"),
        ({"planned": {"luck": 1}}, "planned has 'luck'"),
        ({"moved": [1, 2]}, "holds 2 numbers, and must hold 3"),
        ({"foreseen": [[1]]}, "is no pair"),
        ({"survivors": [10**9]}, "is no count"),
        ({"operands": [[1, 2]]}, "is no pair"),
    ],
)
def test_a_broken_file_is_refused_with_the_place(written, change, told):
    for show in (page, *(lambda given, name=name: view(given, name) for name in ("svg", "png", "trace"))):
        with pytest.raises(InputError, match=told):
            show({**written, **change})


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"outcome": "eaten"}, "must be one of used"),
        ({"sent_seconds": -5.0}, "before the job began"),
        ({"ended_seconds": True}, "no finite number"),
        ({"worker": -1}, "no count"),
    ],
)
def test_a_broken_sending_is_refused(written, row, told):
    broken = copy.deepcopy(dict(written))
    broken["attempts"][0].update(row)

    with pytest.raises(InputError, match=told):
        page(broken)


def test_a_view_is_of_a_product_alone():
    with pytest.raises(InputError, match="no trace of a run of kind 'training', only of a product's"):
        view({"kind": "training"}, "trace")


WRITTEN = recorded(product(), operands=OPERANDS, planned=PLANNED).as_dict()
SCALARS = st.none() | st.booleans() | st.integers(-3, 10**12) | st.floats() | st.text(max_size=3)
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)


@settings(max_examples=60)
@given(name=st.sampled_from([each.name for each in fields(Record)]), value=ANYTHING)
def test_whatever_stands_in_a_field_it_is_shown_or_refused(name, value):
    told = page_or_refusal({**WRITTEN, name: value})

    assert told.endswith("</html>\n") or "cannot be shown" in told


def page_or_refusal(written):
    try:
        return page(written)
    except InputError as refusal:
        return str(refusal)
