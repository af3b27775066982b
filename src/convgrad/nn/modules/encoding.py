"""A transformer encoder layer in few steps, where nobody differentiates: one product for query, key and
value, one call for all heads, biases and activation in the store.

As with ``pairs`` a layer is computed so only where nobody can tell, up to rounding: it and its parts are of
the very classes of this library, have no hooks and drop nothing out, and no operator is recorded or watched.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...dtypes import F32, F64, Array
from ...graph.grad_mode import INFERENCE, MODE, RECORD
from ...graph.node import cell_of
from ...kernels import table
from ...tensor.tensor import Tensor
from .. import functional as F
from ..hooks import ACTIVE
from ..parameter import Parameter
from .attention import MultiheadAttention
from .dropout import Dropout
from .linear import Linear, NonDynamicallyQuantizableLinear
from .normalization import LayerNorm
from .pairs import First, as_defined

_PARTS: dict[str, Any] = {
    "self_attn": MultiheadAttention, "linear1": Linear, "dropout": Dropout, "linear2": Linear,
    "norm1": LayerNorm, "norm2": LayerNorm, "dropout1": Dropout, "dropout2": Dropout,
}  # fmt: skip
_FIRST = {
    kind: First(None, kind.forward, kind.__call__, ("forward",))  # type: ignore[arg-type]
    for kind in (*_PARTS.values(), NonDynamicallyQuantizableLinear)
}
_TENSORS = (Parameter, Tensor)


#: weight and bias by part
Weights = dict[str, tuple[Any, Any]]


def encode(layer: Any, src: Any, mask: Any, padding: Any, causal: bool) -> Any:
    """What an encoder layer makes of ``src``, or None where its parts have to be called.

    Args:
        layer: a ``TransformerEncoderLayer`` itself, of no class derived from it.
        src: ``(N, S, E)`` or ``(S, N, E)``, as the layer has it.
        mask: ``(S, S)`` or ``(N heads, S, S)`` of src's dtype, or None.
        padding: ``(N, S)`` of src's dtype, or None.
        causal: a hint that mask is the causal one.
    """
    mode = MODE.get()
    if layer.training or type(src) is not Tensor or ACTIVE or mode & ~(RECORD | INFERENCE):
        return None
    x = src._data
    if (x.dtype is not F32 and x.dtype is not F64) or x.ndim != 3 or not x.size or (causal and mask is None):
        return None
    activation = {F.relu: "relu", F.gelu: "gelu"}.get(layer.activation)
    if activation is None or not _is_plain(layer):
        return None
    weights = _weights(layer, x, bool(mode & RECORD))
    if weights is None or (mode & RECORD and any([t is not None and t._node for t in (src, mask, padding)])):
        return None
    heads, batch_first = layer.self_attn.num_heads, layer.self_attn.batch_first
    added = _joined(mask, padding, x, heads, batch_first, causal)
    if added is NotImplemented:
        return None
    out = Tensor(_layer(layer, x, weights, added, activation).reshape(x.shape), None)
    if mode & INFERENCE:
        cell_of(out).inference = True
    return out


def _is_plain(layer: Any) -> bool:
    """Whether all parts do what their classes say."""
    parts, own = layer._modules, layer.__dict__
    if len(parts) != len(_PARTS) or "_sa_block" in own or "_ff_block" in own:
        return False
    for name, kind in _PARTS.items():
        part = parts.get(name)
        if type(part) is not kind or part.training or not as_defined(part, kind, _FIRST[kind]):
            return False
    attention: Any = parts["self_attn"]
    last = attention.out_proj
    kind = NonDynamicallyQuantizableLinear
    if type(last) is not kind or not as_defined(last, kind, _FIRST[kind]):
        return False
    own = attention._parameters
    return own.get("bias_k") is None and own.get("bias_v") is None and not attention.add_zero_attn


def _weights(layer: Any, x: Array, recording: bool) -> Weights | None:
    """The layer's arrays, if they are of x's dtype, fit each other, and want no gradient that is recorded."""
    parts, size = layer._modules, x.shape[-1]
    attention, first, second = parts["self_attn"], parts["linear1"], parts["linear2"]
    width = first.out_features
    if size % attention.num_heads or {parts[n].normalized_shape for n in ("norm1", "norm2")} != {(size,)}:
        return None
    found: Weights = {}
    for name, own, prefix, shape in (
        ("joint", attention._parameters, "in_proj_", (3 * size, size)),
        ("out", attention.out_proj._parameters, "", (size, size)),
        ("first", first._parameters, "", (width, size)),
        ("second", second._parameters, "", (size, width)),
        ("norm1", parts["norm1"]._parameters, "", (size,)),
        ("norm2", parts["norm2"]._parameters, "", (size,)),
    ):
        weight, bias = own.get(prefix + "weight", NotImplemented), own.get(prefix + "bias", NotImplemented)
        for value, wanted in ((weight, shape), (bias, shape[:1])):
            if value is None:
                continue
            if type(value) not in _TENSORS or (recording and value._node is not None):
                return None
            if value._data.dtype is not x.dtype or value._data.shape != wanted:
                return None
        if weight is None and len(shape) == 2:
            return None
        found[name] = None if weight is None else weight._data, None if bias is None else bias._data
    return found


def _joined(mask: Any, padding: Any, x: Array, heads: int, batch_first: bool, causal: bool) -> Any:
    """Both masks as one that broadcasts to ``(N, heads, S, S)``; NotImplemented where they do not fit."""
    n, length = x.shape[:2] if batch_first else x.shape[1::-1]
    added = None
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


def _layer(layer: Any, x: Array, weights: Weights, added: Any, activation: str) -> Array:
    """The layer on arrays, positions as rows ``(N S, E)``."""
    rows = np.ascontiguousarray(x).reshape(-1, x.shape[-1])
    norms = (weights["norm1"], layer.norm1.eps), (weights["norm2"], layer.norm2.eps)
    if layer.norm_first:
        rows = rows + _attended(layer.self_attn, _normed(rows, *norms[0]), x.shape, weights, added)
        return rows + _fed_forward(_normed(rows, *norms[1]), weights, activation)
    between = _attended(layer.self_attn, rows, x.shape, weights, added)
    between = _normed(np.add(between, rows, out=between), *norms[0])
    out = _fed_forward(between, weights, activation)
    return _normed(np.add(out, between, out=out), *norms[1])


def _normed(rows: Array, affine: tuple[Any, Any], eps: float) -> Array:
    return table.layer_norm(rows, *affine, 1, eps)[0]


def _attended(module: Any, rows: Array, shape: tuple[int, ...], weights: Weights, added: Any) -> Array:
    """Self-attention with its projections."""
    size = shape[2] // module.num_heads
    w, b = weights["joint"]
    joint = table.product(rows, w.T, b).reshape(*shape[:2], 3, module.num_heads, size)
    # (3, N, heads, S, E / heads), and the way back
    order, back = ((2, 0, 3, 1, 4), (0, 2, 1, 3)) if module.batch_first else ((2, 1, 3, 0, 4), (2, 0, 1, 3))
    q, k, v = joint.transpose(order)
    mixed = table.attention(q, k, v, added, None, size**-0.5, False)[0]
    w, b = weights["out"]
    return table.product(mixed.transpose(back).reshape(rows.shape), w.T, b)


def _fed_forward(rows: Array, weights: Weights, activation: str) -> Array:
    w, b = weights["first"]
    if activation == "relu":
        inner = table.product(rows, w.T, b, "relu")
    else:
        inner = table.gelu(table.product(rows, w.T, b))
    w, b = weights["second"]
    return table.product(inner, w.T, b)


__all__ = ["encode"]
