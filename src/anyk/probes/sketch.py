r"""The measured error of products of one matrix that stays: measured again and again without touching the matrix.

For random signs $\Psi$ with r rows, $(\Psi A)B - \Psi\hat{C} = \Psi E$ with $E = AB - \hat{C}$, and each entry of it
has the variance of a column norm of E: its norm estimates that of the error, whatever the error looks like. $\Psi A$ is
worked out once, to more digits than A has, and so is what is made of it (`anyk.probes.exact`): for all columns of
narrow products, for some columns of wide ones, the likelier the more of the error is in them.

Six rows keep the estimate within a factor 2 even for a single vector: its square is then chi-squared with 6 degrees of
freedom, outside [1/4, 4] of its mean with probability 0.041; for errors of more than one column it is much closer.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from anyk.arrays import of_pairs, times_few
from anyk.probes.choice import choose, drawn_places
from anyk.probes.exact import Cut, as_reals, cut, cut_anew, difference, product, signed_sums
from anyk.probes.probe import relative

#: Rows of signs.
COLUMNS = 6

#: Columns of a wide product that are measured to more digits.
_FEW = 12

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Sketch:
    """Random signs for the products of one matrix, and what they make of it.

    Args:
        signs: Psi, shape (r, height): entries +1 and -1, float64.
        image: Psi A, shape (r, depth), of the matrix' dtype.
        fine: Psi A to more digits, for complex matrices as pairs of reals.
        places: where columns will be looked for (`anyk.probes.choice.drawn_places`).
    """

    signs: Array
    image: Array
    fine: Cut
    places: Array

    @classmethod
    def draw(cls, A: Array, rng: Generator, *, columns: int = COLUMNS) -> "Sketch":
        """Sketch A, shape (height, depth), dense or sparse: one pass over it; ``columns`` is r."""
        signs = rng.integers(0, 2, (columns, A.shape[0])) * 2.0 - 1
        fine = cut_anew(signed_sums(signs, as_reals(A)))
        return cls(signs, _as_numbers(fine[0] + fine[1], A.dtype).astype(A.dtype), fine, drawn_places(_FEW, rng))

    def of(self, B: Array) -> "SketchedProduct":
        """What the true product A B looks like through the signs; B, shape (depth, width), of A's dtype, is kept."""
        return SketchedProduct(self, B, times_few(B.T, self.image.T))


@dataclass(frozen=True, eq=False)
class SketchedProduct:
    """A gauge for one product of a sketched matrix.

    Args:
        sketch: of A.
        right: B, shape (depth, width).
        expected: (Psi A B) transposed, shape (width, r).
    """

    sketch: Sketch
    right: Array
    expected: Array

    def error(self, product: Array) -> float:
        """Measured relative Frobenius error of a product, shape (height, width); see `Probe.error`."""
        signs = self.sketch.signs
        with np.errstate(over="ignore", invalid="ignore"):
            seen = self.expected - times_few(product.T, signs.T.astype(product.real.dtype))
        if not np.isfinite(seen).all():
            return float("nan")
        columns = choose(self.sketch.places, seen, self.expected)
        wrong, true = self._images(self.right[:, columns.which], product[:, columns.which])
        shares = columns.shares
        return relative(wrong, true, len(signs) * shares, product[:, columns.which], shares)

    def _images(self, B: Array, C: Array) -> tuple[Array, Array]:
        """Psi (A B - C) and Psi A B, for some columns."""
        true = product(self.sketch.fine, cut(of_pairs(B) if np.iscomplexobj(B) else B))
        wrong = difference(true, signed_sums(self.sketch.signs, as_reals(C)))
        return _as_numbers(wrong, B.dtype), _as_numbers(true[0] + true[1], B.dtype)


def _as_numbers(real: Array, dtype: np.dtype[Any]) -> Array:
    numbers: Array = np.ascontiguousarray(real).view(np.complex128) if dtype.kind == "c" else real
    return numbers
