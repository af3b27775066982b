"""What programs for one process ask of ``torch.distributed``: there is no process group."""

from __future__ import annotations

from ..errors import absent

__all__ = ["is_available", "is_initialized", "is_torchelastic_launched"]

__getattr__ = absent("distributed", "training on several processes is not there yet")


def is_available() -> bool:
    """Always False."""
    return False


def is_initialized() -> bool:
    """Always False."""
    return False


def is_torchelastic_launched() -> bool:
    """Always False."""
    return False
