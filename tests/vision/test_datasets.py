"""Data sets and grids in torchvision's form, on files written here."""

from __future__ import annotations

import io
import os
import pickle
import pickletools
import tarfile
from pathlib import Path

import numpy as np
import pytest

import convgrad as torch
from convgrad import torchvision
from convgrad.datasets import load_digits, write_idx
from convgrad.torchvision import datasets, transforms, utils

Image = pytest.importorskip("PIL.Image")


@pytest.fixture(autouse=True)
def _no_other_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CONVGRAD_DATA", raising=False)


@pytest.mark.parametrize(
    ("name", "folder"),
    [("MNIST", "MNIST/raw"), ("FashionMNIST", "FashionMNIST/raw"), ("MNIST", "mnist"), ("MNIST", ".")],
)
def test_idx_files_are_found(tmp_path: Path, name: str, folder: str) -> None:
    images, labels = load_digits(train=False)
    raw = tmp_path / folder
    raw.mkdir(parents=True, exist_ok=True)
    write_idx(raw / "t10k-images-idx3-ubyte.gz", images[:20])
    write_idx(raw / "t10k-labels-idx1-ubyte", labels[:20])
    made = getattr(datasets, name)(
        str(tmp_path),
        train=False,
        download=True,
        transform=transforms.ToTensor(),
        target_transform=lambda t: t + 100,
    )
    x, y = made[3]
    assert x.shape == (1, 28, 28) and y == labels[3] + 100 and len(made) == 20
    assert np.array_equal(x.numpy()[0], images[3].astype(np.float32) / np.float32(255))
    assert made.targets.dtype is torch.int64 and made.data.dtype is torch.uint8
    assert made.class_to_idx[made.classes[2]] == 2 and len(made.classes) == 10
    assert repr(made).splitlines()[:4] == [
        f"Dataset {name}",
        "    Number of datapoints: 20",
        f"    Root location: {tmp_path}",
        "    Split: Test",
    ]
    plain = getattr(datasets, name)(tmp_path, train=False)
    assert plain[0][0].mode == "L" and isinstance(plain[0][1], int)


def test_missing_files_are_explained(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"Dataset not found. You can use download=True.*raw"):
        datasets.MNIST(tmp_path)
    with pytest.raises(RuntimeError, match=r"Dataset not found.*cifar-10-batches-py.*cifar-10-python.tar.gz"):
        datasets.CIFAR10(tmp_path)


def test_shared_data_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images, labels = load_digits(train=False)
    (tmp_path / "shared" / "mnist").mkdir(parents=True)
    write_idx(tmp_path / "shared" / "mnist" / "t10k-images-idx3-ubyte", images[:5])
    write_idx(tmp_path / "shared" / "mnist" / "t10k-labels-idx1-ubyte", labels[:5])
    monkeypatch.setenv("CONVGRAD_DATA", str(tmp_path / "shared"))
    assert len(datasets.MNIST(tmp_path / "elsewhere", train=False)) == 5


def python2(value: object) -> bytes:
    """The pickle Python 2 would have written, as in CIFAR's files: bytes are its strings, NumPy's names the old ones."""
    raw = pickle.dumps(value, protocol=3).replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    out = bytearray(raw)
    for opcode, _, place in pickletools.genops(raw):
        out[place : place + 1] = {"BINBYTES": b"T", "SHORT_BINBYTES": b"U"}.get(
            opcode.name, raw[place : place + 1]
        )
    out[:2] = b"\x80\x02"
    return bytes(out)


def cifar_files(kinds: int) -> dict[str, bytes]:
    """The files of CIFAR-10 with four images each, of CIFAR-100 with kinds=100."""
    rng = np.random.default_rng(0)
    small = kinds == 10
    files = {}
    for name in [f"data_batch_{n}" for n in range(1, 6)] + ["test_batch"] if small else ["train", "test"]:
        labels = [int(v) for v in rng.integers(0, kinds, 4)]
        batch = {
            "data": rng.integers(0, 256, (4, 3072), dtype=np.uint8),
            "labels" if small else "fine_labels": labels,
        }
        files[name] = python2(batch)
    names = [f"kind {n}" for n in range(kinds)]
    files["batches.meta" if small else "meta"] = python2(
        {"label_names" if small else "fine_label_names": names}
    )
    return files


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("kinds", [10, 100])
def test_cifar(tmp_path: Path, kinds: int, packed: bool) -> None:
    kind = datasets.CIFAR10 if kinds == 10 else datasets.CIFAR100
    files = cifar_files(kinds)
    if packed:
        with tarfile.open(tmp_path / kind.archive, "w:gz") as archive:
            for name, raw in files.items():
                member = tarfile.TarInfo(f"{kind.folder}/{name}")
                member.size = len(raw)
                archive.addfile(member, io.BytesIO(raw))
    else:
        (tmp_path / kind.folder).mkdir()
        for name, raw in files.items():
            (tmp_path / kind.folder / name).write_bytes(raw)
    made = kind(tmp_path, train=False, download=packed)
    first = pickle.loads(files["test_batch" if kinds == 10 else "test"], encoding="latin1")
    image, label = made[1]
    assert made.data.shape == (4, 32, 32, 3) and label == first["labels" if kinds == 10 else "fine_labels"][1]
    assert np.array_equal(np.asarray(image), first["data"][1].reshape(3, 32, 32).transpose(1, 2, 0))
    assert made.classes[3] == "kind 3" and len(made.classes) == kinds
    assert len(kind(tmp_path)) == (20 if kinds == 10 else 4)


def test_a_cifar_file_can_run_nothing(tmp_path: Path) -> None:
    class Attack:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "made"),)

    (tmp_path / "cifar-10-batches-py").mkdir()
    for name in cifar_files(10):
        (tmp_path / "cifar-10-batches-py" / name).write_bytes(pickle.dumps({"data": Attack()}))
    with pytest.raises(pickle.UnpicklingError, match=r"arrays and plain data, not (posix|nt)\.mkdir"):
        datasets.CIFAR10(tmp_path)
    assert not (tmp_path / "made").exists()


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    for kind, shade in (("dog", 200), ("cat", 100)):
        (tmp_path / "pets" / kind / "deep").mkdir(parents=True)
        for name in ("b.png", "a.PNG", "deep/c.jpg"):
            Image.new("L", (5, 4), shade).save(tmp_path / "pets" / kind / name)
        (tmp_path / "pets" / kind / "notes.txt").write_text("no image")
    return tmp_path / "pets"


def test_image_folder(pets: Path) -> None:
    made = datasets.ImageFolder(str(pets), transforms.ToTensor())
    assert made.classes == ["cat", "dog"] and made.class_to_idx == {"cat": 0, "dog": 1}
    assert [os.path.relpath(path, pets) for path, _ in made.imgs] == [
        os.path.join(kind, *name.split("/"))
        for kind in ("cat", "dog")
        for name in ("a.PNG", "b.png", "deep/c.jpg")
    ]
    assert made.targets == [0, 0, 0, 1, 1, 1] and len(made) == 6
    image, label = made[4]
    assert image.shape == (3, 4, 5) and label == 1 and image.unique().tolist() == pytest.approx([200 / 255])
    loader = torch.utils.data.DataLoader(made, batch_size=4)
    assert [batch[0].shape for batch in loader] == [(4, 3, 4, 5), (2, 3, 4, 5)]


def test_image_folder_complains(pets: Path, tmp_path: Path) -> None:
    (pets / "fish").mkdir()
    with pytest.raises(
        FileNotFoundError, match=r"Found no valid file for the classes fish. Supported extensions are: .jpg"
    ):
        datasets.ImageFolder(pets)
    assert len(datasets.ImageFolder(pets, allow_empty=True)) == 6
    assert (
        len(datasets.DatasetFolder(pets, str, is_valid_file=lambda p: p.endswith(".txt"), allow_empty=True))
        == 2
    )
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="Couldn't find any class folder in"):
        datasets.ImageFolder(tmp_path / "empty")
    with pytest.raises(ValueError, match="cannot be None or not None at the same time"):
        datasets.DatasetFolder(pets, str)


def test_fake_data_are_the_same_for_the_same_index() -> None:
    made = datasets.FakeData(5, (3, 6, 7), 4, transform=transforms.PILToTensor())
    torch.manual_seed(9)
    state = torch.get_rng_state()
    image, label = made[2]
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    noise = torch.randn(3, 6, 7)
    assert label == torch.randint(0, 4, (1,)).item() and image.shape == (3, 6, 7)
    assert torch.equal(image, transforms.functional.pil_to_tensor(transforms.functional.to_pil_image(noise)))
    assert torch.equal(made[2][0], image) and not torch.equal(made[3][0], image)
    with pytest.raises(IndexError, match="FakeData index out of range"):
        made[5]
    assert len(list(made)) == 5


def test_transforms_of_both() -> None:
    both = datasets.VisionDataset(".", transforms=lambda image, label: (label, image))
    assert both.transformed(1, 2) == (2, 1)
    with pytest.raises(ValueError, match="Only transforms or transform/target_transform"):
        datasets.VisionDataset(".", transforms=len, transform=len)


# -- grids


def test_make_grid_places_images_row_by_row() -> None:
    images = torch.arange(5.0).reshape(5, 1, 1, 1).expand(5, 1, 2, 3)
    grid = utils.make_grid(images, nrow=3, padding=1, pad_value=9.0)
    assert grid.shape == (3, 2 * 3 + 1, 3 * 4 + 1)
    for place in range(6):
        top, left = 1 + place // 3 * 3, 1 + place % 3 * 4
        assert (grid[:, top : top + 2, left : left + 3] == (place if place < 5 else 9)).all()
    assert (grid[:, 0] == 9).all() and (grid[:, :, -1] == 9).all()


def test_make_grid_normalizes_a_copy() -> None:
    images = torch.tensor([[[[-1.0, 3.0]]], [[[5.0, 7.0]]]])
    grid = utils.make_grid(images, padding=0, normalize=True)
    assert grid[0].tolist() == [[0.0, 0.5, 0.75, 1.0]] and images[0, 0, 0, 0] == -1
    assert utils.make_grid(images, padding=0, normalize=True, scale_each=True)[0].tolist() == [[0, 1, 0, 1]]
    assert utils.make_grid(images, padding=0, normalize=True, value_range=(3.0, 5.0))[0].tolist() == [
        [0, 0, 1, 1]
    ]
    assert utils.make_grid([images[0], images[1]], padding=0).shape == (3, 1, 4)
    assert utils.make_grid(torch.zeros(2, 3)).shape == (3, 2, 3)
    with pytest.raises(TypeError, match="tensor or list of tensors expected, got <class 'str'>"):
        utils.make_grid("x")
    with pytest.raises(ValueError, match="make_grid: expected"):
        utils.make_grid(torch.zeros(1, 1, 1, 1, 1))


def test_save_image_rounds(tmp_path: Path) -> None:
    utils.save_image(torch.tensor([[0.0, 0.5, 1.0, 2.0]]), tmp_path / "a.png")
    assert np.asarray(Image.open(tmp_path / "a.png"))[0, :, 0].tolist() == [0, 128, 255, 255]
    buffer = io.BytesIO()
    utils.save_image(torch.rand(2, 3, 4, 4), buffer, format="png", nrow=1)
    assert Image.open(buffer).size == (8, 14)
    assert torchvision.get_image_backend() == "PIL"
