"""Activation functions."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import ShapeError
from ...generator import default_generator
from ...ops import activation as ops
from ...ops import special
from ...tensor.tensor import Tensor, apply


def _write(input: Tensor, op: Any, params: tuple[Any, ...], inplace: bool, name: str) -> Tensor:
    if inplace:
        return input._inplace(name, op, (), params)
    return apply(op, (input,), params)


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """``max(x, 0)`` elementwise."""
    return _write(input, ops.Relu, (), True, "relu_") if inplace else input.relu()


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """``min(max(x, 0), 6)`` elementwise."""
    return hardtanh(input, 0.0, 6.0, inplace)


def hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Tensor:
    """x kept within ``[min_val, max_val]``."""
    if min_val > max_val:
        raise ValueError("min_val cannot be greater than max_val")
    return _write(input, ops.Hardtanh, (min_val, max_val), inplace, "hardtanh_")


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """x where positive, else ``negative_slope * x``."""
    return _write(input, ops.LeakyRelu, (negative_slope,), inplace, "leaky_relu_")


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """x where positive, else ``weight * x``; weight has one element, or one per channel (dimension 1)."""
    channels = input._data.shape[1] if input._data.ndim > 1 else 1
    count = weight._data.size
    if count not in (1, channels):
        raise ShapeError(
            f"Mismatch of parameter numbers and input channel size. Found parameter numbers = {count} and channel "
            f"size = {channels} (input {list(input.shape)})."
        )
    shape = (count,) + (1,) * max(0, input._data.ndim - 2) if input._data.ndim > 1 else (count,)
    if not input._data.ndim:
        shape = ()
    return apply(ops.Prelu, (input, weight.reshape(*shape) if shape else weight.reshape(())))


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where positive, else ``alpha (exp(x) - 1)``."""
    return _write(input, ops.Elu, (alpha, 1.0, 1.0), inplace, "elu_")


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """The scaled ELU whose constants keep mean 0 and variance 1. Source: arXiv:1706.02515."""
    return _write(input, ops.Elu, (1.6732632423543772, 1.0507009873554805, 1.0), inplace, "selu_")


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where positive, else ``alpha (exp(x / alpha) - 1)``."""
    return _write(input, ops.Celu, (alpha, 1.0, 1.0 / alpha), inplace, "celu_")


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """x times the normal distribution function at x; "tanh" gives the approximation."""
    if approximate not in ("none", "tanh"):
        raise RuntimeError("approximate argument must be either none or tanh.")
    return apply(ops.Gelu if approximate == "none" else ops.GeluTanh, (input,))


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """``x sigmoid(x)``, also called swish."""
    return _write(input, ops.Silu, (), inplace, "silu_")


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """``x tanh(softplus(x))``."""
    return _write(input, ops.Mish, (), inplace, "mish_")


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """``log(1 + exp(beta x)) / beta``; x itself where ``beta x`` exceeds ``threshold``."""
    return apply(ops.Softplus, (input,), (float(beta), float(threshold)))


def softsign(input: Tensor) -> Tensor:
    """``x / (1 + |x|)``."""
    return input / (input.abs() + 1)


def tanhshrink(input: Tensor) -> Tensor:
    """``x - tanh(x)``."""
    return input - tanh(input)


def tanh(input: Tensor) -> Tensor:
    """The hyperbolic tangent."""
    return input._unary(special.Tanh)


def sigmoid(input: Tensor) -> Tensor:
    """``1 / (1 + exp(-x))``."""
    return input._unary(special.Sigmoid)


def logsigmoid(input: Tensor) -> Tensor:
    """``log(sigmoid(x))`` without overflow."""
    return apply(ops.LogSigmoid, (input,))


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """``min(max(x + 3, 0), 6) / 6``."""
    return _write(input, ops.Hardsigmoid, (), inplace, "hardsigmoid_")


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """``x min(max(x + 3, 0), 6) / 6``."""
    return _write(input, ops.Hardswish, (), inplace, "hardswish_")


def hardshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """x, but 0 within ``[-lambd, lambd]``."""
    return apply(ops.Hardshrink, (input,), (lambd,))


def softshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """x brought nearer to 0 by ``lambd``, and 0 within ``[-lambd, lambd]``."""
    return apply(ops.Softshrink, (input,), (lambd,))


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """x where it exceeds ``threshold``, else ``value``."""
    return _write(input, ops.Threshold, (threshold, value), inplace, "threshold_")


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """The first half along ``dim`` times the sigmoid of the second."""
    size = input._data.shape[dim]
    if size % 2:
        raise ShapeError(f"Halving dimension must be even, but dimension {dim} is size {size}")
    first, second = input.split(size // 2, dim)
    return first * sigmoid(second)


def _softmax_axis(name: str, dim: int | None, ndim: int) -> int:
    if dim is None:
        raise TypeError(f"{name}() needs dim: say along which dimension the values shall sum to 1, e.g. dim=-1")
    return dim


def softmax(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """``exp(x)`` over its sum along ``dim``; ``dtype`` converts the input first."""
    axis = _softmax_axis("softmax", dim, input._data.ndim)
    return (input if dtype is None else input.to(dtype)).softmax(axis)


def softmin(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """Softmax of ``-x``."""
    return softmax(-input, dim, dtype=dtype)


def log_softmax(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """The logarithm of softmax, without overflow."""
    axis = _softmax_axis("log_softmax", dim, input._data.ndim)
    ndim = max(1, input._data.ndim)
    if not -ndim <= axis < ndim:
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-ndim}, {ndim - 1}], but got {axis})"
        )
    x = input if dtype is None else input.to(dtype)
    return apply(ops.LogSoftmax, (x,), (axis % ndim if x._data.ndim else (),))


def gumbel_softmax(logits: Tensor, tau: float = 1, hard: bool = False, dim: int = -1) -> Tensor:
    """A sample from the Gumbel-softmax distribution; ``hard`` makes it one-hot, gradients stay soft."""
    noise = -np.log(default_generator.exponential(logits._data.shape, logits._data.dtype))
    soft = softmax((logits + Tensor(noise, None)) / tau, dim)
    if not hard:
        return soft
    best = np.zeros_like(soft._data)
    np.put_along_axis(best, np.expand_dims(soft._data.argmax(dim), dim), 1, dim)
    return Tensor(best, None) - soft.detach() + soft

