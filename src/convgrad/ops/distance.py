"""The length of differences."""

from __future__ import annotations

from .statistics import VectorNorm


class PairNorm(VectorNorm):
    """The norm of the difference of two vectors, under PyTorch's name for it."""

    backward_name = "NormBackward1"
