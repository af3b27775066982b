"""Padding: constant, reflected, replicated and circular borders; negative widths cut instead.

``widths`` has one (before, after) pair per axis of x.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..dtypes import Array
from ..kernels import borders, table
from .formula import Value, call
from .op import Linear, Op

Widths = tuple[tuple[int, int], ...]


class ConstantPad(Op):
    """x with borders of ``value``; the gradient of what is inside passes."""

    backward_name = "ConstantPadNdBackward0"
    saves = ("widths",)
    batch = {"widths": "pairs"}
    exact = True

    @staticmethod
    def forward(x: Array, widths: Widths, value: Any) -> tuple[Array, tuple[Any, ...]]:
        return table.pad(x, widths, value), (widths,)

    @staticmethod
    def vjp_x(g: Value, widths: Widths) -> Value:
        return call(ConstantPad, g, tuple([(-a, -b) for a, b in widths]), 0)

    @staticmethod
    def jvp_x(d: Value, widths: Widths) -> Value:
        return call(ConstantPad, d, widths, 0)


class Border(Linear):
    """x with borders taken from itself: out[i] = x[source(i)] along each padded axis."""

    saves = ("widths", "mode", "shape")
    batch = {"widths": "pairs"}
    exact = True

    @staticmethod
    def forward(x: Array, widths: Widths, mode: str) -> tuple[Array, tuple[Any, ...]]:
        shape = x.shape
        first = _first_padded(x, widths)
        if first is not None:
            out = table.pad(x, widths, 0)
            borders.write(out.reshape(1, -1, *out.shape[first:]), shape[first:], widths[first:], mode)
            return out, (widths, mode, shape)
        for axis, (before, after) in enumerate(widths):
            if before or after:
                x = np.take(x, sources(shape[axis], before, after, mode), axis)
        return x, (widths, mode, shape)

    @staticmethod
    def vjp_x(g: Value, widths: Widths, mode: str, shape: tuple[int, ...]) -> Value:
        return call(BorderFold, g, widths, mode, shape)


class BorderFold(Linear):
    """What stands in the borders added back to where it came from: the adjoint of Border."""

    saves = ("widths", "mode", "shape")
    batch = {"widths": "pairs", "shape": "size"}

    @staticmethod
    def forward(x: Array, widths: Widths, mode: str, shape: tuple[int, ...]) -> tuple[Array, tuple[Any, ...]]:
        first = _first_padded(x, widths)
        if first is not None:
            wide = np.array(x.reshape(1, -1, *x.shape[first:]), order="C")  # a copy, which is written into
            return borders.fold(wide, widths[first:], mode).reshape(shape), (widths, mode, shape)
        for axis, (before, after) in enumerate(widths):
            if before or after:
                x = _fold(x, axis, sources(shape[axis], before, after, mode), shape[axis])
        return x, (widths, mode, shape)

    @staticmethod
    def vjp_x(g: Value, widths: Widths, mode: str, shape: tuple[int, ...]) -> Value:
        return call(Border, g, widths, mode)


def _first_padded(x: Array, widths: Widths) -> int | None:
    """From which axis on x gets borders; None where it has no elements, no borders or is cut."""
    if not x.size or any(a < 0 or b < 0 for a, b in widths):
        return None
    return next((axis for axis, (a, b) in enumerate(widths) if a or b), None)


def _fold(x: Array, axis: int, source: Array, size: int) -> Array:
    """Add x[i] to out[source[i]] along one axis: runs of the identity as slices, the borders one by one."""
    rows = np.moveaxis(x, axis, 0)
    out = np.zeros((size, *rows.shape[1:]), x.dtype)
    inner = np.flatnonzero(np.diff(source) == 1)
    if inner.size:  # the longest stretch that runs straight on
        breaks = np.flatnonzero(np.diff(inner) > 1)
        starts = np.concatenate((inner[:1], inner[breaks + 1]))
        stops = np.concatenate((inner[breaks], inner[-1:])) + 2
        k = int(np.argmax(stops - starts))
        a, b = int(starts[k]), int(stops[k])
        out[source[a] : source[a] + b - a] += rows[a:b]
    else:
        a = b = 0
    for i in (*range(a), *range(b, len(source))):
        out[source[i]] += rows[i]
    return np.moveaxis(out, 0, axis)


def sources(size: int, before: int, after: int, mode: str) -> Array:
    """For each position of the padded axis, the position of x it is taken from."""
    index = np.arange(-before, size + after)
    if mode == "reflect":
        index = np.abs(index)
        return np.asarray(np.where(index >= size, 2 * (size - 1) - index, index))
    if mode == "replicate":
        return np.clip(index, 0, size - 1)
    # circular: first cut, then wrap what is left
    low, high = max(-before, 0), size - max(-after, 0)
    return np.asarray(low + (index - low) % max(high - low, 1))


class ReflectionPad1D(Border):
    """Borders mirrored in the last axis, without repeating the edge."""

    backward_name = "ReflectionPad1DBackward0"


class ReflectionPad2D(Border):
    """Borders mirrored in the last two axes, without repeating the edge."""

    backward_name = "ReflectionPad2DBackward0"


class ReflectionPad3D(Border):
    """Borders mirrored in the last three axes, without repeating the edge."""

    backward_name = "ReflectionPad3DBackward0"


class ReplicationPad1D(Border):
    """Borders that repeat the edge in the last axis."""

    backward_name = "ReplicationPad1DBackward0"


class ReplicationPad2D(Border):
    """Borders that repeat the edge in the last two axes."""

    backward_name = "ReplicationPad2DBackward0"


class ReplicationPad3D(Border):
    """Borders that repeat the edge in the last three axes."""

    backward_name = "ReplicationPad3DBackward0"


class CircularPad(Border):
    """Borders taken from the other end."""

    backward_name = "CopySlices"  # PyTorch builds it from slice copies and prints this
