"""Channels in another order."""

from __future__ import annotations

from typing import Any

from .. import functional as F
from ..module import Module


class ChannelShuffle(Module):
    """Deals the channels of ``(N, C, *)`` out in turn to groups: the first of each, the second of each, ...

    Args:
        groups: number of groups; divides C.
    Source: Zhang et al. 2017, arXiv:1707.01083.
    """

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, input: Any) -> Any:
        """``(N, C, *)``, the same shape out."""
        return F.channel_shuffle(input, self.groups)

    def extra_repr(self) -> str:
        return f"groups={self.groups}"
