"""What a matrix on the workers and its transpose have in common: they are multiplied."""

from abc import ABC, abstractmethod
from contextlib import ExitStack
from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anyk.engines.meter import Meter
from anyk.engines.suspicion import distrusted
from anyk.errors import InputError
from anyk.job import StopRule, first_threshold
from anyk.screening import Model
from anyk.verbs.blocks import homes_of
from anyk.verbs.judgement import judge
from anyk.verbs.kept import Kept
from anyk.verbs.operands import finite_numbers
from anyk.verbs.product import Product, nothing
from anyk.verbs.run import Run, Settings
from anyk.verbs.screen import Kind, Screening
from anyk.verbs.sides import Side, precision
from anyk.verbs.there import answer_bytes, answers_stay

if TYPE_CHECKING:
    from anyk.verbs.coded_matrix import CodedMatrix

Array = NDArray[Any]


class Factor(ABC):
    """A left factor on the workers; abstract.

    Args:
        coded: the matrix whose blocks are multiplied.
    """

    #: NumPy leaves ``array @ factor`` to `__rmatmul__`.
    __array_ufunc__ = None
    ndim = 2

    def __init__(self, coded: "CodedMatrix") -> None:
        self._coded = coded

    @property
    @abstractmethod
    def _side(self) -> Side:
        """How the blocks are multiplied."""

    @property
    @abstractmethod
    def T(self) -> "Factor":
        """The transpose, on the same blocks."""

    @property
    def shape(self) -> tuple[int, int]:
        """(height, depth)."""
        return self._side.shape

    def __matmul__(self, B: ArrayLike) -> Array:
        """The product with a matrix or vector B."""
        return self.product(B).value

    def __rmatmul__(self, Y: ArrayLike) -> Array:
        """The product with Y from the left, by the transpose."""
        return (self.T @ np.asarray(Y).T).T

    def product(
        self,
        B: ArrayLike,
        *,
        wrong: int | None = None,
        screen: Kind | None = None,
        model: Model | None = None,
        stop: StopRule | None = None,
        timeout: float | None = None,
        retries: int = 1,
        reduce: bool | None = None,
    ) -> Product:
        """The product with B, and all there is to know about it.

        Args:
            B: matrix (depth, width) or vector (depth,); it is computed in the precision of the matrix.
            wrong: how many answers may be wrong without notice; this, ``screen`` and ``model`` as for `place`, and by
                default as they were given there.
            screen: how wrong answers are found.
            model: what wrong answers may be like.
            stop: when to stop waiting; default: at the first answers that decode, and ``wrong`` more.
            timeout: seconds until giving up; default: never.
            retries: how often a task is computed again after its worker was lost.
            reduce: let the workers form the sum that decodes; as for `matmul`.

        Raises:
            InputError: B does not fit, the matrix was closed, or arguments out of range.
            ClusterError: too few answers came, or too many blocks changed.
            PrecisionError: the product is not finite.

        Warns:
            PrecisionWarning: the error is larger than rounding explains.
        """
        began = perf_counter()
        coded, side = self._coded, self._side
        resident, given = coded.opened(), finite_numbers("coded @ B", "B", B, check_finite=coded.check_finite)
        asked = coded.asking(side, wrong, screen, model)
        if given.shape[:1] != side.shape[1:]:
            raise InputError(f"`coded @ B`: the coded matrix is {side.shape} and B is {given.shape}; they do not fit.")
        dtype, shape = precision(coded.dtype, given.dtype), side.shape[:1] + given.shape[1:]
        if not (given.size and side.shape[0]):
            return nothing(shape, dtype)
        # The real and imaginary parts of B are columns of their own where the matrix is real.
        right = np.ascontiguousarray(given.reshape(len(given), -1), dtype).view(coded.dtype)
        code, full = side.code, (side.shape[0], right.shape[1])
        rule = stop or first_threshold(asked.extra if asked else 0)
        settings = Settings(code, coded.engine, rule, timeout, retries)
        homes = homes_of(code, len(coded.engine.lanes), distrusted(coded.engine))
        with ExitStack() as borrowed:
            operand, answers = (
                borrowed.enter_context(coded.shelf.lent(role, homes, block, code.coded_dtype(coded.dtype)))
                for role, block in side.buffers(full).items()
            )
            operand.encode(code.right, right)
            seconds = {"encode": perf_counter() - began}
            meter = Meter()
            run = Run(
                settings,
                resident.blocks,
                operand,
                answers,
                full,
                coded.dtype,
                side.sketch.of(right),
                screen=side.screen(asked, resident, right, coded.rng) if asked else None,
                multiply=side.kernel,
                meter=meter,
                kept=self._kept(settings, full, reduce, asked, meter),
            )
            try:
                product = run.finish(seconds)
            finally:
                coded.meter.add(meter.moved)
        judge(product, code, None, scale=side.cancellation(right, product.value))
        seconds = {**product.seconds, "total": perf_counter() - began}
        value = product.value.view(dtype).reshape(shape)
        return replace(product, value=value, seconds=seconds, fill_in=coded.fill_in)

    def _kept(
        self, settings: Settings, shape: tuple[int, int], wish: bool | None, asked: Screening | None, meter: Meter
    ) -> Kept | None:
        """Where the answers stay, if they do; None: they come here."""
        code, engine, dtype = settings.code, settings.engine, self._coded.dtype
        size = answer_bytes(code, shape, dtype)
        # Vectors that check every product of this matrix are told to nobody.
        if asked is not None and not wish:
            return None
        stay = answers_stay(
            "product", engine, code, size, settings.stop, wish=wish, result="array", plain=asked is None, asked=None
        )
        return Kept(engine, code.partition, shape, dtype, size, meter, timeout=settings.timeout) if stay else None
