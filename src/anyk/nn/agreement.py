"""Replicated numbers: every node has a copy, most of them are equal, and what most hold counts."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def majority(copies: Tensor, active: NDArray[np.bool_]) -> tuple[int, list[int]]:
    """Whose copy is held by more than half, bit by bit, and whose differ from it.

    Where no copy is, nodes have rounded differently, and the copy in the `middle` counts: the commonest of many rare
    ones may be a wrong one.

    Args:
        copies: shape (P, …).
        active: nodes that count, shape (P,).

    Returns:
        The lowest node that holds that copy, and all others that hold another one.

    >>> majority(torch.tensor([[1.0], [2.0], [1.0]]), np.array([True, True, True]))
    (0, [1])
    """
    if copies.stride(0) == 0:
        return int(np.flatnonzero(active)[0]), []
    flat = bits(copies).reshape(len(copies), -1)
    nodes = np.flatnonzero(active).tolist()
    if len(nodes) == len(copies) and torch.equal(flat[1:], flat[:-1]):  # the usual case
        return 0, []
    groups: list[list[int]] = []
    while nodes:
        first, *others = nodes
        same = (flat[others] == flat[first]).all(dim=1).tolist() if others else []
        groups.append([first, *(node for node, equal in zip(others, same, strict=True) if equal)])
        nodes = [node for node, equal in zip(others, same, strict=True) if not equal]
    chosen = max(groups, key=len)
    if 2 * len(chosen) <= active.sum():
        nearest = middle(copies, active)
        chosen = next(group for group in groups if nearest in group)
    return chosen[0], sorted(set(range(len(copies))) - set(chosen))


def middle(copies: Tensor, active: NDArray[np.bool_]) -> int:
    """Whose copy is nearest to what lies in the middle of all of them, number by number.

    Args:
        copies: shape (P, …).
        active: nodes that count, shape (P,); as long as most of them are right, so is the one named.

    >>> middle(torch.tensor([[9.0], [1.0], [1.1]]), np.array([True, True, True]))
    2
    """
    nodes = np.flatnonzero(active).tolist()
    flat = copies[nodes].detach().double().flatten(1)
    flat = torch.where(flat.isfinite(), flat, torch.full_like(flat, torch.finfo(torch.float64).max / 4))
    distances = (flat - flat.median(dim=0).values).abs().amax(dim=1)
    return int(nodes[int(distances.argmin())])


def bits(copies: Tensor) -> Tensor:
    """The bits of some numbers: equal ones are equal even where they are not numbers (NaN)."""
    plain = copies.detach().contiguous()
    if not plain.is_floating_point():
        return plain
    return plain.view({2: torch.int16, 4: torch.int32, 8: torch.int64}[plain.element_size()])
