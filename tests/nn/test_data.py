"""Data to train on: by name, from IDX folders, from `.npz`; and what is said of files that are something else."""

import gzip
import struct

import numpy as np
import pytest

pytest.importorskip("torch")

from anyk.errors import InputError
from anyk.nn.data import TEST_SHARE, load, read_idx

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 200, (20, 3, 4)).astype(np.uint8)
IMAGES[:, 0, 0] = 255
SCALED = IMAGES.reshape(20, 12).astype(np.float32) / 255
LABELS = RNG.integers(0, 4, 20).astype(np.uint8)


def idx(array, kind=0x08):
    """The bytes of an IDX file."""
    return bytes([0, 0, kind, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def put(folder, part, images=IMAGES, labels=LABELS, suffix=""):
    """One pair of files."""
    for name, array in ((f"{part}-images-idx3-ubyte", images), (f"{part}-labels-idx1-ubyte", labels)):
        raw = idx(array)
        (folder / (name + suffix)).write_bytes(gzip.compress(raw) if suffix else raw)


def test_digits_are_split_and_scaled_by_seed():
    pytest.importorskip("sklearn")
    first, again, other = load("digits"), load("digits"), load("digits", seed=1)

    assert (first.features, first.classes) == (64, 10)
    assert len(first.x_test) == 1797 // TEST_SHARE
    assert len(first.x_train) + len(first.x_test) == 1797
    assert first.x_train.max() == 1
    assert (first.x_train == again.x_train).all()
    assert (first.y_train == again.y_train).all()
    assert (first.y_train != other.y_train).any()


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_folder_with_both_pairs_keeps_their_split(tmp_path, suffix):
    put(tmp_path, "train", suffix=suffix)
    put(tmp_path, "t10k", IMAGES[:6], LABELS[:6], suffix)
    data = load(tmp_path)

    assert data.x_train.shape == (20, 12)
    assert data.x_test.shape == (6, 12)
    assert (data.x_train == SCALED).all()
    assert (data.y_test == LABELS[:6]).all()


def test_a_folder_with_one_pair_is_split(tmp_path):
    put(tmp_path, "t10k", suffix=".gz")
    data = load(tmp_path, seed=3)
    samples = np.concatenate([data.x_train, data.x_test])

    assert len(data.x_test) == 20 // TEST_SHARE
    assert sorted(map(tuple, samples)) == sorted(map(tuple, SCALED))


@pytest.mark.parametrize(("kind", "dtype"), [(0x09, ">i1"), (0x0B, ">i2"), (0x0C, ">i4"), (0x0D, ">f4"), (0x0E, ">f8")])
def test_every_type_of_an_idx_file_is_read(tmp_path, kind, dtype):
    array = np.arange(6).reshape(2, 3).astype(dtype)
    (tmp_path / "some").write_bytes(idx(array, kind))

    assert (read_idx(tmp_path / "some") == array).all()


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"", "is no IDX file: it begins with nothing"),
        (b"\x89PNG\r\n", "is no IDX file: it begins with 89 50 4e 47"),
        (idx(LABELS)[:6], "is no IDX file: it ends before it says"),
        (idx(LABELS)[:-1], "promises 20 numbers of 1 bytes and holds fewer"),
        (idx(LABELS) + b"\0", "holds more"),
        (b"\0\0\x0e\x03" + b"\xff" * 12, "holds fewer"),  # 6e29 bytes, which nobody sets aside
    ],
)
def test_a_file_that_is_not_what_it_should_be_is_named(tmp_path, raw, told):
    put(tmp_path, "train")
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(raw)

    with pytest.raises(InputError, match=f"train-labels-idx1-ubyte`.*{told}"):
        load(tmp_path)


def test_a_damaged_gz_is_named(tmp_path):
    put(tmp_path, "train", suffix=".gz")
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:40])

    with pytest.raises(InputError, match=r"train-images-idx3-ubyte.gz. cannot be read"):
        load(tmp_path)


def test_a_folder_without_pairs_says_what_it_needs(tmp_path):
    with pytest.raises(InputError, match="has no IDX files"):
        load(tmp_path)
    (tmp_path / "train-images-idx3-ubyte").write_bytes(idx(IMAGES))
    with pytest.raises(InputError, match="only half of the pair"):
        load(tmp_path)


def test_npz_comes_split_or_unsplit(tmp_path):
    np.savez(tmp_path / "all.npz", x_train=IMAGES, y_train=LABELS, x_test=IMAGES[:5], y_test=LABELS[:5])
    np.savez(tmp_path / "one.npz", x=IMAGES, y=LABELS)

    assert (load(tmp_path / "all.npz").y_train == LABELS).all()
    assert len(load(tmp_path / "one.npz").y_test) == 20 // TEST_SHARE


@pytest.mark.parametrize(
    ("arrays", "told"),
    [
        ({"a": IMAGES}, "needs arrays x_train, y_train, x_test, y_test, or x, y; it has a"),
        ({"x": IMAGES, "y": LABELS[:-1]}, "one for each of 20 samples"),
        ({"x": IMAGES, "y": LABELS + 0.5}, "labels must be classes"),
        ({"x": IMAGES, "y": LABELS * 1e30}, "labels must be classes"),
        ({"x": IMAGES, "y": -LABELS.astype(int)}, "labels must be classes"),
        ({"x": IMAGES, "y": LABELS.astype(str)}, "labels must be numbers"),
        ({"x": IMAGES * 1e300, "y": LABELS}, "not finite in float32"),
        ({"x": IMAGES * 1j, "y": LABELS}, "samples must be numbers"),
        ({"x": IMAGES[:0], "y": LABELS[:0]}, "N at least 1"),
        ({"x": IMAGES[:1], "y": LABELS[:1]}, "one sample cannot be split"),
        ({"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES[:, 0], "y_test": LABELS}, "have 12 numbers"),
        ({"x": np.array([None]), "y": LABELS}, "cannot be read as .npz"),
    ],
)
def test_npz_of_something_else_is_refused(tmp_path, arrays, told):
    np.savez(tmp_path / "some.npz", **arrays)

    with pytest.raises(InputError, match=told):
        load(tmp_path / "some.npz")


@pytest.mark.parametrize("source", ["mnist", "/nowhere/at/all", "missing.npz"])
def test_an_unknown_source_says_what_there_is(source):
    with pytest.raises(InputError, match=r"there is no such data set\. Use 'digits'"):
        load(source)
