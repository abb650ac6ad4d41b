"""A code is a value: a partition and two tables of numbers. Everything a user asks of it follows from the tables."""

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, DTypeLike, NDArray

from anyk.arrays import working_dtype
from anyk.bases import Frame
from anyk.code import checks, files
from anyk.code.description import described
from anyk.code.encoding import encoded
from anyk.errors import CodeError, InputError
from anyk.partition import Partition
from anyk.weights import Solution, System, product_error, survivor_sets

#: A family refuses tables whose random survivor sets are expected to miss this relative error.
WORST_USEFUL_ERROR = 1e-3

#: Tables may miss what their positions promise by this many roundings (good ones: below 1).
_MISFIT = 100.0

#: Below the threshold, answers count as decoding only if they do so to this many rounding errors.
_LUCKY = 100


@dataclass(frozen=True, eq=False)
class Code:
    """Two encoding tables for a block partition, with the number of answers that always suffice.

    Task w multiplies ``sum_ij left[i, j, w] A_ij`` by ``sum_jl right[j, l, w] B_jl``.

    Args:
        name: of the family, or of the discovered code.
        partition: how A and B are cut.
        left: encoding coefficients of A, shape (rows, inner, P), float64 or complex128, finite.
        right: encoding coefficients of B, shape (inner, cols, P), float64 or complex128, finite.
        recovery_threshold: any this-many answers decode: exactly, or within ``design_error``.
        exact_threshold: any this-many answers decode to rounding; default: the recovery threshold; workers + 1: none
            do.
        design_error: relative error the code is designed for at the recovery threshold; 0 for exact codes.
        positions: order of 0 … P-1, shape (P,), where the tables are the trigonometric ones at angles pi positions / P;
            it makes decoding a small correction.
        reference: where the code comes from.

    Raises:
        CodeError: tables that do not fit the partition, each other or the positions, are not finite, or thresholds
            beyond the tasks.

    >>> import anyk
    >>> anyk.codes.matdot(inner=3, workers=8)
    Code('matdot', partition 1 x 3 x 1, any 5 of 8)
    """

    name: str
    partition: Partition
    left: NDArray[Any]
    right: NDArray[Any]
    recovery_threshold: int
    exact_threshold: int = 0
    design_error: float = 0.0
    positions: NDArray[np.intp] | None = None
    reference: str = ""
    workers: int = field(init=False)

    def __post_init__(self) -> None:
        left, right = checks.frozen(self.left), checks.frozen(self.right)
        object.__setattr__(self, "left", left)
        object.__setattr__(self, "right", right)
        object.__setattr__(self, "workers", left.shape[-1] if left.ndim else 0)
        object.__setattr__(self, "exact_threshold", self.exact_threshold or self.recovery_threshold)
        checks.check_tables(self.name, self.partition, left, right, self.workers)
        checks.check_thresholds(self.name, self.recovery_threshold, self.exact_threshold, self.workers)
        if self.positions is not None:
            positions = checks.checked_positions(self.name, self.positions, self.workers)
            object.__setattr__(self, "positions", positions)
            self._check_frame()

    def _check_frame(self) -> None:
        """Weights will be read off the positions alone, so tables that do not belong to them must not pass."""
        with np.errstate(all="ignore"):
            if np.iscomplexobj(self.left) or not self._system.misfit() < _MISFIT:
                raise CodeError(f"{self.name}: the tables are not the trigonometric ones of these positions.")

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the arguments alone: a copy is checked and unchangeable too, and carries nothing remembered."""
        return type(self), tuple(getattr(self, each.name) for each in fields(self) if each.init)

    # --- what follows from the tables ---------------------------------------------------------------------------------

    @property
    def is_complex(self) -> bool:
        """Encoded blocks of real matrices are complex: twice the memory and traffic, 3 to 4 times the work."""
        return bool(np.iscomplexobj(self.left) or np.iscomplexobj(self.right))

    @property
    def is_exact(self) -> bool:
        """The recovery threshold gives the product to rounding."""
        return self.recovery_threshold == self.exact_threshold

    @cached_property
    def _system(self) -> System:
        frame = None if self.positions is None else Frame(self.exact_threshold, self.positions)
        return System(self.left, self.right, frame)

    def solve(self, survivors: Iterable[int], dtype: DTypeLike = "float64") -> tuple[NDArray[Any], Solution]:
        """Decoding weights of one survivor set, for answers as they come from the workers.

        Args:
            survivors: task numbers, distinct.
            dtype: of the blocks; sets how much rounding is weighed against residual.

        Returns:
            Weights, shape (rows * cols, k) in the order of ``survivors``, and the solution they come from.
        """
        tasks = self._checked(survivors)
        solution = self._system.solve(tasks, product_error(dtype))
        return (solution.weights[0] / self._system.norms[tasks][:, None]).T, solution

    def fit(self, survivors: Iterable[int], dtype: DTypeLike, rows: NDArray[Any], goals: NDArray[Any]) -> NDArray[Any]:
        """Decoding weights that also fit samples of the product at hand (see `anyk.weights.System.fitted`).

        Args:
            survivors: task numbers, distinct.
            dtype: of the blocks.
            rows: what each answer shows of the samples, shape (e, k), in units of random block products.
            goals: what the wanted blocks show of them, shape (e, rows * cols).

        Returns:
            Weights, shape (rows * cols, k) in the order of ``survivors``.
        """
        tasks = self._checked(survivors)
        norms = self._system.norms[tasks]
        weights = self._system.fitted(tasks, product_error(dtype), rows / norms, goals)
        fitted: NDArray[Any] = (weights / norms[:, None]).T
        return fitted

    def parity_checks(self, survivors: Iterable[int], dtype: DTypeLike = "float64") -> NDArray[Any]:
        """Combinations of answers that vanish whatever A and B are: what wrong answers betray themselves by.

        Every code with redundancy has them, for they are read off the tables. Where the code is approximate they vanish
        only nearly; such a combination is scaled down, so that what is left of it is no larger than rounding.

        Args:
            survivors: tasks that answered, distinct.
            dtype: of the answers; says how large rounding is.

        Returns:
            Shape (k, c), rows in the order of ``survivors``; at least k - K columns. For answers divided by
            `answer_sizes`.

        >>> import anyk
        >>> anyk.codes.matdot(inner=3, workers=8).parity_checks([0, 1, 2, 4, 5, 7]).shape
        (6, 1)
        """
        tasks = self._checked(survivors)
        checks, leaks = self._system.parity_checks(tasks, self.recovery_threshold)
        # Block products that all pull one way leak up to the root of their number times more than random ones.
        blocks = self.partition.products * self.partition.inner
        scaled: NDArray[Any] = checks / np.hypot(1, np.sqrt(blocks) * leaks / product_error(dtype))
        return scaled

    @property
    def answer_sizes(self) -> NDArray[np.float64]:
        """Size of each task's answer, relative to one block product, on random matrices; shape (P,)."""
        return self._system.norms

    def expected_error(self, survivors: Iterable[int], dtype: DTypeLike = "float64") -> float:
        """Expected relative Frobenius error on random matrices when exactly these tasks answer, rounding included.

        Args:
            survivors: task numbers, distinct, any number of them.
            dtype: the workers' precision: a floating or complex dtype, or ``"bfloat16"``.

        >>> import anyk
        >>> code = anyk.codes.matdot(inner=3, workers=8)
        >>> code.expected_error(range(5)) < 1e-13 < code.expected_error(range(4))
        True
        """
        tasks = self._checked(survivors)
        noise = product_error(dtype)
        return float(self._system.solve(tasks, noise).error(noise)[0]) if tasks.size else 1.0

    def decodes(self, survivors: Iterable[int], dtype: DTypeLike = "float64") -> bool:
        """Whether these answers give the product within `decoding_limit`; cheap enough to ask at every arrival.

        Args:
            survivors: task numbers, distinct.
            dtype: the workers' precision.
        """
        tasks = self._checked(survivors)
        limit = self.decoding_limit(len(tasks), dtype)
        if tasks.size and self._system.exact_error(tasks, product_error(dtype)) <= limit:
            return True
        return len(tasks) >= self.recovery_threshold and self.expected_error(tasks, dtype) <= limit

    def decoding_limit(self, answers: int, dtype: DTypeLike = "float64") -> float:
        """Up to this expected error a set of so many answers counts as decoding.

        From the recovery threshold on that is 1e-3, or twice the design error: only the rare badly conditioned sets
        miss it. Below the threshold it is rounding: there the tables decode only if they happen to.
        """
        if answers < self.recovery_threshold:
            return _LUCKY * product_error(dtype)
        return max(WORST_USEFUL_ERROR, 2 * self.design_error)

    def noise_amplification(self, survivors: Iterable[int]) -> float:
        """Relative error of the product per relative error of the answers, from these tasks (float64 weights)."""
        tasks = self._checked(survivors)
        return float(self._system.solve(tasks, product_error("float64")).amplification[0]) if tasks.size else 0.0

    def errors(
        self, results: int, dtype: DTypeLike = "float64", *, sets: int | None = None, rng: Generator | None = None
    ) -> NDArray[np.float64]:
        """Expected errors of survivor sets of one size: of all of them, or of random ones and the contiguous one.

        Args:
            results: answers in each set.
            dtype: the workers' precision.
            sets: number of random sets; default: all sets when at most 10,000, else 2,000 random ones.
            rng: where random sets come from; default: a fixed seed.

        Returns:
            Shape (number of sets,); in a random draw the contiguous set (ranks 0 … results-1) comes last.
        """
        return self.errors_of(survivor_sets(self.workers, results, sets, rng), dtype)

    def errors_of(self, sets: NDArray[np.intp], dtype: DTypeLike = "float64") -> NDArray[np.float64]:
        """Expected errors of given survivor sets, shape (S, k), one after the other."""
        return self._system.errors(sets, product_error(dtype))

    def worst_error(
        self, results: int, dtype: DTypeLike = "float64", *, sets: int | None = None, rng: Generator | None = None
    ) -> float:
        """The largest of `errors`."""
        return float(self.errors(results, dtype, sets=sets, rng=rng).max())

    def wrong_answers_correctable(self, answers: int, *, model: Literal["random", "adversarial"] = "random") -> int:
        """How many wrong answers among ``answers`` can be located and thrown out, from the answers alone.

        Args:
            answers: how many came back.
            model: ``"random"``: errors are independent of each other; ``"adversarial"``: they may conspire.
        """
        if model not in ("random", "adversarial"):
            raise InputError(f"model={model!r} is unknown. Use 'random' or 'adversarial'.")
        spare = answers - self.recovery_threshold
        return max(0, spare - 1 if model == "random" else spare // 2)

    # --- encoding -----------------------------------------------------------------------------------------------------

    def encode(self, A: ArrayLike, B: ArrayLike) -> tuple[list[NDArray[Any]], list[NDArray[Any]]]:
        """The P encoded blocks of A and of B.

        Args:
            A: shape (height, depth); a floating or complex dtype is kept, others become float64.
            B: shape (depth, width).
        """
        return encoded(self, A, B)

    def coded_dtype(self, dtype: DTypeLike) -> np.dtype[Any]:
        """The dtype of encoded blocks of a matrix of this dtype."""
        working = working_dtype(dtype)
        return np.result_type(working, np.complex64) if self.is_complex else working

    # --- to read and to keep ------------------------------------------------------------------------------------------

    def __repr__(self) -> str:
        return f"Code({self.name!r}, partition {self.partition}, any {self.recovery_threshold} of {self.workers})"

    def describe(self) -> str:
        """A few lines for a person: thresholds, storage, traffic, conditioning."""
        return described(self)

    def save(self, path: str | Path) -> None:
        """Write the code as a readable text file (JSON; numbers keep every bit).

        An existing file is replaced whole or not at all.
        """
        files.write(path, files.fields_of(self))

    @classmethod
    def load(cls, path: str | Path) -> "Code":
        """Read a code written by `save`.

        Raises:
            InputError: the file is missing, unreadable, truncated, or its numbers do not make a code.
        """
        try:
            text = files.read(path)
            code = cls(**files.arguments(text))
            if code.workers != text["workers"] or code.expected_error(range(code.workers)) > max(
                WORST_USEFUL_ERROR, code.design_error
            ):
                raise InputError("its tables do not decode, even with every answer; the file is damaged.")
            return code
        except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError) as problem:
            raise InputError(f"Code.load({str(path)!r}) found no readable code there: {problem}") from problem

    def _checked(self, survivors: Iterable[int]) -> NDArray[np.intp]:
        return checks.checked_tasks(survivors, self.workers)
