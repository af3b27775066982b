"""Reductions: operators that take some axes away.

``axes`` is always a tuple of non-negative ints; ``keepdims`` leaves them as size 1.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..dtypes import F32, F64, Array
from ..kernels import table
from . import formula
from .formula import Value, broadcast_to, call, expand_reduced, reshape, with_ones
from .op import Linear, Op

#: NumPy's stubs want keepdims as a literal
add_reduce: Any = np.add.reduce


class Sum(Linear):
    """The sum over ``axes``; vjp repeats g over them.

    ``for_leaf``: the gradient goes to a large leaf and nowhere else, so that it need not be written out.
    """

    saves = ("axes", "keepdims", "shape", "for_leaf")
    batch = {"axes": "axis"}
    exact = True  # formula.sum goes through float32 by itself

    @staticmethod
    def forward(x: Array, axes: tuple[int, ...], keepdims: bool) -> tuple[Array, tuple[Any, ...]]:
        return formula.sum(x, axes, keepdims), (axes, keepdims, x.shape, False)

    @staticmethod
    def vjp_x(
        g: Value, axes: tuple[int, ...], keepdims: bool, shape: tuple[int, ...], for_leaf: bool
    ) -> Value:
        return expand_reduced(g, shape, axes, keepdims, seen=for_leaf)


class SumDims(Sum):
    """Sum over named dimensions: the same, under PyTorch's name for it."""

    backward_name = "SumBackward1"


class Mean(Linear):
    """The arithmetic mean over ``axes``."""

    saves = ("axes", "keepdims", "shape")
    batch = {"axes": "axis"}

    @staticmethod
    def forward(x: Array, axes: tuple[int, ...], keepdims: bool) -> tuple[Array, tuple[Any, ...]]:
        count = math.prod([x.shape[i] for i in axes])
        total = (
            formula.sum(x, axes, keepdims) if x.dtype.kind == "f" else add_reduce(x, axes, keepdims=keepdims)
        )
        # 0/0 of an empty mean is nan, as in PyTorch
        return total / count if count else total * math.nan, (axes, keepdims, x.shape)

    @staticmethod
    def vjp_x(g: Value, axes: tuple[int, ...], keepdims: bool, shape: tuple[int, ...]) -> Value:
        count = math.prod([shape[i] for i in axes])
        return expand_reduced(g, shape, axes, keepdims, count or 1)


class MeanDims(Mean):
    """Mean over named dimensions: the same, under PyTorch's name for it."""

    backward_name = "MeanBackward1"


class NanSum(Op):
    """The sum over ``axes`` in which NaN counts as 0."""

    backward_name = "NansumBackward0"
    saves = ("present", "axes", "keepdims")
    batch = {"axes": "axis"}

    @staticmethod
    def forward(x: Array, axes: tuple[int, ...], keepdims: bool) -> tuple[Array, tuple[Any, ...]]:
        present = x == x
        return np.asarray(add_reduce(x, axes, keepdims=keepdims, where=present)), (present, axes, keepdims)

    @staticmethod
    def vjp_x(g: Value, present: Array, axes: tuple[int, ...], keepdims: bool) -> Value:
        return expand_reduced(g, present.shape, axes, keepdims) * present

    @staticmethod
    def jvp_x(d: Value, present: Array, axes: tuple[int, ...], keepdims: bool) -> Value:
        return formula.sum(d * present, axes, keepdims)


class Pick(Op):
    """Base of operators that take elements of x by position along one axis: values and their positions.

    Once the positions are known the operator is linear: a gradient goes back to where each value came
    from. A subclass writes ``choose(x, axis, *its own parameters)``, the positions (kept axis and all)
    in an x of at least one axis; a 0-d x counts as one element, as in PyTorch. NaN is the largest value.
    """

    saves = ("index", "axis", "old", "kept")
    several = True
    primary = 0
    exact = True

    @classmethod
    def choose(cls, x: Array, axis: int, *rest: Any) -> Array:
        """Positions along ``axis`` of the elements wanted."""
        raise NotImplementedError

    @classmethod
    def found(cls, x: Array, axis: int, *rest: Any) -> tuple[Array, Array]:
        """The elements wanted and their positions."""
        index = cls.choose(comparable(x), axis, *rest)
        return table.take_along(x, index, axis), index

    @classmethod
    def pick(
        cls, x: Array, axis: int, dropped: bool, *rest: Any
    ) -> tuple[tuple[Array, Array], tuple[Any, ...]]:
        """Values and positions; ``dropped``: without the axis. The body of every forward."""
        line = x if x.ndim else x.reshape(1)
        values, index = cls.found(line, axis, *rest)
        shape = index.shape
        if dropped:
            shape = shape[:axis] + shape[axis + 1 :]
        elif not x.ndim:
            shape = ()
        kept = index.shape
        index = index.reshape(shape)
        return (values.reshape(shape), index), (index, axis, x.shape, kept)

    @staticmethod
    def vjp_x(g: Value, index: Array, axis: int, old: tuple[int, ...], kept: tuple[int, ...]) -> Value:
        size = old[axis] if old else 1
        return reshape(call(Place, reshape(g, kept), index.reshape(kept), axis, size), old)

    @staticmethod
    def jvp_x(d: Value, index: Array, axis: int, old: tuple[int, ...], kept: tuple[int, ...]) -> Value:
        found = call(Gather, d if old else reshape(d, (1,)), index.reshape(kept), axis)
        return reshape(found, index.shape)


class MaxDim(Pick):
    """The largest value along one axis and where it stands (the first of equals; NaN wins)."""

    batch = {"axis": "axis"}

    backward_name = "MaxBackward0"
    arg: Any = staticmethod(np.argmax)

    @classmethod
    def choose(cls, x: Array, axis: int, *rest: Any) -> Array:
        return np.asarray(cls.arg(x, axis=axis, keepdims=True))

    @classmethod
    def found(cls, x: Array, axis: int, *rest: Any) -> tuple[Array, Array]:
        """The extremes and their positions."""
        if x.dtype is F32 or x.dtype is F64:
            return table.extreme_along(x, axis, cls.arg is np.argmin)
        return super().found(x, axis, *rest)

    @classmethod
    def forward(cls, x: Array, axis: int, keepdims: bool) -> tuple[tuple[Array, Array], tuple[Any, ...]]:
        return cls.pick(x, axis, not keepdims)


def comparable(x: Array) -> Array:
    """x as something NumPy orders with NaN as the largest; bfloat16 has no such loop of its own."""
    return x.astype(np.float32) if x.dtype.kind == "V" else x


class MinDim(MaxDim):
    """The smallest value along one axis and where it stands (the first of equals; NaN wins)."""

    backward_name = "MinBackward0"
    arg = staticmethod(np.argmin)


class Gather(Linear):
    """``out[i, j] = x[index[i, j], j]`` along ``axis``: one element per entry of index."""

    holds = True

    saves = ("index", "axis", "shape")
    exact = True

    @staticmethod
    def forward(x: Array, index: Any, axis: int) -> tuple[Array, tuple[Any, ...]]:
        view = x
        if index.shape != x.shape:
            view = x[tuple([slice(0, n) if i != axis else slice(None) for i, n in enumerate(index.shape)])]
        return table.take_along(view, index, axis), (index, axis, x.shape)

    @staticmethod
    def vjp_x(g: Value, index: Any, axis: int, shape: tuple[int, ...]) -> Value:
        return call(ScatterSum, g, index, axis, shape)


class ScatterSum(Linear):
    """Zeros of ``shape`` into which each element of x is added at its index: the adjoint of Gather."""

    saves = ("index", "axis", "shape")

    @staticmethod
    def forward(x: Array, index: Any, axis: int, shape: tuple[int, ...]) -> tuple[Array, tuple[Any, ...]]:
        if (
            index.ndim == len(shape) > 0
            and shape[:axis] == index.shape[:axis]
            and shape[axis + 1 :] == index.shape[axis + 1 :]
        ):
            return table.add_along(x, index, axis, shape[axis]), (index, axis, shape)
        out = np.zeros(shape, x.dtype)
        where = list(np.ogrid[tuple([slice(0, n) for n in index.shape])]) if index.ndim else []
        where[axis : axis + 1] = [index]
        np.add.at(out, tuple(where), x)
        return out, (index, axis, shape)

    @staticmethod
    def vjp_x(g: Value, index: Any, axis: int, shape: tuple[int, ...]) -> Value:
        return call(Gather, g, index, axis)


class Place(Linear):
    """Zeros except that each x stands at its (unique) index along ``axis``, which has ``size``."""

    saves = ("index", "axis", "size")
    exact = True

    @staticmethod
    def forward(x: Array, index: Any, axis: int, size: int) -> tuple[Array, tuple[Any, ...]]:
        if x.dtype is F32 or x.dtype is F64:  # added to zeros they are placed as well
            return table.add_along(x, index, axis, size), (index, axis, size)
        shape = index.shape[:axis] + (size,) + index.shape[axis + 1 :]
        out = np.zeros(shape, x.dtype)
        np.put_along_axis(out, index, x, axis)
        return out, (index, axis, size)

    @staticmethod
    def vjp_x(g: Value, index: Any, axis: int, size: int) -> Value:
        return call(Gather, g, index, axis)


def most(x: Array, axes: tuple[int, ...], keepdims: bool) -> Array:
    """The largest values over ``axes`` (NaN wins)."""
    if x.dtype is F32 or x.dtype is F64:
        return table.most_over(x, axes, keepdims)
    return np.asarray(np.max(x, axis=axes, keepdims=keepdims))


def least(x: Array, axes: tuple[int, ...], keepdims: bool) -> Array:
    """The smallest values over ``axes`` (NaN wins)."""
    if x.dtype is F32 or x.dtype is F64:
        return table.least_over(x, axes, keepdims)
    return np.asarray(np.min(x, axis=axes, keepdims=keepdims))


class MaxAll(Op):
    """The largest value of all (NaN wins); equals share the gradient."""

    backward_name = "MaxBackward1"
    saves = ("x", "out")
    reduce: Any = staticmethod(np.max)

    @classmethod
    def forward(cls, x: Array) -> tuple[Array, tuple[Any, ...]]:
        out = np.asarray(cls.reduce(x))
        return out, (x, out)

    @staticmethod
    def vjp_x(g: Value, x: Value, out: Value) -> Value:
        return _share(x, out, tuple(range(x.ndim)), g)

    @staticmethod
    def jvp_x(d: Value, x: Value, out: Value) -> Value:
        chosen = _chosen(x, out, tuple(range(x.ndim)))
        return formula.sum(d * chosen)


class MinAll(MaxAll):
    """The smallest value of all (NaN wins); equals share the gradient."""

    backward_name = "MinBackward1"
    reduce = staticmethod(np.min)


class AMax(Op):
    """The largest value over ``axes`` (NaN wins); equals share the gradient."""

    backward_name = "AmaxBackward0"
    saves = ("x", "out", "axes", "keepdims")
    batch = {"axes": "axis"}

    @staticmethod
    def reduce(x: Array, axes: tuple[int, ...], keepdims: bool) -> Array:
        """The extremes themselves."""
        return most(x, axes, keepdims)

    @classmethod
    def forward(cls, x: Array, axes: tuple[int, ...], keepdims: bool) -> tuple[Array, tuple[Any, ...]]:
        out = cls.reduce(x, axes, keepdims)
        return out, (x, out, axes, keepdims)

    @staticmethod
    def vjp_x(g: Value, x: Value, out: Value, axes: tuple[int, ...], keepdims: bool) -> Value:
        return _share(x, with_ones(out, x.shape, axes, keepdims), axes, with_ones(g, x.shape, axes, keepdims))

    @staticmethod
    def jvp_x(d: Value, x: Value, out: Value, axes: tuple[int, ...], keepdims: bool) -> Value:
        return formula.sum(d * _chosen(x, with_ones(out, x.shape, axes, keepdims), axes), axes, keepdims)


class AMin(AMax):
    """The smallest value over ``axes`` (NaN wins); equals share the gradient."""

    backward_name = "AminBackward0"

    @staticmethod
    def reduce(x: Array, axes: tuple[int, ...], keepdims: bool) -> Array:
        """The extremes themselves."""
        return least(x, axes, keepdims)


class AMinMax(Op):
    """Smallest and largest value over ``axes`` in one go (NaN wins); equals share the gradient."""

    backward_name = "AminmaxBackward0"
    saves = ("x", "least", "most", "axes", "keepdims")  # least and most serve comparisons only
    batch = {"axes": "axis"}
    several = True

    @staticmethod
    def forward(
        x: Array, axes: tuple[int, ...], keepdims: bool
    ) -> tuple[tuple[Array, Array], tuple[Any, ...]]:
        low, high = least(x, axes, True), most(x, axes, True)
        saved = (x, low, high, axes, keepdims)
        if keepdims:
            return (low, high), saved
        return (np.squeeze(low, axes), np.squeeze(high, axes)), saved

    @staticmethod
    def vjp_x(
        gs: tuple[Value, Value], x: Value, least: Array, most: Array, axes: tuple[int, ...], keepdims: bool
    ) -> Value:
        low, high = [with_ones(g, x.shape, axes, keepdims) for g in gs]
        return _share(x, least, axes, low) + _share(x, most, axes, high)

    @staticmethod
    def jvp_x(
        d: Value, x: Value, least: Array, most: Array, axes: tuple[int, ...], keepdims: bool
    ) -> tuple[Value, Value]:
        low, high = [formula.sum(d * _chosen(x, m, axes), axes, keepdims) for m in (least, most)]
        return low, high


class MedianAll(MaxAll):
    """The middle one of all values, of an even number the lower one (NaN wins); equals share the gradient."""

    backward_name = "MedianBackward0"

    @staticmethod
    def reduce(x: Array) -> Any:
        """The value itself; NaN where there is none."""
        if not x.size:
            return np.asarray(math.nan if x.dtype.kind == "f" else np.iinfo(x.dtype).min, x.dtype)
        flat = np.sort(x, axis=None)
        last = flat[-1]
        return last if last != last else flat[(flat.size - 1) // 2]


class NanMedianAll(MaxAll):
    """The middle one of all values that are not NaN (of an even number the lower one)."""

    backward_name = "NanmedianBackward0"

    @staticmethod
    def reduce(x: Array) -> Any:
        """The value itself; NaN where there is none."""
        return MedianAll.reduce(x[x == x])


def _chosen(x: Value, out: Value, axes: tuple[int, ...]) -> Array:
    """The share of each element in the extreme: 1/k for each of k equals, 0 elsewhere; a constant."""
    equal = x == out
    if not np.all(out == out):  # NaN equals nothing: every NaN shares
        equal = equal | ((x != x) & (out != out))
    return np.asarray(equal / np.maximum(1, np.sum(equal, axis=axes, keepdims=True))).astype(x.dtype)


def _share(x: Value, out: Value, axes: tuple[int, ...], g: Value) -> Value:
    if formula.bare(x, out, g) and (x.dtype is F32 or x.dtype is F64) and not np.isnan(out).any():
        equal = np.asarray(x == out)
        each = g / np.sum(equal, axis=axes, keepdims=True, dtype=x.dtype)
        return np.asarray(np.multiply(equal, each, dtype=x.dtype))
    return broadcast_to(g, x.shape) * _chosen(x, out, axes)
