"""The same nodes with their numbers on a GPU."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional

from anyk.nn import CodedSGD, SoftErrors, VirtualNodes, generalized_polydot, protect

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]


@pytest.mark.parametrize("rate", [0.0, 0.01])
def test_coded_training_on_a_gpu_is_training(rate: float) -> None:
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Linear(13, 22), nn.ReLU(), nn.Linear(22, 5)).double().cuda()
    nodes = VirtualNodes(10, errors=SoftErrors(rate, rng=0))
    coded = protect(copy.deepcopy(plain), generalized_polydot(2, 2, nodes=10), nodes)
    optimizers = [
        torch.optim.SGD(plain.parameters(), lr=0.1, momentum=0.9),
        CodedSGD(coded.parameters(), lr=0.1, momentum=0.9),
    ]
    for step in range(20):
        draw = torch.Generator().manual_seed(step)
        x, y = torch.randn(8, 13, generator=draw).double().cuda(), torch.randint(0, 5, (8,), generator=draw).cuda()
        for net, optimizer in zip((plain, coded), optimizers, strict=True):
            optimizer.zero_grad()
            functional.cross_entropy(net(x), y).backward()
            optimizer.step()
    exported, truth = coded.export(), plain.state_dict()

    assert all(tensor.is_cuda for tensor in coded.parameters())
    assert all(torch.allclose(exported[name], truth[name], atol=1e-10) for name in truth)
