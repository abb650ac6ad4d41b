"""A linear layer whose weights live coded on the nodes, are never decoded and never encoded again."""

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from anyk.errors import InputError
from anyk.nn.codes import TrainingCode
from anyk.nn.collective import Collective
from anyk.nn.factored import FactoredParameter
from anyk.nn.program import Program
from anyk.screening import Model

#: Of copies, blocks, bias and layer.
Gradients = tuple[Tensor | None, Tensor | None, Tensor | None, None]


class CodedParameter(FactoredParameter):
    """Blocks of one weight matrix, one for each node here: shape (L, h, w). ``layer`` is whose."""

    layer: "CodedLinear"

    @classmethod
    def of(cls, blocks: Tensor, layer: "CodedLinear", requires_grad: bool) -> "CodedParameter":
        """The blocks of a layer."""
        parameter = cls(blocks, requires_grad)
        parameter.layer = layer
        return parameter


class ReplicatedParameter(nn.Parameter):
    """Copies of the same numbers, one for each node here: shape (L, …)."""


class CodedLinear(nn.Module):
    """``y = x W^T + b`` on coded weights: forward, backward and update, each right while few enough nodes are wrong.

    Used as any `torch.nn.Linear`, with `anyk.nn.CodedSGD` as optimizer. By itself it takes and gives plain tensors:
    what lies between two such layers is the caller's own. Inside `anyk.nn.protect` every node keeps its own copy of
    all there is between the layers, too.

    Args:
        in_features: size of an input sample; any (it is padded to the grid).
        out_features: size of an output sample; any.
        code: how W is stored and multiplied.
        collective: how nodes meet.
        bias: add one; every node has its own copy.
        model: what errors may be like, ``"random"`` or ``"adversarial"``.
        dtype: of weights and products; default: torch's.
        products: precision of the products, where it is less than that of the stored weights (``torch.bfloat16``:
            copies for multiplying, made anew for each product).

    Raises:
        InputError: sizes that are not integers of at least 1, a collective of another number of nodes.

    >>> from anyk.nn import CodedLinear, VirtualNodes, generalized_polydot
    >>> layer = CodedLinear(6, 4, generalized_polydot(2, 2, nodes=8), VirtualNodes(8))
    >>> layer(torch.zeros(3, 6)).shape
    torch.Size([3, 4])
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        code: TrainingCode,
        collective: Collective,
        *,
        bias: bool = True,
        model: Model = "random",
        dtype: torch.dtype | None = None,
        products: torch.dtype | None = None,
    ) -> None:
        for name, size in (("in_features", in_features), ("out_features", out_features)):
            if type(size) is not int or size < 1:
                raise InputError(f"`CodedLinear({name}={size!r})` needs an integer of at least 1.")
        if model not in ("random", "adversarial"):
            raise InputError(f"`CodedLinear(model={model!r})` is unknown. Use 'random' or 'adversarial'.")
        plain = nn.Linear(in_features, out_features, bias, dtype=dtype)
        self._adopt(plain, code, collective, model, products)

    @classmethod
    def from_linear(
        cls,
        linear: nn.Linear,
        code: TrainingCode,
        collective: Collective,
        *,
        model: Model = "random",
        products: torch.dtype | None = None,
    ) -> "CodedLinear":
        """Encode the weights of an ordinary layer, once."""
        layer = cls.__new__(cls)
        layer._adopt(linear, code, collective, model, products)
        return layer

    def _adopt(
        self,
        plain: nn.Linear,
        code: TrainingCode,
        collective: Collective,
        model: Model,
        products: torch.dtype | None,
    ) -> None:
        if code.nodes != collective.nodes:
            raise InputError(
                f"{code} is for {code.nodes} nodes and the collective has {collective.nodes}. Make them equal."
            )
        super().__init__()
        self.in_features, self.out_features = plain.in_features, plain.out_features
        self.code, self.products, self.separate = code, products, False
        self.program = Program(code, collective, model, "linear")
        self.coded = CodedParameter.of(self.encoded(plain.weight), self, plain.weight.requires_grad)
        self.bias: nn.Parameter | None = None
        if plain.bias is not None:
            copies = plain.bias.detach().repeat(len(collective.here), 1)
            self.bias = ReplicatedParameter(copies, plain.bias.requires_grad)
        self.momentum: list[Tensor] = []
        self.keeps_factors = False
        self.factors: list[tuple[Tensor, Tensor]] = []

    def __setstate__(self, state: dict[str, Any]) -> None:  # a copy's parameter belongs to the copy
        super().__setstate__(state)
        self.coded = CodedParameter.of(self.coded.detach(), self, self.coded.requires_grad)

    def extra_repr(self) -> str:
        """For printing."""
        return f"{self.in_features}, {self.out_features}, {self.code}"

    @property
    def collective(self) -> Collective:
        """How its nodes meet."""
        return self.program.collective

    @property
    def state(self) -> Sequence[Tensor]:
        """Everything stored with the code: the blocks of W, and of its momentum where there is one."""
        return [self.coded.detach(), *self.momentum]

    # --- the layer ----------------------------------------------------------------------------------------------------

    def forward(self, inputs: Tensor) -> Tensor:
        """Multiply.

        Args:
            inputs: shape (…, in_features).

        Returns:
            Shape (…, out_features).

        Raises:
            InputError: inputs of another size or dtype.
            Uncorrectable: more wrong nodes than can be located.
        """
        if inputs.shape[-1] != self.in_features:
            raise InputError(f"{self} takes inputs of shape (…, {self.in_features}), not {tuple(inputs.shape)}.")
        if inputs.dtype != self.coded.dtype:
            raise InputError(
                f"{self} holds {self.coded.dtype} weights and got {inputs.dtype} inputs. Convert one of them."
            )
        if self.separate:  # inside `protect`: this is one node's own copy
            return cast(Tensor, _OneNode.apply(inputs, self.coded, self.bias, self))
        return agreed(multiply(copied(inputs, self.collective), self.coded, self.bias, self), self.collective)

    # --- from and to ordinary weights ---------------------------------------------------------------------------------

    def encoded(self, weight: Tensor) -> Tensor:
        """The blocks of the nodes here, shape (L, h, w), of an ordinary weight (out_features, in_features)."""
        code = self.code
        height, width = -(-self.out_features // code.rows), -(-self.in_features // code.inner)
        padded = torch.zeros(code.rows * height, code.inner * width, dtype=torch.float64)
        padded[: self.out_features, : self.in_features] = weight.detach()
        blocks = padded.reshape(code.rows, height, code.inner, width).transpose(1, 2)
        here = self.program.collective.here
        mixed = torch.from_numpy(code.encode(blocks.numpy()))[here.start : here.stop]
        return mixed.to(weight.device, weight.dtype)

    @property
    def weight(self) -> Tensor:
        """W decoded, shape (out_features, in_features), after the stored blocks were verified.

        Raises:
            Uncorrectable: more wrong blocks than can be located.
        """
        self.program.mend(self.state, everybody=True)
        return self.program.decoded_matrix(self.coded)[: self.out_features, : self.in_features].clone()


# --- what nodes do, as functions autograd can follow ------------------------------------------------------------------


def multiply(copies: Tensor, coded: Tensor, bias: Tensor | None, layer: CodedLinear) -> Tensor:
    """The layer on every node's copy: (L, …, N_in) -> (L, …, N_out)."""
    flat = copies.reshape(len(copies), -1, copies.shape[-1])
    product = cast(Tensor, _EveryNode.apply(flat, coded, bias, layer))
    return product.reshape(*copies.shape[:-1], layer.out_features)


def copied(values: Tensor, collective: Collective) -> Tensor:
    """A copy for every node here, shape (L, …); its gradient is what most nodes hold, once."""
    return cast(Tensor, _Copied.apply(values, collective))


def agreed(copies: Tensor, collective: Collective) -> Tensor:
    """What most nodes hold, once; its gradient goes to every node."""
    return cast(Tensor, _Agreed.apply(copies, collective))


class _EveryNode(torch.autograd.Function):
    """All nodes of this process at once."""

    @staticmethod
    def forward(ctx: Any, copies: Tensor, coded: Tensor, bias: Tensor | None, layer: CodedLinear) -> Tensor:
        program, height = layer.program, coded.shape[1] * layer.code.rows
        copies = program.collective.strike("activation", copies, program.name)
        blocks = coded.detach()
        padded = _padded(copies, coded.shape[2] * layer.code.inner)
        done = program.product("forward", padded, blocks, [blocks, *layer.momentum], layer.products)
        product = done.decoded[..., : layer.out_features] if height != layer.out_features else done.decoded
        ctx.layer, ctx.blocks, ctx.copies, ctx.encoded, ctx.bias = (
            layer,
            blocks,
            done.copies,
            done.encoded,
            bias is not None,
        )
        return product.clone() if bias is None else product + bias[:, None]

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Gradients:
        layer, program = ctx.layer, ctx.layer.program
        code, (_, height, _) = layer.code, ctx.blocks.shape
        grad = program.collective.strike("hadamard", grad, program.name)
        deltas = _padded(grad, height * code.rows)
        back, row = None, None
        if ctx.needs_input_grad[0]:
            done = program.product("backward", deltas, ctx.blocks, [ctx.blocks, *layer.momentum], layer.products)
            back, deltas = done.decoded[..., : layer.in_features], done.copies
            row = done.encoded if code.backward.inputs is code.row else None
        # Without a product nothing checks the gradient here: what is wrong with it shows at the next forward product.
        row = program.encoded("backward", deltas, code.row) if row is None else row
        col = ctx.encoded if code.forward.inputs is code.col else program.encoded("forward", ctx.copies, code.col)
        if layer.keeps_factors:
            layer.factors.append((deltas, ctx.copies))
        if layer.momentum:
            program.changes = row.flatten(1).norm(dim=1) * col.flatten(1).norm(dim=1)
        bias = deltas[..., : layer.out_features].sum(dim=1) if ctx.bias else None
        gradient = None
        if ctx.needs_input_grad[1]:
            gradient = layer.coded.backward_of(row, col, ctx.next_functions[1][0])
        return back, gradient, bias, None


class _OneNode(torch.autograd.Function):
    """One node's view of the layer, under `torch.vmap` over the nodes: there, all of them meet."""

    @staticmethod
    def forward(copies: Tensor, coded: Tensor, bias: Tensor | None, layer: CodedLinear) -> Tensor:
        raise RuntimeError("a protected layer runs only inside its protected model")

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        """Nothing is kept here: `_EveryNode` does."""

    @staticmethod
    def vmap(
        info: Any,
        in_dims: tuple[int | None, ...],
        copies: Tensor,
        coded: Tensor,
        bias: Tensor | None,
        layer: CodedLinear,
    ) -> tuple[Tensor, int]:
        place = in_dims[0]
        every = copies.expand(info.batch_size, *copies.shape) if place is None else copies.movedim(place, 0)
        return multiply(every, coded, bias, layer), 0


class _Copied(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, collective: Collective) -> Tensor:
        ctx.collective = collective
        return values.expand(len(collective.here), *values.shape)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return grad[ctx.collective.reveal(grad)], None


class _Agreed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, copies: Tensor, collective: Collective) -> Tensor:
        ctx.count = len(copies)
        return copies[collective.reveal(copies)].clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return grad.expand(ctx.count, *grad.shape), None


def _padded(copies: Tensor, size: int) -> Tensor:
    """With zeros behind the features, where there are fewer than ``size``; padding by none would copy them."""
    return functional.pad(copies, (0, size - copies.shape[-1])) if copies.shape[-1] < size else copies
