"""Cases of distances, norms cut to a limit, reductions by index and pieces that are no views; errors around them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from convgrad.errors import ConvgradError, DimError, DtypeError, ShapeError
from convgrad.ops import distance, scatter, shape
from convgrad.tensor import creation
from convgrad.tensor import functions_copies as copies
from convgrad.tensor import functions_numeric as numeric

from .case import Case, ErrorCase, kinds, values

Array = Any
A, B, V = values(1, 3, 4), values(2, 2, 4), values(3, 4)
N, Z = np.zeros((0, 4)), np.array(1.5)
K = creation.tensor([0, 2, 0])
P = (0.0, 0.5, 1.0, 1.7, 2.0, 3.0, math.inf)


def length(x: Array, p: float) -> float:
    """The p-norm of a vector from the definition."""
    sizes = [abs(v) for v in np.ravel(x)]
    if p == 0:
        return float(sum(v != 0 for v in sizes))
    return float(max(sizes, default=0.0)) if math.isinf(p) else sum(v**p for v in sizes) ** (1 / p)


def between(p: float) -> Callable[[Array, Array], Array]:
    """All distances of rows from rows."""
    return lambda a, b: np.array([[length(x - y, p) for y in b] for x in a]).reshape(len(a), len(b))


def shortened(p: float, axis: int, limit: float) -> Callable[[Array], Array]:
    def run(x: Array) -> Array:
        rows = [
            r * (min(1.0, limit / (length(r, p) + 1e-7)) if length(r, p) > limit else 1)
            for r in np.moveaxis(x, axis, 0)
        ]
        return np.moveaxis(np.array(rows).reshape(np.moveaxis(x, axis, 0).shape), 0, axis)

    return run


def reduced(kind: str, include: bool) -> Callable[[Array, Array], Array]:
    """index_reduce along the first axis by loops."""

    def run(x: Array, source: Array) -> Array:
        out = x.copy()
        for row in {0, 2}:
            met = [source[i] for i, k in enumerate((0, 2, 0)) if k == row]
            met = [x[row], *met] if include else met
            f = {"prod": np.prod, "mean": np.mean, "amax": np.max, "amin": np.min}[kind]
            out[row] = f(np.array(met), axis=0)
        return out

    return run


CASES: list[Case] = [
    *[
        case
        for p in P
        for case in kinds(distance.EuclideanDist if p == 2 else distance.Cdist, f"p{p:g}", lambda a, b, p=p: numeric.cdist(a, b, p), between(p), A, B, empty=(N, B) if p > 1.8 else None)
    ],
    *kinds(distance.EuclideanDist, "many", numeric.cdist, between(2), values(8, 40, 12), values(9, 41, 12)),
    *kinds(distance.EuclideanDist, "batch", numeric.cdist, lambda a, b: np.stack([between(2)(x, b[0]) for x in a]), values(8, 3, 2, 4), values(9, 1, 3, 4)),
    *[
        case
        for p in P
        for case in kinds(
            distance.Dist, f"p{p:g}", lambda a, b, p=p: a.dist(b, p), lambda a, b, p=p: np.asarray(length(a - b, p)), A, V,
            empty=(N, V) if p == 2 else None, zero=(Z, np.array(0.4)),
        )
    ],
    *kinds(distance.Renorm, "rows", lambda x: x.renorm(2, 0, 1.9), shortened(2, 0, 1.9), A, empty=(np.zeros((3, 0)),)),
    *kinds(distance.Renorm, "columns", lambda x: x.renorm(1, 1, 2.0), shortened(1, 1, 2.0), A),
    *kinds(distance.Renorm, "largest", lambda x: x.renorm(math.inf, 0, 1.0), shortened(math.inf, 0, 1.0), A),
    *kinds(distance.Renorm, "cubes", lambda x: x.renorm(3, -1, 1.0), shortened(3, 2, 1.0), values(6, 2, 3, 2)),
    Case(distance.Renorm, "complex", lambda x: x.renorm(2, 0, 1.0), (A + 1j * values(7, 3, 4),), shortened(2, 0, 1.0)),
    *[
        case
        for kind in ("prod", "mean", "amax", "amin")
        for include in (True, False)
        for case in kinds(
            scatter.IndexReduce, f"{kind}-{include}", lambda x, s, k=kind, i=include: x.index_reduce(0, K, s, k, include_self=i),
            reduced(kind, include), A, values(5, 3, 4), empty=(np.zeros((3, 0)), np.zeros((3, 0))),
        )
    ],
    Case(scatter.IndexReduce, "0d", lambda x, s: x.index_reduce(0, K[:1], s, "prod"), (Z, np.array(0.4)), lambda x, s: x * s, tags=frozenset({"0d"})),
    *kinds(shape.UnsafeSplit, "two", lambda x: x.unsafe_split(2), lambda x: (x[:2], x[2:]) if len(x) else (x,), A, empty=(N,)),
    *kinds(shape.UnsafeSplit, "chunk", lambda x: x.unsafe_chunk(2, 1), lambda x: (x[:, :2], x[:, 2:]), A),
    *kinds(shape.UnsafeSplitSizes, "sizes", lambda x: x.unsafe_split_with_sizes((1, x.shape[1] - 1), 1), lambda x: (x[:, :1], x[:, 1:]), A, empty=(N,)),
]  # fmt: skip

T, WHOLE = creation.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 7.0]]), creation.tensor([[1, 2, 3]])
W = creation.tensor([1.0, 2.0, 3.0])
NUMBER = creation.tensor(2.0)

ERRORS: list[ErrorCase] = [
    ErrorCase("cdist-width", lambda: numeric.cdist(T, T[:, :2]), ShapeError, "must have the same number of columns. X1: 3 X2: 2", distance.EuclideanDist),
    ErrorCase("cdist-1d", lambda: numeric.cdist(W, T), ShapeError, "only supports at least 2D tensors, X1 got: 1D"),
    ErrorCase("cdist-batch", lambda: numeric.cdist(T.expand(2, 2, 3), T.expand(3, 2, 3)), ShapeError, "must match the size of tensor b (3)"),
    ErrorCase("cdist-p", lambda: numeric.cdist(T, T, -1), ConvgradError, "non-negative p values"),
    ErrorCase("cdist-kind", lambda: numeric.cdist(T, T, "a"), TypeError, "argument 'p'"),
    ErrorCase("cdist-integers", lambda: numeric.cdist(WHOLE, WHOLE), DtypeError, "X1 got: Long"),
    ErrorCase("cdist-dtypes", lambda: numeric.cdist(T, T.double()), DtypeError, "expected scalar type Float but found Double"),
    ErrorCase("cdist-half", lambda: numeric.cdist(T.half(), T.half()), NotImplementedError, "not implemented for 'Half'"),
    ErrorCase("cdist-mode", lambda: numeric.cdist(T, T, compute_mode="foo"), ValueError, "foo is not a valid value for compute_mode"),
    ErrorCase("dist-shapes", lambda: T.dist(W[:2]), ShapeError, "must match the size", distance.Dist),
    ErrorCase("dist-integers", lambda: WHOLE.dist(WHOLE), DtypeError, "Got Long instead"),
    ErrorCase("renorm-1d", lambda: W.renorm(2, 0, 1), ShapeError, "needs at least 2 dimensions", distance.Renorm),
    ErrorCase("renorm-p", lambda: T.renorm(0, 0, 1), ConvgradError, "non-positive-norm not supported"),
    ErrorCase("renorm-complex", lambda: T.renorm(1j, 0, 1), ConvgradError, "p must be real-valued"),
    ErrorCase("renorm-limit", lambda: T.renorm(2, 0, -1), ConvgradError, "expected maxnorm to be >= 0 but got -1"),
    ErrorCase("renorm-integers", lambda: WHOLE.renorm(2, 0, 1), DtypeError, "Got Long"),
    ErrorCase("index_reduce-kind", lambda: T.index_reduce(0, K[:1], T[:1], "sum"), ConvgradError, "one of prod, mean, amax or amin but got sum", scatter.IndexReduce),
    ErrorCase("index_reduce-range", lambda: T.index_reduce(0, K[1:2], T[:1], "prod"), DimError, "out of bounds"),
    ErrorCase("index_reduce-count", lambda: T.index_reduce(0, K, T, "prod"), ShapeError, "Number of indices (3)"),
    ErrorCase("nonzero_static", lambda: T.nonzero_static(size=-1), ShapeError, "must be an non-negative integer"),
    ErrorCase("fill_diagonal-1d", lambda: (W + 0).fill_diagonal_(1), ShapeError, "dimensions must larger than 1"),
    ErrorCase("fill_diagonal-3d", lambda: creation.zeros(2, 2, 3).fill_diagonal_(1), ShapeError, "must be of equal length"),
    ErrorCase("sum_to_size", lambda: T.sum_to_size(3, 3), ShapeError, "is not expandable to size {[2, 3]}"),
    ErrorCase("sum_to_size-none", lambda: T.sum_to_size(), TypeError, "missing 1 required positional"),
    ErrorCase("as_strided_scatter", lambda: T.as_strided_scatter(W, (2,), (1,)), ShapeError, "slice size = [2]"),
    ErrorCase("empty_strided", lambda: copies.empty_strided((2, 3), (1,)), ShapeError, "must match dimensionality of strides (1)"),
    ErrorCase("empty_strided-negative", lambda: copies.empty_strided((2, 3), (1, -1)), ShapeError, "must not be negative"),
    ErrorCase("empty_permuted", lambda: copies.empty_permuted((2, 3), (1,)), ShapeError, "len(physical_layout) = 1"),
    ErrorCase("empty_permuted-twice", lambda: copies.empty_permuted((2, 3), (1, 1)), ConvgradError, "Duplicate dim not allowed"),
    ErrorCase("empty_permuted-range", lambda: copies.empty_permuted((2, 3), (1, 2)), ConvgradError, "Dimension out of range"),
    ErrorCase("copy-number", lambda: copies.view_copy(3, (1,)), TypeError, "must be Tensor, not int"),
    ErrorCase("slice_copy-0d", lambda: copies.slice_copy(NUMBER), ShapeError, "cannot be applied to a 0-dim tensor"),
    ErrorCase("slice_copy-step", lambda: copies.slice_copy(W, 0, 0, 2, 0), ConvgradError, "slice step must be positive"),
    ErrorCase("trapezoid-0d", lambda: numeric.trapezoid(NUMBER), DimError, "tensor has no dimensions"),
    ErrorCase("trapezoid-bool", lambda: numeric.trapezoid(T > 1), DtypeError, "bool is not supported"),
    ErrorCase("trapezoid-x", lambda: numeric.trapezoid(T, W[:2]), ShapeError, "one `x` value for each sample point"),
    ErrorCase("trapezoid-wide", lambda: numeric.trapezoid(W, T), ShapeError, "must match the size"),
    ErrorCase("trapezoid-both", lambda: numeric.trapezoid(W, W, dx=1), TypeError, "invalid combination of arguments"),
    ErrorCase("trapezoid-dx", lambda: numeric.trapezoid(W, dx=1j), ConvgradError, "only support dx as a real number"),
    ErrorCase("trapezoid-list", lambda: numeric.trapezoid([1, 2]), TypeError, "argument 'y'"),
    ErrorCase("cumulative_trapezoid-0d", lambda: numeric.cumulative_trapezoid(NUMBER), DimError, "cannot be applied to a 0-dim"),
    ErrorCase("gradient-short", lambda: numeric.gradient(W[:1]), ShapeError, "to be at least edge_order+1"),
    ErrorCase("gradient-edge", lambda: numeric.gradient(W, edge_order=3), ConvgradError, "only supports edge_order=1 and edge_order=2"),
    ErrorCase("gradient-uint8", lambda: numeric.gradient(WHOLE.byte()), DtypeError, "does not support uint8"),
    ErrorCase("gradient-twice", lambda: numeric.gradient(T, dim=(0, 0)), ConvgradError, "appears multiple times"),
    ErrorCase("gradient-spacing", lambda: numeric.gradient(T, spacing=(1, 2, 3)), ShapeError, "got a list of length 3"),
    ErrorCase("gradient-tensor", lambda: numeric.gradient(W, spacing=W), TypeError, "list of tensors"),
    ErrorCase("gradient-place", lambda: numeric.gradient(W, spacing=(W[:2],)), ShapeError, "one value per sample"),
    ErrorCase("searchsorted-side", lambda: numeric.searchsorted(W, W, side="foo"), ConvgradError, "only be 'left' or 'right' but got foo"),
    ErrorCase("searchsorted-both", lambda: numeric.searchsorted(W, W, side="left", right=True), ConvgradError, "can't be set to opposites"),
    ErrorCase("searchsorted-0d", lambda: numeric.searchsorted(NUMBER, W), ShapeError, "should have positive dimension"),
    ErrorCase("searchsorted-number", lambda: numeric.searchsorted(T, 3), ShapeError, "input value can be a scalar only"),
    ErrorCase("searchsorted-rows", lambda: numeric.searchsorted(T, W), ShapeError, "first N-1 dimensions"),
    ErrorCase("searchsorted-complex", lambda: numeric.searchsorted(W + 0j, W), NotImplementedError, "not implemented for 'ComplexFloat'"),
    ErrorCase("searchsorted-sorter", lambda: numeric.searchsorted(W, W, sorter=K[:2]), ShapeError, "must have the same size"),
    ErrorCase("searchsorted-sorter-dtype", lambda: numeric.searchsorted(W, W, sorter=W), DtypeError, "tensor of long dtype but got dtype Float"),
    ErrorCase("searchsorted-sorter-range", lambda: numeric.searchsorted(W, W, sorter=K + 3), ConvgradError, "sorter index out of range"),
    ErrorCase("bucketize-2d", lambda: numeric.bucketize(W, T), ShapeError, "must be 1 dimension, but got dim(2)"),
    ErrorCase("bucketize-list", lambda: numeric.bucketize(W, [1, 2]), TypeError, "argument 'boundaries'"),
    ErrorCase("isin-numbers", lambda: numeric.isin(1, 2), TypeError, "invalid combination of arguments"),
    ErrorCase("isin-bool", lambda: numeric.isin(T > 1, T > 1), DtypeError, "Unsupported input type encountered for isin(): Bool"),
    ErrorCase("unravel_index-dtype", lambda: numeric.unravel_index(W, (2, 3)), TypeError, "to be integer dtype"),
    ErrorCase("unravel_index-shape", lambda: numeric.unravel_index(K, (2, 3.0)), TypeError, "to only contain ints"),
    ErrorCase("unravel_index-negative", lambda: numeric.unravel_index(K, (2, -3)), ShapeError, "cannot have negative values"),
    ErrorCase("histogram-range", lambda: W.histogram(3, range=(2.0, 1.0)), ConvgradError, "min should not exceed max"),
    ErrorCase("histogram-nan", lambda: (W / 0).histogram(3), ConvgradError, "is not finite"),
    ErrorCase("histogram-bins", lambda: W.histogram(0), ShapeError, "bins must be > 0, but got 0"),
    ErrorCase("histogram-edge", lambda: W.histogram(W[:1]), ShapeError, "bins must be > 0"),
    ErrorCase("histogram-none", lambda: W.histogram(W[:0]), ShapeError, "at least 1 element"),
    ErrorCase("histogram-2d", lambda: W.histogram(T), ShapeError, "bins tensor should have one dimension"),
    ErrorCase("histogram-edges-dtype", lambda: W.histogram(W.double()), DtypeError, "should have the same dtype"),
    ErrorCase("histogram-weight", lambda: W.histogram(3, weight=W[:2]), ShapeError, "weight with shape [2]"),
    ErrorCase("histogram-weight-dtype", lambda: W.histogram(3, weight=W.double()), DtypeError, "input tensor and weight tensor should have the same dtype"),
    ErrorCase("histogram-integers", lambda: WHOLE.histogram(3), NotImplementedError, "not implemented for 'Long'"),
    ErrorCase("histogramdd-1d", lambda: numeric.histogramdd(W, [2]), ShapeError, "at least 2 dimensions"),
    ErrorCase("histogramdd-bins", lambda: numeric.histogramdd(T, [2]), ShapeError, "innermost dimension of the input"),
    ErrorCase("histogramdd-range", lambda: numeric.histogramdd(T, 2, range=[0, 1]), ShapeError, "should have 6 elements"),
    ErrorCase("histogramdd-integers", lambda: numeric.histogramdd(WHOLE, 2), NotImplementedError, "not implemented for 'Long'"),
    ErrorCase("cov-3d", lambda: creation.zeros(1, 1, 1).cov(), ShapeError, "two or fewer dimensions"),
    ErrorCase("cov-bool", lambda: (T > 1).cov(), DtypeError, "bool dtype is not supported"),
    ErrorCase("cov-fweights", lambda: T.cov(fweights=W), DtypeError, "expected fweights to have integral dtype"),
    ErrorCase("cov-aweights", lambda: T.cov(aweights=K), DtypeError, "expected aweights to have floating point dtype"),
    ErrorCase("cov-count", lambda: T.cov(fweights=K[:2]), ShapeError, "same numel as there are observations"),
    ErrorCase("cov-2d", lambda: T.cov(aweights=T), ShapeError, "one or fewer dimensions"),
    ErrorCase("cov-negative", lambda: T.cov(aweights=-W), ConvgradError, "aweights cannot be negative"),
    ErrorCase("cov-zero", lambda: T.cov(fweights=K * 0), ConvgradError, "weights sum to zero"),
    ErrorCase("quantile-q", lambda: W.quantile(1.5), ConvgradError, "in the range [0, 1] but got 1.5"),
    ErrorCase("quantile-q-tensor", lambda: W.quantile(W), ConvgradError, "q values must be in the range [0, 1]"),
    ErrorCase("quantile-q-2d", lambda: W.quantile(T), ShapeError, "q must be a scalar or 1D tensor"),
    ErrorCase("quantile-q-list", lambda: W.quantile([0.5]), TypeError, "argument 'q'"),
    ErrorCase("quantile-q-dtype", lambda: W.quantile(W.double()), DtypeError, "same dtype as the input tensor"),
    ErrorCase("quantile-empty", lambda: W[:0].quantile(0.5), ShapeError, "must be non-empty"),
    ErrorCase("quantile-half", lambda: W.half().quantile(0.5), DtypeError, "either float or double dtype"),
    ErrorCase("quantile-interpolation", lambda: W.quantile(0.5, interpolation="foo"), ConvgradError, "but got foo"),
    ErrorCase("apply_-grad", lambda: creation.ones(2).requires_grad_().apply_(abs), RuntimeError, "Can't call apply_() on Variable that requires grad"),
    ErrorCase("map_-dtype", lambda: W.map_(W.double(), max), DtypeError, "expected torch.float32 for 'other' (got torch.float64)"),
    ErrorCase("diff-prepend", lambda: T.diff(prepend=creation.zeros(3, 1)), ShapeError, "got tensor.size(0) = 3"),
]  # fmt: skip
