"""Images in torchvision's form: data sets, transforms, grids; ``import torchvision`` in drop-in mode."""

from __future__ import annotations

from ..version import RELEASE
from . import datasets, io, ops, transforms, utils

__version__ = f"0.28.0+convgrad.{RELEASE}"
__all__ = [
    "datasets",
    "disable_beta_transforms_warning",
    "get_image_backend",
    "io",
    "ops",
    "set_image_backend",
    "transforms",
    "utils",
]


def set_image_backend(backend: str) -> None:
    """Accept "PIL", the one reader of images.

    Raises:
        ValueError: another one.
    """
    if backend != "PIL":
        raise ValueError(
            f"Invalid backend '{backend}'. Options are 'PIL' (convgrad reads images with Pillow)"
        )


def get_image_backend() -> str:
    """Always "PIL"."""
    return "PIL"


def disable_beta_transforms_warning() -> None:
    """Nothing to switch off."""
