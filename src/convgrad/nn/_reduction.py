"""The names of reductions as numbers, and the two old arguments that said the same."""

from __future__ import annotations

import warnings
from typing import Any

_NUMBERS = {"none": 0, "mean": 1, "sum": 2}


def get_enum(reduction: str) -> int:
    """0, 1 or 2 for "none", "mean" or "sum".

    Raises:
        ValueError: another name.
    """
    if reduction == "elementwise_mean":
        warnings.warn(
            "reduction='elementwise_mean' is deprecated. Please use reduction='mean' instead.", stacklevel=2
        )
        return 1
    if reduction not in _NUMBERS:
        raise ValueError(f"{reduction} is not a valid value for reduction: it is 'none', 'mean' or 'sum'")
    return _NUMBERS[reduction]


def legacy_get_string(
    size_average: bool | None, reduce: bool | None, emit_warning: bool = True, stacklevel: int = 2
) -> str:
    """The name of the reduction that the old arguments mean, None being True.

    Args:
        size_average: divide the sum by the number of elements.
        reduce: sum at all.
        emit_warning: say that they are deprecated, about the caller ``stacklevel`` frames up.
    """
    kept = True if reduce is None else reduce
    name = ("mean" if size_average is None or size_average else "sum") if kept else "none"
    if emit_warning:
        warnings.warn(
            f"size_average and reduce args will be deprecated, please use reduction='{name}' instead.",
            stacklevel=stacklevel + 1,
        )
    return name


def legacy_get_enum(size_average: Any, reduce: Any, emit_warning: bool = True) -> int:
    """``get_enum`` of what the old arguments mean."""
    return get_enum(legacy_get_string(size_average, reduce, emit_warning))
