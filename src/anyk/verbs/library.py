"""Arrays of other libraries than NumPy: torch tensors, CuPy arrays, and what else follows the array API standard.

No library is imported here: whoever hands in its arrays has it loaded.
"""

import sys
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anyk.errors import InputError
from anyk.sparse import is_sparse

Array = NDArray[Any]

#: Libraries whose arrays do not name their namespace.
_SILENT = ("torch",)


@dataclass(frozen=True)
class Library:
    """Where some arrays live.

    Args:
        xp: the library's functions, as in the array API standard.
        device: as the arrays say; None where they do not.
    """

    xp: Any
    device: Any

    @classmethod
    def of(cls, call: str, A: Any, B: Any) -> "Library | None":
        """The library of two operands; None: NumPy, or what becomes its arrays.

        Raises:
            InputError: they are of different libraries or on different devices.
        """
        found = [cls(_namespace(each), getattr(each, "device", None)) if is_foreign(each) else None for each in (A, B)]
        if found[0] != found[1]:
            raise InputError(
                f"`{call}`: A is {_described(A)} and B is {_described(B)}; bring both to one library and device first."
            )
        return found[0]

    def dtype_of(self, array: Any) -> np.dtype[Any]:
        """The dtype by NumPy's name; half precision of any kind as float16."""
        name = str(array.dtype).rpartition(".")[2]
        return np.dtype("float16" if name == "bfloat16" else name)

    def dtype(self, dtype: np.dtype[Any]) -> Any:
        """NumPy's dtype by this library's name."""
        return getattr(self.xp, dtype.name)

    def asarray(self, array: Any, dtype: np.dtype[Any]) -> Any:
        """An array there, of this dtype; a copy only where it has to be."""
        if isinstance(array, np.ndarray) and not array.flags.writeable:  # torch takes no such memory
            array = array.copy()
        if self.xp.__name__.partition(".")[0] == "cupy":  # it knows no device= here, and has one at a time
            return self.xp.asarray(array, dtype=self.dtype(dtype))
        return self.xp.asarray(array, dtype=self.dtype(dtype), device=self.device)

    def plain(self, array: Any) -> Any:
        """Without the ties to a graph of derivatives, where there are such."""
        return array.detach() if hasattr(array, "detach") else array

    def to_host(self, array: Any) -> Array:
        """As an array of NumPy's; on the CPU without a copy."""
        there = self.plain(array)
        if hasattr(there, "get"):  # CuPy
            return np.asarray(there.get())
        return np.asarray(there.cpu() if hasattr(there, "cpu") else there)

    def size(self, array: Any) -> float:
        """Frobenius norm."""
        squares = float((abs(array) ** 2).sum())
        return sqrt(squares)


def brought_here(call: str, given: Any) -> Any:
    """Arrays of other libraries as NumPy's; anything else as it is."""
    library = Library.of(call, given, given)
    return given if library is None else library.to_host(given)


def is_foreign(given: Any) -> bool:
    """Whether this is an array of another library, on a device of its own.

    >>> is_foreign(np.eye(2)), is_foreign([[1.0]])
    (False, False)
    """
    if isinstance(given, np.ndarray | np.generic) or is_sparse(given) or not hasattr(given, "__dlpack__"):
        return False
    return hasattr(given, "__array_namespace__") or type(given).__module__.partition(".")[0] in _SILENT


def _namespace(array: Any) -> Any:
    if hasattr(array, "__array_namespace__"):
        return array.__array_namespace__()
    return sys.modules[type(array).__module__.partition(".")[0]]


def _described(given: Any) -> str:
    device = getattr(given, "device", None)
    return type(given).__name__ + (f" on {device}" if device is not None and is_foreign(given) else "")
