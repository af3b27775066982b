"""Reading and writing by index."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from ...dtypes import F32, F64
from ...errors import ConvgradError, DimError, ShapeError
from ...graph.grad_mode import DUAL, INFERENCE, MODE, RECORD
from ...graph.node import cell_of
from ...ops import shape as ops
from .base import NUMBERS
from .operands import fill_value
from .scatter import ScatterMethods, check_key, translated

_FULL, _INT64 = slice(None), np.dtype(np.int64)


class IndexMethods(ScatterMethods):
    """``x[key]`` and ``x[key] = value`` for every mixture of ints, slices, None, ... and tensors."""

    __slots__ = ()

    def __getitem__(self, key: Any) -> Any:
        if type(key) is int:
            shape = self._data.shape
            if not shape:
                raise _zero_dim()
            if not -shape[0] <= key < shape[0]:
                raise DimError(
                    f"index {key} is out of bounds for dimension 0 with size {shape[0]} (shape {list(shape)})"
                )
            return self._apply_view(ops.Select, self, ((key, ...),))
        if type(key) is slice and self._data.ndim:
            start, stop = key.start, key.stop
            plain = (start is None or type(start) is int) and (stop is None or type(stop) is int)
            item = key if plain and key.step is None else _plain(key)
            return self._apply_view(ops.Slice, self, ((item, ...),))
        if type(key) is tuple and (found := plain_key(key, self._data.shape)) is not None:
            return self._apply_view(found[0], self, (found[1],))
        basic, advanced = None, getattr(key, "_data", None)
        if advanced is None or advanced.dtype is not _INT64 or not advanced.ndim or not self._data.ndim:
            basic, advanced = split_key(key, self._data)
        out: Any = self
        if basic is not None:
            out = self._apply_view(_kind(basic), self, (basic,))
        if advanced is not None:
            check_key(advanced, out._data)
            try:
                out = out._apply(ops.IndexTensor, (out,), (advanced,))
            except IndexError as error:
                raise translated(error) from None
        return out

    def __setitem__(self, key: Any, value: Any) -> None:
        if hasattr(value, "_data"):
            array = value._data
        else:
            array = as_element(value, self._data.dtype)
            value = None
        if key is False:
            return
        if type(key) is int and 0 <= key < (self._data.shape or (0,))[0]:
            basic, advanced = (key, ...), None
        else:
            basic, advanced = split_key(key, self._data)
        if advanced is None and self._write(basic, value, array):
            return
        target: Any = self
        whole = key is Ellipsis or (type(key) is slice and key == _FULL)
        if basic is not None and not whole:
            target = self._apply_view(_kind(basic), self, (basic,))
        source = self._wrap(array) if value is None else value
        extra = array.ndim - target._data.ndim
        if extra > 0 and advanced is None and array.shape[:extra] == (1,) * extra:
            source = source.view(array.shape[extra:])
        if advanced is None:
            check_fits(source._data.shape, target._data.shape)
            if whole and not array.ndim:
                target.fill_(source)
            else:
                target.copy_(source)
        else:
            if not array.ndim and type(advanced) is np.ndarray and advanced.dtype == bool:
                source = source.to(target.dtype)  # a mask is filled, whatever the number's dtype
            target.index_put_(advanced, source)

    def _write(self, basic: Any, value: Any, array: Any) -> bool:
        """Write where nothing is recorded, straight into the memory; False if that is not possible here."""
        data = self._data
        if (
            MODE.get() & (INFERENCE | DUAL)
            or (self._cell is not None and self._cell.inference)
            or not data.flags.c_contiguous
            or not data.flags.writeable
        ):
            return False
        if MODE.get() & RECORD and (
            self._node is not None or (value is not None and value._node is not None)
        ):
            return False
        if MODE.get() & RECORD and self._view is not None and self._view.base._node is not None:
            return False
        view = data[basic]
        if array.ndim > view.ndim or (array.shape != view.shape and array.ndim and array.size != 1):
            return False
        if array.dtype is not data.dtype:
            array = ops.cast_array(array, data.dtype)
        view[...] = array
        cell_of(self).bump("copy_")
        return True

    def __iter__(self) -> Iterator[Any]:
        if not self._data.ndim:
            raise TypeError("iteration over a 0-d tensor")
        return iter(self._apply(ops.Unbind, (self,), (0,)))

    def __reversed__(self) -> Any:
        return self.flip(0) if self._data.ndim else self  # type: ignore[attr-defined]

    def __len__(self) -> int:
        if not self._data.ndim:
            raise TypeError("len() of a 0-d tensor")
        return self._data.shape[0]

    def __contains__(self, element: Any) -> bool:
        if not hasattr(element, "_data") and not isinstance(element, NUMBERS):
            raise ConvgradError(
                f"Tensor.__contains__ only supports Tensor or scalar, but you passed in a {type(element)}."
            )
        return bool((self == element)._data.any())


def _zero_dim() -> DimError:
    return DimError(
        "invalid index of a 0-dim tensor. Use `tensor.item()` in Python or `tensor.item<T>()` in C++ to "
        "convert a "
        "0-dim tensor to a number"
    )


def as_element(value: Any, kind: Any) -> Any:
    """A number as a 0-d array of a tensor's dtype, for assignment.

    Raises:
        TypeError: not a number.
        ConvgradError: a complex number for a real tensor.
    """
    if not isinstance(value, NUMBERS):
        raise TypeError(
            f"can't assign a {type(value).__name__} to a torch.{kind.name} tensor: assign a number or a "
            f"Tensor "
            "(torch.as_tensor makes one)"
        )
    if (kind is F32 or kind is F64) and (
        type(value) is int or (type(value) is float and -1e38 < value < 1e38)
    ):
        return np.array(value, kind)
    return np.asarray(fill_value(value, kind)).astype(kind)


def check_fits(source: tuple[int, ...], target: tuple[int, ...]) -> None:
    """Raise if a value of one shape cannot be broadcast into a place of another."""
    lead = len(target) - len(source)
    for i, n in enumerate(source):
        if lead + i < 0 or (n != 1 and n != target[lead + i]):
            where = f"({target[lead + i]})" if lead + i >= 0 else "(none)"
            raise ShapeError(
                f"The expanded size of the tensor {where} must match the existing size ({n}) at "
                f"non-singleton "
                f"dimension {lead + i}.  Target sizes: {list(target)}.  Tensor sizes: {list(source)}"
            )


def _kind(key: Any) -> type[ops.Index]:
    """The node PyTorch would make last for a basic key."""
    parts = [k for k in key if k is not Ellipsis]
    for last in reversed(parts):
        if last is None:
            return ops.UnsqueezeIndex
        if not isinstance(last, slice):
            return ops.Select
        if last != _FULL:
            return ops.Slice
    return ops.Alias


def plain_key(key: tuple[Any, ...], shape: tuple[int, ...]) -> tuple[type[ops.Index], Any] | None:
    """The operator and NumPy key of a tuple of ints, slices of ints, None and at most one ellipsis.

    Returns:
        what ``split_key`` and ``_kind`` would find, in one pass; None for anything they are needed for.
    """
    op: type[ops.Index] = ops.Alias
    parts: list[Any] = []
    dim, open_end = 0, True
    for at, item in enumerate(key):
        if type(item) is slice:
            if dim >= len(shape):
                return None
            if item != _FULL:
                for part in (item.start, item.stop, item.step):
                    if part is not None and type(part) is not int:
                        return None
                if item.step is not None and item.step <= 0:
                    return None
                size = shape[dim]
                if item.indices(size) == (0, size, 1):
                    item = _FULL
                else:
                    op = ops.Slice
            dim += 1
        elif type(item) is int:
            if dim >= len(shape) or not -shape[dim] <= item < shape[dim]:
                return None
            op = ops.Select
            dim += 1
        elif item is None:
            op = ops.UnsqueezeIndex
        elif item is Ellipsis and open_end:
            gap = len(shape) - dim - sum([k is not None for k in key[at + 1 :]])
            if gap < 0:
                return None
            parts += [_FULL] * gap
            dim += gap
            open_end = False
            continue
        else:
            return None
        parts.append(item)
    return op, (*parts, ...)


def split_key(key: Any, data: Any) -> tuple[Any, Any]:
    """A key as PyTorch reads it: first ints, slices, None and ... (a view), then arrays (a copy).

    Returns:
        ``(basic, advanced)`` NumPy keys; None where that step has nothing to do.
    Raises:
        DimError: an index out of range, or too many indices.
    """
    if type(key) is list and len(key) < 32 and any([_is_nested(item) for item in key]):
        warnings.warn(
            "Using a non-tuple sequence for multidimensional indexing is deprecated; use x[tuple(seq)] "
            "instead of "
            "x[seq]",
            stacklevel=3,
        )
        key = tuple(key)
    items = [_plain(item) for item in (key if isinstance(key, tuple) else (key,))]
    widths = [_width(item) for item in items]
    ndim = data.ndim
    taken = sum(widths)
    if taken > ndim:
        if not ndim:
            raise _zero_dim()
        raise DimError(f"too many indices for tensor of dimension {ndim} (shape {list(data.shape)})")
    basic: list[Any] = []
    advanced: list[Any] = []
    dim = 0
    found = False
    for item, width in zip(items, widths, strict=True):
        if item is Ellipsis:
            gap = [_FULL] * (ndim - taken) if not found else []
            found = True
            basic.extend(gap)
            advanced.extend(gap)
            dim += len(gap)
        elif type(item) is np.ndarray:
            if item.ndim == 0 and item.dtype == bool:  # a bool: a new dimension of size 1, kept or not
                basic.append(None)
                advanced.append(np.zeros(1 if item else 0, np.int64))
            else:
                basic.extend([_FULL] * width)
                advanced.append(item)
            dim += width
        else:
            if type(item) is int:
                size = data.shape[dim]
                if not -size <= item < size:
                    raise DimError(
                        f"index {item} is out of bounds for dimension {dim} with size {size} (shape "
                        f"{list(data.shape)})"
                    )
            else:
                if item is not None and item.indices(data.shape[dim]) == (0, data.shape[dim], 1):
                    item = _FULL
                advanced.append(_FULL)
            basic.append(item)
            dim += width
    if not any([type(a) is np.ndarray for a in advanced]):
        # the trailing ellipsis keeps a full index from giving a NumPy scalar (R4)
        return (*basic, ...) if items != [Ellipsis] else (...,), None
    while type(advanced[-1]) is not np.ndarray:
        advanced.pop()
    changed = [b for b in basic if b is None or not isinstance(b, slice) or b != _FULL]
    return (tuple(basic) if changed else None), (advanced[0] if len(advanced) == 1 else tuple(advanced))


def _is_nested(item: Any) -> bool:
    return (
        item is None or item is Ellipsis or isinstance(item, (list, tuple, slice)) or hasattr(item, "_data")
    )


def _width(item: Any) -> int:
    """How many dimensions of the tensor one part of a key speaks of."""
    if item is None or item is Ellipsis:
        return 0
    if type(item) is np.ndarray and item.dtype == bool:
        return item.ndim
    return 1


def _plain(item: Any) -> Any:
    """One part of a key as NumPy understands it."""
    if type(item) is int or item is None or item is Ellipsis:
        return item
    if type(item) is slice:
        if item.step is not None and item.step <= 0:
            raise ValueError("step must be greater than zero")
        if any([hasattr(part, "_data") for part in (item.start, item.stop, item.step)]):
            parts = [None if p is None else p.__index__() for p in (item.start, item.stop, item.step)]
            return slice(*parts)
        return item
    if hasattr(item, "_data"):
        if not item._data.ndim and item._data.dtype.kind in "iu" and item._node is not None:
            return item._data  # under vmap it stands for many numbers
        return index_array(item._data)
    if isinstance(item, (bool, np.bool_)):
        return np.asarray(item)
    if isinstance(item, (list, range, tuple)):
        if any([hasattr(part, "_data") for part in item]):
            item = [_number(part) for part in item]
        found = np.asarray(item, dtype=np.int64 if not len(item) else None)
        return index_array(found.astype(np.int64) if found.dtype.kind in "iu" else found)
    if isinstance(item, np.ndarray):
        return index_array(item)
    if isinstance(item, np.integer):
        return int(item)
    if isinstance(item, str):
        raise TypeError(f"new(): invalid data type 'str' (a tensor is not indexed by {item!r})")
    raise DimError(
        "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid indices "
        "(got "
        f"{type(item).__name__})"
    )


def _number(part: Any) -> Any:
    return part.item() if hasattr(part, "_data") else part


def index_array(array: Any) -> Any:
    """An array in a key: an int for 0-d integers, a mask, or int64 positions.

    Raises:
        DimError: a dtype that is no index.
    """
    kind = array.dtype.kind
    if kind == "b":
        return array
    if array.dtype == np.uint8:
        warnings.warn(
            "indexing with dtype torch.uint8 is now deprecated, please use a dtype torch.bool instead.",
            stacklevel=5,
        )
        return array.astype(bool)
    if kind not in "iu" or (array.ndim and (array.itemsize < 4 or kind == "u")):
        raise DimError(
            f"tensors used as indices must be long, int, byte or bool tensors (got {array.dtype.name}, shape "
            f"{list(array.shape)})"
        )
    return int(array) if array.ndim == 0 else array
