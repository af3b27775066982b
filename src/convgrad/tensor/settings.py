"""Process-wide settings that programs ask for by PyTorch's names."""

from __future__ import annotations

from typing import Any

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


def is_tensor(obj: Any) -> bool:
    """Whether ``obj`` is a Tensor."""
    return isinstance(obj, Tensor)
