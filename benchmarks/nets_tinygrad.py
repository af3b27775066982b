"""As much of ``torch.nn`` over tinygrad as the nets of nets.py ask for: its own layers where it has them."""

from __future__ import annotations

import importlib
from types import SimpleNamespace
from typing import Any

from nets_other import Flatten, Function, Identity, Module, Sequential, over_space

Array = Any


def namespace(tinygrad: Any) -> Any:
    """What stands for ``torch``: ``nn``, ``nn.functional`` and ``cat``."""
    own, tensor = importlib.import_module("tinygrad.nn"), tinygrad.Tensor
    average = over_space(lambda x, axes: x.mean(axes, keepdim=True))
    nn = SimpleNamespace(
        Module=Module, Sequential=Sequential, Identity=Identity, Flatten=Flatten, Linear=own.Linear,
        ReLU=lambda: Function(tensor.relu),
        AdaptiveAvgPool1d=average, AdaptiveAvgPool2d=average,
        MaxPool1d=lambda width: max_pool(width, 1), MaxPool2d=lambda width: max_pool(width, 2),
        BatchNorm1d=own.BatchNorm, BatchNorm2d=own.BatchNorm,
        Conv1d=own.Conv1d, Conv2d=own.Conv2d, ConvTranspose2d=own.ConvTranspose2d,
        functional=SimpleNamespace(relu=tensor.relu, pad=tensor.pad),
    )  # fmt: skip
    return SimpleNamespace(nn=nn, cat=lambda parts, axis: parts[0].cat(*parts[1:], dim=axis))


def max_pool(width: int, ndim: int) -> Module:
    """Maxima of windows side by side; tinygrad's pooling has as many dimensions as its window."""
    return Function(lambda x: x.max_pool2d((width,) * ndim))
