"""Convolution by the same code: channels and kernel positions are the features of a linear layer."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from anyk.nn.codes import TrainingCode
from anyk.nn.collective import Collective
from anyk.nn.linear import CodedLinear
from anyk.screening import Model


class CodedConv2d(nn.Module):
    """A two-dimensional convolution as a `CodedLinear` over patches; made by `anyk.nn.protect`.

    Attributes:
        linear: (channels x kernel height x kernel width) -> out channels.
    """

    def __init__(self, linear: CodedLinear, convolution: nn.Conv2d) -> None:
        super().__init__()
        self.linear = linear
        self.kernel, self.stride = convolution.kernel_size, convolution.stride
        self.dilation, self.edges = convolution.dilation, convolution._reversed_padding_repeated_twice
        self.mode, self.shape = convolution.padding_mode, convolution.weight.shape

    @classmethod
    def from_convolution(
        cls,
        convolution: nn.Conv2d,
        code: TrainingCode,
        collective: Collective,
        name: str,
        *,
        model: Model = "random",
        products: torch.dtype | None = None,
    ) -> "CodedConv2d":
        """Encode the kernels of an ordinary layer (one group), once."""
        kernels = convolution.weight
        plain = nn.Linear(kernels[0].numel(), len(kernels), convolution.bias is not None, dtype=kernels.dtype)
        with torch.no_grad():
            plain.weight.copy_(kernels.flatten(1))
            if convolution.bias is not None:
                plain.bias.copy_(convolution.bias)
        linear = CodedLinear.from_linear(plain, code, collective, model=model, products=products)
        linear.program.name = name or "convolution"
        return cls(linear, convolution)

    def forward(self, images: Tensor) -> Tensor:
        """Convolve; shape (B, channels, height, width) -> (B, out channels, …)."""
        mode = "constant" if self.mode == "zeros" else self.mode
        padded = functional.pad(images, self.edges, mode=mode)
        sizes = [
            (padded.shape[-2 + axis] - self.dilation[axis] * (self.kernel[axis] - 1) - 1) // self.stride[axis] + 1
            for axis in (0, 1)
        ]
        patches = functional.unfold(padded, self.kernel, self.dilation, 0, self.stride)
        product: Tensor = self.linear(patches.transpose(1, 2))
        return product.transpose(1, 2).reshape(len(images), -1, *sizes)

    @staticmethod
    def renamed(module: nn.Module, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """A state_dict with the convolutions' kernels under their ordinary names and in their ordinary shape."""
        for path, part in module.named_modules():
            if isinstance(part, CodedConv2d):
                dot = f"{path}." if path else ""
                state[f"{dot}weight"] = state.pop(f"{dot}linear.weight").reshape(part.shape)
                if f"{dot}linear.bias" in state:
                    state[f"{dot}bias"] = state.pop(f"{dot}linear.bias")
        return state
