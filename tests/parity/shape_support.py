"""The same expression in convgrad and in PyTorch: value, dtype, node names, gradients, error types."""

from __future__ import annotations

import warnings
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

import convgrad
from convgrad.tensor import creation
from convgrad.tensor import functions_shape as joins
from convgrad.tensor.functions_exchange import from_dlpack

OURS = SimpleNamespace(
    **{
        **{n: value for n, value in vars(convgrad).items() if not n.startswith("_")},
        **{n: getattr(creation, n) for n in dir(creation) if not n.startswith("_")},
        "from_dlpack": from_dlpack,
        **{n: getattr(joins, n) for n in joins.__all__},
    }
)
THEIRS = SimpleNamespace(
    **{n: getattr(torch, n) for n in dir(torch) if not n.startswith("__")},
)
THEIRS.pad, THEIRS.one_hot = torch.nn.functional.pad, torch.nn.functional.one_hot


def evaluate(expression: str, module: Any, names: dict[str, Any]) -> Any:
    """The value, or the exception; statements are parted by ';' and the last is the value."""
    scope = {"torch": module, "np": np, **names}
    *statements, last = [part.strip() for part in expression.split(";")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            for statement in statements:
                exec(statement, scope)
            return eval(last, scope)
        except Exception as error:
            return error


def leaves(arrays: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Tensors of the same arrays on both sides; floats require grad."""
    ours, theirs = {}, {}
    for name, array in arrays.items():
        grad = array.dtype.kind in "fc" and not name.startswith("n")
        ours[name] = creation.tensor(array, requires_grad=grad)
        theirs[name] = torch.tensor(array, requires_grad=grad)
    return ours, theirs


def flat(value: Any) -> list[Any]:
    """Tensors of a nested result in order."""
    if isinstance(value, (tuple, list)) and not isinstance(value, (torch.Size, convgrad.Size)):
        return [x for item in value for x in flat(item)]
    return [value]


def array(x: Any) -> Any:
    x = x.detach()
    if str(x.dtype) == "torch.bfloat16":
        x = x.float()
    return x.numpy()


def same(a: Any, b: Any, rtol: float = 1e-6) -> None:
    """Equal type of result, shape, dtype, values and last node."""
    assert type(a) is not ValueError or isinstance(b, Exception)
    if isinstance(b, Exception):
        assert isinstance(a, type(b)), f"convgrad: {a!r}; PyTorch: {type(b).__name__}: {b}"
        return
    assert not isinstance(a, Exception), f"convgrad raised {type(a).__name__}: {a}; PyTorch gave {b!r}"
    left, right = flat(a), flat(b)
    assert len(left) == len(right)
    for x, y in zip(left, right, strict=True):
        if not isinstance(y, torch.Tensor):
            assert str(x) == str(y)
            continue
        assert tuple(x.shape) == tuple(y.shape)
        assert str(x.dtype) == str(y.dtype)
        assert x.requires_grad == y.requires_grad
        assert x.is_contiguous() or not y.is_contiguous()
        np.testing.assert_allclose(array(x), array(y), rtol=rtol, atol=1e-7)


def node(x: Any) -> str | None:
    """The name of the last node, without PyTorch's C++ namespace."""
    return None if x.grad_fn is None else x.grad_fn.name().replace("torch::autograd::", "")


def compare(expression: str, arrays: dict[str, Any], names: bool = True, rtol: float = 1e-6) -> None:
    """Value, node names and gradients of one expression."""
    ours, theirs = leaves(arrays)
    a, b = evaluate(expression, OURS, ours), evaluate(expression, THEIRS, theirs)
    same(a, b, rtol)
    if isinstance(b, Exception):
        return
    pairs = [(x, y) for x, y in zip(flat(a), flat(b), strict=True) if isinstance(y, torch.Tensor)]
    if names:
        assert [node(x) for x, _ in pairs] == [node(y) for _, y in pairs]
    tracked = [(x, y) for x, y in pairs if y.requires_grad and not y.is_leaf]
    for k, (x, y) in enumerate(tracked):
        weight = np.random.default_rng(k).normal(size=tuple(y.shape)).astype(array(y).dtype)
        x.backward(creation.tensor(weight), retain_graph=True)
        y.backward(torch.tensor(weight), retain_graph=True)
    if tracked:
        for name in arrays:
            if theirs[name].grad is None:
                grad = ours[name].grad
                assert grad is None or not array(grad).any()
            elif ours[name].grad is None:  # nothing was written, so nothing was recorded
                assert not array(theirs[name].grad).any(), f"no gradient for {name}"
            else:
                np.testing.assert_allclose(
                    array(ours[name].grad), array(theirs[name].grad), rtol=1e-5, atol=1e-6, err_msg=name
                )
