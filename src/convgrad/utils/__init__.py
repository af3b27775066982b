"""``data``: datasets, loaders; ``checkpoint``: less memory; ``fuse summary tensorboard dlpack``."""

from __future__ import annotations

import importlib
from typing import Any

from . import checkpoint, data

__all__ = ["checkpoint", "data", "dlpack", "fuse", "fusible", "summary", "tensorboard"]

#: loaded on first use: name -> (module, name in it or "" for the module itself)
_LATE = {
    "dlpack": ("dlpack", ""),
    "fuse": ("fusing", "fuse"),
    "fusible": ("fusing", "fusible"),
    "summary": ("model_summary", "summary"),
    "tensorboard": ("tensorboard", ""),
}


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name)
    module, inside = _LATE[name]
    found = importlib.import_module(f"{__name__}.{module}")
    return getattr(found, inside) if inside else found
