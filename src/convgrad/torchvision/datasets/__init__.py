"""Data sets in torchvision's form: an item is a Pillow image, transformed, and a label."""

from __future__ import annotations

from .cifar import CIFAR10, CIFAR100
from .digits import MNIST, FashionMNIST
from .fake import FakeData
from .folder import DatasetFolder, ImageFolder
from .vision import StandardTransform, VisionDataset

__all__ = [
    "CIFAR10", "CIFAR100", "MNIST", "DatasetFolder", "FakeData", "FashionMNIST", "ImageFolder",
    "StandardTransform", "VisionDataset",
]  # fmt: skip
