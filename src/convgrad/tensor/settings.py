"""Process-wide settings that programs ask for by PyTorch's names."""

from __future__ import annotations

import os
from typing import Any

from ..errors import ConvgradError
from ..switches import switches
from .tensor import Tensor


class _Settings:
    """The values; they are advice to kernels that have threads, and NumPy's have their own."""

    __slots__ = ("threads",)

    def __init__(self) -> None:
        self.threads = (
            len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        )


_settings = _Settings()


def get_num_threads() -> int:
    """How many threads kernels may use: the processors this process may run on, unless set."""
    return _settings.threads


def set_num_threads(count: int) -> None:
    """Set how many threads kernels may use. The NumPy kernels leave threads to NumPy's BLAS."""
    if not isinstance(count, int) or count < 1:
        raise ConvgradError(f"set_num_threads expects a positive integer, but got {count!r}")
    _settings.threads = count


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
