"""The public border: what the caller hands in becomes two matrices that can be multiplied, or one clear error."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anyk.arrays import working_dtype
from anyk.errors import InputError
from anyk.sparse import as_rows, entries, is_sparse, places
from anyk.verbs.lazy import is_lazy
from anyk.verbs.library import Library, brought_here

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Operands:
    """Two matrices of one working dtype, and the shape the caller expects back.

    Args:
        a: shape (height, depth); sparse if it came so.
        b: shape (depth, width), likewise.
        shape: of the caller's result: a vector operand takes its axis with it.
        is_integer: both came as integers or booleans.
        home: the library that both are of, where that is not NumPy.
    """

    a: Array
    b: Array
    shape: tuple[int, ...]
    is_integer: bool
    home: Library | None = None

    @property
    def is_lazy(self) -> bool:
        """One is an array that a cluster computes."""
        return is_lazy(self.a) or is_lazy(self.b)

    def here(self) -> "Operands":
        """As arrays of NumPy's."""
        if self.is_lazy:
            return replace(self, a=np.asarray(self.a), b=np.asarray(self.b))
        if self.home is None:
            return self
        return replace(self, a=self.home.to_host(self.a), b=self.home.to_host(self.b))


def operands(call: str, A: ArrayLike, B: ArrayLike, *, check_finite: bool = True) -> Operands:
    """Check and bring into shape, without copying what already fits.

    Args:
        call: the verb's name, for messages.
        A: a matrix or vector.
        B: a matrix or vector.
        check_finite: refuse NaN and infinite entries.

    Raises:
        InputError: shapes that cannot be multiplied, dtypes that are not numbers, or entries that are not finite.
    """
    if (home := Library.of(call, A, B)) is not None:
        return _foreign(call, home, A, B, check_finite=check_finite)
    a, b = (
        _numbers(call, name, _rows(call, name, given)) if is_sparse(given) else _numbers(call, name, given)
        for name, given in (("A", A), ("B", B))
    )
    left, right = _matrices(call, a, b)
    # Sparse integers are computed as floating-point numbers: digits of them would fill in.
    is_special = any(is_sparse(each) or is_lazy(each) for each in (a, b))
    whole = a.dtype.kind in "iub" and b.dtype.kind in "iub" and not is_special
    if not whole:
        dtype = working_dtype(a.dtype, b.dtype)
        left, right = (each if each.dtype == dtype else each.astype(dtype) for each in (left, right))
        if check_finite:
            _finite(call, "A", left)
            _finite(call, "B", right)
    return Operands(left, right, (*a.shape[:-1], *b.shape[1:]), whole)


def _matrices(call: str, a: Any, b: Any) -> tuple[Any, Any]:
    """Vectors as a row and a column.

    Raises:
        InputError: the inner lengths differ.
    """
    left = a[None, :] if a.ndim == 1 else a
    right = b[:, None] if b.ndim == 1 else b
    if left.shape[1] != right.shape[0]:
        raise InputError(
            f"`{call}(A, B)` multiplies along A's last and B's first axis, which must agree; "
            f"A is {tuple(a.shape)} and B is {tuple(b.shape)}. Transpose or slice one of them."
        )
    return left, right


def _foreign(call: str, home: Library, A: Any, B: Any, *, check_finite: bool) -> Operands:
    """Operands of another library, which stay where they are; integers come here, to be computed exactly."""
    a, b = home.plain(A), home.plain(B)
    for name, given in (("A", a), ("B", b)):
        if given.ndim not in (1, 2):
            raise InputError(f"`{call}` takes matrices and vectors; {name} has shape {tuple(given.shape)}.")
    dtypes = home.dtype_of(a), home.dtype_of(b)
    whole = all(dtype.kind in "iub" for dtype in dtypes)
    if whole:
        return replace(operands(call, home.to_host(a), home.to_host(b)), home=home)
    left, right = (home.asarray(each, working_dtype(*dtypes)) for each in _matrices(call, a, b))
    for name, matrix in (("A", left), ("B", right)):
        if check_finite and not np.isfinite(complex(matrix.sum())):
            finite_numbers(call, name, home.to_host(matrix))
    return Operands(left, right, (*map(int, a.shape[:-1]), *map(int, b.shape[1:])), False, home)


def finite_matrix(call: str, name: str, given: ArrayLike, *, check_finite: bool = True) -> Array:
    """One matrix, in its working dtype, sparse if it came so; integers become float64.

    Raises:
        InputError: not two-dimensional, not numbers, or entries that are not finite.
    """
    if is_sparse(given):
        array = _numbers(call, name, _rows(call, name, given))
        if check_finite:
            _finite(call, name, array)
    else:
        array = finite_numbers(call, name, given, check_finite=check_finite)
    if array.ndim != 2:
        raise InputError(f"`{call}` takes a matrix; {name} has shape {array.shape}.")
    matrix: Array = array.astype(working_dtype(array.dtype), copy=False)
    return matrix


def refuse_sparse(call: str, name: str, given: Any) -> None:
    """Where only dense matrices are taken.

    Raises:
        InputError: it is sparse.
    """
    if is_sparse(given):
        raise InputError(
            f"`{call}` takes dense matrices; {name} is sparse. `matmul` takes it, or pass {name}.toarray()."
        )


def finite_numbers(call: str, name: str, given: ArrayLike, *, check_finite: bool = True) -> Array:
    """One matrix or vector as it is.

    Raises:
        InputError: neither, not numbers, or entries that are not finite.
    """
    refuse_sparse(call, name, given)
    given = np.asarray(given) if is_lazy(given) else given
    array = _numbers(call, name, brought_here(call, given))
    if check_finite:
        _finite(call, name, array)
    return array


def _rows(call: str, name: str, given: Any) -> Any:
    try:
        return as_rows(given)
    except ValueError as problem:
        raise InputError(f"`{call}` takes sparse matrices of two dimensions; of {name}, {problem}.") from problem


def _numbers(call: str, name: str, given: ArrayLike) -> Array:
    try:
        array: Array = given if is_sparse(given) or is_lazy(given) else np.asarray(given)
    except ValueError as problem:
        raise InputError(f"`{call}`: {name} is not an array: {problem}") from problem
    if array.ndim not in (1, 2):
        raise InputError(
            f"`{call}` takes matrices and vectors; {name} has {array.ndim} dimensions (shape {array.shape})."
        )
    if array.dtype.kind not in "fciub":
        raise InputError(
            f"`{call}` takes numbers; {name} has dtype {array.dtype}. Convert it, for instance with astype('float64')."
        )
    if array.dtype.itemsize > {"f": 8, "c": 16}.get(array.dtype.kind, 8):
        raise InputError(
            f"`{call}` computes in at most float64 or complex128; {name} has dtype {array.dtype}. Convert it first."
        )
    return array


def _finite(call: str, name: str, matrix: Array) -> None:
    if is_lazy(matrix):  # the product's error tells
        return
    # A sum is finite only if every entry is; it reads the matrix once and writes nothing.
    with np.errstate(all="ignore"):
        if np.isfinite(entries(matrix).sum()):
            return
    bad = np.argwhere(~np.isfinite(matrix)) if not is_sparse(matrix) else places(matrix, ~np.isfinite(matrix.data))
    if len(bad):
        at = tuple(int(index) for index in bad[0])
        more = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
        raise InputError(
            f"`{call}`: {name} must be finite, and {name}{list(at)} is {matrix[at]}{more}. Clean the data, or pass "
            "check_finite=False and accept that one such entry can spoil the whole product."
        )
