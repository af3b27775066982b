"""``MultiheadAttention``: attention in several parts of the features, with its projections."""

from __future__ import annotations

from typing import Any

from ...dtypes import F32, F64
from ...graph.grad_mode import INFERENCE, MODE, RECORD
from ...tensor.tensor import Tensor
from .. import functional as F
from .. import init
from ..functional.attention import joined_masks, self_attention
from ..module import Module
from ..parameter import Parameter
from .linear import NonDynamicallyQuantizableLinear, empty_parameter

_TENSORS = (Parameter, Tensor)


class MultiheadAttention(Module):
    """Attention in ``num_heads`` parts of the features (see ``functional.multi_head_attention_forward``).

    Args:
        embed_dim: E, features of query and output.
        num_heads: divides E.
        dropout: probability of zero of a weight, in training.
        bias: whether the projections have biases.
        add_bias_kv: one more, learnt, key and value for every sequence.
        add_zero_attn: one more key and value of zeros.
        kdim, vdim: features of key and value; None: E.
        batch_first: inputs and output are ``(N, L, E)`` rather than ``(L, N, E)``.
        device: only the CPU.
        dtype: of the parameters; None is the default dtype.
    Attributes:
        in_proj_weight: ``(3 E, E)``, or None where kdim or vdim differ from E; then there are q_proj_weight
            ``(E, E)``, k_proj_weight ``(E, kdim)`` and v_proj_weight ``(E, vdim)``.
        in_proj_bias: ``(3 E,)``, zeros at first.
        out_proj: the last projection.
        bias_k, bias_v: ``(1, 1, E)``, or None.
    Raises:
        ValueError: sizes that are not positive.
        AssertionError: num_heads does not divide E.
    Example:
        >>> x = torch.zeros(5, 2, 8)
        >>> out, weights = MultiheadAttention(8, 2)(x, x, x)
        >>> out.shape, weights.shape
        (torch.Size([5, 2, 8]), torch.Size([2, 5, 5]))

    Source: Vaswani et al. 2017, arXiv:1706.03762, section 3.2.2.
    """

    bias_k: Any
    bias_v: Any
    in_proj_weight: Any
    in_proj_bias: Any

    def __init__(
        self, embed_dim: int, num_heads: int, dropout: float = 0.0, bias: bool = True,
        add_bias_kv: bool = False, add_zero_attn: bool = False, kdim: int | None = None,
        vdim: int | None = None, batch_first: bool = False, device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        if embed_dim <= 0 or num_heads <= 0:
            raise ValueError(
                f"embed_dim and num_heads must be greater than 0, got embed_dim={embed_dim} and "
                f"num_heads={num_heads} instead"
            )
        super().__init__()
        self.embed_dim = embed_dim
        self.kdim = embed_dim if kdim is None else kdim
        self.vdim = embed_dim if vdim is None else vdim
        self._qkv_same_embed_dim = self.kdim == embed_dim and self.vdim == embed_dim
        self.num_heads, self.dropout, self.batch_first = num_heads, dropout, batch_first
        self.head_dim = embed_dim // num_heads
        if self.head_dim * num_heads != embed_dim:
            raise AssertionError("embed_dim must be divisible by num_heads")
        shapes: dict[str, Any] = {f"{x}_proj_weight": None for x in "qkv"}
        if self._qkv_same_embed_dim:
            shapes["in_proj_weight"] = (3 * embed_dim, embed_dim)
        else:
            sizes = (embed_dim, self.kdim, self.vdim)
            shapes = {f"{x}_proj_weight": (embed_dim, n) for x, n in zip("qkv", sizes, strict=True)}
            shapes["in_proj_weight"] = None
        shapes["in_proj_bias"] = (3 * embed_dim,) if bias else None
        for name, shape in shapes.items():
            self.register_parameter(name, None if shape is None else empty_parameter(shape, dtype, device))
        self.out_proj = NonDynamicallyQuantizableLinear(embed_dim, embed_dim, bias, device, dtype)
        for name in ("bias_k", "bias_v"):
            setattr(self, name, empty_parameter((1, 1, embed_dim), dtype, device) if add_bias_kv else None)
        self.add_zero_attn = add_zero_attn
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        for name in ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight"):
            weight = getattr(self, name)
            if weight is not None:
                init.xavier_uniform_(weight)
        if self.in_proj_bias is not None:
            init.constant_(self.in_proj_bias, 0.0)
            init.constant_(self.out_proj.bias, 0.0)
        for bias in (self.bias_k, self.bias_v):
            if bias is not None:
                init.xavier_normal_(bias)

    def forward(
        self, query: Tensor, key: Tensor, value: Tensor, key_padding_mask: Tensor | None = None,
        need_weights: bool = True, attn_mask: Tensor | None = None, average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:  # fmt: skip
        """``(L, N, E)``, ``(S, N, kdim)``, ``(S, N, vdim)`` to ``(L, N, E)`` and weights ``(N, L, S)``.

        Args:
            query, key, value: see above; N first with batch_first; or without N.
            key_padding_mask: ``(N, S)``, bool (True: not this key) or float (added to the scores).
            need_weights: whether the weights are wanted; without them it is quicker.
            attn_mask: ``(L, S)`` or ``(N num_heads, L, S)``, bool (True: do not look there) or float.
            average_attn_weights: the mean of the weights over the heads, or those of each: ``(N, H, L, S)``.
            is_causal: a hint that attn_mask is the causal one.
        """
        if query is key and key is value and not need_weights:
            out = self._within(query, key_padding_mask, attn_mask, is_causal)
            if out is not None:
                return out, None
        turned = self.batch_first and query._data.ndim == 3
        if turned:
            same_key, same_value = key is query, value is key
            query = query.transpose(0, 1)
            key = query if same_key else key.transpose(0, 1)
            value = key if same_value else value.transpose(0, 1)
        apart = not self._qkv_same_embed_dim
        out, weights = F.multi_head_attention_forward(
            query, key, value, self.embed_dim, self.num_heads, self.in_proj_weight, self.in_proj_bias,
            self.bias_k, self.bias_v, self.add_zero_attn, self.dropout, self.out_proj.weight,
            self.out_proj.bias, training=self.training, key_padding_mask=key_padding_mask,
            need_weights=need_weights, attn_mask=attn_mask, use_separate_proj_weight=apart,
            q_proj_weight=self.q_proj_weight, k_proj_weight=self.k_proj_weight,
            v_proj_weight=self.v_proj_weight, average_attn_weights=average_attn_weights, is_causal=is_causal,
        )  # fmt: skip
        return out.transpose(0, 1) if turned else out, weights

    def _within(self, x: Any, padding: Any, mask: Any, causal: bool) -> Any:
        """Attention of x to itself in few steps, or None where it is for ``multi_head_attention_forward``."""
        own: Any = self._parameters
        mode = MODE.get()
        if mode & ~(RECORD | INFERENCE) or type(x) is not Tensor or x._data.ndim != 3 or not x._data.size:
            return None
        dtype, size = x._data.dtype, x._data.shape[-1]
        weight, bias = own.get("in_proj_weight"), own.get("in_proj_bias", NotImplemented)
        if (dtype is not F32 and dtype is not F64) or size != self.embed_dim or self.add_zero_attn:
            return None
        if type(weight) not in _TENSORS or weight._data.shape != (3 * size, size):
            return None
        if bias is not None and (type(bias) not in _TENSORS or bias._data.shape != (3 * size,)):
            return None
        if self.bias_k is not None or self.bias_v is not None or (causal and mask is None):
            return None
        for given in (mask, padding):  # masks that are learnt, or are of other classes, go the long way
            if given is not None and (
                type(given) is not Tensor or (mode & RECORD and given._node is not None)
            ):
                return None
        added = joined_masks(mask, padding, x._data, self.num_heads, self.batch_first, causal)
        if added is NotImplemented or weight._data.dtype is not dtype:
            return None
        p = self.dropout if self.training else 0.0
        out = self_attention(x, self.num_heads, weight, bias, p, added, self.batch_first)
        out = F.linear(out, self.out_proj.weight, self.out_proj.bias)
        return out.transpose(0, 1) if self.batch_first else out

    def merge_masks(
        self, attn_mask: Tensor | None, key_padding_mask: Tensor | None, query: Tensor
    ) -> tuple[Tensor | None, int | None]:
        """Both masks as one ``(N, H, L, S)``, and their kind: 0 attention, 1 padding, 2 both, or None."""
        if key_padding_mask is not None and attn_mask is None:
            return key_padding_mask, 1
        if attn_mask is None:
            return None, None
        n, length = query._data.shape[:2]
        own = attn_mask.reshape(n, -1, length, length) if attn_mask._data.ndim == 3 else attn_mask
        merged = own.expand(n, self.num_heads, length, length)
        if key_padding_mask is not None:
            merged = merged + key_padding_mask.reshape(n, 1, 1, length).expand(n, self.num_heads, 1, length)
        return merged, 2


__all__ = ["MultiheadAttention"]
