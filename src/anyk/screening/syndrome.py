r"""What answers say of one another: fingerprints, and syndromes in units of rounding.

Legend: P = answers, h = rows of an answer, r = columns of its fingerprint, W = h r words, c = parity checks.

Each answer is multiplied by a few random columns, $F_w = Y_w \Omega$, and divided by the size of its task's tables. A
*word* is one entry of all P fingerprints; its syndrome is what the code's parity checks make of it, $s = H^T F$. It
vanishes to rounding if nobody is wrong, and lies in the span of the wrong answers' rows of H if somebody is.

Entries of Omega are random signs times random sizes from 1/2 to 3/2: a single wrong entry cannot hide, two of them
cannot cancel. Rounding of a word is judged by the root mean square of its row over all answers still believed, not less
than that of all rows: an answer may be large or small by right, and a wrong huge one is judged by its own size until it
is thrown out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anyk.arrays import times_few, working_dtype
from anyk.code import Code
from anyk.screening.thresholds import HIDDEN, UNIFORM, loudest_clean
from anyk.weights import product_error

Array = NDArray[Any]
Flags = NDArray[np.bool_]

#: More columns than this tell nothing more.
MOST_COLUMNS = 8

#: Rows that the pursuit looks at, beside one for each parity check; the others it asks only whether they agree.
_ROWS = 128

#: Rows that differ by less than this many roundings, but for a factor, are uniform.
_UNIFORM = 30.0

#: Fingerprints beyond this many times the usual size cannot be squared; such answers are as good as infinite.
_ABSURD = 1e140


def columns_for(correctable: int) -> int:
    """How many fingerprint columns are needed to tell so many wrong answers from one another.

    One column has a word for each row of the answer; it tells any number of wrong answers apart, unless their errors
    sit in one and the same row: then it takes a column for each. Two are the least: in float32, one number agrees by
    chance too often.

    >>> [columns_for(correctable) for correctable in (0, 1, 5, 19)]
    [2, 2, 5, 8]
    """
    return min(MOST_COLUMNS, max(2, correctable))


@dataclass(frozen=True, eq=False)
class Span:
    """The directions in which some syndromes are loud.

    Args:
        basis: orthonormal columns, shape (c, rank).
        doubts: angle by which rounding may have turned each direction, shape (rank,).
    """

    basis: Array
    doubts: NDArray[np.float64]

    @property
    def rank(self) -> int:
        """How many errors show that are independent of one another."""
        return len(self.doubts)

    @property
    def is_full(self) -> bool:
        """No direction is left free: everybody's row lies in the span."""
        return self.rank >= len(self.basis)


@dataclass(frozen=True, eq=False)
class Syndrome:
    """What parity checks make of the answers still believed, in units of rounding.

    Args:
        checks: H, shape (P, c); zero for answers that are not believed.
        words: syndromes, shape (c, W).
        units: rounding of each word, in which the syndromes are, shape (W,).
        among: number of words these were chosen from, W if they are all.
    """

    checks: Array
    words: Array
    units: NDArray[np.float64]
    among: int

    @property
    def limit(self) -> float:
        """Tau: clean words are less loud."""
        return loudest_clean(len(self.words), self.among)

    @cached_property
    def loudness(self) -> NDArray[np.float64]:
        """Norm of each word's syndrome, shape (W,)."""
        parts = (self.words.real, self.words.imag) if np.iscomplexobj(self.words) else (self.words,)
        loud: NDArray[np.float64] = np.sqrt(sum(np.einsum("cw,cw->w", part, part) for part in parts))
        return loud

    @property
    def agrees(self) -> bool:
        """Nobody betrays himself (also where there is nothing to betray him)."""
        return not (self.loudness > self.limit).any()

    @property
    def together(self) -> float:
        """Norm of the syndromes of all words."""
        return float(np.sqrt((self.loudness**2).sum()))

    def checks_without(self, places: NDArray[np.intp]) -> Array:
        """The parity checks of those who are left when some are thrown out: one fewer for each."""
        checks = self.checks
        for place in places:
            checks = _without(checks, place)
        return checks

    def span(self) -> "Span":
        """What the loudest words span beyond rounding."""
        loudness = self.loudness
        loudest = np.argsort(loudness)[::-1][: 4 * len(self.words) + 4]
        basis, sizes, _ = np.linalg.svd(self.words[:, loudest[loudness[loudest] > self.limit]], full_matrices=False)
        rank = int((sizes > self.limit).sum())
        return Span(basis[:, :rank], self.limit / sizes[:rank])


@dataclass(frozen=True, eq=False)
class Evidence:
    """Fingerprints of all answers, in units of the tables.

    Args:
        code: of the answers.
        tasks: who answered, ascending, shape (P,).
        prints: fingerprints, shape (P, h, r), float64 or complex128; zeros for answers that are not finite.
        finite: which answers are, shape (P,).
        noise: relative error of one clean answer (lambda).
        dtype: of the answers.
        powers: mean square of all words of each answer, shape (P,).
        among: number of words these were chosen from, W if they are all.
        floor: size of a word that rounding is judged by at least, in the units of ``prints``.
    """

    code: Code
    tasks: NDArray[np.intp]
    prints: Array
    finite: Flags
    noise: float
    dtype: np.dtype[Any]
    powers: NDArray[np.float64]
    among: int
    floor: float

    @classmethod
    def of(
        cls,
        code: Code,
        answers: Mapping[int, Array],
        columns: Array,
        noise: float | None = None,
        usual: float = 0.0,
    ) -> "Evidence":
        """Take fingerprints: one pass over the answers.

        Args:
            code: of the answers.
            answers: task -> its answer, all of one shape (h, width).
            columns: Omega, shape (width, r).
            noise: relative error of one clean answer; default: rounding of the answers' dtype.
            usual: root mean square of a product of two blocks, where the operands are known: products that cancel are
                judged by it.
        """
        tasks = np.array(sorted(answers), dtype=np.intp)
        dtype = np.result_type(*(answer.dtype for answer in answers.values()))
        few = columns.astype(working_dtype(dtype))
        with np.errstate(all="ignore"):
            taken = [times_few(answers[task].astype(few.dtype, copy=False), few) for task in tasks.tolist()]
            prints = np.stack(taken).astype(np.result_type(few.dtype, np.float64))
            prints /= code.answer_sizes[tasks][:, None, None]
            finite, unit = _finite(prints)
            prints = np.where(finite[:, None, None], prints, 0.0) / unit
        floor = usual * float(np.sqrt((columns**2).sum(axis=0).mean())) / unit
        noise = product_error(dtype) if noise is None else noise
        powers = _squares(prints).mean(axis=1)
        return cls(code, tasks, prints, finite, noise, dtype, powers, prints[0].size, floor)

    def loudest(self, seen: Syndrome) -> "Evidence":
        """The rows of the fingerprints whose syndromes are the loudest; enough of them to tell who is wrong."""
        height, columns = self.prints.shape[1:]
        count = _ROWS + len(seen.words)
        if height <= count:
            return self
        rows = np.argpartition(seen.loudness.reshape(height, columns).max(axis=1), -count)[-count:]
        return replace(self, prints=self.prints[:, rows])

    @cached_property
    def _rows(self) -> NDArray[np.float64]:
        """Mean square of each row of each fingerprint, shape (P, h)."""
        return _squares(self.prints)

    @property
    def _flat(self) -> Array:
        return self.prints.reshape(len(self.tasks), -1)

    def syndrome(self, believed: Flags, checks: Array | None = None) -> Syndrome:
        """What the believed answers say of one another.

        Args:
            believed: shape (P,), all of them finite.
            checks: theirs, where they are known.
        """
        checks, units = self._checks(believed) if checks is None else checks, self._units(believed)
        seen = Syndrome(checks, checks.T @ self._flat / units, units, self.among)
        if seen.agrees or not self._uniform(believed, int(seen.loudness.argmax())).all():
            return seen
        units = units * np.where(self._uniform(believed), UNIFORM, 1.0)
        return Syndrome(checks, checks.T @ self._flat / units, units, self.among)

    def _uniform(self, believed: Flags, word: int | None = None) -> Flags:
        """Which words lie in uniform rows: the believed answers' are multiples of one another, to rounding.

        Args:
            believed: shape (P,).
            word: look only at the row of this one.
        """
        # One column tells nothing of a row: then all rows together are one.
        columns = self.prints.shape[2]
        rows = self.prints[believed] if columns > 1 else self.prints[believed].swapaxes(1, 2)
        if word is not None and columns > 1:
            rows = rows[:, word // columns][:, None]
        sizes = np.linalg.norm(rows, axis=2)
        largest = rows[sizes.argmax(axis=0), np.arange(rows.shape[1])]
        size = np.where(sizes.any(axis=0), sizes.max(axis=0), 1.0)
        shares = np.einsum("phr,hr->ph", rows, largest.conj() / size[:, None] ** 2)
        apart = np.linalg.norm(rows - shares[:, :, None] * largest, axis=2)
        uniform: Flags = (apart <= _UNIFORM * self.noise * size).all(axis=0)
        return np.repeat(uniform, rows.shape[2])

    def errors(
        self, believed: Flags, suspects: NDArray[np.intp], units: NDArray[np.float64]
    ) -> tuple[Array, NDArray[np.float64]]:
        """How wrong each of some others is if the believed are right.

        Args:
            believed: shape (P,); at least as many as determine the rest.
            suspects: the others, shape (t,).
            units: in which errors are wanted, shape (W,).

        Returns:
            Errors, shape (t, W), and how loud an error of one unit would make the syndromes, shape (t,).
        """
        joined = believed.copy()
        joined[suspects] = True
        checks = self._checks(joined)
        # For each the one check in which he takes part and no other suspect does: it shows his error, and the rounding
        # of the believed.
        own = np.linalg.pinv(checks[suspects])
        mixing = (checks @ own).T
        mixing[:, suspects] = np.eye(len(suspects))
        lengths = 1 / np.maximum(np.linalg.norm(own, axis=0), np.finfo(float).tiny)
        return mixing @ self._flat / units, lengths

    def measured(self, believed: Flags) -> Array:
        """The words themselves in units of rounding, shape (P, W)."""
        words: Array = self._flat / self._units(believed)
        return words

    def _checks(self, believed: Flags) -> Array:
        """Parity checks of the believed answers, shape (P, c); zero for all others."""
        given = self.code.parity_checks(self.tasks[believed], self.dtype)
        checks = np.zeros((len(self.tasks), given.shape[1]), given.dtype)
        checks[believed] = given
        return checks

    def _units(self, believed: Flags) -> NDArray[np.float64]:
        """Rounding of each word, the same along a row, shape (W,)."""
        usual = self.powers[believed].mean() + self.floor**2
        units: NDArray[np.float64] = self.noise * np.sqrt(believed @ self._rows / max(1, believed.sum()) + usual)
        return np.repeat(np.where(units > 0, units, 1.0), self.prints.shape[2])


def _without(checks: Array, place: int) -> Array:
    """Turn the columns until this answer takes part in one of them alone, and leave that out.

    Args:
        checks: shape (P, c).
        place: of the answer.
    """
    size = np.linalg.norm(checks[place])
    if size <= HIDDEN:
        left = checks.copy()
    else:
        # A reflection that sends the direction of his row to one of the axes.
        mirror = checks[place].conj() / size
        axis = int(abs(mirror).argmax())
        mirror[axis] += mirror[axis] / abs(mirror[axis])
        mirror /= np.linalg.norm(mirror)
        left = np.delete(checks - np.outer(checks @ mirror, 2 * mirror.conj()), axis, axis=1)
    left[place] = 0
    return left


def _squares(prints: Array) -> NDArray[np.float64]:
    """Mean square of each row, over the columns."""
    parts = (prints.real, prints.imag) if np.iscomplexobj(prints) else (prints,)
    squares: NDArray[np.float64] = sum(np.einsum("phr,phr->ph", part, part) for part in parts) / prints.shape[2]
    return squares


def _finite(prints: Array) -> tuple[Flags, float]:
    """Which fingerprints are finite, and the size of the usual one."""
    sizes = abs(prints).max(axis=(1, 2), initial=0.0)
    known = sizes[np.isfinite(sizes) & (sizes > 0)]
    usual = float(np.median(known)) if known.size else 1.0
    return np.isfinite(sizes) & (sizes < _ABSURD * usual), usual
