"""Any torch model on unreliable nodes: linear layers coded, all else replicated, each node with its own copy."""

import copy
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils import _pytree as pytree

from anyk.errors import InputError
from anyk.nn.codes import TrainingCode
from anyk.nn.collective import Collective
from anyk.nn.convolution import CodedConv2d
from anyk.nn.export import exported
from anyk.nn.linear import CodedLinear, ReplicatedParameter, agreed, copied
from anyk.screening import Model

#: Layers that mix the samples of a batch into their state while they run: nodes' copies would meet unseen.
_MIXING = (nn.modules.batchnorm._BatchNorm,)


def protect(
    module: nn.Module,
    code: TrainingCode,
    collective: Collective,
    *,
    model: Model = "random",
    products: torch.dtype | None = None,
) -> "Protected":
    """The same model with every `nn.Linear` and `nn.Conv2d` coded; ``module`` itself is left as it is.

    Args:
        module: any model whose forward pass runs under `torch.vmap` (most do): MLPs, transformers, mixers.
        code: how weights are stored and multiplied.
        collective: how nodes meet.
        model: what errors may be like, ``"random"`` or ``"adversarial"``.
        products: precision of products, see `CodedLinear`.

    Returns:
        A model that is called and trained like ``module``, with `CodedSGD`.

    Raises:
        InputError: nothing to code, or a layer that mixes the samples of a batch (BatchNorm).

    >>> from anyk.nn import VirtualNodes, generalized_polydot
    >>> net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
    >>> coded = protect(net, generalized_polydot(2, 2, nodes=8), VirtualNodes(8))
    >>> x = torch.randn(5, 8)
    >>> torch.allclose(coded(x), net(x), atol=1e-5)
    True
    """
    return Protected(module, code, collective, model, products)


class Protected(nn.Module):
    """A model whose every node keeps its own copy of all that is not coded; see `protect`."""

    def __init__(
        self, module: nn.Module, code: TrainingCode, collective: Collective, model: Model, products: torch.dtype | None
    ) -> None:
        super().__init__()
        plain = copy.deepcopy(module)
        for name, part in plain.named_modules():
            if isinstance(part, _MIXING):
                raise InputError(
                    f"protect: {name or 'the module'} is a {type(part).__name__}, which mixes the samples of a batch "
                    "into its state. Use LayerNorm or GroupNorm."
                )
        self.collective = collective
        uses = Counter(id(param) for part in plain.modules() for param in part.parameters(recurse=False))
        tied = {param for param, times in uses.items() if times > 1}

        def coded(part: nn.Module, path: str) -> nn.Module:
            """The part with all that can be coded replaced, depth first; weights used twice stay replicated."""
            if type(part) is nn.Linear and id(part.weight) not in tied:
                layer = CodedLinear.from_linear(part, code, collective, model=model, products=products)
                layer.program.name = path or "linear"
                return layer
            if type(part) is nn.Conv2d and part.groups == 1 and id(part.weight) not in tied:
                return CodedConv2d.from_convolution(part, code, collective, path, model=model, products=products)
            if type(part) is nn.GroupNorm:
                part.__class__ = _GroupNorm
            for name, child in part.named_children():
                setattr(part, name, coded(child, f"{path}.{name}" if path else name))
            return part

        self.module = coded(plain, "")
        self.layers = [part for part in self.module.modules() if isinstance(part, CodedLinear)]
        if not self.layers:
            raise InputError(f"protect: {type(module).__name__} has no Linear or Conv2d to code.")
        shared = {id(param) for layer in self.layers for param in layer.parameters(recurse=False)}
        for layer in self.layers:
            layer.separate = True
        stacked: dict[int, nn.Parameter] = {}
        for part in self.module.modules():
            for name, param in list(part.named_parameters(recurse=False)):
                if id(param) not in shared:
                    copies = param.detach().expand(len(collective.here), *param.shape).clone()
                    part.register_parameter(
                        name, stacked.setdefault(id(param), ReplicatedParameter(copies, param.requires_grad))
                    )

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Run the model at every node, and give what most of them hold.

        Raises:
            Uncorrectable: more wrong nodes than can be located.
        """
        params, buffers = dict(self.module.named_parameters()), dict(self.module.named_buffers())

        values, form = pytree.tree_flatten((args, kwargs))
        traced = [isinstance(value, Tensor) and value.requires_grad for value in values]
        given = [copied(value, self.collective) if each else value for value, each in zip(values, traced, strict=True)]
        places = [0 if each else None for each in traced]

        def one(mine: dict[str, Tensor], *given: Any) -> Any:
            args, kwargs = pytree.tree_unflatten(given, form)
            return functional_call(self.module, {**mine, **buffers}, args, kwargs)

        with _plain_attention():
            copies = torch.vmap(one, in_dims=(0, *places), randomness="same")(params, *given)
        return pytree.tree_map(lambda each: agreed(each, self.collective), copies)

    def train(self, mode: bool = True) -> "Protected":
        """Switch between training and evaluation; before evaluation everything stored is verified and mended.

        Raises:
            Uncorrectable: more wrong blocks than can be located.
        """
        if not mode and self.training:
            self.verify()
        return cast("Protected", super().train(mode))

    def verify(self) -> list[int]:
        """Check everything stored by random probes and mend what is wrong; return the nodes it was wrong at.

        Raises:
            Uncorrectable: more wrong blocks than can be located.
        """
        wrong = {node for layer in self.layers for node in layer.program.mend(layer.state, everybody=True)}
        coded = {id(layer.coded) for layer in self.layers}
        with torch.no_grad():
            for param in self.parameters():
                if id(param) not in coded:
                    param.copy_(self.collective.agree(param, "replicated", everybody=True))
        return sorted(wrong)

    def export(self) -> dict[str, Tensor]:
        """An ordinary ``state_dict`` for the model that was protected, verified first.

        Raises:
            Uncorrectable: more wrong blocks than can be located.
        """
        self.verify()
        return exported(self.module)


class _GroupNorm(nn.GroupNorm):
    """Torch's own cannot run node by node."""

    def forward(self, inputs: Tensor) -> Tensor:
        grouped = inputs.reshape(inputs.shape[0], self.num_groups, -1)
        normal = functional.layer_norm(grouped, grouped.shape[2:], eps=self.eps).reshape(inputs.shape)
        if not self.affine:
            return normal
        shape = -1, *[1] * (inputs.dim() - 2)
        return normal * self.weight.reshape(shape) + self.bias.reshape(shape)


@contextmanager
def _plain_attention() -> Iterator[None]:
    """Torch's fused inference paths read weights past the layers that hold them, and cannot run node by node."""
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
