"""Attention on compiled kernels, with the signatures of ``attention``.

All heads take one call, and their matrices are read where they lie: as slices of one projection, or turned.
Leading axes that broadcast, other dtypes and empty arrays go to the definitions.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from convgrad.dtypes import F32, F64, Array
from convgrad.kernels import attention as definitions
from convgrad.kernels.machine import _native, instruction_set
from convgrad.kernels.memory import LARGE, empty_large, in_order

instruction_set()  # the one chosen is in use from here on

_FEW_KEYS = 256
_attend, _attend_grad = _native.attend, _native.attend_grad


def attention(
    q: Array, k: Array, v: Array, mask: Array | None, noise: Array | None, scale: float,
    wants_norm: bool = True, into: Array | None = None,
) -> tuple[Array, Array | None]:  # fmt: skip
    """``attention.attention`` in one call."""
    # for one query, as in writing a text word by word, packing many keys takes longer than its two products
    if _serves(q, k, v) and (q.shape[-2] > 1 or k.shape[-2] <= _FEW_KEYS):
        dtype = q.dtype
        out = into
        if out is None:
            out = _like(q) if v.shape[-1] == q.shape[-1] else np.empty((*q.shape[:-1], v.shape[-1]), dtype)
        norm = np.empty(q.shape[:-1], dtype) if wants_norm else None
        if _run(_attend, (q, k, v, _whole(mask, k), noise), (out, norm, scale, dtype is F64)):
            return out, norm
    return definitions.attention(q, k, v, mask, noise, scale, wants_norm, into)


def attention_grad(
    g: Array, q: Array, k: Array, v: Array, mask: Array | None, noise: Array | None, scale: float, out: Array,
    norm: Array, wants: tuple[bool, ...] = (True, True, True), into: tuple[Array, ...] | None = None,
) -> tuple[Array | None, ...]:  # fmt: skip
    """``attention.attention_grad`` in one call."""
    if _serves(q, k, v):
        dtype = q.dtype
        g = g.astype(dtype, copy=False)  # that of a half-precision result arrives narrower
        found: tuple[Array | None, ...] = into or tuple(
            [_like(x) if wanted else None for x, wanted in zip((q, k, v), wants, strict=True)]
        )
        read = (g, q, k, v, _whole(mask, k), noise, out, norm)
        if _run(_attend_grad, read, (*found, scale, dtype is F64)):
            return found
    return definitions.attention_grad(g, q, k, v, mask, noise, scale, out, norm, wants, into)


def _run(kernel: Any, read: tuple[Array | None, ...], rest: tuple[Any, ...]) -> bool:
    """Call a kernel, with copies of operands that have gaps; False if it does not take them at all."""
    try:
        kernel(*read, *rest)
        return True
    except (TypeError, ValueError):  # of sizes that do not fit NumPy says which
        if len({a.dtype for a in read if a is not None}) > 1:
            return False
    try:
        kernel(*[None if a is None else in_order(a) for a in read], *rest)
        return True
    except (TypeError, ValueError):
        return False


def _serves(q: Array, k: Array, v: Array) -> bool:
    dtype, lead = q.dtype, q.shape[:-2]
    if (dtype is not F32 and dtype is not F64) or len(lead) > 2:
        return False
    return lead == k.shape[:-2] and lead == v.shape[:-2] and q.size > 0 and k.size > 0 and v.size > 0


def _whole(mask: Array | None, k: Array) -> Array | None:
    """A mask with a column for every key, in at least two dimensions."""
    if mask is None or (mask.ndim > 1 and mask.shape[-1] == k.shape[-2]):
        return mask
    lead = mask.shape[:-1] if mask.ndim > 1 else (1,)
    return in_order(np.broadcast_to(mask, (*lead, k.shape[-2])))


def _like(x: Array) -> Array:
    """An array of x's shape whose axes lie in the order of x's: the next operator finds rows again."""
    if x.nbytes < LARGE:
        return np.empty_like(x)
    order: Any = sorted(range(x.ndim), key=lambda axis: -x.strides[axis])
    block = empty_large(tuple([x.shape[axis] for axis in order]), x.dtype)
    turned: Array = block.transpose(np.argsort(order))
    return turned
