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
        made = ["ip", "netns", "exec", "anyk-probe", "ip", "link", "add", "b", "type", "bridge"]
        subprocess.run(["ip", "netns", "add", "anyk-probe"], check=True, capture_output=True)
        subprocess.run(made, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return False
    finally:
        if shutil.which("ip"):
            subprocess.run(["ip", "netns", "delete", "anyk-probe"], check=False, capture_output=True)
    return True


@pytest.mark.slow
@pytest.mark.cluster
@pytest.mark.timeout(600)
def test_two_hosts_finish_a_training_from_which_the_third_was_cut_off() -> None:
    if not namespaces_work():
        pytest.skip("needs root and network namespaces")
    program = (
        "import json; from examples.cluster.three_hosts import main; "
        "print(json.dumps({rank: [run['accuracy'], run['steps']] for rank, run in main(40, 10).items()}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=500, check=True
    )
    found = json.loads(done.stdout.splitlines()[-1])

    assert set(found) == {"0", "1", "2", "3", "4", "5"}
    assert {steps for _, steps in found.values()} == {40}
    assert len({accuracy for accuracy, _ in found.values()}) == 1
    assert "anyk" not in subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
