"""A training run on nodes that err: its loss beside that without errors, and which node was caught when.

Generalized PolyDot on ten nodes, a grid of 2 x 2; every step of every node is hit with a probability of one in three
hundred by noise as large as the data. From step 120 to 160 node 7 is ill, and hit with a probability of one in ten.
"""

from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

import anyk.nn
from papers import drawing

STEPS, NODES, RATE = 240, 10, 1 / 300
ILL, FIRST, LAST, ILL_RATE = 7, 120, 160, 0.1
#: Kind of event -> marker, colour, in words.
LOOK = {
    "injected": (".", "#b9b9b9", "hit"),
    "located": ("s", "#0b4f8a", "answer found wrong, thrown out"),
    "regenerated": ("^", "#d06a1b", "stored block found wrong, rebuilt"),
    "refreshed": ("D", "#111111", "copy of the input found wrong, replaced"),
}


class Illness(anyk.nn.SoftErrors):
    """Errors that one node has more of, for a while."""

    step = 0

    def strike(self, step: str, copies: Tensor, nodes: Any) -> tuple[Tensor, list[int]]:
        """As for all; then once more for the one who is ill."""
        copies, hit = super().strike(step, copies, nodes)
        known = list(nodes)
        if FIRST <= self.step < LAST and ILL in known and ILL not in hit:
            place, usual = known.index(ILL), self.rate
            self.rate = ILL_RATE
            one, again = super().strike(step, copies[place : place + 1], [ILL])
            self.rate = usual
            if again:
                copies = (
                    torch.cat([copies[:place], one, copies[place + 1 :]])
                    if one.data_ptr() != copies[place].data_ptr()
                    else copies
                )
            hit = hit + again
        return copies, hit


def run(errors: Illness | None) -> tuple[list[float], list[Any]]:
    """Losses, and what happened to whom."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    digits = load_digits()
    x, y = torch.tensor(digits.data / 16, dtype=torch.float32), torch.tensor(digits.target)
    nodes = anyk.nn.VirtualNodes(NODES, errors=errors)
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    model = anyk.nn.protect(model, anyk.nn.generalized_polydot(2, 2, NODES), nodes)
    optimizer = anyk.nn.CodedSGD(model.parameters(), lr=0.3)
    losses = []
    for step in range(STEPS):
        if errors is not None:
            errors.step = step
        some = torch.arange(32 * step, 32 * step + 32) % len(x)
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x[some]), y[some])
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses, list(nodes.health.events)


def draw() -> Any:
    """Losses above, nodes and steps below."""
    usual, _ = run(None)
    losses, events = run(Illness(RATE, rng=0))
    figure, axes = drawing.panels(2, width=9.0, height=5.2, columns=1)
    axes[0].plot(usual, color="#c9c9c9", lw=5, label="no errors")
    axes[0].plot(losses, color="#111111", lw=1.2, ls="--", label="errors, coded")
    axes[0].set(ylabel="loss", xlim=(0, STEPS), ylim=(0, None))
    drawing.legend_outside(axes[0])
    axes[1].axvspan(
        FIRST, LAST, ymin=(NODES - 1 - ILL + 0.1) / NODES, ymax=(NODES - ILL - 0.1) / NODES, color="#eeeeee"
    )
    for kind, (marker, colour, words) in LOOK.items():
        mine = [(event.step, event.node) for event in events if event.kind == kind]
        if mine:
            when, who = np.array(mine).T
            axes[1].plot(
                when, who, marker, color=colour, ms=4 if marker != "." else 9, label=words, mec="white", mew=0.3
            )
    axes[1].set(xlabel="step", ylabel="node", xlim=(0, STEPS), ylim=(NODES - 0.5, -0.5), yticks=range(NODES))
    drawing.legend_outside(axes[1])
    figure.align_ylabels()
    return figure
