"""Rows of a table picked by index, and the sum back into the rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..dtypes import Array
from ..kernels import table
from . import formula
from .formula import Value, call, where
from .op import Linear, Op
from .reduce import ScatterSum


class Embedding(Linear):
    """``w[index]``: w ``(V, D)``, index of any shape, out ``(*index.shape, D)``.

    The row ``padding`` (-1: none) gets no gradient. ``rarity`` divides a row's gradient by how often index
    has it.
    """

    holds = True

    saves = ("index", "padding", "rarity", "rows")
    exact = True

    @staticmethod
    def forward(w: Array, index: Any, padding: int, rarity: bool = False) -> tuple[Array, tuple[Any, ...]]:
        return w.take(index, 0), (index, padding, rarity, w.shape[0])

    @staticmethod
    def vjp_w(g: Value, index: Any, padding: int, rarity: bool, rows: int) -> Value:
        if rarity:
            g = g * _one_over_count(index, g.dtype)[..., None]
        return call(EmbeddingDense, g, index, padding, rows)

    @staticmethod
    def jvp_w(d: Value, index: Any, padding: int, rarity: bool, rows: int) -> Value:
        return call(Embedding, d, index, -1)


def _one_over_count(index: Array, dtype: Any) -> Array:
    """For each entry of index, one over the number of entries like it."""
    _, inverse, counts = np.unique(index, return_inverse=True, return_counts=True)
    return (1.0 / counts[inverse]).reshape(index.shape).astype(dtype)


class EmbeddingDense(Linear):
    """Rows of g summed by index into ``(rows, D)``, in their order."""

    saves = ("index", "padding", "rows")

    @staticmethod
    def forward(g: Array, index: Any, padding: int, rows: int) -> tuple[Array, tuple[Any, ...]]:
        out = table.add_rows(g.reshape(index.size, g.shape[-1]), index.reshape(-1), 0, rows)
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


class EmbeddingBag(Op):
    """Sums of rows, ``out[b] = sum of s[i] w[index[i]] where bag[i] = b``; w ``(V, D)``, out ``(bags, D)``.

    index and bag are ``(n,)``; s is ``(n,)`` or None, for ones. ``rarity`` as for ``Embedding``. The gradient
    of w is such sums as well, with index and bag exchanged.
    """

    holds = True

    saves = ("w", "s", "index", "bag", "bags", "rarity", "rows")

    @staticmethod
    def forward(
        w: Array, s: Array, index: Any, bag: Any, bags: int, rarity: bool
    ) -> tuple[Array, tuple[Any, ...]]:
        return table.move_rows(w, index, bag, s, bags), (w, s, index, bag, bags, rarity, w.shape[0])

    @staticmethod
    def vjp_w(
        g: Value, _w: Value, s: Value, index: Any, bag: Any, _bags: int, rarity: bool, rows: int
    ) -> Value:
        if rarity:
            share = _one_over_count(index, g.dtype)
            s = share if s is None else s * share
        return call(EmbeddingBag, g, s, bag, index, rows, False)

    @staticmethod
    def vjp_s(
        g: Value, w: Value, _s: Value, index: Any, bag: Any, _bags: int, _rarity: bool, _rows: int
    ) -> Value:
        return formula.sum(call(Embedding, g, bag, -1) * call(Embedding, w, index, -1), 1)

    @staticmethod
    def jvp_w(
        d: Value, _w: Value, s: Value, index: Any, bag: Any, bags: int, _rarity: bool, _rows: int
    ) -> Value:
        return call(EmbeddingBag, d, s, index, bag, bags, False)

    @staticmethod
    def jvp_s(
        d: Value, w: Value, _s: Value, index: Any, bag: Any, bags: int, _rarity: bool, _rows: int
    ) -> Value:
        return call(EmbeddingBag, w, d, index, bag, bags, False)


def bag_starts(bag: Array) -> tuple[Array, Array]:
    """The bags that hold something, and where in ``bag`` (ascending) each begins."""
    if not bag.size:
        return bag, bag
    starts = np.flatnonzero(np.concatenate(([True], bag[1:] != bag[:-1])))
    return bag[starts], starts


class EmbeddingBagMax(Linear):
    """``w[winners[b, j], j]`` where bag b is ``full`` (not empty), else 0; w ``(V, D)``, out ``(B, D)``."""

    backward_name = "EmbeddingBagBackward0"
    saves = ("winners", "full", "size")

    @staticmethod
    def forward(w: Array, winners: Any, full: Any) -> tuple[Array, tuple[Any, ...]]:
        out = np.take_along_axis(w, winners, 0)
        out[~full] = 0
        return out, (winners, full, w.shape)

    @staticmethod
    def vjp_w(g: Value, winners: Any, full: Any, size: tuple[int, int]) -> Value:
        return call(ScatterSum, where(full[:, None], g, 0.0), winners, 0, size)


def winners(w: Array, index: Array, bag: Array, bags: int) -> tuple[Array, Array]:
    """The row that holds the largest number of each bag in each column (the first of equals), ``(bags, D)``,
    and which bags hold something."""
    out = np.zeros((bags, w.shape[1]), np.int64)
    occupied = np.zeros(bags, bool)
    full, starts = bag_starts(bag)
    if full.size:
        rows = w.take(index, 0)
        most = np.zeros((bags, w.shape[1]), w.dtype)
        begun = rows[starts]  # a nan is the largest where it comes first, and never afterwards
        most[full] = np.where(np.isnan(begun), begun, np.fmax.reduceat(rows, starts, 0))
        largest = (rows == most[bag]) | np.isnan(most[bag])
        place = np.where(largest, np.arange(len(index))[:, None], len(index))
        out[full] = index[np.minimum.reduceat(place, starts, 0)]
        occupied[full] = True
    return out, occupied
