"""Complex values from two real ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..dtypes import Array
from . import elementwise as ew
from .formula import Value, call
from .op import Elementwise


class Complex(Elementwise):
    """``real + imag i``: float32 gives complex64, float64 complex128."""

    @staticmethod
    def forward(real: Array, imag: Array) -> tuple[Array, tuple[()]]:
        kind = np.complex128 if real.dtype == np.float64 else np.complex64
        out = np.empty(np.broadcast_shapes(real.shape, imag.shape), kind)
        out.real, out.imag = real, imag
        return out, ()

    @staticmethod
    def vjp_real(g: Value) -> Value:
        return call(ew.Real, g)

    @staticmethod
    def vjp_imag(g: Value) -> Value:
        return call(ew.Imag, g)

    @staticmethod
    def jvp_real(d: Value) -> Value:
        return call(Complex, d, np.zeros(d.shape, d.dtype))

    @staticmethod
    def jvp_imag(d: Value) -> Value:
        return call(Complex, np.zeros(d.shape, d.dtype), d)


class Polar(Elementwise):
    """``abs * exp(i angle)``, abs and angle (radians) real."""

    saves = ("abs", "angle")

    @staticmethod
    def forward(abs: Array, angle: Array) -> tuple[Array, tuple[Any, ...]]:
        return Complex.forward(abs * np.cos(angle), abs * np.sin(angle))[0], (abs, angle)

    @staticmethod
    def vjp_abs(g: Value, _abs: Value, angle: Value) -> Value:
        unit = call(Polar, np.ones((), angle.dtype), angle)
        return call(ew.Real, g * call(ew.Conj, unit))

    @staticmethod
    def vjp_angle(g: Value, abs: Value, angle: Value) -> Value:
        out = call(Polar, abs, angle)
        return call(ew.Real, g * call(ew.Conj, out * 1j))

    @staticmethod
    def jvp_abs(d: Value, _abs: Value, angle: Value) -> Value:
        return call(Polar, d, angle)

    @staticmethod
    def jvp_angle(d: Value, abs: Value, angle: Value) -> Value:
        return call(Polar, abs * d, angle) * 1j
