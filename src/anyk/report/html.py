"""What every page has: a frame with its style, sections, tables."""

from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files

_STYLE = """
:root { color-scheme: light; --ink: #1b1e23; --quiet: #5b6470; --line: #d5dae0; --paper: #ffffff; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 60rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .25rem; }
h2 { font-size: 1.1rem; margin: 2.25rem 0 .5rem; }
p { margin: .25rem 0 .75rem; max-width: 46rem; }
.quiet { color: var(--quiet); }
.numbers { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: 1px; margin: 1.25rem 1px; }
.numbers div { box-shadow: 0 0 0 1px var(--line); padding: .7rem .9rem; }
.numbers b { display: block; font-size: 1.45rem; line-height: 1.2; font-variant-numeric: tabular-nums; }
.numbers span { color: var(--quiet); font-size: .85rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .25rem 1.5rem .25rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { font-weight: 500; color: var(--quiet); }
td.right { text-align: right; }
.side { display: flex; flex-wrap: wrap; gap: 0 3rem; }
figure { margin: 0; overflow-x: auto; }
figcaption { color: var(--quiet); font-size: .85rem; }
.wide { overflow-x: auto; }
figure > svg, .wide > svg { display: block; width: 100%; min-width: 36rem; height: auto; }
svg text { font: 12px system-ui, sans-serif; fill: var(--quiet); font-variant-numeric: tabular-nums; }
"""


def document(title: str, parts: Iterable[str], *, style: str = "", script: str = "") -> str:
    """A whole page.

    Args:
        title: in plain text.
        parts: HTML.
        style: CSS besides what every page has.
        script: JavaScript, or none.
    """
    body = "\n".join([*parts, *([f"<script>\n{script}</script>"] if script else [])])
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}{style}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def resource(name: str) -> str:
    """A file of this room."""
    return files("anyk.report").joinpath(name).read_text(encoding="utf-8")


def heading(title: str, below: str) -> str:
    """The head of the page: what it is, and the one sentence under it."""
    return f'<header><h1>{escape(title)}</h1><p class="quiet">{escape(below)}</p></header>'


def section(title: str, *parts: str) -> str:
    """A section with its heading; parts are HTML."""
    return f"<section><h2>{escape(title)}</h2>\n" + "\n".join(parts) + "\n</section>"


def numbers(pairs: Sequence[tuple[str, str]]) -> str:
    """The few numbers that matter, large: (number, what it counts)."""
    cells = "".join(f"<div><b>{escape(number)}</b><span>{escape(name)}</span></div>" for number, name in pairs)
    return f'<div class="numbers">{cells}</div>'


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """A table of two columns: (what, how it is)."""
    rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(text)}</td></tr>" for name, text in pairs)
    return f"<table>{rows}</table>"


def counts(pairs: Iterable[tuple[str, int]]) -> str:
    """A table of two columns: (what, how often)."""
    rows = "".join(f'<tr><th>{escape(name)}</th><td class="right">{count:,}</td></tr>' for name, count in pairs)
    return f"<table>{rows}</table>"


def wide(part: str) -> str:
    """Something that may be wider than the window: it is moved, not the page."""
    return f'<div class="wide">{part}</div>'


def bars(rows: Iterable[tuple[str, float, float, str, str]]) -> str:
    """Bars below one another: (name, where it begins and how long it is as parts of the whole, number, class)."""
    cells = "".join(
        f'<dt>{escape(name)}</dt><dd class="over"><div class="track"><i class="{kind}" style="left:{100 * start:.2f}%;'
        f'width:{100 * length:.2f}%"></i></div></dd><dd class="value">{escape(number)}</dd>'
        for name, start, length, number, kind in rows
    )
    return f'<dl class="rows">{cells}</dl>'


def table(head: Sequence[str], rows: Iterable[Sequence[str]], kind: str = "") -> str:
    """A table with its head; the first cell of each row names it."""
    top = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    body = "".join(
        f'<tr><th scope="row">{escape(first)}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in rest)}</tr>'
        for first, *rest in rows
    )
    return f'<table class="{kind}"><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>'


def figure(picture: str, caption: str) -> str:
    """A picture (SVG) with the words below it."""
    return f"<figure>{picture}<figcaption>{escape(caption)}</figcaption></figure>"
