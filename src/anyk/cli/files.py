"""Matrices in files: `.npy`, one array of a `.npz`, Matrix Market `.mtx` and `.mtx.gz`.

Reading never runs code from a file (no pickles) and ends in one clear error. Writing replaces a file whole or not at
all: the bytes go to a temporary file beside it, reach the disk, and take its name in one step.
"""

import gzip
import os
import secrets
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import numpy as np
import scipy.io
from numpy.typing import NDArray

from anyk.errors import InputError

Array = NDArray[Any]

FORMATS = "Files are .npy, .npz (also as file.npz:name), .mtx or .mtx.gz."
#: Where an array goes in a `.npz` that is written without a name.
DEFAULT_NAME = "C"
#: What libraries raise on a file that is not what its name says.
_UNREADABLE = (
    OSError,
    ValueError,
    KeyError,
    EOFError,
    OverflowError,
    SyntaxError,
    NotImplementedError,
    zipfile.BadZipFile,
    zlib.error,
)


@dataclass(frozen=True)
class Place:
    """Where a matrix lies: a file, and its name inside where the file holds several.

    Args:
        text: as the user wrote it.
        path: of the file.
        suffix: which of the formats, ``".npy"``, ``".npz"``, ``".mtx"`` or ``".mtx.gz"``.
        name: of the array in a `.npz`; empty: the only one.
    """

    text: str
    path: Path
    suffix: str
    name: str = ""

    @classmethod
    def parsed(cls, text: str) -> "Place":
        """Read ``file.npy``, ``file.npz:name`` and so on.

        Raises:
            InputError: a suffix that is not one of ours.

        >>> Place.parsed("data/both.npz:A").name
        'A'
        """
        head, colon, name = text.rpartition(".npz:")
        path = Path(f"{head}.npz" if colon else text)
        for suffix in (".mtx.gz", *READERS):
            if path.name.lower().endswith(suffix):
                return cls(text, path, suffix, name if colon else "")
        raise InputError(f"`{text}`: its format cannot be told from its name. {FORMATS}")


@dataclass(frozen=True, eq=False)
class Loaded:
    """A matrix from a file, and what the user should know about it (or nothing)."""

    matrix: Array
    note: str = ""


def read(text: str) -> Loaded:
    """A matrix or vector of numbers; `.npy` files are mapped into memory, not copied.

    Args:
        text: ``file.npy``, ``file.npz``, ``file.npz:name``, ``file.mtx`` or ``file.mtx.gz``.

    Raises:
        InputError: no such file, not readable, truncated, not of its format, or not a matrix of numbers.
    """
    place = Place.parsed(text)
    if not place.path.is_file():
        came = "it is a directory" if place.path.is_dir() else "there is no such file"
        raise InputError(f"`{text}` cannot be read: {came}. Check the path (we are in {Path.cwd()}).")
    try:
        loaded = READERS[place.suffix](place)
    except InputError:
        raise
    except _UNREADABLE as problem:
        reason = problem.strerror if isinstance(problem, OSError) and problem.strerror else _cause(problem)
        raise InputError(f"`{text}` cannot be read: {reason}. Write or copy the file again.") from problem
    _check_numbers(place, loaded.matrix)
    return loaded


def ensure_writable(text: str) -> None:
    """Find out before a long computation that its result can be written.

    Raises:
        InputError: an unknown format, no such directory, or no right to write there.
    """
    ensure_place(text, Place.parsed(text).path)


def ensure_place(text: str, path: Path) -> None:
    """Find out before a long computation that a file can be put there.

    Raises:
        InputError: no such directory, or no right to write there.
    """
    directory = path.resolve().parent
    if not directory.is_dir():
        raise InputError(f"`{text}` cannot be written: there is no directory {directory}. Make it first.")
    if path.exists() and not path.is_file():
        raise InputError(f"`{text}` cannot be written: it exists and is no ordinary file. Choose another name.")
    if not os.access(directory, os.W_OK):
        raise InputError(f"`{text}` cannot be written: no permission to write in {directory}. Choose another place.")


def write(text: str, matrix: Array) -> None:
    """Write a matrix in the format of its name; an existing file is replaced whole or not at all.

    Args:
        text: like that of `read`; a `.npz` holds this one array, named ``C`` unless a name is given.
        matrix: numbers; a vector becomes a column in Matrix Market files.

    Raises:
        InputError: the file system refused, for instance because it is full.
    """
    place = Place.parsed(text)
    _put(text, place.path, lambda file: _WRITERS[place.suffix](place, file, matrix))


def write_text(path: str, text: str) -> None:
    """Write a text file; an existing one is replaced whole or not at all.

    Raises:
        InputError: the file system refused.
    """
    write_bytes(path, text.encode())


def write_bytes(path: str, content: bytes) -> None:
    """Write a file; an existing one is replaced whole or not at all.

    Raises:
        InputError: the file system refused.
    """
    _put(path, Path(path), lambda file: file.write(content))


def _put(text: str, path: Path, fill: Callable[[BinaryIO], object]) -> None:
    try:
        with _replacing(path.resolve()) as file:
            fill(file)
    except OSError as problem:
        raise InputError(
            f"`{text}` was not written: {problem.strerror or problem}. What was there before is untouched; make room "
            "or choose another place."
        ) from problem


# --- reading --------------------------------------------------------------------------------------------------------


def _read_npy(place: Place) -> Loaded:
    with place.path.open("rb") as file:
        start = file.read(6)
    if start != b"\x93NUMPY":
        _refuse("it is empty" if not start else "it does not begin as a .npy file does")
    try:
        return Loaded(np.load(place.path, mmap_mode="r", allow_pickle=False))
    except ValueError as problem:
        if "mmap" not in str(problem):
            raise
        return Loaded(np.load(place.path, allow_pickle=False))  # no entries, or truncated: that error is clearer


def _read_npz(place: Place) -> Loaded:
    with np.load(place.path, allow_pickle=False) if zipfile.is_zipfile(place.path) else _no_zip() as archive:
        names = list(archive.files)
        if place.name and place.name not in names:
            raise InputError(f"`{place.text}`: there is no array of that name, only {', '.join(names) or 'none'}.")
        if not names:
            _refuse("it holds no arrays")
        if not place.name and len(names) > 1:
            held = f"`{place.text}` holds {len(names)} arrays ({', '.join(names)})"
            raise InputError(f"{held}, and one is needed. Name it, as in {place.path}:{names[0]}.")
        return Loaded(archive[place.name or names[0]])


def _read_matrix_market(place: Place) -> Loaded:
    rows, cols, entries, layout, _, _ = scipy.io.mminfo(str(place.path))
    matrix = scipy.io.mmread(str(place.path))
    if layout != "coordinate":
        return Loaded(matrix)
    share = entries / max(1, rows * cols)
    return Loaded(
        matrix.toarray(), f"{place.text} is sparse ({share:.2%} of its entries); multiplied as a dense matrix"
    )


READERS: Mapping[str, Callable[[Place], Loaded]] = {
    ".npy": _read_npy,
    ".npz": _read_npz,
    ".mtx": _read_matrix_market,
    ".mtx.gz": _read_matrix_market,
}


def _refuse(what: str) -> NoReturn:
    raise ValueError(what)


def _no_zip() -> NoReturn:
    _refuse("it is no .npz file, or a truncated one")


def _cause(problem: BaseException) -> str:
    """What a library said, in one line without its last full stop."""
    text = " ".join(str(problem).split()).rstrip(".")
    if "pickle" in text or "Python objects" in text:
        return "it holds Python objects, and only arrays of numbers are read"
    return text or type(problem).__name__


def _check_numbers(place: Place, matrix: Array) -> None:
    if matrix.dtype.kind not in "fciub":
        raise InputError(
            f"`{place.text}` holds entries of dtype {matrix.dtype}, and numbers are needed. Convert it, for instance "
            "with astype('float64')."
        )
    if matrix.ndim not in (1, 2):
        raise InputError(
            f"`{place.text}` has {matrix.ndim} dimensions (shape {matrix.shape}); a matrix or a vector is needed. "
            "Reshape or slice it."
        )


# --- writing --------------------------------------------------------------------------------------------------------


class _Plain:
    """A file that NumPy takes for a stream: it then writes in pieces, and a full disk is told as one."""

    def __init__(self, file: BinaryIO) -> None:
        self.write = file.write


def _write_npy(place: Place, file: BinaryIO, matrix: Array) -> None:
    np.lib.format.write_array(_Plain(file), matrix, allow_pickle=False)


def _write_npz(place: Place, file: BinaryIO, matrix: Array) -> None:
    arrays: dict[str, Any] = {place.name or DEFAULT_NAME: matrix}  # Any: NumPy's stub takes them for its own flags
    np.savez(file, **arrays)


def _write_matrix_market(place: Place, file: BinaryIO, matrix: Array) -> None:
    table = matrix.reshape(len(matrix) if matrix.ndim else 1, -1)
    if place.suffix == ".mtx":
        scipy.io.mmwrite(file, table, symmetry="general")
        return
    with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed:
        scipy.io.mmwrite(packed, table, symmetry="general")


_WRITERS: Mapping[str, Callable[[Place, BinaryIO, Array], None]] = {
    ".npy": _write_npy,
    ".npz": _write_npz,
    ".mtx": _write_matrix_market,
    ".mtx.gz": _write_matrix_market,
}


@contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    """A new file beside ``path`` that takes its place at the end, or vanishes without a trace."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            with suppress(OSError):  # whoever could read the old file can read the new one
                os.fchmod(file.fileno(), stat.S_IMODE(path.stat().st_mode))
            yield file
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    with suppress(OSError):  # the new name itself reaches the disk where directories can be synced
        _sync_directory(path.parent)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
