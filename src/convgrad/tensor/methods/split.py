"""Pieces of a tensor as methods: split, chunk, narrow, select, diagonals, windows, repeated elements."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...errors import ConvgradError, DimError, ShapeError
from ...graph.grad_mode import MODE, RECORD
from ...ops import rearrange, scatter
from ...ops import shape as ops
from .base import Methods, dim_index, size_args


def _even(length: int, size: int) -> tuple[int, ...]:
    """The sizes of consecutive pieces of a length: all of one size, the last may be smaller."""
    whole, rest = divmod(length, size) if length else (0, 0)
    return (size,) * whole if whole and not rest else (*(size,) * whole, rest)


class SplitMethods(Methods):
    """``split``, ``chunk``, ``narrow``, ``diagonal``, ``unfold`` and their kin."""

    __slots__ = ()

    def split(self, split_size: Any, dim: int = 0) -> Any:
        """Views of consecutive pieces of a given size (the last may be smaller) or of given sizes."""
        if not self._data.ndim:
            raise ConvgradError("split expects at least a 1-dimensional tensor")
        axis = dim_index(dim, self._data.ndim)
        length = self._data.shape[axis]
        if isinstance(split_size, (tuple, list)):
            return self.split_with_sizes(split_size, dim)
        size = int(split_size)
        if size < 0:
            raise ShapeError(f"split expects split_size be non-negative, but got split_size={size}")
        if size == 0 and length:
            raise ShapeError(
                f"split_size can only be 0 if dimension size is 0, but got dimension size of {length}"
            )
        return self._apply(ops.Split, (self,), (_even(length, size), axis))

    def split_with_sizes(self, split_sizes: Any, dim: int = 0) -> Any:
        """Views of consecutive pieces of the given sizes."""
        axis = dim_index(dim, self._data.ndim)
        length = self._data.shape[axis]
        sizes = size_args((split_sizes,))
        if sum(sizes) != length or min(sizes, default=0) < 0:
            raise ShapeError(
                f"split_with_sizes expects split_sizes to sum exactly to {length} (input tensor's size at "
                f"dimension {axis}), but got split_sizes={list(sizes)}"
            )
        return self._apply(ops.SplitSizes, (self,), (sizes, axis))

    def chunk(self, chunks: int, dim: int = 0, *, axis: Any = None) -> Any:
        """At most ``chunks`` pieces of equal size (the last may be smaller); views."""
        if axis is not None:
            dim = axis
        if not self._data.ndim:
            raise ConvgradError("chunk expects at least a 1-dimensional tensor")
        if chunks <= 0:
            raise ConvgradError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
        axis = dim_index(dim, self._data.ndim)
        length = self._data.shape[axis]
        if not length:
            return self.split_with_sizes((0,) * chunks, dim)
        return self._apply(ops.Split, (self,), (_even(length, -(-length // chunks)), axis))

    def tensor_split(self, indices_or_sections: Any, dim: int = 0) -> Any:
        """Pieces between the given positions, or a number of nearly equal pieces; views."""
        if not self._data.ndim:
            raise ConvgradError(
                "tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims"
            )
        axis = dim_index(dim, self._data.ndim)
        length = self._data.shape[axis]
        where = indices_or_sections
        if hasattr(where, "_data"):
            where = where._data.tolist()
        if isinstance(where, (tuple, list)):
            cuts = [0, *[slice(i, None).indices(length)[0] for i in where], length]
        else:
            if where <= 0:
                raise ConvgradError(f"number of sections must be larger than 0, got {where}")
            small, more = divmod(length, where)
            cuts = [0]
            for i in range(where):
                cuts.append(cuts[-1] + small + (1 if i < more else 0))
        lead = (slice(None),) * axis
        return tuple(
            [
                self._apply_view(ops.Slice, self, ((*lead, slice(a, max(a, b)), ...),))
                for a, b in zip(cuts, cuts[1:], strict=False)  # noqa: RUF007
            ]
        )

    def hsplit(self, indices_or_sections: Any) -> Any:
        """``tensor_split`` of the second dimension (the only one of a vector) into equal pieces."""
        return self._equal_split("hsplit", indices_or_sections, 1, 1 if self._data.ndim > 1 else 0)

    def vsplit(self, indices_or_sections: Any) -> Any:
        """``tensor_split`` of the first dimension into equal pieces."""
        return self._equal_split("vsplit", indices_or_sections, 2, 0)

    def dsplit(self, indices_or_sections: Any) -> Any:
        """``tensor_split`` of the third dimension into equal pieces."""
        return self._equal_split("dsplit", indices_or_sections, 3, 2)

    def _equal_split(self, name: str, where: Any, rank: int, dim: int) -> Any:
        shape = self._data.shape
        if len(shape) < rank:
            raise ConvgradError(
                f"torch.{name} requires a tensor with at least {rank} dimension, but got a tensor with "
                f"{len(shape)} dimensions!"
            )
        if isinstance(where, int) and (where == 0 or shape[dim] % where):
            raise ConvgradError(
                f"torch.{name} attempted to split along dimension {dim}, but the size of the dimension "
                f"{shape[dim]} "
                f"is not divisible by the split_size {where}!"
            )
        return self.tensor_split(where, dim)

    def unbind(self, dim: int = 0, *, axis: Any = None) -> Any:
        """The slices along one dimension, which goes away; views."""
        if axis is not None:
            dim = axis
        if not self._data.ndim:
            raise DimError(f"Dimension specified as {dim} but tensor has no dimensions")
        axis = dim_index(dim, self._data.ndim)
        return self._apply(ops.Unbind, (self,), (axis,)) if self._data.shape[axis] else ()

    def narrow(self, dim: Any = None, start: Any = None, length: Any = None, *, axis: Any = None) -> Any:
        """``length`` positions of one dimension from ``start`` on; a view."""
        if axis is not None:
            dim = axis
        data = self._data
        if not data.ndim:
            raise ConvgradError("narrow() cannot be applied to a 0-dim tensor.")
        axis = dim_index(dim, data.ndim)
        size = data.shape[axis]
        if hasattr(start, "_data") and (start._data.ndim or start._data.dtype.kind not in "iu"):
            raise ConvgradError(
                f"start must be an 0-dim integral Tensor. (narrow got {start.dtype}, shape "
                f"{list(start._data.shape)})"
            )
        start = int(start)
        if length < 0:
            raise ConvgradError(f"narrow(): length must be non-negative. (got {length})")
        if not -size <= start <= size:
            raise DimError(
                f"start out of range (expected to be in range of [{-size}, {size}], but got {start})"
            )
        start = start + size if start < 0 else start
        if start + length > size:
            raise ConvgradError(f"start ({start}) + length ({length}) exceeds dimension size ({size}).")
        key = (*(slice(None),) * axis, slice(start, start + length), ...)
        return self._apply_view(ops.Slice, self, (key,))

    def select(self, dim: Any = None, index: Any = None, *, axis: Any = None) -> Any:
        """One position of one dimension, which goes away; a view."""
        if axis is not None:
            dim = axis
        data = self._data
        if not data.ndim:
            raise DimError("select() cannot be applied to a 0-dim tensor.")
        axis = dim_index(dim, data.ndim)
        index = int(index)
        if not -data.shape[axis] <= index < data.shape[axis]:
            raise DimError(
                f"select(): index {index} out of range for tensor of size {list(data.shape)} at dimension "
                f"{axis}"
            )
        return self._apply_view(ops.Select, self, ((*(slice(None),) * axis, index, ...),))

    def select_scatter(self, src: Any, dim: int, index: int) -> Any:
        """A copy with one position of one dimension replaced by ``src``."""
        part = self.select(dim, index)
        if part._data.shape != src._data.shape:
            raise ShapeError(
                f"expected src to have a size equal to the slice of self. src size = "
                f"{list(src._data.shape)}, "
                f"slice size = {list(part._data.shape)}"
            )
        key = (*(slice(None),) * dim_index(dim, self._data.ndim), index)
        return self._apply(scatter.SelectScatter, (self, src), (key,))

    def slice_scatter(self, src: Any, dim: int = 0, start: Any = None, end: Any = None, step: int = 1) -> Any:
        """A copy with a range of one dimension replaced by ``src``."""
        key = (*(slice(None),) * dim_index(dim, self._data.ndim), slice(start, end, step))
        if self._data[key].shape != src._data.shape:
            raise ShapeError(
                f"expected src to have a size equal to the slice of self. src size = "
                f"{list(src._data.shape)}, "
                f"slice size = {list(self._data[key].shape)}"
            )
        return self._apply(scatter.SliceScatter, (self, src), (key,))

    # -- diagonals ----------------------------------------------------------------------------------

    def _diagonal_axes(self, dim1: int, dim2: int, extra: int = 0) -> tuple[int, int]:
        ndim = self._data.ndim + extra
        first, second = [dim_index(d, ndim) for d in (dim1, dim2)]
        if first == second:
            raise ConvgradError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
        return first, second

    def diagonal(self, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Any:
        """The diagonal of two dimensions, ``offset`` above the main one, as last dimension; a view."""
        return self._apply(rearrange.Diagonal, (self,), (offset, *self._diagonal_axes(dim1, dim2)))

    def diag_embed(self, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Any:
        """Zeros with the last dimension on the diagonal of two new ones."""
        shape = self._data.shape
        first, second = self._diagonal_axes(dim1, dim2, extra=1)
        if not shape:
            raise DimError("diag_embed needs at least 1 dimension, got a 0-d tensor")
        size = shape[-1] + abs(offset)
        rest = list(shape[:-1])
        for axis in sorted((first, second)):
            rest.insert(axis, size)
        return self._apply(rearrange.DiagonalPut, (self,), (offset, first, second, tuple(rest)))

    def diag(self, diagonal: int = 0) -> Any:
        """A vector as the diagonal of a matrix, or the diagonal of a matrix as a vector; a copy."""
        ndim = self._data.ndim
        if ndim == 1:
            return self.diag_embed(diagonal)
        if ndim != 2:
            raise ConvgradError(f"diag(): Supports 1D or 2D tensors. Got {ndim}D")
        return self._apply(rearrange.DiagonalCopy, (self,), (diagonal,))

    def diagflat(self, offset: int = 0) -> Any:
        """All elements as the diagonal of a matrix."""
        x: Any = self
        return x.reshape(-1).diag_embed(offset)

    def diagonal_scatter(self, src: Any, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Any:
        """A copy with a diagonal replaced by ``src``."""
        axes = self._diagonal_axes(dim1, dim2)
        want = self._data.diagonal(offset, *axes).shape
        if src._data.shape != want:
            raise ShapeError(
                f"expected src to have a size equal to the slice of self. src size = "
                f"{list(src._data.shape)}, "
                f"slice size = {list(want)}"
            )
        return self._apply(rearrange.DiagonalScatter, (self, src), (offset, *axes))

    # -- windows and repeated elements --------------------------------------------------------------

    def unfold(self, dimension: int, size: int, step: int) -> Any:
        """Windows of ``size`` every ``step`` along a dimension, each as a new last dimension; a view."""
        shape = self._data.shape
        axis = dim_index(dimension, len(shape))
        length = shape[axis] if shape else 1
        if size < 0:
            raise ConvgradError(f"size is {size} but must be >= 0")
        if size > length:
            raise ConvgradError(f"maximum size for tensor at dimension {axis} is {length} but size is {size}")
        if step <= 0:
            raise ConvgradError(f"step is {step} but must be > 0")
        return self._apply(rearrange.Unfold, (self,), (axis, size, step))

    def as_strided(self, size: Any, stride: Any, storage_offset: Any = None) -> Any:
        """The storage seen with any sizes and strides (in elements); a view to be read.

        Args:
            storage_offset: first element, counted from the start of the storage; this tensor's if None.
        Raises:
            ConvgradError: the picture would reach outside the storage.
        """
        sizes, strides = tuple(size), tuple(stride)
        if len(sizes) != len(strides):
            raise ConvgradError(
                f"mismatch in length of strides and shape: got size {list(sizes)} and stride {list(strides)}"
            )
        flat, start = rearrange.storage_of(self._data)
        offset = start if storage_offset is None else int(storage_offset)
        if min((*sizes, *strides, offset), default=0) < 0:
            raise ConvgradError(
                "as_strided: Negative strides, sizes and offsets are not supported, got sizes "
                f"{list(sizes)}, strides {list(strides)}, storage offset {offset}"
            )
        reach = offset + sum([(n - 1) * s for n, s in zip(sizes, strides, strict=True)]) + 1
        if math.prod(sizes) and reach > flat.size:
            raise ConvgradError(
                f"setStorage: sizes {list(sizes)}, strides {list(strides)}, storage offset {offset}, and "
                f"itemsize "
                f"{flat.itemsize} requiring a storage size of {reach * flat.itemsize} are out of bounds "
                f"for storage "
                f"of size {flat.nbytes}"
            )
        return self._apply(rearrange.AsStrided, (self,), (sizes, strides, offset))

    def repeat_interleave(self, repeats: Any, dim: Any = None, *, output_size: Any = None) -> Any:
        """Each element (or each slice of ``dim``) repeated a number of times, one after another.

        Args:
            repeats: a number, or an integer tensor with one number per element of the dimension.
            dim: without it the tensor is flattened first.
        """
        x: Any = self if dim is not None and self._data.ndim else self.flatten()  # type: ignore[attr-defined]
        axis = dim_index(0 if dim is None else dim, x._data.ndim)
        if hasattr(repeats, "_data"):
            times = repeats._data
            if times.dtype.kind not in "iu":
                raise NotImplementedError(f'"repeat_interleave_cpu" not implemented for {times.dtype.name}')
            times = times.reshape(-1)
            if times.size not in (1, x._data.shape[axis]):
                raise ShapeError(
                    f"repeats must have the same size as input along dim, but got repeats.size(0) = "
                    f"{times.size} "
                    f"and input.size({axis}) = {x._data.shape[axis]}"
                )
        else:
            times = np.asarray(repeats, np.int64)
        if times.size and times.min() < 0:
            raise ConvgradError("Repeats must be non-negative")
        if not hasattr(repeats, "_data"):
            if x._node is None and MODE.get() <= RECORD:
                return self._wrap(np.repeat(x._data, int(times), axis))
            shape = x._data.shape
            wide = (
                x.unsqueeze(axis + 1)
                .expand((*shape[: axis + 1], int(times), *shape[axis + 1 :]))
                .contiguous()
            )
            return wide.view((*shape[:axis], shape[axis] * int(times), *shape[axis + 1 :]))
        index = np.repeat(np.arange(x._data.shape[axis]), times)
        return self._apply(scatter.IndexSelect, (x,), (index, axis))
