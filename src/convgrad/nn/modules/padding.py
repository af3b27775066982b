"""Layers that put borders around their input."""

from __future__ import annotations

from typing import Any

from .. import functional as F
from ..module import Module
from .utils import _ntuple


class _Pad(Module):
    """Borders around the last dimensions: an int for all sides, or (left, right, top, bottom, ...)."""

    ndim = 0
    mode = "constant"

    def __init__(self, padding: Any) -> None:
        super().__init__()
        self.padding = _ntuple(2 * self.ndim)(padding)

    def forward(self, input: Any) -> Any:
        """The padded input."""
        return F.pad(input, self.padding, self.mode)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class _ConstantPadNd(_Pad):
    def __init__(self, padding: Any, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: Any) -> Any:
        """The padded input."""
        return F.pad(input, self.padding, "constant", self.value)

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class _ReflectionPadNd(_Pad):
    mode = "reflect"


class _ReplicationPadNd(_Pad):
    mode = "replicate"


class _CircularPadNd(_Pad):
    mode = "circular"


class _ZeroPad(_ConstantPadNd):
    def __init__(self, padding: Any) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return f"{self.padding}"


def _pads(prefix: str, base: type, *parents: type) -> list[Any]:
    """The classes ``<prefix>1d`` to ``<prefix>3d``, each also derived from its own one of ``parents``."""
    return [
        type(
            f"{prefix}{n}d",
            (base, *parents[n - 1 : n]),
            {"ndim": n, "__module__": __name__, "__doc__": _Pad.__doc__},
        )
        for n in (1, 2, 3)
    ]


ConstantPad1d, ConstantPad2d, ConstantPad3d = _pads("ConstantPad", _ConstantPadNd)
ZeroPad1d, ZeroPad2d, ZeroPad3d = _pads("ZeroPad", _ZeroPad, ConstantPad1d, ConstantPad2d, ConstantPad3d)
ReflectionPad1d, ReflectionPad2d, ReflectionPad3d = _pads("ReflectionPad", _ReflectionPadNd)
ReplicationPad1d, ReplicationPad2d, ReplicationPad3d = _pads("ReplicationPad", _ReplicationPadNd)
CircularPad1d, CircularPad2d, CircularPad3d = _pads("CircularPad", _CircularPadNd)
