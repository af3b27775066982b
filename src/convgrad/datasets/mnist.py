"""MNIST and Fashion-MNIST: the packaged digits, a local folder, a download."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .download import Checksum, fetch
from .files import PACKAGED, PathName
from .idx import read_idx

Images = NDArray[np.uint8]
Labels = NDArray[np.uint8]

KINDS = ("mnist", "fashion-mnist")

CLASSES = {
    "mnist": tuple("0123456789"),
    "fashion-mnist": (
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
}
"""What the labels 0 to 9 mean."""

MIRRORS = {
    "mnist": (
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    "fashion-mnist": (
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
    ),
}
"""Where :func:`download` looks, in this order; file names are appended."""

_TRAIN = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte")
_TEST = ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def _content(digest: str) -> Checksum:
    return Checksum("sha256", digest, "content")


CHECKSUMS = {
    "mnist": {
        _TRAIN[0]: _content("ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
        _TRAIN[1]: _content("65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
        _TEST[0]: _content("0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
        _TEST[1]: _content("ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
    },
    "fashion-mnist": {  # its authors publish the MD5 of the compressed files
        _TRAIN[0]: Checksum("md5", "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
        _TRAIN[1]: Checksum("md5", "25c81989df183df01b3e8a0aad5dffbe"),
        _TEST[0]: Checksum("md5", "bef4ecab320f06d8554ea6380940ec79"),
        _TEST[1]: Checksum("md5", "bb300cfdad3c16e7a12a480ee83cd310"),
    },
}
"""For each kind the checksum of each file; the ``.gz`` that the names lack is understood."""


def load_digits(train: bool = True) -> tuple[Images, Labels]:
    """The handwritten digits that convgrad brings along: the first of MNIST, in the original order.

    Args:
        train: the first 5,000 training images; False: the first 1,000 test images.
    Returns:
        images uint8 ``(N, 28, 28)``, 0 is background; labels uint8 ``(N,)``, 0 to 9.
    Example:
        >>> images, labels = load_digits()
        >>> images.shape, labels[:5].tolist()
        ((5000, 28, 28), [5, 0, 4, 1, 9])

    Source: MNIST, Y. LeCun and C. Cortes, CC BY-SA 3.0.
    """
    return _load_pair(PACKAGED, "digits", train)


def load_mnist(root: PathName, kind: str = "mnist", train: bool = True) -> tuple[Images, Labels]:
    """MNIST or Fashion-MNIST from the IDX files in a folder, gzipped or not.

    Args:
        root: the folder with the files, or the one with a folder ``mnist`` or ``fashion-mnist`` in it.
        kind: ``'mnist'`` or ``'fashion-mnist'``; the files of both have the same names.
        train: the training part; False: the test part.
    Returns:
        images uint8 ``(N, 28, 28)``; labels uint8 ``(N,)``, 0 to 9. N is what the files hold.
    Raises:
        FileNotFoundError: a file is missing.
        ValueError: an unknown kind, or files that are damaged or do not go together.
    """
    _check_kind("load_mnist", kind)
    folder = Path(root)
    if (folder / kind).is_dir():
        folder = folder / kind
    return _load_pair(folder, kind, train)


def download(root: PathName, kind: str = "mnist", progress: bool = True) -> Path:
    """Download the four files of MNIST or Fashion-MNIST into ``root/kind`` and check them.

    Files that are there and right are left alone; an interrupted transfer is continued.

    Args:
        root: the folder for data sets; made if missing.
        kind: ``'mnist'`` or ``'fashion-mnist'``.
        progress: show progress bars, if tqdm is installed.
    Returns:
        The folder, to be given to :func:`load_mnist`.
    Raises:
        ConvgradError: no mirror gave a file with the right checksum.
        ValueError: an unknown kind.
    """
    _check_kind("download", kind)
    folder = Path(root) / kind
    folder.mkdir(parents=True, exist_ok=True)
    for stem, checksum in CHECKSUMS[kind].items():
        name = stem + ".gz"
        fetch([mirror + name for mirror in MIRRORS[kind]], folder / name, checksum, progress)
    return folder


def _check_kind(function: str, kind: str) -> None:
    if kind not in KINDS:
        raise ValueError(f"{function}: kind must be one of {', '.join(KINDS)}, but got {kind!r}")


def _find(folder: Path, stem: str, kind: str) -> Path:
    for path in (folder / f"{stem}.gz", folder / stem):
        if path.is_file():
            return path
    raise FileNotFoundError(
        f"{kind}: found neither {stem}.gz nor {stem} in {folder}; "
        f"convgrad.datasets.download(root, kind={kind!r}) fetches them"
    )


def _load_pair(folder: Path, kind: str, train: bool) -> tuple[Images, Labels]:
    image_path, label_path = (_find(folder, stem, kind) for stem in (_TRAIN if train else _TEST))
    images, labels = read_idx(image_path), read_idx(label_path)
    if images.dtype != np.uint8 or images.ndim != 3 or images.shape[1:] != (28, 28):
        raise ValueError(f"{image_path}: expected uint8 (N, 28, 28), found {images.dtype} {images.shape}")
    if labels.dtype != np.uint8 or labels.shape != images.shape[:1]:
        raise ValueError(
            f"{label_path}: expected uint8 {images.shape[:1]} to go with {image_path.name}, "
            f"found {labels.dtype} {labels.shape}"
        )
    if labels.size and labels.max() > 9:
        raise ValueError(f"{label_path}: expected labels from 0 to 9, found {labels.max()}")
    return images, labels
