"""Wrong numbers in every step of the algorithm: which node is hit where, and what becomes of its copy."""

from collections.abc import Iterable
from typing import Literal

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor

from anyk.errors import InputError
from anyk.faults import BitFlip, Corrupting, Draw, GaussianError, PaperError

#: Everything a node does, in the order of one training step.
STEPS = ("stored", "activation", "encode", "product", "decode", "hadamard", "update")

#: What is stored stays wrong; everything else is a copy made for the moment.
_IN_PLACE = ("stored", "update")

_KINDS = {"gaussian": GaussianError(), "bitflip": BitFlip(), "paper": PaperError()}


class SoftErrors:
    """Errors without notice, at random: each node, each step of each layer is hit with one and the same probability.

    A hit spoils that node's own copy alone: its stored block (``"stored"``, before a product; ``"update"``, after an
    update), its copy of a layer's input (``"activation"``) or of the gradient (``"hadamard"``), what it encodes
    (``"encode"``), multiplies (``"product"``) or decodes (``"decode"``).

    Args:
        rate: probability of a hit, per node, layer and step, from 0 to 1.
        steps: ``"all"``, or some of `STEPS`.
        kind: ``"gaussian"`` (noise as large as the data), ``"bitflip"`` (one random bit of one number), ``"paper"``
            (0.5 % of the numbers off by up to 5), or any model of wrong answers of `anyk.faults`.
        rng: generator or seed; the same seed hits the same nodes in the same steps.

    Raises:
        InputError: a rate outside 0 … 1, an unknown step or kind.

    >>> SoftErrors(1.0, steps=["product"], rng=0).strike("product", torch.zeros(2, 3), range(2))[1]
    [0, 1]
    """

    def __init__(
        self,
        rate: float,
        steps: Literal["all"] | Iterable[str] = "all",
        kind: str | Corrupting = "gaussian",
        rng: Generator | int | None = None,
    ) -> None:
        named = STEPS if steps == "all" else (steps,) if isinstance(steps, str) else tuple(steps)
        if not 0 <= rate <= 1:
            raise InputError(
                f"`SoftErrors(rate={rate!r})`: a probability lies between 0 and 1. One in a hundred is 0.01."
            )
        if unknown := sorted(set(named) - set(STEPS)):
            raise InputError(f"`SoftErrors(steps={unknown})`: no such step. Use some of {', '.join(STEPS)}, or 'all'.")
        if isinstance(kind, str) and kind not in _KINDS:
            raise InputError(
                f"`SoftErrors(kind={kind!r})` is unknown. Use {', '.join(_KINDS)} or a model of anyk.faults."
            )
        self.rate, self.steps = float(rate), frozenset(named)
        self.model = _KINDS[kind] if isinstance(kind, str) else kind
        self.injected = 0
        self._rng = np.random.default_rng(rng)
        self._seed = int(self._rng.integers(2**31))

    def strike(self, step: str, copies: Tensor, nodes: Iterable[int]) -> tuple[Tensor, list[int]]:
        """Hit some nodes' copies.

        Args:
            step: one of `STEPS`.
            copies: shape (L, …), one copy for each of the nodes here; stored ones (``"stored"``, ``"update"``) are
                changed in place, others are left as they are.
            nodes: their numbers.

        Returns:
            The copies as they are now, and who was hit.
        """
        if step not in self.steps or not self.rate or not copies.numel():
            return copies, []
        places = np.flatnonzero(self._rng.random(len(copies)) < self.rate)
        if not places.size:
            return copies, []
        known = list(nodes)
        copies = copies.detach() if step in _IN_PLACE else copies.clone(memory_format=torch.contiguous_format)
        for place in places.tolist():
            self.injected += 1
            copies[place] = _spoilt(self.model, copies[place], Draw(self._seed, self.injected, known[place]))
        return copies, [known[place] for place in places.tolist()]


def _spoilt(model: Corrupting, copy: Tensor, draw: Draw) -> Tensor:
    half = copy.dtype == torch.bfloat16  # NumPy has no such numbers: bits are spoilt as they are, values in float32
    bits = half and isinstance(model, BitFlip)
    plain = copy.view(torch.int16) if bits else copy.float() if half else copy
    wrong = torch.from_numpy(model.spoil(plain.detach().cpu().numpy().copy(), draw, None))
    return (wrong.view(torch.bfloat16) if bits else wrong).to(copy.device, copy.dtype)
