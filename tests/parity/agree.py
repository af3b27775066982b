"""One call made with both libraries: values, shapes, dtypes, node names, gradients or errors must agree."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import torch

from convgrad.errors import LinAlgError
from convgrad.graph.engine import run
from convgrad.tensor.tensor import Tensor

TOLERANCE = {"float16": 2e-3, "bfloat16": 1.6e-2, "float32": 2e-5, "complex64": 2e-5}


def theirs(x: np.ndarray, grad: bool) -> torch.Tensor:
    """A torch tensor with strides and values of an array."""
    out = (
        torch.from_numpy(x.astype(np.float32)).to(torch.bfloat16)
        if x.dtype == ml_dtypes.bfloat16
        else torch.from_numpy(x)
    )
    return out.requires_grad_() if grad and x.dtype.kind in "fcV" else out


def ours(x: np.ndarray, grad: bool) -> Tensor:
    """A convgrad tensor on an array."""
    out = Tensor(x, None)
    return out.requires_grad_() if grad and x.dtype.kind in "fcV" else out


def array(x: torch.Tensor) -> np.ndarray:
    """A torch tensor's values."""
    x = x.detach().resolve_conj().resolve_neg()
    return x.float().numpy() if x.dtype is torch.bfloat16 else x.numpy()


def close(a: Tensor, b: torch.Tensor, what: str = "value") -> None:
    """Same shape, dtype and (nearly) values."""
    assert isinstance(a, Tensor), f"{what} is {a!r}"
    assert tuple(a.shape) == tuple(b.shape), f"{what}: shape {tuple(a.shape)}, torch {tuple(b.shape)}"
    assert repr(a.dtype) == str(b.dtype), f"{what}: dtype {a.dtype}, torch {b.dtype}"
    x = a._data.astype(np.float32) if a._data.dtype.kind == "V" else a._data
    tol = TOLERANCE.get(a._data.dtype.name, 1e-9)
    np.testing.assert_allclose(x, array(b), rtol=tol, atol=tol, err_msg=what)


def several(x: Any) -> list[Any]:
    """A result as a list of results."""
    return list(x) if isinstance(x, (tuple, list)) else [x]


def agree(
    call: Callable[..., Any],
    *args: np.ndarray,
    grad: bool = True,
    name: bool = True,
    skip: tuple[int, ...] = (),
) -> None:
    """``call`` gives the same on convgrad's and torch's tensors.

    args: arrays; grad: whether gradients are compared; name: whether node names are; skip: results
    whose values are not compared (positions among equals, which PyTorch leaves open).
    """
    xs, ys = (
        [ours(a, grad) for a in args],
        [theirs(a.copy() if not a.flags.writeable else a, grad) for a in args],
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            expected = several(call(*ys))
        except Exception as error:
            fails(call, xs, error)
            return
    got = several(call(*xs))
    assert len(got) == len(expected)
    for k, (a, b) in enumerate(zip(got, expected, strict=True)):
        if k not in skip:
            close(a, b, f"result {k}")
        assert (a.grad_fn is None) == (b.grad_fn is None), (
            f"result {k}: grad_fn {a.grad_fn}, torch {b.grad_fn}"
        )
        if name and b.grad_fn is not None:
            assert a.grad_fn.name() == b.grad_fn.name()
    if grad:
        same_gradients(got, expected, xs, ys)


def fails(call: Callable[..., Any], xs: list[Tensor], error: Exception) -> None:
    """convgrad must fail as torch did, with an exception that the same ``except`` clause catches."""
    expected = LinAlgError if isinstance(error, torch.linalg.LinAlgError) else type(error)
    try:
        call(*xs)
    except expected:
        return
    except Exception as mine:
        raise AssertionError(f"torch raised {error!r}, convgrad {mine!r}") from mine
    raise AssertionError(f"torch raised {error!r}, convgrad nothing")


def same_gradients(got: list[Any], expected: list[Any], xs: list[Tensor], ys: list[torch.Tensor]) -> None:
    """Backward from all differentiable results with random cotangents."""
    rng = np.random.default_rng(5)
    roots, outs, cotangents = [], [], []
    for a, b in zip(got, expected, strict=True):
        if b.grad_fn is None:
            continue
        g = np.asarray(rng.standard_normal(tuple(b.shape)))
        g = (g + 1j * rng.standard_normal(tuple(b.shape)) if a._data.dtype.kind == "c" else g).astype(
            a._data.dtype
        )
        g = np.asarray(g)
        roots.append((a._node, g))
        outs.append(b)
        cotangents.append(theirs(g, False))
    if not roots:
        return
    torch.autograd.backward(outs, cotangents)
    run(roots)
    for k, (x, y) in enumerate(zip(xs, ys, strict=True)):
        if y.grad is None:
            assert x.grad is None or not np.any(x.grad._data), f"gradient {k}: torch has none"
        else:
            assert x.grad is not None or not y.grad.any(), f"gradient {k} is missing"
            if x.grad is not None:
                close(x.grad, y.grad, f"gradient {k}")
