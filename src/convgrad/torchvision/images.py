"""What all of torchvision's parts ask about images: Pillow, when it is needed, and sizes."""

from __future__ import annotations

import numbers
import sys
from collections.abc import Sequence
from typing import Any

from ..errors import optional
from ..tensor.tensor import Tensor


def pillow(part: str) -> Any:
    """A module of Pillow.

    Args:
        part: ``"Image"``, ``"ImageOps"`` or ``"ImageEnhance"``.
    Raises:
        MissingExtraError: Pillow is not installed; the message says how to get it.
    """
    return optional(f"PIL.{part}", extra="data")


def is_pil(image: Any) -> bool:
    """Whether an object is one of Pillow's images; Pillow is not imported by this question."""
    module = sys.modules.get("PIL.Image")
    return module is not None and isinstance(image, module.Image)


def check_image(function: str, image: Any) -> None:
    """Raise unless ``image`` is a Pillow image or a tensor of at least two dimensions.

    Raises:
        TypeError: something else.
    """
    if is_pil(image):
        return
    if not isinstance(image, Tensor):
        raise TypeError(f"{function}: img should be PIL Image or Tensor. Got {type(image)}")
    if image.ndim < 2:
        raise TypeError(
            f"Tensor is not a torch image. ({function} got shape {list(image.shape)}, wants (..., H, W))"
        )


def dimensions(image: Any) -> tuple[int, int, int]:
    """Channels, height and width of an image.

    Example:
        >>> dimensions(torch.zeros(3, 4, 5))
        (3, 4, 5)
    """
    if is_pil(image):
        return len(image.getbands()), image.height, image.width
    check_image("get_dimensions", image)
    return (1 if image.ndim == 2 else image.shape[-3]), image.shape[-2], image.shape[-1]


def pair(size: Any, name: str = "size") -> tuple[int, int]:
    """Height and width from one number, a sequence of one, or of two.

    Raises:
        ValueError: more than two.
    """
    if isinstance(size, numbers.Number):
        return int(size), int(size)  # type: ignore[call-overload]
    if not isinstance(size, Sequence) or len(size) not in (1, 2):
        raise ValueError(f"Please provide only two dimensions (h, w) for {name}. (got {size!r})")
    return int(size[0]), int(size[-1])
