"""Whole models on unreliable nodes: two lines, the same results."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from anyk.errors import InputError
from anyk.nn import CodedConv2d, CodedLinear, CodedSGD, SoftErrors, VirtualNodes, generalized_polydot, protect
from tests.nn.hitting import Hitting

CODE = generalized_polydot(2, 2, nodes=8)


class Attention(nn.Module):
    """One block of a small transformer, dropout included."""

    def __init__(self, width: int = 16, heads: int = 4) -> None:
        super().__init__()
        self.mixed, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.norm, self.heads = nn.LayerNorm(width), heads
        self.feed = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Dropout(0.1), nn.Linear(2 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        batch, length, width = x.shape
        split = self.mixed(self.norm(x)).view(batch, length, 3, self.heads, width // self.heads)
        query, key, value = split.permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        x = x + self.out(seen.transpose(1, 2).reshape(batch, length, width))
        return x + self.feed(x)


class Language(nn.Module):
    """Embedding, two blocks, a head tied to the embedding."""

    def __init__(self, tied: bool) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(11, 16), nn.Parameter(torch.randn(9, 16) * 0.1)
        self.blocks, self.head = nn.Sequential(Attention(), Attention()), nn.Linear(16, 11, bias=False)
        if tied:
            self.head.weight = self.words.weight

    def forward(self, text: Tensor) -> Tensor:
        return self.head(self.blocks(self.words(text) + self.places[: text.shape[1]]))


class Mixer(nn.Module):
    """Tokens mixed, then channels."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.channels, self.norm = nn.Linear(6, 6), nn.Linear(10, 10), nn.LayerNorm(10)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.tokens(self.norm(x).transpose(1, 2)).transpose(1, 2)
        return x + functional.gelu(self.channels(x))


def images() -> tuple[nn.Module, Tensor]:
    return nn.Sequential(
        nn.Conv2d(2, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.GroupNorm(2, 6),
        nn.Conv2d(6, 5, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2), padding_mode="replicate"), nn.ReLU(),
        nn.Flatten(), nn.Linear(5 * 3 * 4, 4),
    ), torch.randn(3, 2, 12, 12)  # fmt: skip


MODELS: dict[str, Callable[[], tuple[nn.Module, Tensor]]] = {
    "transformer": lambda: (Language(tied=False), torch.randint(0, 11, (3, 9))),
    "tied": lambda: (Language(tied=True), torch.randint(0, 11, (3, 9))),
    "mixer": lambda: (Mixer(), torch.randn(4, 6, 10)),
    "encoder": lambda: (nn.TransformerEncoderLayer(16, 4, 24, dropout=0.0, batch_first=True), torch.randn(3, 5, 16)),
    "images": images,
    "linear": lambda: (nn.Linear(6, 4), torch.randn(3, 6)),
}


def trained(
    name: str, errors: SoftErrors | None = None, nodes: int = 8, steps: int = 8
) -> tuple[nn.Module, nn.Module, Tensor]:
    torch.manual_seed(0)
    plain, inputs = MODELS[name]()
    plain, inputs = plain.double(), inputs.double() if inputs.is_floating_point() else inputs
    coded = protect(plain, generalized_polydot(2, 2, nodes), VirtualNodes(nodes, errors=errors))
    ordinary = torch.optim.SGD(plain.parameters(), lr=0.05, momentum=0.9)
    ours = CodedSGD(coded.parameters(), lr=0.05, momentum=0.9)
    for step in range(steps):
        for net, optimizer in ((plain, ordinary), (coded, ours)):
            torch.manual_seed(step)  # dropout
            optimizer.zero_grad()
            net(inputs).square().mean().backward()
            optimizer.step()
    return plain.eval(), coded.eval(), inputs


@pytest.mark.parametrize("name", MODELS)
def test_a_protected_model_trains_as_the_plain_one(name: str) -> None:
    plain, coded, inputs = trained(name)
    expected = plain(inputs)
    state = coded.export()
    fresh = copy.deepcopy(plain)
    fresh.load_state_dict(state)

    assert torch.allclose(coded(inputs), expected, rtol=1e-10, atol=1e-11)
    assert torch.allclose(fresh(inputs), expected, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("name", ["transformer", "images"])
def test_a_protected_model_trains_through_errors_in_every_step(name: str) -> None:
    errors = SoftErrors(1e-2, rng=1)
    plain, coded, inputs = trained(name, errors, nodes=12)
    errors.rate = 0.0

    assert errors.injected > 5
    assert torch.allclose(coded(inputs), plain(inputs), rtol=1e-8, atol=1e-9)


def test_the_model_given_stays_as_it_was() -> None:
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 4))
    before = copy.deepcopy(plain.state_dict())
    coded = protect(plain, CODE, VirtualNodes(8))
    optimizer = CodedSGD(coded.parameters(), lr=0.5)
    coded(torch.randn(3, 6)).sum().backward()
    optimizer.step()

    assert all(type(part) is not CodedLinear for part in plain.modules())
    assert all(torch.equal(before[name], value) for name, value in plain.state_dict().items())


def test_gradients_reach_the_inputs_once() -> None:
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 4)).double()
    coded = protect(plain, CODE, VirtualNodes(8))
    x = torch.randn(3, 6, dtype=torch.float64, requires_grad=True)
    expected, found = (torch.autograd.grad(net(x).square().sum(), x)[0] for net in (plain, coded))

    assert torch.allclose(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("step", ["activation", "encode", "decode", "hadamard", "update", "stored"])
def test_an_error_of_one_node_in_any_step_is_repaired_before_it_spreads(step: str) -> None:
    torch.manual_seed(0)
    plain = nn.Sequential(
        nn.Linear(6, 8), nn.Tanh(), nn.LayerNorm(8), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 4)
    ).double()
    nodes = Hitting(8, {step: [5]}, times=2)
    coded = protect(plain, CODE, nodes)
    ordinary, ours = torch.optim.SGD(plain.parameters(), lr=0.1), CodedSGD(coded.parameters(), lr=0.1)
    x = torch.randn(4, 6, dtype=torch.float64)
    for _ in range(4):
        for net, optimizer in ((plain, ordinary), (coded, ours)):
            optimizer.zero_grad()
            net(x).square().sum().backward()
            optimizer.step()

    assert nodes.left[step] == 0
    assert torch.allclose(coded.eval()(x), plain(x), rtol=1e-10, atol=1e-11)
    for param in coded.parameters():
        if param.dim() == 2:
            assert torch.equal(param, param[:1].expand_as(param))


def test_verification_finds_an_error_that_probes_of_ones_would_miss() -> None:
    coded = protect(nn.Linear(8, 6).double(), CODE, VirtualNodes(8))
    layer = coded.layers[0]
    with torch.no_grad():
        layer.coded[2, 0, 0] += 1.0
        layer.coded[2, 0, 1] -= 1.0

    assert coded.verify() == [2]
    assert coded.verify() == []


def test_frozen_weights_stay() -> None:
    plain = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 4))
    plain[0].requires_grad_(False)
    coded = protect(plain, CODE, VirtualNodes(8))
    before = coded.layers[0].coded.clone()
    optimizer = CodedSGD(coded.parameters(), lr=0.5, weight_decay=0.1)
    coded(torch.randn(3, 6)).sum().backward()
    optimizer.step()

    assert torch.equal(coded.layers[0].coded, before)


def test_convolutions_become_coded_ones() -> None:
    plain, _ = images()
    coded = protect(plain, CODE, VirtualNodes(8))

    assert sum(isinstance(part, CodedConv2d) for part in coded.modules()) == 2


def test_models_that_cannot_be_protected_are_refused() -> None:
    with pytest.raises(InputError, match="no Linear"):
        protect(nn.ReLU(), CODE, VirtualNodes(8))
    with pytest.raises(InputError, match="GroupNorm"):
        protect(nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4)), CODE, VirtualNodes(8))
