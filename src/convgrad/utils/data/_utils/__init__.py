"""PyTorch's paths of what joins examples and tells workers who they are."""

from __future__ import annotations

from . import collate, worker

__all__ = ["collate", "worker"]
