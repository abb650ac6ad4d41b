"""A training run between two steps, as a value."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from torch import Tensor

#: Every node has a block of its own; every node has a copy; one for the process: what is not protected, and buffers.
Kind = Literal["coded", "replicated", "common"]


class Stateful(Protocol):
    """Whatever gives its state as plain values and takes it back: a schedule, a sampler."""

    def state_dict(self) -> Any:
        """The state: None, booleans, numbers and strings, and lists, tuples and dictionaries of them."""
        ...

    def load_state_dict(self, state: Any) -> Any:
        """Take it back."""
        ...


@dataclass(frozen=True, eq=False)
class State:
    """A training run between two steps.

    Args:
        step: updates made so far.
        tensors: by name; coded and replicated ones of shape (L, …), for the nodes here.
        kinds: of the same names.
        groups: settings of the optimizer's groups, learning rate and all.
        updates: of each coded layer since its weights were encoded.
        random: state of torch's random number generators, by device.
        others: what else is put back with it.
    """

    step: int
    tensors: Mapping[str, Tensor]
    kinds: Mapping[str, Kind]
    groups: Sequence[Mapping[str, Any]]
    updates: Mapping[str, int]
    random: Mapping[str, Tensor]
    others: Sequence[Any]

    def copied(self) -> "State":
        """The same with tensors of its own."""
        tensors = {key: tensor.clone() for key, tensor in self.tensors.items()}
        return State(self.step, tensors, self.kinds, self.groups, self.updates, self.random, self.others)
