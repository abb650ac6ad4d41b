"""Coded training on three hosts, one of which is cut off: network namespaces stand for the hosts. Needs root.

    python examples/cluster/three_hosts.py             # 3 x 3 ranks; after 20 updates the cable of host 3 is pulled
    python examples/cluster/three_hosts.py --back 30   # … and plugged in again after 30: its ranks join the others

What each host runs is what one would run on real ones, with their own addresses:

    python -m anyk.nn.ranks --nodes 9 --here 0,1,2 --meet 10.77.0.1:29577 anyk.nn.train …
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HOSTS = 3
SWITCH = f"anyk{os.getpid()}s"


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


def name(host: int) -> str:
    return f"anyk{os.getpid()}h{host}"


def connect() -> None:
    """Namespaces, each with a cable to one switch."""
    for space in (SWITCH, *map(name, range(1, HOSTS + 1))):
        ip("netns", "add", space)
        ip("-n", space, "link", "set", "lo", "up")
    ip("-n", SWITCH, "link", "add", "bridge", "type", "bridge")
    ip("-n", SWITCH, "link", "set", "bridge", "up")
    for host in range(1, HOSTS + 1):
        cable = ("link", "add", "eth0", "netns", name(host), "type", "veth", "peer", f"port{host}", "netns", SWITCH)
        ip(*cable)
        ip("-n", SWITCH, "link", "set", f"port{host}", "master", "bridge", "up")
        ip("-n", name(host), "addr", "add", f"10.77.0.{host}/24", "dev", "eth0")
        ip("-n", name(host), "link", "set", "eth0", "up")


def disconnect() -> None:
    for space in (SWITCH, *map(name, range(1, HOSTS + 1))):
        subprocess.run(["ip", "netns", "delete", space], check=False, capture_output=True)


def start(host: int, place: Path, steps: int, each: int, every: int) -> subprocess.Popen:
    """The ranks of one host."""
    own = ",".join(str(each * (host - 1) + place) for place in range(each))
    nodes = HOSTS * each
    ranks = ["--nodes", f"{nodes}", "--here", own, "--meet", "10.77.0.1:29577", "--told", f"{place}/host{host}.json"]
    training = ["--nodes", f"{nodes}", "--grid", "1x2", "--hidden", "24", "--steps", f"{steps}", "--error-rate", "5e-3"]
    files = ["--checkpoint-every", f"{every}", "--resume", f"{place}/checkpoints", "--outcome", f"{place}", "--quiet"]
    program = [sys.executable, "-m", "anyk.nn.ranks", *ranks, "anyk.nn.train", *training, *files]
    quiet = {**os.environ, "TORCH_CPP_LOG_LEVEL": "ERROR"}  # torch looks for names of hosts, which have none
    return subprocess.Popen(["ip", "netns", "exec", name(host), *program], env=quiet, start_new_session=True)


def reached(place: Path, step: int, hosts: list[subprocess.Popen]) -> None:
    """Wait for a checkpoint of that many updates, or of more."""
    while not any(int(path.name[5:]) >= step for path in place.glob("checkpoints/step-*") if path.name[5:].isdecimal()):
        if any(host.poll() for host in hosts):
            raise SystemExit("a host gave up")
        time.sleep(0.05)


def main(
    steps: int = 60, cut_at: int = 20, back_at: int | None = None, *, each: int = 3, every: int = 10
) -> dict[int, dict]:
    """What each rank that came to the end has learned, by rank.

    Args:
        steps: updates.
        cut_at: after so many the cable of the last host is pulled; a multiple of ``every``.
        back_at: after so many it is plugged in again; None: never.
        each: ranks of a host.
        every: updates between checkpoints.
    """
    with tempfile.TemporaryDirectory(prefix="anyk-hosts-") as made:
        place, hosts = Path(made), []
        try:
            connect()
            hosts = [start(host, place, steps, each, every) for host in range(1, HOSTS + 1)]
            reached(place, cut_at, hosts)
            ip("-n", SWITCH, "link", "set", f"port{HOSTS}", "down")
            print(f"step {cut_at}: host {HOSTS} is cut off")
            if back_at is not None:
                reached(place, back_at, hosts[:-1])
                ip("-n", SWITCH, "link", "set", f"port{HOSTS}", "up")
                print(f"step {back_at}: host {HOSTS} is back")
            for host in hosts if back_at is not None else hosts[:-1]:
                host.wait()
            found = {int(path.name[5:]): json.loads((path / "run.json").read_text()) for path in place.glob("rank-*")}
        finally:
            for host in hosts:
                host.terminate()
            for host in hosts:
                host.wait()
            disconnect()
    for rank, run in sorted(found.items()):
        print(f"rank {rank}: accuracy {run['accuracy']:.4f} after {run['steps']} updates, joined {run['joined']} times")
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--back", type=int, help="after so many updates the cable is plugged in again")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # hosts and cables are taken away in any case
    main(options.steps, back_at=options.back)
