"""``torch.profiler``: see ``convgrad.autograd.profiler``."""

from __future__ import annotations

from .autograd.profiler import _WHY, profile, record_function
from .errors import absent

__all__ = ["profile", "record_function"]

__getattr__ = absent("profiler", _WHY)
