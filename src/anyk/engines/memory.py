"""Anonymous shared blocks: memory without a name, so there is nothing to leak.

A `Segment` is a memfd on Linux (an unlinked temporary file elsewhere), reserved in full before use and mapped here. It
travels to another process as a file descriptor and is freed when its last holder, in whichever process, lets go of it:
also after SIGKILL. Arrays over a segment hold it by their ``base``, so `behind` finds the segment of any view of them.
"""

import mmap
import os
import sys
import tempfile
import weakref
from typing import Any, Self

import numpy as np

from anyk.engines.base import Array
from anyk.errors import ClusterError

_CHUNK = bytes(1 << 20)


class Descriptor:
    """An open file descriptor that is closed with its last holder."""

    __slots__ = ("__weakref__", "_number")

    def __init__(self, number: int) -> None:
        self._number = number

    def fileno(self) -> int:
        """The descriptor's number; -1 once closed."""
        return self._number

    def take(self) -> int:
        """The descriptor's number, which the caller now owns."""
        number, self._number = self._number, -1
        return number

    def close(self) -> None:
        """Close it now; safe to call twice."""
        number = self.take()
        if number >= 0:
            os.close(number)

    def __del__(self) -> None:
        self.close()


class Segment(mmap.mmap):
    """Shared bytes, mapped here; unmapped and closed when the last array over them is gone."""

    #: What to send to share the segment.
    descriptor: Descriptor
    #: Where the mapping starts in this process.
    address: int

    def __new__(cls, descriptor: Descriptor, nbytes: int) -> Self:
        """Map ``nbytes`` bytes of ``descriptor``, at least 1."""
        if sys.version_info >= (3, 13):
            self = super().__new__(cls, descriptor.fileno(), nbytes, trackfd=False)
        else:
            self = super().__new__(cls, descriptor.fileno(), nbytes)  # which holds a descriptor of its own, too
        self.descriptor = descriptor
        self.address = np.ndarray(1, np.uint8, buffer=self).ctypes.data
        return self

    def array(
        self, shape: tuple[int, ...], dtype: Any, offset: int = 0, strides: tuple[int, ...] | None = None
    ) -> Array:
        """An array over this segment, which lives as long as the array."""
        return np.ndarray(shape, dtype, buffer=self, offset=offset, strides=strides)


# Segments mapped in this process by (device, inode), so that one that comes back is not mapped twice. (Two threads may
# still do that at once; it does no harm.)
_mapped: "weakref.WeakValueDictionary[tuple[int, int], Segment]" = weakref.WeakValueDictionary()


def allocate(nbytes: int) -> Segment:
    """Reserve and map a new zeroed segment.

    Args:
        nbytes: size in bytes; 0 is fine.

    Raises:
        ClusterError: no such amount of shared memory, or too many open files.
    """
    size = max(nbytes, 1)
    try:
        descriptor = Descriptor(_anonymous_file())
        _reserve(descriptor.fileno(), size)
        return _map(descriptor, size)
    except (OSError, OverflowError) as error:
        raise ClusterError(
            f"{nbytes} bytes of shared memory for a block cannot be had: {error}. Use smaller blocks or fewer "
            "workers, or raise the machine's limits on shared memory and open files."
        ) from error


def zeros(shape: tuple[int, ...], dtype: Any) -> Array:
    """A zeroed array in a segment of its own, 64-byte aligned."""
    dtype = np.dtype(dtype)
    return allocate(int(np.prod(shape, dtype=object)) * dtype.itemsize).array(shape, dtype)


def receive(descriptor: Descriptor) -> Segment:
    """The segment behind a descriptor that came from another process; the one already mapped here, if it is."""
    return _map(descriptor, os.fstat(descriptor.fileno()).st_size)


def behind(array: Array) -> tuple[Segment, int] | None:
    """The segment an array lies in and the offset of its first element there, or None for private memory."""
    base: Any = array
    while base is not None and not isinstance(base, Segment):
        base = base.obj if isinstance(base, memoryview) else getattr(base, "base", None)
    if base is None:
        return None
    offset = array.ctypes.data - base.address
    return (base, offset) if 0 <= offset <= len(base) else None


def _map(descriptor: Descriptor, size: int) -> Segment:
    status = os.fstat(descriptor.fileno())
    key = status.st_dev, status.st_ino
    segment = _mapped.get(key)
    if segment is None:
        segment = _mapped[key] = Segment(descriptor, size)
    return segment


def _anonymous_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("anyk", os.MFD_CLOEXEC)
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _reserve(number: int, size: int) -> None:
    """Take the pages now: a full memory is an error here, and never a bus error at the first touch."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(number, 0, size)
        return
    for start in range(0, size, len(_CHUNK)):
        os.write(number, _CHUNK[: size - start])
