"""The helpers derivative formulas may use besides operators and ``call`` (ruling R1).

Each works on a bare array (one type test away from NumPy) and on anything that records itself
(``Traced``), so that one text of a formula serves first and higher derivatives. What is not here is
reached with ``call(Op, ...)``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate, pairwise
from operator import mul
from typing import Any, TypeAlias

import numpy as np
from numpy import ndarray

from ..dtypes import BF16, F16, F32, F64, Array
from ..kernels import table
from ..kernels.memory import allocator

Value: TypeAlias = Any  # an Array, or a recorded value that behaves like one
Axes: TypeAlias = "int | tuple[int, ...] | None"

_add_reduce: Any = np.add.reduce
#: what is never recorded; asking any other value takes longer
_PLAIN = frozenset({ndarray, tuple, int, float, bool, str, type(None)})


#: elements from which on a kernel is asked: where NumPy passes once over an array, being done with fewer
#: sooner, and where what it does for each takes long
LARGE, FEW = 32768, 1024


def plain(g: Value, saved: Value) -> bool:
    """Whether a kernel may take a gradient and a saved value: real arrays of one dtype, nothing recorded."""
    if type(g) is not ndarray or type(saved) is not ndarray:
        return False
    dtype = g.dtype
    return (dtype is F32 or dtype is F64) and saved.dtype is dtype


def call(op: Any, *args: Any) -> Any:
    """Apply another operator inside a formula: recorded if any argument is, plain otherwise."""
    for arg in args:
        if type(arg) not in _PLAIN and hasattr(arg, "__record__"):
            return arg.__record__(op, args)
    out = op.forward(*args)[0]
    return out if type(out) is ndarray or type(out) is tuple else np.asarray(out)


def call_many(op: Any, values: Sequence[Value], *params: Any) -> Any:
    """``call`` for an operator whose first argument is a tuple of arrays."""
    for value in values:
        if type(value) is not ndarray and hasattr(value, "__record__"):
            return value.__record_many__(op, tuple(values), params)
    return op.forward(tuple(values), *params)[0]


def bare(*values: Value) -> bool:
    """Whether all are arrays, so that nobody differentiates the formula: a kernel of its own may serve."""
    return all([type(value) is ndarray for value in values])


def sum(x: Value, axis: Axes = None, keepdims: bool = False) -> Value:
    """Sum over axes; half precision is summed in float32 and rounded once (R6)."""
    if type(x) is not ndarray:
        if hasattr(x, "__record__"):
            return x.sum(axis, keepdims)
        x = np.asarray(x)
    if x.dtype is BF16 or x.dtype is F16:
        return np.asarray(_add_reduce(x.astype(F32), axis, keepdims=keepdims)).astype(x.dtype)
    if x.size >= _LONG and (x.dtype is F32 or x.dtype is F64):
        return table.sum_over(x, axes_of(axis, x.ndim), keepdims)
    out = _add_reduce(x, axis, keepdims=keepdims)
    return out if type(out) is ndarray else np.asarray(out)


#: NumPy adds up fewer elements than these as soon as a kernel
_MANY = 4096
#: and fewer rows than these
_MANY_ROWS = 32
#: from so many elements on a sum is worth asking for a kernel
_LONG = 256
_ALL_AXES = [tuple(range(ndim)) for ndim in range(65)]


def axes_of(axis: Axes, ndim: int) -> tuple[int, ...]:
    """One or several axes, or None for all, as non-negative ints."""
    if axis is None:
        return _ALL_AXES[ndim]
    if type(axis) is int:
        return (axis % ndim,)
    return tuple([a % ndim for a in axis])  # type: ignore[union-attr]


def channel_sums(x: Value) -> Value:
    """The sums of ``(N, C, *S)`` over all axes but the second, ``(C,)``."""
    if type(x) is not ndarray or x.size < _LONG or (x.dtype is not F32 and x.dtype is not F64):
        return sum(x, _ALL_BUT_SECOND[len(x.shape)])
    return table.channel_sum(x)


_ALL_BUT_SECOND = [(0, *range(2, ndim)) for ndim in range(65)]


def reshape(x: Value, shape: tuple[int, ...]) -> Value:
    """The same elements in another shape."""
    if type(x) is ndarray and x.size >= FEW and not viewable(x, shape):
        x = table.contiguous(x)
    return x.reshape(shape)


def viewable(x: Array, shape: tuple[int, ...]) -> bool:
    """Whether an array can be seen in another shape of as many elements without copying.

    Where one of its axes does not go on where the next ends, the new shape needs a border too.
    """
    if x.flags.c_contiguous or not x.size:
        return True
    axes = [(n, step) for n, step in zip(x.shape, x.strides, strict=True) if n != 1]
    before, borders = 1, []
    for (n, step), (inner, inner_step) in pairwise(axes):
        before *= n
        if step != inner * inner_step:
            borders.append(before)
    return set(borders).issubset(accumulate(shape, mul))


def permute(x: Value, axes: Sequence[int]) -> Value:
    """Axes in another order."""
    return x.permute(tuple(axes)) if hasattr(x, "__record__") else x.transpose(axes)


def swap_last(x: Value) -> Value:
    """The matrix transpose of the last two axes."""
    return x.swap_last() if hasattr(x, "__record__") else x.swapaxes(-1, -2)


def broadcast_to(x: Value, shape: tuple[int, ...]) -> Value:
    """Repeat size-1 and missing axes up to ``shape``: a view where NumPy makes one quickly, or a copy."""
    if type(x) is not ndarray:
        if hasattr(x, "__record__"):
            return x.broadcast_to(shape)
        x = np.asarray(x)
    if x.shape == shape:
        return x
    if x.size == 1:  # the usual case, the end of a loss; filling is 4 times faster than np.broadcast_to
        out = np.empty(shape, x.dtype)
        out.fill(x.item() if x.dtype.kind != "V" else x.reshape(()))
        return out
    return np.broadcast_to(x, shape)


def zeros_like(x: Value) -> Array:
    """Zeros of x's shape and dtype, a constant."""
    return np.zeros(x.shape, x.dtype)


def zeros(shape: tuple[int, ...], dtype: Any) -> Array:
    """Zeros, a constant."""
    return np.zeros(shape, dtype)


def where(condition: Array, a: Value, b: Value) -> Value:
    """Elementwise choice by a constant condition; a or b may be Python numbers."""
    for value in (a, b):
        if hasattr(value, "__record__"):
            return value.where(condition, a, b)
    if type(condition) is ndarray and condition.size >= FEW:
        return table.select(condition, a, b)
    return np.where(condition, a, b)


def conj(x: Value) -> Value:
    """The complex conjugate; real values pass untouched (and uncopied)."""
    kind = type(x)
    if kind is float or kind is int:
        return x
    if kind is ndarray:
        dtype = x.dtype
        if dtype is F32 or dtype is F64:
            return x
        return np.conjugate(x) if x.dtype.kind == "c" else x
    if hasattr(x, "__record__"):
        return x.conj() if x.dtype.kind == "c" else x
    return np.conjugate(x)


def _times(g: Value, x: Value) -> Value:
    """``g * conj(x)``, what most derivatives do, in fewer steps where both are real arrays."""
    if type(g) is ndarray and type(x) is ndarray:
        dtype = x.dtype
        if dtype is F32 or dtype is F64:
            size = g.size
            few = size < FEW or (size < LARGE and x.size == size)
            return _multiply(g, x) if few else table.arithmetic(_multiply, g, x)
    return g.times(x) if hasattr(g, "times") else g * conj(x)


def _times_as_array(g: Value, x: Value) -> Value:
    """``_times`` where NumPy can be told to give 0-d arrays rather than scalars, which saves a conversion."""
    if type(g) is ndarray and type(x) is ndarray:
        dtype = x.dtype
        if dtype is F32 or dtype is F64:
            size = g.size
            if size < FEW or (size < LARGE and x.size == size):
                return _multiply(g, x, out=...)
            return table.arithmetic(_multiply, g, x)
    return g.times(x) if hasattr(g, "times") else g * conj(x)


def plus(a: Array, b: Array) -> Any:
    """``a + b`` of arrays, an array."""
    if a.size >= LARGE:
        return table.arithmetic(_add, a, b)
    out = _add(a, b)
    return out if type(out) is ndarray else np.asarray(out)


def _plus_as_array(a: Array, b: Array) -> Any:
    return _add(a, b, out=...) if a.size < LARGE else table.arithmetic(_add, a, b)


def add_to(total: Array, b: Array) -> None:
    """``total += b``."""
    if total.size < LARGE:
        _add(total, b, total)
    else:
        table.arithmetic(_add, total, b, total)


def minus(g: Value) -> Value:
    """``-g``."""
    return table.negative(g) if type(g) is ndarray and g.size >= LARGE else -g


def over(g: Value, x: Value) -> Value:
    """``g / x`` of real values."""
    if type(g) is ndarray and g.size >= LARGE and type(x) is ndarray:
        return table.arithmetic(np.true_divide, g, x)
    return g / x


_add: Any = np.add
_multiply: Any = np.multiply
#: makes a ufunc give 0-d arrays rather than scalars
AS_ARRAY: dict[str, Any] = {"out": ...}
try:
    _multiply(1.0, 1.0, out=...)
    times = _times_as_array
    plus = _plus_as_array
except TypeError:  # NumPy before 2.3
    AS_ARRAY = {}
    times = _times
times.__doc__ = _times.__doc__


#: a ufunc takes 0-d arrays twice as fast as Python numbers
ONE = {kind: np.ones((), kind) for kind in (F32, F64)}
for _one in ONE.values():
    _one.flags.writeable = False


def one_minus(x: Value) -> Value:
    """``1 - x``."""
    if type(x) is ndarray:
        one = ONE.get(x.dtype)
        if one is not None:
            return one - x
    return 1.0 - x


#: multiplications from which a product is worth asking for a kernel
LARGE_PRODUCT = 1 << 14


def product(a: Array, b: Array) -> Array:
    """``a @ b`` of two float matrices of one dtype, arrays both."""
    if a.size * b.shape[1] < LARGE_PRODUCT:
        return a.dot(b)  # half the overhead of matmul
    return table.product(a, b)


def product_with_transposed(a: Value, b: Value) -> Value:
    """``a @ conj(b)ᵀ`` of two matrices."""
    if type(a) is ndarray and type(b) is ndarray:
        dtype = b.dtype
        if (dtype is F32 or dtype is F64) and a.dtype is dtype:
            return product(a, b.T)
    return a @ swap_last(conj(b))


def product_of_transposed(a: Value, b: Value) -> Value:
    """``conj(a)ᵀ @ b`` of two matrices."""
    if type(a) is ndarray and type(b) is ndarray:
        dtype = a.dtype
        if (dtype is F32 or dtype is F64) and b.dtype is dtype:
            return product(a.T, b)
    return swap_last(conj(a)) @ b


def cast(x: Value, dtype: np.dtype[Any]) -> Value:
    """Convert to ``dtype``; complex into real keeps the real part."""
    if hasattr(x, "__record__"):
        return x.cast(dtype)
    if x.dtype.kind == "c" and dtype.kind != "c":
        x = x.real
    return table.cast(x, dtype)


def sum_to(x: Value, shape: tuple[int, ...]) -> Value:
    """Sum a gradient over what broadcasting repeated, down to an operand's ``shape``."""
    lead = len(x.shape) - len(shape)
    if type(x) is ndarray and (x.dtype is F32 or x.dtype is F64):
        if lead == 1 and len(shape) == 1 and x.shape[1] == shape[0]:  # the usual case, a bias
            long = x.shape[0] >= _MANY_ROWS and x.flags.c_contiguous
            return table.channel_sum(x[:, :, None]) if long else sum(x, 0)
        if x.size >= _MANY and x.flags.c_contiguous and (sizes := _around(x.shape, (1,) * lead + shape)):
            return table.channel_sum(x.reshape(sizes)).reshape(shape)
    axes = tuple(range(lead)) + tuple(
        lead + i for i, n in enumerate(shape) if n == 1 and x.shape[lead + i] != 1
    )
    if axes:
        x = sum(x, axes, True)
    return x if x.shape == shape else reshape(x, shape)


def _around(repeated: tuple[int, ...], shape: tuple[int, ...]) -> tuple[int, int, int] | None:
    """Sizes (before, kept, after), if the axes that broadcasting kept stand side by side, else None."""
    kept = [i for i, n in enumerate(shape) if n > 1]
    if not kept:
        return None
    first, end = kept[0], kept[-1] + 1
    if shape[first:end] != repeated[first:end]:
        return None
    return math.prod(repeated[:first]), math.prod(shape), math.prod(repeated[end:])


def expand_reduced(
    g: Value, shape: tuple[int, ...], axes: tuple[int, ...], keepdims: bool, count: int = 1,
    seen: bool = False,
) -> Value:  # fmt: skip
    """Undo a reduction's loss of axes: g of the reduced shape, over ``count``, repeated to ``shape``.

    ``seen``: one number is only seen as many, since nobody is going to compute with them.
    """
    if seen and type(g) is ndarray and not g.ndim:
        return np.broadcast_to(g, shape)
    if type(g) is ndarray and g.ndim == 0 and (g.dtype is F32 or g.dtype is F64):
        out: Array = allocator(shape, g.dtype)(shape, g.dtype)  # the usual case, the end of a loss
        out.fill(g.item() / count)
        return out
    if count != 1:
        g = g / count
    return broadcast_to(with_ones(g, shape, axes, keepdims), shape)


def with_ones(g: Value, shape: tuple[int, ...], axes: tuple[int, ...], keepdims: bool) -> Value:
    """g of a reduction's result with its reduced axes back as size 1, not yet repeated."""
    if keepdims:
        return g
    return reshape(g, tuple(1 if i in axes else n for i, n in enumerate(shape)))
