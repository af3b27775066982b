"""``utils.data``: datasets and the loader that makes batches of them; ``utils.checkpoint``: less memory."""

from __future__ import annotations

from . import checkpoint, data

__all__ = ["checkpoint", "data"]
