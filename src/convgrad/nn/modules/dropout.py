"""Dropout as modules: active in training mode only."""

from __future__ import annotations

from typing import Any

from .. import functional as F
from ..module import Module


class _DropoutNd(Module):
    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        if p < 0 or p > 1:
            raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
        self.p = p
        self.inplace = inplace

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(_DropoutNd):
    """Sets elements to zero with probability p and enlarges the others by ``1 / (1 - p)``."""

    def forward(self, input: Any) -> Any:
        """Any shape."""
        return F.dropout(input, self.p, self.training, self.inplace)


class Dropout1d(_DropoutNd):
    """Sets whole channels of ``(N, C, L)`` to zero."""

    def forward(self, input: Any) -> Any:
        """``(N, C, L)`` or ``(C, L)``."""
        return F.dropout1d(input, self.p, self.training, self.inplace)


class Dropout2d(_DropoutNd):
    """Sets whole channels of ``(N, C, H, W)`` to zero."""

    def forward(self, input: Any) -> Any:
        """``(N, C, H, W)``."""
        return F.dropout2d(input, self.p, self.training, self.inplace)


class Dropout3d(_DropoutNd):
    """Sets whole channels of ``(N, C, D, H, W)`` to zero."""

    def forward(self, input: Any) -> Any:
        """``(N, C, D, H, W)`` or ``(C, D, H, W)``."""
        return F.dropout3d(input, self.p, self.training, self.inplace)


class AlphaDropout(_DropoutNd):
    """Dropout for ``SELU``: mean 0 and variance 1 are kept. Source: arXiv:1706.02515.

    ``inplace`` is an attribute only, as in PyTorch: the input is never overwritten.
    """

    def forward(self, input: Any) -> Any:
        """Any shape."""
        return F.alpha_dropout(input, self.p, self.training)


class FeatureAlphaDropout(_DropoutNd):
    """``AlphaDropout`` of whole channels of ``(N, C, ...)``."""

    def forward(self, input: Any) -> Any:
        """``(N, C, ...)``."""
        return F.feature_alpha_dropout(input, self.p, self.training)
