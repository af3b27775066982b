"""Dropout: elements, or whole channels, set to zero (or to SELU's lower limit) at random during training."""

from __future__ import annotations

import math
import warnings
from functools import lru_cache
from typing import Any

import numpy as np

from ...dtypes import F32, HALVES, Array
from ...errors import ConvgradError
from ...generator import default_generator
from ...generator.order import drawn_into
from ...ops import elementwise as ew
from ...tensor.checks import scalar_name
from ...tensor.dual import adopt, stand_ins
from ...tensor.functions_activation import SELU_ALPHA, SELU_SCALE
from ...tensor.methods.operands import check_tensor
from ...tensor.tensor import Tensor, apply

#: SELU's limit far below zero; Klambauer et al. 2017, arXiv:1706.02515, section 3
_LOWEST = -SELU_ALPHA * SELU_SCALE


def _idle(name: str, input: Tensor, p: float, training: bool) -> bool:
    """Whether nothing is to be done."""
    check_tensor(name, input, "input")
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p} ({name})")
    if not training or p == 0 or not input._data.size:
        return True
    if input._data.dtype.kind in "biu":
        raise ConvgradError(
            f"result type Float can't be cast to the desired output type {scalar_name(input.dtype)} ({name} "
            "needs a floating point input)"
        )
    return False


def dropout_noise(p: float, shape: tuple[int, ...], dtype: Any) -> Array:
    """Zeros with probability p, elsewhere ``1 / (1 - p)``; p = 1 draws nothing. Half precision as float32."""
    if p == 1:
        return np.zeros(shape, F32 if dtype in HALVES else dtype)
    noise = default_generator.bernoulli(1 - p, shape, dtype, _enlarged(p, np.dtype(dtype)))
    return noise.astype(F32) if dtype in HALVES else noise


@lru_cache(maxsize=64)
def _enlarged(p: float, dtype: np.dtype[Any]) -> float:
    """``1 / (1 - p)`` in ``dtype``; for halves the quotient is that of float32, rounded."""
    kind = dtype.type(0).real.dtype.type
    wide = np.float32 if dtype in HALVES else kind
    return float(kind(wide(1) / wide(1 - p)))


def _kept(p: float, x: Array, shape: tuple[int, ...], one: float = 1.0) -> Array:
    """Zeros with probability p, else ``one``; those of elements are drawn as x lies in memory."""
    if shape != x.shape:
        return default_generator.bernoulli(1 - p, shape, x.dtype, one)
    return drawn_into(x, lambda order: default_generator.bernoulli(1 - p, order, x.dtype, one))


def _drop(name: str, input: Tensor, p: float, training: bool, inplace: bool, shape: Any) -> Tensor:
    if _idle(name, input, p, training):
        return input
    dtype = input._data.dtype
    if stand_ins and p < 1:  # within vmap: a mask that may be each sample's own
        mask = adopt(Tensor(default_generator.bernoulli(1 - p, shape, dtype), None)) / (1 - p)
    else:
        noise = np.zeros((), dtype)
        if p < 1:
            noise = _kept(p, input._data, shape, _enlarged(p, dtype))
        mask = Tensor(noise, None)
    return input._inplace("mul_", ew.Mul, (mask,)) if inplace else apply(ew.Mul, (input, mask))


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Set each element to zero with probability p and enlarge the others by ``1 / (1 - p)``.

    Args:
        input: float of any shape.
        p: probability of zero.
        training: False returns the input itself.
        inplace: change the input.
    Source: Srivastava et al. 2014, JMLR 15.
    """
    check_tensor("dropout", input, "input")
    return _drop("dropout", input, p, training, inplace, input._data.shape)


def _channels(input: Tensor) -> tuple[int, ...]:
    """One element per channel: ``(N, C, 1, ...)``."""
    shape = input._data.shape
    if len(shape) < 2:
        raise ConvgradError(
            f"Feature dropout requires at least 2 dimensions in the input, but got {list(shape)}"
        )
    return tuple(shape[:2]) + (1,) * (len(shape) - 2)


def feature_dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Set whole channels ``input[n, c]`` to zero with probability p, enlarge the others by ``1 / (1 - p)``.

    Args:
        input: float ``(N, C, ...)``.
        p: probability of zero.
        training: False returns the input itself.
        inplace: change the input.
    Raises:
        ConvgradError: fewer than 2 dimensions.
    Source: Tompson et al. 2015, arXiv:1411.4280.
    """
    if _idle("feature_dropout", input, p, training):
        return input
    return _drop("feature_dropout", input, p, training, inplace, () if p == 1 else _channels(input))


def _of_batch(input: Tensor, p: float, training: bool, inplace: bool, batched: bool) -> Tensor:
    """``feature_dropout`` of a batch, or of the one example that an unbatched input is."""
    if batched:
        return feature_dropout(input, p, training, inplace)
    if inplace:
        feature_dropout(input.unsqueeze(0), p, training, True)
        return input
    return feature_dropout(input.unsqueeze(0), p, training).squeeze(0)


def dropout1d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Set whole channels of ``(N, C, L)`` or ``(C, L)`` to zero; arguments as ``feature_dropout``."""
    check_tensor("dropout1d", input, "input")
    _idle("dropout1d", input, p, False)
    if input._data.ndim not in (2, 3):
        raise ConvgradError(
            f"dropout1d: Expected 2D or 3D input, but received a {input._data.ndim}D input "
            f"{list(input.shape)}. Note that dropout1d exists to provide channel-wise dropout on inputs "
            "with 1 spatial dimension, a channel dimension, and an optional batch dimension (i.e. 2D or 3D "
            "inputs)."
        )
    return _of_batch(input, p, training, inplace, input._data.ndim == 3)


def _warn(name: str, ndim: int, spatial: int) -> None:
    warnings.warn(
        f"{name}: Received a {ndim}-D input to {name}, which is deprecated and will result in an error in a "
        "future release. To retain the behavior and silence this warning, please use dropout instead. Note "
        f"that {name} exists to provide channel-wise dropout on inputs with {spatial} spatial dimensions, a "
        f"channel dimension, and an optional batch dimension (i.e. {spatial + 1}D or {spatial + 2}D inputs).",
        stacklevel=3,
    )


def dropout2d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Set whole channels of ``(N, C, H, W)`` to zero; arguments as ``feature_dropout``.

    A 3-d input counts as ``(N, C, L)``, as in PyTorch.
    """
    _idle("dropout2d", input, p, False)
    ndim = input._data.ndim
    if ndim not in (3, 4):
        _warn("dropout2d", ndim, 2)
    if ndim == 3:
        warnings.warn(
            "dropout2d: Received a 3D input to dropout2d and assuming that channel-wise 1D dropout behavior "
            "is "
            "desired - input is interpreted as shape (N, C, L), where C is the channel dim. This behavior "
            "will "
            "change in a future release to interpret the input as one without a batch dimension, i.e. shape "
            "(C, H, W). To maintain the 1D channel-wise dropout behavior, please switch to using dropout1d "
            "instead.",
            stacklevel=2,
        )
    return feature_dropout(input, p, training, inplace)


def dropout3d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Set whole channels of ``(N, C, D, H, W)`` or ``(C, D, H, W)`` to zero; as ``feature_dropout``."""
    _idle("dropout3d", input, p, False)
    ndim = input._data.ndim
    if ndim not in (4, 5):
        _warn("dropout3d", ndim, 3)
    return _of_batch(input, p, training, inplace, ndim == 5)


def _alpha(name: str, input: Tensor, p: float, training: bool, inplace: bool, channels: bool) -> Tensor:
    """Dropout to SELU's lower limit, then scaled and shifted so that mean 0 and variance 1 stay."""
    if _idle(name, input, p, training):
        return input
    if p == 1:
        return _drop(name, input, p, training, inplace, ())
    dtype = input._data.dtype
    shape = _channels(input) if channels else input._data.shape
    kept = _kept(p, input._data, shape)
    scale = 1.0 / math.sqrt((_LOWEST * _LOWEST * p + 1) * (1 - p))
    shift = (kept - dtype.type(1)) * dtype.type(-_LOWEST * scale) + dtype.type(-_LOWEST * scale * p)
    factor, offset = [Tensor(np.asarray(a), None) for a in (kept * dtype.type(scale), shift)]
    if inplace:
        return input._inplace("mul_", ew.Mul, (factor,))._inplace("add_", ew.Add, (offset,))
    return input * factor + offset


def alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """Set elements to SELU's lower limit with probability p, keeping mean 0 and variance 1.

    Args:
        input: float of any shape.
        p: probability.
        training: False returns the input itself.
        inplace: change the input.
    Source: Klambauer et al. 2017, arXiv:1706.02515, section 3.
    """
    return _alpha("alpha_dropout", input, p, training, inplace, False)


def feature_alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """``alpha_dropout`` of whole channels of ``(N, C, ...)``.

    Raises:
        ConvgradError: fewer than 2 dimensions.
    """
    return _alpha("feature_alpha_dropout", input, p, training, inplace, True)


__all__ = [
    "alpha_dropout", "dropout", "dropout1d", "dropout2d", "dropout3d", "feature_alpha_dropout",
    "feature_dropout",
]  # fmt: skip
