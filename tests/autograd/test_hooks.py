"""Tensor hooks and retained gradients."""

from __future__ import annotations

import pytest

import convgrad as torch


def test_hooks_run_in_order_and_replace() -> None:
    x = torch.tensor([2.0], requires_grad=True)
    y = x * 3
    seen = []
    y.register_hook(lambda g: seen.append(("first", g.item())))
    y.register_hook(lambda g: g * 10)
    y.register_hook(lambda g: seen.append(("third", g.item())))
    y.sum().backward()
    assert seen == [("first", 1.0), ("third", 10.0)] and x.grad.item() == 30


def test_a_removed_hook_is_silent() -> None:
    x = torch.tensor([2.0], requires_grad=True)
    handle = x.register_hook(lambda g: g * 100)
    handle.remove()
    handle.remove()
    with x.register_hook(lambda g: g * 5):
        (x * 1).sum().backward()
    (x * 1).sum().backward()
    assert x.grad.item() == 6


def test_leaf_hooks_come_before_accumulation_and_once() -> None:
    x = torch.tensor([1.0], requires_grad=True)
    calls = []
    x.register_hook(lambda g: calls.append(g.item()))
    (x * 2 + x * 3).sum().backward()
    assert calls == [5.0]


def test_hooks_under_create_graph_see_recorded_gradients() -> None:
    x = torch.tensor([3.0], requires_grad=True)
    y = x * x
    y.register_hook(lambda g: g * x)
    (g,) = torch.autograd.grad(y.sum(), x, create_graph=True)  # 2x * x
    (h,) = torch.autograd.grad(g.sum(), x)
    assert g.item() == 18 and h.item() == 12


def test_retain_grad() -> None:
    x = torch.tensor([2.0], requires_grad=True)
    y = x * 3
    y.retain_grad()
    y.retain_grad()
    assert y.retains_grad and not x.retains_grad
    (y * y).sum().backward()
    assert y.grad.item() == 12
    z = x * 1
    with pytest.warns(UserWarning, match="not a leaf Tensor"):
        assert z.grad is None
    with pytest.raises(RuntimeError, match="can't retain_grad"):
        torch.ones(1).retain_grad()


def test_post_accumulate_hooks_get_the_leaf() -> None:
    x = torch.tensor([2.0], requires_grad=True)
    seen = []
    x.register_post_accumulate_grad_hook(lambda p: seen.append((p is x, p.grad.item())))
    (x * 4).sum().backward()
    assert seen == [(True, 4.0)]
    with pytest.raises(RuntimeError, match="non-leaf"):
        (x * 1).register_post_accumulate_grad_hook(lambda p: None)


def test_what_hooks_refuse() -> None:
    with pytest.raises(
        RuntimeError, match="cannot register a hook on a tensor that doesn't require gradient"
    ):
        torch.ones(1).register_hook(lambda g: g)
    x = torch.ones(1, requires_grad=True)
    x.register_hook(lambda g: 3)
    with pytest.raises(TypeError):
        (x * 2).sum().backward()
