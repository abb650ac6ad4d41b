"""A matrix that lives on the workers: encoded once, multiplied many times."""

from contextlib import ExitStack
from dataclasses import replace
from functools import cached_property
from time import perf_counter
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from anyk.code import Code
from anyk.codes import transposed
from anyk.engines.base import Engine
from anyk.engines.suspicion import distrusted
from anyk.engines.work import multiply, multiply_transposed
from anyk.errors import InputError
from anyk.job import StopRule, first_threshold
from anyk.probes import Sketch
from anyk.screening import Model
from anyk.verbs.blocks import Blocks, Shelf, homes_of
from anyk.verbs.judgement import judge
from anyk.verbs.opened import opened_engine
from anyk.verbs.operands import finite_matrix, finite_numbers
from anyk.verbs.product import Product, nothing
from anyk.verbs.resident import Resident
from anyk.verbs.run import Run, Settings
from anyk.verbs.screen import Kind, Screening
from anyk.verbs.sides import Side, precision

Array = NDArray[Any]


def place(
    A: ArrayLike,
    code: Code,
    *,
    wrong: int = 0,
    screen: Kind | None = None,
    model: Model = "random",
    engine: str | Engine | None = None,
    check_finite: bool = True,
    rng: Generator | int | None = None,
) -> "CodedMatrix":
    """Encode a matrix once, straight into the workers' memory, to multiply it many times.

    Args:
        A: matrix (height, depth); floating and complex dtypes are kept, integers become float64. It is not kept.
        code: how to encode; codes with ``cols=1`` waste nothing on vectors (`mds`, `matdot`, `generalized_polydot`).
        wrong: how many answers of each product may be wrong without notice, whether the worker or its block is at
            fault. So many more are awaited, the wrong ones thrown out, and blocks that changed computed anew.
        screen: how wrong answers are found: ``"checked"``: each one through secret vectors taken from A before it was
            placed; ``"syndrome"``: from the answers alone, as `locate`; ``"both"``. Default: ``"checked"`` where
            ``wrong`` is given, for the vectors are here though A is gone; else nothing.
        model: what wrong answers may be like, for ``"syndrome"``: ``"random"`` or ``"adversarial"``.
        engine: as for `matmul`; an engine named here is closed with the matrix.
        check_finite: refuse NaN and infinite entries, of A and of what it is multiplied with.
        rng: generator or seed of the signs that measure each product, and of the vectors that check it.

    Returns:
        The matrix on the workers; close it, or use it in a ``with`` statement.

    Raises:
        InputError: not a matrix of finite numbers, or arguments out of range.
        ClusterError: the engine could not start, or its memory is full.

    >>> import numpy as np, anyk
    >>> with anyk.place(np.eye(4), anyk.codes.mds(2, 3), engine="inline") as coded:
    ...     (coded @ np.arange(4.0)).round(12).tolist()
    [0.0, 1.0, 2.0, 3.0]
    """
    matrix = finite_matrix("place", "A", A, check_finite=check_finite)
    asked = Screening.of("place", code, wrong, screen, model)
    return CodedMatrix(matrix, code, engine, np.random.default_rng(rng), check_finite=check_finite, asked=asked)


class CodedMatrix:
    """A matrix encoded on an engine's workers; see `place`.

    ``coded @ B`` and ``coded.T @ Y`` return arrays, `product` the whole `Product` with its measured error. A lost
    worker's replacement gets its block back from shared memory without a copy; a block that changed or is gone is
    computed from the others (`repair`, `rebuild`). Several threads may multiply at once where the engine allows it.
    """

    #: NumPy leaves ``array @ coded`` to `__rmatmul__`.
    __array_ufunc__ = None
    ndim = 2

    def __init__(
        self,
        matrix: Array,
        code: Code,
        engine: str | Engine | None,
        rng: Generator,
        *,
        check_finite: bool = True,
        asked: Screening | None = None,
    ) -> None:
        height, depth = matrix.shape
        self.dtype, self.code, self._check_finite, self._asked, self._rng = matrix.dtype, code, check_finite, asked, rng
        self._forward = Side(code, (height, depth), Sketch.draw(matrix, rng), multiply)
        self._sketch_of_transpose = Sketch.draw(matrix.T, rng)
        with ExitStack() as opened:
            self._engine = opened.enter_context(opened_engine(engine, code.workers))
            dtype = code.coded_dtype(matrix.dtype)
            homes = homes_of(code, len(self._engine.lanes))
            blocks = Blocks(self._engine, homes, code.partition.left_block(matrix.shape), dtype)
            opened.callback(blocks.forget)
            self._resident = Resident(code, blocks, matrix, rng)
            blocks.encode(code.left, matrix)
            # Buffers of its own, so that matrices of different shapes do not take turns in throwing them away.
            self._shelf = Shelf(self._engine)
            opened.callback(self._shelf.clear)
            self._closing = opened.pop_all()
        self._is_open = True

    @property
    def shape(self) -> tuple[int, int]:
        """(height, depth)."""
        return self._forward.shape

    @property
    def T(self) -> "Transposed":
        """The transpose, on the same blocks.

        Raises:
            CodeError: the code has no transposed product on these blocks (`anyk.codes.transposed` says when).
        """
        return Transposed(self)

    def __matmul__(self, B: ArrayLike) -> Array:
        """A B, for a matrix or vector B."""
        return self.product(B).value

    def __rmatmul__(self, Y: ArrayLike) -> Array:
        """Y A, by the transpose."""
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
    ) -> Product:
        """A B with all there is to know about it.

        Args:
            B: matrix (depth, width) or vector (depth,); it is computed in the precision of A.
            wrong: how many answers may be wrong without notice; this, ``screen`` and ``model`` as for `place`, and by
                default as they were given there.
            screen: how wrong answers are found.
            model: what wrong answers may be like.
            stop: when to stop waiting; default: at the first answers that decode, and ``wrong`` more.
            timeout: seconds until giving up; default: never.
            retries: how often a task is computed again after its worker was lost.

        Raises:
            InputError: B does not fit, the matrix was closed, or arguments out of range.
            ClusterError: too few answers came, or too many blocks changed.
            PrecisionError: the product is not finite.

        Warns:
            PrecisionWarning: the error is larger than rounding explains.
        """
        asked = self._asking(self._forward, wrong, screen, model)
        return self._multiplied(self._forward, B, asked, stop, timeout, retries)

    def as_linear_operator(self) -> Any:
        """A `scipy.sparse.linalg.LinearOperator`, with the transposed products where the code has them."""
        from scipy.sparse.linalg import LinearOperator

        def adjoint(y: Array) -> Array:
            return (self.T @ y.conj()).conj()

        return LinearOperator(
            self.shape,
            dtype=self.dtype,
            matvec=self.__matmul__,
            matmat=self.__matmul__,
            rmatvec=adjoint,
            rmatmat=adjoint,
        )

    def rebuild(self, task: int) -> None:
        """Compute one resident block anew from the others, in place: A itself is not needed.

        Args:
            task: whose block.

        Raises:
            InputError: no such task, or the matrix was closed.
            ClusterError: the other blocks do not determine it.
        """
        resident = self._opened()
        if not 0 <= task < self.code.workers:
            raise InputError(f"`rebuild({task})`: the tasks of `{self.code.name}` are 0 … {self.code.workers - 1}.")
        resident.rebuild(task)

    def repair(self) -> tuple[int, ...]:
        """Look at every resident block, and compute those that changed anew from the others.

        Products with ``wrong=`` do so by themselves where an answer was wrong.

        Returns:
            The tasks whose blocks had changed.

        Raises:
            InputError: the matrix was closed.
            ClusterError: so many changed that the others do not determine them.
        """
        return self._opened().repair()

    def close(self) -> None:
        """Free the blocks, and the engine if it was opened here; safe to call twice."""
        self._is_open = False
        self._closing.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"CodedMatrix({self.shape} {self.dtype}, {self.code!r} on {self._engine.name})"

    @cached_property
    def _backward(self) -> Side:
        height, depth = self.shape
        return Side(transposed(self.code), (depth, height), self._sketch_of_transpose, multiply_transposed)

    def _opened(self) -> Resident:
        if not self._is_open:
            raise InputError(f"{self!r} was closed; place the matrix again.")
        return self._resident

    def _asking(self, side: Side, wrong: int | None, screen: Kind | None, model: Model | None) -> Screening | None:
        """What is asked of one product: what was asked of all, but for what is said."""
        usual = self._asked or Screening(0, "checked", "random")
        wrong = usual.wrong if wrong is None else wrong
        kind = screen or (usual.kind if self._asked else None)
        return Screening.of("product", side.code, wrong, kind, model or usual.model)

    def _multiplied(
        self,
        side: Side,
        B: ArrayLike,
        asked: Screening | None,
        stop: StopRule | None,
        timeout: float | None,
        retries: int,
    ) -> Product:
        began = perf_counter()
        resident, given = self._opened(), finite_numbers("coded @ B", "B", B, check_finite=self._check_finite)
        if given.shape[:1] != side.shape[1:]:
            raise InputError(f"`coded @ B`: the coded matrix is {side.shape} and B is {given.shape}; they do not fit.")
        dtype, shape = precision(self.dtype, given.dtype), side.shape[:1] + given.shape[1:]
        if not (given.size and side.shape[0]):
            return nothing(shape, dtype)
        # The real and imaginary parts of B are columns of their own where the matrix is real.
        right = np.ascontiguousarray(given.reshape(len(given), -1), dtype).view(self.dtype)
        code, full = side.code, (side.shape[0], right.shape[1])
        rule = stop or first_threshold(asked.extra if asked else 0)
        settings = Settings(code, self._engine, rule, timeout, retries)
        homes = homes_of(code, len(self._engine.lanes), distrusted(self._engine))
        with ExitStack() as borrowed:
            operand, answers = (
                borrowed.enter_context(self._shelf.lent(role, homes, block, code.coded_dtype(self.dtype)))
                for role, block in side.buffers(full).items()
            )
            operand.encode(code.right, right)
            seconds = {"encode": perf_counter() - began}
            run = Run(
                settings,
                resident.blocks,
                operand,
                answers,
                full,
                self.dtype,
                side.sketch.of(right),
                screen=side.screen(asked, resident, right, self._rng) if asked else None,
                multiply=side.kernel,
            )
            product = run.finish(seconds)
        judge(product, code, None, scale=side.cancellation(right, product.value))
        seconds = {**product.seconds, "total": perf_counter() - began}
        return replace(product, value=product.value.view(dtype).reshape(shape), seconds=seconds)


class Transposed:
    """The transpose of a coded matrix, on the same blocks; ``coded.T``.

    Args:
        coded: the matrix.
    """

    __array_ufunc__ = None
    ndim = 2

    def __init__(self, coded: CodedMatrix) -> None:
        self.T, self._side = coded, coded._backward
        self.shape, self.dtype, self.code = self._side.shape, coded.dtype, self._side.code

    def __matmul__(self, Y: ArrayLike) -> Array:
        """A^T Y, for a matrix or vector Y."""
        return self.product(Y).value

    def __rmatmul__(self, B: ArrayLike) -> Array:
        """B A^T, by the matrix itself."""
        return (self.T @ np.asarray(B).T).T

    def product(
        self,
        Y: ArrayLike,
        *,
        wrong: int | None = None,
        screen: Kind | None = None,
        model: Model | None = None,
        stop: StopRule | None = None,
        timeout: float | None = None,
        retries: int = 1,
    ) -> Product:
        """A^T Y with all there is to know about it; as `CodedMatrix.product`."""
        asked = self.T._asking(self._side, wrong, screen, model)
        return self.T._multiplied(self._side, Y, asked, stop, timeout, retries)

    def __repr__(self) -> str:
        return f"Transposed({self.shape} {self.dtype}, {self.code!r})"
