"""Training on coded weights is training: the same losses and weights as plain torch, errors or not."""

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from anyk.errors import InputError
from anyk.nn import (
    CodedLinear,
    CodedSGD,
    SoftErrors,
    TrainingCode,
    VirtualNodes,
    generalized_polydot,
    product_mds,
    protect,
    replication,
    uncoded,
)

CODES = [
    generalized_polydot(2, 2, nodes=8),
    generalized_polydot(2, 2, nodes=9, mirrored=True),
    product_mds(2, 2, nodes=12),
    replication(2, 2, nodes=12),
    uncoded(2, 2),
]


def mlp(dtype: torch.dtype = torch.float64) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(13, 22), nn.ReLU(), nn.LayerNorm(22), nn.Linear(22, 17), nn.ReLU(), nn.Linear(17, 5)
    ).to(dtype)


def batch(step: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(step)
    x = torch.randn(8, 13, generator=draw, dtype=dtype)
    return x, (x[:, :5] + 0.3 * torch.randn(8, 5, generator=draw, dtype=dtype)).argmax(dim=1)


def side_by_side(
    code: TrainingCode,
    steps: int,
    dtype: torch.dtype = torch.float64,
    errors: SoftErrors | None = None,
    **settings: float,
) -> tuple[float, float, float]:
    """Largest differences: of losses, of final weights, of coded blocks from the encoding of the plain weights."""
    plain = mlp(dtype)
    coded = protect(plain, code, VirtualNodes(code.nodes, errors=errors))
    clip = settings.pop("clip_norm", None)
    ordinary = torch.optim.SGD(plain.parameters(), **settings)  # type: ignore[arg-type]
    ours = CodedSGD(coded.parameters(), clip_norm=clip, **settings)  # type: ignore[arg-type]
    schedules = [torch.optim.lr_scheduler.ExponentialLR(each, 0.999) for each in (ordinary, ours)]
    worst = 0.0
    for step in range(steps):
        x, y = batch(step, dtype)
        losses = []
        for net, optimizer, schedule in zip((plain, coded), (ordinary, ours), schedules, strict=True):
            optimizer.zero_grad()
            loss = functional.cross_entropy(net(x), y)
            loss.backward()
            if clip and net is plain:
                nn.utils.clip_grad_norm_(plain.parameters(), clip)
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        worst = max(worst, abs(losses[0] - losses[1]))
    coded.verify()
    exported, truth = coded.export(), plain.state_dict()
    weights = max(float((exported[name] - truth[name]).abs().max()) for name in truth)
    blocks = max(
        float((layer.coded.detach() - layer.encoded(linear.weight)).abs().max())
        for layer, linear in zip(coded.layers, [part for part in plain if isinstance(part, nn.Linear)], strict=True)
    )
    return worst, weights, blocks


@pytest.mark.parametrize("code", CODES, ids=repr)
def test_losses_and_weights_equal_plain_training_to_rounding(code: TrainingCode) -> None:
    loss, weights, blocks = side_by_side(code, 60, lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-3)

    assert loss < 1e-11
    assert weights < 1e-11
    assert blocks < 1e-11


@pytest.mark.slow
def test_two_thousand_updates_equal_plain_training_to_rounding() -> None:
    loss, weights, _ = side_by_side(CODES[0], 2000, lr=0.05, momentum=0.9)

    assert loss < 1e-10
    assert weights < 1e-10


def test_one_update_is_the_encoding_of_the_updated_weights() -> None:
    *_, blocks = side_by_side(CODES[0], 1, lr=0.1)

    assert blocks < 1e-13


def test_clipping_by_the_global_norm_equals_torch() -> None:
    loss, weights, _ = side_by_side(CODES[0], 40, lr=0.2, momentum=0.9, clip_norm=0.5)

    assert loss < 1e-11
    assert weights < 1e-11


def test_accumulated_gradients_equal_one_large_batch_with_and_without_clipping() -> None:
    for clip in (None, 0.1):
        plain = mlp()
        coded = protect(plain, CODES[0], VirtualNodes(8))
        ordinary, ours = (
            torch.optim.SGD(plain.parameters(), lr=0.3),
            CodedSGD(coded.parameters(), lr=0.3, clip_norm=clip),
        )
        for net in (plain, coded):
            for part in range(3):
                x, y = batch(part)
                functional.cross_entropy(net(x), y).backward()
        if clip:
            nn.utils.clip_grad_norm_(plain.parameters(), clip)
        ordinary.step()
        ours.step()

        truth, found = plain.state_dict(), coded.export()
        assert all(torch.allclose(found[name], truth[name], rtol=1e-12, atol=1e-12) for name in truth)


def test_float32_training_follows_float64_plain_training() -> None:
    code = generalized_polydot(4, 4, nodes=32)
    loss, _, blocks = side_by_side(code, 100, torch.float32, lr=0.05)

    assert loss < 1e-5
    assert blocks < 1e-5


@pytest.mark.parametrize("kind", ["gaussian", "bitflip", "paper"])
def test_a_run_full_of_errors_in_every_step_ends_at_the_weights_of_a_clean_one(kind: str) -> None:
    errors = SoftErrors(5e-3, kind=kind, rng=3)
    loss, weights, _ = side_by_side(generalized_polydot(2, 2, nodes=12), 60, errors=errors, lr=0.1, momentum=0.9)

    assert errors.injected > 100
    assert loss < 1e-9
    assert weights < 1e-9


def test_the_same_errors_ruin_an_uncoded_run() -> None:
    loss, *_ = side_by_side(uncoded(2, 2), 60, errors=SoftErrors(5e-3, rng=3), lr=0.1)

    assert not loss < 1e-3


def test_the_same_seed_hits_the_same_nodes() -> None:
    runs = []
    for _ in range(2):
        nodes = VirtualNodes(12, errors=SoftErrors(1e-2, rng=7))
        coded = protect(mlp(), generalized_polydot(2, 2, nodes=12), nodes)
        optimizer = CodedSGD(coded.parameters(), lr=0.1)
        for step in range(10):
            optimizer.zero_grad()
            x, y = batch(step)
            functional.cross_entropy(coded(x), y).backward()
            optimizer.step()
        runs.append((nodes.health.events, [layer.coded.detach().clone() for layer in coded.layers]))

    assert runs[0][0] == runs[1][0]
    assert all(torch.equal(*pair) for pair in zip(runs[0][1], runs[1][1], strict=True))


def test_other_optimizers_are_refused_with_the_reason() -> None:
    layer = CodedLinear(4, 4, CODES[0], VirtualNodes(8))
    layer(torch.randn(2, 4)).sum().backward()
    for optimizer in (torch.optim.Adam(layer.parameters()), torch.optim.SGD(layer.parameters(), lr=0.1)):
        with pytest.raises(InputError, match="not linear"):
            optimizer.step()


def test_settings_that_do_not_commute_are_refused() -> None:
    layer = CodedLinear(4, 4, CODES[0], VirtualNodes(8))
    for setting, message in (
        ({"betas": (0.9, 0.99)}, "element-wise"),
        ({"l1": 1e-4}, "element-wise"),
        ({"momentum": -1.0}, "momentum"),
        ({"nesterov": True}, "velocity"),
        ({"clip_norm": 0.0}, "clip_norm"),
    ):
        with pytest.raises(InputError, match=message):
            CodedSGD(layer.parameters(), lr=0.1, **setting)  # type: ignore[arg-type]


def test_the_state_of_the_optimizer_can_be_saved_and_loaded() -> None:
    layer = CodedLinear(4, 4, CODES[0], VirtualNodes(8))
    optimizer = CodedSGD(layer.parameters(), lr=0.1, momentum=0.9)
    layer(torch.randn(2, 4)).sum().backward()
    optimizer.step()
    state = copy.deepcopy(optimizer.state_dict())
    other = CodedSGD(layer.parameters(), lr=0.5, momentum=0.9)
    other.load_state_dict(state)

    assert other.param_groups[0]["lr"] == 0.1
    assert torch.equal(other.state[layer.coded]["momentum_buffer"], optimizer.state[layer.coded]["momentum_buffer"])
    assert layer.momentum[0] is other.state[layer.coded]["momentum_buffer"]


def test_a_wrong_velocity_is_found_and_rebuilt() -> None:
    layer = CodedLinear(6, 4, CODES[0], VirtualNodes(8), dtype=torch.float64)
    optimizer = CodedSGD(layer.parameters(), lr=0.1, momentum=0.9)
    x = torch.randn(3, 6, dtype=torch.float64)
    layer(x).sum().backward()
    optimizer.step()
    before = layer.momentum[0].clone()
    layer.momentum[0][5] += 1.0
    optimizer.zero_grad()
    layer(x).sum().backward()
    optimizer.step()
    layer(x)

    assert layer.collective.health.counts["regenerated"] == 2
    assert torch.allclose(layer.momentum[0][5], (0.9 * before + layer.coded.grad)[5], rtol=1e-10)
