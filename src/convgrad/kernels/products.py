"""Products of two matrices in NumPy, which leaves them to its BLAS."""

from __future__ import annotations

from typing import Any

import numpy as np

from convgrad.dtypes import Array


def product(a: Array, b: Array, bias: Array | None = None, activation: str | None = None) -> Array:
    """``a @ b``, plus ``bias`` in every row, and zero for what is negative if ``activation`` is "relu".

    Args:
        a, b: ``(m, k)`` and ``(k, n)`` of one dtype, in rows, in columns, or in any other steps.
        bias: ``(n,)`` of that dtype, or None.
        activation: "relu" or None.
    Returns:
        ``(m, n)`` in rows.
    """
    out: Any = a.dot(b)
    if bias is not None:
        np.add(out, bias, out)
    if activation is not None:
        np.maximum(out, out.dtype.type(0), out)
    return out
