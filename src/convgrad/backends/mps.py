"""What programs ask of ``torch.backends.mps``: convgrad runs on the CPU."""

from __future__ import annotations


def is_available() -> bool:
    """Always False."""
    return False


def is_built() -> bool:
    """Always False."""
    return False
