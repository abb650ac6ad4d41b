"""The page of a product's run: who answered when, how exact it became, where time and memory went, and the plan."""

from collections.abc import Iterator, Mapping
from html import escape
from itertools import islice
from typing import Any

from anyk.report import drawing, errors, html, said
from anyk.report.happened import compared, events, memory, phases, traffic
from anyk.report.lanes import NAMES, lanes
from anyk.report.live import live
from anyk.report.reading import parsed
from anyk.report.record import Record

#: The table of sendings ends after so many.
_MOST_ROWS = 2000
_MOST_EVENTS = 60


def page(written: Mapping[str, Any]) -> str:
    """The page of one run.

    Args:
        written: what `anyk.report.save_run` wrote.
    """
    record = parsed(written)
    title = title_of(record)
    style = html.resource("chart.css") + html.resource("page.css")
    parts = [_definitions(), html.heading(title, record.reason or "No reason was recorded."), *_parts(record)]
    return html.document(title, parts, style=style, script=html.resource("page.js"))


def title_of(record: Record) -> str:
    """What was computed, from whom."""
    made = " × ".join(f"{length:,}" for length in record.shape) if record.shape else ""
    what = (f"{made} product" if made else "Product of numbers") if record.finished else "No product"
    if record.code is None:
        return what
    if not record.finished:
        return f"{what}: {record.code.name}, any {record.code.recovery_threshold} of {record.code.workers}"
    return f"{what} from {len(record.survivors)} of {record.code.workers} answers"


def _definitions() -> str:
    return f'<svg class="hidden" aria-hidden="true" focusable="false">{drawing.DEFINITIONS}</svg>'


def _parts(record: Record) -> Iterator[str]:
    yield html.numbers([*_numbers(record)])
    if record.attempts:
        yield html.section("Who answered when", _timeline(record))
    if chart := errors.picture(record):
        yield html.section("Error against answers", _errors(record, chart))
    if rows := phases(record):
        yield html.section("Where the time went", html.bars(rows))
    if rows := memory(record):
        yield html.section("Memory", html.bars(rows))
    if rows := traffic(record):
        shared = '<p class="quiet">Through messages; blocks in memory that workers share do not move.</p>'
        yield html.section("What moved", html.bars(rows), shared)
    yield html.section("The plan and what happened", _plan(record))
    yield html.section("What happened", _log(record))
    if record.attempts:
        yield html.section("Every task that was sent", _table(record))
    yield html.section("Set-up", html.facts(_facts(record)))


def _numbers(record: Record) -> Iterator[tuple[str, str]]:
    if record.total_seconds is not None:
        yield said.time(record.total_seconds), "in all, on a virtual clock" if record.is_virtual else "in all"
    elif record.attempts:
        yield said.time(record.ended_seconds), "until the end"
    if record.code:
        used = len(record.survivors) if record.finished else record.count("answered")
        yield f"{used} of {record.code.workers}", "answers used" if record.finished else "answers came"
    if record.finished:
        kinds = {"measured": "relative error, measured", "exact": "error: integers, checked"}
        yield said.error(record.error), kinds.get(record.error_kind, f"relative error, {record.error_kind}")
    yield f"{record.count('lost'):,}", "lost"
    yield f"{len(record.wrong):,}", "answered wrongly"
    if record.peak_bytes is not None:
        yield said.size(record.peak_bytes), "peak memory of the master"


def _timeline(record: Record) -> str:
    chart = drawing.picture(record)
    buttons = "".join(
        f'<li><button type="button" aria-pressed="false" data-kind="{outcome}">{drawing.swatch(outcome)}{name} '
        f"<span>{record.count(outcome):,}</span></button></li>"
        for outcome, name in NAMES.items()
        if record.count(outcome)
    )
    more = (
        f" {chart.hidden:,} more workers are not drawn; those that lost something or erred are." if chart.hidden else ""
    )
    caption = (
        "A row is a worker, a bar a task in its hands, from when it was sent, or the one before was done, until it "
        f"ended. Above: answers in hand.{_marks(record)}{more}"
    )
    return live(chart, f'<ul class="legend" aria-label="Show only">{buttons}</ul>', caption)


def _marks(record: Record) -> str:
    """What marks mean that have no bar."""
    words = ["a triangle: the worker was replaced"] if any(each.kind == "joined" for each in record.moments) else []
    if any(each.suspects is not None for each in record.decodings):
        words.append("a diamond up there: wrong answers were found")
    return f" {'; '.join(words).capitalize()}." if words else ""


def _errors(record: Record, chart: drawing.Picture) -> str:
    parts = []
    if errors.measured(record):
        parts.append("Diamonds: measured with random probes.")
    if len(record.foreseen) > 1:
        parts.append("Circles: expected on random matrices from the first so many answers, in the order they came.")
    bands = f" Of the last of {record.bands} bands of rows." if record.bands > 1 else ""
    return live(chart, "", " ".join(parts) + bands)


def _plan(record: Record) -> str:
    if record.planned is None:
        return '<p class="quiet">No plan was made for this run.</p>'
    return html.table(("", "planned", "happened", "difference"), compared(record), "plan")


def _log(record: Record) -> str:
    told = [*islice(events(record), _MOST_EVENTS + 1)]
    if not told:
        return "<p>Nothing out of the ordinary: no task was lost, no answer was wrong.</p>"
    more = f"<p>… and more: the first {_MOST_EVENTS} are shown.</p>" if len(told) > _MOST_EVENTS else ""
    rows = "".join(f"<li><b>{said.time(at)}</b>{escape(words)}</li>" for at, words in told[:_MOST_EVENTS])
    return f'<ul class="log">{rows}</ul>{more}'


def _table(record: Record) -> str:
    bars = [bar for lane in lanes(record) for bar in lane.bars]
    rows = [
        (
            str(bar.stretch.worker),
            str(bar.stretch.task),
            said.time(bar.stretch.sent_seconds),
            "–" if bar.stretch.ended_seconds is None else said.time(bar.stretch.ended_seconds),
            NAMES[bar.stretch.outcome] + (f" ({bar.stretch.cause})" if bar.stretch.cause else ""),
        )
        for bar in bars[:_MOST_ROWS]
    ]
    more = f" (the first {_MOST_ROWS:,})" if len(bars) > _MOST_ROWS else ""
    head = ("worker", "task", "sent", "ended", "how")
    table = html.table(head, rows)
    return f"<details><summary>{len(bars):,} sendings{more}</summary>{html.wide(table)}</details>"


def _facts(record: Record) -> Iterator[tuple[str, str]]:
    if code := record.code:
        yield "code", f"{code.name}, {code.rows} × {code.inner} × {code.cols} (rows × inner × cols)"
        yield "answers needed", f"any {code.recovery_threshold} of {code.workers}"
        if code.exact_threshold != code.recovery_threshold:
            never = code.exact_threshold > code.workers
            yield "to rounding", "never" if never else f"any {code.exact_threshold}"
        if code.is_complex:
            yield "coded blocks", "complex: twice the memory, 3 to 4 times the work"
    if record.operands:
        yield "multiplied", " by ".join("×".join(f"{length:,}" for length in shape) for shape in record.operands)
    if record.dtype:
        yield "dtype", record.dtype
    if record.engine:
        yield "engine", record.engine
    if record.bands > 1:
        yield "bands of rows", str(record.bands)
    if record.finished:
        yield "used", said.tasks(record.survivors)
    if record.wrong:
        yield "wrong", said.tasks(record.wrong)
    if record.distrusted:
        yield "distrusted", f"{said.tasks(record.distrusted, 'worker')}: wrong in several products"
