"""Autograd beside PyTorch: random programs with views and in-place changes, node names, errors, func, functional."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import convgrad


class Program:
    """A seeded straight-line program; running it twice, once per library, makes the same choices."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def run(self, lib: Any, inputs: list[Any]) -> Any:
        """5 to 20 steps on a pool of (3, 4) tensors and their views; returns a scalar."""
        rng = np.random.default_rng(self.seed)
        pool = [*inputs]
        own = [x.clone() for x in inputs]
        pool += own
        for _ in range(int(rng.integers(5, 21))):
            self.step(lib, rng, pool, own)
        total = None
        for t in pool:
            part = (t * t).sum()
            total = part if total is None else total + part
        return total

    def step(self, lib: Any, rng: Any, pool: list[Any], own: list[Any]) -> None:
        a, b = pool[rng.integers(len(pool))], pool[rng.integers(len(pool))]
        target = own[rng.integers(len(own))]
        kind = rng.integers(14)
        row, lo = int(rng.integers(3)), int(rng.integers(3))
        new: Any = None
        if kind == 0:
            new = a * b
        elif kind == 1:
            new = a - 0.5 * b
        elif kind == 2:
            new = a.tanh() if hasattr(a, "tanh") else a * 0.5
        elif kind == 3:
            new = a.softmax(1) * b
        elif kind == 4:
            new = a / (b * b + 1)
        elif kind == 5:
            new = a + b[row]
        elif kind == 6:
            new = (a.t() @ b).sum(0) + a
        elif kind == 7:
            new = lib.where(a > b, a, b * 0.5)
        elif kind == 8:
            target.add_(a.clone() * 0.5)
        elif kind == 9:
            target[row].mul_(b[row].clone() * 0.5)
        elif kind == 10:
            target[:, lo : lo + 2].add_(b[:, :1].clone())
        elif kind == 11:
            target[row] = a[(row + 1) % 3].clone()
        elif kind == 12:
            target.t()[lo].copy_(a[:, lo].clone() * 0.3)
        else:
            new = target.reshape(4, 3).transpose(0, 1) * a
        if new is not None:
            pool.append(new)
            own.append(new.clone())


def _values(seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(1000 + seed)
    return [rng.uniform(-1, 1, (3, 4)) for _ in range(3)]


def _outcome(lib: Any, xs: list[Any], program: Program, order: int) -> Any:
    """Value and gradients (of the first or second order), or the type of the error."""
    try:
        out = program.run(lib, xs)
        found = lib.autograd.grad(out, xs, create_graph=order > 1, allow_unused=True)
        for _ in range(order - 1):
            total = sum((g * g).sum() for g in found if g is not None)
            found = lib.autograd.grad(total, xs, allow_unused=True)
    except RuntimeError as error:
        return RuntimeError, "inplace" in str(error)
    return out.item(), [None if g is None else g.detach().numpy() for g in found]


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("seed", range(60))
def test_random_programs(seed: int, order: int) -> None:
    arrays = _values(seed)
    ours = _outcome(convgrad, [convgrad.tensor(a).requires_grad_() for a in arrays], Program(seed), order)
    theirs = _outcome(torch, [torch.tensor(a).requires_grad_() for a in arrays], Program(seed), order)
    assert type(ours[0]) is type(theirs[0]), (ours, theirs)
    if theirs[0] is RuntimeError:
        assert ours[1] == theirs[1]
        return
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-8)
    for a, b in zip(ours[1], theirs[1], strict=True):
        if b is None or a is None:
            assert (0 if a is None else np.abs(a).max()) == (0 if b is None else np.abs(b).max())
        else:
            np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-8 * max(1.0, float(np.abs(b).max())))


EXPRESSIONS: list[Callable[[Any, Any, Any], Any]] = [
    lambda t, x, y: x + y, lambda t, x, y: x - 1, lambda t, x, y: 1 - x, lambda t, x, y: x * 2, lambda t, x, y: x / y,
    lambda t, x, y: -x, lambda t, x, y: x**2, lambda t, x, y: 2**x, lambda t, x, y: x**y, lambda t, x, y: x.exp(),
    lambda t, x, y: x.log(), lambda t, x, y: x.sum(), lambda t, x, y: x.sum(0), lambda t, x, y: x.mean(),
    lambda t, x, y: x.mean(1), lambda t, x, y: x.max(), lambda t, x, y: x.max(1)[0], lambda t, x, y: x @ y.t(),
    lambda t, x, y: x.t(), lambda t, x, y: x[0], lambda t, x, y: x[:, 1:], lambda t, x, y: x[0, 1:], lambda t, x, y: x[None],
    lambda t, x, y: x[[0, 1]], lambda t, x, y: x.reshape(-1), lambda t, x, y: x.view(-1), lambda t, x, y: x.transpose(0, 1),
    lambda t, x, y: x.permute(1, 0), lambda t, x, y: x.unsqueeze(0), lambda t, x, y: x.expand(2, 2, 3),
    lambda t, x, y: x.softmax(1), lambda t, x, y: x.clone(), lambda t, x, y: x.to(t.float32), lambda t, x, y: x.split(1)[0],
    lambda t, x, y: t.where(x > 0, x, y), lambda t, x, y: t.cat([x, y]), lambda t, x, y: t.stack([x, y]),
    lambda t, x, y: x.relu(), lambda t, x, y: x.clone().add_(1), lambda t, x, y: x.clone().mul_(y), lambda t, x, y: x.matmul(y[0]),
    lambda t, x, y: x[0].dot(y[0]), lambda t, x, y: x.detach().requires_grad_() * 1, lambda t, x, y: x.squeeze(0),
]  # fmt: skip


@pytest.mark.parametrize("index", range(len(EXPRESSIONS)))
def test_node_names_and_edges(index: int) -> None:
    f = EXPRESSIONS[index]
    names = []
    for lib in (convgrad, torch):
        x = lib.tensor([[0.5, 1.0, 2.0], [1.5, 0.7, 0.1]], dtype=lib.float64, requires_grad=True)
        y = lib.tensor([[0.3, 1.1, 2.2], [1.4, 0.6, 0.2]], dtype=lib.float64, requires_grad=True)
        fn = f(lib, x, y).grad_fn
        edges = [None if n is None else n.name() for n, _ in fn.next_functions]
        names.append((fn.name(), edges))
    assert names[0] == names[1]


def _leaf(lib: Any) -> Any:
    return lib.tensor([1.0, 2.0], requires_grad=True)


def _changed(lib: Any) -> None:
    x = _leaf(lib)
    y = x.exp()
    y.add_(1)
    y.sum().backward()


def _twice(lib: Any) -> None:
    y = (_leaf(lib) ** 2).sum()
    y.backward()
    y.backward()


def _split_written(lib: Any) -> None:
    a, _ = (_leaf(lib) * 1).split(1)
    a.add_(1)


MISTAKES: list[Callable[[Any], Any]] = [
    _changed, _twice, _split_written, lambda t: (_leaf(t) * 2).backward(), lambda t: t.ones(2).sum().backward(),
    lambda t: _leaf(t).add_(1), lambda t: _leaf(t)[:1].add_(1), lambda t: _leaf(t).numpy(), lambda t: t.ones(2).retain_grad(),
    lambda t: (_leaf(t) * 2).backward(t.ones(3)), lambda t: t.autograd.grad(_leaf(t).sum(), _leaf(t)),
    lambda t: t.autograd.grad(_leaf(t).sum(), t.ones(2)), lambda t: t.ones(2, dtype=t.int64).requires_grad_(),
    lambda t: (_leaf(t) * 1).requires_grad_(False), lambda t: t.zeros(1).expand(3).add_(1), lambda t: t.ones(1).register_hook(print),
    lambda t: (_leaf(t) * 2).sum().backward(inputs=[]), lambda t: t.autograd.Function.apply(_leaf(t)),
    lambda t: setattr(_leaf(t), "grad", t.ones(3)), lambda t: setattr(_leaf(t), "grad", 3),
    lambda t: t.autograd.forward_ad.make_dual(t.ones(2), t.ones(2)), lambda t: t.autograd.forward_ad.exit_dual_level(),
    lambda t: t.func.grad(lambda x: x)(_leaf(t)), lambda t: t.func.grad(lambda x: x.sum(), argnums=3)(_leaf(t)),
    lambda t: t.func.grad(lambda x: 3)(_leaf(t)), lambda t: t.func.grad(lambda x: x)(3.0), lambda t: t.func.vmap(lambda x: x)(3),
    lambda t: t.func.vmap(lambda x: x, in_dims=3)(t.ones(2)), lambda t: t.func.vmap(lambda x: 3)(t.ones(2)),
    lambda t: t.func.vmap(lambda x: x.item())(t.ones(2)), lambda t: t.func.vmap(lambda x: 1 if x > 0 else 0)(t.ones(2)),
    lambda t: t.func.vmap(lambda x, y: x)(t.ones(2), t.ones(3)), lambda t: t.func.vmap(lambda x: x)(),
    lambda t: t.func.vmap(lambda x: x, out_dims=4)(t.ones(2)), lambda t: t.func.vmap(lambda x: x, in_dims=None)(t.ones(2)),
    lambda t: t.autograd.functional.jacobian(lambda x: x, 3.0), lambda t: t.autograd.functional.hessian(lambda x: x, t.ones(2)),
    lambda t: t.autograd.functional.vjp(lambda x: x, t.ones(2)), lambda t: t.autograd.functional.vjp(lambda x: x, t.ones(2), t.ones(3)),
    lambda t: t.autograd.functional.jacobian(lambda x: x, t.ones(2), strategy="sideways"),
    lambda t: t.autograd.functional.jacobian(lambda x: t.ones(2), t.ones(2), strict=True),
    lambda t: t.testing.assert_close(t.ones(2), t.zeros(2)), lambda t: t.testing.assert_close(t.ones(2), t.ones(3)),
    lambda t: t.testing.assert_close(1.0, 1), lambda t: t.testing.assert_close(1.0, 1.0, rtol=1),
    lambda t: t.testing.assert_close("a", "b"), lambda t: t.testing.assert_close([1.0], [1.0, 2.0]),
    lambda t: t.testing.assert_close(t.ones(2), t.ones(2, dtype=t.float64)),
]  # fmt: skip


@pytest.mark.parametrize("index", range(len(MISTAKES)))
def test_errors_have_the_same_type(index: int) -> None:
    caught = []
    for lib in (convgrad, torch):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with pytest.raises(Exception) as info:
                MISTAKES[index](lib)
        caught.append(info.value)
    assert isinstance(caught[0], type(caught[1])) or type(caught[1]).__name__ in ("GradcheckError",), caught


def cube(x: Any) -> Any:
    return (x**3).sum()


NESTED: list[Callable[[Any, Any, Any], Any]] = [
    lambda t, a, b: t.func.grad(cube)(b),
    lambda t, a, b: t.func.grad(lambda x: t.func.grad(cube)(x).sum())(b),
    lambda t, a, b: t.func.grad(lambda x, y: (x * y * y).sum(), argnums=(0, 1))(a, b),
    lambda t, a, b: t.func.grad_and_value(cube)(b),
    lambda t, a, b: t.func.vmap(t.func.grad(cube))(a),
    lambda t, a, b: t.func.vmap(t.func.grad(lambda w, x: (x * w).exp().sum()), in_dims=(None, 0))(b, a),
    lambda t, a, b: t.func.hessian(cube)(b),
    lambda t, a, b: t.func.jacrev(lambda x: x * x.sum())(b),
    lambda t, a, b: t.func.jacfwd(lambda x, y: (x * y, y.exp()), argnums=(0, 1))(a, b),
    lambda t, a, b: t.func.jacrev(lambda x, y: (x * y, y.exp()), argnums=(0, 1))(a, b),
    lambda t, a, b: t.func.jvp(lambda x: (x * x).exp(), (b,), (b,)),
    lambda t, a, b: t.func.jvp(t.func.grad(cube), (b,), (b,)),
    lambda t, a, b: t.func.grad(lambda x: t.func.jvp(lambda u: u**3, (x,), (x,))[1].sum())(b),
    lambda t, a, b: t.func.vmap(t.func.hessian(cube))(a),
    lambda t, a, b: t.func.vmap(t.func.vjp(lambda x: x * x.exp(), b)[1])(a),
    lambda t, a, b: t.func.vmap(t.func.vmap(t.func.grad(lambda x: x**3)))(a),
    lambda t, a, b: t.func.vmap(lambda r: t.func.grad(lambda w: (w * r).exp().sum())(b))(a),
    lambda t, a, b: t.func.grad(lambda p: cube(p["a"]) * p["b"].sum())({"a": a, "b": b}),
    lambda t, a, b: t.func.vmap(lambda x: x.sum(0), in_dims=1, out_dims=0)(a),
    lambda t, a, b: t.func.vmap(lambda x, y: (x * y, x), in_dims=(0, None), out_dims=(1, 0))(a, b),
    lambda t, a, b: t.autograd.functional.jacobian(lambda x, y: (x * y, y.exp()), (a, b)),
    lambda t, a, b: t.autograd.functional.jacobian(
        lambda x: x.exp(), a, vectorize=True, strategy="forward-mode"
    ),
    lambda t, a, b: t.autograd.functional.hessian(lambda x, y: ((x * y) ** 2).sum(), (a, b)),
    lambda t, a, b: t.autograd.functional.vjp(lambda x, y: x * y, (a, b), a),
    lambda t, a, b: t.autograd.functional.jvp(lambda x, y: x * y, (a, b), (a, b)),
    lambda t, a, b: t.autograd.functional.hvp(lambda x, y: ((x * y) ** 2).sum(), (a, b), (a, b)),
    lambda t, a, b: t.autograd.functional.vhp(cube, b, b),
]


def _flat(value: Any) -> list[Any]:
    if hasattr(value, "detach"):
        return [value.detach().numpy()]
    return [leaf for part in (value.values() if isinstance(value, dict) else value) for leaf in _flat(part)]


@pytest.mark.parametrize("index", range(len(NESTED)))
def test_functions_of_functions(index: int) -> None:
    rng = np.random.default_rng(index)
    a, b = rng.normal(size=(4, 3)), rng.normal(size=3)
    ours = _flat(NESTED[index](convgrad, convgrad.tensor(a), convgrad.tensor(b)))
    theirs = _flat(NESTED[index](torch, torch.tensor(a), torch.tensor(b)))
    assert [x.shape for x in ours] == [x.shape for x in theirs]
    for x, y in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-9, atol=1e-9)


def test_gradcheck_speaks_alike() -> None:
    messages = []
    for lib in (convgrad, torch):

        class Bad(lib.autograd.Function):  # type: ignore[name-defined, misc]
            @staticmethod
            def forward(ctx: Any, x: Any) -> Any:
                return x * 2

            @staticmethod
            def backward(ctx: Any, g: Any) -> Any:
                return g * 3

        x = lib.tensor([1.0, 2.0], dtype=lib.float64, requires_grad=True)
        with pytest.raises(RuntimeError) as info:
            lib.autograd.gradcheck(Bad.apply, (x,))
        messages.append(str(info.value))
    assert messages[0].strip() == messages[1].strip()


@pytest.mark.parametrize(
    "values", [((1.0, 2.0, 3.0), (1.0, 2.0, 4.0)), ((1.0, 5.0), (1.0, 5.001)), ((2.0,), (3.0,))]
)
def test_assert_close_speaks_alike(values: Any) -> None:
    messages = []
    for lib in (convgrad, torch):
        with pytest.raises(AssertionError) as info:
            lib.testing.assert_close(lib.tensor(values[0]), lib.tensor(values[1]))
        messages.append(str(info.value))
    assert messages[0] == messages[1]
