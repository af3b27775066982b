"""Arrays between borders of one value, in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

from convgrad.dtypes import Array

Widths = tuple[tuple[int, int], ...]
_ALL = slice(None)


def pad(x: Array, widths: Widths, value: Any) -> Array:
    """x between borders of ``value``.

    Args:
        x: of any shape and dtype.
        widths: (before, after) for each axis; negative ones cut.
        value: a number of x's dtype.
    Returns:
        each axis longer by the sum of its widths.
    """
    shape: list[int] = []
    inside: list[slice] = []
    cut = False
    for n, (a, b) in zip(x.shape, widths, strict=True):
        shape.append(n + a + b)
        cut = cut or a < 0 or b < 0
        inside.append(slice(max(a, 0), n + a + min(b, 0)) if a or b else _ALL)
    out = np.full(shape, value, x.dtype) if value else np.zeros(shape, x.dtype)
    if cut:
        x = x[tuple([slice(max(-a, 0), n - max(-b, 0)) for n, (a, b) in zip(x.shape, widths, strict=True)])]
    out[tuple(inside)] = x
    return out
