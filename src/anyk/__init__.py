"""anyk: matrix products recovered from any k of P workers' answers.

The verbs are `matmul` (encode, multiply on workers, decode from whoever answered), `stream` (the same, better with
every answer), `place` (a matrix that stays on the workers), `decode` (the last step alone) and `locate` (who answered
wrongly?).
The codes are in `anyk.codes`, the engines that run workers in `anyk.engines`, models of delays and losses in
`anyk.faults`; `simulate` says how long products would take on thousands of workers; coded training is in `anyk.nn`,
which needs PyTorch.
"""

from importlib import import_module
from typing import Any

from anyk import codes, engines, errors, faults, simulation
from anyk.code import Code
from anyk.errors import AnykError, ClusterError, CodeError, InputError, PrecisionError, PrecisionWarning
from anyk.job import deadline, everyone, first_threshold, until
from anyk.partition import Partition
from anyk.planning import Plan, plan
from anyk.screening import Located
from anyk.simulation import Completion, simulate
from anyk.verbs import (
    CodedMatrix,
    Product,
    amatmul,
    decode,
    discover,
    locate,
    matmul,
    matmul_stored,
    place,
    stream,
)

__all__ = [
    "AnykError",
    "ClusterError",
    "Code",
    "CodedMatrix",
    "CodeError",
    "Completion",
    "InputError",
    "Located",
    "Partition",
    "Plan",
    "PrecisionError",
    "PrecisionWarning",
    "Product",
    "amatmul",
    "codes",
    "deadline",
    "decode",
    "discover",
    "engines",
    "errors",
    "everyone",
    "faults",
    "first_threshold",
    "locate",
    "matmul",
    "matmul_stored",
    "place",
    "plan",
    "simulate",
    "simulation",
    "stream",
    "until",
]


def __getattr__(name: str) -> Any:  # modules imported when they are first used: `anyk.nn` imports torch
    if name in ("nn", "report"):
        return import_module(f"anyk.{name}")
    raise AttributeError(f"module 'anyk' has no attribute {name!r}")
