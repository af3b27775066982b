"""Memory of large arrays: results of compiled convolutions come from blocks that are kept when freed.

An array of 128 kB or more gets a block of its own; when the last tensor or array that shows it is gone, the
block waits for the next array of about its size (at most a quarter smaller). Blocks beyond ``limit`` bytes, a
sixteenth of the machine's memory and at most 256 MB, go back to the operating system, the oldest first.
"""

from __future__ import annotations

from convgrad.kernels.machine import _native

_NONE = {"in_use": 0, "kept": 0, "limit": 0, "reused": 0, "mapped": 0}


def memory_stats() -> dict[str, int]:
    """What the blocks amount to.

    Returns:
        ``in_use``: bytes of blocks with an array; ``kept``: bytes of freed ones; ``limit``: bytes of freed
        ones that are kept at most; ``reused``: how many arrays found a block; ``mapped``: how many did not.
        All 0 without compiled kernels, where NumPy allocates.
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
