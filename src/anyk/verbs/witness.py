r"""What right answers look like through secret columns, to a master that has the operands.

$Y_w \Omega = \tilde A_w (\tilde B_w \Omega)$, and both sides follow from A and B themselves: first $B_{jl} \Omega$ for
every block, then $A_{ij}$ times all combinations of those at once. Neither the encoded blocks nor any worker is asked.
"""

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from anyk.arrays import times_few
from anyk.code import Code
from anyk.screening import draw_columns
from anyk.screening.alike import gain, strange_rows
from anyk.verbs.centering import Centre
from anyk.weights import product_error

Array = NDArray[Any]

#: Columns by which each answer is checked: one would do against chance; two leave no doubt in float32.
COLUMNS = 2


class Witness(Protocol):
    """Whoever can tell a right answer from a wrong one."""

    def holds(self, task: int, answer: Array, /) -> bool:
        """The answer is right, to rounding."""
        ...

    def excuses(self, task: int, /) -> str:
        """Why the worker is innocent, in words: it was given wrong things, which have been put right; or ""."""
        ...


class OperandWitness:
    """A witness who has A and B.

    Args:
        code: of the product.
        a: shape (height, depth).
        b: shape (depth, width), of the same dtype.
        centre: what is subtracted from both before encoding, or None.
        usual: root mean square of a product of two blocks.
        rng: of the secret columns.
        columns: how many there are.
    """

    def __init__(
        self,
        code: Code,
        a: Array,
        b: Array,
        centre: Centre | None,
        usual: float,
        rng: Generator,
        columns: int = COLUMNS,
    ) -> None:
        self._code, self._a, self._b, self._centre, self._usual = code, a, b, centre, usual
        #: Secret from whoever may lie.
        self.columns = draw_columns(code.partition.right_block(b.shape)[1], columns, rng).astype(a.dtype)
        self._noise = product_error(a.dtype)
        # Worked out when somebody is to be checked: mostly nobody is.
        self._images: Array | None = None
        self._expected: Array | None = None

    def renew(self, a: Array, centre: Centre | None, usual: float) -> None:
        """Go on to other rows of A."""
        self._a, self._centre, self._usual, self._expected = a, centre, usual, None

    def holds(self, task: int, answer: Array) -> bool:
        """The answer is right, to rounding."""
        usual = self._usual * float(self._code.answer_sizes[task]) * gain(self.columns)
        with np.errstate(all="ignore"):
            found = times_few(answer, self.columns)
        expected, looks = self._expectations()[task], self._code.workers
        return not strange_rows(found, expected, noise=self._noise, usual=usual, looks=looks, of=answer).size

    def looks_right(self, task: int, image: Array) -> bool:
        """What the answer times `columns` is, computed elsewhere: whether it is what it should be, to rounding."""
        usual = self._usual * float(self._code.answer_sizes[task]) * gain(self.columns)
        expected, looks = self._expectations()[task], self._code.workers
        return not strange_rows(image, expected, noise=self._noise, usual=usual, looks=looks).size

    def excuses(self, task: int) -> str:
        """Nobody."""
        return ""

    def _expectations(self) -> Array:
        if self._images is None:
            self._images = self._images_of_b()
        if self._expected is None:
            self._expected = self._expected_answers(self._images)
        return self._expected

    def _images_of_b(self) -> Array:
        """Every encoded block of B times the columns, shape (P, depth of a block, r)."""
        right, depth = self._code.right, self._code.partition.right_block(self._b.shape)[0]
        images = np.zeros((*right.shape[:2], depth, self.columns.shape[1]), self._b.dtype)
        for (j, l), block, _, across in pieces(self._b, right.shape[:2]):
            columns = self.columns[: block.shape[1]]
            images[j, l, : block.shape[0]] = times_few(block, columns)
            if self._centre is not None:
                images[j, l, : block.shape[0]] -= self._centre.right[:, across] @ columns
        combined: Array = np.einsum("jlw,jldr->wdr", right, images)
        return combined.astype(self._code.coded_dtype(self._b.dtype), copy=False)

    def _expected_answers(self, images: Array) -> Array:
        """Every right answer times the columns, shape (P, height of a block, r)."""
        code, cut = self._code, self._code.partition
        # Tasks with the same block of B have the same image.
        keys = [code.right[..., task].tobytes() for task in range(code.workers)]
        kinds = {key: place for place, key in enumerate(dict.fromkeys(keys))}
        few = images[[keys.index(key) for key in kinds]].transpose(1, 0, 2).reshape(images.shape[1], -1)
        expected = np.zeros((code.workers, cut.left_block(self._a.shape)[0], images.shape[2]), images.dtype)
        for (i, j), block, down, _ in pieces(self._a, code.left.shape[:2]):
            shown = times_few(block, few[: block.shape[1]])
            if self._centre is not None:
                shown = shown - self._centre.left[down] * few[: block.shape[1]].sum(axis=0)
            shown = shown.reshape(block.shape[0], len(kinds), images.shape[2])
            for task, key in enumerate(keys):
                expected[task, : block.shape[0]] += code.left[i, j, task] * shown[:, kinds[key]]
        return expected


def pieces(matrix: Array, grid: tuple[int, ...]) -> Iterator[tuple[tuple[int, int], Array, slice, slice]]:
    """The blocks of a matrix, with where they lie; what the partition adds at the edges is missing."""
    height, width = (-(-length // parts) for length, parts in zip(matrix.shape, grid, strict=True))
    for i in range(grid[0]):
        for j in range(grid[1]):
            down, across = slice(i * height, (i + 1) * height), slice(j * width, (j + 1) * width)
            yield (i, j), matrix[down, across], down, across
