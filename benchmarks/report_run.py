"""The run shown on the manual's page about reports: real processes that are late, die and answer wrongly.

    python -m benchmarks.report_run

writes docs/_data/run.json, and of it docs/_static/report/run.svg and run.html, as `anyk report` would. With ``--again``
the record that is there is drawn anew. The delays are drawn from the model, the rest happens.
"""

import sys
from pathlib import Path

import numpy as np

import anyk
from anyk import faults
from anyk.report import page, read, save_run, view

DOCS = Path(__file__).parents[1] / "docs"
RECORD, PLACE = DOCS / "_data/run.json", DOCS / "_static/report"

FAMILY, WORKERS, SIZE, SEED = "generalized_polydot", 16, 600, 10
#: In seconds: work begins after a wait; one task in ten waits much longer, one in ten dies, one in ten is wrong.
FAULTS = faults.combine(
    faults.ShiftedExponential(shift=1.0, scale=1.5),
    faults.Bimodal(probability=0.1, factor=8.0),
    faults.Crash(probability=0.1, after_seconds=0.8),
    faults.GaussianError(size=1.0, probability=0.1),
)


def record() -> None:
    """Plan, multiply answer by answer with a code of the plan, and keep what happened."""
    rng = np.random.default_rng(SEED)
    A, B = rng.standard_normal((SIZE, SIZE)), rng.standard_normal((SIZE, SIZE))
    asked = {"stragglers": 4, "wrong": 2, "screen": "checked", "delays": FAULTS, "memory_per_worker": 2.5e6}
    planned = anyk.plan(A.shape, B.shape, workers=WORKERS, **asked)
    # The plan itself would not send so small a product away.
    best = next(each for each in planned.candidates if each.family == FAMILY)
    with anyk.engines.open(f"processes:{best.code.workers}", faults=FAULTS, seed=SEED) as engine:
        *_, last = anyk.stream(A, B, best.code, wrong=2, engine=engine, rng=SEED, retries=2)
    save_run(last, RECORD, operands=(A.shape, B.shape), engine=f"processes:{best.code.workers}", planned=best)


def drawn() -> dict[str, bytes]:
    """File name -> what belongs in it."""
    written = read(RECORD)
    return {"run.html": page(written).encode(), "run.svg": view(written, "svg")}


if __name__ == "__main__":
    if "--again" not in sys.argv:
        record()
    PLACE.mkdir(parents=True, exist_ok=True)
    for name, content in drawn().items():
        (PLACE / name).write_bytes(content)
