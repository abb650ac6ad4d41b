"""A product whose blocks lie on the workers that formed them."""

from concurrent.futures import Future
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anyk.engines import work
from anyk.engines.base import Engine, Lane, Ref
from anyk.verbs.sums import Spot, shape_of

Array = NDArray[Any]


@dataclass(frozen=True)
class Piece:
    """A block of the product on the worker that has it.

    Args:
        lane: of the worker.
        key: its name there.
        spot: where it lies in the product.
    """

    lane: Lane
    key: str
    spot: Spot


@dataclass(frozen=True, eq=False)
class Afar:
    """A product in pieces, row by row.

    Args:
        pieces: all of them.
        shape: of the product, (height, width).
        dtype: of the product.
        patience_seconds: how long a worker may take to say something of its piece.
    """

    pieces: tuple[Piece, ...]
    shape: tuple[int, int]
    dtype: np.dtype[Any]
    patience_seconds: float

    def through(self, columns: Array) -> Array:
        """The product times a few columns, shape (width, r); computed by the workers.

        Raises:
            Exception: a worker is lost, or says nothing for too long.
        """
        asked = [
            (piece, piece.lane.submit(work.seen_through, Ref(piece.key), columns[piece.spot[1]]))
            for piece in self.pieces
        ]
        image = np.zeros((self.shape[0], columns.shape[1]), np.result_type(self.dtype, columns))
        for piece, future in asked:
            image[piece.spot[0]] += self._said(future)
        return image

    def rows(self, which: Array | slice) -> Array:
        """Some rows of the product, brought here."""
        numbers = np.arange(self.shape[0])[which]
        rows = np.empty((len(numbers), self.shape[1]), self.dtype)
        asked: list[tuple[Array, slice, Future[Array]]] = []
        for piece in self.pieces:
            down, across = piece.spot
            here = np.flatnonzero((numbers >= down.start) & (numbers < down.stop))
            if len(here):
                future = piece.lane.submit(work.some_rows, Ref(piece.key), numbers[here] - down.start)
                asked.append((here, across, future))
        for here, across, future in asked:
            rows[here, across] = self._said(future)
        return rows

    def handed_over(self, engine: Engine) -> Any:
        """What the cluster's own library calls it; see ``hand_over`` of the engine."""
        grid = [[*row] for _, row in groupby(self.pieces, lambda piece: piece.spot[0].start)]
        names = [[(piece.lane, piece.key, shape_of(piece.spot)) for piece in row] for row in grid]
        return engine.hand_over(names, self.dtype)  # type: ignore[attr-defined]  # of engines with a library

    def _said(self, future: "Future[Array]") -> Array:
        return future.result(self.patience_seconds)
