"""Storages as they are read, and tensors on them; where a file says its storages were."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..device import device
from ..dtypes import Array, dtype, uint8
from ..errors import ConvgradError
from ..graph.node import Cell
from ..tensor.tensor import Tensor
from .errors import CheckpointError, RefusedError

#: bytes that NumPy can address
_ADDRESSABLE = (1 << 63) - 1
#: other devices of PyTorch's, from which a file may come
_DEVICES = frozenset(("cuda", "mps", "xpu", "hpu", "xla", "mtia", "meta", "privateuseone"))


class StorageKind:
    """The class of a storage as a file names it: ``FloatStorage``, or ``UntypedStorage`` for bytes."""

    __slots__ = ("dtype",)

    def __init__(self, kind: dtype | None) -> None:
        self.dtype = uint8 if kind is None else kind


class Storage:
    """Memory that tensors of a file share: what a ``map_location`` function is called with.

    ``array`` has the bytes (uint8), ``dtype`` is that of the elements (uint8 if none was written).
    """

    __slots__ = ("array", "dtype", "cell")

    def __init__(self, array: Array, kind: dtype, cell: Cell | None = None) -> None:
        self.array = array
        self.dtype = kind
        #: one version count for all tensors on this memory (ruling R7)
        self.cell = Cell() if cell is None else cell
        if cell is None:
            self.cell.views = []  # its tensors are views of it, though it is no tensor itself

    @staticmethod
    def of_size(size: int, kind: dtype) -> Storage:
        """Uninitialised memory of ``size`` bytes."""
        return Storage(np.empty(size, np.uint8), kind)

    def as_dtype(self, kind: dtype) -> Storage:
        """The same memory, of other elements."""
        return Storage(self.array, kind, self.cell)

    def nbytes(self) -> int:
        """Bytes of the memory."""
        return int(self.array.size)

    def size(self) -> int:
        """Bytes of the memory, as an ``UntypedStorage`` counts."""
        return int(self.array.size)

    __len__ = nbytes

    def data_ptr(self) -> int:
        """The address of the first byte."""
        return int(self.array.__array_interface__["data"][0])

    def cpu(self) -> Storage:
        """The storage itself."""
        return self

    @property
    def device(self) -> device:
        """Always the CPU."""
        return device("cpu")


def tensor_on(
    storage: Storage,
    kind: dtype,
    offset: int,
    shape: tuple[int, ...],
    strides: tuple[int, ...],
    metadata: dict[str, Any] | None,
) -> Tensor:
    """A tensor on a part of a storage; offset and strides are in elements.

    Raises:
        RefusedError: it would reach beyond the storage, or has more dimensions than NumPy knows.
    """
    itemsize = kind.itemsize
    if len(shape) != len(strides) or len(shape) > 64:
        raise RefusedError(f"a tensor of {len(shape)} sizes and {len(strides)} strides (64 at most)")
    count = storage.array.size // itemsize
    empty = 0 in shape
    last = offset + sum([(n - 1) * step for n, step in zip(shape, strides)])
    if offset < 0 or (offset > count if empty else last >= count):
        raise RefusedError(
            f"a tensor of sizes {shown(shape)} and strides {shown(strides)} from {shown(offset)} on, out of "
            f"the bounds of its storage of {count} elements"
        )
    total = itemsize
    for n in shape:
        total *= max(1, n)
        if total > _ADDRESSABLE:
            raise RefusedError(f"a tensor of sizes {shown(shape)}, more than can be addressed")
    # strides of axes with one element are kept, but they might not fit
    steps = tuple([min(step * itemsize, _ADDRESSABLE) for step in strides])
    if empty:
        array = np.empty(shape, kind.np)
    else:
        array = np.ndarray(shape, kind.np, storage.array, offset * itemsize, steps)
    if metadata:
        if array.size > count:
            raise RefusedError("an expanded tensor with a pending conjugation")
        if metadata.get("conj"):
            array = np.conjugate(array)
        if metadata.get("neg"):
            array = np.negative(array)
        return Tensor(array, None)
    out = Tensor(array, None)
    out._cell = storage.cell
    return out


def shown(numbers: Any) -> str:
    """An integer, or a tuple of them, for a message: Python refuses to print one of thousands of digits."""
    if type(numbers) is int:
        return str(numbers) if -(1 << 64) < numbers < 1 << 64 else "huge"
    return f"[{', '.join(map(shown, numbers[:64]))}]"


class Places:
    """What ``map_location`` says of the places that a file names.

    Args:
        map_location: None, a device or its name, a dictionary of names, or a function of storage and name.
    """

    def __init__(self, map_location: Any) -> None:
        self._map = map_location
        if isinstance(map_location, str | device):
            self._to_cpu(str(map_location))
        elif map_location is not None and not callable(map_location) and not hasattr(map_location, "get"):
            raise TypeError(
                f"map_location must be a device, a dict or a function, not {type(map_location).__name__}"
            )

    def restore(self, storage: Storage, location: str) -> Storage:
        """The storage to use for one that was saved at ``location``.

        Raises:
            ConvgradError: it would have to go where no memory is.
        """
        wanted = self._map
        if isinstance(wanted, str | device):
            return storage
        if wanted is None:
            return self._to_cpu(location, storage)
        if hasattr(wanted, "get"):
            return self._to_cpu(str(wanted.get(location, location)), storage)
        found = wanted(storage, location)
        if found is None:
            return self._to_cpu(location, storage)
        if type(found) is not Storage:
            raise TypeError(
                f"map_location returned a {type(found).__name__}; it must return the storage it was given, "
                "or None"
            )
        return found

    @staticmethod
    def _to_cpu(location: str, storage: Any = None) -> Any:
        kind = location.partition(":")[0]
        if kind == "cpu":
            return storage
        if kind not in _DEVICES:
            raise CheckpointError(
                "don't know how to restore data location of torch.storage.UntypedStorage (tagged with "
                f"{location[:50]!r})"
            )
        raise ConvgradError(
            f"Attempting to deserialize object on a {kind.upper()} device but torch.{kind}.is_available() is "
            "False. convgrad computes on the CPU: please use torch.load with "
            "map_location=torch.device('cpu') to map your storages to the CPU."
        )


def swap_bytes(array: Array, kind: dtype) -> Array:
    """The bytes of elements in the machine's order, from the other one; complex numbers by their parts."""
    width = kind.to_real().itemsize
    return array.reshape(-1, width)[:, ::-1].reshape(-1).copy() if width > 1 else array


def check_name(name: Any, parts: int) -> tuple[StorageKind, str, str, int]:
    """(kind, key, location, number of elements) of a storage's name.

    Raises:
        RefusedError: it is no such name.
    """
    if type(name) is not tuple or len(name) != parts or name[0] != "storage":
        raise RefusedError("persistent id is not the name of a storage")
    kind, key, location, count = name[1:5]
    if type(kind) is not StorageKind or type(key) is not str or type(location) is not str:
        raise RefusedError("persistent id is not the name of a storage")
    if type(count) is not int or count < 0:
        raise RefusedError("a storage with a negative number of elements")
    return kind, key, location, count
