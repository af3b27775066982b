"""Activation functions: those of the tensor layer, and what only networks use."""

from __future__ import annotations

from typing import Any

from ...generator import default_generator
from ...tensor.creation import zeros_like
from ...tensor.dual import adopt
from ...tensor.functions_activation import (
    celu,
    elu,
    gelu,
    glu,
    hardshrink,
    hardsigmoid,
    hardswish,
    hardtanh,
    leaky_relu,
    logsigmoid,
    mish,
    prelu,
    relu,
    relu6,
    selu,
    silu,
    softplus,
    softshrink,
    softsign,
    tanhshrink,
    threshold,
)
from ...tensor.tensor import Tensor


def tanh(input: Tensor) -> Tensor:
    """The hyperbolic tangent."""
    return input.tanh()


def sigmoid(input: Tensor) -> Tensor:
    """``1 / (1 + exp(-x))``."""
    return input.sigmoid()


def _needed(name: str, dim: int | None) -> int:
    if dim is None:
        raise TypeError(
            f"{name}() needs dim: say along which dimension the values shall sum to 1, e.g. dim=-1"
        )
    return dim


def softmax(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """``exp(x)`` over its sum along ``dim``; ``dtype`` converts the input first."""
    return input.softmax(_needed("softmax", dim), dtype)


def softmin(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """Softmax of ``-x``."""
    return (-input).softmax(_needed("softmin", dim), dtype)


def log_softmax(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """The logarithm of softmax, without overflow."""
    return input.log_softmax(_needed("log_softmax", dim), dtype)


def gumbel_softmax(logits: Tensor, tau: float = 1, hard: bool = False, dim: int = -1) -> Tensor:
    """A sample from the Gumbel-softmax distribution; ``hard`` makes it one-hot, gradients stay soft."""
    noise = adopt(Tensor(default_generator.exponential(logits._data.shape, logits._data.dtype), None))
    soft = softmax((logits - noise.log()) / tau, dim)
    if not hard:
        return soft
    best = zeros_like(soft).scatter(dim, soft.detach().argmax(dim, keepdim=True), 1.0)
    return best - soft.detach() + soft


__all__ = [
    "celu",
    "elu",
    "gelu",
    "glu",
    "gumbel_softmax",
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "leaky_relu",
    "log_softmax",
    "logsigmoid",
    "mish",
    "prelu",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "softmax",
    "softmin",
    "softplus",
    "softshrink",
    "softsign",
    "tanh",
    "tanhshrink",
    "threshold",
]
