"""Operators that move elements without computing: views, joins, splits and basic indexing.

All are linear, so each one's vjp is another of them and the tangent takes the way of the value.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..dtypes import F32, F64, Array
from ..kernels import table
from . import formula
from .formula import LARGE, Value, call, call_many, permute, reshape, sum_to
from .op import Linear, Op
from .rearrange import repeated, stacked


class Reshape(Linear):
    """The same elements in another shape; shares memory where the strides allow."""

    backward_name = "ViewBackward0"
    saves = ("shape", "old")
    batch = {"shape": "size"}
    view = True
    exact = True

    @staticmethod
    def forward(x: Array, shape: tuple[int, ...]) -> tuple[Array, tuple[Any, ...]]:
        return x.reshape(shape), (shape, x.shape)

    @staticmethod
    def vjp_x(g: Value, _shape: tuple[int, ...], old: tuple[int, ...]) -> Value:
        return reshape(g, old)


class ReshapeAlias(Reshape):
    """Reshape of what does not lie in order but needs no copy: the same, under PyTorch's name for it."""

    backward_name = "ReshapeAliasBackward0"


class UnsafeView(Reshape):
    """Reshape where the strides ask for a copy: the same, under PyTorch's name for it."""

    backward_name = "UnsafeViewBackward0"
    view = False

    @staticmethod
    def forward(x: Array, shape: tuple[int, ...]) -> tuple[Array, tuple[Any, ...]]:
        return reshape(x, shape), (shape, x.shape)


class Permute(Linear):
    """Axes in the order ``axes``."""

    saves = ("axes",)
    view = True
    exact = True

    @staticmethod
    def forward(x: Array, axes: tuple[int, ...]) -> tuple[Array, tuple[Any, ...]]:
        return x.transpose(axes), (axes,)

    @staticmethod
    def vjp_x(g: Value, axes: tuple[int, ...]) -> Value:
        inverse = sorted(range(len(axes)), key=axes.__getitem__)
        return permute(g, inverse)


class Transpose(Linear):
    """Two axes exchanged."""

    saves = ("first", "second")
    batch = {"first": "axis", "second": "axis"}
    view = True
    exact = True

    @staticmethod
    def forward(x: Array, first: int, second: int) -> tuple[Array, tuple[Any, ...]]:
        return (x.swapaxes(first, second) if x.ndim else x[...]), (first, second)

    @staticmethod
    def vjp_x(g: Value, first: int, second: int) -> Value:
        return call(Transpose, g, first, second)


class T(Transpose):
    """The matrix transpose ``t()``: the same, under PyTorch's name for it."""

    backward_name = "TBackward0"


class TInPlace(Transpose):
    """``t_``."""

    backward_name = "TBackward1"


class TransposeInPlace(Transpose):
    """``transpose_``."""

    backward_name = "TransposeBackward1"


class Expand(Linear):
    """Size-1 and missing axes repeated up to ``shape`` without copying."""

    saves = ("shape", "old")
    view = True
    repeats = True
    exact = True

    @staticmethod
    def forward(x: Array, shape: tuple[int, ...]) -> tuple[Array, tuple[Any, ...]]:
        return repeated(x, shape), (shape, x.shape)

    @staticmethod
    def vjp_x(g: Value, _shape: tuple[int, ...], old: tuple[int, ...]) -> Value:
        return sum_to(g, old)


class Squeeze(Reshape):
    """Axes of size 1 taken away."""

    backward_name = "SqueezeBackward0"


class SqueezeDim(Reshape):
    """One axis of size 1 taken away."""

    backward_name = "SqueezeBackward1"


class SqueezeDims(Reshape):
    """Several axes of size 1 taken away."""

    backward_name = "SqueezeBackward2"


class SqueezeInPlace(Reshape):
    """``squeeze_()``."""

    backward_name = "SqueezeBackward3"


class SqueezeDimInPlace(Reshape):
    """``squeeze_(dim)``."""

    backward_name = "SqueezeBackward4"


class SqueezeDimsInPlace(Reshape):
    """``squeeze_((dim, ...))``."""

    backward_name = "SqueezeBackward5"


class Unsqueeze(Reshape):
    """An axis of size 1 put in."""


class UnsqueezeInPlace(Reshape):
    """``unsqueeze_``."""

    backward_name = "UnsqueezeBackward1"


class Index(Linear):
    """``x[key]`` for a key of ints, slices, None and integer or boolean arrays, as NumPy reads it.

    Basic keys (no arrays) give a view. vjp puts g back into zeros; repeated indices add up.
    """

    saves = ("key", "shape")
    view = True
    exact = True

    @staticmethod
    def forward(x: Array, key: Any) -> tuple[Array, tuple[Any, ...]]:
        return x[key], (key, x.shape)

    @staticmethod
    def vjp_x(g: Value, key: Any, shape: tuple[int, ...]) -> Value:
        return call(IndexPut, g, key, shape)


class IndexTensor(Index):
    """Indexing with arrays: the same, as a copy with rows one after another."""

    holds = True

    backward_name = "IndexBackward0"
    view = False

    @staticmethod
    def forward(x: Array, key: Any) -> tuple[Array, tuple[Any, ...]]:
        return np.asarray(x[key], order="C"), (key, x.shape)


class Select(Index):
    """One position of one axis."""


class Slice(Index):
    """A range of one axis."""


class UnsqueezeIndex(Index):
    """None in a key: an axis of size 1 put in."""

    backward_name = "UnsqueezeBackward0"


class Alias(Index):
    """The whole tensor again."""


class IndexPut(Linear):
    """Zeros of ``shape`` into which x is added at ``key``: the adjoint of Index."""

    saves = ("key", "shape")

    @staticmethod
    def forward(x: Array, key: Any, shape: tuple[int, ...]) -> tuple[Array, tuple[Any, ...]]:
        if (axis := _one_axis(key)) is not None and (x.dtype is F32 or x.dtype is F64):
            index = key[axis] if type(key) is tuple else key
            if index.min() >= 0:  # negative ones count from the end
                rows = x.reshape(*shape[:axis], index.size, *shape[axis + 1 :])
                return table.add_rows(rows, index.reshape(-1), axis, shape[axis]), (key, shape)
        out = np.zeros(shape, x.dtype)
        if is_basic(key) or (type(key) is np.ndarray and key.dtype == bool) or _is_distinct(key, shape):
            out[key] = x  # each element is met once
        else:
            np.add.at(out, key, x)
        return out, (key, shape)

    @staticmethod
    def vjp_x(g: Value, key: Any, shape: tuple[int, ...]) -> Value:
        return call(Index, g, key)


def _one_axis(key: Any) -> int | None:
    """The axis of which a key of whole axes and one array names positions; None of other keys."""
    before, last = (key[:-1], key[-1]) if type(key) is tuple and key else ((), key)
    if type(last) is not np.ndarray or last.dtype != np.int64 or not last.size:
        return None
    return len(before) if all([type(k) is slice and k == slice(None) for k in before]) else None


def _is_distinct(key: Any, shape: tuple[int, ...]) -> bool:
    """Whether a key of arrays names no position twice: to ask is faster than to add one by one."""
    arrays = key if type(key) is tuple else (key,)
    if not all([type(k) is np.ndarray and k.dtype.kind in "iu" and k.size for k in arrays]):
        return False
    places = shape[: len(arrays)]
    if math.prod(places) > 64 * max([k.size for k in arrays]) or any([k.min() < 0 for k in arrays]):
        return False
    flat = np.ravel_multi_index(arrays, places).reshape(-1)
    return int(np.bincount(flat).max()) == 1


def is_basic(key: Any) -> bool:
    """Whether a key holds no arrays, so that each element is met at most once."""
    return not any([type(k) is np.ndarray for k in (key if type(key) is tuple else (key,))])


class SetIndex(Op):
    """x with ``x[key]`` replaced by v (broadcast): what ``x[key] = v`` means as a function.

    With ``accumulate`` v is added instead. Of repeated indices the last one written stays.
    """

    holds = True

    backward_name = "IndexPutBackward0"
    saves = ("key", "accumulate", "shape", "small")
    exact = True

    @staticmethod
    def forward(x: Array, v: Array, key: Any, accumulate: bool) -> tuple[Array, tuple[Any, ...]]:
        out = x.copy(order="C")
        put(out, v, key, accumulate)
        return out, (key, accumulate, x.shape, np.shape(v))

    @staticmethod
    def vjp_x(
        g: Value, key: Any, accumulate: bool, _shape: tuple[int, ...], _small: tuple[int, ...]
    ) -> Value:
        return g if accumulate else call(SetIndex, g, np.zeros((), g.dtype), key, False)

    @staticmethod
    def vjp_v(
        g: Value, key: Any, _accumulate: bool, _shape: tuple[int, ...], small: tuple[int, ...]
    ) -> Value:
        return sum_to(call(Index, g, key), small)

    @staticmethod
    def jvp_x(d: Value, key: Any, accumulate: bool, shape: tuple[int, ...], small: tuple[int, ...]) -> Value:
        return d if accumulate else call(SetIndex, d, np.zeros((), d.dtype), key, False)

    @staticmethod
    def jvp_v(d: Value, key: Any, accumulate: bool, shape: tuple[int, ...], small: tuple[int, ...]) -> Value:
        return call(SetIndex, np.zeros(shape, d.dtype), d, key, accumulate)


def put(out: Array, v: Any, key: Any, accumulate: bool) -> None:
    """``out[key] = v`` or, with ``accumulate``, ``out[key] += v`` counting repeats."""
    if accumulate:
        np.add.at(out, key, v)
    else:
        out[key] = v


class Review(Linear):
    """What the view operators ``steps`` show of x: a view anew, after its base was changed in place.

    PyTorch makes such views anew by strides, whatever they were made by, hence the node's name.
    """

    backward_name = "AsStridedBackward0"
    saves = ("steps", "whole")
    exact = True

    @staticmethod
    def forward(x: Array, steps: Any) -> tuple[Array, tuple[Any, ...]]:
        return walk(x, steps), (steps, x.shape)

    @staticmethod
    def vjp_x(g: Value, steps: Any, whole: tuple[int, ...]) -> Value:
        return call(CopySlices, np.zeros(whole, g.dtype), g, steps)


class CopySlices(Op):
    """base with the view that ``steps`` make of it replaced by v (ruling R8).

    ``steps`` is a tuple of (view operator, parameters). It is recorded when a view is changed in
    place, so that the base's history tells of the change.
    """

    backward_name = "CopySlices"
    saves = ("steps", "shape", "whole")
    exact = True

    @staticmethod
    def forward(base: Array, v: Array, steps: Any) -> tuple[Array, tuple[Any, ...]]:
        out = base.copy(order="C")
        view = walk(out, steps)
        if np.may_share_memory(view, out):
            view[...] = v
        else:  # a step had to copy, since this base has other strides: go by positions instead
            where = walk(np.arange(out.size).reshape(out.shape), steps)
            out.reshape(-1)[where] = v
        return out, (steps, v.shape, base.shape)

    @staticmethod
    def vjp_base(g: Value, steps: Any, shape: tuple[int, ...], _whole: Any) -> Value:
        return call(CopySlices, g, np.zeros(shape, g.dtype), steps)

    @staticmethod
    def vjp_v(g: Value, steps: Any, _shape: Any, _whole: Any) -> Value:
        for op, params in steps:
            g = call(op, g, *params)
        return g

    @staticmethod
    def jvp_base(d: Value, steps: Any, shape: tuple[int, ...], _whole: Any) -> Value:
        return call(CopySlices, d, np.zeros(shape, d.dtype), steps)

    @staticmethod
    def jvp_v(d: Value, steps: Any, _shape: Any, whole: tuple[int, ...]) -> Value:
        return call(CopySlices, np.zeros(whole, d.dtype), d, steps)


def walk(base: Array, steps: Any) -> Array:
    """The view that the recorded steps make of an array."""
    for op, params in steps:
        base = op.forward(base, *params)[0]
    return base


class Cast(Linear):
    """The value in another dtype; the engine casts the gradient back."""

    backward_name = "ToCopyBackward0"
    saves = ("dtype",)
    batch = "leading"
    exact = True

    @staticmethod
    def forward(x: Array, dtype: np.dtype[Any]) -> tuple[Array, tuple[Any, ...]]:
        return cast_array(x, dtype), (dtype,)

    @staticmethod
    def vjp_x(g: Value, dtype: np.dtype[Any]) -> Value:
        return g


def cast_array(x: Array, dtype: np.dtype[Any]) -> Array:
    """x in another dtype, as C casts: no warning for values that do not fit; complex keeps the real part."""
    if dtype is F32 or (x.dtype is F32 and dtype.kind in "fV"):
        return table.cast(x.real if x.dtype.kind == "c" else x, dtype)
    kind = x.dtype.kind
    if kind == "c" and dtype.kind not in "cb":
        x = x.real
    if kind in "biu":
        return x.astype(dtype) if x.size < LARGE else table.cast(x, dtype)
    with np.errstate(invalid="ignore", over="ignore"):
        if dtype.kind == "u":  # negative values wrap around, as in PyTorch, instead of being undefined
            return x.astype(np.int64).astype(dtype)
        return table.cast(x, dtype)


class Clone(Linear):
    """A copy of its own memory."""

    batch = "leading"

    exact = True

    @staticmethod
    def forward(x: Array) -> tuple[Array, tuple[()]]:
        return table.copy(x), ()

    @staticmethod
    def vjp_x(g: Value) -> Value:
        return g


class Fill(Op):
    """Every element replaced by one number; no gradient passes."""

    backward_name = "FillBackward2"
    saves = ()
    batch = "leading"
    exact = True

    @staticmethod
    def forward(x: Array, value: Any) -> tuple[Array, tuple[()]]:
        return np.full(x.shape, value, x.dtype), ()

    @staticmethod
    def vjp_x(g: Value) -> Value:
        return formula.zeros_like(g)

    @staticmethod
    def jvp_x(d: Value) -> Value:
        return formula.zeros_like(d)


class Zero(Fill):
    """Every element replaced by 0."""

    batch = "leading"

    backward_name = "ZeroBackward0"


class FillTensor(Op):
    """Every element replaced by the value of a 0-d tensor."""

    backward_name = "FillBackward3"
    exact = True

    @staticmethod
    def forward(x: Array, v: Array) -> tuple[Array, tuple[()]]:
        return np.full(x.shape, v, x.dtype), ()

    @staticmethod
    def vjp_x(g: Value) -> Value:
        return formula.zeros_like(g)

    @staticmethod
    def vjp_v(g: Value) -> Value:
        return formula.sum(g)

    @staticmethod
    def jvp_x(d: Value) -> Value:
        return formula.zeros_like(d)

    @staticmethod
    def jvp_v(d: Value) -> Value:
        return d


class Contiguous(Clone):
    """A copy with rows one after another."""

    backward_name = "CloneBackward0"

    @staticmethod
    def forward(x: Array) -> tuple[Array, tuple[()]]:
        return table.contiguous(x), ()


class Cat(Op):
    """Arrays joined along one axis."""

    saves = ("axis", "sizes")
    variadic = True
    exact = True

    @staticmethod
    def forward(xs: tuple[Array, ...], axis: int) -> tuple[Array, tuple[Any, ...]]:
        return np.concatenate(xs, axis), (axis, tuple([x.shape[axis] for x in xs]))

    @staticmethod
    def vjp(needs: tuple[bool, ...], g: Value, axis: int, sizes: tuple[int, ...]) -> tuple[Value, ...]:
        pieces = call(Split, g, sizes, axis)
        return tuple([piece if need else None for piece, need in zip(pieces, needs, strict=True)])

    @staticmethod
    def jvp(tangents: tuple[Value, ...], axis: int, sizes: tuple[int, ...]) -> Value:
        return call_many(Cat, tangents, axis)


class Stack(Op):
    """Arrays of one shape joined along a new axis."""

    saves = ("axis",)
    variadic = True
    exact = True

    @staticmethod
    def forward(xs: tuple[Array, ...], axis: int) -> tuple[Array, tuple[Any, ...]]:
        return stacked(xs, axis), (axis,)

    @staticmethod
    def vjp(needs: tuple[bool, ...], g: Value, axis: int) -> tuple[Value, ...]:
        pieces = call(Unbind, g, axis)
        return tuple([piece if need else None for piece, need in zip(pieces, needs, strict=True)])

    @staticmethod
    def jvp(tangents: tuple[Value, ...], axis: int) -> Value:
        return call_many(Stack, tangents, axis)


class Split(Linear):
    """Consecutive pieces along one axis, as views; the adjoint joins them again."""

    saves = ("sizes", "axis")
    batch = {"axis": "axis"}
    several = True
    view = True
    exact = True

    @staticmethod
    def forward(x: Array, sizes: tuple[int, ...], axis: int) -> tuple[tuple[Array, ...], tuple[Any, ...]]:
        pieces, start = [], 0
        lead = (slice(None),) * axis
        for size in sizes:
            end = start + size
            pieces.append(x[(*lead, slice(start, end))] if axis else x[start:end])
            start = end
        return tuple(pieces), (sizes, axis)

    @staticmethod
    def vjp_x(gs: tuple[Value, ...], sizes: tuple[int, ...], axis: int) -> Value:
        return call_many(Cat, gs, axis)


class SplitSizes(Split):
    """Split by a list of sizes: the same, under PyTorch's name for it."""

    backward_name = "SplitWithSizesBackward0"


class UnsafeSplit(Split):
    """Split whose pieces are not known as views of x."""

    view = False


class UnsafeSplitSizes(UnsafeSplit):
    """The same by a list of sizes, under PyTorch's name for it."""

    backward_name = "UnsafeSplitWithSizesBackward0"


class Unbind(Linear):
    """The slices along one axis, as views."""

    saves = ("axis",)
    batch = {"axis": "axis"}
    several = True
    view = True
    exact = True

    @staticmethod
    def forward(x: Array, axis: int) -> tuple[tuple[Array, ...], tuple[Any, ...]]:
        lead: Any = (slice(None),) * axis
        return tuple([x[(*lead, i, ...)] for i in range(x.shape[axis])]), (axis,)

    @staticmethod
    def vjp_x(gs: tuple[Value, ...], axis: int) -> Value:
        return call_many(Stack, gs, axis)
