"""WAV files: whole numbers of 8 to 32 bits and floats, any number of channels.

Python's ``wave`` reads no floats and, before 3.12, none of the extensible headers that every multichannel
file has; hence a reader of our own. Sizes in headers are compared with the file before anything is read.
"""

from __future__ import annotations

import io
import os
import struct
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .files import PathName, written_whole

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")
"""What follows the format code in the 16 bytes that name the format of an extensible header."""

_FORMATS = {(_PCM, 8), (_PCM, 16), (_PCM, 24), (_PCM, 32), (_FLOAT, 32), (_FLOAT, 64)}
_ENCODINGS = {"int16": (_PCM, 16), "int24": (_PCM, 24), "float32": (_FLOAT, 32)}
_BELOW_ONE = np.nextafter(np.float32(1), np.float32(0))


class _Format(NamedTuple):
    code: int
    channels: int
    rate: int
    frame_bytes: int
    bits: int


def read_wav(source: PathName | bytes) -> tuple[NDArray[np.float32], int]:
    """The sound in a WAV file.

    Whole numbers are divided by the magnitude of their most negative one, so that they lie in [-1, 1);
    floats are returned as they are (float64 rounded to float32), and may lie outside.

    Args:
        source: the file's name, or its bytes.
    Returns:
        float32 ``(channels, samples)`` and the sample rate in hertz.
    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no WAV file, is cut short, or holds an encoding other than whole numbers of 8, 16,
            24, 32 bits and floats of 32 or 64.
    Example:
        >>> from convgrad.datasets.files import PACKAGED
        >>> sound, rate = read_wav(PACKAGED / "ambi_choir.wav")
        >>> sound.shape, rate
        ((2, 69305), 44100)

    Source: Multimedia Programming Interface and Data Specifications 1.0 (RIFF), 1991; WAVEFORMATEXTENSIBLE.
    """
    if isinstance(source, bytes):
        return _read(io.BytesIO(source), len(source), "<bytes>")
    with open(source, "rb") as file:
        return _read(file, os.fstat(file.fileno()).st_size, os.fspath(source))


def write_wav(path: PathName, data: NDArray[Any], sample_rate: int, encoding: str = "int16") -> None:
    """Write sound as a WAV file; it appears under its name when all is written.

    Args:
        path: the file's name.
        data: floats ``(channels, samples)``, or ``(samples,)`` for one channel. For whole numbers they are
            multiplied by 2**15 or 2**23, rounded to nearest and clipped: [-1, 1) is what fits.
        sample_rate: in hertz.
        encoding: ``'int16'``, ``'int24'`` or ``'float32'``.
    Raises:
        ValueError: another shape, dtype, rate or encoding, a nan in sound that becomes whole numbers, or
            more than the 4 GiB that fit into a WAV file.
    """
    values = _checked_sound(data, sample_rate, encoding)
    code, bits = _ENCODINGS[encoding]
    channels, samples = values.shape
    frame = channels * bits // 8
    if samples * frame >= (1 << 32) - 128 or frame >= 1 << 16 or sample_rate * frame >= 1 << 32:
        raise ValueError(
            f"write_wav: {channels} channels of {samples} samples in {encoding} at {sample_rate} Hz do not "
            "fit into the 32-bit sizes of a WAV file"
        )
    header = _header(_Format(code, channels, sample_rate, frame, bits), samples)
    content = _encode(values.T, encoding)
    padding = b"\0" * (len(content) % 2)
    size = 4 + len(header) + 8 + len(content) + len(padding)
    with written_whole(path) as file:
        file.write(b"RIFF" + struct.pack("<I", size) + b"WAVE" + header)
        file.write(b"data" + struct.pack("<I", len(content)))
        file.write(content)
        file.write(padding)


# ---------------------------------------------------------------------- writing


def _checked_sound(data: NDArray[Any], sample_rate: int, encoding: str) -> NDArray[Any]:
    values = np.asarray(data)
    if encoding not in _ENCODINGS:
        raise ValueError(f"write_wav: encoding must be one of {', '.join(_ENCODINGS)}, but got {encoding!r}")
    if values.dtype.kind != "f":
        raise ValueError(
            f"write_wav: expected floats in [-1, 1), but got {values.dtype}; "
            "divide whole numbers by their range"
        )
    if values.ndim == 1:
        values = values[None]
    if values.ndim != 2 or values.shape[0] == 0:
        raise ValueError(
            f"write_wav: expected (channels, samples) or (samples,), but got shape {values.shape}"
        )
    if values.shape[0] > max(values.shape[1], 64):
        raise ValueError(
            f"write_wav: shape {values.shape} means {values.shape[0]} channels; (samples, channels) must be "
            "transposed first"
        )
    if isinstance(sample_rate, bool) or int(sample_rate) != sample_rate or not 0 < sample_rate < 1 << 32:
        raise ValueError(f"write_wav: sample_rate must be a whole number of hertz, but got {sample_rate!r}")
    if encoding != "float32" and bool(np.isnan(values).any()):
        raise ValueError(f"write_wav: the sound has nan values, which {encoding} cannot hold")
    return values


def _header(form: _Format, samples: int) -> bytes:
    """The ``fmt`` chunk, and the ``fact`` chunk that all but plain whole numbers must have."""
    code = _EXTENSIBLE if form.channels > 2 else form.code
    body = struct.pack(
        "<HHIIHH", code, form.channels, form.rate, form.rate * form.frame_bytes, form.frame_bytes, form.bits
    )
    if code == _EXTENSIBLE:
        body += struct.pack("<HHI", 22, form.bits, 0) + struct.pack("<H", form.code) + _GUID_TAIL
    elif code == _FLOAT:
        body += struct.pack("<H", 0)
    chunk = b"fmt " + struct.pack("<I", len(body)) + body
    if code != _PCM:
        chunk += b"fact" + struct.pack("<II", 4, samples)
    return chunk


def _encode(frames: NDArray[Any], encoding: str) -> bytes:
    """The bytes of ``frames`` (samples, channels)."""
    if encoding == "float32":
        return frames.astype("<f4").tobytes()
    limit = 1 << 15 if encoding == "int16" else 1 << 23
    scaled = frames.astype(np.float64) * limit
    whole = np.clip(np.rint(scaled), -limit, limit - 1)
    if encoding == "int16":
        return whole.astype("<i2").tobytes()
    four = whole.astype("<i4").reshape(-1, 1).view(np.uint8)
    return four[:, :3].tobytes()


# ---------------------------------------------------------------------- reading


def _read(file: BinaryIO, size: int, name: str) -> tuple[NDArray[np.float32], int]:
    head = file.read(12)
    if len(head) < 12 or head[:4] != b"RIFF" or head[8:] != b"WAVE":
        raise ValueError(f"{name}: no WAV file, expected it to begin with RIFF....WAVE, found {head[:12]!r}")
    form: _Format | None = None
    position = 12
    while position + 8 <= size:
        file.seek(position)
        kind, length = struct.unpack("<4sI", file.read(8))
        position += 8
        if kind in (b"fmt ", b"data") and length > size - position:
            raise ValueError(
                f"{name}: cut short, expected {length} bytes in the {kind.decode()!r} chunk, "
                f"found {size - position}"
            )
        if kind == b"fmt ":
            form = _parse_format(file.read(min(length, 40)), name)
        elif kind == b"data":
            if form is None:
                raise ValueError(f"{name}: expected a 'fmt ' chunk before the 'data' chunk, found none")
            return _samples(file, length, form, name), form.rate
        position += length + length % 2
    missing = "'fmt ' and 'data'" if form is None else "'data'"
    raise ValueError(
        f"{name}: expected a {missing} chunk, found none in {size} bytes; the file may be cut short"
    )


def _parse_format(body: bytes, name: str) -> _Format:
    if len(body) < 16:
        raise ValueError(f"{name}: expected at least 16 bytes in the 'fmt ' chunk, found {len(body)}")
    code, channels, rate, _, frame_bytes, bits = struct.unpack_from("<HHIIHH", body)
    if code == _EXTENSIBLE:
        if len(body) < 40:
            raise ValueError(f"{name}: expected 40 bytes in an extensible 'fmt ' chunk, found {len(body)}")
        if body[26:40] != _GUID_TAIL:
            raise ValueError(f"{name}: unknown extensible WAV format {body[24:40].hex()}")
        (code,) = struct.unpack_from("<H", body, 24)
    if (code, bits) not in _FORMATS:
        raise ValueError(
            f"{name}: WAV format {code} with {bits} bits cannot be read; whole numbers (1) of 8, 16, 24, 32 "
            "bits and floats (3) of 32, 64 can"
        )
    if channels == 0 or rate == 0:
        raise ValueError(f"{name}: expected channels and a sample rate above 0, found {channels} and {rate}")
    if frame_bytes != channels * bits // 8:
        raise ValueError(
            f"{name}: expected {channels * bits // 8} bytes for a sample of {channels} channels of {bits} "
            f"bits, found {frame_bytes}"
        )
    return _Format(code, channels, rate, frame_bytes, bits)


def _samples(file: BinaryIO, length: int, form: _Format, name: str) -> NDArray[np.float32]:
    if length % form.frame_bytes:
        raise ValueError(f"{name}: expected a multiple of {form.frame_bytes} bytes of sound, found {length}")
    raw = file.read(length)
    if len(raw) != length:
        raise ValueError(f"{name}: cut short, expected {length} bytes of sound, found {len(raw)}")
    frames = _decode(raw, form.code, form.bits).reshape(-1, form.channels)
    return np.ascontiguousarray(frames.T)


def _decode(raw: bytes, code: int, bits: int) -> NDArray[np.float32]:
    if code == _FLOAT:
        with np.errstate(over="ignore"):
            return np.frombuffer(raw, f"<f{bits // 8}").astype(np.float32)
    if bits == 8:  # the only width stored without a sign
        return (np.frombuffer(raw, np.uint8).astype(np.float32) - np.float32(128)) / np.float32(128)
    if bits == 16:
        return np.frombuffer(raw, "<i2").astype(np.float32) / np.float32(1 << 15)
    if bits == 24:
        wide = np.zeros((len(raw) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(raw, np.uint8).reshape(-1, 3)
        return (wide.view("<i4")[:, 0] >> 8).astype(np.float32) / np.float32(1 << 23)
    scaled = np.frombuffer(raw, "<i4").astype(np.float32) / np.float32(1 << 31)
    return np.minimum(scaled, _BELOW_ONE)  # float32 rounds the largest 64 of them up to 1
