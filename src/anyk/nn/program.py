"""The node program: what every node does for one coded matrix, written once for virtual nodes and for real ranks.

Legend: P = nodes, L = nodes in this process, B = rows of a batch, N = features, h x w = a stored block, T = tasks.

A product goes: encode the own copy of the input, multiply the own block, gather everybody's small answers, find the
wrong ones by random fingerprints (`anyk.screening`), decode from the rest. All nodes see the same answers and draw the
same fingerprints, so they come to the same verdict without a vote. Whoever is caught gets a fresh copy of the input,
and the stored blocks are checked and the wrong ones rebuilt: they are a codeword themselves.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from anyk.code import Code
from anyk.decoding import prepare
from anyk.errors import Uncorrectable
from anyk.nn.clean import checks_of
from anyk.nn.codes import Stage, TrainingCode
from anyk.nn.collective import Collective
from anyk.screening import Model, columns_for, draw_columns, locate
from anyk.weights import product_error

Phase = Literal["forward", "backward"]

#: Updates after which the rounding they leave in the stored blocks is as large as that of one product.
_DRIFT = 100

#: In coarse precision, decoding may lose this factor to rounding.
_LOSS = 10

#: Check answers by at least so many columns, and so many numbers as long as that takes no more than so many columns: a
#: single number agrees by chance too often, in coarse precision also a few.
_LEAST_COLUMNS, _LEAST_WORDS, _MOST_COLUMNS = 2, 16, 8


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


class Program:
    """What the nodes do for one weight matrix.

    Args:
        code: how the matrix is stored.
        collective: how nodes meet.
        model: what errors may be like.
        name: of the layer, for the record.
    """

    def __init__(self, code: TrainingCode, collective: Collective, model: Model, name: str) -> None:
        self.code, self.collective, self.model, self.name = code, collective, model, name
        self.updates = 0
        #: Norm of the latest gradient at each node here as long as nothing in it cancels, shape (L,).
        self.changes: Tensor | None = None
        self._known: dict[object, Tensor] = {}

    @cached_property
    def storage(self) -> Code:
        """The code of the stored blocks."""
        return self.code.storage

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
            factor = blocks.transpose(1, 2) if phase == "forward" else blocks
            answers = torch.matmul(encoded.to(products or encoded.dtype), factor.to(products or factor.dtype))
            answers, came = collective.gather(collective.strike("product", answers, place), self.needed)
            verdict = self._screened(stage, answers, came)
            if verdict.found:
                break
            collective.health.counts["repeated"] += 1
            if not left:
                raise Uncorrectable(f"{place}: {verdict.reason}.")
            copies = collective.agree(copies, place)
            self.mend(state)
        collective.health.screened(verdict.nodes, place, self.needed)
        if verdict.nodes:
            copies = collective.refresh(copies, verdict.nodes, self._trusted(stage, verdict))
            encoded = self._encoded_again(encoded, copies, stage, verdict.nodes)
            self.mend(state)
        decoded = self._decoded(stage, verdict.answers, verdict.tasks).to(copies.dtype)
        return Multiplied(collective.strike("decode", decoded, place), copies, encoded)

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

    def _trusted(self, stage: Stage, verdict: "_Verdict") -> list[int]:
        """Nodes whose answers were right and say something of their inputs."""
        asked = (stage.inputs != 0).any(axis=0)
        return [node for task in verdict.tasks for node in stage.members[task] if asked[node]]

    @property
    def needed(self) -> int:
        """Nodes that must answer for a screened product."""
        return max(stage.code.recovery_threshold + 2 for stage in (self.code.forward, self.code.backward))

    # --- who is wrong -------------------------------------------------------------------------------------------------

    def _screened(self, stage: Stage, answers: Tensor, came: NDArray[np.bool_]) -> "_Verdict":
        """Find the wrong answers of one product, shape (P, B, w)."""
        usable = came & self.collective.health.active
        tasks = list(range(len(stage.members)))
        if not usable.all():
            tasks = [task for task in tasks if usable[list(stage.members[task])].all()]
        if stage.sums:
            answers = torch.stack([answers[list(nodes)].sum(dim=0) for nodes in stage.members])
        needed = stage.code.recovery_threshold
        if len(tasks) == needed == stage.code.workers:
            return _Verdict(answers, tasks, [], True, "this code has nothing to check by")
        if len(tasks) <= needed:
            reason = f"{len(tasks)} answers came; {needed} decode, and only more of them can be checked"
            return _Verdict(answers, tasks, [], False, reason)
        wrong, found, reason = self._located(stage.code, answers, tasks)
        good = [task for task in tasks if task not in wrong]
        nodes = sorted({node for task in wrong for node in stage.members[task]})
        if found and not _decodes(stage.code, good, answers):
            found, reason = False, f"the {len(good)} right answers do not decode in {_dtype(answers)}"
        return _Verdict(answers, good, nodes, found, reason)

    def _located(self, code: Code, answers: Tensor, tasks: list[int]) -> tuple[tuple[int, ...], bool, str]:
        """Fingerprints of the tasks' answers, shape (T, B, w), and what they say."""
        rng, noise = self.collective.random(), self.noise(answers.dtype)
        least = min(_MOST_COLUMNS, max(_LEAST_COLUMNS, -(-_LEAST_WORDS // answers.shape[1])))
        answers = answers if len(tasks) == len(answers) else answers[tasks]
        known = _fingerprints(answers, least, rng).cpu().numpy()
        if checks_of(code, tuple(tasks), _dtype(answers)).agree(known, noise):
            return (), True, ""
        count = columns_for(len(tasks) - code.recovery_threshold - 1)
        if count > least:
            known = _fingerprints(answers, count, rng).cpu().numpy()
        found = locate(code, dict(zip(tasks, known, strict=True)), self.model, rng, noise=noise)
        return found.wrong, found.found, found.reason

    def noise(self, dtype: torch.dtype) -> float:
        """Rounding of one answer, with what the updates so far have left in the stored blocks."""
        return product_error(_name(dtype)) * float(np.sqrt(1 + self.updates / _DRIFT))

    # --- decoding -----------------------------------------------------------------------------------------------------

    def _decoded(self, stage: Stage, answers: Tensor, tasks: list[int]) -> Tensor:
        """The product as every node here decodes it, shape (L, B, blocks * w)."""
        weights = prepare(stage.code, tasks, _dtype(answers)).matrix
        used = _exact(answers if len(tasks) == len(answers) else answers[tasks])
        factors = self._tensor(("decode", id(stage), tuple(tasks)), weights, used)
        blocks, (_, batch, width) = len(weights), used.shape
        mixed = (factors @ used.reshape(len(tasks), -1)).reshape(blocks, batch, width)
        product = mixed.transpose(0, 1).reshape(batch, blocks * width)
        return product.expand(len(self.collective.here), *product.shape)

    # --- stored blocks ------------------------------------------------------------------------------------------------

    def mend(self, state: Sequence[Tensor]) -> list[int]:
        """Check everything stored with the code and rebuild what is wrong.

        Args:
            state: tensors of shape (L, h, w), each of them one codeword over the nodes; changed in place. The first
                one is W; the others are sums of gradients, which may cancel: their rounding is judged by what they were
                made of.

        Returns:
            Nodes whose blocks were rebuilt.

        Raises:
            Uncorrectable: more wrong blocks than can be located.
        """
        mended: set[int] = set()
        for place, stored in enumerate(state):
            mended |= set(self._mended(stored, self.changes if place else None))
        return sorted(mended)

    def _mended(self, stored: Tensor, made_of: Tensor | None) -> list[int]:
        code, collective = self.storage, self.collective
        if code.workers == code.recovery_threshold:
            return []
        rng = collective.random()
        tasks = np.flatnonzero(collective.health.active).tolist()
        count = max(_LEAST_COLUMNS, columns_for(len(tasks) - code.recovery_threshold - 1))
        columns = torch.from_numpy(draw_columns(stored.shape[2], count, rng)).to(_exact(stored[:0]))
        with torch.no_grad():
            prints = torch.matmul(_exact(stored), columns)
            sizes = torch.zeros_like(prints[:, 0, 0]) if made_of is None else made_of.to(prints)
            told = torch.cat([prints, sizes[:, None, None].expand(-1, 1, columns.shape[1])], dim=1)
            everybodys, came = collective.gather(told, self.code.nodes)
        tasks = [task for task in tasks if came[task]]
        known = everybodys.cpu().numpy()
        size = float(np.median(np.nan_to_num(known[tasks, -1, 0] / code.answer_sizes[tasks], nan=np.inf)))
        usual = size / np.sqrt(stored[0].numel()) * float(columns.square().sum(dim=0).mean().sqrt())
        answers, noise = {task: known[task, :-1] for task in tasks}, self.noise(stored.dtype)
        found = locate(code, answers, self.model, rng, noise=noise, usual=usual)
        if not found.found:
            raise Uncorrectable(f"{self.name} stored blocks: {found.reason}.")
        healthy = [task for task in tasks if task not in found.wrong]
        absent = [node for node in range(code.workers) if node not in tasks]
        self.rebuild(stored, [*found.wrong, *absent], healthy)
        collective.health.note("regenerated", found.wrong, self.name)
        return list(found.wrong)

    def rebuild(self, stored: Tensor, nodes: list[int], healthy: list[int]) -> None:
        """Decode W from healthy blocks and encode it again for some nodes, in one step.

        Args:
            stored: shape (L, h, w); changed in place.
            nodes: whose blocks are replaced.
            healthy: whose blocks are right.

        Raises:
            Uncorrectable: the healthy ones do not determine the others.
        """
        if not nodes:
            return
        with torch.no_grad():
            blocks, came = self.collective.gather(stored, self.code.nodes)
            healthy = [node for node in healthy if came[node]]
            if len(healthy) < len(self.storage.left) or not _decodes(self.storage, healthy, stored):
                raise Uncorrectable(f"{self.name} stored blocks: the {len(healthy)} right ones do not decode.")
            mixture = self.storage.left[:, 0, nodes].T @ prepare(self.storage, healthy, _dtype(stored)).matrix
            rebuilt = torch.tensordot(torch.from_numpy(mixture).to(stored), blocks[healthy], dims=1)
            for place, node in enumerate(nodes):
                if node in self.collective.here:
                    stored[node - self.collective.here.start] = rebuilt[place]

    def decoded_matrix(self, stored: Tensor) -> Tensor:
        """W itself, decoded from all nodes' blocks, shape (m h, n w); check them first.

        Args:
            stored: shape (L, h, w).
        """
        with torch.no_grad():
            blocks, came = self.collective.gather(stored.detach(), self.code.nodes)
            tasks = np.flatnonzero(came & self.collective.health.active).tolist()
            factors = torch.from_numpy(prepare(self.storage, tasks, _dtype(stored)).matrix).to(blocks)
            pieces = torch.tensordot(factors, blocks[tasks], dims=1)
        rows, inner, (height, width) = self.code.rows, self.code.inner, stored.shape[1:]
        return pieces.reshape(rows, inner, height, width).transpose(1, 2).reshape(rows * height, inner * width)

    # --- tables as tensors --------------------------------------------------------------------------------------------

    def _tensor(self, key: object, table: NDArray[np.float64], like: Tensor) -> Tensor:
        """A table in the precision and on the device of ``like``, remembered."""
        key = (key, like.dtype, like.device)
        if key not in self._known:
            if len(self._known) > 256:
                self._known.clear()
            self._known[key] = torch.from_numpy(np.ascontiguousarray(table)).to(like)
        return self._known[key]


@dataclass(frozen=True, eq=False)
class _Verdict:
    answers: Tensor
    tasks: list[int]
    nodes: list[int]
    found: bool
    reason: str


def _decodes(code: Code, tasks: list[int], answers: Tensor) -> bool:
    """These tasks' answers give the product with an error that is of use."""
    rounding, weights = product_error(_name(answers.dtype)), prepare(code, tasks, _dtype(answers))
    error = max(weights.expected_error, rounding * weights.noise_amplification)
    return error <= max(code.decoding_limit(len(tasks), _dtype(answers)), _LOSS * rounding)


def _fingerprints(answers: Tensor, count: int, rng: Generator) -> Tensor:
    """Answers (T, B, w) times a few random columns, shape (T, B, count)."""
    exact = _exact(answers.detach())
    columns = np.ascontiguousarray(draw_columns(exact.shape[2], count, rng).T)
    # Five times as fast as a product with the same numbers in columns.
    return functional.linear(exact, torch.from_numpy(columns).to(exact))


def _exact(numbers: Tensor) -> Tensor:
    """In float32 at least: what is compared must not be rounded once more."""
    return numbers if numbers.dtype in (torch.float32, torch.float64) else numbers.float()


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _dtype(numbers: Tensor) -> str:
    """The precision in which answers are combined."""
    return "float64" if numbers.dtype == torch.float64 else "float32"
