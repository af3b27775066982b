"""Reductions, softmax, losses and sums by position in NumPy: the meaning of the compiled ones.

Arrays are float32 or float64 (most work in any dtype); ``axes`` is a tuple of non-negative ints. A NaN
counts as the largest and as the smallest. Results are arrays, also those of no dimensions.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from convgrad.dtypes import Array
from convgrad.kernels.reference import silent

Indices = Array
Axes = tuple[int, ...]

#: NumPy's stubs want keepdims as a literal
_add_reduce: Any = np.add.reduce
_multiply_reduce: Any = np.multiply.reduce


# ---- reductions

SUM, SQUARES, MOST, LEAST, MEAN, PRODUCT = range(6)


def fold(kind: int, x: Array, axis: int | None, keepdims: bool) -> Array:
    """The sum, mean, product, largest or smallest value along one axis, or of all elements."""
    axes = tuple(range(x.ndim)) if axis is None else (axis % x.ndim,)
    if kind == MEAN:
        count = math.prod([x.shape[i] for i in axes])
        total = sum_over(x, axes, keepdims)
        return np.asarray(total / count if count else total * math.nan)
    if kind == PRODUCT:
        return np.asarray(_multiply_reduce(x, axes, keepdims=keepdims, dtype=x.dtype))
    over = {SUM: sum_over, SQUARES: squares_over, MOST: most_over, LEAST: least_over}[kind]
    return over(x, axes, keepdims)


def sum_over(x: Array, axes: Axes, keepdims: bool) -> Array:
    """The sum over ``axes``."""
    return np.asarray(_add_reduce(x, axes, keepdims=keepdims))


def squares_over(x: Array, axes: Axes, keepdims: bool) -> Array:
    """The sum of squares over ``axes``."""
    return np.asarray(_add_reduce(x * x, axes, keepdims=keepdims))


def most_over(x: Array, axes: Axes, keepdims: bool) -> Array:
    """The largest value over ``axes``."""
    return np.asarray(np.max(x, axis=axes, keepdims=keepdims))


def least_over(x: Array, axes: Axes, keepdims: bool) -> Array:
    """The smallest value over ``axes``."""
    return np.asarray(np.min(x, axis=axes, keepdims=keepdims))


@silent
def moments_over(x: Array, axes: Axes) -> tuple[Array, Array]:
    """The mean over ``axes``, kept as size 1, and the sum of squared deviations from it."""
    count = math.prod([x.shape[i] for i in axes])
    mean = np.asarray(_add_reduce(x, axes, keepdims=True) * x.dtype.type(1 / count if count else math.nan))
    centred = x - mean
    return mean, squares_over(centred, axes, True)


@silent
def variance_along(x: Array, axis: int, correction: float, keepdims: bool) -> Array:
    """The sum of squared deviations from the mean along ``axis`` over ``n - correction``."""
    squares = moments_over(x, (axis % x.ndim,))[1]
    out = squares / x.dtype.type(max(0.0, x.shape[axis] - correction))
    return np.asarray(out if keepdims else np.squeeze(out, axis))


def extreme_along(x: Array, axis: int, least: bool, keepdims: bool = True) -> tuple[Array, Indices]:
    """The largest (or smallest) value along ``axis`` and the place of the first such."""
    place = np.asarray((np.argmin if least else np.argmax)(x, axis=axis, keepdims=True))
    value = np.take_along_axis(x, place, axis)
    return (value, place) if keepdims else (np.squeeze(value, axis), np.squeeze(place, axis))


def scan(ufunc: np.ufunc, x: Array, axis: int, reverse: bool) -> Array:
    """``ufunc`` accumulated along ``axis``, from its end if ``reverse``."""
    if reverse:
        return np.flip(ufunc.accumulate(np.flip(x, axis), axis, dtype=x.dtype), axis)
    return np.asarray(ufunc.accumulate(x, axis, dtype=x.dtype))


# ---- softmax


@silent
def softmax(x: Array, axis: Any) -> Array:
    """``exp(x) / sum(exp(x))`` along ``axis``."""
    out = np.asarray(np.exp(x - x.max(axis=axis, keepdims=True)))
    out /= _add_reduce(out, axis, keepdims=True)
    return out


@silent
def log_softmax(x: Array, axis: Any) -> Array:
    """``x - log(sum(exp(x)))`` along ``axis``."""
    out = x - x.max(axis=axis, keepdims=True)
    return np.asarray(out - np.log(_add_reduce(np.exp(out), axis, keepdims=True)))


@silent
def log_sum_exp_over(x: Array, axes: Axes, keepdims: bool) -> Array:
    """``log(sum(exp(x)))`` over ``axes``."""
    top = np.max(x.real, axis=axes, keepdims=True, initial=-math.inf)
    top = np.where(np.isfinite(top), top, 0).astype(x.real.dtype)
    out = np.log(_add_reduce(np.exp(x - top), axes, keepdims=True)) + top
    return np.asarray(out if keepdims else np.squeeze(out, axes))


@silent
def softmax_grad(g: Array, out: Array, axis: Any) -> Array:
    """The gradient of x from that of ``out = softmax(x, axis)``: ``out (g - sum(g out))``."""
    return np.asarray(out * (g - _add_reduce(g * out, axis, keepdims=True)))


@silent
def log_softmax_grad(g: Array, out: Array, axis: Any) -> Array:
    """The gradient of x from that of ``out = log_softmax(x, axis)``: ``g - exp(out) sum(g)``."""
    return np.asarray(g - np.exp(out) * _add_reduce(g, axis, keepdims=True))


# ---- positions


def take_rows(x: Array, index: Indices) -> Array | None:
    """``x[index]`` of x ``(V, D)`` and an index of any shape; None where one is outside [0, V)."""
    if index.size and (index.min() < 0 or index.max() >= x.shape[0]):
        return None
    return x.take(index, 0)


def add_rows(g: Array, index: Indices, axis: int, places: int) -> Array:
    """Zeros with ``places`` along ``axis``, at whose positions ``index`` (n) those of g are added, in order.

    Each is ``out[..., index[i], ...] += g[..., i, ...]``; sorted first, so that runs are summed at once.
    """
    rows = np.moveaxis(g, axis, 0)
    out = np.zeros((places, *rows.shape[1:]), g.dtype)
    if index.size:
        order = np.argsort(index, kind="stable")
        ranked = index[order]
        starts = np.flatnonzero(np.concatenate(([True], ranked[1:] != ranked[:-1])))
        out[ranked[starts]] = np.add.reduceat(rows[order], starts, 0)
    return np.ascontiguousarray(np.moveaxis(out, 0, axis))


def add_along(g: Array, index: Indices, axis: int, places: int) -> Array:
    """Zeros with ``places`` along ``axis``, and ``out[index[i, j], j] += g[i, j]`` (for axis 0).

    Index has g's shape. The adjoint of ``take_along_axis``.
    """
    out = np.zeros((*g.shape[:axis], places, *g.shape[axis + 1 :]), g.dtype)
    where: list[Any] = list(np.ogrid[tuple([slice(0, n) for n in index.shape])])
    where[axis] = index
    np.add.at(out, tuple(where), g)
    return out


def take_along(x: Array, index: Indices, axis: int) -> Array:
    """``out[i, j] = x[index[i, j], j]`` (for axis 0); the other axes of x and index are as long."""
    return np.take_along_axis(x, index, axis)


def move_rows(x: Array, source: Indices, target: Indices, factors: Array | None, places: int) -> Array:
    """Zeros ``(places, D)`` with ``out[target[k]] += factors[k] x[source[k]]``, in order; None: no factors.

    x is ``(V, D)``, the indices and factors are ``(n,)``. With the indices exchanged it is its own adjoint.
    """
    rows = x.take(source, 0)
    return add_rows(rows if factors is None else rows * factors[:, None], target, 0, places)


# ---- classes


def likelihood_loss(
    x: Array, classes: Indices, ignored: int, reduction: str, weights: Array | None = None
) -> tuple[Array, Indices, Array] | None:
    """Minus the log-probabilities x ``(N, C, ...)`` of the classes ``(N, ...)``: each, sum, mean.
    ``weights`` (C,): how much each class counts.

    Beside it what backward needs: the classes, 0 where ignored, and the factor of each. None where nothing
    counts or a class is outside [0, C).
    """
    used = classes != ignored
    places = np.where(used, classes, 0)
    if not places.size or places.min() < 0 or places.max() >= x.shape[1]:
        return None
    factors = used.astype(x.dtype) if weights is None else used * weights[places]
    total = _add_reduce(factors, None) if reduction == "mean" else 1
    if not total or not used.any():
        return None
    factors = factors / x.dtype.type(-total)
    picked = np.take_along_axis(x, places[:, None], 1)[:, 0]
    picked = np.where(factors == 0, x.dtype.type(0), picked * factors)
    return picked if reduction == "none" else np.asarray(_add_reduce(picked, None)), places, factors


def likelihood_grad(g: Array, places: Indices, factors: Array, count: int) -> Array:
    """Zeros ``(N, count, ...)`` in which ``factors g`` stand at the places; g has their shape or size 1."""
    out = np.zeros((places.shape[0], count, *places.shape[1:]), g.dtype)
    np.put_along_axis(out, places[:, None], (g * factors)[:, None], 1)
    return out


# ---- losses of pairs

SQUARE, ABSOLUTE, SMOOTH, HUBER, CROSS_ENTROPY, CROSS_ENTROPY_OF_LOGITS = range(6)


@silent
def pair_losses(kind: int, x: Array, y: Array, width: float) -> Array:
    """The loss of each prediction x and its target y, of one shape and dtype."""
    if kind == CROSS_ENTROPY:
        return np.asarray((y - 1) * np.maximum(np.log1p(-x), -100.0) - y * np.maximum(np.log(x), -100.0))
    if kind == CROSS_ENTROPY_OF_LOGITS:
        return np.asarray(np.maximum(x, 0) - x * y + np.log1p(np.exp(-np.abs(x))))
    d = x - y
    if kind == SQUARE:
        return np.asarray(d * d)
    d = np.abs(d)
    if kind == ABSOLUTE:
        return np.asarray(d)
    if kind == SMOOTH:
        return np.asarray(np.where(d < width, 0.5 / width * d * d, d - 0.5 * width))
    return np.asarray(np.where(d <= width, 0.5 * d * d, width * (d - 0.5 * width)))


def pair_loss_sum(kind: int, x: Array, y: Array, width: float) -> Array:
    """The sum of ``pair_losses``, of no dimensions."""
    if kind == SQUARE and x.dtype.kind == "f":
        d = (x - y).reshape(-1)
        return np.asarray(np.dot(d, d))
    return np.asarray(_add_reduce(pair_losses(kind, x, y, width), None))


@silent
def pair_loss_grad(kind: int, g: Array, x: Array, y: Array, width: float, factor: float) -> Array:
    """``g factor`` times the derivative of each loss by x; g has x's shape or one element."""
    if kind == CROSS_ENTROPY:
        slope = (x - y) / np.maximum(x * (1 - x), x.dtype.type(1e-12))
    elif kind == CROSS_ENTROPY_OF_LOGITS:
        e = np.exp(-np.abs(x))
        slope = np.where(x < 0, e, 1) / (1 + e) - y
    else:
        d = x - y
        sign = np.asarray(d > 0).astype(x.dtype) - (d < 0)
        if kind == SQUARE:
            slope = d * 2
        elif kind == ABSOLUTE:
            slope = sign
        elif kind == SMOOTH:
            slope = np.where(np.abs(d) < width, d * (1 / width if width else 0.0), sign)
        else:
            slope = np.where(np.abs(d) <= width, d, sign * width)
    return np.asarray(slope * (g * factor)).astype(x.dtype, copy=False)
