"""Image classification under bit flips: the same network trained three times, on nodes whose bits flip now and then.

    python examples/bit_flips.py

Every step of every node (stored weights, activations, encoding, products, decoding, updates) is hit with a probability
of one in a hundred: one random bit of one number flips. Needs PyTorch and scikit-learn: pip install 'anyk[nn]'.
"""

import warnings

import torch
from sklearn.datasets import load_digits
from torch import nn

import anyk.nn

torch.set_num_threads(1)  # layers so small are done before a second thread has woken up


def images() -> tuple[torch.Tensor, torch.Tensor]:
    """1,797 handwritten digits of 8 x 8 pixels, and what they are."""
    digits = load_digits()
    return torch.tensor(digits.data / 16, dtype=torch.float32), torch.tensor(digits.target)


def trained(code: "anyk.nn.TrainingCode", rate: float, steps: int) -> tuple[float, dict[str, int]]:
    """Accuracy on images that training has not seen, and what happened on the way."""
    torch.manual_seed(0)
    x, y = images()
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    errors = anyk.nn.SoftErrors(rate, kind="bitflip", rng=0) if rate else None
    nodes = anyk.nn.VirtualNodes(code.nodes, errors=errors)
    model = anyk.nn.protect(model, code, nodes)
    optimizer = anyk.nn.CodedSGD(model.parameters(), lr=0.3)
    for step in range(steps):
        batch = slice(32 * step % 1_400, 32 * step % 1_400 + 32)
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x[batch]), y[batch]).backward()
        optimizer.step()
    nodes.errors = None  # what is asked of it afterwards is not at stake
    with torch.no_grad():
        right = (model(x[1_432:]).argmax(dim=1) == y[1_432:]).double().mean()
    return float(right), dict(nodes.health.counts)


def main(rate: float = 0.01, steps: int = 400) -> dict[str, float]:
    warnings.filterwarnings("ignore", message="overflow|invalid value")  # unprotected numbers grow without bound
    runs = {
        "no errors, 10 nodes": (anyk.nn.generalized_polydot(2, 2, nodes=10), 0.0),
        "errors, coded, 10 nodes": (anyk.nn.generalized_polydot(2, 2, nodes=10), rate),
        "errors, no code, 4 nodes": (anyk.nn.uncoded(2, 2, 4), rate),
    }
    found = {}
    for name, (code, errors) in runs.items():
        found[name], counts = trained(code, errors, steps)
        said = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
        print(f"{name:>24}: {100 * found[name]:5.1f} % right   ({said or 'nothing happened'})")
    return found


if __name__ == "__main__":
    main()
