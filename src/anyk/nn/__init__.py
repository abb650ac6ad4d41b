"""Coded training: networks trained on nodes prone to silent errors in every step, with no trusted one among them.

Two lines make a model coded: ``model = anyk.nn.protect(model, code, collective)`` and
``optimizer = anyk.nn.CodedSGD(model.parameters(), lr=0.1)``. Needs PyTorch: ``pip install anyk[nn]``.
"""

try:
    import torch as _torch  # noqa: F401
except ImportError as problem:
    raise ImportError("anyk.nn needs PyTorch. Install it with `pip install 'anyk[nn]'`.") from problem

from anyk.nn.codes import (
    STRATEGIES,
    Tolerance,
    TrainingCode,
    generalized_polydot,
    grid,
    product_mds,
    replication,
    uncoded,
)
from anyk.nn.collective import Collective, VirtualNodes
from anyk.nn.convolution import CodedConv2d
from anyk.nn.guard import Guard
from anyk.nn.guard_report import GuardReport
from anyk.nn.health import Event, Health
from anyk.nn.launch import Launched, launch
from anyk.nn.linear import CodedLinear
from anyk.nn.optim import CodedSGD
from anyk.nn.process_group import ProcessGroup
from anyk.nn.protect import Protected, protect
from anyk.nn.soft_errors import STEPS, SoftErrors

__all__ = [
    "STEPS",
    "STRATEGIES",
    "CodedConv2d",
    "CodedLinear",
    "CodedSGD",
    "Collective",
    "Event",
    "Guard",
    "GuardReport",
    "Health",
    "Launched",
    "ProcessGroup",
    "Protected",
    "SoftErrors",
    "Tolerance",
    "TrainingCode",
    "VirtualNodes",
    "generalized_polydot",
    "grid",
    "launch",
    "product_mds",
    "protect",
    "replication",
    "uncoded",
]
