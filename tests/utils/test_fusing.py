"""``utils.fuse``: what is proven to be alone is joined, the rest stays, and all values are as before."""

from __future__ import annotations

import copy
from typing import Any

import pytest

import convgrad as torch
from convgrad import nn
from convgrad.nn import functional as F
from convgrad.testing import assert_close
from convgrad.utils import fuse, fusible


class Block(nn.Module):
    """A residual block as they are written: modules as attributes, the sum in ``forward``."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1, self.relu1 = nn.Conv2d(2, 2, 3, padding=1), nn.BatchNorm2d(2), nn.ReLU()
        self.conv2, self.bn2, self.relu2 = nn.Conv2d(2, 2, 3, padding=1), nn.BatchNorm2d(2), nn.ReLU(True)

    def forward(self, x: Any) -> Any:
        out = self.relu1(self.bn1(self.conv1(x)))
        return self.relu2(self.bn2(self.conv2(out)) + x)


X = torch.arange(64.0).reshape(2, 2, 4, 4).sin()


def trained(net: Any) -> Any:
    """A net whose batch norms have statistics of their own."""
    torch.manual_seed(0)
    for _ in range(3):
        net(torch.randn(4, 2, 4, 4))
    return net


def test_a_residual_block_in_training() -> None:
    net = trained(Block())
    before = {name: value.clone() for name, value in net.state_dict().items()}
    fused = fuse(net, X, show=False)
    assert list(fused.state_dict()) == list(before) and type(fused.bn1).__name__ == "BatchNorm2dReLU"
    assert type(net.bn1) is nn.BatchNorm2d and isinstance(fused.relu1, nn.Identity)
    for name, value in net.state_dict().items():
        assert torch.equal(value, before[name]), name
    outs = [m(X) for m in (net, fused)]
    assert_close(*outs)
    for out in outs:
        out.sum().backward()
    for p, q in zip(net.parameters(), fused.parameters(), strict=True):
        assert_close(p.grad, q.grad)
    assert type(fused.relu2) is nn.ReLU


def test_batch_norms_are_folded_in_evaluation() -> None:
    net = trained(Block()).eval()
    report = fusible(net, X)
    assert [(r.first, r.second, r.what) for r in report.rows] == [
        ("conv1", "bn1", "fold"), ("conv1", "relu1", "relu"), ("conv2", "bn2", "fold"),
    ]  # fmt: skip
    assert type(net.conv1) is nn.Conv2d
    fused = fuse(net, X, show=False)
    assert type(fused.conv1).__name__ == "Conv2dReLU" and isinstance(fused.bn1, nn.Identity)
    assert_close(fused(X * 3), net(X * 3), rtol=1e-4, atol=1e-5)
    assert fuse(net, X, inplace=True, show=False) is net and isinstance(net.bn2, nn.Identity)


def test_what_it_prints(capsys: pytest.CaptureFixture[str]) -> None:
    fuse(nn.Sequential(nn.Linear(2, 3), nn.ReLU()))
    assert capsys.readouterr().out == "1 of 1 pairs of neighbours are joined\n  0  1: one operator\n"


class Reads(nn.Module):
    """A layer and a relu with something between or beside them."""

    def __init__(self, use: Any) -> None:
        super().__init__()
        self.layer, self.relu, self.use = nn.Linear(4, 4), nn.ReLU(), use

    def forward(self, x: Any) -> Any:
        return self.use(self, x)


def _later(m: Any, x: Any) -> Any:
    y = m.layer(x)
    return m.relu(y) + y


def _detached(m: Any, x: Any) -> Any:
    y = m.layer(x)
    m.seen = y.detach().clone()
    return m.relu(y)


def _compared(m: Any, x: Any) -> Any:
    y = m.layer(x)
    return m.relu(y) * (3.0 if bool((y > -100).all()) else 1.0)


def _returned(m: Any, x: Any) -> Any:
    y = m.layer(x)
    return m.relu(y), y


def _kept(m: Any, x: Any) -> Any:
    m.kept = [m.layer(x)]
    return m.relu(m.kept[0])


def _twice(m: Any, x: Any) -> Any:
    return m.relu(m.relu(m.layer(x)) - 0.5)


def _layer_twice(m: Any, x: Any) -> Any:
    return m.layer(m.relu(m.layer(x)))


def _view(m: Any, x: Any) -> Any:
    return m.relu(m.layer(x).view(-1))


@pytest.mark.parametrize("use", [_later, _detached, _compared, _returned, _kept, _twice, _layer_twice, _view])
def test_a_value_that_others_read_stays(use: Any) -> None:
    net = Reads(use)
    x = torch.randn(3, 4)
    fused = fuse(net, x, show=False)
    assert type(fused.layer) is nn.Linear and type(fused.relu) is nn.ReLU
    assert all(row.reason for row in fusible(net, x).rows)


@pytest.mark.parametrize("inplace", [True, False])
def test_a_value_that_one_module_reads_is_joined(inplace: bool) -> None:
    net = Reads(lambda m, x: m.relu(m.layer(x)) * 2)
    net.relu.inplace = inplace
    x = torch.randn(3, 4)
    fused = fuse(net, x, show=False)
    assert type(fused.layer).__name__ == "LinearReLU"
    assert torch.equal(fused(x), net(x)) and type(fused(x)) is torch.Tensor


def test_hooks_and_own_forwards_stay() -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    net[0].register_forward_hook(lambda *_: None)
    assert fusible(net).rows[0].reason == "one of them has hooks"
    net = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    net[1].forward = lambda x: x
    assert "forward of its own" in fusible(net).rows[0].reason


def test_a_forward_that_reads_folded_weights_is_noticed() -> None:
    class Tied(Block):
        def forward(self, x: Any) -> Any:
            return self.bn1(self.conv1(x)) + F.conv2d(x, self.conv1.weight, padding=1)

    net = trained(Tied()).eval()
    before = copy.deepcopy(net.state_dict())
    with pytest.raises(RuntimeError, match="other values for the example"):
        fuse(net, X, inplace=True, show=False)
    assert type(net.conv1) is nn.Conv2d
    for name, value in net.state_dict().items():
        assert torch.equal(value, before[name])
