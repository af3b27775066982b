"""Operators that only derivatives call, straight: adjoints of selections and the pullbacks of scans."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from convgrad.ops import einsum, pad, rearrange, reduce, scan, scatter, shape
from convgrad.tensor.tensor import apply

from .case import Case, direct, kinds, values

Array = Any
M, V = values(1, 3, 4), values(2, 6)
E, Z = np.zeros((3, 0)), np.array(1.5)
ROWS = np.array([0, 2, 2])
GRID = np.array([[0, 2, 2, 1], [2, 0, 2, 0]])
ORDER = np.array([[1, 0, 2, 0], [0, 2, 0, 1]])


def _case(
    op: type,
    kind: str,
    params: Any,
    args: tuple[Array, ...],
    reference: Callable[..., Any],
    name: str = "direct",
) -> Case:
    return Case(
        op, f"{name}-{kind}", direct(op, *params), args, reference, tags=frozenset({kind} - {"ordinary"})
    )


def _summed(out_shape: tuple[int, ...]) -> Callable[[Array], Array]:
    """Each element added where GRID sends it along axis 0."""

    def run(x: Array) -> Array:
        out = np.zeros(out_shape)
        for i, j in np.ndindex(x.shape):
            out[GRID[i, j], j] += x[i, j]
        return out

    return run


def _ordered(x: Array) -> Array:
    out = np.zeros((3, 4))
    for i, j in np.ndindex(x.shape):
        out[ORDER[i, j], j] = x[i, j]
    return out


def _rows(x: Array) -> Array:
    out = np.zeros((4, 4))
    for row, k in zip(x, ROWS, strict=True):
        out[k] += row
    return out


def _cumprod_grad(g: Array, x: Array) -> Array:
    """gx[k] = sum over i >= k of g[i] times the product of x[0 .. i] without x[k]."""
    out = np.zeros(x.shape)
    for at in np.ndindex(x.shape):
        *lead, k = at
        row, weight = x[tuple(lead)], g[tuple(lead)]
        out[at] = sum(
            weight[i] * np.prod([row[j] for j in range(i + 1) if j != k]) for i in range(k, len(row))
        )
    return out


def _exp_scan(reverse: bool) -> Callable[..., Array]:
    """out[k] = sum of w[i] exp(a[k] + b[i]) over i <= k, or i >= k."""

    def run(w: Array, a: Array, b: Array) -> Array:
        n = w.shape[-1]
        reach = np.tri(n) if not reverse else np.tri(n).T
        return np.einsum("...k,ki,...i->...k", np.exp(a), reach, w * np.exp(b))

    return run


def _with_zeros(x: Array) -> Array:
    x[0, 1] = x[1, 2] = x[1, 3] = 0
    return x


def _folded(x: Array) -> Array:
    """Windows of 3 every 2 along axis 1 of (2, 7) added back."""
    out = np.zeros((2, 7))
    for w, k in np.ndindex(3, 3):
        out[:, 2 * w + k] += x[:, w, k]
    return out


def _folded_first(x: Array) -> Array:
    """Two windows of 4 every 3 along axis 0 of (7, 2) added back."""
    out = np.zeros((7, 2))
    for w, k in np.ndindex(2, 4):
        out[3 * w + k] += x[w, :, k]
    return out


def _reflected(x: Array) -> Array:
    """The adjoint of reflecting (2, 1) along the last axis of 4."""
    out = np.zeros((*x.shape[:-1], 4))
    for i, source in enumerate([2, 1, 0, 1, 2, 3, 2]):
        out[..., source] += x[..., i]
    return out


def _replaced(x: Array, v: Array) -> Array:
    out = x.copy()
    out[[0, 2]] = v
    return out


TAKE = np.array([[0, -1, 2], [5, 5, -1]])
POSITIONS = [(i, j) for i in range(2) for j in range(3)]


def _strided_put(x: Array) -> Array:
    out = np.zeros(6)
    for at in POSITIONS:
        if TAKE[at] >= 0:
            out[TAKE[at]] += x[at]
    return out


def _diagonals(x: Array) -> Array:
    """Axes (i, j) put on the axes i, j, i."""
    out = np.zeros((*x.shape, x.shape[0]))
    for i, j in np.ndindex(x.shape):
        out[i, j, i] = x[i, j]
    return out


#: the view x.T[1:3]
STEPS = ((shape.Permute, ((1, 0),)), (shape.Slice, ((slice(1, 3),),)))


def _into_view(x: Array, v: Array) -> Array:
    out = x.copy()
    out.T[1:3] = v
    return out


def _same(*xs: Array) -> Array:
    return xs[0]


def _zeros(*size: int) -> Callable[..., Array]:
    return lambda *_: np.zeros(size)


CASES: list[Case] = [
    *kinds(shape.IndexPut, "repeats", direct(shape.IndexPut, (ROWS,), (4, 4)), _rows, M),
    _case(shape.IndexPut, "empty", ((ROWS[:0],), (4, 4)), (np.zeros((0, 4)),), _zeros(4, 4)),
    _case(shape.IndexPut, "0d", ((np.array(1),), (3,)), (Z,), lambda x: np.array([0, x, 0])),
    *kinds(reduce.ScatterSum, "repeats", direct(reduce.ScatterSum, GRID, 0, (3, 4)), _summed((3, 4)), values(3, 2, 4)),
    _case(reduce.ScatterSum, "empty", (GRID[:0], 0, (3, 4)), (np.zeros((0, 4)),), _zeros(3, 4)),
    *kinds(reduce.Place, "once", direct(reduce.Place, ORDER, 0, 3), _ordered, values(3, 2, 4)),
    _case(reduce.Place, "empty", (ORDER[:0], 0, 3), (np.zeros((0, 4)),), _zeros(3, 4)),
    *kinds(scan.CumProdGrad, "plain", direct(scan.CumProdGrad, 1), _cumprod_grad, values(4, 2, 4), values(5, 2, 4), empty=(E, E)),
    *kinds(scan.CumProdGrad, "zeros", direct(scan.CumProdGrad, 1), _cumprod_grad, values(4, 2, 4), _with_zeros(values(5, 2, 4))),
    _case(scan.CumProdGrad, "0d", (0,), (Z, np.array(0.7)), _same),
    *kinds(scan.ExpScan, "on", direct(scan.ExpScan, 1, False), _exp_scan(False), values(4, 2, 4), values(5, 2, 4), values(6, 2, 4), empty=(E, E, E)),
    *kinds(scan.ExpScan, "back", direct(scan.ExpScan, 1, True), _exp_scan(True), values(4, 2, 4), values(5, 2, 4), values(6, 2, 4)),
    _case(scan.ExpScan, "0d", (0, False), (Z, np.array(0.7), np.array(-0.2)), lambda w, a, b: w * np.exp(a + b)),
    *kinds(rearrange.Fold, "windows", direct(rearrange.Fold, 1, 3, 2, (2, 7)), _folded, values(7, 2, 3, 3)),
    *kinds(rearrange.Fold, "long", direct(rearrange.Fold, 0, 4, 3, (7, 2)), _folded_first, values(7, 2, 2, 4)),
    _case(rearrange.Fold, "empty", (1, 3, 2, (0, 7)), (np.zeros((0, 3, 3)),), _zeros(0, 7)),
    _case(rearrange.Fold, "0d", (0, 1, 1, ()), (np.array([1.5]),), lambda x: x[0]),
    *kinds(rearrange.StridedTake, "some", direct(rearrange.StridedTake, TAKE), lambda x: np.where(TAKE < 0, 0, x[TAKE]), V),
    _case(rearrange.StridedTake, "empty", (TAKE[:0],), (V,), _zeros(0, 3)),
    _case(rearrange.StridedTake, "0d", (np.array(0),), (Z,), _same),
    *kinds(rearrange.StridedPut, "some", direct(rearrange.StridedPut, TAKE, (6,)), _strided_put, values(8, 2, 3)),
    _case(rearrange.StridedPut, "empty", (TAKE[:0], (6,)), (np.zeros((0, 3)),), _zeros(6)),
    _case(rearrange.StridedPut, "0d", (np.array(0), ()), (Z,), _same),
    *kinds(einsum.PutDiagonal, "iji", direct(einsum.PutDiagonal, (0, 1, 0)), _diagonals, M, empty=(E,)),
    _case(einsum.PutDiagonal, "0d", ((),), (Z,), _same),
    *kinds(einsum.TakeDiagonal, "iji", direct(einsum.TakeDiagonal, (0, 1, 0)), lambda x: np.stack([x[i, :, i] for i in range(3)]), values(9, 3, 4, 3), empty=(np.zeros((3, 0, 3)),)),
    _case(einsum.TakeDiagonal, "0d", ((),), (Z,), _same),
    *kinds(pad.Border, "replicate", direct(pad.Border, ((0, 0), (2, 1)), "replicate"), lambda x: np.pad(x, ((0, 0), (2, 1)), mode="edge"), M, empty=(M[:0],)),
    _case(pad.Border, "0d", ((), "reflect"), (Z,), _same),
    *kinds(pad.BorderFold, "reflect", direct(pad.BorderFold, ((0, 0), (2, 1)), "reflect", (3, 4)), _reflected, values(10, 3, 7), empty=(np.zeros((0, 7)),)),
    *kinds(pad.BorderFold, "short", direct(pad.BorderFold, ((3, 2), (0, 0)), "replicate", (1, 4)), lambda x: x.sum(0, keepdims=True), values(10, 6, 4)),
    _case(pad.BorderFold, "0d", ((), "reflect", ()), (Z,), _same),
    *kinds(scatter.Replace, "rows", direct(scatter.Replace, ([0, 2],)), _replaced, M, values(11, 2, 4), empty=(E, np.zeros((2, 0)))),
    _case(scatter.Replace, "0d", ((),), (Z, np.array(0.2)), lambda x, v: v),
    *kinds(shape.CopySlices, "turned", lambda x, v: apply(shape.CopySlices, (x, v), (STEPS,)), _into_view, M, values(12, 2, 3), empty=(np.zeros((0, 4)), np.zeros((2, 0)))),
    *kinds(shape.Review, "turned", lambda x: apply(shape.Review, (x,), (STEPS,)), lambda x: x.T[1:3], M, empty=(np.zeros((0, 4)),)),
    _case(shape.Review, "0d", (((shape.Reshape, ((1,),)),),), (Z,), lambda x: x.reshape(1)),
    _case(shape.CopySlices, "0d", (((shape.Reshape, ((1,),)),),), (Z, np.array([0.2])), lambda x, v: v[0]),
]  # fmt: skip
ERRORS: list[Any] = []
