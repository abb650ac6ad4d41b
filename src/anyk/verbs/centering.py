r"""Exact centering of the inner dimension: only what varies along it is coded.

With r the row means of A and c the column means of B, $AB = (A - r 1^T)(B - 1 c^T) + n r c^T$. The last term has
rank one and is added exactly, so an approximate code errs only in the rest: 10 to 40 times less on positive data.
"""

from dataclasses import dataclass, replace
from typing import Any, Self

from numpy.random import Generator
from numpy.typing import NDArray

from anyk.code import Code
from anyk.probes import Sample

Array = NDArray[Any]

#: Rows of the result that are restored at a time.
_PANEL = 64


@dataclass(frozen=True, eq=False)
class Centre:
    """What is subtracted before encoding and added after decoding.

    Args:
        left: row means of A, shape (height, 1).
        right: column means of B, shape (1, width).
        depth: length n of the inner dimension.
    """

    left: Array
    right: Array
    depth: int

    @classmethod
    def of(cls, A: Array, B: Array) -> Self:
        """The means of A (height, depth) and B (depth, width), one pass over each."""
        return cls(A.mean(axis=1, keepdims=True), B.mean(axis=0, keepdims=True), A.shape[1])

    def of_rows(self, rows: slice) -> Self:
        """What belongs to some rows of A."""
        return replace(self, left=self.left[rows])

    def restore(self, product: Array) -> None:
        """Add n r c^T to a decoded product, in place."""
        scaled = self.depth * self.left
        for top in range(0, len(product), _PANEL):
            product[top : top + _PANEL] += scaled[top : top + _PANEL] * self.right


def sample_of(A: Array, B: Array, code: Code, centre: Centre | None, rng: Generator) -> Sample:
    """A sample of the product that is really coded: of A B, or of what centering leaves of it."""
    cut = code.partition
    means = None if centre is None else (centre.left, centre.right)
    return Sample.draw(A, B, (cut.rows, cut.inner, cut.cols), rng, means=means)
