"""Ranks that have just come get all that the others hold: settings by majority, blocks and copies made anew."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from anyk.nn.agreement import majority
from anyk.nn.inventory import Inventory
from anyk.nn.plain import plain, tagged


def hand_over(inventory: Inventory, counts: Sequence[int], nodes: Sequence[int]) -> list[int]:
    """Give all that is stored to nodes that have just come and hold nothing: everybody calls it at once.

    Blocks are checked on the way: the new ones are made from right ones only.

    Args:
        inventory: of the node here.
        counts: where the node here is; of those that come it does not matter.
        nodes: who comes.

    Returns:
        The counts of the others.

    Raises:
        Uncorrectable: the others' blocks are wrong, or do not determine those of the new ones.
    """
    inventory.forget()
    collective, now = inventory.collective, inventory.state(0)
    told: dict[str, Any] = {
        "counts": list(counts),
        "velocities": sorted(name for name in now.tensors if name.startswith("momentum/")),
        "groups": [tagged(group) for group in now.groups],
        "updates": dict(now.updates),
        "random": {device: random.numpy().tobytes().hex() for device, random in now.random.items()},
        "others": [tagged(other) for other in now.others],
        "health": collective.health.told(),
    }
    text, others = _told(inventory, json.dumps(told), nodes)
    told = json.loads(text)
    collective.health.take(told["health"])
    if set(nodes) & set(collective.here):
        _prepare(inventory, told)
    now = inventory.state(0)
    with torch.no_grad():
        for key, tensor in now.tensors.items():
            if now.kinds[key] == "coded":
                program = inventory.program_of(key)
                program.mended(tensor, program.changes if key.startswith("momentum/") else None, new=nodes)
            elif now.kinds[key] == "replicated":
                tensor.copy_(collective.agree(tensor, "handed over", new=nodes))
            else:
                inventory.copy_common(tensor, list(nodes), others)
    collective.health.note("regenerated", nodes, "all that is stored")
    return list(told["counts"])


def _told(inventory: Inventory, text: str, nodes: Sequence[int]) -> tuple[str, list[int]]:
    """What most of the others say, and who they are."""
    own = np.frombuffer(text.encode(), np.uint8).copy()
    here = len(inventory.collective.here)
    sizes, came = inventory.meet(torch.full((here, 1), float(len(own)), dtype=torch.float64))
    others = [node for node in np.flatnonzero(came).tolist() if node not in nodes]
    size = int(np.median(sizes[others].numpy()))
    padded = np.zeros(size, np.uint8)
    padded[: min(size, len(own))] = own[:size]
    everybodys, came = inventory.meet(torch.from_numpy(padded).repeat(here, 1))
    asked = came.copy()
    asked[list(nodes)] = False
    text = everybodys[majority(everybodys, asked)[0]].numpy().tobytes().decode()
    return text, np.flatnonzero(asked).tolist()


def _prepare(inventory: Inventory, told: Mapping[str, Any]) -> None:
    """Settings as the others have them, and room for what they hold."""
    for name, param in inventory.module.named_parameters():
        wanted = f"momentum/{name}" in told["velocities"]
        inventory.put_velocity(param, torch.zeros_like(param) if wanted else None)
    inventory.watch_velocities()
    for group, settings in zip(inventory.groups, told["groups"], strict=True):
        group.update(plain(settings))
    for name, updates in told["updates"].items():
        inventory.layers[name].program.updates = updates
    for other, state in zip(inventory.others, told["others"], strict=True):
        other.load_state_dict(plain(state))
    for device, random in told["random"].items():
        if device == "cpu":
            torch.set_rng_state(torch.frombuffer(bytearray.fromhex(random), dtype=torch.uint8))
