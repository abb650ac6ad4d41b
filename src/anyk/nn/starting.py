"""Training runs whose nodes are processes: how they are started, and what is believed of what they say."""

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from anyk.errors import ClusterError, InputError
from anyk.nn.places import digest
from anyk.nn.ranks import ONE_THREAD
from anyk.nn.training import Trained


def become_torchrun(nodes: int, options: Sequence[str], restarts: int = 3) -> NoReturn:
    """Let torchrun take the place of this process: it starts ``anyk.nn.train`` as P ranks of this machine.

    Args:
        nodes: P.
        options: of ``anyk train``.
        restarts: how often all ranks are started again where one has died.
    """
    settings = ["--standalone", f"--nproc-per-node={nodes}", f"--max-restarts={restarts}", "-m", "anyk.nn.train"]
    # Where ranks are started again, they must not read where those before them were.
    environment = {"OMP_NUM_THREADS": "1", **os.environ, "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, "-m", "torch.distributed.run", *settings, *options], environment)


def processes(nodes: int, options: Sequence[str]) -> Trained:
    """Start ``anyk.nn.train`` as P ranks of this machine that meet at a board, and return what they agree upon.

    Args:
        nodes: P.
        options: of ``anyk train``.

    Raises:
        ClusterError: no rank came to its end.
    """
    with tempfile.TemporaryDirectory(prefix="anyk-ranks-") as place:
        told = Path(place) / "launched.json"
        settings = [f"--nodes={nodes}", f"--told={told}", "anyk.nn.train", *options, f"--outcome={place}"]
        command = [sys.executable, "-m", "anyk.nn.ranks", *settings]
        ended = subprocess.run(command, env={**os.environ, **ONE_THREAD}, stdin=subprocess.DEVNULL, check=False)
        if ended.returncode or not told.exists():
            raise ClusterError(f"no rank came to its end (status {ended.returncode}). What was written above says why.")
        return _believed(Path(place), json.loads(told.read_text()))


def _believed(place: Path, launched: Mapping[str, Any]) -> Trained:
    """What most ranks have trained, as the one of them tells it that was there all the time."""
    found = []
    for path in sorted(place.glob("rank-*")):
        with suppress(InputError):  # it died while it wrote
            found.append(Trained.read(path))
    if not found:
        raise ClusterError("the ranks came to their end, and none of them has told what it has trained.")
    digests = [digest(each.weights) for each in found]
    usual = Counter(digests).most_common(1)[0][0]
    alike = [each for each, own in zip(found, digests, strict=True) if own == usual]
    best = min(alike, key=lambda each: each.run.joined)
    lost, left_out = (tuple(launched[name]) for name in ("lost", "left_out"))
    return replace(best, run=replace(best.run, ranks_lost=lost, ranks_left_out=left_out))
