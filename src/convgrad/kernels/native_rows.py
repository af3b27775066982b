"""The kernels of ``rows`` compiled, for contiguous float32 and float64 arrays; else the definition.

An array is seen as (outer, length, inner), with what belongs together along the middle. Axes that do not
stand side by side are reduced one group after the other.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from convgrad.dtypes import F32, F64, Array
from convgrad.kernels import machine, rows
from convgrad.kernels.geometry import Ints
from convgrad.kernels.memory import allocator, in_order
from convgrad.kernels.rows import LEAST, MOST, SQUARES, SUM, Axes, Indices

_native: Any = machine._native
machine.instruction_set()  # the one that was asked for is in use from here on

_SOFTMAX, _LOG_SOFTMAX, _LOG_SUM_EXP = range(3)

#: elements from which on these are quicker than NumPy
_REDUCED = 256
_SOFTENED = 1
_PAIRED = 1
_SCANNED = 64
_LONG_ROW = 4096
#: up to which they are copied rather than left to NumPy
_COPIED = 4096

_INT64 = np.dtype(np.int64)
#: dtype -> the float dtype as which elements are moved
_MOVED_AS: dict[np.dtype[Any], np.dtype[Any]] = {F32: F32, F64: F64, np.dtype(np.int32): F32, _INT64: F64}


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
_NO_DIMENSIONS: Ints = ()


def fold(kind: int, x: Array, axis: int | None, keepdims: bool) -> Array:
    """``rows.fold`` compiled; quicker than NumPy from the first element on."""
    dtype = x.dtype
    if not x.size or (dtype is not F32 and dtype is not F64):
        return rows.fold(kind, x, axis, keepdims)
    if not x.flags.c_contiguous:
        if x.size > _COPIED:
            return rows.fold(kind, x, axis, keepdims)
        x = x.copy()  # and the bits do not depend on how little lies in memory
    if axis is None and not keepdims:  # what a key would say
        outer, length, inner, shape = 1, x.size, 1, _NO_DIMENSIONS
    else:
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


_SCANS: dict[np.ufunc, int] = {np.add: 0, np.multiply: 1}


def scan(ufunc: np.ufunc, x: Array, axis: int, reverse: bool) -> Array:
    """``rows.scan`` compiled, for sums and products."""
    dtype, kind = x.dtype, _SCANS.get(ufunc)
    if kind is None or (dtype is not F32 and dtype is not F64) or x.size < _SCANNED:
        return rows.scan(ufunc, x, axis, reverse)
    if not x.flags.c_contiguous:
        x = x.copy()
    outer, length, inner, _ = _lines[x.shape, axis, True]
    out: Array = allocator(x.shape, dtype)(x.shape, dtype)
    try:
        _native.rows_scan(kind, x, out, outer, length, inner, reverse, dtype is F64)
    except TypeError:  # x is not aligned
        return rows.scan(ufunc, x, axis, reverse)
    return out


class _Softened(dict[tuple[Ints, Any, bool], tuple[int, int, int, Any] | None]):
    """Shape, axis and whether it is float64 -> outer, length, inner and what makes the result; or nothing."""

    def __missing__(self, key: tuple[Ints, Any, bool]) -> tuple[int, int, int, Any] | None:
        shape, axis, double = key
        found: tuple[int, int, int, Any] | None = None
        if type(axis) is int and 0 not in shape:
            found = (*_views[shape, (axis % len(shape),)][:3], allocator(shape, F64 if double else F32))
        if len(self) >= 4096:
            self.clear()
        self[key] = found
        return found


_softened = _Softened()


def _softening(kind: int, definition: Callable[[Array, Any], Array]) -> Callable[[Array, Any], Array]:
    call = _native.rows_softmax

    def kernel(x: Array, axis: Any) -> Array:
        dtype, shape = x.dtype, x.shape
        double = dtype is F64
        plan = _softened[shape, axis, double] if double or dtype is F32 else None
        if plan is None:
            return definition(x, axis)
        outer, length, inner, empty = plan
        out: Array = empty(shape, dtype)
        try:
            call(kind, x, out, outer, length, inner, double)
        except TypeError:  # x is strided or not aligned
            call(kind, in_order(x), out, outer, length, inner, double)
        return out

    kernel.__doc__ = f"``rows.{definition.__name__}`` compiled."
    return kernel


softmax = _softening(_SOFTMAX, rows.softmax)
log_softmax = _softening(_LOG_SOFTMAX, rows.log_softmax)


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


def _softening_grad(
    kind: int, definition: Callable[[Array, Array, Any], Array]
) -> Callable[[Array, Array, Any], Array]:
    call = _native.rows_softmax_grad

    def kernel(g: Array, out: Array, axis: Any) -> Array:
        dtype, shape = out.dtype, out.shape
        double = dtype is F64
        plan = _softened[shape, axis, double] if double or dtype is F32 else None
        if plan is None or g.shape != shape:
            return definition(g, out, axis)
        outer, length, inner, empty = plan
        gx: Array = empty(shape, dtype)
        try:
            call(kind, g, out, gx, outer, length, inner, double)
        except TypeError:  # one is strided, not aligned or of another dtype
            return definition(g, out, axis)
        return gx

    kernel.__doc__ = f"``rows.{definition.__name__}`` compiled."
    return kernel


softmax_grad = _softening_grad(_SOFTMAX, rows.softmax_grad)
log_softmax_grad = _softening_grad(_LOG_SOFTMAX, rows.log_softmax_grad)


def _alike(g: Array, x: Array) -> bool:
    return g.dtype is x.dtype and g.shape == x.shape and g.flags.c_contiguous and g.flags.aligned


# ---- positions


def _fit_positions(x: Array, index: Indices) -> bool:
    return index.dtype is _INT64 and index.flags.c_contiguous and index.flags.aligned and _fits(x, 1)


def take_rows(x: Array, index: Indices) -> Array | None:
    """``rows.take_rows`` compiled."""
    dtype, (_, width) = x.dtype, x.shape
    if not width or not _fit_positions(x, index):
        return rows.take_rows(x, index)
    shape = (*index.shape, width)
    out: Array = allocator(shape, dtype)(shape, dtype)
    return out if _native.rows_taken(x, index, out, width, dtype is F64) else None


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


def take_along(x: Array, index: Indices, axis: int) -> Array:
    """``rows.take_along`` compiled; what is as wide as floats is moved as if it were floats."""
    kind = _MOVED_AS.get(x.dtype)
    if kind is None or not index.size or index.dtype is not _INT64:
        return rows.take_along(x, index, axis)
    if not index.flags.c_contiguous:
        index = index.copy()  # less than what NumPy makes of it
    shape, there = index.shape, x.shape
    outer, count, inner, _ = _lines[shape, axis, True]
    if shape[:axis] != there[:axis] or shape[axis + 1 :] != there[axis + 1 :]:
        return rows.take_along(x, index, axis)
    if not x.flags.c_contiguous:
        if x.size > index.size:
            return rows.take_along(x, index, axis)
        x = x.copy()
    out: Array = allocator(shape, kind)(shape, x.dtype)
    try:
        found = _native.rows_gather(
            x if kind is x.dtype else x.view(kind), index, out if kind is x.dtype else out.view(kind),
            outer, there[axis], count, inner, kind is F64,
        )  # fmt: skip
    except TypeError:  # one is not aligned
        found = False
    return out if found else rows.take_along(x, index, axis)


def move_rows(x: Array, source: Indices, target: Indices, factors: Array | None, places: int) -> Array:
    """``rows.move_rows`` compiled: the rows that are added up are not stored on the way."""
    dtype, width = x.dtype, x.shape[1]
    if not source.size or not width or (dtype is not F32 and dtype is not F64):
        return rows.move_rows(x, source, target, factors, places)
    if not x.flags.c_contiguous:
        x = x.copy()  # less than what is moved
    out: Array = allocator((places, width), dtype)((places, width), dtype)
    try:
        done = _native.rows_move(x, source, target, factors, out, width, dtype is F64)
    except TypeError:  # one is strided, not aligned or of another dtype
        done = False
    return out if done else rows.move_rows(x, source, target, factors, places)


# ---- classes


def likelihood_loss(
    x: Array, classes: Indices, ignored: int, reduction: str, weights: Array | None = None
) -> tuple[Array, Indices, Array] | None:
    """``rows.likelihood_loss`` compiled."""
    if not classes.size or not _fit_positions(x, classes):
        return rows.likelihood_loss(x, classes, ignored, reduction, weights)
    dtype, shape, each = x.dtype, classes.shape, reduction == "none"
    places, factors, out = _empty(shape, _INT64), _empty(shape, dtype), _empty(shape if each else (), dtype)
    sizes = x.shape[:2]
    used = _native.rows_picked(
        x, classes, weights, factors, places, out, *sizes, ignored, each, reduction == "mean", dtype is F64
    )
    return (out, places, factors) if used > 0 else None


def likelihood_grad(g: Array, places: Indices, factors: Array, count: int) -> Array:
    """``rows.likelihood_grad`` compiled."""
    if not _fit_positions(g, places) or g.dtype is not factors.dtype or not factors.flags.c_contiguous:
        return rows.likelihood_grad(g, places, factors, count)
    shape = (places.shape[0], count, *places.shape[1:])
    out: Array = allocator(shape, g.dtype)(shape, g.dtype)
    if not _native.rows_placed(g, places, factors, out, shape[0], count, g.dtype is F64):
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
