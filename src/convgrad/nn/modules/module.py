"""``Module`` under the path at which PyTorch's programs look for it."""

from __future__ import annotations

from ..module import Module

__all__ = ["Module"]
