"""Activation functions: those of the tensor layer, and what only networks use."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ...errors import ConvgradError
from ...generator import Generator, default_generator
from ...ops import activation as ops
from ...tensor.creation import zeros_like
from ...tensor.dual import adopt, batch_of
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
from ...tensor.methods.operands import check_tensor
from ...tensor.tensor import Tensor, apply


def tanh(input: Tensor) -> Tensor:
    """The hyperbolic tangent."""
    return input.tanh()


def sigmoid(input: Tensor) -> Tensor:
    """``1 / (1 + exp(-x))``."""
    return input.sigmoid()


def _needed(name: str, dim: int | None, input: Tensor) -> int:
    """The dimension along which to sum to 1; without one PyTorch's choice, with its warning."""
    check_tensor(name, input, "input")
    if dim is not None:
        return dim
    warnings.warn(
        f"Implicit dimension choice for {name} has been deprecated. Change the call to include dim=X as an "
        f"argument: say along which dimension the values shall sum to 1, e.g. dim=-1.",
        stacklevel=3,
    )
    return 0 if input._data.ndim in (0, 1, 3) else 1


def softmax(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """``exp(x)`` over its sum along ``dim``; ``dtype`` converts the input first."""
    return input.softmax(_needed("softmax", dim, input), dtype)


def softmin(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """Softmax of ``-x``."""
    return (-input).softmax(_needed("softmin", dim, input), dtype)


def log_softmax(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """The logarithm of softmax, without overflow."""
    return input.log_softmax(_needed("log_softmax", dim, input), dtype)


def gumbel_softmax(
    logits: Tensor, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1
) -> Tensor:
    """A sample of the Gumbel-softmax distribution.

    Args:
        logits: unnormalised log-probabilities, float of any shape.
        tau: temperature; the lower, the nearer to one-hot.
        hard: the sample is one-hot, its gradient that of the soft one.
        eps: has no effect (deprecated).
        dim: along which the sample sums to 1.
    Source: Jang et al. 2017, arXiv:1611.01144.
    """
    if eps != 1e-10:
        warnings.warn("`eps` parameter is deprecated and has no effect.", stacklevel=2)
    noise = adopt(Tensor(default_generator.exponential(logits._data.shape, logits._data.dtype), None))
    soft = softmax((logits - noise.log()) / tau, dim)
    if not hard:
        return soft
    best = zeros_like(soft).scatter(dim, soft.detach().argmax(dim, keepdim=True), 1.0)
    return best - soft.detach() + soft


def rrelu(
    input: Tensor,
    lower: float = 1.0 / 8,
    upper: float = 1.0 / 3,
    training: bool = False,
    inplace: bool = False,
) -> Tensor:
    """x where positive, elsewhere x times a slope, in training a random one for each element.

    Args:
        input: float of any shape.
        lower, upper: bounds of the uniform slopes; outside training it is their mean.
        training: whether slopes are drawn.
        inplace: change the input.
    Source: Xu et al. 2015, arXiv:1505.00853.
    """
    return randomised_relu(input, lower, upper, training, default_generator, inplace)


def rrelu_(input: Tensor, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False) -> Tensor:
    """``rrelu`` in place."""
    return randomised_relu(input, lower, upper, training, default_generator, True)


def randomised_relu(
    input: Tensor, lower: float, upper: float, training: bool, generator: Generator, inplace: bool = False
) -> Tensor:  # fmt: skip
    """``rrelu`` with slopes from a generator."""
    check_tensor("rrelu", input, "input")
    if (node := batch_of(input)) is not None:  # the slopes are made of values: sample by sample
        given = (input, lower, upper, training, generator, inplace)
        out: Tensor = node.each("rrelu", randomised_relu, given)
        return out
    x = input._data
    if x.dtype.kind in "biuc":
        raise NotImplementedError(f'"rrelu_with_noise_out_cpu" not implemented for {input.dtype}')
    if training and x.dtype == np.float16:
        raise NotImplementedError("\"rrelu_with_noise_out_cpu\" not implemented for 'Half': use .float()")
    if not lower <= upper:
        raise ConvgradError(
            f"rrelu: Lower bound should be less than or equal to the upper bound, but got {lower} and {upper}"
        )
    noise = np.ones(x.shape, np.float32 if x.dtype.itemsize < 4 else x.dtype)
    low = x <= 0 if training else ~(x > 0)
    if training:
        noise[low] = generator.uniform((int(low.sum()),), np.float64, lower, upper)
    else:
        noise[low] = (lower + upper) / 2
    return (
        input._inplace("rrelu_with_noise_", ops.RreluWithNoise, (), (noise,))
        if inplace
        else apply(ops.RreluWithNoise, (input,), (noise,))
    )


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
    "rrelu",
    "rrelu_",
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
