"""A gradient kept as two factors is a gradient: the same numbers, whoever asks for them and however."""

import copy
import pickle
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from anyk.nn import CodedLinear, CodedSGD, VirtualNodes, generalized_polydot, protect

CODE = generalized_polydot(2, 2, nodes=8)


def layer(size: int = 24) -> tuple[nn.Linear, CodedLinear]:
    torch.manual_seed(0)
    plain = nn.Linear(size, size, dtype=torch.float64)
    return plain, CodedLinear.from_linear(plain, CODE, VirtualNodes(8))


def batch(size: int = 24, rows: int = 3) -> Tensor:
    return torch.randn(rows, size, dtype=torch.float64, generator=torch.Generator().manual_seed(rows))


def is_encoded(coded: CodedLinear, grad: Tensor | None, truth: Tensor | None) -> bool:
    assert grad is not None
    assert truth is not None
    return torch.allclose(grad, coded.encoded(truth), rtol=1e-12, atol=1e-12)


def test_a_small_batch_keeps_factors_and_whoever_asks_gets_the_gradient() -> None:
    plain, coded = layer()
    for net in (plain, coded):
        net(batch()).square().sum().backward()

    assert len(coded.coded.factors) == 1
    assert coded.coded.formed is None
    assert is_encoded(coded, coded.coded.grad, plain.weight.grad)
    assert coded.coded.factors == []
    assert coded.coded.grad is coded.coded.formed


def test_factors_and_formed_gradients_add_up() -> None:
    plain, coded = layer()
    for rows in (3, 40, 2, 5):  # the second one is larger than the blocks
        for net in (plain, coded):
            net(batch(rows=rows)).square().sum().backward()

    assert coded.coded.factors
    assert coded.coded.formed is not None
    assert is_encoded(coded, coded.coded.grad, plain.weight.grad)


def test_many_small_batches_never_keep_more_than_the_gradient_itself() -> None:
    plain, coded = layer()
    for _ in range(40):
        for net in (plain, coded):
            net(batch()).square().sum().backward()
        assert sum(each.numel() for pair in coded.coded.factors for each in pair) < coded.coded.numel()

    assert is_encoded(coded, coded.coded.grad, plain.weight.grad)


@pytest.mark.parametrize("forget", [lambda net, _: net.zero_grad(), lambda _, optimizer: optimizer.zero_grad()])
def test_zero_grad_forgets_factors(forget: Callable[[nn.Module, CodedSGD], None]) -> None:
    _, coded = layer()
    optimizer = CodedSGD(coded.parameters(), lr=0.1)
    before = coded.coded.detach().clone()
    coded(batch()).square().sum().backward()
    forget(coded, optimizer)
    optimizer.step()

    assert coded.coded.grad is None
    assert torch.equal(coded.coded, before)


@pytest.mark.parametrize("settings", [{}, {"momentum": 0.9, "weight_decay": 0.01}, {"clip_norm": 0.1}], ids=str)
def test_reading_the_gradient_changes_no_update(settings: dict[str, float]) -> None:
    found = []
    for reads in (False, True):
        plain, coded = layer()
        optimizer = CodedSGD(coded.parameters(), lr=0.1, **settings)  # type: ignore[arg-type]
        for step in range(4):
            for rows in (2, 3):
                coded(batch(rows=rows)).square().mean().backward()
                if reads and step % 2:
                    assert coded.coded.grad is not None
            optimizer.step()
            optimizer.zero_grad()
        found.append(coded.weight)

    assert torch.allclose(*found, rtol=1e-12, atol=1e-14)
    assert not torch.allclose(found[0], plain.weight)


def test_gradients_of_other_tensors_alone_leave_the_weights_without_one() -> None:
    _, coded = layer()
    x = batch().requires_grad_()
    torch.autograd.grad(coded(x).sum(), x)
    coded(x).sum().backward(inputs=[x])

    assert coded.coded.factors == []
    assert coded.coded.grad is None


def test_the_gradient_can_be_asked_for_by_autograd_and_by_hooks() -> None:
    plain, coded = layer()
    (asked,) = torch.autograd.grad(coded(batch()).square().sum(), coded.coded)
    plain(batch()).square().sum().backward()
    seen: list[Tensor] = []
    coded.coded.register_hook(seen.append)
    coded(batch()).square().sum().backward()

    assert is_encoded(coded, asked, plain.weight.grad)
    assert is_encoded(coded, seen[0], plain.weight.grad)
    assert is_encoded(coded, coded.coded.grad, plain.weight.grad)


def test_protected_models_keep_factors_and_frozen_weights_none() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(24, 24), nn.ReLU(), nn.Linear(24, 24)).double()
    net[0].weight.requires_grad_(False)
    model = protect(net, CODE, VirtualNodes(8))
    model(batch()).square().sum().backward()

    assert [len(each.coded.factors) for each in model.layers] == [0, 1]
    assert model.layers[0].coded.grad is None


def test_copies_start_without_the_originals_factors() -> None:
    _, coded = layer()
    coded(batch()).square().sum().backward()
    for twin in (copy.deepcopy(coded), pickle.loads(pickle.dumps(coded))):
        twin.coded.factors.clear()
        assert twin.coded.grad is None
    assert len(coded.coded.factors) == 1
