"""Joined layers beside PyTorch's separate ones: values, gradients and buffers, in training and in evaluation.

PyTorch has nothing of the kind, so whatever is joined has to be as its two modules are.
"""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from tests.nn.fused_programs import build, draw

import convgrad
from convgrad.utils import fuse

from .layers_support import seed

pytestmark = pytest.mark.parity
SHAPE = (3, 2, 6, 7)


def image(t: Any) -> Any:
    values = np.sin(np.arange(np.prod(SHAPE))).reshape(SHAPE)
    return t.from_numpy(values.copy()).requires_grad_()


def same_weights(ours: Any, theirs: Any) -> None:
    theirs.load_state_dict(
        {name: torch.from_numpy(v.numpy().copy()) for name, v in ours.state_dict().items()}
    )


def step(t: Any, net: Any, x: Any) -> dict[str, Any] | str:
    """Output, gradients and buffers; the message of a backward that is refused."""
    net.zero_grad()
    x.grad = None
    seed(3)
    out = net(x)
    try:
        (out * out.detach().sin()).sum().backward()
    except RuntimeError as error:
        return str(error).partition(":")[0]
    named = {name: p.grad for name, p in net.named_parameters()}
    return {"out": out.detach(), "gradient": x.grad, **named, **dict(net.named_buffers())}


def agree(ours: Any, theirs: Any, names: Any = None) -> None:
    if isinstance(ours, str) or isinstance(theirs, str):
        assert ours == theirs
        return
    for name in names or theirs:
        a, b = ours[name], theirs[name]
        assert (a is None) == (b is None), name
        if a is not None:
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-8, atol=1e-9, err_msg=name)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("number", range(20))
def test_random_nets(number: int, training: bool) -> None:
    plan = draw(5000 + number)
    x = np.random.default_rng(number).standard_normal(plan.shape)
    seed(number)
    ours, theirs = build(convgrad, plan).double(), build(torch, plan).double()
    same_weights(ours, theirs)
    for t, net in ((convgrad, ours), (torch, theirs)):  # batch norms get statistics
        seed(1)
        net(t.from_numpy(x * 2))
        net.train(training)
    xs = [t.from_numpy(x.copy()).requires_grad_() for t in (convgrad, torch)]
    joined = fuse(ours, xs[0].detach(), show=False)
    wanted = step(torch, theirs, xs[1])
    agree(step(convgrad, ours, xs[0]), wanted)
    agree(step(convgrad, joined, xs[0]), wanted, None if training else ["out", "gradient"])


# ---- what happens to modules afterwards


def chain(t: Any) -> Any:
    """Two pairs that are joined, one of them three modules long."""
    nn = t.nn
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(True),
        nn.Conv2d(4, 2, 3, groups=2),
        nn.ReLU(),
    )


def both(make: Any = chain, training: bool = True) -> tuple[Any, Any]:
    """The net in both libraries with the same weights; ours fused."""
    seed(0)
    ours, theirs = make(convgrad).double(), make(torch).double()
    same_weights(ours, theirs)
    return fuse(ours.train(training), image(convgrad).detach(), show=False), theirs.train(training)


def check(ours: Any, theirs: Any, names: Any = None) -> None:
    for _ in range(2):  # statistics move
        agree(step(convgrad, ours, image(convgrad)), step(torch, theirs, image(torch)), names)


def test_hooks_that_appear_later_see_the_joined_result() -> None:
    """As on any module: before it, behind it, on its gradients."""
    ours, theirs = both()
    check(ours, theirs)
    seen: dict[Any, list[Any]] = {convgrad: [], torch: []}
    for t, first, second in ((convgrad, ours[1], ours[3]), (torch, theirs[1], theirs[4])):
        log = seen[t]
        first.register_forward_pre_hook(lambda m, args, log=log: log.append(args[0].detach().numpy().copy()))
        second.register_full_backward_pre_hook(lambda m, g, log=log: log.append(g[0].numpy().copy()))
    check(ours, theirs)
    for a, b in zip(seen[convgrad], seen[torch], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("place", range(5))
def test_hooks_on_a_chain_that_was_joined_by_itself(place: int) -> None:
    """Nothing was rewritten there: a hook on either module of a pair is called as ever."""
    seed(0)
    ours, theirs = chain(convgrad).double(), chain(torch).double()
    same_weights(ours, theirs)
    check(ours, theirs)
    handles = [net[place].register_forward_hook(lambda m, a, out: out * 1.5) for net in (ours, theirs)]
    check(ours, theirs)
    for handle in handles:
        handle.remove()
    check(ours, theirs)


def shared(t: Any) -> Any:
    """One convolution in two places, and a relu everywhere."""
    conv, relu = t.nn.Conv2d(2, 2, 3, padding=1), t.nn.ReLU()
    return t.nn.Sequential(conv, relu, t.nn.Conv2d(2, 2, 1), relu, conv, relu)


class Twice:
    """A net whose layer works twice in a call, once with the relu behind it."""

    def __new__(cls, t: Any) -> Any:
        class Net(t.nn.Module):  # type: ignore[name-defined, misc, unused-ignore]
            def __init__(self) -> None:
                super().__init__()
                self.conv, self.relu, self.last = (
                    t.nn.Conv2d(2, 2, 3, padding=1),
                    t.nn.ReLU(),
                    t.nn.Conv2d(2, 2, 1),
                )
                self.end = t.nn.ReLU()

            def forward(self, x: Any) -> Any:
                return self.end(self.last(self.conv(self.relu(self.conv(x)))))

        return Net()


@pytest.mark.parametrize("make", [shared, Twice])
@pytest.mark.parametrize("training", [True, False])
def test_modules_that_are_used_twice(make: Any, training: bool) -> None:
    ours, theirs = both(make, training)
    check(ours, theirs)


def test_states_copies_and_pickles_of_fused_nets() -> None:
    ours, theirs = both()
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert [name for name, _ in ours.named_modules()] == [name for name, _ in theirs.named_modules()]
    same_weights(ours, theirs)
    for twin in (copy.deepcopy(ours), pickle.loads(pickle.dumps(ours))):
        other = copy.deepcopy(theirs)
        check(twin, other)
        check(twin.eval(), other.eval())
        check(twin.float().double(), other.float().double(), ["out"])
    fresh = chain(torch).double()
    same_weights(ours, fresh)
    check(ours, fresh)


def test_folded_batch_norms_have_torchs_weights() -> None:
    ours, theirs = both(training=False)
    seed(0)
    folded = torch.nn.utils.fuse_conv_bn_eval(theirs[0], theirs[1])
    np.testing.assert_allclose(ours[0].weight.detach().numpy(), folded.weight.detach().numpy(), rtol=1e-12)
    np.testing.assert_allclose(ours[0].bias.detach().numpy(), folded.bias.detach().numpy(), rtol=1e-12)
    check(ours, theirs, ["out", "gradient"])
    ours.train(), theirs.train()  # the batch norm is gone: training goes on without it
    assert not list(ours.buffers()) and type(ours[1]).__name__ == "Identity"


def test_training_goes_the_same_way() -> None:
    ours, theirs = both()
    steps = [
        (net, t.optim.SGD(net.parameters(), lr=0.05, momentum=0.9), image(t).detach())
        for t, net in ((convgrad, ours), (torch, theirs))
    ]
    for _ in range(20):
        losses = []
        for net, optimizer, x in steps:
            optimizer.zero_grad()
            loss = ((net(x) - 0.3) ** 2).mean()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        assert losses[0] == pytest.approx(losses[1], rel=1e-8)
