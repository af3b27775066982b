"""Colours of images: brightness, contrast, saturation, hue, grey.

Pillow images are given to Pillow; tensors ``(..., 3 or 1, H, W)`` are mixed by the same formulas in floats.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import dtypes
from ...dtypes import Array
from ...tensor.tensor import Tensor
from ..images import check_image, dimensions, is_pil, pillow

_GREY = (0.2989, 0.587, 0.114)  # of red, green and blue: luma of ITU-R BT.601


def _check_channels(img: Any, permitted: tuple[int, ...]) -> int:
    channels = dimensions(img)[0]
    if channels not in permitted:
        raise TypeError(
            f"Input image tensor permitted channel values are {list(permitted)}, but found {channels}"
        )
    return channels


def _most(img: Tensor) -> float:
    """The value of white."""
    return 1.0 if img.is_floating_point() else float(np.iinfo(img._data.dtype).max)


def _blend(img: Tensor, other: Any, ratio: float) -> Tensor:
    """``ratio img + (1 - ratio) other``, kept between black and white."""
    return (ratio * img + (1.0 - ratio) * other).clamp(0, _most(img)).to(img.dtype)


def _grey(img: Tensor) -> Tensor:
    """One channel of grey, in the image's dtype."""
    if dimensions(img)[0] == 1:
        return img.clone()
    r, g, b = img.unbind(-3)
    return (_GREY[0] * r + _GREY[1] * g + _GREY[2] * b).to(img.dtype).unsqueeze(-3)


def _enhanced(img: Any, name: str, factor: float) -> Any:
    return getattr(pillow("ImageEnhance"), name)(img).enhance(factor)


def _check_factor(name: str, factor: float) -> None:
    if factor < 0:
        raise ValueError(f"{name} ({factor}) is not non-negative.")


def adjust_brightness(img: Any, brightness_factor: float) -> Any:
    """The image brighter or darker: 0 is black, 1 the image, 2 twice as bright."""
    check_image("adjust_brightness", img)
    if is_pil(img):
        return _enhanced(img, "Brightness", brightness_factor)
    _check_factor("brightness_factor", brightness_factor)
    _check_channels(img, (1, 3))
    return _blend(img, 0.0, brightness_factor)


def adjust_contrast(img: Any, contrast_factor: float) -> Any:
    """The image with more or less contrast: 0 is its mean grey, 1 the image."""
    check_image("adjust_contrast", img)
    if is_pil(img):
        return _enhanced(img, "Contrast", contrast_factor)
    _check_factor("contrast_factor", contrast_factor)
    _check_channels(img, (1, 3))
    kind = img.dtype if img.is_floating_point() else dtypes.float32
    return _blend(img, _grey(img).to(kind).mean((-3, -2, -1), keepdim=True), contrast_factor)


def adjust_saturation(img: Any, saturation_factor: float) -> Any:
    """The image with more or less colour: 0 is grey, 1 the image."""
    check_image("adjust_saturation", img)
    if is_pil(img):
        return _enhanced(img, "Color", saturation_factor)
    _check_factor("saturation_factor", saturation_factor)
    return img if _check_channels(img, (1, 3)) == 1 else _blend(img, _grey(img), saturation_factor)


def adjust_gamma(img: Any, gamma: float, gain: float = 1) -> Any:
    """``gain * img ** gamma`` of values in [0, 1]."""
    check_image("adjust_gamma", img)
    if gamma < 0:
        raise ValueError("Gamma should be a non-negative real number")
    if is_pil(img):
        mode = img.mode
        table = [int((255 + 1 - 1e-3) * gain * pow(value / 255.0, gamma)) for value in range(256)] * 3
        return img.convert("RGB").point(table).convert(mode)
    values = img if img.is_floating_point() else img.to(dtypes.float32) / _most(img)
    out = (gain * values**gamma).clamp(0, 1)
    return out if img.is_floating_point() else (out * (_most(img) + 1.0 - 1e-3)).to(img.dtype)


def invert(img: Any) -> Any:
    """The negative of the image."""
    check_image("invert", img)
    return (
        pillow("ImageOps").invert(img)
        if is_pil(img)
        else _most(img) - img
        if img.is_floating_point()
        else ~img
    )


def adjust_hue(img: Any, hue_factor: float) -> Any:
    """The image with its colours turned on the colour circle.

    Args:
        img: a Pillow image or a tensor ``(..., 3 or 1, H, W)``.
        hue_factor: turns, -0.5 to 0.5; 0 is the image.
    Raises:
        ValueError: another factor.

    Source: HSV after Smith, Color gamut transform pairs, SIGGRAPH 1978.
    """
    if not -0.5 <= hue_factor <= 0.5:
        raise ValueError(f"hue_factor ({hue_factor}) is not in [-0.5, 0.5].")
    check_image("adjust_hue", img)
    if is_pil(img):
        if img.mode in ("L", "1", "I", "F"):
            return img
        hue, saturation, value = img.convert("HSV").split()
        turned = (np.asarray(hue, np.int64) + int(hue_factor * 255)) % 256
        hue = pillow("Image").fromarray(turned.astype(np.uint8))
        return pillow("Image").merge("HSV", (hue, saturation, value)).convert(img.mode)
    if _check_channels(img, (1, 3)) == 1:
        return img
    most = _most(img)
    array = img.numpy(force=True)
    values = array if img.is_floating_point() else array.astype(np.float32) / np.float32(most)
    h, s, v = _hsv(values)
    out = _rgb((h + hue_factor) % 1.0, s, v).astype(values.dtype)
    if img.is_floating_point():
        return Tensor(out, None)
    return Tensor((out * (most + 1.0 - 1e-3)).astype(array.dtype), None)


def _hsv(rgb: Array) -> tuple[Array, Array, Array]:
    """Hue in turns, saturation and value of (..., 3, H, W)."""
    r, g, b = np.moveaxis(rgb, -3, 0)
    high, low = rgb.max(-3), rgb.min(-3)
    spread = high - low
    safe = np.where(spread == 0, 1, spread)
    hue = np.where(high == r, (g - b) / safe, np.where(high == g, 2 + (b - r) / safe, 4 + (r - g) / safe))
    hue = np.where(spread == 0, 0, hue) / 6 % 1.0
    return hue, spread / np.where(high == 0, 1, high), high


def _rgb(hue: Array, saturation: Array, value: Array) -> Array:
    """(..., 3, H, W) from hue in turns, saturation and value: each colour falls off with its angle to it."""
    channels = []
    for offset in (5, 3, 1):
        k = (offset + hue * 6) % 6
        channels.append(value - value * saturation * np.clip(np.minimum(k, 4 - k), 0, 1))
    return np.stack(channels, -3)


def to_grayscale(img: Any, num_output_channels: int = 1) -> Any:
    """A Pillow image in grey, as one channel or as three equal ones.

    Raises:
        TypeError: no Pillow image.
        ValueError: another number of channels.
    """
    if not is_pil(img):
        raise TypeError(f"Input should be PIL Image, but got {type(img)}")
    if num_output_channels not in (1, 3):
        raise ValueError("num_output_channels should be either 1 or 3")
    grey = img.convert("L")
    return grey if num_output_channels == 1 else pillow("Image").merge("RGB", (grey, grey, grey))


def rgb_to_grayscale(img: Any, num_output_channels: int = 1) -> Any:
    """An image in grey, as one channel or as three equal ones.

    Raises:
        ValueError: another number of channels.
    """
    check_image("rgb_to_grayscale", img)
    if is_pil(img):
        return to_grayscale(img, num_output_channels)
    if num_output_channels not in (1, 3):
        raise ValueError("num_output_channels should be either 1 or 3")
    _check_channels(img, (1, 3))
    grey = _grey(img)
    return grey.expand(img.shape[:-3] + (3,) + img.shape[-2:]) if num_output_channels == 3 else grey
