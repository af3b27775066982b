"""``torch.profiler``: see ``convgrad.autograd.profiler``."""

from __future__ import annotations

from .autograd.profiler import (
    _WHY,
    ProfilerActivity,
    profile,
    record_function,
    schedule,
    tensorboard_trace_handler,
)
from .errors import absent

__all__ = ["ProfilerActivity", "profile", "record_function", "schedule", "tensorboard_trace_handler"]

__getattr__ = absent("profiler", _WHY)
