"""PyTorch's format before 1.6: five pickles one after another, then the storages. It has no checksums."""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable
from typing import Any

from .archive import Source
from .decoder import Decoder
from .errors import CheckpointError, RefusedError
from .memory import Places, Storage, check_name, swap_bytes

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001


def read(source: Source, places: Places, decoder: Callable[..., Decoder]) -> tuple[Any, set[str] | None]:
    """The object of a legacy file, and the names that would be refused; ``decoder`` makes the readers.

    Raises:
        CheckpointError: no such file, or a truncated one.
        RefusedError: something that a checkpoint may not hold.
    """
    data = source.read(0, source.size)
    storages = _Storages(source.name, places, len(data))
    ends = [0]
    parts: list[Any] = []
    for _ in range(5):
        machine = decoder(data, storages.promise, start=ends[-1])
        parts.append(machine.decode())
        ends.append(machine.end)
        if len(parts) == 1 and parts[0] != _MAGIC:
            raise CheckpointError(
                f"Invalid magic number; corrupt file? {source.name} is a pickle, but none that torch.save "
                "wrote; "
                "convgrad does not load other pickles, since they can run anything"
            )
    _, protocol, system, _, keys = parts
    if protocol != _PROTOCOL:
        raise CheckpointError(f"Invalid protocol version: {str(protocol)[:20]} in {source.name}")
    little = system.get("little_endian", True) if type(system) is dict else True
    if type(keys) is not list or not all([type(key) is str for key in keys]):
        raise RefusedError("the list of storages is none")
    end = ends[-1]
    for key in keys:
        end = storages.fill(key, data, end, little is (sys.byteorder == "little"))
    if storages.open:
        raise CheckpointError(f"{source.name}: the data of {len(storages.open)} storages are missing")
    # the objects come before their data: they are built again, now on memory that is filled
    machine = decoder(data, storages.promise, start=ends[3])
    return machine.decode(), machine.unknown


class _Storages:
    """Storages whose bytes come after the objects that use them."""

    def __init__(self, name: str, places: Places, limit: int) -> None:
        self._name = name
        self._places = places
        self._left = limit
        self._made: dict[str, Storage] = {}
        self.open: dict[str, Storage] = {}

    def promise(self, name: Any) -> Storage:
        """The storage for ``("storage", kind, key, location, number of elements, view)``, not yet filled."""
        kind, key, location, count = check_name(name, 6)
        if name[5] is not None:
            raise RefusedError("a storage that is a view of another, as PyTorch 0.3 wrote it")
        if key not in self._made:
            size = count * kind.dtype.itemsize
            self._left -= size
            if self._left < 0:
                raise CheckpointError(
                    f"{self._name}: storages of more bytes than the file has: it is truncated"
                )
            storage = Storage.of_size(size, kind.dtype)
            self.open[key] = storage
            self._made[key] = self._places.restore(storage, location)
        if self._made[key].dtype is not kind.dtype:
            raise RefusedError(f"storage {key[:50]!r} is named twice with another dtype")
        return self._made[key]

    def fill(self, key: str, data: bytes, at: int, own_order: bool) -> int:
        """Copy the bytes of a storage to their place; returns where they end."""
        storage = self.open.pop(key, None)
        if storage is None:
            raise CheckpointError(f"{self._name}: data of a storage that nothing uses")
        size = storage.array.size
        if at + 8 + size > len(data):
            raise CheckpointError(
                f"{self._name}: truncated: a storage of {size} bytes at {at} of {len(data)}"
            )
        count = struct.unpack_from("<q" if own_order is (sys.byteorder == "little") else ">q", data, at)[0]
        if count * storage.dtype.itemsize != size:
            raise CheckpointError(
                f"{self._name}: a storage of {count} elements where {size} bytes were announced"
            )
        storage.array[:] = memoryview(data)[at + 8 : at + 8 + size]
        if not own_order:
            storage.array[:] = swap_bytes(storage.array, storage.dtype)
        return at + 8 + size
