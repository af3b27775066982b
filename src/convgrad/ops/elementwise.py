"""Arithmetic and the elementary functions, one element at a time, with broadcasting.

Formulas never mention broadcasting: the engine sums each gradient to its input's shape. Complex
gradients follow PyTorch's convention (the conjugate Wirtinger derivative), so a holomorphic f has
``vjp(g) = g conj(f'(x))``. Derivatives: any table, e.g. DLMF 4.7, 4.20, 4.34.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..dtypes import Array
from .formula import Value, call, conj, where, zeros_like
from .op import Elementwise, Linear, Ufunc


class Add(Ufunc):
    """``a + b``."""

    ufunc = np.add

    @staticmethod
    def forward(a: Array, b: Array) -> tuple[Array, tuple[()]]:
        return np.add(a, b), ()

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
        return np.subtract(a, b), ()

    @staticmethod
    def vjp_a(g: Value) -> Value:
        return g

    @staticmethod
    def vjp_b(g: Value) -> Value:
        return -g


class Mul(Ufunc):
    """``a * b``."""

    saves = ("a", "b")
    ufunc = np.multiply

    @staticmethod
    def forward(a: Array, b: Array) -> tuple[Array, tuple[Array, Array]]:
        return np.multiply(a, b), (a, b)

    @staticmethod
    def vjp_a(g: Value, _a: Value, b: Value) -> Value:
        return g * conj(b)

    @staticmethod
    def vjp_b(g: Value, a: Value, _b: Value) -> Value:
        return g * conj(a)


class Div(Ufunc):
    """``a / b``, true division."""

    saves = ("a", "b")
    ufunc = np.true_divide

    @staticmethod
    def forward(a: Array, b: Array) -> tuple[Array, tuple[Array, Array]]:
        return np.true_divide(a, b), (a, b)

    @staticmethod
    def vjp_a(g: Value, _a: Value, b: Value) -> Value:
        return g / conj(b)

    @staticmethod
    def vjp_b(g: Value, a: Value, b: Value) -> Value:
        return -g * conj((a / b) / b)


class Neg(Ufunc):
    """``-x``."""

    ufunc = np.negative

    @staticmethod
    def forward(x: Array) -> tuple[Array, tuple[()]]:
        return np.negative(x), ()

    @staticmethod
    def vjp_x(g: Value) -> Value:
        return -g


def _power(x: Any, p: Any) -> Any:
    """x ** p; the exponents that NumPy has faster words for are spelt in them (PyTorch does so too)."""
    if type(p) in (int, float):
        if p == 2:
            return np.square(x)
        if p == 3:
            return np.square(x) * x
        if p == 0.5:
            return np.sqrt(x)
    return np.power(x, p)


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
                return g * 0.0
            return g * conj(x + x if p == 2 else p * x ** (p - 1))
        return where(p == 0, 0.0, g * conj(p * x ** (p - 1)))

    @staticmethod
    def vjp_p(g: Value, x: Value, p: Value, out: Value) -> Value:
        if type(x) in (int, float):
            base = math.log(x) if x > 0 else (math.nan if x < 0 else -math.inf)
            log = base
        else:
            log = call(Log, x)
        return where((x == 0) & (p >= 0), 0.0, g * conj(out * log))


class PowTensor(Pow):
    """``x ** p`` with a tensor as exponent (its node has another name in PyTorch)."""

    backward_name = "PowBackward1"


class Exp(Ufunc):
    """``e ** x``."""

    saves = ("out",)
    ufunc = np.exp

    @staticmethod
    def forward(x: Array) -> tuple[Array, tuple[Array]]:
        out = np.exp(x)
        return out, (out,)

    @staticmethod
    def vjp_x(g: Value, out: Value) -> Value:
        return g * conj(out)


class Log(Ufunc):
    """The natural logarithm."""

    saves = ("x",)
    ufunc = np.log

    @staticmethod
    def forward(x: Array) -> tuple[Array, tuple[Array]]:
        return np.log(x), (x,)

    @staticmethod
    def vjp_x(g: Value, x: Value) -> Value:
        return g / conj(x)


class Where(Elementwise):
    """a where the condition holds, else b; no gradient flows to what was not chosen."""

    saves = ("condition",)

    @staticmethod
    def forward(a: Array, b: Array, condition: Any) -> tuple[Array, tuple[Any]]:
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
        out = np.empty(a.shape, a.dtype)
        np.copyto(out, b, casting="unsafe")
        return out, (a.shape,)

    @staticmethod
    def vjp_a(_g: Value, _shape: Any) -> None:
        """Nothing of a is left: no gradient."""

    @staticmethod
    def jvp_a(d: Value, _shape: Any) -> Value:
        return zeros_like(d)

    @staticmethod
    def vjp_b(g: Value, _shape: Any) -> Value:
        return g
