"""Distances and angles between vectors as modules."""

from __future__ import annotations

from typing import Any

from .. import functional as F
from ..module import Module


class CosineSimilarity(Module):
    """The cosine of the angle between vectors along ``dim``."""

    def __init__(self, dim: int = 1, eps: float = 1e-8) -> None:
        super().__init__()
        self.dim, self.eps = dim, eps

    def forward(self, x1: Any, x2: Any) -> Any:
        """Two tensors of one shape to one with ``dim`` taken away."""
        return F.cosine_similarity(x1, x2, self.dim, self.eps)


class PairwiseDistance(Module):
    """The p-norm of the difference of vectors along the last dimension.

    Args:
        p: the norm, any real number.
        eps: added to the differences, so that the gradient is finite where there is none.
        keepdim: keep the last dimension, of size 1.
    """

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> None:
        super().__init__()
        self.norm, self.eps, self.keepdim = p, eps, keepdim

    def forward(self, x1: Any, x2: Any) -> Any:
        """``(N, D)`` or ``(D,)``, both, to ``(N,)`` or one number."""
        return F.pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)
