"""The kernels of ``rows`` compiled, for contiguous float32 and float64 arrays; else the definition.

An array is seen as (outer, length, inner), with what belongs together along the middle. Axes that do not
stand side by side are reduced one group after the other.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from convgrad.dtypes import F32, F64, Array
from convgrad.kernels import machine, rows
from convgrad.kernels.geometry import Ints
from convgrad.kernels.memory import allocator
from convgrad.kernels.rows import LEAST, MOST, SQUARES, SUM, Axes, Indices

_native: Any = machine._native
machine.instruction_set()  # the one that was asked for is in use from here on

_SOFTMAX, _LOG_SOFTMAX, _LOG_SUM_EXP = range(3)

#: elements from which on these are quicker than NumPy
_REDUCED = 256
_SOFTENED = 1
_PAIRED = 1
_LONG_ROW = 4096
#: up to which they are copied rather than left to NumPy
_COPIED = 4096

_INT64 = np.dtype(np.int64)


class _Views(dict[tuple[Ints, Axes], tuple[int, int, int, Ints, Ints, Axes]]):
    """Shape and axes -> outer, length, inner of the last group of neighbouring axes, the result's shape with
    that group kept as size 1 and without it, and the axes that are left."""

    def __missing__(self, key: tuple[Ints, Axes]) -> tuple[int, int, int, Ints, Ints, Axes]:
        shape, axes = key
        axes = tuple(sorted(axes))
        end = axes[-1] + 1
        start = end - 1
        while start - 1 in axes:
            start -= 1
        kept = (*shape[:start], *(1,) * (end - start), *shape[end:])
        dropped = (*shape[:start], *shape[end:])
        sizes = prod(shape[:start]), prod(shape[start:end]), prod(shape[end:])
        found = (*sizes, kept, dropped, tuple(a for a in axes if a < start))
        if len(self) >= 4096:
            self.clear()
        self[key] = found
        return found


_views = _Views()


def _fits(x: Array, least: int) -> bool:
    return x.size >= least and (x.dtype is F32 or x.dtype is F64) and x.flags.c_contiguous and x.flags.aligned


def _reduced(kind: int, x: Array, axes: Axes, keepdims: bool) -> Array:
    outer, length, inner, kept, dropped, left = _views[x.shape, axes]
    out: Array = np.empty(kept if keepdims or left else dropped, x.dtype)
    _native.rows_reduce(kind, x, out, outer, length, inner, x.dtype is F64)
    if not left:
        return out
    out = _reduced(SUM if kind == SQUARES else kind, out, left, True)
    return out if keepdims else out.reshape([n for i, n in enumerate(x.shape) if i not in axes])


class _Lines(dict[tuple[Ints, "int | None", bool], tuple[int, int, int, Ints]]):
    """Shape, axis (None: all) and whether it is kept -> outer, length, inner and the result's shape."""

    def __missing__(self, key: tuple[Ints, int | None, bool]) -> tuple[int, int, int, Ints]:
        shape, axis, keepdims = key
        axes = tuple(range(len(shape))) if axis is None else (axis % len(shape),)
        kept = tuple([1 if i in axes else n for i, n in enumerate(shape)])
        dropped = tuple([n for i, n in enumerate(shape) if i not in axes])
        sizes = (1, prod(shape), 1) if axis is None else _views[shape, axes][:3]
        found = (*sizes, kept if keepdims else dropped)
        if len(self) >= 4096:
            self.clear()
        self[key] = found
        return found


_lines = _Lines()
_empty = np.empty


def fold(kind: int, x: Array, axis: int | None, keepdims: bool) -> Array:
    """``rows.fold`` compiled; quicker than NumPy from the first element on."""
    dtype = x.dtype
    if not x.size or (dtype is not F32 and dtype is not F64):
        return rows.fold(kind, x, axis, keepdims)
    if not x.flags.c_contiguous:
        if x.size > _COPIED:
            return rows.fold(kind, x, axis, keepdims)
        x = x.copy()  # and the bits do not depend on how little lies in memory
    outer, length, inner, shape = _lines[x.shape, axis, keepdims]
    out: Array = _empty(shape, dtype)
    try:
        _native.rows_reduce(kind, x, out, outer, length, inner, dtype is F64)
    except TypeError:  # x is not aligned
        return rows.fold(kind, x, axis, keepdims)
    return out


def variance_along(x: Array, axis: int, correction: float, keepdims: bool) -> Array:
    """``rows.variance_along`` compiled."""
    if not _fits(x, 1):
        return rows.variance_along(x, axis, correction, keepdims)
    dtype = x.dtype
    outer, length, inner, shape = _lines[x.shape, axis, keepdims]
    mean, out = _empty(shape, dtype), _empty(shape, dtype)
    free = max(0.0, length - correction)
    _native.rows_moments(x, mean, out, outer, length, inner, free, dtype is F64)
    return out


def sum_over(x: Array, axes: Axes, keepdims: bool) -> Array:
    """``rows.sum_over`` compiled."""
    if not axes or not _fits(x, _REDUCED):
        return rows.sum_over(x, axes, keepdims)
    return _reduced(SUM, x, axes, keepdims)


def squares_over(x: Array, axes: Axes, keepdims: bool) -> Array:
    """``rows.squares_over`` compiled."""
    if not axes or not _fits(x, _REDUCED):
        return rows.squares_over(x, axes, keepdims)
    return _reduced(SQUARES, x, axes, keepdims)


def most_over(x: Array, axes: Axes, keepdims: bool) -> Array:
    """``rows.most_over`` compiled."""
    if not axes or not _fits(x, _REDUCED):
        return rows.most_over(x, axes, keepdims)
    return _reduced(MOST, x, axes, keepdims)


def least_over(x: Array, axes: Axes, keepdims: bool) -> Array:
    """``rows.least_over`` compiled."""
    if not axes or not _fits(x, _REDUCED):
        return rows.least_over(x, axes, keepdims)
    return _reduced(LEAST, x, axes, keepdims)


def moments_over(x: Array, axes: Axes) -> tuple[Array, Array]:
    """``rows.moments_over`` compiled, where the axes are neighbours."""
    if not axes or not _fits(x, _REDUCED):
        return rows.moments_over(x, axes)
    outer, length, inner, kept, _, left = _views[x.shape, axes]
    if left:
        return rows.moments_over(x, axes)
    mean, squares = np.empty(kept, x.dtype), np.empty(kept, x.dtype)
    _native.rows_moments(x, mean, squares, outer, length, inner, 1.0, x.dtype is F64)
    return mean, squares


def extreme_along(x: Array, axis: int, least: bool, keepdims: bool = True) -> tuple[Array, Indices]:
    """``rows.extreme_along`` compiled; one long row is not cut, and NumPy as quick there."""
    if not _fits(x, 1) or not 0 < x.shape[axis] < 1 << 31:
        return rows.extreme_along(x, axis, least, keepdims)
    outer, length, inner, shape = _lines[x.shape, axis, keepdims]
    if inner == 1 and outer < 4 and length > _LONG_ROW:
        return rows.extreme_along(x, axis, least, keepdims)
    value, place = _empty(shape, x.dtype), _empty(shape, _INT64)
    _native.rows_extreme(least, x, value, place, outer, length, inner, x.dtype is F64)
    return value, place


def softmax(x: Array, axis: Any) -> Array:
    """``rows.softmax`` compiled."""
    if type(axis) is tuple or not _fits(x, _SOFTENED):
        return rows.softmax(x, axis)
    return _softened(_SOFTMAX, x, axis)


def log_softmax(x: Array, axis: Any) -> Array:
    """``rows.log_softmax`` compiled."""
    if type(axis) is tuple or not _fits(x, _SOFTENED):
        return rows.log_softmax(x, axis)
    return _softened(_LOG_SOFTMAX, x, axis)


def _softened(kind: int, x: Array, axis: int) -> Array:
    outer, length, inner, _, _, _ = _views[x.shape, (axis % x.ndim,)]
    out: Array = allocator(x.shape, x.dtype)(x.shape, x.dtype)
    _native.rows_softmax(kind, x, out, outer, length, inner, x.dtype is F64)
    return out


def log_sum_exp_over(x: Array, axes: Axes, keepdims: bool) -> Array:
    """``rows.log_sum_exp_over`` compiled, where the axes are neighbours."""
    if not axes or not _fits(x, _SOFTENED):
        return rows.log_sum_exp_over(x, axes, keepdims)
    outer, length, inner, kept, dropped, left = _views[x.shape, axes]
    if left:
        return rows.log_sum_exp_over(x, axes, keepdims)
    out: Array = np.empty(kept if keepdims else dropped, x.dtype)
    _native.rows_softmax(_LOG_SUM_EXP, x, out, outer, length, inner, x.dtype is F64)
    return out


def softmax_grad(g: Array, out: Array, axis: Any) -> Array:
    """``rows.softmax_grad`` compiled."""
    if type(axis) is tuple or not _fits(out, _SOFTENED) or not _alike(g, out):
        return rows.softmax_grad(g, out, axis)
    return _softened_grad(_SOFTMAX, g, out, axis)


def log_softmax_grad(g: Array, out: Array, axis: Any) -> Array:
    """``rows.log_softmax_grad`` compiled."""
    if type(axis) is tuple or not _fits(out, _SOFTENED) or not _alike(g, out):
        return rows.log_softmax_grad(g, out, axis)
    return _softened_grad(_LOG_SOFTMAX, g, out, axis)


def _alike(g: Array, x: Array) -> bool:
    return g.dtype is x.dtype and g.shape == x.shape and g.flags.c_contiguous and g.flags.aligned


def _softened_grad(kind: int, g: Array, y: Array, axis: int) -> Array:
    outer, length, inner, _, _, _ = _views[y.shape, (axis % y.ndim,)]
    gx: Array = allocator(y.shape, y.dtype)(y.shape, y.dtype)
    _native.rows_softmax_grad(kind, g, y, gx, outer, length, inner, y.dtype is F64)
    return gx


# ---- positions


def _fit_positions(x: Array, index: Indices) -> bool:
    return index.dtype is _INT64 and index.flags.c_contiguous and index.flags.aligned and _fits(x, 1)


def add_rows(g: Array, index: Indices, axis: int, places: int) -> Array:
    """``rows.add_rows`` compiled."""
    if not _fit_positions(g, index):
        return rows.add_rows(g, index, axis, places)
    before, after = g.shape[:axis], g.shape[axis + 1 :]
    shape = (*before, places, *after)
    out: Array = allocator(shape, g.dtype)(shape, g.dtype)
    sizes = prod(before), places, index.size, prod(after)
    if not _native.rows_add_at(g, index, out, *sizes, False, g.dtype is F64):
        return rows.add_rows(g, index, axis, places)
    return out


def add_along(g: Array, index: Indices, axis: int, places: int) -> Array:
    """``rows.add_along`` compiled."""
    if index.shape != g.shape or not _fit_positions(g, index):
        return rows.add_along(g, index, axis, places)
    before, after = g.shape[:axis], g.shape[axis + 1 :]
    shape = (*before, places, *after)
    out: Array = allocator(shape, g.dtype)(shape, g.dtype)
    sizes = prod(before), places, index.shape[axis], prod(after)
    if not _native.rows_add_at(g, index, out, *sizes, True, g.dtype is F64):
        return rows.add_along(g, index, axis, places)
    return out


# ---- classes


def likelihood_loss(
    x: Array, classes: Indices, ignored: int, reduction: str
) -> tuple[Array, Indices, Array] | None:
    """``rows.likelihood_loss`` compiled."""
    if not classes.size or not _fit_positions(x, classes):
        return rows.likelihood_loss(x, classes, ignored, reduction)
    dtype, shape, each = x.dtype, classes.shape, reduction == "none"
    places, factors, out = _empty(shape, _INT64), _empty(shape, dtype), _empty(shape if each else (), dtype)
    used = _native.rows_picked(
        x, classes, factors, places, out, ignored, each, reduction == "mean", dtype is F64
    )
    return (out, places, factors) if used > 0 else None


def likelihood_grad(g: Array, places: Indices, factors: Array, count: int) -> Array:
    """``rows.likelihood_grad`` compiled."""
    if not _fit_positions(g, places) or g.dtype is not factors.dtype or not factors.flags.c_contiguous:
        return rows.likelihood_grad(g, places, factors, count)
    shape = (*places.shape, count)
    out: Array = allocator(shape, g.dtype)(shape, g.dtype)
    if not _native.rows_placed(g, places, factors, out, g.dtype is F64):
        return rows.likelihood_grad(g, places, factors, count)
    return out


# ---- losses of pairs


def pair_losses(kind: int, x: Array, y: Array, width: float) -> Array:
    """``rows.pair_losses`` compiled."""
    if not _fits(x, _PAIRED) or not _alike(y, x):
        return rows.pair_losses(kind, x, y, width)
    out: Array = allocator(x.shape, x.dtype)(x.shape, x.dtype)
    _native.rows_losses(kind, x, y, out, width, True, x.dtype is F64)
    return out


def pair_loss_sum(kind: int, x: Array, y: Array, width: float) -> Array:
    """``rows.pair_loss_sum`` compiled."""
    if not _fits(x, _PAIRED) or not _alike(y, x):
        return rows.pair_loss_sum(kind, x, y, width)
    out: Array = np.empty((), x.dtype)
    _native.rows_losses(kind, x, y, out, width, False, x.dtype is F64)
    return out


def pair_loss_grad(kind: int, g: Array, x: Array, y: Array, width: float, factor: float) -> Array:
    """``rows.pair_loss_grad`` compiled."""
    if (
        not _fits(x, _PAIRED)
        or not _alike(y, x)
        or not (g.size == 1 or _alike(g, x))
        or g.dtype is not x.dtype
    ):
        return rows.pair_loss_grad(kind, g, x, y, width, factor)
    gx: Array = allocator(x.shape, x.dtype)(x.shape, x.dtype)
    _native.rows_loss_grad(kind, g, x, y, gx, width, factor, x.dtype is F64)
    return gx
