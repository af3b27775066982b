"""Filling tensors in place with starting values; the numbers PyTorch draws for the same seed.

Nothing here is recorded for differentiation; each function returns the tensor it filled.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from ..dtypes import HALVES, Array
from ..errors import ConvgradError
from ..generator import Generator, chosen
from ..generator.order import drawn_into, empty_as
from ..graph.node import cell_of
from ..tensor.tensor import Tensor


def _fill(tensor: Tensor, values: Any, name: str) -> Tensor:
    if not tensor._data.flags.writeable:
        raise ConvgradError(
            f"{name}: the tensor of shape {list(tensor._data.shape)} shares read-only memory; clone() it "
            "first"
        )
    np.copyto(tensor._data, values, casting="unsafe")
    cell_of(tensor).bump(name)
    return tensor


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Numbers spread evenly over ``[a, b)``."""
    return _fill(tensor, _uniform(tensor._data, a, b, generator), "uniform_")


def normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Normal numbers with the given mean and standard deviation."""
    return _fill(tensor, _normal(tensor._data, mean, std, generator), "normal_")


def _uniform(data: Array, a: float, b: float, generator: Generator | None) -> Array:
    source = chosen(generator)
    return drawn_into(data, lambda shape: source.uniform(shape, data.dtype, a, b))


def _normal(data: Array, mean: float, std: float, generator: Generator | None) -> Array:
    source, whole = chosen(generator), bool(data.flags.c_contiguous)
    return drawn_into(data, lambda shape: source.normal(shape, data.dtype, mean, std, whole))


def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Generator | None = None,
) -> Tensor:
    """Normal numbers of which none lies outside ``[a, b]``.

    Those outside are drawn again. Where fewer than 30 % would lie inside, uniform numbers from ``[a, b]`` are
    kept with a probability proportional to the density instead (von Neumann 1951).
    """
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn(
            "mean is more than 2 std from [a, b] in nn.init.trunc_normal_. The distribution of values may be "
            "incorrect.",
            stacklevel=2,
        )
    data = tensor._data
    below, above = [(1.0 + math.erf((x - mean) / std / math.sqrt(2.0))) / 2.0 for x in (a, b)]
    if above - below <= 0.3:
        return _fill(tensor, _rejected_uniform(data, mean, std, a, b, generator), "trunc_normal_")
    low, high = [data.dtype.type(bound) for bound in (a, b)]
    values, again = _normal(data, mean, std, generator), empty_as(data)
    while (outside := (values < low) | (values > high)).any():
        values = np.where(outside, _normal(again, mean, std, generator), values)
    return _fill(tensor, values, "trunc_normal_")


def _rejected_uniform(
    data: Array, mean: float, std: float, a: float, b: float, generator: Generator | None
) -> Array:
    """Numbers of ``[a, b]`` with a normal density: each round draws all of them and two tests each."""
    mode = max(a, min(mean, b))
    peak = -0.5 * ((mode - mean) / std) ** 2
    again, kind = empty_as(data), data.dtype
    wide = np.float32 if kind in HALVES else kind.type

    def log_density(x: Array) -> Array:
        steps: tuple[Any, ...] = (
            lambda v: v - wide(kind.type(mean)), lambda v: v / wide(std), lambda v: v * v,
            lambda v: v * wide(-0.5), lambda v: v - wide(kind.type(peak)),
        )  # fmt: skip
        for step in steps:  # rounded after each, as PyTorch does: in half precision ties are frequent
            x = step(x.astype(wide)).astype(kind)
        return x

    def refused(candidates: Array) -> Array:
        tests = Tensor(_uniform(again, 0.0, 1.0, generator), None).log_()
        return np.asarray(tests._data > log_density(candidates))

    values = _uniform(data, a, b, generator)
    pending = refused(values)
    while pending.any():
        candidates = _uniform(again, a, b, generator)
        values = np.where(pending, candidates, values)
        pending &= refused(candidates)
    return values


def constant_(tensor: Tensor, val: float) -> Tensor:
    """One value everywhere."""
    return _fill(tensor, val, "fill_")


def ones_(tensor: Tensor) -> Tensor:
    """Ones."""
    return _fill(tensor, 1, "fill_")


def zeros_(tensor: Tensor) -> Tensor:
    """Zeros."""
    return _fill(tensor, 0, "zero_")


def eye_(tensor: Tensor) -> Tensor:
    """The identity matrix, for a tensor of two dimensions."""
    if tensor._data.ndim != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    return _fill(tensor, np.eye(*tensor._data.shape), "eye_")


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """Kernels ``(O, C, *K)`` that pass channel i to channel i unchanged (per group)."""
    shape = tensor._data.shape
    if len(shape) not in (3, 4, 5):
        raise ValueError("Only tensors with 3, 4, or 5 dimensions are supported")
    if shape[0] % groups:
        raise ValueError("dim 0 must be divisible by groups")
    per_group = shape[0] // groups
    values = np.zeros(shape, np.float32)
    centre = tuple([k // 2 for k in shape[2:]])
    for group in range(groups):
        for channel in range(min(per_group, shape[1])):
            values[(group * per_group + channel, channel, *centre)] = 1
    return _fill(tensor, values, "dirac_")


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor by which a nonlinearity asks the standard deviation of weights to be enlarged.

    Raises:
        ValueError: an unknown name.
    """
    if nonlinearity in ("linear", "conv1d", "conv2d", "conv3d", "sigmoid",
                        "conv_transpose1d", "conv_transpose2d", "conv_transpose3d"):  # fmt: skip
        return 1
    if nonlinearity == "tanh":
        return 5.0 / 3
    if nonlinearity == "relu":
        return math.sqrt(2.0)
    if nonlinearity == "leaky_relu":
        if param is not None and (isinstance(param, bool) or not isinstance(param, int | float)):
            raise ValueError(f"negative_slope {param} not a valid number")
        return math.sqrt(2.0 / (1 + (0.01 if param is None else param) ** 2))
    if nonlinearity == "selu":
        return 3.0 / 4
    raise ValueError(f"Unsupported nonlinearity {nonlinearity}")


def _calculate_fan_in_and_fan_out(tensor: Tensor) -> tuple[int, int]:
    """Inputs per output and outputs per input of a weight ``(O, I, *K)``."""
    shape = tensor._data.shape
    if len(shape) < 2:
        raise ValueError("Fan in and fan out can not be computed for tensor with fewer than 2 dimensions")
    field = math.prod(shape[2:])
    return shape[1] * field, shape[0] * field


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Uniform with variance ``gain² 2 / (fan_in + fan_out)`` (Glorot & Bengio 2010)."""
    std = gain * math.sqrt(2.0 / float(sum(_calculate_fan_in_and_fan_out(tensor))))
    bound = math.sqrt(3.0) * std
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Normal with variance ``gain² 2 / (fan_in + fan_out)`` (Glorot & Bengio 2010)."""
    std = gain * math.sqrt(2.0 / float(sum(_calculate_fan_in_and_fan_out(tensor))))
    return normal_(tensor, 0.0, std, generator)


def _calculate_correct_fan(tensor: Tensor, mode: str) -> int:
    """One of the two numbers of ``_calculate_fan_in_and_fan_out``, by its name.

    Raises:
        ValueError: another name.
    """
    if mode.lower() not in ("fan_in", "fan_out"):
        raise ValueError(f"Mode {mode} not supported, please use one of ['fan_in', 'fan_out']")
    return _calculate_fan_in_and_fan_out(tensor)[mode.lower() == "fan_out"]


def _kaiming_std(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    return calculate_gain(nonlinearity, a) / math.sqrt(_calculate_correct_fan(tensor, mode))


def _is_empty(tensor: Tensor) -> bool:
    if 0 in tensor._data.shape:
        warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=3)
        return True
    return False


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Uniform with variance ``gain² / fan``, which keeps the size of signals (He et al. 2015).

    Args:
        a: negative slope of the leaky ReLU behind the layer.
        mode: "fan_in" keeps the forward pass even, "fan_out" the backward pass.
        nonlinearity: name as for ``calculate_gain``.
    """
    if _is_empty(tensor):
        return tensor
    bound = math.sqrt(3.0) * _kaiming_std(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Normal with variance ``gain² / fan`` (He et al. 2015); arguments as ``kaiming_uniform_``."""
    if _is_empty(tensor):
        return tensor
    return normal_(tensor, 0.0, _kaiming_std(tensor, a, mode, nonlinearity), generator)


def orthogonal_(tensor: Tensor, gain: float = 1, generator: Generator | None = None) -> Tensor:
    """A (semi-)orthogonal matrix of the first dimension against all others (Saxe et al. 2013)."""
    data = tensor._data
    if data.ndim < 2:
        raise ValueError("Only tensors with 2 or more dimensions are supported")
    if data.size == 0:
        return tensor
    rows = data.shape[0]
    flat = chosen(generator).normal((rows, data.size // rows), data.dtype, 0.0, 1.0)
    wide = flat.astype(np.float32) if data.dtype in HALVES else flat
    q, r = np.linalg.qr(wide.T if rows < flat.shape[1] else wide)
    q = q * np.sign(np.diagonal(r))
    if rows < flat.shape[1]:
        q = q.T
    return _fill(tensor, (q * gain).reshape(data.shape), "orthogonal_")


def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01, generator: Generator | None = None) -> Tensor:
    """Normal numbers of which in each column a fraction ``sparsity`` is zero (Martens 2010)."""
    if tensor._data.ndim != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    rows, columns = tensor._data.shape
    zeros = math.ceil(sparsity * rows)
    normal_(tensor, 0.0, std, generator)
    for column in range(columns):
        tensor._data[chosen(None).randperm(rows)[:zeros], column] = 0
    return tensor


# what the functions above are called in PyTorch where nothing is recorded; nothing is here in any of them
_no_grad_uniform_ = uniform_
_no_grad_normal_ = normal_
_no_grad_trunc_normal_ = trunc_normal_
_no_grad_fill_ = constant_
_no_grad_zero_ = zeros_


def _renamed(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The function under its name without the underscore, with a warning."""
    new = function.__name__
    old = new[:-1]

    def deprecated(*args: Any, **kwargs: Any) -> Tensor:
        warnings.warn(
            f"`nn.init.{old}` is now deprecated in favor of `nn.init.{new}`.", FutureWarning, stacklevel=2
        )
        return function(*args, **kwargs)

    deprecated.__name__ = deprecated.__qualname__ = old
    deprecated.__doc__ = f"``{new}`` under an older name, deprecated."
    return deprecated


uniform = _renamed(uniform_)
normal = _renamed(normal_)
constant = _renamed(constant_)
eye = _renamed(eye_)
dirac = _renamed(dirac_)
xavier_uniform = _renamed(xavier_uniform_)
xavier_normal = _renamed(xavier_normal_)
kaiming_uniform = _renamed(kaiming_uniform_)
kaiming_normal = _renamed(kaiming_normal_)
orthogonal = _renamed(orthogonal_)
sparse = _renamed(sparse_)
