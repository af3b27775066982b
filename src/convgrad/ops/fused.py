"""Operators that do what two neighbours of a network do, without the value between them.

Each is ``relu`` of another operator. The relu is applied where the result is stored (or in place on a fresh
one), so that one array is written instead of two; a gradient is masked once and then goes the way of the
inner operator. All take float32 and float64; other dtypes are computed by the two operators.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy import ndarray

from ..dtypes import Array
from ..kernels import memory, table
from ..kernels.geometry import Geometry, Ints
from .activation import Relu
from .conv import Convolution, Convolve, ConvolveInputGrad, TransposedConvolution
from .formula import Value
from .matmul import Affine, affine
from .norm import BatchNorm, BatchNormEval
from .op import Op

#: elements of a block that is added and then clipped while it is in the cache
_BLOCK = 1 << 15


def _masked(g: Value, out: Value) -> Value:
    """The cotangent (or tangent) of what relu was applied to, from that of ``out = relu(...)``."""
    return Relu.vjp_x(g, out)


def _sum(parts: list[Value]) -> Value:
    """The tangent of a sum, from those of its terms."""
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


def _pulled(inner: type[Op], needs: tuple[bool, ...], g: Value, saved: tuple[Any, ...]) -> tuple[Value, ...]:
    """The cotangents of an operator's inputs, from that of its relu; what it saved, then the result."""
    own = saved[:-1]
    g = _masked(g, saved[-1])
    pairs = zip(needs, inner.vjps)
    return tuple([f(g, *own) if wanted and f is not None else None for wanted, f in pairs])


def _pushed(inner: type[Op], tangents: tuple[Value, ...], saved: tuple[Any, ...]) -> Value:
    """The tangent of an operator's relu, from those of its inputs."""
    own, pairs = saved[:-1], zip(tangents, inner.jvps)
    return _masked(_sum([f(d, *own) for d, f in pairs if d is not None and f is not None]), saved[-1])


class ConvolveRelu(Op):
    """``relu`` of x ``(N, C, *S)`` correlated with w ``(O, C / groups, *K)``: ``(N, O, *oS)``."""

    saves = ("x", "w", "geometry", "out")

    @staticmethod
    def forward(x: Array, w: Array, geometry: Geometry) -> tuple[Array, tuple[Any, ...]]:
        out = table.convolve(x, w, geometry, None, "relu")
        return out, (x, w, geometry, out)

    @staticmethod
    def vjp(needs: tuple[bool, ...], g: Value, *saved: Any) -> tuple[Value, ...]:
        return _pulled(Convolve, needs, g, saved)

    @staticmethod
    def jvp(tangents: tuple[Value, ...], *saved: Any) -> Value:
        return _pushed(Convolve, tangents, saved)


class ConvolutionRelu(Op):
    """``ConvolveRelu`` with a bias per output channel, ``(O,)``, added before the relu."""

    saves = ("x", "w", "geometry", "out")
    reads = {"b": ("out",)}

    @staticmethod
    def forward(x: Array, w: Array, b: Array, geometry: Geometry) -> tuple[Array, tuple[Any, ...]]:
        out = table.convolve(x, w, geometry, b, "relu")
        return out, (x, w, geometry, out)

    @staticmethod
    def vjp(needs: tuple[bool, ...], g: Value, *saved: Any) -> tuple[Value, ...]:
        return _pulled(Convolution, needs, g, saved)

    @staticmethod
    def jvp(tangents: tuple[Value, ...], *saved: Any) -> Value:
        return _pushed(Convolution, tangents, saved)


class ConvolveTransposedRelu(Op):
    """``relu`` of the transposed convolution: y ``(N, O, *oS)`` spread out by w, ``(N, C, *input_size)``."""

    saves = ("y", "w", "geometry", "input_size", "out")

    @staticmethod
    def forward(y: Array, w: Array, geometry: Geometry, input_size: Ints) -> tuple[Array, tuple[Any, ...]]:
        out = table.convolve_input_grad(y, w, geometry, input_size, None, "relu")
        return out, (y, w, geometry, input_size, out)

    @staticmethod
    def vjp(needs: tuple[bool, ...], g: Value, *saved: Any) -> tuple[Value, ...]:
        return _pulled(ConvolveInputGrad, needs, g, saved)

    @staticmethod
    def jvp(tangents: tuple[Value, ...], *saved: Any) -> Value:
        return _pushed(ConvolveInputGrad, tangents, saved)


class TransposedConvolutionRelu(Op):
    """``ConvolveTransposedRelu`` with a bias per output channel, ``(C,)``, added before the relu."""

    saves = ("y", "w", "geometry", "input_size", "out")
    reads = {"b": ("out",)}

    @staticmethod
    def forward(
        y: Array, w: Array, b: Array, geometry: Geometry, input_size: Ints
    ) -> tuple[Array, tuple[Any, ...]]:
        out = table.convolve_input_grad(y, w, geometry, input_size, b, "relu")
        return out, (y, w, geometry, input_size, out)

    @staticmethod
    def vjp(needs: tuple[bool, ...], g: Value, *saved: Any) -> tuple[Value, ...]:
        return _pulled(TransposedConvolution, needs, g, saved)

    @staticmethod
    def jvp(tangents: tuple[Value, ...], *saved: Any) -> Value:
        return _pushed(TransposedConvolution, tangents, saved)


class AffineRelu(Op):
    """``relu(x @ weight.T + bias)``: x (..., in), weight (out, in), bias (out) or None."""

    saves = ("x", "weight", "out")
    reads = {"bias": ("out",), "x": ("weight", "out"), "weight": ("x", "out")}

    @staticmethod
    def forward(bias: Array, x: Array, weight: Array) -> tuple[Array, tuple[Any, ...]]:
        out = affine(x, weight, bias, "relu")
        return out, (x, weight, out)

    @staticmethod
    def vjp(needs: tuple[bool, ...], g: Value, x: Value, weight: Value, out: Value) -> tuple[Value, ...]:
        g = _masked(g, out)  # spelt out, since small nets consist of these
        return (
            g if needs[0] else None,
            Affine.vjp_x(g, x, weight) if needs[1] else None,
            Affine.vjp_weight(g, x, weight) if needs[2] else None,
        )

    @staticmethod
    def jvp(tangents: tuple[Value, ...], *saved: Any) -> Value:
        return _pushed(Affine, tangents, saved)


class AddRelu(Op):
    """``relu(a + b)`` of two arrays of one shape: the end of a residual block."""

    saves = ("out",)
    batch = "elementwise"

    @staticmethod
    def forward(a: Array, b: Array) -> tuple[Array, tuple[Any, ...]]:
        out = memory.allocator(a.shape, a.dtype)(a.shape, a.dtype)
        for x, y, z in _blocks(a, b, out):
            np.add(x, y, out=z)
            np.maximum(z, 0, out=z)
        return out, (out,)

    @staticmethod
    def vjp(needs: tuple[bool, ...], g: Value, out: Value) -> tuple[Value, ...]:
        g = _masked(g, out)
        return g if needs[0] else None, g if needs[1] else None

    @staticmethod
    def jvp(tangents: tuple[Value, ...], out: Value) -> Value:
        return _masked(_sum([d for d in tangents if d is not None]), out)


def _blocks(*arrays: Array) -> list[tuple[Array, ...]]:
    """Arrays of one shape cut alike into pieces that stay in the cache; whole, where they are not flat."""
    if arrays[0].size <= _BLOCK or not all([a.flags.c_contiguous for a in arrays]):
        return [arrays]
    flat = [a.reshape(-1) for a in arrays]
    return [tuple([a[i : i + _BLOCK] for a in flat]) for i in range(0, flat[0].size, _BLOCK)]


class BatchNormRelu(Op):
    """``relu(BatchNorm + r)``: x ``(N, C, ...)``, r like x or None; the batch's mean and variance, too.

    weight and bias are ``(C,)`` or None. With r it is the end of a residual block.
    """

    saves = (*BatchNorm.saves, "out")
    several = True
    primary = 0
    reads = {"r": ("out",)}

    @staticmethod
    def forward(
        x: Array, weight: Array, bias: Array, r: Array, eps: float
    ) -> tuple[tuple[Array, ...], tuple[Any, ...]]:
        out, mean, var, invstd = table.batch_norm(x, weight, bias, eps, "relu", r)
        return (out, mean, var), (x, weight, mean, invstd, eps, out)

    @staticmethod
    def relift(
        x: Value, weight: Value, mean: Array, invstd: Array, eps: float, out: Value
    ) -> tuple[Any, ...]:
        """What ``BatchNorm`` lifts, if it is kept at all."""
        if x is None:
            return x, weight, mean, invstd, eps, out
        return (*BatchNorm.relift(x, weight, mean, invstd, eps), out)

    @staticmethod
    def vjp(
        needs: tuple[bool, ...], g: Value, x: Value, weight: Value, mean: Value, invstd: Value, eps: float,
        out: Value,
    ) -> tuple[Value, ...]:  # fmt: skip
        if type(g) is ndarray and type(x) is ndarray:
            return table.batch_norm_grad(g, x, weight, mean, invstd, False, needs[0], out, needs[3])
        g = _masked(g, out)
        own: tuple[Value, ...] = (None, None, None)
        if x is not None:
            own = BatchNorm.vjp(needs[:3], g, x, weight, mean, invstd, eps)
        return (*own, g if needs[3] else None)

    @staticmethod
    def jvp(tangents: tuple[Value, ...], *saved: Any) -> Value:
        *own, dr = tangents
        parts = [] if dr is None else [dr]
        if any([d is not None for d in own]):
            parts.append(BatchNorm.jvp(tuple(own), *saved[:-1]))
        return _masked(_sum(parts), saved[-1])


class BatchNormEvalRelu(Op):
    """``relu(BatchNormEval + r)``, r like x or None: the statistics mean and var ``(C,)`` are constants."""

    saves = (*BatchNormEval.saves, "out")
    reads = {"x": ("weight", "invstd", "out"), "bias": ("out",), "r": ("out",)}

    @staticmethod
    def forward(
        x: Array, weight: Array, bias: Array, r: Array, mean: Any, var: Any, eps: float
    ) -> tuple[Array, tuple[Any, ...]]:
        mean, var = [v.astype(x.dtype, copy=False) for v in (mean, var)]
        out, invstd = table.batch_norm_eval(x, weight, bias, mean, var, eps, "relu", r)
        return out, (x, weight, mean, invstd, out)

    @staticmethod
    def vjp(
        needs: tuple[bool, ...], g: Value, x: Value, weight: Value, mean: Value, invstd: Value, out: Value
    ) -> tuple[Value, ...]:
        if needs[1] and type(g) is ndarray and type(x) is ndarray:
            return table.batch_norm_grad(g, x, weight, mean, invstd, True, needs[0], out, needs[3])
        g = _masked(g, out)
        saved = x, weight, mean, invstd
        pairs = zip(needs, BatchNormEval.vjps)
        own = [f(g, *saved) if wanted and f is not None else None for wanted, f in pairs]
        return (*own, g if needs[3] else None)

    @staticmethod
    def jvp(tangents: tuple[Value, ...], *saved: Any) -> Value:
        *own, dr = tangents
        parts = [] if dr is None else [dr]
        pairs = zip(own, BatchNormEval.jvps, strict=True)
        parts += [f(d, *saved[:-1]) for d, f in pairs if d is not None and f is not None]
        return _masked(_sum(parts), saved[-1])
