"""What programs ask of ``torch.cuda``: convgrad runs on the CPU, so there is none."""

from __future__ import annotations

from typing import Any, NoReturn

from ..errors import DeviceError, absent
from . import amp

__all__ = [
    "amp", "current_device", "device_count", "empty_cache", "get_device_name", "get_device_properties",
    "is_available", "is_bf16_supported", "is_initialized", "manual_seed", "manual_seed_all",
    "max_memory_allocated", "max_memory_reserved", "memory_allocated", "memory_reserved",
    "reset_peak_memory_stats", "set_device", "synchronize",
]  # fmt: skip

__getattr__ = absent("cuda", "convgrad runs on the CPU: ask torch.cuda.is_available() first")


def is_available() -> bool:
    """Always False."""
    return False


def is_initialized() -> bool:
    """Always False."""
    return False


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """Always False."""
    return False


def device_count() -> int:
    """Always 0."""
    return 0


def manual_seed(seed: int) -> None:
    """Accepted and ignored, as PyTorch does where there is no GPU."""


manual_seed_all = manual_seed


def synchronize(device: object = None) -> None:
    """Nothing to wait for."""


def empty_cache() -> None:
    """Nothing to empty."""


def memory_allocated(device: object = None) -> int:
    """Always 0, as in PyTorch where there is no GPU."""
    return 0


max_memory_allocated = memory_reserved = max_memory_reserved = memory_allocated


def reset_peak_memory_stats(device: object = None) -> None:
    """Nothing was counted."""


def _none(*args: Any, **kwargs: Any) -> NoReturn:
    """Always an error: there is no such device.

    Raises:
        DeviceError: always.
    """
    raise DeviceError("Torch not compiled with CUDA enabled (convgrad runs on the CPU)")


current_device = get_device_name = get_device_properties = set_device = _none
