"""Reductions, sorting and scans against PyTorch 2.13."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import torch
from tests.parity.agree import agree

from convgrad import dtypes
from convgrad.tensor import functions_reduce
from convgrad.tensor.tensor import Tensor

# 0 / 0 in the pullback of a division is a warning of NumPy's
pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")]

F = np.float64
SHAPES = [(), (1,), (5,), (3, 4), (2, 3, 4), (0,), (2, 0), (0, 3)]
FLOATS = [np.float32, np.float64, np.float16, ml_dtypes.bfloat16, np.complex128, np.complex64]
INTS = [np.int64, np.int32, np.uint8, np.int8, np.bool_]


def sample(shape: tuple[int, ...], kind: Any, seed: int = 0, ties: bool = False) -> np.ndarray:
    """Different numbers (or few different ones) of any dtype."""
    rng = np.random.default_rng(seed + len(shape))
    size = math.prod(shape)
    if np.dtype(kind).kind in "iub":
        return rng.integers(0, 4, shape).astype(kind)
    flat = rng.integers(-2, 3, size) if ties else (rng.permutation(size) - size / 2 + 0.25) / 4
    out = flat.astype(np.float64).reshape(shape)
    if np.dtype(kind).kind == "c":
        return (out + 1j * rng.standard_normal(shape)).astype(kind)
    return out.astype(kind)


def torch_of(x: Any) -> Any:
    """The namespace a tensor's functions are in."""
    return functions_reduce if isinstance(x, Tensor) else torch


def linalg_of(x: Any) -> Any:
    return functions_reduce if isinstance(x, Tensor) else torch.linalg


def matrix_or_vector_norm(x: Any) -> Any:
    return functions_reduce.linalg_norm if isinstance(x, Tensor) else torch.linalg.norm


def kind_of(x: Any, name: str) -> Any:
    return getattr(dtypes, name) if isinstance(x, Tensor) else getattr(torch, name)


REDUCTIONS: dict[str, Callable[[Any], Any]] = {
    "sum": lambda x: x.sum(),
    "sum0": lambda x: x.sum(0),
    "sum-1k": lambda x: x.sum(-1, keepdim=True),
    "sum01": lambda x: x.sum((0, 1)),
    "sum()": lambda x: x.sum(()),
    "sum(keep)": lambda x: x.sum(dim=None, keepdim=True),
    "sum(axis)": lambda x: x.sum(axis=0, keepdims=True),
    "sum(dtype)": lambda x: x.sum(dtype=kind_of(x, "float64")),
    "sum00": lambda x: x.sum((0, -x.ndim)),
    "mean": lambda x: x.mean(),
    "mean0": lambda x: x.mean(0),
    "mean01k": lambda x: x.mean((0, 1), True),
    "mean(dtype)": lambda x: x.mean(dtype=kind_of(x, "float64")),
    "nansum": lambda x: x.nansum(),
    "nansum0": lambda x: x.nansum(0, True),
    "nanmean": lambda x: x.nanmean(),
    "nanmean0": lambda x: x.nanmean(0),
    "prod": lambda x: x.prod(),
    "prod0": lambda x: x.prod(0),
    "prod-1k": lambda x: x.prod(-1, keepdim=True),
    "var": lambda x: x.var(),
    "var(False)": lambda x: x.var(False),
    "var0": lambda x: x.var(0),
    "var0c": lambda x: x.var(0, correction=0, keepdim=True),
    "var01": lambda x: x.var((0, 1), False),
    "var(c7)": lambda x: x.var(correction=7),
    "std": lambda x: x.std(),
    "std-1": lambda x: x.std(-1),
    "std0c": lambda x: x.std(0, correction=0),
    "var_mean": lambda x: torch_of(x).var_mean(x),
    "var_mean0": lambda x: torch_of(x).var_mean(x, 0, correction=0, keepdim=True),
    "std_mean": lambda x: torch_of(x).std_mean(x),
    "std_mean-1": lambda x: torch_of(x).std_mean(x, -1),
    "logsumexp0": lambda x: x.logsumexp(0),
    "logsumexp-1k": lambda x: x.logsumexp(-1, True),
    "max": lambda x: x.max(),
    "max0": lambda x: x.max(0),
    "max-1k": lambda x: x.max(-1, keepdim=True),
    "min": lambda x: x.min(),
    "min-1": lambda x: x.min(dim=-1),
    "amax": lambda x: x.amax(),
    "amax0": lambda x: x.amax(0, True),
    "amin01": lambda x: x.amin((0, 1)),
    "aminmax": lambda x: x.aminmax(),
    "aminmax0": lambda x: x.aminmax(dim=0, keepdim=True),
    "argmax": lambda x: x.argmax(),
    "argmax0": lambda x: x.argmax(0),
    "argmax(k)": lambda x: x.argmax(keepdim=True),
    "argmin-1k": lambda x: x.argmin(-1, keepdim=True),
    "any": lambda x: x.any(),
    "any0": lambda x: x.any(0),
    "any()": lambda x: x.any(()),
    "all-1k": lambda x: x.all(-1, True),
    "all01": lambda x: x.all((0, 1)),
    "count_nonzero": lambda x: x.count_nonzero(),
    "count_nonzero0": lambda x: x.count_nonzero(0),
    "median": lambda x: x.median(),
    "median0": lambda x: x.median(0),
    "median-1k": lambda x: x.median(-1, keepdim=True),
    "nanmedian": lambda x: x.nanmedian(),
    "nanmedian0": lambda x: x.nanmedian(0),
    "norm": lambda x: x.norm(),
    "norm0": lambda x: x.norm(dim=0, keepdim=True),
    "norm1": lambda x: x.norm(1),
    "norm3": lambda x: x.norm(3, -1),
    "norm.5": lambda x: x.norm(0.5),
    "norm0-": lambda x: x.norm(0),
    "norminf": lambda x: x.norm(math.inf),
    "norm-inf0": lambda x: x.norm(-math.inf, 0),
    "norm-2": lambda x: x.norm(-2.0),
    "normfro": lambda x: x.norm("fro", (0, 1)),
    "normabc": lambda x: x.norm("abc"),
    "norm(dtype)": lambda x: x.norm(dtype=kind_of(x, "float64")),
    "vector_norm": lambda x: linalg_of(x).vector_norm(x, 1.5, -1),
    "linalg.norm": lambda x: matrix_or_vector_norm(x)(x),
    "linalg.norm1": lambda x: matrix_or_vector_norm(x)(x, 1),
    "matrix_norm": lambda x: linalg_of(x).matrix_norm(x, math.inf, keepdim=True),
    "matrix_norm-1": lambda x: linalg_of(x).matrix_norm(x, -1),
    "cumsum0": lambda x: x.cumsum(0),
    "cumsum-1": lambda x: x.cumsum(-1),
    "cumsum(dtype)": lambda x: x.cumsum(0, dtype=kind_of(x, "float64")),
    "cumprod0": lambda x: x.cumprod(0),
    "cumprod-1": lambda x: x.cumprod(-1),
    "cummax0": lambda x: x.cummax(0),
    "cummin-1": lambda x: x.cummin(-1),
    "logcumsumexp0": lambda x: x.logcumsumexp(0),
    "logcumsumexp-1": lambda x: x.logcumsumexp(-1),
    "diff": lambda x: x.diff(),
    "diff2": lambda x: x.diff(2, 0),
    "diff9": lambda x: x.diff(9),
    "diffp": lambda x: x.diff(dim=0, prepend=x, append=x),
    "sort": lambda x: x.sort(),
    "sort0d": lambda x: x.sort(0, True),
    "sorts": lambda x: x.sort(dim=0, stable=True),
    "msort": lambda x: x.msort(),
    "argsort": lambda x: x.argsort(),
    "argsortd": lambda x: x.argsort(dim=0, descending=True, stable=True),
    "topk1": lambda x: x.topk(1),
    "topk2": lambda x: x.topk(2, 0, largest=False),
    "topk0": lambda x: x.topk(0),
    "kthvalue1": lambda x: x.kthvalue(1),
    "kthvalue2": lambda x: x.kthvalue(2, 0, True),
    "mode": lambda x: x.mode(),
    "mode0": lambda x: x.mode(0, True),
    "nonzero": lambda x: x.nonzero(),
    "nonzerot": lambda x: x.nonzero(as_tuple=True),
    "argwhere": lambda x: x.argwhere(),
    "histc": lambda x: x.histc(5),
    "histcr": lambda x: x.histc(4, -1, 1),
    "bincount": lambda x: x.bincount(),
    "bincountw": lambda x: x.bincount(x, minlength=6),
    "outofrange": lambda x: x.sum(4),
    "outofrange2": lambda x: x.max(-4),
}
UNIQUE: dict[str, Callable[[Any], Any]] = {
    "unique": lambda x: x.unique(),
    "uniqueic": lambda x: x.unique(return_inverse=True, return_counts=True),
    "uniquec": lambda x: x.unique(return_counts=True),
    "unique_consecutive": lambda x: x.unique_consecutive(return_inverse=True, return_counts=True),
}
# What complex numbers do elsewhere, and what PyTorch does not differentiate.
NO_GRADIENT = {"argmax", "argmin", "nonzero", "histc", "bincount"}


@pytest.mark.parametrize("name", REDUCTIONS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_shapes(name: str, shape: tuple[int, ...]) -> None:
    agree(REDUCTIONS[name], sample(shape, F))


@pytest.mark.parametrize("name", REDUCTIONS)
@pytest.mark.parametrize("kind", FLOATS, ids=lambda k: np.dtype(k).name)
def test_floats(name: str, kind: Any) -> None:
    if np.dtype(kind).kind == "c" and name.startswith("logcumsumexp"):
        pytest.skip("complex logcumsumexp is not there yet")
    agree(REDUCTIONS[name], sample((3, 4), kind))


@pytest.mark.parametrize("name", REDUCTIONS)
@pytest.mark.parametrize("kind", INTS, ids=lambda k: np.dtype(k).name)
def test_integers(name: str, kind: Any) -> None:
    open_ties = name.startswith(("topk", "kthvalue", "median0", "median-1", "nanmedian0"))
    agree(
        REDUCTIONS[name], sample((3, 4), kind), skip=(1,) if open_ties else (0,) if name == "argsort" else ()
    )


@pytest.mark.parametrize("name", REDUCTIONS)
def test_strided(name: str) -> None:
    agree(REDUCTIONS[name], sample((4, 6), F)[::2, ::-1].T.copy().T[:, 1::2])


TIES = [n for n in REDUCTIONS if not n.startswith(("topk", "kthvalue", "median0", "median-1", "nanmedian0"))]


@pytest.mark.parametrize("name", TIES)
@pytest.mark.parametrize("seed", range(3))
def test_ties_and_zeros(name: str, seed: int) -> None:
    agree(REDUCTIONS[name], sample((4, 5), F, seed, ties=True))


@pytest.mark.parametrize("name", UNIQUE)
@pytest.mark.parametrize("shape", [(), (1,), (12,), (3, 4), (0,)], ids=str)
@pytest.mark.parametrize("kind", [np.int64, np.float32, np.bool_], ids=lambda k: np.dtype(k).name)
def test_unique(name: str, shape: tuple[int, ...], kind: Any) -> None:
    agree(UNIQUE[name], sample(shape, kind, ties=True), grad=False)


@pytest.mark.parametrize("dim", [0, 1])
def test_unique_of_slices(dim: int) -> None:
    x = np.array([[1, 2, 1], [3, 0, 3], [1, 2, 1]])
    agree(lambda t: t.unique(dim=dim, return_inverse=True, return_counts=True), x, grad=False)


MISSING = [
    "max",
    "max0",
    "min",
    "min0",
    "argmax0",
    "median",
    "median0",
    "nanmedian0",
    "sort",
    "sort0d",
    "cummax0",
    "cummin-1",
    "sum",
    "nansum",
    "nanmean",
    "any",
    "logsumexp0",
    "prod",
    "aminmax",
    "amax",
]


@pytest.mark.parametrize("name", [n for n in MISSING if n in REDUCTIONS])
def test_nan(name: str) -> None:
    x = np.array([[1.0, math.nan, 3.0], [math.nan, 2.0, math.nan], [0.0, 1.0, math.nan]])
    agree(REDUCTIONS[name], x, grad=False)


@pytest.mark.parametrize(
    "pair", [(math.inf, 1.0), (-math.inf, -math.inf), (-math.inf, 1.0), (1000.0, 1001.0)]
)
def test_infinities(pair: tuple[float, float]) -> None:
    x = np.array(pair)
    agree(lambda t: t.logsumexp(0), x)
    agree(lambda t: t.logcumsumexp(0), x)


@pytest.mark.parametrize("p", [0, 0.5, 1, 1.5, 2, 3, math.inf, -math.inf, -1])
@pytest.mark.parametrize("x", [(0.0, 0.0), (0.0, 2.0), (2.0, -2.0, 1.0)], ids=str)
def test_norms_at_zero(p: float, x: tuple[float, ...]) -> None:
    agree(lambda t: t.norm(p), np.array(x))


@pytest.mark.parametrize("zeros", [(), (0,), (2,), (0, 3), (1, 2, 4)], ids=str)
def test_products_with_zeros(zeros: tuple[int, ...]) -> None:
    x = sample((5,), F) + 1
    x[list(zeros)] = 0
    agree(lambda t: t.prod(), x)
    agree(lambda t: t.prod(0), x)
    agree(lambda t: t.cumprod(0), x)


@pytest.mark.parametrize(
    "make", [lambda x: x.max(0), lambda x: x.sort(), lambda x: x.aminmax(), lambda x: x.topk(1)]
)
def test_results_print_alike(make: Callable[[Any], Any]) -> None:
    x = np.array([3.0, 1.0])
    mine, his = make(Tensor(x, None)), make(torch.from_numpy(x))
    assert type(mine).__name__ == type(his).__name__
    assert [getattr(his, n).shape for n in type(mine)._fields] == [x.shape for x in his]
    assert repr(mine).split("\n")[0] == repr(his).split("\n")[0]
