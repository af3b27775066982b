"""Forward mode: levels, dual tensors, in-place changes, and both orders with reverse mode."""

from __future__ import annotations

import pytest

import convgrad as torch
from convgrad.autograd import forward_ad as fwd

X = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
D = torch.tensor([1.0, 0.0, -1.0], dtype=torch.float64)


def test_tangents_flow_and_end_with_the_level() -> None:
    with fwd.dual_level():
        x = fwd.make_dual(X, D)
        y = x * x + 1
        assert fwd.unpack_dual(y).tangent.tolist() == [2, 0, -6]
        assert not y.requires_grad and fwd.unpack_dual(X).tangent is None
    assert fwd.unpack_dual(y).tangent is None
    assert not (y * 2).requires_grad and (y * 2).grad_fn is None
    assert X.requires_grad is False


def test_in_place_changes_carry_tangents() -> None:
    with fwd.dual_level(), torch.no_grad():
        z = torch.zeros(2, 3, dtype=torch.float64)
        z[1].add_(fwd.make_dual(X, D))
        z[1, :2].mul_(3)
        assert fwd.unpack_dual(z).tangent.tolist() == [[0, 0, 0], [3, 0, -1]]


def test_forward_over_reverse() -> None:
    x = X.clone().requires_grad_()
    with fwd.dual_level():
        dual = fwd.make_dual(x, D)
        (g,) = torch.autograd.grad((dual**3).sum(), dual)
        primal, tangent = fwd.unpack_dual(g)
        assert primal.tolist() == [3, 12, 27] and tangent.tolist() == [6, 0, -18]
        assert not g.requires_grad


def test_reverse_over_forward() -> None:
    x = X.clone().requires_grad_()
    with fwd.dual_level():
        tangent = fwd.unpack_dual(fwd.make_dual(x, D) ** 3).tangent
        (g,) = torch.autograd.grad(tangent.sum(), x)
    assert g.tolist() == [6, 0, -18]


def test_an_ordinary_backward_ignores_tangents() -> None:
    x = X.clone().requires_grad_()
    with fwd.dual_level():
        (fwd.make_dual(x, D) ** 2).sum().backward()
    assert x.grad.tolist() == [2, 4, 6]


def test_what_is_refused() -> None:
    with pytest.raises(RuntimeError, match="no level exists"):
        fwd.make_dual(X, D)
    with fwd.dual_level():
        with pytest.raises(RuntimeError, match="Nested forward mode AD is not supported"):
            fwd.enter_dual_level()
        with pytest.raises(RuntimeError, match="different size than that of the original"):
            fwd.make_dual(X, D[:1])
        with pytest.raises(ValueError, match="Expected primal to be floating point or complex"):
            fwd.make_dual(torch.ones(3, dtype=torch.int64), D)
    with pytest.raises(RuntimeError, match="Dual level must be a positive number"):
        fwd.exit_dual_level()
    with pytest.raises(ZeroDivisionError), fwd.dual_level():
        1 / 0
    with fwd.dual_level():
        pass


def test_versions_are_watched_for_values_saved_inside_a_level() -> None:
    x = X.clone().requires_grad_()
    with fwd.dual_level():
        y = fwd.make_dual(x, D) * 1
        z = y * y
        y.add_(1)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            z.sum().backward()
