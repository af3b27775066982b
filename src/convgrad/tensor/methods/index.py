"""Reading and writing by index."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import DimError
from ...ops import shape as ops
from .base import Methods


class IndexMethods(Methods):
    """``x[key]`` and ``x[key] = value`` for every mixture of ints, slices, None, ... and tensors."""

    __slots__ = ()

    def __getitem__(self, key: Any) -> Any:
        basic, advanced = split_key(key, self._data)
        out: Any = self
        if basic is not None:
            out = self._apply(_kind(basic), (self,), (basic,))
        if advanced is not None:
            out = out._apply(ops.Index, (out,), (advanced,))
        return out

    def __setitem__(self, key: Any, value: Any) -> None:
        basic, advanced = split_key(key, self._data)
        if not hasattr(value, "_data"):
            value = self._wrap(np.asarray(value, self._data.dtype))
        target: Any = self
        if basic is not None:
            target = self._apply(_kind(basic), (self,), (basic,))
        if advanced is None:
            target.copy_(value)
        else:
            target._inplace("index_put_", ops.SetIndex, (value,), (advanced, False))


def _kind(key: Any) -> type[ops.Index]:
    """The node PyTorch would make last for a basic key."""
    last = key[-1] if type(key) is tuple and key and key[-1] is not Ellipsis else key
    if type(key) is tuple and len(key) > 1 and key[-1] is Ellipsis:
        last = key[-2]
    if isinstance(last, int):
        return ops.Select
    if isinstance(last, slice):
        return ops.Slice
    return ops.UnsqueezeIndex if last is None else ops.Alias


def split_key(key: Any, data: Any) -> tuple[Any, Any]:
    """A key as PyTorch reads it: first ints, slices, None and ... (a view), then arrays (a copy).

    Returns:
        ``(basic, advanced)`` NumPy keys; None where that step has nothing to do.
    Raises:
        DimError: an index out of range, or too many indices.
    """
    items = list(key) if isinstance(key, tuple) else [key]
    items = [_plain(item) for item in items]
    arrays = [type(item) is np.ndarray for item in items]
    if not any(arrays):
        _check_ints(items, data)
        # the trailing ellipsis keeps a full index from giving a NumPy scalar (R4)
        return ((*items, ...) if Ellipsis not in items else tuple(items)), None
    taken = sum([item.ndim if m and item.dtype == bool else item is not None and item is not Ellipsis
                 for item, m in zip(items, arrays, strict=True)])  # fmt: skip
    if Ellipsis in [i for i, m in zip(items, arrays, strict=True) if not m]:
        at = next(i for i, item in enumerate(items) if item is Ellipsis)
        items[at : at + 1] = [slice(None)] * (data.ndim - taken)
    basic: list[Any] = []
    advanced: list[Any] = []
    for item in items:
        if type(item) is np.ndarray:
            width = item.ndim if item.dtype == bool else 1
            basic.extend([slice(None)] * width)
            advanced.append(item)
        else:
            basic.append(item)
            if not isinstance(item, int):
                advanced.append(slice(None))
    plain = all([isinstance(b, slice) and b == slice(None) for b in basic])
    while advanced and not isinstance(advanced[-1], np.ndarray):
        advanced.pop()
    return (None if plain else tuple(basic)), tuple(advanced)


def _plain(item: Any) -> Any:
    """One part of a key as NumPy understands it."""
    if hasattr(item, "_data"):
        item = item._data
        if item.ndim == 0 and item.dtype.kind in "iu":
            return int(item)
        return item.astype(bool) if item.dtype == np.uint8 else item
    if isinstance(item, (bool, np.bool_)):
        return np.asarray(item)
    if isinstance(item, (list, range)):
        return np.asarray(item, dtype=np.int64 if not len(item) else None)
    if isinstance(item, np.integer):
        return int(item)
    if isinstance(item, slice) and item.step is not None and item.step < 0:
        raise ValueError("step must be greater than zero")
    return item


def _check_ints(items: list[Any], data: Any) -> None:
    taken = [i for i in items if i is not None and i is not Ellipsis]
    if len(taken) > data.ndim:
        raise DimError(f"too many indices for tensor of dimension {data.ndim} (shape {list(data.shape)})")
    if Ellipsis in items:
        at = items.index(Ellipsis)
        after = len([i for i in items[at + 1 :] if i is not None])
        front = [i for i in items[:at] if i is not None]
        pairs = [*zip(range(len(front)), front, strict=True),
                 *zip(range(data.ndim - after, data.ndim), [i for i in items[at + 1 :] if i is not None], strict=True)]  # fmt: skip
    else:
        pairs = list(enumerate(taken))
    for dim, item in pairs:
        if isinstance(item, int) and not -data.shape[dim] <= item < data.shape[dim]:
            raise DimError(f"index {item} is out of bounds for dimension {dim} with size {data.shape[dim]}")
