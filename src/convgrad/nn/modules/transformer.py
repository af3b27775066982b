"""Transformers: layers of attention and two linear maps, stacks of them, and the pair of both stacks.

Source: Vaswani et al. 2017, arXiv:1706.03762; norms before the blocks: Xiong et al. 2020, arXiv:2002.04745.
"""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from ... import dtypes
from ...errors import ConvgradError, ShapeError
from ...tensor.tensor import Tensor
from .. import functional as F
from .. import init
from ..functional.attention import additive_mask
from ..module import Module, check_device
from .attention import MultiheadAttention
from .container import ModuleList
from .dropout import Dropout
from .encoding import encode
from .linear import Linear
from .normalization import LayerNorm

Mask = Tensor | None
Activation = str | Callable[[Tensor], Tensor]


def _activation(activation: Activation) -> Any:
    if not isinstance(activation, str):
        return activation
    if activation not in ("relu", "gelu"):
        raise ConvgradError(f"activation should be relu/gelu, not {activation}")
    return F.relu if activation == "relu" else F.gelu


def _copies(module: Module, count: int) -> ModuleList:
    return ModuleList([copy.deepcopy(module) for _ in range(count)])


def _numbers(name: str, mask: Mask, x: Tensor, other: Mask = None) -> Mask:
    """A mask as numbers to add to scores."""
    return additive_mask(name, mask, x, None if other is None else other.dtype)


def _causal_mask(size: int, dtype: Any) -> Any:
    return np.triu(np.full((size, size), -math.inf, dtype), 1)


def _is_causal(mask: Mask, given: bool | None, length: int) -> bool:
    """Whether a mask is the causal one, as told or as seen."""
    if given is not None or mask is None:
        return bool(given)
    array = mask._data
    if array.shape != (length, length):
        return False
    return bool(np.array_equal(array, _causal_mask(length, np.float32)))


class _Layer(Module):
    """What both kinds of layers share: their linear maps, and the order of norms and blocks."""

    norm_first: bool
    activation: Any

    def _add_linear(self, d_model: int, width: int, dropout: float, bias: bool, place: Any) -> None:
        self.linear1 = Linear(d_model, width, bias, *place)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(width, d_model, bias, *place)

    def _add_norms(
        self, count: int, d_model: int, eps: float, dropout: float, bias: bool, place: Any
    ) -> None:
        for k in range(1, count + 1):
            setattr(self, f"norm{k}", LayerNorm(d_model, eps, True, bias, *place))
        for k in range(1, count + 1):
            setattr(self, f"dropout{k}", Dropout(dropout))

    def _feed_forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.linear2(self.dropout(self.activation(self.linear1(x))))
        return out

    def _with(self, x: Tensor, norm: Module, block: Callable[[Tensor], Tensor]) -> Tensor:
        """x and what a block makes of it, with the norm before the block or after the sum."""
        out: Tensor = x + block(norm(x)) if self.norm_first else norm(x + block(x))
        return out


class TransformerEncoderLayer(_Layer):
    """Self-attention, then two linear maps, each with a way around it and a norm.

    Args:
        d_model: E, features at each position.
        nhead: heads of attention; divides E.
        dim_feedforward: features between the linear maps.
        dropout: probability of zero, in training.
        activation: between the linear maps: "relu", "gelu" or a function of tensors.
        layer_norm_eps: of the norms.
        batch_first: ``(N, S, E)`` rather than ``(S, N, E)``.
        norm_first: norms stand before the blocks, not after the sums.
        bias: whether linear maps and norms have biases.
        device: only the CPU.
        dtype: of the parameters; None is the default dtype.
    Example:
        >>> TransformerEncoderLayer(8, 2, 16)(Tensor(np.zeros((5, 3, 8), np.float32), None)).shape
        torch.Size([5, 3, 8])
    """

    def __init__(
        self, d_model: int, nhead: int, dim_feedforward: int = 2048, dropout: float = 0.1,
        activation: Activation = F.relu, layer_norm_eps: float = 1e-5, batch_first: bool = False,
        norm_first: bool = False, bias: bool = True, device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        place = (device, dtype)
        self.self_attn = MultiheadAttention(
            d_model, nhead, dropout, bias, batch_first=batch_first, device=device, dtype=dtype
        )
        self._add_linear(d_model, dim_feedforward, dropout, bias, place)
        self.norm_first = norm_first
        self._add_norms(2, d_model, layer_norm_eps, dropout, bias, place)
        self.activation = _activation(activation)
        kinds: dict[Any, int] = {F.relu: 1, F.gelu: 2}
        self.activation_relu_or_gelu = kinds.get(self.activation, 0)

    def forward(
        self, src: Tensor, src_mask: Mask = None, src_key_padding_mask: Mask = None, is_causal: bool = False
    ) -> Tensor:
        """``(S, N, E)`` or ``(S, E)`` to the same shape.

        Args:
            src: the input; N first with batch_first.
            src_mask: ``(S, S)`` or ``(N nhead, S, S)``, bool (True: do not look there) or float, added.
            src_key_padding_mask: ``(N, S)``, bool (True: not this position) or float, added.
            is_causal: a hint that src_mask is the causal one.
        """
        padding = _numbers("src_key_padding_mask", src_key_padding_mask, src, src_mask)
        mask = _numbers("src_mask", src_mask, src)
        if type(self) is TransformerEncoderLayer and not self.training:
            out = encode(self, src, mask, padding, is_causal)
            if out is not None:
                return out

        def attend(x: Tensor) -> Tensor:
            return self._sa_block(x, mask, padding, is_causal)

        return self._with(self._with(src, self.norm1, attend), self.norm2, self._ff_block)

    def _sa_block(self, x: Tensor, mask: Mask, padding: Mask, is_causal: bool = False) -> Tensor:
        attended = self.self_attn(x, x, x, padding, False, mask, is_causal=is_causal)[0]
        out: Tensor = self.dropout1(attended)
        return out

    def _ff_block(self, x: Tensor) -> Tensor:
        out: Tensor = self.dropout2(self._feed_forward(x))
        return out


class TransformerDecoderLayer(_Layer):
    """Self-attention, attention to the encoder's output, then two linear maps; ways around and norms.

    Arguments as ``TransformerEncoderLayer``.
    """

    def __init__(
        self, d_model: int, nhead: int, dim_feedforward: int = 2048, dropout: float = 0.1,
        activation: Activation = F.relu, layer_norm_eps: float = 1e-5, batch_first: bool = False,
        norm_first: bool = False, bias: bool = True, device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        place = (device, dtype)
        for name in ("self_attn", "multihead_attn"):
            heads = MultiheadAttention(
                d_model, nhead, dropout, bias, batch_first=batch_first, device=device, dtype=dtype
            )
            setattr(self, name, heads)
        self._add_linear(d_model, dim_feedforward, dropout, bias, place)
        self.norm_first = norm_first
        self._add_norms(3, d_model, layer_norm_eps, dropout, bias, place)
        self.activation = _activation(activation)

    def forward(
        self, tgt: Tensor, memory: Tensor, tgt_mask: Mask = None, memory_mask: Mask = None,
        tgt_key_padding_mask: Mask = None, memory_key_padding_mask: Mask = None, tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Tensor:  # fmt: skip
        """``(T, N, E)`` and the encoder's output ``(S, N, E)`` to ``(T, N, E)``; masks as in the encoder.

        Args:
            tgt_mask, memory_mask: ``(T, T)`` and ``(T, S)``.
            tgt_key_padding_mask, memory_key_padding_mask: ``(N, T)`` and ``(N, S)``.
            tgt_is_causal, memory_is_causal: hints that these masks are the causal ones.
        """

        def attend(x: Tensor) -> Tensor:
            return self._sa_block(x, tgt_mask, tgt_key_padding_mask, tgt_is_causal)

        def look(x: Tensor) -> Tensor:
            return self._mha_block(x, memory, memory_mask, memory_key_padding_mask, memory_is_causal)

        x = self._with(tgt, self.norm1, attend)
        x = self._with(x, self.norm2, look)
        return self._with(x, self.norm3, self._ff_block)

    def _sa_block(self, x: Tensor, mask: Mask, padding: Mask, is_causal: bool = False) -> Tensor:
        attended = self.self_attn(x, x, x, padding, False, mask, is_causal=is_causal)[0]
        out: Tensor = self.dropout1(attended)
        return out

    def _mha_block(
        self, x: Tensor, memory: Tensor, mask: Mask, padding: Mask, is_causal: bool = False
    ) -> Tensor:
        attended = self.multihead_attn(x, memory, memory, padding, False, mask, is_causal=is_causal)[0]
        out: Tensor = self.dropout2(attended)
        return out

    def _ff_block(self, x: Tensor) -> Tensor:
        out: Tensor = self.dropout3(self._feed_forward(x))
        return out


_ADVICE = "(use batch_first for better inference performance)"


def _why_not_nested(layer: Any) -> str:
    """Why PyTorch would not take its way with nested tensors, in its words."""
    if not isinstance(layer, TransformerEncoderLayer):
        return "encoder_layer is not TransformerEncoderLayer"
    heads = layer.self_attn
    for holds, reason in (
        (layer.norm_first, "encoder_layer.norm_first was True"),
        (not heads.batch_first, "encoder_layer.self_attn.batch_first was not True" + _ADVICE),
        (not heads._qkv_same_embed_dim, "encoder_layer.self_attn._qkv_same_embed_dim was not True"),
        (heads.in_proj_bias is None, "encoder_layer.self_attn was passed bias=False"),
        (not layer.activation_relu_or_gelu, "encoder_layer.activation_relu_or_gelu was not True"),
        (
            layer.norm1.eps != layer.norm2.eps,
            "encoder_layer.norm1.eps was not equal to encoder_layer.norm2.eps",
        ),
        (heads.num_heads % 2 == 1, "encoder_layer.self_attn.num_heads is odd"),
    ):
        if holds:
            return reason
    return ""


class TransformerEncoder(Module):
    """``num_layers`` copies of an encoder layer, one after another.

    Args:
        encoder_layer: the layer to copy.
        num_layers: how many there are.
        norm: a module for the end, or None.
        enable_nested_tensor: accepted (with PyTorch's warning where it could not be used there); padding is
            always computed along.
        mask_check: accepted.
    """

    def __init__(
        self, encoder_layer: Module, num_layers: int, norm: Module | None = None,
        enable_nested_tensor: bool = True, mask_check: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        self.layers = _copies(encoder_layer, num_layers)
        self.num_layers = num_layers
        self.norm = norm
        self.enable_nested_tensor = self.use_nested_tensor = enable_nested_tensor
        self.mask_check = mask_check
        reason = _why_not_nested(encoder_layer)
        if enable_nested_tensor and reason:
            warnings.warn(
                f"enable_nested_tensor is True, but self.use_nested_tensor is False because {reason}",
                stacklevel=2,
            )
            self.use_nested_tensor = False

    def forward(
        self, src: Tensor, mask: Mask = None, src_key_padding_mask: Mask = None, is_causal: bool | None = None
    ) -> Tensor:
        """``(S, N, E)`` to ``(S, N, E)``; arguments as in the layer, ``is_causal`` None: look at the mask."""
        padding = _numbers("src_key_padding_mask", src_key_padding_mask, src, mask)
        mask = _numbers("mask", mask, src)
        first: Any = self.layers[0]
        batched_first = src._data.ndim == 3 and first.self_attn.batch_first
        causal = _is_causal(mask, is_causal, src._data.shape[1 if batched_first else 0])
        out = src
        for layer in self.layers:
            out = layer(out, src_mask=mask, is_causal=causal, src_key_padding_mask=padding)
        return out if self.norm is None else self.norm(out)


class TransformerDecoder(Module):
    """``num_layers`` copies of a decoder layer, one after another.

    Args:
        decoder_layer: the layer to copy.
        num_layers: how many there are.
        norm: a module for the end, or None.
    """

    def __init__(self, decoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        super().__init__()
        self.layers = _copies(decoder_layer, num_layers)
        self.num_layers = num_layers
        self.norm = norm

    def forward(
        self, tgt: Tensor, memory: Tensor, tgt_mask: Mask = None, memory_mask: Mask = None,
        tgt_key_padding_mask: Mask = None, memory_key_padding_mask: Mask = None,
        tgt_is_causal: bool | None = None, memory_is_causal: bool = False,
    ) -> Tensor:  # fmt: skip
        """``(T, N, E)`` and ``(S, N, E)`` to ``(T, N, E)``; arguments as in the layer."""
        first: Any = self.layers[0]
        batched_first = tgt._data.ndim == 3 and first.self_attn.batch_first
        causal = _is_causal(tgt_mask, tgt_is_causal, tgt._data.shape[1 if batched_first else 0])
        out = tgt
        for layer in self.layers:
            out = layer(
                out, memory, tgt_mask=tgt_mask, memory_mask=memory_mask,
                tgt_key_padding_mask=tgt_key_padding_mask, memory_key_padding_mask=memory_key_padding_mask,
                tgt_is_causal=causal, memory_is_causal=memory_is_causal,
            )  # fmt: skip
        return out if self.norm is None else self.norm(out)


class Transformer(Module):
    """An encoder and a decoder that looks at its output.

    Args:
        d_model: E, features at each position.
        nhead: heads of attention; divides E.
        num_encoder_layers, num_decoder_layers: layers of each.
        dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias: of the layers.
        custom_encoder, custom_decoder: modules to take instead.
        device: only the CPU.
        dtype: of the parameters; None is the default dtype.
    """

    def __init__(
        self, d_model: int = 512, nhead: int = 8, num_encoder_layers: int = 6, num_decoder_layers: int = 6,
        dim_feedforward: int = 2048, dropout: float = 0.1, activation: Activation = F.relu,
        custom_encoder: Any = None, custom_decoder: Any = None, layer_norm_eps: float = 1e-5,
        batch_first: bool = False, norm_first: bool = False, bias: bool = True, device: Any = None,
        dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        settings = (
            d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first,
            bias, device, dtype,
        )  # fmt: skip

        def norm() -> LayerNorm:
            return LayerNorm(d_model, layer_norm_eps, True, bias, device, dtype)

        if custom_encoder is None:
            encoder = TransformerEncoderLayer(*settings)
            custom_encoder = TransformerEncoder(encoder, num_encoder_layers, norm())
        self.encoder = custom_encoder
        if custom_decoder is None:
            decoder = TransformerDecoderLayer(*settings)
            custom_decoder = TransformerDecoder(decoder, num_decoder_layers, norm())
        self.decoder = custom_decoder
        self._reset_parameters()
        self.d_model, self.nhead, self.batch_first = d_model, nhead, batch_first

    def forward(
        self, src: Tensor, tgt: Tensor, src_mask: Mask = None, tgt_mask: Mask = None,
        memory_mask: Mask = None, src_key_padding_mask: Mask = None, tgt_key_padding_mask: Mask = None,
        memory_key_padding_mask: Mask = None, src_is_causal: bool | None = None,
        tgt_is_causal: bool | None = None, memory_is_causal: bool = False,
    ) -> Tensor:  # fmt: skip
        """``(S, N, E)`` and ``(T, N, E)`` to ``(T, N, E)``; N first with batch_first, or without N.

        Raises:
            ShapeError: other batches, or features that are not E.
        """
        dims = src._data.ndim
        at = 0 if self.batch_first else 1
        if dims == 3 and tgt._data.ndim == 3 and src._data.shape[at] != tgt._data.shape[at]:
            raise ShapeError(
                f"the batch number of src and tgt must be equal: src {list(src.shape)}, tgt {list(tgt.shape)}"
            )
        if src._data.shape[-1] != self.d_model or tgt._data.shape[-1] != self.d_model:
            raise ShapeError(
                f"the feature number of src and tgt must be equal to d_model: src {list(src.shape)}, tgt "
                f"{list(tgt.shape)}, d_model {self.d_model}"
            )
        memory = self.encoder(
            src, mask=src_mask, src_key_padding_mask=src_key_padding_mask, is_causal=src_is_causal
        )
        out: Tensor = self.decoder(
            tgt, memory, tgt_mask=tgt_mask, memory_mask=memory_mask,
            tgt_key_padding_mask=tgt_key_padding_mask, memory_key_padding_mask=memory_key_padding_mask,
            tgt_is_causal=tgt_is_causal, memory_is_causal=memory_is_causal,
        )  # fmt: skip
        return out

    @staticmethod
    def generate_square_subsequent_mask(sz: int, device: Any = None, dtype: Any = None) -> Tensor:
        """``(sz, sz)``: -inf where the column is greater than the row, else 0: no look at later ones."""
        check_device(device)
        kind = dtypes.default_dtype() if dtype is None else dtypes.as_dtype(dtype)
        return Tensor(_causal_mask(sz, kind.np), None)

    def _reset_parameters(self) -> None:
        for p in self.parameters():
            if p._data.ndim > 1:
                init.xavier_uniform_(p)


__all__ = [
    "Transformer",
    "TransformerDecoder",
    "TransformerDecoderLayer",
    "TransformerEncoder",
    "TransformerEncoderLayer",
]
