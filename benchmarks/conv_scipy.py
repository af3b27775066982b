"""The rows, forward, as one writes them with NumPy and SciPy: for each shape the way that suits it.

Long kernels go through ``scipy.signal.fftconvolve``, kernels on channels of their own are sums over taps, and
all others are a matrix product of NumPy's BLAS over windows.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from conv_rows import Array, ConvRow, operands

LONG = 128  # taps: about where scipy's Fourier transforms win over a matrix product


def maker(scipy: Any) -> Callable[[ConvRow, str, str], Callable[[], Array]]:
    """The function (row, form, layout) -> function to time."""

    @lru_cache(maxsize=1)
    def make(row: ConvRow, _form: str, _layout: str) -> Callable[[], Array]:
        x, w, bias, _ = operands(row)
        way = way_for(row)
        return lambda: with_bias(way(scipy, row, x, w), bias)

    return make


Way = Callable[[Any, ConvRow, Array, Array], Array]


def way_for(row: ConvRow) -> Way:
    """Which of the ways below suits a row."""
    if row.transposed:
        return spread
    plain = set(row.stride) == {1} and set(row.dilation) == {1}
    if plain and prod(row.w[2:]) >= LONG and row.ndim == 1:
        return fourier
    return taps if row.w[1] == 1 and row.groups > 1 else columns


def with_bias(y: Array, bias: Array | None) -> Array:
    return y if bias is None else y + bias.reshape(-1, *(1,) * (y.ndim - 2))


def padded(row: ConvRow, x: Array) -> Array:
    if not any(row.padding):
        return x
    return np.pad(x, [(0, 0), (0, 0), *((p, p) for p in row.padding)])


def fourier(scipy: Any, row: ConvRow, x: Array, w: Array) -> Array:
    """A correlation is a convolution with the kernel turned around; one call per input channel of a group."""
    n, out, per_group = row.x[0], row.w[0], row.w[1]
    signal = padded(row, x).reshape(n, row.groups, 1, per_group, -1)
    kernel = np.ascontiguousarray(w[..., ::-1]).reshape(1, row.groups, out // row.groups, per_group, -1)
    parts = [
        scipy.signal.fftconvolve(signal[:, :, :, c], kernel[:, :, :, c], mode="valid", axes=-1)
        for c in range(per_group)
    ]
    return np.asarray(sum(parts[1:], parts[0])).reshape(row.output)


def taps(_scipy: Any, row: ConvRow, x: Array, w: Array) -> Array:
    """Every channel with its own kernels: shifted signals times one weight each, summed."""
    x, multiplier = padded(row, x), row.w[0] // row.groups
    w = w.reshape(row.groups, multiplier, *row.w[2:])
    y = np.zeros((row.x[0], row.groups, multiplier, *row.output[2:]), x.dtype)
    ones = (1,) * row.ndim
    for tap in np.ndindex(*row.w[2:]):
        y += x[(..., *_seen(row, tap))][:, :, None] * w[(..., *tap)].reshape(1, row.groups, multiplier, *ones)
    return y.reshape(row.output)


def _seen(row: ConvRow, tap: tuple[int, ...]) -> list[Any]:
    """Where all windows together read through one tap."""
    parts = zip(tap, row.dilation, row.stride, row.output[2:], strict=True)
    return [slice(t * d, t * d + s * (o - 1) + 1, s) for t, d, s, o in parts]


def columns(_scipy: Any, row: ConvRow, x: Array, w: Array) -> Array:
    """Windows of a sample and group as a matrix, times the kernels as another (Chellapilla et al., 2006)."""
    x, groups, per_group = padded(row, x), row.groups, row.w[1]
    filters = w.reshape(groups, row.w[0] // groups, -1)
    reach = [d * (k - 1) + 1 for d, k in zip(row.dilation, row.w[2:], strict=True)]
    axes = tuple(range(2, 2 + row.ndim))
    windows = np.lib.stride_tricks.sliding_window_view(x, reach, axis=axes)
    strides = [slice(None, None, s) for s in row.stride]
    windows = windows[(slice(None), slice(None), *strides, *(slice(None, None, d) for d in row.dilation))]
    windows = np.moveaxis(windows, range(2, 2 + row.ndim), range(-row.ndim, 0))
    y = np.empty((row.x[0], groups, row.w[0] // groups, prod(row.output[2:])), x.dtype)
    for n in range(row.x[0]):
        for g in range(groups):
            part = windows[n, g * per_group : (g + 1) * per_group]
            np.matmul(filters[g], part.reshape(filters.shape[2], -1), out=y[n, g])
    return y.reshape(row.output)


def spread(_scipy: Any, row: ConvRow, x: Array, w: Array) -> Array:
    """Transposed: what every input gives to each tap, by a matrix product, added where the tap lies."""
    n, groups = row.x[0], row.groups
    per_group = row.w[0] // groups
    sizes = [o + 2 * p for o, p in zip(row.output[2:], row.padding, strict=True)]
    y = np.zeros((n, groups, row.w[1], *sizes), x.dtype)
    flat = x.reshape(n, groups, per_group, -1)
    kernels = w.reshape(groups, per_group, row.w[1], *row.w[2:])
    for tap in np.ndindex(*row.w[2:]):
        given = np.matmul(kernels[(..., *tap)].swapaxes(1, 2), flat)
        parts = zip(tap, row.dilation, row.stride, row.x[2:], strict=True)
        place: list[Any] = [slice(t * d, t * d + s * (size - 1) + 1, s) for t, d, s, size in parts]
        y[(..., *place)] += given.reshape(n, groups, row.w[1], *row.x[2:])
    inner: list[Any] = [slice(p, p + o) for o, p in zip(row.output[2:], row.padding, strict=True)]
    return np.ascontiguousarray(y[(..., *inner)].reshape(n, row.out_channels, *row.output[2:]))
