"""Normalisation: operators that shift and scale by statistics of their own input."""

from __future__ import annotations

import math
from typing import Any

from numpy import ndarray

from ..dtypes import Array
from ..kernels import table
from . import formula
from .formula import Value, reshape
from .op import Op


class BatchNorm(Op):
    """``(x - mean) / sqrt(var + eps) * weight + bias`` per channel, with the batch's own statistics.

    x is ``(N, C, ...)``, weight and bias ``(C,)`` or None. Besides the result it gives mean and (biased)
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
        out, mean, var, invstd = table.batch_norm(x, weight, bias, eps)
        return (out, mean, var), (x, weight, mean, invstd, eps)

    @staticmethod
    def relift(x: Value, weight: Value, _mean: Array, _invstd: Array, eps: float) -> tuple[Any, ...]:
        """Mean and deviation again from a recorded x, so that second derivatives see them move."""
        return x, weight, *_standard(x, _axes(x), eps), eps

    # In an ordinary backward all gradients come from one kernel; recorded values have a formula, for
    # derivatives of any order. So it is with all operators here.

    @staticmethod
    def vjp(
        needs: tuple[bool, ...], g: Value, x: Value, weight: Value, mean: Value, invstd: Value, eps: float
    ) -> tuple[Value, ...]:
        if type(g) is ndarray and type(x) is ndarray:
            return table.batch_norm_grad(g, x, weight, mean, invstd, False, needs[0])[:3]
        axes = _axes(x)
        invstd = _column(invstd, x)
        normal = (x - _column(mean, x)) * invstd
        gb = formula.sum(g, axes, True)
        gw = formula.sum(g * normal, axes, True)
        gx = None
        if needs[0]:
            scale = invstd if weight is None else invstd * _column(weight, x)
            gx = (g - (gb + normal * gw) * _share(x, axes)) * scale
        channels = (x.shape[1],)
        return gx, reshape(gw, channels), reshape(gb, channels)

    @staticmethod
    def jvp(
        tangents: tuple[Value, ...], x: Value, weight: Value, mean: Value, invstd: Value, eps: float
    ) -> Value:
        dx, dw, db = tangents
        axes = _axes(x)
        invstd = _column(invstd, x)
        normal = (x - _column(mean, x)) * invstd
        out: Value = 0.0
        if dx is not None:
            scale = invstd if weight is None else invstd * _column(weight, x)
            shift = formula.sum(dx, axes, True) * _share(x, axes)
            slope = formula.sum(dx * normal, axes, True) * _share(x, axes)
            out = (dx - shift - normal * slope) * scale
        if dw is not None:
            out = out + normal * _column(dw, x)
        return out if db is None else out + _column(db, x) + formula.zeros_like(x)


def _axes(x: Value) -> tuple[int, ...]:
    return (0, *range(2, len(x.shape)))


def _column(v: Value, x: Value) -> Value:
    """A per-channel vector (C,) shaped to broadcast against x (N, C, ...)."""
    return reshape(v, (1, -1) + (1,) * (len(x.shape) - 2))


def _share(x: Value, axes: tuple[int, ...]) -> float:
    """What one of the values along axes contributes to their mean."""
    return 1.0 / max(1, math.prod([x.shape[i] for i in axes]))


def _standard(x: Value, axes: tuple[int, ...], eps: float) -> tuple[Value, Value]:
    """Mean and 1/sqrt(var + eps) over axes, which stay with size 1."""
    mean = formula.sum(x, axes, True) * _share(x, axes)
    centred = x - mean
    return mean, (formula.sum(centred * centred, axes, True) * _share(x, axes) + eps) ** -0.5


class BatchNormEval(Op):
    """The same with given statistics mean and var ``(C,)``, which are constants."""

    backward_name = "NativeBatchNormBackward0"
    saves = ("x", "weight", "mean", "invstd")
    reads = {"x": ("weight", "invstd"), "bias": ()}

    @staticmethod
    def forward(
        x: Array, weight: Array, bias: Array, mean: Any, var: Any, eps: float
    ) -> tuple[Array, tuple[Any, ...]]:
        mean, var = [v.astype(x.dtype, copy=False) for v in (mean, var)]
        out, invstd = table.batch_norm_eval(x, weight, bias, mean, var, eps)
        return out, (x, weight, mean, invstd)

    @staticmethod
    def vjp(
        needs: tuple[bool, ...], g: Value, x: Value, weight: Value, mean: Value, invstd: Value
    ) -> tuple[Value, ...]:
        if needs[1] and type(g) is ndarray and type(x) is ndarray:
            return table.batch_norm_grad(g, x, weight, mean, invstd, True, needs[0])[:3]
        pairs = zip(needs, BatchNormEval.vjps, strict=True)
        return tuple([f(g, x, weight, mean, invstd) if n and f is not None else None for n, f in pairs])

    @staticmethod
    def vjp_x(g: Value, _x: Value, weight: Value, _mean: Array, invstd: Array) -> Value:
        return g * _scale(g, weight, invstd)

    @staticmethod
    def vjp_weight(g: Value, x: Value, weight: Value, mean: Array, invstd: Array) -> Value:
        normal = (x - _column(mean, x)) * _column(invstd, x)
        return reshape(formula.sum(g * normal, _axes(g), True), (g.shape[1],))

    @staticmethod
    def vjp_bias(g: Value, _x: Value, _weight: Value, _mean: Array, _invstd: Array) -> Value:
        return formula.channel_sums(g)

    @staticmethod
    def jvp_x(d: Value, x: Value, weight: Value, mean: Array, invstd: Array) -> Value:
        return d * _scale(d, weight, invstd)

    @staticmethod
    def jvp_weight(d: Value, x: Value, weight: Value, mean: Array, invstd: Array) -> Value:
        return (x - _column(mean, x)) * _column(invstd, x) * _column(d, x)

    @staticmethod
    def jvp_bias(d: Value, x: Value, weight: Value, mean: Array, invstd: Array) -> Value:
        return _column(d, x) + formula.zeros_like(x)


def _scale(x: Value, weight: Value, invstd: Array) -> Value:
    return _column(invstd if weight is None else weight * invstd, x)


class LayerNorm(Op):
    """``(x - mean) / sqrt(var + eps) * weight + bias`` with statistics over the last ``axes`` axes.

    weight and bias have the shape of those axes, or are None. Source: Ba et al. 2016, arXiv:1607.06450.
    """

    backward_name = "NativeLayerNormBackward0"
    saves = ("x", "weight", "mean", "invstd", "axes", "eps")

    @staticmethod
    def forward(x: Array, weight: Array, bias: Array, axes: int, eps: float) -> tuple[Array, tuple[Any, ...]]:
        out, mean, invstd = table.layer_norm(x, weight, bias, axes, eps)
        return out, (x, weight, mean, invstd, axes, eps)

    @staticmethod
    def relift(x: Value, weight: Value, _m: Array, _i: Array, axes: int, eps: float) -> tuple[Any, ...]:
        """Mean and deviation again from a recorded x."""
        return x, weight, *_standard(x, _last(x, axes), eps), axes, eps

    @staticmethod
    def vjp(
        needs: tuple[bool, ...], g: Value, x: Value, weight: Value, mean: Value, invstd: Value, axes: int,
        eps: float,
    ) -> tuple[Value, ...]:  # fmt: skip
        if type(g) is ndarray and type(x) is ndarray:
            return table.layer_norm_grad(g, x, weight, mean, invstd, axes, needs)
        normal, lead = (x - mean) * invstd, tuple(range(len(x.shape) - axes))
        gx = None
        if needs[0]:
            gx = _pull_standard(g if weight is None else g * weight, normal, invstd, _last(x, axes))
        gw = formula.sum(g * normal, lead) if needs[1] else None
        return gx, gw, formula.sum(g, lead) if needs[2] else None

    @staticmethod
    def jvp(
        tangents: tuple[Value, ...], x: Value, weight: Value, mean: Value, invstd: Value, axes: int,
        eps: float,
    ) -> Value:  # fmt: skip
        dx, dw, db = tangents
        normal = (x - mean) * invstd
        out: Value = 0.0
        if dx is not None:
            out = _pull_standard(dx, normal, invstd, _last(x, axes))  # the Jacobian is symmetric
            out = out if weight is None else out * weight
        if dw is not None:
            out = out + normal * dw
        return out if db is None else out + formula.broadcast_to(db, x.shape)


def _last(x: Value, count: int) -> tuple[int, ...]:
    return tuple(range(len(x.shape) - count, len(x.shape)))


def _pull_standard(g: Value, normal: Value, invstd: Value, axes: tuple[int, ...]) -> Value:
    """The cotangent of x from that of its standardised form."""
    share = _share(normal, axes)
    mean = formula.sum(g, axes, True) * share
    slope = formula.sum(g * normal, axes, True) * share
    return (g - mean - normal * slope) * invstd


class RmsNorm(Op):
    """``x / sqrt(mean(x²) + eps) * weight``, the mean over the last ``axes`` axes.

    weight has the shape of those axes, or is None. Source: Zhang & Sennrich 2019, arXiv:1910.07467.
    """

    backward_name = "MulBackward0"  # the last of the operators that PyTorch makes it of
    saves = ("x", "weight", "invrms", "axes", "eps")

    @staticmethod
    def forward(x: Array, weight: Array, axes: int, eps: float) -> tuple[Array, tuple[Any, ...]]:
        out, invrms = table.rms_norm(x, weight, axes, eps)
        return out, (x, weight, invrms, axes, eps)

    @staticmethod
    def relift(x: Value, weight: Value, _invrms: Array, axes: int, eps: float) -> tuple[Any, ...]:
        """The root mean square again from a recorded x."""
        last = _last(x, axes)
        return x, weight, (formula.sum(x * x, last, True) * _share(x, last) + eps) ** -0.5, axes, eps

    @staticmethod
    def vjp(
        needs: tuple[bool, ...], g: Value, x: Value, weight: Value, invrms: Value, axes: int, eps: float
    ) -> tuple[Value, ...]:
        if type(g) is ndarray and type(x) is ndarray:
            return table.rms_norm_grad(g, x, weight, invrms, axes, needs)
        normal = x * invrms
        gx = None
        if needs[0]:
            gx = _pull_root(g if weight is None else g * weight, normal, invrms, _last(x, axes))
        lead = tuple(range(len(x.shape) - axes))
        return gx, formula.sum(g * normal, lead) if needs[1] else None

    @staticmethod
    def jvp(
        tangents: tuple[Value, ...], x: Value, weight: Value, invrms: Value, axes: int, eps: float
    ) -> Value:
        dx, dw = tangents
        normal = x * invrms
        out: Value = 0.0
        if dx is not None:
            out = _pull_root(dx, normal, invrms, _last(x, axes))  # symmetric, again
            out = out if weight is None else out * weight
        return out if dw is None else out + normal * dw


def _pull_root(g: Value, normal: Value, invrms: Value, axes: tuple[int, ...]) -> Value:
    """The cotangent of x from that of x over its root mean square."""
    slope = formula.sum(g * normal, axes, True) * _share(normal, axes)
    return (g - normal * slope) * invrms


class GroupNorm(Op):
    """Standardised over groups of channels and all positions, then scaled and shifted per channel.

    x is ``(N, C, ...)``, weight and bias ``(C,)`` or None. Source: Wu & He 2018, arXiv:1803.08494.
    """

    backward_name = "NativeGroupNormBackward0"
    saves = ("x", "weight", "mean", "invstd", "groups", "eps")

    @staticmethod
    def forward(
        x: Array, weight: Array, bias: Array, groups: int, eps: float
    ) -> tuple[Array, tuple[Any, ...]]:
        out, mean, invstd = table.group_norm(x, weight, bias, groups, eps)
        return out, (x, weight, mean, invstd, groups, eps)

    @staticmethod
    def relift(x: Value, weight: Value, _m: Array, _i: Array, groups: int, eps: float) -> tuple[Any, ...]:
        """Mean and deviation again from a recorded x."""
        return x, weight, *_standard(_grouped(x, groups), (2,), eps), groups, eps

    @staticmethod
    def vjp(
        needs: tuple[bool, ...], g: Value, x: Value, weight: Value, mean: Value, invstd: Value, groups: int,
        eps: float,
    ) -> tuple[Value, ...]:  # fmt: skip
        if type(g) is ndarray and type(x) is ndarray:
            return table.group_norm_grad(g, x, weight, mean, invstd, groups, needs)
        normal = (_grouped(x, groups) - mean) * invstd
        gx = None
        if needs[0]:
            h = _grouped(g if weight is None else g * _column(weight, x), groups)
            gx = reshape(_pull_standard(h, normal, invstd, (2,)), x.shape)
        gw = formula.sum(g * reshape(normal, x.shape), _axes(x)) if needs[1] else None
        return gx, gw, formula.sum(g, _axes(g)) if needs[2] else None

    @staticmethod
    def jvp(
        tangents: tuple[Value, ...], x: Value, weight: Value, mean: Value, invstd: Value, groups: int,
        eps: float,
    ) -> Value:  # fmt: skip
        dx, dw, db = tangents
        normal = (_grouped(x, groups) - mean) * invstd
        out: Value = 0.0
        if dx is not None:
            out = reshape(_pull_standard(_grouped(dx, groups), normal, invstd, (2,)), x.shape)
            out = out if weight is None else out * _column(weight, x)
        if dw is not None:
            out = out + reshape(normal, x.shape) * _column(dw, x)
        return out if db is None else out + _column(db, x) + formula.zeros_like(x)


def _grouped(x: Value, groups: int) -> Value:
    """(N, C, ...) as (N, groups, the rest)."""
    rest = math.prod(x.shape[1:]) // groups
    return reshape(x, (x.shape[0], groups, rest))
