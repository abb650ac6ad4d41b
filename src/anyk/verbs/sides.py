"""One way to multiply resident blocks: from the left as they are, or transposed."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from anyk.arrays import norm
from anyk.code import Code
from anyk.probes import Sketch
from anyk.verbs.resident import Resident, ResidentWitness
from anyk.verbs.screen import Screen, Screening

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Side:
    """One way to multiply the resident blocks: from the left as they are, or transposed.

    Args:
        code: of this product; its table of A is that of the blocks.
        shape: of the matrix as this side sees it.
        sketch: measures this side's products.
        kernel: what a worker does with its blocks.
        transposed: they are multiplied as their transposes.
    """

    code: Code
    shape: tuple[int, int]
    sketch: Sketch
    kernel: Callable[..., Any]
    transposed: bool = False

    @cached_property
    def size(self) -> float:
        """Frobenius norm of the matrix, as the sketch has it."""
        size: float = norm(self.sketch.image) / len(self.sketch.image) ** 0.5
        return size

    def cancellation(self, B: Array, product: Array) -> float:
        """|A| |B| / |A B|, Frobenius norms."""
        formed = norm(product)
        return self.size * norm(B) / formed if formed else 1.0

    def screen(self, asked: Screening, resident: Resident, B: Array, rng: Generator) -> Screen:
        """The screening of one product with B, shape (depth, width).

        Args:
            asked: how.
            resident: the blocks.
            B: the other factor.
            rng: of the fingerprints.
        """
        depth = self.code.partition.right_block(B.shape)[0]
        usual = resident.marks.size * norm(B) * (depth / B.size) ** 0.5
        witness = ResidentWitness(resident, self.code, B, usual, transposed=self.transposed)
        return Screen(asked, self.code, rng, witness, usual)

    def buffers(self, product: tuple[int, int]) -> dict[str, tuple[int, int]]:
        """The shapes of a task's operand and answer, for a product of this shape, under a name for the pair's shelf."""
        cut, which = self.code.partition, "the transpose" if self.transposed else "the matrix"
        operand = cut.right_block((self.shape[1], product[1]))
        return {f"operand of {which}": operand, f"answer of {which}": cut.result_block(product)}


def precision(resident: np.dtype[Any], given: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype of a product with B: the precision of A, complex if B is."""
    return np.result_type(resident, np.complex64) if given.kind == "c" else resident
