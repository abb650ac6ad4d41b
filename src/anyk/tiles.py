"""Pieces of large blocks, and the buffers in which the same piece of every block is combined."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

#: Rows and columns of one piece of a matrix.
Tile = tuple[slice, slice]

#: Bytes of the buffers of one tile: small enough for a processor's cache, large enough to hide the loop around it.
#: (2000 x 2000 float64, 18 blocks: 2 MB beat 1 MB and 4 MB by 10 to 50 %.)
_BUFFER_BYTES = 1 << 21

#: Products up to this many multiplications are computed by BLAS as they are, without rearranging the operands.
SMALL_OPERATIONS = 1_000_000

#: Shorter rows are not worth a matrix product each.
LONG_ROW = 256


def tiles(height: int, width: int, bytes_per_entry: int) -> list[Tile]:
    """Cut a block into pieces of whole row stretches that fit the buffers; none is larger than those before it."""
    entries = max(1, _BUFFER_BYTES // bytes_per_entry)
    across = max(1, min(width, entries))
    down = max(1, entries // across)
    return [
        (slice(top, min(top + down, height)), slice(start, min(start + across, width)))
        for top in range(0, height, down)
        for start in range(0, width, across)
    ]


def shifted(piece: slice, by: int) -> slice:
    """The same stretch, further on."""
    return slice(piece.start + by, piece.stop + by)


def length(piece: slice) -> int:
    """How long a stretch is."""
    return int(piece.stop - piece.start)


class Buffers:
    """Room for one tile of every block and for what becomes of it, the same for all tiles.

    Args:
        factors: shape (combinations, blocks).
        dtype: of the blocks.
    """

    def __init__(self, factors: Array, dtype: np.dtype[Any]) -> None:
        self._factors = factors
        self._room = np.empty((factors.shape[1], 0), dtype)
        self._out = np.empty((factors.shape[0], 0), np.result_type(factors, dtype))

    def tile(self, down: slice, across: slice) -> Array:
        """Where to gather this piece of every block, shape (blocks, height, width)."""
        self._shape = length(down), length(across)
        size = self._shape[0] * self._shape[1]
        if size > self._room.shape[1]:
            self._room, self._out = (np.empty((len(old), size), old.dtype) for old in (self._room, self._out))
        self._blocks = self._room[:, :size]
        return self._blocks.reshape(-1, *self._shape)

    def combined(self) -> Array:
        """The factors times the tile, shape (combinations, height, width).

        Complex tiles under real factors are treated as pairs of reals.
        """
        blocks, out = self._blocks, self._out[:, : self._blocks.shape[1]]
        formed = out.reshape(-1, *self._shape)
        if np.iscomplexobj(blocks) and not np.iscomplexobj(self._factors):
            blocks, out = blocks.view(self._factors.dtype), out.view(self._factors.dtype)
        if len(blocks) == 1:  # nothing to add up
            np.multiply(self._factors, blocks, out=out)
            return formed
        # In stretches so short that BLAS does not wake its threads: the workers need the cores.
        stretch = SMALL_OPERATIONS // max(1, self._factors.size)
        stretch = stretch if stretch >= LONG_ROW else max(1, blocks.shape[1])
        for start in range(0, blocks.shape[1], stretch):
            piece = slice(start, start + stretch)
            np.matmul(self._factors, blocks[:, piece], out=out[:, piece])
        return formed
