"""Random nets, fused by ``nn.Sequential`` and by ``utils.fuse``, beside the same nets with every operator apart."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tests.nn.fused_programs import Plan, build, draw
from tests.nn.test_fused import JOINED, nodes

import convgrad as torch
from convgrad import nn
from convgrad.errors import GradError
from convgrad.utils import fuse

F = nn.functional


@contextmanager
def apart() -> Iterator[None]:
    """Every module is called by itself: a hook of all modules watches."""
    with nn.modules.module.register_module_forward_hook(lambda *_: None):
        yield


def results(net: Any, x: Any, target: Any) -> dict[str, Any] | str:
    """Output, gradients and buffers by name; the message where backward refuses."""
    leaf = x.clone().requires_grad_()
    net.zero_grad()
    torch.manual_seed(5)
    out = net(leaf)
    try:
        F.cross_entropy(out, target).backward()
    except GradError as error:  # a relu in place on what a layer has kept
        return str(error).partition(":")[0]
    found = {"out": out.detach(), "gradient": leaf.grad}
    found.update({name: p.grad for name, p in net.named_parameters()})
    found.update(dict(net.named_buffers()))
    return found


def agree(found: Any, wanted: Any, wide: bool, names: Any = None) -> None:
    if isinstance(found, str) or isinstance(wanted, str):
        assert found == wanted
        return
    limit = 1e-9 if wide else 1e-3
    for name in wanted if names is None else names:
        a, b = found[name], wanted[name]
        assert (a is None) == (b is None), name
        if a is not None:
            assert a.shape == b.shape and a.dtype == b.dtype, name
            scale = max(1.0, float(b.detach().abs().max()))
            assert float((a - b).detach().abs().max()) <= limit * scale, name


def prepared(plan: Plan, seed: int, wide: bool) -> tuple[Any, Any, Any]:
    """A net whose batch norms have statistics, a batch and its classes."""
    torch.manual_seed(seed)
    kind = torch.float64 if wide else torch.float32
    net = build(torch, plan).to(kind)
    with torch.no_grad():
        for _ in range(2):
            net(torch.randn(*plan.shape, dtype=kind))
    x = torch.randn(*plan.shape, dtype=kind)
    return net, x, torch.randint(0, plan.classes, plan.shape[:1])


def check(seed: int) -> bool:
    """One net in training and in evaluation; whether anything was joined."""
    plan, wide, joined = draw(seed), seed % 2 == 0, False
    for training in (True, False):
        net, x, target = prepared(plan, seed, wide)
        net.train(training)
        other, start = copy.deepcopy(net), copy.deepcopy(net)
        with apart():
            wanted = results(other, x, target)
        agree(results(net, x, target), wanted, wide)
        fused = fuse(start, x, show=False)
        kept = None if training else ["out", "gradient"]  # folded: the weights are others
        agree(results(fused, x, target), wanted, wide, kept)
        joined |= not JOINED.isdisjoint(nodes(fused(x)))
    return joined


@pytest.mark.parametrize("group", range(10))
def test_100_random_nets(group: int) -> None:
    assert sum([check(10 * group + i) for i in range(10)]) >= 5


@pytest.mark.slow
@pytest.mark.parametrize("group", range(19))
def test_1900_more_random_nets(group: int) -> None:
    for i in range(100):
        check(100 + 100 * group + i)
