"""The linear layer as one operator: matrix product and bias together."""

from __future__ import annotations

from typing import Any

from ..dtypes import Array
from . import formula
from .formula import Value, reshape, swap_last
from .op import Op


class LinearLayer(Op):
    """``x wᵀ + b`` with x ``(..., I)``, w ``(O, I)`` and b ``(O,)`` or None: ``(..., O)``."""

    backward_name = "AddmmBackward0"
    saves = ("x", "w")

    @staticmethod
    def forward(x: Array, w: Array, b: Array) -> tuple[Array, tuple[Any, ...]]:
        out = x @ w.T
        if b is not None:
            out += b
        return out, (x, w)

    @staticmethod
    def vjp_x(g: Value, _x: Value, w: Value) -> Value:
        return g @ w

    @staticmethod
    def vjp_w(g: Value, x: Value, _w: Value) -> Value:
        return swap_last(_rows(g)) @ _rows(x)

    @staticmethod
    def vjp_b(g: Value, _x: Value, _w: Value) -> Value:
        return formula.sum(_rows(g), 0)

    @staticmethod
    def jvp_x(d: Value, x: Value, w: Value) -> Value:
        return d @ swap_last(w)

    @staticmethod
    def jvp_w(d: Value, x: Value, w: Value) -> Value:
        return x @ swap_last(d)

    @staticmethod
    def jvp_b(d: Value, x: Value, w: Value) -> Value:
        return formula.broadcast_to(d, (*x.shape[:-1], w.shape[0]))


class LinearNoBias(LinearLayer):
    """The same where there is no bias, under PyTorch's name for it."""

    backward_name = "MmBackward0"


def _rows(v: Value) -> Value:
    """(..., n) as (rows, n)."""
    if len(v.shape) == 2:
        return v
    count = 1
    for n in v.shape[:-1]:
        count *= n
    return reshape(v, (count, v.shape[-1]))


class LinearMany(LinearLayer):
    """The same for x that is no matrix, under PyTorch's name for it."""

    backward_name = "ViewBackward0"


class LinearManyNoBias(LinearLayer):
    """The same for x of three dimensions or more without bias, under PyTorch's name for it."""

    backward_name = "UnsafeViewBackward0"


class LinearVectorNoBias(LinearLayer):
    """The same for one vector without bias, under PyTorch's name for it."""

    backward_name = "SqueezeBackward4"
