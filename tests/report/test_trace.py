"""The trace follows the Trace Event Format: the fields each kind of event must have, and slices that never overlap."""

import json
from collections import defaultdict

import pytest

from anyk.report import recorded, view
from tests.report.stories import OPERANDS, product

#: Of the format's document: kind of event -> the fields it needs besides name, ph, pid and tid, and their types.
NEEDED = {
    "X": {"ts": float, "dur": float, "cat": str},
    "i": {"ts": float, "s": str},
    "C": {"ts": float, "args": dict},
    "M": {"args": dict},
}
METADATA = {"process_name": "name", "process_sort_index": "sort_index", "thread_name": "name"}
METADATA |= {"thread_sort_index": "sort_index"}


@pytest.fixture
def trace():
    return json.loads(view(recorded(product(), operands=OPERANDS).as_dict(), "trace"))


def slices(trace):
    return [event for event in trace["traceEvents"] if event["ph"] == "X"]


def test_it_is_the_object_form_with_times_in_milliseconds(trace):
    assert set(trace) == {"traceEvents", "displayTimeUnit", "otherData"}
    assert trace["displayTimeUnit"] in ("ms", "ns")
    assert all(isinstance(value, str) for value in trace["otherData"].values())


def test_every_event_has_the_fields_of_its_kind(trace):
    for event in trace["traceEvents"]:
        assert isinstance(event["name"], str), event
        assert type(event["pid"]) is int, event
        assert type(event["tid"]) is int, event
        for name, kind in NEEDED[event["ph"]].items():
            assert isinstance(event[name], int | float if kind is float else kind), (name, event)
        assert event.get("ts", 0) >= 0
        assert event.get("dur", 0) >= 0
        if event["ph"] == "i":
            assert event["s"] in ("g", "p", "t")
        if event["ph"] == "C":
            assert all(isinstance(value, int | float) for value in event["args"].values())
        if event["ph"] == "M":
            assert METADATA[event["name"]] in event["args"]


def test_every_sending_is_a_slice_on_its_workers_thread(trace):
    record = recorded(product())
    threads = {
        event["tid"]: event["args"]["name"]
        for event in trace["traceEvents"]
        if event["name"] == "thread_name" and event["pid"] == 2
    }
    tasks = [event for event in slices(trace) if event["pid"] == 2]

    assert set(threads.values()) == {f"worker {row.worker}" for row in record.attempts}
    assert sorted((event["args"]["task"], event["args"]["attempt"]) for event in tasks) == sorted(
        (row.task, row.attempt) for row in record.attempts
    )
    by_outcome = {row.outcome for row in record.attempts}
    assert {event["cat"] for event in tasks} == by_outcome


def test_slices_of_one_thread_do_not_overlap(trace):
    rows = defaultdict(list)
    for event in slices(trace):
        rows[event["pid"], event["tid"]].append((event["ts"], event["ts"] + event["dur"]))

    assert len(rows) > 8
    for row in rows.values():
        for (_, end), (start, _) in zip(sorted(row), sorted(row)[1:], strict=False):
            assert start >= end - 0.01  # hundredths of a microsecond are rounding


def test_the_masters_work_comes_first_and_shifts_the_job(trace):
    named = {event["name"]: event for event in slices(trace) if event["pid"] == 1}
    began = min(event["ts"] for event in slices(trace) if event["pid"] == 2)

    assert (named["probe"]["ts"], named["encode"]["ts"]) == (0, 1e5)
    assert began == pytest.approx(5e5)
    assert named["job"]["dur"] == pytest.approx(2.5e6)
    assert named["decode"]["args"] == {"answers": 5, "error": 3e-15}
    assert named["wrong answers found"]["args"] == {"answers": 5, "wrong": [1]}


def test_the_counter_of_answers_ends_with_all_that_came(trace):
    counts = [event["args"]["answers"] for event in trace["traceEvents"] if event["ph"] == "C"]

    assert counts == [1, 2, 3, 4, 5, 4, 5, 6]  # one is thrown out on the way
