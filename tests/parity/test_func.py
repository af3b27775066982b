"""``func``, ``functional``, ``Function`` and checkpoints beside PyTorch's: values of every nesting, and refusals."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import convgrad
from convgrad import func as mine
from convgrad.autograd import functional
from convgrad.utils.checkpoint import checkpoint

from .agree import close, ours, theirs

pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning", "ignore:Attempted to insert")

RNG = np.random.default_rng(11)
X, Y, W = (RNG.standard_normal((4, 3)), RNG.standard_normal((4, 3)), RNG.standard_normal((3, 3)))
ROW, OTHER = X[0], Y[0]

#: functions of one row, with the library as their first argument
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "sin": lambda t, x: x.sin() * x,
    "prod": lambda t, x: x.prod() * x,
    "product": lambda t, x: (x[:, None] * x[None]).tanh().sum(1),
    "softmax": lambda t, x: t.softmax(x, 0).log(),
    "cumsum": lambda t, x: x.cumsum(0).exp(),
    "index": lambda t, x: x[[2, 0, 2]] * x[1],
    "sort": lambda t, x: x.sort()[0] ** 2,
    "max": lambda t, x: x * x.max(),
    "norm": lambda t, x: x / x.norm(),
    "cat": lambda t, x: t.cat([x, x * 2]).cos(),
    "stack": lambda t, x: t.stack([x, x.exp()]).sum(0),
    "flip": lambda t, x: x.flip(0) * x.roll(1),
    "where": lambda t, x: t.where(x > 0, x, x * x),
    "clamp": lambda t, x: x.clamp(-0.5, 0.5) + x**3,
    "outer": lambda t, x: t.outer(x, x) @ x,
    "einsum": lambda t, x: t.einsum("i,j->ij", x, x).sin().sum(0),
    "var": lambda t, x: x.var() * x.mean() * x,
    "logsumexp": lambda t, x: x.logsumexp(0) * x,
    # PyTorch's layer_norm takes its statistics for constants in tangents of tangents: there the formula
    "layer norm": lambda t, x: (
        t.nn.functional.layer_norm(x, (3,))
        if t is convgrad
        else (x - x.mean()) / (x.var(correction=0) + 1e-5).sqrt()
    ),
    "gelu": lambda t, x: t.nn.functional.gelu(x),
    "pad": lambda t, x: t.nn.functional.pad(x[None], (1, 1), mode="replicate")[0] * 2,
    "triu": lambda t, x: t.outer(x, x).triu().sum(1),
    "split": lambda t, x: x.split(1)[1] * x,
    "gather": lambda t, x: x.gather(0, t.tensor([1, 1, 0])) * x,
    "in place": lambda t, x: _changed(x),
    "constant": lambda t, x: t.ones(3, dtype=x.dtype),
}


def _changed(x: Any) -> Any:
    y = x * 1
    y[0] = x[1] * x[2]
    y.mul_(2)
    return y


TRANSFORMS: dict[str, Callable[..., Any]] = {
    "grad": lambda lib, f: lib.grad(lambda x: f(x).sum()),
    "grad of grad": lambda lib, f: lib.grad(lambda x: lib.grad(lambda y: f(y).sum())(x).pow(2).sum()),
    "value": lambda lib, f: lib.grad_and_value(lambda x: f(x).sum()),
    "vjp": lambda lib, f: lambda x: lib.vjp(f, x)[1](f(x).detach())[0],
    "jvp": lambda lib, f: lambda x: lib.jvp(f, (x,), (x * 2,)),
    "jvp of jvp": lambda lib, f: lambda x: lib.jvp(lambda y: lib.jvp(f, (y,), (y,))[1], (x,), (x,)),
    "jvp of grad": lambda lib, f: lambda x: lib.jvp(lib.grad(lambda y: f(y).sum()), (x,), (x,)),
    "grad of jvp": lambda lib, f: lib.grad(lambda x: lib.jvp(f, (x,), (x,))[1].sum()),
    "jacrev": lambda lib, f: lib.jacrev(f),
    "jacrev, chunks": lambda lib, f: lib.jacrev(f, chunk_size=2),
    "jacfwd": lambda lib, f: lib.jacfwd(f),
    "jacfwd of jacfwd": lambda lib, f: lib.jacfwd(lib.jacfwd(f)),
    "jacrev of jacfwd": lambda lib, f: lib.jacrev(lib.jacfwd(f)),
    "jacrev of jacrev": lambda lib, f: lib.jacrev(lib.jacrev(f)),
    "hessian": lambda lib, f: lib.hessian(lambda x: f(x).sum()),
    "linearize": lambda lib, f: lambda x: lib.linearize(f, x)[1](x),
}


def flat(value: Any) -> list[Any]:
    return [leaf for part in value for leaf in flat(part)] if isinstance(value, tuple) else [value]


def same(got: Any, expected: Any) -> None:
    a, b = flat(got), flat(expected)
    assert len(a) == len(b)
    for p, q in zip(a, b, strict=True):
        close(p, torch.zeros_like(q) + q)  # a tensor of zeros that PyTorch does not hold in memory


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_transforms_agree(name: str, transform: str) -> None:
    if name == "in place" and transform == "jacfwd of jacfwd":
        pytest.skip("PyTorch cannot write into its tangents of zeros")
    f, make = FUNCTIONS[name], TRANSFORMS[transform]
    x = ours(ROW, False)
    y = theirs(ROW, False)
    expected = make(torch.func, lambda t: f(torch, t))(y)
    same(make(mine, lambda t: f(convgrad, t))(x), expected)


@pytest.mark.parametrize("transform", ["grad", "jvp", "jacrev", "jacfwd", "hessian", "grad of grad"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_transforms_agree_under_vmap(name: str, transform: str) -> None:
    f, make = FUNCTIONS[name], TRANSFORMS[transform]
    expected = torch.func.vmap(make(torch.func, lambda t: f(torch, t)))(theirs(X, False))
    same(mine.vmap(make(mine, lambda t: f(convgrad, t)))(ours(X, False)), expected)


@pytest.mark.parametrize("strategy", ["reverse-mode", "forward-mode"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functional_agrees(name: str, strategy: str) -> None:
    f = FUNCTIONS[name]
    options: dict[str, Any] = {"strategy": strategy, "vectorize": strategy == "forward-mode"}
    expected = torch.autograd.functional.jacobian(lambda t: f(torch, t), theirs(ROW, False), **options)
    same(functional.jacobian(lambda t: f(convgrad, t), ours(ROW, False), **options), expected)
    expected = torch.autograd.functional.hessian(lambda t: f(torch, t).sum(), theirs(ROW, False))
    same(functional.hessian(lambda t: f(convgrad, t).sum(), ours(ROW, False)), expected)


@pytest.mark.parametrize("name", [n for n in FUNCTIONS if n != "constant"])
def test_batched_cotangents_agree(name: str) -> None:
    f = FUNCTIONS[name]
    x, y = ours(ROW, True), theirs(ROW, True)
    a, b = f(convgrad, x), f(torch, y)
    seeds = RNG.standard_normal((5, *b.shape))
    got = convgrad.autograd.grad(a, x, ours(seeds, False), is_grads_batched=True)
    same(got, torch.autograd.grad(b, y, theirs(seeds, False), is_grads_batched=True))


@pytest.mark.parametrize("reentrant", [True, False])
@pytest.mark.parametrize("name", [n for n in FUNCTIONS if n != "constant"])
def test_checkpoints_agree(name: str, reentrant: bool) -> None:
    f = FUNCTIONS[name]
    x, y = ours(ROW, True), theirs(ROW, True)
    checkpoint(lambda t: f(convgrad, t), x, use_reentrant=reentrant).sum().backward()
    f(torch, y).sum().backward()
    close(x.grad, y.grad)


@pytest.mark.parametrize(
    "call",
    [
        lambda t, v, x: v(lambda a: a.sum().item())(x),
        lambda t, v, x: v(lambda a: a if a.sum() > 0 else -a)(x),
        lambda t, v, x: v(lambda a: a.nonzero())(x),
        lambda t, v, x: v(lambda a: a[a > 0])(x),
        lambda t, v, x: v(lambda a: a.unique())(x),
        lambda t, v, x: v(lambda a: a.tolist())(x),
        lambda t, v, x: v(lambda a: t.rand(2))(x),
        lambda t, v, x: v(lambda a: t.nn.functional.dropout(a))(x),
        lambda t, v, x: v(lambda a: a.clone().normal_())(x),
        lambda t, v, x: v(lambda a: t.zeros(3, dtype=a.dtype).add_(a))(x),
        lambda t, v, x: v(lambda a: a, chunk_size=0)(x),
        lambda t, v, x: v(lambda a: a, in_dims=None)(x),
        lambda t, v, x: v(lambda a: a, in_dims=3)(x),
        lambda t, v, x: v(lambda a: None)(x),
        lambda t, v, x: v(lambda a: a, out_dims=None)(x),
        lambda t, v, x: v(lambda a: a, randomness="bad")(x),
        lambda t, v, x: v(lambda a, b: a)(x, x[:2]),
        lambda t, v, x: v(lambda a: t.allclose(a, a))(x),
    ],
)
def test_vmap_refuses_what_pytorch_refuses(call: Callable[..., Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(Exception) as raised:
            call(torch, torch.func.vmap, theirs(X, False))
    with pytest.raises(raised.type):
        call(convgrad, mine.vmap, ours(X, False))


@pytest.mark.parametrize("dims", [(0, 0), (1, 0), (0, None), (None, 1), (-1, -1)])
@pytest.mark.parametrize("out", [0, 1, -1])
def test_dims_agree(dims: tuple[Any, Any], out: int) -> None:
    a, b = W, W.T.copy()
    expected = torch.func.vmap(lambda x, y: x * y.sum() + y, dims, out)(theirs(a, False), theirs(b, False))
    same(mine.vmap(lambda x, y: x * y.sum() + y, dims, out)(ours(a, False), ours(b, False)), expected)
