"""Authenticated frames over TCP.

Both ends prove that they know the same key before either reads anything else, and every frame carries a code that only
they can make (HMAC-SHA256, with a key of this connection and direction, and the number of the frame): what a stranger
sends, repeats or changes on the way is thrown out before it is looked at. Nothing is encrypted.
"""

import hashlib
import hmac
import os
import socket
import struct
from collections import deque
from enum import IntEnum
from typing import Any

from anyk.errors import ClusterError

#: A link that says nothing for so long, or takes nothing, is cut. A process that stands still with a full buffer, too.
SILENCE_SECONDS = 5
#: How long a stranger may take to prove that it is none.
GREETING_SECONDS = 10.0

_HEADER = struct.Struct("!QQB")
_CODE_BYTES = 32
_NONCE_BYTES = 32
_READ_BYTES = 1 << 20


class Kind(IntEnum):
    """What a frame is."""

    HELLO = 1
    WORK = 2
    FLAG = 3
    ANSWER = 4
    END = 5
    # from worker to worker
    ASK = 6
    BLOCK = 7
    NONE = 8


class Wire:
    """One end of a connection on which both ends have proved that they know the key.

    Args:
        end: a connected socket.
        sending: key of what goes out.
        receiving: key of what comes in.
    """

    def __init__(self, end: socket.socket, sending: bytes, receiving: bytes) -> None:
        self._socket, self._keys = end, (sending, receiving)
        self._counts = [0, 0]
        self._outbound: deque[memoryview] = deque()
        self._inbound = bytearray()

    def fileno(self) -> int:
        """The socket's descriptor; -1 once closed."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close it."""
        self._socket.close()

    def setblocking(self, blocks: bool) -> None:
        """Whether sending and receiving wait."""
        self._socket.settimeout(None if blocks else 0.0)

    @property
    def backlog(self) -> bool:
        """Whether something waits for `flush`."""
        return bool(self._outbound)

    def send(self, kind: Kind, seq: int = 0, payload: bytes = b"") -> None:
        """Send a frame, or as much of it as the socket takes; the rest waits for `flush`.

        Raises:
            OSError: the other end is gone.
        """
        header = _HEADER.pack(len(payload), seq, kind)
        self._outbound.append(memoryview(header + self._code(0, header)))
        if payload:
            self._outbound.append(memoryview(payload))
            self._outbound.append(memoryview(self._code(0, payload)))
        self.flush()

    def flush(self) -> None:
        """Send what waits, as far as the socket takes it."""
        while self._outbound:
            try:
                sent = self._socket.send(self._outbound[0])
            except BlockingIOError:
                return
            if sent == len(self._outbound[0]):
                self._outbound.popleft()
            else:
                self._outbound[0] = self._outbound[0][sent:]

    def receive(self) -> list[tuple[Kind, int, bytes]]:
        """Read once; the frames that are now complete.

        Raises:
            EOFError: the other end is closed.
            ClusterError: a frame that the other end did not send.
            OSError: the connection failed.
        """
        try:
            data = self._socket.recv(_READ_BYTES)
        except BlockingIOError:
            return []
        if not data:
            raise EOFError("the connection was closed")
        self._inbound += data
        frames = []
        while (frame := self._frame()) is not None:
            frames.append(frame)
        return frames

    def _frame(self) -> tuple[Kind, int, bytes] | None:
        head = _HEADER.size + _CODE_BYTES
        if len(self._inbound) < head:
            return None
        size, seq, kind = _HEADER.unpack_from(self._inbound)
        total = head + (size + _CODE_BYTES if size else 0)
        if len(self._inbound) < total:
            if not self._is_checked:
                self._check(bytes(self._inbound[: _HEADER.size]), self._inbound[_HEADER.size : head])
                self._is_checked = True
            return None
        if not self._is_checked:
            self._check(bytes(self._inbound[: _HEADER.size]), self._inbound[_HEADER.size : head])
        self._is_checked = False
        payload = bytes(memoryview(self._inbound)[head : head + size])
        if size:
            self._check(payload, self._inbound[head + size : total])
        del self._inbound[:total]
        return Kind(kind), seq, payload

    #: Whether the header at the beginning of what came in was found to be genuine.
    _is_checked = False

    def _check(self, data: bytes, code: bytearray) -> None:
        if not hmac.compare_digest(self._code(1, data), bytes(code)):
            raise ClusterError("a message was changed on its way, or came from somebody else")

    def _code(self, direction: int, data: Any) -> bytes:
        self._counts[direction] += 1
        made = hmac.new(self._keys[direction], struct.pack("!Q", self._counts[direction]), hashlib.sha256)
        made.update(data)
        return made.digest()


def greeted(
    end: socket.socket, key: bytes, *, as_master: bool, names: tuple[bytes, bytes] = (b"master", b"worker")
) -> Wire:
    """Prove to the other end that the key is known here, and see its proof.

    Args:
        end: a connected socket; it waits while this goes on, for `GREETING_SECONDS` at most.
        key: that both know.
        as_master: whether this is the end that was connected to.
        names: of the end that was connected to and of the other one: proofs of one kind of conversation are none in
            another.

    Raises:
        ClusterError: the other end does not know the key.
        OSError: it hung up, or said nothing in time.
    """
    end.settimeout(GREETING_SECONDS)
    mine = os.urandom(_NONCE_BYTES)
    end.sendall(mine)
    theirs = _exactly(end, _NONCE_BYTES)
    nonces = mine + theirs if as_master else theirs + mine
    mine_and_theirs = names if as_master else names[::-1]
    # The worker proves itself first: the master tells a stranger nothing.
    if as_master:
        _expect_proof(end, key, mine_and_theirs[1] + nonces)
    end.sendall(hmac.digest(key, mine_and_theirs[0] + nonces, "sha256"))
    if not as_master:
        _expect_proof(end, key, mine_and_theirs[1] + nonces)
    keys = [hmac.digest(key, name + b" sends" + nonces, "sha256") for name in mine_and_theirs]
    keep_alive(end)
    end.settimeout(None)
    return Wire(end, *keys)


def _expect_proof(end: socket.socket, key: bytes, text: bytes) -> None:
    if not hmac.compare_digest(_exactly(end, _CODE_BYTES), hmac.digest(key, text, "sha256")):
        raise ClusterError("the other end does not know the key")


def _exactly(end: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = end.recv(size - len(data))
        if not more:
            raise ConnectionError("the other end hung up during the greeting")
        data += more
    return data


def keep_alive(end: socket.socket) -> None:
    """Let the kernel notice that a link is cut, within seconds instead of hours; small messages leave at once."""
    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    end.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    wanted = {"TCP_KEEPIDLE": 1, "TCP_KEEPINTVL": 1, "TCP_KEEPCNT": SILENCE_SECONDS - 1}
    wanted["TCP_USER_TIMEOUT"] = 1000 * SILENCE_SECONDS
    for name, value in wanted.items():
        if hasattr(socket, name):
            end.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
