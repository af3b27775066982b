"""Arithmetic and the elementary functions, one element at a time, with broadcasting.

Formulas never mention broadcasting: the engine sums each gradient to its input's shape. Complex
gradients follow PyTorch's convention (the conjugate Wirtinger derivative), so a holomorphic f has
``vjp(g) = g conj(f'(x))``. Derivatives: any table, e.g. DLMF 4.7, 4.20, 4.34.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..dtypes import Array, unsupported
from ..errors import ConvgradError
from ..kernels import table
from ..kernels.memory import allocator
from .formula import FEW, LARGE, Value, call, conj, minus, over, plain, times, where, zeros_like
from .op import Elementwise, Linear, Ufunc


def refuse(name: str, kinds: str, *arrays: Any) -> None:
    """Raise PyTorch's NotImplementedError if an array's dtype is of one of these NumPy kinds."""
    for a in arrays:
        if type(a) is np.ndarray and a.dtype.kind in kinds:
            raise unsupported(name, a.dtype)


def applied(ufunc: np.ufunc, a: Any, b: Any) -> Any:
    """Of arrays, of which one may be a number."""
    if (type(a) is np.ndarray and a.size >= LARGE) or (type(b) is np.ndarray and b.size >= LARGE):
        return table.arithmetic(ufunc, a, b)
    return ufunc(a, b)


class Add(Ufunc):
    """``a + b``."""

    ufunc = np.add

    @staticmethod
    def forward(a: Array, b: Array) -> tuple[Array, tuple[()]]:
        return applied(np.add, a, b), ()

    @staticmethod
    def vjp_a(g: Value) -> Value:
        return g

    @staticmethod
    def vjp_b(g: Value) -> Value:
        return g


class Sub(Ufunc):
    """``a - b``."""

    ufunc = np.subtract

    @staticmethod
    def forward(a: Array, b: Array) -> tuple[Array, tuple[()]]:
        return applied(np.subtract, a, b), ()

    @staticmethod
    def vjp_a(g: Value) -> Value:
        return g

    @staticmethod
    def vjp_b(g: Value) -> Value:
        return minus(g)


class Mul(Ufunc):
    """``a * b``."""

    saves = ("a", "b")
    ufunc = np.multiply

    @staticmethod
    def forward(a: Array, b: Array) -> tuple[Array, tuple[Array, Array]]:
        return applied(np.multiply, a, b), (a, b)

    @staticmethod
    def vjp_a(g: Value, _a: Value, b: Value) -> Value:
        return times(g, b)

    @staticmethod
    def vjp_b(g: Value, a: Value, _b: Value) -> Value:
        return times(g, a)


class Div(Ufunc):
    """``a / b``, true division."""

    saves = ("a", "b")
    ufunc = np.true_divide

    @staticmethod
    def forward(a: Array, b: Array) -> tuple[Array, tuple[Array, Array]]:
        return applied(np.true_divide, a, b), (a, b)

    @staticmethod
    def vjp_a(g: Value, _a: Value, b: Value) -> Value:
        return over(g, conj(b))

    @staticmethod
    def vjp_b(g: Value, a: Value, b: Value) -> Value:
        if plain(g, a) and plain(g, b) and g.size >= FEW:
            return table.divisor_grad(g, a, b)
        return -g * conj((a / b) / b)


class Neg(Ufunc):
    """``-x``."""

    integers = True
    ufunc = np.negative

    @staticmethod
    def forward(x: Array) -> tuple[Array, tuple[()]]:
        try:
            return (np.negative(x) if x.size < LARGE else table.negative(x)), ()
        except TypeError:  # the one dtype without a negative is bool
            raise ConvgradError(
                "Negation, the `-` operator, on a bool tensor is not supported. If you are trying to "
                "invert a mask, use the `~` or `logical_not()` operator instead."
            ) from None

    @staticmethod
    def vjp_x(g: Value) -> Value:
        return minus(g)


#: up to which every whole number is one of float32's
_EXACT = 2**24


def _power(x: Any, p: Any) -> Any:
    """x ** p; the exponents that NumPy has faster words for are spelt in them (PyTorch does so too)."""
    if type(p) in (int, float) and type(x) is np.ndarray:
        if p == 2:
            return np.square(x) if x.size < LARGE else table.square(x)
        if p == 3:
            return table.cube(x)
        if p == 0.5:
            return table.sqrt(x)
        if p == -0.5:
            return table.rsqrt(x)
        if p == -1:
            return table.reciprocal(x)
        if x.size >= LARGE and x.dtype.kind == "f" and abs(p) < _EXACT:
            return table.arithmetic(np.power, x, float(p))
    elif type(p) is np.ndarray and p.dtype.kind in "iub":
        return _integer_power(x, p)
    return applied(np.power, x, p)


def _integer_power(x: Any, p: Array) -> Any:
    """Integers to integers: a negative exponent gives the integer part, so 0 but for x = 1 and -1."""
    if p.dtype.kind == "b":
        raise NotImplementedError("\"pow\" not implemented for 'Bool'")
    negative = p < 0
    if not negative.any():
        return np.power(x, p)
    sign = np.where(x == 1, 1, np.where(x == -1, 1 - 2 * (p & 1), 0)).astype(p.dtype)
    return np.where(negative, sign, np.power(x, np.where(negative, 0, p)))


class Pow(Elementwise):
    """``x ** p`` for a tensor or number x and p.

    d/dx = p x^(p-1), and 0 where p = 0 whatever x is; d/dp = x^p log x, and 0 where x = 0 and p >= 0.
    """

    saves = ("x", "p", "out")

    @staticmethod
    def forward(x: Array, p: Array) -> tuple[Array, tuple[Any, ...]]:
        out = _power(x, p)
        return out, (x, p, out)

    @staticmethod
    def vjp_x(g: Value, x: Value, p: Value, _out: Value) -> Value:
        if type(p) in (int, float):
            if p == 0:
                return zeros_like(g)
            if p == 2 and plain(g, x):
                return table.square_grad(g, x)
            if plain(g, x) and x.size >= LARGE:
                slope = _power(x, p - 1)  # an array of our own, which the products may fill
                table.arithmetic(np.multiply, slope, p, slope)
                return table.arithmetic(np.multiply, slope, g, slope)
            return g * conj(x + x if p == 2 else p * x ** (p - 1))
        return where(p == 0, 0.0, g * conj(p * x ** (p - 1)))

    @staticmethod
    def vjp_p(g: Value, x: Value, p: Value, out: Value) -> Value:
        if type(x) in (int, float):
            log: Any = math.log(x) if x > 0 else (math.nan if x < 0 else -math.inf)
            if out.dtype.kind == "c" and x < 0:
                log = np.log(complex(x)).item()
        elif type(x) is complex:
            log = np.log(complex(x)).item() if x else -math.inf
        else:
            log = call(Log, x)
        return where((x == 0) & (p >= 0), 0.0, g * conj(out * log))


class PowTensor(Pow):
    """``x ** p`` with a tensor as exponent (its node has another name in PyTorch)."""

    backward_name = "PowBackward1"


class PowBase(Pow):
    """A number to the power of a tensor (its node has another name in PyTorch)."""

    backward_name = "PowBackward2"


class Rsub(Sub):
    """A number minus a tensor (its node has another name in PyTorch)."""

    backward_name = "RsubBackward1"


class AddScaled(Elementwise):
    """``a + alpha b``."""

    backward_name = "AddBackward0"
    saves = ("alpha",)

    @staticmethod
    def forward(a: Array, b: Array, alpha: Any) -> tuple[Array, tuple[Any]]:
        return np.add(a, _times(b, alpha)), (alpha,)

    @staticmethod
    def vjp_a(g: Value, _alpha: Any) -> Value:
        return g

    @staticmethod
    def vjp_b(g: Value, alpha: Any) -> Value:
        return g * conj(alpha)


class SubScaled(Elementwise):
    """``a - alpha b``."""

    backward_name = "SubBackward0"
    saves = ("alpha",)

    @staticmethod
    def forward(a: Array, b: Array, alpha: Any) -> tuple[Array, tuple[Any]]:
        return np.subtract(a, _times(b, alpha)), (alpha,)

    @staticmethod
    def vjp_a(g: Value, _alpha: Any) -> Value:
        return g

    @staticmethod
    def vjp_b(g: Value, alpha: Any) -> Value:
        return -g * conj(alpha)


def _times(b: Array, alpha: Any) -> Any:
    """``alpha b`` in b's own dtype: integers wrap around, and 2 times True is True."""
    if b.dtype.kind in "biu":
        alpha = np.asarray(int(alpha) & 0xFFFFFFFFFFFFFFFF, np.uint64).astype(b.dtype)
    return b * alpha


class Lerp(Elementwise):
    """``a + w (b - a)`` for a number w; beyond 1/2 it is written from b's end: w = 1 gives b itself."""

    saves = ("w",)

    @staticmethod
    def forward(a: Array, b: Array, w: Any) -> tuple[Array, tuple[Any]]:
        return table.lerp(a, b, w), (w,)

    @staticmethod
    def vjp_a(g: Value, w: Any) -> Value:
        return g * conj(1 - w)

    @staticmethod
    def vjp_b(g: Value, w: Any) -> Value:
        return g * conj(w)


class LerpTensor(Elementwise):
    """``a + w (b - a)`` for a tensor w."""

    backward_name = "LerpBackward1"
    saves = ("a", "b", "w")

    @staticmethod
    def forward(a: Array, b: Array, w: Array) -> tuple[Array, tuple[Any, ...]]:
        return np.where(np.abs(w) < 0.5, a + w * (b - a), b - (b - a) * (1 - w)), (a, b, w)

    @staticmethod
    def vjp_a(g: Value, _a: Value, _b: Value, w: Value) -> Value:
        return g * conj(1.0 - w)

    @staticmethod
    def vjp_b(g: Value, _a: Value, _b: Value, w: Value) -> Value:
        return g * conj(w)

    @staticmethod
    def vjp_w(g: Value, a: Value, b: Value, _w: Value) -> Value:
        return g * conj(b - a)


class Addcmul(Elementwise):
    """``x + value a b``."""

    saves = ("a", "b", "value")

    @staticmethod
    def forward(x: Array, a: Array, b: Array, value: Any) -> tuple[Array, tuple[Any, ...]]:
        refuse("addcmul_cpu_out", "b", x)
        return table.add_product(x, a, b, value), (a, b, value)

    @staticmethod
    def vjp_x(g: Value, _a: Value, _b: Value, _value: Any) -> Value:
        return g

    @staticmethod
    def vjp_a(g: Value, _a: Value, b: Value, value: Any) -> Value:
        return g * conj(b * value)

    @staticmethod
    def vjp_b(g: Value, a: Value, _b: Value, value: Any) -> Value:
        return g * conj(a * value)


class Addcdiv(Elementwise):
    """``x + value a / b``."""

    saves = ("a", "b", "value")

    @staticmethod
    def forward(x: Array, a: Array, b: Array, value: Any) -> tuple[Array, tuple[Any, ...]]:
        return table.add_quotient(x, a, b, value), (a, b, value)

    @staticmethod
    def vjp_x(g: Value, _a: Value, _b: Value, _value: Any) -> Value:
        return g

    @staticmethod
    def vjp_a(g: Value, _a: Value, b: Value, value: Any) -> Value:
        return g * conj(value / b)

    @staticmethod
    def vjp_b(g: Value, a: Value, b: Value, value: Any) -> Value:
        return -g * conj(a * value / (b * b))


class Exp(Ufunc):
    """``e ** x``."""

    saves = ("out",)
    ufunc = np.exp

    @staticmethod
    def forward(x: Array) -> tuple[Array, tuple[Array]]:
        out = np.exp(x) if x.size < FEW else table.exp(x)
        return out, (out,)

    @staticmethod
    def vjp_x(g: Value, out: Value) -> Value:
        return times(g, out)


class Log(Ufunc):
    """The natural logarithm."""

    saves = ("x",)
    ufunc = np.log

    @staticmethod
    def forward(x: Array) -> tuple[Array, tuple[Array]]:
        return (np.log(x) if x.size < FEW else table.log(x)), (x,)

    @staticmethod
    def vjp_x(g: Value, x: Value) -> Value:
        return over(g, conj(x))


class Where(Elementwise):
    """a where the condition holds, else b; no gradient flows to what was not chosen."""

    holds = True

    saves = ("condition",)
    exact = True

    @staticmethod
    def forward(a: Array, b: Array, condition: Any) -> tuple[Array, tuple[Any]]:
        if type(condition) is np.ndarray:
            return table.select(condition, a, b), (condition,)
        return np.where(condition, a, b), (condition,)

    @staticmethod
    def vjp_a(g: Value, condition: Any) -> Value:
        return where(condition, g, 0.0)

    @staticmethod
    def vjp_b(g: Value, condition: Any) -> Value:
        return where(condition, 0.0, g)


class Conj(Elementwise):
    """The complex conjugate."""

    backward_name = "ConjBackward0"

    @staticmethod
    def forward(x: Array) -> tuple[Array, tuple[()]]:
        return np.conjugate(x), ()

    @staticmethod
    def vjp_x(g: Value) -> Value:
        return conj(g)


class Real(Linear):
    """The real part; of a real x it is x itself."""

    batch = "leading"

    backward_name = "SelectBackward0"
    view = True
    exact = True

    @staticmethod
    def forward(x: Array) -> tuple[Array, tuple[()]]:
        return x.real, ()

    @staticmethod
    def vjp_x(g: Value) -> Value:
        return g


class Imag(Linear):
    """The imaginary part of a complex x."""

    batch = "leading"

    backward_name = "SelectBackward0"
    view = True
    exact = True

    @staticmethod
    def forward(x: Array) -> tuple[Array, tuple[()]]:
        return x.imag, ()

    @staticmethod
    def vjp_x(g: Value) -> Value:
        return g * 1j


class Copy(Elementwise):
    """b broadcast and cast into the place of a: what ``a.copy_(b)`` means as a function."""

    backward_name = "CopyBackwards"
    saves = ("shape",)
    exact = True

    @staticmethod
    def forward(a: Array, b: Array) -> tuple[Array, tuple[Any, ...]]:
        out: Array = allocator(a.shape, a.dtype)(a.shape, a.dtype)
        np.copyto(out, b, casting="unsafe")
        return out, (a.shape,)

    @staticmethod
    def vjp_a(g: Value, _shape: Any) -> Value:
        """Nothing of a is left, but a was asked: zeros, as PyTorch answers."""
        return zeros_like(g)

    @staticmethod
    def jvp_a(d: Value, _shape: Any) -> Value:
        return zeros_like(d)

    @staticmethod
    def vjp_b(g: Value, _shape: Any) -> Value:
        return g
