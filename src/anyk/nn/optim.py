"""Stochastic gradient descent on coded weights: everything it does is linear, so the weights stay a codeword."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_pre_hook

from anyk.errors import InputError
from anyk.nn.factored import add_gradient_to
from anyk.nn.linear import CodedLinear, CodedParameter, ReplicatedParameter


class CodedSGD(Optimizer):
    """SGD for models with coded layers, equal to `torch.optim.SGD` to rounding.

    Momentum, Nesterov's too, weight decay, learning-rate schedules, gradient accumulation and clipping by the global
    norm commute with the code: each node does them to its own blocks. The global norm comes from Gram matrices of the
    layers' inputs and gradients, which every node has. Element-wise rules (Adam, RMSprop, L1, clipping by value) do
    not commute.

    Args:
        params: of the model, or groups of them; coded ones and replicated ones.
        lr: learning rate, at least 0.
        momentum: of the velocity, at least 0.
        weight_decay: L2, at least 0.
        nesterov: look ahead; needs momentum.
        clip_norm: scale gradients down to this global norm where they are larger; None: never.
        other: anything else is refused with the reason.

    Raises:
        InputError: a setting outside these bounds, or one that does not commute with the code.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        clip_norm: float | None = None,
        **other: object,
    ) -> None:
        if other:
            raise InputError(
                f"`CodedSGD({', '.join(f'{name}=…' for name in other)})` does not exist: coded weights can only "
                "be added and scaled, which element-wise rules (Adam, L1, clipping by value) do not. Use lr, momentum, "
                "nesterov, weight_decay, clip_norm."
            )
        for name, value in (("lr", lr), ("momentum", momentum), ("weight_decay", weight_decay)):
            if not value >= 0:
                raise InputError(f"`CodedSGD({name}={value!r})` needs a number of at least 0.")
        if nesterov and not momentum:
            raise InputError("`CodedSGD(nesterov=True)` looks ahead along the velocity. Give a momentum above 0.")
        if clip_norm is not None and not clip_norm > 0:
            raise InputError(f"`CodedSGD(clip_norm={clip_norm!r})` needs a number above 0, or None for no clipping.")
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "nesterov": nesterov})
        self.clip_norm = clip_norm
        for layer in self.layers():
            layer.keeps_factors = clip_norm is not None

    def layers(self) -> list[CodedLinear]:
        """The coded layers among the parameters."""
        return [param.layer for param in self._params() if isinstance(param, CodedParameter)]

    def _params(self) -> list[nn.Parameter]:
        return [param for group in self.param_groups for param in group["params"]]

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """One update at every node, then fresh copies for those whose replicated numbers differ.

        Args:
            closure: evaluates the model again and returns the loss.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        scales = self._scales()
        for group in self.param_groups:
            for param in group["params"]:
                if _has_gradient(param):
                    self._update(param, group, scales)
        self._refresh()
        return loss

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients, and what their norm is computed from."""
        for layer in self.layers():
            layer.factors.clear()
            layer.coded.factors.clear()
        super().zero_grad(set_to_none)

    # --- one parameter ------------------------------------------------------------------------------------------------

    def _update(self, param: nn.Parameter, group: dict[str, Any], scales: Tensor | None) -> None:
        rate, momentum, decay = group["lr"], group["momentum"], group["weight_decay"]
        velocity = self._velocity(param, momentum, decay, scales) if momentum else None
        if velocity is None or group["nesterov"]:
            _add_gradient(param, param, scales, beta=1 - rate * decay, alpha=-rate)
            rate *= momentum
        if velocity is not None:
            param.add_(velocity, alpha=-rate)
        if isinstance(param, CodedParameter):
            program = param.layer.program
            program.updates += 1
            program.collective.strike("update", param, program.name)

    def _velocity(self, param: nn.Parameter, momentum: float, decay: float, scales: Tensor | None) -> Tensor:
        state = self.state[param]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(param)
            if isinstance(param, CodedParameter):
                param.layer.momentum = [state["momentum_buffer"]]
        velocity: Tensor = state["momentum_buffer"]
        _add_gradient(param, velocity, scales, beta=momentum, alpha=1)
        return velocity.add_(param, alpha=decay) if decay else velocity

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a saved state; velocities are watched over again."""
        super().load_state_dict(state_dict)
        for layer in self.layers():
            buffer = self.state[layer.coded].get("momentum_buffer")
            layer.momentum = [] if buffer is None else [buffer]

    # --- all of them --------------------------------------------------------------------------------------------------

    def _scales(self) -> Tensor | None:
        """Factor on the gradients of each node here, shape (L,); None: no clipping."""
        if self.clip_norm is None:
            return None
        layers = self.layers()
        here = max([len(layer.collective.here) for layer in layers], default=1)
        squares = torch.zeros(here, dtype=torch.float64)
        for param in self._params():
            if isinstance(param, CodedParameter):
                squares += _gram_norm(param.layer).cpu()
            elif param.grad is not None and isinstance(param, ReplicatedParameter):
                squares += param.grad.double().flatten(1).square().sum(dim=1).cpu()
            elif param.grad is not None:
                squares += param.grad.double().square().sum().cpu()
        return (self.clip_norm / squares.sqrt().add(1e-6)).clamp(max=1.0)

    def _refresh(self) -> None:
        """Whoever was caught gets the others' replicated numbers: an error of its own would catch it for ever."""
        layers = self.layers()
        for health in {id(layer.collective.health): layer.collective.health for layer in layers}.values():
            health.step += 1
        if not layers or not layers[0].collective.health.caught:
            return
        collective = layers[0].collective
        for param in self._params():
            if isinstance(param, ReplicatedParameter):
                for copies in (param, self.state[param].get("momentum_buffer")):
                    if copies is not None:
                        copies.copy_(collective.agree(copies, "replicated"))
        collective.health.caught.clear()


def _has_gradient(param: nn.Parameter) -> bool:
    if isinstance(param, CodedParameter) and param.factors:
        return True
    return param.grad is not None


def _add_gradient(param: nn.Parameter, target: Tensor, scales: Tensor | None, *, beta: float, alpha: float) -> None:
    """``target = beta target + alpha gradient of param``, in place."""
    if isinstance(param, CodedParameter):
        param.add_gradient_to(target, beta=beta, alpha=alpha, scales=scales)
        return
    if scales is not None and not isinstance(param, ReplicatedParameter):
        scales = scales[0]
    add_gradient_to(target, param.grad, beta=beta, alpha=alpha, scales=scales)


def _gram_norm(layer: CodedLinear) -> Tensor:
    """Squared Frobenius norm of the gradient delta^T x at each node here, from two small Gram matrices, shape (L,)."""
    if not layer.factors:
        return torch.zeros(len(layer.collective.here), dtype=torch.float64)
    deltas, inputs = (torch.cat(each, dim=1).double() for each in zip(*layer.factors, strict=True))
    products = torch.matmul(deltas, deltas.transpose(1, 2)) * torch.matmul(inputs, inputs.transpose(1, 2))
    return products.sum(dim=(1, 2))


def _refuse_others(optimizer: Optimizer, args: object, kwargs: object) -> None:
    if isinstance(optimizer, CodedSGD):
        return
    if any(isinstance(param, CodedParameter) for group in optimizer.param_groups for param in group["params"]):
        raise InputError(
            f"{type(optimizer).__name__} cannot update coded weights: what it does is not linear in them, or unknown "
            "here. Use anyk.nn.CodedSGD (momentum, Nesterov, weight decay, schedules, clipping)."
        )


register_optimizer_step_pre_hook(_refuse_others)
