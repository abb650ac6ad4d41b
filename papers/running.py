"""How a figure of a paper is made: rows that are missing, its two pictures, its table in the README.

A figure's module has four functions: `keys(figure, quick=...)`, what tells its rows apart; `row(key)`, one of them;
`table(rows)`, the rows beside what is published; `draw(figure, rows)`, the figure.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.__main__ import table
from benchmarks.kept import Kept
from papers import drawing

Row = Mapping[str, Any]


def make(module: Any, figure: str, kept: Kept, here: Path, *, mark: str, quick: bool, **more: Any) -> None:
    """Make what is missing of one figure; in quick mode print it, else renew pictures and table.

    Args:
        module: of the figure.
        figure: its name, which its pictures have in ``here / "figures"``.
        kept: where rows are kept.
        here: the paper's folder, with its README.
        mark: where the table stands in the README, between ``<!-- mark -->`` and ``<!-- end -->``.
        quick: tiny rows.
        **more: for `keys` and `row`.
    """
    found = [kept.row(key, lambda key=key: module.row(key, **more)) for key in module.keys(figure, quick=quick, **more)]
    rows = [row for row in found if row is not None]
    if quick:
        print(table([*module.table(rows)]))
    elif rows:
        renew(module, figure, rows, kept.of(rows[0]["table"]), here, mark)


def renew(module: Any, figure: str, rows: Sequence[Row], all_rows: Sequence[Row], here: Path, mark: str) -> None:
    """The figure's two files, and its table in the README."""
    for path in drawing.save(module.draw(figure, rows), here / "figures" / figure):
        print(path)
    readme, lines = here / "README.md", "\n".join(markdown([*module.table(all_rows)]))
    place = re.compile(rf"(?<=<!-- {mark} -->\n).*?(?=<!-- end -->)", re.DOTALL)
    text, found = place.subn(lambda _: f"\n{lines}\n\n", readme.read_text(), count=1)  # not once more behind it
    if not found:
        raise SystemExit(f"{readme} has no place `<!-- {mark} -->` … `<!-- end -->` for the table of {figure}.")
    readme.write_text(text)


def markdown(rows: Sequence[Row]) -> list[str]:
    """Rows as a table of Markdown."""
    heads = [*dict.fromkeys(name for row in rows for name in row)]
    cells = [[str(row.get(name, "–")) for name in heads] for row in rows]
    words = {at for at, column in enumerate(zip(*cells, strict=True)) if all(cell[:1].isalpha() for cell in column)}
    sides = [":--" if not at or at in words else "--:" for at in range(len(heads))]
    return [f"| {' | '.join(line)} |" for line in (heads, sides, *cells)]
