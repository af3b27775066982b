"""The switches that programs set on ``torch.backends.cudnn``: kept, and without effect on a CPU."""

from __future__ import annotations

enabled = False
benchmark = False
deterministic = False
allow_tf32 = False


def is_available() -> bool:
    """Always False."""
    return False


def version() -> None:
    """None: there is no cuDNN."""
