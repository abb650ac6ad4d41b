"""The README's tables and figure, from the results."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from papers.codenet.expected import executed_per_useful, failing, hits
from papers.codenet.experiment import STRATEGIES

Row = Mapping[str, Any]
#: Colours that can be told apart with any colour vision, from dark to light.
COLOURS = ("#00204c", "#213d6b", "#555b6c", "#7b7a77", "#a59c74", "#d3c064", "#fde737")


def write(rows: Sequence[Row], readme: Path, figure: Path) -> None:
    """Renew both."""
    readme.write_text(renewed(readme.read_text(), rows))
    figure.write_text(drawn(rows))


def renewed(text: str, rows: Sequence[Row]) -> str:
    """The README with its tables made anew."""
    for name, make in (("small", small), ("interval", intervals), ("full", full)):
        table = "\n".join(make(rows))
        text = re.sub(rf"(?<=<!-- {name} -->\n).*?(?=<!-- end -->)", f"\n{table}\n\n", text, flags=re.DOTALL)
    return text


def small(rows: Sequence[Row]) -> Iterator[str]:
    """Thousands of iterations of the small network, C = 10, all seeds together."""
    yield from _head(
        "strategy",
        "hits per iteration",
        "roll-backs per 1,000 executed",
        "executed per useful",
        "answers thrown out",
        "loss off by",
        "accuracy (without errors)",
    )
    for name in STRATEGIES:
        mine = [row for row in rows if row["strategy"] == name and row["C"] == 10 and row["width"] < 10_000]
        if mine:
            yield _line(name, *_counted(name, mine, 10), _sum(mine, "located"), _worst(mine), _accuracies(mine))


def intervals(rows: Sequence[Row]) -> Iterator[str]:
    """Replication with other intervals between checkpoints."""
    yield from _head("C", "hits per iteration", "roll-backs per 1,000 executed", "executed per useful", "useful")
    name = next(each for each in STRATEGIES if each.startswith("replication"))
    for interval in sorted({row["C"] for row in rows if row["strategy"] == name}):
        mine = [row for row in rows if row["strategy"] == name and row["C"] == interval and row["width"] < 10_000]
        if mine:
            yield _line(str(interval), *_counted(name, mine, interval), _sum(mine, "useful"))


def full(rows: Sequence[Row]) -> Iterator[str]:
    """The network of the paper."""
    yield from _head(
        "strategy",
        "executed",
        "useful",
        "hits",
        "roll-backs",
        "answers thrown out",
        "blocks rebuilt",
        "loss off by",
        "accuracy (without errors)",
        "seconds per iteration",
        "in checkpoints",
    )
    for name in STRATEGIES:
        for row in rows:
            if row["strategy"] == name and row["width"] == 10_000:
                counts = (
                    f"{row[each]}" for each in ("executed", "useful", "hits", "rollbacks", "located", "regenerated")
                )
                per = f"{row['seconds per iteration']:.2f}", f"{row['seconds in checkpoints']:.0f} s"
                yield _line(name, *counts, _worst([row]), row["accuracy"], *per)


def drawn(rows: Sequence[Row]) -> str:
    """Useful iterations against executed ones, small network, C = 10, first seed, as SVG."""
    width, height, left, top = 720, 320, 56, 16
    mine = {row["strategy"]: row for row in rows if row["C"] == 10 and row["width"] < 10_000 and row["seed"] == 0}
    most = max((row["executed"] for row in mine.values()), default=1)
    best = max((row["useful"] for row in mine.values()), default=1)
    across, up = (width - left - 190) / most, (height - top - 40) / best
    parts = []
    for place, (name, colour) in enumerate(zip(STRATEGIES, COLOURS, strict=True)):
        if name in mine:
            points = " ".join(
                f"{left + across * executed:.1f},{height - 40 - up * useful:.1f}"
                for executed, useful in mine[name]["path"]
            )
            y = top + 14 + 18 * place
            parts += [
                f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>',
                f'<path d="M{width - 176},{y - 4} h16" stroke="{colour}" stroke-width="3"/>',
                f'<text x="{width - 154}" y="{y}">{name}</text>',
            ]
    bottom = height - 40
    parts += [
        f'<path d="M{left},{top} V{bottom} H{width - 190}" fill="none" stroke="#888"/>',
        f'<text x="{left}" y="{height - 8}">iterations executed, 0 to {most:,}</text>',
        f'<text x="8" y="{top + 4}" >{best:,}</text>',
        f'<text x="8" y="{bottom}">0</text>',
    ]
    style = "text { font: 12px system-ui, sans-serif; fill: #444; }"
    title = "Useful iterations against executed ones"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-label="{title}">'
        f"<title>{title}</title><style>{style}</style>{''.join(parts)}</svg>\n"
    )


# --- cells ------------------------------------------------------------------------------------------------------------


def _counted(name: str, rows: Sequence[Row], interval: int) -> Iterator[str]:
    """Measured, with what the error model lets expect in brackets."""
    code = STRATEGIES[name]()
    executed, q = sum(row["executed"] for row in rows), failing(code)
    yield f"{sum(row['hits'] for row in rows) / executed:.3f} ({hits(code.nodes):.3f})"
    yield f"{1000 * sum(row['rollbacks'] for row in rows) / executed:.1f} ({1000 * q:.2g})"
    useful = sum(row["useful"] for row in rows)
    yield f"{executed / useful:.2f} ({executed_per_useful(q, interval):.2f})" if useful else "none"


def _sum(rows: Sequence[Row], name: str) -> str:
    return f"{sum(row[name] for row in rows):,}"


def _worst(rows: Sequence[Row]) -> str:
    values = [row["loss"] for row in rows]
    return "not finite" if None in values else f"{max(values):.0e}"


def _accuracies(rows: Sequence[Row]) -> str:
    pairs = [re.match(r"(\S+) \((\S+)\)", row["accuracy"]) for row in rows]
    found = [(float(pair[1]), float(pair[2])) for pair in pairs if pair]
    return f"{fmean(each for each, _ in found):.3f} ({fmean(each for _, each in found):.3f})"


def _head(*names: str) -> Iterator[str]:
    yield _line(*names)
    yield _line(":--", *["--:"] * (len(names) - 1))


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
