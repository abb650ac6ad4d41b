r"""The encoded blocks of a matrix that stays on the workers, and what they look like through secret vectors.

The matrix itself is not kept, but a few vectors are, taken from it before any worker had its block: $\psi^T \tilde A_w$
and $\tilde A_w \varphi$. By the first, every answer is checked, $\psi^T Y_w = (\psi^T \tilde A_w) \tilde B_w$, by the
second every answer of the transpose, and by either the block itself: one that changed is found, and computed anew from
the others.
"""

from collections.abc import Collection
from dataclasses import dataclass
from math import prod
from threading import Lock
from typing import Any, Self

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from anyk.arrays import norm, times_few
from anyk.code import Code
from anyk.errors import ClusterError
from anyk.screening import draw_columns
from anyk.screening.alike import gain, strange_rows
from anyk.sparse import entries
from anyk.verbs.blocks import Blocks
from anyk.verbs.sparse_blocks import SparseBlocks
from anyk.verbs.witness import COLUMNS, pieces
from anyk.weights import product_error

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Marks:
    """What right blocks look like from one side.

    Args:
        vectors: secret, shape (n, r).
        images: of every encoded block, shape (P, m, r): the blocks times the vectors, or their transposes.
        size: root mean square of the entries of the matrix.
    """

    vectors: Array
    images: Array
    size: float

    @classmethod
    def draw(cls, matrix: Array, table: Array, dtype: np.dtype[Any], size: float, rng: Generator) -> Self:
        """Through random vectors, from the matrix itself: one pass over it.

        Args:
            matrix: shape (height, depth).
            table: encoding coefficients, shape (rows, inner, P).
            dtype: of encoded blocks.
            size: root mean square of its entries.
            rng: where the vectors come from.
        """
        height, depth = (-(-length // parts) for length, parts in zip(matrix.shape, table.shape, strict=False))
        vectors = draw_columns(depth, COLUMNS, rng).astype(matrix.dtype)
        shown = np.zeros((*table.shape[:2], height, vectors.shape[1]), matrix.dtype)
        for (i, j), piece, _, _ in pieces(matrix, table.shape[:2]):
            shown[i, j, : piece.shape[0]] = times_few(piece, vectors[: piece.shape[1]])
        return cls(vectors, np.einsum("ijw,ijhr->whr", table, shown).astype(dtype), size)


class Resident:
    """The blocks and their marks.

    Args:
        code: of the matrix.
        blocks: encoded.
        matrix: shape (height, depth), dense or sparse.
        rng: of the secret vectors.
    """

    def __init__(self, code: Code, blocks: Blocks | SparseBlocks, matrix: Array, rng: Generator) -> None:
        self.code, self.blocks = code, blocks
        dtype, size = code.coded_dtype(matrix.dtype), norm(entries(matrix)) / max(1, prod(matrix.shape)) ** 0.5
        #: Of the blocks as they are, and transposed.
        self.marks = Marks.draw(matrix, code.left, dtype, size, rng)
        self.marks_of_transpose = Marks.draw(matrix.T, code.left.swapaxes(0, 1), dtype, size, rng)
        self._noise = product_error(matrix.dtype)
        self._repairing = Lock()

    def is_whole(self, task: int) -> bool:
        """The task's block is as it was when it was placed, as far as the master can see it."""
        marks, block = self.marks, self.blocks.arrays[task]
        usual = marks.size * float(np.linalg.norm(self.code.left[..., task])) * gain(marks.vectors)
        with np.errstate(all="ignore"):
            found = times_few(block, marks.vectors)
        looks = self.code.workers
        return not strange_rows(found, marks.images[task], noise=self._noise, usual=usual, looks=looks, of=block).size

    def repair(self) -> tuple[int, ...]:
        """Compute every block that changed anew from those that did not.

        Returns:
            The tasks whose blocks had changed.

        Raises:
            ClusterError: too many did.
        """
        with self._repairing:
            broken = tuple(task for task in range(self.code.workers) if not self.is_whole(task))
            for task in broken:
                self.rebuild(task, without=broken)
        return broken

    def rebuild(self, task: int, without: Collection[int] = ()) -> None:
        """Compute one block anew from the others, in place.

        Args:
            task: whose block.
            without: whose blocks are not to be used.

        Raises:
            ClusterError: the other blocks do not determine it.
        """
        others = [other for other in range(self.code.workers) if other != task and other not in without]
        table = self.code.left.reshape(-1, self.code.workers)
        shares, *_ = np.linalg.lstsq(table[:, others], table[:, task], rcond=None)
        if not np.allclose(table[:, others] @ shares, table[:, task], atol=1e-9 * np.abs(table).max()):
            raise ClusterError(
                f"block {task} of `{self.code.name}` does not follow from the others; place the matrix anew."
            )
        self.blocks.rebuild(task, others, shares)


class ResidentWitness:
    """A witness who knows the marks of the blocks, and the other operand.

    Args:
        resident: the blocks.
        code: of this product: that of the blocks, or its transpose.
        transposed: the blocks are multiplied as their transposes.
        operand: shape (depth, width).
        usual: root mean square of a product of two blocks.
    """

    def __init__(self, resident: Resident, code: Code, operand: Array, usual: float, *, transposed: bool) -> None:
        self._resident, self._code, self._usual, self._transposed = resident, code, usual, transposed
        # What a worker forms is seen from the side of its rows.
        self._marks = resident.marks if transposed else resident.marks_of_transpose
        self._noise = product_error(operand.dtype)
        self._expected = self._expected_answers(operand)

    def holds(self, task: int, answer: Array) -> bool:
        """The answer is right, to rounding."""
        vectors = self._marks.vectors
        usual = self._usual * float(self._code.answer_sizes[task]) * gain(vectors)
        with np.errstate(all="ignore"):
            found = times_few(answer.T, vectors)
        expected, looks = self._expected[task], self._code.workers
        return not strange_rows(found, expected, noise=self._noise, usual=usual, looks=looks, of=answer.T).size

    def excuses(self, task: int) -> str:
        """What the worker was given was wrong, and has been put right."""
        if self._resident.is_whole(task):
            self._resident.blocks.resend(task)
            return ""
        broken = self._resident.repair()
        blocks = f"block {broken[0]} was" if len(broken) == 1 else f"blocks {', '.join(map(str, broken))} were"
        return f"{blocks} wrong and computed anew from the others"

    def _expected_answers(self, operand: Array) -> Array:
        """Every right answer's transpose times the vectors, shape (P, width of a block, r)."""
        table, images = self._code.right, self._marks.images
        count, depth, columns = images.shape
        every = images.transpose(1, 0, 2).reshape(depth, -1)
        width = self._code.partition.right_block(operand.shape)[1]
        expected = np.zeros((count, width, columns), self._code.coded_dtype(operand.dtype))
        for (j, l), piece, _, _ in pieces(operand, table.shape[:2]):
            shown = times_few(piece.T, every[: len(piece)]).reshape(-1, count, columns)
            expected[:, : shown.shape[0]] += table[j, l][:, None, None] * shown.transpose(1, 0, 2)
        return expected
