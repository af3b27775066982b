"""Checkpoints: ``save`` and ``load`` in PyTorch's format, without PyTorch and without pickle's dangers.

``docs/checkpoints.md`` says what is in a file, what is promised and what is refused.
"""

from __future__ import annotations

from .errors import CheckpointError, RefusedError, UnsavableError
from .loading import get_unsafe_globals_in_checkpoint, load
from .npz import load_npz, save_npz
from .options import (
    LoadEndianness,
    get_crc32_options,
    get_default_load_endianness,
    get_default_mmap_options,
    set_crc32_options,
    set_default_load_endianness,
    set_default_mmap_options,
)
from .rescue import load_state
from .saving import save
from .standin import StandIn
from .trusted import add_safe_globals, clear_safe_globals, get_safe_globals, safe_globals

__all__ = [
    "CheckpointError",
    "LoadEndianness",
    "RefusedError",
    "StandIn",
    "UnsavableError",
    "add_safe_globals",
    "clear_safe_globals",
    "get_crc32_options",
    "get_default_load_endianness",
    "get_default_mmap_options",
    "get_safe_globals",
    "get_unsafe_globals_in_checkpoint",
    "load",
    "load_npz",
    "load_state",
    "safe_globals",
    "save",
    "save_npz",
    "set_crc32_options",
    "set_default_load_endianness",
    "set_default_mmap_options",
]
