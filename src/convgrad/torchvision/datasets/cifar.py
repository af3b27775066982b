"""CIFAR-10 and CIFAR-100: small colour photographs.

Their files are pickles of Python 2; they are read by an unpickler that knows NumPy arrays and plain data
alone, so that a file can run nothing.
"""

from __future__ import annotations

import io
import os
import pickle
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ...datasets.download import Checksum, fetch
from ...dtypes import Array
from ..images import pillow
from .vision import VisionDataset, places

_ALLOWED: dict[tuple[str, str], Any] = {
    (module, name): found
    for modules, name, found in (
        (("numpy", "numpy.core.multiarray"), "ndarray", np.ndarray),
        (("numpy",), "dtype", np.dtype),
        (("numpy.core.multiarray", "numpy._core.multiarray"), "_reconstruct", np.ndarray(0).__reduce__()[0]),
    )
    for module in modules
}


class _PlainUnpickler(pickle.Unpickler):
    """Reads dictionaries, lists, numbers, texts and arrays; refuses everything else."""

    def find_class(self, module: str, name: str) -> Any:
        found = _ALLOWED.get((module, name))
        if found is None:
            raise pickle.UnpicklingError(f"a CIFAR file holds arrays and plain data, not {module}.{name}")
        return found


def read_batch(raw: bytes) -> dict[str, Any]:
    """The dictionary in one of CIFAR's files.

    Raises:
        pickle.UnpicklingError: it holds something else than arrays and plain data, or is damaged.
    """
    found = _PlainUnpickler(io.BytesIO(raw), encoding="latin1").load()
    if not isinstance(found, dict):
        raise pickle.UnpicklingError(
            f"a CIFAR file holds a dictionary, but this one a {type(found).__name__}"
        )
    return found


class CIFAR10(VisionDataset):
    """Photographs of ten kinds of things, 32 x 32 pixels in colour.

    The files are looked for in ``root/cifar-10-batches-py`` and in the folder that the environment variable
    ``CONVGRAD_DATA`` names; the archive ``cifar-10-python.tar.gz`` there will do, and is read in place.

    Args:
        root: the folder for data sets.
        train: the 50,000 training images; False: the 10,000 test images.
        transform: of the Pillow image.
        target_transform: of the label, an int.
        download: fetch the archive into ``root`` if it is nowhere to be found.
    Raises:
        RuntimeError: there are no files; the message says where they were looked for.

    Attributes:
        data: NumPy array, uint8 ``(N, 32, 32, 3)``.
        targets: list of ints.
        classes: what the labels mean.
    """

    folder = "cifar-10-batches-py"
    archive = "cifar-10-python.tar.gz"
    checksum = Checksum("md5", "c58f30108f718f92721af3b95e74349a")
    parts: ClassVar[dict[bool, list[str]]] = {
        True: [f"data_batch_{n}" for n in range(1, 6)],
        False: ["test_batch"],
    }
    about, names, labels = "batches.meta", "label_names", "labels"

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
        read = self._reader(download)
        batches = [read_batch(read(name)) for name in self.parts[bool(train)]]
        self.data: Array = np.concatenate([np.asarray(b["data"], np.uint8) for b in batches])
        self.data = np.ascontiguousarray(self.data.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
        self.targets = [int(label) for b in batches for label in b[self.labels]]
        self.classes = [str(name) for name in read_batch(read(self.about))[self.names]]

    def _reader(self, download: bool) -> Callable[[str], bytes]:
        """A function that gives the bytes of a file by its name."""
        folders = places(self.root, self.folder)
        for folder in folders:
            if (folder / self.about).is_file():
                return lambda name: (folder / name).read_bytes()
        archive = next((f / self.archive for f in folders if (f / self.archive).is_file()), None)
        if archive is None and download:
            Path(str(self.root)).mkdir(parents=True, exist_ok=True)
            url = f"https://www.cs.toronto.edu/~kriz/{self.archive}"
            archive = fetch([url], Path(str(self.root)) / self.archive, self.checksum)
        if archive is None:
            raise RuntimeError(
                "Dataset not found or corrupted. You can use download=True to download it, or put the folder "
                f"{self.folder} or the archive {self.archive} into one of {', '.join(map(str, folders[1:]))}"
            )
        with tarfile.open(archive) as file:
            held = {
                Path(member.name).name: file.extractfile(member).read()  # type: ignore[union-attr]
                for member in file
                if member.isfile()
            }
        return held.__getitem__

    @property
    def class_to_idx(self) -> dict[str, int]:
        """The label of each class."""
        return {name: label for label, name in enumerate(self.classes)}

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return self.transformed(pillow("Image").fromarray(self.data[index]), self.targets[index])

    def extra_repr(self) -> str:
        return f"Split: {'Train' if self.train else 'Test'}"


class CIFAR100(CIFAR10):
    """Photographs of a hundred kinds of things, in the form of CIFAR10."""

    folder = "cifar-100-python"
    archive = "cifar-100-python.tar.gz"
    checksum = Checksum("md5", "eb9058c3a382ffc7106e4002c42a8d85")
    parts: ClassVar[dict[bool, list[str]]] = {True: ["train"], False: ["test"]}
    about, names, labels = "meta", "fine_label_names", "fine_labels"
