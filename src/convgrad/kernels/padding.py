"""Arrays between borders of one value, in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

from convgrad.dtypes import Array

Widths = tuple[tuple[int, int], ...]


def pad(x: Array, widths: Widths, value: Any) -> Array:
    """x between borders of ``value``.

    Args:
        x: of any shape and dtype.
        widths: (before, after) for each axis; negative ones cut.
        value: a number of x's dtype.
    Returns:
        each axis longer by the sum of its widths.
    """
    shape = tuple([n + a + b for n, (a, b) in zip(x.shape, widths, strict=True)])
    out = np.full(shape, value, x.dtype) if value else np.zeros(shape, x.dtype)
    inside = tuple([slice(max(a, 0), n - max(b, 0)) for n, (a, b) in zip(shape, widths, strict=True)])
    source = tuple([slice(max(-a, 0), n - max(-b, 0)) for n, (a, b) in zip(x.shape, widths, strict=True)])
    out[inside] = x[source]
    return out
