"""``autograd.Function``: everything a user's own operation may do."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest

import convgrad as torch
from convgrad.autograd import Function
from convgrad.autograd.function import once_differentiable
from convgrad.testing import gradcheck, gradgradcheck


def rand(*shape: int) -> torch.Tensor:
    return (torch.rand(*shape, dtype=torch.float64) + 0.5).requires_grad_()


class Scaled(Function):
    """x * y * k, with a number and an output that is saved."""

    @staticmethod
    def forward(ctx: Any, x: Any, y: Any, k: float) -> Any:
        out = x * y * k
        ctx.save_for_backward(x, y, out)
        ctx.k = k
        return out

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        x, y, out = ctx.saved_tensors
        gx = g * y * ctx.k if ctx.needs_input_grad[0] else None
        gy = g * out / y if ctx.needs_input_grad[1] else None
        return gx, gy, None

    @staticmethod
    def jvp(ctx: Any, dx: Any, dy: Any, _k: Any) -> Any:
        raise NotImplementedError


class Square(Function):
    @staticmethod
    def forward(x: Any) -> Any:
        return x * x

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        return 2 * ctx.saved_tensors[0] * g

    @staticmethod
    def jvp(ctx: Any, d: Any) -> Any:
        return 2 * ctx.saved_tensors[0] * d


def test_first_and_second_derivatives_with_numbers_and_saved_outputs() -> None:
    x, y = rand(3), rand(3)
    assert gradcheck(lambda a, b: Scaled.apply(a, b, 3.0), (x, y))
    assert gradgradcheck(lambda a, b: Scaled.apply(a, b, 3.0), (x, y))


def test_setup_context_and_forward_mode() -> None:
    x = rand(3)
    assert gradcheck(Square.apply, (x,), check_forward_ad=True)
    assert gradgradcheck(Square.apply, (x,), check_fwd_over_rev=True)
    assert Square.apply(x).grad_fn.name() == "SquareBackward"


def test_needs_input_grad() -> None:
    seen = []

    class Spy(Function):
        @staticmethod
        def forward(ctx: Any, a: Any, b: Any, c: Any) -> Any:
            seen.append(ctx.needs_input_grad)
            return a + b

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            seen.append(ctx.needs_input_grad)
            return g, g, None

    Spy.apply(rand(2), torch.ones(2), "text").sum().backward()
    assert seen == [(True, False, False), (True, False, False)]


def test_several_outputs_constants_and_undefined_gradients() -> None:
    got = []

    class Parts(Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            where = x > 1
            ctx.mark_non_differentiable(where)
            return x * 2, where, x * 3

        @staticmethod
        def backward(ctx: Any, g2: Any, gw: Any, g3: Any) -> Any:
            got.append((g2.tolist(), g3.tolist()))
            return 2 * g2 + 3 * g3

    x = rand(2)
    two, where, three = Parts.apply(x)
    assert two.requires_grad and three.requires_grad and not where.requires_grad
    three.sum().backward()
    assert x.grad.tolist() == [3, 3] and got == [([0, 0], [1, 1])]


def test_gradients_left_undefined_on_request() -> None:
    class Parts(Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.set_materialize_grads(False)
            return x * 2, x * 3

        @staticmethod
        def backward(ctx: Any, a: Any, b: Any) -> Any:
            assert a is None
            return b * 3

    x = rand(2)
    Parts.apply(x)[1].sum().backward()
    assert x.grad.tolist() == [3, 3]


def test_mark_dirty() -> None:
    class Doubled(Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            x.mul_(2)
            ctx.mark_dirty(x)
            return x

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return 2 * g

    x = rand(2)
    y = x * 1
    z = Doubled.apply(y)
    assert z is y and y.grad_fn.name() == "DoubledBackward"
    (y * y).sum().backward()
    assert torch.allclose(x.grad, 8 * x.detach())
    with pytest.raises(RuntimeError, match="leaf Variable that requires grad"):
        Doubled.apply(rand(2))


def test_once_differentiable() -> None:
    class Once(Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        @once_differentiable
        def backward(ctx: Any, g: Any) -> Any:
            return 2 * ctx.saved_tensors[0] * g

    x = rand(2)
    (g,) = torch.autograd.grad(Once.apply(x).sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        g.sum().backward()


class Wrong(Function):
    @staticmethod
    def forward(ctx: Any, x: Any, y: Any) -> Any:
        return x + y

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        return g


class Failing(Function):
    @staticmethod
    def forward(ctx: Any, x: Any, where: str) -> Any:
        if where == "forward":
            raise KeyError("in forward")
        return x * 2

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        raise KeyError("in backward")


def test_what_goes_wrong_is_said_and_leaves_no_trace() -> None:
    with pytest.raises(RuntimeError, match="returned an incorrect number of gradients"):
        Wrong.apply(rand(2), rand(2)).sum().backward()
    with pytest.raises(KeyError, match="in forward"):
        Failing.apply(rand(2), "forward")
    assert torch.is_grad_enabled()
    with pytest.raises(KeyError, match="in backward"):
        Failing.apply(rand(2), "").sum().backward()
    assert torch.is_grad_enabled()
    with pytest.raises(NotImplementedError, match="forward"):
        Function.apply(rand(2))
    with pytest.raises(RuntimeError, match="should not be instantiated"):
        Wrong()


def test_a_changed_saved_tensor_is_noticed_and_freeing_too() -> None:
    x = rand(2)
    y = x * 1
    z = Square.apply(y).sum()
    y.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        z.backward()
    w = Square.apply(x).sum()
    w.backward()
    with pytest.raises(RuntimeError, match="second time"):
        w.backward()


def test_no_reference_cycles() -> None:
    gc.collect()
    gc.disable()
    try:
        x, y = rand(2), rand(2)
        out = Scaled.apply(x, y, 2.0)
        node = weakref.ref(out.grad_fn)
        out.sum().backward()
        del out
        assert node() is None
        out = Scaled.apply(x, y, 2.0)
        node = weakref.ref(out.grad_fn)
        del out
        assert node() is None
    finally:
        gc.enable()
