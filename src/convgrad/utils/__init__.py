"""``utils.data``: datasets and the loader that makes batches of them."""

from __future__ import annotations

from . import data

__all__ = ["data"]
