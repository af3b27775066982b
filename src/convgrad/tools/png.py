"""Arrays as PNG images inside a page: grey, colour, or blue-to-red with transparency for signed values."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import Any

import numpy as np

from convgrad.errors import ShapeError

Array = np.ndarray[Any, np.dtype[Any]]

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOUR_TYPE = {1: 0, 3: 2, 4: 6}  # channels -> PNG colour type: grey, RGB, RGB with alpha
_RED, _BLUE = (0xC0, 0x30, 0x3C), (0x2A, 0x6F, 0xB4)


def png_bytes(pixels: Array) -> bytes:
    """A PNG file.

    Args:
        pixels: uint8, ``(H, W)`` grey or ``(H, W, 3)`` colour or ``(H, W, 4)`` colour with alpha.
    Returns:
        The file's bytes.
    Raises:
        ShapeError: another shape or an empty image.
    Example:
        >>> png_bytes(np.zeros((2, 3), np.uint8))[1:4]
        b'PNG'

    Source: W3C, Portable Network Graphics, third edition, 2025.
    """
    grid = pixels[..., None] if pixels.ndim == 2 else pixels
    if grid.ndim != 3 or grid.shape[2] not in _COLOUR_TYPE or 0 in grid.shape:
        raise ShapeError(
            f"png: expected (H, W), (H, W, 3) or (H, W, 4) and no empty side, got {pixels.shape}"
        )
    height, width, channels = grid.shape
    rows = np.zeros((height, 1 + width * channels), np.uint8)  # each row starts with filter type 0
    rows[:, 1:] = grid.astype(np.uint8).reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, _COLOUR_TYPE[channels], 0, 0, 0)
    body = zlib.compress(rows.tobytes(), 9)
    return _SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_uri(pixels: Array) -> str:
    """The same as a ``data:`` URI."""
    return "data:image/png;base64," + base64.b64encode(png_bytes(pixels)).decode("ascii")


def signed_pixels(values: Array, bound: float) -> Array:
    """Blue for negative, red for positive, the more opaque the larger; right on light and dark paper.

    Args:
        values: real, ``(H, W)``; NaN is drawn as nothing.
        bound: the magnitude that is fully opaque.
    Returns:
        uint8 ``(H, W, 4)``.
    """
    clean = np.nan_to_num(np.asarray(values, np.float64), nan=0.0, posinf=bound, neginf=-bound)
    out = np.empty((*clean.shape, 4), np.uint8)
    out[..., :3] = np.where((clean > 0)[..., None], _RED, _BLUE)
    share = np.abs(clean) / bound if bound > 0 else np.zeros_like(clean)
    out[..., 3] = np.rint(np.clip(share, 0, 1) * 255)
    return out


def grey_pixels(values: Array, low: float, high: float) -> Array:
    """``low`` black, ``high`` white; ``(H, W)`` or ``(H, W, 3)`` to uint8 of the same shape."""
    clean = np.nan_to_num(np.asarray(values, np.float64), nan=low, posinf=high, neginf=low)
    span = high - low
    share = (clean - low) / span if span > 0 else np.full(clean.shape, 0.5)
    return np.rint(np.clip(share, 0, 1) * 255).astype(np.uint8)
