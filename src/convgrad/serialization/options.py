"""Settings of saving and loading that PyTorch keeps as functions: checksums, byte order, memory maps."""

from __future__ import annotations

import enum
import mmap
from typing import Any

from ..errors import ConvgradError

_PRIVATE = getattr(mmap, "MAP_PRIVATE", 2)


class LoadEndianness(enum.Enum):
    """The byte order of a file that does not tell its own."""

    NATIVE = 1
    LITTLE = 2
    BIG = 3


class _Options:
    __slots__ = ("checksums", "endianness")

    def __init__(self) -> None:
        self.checksums = True
        self.endianness: LoadEndianness | None = None


_options = _Options()


def get_crc32_options() -> bool:
    """Whether ``save`` writes checksums; True unless changed."""
    return _options.checksums


def set_crc32_options(compute_crc32: bool) -> None:
    """Whether ``save`` writes checksums. Without them a changed file is loaded as if it were whole."""
    _options.checksums = bool(compute_crc32)


def get_default_load_endianness() -> LoadEndianness | None:
    """What ``set_default_load_endianness`` was given."""
    return _options.endianness


def set_default_load_endianness(endianness: LoadEndianness | None) -> None:
    """The byte order to assume of files without a record of it; little if None."""
    if endianness is not None and not isinstance(endianness, LoadEndianness):
        raise TypeError("Invalid argument type in function set_default_load_endianness")
    _options.endianness = endianness


def get_default_mmap_options() -> int:
    """Always ``mmap.MAP_PRIVATE``."""
    return _PRIVATE


class set_default_mmap_options:
    """Accepts ``mmap.MAP_PRIVATE``, the only way files are mapped: writes to tensors never reach the file.

    Raises:
        ConvgradError: ``mmap.MAP_SHARED``.
    """

    def __init__(self, flags: int) -> None:
        if flags != _PRIVATE:
            raise ConvgradError(
                "Invalid argument in function set_default_mmap_options, expected mmap.MAP_PRIVATE: "
                "convgrad never "
                "writes into the file a tensor was loaded from"
            )

    def __enter__(self) -> None:
        return None

    def __exit__(self, *exc: object) -> None:
        return None


def assumed_order() -> Any:
    """The byte order of files without a record of it: "little", "big" or None for the machine's own."""
    chosen = _options.endianness
    return {None: "little", LoadEndianness.NATIVE: None}.get(
        chosen, chosen.name.lower() if chosen else "little"
    )
