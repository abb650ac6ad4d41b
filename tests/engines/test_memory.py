import gc
import os
from pathlib import Path

import numpy as np
import pytest

from anyk.engines import memory
from anyk.engines.memory import Descriptor, allocate, behind, receive, zeros
from anyk.errors import ClusterError


def mapped_segments() -> int:
    return Path("/proc/self/maps").read_text().count("memfd:anyk")


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (5,), (4, 6), (2, 3, 4)])
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128", "int8", "int64"])
def test_a_shared_array_is_zeroed_writable_and_aligned(shape, dtype):
    array = zeros(shape, dtype)

    assert array.shape == shape
    assert array.dtype == dtype
    assert array.ctypes.data % 64 == 0
    assert not array.any()
    array[...] = 1
    assert array.all()


def test_a_descriptor_that_comes_back_is_not_mapped_again():
    array = zeros((4,), float)
    segment, _ = behind(array)

    again = receive(Descriptor(os.dup(segment.descriptor.fileno())))

    assert again is segment


def test_two_mappings_of_one_descriptor_share_their_bytes():
    segment, _ = behind(zeros((4,), float))
    other = memory.Segment(segment.descriptor, len(segment))

    segment.array((4,), float)[2] = 7.0

    assert other.array((4,), float)[2] == 7.0


@pytest.mark.parametrize(
    "view",
    [np.s_[:], np.s_[2:, 3], np.s_[::-1, ::2], np.s_[1:1], np.s_[..., None]],
    ids=["all", "column", "backwards", "empty", "new axis"],
)
def test_the_segment_behind_a_view_gives_the_same_view_again(view):
    array = zeros((6, 8), float)
    array[...] = np.arange(48.0).reshape(6, 8)
    part = array[view]

    segment, offset = behind(part)

    np.testing.assert_array_equal(segment.array(part.shape, part.dtype, offset, part.strides), part)


def test_reshaped_transposed_and_cast_views_are_still_found():
    array = zeros((6, 8), float)

    for view in (array.T, array.reshape(-1), array.view(np.int64), array.ravel()[3:], np.asarray(memoryview(array))):
        assert behind(view) is not None


def test_private_memory_has_no_segment_behind_it():
    assert behind(np.ones(5)) is None
    assert behind(zeros((5,), float) + 1) is None


def test_memory_is_unmapped_and_closed_with_the_last_array():
    gc.collect()
    maps, files = mapped_segments(), open_files()

    array = zeros((1000,), float)
    part = array[10:20]
    del array
    assert mapped_segments() == maps + 1
    part[...] = 3.0
    del part

    assert mapped_segments() == maps
    assert open_files() == files


def test_a_full_memory_is_one_clear_error_and_leaves_nothing_open(monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    gc.collect()
    files = open_files()

    with pytest.raises(ClusterError, match=r"8000 bytes of shared memory .* No space left"):
        zeros((1000,), float)

    assert open_files() == files


def test_an_absurd_size_is_the_same_error():
    with pytest.raises(ClusterError, match="bytes of shared memory"):
        zeros((1 << 62,), float)


def test_the_ways_of_other_systems_work_too(monkeypatch):
    monkeypatch.delattr(os, "memfd_create")
    monkeypatch.delattr(os, "posix_fallocate")

    segment = allocate(3_000_000)
    segment.array((3_000_000,), np.uint8)[-1] = 1

    assert len(segment) == 3_000_000
    assert os.fstat(segment.descriptor.fileno()).st_nlink == 0


def test_a_closed_descriptor_closes_once():
    descriptor = Descriptor(os.open(os.devnull, os.O_RDONLY))
    number = descriptor.fileno()

    descriptor.close()
    descriptor.close()

    assert descriptor.fileno() == -1
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(number)
