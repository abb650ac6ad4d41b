"""What the record says of time, memory, losses and the plan, as rows for the page."""

from collections.abc import Iterator
from math import ceil

import numpy as np

from anyk.report import said
from anyk.report.record import PLANNED, Record

#: (name, where it begins, how long it is, both as parts of the whole, number, class)
Row = tuple[str, float, float, str, str]

_SAID = {"seconds": said.time, "error": said.error, "worst_error": said.error}
_SAID |= dict.fromkeys(("memory", "upload", "download"), said.size)

#: Phases in the order they begin; what is not named here comes after them.
_PHASES = ("start", "probe", "encode", "collect", "screen", "decode", "measure")
_WORDS = {
    "start": "start, cut and encode",
    "probe": "draw probes",
    "encode": "cut and encode",
    "collect": "wait for answers",
    "screen": "look for wrong ones",
    "decode": "decode",
    "measure": "measure the error",
}


def phases(record: Record) -> list[Row]:
    """One bar per phase, each beginning where the one before ended."""
    known = {name: seconds for name, seconds in record.seconds.items() if name != "total"}
    spent = sum(known.values())
    rest = record.seconds.get("total", 0.0) - spent
    if "collect" not in known and "start" in known and rest > 0:  # a stream waits whenever it does nothing else
        known["collect"], spent, rest = rest, spent + rest, 0.0
    whole = spent + max(0.0, rest)
    if not known or not whole:
        return []
    rows, start = [], 0.0
    for name in (*(name for name in _PHASES if name in known), *(name for name in known if name not in _PHASES)):
        rows.append(_phase(_WORDS.get(name, name), start, known[name], whole, ""))
        start += known[name]
    if rest > 0.005 * whole:
        rows.append(_phase("everything else", start, rest, whole, "rest"))
    return rows


def _phase(name: str, start: float, seconds: float, whole: float, kind: str) -> Row:
    share = seconds / whole
    return name, start / whole, share, f"{said.time(seconds)} · {100 * share:.0f} %", kind


def memory(record: Record) -> list[Row]:
    """One bar per matrix in memory, as the shapes tell, and one for the peak that was measured."""
    sizes = [*_sizes(record)]
    if record.peak_bytes is not None:
        sizes.append(("peak of the master's process", float(record.peak_bytes), "rest"))
    most = max((size for _, size, _ in sizes), default=0.0)
    return [(name, 0.0, size / most, said.size(size), kind) for name, size, kind in sizes] if most else []


def _sizes(record: Record) -> Iterator[tuple[str, float, str]]:
    entry, blocks = _entry_bytes(record.dtype), _block_bytes(record)
    if entry and record.operands and all(len(shape) == 2 for shape in record.operands):
        (height, depth), (_, width) = record.operands
        yield "A", entry * height * depth, ""
        yield "B", entry * depth * width, ""
        yield "C", entry * height * width, ""
    if blocks and (code := record.code):
        a, b, c = blocks
        many = said.counted(code.workers, "block")
        yield f"coded A, {many}", a * code.workers, ""
        yield f"coded B, {many}", b * code.workers, ""
        yield f"answers, {many}", c * code.workers, ""


def _block_bytes(record: Record) -> tuple[float, float, float] | None:
    """Bytes of one worker's coded blocks of A and B, and of its answer, in one band of rows."""
    code, entry = record.code, _entry_bytes(record.dtype)
    if not (code and entry and record.operands and all(len(shape) == 2 for shape in record.operands)):
        return None
    (height, depth), (_, width) = record.operands
    each = entry * (2 if code.is_complex and np.dtype(record.dtype).kind != "c" else 1)
    rows = ceil(ceil(height / code.rows) / record.bands)
    inner, cols = ceil(depth / code.inner), ceil(width / code.cols)
    return each * rows * inner, each * inner * cols, each * rows * cols


def traffic(record: Record) -> list[Row]:
    """One bar per way that bytes went; nothing where none did."""
    ways = zip(("to the workers", "from the workers", "between workers"), record.moved or (), strict=False)
    rows = [(way, float(count)) for way, count in ways if count]
    most = max((count for _, count in rows), default=0.0)
    return [(way, 0.0, count / most, said.size(count), "") for way, count in rows]


def _entry_bytes(dtype: str) -> int:
    try:
        return np.dtype(dtype).itemsize if dtype else 0
    except TypeError:
        return 0


def compared(record: Record) -> Iterator[tuple[str, str, str, str]]:
    """Rows of (what, planned, happened, how they differ), for all that was planned."""
    came = happened(record)
    for name, words in PLANNED.items():
        if name in (record.planned or {}):
            planned, real = (record.planned or {})[name], came.get(name)
            yield words, _value(name, planned), "–" if real is None else _value(name, real), _difference(planned, real)


def happened(record: Record) -> dict[str, float | str | None]:
    """What became of everything a plan may predict; None where nobody knows, or nothing had to move."""
    up, down, across = record.moved or (0, 0, 0)
    block = _block_bytes(record)
    return {
        "code": record.code.name if record.code else None,
        "answers": len(record.survivors) if record.finished else None,
        "seconds": record.total_seconds,
        "error": record.error,
        "worst_error": record.error,
        "memory": sum(block) if block else None,
        "upload": up or None,
        "download": down + across or None,
    }


def _value(name: str, value: float | str) -> str:
    if isinstance(value, str):
        return value
    return _SAID.get(name, said.number)(value)


def _difference(planned: float | str, real: float | str | None) -> str:
    if real is None or isinstance(planned, str) or isinstance(real, str):
        return "" if real is None else "as planned" if planned == real else "another one"
    if planned == real:
        return "as planned"
    if not planned or not real:
        return "–"
    ratio = real / planned
    return (
        f"{100 * (ratio - 1):+.0f} %"
        if 0.5 < ratio < 2
        else f"{said.number(max(ratio, 1 / ratio))} times " + ("more" if ratio > 1 else "less")
    )


def events(record: Record) -> Iterator[tuple[float, str]]:
    """What was out of the ordinary, in the order of time: (seconds, words)."""
    told: list[tuple[float, int, str]] = []
    for row in record.attempts:
        ended = row.ended_seconds or 0.0
        if row.outcome == "lost":
            told.append((ended, 1, f"Task {row.task} was lost on worker {row.worker}{_because(row.cause)}"))
        elif row.outcome == "answered":
            told.append((ended, 1, f"Task {row.task} was answered by worker {row.worker}, too late to be used."))
        if row.attempt:
            told.append((row.sent_seconds, 3, f"Task {row.task} was sent again, to worker {row.worker}."))
    for moment in record.moments:
        if moment.kind == "left":
            told.append((moment.at, 0, f"Worker {moment.worker} was gone{_because(moment.words)}"))
        elif moment.kind == "joined":
            told.append((moment.at, 2, f"Worker {moment.worker} was replaced by a fresh one."))
    for decoding in record.decodings:
        if decoding.suspects:
            words = f"Wrong answers were found: {said.tasks(decoding.suspects)}. Thrown out."
            told.append((decoding.ended, 0, words))
        elif decoding.suspects is not None:
            words = f"{decoding.answers} answers contradicted one another; more were awaited."
            told.append((decoding.ended, 0, words))
    yield from ((at, words) for at, _, words in sorted(told))
    ends = [moment for moment in record.moments if moment.kind in ("done", "failed")]
    if told and ends:
        words = "There was a product." if ends[-1].kind == "done" else "There will be no product."
        yield ends[-1].at, words


def _because(cause: str) -> str:
    return f": {cause.rstrip('.')}." if cause else "."
