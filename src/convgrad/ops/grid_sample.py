"""Values of images and volumes between their pixels, at positions that are an input too.

``out[p] = sum over taps of x[tap(p)] * weight(p)``, where the weight of a tap is a product of polynomials
in the distances along each axis. ``orders`` says how often each factor is differentiated, so that the two
operators here, sampling and its adjoint in x, are closed under differentiation: the derivative with
respect to a position is a sample of higher order.
"""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any, TypeAlias

import numpy as np

from ..dtypes import F32, HALVES, Array
from ..kernels import table
from . import formula
from .formula import Value, call, call_many, reshape
from .matmul import MatMul
from .op import Linear, Op
from .shape import Stack

Ints: TypeAlias = tuple[int, ...]


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
        size, kind = x.shape[2:], x.dtype
        if kind in HALVES or grid.dtype in HALVES:
            x, grid = x.astype(F32), grid.astype(F32)
        slope = table.grid_slopes(grid, size, mode, padding, align)
        out = table.grid_sample(x, grid, mode, padding, align, orders)
        return out.astype(kind, copy=False), (x, grid, slope, mode, padding, align, orders, size)

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
        slope = table.grid_slopes(grid, size, mode, padding, align)
        out = table.grid_sample_grad(g, grid, mode, padding, align, orders, size)
        return out.astype(kind, copy=False), (g, grid, slope, mode, padding, align, orders, size)

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
