"""Values of images and volumes between their pixels, and the adjoint of that, in NumPy.

``out[p] = sum over taps of x[tap(p)] * weight(p)``, where the weight of a tap is a product of polynomials
in the distances along each axis; ``orders`` says how often each factor is differentiated, along the axes of
the grid: the last axis of x first.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import prod
from typing import Any

import numpy as np

from convgrad.dtypes import Array
from convgrad.kernels.cubic import CUBIC_TAPS
from convgrad.kernels.geometry import Ints

#: per mode the weights of the taps as polynomials in the distance from the first (highest power first)
_TAPS = {
    "nearest": np.array([[1.0]]), "bilinear": np.array([[-1.0, 1.0], [1.0, 0.0]]), "bicubic": CUBIC_TAPS,
}  # fmt: skip


def grid_sample(x: Array, grid: Array, mode: str, padding: str, align: bool, orders: Ints) -> Array:
    """x at the positions of the grid, or a derivative of that.

    Args:
        x: ``(N, C, *S)``, float32 or float64.
        grid: ``(N, *oS, axes)`` in [-1, 1], float32 or float64.
        mode: "nearest", "bilinear" or "bicubic".
        padding: "zeros", "border" or "reflection".
        align: whether -1 and 1 are the centres of the pixels at the border.
        orders: how often the weights are differentiated along each axis of the grid.
    Returns:
        ``(N, C, *oS)`` in x's dtype.
    """
    size, (batch, channels) = x.shape[2:], x.shape[:2]
    shape = (batch, channels, *grid.shape[1:-1])
    if vanishes(mode, orders):
        return np.zeros(shape, x.dtype)
    rows = np.zeros((batch * prod(size) + 1, channels), x.dtype)  # the last one stands for outside
    flat = x.reshape(batch, channels, prod(size))
    rows[:-1].reshape(batch, prod(size), channels)[...] = flat.swapaxes(1, 2)
    out = np.zeros((prod(grid.shape[:-1]), channels), x.dtype)
    for row, weight in _terms(grid, size, mode, padding, align, orders):
        piece = np.take(rows, row, 0)
        if weight is not None:
            piece *= weight[:, None]
        out += piece
    out = out.reshape(batch, prod(grid.shape[1:-1]), channels).swapaxes(1, 2)
    return np.ascontiguousarray(out).reshape(shape)


def grid_sample_grad(
    g: Array, grid: Array, mode: str, padding: str, align: bool, orders: Ints, size: Ints
) -> Array:
    """The adjoint of ``grid_sample`` in x: each g added, weighted, to the pixels its sample was made of.

    Args:
        g: ``(N, C, *oS)``, float32 or float64.
        grid, mode, padding, align, orders: as there.
        size: the spatial size of x.
    Returns:
        ``(N, C, *size)`` in g's dtype.
    """
    batch, channels = g.shape[:2]
    out = np.zeros((batch * prod(size) + 1, channels), g.dtype)
    if not vanishes(mode, orders) and g.size:
        columns = np.arange(channels)
        rows = np.ascontiguousarray(g.reshape(batch, channels, -1).swapaxes(1, 2)).reshape(-1, channels)
        for row, weight in _terms(grid, size, mode, padding, align, orders):
            piece = rows if weight is None else rows * weight[:, None]
            np.add.at(out.reshape(-1), (row[:, None] * channels + columns).reshape(-1), piece.reshape(-1))
    planes = out[:-1].reshape(batch, prod(size), channels).swapaxes(1, 2)
    return np.ascontiguousarray(planes).reshape(batch, channels, *size)


def grid_slopes(grid: Array, size: Ints, mode: str, padding: str, align: bool) -> Array:
    """How fast positions in pixels move with the grid's, a constant between the kinks; of grid's shape."""
    slope = np.empty_like(grid)
    for k, n in enumerate(reversed(size)):
        slope[..., k] = _placed(grid[..., k], n, mode, padding, align)[1]
    return slope


def vanishes(mode: str, orders: Ints) -> bool:
    """Whether the weights, so often differentiated, are zero."""
    return max(orders) >= _TAPS[mode].shape[1]


def _polynomial(mode: str, order: int) -> list[Array]:
    """The taps' polynomials, differentiated ``order`` times."""
    return [np.polyder(tap, order) if order else tap for tap in _TAPS[mode]]


def _placed(position: Array, n: int, mode: str, padding: str, align: bool) -> tuple[Array, Array | float]:
    """Positions in [-1, 1] along an axis of n as pixels, brought inside as the padding says; their slope."""
    kind = position.dtype.type
    slope: Any = kind((n - 1) / 2 if align else n / 2)
    place = (position + kind(1)) * slope - (kind(0) if align else kind(0.5))
    if mode == "bicubic" or padding == "zeros":
        return place, slope
    if padding == "reflection":
        place, sign = _reflected(place, n, align)
        slope = slope * sign
    inside = (place > 0) & (place < n - 1)
    return np.fmin(np.fmax(place, kind(0)), kind(n - 1)), slope * inside


def _reflected(place: Array, n: int, align: bool) -> tuple[Array, Array]:
    """Positions mirrored at the borders until they lie inside, and the sign of the slope."""
    low, span = (0.0, n - 1) if align else (-0.5, n)
    if not span:
        return np.zeros_like(place), np.zeros_like(place)
    kind = place.dtype.type
    away = np.abs(place - kind(low))
    flips = np.floor(away / kind(span))
    extra = away - flips * kind(span)
    odd = flips % 2 == 1
    sign = np.where((place < low) ^ odd, kind(-1), kind(1))
    return np.where(odd, kind(span) - extra, extra) + kind(low), sign


def _taps(
    position: Array, n: int, mode: str, padding: str, align: bool, order: int
) -> list[tuple[Array, Array | None]]:
    """(index along the axis or -1 if outside, weight or None for 1) of each tap."""
    place, _ = _placed(position, n, mode, padding, align)
    if mode == "nearest":
        return [(_inside(np.rint(place), n), None)]
    first = np.floor(place)
    t = place - first
    if mode == "bicubic":
        first = first - 1
    found: list[tuple[Array, Array | None]] = []
    for k, tap in enumerate(_polynomial(mode, order)):
        at = first + first.dtype.type(k)
        if mode == "bicubic" and padding != "zeros":
            at = _reflected(at, n, align)[0] if padding == "reflection" else at
            at = np.fmin(np.fmax(at, 0), n - 1)
        found.append((_inside(at, n), np.polyval(tap.astype(t.dtype), t)))
    return found


def _inside(at: Array, n: int) -> Array:
    return np.where((at >= 0) & (at <= n - 1), at, -1).astype(np.intp)


def _terms(
    grid: Array, size: Ints, mode: str, padding: str, align: bool, orders: Ints
) -> Iterator[tuple[Array, Array | None]]:
    """(row, weight) of each tap for every position: rows are the pixels of N planes, the last is outside."""
    count = len(size)
    batch, pixels = grid.shape[0], prod(size)
    flat = grid.reshape(prod(grid.shape[:-1]), count)
    per_axis = [
        _taps(flat[:, count - 1 - a], size[a], mode, padding, align, orders[count - 1 - a])
        for a in range(count)
    ]
    lead = np.repeat(np.arange(batch) * pixels, flat.shape[0] // max(batch, 1))
    for taps in product(*per_axis):
        at: Array = taps[0][0]
        outside = at < 0
        weight = taps[0][1]
        for (index, factor), n in zip(taps[1:], size[1:], strict=True):
            at = at * n + index
            outside |= index < 0
            weight = factor if weight is None or factor is None else weight * factor
        yield np.where(outside, batch * pixels, lead + at), weight
