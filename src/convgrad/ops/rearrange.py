"""Operators that rearrange: flips, rolls, triangles, diagonals, windows, repeats.

All are linear and move elements without computing; each one's vjp is its adjoint, again an operator
of this module.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ..dtypes import Array
from ..kernels import table
from . import formula
from .formula import Value, call, reshape
from .op import Linear, Op

_ALL, _REVERSED = slice(None), slice(None, None, -1)


class Flip(Linear):
    """The order of elements reversed along ``axes``; a copy."""

    saves = ("axes",)
    batch = {"axes": "axis"}
    exact = True

    @staticmethod
    def forward(x: Array, axes: tuple[int, ...]) -> tuple[Array, tuple[Any, ...]]:
        key = tuple([_REVERSED if i in axes else _ALL for i in range(x.ndim)])
        return table.contiguous(x[(*key, ...)]), (axes,)

    @staticmethod
    def vjp_x(g: Value, axes: tuple[int, ...]) -> Value:
        return call(Flip, g, axes)


class Roll(Linear):
    """Elements moved on by ``shifts`` along ``axes`` (none: along all of them as one); ends meet."""

    saves = ("shifts", "axes")
    exact = True

    @staticmethod
    def forward(x: Array, shifts: tuple[int, ...], axes: tuple[int, ...]) -> tuple[Array, tuple[Any, ...]]:
        if not axes:
            return _rolled(x.reshape(-1), shifts[0], 0).reshape(x.shape), (shifts, axes)
        out = x
        for shift, axis in zip(shifts, axes, strict=True):
            out = _rolled(out, shift, axis)
        return out, (shifts, axes)

    @staticmethod
    def vjp_x(g: Value, shifts: tuple[int, ...], axes: tuple[int, ...]) -> Value:
        return call(Roll, g, tuple([-s for s in shifts]), axes)


def repeated(x: Array, shape: tuple[int, ...]) -> Array:
    """A view of x whose axes of size 1, and missing ones in front, are repeated up to ``shape``."""
    lead = len(shape) - x.ndim
    strides = (0,) * lead + tuple(
        [0 if n == 1 and m != 1 else s for n, m, s in zip(x.shape, shape[lead:], x.strides, strict=True)]
    )
    if x.size and x.flags.c_contiguous:  # NumPy's as_strided takes ten times as long
        return np.ndarray(shape, x.dtype, x, 0, strides)
    return as_strided(x, shape, strides)


def stacked(xs: Sequence[Array], axis: int) -> Array:
    """Arrays of one shape joined along a new axis: without ``np.stack`` (4 us) if it is first."""
    shape, dtype = xs[0].shape, xs[0].dtype
    if axis == 0 and shape:
        out: Array = np.concatenate(xs)
        return out.reshape((len(xs), *shape))
    if axis < 0 or len(xs) > 8 or any([x.dtype is not dtype for x in xs]):
        return np.stack(xs, axis)
    out = np.empty((*shape[:axis], len(xs), *shape[axis:]), dtype)
    lead: Any = (_ALL,) * axis
    for i, x in enumerate(xs):
        out[(*lead, i)] = x
    return out


def _rolled(x: Array, shift: int, axis: int) -> Array:
    """A copy of x with the elements moved on along one axis."""
    size = x.shape[axis]
    cut = shift % size if size else 0
    lead = (_ALL,) * axis
    out = np.empty(x.shape, x.dtype)
    out[(*lead, slice(cut, None))] = x[(*lead, slice(None, size - cut))]
    out[(*lead, slice(None, cut))] = x[(*lead, slice(size - cut, None))]
    return out


class Rot90(Linear):
    """A rotation by ``turns`` quarter turns in the plane of two axes, from the first to the second."""

    saves = ("turns", "axes")
    batch = {"axes": "axis"}
    exact = True

    @staticmethod
    def forward(x: Array, turns: int, axes: tuple[int, int]) -> tuple[Array, tuple[Any, ...]]:
        return table.contiguous(np.rot90(x, turns, axes)), (turns, axes)

    @staticmethod
    def vjp_x(g: Value, turns: int, axes: tuple[int, int]) -> Value:
        return call(Rot90, g, -turns, axes)


def _where_kept(keep: Array, x: Array) -> Array:
    """x, and zeros where ``keep`` (of the last two axes) does not hold."""
    return table.select(keep, x, np.zeros((), x.dtype))


class Tril(Linear):
    """The lower triangle of the last two axes; zeros above the given diagonal."""

    saves = ("diagonal",)
    batch = "leading"
    exact = True

    @staticmethod
    def forward(x: Array, diagonal: int) -> tuple[Array, tuple[Any, ...]]:
        keep = np.tri(x.shape[-2], x.shape[-1], diagonal, dtype=bool)
        return _where_kept(keep, x), (diagonal,)

    @staticmethod
    def vjp_x(g: Value, diagonal: int) -> Value:
        return call(Tril, g, diagonal)


class Triu(Linear):
    """The upper triangle of the last two axes; zeros below the given diagonal."""

    saves = ("diagonal",)
    batch = "leading"
    exact = True

    @staticmethod
    def forward(x: Array, diagonal: int) -> tuple[Array, tuple[Any, ...]]:
        keep = ~np.tri(x.shape[-2], x.shape[-1], diagonal - 1, dtype=bool)
        return _where_kept(keep, x), (diagonal,)

    @staticmethod
    def vjp_x(g: Value, diagonal: int) -> Value:
        return call(Triu, g, diagonal)


def diagonal_of(x: Array, offset: int, first: int, second: int) -> Array:
    """The diagonal of two axes as the last axis: a view that can be written to if x can."""
    out = x.diagonal(offset, first, second)
    if x.flags.writeable:
        out.flags.writeable = True
    return out


class Diagonal(Linear):
    """The diagonal of axes ``first`` and ``second``, ``offset`` above the main one, as last axis; a view."""

    saves = ("offset", "first", "second", "shape")
    batch = {"first": "axis", "second": "axis"}
    view = True
    exact = True

    @staticmethod
    def forward(x: Array, offset: int, first: int, second: int) -> tuple[Array, tuple[Any, ...]]:
        return diagonal_of(x, offset, first, second), (offset, first, second, x.shape)

    @staticmethod
    def vjp_x(g: Value, offset: int, first: int, second: int, shape: tuple[int, ...]) -> Value:
        return call(DiagonalPut, g, offset, first, second, shape)


class DiagonalCopy(Linear):
    """The diagonal of a matrix in memory of its own."""

    backward_name = "DiagonalBackward0_copy"
    saves = ("offset", "shape")
    exact = True

    @staticmethod
    def forward(x: Array, offset: int) -> tuple[Array, tuple[Any, ...]]:
        return x.diagonal(offset).copy(), (offset, x.shape)

    @staticmethod
    def vjp_x(g: Value, offset: int, shape: tuple[int, ...]) -> Value:
        return call(DiagonalPut, g, offset, 0, 1, shape)


class DiagonalPut(Linear):
    """Zeros of ``shape`` with x on a diagonal: the adjoint of Diagonal."""

    backward_name = "DiagEmbedBackward0"
    saves = ("offset", "first", "second", "shape")
    batch = {"first": "axis", "second": "axis", "shape": "size"}
    exact = True

    @staticmethod
    def forward(
        x: Array, offset: int, first: int, second: int, shape: tuple[int, ...]
    ) -> tuple[Array, tuple[Any, ...]]:
        out = np.zeros(shape, x.dtype)
        diagonal_of(out, offset, first, second)[...] = x
        return out, (offset, first, second, shape)

    @staticmethod
    def vjp_x(g: Value, offset: int, first: int, second: int, shape: tuple[int, ...]) -> Value:
        return call(Diagonal, g, offset, first, second)


class DiagonalScatter(Op):
    """x with a diagonal replaced by v."""

    backward_name = "DiagonalScatterBackward0"
    saves = ("offset", "first", "second", "shape")
    batch = {"first": "axis", "second": "axis"}
    exact = True

    @staticmethod
    def forward(x: Array, v: Array, offset: int, first: int, second: int) -> tuple[Array, tuple[Any, ...]]:
        out = x.copy(order="C")
        diagonal_of(out, offset, first, second)[...] = v
        return out, (offset, first, second, x.shape)

    @staticmethod
    def vjp_x(g: Value, offset: int, first: int, second: int, _shape: tuple[int, ...]) -> Value:
        return call(DiagonalScatter, g, np.zeros((), g.dtype), offset, first, second)

    @staticmethod
    def vjp_v(g: Value, offset: int, first: int, second: int, _shape: tuple[int, ...]) -> Value:
        return call(Diagonal, g, offset, first, second)

    @staticmethod
    def jvp_x(d: Value, offset: int, first: int, second: int, shape: tuple[int, ...]) -> Value:
        return call(DiagonalScatter, d, np.zeros((), d.dtype), offset, first, second)

    @staticmethod
    def jvp_v(d: Value, offset: int, first: int, second: int, shape: tuple[int, ...]) -> Value:
        return call(DiagonalPut, d, offset, first, second, shape)


class Unfold(Linear):
    """Windows of ``size`` every ``step`` along ``axis``, each as a new last axis; a view."""

    saves = ("axis", "size", "step", "shape")
    batch = {"axis": "axis"}
    view = True
    repeats = True
    exact = True

    @staticmethod
    def forward(x: Array, axis: int, size: int, step: int) -> tuple[Array, tuple[Any, ...]]:
        old = x.shape
        if x.ndim == 0:
            x = x.reshape(1)
        count = (x.shape[axis] - size) // step + 1
        shape = (*x.shape[:axis], count, *x.shape[axis + 1 :], size)
        stride = x.strides[axis]
        strides = (*x.strides[:axis], stride * step, *x.strides[axis + 1 :], stride)
        out = as_strided(x, shape, strides, writeable=x.flags.writeable)
        return (out[0] if not old else out), (axis, size, step, old)

    @staticmethod
    def vjp_x(g: Value, axis: int, size: int, step: int, shape: tuple[int, ...]) -> Value:
        return call(Fold, g, axis, size, step, shape)


class Fold(Linear):
    """Windows added back to where they came from: the adjoint of Unfold."""

    backward_name = "UnfoldBackwardBackward0"
    saves = ("axis", "size", "step", "shape")
    batch = {"axis": "axis", "shape": "size"}

    @staticmethod
    def forward(
        x: Array, axis: int, size: int, step: int, shape: tuple[int, ...]
    ) -> tuple[Array, tuple[Any, ...]]:
        if not shape:
            return (x[0] if size else np.zeros((), x.dtype)), (axis, size, step, shape)
        out = np.zeros(shape, x.dtype)
        count = x.shape[axis]
        lead: Any = (slice(None),) * axis
        if size <= count:
            for k in range(size):
                out[(*lead, slice(k, k + step * count, step))] += x[..., k]
        else:  # few long windows: one by one
            windows = np.moveaxis(x, -1, axis + 1)
            for i in range(count):
                out[(*lead, slice(i * step, i * step + size))] += windows[(*lead, i)]
        return out, (axis, size, step, shape)

    @staticmethod
    def vjp_x(g: Value, axis: int, size: int, step: int, shape: tuple[int, ...]) -> Value:
        return call(Unfold, g, axis, size, step)


class AsStrided(Linear):
    """Any strided picture of the storage; ``stride`` and ``offset`` count elements. A view.

    Derivatives treat it as a selection of x's elements.
    """

    saves = ("size", "stride", "offset", "layout")
    view = True
    anywhere = True  # it may show another part of the storage than x does ...
    repeats = True  # ... and an element several times
    exact = True

    @staticmethod
    def forward(
        x: Array, size: tuple[int, ...], stride: tuple[int, ...], offset: int
    ) -> tuple[Array, tuple[Any, ...]]:
        flat, start = storage_of(x)
        layout = (x.shape, tuple([s // x.itemsize for s in x.strides]), start, flat.size)
        strides = tuple([s * x.itemsize for s in stride])
        return as_strided(flat[offset:], size, strides, writeable=x.flags.writeable), (
            size,
            stride,
            offset,
            layout,
        )

    @staticmethod
    def vjp_x(
        g: Value, size: tuple[int, ...], stride: tuple[int, ...], offset: int, layout: tuple[Any, ...]
    ) -> Value:
        return reshape(
            call(StridedPut, g, _strided_index(size, stride, offset, layout), layout[0]), layout[0]
        )

    @staticmethod
    def jvp_x(
        d: Value, size: tuple[int, ...], stride: tuple[int, ...], offset: int, layout: tuple[Any, ...]
    ) -> Value:
        return call(StridedTake, d, _strided_index(size, stride, offset, layout))


class AsStridedInPlace(AsStrided):
    """The same under PyTorch's name for the in-place form."""

    backward_name = "AsStridedBackward1"


class StridedTake(Linear):
    """Elements of x by flat position; position -1 gives 0."""

    backward_name = "AsStridedBackward0"
    saves = ("index", "shape")
    repeats = True
    exact = True

    @staticmethod
    def forward(x: Array, index: Any) -> tuple[Array, tuple[Any, ...]]:
        out = np.append(x.reshape(-1), np.zeros(1, x.dtype))[index]
        return out, (index, x.shape)

    @staticmethod
    def vjp_x(g: Value, index: Any, shape: tuple[int, ...]) -> Value:
        return call(StridedPut, g, index, shape)


class StridedPut(Linear):
    """Zeros of ``shape`` into which x is added at flat positions (-1: nowhere)."""

    saves = ("index", "shape")

    @staticmethod
    def forward(x: Array, index: Any, shape: tuple[int, ...]) -> tuple[Array, tuple[Any, ...]]:
        out = np.zeros(int(np.prod(shape)) + 1, x.dtype)
        np.add.at(out, index, x)
        return out[:-1].reshape(shape), (index, shape)

    @staticmethod
    def vjp_x(g: Value, index: Any, shape: tuple[int, ...]) -> Value:
        return call(StridedTake, g, index)


def storage_of(x: Array) -> tuple[Array, int]:
    """The flat array of everything in x's storage, and the position of x's first element in it."""
    root = x
    while True:
        base = root.base
        if base is not None and type(base) is not np.ndarray:
            base = getattr(base, "base", None)  # NumPy's as_strided puts an object of its own between
        if type(base) is not np.ndarray or base.dtype != x.dtype:
            break
        root = base
    if not root.flags.forc:
        return np.ascontiguousarray(x).reshape(-1), 0
    if root.size and not root.flags.writeable and x.flags.writeable:
        root = x
    flat = root.reshape(-1, order="A")
    start = x.__array_interface__["data"][0] - flat.__array_interface__["data"][0]
    return flat, start // x.itemsize


def _strided_index(size: Any, stride: Any, offset: int, layout: tuple[Any, ...]) -> Array:
    """For each element of a strided picture, the flat position in x of what it shows (-1: not in x)."""
    shape, strides, start, total = layout
    inverse = np.full(total, -1, np.int64)
    own = _positions(shape, strides, start)
    inverse[own.reshape(-1)] = np.arange(own.size)
    return np.asarray(inverse[_positions(size, stride, offset)])


def _positions(shape: Any, strides: Any, start: int) -> Array:
    out = np.full(shape, start, np.int64)
    for axis, (n, s) in enumerate(zip(shape, strides, strict=True)):
        out += (np.arange(n) * s).reshape((n,) + (1,) * (len(shape) - axis - 1))
    return out


class Repeat(Linear):
    """The whole tensor set side by side ``repeats`` times along each axis (leading axes may be new)."""

    saves = ("repeats", "shape")
    exact = True

    @staticmethod
    def forward(x: Array, repeats: tuple[int, ...]) -> tuple[Array, tuple[Any, ...]]:
        return np.tile(x, repeats), (repeats, x.shape)

    @staticmethod
    def vjp_x(g: Value, repeats: tuple[int, ...], shape: tuple[int, ...]) -> Value:
        padded = (1,) * (len(repeats) - len(shape)) + shape
        mixed = tuple([n for pair in zip(repeats, padded, strict=True) for n in pair])
        summed = formula.sum(reshape(g, mixed), tuple(range(0, len(mixed), 2)))
        return reshape(summed, shape)


__all__ = [
    "AsStrided", "Diagonal", "DiagonalCopy", "DiagonalPut", "DiagonalScatter", "Flip", "Fold", "Repeat",
    "Roll", "Rot90", "StridedPut", "StridedTake", "Tril", "Triu", "Unfold", "diagonal_of", "storage_of",
]  # fmt: skip
