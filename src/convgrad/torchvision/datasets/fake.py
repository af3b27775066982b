"""Images of noise, to try a program without data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...random import fork_rng, manual_seed, randint, randn
from ..transforms.functional import to_pil_image
from .vision import VisionDataset


class FakeData(VisionDataset):
    """Random images with random labels, the same for the same index.

    Args:
        size: number of images.
        image_size: channels, height and width.
        num_classes: labels lie below it.
        transform: of the Pillow image.
        target_transform: of the label, an int.
        random_offset: added to the index for the seed.
    """

    def __init__(
        self,
        size: int = 1000,
        image_size: tuple[int, int, int] = (3, 224, 224),
        num_classes: int = 10,
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
        random_offset: int = 0,
    ) -> None:
        super().__init__(transform=transform, target_transform=target_transform)
        self.size, self.image_size, self.num_classes = size, image_size, num_classes
        self.random_offset = random_offset

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        if index >= len(self):
            raise IndexError(f"{type(self).__name__} index out of range")
        with fork_rng():
            manual_seed(index + self.random_offset)
            image = randn(*self.image_size)
            label = int(randint(0, self.num_classes, (1,)).item())
        return self.transformed(to_pil_image(image), label)
