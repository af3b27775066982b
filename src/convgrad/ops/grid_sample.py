"""Values of images and volumes between their pixels, at positions that are an input too.

``out[p] = sum over taps of x[tap(p)] * weight(p)``, where the weight of a tap is a product of polynomials
in the distances along each axis. ``orders`` says how often each factor is differentiated, so that the two
operators here, sampling and its adjoint in x, are closed under differentiation: the derivative with
respect to a position is a sample of higher order.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import product
from math import prod
from typing import Any, TypeAlias

import numpy as np

from ..dtypes import F32, HALVES, Array
from . import formula
from .formula import Value, call, call_many, reshape
from .matmul import MatMul
from .op import Linear, Op
from .resample import CUBIC_TAPS
from .shape import Stack

Ints: TypeAlias = tuple[int, ...]

#: per mode the weights of the taps as polynomials in the distance from the first (highest power first)
_TAPS = {
    "nearest": np.array([[1.0]]), "bilinear": np.array([[-1.0, 1.0], [1.0, 0.0]]), "bicubic": CUBIC_TAPS,
}  # fmt: skip


def _polynomial(mode: str, order: int) -> list[Array]:
    """The taps' polynomials, differentiated ``order`` times."""
    return [np.polyder(tap, order) if order else tap for tap in _TAPS[mode]]


def _vanishes(mode: str, orders: Ints) -> bool:
    return max(orders) >= _TAPS[mode].shape[1]


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


class GridSampler2D(Op):
    """x ``(N, C, *S)`` at the positions ``grid`` (N, *oS, axes; the last axis of x first), or its derivative.

    ``orders``: how often the weights are differentiated along each axis of the grid.
    """

    saves = ("x", "grid", "slope", "mode", "padding", "align", "orders", "size")
    batch = "fold"
    backward_name = "GridSampler2DBackward0"

    @staticmethod
    def forward(
        x: Array, grid: Array, mode: str, padding: str, align: bool, orders: Ints
    ) -> tuple[Array, tuple[Any, ...]]:
        size = x.shape[2:]
        kind = x.dtype
        if kind in HALVES or grid.dtype in HALVES:
            x, grid = x.astype(F32), grid.astype(F32)
        slope = _slopes(grid, size, mode, padding, align)
        saved = (x, grid, slope, mode, padding, align, orders, size)
        batch, channels = x.shape[:2]
        shape = (batch, channels, *grid.shape[1:-1])
        if _vanishes(mode, orders):
            return np.zeros(shape, kind), saved
        rows = np.zeros((batch * prod(size) + 1, channels), x.dtype)  # the last one stands for outside
        rows[:-1].reshape(batch, prod(size), channels)[...] = x.reshape(batch, channels, prod(size)).swapaxes(
            1, 2
        )
        out = np.zeros((prod(grid.shape[:-1]), channels), x.dtype)
        for row, weight in _terms(grid, size, mode, padding, align, orders):
            piece = np.take(rows, row, 0)
            if weight is not None:
                piece *= weight[:, None]
            out += piece
        out = out.reshape(batch, prod(grid.shape[1:-1]), channels).swapaxes(1, 2)
        return np.ascontiguousarray(out).reshape(shape).astype(kind, copy=False), saved

    @staticmethod
    def vjp_x(
        g: Value,
        _x: Value,
        grid: Value,
        _slope: Array,
        mode: str,
        padding: str,
        align: bool,
        orders: Ints,
        size: Ints,
    ) -> Value:
        return call(GridSpread, g, grid, mode, padding, align, orders, size)

    @staticmethod
    def vjp_grid(
        g: Value,
        x: Value,
        grid: Value,
        slope: Array,
        mode: str,
        padding: str,
        align: bool,
        orders: Ints,
        _size: Ints,
    ) -> Value:
        return _along_grid(g, x, grid, mode, padding, align, orders) * slope

    @staticmethod
    def jvp_x(
        d: Value,
        x: Value,
        grid: Value,
        slope: Array,
        mode: str,
        padding: str,
        align: bool,
        orders: Ints,
        size: Ints,
    ) -> Value:
        return call(GridSampler2D, d, grid, mode, padding, align, orders)

    @staticmethod
    def jvp_grid(
        d: Value,
        x: Value,
        grid: Value,
        slope: Array,
        mode: str,
        padding: str,
        align: bool,
        orders: Ints,
        size: Ints,
    ) -> Value:
        steps = d * slope
        out: Value = 0.0
        for k, higher in enumerate(_raised(orders)):
            out = out + steps[:, None, ..., k] * call(GridSampler2D, x, grid, mode, padding, align, higher)
        return out


def _slopes(grid: Array, size: Ints, mode: str, padding: str, align: bool) -> Array:
    """How fast the position in pixels moves with the grid's, a constant between the kinks."""
    slope = np.empty_like(grid)
    for k, n in enumerate(reversed(size)):
        slope[..., k] = _placed(grid[..., k], n, mode, padding, align)[1]
    return slope


def _raised(orders: Ints) -> list[Ints]:
    """The orders with each axis differentiated once more in turn."""
    return [tuple([o + (i == k) for i, o in enumerate(orders)]) for k in range(len(orders))]


def _along_grid(g: Value, x: Value, grid: Value, mode: str, padding: str, align: bool, orders: Ints) -> Value:
    """The cotangent of the positions in pixels: over channels, g times the samples of x differentiated."""
    parts = [
        formula.sum(g * call(GridSampler2D, x, grid, mode, padding, align, higher), 1)
        for higher in _raised(orders)
    ]
    return call_many(Stack, parts, len(grid.shape) - 1)


class GridSampler3D(GridSampler2D):
    """The same for volumes, under PyTorch's name for it."""

    backward_name = "GridSampler3DBackward0"


class GridSpread(Op):
    """Each g ``(N, C, *oS)`` added, weighted, to the pixels its sample was made of: the adjoint in x."""

    saves = ("g", "grid", "slope", "mode", "padding", "align", "orders", "size")
    batch = "fold"

    @staticmethod
    def forward(
        g: Array, grid: Array, mode: str, padding: str, align: bool, orders: Ints, size: Ints
    ) -> tuple[Array, tuple[Any, ...]]:
        kind = g.dtype
        if kind in HALVES or grid.dtype in HALVES:
            g, grid = g.astype(F32), grid.astype(F32)
        slope = _slopes(grid, size, mode, padding, align)
        saved = (g, grid, slope, mode, padding, align, orders, size)
        batch, channels = g.shape[:2]
        out = np.zeros((batch * prod(size) + 1, channels), g.dtype)
        if not _vanishes(mode, orders) and g.size:
            columns = np.arange(channels)
            rows = np.ascontiguousarray(g.reshape(batch, channels, -1).swapaxes(1, 2)).reshape(-1, channels)
            for row, weight in _terms(grid, size, mode, padding, align, orders):
                piece = rows if weight is None else rows * weight[:, None]
                np.add.at(out.reshape(-1), (row[:, None] * channels + columns).reshape(-1), piece.reshape(-1))
        planes = out[:-1].reshape(batch, prod(size), channels).swapaxes(1, 2)
        return np.ascontiguousarray(planes).reshape(batch, channels, *size).astype(kind, copy=False), saved

    @staticmethod
    def vjp_g(
        d: Value, _g: Value, grid: Value, _slope: Array, mode: str, padding: str, align: bool, orders: Ints,
        _size: Ints,
    ) -> Value:  # fmt: skip
        return call(GridSampler2D, d, grid, mode, padding, align, orders)

    @staticmethod
    def vjp_grid(
        d: Value, g: Value, grid: Value, slope: Array, mode: str, padding: str, align: bool, orders: Ints,
        _size: Ints,
    ) -> Value:  # fmt: skip
        return _along_grid(g, d, grid, mode, padding, align, orders) * slope

    @staticmethod
    def jvp_g(
        d: Value, g: Value, grid: Value, slope: Array, mode: str, padding: str, align: bool, orders: Ints,
        size: Ints,
    ) -> Value:  # fmt: skip
        return call(GridSpread, d, grid, mode, padding, align, orders, size)

    @staticmethod
    def jvp_grid(
        d: Value, g: Value, grid: Value, slope: Array, mode: str, padding: str, align: bool, orders: Ints,
        size: Ints,
    ) -> Value:  # fmt: skip
        steps = d * slope
        out: Value = 0.0
        for k, higher in enumerate(_raised(orders)):
            moved = g * steps[:, None, ..., k]
            out = out + call(GridSpread, moved, grid, mode, padding, align, higher, size)
        return out


@lru_cache(maxsize=32)
def _base_grid(size: Ints, align: bool, dtype: np.dtype[Any]) -> Array:
    """The homogeneous coordinates (x, y, ..., 1) of every pixel, ``(pixels, axes + 1)``."""
    lines = []
    for n in reversed(size):
        line = np.linspace(-1.0, 1.0, n) if n > 1 else np.zeros(1)
        lines.append(line if align else line * ((n - 1) / n))
    grid = np.meshgrid(*reversed(lines), indexing="ij")
    return np.stack([*reversed(grid), np.ones(size)], -1).reshape(prod(size), -1).astype(dtype)


class AffineGridGenerator(Linear):
    """The positions of all pixels mapped by theta ``(N, axes, axes + 1)``."""

    saves = ("size", "align")
    batch = "fold"

    @staticmethod
    def forward(theta: Array, size: Ints, align: bool) -> tuple[Array, tuple[Any, ...]]:
        kind = theta.dtype
        base = _base_grid(size, align, kind)
        out = np.matmul(base, theta.swapaxes(1, 2))
        return out.reshape(theta.shape[0], *size, theta.shape[1]), (size, align)

    @staticmethod
    def vjp_theta(g: Value, size: Ints, align: bool) -> Value:
        axes = len(size)
        rows = reshape(g, (g.shape[0], prod(size), axes))
        return call(MatMul, formula.swap_last(rows), _base_grid(size, align, g.dtype))
