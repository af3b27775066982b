"""Normalisation on compiled kernels, with the signatures of ``norms``.

A call takes one kernel from beginning to end, so even the smallest is served here: NumPy needs a dozen calls.
Other dtypes, mixed ones and empty arrays go to the definitions.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from convgrad.dtypes import F32, F64, Array
from convgrad.kernels import norms
from convgrad.kernels.machine import _native, instruction_set
from convgrad.kernels.memory import LARGE, empty_large

instruction_set()  # the one chosen is in use from here on

_ACTIVATIONS = {None: 0, "relu": 1}


def _serves(x: Array, *others: Array | None) -> bool:
    """Whether all are of one precision that the kernels have, and x is not empty."""
    dtype = x.dtype
    if (dtype is not F32 and dtype is not F64 and dtype not in (F32, F64)) or not x.size:
        return False  # arrays from a pickle have a dtype of their own, an equal one
    return all([a is None or a.dtype is dtype or a.dtype == dtype for a in others])


def _like(x: Array) -> Array:
    return empty_large(x.shape, x.dtype) if x.nbytes >= LARGE else np.empty(x.shape, x.dtype)


def _plain(a: Array | None, dtype: Any) -> Any:
    """The array as the kernels read it; they refuse anything else with a TypeError."""
    return None if a is None else np.require(a, dtype, ["C", "A"])


def _run(kernel: Any, dtype: Any, read: tuple[Array | None, ...], rest: tuple[Any, ...]) -> None:
    """Call a kernel, with operands made plain if they were not."""
    try:
        kernel(*read, *rest)
    except TypeError:
        kernel(*[_plain(a, dtype) for a in read], *rest)


# ---- by channel


def batch_norm(
    x: Array, weight: Array | None, bias: Array | None, eps: float, activation: str | None = None,
    addend: Array | None = None,
) -> tuple[Array, Array, Array, Array]:  # fmt: skip
    """``norms.batch_norm`` in one call."""
    if not _serves(x, weight, bias, addend):
        return norms.batch_norm(x, weight, bias, eps, activation, addend)
    batch, channels = x.shape[:2]
    dtype, out = x.dtype, _like(x)
    mean, var, invstd = np.empty(channels, dtype), np.empty(channels, dtype), np.empty(channels, dtype)
    sizes = (batch, channels, x.size // (batch * channels))
    how = (eps, False, _ACTIVATIONS[activation], dtype.itemsize == 8)
    _run(_native.batch_norm, dtype, (x, weight, bias, addend), (mean, var, invstd, out, *sizes, *how))
    return out, mean, var, invstd


def batch_norm_eval(
    x: Array, weight: Array | None, bias: Array | None, mean: Array, var: Array, eps: float,
    activation: str | None = None, addend: Array | None = None,
) -> tuple[Array, Array]:  # fmt: skip
    """``norms.batch_norm_eval`` in one call."""
    if not _serves(x, weight, bias, addend):
        return norms.batch_norm_eval(x, weight, bias, mean, var, eps, activation, addend)
    batch, channels = x.shape[:2]
    dtype, out = x.dtype, _like(x)
    invstd = np.empty(channels, dtype)
    sizes = (batch, channels, x.size // (batch * channels))
    how = (eps, True, _ACTIVATIONS[activation], dtype.itemsize == 8)
    _run(_native.batch_norm, dtype, (x, weight, bias, addend, mean, var), (invstd, out, *sizes, *how))
    return out, invstd


def batch_norm_grad(
    g: Array, x: Array, weight: Array | None, mean: Array, invstd: Array, given: bool = False,
    wants_x: bool = True, out: Array | None = None, wants_addend: bool = False,
) -> tuple[Array | None, Array, Array, Array | None]:  # fmt: skip
    """``norms.batch_norm_grad`` in one call."""
    if not _serves(x, g, weight, mean, invstd, out):
        return norms.batch_norm_grad(g, x, weight, mean, invstd, given, wants_x, out, wants_addend)
    batch, channels = x.shape[:2]
    dtype = x.dtype
    gx = _like(x) if wants_x else None
    gaddend = _like(x) if wants_addend and out is not None else None
    gweight, gbias = np.empty(channels, dtype), np.empty(channels, dtype)
    sizes = (batch, channels, x.size // (batch * channels))
    rest = (gx, gweight, gbias, gaddend, *sizes, given, dtype.itemsize == 8)
    _run(_native.batch_norm_grad, dtype, (g, x, out, weight, mean, invstd), rest)
    return gx, gweight, gbias, g if wants_addend and out is None else gaddend


def move_statistics(
    running_mean: Array, running_var: Array, mean: Array, var: Array, factor: float, momentum: float
) -> None:
    """``norms.move_statistics`` in one call."""
    try:
        wide = mean.dtype.itemsize == 8
        _native.move_statistics(running_mean, running_var, mean, var, factor, momentum, wide)
    except TypeError:
        norms.move_statistics(running_mean, running_var, mean, var, factor, momentum)


def channel_sum(x: Array) -> Array:
    """``norms.channel_sum`` in one call."""
    if not _serves(x) or not x.flags.c_contiguous:
        return norms.channel_sum(x)
    batch, channels = x.shape[:2]
    dtype, size = x.dtype, x.size
    out = np.empty(channels, dtype)
    _run(
        _native.channel_sum,
        dtype,
        (x,),
        (out, batch, channels, size // (batch * channels), dtype.itemsize == 8),
    )
    return out


# ---- by row


def layer_norm(
    x: Array, weight: Array | None, bias: Array | None, axes: int, eps: float
) -> tuple[Array, Array, Array]:
    """``norms.layer_norm`` in one call."""
    if not _serves(x, weight, bias):
        return norms.layer_norm(x, weight, bias, axes, eps)
    lead = (*x.shape[: x.ndim - axes], *(1,) * axes)
    mean, invstd, out = np.empty(lead, x.dtype), np.empty(lead, x.dtype), _like(x)
    sizes = (mean.size, 1, x.size // mean.size, 1)
    _run(
        _native.row_norm, x.dtype, (x, weight, bias), (mean, invstd, out, *sizes, eps, x.dtype.itemsize == 8)
    )
    return out, mean, invstd


def layer_norm_grad(
    g: Array, x: Array, weight: Array | None, mean: Array, invstd: Array, axes: int,
    wants: tuple[bool, ...] = (True, True, True),
) -> tuple[Array | None, ...]:  # fmt: skip
    """``norms.layer_norm_grad`` in one call."""
    if not _serves(x, g, weight, mean, invstd):
        return norms.layer_norm_grad(g, x, weight, mean, invstd, axes, wants)
    return _rows_grad(g, x, weight, mean, invstd, x.shape[x.ndim - axes :], wants)


def rms_norm(x: Array, weight: Array | None, axes: int, eps: float) -> tuple[Array, Array]:
    """``norms.rms_norm`` in one call."""
    if not _serves(x, weight):
        return norms.rms_norm(x, weight, axes, eps)
    invrms, out = np.empty((*x.shape[: x.ndim - axes], *(1,) * axes), x.dtype), _like(x)
    sizes = (invrms.size, 1, x.size // invrms.size, 1)
    _run(
        _native.row_norm, x.dtype, (x, weight, None), (None, invrms, out, *sizes, eps, x.dtype.itemsize == 8)
    )
    return out, invrms


def rms_norm_grad(
    g: Array, x: Array, weight: Array | None, invrms: Array, axes: int, wants: tuple[bool, ...] = (True, True)
) -> tuple[Array | None, ...]:
    """``norms.rms_norm_grad`` in one call."""
    if not _serves(x, g, weight, invrms):
        return norms.rms_norm_grad(g, x, weight, invrms, axes, wants)
    return _rows_grad(g, x, weight, None, invrms, x.shape[x.ndim - axes :], (*wants, False))[:2]


def group_norm(
    x: Array, weight: Array | None, bias: Array | None, groups: int, eps: float
) -> tuple[Array, Array, Array]:
    """``norms.group_norm`` in one call."""
    if not _serves(x, weight, bias):
        return norms.group_norm(x, weight, bias, groups, eps)
    batch, channels = x.shape[:2]
    lead = (batch, groups, 1)
    mean, invstd, out = np.empty(lead, x.dtype), np.empty(lead, x.dtype), _like(x)
    sizes = (batch * groups, groups, channels // groups, x.size // (batch * channels))
    _run(
        _native.row_norm, x.dtype, (x, weight, bias), (mean, invstd, out, *sizes, eps, x.dtype.itemsize == 8)
    )
    return out, mean, invstd


def group_norm_grad(
    g: Array, x: Array, weight: Array | None, mean: Array, invstd: Array, groups: int,
    wants: tuple[bool, ...] = (True, True, True),
) -> tuple[Array | None, ...]:  # fmt: skip
    """``norms.group_norm_grad`` in one call."""
    if not _serves(x, g, weight, mean, invstd):
        return norms.group_norm_grad(g, x, weight, mean, invstd, groups, wants)
    return _rows_grad(g, x, weight, mean, invstd, x.shape[1:2], wants, groups)


def _rows_grad(
    g: Array, x: Array, weight: Array | None, mean: Array | None, invstd: Array, scales: tuple[int, ...],
    wants: tuple[bool, ...], groups: int = 1,
) -> tuple[Array | None, ...]:  # fmt: skip
    """The gradients of rows; ``scales`` is the shape of weight and bias."""
    dtype, channels = x.dtype, prod(scales)
    gx = _like(x) if wants[0] else None
    gweight = np.empty(scales, dtype) if wants[1] else None
    gbias = np.empty(scales, dtype) if wants[2] else None
    rows = invstd.size
    sizes = (rows, groups, channels // groups, x.size // rows * groups // channels)
    rest = (gx, gweight, gbias, *sizes, dtype.itemsize == 8)
    _run(_native.row_norm_grad, dtype, (g, x, weight, mean, invstd), rest)
    return gx, gweight, gbias
