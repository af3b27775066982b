"""Discrete Fourier transforms: complex to complex, real to complex and complex to real, over any axes.

All are linear. The adjoint of a transform is the transform the other way, scaled as the inverse of the
opposite convention: "backward" (1 forward, 1/n back), "ortho" (1/sqrt(n) both ways) and "forward" (1/n
forward) change places. NumPy computes float32 in float32.
Source: Cooley & Tukey 1965; NumPy's pocketfft does the work.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..dtypes import Array
from .elementwise import Real
from .formula import Value, call
from .op import Linear

#: the convention under which the other direction has the same factor
OPPOSITE = {"backward": "forward", "ortho": "ortho", "forward": "backward"}

#: NumPy's stubs want norm as a literal
numpy_fft: Any = np.fft

Axes = tuple[int, ...]


class FftC2C(Linear):
    """``out[k] = sum of x[n] exp(-2 pi i k n / N)`` over each of ``axes``, of complex x, scaled by ``norm``.

    ``inverse``: with ``exp(+...)``.
    """

    saves = ("axes", "inverse", "norm")
    batch = {"axes": "axis"}

    @staticmethod
    def forward(x: Array, axes: Axes, inverse: bool, norm: str) -> tuple[Array, tuple[Any, ...]]:
        saved = (axes, inverse, norm)
        if not axes:
            return x.copy(), saved
        if len(axes) == 1:  # half the overhead
            return (numpy_fft.ifft if inverse else numpy_fft.fft)(x, None, axes[0], norm), saved
        return (numpy_fft.ifftn if inverse else numpy_fft.fftn)(x, None, axes, norm), saved

    @staticmethod
    def vjp_x(g: Value, axes: Axes, inverse: bool, norm: str) -> Value:
        return call(FftC2C, g, axes, not inverse, OPPOSITE[norm])


class FftR2C(Linear):
    """The transform of real x over ``axes``, of whose last one only the first ``N // 2 + 1`` values are kept.

    The rest would be their conjugates. The adjoint is the transform back, in which every value kept but
    the first and (of even N) the last stands for two: so they enter by half.
    """

    saves = ("axes", "norm", "size")
    batch = {"axes": "axis"}

    @staticmethod
    def forward(x: Array, axes: Axes, norm: str) -> tuple[Array, tuple[Any, ...]]:
        saved = (axes, norm, x.shape[axes[-1]])
        if len(axes) == 1:
            return numpy_fft.rfft(x, None, axes[0], norm), saved
        return numpy_fft.rfftn(x, None, axes, norm), saved

    @staticmethod
    def vjp_x(g: Value, axes: Axes, norm: str, size: int) -> Value:
        return call(FftC2R, g * _inner(g, axes[-1], size, 0.5), axes, OPPOSITE[norm], size)


class FftR2CWhole(Linear):
    """The transform of real x over ``axes`` with all its values."""

    backward_name = "FftR2CBackward0"
    saves = ("axes", "norm")
    batch = {"axes": "axis"}

    @staticmethod
    def forward(x: Array, axes: Axes, norm: str) -> tuple[Array, tuple[Any, ...]]:
        return FftC2C.forward(x, axes, False, norm)[0], (axes, norm)

    @staticmethod
    def vjp_x(g: Value, axes: Axes, norm: str) -> Value:
        return call(Real, call(FftC2C, g, axes, True, OPPOSITE[norm]))


class FftC2R(Linear):
    """The transform back, of the half that ``FftR2C`` keeps, to real values: ``size`` on the last axis.

    Of values without a partner the imaginary part is not read.
    """

    saves = ("axes", "norm", "size")
    batch = {"axes": "axis"}

    @staticmethod
    def forward(x: Array, axes: Axes, norm: str, size: int) -> tuple[Array, tuple[Any, ...]]:
        if len(axes) == 1:
            return numpy_fft.irfft(x, size, axes[0], norm), (axes, norm, size)
        lengths = (*[x.shape[i] for i in axes[:-1]], size)
        return numpy_fft.irfftn(x, lengths, axes, norm), (axes, norm, size)

    @staticmethod
    def vjp_x(g: Value, axes: Axes, norm: str, size: int) -> Value:
        half = call(FftR2C, g, axes, OPPOSITE[norm])
        return half * _inner(half, axes[-1], size, 2.0)


def _inner(x: Value, axis: int, size: int, weight: float) -> Array:
    """``weight`` for each value along ``axis`` of a half transform that has a partner, 1 for the others."""
    out = np.ones(size // 2 + 1, "f4" if x.dtype.itemsize == 8 else "f8")
    out[1 : (size + 1) // 2] = weight
    return out.reshape((-1,) + (1,) * (len(x.shape) - 1 - axis))
