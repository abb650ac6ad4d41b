"""A run as a trace for ui.perfetto.dev and chrome://tracing: the JSON of the Trace Event Format.

Process 1 is the master: its phases and decodings, a counter of answers. Process 2 has a thread per worker, a slice per
task. Times are microseconds; the master's work before the job began comes first, so that none is negative.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from anyk.report.lanes import NAMES, arrivals, lanes
from anyk.report.reading import parsed
from anyk.report.record import Record

_MASTER, _WORKERS = 1, 2
#: Threads of the master.
_PHASES, _DECODING = 1, 2
#: What the old viewer paints slices with; Perfetto chooses its own colours.
_COLOURS = {"used": "good", "answered": "rail_animation", "wrong": "terrible", "lost": "bad", "cancelled": "grey"}
#: Work of the master before the first task is sent.
_BEFORE = ("start", "probe", "encode")

Event = dict[str, Any]


def trace(written: Mapping[str, Any]) -> dict[str, Any]:
    """The trace of a product's run.

    Args:
        written: what `anyk.report.save_run` wrote.

    Returns:
        An object ready for JSON: ``traceEvents``, ``displayTimeUnit``, ``otherData``.
    """
    record = parsed(written)
    before = sum(record.seconds.get(phase, 0.0) for phase in _BEFORE)
    events = [*_names(record), *_phases(record), *_tasks(record, before), *_moments(record, before)]
    events += [*_decodings(record, before), *_answers(record, before)]
    code = record.code
    return {
        "traceEvents": events,
        "displayTimeUnit": "ms",
        "otherData": {
            "program": "anyk",
            "code": code.name if code else "",
            "reason": record.reason,
            "dtype": record.dtype,
        },
    }


def _names(record: Record) -> Iterator[Event]:
    for process, name in ((_MASTER, "master"), (_WORKERS, "workers")):
        yield _named("process_name", process, 0, name)
        yield {**_event("M", "process_sort_index", process, 0), "args": {"sort_index": process}}
    yield _named("thread_name", _MASTER, _PHASES, "phases")
    yield _named("thread_name", _MASTER, _DECODING, "decodings")
    for lane in lanes(record):
        yield _named("thread_name", _WORKERS, lane.worker + 1, f"worker {lane.worker}")
        yield {
            **_event("M", "thread_sort_index", _WORKERS, lane.worker + 1),
            "args": {"sort_index": lane.worker},
        }


def _phases(record: Record) -> Iterator[Event]:
    """What the master did before the job; the rest of its time is decodings and waiting."""
    start = 0.0
    for phase in _BEFORE:
        if phase in record.seconds:
            yield _slice(phase, "phase", _MASTER, _PHASES, start, record.seconds[phase])
            start += record.seconds[phase]
    ends = [moment.at for moment in record.moments if moment.kind in ("done", "failed")]
    if ends:
        yield _slice("job", "phase", _MASTER, _PHASES, start, max(ends))


def _tasks(record: Record, before: float) -> Iterator[Event]:
    for lane in lanes(record):
        for bar in lane.bars:
            row = bar.stretch
            name = f"task {row.task}" + (f", sending {row.attempt + 1}" if row.attempt else "")
            event = _slice(name, row.outcome, _WORKERS, lane.worker + 1, before + bar.began, bar.ended - bar.began)
            args = {"outcome": NAMES[row.outcome], "task": row.task, "attempt": row.attempt, "band": row.band}
            args |= {"sent_seconds": row.sent_seconds} | ({"cause": row.cause} if row.cause else {})
            yield {**event, "cname": _COLOURS[row.outcome], "args": args}


def _moments(record: Record, before: float) -> Iterator[Event]:
    for moment in record.moments:
        at = _micro(before + moment.at)
        if moment.worker is None:
            name = {"done": "product", "failed": "given up"}[moment.kind]
            yield {**_event("i", name, _MASTER, _PHASES, at), "cat": "moment", "s": "g"}
        else:
            name = {"left": "worker gone", "joined": "worker replaced"}[moment.kind]
            yield {
                **_event("i", name, _WORKERS, moment.worker + 1, at),
                "cat": "moment",
                "s": "t",
                "args": {"why": moment.words},
            }


def _decodings(record: Record, before: float) -> Iterator[Event]:
    for each in record.decodings:
        name = "decode" if each.suspects is None else "wrong answers found"
        event = _slice(name, "decode", _MASTER, _DECODING, before + each.began, max(0.0, each.ended - each.began))
        args: dict[str, Any] = {"answers": each.answers}
        args |= {} if each.error is None else {"error": each.error}
        args |= {} if each.suspects is None else {"wrong": list(each.suspects)}
        yield {**event, "args": args}


def _answers(record: Record, before: float) -> Iterator[Event]:
    """A counter, from nothing for each band."""
    for band in arrivals(record):
        for at, answers in band:
            yield {**_event("C", "answers", _MASTER, _PHASES, _micro(before + at)), "args": {"answers": answers}}


# --- pieces -----------------------------------------------------------------------------------------------------------


def _event(phase: str, name: str, process: int, thread: int, at: float = 0.0) -> Event:
    return {"ph": phase, "name": name, "pid": process, "tid": thread, "ts": at}


def _named(what: str, process: int, thread: int, name: str) -> Event:
    return {**_event("M", what, process, thread), "args": {"name": name}}


def _slice(name: str, category: str, process: int, thread: int, at: float, seconds: float) -> Event:
    return {**_event("X", name, process, thread, _micro(at)), "cat": category, "dur": _micro(seconds)}


def _micro(seconds: float) -> float:
    return round(1e6 * seconds, 3)
