"""Where the nodes of a training run are: in this process, or one in each of many; and what all of them say."""

from collections.abc import Mapping
from hashlib import blake2b

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from anyk.nn.collective import Collective, VirtualNodes
from anyk.nn.process_group import ProcessGroup
from anyk.nn.runs import Configuration
from anyk.nn.soft_errors import SoftErrors


def virtual(configuration: Configuration) -> VirtualNodes:
    """All nodes in this process."""
    drawn = np.random.default_rng([configuration.seed, 1])
    errors = SoftErrors(configuration.error_rate, kind=configuration.error_kind, rng=drawn)
    nodes = configuration.code().nodes
    return VirtualNodes(nodes, errors=errors, attempts=configuration.attempts, seed=configuration.seed)


def rank(configuration: Configuration) -> ProcessGroup:
    """One node in this process, its errors its own."""
    group = ProcessGroup(attempts=configuration.attempts, seed=configuration.seed)
    drawn = np.random.default_rng([configuration.seed, 1, group.rank])
    group.errors = SoftErrors(configuration.error_rate, kind=configuration.error_kind, rng=drawn)
    return group


def accounts(
    collective: Collective, weights: Mapping[str, Tensor], struck: NDArray[np.int64], joined: int
) -> tuple[int, NDArray[np.int64]]:
    """In the end, everybody tells what only it knows.

    Args:
        collective: of the nodes.
        weights: as the nodes here have decoded them.
        struck: by the fault model, at the nodes here, shape (L, …).
        joined: how often the nodes here came later.

    Returns:
        The node whose account counts, of those with the weights that most have the one that came first; and who was
        struck, shape (P, …).
    """
    own = np.concatenate([np.full((len(struck), 1), each) for each in (digest(weights), joined)], axis=1)
    told, came = collective.gather(torch.from_numpy(np.concatenate([own, struck], axis=1)), collective.nodes)
    everybodys = told.cpu().numpy()
    digests = everybodys[came, 0].tolist()
    usual = max(digests, key=digests.count)
    alike = [node for node in np.flatnonzero(came).tolist() if everybodys[node, 0] == usual]
    return min(alike, key=lambda node: (everybodys[node, 1], node)), everybodys[:, 2:]


def digest(weights: Mapping[str, Tensor]) -> int:
    """64 bits that stand for some weights."""
    hashed = blake2b(digest_size=8)
    for name, tensor in sorted(weights.items()):
        hashed.update(name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
    return int.from_bytes(hashed.digest(), "big", signed=True)
