"""Coded training on three hosts, one of which is cut off: network namespaces stand for the hosts. Needs root.

    python examples/cluster/three_hosts.py             # 3 x 3 ranks; after 20 updates the cable of host 3 is pulled

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

HOSTS, RANKS_EACH = 3, 3
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


def start(host: int, place: Path, steps: int) -> subprocess.Popen:
    """The ranks of one host."""
    own = ",".join(str(RANKS_EACH * (host - 1) + place) for place in range(RANKS_EACH))
    nodes = HOSTS * RANKS_EACH
    ranks = ["--nodes", f"{nodes}", "--here", own, "--meet", "10.77.0.1:29577", "--told", f"{place}/host{host}.json"]
    training = ["--nodes", f"{nodes}", "--grid", "1x2", "--hidden", "24", "--steps", f"{steps}", "--error-rate", "5e-3"]
    files = ["--checkpoint-every", "10", "--resume", f"{place}/checkpoints", "--outcome", f"{place}", "--quiet"]
    program = [sys.executable, "-m", "anyk.nn.ranks", *ranks, "anyk.nn.train", *training, *files]
    quiet = {**os.environ, "TORCH_CPP_LOG_LEVEL": "ERROR"}  # torch looks for names of hosts, which have none
    return subprocess.Popen(["ip", "netns", "exec", name(host), *program], env=quiet, start_new_session=True)


def main(steps: int = 60, cut_at: int = 20) -> dict[int, dict]:
    """What each rank that came to the end has learned, by rank."""
    with tempfile.TemporaryDirectory(prefix="anyk-hosts-") as made:
        place, hosts = Path(made), []
        try:
            connect()
            hosts = [start(host, place, steps) for host in range(1, HOSTS + 1)]
            while not (place / f"checkpoints/step-{cut_at:012d}").exists():
                if any(host.poll() for host in hosts):
                    raise SystemExit("a host gave up")
                time.sleep(0.05)
            ip("-n", SWITCH, "link", "set", f"port{HOSTS}", "down")
            print(f"step {cut_at}: host {HOSTS} is cut off")
            for host in hosts[:-1]:
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
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # hosts and cables are taken away in any case
    main(options.steps)
