"""Files: written whole or not at all, and named in every complaint."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

PathName = str | os.PathLike[str]

CHUNK = 1 << 20
"""Bytes read or written in one go."""

PACKAGED = Path(__file__).parent / "data"
"""The folder with the data that convgrad brings along."""


@contextmanager
def written_whole(path: PathName) -> Iterator[BinaryIO]:
    """A binary file that appears under ``path`` once the block has ended without an error.

    Until then an earlier file of that name stays as it was; after an error nothing is left behind.

    Example:
        >>> folder = tempfile.TemporaryDirectory()
        >>> with written_whole(Path(folder.name, "a.bin")) as file:
        ...     _ = file.write(b"all of it")
        >>> Path(folder.name, "a.bin").read_bytes()
        b'all of it'
        >>> folder.cleanup()
    """
    target = Path(path)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, (target.stat().st_mode if target.exists() else 0o666 & ~_umask()) & 0o777)
        os.replace(name, target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _umask() -> int:
    """The permissions that new files are not to have; reading it means setting it."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def read_exactly(file: BinaryIO, n: int) -> bytes:
    """Up to ``n`` bytes, in pieces: a header that promises terabytes costs no more than the file holds."""
    pieces = bytearray()
    while len(pieces) < n:
        piece = file.read(min(CHUNK, n - len(pieces)))
        if not piece:
            break
        pieces += piece
    return bytes(pieces)
