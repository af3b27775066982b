"""What programs ask of ``torch.accelerator``, and of ``torch.xpu``: convgrad runs on the CPU."""

from __future__ import annotations

from .errors import absent

__all__ = ["current_accelerator", "device_count", "empty_cache", "is_available", "synchronize"]

__getattr__ = absent("accelerator", "convgrad runs on the CPU: ask torch.accelerator.is_available() first")


def is_available() -> bool:
    """Always False."""
    return False


def device_count() -> int:
    """Always 0."""
    return 0


def current_accelerator(check_available: bool = False) -> None:
    """None: there is no other device than the CPU."""


def synchronize(device: object = None) -> None:
    """Nothing to wait for."""


def empty_cache() -> None:
    """Nothing to empty."""
