"""IDX files, the format of MNIST: a magic number, big-endian sizes, the elements."""

from __future__ import annotations

import gzip
import io
import math
import os
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from .files import PathName, read_exactly, written_whole

_DTYPES: dict[int, np.dtype[Any]] = {
    0x08: np.dtype("u1"),
    0x09: np.dtype("i1"),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}
_CODES = {dtype.newbyteorder("="): code for code, dtype in _DTYPES.items()}
_GZIP = b"\x1f\x8b"


def read_idx(source: PathName | bytes) -> NDArray[Any]:
    """The array in an IDX file, gzipped or not.

    Args:
        source: the file's name, or its bytes.
    Returns:
        An array of the machine's own byte order, writeable: uint8, int8, int16, int32, float32 or float64.
    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no IDX file, or shorter or longer than its header says.
    Example:
        >>> read_idx(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 8, 9]))
        array([7, 8, 9], dtype=uint8)

    Source: Y. LeCun, C. Cortes, C. Burges, The MNIST database, section "File formats".
    """
    if isinstance(source, bytes):
        return _read(io.BytesIO(source), "<bytes>")
    with open(source, "rb") as file:
        return _read(file, os.fspath(source))


def write_idx(path: PathName, array: NDArray[Any]) -> None:
    """Write an array as an IDX file; gzipped, the same bytes each time, if the name ends in ``.gz``.

    Args:
        path: the file's name; it appears when all is written.
        array: uint8, int8, int16, int32, float32 or float64, of 1 to 255 dimensions.
    Raises:
        ValueError: another dtype or number of dimensions, or a length of 2**32 and more.
    """
    values = np.asarray(array)
    code = _CODES.get(values.dtype.newbyteorder("="))
    if code is None:
        names = ", ".join(str(dtype) for dtype in _CODES)
        raise ValueError(
            f"write_idx: IDX files hold {names}, but got {values.dtype}; convert the array first"
        )
    if not 1 <= values.ndim <= 255 or max(values.shape) >= 1 << 32:
        raise ValueError(f"write_idx: IDX files hold 1 to 255 dimensions below 2**32, but got {values.shape}")
    header = bytes([0, 0, code, values.ndim]) + np.array(values.shape, ">u4").tobytes()
    raw = header + values.astype(_DTYPES[code]).tobytes()
    if Path(path).suffix == ".gz":
        packed = gzip.compress(raw, compresslevel=9, mtime=0)
        raw = packed[:9] + b"\xff" + packed[10:]  # "unknown system": Python versions write different ones
    with written_whole(path) as file:
        file.write(raw)


def _read(file: BinaryIO, name: str) -> NDArray[Any]:
    """Look whether the file is gzipped and parse what is inside."""
    packed = file.read(2) == _GZIP
    file.seek(0)
    if not packed:
        return _parse(file, name)
    try:
        with gzip.GzipFile(fileobj=file) as unpacked:
            return _parse(unpacked, name)  # type: ignore[arg-type]
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{name}: the gzip data are damaged or cut short ({error})") from error


def _parse(file: BinaryIO, name: str) -> NDArray[Any]:
    magic = file.read(4)
    if len(magic) < 4:
        raise ValueError(f"{name}: no IDX file, expected a header of at least 4 bytes, found {len(magic)}")
    if magic[:2] != b"\0\0":
        raise ValueError(
            f"{name}: no IDX file, expected the first two bytes to be 0, found {magic[:2].hex(' ')}"
        )
    dtype, rank = _DTYPES.get(magic[2]), magic[3]
    if dtype is None:
        known = ", ".join(f"0x{code:02x}" for code in _DTYPES)
        raise ValueError(f"{name}: unknown IDX type 0x{magic[2]:02x}, expected one of {known}")
    if rank == 0:
        raise ValueError(f"{name}: no IDX file, expected at least one dimension, found 0")
    sizes = file.read(4 * rank)
    if len(sizes) < 4 * rank:
        raise ValueError(f"{name}: expected {4 * rank} bytes of sizes in the header, found {len(sizes)}")
    shape = tuple(int(n) for n in np.frombuffer(sizes, ">u4"))
    if rank > 64 or math.prod(n or 1 for n in shape) * dtype.itemsize >= 1 << 63:
        raise ValueError(f"{name}: expected an array of at most 64 dimensions and 2**63 bytes, found {shape}")
    expected = math.prod(shape) * dtype.itemsize
    content = read_exactly(file, expected + 1)
    if len(content) != expected:
        found = f"{len(content)}" if len(content) < expected else "more"
        raise ValueError(f"{name}: expected {expected} bytes for shape {shape} of {dtype}, found {found}")
    return np.frombuffer(content, dtype).reshape(shape).astype(dtype.newbyteorder("="))
