"""Views, joins and splits as methods."""

from __future__ import annotations

import math
from typing import Any

from ...errors import ShapeError
from ...ops import shape as ops
from .base import Methods, dim_index, size_args


class ShapeMethods(Methods):
    """``view``, ``permute``, ``expand``, ``split`` and their kin."""

    __slots__ = ()

    def reshape(self, *shape: Any) -> Any:
        """The same elements in another shape; one size may be -1. A view where strides allow."""
        return self._apply(ops.Reshape, (self,), (fill_size(size_args(shape), self._data),))

    def transpose(self, dim0: int, dim1: int) -> Any:
        """Two dimensions exchanged; a view."""
        ndim = self._data.ndim
        return self._apply(ops.Transpose, (self,), (dim_index(dim0, ndim), dim_index(dim1, ndim)))

    def unsqueeze(self, dim: int) -> Any:
        """A dimension of size 1 put in before ``dim``; a view."""
        shape = self._data.shape
        at = dim_index(dim, len(shape), extra=1)
        return self._apply(ops.Unsqueeze, (self,), ((*shape[:at], 1, *shape[at:]),))

    def squeeze(self, dim: int) -> Any:
        """Dimension ``dim`` taken away if its size is 1; a view."""
        shape = self._data.shape
        at = dim_index(dim, len(shape))
        if shape[at] != 1:
            return self._apply(ops.Alias, (self,), (...,))
        return self._apply(ops.SqueezeDim, (self,), ((*shape[:at], *shape[at + 1 :]),))

    def expand(self, *sizes: Any) -> Any:
        """Size-1 dimensions repeated without copying; -1 keeps a size; a view."""
        shape, old = size_args(sizes), self._data.shape
        lead = len(shape) - len(old)
        full = tuple([old[i - lead] if n == -1 and i >= lead else n for i, n in enumerate(shape)])
        if lead < 0 or any([n < 0 or (i >= lead and old[i - lead] not in (1, n)) for i, n in enumerate(full)]):
            raise ShapeError(
                f"expand({list(shape)}): The expanded size of the tensor must match the existing size "
                f"{list(old)} at non-singleton dimensions, and there must be at least as many of them"
            )
        return self._apply(ops.Expand, (self,), (full,))

    def split(self, split_size_or_sections: Any, dim: int = 0) -> Any:
        """Views of consecutive pieces of a given size (the last may be smaller) or of given sizes."""
        axis = dim_index(dim, self._data.ndim)
        length = self._data.shape[axis]
        if isinstance(split_size_or_sections, int):
            size = split_size_or_sections
            if size < 0 or (size == 0 and length):
                raise ShapeError(f"split expects split_size be non-negative and fit, but got split_size={size}")
            sizes = tuple([min(size, length - i) for i in range(0, length, size)]) if length else (0,)
            return self._apply(ops.Split, (self,), (sizes, axis))
        sizes = size_args((split_size_or_sections,))
        if sum(sizes) != length or min(sizes, default=0) < 0:
            raise ShapeError(
                f"split_with_sizes expects split_sizes to sum exactly to {length} (input tensor's size at "
                f"dimension {axis}), but got split_sizes={list(sizes)}"
            )
        return self._apply(ops.SplitSizes, (self,), (sizes, axis))


def fill_size(shape: tuple[int, ...], data: Any) -> tuple[int, ...]:
    """A shape with its one -1 filled in.

    Raises:
        ShapeError: the sizes do not multiply to the number of elements.
    """
    known = math.prod([n for n in shape if n != -1])
    missing = shape.count(-1)
    if missing == 1 and known and data.size % known == 0:
        return tuple([data.size // known if n == -1 else n for n in shape])
    if missing or known != data.size or min(shape, default=0) < 0:
        raise ShapeError(
            f"shape '{list(shape)}' is invalid for input of size {data.size} (of shape {list(data.shape)})"
        )
    return shape
