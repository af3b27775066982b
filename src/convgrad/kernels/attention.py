"""Scaled dot-product attention in NumPy, with its gradients: the definitions, and what runs where nothing is
compiled.

Backward finds the weights again from the scores and the logarithm of their sum, so that an array of all
weights need not be kept (Rabe & Staats 2021, arXiv:2112.05682).
"""

from __future__ import annotations

import numpy as np

from convgrad.dtypes import Array


def attention(
    q: Array,
    k: Array,
    v: Array,
    mask: Array | None,
    noise: Array | None,
    scale: float,
    wants_norm: bool = True,
) -> tuple[Array, Array | None]:
    """``(softmax(scale q kᵀ + mask) * noise) v``; a query that may look nowhere gets zeros.

    Args:
        q, k, v: ``(..., L, E)``, ``(..., S, E)`` and ``(..., S, F)`` of a float dtype; what leads broadcasts.
        mask: the same dtype, broadcasts to ``(..., L, S)``, or None.
        noise: ``(..., L, S)``, or None.
        wants_norm: whether the second result is.
    Returns:
        ``(..., L, F)``, and ``log(sum(exp(scores)))`` of each query, ``(..., L)``, infinity for one that
        may look nowhere.
    Source: Vaswani et al. 2017, arXiv:1706.03762, section 3.2.1.
    """
    p = _scores(q, k, mask, scale)
    top = np.maximum.reduce(p, -1, keepdims=True, initial=-np.inf)
    top = np.where(top == -np.inf, p.dtype.type(0), top)
    p -= top
    np.exp(p, p)
    total = np.add.reduce(p, -1, keepdims=True)
    lost = total == 0
    norm = np.where(lost, p.dtype.type(np.inf), top + np.log(np.where(lost, 1, total)))[..., 0]
    p /= np.where(lost, 1, total)
    if noise is not None:
        p *= noise
    return np.matmul(p, v), norm


def attention_grad(
    g: Array, q: Array, k: Array, v: Array, mask: Array | None, noise: Array | None, scale: float, out: Array,
    norm: Array, wants: tuple[bool, ...] = (True, True, True),
) -> tuple[Array | None, ...]:  # fmt: skip
    """The gradients of ``attention`` in q, k and v, as far as wanted.

    Args:
        g: what arrives at the result.
        out, norm: the results.
    Returns:
        gradients that have the leading axes of out, where q, k or v were broadcast.
    """
    p = np.exp(_scores(q, k, mask, scale) - norm[..., None])
    gq = gk = gv = None
    if wants[2]:
        gv = np.matmul(np.swapaxes(p if noise is None else p * noise, -1, -2), g)
    if wants[0] or wants[1]:
        slopes = np.matmul(g, np.swapaxes(v, -1, -2))
        if noise is not None:
            slopes *= noise
        slopes -= np.add.reduce(g * out, -1, keepdims=True)
        slopes *= p
        slopes *= scale
        gq = np.matmul(slopes, k) if wants[0] else None
        gk = np.matmul(np.swapaxes(slopes, -1, -2), q) if wants[1] else None
    return gq, gk, gv


def _scores(q: Array, k: Array, mask: Array | None, scale: float) -> Array:
    scores: Array = np.matmul(q * scale, np.swapaxes(k, -1, -2))
    return scores if mask is None else scores + mask
