"""A chart whose marks can be pointed at, or stepped to with the arrow keys; what they tell stands below it."""

from html import escape

from anyk.report.drawing import Picture

_NO_MARKS = "Point at a mark, or use the arrow keys here."


def live(chart: Picture, legend: str, caption: str, kind: str = "") -> str:
    """The chart with its legend, its words, and a line for what is pointed at.

    Args:
        chart: names and plot.
        legend: HTML, or "".
        caption: in plain text.
        kind: a class for the chart, or "".
    """
    tall = f'style="height:{chart.height:.0f}px"'
    return (
        f'<figure class="live">{legend}<div class="{f"chart {kind}".strip()}" tabindex="0" role="group" '
        f'aria-label="{escape(chart.label)} Arrow keys step from mark to mark.">'
        f'<svg class="names" {tall} aria-hidden="true">{chart.names}</svg>'
        f'<svg class="plot" width="100%" {tall} role="img" aria-label="{escape(chart.label)}">{chart.plot}</svg></div>'
        f'<output class="told" aria-live="polite">{_NO_MARKS}</output>'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )
