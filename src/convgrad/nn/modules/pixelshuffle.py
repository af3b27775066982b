"""Channels to pixels and back."""

from __future__ import annotations

from typing import Any

from .. import functional as F
from ..module import Module


class PixelShuffle(Module):
    """Makes ``r * r`` channels into ``r`` times as many rows and columns.

    Args:
        upscale_factor: r.
    Source: Shi et al. 2016, arXiv:1609.05158.
    """

    def __init__(self, upscale_factor: int) -> None:
        super().__init__()
        self.upscale_factor = upscale_factor

    def forward(self, input: Any) -> Any:
        """``(*, C r r, H, W)`` to ``(*, C, H r, W r)``."""
        return F.pixel_shuffle(input, self.upscale_factor)

    def extra_repr(self) -> str:
        return f"upscale_factor={self.upscale_factor}"


class PixelUnshuffle(Module):
    """Undoes ``PixelShuffle``.

    Args:
        downscale_factor: r.
    """

    def __init__(self, downscale_factor: int) -> None:
        super().__init__()
        self.downscale_factor = downscale_factor

    def forward(self, input: Any) -> Any:
        """``(*, C, H r, W r)`` to ``(*, C r r, H, W)``."""
        return F.pixel_unshuffle(input, self.downscale_factor)

    def extra_repr(self) -> str:
        return f"downscale_factor={self.downscale_factor}"
