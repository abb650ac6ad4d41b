"""A matrix that lives on the workers: encoded once, multiplied many times."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property
from time import perf_counter
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from anyk.arrays import norm, recombine
from anyk.code import Code
from anyk.codes import transposed
from anyk.engines.base import Engine
from anyk.engines.work import multiply, multiply_transposed
from anyk.errors import ClusterError, InputError
from anyk.job import StopRule, first_threshold
from anyk.probes import Sketch
from anyk.verbs.blocks import Blocks, Shelf, homes_of
from anyk.verbs.judgement import judge
from anyk.verbs.opened import opened_engine
from anyk.verbs.operands import finite_matrix, finite_numbers
from anyk.verbs.product import Product, nothing
from anyk.verbs.run import Run, Settings

Array = NDArray[Any]


def place(
    A: ArrayLike,
    code: Code,
    *,
    engine: str | Engine | None = None,
    check_finite: bool = True,
    rng: Generator | int | None = None,
) -> "CodedMatrix":
    """Encode a matrix once, straight into the workers' memory, to multiply it many times.

    Args:
        A: matrix (height, depth); floating and complex dtypes are kept, integers become float64. It is not kept.
        code: how to encode; codes with ``cols=1`` waste nothing on vectors (`mds`, `matdot`, `generalized_polydot`).
        engine: as for `matmul`; an engine named here is closed with the matrix.
        check_finite: refuse NaN and infinite entries, of A and of what it is multiplied with.
        rng: generator or seed of the signs that measure each product.

    Returns:
        The matrix on the workers; close it, or use it in a ``with`` statement.

    Raises:
        InputError: not a matrix of finite numbers.
        ClusterError: the engine could not start, or its memory is full.

    >>> import numpy as np, anyk
    >>> with anyk.place(np.eye(4), anyk.codes.mds(2, 3), engine="inline") as coded:
    ...     (coded @ np.arange(4.0)).round(12).tolist()
    [0.0, 1.0, 2.0, 3.0]
    """
    matrix = finite_matrix("place", "A", A, check_finite=check_finite)
    return CodedMatrix(matrix, code, engine, np.random.default_rng(rng), check_finite=check_finite)


@dataclass(frozen=True, eq=False)
class _Side:
    """One way to multiply the resident blocks: from the left as they are, or transposed.

    Args:
        code: of this product; its table of A is that of the blocks.
        shape: of the matrix as this side sees it.
        sketch: measures this side's products.
        kernel: what a worker does with its blocks.
    """

    code: Code
    shape: tuple[int, int]
    sketch: Sketch
    kernel: Callable[..., Any]

    @cached_property
    def size(self) -> float:
        """Frobenius norm of the matrix, as the sketch has it."""
        size: float = norm(self.sketch.image) / len(self.sketch.image) ** 0.5
        return size

    def buffers(self, product: tuple[int, int]) -> dict[str, tuple[int, int]]:
        """The shapes of a task's operand and answer, for a product of this shape, under a name for the pair's shelf."""
        cut, which = self.code.partition, self.kernel.__name__
        operand = cut.right_block((self.shape[1], product[1]))
        return {f"operand to {which}": operand, f"answer of {which}": cut.result_block(product)}


class CodedMatrix:
    """A matrix encoded on an engine's workers; see `place`.

    ``coded @ B`` and ``coded.T @ Y`` return arrays, `product` the whole `Product` with its measured error. A lost
    worker's replacement gets its block back from shared memory without a copy; a block that is gone altogether is
    computed from the others (`rebuild`). Several threads may multiply at once where the engine allows it.
    """

    #: NumPy leaves ``array @ coded`` to `__rmatmul__`.
    __array_ufunc__ = None
    ndim = 2

    def __init__(
        self, matrix: Array, code: Code, engine: str | Engine | None, rng: Generator, *, check_finite: bool = True
    ) -> None:
        height, depth = matrix.shape
        self.dtype, self.code, self._check_finite = matrix.dtype, code, check_finite
        self._forward = _Side(code, (height, depth), Sketch.draw(matrix, rng), multiply)
        self._sketch_of_transpose = Sketch.draw(matrix.T, rng)
        with ExitStack() as opened:
            self._engine = opened.enter_context(opened_engine(engine, code.workers))
            dtype = code.coded_dtype(matrix.dtype)
            self._homes = homes_of(code, len(self._engine.lanes))
            self._blocks = Blocks(self._engine, self._homes, code.partition.left_block(matrix.shape), dtype)
            opened.callback(self._blocks.forget)
            self._blocks.encode(code.left, matrix)
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
        self, B: ArrayLike, *, stop: StopRule | None = None, timeout: float | None = None, retries: int = 1
    ) -> Product:
        """A B with all there is to know about it.

        Args:
            B: matrix (depth, width) or vector (depth,); it is computed in the precision of A.
            stop: when to stop waiting; default: at the first answers that decode.
            timeout: seconds until giving up; default: never.
            retries: how often a task is computed again after its worker was lost.

        Raises:
            InputError: B does not fit, or the matrix was closed.
            ClusterError: too few answers came.
            PrecisionError: the product is not finite.

        Warns:
            PrecisionWarning: the error is larger than rounding explains.
        """
        return self._multiplied(self._forward, B, stop or first_threshold(), timeout, retries)

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
        blocks = self._resident()
        if not 0 <= task < self.code.workers:
            raise InputError(f"`rebuild({task})`: the tasks of `{self.code.name}` are 0 … {self.code.workers - 1}.")
        others = [other for other in range(self.code.workers) if other != task]
        table = self.code.left.reshape(-1, self.code.workers)
        shares, *_ = np.linalg.lstsq(table[:, others], table[:, task], rcond=None)
        if not np.allclose(table[:, others] @ shares, table[:, task], atol=1e-9 * np.abs(table).max()):
            raise ClusterError(
                f"block {task} of `{self.code.name}` does not follow from the others; place the matrix anew."
            )
        recombine(shares[None], [blocks.arrays[other] for other in others], (1, 1), blocks.arrays[task])
        blocks.were_changed()

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
    def _backward(self) -> _Side:
        height, depth = self.shape
        return _Side(transposed(self.code), (depth, height), self._sketch_of_transpose, multiply_transposed)

    def _resident(self) -> Blocks:
        if not self._is_open:
            raise InputError(f"{self!r} was closed; place the matrix again.")
        return self._blocks

    def _multiplied(self, side: _Side, B: ArrayLike, stop: StopRule, timeout: float | None, retries: int) -> Product:
        began = perf_counter()
        left, given = self._resident(), finite_numbers("coded @ B", "B", B, check_finite=self._check_finite)
        if given.shape[:1] != side.shape[1:]:
            raise InputError(f"`coded @ B`: the coded matrix is {side.shape} and B is {given.shape}; they do not fit.")
        dtype, shape = _precision(self.dtype, given.dtype), side.shape[:1] + given.shape[1:]
        if not (given.size and side.shape[0]):
            return nothing(shape, dtype)
        # The real and imaginary parts of B are columns of their own where the matrix is real.
        right = np.ascontiguousarray(given.reshape(len(given), -1), dtype).view(self.dtype)
        code, full = side.code, (side.shape[0], right.shape[1])
        settings = Settings(code, self._engine, stop, timeout, retries)
        with ExitStack() as borrowed:
            operand, answers = (
                borrowed.enter_context(self._shelf.lent(role, self._homes, block, code.coded_dtype(self.dtype)))
                for role, block in side.buffers(full).items()
            )
            operand.encode(code.right, right)
            seconds = {"encode": perf_counter() - began}
            run = Run(settings, left, operand, answers, full, self.dtype, side.sketch.of(right), multiply=side.kernel)
            product = run.finish(seconds)
        judge(product, code, None, scale=_cancellation(side.size, right, product.value))
        seconds = {**product.seconds, "total": perf_counter() - began}
        return replace(product, value=product.value.view(dtype).reshape(shape), seconds=seconds)


def _cancellation(size: float, B: Array, product: Array) -> float:
    """|A| |B| / |A B|, Frobenius norms; ``size`` is that of A."""
    formed = norm(product)
    return size * norm(B) / formed if formed else 1.0


def _precision(resident: np.dtype[Any], given: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype of a product with B: the precision of A, complex if B is."""
    return np.result_type(resident, np.complex64) if given.kind == "c" else resident


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
        self, Y: ArrayLike, *, stop: StopRule | None = None, timeout: float | None = None, retries: int = 1
    ) -> Product:
        """A^T Y with all there is to know about it; as `CodedMatrix.product`."""
        return self.T._multiplied(self._side, Y, stop or first_threshold(), timeout, retries)

    def __repr__(self) -> str:
        return f"Transposed({self.shape} {self.dtype}, {self.code!r})"
