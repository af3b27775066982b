"""The base of image data sets: a root folder and transforms."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...datasets import data_root
from ...utils.data import Dataset


class StandardTransform:
    """A transform of images and one of labels as one of both."""

    def __init__(
        self,
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
    ) -> None:
        self.transform, self.target_transform = transform, target_transform

    def __call__(self, input: Any, target: Any) -> tuple[Any, Any]:
        if self.transform is not None:
            input = self.transform(input)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return input, target

    def __repr__(self) -> str:
        lines = [type(self).__name__]
        for name, value in (("Transform: ", self.transform), ("Target transform: ", self.target_transform)):
            if value is not None:
                first, *rest = repr(value).splitlines()
                lines += [name + first, *[" " * len(name) + line for line in rest]]
        return "\n".join(lines)


class VisionDataset(Dataset[Any]):
    """Base of image data sets: subclasses define ``__getitem__`` and ``__len__``.

    Args:
        root: the folder with the data.
        transforms: takes image and label, and gives both.
        transform, target_transform: of the image, and of the label.
    Raises:
        ValueError: ``transforms`` together with one of the others.
    """

    def __init__(
        self,
        root: str | os.PathLike[str] | None = None,
        transforms: Callable[..., Any] | None = None,
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
    ) -> None:
        self.root = os.path.expanduser(root) if isinstance(root, str) else root
        single = transform is not None or target_transform is not None
        if transforms is not None and single:
            raise ValueError("Only transforms or transform/target_transform can be passed as argument")
        self.transform, self.target_transform = transform, target_transform
        self.transforms = StandardTransform(transform, target_transform) if single else transforms

    def __getitem__(self, index: int) -> Any:
        raise NotImplementedError

    def __len__(self) -> int:
        raise NotImplementedError

    def transformed(self, image: Any, target: Any) -> tuple[Any, Any]:
        """An item through the transforms."""
        return (image, target) if self.transforms is None else self.transforms(image, target)

    def extra_repr(self) -> str:
        """A line of its own below the others."""
        return ""

    def __repr__(self) -> str:
        body = [f"Number of datapoints: {len(self)}"]
        if self.root is not None:
            body.append(f"Root location: {self.root}")
        body += self.extra_repr().splitlines()
        if self.transforms is not None:
            body += repr(self.transforms).splitlines()
        return "\n".join([f"Dataset {type(self).__name__}", *["    " + line for line in body]])


def places(root: Any, *inside: str) -> list[Path]:
    """Folders in which data may lie: those inside the root, the root itself, and in $CONVGRAD_DATA.

    Args:
        root: of the data set.
        inside: names of folders, such as "MNIST/raw".
    """
    base = Path(root)
    found = [*[base / name for name in inside], base]
    shared = data_root()
    return found if shared is None else found + [Path(shared) / name for name in inside] + [Path(shared)]
