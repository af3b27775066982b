"""The array behind a tensor: shape, dtype, conversion, sharing, copying and printing."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import dtypes
from ...dtypes import Array
from ...errors import ConvgradError
from ...ops import elementwise as ew
from ...ops import shape as ops
from ...size import Size
from .base import Methods


class StorageMethods(Methods):
    """What a tensor says of itself, and how it turns into other things."""

    __slots__ = ()

    @property
    def shape(self) -> Size:
        """The sizes, as a ``Size``."""
        return Size(self._data.shape)

    @property
    def dtype(self) -> dtypes.dtype:
        """The type of the elements."""
        return dtypes.from_numpy(self._data.dtype)

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return self._data.ndim

    def item(self) -> Any:
        """The value of a one-element tensor as a Python number."""
        if self._data.size != 1:
            raise ConvgradError(f"a Tensor with {self._data.size} elements cannot be converted to Scalar")
        value = self._data.item()
        return value if isinstance(value, (bool, int, float, complex)) else float(value)

    def tolist(self) -> Any:
        """Nested lists of Python numbers."""
        if self._data.dtype is dtypes.BF16:
            return self._data.astype(np.float32).tolist()
        return self._data.tolist()

    def numpy(self) -> Array:
        """The array itself, sharing memory."""
        if self._node is not None:
            raise ConvgradError(
                "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead."
            )
        return self._data

    def clone(self) -> Any:
        """A copy with memory of its own, and this tensor's history."""
        return self._apply(ops.Clone, (self,))

    def to(self, dtype: dtypes.dtype) -> Any:
        """The tensor in another dtype."""
        return self if self._data.dtype is dtype.np else self._apply(ops.Cast, (self,), (dtype.np,))

    def copy_(self, source: Any) -> Any:
        """Overwrite with the (broadcast, cast) values of ``source``."""
        return self._inplace("copy_", ew.Copy, (source,))
