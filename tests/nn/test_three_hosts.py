"""Three hosts in network namespaces; the cable of one is pulled while they train."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def namespaces_work() -> bool:
    """Root, iproute2, and a kernel with namespaces and bridges."""
    try:
        made = ["ip", "-n", "anyk-probe", "link", "add", "name", "bridge", "type", "bridge"]
        subprocess.run(["ip", "netns", "add", "anyk-probe"], check=True, capture_output=True)
        subprocess.run(made, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return False
    finally:
        if shutil.which("ip"):
            subprocess.run(["ip", "netns", "delete", "anyk-probe"], check=False, capture_output=True)
    return True


def namespaces() -> set[str]:
    """Those there are."""
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
    return {line.split()[0] for line in listed.splitlines() if line}


def trained(**asked: int) -> dict[int, list[float]]:
    """What each rank tells at its end: accuracy, updates, how often it has joined."""
    if not namespaces_work():
        pytest.skip("needs root and network namespaces")
    before = namespaces()
    program = (
        "import json; from examples.cluster.three_hosts import main; "
        f"found = main(**{asked!r}); "
        "print(json.dumps({rank: [run['accuracy'], run['steps'], run['joined']] for rank, run in found.items()}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=500, check=True
    )
    assert namespaces() <= before, "hosts and cables are taken away"
    return {int(rank): told for rank, told in json.loads(done.stdout.splitlines()[-1]).items()}


@pytest.mark.slow
@pytest.mark.cluster
@pytest.mark.timeout(600)
def test_two_hosts_finish_a_training_from_which_the_third_was_cut_off() -> None:
    found = trained(steps=8, cut_at=2, each=2, every=2)

    assert set(found) == {0, 1, 2, 3}
    assert {steps for _, steps, _ in found.values()} == {8}
    assert len({accuracy for accuracy, _, _ in found.values()}) == 1


@pytest.mark.slow
@pytest.mark.cluster
@pytest.mark.timeout(600)
def test_a_host_that_is_plugged_in_again_joins_with_all_its_ranks_and_ends_with_the_same_numbers() -> None:
    found = trained(steps=60, cut_at=4, back_at=8, each=2, every=4)

    assert set(found) == {0, 1, 2, 3, 4, 5}
    assert {steps for _, steps, _ in found.values()} == {60}
    assert len({accuracy for accuracy, _, _ in found.values()}) == 1
    assert [joined > 0 for _, (_, _, joined) in sorted(found.items())] == [False] * 4 + [True] * 2
