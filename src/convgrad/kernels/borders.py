"""What stands in the padding of a convolution other than zeros: the input again, by a rule.

Padding is linear in the input, so its adjoint adds what was computed for a border back to where the
border's values came from ("folding"). Both go through the axes one after the other, a border at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from convgrad.dtypes import Array
from convgrad.kernels.geometry import Geometry, Ints, Pairs

_Index = tuple[Any, ...]


def pad(x: Array, padding: Pairs, border: str) -> Array:
    """x ``(N, C, *S)`` with its borders written out."""
    sizes = zip(x.shape[2:], padding, strict=True)
    out = np.empty((*x.shape[:2], *[low + n + high for n, (low, high) in sizes]), x.dtype)
    out[_inside(x.shape[2:], padding)] = x
    write(out, x.shape[2:], padding, border)
    return out


def write(out: Array, size: Ints, padding: Pairs, border: str) -> None:
    """The borders of ``(N, C, *padded)``, in whose middle an input of ``size`` stands."""
    for place, source, _ in _borders(size, padding, border):
        out[place] = out[source]


def fold(gx: Array, padding: Pairs, border: str) -> Array:
    """The adjoint of ``pad``: each border entry is added to the entry it repeats. Writes into ``gx``.

    Args:
        gx: ``(N, C, *padded)``.
    Returns:
        ``(N, C, *S)``, contiguous, of the same dtype.
    """
    size = tuple([n - low - high for n, (low, high) in zip(gx.shape[2:], padding, strict=True)])
    for place, source, axis in _borders(size, padding, border):
        one = gx[place]
        gx[source] += one.sum(axis, keepdims=True) if border == "replicate" else one
    return np.ascontiguousarray(gx[_inside(size, padding)])


def _inside(size: Ints, padding: Pairs) -> _Index:
    """The index of what the padding surrounds."""
    return (..., *[slice(low, low + n) for n, (low, _) in zip(size, padding, strict=True)])


def _borders(size: Ints, padding: Pairs, border: str) -> Iterator[tuple[_Index, _Index, int]]:
    """Of each border: its index in the padded array, that of the values it repeats, and its axis.

    Widths are those that ``nn.functional.pad`` admits, so that every source lies inside.
    """
    for axis, (n, (low, high)) in enumerate(zip(size, padding, strict=True), start=2):
        end = low + n
        assert max(low, high) <= {"reflect": n - 1, "circular": n}.get(border, low + high), (size, padding)
        sources = {
            "reflect": (
                slice(2 * low, low, -1),
                slice(end - 2, end - 2 - high if low + n > high + 1 else None, -1),
            ),
            "replicate": (slice(low, low + 1), slice(end - 1, end)),
            "circular": (slice(n, n + low), slice(low, low + high)),
        }[border]
        before = (slice(None),) * axis
        if low:
            yield (*before, slice(low)), (*before, sources[0]), axis
        if high:
            yield (*before, slice(end, end + high)), (*before, sources[1]), axis


def through_fold(
    input_grad: Callable[..., Array], g: Array, w: Array, geometry: Geometry, input_size: Ints, *rest: Any
) -> Array:
    """``convolve_input_grad`` under a border: that of the padded input without padding, folded."""
    bias, activation = rest
    assert bias is None and activation is None, "a border belongs to a convolution, not to its transpose"
    return fold(input_grad(g, w, *unbordered(geometry, input_size)), geometry.padding, geometry.border)


def unbordered(geometry: Geometry, input_size: Ints) -> tuple[Geometry, Ints]:
    """The same windows over an input that has been padded, and the size of that."""
    padded = tuple([n + low + high for n, (low, high) in zip(input_size, geometry.padding, strict=True)])
    return geometry._replace(padding=((0, 0),) * len(padded), border="zeros"), padded
