"""Frames with file descriptors over a Unix stream socket, and how a message becomes one.

A frame is a header (what, for which piece of work), a pickled payload, and the descriptors of the shared segments its
arrays lie in. Payload and header are apart so that a payload that cannot be loaded still says whose answer it is.

With a non-blocking socket `Channel.send` never waits: what the socket does not take stays queued until `Channel.flush`.
So a stopped worker cannot stop its master.
"""

import array
import errno
import io
import os
import pickle
import socket
import struct
from collections import deque
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

import numpy as np

from anyk.engines.base import Array
from anyk.engines.memory import Descriptor, Segment, allocate, behind, receive
from anyk.errors import InputError

#: Arrays below this many bytes travel inside the pickle; larger ones through shared memory.
SMALL_BYTES = 1 << 16
#: Arrays start at multiples of this in a shared segment.
ALIGNMENT = 64
#: The kernel takes at most 253 descriptors at once.
MAX_DESCRIPTORS = 250

_HEADER = struct.Struct("!QQBB")
_READ_BYTES = 1 << 16
# The socket is full; or too many descriptors are on their way, all sockets of this user taken together.
_TRY_LATER = (errno.EAGAIN, errno.EWOULDBLOCK, errno.ETOOMANYREFS)
_SEND_FLAGS = getattr(socket, "MSG_NOSIGNAL", 0)
_RECEIVE_FLAGS = getattr(socket, "MSG_CMSG_CLOEXEC", 0)


class Op(IntEnum):
    """What a frame asks or says."""

    # master to worker
    HELLO = 1
    PUT = 2
    RUN = 3
    FETCH = 4
    DELETE = 5
    # worker to master
    DONE = 10
    FAILED = 11
    # master to zygote
    FORK = 20
    # zygote to master
    BORN = 30
    UNBORN = 31
    GONE = 32


@dataclass(frozen=True, slots=True)
class Frame:
    """One message on the wire.

    Args:
        op: what it asks or says.
        seq: of the piece of work it belongs to.
        payload: the pickled message.
        descriptors: what travels beside it; kept open until the frame is dropped.
    """

    op: Op
    seq: int
    payload: bytes
    descriptors: tuple[Descriptor, ...] = ()

    def beside(self, *descriptors: Descriptor) -> "Frame":
        """This frame with exactly these descriptors beside it."""
        return replace(self, descriptors=descriptors)


class Channel:
    """One end of a socket that carries frames.

    Args:
        end: a connected Unix stream socket. Blocking: `send` and `receive` wait. Non-blocking: they never do.
    """

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._outbound: deque[tuple[memoryview, tuple[Descriptor, ...]]] = deque()
        self._inbound = bytearray()
        self._descriptors: deque[Descriptor] = deque()

    def fileno(self) -> int:
        """The socket's descriptor, for a selector; -1 once closed."""
        return self._socket.fileno()

    @property
    def backlog(self) -> bool:
        """Whether something waits for `flush`."""
        return bool(self._outbound)

    def send(self, frame: Frame) -> None:
        """Send a frame, or as much of it as the socket takes; the rest waits for `flush`.

        Raises:
            OSError: the other end is gone.
        """
        header = _HEADER.pack(len(frame.payload), frame.seq, frame.op, len(frame.descriptors))
        if len(frame.payload) <= _READ_BYTES:
            self._outbound.append((memoryview(header + frame.payload), frame.descriptors))
        else:
            self._outbound.append((memoryview(header), frame.descriptors))
            self._outbound.append((memoryview(frame.payload), ()))
        self.flush()

    def flush(self) -> None:
        """Send what waits, as far as the socket takes it."""
        while self._outbound:
            data, descriptors = self._outbound[0]
            rights = array.array("i", [each.fileno() for each in descriptors])
            ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)] if descriptors else []
            try:
                sent = self._socket.sendmsg([data], ancillary, _SEND_FLAGS)
            except OSError as error:
                if error.errno in _TRY_LATER:
                    return
                raise
            if sent == len(data):
                self._outbound.popleft()
            else:
                # Descriptors leave with the first byte.
                self._outbound[0] = data[sent:], ()

    def receive(self) -> list[Frame] | None:
        """Read once from the socket; return the frames that are now complete, or None if there was nothing to read.

        Raises:
            EOFError: the other end is closed.
        """
        try:
            data, ancillary, flags, _ = self._socket.recvmsg(
                _READ_BYTES, socket.CMSG_SPACE(4 * MAX_DESCRIPTORS), _RECEIVE_FLAGS
            )
        except BlockingIOError:
            return None
        except ConnectionError as error:
            raise EOFError from error
        self._descriptors += _received(ancillary)
        if not data:
            raise EOFError
        if flags & socket.MSG_CTRUNC:
            raise EOFError("descriptors were lost: too many open files")
        self._inbound += data
        return self._complete()

    def _complete(self) -> list[Frame]:
        frames: list[Frame] = []
        while len(self._inbound) >= _HEADER.size:
            size, seq, op, count = _HEADER.unpack_from(self._inbound)
            end = _HEADER.size + size
            if len(self._inbound) < end:
                break
            # Descriptors arrive with the first byte of their frame, never later.
            descriptors = tuple(self._descriptors.popleft() for _ in range(count))
            with memoryview(self._inbound) as view:
                payload = bytes(view[_HEADER.size : end])
            del self._inbound[:end]
            frames.append(Frame(Op(op), seq, payload, descriptors))
        return frames

    def close(self) -> None:
        """Close the socket and every descriptor on its way in or out; safe to call twice."""
        self._socket.close()
        self._outbound.clear()
        self._descriptors.clear()


def _received(ancillary: list[tuple[int, int, bytes]]) -> list[Descriptor]:
    numbers = array.array("i")
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            numbers.frombytes(data[: len(data) - len(data) % numbers.itemsize])
    if not _RECEIVE_FLAGS:
        for number in numbers:
            os.set_inheritable(number, False)
    return [Descriptor(number) for number in numbers]


class _Packer(pickle.Pickler):
    """Replaces arrays by places in shared segments: those they lie in, or one new segment for all others."""

    def __init__(self, file: io.BytesIO, alias: bool) -> None:
        super().__init__(file, protocol=5)
        self.segments: list[Segment] = []
        self._alias, self._copies, self._nbytes = alias, list[tuple[int, Array]](), 0

    def persistent_id(self, thing: Any) -> tuple[Any, ...] | None:
        if type(thing) is not np.ndarray or thing.dtype.hasobject:
            return None
        place = behind(thing) if self._alias else None
        if place is not None:
            segment, offset = place
            return self._index(segment), offset, thing.shape, thing.strides, thing.dtype
        return self._copied(thing) if thing.nbytes >= SMALL_BYTES else None

    def _index(self, segment: Segment) -> int:
        if segment not in self.segments:
            self.segments.append(segment)
        return self.segments.index(segment)

    def _copied(self, thing: Array) -> tuple[Any, ...]:
        offset = -(-self._nbytes // ALIGNMENT) * ALIGNMENT
        self._nbytes = offset + thing.nbytes
        self._copies.append((offset, thing))
        # Index -1: the new segment comes last. `empty_like` knows the compact strides and touches no memory.
        return -1, offset, thing.shape, np.empty_like(thing).strides, thing.dtype

    def finish(self) -> None:
        """Write the copies."""
        if not self._copies:
            return
        segment = allocate(self._nbytes)
        for offset, thing in self._copies:
            np.copyto(segment.array(thing.shape, thing.dtype, offset, np.empty_like(thing).strides), thing)
        self.segments.append(segment)


class _Unpacker(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, segments: list[Segment]) -> None:
        super().__init__(file)
        self._segments = segments

    def persistent_load(self, place: Any) -> Array:
        index, offset, shape, strides, dtype = place
        segment: Segment = self._segments[index]
        return segment.array(shape, dtype, offset, strides)


def pack(op: Op, seq: int, message: Any, *, alias: bool = True) -> Frame:
    """A frame that carries ``message``; large arrays in it travel through shared memory.

    Args:
        op: what it asks or says.
        seq: of the piece of work it belongs to.
        message: anything picklable.
        alias: send arrays that already lie in shared memory as they are, not as a copy.

    Raises:
        InputError: arrays of too many segments.
        ClusterError: shared memory is full.
    """
    file = io.BytesIO()
    packer = _Packer(file, alias)
    packer.dump(message)
    packer.finish()
    if len(packer.segments) > MAX_DESCRIPTORS:
        raise InputError(f"one message takes at most {MAX_DESCRIPTORS} shared blocks, and {len(packer.segments)} came.")
    return Frame(op, seq, file.getvalue(), tuple(segment.descriptor for segment in packer.segments))


def unpack(frame: Frame) -> Any:
    """The message a frame carries; arrays in shared memory are mapped, not copied."""
    segments = [receive(descriptor) for descriptor in frame.descriptors]
    return _Unpacker(io.BytesIO(frame.payload), segments).load()
