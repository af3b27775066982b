"""Normalisation: operators that shift and scale by statistics of their own input."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..dtypes import Array
from . import formula
from .formula import Value, reshape
from .op import Op


class BatchNorm(Op):
    """``(x - mean) / sqrt(var + eps) * weight + bias`` per channel, with the batch's own statistics.

    x is ``(N, C, ...)``, weight and bias ``(C,)``. Besides the result it gives mean and (biased)
    variance, ``(C,)`` each, for the running estimates. Source: Ioffe & Szegedy 2015,
    arXiv:1502.03167.
    """

    backward_name = "NativeBatchNormBackward0"
    saves = ("x", "weight", "mean", "invstd", "eps")
    several = True
    primary = 0

    @staticmethod
    def forward(
        x: Array, weight: Array, bias: Array, eps: float
    ) -> tuple[tuple[Array, ...], tuple[Any, ...]]:
        mean, var, invstd = statistics(x, eps)
        scale = invstd * _column(weight, x)
        out = (x - mean) * scale + _column(bias, x)
        return (out, mean.reshape(-1), var.reshape(-1)), (x, weight, mean, invstd, eps)

    @staticmethod
    def relift(x: Value, weight: Value, _mean: Array, _invstd: Array, eps: float) -> tuple[Any, ...]:
        """Mean and deviation again from a recorded x, so that second derivatives see them move."""
        mean, _, invstd = statistics(x, eps)
        return x, weight, mean, invstd, eps

    @staticmethod
    def vjp(
        needs: tuple[bool, ...], g: Value, x: Value, weight: Value, mean: Value, invstd: Value, eps: float
    ) -> tuple[Value, ...]:
        axes = _axes(x)
        normal = (x - mean) * invstd
        gb = formula.sum(g, axes, True)
        gw = formula.sum(g * normal, axes, True)
        gx = None
        if needs[0]:
            count = 1.0 / max(1, math.prod([x.shape[i] for i in axes]))
            gx = (g - (gb + normal * gw) * count) * (invstd * _column(weight, x))
        channels = (x.shape[1],)
        return gx, reshape(gw, channels), reshape(gb, channels)

    @staticmethod
    def jvp(
        tangents: tuple[Value, ...], x: Value, weight: Value, mean: Value, invstd: Value, eps: float
    ) -> Value:
        dx, dw, db = tangents
        axes = _axes(x)
        normal = (x - mean) * invstd
        out: Value = 0.0
        if dx is not None:
            count = 1.0 / max(1, math.prod([x.shape[i] for i in axes]))
            shift = formula.sum(dx, axes, True) * count
            slope = formula.sum(dx * normal, axes, True) * count
            out = (dx - shift - normal * slope) * (invstd * _column(weight, x))
        if dw is not None:
            out = out + normal * _column(dw, x)
        return out if db is None else out + _column(db, x) + formula.zeros_like(x)


def _axes(x: Value) -> tuple[int, ...]:
    return (0, *range(2, len(x.shape)))


def _column(v: Value, x: Value) -> Value:
    """A per-channel vector (C,) shaped to broadcast against x (N, C, ...)."""
    return reshape(v, (1, -1) + (1,) * (len(x.shape) - 2))


def statistics(x: Value, eps: float) -> tuple[Value, Value, Value]:
    """Mean, biased variance and 1/sqrt(var + eps) per channel, each (1, C, 1, ...)."""
    axes = _axes(x)
    count = 1.0 / max(1, math.prod([x.shape[i] for i in axes]))
    mean = formula.sum(x, axes, True) * count
    centred = x - mean
    var = formula.sum(centred * centred, axes, True) * count
    return mean, var, (var + eps) ** -0.5


class BatchNormEval(Op):
    """The same with given statistics mean and var ``(C,)``, which are constants."""

    backward_name = "NativeBatchNormBackward0"
    saves = ("x", "weight", "mean", "invstd")

    @staticmethod
    def forward(
        x: Array, weight: Array, bias: Array, mean: Any, var: Any, eps: float
    ) -> tuple[Array, tuple[Any, ...]]:
        mean = _column(mean, x).astype(x.dtype, copy=False)
        invstd = (1.0 / np.sqrt(_column(var, x) + x.dtype.type(eps))).astype(x.dtype, copy=False)
        out = (x - mean) * (invstd * _column(weight, x)) + _column(bias, x)
        return out, (x, weight, mean, invstd)

    @staticmethod
    def vjp_x(g: Value, _x: Value, weight: Value, _mean: Array, invstd: Array) -> Value:
        return g * (_column(weight, g) * invstd)

    @staticmethod
    def vjp_weight(g: Value, x: Value, _weight: Value, mean: Array, invstd: Array) -> Value:
        return reshape(formula.sum(g * ((x - mean) * invstd), _axes(g), True), (g.shape[1],))

    @staticmethod
    def vjp_bias(g: Value, _x: Value, _weight: Value, _mean: Array, _invstd: Array) -> Value:
        return reshape(formula.sum(g, _axes(g), True), (g.shape[1],))

    @staticmethod
    def jvp_x(d: Value, x: Value, weight: Value, mean: Array, invstd: Array) -> Value:
        return d * (_column(weight, d) * invstd)

    @staticmethod
    def jvp_weight(d: Value, x: Value, weight: Value, mean: Array, invstd: Array) -> Value:
        return (x - mean) * invstd * _column(d, x)

    @staticmethod
    def jvp_bias(d: Value, x: Value, weight: Value, mean: Array, invstd: Array) -> Value:
        return _column(d, x) + formula.zeros_like(x)


class LayerNorm(Op):
    """``(x - mean) / sqrt(var + eps) * weight + bias`` with statistics over the last ``axes`` axes.

    weight and bias have the shape of those axes, or are None. Source: Ba et al. 2016, arXiv:1607.06450.
    """

    backward_name = "NativeLayerNormBackward0"
    saves = ("x", "weight", "normal", "invstd", "axes", "eps")

    @staticmethod
    def forward(x: Array, weight: Array, bias: Array, axes: int, eps: float) -> tuple[Array, tuple[Any, ...]]:
        normal, invstd = _standardised(x, _last(x, axes), eps)
        out = normal if weight is None else normal * weight
        if bias is not None:
            out = out + bias
        return (out.copy() if out is normal else out), (x, weight, normal, invstd, axes, eps)

    @staticmethod
    def relift(x: Value, weight: Value, _n: Array, _i: Array, axes: int, eps: float) -> tuple[Any, ...]:
        """The normalised x again from a recorded x."""
        return (x, weight, *_standardised(x, _last(x, axes), eps), axes, eps)

    @staticmethod
    def vjp_x(
        g: Value, x: Value, weight: Value, normal: Value, invstd: Value, axes: int, eps: float
    ) -> Value:
        return _pull_standard(g if weight is None else g * weight, normal, invstd, _last(x, axes))

    @staticmethod
    def vjp_weight(g: Value, _x: Value, _w: Value, normal: Value, _i: Value, axes: int, eps: float) -> Value:
        return formula.sum(g * normal, tuple(range(len(normal.shape) - axes)))

    @staticmethod
    def vjp_bias(g: Value, _x: Value, _w: Value, _n: Value, _i: Value, axes: int, eps: float) -> Value:
        return formula.sum(g, tuple(range(len(g.shape) - axes)))

    @staticmethod
    def jvp_x(
        d: Value, x: Value, weight: Value, normal: Value, invstd: Value, axes: int, eps: float
    ) -> Value:
        out = _pull_standard(d, normal, invstd, _last(x, axes))  # the Jacobian is symmetric
        return out if weight is None else out * weight

    @staticmethod
    def jvp_weight(
        d: Value, x: Value, weight: Value, normal: Value, invstd: Value, axes: int, eps: float
    ) -> Value:
        return normal * d

    @staticmethod
    def jvp_bias(
        d: Value, x: Value, weight: Value, normal: Value, invstd: Value, axes: int, eps: float
    ) -> Value:
        return formula.broadcast_to(d, normal.shape)


def _last(x: Value, count: int) -> tuple[int, ...]:
    return tuple(range(len(x.shape) - count, len(x.shape)))


def _standardised(x: Value, axes: tuple[int, ...], eps: float) -> tuple[Value, Value]:
    """x with mean 0 and variance 1 over axes, and 1/sqrt(var + eps)."""
    count = 1.0 / max(1, math.prod([x.shape[i] for i in axes]))
    centred = x - formula.sum(x, axes, True) * count
    invstd = (formula.sum(centred * centred, axes, True) * count + eps) ** -0.5
    return centred * invstd, invstd


def _pull_standard(g: Value, normal: Value, invstd: Value, axes: tuple[int, ...]) -> Value:
    """The cotangent of x from that of its standardised form."""
    count = 1.0 / max(1, math.prod([normal.shape[i] for i in axes]))
    mean = formula.sum(g, axes, True) * count
    slope = formula.sum(g * normal, axes, True) * count
    return (g - mean - normal * slope) * invstd


class GroupNorm(Op):
    """Standardised over groups of channels and all positions, then scaled and shifted per channel.

    x is ``(N, C, ...)``, weight and bias ``(C,)`` or None. Source: Wu & He 2018, arXiv:1803.08494.
    """

    backward_name = "NativeGroupNormBackward0"
    saves = ("x", "weight", "normal", "invstd", "groups", "eps")

    @staticmethod
    def forward(
        x: Array, weight: Array, bias: Array, groups: int, eps: float
    ) -> tuple[Array, tuple[Any, ...]]:
        normal, invstd = _standardised(_grouped(x, groups), (2,), eps)
        out = normal.reshape(x.shape)
        out = out.copy() if weight is None else out * _column(weight, x)
        if bias is not None:
            out = out + _column(bias, x)
        return out, (x, weight, normal, invstd, groups, eps)

    @staticmethod
    def relift(x: Value, weight: Value, _n: Array, _i: Array, groups: int, eps: float) -> tuple[Any, ...]:
        """The normalised x again from a recorded x."""
        return (x, weight, *_standardised(_grouped(x, groups), (2,), eps), groups, eps)

    @staticmethod
    def vjp_x(
        g: Value, x: Value, weight: Value, normal: Value, invstd: Value, groups: int, eps: float
    ) -> Value:
        if weight is not None:
            g = g * _column(weight, x)
        return reshape(_pull_standard(_grouped(g, groups), normal, invstd, (2,)), x.shape)

    @staticmethod
    def vjp_weight(g: Value, x: Value, _w: Value, normal: Value, _i: Value, groups: int, eps: float) -> Value:
        return formula.sum(g * reshape(normal, x.shape), _axes(x))

    @staticmethod
    def vjp_bias(g: Value, _x: Value, _w: Value, _n: Value, _i: Value, groups: int, eps: float) -> Value:
        return formula.sum(g, _axes(g))

    @staticmethod
    def jvp_x(
        d: Value, x: Value, weight: Value, normal: Value, invstd: Value, groups: int, eps: float
    ) -> Value:
        out = reshape(_pull_standard(_grouped(d, groups), normal, invstd, (2,)), x.shape)
        return out if weight is None else out * _column(weight, x)

    @staticmethod
    def jvp_weight(
        d: Value, x: Value, weight: Value, normal: Value, invstd: Value, groups: int, eps: float
    ) -> Value:
        return reshape(normal, x.shape) * _column(d, x)

    @staticmethod
    def jvp_bias(
        d: Value, x: Value, weight: Value, normal: Value, invstd: Value, groups: int, eps: float
    ) -> Value:
        return _column(d, x) + formula.zeros_like(x)


def _grouped(x: Value, groups: int) -> Value:
    """(N, C, ...) as (N, groups, the rest)."""
    rest = math.prod(x.shape[1:]) // groups
    return reshape(x, (x.shape[0], groups, rest))
