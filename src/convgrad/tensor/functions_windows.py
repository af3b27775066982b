"""Windows that fade a piece of a signal in and out: ``hann_window`` and its kin; ``signal.windows`` has more.

``window_length`` (samples) must not be negative. ``periodic`` windows are the first values of a symmetric
one that is one longer, so that copies side by side add up evenly. They are computed in float64 and rounded
once to ``dtype``, the default float if None.
Source: Harris 1978, "On the use of windows for harmonic analysis"; semantics of torch.hann_window and so on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import dtypes
from ..device import check_device
from ..dtypes import Array
from ..errors import DtypeError, ShapeError
from .arrays import as_kind
from .tensor import Tensor

HAMMING = 0.54
BLACKMAN = (0.42, 0.5, 0.08)


def positions(size: int, symmetric: bool) -> Array:
    """Where each of ``size`` samples stands from 0 to 1."""
    last = size - 1 if symmetric else size
    return np.arange(size) / max(last, 1)


def cosine_sum(size: int, symmetric: bool, weights: Sequence[float]) -> Array:
    """``w0 - w1 cos(2 pi t) + w2 cos(4 pi t) - ...`` for t from 0 to 1; of one sample 1."""
    if size == 1:
        return np.ones(1)
    t = positions(size, symmetric) * 2 * math.pi
    return np.asarray(sum([w * (-1) ** k * np.cos(k * t) for k, w in enumerate(weights)]) + 0 * t)


def triangle(size: int, symmetric: bool) -> Array:
    """From 0 up to 1 in the middle and down again."""
    return np.ones(1) if size == 1 else 1 - np.abs(2 * positions(size, symmetric) - 1)


def kaiser(size: int, symmetric: bool, beta: float) -> Array:
    """The Bessel function I0 along half a circle, 1 in the middle."""
    if size == 1:
        return np.ones(1)
    t = 2 * positions(size, symmetric) - 1
    return np.i0(beta * np.sqrt(np.maximum(1 - t * t, 0))) / np.i0(beta)


def finished(values: Array, kind: dtypes.dtype, device: Any, requires_grad: bool) -> Tensor:
    """A window as a tensor."""
    check_device(device)
    return Tensor(values.astype(kind.np), None).requires_grad_(requires_grad)


def _asked(name: str, size: Any, dtype: Any) -> dtypes.dtype:
    if isinstance(size, bool) or not hasattr(size, "__index__"):
        raise TypeError(
            f"{name}(): argument 'window_length' (position 1) must be int, not {type(size).__name__}"
        )
    kind = as_kind(dtype)
    if kind.category < dtypes.FLOATING:
        raise DtypeError(f"{name} expects floating point dtypes, got: {kind}")
    if kind.category > dtypes.FLOATING:
        raise NotImplementedError(f"{name} is not implemented for {kind}: a window is real")
    if size < 0:
        raise ShapeError(f"{name} requires non-negative window_length, got window_length={size}")
    return kind


def hann_window(
    window_length: int, periodic: bool = True, *, dtype: Any = None, layout: Any = None, device: Any = None,
    pin_memory: bool = False, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """The Hann window, ``sin(pi t)²``.

    Example:
        >>> hann_window(4).tolist()
        [0.0, 0.5, 1.0, 0.5]
    """
    kind = _asked("hann_window", window_length, dtype)
    return finished(cosine_sum(window_length, not periodic, (0.5, 0.5)), kind, device, requires_grad)


def hamming_window(
    window_length: int, periodic: bool = True, alpha: float = HAMMING, beta: float = 1 - HAMMING, *,
    dtype: Any = None, layout: Any = None, device: Any = None, pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """The Hamming window, ``alpha - beta cos(2 pi t)``.

    Example:
        >>> hamming_window(4)[2].item()
        1.0
    """
    kind = _asked("hamming_window", window_length, dtype)
    return finished(cosine_sum(window_length, not periodic, (alpha, beta)), kind, device, requires_grad)


def blackman_window(
    window_length: int, periodic: bool = True, *, dtype: Any = None, layout: Any = None, device: Any = None,
    pin_memory: bool = False, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """The Blackman window, ``0.42 - 0.5 cos(2 pi t) + 0.08 cos(4 pi t)``.

    Example:
        >>> blackman_window(3, False).round(decimals=2).tolist()
        [0.0, 1.0, 0.0]
    """
    kind = _asked("blackman_window", window_length, dtype)
    values = np.maximum(cosine_sum(window_length, not periodic, BLACKMAN), 0)  # ends are 0, not -1e-17
    return finished(values, kind, device, requires_grad)


def bartlett_window(
    window_length: int, periodic: bool = True, *, dtype: Any = None, layout: Any = None, device: Any = None,
    pin_memory: bool = False, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """The triangular window.

    Example:
        >>> bartlett_window(4).tolist()
        [0.0, 0.5, 1.0, 0.5]
    """
    kind = _asked("bartlett_window", window_length, dtype)
    return finished(triangle(window_length, not periodic), kind, device, requires_grad)


def kaiser_window(
    window_length: int, periodic: bool = True, beta: float = 12.0, *, dtype: Any = None, layout: Any = None,
    device: Any = None, pin_memory: bool = False, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """The Kaiser window; the larger ``beta``, the narrower. Kaiser & Schafer 1980.

    Example:
        >>> kaiser_window(3, False, beta=0.0).tolist()
        [1.0, 1.0, 1.0]
    """
    kind = _asked("kaiser_window", window_length, dtype)
    return finished(kaiser(window_length, not periodic, beta), kind, device, requires_grad)


__all__ = ["bartlett_window", "blackman_window", "hamming_window", "hann_window", "kaiser_window"]
