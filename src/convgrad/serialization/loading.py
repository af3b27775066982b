"""``load``: PyTorch's checkpoints, both formats, without running anything that is in them."""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Callable
from typing import Any

from . import legacy, trusted
from .archive import Archive, Source
from .decoder import Decoder
from .errors import CheckpointError, RefusedError
from .memory import Places, Storage, StorageKind, check_name, shown, swap_bytes
from .options import assumed_order

#: versions of the archive that are known: PyTorch 1.6 began with 2, and writes 3
_VERSIONS = range(1, 11)


def load(
    f: Any,
    map_location: Any = None,
    pickle_module: Any = None,
    *,
    weights_only: bool | None = None,
    mmap: bool | None = None,
    verify: bool | None = None,
    **pickle_load_args: Any,
) -> Any:
    """Load what ``save``, here or in PyTorch, has written.

    Nothing in the file is run, whatever ``weights_only`` says: tensors, containers, numbers and texts are
    built by a reader of convgrad's own, anything else is refused by name. Checksums are compared, so a file
    that was changed or cut is an error.

    Args:
        f: a path, or an object with ``read`` and ``seek``, from where it stands.
        map_location: for files that name other devices: "cpu", a device, a dict of names, or a function
            (storage, name) that returns the storage. Everything ends on the CPU.
        pickle_module: accepted where it is ``pickle``; no unpickler is used.
        weights_only: accepted; both values are safe, and load the same files.
        mmap: map the tensors' memory from the file (a path) in place of reading it: it is read when touched,
            and writing to a tensor leaves the file as it is. The memory that is mapped is not checked.
        verify: compare checksums; None does but for mapped memory, True does always, False never.
    Raises:
        RefusedError: something that a checkpoint may not hold (an UnpicklingError).
        CheckpointError: no checkpoint, or a damaged one (a RuntimeError).
        ConvgradError: a device without ``map_location`` (a RuntimeError).
        EOFError: an empty file, or a file object that stands at its end.
    Source: semantics of torch.load.
    Example:
        >>> import io; f = io.BytesIO(); torch.save([x, 1], f); _ = f.seek(0)
        >>> torch.load(f)[0].shape
        torch.Size([3, 2])
    """
    if pickle_module is not None and (weights_only or pickle_module is not pickle):
        raise CheckpointError("Can not safely load weights when explicit pickle_module is specified")
    return read(f, map_location, pickle_load_args.get("encoding", "utf-8"), mmap=mmap, verify=verify)[0]


def read(
    f: Any,
    map_location: Any = None,
    encoding: str = "utf-8",
    *,
    mmap: bool | None = None,
    verify: bool | None = None,
    scan: bool = False,
) -> tuple[Any, set[str] | None]:
    """What a file holds, and with ``scan`` the names that would be refused: their objects are ``StandIn``."""
    if mmap and not isinstance(f, str | bytes | os.PathLike):
        raise ValueError("f must be a file path in order to use the mmap argument")
    places = Places(map_location)
    known = {} if scan else trusted.trusted()

    def decoder(data: bytes, load_storage: Callable[[Any], Any], start: int = 0) -> Decoder:
        return Decoder(data, load_storage, known, encoding, scan, start)

    with Source(f) as source:
        if _kind(source) == "zip":
            return _load_archive(Archive(source, bool(mmap), verify), places, decoder)
        if mmap and not scan:
            raise CheckpointError(
                f"mmap can only be used with files saved with `torch.save({source.name}, "
                "_use_new_zipfile_serialization=True), please torch.save your checkpoint with this option in "
                "order to use mmap."
            )
        return explained(source, lambda: legacy.read(source, places, decoder))


def get_unsafe_globals_in_checkpoint(f: Any) -> list[str]:
    """The names in a checkpoint that ``load`` would refuse unless they are trusted.

    Example:
        >>> import io; f = io.BytesIO(); torch.save({"a": x}, f); _ = f.seek(0)
        >>> get_unsafe_globals_in_checkpoint(f)
        []
    """
    return sorted(read(f, "cpu", mmap=isinstance(f, str | bytes | os.PathLike), scan=True)[1] or ())


def explained(source: Source, run: Callable[[], Any]) -> Any:
    """Run the reader; let what it refuses say which file it was."""
    try:
        return run()
    except RefusedError as error:
        raise RefusedError(f"Weights only load failed. {source.name}: {error}") from error


def _kind(source: Source) -> str:
    """zip for the archive, legacy for PyTorch's format before 1.6; other files are told what they are."""
    if not source.size:
        raise EOFError(
            f"Ran out of input: {source.name} is empty"
            + ("" if source.owned else ", or the file object stands at its end: seek(0)")
        )
    head = source.read(0, min(source.size, 16))
    for start, advice in _OTHERS.items():
        if head.startswith(start):
            raise CheckpointError(f"Invalid magic number; corrupt file? {source.name} {advice}")
    if head.startswith(b"PK\3\4"):
        return "zip"
    if head[8:9] == b"{":
        raise CheckpointError(
            f"Invalid magic number; corrupt file? {source.name} is a safetensors file: "
            "convgrad.safetensors.load_file reads it"
        )
    if not head.startswith(b"\x80"):
        if source.size > 512 and source.read(257, 5) == b"ustar":
            raise CheckpointError(
                f"{source.name} has the tar format of PyTorch 0.1: load it in PyTorch and save it again"
            )
        raise CheckpointError(f"Invalid magic number; corrupt file? {source.name} is no checkpoint")
    return "legacy"


_OTHERS = {
    b"\x93NUMPY": "is a NumPy array: numpy.load reads it",
    b"\x89HDF": "is an HDF5 file: h5py reads it",
    b"\x1f\x8b": "is compressed by gzip: gzip.open gives a file object that can be loaded",
}


def _load_archive(archive: Archive, places: Places, decoder: Any) -> tuple[Any, set[str] | None]:
    name = archive.source.name
    if "constants.pkl" in archive:
        raise CheckpointError(
            f"{name} is a TorchScript archive, which holds a program; in PyTorch: "
            "torch.save(torch.jit.load(path).state_dict(), new_path)"
        )
    _check_version(archive)
    order = (
        archive.read("byteorder").decode("ascii", "replace") if "byteorder" in archive else assumed_order()
    )
    if order not in ("little", "big", None):
        raise CheckpointError(f"Unknown endianness type: {order!r} in {name}")
    storages = _Storages(archive, places, order is not None and order != sys.byteorder)
    machine = decoder(archive.read("data.pkl"), storages.load)
    return explained(archive.source, lambda: (machine.decode(), machine.unknown))


def _check_version(archive: Archive) -> None:
    """The small records, which are read so that a changed one is noticed."""
    for name in (".format_version", ".storage_alignment", "version"):
        text = archive.read(name).strip() if name in archive else b"1"
        if not text[:9].isdigit() or (name == "version" and int(text[:9]) not in _VERSIONS):
            raise CheckpointError(
                f"Attempted to read a PyTorch file with version {text[:20]!r} ({name} in "
                f"{archive.source.name}), which "
                "convgrad does not know"
            )


class _Storages:
    """The storages of an archive, each read once."""

    def __init__(self, archive: Archive, places: Places, swapped: bool) -> None:
        self._archive = archive
        self._places = places
        self._swapped = swapped
        self._loaded: dict[str, tuple[StorageKind, int, Storage]] = {}

    def load(self, name: Any) -> Storage:
        """The storage for ``("storage", kind, key, location, number of elements)``."""
        kind, key, location, count = check_name(name, 5)
        known = self._loaded.get(key)
        if known is not None:
            if known[0] is not kind or known[1] != count:
                raise RefusedError(f"storage {key[:50]!r} is named twice with another dtype or size")
            return known[2]
        record = self._archive.record(f"data/{key}")
        if record.size != count * kind.dtype.itemsize:
            raise CheckpointError(
                f"{self._archive.source.name}: record {record.name!r} has {record.size} bytes, not those "
                f"of {shown(count)} elements of {kind.dtype}"
            )
        array = self._archive.array(f"data/{key}")
        if self._swapped:
            array = swap_bytes(array, kind.dtype)
        storage = self._places.restore(Storage(array, kind.dtype), location)
        self._loaded[key] = (kind, count, storage)
        return storage
