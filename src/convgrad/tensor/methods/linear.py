"""Matrix products as methods."""

from __future__ import annotations

from typing import Any

from ...errors import ShapeError
from ...ops import matmul as ops
from .base import Methods


class LinearMethods(Methods):
    """``@`` and its kin."""

    __slots__ = ()

    def matmul(self, other: Any) -> Any:
        """The matrix product in all of NumPy's broadcasting forms: dot, mv, mm, bmm."""
        a, b = self._data, other._data
        if a.ndim == 0 or b.ndim == 0:
            raise ShapeError(f"both arguments to matmul need to be at least 1D, but they are {a.ndim}D and {b.ndim}D")
        if a.shape[-1] != b.shape[-2 if b.ndim > 1 else 0]:
            raise ShapeError(
                f"mat1 and mat2 shapes cannot be multiplied ({_extent(a)} and {_extent(b)}): the last dimension of "
                f"{list(a.shape)} must equal the one before the last of {list(b.shape)}"
            )
        if a.ndim == 1 and b.ndim == 1:
            return self._apply(ops.Dot, (self, other))
        if a.ndim == 2 and b.ndim == 1:
            return self._apply(ops.Mv, (self, other))
        x: Any = self
        if a.ndim == 1:
            return x.unsqueeze(0).matmul(other).squeeze(-2)
        if b.ndim == 1:
            return x.matmul(other.unsqueeze(1)).squeeze(-1)
        return self._apply(ops.Mm if a.ndim == b.ndim == 2 else ops.MatMul, (self, other))

    def __matmul__(self, other: Any) -> Any:
        return self.matmul(other)


def _extent(x: Any) -> str:
    return "x".join(map(str, x.shape))
