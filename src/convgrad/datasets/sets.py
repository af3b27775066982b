"""Images as a ``Dataset``: the packaged digits, MNIST and Fashion-MNIST."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..kernels import table
from ..tensor.tensor import Tensor
from ..utils.data import Dataset
from .files import PathName
from .mnist import download as fetch
from .mnist import load_digits, load_mnist


class ImageSet(Dataset[tuple[Any, Any]]):
    """Grey images with labels.

    ``data`` is uint8 ``(N, H, W)``, ``targets`` int64 ``(N,)``; an item is ``(image, label)`` with the
    image float32 ``(1, H, W)`` in [0, 1] and the label an int, each through its transform if there is one.

    Example:
        >>> image, label = Digits(train=False)[0]
        >>> image.shape, label
        (torch.Size([1, 28, 28]), 7)
    """

    def __init__(
        self,
        images: Any,
        labels: Any,
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
    ) -> None:
        self.data = Tensor(np.ascontiguousarray(images), None)
        self.targets = Tensor(np.asarray(labels, np.int64), None)
        self.transform = transform
        self.target_transform = target_transform

    def __len__(self) -> int:
        return int(self.targets._data.shape[0])

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        image: Any = Tensor(self.data._data[index][None].astype(np.float32) / np.float32(255), None)
        label: Any = int(self.targets._data[index])
        if self.transform is not None:
            image = self.transform(image)
        if self.target_transform is not None:
            label = self.target_transform(label)
        return image, label

    def tensors(self) -> tuple[Tensor, Tensor]:
        """All at once: images float32 ``(N, 1, H, W)`` in [0, 1], and labels int64 ``(N,)``."""
        levels = np.arange(256, dtype=np.float32)[None] / np.float32(255)
        return Tensor(table.lookup(self.data._data[:, None], levels), None), self.targets


class Digits(ImageSet):
    """The digits that come with the package: the first 5,000 training and 1,000 test images of MNIST."""

    def __init__(self, train: bool = True, transform: Any = None, target_transform: Any = None) -> None:
        super().__init__(*load_digits(train), transform, target_transform)


class MNIST(ImageSet):
    """Handwritten digits from IDX files in ``root`` (plain or .gz), downloaded there if asked for.

    Raises:
        FileNotFoundError: the files are not there; the message says which, and how to get them.
    """

    kind = "mnist"

    def __init__(
        self, root: PathName, train: bool = True, transform: Any = None, target_transform: Any = None,
        download: bool = False,
    ) -> None:  # fmt: skip
        if download:
            fetch(root, self.kind)
        super().__init__(*load_mnist(root, self.kind, train), transform, target_transform)


class FashionMNIST(MNIST):
    """Pictures of clothing, in the form of MNIST."""

    kind = "fashion-mnist"
    classes = (
        "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag",
        "Ankle boot",
    )  # fmt: skip
