"""Layers that also do what the relu behind them did: what ``utils.fuse`` makes of a layer.

Each has the parameters, the names and the hooks of the layer that it was, so that its state is the same.
"""

from __future__ import annotations

from typing import Any

from ..module import Module
from . import pairs
from .batchnorm import BatchNorm1d, BatchNorm2d, BatchNorm3d
from .conv import Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from .linear import Linear


class _WithReLU(Module):
    """``relu`` of what the class behind it in the order of bases gives."""

    layer: type[Module]

    def forward(self, input: Any, *more: Any, **named: Any) -> Any:
        """What the layer takes, to relu of what it gives."""
        first = pairs.FIRST[self.layer]
        if not more and not named and pairs.joinable(self, first, input):
            return first.joined(self, input)
        return super().forward(input, *more, **named).relu()


class Conv1dReLU(_WithReLU, Conv1d):
    layer = Conv1d


class Conv2dReLU(_WithReLU, Conv2d):
    layer = Conv2d


class Conv3dReLU(_WithReLU, Conv3d):
    layer = Conv3d


class ConvTranspose1dReLU(_WithReLU, ConvTranspose1d):
    layer = ConvTranspose1d


class ConvTranspose2dReLU(_WithReLU, ConvTranspose2d):
    layer = ConvTranspose2d


class ConvTranspose3dReLU(_WithReLU, ConvTranspose3d):
    layer = ConvTranspose3d


class LinearReLU(_WithReLU, Linear):
    layer = Linear


class BatchNorm1dReLU(_WithReLU, BatchNorm1d):
    layer = BatchNorm1d


class BatchNorm2dReLU(_WithReLU, BatchNorm2d):
    layer = BatchNorm2d


class BatchNorm3dReLU(_WithReLU, BatchNorm3d):
    layer = BatchNorm3d


_KINDS: tuple[type[_WithReLU], ...] = (
    Conv1dReLU, Conv2dReLU, Conv3dReLU, ConvTranspose1dReLU, ConvTranspose2dReLU, ConvTranspose3dReLU,
    LinearReLU, BatchNorm1dReLU, BatchNorm2dReLU, BatchNorm3dReLU,
)  # fmt: skip
#: layer -> the class that also does relu
WITH_RELU: dict[type, type] = {kind.layer: kind for kind in _KINDS}
for _kind in _KINDS:
    _kind.__doc__ = f"``{_kind.layer.__name__}`` and the relu behind it."

__all__ = ["WITH_RELU", *[kind.__name__ for kind in _KINDS]]
