"""Matrix products. NumPy's ``matmul`` (and through it the BLAS) does all the arithmetic."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..dtypes import Array
from .formula import Value, conj, reshape, swap_last
from .op import Bilinear


class MatMul(Bilinear):
    """Batches of matrices: a (..., m, k) times b (..., k, n), both of 2 or more axes."""

    saves = ("a", "b")
    backward_name = "BmmBackward0"

    @staticmethod
    def forward(a: Array, b: Array) -> tuple[Array, tuple[Any, ...]]:
        return np.matmul(a, b), (a, b)

    @staticmethod
    def vjp_a(g: Value, _a: Value, b: Value) -> Value:
        return g @ swap_last(conj(b))

    @staticmethod
    def vjp_b(g: Value, a: Value, _b: Value) -> Value:
        return swap_last(conj(a)) @ g


class Mm(MatMul):
    """One matrix (m, k) times another (k, n)."""

    backward_name = "MmBackward0"


class Mv(Bilinear):
    """A matrix (m, k) times a vector (k)."""

    saves = ("a", "b")

    @staticmethod
    def forward(a: Array, b: Array) -> tuple[Array, tuple[Any, ...]]:
        return np.matmul(a, b), (a, b)

    @staticmethod
    def vjp_a(g: Value, _a: Value, b: Value) -> Value:
        return reshape(g, (-1, 1)) * conj(b)

    @staticmethod
    def vjp_b(g: Value, a: Value, _b: Value) -> Value:
        return reshape(swap_last(conj(a)) @ reshape(g, (-1, 1)), (a.shape[1],))


class Dot(Bilinear):
    """The inner product of two vectors (n)."""

    saves = ("a", "b")

    @staticmethod
    def forward(a: Array, b: Array) -> tuple[Array, tuple[Any, ...]]:
        return np.asarray(np.dot(a, b)), (a, b)

    @staticmethod
    def vjp_a(g: Value, _a: Value, b: Value) -> Value:
        return g * conj(b)

    @staticmethod
    def vjp_b(g: Value, a: Value, _b: Value) -> Value:
        return g * conj(a)
