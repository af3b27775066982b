"""Transforms of images, to be composed: of Pillow images, of tensors ``(..., C, H, W)``, of one to the other.

Random ones draw from convgrad's generator, in the order that torchvision's documentation gives.
"""

from __future__ import annotations

from . import functional, transforms, v2
from .functional import InterpolationMode
from .transforms import *  # noqa: F403 - the list of classes stands once, in transforms

__all__ = ["InterpolationMode", "functional", "v2"]
__all__ += transforms.__all__
