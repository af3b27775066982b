"""``torch.types``: names for annotations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from .device import device
from .dtypes import dtype
from .size import Size
from .tensor.tensor import Tensor

Number: TypeAlias = int | float | bool
Device: TypeAlias = device | str | int | None
TensorOrTensors: TypeAlias = Tensor | Sequence[Tensor]
_TensorOrTensors = TensorOrTensors
_int, _float, _bool, _complex = int, float, bool, complex
_dtype, _device = dtype, device
_size: TypeAlias = Size | list[int] | tuple[int, ...]

__all__ = ["Device", "Number"]
