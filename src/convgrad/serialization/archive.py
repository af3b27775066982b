"""Reading the zip archive of a checkpoint: records stored plain, each with a checksum, in one folder.

Only what PyTorch writes is accepted, and everything is compared before it is believed: sizes with the file's,
names in the directory with those before the records, records with each other (no two share bytes), contents
with their CRC-32. So no allocation is larger than the file.
Source: PKWARE's APPNOTE.TXT 6.3.10, sections 4.3 and 4.5 (zip64).
"""

from __future__ import annotations

import io
import mmap
import os
import struct
import zlib
from typing import Any, NamedTuple

import numpy as np

from ..dtypes import Array
from .errors import CheckpointError

_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_END64 = struct.Struct("<4sQ2H2I4Q")
_LOCATOR = struct.Struct("<4sIQI")
_MAX16, _MAX32 = 0xFFFF, 0xFFFFFFFF
#: of the general purpose bits only these: sizes follow the record, names are UTF-8
_KNOWN_FLAGS = 0x0808


class Source:
    """The bytes of a checkpoint: a path, or an object with ``read`` and ``seek`` from where it stands."""

    def __init__(self, f: Any) -> None:
        if isinstance(f, str | bytes | os.PathLike):
            self.name = os.fsdecode(f)
            self.file: Any = open(f, "rb", buffering=0)  # noqa: SIM115 - closed by close()
            self.owned = True
        else:
            for method in ("seek", "tell", "read"):
                if not hasattr(f, method):
                    raise AttributeError(
                        f"'{type(f).__name__}' object has no attribute '{method}'. You can only torch.load "
                        "from "
                        "a file that is seekable. Please pre-load the data into a buffer like io.BytesIO and "
                        "try to load from it instead."
                    )
            self.name = str(getattr(f, "name", f"<{type(f).__name__}>"))
            self.file = f
            self.owned = False
        self.start: int = self.file.tell()
        self.size: int = self.file.seek(0, io.SEEK_END) - self.start

    def read(self, offset: int, count: int) -> bytes:
        """``count`` bytes from ``offset`` on.

        Raises:
            CheckpointError: the file ends before.
        """
        if offset < 0 or count < 0 or offset + count > self.size:
            raise CheckpointError(f"{self.name}: truncated: {count} bytes at {offset} of {self.size}")
        self.file.seek(self.start + offset)
        data: bytes = self.file.read(count)
        while len(data) < count:
            more = self.file.read(count - len(data))
            if not more:
                raise CheckpointError(f"{self.name}: ends at byte {offset + len(data)} while it is read")
            data += more
        return data

    def read_array(self, offset: int, count: int) -> Array:
        """``count`` bytes from ``offset`` on as new memory, uint8."""
        array = np.empty(count, np.uint8)
        if not hasattr(self.file, "readinto"):
            array[:] = np.frombuffer(self.read(offset, count), np.uint8)
            return array
        if offset + count > self.size:
            raise CheckpointError(f"{self.name}: truncated: {count} bytes at {offset} of {self.size}")
        self.file.seek(self.start + offset)
        view = memoryview(array.data)
        while view.nbytes:
            got = self.file.readinto(view)
            if not got:
                raise CheckpointError(f"{self.name}: ends while it is read")
            view = view[got:]
        return array

    def map(self) -> mmap.mmap:
        """The file mapped into memory; what is written there is this process's own (copy on write)."""
        return mmap.mmap(self.file.fileno(), 0, access=mmap.ACCESS_COPY)

    def close(self) -> None:
        """Close what was opened here."""
        if self.owned:
            self.file.close()

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class Record(NamedTuple):
    """One entry of the archive: the place of its bytes, how many, and their CRC-32."""

    name: str
    header: int
    offset: int
    size: int
    crc: int


class Archive:
    """The records of a checkpoint by name (without the folder they are all in).

    Args:
        source: the file.
        map_memory: give arrays that are mapped, not read.
        verify: compare every record that is asked for with its checksum; None: all but those that are only
            mapped, and none in a file that PyTorch wrote without checksums.
    """

    def __init__(self, source: Source, map_memory: bool = False, verify: bool | None = None) -> None:
        self.source = source
        self.records: dict[str, Record] = {}
        self.folder = ""
        self._read_directory()
        self._mapped = source.map() if map_memory else None
        filled = [record for record in self.records.values() if record.size]
        if verify is None and filled and not any([record.crc for record in filled]):
            verify = False  # torch.serialization.set_crc32_options(False): zero everywhere
        self.verify = verify

    def __contains__(self, name: str) -> bool:
        return name in self.records

    def record(self, name: str) -> Record:
        """The entry of a name.

        Raises:
            CheckpointError: there is none.
        """
        found = self.records.get(name)
        if found is None:
            raise self._broken(f"there is no record {name!r}")
        return found

    def read(self, name: str) -> bytes:
        """The bytes of a record, checked."""
        record = self.record(name)
        data = self.source.read(record.offset, record.size)
        if self.verify is not False:
            self._check(record, data)
        return data

    def array(self, name: str) -> Array:
        """The bytes of a record, uint8, in memory of its own (or mapped), checked unless only mapped."""
        record = self.record(name)
        if self._mapped is None or not record.size:
            array = self.source.read_array(record.offset, record.size)
        else:
            array = np.frombuffer(self._mapped, np.uint8, record.size, record.offset + self.source.start)
        if self.verify or (self.verify is None and self._mapped is None):
            self._check(record, array)
        return array

    def _check(self, record: Record, data: Any) -> None:
        found = zlib.crc32(data)
        if found != record.crc:
            raise self._broken(
                f"record {record.name!r} ({record.size} bytes at {record.offset}) has the checksum "
                f"{found:08x}, "
                f"{record.crc:08x} was written: the file was changed after saving"
            )

    def _broken(self, why: str) -> CheckpointError:
        return CheckpointError(
            f"PytorchStreamReader failed reading zip archive: {self.source.name}: {why}. There is a high "
            "likelihood that the checkpoint file is corrupted: not saved properly, transferred "
            "incorrectly, or "
            "modified after saving."
        )

    # ------------------------------------------------------------------ the directory

    def _read_directory(self) -> None:
        count, size, start = self._find_directory()
        directory = self.source.read(start, size)
        found: list[Record] = []
        at = 0
        for _ in range(count):
            record, at = self._entry(directory, at)
            found.append(self._located(record))
        if at != size:
            raise self._broken(f"the central directory has {size} bytes, its {count} entries {at}")
        self._check_places(found, start)
        if found and all([record.name.endswith(".npy") for record in found]):
            raise CheckpointError(
                f"{self.source.name} is a NumPy archive: convgrad.serialization.load_npz reads it"
            )
        folders = {record.name.partition("/")[0] for record in found}
        if len(folders) != 1 or any(["/" not in record.name for record in found]):
            raise self._broken(f"file in archive is not in a subdirectory: {sorted(folders)[:5]}")
        self.folder = folders.pop()
        for record in found:
            name = record.name.partition("/")[2]
            if name in self.records:
                raise self._broken(f"two records are called {name!r}")
            self.records[name] = record

    def _find_directory(self) -> tuple[int, int, int]:
        """(number of entries, bytes, place) of the central directory."""
        size = self.source.size
        tail = self.source.read(max(0, size - _END.size - _MAX16), min(size, _END.size + _MAX16))
        at = tail.rfind(b"PK\5\6")
        if at < 0 or len(tail) - at < _END.size:
            raise self._broken("failed finding central directory")
        _, disk, first, here, count, length, start, comment = _END.unpack_from(tail, at)
        end = size - len(tail) + at
        if disk or first or here != count or at + _END.size + comment != len(tail):
            raise self._broken("failed finding central directory: its last entry does not end the file")
        # PyTorch always writes the 64-bit form beside the old one
        if end >= _LOCATOR.size and self.source.read(end - _LOCATOR.size, 4) == b"PK\6\7":
            end -= _LOCATOR.size
            _, disk, place, disks = _LOCATOR.unpack(self.source.read(end, _LOCATOR.size))
            if disk or disks != 1 or place + _END64.size != end:
                raise self._broken(
                    "failed finding central directory: the zip64 entry is not where it should be"
                )
            fields = _END64.unpack(self.source.read(place, _END64.size))
            if fields[0] != b"PK\6\6" or fields[1] != _END64.size - 12 or fields[6] != fields[7]:
                raise self._broken("failed finding central directory: the zip64 entry is damaged")
            old, full = (count, length, start), fields[7:10]
            for small, large, limit in zip(old, full, (_MAX16, _MAX32, _MAX32)):
                if small not in (large, limit):
                    raise self._broken("failed finding central directory: two entries disagree")
            count, length, start = full
            end = place
        if start + length != end or count * _CENTRAL.size > length:
            raise self._broken(
                f"failed finding central directory: {count} entries, {length} bytes at {start} of {size}"
            )
        return count, length, start

    def _entry(self, directory: bytes, at: int) -> tuple[tuple[Any, ...], int]:
        """One entry: (name, flags, crc, size, place of its header), and where the next begins."""
        if at + _CENTRAL.size > len(directory):
            raise self._broken("the central directory is truncated")
        fields = _CENTRAL.unpack_from(directory, at)
        signature, _, _, flags, method, _, _, crc, packed, size, named, extra, comment, disk, _, _, header = (
            fields
        )
        at += _CENTRAL.size
        end = at + named + extra + comment
        if signature != b"PK\1\2" or end > len(directory):
            raise self._broken("the central directory is damaged")
        try:
            name = directory[at : at + named].decode()
        except UnicodeDecodeError:
            raise self._broken("a record's name is no UTF-8") from None
        packed, size, header = self._widened(
            directory[at + named : at + named + extra], (size, packed, header), name
        )
        if method or packed != size:
            raise self._broken(f"record {name!r} is compressed; PyTorch stores records plain")
        if flags & ~_KNOWN_FLAGS or disk:
            raise self._broken(f"record {name!r} has unknown flags {flags:#06x}")
        return (name, flags, crc, size, header), end

    def _widened(self, extra: bytes, small: tuple[int, int, int], name: str) -> tuple[int, int, int]:
        """(stored bytes, bytes, place), from the zip64 field where 32 bits were too few."""
        size, packed, header = small
        at = 0
        while at + 4 <= len(extra) and _MAX32 in small:
            kind, length = struct.unpack_from("<2H", extra, at)
            if kind == 1:
                wide = [value for value in small if value == _MAX32]
                if length < 8 * len(wide) or at + 4 + length > len(extra):
                    raise self._broken(f"record {name!r} has a damaged zip64 field")
                values = iter(struct.unpack_from(f"<{len(wide)}Q", extra, at + 4))
                size, packed, header = [next(values) if value == _MAX32 else value for value in small]
                break
            at += 4 + length
        return packed, size, header

    def _located(self, entry: tuple[Any, ...]) -> Record:
        """The record of an entry; its header must tell the same name and kind."""
        name, flags, crc, size, header = entry
        fields = _LOCAL.unpack(self.source.read(header, _LOCAL.size))
        signature, _, own_flags, method, named, extra = *fields[:4], *fields[9:]
        offset = header + _LOCAL.size + named + extra
        if signature != b"PK\3\4" or own_flags != flags or method:
            raise self._broken(f"the header of record {name!r} at {header} is damaged")
        if self.source.read(header + _LOCAL.size, named) != name.encode():
            raise self._broken(f"record {name!r} has another name in its header")
        return Record(name, header, offset, size, crc)

    def _check_places(self, records: list[Record], end: int) -> None:
        """No two records share a byte, and none reaches into the directory."""
        ordered = sorted(records, key=lambda record: record.header)
        limits = [record.header for record in ordered[1:]] + [end]
        for record, limit in zip(ordered, limits):
            if record.offset + record.size > limit:
                raise self._broken(
                    f"record {record.name!r} ({record.size} bytes at {record.offset}) overlaps what begins "
                    f"at {limit}"
                )
