"""The node program: what every node does for one coded matrix, written once for virtual nodes and for real ranks.

Legend: P = nodes, L = nodes in this process, B = rows of a batch, N = features, h x w = a stored block, T = tasks.

A product goes: encode the own copy of the input, multiply the own block, gather everybody's small answers, find the
wrong ones by random fingerprints (`anyk.nn.verdict`), decode from the rest. All nodes see the same answers and draw the
same fingerprints, so they come to the same verdict without a vote. Whoever is caught gets a fresh copy of the input,
and the stored blocks are checked and the wrong ones rebuilt (`anyk.nn.stored`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from anyk.decoding import prepare
from anyk.errors import Uncorrectable
from anyk.nn.codes import Stage, TrainingCode
from anyk.nn.collective import Collective
from anyk.nn.precision import combined_in, exact
from anyk.nn.stored import StoredMatrix
from anyk.nn.verdict import Verdict, screened
from anyk.screening import Model

Phase = Literal["forward", "backward"]


@dataclass(frozen=True, eq=False)
class Multiplied:
    """What one product gives every node here.

    Args:
        decoded: the product, shape (L, B, N_out).
        copies: the input as each node has it now, refreshed where it was wrong, shape (L, B, N_in).
        encoded: what each node made of its copy, shape (L, B, w).
    """

    decoded: Tensor
    copies: Tensor
    encoded: Tensor


class Program(StoredMatrix):
    """What the nodes do for one weight matrix.

    Args:
        code: how the matrix is stored.
        collective: how nodes meet.
        model: what errors may be like.
        name: of the layer, for the record.
    """

    def __init__(self, code: TrainingCode, collective: Collective, model: Model, name: str) -> None:
        super().__init__(code, collective, model, name)
        self._known: dict[object, Tensor] = {}

    # --- one product --------------------------------------------------------------------------------------------------

    def product(
        self,
        phase: Phase,
        copies: Tensor,
        blocks: Tensor,
        state: Sequence[Tensor] = (),
        products: torch.dtype | None = None,
    ) -> Multiplied:
        """Multiply every node's copy by W (forward) or its transpose (backward).

        Args:
            phase: which product.
            copies: of the input, shape (L, B, N_in); N_in a multiple of the grid.
            blocks: stored, shape (L, h, w).
            state: everything stored with the code, to be checked when somebody is caught; changed in place.
            products: precision of the products; default: as stored.

        Raises:
            Uncorrectable: more wrong answers than can be located, at the last attempt too.
        """
        collective, stage = self.collective, getattr(self.code, phase)
        place = f"{self.name} {phase}"
        for left in reversed(range(collective.attempts)):
            collective.strike("stored", blocks, place)
            encoded = self.encoded(phase, copies, stage.inputs)
            late = collective.is_late  # the answer would not count: catch up
            own = self._answers(phase, encoded, blocks, products, skip=late)
            answers, came = collective.gather(own, self.wanted, self.needed)
            verdict = self._screened(stage, answers, came)
            if not verdict.found and not came.all():  # those that were late may decide it
                own = self._answers(phase, encoded, blocks, products) if late else own
                answers, came = collective.gather(own, self.code.nodes, self.needed)
                verdict = self._screened(stage, answers, came)
            collective.decided(f"{place}: {verdict.found} {verdict.tasks} {verdict.nodes}")
            if verdict.found:
                break
            collective.health.counts["repeated"] += 1
            if not left:
                raise Uncorrectable(f"{place}: {verdict.reason}.")
            copies = collective.agree(copies, place)
            self.mend(state)
        collective.health.screened(verdict.nodes, place, self.wanted)
        if verdict.nodes:
            copies = collective.refresh(copies, verdict.nodes, self._trusted(stage, verdict))
            encoded = self._encoded_again(encoded, copies, stage, verdict.nodes)
            self.mend(state)
        decoded = self._decoded(stage, verdict.answers, verdict.tasks).to(copies.dtype)
        return Multiplied(collective.strike("decode", decoded, place), copies, encoded)

    def _answers(
        self, phase: Phase, encoded: Tensor, blocks: Tensor, products: torch.dtype | None, *, skip: bool = False
    ) -> Tensor:
        """What the nodes here answer, shape (L, B, N_out / blocks); zeros where that is skipped."""
        factor = blocks.transpose(1, 2) if phase == "forward" else blocks
        encoded, factor = encoded.to(products or encoded.dtype), factor.to(products or factor.dtype)
        if skip:
            return encoded.new_zeros(*encoded.shape[:2], factor.shape[2])
        return self.collective.strike("product", torch.matmul(encoded, factor), f"{self.name} {phase}")

    def encoded(self, phase: Phase, copies: Tensor, table: NDArray[np.float64]) -> Tensor:
        """Each node's mixture of the blocks of its own copy, with what errors make of it, shape (L, B, N / blocks)."""
        return self.collective.strike("encode", self._encode(copies, table), f"{self.name} {phase}")

    def _encode(self, copies: Tensor, table: NDArray[np.float64]) -> Tensor:
        """Each node's mixture of the blocks of its own copy, shape (L, B, N / blocks)."""
        count, (here, batch, _) = len(table), copies.shape
        factors = self._tensor(("encode", id(table)), table[:, self.collective.here].T, copies)
        if count == 1:
            return copies * factors[:, :, None]
        if here > 1 and copies.stride(0) == 0:
            return torch.einsum("bnk,ln->lbk", copies[0].reshape(batch, count, -1), factors)
        blocks = copies.reshape(here, batch, count, -1)
        if batch == 1:
            return torch.matmul(factors[:, None, None], blocks)[:, :, 0]
        mixed = blocks[:, :, 0] * factors[:, 0, None, None]
        for block in range(1, count):  # thousands of tiny products take longer
            mixed.addcmul_(blocks[:, :, block], factors[:, block, None, None])
        return mixed

    def _encoded_again(self, encoded: Tensor, copies: Tensor, stage: Stage, nodes: list[int]) -> Tensor:
        again, encoded = self._encode(copies, stage.inputs), encoded.clone()
        places = [node - self.collective.here.start for node in nodes if node in self.collective.here]
        encoded[places] = again[places]
        return encoded

    def _trusted(self, stage: Stage, verdict: Verdict) -> list[int]:
        """Nodes whose answers were right and say something of their inputs."""
        asked = (stage.inputs != 0).any(axis=0)
        return [node for task in verdict.tasks for node in stage.members[task] if asked[node]]

    @property
    def needed(self) -> int:
        """Nodes that must answer for a product."""
        return max(stage.code.recovery_threshold for stage in (self.code.forward, self.code.backward))

    @property
    def wanted(self) -> int:
        """Nodes that answer a product of which a wrong answer can be located."""
        return self.needed + 2

    def _screened(self, stage: Stage, answers: Tensor, came: NDArray[np.bool_]) -> Verdict:
        """Find the wrong answers of one product, shape (P, B, w)."""
        usable, noise = came & self.collective.health.active, self.noise(answers.dtype)
        return screened(stage, answers, usable, self.model, noise, self.collective.random())

    # --- decoding -----------------------------------------------------------------------------------------------------

    def _decoded(self, stage: Stage, answers: Tensor, tasks: list[int]) -> Tensor:
        """The product as every node here decodes it, shape (L, B, blocks * w)."""
        weights = prepare(stage.code, tasks, combined_in(answers)).matrix
        used = exact(answers if len(tasks) == len(answers) else answers[tasks])
        factors = self._tensor(("decode", id(stage), tuple(tasks)), weights, used)
        blocks, (_, batch, width) = len(weights), used.shape
        mixed = (factors @ used.reshape(len(tasks), -1)).reshape(blocks, batch, width)
        product = mixed.transpose(0, 1).reshape(batch, blocks * width)
        return product.expand(len(self.collective.here), *product.shape)

    # --- tables as tensors --------------------------------------------------------------------------------------------

    def _tensor(self, key: object, table: NDArray[np.float64], like: Tensor) -> Tensor:
        """A table in the precision and on the device of ``like``, remembered."""
        key = (key, like.dtype, like.device)
        if key not in self._known:
            if len(self._known) > 256:
                self._known.clear()
            self._known[key] = torch.from_numpy(np.ascontiguousarray(table)).to(like)
        return self._known[key]
