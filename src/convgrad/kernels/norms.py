"""Normalisation in NumPy, with its gradients: the definitions, and what runs where nothing is compiled.

Arrays are float32 or float64. x is ``(N, C, *S)`` where channels are meant, and has any shape where the last
axes are. Statistics are returned beside the result, for the gradients and for running estimates; variances
are those without Bessel's correction.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from convgrad.dtypes import Array

# ---- by channel


def batch_norm(
    x: Array, weight: Array | None, bias: Array | None, eps: float, activation: str | None = None,
    addend: Array | None = None,
) -> tuple[Array, Array, Array, Array]:  # fmt: skip
    """``(x - mean) / sqrt(var + eps) * weight + bias`` per channel, with the batch's own statistics.

    Args:
        x: ``(N, C, *S)``.
        weight, bias: ``(C,)`` or None.
        activation: None or "relu".
        addend: like x; added before the activation.
    Returns:
        the result like x; mean, var and ``1 / sqrt(var + eps)``, ``(C,)`` each.
    Source: Ioffe & Szegedy 2015, arXiv:1502.03167.
    """
    axes, count = _axes(x), max(1, x.size // max(1, x.shape[1]))
    mean = np.add.reduce(x, axes, keepdims=True) * x.dtype.type(1 / count)
    centred = x - mean
    var = np.add.reduce(centred * centred, axes) * x.dtype.type(1 / count)
    invstd = (1 / np.sqrt(var + x.dtype.type(eps))).astype(x.dtype, copy=False)
    out = _finished(_scaled(centred, weight, bias, invstd), activation, addend)
    return out, mean.reshape(-1), var, invstd


def batch_norm_eval(
    x: Array, weight: Array | None, bias: Array | None, mean: Array, var: Array, eps: float,
    activation: str | None = None, addend: Array | None = None,
) -> tuple[Array, Array]:  # fmt: skip
    """``batch_norm`` with statistics that are given; returns the result and ``1 / sqrt(var + eps)``."""
    mean = _column(mean, x).astype(x.dtype, copy=False)
    invstd = (1 / np.sqrt(var + x.dtype.type(eps))).astype(x.dtype, copy=False)
    return _finished(_scaled(x - mean, weight, bias, invstd), activation, addend), invstd


def batch_norm_grad(
    g: Array, x: Array, weight: Array | None, mean: Array, invstd: Array, given: bool = False,
    wants_x: bool = True, out: Array | None = None, wants_addend: bool = False,
) -> tuple[Array | None, Array, Array, Array | None]:  # fmt: skip
    """The gradients of ``batch_norm``, and of ``batch_norm_eval`` if the statistics were ``given``.

    Args:
        g: what arrives at the result.
        mean, invstd: as they were found, ``(C,)``.
        out: the result, if it went through relu: where it is not positive, no gradient passes.
        wants_x, wants_addend: whether the gradients that have x's shape are wanted.
    Returns:
        the gradients of x, weight, bias and addend; None for what was not wanted.
    """
    g = g.astype(x.dtype, copy=False)
    if out is not None:
        g = np.where(out <= 0, g.dtype.type(0), g)
    axes = _axes(x)
    normal = (x - _column(mean, x)) * _column(invstd, x)
    gbias = np.add.reduce(g, axes)
    gweight = np.add.reduce(g * normal, axes)
    gx = None
    if wants_x:
        scale = _column(invstd if weight is None else invstd * weight, x)
        count = x.dtype.type(1 / max(1, x.size // max(1, x.shape[1])))
        shift = 0 if given else (_column(gbias, x) + normal * _column(gweight, x)) * count
        gx = (g - shift) * scale
    return gx, gweight, gbias, g if wants_addend else None


def move_statistics(
    running_mean: Array, running_var: Array, mean: Array, var: Array, factor: float, momentum: float
) -> None:
    """Move running statistics in place: ``(1 - momentum) running + momentum new``, var times ``factor``."""
    for running, new, scale in ((running_mean, mean, 1.0), (running_var, var, factor)):
        moved = new * scale * momentum + running * (1 - momentum)
        running[...] = moved.astype(running.dtype, copy=False)


def channel_sum(x: Array) -> Array:
    """The sums of ``(N, C, *S)`` over all axes but the second, ``(C,)``."""
    if not x.flags.c_contiguous or not x.size:
        return np.asarray(np.add.reduce(x, _axes(x)))
    # NumPy's einsum adds three times as fast as its sum, but each row in one chain: pieces keep chains short.
    rows = x.reshape(*x.shape[:2], -1)
    whole = rows.shape[2] // _CHAIN * _CHAIN
    sums: Any = np.einsum("ncl->nc", rows[:, :, whole:])
    if whole:
        chains = rows[:, :, :whole].reshape(*x.shape[:2], -1, _CHAIN)  # still a view
        sums = sums + np.add.reduce(np.einsum("ncpl->ncp", chains), 2)
    return np.asarray(np.add.reduce(sums.T.copy(), 1))  # along rows NumPy adds in pairs


_CHAIN = 512


def _axes(x: Array) -> tuple[int, ...]:
    return (0, *range(2, x.ndim))


def _column(v: Array, x: Array) -> Array:
    """A vector (C,) shaped to broadcast against x (N, C, *S)."""
    return v.reshape(1, -1, *(1,) * (x.ndim - 2))


def _scaled(centred: Array, weight: Array | None, bias: Array | None, invstd: Array) -> Array:
    out: Array = centred * _column(invstd if weight is None else invstd * weight, centred)
    return out if bias is None else out + _column(bias, centred)


def _finished(out: Array, activation: str | None, addend: Array | None) -> Array:
    if addend is not None:
        out = out + addend
    return np.maximum(out, out.dtype.type(0)) if activation == "relu" else out


# ---- by row


def layer_norm(
    x: Array, weight: Array | None, bias: Array | None, axes: int, eps: float
) -> tuple[Array, Array, Array]:
    """``(x - mean) / sqrt(var + eps) * weight + bias`` with statistics over the last ``axes`` axes.

    Args:
        x: any shape.
        weight, bias: shape of the last axes, or None.
    Returns:
        the result like x; mean and ``1 / sqrt(var + eps)``, of x's shape with 1 for the last axes.
    Source: Ba et al. 2016, arXiv:1607.06450.
    """
    mean, invstd, normal = _standardised(x, _last(x, axes), eps)
    out = normal if weight is None else normal * weight
    return out if bias is None else out + bias, mean, invstd


def layer_norm_grad(
    g: Array, x: Array, weight: Array | None, mean: Array, invstd: Array, axes: int,
    wants: tuple[bool, ...] = (True, True, True),
) -> tuple[Array | None, ...]:  # fmt: skip
    """The gradients of ``layer_norm`` in x, weight and bias, as far as they are wanted."""
    g = g.astype(x.dtype, copy=False)
    normal = (x - mean) * invstd
    lead = tuple(range(x.ndim - axes))
    gweight = np.add.reduce(g * normal, lead) if wants[1] else None
    gbias = np.add.reduce(g, lead) if wants[2] else None
    gx = None
    if wants[0]:
        gx = _pulled(g if weight is None else g * weight, normal, invstd, _last(x, axes))
    return gx, gweight, gbias


def rms_norm(x: Array, weight: Array | None, axes: int, eps: float) -> tuple[Array, Array]:
    """``x / sqrt(mean(x²) + eps) * weight``, the mean over the last ``axes`` axes.

    Args:
        x: any shape.
        weight: shape of the last axes, or None.
    Returns:
        the result like x, and ``1 / sqrt(mean(x²) + eps)``, of x's shape with 1 for the last axes.
    Source: Zhang & Sennrich 2019, arXiv:1910.07467.
    """
    invrms = _inverse_root(x * x, _last(x, axes), eps)
    out = x * invrms
    return out if weight is None else out * weight, invrms


def rms_norm_grad(
    g: Array, x: Array, weight: Array | None, invrms: Array, axes: int, wants: tuple[bool, ...] = (True, True)
) -> tuple[Array | None, ...]:
    """The gradients of ``rms_norm`` in x and weight, as far as they are wanted."""
    g = g.astype(x.dtype, copy=False)
    normal, last = x * invrms, _last(x, axes)
    gweight = np.add.reduce(g * normal, tuple(range(x.ndim - axes))) if wants[1] else None
    gx = None
    if wants[0]:
        h = g if weight is None else g * weight
        gx = (h - normal * (np.add.reduce(h * normal, last, keepdims=True) * _share(x, last))) * invrms
    return gx, gweight


def group_norm(
    x: Array, weight: Array | None, bias: Array | None, groups: int, eps: float
) -> tuple[Array, Array, Array]:
    """Standardised over groups of channels and all positions, then scaled and shifted per channel.

    Args:
        x: ``(N, C, *S)``.
        weight, bias: ``(C,)`` or None.
        groups: divides C; as many as C give instance norm.
    Returns:
        the result like x; mean and ``1 / sqrt(var + eps)``, ``(N, groups, 1)`` each.
    Source: Wu & He 2018, arXiv:1803.08494.
    """
    mean, invstd, normal = _standardised(_grouped(x, groups), (2,), eps)
    out = normal.reshape(x.shape)
    if weight is not None:
        out = out * _column(weight, x)
    return out if bias is None else out + _column(bias, x), mean, invstd


def group_norm_grad(
    g: Array, x: Array, weight: Array | None, mean: Array, invstd: Array, groups: int,
    wants: tuple[bool, ...] = (True, True, True),
) -> tuple[Array | None, ...]:  # fmt: skip
    """The gradients of ``group_norm`` in x, weight and bias, as far as they are wanted."""
    g = g.astype(x.dtype, copy=False)
    normal = (_grouped(x, groups) - mean) * invstd
    gweight = np.add.reduce(g * normal.reshape(x.shape), _axes(x)) if wants[1] else None
    gbias = np.add.reduce(g, _axes(x)) if wants[2] else None
    gx = None
    if wants[0]:
        h = _grouped(g if weight is None else g * _column(weight, x), groups)
        gx = _pulled(h, normal, invstd, (2,)).reshape(x.shape)
    return gx, gweight, gbias


def _last(x: Array, count: int) -> tuple[int, ...]:
    return tuple(range(x.ndim - count, x.ndim))


def _grouped(x: Array, groups: int) -> Array:
    """(N, C, *S) as (N, groups, the rest)."""
    return x.reshape(x.shape[0], groups, prod(x.shape[1:]) // groups)


def _share(x: Array, axes: tuple[int, ...]) -> Any:
    return x.dtype.type(1 / max(1, prod([x.shape[i] for i in axes])))


def _inverse_root(squares: Array, axes: tuple[int, ...], eps: float) -> Array:
    var = np.add.reduce(squares, axes, keepdims=True) * _share(squares, axes)
    return (1 / np.sqrt(var + squares.dtype.type(eps))).astype(squares.dtype, copy=False)


def _standardised(x: Array, axes: tuple[int, ...], eps: float) -> tuple[Array, Array, Array]:
    """Mean and 1/sqrt(var + eps) over axes, and x with mean 0 and variance 1."""
    mean = np.add.reduce(x, axes, keepdims=True) * _share(x, axes)
    centred = x - mean
    invstd = _inverse_root(centred * centred, axes, eps)
    return mean, invstd, centred * invstd


def _pulled(g: Array, normal: Array, invstd: Array, axes: tuple[int, ...]) -> Array:
    """The cotangent of x from that of its standardised form."""
    share = _share(normal, axes)
    mean = np.add.reduce(g, axes, keepdims=True) * share
    slope = np.add.reduce(g * normal, axes, keepdims=True) * share
    pulled: Array = (g - mean - normal * slope) * invstd
    return pulled
