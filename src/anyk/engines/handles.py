"""Blocks in shared memory, for processes that only get pickles: a handle travels in place of a block.

Where it is unpickled the owner's memory is mapped, by way of the kernel's list of that process' open files, and the
array over it takes the handle's place. So it works between processes of one user on one Linux machine, has no name that
could be left behind, and no worker need be told before.
"""

import os
import sys
from collections import OrderedDict
from pathlib import Path
from threading import Lock
from typing import Any

from anyk.engines import memory
from anyk.engines.base import Array
from anyk.errors import ClusterError

#: Segments a worker keeps mapped after use: mapping anew costs a page fault for each 4 KiB.
KEPT = 16

_kept: "OrderedDict[tuple[int, int], memory.Segment]" = OrderedDict()
_lock = Lock()


def are_possible() -> bool:
    """Whether other processes can get at this one's shared memory by name of its descriptors."""
    return sys.platform == "linux" and hasattr(os, "memfd_create") and Path("/proc/self/fd").is_dir()


class Handle:
    """Stands for a block while it travels; unpickled it is the block.

    Args:
        block: an array over shared memory, kept alive by the sender until the handle has arrived.
        segment: that it lies in.
        offset: of its first element there, in bytes.
    """

    def __init__(self, block: Array, segment: memory.Segment, offset: int) -> None:
        self._block, self._segment, self._offset = block, segment, offset

    def __reduce__(self) -> tuple[Any, ...]:
        """Where to find it."""
        number, block = self._segment.descriptor.fileno(), self._block
        status = os.fstat(number)
        place = os.getpid(), number, (status.st_dev, status.st_ino)
        return attach, (*place, block.shape, block.dtype, self._offset, block.strides)


def attach(
    pid: int,
    number: int,
    key: tuple[int, int],
    shape: tuple[int, ...],
    dtype: Any,
    offset: int,
    strides: tuple[int, ...],
) -> Array:
    """The array over another process' descriptor.

    Raises:
        ClusterError: it is not there any more, or not within reach.
    """
    with _lock:
        segment = _kept.pop(key, None) or _opened(pid, number, key)
        _kept[key] = segment
        while len(_kept) > KEPT:
            _kept.popitem(last=False)
    return segment.array(shape, dtype, offset, strides)


def _opened(pid: int, number: int, key: tuple[int, int]) -> memory.Segment:
    try:
        descriptor = memory.Descriptor(os.open(f"/proc/{pid}/fd/{number}", os.O_RDWR | os.O_CLOEXEC))
        status = os.fstat(descriptor.fileno())
    except OSError as error:
        raise ClusterError(
            f"a shared block of process {pid} cannot be reached from process {os.getpid()}: {error}"
        ) from error
    if (status.st_dev, status.st_ino) != key:
        raise ClusterError(f"a shared block of process {pid} is not there any more.")
    return memory.receive(descriptor)
