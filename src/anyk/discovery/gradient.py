"""Quasi-Newton descent: L-BFGS on the loss with the decoding weights eliminated.

Coefficients are counted in units of their own size over the tasks, since the steps of a level code lie many powers of
ten apart; columns are brought back to unit length at the end, their length being no part of the loss.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anyk.discovery.objective import Loss
from anyk.discovery.tables import Tables, sizes, unit

#: Steps whose curvature is remembered.
_MEMORY = 30


def descended(tables: Tables, loss: Loss, steps: int, tick: Callable[[Tables], None]) -> Tables:
    """Up to so many quasi-Newton steps down; see `anyk.discovery.methods.Epoch`."""
    left, right = unit(*tables)
    scale = np.concatenate([np.broadcast_to(sizes(each), each.shape).ravel() for each in (left, right)])

    def at(point: NDArray[np.float64]) -> Tables:
        flat = point * scale
        return flat[: left.size].reshape(left.shape), flat[left.size :].reshape(right.shape)

    def sloped(point: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        found = loss.slope(at(point))
        return found.value, np.concatenate([found.left.ravel(), found.right.ravel()]) * scale

    from scipy.optimize import minimize  # here: it takes longer to load than all of anyk

    found: Any = minimize(
        sloped,
        np.concatenate([left.ravel(), right.ravel()]) / scale,
        jac=True,
        method="L-BFGS-B",
        callback=lambda point: tick(unit(*at(point))),
        options={"maxiter": steps, "maxfun": 3 * steps, "maxcor": _MEMORY, "ftol": 1e-12, "gtol": 1e-10},
    )
    return unit(*at(found.x))
