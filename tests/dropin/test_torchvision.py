"""``import torchvision`` in drop-in mode."""

from __future__ import annotations

from pathlib import Path

import pytest

from .programs import output

PROGRAM = """
import torch
import torchvision
import torchvision.transforms as T
import torchvision.transforms.functional as TF
from torch.utils.data import DataLoader
from torchvision import datasets, transforms
from torchvision.utils import make_grid, save_image
from torchvision.transforms import InterpolationMode

both = transforms.Compose([T.RandomCrop(8), transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,))])
data = datasets.FakeData(16, (3, 12, 12), 4, transform=both)
images, labels = next(iter(DataLoader(data, batch_size=4)))
print(type(images) is torch.Tensor, images.shape, labels.dtype, make_grid(images).shape, torchvision.__version__.split("+")[0])
try:
    import torchvision.tv_tensors
except ImportError as error:
    print("torchvision.tv_tensors" in str(error), "boxes and masks are not transformed" in str(error))
from torchvision.ops import nms
from torchvision.transforms import v2
print(nms(torch.tensor([[0., 0., 2., 2.], [0., 0., 2., 1.9]]), torch.tensor([0.5, 0.9]), 0.5), v2.ToDtype(torch.float32, scale=True))
try:
    torchvision.ops.roi_align
except AttributeError as error:
    print("those of boxes are there" in str(error))
from torchvision.models import resnet18
try:
    resnet18()
except NotImplementedError as error:
    print(error)
"""


def test_an_ordinary_program(tmp_path: Path) -> None:
    pytest.importorskip("PIL")
    (tmp_path / "vision.py").write_text(PROGRAM)
    assert output("-m", "convgrad.torch", "vision.py", folder=tmp_path) == (
        "True torch.Size([4, 3, 8, 8]) torch.int64 torch.Size([3, 12, 42]) 0.28.0\nTrue True\n"
        "tensor([1]) ToDtype(scale=True)\nTrue\n"
        "torchvision.models.resnet18: ready-made networks are out of convgrad's scope; write the network with "
        "torch.nn and load its state dict\n"
    )


def test_without_pillow_the_message_says_what_to_install(tmp_path: Path) -> None:
    program = "import sys; sys.modules['PIL'] = None; import torchvision; torchvision.datasets.FakeData(1)[0]"
    shown = output(
        "-m",
        "convgrad.torch",
        "-c",
        f"try:\n  exec({program!r})\nexcept ImportError as e: print(e)",
        folder=tmp_path,
    )
    assert "pip install 'convgrad[data]'" in shown
