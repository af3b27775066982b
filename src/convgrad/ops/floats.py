"""What looks at how numbers are written: powers of two, neighbours, common divisors, and the unit step."""

from __future__ import annotations

import numpy as np

from ..dtypes import Array
from ..errors import ConvgradError
from .elementwise import refuse
from .formula import Value, call, conj, zeros_like
from .op import Elementwise
from .rounding import Relation
from .special import LN2, Exp2


class Ldexp(Elementwise):
    """``a 2^b``."""

    saves = ("b", "out")

    @staticmethod
    def forward(a: Array, b: Array) -> tuple[Array, tuple[Array, Array]]:
        out = a * Exp2.forward(b)[0]
        return out, (b, out)

    @staticmethod
    def vjp_a(g: Value, b: Value, _out: Value) -> Value:
        return g * conj(call(Exp2, b))

    @staticmethod
    def vjp_b(g: Value, _b: Value, out: Value) -> Value:
        return g * conj(out) * LN2


class Frexp(Elementwise):
    """The mantissa, in [1/2, 1) or 0, and the exponent (int32) of ``x = mantissa 2^exponent``."""

    saves = ("power",)
    several = True
    primary = 0
    exact = True

    @staticmethod
    def forward(x: Array) -> tuple[tuple[Array, Array], tuple[Array]]:
        mantissa, exponent = np.frexp(x)
        power = np.ldexp(np.ones(x.shape, x.dtype), exponent)
        return (np.asarray(mantissa), np.asarray(exponent, np.int32)), (power,)

    @staticmethod
    def vjp_x(g: Value, power: Array) -> Value:
        return g / power


class Nextafter(Elementwise):
    """The number next to a on the way to b; its slope in a is 1."""

    exact = True

    @staticmethod
    def forward(a: Array, b: Array) -> tuple[Array, tuple[()]]:
        refuse("nextafter_cpu", "biuc", a, b)
        return np.nextafter(a, b), ()

    @staticmethod
    def vjp_a(g: Value) -> Value:
        return g

    @staticmethod
    def vjp_b(g: Value) -> Value:
        return zeros_like(g)


class Heaviside(Elementwise):
    """0 where a is negative, 1 where positive, b where it is 0; no gradient."""

    backward_name = "torch::autograd::NotImplemented"
    exact = True

    @staticmethod
    def forward(a: Array, b: Array) -> tuple[Array, tuple[()]]:
        return np.where(a == 0, b, (a > 0).astype(a.dtype)), ()

    @staticmethod
    def vjp_a(g: Value) -> Value:
        raise ConvgradError("derivative for aten::heaviside is not implemented")

    vjp_b = vjp_a


class Divisor(Relation):
    """A function of two integers."""

    kernel = ""

    @classmethod
    def forward(cls, a: Array, b: Array) -> tuple[Array, tuple[()]]:
        refuse(cls.kernel, "bfVc", a, b)
        return cls.ufunc(a, b), ()


class Gcd(Divisor):
    """The greatest common divisor of the absolute values; of 0 and 0 it is 0."""

    kernel = "gcd_cpu"
    ufunc = np.gcd


class Lcm(Divisor):
    """The least common multiple of the absolute values; 0 if one of them is."""

    kernel = "lcm_cpu"
    ufunc = np.lcm
