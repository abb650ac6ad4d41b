"""The engine on TCP connections: the contract, faults, strangers, hosts that are cut off."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import anyk
from anyk.engines import wire
from anyk.engines.base import WorkerLost
from anyk.engines.tcp import TcpEngine
from anyk.engines.tcp_worker import main
from anyk.engines.work import nap
from anyk.errors import ClusterError, InputError
from tests.distributed.on_a_cluster import CODE, LASTING, OnACluster, eventually

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def three():
    """Three workers for what harms none of them."""
    with anyk.engines.open("tcp:3") as engine:
        yield engine


@pytest.fixture(scope="module")
def six():
    """Six workers whose tasks last a little."""
    with anyk.engines.open("tcp:6", faults=LASTING) as engine:
        yield engine


class TestTcp(OnACluster):
    def make(self, workers):
        return anyk.engines.open("tcp", workers=workers)


def test_blocks_larger_than_any_buffer_go_back_and_forth_while_others_answer(three):
    block = np.random.default_rng(0).random((1500, 1500))
    three.lanes[0].put("a", block)
    back, quick = three.lanes[0].fetch("a"), three.lanes[1].submit(abs, -1)

    assert quick.result(timeout=30) == 1
    np.testing.assert_array_equal(back.result(timeout=60), block)
    three.lanes[0].delete("a")


# --- workers from elsewhere -------------------------------------------------------------------------------------------


@pytest.fixture
def key_file(tmp_path):
    assert main(["--new-key", str(tmp_path / "key")]) == 0
    return tmp_path / "key"


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@contextlib.contextmanager
def keeper(port, key_file, *options, host="127.0.0.1", before=()):
    """The command that keeps workers on a host."""
    command = [*before, sys.executable, "-m", "anyk.engines.tcp", "--connect", f"{host}:{port}"]
    process = subprocess.Popen(
        [*command, "--key-file", str(key_file), *options], stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=20)


def test_workers_are_kept_going_and_end_with_the_engine(key_file):
    port = free_port()
    with keeper(port, key_file, "--workers", "3") as process:
        with anyk.engines.open(f"tcp://127.0.0.1:{port}?workers=3&key-file={key_file}") as engine:
            A, B = np.random.default_rng(0).standard_normal((2, 30, 30))
            first = {lane.pid for lane in engine.lanes}
            doomed = engine.lanes[1]
            os.kill(doomed.pid, signal.SIGKILL)
            assert eventually(lambda: not doomed.alive, 30)
            product = anyk.matmul(A, B, CODE, engine=engine, timeout=60)
            assert eventually(lambda: len({lane.pid for lane in engine.lanes} - first - {None}) == 1, 30)

        assert process.wait(20) == 0
    np.testing.assert_allclose(product.value, A @ B)


def test_as_many_lanes_as_workers_come(key_file, monkeypatch):
    port = free_port()
    monkeypatch.setenv("ANYK_KEY_FILE", str(key_file))
    with keeper(port, key_file, "--workers", "2"), anyk.engines.open(f"tcp://127.0.0.1:{port}", workers=9) as engine:
        assert 1 <= len(engine.lanes) <= 2


def test_strangers_get_nowhere_and_harm_nobody(three, tmp_path):
    main(["--new-key", str(tmp_path / "another")])
    for words in (b"GET / HTTP/1.1\r\n\r\n", b"\x80\x05" * 500, b""):
        with socket.create_connection(three.address) as stranger:
            with contextlib.suppress(OSError):  # the master may hang up before all is said
                stranger.sendall(words)
                stranger.shutdown(socket.SHUT_WR)
            said = b"".join(iter(lambda end=stranger: received(end), b""))
        assert len(said) <= 32  # the master's nonce
    with keeper(three.address[1], tmp_path / "another") as process:
        assert process.wait(30) == 1
        assert "does not know this key" in process.stderr.read()

    assert three.lanes[0].submit(abs, -1).result(timeout=30) == 1
    assert len(three.lanes) == 3


def test_strangers_get_nothing_from_workers_either(three):
    three.lanes[0].put("secret", np.ones(3)).result(timeout=60)
    hello = three.lanes[0].post.hello
    with socket.create_connection((hello.address, hello.port)) as stranger:
        stranger.sendall(b"secret" * 20)
        with contextlib.suppress(OSError):
            stranger.shutdown(socket.SHUT_WR)
        said = b"".join(iter(lambda: received(stranger), b""))

    assert len(said) <= 32  # the worker's nonce


def test_who_greets_a_worker_in_a_masters_words_is_a_stranger():
    with socket.create_server(("127.0.0.1", 0)) as server:
        end = socket.create_connection(server.getsockname())
        other, _ = server.accept()
    refused = []

    def greet():
        try:
            wire.greeted(end, b"k" * 32, as_master=False)
        except (ClusterError, OSError) as error:
            refused.append(error)
        end.close()

    thread = threading.Thread(target=greet)
    thread.start()
    with pytest.raises(ClusterError, match="does not know the key"):
        wire.greeted(other, b"k" * 32, as_master=True, names=(b"holder", b"asker"))
    other.close()
    thread.join()

    assert len(refused) == 1


def received(end):
    try:
        return end.recv(4096)
    except ConnectionError:
        return b""


def connected():
    """Both ends of a connection that know the same key."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        end = socket.create_connection(server.getsockname())
        other, _ = server.accept()
    ends = {}
    thread = threading.Thread(target=lambda: ends.update(worker=wire.greeted(end, b"k" * 32, as_master=False)))
    thread.start()
    master = wire.greeted(other, b"k" * 32, as_master=True)
    thread.join()
    return master, ends["worker"], other, end


@pytest.mark.parametrize("harm", ["payload", "header", "again", "order"])
def test_frames_that_were_changed_repeated_or_swapped_are_refused(harm):
    master, worker, raw, end = connected()
    frames = []
    for payload in (b"first", b"second"):
        worker.send(wire.Kind.ANSWER, 1, payload)
        frames.append(raw.recv(1 << 16))
    forged = {
        "payload": frames[0].replace(b"first", b"worst"),
        "header": frames[0][:8] + b"\x01" + frames[0][9:],
        "again": frames[0] + frames[0],
        "order": frames[1] + frames[0],
    }[harm]
    end.sendall(forged)
    with pytest.raises(ClusterError, match="changed on its way"):
        master.receive()
    master.close()
    worker.close()


def test_a_key_that_others_can_read_is_refused(key_file):
    key_file.chmod(0o644)
    with pytest.raises(InputError, match="can be read by others"):
        TcpEngine(at="tcp://127.0.0.1:0", key_file=key_file)
    key_file.chmod(0o600)
    key_file.write_text("short")
    with pytest.raises(InputError, match="too short"):
        TcpEngine(at="tcp://127.0.0.1:0", key_file=key_file)


@pytest.mark.parametrize(
    "at", ["tcp://", "tcp://host", "tcp://host:port", "tcp://h:1?workers=some", "tcp://h:1?colour=red"]
)
def test_what_is_no_address_is_refused(at, key_file):
    with pytest.raises(InputError, match="an address is of the form"):
        TcpEngine(at=at, key_file=key_file)


def test_without_a_key_nobody_is_let_in(monkeypatch):
    monkeypatch.delenv("ANYK_KEY_FILE", raising=False)
    with pytest.raises(InputError, match="must know a key"):
        anyk.engines.open("tcp://127.0.0.1:0")


def test_where_nobody_comes_the_error_says_how_to_start_workers(key_file, monkeypatch):
    monkeypatch.setattr("anyk.engines.tcp.FIRST_SECONDS", 0.2)
    with pytest.raises(ClusterError, match="start some with"):
        TcpEngine(at="tcp://127.0.0.1:0", key_file=key_file)


def test_a_keeper_without_a_master_gives_up(key_file):
    with keeper(free_port(), key_file, "--patience", "1") as process:
        assert process.wait(30) == 1
        assert "no master at" in process.stderr.read()


def test_nothing_is_left_behind():
    before = {thread.name for thread in threading.enumerate()}
    with anyk.engines.open("tcp:2") as engine:
        pids = [lane.pid for lane in engine.lanes]
        owed = engine.lanes[0].submit(nap, 60.0)

    assert isinstance(owed.exception(), WorkerLost)
    assert eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))
    assert eventually(lambda: {thread.name for thread in threading.enumerate()} <= before)


# --- the network ------------------------------------------------------------------------------------------------------


def in_namespace():
    """Whether this process may make network namespaces."""
    made = subprocess.run(["ip", "netns", "add", "anyk-test"], capture_output=True, check=False).returncode == 0
    if made:
        subprocess.run(["ip", "netns", "del", "anyk-test"], check=False)
    return made


@pytest.mark.slow
def test_a_host_that_is_cut_off_is_lost_within_seconds_and_products_go_on(key_file):
    if shutil.which("ip") is None or not in_namespace():
        pytest.skip("needs the right to make network namespaces")
    port, far, near = free_port(), "10.77.0.2", "10.77.0.1"
    try:
        for command in (
            "ip netns add anyk-far",
            "ip link add anyk-near type veth peer name anyk-there netns anyk-far",
            f"ip addr add {near}/24 dev anyk-near",
            "ip link set anyk-near up",
            f"ip -n anyk-far addr add {far}/24 dev anyk-there",
            "ip -n anyk-far link set anyk-there up",
        ):
            subprocess.run(command.split(), check=True)
        with (
            keeper(port, key_file, host=near, before=("ip", "netns", "exec", "anyk-far")),
            keeper(port, key_file, "--workers", "2"),
            anyk.engines.open(f"tcp://0.0.0.0:{port}?workers=3&key-file={key_file}", faults=LASTING) as engine,
        ):
            owed = {lane.pid: lane.submit(nap, 3600.0) for lane in engine.lanes}
            subprocess.run(["ip", "-n", "anyk-far", "link", "set", "anyk-there", "down"], check=True)
            assert eventually(lambda: any(future.done() for future in owed.values()), 40)
            (lost,) = [future for future in owed.values() if future.done()]
            A, B = np.random.default_rng(0).standard_normal((2, 30, 30))
            for lane, future in zip(engine.lanes, owed.values(), strict=True):
                lane.cancel(future)
            product = anyk.matmul(A, B, CODE, engine=engine, timeout=60)

            assert isinstance(lost.exception(), WorkerLost)
            np.testing.assert_allclose(product.value, A @ B)
    finally:
        subprocess.run(["ip", "link", "del", "anyk-near"], check=False, capture_output=True)
        subprocess.run(["ip", "netns", "del", "anyk-far"], check=False, capture_output=True)
