"""Memory of arrays: large ones come from blocks that are kept when an array is freed.

The C library gives a large array's memory back to the operating system at once, and the next array pays a
page fault for every 4 kB it touches: more time than most convolutions of that size take.
"""

from __future__ import annotations

from math import prod
from sys import getrefcount
from typing import Any

import numpy as np

from convgrad.dtypes import Array
from convgrad.kernels.geometry import Ints
from convgrad.kernels.machine import _native

#: bytes from which on arrays are taken from blocks: smaller ones stay in the heap of the C library
LARGE = 1 << 17
#: bytes from which on the compiled copy is quicker than NumPy's
COPIED = 1 << 14


def empty_large(shape: Ints, dtype: np.dtype[Any]) -> Array:
    """``np.empty`` in a block, 64-byte aligned. Its array does not own its memory: ``base`` is the block.

    Raises:
        MemoryError: there is not that much memory.
    """
    block: Any = _native.Block(prod(shape) * dtype.itemsize)
    return np.ndarray(shape, dtype, block)


def allocator(shape: Ints, dtype: np.dtype[Any]) -> Any:
    """The one of ``np.empty`` and ``empty_large`` that serves arrays of this shape."""
    return np.empty if _native is None or prod(shape) * dtype.itemsize < LARGE else empty_large


def contiguous(x: Array) -> Array:
    """A copy of x with its rows one after another; NumPy's if it is small or lies as no kernel reads it."""
    dtype = x.dtype
    if _native is None or x.nbytes < COPIED or dtype.hasobject:
        return x.copy(order="C")
    out: Array = allocator(x.shape, dtype)(x.shape, dtype)
    if not _native.copy_strided(x, out):
        np.copyto(out, x)
    return out


def in_order(x: Array, dtype: np.dtype[Any] | None = None) -> Array:
    """x as the kernels read it: contiguous and aligned, in ``dtype`` if one is given. A copy if need be."""
    if x.nbytes < COPIED or x.flags.c_contiguous or (dtype is not None and x.dtype is not dtype):
        return np.require(x, dtype, ["C", "A"])
    return contiguous(x)


def owns_memory(a: Array) -> bool:
    """Whether the array is no view of another's memory: its own, or a block that nobody else holds."""
    if a.flags.owndata:
        return True
    return _native is not None and isinstance(a.base, _native.Block) and _references_of_base(a) <= _ALONE


def _references_of_base(a: Array) -> int:
    base = a.base
    return getrefcount(base)


#: what ``_references_of_base`` is where only the array holds it: Pythons differ
_ALONE = _references_of_base(np.ndarray((1,), np.uint8, bytearray(1)))
