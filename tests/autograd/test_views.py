"""Views and in-place changes: base and views keep right histories, and what must not be is refused."""

from __future__ import annotations

import numpy as np
import pytest

import convgrad as torch
from convgrad.testing import gradcheck, gradgradcheck


def rand(*shape: int) -> torch.Tensor:
    return torch.tensor(np.random.default_rng(3).uniform(0.5, 1.5, shape)).requires_grad_()


def through_view(x: torch.Tensor) -> torch.Tensor:
    z = x.clone()
    z[1].mul_(x[0])
    return z * z


def view_made_before(x: torch.Tensor) -> torch.Tensor:
    z = x.clone()
    v = z[:, 1:]
    z.mul_(x)
    return v * v


def view_of_view(x: torch.Tensor) -> torch.Tensor:
    z = x.clone()
    a = z.transpose(0, 1)
    b = a[1:]
    b.add_(b.clone() * b.clone())
    return z * 2 + a.transpose(0, 1)


def sibling(x: torch.Tensor) -> torch.Tensor:
    z = x * 1
    a, b = z[0], z.reshape(-1)
    a.copy_(x[1])
    return b * b


def assigned(x: torch.Tensor) -> torch.Tensor:
    z = x * 2
    z[0, :2] = x[1, :2] * x[1, 1:]
    z[:, [0, 2]] = x[:, [1, 1]]
    return z * x


def base_changed_twice(x: torch.Tensor) -> torch.Tensor:
    z = x + 0
    v = z[0]
    v += 1
    v *= x[1]
    z *= 2
    return v + z[1] * v


@pytest.mark.parametrize(
    "f", [through_view, view_made_before, view_of_view, sibling, assigned, base_changed_twice]
)
def test_gradients_through_views_and_changes(f: object) -> None:
    x = rand(2, 3)
    assert gradcheck(f, (x,), check_forward_ad=True)
    assert gradgradcheck(f, (x,), check_fwd_over_rev=True)


def test_a_view_made_before_gets_a_fresh_node() -> None:
    x = rand(2, 3)
    z = x.clone()
    v = z[0]
    before = v.grad_fn
    z.add_(1)
    assert v.grad_fn is not before and v.grad_fn.name() == "AsStridedBackward0"
    w = z[1]
    w.mul_(2)
    assert z.grad_fn.name() == "CopySlices" and v._base is z and v._version == z._version


def test_an_untracked_base_becomes_tracked() -> None:
    z = torch.zeros(2, 3, dtype=torch.float64)
    x = rand(3)
    z[1].add_(x)
    assert z.requires_grad and not z.is_leaf
    (z * z).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 2 * x.detach().numpy())


def test_what_must_not_be_written_to() -> None:
    x = rand(4)
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad is being used in an in-place"):
        x.add_(1)
    with pytest.raises(RuntimeError, match="a view of a leaf Variable that requires grad"):
        x[:2].add_(1)
    with torch.no_grad():
        x[:2].add_(1)
    a, _ = (x * 1).split(2)
    with pytest.raises(RuntimeError, match="is a view and is being modified inplace"):
        a.add_(1)
    with pytest.raises(
        RuntimeError, match="more than one element of the written-to tensor refers to a single memory"
    ):
        torch.zeros(1).expand(3).add_(1)


def test_detach_shares_memory_and_version_but_not_history() -> None:
    x = rand(2)
    y = x * x
    d = y.detach()
    assert not d.requires_grad
    z = (y * y).sum()
    d.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        z.backward()


def test_nothing_is_half_done_after_a_refusal() -> None:
    x = rand(2, 3)
    z = x * 1
    kept, version = z.detach().clone(), z._version
    with pytest.raises(RuntimeError):
        z.add_(torch.ones(5, 2, 3, dtype=torch.float64))
    assert torch.equal(z.detach(), kept) and z._version == version
