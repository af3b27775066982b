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
from convgrad.kernels.memory import LARGE, empty_large, in_order

instruction_set()  # the one chosen is in use from here on

_ACTIVATIONS = {None: 0, "relu": 1}


def _serves(x: Array) -> bool:
    """Whether the kernels have x's precision, and x is not empty."""
    dtype = x.dtype
    if dtype is not F32 and dtype is not F64 and dtype not in (F32, F64):
        return False  # arrays from a pickle have a dtype of their own, an equal one
    return x.size > 0


def _like(x: Array) -> Array:
    return empty_large(x.shape, x.dtype) if x.nbytes >= LARGE else np.empty(x.shape, x.dtype)


def _cast(g: Array, dtype: np.dtype[Any]) -> Array:
    """A gradient in the precision of its operator: that of a half-precision result arrives narrower."""
    return g if g.dtype is dtype else g.astype(dtype, copy=False)


def _run(kernel: Any, read: tuple[Array | None, ...], rest: tuple[Any, ...]) -> bool:
    """Call a kernel; False if its operands differ in precision.

    The kernel refuses operands that are not as it reads them with a TypeError, upon which they are made
    so: to ask first would take a tenth of a small call.
    """
    try:
        kernel(*read, *rest)
    except TypeError:
        dtypes = {a.dtype for a in read if a is not None}
        if len(dtypes) > 1:
            return False
        dtype = dtypes.pop()
        kernel(*[None if a is None else in_order(a, dtype) for a in read], *rest)
    return True


# ---- by channel


def batch_norm(
    x: Array, weight: Array | None, bias: Array | None, eps: float, activation: str | None = None,
    addend: Array | None = None,
) -> tuple[Array, Array, Array, Array]:  # fmt: skip
    """``norms.batch_norm`` in one call."""
    if _serves(x):
        batch, channels = x.shape[:2]
        dtype, out = x.dtype, _like(x)
        mean, var, invstd = np.empty(channels, dtype), np.empty(channels, dtype), np.empty(channels, dtype)
        sizes = (batch, channels, x.size // (batch * channels))
        how = (eps, False, _ACTIVATIONS[activation], dtype.itemsize == 8)
        if _run(_native.batch_norm, (x, weight, bias, addend), (mean, var, invstd, out, *sizes, *how)):
            return out, mean, var, invstd
    return norms.batch_norm(x, weight, bias, eps, activation, addend)


def batch_norm_eval(
    x: Array, weight: Array | None, bias: Array | None, mean: Array, var: Array, eps: float,
    activation: str | None = None, addend: Array | None = None,
) -> tuple[Array, Array]:  # fmt: skip
    """``norms.batch_norm_eval`` in one call."""
    if _serves(x):
        batch, channels = x.shape[:2]
        dtype, out = x.dtype, _like(x)
        invstd = np.empty(channels, dtype)
        sizes = (batch, channels, x.size // (batch * channels))
        how = (eps, True, _ACTIVATIONS[activation], dtype.itemsize == 8)
        if _run(_native.batch_norm, (x, weight, bias, addend, mean, var), (invstd, out, *sizes, *how)):
            return out, invstd
    return norms.batch_norm_eval(x, weight, bias, mean, var, eps, activation, addend)


def batch_norm_grad(
    g: Array, x: Array, weight: Array | None, mean: Array, invstd: Array, given: bool = False,
    wants_x: bool = True, out: Array | None = None, wants_addend: bool = False,
) -> tuple[Array | None, Array, Array, Array | None]:  # fmt: skip
    """``norms.batch_norm_grad`` in one call."""
    if _serves(x):
        batch, channels = x.shape[:2]
        dtype = x.dtype
        gx = _like(x) if wants_x else None
        gaddend = _like(x) if wants_addend and out is not None else None
        gweight, gbias = np.empty(channels, dtype), np.empty(channels, dtype)
        sizes = (batch, channels, x.size // (batch * channels))
        rest = (gx, gweight, gbias, gaddend, *sizes, given, dtype.itemsize == 8)
        g = _cast(g, dtype)
        if _run(_native.batch_norm_grad, (g, x, out, weight, mean, invstd), rest):
            return gx, gweight, gbias, g if wants_addend and out is None else gaddend
    return norms.batch_norm_grad(g, x, weight, mean, invstd, given, wants_x, out, wants_addend)


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
    out = np.empty(channels, x.dtype)
    sizes = (batch, channels, x.size // (batch * channels))
    _run(_native.channel_sum, (x,), (out, *sizes, x.dtype.itemsize == 8))
    return out


# ---- by row


def layer_norm(
    x: Array, weight: Array | None, bias: Array | None, axes: int, eps: float, activation: str | None = None
) -> tuple[Array, Array, Array]:
    """``norms.layer_norm`` in one call."""
    if _serves(x):
        lead = (*x.shape[: x.ndim - axes], *(1,) * axes)
        mean, invstd, out = np.empty(lead, x.dtype), np.empty(lead, x.dtype), _like(x)
        sizes = (mean.size, 1, x.size // mean.size, 1)
        how = (eps, _ACTIVATIONS[activation], x.dtype.itemsize == 8)
        if _run(_native.row_norm, (x, weight, bias), (mean, invstd, out, *sizes, *how)):
            return out, mean, invstd
    return norms.layer_norm(x, weight, bias, axes, eps, activation)


def layer_norm_grad(
    g: Array, x: Array, weight: Array | None, mean: Array, invstd: Array, axes: int,
    wants: tuple[bool, ...] = (True, True, True), out: Array | None = None,
) -> tuple[Array | None, ...]:  # fmt: skip
    """``norms.layer_norm_grad`` in one call."""
    found = _rows_grad(g, x, weight, mean, invstd, x.shape[x.ndim - axes :], wants, 1, out)
    if found is None:
        return norms.layer_norm_grad(g, x, weight, mean, invstd, axes, wants, out)
    return found


def rms_norm(x: Array, weight: Array | None, axes: int, eps: float) -> tuple[Array, Array]:
    """``norms.rms_norm`` in one call."""
    if _serves(x):
        invrms, out = np.empty((*x.shape[: x.ndim - axes], *(1,) * axes), x.dtype), _like(x)
        sizes = (invrms.size, 1, x.size // invrms.size, 1)
        if _run(
            _native.row_norm, (x, weight, None), (None, invrms, out, *sizes, eps, 0, x.dtype.itemsize == 8)
        ):
            return out, invrms
    return norms.rms_norm(x, weight, axes, eps)


def rms_norm_grad(
    g: Array, x: Array, weight: Array | None, invrms: Array, axes: int, wants: tuple[bool, ...] = (True, True)
) -> tuple[Array | None, ...]:
    """``norms.rms_norm_grad`` in one call."""
    found = _rows_grad(g, x, weight, None, invrms, x.shape[x.ndim - axes :], (*wants, False))
    if found is None:
        return norms.rms_norm_grad(g, x, weight, invrms, axes, wants)
    return found[:2]


def group_norm(
    x: Array, weight: Array | None, bias: Array | None, groups: int, eps: float, activation: str | None = None
) -> tuple[Array, Array, Array]:
    """``norms.group_norm`` in one call."""
    if _serves(x):
        batch, channels = x.shape[:2]
        lead = (batch, groups, 1)
        mean, invstd, out = np.empty(lead, x.dtype), np.empty(lead, x.dtype), _like(x)
        sizes = (batch * groups, groups, channels // groups, x.size // (batch * channels))
        how = (eps, _ACTIVATIONS[activation], x.dtype.itemsize == 8)
        if _run(_native.row_norm, (x, weight, bias), (mean, invstd, out, *sizes, *how)):
            return out, mean, invstd
    return norms.group_norm(x, weight, bias, groups, eps, activation)


def group_norm_grad(
    g: Array, x: Array, weight: Array | None, mean: Array, invstd: Array, groups: int,
    wants: tuple[bool, ...] = (True, True, True), out: Array | None = None,
) -> tuple[Array | None, ...]:  # fmt: skip
    """``norms.group_norm_grad`` in one call."""
    found = _rows_grad(g, x, weight, mean, invstd, x.shape[1:2], wants, groups, out)
    if found is None:
        return norms.group_norm_grad(g, x, weight, mean, invstd, groups, wants, out)
    return found


def _rows_grad(
    g: Array, x: Array, weight: Array | None, mean: Array | None, invstd: Array, scales: tuple[int, ...],
    wants: tuple[bool, ...], groups: int = 1, out: Array | None = None,
) -> tuple[Array | None, ...] | None:  # fmt: skip
    """The gradients of rows, if a kernel serves them; ``scales`` is the shape of weight and bias."""
    if not _serves(x):
        return None
    dtype, channels, rows = x.dtype, prod(scales), invstd.size
    gx = _like(x) if wants[0] else None
    gweight = np.empty(scales, dtype) if wants[1] else None
    gbias = np.empty(scales, dtype) if wants[2] else None
    sizes = (rows, groups, channels // groups, x.size // rows * groups // channels)
    rest = (gx, gweight, gbias, *sizes, dtype.itemsize == 8)
    done = _run(_native.row_norm_grad, (_cast(g, dtype), x, out, weight, mean, invstd), rest)
    return (gx, gweight, gbias) if done else None
