"""Products of stored matrices: tiles from and to files, maps, Zarr and Dask arrays, within some memory."""

import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import anyk
from anyk.errors import InputError
from anyk.verbs.stored import tile_sides

CODE = anyk.codes.matdot(2, workers=5)


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    return rng.standard_normal((300, 170)), rng.standard_normal((170, 210))


def relative(value, exact):
    return np.linalg.norm(value - exact) / np.linalg.norm(exact)


@pytest.mark.parametrize("code", [CODE, anyk.codes.polynomial(2, 2, 6), anyk.codes.generalized_polydot(2, 2, 1, 7)])
def test_tiles_of_files_are_multiplied_into_a_file(code, pair, tmp_path):
    A, B = pair
    np.save(tmp_path / "A.npy", A)
    np.save(tmp_path / "B.npy", B)
    done = anyk.matmul_stored(
        tmp_path / "A.npy", tmp_path / "B.npy", code, out=tmp_path / "C.npy", memory=1.2e6, engine="inline"
    )

    assert relative(np.load(tmp_path / "C.npy"), A @ B) < 1e-13
    assert min(done.tiles) >= 2
    assert done.error < 1e-13


def test_zarr_and_dask_arrays_are_read_and_written_by_slices(pair, tmp_path):
    zarr, dask_array = pytest.importorskip("zarr"), pytest.importorskip("dask.array")
    A, B = pair
    a = zarr.create_array(str(tmp_path / "A"), shape=A.shape, chunks=(64, 64), dtype=A.dtype)
    a[:] = A
    c = zarr.create_array(str(tmp_path / "C"), shape=(300, 210), chunks=(64, 64), dtype=A.dtype)
    anyk.matmul_stored(a, dask_array.from_array(B, chunks=50), CODE, out=c, memory=1e6, engine="inline")

    assert relative(c[:], A @ B) < 1e-13


def test_single_precision_and_complex_matrices_keep_their_precision(pair):
    A, B = (each.astype(np.float32) for each in pair)
    C = np.zeros((300, 210), np.complex64)
    done = anyk.matmul_stored(A, B + 1j * B, CODE, out=C, engine="inline")

    assert relative(C, A @ (B + 1j * B)) < 1e-5
    assert done.tiles == (1, 1, 1)


@pytest.mark.parametrize("memory", [1e6, 1e7, 1e8])
@pytest.mark.parametrize("shape", [(3000, 3000, 3000), (100_000, 50, 7), (1, 10_000, 1)])
def test_tiles_fit_and_could_not_be_larger(shape, memory):
    from anyk.verbs.stored import _bytes

    sides = tile_sides(shape, CODE, 8, memory)
    larger = tuple(min(max(sides) + 1, each) for each in shape)

    assert _bytes(sides, CODE, 8) <= memory
    assert larger == sides or _bytes(larger, CODE, 8) > memory


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"B": np.ones((3, 3))}, "inner dimensions differ"),
        ({"A": "nowhere.npy"}, "cannot be read"),
        ({"A": [[1.0]]}, "must be the path"),
        ({"A": np.ones((300, 170), int)}, "must be the path"),
        ({"out": "C.txt"}, "written to an .npy file"),
        ({"out": np.zeros((1, 1))}, "the product is"),
        ({"out": np.zeros((300, 210), int)}, "the product is float64"),
        ({"memory": 1000.0}, "allow more memory"),
    ],
)
def test_what_does_not_fit_is_refused(change, message, pair):
    A, B = pair
    given = {"A": A, "B": B, "out": np.zeros((300, 210)), "memory": 1e8, **change}
    with pytest.raises(InputError, match=message):
        anyk.matmul_stored(given["A"], given["B"], CODE, out=given["out"], memory=given["memory"], engine="inline")


@pytest.mark.skipif(sys.platform != "linux", reason="asks the kernel for the peak")
def test_the_master_never_holds_a_whole_matrix(tmp_path):
    script = textwrap.dedent("""
        import numpy as np, anyk
        rng = np.random.default_rng(0)
        for name, height, width in (("A", 6000, 2000), ("B", 2000, 200)):
            file = np.lib.format.open_memmap(f"{name}.npy", mode="w+", dtype=float, shape=(height, width))
            for row in range(0, height, 100):
                file[row:row + 100] = rng.standard_normal((100, width))
            file.flush()
            del file
        before = anyk.matmul(np.eye(200), np.eye(200), anyk.codes.matdot(2, 4), engine="inline").peak_bytes
        done = anyk.matmul_stored("A.npy", "B.npy", anyk.codes.matdot(2, 4), out="C.npy", memory=2e7, engine="inline")
        A, B, C = (np.load(f"{name}.npy", mmap_mode="r") for name in "ABC")
        x = rng.standard_normal(200)
        print((done.peak_bytes - before) / 1e6, np.linalg.norm(C @ x - A @ (B @ x)) / np.linalg.norm(C @ x))
    """)
    one_thread = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=one_thread,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    megabytes, error = map(float, done.stdout.split())

    assert megabytes < 48  # of A's 96: tiles may take 20, the rest are buffers of the kernels
    assert error < 1e-12
