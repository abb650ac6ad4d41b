"""What the nodes hold: every stored tensor of a model and its optimizer, verified, copied and put back as one thing.

Blocks are checked against their code, copies against the majority.
"""

import copy
from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from anyk.errors import InputError
from anyk.nn.drift import drift
from anyk.nn.export import exported
from anyk.nn.linear import CodedLinear, CodedParameter, ReplicatedParameter
from anyk.nn.optim import CodedSGD
from anyk.nn.program import Program
from anyk.nn.protect import Protected
from anyk.nn.state import Kind, State, Stateful


class Inventory:
    """A model with coded layers, its optimizer, and what else is put back with them.

    Args:
        module: holds at least one `CodedLinear`.
        optimizer: of its parameters.
        others: schedules, samplers and the like.

    Raises:
        InputError: no coded layer, several collectives, an optimizer of other parameters.
    """

    def __init__(self, module: nn.Module, optimizer: CodedSGD, others: Sequence[Stateful] = ()) -> None:
        self.module, self.optimizer, self.others = module, optimizer, tuple(others)
        if not isinstance(optimizer, CodedSGD):
            raise InputError(f"Guard: coded weights are updated by anyk.nn.CodedSGD, not {type(optimizer).__name__}.")
        self.layers = {name: part for name, part in module.named_modules() if isinstance(part, CodedLinear)}
        if not self.layers:
            raise InputError(
                f"Guard: {type(module).__name__} has no coded layer to guard. Use anyk.nn.protect or CodedLinear."
            )
        meetings = {id(layer.collective): layer.collective for layer in self.layers.values()}
        if len(meetings) > 1:
            raise InputError("Guard: the layers of the model have different collectives. Give all of them the same.")
        self.collective = next(iter(meetings.values()))
        self._names = {id(param): name for name, param in module.named_parameters()}
        if not all(id(param) in self._names for group in optimizer.param_groups for param in group["params"]):
            raise InputError("Guard: the optimizer holds parameters that are not the model's. Give both the same.")

    # --- all that is stored -------------------------------------------------------------------------------------------

    def state(self, step: int) -> State:
        """Everything as it is now; the tensors are the stored ones themselves."""
        tensors: dict[str, Tensor] = {}
        kinds: dict[str, Kind] = {}
        for name, param in self.module.named_parameters():
            kind = _kind(param)
            tensors[f"parameter/{name}"], kinds[f"parameter/{name}"] = param.detach(), kind
            velocity = self.optimizer.state.get(param, {}).get("momentum_buffer")
            if velocity is not None:
                tensors[f"momentum/{name}"], kinds[f"momentum/{name}"] = velocity, kind
        kept = self.module.state_dict(keep_vars=True)
        for name, buffer in self.module.named_buffers():
            if name in kept:
                tensors[f"buffer/{name}"], kinds[f"buffer/{name}"] = buffer, "common"
        groups = [{key: value for key, value in group.items() if key != "params"} for group in self.groups]
        updates = {name: layer.program.updates for name, layer in self.layers.items()}
        others = [copy.deepcopy(other.state_dict()) for other in self.others]
        return State(step, tensors, kinds, groups, updates, self._random(), others)

    def put_back(self, state: State) -> None:
        """Make everything as it was; gradients and what a broken-off step has left behind are forgotten."""
        self.forget()
        velocities: dict[str, Tensor] = {}
        params, buffers = dict(self.module.named_parameters()), dict(self.module.named_buffers())
        with torch.no_grad():
            for key, tensor in state.tensors.items():
                where, name = key.split("/", 1)
                if where == "momentum":
                    velocities[name] = tensor
                else:
                    (params if where == "parameter" else buffers)[name].copy_(tensor)
        for name, param in params.items():
            self.put_velocity(param, velocities.get(name))
        self.watch_velocities()
        for group, settings in zip(self.groups, state.groups, strict=True):
            group.update(settings)
        for name, updates in state.updates.items():
            self.layers[name].program.updates = updates
        for other, saved in zip(self.others, state.others, strict=True):
            other.load_state_dict(copy.deepcopy(saved))
        for device, random in state.random.items():
            if device == "cpu":
                torch.set_rng_state(random)
            elif torch.cuda.is_available():
                torch.cuda.set_rng_state(random, device)

    def forget(self) -> None:
        """No gradients, no factors of them, nobody to be refreshed."""
        for param in self.module.parameters():
            param.grad = None
        for layer in self.layers.values():
            layer.factors.clear()
        self.collective.health.caught.clear()

    def watch_velocities(self) -> None:
        """Velocities of coded weights are stored with them."""
        for layer in self.layers.values():
            velocity = self.optimizer.state.get(layer.coded, {}).get("momentum_buffer")
            layer.momentum = [] if velocity is None else [velocity]

    def put_velocity(self, param: nn.Parameter, saved: Tensor | None) -> None:
        """Of one parameter; None: it has none."""
        own = self.optimizer.state.get(param, {})
        if saved is None:
            own.pop("momentum_buffer", None)
        elif "momentum_buffer" in own:
            own["momentum_buffer"].copy_(saved)
        else:
            self.optimizer.state[param]["momentum_buffer"] = saved.to(param, copy=True)

    @property
    def groups(self) -> list[dict[str, Any]]:
        """Of the optimizer."""
        return self.optimizer.param_groups

    def _random(self) -> dict[str, Tensor]:
        devices = {param.device for param in self.module.parameters() if param.device.type == "cuda"}
        return {"cpu": torch.get_rng_state()} | {str(device): torch.cuda.get_rng_state(device) for device in devices}

    # --- right or wrong -----------------------------------------------------------------------------------------------

    def verify(self) -> list[int]:
        """Check all that nodes store by random probes and mend what is wrong; return the nodes it was wrong at.

        Weights and velocities are checked against the code, replicated ones against the majority.

        Raises:
            Uncorrectable: more wrong blocks than can be located.
        """
        wrong: set[int] = set()
        for layer in self.layers.values():
            wrong.update(layer.program.mend(layer.state, everybody=True))
        now = self.state(0)
        with torch.no_grad():
            for key, tensor in now.tensors.items():
                if now.kinds[key] == "replicated":
                    tensor.copy_(self.collective.agree(tensor, "replicated", everybody=True))
        return sorted(wrong)

    def regenerate(self, state: State, lost: Sequence[int]) -> None:
        """Fill in what lost nodes stored: their blocks from the others' blocks, their copies from the others' copies.

        Args:
            state: of which the lost nodes' parts are not filled; changed in place.
            lost: some nodes.

        Raises:
            Uncorrectable: more lost than the code bears; nothing was put into the model.
        """
        if lost:
            self._fill(state, list(lost), [node for node in range(self.collective.nodes) if node not in lost])

    def program_of(self, key: str) -> Program:
        """Of a coded tensor's matrix."""
        return self.layers[key.split("/", 1)[1].removesuffix("coded").rstrip(".")].program

    def _fill(self, state: State, nodes: list[int], others: list[int]) -> None:
        """Blocks from the others' blocks, copies from one of the others."""
        for key, tensor in state.tensors.items():
            if state.kinds[key] == "coded":
                self.program_of(key).rebuild(tensor, nodes, others)
            elif state.kinds[key] == "replicated":
                tensor.copy_(self.collective.refresh(tensor, nodes, others))
            else:
                self.copy_common(tensor, nodes, others)
        self.collective.health.note("regenerated", nodes, "all that is stored")

    def copy_common(self, tensor: Tensor, nodes: list[int], others: list[int]) -> None:
        """What the process has one of, from one of the others."""
        copies = tensor.expand(len(self.collective.here), *tensor.shape)
        tensor.copy_(self.collective.refresh(copies, nodes, others)[0])

    def drift(self) -> float:
        """The largest `anyk.nn.drift.drift` of the weights; what velocities carry with them fades."""
        return max(drift(layer.program, layer.coded.detach()) for layer in self.layers.values())

    def reencode(self) -> None:
        """Decode what is stored with a code from all nodes that are asked, and encode it again."""
        asked = np.flatnonzero(self.collective.health.active).tolist()
        for program, stored in self._coded():
            program.rebuild(stored, list(range(self.collective.nodes)), asked)
            program.updates = 0

    def updates(self) -> int:
        """The most updates of a layer since it was encoded."""
        return max(layer.program.updates for layer in self.layers.values())

    def usual(self, seconds: float) -> float:
        """The middle one of what the nodes have measured, the same for all of them; NaN where none of them has."""
        everybodys, came = self.meet(torch.full((len(self.collective.here), 1), seconds, dtype=torch.float64))
        known = everybodys[:, 0].numpy()[came]
        known = known[~np.isnan(known)]
        return float(np.median(known)) if known.size else float("nan")

    def meet(self, pieces: Tensor) -> tuple[Tensor, NDArray[np.bool_]]:
        """Everybody's piece, shape (P, …), on the CPU, and which of them came, shape (P,)."""
        device = next(iter(self.layers.values())).coded.device
        everybodys, came = self.collective.gather(pieces.to(device), self.collective.nodes)
        return everybodys.cpu(), came

    def _coded(self) -> Iterator[tuple[Program, Tensor]]:
        for layer in self.layers.values():
            for stored in layer.state:
                yield layer.program, stored

    # --- for others ---------------------------------------------------------------------------------------------------

    def description(self) -> dict[str, str]:
        """What makes two models the same to a checkpoint: names, shapes, dtypes and codes; not the numbers."""
        now = self.state(0)
        told = {"number of nodes": str(self.collective.nodes)}
        for name, layer in self.layers.items():
            tables = (layer.code.row, layer.code.col, layer.code.forward.inputs, layer.code.backward.inputs)
            digest = sha256(b"".join(table.tobytes() for table in tables)).hexdigest()
            told[f"code of {name or 'the layer'}"] = f"{layer.code}, tables {digest[:12]}"
        for key, tensor in now.tensors.items():
            if not key.startswith("momentum/"):
                kind = now.kinds[key]
                shape = tuple(tensor.shape if kind == "common" else tensor.shape[1:])
                told[key] = f"{kind} {str(tensor.dtype).removeprefix('torch.')} {shape}"
        for place, group in enumerate(self.groups):
            told[f"group {place} of the optimizer"] = " ".join(self._names[id(param)] for param in group["params"])
        return told | {"others": " ".join(type(other).__name__ for other in self.others)}

    def exported(self) -> dict[str, Tensor]:
        """An ordinary ``state_dict``; see `anyk.nn.export.exported`."""
        plain = exported(self.module)
        for path, part in self.module.named_modules():
            if isinstance(part, Protected):
                outer = f"{path}." if path else ""
                inner = f"{outer}module."
                plain = {
                    outer + name.removeprefix(inner) if name.startswith(inner) else name: tensor
                    for name, tensor in plain.items()
                }
        return plain


def _kind(param: nn.Parameter) -> Kind:
    return (
        "coded"
        if isinstance(param, CodedParameter)
        else "replicated"
        if isinstance(param, ReplicatedParameter)
        else "common"
    )
