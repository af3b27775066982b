"""The elementwise functions on compiled kernels: two threads, one pass, memory that is kept.

Same signatures as ``maps``, which also computes what these do not: other dtypes, arrays that are strided or
not aligned, and those so small that NumPy is done before a kernel has looked at its operands.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from convgrad.dtypes import B8, BF16, F16, F32, F64, Array
from convgrad.kernels import maps
from convgrad.kernels.machine import _native, instruction_set
from convgrad.kernels.memory import COPIED, LARGE, contiguous, empty_large, in_order

instruction_set()  # makes the chosen one the one in use
_CODES = _native.map_codes()
_ARITHMETIC: dict[np.ufunc, int] = {
    np.add: _CODES["Add"], np.subtract: _CODES["Sub"], np.multiply: _CODES["Mul"],
    np.true_divide: _CODES["Div"], np.maximum: _CODES["Maximum"], np.minimum: _CODES["Minimum"],
}  # fmt: skip
#: with the operands in turn
_TURNED: dict[np.ufunc, int] = {
    **_ARITHMETIC,
    np.subtract: _CODES["SubFrom"],
    np.true_divide: _CODES["DivInto"],
}
_DIVISIONS = (np.remainder, np.floor_divide)
_COMPARISONS = {
    getattr(np, name): _CODES[name]
    for name in ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal")
}

#: elements from which on a kernel is quicker than NumPy: where NumPy passes once over the array, where what
#: does for an element takes longer, and where it passes several times
_SIMPLE, _COSTLY, _PASSES = 32768, 1024, 1
#: values that a row needs at least, for its loop to be worth its start
_SHORTEST = 16


#: elements up to which no array is large, whatever its dtype
_SMALL = LARGE // 16
_empty = np.empty


def _empty_as(x: Array, dtype: np.dtype[Any]) -> Array:
    """Memory for a result of x's shape."""
    large = x.size * dtype.itemsize >= LARGE
    return empty_large(x.shape, dtype) if large else _empty(x.shape, dtype)


# ---- functions of one array


def _unary(name: str, definition: Callable[[Array], Array], smallest: int) -> Callable[[Array], Array]:
    code, call = _CODES[name], _native.map_unary

    def kernel(x: Array) -> Array:
        dtype = x.dtype
        size = x.size
        if size < smallest or (dtype is not F32 and dtype is not F64):
            return definition(x)
        out = _empty(x.shape, dtype) if size < _SMALL else _empty_as(x, dtype)
        try:
            call(code, x, out, dtype is F64)
        except TypeError:
            call(code, in_order(x), out, dtype is F64)
        return out

    kernel.__doc__ = definition.__doc__
    return kernel


negative = _unary("Neg", maps.negative, _SIMPLE)
absolute = _unary("Abs", maps.absolute, _SIMPLE)
sign = _unary("Sign", maps.sign, _PASSES)
square = _unary("Square", maps.square, _SIMPLE)
cube = _unary("Cube", maps.cube, _PASSES)
sqrt = _unary("Sqrt", maps.sqrt, _SIMPLE)
rsqrt = _unary("Rsqrt", maps.rsqrt, _PASSES)
reciprocal = _unary("Reciprocal", maps.reciprocal, _SIMPLE)
relu = _unary("Relu", maps.relu, _PASSES)
hardsigmoid = _unary("Hardsigmoid", maps.hardsigmoid, _PASSES)
hardswish = _unary("Hardswish", maps.hardswish, _PASSES)
exp = _unary("Exp", maps.exp, _COSTLY)
log = _unary("Log", maps.log, _COSTLY)
tanh = _unary("Tanh", maps.tanh, _SIMPLE)  # NumPy's is as fast on one thread
sigmoid = _unary("Sigmoid", maps.sigmoid, _PASSES)
log_sigmoid = _unary("LogSigmoid", maps.log_sigmoid, _PASSES)
silu = _unary("Silu", maps.silu, _PASSES)
mish = _unary("Mish", maps.mish, _PASSES)
erf = _unary("Erf", maps.erf, _PASSES)
gelu = _unary("Gelu", maps.gelu, _PASSES)
gelu_tanh = _unary("GeluTanh", maps.gelu_tanh, _PASSES)


def _unary_with(
    name: str, definition: Callable[..., Array], numbers: Callable[..., tuple[float, ...]] | None = None
) -> Callable[..., Array]:
    """The same for a function with parameters; ``numbers`` makes the kernel's of them if they are others."""
    code, call = _CODES[name], _native.map_unary

    def kernel(x: Array, *params: Any) -> Array:
        dtype = x.dtype
        size = x.size
        if not size or (dtype is not F32 and dtype is not F64):
            return definition(x, *params)
        out = _empty(x.shape, dtype) if size < _SMALL else _empty_as(x, dtype)
        values = params if numbers is None else numbers(*params)
        try:
            call(code, x, out, dtype is F64, *values)
        except TypeError:
            call(code, in_order(x), out, dtype is F64, *values)
        return out

    kernel.__doc__ = definition.__doc__
    return kernel


def _elu_numbers(alpha: float, scale: float, speed: float) -> tuple[float, ...]:
    return alpha * scale, scale, speed


def _elu_grad_numbers(alpha: float, scale: float, speed: float) -> tuple[float, ...]:
    return alpha * scale * speed, scale, speed


def _bounds(low: Any, high: Any) -> tuple[float, ...]:
    return -math.inf if low is None else float(low), math.inf if high is None else float(high)


_CLAMP = _CODES["Hardtanh"]


def clamp(x: Array, low: Any, high: Any, out: Array | None = None) -> Any:
    """``maps.clamp``, into ``out`` if it is given."""
    dtype = x.dtype
    if (dtype is F32 or dtype is F64) and low == low and high == high:
        target = _empty_as(x, dtype) if out is None else out
        try:
            _native.map_unary(_CLAMP, x, target, dtype is F64, *_bounds(low, high))
            return target
        except TypeError:
            pass
    return maps.clamp(x, low, high, out)


leaky_relu = _unary_with("LeakyRelu", maps.leaky_relu)
hardtanh = _unary_with("Hardtanh", maps.hardtanh)
softplus = _unary_with("Softplus", maps.softplus)
elu = _unary_with("Elu", maps.elu, _elu_numbers)


# ---- gradients


def _gradient(
    name: str,
    definition: Callable[..., Array],
    numbers: Callable[..., tuple[float, ...]] | None = None,
) -> Callable[..., Array]:
    code, call = _CODES[name], _native.map_binary

    def kernel(g: Array, saved: Array, *params: Any) -> Array:
        dtype = g.dtype
        if not g.size or (dtype is not F32 and dtype is not F64) or saved.shape != g.shape:
            return definition(g, saved, *params)
        out = _empty(g.shape, dtype) if g.size < _SMALL else _empty_as(g, dtype)
        values = params if numbers is None else numbers(*params)
        try:
            call(code, g, saved, out, dtype is F64, *values)
        except TypeError:
            call(code, in_order(g), in_order(saved), out, dtype is F64, *values)
        return out

    kernel.__doc__ = definition.__doc__
    return kernel


absolute_grad = _gradient("AbsGrad", maps.absolute_grad)
clamp_grad = _gradient("ClampGrad", maps.clamp_grad, _bounds)
sqrt_grad = _gradient("SqrtGrad", maps.sqrt_grad)
rsqrt_grad = _gradient("RsqrtGrad", maps.rsqrt_grad)
reciprocal_grad = _gradient("ReciprocalGrad", maps.reciprocal_grad)
square_grad = _gradient("SquareGrad", maps.square_grad)
relu_grad = _gradient("ReluGrad", maps.relu_grad)
leaky_relu_grad = _gradient("LeakyReluGrad", maps.leaky_relu_grad)
hardtanh_grad = _gradient("HardtanhGrad", maps.hardtanh_grad)
hardsigmoid_grad = _gradient("HardsigmoidGrad", maps.hardsigmoid_grad)
hardswish_grad = _gradient("HardswishGrad", maps.hardswish_grad)
tanh_grad = _gradient("TanhGrad", maps.tanh_grad)
sigmoid_grad = _gradient("SigmoidGrad", maps.sigmoid_grad)
log_sigmoid_grad = _gradient("LogSigmoidGrad", maps.log_sigmoid_grad)
silu_grad = _gradient("SiluGrad", maps.silu_grad)
softplus_grad = _gradient("SoftplusGrad", maps.softplus_grad)
elu_grad = _gradient("EluGrad", maps.elu_grad, _elu_grad_numbers)
mish_grad = _gradient("MishGrad", maps.mish_grad)
erf_grad = _gradient("ErfGrad", maps.erf_grad)
gelu_grad = _gradient("GeluGrad", maps.gelu_grad)
gelu_tanh_grad = _gradient("GeluTanhGrad", maps.gelu_tanh_grad)


# ---- three operands


def _repeated(x: Array, shape: tuple[int, ...]) -> Array:
    """x as often as ``shape`` asks for it, if it does: to write it out takes less than a loop of NumPy's."""
    if x.shape == shape:
        return x
    try:
        return contiguous(np.broadcast_to(x, shape))
    except ValueError:
        return x


def _ternary(name: str, definition: Callable[..., Array]) -> Callable[..., Array]:
    code, call = _CODES[name], _native.map_ternary

    def kernel(x: Array, y: Array, z: Array, factor: Any = 0.0) -> Array:
        dtype, shape = x.dtype, x.shape
        served = (dtype is F32 or dtype is F64) and y.dtype is dtype is z.dtype
        if served and x.size >= _SIMPLE:
            y, z = _repeated(y, shape), _repeated(z, shape)
        if not served or y.shape != shape or z.shape != shape or not x.size:
            return definition(x, y, z, factor) if takes_factor else definition(x, y, z)
        out = _empty_as(x, dtype)
        try:
            call(code, x, y, z, out, dtype is F64, float(factor))
        except TypeError:
            call(code, in_order(x), in_order(y), in_order(z), out, dtype is F64, float(factor))
        return out

    takes_factor = definition.__code__.co_argcount == 4
    kernel.__doc__ = definition.__doc__
    return kernel


add_product = _ternary("AddProduct", maps.add_product)
add_quotient = _ternary("AddQuotient", maps.add_quotient)
divisor_grad = _ternary("DivisorGrad", maps.divisor_grad)
maximum_grad = _ternary("MaximumGrad", maps.maximum_grad)
minimum_grad = _ternary("MinimumGrad", maps.minimum_grad)


# ---- arithmetic


@lru_cache(1024)
def _repetition(shape: tuple[int, ...], part: tuple[int, ...]) -> int:
    """How often in a row a value of ``part`` meets those of ``shape``; 0 if the kernels have no loop for it.

    ``part`` is one block of the axes of ``shape``, and 1 elsewhere.
    """
    lead = len(shape) - len(part)
    axes = [i for i, n in enumerate(part, lead) if n != 1]
    if lead < 0 or not axes:
        return 0
    first, last = axes[0], axes[-1]
    if shape[first : last + 1] != part[first - lead : last + 1 - lead]:
        return 0
    inner, middle = prod(shape[last + 1 :]), prod(shape[first : last + 1])
    return 0 if (middle if inner == 1 else inner) < _SHORTEST else inner


def arithmetic(ufunc: np.ufunc, a: Any, b: Any, out: Array | None = None) -> Any:
    """``maps.arithmetic``."""
    if (type(a) is not np.ndarray or not a.ndim) and type(b) is np.ndarray and b.ndim and out is None:
        return _of_number(ufunc, a, b)
    dtype = a.dtype if type(a) is np.ndarray else None
    if (dtype is F32 or dtype is F64) and type(b) is np.ndarray and b.dtype is dtype and out is None:
        shape, code = a.shape, _ARITHMETIC.get(ufunc)
        if a.size < _SIMPLE and code is not None and (inner := _repetition(shape, b.shape)):
            small = np.empty(shape, dtype)  # the usual case of few numbers, in fewer steps
            try:
                _native.map_arithmetic(code, a, b, small, dtype is F64, inner)
                return small
            except TypeError:
                return maps.arithmetic(ufunc, a, b)
    if (dtype is F32 or dtype is F64) and a.size >= _COSTLY and ufunc in _ARITHMETIC:
        try:
            done = _arithmetic(ufunc, a, b, dtype, out)
        except TypeError:  # refused, or not to be computed
            done = None
        if done is not None:
            return done
    done = _in_parts(ufunc, a, b) if out is None and type(a) is np.ndarray else None
    return maps.arithmetic(ufunc, a, b, out) if done is None else done


def _of_number(ufunc: np.ufunc, number: Any, x: Array) -> Any:
    """``ufunc(number, x)``."""
    dtype = x.dtype
    known = type(number) is float or type(number) is int or getattr(number, "dtype", None) is dtype
    if (dtype is F32 or dtype is F64) and known and x.size >= _SIMPLE and ufunc in _TURNED:
        out = _empty_as(x, dtype)
        try:
            _native.map_scalar(_TURNED[ufunc], x, float(number), out, dtype is F64)
            return out
        except TypeError:
            pass
    return maps.arithmetic(ufunc, number, x)


def _axes_in_memory(x: Array) -> list[int] | None:
    """The order of axes in which x is contiguous; None if it is so already, or has gaps."""
    if x.flags.c_contiguous:
        return None
    axes = sorted(range(x.ndim), key=[-step for step in x.strides].__getitem__)
    return axes if x.transpose(axes).flags.c_contiguous else None


def _back(axes: list[int]) -> list[int]:
    """The axes that undo a transposition."""
    return sorted(range(len(axes)), key=axes.__getitem__)


def _as_it_lies(ufunc: np.ufunc, a: Array, b: Any) -> Array | None:
    """``ufunc(a, b)`` of an array with its axes in another order, and a number or one that lies like it."""
    axes = _axes_in_memory(a)
    if axes is None:
        return None
    if type(b) is np.ndarray:
        if b.shape != a.shape:
            return None
        if b.flags.c_contiguous:  # the result lies in order too, as NumPy's does
            return _arithmetic(ufunc, contiguous(a), b, a.dtype, None)
        if b.strides != a.strides:
            return None
        b = b.transpose(axes)
    out = _arithmetic(ufunc, a.transpose(axes), b, a.dtype, None)
    return None if out is None else out.transpose(_back(axes))


def _arithmetic(ufunc: np.ufunc, a: Array, b: Any, dtype: np.dtype[Any], out: Array | None) -> Array | None:
    """None where NumPy is to compute."""
    wide = dtype is F64
    number = b if type(b) is float or type(b) is int else None
    if number is None:
        if type(b) is not np.ndarray or b.dtype is not dtype:
            return None
        if b.size == 1 and b.ndim <= a.ndim:
            number = b.item()
    if a.size < _SIMPLE and (number is not None or b.shape == a.shape):
        return None  # what takes NumPy long is a repetition
    if not a.flags.c_contiguous and out is None:
        return _as_it_lies(ufunc, a, b if number is None else number)
    if number is None and b.shape == a.shape and not b.flags.c_contiguous:
        b = contiguous(b)
    codes, inner = _ARITHMETIC, 0
    if number is None and b.shape != a.shape:
        if b.size > a.size:
            a, b, codes = b, a, _TURNED
        inner = _repetition(a.shape, b.shape)
        if not inner:
            return None
        if not b.flags.c_contiguous and b.size < a.size // 8:
            b = b.copy()
    if out is None:
        out = _empty_as(a, dtype)
    elif out.dtype is not dtype or out.shape != a.shape:
        return None
    if number is not None:
        _native.map_scalar(codes[ufunc], a, float(number), out, wide)
    else:
        _native.map_arithmetic(codes[ufunc], a, b, out, wide, inner)
    return out


def add_scaled(x: Array, y: Array, alpha: float, out: Array | None = None) -> Array:
    """``maps.add_scaled``; rounded once where the processor multiplies and adds in one step."""
    dtype = x.dtype
    if (dtype is F32 or dtype is F64) and x.size >= _COSTLY and y.shape == x.shape:
        target = _empty_as(x, dtype) if out is None else out
        try:
            _native.map_binary(_CODES["AddScaled"], x, y, target, dtype is F64, float(alpha))
        except TypeError:
            return maps.add_scaled(x, y, alpha, out)
        return target
    return maps.add_scaled(x, y, alpha, out)


def lerp(x: Array, y: Array, weight: float) -> Array:
    """``maps.lerp``."""
    dtype = x.dtype
    if (dtype is F32 or dtype is F64) and y.dtype is dtype and y.shape == x.shape and x.size >= _COSTLY:
        out = _empty_as(x, dtype)
        try:
            _native.map_binary(_CODES["Lerp"], x, y, out, dtype is F64, float(weight))
            return out
        except TypeError:
            pass
    return maps.lerp(x, y, weight)


def copy(x: Array) -> Array:
    """``maps.copy``."""
    if x.nbytes < COPIED:
        return x.copy(order="K")
    if x.flags.c_contiguous:
        return contiguous(x)
    axes = sorted(range(x.ndim), key=[-abs(step) for step in x.strides].__getitem__)
    return contiguous(x.transpose(axes)).transpose(_back(axes))


def mapped(ufunc: np.ufunc, x: Array) -> Any:
    """``maps.mapped``: NumPy's own loop, on several threads, into memory that is kept."""
    done = _in_parts(ufunc, x, None)
    return ufunc(x) if done is None else done


def _in_parts(ufunc: np.ufunc, x: Array, other: Any) -> Array | None:
    """``ufunc(x)`` or ``ufunc(x, other)``, a number or an array like x; None where it is left to NumPy."""
    dtype = x.dtype
    if (dtype is not F32 and dtype is not F64) or x.size < (_COSTLY if ufunc in _DIVISIONS else _SIMPLE):
        return None
    if type(other) is int or (type(other) is np.ndarray and not other.ndim and other.dtype is dtype):
        other = float(other)
    number = other if type(other) is float else None
    if other is not None and number is None and (type(other) is not np.ndarray or other.shape != x.shape):
        return None
    out = _empty_as(x, dtype)
    try:
        if number is not None and dtype is F32 and ufunc in _DIVISIONS:
            quotient = ufunc is np.floor_divide
            if _native.map_remainder(x, number, out, quotient):
                return out
        return out if _native.map_ufunc(ufunc, x, other, out, dtype is F64) else None
    except TypeError:  # one is strided, not aligned or of another dtype
        return None


# ---- choices and casts


def compare(ufunc: np.ufunc, a: Any, b: Any) -> Any:
    """``maps.compare``."""
    dtype = a.dtype if type(a) is np.ndarray else None
    if (dtype is F32 or dtype is F64) and a.size >= _SIMPLE and ufunc in _COMPARISONS:
        out = _empty_as(a, B8)
        try:
            if type(b) is float or b.shape == a.shape:
                _native.map_compare(_COMPARISONS[ufunc], a, b, out, dtype is F64)
                return out
        except (AttributeError, TypeError):
            pass
    return ufunc(a, b)


def select(condition: Any, a: Any, b: Any) -> Array:
    """``maps.select``."""
    given = a if type(a) is np.ndarray else b
    dtype = given.dtype if type(given) is np.ndarray else None
    if (dtype is F32 or dtype is F64) and type(condition) is np.ndarray and condition.ndim:
        shape = condition.shape
        if type(a) is np.ndarray and not a.ndim and a.dtype is dtype:
            a = float(a)
        if type(b) is np.ndarray and not b.ndim and b.dtype is dtype:
            b = float(b)
        if (type(a) is float or (type(a) is np.ndarray and a.shape == shape)) and (
            type(b) is float or (type(b) is np.ndarray and b.shape == shape)
        ):
            out = _empty_as(condition, dtype)
            try:
                _native.map_select(condition, a, b, out, dtype is F64)
            except TypeError:
                if type(a) is type(b) is float:  # no array says which precision
                    return np.where(condition, dtype.type(a), dtype.type(b))
                return _select_as_it_lies(condition, a, b)
            return out
    return np.where(condition, a, b)


def _select_as_it_lies(condition: Array, a: Any, b: Any) -> Array:
    """``select`` of a condition with its axes in another order: all have that one, or one lies in order."""
    axes = _axes_in_memory(condition)
    if axes is None:
        return np.where(condition, a, b)
    chosen = [v for v in (a, b) if type(v) is np.ndarray]
    if any([v.flags.c_contiguous for v in chosen]):  # so does NumPy's result
        a, b = [in_order(v) if type(v) is np.ndarray else v for v in (a, b)]
        return select(in_order(condition), a, b)
    if all([v.transpose(axes).flags.c_contiguous for v in chosen]):
        turned = [v.transpose(axes) if type(v) is np.ndarray else v for v in (condition, a, b)]
        return select(*turned).transpose(_back(axes))
    return np.where(condition, a, b)


def cast(x: Array, dtype: np.dtype[Any]) -> Array:
    """``maps.cast``, compiled between float32 and the halves."""
    given = x.dtype
    half = dtype if given is F32 else given if dtype is F32 else None
    if half is BF16 or half is F16:
        out = _empty_as(x, dtype)
        try:
            _native.map_half(x, out, half is BF16, given is F32)
            return out
        except TypeError:
            pass
    ready = x.flags.c_contiguous and x.flags.aligned
    if ready and x.size * dtype.itemsize >= LARGE and x.dtype.kind != "V" != dtype.kind:
        out = empty_large(x.shape, dtype)
        if _native.cast_elements(x, out):
            return out
        with np.errstate(invalid="ignore", over="ignore"):
            np.copyto(out, x, casting="unsafe")
        return out
    axes = _axes_in_memory(x) if x.nbytes >= LARGE else None
    return maps.cast(x, dtype) if axes is None else cast(x.transpose(axes), dtype).transpose(_back(axes))


def lookup(x: Array, values: Array) -> Array:
    """``maps.lookup``."""
    dtype = values.dtype
    if x.size and (dtype is F32 or dtype is F64):
        out = _empty_as(x, dtype)
        try:
            _native.map_lookup(x, values, out, dtype is F64, x.shape[-1] * x.shape[-2])
        except TypeError:
            return maps.lookup(x, values)
        return out
    return maps.lookup(x, values)
