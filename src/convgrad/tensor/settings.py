"""Process-wide settings that programs ask for by PyTorch's names."""

from __future__ import annotations

import warnings
from typing import Any

from ..errors import ConvgradError
from ..switches import switches
from .tensor import Tensor


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Let nothing that was measured decide how something is computed.

    Convolutions give the same bits on every run and for every number of threads as it is; the one switch that
    may choose another algorithm on another run, ``backends.convolution.benchmark``, is ignored meanwhile.
    """
    switches.turn("deterministic", bool(mode))


def are_deterministic_algorithms_enabled() -> bool:
    """What ``use_deterministic_algorithms`` was last given."""
    return switches.deterministic


_PRECISIONS = ("highest", "high", "medium")


def set_float32_matmul_precision(precision: str) -> None:
    """Allow products of float32 to be less exact than float32; convgrad makes no use of it.

    There is no kernel of reduced precision here (two bfloat16 terms on AMX would be one), so that all results
    stay those of ``"highest"``. The setting is kept for programs that ask what it is.

    Args:
        precision: "highest", "high" or "medium".
    Warns:
        UserWarning: another string; the setting stays, as in PyTorch.
    Raises:
        ConvgradError: no string.
    Example:
        >>> set_float32_matmul_precision("high")
        >>> get_float32_matmul_precision()
        'high'
        >>> set_float32_matmul_precision("highest")
    """
    if not isinstance(precision, str):
        raise ConvgradError(
            f"set_float32_matmul_precision expects a str, but got {type(precision).__name__}; "
            f"one of {', '.join(map(repr, _PRECISIONS))}"
        )
    if precision not in _PRECISIONS:
        message = (
            f"{precision} is not one of 'highest', 'high', or 'medium'; "
            "the current setFloat32MatmulPrecision call has no effect."
        )
        warnings.warn(message, UserWarning, stacklevel=2)
        return
    switches.matmul_precision = precision


def get_float32_matmul_precision() -> str:
    """What ``set_float32_matmul_precision`` was last given; "highest" before."""
    return switches.matmul_precision


def is_tensor(obj: Any) -> bool:
    """Whether ``obj`` is a Tensor."""
    return isinstance(obj, Tensor)
