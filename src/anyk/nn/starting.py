"""Training runs whose nodes are processes: how they are started, and what is believed of what they say."""

import os
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from anyk.errors import ClusterError, InputError
from anyk.nn.launch import launch
from anyk.nn.places import digest
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


def processes(nodes: int, options: Sequence[str], *, on_start: Callable[[int, int], None] | None = None) -> Trained:
    """Start ``anyk.nn.train`` as P ranks of this machine that meet at a board, and return what they agree upon.

    Args:
        nodes: P.
        options: of ``anyk train``.
        on_start: called with a rank and its process number whenever one starts.

    Raises:
        ClusterError: no rank came to its end.
    """
    with tempfile.TemporaryDirectory(prefix="anyk-ranks-") as place:
        program = [sys.executable, "-m", "anyk.nn.train", *options, "--outcome", place]
        launched = launch(program, nodes, on_start=on_start)
        told = []
        for path in sorted(Path(place).glob("rank-*")):
            try:
                told.append(Trained.read(path))
            except InputError:  # it died while it wrote
                continue
    if not told:
        raise ClusterError("the ranks came to their end and none of them has told what it has trained.")
    digests = [digest(each.weights) for each in told]
    usual = Counter(digests).most_common(1)[0][0]
    best = min(
        (each for each, own in zip(told, digests, strict=True) if own == usual), key=lambda each: each.run.joined
    )
    run = replace(best.run, ranks_lost=launched.lost, ranks_left_out=launched.left_out)
    return replace(best, run=run)
