"""Training codes, one strategy a file; a row of `STRATEGIES` is all it takes to compare another one."""

from collections.abc import Callable, Mapping

from anyk.nn.codes.base import Stage, Tolerance, TrainingCode
from anyk.nn.codes.generalized_polydot import generalized_polydot, grid
from anyk.nn.codes.product_mds import product_mds
from anyk.nn.codes.replication import replication, uncoded

__all__ = [
    "STRATEGIES",
    "Stage",
    "Tolerance",
    "TrainingCode",
    "generalized_polydot",
    "grid",
    "product_mds",
    "replication",
    "uncoded",
]

#: Name on the command line -> (rows, inner, nodes) -> code.
STRATEGIES: Mapping[str, Callable[[int, int, int], TrainingCode]] = {
    "gpd": generalized_polydot,
    "mds": product_mds,
    "replication": replication,
    "uncoded": lambda rows, inner, nodes: uncoded(rows, inner),
}
