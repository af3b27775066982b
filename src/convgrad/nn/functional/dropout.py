"""Dropout: elements, or whole channels, set to zero at random during training."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...generator import default_generator
from ...ops import elementwise as ew
from ...tensor.dual import adopt, stand_ins
from ...tensor.methods.operands import check_tensor
from ...tensor.tensor import Tensor, apply


def _drop(name: str, input: Tensor, p: float, training: bool, inplace: bool, shape: Any) -> Tensor:
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p} ({name})")
    if not training or p == 0 or not input._data.size:
        return input
    dtype = input._data.dtype
    noise = np.zeros((), dtype)
    if p < 1:
        noise = default_generator.bernoulli(1 - p, shape, dtype)
        if not stand_ins:
            noise /= dtype.type(1 - p)
    mask = adopt(Tensor(noise, None))
    if p < 1 and stand_ins:
        mask = mask / (1 - p)
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


def _channels(input: Tensor, ndim: int) -> tuple[int, ...]:
    """One element per channel: (N, C, 1, ...), or (C, 1, ...) of an unbatched input."""
    shape = input._data.shape
    lead = 2 if len(shape) >= ndim + 2 else 1
    return tuple(shape[:lead]) + (1,) * (len(shape) - lead)


def dropout1d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Set whole channels of ``(N, C, L)`` or ``(C, L)`` to zero."""
    if input._data.ndim not in (2, 3):
        raise RuntimeError(
            f"dropout1d: Expected 2D or 3D input, but received a {input._data.ndim}D input "
            f"{list(input.shape)}. Note that dropout1d exists to provide channel-wise dropout on inputs "
            "with 1 "
            "spatial dimension, a channel dimension, and an optional batch dimension (i.e. 2D or 3D inputs)."
        )
    return _drop("dropout1d", input, p, training, inplace, _channels(input, 1))


def dropout2d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Set whole channels of ``(N, C, H, W)`` to zero."""
    shape = input._data.shape
    lead = min(2, len(shape))
    return _drop("dropout2d", input, p, training, inplace, shape[:lead] + (1,) * (len(shape) - lead))


def dropout3d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Set whole channels of ``(N, C, D, H, W)`` or ``(C, D, H, W)`` to zero."""
    return _drop("dropout3d", input, p, training, inplace, _channels(input, 3))
