"""Values of images and volumes between their pixels, on compiled kernels.

Same signatures as ``sampling``, which also computes what these do not: bicubic weights, other dtypes, empty
arrays.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from convgrad.dtypes import F32, F64, Array
from convgrad.kernels import sampling
from convgrad.kernels.geometry import Ints
from convgrad.kernels.machine import _native, instruction_set
from convgrad.kernels.memory import allocator, in_order

instruction_set()
#: pixels of an axis, so that float32 holds halves of them, and of a plane, whose positions are 32 bits wide
_LONGEST, _MOST = 1 << 22, (1 << 31) - 1
_PADDINGS = {"zeros": 0, "border": 1, "reflection": 2}


def _numbers(x: Array, size: Ints, grid: Array, mode: str, padding: str, align: bool, orders: Ints) -> Any:
    """What the kernel is told; None where the definition is to compute."""
    if x.dtype not in (F32, F64) or grid.dtype != x.dtype or not x.size or not grid.size or 0 in size:
        return None
    if mode == "bicubic" or sampling.vanishes(mode, orders) or max(size) > _LONGEST or prod(size) > _MOST:
        return None
    front = (1,) * (3 - len(size))
    return (
        *x.shape[:2], prod(grid.shape[1:-1]), len(size), *front, *size,
        int(mode == "nearest"), _PADDINGS[padding], int(align), *(0,) * len(front), *reversed(orders),
    )  # fmt: skip


def grid_sample(x: Array, grid: Array, mode: str, padding: str, align: bool, orders: Ints) -> Array:
    """``sampling.grid_sample``, compiled."""
    numbers = _numbers(x, x.shape[2:], grid, mode, padding, align, orders)
    if numbers is None:
        return sampling.grid_sample(x, grid, mode, padding, align, orders)
    shape = (*x.shape[:2], *grid.shape[1:-1])
    out: Array = allocator(shape, x.dtype)(shape, x.dtype)
    _native.grid_samples(in_order(x), in_order(grid), out, numbers, False, x.dtype == F64)
    return out


def grid_sample_grad(
    g: Array, grid: Array, mode: str, padding: str, align: bool, orders: Ints, size: Ints
) -> Array:
    """``sampling.grid_sample_grad``, compiled."""
    numbers = _numbers(g, size, grid, mode, padding, align, orders)
    if numbers is None:
        return sampling.grid_sample_grad(g, grid, mode, padding, align, orders, size)
    shape = (*g.shape[:2], *size)
    out: Array = allocator(shape, g.dtype)(shape, g.dtype)
    _native.grid_samples(in_order(g), in_order(grid), out, numbers, True, g.dtype == F64)
    return out


def grid_slopes(grid: Array, size: Ints, mode: str, padding: str, align: bool) -> Array:
    """``sampling.grid_slopes``; where nothing is brought inside they are the same everywhere."""
    if mode != "bicubic" and padding != "zeros":
        return sampling.grid_slopes(grid, size, mode, padding, align)
    slope = np.empty_like(grid)
    slope[...] = [(n - 1) / 2 if align else n / 2 for n in reversed(size)]
    return slope
