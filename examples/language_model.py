"""A small transformer learns to write English on nodes that flip bits; of real ranks, some die.

    python examples/language_model.py 200 64      # steps, width
    python -m anyk.nn.ranks --nodes 12 --restarts 0 examples.language_model 200 64 2      # ... two ranks killed

The text is what Python's own help says. One bit of one number is flipped in one of two hundred encodings, products,
decodings, activations, gradients, updates and stored blocks.
"""

import os
import signal
import sys
import tempfile
from pydoc_data.topics import topics

import torch
from torch import Tensor, nn
from torch.nn import functional

from anyk.nn import CodedSGD, Guard, ProcessGroup, SoftErrors, VirtualNodes, generalized_polydot, protect, uncoded
from anyk.nn.meeting import is_rank

TEXT = "".join(topics.values())[:200_000]
LETTERS = sorted(set(TEXT))
NUMBERS = torch.tensor([LETTERS.index(letter) for letter in TEXT])
SEEN, RATE = 32, 0.005  # letters at once; flips


class Writer(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.letters, self.places = nn.Embedding(len(LETTERS), width), nn.Embedding(SEEN, width)
        self.ask, self.reply = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down, self.guess = nn.Linear(width, 256), nn.Linear(256, width), nn.Linear(width, len(LETTERS))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))

    def forward(self, letters: Tensor) -> Tensor:
        x = self.letters(letters) + self.places.weight
        query, key, value = self.ask(self.norms[0](x)).chunk(3, dim=-1)
        x = x + self.reply(functional.scaled_dot_product_attention(query, key, value, is_causal=True))
        x = x + self.down(functional.gelu(self.up(self.norms[1](x))))
        return self.guess(self.norms[2](x))


def losses(nodes, code, steps: int, width: int, directory: str, dies: bool = False) -> list[float]:
    torch.manual_seed(0)
    model, told = protect(Writer(width), code, nodes), {}
    optimizer = CodedSGD(model.parameters(), lr=0.2, momentum=0.9, clip_norm=1.0)
    for step in Guard(model, optimizer, directory, every=25).steps(steps):
        with step:
            if dies and step.number == steps // 2:
                os.kill(os.getpid(), signal.SIGKILL)
            draw = torch.Generator().manual_seed(step.number)  # the same samples at every node
            seen = NUMBERS[torch.randint(len(NUMBERS) - SEEN, (16, 1), generator=draw) + torch.arange(SEEN + 1)]
            optimizer.zero_grad()
            loss = functional.cross_entropy(model(seen[:, :-1]).flatten(0, 1), seen[:, 1:].flatten())
            loss.backward()
            optimizer.step()
            told[step.number] = loss.item()
    return [told[step] for step in sorted(told)]


def main(steps: int = 200, width: int = 64, killed: int = 0) -> dict[str, list[float]]:
    if is_rank():
        group, place = ProcessGroup(), f"{tempfile.gettempdir()}/anyk-writer-{os.getppid()}"
        group.errors = SoftErrors(RATE, kind="bitflip", rng=group.rank)
        dies = group.rank < killed
        found = {"ranks": losses(group, generalized_polydot(2, 2, group.nodes), steps, width, place, dies)}
        return found if group.rank == killed else {}
    found, coded = {}, generalized_polydot(2, 2, 12)
    for name, code, rate in (("clean", coded, 0), ("coded", coded, RATE), ("not coded", uncoded(2, 2), RATE)):
        nodes = VirtualNodes(code.nodes, errors=SoftErrors(rate, kind="bitflip", rng=0))
        with tempfile.TemporaryDirectory() as place:
            found[name] = losses(nodes, code, steps, width, place)
    return found


if __name__ == "__main__":
    for name, curve in main(*map(int, sys.argv[1:])).items():
        print(f"{name:10}", *(f"{loss:6.3f}" for loss in curve[:: max(1, len(curve) // 8)]), f"{curve[-1]:6.3f}")
