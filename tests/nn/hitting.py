"""Nodes that are hit exactly where a test says."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from anyk.nn import VirtualNodes


class Hitting(VirtualNodes):
    """Virtual nodes of which some are hit in named steps: step -> nodes; every hit adds noise as large as the data.

    Args:
        nodes: P.
        hits: step -> nodes.
        common: all of them get the same noise.
        times: how often each step is hit; 0: always.
    """

    def __init__(
        self,
        nodes: int,
        hits: Mapping[str, list[int]],
        *,
        common: bool = False,
        times: int = 0,
        attempts: int = 1,
        seed: int = 0,
    ) -> None:
        super().__init__(nodes, attempts=attempts, seed=seed)
        self.hits, self.common = dict(hits), common
        self.left = dict.fromkeys(hits, times or 10**9)
        self.rng = np.random.default_rng(seed)

    def strike(self, step: str, copies: Tensor, place: str) -> Tensor:
        chosen = self.hits.get(step, [])
        if not chosen or not self.left[step]:
            return copies
        self.left[step] -= 1
        if step not in ("stored", "update"):
            copies = copies.clone(memory_format=torch.contiguous_format)
        size = float(copies.double().square().mean().sqrt()) or 1.0
        drawn = self.rng.standard_normal((1 if self.common else len(chosen), *copies.shape[1:]))
        with torch.no_grad():
            copies.detach()[chosen] += torch.from_numpy(size * drawn).to(copies.dtype)
        return copies
