"""Rows of a table picked by index, and the sum back into the rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..dtypes import Array
from .formula import Value, call
from .op import Linear


class Embedding(Linear):
    """``w[index]``: w ``(V, D)``, index of any shape, out ``(*index.shape, D)``.

    The row ``padding`` (-1: none) gets no gradient.
    """

    saves = ("index", "padding", "rows")
    exact = True

    @staticmethod
    def forward(w: Array, index: Any, padding: int) -> tuple[Array, tuple[Any, ...]]:
        return w.take(index, 0), (index, padding, w.shape[0])

    @staticmethod
    def vjp_w(g: Value, index: Any, padding: int, rows: int) -> Value:
        return call(EmbeddingDense, g, index, padding, rows)

    @staticmethod
    def jvp_w(d: Value, index: Any, padding: int, rows: int) -> Value:
        return call(Embedding, d, index, -1)


class EmbeddingDense(Linear):
    """Rows of g summed by index into ``(rows, D)``: indices sorted once, then sums of runs."""

    saves = ("index", "padding", "rows")

    @staticmethod
    def forward(g: Array, index: Any, padding: int, rows: int) -> tuple[Array, tuple[Any, ...]]:
        out = np.zeros((rows, g.shape[-1]), g.dtype)
        flat = index.reshape(-1)
        if flat.size:
            order = np.argsort(flat, kind="stable")
            ranked = flat[order]
            starts = np.flatnonzero(np.concatenate(([True], ranked[1:] != ranked[:-1])))
            out[ranked[starts]] = np.add.reduceat(g.reshape(flat.size, -1)[order], starts, 0)
        if padding >= 0:
            out[padding] = 0
        return out, (index, padding, rows)

    @staticmethod
    def vjp_g(d: Value, index: Any, padding: int, rows: int) -> Value:
        if padding >= 0:
            keep = np.ones((rows, 1), d.dtype)
            keep[padding] = 0
            d = d * keep
        return call(Embedding, d, index, -1)
