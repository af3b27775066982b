"""``torchvision.utils``: many images as one, and into a file."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..errors import ShapeError
from ..tensor.functions_shape import cat, stack
from ..tensor.tensor import Tensor
from .images import pillow

__all__ = ["make_grid", "save_image"]


def make_grid(
    tensor: Any,
    nrow: int = 8,
    padding: int = 2,
    normalize: bool = False,
    value_range: tuple[float, float] | None = None,
    scale_each: bool = False,
    pad_value: float = 0.0,
) -> Tensor:
    """Images side by side.

    Args:
        tensor: ``(N, C, H, W)``, ``(C, H, W)``, ``(H, W)``, or a list of equally large ``(C, H, W)``; one
            channel is shown as three.
        nrow: images in a row.
        padding: pixels between images and at the edge.
        normalize: shift and scale to [0, 1], by the smallest and largest value or ``value_range``.
        value_range: what becomes 0 and 1.
        scale_each: normalise each image by itself.
        pad_value: colour of the padding.
    Returns:
        ``(3, H', W')``, or the image itself where there is only one.
    Raises:
        TypeError: no tensors, or a ``value_range`` that is no tuple.
        ShapeError: more than four dimensions.
    Example:
        >>> make_grid(torch.zeros(6, 1, 5, 5), nrow=3).shape
        torch.Size([3, 16, 23])
    """
    if isinstance(tensor, (list, tuple)) and all([isinstance(t, Tensor) for t in tensor]):
        tensor = stack(tensor, dim=0)
    elif not isinstance(tensor, Tensor):
        raise TypeError(f"tensor or list of tensors expected, got {type(tensor)}")
    if not 2 <= tensor.ndim <= 4:
        raise ShapeError(
            f"make_grid: expected (N, C, H, W), (C, H, W) or (H, W), but got {list(tensor.shape)}"
        )
    while tensor.ndim < 4:
        tensor = tensor.unsqueeze(0)
    if tensor.shape[1] == 1:
        tensor = cat((tensor, tensor, tensor), 1)
    if normalize:
        if value_range is not None and not isinstance(value_range, tuple):
            raise TypeError("value_range has to be a tuple (min, max) if specified. min and max are numbers")
        tensor = tensor.clone()
        for image in tensor if scale_each else [tensor]:
            low, high = value_range or (float(image.min()), float(image.max()))
            image.clamp_(min=low, max=high).sub_(low).div_(max(high - low, 1e-5))
    count, channels = tensor.shape[:2]
    if count == 1:
        return tensor.squeeze(0)
    columns = min(nrow, count)
    rows = math.ceil(count / columns)
    high, wide = tensor.shape[2] + padding, tensor.shape[3] + padding
    grid = tensor.new_full((channels, high * rows + padding, wide * columns + padding), pad_value)
    for place in range(count):
        top, left = place // columns * high + padding, place % columns * wide + padding
        grid[:, top : top + high - padding, left : left + wide - padding] = tensor[place]
    return grid


def save_image(tensor: Any, fp: Any, format: str | None = None, **options: Any) -> None:
    """Write an image, or the grid of several, whose values lie in [0, 1].

    Args:
        tensor: as for ``make_grid``.
        fp: name of the file, or a file.
        format: of the file; by default what its name ends in.
        options: for ``make_grid``.
    Raises:
        MissingExtraError: Pillow is not installed.
    """
    grid = make_grid(tensor, **options).detach().numpy(force=True)
    pixels = np.clip(grid.astype(np.float32) * 255 + 0.5, 0, 255).astype(np.uint8).transpose(1, 2, 0)
    pillow("Image").fromarray(np.ascontiguousarray(pixels)).save(fp, format=format)
