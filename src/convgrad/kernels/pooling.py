"""Max, average and adaptive average pooling in NumPy, each with its adjoint, in any number of dimensions.

Nothing is padded: for each place in the window ("tap") the outputs whose tap falls inside the input
are computed, and only those are touched. Averages are separable, so they go one dimension at a time.
Arrays are ``(N, C, *S)``; float16 and bfloat16 are summed in float32 and rounded once.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from convgrad.dtypes import Array
from convgrad.kernels.geometry import Ints
from convgrad.kernels.pool_geometry import pool_output_size
from convgrad.kernels.reference import WIDE, silent

Indices = Array
#: kernel, stride, padding, dilation: one int per spatial dimension each
Windows = tuple[Ints, Ints, Ints, Ints]


# Maximum


def max_pool(
    x: Array, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, ceil_mode: bool = False
) -> tuple[Array, Indices]:
    """The largest value of each window, and where it was.

    The first of equal values wins; a nan beats every number, and of several nans the last wins.

    Args:
        x: ``(N, C, *S)``, real.
        kernel, stride, padding, dilation: one int per spatial dimension.
        ceil_mode: a last partial window counts.
    Returns:
        ``(N, C, *oS)`` in x's dtype, and the int64 index of each maximum within its flattened plane.
    """
    out, winner = max_pool_choice(x, kernel, stride, padding, dilation, ceil_mode)
    return out, positions(winner, (kernel, stride, padding, dilation), x.shape[2:])


@silent
def max_pool_choice(
    x: Array, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, ceil_mode: bool = False
) -> tuple[Array, Indices]:
    """As ``max_pool``, but of each maximum the number of its tap, in the order of the window's elements.

    Args:
        x: ``(N, C, *S)``, real.
        kernel, stride, padding, dilation: one int per spatial dimension.
        ceil_mode: a last partial window counts.
    Returns:
        ``(N, C, *oS)`` in x's dtype, and the taps: uint8 where a byte counts a window's, else int32.
    """
    wide = WIDE.get(x.dtype)
    if wide is not None:
        out, winner = max_pool_choice(x.astype(wide), kernel, stride, padding, dilation, ceil_mode)
        return out.astype(x.dtype), winner
    size = x.shape[2:]
    output_size = pool_output_size(size, kernel, stride, padding, dilation, ceil_mode)
    out = np.full((*x.shape[:2], *output_size), _lowest(x.dtype), x.dtype)
    winner = np.empty(out.shape, np.uint8 if prod(kernel) <= 256 else np.int32)
    axes = list(zip(output_size, kernel, stride, padding, dilation, strict=True))
    winner[...] = _row_major([_first_tap(*axis) for axis in axes], kernel)
    has_nan = x.dtype.kind == "f" and x.size > 0 and bool(np.isnan(np.maximum.reduce(x, axis=None)))
    for number, tap in enumerate(np.ndindex(*kernel)):
        offsets = [k * d - p for k, d, p in zip(tap, dilation, padding, strict=True)]
        inner, outer = _tap_slices(offsets, stride, size, output_size)
        candidate, best, chosen = x[inner], out[outer], winner[outer]
        better = candidate > best
        if has_nan:
            better |= np.isnan(candidate)
        np.maximum(best, candidate, out=best)
        # Tap numbers only grow, so a maximum replaces the slower masked store.
        np.maximum(chosen, better.view(np.uint8) * chosen.dtype.type(number), out=chosen)
    return out, winner


def positions(winner: Indices, windows: Windows, size: Ints) -> Indices:
    """Where the taps that ``max_pool_choice`` chose lie in the flattened planes of x, int64."""
    axes = list(zip(winner.shape[2:], *windows, strict=True))
    starts = _row_major([np.arange(count) * s - p for count, _, s, p, _ in axes], size)
    offset = _row_major([np.arange(k) * d for _, k, _, _, d in axes], size).reshape(-1)
    where: Indices = offset[winner]
    where += starts
    if any(d > n for n, d in zip(size, windows[3], strict=True)):
        # A dilated window may step over a tiny input: its maximum is -inf, and any valid index does.
        np.clip(where, 0, prod(size) - 1, out=where)
    return where


def max_pool_choice_gather(x: Array, winner: Indices, windows: Windows) -> Array:
    """``max_pool_gather`` for what ``max_pool_choice`` returned; ``windows`` is what it was given."""
    return max_pool_gather(x, positions(winner, windows, x.shape[2:]))


def max_pool_choice_grad(g: Array, winner: Indices, windows: Windows, input_size: Ints) -> Array:
    """``max_pool_grad`` for what ``max_pool_choice`` returned; ``windows`` is what it was given."""
    return max_pool_grad(g, positions(winner, windows, input_size), input_size)


def max_pool_grad(g: Array, index: Indices, input_size: Ints) -> Array:
    """The adjoint of ``max_pool_gather``: add each entry of g to the place its maximum came from.

    Args:
        g: ``(N, C, *oS)``.
        index: as ``max_pool`` returned it.
        input_size: the spatial size of x.
    Returns:
        ``(N, C, *input_size)`` in g's dtype.
    """
    wide = WIDE.get(g.dtype)
    if wide is not None:
        return max_pool_grad(g.astype(wide), index, input_size).astype(g.dtype)
    gx = np.zeros((*g.shape[:2], *input_size), g.dtype)
    np.add.at(gx.reshape(-1), _flat_index(index, input_size), g.reshape(-1))
    return gx


def max_pool_gather(x: Array, index: Indices) -> Array:
    """``x`` at the places in ``index``: max pooling with the choice already made, so linear in x.

    Args:
        x: ``(N, C, *S)``.
        index: ``(N, C, *oS)``, positions within the flattened plane.
    Returns:
        ``(N, C, *oS)`` in x's dtype.
    """
    return x.reshape(-1)[_flat_index(index, x.shape[2:])].reshape(index.shape)


def adaptive_max_pool(x: Array, output_size: Ints) -> tuple[Array, Indices]:
    """The largest value of windows that divide each dimension as ``adaptive_avg_pool``'s do.

    Args:
        x: ``(N, C, *S)``, float.
        output_size: one int per spatial dimension; it may exceed the input's.
    Returns:
        ``(N, C, *output_size)`` in x's dtype, and the int64 index of each maximum within its flattened plane.
    """
    size = x.shape[2:]
    zeros, ones = (0,) * len(size), (1,) * len(size)
    out = np.empty((*x.shape[:2], *output_size), x.dtype)
    index = np.empty(out.shape, np.int64)
    plane = np.arange(prod(size)).reshape(size)
    for place in np.ndindex(*output_size):
        window: Any = tuple([
            slice(i * n // m, -(-(i + 1) * n // m)) for i, n, m in zip(place, size, output_size, strict=True)
        ])  # fmt: skip
        part = x[(..., *window)]
        here: Any = (..., *[slice(i, i + 1) for i in place])
        out[here], winner = max_pool_choice(part, part.shape[2:], ones, zeros, ones)
        index[here] = plane[window].reshape(-1)[winner]
    return out, index


def _flat_index(index: Indices, size: Ints) -> Indices:
    """Positions within planes as positions within the whole flattened array."""
    planes = index.shape[0] * index.shape[1]
    within = index.reshape(planes, prod(index.shape[2:]))
    return (within + np.arange(planes).reshape(planes, 1) * prod(size)).reshape(-1)


def _lowest(dtype: np.dtype[Any]) -> float | int | bool:
    if dtype.kind == "f":
        return -np.inf
    return False if dtype.kind == "b" else int(np.iinfo(dtype).min)


def _first_tap(count: int, kernel: int, stride: int, padding: int, dilation: int) -> Indices:
    """For each window the first tap that lies inside the input."""
    starts = np.arange(count) * stride - padding
    return np.minimum(np.maximum(-(starts // dilation), 0), kernel - 1)


def _row_major(places: list[Indices], size: Ints) -> Indices:
    """Row-major index of the grid spanned by one position list per dimension."""
    index = places[0]
    for position, n in zip(places[1:], size[1:], strict=True):
        index = index[..., None] * n + position
    return index


def _tap_slices(
    offsets: list[int], stride: Ints, size: Ints, output_size: Ints
) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Where one tap reads, and which outputs it serves."""
    inner: list[Any] = [...]
    outer: list[Any] = [...]
    for offset, s, n, count in zip(offsets, stride, size, output_size, strict=True):
        first, last = _served(offset, s, n, count)
        start = first * s + offset
        inner.append(slice(start, start + (last - first) * s, s))
        outer.append(slice(first, last))
    return tuple(inner), tuple(outer)


def _served(offset: int, stride: int, size: int, count: int) -> tuple[int, int]:
    """The outputs ``first <= o < last`` with ``0 <= o stride + offset < size``."""
    first = max(0, -(offset // stride))
    last = min(count, (size - 1 - offset) // stride + 1)
    return first, max(first, last)


# Average


@silent
def avg_pool(
    x: Array,
    kernel: Ints,
    stride: Ints,
    padding: Ints,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Array:
    """The mean of each window; for integers the quotient is cut towards zero.

    Args:
        x: ``(N, C, *S)``.
        kernel, stride, padding: one int per spatial dimension.
        ceil_mode: a last partial window counts; what overhangs the padding is never counted.
        count_include_pad: padded zeros count in the divisor.
        divisor_override: divide by this instead.
    Returns:
        ``(N, C, *oS)`` in x's dtype.
    """
    size = x.shape[2:]
    output_size = pool_output_size(size, kernel, stride, padding, (1,) * len(kernel), ceil_mode)
    out = x.astype(WIDE.get(x.dtype, x.dtype), copy=False)
    for axis, (k, s, p, count) in enumerate(zip(kernel, stride, padding, output_size, strict=True), 2):
        out = _window_sums(out, axis, k, s, p, count)
    divisor = _divisor(size, output_size, kernel, stride, padding, count_include_pad, divisor_override)
    return _divide(out, divisor).astype(x.dtype, copy=False)


@silent
def avg_pool_grad(
    g: Array,
    input_size: Ints,
    kernel: Ints,
    stride: Ints,
    padding: Ints,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Array:
    """The adjoint of ``avg_pool``; ``ceil_mode`` is read off g's shape.

    Args:
        g: ``(N, C, *oS)``.
        input_size: the spatial size of x.
    Returns:
        ``(N, C, *input_size)`` in g's dtype.
    """
    output_size = g.shape[2:]
    divisor = _divisor(input_size, output_size, kernel, stride, padding, count_include_pad, divisor_override)
    gx = _divide(g.astype(WIDE.get(g.dtype, g.dtype), copy=False), divisor)
    for axis, (k, s, p, n) in enumerate(zip(kernel, stride, padding, input_size, strict=True), 2):
        gx = _spread_windows(gx, axis, k, s, p, n)
    return gx.astype(g.dtype, copy=False)


def _window_sums(x: Array, axis: int, kernel: int, stride: int, padding: int, count: int) -> Array:
    """Sums over windows along one axis, which shrinks to ``count``."""
    out = np.zeros((*x.shape[:axis], count, *x.shape[axis + 1 :]), x.dtype)
    before = (slice(None),) * axis
    for offset in range(-padding, kernel - padding):
        first, last = _served(offset, stride, x.shape[axis], count)
        start = first * stride + offset
        out[(*before, slice(first, last))] += x[
            (*before, slice(start, start + (last - first) * stride, stride))
        ]
    return out


def _spread_windows(g: Array, axis: int, kernel: int, stride: int, padding: int, size: int) -> Array:
    """The adjoint of ``_window_sums``: the axis grows back to ``size``."""
    gx = np.zeros((*g.shape[:axis], size, *g.shape[axis + 1 :]), g.dtype)
    before = (slice(None),) * axis
    for offset in range(-padding, kernel - padding):
        first, last = _served(offset, stride, size, g.shape[axis])
        start = first * stride + offset
        gx[(*before, slice(start, start + (last - first) * stride, stride))] += g[
            (*before, slice(first, last))
        ]
    return gx


def _divisor(
    size: Ints,
    output_size: Ints,
    kernel: Ints,
    stride: Ints,
    padding: Ints,
    count_include_pad: bool,
    divisor_override: int | None,
) -> Indices:
    """How many entries each window counts, as an int64 array of shape ``output_size``."""
    if divisor_override is not None:
        return np.array(divisor_override, np.int64)
    counts: Indices = np.ones((), np.int64)
    for n, out, k, s, p in zip(size, output_size, kernel, stride, padding, strict=True):
        starts = np.arange(out) * s - p
        ends = np.minimum(starts + k, n + p)
        if not count_include_pad:
            starts, ends = np.maximum(starts, 0), np.minimum(ends, n)
        counts = np.multiply(counts[..., None], ends - starts)
    return counts


def _divide(x: Array, divisor: Indices) -> Array:
    """``x / divisor`` in x's dtype; integers are cut towards zero, as in C."""
    if x.dtype.kind in "iu":
        wide = x.astype(np.int64, copy=False)
        return (np.sign(wide) * np.sign(divisor) * (np.abs(wide) // np.abs(divisor))).astype(x.dtype)
    return x / divisor.astype(x.real.dtype)


# Adaptive average


@silent
def adaptive_avg_pool(x: Array, output_size: Ints) -> Array:
    """Means over windows that divide each dimension as evenly as whole numbers allow.

    Window i of a dimension with n entries and m outputs is ``i n // m <= position < ceil((i + 1) n / m)``.

    Args:
        x: ``(N, C, *S)``, float or complex.
        output_size: one int per spatial dimension; it may exceed the input's.
    Returns:
        ``(N, C, *output_size)`` in x's dtype.
    """
    out = x.astype(WIDE.get(x.dtype, x.dtype), copy=False)
    for axis, m in enumerate(output_size, 2):
        starts, ends = _adaptive_windows(out.shape[axis], m)
        out = _scale(_segment_sums(out, axis, starts, ends), axis, ends - starts)
    return out.astype(x.dtype)


@silent
def adaptive_avg_pool_grad(g: Array, input_size: Ints) -> Array:
    """The adjoint of ``adaptive_avg_pool``.

    Args:
        g: ``(N, C, *oS)``.
        input_size: the spatial size of x.
    Returns:
        ``(N, C, *input_size)`` in g's dtype.
    """
    gx = g.astype(WIDE.get(g.dtype, g.dtype), copy=False)
    for axis, n in enumerate(input_size, 2):
        starts, ends = _adaptive_windows(n, g.shape[axis])
        positions = np.arange(n)
        # The windows that hold a position are neighbours, so the adjoint sums segments too.
        first, last = np.searchsorted(ends, positions, "right"), np.searchsorted(starts, positions, "right")
        gx = _segment_sums(_scale(gx, axis, ends - starts), axis, first, last)
    return gx.astype(g.dtype)


def _adaptive_windows(n: int, m: int) -> tuple[Indices, Indices]:
    i = np.arange(m)
    return i * n // max(m, 1), -(-(i + 1) * n // max(m, 1))


def _segment_sums(x: Array, axis: int, starts: Indices, ends: Indices) -> Array:
    """``out[i] = x[starts[i]:ends[i]].sum()`` along one axis; no segment is empty unless x is."""
    count, n = len(starts), x.shape[axis]
    shape = (*x.shape[:axis], count, *x.shape[axis + 1 :])
    if 0 in x.shape or count == 0:
        return np.zeros(shape, x.dtype)
    if n % count == 0 and ends[0] == n // count:
        return np.add.reduce(
            x.reshape(*x.shape[:axis], count, n // count, *x.shape[axis + 1 :]), axis=axis + 1
        )
    before = (slice(None),) * axis
    padded = np.zeros(
        (*x.shape[:axis], n + 1, *x.shape[axis + 1 :]), x.dtype
    )  # reduceat cannot end at the end
    padded[(*before, slice(n))] = x
    edges = np.stack((starts, ends), axis=1).reshape(-1)
    return np.add.reduceat(padded, edges, axis=axis)[(*before, slice(None, None, 2))]


def _scale(x: Array, axis: int, lengths: Indices) -> Array:
    """Divide by the window lengths along one axis."""
    return x / lengths.astype(x.real.dtype).reshape(-1, *(1,) * (x.ndim - axis - 1))


# Sums along an axis


def sums_along(x: Array, axis: int, index: Indices, weight: Array | None) -> Array:
    """``out[.., i, ..] = sum over t of weight[i, t] x[.., index[i, t], ..]`` along one axis of n elements.

    Args:
        x: ``(*A, n, *B)``.
        axis: the position of n, from 0.
        index: int64 ``(m, taps)``, in ``[0, n)``.
        weight: floats of the same shape; None stands for ones, with one tap.
    Returns:
        ``(*A, m, *B)`` in x's dtype.
    """
    if weight is None:
        return np.take(x, index[:, 0], axis)
    weight = weight.astype(x.dtype).reshape(*weight.shape, *(1,) * (x.ndim - axis - 1))
    out = np.take(x, index[:, 0], axis)
    out *= weight[:, 0]
    for tap in range(1, index.shape[1]):
        piece = np.take(x, index[:, tap], axis)
        piece *= weight[:, tap]
        out += piece
    return out
