"""The layers that normalise under the name of an earlier module."""

from __future__ import annotations

from .normalization import GroupNorm, LayerNorm, RMSNorm

__all__ = ["GroupNorm", "LayerNorm", "RMSNorm"]
