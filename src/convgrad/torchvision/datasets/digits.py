"""MNIST and Fashion-MNIST."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ...datasets import download as fetch
from ...datasets import load_mnist
from ...datasets.mnist import CLASSES
from ...tensor.tensor import Tensor
from ..images import pillow
from .vision import VisionDataset, places


class MNIST(VisionDataset):
    """Handwritten digits, 28 x 28 pixels in grey.

    The IDX files, gzipped or not, are looked for in ``root/MNIST/raw``, ``root/mnist``, ``root`` and in the
    folder that the environment variable ``CONVGRAD_DATA`` names.

    Args:
        root: the folder for data sets.
        train: the 60,000 training images; False: the 10,000 test images.
        transform: of the Pillow image.
        target_transform: of the label, an int.
        download: fetch the files into ``root/MNIST/raw`` if they are nowhere to be found.
    Raises:
        RuntimeError: there are no files; the message says where they were looked for.

    Attributes:
        data: uint8 ``(N, 28, 28)``.
        targets: int64 ``(N,)``.
        classes: what the labels mean.
    """

    kind = "mnist"
    classes: ClassVar[list[str]] = [
        f"{digit} - {word}"
        for digit, word in enumerate("zero one two three four five six seven eight nine".split())
    ]

    def __init__(
        self,
        root: str | os.PathLike[str],
        train: bool = True,
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
        download: bool = False,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.train = train
        images, labels = self._load(download)
        self.data, self.targets = Tensor(images, None), Tensor(labels.astype(np.int64), None)

    def _load(self, download: bool) -> tuple[Any, Any]:
        folders = places(self.root, f"{type(self).__name__}/raw", self.kind)
        for folder in folders:
            try:
                return load_mnist(folder, self.kind, self.train)
            except FileNotFoundError:
                continue
        if download:
            raw = Path(self.raw_folder)
            raw.parent.mkdir(parents=True, exist_ok=True)
            made = fetch(raw.parent, self.kind)
            made.rename(raw)
            return load_mnist(raw, self.kind, self.train)
        raise RuntimeError(
            "Dataset not found. You can use download=True to download it, or put its IDX files into one of "
            f"{', '.join(map(str, folders))} ({type(self).__name__})"
        )

    @property
    def raw_folder(self) -> str:
        """Where downloaded files go."""
        return os.path.join(str(self.root), type(self).__name__, "raw")

    @property
    def class_to_idx(self) -> dict[str, int]:
        """The label of each class."""
        return {name: label for label, name in enumerate(self.classes)}

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        image = pillow("Image").fromarray(self.data._data[index])
        return self.transformed(image, int(self.targets._data[index]))

    def extra_repr(self) -> str:
        return f"Split: {'Train' if self.train else 'Test'}"


class FashionMNIST(MNIST):
    """Pictures of clothing, in the form of MNIST."""

    kind = "fashion-mnist"
    classes: ClassVar[list[str]] = list(CLASSES["fashion-mnist"])
