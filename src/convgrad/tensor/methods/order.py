"""Sorting, ranks, running sums and counts as methods."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ... import dtypes
from ...dtypes import Array
from ...errors import ConvgradError, DimError, ShapeError
from ...kernels.memory import allocator
from ...ops import reduce
from ...ops import scan as scans
from ...ops import sort as sorts
from ...ops.shape import Cat, Clone, Slice
from .. import return_types
from .base import Methods, dim_index

#: elements from which a way around NumPy's function is the quicker one
_MANY = 256


def scalar_name(dtype: np.dtype[Any]) -> str:
    """PyTorch's word for an element type in messages, such as ``Float``."""
    return dtypes.SCALAR_NAMES[dtypes.from_numpy(dtype).name]


class OrderMethods(Methods):
    """``sort``, ``topk``, ``median``, ``cumsum``, ``unique`` and their kin."""

    __slots__ = ()

    def _no_complex(self, kernel: str) -> None:
        if self._data.dtype.kind == "c":
            raise NotImplementedError(
                f"\"{kernel}\" not implemented for '{scalar_name(self._data.dtype)}': complex numbers "
                "have no order. "
                "Remedy: use x.abs() or x.real."
            )

    def _needs_size(self, name: str, axes: tuple[int, ...]) -> None:
        """An extreme along an empty dimension has no value."""
        for axis in axes:
            if self._data.ndim and not self._data.shape[axis]:
                raise DimError(
                    f"{name}(): Expected reduction dim {axis} to have non-zero size, but the input has shape "
                    f"{list(self._data.shape)}."
                )

    def sort(self, dim: int = -1, descending: bool = False, stable: Any = None) -> Any:
        """The pair (values, indices) of the values in order along ``dim``; NaN is the largest.

        Equal values always keep their order, so ``stable`` changes nothing but the node's name.
        """
        if self._data.dtype.kind == "c":
            raise ConvgradError(
                f"Sort does not support complex dtypes on CPU, but got {scalar_name(self._data.dtype)}"
            )
        op = sorts.Sort if stable is None else sorts.SortStable
        return return_types.sort(self._apply(op, (self,), (dim_index(dim, self._data.ndim), descending)))

    def msort(self) -> Any:
        """The values in order along the first dimension."""
        return self.sort(0)[0]

    def argsort(self, dim: int = -1, descending: bool = False, *, stable: bool = False) -> Any:
        """The positions that sort along ``dim``; equal values keep their order."""
        return self._detached(False).sort(dim, descending)[1]

    def topk(self, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Any:
        """The pair (values, indices) of the k largest (or smallest) along ``dim``, the most extreme first.

        Of equal values the first ones are taken; the result is in order with or without ``sorted``.
        """
        axis = dim_index(dim, self._data.ndim)
        kind = self._data.dtype.kind
        if kind in "bc":
            raise ConvgradError(f"topk does not support {'bool' if kind == 'b' else 'complex'} dtypes on CPU")
        size = self._data.shape[axis] if self._data.ndim else 1
        if not 0 <= k <= size:
            raise ShapeError(
                f"selected index k out of range: topk(k={k}) of dimension {axis} with size {size} "
                f"(shape {list(self._data.shape)})"
            )
        if not self._data.ndim:
            k = 1  # as PyTorch: a 0-d tensor gives itself
        return return_types.topk(self._apply(sorts.TopK, (self,), (axis, k, largest)))

    def kthvalue(self, k: int, dim: int = -1, keepdim: bool = False) -> Any:
        """The pair (values, indices) of the k-th smallest (from 1) along ``dim``."""
        axis = dim_index(dim, self._data.ndim)
        if self._data.dtype.kind in "bc":
            raise NotImplementedError(
                f"\"kthvalue_cpu\" not implemented for '{scalar_name(self._data.dtype)}'"
            )
        self._needs_size("kthvalue", (axis,))
        size = self._data.shape[axis] if self._data.ndim else 1
        if not 1 <= k <= size:
            raise ShapeError(
                f"kthvalue(): selected number k out of range for dimension {axis}: k={k} must be from 1 "
                f"to {size} "
                f"(shape {list(self._data.shape)})"
            )
        return return_types.kthvalue(self._apply(sorts.KthValue, (self,), (axis, keepdim, k)))

    def median(self, dim: Any = None, keepdim: bool = False) -> Any:
        """The middle value of all, or the pair (values, indices) along ``dim``; NaN wins.

        Of an even number of values it is the lower of the middle two, not their mean.
        """
        return self._middle("median", reduce.MedianAll, sorts.MedianDim, dim, keepdim)

    def nanmedian(self, dim: Any = None, keepdim: bool = False) -> Any:
        """``median`` of the values that are not NaN."""
        return self._middle("nanmedian", reduce.NanMedianAll, sorts.NanMedianDim, dim, keepdim)

    def _middle(self, name: str, all_op: Any, dim_op: Any, dim: Any, keepdim: bool) -> Any:
        if self._data.dtype.kind in "bc":
            raise NotImplementedError(f"\"median_cpu\" not implemented for '{scalar_name(self._data.dtype)}'")
        if dim is None:
            return self._apply(all_op, (self,))
        axis = dim_index(dim, self._data.ndim)
        self._needs_size(name, (axis,))
        pair = self._apply(dim_op, (self,), (axis, keepdim))
        return return_types.median(pair) if name == "median" else return_types.nanmedian(pair)

    def mode(self, dim: int = -1, keepdim: bool = False) -> Any:
        """The pair (values, indices) of the commonest value along ``dim``.

        The smallest of those, its last place.
        """
        self._no_complex("mode")
        axis = dim_index(dim, self._data.ndim)
        self._needs_size("mode", (axis,))
        return return_types.mode(self._apply(sorts.Mode, (self,), (axis, keepdim)))

    def cumsum(self, dim: int, *, dtype: Any = None) -> Any:
        """Running sums along ``dim``; bool and integers sum in int64."""
        x = typed(self, dtype, widen=True)
        return self._apply(scans.CumSum, (x,), (dim_index(dim, self._data.ndim), False))

    def cumsum_(self, dim: int, *, dtype: Any = None) -> Any:
        """``cumsum`` in place; ``dtype`` can only be the tensor's own."""
        typed_in_place("cumsum_", self._data, dtype)
        self._no_bool("cumsum_out_cpu")
        return self._inplace("cumsum_", scans.CumSum, (), (dim_index(dim, self._data.ndim), False))

    def cumprod(self, dim: int, *, dtype: Any = None) -> Any:
        """Running products along ``dim``; bool and integers multiply in int64."""
        x = typed(self, dtype, widen=True)
        return self._apply(scans.CumProd, (x,), (dim_index(dim, self._data.ndim),))

    def _no_bool(self, name: str) -> None:
        if self._data.dtype.kind == "b":
            raise NotImplementedError(f'"{name}" not implemented for dtype {self._data.dtype}')

    def cumprod_(self, dim: int, *, dtype: Any = None) -> Any:
        """``cumprod`` in place; ``dtype`` can only be the tensor's own."""
        typed_in_place("cumprod_", self._data, dtype)
        self._no_bool("cumprod_out_cpu")
        return self._inplace("cumprod_", scans.CumProd, (), (dim_index(dim, self._data.ndim),))

    def cummax(self, dim: int) -> Any:
        """The pair (values, indices) of the largest value so far along ``dim``.

        Of equals the last, and NaN stays.
        """
        self._no_complex("cummax_cpu")
        return return_types.cummax(self._apply(scans.CumMax, (self,), (dim_index(dim, self._data.ndim),)))

    def cummin(self, dim: int) -> Any:
        """The pair (values, indices) of the smallest value so far along ``dim``.

        Of equals the last, and NaN stays.
        """
        self._no_complex("cummin_cpu")
        return return_types.cummin(self._apply(scans.CumMin, (self,), (dim_index(dim, self._data.ndim),)))

    def logcumsumexp(self, dim: int) -> Any:
        """``log(cumsum(exp(x)))`` along ``dim``, without overflow; floating dtypes."""
        axis = dim_index(dim, self._data.ndim)
        if self._data.dtype.kind not in "fV":
            raise NotImplementedError(
                f"\"logcumsumexp_out_cpu\" not implemented for '{scalar_name(self._data.dtype)}'"
            )
        return self._apply(scans.LogCumSumExp, (self,), (axis,))

    def diff(self, n: int = 1, dim: int = -1, prepend: Any = None, append: Any = None) -> Any:
        """Differences of neighbours along ``dim``, n times over; of bool tensors, whether they differ."""
        if not self._data.ndim:
            raise ShapeError("diff expects input to be at least one-dimensional, but got a 0-d tensor")
        if n < 0:
            raise ShapeError(f"order must be non-negative but got {n}")
        axis = dim_index(dim, self._data.ndim)
        parts = [part for part in (prepend, self, append) if part is not None]
        if any([part._data.ndim != self._data.ndim for part in parts]):
            raise ShapeError(
                "diff expects prepend or append to be the same dimension as input, but got "
                f"{[list(part._data.shape) for part in parts]}"
            )
        for part in parts:
            for i, (size, other) in enumerate(zip(self._data.shape, part._data.shape, strict=True)):
                if size != other and i != axis:
                    raise ShapeError(
                        "diff expects the shape of tensor to prepend or append to match that of input except "
                        f"along the differencing dimension; input.size({i}) = {size}, but got "
                        f"tensor.size({i}) = "
                        f"{other}"
                    )
        if n == 0:
            return self._apply(Clone, (self,))
        x: Any = self if len(parts) == 1 else self._apply(Cat, tuple(parts), (axis,))
        lead = (slice(None),) * axis
        for _ in range(min(n, x._data.shape[axis])):
            after = self._apply(Slice, (x,), ((*lead, slice(1, None), ...),))
            before = self._apply(Slice, (x,), ((*lead, slice(0, -1), ...),))
            x = after != before if x._data.dtype.kind == "b" else after - before
        return x

    def unique(
        self,
        sorted: bool = True,
        return_inverse: bool = False,
        return_counts: bool = False,
        dim: Any = None,
    ) -> Any:
        """The different values in order; with more asked for, a tuple (values, inverse, counts). No gradient.

        Args:
            sorted: the result is in order either way.
            return_inverse: also where each element's value stands in the result.
            return_counts: also how often each value occurs.
            dim: compare slices along this dimension instead of elements.
        """
        self._no_complex("unique")
        axis = None if dim is None else dim_index(dim, self._data.ndim)
        data = reduce.comparable(self._data)
        if axis is None and not (return_inverse or return_counts):
            return self._wrap(_different(data).astype(self._data.dtype, copy=False))
        values, inverse, counts = np.unique(
            data, return_inverse=True, return_counts=True, axis=axis, equal_nan=False
        )
        shape = self._data.shape if axis is None else (-1,)
        return self._found(values, inverse.reshape(shape), counts, return_inverse, return_counts)

    def unique_consecutive(
        self, return_inverse: bool = False, return_counts: bool = False, dim: Any = None
    ) -> Any:
        """``unique`` that drops only repeats of the value just before; of all elements, flattened.

        Args:
            return_inverse: also where each element's value stands in the result.
            return_counts: also how often each value is repeated.
            dim: compare slices along this dimension instead of elements.
        """
        axis = None if dim is None else dim_index(dim, self._data.ndim)
        data = self._data.reshape(-1) if axis is None else np.moveaxis(np.atleast_1d(self._data), axis, 0)
        if axis is not None and len(data) and not data.size:
            raise ConvgradError(
                "There are 0 sized dimensions, and they aren't selected, so unique cannot be applied (shape "
                f"{list(self._data.shape)}, dim={dim})"
            )
        new = np.ones(len(data), bool)
        new[1:] = (data[1:] != data[:-1]).any(axis=tuple(range(1, data.ndim)))
        places = np.flatnonzero(new)
        counts = np.diff(places, append=len(data))
        inverse = np.cumsum(new) - 1
        values = data[places]
        if axis is None:
            inverse = inverse.reshape(self._data.shape)
        else:
            values = np.ascontiguousarray(np.moveaxis(values, 0, axis))
        return self._found(values, inverse, counts, return_inverse, return_counts)

    def _found(
        self, values: Array, inverse: Array, counts: Array, with_inverse: bool, with_counts: bool
    ) -> Any:
        result = [self._wrap(values.astype(self._data.dtype, copy=False))]
        if with_inverse:
            result.append(self._wrap(inverse.astype(np.int64, copy=False)))
        if with_counts:
            result.append(self._wrap(counts.astype(np.int64, copy=False)))
        return result[0] if len(result) == 1 else tuple(result)

    def bincount(self, weights: Any = None, minlength: int = 0) -> Any:
        """How often each of 0, 1, 2, ... occurs in a 1-d integer tensor, or the sum of its weights.

        Returns:
            int64 without weights; float32 for float32 weights, float64 for others.
        """
        data = self._data
        if data.dtype.kind not in "iu":
            raise NotImplementedError(f"\"bincount_cpu\" not implemented for '{scalar_name(data.dtype)}'")
        if data.ndim != 1 or (data.size and data.min() < 0):
            raise ShapeError(
                f"bincount only supports 1-d non-negative integral inputs, but got shape {list(data.shape)}"
                + (f" with minimum {data.min()}" if data.size else "")
            )
        if minlength < 0:
            raise ShapeError(f"minlength should be >= 0, but got {minlength}")
        if weights is None:
            return self._wrap(np.bincount(data, minlength=minlength).astype(np.int64, copy=False))
        if weights._data.shape != data.shape:
            raise ShapeError(
                "weights should be 1-d and have the same length as input, but got "
                f"{list(weights._data.shape)} "
                f"and {list(data.shape)}"
            )
        out = np.bincount(data, weights._data.astype(np.float64), minlength)
        return self._wrap(out.astype(np.float32) if weights._data.dtype is dtypes.F32 else out)

    def histc(self, bins: int = 100, min: float = 0, max: float = 0) -> Any:
        """How many elements fall into each of ``bins`` equal parts of [min, max]; others are not counted.

        min = max = 0 takes the range from the data.
        """
        data = self._data
        if data.dtype.kind not in "fV":
            raise NotImplementedError(f"\"histogram_cpu\" not implemented for '{scalar_name(data.dtype)}'")
        if bins <= 0:
            raise ShapeError(f"torch.histogram(): bins must be > 0, but got {bins} for dimension 0")
        wide = data.astype(np.float64).reshape(-1)
        low, high = float(min), float(max)
        if low == high and wide.size:
            low, high = float(wide.min()), float(wide.max())
        if not (math.isfinite(low) and math.isfinite(high)):
            raise ConvgradError(f"torch.histc: range of [{low:g}, {high:g}] is not finite")
        if low > high:
            raise ConvgradError(
                f"torch.histc: max must be larger than min, but got min={low:g}, max={high:g}"
            )
        if low == high:
            low, high = low - 1, high + 1
        counts, _ = np.histogram(wide[(wide >= low) & (wide <= high)], bins, (low, high))
        return self._wrap(counts.astype(data.dtype))

    def nonzero(self, *, as_tuple: bool = False) -> Any:
        """The positions of the elements that are not 0.

        Int64 ``(n, ndim)``, or a tuple of one tensor per dimension.
        """
        found = self._data
        if found.dtype.kind != "b":
            found = found != 0
        if as_tuple:
            return tuple([self._wrap(i) for i in _positions(np.atleast_1d(found))])
        return self._wrap(_positions(found).T)

    def argwhere(self) -> Any:
        """The positions of the elements that are not 0: int64 ``(n, ndim)``."""
        return self.nonzero()


def _positions(found: Array) -> Array:
    """Where a bool array holds: ``(ndim, n)``, the positions along each axis in a row of their own."""
    if found.ndim < 2 or found.size < _MANY:
        return np.array(found.nonzero()) if found.ndim else np.argwhere(found).T
    flat = np.flatnonzero(found)  # much quicker than the positions along several axes
    shape = (found.ndim, flat.size)
    out: Array = allocator(shape, flat.dtype)(shape, flat.dtype)
    out[-1] = flat
    for axis in range(found.ndim - 1, 0, -1):
        np.floor_divide(out[axis], found.shape[axis], out=out[axis - 1])
        out[axis] -= np.multiply(out[axis - 1], found.shape[axis], out=flat)
    return out


def _different(x: Array) -> Array:
    """The values of x in order, each once, but every NaN."""
    if x.dtype.kind in "iu" and x.size >= _MANY:
        low, high = int(x.min()), int(x.max())
        if high - low < x.size and high < 1 << 63:
            present = np.zeros(high - low + 1, bool)
            present[np.subtract(x, low, dtype=np.int64)] = True
            return np.flatnonzero(present) + low
    line = np.sort(x, None)
    new = np.ones(line.shape, bool)
    np.not_equal(line[1:], line[:-1], out=new[1:])
    return line[new]


def typed_in_place(name: str, data: Array, dtype: Any) -> None:
    """Refuse bool, which cannot hold the result, and a dtype other than the tensor's for an in-place form."""
    if data.dtype == bool:
        raise dtypes.unsupported(f"{name}out_cpu", data.dtype)
    if dtype is not None and dtypes.as_dtype(dtype).np != data.dtype:
        raise ConvgradError(
            f"Bad in-place call: input tensor dtype {dtypes.from_numpy(data.dtype).name} and requested dtype "
            f"{dtypes.as_dtype(dtype).name} should match ({name})"
        )


def typed(x: Any, dtype: Any, widen: bool = False) -> Any:
    """x in ``dtype`` (None: as it is, or int64 for integers with ``widen``) with its place in the graph.

    The engine casts the gradient back, so the cast needs no node, as in PyTorch.
    """
    old = x._data.dtype
    new = old
    if dtype is not None:
        new = dtypes.as_dtype(dtype).np
    elif widen and old.kind in "biu":
        new = dtypes.I64
    if new is old:
        return x
    if new.kind not in "fcV" and x._node is not None:
        return x._cast(dtypes.from_numpy(new))
    data = x._data
    if old.kind == "c" and new.kind != "c":
        data = data.real
    out = x._wrap(data.astype(new))
    if new.kind in "fcV":
        out._node = x._node
    return out
