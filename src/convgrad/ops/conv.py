"""Convolution as one trilinear form, closed under differentiation in any number of dimensions.

With input x, kernel w and output cotangent y let T(x, w, y) be the sum over positions of y times
(x correlated with w). Its partial contractions are the three primitives here; the derivative of
each is the other two, so every higher derivative of a convolution needs just these three kernels.
The transposed convolution is the second of them. Source: Dumoulin & Visin 2016, arXiv:1603.07285.
"""

from __future__ import annotations

from typing import Any

from numpy import ndarray

from ..dtypes import F32, F64, Array
from ..kernels import table
from ..kernels.geometry import Geometry
from .formula import Value, call, channel_sums, conj, reshape
from .op import Bilinear, Op

Ints = tuple[int, ...]


class Convolve(Bilinear):
    """x ``(N, C, *S)`` correlated with w ``(O, C / groups, *K)``: ``(N, O, *oS)``."""

    backward_name = "ConvolutionBackward0"
    saves = ("x", "w", "geometry")

    @staticmethod
    def forward(x: Array, w: Array, geometry: Geometry) -> tuple[Array, tuple[Any, ...]]:
        return table.convolve(x, w, geometry), (x, w, geometry)

    # Real arrays in an ordinary backward go straight to the kernels: ``call`` and ``conj`` take half a
    # microsecond, a third of what a small kernel takes.

    @staticmethod
    def vjp_x(g: Value, x: Value, w: Value, geometry: Geometry) -> Value:
        if type(g) is ndarray and type(w) is ndarray and (w.dtype is F32 or w.dtype is F64):
            return table.convolve_input_grad(g, w, geometry, x.shape[2:])
        return call(ConvolveInputGrad, g, conj(w), geometry, x.shape[2:])

    @staticmethod
    def vjp_w(g: Value, x: Value, w: Value, geometry: Geometry) -> Value:
        if type(g) is ndarray and type(x) is ndarray and (x.dtype is F32 or x.dtype is F64):
            return table.convolve_weight_grad(x, g, geometry, w.shape[2:])
        return call(ConvolveWeightGrad, conj(x), g, geometry, w.shape[2:])


class ConvolveInputGrad(Bilinear):
    """The adjoint of ``Convolve`` in x: y ``(N, O, *oS)`` spread out by w, ``(N, C, *input_size)``."""

    backward_name = "ConvolutionBackward0"
    saves = ("y", "w", "geometry", "input_size")

    @staticmethod
    def forward(y: Array, w: Array, geometry: Geometry, input_size: Ints) -> tuple[Array, tuple[Any, ...]]:
        return table.convolve_input_grad(y, w, geometry, input_size), (y, w, geometry, input_size)

    @staticmethod
    def vjp_y(g: Value, _y: Value, w: Value, geometry: Geometry, _input_size: Ints) -> Value:
        return call(Convolve, g, conj(w), geometry)

    @staticmethod
    def vjp_w(g: Value, y: Value, w: Value, geometry: Geometry, _input_size: Ints) -> Value:
        return call(ConvolveWeightGrad, g, conj(y), geometry, w.shape[2:])


class ConvolveWeightGrad(Bilinear):
    """The adjoint of ``Convolve`` in w: x and y correlated, ``(O, C / groups, *kernel_size)``."""

    backward_name = "ConvolutionBackwardBackward0"
    saves = ("x", "y", "geometry", "kernel_size")

    @staticmethod
    def forward(x: Array, y: Array, geometry: Geometry, kernel_size: Ints) -> tuple[Array, tuple[Any, ...]]:
        return table.convolve_weight_grad(x, y, geometry, kernel_size), (x, y, geometry, kernel_size)

    @staticmethod
    def vjp_x(g: Value, x: Value, y: Value, geometry: Geometry, _kernel_size: Ints) -> Value:
        return call(ConvolveInputGrad, conj(y), g, geometry, x.shape[2:])

    @staticmethod
    def vjp_y(g: Value, x: Value, _y: Value, geometry: Geometry, _kernel_size: Ints) -> Value:
        return call(Convolve, conj(x), g, geometry)


class Convolution(Op):
    """``Convolve`` plus a bias per output channel, ``(O,)``: what ``conv1d`` and its kin run."""

    saves = ("x", "w", "geometry")

    @staticmethod
    def forward(x: Array, w: Array, b: Array, geometry: Geometry) -> tuple[Array, tuple[Any, ...]]:
        return table.convolve(x, w, geometry, b), (x, w, geometry)

    vjp_x = Convolve.vjp_x
    vjp_w = Convolve.vjp_w

    @staticmethod
    def vjp_b(g: Value, _x: Value, _w: Value, _geometry: Geometry) -> Value:
        return channel_sums(g)

    @staticmethod
    def jvp_x(d: Value, x: Value, w: Value, geometry: Geometry) -> Value:
        return call(Convolve, d, w, geometry)

    @staticmethod
    def jvp_w(d: Value, x: Value, w: Value, geometry: Geometry) -> Value:
        return call(Convolve, x, d, geometry)

    @staticmethod
    def jvp_b(d: Value, x: Value, w: Value, geometry: Geometry) -> Value:
        return _per_channel(d, x)


class TransposedConvolution(Op):
    """``ConvolveInputGrad`` plus a bias per output channel: what ``conv_transpose1d`` and its kin run."""

    backward_name = "ConvolutionBackward0"
    saves = ("y", "w", "geometry", "input_size")

    @staticmethod
    def forward(
        y: Array, w: Array, b: Array, geometry: Geometry, input_size: Ints
    ) -> tuple[Array, tuple[Any, ...]]:
        return table.convolve_input_grad(y, w, geometry, input_size, b), (y, w, geometry, input_size)

    vjp_y = ConvolveInputGrad.vjp_y
    vjp_w = ConvolveInputGrad.vjp_w

    @staticmethod
    def vjp_b(g: Value, _y: Value, _w: Value, _geometry: Geometry, _input_size: Ints) -> Value:
        return channel_sums(g)

    @staticmethod
    def jvp_y(d: Value, y: Value, w: Value, geometry: Geometry, input_size: Ints) -> Value:
        return call(ConvolveInputGrad, d, w, geometry, input_size)

    @staticmethod
    def jvp_w(d: Value, y: Value, w: Value, geometry: Geometry, input_size: Ints) -> Value:
        return call(ConvolveInputGrad, y, d, geometry, input_size)

    @staticmethod
    def jvp_b(d: Value, y: Value, w: Value, geometry: Geometry, input_size: Ints) -> Value:
        return _per_channel(d, y)


def _per_channel(b: Value, x: Value) -> Value:
    """A vector (O,) shaped to broadcast over (N, O, *S)."""
    return reshape(b, (-1, *(1,) * (len(x.shape) - 2)))
