"""Pooling, and sums of a few entries along an axis, on compiled kernels.

Same signatures as ``pooling``, which also computes what these do not: other dtypes, empty arrays, windows of
more taps than a byte counts. float16 and bfloat16 are computed in float32 and rounded once.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from convgrad.dtypes import F32, F64, Array
from convgrad.kernels import pooling
from convgrad.kernels.geometry import Ints
from convgrad.kernels.machine import _native, instruction_set
from convgrad.kernels.memory import allocator
from convgrad.kernels.native import plain
from convgrad.kernels.pool_geometry import pool_output_size
from convgrad.kernels.pooling import Indices, Windows
from convgrad.kernels.reference import WIDE

instruction_set()
_MOST_READY = 4096
_U8, _I64 = np.dtype(np.uint8), np.dtype(np.int64)
_MOST_TAPS = 256

#: by shape, dtype and parameters: a pooling made ready (None: the definition) and the shape of its result
_ready: dict[Any, tuple[Any, Any]] = {}


def _keep(key: Any, found: tuple[Any, Any]) -> tuple[Any, Any]:
    if len(_ready) >= _MOST_READY:
        _ready.clear()
    _ready[key] = found
    return found


def _three(numbers: Ints, fill: int) -> Ints:
    return (fill,) * (3 - len(numbers)) + tuple(numbers)


def _served(shape: Ints, output_size: Ints, dtype: Any) -> bool:
    """Whether the compiled kernels take this: float32 or float64, nothing empty."""
    return dtype in (F32, F64) and 0 not in shape and 0 not in output_size and len(output_size) <= 3


def _windows(
    shape: Ints, dtype: Any, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, output_size: Ints,
    count_pad: bool = True, divisor: int | None = None,
) -> Any:  # fmt: skip
    """A pooling of x of this shape, None where the definition is to compute."""
    size = shape[2:]
    if not _served(shape, output_size, dtype) or any(d > n for d, n in zip(dilation, size, strict=True)):
        return None
    numbers = [
        shape[0] * shape[1], *_three(size, 1), *_three(output_size, 1), *_three(kernel, 1),
        *_three(stride, 1), *_three(padding, 0), *_three(dilation, 1), int(count_pad), divisor or 0,
    ]  # fmt: skip
    return _native.Pooling(numbers, dtype == F64)


def _max(x: Array, window: Windows, ceil_mode: bool) -> tuple[Any, Any]:
    """A pooling, and the result's shape with what makes arrays for the values and for the taps."""
    key = ("max", x.shape, x.dtype, window, ceil_mode)
    found = _ready.get(key)
    if found is not None:
        return found
    kernel = window[0]
    output_size = pool_output_size(x.shape[2:], *window, ceil_mode)
    ready = _windows(x.shape, x.dtype, *window, output_size) if prod(kernel) <= _MOST_TAPS else None
    shape = (*x.shape[:2], *output_size)
    return _keep(key, (ready, (shape, allocator(shape, x.dtype), allocator(shape, _U8))))


def _maxima(x: Array, window: Windows, ceil_mode: bool, indices: bool) -> Any:
    """Maxima, the numbers of their taps, and their positions if asked for; None: by the definition."""
    pool, (shape, values, taps) = _max(x, window, ceil_mode)
    if pool is None:
        return None
    out, winner = values(shape, x.dtype), taps(shape, _U8)
    index = allocator(shape, _I64)(shape, _I64) if indices else None
    try:
        pool.max(x, out, winner, index)
    except TypeError:
        pool.max(plain(x), out, winner, index)
    return out, winner, index


def max_pool(
    x: Array, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, ceil_mode: bool = False
) -> tuple[Array, Indices]:
    """``pooling.max_pool``, compiled."""
    wide = WIDE.get(x.dtype)
    if wide is not None:
        out, where = max_pool(x.astype(wide), kernel, stride, padding, dilation, ceil_mode)
        return out.astype(x.dtype), where
    found = _maxima(x, (kernel, stride, padding, dilation), ceil_mode, True)
    if found is None:
        return pooling.max_pool(x, kernel, stride, padding, dilation, ceil_mode)
    return found[0], found[2]


def max_pool_choice(
    x: Array, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, ceil_mode: bool = False
) -> tuple[Array, Indices]:
    """``pooling.max_pool_choice``, compiled."""
    wide = WIDE.get(x.dtype)
    if wide is not None:
        out, winner = max_pool_choice(x.astype(wide), kernel, stride, padding, dilation, ceil_mode)
        return out.astype(x.dtype), winner
    found = _maxima(x, (kernel, stride, padding, dilation), ceil_mode, False)
    if found is None:
        return pooling.max_pool_choice(x, kernel, stride, padding, dilation, ceil_mode)
    return found[0], found[1]


def max_pool_choice_grad(g: Array, winner: Indices, windows: Windows, input_size: Ints) -> Array:
    """``pooling.max_pool_choice_grad``, compiled."""
    wide = WIDE.get(g.dtype)
    if wide is not None:
        return max_pool_choice_grad(g.astype(wide), winner, windows, input_size).astype(g.dtype)
    shape = (*g.shape[:2], *input_size)
    key = ("max_grad", g.shape, g.dtype, windows, input_size)
    found = _ready.get(key)
    if found is None:
        pool = None
        if winner.dtype == _U8 and prod(windows[0]) <= _MOST_TAPS:
            pool = _windows(shape, g.dtype, *windows, g.shape[2:])
        found = _keep(key, (pool, shape))
    pool = found[0]
    if pool is None or winner.shape != g.shape:
        return pooling.max_pool_choice_grad(g, winner, windows, input_size)
    gx: Array = allocator(shape, g.dtype)(shape, g.dtype)
    try:
        pool.max_grad(g, winner, gx)
    except TypeError:
        pool.max_grad(plain(g), plain(winner), gx)
    return gx


def max_pool_grad(g: Array, index: Indices, input_size: Ints) -> Array:
    """``pooling.max_pool_grad``, compiled."""
    wide = WIDE.get(g.dtype)
    if wide is not None:
        return max_pool_grad(g.astype(wide), index, input_size).astype(g.dtype)
    shape, planes = (*g.shape[:2], *input_size), g.shape[0] * g.shape[1]
    if not _served(g.shape, input_size, g.dtype) or index.dtype != _I64 or index.shape != g.shape:
        return pooling.max_pool_grad(g, index, input_size)
    gx: Array = allocator(shape, g.dtype)(shape, g.dtype)
    if not _native.scatter_to_planes(plain(g), plain(index), gx, planes, g.dtype == F64):
        return pooling.max_pool_grad(g, index, input_size)  # which says what is wrong
    return gx


def adaptive_max_pool(x: Array, output_size: Ints) -> tuple[Array, Indices]:
    """``pooling.adaptive_max_pool``, compiled."""
    wide = WIDE.get(x.dtype)
    if wide is not None:
        out, where = adaptive_max_pool(x.astype(wide), output_size)
        return out.astype(x.dtype), where
    size = x.shape[2:]
    if not _served(x.shape, output_size, x.dtype):
        return pooling.adaptive_max_pool(x, output_size)
    windows = tuple([n // m for n, m in zip(size, output_size, strict=True)])
    if prod(windows) <= 64 and all(n % m == 0 for n, m in zip(size, output_size, strict=True)):
        zeros, ones = (0,) * len(size), (1,) * len(size)
        return max_pool(x, windows, windows, zeros, ones)
    pool, shape = _shares(x.shape, x.dtype, output_size)
    out, index = allocator(shape, x.dtype)(shape, x.dtype), allocator(shape, _I64)(shape, _I64)
    pool.max_of_shares(plain(x), out, index)
    return out, index


def avg_pool(
    x: Array, kernel: Ints, stride: Ints, padding: Ints, ceil_mode: bool = False,
    count_include_pad: bool = True, divisor_override: int | None = None,
) -> Array:  # fmt: skip
    """``pooling.avg_pool``, compiled."""
    wide = WIDE.get(x.dtype)
    params = (kernel, stride, padding, ceil_mode, count_include_pad, divisor_override)
    if wide is not None:
        return avg_pool(x.astype(wide), *params).astype(x.dtype)
    key = ("avg", x.shape, x.dtype, params)
    found = _ready.get(key)
    if found is None:
        ones = (1,) * len(kernel)
        output_size = pool_output_size(x.shape[2:], kernel, stride, padding, ones, ceil_mode)
        pool = _windows(
            x.shape, x.dtype, kernel, stride, padding, ones, output_size, count_include_pad, divisor_override
        )
        found = _keep(key, (pool, (*x.shape[:2], *output_size)))
    pool, shape = found
    return pooling.avg_pool(x, *params) if pool is None else _filled(pool.mean, x, shape)


def avg_pool_grad(
    g: Array, input_size: Ints, kernel: Ints, stride: Ints, padding: Ints, count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Array:  # fmt: skip
    """``pooling.avg_pool_grad``, compiled."""
    wide = WIDE.get(g.dtype)
    params = (input_size, kernel, stride, padding, count_include_pad, divisor_override)
    if wide is not None:
        return avg_pool_grad(g.astype(wide), *params).astype(g.dtype)
    key = ("avg_grad", g.shape, g.dtype, params)
    found = _ready.get(key)
    if found is None:
        shape = (*g.shape[:2], *input_size)
        pool = _windows(
            shape, g.dtype, kernel, stride, padding, (1,) * len(kernel), g.shape[2:], count_include_pad,
            divisor_override,
        )  # fmt: skip
        found = _keep(key, (pool, shape))
    pool, shape = found
    return pooling.avg_pool_grad(g, *params) if pool is None else _filled(pool.mean_grad, g, shape)


def adaptive_avg_pool(x: Array, output_size: Ints) -> Array:
    """``pooling.adaptive_avg_pool``, compiled."""
    wide = WIDE.get(x.dtype)
    if wide is not None:
        return adaptive_avg_pool(x.astype(wide), output_size).astype(x.dtype)
    pool, shape = _shares(x.shape, x.dtype, output_size)
    return pooling.adaptive_avg_pool(x, output_size) if pool is None else _filled(pool.mean, x, shape)


def adaptive_avg_pool_grad(g: Array, input_size: Ints) -> Array:
    """``pooling.adaptive_avg_pool_grad``, compiled."""
    wide = WIDE.get(g.dtype)
    if wide is not None:
        return adaptive_avg_pool_grad(g.astype(wide), input_size).astype(g.dtype)
    shape = (*g.shape[:2], *input_size)
    pool, _ = _shares(shape, g.dtype, g.shape[2:])
    return (
        pooling.adaptive_avg_pool_grad(g, input_size) if pool is None else _filled(pool.mean_grad, g, shape)
    )


def _shares(shape: Ints, dtype: Any, output_size: Ints) -> tuple[Any, Ints]:
    """A pooling of x of this shape over windows that divide each dimension; None: by the definition."""
    key = ("shares", shape, dtype, output_size)
    found = _ready.get(key)
    if found is not None:
        return found
    pool = None
    if _served(shape, output_size, dtype):
        numbers = [shape[0] * shape[1], *_three(shape[2:], 1), *_three(output_size, 1)]
        pool = _native.Pooling(numbers, dtype == F64)
    return _keep(key, (pool, (*shape[:2], *output_size)))


def _filled(fill: Any, x: Array, shape: Ints) -> Array:
    out: Array = allocator(shape, x.dtype)(shape, x.dtype)
    try:
        fill(x, out)
    except TypeError:
        fill(plain(x), out)
    return out


class _Sums(dict[tuple[Ints, int, int, int], tuple[Ints, Ints]]):
    """Shape, axis, outputs and taps -> the result's shape, and the sizes that the kernel is told."""

    def __missing__(self, key: tuple[Ints, int, int, int]) -> tuple[Ints, Ints]:
        shape, axis, m, taps = key
        before, after = shape[:axis], shape[axis + 1 :]
        found = (*before, m, *after), (prod(before), shape[axis], prod(after), m, taps)
        if len(self) >= 4096:
            self.clear()
        self[key] = found
        return found


_sums = _Sums()


def sums_along(x: Array, axis: int, index: Indices, weight: Array | None) -> Array:
    """``pooling.sums_along``, compiled."""
    dtype = x.dtype
    if (dtype is not F32 and dtype is not F64) or not x.size or not index.size:
        return pooling.sums_along(x, axis, index, weight)
    shape, sizes = _sums[(x.shape, axis, *index.shape)]
    out: Array = allocator(shape, dtype)(shape, dtype)
    try:
        _native.sums_along(x, index, weight, out, sizes, dtype is F64)
    except TypeError:
        _native.sums_along(plain(x), plain(index, _I64), plain(weight, dtype), out, sizes, dtype is F64)
    return out
