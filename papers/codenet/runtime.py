"""Run time with checkpoints against the rate of errors: measured small, simulated for the papers' 40 nodes.

Each strategy pays for an iteration what its nodes compute (uncoded half: its 40 nodes hold 1/40 of the weights, the
others' 1/20), verifies and saves every C iterations, and returns to the last checkpoint when a stage cannot be
corrected. The simulation draws iterations that fail, with the probability that follows from the error model
(`expected.failing`); the measured points are counts of a small network with the papers' nodes, grids and errors
(`experiment.run`), whose seconds would say nothing about 40 machines. C is the best one for each rate, C = sqrt(2 T /
q), at most 100.
"""

from collections.abc import Iterator, Mapping, Sequence
from math import inf, isfinite, sqrt
from typing import Any

import numpy as np

from anyk.nn.data import load
from papers import drawing
from papers.codenet.expected import executed_per_useful, failing
from papers.codenet.experiment import RATE, STRATEGIES, Setting, run

Row = Mapping[str, Any]

NAMES = (
    "uncoded, 40 nodes",
    "replication, 40 nodes",
    "product MDS, 38 nodes",
    "GPD 5 x 4, 38 nodes",
    "GPD 2 x 10, 40 nodes",
)
#: Time of an iteration in units of a coded one, of verifying and saving in the same units.
WORK, SAVE = {"uncoded, 40 nodes": 0.5}, 1.0
RATES = tuple(float(f"{rate:.2g}") for rate in np.geomspace(1e-5, 1e-2, 13))
MEASURED = (3e-4, 1e-3, 3e-3)
USEFUL, MOST = 2_000, 20
WIDTH, STEPS = 60, 100


def keys(figure: str, *, quick: bool = False) -> Iterator[dict[str, Any]]:
    """Simulated rows, and measured ones."""
    for name in NAMES:
        for rate in (1e-4, 1e-3) if quick else RATES:
            yield {"table": "runtime", "strategy": name, "kind": "simulated", "rate": rate}
        if not name.startswith("uncoded"):
            for rate in (1e-3,) if quick else MEASURED:
                yield {"table": "runtime", "strategy": name, "kind": "measured", "rate": rate} | (
                    {"steps": 8} if quick else {"steps": STEPS}
                )


def row(key: Row) -> dict[str, Any]:
    """Iterations executed per useful one, and the time of a useful one with checkpoints."""
    name, rate = key["strategy"], key["rate"]
    q = failing(STRATEGIES[name](), rate)
    interval = best_interval(q)
    if key["kind"] == "measured":
        setting = Setting(name, WIDTH, interval, key["steps"], key["steps"] * MOST, seed=0, rate=rate)
        made = run(setting, load("digits"))
        executed, useful = made["executed"], made["useful"]
    else:
        executed, useful = simulated(q, interval, USEFUL, USEFUL * MOST, np.random.default_rng(0))
    per = executed / useful if useful else inf
    expected = executed_per_useful(q, interval)
    saving = 0.0 if name.startswith("uncoded") else SAVE / interval  # who looks at nothing has nothing to return to
    return {
        "C": interval,
        "q": float(f"{q:.2g}"),
        "executed per useful": round(per, 4) if isfinite(per) else None,
        "expected": round(expected, 4) if expected < MOST else None,
        "time": round(WORK.get(name, 1.0) * per + saving, 4) if per < MOST else None,
    }


def best_interval(q: float) -> int:
    """Young's rule, C = sqrt(2 T / q)."""
    return 100 if q <= 0 else max(1, min(100, round(sqrt(2 * SAVE / q))))


def simulated(q: float, interval: int, useful: int, most: int, rng: np.random.Generator) -> tuple[int, int]:
    """Iterations executed, and those that count, with a roll-back at every failure."""
    saved = step = executed = 0
    while saved < useful and executed < most:
        executed += 1
        step = saved if rng.random() < q else step + 1
        if step - saved >= interval or step >= useful:
            saved = step
    return executed, saved


def table(rows: Sequence[Row]) -> Iterator[dict[str, Any]]:
    """The rates that were measured, beside what was simulated and what is expected."""
    for each in rows:
        if each["kind"] == "measured":
            said = each["executed per useful"]
            near = min(
                (row for row in rows if row["kind"] == "simulated" and row["strategy"] == each["strategy"]),
                key=lambda row: abs(np.log(row["rate"] / each["rate"])),
            )
            yield {
                "strategy": each["strategy"],
                "error rate": f"{each['rate']:.0e}" + (" (the paper's)" if each["rate"] == RATE else ""),
                "q": f"{each['q']:.1e}",
                "C": each["C"],
                "executed per useful, measured": "stuck" if said is None else f"{said:.2f}",
                "expected": f"over {MOST}" if each["expected"] is None else f"{each['expected']:.2f}",
                "time, simulated at 40 nodes (at rate)": (
                    f"stuck ({near['rate']:.1e})"
                    if near["time"] is None
                    else f"{near['time']:.2f} ({near['rate']:.1e})"
                ),
            }


def draw(figure: str, rows: Sequence[Row]) -> Any:
    """Time of a useful iteration against the rate of errors."""
    drawn, axes = drawing.panels(width=6.6, height=4.0)
    for style, name in zip(drawing.styles(), NAMES, strict=False):
        mine = [row for row in rows if row["strategy"] == name and row["time"] is not None]
        line = [row for row in mine if row["kind"] == "simulated"]
        label = f"{name}: trains on wrong numbers" if name.startswith("uncoded") else name
        plain = {**style, "marker": ""}
        axes.loglog([row["rate"] for row in line], [row["time"] for row in line], label=label, **plain)
        dots = [row for row in mine if row["kind"] == "measured"]
        axes.loglog([row["rate"] for row in dots], [row["time"] for row in dots], **{**style, "linestyle": ""})
    axes.axvline(RATE, color="#999999", lw=1)
    axes.text(RATE * 1.08, 9, "the paper's rate", fontsize=8, color="#555555")
    ticks = [0.5, 1, 2, 5, 10]
    axes.set_yticks(ticks, map(str, ticks))
    axes.minorticks_off()
    axes.set(
        xlabel="probability of a hit, per node, layer and operation",
        ylabel="time per useful iteration\n(a coded iteration = 1)",
        ylim=(0.4, MOST),
    )
    drawing.legend_outside(axes, title="lines simulated, marks measured")
    return drawn
