"""Losses as single operators, so that a training step records one node where others record five.

``reduction`` is "none", "mean" or "sum"; input and target have one shape (broadcasting happens before).
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
from numpy import ndarray

from ..dtypes import F32, F64, Array
from ..kernels import table
from . import elementwise as ew
from . import formula
from .formula import Value, call
from .op import Linear, Op
from .special import Log1p, Sigmoid

#: losses of pairs of numbers, as kernels/rows.py counts them
SQUARE, ABSOLUTE, SMOOTH, HUBER, CROSS_ENTROPY, CROSS_ENTROPY_OF_LOGITS = range(6)


def reduced(out: Array, reduction: str) -> Any:
    """All elements, their mean (nan of none) or their sum."""
    if reduction == "none":
        return out
    total = np.add.reduce(out, None)
    if reduction == "sum":
        return total
    return total / out.dtype.type(out.size) if out.size else np.full((), np.nan, out.dtype)


def share(x: Value, reduction: str) -> float:
    """What one element contributes to the reduced loss."""
    return 1.0 / max(1, math.prod(x.shape)) if reduction == "mean" else 1.0


def reduced_tangent(d: Value, reduction: str) -> Value:
    """The same reduction of a tangent."""
    return d if reduction == "none" else formula.sum(d, None) * share(d, reduction)


def of_pairs(kind: int, x: Array, y: Array, width: float, reduction: str) -> Any:
    """A loss of pairs of numbers by its kernel."""
    if reduction == "none":
        return table.pair_losses(kind, x, y, width)
    total = table.pair_loss_sum(kind, x, y, width)
    if reduction == "sum":
        return total
    return total / x.dtype.type(x.size) if x.size else np.full((), np.nan, x.dtype)


class _Pairwise(Op):
    """A loss that depends on ``x - y`` alone: the derivative by y is minus the one by x."""

    saves = ("x", "y", "reduction", "width")
    kind: ClassVar[int]

    @classmethod
    def forward(cls, x: Array, y: Array, reduction: str, width: float) -> tuple[Any, tuple[Any, ...]]:
        return of_pairs(cls.kind, x, y, width, reduction), (x, y, reduction, width)

    @staticmethod
    def slope(d: Value, width: float) -> Value:
        """The derivative of one element by its difference d."""
        raise NotImplementedError

    def __init_subclass__(cls) -> None:
        slope = cls.slope

        def pulled(g: Value, x: Value, y: Value, factor: float, width: float) -> Value:
            if type(g) is ndarray and type(x) is ndarray and type(y) is ndarray:
                return table.pair_loss_grad(cls.kind, g, x, y, width, factor)
            return g * (slope(x - y, width) * factor)

        def vjp_x(g: Value, x: Value, y: Value, reduction: str, width: float) -> Value:
            return pulled(g, x, y, share(x, reduction), width)

        def vjp_y(g: Value, x: Value, y: Value, reduction: str, width: float) -> Value:
            return pulled(g, x, y, -share(x, reduction), width)

        def jvp_x(d: Value, x: Value, y: Value, reduction: str, width: float) -> Value:
            return reduced_tangent(d * slope(x - y, width), reduction)

        def jvp_y(d: Value, x: Value, y: Value, reduction: str, width: float) -> Value:
            return -reduced_tangent(d * slope(x - y, width), reduction)

        for rule in (vjp_x, vjp_y, jvp_x, jvp_y):
            setattr(cls, rule.__name__, staticmethod(rule))
        super().__init_subclass__()


class MseLoss(_Pairwise):
    """``(x - y)²``."""

    kind = SQUARE

    @staticmethod
    def slope(d: Value, width: float) -> Value:
        return d * 2.0


class L1Loss(_Pairwise):
    """``|x - y|``; its derivative where they are equal is 0."""

    backward_name = "MeanBackward0"

    kind = ABSOLUTE

    @staticmethod
    def slope(d: Value, width: float) -> Value:
        return _sign(d)


class SmoothL1Loss(_Pairwise):
    """``d² / (2 beta)`` where ``|d| < beta``, else ``|d| - beta / 2``, for ``d = x - y``."""

    kind = SMOOTH

    @staticmethod
    def slope(d: Value, width: float) -> Value:
        return formula.where((d < width) & (d > -width), d * (1.0 / width), _sign(d))


class HuberLoss(_Pairwise):
    """``d² / 2`` where ``|d| <= delta``, else ``delta (|d| - delta / 2)``, for ``d = x - y``."""

    kind = HUBER

    @staticmethod
    def slope(d: Value, width: float) -> Value:
        return formula.where((d <= width) & (d >= -width), d, _sign(d) * width)


def _sign(d: Value) -> Array:
    """-1, 0 or 1, a constant of d's dtype."""
    one = np.ones((), d.dtype)
    return one * (d > 0) - one * (d < 0)


class BinaryCrossEntropy(Op):
    """``-w (y log x + (1 - y) log(1 - x))`` with logarithms cut at -100; x in [0, 1]."""

    saves = ("x", "y", "w", "reduction")

    @staticmethod
    def forward(x: Array, y: Array, w: Any, reduction: str) -> tuple[Any, tuple[Any, ...]]:
        if w is None:
            return of_pairs(CROSS_ENTROPY, x, y, 0.0, reduction), (x, y, w, reduction)
        w = _like(w, x)
        out = table.pair_losses(CROSS_ENTROPY, x, y, 0.0) * w
        return reduced(out, reduction), (x, y, w, reduction)

    @staticmethod
    def vjp_x(g: Value, x: Value, y: Value, w: Any, reduction: str) -> Value:
        if w is None and type(g) is ndarray and type(x) is ndarray and type(y) is ndarray:
            return table.pair_loss_grad(CROSS_ENTROPY, g, x, y, 0.0, share(x, reduction))
        return g * _by_probability(x, y, _weight(w, x, reduction))

    @staticmethod
    def vjp_y(g: Value, x: Value, _y: Value, w: Any, reduction: str) -> Value:
        return g * _by_target(x, _weight(w, x, reduction))

    @staticmethod
    def jvp_x(d: Value, x: Value, y: Value, w: Any, reduction: str) -> Value:
        out = d * _by_probability(x, y, _weight(w, x, "none"))
        return reduced_tangent(out, reduction)

    @staticmethod
    def jvp_y(d: Value, x: Value, y: Value, w: Any, reduction: str) -> Value:
        return reduced_tangent(d * _by_target(x, _weight(w, x, "none")), reduction)


def _like(w: Any, x: Array) -> Any:
    """A constant weight in x's dtype."""
    return None if w is None else w.astype(x.dtype, copy=False)


def _weight(w: Any, x: Value, reduction: str) -> Any:
    factor = share(x, reduction)
    return factor if w is None else w * factor


def _by_probability(x: Value, y: Value, w: Any) -> Value:
    spread = x * (1.0 - x)
    return (x - y) * w / formula.where(spread > 1e-12, spread, 1e-12)


def _by_target(x: Value, w: Any) -> Value:
    inside = (x > 0) & (x < 1)
    safe = formula.where(inside, x, 0.5)
    edge = formula.where(x >= 1, np.full((), -100.0, x.dtype), np.full((), 100.0, x.dtype))
    return formula.where(inside, call(Log1p, -safe) - call(ew.Log, safe), edge) * w


class BinaryCrossEntropyWithLogits(Op):
    """Binary cross entropy of ``sigmoid(x)``, by ``max(x, 0) - x y + log(1 + exp(-|x|))``.

    ``w`` weighs elements, ``p`` the positive part; both are constants.
    """

    saves = ("x", "y", "w", "p", "reduction")

    @staticmethod
    def forward(x: Array, y: Array, w: Any, p: Any, reduction: str) -> tuple[Any, tuple[Any, ...]]:
        if w is None and p is None:
            return of_pairs(CROSS_ENTROPY_OF_LOGITS, x, y, 0.0, reduction), (x, y, w, p, reduction)
        w, p = _like(w, x), _like(p, x)
        soft = np.log1p(np.exp(-np.abs(x)))
        if p is None:
            out = np.maximum(x, 0) - x * y + soft
        else:
            out = (1 - y) * x + (1 + (p - 1) * y) * (soft + np.maximum(-x, 0))
        if w is not None:
            out = out * w
        return reduced(out, reduction), (x, y, w, p, reduction)

    @staticmethod
    def vjp_x(g: Value, x: Value, y: Value, w: Any, p: Any, reduction: str) -> Value:
        if w is None and p is None and type(g) is ndarray and type(x) is ndarray and type(y) is ndarray:
            return table.pair_loss_grad(CROSS_ENTROPY_OF_LOGITS, g, x, y, 0.0, share(x, reduction))
        return g * (_by_logit(x, y, p) * _weight(w, x, reduction))

    @staticmethod
    def vjp_y(g: Value, x: Value, _y: Value, w: Any, p: Any, reduction: str) -> Value:
        return g * (_by_label(x, p) * _weight(w, x, reduction))

    @staticmethod
    def jvp_x(d: Value, x: Value, y: Value, w: Any, p: Any, reduction: str) -> Value:
        return reduced_tangent(d * (_by_logit(x, y, p) * _weight(w, x, "none")), reduction)

    @staticmethod
    def jvp_y(d: Value, x: Value, y: Value, w: Any, p: Any, reduction: str) -> Value:
        return reduced_tangent(d * (_by_label(x, p) * _weight(w, x, "none")), reduction)


def _by_logit(x: Value, y: Value, p: Any) -> Value:
    s = call(Sigmoid, x)
    return s - y if p is None else (1.0 - y) - (1.0 + (p - 1.0) * y) * (1.0 - s)


def _by_label(x: Value, p: Any) -> Value:
    if p is None:
        return -x
    return -x - call(ew.Log, call(Sigmoid, x)) * (p - 1.0)


class NllLoss(Linear):
    """``coeff[n, ...] x[n, target[n, ...], ...]``, summed if ``reduce``.

    x is ``(N, C, ...)``, target and coeff are ``(N, ...)``.

    ``coeff`` holds minus the class weight, over the sum of weights for a mean, 0 where ignored.
    """

    holds = True

    saves = ("target", "coeff", "reduce", "shape")

    @staticmethod
    def forward(x: Array, target: Any, coeff: Any, reduce: bool) -> tuple[Any, tuple[Any, ...]]:
        picked = np.take_along_axis(x, target[:, None], 1)[:, 0] * coeff
        # where coeff is 0 an infinite x must not make nan
        picked[coeff == 0] = 0
        return (np.add.reduce(picked, None) if reduce else picked), (target, coeff, reduce, x.shape)

    @staticmethod
    def vjp_x(g: Value, target: Any, coeff: Any, reduce: bool, shape: tuple[int, ...]) -> Value:
        return call(NllSpread, g, target, coeff, reduce, shape)


class NllLoss2D(NllLoss):
    """The same for images and other inputs with positions, under PyTorch's name for it."""


class NllSpread(Linear):
    """Zeros ``(N, C, ...)`` with ``coeff g`` at the targets: the adjoint of ``NllLoss``."""

    saves = ("target", "coeff", "reduce", "shape")

    @staticmethod
    def forward(
        g: Array, target: Any, coeff: Any, reduce: bool, shape: tuple[int, ...]
    ) -> tuple[Array, tuple[Any, ...]]:
        if g.dtype is coeff.dtype and coeff.size and (g.dtype is F32 or g.dtype is F64):
            return table.likelihood_grad(g, target, coeff, shape[1]), (target, coeff, reduce, shape)
        placed = np.asarray(g * coeff).astype(g.dtype, copy=False)[:, None]
        return table.add_along(placed, target[:, None], 1, shape[1]), (target, coeff, reduce, shape)

    @staticmethod
    def vjp_g(d: Value, target: Any, coeff: Any, reduce: bool, shape: tuple[int, ...]) -> Value:
        return call(NllLoss, d, target, coeff, reduce)
