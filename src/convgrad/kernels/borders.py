"""What stands in the padding of a convolution other than zeros: the input again, by a rule.

Padding is linear in the input, so its adjoint adds what was computed for a border back to where the
border's values came from ("folding").
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from convgrad.dtypes import Array
from convgrad.kernels.geometry import Geometry, Ints, Pairs

_NUMPY_MODES: dict[str, Any] = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def pad(x: Array, padding: Pairs, border: str) -> Array:
    """x ``(N, C, *S)`` with its borders written out."""
    return np.pad(x, [(0, 0), (0, 0), *padding], _NUMPY_MODES[border])


def fold(gx: Array, padding: Pairs, border: str) -> Array:
    """The adjoint of ``pad``: each border entry is added to the entry it repeats.

    Args:
        gx: ``(N, C, *padded)``.
    Returns:
        ``(N, C, *S)``, contiguous, of the same dtype.
    """
    for axis, (low, high) in enumerate(padding, start=2):
        size = gx.shape[axis] - low - high
        source = np.pad(np.arange(size), (low, high), _NUMPY_MODES[border])
        gx = np.moveaxis(gx, axis, 0)
        inner = gx[low : low + size].copy()
        for place in (*range(low), *range(low + size, low + size + high)):
            inner[source[place]] += gx[place]
        gx = np.moveaxis(inner, 0, axis)
    return np.ascontiguousarray(gx)


def through_fold(
    input_grad: Callable[..., Array], g: Array, w: Array, geometry: Geometry, input_size: Ints, *rest: Any
) -> Array:
    """``convolve_input_grad`` under a border: that of the padded input without padding, folded."""
    bias, activation = rest
    assert bias is None and activation is None, "a border belongs to a convolution, not to its transpose"
    padded = tuple([n + low + high for n, (low, high) in zip(input_size, geometry.padding, strict=True)])
    bare = geometry._replace(padding=((0, 0),) * len(padded), border="zeros")
    return fold(input_grad(g, w, bare, padded), geometry.padding, geometry.border)
