"""Reductions as methods."""

from __future__ import annotations

from typing import Any

from ...ops import reduce
from .base import Methods, dim_index, dim_tuple


class ReduceMethods(Methods):
    """``sum``, ``mean``, ``max`` and their kin."""

    __slots__ = ()

    def sum(self, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
        """The sum of all elements, or over one or several dimensions; integers sum in int64."""
        x: Any = self
        if self._data.dtype.kind in "biu":
            x = self._wrap(self._data.astype("int64"))
        if dim is None and not keepdim:
            return self._apply(reduce.Sum, (x,), (tuple(range(self._data.ndim)), False))
        return self._apply(reduce.SumDims, (x,), (dim_tuple(dim, self._data.ndim), keepdim))

    def mean(self, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
        """The mean of all elements, or over one or several dimensions."""
        if dim is None and not keepdim:
            return self._apply(reduce.Mean, (self,), (tuple(range(self._data.ndim)), False))
        return self._apply(reduce.MeanDims, (self,), (dim_tuple(dim, self._data.ndim), keepdim))

    def max(self, dim: Any = None, keepdim: bool = False) -> Any:
        """The largest element; or, along ``dim``, the pair (values, indices)."""
        if dim is None:
            return self._apply(reduce.MaxAll, (self,))
        return self._apply(reduce.MaxDim, (self,), (dim_index(dim, self._data.ndim), keepdim))
