"""A parameter whose gradient stays two thin factors until somebody asks for it.

The gradient of a layer's weights is a product of the deltas and the inputs of a batch. Nobody needs it formed in order
to subtract it: an update by the factors reads and writes the weights once, and neither makes nor keeps a tensor as
large as they are.
"""

from typing import Any

import torch
from torch import Tensor, nn

#: Row (L, B, h) and column (L, B, w) of a gradient row^T col, shape (L, h, w).
Factors = tuple[Tensor, Tensor]


class FactoredParameter(nn.Parameter):
    """Shape (L, h, w). ``grad`` is what it always is; whoever reads it gets it formed.

    Attributes:
        factors: of the part of the gradient that is not formed.
    """

    def __init__(self, data: Tensor, requires_grad: bool = True) -> None:
        self.factors: list[Factors] = []

    @property
    def formed(self) -> Tensor | None:
        """The part of the gradient that is formed already."""
        grad: Tensor | None = torch.Tensor.grad.__get__(self)
        return grad

    @property
    def grad(self) -> Tensor | None:
        """The gradient, formed now if need be."""
        factors, self.factors = self.factors, []
        for row, col in factors:
            part = torch.matmul(row.transpose(1, 2), col)
            self._form(part if self.formed is None else self.formed.add_(part))
        return self.formed

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        self.factors = []
        self._form(value)

    def _form(self, value: Tensor | None) -> None:
        torch.Tensor.grad.__set__(self, value)

    def backward_of(self, row: Tensor, col: Tensor, node: object) -> Tensor | None:
        """What the backward pass hands on as this parameter's gradient; None: the factors were kept instead.

        Args:
            row: shape (L, B, h).
            col: shape (L, B, w).
            node: of the graph, that is handed the gradient.
        """
        numbers = sum(each.numel() for pair in (*self.factors, (row, col)) for each in pair)
        if numbers < self.numel() and not _is_watched(self) and _adds_up(node):
            self.factors.append((row, col))
            return None
        return torch.matmul(row.transpose(1, 2), col)

    @torch.no_grad()
    def add_gradient_to(self, target: Tensor, *, beta: float, alpha: float, scales: Tensor | None) -> None:
        """``target = beta target + alpha gradient``, in place.

        Args:
            target: shape (L, h, w); the parameter itself, or its velocity.
            beta: factor on the target.
            alpha: factor on the gradient.
            scales: further factors on each node's gradient, shape (L,).
        """
        if self.factors:
            row, col = (torch.cat(each, dim=1) for each in zip(*self.factors, strict=True))
            row = row if scales is None else row * scales.to(row)[:, None, None]
            target.baddbmm_(row.transpose(1, 2), col, beta=beta, alpha=alpha)
            beta = 1
        add_gradient_to(target, self.formed, beta=beta, alpha=alpha, scales=scales)


def add_gradient_to(target: Tensor, grad: Tensor | None, *, beta: float, alpha: float, scales: Tensor | None) -> None:
    """``target = beta target + alpha grad``, in place; see `FactoredParameter.add_gradient_to`."""
    if beta != 1:
        target.mul_(beta)
    if grad is not None:
        if scales is not None:
            grad = grad * scales.to(grad).reshape(*scales.shape, *[1] * (grad.dim() - scales.dim()))
        target.add_(grad, alpha=alpha)


def _is_watched(parameter: Any) -> bool:
    """Somebody has put a hook on the parameter, to see its gradient."""
    return bool(parameter._backward_hooks or getattr(parameter, "_post_accumulate_grad_hooks", None))


def _adds_up(node: Any) -> bool:
    """Whether the backward pass under way adds to ``grad`` of the leaf behind a node.

    Not so in ``torch.autograd.grad`` and ``backward(inputs=…)`` of other tensors. Where torch does not say, gradients
    are formed.
    """
    asked = getattr(torch._C, "_will_engine_execute_node", None)
    if asked is None or type(node).__name__ != "AccumulateGrad":
        return False
    try:
        return bool(asked(node))
    except RuntimeError:  # torch.autograd.grad with regard to the leaf itself
        return False
