"""``func``: what composes, what is refused, and what runs sample by sample (values: tests/parity)."""

from __future__ import annotations

import numpy as np
import pytest

import convgrad as torch
from convgrad import func
from convgrad.testing import assert_close


def cube(x: torch.Tensor) -> torch.Tensor:
    return (x**3).sum()


X = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], dtype=torch.float64)


def test_derivatives_nest_to_any_depth() -> None:
    f = lambda x: x**5
    for factor in (5 * 16, 20 * 8, 60 * 4, 120 * 2):
        f = func.grad(f)
        assert f(torch.tensor(2.0)).item() == factor


def test_results_are_plain_unless_something_outside_is_tracked() -> None:
    assert not func.grad(cube)(X).requires_grad
    w = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    g = func.grad(lambda x: (x * w).sum())(X)
    g.sum().backward()
    assert w.grad.item() == 6
    tracked = X.clone().requires_grad_()
    func.grad(cube)(tracked).sum().backward()
    assert_close(tracked.grad, 6 * X)


def test_no_grad_outside_does_not_reach_in() -> None:
    with torch.no_grad():
        assert_close(func.grad(cube)(X), 3 * X * X)


def test_a_change_in_place_inside_of_vmap_reaches_the_caller() -> None:
    """As in PyTorch: what is mapped over is a view of the argument."""
    mine = X.clone()

    def change(x: torch.Tensor) -> torch.Tensor:
        x.add_(1)
        return x

    assert_close(func.vmap(change)(mine), X + 1)
    assert torch.equal(mine, X + 1)


def test_vmap_over_comparison_and_choice() -> None:
    got = func.vmap(lambda x: torch.where(x > 2.5, x, 0 * x).sum())(X)
    assert got.tolist() == [0, 7, 11]


def test_vmap_is_differentiable_and_nests() -> None:
    x = X.clone().requires_grad_()
    func.vmap(lambda r: func.vmap(lambda e: e * r.sum())(r))(x).sum().backward()
    assert_close(x.grad, 2 * X.sum(1, keepdim=True).expand(3, 2))


def test_an_operator_without_a_rule_runs_sample_by_sample_and_is_counted() -> None:
    before = func.vmap_fallbacks().get("Cumsum", 0) + sum(func.vmap_fallbacks().values())
    got = func.vmap(lambda x: x.cumsum(0))(X)
    assert_close(got, X.cumsum(1))
    assert sum(func.vmap_fallbacks().values()) >= before


def test_vmap_refusals() -> None:
    with pytest.raises(RuntimeError, match=r"calling \.item\(\) on a Tensor"):
        func.vmap(lambda x: x.sum().item())(X)
    with pytest.raises(RuntimeError, match="data-dependent control flow"):
        func.vmap(lambda x: x if x.sum() > 0 else -x)(X)
    with pytest.raises(ValueError, match="same size in the mapped dimension"):
        func.vmap(lambda x, y: x)(X, torch.ones(2))
    with pytest.raises(ValueError, match="at least one Tensor to vmap over"):
        func.vmap(lambda x: x, in_dims=(None,))(X)
    with pytest.raises(ValueError, match="in_dims is not compatible"):
        func.vmap(lambda x: x, in_dims=(0, 0))(X)
    with pytest.raises(ValueError, match="must only return Tensors"):
        func.vmap(lambda x: 3)(X)
    assert torch.is_grad_enabled()
    assert not (X * 2).requires_grad


def test_per_sample_gradients_of_a_small_net() -> None:
    rng = np.random.default_rng(0)
    w = torch.tensor(rng.normal(size=(4, 2)))
    xs, ys = torch.tensor(rng.normal(size=(5, 4))), torch.tensor(rng.normal(size=(5, 2)))

    def loss(w: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return (((x @ w).tanh() - y) ** 2).mean()

    together = func.vmap(func.grad(loss), in_dims=(None, 0, 0))(w, xs, ys)
    for i in range(5):
        assert_close(together[i], func.grad(loss)(w, xs[i], ys[i]))


def test_hessian_is_symmetric_and_forward_agrees_with_reverse() -> None:
    f = lambda x: (x.exp() * x.sum()).sum()
    x = X[0]
    h = func.hessian(f)(x)
    assert_close(h, h.t())
    assert_close(h, func.jacrev(func.jacrev(f))(x))


def test_jvp_checks_its_arguments() -> None:
    with pytest.raises(RuntimeError, match="tuples"):
        func.jvp(cube, X, X)
    with pytest.raises(RuntimeError, match="different size"):
        func.jvp(cube, (X,), (X[0],))
    assert not (X * 2).requires_grad


@pytest.mark.parametrize(
    "derive",
    [
        lambda f, x: func.hessian(f)(x),
        lambda f, x: func.jacfwd(func.jacrev(f))(x),
        lambda f, x: func.jacrev(func.jacfwd(f))(x),
        lambda f, x: func.jacrev(f, chunk_size=1)(x),
        lambda f, x: func.grad(f)(x),
        lambda f, x: func.vmap(func.hessian(f))(torch.stack([x, x])),
        lambda f, x: func.hessian(lambda d: f(d["a"]))({"a": x})["a"]["a"],
    ],
)
def test_derivatives_of_a_plain_tensor_have_no_history(derive):
    weight = torch.tensor([1.0, 2.0], requires_grad=True)
    x = torch.tensor([0.5, 1.5])
    assert derive(lambda x: (x.sin() * x).sum(), x).grad_fn is None
    assert derive(
        lambda x: (x.sin() * x * weight).sum(), x
    ).requires_grad  # what the function closes over has
    assert derive(lambda x: (x.sin() * x).sum(), x.clone().requires_grad_()).requires_grad
    with torch.no_grad():
        assert not func.grad(lambda x: (x * weight).sum())(x).requires_grad
