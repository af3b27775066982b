"""Functions composed of operators: their first and second derivatives, forward and reverse, and what they give."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import convgrad as torch
from convgrad.tensor.tensor import Tensor
from convgrad.testing import gradcheck, gradgradcheck

RNG = np.random.default_rng(0)
M, V, P = (3, 4), (4,), (2, 2)

COMPOSED: dict[str, tuple[Callable[..., Any], tuple[tuple[int, ...], ...]]] = {
    "trapezoid": (lambda y, x: torch.trapezoid(y, x), (M, V)),
    "trapezoid-dx": (lambda y: torch.trapezoid(y, dx=0.5, dim=0), (M,)),
    "cumulative_trapezoid": (lambda y, x: torch.cumulative_trapezoid(y, x), (M, V)),
    "gradient": (lambda x: torch.gradient(x, spacing=0.5), (M,)),
    "gradient-2": (lambda x: torch.gradient(x, edge_order=2), (M,)),
    "gradient-uneven": (lambda x, p: torch.gradient(x, spacing=(p.cumsum(0),), dim=1, edge_order=2), (M, V)),
    "cov": (lambda x: x.cov(), (M,)),
    "cov-weights": (lambda x, w: x.cov(aweights=w, fweights=torch.tensor([1, 2, 3, 1])), (M, V)),
    "corrcoef": (lambda x: x.corrcoef()[0, 1], (M,)),
    "quantile": (lambda x, q: x.quantile(q / 2, dim=1), (M, V)),
    "quantile-midpoint": (lambda x: x.quantile(0.3, dim=0, interpolation="midpoint"), (M,)),
    "nanquantile": (lambda x: x.nanquantile(0.3), (M,)),
    "as_strided_scatter": (lambda x, s: x.as_strided_scatter(s, (2, 2), (1, 4), 1), (M, P)),
    "sum_to_size": (lambda x: x.sum_to_size(3, 1), (M,)),
    "narrow_copy": (lambda x: x.narrow_copy(1, 1, 2), (M,)),
    "fill_diagonal_": (lambda x: (x * 1).fill_diagonal_(0.0), (M,)),
    "expand_copy": (lambda x: torch.expand_copy(x, (2, 3, 4)), (M,)),
    "unbind_copy": (lambda x: torch.unbind_copy(x), (M,)),
    "index_reduce_": (lambda x, s: (x * 1).index_reduce_(0, torch.tensor([2, 0]), s, "mean"), (M, (2, 4))),
    "renorm_": (lambda x: (x * 1).renorm_(2, 0, 0.5), (M,)),
    "conj_physical_": (lambda x: (x * 1j).conj_physical_(), (M,)),
    "diff": (lambda x, s: x.diff(prepend=s), (M, (3, 2))),
}


@pytest.mark.parametrize("name", COMPOSED)
def test_derivatives_of_compositions(name: str) -> None:
    call, shapes = COMPOSED[name]
    xs = [Tensor(RNG.uniform(0.5, 1.5, s), None).requires_grad_() for s in shapes]
    assert gradcheck(call, xs, check_forward_ad=True)
    assert gradgradcheck(call, xs, check_fwd_over_rev=True)


def test_copies_share_no_memory() -> None:
    x = torch.arange(12.0).reshape(3, 4)
    for copy in (torch.view_copy(x, (4, 3)), torch.t_copy(x), torch.alias_copy(x), torch.detach_copy(x),
                 torch.select_copy(x, 0, 1), torch.diagonal_copy(x), *torch.split_copy(x, 2), x.narrow_copy(0, 1, 1)):  # fmt: skip
        copy.fill_(-1)
    assert x.min() == 0
    x.unsafe_split(2)[0].fill_(-1)  # shares it, and nobody minds
    assert x.min() == -1


def test_unsafe_pieces_may_be_changed_in_place() -> None:
    x = torch.ones(4, 2, requires_grad=True)
    first, second = (x * 2).unsafe_split(2)
    first.mul_(3)  # forbidden for the pieces of split
    (first.sum() + second.sum()).backward()
    assert x.grad.tolist() == [[6.0, 6.0], [6.0, 6.0], [2.0, 2.0], [2.0, 2.0]]


@pytest.mark.parametrize("kind", [np.float64, np.float32])
@pytest.mark.parametrize("shift", [0.0, 1e3])
def test_distances_of_near_points_keep_their_digits(kind: Any, shift: float) -> None:
    """By products or by differences: values and gradients are those of float64 differences."""
    a = (RNG.standard_normal((60, 16)) + shift).astype(kind)
    b = np.concatenate(
        [a[:20], a[20:40] + kind(1e-3), RNG.standard_normal((30, 16)).astype(kind) + kind(shift)]
    )
    x, y = Tensor(a, None).requires_grad_(), Tensor(b, None)
    out = torch.cdist(x, y)
    gap = a[:, None].astype(float) - b[None]
    exact = np.sqrt((gap**2).sum(-1))
    rtol = 1e-6 if kind is np.float32 else 1e-9
    np.testing.assert_allclose(out.detach().numpy(), exact, rtol=rtol, atol=0)
    out.sum().backward()
    slope = np.divide(gap, exact[..., None], out=np.zeros_like(gap), where=exact[..., None] > 0).sum(1)
    np.testing.assert_allclose(
        x.grad.numpy(),
        slope,
        rtol=1e-4 if kind is np.float32 else 1e-8,
        atol=1e-4 if kind is np.float32 else 1e-8,
    )


@pytest.mark.parametrize("p", [1.0, 2.0, 3.0])
def test_distances_of_every_two_rows_keep_the_digits_of_differences(p: float) -> None:
    a = RNG.standard_normal((60, 7)) + 1e6
    a[5] = a[40] + 1e-6
    first, second = np.triu_indices(60, 1)
    x, y = Tensor(a, None).requires_grad_(), Tensor(a, None).requires_grad_()
    out = torch.pdist(x, p)
    np.testing.assert_allclose(out.detach().numpy(), np.linalg.norm(a[first] - a[second], p, -1), rtol=1e-14)
    out.sum().backward()
    torch.linalg.vector_norm(y[first.tolist()] - y[second.tolist()], p, 1).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), y.grad.numpy(), rtol=1e-12, atol=1e-12)


def test_the_largest_differences_of_pdist_take_the_gradient_whole() -> None:
    x = torch.tensor([[0.0, 0.0], [3.0, 3.0]], requires_grad=True)
    torch.pdist(x, float("inf")).sum().backward()
    assert x.grad.tolist() == [[-1.0, -1.0], [1.0, 1.0]]
    x.grad = None
    torch.pdist(x, 0).sum().backward()
    assert x.grad.tolist() == [[0.0, 0.0], [0.0, 0.0]]


def test_distances_from_infinity() -> None:
    x = torch.zeros(200, 20)
    x[3, 2] = float("inf")
    out = torch.cdist(x, torch.ones(200, 20))
    assert torch.isinf(out[3]).all() and torch.isfinite(out[4]).all()


def test_many_distances_are_taken_in_blocks() -> None:
    a, b = RNG.standard_normal((700, 20)), RNG.standard_normal((60, 20))
    got = torch.cdist(Tensor(a, None), Tensor(b, None), 1.0).numpy()
    np.testing.assert_allclose(got, np.abs(a[:, None] - b[None]).sum(-1))


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_degrees_of_freedom_below_one_warn() -> None:
    with pytest.warns(UserWarning, match="degrees of freedom is <= 0"):
        torch.ones(2, 1).cov()


def test_results_with_names() -> None:
    found = torch.tensor([0.0, 1.0, 1.0, 2.0]).histogram(2)
    assert found.hist.tolist() == [1.0, 3.0] and found.bin_edges.tolist() == [0.0, 1.0, 2.0]
    assert torch.histogram(torch.zeros(0), 2).bin_edges.tolist() == [0.0, 0.5, 1.0]
