"""``anyk bench --record`` and ``--fit``: how long this cluster's workers take, in a file, and which law that is."""

from contextlib import closing
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

import anyk
from anyk import engines, faults
from anyk.cli.bar import Bar
from anyk.cli.files import ensure_place
from anyk.cli.streams import tell
from anyk.errors import ClusterError, InputError
from anyk.simulation import Fits, trace_row, write_trace

#: The first products of an engine start its workers and fill caches.
_WARMING = 2
#: Whoever is silent for so long will not be recorded.
_PATIENCE_SECONDS = 600.0


def record(path: str, *, engine: str, products: int, size: int, delays: str | None, unit: float, quiet: bool) -> None:
    """Run products that wait for every worker, and write how long each took.

    Args:
        path: of the CSV file.
        engine: name, with a number of workers or an address.
        products: how many rows are wanted.
        size: each worker multiplies two square matrices of this size.
        delays: a preset of injected faults, or None.
        unit: seconds of a task time in it.
        quiet: no bar.

    Raises:
        InputError: the file cannot be written, or no product was answered by everybody.
        ClusterError: the engine could not start, lost too many workers, or one of them was silent for ten minutes.
    """
    ensure_place(path, Path(path))
    model = None if delays is None else faults.preset(delays, unit_seconds=unit)
    rng = np.random.default_rng(0)
    rows, missed = [], 0
    with closing(engines.open(engine, faults=model)) as opened, Bar(quiet) as bar:
        workers = len(opened.lanes)
        code = anyk.codes.uncoded(workers, 1, 1)
        left, right = rng.standard_normal((workers * size, size)), rng.standard_normal((size, size))
        for done in range(products + _WARMING):
            bar.show(done, products + _WARMING, f"{done} of {products + _WARMING} products")
            product = anyk.matmul(
                left,
                right,
                code,
                engine=opened,
                stop=anyk.everyone,
                verify=False,
                bands=1,
                timeout=_PATIENCE_SECONDS,
                rng=0,
            )
            row = trace_row(product.timeline(), workers)
            if row is None:
                missed += 1
            elif done >= _WARMING:
                rows.append(row)
    if missed:
        tell(f"note: {missed} products were not answered by every worker at first asking, and are left out")
    if not rows:
        raise ClusterError(
            f"`anyk bench --record {path}`: no product was answered by every worker. Look at the engine."
        )
    about = f"seconds per task: {workers} workers of {engine}, one column each; matrices of {size} x {size}"
    write_trace(path, rows, [about, f"replay: anyk simulate --workers {workers} --delays {path}"])


def fitted(path: str) -> Fits | None:
    """The laws nearest to a recording; None where it is too short to tell."""
    try:
        return anyk.simulation.fit(path)
    except InputError as error:
        if "tells nothing" not in str(error):
            raise
        tell(f"note: {error}")
        return None


def told(fits: Fits) -> Group:
    """The laws as a table, with the tail they promise beside the tail that was."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("law", style="bold", no_wrap=True)
    for column in ("distance", "p", "99.9 % within"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("model", overflow="fold")
    table.add_row("recorded", "", "", f"{fits.tail_seconds:.3g} s", "")
    for law in fits.laws:
        row = f"{law.distance:.3f}", f"{law.p_value:.2f}", f"{law.tail_seconds:.3g} s", _short(law.model)
        table.add_row(law.name, *row)
    times = fits.times
    title = f"{times.size} task times: median {np.median(times):.3g} s, 99 % within {np.quantile(times, 0.99):.3g} s"
    lines: list[RenderableType] = [Text(title, style="bold"), table]
    if fits.rounds_differ < 0.01:
        lines.append(Text("- some products were slow as a whole: replay the file itself, no law here knows that"))
    if fits.workers_differ < 0.01:
        lines.append(Text("- some workers are slower than others: replay the file itself, no law here knows that"))
    if all(law.p_value <= 0.05 for law in fits.laws):
        lines.append(Text("- none of these laws is that of the recording (p): replay the file itself"))
    return Group(*lines)


def _short(model: Any) -> str:
    """A model with three digits in each number."""
    given = ((field.name, getattr(model, field.name)) for field in fields(model))
    return f"{type(model).__name__}({', '.join(f'{name}={value:.3g}' for name, value in given if value is not None)})"
