"""Which memory a checkpoint stores for its tensors: every storage once, so that views stay views."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import byte_bounds

from .. import dtypes
from ..dtypes import Array
from ..errors import ConvgradError
from .names import UNTYPED


class Later:
    """An integer of the stream that is known when all tensors are."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0


class Stored:
    """One storage: the bytes from ``low`` to ``high`` of an array that owns them, and who uses it."""

    __slots__ = ("root", "dtype", "key", "low", "high", "count", "users")

    def __init__(self, root: Array, kind: dtypes.dtype, key: str, low: int, high: int) -> None:
        self.root = root
        self.dtype = kind
        self.key = key
        self.low = low
        self.high = high
        self.count = Later()
        #: (address of the tensor's first element, where its offset goes)
        self.users: list[tuple[int, Later]] = []

    def settle(self) -> Array:
        """Fill in sizes and offsets, in elements; returns the bytes."""
        itemsize = self.dtype.itemsize
        start = byte_bounds(self.root)[0]
        if self.users:
            self.low += (self.users[0][0] - self.low) % itemsize  # the base may begin between two elements
        count = (self.high - self.low) // itemsize
        self.count.value = count * itemsize if self.dtype in UNTYPED else count
        for address, offset in self.users:
            offset.value = (address - self.low) // itemsize
        flat = (self.root if self.root.flags.c_contiguous else self.root.T).reshape(-1).view(np.uint8)
        first = self.low - start
        return flat[first : first + count * itemsize]


class StorageTable:
    """The storages of one checkpoint, numbered in the order in which tensors name them.

    A tensor that is no view has a storage of its own size, though NumPy may hold it in a larger array; a view
    has that of the tensor it views, as in PyTorch. Tensors of one dtype in one array share one storage.
    """

    def __init__(self) -> None:
        self._found: dict[tuple[Any, ...], Stored] = {}

    def place(self, tensor: Any) -> tuple[Stored, Later, tuple[int, ...]]:
        """(storage, offset, strides in elements) of a tensor."""
        array: Array = tensor._data
        itemsize = array.itemsize
        if not array.size:
            shape = array.shape
            strides = [int(np.prod([max(1, n) for n in shape[axis + 1 :]])) for axis in range(len(shape))]
            return self._add(array, array.reshape(-1)[:0], (0, 0)), Later(), tuple(strides)
        root = _root(array)
        regular = root.flags.c_contiguous or root.flags.f_contiguous
        if not regular or any([step < 0 or step % itemsize for step in array.strides]):
            array = root = np.array(array, order="C")  # no storage could have these strides
            tensor = None
        stored = self._add(array, root, _extent(tensor, array, root))
        offset = Later()
        stored.users.append((byte_bounds(array)[0], offset))
        return stored, offset, tuple([step // itemsize for step in array.strides])

    def _add(self, array: Array, root: Array, extent: tuple[int, int]) -> Stored:
        kind = dtypes.from_numpy(array.dtype)
        address = byte_bounds(array)[0] if array.size else 0
        # the root is kept alive by the Stored, so its id is not used again
        key = (id(root), kind, address % kind.itemsize)
        found = self._found.get(key)
        if found is None:
            found = self._found[key] = Stored(root, kind, str(len(self._found)), *extent)
        else:
            found.low, found.high = min(found.low, extent[0]), max(found.high, extent[1])
        return found

    def settle(self) -> dict[str, Array]:
        """Fill in what was left open; key -> bytes of each storage.

        Raises:
            ConvgradError: two tensors read the same memory as different dtypes.
        """
        ordered = sorted([s for s in self._found.values() if s.high > s.low], key=lambda s: s.low)
        end, before = 0, None
        for stored in ordered:
            if before is not None and stored.low < end and stored.dtype is not before:
                raise ConvgradError(
                    "Cannot save multiple tensors or storages that view the same data as different types "
                    f"({before} and {stored.dtype}); clone() one of them"
                )
            if stored.high > end:
                end, before = stored.high, stored.dtype
        return {stored.key: stored.settle() for stored in self._found.values()}


def _root(array: Array) -> Array:
    """The array that owns the memory."""
    while True:
        base: Any = array.base
        if not isinstance(base, np.ndarray):
            base = getattr(base, "base", None)  # NumPy's as_strided puts an object of its own between
        if not isinstance(base, np.ndarray):
            return array
        array = base


def _extent(tensor: Any, array: Array, root: Array) -> tuple[int, int]:
    """First and last address of the storage that PyTorch would give a tensor."""
    low, high = byte_bounds(array)
    if tensor is None:
        return low, high
    view, cell = tensor._view, tensor._cell
    if view is not None:
        bounds = byte_bounds(view.base._data)
    elif cell is not None and cell.views is not None and not _is_base(tensor, cell):
        bounds = byte_bounds(root)  # a detached view, whose base is not known any more
    else:
        return low, high
    return min(low, bounds[0]), max(high, bounds[1])


def _is_base(tensor: Any, cell: Any) -> bool:
    """Whether one of the live views is a view of this very tensor."""
    views = [ref() for ref in cell.views]
    return any([v is not None and v._view is not None and v._view.base is tensor for v in views])
