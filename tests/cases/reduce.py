"""Reductions, sorting and scans, against NumPy and loops from the definitions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from convgrad.errors import ConvgradError, DimError, DtypeError, ShapeError
from convgrad.ops import reduce, scan, sort, statistics
from convgrad.tensor import functions_reduce as functions
from convgrad.tensor.tensor import Tensor

from .case import Case, ErrorCase, values

Array = Any
CASES: list[Case] = []


def functions_dtype() -> Any:
    """float64 as the tensors' own dtype."""
    return Tensor(np.zeros(1), None).dtype


def _add(
    op: type,
    call: Callable[..., Any],
    reference: Callable[..., Any],
    name: str = "",
    empty: tuple[int, ...] | None = (3, 0),
    scalar: bool = True,
    whole: Array | None = None,
) -> None:
    """The usual cases of an operator on one array: ordinary, strided, empty, 0-d and of integers."""
    made: list[tuple[str, Array, set[str]]] = [
        ("ordinary", values(1, 3, 4), set()),
        ("strided", values(2, 8, 3).T[:, ::2], {"strided"}),
    ]
    if empty is not None:
        made.append(("empty", values(3, *empty), {"empty"}))
    if scalar:
        made.append(("0d", np.asarray(1.25), {"0d"}))
    if whole is not None:
        made.append(("integers", whole, {"mixed"}))
    for kind, x, tags in made:
        CASES.append(
            Case(op, f"{name}{'-' if name else ''}{kind}", call, (x,), reference, tags=frozenset(tags))
        )


_WHOLE = np.array([[3, -1, 2], [0, 5, -4]])


def _last(f: Callable[..., Any]) -> Callable[[Array], Any]:
    """A NumPy function along the last axis that takes 0-d arrays for one element."""

    def run(x: Array) -> Any:
        out = f(x if x.ndim else x.reshape(1))
        return (
            tuple([np.reshape(o, ()) for o in out])
            if not x.ndim and isinstance(out, tuple)
            else (np.reshape(out, ()) if not x.ndim else out)
        )

    return run


def _taken(order: Callable[[Array], Array]) -> Callable[[Array], Any]:
    """(values, positions) along the last axis from the positions."""
    return _last(lambda x: (np.take_along_axis(x, order(x), -1), order(x)))


def _dropped(order: Callable[[Array], Array]) -> Callable[[Array], Any]:
    """The same for one position per row, without the axis."""
    return _last(lambda x: (np.take_along_axis(x, order(x), -1)[..., 0], order(x)[..., 0]))


_add(reduce.Sum, lambda x: x.sum(), np.sum, whole=_WHOLE)
_add(reduce.SumDims, lambda x: x.sum(-1), _last(lambda x: x.sum(-1)), whole=_WHOLE)
_add(reduce.SumDims, lambda x: x.sum((), True), lambda x: np.sum(x, keepdims=True), "keep")
_add(reduce.Mean, lambda x: x.mean(), np.mean, empty=None)
_add(reduce.MeanDims, lambda x: x.mean(0, True), lambda x: x.mean(0, keepdims=True) if x.ndim else x)
CASES.append(
    Case(
        reduce.Mean,
        "dtype",
        lambda x: x.mean(dtype=functions_dtype()),
        (_WHOLE,),
        np.mean,
        tags=frozenset({"mixed"}),
    )
)
_add(reduce.NanSum, lambda x: x.nansum(), np.nansum, whole=_WHOLE)
CASES.append(
    Case(
        reduce.NanSum,
        "nan",
        lambda x: x.nansum(0),
        (np.array([[1.0, math.nan], [2.0, 3.0]]),),
        lambda x: np.nansum(x, 0),
    )
)
_add(scan.ProdAll, lambda x: x.prod(), np.prod, whole=_WHOLE)
_add(scan.Prod, lambda x: x.prod(-1), _last(lambda x: x.prod(-1)), whole=_WHOLE)
for zeros in (1, 2):
    x = values(4, 5)
    x[1 : 1 + zeros] = 0
    CASES.append(Case(scan.ProdAll, f"zeros{zeros}", lambda x: x.prod(), (x,), np.prod))
    CASES.append(Case(scan.Prod, f"zeros{zeros}", lambda x: x.prod(0), (x,), np.prod))
    CASES.append(Case(scan.CumProd, f"zeros{zeros}", lambda x: x.cumprod(0), (x,), np.cumprod))
_add(scan.CumSum, lambda x: x.cumsum(-1), _last(lambda x: x.cumsum(-1)), whole=_WHOLE)
_add(scan.CumProd, lambda x: x.cumprod(-1), _last(lambda x: x.cumprod(-1)), whole=_WHOLE)
_add(scan.LogCumSumExp, lambda x: x.logcumsumexp(-1), _last(lambda x: np.log(np.cumsum(np.exp(x), -1))))


def _running(f: Callable[[Array], int]) -> Callable[[Array], Any]:
    """Running extremes from the definition: at each place the extreme of what came so far."""

    def run(x: Array) -> Any:
        index = np.zeros(x.shape, np.int64)
        for at in np.ndindex(x.shape):
            index[at] = f(x[(*at[:-1], slice(0, at[-1] + 1))])
        return np.take_along_axis(x, index, -1), index

    return _last(run)


_add(
    scan.CumMax,
    lambda x: x.cummax(-1),
    _running(lambda r: len(r) - 1 - int(np.argmax(r[::-1]))),
    whole=_WHOLE,
)
_add(
    scan.CumMin,
    lambda x: x.cummin(-1),
    _running(lambda r: len(r) - 1 - int(np.argmin(r[::-1]))),
    whole=_WHOLE,
)

_add(statistics.Var, lambda x: x.var(-1, correction=0), _last(lambda x: x.var(-1)), empty=(0, 3))
_add(statistics.Var, lambda x: x.var((0, 1)), lambda x: x.var(ddof=1), "all", empty=None, scalar=False)
_add(statistics.Std, lambda x: x.std(-1), _last(lambda x: x.std(-1, ddof=1)), empty=(0, 3), scalar=False)
_add(
    statistics.Std,
    lambda x: x.std(correction=-1),
    lambda x: np.sqrt(x.var() * x.size / (x.size + 1)),
    "correction",
    empty=None,
    scalar=False,
)
_add(
    statistics.VarMean,
    lambda x: functions.var_mean(x, -1),
    _last(lambda x: (x.var(-1, ddof=1), x.mean(-1))),
    empty=(0, 3),
    scalar=False,
)
_add(
    statistics.StdMean,
    lambda x: functions.std_mean(x, 0),
    lambda x: (x.std(0, ddof=1), x.mean(0)),
    scalar=False,
)
_add(
    statistics.LogSumExp,
    lambda x: x.logsumexp(-1),
    _last(lambda x: np.log(np.sum(np.exp(x), -1))),
    empty=(0, 3),
    whole=_WHOLE,
)
for p in (0.5, 1.0, 2.0, 3.0, -1.0):
    CASES.append(
        Case(
            statistics.VectorNorm,
            f"p{p:g}",
            lambda x, p=p: x.norm(p),
            (values(5, 3, 4),),
            lambda x, p=p: np.sum(np.abs(x) ** p) ** (1 / p),
        )
    )
CASES.append(
    Case(
        statistics.VectorNorm,
        "p0",
        lambda x: x.norm(0),
        (values(5, 3, 4),),
        lambda x: np.float64(np.count_nonzero(x)),
        differentiable=(),
    )
)
CASES.append(
    Case(
        statistics.VectorNorm,
        "inf",
        lambda x: x.norm(math.inf, 0),
        (values(5, 3, 4),),
        lambda x: np.abs(x).max(0),
    )
)
CASES.append(
    Case(
        statistics.VectorNorm,
        "-inf",
        lambda x: x.norm(-math.inf, 0),
        (values(5, 3, 4),),
        lambda x: np.abs(x).min(0),
    )
)
_add(
    statistics.VectorNorm, lambda x: x.norm(2, -1), _last(lambda x: np.sqrt(np.sum(x * x, -1))), empty=(0, 3)
)

_add(reduce.MaxAll, lambda x: x.max(), np.max, empty=None, whole=_WHOLE)
_add(reduce.MinAll, lambda x: x.min(), np.min, empty=None, whole=_WHOLE)
_add(reduce.AMax, lambda x: x.amax(-1), _last(lambda x: x.max(-1)), empty=(0, 3), whole=_WHOLE)
_add(reduce.AMin, lambda x: x.amin(-1), _last(lambda x: x.min(-1)), empty=(0, 3), whole=_WHOLE)
_add(
    reduce.AMinMax,
    lambda x: x.aminmax(dim=-1),
    _last(lambda x: (x.min(-1), x.max(-1))),
    empty=(0, 3),
    whole=_WHOLE,
)
_add(
    reduce.MaxDim,
    lambda x: x.max(-1),
    _dropped(lambda x: x.argmax(-1)[..., None]),
    empty=(0, 3),
    whole=_WHOLE,
)
_add(
    reduce.MinDim,
    lambda x: x.min(-1),
    _dropped(lambda x: x.argmin(-1)[..., None]),
    empty=(0, 3),
    whole=_WHOLE,
)
_add(
    reduce.MedianAll,
    lambda x: x.median(),
    lambda x: np.sort(x, None)[(x.size - 1) // 2],
    empty=None,
    whole=_WHOLE,
)
_add(
    reduce.NanMedianAll,
    lambda x: x.nanmedian(),
    lambda x: np.sort(x, None)[(x.size - 1) // 2],
    empty=None,
    whole=_WHOLE,
)


def _middle(x: Array) -> Array:
    k = (x.shape[-1] - 1) // 2
    return np.argsort(x, -1, kind="stable")[..., k : k + 1]


_add(sort.MedianDim, lambda x: x.median(-1), _dropped(_middle), empty=(0, 3), whole=_WHOLE)
_add(sort.NanMedianDim, lambda x: x.nanmedian(-1), _dropped(_middle), empty=(0, 3), whole=_WHOLE)
_add(sort.Sort, lambda x: x.sort(), _taken(lambda x: np.argsort(x, -1)), whole=_WHOLE)
_add(
    sort.Sort,
    lambda x: x.sort(descending=True),
    _taken(lambda x: np.argsort(-x, -1)),
    "descending",
    whole=_WHOLE,
)
_add(
    sort.SortStable,
    lambda x: x.sort(stable=True),
    _taken(lambda x: np.argsort(x, -1, kind="stable")),
    whole=_WHOLE,
)
_add(
    sort.TopK, lambda x: x.topk(1), _taken(lambda x: np.argsort(-x, -1)[..., :1]), empty=(0, 3), whole=_WHOLE
)
_add(
    sort.TopK,
    lambda x: x.topk(2, largest=False),
    _taken(lambda x: np.argsort(x, -1)[..., :2]),
    "smallest",
    empty=(0, 3),
    scalar=False,
)
_add(
    sort.KthValue,
    lambda x: x.kthvalue(1),
    _dropped(lambda x: np.argsort(x, -1)[..., :1]),
    empty=(0, 3),
    whole=_WHOLE,
)
_add(
    sort.Mode, lambda x: x.mode(), _dropped(lambda x: np.argsort(x, -1)[..., :1]), empty=(0, 3), whole=_WHOLE
)


# One element: no spread with correction 0. Nothing at all: nan, without a derivative.
for _op, _call, _reference in (
    (statistics.Std, lambda x: x.std(correction=0), lambda x: x * 0),
    (statistics.StdMean, lambda x: functions.std_mean(x, correction=0), lambda x: (x * 0, x)),
    (statistics.VarMean, lambda x: functions.var_mean(x, correction=0), lambda x: (x * 0, x)),
):
    CASES.append(Case(_op, "0d", _call, (np.asarray(1.25),), _reference, tags=frozenset({"0d"})))
for _op, _name in (
    (reduce.Mean, "mean"), (reduce.MedianAll, "median"), (reduce.NanMedianAll, "nanmedian"),
):  # fmt: skip
    CASES.append(
        Case(
            _op, "empty", lambda x, name=_name: getattr(x, name)(), (np.zeros((3, 0)),),
            lambda x: np.asarray(math.nan), differentiable=(), tags=frozenset({"empty"}),
        )
    )  # fmt: skip


def _tensor(*shape: int, kind: Any = np.float64) -> Tensor:
    return Tensor(np.zeros(shape, kind), None)


ERRORS: list[ErrorCase] = [
    ErrorCase("sum-range", lambda: _tensor(2, 3).sum(2), DimError, "Dimension out of range", reduce.SumDims),
    ErrorCase(
        "sum-twice",
        lambda: _tensor(2, 3).sum((0, -2)),
        ConvgradError,
        "appears multiple times in the list of dims",
        reduce.Sum,
    ),
    ErrorCase(
        "mean-int",
        lambda: _tensor(2, kind=np.int64).mean(),
        DtypeError,
        "could not infer output dtype",
        reduce.Mean,
    ),
    ErrorCase("mean-range", lambda: _tensor(2).mean(1), DimError, "Dimension out of range", reduce.MeanDims),
    ErrorCase(
        "nansum-complex",
        lambda: _tensor(2, kind=np.complex128).nansum(),
        ConvgradError,
        "does not support complex",
        reduce.NanSum,
    ),
    ErrorCase("prod-range", lambda: _tensor(2).prod(1), DimError, "Dimension out of range", scan.Prod),
    ErrorCase("prod-tuple", lambda: _tensor(2).prod((0,)), TypeError, "dim must be an int", scan.ProdAll),
    ErrorCase(
        "var-int",
        lambda: _tensor(2, kind=np.int64).var(),
        DtypeError,
        "std and var only support floating point",
        statistics.Var,
    ),
    ErrorCase(
        "std-both",
        lambda: _tensor(2).std(0, True, correction=1),
        TypeError,
        "invalid combination",
        statistics.Std,
    ),
    ErrorCase(
        "var_mean-int",
        lambda: functions.var_mean(_tensor(2, kind=np.int64)),
        DtypeError,
        "var_mean only support",
        statistics.VarMean,
    ),
    ErrorCase(
        "std_mean-int",
        lambda: functions.std_mean(_tensor(2, kind=np.int64)),
        DtypeError,
        "std_mean only support",
        statistics.StdMean,
    ),
    ErrorCase(
        "norm-int",
        lambda: _tensor(2, kind=np.int64).norm(),
        DtypeError,
        "Expected a floating point or complex",
        statistics.VectorNorm,
    ),
    ErrorCase(
        "norm-empty",
        lambda: _tensor(0).norm(math.inf),
        ShapeError,
        "does not have an identity",
        statistics.VectorNorm,
    ),
    ErrorCase(
        "norm-order",
        lambda: _tensor(2).norm("abc"),
        ConvgradError,
        "Order abc not supported",
        statistics.VectorNorm,
    ),
    ErrorCase(
        "logsumexp-range",
        lambda: _tensor(2).logsumexp(1),
        DimError,
        "Dimension out of range",
        statistics.LogSumExp,
    ),
    ErrorCase(
        "max-empty",
        lambda: _tensor(0).max(),
        ShapeError,
        "max(): Expected reduction dim to be specified for input.numel() == 0. "
        "Specify the reduction dim with the 'dim' argument.",
        reduce.MaxAll,
    ),
    ErrorCase(
        "min-empty",
        lambda: _tensor(0).min(),
        ShapeError,
        "Expected reduction dim to be specified",
        reduce.MinAll,
    ),
    ErrorCase(
        "max-empty-dim",
        lambda: _tensor(0, 3).max(0),
        DimError,
        "Expected reduction dim 0 to have non-zero size",
        reduce.MaxDim,
    ),
    ErrorCase(
        "min-empty-dim",
        lambda: _tensor(0, 3).min(0),
        DimError,
        "Expected reduction dim 0 to have non-zero size",
        reduce.MinDim,
    ),
    ErrorCase(
        "amax-empty",
        lambda: _tensor(0).amax(),
        ShapeError,
        "Expected reduction dim to be specified",
        reduce.AMax,
    ),
    ErrorCase("amin-empty-dim", lambda: _tensor(0, 3).amin(0), DimError, "non-zero size", reduce.AMin),
    ErrorCase(
        "aminmax-empty",
        lambda: _tensor(0).aminmax(),
        ShapeError,
        "cannot compute aminmax over an empty dimension",
        reduce.AMinMax,
    ),
    ErrorCase(
        "argmax-empty", lambda: _tensor(0).argmax(), DimError, "Expected reduction dim to be specified"
    ),
    ErrorCase(
        "argmax-bool", lambda: _tensor(2, kind=bool).argmax(), ConvgradError, "does not support bool input"
    ),
    ErrorCase(
        "median-bool",
        lambda: _tensor(2, kind=bool).median(),
        NotImplementedError,
        "median_cpu",
        reduce.MedianAll,
    ),
    ErrorCase(
        "nanmedian-bool",
        lambda: _tensor(2, kind=bool).nanmedian(),
        NotImplementedError,
        "median_cpu",
        reduce.NanMedianAll,
    ),
    ErrorCase("median-empty", lambda: _tensor(0).median(0), DimError, "non-zero size", sort.MedianDim),
    ErrorCase(
        "nanmedian-empty", lambda: _tensor(0).nanmedian(0), DimError, "non-zero size", sort.NanMedianDim
    ),
    ErrorCase(
        "sort-complex",
        lambda: _tensor(2, kind=np.complex128).sort(),
        ConvgradError,
        "does not support complex dtypes",
        sort.Sort,
    ),
    ErrorCase(
        "sort-range",
        lambda: _tensor(2).sort(1, stable=True),
        DimError,
        "Dimension out of range",
        sort.SortStable,
    ),
    ErrorCase(
        "topk-k", lambda: _tensor(2, 3).topk(4), ShapeError, "selected index k out of range", sort.TopK
    ),
    ErrorCase(
        "kthvalue-k",
        lambda: _tensor(3).kthvalue(0),
        ShapeError,
        "selected number k out of range",
        sort.KthValue,
    ),
    ErrorCase("mode-empty", lambda: _tensor(0).mode(), DimError, "non-zero size", sort.Mode),
    ErrorCase("cumsum-range", lambda: _tensor(2).cumsum(1), DimError, "Dimension out of range", scan.CumSum),
    ErrorCase(
        "cumprod-range", lambda: _tensor(2).cumprod(1), DimError, "Dimension out of range", scan.CumProd
    ),
    ErrorCase(
        "cummax-complex",
        lambda: _tensor(2, kind=np.complex128).cummax(0),
        NotImplementedError,
        "cummax_cpu",
        scan.CumMax,
    ),
    ErrorCase(
        "cummin-complex",
        lambda: _tensor(2, kind=np.complex128).cummin(0),
        NotImplementedError,
        "cummin_cpu",
        scan.CumMin,
    ),
    ErrorCase(
        "logcumsumexp-int",
        lambda: _tensor(2, kind=np.int64).logcumsumexp(0),
        NotImplementedError,
        "logcumsumexp_out_cpu",
        scan.LogCumSumExp,
    ),
    ErrorCase("diff-0d", lambda: _tensor().diff(), ShapeError, "at least one-dimensional"),
    ErrorCase("diff-order", lambda: _tensor(2).diff(-1), ShapeError, "order must be non-negative but got -1"),
    ErrorCase(
        "bincount-2d",
        lambda: _tensor(2, 3, kind=np.int64).bincount(),
        ShapeError,
        "bincount only supports 1-d non-negative integral inputs."[:-1],
    ),
    ErrorCase("histc-bins", lambda: _tensor(2).histc(0), ShapeError, "bins must be > 0"),
]
