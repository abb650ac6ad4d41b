"""The two kernels against plain loops: any shape, stride and dtype, with buffers so small that tiles are many."""

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyk import arrays, sharing, tiles
from anyk.arrays import combine, norm, recombine, times_few, working_dtype
from anyk.partition import Partition

DTYPES = ["float32", "float64", "complex64", "complex128"]
sizes = st.integers(0, 9)
counts = st.integers(1, 4)
#: From one entry per tile to everything in one tile.
buffers = st.sampled_from([1, 64, 300, 1000, 1 << 20])


def layouts(matrix):
    """The same matrix, laid out in every way NumPy knows."""
    height, width = matrix.shape
    sparse = np.full((2 * height, 3 * width), np.nan, matrix.dtype)
    sparse[::2, ::3] = matrix
    return {
        "contiguous": np.ascontiguousarray(matrix),
        "Fortran": np.asfortranarray(matrix),
        "strided": sparse[::2, ::3],
        "reversed": np.ascontiguousarray(matrix[::-1, ::-1])[::-1, ::-1],
    }


def drawn(seed, shape, dtype):
    rng = np.random.default_rng(seed)
    values = rng.standard_normal(shape)
    return (
        (values + 1j * rng.standard_normal(shape)).astype(dtype)
        if np.dtype(dtype).kind == "c"
        else values.astype(dtype)
    )


def combined(table, matrix, shape, dtype):
    """The definition, block by block, in extended precision; and the size of what is added up."""
    out = np.zeros((table.shape[2], *shape), np.result_type(dtype, table, np.clongdouble))
    size = np.zeros(out.shape)
    for i, j, w in np.ndindex(*table.shape):
        block = matrix[i * shape[0] : (i + 1) * shape[0], j * shape[1] : (j + 1) * shape[1]]
        out[w, : block.shape[0], : block.shape[1]] += table[i, j, w] * block
        size[w, : block.shape[0], : block.shape[1]] += abs(table[i, j, w]) * abs(block)
    return out, size


def recombined(weights, answers, grid, shape, dtype):
    height, width = answers[0].shape
    out = np.zeros((grid[0] * height, grid[1] * width), np.clongdouble)
    size = np.zeros(out.shape)
    for i, l in np.ndindex(*grid):
        for s, answer in enumerate(answers):
            place = slice(i * height, (i + 1) * height), slice(l * width, (l + 1) * width)
            out[place] += weights[i * grid[1] + l, s] * answer
            size[place] += abs(weights[i * grid[1] + l, s]) * abs(answer)
    return out[: shape[0], : shape[1]], size[: shape[0], : shape[1]]


def rounding(terms, dtype):
    """Factors rounded to the dtype, products and sums: (terms + 2) roundings at worst, twice for complex ones."""
    return 4 * (terms + 2) * np.finfo(dtype).eps


@given(
    grid=st.tuples(counts, counts),
    tasks=counts,
    shape=st.tuples(sizes, sizes),
    dtype=st.sampled_from(DTYPES),
    layout=st.sampled_from(["contiguous", "Fortran", "strided", "reversed"]),
    is_complex=st.booleans(),
    buffer=buffers,
    threads=st.sampled_from([1, 3]),
    seed=st.integers(0, 99),
)
def test_combine_is_the_definition(grid, tasks, shape, dtype, layout, is_complex, buffer, threads, seed):
    table = drawn(seed, (*grid, tasks), "complex128" if is_complex else "float64")
    matrix = drawn(seed + 1, shape, dtype)
    block = Partition(grid[0], grid[1], 1).left_block(shape)
    coded = np.result_type(dtype, np.complex64) if is_complex else np.dtype(dtype)
    outs = [np.full(block, np.nan, coded) for _ in range(tasks)]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(tiles, "_BUFFER_BYTES", buffer)
        patched.setattr(sharing, "_WORTH_A_THREAD", 1)
        combine(table, layouts(matrix)[layout], outs, threads=threads)

    expected, size = combined(table, matrix, block, dtype)
    assert (abs(np.array(outs) - expected) <= rounding(grid[0] * grid[1], dtype) * size).all()


@given(
    grid=st.tuples(counts, counts),
    answers=counts,
    block=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    crop=st.tuples(st.integers(0, 30), st.just(0) | st.integers(0, 30)),
    dtype=st.sampled_from(DTYPES),
    layout=st.sampled_from(["contiguous", "Fortran", "strided", "reversed"]),
    buffer=buffers,
    long_row=st.sampled_from([0, 1000]),
    threads=st.sampled_from([1, 3]),
    seed=st.integers(0, 99),
)
def test_recombine_is_the_definition(grid, answers, block, crop, dtype, layout, buffer, long_row, threads, seed):
    weights = drawn(seed, (grid[0] * grid[1], answers), "float64")
    given_answers = [drawn(seed + 1 + s, block, dtype) for s in range(answers)]
    shape = max(0, grid[0] * block[0] - crop[0]), max(0, grid[1] * block[1] - crop[1])
    out = layouts(np.zeros(shape, dtype))[layout]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(tiles, "_BUFFER_BYTES", buffer)
        patched.setattr(arrays, "LONG_ROW", long_row)
        patched.setattr(sharing, "_WORTH_A_THREAD", 1)
        recombine(weights, [layouts(answer)[layout] for answer in given_answers], grid, out, threads=threads)

    expected, size = recombined(weights, given_answers, grid, shape, dtype)
    assert (abs(out - expected) <= rounding(answers, dtype) * size).all()


@pytest.mark.parametrize("stretch", [1, 7, 40, 1000])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("is_complex", [False, True])
@pytest.mark.parametrize("threads", [1, 3])
def test_a_single_block_is_added_up_in_stretches(monkeypatch, stretch, dtype, is_complex, threads):
    monkeypatch.setattr(sharing, "_WORTH_A_THREAD", 1)
    monkeypatch.setattr(arrays, "_RUN", 2 * stretch)
    monkeypatch.setattr(arrays, "_STRETCH", stretch)
    monkeypatch.setattr(arrays, "_LARGE", 0)
    weights = drawn(0, (1, 3), "complex128" if is_complex else "float64")
    if is_complex and dtype.startswith("float"):
        weights = weights.real + 0j  # of real answers and results, only the real part is kept
    else:
        monkeypatch.setattr(arrays, "tiles", None)  # what is plain needs no tiles
    answers = [drawn(1 + s, (8, 5), dtype) for s in range(3)]
    kept = [answer.copy() for answer in answers]
    out = np.full((8, 5), np.nan, dtype)
    recombine(weights, answers, (1, 1), out, threads=threads)

    expected, size = recombined(weights, answers, (1, 1), (8, 5), dtype)
    assert (abs(out - expected) <= rounding(3, dtype) * size).all()
    assert np.array_equal(answers, kept)


@pytest.mark.parametrize("odd", ["swapped bytes", "misaligned", "another dtype", "read backwards"])
def test_a_single_block_of_odd_memory_is_right_too(monkeypatch, odd):
    monkeypatch.setattr(arrays, "_LARGE", 0)
    plain = drawn(0, (8, 5), "float64")
    misaligned = np.frombuffer(b" " + plain.tobytes(), "float64", offset=1).reshape(8, 5)
    answers = {
        "swapped bytes": plain.astype(">f8"),
        "misaligned": misaligned,
        "another dtype": plain.astype("float32"),
        "read backwards": plain[::-1],
    }
    out = np.full((8, 5), np.nan)
    recombine(np.array([[2.0, 1.0]]), [answers[odd], plain], (1, 1), out)

    assert np.array_equal(out, 2 * answers[odd].astype(float) + plain)


@given(seed=st.integers(0, 99), dtype=st.sampled_from(["complex64", "complex128"]))
def test_imaginary_parts_are_dropped_where_the_product_is_real(seed, dtype):
    weights, answers = drawn(seed, (1, 3), "complex128"), [drawn(seed + s, (4, 5), dtype) for s in range(3)]
    out = np.zeros((4, 5), np.zeros(0, dtype).real.dtype)
    recombine(weights, answers, (1, 1), out)

    expected, size = recombined(weights, answers, (1, 1), (4, 5), dtype)
    assert (abs(out - expected.real) <= rounding(3, dtype) * size).all()


@given(
    shape=st.tuples(sizes, sizes),
    few=st.integers(0, 3),
    dtype=st.sampled_from(DTYPES),
    layout=st.sampled_from(["contiguous", "Fortran", "strided", "reversed"]),
    panel=st.sampled_from([1, 20, 1000]),
    seed=st.integers(0, 99),
)
def test_few_columns_are_multiplied_in_panels(shape, few, dtype, layout, panel, seed):
    matrix, columns = drawn(seed, shape, dtype), drawn(seed + 1, (few, shape[1]), dtype).T
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(arrays, "SMALL_OPERATIONS", panel)
        product = times_few(layouts(matrix)[layout], columns)

    assert (product.shape, product.dtype) == ((shape[0], few), np.dtype(dtype))
    assert (abs(product - matrix @ columns) <= rounding(shape[1], dtype) * (abs(matrix) @ abs(columns))).all()


@given(shape=st.tuples(sizes, sizes), dtype=st.sampled_from(DTYPES), seed=st.integers(0, 99))
def test_the_norm_is_the_norm_of_any_layout(shape, dtype, seed):
    matrix = drawn(seed, shape, dtype)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(arrays, "_STRETCH", 7)
        norms = [norm(each) for each in layouts(matrix).values()]

    assert norms == pytest.approx([np.linalg.norm(matrix)] * 4, rel=rounding(matrix.size, dtype))


@pytest.mark.parametrize("odd", [np.nan, np.inf])
def test_the_norm_of_what_is_not_finite_is_not(odd):
    assert not np.isfinite(norm(np.array([1.0, odd])))


def test_edges_are_padded_with_zeros_and_never_read():
    outs = [np.full((2, 2), np.nan) for _ in range(2)]
    combine(np.array([[[1.0, 1.0]], [[1.0, -1.0]]]), np.ones((3, 2)), outs)
    assert outs[0].tolist() == [[2, 2], [1, 1]]
    assert outs[1].tolist() == [[0, 0], [1, 1]]


@pytest.mark.parametrize("dtype", ["int8", "int64", "bool", "float16"])
def test_other_dtypes_are_converted_as_they_are_gathered(dtype):
    matrix = np.arange(12).reshape(3, 4).astype(dtype)
    out = np.zeros((3, 2), working_dtype(dtype))
    combine(np.array([[[2.0], [1.0]]]), matrix, [out])
    assert np.array_equal(out, 2 * matrix[:, :2].astype(float) + matrix[:, 2:])


@pytest.mark.parametrize(
    ("given_dtypes", "expected"),
    [
        (("float16",), "float32"),
        (("float16", "int8"), "float32"),
        (("bool", "uint64"), "float64"),
        (("float32", "int64"), "float64"),
        (("float32", "complex64"), "complex64"),
        (("float64", "complex64"), "complex128"),
    ],
)
def test_products_are_computed_in_a_floating_dtype(given_dtypes, expected):
    assert working_dtype(*given_dtypes) == np.dtype(expected)


@pytest.mark.parametrize("buffer", [1, 100, 10_000])
@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (1, 1), (7, 3), (3, 1000)])
def test_tiles_cover_a_block_once(monkeypatch, shape, buffer):
    monkeypatch.setattr(tiles, "_BUFFER_BYTES", buffer)
    seen = np.zeros(shape, int)
    for down, across in tiles.tiles(*shape, 8):
        seen[down, across] += 1
        assert seen[down, across].size * 8 <= max(8, buffer)
    assert (seen == 1).all()


def test_pieces_are_shared_out_among_threads_that_are_worth_it():
    done, by = [], set()
    barrier = threading.Barrier(3, timeout=30)

    def work(pieces):
        by.add(threading.get_ident())
        barrier.wait()
        done.extend(pieces)

    sharing.share_out(range(10), work, 3 * sharing._WORTH_A_THREAD, 8)
    assert (sorted(done), len(by)) == ([*range(10)], 3)
    for nbytes, threads, pieces in ((1, 8, 5), (1 << 40, 1, 5), (1 << 40, 8, 1)):
        calls = []
        sharing.share_out(range(pieces), calls.append, nbytes, threads)
        assert calls == [range(pieces)]


def test_what_goes_wrong_in_a_thread_is_raised():
    def work(pieces):
        if 9 in pieces:
            raise MemoryError("no room")

    with pytest.raises(MemoryError, match="no room"):
        sharing.share_out(range(10), work, 1 << 40, 4)
