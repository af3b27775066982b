"""What programs ask of ``torch.cuda``: convgrad runs on the CPU, so there is none."""

from __future__ import annotations


def is_available() -> bool:
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
