"""Picking and placing by index tensors as methods: gather, scatter, index_add, take and their kin."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import ConvgradError, DimError, DtypeError, ShapeError
from ...ops import scatter
from ...ops import shape as ops
from ...ops.op import Op
from .base import NUMBERS, Methods, dim_index
from .operands import broadcast_error

_UNSIGNED = {4: np.dtype(np.uint32), 8: np.dtype(np.uint64)}
Plan = tuple[type[Op], tuple[Any, ...], tuple[Any, ...]]


class ScatterMethods(Methods):
    """``gather``, ``scatter``, ``index_select``, ``masked_scatter``, ``take`` and their kin."""

    __slots__ = ()

    # -- gather and scatter ---------------------------------------------------------------------

    def _at_least_1d(self) -> Any:
        x: Any = self
        return x if self._data.ndim else x.view(1)

    def _run(self, plan: Plan) -> Any:
        op, others, params = plan
        out = self._apply(op, (self._at_least_1d(), *others), params)
        return out if self._data.ndim else out.view(())

    def _run_inplace(self, name: str, plan: Plan) -> Any:
        op, others, params = plan
        self._at_least_1d()._inplace(name, op, others, params)
        return self

    def gather(self, dim: int, index: Any, *, sparse_grad: bool = False) -> Any:
        """``out[i, j] = self[index[i, j], j]`` for dim 0, and alike for the others.

        Args:
            dim: the dimension index counts in.
            index: int64 or int32, as many dimensions as self, no larger than self in the others.
        """
        x = self._at_least_1d()
        axis = dim_index(dim, x._data.ndim)
        where = _grid_index("gather", index, x._data, axis)
        out = self._apply(scatter.Gather, (x,), (where, axis))
        return out if out._data.shape == index._data.shape else out.view(index._data.shape)

    def take_along_dim(self, indices: Any, dim: Any = None) -> Any:
        """``gather`` with broadcasting; without ``dim`` positions count in the flattened tensor."""
        x: Any = self
        if dim is None:
            return x.reshape(-1).gather(0, _from_front(indices, x._data.size).reshape(-1))
        if self._data.ndim != indices._data.ndim:
            raise ShapeError(
                "torch.take_along_dim(): input and indices should have the same number of dimensions, but "
                "got "
                f"{self._data.ndim} dimensions for input, and {indices._data.ndim} dimensions for indices"
            )
        axis = dim_index(dim, self._data.ndim)
        mine, theirs = list(self._data.shape), list(indices._data.shape)
        own, other = mine[axis], theirs[axis]
        mine[axis] = theirs[axis] = 1
        if mine == theirs:
            return x.gather(axis, _from_front(indices, own))
        joint = list(np.broadcast_shapes(tuple(mine), tuple(theirs)))
        wide = [*joint[:axis], own, *joint[axis + 1 :]]
        indices = _from_front(indices, own)
        return x.expand(wide).gather(axis, indices.expand([*joint[:axis], other, *joint[axis + 1 :]]))

    def _scatter_plan(self, name: str, dim: int, index: Any, src: Any, value: Any, reduce: Any) -> Plan:
        src = value if src is None else src
        if reduce not in (None, "add", "multiply"):
            raise ConvgradError(f"reduce argument must be either add or multiply. (got {reduce!r})")
        data = self._at_least_1d()._data
        axis = dim_index(dim, data.ndim)
        tensor = hasattr(src, "_data")
        where = _grid_index(name, index, data, axis, src._data if tensor else None)
        if not tensor:
            if not isinstance(src, NUMBERS):
                raise TypeError(
                    f"{name}(): argument 'src' must be a Tensor or a number, not {type(src).__name__}"
                )
            if reduce is None:
                return scatter.ScatterValue, (src,), (where, axis)
            src = self._wrap(np.full(where.shape, src, data.dtype))
        source = _source(src, where, data, name)
        if reduce == "multiply":
            return scatter.ScatterReduce, (source,), (where, axis, "prod", True)
        return (scatter.ScatterAdd if reduce == "add" else scatter.Scatter), (source,), (where, axis)

    def scatter(self, dim: int, index: Any, src: Any = None, *, value: Any = None, reduce: Any = None) -> Any:
        """A copy with ``out[index[i, j], j] = src[i, j]`` for dim 0, and alike for the others.

        Args:
            index: int64 or int32, as many dimensions as self.
            src: a tensor no smaller than index, or a number.
            reduce: None, "add" or "multiply".
        """
        return self._run(self._scatter_plan("scatter", dim, index, src, value, reduce))

    def scatter_(
        self, dim: int, index: Any, src: Any = None, *, value: Any = None, reduce: Any = None
    ) -> Any:
        """``scatter`` in place."""
        return self._run_inplace("scatter_", self._scatter_plan("scatter", dim, index, src, value, reduce))

    def scatter_add(self, dim: int, index: Any, src: Any) -> Any:
        """A copy with ``out[index[i, j], j] += src[i, j]`` for dim 0, and alike for the others."""
        return self._run(self._scatter_plan("scatter_add", dim, index, src, None, "add"))

    def scatter_add_(self, dim: int, index: Any, src: Any) -> Any:
        """``scatter_add`` in place."""
        return self._run_inplace(
            "scatter_add_", self._scatter_plan("scatter_add", dim, index, src, None, "add")
        )

    def _reduce_plan(self, dim: int, index: Any, src: Any, reduce: str, include: bool) -> tuple[Any, Plan]:
        if reduce not in ("sum", "prod", "mean", "amax", "amin"):
            raise ConvgradError(f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}")
        x = self._at_least_1d()
        if reduce in ("amax", "amin") and x._data.dtype.kind == "c":
            raise NotImplementedError(
                f'"scatter_gather_tensor_cpu_reduce_{reduce}" not implemented for dtype {x._data.dtype}'
            )
        axis = dim_index(dim, x._data.ndim)
        where = _grid_index("scatter_reduce", index, x._data, axis, src._data)
        source = _source(src, where, x._data, "scatter_reduce")
        if reduce == "sum":
            if not include:
                x = x.scatter(axis, index, 0)
            return x, (scatter.ScatterReduceSum, (source,), (where, axis))
        return x, (scatter.ScatterReduce, (source,), (where, axis, reduce, include))

    def scatter_reduce(
        self, dim: int, index: Any, src: Any, reduce: str, *, include_self: bool = True
    ) -> Any:
        """A copy with the elements of src that meet at one place combined: sum, prod, mean, amax or amin.

        Args:
            include_self: whether what stands there takes part.
        """
        x, (op, others, params) = self._reduce_plan(dim, index, src, reduce, include_self)
        out = self._apply(op, (x, *others), params)
        return out if self._data.ndim else out.view(())

    def scatter_reduce_(
        self, dim: int, index: Any, src: Any, reduce: str, *, include_self: bool = True
    ) -> Any:
        """``scatter_reduce`` in place."""
        _, (op, others, params) = self._reduce_plan(dim, index, src, reduce, include_self)
        if reduce == "sum" and not include_self:
            self.scatter_(dim, index, 0)
        return self._run_inplace("scatter_reduce_", (op, others, params))

    # -- positions of one dimension -----------------------------------------------------------------

    def index_select(self, dim: int, index: Any) -> Any:
        """The positions ``index`` (a vector, int64 or int32) of one dimension, in that order; a copy."""
        where = _vector("index_select", index)
        x = self._at_least_1d()
        axis = dim_index(dim, x._data.ndim)
        if not _within(where, x._data.shape[axis]):
            raise DimError(
                f"index out of range in self (index_select: positions {where.min()} to {where.max()} of "
                f"dimension "
                f"{axis} with size {x._data.shape[axis]})"
            )
        out = self._apply(scatter.IndexSelect, (x,), (where, axis))
        return out if self._data.ndim else out.view(())

    def _index_plan(self, name: str, dim: int, index: Any, source: Any) -> tuple[Any, Any, int]:
        """Check index_add and index_copy; gives (source, positions, axis)."""
        data = self._at_least_1d()._data
        axis = dim_index(dim, data.ndim)
        where = _vector(name, index)
        src = source if source._data.ndim else source.view(1)
        shape = src._data.shape
        if not source._data.ndim and where.size != 1:
            raise DimError(
                f"{name}(): When source is scalar, index should have one element (got {where.size}): "
                f"Dimension specified as {dim} but tensor has no dimensions"
            )
        if name.startswith("index_copy") and len(shape) != data.ndim:
            raise DimError(
                f"{name}(): When source and destination are not scalars, their dimensionality must match. "
                f"Source dimensionality ({len(shape)}), destination dimensionality ({data.ndim})"
            )
        if (
            len(shape) != data.ndim
            or shape[:axis] + shape[axis + 1 :] != data.shape[:axis] + data.shape[axis + 1 :]
        ):
            raise ShapeError(
                "source tensor shape must match self tensor shape, excluding the specified dimension. Got "
                f"self.shape = {list(self._data.shape)} source.shape = {list(source._data.shape)}"
            )
        if shape[axis] != where.size:
            text = (
                f"{name}_(): Number of indices ({where.size}) should be equal to source.size(dim): "
                f"({shape[axis]}), for dim: {axis}"
            )
            raise DimError(text) if name == "index_copy" else ShapeError(text)
        if src._data.dtype != data.dtype:
            raise DtypeError(
                f"{name}_(): self and source expected to have the same dtype, but got (self) "
                f"{data.dtype.name} and "
                f"(source) {src._data.dtype.name}"
            )
        _check_range(name, where, data.shape[axis], axis, negative=False)
        return src, where, axis

    def index_add(self, dim: int, index: Any, source: Any, *, alpha: Any = 1) -> Any:
        """A copy with ``alpha * source`` added at positions ``index`` of one dimension; repeats add up."""
        src, where, axis = self._index_plan("index_add", dim, index, source)
        return self._run((scatter.IndexAdd, (src,), (where, axis, alpha)))

    def index_add_(self, dim: int, index: Any, source: Any, *, alpha: Any = 1) -> Any:
        """``index_add`` in place."""
        src, where, axis = self._index_plan("index_add", dim, index, source)
        return self._run_inplace("index_add_", (scatter.IndexAdd, (src,), (where, axis, alpha)))

    def index_copy(self, dim: int, index: Any, source: Any) -> Any:
        """A copy with positions ``index`` of one dimension replaced by those of ``source``."""
        src, where, axis = self._index_plan("index_copy", dim, index, source)
        return self._run((scatter.IndexCopy, (src,), (scatter.along(axis, where),)))

    def index_copy_(self, dim: int, index: Any, source: Any) -> Any:
        """``index_copy`` in place."""
        src, where, axis = self._index_plan("index_copy", dim, index, source)
        return self._run_inplace("index_copy_", (scatter.IndexCopy, (src,), (scatter.along(axis, where),)))

    def _fill_plan(self, dim: int, index: Any, value: Any) -> Plan:
        data = self._at_least_1d()._data
        axis = dim_index(dim, data.ndim)
        if index._data.dtype != np.int64:
            raise DimError(f"index_fill_(): Expected dtype int64 for index (got {index.dtype})")
        where = _vector("index_fill", index)
        _check_range("index_fill", where, data.shape[axis], axis, negative=True)
        where = np.unique(where % max(data.shape[axis], 1))  # each position once: the gradient counts them
        key = scatter.along(axis, where)
        if hasattr(value, "_data"):
            if value._data.ndim:
                raise ShapeError(
                    "index_fill_ only supports a 0-dimensional value tensor, but got tensor with "
                    f"{value._data.ndim} dimension(s)."
                )
            return scatter.IndexFillTensor, (value,), (key,)
        return scatter.IndexFill, (value,), (key,)

    def index_fill(self, dim: int, index: Any, value: Any) -> Any:
        """A copy with positions ``index`` of one dimension filled with a number (or 0-d tensor)."""
        return self._run(self._fill_plan(dim, index, value))

    def index_fill_(self, dim: int, index: Any, value: Any) -> Any:
        """``index_fill`` in place."""
        return self._run_inplace("index_fill_", self._fill_plan(dim, index, value))

    # -- anywhere -----------------------------------------------------------------------------------

    def index_put(self, indices: Any, values: Any, accumulate: bool = False) -> Any:
        """A copy with ``self[indices]`` replaced by ``values`` (or, accumulating, added to).

        Args:
            indices: a tuple of index tensors or masks; None stands for a whole dimension.
            values: of self's dtype, broadcast to the shape of ``self[indices]``.
        """
        key = self._put_key(indices, values)
        try:
            return self._apply(ops.SetIndex, (self, values), (key, accumulate))
        except (ValueError, IndexError) as error:
            raise _put_error(error, key, self._data, values._data) from None

    def index_put_(self, indices: Any, values: Any, accumulate: bool = False) -> Any:
        """``index_put`` in place."""
        key = self._put_key(indices, values)
        if values._data.ndim and self._data.size and values._data.size != 1:
            values = self._squeezed_value(key, values)
        try:
            return self._inplace("index_put_", ops.SetIndex, (values,), (key, accumulate))
        except (ValueError, IndexError) as error:
            raise _put_error(error, key, self._data, values._data) from None

    def _squeezed_value(self, key: Any, values: Any) -> Any:
        """values without leading ones beyond the rank of what they replace."""
        shape = values._data.shape
        while shape and shape[0] == 1:
            shape = shape[1:]
        return values if shape == values._data.shape else values.view(shape)

    def _put_key(self, indices: Any, values: Any) -> Any:
        if type(indices) is np.ndarray:
            check_key(indices, self._data)
            self._same_kind(values)
            return indices
        if not isinstance(indices, (tuple, list)):
            raise TypeError(
                "index_put(): argument 'indices' (position 1) must be tuple of Tensors, not "
                f"{type(indices).__name__}"
            )
        key = []
        for item in indices:
            array = item._data if hasattr(item, "_data") else item
            key.append(slice(None) if array is None else array)
        for item in key:
            if type(item) is np.ndarray and item.dtype.kind not in "ib":
                raise DimError(
                    f"tensors used as indices must be long, int, byte or bool tensors (got {item.dtype})"
                )
        check_key(tuple(key), self._data)
        self._same_kind(values)
        return key[0] if len(key) == 1 else tuple(key)

    def _same_kind(self, values: Any) -> None:
        if values._data.dtype != self._data.dtype:
            raise ConvgradError(
                "Index put requires the source and destination dtypes match, got "
                f"{self._data.dtype.name} for the destination and {values._data.dtype.name} for the source."
            )

    def masked_select(self, mask: Any) -> Any:
        """The elements where ``mask`` (bool, broadcast against self) holds, as a vector."""
        chosen = mask._data
        if chosen.dtype != bool:
            raise DtypeError(f"masked_select: expected BoolTensor for mask (got {chosen.dtype.name})")
        shape = _joint(self._data.shape, chosen.shape)
        x: Any = self if self._data.shape == shape else self.expand(shape)  # type: ignore[attr-defined]
        return self._apply(scatter.MaskedSelect, (x,), (np.broadcast_to(chosen, shape),))

    def _masked_plan(self, mask: Any, source: Any) -> Plan:
        chosen = mask._data
        if chosen.dtype != bool:
            raise DtypeError(
                f"masked_scatter_ only supports boolean masks, but got mask with dtype {chosen.dtype.name}"
            )
        if source._data.dtype != self._data.dtype:
            raise DtypeError(
                f"masked_scatter_: expected self and source to have same dtypes but got "
                f"{self._data.dtype.name} and "
                f"{source._data.dtype.name}"
            )
        chosen = np.broadcast_to(chosen, _joint(chosen.shape, self._data.shape))
        if np.count_nonzero(chosen) > source._data.size:
            raise ConvgradError(
                f"Number of elements of source < number of ones in mask ({source._data.size} < "
                f"{np.count_nonzero(chosen)})"
            )
        return scatter.MaskedScatter, (source,), (chosen,)

    def masked_scatter(self, mask: Any, source: Any) -> Any:
        """A copy with the elements where ``mask`` holds replaced by the first of ``source``, in order."""
        plan = self._masked_plan(mask, source)
        shape = plan[2][0].shape
        x: Any = self if self._data.shape == shape else self.expand(shape)  # type: ignore[attr-defined]
        return self._apply(plan[0], (x, *plan[1]), plan[2])

    def masked_scatter_(self, mask: Any, source: Any) -> Any:
        """``masked_scatter`` in place."""
        op, others, params = self._masked_plan(mask, source)
        return self._inplace("masked_scatter_", op, others, params)

    def take(self, index: Any) -> Any:
        """Elements by their position in the flattened tensor, in the shape of ``index``."""
        return self._apply(scatter.Take, (self,), (self._flat_index("take", index),))

    def _flat_index(self, name: str, index: Any) -> Any:
        where = index._data
        if where.dtype != np.int64:
            raise DtypeError(f"{name}(): Expected a long tensor for index, but got {where.dtype.name}")
        size = self._data.size
        wrong = (where < -size) | (where >= size)
        if wrong.any():
            raise DimError(
                f"out of range: tried to access index {int(where[wrong].flat[0])} on a tensor of {size} "
                f"elements."
            )
        return where

    def _flat_plan(self, index: Any, source: Any, accumulate: bool) -> Plan:
        where = self._flat_index("put_", index)
        if where.size != source._data.size:
            raise DimError(
                "put_(): Expected source and index to have the same number of elements, but got "
                "source.numel() = "
                f"{source._data.size}, index.numel() = {where.size}"
            )
        if source._data.dtype != self._data.dtype:
            raise DtypeError(
                f"put_(): self and source expected to have the same dtype, but got self.dtype = "
                f"{self._data.dtype.name} and source.dtype = {source._data.dtype.name}"
            )
        return scatter.Put, (source,), (where, accumulate)

    def put(self, index: Any, source: Any, accumulate: bool = False) -> Any:
        """A copy with elements, by their position in the flattened tensor, replaced (or added to)."""
        op, others, params = self._flat_plan(index, source, accumulate)
        return self._apply(op, (self, *others), params)

    def put_(self, index: Any, source: Any, accumulate: bool = False) -> Any:
        """``put`` in place."""
        op, others, params = self._flat_plan(index, source, accumulate)
        return self._inplace("put_", op, others, params)


def _from_front(indices: Any, size: int) -> Any:
    """Positions counted from the front: what is out of range stays so, for ``gather`` to refuse."""
    where = indices._data
    if where.dtype.kind == "i" and where.size and where.min() < 0:
        return indices._wrap(np.where((where < 0) & (where >= -size), where + size, where))
    return indices


def _grid_index(name: str, index: Any, data: Any, axis: int, src: Any = None) -> Any:
    """The checked int64 index array of gather and scatter, of data's rank."""
    where = index._data
    if (where.dtype.kind != "i" or where.itemsize < 4) and (where.size or name != "gather"):
        raise DtypeError(f"{name}(): Expected dtype int32/int64 for index (got {where.dtype.name})")
    if where.size == 0:
        shape = where.shape if where.ndim == data.ndim else (0,) * data.ndim
        return np.zeros(shape, np.int64)
    where = where if where.ndim else where.reshape(1)
    if where.ndim != data.ndim:
        raise ShapeError(
            f"Index tensor must have the same number of dimensions as input tensor ({name}: index "
            f"{list(where.shape)}, input {list(data.shape)})"
        )
    if src is not None and max(src.ndim, 1) != data.ndim:
        raise ShapeError(
            f"Index tensor must have the same number of dimensions as src tensor ({name}: index "
            f"{list(where.shape)}, "
            f"src {list(src.shape)})"
        )
    if where.shape == data.shape and (src is None or src.shape == where.shape):
        _check_range(name, where, data.shape[axis], axis, negative=False)
        return where.astype(np.int64, copy=False)
    wide = [i for i, (n, m) in enumerate(zip(where.shape, data.shape, strict=True)) if i != axis and n > m]
    small = src is not None and any([n > m for n, m in zip(where.shape, src.shape or (1,), strict=True)])
    if name == "gather" and wide:
        raise ShapeError(
            f"Size does not match at dimension {wide[0]} expected index {list(where.shape)} to be no "
            f"larger than self "
            f"{list(data.shape)} apart from dimension {axis}"
        )
    if wide or small:
        raise ShapeError(
            f"Expected index {list(where.shape)} to be no larger than self {list(data.shape)} apart from "
            f"dimension "
            f"{axis}" + (f" and to be no larger size than src {list(src.shape)}" if src is not None else "")
        )
    _check_range(name, where, data.shape[axis], axis, negative=False)
    return where.astype(np.int64, copy=False)


def _source(src: Any, where: Any, data: Any, name: str) -> Any:
    """src cut to the shape of the index."""
    if src._data.dtype != data.dtype:
        raise DtypeError(
            f"{name}(): Expected self.dtype to be equal to src.dtype (got {data.dtype.name} and "
            f"{src._data.dtype.name})"
        )
    src = src if src._data.ndim else src.view(1)
    if src._data.shape == where.shape:
        return src
    return src._apply(ops.Slice, (src,), (tuple([slice(0, n) for n in where.shape]),))


def _vector(name: str, index: Any) -> Any:
    """The positions of index_select and its kin as an int64 vector."""
    where = index._data
    if where.ndim > 1:
        raise DimError(f"{name}(): Index is supposed to be a vector (got shape {list(where.shape)})")
    if where.dtype.kind != "i" or where.itemsize < 4:
        raise DtypeError(f"{name}(): Expected dtype int32 or int64 for index (got {where.dtype.name})")
    return where.reshape(-1).astype(np.int64, copy=False)


def _within(where: Any, size: int) -> bool:
    """Whether all positions are from 0 on and below ``size``; one look does, as a negative one is vast."""
    if not where.size:
        return True
    return bool(np.maximum.reduce(where.view(_UNSIGNED[where.itemsize]), None) < size)


def _check_range(name: str, where: Any, size: int, axis: int, negative: bool) -> None:
    if _within(where, size):
        return
    low, high = int(where.min()), int(where.max())
    if high >= size or low < (-size if negative else 0):
        raise DimError(
            f"index {high if high >= size else low} is out of bounds for dimension {axis} with size "
            f"{size} ({name})"
        )


def _joint(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
    """The shape two shapes broadcast to."""
    try:
        return np.broadcast_shapes(a, b)
    except ValueError:
        raise broadcast_error(a, b) from None


def translated(error: IndexError) -> DimError:
    """NumPy's message in PyTorch's words."""
    return DimError(
        str(error).replace("for axis", "for dimension").replace("indexing arrays", "indexing tensors")
    )


def _put_error(error: Exception, key: Any, data: Any, value: Any) -> Exception:
    """What went wrong in ``x[key] = value``, in PyTorch's words."""
    if isinstance(error, DimError | ConvgradError):
        return error
    if isinstance(error, IndexError):
        return translated(error)
    return ShapeError(
        f"shape mismatch: value tensor of shape {list(value.shape)} cannot be broadcast to indexing "
        f"result of shape "
        f"{list(data[key].shape)}"
    )


def check_key(key: Any, data: Any) -> None:
    """Masks must have the sizes of the dimensions they stand for."""
    at = 0
    for item in key if type(key) is tuple else (key,):
        if type(item) is np.ndarray and item.dtype == bool:
            if item.shape != data.shape[at : at + item.ndim]:
                raise DimError(
                    f"The shape of the mask {list(item.shape)} at index {at} does not match the shape of "
                    f"the indexed "
                    f"tensor {list(data.shape)} at index {at}"
                )
            at += item.ndim
        else:
            at += 1
