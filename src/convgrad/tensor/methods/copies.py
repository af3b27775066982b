"""Methods that few programs need: copies instead of views, sums to a size, reductions by index."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import dtypes
from ...dtypes import Array
from ...errors import ConvgradError, DtypeError, GradError, ShapeError
from ...ops import scatter
from ...ops.reduce import comparable
from ...ops.shape import Contiguous, UnsafeSplit, UnsafeSplitSizes, cast_array
from ..arrays import array_of, as_kind, legacy_array
from .base import Methods, size_args


class LateMethods(Methods):
    """``index_reduce``, ``sum_to_size``, ``narrow_copy``, ``unsafe_split`` and their kin."""

    __slots__ = ()

    # -- by index -------------------------------------------------------------------------------------

    def index_reduce(
        self, dim: int, index: Any, source: Any, reduce: str, *, include_self: bool = True
    ) -> Any:
        """A copy with slices of ``source`` combined into those at positions ``index`` of one dimension.

        Args:
            index: a vector, int64 or int32.
            source: self's dtype and shape but for ``dim``, where it has index's length.
            reduce: "prod", "mean", "amax" or "amin"; equal extremes share the gradient.
            include_self: whether what stands there takes part.
        Raises:
            ShapeError, DtypeError: a source that does not fit. DimError: a position out of range.
        Example:
            >>> ones(2).index_reduce(0, tensor([0, 0]), tensor([2.0, 5.0]), "amax").tolist()
            [5.0, 1.0]

        Source: semantics of torch.Tensor.index_reduce.
        """
        x: Any = self
        return x._run(_index_reduce_plan(x, dim, index, source, reduce, include_self))

    def index_reduce_(
        self, dim: int, index: Any, source: Any, reduce: str, *, include_self: bool = True
    ) -> Any:
        """``index_reduce`` in place."""
        x: Any = self
        plan = _index_reduce_plan(x, dim, index, source, reduce, include_self)
        return x._run_inplace("index_reduce_", plan)

    def nonzero_static(self, *, size: int, fill_value: int = -1) -> Any:
        """``nonzero`` with exactly ``size`` rows: cut, or filled up with ``fill_value``.

        Example:
            >>> tensor([0, 1, 2]).nonzero_static(size=3).tolist()
            [[1], [2], [-1]]
        """
        if size < 0:
            raise ShapeError(f"nonzero_static: 'size' must be an non-negative integer, but got {size}")
        found = np.argwhere(self._data)[:size]
        out = np.full((size, self._data.ndim), fill_value, np.int64)
        out[: len(found)] = found
        return self._wrap(out)

    def fill_diagonal_(self, fill_value: Any, wrap: bool = False) -> Any:
        """The main diagonal of all dimensions filled with a number, in place.

        Args:
            wrap: of a matrix with more rows than columns: begin again one row below the last column.
        Example:
            >>> zeros(2, 2).fill_diagonal_(1).tolist()
            [[1.0, 0.0], [0.0, 1.0]]
        """
        x: Any = self
        shape = self._data.shape
        if len(shape) < 2:
            raise ShapeError(f"dimensions must larger than 1: fill_diagonal_ of shape {list(shape)}")
        if len(shape) > 2:
            if len(set(shape)) > 1:
                raise ShapeError(f"all dimensions of input must be of equal length, but got {list(shape)}")
            x[(self._wrap(np.arange(shape[0])),) * len(shape)] = fill_value
            return self
        rows, columns = shape
        starts = range(0, rows, columns + 1) if wrap else (0,)
        for start in starts:
            x[start:].diagonal().fill_(fill_value)
        return self

    # -- sizes ----------------------------------------------------------------------------------------

    def sum_to_size(self, *size: Any) -> Any:
        """The sum over what broadcasting ``size`` to this shape would repeat.

        Raises:
            ShapeError: size does not broadcast to this shape.
        Example:
            >>> ones(2, 3).sum_to_size(1, 3).tolist()
            [[2.0, 2.0, 2.0]]

        Source: semantics of torch.Tensor.sum_to_size.
        """
        if not size:
            raise TypeError('sum_to_size() missing 1 required positional arguments: "size"')
        x: Any = self
        goal, shape = size_args(size), self._data.shape
        lead = len(shape) - len(goal)
        if lead < 0 or any([n not in (1, m) for n, m in zip(goal, shape[lead:], strict=True)]):
            raise ShapeError(f"size {{{list(goal)}}} is not expandable to size {{{list(shape)}}}.")
        if not goal:
            return x.sum()
        dims = [i for i, m in enumerate(shape) if i < lead or (goal[i - lead] == 1 and m != 1)]
        if dims:
            x = x.sum(dims, keepdim=True)
        return x.view(goal) if lead else x

    def narrow_copy(self, dim: int, start: Any, length: int) -> Any:
        """``narrow`` in memory of its own.

        Example:
            >>> x.narrow_copy(0, 1, 2).tolist()
            [[2.0, 3.0], [4.0, 5.0]]
        """
        x: Any = self
        return self._apply(Contiguous, (x.narrow(dim, start, length),))

    def unsafe_split(self, split_size: int, dim: int = 0) -> Any:
        """``split`` whose pieces are not known as views: in-place changes of one are the caller's affair.

        Example:
            >>> [len(piece) for piece in x.unsafe_split(2)]
            [2, 1]
        """
        x: Any = self
        sizes = [piece.size(dim) for piece in x.detach().split(split_size, dim)]
        return self._apply(UnsafeSplit, (self,), (tuple(sizes), dim % self._data.ndim))

    def unsafe_split_with_sizes(self, split_sizes: Any, dim: int = 0) -> Any:
        """``split_with_sizes`` whose pieces are not known as views; see ``unsafe_split``."""
        x: Any = self
        sizes = [piece.size(dim) for piece in x.detach().split_with_sizes(split_sizes, dim)]
        return self._apply(UnsafeSplitSizes, (self,), (tuple(sizes), dim % self._data.ndim))

    def unsafe_chunk(self, chunks: int, dim: int = 0) -> Any:
        """``chunk`` whose pieces are not known as views; see ``unsafe_split``."""
        x: Any = self
        sizes = [piece.size(dim) for piece in x.detach().chunk(chunks, dim)]
        return self._apply(UnsafeSplit, (self,), (tuple(sizes), dim % self._data.ndim))

    def as_strided_scatter(self, src: Any, size: Any, stride: Any, storage_offset: Any = None) -> Any:
        """A copy in which the elements that ``as_strided`` would show are replaced by ``src``.

        Example:
            >>> zeros(2, 2).as_strided_scatter(ones(2), (2,), (3,)).tolist()
            [[1.0, 0.0], [0.0, 1.0]]
        """
        out = self._apply(Contiguous, (self,))
        part = out.as_strided(size, stride, 0 if storage_offset is None else storage_offset)
        if part._data.shape != src._data.shape:
            raise ShapeError(
                "expected src to have a size equal to the slice of self. src size = "
                f"{list(src._data.shape)}, slice size = {list(part._data.shape)}"
            )
        part.copy_(src)
        return out

    def new(self, *args: Any, device: Any = None) -> Any:
        """A tensor of this dtype: uninitialised of the sizes given, or of a sequence's values; an old form.

        Raises:
            TypeError: a tensor of another dtype, or a number that is no size.
        Example:
            >>> x.new([1, 2]).tolist(), x.new(2, 3).shape
            ([1.0, 2.0], torch.Size([2, 3]))
        """
        kind = _kind(self)
        if len(args) == 1 and not isinstance(args[0], int):
            given = args[0]
            if hasattr(given, "_data"):
                if given._data.dtype != self._data.dtype:
                    raise TypeError(f"new(): expected a tensor of {kind} (got {_kind(given)})")
                return given._detached(True)
            if not hasattr(given, "__len__"):
                raise TypeError(f"new(): data must be a sequence (got {type(given).__name__})")
            if type(given).__name__ != "Size":
                return self._wrap(array_of(given, kind))
        return self._wrap(legacy_array(list(args), kind.np))

    def new_empty_strided(self, size: Any, stride: Any, *, dtype: Any = None, **place: Any) -> Any:
        """Uninitialised memory with strides in elements, in this tensor's dtype unless another is given."""
        return self._wrap(
            strided_memory(size_args((size,)), size_args((stride,)), as_kind(dtype, _kind(self)))
        )

    # -- element by element, in Python ----------------------------------------------------------------

    def apply_(self, callable: Any) -> Any:
        """Each element replaced by ``callable(element)``, in place; slow, and without a gradient.

        Raises:
            GradError: the tensor requires grad.
        Example:
            >>> ones(2).apply_(lambda value: value + 1).tolist()
            [2.0, 2.0]
        """
        _no_grad("apply_", self)
        return _replaced(self, [callable(a) for a in _numbers(self._data)])

    def map_(self, tensor: Any, callable: Any) -> Any:
        """Each element replaced by ``callable(element, other's element)``, in place; other is broadcast.

        Raises:
            GradError: one of both requires grad. DtypeError: another dtype.
            ShapeError: other does not broadcast.
        Example:
            >>> ones(2).map_(tensor([1.0, 2.0]), lambda a, b: a - b).tolist()
            [0.0, -1.0]
        """
        if tensor._data.dtype != self._data.dtype:
            raise DtypeError(f"map_: expected {_kind(self)} for 'other' (got {_kind(tensor)})")
        _no_grad("map_", self)
        _no_grad("map_", tensor)
        other = tensor.expand(self._data.shape)._data
        pairs = zip(_numbers(self._data), _numbers(other), strict=True)
        return _replaced(self, [callable(a, b) for a, b in pairs])

    def dim_order(self) -> tuple[int, ...]:
        """The dimensions in the order in which they lie in memory, the densest last.

        Example:
            >>> x.t().dim_order()
            (1, 0)
        """
        strides = self._data.strides
        return tuple(sorted(range(len(strides)), key=lambda d: (-strides[d], d)))

    # -- complex numbers and where they stand ---------------------------------------------------------

    def is_conj(self) -> bool:
        """False: convgrad conjugates at once."""
        return False

    def is_neg(self) -> bool:
        """False: convgrad negates at once."""
        return False

    def resolve_neg(self) -> Any:
        """The tensor itself: convgrad negates at once."""
        return self

    @property
    def is_cpu(self) -> bool:
        """True: there is no other device."""
        return True


def _index_reduce_plan(x: Any, dim: int, index: Any, source: Any, reduce: str, include: bool) -> Any:
    if reduce not in ("prod", "mean", "amax", "amin"):
        raise ConvgradError(
            f"index_reduce(): Expected reduce to be one of prod, mean, amax or amin but got {reduce}."
        )
    if x._data.dtype.kind in "bc":
        kind = dtypes.from_numpy(x._data.dtype)
        if not include or reduce in (("amax", "amin") if kind.is_complex else ("mean",)):
            raise NotImplementedError(f'"index_reduce_func" not implemented for dtype {kind}')
    src, where, axis = x._index_plan("index_reduce", dim, index, source)
    spread = where.reshape((-1,) + (1,) * (src._data.ndim - 1 - axis))
    wide = np.broadcast_to(spread, src._data.shape)
    return scatter.IndexReduce, (src,), (wide, axis, reduce, include)


def _numbers(data: Array) -> list[Any]:
    """The elements as Python numbers."""
    return comparable(data).reshape(-1).tolist()


def _no_grad(name: str, x: Any) -> None:
    if x.requires_grad:
        raise GradError(
            f"Can't call {name}() on Variable that requires grad. Use var.detach().{name}() instead."
        )


def _replaced(x: Any, values: list[Any]) -> Any:
    made = np.asarray(values) if values else np.zeros(0, x._data.dtype)
    return x.copy_(x._wrap(cast_array(made.reshape(x._data.shape), x._data.dtype)))


def _kind(x: Any) -> Any:
    return x.dtype


def strided_memory(size: tuple[int, ...], stride: tuple[int, ...], kind: Any) -> Any:
    """An uninitialised array with strides in elements."""
    if len(size) != len(stride):
        raise ShapeError(
            f"dimensionality of sizes ({len(size)}) must match dimensionality of strides ({len(stride)})"
        )
    if any([n < 0 for n in (*size, *stride)]):
        raise ShapeError(f"sizes and strides must not be negative, but got {list(size)} and {list(stride)}")
    extent = 1 + sum([(n - 1) * s for n, s in zip(size, stride, strict=True)]) if 0 not in size else 0
    memory = np.empty(max(extent, 1), kind.np)
    return np.lib.stride_tricks.as_strided(memory, size, [s * memory.itemsize for s in stride])
