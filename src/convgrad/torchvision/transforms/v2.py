"""``torchvision.transforms.v2``: the transforms under their newer names, for images and what comes with them.

A transform takes an image, or several values (image and label, as a data set gives them) of which images are
transformed and the others passed on. Boxes and masks (``tv_tensors``) are not there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ... import dtypes
from ...nn import Module
from ...random import rand
from ...tensor.tensor import Tensor
from ..images import is_pil
from . import functional
from . import functional as F
from . import transforms as first
from .functional import InterpolationMode

__all__ = [
    "CenterCrop", "ColorJitter", "Compose", "ConvertImageDtype", "FiveCrop", "GaussianBlur", "Grayscale",
    "Identity", "InterpolationMode", "Lambda", "Normalize", "PILToTensor", "Pad", "RandomAffine",
    "RandomApply", "RandomChoice", "RandomCrop", "RandomErasing", "RandomGrayscale",
    "RandomHorizontalFlip", "RandomInvert", "RandomOrder", "RandomResizedCrop", "RandomRotation",
    "RandomVerticalFlip", "Resize", "ToDtype", "ToImage", "ToPILImage", "ToPureTensor", "ToTensor",
    "Transform", "functional",
]  # fmt: skip


def _is_image(value: Any) -> bool:
    return is_pil(value) or (isinstance(value, Tensor) and value.ndim >= 2)


def _each(value: Any, change: Callable[[Any], Any], chosen: Callable[[Any], bool]) -> Any:
    """A nested value with those of its parts changed that are chosen."""
    if chosen(value):
        return change(value)
    if isinstance(value, dict):
        return {key: _each(part, change, chosen) for key, part in value.items()}
    if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
        return type(value)([_each(part, change, chosen) for part in value])
    return value


def _joined(inputs: tuple[Any, ...], change: Callable[[Any], Any], chosen: Callable[[Any], bool]) -> Any:
    whole = inputs if len(inputs) > 1 else inputs[0]
    return _each(whole, change, chosen)


class Transform(Module):
    """Base of transforms; users' own define ``transform(inpt, params)``, called for each image."""

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """What is drawn once for all images of a call."""
        return {}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """One image transformed."""
        raise NotImplementedError

    def forward(self, *inputs: Any) -> Any:
        """The images among the inputs transformed, all else as it is."""
        images: list[Any] = []
        _joined(inputs, images.append, _is_image)
        params = self.make_params(images)
        return _joined(inputs, lambda image: self.transform(image, params), _is_image)


def _of(old: Any) -> Any:
    """The newer form of a transform: it takes an image, or an image among other values."""

    def forward(self: Any, *inputs: Any) -> Any:
        images: list[Any] = []
        _joined(inputs, images.append, _is_image)
        if len(images) > 1:
            raise NotImplementedError(
                f"transforms.v2.{type(self).__name__} takes one image in a call (several would each "
                f"draw numbers of their own), but got {len(images)}; stack them as (N, C, H, W)"
            )
        return _joined(inputs, lambda image: old.forward(self, image), _is_image)

    return type(old.__name__, (old,), {"forward": forward, "__module__": __name__, "__doc__": old.__doc__})


CenterCrop, Grayscale, Resize = _of(first.CenterCrop), _of(first.Grayscale), _of(first.Resize)
Normalize, Pad, FiveCrop = _of(first.Normalize), _of(first.Pad), _of(first.FiveCrop)
ColorJitter, GaussianBlur = _of(first.ColorJitter), _of(first.GaussianBlur)
ConvertImageDtype, RandomAffine = _of(first.ConvertImageDtype), _of(first.RandomAffine)
RandomCrop, RandomErasing = _of(first.RandomCrop), _of(first.RandomErasing)
RandomGrayscale, RandomInvert = _of(first.RandomGrayscale), _of(first.RandomInvert)
RandomHorizontalFlip, RandomVerticalFlip = _of(first.RandomHorizontalFlip), _of(first.RandomVerticalFlip)
RandomResizedCrop, RandomRotation = _of(first.RandomResizedCrop), _of(first.RandomRotation)


class Compose(Transform):
    """Several transforms, one after another.

    Example:
        >>> Compose([ToImage(), ToDtype(torch.float32, scale=True)])(np.full((2, 2, 3), 255, np.uint8)).max()
        tensor(1.)
    """

    def __init__(self, transforms: Sequence[Callable[..., Any]]) -> None:
        super().__init__()
        if not isinstance(transforms, Sequence):
            raise TypeError("Argument transforms should be a sequence of callables")
        if not transforms:
            raise ValueError("Pass at least one transform")
        self.transforms = transforms

    def forward(self, *inputs: Any) -> Any:
        for transform in self.transforms:
            outputs = transform(*inputs)
            inputs = outputs if len(inputs) > 1 else (outputs,)
        return outputs

    def extra_repr(self) -> str:
        return "\n".join([f"    {t}" for t in self.transforms])


class ToImage(Module):
    """A Pillow image or an array ``(H, W, C)`` as a tensor ``(C, H, W)`` with the values it has."""

    def forward(self, *inputs: Any) -> Any:
        return _joined(inputs, _to_image, lambda v: is_pil(v) or isinstance(v, np.ndarray) or _is_image(v))


def _to_image(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value
    if is_pil(value):
        return F.pil_to_tensor(value)
    array = value[:, :, None] if value.ndim == 2 else value
    if array.ndim != 3:
        raise ValueError(f"ToImage: an array should be 2/3 dimensional, but got shape {list(value.shape)}")
    return Tensor(np.ascontiguousarray(array.transpose(2, 0, 1)), None)


class ToDtype(Module):
    """Images in another dtype.

    Args:
        dtype: a dtype, or a dictionary from classes to dtypes.
        scale: whether values are scaled to the dtype's range, 255 to 1.0.
    """

    def __init__(self, dtype: Any, scale: bool = False) -> None:
        super().__init__()
        if isinstance(dtype, dict):
            dtype = dtype.get(Tensor, dtype.get("others"))
        if not isinstance(dtype, dtypes.dtype):
            raise ValueError(f"dtype must be a dict or a torch.dtype, got {type(dtype)} instead")
        self.dtype, self.scale = dtype, scale

    def forward(self, *inputs: Any) -> Any:
        def change(image: Any) -> Any:
            return F.convert_image_dtype(image, self.dtype) if self.scale else image.to(self.dtype)

        return _joined(inputs, change, lambda value: isinstance(value, Tensor) and value.ndim >= 2)

    def extra_repr(self) -> str:
        return f"scale={self.scale}"


class ToTensor(Module):
    """A Pillow image or an array ``(H, W, C)`` as a tensor ``(C, H, W)``, 8-bit values in [0, 1]."""

    def forward(self, *inputs: Any) -> Any:
        return _joined(inputs, F.to_tensor, lambda value: is_pil(value) or isinstance(value, np.ndarray))


class PILToTensor(Module):
    """Pillow images as tensors ``(C, H, W)`` with the values they have."""

    def forward(self, *inputs: Any) -> Any:
        return _joined(inputs, F.pil_to_tensor, is_pil)


class ToPILImage(Module):
    """Tensors ``(C, H, W)`` or arrays ``(H, W, C)`` as Pillow images."""

    def __init__(self, mode: str | None = None) -> None:
        super().__init__()
        self.mode = mode

    def forward(self, *inputs: Any) -> Any:
        def change(image: Any) -> Any:
            return F.to_pil_image(image, self.mode)

        return _joined(inputs, change, lambda value: isinstance(value, np.ndarray) or _is_image(value))


class Identity(Module):
    """What it gets."""

    def forward(self, *inputs: Any) -> Any:
        return inputs if len(inputs) > 1 else inputs[0]


class ToPureTensor(Identity):
    """Nothing to do: images are tensors here."""


class Lambda(Module):
    """A function of one's own, applied to every value of the given types."""

    def __init__(self, lambd: Callable[[Any], Any], *types: type) -> None:
        super().__init__()
        self.lambd, self.types = lambd, types or (object,)

    def forward(self, *inputs: Any) -> Any:
        def chosen(value: Any) -> bool:
            return isinstance(value, self.types) and not isinstance(value, (list, tuple, dict))

        return _joined(inputs, self.lambd, chosen)


class RandomApply(Module):
    """All of the transforms with probability ``p``, or none."""

    def __init__(self, transforms: Sequence[Callable[..., Any]], p: float = 0.5) -> None:
        super().__init__()
        self.transforms, self.p = transforms, p

    def forward(self, *inputs: Any) -> Any:
        if bool(rand(1) >= self.p):
            return inputs if len(inputs) > 1 else inputs[0]
        return Compose(self.transforms)(*inputs)


RandomChoice, RandomOrder = first.RandomChoice, first.RandomOrder
