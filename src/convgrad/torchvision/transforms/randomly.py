"""Transforms with random parameters, drawn from convgrad's generator in torchvision's order.

Each has ``get_params``, which draws them alone, so that one draw can serve several images.
"""

from __future__ import annotations

import math
import numbers
import warnings
from collections.abc import Sequence
from typing import Any

from ...nn import Module
from ...random import rand, randint, randperm
from ...tensor.creation import empty, tensor
from ...tensor.tensor import Tensor
from ..images import dimensions, is_pil, pair
from . import functional as F
from .functional import InterpolationMode


def uniform(low: Any, high: Any) -> float:
    """A float32 between ``low`` and ``high``."""
    return float(empty(1).uniform_(float(low), float(high)).item())


def _happens(p: float) -> bool:
    return bool(rand(1) < p)


def _below(end: int) -> int:
    """A number from 0 to ``end``, exclusive."""
    return int(randint(0, end, (1,)).item())


def _interval(value: Any, name: str, sizes: Sequence[int] = (2,)) -> list[float]:
    """A range of angles: ``(-value, value)`` for a number, else the numbers themselves.

    Raises:
        ValueError: a negative number, or another count.
    """
    if isinstance(value, numbers.Number):
        if value < 0:  # type: ignore[operator]
            raise ValueError(f"If {name} is a single number, it must be positive.")
        return [-float(value), float(value)]  # type: ignore[arg-type]
    if not isinstance(value, Sequence) or len(value) not in sizes:
        raise ValueError(f"{name} should be a sequence of length {' or '.join(map(str, sizes))}.")
    return [float(v) for v in value]


class _Flip(Module):
    """Base of what is done to an image with a probability."""

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = p

    def forward(self, img: Any) -> Any:
        return self.done(img) if _happens(self.p) else img

    def done(self, img: Any) -> Any:
        """The image when it happens."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p={self.p})"


class RandomHorizontalFlip(_Flip):
    """Left and right exchanged with probability ``p``."""

    def done(self, img: Any) -> Any:
        return F.hflip(img)


class RandomVerticalFlip(_Flip):
    """Top and bottom exchanged with probability ``p``."""

    def done(self, img: Any) -> Any:
        return F.vflip(img)


class RandomInvert(_Flip):
    """The negative with probability ``p``."""

    def done(self, img: Any) -> Any:
        return F.invert(img)


class RandomGrayscale(_Flip):
    """Grey with probability ``p``, in as many channels as before."""

    def __init__(self, p: float = 0.1) -> None:
        super().__init__(p)

    def done(self, img: Any) -> Any:
        return F.rgb_to_grayscale(img, num_output_channels=dimensions(img)[0])


class RandomCrop(Module):
    """A part of the image at a random place.

    Args:
        size: ``(height, width)`` of the part, or one number for both.
        padding: border added first, see ``functional.pad``.
        pad_if_needed: add what an image lacks in size.
        fill, padding_mode: of the border.
    """

    def __init__(
        self,
        size: Any,
        padding: Any = None,
        pad_if_needed: bool = False,
        fill: Any = 0,
        padding_mode: str = "constant",
    ) -> None:
        super().__init__()
        self.size = pair(size)
        self.padding, self.pad_if_needed = padding, pad_if_needed
        self.fill, self.padding_mode = fill, padding_mode

    @staticmethod
    def get_params(img: Any, output_size: tuple[int, int]) -> tuple[int, int, int, int]:
        """Top, left, height and width of a random part.

        Raises:
            ValueError: the image is smaller.
        """
        _, high, wide = dimensions(img)
        height, width = output_size
        if high < height or wide < width:
            raise ValueError(
                f"Required crop size {(height, width)} is larger than input image size {(high, wide)}"
            )
        if wide == width and high == height:
            return 0, 0, high, wide
        top = _below(high - height + 1)
        return top, _below(wide - width + 1), height, width

    def forward(self, img: Any) -> Any:
        if self.padding is not None:
            img = F.pad(img, self.padding, self.fill, self.padding_mode)
        _, high, wide = dimensions(img)
        if self.pad_if_needed and wide < self.size[1]:
            img = F.pad(img, [self.size[1] - wide, 0], self.fill, self.padding_mode)
        if self.pad_if_needed and high < self.size[0]:
            img = F.pad(img, [0, self.size[0] - high], self.fill, self.padding_mode)
        return F.crop(img, *self.get_params(img, self.size))

    def __repr__(self) -> str:
        return f"{type(self).__name__}(size={self.size}, padding={self.padding})"


class RandomResizedCrop(Module):
    """A part of random size and shape at a random place, scaled to ``size``.

    Args:
        size: ``(height, width)``, or one number for both.
        scale: range of the part's share of the image's area.
        ratio: range of width over height.
        interpolation, antialias: see ``functional.resize``.
    """

    def __init__(
        self,
        size: Any,
        scale: Sequence[float] = (0.08, 1.0),
        ratio: Sequence[float] = (3.0 / 4.0, 4.0 / 3.0),
        interpolation: Any = InterpolationMode.BILINEAR,
        antialias: bool | None = True,
    ) -> None:
        super().__init__()
        self.size = pair(size)
        for name, value in (("Scale", scale), ("Ratio", ratio)):
            if not isinstance(value, Sequence):
                raise TypeError(f"{name} should be a sequence")
        if scale[0] > scale[1] or ratio[0] > ratio[1]:
            warnings.warn("Scale and ratio should be of kind (min, max)", stacklevel=2)
        self.scale, self.ratio, self.antialias = scale, ratio, antialias
        self.interpolation = InterpolationMode.of(interpolation)

    @staticmethod
    def get_params(img: Any, scale: Sequence[float], ratio: Sequence[float]) -> tuple[int, int, int, int]:
        """Top, left, height and width: ten tries, then the largest middle part that is allowed."""
        _, high, wide = dimensions(img)
        low, most = tensor([float(r) for r in ratio]).log().tolist()
        for _ in range(10):
            area = high * wide * uniform(scale[0], scale[1])
            aspect = float(empty(1).uniform_(low, most).exp().item())
            width = round(math.sqrt(area * aspect))
            height = round(math.sqrt(area / aspect))
            if 0 < width <= wide and 0 < height <= high:
                top = _below(high - height + 1)
                return top, _below(wide - width + 1), height, width
        width, height = wide, high
        if wide / high < min(ratio):
            height = round(wide / min(ratio))
        elif wide / high > max(ratio):
            width = round(high * max(ratio))
        return (high - height) // 2, (wide - width) // 2, height, width

    def forward(self, img: Any) -> Any:
        place = self.get_params(img, self.scale, self.ratio)
        return F.resized_crop(img, *place, self.size, self.interpolation, antialias=self.antialias)

    def __repr__(self) -> str:
        scale = tuple([round(s, 4) for s in self.scale])
        ratio = tuple([round(r, 4) for r in self.ratio])
        return (
            f"{type(self).__name__}(size={self.size}, scale={scale}, ratio={ratio}, "
            f"interpolation={self.interpolation.value}, antialias={self.antialias})"
        )


class RandomRotation(Module):
    """The image turned by a random angle.

    Args:
        degrees: range of the angle, or its largest size.
        interpolation, expand, center, fill: see ``functional.rotate``.
    """

    def __init__(
        self,
        degrees: Any,
        interpolation: Any = InterpolationMode.NEAREST,
        expand: bool = False,
        center: Any = None,
        fill: Any = 0,
    ) -> None:
        super().__init__()
        self.degrees = _interval(degrees, "degrees")
        self.interpolation = InterpolationMode.of(interpolation)
        self.expand, self.center, self.fill = expand, center, fill

    @staticmethod
    def get_params(degrees: Sequence[float]) -> float:
        """An angle."""
        return uniform(degrees[0], degrees[1])

    def forward(self, img: Any) -> Any:
        fill = self.fill
        if not is_pil(img):
            channels = dimensions(img)[0]
            fill = [float(fill)] * channels if isinstance(fill, (int, float)) else [float(v) for v in fill]
        angle = self.get_params(self.degrees)
        return F.rotate(img, angle, self.interpolation, self.expand, self.center, fill)

    def __repr__(self) -> str:
        text = f"degrees={self.degrees}, interpolation={self.interpolation.value}, expand={self.expand}"
        if self.center is not None:
            text += f", center={self.center}"
        return f"{type(self).__name__}({text}, fill={self.fill})"


class RandomAffine(Module):
    """The image turned, shifted, scaled and sheared at random about its middle.

    Args:
        degrees: range of the angle, or its largest size.
        translate: largest shift as shares of width and height.
        scale: range of the factor.
        shear: range of degrees along x (two numbers), along x and y (four), or the largest along x.
        interpolation, fill, center: see ``functional.affine``.
    """

    def __init__(
        self,
        degrees: Any,
        translate: Sequence[float] | None = None,
        scale: Sequence[float] | None = None,
        shear: Any = None,
        interpolation: Any = InterpolationMode.NEAREST,
        fill: Any = 0,
        center: Any = None,
    ) -> None:
        super().__init__()
        self.degrees = _interval(degrees, "degrees")
        if translate is not None and any(not 0.0 <= t <= 1.0 for t in translate):
            raise ValueError("translation values should be between 0 and 1")
        if scale is not None and any(s <= 0 for s in scale):
            raise ValueError("scale values should be positive")
        self.translate, self.scale = translate, scale
        self.shear = None if shear is None else _interval(shear, "shear", (2, 4))
        self.interpolation = InterpolationMode.of(interpolation)
        self.fill, self.center = fill, center

    @staticmethod
    def get_params(
        degrees: Sequence[float],
        translate: Sequence[float] | None,
        scale_ranges: Sequence[float] | None,
        shears: Sequence[float] | None,
        img_size: Sequence[int],
    ) -> tuple[float, tuple[int, int], float, tuple[float, float]]:
        """Angle, shift in pixels, factor and shear; ``img_size`` is width and height."""
        angle = uniform(degrees[0], degrees[1])
        shift = (0, 0)
        if translate is not None:
            most_x, most_y = float(translate[0] * img_size[0]), float(translate[1] * img_size[1])
            x = round(uniform(-most_x, most_x))
            shift = (x, round(uniform(-most_y, most_y)))
        scale = 1.0 if scale_ranges is None else uniform(scale_ranges[0], scale_ranges[1])
        slant = (0.0, 0.0)
        if shears is not None:
            x_shear = uniform(shears[0], shears[1])
            slant = (x_shear, uniform(shears[2], shears[3]) if len(shears) == 4 else 0.0)
        return angle, shift, scale, slant

    def forward(self, img: Any) -> Any:
        fill = self.fill
        channels, high, wide = dimensions(img)
        if not is_pil(img):
            fill = [float(fill)] * channels if isinstance(fill, (int, float)) else [float(v) for v in fill]
        drawn = self.get_params(self.degrees, self.translate, self.scale, self.shear, (wide, high))
        return F.affine(img, *drawn, interpolation=self.interpolation, fill=fill, center=self.center)

    def __repr__(self) -> str:
        text = f"degrees={self.degrees}"
        for name in ("translate", "scale", "shear"):
            text += f", {name}={getattr(self, name)}" if getattr(self, name) is not None else ""
        if self.interpolation is not InterpolationMode.NEAREST:
            text += f", interpolation={self.interpolation.value}"
        text += f", fill={self.fill}" if self.fill != 0 else ""
        text += f", center={self.center}" if self.center is not None else ""
        return f"{type(self).__name__}({text})"


class ColorJitter(Module):
    """Brightness, contrast, saturation and hue changed at random, in random order.

    Args:
        brightness, contrast, saturation: the factor is in ``[max(0, 1 - value), 1 + value]``, or in a range.
        hue: the shift lies in ``[-hue, hue]``, or in a range within -0.5 and 0.5.
    """

    def __init__(self, brightness: Any = 0, contrast: Any = 0, saturation: Any = 0, hue: Any = 0) -> None:
        super().__init__()
        self.brightness = self._range(brightness, "brightness")
        self.contrast = self._range(contrast, "contrast")
        self.saturation = self._range(saturation, "saturation")
        self.hue = self._range(hue, "hue", middle=0.0, bound=(-0.5, 0.5))

    @staticmethod
    def _range(
        value: Any, name: str, middle: float = 1.0, bound: tuple[float, float] = (0.0, math.inf)
    ) -> tuple[float, float] | None:
        """The range a setting stands for; None if it changes nothing."""
        if isinstance(value, numbers.Number):
            if value < 0:  # type: ignore[operator]
                raise ValueError(f"If {name} is a single number, it must be non negative.")
            low, high = middle - float(value), middle + float(value)  # type: ignore[arg-type]
            low = max(low, 0.0) if middle else low
        elif isinstance(value, (tuple, list)) and len(value) == 2:
            low, high = float(value[0]), float(value[1])
        else:
            raise TypeError(f"{name} should be a single number or a list/tuple with length 2.")
        if not bound[0] <= low <= high <= bound[1]:
            raise ValueError(f"{name} values should be between {bound}, but got {(low, high)}.")
        return None if low == high == middle else (low, high)

    @staticmethod
    def get_params(brightness: Any, contrast: Any, saturation: Any, hue: Any) -> tuple[Any, ...]:
        """The order (a permutation of 0 to 3), then the four factors, None where there is no range."""
        order = randperm(4)
        factors = [
            None if r is None else uniform(r[0], r[1]) for r in (brightness, contrast, saturation, hue)
        ]
        return order, *factors

    def forward(self, img: Any) -> Any:
        order, *factors = self.get_params(self.brightness, self.contrast, self.saturation, self.hue)
        changes = (F.adjust_brightness, F.adjust_contrast, F.adjust_saturation, F.adjust_hue)
        for place in order.tolist():
            if factors[place] is not None:
                img = changes[place](img, factors[place])
        return img

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(brightness={self.brightness}, contrast={self.contrast}, "
            f"saturation={self.saturation}, hue={self.hue})"
        )


class GaussianBlur(Module):
    """The image smoothed by a Gaussian window of random width; see ``functional.gaussian_blur``."""

    def __init__(self, kernel_size: Any, sigma: Any = (0.1, 2.0)) -> None:
        super().__init__()
        self.kernel_size = pair(kernel_size, "kernel_size")
        if any(n <= 0 or n % 2 == 0 for n in self.kernel_size):
            raise ValueError("Kernel size value should be an odd and positive number.")
        self.sigma = (float(sigma),) * 2 if isinstance(sigma, (int, float)) else tuple(sigma)
        if not 0.0 < self.sigma[0] <= self.sigma[1]:
            raise ValueError(f"sigma values should be positive and of the form (min, max). Got {self.sigma}")

    @staticmethod
    def get_params(sigma_min: float, sigma_max: float) -> float:
        """A standard deviation in pixels."""
        return uniform(sigma_min, sigma_max)

    def forward(self, img: Any) -> Any:
        sigma = self.get_params(self.sigma[0], self.sigma[1])
        return F.gaussian_blur(img, self.kernel_size, [sigma, sigma])

    def __repr__(self) -> str:
        return f"{type(self).__name__}(kernel_size={self.kernel_size}, sigma={self.sigma})"


class RandomErasing(Module):
    """A random rectangle of a tensor image filled, with probability ``p``.

    Args:
        p: probability.
        scale: range of the rectangle's share of the area.
        ratio: range of height over width.
        value: a number, one per channel, or "random" for normal noise.
        inplace: change the tensor itself.

    Source: Zhong et al., Random Erasing Data Augmentation, 2017, arXiv:1708.04896.
    """

    def __init__(
        self,
        p: float = 0.5,
        scale: Sequence[float] = (0.02, 0.33),
        ratio: Sequence[float] = (0.3, 3.3),
        value: Any = 0,
        inplace: bool = False,
    ) -> None:
        super().__init__()
        if not isinstance(value, (numbers.Number, str, tuple, list)):
            raise TypeError("Argument value should be either a number or str or a sequence")
        if isinstance(value, str) and value != "random":
            raise ValueError("If value is str, it should be 'random'")
        if scale[0] < 0 or scale[1] > 1:
            raise ValueError("Scale should be between 0 and 1")
        if p < 0 or p > 1:
            raise ValueError("Random erasing probability should be between 0 and 1")
        self.p, self.scale, self.ratio, self.value, self.inplace = p, scale, ratio, value, inplace

    @staticmethod
    def get_params(
        img: Tensor, scale: Sequence[float], ratio: Sequence[float], value: list[float] | None = None
    ) -> tuple[int, int, int, int, Any]:
        """Top, left, height, width and filling; after ten tries without room the image itself."""
        channels, high, wide = dimensions(img)
        low, most = tensor([float(r) for r in ratio]).log().tolist()
        for _ in range(10):
            area = high * wide * uniform(scale[0], scale[1])
            aspect = float(empty(1).uniform_(low, most).exp().item())
            height = round(math.sqrt(area * aspect))
            width = round(math.sqrt(area / aspect))
            if not (height < high and width < wide):
                continue
            if value is None:
                filling = empty(channels, height, width).normal_()
            else:
                filling = tensor(value)[:, None, None]
            top = _below(high - height + 1)
            return top, _below(wide - width + 1), height, width, filling
        return 0, 0, high, wide, img

    def forward(self, img: Tensor) -> Tensor:
        if not _happens(self.p):
            return img
        if isinstance(self.value, str):
            value = None
        else:
            given: Any = self.value if isinstance(self.value, (tuple, list)) else [self.value]
            value = [float(v) for v in given]
        if value is not None and len(value) not in (1, dimensions(img)[0]):
            raise ValueError(
                "If value is a sequence, it should have either a single value or "
                f"{dimensions(img)[0]} (number of input channels)"
            )
        return F.erase(img, *self.get_params(img, self.scale, self.ratio, value), self.inplace)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(p={self.p}, scale={self.scale}, ratio={self.ratio}, value={self.value}, "
            f"inplace={self.inplace})"
        )
