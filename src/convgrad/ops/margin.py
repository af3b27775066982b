"""Losses that ask for a margin between scores, and the logistic loss of a sign.

``reduction`` is "none", "mean" or "sum".
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..dtypes import Array
from . import formula
from .formula import Value, call, reshape
from .loss import reduced, reduced_tangent, share
from .op import Op
from .reduce import Gather, ScatterSum
from .special import Sigmoid


class SoftMarginLoss(Op):
    """``log(1 + exp(-y x))``: x scores, y signs (a constant) that broadcast against each other."""

    saves = ("x", "y", "reduction")

    @staticmethod
    def forward(x: Array, y: Any, reduction: str) -> tuple[Any, tuple[Any, ...]]:
        return reduced(np.logaddexp(-y * x, x.dtype.type(0)), reduction), (x, y, reduction)

    @staticmethod
    def vjp_x(g: Value, x: Value, y: Any, reduction: str) -> Value:
        slope = call(Sigmoid, x * -y) * -y
        return g * (slope * share(slope, reduction))

    @staticmethod
    def jvp_x(d: Value, x: Value, y: Any, reduction: str) -> Value:
        return reduced_tangent(d * (call(Sigmoid, x * -y) * -y), reduction)


class MultilabelMarginLoss(Op):
    """``sum over j, i of coeff[n, j, i] max(0, margin - x[n, target[n, j]] + x[n, i])^p``; x is ``(N, C)``.

    ``target`` is ``(N, J)``; ``coeff`` is ``(N, J, C)``, 0 for pairs that do not count. The result is
    ``(N,)``
    with "none".
    """

    saves = ("x", "target", "coeff", "margin", "p", "reduction")

    @staticmethod
    def forward(
        x: Array, target: Any, coeff: Any, margin: float, p: int, reduction: str
    ) -> tuple[Any, tuple[Any, ...]]:
        gap = np.maximum(_gap(x, target) + margin, 0)
        each = np.add.reduce(coeff * (gap if p == 1 else gap * gap), (1, 2))
        return reduced(each, reduction), (x, target, coeff, margin, p, reduction)

    @staticmethod
    def vjp_x(g: Value, x: Value, target: Any, coeff: Any, margin: float, p: int, reduction: str) -> Value:
        slope = _slope(x, target, coeff, margin, p)
        if reduction == "none":
            slope = slope * reshape(g, (x.shape[0], 1, 1))
        else:
            slope = slope * (g * (1.0 / max(1, x.shape[0]) if reduction == "mean" else 1.0))
        own = call(ScatterSum, formula.sum(slope, 2), target, 1, x.shape)
        return formula.sum(slope, 1) - own

    @staticmethod
    def jvp_x(d: Value, x: Value, target: Any, coeff: Any, margin: float, p: int, reduction: str) -> Value:
        moved = formula.sum(_slope(x, target, coeff, margin, p) * _gap(d, target), (1, 2))
        return reduced_tangent(moved, reduction)


class MultiMarginLoss(MultilabelMarginLoss):
    """The same with one target for each row."""


def _gap(x: Value, target: Any) -> Value:
    """``x[n, i] - x[n, target[n, j]]``, ``(N, J, C)``."""
    n, c = x.shape
    return reshape(x, (n, 1, c)) - reshape(call(Gather, x, target, 1), (n, target.shape[1], 1))


def _slope(x: Value, target: Any, coeff: Any, margin: float, p: int) -> Value:
    """The derivative of each pair's term by its gap."""
    gap = _gap(x, target) + margin
    if p == 1:
        return coeff * (gap > 0)
    return formula.where(gap > 0, gap * 2.0, 0.0) * coeff


__all__ = ["MultiMarginLoss", "MultilabelMarginLoss", "SoftMarginLoss"]
