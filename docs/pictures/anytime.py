"""The error of a product while answers come in, for four codes on the same ten workers.

Tasks take one second and an exponential rest of mean one more, in virtual time. A task of any code is a fifth of the
product's work.
"""

import warnings
from typing import Any

import numpy as np

import anyk
from papers import drawing

WORKERS, SEED = 10, 5


def codes() -> dict[str, anyk.Code]:
    """Ten tasks each; a fifth of the product's work in every task."""
    return {
        "replication, 5 blocks twice": anyk.codes.replication(1, 5, 1, copies=2),
        "MDS, rows": anyk.codes.mds(5, WORKERS),
        "MatDot": anyk.codes.matdot(5, WORKERS),
        "approximate MatDot, graceful": anyk.codes.approximate_matdot(5, WORKERS, profile="graceful"),
    }


def falling(code: anyk.Code) -> list[tuple[float, float]]:
    """(virtual time, measured error) of every better product."""
    rng = np.random.default_rng(0)
    A, B = rng.standard_normal((200, 200)), rng.standard_normal((200, 200))
    found = []
    faults = anyk.faults.ShiftedExponential(shift=0.0, scale=1.0)  # beside the second that a task takes
    with anyk.engines.open(f"simulated:{WORKERS}", faults=faults, seed=SEED) as engine, warnings.catch_warnings():
        warnings.simplefilter("ignore", anyk.PrecisionWarning)  # none but the exact codes come to 1e-14
        began = engine.clock.now()
        for product in anyk.stream(A, B, code, engine=engine, rng=1, tolerance=1e-14, check_finite=False):
            found.append((engine.clock.now() - began, max(product.error, 1e-16)))
    return found


def draw() -> Any:
    """Steps that fall."""
    figure, axes = drawing.panels(width=7.0, height=4.0)
    found = {name: falling(code) for name, code in codes().items()}
    end = 1.05 * max(path[-1][0] for path in found.values())
    for style, (name, path) in zip(drawing.styles(), found.items(), strict=False):
        when, errors = zip(*[(0.9, 1.0), *path, (end, path[-1][1])], strict=True)
        axes.semilogy(when, errors, drawstyle="steps-post", label=name, **{**style, "markevery": slice(1, -1)})
    axes.set(xlabel="seconds (virtual)", ylabel="measured relative error", xlim=(0.9, end))
    drawing.legend_outside(axes)
    return figure
