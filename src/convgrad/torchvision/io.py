"""``torchvision.io``: pictures from files and into them, by Pillow."""

from __future__ import annotations

import enum
import io
import os
from typing import Any

import numpy as np

from ..errors import ConvgradError
from ..tensor.tensor import Tensor
from .images import pillow

__all__ = [
    "ImageReadMode", "decode_image", "decode_jpeg", "decode_png", "encode_jpeg", "encode_png", "read_file",
    "read_image", "write_file", "write_jpeg", "write_png",
]  # fmt: skip


class ImageReadMode(enum.Enum):
    """Which channels an image is read with; UNCHANGED: as they are in the file."""

    UNCHANGED = 0
    GRAY = 1
    GRAY_ALPHA = 2
    RGB = 3
    RGB_ALPHA = 4


_MODES = {
    ImageReadMode.GRAY: "L", ImageReadMode.GRAY_ALPHA: "LA", ImageReadMode.RGB: "RGB",
    ImageReadMode.RGB_ALPHA: "RGBA",
}  # fmt: skip


def read_file(path: Any) -> Any:
    """The bytes of a file, uint8 ``(n,)``."""
    return Tensor(np.fromfile(os.fspath(path), np.uint8), None)


def write_file(filename: Any, data: Tensor) -> None:
    """Write bytes, uint8 ``(n,)``, into a file.

    Raises:
        ConvgradError: another dtype or shape.
    """
    _check_bytes("write_file", data)
    data._data.tofile(os.fspath(filename))


def _check_bytes(name: str, data: Any) -> None:
    if data._data.dtype != np.uint8 or data._data.ndim != 1:
        raise ConvgradError(
            f"Expected a non empty 1-dimensional tensor of dtype torch.uint8: {name} got {data.dtype} of "
            f"shape {list(data.shape)}"
        )


def decode_image(
    input: Any, mode: Any = ImageReadMode.UNCHANGED, apply_exif_orientation: bool = False
) -> Any:
    """A picture as a tensor.

    Args:
        input: bytes of a picture, uint8 ``(n,)``, or the name of a file.
        mode: the channels it is to have, an ``ImageReadMode`` or its name such as "RGB".
        apply_exif_orientation: turn it as its camera noted.
    Returns:
        uint8 ``(C, H, W)``; uint16 for PNG files of 16 bits.
    Raises:
        ConvgradError: no picture that Pillow reads.
        MissingExtraError: Pillow is not installed.
    """
    if isinstance(mode, str):
        mode = ImageReadMode[mode.upper()]
    if not isinstance(input, Tensor):
        input = read_file(input)
    _check_bytes("decode_image", input)
    try:
        picture = pillow("Image").open(io.BytesIO(input._data.tobytes()))
        picture.load()
    except (OSError, ValueError) as error:
        raise ConvgradError(f"decode_image: these bytes are no image that can be read ({error})") from error
    if apply_exif_orientation:
        picture = pillow("ImageOps").exif_transpose(picture)
    wanted = _MODES.get(mode)
    if wanted is None and picture.mode in ("P", "1", "CMYK"):
        wanted = {"P": "RGBA" if "transparency" in picture.info else "RGB", "1": "L"}.get(picture.mode, "RGB")
    if wanted is not None and picture.mode != wanted:
        picture = picture.convert(wanted)
    array = np.array(picture)
    if array.dtype != np.uint8:
        array = array.astype(np.uint16)
    return Tensor(np.ascontiguousarray(array[None] if array.ndim == 2 else array.transpose(2, 0, 1)), None)


def read_image(path: Any, mode: Any = ImageReadMode.UNCHANGED, apply_exif_orientation: bool = False) -> Any:
    """A picture from a file, ``(C, H, W)``; see ``decode_image``."""
    return decode_image(read_file(path), mode, apply_exif_orientation)


def decode_png(input: Any, mode: Any = ImageReadMode.UNCHANGED, apply_exif_orientation: bool = False) -> Any:
    """``decode_image``."""
    return decode_image(input, mode, apply_exif_orientation)


def decode_jpeg(
    input: Any, mode: Any = ImageReadMode.UNCHANGED, device: Any = "cpu", apply_exif_orientation: bool = False
) -> Any:
    """``decode_image``; of a list of pictures, a list."""
    if isinstance(input, (list, tuple)):
        return [decode_image(one, mode, apply_exif_orientation) for one in input]
    return decode_image(input, mode, apply_exif_orientation)


def _encoded(name: str, input: Any, **options: Any) -> Any:
    data = input._data
    if data.dtype != np.uint8:
        raise ConvgradError(f"Input tensor dtype should be uint8: {name} got {input.dtype}")
    if data.ndim != 3 or data.shape[0] not in (1, 3):
        raise ConvgradError(
            f"The number of channels should be 1 or 3, and the input 3-dimensional: {name} got "
            f"{list(input.shape)}"
        )
    pixels = data[0] if data.shape[0] == 1 else data.transpose(1, 2, 0)
    file = io.BytesIO()
    pillow("Image").fromarray(np.ascontiguousarray(pixels)).save(file, **options)
    return Tensor(np.frombuffer(file.getvalue(), np.uint8).copy(), None)


def encode_png(input: Tensor, compression_level: int = 6) -> Any:
    """The bytes of a PNG file, uint8 ``(n,)``, of an image uint8 ``(C, H, W)`` with 1 or 3 channels."""
    if not 0 <= compression_level <= 9:
        raise ConvgradError("Compression level should be between 0 and 9")
    return _encoded("encode_png", input, format="PNG", compress_level=compression_level)


def encode_jpeg(input: Any, quality: int = 75) -> Any:
    """The bytes of a JPEG file, uint8 ``(n,)``, of an image uint8 ``(C, H, W)``; of a list, a list."""
    if not 1 <= quality <= 100:
        raise ConvgradError("Image quality should be a positive number between 1 and 100")
    if isinstance(input, (list, tuple)):
        return [encode_jpeg(one, quality) for one in input]
    return _encoded("encode_jpeg", input, format="JPEG", quality=quality)


def write_png(input: Tensor, filename: Any, compression_level: int = 6) -> None:
    """Write an image uint8 ``(C, H, W)`` as a PNG file."""
    write_file(filename, encode_png(input, compression_level))


def write_jpeg(input: Tensor, filename: Any, quality: int = 75) -> None:
    """Write an image uint8 ``(C, H, W)`` as a JPEG file."""
    write_file(filename, encode_jpeg(input, quality))
