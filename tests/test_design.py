"""The twelve operators that were chosen to break the design, each in every respect at once.

Per operator: first and second derivatives, forward mode, forward over reverse, a batch (vmap), the
gradient of a batch, bfloat16 rounded once, 0-d and empty inputs where they make sense.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import convgrad as torch
from convgrad import func
from convgrad.autograd import Function
from convgrad.nn.functional.conv import conv1d
from convgrad.ops.norm import BatchNorm
from convgrad.tensor.tensor import Tensor, apply
from convgrad.testing import assert_close, gradcheck, gradgradcheck


class Square(Function):
    """A user's operation with all four formulas."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x)
        ctx.save_for_forward(x)
        return x * x

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        return 2 * ctx.saved_tensors[0] * g

    @staticmethod
    def jvp(ctx: Any, d: Any) -> Any:
        return 2 * ctx.saved_tensors[0] * d


def add_to_view(x: Any, y: Any) -> Any:
    z = x.clone()
    z[0].add_(y)
    z[..., :1] += 2
    return z * z


class Design(NamedTuple):
    """An operator: a call, shapes of its arguments, and those of an empty and a 0-d call (None: there is none)."""

    name: str
    call: Callable[..., Any]
    shapes: tuple[tuple[int, ...], ...]
    empty: tuple[tuple[int, ...], ...] | None
    zero_d: tuple[tuple[int, ...], ...] | None
    ruled: bool = True

    def __str__(self) -> str:
        return self.name


TWELVE = [
    Design("mul", lambda x, y: x * y, ((2, 3), (3,)), ((0, 3), (3,)), ((), ())),
    Design("sum", lambda x: x.sum(1), ((2, 3),), ((2, 0),), ((),), True),
    Design("max", lambda x: x.max(1).values, ((2, 3),), ((0, 3),), None),
    Design("index", lambda x: x[:, [0, 2]][..., None], ((2, 3),), ((0, 3),), None),
    Design("add_ on a view", add_to_view, ((2, 3), (3,)), ((2, 0), (0,)), None),
    Design("where", lambda x, y: torch.where(x > 1, x * y, y), ((2, 3), (3,)), ((0, 3), (3,)), ((), ())),
    Design("softmax", lambda x: x.softmax(-1), ((2, 3),), ((0, 3),), ((),)),
    Design("matmul", lambda x, y: x @ y, ((2, 3), (3, 2)), ((0, 3), (3, 2)), None),
    Design(
        "batch_norm",
        lambda x, w, b: apply(BatchNorm, (x, w, b), (1e-5,))[0],
        ((4, 2, 3), (2,), (2,)),
        None,
        None,
    ),
    Design("convolve", lambda x, w, b: conv1d(x, w, b, padding=1), ((2, 2, 5), (3, 2, 3), (3,)), None, None),
    Design("split", lambda x: x.split(2, 1)[0] * x.split(2, 1)[1], ((2, 4),), ((0, 4),), None),
    Design("Function", Square.apply, ((2, 3),), ((0, 3),), ((),), False),
]


def arrays(shapes: tuple[tuple[int, ...], ...], batch: int | None = None) -> list[np.ndarray]:
    rng = np.random.default_rng(len(shapes))
    return [rng.uniform(0.5, 1.5, s if batch is None else (batch, *s)) for s in shapes]


def leaves(shapes: tuple[tuple[int, ...], ...]) -> list[Tensor]:
    return [Tensor(np.asarray(a), None).requires_grad_() for a in arrays(shapes)]


@pytest.mark.parametrize("design", TWELVE, ids=str)
def test_first_derivatives_in_both_modes(design: Design) -> None:
    assert gradcheck(design.call, leaves(design.shapes), check_forward_ad=True)


@pytest.mark.parametrize("design", TWELVE, ids=str)
def test_second_derivatives_in_both_orders(design: Design) -> None:
    assert gradgradcheck(design.call, leaves(design.shapes), check_fwd_over_rev=True)


@pytest.mark.parametrize("design", TWELVE, ids=str)
def test_a_batch_is_its_samples(design: Design) -> None:
    xs = [Tensor(a, None) for a in arrays(design.shapes, 3)]
    before = func.vmap_fallbacks()
    whole = func.vmap(design.call)(*xs)
    if design.ruled:
        assert func.vmap_fallbacks() == before, "ran sample by sample"
    for i in range(3):
        assert_close(whole[i], design.call(*[x[i] for x in xs]))


@pytest.mark.parametrize("design", TWELVE, ids=str)
def test_gradients_per_sample(design: Design) -> None:
    """vmap(grad) with arguments that are and are not batched is a loop of grad."""
    first, *shared = [Tensor(a, None) for a in arrays(design.shapes)]
    xs = Tensor(arrays(design.shapes, 3)[0], None)

    def loss(*args: Tensor) -> Tensor:
        return (design.call(*args) ** 3).sum()

    every = tuple(range(1 + len(shared)))
    gradients = func.grad(loss, argnums=every)
    whole = func.vmap(gradients, in_dims=(0,) + (None,) * len(shared))(xs, *shared)
    for i in range(3):
        for got, want in zip(whole, gradients(xs[i], *shared), strict=True):
            assert_close(got[i], want)
    assert first is not None


@pytest.mark.parametrize("design", TWELVE, ids=str)
def test_tangents_of_a_batch(design: Design) -> None:
    xs = tuple(Tensor(a, None) for a in arrays(design.shapes, 3))
    ds = tuple(Tensor(a[::-1].copy(), None) for a in arrays(design.shapes, 3))
    whole = func.jvp(func.vmap(design.call), xs, ds)[1]
    inside = func.vmap(lambda *a: func.jvp(design.call, a[: len(xs)], a[len(xs) :])[1])(*xs, *ds)
    for i in range(3):
        want = func.jvp(design.call, tuple(x[i] for x in xs), tuple(d[i] for d in ds))[1]
        assert_close(whole[i], want)
        assert_close(inside[i], want)


@pytest.mark.parametrize(
    "design", [d for d in TWELVE if d.name not in ("add_ on a view", "where", "split")], ids=str
)
def test_bfloat16_is_rounded_once(design: Design) -> None:
    xs = [Tensor(np.asarray(a, np.float32), None).to(torch.bfloat16) for a in arrays(design.shapes)]
    got = design.call(*xs)
    want = design.call(*[x.to(torch.float32) for x in xs]).to(torch.bfloat16)
    assert got.dtype is torch.bfloat16 and torch.equal(got, want)


@pytest.mark.parametrize("design", TWELVE, ids=str)
def test_bfloat16_gradients_keep_the_dtype(design: Design) -> None:
    xs = [
        Tensor(np.asarray(a, np.float32), None).to(torch.bfloat16).requires_grad_()
        for a in arrays(design.shapes)
    ]
    design.call(*xs).sum().backward()
    assert all(x.grad.dtype is torch.bfloat16 and x.grad.shape == x.shape for x in xs)


@pytest.mark.parametrize("design", [d for d in TWELVE if d.empty is not None], ids=str)
def test_empty_inputs(design: Design) -> None:
    xs = leaves(design.empty or ())
    out = design.call(*xs)
    found = torch.autograd.grad(out.sum(), xs, create_graph=True)
    assert [g.shape for g in found] == [x.shape for x in xs]


@pytest.mark.parametrize("design", [d for d in TWELVE if d.zero_d is not None and d.name != "sum"], ids=str)
def test_0d_inputs(design: Design) -> None:
    xs = leaves(design.zero_d or ())
    assert gradcheck(design.call, xs, check_forward_ad=True)
    assert gradgradcheck(design.call, xs, check_fwd_over_rev=True)
    out = design.call(*xs)
    assert out.shape == () and isinstance(out._data, np.ndarray)
