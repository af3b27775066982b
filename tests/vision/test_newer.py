"""``torchvision.ops``, ``torchvision.io`` and ``torchvision.transforms.v2``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import convgrad as torch
from convgrad.torchvision import io, ops
from convgrad.torchvision.transforms import functional as F
from convgrad.torchvision.transforms import transforms as first
from convgrad.torchvision.transforms import v2

BOXES = [[0.0, 0.0, 4.0, 4.0], [1.0, 1.0, 5.0, 4.0], [0.0, 0.0, 4.0, 3.9], [10.0, 10.0, 12.0, 13.0]]


def _iou(a: Any, b: Any) -> float:
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - width * height
    return width * height / union


def test_overlaps_are_those_of_a_loop() -> None:
    boxes = torch.tensor(BOXES)
    expected = [[_iou(a, b) for b in BOXES] for a in BOXES]
    np.testing.assert_allclose(ops.box_iou(boxes, boxes)._data, expected, rtol=1e-6)
    np.testing.assert_allclose(ops.generalized_box_iou(boxes, boxes).diagonal()._data, 1, rtol=1e-6)
    far = ops.generalized_box_iou(boxes[:1], boxes[3:]).item()
    assert far == pytest.approx(0 - (12 * 13 - 16 - 6) / (12 * 13))
    assert ops.box_area(boxes).tolist() == pytest.approx([16.0, 12.0, 15.6, 6.0])
    x = boxes.clone().requires_grad_()
    ops.box_iou(x[:2], x[2:]).sum().backward()
    assert x.grad is not None and float(x.grad.abs().sum()) > 0


@pytest.mark.parametrize("one", ["xyxy", "xywh", "cxcywh"])
@pytest.mark.parametrize("other", ["xyxy", "xywh", "cxcywh"])
def test_forms_of_boxes_there_and_back(one: str, other: str) -> None:
    boxes = torch.tensor(BOXES)
    turned = ops.box_convert(boxes, one, other)
    np.testing.assert_allclose(ops.box_convert(turned, other, one)._data, boxes._data, rtol=1e-6)
    if (one, other) == ("xyxy", "cxcywh"):
        assert turned[1].tolist() == [3.0, 2.5, 4.0, 3.0]
    with pytest.raises(ValueError, match="Unsupported Bounding Box Conversions"):
        ops.box_convert(boxes, one, "abc")


def test_suppression_keeps_the_best_of_those_that_overlap() -> None:
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 20, (60, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(1, 12, (60, 2))], 1).astype(np.float32)
    scores = rng.uniform(size=60).astype(np.float32)
    kept: list[int] = []
    for i in np.argsort(-scores):
        if all(_iou(boxes[i], boxes[j]) <= 0.4 for j in kept):
            kept.append(int(i))
    assert ops.nms(torch.from_numpy(boxes), torch.from_numpy(scores), 0.4).tolist() == kept
    kinds = torch.from_numpy(rng.integers(0, 3, 60))
    found = ops.batched_nms(torch.from_numpy(boxes), torch.from_numpy(scores), kinds, 0.4).tolist()
    of_one = [i for i in found if kinds[i] == 1]
    own = np.flatnonzero(kinds._data == 1)
    alone = ops.nms(torch.from_numpy(boxes[own]), torch.from_numpy(scores[own]), 0.4)
    assert of_one == own[alone._data].tolist()
    assert found == sorted(found, key=lambda i: -scores[i])
    assert ops.nms(torch.empty(0, 4), torch.empty(0), 0.5).tolist() == []


def test_boxes_cut_dropped_and_drawn_around_masks() -> None:
    boxes = torch.tensor(BOXES)
    assert ops.clip_boxes_to_image(boxes, (3, 11))[3].tolist() == [10.0, 3.0, 11.0, 3.0]
    assert ops.remove_small_boxes(boxes, 3.0).tolist() == [0, 1, 2]
    masks = torch.zeros(2, 5, 6)
    masks[0, 1:3, 2:5] = 1
    assert ops.masks_to_boxes(masks).tolist() == [[2.0, 1.0, 4.0, 2.0], [0.0, 0.0, 0.0, 0.0]]


def test_wrong_boxes() -> None:
    with pytest.raises(RuntimeError, match=r"boxes should be a 2d tensor"):
        ops.nms(torch.ones(4), torch.ones(1), 0.5)
    with pytest.raises(RuntimeError, match="same number of elements in dimension 0"):
        ops.nms(torch.ones(2, 4), torch.ones(3), 0.5)
    with pytest.raises(RuntimeError, match="same dtype"):
        ops.nms(torch.ones(2, 4), torch.ones(2).double(), 0.5)


@pytest.fixture
def picture() -> Any:
    pytest.importorskip("PIL")
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, 7, 5), dtype=np.uint8))


def test_files_of_pictures(picture: Any, tmp_path: Path) -> None:
    io.write_png(picture, tmp_path / "a.png")
    assert torch.equal(io.read_image(str(tmp_path / "a.png")), picture)
    assert torch.equal(io.decode_image(io.encode_png(picture[:1])), picture[:1])
    grey = io.read_image(tmp_path / "a.png", io.ImageReadMode.GRAY)
    assert tuple(grey.shape) == (1, 7, 5) and tuple(io.read_image(tmp_path / "a.png", "RGB_ALPHA").shape) == (
        4,
        7,
        5,
    )
    flat = torch.full((3, 16, 16), 77, dtype=torch.uint8)
    io.write_jpeg(flat, tmp_path / "a.jpg", quality=95)
    assert int((io.read_image(tmp_path / "a.jpg").int() - 77).abs().max()) <= 2


def test_pictures_that_are_none(picture: Any, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no image")
    with pytest.raises(RuntimeError, match="no image that can be read"):
        io.read_image(tmp_path / "bad.png")
    with pytest.raises(FileNotFoundError):
        io.read_image(tmp_path / "none.png")
    whole = io.encode_png(picture)
    with pytest.raises(RuntimeError, match="no image that can be read"):
        io.decode_image(whole[:60])
    with pytest.raises(RuntimeError, match="dtype should be uint8"):
        io.encode_png(picture.float())
    with pytest.raises(RuntimeError, match="channels should be 1 or 3"):
        io.encode_png(picture[:2])
    with pytest.raises(RuntimeError, match="Compression level"):
        io.encode_png(picture, 10)


def test_the_same_transforms_under_newer_names() -> None:
    image = torch.rand(3, 12, 10)
    pairs = [
        (v2.Resize(6), first.Resize(6)), (v2.CenterCrop(4), first.CenterCrop(4)), (v2.Pad(2), first.Pad(2)),
        (v2.Normalize((0.5,) * 3, (0.2,) * 3), first.Normalize((0.5,) * 3, (0.2,) * 3)),
        (v2.RandomCrop(5), first.RandomCrop(5)), (v2.RandomHorizontalFlip(), first.RandomHorizontalFlip()),
        (v2.RandomResizedCrop(6), first.RandomResizedCrop(6)), (v2.RandomRotation(20), first.RandomRotation(20)),
        (v2.ColorJitter(0.2, 0.2), first.ColorJitter(0.2, 0.2)), (v2.Grayscale(), first.Grayscale()),
        (v2.RandomErasing(1.0), first.RandomErasing(1.0)), (v2.GaussianBlur(3), first.GaussianBlur(3)),
    ]  # fmt: skip
    for new, old in pairs:
        for seed in range(3):
            torch.manual_seed(seed)
            expected = old(image)
            torch.manual_seed(seed)
            assert torch.equal(new(image), expected), new


def test_a_pipeline_on_image_and_label() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (9, 8, 3), dtype=np.uint8)
    pipeline = v2.Compose(
        [
            v2.ToImage(),
            v2.RandomHorizontalFlip(1.0),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize([0.5], [0.5]),
        ]
    )
    image, label = pipeline(pixels, 3)
    assert label == 3 and image.dtype is torch.float32
    expected = F.normalize(F.hflip(F.to_tensor(pixels)), [0.5], [0.5])
    np.testing.assert_allclose(image._data, expected._data, rtol=1e-6)
    assert torch.equal(pipeline(pixels), image)
    sample = pipeline({"image": pixels, "label": 3})
    assert torch.equal(sample["image"], image) and sample["label"] == 3
    assert v2.ToDtype(torch.float64)(torch.ones(1, 2, 2)).dtype is torch.float64
    assert v2.RandomApply([v2.Pad(1)], p=0.0)(image, 3)[0] is image
    assert tuple(v2.RandomApply([v2.Pad(1)], p=1.0)(image).shape) == (3, 11, 10)
    assert v2.Lambda(lambda n: n + 1, int)(image, 3)[1] == 4


def test_a_transform_of_ones_own() -> None:
    class Brighter(v2.Transform):
        def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
            return {"by": float(len(flat_inputs))}

        def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
            return inpt + params["by"]

    first_image, second_image, label = Brighter()(torch.zeros(1, 2, 2), torch.ones(1, 2, 2), 5)
    assert float(first_image.max()) == 2.0 and float(second_image.max()) == 3.0 and label == 5


def test_wrong_uses() -> None:
    with pytest.raises(ValueError, match="at least one transform"):
        v2.Compose([])
    with pytest.raises(ValueError, match="dtype must be a dict"):
        v2.ToDtype("float32")
    with pytest.raises(NotImplementedError, match="takes one image in a call"):
        v2.RandomCrop(2)(torch.zeros(1, 4, 4), torch.zeros(1, 4, 4))
    with pytest.raises(ValueError, match="2/3 dimensional"):
        v2.ToImage()(np.zeros((2, 2, 2, 2)))
