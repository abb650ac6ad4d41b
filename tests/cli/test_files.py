"""Matrices in files: what goes in comes out, what is broken is named, and nothing is ever half-written."""

import errno
import gzip
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import scipy.sparse

from anyk.cli import files
from anyk.errors import InputError

RNG = np.random.default_rng(0)
REAL = RNG.standard_normal((7, 5))
MATRICES = {
    "real": REAL,
    "vector": REAL[0],
    "single": REAL.astype("float32"),
    "complex": REAL + 1j * REAL[::-1],
    "integer": (REAL * 1e6).astype("int64"),
    "by columns": np.asfortranarray(REAL),
    "turned": REAL.T,
    "no rows": np.empty((0, 5)),
}


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("matrix", MATRICES.values(), ids=MATRICES)
@pytest.mark.parametrize("name", ["C.npy", "C.npz", "C.npz:result"])
def test_numpy_files_give_back_every_bit(name, matrix):
    files.write(name, matrix)

    back = files.read(name).matrix
    assert back.dtype == matrix.dtype
    np.testing.assert_array_equal(back, matrix)


@pytest.mark.parametrize("matrix", [MATRICES[key] for key in ("real", "complex", "integer")])
@pytest.mark.parametrize("name", ["C.mtx", "C.mtx.gz"])
def test_matrix_market_files_give_back_every_bit(name, matrix):
    files.write(name, matrix)

    np.testing.assert_array_equal(files.read(name).matrix, matrix)


def test_a_vector_becomes_a_column_in_a_matrix_market_file():
    files.write("v.mtx", REAL[0])

    np.testing.assert_array_equal(files.read("v.mtx").matrix, REAL[0][:, None])


def test_npy_files_are_mapped_and_not_copied():
    np.save("A.npy", REAL)

    assert isinstance(files.read("A.npy").matrix, np.memmap)


def test_sparse_matrices_become_dense_with_a_note():
    sparse = scipy.sparse.random_array((20, 10), density=0.05, rng=np.random.default_rng(0))
    scipy.io.mmwrite("S.mtx", sparse)

    loaded = files.read("S.mtx")

    np.testing.assert_array_equal(loaded.matrix, sparse.toarray())
    assert "sparse (5.00% of its entries)" in loaded.note


def _broken():
    """File name -> bytes, and what the error must say."""
    np.save("good.npy", REAL)
    good = Path("good.npy").read_bytes()
    np.savez("good.npz", REAL)
    zipped = Path("good.npz").read_bytes()
    scipy.io.mmwrite("good.mtx", REAL)
    text = Path("good.mtx").read_bytes()
    np.save("objects.npy", np.array([{}, None]), allow_pickle=True)
    np.savez("objects.npz", np.array([{}, None]))
    np.savez("none.npz")
    return {
        "empty.npy": (b"", "empty"),
        "other.npy": (b"hello, world", "does not begin as a .npy file"),
        "header.npy": (good[:40], "cannot be read"),
        "cut.npy": (good[:-8], "cannot be read"),
        "objects.npy": (None, "Python objects"),
        "cut.npz": (zipped[:-30], "no .npz file, or a truncated one"),
        "bad.npz": (zipped[:200] + b"xxxx" + zipped[204:], "cannot be read"),
        "objects.npz": (None, "Python objects"),
        "none.npz": (None, "no arrays"),
        "cut.mtx": (text[:-60], "cannot be read"),
        "other.mtx": (b"hello, world", "cannot be read"),
        "cut.mtx.gz": (gzip.compress(text)[:-30], "cannot be read"),
        "plain.mtx.gz": (text, "cannot be read"),
        "sizes.mtx": (b"%%MatrixMarket matrix array real general\n-3 x\n1\n", "cannot be read"),
    }


BROKEN = [
    "empty.npy",
    "other.npy",
    "header.npy",
    "cut.npy",
    "objects.npy",
    "cut.npz",
    "bad.npz",
    "objects.npz",
    "none.npz",
    "cut.mtx",
    "other.mtx",
    "cut.mtx.gz",
    "plain.mtx.gz",
    "sizes.mtx",
]


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_one_clear_error(name):
    content, says = _broken()[name]
    if content is not None:
        Path(name).write_bytes(content)

    with pytest.raises(InputError, match=says) as caught:
        files.read(name)

    assert f"`{name}`" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("missing.npy", "no such file"),
        ("folder.npy", "directory"),
        ("A.txt", "format"),
        ("two.npz", "Name it, as in two.npz:first"),
        ("two.npz:third", "only first, second"),
        ("words.npy", "dtype <U5, and numbers are needed"),
        ("cube.npy", "3 dimensions"),
    ],
)
def test_what_is_no_matrix_is_refused(name, says):
    Path("folder.npy").mkdir()
    np.savez("two.npz", first=REAL, second=REAL)
    np.save("words.npy", np.array(["hello"]))
    np.save("cube.npy", np.zeros((2, 2, 2)))

    with pytest.raises(InputError, match=says):
        files.read(name)


def test_nothing_in_a_file_is_run():
    class Trap:
        def __reduce__(self):
            return Path("sprung").touch, ()

    np.save("trap.npy", np.array([Trap()], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match="Python objects"):
        files.read("trap.npy")

    assert not Path("sprung").exists()


# --- writing --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["C.npy", "C.npz", "C.mtx", "C.mtx.gz"])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(name, monkeypatch):
    files.write(name, REAL)
    before = Path(name).read_bytes()

    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match="No space left on device"):
        files.write(name, 2 * REAL)

    assert Path(name).read_bytes() == before
    assert [each.name for each in Path().iterdir()] == [name]


@pytest.mark.parametrize("name", ["C.npy", "C.npz", "C.mtx", "C.mtx.gz"])
def test_a_limit_met_while_writing_leaves_the_old_file_and_nothing_else(name, tmp_path):
    code = f"""
import resource, numpy as np
from anyk.cli import files
files.write({name!r}, np.ones((2, 2)))
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
files.write({name!r}, np.random.default_rng(0).standard_normal((300, 300)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert "was not written: File too large" in done.stderr
    np.testing.assert_array_equal(files.read(name).matrix, np.ones((2, 2)))
    assert [each.name for each in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_process_stopped_while_writing_leaves_the_old_file(how, tmp_path):
    files.write("C.npy", REAL)
    code = """
import time, numpy as np
from anyk.cli import files
def slowly(place, file, matrix):
    file.write(b"half")
    file.flush()
    print("writing", flush=True)
    time.sleep(60)
files._WRITERS = {".npy": slowly}
files.write("C.npy", np.ones(3))
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        process.stdout.readline()
        process.send_signal(how)
        process.wait(30)

    np.testing.assert_array_equal(files.read("C.npy").matrix, REAL)
    if how == signal.SIGINT:
        assert [each.name for each in tmp_path.iterdir()] == ["C.npy"]


def test_a_new_file_obeys_the_umask_and_a_replaced_one_keeps_its_mode():
    before = os.umask(0o027)
    try:
        files.write("C.npy", REAL)
        assert Path("C.npy").stat().st_mode & 0o777 == 0o640
        Path("C.npy").chmod(0o604)
        files.write("C.npy", REAL)
    finally:
        os.umask(before)

    assert Path("C.npy").stat().st_mode & 0o777 == 0o604


def test_a_link_stays_a_link():
    files.write("real.npy", REAL)
    Path("link.npy").symlink_to("real.npy")
    files.write("link.npy", 2 * REAL)

    assert Path("link.npy").is_symlink()
    np.testing.assert_array_equal(files.read("real.npy").matrix, 2 * REAL)


def test_a_matrix_may_be_replaced_by_its_own_product():
    files.write("A.npy", np.eye(3))
    mapped = files.read("A.npy").matrix
    files.write("A.npy", 2 * mapped)

    np.testing.assert_array_equal(files.read("A.npy").matrix, 2 * np.eye(3))
    np.testing.assert_array_equal(mapped, np.eye(3))


@pytest.mark.parametrize(
    ("name", "says"), [("nowhere/C.npy", "no directory"), ("C.xls", "format"), ("f.npy", "ordinary")]
)
def test_an_output_that_cannot_be_written_is_found_out_early(name, says):
    Path("f.npy").mkdir()

    with pytest.raises(InputError, match=says):
        files.ensure_writable(name)
