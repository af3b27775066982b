"""``torchvision.transforms.functional``: what is done to a Pillow image or a tensor ``(..., C, H, W)``."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from enum import Enum
from functools import lru_cache
from typing import Any

import numpy as np

from ... import dtypes
from ...dtypes import Array
from ...errors import DtypeError, ShapeError
from ...kernels import table
from ...nn import functional as F
from ...tensor.tensor import Tensor
from ..images import check_image, dimensions, is_pil, pair, pillow
from .colour import (
    adjust_brightness,
    adjust_contrast,
    adjust_gamma,
    adjust_hue,
    adjust_saturation,
    invert,
    rgb_to_grayscale,
    to_grayscale,
)
from .warp import InterpolationMode, affine, inverse_matrix, rotate

__all__ = [
    "InterpolationMode", "adjust_brightness", "adjust_contrast", "adjust_gamma", "adjust_hue",
    "adjust_saturation", "affine", "center_crop", "convert_image_dtype", "crop", "erase", "five_crop",
    "gaussian_blur", "get_dimensions", "get_image_num_channels", "get_image_size", "hflip", "invert",
    "inverse_matrix", "normalize", "pad", "pil_to_tensor", "resize", "resized_crop", "rgb_to_grayscale",
    "rotate", "to_grayscale", "to_pil_image", "to_tensor", "vflip",
]  # fmt: skip

_MODES = {"I": np.int32, "I;16": np.uint16, "I;16B": np.uint16, "F": np.float32}


class Padding(Enum):
    """The ways ``pad`` fills, and what NumPy and ``nn.functional.pad`` call them."""

    constant = ("constant", "constant")
    edge = ("edge", "replicate")
    reflect = ("reflect", "reflect")
    symmetric = ("symmetric", "")


def get_dimensions(img: Any) -> list[int]:
    """``[channels, height, width]`` of an image."""
    return list(dimensions(img))


def get_image_size(img: Any) -> list[int]:
    """``[width, height]`` of an image."""
    _, height, width = dimensions(img)
    return [width, height]


def get_image_num_channels(img: Any) -> int:
    """The number of channels of an image."""
    return dimensions(img)[0]


# -- from and to Pillow's images ------------------------------------------------------------------------


def _pixels(pic: Any) -> Array:
    """A Pillow image as an array (C, H, W) of its own."""
    array = np.array(pic, _MODES.get(pic.mode, np.uint8))
    if pic.mode == "1":
        array = array * np.uint8(255)
    array = array.reshape(pic.height, pic.width, len(pic.getbands()))
    return np.ascontiguousarray(array.transpose(2, 0, 1))


def to_tensor(pic: Any) -> Tensor:
    """An image as a tensor ``(C, H, W)``: 8-bit values as floats in [0, 1], others as they are.

    Args:
        pic: a Pillow image, or an array ``(H, W, C)`` or ``(H, W)``.
    Raises:
        TypeError: something else.
        ValueError: an array of another number of dimensions.
    Example:
        >>> to_tensor(np.full((2, 3, 1), 255, np.uint8)).shape
        torch.Size([1, 2, 3])
    """
    array = _planes(pic)
    if array.dtype == np.uint8:
        kind = dtypes.default_dtype().np
        array = table.lookup(array, levels(kind))
    return Tensor(array, None)


def _planes(pic: Any) -> Array:
    """A Pillow image or an array as an array (C, H, W) of its own."""
    if isinstance(pic, np.ndarray):
        if pic.ndim not in (2, 3):
            raise ValueError(f"pic should be 2/3 dimensional. Got {pic.ndim} dimensions.")
        return np.array(
            (pic[:, :, None] if pic.ndim == 2 else pic).transpose(2, 0, 1), order="C", subok=False
        )
    if is_pil(pic):
        return _pixels(pic)
    raise TypeError(f"pic should be PIL Image or ndarray. Got {type(pic)}")


def to_normalized(pic: Any, mean: Any, std: Any) -> Tensor:
    """``normalize(to_tensor(pic), mean, std)``, to the bit; 8-bit values are looked up in one pass.

    Example:
        >>> to_normalized(np.full((1, 2, 1), 255, np.uint8), (0.5,), (0.5,)).tolist()
        [[[1.0, 1.0]]]
    """
    array = _planes(pic)
    if array.dtype == np.uint8 and array.size and _numbers(mean, len(array)) and _numbers(std, len(array)):
        values = _normalized_levels(dtypes.default_dtype().np, tuple(mean), tuple(std))
        return Tensor(table.lookup(array, values), None)
    return normalize(to_tensor(pic), mean, std)


def _numbers(values: Any, channels: int) -> bool:
    """Whether there is one plain number for each channel, or one for all."""
    if type(values) not in (tuple, list) or len(values) not in (1, channels):
        return False
    return all([type(n) is float or type(n) is int for n in values])


@lru_cache(maxsize=32)
def _normalized_levels(kind: np.dtype[Any], mean: tuple[float, ...], std: tuple[float, ...]) -> Array:
    """What the 256 values of a pixel become, ``(C, 256)``: by ``normalize`` itself."""
    channels = max(len(mean), len(std))
    pixels = Tensor(np.repeat(levels(kind), channels, axis=0).reshape(channels, 1, 256), None)
    return normalize(pixels, mean, std)._data.reshape(channels, 256)


def levels(kind: np.dtype[Any]) -> Array:
    """What the 256 values of a pixel are as floats within [0, 1], ``(1, 256)``."""
    return np.arange(256, dtype=kind)[None] / np.asarray(255, kind)


def pil_to_tensor(pic: Any) -> Tensor:
    """A Pillow image as a tensor ``(C, H, W)`` with the values it has, uint8 for most images.

    Raises:
        TypeError: no Pillow image.
    """
    if not is_pil(pic):
        raise TypeError(f"pic should be PIL Image. Got {type(pic)}")
    return Tensor(_pixels(pic), None)


_PERMITTED = {
    1: ("L", "F", "I", "I;16", "1"),
    2: ("LA",),
    3: ("RGB", "YCbCr", "HSV"),
    4: ("RGBA", "CMYK", "RGBX"),
}


def to_pil_image(pic: Any, mode: str | None = None) -> Any:
    """A tensor ``(C, H, W)`` or ``(H, W)``, or an array ``(H, W, C)`` or ``(H, W)``, as a Pillow image.

    Args:
        pic: floats are taken to lie in [0, 1], unless ``mode`` is "F".
        mode: Pillow's name of the kind of pixels; by default by the number of channels and the dtype.
    Raises:
        TypeError: neither tensor nor array, or a dtype that images do not have.
        ValueError: another number of dimensions, more than four channels, or a mode that does not fit.
    """
    if isinstance(pic, Tensor):
        if pic.ndim not in (2, 3):
            raise ValueError(f"pic should be 2/3 dimensional. Got {pic.ndim} dimensions.")
        array = pic.numpy(force=True)
        if array.dtype.kind in "fV" and mode != "F":
            array = (array.astype(np.float32) * 255).astype(np.int64).astype(np.uint8)  # cut, as byte() does
        array = array[None] if array.ndim == 2 else array
        if array.shape[0] > 4:
            raise ValueError(f"pic should not have > 4 channels. Got {array.shape[0]} channels.")
        array = array.transpose(1, 2, 0)
    elif isinstance(pic, np.ndarray):
        if pic.ndim not in (2, 3):
            raise ValueError(f"pic should be 2/3 dimensional. Got {pic.ndim} dimensions.")
        array = pic[:, :, None] if pic.ndim == 2 else pic
        if array.shape[2] > 4:
            raise ValueError(f"pic should not have > 4 channels. Got {array.shape[2]} channels.")
    else:
        raise TypeError(f"pic should be Tensor or ndarray. Got {type(pic)}.")
    channels = array.shape[2]
    if channels == 1:
        names = {"uint8": "L", "int16": "I;16", "uint16": "I;16", "int32": "I", "float32": "F"}
        usual = names.get(array.dtype.name, "")
        if mode is not None and mode != usual and not (usual == "L" and mode == "1"):
            raise ValueError(
                f"Incorrect mode ({mode}) supplied for input type {array.dtype}. Should be {usual}"
            )
        array = array[:, :, 0]
    else:
        usual = _PERMITTED[channels][0]
        if mode is not None and mode not in _PERMITTED[channels]:
            raise ValueError(f"Only modes {list(_PERMITTED[channels])} are supported for {channels}D inputs")
        usual = usual if array.dtype == np.uint8 else ""
    if not usual:
        raise TypeError(f"Input type {array.dtype} is not supported")
    kind = mode or usual
    array = np.ascontiguousarray(array.view(np.uint16) if kind == "I;16" else array)
    image = pillow("Image").fromarray(array)
    if kind == image.mode:
        return image
    if kind == "1":
        return image.point(lambda value: 255 if value else 0, "1")
    # the bytes are said to be of that mode, not converted to it
    return pillow("Image").frombytes(kind, image.size, array.tobytes())


def convert_image_dtype(image: Any, dtype: Any = dtypes.float32) -> Tensor:
    """An image in another dtype, with its values scaled: [0, 1] for floats, 0 to the largest for integers.

    Args:
        image: a tensor of any shape.
        dtype: what it is to be.
    Raises:
        TypeError: no tensor.
        RuntimeError: a float that cannot hold the integers asked for (float32 as int32 or int64).
    """
    if not isinstance(image, Tensor):
        raise TypeError("Input img should be Tensor Image")
    source = image.dtype
    if source == dtype:
        return image
    if source.is_floating_point:
        if dtype.is_floating_point:
            return image.to(dtype)
        big = dtype.np.itemsize >= 4
        if (source == dtypes.float32 and big) or (source == dtypes.float64 and dtype == dtypes.int64):
            raise RuntimeError(f"The cast from {source} to {dtype} cannot be performed safely.")
        # almost one above the largest, so that equal parts of [0, 1] become equal numbers
        return (image * (np.iinfo(dtype.np).max + 1.0 - 1e-3)).to(dtype)
    most = np.iinfo(source.np).max
    if dtype.is_floating_point:
        return image.to(dtype) / most
    goal = np.iinfo(dtype.np).max
    if most > goal:
        return (image // ((most + 1) // (goal + 1))).to(dtype)
    return image.to(dtype) * ((goal + 1) // (most + 1))


def normalize(tensor: Any, mean: Any, std: Any, inplace: bool = False) -> Tensor:
    """``(tensor - mean) / std`` for each channel.

    Args:
        tensor: float ``(..., C, H, W)``.
        mean, std: one number per channel.
        inplace: change the tensor itself.
    Raises:
        TypeError: no tensor, or no floats.
        ValueError: fewer than three dimensions, or a ``std`` of zero.
    """
    if not isinstance(tensor, Tensor):
        raise TypeError(f"img should be Tensor Image. Got {type(tensor)}")
    if not tensor.is_floating_point():
        raise DtypeError(f"Input tensor should be a float tensor. Got {tensor.dtype}.")
    if tensor.ndim < 3:
        raise ShapeError(
            f"Expected tensor to be a tensor image of size (..., C, H, W). Got tensor.size() = {tensor.shape}"
        )
    shift, scale = (np.asarray(getattr(v, "_data", v), tensor._data.dtype) for v in (mean, std))
    if not scale.all():
        raise ValueError(
            f"std evaluated to zero after conversion to {tensor.dtype}, leading to division by zero."
        )
    shift, scale = (v.reshape(-1, 1, 1) if v.ndim == 1 else v for v in (shift, scale))
    out = tensor if inplace else tensor.clone()
    return out.sub_(Tensor(shift, None)).div_(Tensor(scale, None))


# -- sizes ----------------------------------------------------------------------------------------------


def _goal(size: Any, height: int, width: int, max_size: int | None) -> tuple[int, int]:
    """Height and width that ``resize`` is asked for."""
    if isinstance(size, Sequence) and len(size) == 2:
        if max_size is not None:
            raise ValueError(
                "max_size should only be passed if size specifies the length of the smaller edge, i.e. size "
                "should be an int or a sequence of length 1 in torchscript mode."
            )
        return int(size[0]), int(size[1])
    short = int(size[0] if isinstance(size, Sequence) else size)
    longest = int(short * max(height, width) / min(height, width))
    if max_size is not None:
        if max_size <= short:
            raise ValueError(
                f"max_size = {max_size} must be strictly greater than the requested size for the smaller edge"
                f" size = {size}"
            )
        if longest > max_size:
            short, longest = int(max_size * short / longest), max_size
    return (short, longest) if height <= width else (longest, short)


def resize(
    img: Any,
    size: Any,
    interpolation: Any = InterpolationMode.BILINEAR,
    max_size: int | None = None,
    antialias: bool | None = True,
) -> Any:
    """The image in another size.

    Args:
        img: a Pillow image or a tensor ``(..., C, H, W)``.
        size: ``(height, width)``, or the length of the shorter edge.
        interpolation: an ``InterpolationMode``; tensors know the nearest ones, bilinear and bicubic.
        max_size: the longer edge is at most so long.
        antialias: smooth a tensor that shrinks (Pillow always does).
    Raises:
        TypeError, ValueError: arguments of other kinds.
    """
    check_image("resize", img)
    mode = InterpolationMode.of(interpolation)
    _, height, width = dimensions(img)
    if not isinstance(size, (int, list, tuple)) or (
        isinstance(size, (list, tuple)) and len(size) not in (1, 2)
    ):
        raise TypeError(f"Size should be int or sequence of one or two ints. Got {size!r}")
    goal = _goal(size, height, width, max_size)
    if goal == (height, width):
        return img
    if is_pil(img):
        return img.resize((goal[1], goal[0]), mode.pil())
    if mode not in InterpolationMode.of_tensors():
        raise ValueError(
            f"resize: tensors know {[m.value for m in InterpolationMode.of_tensors()]}, got {mode.value!r}"
        )
    smooth = mode in (InterpolationMode.BILINEAR, InterpolationMode.BICUBIC)
    x = img if img.is_floating_point() else img.to(dtypes.float32)
    flat = x.reshape(-1, *x.shape[-3:]) if x.ndim > 2 else x[None, None]
    out = F.interpolate(
        flat,
        size=goal,
        mode=mode.value,
        align_corners=False if smooth else None,
        antialias=smooth and bool(antialias),
    )
    if mode is InterpolationMode.BICUBIC and img.dtype == dtypes.uint8:
        out = out.clamp(min=0, max=255)
    out = out.reshape(*img.shape[:-2], *goal)
    return out if img.is_floating_point() else out.round().to(img.dtype)


def _edges(padding: Any) -> tuple[int, int, int, int]:
    """Left, top, right and bottom from one number, two or four."""
    if isinstance(padding, numbers.Number):
        padding = [padding]
    if not isinstance(padding, (list, tuple)):
        raise TypeError("Got inappropriate padding arg")
    if len(padding) not in (1, 2, 4):
        raise ValueError(
            f"Padding must be an int or a 1, 2, or 4 element tuple, not a {len(padding)} element tuple"
        )
    left, top, right, bottom = [int(p) for p in (list(padding) * 4)[:4]]
    return left, top, right, bottom


def pad(img: Any, padding: Any, fill: Any = 0, padding_mode: str = "constant") -> Any:
    """The image with a border.

    Args:
        img: a Pillow image or a tensor ``(..., C, H, W)``.
        padding: for all sides, for left/right and top/bottom, or left, top, right, bottom; pixels.
        fill: a number, or for Pillow images one per channel.
        padding_mode: "constant", "edge", "reflect" or "symmetric".
    Raises:
        TypeError, ValueError: arguments of other kinds.
    """
    check_image("pad", img)
    if padding_mode not in Padding.__members__:
        raise ValueError("Padding mode should be either constant, edge, reflect or symmetric")
    left, top, right, bottom = _edges(padding)
    in_numpy: Any = Padding[padding_mode].value[0]
    if is_pil(img):
        if padding_mode == "constant":
            colour = tuple([int(v) for v in fill]) if isinstance(fill, (list, tuple)) else fill
            if isinstance(colour, tuple) and len(colour) == 1:
                colour = colour * len(img.getbands())
            elif isinstance(colour, int) and len(img.getbands()) > 1:
                colour = (colour,) * len(img.getbands())
            return pillow("ImageOps").expand(img, border=(left, top, right, bottom), fill=colour)
        array = np.asarray(img)
        around = ((top, bottom), (left, right)) + ((0, 0),) * (array.ndim - 2)
        out = pillow("Image").fromarray(np.pad(array, around, mode=in_numpy))
        if img.mode == "P":
            out.putpalette(img.getpalette())
        return out
    if padding_mode == "symmetric" or not img.is_floating_point():
        around = (*((0, 0),) * (img.ndim - 2), (top, bottom), (left, right))
        options: dict[str, Any] = {"constant_values": fill or 0} if padding_mode == "constant" else {}
        return Tensor(np.pad(img.numpy(force=True), around, mode=in_numpy, **options), None)
    flat = img.reshape(-1, *img.shape[-3:]) if img.ndim > 2 else img[None, None]
    value = float(fill or 0) if padding_mode == "constant" else None
    out = F.pad(flat, (left, right, top, bottom), mode=Padding[padding_mode].value[1], value=value)
    return out.reshape(*img.shape[:-2], *out.shape[-2:])


def crop(img: Any, top: int, left: int, height: int, width: int) -> Any:
    """A part of the image; what lies outside of it is black."""
    check_image("crop", img)
    if is_pil(img):
        return img.crop((left, top, left + width, top + height))
    _, high, wide = dimensions(img)
    bottom, right = top + height, left + width
    piece = img[..., max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    around = [
        max(min(0, right) - left, 0), max(min(0, bottom) - top, 0), max(right - max(wide, left), 0),
        max(bottom - max(high, top), 0),
    ]  # fmt: skip
    return pad(piece, around) if any(around) else piece


def center_crop(img: Any, output_size: Any) -> Any:
    """The middle of the image; a smaller image gets a black border first.

    Args:
        img: a Pillow image or a tensor ``(..., C, H, W)``.
        output_size: ``(height, width)``, or one number for both.
    """
    height, width = pair(output_size)
    _, high, wide = dimensions(img)
    if width > wide or height > high:
        more_x, more_y = max(width - wide, 0), max(height - high, 0)
        img = pad(img, [more_x // 2, more_y // 2, (more_x + 1) // 2, (more_y + 1) // 2])
        _, high, wide = dimensions(img)
        if (height, width) == (high, wide):
            return img
    return crop(img, round((high - height) / 2), round((wide - width) / 2), height, width)


def resized_crop(
    img: Any,
    top: int,
    left: int,
    height: int,
    width: int,
    size: Any,
    interpolation: Any = InterpolationMode.BILINEAR,
    antialias: bool | None = True,
) -> Any:
    """``crop``, then ``resize``."""
    return resize(crop(img, top, left, height, width), size, interpolation, antialias=antialias)


def five_crop(img: Any, size: Any) -> tuple[Any, Any, Any, Any, Any]:
    """The four corners (top left, top right, bottom left, bottom right) and the middle of the image."""
    height, width = pair(size)
    _, high, wide = dimensions(img)
    if width > wide or height > high:
        raise ValueError(f"Requested crop size {(height, width)} is bigger than input size {(high, wide)}")
    return (
        crop(img, 0, 0, height, width),
        crop(img, 0, wide - width, height, width),
        crop(img, high - height, 0, height, width),
        crop(img, high - height, wide - width, height, width),
        center_crop(img, (height, width)),
    )


def hflip(img: Any) -> Any:
    """Left and right exchanged."""
    check_image("hflip", img)
    return img.transpose(pillow("Image").Transpose.FLIP_LEFT_RIGHT) if is_pil(img) else img.flip(-1)


def vflip(img: Any) -> Any:
    """Top and bottom exchanged."""
    check_image("vflip", img)
    return img.transpose(pillow("Image").Transpose.FLIP_TOP_BOTTOM) if is_pil(img) else img.flip(-2)


def erase(img: Any, i: int, j: int, h: int, w: int, v: Any, inplace: bool = False) -> Tensor:
    """A rectangle of a tensor image filled with ``v``: rows i to i + h, columns j to j + w."""
    if not isinstance(img, Tensor):
        raise TypeError(f"img should be Tensor Image. Got {type(img)}")
    out = img if inplace else img.clone()
    out[..., i : i + h, j : j + w] = v
    return out


def gaussian_blur(img: Any, kernel_size: Any, sigma: Any = None) -> Any:
    """The image smoothed by a Gaussian window, mirrored at its edges.

    Args:
        img: a Pillow image or a tensor ``(..., C, H, W)``.
        kernel_size: odd lengths of the window ``(x, y)``, or one for both.
        sigma: standard deviations ``(x, y)`` in pixels, or one for both; by default
            ``0.3 ((kernel_size - 1) / 2 - 1) + 0.8``.
    Raises:
        ValueError: an even length, or a ``sigma`` that is not positive.
    """
    check_image("gaussian_blur", img)
    sizes = [kernel_size] * 2 if isinstance(kernel_size, int) else [*kernel_size] * (3 - len(kernel_size))
    widths = [0.15 * n + 0.35 for n in sizes] if sigma is None else sigma
    widths = [float(widths)] * 2 if isinstance(widths, (int, float)) else [*widths] * (3 - len(widths))
    for n, s in zip(sizes, widths, strict=True):
        if n % 2 == 0 or n < 0:
            raise ValueError(f"kernel_size should have odd and positive integers. Got {kernel_size}")
        if s <= 0:
            raise ValueError(f"sigma should have positive values. Got {sigma}")
    x = pil_to_tensor(img) if is_pil(img) else img
    channels = dimensions(x)[0]
    values = x if x.is_floating_point() else x.to(dtypes.float32)
    flat = values.reshape(-1, channels, *x.shape[-2:])
    for axis, (n, s) in enumerate(zip(sizes, widths, strict=True)):
        places = np.linspace(-(n - 1) / 2, (n - 1) / 2, n)
        window = np.exp(-0.5 * (places / s) ** 2)
        shape = (channels, 1, 1, n) if axis == 0 else (channels, 1, n, 1)
        kernel = np.broadcast_to((window / window.sum()).astype(values._data.dtype).reshape(shape[2:]), shape)
        half = (n // 2, n // 2, 0, 0) if axis == 0 else (0, 0, n // 2, n // 2)
        flat = F.conv2d(F.pad(flat, half, mode="reflect"), Tensor(kernel.copy(), None), groups=channels)
    out = flat.reshape(*x.shape)
    out = out if x.is_floating_point() else out.round().to(x.dtype)
    return to_pil_image(out, img.mode) if is_pil(img) else out
