"""The timeline of a product's run as a picture: SVG without any library, PNG through matplotlib."""

import io
import textwrap
from collections.abc import Mapping
from typing import Any

from anyk.errors import InputError
from anyk.report import drawing, html, said
from anyk.report.lanes import NAMES, lanes, shown
from anyk.report.product import title_of
from anyk.report.reading import parsed
from anyk.report.record import Record

#: How bars look on paper, outcome by outcome: ground, edge, hatch, mark.
_LOOKS = {
    "used": ("#1f5fa8", "#1f5fa8", "", "o"),
    "answered": ("#c3dbf2", "#1f5fa8", "", "o"),
    "wrong": ("#f3b6cb", "#8d0f3c", "xxxx", "D"),
    "lost": ("#ffe3c7", "#b8500a", "////", "x"),
    "cancelled": ("#f2f4f6", "#7b8692", "", "|"),
}
#: Letters that fit in a line of an SVG.
_LINE = 138
_INCH_PER_ROW, _MOST_INCHES, _DOTS_PER_INCH = 0.2, 24.0, 160


def svg(written: Mapping[str, Any]) -> str:
    """The timeline as an SVG document, light or dark as its viewer is.

    Args:
        written: what `anyk.report.save_run` wrote.
    """
    record = parsed(written)
    return drawing.standalone(record, title_of(record), _below(record), html.resource("chart.css"))


def png(written: Mapping[str, Any]) -> bytes:
    """The timeline as a PNG file.

    Args:
        written: what `anyk.report.save_run` wrote.

    Raises:
        InputError: matplotlib is missing.
    """
    record = parsed(written)
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as problem:
        raise InputError(
            "a PNG picture is drawn by matplotlib, which is not installed. Install it with `pip install 'anyk[plot]'`, "
            "or make an SVG picture, which needs nothing."
        ) from problem
    rows = shown(lanes(record), drawing.MOST_ROWS)
    inches = min(_MOST_INCHES, 2.2 + _INCH_PER_ROW * max(4, len(rows)))
    figure = Figure(figsize=(10, inches), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    _draw(axes, record)
    figure.suptitle(title_of(record), x=0.01, ha="left", weight="bold")
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=_DOTS_PER_INCH)
    return file.getvalue()


def _below(record: Record) -> list[str]:
    words = [record.reason] if record.reason else []
    if record.finished and record.error is not None:
        words.append(f"relative error {said.error(record.error)} ({record.error_kind})")
    if record.code:
        cut = f"{record.code.rows} × {record.code.inner} × {record.code.cols}"
        words.insert(0, f"{record.code.name} {cut}, any {record.code.recovery_threshold} of {record.code.workers}")
    return textwrap.wrap(" · ".join(words), _LINE)


def _draw(axes: Any, record: Record) -> None:  # Any: matplotlib ships no types
    rows = shown(lanes(record), drawing.MOST_ROWS)
    unit, name = said.time_unit(record.ended_seconds or 1.0)
    for outcome, (ground, edge, hatch, mark) in _LOOKS.items():
        bars = [(place, bar) for place, row in enumerate(rows) for bar in row.bars if bar.stretch.outcome == outcome]
        if not bars:
            continue
        line = {"linestyle": "dashed"} if outcome == "cancelled" else {}
        axes.barh(
            [place for place, _ in bars],
            [(bar.ended - bar.began) / unit for _, bar in bars],
            left=[bar.began / unit for _, bar in bars],
            height=0.6,
            color=ground,
            edgecolor=edge,
            hatch=hatch,
            linewidth=0.8,
            label=f"{NAMES[outcome]}: {record.count(outcome)}",
            **line,
        )
        axes.scatter(
            [bar.ended / unit for _, bar in bars],
            [place for place, _ in bars],
            marker=mark,
            s=18,
            color=edge if mark != "o" or outcome == "used" else "white",
            edgecolors=None if mark in "x|" else edge,
            linewidths=1.2,
            zorder=3,
        )
    for moment in record.moments:
        if moment.kind in ("done", "failed"):
            axes.axvline(moment.at / unit, color="#1b1e23", linewidth=1)
    axes.set_yticks(range(len(rows)), [str(row.worker) for row in rows], fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel(name)
    axes.set_ylabel("worker")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=5, frameon=False, fontsize=8)
