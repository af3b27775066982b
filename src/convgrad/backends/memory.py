"""Memory of large arrays: results of compiled kernels come from blocks that are kept when freed.

An array of 128 kB or more gets a block of its own; when the last tensor or array that shows it is gone, the
block waits for the next array of about its size (at most a quarter smaller). Blocks beyond ``limit`` bytes, a
sixteenth of the machine's memory and at most 256 MB, go back to the operating system, the oldest first.

``report`` says where the peak of a training step comes from.
"""

from __future__ import annotations

from convgrad.backends.memory_report import Live, report
from convgrad.kernels.machine import _native

__all__ = ["Live", "empty_cache", "memory_stats", "report", "reset_peak", "set_limit"]

_NONE = {"in_use": 0, "kept": 0, "limit": 0, "reused": 0, "mapped": 0, "peak": 0}


def memory_stats() -> dict[str, int]:
    """What the blocks amount to.

    Returns:
        ``in_use``: bytes of blocks with an array; ``kept``: bytes of freed ones; ``limit``: bytes of freed
        ones that are kept at most; ``reused``: how many arrays found a block; ``mapped``: how many did not;
        ``peak``: the most that ``in_use`` has been. All 0 without compiled kernels, where NumPy allocates.
    Example:
        >>> memory_stats()["kept"] <= memory_stats()["limit"]
        True
    """
    return dict(_NONE) if _native is None else _native.memory_facts()


def empty_cache() -> None:
    """Give freed blocks back to the operating system; arrays in use stay.

    Example:
        >>> empty_cache()
        >>> memory_stats()["kept"]
        0
    """
    if _native is not None:
        _native.memory_trim()


def set_limit(bytes: int | None) -> None:
    """Keep at most so many bytes of freed blocks; without compiled kernels there are none.

    Args:
        bytes: 0 keeps nothing, None is the usual limit.
    Raises:
        TypeError: no whole number.
        ValueError: a negative one.
    Example:
        >>> set_limit(1 << 26)
        >>> memory_stats()["kept"] <= 1 << 26
        True
        >>> set_limit(None)
    """
    if bytes is not None:
        if not isinstance(bytes, int) or isinstance(bytes, bool):
            raise TypeError(f"set_limit(): argument 'bytes' must be int or None, not {type(bytes).__name__}")
        if bytes < 0:
            raise ValueError(f"set_limit: bytes must not be negative, but got {bytes}")
    if _native is not None:
        _native.memory_limit(bytes)


def reset_peak() -> None:
    """Count ``memory_stats()["peak"]`` anew, from what is in use now."""
    if _native is not None:
        _native.memory_reset_peak()
