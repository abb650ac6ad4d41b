"""One weight matrix as the nodes store it: blocks that are a codeword over the nodes, checked and rebuilt as such.

Legend: P = nodes, L = nodes in this process, h x w = a stored block.
"""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from anyk.code import Code
from anyk.decoding import prepare
from anyk.errors import Uncorrectable
from anyk.nn.codes import TrainingCode
from anyk.nn.collective import Collective
from anyk.nn.precision import combined_in, decodes, exact, rounding
from anyk.nn.verdict import LEAST_COLUMNS
from anyk.screening import Located, Model, columns_for, draw_columns, locate

#: Updates after which the rounding they leave in the stored blocks is as large as that of one product.
_DRIFT = 100


class StoredMatrix:
    """What the nodes store of one weight matrix.

    Args:
        code: how the matrix is stored.
        collective: how nodes meet.
        model: what errors may be like.
        name: of the layer, for the record.

    Attributes:
        updates: of the blocks since they were encoded.
        changes: norm of the latest gradient at each node here as long as nothing in it cancels, shape (L,).
    """

    def __init__(self, code: TrainingCode, collective: Collective, model: Model, name: str) -> None:
        self.code, self.collective, self.model, self.name = code, collective, model, name
        self.updates = 0
        self.changes: Tensor | None = None

    @cached_property
    def storage(self) -> Code:
        """The code of the stored blocks."""
        return self.code.storage

    def noise(self, dtype: torch.dtype) -> float:
        """Rounding of one answer, with what the updates so far have left in the stored blocks."""
        return rounding(dtype) * float(np.sqrt(1 + self.updates / _DRIFT))

    def mend(self, state: Sequence[Tensor], *, everybody: bool = False, new: Sequence[int] = ()) -> list[int]:
        """Check everything stored with the code and rebuild what is wrong.

        Args:
            state: tensors of shape (L, h, w), each of them one codeword over the nodes; changed in place. The first
                one is W; the others are sums of gradients, which may cancel: their rounding is judged by what they were
                made of.
            everybody: wait for all nodes; else whoever is late is looked at another time.
            new: nodes that have just come and hold nothing: theirs are made from the others'.

        Returns:
            Nodes whose blocks were wrong.

        Raises:
            Uncorrectable: more wrong blocks than can be located.
        """
        wrong: set[int] = set()
        for place, stored in enumerate(state):
            made_of = self.changes if place else None
            wrong |= set(self.mended(stored, made_of, everybody=everybody, new=new))
        return sorted(wrong)

    def mended(
        self, stored: Tensor, made_of: Tensor | None, *, everybody: bool = False, new: Sequence[int] = ()
    ) -> list[int]:
        """One of them; see `mend`.

        Args:
            stored: shape (L, h, w); changed in place.
            made_of: norm of what it was made of at each node here, shape (L,).
            everybody: see `mend`.
            new: see `mend`.
        """
        code, collective = self.storage, self.collective
        if code.workers == code.recovery_threshold and not new:
            return []
        for wanted in (self.code.nodes,) if everybody or new else (self._enough, self.code.nodes):
            tasks, found, came = self._checked(stored, made_of, wanted, new)
            if found.found or came.all():
                break  # else those that were late may decide it
        collective.decided(f"{self.name} stored: {found.found} {found.wrong}")
        if not found.found:
            raise Uncorrectable(f"{self.name} stored blocks: {found.reason}.")
        healthy = [task for task in tasks if task not in found.wrong]
        unasked = np.flatnonzero(~collective.health.active).tolist()
        self.rebuild(stored, sorted({*found.wrong, *unasked, *new}), healthy)
        collective.health.note("regenerated", found.wrong, self.name)
        return list(found.wrong)

    def _checked(
        self, stored: Tensor, made_of: Tensor | None, wanted: int, new: Sequence[int]
    ) -> tuple[list[int], Located, NDArray[np.bool_]]:
        """Whose blocks were looked at, who of them is wrong, and whose fingerprints came."""
        code, collective = self.storage, self.collective
        rng = collective.random()
        tasks = [task for task in np.flatnonzero(collective.health.active).tolist() if task not in new]
        count = max(LEAST_COLUMNS, columns_for(len(tasks) - code.recovery_threshold - 1))
        columns = torch.from_numpy(draw_columns(stored.shape[2], count, rng)).to(exact(stored[:0]))
        with torch.no_grad():
            prints = torch.matmul(exact(stored), columns)
            sizes = torch.zeros_like(prints[:, 0, 0]) if made_of is None else made_of.to(prints)
            told = torch.cat([prints, sizes[:, None, None].expand(-1, 1, columns.shape[1])], dim=1)
            everybodys, came = collective.gather(told, wanted, code.recovery_threshold)
        tasks = [task for task in tasks if came[task]]
        known = everybodys.cpu().numpy()
        size = float(np.median(np.nan_to_num(known[tasks, -1, 0] / code.answer_sizes[tasks], nan=np.inf)))
        usual = size / np.sqrt(stored[0].numel()) * float(columns.square().sum(dim=0).mean().sqrt())
        answers, noise = {task: known[task, :-1] for task in tasks}, self.noise(stored.dtype)
        return tasks, locate(code, answers, self.model, rng, noise=noise, usual=usual), came

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
            for wanted in (self._enough, self.code.nodes):
                blocks, came = self.collective.gather(stored, wanted, self.storage.recovery_threshold)
                there = [node for node in healthy if came[node]]
                if self._determine(there, stored):
                    break
            else:
                raise Uncorrectable(f"{self.name} stored blocks: the {len(there)} right ones do not decode.")
            mixture = self.storage.left[:, 0, nodes].T @ prepare(self.storage, there, combined_in(stored)).matrix
            rebuilt = torch.tensordot(torch.from_numpy(mixture).to(stored), blocks[there], dims=1)
            for place, node in enumerate(nodes):
                if node in self.collective.here:
                    stored[node - self.collective.here.start] = rebuilt[place]

    @property
    def _enough(self) -> int:
        """Nodes whose blocks determine all others and can be checked."""
        return min(self.code.nodes, self.storage.recovery_threshold + 2)

    def _determine(self, nodes: list[int], stored: Tensor) -> bool:
        return len(nodes) >= len(self.storage.left) and decodes(self.storage, nodes, stored)

    def decoded_matrix(self, stored: Tensor) -> Tensor:
        """W itself, decoded from all nodes' blocks, shape (m h, n w); check them first.

        Args:
            stored: shape (L, h, w).
        """
        with torch.no_grad():
            blocks, came = self.collective.gather(stored.detach(), self.code.nodes, self.storage.recovery_threshold)
            tasks = np.flatnonzero(came & self.collective.health.active).tolist()
            factors = torch.from_numpy(prepare(self.storage, tasks, combined_in(stored)).matrix).to(blocks)
            pieces = torch.tensordot(factors, blocks[tasks], dims=1)
        rows, inner, (height, width) = self.code.rows, self.code.inner, stored.shape[1:]
        return pieces.reshape(rows, inner, height, width).transpose(1, 2).reshape(rows * height, inner * width)
