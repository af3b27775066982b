"""``torchvision.ops``: boxes ``(x1, y1, x2, y2)`` in pixels, their overlap, and the best of many."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ConvgradError, ShapeError
from ..tensor.functions_shape import stack
from ..tensor.tensor import Tensor

__all__ = [
    "batched_nms", "box_area", "box_convert", "box_iou", "clip_boxes_to_image", "generalized_box_iou",
    "masks_to_boxes", "nms", "remove_small_boxes",
]  # fmt: skip


def box_area(boxes: Tensor) -> Any:
    """Areas of boxes.

    Args:
        boxes: ``(N, 4)``.
    Returns:
        ``(N,)``, differentiable.
    Example:
        >>> box_area(torch.tensor([[0.0, 0.0, 2.0, 3.0]]))
        tensor([6.])
    """
    wide = _upcast(boxes)
    return (wide[:, 2] - wide[:, 0]) * (wide[:, 3] - wide[:, 1])


def _upcast(x: Any) -> Any:
    """As floats of at least 32 bits, or integers of at least 32, so that products fit."""
    if x.is_floating_point():
        return x if x.dtype.itemsize >= 4 else x.float()
    return x if x.dtype.itemsize >= 4 else x.int()


def _intersections(boxes1: Any, boxes2: Any) -> tuple[Any, Any]:
    """Areas of intersection and union of each box of one set with each of another."""
    low = boxes1[:, None, :2].maximum(boxes2[None, :, :2])
    high = boxes1[:, None, 2:].minimum(boxes2[None, :, 2:])
    sides = _upcast(high - low).clamp(min=0)
    inter = sides[..., 0] * sides[..., 1]
    return inter, box_area(boxes1)[:, None] + box_area(boxes2) - inter


def box_iou(boxes1: Tensor, boxes2: Tensor) -> Any:
    """The area of the intersection over that of the union, of each pair.

    Args:
        boxes1: ``(N, 4)``.
        boxes2: ``(M, 4)``.
    Returns:
        ``(N, M)``, differentiable.
    Example:
        >>> box_iou(torch.tensor([[0.0, 0.0, 2.0, 2.0]]), torch.tensor([[1.0, 0.0, 3.0, 2.0]]))
        tensor([[0.3333]])
    """
    inter, union = _intersections(boxes1, boxes2)
    return inter / union


def generalized_box_iou(boxes1: Any, boxes2: Any) -> Any:
    """``box_iou`` less the part of the smallest box around both that neither covers (arXiv:1902.09630).

    Args:
        boxes1: ``(N, 4)``.
        boxes2: ``(M, 4)``.
    Returns:
        ``(N, M)``, differentiable.
    """
    inter, union = _intersections(boxes1, boxes2)
    low = boxes1[:, None, :2].minimum(boxes2[None, :, :2])
    high = boxes1[:, None, 2:].maximum(boxes2[None, :, 2:])
    sides = _upcast(high - low).clamp(min=0)
    around = sides[..., 0] * sides[..., 1]
    return inter / union - (around - union) / around


def box_convert(boxes: Tensor, in_fmt: str, out_fmt: str) -> Any:
    """Boxes in another form.

    Args:
        boxes: ``(..., 4)``.
        in_fmt, out_fmt: "xyxy" (corners), "xywh" (corner and size) or "cxcywh" (centre and size).
    Raises:
        ValueError: another form.
    Example:
        >>> box_convert(torch.tensor([1.0, 2.0, 3.0, 4.0]), "xywh", "xyxy")
        tensor([1., 2., 4., 6.])
    """
    known = ("xyxy", "xywh", "cxcywh")
    if in_fmt not in known or out_fmt not in known:
        raise ValueError(
            f"Unsupported Bounding Box Conversions for given in_fmt {in_fmt} and out_fmt {out_fmt}"
        )
    if in_fmt == out_fmt:
        return boxes.clone()
    a, b, c, d = boxes.unbind(-1)
    if in_fmt == "xywh":
        a, b, c, d = a, b, a + c, b + d
    elif in_fmt == "cxcywh":
        a, b, c, d = a - 0.5 * c, b - 0.5 * d, a + 0.5 * c, b + 0.5 * d
    if out_fmt == "xywh":
        a, b, c, d = a, b, c - a, d - b
    elif out_fmt == "cxcywh":
        a, b, c, d = (a + c) / 2, (b + d) / 2, c - a, d - b
    return stack((a, b, c, d), dim=-1)


def clip_boxes_to_image(boxes: Tensor, size: tuple[int, int]) -> Any:
    """Boxes cut at the edges of an image of ``size`` (height, width)."""
    height, width = size
    x, y = boxes[..., 0::2].clamp(min=0, max=width), boxes[..., 1::2].clamp(min=0, max=height)
    return stack((x, y), dim=boxes.dim()).reshape(boxes.shape)


def remove_small_boxes(boxes: Tensor, min_size: float) -> Any:
    """Positions of the boxes of which both sides are at least ``min_size``."""
    wide, high = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    return ((wide >= min_size) & (high >= min_size)).nonzero()[:, 0]


def masks_to_boxes(masks: Tensor) -> Any:
    """The smallest box around each mask.

    Args:
        masks: ``(N, H, W)``; what is not 0 counts.
    Returns:
        ``(N, 4)``, float32; a mask of zeros gives zeros.
    """
    out = np.zeros((masks.shape[0], 4), np.float32)
    for box, mask in zip(out, masks._data, strict=True):
        y, x = np.nonzero(mask)
        if len(x):
            box[:] = x.min(), y.min(), x.max(), y.max()
    return Tensor(out, None)


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Any:
    """Non-maximum suppression: drop boxes that overlap one of a higher score too much.

    Args:
        boxes: ``(N, 4)``.
        scores: ``(N,)``.
        iou_threshold: what overlaps by more than this (intersection over union) is dropped.
    Returns:
        Positions of the boxes that are kept, int64, the highest score first.
    Raises:
        ShapeError: shapes that do not fit.
    Example:
        >>> boxes = torch.tensor([[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 2.0, 1.9], [5.0, 5.0, 6.0, 6.0]])
        >>> nms(boxes, torch.tensor([0.5, 0.9, 0.7]), 0.5)
        tensor([1, 2])
    """
    if boxes.dim() != 2 or boxes.shape[1] != 4:
        raise ShapeError(f"boxes should be a 2d tensor with shape [N, 4], got {list(boxes.shape)}")
    if scores.dim() != 1 or scores.shape[0] != boxes.shape[0]:
        raise ShapeError(
            "boxes and scores should have same number of elements in dimension 0, got "
            f"{boxes.shape[0]} and {list(scores.shape)}"
        )
    if boxes.dtype is not scores.dtype:
        raise ConvgradError(
            f"boxes and scores should have the same dtype, got {boxes.dtype} and {scores.dtype}"
        )
    data = boxes._data
    x1, y1, x2, y2 = data.T
    area = (x2 - x1) * (y2 - y1)
    kept, left = [], np.argsort(-scores._data.astype(np.float64), kind="stable")
    while len(left):
        best, left = left[0], left[1:]
        kept.append(best)
        width = np.minimum(x2[best], x2[left]) - np.maximum(x1[best], x1[left])
        height = np.minimum(y2[best], y2[left]) - np.maximum(y1[best], y1[left])
        inter = np.maximum(width, 0) * np.maximum(height, 0)
        with np.errstate(invalid="ignore", divide="ignore"):
            left = left[~(inter / (area[best] + area[left] - inter) > iou_threshold)]
    return Tensor(np.array(kept, np.int64), None)


def batched_nms(boxes: Tensor, scores: Tensor, idxs: Tensor, iou_threshold: float) -> Any:
    """``nms`` within each category ``idxs``: boxes of different ones do not compete."""
    kept = []
    for kind in np.unique(idxs._data):
        own = np.flatnonzero(idxs._data == kind)
        chosen = nms(Tensor(boxes._data[own], None), Tensor(scores._data[own], None), iou_threshold)
        kept.append(own[chosen._data])
    found = np.concatenate(kept) if kept else np.zeros(0, np.int64)
    return Tensor(found[np.argsort(-scores._data[found].astype(np.float64), kind="stable")], None)
