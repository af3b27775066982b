"""Activation functions, elementwise and along an axis."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..dtypes import Array
from . import formula
from .formula import Value
from .op import Elementwise, Op


class Relu(Elementwise):
    """``max(x, 0)``; its derivative at 0 is 0, and NaN passes through."""

    saves = ("out",)
    exact = True

    @staticmethod
    def forward(x: Array) -> tuple[Array, tuple[Array]]:
        out = np.maximum(x, x.dtype.type(0))
        return out, (out,)

    @staticmethod
    def vjp_x(g: Value, out: Value) -> Value:
        return g * (out > 0)


class Softmax(Op):
    """``exp(x) / sum(exp(x))`` along ``axis``; x is float of any shape, out has x's shape and dtype.

    The Jacobian ``diag(out) - out outᵀ`` is symmetric, so vjp and jvp are one formula. Shifting by
    the maximum changes no value and avoids overflow (Goodfellow et al., Deep Learning, 2016, 4.1).
    """

    saves = ("out", "axis")

    @staticmethod
    def forward(x: Array, axis: int) -> tuple[Array, tuple[Any, ...]]:
        if not x.size:
            return x.copy(), (x, axis)
        out = np.exp(x - x.max(axis=axis, keepdims=True))
        out /= np.add.reduce(out, axis, keepdims=True)
        return out, (out, axis)

    @staticmethod
    def vjp_x(g: Value, out: Value, axis: int) -> Value:
        return out * (g - formula.sum(g * out, axis, True))

    jvp_x = vjp_x
