"""From a model with coded layers to the ordinary ``state_dict`` of the model it was made from."""

from torch import Tensor, nn

from anyk.nn.convolution import CodedConv2d
from anyk.nn.linear import CodedLinear, ReplicatedParameter


def exported(module: nn.Module) -> dict[str, Tensor]:
    """Weights decoded, of replicated numbers what most nodes hold, all else as it is, under their ordinary names.

    Args:
        module: coded layers may sit anywhere in it.

    Returns:
        New tensors.

    Raises:
        Uncorrectable: more wrong blocks than can be located.
    """
    layers = {path: part for path, part in module.named_modules() if isinstance(part, CodedLinear)}
    plain: dict[str, Tensor] = {}
    for name, tensor in module.state_dict(keep_vars=True).items():
        path, _, last = name.rpartition(".")
        if last == "coded" and path in layers:
            plain[f"{path}.weight" if path else "weight"] = layers[path].weight
        elif isinstance(tensor, ReplicatedParameter):
            collective = next(iter(layers.values())).collective
            plain[name] = tensor.detach()[collective.reveal(tensor)].clone()
        else:
            plain[name] = tensor.detach().clone()
    return CodedConv2d.renamed(module, plain)
