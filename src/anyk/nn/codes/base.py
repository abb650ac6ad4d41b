"""A training code is a value: who stores which mixture of a weight matrix, and the codes of its two products."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from anyk.code import Code
from anyk.errors import CodeError
from anyk.partition import Partition

Table = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Stage:
    """One of the two products of a layer: what the nodes multiply by, and the code of what they answer.

    Args:
        code: of the answers, one task each.
        inputs: how each node mixes the input's blocks, shape (blocks, P); a column of zeros: the node has nothing to
            do.
        members: the nodes whose results add up to each task's answer.
    """

    code: Code
    inputs: Table
    members: tuple[tuple[int, ...], ...]

    @cached_property
    def sums(self) -> bool:
        """Answers are sums of several nodes' results."""
        return any(len(nodes) > 1 for nodes in self.members)


@dataclass(frozen=True)
class Tolerance:
    """How many wrong nodes are corrected at each stage, whoever they are.

    Args:
        forward: t_f, in ``W x``.
        backward: t_b, in ``W^T delta``.
        update: t_u: nodes whose blocks an update left wrong, corrected at the next forward product.
        stored: wrong stored blocks that a verification finds.
    """

    forward: int
    backward: int
    update: int
    stored: int


@dataclass(frozen=True, eq=False)
class TrainingCode:
    """How P nodes hold one weight matrix W and multiply by it, by its transpose, and update it.

    W is cut into rows x inner blocks W_ij. Node w stores ``sum_ij row[i, w] inner[j, w] W_ij``, and because that
    factors, the update of W by an outer product is an outer product of two encoded factors at every node: the block
    stays coded.

    Args:
        name: of the strategy.
        row: shape (m, P); m cuts the outputs of the layer.
        col: shape (n, P); n cuts its inputs.
        stored: threshold of the stored blocks: any this-many of them determine W.
        forward: ``W x``.
        backward: ``W^T delta``.
        reference: where the strategy comes from.

    Raises:
        CodeError: tables that do not fit one another.
    """

    name: str
    row: Table
    col: Table
    stored: int
    forward: Stage
    backward: Stage
    positions: NDArray[np.intp] | None = None
    reference: str = ""

    def __post_init__(self) -> None:
        for table in (self.row, self.col, self.forward.inputs, self.backward.inputs):
            if table.ndim != 2 or table.shape[1] != self.nodes or not np.isfinite(table).all():
                raise CodeError(f"{self.name}: every table needs finite numbers and a column for each node.")
            table.flags.writeable = False

    def __repr__(self) -> str:
        return f"TrainingCode({self.name!r}, grid {self.rows} x {self.inner}, {self.nodes} nodes)"

    def __reduce__(self) -> tuple[Any, ...]:
        fields = (
            self.name,
            self.row,
            self.col,
            self.stored,
            self.forward,
            self.backward,
            self.positions,
            self.reference,
        )
        return type(self), fields

    @property
    def rows(self) -> int:
        """Blocks m along the outputs."""
        return len(self.row)

    @property
    def inner(self) -> int:
        """Blocks n along the inputs."""
        return len(self.col)

    @property
    def nodes(self) -> int:
        """Number of nodes P."""
        return int(self.row.shape[-1])

    @cached_property
    def storage(self) -> Code:
        """The code of the stored blocks: mn blocks of W, one mixture of them at each node."""
        left = np.einsum("iw,jw->ijw", self.row, self.col).reshape(-1, 1, self.nodes)
        ones = np.ones((1, 1, self.nodes))
        return Code(
            f"{self.name}, stored", Partition(len(left), 1, 1), left, ones, self.stored, positions=self.positions
        )

    def tolerance(self, model: Literal["random", "adversarial"] = "random") -> Tolerance:
        """How many wrong nodes are corrected, whichever they are (many larger sets are, too).

        Args:
            model: ``"random"``: errors independent of one another; ``"adversarial"``: they may conspire.

        >>> from anyk.nn import generalized_polydot
        >>> generalized_polydot(2, 2, nodes=10).tolerance()
        Tolerance(forward=4, backward=3, update=4, stored=5)
        """
        forward, backward = (
            stage.code.wrong_answers_correctable(stage.code.workers, model=model)
            for stage in (self.forward, self.backward)
        )
        stored = max(0, self.nodes - self.stored - 1 if model == "random" else (self.nodes - self.stored) // 2)
        return Tolerance(forward, backward, forward, stored)

    def encode(self, blocks: NDArray[Any]) -> NDArray[Any]:
        """The stored blocks of all nodes.

        Args:
            blocks: W cut into pieces, shape (m, n, height, width).

        Returns:
            Shape (P, height, width), of the dtype of ``blocks``.
        """
        mixed: NDArray[Any] = np.einsum(
            "iw,jw,ijhk->whk", self.row, self.col, blocks.astype(np.float64), optimize=True
        ).astype(blocks.dtype)
        return mixed
