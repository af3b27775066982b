"""Complex numbers: size, direction, angle, parts, and their making from pairs.

Gradients follow PyTorch's convention: of a real L by z = x + iy it is ``dL/dx + i dL/dy``.
"""

from __future__ import annotations

import numpy as np

from ..dtypes import Array
from ..kernels import table
from .elementwise import Imag, Real
from .formula import LARGE, Value, call, conj, plain, where, zeros_like
from .op import Elementwise, Linear


def _is_complex(x: Value) -> bool:
    return bool(x.dtype.kind == "c")


class Abs(Elementwise):
    """The absolute value, real for complex x; gradient 0 at 0."""

    saves = ("x",)
    integers = True

    @staticmethod
    def forward(x: Array) -> tuple[Array, tuple[Array]]:
        if x.dtype.kind == "b":
            raise NotImplementedError("\"abs_cpu\" not implemented for 'Bool'")
        return (np.abs(x) if x.size < LARGE else table.absolute(x)), (x,)

    @staticmethod
    def vjp_x(g: Value, x: Value) -> Value:
        if plain(g, x):
            return table.absolute_grad(g, x)
        return g * call(Sgn, x)

    @staticmethod
    def jvp_x(d: Value, x: Value) -> Value:
        return call(Real, d * conj(call(Sgn, x)))


class Sgn(Elementwise):
    """``x / |x|``, 0 at 0: the sign of real numbers, the direction of complex ones.

    Its Jacobian, the projection across the direction over ``|x|``, is symmetric.
    """

    saves = ("x",)
    integers = True

    @staticmethod
    def forward(x: Array) -> tuple[Array, tuple[Array]]:
        if x.dtype.kind == "c":
            size = np.abs(x)
            zero = size == 0
            return np.where(zero, x.dtype.type(0), x / np.where(zero, size.dtype.type(1), size)), (x,)
        if x.dtype.kind == "b":
            return x.copy(), (x,)
        out = np.asarray(np.sign(x))
        return (out if x.dtype.kind in "iu" else np.where(x != x, x.dtype.type(0), out)), (x,)

    @staticmethod
    def vjp_x(g: Value, x: Value) -> Value:
        if not _is_complex(x):
            return zeros_like(g)
        zero = x == 0
        safe = where(zero, 1.0, x)
        sign = call(Sgn, safe)
        return where(zero, 0.0, (g - sign * call(Real, g * conj(sign))) / call(Abs, safe))

    jvp_x = vjp_x


class Angle(Elementwise):
    """The angle in the complex plane, in radians; of real numbers 0, or pi for negative ones."""

    saves = ("x",)

    @staticmethod
    def forward(x: Array) -> tuple[Array, tuple[Array]]:
        if x.dtype.kind == "c":
            return np.angle(x), (x,)
        out = np.where(x < 0, np.pi, 0.0).astype(x.dtype)
        return np.where(x != x, x, out), (x,)

    @staticmethod
    def vjp_x(g: Value, x: Value) -> Value:
        return zeros_like(g) if not _is_complex(x) else g * _turning(x)

    @staticmethod
    def jvp_x(d: Value, x: Value) -> Value:
        return zeros_like(d) if not _is_complex(x) else call(Real, d * conj(_turning(x)))


def _turning(x: Value) -> Value:
    """``i x / |x|²``, the direction in which the angle grows; 0 at 0."""
    zero = x == 0
    size = call(Abs, where(zero, 1.0, x))
    return where(zero, 0.0, x * 1j / (size * size))


class ConjPhysical(Elementwise):
    """The complex conjugate, computed at once."""

    @staticmethod
    def forward(x: Array) -> tuple[Array, tuple[()]]:
        return np.conjugate(x), ()

    @staticmethod
    def vjp_x(g: Value) -> Value:
        return conj(g)


class Complex(Elementwise):
    """``real + i imag`` from two real tensors."""

    @staticmethod
    def forward(real: Array, imag: Array) -> tuple[Array, tuple[()]]:
        shape = np.broadcast_shapes(real.shape, imag.shape)
        out = np.empty(shape, np.result_type(real.dtype, np.complex64))
        out.real, out.imag = real, imag
        return out, ()

    @staticmethod
    def vjp_real(g: Value) -> Value:
        return call(Real, g)

    @staticmethod
    def vjp_imag(g: Value) -> Value:
        return call(Imag, g)

    @staticmethod
    def jvp_real(d: Value) -> Value:
        return d

    @staticmethod
    def jvp_imag(d: Value) -> Value:
        return d * 1j


class Polar(Elementwise):
    """``size (cos angle + i sin angle)`` from two real tensors, the angle in radians."""

    saves = ("size", "out")

    @staticmethod
    def forward(size: Array, angle: Array) -> tuple[Array, tuple[Array, Array]]:
        out = np.asarray(size * np.exp(angle * 1j)).astype(np.result_type(size.dtype, np.complex64))
        return out, (size, out)

    @staticmethod
    def vjp_size(g: Value, size: Value, out: Value) -> Value:
        return call(Real, g * conj(_unit(size, out)))

    @staticmethod
    def vjp_angle(g: Value, _size: Value, out: Value) -> Value:
        return call(Real, g * conj(out * 1j))

    @staticmethod
    def jvp_size(d: Value, size: Value, out: Value) -> Value:
        return d * _unit(size, out)

    @staticmethod
    def jvp_angle(d: Value, _size: Value, out: Value) -> Value:
        return d * (out * 1j)


def _unit(size: Value, out: Value) -> Value:
    """e^(i angle), from the result (0 where the size is 0, as in PyTorch)."""
    return out / where(size == 0, 1.0, size)


class ViewAsReal(Linear):
    """A complex tensor as a real one with a last dimension of 2: real and imaginary part."""

    batch = "leading"

    view = True
    exact = True

    @staticmethod
    def forward(x: Array) -> tuple[Array, tuple[()]]:
        real = x.real
        strides = (*x.strides, real.dtype.itemsize)
        return np.lib.stride_tricks.as_strided(real, (*x.shape, 2), strides), ()

    @staticmethod
    def vjp_x(g: Value) -> Value:
        return call(ViewAsComplex, g)


class ViewAsComplex(Linear):
    """A real tensor whose last dimension, of size 2, holds real and imaginary part, as a complex one."""

    batch = "leading"

    view = True
    exact = True

    @staticmethod
    def forward(x: Array) -> tuple[Array, tuple[()]]:
        kind = np.result_type(x.dtype, np.complex64)
        if x.strides[-1] != x.itemsize and x.size:
            x = np.ascontiguousarray(x)
        return x.view(kind)[..., 0], ()

    @staticmethod
    def vjp_x(g: Value) -> Value:
        return call(ViewAsReal, g)


__all__ = [
    "Abs", "Angle", "Complex", "ConjPhysical", "Imag", "Polar", "Real", "Sgn", "ViewAsComplex", "ViewAsReal",
]  # fmt: skip
