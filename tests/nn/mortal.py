"""A training process that is killed again and again: forked from one that has loaded torch and used no threads yet."""

import json
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch._dynamo  # torch loads it with the first optimizer; here once for all lives
from safetensors.torch import save_file

from tests.nn.guarded import Run

#: Steps of the run, and between its checkpoints.
STEPS, EVERY = 80, 2

#: A save changes the disk 16 times: a directory is made, eight files, the manifest and the directory are flushed, it
#: gets its name, that is flushed, an older one is taken aside and removed. Processes die before such a change: two in
#: the first save of all, the others before each one of their second save.
DEATHS = (3, 13, *range(18, 36))


def train(directory: Path, weights: Path | None) -> None:
    """Go on where the files are, to the end."""
    torch.set_num_threads(1)
    run = Run()
    guard = run.guarded(directory, every=EVERY)
    with (directory.parent / "starts").open("a") as starts:
        starts.write(f"{guard.step}\n")
    exported = run.make(guard, STEPS)
    if weights is not None:
        save_file(exported, weights)


def dies_at(count: int) -> None:
    """Let this process kill itself before the count-th time that it changes something on the disk."""
    left = iter(range(count - 1))

    def mortal(act: Callable[..., object]) -> Callable[..., object]:
        def change(*args: object, **kwargs: object) -> object:
            if next(left, None) is None:
                os.kill(os.getpid(), signal.SIGKILL)
            return act(*args, **kwargs)

        return change

    os.fsync = mortal(os.fsync)  # type: ignore[assignment]
    Path.rename = mortal(Path.rename)  # type: ignore[method-assign,assignment]
    Path.mkdir = mortal(Path.mkdir)  # type: ignore[method-assign]
    shutil.rmtree = mortal(shutil.rmtree)  # type: ignore[assignment]


def alive(directory: Path, weights: Path | None, *, changes: int = 0, seconds: float = 0.0) -> int:
    """One life; 0, or minus the signal that ended it."""
    child = os.fork()
    if not child:
        code = 1
        try:
            if changes:
                dies_at(changes)
            train(directory, weights)
            code = 0
        finally:
            os._exit(code)
    if seconds:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main(place: Path, seed: int) -> None:
    """An undisturbed run, one that dies at every point of a save and at random moments, and what came of both."""
    drawn = random.Random(seed)
    quiet, hard = place / "quiet" / "run", place / "hard" / "run"
    for directory in (quiet, hard):
        directory.parent.mkdir()
    began = time.perf_counter()
    first = alive(quiet, place / "quiet.safetensors")
    took = time.perf_counter() - began
    staged = [alive(hard, None, changes=changes) for changes in DEATHS[:2]]
    sudden = [alive(hard, None, seconds=drawn.uniform(0, took / 16)) for _ in range(4)]
    staged += [alive(hard, None, changes=changes) for changes in DEATHS[2:]]
    last = alive(hard, place / "hard.safetensors")
    starts = [int(line) for line in (place / "hard" / "starts").read_text().split()]
    left = sorted(path.name for path in hard.iterdir())
    ends = {"undisturbed": [first, last], "staged": staged, "sudden": sudden}
    json.dump({"ends": ends, "starts": starts, "left": left}, sys.stdout)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
