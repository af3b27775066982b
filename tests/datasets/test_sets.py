"""The Dataset forms of the image files."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import numpy as np
import pytest

from convgrad.datasets import MNIST, PACKAGED, Digits, FashionMNIST, load_digits
from convgrad.utils.data import DataLoader


def test_items_are_scaled_images_and_int_labels() -> None:
    digits = Digits(train=False)
    images, labels = load_digits(train=False)
    assert len(digits) == 1000
    for i in (0, 17, 999):
        image, label = digits[i]
        assert image.shape == (1, 28, 28)
        np.testing.assert_array_equal(image.numpy()[0], images[i].astype(np.float32) / np.float32(255))
        assert label == labels[i]
        assert type(label) is int


def test_all_at_once_equals_one_by_one() -> None:
    digits = Digits(train=False)
    images, labels = digits.tensors()
    assert images.shape == (1000, 1, 28, 28)
    assert images[5].tolist() == digits[5][0].tolist()
    assert labels[5].item() == digits[5][1]


def test_a_loader_takes_it() -> None:
    images, labels = next(iter(DataLoader(Digits(train=False), batch_size=32)))
    assert images.shape == (32, 1, 28, 28)
    assert labels.tolist() == load_digits(train=False)[1][:32].tolist()


def test_transforms() -> None:
    image, label = Digits(False, transform=lambda x: x * 2, target_transform=str)[3]
    assert image.tolist() == (Digits(False)[3][0] * 2).tolist()
    assert label == str(Digits(False)[3][1])


def test_mnist_from_a_folder(tmp_path: Path) -> None:
    for name in ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"):
        with gzip.open(Path(PACKAGED) / f"{name}.gz") as packed, (tmp_path / name).open("wb") as plain:
            shutil.copyfileobj(packed, plain)
    assert len(MNIST(tmp_path, train=False)) == 1000


@pytest.mark.parametrize("kind", [MNIST, FashionMNIST])
def test_missing_files_say_so(tmp_path: Path, kind: type[MNIST]) -> None:
    with pytest.raises(FileNotFoundError, match="idx3-ubyte"):
        kind(tmp_path)
