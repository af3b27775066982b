"""What programs ask of ``torch.mps``: convgrad runs on the CPU, so there is none."""

from __future__ import annotations

from .accelerator import device_count, empty_cache, is_available, synchronize
from .errors import absent

__all__ = ["device_count", "empty_cache", "is_available", "synchronize"]

__getattr__ = absent("mps", "convgrad runs on the CPU: ask torch.mps.is_available() first")
