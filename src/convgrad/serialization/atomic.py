"""Files written whole or not at all: whatever ends the writing, the old file or the new one is there.

The bytes go to a file without a name in the target's folder, so that a killed process leaves nothing behind
(Linux; elsewhere a hidden file beside the target). It is flushed to the disk before it takes the target's
name in one step, and the folder after it.
Source: rename(2), open(2) on O_TMPFILE; Pillai et al., "All File Systems Are Not Created Equal", OSDI 2014.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from .errors import CheckpointError

_O_TMPFILE = getattr(os, "O_TMPFILE", 0)
_NEW = os.O_CREAT | os.O_EXCL | os.O_RDWR | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


@contextmanager
def replacing(path: Any) -> Iterator[int]:
    """The descriptor of a new file that becomes ``path`` when the block ends without an exception.

    A symbolic link is followed and stays; the permission bits of an old file are kept, a new one gets those
    of the umask. Other hard links to an old file keep the old content. What is no ordinary file (a pipe, a
    device) is written to directly.

    Raises:
        CheckpointError: there is no such folder.
        OSError: a folder, no permission, no space; the old file is then as it was.
    """
    target = os.path.realpath(os.fsdecode(path))
    try:
        old = os.stat(target)
    except FileNotFoundError:
        old = None
    if old is not None and stat.S_ISDIR(old.st_mode):
        raise IsADirectoryError(21, "Is a directory", os.fsdecode(path))
    if old is not None and not stat.S_ISREG(old.st_mode):
        with _closing(os.open(target, os.O_WRONLY)) as descriptor:
            yield descriptor
        return
    folder = os.path.dirname(target)
    if not os.path.isdir(folder):
        raise CheckpointError(
            f"Parent directory {os.path.dirname(os.fsdecode(path)) or folder} does not exist."
        )
    hidden = os.path.join(folder, f".{os.path.basename(target)[:50]}.{os.getpid()}-{os.urandom(6).hex()}.tmp")
    descriptor, named = _open_new(folder, hidden)
    try:
        with _closing(descriptor):
            yield descriptor
            if old is not None and hasattr(os, "fchmod"):
                os.fchmod(descriptor, stat.S_IMODE(old.st_mode))
            os.fsync(descriptor)
            if not named:
                _give_name(descriptor, hidden)
        os.replace(hidden, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(hidden)
        raise
    _flush_folder(folder)


def _open_new(folder: str, hidden: str) -> tuple[int, bool]:
    """A new file in ``folder``: without a name where the system can give it one later, else ``hidden``."""
    if _O_TMPFILE and os.path.isdir("/proc/self/fd"):
        with suppress(OSError):  # not every file system has them
            return os.open(folder, _O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o666), False
    return os.open(hidden, _NEW, 0o666), True


def _give_name(descriptor: int, name: str) -> None:
    """Let an unnamed file appear in its folder; where the system refuses that, a copy of it."""
    try:
        # given a descriptor Python calls linkat, which follows the link in /proc; link does not
        os.link(f"/proc/self/fd/{descriptor}", name, src_dir_fd=descriptor, follow_symlinks=True)
    except OSError:
        with _closing(os.open(name, _NEW, 0o666)) as copy:
            os.fchmod(copy, stat.S_IMODE(os.fstat(descriptor).st_mode))
            os.lseek(descriptor, 0, os.SEEK_SET)
            while data := os.read(descriptor, 1 << 20):
                write_all(copy, data)
            os.fsync(copy)


def _flush_folder(folder: str) -> None:
    """Let the new name reach the disk, where a folder can be flushed."""
    with suppress(OSError), _closing(os.open(folder, os.O_RDONLY)) as descriptor:
        os.fsync(descriptor)


@contextmanager
def _closing(descriptor: int) -> Iterator[int]:
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def write_all(descriptor: int, data: Any) -> None:
    """Write all of ``data``; the system may take a part at a time (2 GB on Linux)."""
    view = memoryview(data)
    while view.nbytes:
        view = view[os.write(descriptor, view) :]
