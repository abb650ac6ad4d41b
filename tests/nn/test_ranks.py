"""Real ranks, one process each: killed, stopped and wrong ones cost nothing but time."""

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional

from anyk.errors import ClusterError, InputError
from anyk.nn import Launched, ProcessGroup, launch
from tests.nn.rank_program import STEPS, batch, model

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

RANKS = 6


def truth() -> dict[str, torch.Tensor]:
    """The weights of a plain run."""
    plain = model()
    optimizer = torch.optim.SGD(plain.parameters(), lr=0.1, momentum=0.9)
    for number in range(STEPS):
        x, y = batch(number)
        optimizer.zero_grad()
        functional.cross_entropy(plain(x), y).backward()
        optimizer.step()
    return plain.state_dict()


def run(directory: Path, rate: float = 0.0, harm: Any = None) -> tuple[Launched, dict[int, Any]]:
    """Train on real ranks while ``harm(pids)`` goes on; what the launcher and the ranks say."""
    pids: dict[int, int] = {}
    if harm is not None:
        threading.Thread(target=harm, args=(directory, pids), daemon=True).start()
    root = str(Path(__file__).parents[2])
    launched = launch(
        [sys.executable, "-m", "tests.nn.rank_program", str(directory), str(rate)],
        RANKS,
        environment={**os.environ, "PYTHONPATH": root},
        on_start=pids.__setitem__,
    )
    return launched, {int(path.stem[5:]): json.loads(path.read_text()) for path in directory.glob("rank-*.json")}


def under_way(directory: Path) -> None:
    """Wait until training has begun."""
    while not (directory / "at-0").exists() or int((directory / "at-0").read_text() or 0) < 3:
        time.sleep(0.01)


def right(told: dict[int, Any]) -> bool:
    """All ranks that finished have the weights of a plain run."""
    return all(
        torch.allclose(torch.tensor(told[rank]["weights"][name]), value, atol=1e-5)
        for rank in told
        for name, value in truth().items()
    )


def test_ranks_that_compute_wrong_numbers_end_at_the_weights_of_a_plain_run(tmp_path: Path) -> None:
    launched, told = run(tmp_path, rate=2e-3)

    assert launched.finished == tuple(range(RANKS))
    assert right(told)


def test_a_killed_rank_is_replaced_and_joins_the_others(tmp_path: Path) -> None:
    def kill(directory: Path, pids: dict[int, int]) -> None:
        under_way(directory)
        os.kill(pids[3], signal.SIGKILL)

    launched, told = run(tmp_path, harm=kill)

    assert launched.lost[:1] == (3,)
    assert set(launched.finished) >= {0, 1, 2, 4, 5}
    assert right(told)


def test_a_stopped_rank_holds_nobody_up(tmp_path: Path) -> None:
    def stop(directory: Path, pids: dict[int, int]) -> None:
        under_way(directory)
        os.kill(pids[2], signal.SIGSTOP)

    launched, told = run(tmp_path, harm=stop)

    assert launched.finished == (0, 1, 3, 4, 5)
    assert launched.left_out == (2,)
    assert right(told)


def test_a_program_that_fails_at_every_rank_is_an_error() -> None:
    with pytest.raises(ClusterError, match="no rank came to its end"):
        launch([sys.executable, "-c", "raise SystemExit(1)"], 2, restarts=0)


def test_ranks_without_others_are_told_how_to_start() -> None:
    with pytest.raises(ClusterError, match=r"anyk\.nn\.launch"):
        ProcessGroup()
    with pytest.raises(InputError, match="nodes"):
        launch(["true"], 0)
