"""Cases of indexing, gather, scatter and their kin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from convgrad.errors import ConvgradError, DimError, ShapeError
from convgrad.ops import scatter, shape
from convgrad.tensor import creation

from .case import Case, ErrorCase, direct, kinds, values

M = values(1, 3, 4)
S = values(2, 4, 3).T
E = np.zeros((3, 0))
K = creation.tensor([0, 2, 2])
N = np.array([0, 2, 2])
G = np.array([[0, 1, 2, 0], [2, 2, 0, 1]])
TG = creation.tensor(G)
MASK = np.array([[True, False, True, False], [False] * 4, [True] * 4])
TM = creation.tensor(MASK)


def tags(*names: str) -> frozenset[str]:
    return frozenset(names)


def trio(op: type, name: str, call: Callable[..., Any], reference: Callable[..., Any]) -> list[Case]:
    """Plain, strided and empty input."""
    return [
        Case(op, f"{name}-plain", call, (M,), reference),
        Case(op, f"{name}-strided", call, (S,), reference, tags=tags("strided")),
        Case(op, f"{name}-empty", call, (E,), reference, tags=tags("empty")),
    ]


def scattered(x: Any, src: Any, combine: Callable[[Any, Any], Any]) -> Any:
    """scatter along axis 0 by loops from the definition."""
    out = x.copy()
    for i in range(G.shape[0]):
        for j in range(G.shape[1]):
            out[G[i, j], j] = combine(out[G[i, j], j], src[i, j])
    return out


def added(x: Any, source: Any) -> Any:
    out = x.copy()
    for row, k in zip(source, N, strict=True):
        out[k] += row
    return out


def replaced(x: Any, key: Any, v: Any) -> Any:
    out = x.copy()
    out[key] = v
    return out


CASES: list[Case] = [
    *trio(shape.Index, "basic", direct(shape.Index, (slice(1, None), ..., None)), lambda x: x[1:, :, None]),
    *trio(shape.IndexTensor, "rows", lambda x: x[K], lambda x: x[N]),
    *trio(shape.IndexTensor, "mixed", lambda x: x[None, [0, 2], 1:], lambda x: x[[0, 2], 1:][None]),
    Case(shape.IndexTensor, "mask", lambda x: x[TM], (M,), lambda x: x[MASK]),
    Case(shape.IndexTensor, "pairs", lambda x: x[K, [0, 1, 1]], (M,), lambda x: x[N, [0, 1, 1]]),
    Case(shape.IndexTensor, "0d", lambda x: x[True], (np.array(2.5),), lambda x: x[None], tags=tags("0d")),
    *trio(scatter.IndexSelect, "index-select", lambda x: x.index_select(0, K), lambda x: np.take(x, N, 0)),
    Case(scatter.Gather, "gather", lambda x: x.gather(0, TG), (M,), lambda x: np.take_along_axis(x, G, 0)),
    Case(scatter.Gather, "gather-strided", lambda x: x.gather(0, TG), (S,), lambda x: np.take_along_axis(x, G, 0), tags=tags("strided")),
    Case(scatter.Scatter, "scatter", lambda x, s: x.scatter(0, TG[:1], s), (M, values(3, 1, 4)), lambda x, s: replaced(x, (G[0], np.arange(4)), s[0])),
    Case(scatter.ScatterValue, "scatter-value", lambda x: x.scatter(0, TG, 2.0), (M,), lambda x: scattered(x, np.full((2, 4), 2.0), lambda a, b: b)),
    Case(scatter.ScatterAdd, "scatter-add", lambda x, s: x.scatter_add(0, TG, s), (S, values(4, 2, 4)), lambda x, s: scattered(x, s, lambda a, b: a + b), tags=tags("strided")),
    Case(scatter.ScatterReduceSum, "sum", lambda x, s: x.scatter_reduce(0, TG, s, "sum"), (M, values(4, 2, 4)), lambda x, s: scattered(x, s, lambda a, b: a + b)),
    Case(scatter.ScatterReduce, "amax", lambda x, s: x.scatter_reduce(0, TG, s, "amax"), (M, values(4, 2, 4)), lambda x, s: scattered(x, s, max)),
    Case(scatter.ScatterReduce, "prod", lambda x, s: x.scatter_reduce(0, TG, s, "prod"), (M, values(4, 2, 4)), lambda x, s: scattered(x, s, lambda a, b: a * b)),
    Case(scatter.IndexAdd, "index-add", lambda x, s: x.index_add(0, K, s), (M, values(5, 3, 4)), added),
    Case(scatter.IndexAdd, "index-add-strided", lambda x, s: x.index_add(0, K, s, alpha=-2), (S, values(5, 3, 4)), lambda x, s: added(x, -2 * s), tags=tags("strided")),
    Case(scatter.IndexCopy, "index-copy", lambda x, s: x.index_copy(0, K[:2], s), (M, values(6, 2, 4)), lambda x, s: replaced(x, [0, 2], s)),
    Case(scatter.IndexFill, "index-fill", lambda x: x.index_fill(1, K, 3.0), (M,), lambda x: replaced(x, (slice(None), N), 3.0)),
    Case(scatter.IndexFillTensor, "index-fill-tensor", lambda x, v: x.index_fill(1, K, v), (M, np.array(0.7)), lambda x, v: replaced(x, (slice(None), N), v), tags=tags("0d")),
    Case(shape.SetIndex, "index-put", lambda x, v: x.index_put((K[:2],), v), (M, values(7, 4)), lambda x, v: replaced(x, [0, 2], v), tags=tags("broadcast")),
    Case(shape.SetIndex, "accumulate", lambda x, v: x.index_put((K,), v, accumulate=True), (M, values(7, 4)), lambda x, v: added(x, np.stack([v] * 3)), tags=tags("broadcast")),
    Case(scatter.MaskedSelect, "masked-select", lambda x: x.masked_select(TM), (M,), lambda x: x[MASK]),
    Case(scatter.MaskedSelect, "masked-select-broadcast", lambda x: x.masked_select(TM), (values(8, 4),), lambda x: np.stack([x] * 3)[MASK], tags=tags("broadcast")),
    Case(scatter.MaskedScatter, "masked-scatter", lambda x, s: x.masked_scatter(TM, s), (M, values(9, 7)), lambda x, s: replaced(x, MASK, s[:6])),
    *trio(scatter.Take, "take", lambda x: x.take(TG % max(x.numel(), 1)) if x.numel() else x.take(TG[:0]), lambda x: x.reshape(-1)[G] if x.size else np.zeros((0, 4))),
    Case(scatter.Put, "put", lambda x, s: x.put(K[:2], s), (M, values(10, 2)), lambda x, s: replaced(x.reshape(-1), [0, 2], s).reshape(3, 4)),
    Case(scatter.SelectScatter, "select-scatter", lambda x, s: x.select_scatter(s, 0, 1), (M, values(11, 4)), lambda x, s: replaced(x, 1, s)),
    Case(scatter.SliceScatter, "slice-scatter", lambda x, s: x.slice_scatter(s, 1, 1, 3), (M, values(12, 3, 2)), lambda x, s: replaced(x, (slice(None), slice(1, 3)), s)),
]  # fmt: skip

ZERO, ONE = np.array(2.5), np.array([-0.7])
#: sums of these are exact in half precision too, in which put accumulates, as in PyTorch
EIGHTHS = np.round(M * 8) / 8
K0, N0 = creation.tensor(0), creation.tensor([0])
KE = K[:0]
YES = creation.tensor(True)


def zero(op: type, name: str, call: Callable[..., Any], reference: Callable[..., Any], *more: Any) -> Case:
    """A 0-d tensor, which these functions take for one of one element."""
    return Case(op, f"{name}-0d", call, (ZERO, *more), reference, tags=tags("0d"))


def second(x: Any, s: Any) -> Any:
    return s


CASES += [
    Case(scatter.Gather, "gather-empty", lambda x: x.gather(0, TG[:0]), (M,), lambda x: np.zeros((0, 4)), tags=tags("empty")),
    zero(scatter.Gather, "gather", lambda x: x.gather(0, K0), lambda x: x),
    *kinds(scatter.Scatter, "rows", lambda x, s: x.scatter(0, TG[:1, :s.shape[1]], s), lambda x, s: replaced(x, (G[0, : s.shape[1]], np.arange(s.shape[1])), s[0]), M, values(3, 1, 4), empty=(E, np.zeros((1, 0)))),
    zero(scatter.Scatter, "scatter", lambda x, s: x.scatter(0, K0, s), second, np.array(0.3)),
    *kinds(scatter.ScatterValue, "value", lambda x: x.scatter(0, TG[:, : x.shape[1]], 2.0), lambda x: scattered(x, np.full((2, 4), 2.0), lambda a, b: b) if x.size else x, M, empty=(E,)),
    zero(scatter.ScatterValue, "value", lambda x: x.scatter(0, K0, 2.0), lambda x: np.array(2.0)),
    *kinds(scatter.ScatterAdd, "rows", lambda x, s: x.scatter_add(0, TG[:, : x.shape[1]], s), lambda x, s: scattered(x, s, lambda a, b: a + b) if x.size else x, M, values(4, 2, 4), empty=(E, np.zeros((2, 0)))),
    zero(scatter.ScatterAdd, "scatter-add", lambda x, s: x.scatter_add(0, K0, s), lambda x, s: x + s, np.array(0.3)),
    *kinds(scatter.ScatterReduceSum, "rows", lambda x, s: x.scatter_reduce(0, TG[:, : x.shape[1]], s, "sum"), lambda x, s: scattered(x, s, lambda a, b: a + b) if x.size else x, M, values(4, 2, 4), empty=(E, np.zeros((2, 0)))),
    zero(scatter.ScatterReduceSum, "sum", lambda x, s: x.scatter_reduce(0, K0, s, "sum"), lambda x, s: x + s, np.array(0.3)),
    *[
        case
        for how, combine in (("amin", min), ("amax", max), ("prod", lambda a, b: a * b))
        for case in kinds(scatter.ScatterReduce, how, lambda x, s, h=how: x.scatter_reduce(0, TG[:, : x.shape[1]], s, h), lambda x, s, c=combine: scattered(x, s, c) if x.size else x, M, values(4, 2, 4), empty=(E, np.zeros((2, 0))))
    ],
    *kinds(scatter.ScatterReduce, "mean", lambda x, s: x.scatter_reduce(0, TG, s, "mean"), lambda x, s: scattered(x, s, lambda a, b: a + b) / scattered(np.ones((3, 4)), np.ones((2, 4)), lambda a, b: a + b), M, values(4, 2, 4)),
    *kinds(scatter.ScatterReduce, "mean-alone", lambda x, s: x.scatter_reduce(0, TG[:1], s, "mean", include_self=False), lambda x, s: replaced(x, (G[0], np.arange(4)), s[0]), M, values(4, 1, 4)),
    zero(scatter.ScatterReduce, "amax", lambda x, s: x.scatter_reduce(0, K0, s, "amax"), np.maximum, np.array(0.3)),
    Case(scatter.IndexAdd, "index-add-empty", lambda x, s: x.index_add(0, K, s), (E, E), lambda x, s: x, tags=tags("empty")),
    Case(scatter.IndexAdd, "index-add-none", lambda x, s: x.index_add(0, KE, s), (M, M[:0]), lambda x, s: x, tags=tags("empty")),
    zero(scatter.IndexAdd, "index-add", lambda x, s: x.index_add(0, N0, s, alpha=3), lambda x, s: x + 3 * s[0], ONE),
    *kinds(scatter.IndexCopy, "rows", lambda x, s: x.index_copy(0, K[:2], s), lambda x, s: replaced(x, [0, 2], s), M, values(6, 2, 4), empty=(E, np.zeros((2, 0)))),
    zero(scatter.IndexCopy, "index-copy", lambda x, s: x.index_copy(0, N0, s), lambda x, s: s[0], ONE),
    *kinds(scatter.IndexFill, "rows", lambda x: x.index_fill(0, K, 3.0), lambda x: replaced(x, N, 3.0), M, empty=(E,)),
    zero(scatter.IndexFill, "index-fill", lambda x: x.index_fill(0, N0, 3.0), lambda x: np.array(3.0)),
    *kinds(scatter.IndexFillTensor, "rows", lambda x, v: x.index_fill(0, K, v), lambda x, v: replaced(x, N, v), M, np.array(0.7), empty=(E, np.array(0.7))),
    *kinds(scatter.MaskedSelect, "mask", lambda x: x.masked_select(TM[:, : x.shape[1]]), lambda x: np.array([x[at] for at in np.ndindex(x.shape) if MASK[at]]), M, empty=(E,)),
    zero(scatter.MaskedSelect, "masked-select", lambda x: x.masked_select(YES), lambda x: x.reshape(1)),
    *kinds(scatter.MaskedScatter, "mask", lambda x, s: x.masked_scatter(TM[:, : x.shape[1]], s), lambda x, s: replaced(x, MASK, s[:6]) if x.size else x, M, values(9, 7), empty=(E, np.zeros(0))),
    zero(scatter.MaskedScatter, "masked-scatter", lambda x, s: x.masked_scatter(YES, s), lambda x, s: s[0], ONE),
    zero(scatter.IndexSelect, "index-select", lambda x: x.index_select(0, N0), lambda x: x),
    zero(scatter.Take, "take", lambda x: x.take(N0), lambda x: x.reshape(1)),
    *kinds(scatter.Put, "two", lambda x, s: x.put(K[:2], s), lambda x, s: replaced(x.reshape(-1), [0, 2], s).reshape(3, 4), M, values(10, 2)),
    *kinds(scatter.Put, "accumulate", lambda x, s: x.put(K, s, accumulate=True), lambda x, s: (x.reshape(-1) + np.array([s[0], 0, s[1] + s[2]] + [0] * 9)).reshape(3, 4), EIGHTHS, np.round(values(10, 3) * 8) / 8),
    Case(scatter.Put, "put-empty", lambda x, s: x.put(KE, s), (M, np.zeros(0)), lambda x, s: x, tags=tags("empty")),
    zero(scatter.Put, "put", lambda x, s: x.put(K0, s), second, np.array(0.3)),
    *kinds(scatter.SelectScatter, "row", lambda x, s: x.select_scatter(s, 0, 1), lambda x, s: replaced(x, 1, s), M, values(11, 4), empty=(E, np.zeros(0))),
    *kinds(scatter.SliceScatter, "rows", lambda x, s: x.slice_scatter(s, 0, 1, 3), lambda x, s: replaced(x, slice(1, 3), s), M, values(12, 2, 4), empty=(E, np.zeros((2, 0)))),
    *kinds(shape.SetIndex, "rows", lambda x, v: x.index_put((K[:2],), v), lambda x, v: replaced(x, [0, 2], v), M, values(7, 2, 4), empty=(E, np.zeros((2, 0)))),
    *kinds(shape.SetIndex, "accumulate-mask", lambda x, v: x.index_put((TM,), v, accumulate=True), lambda x, v: replaced(x, MASK, x[MASK] + v), M, values(7, 6)),
    zero(shape.SetIndex, "mask", lambda x, v: x.index_put((YES,), v), second, np.array(0.3)),
    Case(shape.Index, "0d", direct(shape.Index, (None, ..., None)), (ZERO,), lambda x: x.reshape(1, 1), tags=tags("0d")),
]  # fmt: skip

X = creation.ones(2, 3)
I5 = creation.tensor([5])
ERRORS: list[ErrorCase] = [
    ErrorCase("index-range", lambda: X[5], DimError, "index 5 is out of bounds for dimension 0 with size 2", shape.Select),
    ErrorCase("index-many", lambda: X[0, 0, 0], DimError, "too many indices for tensor of dimension 2", shape.Index),
    ErrorCase("index-0d", lambda: creation.tensor(1.0)[0], DimError, "invalid index of a 0-dim tensor", shape.Index),
    ErrorCase("index-float", lambda: X[1.0], IndexError, "only integers, slices", shape.Index),
    ErrorCase("index-mask", lambda: X[creation.tensor([True] * 3)], IndexError, "The shape of the mask [3] at index 0", shape.IndexTensor),
    ErrorCase("index-lists", lambda: X[[0, 1], [0, 1, 2]], IndexError, "could not be broadcast together", shape.IndexTensor),
    ErrorCase("index-step", lambda: X[::-1], ValueError, "step must be greater than zero", shape.Slice),
    ErrorCase("put-shape", lambda: X.index_put((K[:1],), creation.ones(5)), ShapeError, "cannot be broadcast to indexing result", shape.SetIndex),
    ErrorCase("iterate", lambda: iter(creation.tensor(1.0)), TypeError, "iteration over a 0-d tensor"),
    ErrorCase("select-range", lambda: X.index_select(0, I5), IndexError, "index out of range in self", scatter.IndexSelect),
    ErrorCase("gather-rank", lambda: X.gather(0, I5), RuntimeError, "same number of dimensions as input tensor", scatter.Gather),
    ErrorCase("gather-range", lambda: X.gather(0, I5[None]), RuntimeError, "index 5 is out of bounds", scatter.Gather),
    ErrorCase("scatter-range", lambda: X.scatter(0, I5[None], 1.0), RuntimeError, "index 5 is out of bounds", scatter.ScatterValue),
    ErrorCase("scatter-dtype", lambda: X.scatter(0, K[:1][None], creation.ones(1, 1).double()), RuntimeError, "Expected self.dtype to be equal to src.dtype", scatter.Scatter),
    ErrorCase("reduce", lambda: X.scatter_reduce(0, TG[:1, :3] * 0, X, "median"), RuntimeError, "reduce argument must be either", scatter.ScatterReduce),
    ErrorCase("add-count", lambda: X.index_add(0, K[:1], X), RuntimeError, "Number of indices (1) should be equal", scatter.IndexAdd),
    ErrorCase("copy-range", lambda: X.index_copy(0, I5, X[:1]), IndexError, "index 5 is out of bounds", scatter.IndexCopy),
    ErrorCase("fill-range", lambda: X.index_fill(0, I5, 1.0), IndexError, "index 5 is out of bounds", scatter.IndexFill),
    ErrorCase("mask-dtype", lambda: X.masked_select(X), ConvgradError, "expected BoolTensor for mask", scatter.MaskedSelect),
    ErrorCase("mask-source", lambda: X.masked_scatter(X > 0, X[0]), ConvgradError, "Number of elements of source < number of ones in mask", scatter.MaskedScatter),
    ErrorCase("take", lambda: X.take(I5 + 5), IndexError, "tried to access index 10 on a tensor of 6 elements", scatter.Take),
    ErrorCase("put", lambda: X.put(K, X), IndexError, "same number of elements", scatter.Put),
]  # fmt: skip
