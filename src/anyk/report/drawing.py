"""The timeline as SVG: a row per worker, above it how many answers were in hand.

Places along time are percentages, so that the picture fits any width while its words keep their size. What a bar means
is told by colour, by pattern and by the mark at its end; classes leave the colours to the style of the page, which
knows light and dark.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from anyk.report import said
from anyk.report.lanes import NAMES, Bar, Lane, arrivals, lanes, shown
from anyk.report.record import Record
from anyk.report.scales import ticks

#: No more rows than so many are drawn.
MOST_ROWS = 160
#: Height of a row: the first line whose number of rows suffices.
_HEIGHTS = ((14, 24.0), (28, 19.0), (56, 14.0), (100, 10.0), (MOST_ROWS, 7.0))
_AXIS, _FLAGS, _STRIP, _GAP = 22.0, 16.0, 52.0, 8.0
#: Rows lower than this have no dashes.
_THIN = 12.0
#: The strip of answers is drawn in at most so many steps.
_STEPS = 240
#: Ticks of the time axis that a narrow screen leaves out have the class "fine".
_FINE = 'class="fine" '

#: Patterns and marks, once per document.
DEFINITIONS = (
    "<defs>"
    '<pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<rect width="6" height="6" class="p-lost-ground"/><path d="M0 0V6" class="p-lost"/></pattern>'
    '<pattern id="cross" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<rect width="6" height="6" class="p-wrong-ground"/><path d="M0 0V6M0 0H6" class="p-wrong"/></pattern>'
    '<g id="m-used"><circle r="1"/></g>'
    '<g id="m-answered"><circle r=".85"/></g>'
    '<g id="m-wrong"><path d="M0-1.25 1.25 0 0 1.25-1.25 0Z"/></g>'
    '<g id="m-lost"><path d="M-.9-.9 .9 .9M.9-.9-.9 .9"/></g>'
    '<g id="m-cancelled"><path d="M0-1V1"/></g>'
    '<g id="m-joined"><path d="M0-1.1 1.1 .9H-1.1Z"/></g>'
    "</defs>"
)


@dataclass(frozen=True)
class Picture:
    """The timeline in two parts of one height: the names at the left, and what goes on beside them.

    Args:
        names: SVG elements; their right edge is at x = 0.
        plot: SVG elements; x in percent.
        height: of both, in px.
        hidden: workers that are not drawn.
        label: what there is to see, in words.
    """

    names: str
    plot: str
    height: float
    hidden: int
    label: str


def picture(record: Record) -> Picture:
    """The timeline of a run."""
    every = lanes(record)
    rows = shown(every, MOST_ROWS)
    row_height = next(height for most, height in _HEIGHTS if len(rows) <= most)
    top, span = _AXIS + _FLAGS + _STRIP + _GAP, record.ended_seconds or 1.0
    height = top + row_height * len(rows) + 4
    names, plot = [_strip_names()], [*_grid(span, height), *_strip(record, span)]
    for place, lane in enumerate(rows):
        middle = top + (place + 0.5) * row_height
        names += _name(lane, place, middle, row_height, record)
        plot += _row(lane, middle, row_height, span, record)
    plot += [*_flags(record, span, height), *_needed(record)]
    return Picture("".join(names), "".join(plot), height, len(every) - len(rows), _label(record))


def swatch(outcome: str) -> str:
    """How bars of this outcome look, for a legend; 34 x 14."""
    return (
        '<svg width="34" height="14" aria-hidden="true" focusable="false">'
        f'<rect class="b-{outcome}" x="1" y="3" width="26" height="8" rx="2"/>{_mark(outcome, "27", 7, 4)}</svg>'
    )


def _label(record: Record) -> str:
    counts = ", ".join(f"{record.count(outcome)} {name}" for outcome, name in NAMES.items() if record.count(outcome))
    workers, asked = said.counted(len({row.worker for row in record.attempts}), "worker"), len(record.attempts)
    return (
        f"Timeline of {workers} over {said.time(record.ended_seconds)}: {said.counted(asked, 'task')} sent: {counts}."
    )


# --- rows -------------------------------------------------------------------------------------------------------------


def _name(lane: Lane, place: int, middle: float, row_height: float, record: Record) -> Iterator[str]:
    every = 1 if row_height >= 12 else 2 if row_height >= 9 else 5
    if place % every == 0:
        kind = ' class="bad"' if lane.worker in record.distrusted else ""
        name = f"worker {lane.worker}" if place == 0 else str(lane.worker)
        yield f'<text x="-8" y="{middle + 4:.1f}" text-anchor="end"{kind}>{name}</text>'


def _row(lane: Lane, middle: float, row_height: float, span: float, record: Record) -> Iterator[str]:
    thick, radius = max(3.0, 0.56 * row_height), min(4.5, 0.38 * row_height)
    kind = "lane thin" if row_height < _THIN else "lane"
    yield f'<g class="{kind}">{_line("row", middle + row_height / 2)}'
    # The later ones first: none hides the mark at the end of the one before. The page's script puts them in order.
    for bar in reversed(lane.bars):
        yield _bar(bar, middle, thick, radius, span)
    for moment in record.moments:
        if moment.kind == "joined" and moment.worker == lane.worker:
            told = f"Worker {lane.worker} was replaced at {said.time(moment.at)}."
            mark = _mark("joined", f"{100 * moment.at / span:.2f}%", middle + row_height / 2 - radius, radius)
            yield f'<g class="bar o-joined" data-at="{moment.at:.6g}"><title>{told}</title>{mark}</g>'
    yield "</g>"


def _bar(bar: Bar, middle: float, thick: float, radius: float, span: float) -> str:
    outcome, start = bar.stretch.outcome, 100 * bar.began / span
    width = max(100 * (bar.ended - bar.began) / span, 0.15)
    end = f"{100 * bar.ended / span:.2f}%"
    return (
        f'<g class="bar o-{outcome}" data-at="{bar.began:.6g}"><title>{escape(bar.told())}</title>'
        f'<rect class="b-{outcome}" x="{start:.2f}%" y="{middle - thick / 2:.1f}" width="{width:.2f}%" '
        f'height="{thick:.1f}" rx="2"/>{_mark(outcome, end, middle, radius)}</g>'
    )


def _mark(outcome: str, x: str, y: float, radius: float) -> str:
    """A mark of radius 1, moved to its place and made as large as it shall be."""
    return (
        f'<svg class="mark" x="{x}" y="{y:.1f}" width="1" height="1" overflow="visible">'
        f'<use class="m-{outcome}" href="#m-{outcome}" transform="scale({radius:.2f})"/></svg>'
    )


# --- answers in hand, the axis, what happened to all ------------------------------------------------------------------


def _strip_names() -> str:
    return f'<text x="-8" y="{_AXIS + _FLAGS + _STRIP / 2 + 4:.0f}" text-anchor="end">answers</text>'


def _most(record: Record) -> int:
    tasks = record.code.workers if record.code else len({row.task for row in record.attempts})
    return max([1, tasks, *(answers for band in arrivals(record) for _, answers in band)])


def _strip(record: Record, span: float) -> Iterator[str]:
    """Answers in hand, as a staircase; and the line of how many are needed."""
    top, most = _AXIS + _FLAGS, _most(record)
    for steps in arrivals(record):
        ends = [*(at for at, _ in steps[1:]), _end_of(steps, record)]
        step = -(-len(steps) // _STEPS) or 1
        for at in range(0, len(steps), step):
            start, answers = steps[at]
            end = ends[min(at + step, len(steps)) - 1]
            tall = _STRIP * answers / most
            yield (
                f'<rect class="came" x="{100 * start / span:.2f}%" y="{top + _STRIP - tall:.1f}" '
                f'width="{100 * max(0.0, end - start) / span:.2f}%" height="{tall:.1f}"/>'
            )
    yield _line("base", top + _STRIP)
    if record.code and record.code.recovery_threshold <= most:
        y = top + _STRIP * (1 - record.code.recovery_threshold / most)
        yield _line("needed", y)


def _needed(record: Record) -> Iterator[str]:
    """What that line means, on top of all else."""
    most = _most(record)
    if record.code and record.code.recovery_threshold <= most:
        rise = _STRIP * record.code.recovery_threshold / most
        words = f"{record.code.recovery_threshold} of {record.code.workers} answers suffice"
        y = _AXIS + _FLAGS + _STRIP - rise + (13 if rise > _STRIP - 14 else -4)
        yield f'<text class="halo" x="4" y="{y:.1f}">{words}</text>'


def _line(kind: str, y: float) -> str:
    return f'<line class="{kind}" x1="0" x2="100%" y1="{y:.1f}" y2="{y:.1f}"/>'


def _end_of(steps: Sequence[tuple[float, int]], record: Record) -> float:
    """A band's staircase ends with its job, or with what came later."""
    ends = [each.at for each in record.moments if each.kind in ("done", "failed")]
    last = steps[-1][0] if steps else 0.0
    return max(last, min((end for end in ends if end >= last), default=record.ended_seconds))


def _grid(span: float, height: float) -> Iterator[str]:
    unit, name = said.time_unit(span)
    places = ticks(0, span / unit)
    for number, place in enumerate(places):
        at = 100 * place * unit / span
        fine = _FINE if number % 2 else ""
        anchor = "start" if at < 3 else "end" if at > 97 else "middle"
        word = f"{said.number(place)} {name}" if place else "0"
        yield f'<line {fine}x1="{at:.2f}%" x2="{at:.2f}%" y1="{_AXIS - 3}" y2="{height:.1f}"/>'
        yield f'<text {fine}x="{at:.2f}%" y="14" text-anchor="{anchor}">{word}</text>'


def _flags(record: Record, span: float, height: float) -> Iterator[str]:
    """When the product was formed, or given up."""
    ends = [each for each in record.moments if each.kind in ("done", "failed")]
    for number, each in enumerate(ends):
        at, is_last = 100 * each.at / span, number == len(ends) - 1
        yield f'<line class="end" x1="{at:.2f}%" x2="{at:.2f}%" y1="{_AXIS + _FLAGS - 4}" y2="{height:.1f}"/>'
        if is_last:
            words = f"{'product' if each.kind == 'done' else 'given up'} at {said.time(each.at)}"
            anchor = "end" if at > 50 else "start"
            yield f'<text class="flag" x="{at:.2f}%" y="{_AXIS + 9}" text-anchor="{anchor}">{words}</text>'
    for decoding in record.decodings:
        if decoding.suspects is not None:
            told = f"{_suspicion(decoding.suspects, decoding.answers)} at {said.time(decoding.ended)}."
            mark = _mark("wrong", f"{100 * decoding.ended / span:.2f}%", _AXIS + _FLAGS + _STRIP, 4)
            yield f'<g class="bar o-suspicion"><title>{told}</title>{mark}</g>'


def _suspicion(suspects: tuple[int, ...], answers: int) -> str:
    if not suspects:
        return f"{said.counted(answers, 'answer')} contradicted one another"
    return f"{said.tasks(suspects).capitalize()} found wrong among {said.counted(answers, 'answer')}"


# --- whole documents --------------------------------------------------------------------------------------------------

_GUTTER, _MARGIN, _WIDTH = 56.0, 14.0, 960.0


def standalone(record: Record, title: str, below: Sequence[str], style: str) -> str:
    """The timeline as an SVG document of its own, with title, legend and the style inside.

    Args:
        record: of the run.
        title: in plain text.
        below: lines under the title.
        style: CSS for the classes used here.
    """
    drawn = picture(record)
    head = 34.0 + 17 * len(below)
    legend_top = head + drawn.height + 24
    height, left = legend_top + 26, _MARGIN + _GUTTER
    lines = [f'<text class="title" x="{_MARGIN}" y="26">{escape(title)}</text>']
    lines += [f'<text x="{_MARGIN}" y="{45 + 17 * at}">{escape(line)}</text>' for at, line in enumerate(below)]
    legend = [*_legend(record, legend_top)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {_WIDTH:.0f} {height:.0f}" role="img" aria-label="{escape(f"{title}. {drawn.label}")}">'
        f'<style>{style}</style>{DEFINITIONS}<rect class="paper" width="100%" height="100%"/>{"".join(lines)}'
        f'<svg x="{left}" y="{head}" width="1" height="{drawn.height:.1f}" overflow="visible">{drawn.names}</svg>'
        f'<svg x="{left}" y="{head}" width="{_WIDTH - left - 2 * _MARGIN}" height="{drawn.height:.1f}" '
        f'overflow="visible">{drawn.plot}</svg>{"".join(legend)}</svg>\n'
    )


def _legend(record: Record, top: float) -> Iterator[str]:
    x = _MARGIN
    for outcome, name in NAMES.items():
        if count := record.count(outcome):
            words = f"{name}: {count}"
            yield f'<g transform="translate({x:.0f} {top:.0f})">{swatch(outcome)}</g>'
            yield f'<text x="{x + 42:.0f}" y="{top + 11:.0f}">{escape(words)}</text>'
            x += 62 + 6.6 * len(words)
