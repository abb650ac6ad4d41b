import errno
import os
import socket

import numpy as np
import pytest

from anyk.engines import memory
from anyk.engines.base import Ref
from anyk.engines.channel import MAX_DESCRIPTORS, SMALL_BYTES, Channel, Op, pack, unpack
from anyk.errors import InputError


@pytest.fixture
def ends():
    """A channel that never waits and one that does."""
    master, worker = socket.socketpair()
    master.setblocking(False)
    channels = Channel(master), Channel(worker)
    yield channels
    for channel in channels:
        channel.close()


MESSAGES = {
    "nothing": None,
    "words": ("text", 1, 2.5, {"key": [b"bytes"]}),
    "a large pickle": b"x" * 1_000_000,
    "small array": np.arange(10),
    "large array": np.arange(float(SMALL_BYTES)),
    "several": [np.arange(float(SMALL_BYTES)), np.asfortranarray(np.ones((300, 400))), np.ones(3)],
    "reversed": np.arange(float(SMALL_BYTES))[::-1],
    "objects": np.array([{"a": 1}, None], dtype=object),
    "masked": np.ma.masked_equal(np.arange(100_000), 3),
    "structured": np.zeros(10_000, [("x", "f8"), ("n", "i4")]),
}


@pytest.mark.parametrize("message", MESSAGES.values(), ids=MESSAGES.keys())
def test_a_message_arrives_as_it_was_sent(ends, message):
    master, worker = ends
    received = []

    master.send(pack(Op.RUN, 7, message))
    while not received:
        received = worker.receive()
        master.flush()

    (frame,) = received
    assert (frame.op, frame.seq) == (Op.RUN, 7)
    back = unpack(frame)
    assert type(back) is type(message)
    np.testing.assert_equal(back, message)


def test_many_frames_arrive_in_order_and_whole(ends):
    master, worker = ends
    blocks = [memory.zeros((3,), float) for _ in range(100)]
    received = []

    for n, block in enumerate(blocks):
        block[...] = n
        master.send(pack(Op.PUT, n, (str(n), block)))
    while len(received) < 100:
        received += worker.receive()
        master.flush()

    assert [frame.seq for frame in received] == list(range(100))
    assert [unpack(frame)[1].tolist() for frame in received] == [[float(n)] * 3 for n in range(100)]


def test_a_full_socket_keeps_nobody_waiting(ends):
    master, worker = ends
    while not master.backlog:
        master.send(pack(Op.RUN, 1, b"x" * 50_000))

    master.send(pack(Op.RUN, 2, b"last"))

    received = []
    while not received or received[-1].seq != 2:
        received += worker.receive()
        master.flush()
    assert unpack(received[-1]) == b"last"
    assert not master.backlog


def test_too_many_descriptors_on_their_way_are_a_full_socket_too(ends, monkeypatch):
    master, worker = ends

    class Full:
        def sendmsg(self, *_):
            raise OSError(errno.ETOOMANYREFS, os.strerror(errno.ETOOMANYREFS))

    real, master._socket = master._socket, Full()
    master.send(pack(Op.RUN, 1, "waits"))
    assert master.backlog

    master._socket = real
    master.flush()
    assert unpack(worker.receive()[0]) == "waits"


def test_an_empty_socket_is_not_a_closed_one(ends):
    master, worker = ends
    assert master.receive() is None

    worker.close()

    with pytest.raises(EOFError):
        master.receive()
    with pytest.raises(ConnectionError):
        master.send(pack(Op.RUN, 1, None))


def test_shared_arrays_travel_as_they_are_unless_a_copy_is_wanted():
    block = memory.zeros((10, 4), float)

    alias = unpack(pack(Op.DONE, 0, block[2:4].T))
    copy = unpack(pack(Op.DONE, 0, block[2:4].T, alias=False))
    block[2, 1] = 5.0

    assert alias.tolist() == block[2:4].T.tolist()
    assert not copy.any()


def test_the_same_segment_travels_once_and_new_arrays_share_one():
    block = memory.zeros((10,), float)
    large = np.ones(SMALL_BYTES)

    frame = pack(Op.RUN, 0, [block, block[3:], large, large + 1])

    assert len(frame.descriptors) == 2


def test_too_many_segments_in_one_message_are_refused():
    blocks = [memory.zeros((1,), float) for _ in range(MAX_DESCRIPTORS + 1)]

    with pytest.raises(InputError, match="at most 250 shared blocks, and 251 came"):
        pack(Op.RUN, 0, blocks)


def test_references_stay_references():
    back = unpack(pack(Op.RUN, 0, (Ref("a"), "a")))

    assert [type(each) for each in back] == [Ref, str]


def test_descriptors_that_nobody_took_are_closed_with_the_channel(ends):
    master, worker = ends
    block = memory.zeros((3,), float)
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 – only the number matters

    frame = pack(Op.PUT, 0, block)
    master.send(frame)
    frames = worker.receive()
    assert len(os.listdir("/proc/self/fd")) == before + 1  # noqa: PTH208
    del frames

    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
