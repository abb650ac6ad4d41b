r"""The measured error of one product: where it is, by random vectors; how large, by a few entries computed anew.

With $E = AB - \hat{C}$ and a random vector g, each entry of $Eg = A(Bg) - \hat{C}g$ is about as large as a row of E:
three passes over matrices show in which rows the error is. Some rows are chosen, the likelier the larger that is. A
random combination of them shows in the same way in which columns the error is, and some of those are chosen. Where
chosen rows and columns meet, entries of AB are computed to more digits than the product has (`anyk.probes.exact`).
Their squared errors, each divided by its share, add up to $\|E\|_F^2$ in the mean, whatever the error looks like and
however small it is: what the passes round has a say only in where to look.

Of products no larger than 24 x 24 every entry is looked at. Beyond, 95 % of the measured errors are within a factor 1.5
of the truth, and all but one in a hundred within a factor 2: rounding alone or much more, in one row, column, entry or
block or everywhere, of any rank, in all dtypes. It takes errors whose size is that of a few entries among very
different ones to miss the factor 2 in up to 5 % (`tests/unit/test_probes.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from anyk.arrays import times_few
from anyk.probes.choice import choose, drawn_places, squares
from anyk.probes.columns import draw_columns
from anyk.probes.exact import residue
from anyk.sparse import meeting

#: Rows, and columns, whose entries are computed anew; of narrow products more rows, up to so many entries in all.
_FEW, _MOST, _ENTRIES = 24, 128, 24 * 24

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Probe:
    """What is needed to measure a product of two matrices, as often as wanted.

    Args:
        left: A, shape (height, depth), dense or sparse; kept as it is, so it must not change.
        right: B, shape (depth, width), of the same working dtype; likewise.
        columns: the random vectors, shape (width, r).
        expected: A (B g) for each of them, shape (height, r).
        row_places: where rows will be looked for (`anyk.probes.choice`).
        column_places: where columns will be looked for.
        signs: of the chosen rows in their combination, +1 and -1, as many as there are places for rows.
    """

    left: Array
    right: Array
    columns: Array
    expected: Array
    row_places: Array
    column_places: Array
    signs: Array

    @classmethod
    def draw(cls, A: Array, B: Array, rng: Generator, *, columns: int = 1) -> Self:
        """Probe the product of A (height, depth) and B (depth, width), of one working dtype: one pass over each.

        Args:
            A: left factor.
            B: right factor.
            rng: where all that is random comes from.
            columns: r; one is enough to measure by, two to rely on what is seen in each row.
        """
        few = draw_columns(B.shape[1], columns, rng).astype(B.real.dtype)
        rows, others = (drawn_places(_number(across), rng) for across in (B.shape[1], A.shape[0]))
        signs = rng.choice((-1.0, 1.0), len(rows)).astype(few.dtype)
        return cls(A, B, few, times_few(A, times_few(B, few)), rows, others, signs)

    def of_rows(self, rows: slice) -> Self:
        """The probe of some rows of the product."""
        return replace(self, left=self.left[rows], expected=self.expected[rows])

    @property
    def size(self) -> float:
        """Frobenius norm of the product, up to chance and a factor that is the same for all of its rows."""
        unit = float(abs(self.expected).max(initial=0.0))
        return unit * float(np.sqrt(squares(self.expected, unit).sum()))

    def error(self, product: Array) -> float:
        """Measured relative Frobenius error of a product, shape (height, width); NaN if it holds NaN or infinity.

        It is relative to the true product; that of a product which should vanish and does is 0. One pass over the
        product and one over B.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            image = times_few(product, self.columns)
        return self.error_seen(image, lambda which: product[which])

    def error_seen(self, image: Array, rows_of: Callable[[Array | slice], Array]) -> float:
        """As `error`, of a product that lies elsewhere.

        Args:
            image: the product times ``columns``, shape (height, r).
            rows_of: brings some of its rows.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            seen = self.expected - image
        if not np.isfinite(seen).all():
            return float("nan")
        rows = choose(self.row_places, seen, self.expected)
        A, C = self.left[rows.which], rows_of(rows.which)
        mix = (self.signs[: A.shape[0]] / np.sqrt(rows.shares)).astype(self.signs.dtype)[None]
        usual = times_few(self.right.T, (mix @ A).T)
        columns = choose(self.column_places, usual - (mix @ C).T, usual)
        wrong, true = residue(*meeting(A, self.right[:, columns.which]), C[:, columns.which])
        shares = rows.shares[:, None]
        return relative(wrong, true, shares * columns.shares, C, shares)


def relative(wrong: Array, true: Array, chances: Array, formed: Array, shares: Array) -> float:
    """The relative error that some entries tell of.

    Args:
        wrong: errors of the chosen entries.
        true: the true product there.
        chances: shares of these entries, in a shape that broadcasts.
        formed: the product, in all entries of the chosen rows or columns.
        shares: of those.
    """
    unit = max(float(abs(each).max(initial=0.0)) for each in (true, formed))
    error, scale, whole = (
        float(np.sqrt((squares(entries, unit) / weights).sum()))
        for entries, weights in ((wrong, chances), (true, chances), (formed, shares))
    )
    if error < whole / 2:
        # More entries stand behind the size of the product itself, which is right to within the error.
        scale = min(max(scale, whole - error), whole + error)
    return error / scale if scale else error


def _number(across: int) -> int:
    return max(_FEW, min(_MOST, _ENTRIES // max(1, across)))
