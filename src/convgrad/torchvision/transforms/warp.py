"""Turning, shifting, scaling and shearing images, by the inverse of the map from input to output."""

from __future__ import annotations

import math
from enum import Enum
from typing import Any

import numpy as np

from ... import dtypes
from ...nn import functional as F
from ...tensor.tensor import Tensor
from ..images import check_image, dimensions, is_pil, pillow


class InterpolationMode(Enum):
    """How values between pixels are computed."""

    NEAREST = "nearest"
    NEAREST_EXACT = "nearest-exact"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"
    BOX = "box"
    HAMMING = "hamming"
    LANCZOS = "lanczos"

    @classmethod
    def of(cls, given: Any) -> InterpolationMode:
        """A mode from itself, its name, or Pillow's number.

        Raises:
            TypeError: something else.
        """
        if isinstance(given, cls):
            return given
        if isinstance(given, int) and 0 <= given <= 5:
            return [cls.NEAREST, cls.LANCZOS, cls.BILINEAR, cls.BICUBIC, cls.BOX, cls.HAMMING][int(given)]
        raise TypeError(
            "Argument interpolation should be a InterpolationMode or a corresponding Pillow integer constant,"
            f" but got {given!r}"
        )

    @classmethod
    def of_tensors(cls) -> tuple[InterpolationMode, ...]:
        """The modes that tensors know."""
        return cls.NEAREST, cls.NEAREST_EXACT, cls.BILINEAR, cls.BICUBIC

    def pil(self) -> Any:
        """Pillow's constant."""
        name = "NEAREST" if self is InterpolationMode.NEAREST_EXACT else self.name
        return pillow("Image").Resampling[name]


def inverse_matrix(
    center: tuple[float, float],
    angle: float,
    translate: tuple[float, float],
    scale: float,
    shear: tuple[float, float],
) -> list[float]:
    """The map from places of the output to places of the input, ``[a, b, c, d, e, f]`` by rows.

    Forward, a place is taken relative to the centre, sheared along y and x, turned, scaled, and moved by the
    centre and the shift; the linear part is ``[[cos(t - sy), ...], [sin(t - sy), ...]] / cos(sy)`` with the
    shear along x in its second column.

    Args:
        center: place that stays, in pixels from the corner.
        angle: degrees, clockwise on a picture whose rows go down.
        translate: shift in pixels.
        scale: factor of lengths.
        shear: degrees along x and y.
    Example:
        >>> [round(v, 6) + 0.0 for v in inverse_matrix((0, 0), 90, (0, 0), 2.0, (0, 0))]
        [0.0, 0.5, 0.0, -0.5, 0.0, 0.0]
    """
    turn, sx, sy = math.radians(angle), math.radians(shear[0]), math.radians(shear[1])
    a = math.cos(turn - sy) / math.cos(sy)
    b = -math.cos(turn - sy) * math.tan(sx) / math.cos(sy) - math.sin(turn)
    c = math.sin(turn - sy) / math.cos(sy)
    d = -math.sin(turn - sy) * math.tan(sx) / math.cos(sy) + math.cos(turn)
    rows = [
        [d / scale, -b / scale],
        [-c / scale, a / scale],
    ]  # the inverse of [[a, b], [c, d]], whose det is 1
    (cx, cy), (tx, ty) = center, translate
    out: list[float] = []
    for (p, q), middle in zip(rows, (cx, cy), strict=True):
        out += [p, q, middle - p * (cx + tx) - q * (cy + ty)]
    return out


def _sample(
    img: Tensor, matrix: list[float], mode: InterpolationMode, size: tuple[int, int], fill: Any
) -> Tensor:
    """A tensor image at the places of a map whose origin is the middle of both images."""
    if mode not in (InterpolationMode.NEAREST, InterpolationMode.BILINEAR):
        raise ValueError(f"This operation supports 'nearest' and 'bilinear' on tensors, got {mode.value!r}")
    _, high, wide = dimensions(img)
    y, x = np.meshgrid(
        np.arange(size[0]) - size[0] / 2 + 0.5, np.arange(size[1]) - size[1] / 2 + 0.5, indexing="ij"
    )
    a, b, c, d, e, f = matrix
    places = np.stack([(a * x + b * y + c) * 2 / wide, (d * x + e * y + f) * 2 / high], -1)
    values = img if img.is_floating_point() else img.to(dtypes.float32)
    flat = values.reshape(-1, *values.shape[-3:]) if img.ndim > 2 else values[None, None]
    grid = Tensor(
        np.broadcast_to(places.astype(flat._data.dtype), (flat.shape[0], *places.shape)).copy(), None
    )
    if fill is not None:
        flat = F.pad(flat, (0, 0, 0, 0, 0, 1), value=1.0)  # a channel of ones says what came from the image
    out = F.grid_sample(flat, grid, mode=mode.value, padding_mode="zeros", align_corners=False)
    if fill is not None:
        inside, out = out[:, -1:], out[:, :-1]
        colour = Tensor(np.asarray(fill, flat._data.dtype).reshape(1, -1, 1, 1), None)
        if mode is InterpolationMode.NEAREST:
            inside = (inside >= 0.5).to(inside.dtype)
        out = out * inside + colour * (1.0 - inside)
    out = out.reshape(*img.shape[:-2], *size)
    return out if img.is_floating_point() else out.round().to(img.dtype)


def _fill_of(img: Any, fill: Any) -> Any:
    """Pillow's form of a fill colour: one number per channel."""
    channels = len(img.getbands())
    if fill is None:
        fill = 0
    if isinstance(fill, (int, float)) and channels > 1:
        fill = (fill,) * channels
    if isinstance(fill, (list, tuple)):
        if len(fill) not in (1, channels):
            raise ValueError(
                "The number of elements in 'fill' does not match the number of channels of the image "
                f"({len(fill)} != {channels})"
            )
        fill = tuple([int(v) for v in fill]) * (channels if len(fill) == 1 else 1)
        fill = fill[0] if channels == 1 else fill
    return int(fill) if isinstance(fill, float) and img.mode not in ("F",) else fill


def rotate(
    img: Any,
    angle: float,
    interpolation: Any = InterpolationMode.NEAREST,
    expand: bool = False,
    center: Any = None,
    fill: Any = None,
) -> Any:
    """The image turned counter-clockwise.

    Args:
        img: a Pillow image or a tensor ``(..., C, H, W)``.
        angle: degrees.
        interpolation: "nearest" or "bilinear" (Pillow knows "bicubic", too).
        expand: make the result large enough for the whole image.
        center: ``(x, y)`` in pixels from the top left corner; the middle by default.
        fill: the colour outside; black by default.
    """
    check_image("rotate", img)
    mode = InterpolationMode.of(interpolation)
    if not isinstance(angle, (int, float)):
        raise TypeError("Argument angle should be int or float")
    if center is not None and not isinstance(center, (list, tuple)):
        raise TypeError("Argument center should be a sequence")
    if is_pil(img):
        return img.rotate(angle, mode.pil(), expand, center, fillcolor=_fill_of(img, fill))
    _, high, wide = dimensions(img)
    middle = (0.0, 0.0) if center is None else (center[0] - wide * 0.5, center[1] - high * 0.5)
    matrix = inverse_matrix(middle, -angle, (0.0, 0.0), 1.0, (0.0, 0.0))
    size = _expanded(matrix, high, wide) if expand else (high, wide)
    return _sample(img, matrix, mode, size, fill)


def _expanded(matrix: list[float], high: int, wide: int) -> tuple[int, int]:
    """The size that holds all corners of a turned image."""
    x = np.array([-0.5 * wide, -0.5 * wide, 0.5 * wide, 0.5 * wide])
    y = np.array([-0.5 * high, 0.5 * high, 0.5 * high, -0.5 * high])
    a, b, _, d, e, _ = matrix
    # corners of the input, where the inverse of a rotation (its transpose) takes them, on half pixels
    across = np.trunc((a * x + d * y) / 1e-4) * 1e-4 + wide * 0.5
    down = np.trunc((b * x + e * y) / 1e-4) * 1e-4 + high * 0.5
    return (
        int(math.ceil(down.max()) - math.floor(down.min())),
        int(math.ceil(across.max()) - math.floor(across.min())),
    )


def affine(
    img: Any,
    angle: float,
    translate: Any,
    scale: float,
    shear: Any,
    interpolation: Any = InterpolationMode.NEAREST,
    fill: Any = None,
    center: Any = None,
) -> Any:
    """The image turned clockwise, shifted, scaled and sheared about its middle.

    Args:
        img: a Pillow image or a tensor ``(..., C, H, W)``.
        angle: degrees.
        translate: ``(x, y)`` in pixels.
        scale: factor, positive.
        shear: degrees along x, or along x and y.
        interpolation: "nearest" or "bilinear" (Pillow knows "bicubic", too).
        fill: the colour outside; black by default.
        center: ``(x, y)`` in pixels from the top left corner; the middle by default.
    Raises:
        TypeError, ValueError: arguments of other kinds.
    """
    check_image("affine", img)
    mode = InterpolationMode.of(interpolation)
    if not isinstance(angle, (int, float)):
        raise TypeError("Argument angle should be int or float")
    if not isinstance(translate, (list, tuple)) or len(translate) != 2:
        raise ValueError("translate should be a sequence of length 2")
    if scale <= 0.0:
        raise ValueError("Argument scale should be positive")
    slant = (float(shear), 0.0) if isinstance(shear, (int, float)) else tuple([float(v) for v in shear])
    slant = (slant[0], slant[1] if len(slant) > 1 else 0.0)
    shift = (float(translate[0]), float(translate[1]))
    _, high, wide = dimensions(img)
    if is_pil(img):
        middle = (wide * 0.5, high * 0.5) if center is None else tuple(center)
        matrix = inverse_matrix(middle, angle, shift, scale, slant)
        affine_kind = pillow("Image").Transform.AFFINE
        return img.transform((wide, high), affine_kind, matrix, mode.pil(), fillcolor=_fill_of(img, fill))
    middle = (0.0, 0.0) if center is None else (center[0] - wide * 0.5, center[1] - high * 0.5)
    return _sample(img, inverse_matrix(middle, angle, shift, scale, slant), mode, (high, wide), fill)
