"""Encoding is what the tables say."""

import numpy as np

from anyk.testing.codes.kit import Array, Kit, awkward_sizes, new_rng, normal


class Encoding(Kit):
    """Encoded blocks are sums of coefficients times blocks."""

    def test_encoding_is_the_definition(self) -> None:
        """Every coded block is the sum of coefficients times blocks, edges padded by zeros."""
        code, rng = self.make(), new_rng()
        for height, depth, width in awkward_sizes(code):
            A, B = normal(rng, (height, depth), "float64"), normal(rng, (depth, width), "float64")
            left, right = code.encode(A, B)
            cut = code.partition
            for blocks, matrix, table, shape in (
                (left, A, code.left, cut.left_block(A.shape)),
                (right, B, code.right, cut.right_block(B.shape)),
            ):
                for task, block in enumerate(blocks):
                    expected, bound = _encoded(table[..., task], matrix, shape)
                    assert block.shape == shape, f"a block of {matrix.shape} has shape {block.shape}, not {shape}"
                    assert (abs(block - expected) <= bound).all(), f"task {task}: a block is not what the tables say"

    def test_encoding_is_linear(self) -> None:
        """Blocks of a sum are the sums of blocks, which is what lets coded data stay coded."""
        code, rng = self.make(), new_rng()
        first, second = ((normal(rng, (24, 36), "float64"), normal(rng, (36, 30), "float64")) for _ in range(2))
        total = first[0] - 3 * second[0], first[1] - 3 * second[1]
        coded = [code.encode(A, B) for A, B in (first, second, total)]
        for side, table in enumerate((code.left, code.right)):
            for task, (one, other, both) in enumerate(zip(*(blocks[side] for blocks in coded), strict=True)):
                size = _encoded(abs(table[..., task]), abs(first[side]) + 3 * abs(second[side]), one.shape)[1]
                assert (abs(one - 3 * other - both) <= 2 * size).all(), f"task {task}: encoding is not linear"


def _encoded(coefficients: Array, matrix: Array, shape: tuple[int, int]) -> tuple[Array, Array]:
    """One coded block by explicit loops, and how far rounding can move its entries."""
    block, size = (np.zeros(shape, np.result_type(coefficients, matrix)) for _ in range(2))
    for (i, j), coefficient in np.ndenumerate(coefficients):
        part = matrix[i * shape[0] : (i + 1) * shape[0], j * shape[1] : (j + 1) * shape[1]]
        block[: part.shape[0], : part.shape[1]] += coefficient * part
        size[: part.shape[0], : part.shape[1]] += abs(coefficient) * abs(part)
    # Both sums round each term and each addition: n epsilon sum|c||a| apiece (2 n for complex numbers).
    return block, 4 * (coefficients.size + 1) * np.finfo(block.dtype).eps * size.real
