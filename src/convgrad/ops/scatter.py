"""Operators that pick and place by index arrays: gather, scatter, index_add, take, put and their kin.

Index arrays and masks are constants; they have been checked and are int64 or bool. ``Gather`` and
``ScatterSum`` (its adjoint) live in ``reduce.py``, where the extremes need them too.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..dtypes import F32, F64, Array
from ..kernels import table
from . import formula
from .formula import Value, call, reshape, sum_to, where
from .op import Linear, Op
from .reduce import Gather, Place, ScatterSum
from .shape import Index, IndexPut

#: from so many elements on a kernel adds them sooner than NumPy
_MANY = 256


def along(axis: int, index: Any) -> tuple[Any, ...]:
    """The NumPy key that meets positions ``index`` (a vector) of one axis."""
    return (slice(None),) * axis + (index,)


def grid(index: Array, axis: int) -> tuple[Any, ...]:
    """The NumPy key that meets ``(i, index[i, j], j)``, where index stands at ``axis``."""
    if not index.ndim:
        return ()
    last = index.ndim - 1
    return tuple(
        [
            index if i == axis else np.arange(n).reshape(n, *(1,) * (last - i))
            for i, n in enumerate(index.shape)
        ]
    )


class IndexSelect(Linear):
    """The positions ``index`` of one axis, in that order; a copy."""

    holds = True

    saves = ("index", "axis", "shape")
    exact = True

    @staticmethod
    def forward(x: Array, index: Any, axis: int) -> tuple[Array, tuple[Any, ...]]:
        return x.take(index, axis), (index, axis, x.shape)

    @staticmethod
    def vjp_x(g: Value, index: Any, axis: int, shape: tuple[int, ...]) -> Value:
        return call(IndexPut, g, along(axis, index), shape)


class Scatter(Op):
    """x with ``out[index[i, j], j] = src[i, j]`` (for axis 0); of repeats the last written stays."""

    holds = True

    saves = ("index", "axis", "shape")
    exact = True

    @staticmethod
    def forward(x: Array, src: Array, index: Any, axis: int) -> tuple[Array, tuple[Any, ...]]:
        out = x.copy(order="C")
        out[grid(index, axis)] = src
        return out, (index, axis, x.shape)

    @staticmethod
    def vjp_x(g: Value, index: Any, axis: int, _shape: tuple[int, ...]) -> Value:
        return call(Scatter, g, np.zeros((), g.dtype), index, axis)

    @staticmethod
    def vjp_src(g: Value, index: Any, axis: int, _shape: tuple[int, ...]) -> Value:
        return call(Gather, g, index, axis)

    @staticmethod
    def jvp_x(d: Value, index: Any, axis: int, shape: tuple[int, ...]) -> Value:
        return call(Scatter, d, np.zeros((), d.dtype), index, axis)

    @staticmethod
    def jvp_src(d: Value, index: Any, axis: int, shape: tuple[int, ...]) -> Value:
        return call(Scatter, np.zeros(shape, d.dtype), d, index, axis)


class ScatterValue(Scatter):
    """Scatter of one number: the same, under PyTorch's name for it."""

    backward_name = "ScatterBackward1"


class ScatterAdd(Op):
    """x with src added: ``out[index[i, j], j] += src[i, j]`` (for axis 0); repeats add up."""

    holds = True

    saves = ("index", "axis", "shape")

    @staticmethod
    def forward(x: Array, src: Array, index: Any, axis: int) -> tuple[Array, tuple[Any, ...]]:
        if index.size >= _MANY and src.dtype is x.dtype and x.dtype in (F32, F64):
            return x + call(ScatterSum, src, index, axis, x.shape), (index, axis, x.shape)
        out = x.copy(order="C")
        np.add.at(out, grid(index, axis), src)
        return out, (index, axis, x.shape)

    @staticmethod
    def vjp_x(g: Value, _index: Any, _axis: int, _shape: tuple[int, ...]) -> Value:
        return g

    @staticmethod
    def vjp_src(g: Value, index: Any, axis: int, _shape: tuple[int, ...]) -> Value:
        return call(Gather, g, index, axis)

    @staticmethod
    def jvp_x(d: Value, index: Any, axis: int, shape: tuple[int, ...]) -> Value:
        return d

    @staticmethod
    def jvp_src(d: Value, index: Any, axis: int, shape: tuple[int, ...]) -> Value:
        return call(ScatterSum, d, index, axis, shape)


class ScatterReduceSum(ScatterAdd):
    """ScatterAdd, under PyTorch's name for it in ``scatter_reduce``."""

    backward_name = "ScatterReduceBackward0"


class ScatterReduce(Op):
    """x with src combined into it by ``mean``, ``amax`` or ``amin`` (sums: ScatterAdd).

    With ``include`` the element of x takes part, else it only fills where nothing arrives. Equal
    extremes share the gradient.
    """

    holds = True

    saves = ("x", "src", "out", "index", "axis", "kind", "include")

    @staticmethod
    def forward(
        x: Array, src: Array, index: Any, axis: int, kind: str, include: bool
    ) -> tuple[Array, tuple[Any, ...]]:
        out, key = x.copy(order="C"), grid(index, axis)
        if kind == "mean":
            if not include:
                out[key] = 0
            np.add.at(out, key, src)
            count = _counts(x.shape, key, include)
            out = out // count if x.dtype.kind in "iu" else out / count
            out = out.astype(x.dtype)
        elif kind == "prod":
            if not include:
                out[key] = 1
            np.multiply.at(out, key, src)
        else:
            ufunc = np.maximum if kind == "amax" else np.minimum
            if not include:
                out[key] = src  # any of the arrivals will do to start with
            ufunc.at(out, key, src)
        return out, (x, src, out, index, axis, kind, include)

    @staticmethod
    def vjp_x(
        g: Value, x: Value, src: Value, out: Value, index: Any, axis: int, kind: str, include: bool
    ) -> Value:
        weight = _weight_x(x, src, out, index, axis, kind, include)
        if kind == "prod" and include:
            ones = np.ones(x.shape, x.dtype)
            return g * call(ScatterReduce, ones, src, index, axis, "prod", True)
        return g * weight

    @staticmethod
    def vjp_src(
        g: Value, x: Value, src: Value, out: Value, index: Any, axis: int, kind: str, include: bool
    ) -> Value:
        if kind == "prod":
            return call(Gather, g, index, axis) * _product_of_others(x, src, index, axis, include)
        return call(Gather, g, index, axis) * _weight_src(x, src, out, index, axis, kind, include)

    @staticmethod
    def jvp_x(
        d: Value, x: Value, src: Value, out: Value, index: Any, axis: int, kind: str, include: bool
    ) -> Value:
        return ScatterReduce.vjp_x(d, x, src, out, index, axis, kind, include)

    @staticmethod
    def jvp_src(
        d: Value, x: Value, src: Value, out: Value, index: Any, axis: int, kind: str, include: bool
    ) -> Value:
        if kind == "prod":
            others = _product_of_others(x, src, index, axis, include)
            return call(ScatterSum, d * others, index, axis, x.shape)
        weight = _weight_src(x, src, out, index, axis, kind, include)
        return call(ScatterSum, d * weight, index, axis, x.shape)


def _product_of_others(x: Value, src: Value, index: Any, axis: int, include: bool) -> Value:
    """The product of all that meets each element of src, without it; zeros are counted, not divided by."""
    zero, own = src == 0, (x == 0) & include
    safe = where(zero, 1.0, src)
    whole = call(ScatterReduce, where(own, 1.0, x), safe, index, axis, "prod", include)
    zeros = call(ScatterSum, zero.astype(x.dtype), index, axis, x.shape) + own
    left = call(Gather, zeros, index, axis) - zero
    return call(Gather, whole, index, axis) / safe * (left == 0)


class IndexReduce(ScatterReduce):
    """ScatterReduce by positions of one axis, under PyTorch's name for it."""


def _counts(shape: tuple[int, ...], key: Any, include: bool) -> Array:
    """How many values meet in each element, at least 1."""
    count = np.full(shape, 1 if include else 0, np.int64)
    np.add.at(count, key, 1)
    return np.maximum(count, 1)


def _untouched(shape: tuple[int, ...], key: Any) -> Array:
    """Where nothing arrives."""
    out = np.ones(shape, bool)
    out[key] = False
    return out


def _shares(x: Value, src: Value, out: Value, index: Any, axis: int, include: bool) -> tuple[Array, Array]:
    """Which elements of x and of src are the extreme, and among how many equals (a constant)."""
    key = grid(index, axis)
    mine = (x == out) & (_untouched(x.shape, key) | include)
    theirs = src == call(Gather, out, index, axis)
    count = np.asarray(mine).astype(np.int64)
    np.add.at(count, key, theirs)
    return mine, np.maximum(count, 1)


def _weight_x(x: Value, src: Value, out: Value, index: Any, axis: int, kind: str, include: bool) -> Array:
    """The constant by which the gradient of each element of x is multiplied."""
    key = grid(index, axis)
    if kind in ("amax", "amin"):
        mine, count = _shares(x, src, out, index, axis, include)
        return (mine / count).astype(x.dtype)
    stays = np.asarray(_untouched(x.shape, key) | include)
    count = _counts(x.shape, key, include) if kind == "mean" else np.ones((), np.int64)
    return (stays / count).astype(x.dtype)


def _weight_src(x: Value, src: Value, out: Value, index: Any, axis: int, kind: str, include: bool) -> Array:
    """The constant by which the gradient that arrives at each element of src is multiplied."""
    key = grid(index, axis)
    if kind == "mean":
        return np.asarray((1.0 / _counts(x.shape, key, include))[key]).astype(x.dtype)
    _, count = _shares(x, src, out, index, axis, include)
    chosen = src == call(Gather, out, index, axis)
    return np.asarray(chosen / count[key]).astype(x.dtype)


class IndexAdd(Op):
    """x with ``alpha * source`` added at positions ``index`` of one axis; repeats add up."""

    holds = True

    saves = ("index", "axis", "alpha", "shape")

    @staticmethod
    def forward(x: Array, source: Array, index: Any, axis: int, alpha: Any) -> tuple[Array, tuple[Any, ...]]:
        moved = source if alpha == 1 else source * alpha
        if x.ndim and moved.size >= _MANY and moved.dtype is x.dtype and x.dtype in (F32, F64):
            return x + table.add_rows(moved, index, axis, x.shape[axis]), (index, axis, alpha, x.shape)
        out = x.copy(order="C")
        np.add.at(out, along(axis, index), moved)
        return out, (index, axis, alpha, x.shape)

    @staticmethod
    def vjp_x(g: Value, _index: Any, _axis: int, _alpha: Any, _shape: tuple[int, ...]) -> Value:
        return g

    @staticmethod
    def vjp_source(g: Value, index: Any, axis: int, alpha: Any, _shape: tuple[int, ...]) -> Value:
        return call(IndexSelect, g, index, axis) * alpha

    @staticmethod
    def jvp_x(d: Value, index: Any, axis: int, alpha: Any, shape: tuple[int, ...]) -> Value:
        return d

    @staticmethod
    def jvp_source(d: Value, index: Any, axis: int, alpha: Any, shape: tuple[int, ...]) -> Value:
        return call(IndexPut, d * alpha, along(axis, index), shape)


class Replace(Op):
    """x with ``x[key]`` replaced by v; the base of the operators below, which differ in their names."""

    holds = True

    saves = ("key", "shape", "small")
    exact = True

    @staticmethod
    def forward(x: Array, v: Array, key: Any) -> tuple[Array, tuple[Any, ...]]:
        out = x.copy(order="C")
        out[key] = v
        return out, (key, x.shape, np.shape(v))

    @staticmethod
    def vjp_x(g: Value, key: Any, _shape: tuple[int, ...], _small: tuple[int, ...]) -> Value:
        return call(Replace, g, np.zeros((), g.dtype), key)

    @staticmethod
    def vjp_v(g: Value, key: Any, _shape: tuple[int, ...], small: tuple[int, ...]) -> Value:
        return sum_to(call(Index, g, key), small)

    @staticmethod
    def jvp_x(d: Value, key: Any, shape: tuple[int, ...], small: tuple[int, ...]) -> Value:
        return call(Replace, d, np.zeros((), d.dtype), key)

    @staticmethod
    def jvp_v(d: Value, key: Any, shape: tuple[int, ...], small: tuple[int, ...]) -> Value:
        return call(Replace, np.zeros(shape, d.dtype), d, key)


class IndexCopy(Replace):
    """x with positions of one axis replaced by those of source."""


class IndexFill(Replace):
    """x with positions of one axis filled with a number."""


class IndexFillTensor(Replace):
    """IndexFill with a 0-d tensor: the same, under PyTorch's name for it."""

    backward_name = "IndexFillBackward1"


class SelectScatter(Replace):
    """x with one position of one axis replaced."""


class SliceScatter(Replace):
    """x with a range of one axis replaced."""


class MaskedSelect(Index):
    """The elements where a mask of x's shape holds, as a vector."""

    holds = True

    view = False


class MaskedScatter(Op):
    """x with the elements under a mask replaced by the first ones of source, in order."""

    holds = True

    saves = ("mask", "shape")
    exact = True

    @staticmethod
    def forward(x: Array, source: Array, mask: Any) -> tuple[Array, tuple[Any, ...]]:
        out = x.copy(order="C")
        out[mask] = source.reshape(-1)[: np.count_nonzero(mask)]
        return out, (mask, source.shape)

    @staticmethod
    def vjp_x(g: Value, mask: Any, _shape: tuple[int, ...]) -> Value:
        return where(mask, 0.0, g)

    @staticmethod
    def vjp_source(g: Value, mask: Any, shape: tuple[int, ...]) -> Value:
        picked = call(Index, g, mask)
        size = int(np.prod(shape))
        return reshape(call(IndexPut, picked, (slice(0, picked.shape[0]),), (size,)), shape)

    @staticmethod
    def jvp_x(d: Value, mask: Any, shape: tuple[int, ...]) -> Value:
        return where(mask, 0.0, d)

    @staticmethod
    def jvp_source(d: Value, mask: Any, shape: tuple[int, ...]) -> Value:
        zeros = formula.zeros(np.shape(mask), d.dtype)
        return call(MaskedScatter, zeros, d, mask)


class Take(Linear):
    """Elements by their position in the flattened x."""

    holds = True

    saves = ("index", "shape")
    exact = True

    @staticmethod
    def forward(x: Array, index: Any) -> tuple[Array, tuple[Any, ...]]:
        return x.reshape(-1)[index], (index, x.shape)

    @staticmethod
    def vjp_x(g: Value, index: Any, shape: tuple[int, ...]) -> Value:
        return reshape(call(IndexPut, g, index, (int(np.prod(shape)),)), shape)


class Put(Op):
    """x with elements, by their position in the flattened x, replaced by source (or source added)."""

    holds = True

    saves = ("index", "accumulate", "shape", "small")
    exact = True

    @staticmethod
    def forward(x: Array, source: Array, index: Any, accumulate: bool) -> tuple[Array, tuple[Any, ...]]:
        out = x.copy(order="C")
        flat = out.reshape(-1)
        if accumulate:
            np.add.at(flat, index.reshape(-1), source.reshape(-1))
        else:
            flat[index.reshape(-1)] = source.reshape(-1)
        return out, (index, accumulate, x.shape, source.shape)

    @staticmethod
    def vjp_x(g: Value, index: Any, accumulate: bool, _shape: Any, _small: Any) -> Value:
        return g if accumulate else call(Put, g, np.zeros(index.shape, g.dtype), index, False)

    @staticmethod
    def vjp_source(g: Value, index: Any, _accumulate: bool, _shape: Any, small: Any) -> Value:
        return reshape(call(Take, g, index), small)

    @staticmethod
    def jvp_x(d: Value, index: Any, accumulate: bool, shape: Any, small: Any) -> Value:
        return d if accumulate else call(Put, d, np.zeros(index.shape, d.dtype), index, False)

    @staticmethod
    def jvp_source(d: Value, index: Any, accumulate: bool, shape: Any, small: Any) -> Value:
        return call(Put, np.zeros(shape, d.dtype), d, index, accumulate)


__all__ = [
    "Gather", "IndexAdd", "IndexCopy", "IndexFill", "IndexFillTensor", "IndexSelect", "MaskedScatter",
    "MaskedSelect", "Place", "Put", "Replace", "Scatter", "ScatterAdd", "ScatterReduce",
    "ScatterReduceSum", "ScatterSum", "ScatterValue", "SelectScatter", "SliceScatter", "Take", "along",
    "grid",
]  # fmt: skip
