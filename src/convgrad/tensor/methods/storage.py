"""The array behind a tensor: shape, strides, sharing, copying, filling and printing."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
from numpy.lib.array_utils import byte_bounds

from ... import dtypes
from ...device import CPU, device, layout, strided
from ...dtypes import Array
from ...errors import ConvgradError, DtypeError, GradError, ShapeError
from ...graph.node import LEAF, cell_of
from ...kernels import table
from ...ops import elementwise as ew
from ...ops import shape as ops
from ...ops.formula import LARGE
from ...ops.rearrange import storage_of
from ...size import Size
from ..arrays import array_of, as_kind, sizes
from .base import NUMBERS, dim_index
from .convert import ConvertMethods
from .operands import broadcast_error, fill_value, plain_target


class StorageMethods(ConvertMethods):
    """What a tensor says of itself, and what is done to its memory as a whole."""

    __slots__ = ()

    # -- what it is ---------------------------------------------------------------------------------

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

    @property
    def device(self) -> device:
        """Always the CPU."""
        return CPU

    @property
    def layout(self) -> layout:
        """Always ``strided``."""
        return strided

    @property
    def itemsize(self) -> int:
        """Bytes per element."""
        return self._data.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self._data.nbytes

    #: PyTorch's other kinds of tensor, none of which exist here
    is_cuda = is_sparse = is_quantized = is_meta = is_mps = is_mkldnn = is_nested = False

    def size(self, dim: Any = None) -> Any:
        """The sizes, or one of them."""
        if dim is None:
            return Size(self._data.shape)
        if not self._data.ndim:
            raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions")
        return self._data.shape[dim_index(dim, self._data.ndim)]

    def dim(self) -> int:
        """Number of dimensions."""
        return self._data.ndim

    ndimension = dim

    def numel(self) -> int:
        """Number of elements."""
        return self._data.size

    nelement = numel

    def element_size(self) -> int:
        """Bytes per element."""
        return self._data.itemsize

    def stride(self, dim: Any = None) -> Any:
        """Steps between neighbours along each dimension, in elements; or along one."""
        data = self._data
        if not data.size:  # for which NumPy has no strides
            steps = tuple([math.prod([max(n, 1) for n in data.shape[k + 1 :]]) for k in range(data.ndim)])
        else:
            steps = tuple([s // data.itemsize for s in data.strides])
        return steps if dim is None else steps[dim_index(dim, self._data.ndim)]

    def storage_offset(self) -> int:
        """Elements between the start of the storage and this tensor's first."""
        root = self._data
        while isinstance(root.base, np.ndarray):
            root = root.base
        start: int = self._data.__array_interface__["data"][0] - root.__array_interface__["data"][0]
        return start // self._data.itemsize

    def data_ptr(self) -> int:
        """The address of the first element."""
        return int(self._data.__array_interface__["data"][0])

    def is_contiguous(self, memory_format: Any = None) -> bool:
        """Whether rows lie one after another in memory."""
        return self._data.flags.c_contiguous

    def is_floating_point(self) -> bool:
        """Whether the elements are floats."""
        return self.dtype.is_floating_point

    def is_complex(self) -> bool:
        """Whether the elements are complex."""
        return self._data.dtype.kind == "c"

    def is_signed(self) -> bool:
        """Whether the elements may be negative."""
        return self.dtype.is_signed

    def is_same_size(self, other: Any) -> bool:
        """Whether both have the same shape."""
        return self._data.shape == other._data.shape

    def is_set_to(self, other: Any) -> bool:
        """Whether both are the same elements of the same memory."""
        return self.data_ptr() == other.data_ptr() and (
            self._data.shape == other._data.shape and self._data.strides == other._data.strides
        )

    def equal(self, other: Any) -> bool:
        """Whether both have the same shape and equal elements (NaN equals nothing)."""
        return bool(np.array_equal(self._data, other._data))

    def get_device(self) -> int:
        """-1: the CPU has no number."""
        return -1

    def is_pinned(self) -> bool:
        """Always False: there is no device to copy to."""
        return False

    def pin_memory(self) -> Any:
        """The tensor itself."""
        return self

    # -- the same memory, and other memory ----------------------------------------------------------

    @property
    def data(self) -> Any:
        """The same memory without history and with a version count of its own; may be set."""
        return self._detached(share_version=False)

    @data.setter
    def data(self, value: Any) -> None:
        if not hasattr(value, "_data"):
            raise TypeError(f"Variable data has to be a tensor, but got {type(value).__name__}")
        node: Any = self._node
        if node is not None and value._data.dtype.kind not in "fcV":
            raise GradError(
                "data set to a tensor that requires gradients must be floating point or complex dtype"
            )
        me: Any = self
        me._data, me._view = value._data, None
        if node is not None and node.kind == LEAF:
            node.data, node.shape, node.dtype = value._data, value._data.shape, value._data.dtype

    def clone(self, *, memory_format: Any = None) -> Any:
        """A copy with memory of its own, and this tensor's history."""
        return self._apply(ops.Clone, (self,))

    def copy_(self, src: Any, non_blocking: bool = False) -> Any:
        """Overwrite with the (broadcast, cast) values of ``src``."""
        if not hasattr(src, "_data"):
            raise TypeError(f"copy_(): argument 'other' must be Tensor, not {type(src).__name__}")
        goal, given = self._data.shape, src._data.shape
        try:
            joint = goal if given == goal else np.broadcast_shapes(given, goal)
        except ValueError:
            raise broadcast_error(goal, given) from None
        if joint != goal:
            raise ShapeError(
                f"output with shape {list(goal)} doesn't match the broadcast shape {list(joint)} "
                f"(copy_ of {list(given)})"
            )
        if src._data.dtype is not self._data.dtype and src._data.dtype.kind in "fcV":
            src = src.to(self.dtype)
        if self._data.dtype.kind in "biu" and src._node is not None:
            src = src._detached(False)
        if goal == given and plain_target(self, src):
            data = src._data
            if data.size >= LARGE and data.strides != self._data.strides:
                data = table.contiguous(data)  # two steps in order take less than one across
            np.copyto(self._data, data)
            (self._cell or cell_of(self)).bump("copy_")
            return self
        return self._inplace("copy_", ew.Copy, (src,))

    def fill_(self, value: Any) -> Any:
        """Every element replaced by a number (or 0-d tensor)."""
        if hasattr(value, "_data"):
            if value._data.ndim:
                raise ShapeError(
                    "fill_ only supports 0-dimension value tensor but got tensor with "
                    f"{value._data.ndim} dimensions."
                )
            return self._inplace("fill_", ops.FillTensor, (value,))
        if not isinstance(value, NUMBERS):
            raise TypeError(f"fill_(): argument 'value' must be Number, not {type(value).__name__}")
        value = fill_value(value, self._data.dtype)
        if plain_target(self):
            self._data.fill(value)
            (self._cell or cell_of(self)).bump("fill_")
            return self
        return self._inplace("fill_", ops.Fill, (), (value,))

    def zero_(self) -> Any:
        """Every element replaced by 0."""
        if plain_target(self):
            data = self._data
            if data.size >= LARGE and data.dtype.kind == "f":
                table.fill_all([data], 0.0)
            else:
                data.fill(0)
            (self._cell or cell_of(self)).bump("zero_")
            return self
        return self._inplace("zero_", ops.Zero, (), (0,))

    def resize_(self, *size: Any, memory_format: Any = None) -> Any:
        """Another shape: the elements of the storage from this tensor's first on, in the order of memory.

        A storage that is too small is replaced by a larger one, for all live views as well; what is new in
        it is uninitialised.
        """
        if self._node is not None:
            raise GradError("cannot resize variables that require grad")
        new = sizes("resize_", size)
        if new == self._data.shape:
            return self
        me: Any = self
        me._data = _resized(self, new)
        cell_of(self).bump("resize_")
        return self

    # -- new tensors of this dtype ------------------------------------------------------------------

    def _made(self, array: Array, requires_grad: bool) -> Any:
        out = self._wrap(array)
        return out.requires_grad_() if requires_grad else out

    def new_tensor(
        self, data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
    ) -> Any:
        """A tensor of ``data``, in this tensor's dtype unless another is given."""
        return self._made(array_of(data, as_kind(dtype, self.dtype)), requires_grad)

    def new_zeros(self, *size: Any, dtype: Any = None, requires_grad: bool = False, **place: Any) -> Any:
        """Zeros, in this tensor's dtype unless another is given."""
        return self._made(np.zeros(sizes("new_zeros", size), as_kind(dtype, self.dtype).np), requires_grad)

    def new_ones(self, *size: Any, dtype: Any = None, requires_grad: bool = False, **place: Any) -> Any:
        """Ones, in this tensor's dtype unless another is given."""
        return self._made(np.ones(sizes("new_ones", size), as_kind(dtype, self.dtype).np), requires_grad)

    def new_empty(self, *size: Any, dtype: Any = None, requires_grad: bool = False, **place: Any) -> Any:
        """Uninitialised memory, in this tensor's dtype unless another is given."""
        return self._made(np.empty(sizes("new_empty", size), as_kind(dtype, self.dtype).np), requires_grad)

    def new_full(
        self, size: Any, fill_value: Any, *, dtype: Any = None, requires_grad: bool = False, **place: Any
    ) -> Any:
        """One number everywhere, in this tensor's dtype unless another is given."""
        array = np.full(sizes("new_full", (size,)), fill_value, as_kind(dtype, self.dtype).np)
        return self._made(array, requires_grad)

    # -- copies and pickles -------------------------------------------------------------------------

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        if not self.is_leaf:  # type: ignore[attr-defined]
            raise ConvgradError(
                "Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol "
                "at the moment."
            )
        if id(self) in memo:
            return memo[id(self)]
        out = rebuild(type(self), _copied(self._data, memo), self._node is not None, {})
        memo[id(self)] = out
        if self._node is not None and self.grad is not None:  # type: ignore[attr-defined]
            out.grad = copy.deepcopy(self.grad, memo)  # type: ignore[attr-defined]
        out.__dict__.update(copy.deepcopy(self.__dict__, memo))
        return out

    def __reduce_ex__(self, protocol: Any) -> Any:
        return rebuild, (type(self), self._data, self._node is not None, dict(self.__dict__))


def _copied(array: Array, memo: dict[Any, Any]) -> Array:
    """The same picture of a copy of the storage, which tensors that share it share again."""
    flat, start = storage_of(array)
    known = memo.setdefault("storages", {})
    place = flat.__array_interface__["data"][0]
    if not flat.size or any([s % array.itemsize or s < 0 for s in array.strides]):
        return array.copy()
    found = known.get((place, flat.dtype))
    if found is None:
        found = known[place, flat.dtype] = (flat.copy(), flat)  # flat lives as long as its place is a key
    return np.ndarray(array.shape, array.dtype, found[0], start * array.itemsize, array.strides)


def _resized(tensor: Any, shape: tuple[int, ...]) -> Array:
    """``shape`` seen in the tensor's storage from its first element on; the storage grows if need be."""
    count = math.prod(shape)
    flat, start = storage_of(tensor._data)
    if start + count > flat.size:
        larger = np.empty(start + count, flat.dtype)
        larger[: flat.size] = flat
        _move(tensor, flat, larger)
        flat = larger
    return flat[start : start + count].reshape(shape)


def _move(tensor: Any, old: Array, new: Array) -> None:
    """Have the tensors of a storage show the same places of another one."""
    view, cell = tensor._view, cell_of(tensor)
    others = [ref() for ref in cell.views or ()]
    if view is not None:
        others.append(view.base)
    low, high = byte_bounds(old) if old.size else (0, 0)
    for other in others:
        if other is None or other is tensor or not other._data.size:
            continue
        data = other._data
        first = data.__array_interface__["data"][0]
        if low <= first < high and data.dtype == new.dtype and all([s >= 0 for s in data.strides]):
            other._data = np.ndarray(data.shape, data.dtype, new, first - low, data.strides)
            node = other._node
            if node is not None and node.kind == LEAF:
                node.data = other._data


def rebuild(kind: type[Any], array: Array, requires_grad: bool, state: dict[str, Any]) -> Any:
    """A tensor from its pickled parts."""
    if array.dtype not in dtypes._FROM_NUMPY:
        raise DtypeError(f"cannot rebuild a tensor of dtype {array.dtype}")
    out: Any = object.__new__(kind)
    out._data, out._node, out._cell, out._view = dtypes.with_own_dtype(array), None, None, None
    out.__dict__.update(state)
    return out.requires_grad_() if requires_grad else out
