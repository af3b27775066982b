"""Matrix products on compiled kernels: the same bits for any number of threads, no second pool of threads.

A BLAS keeps threads of its own. They spin for milliseconds after each product, on cores that the kernels of
the next operators want, and beside a busy process they wait for each other a thousand times as long as they
compute.
"""

from __future__ import annotations

from convgrad.dtypes import F32, F64, Array
from convgrad.kernels import products
from convgrad.kernels.machine import _native, instruction_set
from convgrad.kernels.memory import allocator, in_order

instruction_set()  # chooses what runs

_ACTIVATIONS = {None: 0, "relu": 1}
_product = _native.product

#: elements of ``b`` above which its packed copy would be too large for scratch memory
_MOST_PACKED = 1 << 23


def product(a: Array, b: Array, bias: Array | None = None, activation: str | None = None) -> Array:
    """``products.product`` for float32 and float64 matrices in rows or columns."""
    dtype = a.dtype
    if (dtype is F32 or dtype is F64) and b.size <= _MOST_PACKED and b.size and a.size:
        shape = a.shape[0], b.shape[1]
        out: Array = allocator(shape, dtype)(shape, dtype)
        try:
            _product(a, b, bias, out, dtype is F64, _ACTIVATIONS[activation])
        except TypeError:  # in other steps, or of two dtypes
            return products.product(in_order(a), in_order(b), bias, activation)
        return out
    return products.product(a, b, bias, activation)
