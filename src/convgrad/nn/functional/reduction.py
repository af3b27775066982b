"""What losses share: the names of reductions, PyTorch's old arguments for them, and the reductions."""

from __future__ import annotations

from typing import Any

from ...errors import ConvgradError
from ...tensor.methods.operands import check_tensor
from ...tensor.tensor import Tensor
from .._reduction import legacy_get_string

Weight = Tensor | None


def check_reduction(reduction: Any) -> str:
    """The name of a reduction, or PyTorch's error."""
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not a valid value for reduction: it is 'none', 'mean' or 'sum'")
    return reduction


def legacy_reduction(reduction: Any, size_average: Any = None, reduce: Any = None) -> str:
    """The reduction that is meant, with a warning where the old arguments say it."""
    if size_average is not None or reduce is not None:
        reduction = legacy_get_string(size_average, reduce, stacklevel=4)
    return check_reduction(reduction)


def reduced(each: Tensor, how: str) -> Tensor:
    """All elements, their mean or their sum."""
    return each.mean() if how == "mean" else each.sum() if how == "sum" else each


def check_pair(name: str, input: Any, target: Any) -> None:
    """Both must be tensors."""
    check_tensor(name, input, "input")
    check_tensor(name, target, "target")


def check_constant(name: str, argument: str, weight: Weight) -> None:
    """A weight is a constant to these losses."""
    if weight is not None and weight.requires_grad:
        raise ConvgradError(
            f"The function '{name}' is not differentiable with respect to argument '{argument}'. This input "
            "cannot have requires_grad True."
        )
