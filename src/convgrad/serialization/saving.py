"""``save``: a checkpoint in PyTorch's format, written whole or not at all."""

from __future__ import annotations

import os
import sys
from functools import partial
from typing import Any

from ..dtypes import Array
from .archive_writer import ALIGNMENT, ArchiveWriter
from .atomic import replacing, write_all
from .encoder import Encoder
from .errors import UnsavableError
from .options import get_crc32_options


def save(
    obj: Any,
    f: Any,
    pickle_module: Any = None,
    pickle_protocol: int = 2,
    _use_new_zipfile_serialization: bool = True,
    _disable_byteorder_record: bool = False,
) -> None:
    """Save tensors, and containers of tensors, numbers and texts, to a file that PyTorch reads as well.

    Memory is stored once however many tensors share it, whole storages with all their elements as in PyTorch
    (``clone()`` a small view of a large tensor). A path is replaced in one step when everything is on the
    disk: after an error, a full disk or a killed process the old file is there. Nothing is written before
    the whole object is known to be savable.

    Args:
        obj: tensors, Parameters, dict, OrderedDict, defaultdict, Counter, list, tuple, set, numbers, str,
            bytes, None, slices, Size, dtypes, devices, Generators, NumPy's numbers and arrays, in each other;
            instances of classes given to ``add_safe_globals``.
        f: a path, or an object with ``write`` (which then gets the bytes in order).
        pickle_module: accepted; no pickler is used.
        pickle_protocol: accepted; the stream has protocol 2, which every version of PyTorch reads.
    Raises:
        UnsavableError: something else in ``obj`` (a PicklingError); the message names type and place.
        CheckpointError: the folder does not exist.
        OSError: the file cannot be written.
    Source: semantics of torch.save.
    Example:
        >>> import io; f = io.BytesIO()
        >>> torch.save({"weight": x, "epoch": 3}, f); _ = f.seek(0)
        >>> torch.load(f)["epoch"]
        3
    """
    if not isinstance(f, str | bytes | os.PathLike) and not hasattr(f, "write"):
        raise AttributeError(
            "expected 'f' to be string, path, or a file-like object with a 'write' attribute, got a "
            f"{type(f).__name__}"
        )
    if not isinstance(pickle_protocol, int) or isinstance(pickle_protocol, bool):
        raise UnsavableError(f"pickle_protocol must be an int, not {type(pickle_protocol).__name__}")
    stream, arrays = Encoder().encode(obj)
    if hasattr(f, "write"):
        _write(f.write, "archive", stream, arrays, not _disable_byteorder_record)
        return
    folder = os.path.splitext(os.path.basename(os.fsdecode(f)))[0] or "archive"
    with replacing(f) as descriptor:
        _write(partial(write_all, descriptor), folder, stream, arrays, not _disable_byteorder_record)


def _write(write: Any, folder: str, stream: bytes, arrays: dict[str, Array], byte_order: bool) -> None:
    archive = ArchiveWriter(write, folder, get_crc32_options())
    archive.add("data.pkl", stream)
    archive.add(".format_version", b"1")
    archive.add(".storage_alignment", str(ALIGNMENT).encode())
    if byte_order:
        archive.add("byteorder", sys.byteorder.encode())
    for key, array in arrays.items():
        archive.add(f"data/{key}", array)
    archive.add("version", b"3\n")
    archive.finish()
