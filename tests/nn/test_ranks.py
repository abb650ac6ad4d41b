"""Real ranks, one process each: killed, stopped, wrong and dissenting ones cost nothing but time."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional

from anyk.errors import ClusterError, InputError
from anyk.nn import ProcessGroup, launch
from anyk.nn.ranks import ONE_THREAD
from tests.nn.rank_program import EVERY, STEPS, batch, model

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

RANKS = 7


@dataclass
class Ranks:
    """A training on real ranks, under way in processes of its own."""

    directory: Path
    rate: float = 0.0
    pause: float = 0.05
    dissent: int = -1
    restarts: int = 3
    process: subprocess.Popen[bytes] = field(init=False)

    def __post_init__(self) -> None:
        told = [f"--told={self.directory / 'launched.json'}", f"--pids={self.directory}"]
        program = ["tests.nn.rank_program", str(self.directory), str(self.rate), str(self.pause), str(self.dissent)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "anyk.nn.ranks", f"--nodes={RANKS}", f"--restarts={self.restarts}", *told, *program],
            env={**os.environ, **ONE_THREAD},
            cwd=Path(__file__).parents[2],
        )

    def at(self, step: int) -> "Ranks":
        """Wait until so many steps are made."""
        while int((self.directory / "at-0").read_text() or 0) < step if (self.directory / "at-0").exists() else True:
            assert self.process.poll() is None
            time.sleep(0.01)
        return self

    def send(self, rank: int, what: signal.Signals) -> "Ranks":
        os.kill(int((self.directory / f"pid-{rank}").read_text()), what)
        return self

    def end(self) -> tuple[dict[str, Any], dict[int, Any]]:
        """What the launcher and the ranks say."""
        assert self.process.wait() == 0
        launched = json.loads((self.directory / "launched.json").read_text())
        found = {int(path.stem[5:]): json.loads(path.read_text()) for path in self.directory.glob("rank-*.json")}
        return launched, found


def truth() -> dict[str, torch.Tensor]:
    """The weights of a plain run."""
    plain = model()
    optimizer = torch.optim.SGD(plain.parameters(), lr=0.1, momentum=0.9)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=8, gamma=0.9)
    for number in range(STEPS):
        x, y = batch(number)
        optimizer.zero_grad()
        functional.cross_entropy(plain(x), y).backward()
        optimizer.step()
        schedule.step()
    return plain.state_dict()


def right(told: dict[int, Any]) -> bool:
    """All ranks that finished have the weights of a plain run."""
    plain = truth()
    return bool(told) and all(
        torch.allclose(torch.tensor(told[rank]["weights"][name]), value, atol=1e-5)
        for rank in told
        for name, value in plain.items()
    )


def test_wrong_numbers_a_killed_a_stopped_and_a_dissenting_rank_end_at_the_weights_of_a_plain_run(
    tmp_path: Path,
) -> None:
    ranks = Ranks(tmp_path, rate=5e-3, dissent=4)
    ranks.at(5).send(3, signal.SIGKILL)
    ranks.at(15).send(2, signal.SIGSTOP)
    launched, told = ranks.end()

    assert launched["lost"] == [3]
    assert 2 in launched["left_out"]
    assert set(launched["finished"]) >= {0, 1, 5, 6}
    assert told[4]["joined"] >= 1
    assert "has decided otherwise than most" in "".join(told[4]["history"])
    assert right(told)


@pytest.mark.slow
def test_a_stopped_rank_that_goes_on_joins_the_others_again(tmp_path: Path) -> None:
    ranks = Ranks(tmp_path, rate=5e-3, pause=0.3)
    ranks.at(5).send(2, signal.SIGSTOP)
    ranks.at(20).send(2, signal.SIGCONT)
    launched, told = ranks.end()

    assert launched["finished"] == list(range(RANKS))
    assert told[2]["joined"] >= 1
    assert right(told)


def lose(path: Path) -> None:
    path.unlink()


def spoil(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-3] ^= 0x10
    path.write_bytes(data)


@pytest.mark.slow
@pytest.mark.parametrize("harm", [lose, spoil])
def test_a_run_whose_processes_were_all_killed_goes_on_from_the_files_that_are_left(
    tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    ranks = Ranks(tmp_path, restarts=0).at(EVERY + 3)
    ranks.process.kill()
    for rank in range(RANKS):
        ranks.send(rank, signal.SIGKILL)
    ranks.process.wait()
    newest = max((tmp_path / "checkpoints").glob("step-*"))
    for rank in (1, 4):
        harm(newest / f"node-{rank:04d}.safetensors")
    _, told = Ranks(tmp_path, pause=0.0).end()

    assert {each["began"] for each in told.values()} == {int(newest.name[5:])} >= {EVERY}
    assert f"step {EVERY}: node 4:" in "".join(told[0]["history"])
    assert right(told)


def test_a_program_that_fails_at_every_rank_is_an_error() -> None:
    with pytest.raises(ClusterError, match="no rank came to its end"):
        launch([sys.executable, "-c", "raise SystemExit(1)"], 2, restarts=0)


def test_a_run_whose_ranks_all_wait_to_be_let_in_ends_with_an_error() -> None:
    # Both die at their first life; at their second they ask a group that is not there any more.
    asks = "import os; from anyk.nn import ProcessGroup; it = ProcessGroup(); it.under_way or os._exit(1); it.join()"
    with pytest.raises(ClusterError, match="none of the 2 ranks is left that could let another one in"):
        launch([sys.executable, "-c", asks], 2)


def test_ranks_without_others_are_told_how_to_start() -> None:
    with pytest.raises(ClusterError, match=r"anyk\.nn\.launch"):
        ProcessGroup()


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"nodes": 0}, r"`launch\(nodes=0\)`"),
        ({"nodes": 2, "here": [2]}, r"some of the ranks 0 … 1"),
        ({"nodes": 2, "here": [0]}, "cannot share memory"),
        ({"nodes": 2, "meet": "somewhere"}, "needs a host and a port"),
    ],
)
def test_what_cannot_be_launched_is_refused(asked: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        launch(["true"], **asked)


def test_a_function_is_forked_only_where_there_are_no_threads() -> None:
    ending = threading.Event()
    thread = threading.Thread(target=ending.wait)
    thread.start()
    try:
        with pytest.raises(InputError, match="forks, and this process has"):
            launch(lambda: None, 2)
    finally:
        ending.set()
        thread.join()
