"""What became of every worker while a product was formed: slow, crashed, silent, wrong, and not waited for.

Simulated, so that it is the same each time: ten workers, MatDot with three blocks, any 5 answers. One crashes, one
never answers, one takes three times as long, one answers wrongly and is found out (`wrong=1` waits for one more).
"""

from typing import Any

import numpy as np

import anyk
from papers import drawing

CODE = anyk.codes.matdot(3, 10)
CRASHED, SILENT, SLOW, WRONG = 1, 4, 6, 8
#: Outcome -> fill, hatching, in words; lightness tells them apart as well.
LOOK = {
    "used": ("#0b4f8a", "", "answer used"),
    "wrong": ("#e8b13a", "xx", "answer wrong, thrown out"),
    "lost": ("#ffffff", "////", "worker lost"),
    "answered": ("#9cc3e6", "", "answer not needed"),
    "cancelled": ("#e3e3e3", "..", "no longer waited for"),
}


def product() -> Any:
    """The product and how it came about."""
    faults = anyk.faults.combine(
        anyk.faults.ShiftedExponential(shift=1.0, scale=0.35),
        anyk.faults.Crash(ranks=(CRASHED,), after_seconds=0.7),
        anyk.faults.Stop(ranks=(SILENT,)),
        anyk.faults.SlowNodes(factor=3.0, ranks=(SLOW,)),
        anyk.faults.BitFlip(ranks=(WRONG,)),
    )
    A, B = np.random.default_rng(0).standard_normal((2, 120, 120))
    with anyk.engines.open("simulated:10", faults=faults, seed=2) as engine:
        return anyk.matmul(A, B, CODE, engine=engine, wrong=1, retries=0, rng=0)


def draw() -> Any:
    """A bar per worker."""
    done = product()
    stretches = done.timeline()
    end = max(stretch.ended_seconds or 0.0 for stretch in stretches)
    figure, axes = drawing.panels(width=8.0, height=3.8)
    seen = set()
    for stretch in stretches:
        fill, hatch, words = LOOK[stretch.outcome]
        until = end if stretch.ended_seconds is None else stretch.ended_seconds
        axes.barh(
            stretch.worker,
            until - stretch.sent_seconds,
            left=stretch.sent_seconds,
            height=0.68,
            color=fill,
            hatch=hatch,
            edgecolor="#333333",
            lw=0.8,
            label=None if stretch.outcome in seen else words,
        )
        seen.add(stretch.outcome)
    decoded = max(s.ended_seconds for s in stretches if s.outcome == "used")
    axes.axvline(decoded, color="#b3470f", lw=1.6)
    axes.text(decoded, -0.9, "decoded", color="#b3470f", ha="center", va="bottom", fontsize=9)
    said = {CRASHED: "crashes", SILENT: "never answers", SLOW: "slow", WRONG: "wrong bit"}
    axes.set_yticks(range(10), [f"worker {w}" + (f" ({said[w]})" if w in said else "") for w in range(10)])
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.set_axisbelow(True)
    axes.set(xlabel="seconds (virtual)", xlim=(0, end * 1.02))
    drawing.legend_outside(axes)
    return figure
