"""Data to train on: scikit-learn's digits, a folder of IDX files (MNIST), or a `.npz`; inputs scaled, samples split.

Reading never runs code from a file (no pickles), reads no more than a file's header promises, and ends in one clear
error naming the file.
"""

import gzip
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from anyk.errors import InputError

Array = NDArray[Any]

#: One sample in so many is kept for the test where the data come unsplit.
TEST_SHARE = 5
#: More than so many classes are no classes: somebody's regression targets.
_MOST_CLASSES = 100_000

#: Third byte of an IDX file -> what its numbers are.
_IDX_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_PIECE = 1 << 20
#: What libraries raise on a file that is not what its name says.
_UNREADABLE = (OSError, ValueError, KeyError, EOFError, SyntaxError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True, eq=False)
class Data:
    """Samples to train on and samples to test with.

    Args:
        name: where they come from.
        x_train: shape (N, features), float32, within -1 … 1.
        y_train: shape (N,), int64, classes from 0 on.
        x_test: as ``x_train``.
        y_test: as ``y_train``.
    """

    name: str
    x_train: NDArray[np.float32]
    y_train: NDArray[np.int64]
    x_test: NDArray[np.float32]
    y_test: NDArray[np.int64]

    @property
    def features(self) -> int:
        """Numbers in a sample."""
        return int(self.x_train.shape[1])

    @property
    def classes(self) -> int:
        """Number of classes: one more than the largest label."""
        return int(max(self.y_train.max(), self.y_test.max())) + 1


def load(source: str | Path, *, seed: int = 0) -> Data:
    """Samples by name or from files.

    Args:
        source: ``"digits"`` (scikit-learn's: 1,797 samples, 64 features, 10 classes), a folder of IDX files under their
            usual names (``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte``, ``t10k-…``, plain or ``.gz``), or a
            `.npz` with ``x_train, y_train, x_test, y_test``, or with ``x, y``.
        seed: of the split, where the data come unsplit (digits, one pair of IDX files, ``x, y``): a fifth is for the
            test.

    Returns:
        The data, inputs divided by the largest number among those to train on.

    Raises:
        InputError: a source that does not exist, a file that is truncated or something else, samples and labels that do
            not fit one another.

    >>> load("digits").x_train.shape
    (1438, 64)
    """
    path = Path(source)
    if str(source) == "digits":
        pairs = [_digits()]
    elif path.is_dir():
        pairs = _from_folder(path)
    elif path.suffix == ".npz" and path.is_file():
        pairs = _from_npz(path)
    else:
        raise InputError(
            f"data {str(source)!r}: there is no such data set. Use 'digits', a folder of IDX files, or a .npz file."
        )
    call = f"data {str(source)!r}"
    pairs = [(_samples(x, call), _labels(y, len(x), call)) for x, y in pairs]
    (x_train, y_train), (x_test, y_test) = pairs if len(pairs) == 2 else _split(*pairs[0], call, seed)
    if x_train.shape[1] != x_test.shape[1]:
        raise InputError(
            f"{call}: samples to train on have {x_train.shape[1]} numbers and those to test with have "
            f"{x_test.shape[1]}. Make them equal."
        )
    scale = float(np.abs(x_train).max()) or 1.0
    for x in (x_train, x_test):
        x /= scale
    return Data(str(source), x_train, y_train, x_test, y_test)


def _samples(x: Array, call: str) -> NDArray[np.float32]:
    """Rows of finite numbers, at least one."""
    if x.dtype.kind not in "buif" or x.ndim < 2 or not x.size:
        raise InputError(f"{call}: samples must be numbers of shape (N, …), N at least 1, not {x.dtype} {x.shape}.")
    with np.errstate(over="ignore"):
        rows = x.reshape(len(x), -1).astype(np.float32)
    if not np.isfinite(rows).all():
        raise InputError(f"{call}: a sample has a number that is not finite in float32. Leave it out.")
    return rows


def _labels(y: Array, samples: int, call: str) -> NDArray[np.int64]:
    """One class for each sample."""
    if y.dtype.kind not in "buif" or y.shape != (samples,):
        raise InputError(f"{call}: labels must be numbers, one for each of {samples} samples, not {y.dtype} {y.shape}.")
    with np.errstate(invalid="ignore"):
        classes = y.astype(np.int64)
    if (classes != y).any() or classes.min() < 0 or classes.max() >= _MOST_CLASSES:
        raise InputError(
            f"{call}: labels must be classes 0, 1, 2, … below {_MOST_CLASSES:,}, not {y.min()} to {y.max()}."
        )
    return classes


def _split(x: Array, y: Array, call: str, seed: int) -> list[tuple[Array, Array]]:
    if len(x) < 2:
        raise InputError(f"{call}: one sample cannot be split into samples to train on and samples to test with.")
    order = np.random.default_rng(seed).permutation(len(x))
    test, train = np.split(order, [max(1, len(x) // TEST_SHARE)])
    return [(x[train], y[train]), (x[test], y[test])]


# --- where they come from ---------------------------------------------------------------------------------------------


def _digits() -> tuple[Array, Array]:
    try:
        from sklearn.datasets import load_digits
    except ImportError as problem:
        raise InputError(
            "data 'digits' comes with scikit-learn. Install it with `pip install 'anyk[nn]'`, or give a folder of IDX "
            "files or a .npz file."
        ) from problem
    bundle = load_digits()
    return bundle.data, bundle.target


def _from_npz(path: Path) -> list[tuple[Array, Array]]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays: Mapping[str, Array] = {name: archive[name] for name in archive.files}
    except _UNREADABLE as problem:
        raise InputError(f"`{path}` cannot be read as .npz: {problem}.") from problem
    for names in (("x_train", "y_train", "x_test", "y_test"), ("x", "y")):
        if set(names) <= set(arrays):
            return [(arrays[x], arrays[y]) for x, y in zip(names[::2], names[1::2], strict=True)]
    raise InputError(
        f"`{path}` needs arrays x_train, y_train, x_test, y_test, or x, y; it has {', '.join(arrays) or 'none'}."
    )


def _from_folder(folder: Path) -> list[tuple[Array, Array]]:
    """The pairs of IDX files there are, those to train on first."""
    pairs = []
    for part in ("train", "t10k"):
        images, labels = (_idx_file(folder, f"{part}-{kind}") for kind in ("images-idx3", "labels-idx1"))
        if images is None and labels is None:
            continue
        if images is None or labels is None:
            raise InputError(f"`{folder}` has only half of the pair {part}-images, {part}-labels. Add the other file.")
        pairs.append((read_idx(images), read_idx(labels)))
    if not pairs:
        raise InputError(
            f"`{folder}` has no IDX files. It needs train-images-idx3-ubyte and train-labels-idx1-ubyte, or the same "
            "with t10k, or all four; plain or .gz."
        )
    return pairs


def _idx_file(folder: Path, stem: str) -> Path | None:
    """The file under one of its usual names, with a hyphen or a dot before ``idx``, plain or compressed."""
    stems = (stem, stem.replace("-idx", ".idx"))
    places = [folder / f"{name}-ubyte{suffix}" for name in stems for suffix in ("", ".gz")]
    return next((place for place in places if place.is_file()), None)


def read_idx(path: Path) -> Array:
    """The array in an IDX file, plain or compressed (``.gz``).

    Raises:
        InputError: a file that cannot be read, is no IDX file, or holds another number of bytes than it promises.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            head = file.read(4)
            if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in _IDX_TYPES or not head[3]:
                raise InputError(
                    f"`{path}` is no IDX file: it begins with {head.hex(' ') or 'nothing'}, not with 00 00, a type and "
                    "a number of dimensions."
                )
            sizes = file.read(4 * head[3])
            if len(sizes) < 4 * head[3]:
                raise InputError(f"`{path}` is no IDX file: it ends before it says how many numbers there are.")
            dtype, shape = np.dtype(_IDX_TYPES[head[2]]), np.frombuffer(sizes, ">u4").tolist()
            size = int(np.prod(shape, dtype=object)) * dtype.itemsize
            raw = _at_most(file, size + 1)
    except _UNREADABLE as problem:
        if isinstance(problem, InputError):
            raise
        raise InputError(f"`{path}` cannot be read: {problem}.") from problem
    if len(raw) != size:
        raise InputError(
            f"`{path}` promises {' x '.join(map(str, shape))} numbers of {dtype.itemsize} bytes and holds "
            f"{'more' if len(raw) > size else 'fewer'}. Fetch it again: it seems damaged."
        )
    return np.frombuffer(raw, dtype).reshape(shape)


def _at_most(file: BinaryIO | gzip.GzipFile, size: int) -> bytes:
    """What is left of a file, up to so many bytes: never more memory than there is content."""
    pieces, left = [], size
    while left and (piece := file.read(min(left, _PIECE))):
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)
