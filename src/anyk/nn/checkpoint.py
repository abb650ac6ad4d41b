"""Checkpoints as files: one for each node, safetensors, and a manifest; complete or not there at all.

    run/step-000000000050/manifest.json          what was saved, with the SHA-256 of every file and of itself
    run/step-000000000050/node-0000.safetensors  all that node stores: its blocks, its velocities, its copies

A checkpoint is written into a directory with a leading dot, everything is flushed to the disk, and only then the
directory gets its name. Older ones go when a newer one is complete; two are kept. Nothing in them is ever run.
"""

import json
import os
import re
import shutil
from base64 import b64decode, b64encode
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load as tensors_of
from safetensors.torch import save as bytes_of
from torch import Tensor

from anyk.errors import InputError
from anyk.nn.inventory import Inventory
from anyk.nn.plain import plain, tagged
from anyk.nn.state import State

#: Version of what the files look like.
FORMAT = 1

#: Complete checkpoints that stay on the disk.
_KEPT = 2

_MANIFEST, _DIGEST_BYTES = "manifest.json", 32
_UNFINISHED, _OUTDATED = ".saving-", ".removed-"


class Unusable(InputError):
    """One checkpoint cannot be used; an older one may be."""


class Unwritable(InputError):
    """The disk is full, or does not let us write."""


class Checkpoints:
    """The checkpoints of one run, shared by all its processes.

    Args:
        directory: where they are; made if need be. What interrupted saves left there is removed.
        inventory: of what is saved.

    Attributes:
        good: steps of the checkpoints that are known to be usable, ascending.

    Raises:
        InputError: a directory that cannot be made or read.
    """

    def __init__(self, directory: Path, inventory: Inventory) -> None:
        self.directory, self._collective, self._meet = directory, inventory.collective, inventory.meet
        self._description = inventory.description()
        self.good: list[int] = []
        try:
            directory.mkdir(parents=True, exist_ok=True)
            present = list(directory.iterdir())
        except OSError as problem:
            raise InputError(
                f"`Guard(directory={str(directory)!r})` cannot be used: {problem.strerror}. Give a directory that can "
                "be written to."
            ) from problem
        for path in present if 0 in self._collective.here else ():
            if path.name.startswith((_UNFINISHED, _OUTDATED)):
                shutil.rmtree(path, ignore_errors=True)
        if not self._collective.under_way:
            self._meet(torch.ones(len(self._collective.here), 1))

    def steps(self) -> list[int]:
        """Of which steps there are checkpoints, ascending; whether they can be used shows when they are read."""
        found = (re.fullmatch(r"step-(\d{12})", path.name) for path in self.directory.iterdir())
        return sorted(int(match[1]) for match in found if match)

    # --- writing ------------------------------------------------------------------------------------------------------

    def write(self, state: State) -> None:
        """Save a state that was verified; afterwards older checkpoints but one are removed.

        Raises:
            Unwritable: the disk is full or cannot be written to; earlier checkpoints are as they were.
            InputError: the state cannot be saved without running something when it is read.
        """
        facts = self._facts(state)
        unfinished = self.directory / f"{_UNFINISHED}{_name(state.step)}"
        digests = torch.zeros(len(self._collective.here), _DIGEST_BYTES, dtype=torch.uint8)
        problem: OSError | None = None
        try:
            unfinished.mkdir(parents=True, exist_ok=True)
            for place, node in enumerate(self._collective.here):
                digest = _write(unfinished / _file(node), bytes_of(_of_node(state, place), _label(state.step, node)))
                digests[place] = torch.frombuffer(bytearray(digest), dtype=torch.uint8)
        except OSError as error:
            problem = error
        everybodys, came = self._meet(digests)
        written = everybodys.any(dim=1).numpy()
        leads = int(np.flatnonzero(came)[0]) in self._collective.here
        if leads and written[came].all():
            try:
                self._complete(unfinished, facts | {"files": _files(everybodys, came)})
            except OSError as error:
                problem = error
        fine = torch.full((len(self._collective.here), 1), float(problem is None))
        if not bool(self._meet(fine)[0][came].all()):
            shutil.rmtree(unfinished, ignore_errors=True)
            raise Unwritable(
                f"Guard: the checkpoint of step {state.step} cannot be written to {self.directory}: "
                f"{problem.strerror if problem else 'another node failed'}. Earlier checkpoints and the training are "
                "as they were: make room and go on with guard.steps(…)."
            ) from problem
        self.good = [*(step for step in self.good if step != state.step), state.step][-_KEPT:]
        if leads:
            with suppress(OSError):  # what cannot be removed now is tried again next time
                for step in self.steps():
                    if step not in self.good:
                        self._remove(self.directory / _name(step))

    def _facts(self, state: State) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "step": state.step,
            "nodes": self._collective.nodes,
            "model": self._description,
            "kinds": dict(state.kinds),
            "updates": dict(state.updates),
            "groups": [tagged(group) for group in state.groups],
            "random": {device: b64encode(random.numpy().tobytes()).decode() for device, random in state.random.items()},
            "others": [tagged(other) for other in state.others],
        }

    def _complete(self, unfinished: Path, facts: Mapping[str, Any]) -> None:
        text = json.dumps({**facts, "sha256": _digest(facts)}, indent=1, sort_keys=True)
        _write(unfinished / _MANIFEST, text.encode())
        _flush(unfinished)
        final = self.directory / _name(facts["step"])
        if final.exists():  # one that could not be used
            self._remove(final)
        unfinished.rename(final)
        _flush(self.directory)

    def _remove(self, outdated: Path) -> None:
        """Under another name first: a checkpoint is never there in part."""
        aside = outdated.with_name(f"{_OUTDATED}{outdated.name}")
        shutil.rmtree(aside, ignore_errors=True)
        outdated.rename(aside)
        shutil.rmtree(aside, ignore_errors=True)

    # --- reading ------------------------------------------------------------------------------------------------------

    def read(self, step: int) -> tuple[State, dict[int, str]]:
        """One checkpoint, as the nodes here need it.

        Returns:
            The state, and the nodes whose files are lost, each with the reason; their parts of the state are zeros.

        Raises:
            InputError: it is of another model.
            Unusable: it is damaged.
        """
        facts = self._manifest(step)
        files: dict[int, dict[str, Tensor]] = {}
        lost: dict[int, str] = {}
        here = self._collective.here
        for node in sorted(range(self._collective.nodes), key=lambda node: node not in here):
            if node in here or not files:
                try:
                    files[node] = self._file_of(step, node, facts["files"])
                except (OSError, ValueError, SafetensorError) as problem:
                    lost[node] = str(problem)
        flags, came = self._meet(torch.tensor([[float(node in files)] for node in here]))
        gone = [node for node in range(self._collective.nodes) if not came[node] or not flags[node, 0]]
        if not files:
            raise Unusable(f"the checkpoint of step {step} is lost: {lost[here.start]}")
        whole = next(iter(files.values()))
        tensors = {
            key: whole[key]
            if kind == "common"
            else torch.stack([files[node][key] if node in files else torch.zeros_like(whole[key]) for node in here])
            for key, kind in facts["kinds"].items()
        }
        state = State(
            step,
            tensors,
            facts["kinds"],
            [plain(group) for group in facts["groups"]],
            facts["updates"],
            {
                device: torch.frombuffer(bytearray(b64decode(random)), dtype=torch.uint8)
                for device, random in facts["random"].items()
            },
            [plain(other) for other in facts["others"]],
        )
        return state, {node: lost.get(node, "not readable there") for node in gone}

    def adopt(self, step: int) -> None:
        """This one is good: it is kept until two newer ones are."""
        self.good = [step]

    def _manifest(self, step: int) -> dict[str, Any]:
        path = self.directory / _name(step) / _MANIFEST
        try:
            facts = json.loads(path.read_bytes())
            digest = facts.pop("sha256")
        except (OSError, ValueError, KeyError, AttributeError, TypeError) as problem:
            raise Unusable(f"{path} is lost or damaged: {problem}") from problem
        if facts.get("format") != FORMAT:
            raise Unusable(f"{path} is of format {facts.get('format')!r} and this version reads {FORMAT}")
        if digest != _digest(facts):
            raise Unusable(f"{path} is damaged: its SHA-256 is not that of its text")
        there, own = facts["model"], self._description
        if there != own:
            name = next(name for name in sorted({*there, *own}) if there.get(name) != own.get(name))
            raise InputError(
                f"Guard: {self.directory} holds checkpoints of another model: {name} is {there.get(name, 'absent')!r} "
                f"there and {own.get(name, 'absent')!r} here. Give another directory, or that model."
            )
        return facts

    def _file_of(self, step: int, node: int, digests: Mapping[str, str]) -> dict[str, Tensor]:
        path = self.directory / _name(step) / _file(node)
        data = path.read_bytes()
        if sha256(data).hexdigest() != digests.get(path.name):
            raise ValueError(f"{path} is damaged: its SHA-256 is not that of the manifest")
        return tensors_of(data)


def _of_node(state: State, place: int) -> dict[str, Tensor]:
    return {
        key: (tensor if state.kinds[key] == "common" else tensor[place])
        .detach()
        .cpu()
        .clone(memory_format=torch.contiguous_format)
        for key, tensor in state.tensors.items()
    }


def _files(digests: Tensor, came: NDArray[np.bool_]) -> dict[str, str]:
    return {_file(node): digests[node].numpy().tobytes().hex() for node in np.flatnonzero(came).tolist()}


def _label(step: int, node: int) -> dict[str, str]:
    return {"format": f"anyk node {FORMAT}", "step": str(step), "node": str(node)}


def _name(step: int) -> str:
    return f"step-{step:012d}"


def _file(node: int) -> str:
    return f"node-{node:04d}.safetensors"


def _write(path: Path, data: bytes) -> bytes:
    """Write, flush to the disk, and return the SHA-256."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return sha256(data).digest()


def _flush(directory: Path) -> None:
    """Names are on the disk, too."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _digest(facts: Mapping[str, Any]) -> str:
    return sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
