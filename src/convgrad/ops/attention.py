"""Scaled dot-product attention as one operator: scores, softmax and mixture without a node for each."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..dtypes import Array
from ..kernels import table
from . import formula
from .activation import Softmax, through_softmax
from .formula import Value, bare, call, swap_last, where
from .matmul import MatMul
from .op import Op


class ScaledDotProductAttention(Op):
    """``softmax(scale q kᵀ + mask) v``: q ``(..., L, E)``, k ``(..., S, E)``, v ``(..., S, F)``.

    ``mask`` (or None) is added to the scores; ``allowed`` (a constant, or None) is False where a query may
    not look; ``noise`` (or None) multiplies the weights (dropout). A query that may look nowhere gets zeros.
    Source: Vaswani et al. 2017, arXiv:1706.03762, section 3.2.1.
    """

    backward_name = "ScaledDotProductFlashAttentionForCpuBackward0"
    saves = ("q", "k", "v", "mask", "out", "norm", "allowed", "noise", "scale")

    @staticmethod
    def forward(
        q: Array, k: Array, v: Array, mask: Array, allowed: Any, noise: Any, scale: float
    ) -> tuple[Array, tuple[Any, ...]]:
        out, norm = table.attention(q, k, v, _added(mask, allowed, q.dtype), noise, scale)
        return out, (q, k, v, mask, out, norm, allowed, noise, scale)

    @staticmethod
    def vjp(
        needs: tuple[bool, ...], g: Value, q: Value, k: Value, v: Value, mask: Value, out: Value, norm: Any,
        allowed: Any, noise: Any, scale: float,
    ) -> tuple[Value, ...]:  # fmt: skip
        if not needs[3] and bare(g, q, k, v, out):
            added = _added(mask, allowed, q.dtype)
            return (*table.attention_grad(g, q, k, v, added, noise, scale, out, norm, needs[:3]), None)
        p = _weights(q, k, mask, allowed, scale)
        gq = gk = gv = gs = None
        if needs[2]:
            gv = call(MatMul, swap_last(p if noise is None else p * noise), g)
        if needs[0] or needs[1] or needs[3]:
            gs = _through_softmax(_dropped(call(MatMul, g, swap_last(v)), noise), p)
        if needs[0]:
            gq = call(MatMul, gs, k) * scale
        if needs[1]:
            gk = call(MatMul, swap_last(gs), q) * scale
        return gq, gk, gv, gs

    @staticmethod
    def jvp(
        tangents: tuple[Value, ...], q: Value, k: Value, v: Value, mask: Value, _out: Value, _norm: Any,
        allowed: Any, noise: Any, scale: float,
    ) -> Value:  # fmt: skip
        p = _weights(q, k, mask, allowed, scale)
        dq, dk, dv, dm = tangents
        moved = []
        if dq is not None:
            moved.append(call(MatMul, dq * scale, swap_last(k)))
        if dk is not None:
            moved.append(call(MatMul, q * scale, swap_last(dk)))
        if dm is not None:
            moved.append(dm)
        parts = [
            call(MatMul, _dropped(_through_softmax(ds + formula.zeros_like(p), p), noise), v) for ds in moved
        ]
        if dv is not None:
            parts.append(call(MatMul, _dropped(p, noise), dv))
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        return total


def _added(mask: Any, allowed: Any, dtype: Any) -> Any:
    """A mask and where one may look, as numbers to add to the scores; None if there is neither."""
    if allowed is None:
        return mask
    return np.where(allowed, dtype.type(0) if mask is None else mask, dtype.type(-np.inf))


def _weights(q: Value, k: Value, mask: Value, allowed: Any, scale: float) -> Value:
    """The softmax of the scores, zeros where a query may look nowhere."""
    s = call(MatMul, q * scale, swap_last(k))
    if mask is not None:
        s = s + mask
    if allowed is not None:
        s = where(allowed, s, -np.inf)
    lost = ~np.any(s != -np.inf, -1, keepdims=True)
    return where(lost, 0.0, call(Softmax, where(lost, 0.0, s), -1))


def _through_softmax(d: Value, p: Value) -> Value:
    return through_softmax(d, p, -1)


def _dropped(x: Value, noise: Any) -> Value:
    return x if noise is None else x * noise


__all__ = ["ScaledDotProductAttention"]
