"""Copies of every block, and no copies at all: the baselines every code has to beat."""

import numpy as np

from anyk.bases import block_tables
from anyk.code import Code
from anyk.errors import CodeError
from anyk.nn.codes.base import Stage, TrainingCode
from anyk.partition import Partition


def replication(rows: int, inner: int, nodes: int) -> TrainingCode:
    """Replication: node w stores block w modulo mn; R copies out-vote R - 2 wrong ones where errors are independent.

    Args:
        rows: blocks m along the layer's outputs; at least 1.
        inner: blocks n along its inputs; at least 1.
        nodes: a multiple R of mn; with R = 2 an error is noticed and cannot be placed.

    Raises:
        CodeError: a number of nodes that is no multiple of mn.

    >>> replication(2, 2, nodes=12).tolerance().forward
    1
    """
    return _copied("replication", rows, inner, nodes)


def uncoded(rows: int, inner: int, nodes: int | None = None) -> TrainingCode:
    """One node for each block, nothing checked: what wrong numbers do when nobody looks.

    Args:
        rows: blocks m along the layer's outputs; at least 1.
        inner: blocks n along its inputs; at least 1.
        nodes: mn, where given.

    Raises:
        CodeError: another number of nodes.

    >>> uncoded(2, 2)
    TrainingCode('uncoded', grid 2 x 2, 4 nodes)
    """
    if nodes is not None and nodes != rows * inner:
        raise CodeError(f"`uncoded(rows={rows}, inner={inner}, nodes={nodes})` has one node a block: {rows * inner}.")
    return _copied("uncoded", rows, inner, rows * inner)


def _copied(name: str, rows: int, inner: int, nodes: int) -> TrainingCode:
    copies, rest = divmod(nodes, rows * inner)
    if rest or not copies:
        raise CodeError(
            f"`{name}(rows={rows}, inner={inner}, nodes={nodes})` needs a multiple of {rows * inner} nodes. "
            f"Use {rows * inner * max(1, copies)}."
        )
    left, right = (np.tile(table, copies) for table in block_tables(rows, inner, 1))
    col, row = right[:, 0], left.sum(axis=1)
    alone, threshold = tuple((node,) for node in range(nodes)), nodes - copies + 1
    forward = Stage(Code(name, Partition(rows, inner, 1), left, col[:, None], threshold), col, alone)
    back = Code(name, Partition(inner, rows, 1), left.swapaxes(0, 1), row[:, None], threshold)
    return TrainingCode(name, row, col, threshold, forward, Stage(back, row, alone))
