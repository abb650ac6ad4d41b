"""A matrix that lives on the workers: its blocks, its products, its repair."""

from collections.abc import Callable
from contextlib import ExitStack
from functools import cached_property
from types import TracebackType
from typing import Any, Self

from numpy.random import Generator
from numpy.typing import NDArray

from anyk.code import Code
from anyk.codes import transposed
from anyk.engines.base import Engine
from anyk.engines.meter import Meter, Moved
from anyk.engines.work import multiply, multiply_transposed
from anyk.errors import InputError
from anyk.probes import Sketch
from anyk.screening import Model
from anyk.sparse import is_sparse
from anyk.verbs.blocks import Blocks, Shelf, homes_of
from anyk.verbs.factor import Factor
from anyk.verbs.opened import opened_engine
from anyk.verbs.resident import Resident
from anyk.verbs.screen import Kind, Screening
from anyk.verbs.sides import Side
from anyk.verbs.sparse_blocks import SparseBlocks, resident_kernel

Array = NDArray[Any]


class CodedMatrix(Factor):
    """A matrix encoded on an engine's workers; see `place`.

    ``coded @ B`` and ``coded.T @ Y`` return arrays, `product` the whole `Product` with its measured error. A lost
    worker's replacement gets its block back from shared memory without a copy, a sparse one by message; a block that
    changed or is gone is computed from the others (`repair`, `rebuild`). Several threads may multiply at once where the
    engine allows it.
    """

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
        super().__init__(self)
        height, depth = matrix.shape
        self.dtype, self.code, self.check_finite, self._asked, self.rng = matrix.dtype, code, check_finite, asked, rng
        #: Counts what moves for this matrix and its products.
        self.meter = Meter()
        self._block, self._is_sparse = code.partition.left_block(matrix.shape), is_sparse(matrix)
        self._forward = Side(code, (height, depth), Sketch.draw(matrix, rng), self._kernel(transposed=False))
        self._sketch_of_transpose = Sketch.draw(matrix.T, rng)
        with ExitStack() as opened:
            self.engine = opened.enter_context(opened_engine(engine, code.workers))
            dtype = code.coded_dtype(matrix.dtype)
            blocks: Blocks | SparseBlocks
            if self._is_sparse:
                blocks = SparseBlocks(self.engine, self._block, dtype)
            else:
                blocks = Blocks(self.engine, homes_of(code, len(self.engine.lanes)), self._block, dtype)
            opened.callback(blocks.forget)
            self._resident = Resident(code, blocks, matrix, rng)
            blocks.encode(code.left, matrix)
            # Buffers of its own, so that matrices of different shapes do not take turns in throwing them away.
            self.shelf = Shelf(self.engine)
            opened.callback(self.shelf.clear)
            self._closing = opened.pop_all()
        self._is_open = True

    @property
    def moved(self) -> Moved:
        """Bytes that moved for this matrix so far: its blocks, once each worker has its own, and all its products."""
        return self.meter.moved

    @property
    def fill_in(self) -> float | None:
        """Of a sparse matrix: stored entries of the fullest encoded block, over an even share of its own; else None."""
        blocks = self._resident.blocks
        return blocks.fill_in if isinstance(blocks, SparseBlocks) else None

    @property
    def _side(self) -> Side:
        return self._forward

    @property
    def T(self) -> "Transposed":
        """The transpose, on the same blocks.

        Raises:
            CodeError: the code has no transposed product on these blocks (`anyk.codes.transposed` says when).
        """
        return Transposed(self)

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
        resident = self.opened()
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
        return self.opened().repair()

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
        return f"CodedMatrix({self.shape} {self.dtype}, {self.code!r} on {self.engine.name})"

    @cached_property
    def backward(self) -> Side:
        """How the transpose is multiplied."""
        height, depth = self.shape
        kernel = self._kernel(transposed=True)
        return Side(transposed(self.code), (depth, height), self._sketch_of_transpose, kernel, transposed=True)

    def _kernel(self, *, transposed: bool) -> Callable[..., Any]:
        if self._is_sparse:
            return resident_kernel(self._block, transposed=transposed)
        return multiply_transposed if transposed else multiply

    def opened(self) -> Resident:
        """The blocks.

        Raises:
            InputError: the matrix was closed.
        """
        if not self._is_open:
            raise InputError(f"{self!r} was closed; place the matrix again.")
        return self._resident

    def asking(self, side: Side, wrong: int | None, screen: Kind | None, model: Model | None) -> Screening | None:
        """What is asked of one product: what was asked of all, but for what is said."""
        usual = self._asked or Screening(0, "checked", "random")
        wrong = usual.wrong if wrong is None else wrong
        kind = screen or (usual.kind if self._asked else None)
        return Screening.of("product", side.code, wrong, kind, model or usual.model)


class Transposed(Factor):
    """The transpose of a coded matrix, on the same blocks; ``coded.T``.

    Args:
        coded: the matrix.
    """

    def __init__(self, coded: CodedMatrix) -> None:
        super().__init__(coded)
        self._backward = coded.backward
        self.dtype, self.code = coded.dtype, self._backward.code

    @property
    def _side(self) -> Side:
        return self._backward

    @property
    def T(self) -> CodedMatrix:
        """The matrix."""
        return self._coded

    def __repr__(self) -> str:
        return f"Transposed({self.shape} {self.dtype}, {self.code!r})"
