"""Elementary and special functions as methods."""

from __future__ import annotations

from typing import Any

from ...ops import activation
from .base import Methods, dim_index, documented_by


class SpecialMethods(Methods):
    """Elementwise functions of one operand, activations and softmax."""

    __slots__ = ()

    @documented_by(activation.Relu)
    def relu(self) -> Any:
        return self._unary(activation.Relu)

    @documented_by(activation.Softmax)
    def softmax(self, dim: int) -> Any:
        return self._apply(activation.Softmax, (self,), (dim_index(dim, self._data.ndim),))
