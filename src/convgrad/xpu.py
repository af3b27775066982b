"""What programs ask of ``torch.xpu``: convgrad runs on the CPU, so there is none."""

from __future__ import annotations

from .accelerator import device_count, empty_cache, is_available, synchronize
from .errors import absent

__all__ = ["device_count", "empty_cache", "is_available", "synchronize"]

__getattr__ = absent("xpu", "convgrad runs on the CPU: ask torch.xpu.is_available() first")
