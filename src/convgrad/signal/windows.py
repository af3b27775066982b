"""``torch.signal.windows``: windows of M samples, symmetric unless ``sym=False``; float32 or float64.

Raises (all of them): ValueError: a negative M, another dtype, a parameter out of range. TypeError: no int.
Source: Harris 1978, "On the use of windows for harmonic analysis"; semantics of torch.signal.windows.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import dtypes
from ..dtypes import Array
from ..errors import DtypeError, ShapeError
from ..tensor.functions_windows import BLACKMAN, HAMMING, cosine_sum, finished, triangle
from ..tensor.functions_windows import kaiser as kaiser_values
from ..tensor.tensor import Tensor

_NUTTALL = (0.3635819, 0.4891775, 0.1365995, 0.0106411)


def _window(name: str, M: Any, values: Any, options: dict[str, Any]) -> Tensor:
    """The tensor of ``values(M, symmetric)``; ``options`` are what every window takes."""
    known = {"sym": True, "dtype": None, "layout": None, "device": None, "requires_grad": False}
    for option in options:
        if option not in known:
            raise TypeError(f"{name}() got an unexpected keyword argument '{option}'")
    asked: dict[str, Any] = {**known, **options}
    if isinstance(M, bool) or not hasattr(M, "__index__"):
        raise TypeError(f"{name}(): M must be int, not {type(M).__name__}")
    if M < 0:
        raise ShapeError(f"{name} requires non-negative window length, got M={M}")
    kind = dtypes.default_dtype() if asked["dtype"] is None else dtypes.as_dtype(asked["dtype"])
    if kind not in (dtypes.float32, dtypes.float64):
        raise _WindowDtypeError(f"{name} expects float32 or float64 dtypes, got: {kind}")
    return finished(values(int(M), asked["sym"]), kind, asked["device"], asked["requires_grad"])


class _WindowDtypeError(DtypeError, ValueError):
    """What PyTorch raises here is a ValueError."""


def bartlett(M: int, **options: Any) -> Tensor:
    """The triangular window, 0 at both ends.

    Example:
        >>> bartlett(3).tolist()
        [0.0, 1.0, 0.0]
    """
    return _window("bartlett", M, triangle, options)


def general_cosine(M: int, *, a: Any, **options: Any) -> Tensor:
    """``a[0] - a[1] cos(2 pi t) + a[2] cos(4 pi t) - ...``.

    Example:
        >>> general_cosine(3, a=[0.5, 0.5]).tolist()
        [0.0, 1.0, 0.0]
    """
    if not isinstance(a, (list, tuple)):
        raise TypeError("Coefficients must be a list/tuple")
    if not a:
        raise ValueError("Coefficients cannot be empty")
    return _window("general_cosine", M, lambda n, symmetric: cosine_sum(n, symmetric, a), options)


def general_hamming(M: int, *, alpha: float = HAMMING, **options: Any) -> Tensor:
    """``alpha - (1 - alpha) cos(2 pi t)``.

    Example:
        >>> general_hamming(3, alpha=0.5).tolist()
        [0.0, 1.0, 0.0]
    """
    return general_cosine(M, a=[alpha, 1 - alpha], **options)


def hamming(M: int, **options: Any) -> Tensor:
    """``general_hamming`` with 0.54.

    Example:
        >>> hamming(3)[1].item()
        1.0
    """
    return general_hamming(M, **options)


def hann(M: int, **options: Any) -> Tensor:
    """The Hann window, ``sin(pi t)²``.

    Example:
        >>> hann(4, sym=False).tolist()
        [0.0, 0.5, 1.0, 0.5]
    """
    return general_hamming(M, alpha=0.5, **options)


def blackman(M: int, **options: Any) -> Tensor:
    """The Blackman window: three terms.

    Example:
        >>> blackman(3).round(decimals=2).abs().tolist()
        [0.0, 1.0, 0.0]
    """
    return general_cosine(M, a=BLACKMAN, **options)


def nuttall(M: int, **options: Any) -> Tensor:
    """The window of Nuttall 1981 with four terms, whose side lobes are the smallest.

    Example:
        >>> nuttall(3).round(decimals=2).tolist()
        [0.0, 1.0, 0.0]
    """
    return general_cosine(M, a=_NUTTALL, **options)


def cosine(M: int, **options: Any) -> Tensor:
    """Half a wave, ``sin(pi (i + 1/2) / M)``.

    Example:
        >>> cosine(1).tolist()
        [1.0]
    """

    def values(n: int, symmetric: bool) -> Array:
        return np.sin(np.pi * (np.arange(n) + 0.5) / (n if symmetric else n + 1)) if n != 1 else np.ones(1)

    return _window("cosine", M, values, options)


def exponential(M: int, *, center: float | None = None, tau: float = 1.0, **options: Any) -> Tensor:
    """``exp(-|i - center| / tau)``; the middle if ``center`` is None, and it must be None if symmetric.

    Example:
        >>> exponential(3, tau=1e-3).tolist()
        [0.0, 1.0, 0.0]
    """
    if tau <= 0:
        raise ValueError(f"Tau must be positive, got: {tau} instead.")
    if center is not None and options.get("sym", True):
        raise ValueError("Center must be None for symmetric windows")
    return _window(
        "exponential", M, lambda n, symmetric: np.exp(-np.abs(_from(n, symmetric, center)) / tau), options
    )


def _from(n: int, symmetric: bool, center: float | None = None) -> Array:
    """The place of each sample, counted from the center."""
    return np.arange(n) - ((n - 1 if symmetric or n == 1 else n) / 2 if center is None else center)


def gaussian(M: int, *, std: float = 1.0, **options: Any) -> Tensor:
    """``exp(-(i - center)² / (2 std²))``.

    Example:
        >>> gaussian(3, std=1e-3).tolist()
        [0.0, 1.0, 0.0]
    """
    if std <= 0:
        raise ValueError(f"Standard deviation must be positive, got: {std} instead.")
    return _window(
        "gaussian", M, lambda n, symmetric: np.exp(-0.5 * (_from(n, symmetric) / std) ** 2), options
    )


def kaiser(M: int, *, beta: float = 12.0, **options: Any) -> Tensor:
    """The Kaiser window; the larger ``beta``, the narrower.

    Example:
        >>> kaiser(3, beta=0.0).tolist()
        [1.0, 1.0, 1.0]
    """
    if beta < 0:
        raise ValueError(f"beta must be non-negative, got: {beta} instead.")
    return _window("kaiser", M, lambda n, symmetric: kaiser_values(n, symmetric, beta), options)


__all__ = [
    "bartlett", "blackman", "cosine", "exponential", "gaussian", "general_cosine", "general_hamming",
    "hamming",
    "hann", "kaiser", "nuttall",
]  # fmt: skip
