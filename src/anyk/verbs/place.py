"""A matrix that lives on the workers: encoded once, multiplied many times."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from time import perf_counter
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from anyk.arrays import recombine
from anyk.code import Code
from anyk.codes import transposed
from anyk.engines.base import Engine
from anyk.engines.work import multiply, multiply_transposed
from anyk.errors import ClusterError, InputError
from anyk.job import StopRule, first_threshold
from anyk.probes import Sketch
from anyk.verbs.blocks import Blocks, borrow, give_back
from anyk.verbs.opened import opened_engine
from anyk.verbs.operands import finite_matrix
from anyk.verbs.product import Product
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
        check_finite: refuse NaN and infinite entries.
        rng: generator or seed of the signs that measure each product.

    Returns:
        The matrix on the workers; close it, or use it in a ``with`` statement.

    Raises:
        InputError: not a matrix of finite numbers.
        ClusterError: the engine could not start, or its memory is full.

    >>> import numpy as np, anyk
    >>> with anyk.place(np.eye(4), anyk.codes.mds(2, 3), engine="inline") as coded:
    ...     (coded @ np.arange(4.0)).tolist()
    [0.0, 1.0, 2.0, 3.0]
    """
    matrix = finite_matrix("place", "A", A, check_finite=check_finite)
    return CodedMatrix(matrix, code, engine, np.random.default_rng(rng))


@dataclass(frozen=True, eq=False)
class _Side:
    """One way to multiply the resident blocks: from the left as they are, or transposed.

    Args:
        code: of this product; its table of A is that of the blocks.
        shape: of the matrix as this side sees it.
        sketch: measures this side's products.
        kernel: what a worker does with its blocks.
        role: name of the buffers this side borrows.
    """

    code: Code
    shape: tuple[int, int]
    sketch: Sketch
    kernel: Callable[..., Any]
    role: str


class CodedMatrix:
    """A matrix encoded on an engine's workers; see `place`.

    ``coded @ B`` and ``coded.T @ Y`` return arrays, `product` the whole `Product` with its measured error. A lost
    worker's replacement gets its block back from shared memory without a copy; a block that is gone altogether is
    computed from the others (`rebuild`).
    """

    def __init__(self, matrix: Array, code: Code, engine: str | Engine | None, rng: Generator) -> None:
        self.dtype, self.code = matrix.dtype, code
        self._blocks: Blocks | None = None
        self._opened = opened_engine(engine, code.workers)
        self._engine = self._opened.__enter__()
        try:
            dtype = code.coded_dtype(matrix.dtype)
            self._blocks = Blocks(self._engine, code.workers, code.partition.left_block(matrix.shape), dtype)
            self._blocks.encode(code.left, matrix)
        except BaseException:
            self.close()
            raise
        height, depth = matrix.shape
        self._forward = _Side(code, (height, depth), Sketch.draw(matrix, rng), multiply, "A B")
        self._sketch_of_transpose = Sketch.draw(matrix.T, rng)

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

    def product(
        self, B: ArrayLike, *, stop: StopRule | None = None, timeout: float | None = None, retries: int = 1
    ) -> Product:
        """A B with all there is to know about it.

        Args:
            B: matrix (depth, width) or vector (depth,); it is computed in the dtype of A.
            stop: when to stop waiting; default: at the first answers that decode.
            timeout: seconds until giving up; default: never.
            retries: how often a task is computed again after its worker was lost.

        Raises:
            InputError: B does not fit, or the matrix was closed.
            ClusterError: too few answers came.
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
            ClusterError: the other blocks do not determine it.
        """
        others = [other for other in range(self.code.workers) if other != task]
        table = self.code.left.reshape(-1, self.code.workers)
        shares, *_ = np.linalg.lstsq(table[:, others], table[:, task], rcond=None)
        if not np.allclose(table[:, others] @ shares, table[:, task], atol=1e-9 * np.abs(table).max()):
            raise ClusterError(
                f"block {task} of `{self.code.name}` does not follow from the others; place the matrix anew."
            )
        blocks = self._resident().arrays
        recombine(shares[None], [blocks[other] for other in others], (1, 1), blocks[task])

    def close(self) -> None:
        """Free the blocks, and the engine if it was opened here; safe to call twice."""
        blocks, self._blocks = self._blocks, None
        if blocks is not None:
            blocks.forget()
            self._opened.__exit__(None, None, None)

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
        side = transposed(self.code)
        return _Side(side, (depth, height), self._sketch_of_transpose, multiply_transposed, "A^T Y")

    def _resident(self) -> Blocks:
        if self._blocks is None:
            raise InputError(f"{self!r} was closed; place the matrix again.")
        return self._blocks

    def _multiplied(self, side: _Side, B: ArrayLike, stop: StopRule, timeout: float | None, retries: int) -> Product:
        began = perf_counter()
        left, given = self._resident(), np.asarray(B)
        right = (given[:, None] if given.ndim == 1 else given).astype(self.dtype, copy=False)
        if right.ndim != 2 or right.shape[0] != side.shape[1]:
            raise InputError(f"`coded @ B`: the coded matrix is {side.shape} and B is {given.shape}; they do not fit.")
        cut, shape = side.code.partition, (side.shape[0], right.shape[1])
        settings = Settings(side.code, self._engine, stop, timeout, retries)
        with self._borrowed(side, cut.right_block(right.shape), cut.result_block(shape)) as (operand, answers):
            operand.encode(side.code.right, right)
            seconds = {"encode": perf_counter() - began}
            run = Run(settings, left, operand, answers, shape, self.dtype, side.sketch.of(right), side.kernel)
            product = run.finish(seconds)
        seconds = {**product.seconds, "total": perf_counter() - began}
        return replace(product, value=product.value.reshape(side.shape[:1] + given.shape[1:]), seconds=seconds)

    @contextmanager
    def _borrowed(self, side: _Side, *shapes: tuple[int, int]) -> Iterator[list[Blocks]]:
        roles = [f"{each} of {side.role}" for each in ("operand", "answers")]
        dtype = side.code.coded_dtype(self.dtype)
        blocks = [
            borrow(self._engine, role, side.code.workers, shape, dtype)
            for role, shape in zip(roles, shapes, strict=True)
        ]
        try:
            yield blocks
        finally:
            for role, each in zip(roles, blocks, strict=True):
                give_back(self._engine, role, each)


class Transposed:
    """The transpose of a coded matrix, on the same blocks; ``coded.T``.

    Args:
        coded: the matrix.
    """

    def __init__(self, coded: CodedMatrix) -> None:
        self.T, self._side = coded, coded._backward
        self.shape, self.dtype, self.code = self._side.shape, coded.dtype, self._side.code

    def __matmul__(self, Y: ArrayLike) -> Array:
        """A^T Y, for a matrix or vector Y."""
        return self.product(Y).value

    def product(
        self, Y: ArrayLike, *, stop: StopRule | None = None, timeout: float | None = None, retries: int = 1
    ) -> Product:
        """A^T Y with all there is to know about it; as `CodedMatrix.product`."""
        return self.T._multiplied(self._side, Y, stop or first_threshold(), timeout, retries)

    def __repr__(self) -> str:
        return f"Transposed({self.shape} {self.dtype}, {self.code!r})"
