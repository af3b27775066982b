"""Writing the zip archive of a checkpoint, byte for byte as PyTorch lays it out.

Every record starts at a multiple of 64 bytes, for vector loads from a mapped file, and is followed by its
CRC-32 and size, so that a record is written in one pass over its memory.
Source: PKWARE's APPNOTE.TXT 6.3.10, sections 4.3 and 4.5 (zip64).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from typing import Any

#: bytes to which records are aligned; written into the record ``.storage_alignment`` as well
ALIGNMENT = 64
#: bytes that are checked and written at a time: they are still in the cache when they are written
_PIECE = 1 << 18
_GATHERED = 1 << 16
_MAX16, _MAX32 = 0xFFFF, 0xFFFFFFFF
#: sizes follow the record, names are UTF-8
_FOLLOWS, _UTF8 = 0x0008, 0x0800


class ArchiveWriter:
    """Writes records one after another, and the directory at the end.

    Args:
        write: takes bytes or a memoryview and writes all of it.
        folder: the folder in which the records appear.
        checksums: compute CRC-32; without, zero stands in its place.
    """

    def __init__(self, write: Callable[[Any], Any], folder: str, checksums: bool = True) -> None:
        self._write = write
        self.folder = folder
        self.checksums = checksums
        self._at = 0
        self._pending = bytearray()
        self._entries: list[tuple[bytes, int, int, int]] = []

    def add(self, name: str, data: Any) -> None:
        """Append a record; ``data`` is bytes or contiguous memory."""
        view = memoryview(data).cast("B") if memoryview(data).nbytes else memoryview(b"")
        path = f"{self.folder}/{name}".encode()
        start = self._at
        large = view.nbytes >= _MAX32
        flags = _UTF8 | (_FOLLOWS if view.nbytes else 0)
        wide = struct.pack("<2H2Q", 1, 16, 0, 0) if large else b""
        used = start + 30 + len(path) + len(wide) + 4
        padding = b"Z" * (-used % ALIGNMENT)
        extra = wide + struct.pack("<2sH", b"FB", len(padding)) + padding
        size = _MAX32 if large else 0
        self._put(
            struct.pack("<4s5H3I2H", b"PK\3\4", 0, flags, 0, 0, 0, 0, size, size, len(path), len(extra))
        )
        self._put(path + extra)
        crc = 0
        for first in range(0, view.nbytes, _PIECE):
            # a copy, since another thread may train on: what is checked must be what is written
            piece = bytes(view[first : first + _PIECE])
            if self.checksums:
                crc = zlib.crc32(piece, crc)
            self._put(piece)
        if view.nbytes:
            form = "<4sI2Q" if large else "<4s3I"
            self._put(struct.pack(form, b"PK\7\x08", crc, view.nbytes, view.nbytes))
        self._entries.append((path, crc, view.nbytes, start))

    def finish(self) -> None:
        """The name of this content, and the directory."""
        names = zlib.crc32(b"\0".join([path for path, *_ in self._entries]))
        contents = zlib.crc32(struct.pack(f"<{len(self._entries)}I", *[crc for _, crc, *_ in self._entries]))
        self.add(".data/serialization_id", f"{names:020d}{contents:020d}".encode())
        start = self._at
        for path, crc, size, header in self._entries:
            wide = [value for value in (size, size, header) if value >= _MAX32]
            extra = struct.pack(f"<2H{len(wide)}Q", 1, 8 * len(wide), *wide) if wide else b""
            flags = _UTF8 | (_FOLLOWS if size else 0)
            small = min(size, _MAX32)
            self._put(
                struct.pack(
                    "<4s6H3I5H2I", b"PK\1\2", 0, 0, flags, 0, 0, 0, crc, small, small, len(path), len(extra),
                    0, 0, 0, 0, min(header, _MAX32),
                ) + path + extra
            )  # fmt: skip
        count, length, end = len(self._entries), self._at - start, self._at
        self._put(struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 0x031E, 45, 0, 0, count, count, length, start))
        self._put(struct.pack("<4sIQI", b"PK\6\7", 0, end, 1))
        few = min(count, _MAX16)
        self._put(
            struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, few, few, min(length, _MAX32), min(start, _MAX32), 0)
        )
        self._flush()

    def _put(self, data: Any) -> None:
        """Append bytes; small ones are gathered, since every write is a call of the system."""
        self._at += len(data)
        if len(data) < _GATHERED:
            self._pending += data
            if len(self._pending) < _GATHERED:
                return
            data = b""
        if self._pending:
            self._write(bytes(self._pending))
            self._pending.clear()
        if len(data):
            self._write(data)

    def _flush(self) -> None:
        self._write(bytes(self._pending))
        self._pending.clear()
