"""Attention: each query's mixture of the values, by its likeness to the keys."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from ...dtypes import B8, F32, Array
from ...errors import ConvgradError, DtypeError, ShapeError
from ...ops.attention import ScaledDotProductAttention, SelfAttention
from ...tensor import creation
from ...tensor.functions_shape import cat, pad
from ...tensor.methods.operands import check_tensor
from ...tensor.tensor import Tensor, apply
from .dropout import dropout, dropout_noise
from .linear import linear

Optional = Tensor | None


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Optional = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """``softmax(query keyᵀ scale + mask) value``.

    Args:
        query: float ``(..., L, E)``.
        key: same dtype ``(..., S, E)``.
        value: same dtype ``(..., S, F)``; leading dimensions broadcast.
        attn_mask: broadcasts to ``(..., L, S)``; bool (True: look there), or float, added to the
            scores.
        dropout_p: probability with which a weight is set to zero (also outside training).
        is_causal: query i looks at keys 0 .. i.
        scale: ``1 / sqrt(E)`` if None.
        enable_gqa: heads (third dimension from the end) of key and value are repeated to query's number.
    Returns:
        ``(..., L, F)``; a query that may look nowhere gets zeros.
    Raises:
        DtypeError: dtypes differ, or a mask of neither kind.
        ShapeError: shapes that do not fit.
    Example:
        >>> q = Tensor(np.zeros((1, 2, 4)), None)
        >>> scaled_dot_product_attention(q, q, q + 3).tolist()[0][0]
        [3.0, 3.0, 3.0, 3.0]

    Source: Vaswani et al. 2017, arXiv:1706.03762.
    """
    for name, x in (("query", query), ("key", key), ("value", value)):
        check_tensor("scaled_dot_product_attention", x, name)
    _check_attention(query, key, value, attn_mask)
    if not 0.0 <= dropout_p <= 1.0:
        raise ConvgradError(
            f"dropout probability has to be between 0 and 1, but got {dropout_p} "
            "(scaled_dot_product_attention)"
        )
    if enable_gqa:
        key, value = _repeated(query, key), _repeated(query, value)
    scores = _score_shape(query, key, value)
    allowed = mask = None
    if attn_mask is not None:
        _check_mask(attn_mask, scores)
        mask, allowed = attn_mask.to(query.dtype), None
        if attn_mask._data.dtype is B8:
            mask, allowed = None, attn_mask._data
    if is_causal:
        causal = np.tri(scores[-2], scores[-1]) > 0
        allowed = causal if allowed is None else allowed & causal
    noise = dropout_noise(dropout_p, scores, query._data.dtype) if dropout_p else None
    factor = 1.0 / math.sqrt(max(1, query._data.shape[-1])) if scale is None else float(scale)
    return apply(ScaledDotProductAttention, (query, key, value, mask), (allowed, noise, factor))


def _check_attention(query: Tensor, key: Tensor, value: Tensor, mask: Optional) -> None:
    if query.dtype is not key.dtype or query.dtype is not value.dtype:
        raise DtypeError(
            "Expected query, key, and value to have the same dtype, but got query.dtype: "
            f"{query.dtype} key.dtype: {key.dtype} and value.dtype: {value.dtype} instead."
        )
    ranks = [x._data.ndim for x in (query, key, value)]
    if min(ranks) < 2:
        raise ShapeError(
            "Expected query, key, and value to all be at least 2 dimensional, but got query.dim: "
            f"{ranks[0]} key.dim: {ranks[1]} and value.dim: {ranks[2]} instead."
        )
    kind = query._data.dtype.kind
    if kind == "c":
        raise NotImplementedError(
            f"scaled_dot_product_attention is not implemented for {query.dtype}: complex scores have no "
            "softmax"
        )
    if kind not in "fV":
        raise DtypeError(f"scaled_dot_product_attention: expected scalar type Float but found {query.dtype}")
    if mask is not None and mask._data.dtype not in (B8, F32, query._data.dtype):
        raise DtypeError(
            "Expected attn_mask dtype to be bool or float or to match query dtype, but got attn_mask.dtype: "
            f"{mask.dtype} and  query.dtype: {query.dtype} instead."
        )


def _repeated(query: Tensor, x: Tensor) -> Tensor:
    """Heads of keys or values, each repeated for a group of queries' heads."""
    if x._data.ndim < 3 or query._data.ndim < 3:
        raise ShapeError("scaled_dot_product_attention: enable_gqa needs a dimension of heads (at least 3-d)")
    heads, own = query._data.shape[-3], x._data.shape[-3]
    if not own or heads % own:
        raise ShapeError(
            "Number of heads in key and value must divide the number of heads in query, but got "
            f"{own} and {heads} (scaled_dot_product_attention, enable_gqa)"
        )
    return x if own == heads else x.repeat_interleave(heads // own, -3)


def _score_shape(query: Tensor, key: Tensor, value: Tensor) -> tuple[int, ...]:
    q, k, v = query._data.shape, key._data.shape, value._data.shape
    shapes = f"query {list(q)}, key {list(k)}, value {list(v)}"
    if q[-1] != k[-1]:
        raise ShapeError(
            "scaled_dot_product_attention: query and key must have the same size of the last dimension, E: "
            f"{shapes}"
        )
    if k[-2] != v[-2]:
        raise ShapeError(
            f"scaled_dot_product_attention: key and value must have the same length, S: {shapes}"
        )
    try:
        lead = np.broadcast_shapes(q[:-2], k[:-2])
        np.broadcast_shapes(lead, v[:-2])
    except ValueError:
        raise ShapeError(
            "scaled_dot_product_attention: The size of tensor a must match the size of tensor b: leading "
            f"dimensions do not broadcast: {shapes}"
        ) from None
    return (*lead, q[-2], k[-2])


def _check_mask(mask: Tensor, scores: tuple[int, ...]) -> None:
    own = mask._data.shape
    if len(own) > len(scores) or any(m not in (1, n) for m, n in zip(own[::-1], scores[::-1], strict=False)):
        raise ShapeError(
            "scaled_dot_product_attention: The size of tensor a must match the size of tensor b: attn_mask "
            f"{list(own)} does not broadcast to the scores {list(scores)}"
        )


def multi_head_attention_forward(
    query: Tensor, key: Tensor, value: Tensor, embed_dim_to_check: int, num_heads: int,
    in_proj_weight: Optional, in_proj_bias: Optional, bias_k: Optional, bias_v: Optional, add_zero_attn: bool,
    dropout_p: float, out_proj_weight: Tensor, out_proj_bias: Optional, training: bool = True,
    key_padding_mask: Optional = None, need_weights: bool = True, attn_mask: Optional = None,
    use_separate_proj_weight: bool = False, q_proj_weight: Optional = None, k_proj_weight: Optional = None,
    v_proj_weight: Optional = None, static_k: Optional = None, static_v: Optional = None,
    average_attn_weights: bool = True, is_causal: bool = False,
) -> tuple[Tensor, Optional]:  # fmt: skip
    """Attention in ``num_heads`` parts of the features, with a projection before and one after.

    Args:
        query: ``(L, N, E)``, or ``(L, E)`` of one sequence.
        key, value: ``(S, N, Ek)`` and ``(S, N, Ev)``, or without N.
        embed_dim_to_check: E.
        num_heads: divides E.
        in_proj_weight, in_proj_bias: ``(3 E, E)`` and ``(3 E,)`` or None, for query, key and value.
        bias_k, bias_v: ``(1, 1, E)``, one more key and value for every sequence.
        add_zero_attn: one more key and value of zeros.
        dropout_p: probability with which a weight is set to zero while ``training``.
        out_proj_weight, out_proj_bias: ``(E, E)`` and ``(E,)``.
        key_padding_mask: ``(N, S)``, bool (True: not this key) or float (added to the scores).
        need_weights: whether the weights are wanted, too.
        attn_mask: ``(L, S)`` or ``(N num_heads, L, S)``, bool (True: do not look there) or float.
        use_separate_proj_weight: the projections are q_proj_weight ``(E, E)``, k_proj_weight ``(E, Ek)`` and
            v_proj_weight ``(E, Ev)``.
        static_k, static_v: ``(N num_heads, S, E / num_heads)`` in place of the projected key and value.
        average_attn_weights: the weights returned are the mean over the heads.
        is_causal: a hint that attn_mask is the causal one.
    Returns:
        ``(L, N, E)``, and the weights ``(N, L, S)`` or ``(N, num_heads, L, S)``, or None.
    Raises:
        AssertionError: inputs or masks of the wrong number of dimensions or size.
    Source: Vaswani et al. 2017, arXiv:1706.03762, section 3.2.2.
    """
    batched = _check_heads(query, key, value, key_padding_mask, attn_mask, num_heads)
    if is_causal and attn_mask is None:
        raise ConvgradError("Need attn_mask if specifying the is_causal hint, which is a remark on that mask")
    if not batched:
        query, key, value = query.unsqueeze(1), key.unsqueeze(1), value.unsqueeze(1)
        key_padding_mask = None if key_padding_mask is None else key_padding_mask.unsqueeze(0)
    only_hint = is_causal and key_padding_mask is None and not need_weights
    other = None if attn_mask is None else attn_mask.dtype
    padding = additive_mask("key_padding_mask", key_padding_mask, query, other)
    mask = None if only_hint else additive_mask("attn_mask", attn_mask, query, None)
    head = _head_size(query, embed_dim_to_check, num_heads)
    if use_separate_proj_weight:
        projections = _separate_weights(key, value, q_proj_weight, k_proj_weight, v_proj_weight)
    else:
        projections = _joint_weights(key, value, in_proj_weight)
    biases = (None,) * 3 if in_proj_bias is None else in_proj_bias.chunk(3)
    q, k, v = [linear(x, w, b) for x, w, b in zip((query, key, value), projections, biases, strict=True)]
    mask = _mask_of_heads(mask, q._data.shape[0], key._data.shape[0], q._data.shape[1] * num_heads)
    longer = [_joined(bias_k, k, bias_v, static_k, static_v), _joined(bias_v, v, bias_k, static_v, static_k)]
    q = _by_head(q, num_heads, head, None, "q")
    keys = _by_head(longer[0], num_heads, head, static_k, "static_k")
    values = _by_head(longer[1], num_heads, head, static_v, "static_v")
    more = int(longer[0] is not k) + int(add_zero_attn)
    if add_zero_attn:
        none = creation.zeros(keys._data.shape[0], 1, head, dtype=k.dtype)
        keys, values = cat([keys, none], 1), cat([values, none], 1)
    if more:
        mask, padding = [None if m is None else pad(m, (0, more)) for m in (mask, padding)]
    mask = _merged(mask, padding, num_heads, keys)
    p = dropout_p if training else 0.0
    out, weights = _mixture(q, keys, values, mask, p, need_weights, only_hint, num_heads)
    out = linear(out, out_proj_weight, out_proj_bias)
    if weights is not None and average_attn_weights:
        weights = weights.mean(1)
    if not batched:
        out, weights = out.squeeze(1), None if weights is None else weights.squeeze(0)
    return out, weights


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise AssertionError(message)


def _check_heads(
    query: Tensor, key: Tensor, value: Tensor, padding: Optional, mask: Optional, heads: int
) -> bool:
    """Numbers of dimensions; whether there is a batch."""
    ranks = [x._data.ndim for x in (query, key, value)]
    if ranks[0] not in (2, 3):
        raise AssertionError(
            f"query should be unbatched 2D or batched 3D tensor but received {ranks[0]}-D query tensor"
        )
    kind = "batched (3-D)" if ranks[0] == 3 else "unbatched (2-D)"
    _require(
        ranks[1:] == [ranks[0]] * 2,
        f"For {kind} `query`, expected `key` and `value` to be {ranks[0]}-D but found {ranks[1]}-D and "
        f"{ranks[2]}-D tensors respectively",
    )
    if padding is not None:
        _require(
            padding._data.ndim == ranks[0] - 1,
            f"For {kind} `query`, expected `key_padding_mask` to be `None` or {ranks[0] - 1}-D but found "
            f"{padding._data.ndim}-D tensor instead",
        )
    if mask is not None:
        _require(
            mask._data.ndim in (2, 3),
            f"For {kind} `query`, expected `attn_mask` to be `None`, 2-D or 3-D but found "
            f"{mask._data.ndim}-D tensor instead",
        )
        if ranks[0] == 2 and mask._data.ndim == 3:
            wanted = (heads, query._data.shape[0], key._data.shape[0])
            _require(
                mask._data.shape == wanted,
                f"Expected `attn_mask` shape to be {wanted} but got {mask.shape}",
            )
    return ranks[0] == 3


def additive_mask(name: str, mask: Optional, query: Tensor, other: Any) -> Optional:
    """A mask as numbers to add: a bool one has -inf where it is True; ``other``: dtype of another mask."""
    if mask is None:
        return None
    kind = mask._data.dtype
    _require(kind is B8 or kind.kind in "fV", f"only bool and floating types of {name} are supported")
    if other is not None and other is not mask.dtype:
        warnings.warn(
            f"Support for mismatched {name} and attn_mask is deprecated. Use same type for both instead.",
            stacklevel=3,
        )
    if kind is not B8:
        return mask
    return creation.zeros(mask.shape, dtype=query.dtype).masked_fill(mask, -math.inf)


def _head_size(query: Tensor, wanted: int, heads: int) -> int:
    size = query._data.shape[-1]
    _require(size == wanted, f"was expecting embedding dimension of {wanted}, but got {size}")
    _require(size % heads == 0, f"embed_dim {size} not divisible by num_heads {heads}")
    return size // heads


def _separate_weights(key: Tensor, value: Tensor, *weights: Optional) -> tuple[Any, ...]:
    a, b = key._data.shape[:2], value._data.shape[:2]
    _require(a == b, f"key's sequence and batch dims {list(a)} do not match value's {list(b)}")
    for name, w in zip(("q_proj_weight", "k_proj_weight", "v_proj_weight"), weights, strict=True):
        _require(w is not None, f"use_separate_proj_weight is True but {name} is None")
    return weights


def _joint_weights(key: Tensor, value: Tensor, joint: Optional) -> tuple[Any, ...]:
    _require(key.shape == value.shape, f"key shape {key.shape} does not match value shape {value.shape}")
    if joint is None:
        raise AssertionError("use_separate_proj_weight is False but in_proj_weight is None")
    return joint.chunk(3)


def _mask_of_heads(mask: Optional, rows: int, columns: int, heads: int) -> Optional:
    """An attention mask as ``(1 or N heads, L, S)``."""
    if mask is None:
        return None
    shape = mask._data.shape
    wanted = (rows, columns) if len(shape) == 2 else (heads, rows, columns)
    if shape != wanted:
        raise ShapeError(f"The shape of the {len(shape)}D attn_mask is {mask.shape}, but should be {wanted}.")
    return mask.unsqueeze(0) if len(shape) == 2 else mask


def _joined(bias: Optional, x: Tensor, partner: Optional, *static: Optional) -> Tensor:
    """x ``(S, N, E)`` with one more row, the same for each sequence."""
    if bias is None or partner is None:
        _require(bias is None and partner is None, "bias_k and bias_v: one is set but the other is None")
        return x
    _require(static[0] is None and static[1] is None, "bias cannot be added to static key or value")
    return cat([x, bias.expand(1, x._data.shape[1], bias._data.shape[-1])])


def _by_head(x: Tensor, heads: int, size: int, static: Optional, name: str) -> Tensor:
    """``(S, N, E)`` as ``(N heads, S, E / heads)``."""
    rows = x._data.shape[1] * heads
    if static is None:
        return x.reshape(x._data.shape[0], rows, size).transpose(0, 1)
    for dim, wanted in ((0, rows), (2, size)):
        got = static._data.shape[dim]
        _require(got == wanted, f"expecting {name}.size({dim}) of {wanted}, but got {got}")
    return static


def _merged(mask: Optional, padding: Optional, heads: int, keys: Tensor) -> Optional:
    """Both masks as one, ``(1 or N heads, 1 or L, S)``."""
    if padding is None:
        return mask
    n, columns = keys._data.shape[0] // heads, keys._data.shape[1]
    for axis, wanted in ((0, n), (1, columns)):
        got = padding._data.shape[axis]
        _require(got == wanted, f"Expected key_padded_mask.shape[{axis}] to be {wanted}, but got {got}")
    spread = padding.reshape(n, 1, 1, columns).expand(n, heads, 1, columns).reshape(n * heads, 1, columns)
    return spread if mask is None else mask + spread


def joined_masks(
    mask: Optional, padding: Optional, x: Array, heads: int, batch_first: bool, causal: bool
) -> Any:
    """Both masks as an array that broadcasts to ``(N, heads, S, S)``, or None; NotImplemented: they misfit.

    Args:
        mask: numbers ``(S, S)`` or ``(N heads, S, S)`` of x's dtype.
        padding: numbers ``(N, S)`` of x's dtype.
        x: ``(N, S, E)`` if batch_first, else ``(S, N, E)``.
        causal: a hint that mask is the causal one.
    """
    n, length = x.shape[:2] if batch_first else x.shape[1::-1]
    added: Any = None
    if mask is not None:
        added = mask._data
        if added.dtype is not x.dtype or added.shape not in ((length, length), (n * heads, length, length)):
            return NotImplemented
        if causal and padding is None:  # by the hint, whatever the mask holds
            added = np.triu(np.full((length, length), -np.inf, x.dtype), 1)
        elif added.ndim == 3:
            added = added.reshape(n, heads, length, length)
    if padding is not None:
        more = padding._data
        if more.dtype is not x.dtype or more.shape != (n, length):
            return NotImplemented
        more = more.reshape(n, 1, 1, length)
        added = more if added is None else added + more
    return added


def self_attention(
    x: Tensor, heads: int, weight: Tensor, bias: Optional, p: float, added: Any, batch_first: bool
) -> Tensor:
    """Attention of x to itself before its last projection, in one product and one operator.

    Args:
        x: ``(N, S, E)`` if batch_first, else ``(S, N, E)``; float32 or float64.
        weight, bias: ``(3 E, E)`` and ``(3 E,)`` or None, for query, key and value.
        p: probability with which a weight is set to zero.
        added: what ``joined_masks`` gives.
    Returns:
        ``(S, N, E)``.
    """
    n, length = x._data.shape[:2] if batch_first else x._data.shape[1::-1]
    joint = linear(x, weight, bias)
    noise = dropout_noise(p, (n, heads, length, length), x._data.dtype) if p else None
    out: Tensor = apply(SelfAttention, (joint,), (added, noise, heads, batch_first))
    return out


def _mixture(
    q: Tensor, k: Tensor, v: Tensor, mask: Optional, p: float, need_weights: bool, causal: bool, heads: int
) -> tuple[Tensor, Optional]:
    """``(L, N, E)`` and, if needed, the weights ``(N, heads, L, S)``."""
    rows, length, size = q._data.shape
    n = rows // heads
    if need_weights:
        scores = (q * math.sqrt(1.0 / size)) @ k.transpose(1, 2)
        weights = (scores if mask is None else mask + scores).softmax(-1)
        if p > 0.0:
            weights = dropout(weights, p)
        out = (weights @ v).transpose(0, 1).reshape(length, n, heads * size)
        return out, weights.reshape(n, heads, length, k._data.shape[1])
    if mask is not None:
        lead = (1, 1) if mask._data.shape[0] == 1 else (n, heads)
        mask = mask.reshape(*lead, *mask._data.shape[1:])
    q, k, v = [x.reshape(n, heads, x._data.shape[1], size) for x in (q, k, v)]
    out = scaled_dot_product_attention(q, k, v, mask, p, causal)
    return out.permute(2, 0, 1, 3).reshape(length, n, heads * size), None


__all__ = ["multi_head_attention_forward", "scaled_dot_product_attention"]
