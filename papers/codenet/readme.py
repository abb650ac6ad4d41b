"""The README's tables and figure, from the results."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from papers import drawing
from papers.codenet.expected import executed_per_useful, failing, hits
from papers.codenet.experiment import STRATEGIES

Row = Mapping[str, Any]


def write(rows: Sequence[Row], readme: Path, figure: Path) -> None:
    """Renew both."""
    readme.write_text(renewed(readme.read_text(), rows))
    drawing.save(drawn(rows), figure)


def renewed(text: str, rows: Sequence[Row]) -> str:
    """The README with its tables made anew."""
    for name, make in (("small", small), ("interval", intervals), ("full", full)):
        table = "\n".join(make(rows))
        place = re.compile(rf"(?<=<!-- {name} -->\n).*?(?=<!-- end -->)", re.DOTALL)
        text = place.sub(lambda _, table=table: f"\n{table}\n\n", text, count=1)
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
    """The network of the paper; in brackets what the error model lets expect."""
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
        "seconds in checkpoints",
        "seconds per useful iteration",
    )
    for name in STRATEGIES:
        for row in rows:
            if row["strategy"] == name and row["width"] == 10_000:
                code, executed = STRATEGIES[name](), row["executed"]
                happened = (
                    f"{row['hits']} ({executed * hits(code.nodes):.1f})",
                    f"{row['rollbacks']} ({executed * failing(code):.2g})",
                )
                work, saving = row["seconds per iteration"], row["seconds in checkpoints"]
                spent = f"{work:.2f}", f"{saving:.1f}", f"{(executed * work + saving) / row['useful']:.2f}"
                counts = (str(row[each]) for each in ("located", "regenerated"))
                yield _line(
                    name,
                    str(executed),
                    str(row["useful"]),
                    *happened,
                    *counts,
                    _worst([row]),
                    row["accuracy"],
                    *spent,
                )


def drawn(rows: Sequence[Row]) -> Any:
    """Useful iterations against executed ones, small network, C = 10, first seed."""
    figure, axes = drawing.panels(width=6.6, height=3.8)
    mine = {row["strategy"]: row for row in rows if row["C"] == 10 and row["width"] < 10_000 and row["seed"] == 0}
    paths: dict[tuple[tuple[int, int], ...], list[str]] = {}
    for name in STRATEGIES:
        if name in mine:
            straight = mine[name]["executed"] == mine[name]["useful"]
            path = ((0, 0), (best := mine[name]["useful"], best)) if straight else tuple(map(tuple, mine[name]["path"]))
            paths.setdefault(path, []).append(name)
    for style, (path, names) in zip(drawing.styles(), paths.items(), strict=False):
        axes.plot(*zip(*path, strict=True), label="\n".join(names), **{**style, "marker": ""})
    axes.set(xlabel="iterations executed", ylabel="iterations that count")
    drawing.legend_outside(axes)
    return figure


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
