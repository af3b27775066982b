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


def _with_relu(layer: type[Module]) -> type[Module]:
    """The class of a layer that also does the relu behind it."""
    own = {"layer": layer, "__module__": __name__, "__doc__": f"``{layer.__name__}`` and the relu behind it."}
    return type(f"{layer.__name__}ReLU", (_WithReLU, layer), own)


# each under its own name, by which pickles find it
Conv1dReLU = _with_relu(Conv1d)
Conv2dReLU = _with_relu(Conv2d)
Conv3dReLU = _with_relu(Conv3d)
ConvTranspose1dReLU = _with_relu(ConvTranspose1d)
ConvTranspose2dReLU = _with_relu(ConvTranspose2d)
ConvTranspose3dReLU = _with_relu(ConvTranspose3d)
LinearReLU = _with_relu(Linear)
BatchNorm1dReLU = _with_relu(BatchNorm1d)
BatchNorm2dReLU = _with_relu(BatchNorm2d)
BatchNorm3dReLU = _with_relu(BatchNorm3d)

_KINDS: tuple[Any, ...] = (
    Conv1dReLU, Conv2dReLU, Conv3dReLU, ConvTranspose1dReLU, ConvTranspose2dReLU, ConvTranspose3dReLU,
    LinearReLU, BatchNorm1dReLU, BatchNorm2dReLU, BatchNorm3dReLU,
)  # fmt: skip
#: layer -> the class that also does relu
WITH_RELU: dict[type, type] = {kind.layer: kind for kind in _KINDS}

__all__ = ["WITH_RELU", *[kind.__name__ for kind in _KINDS]]
