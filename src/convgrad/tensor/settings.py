"""Process-wide settings that programs ask for by PyTorch's names."""

from __future__ import annotations

from typing import Any

from .tensor import Tensor


class _Settings:
    """The values."""

    __slots__ = ("deterministic",)

    def __init__(self) -> None:
        self.deterministic = False


_settings = _Settings()


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Accepted: the NumPy kernels give the same bits on every run of one machine and thread count."""
    _settings.deterministic = bool(mode)


def are_deterministic_algorithms_enabled() -> bool:
    """What ``use_deterministic_algorithms`` was last given."""
    return _settings.deterministic


def is_tensor(obj: Any) -> bool:
    """Whether ``obj`` is a Tensor."""
    return isinstance(obj, Tensor)
