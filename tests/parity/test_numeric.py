"""Areas, slopes, searches, quantiles, histograms, distances and copies against PyTorch 2.13."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
import ml_dtypes
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from tests.parity.agree import agree, close, several

import convgrad
from convgrad.tensor.tensor import Tensor

pytestmark = [
    pytest.mark.parity,
    pytest.mark.filterwarnings("ignore:.*degrees of freedom:UserWarning"),
    pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning"),
]

RNG = np.random.default_rng(0)
WIDE = [np.float64, np.float32]
REAL = [*WIDE, np.float16, ml_dtypes.bfloat16]
FLOATS = [*REAL, np.complex128, np.complex64]
INTS = [np.int64, np.int32, np.int8, np.uint8]
SHAPES = [(5,), (1,), (2,), (3, 4), (2, 3, 4), (0,), (2, 0), (0, 3), ()]


def of(x: Any) -> Any:
    return convgrad if isinstance(x, Tensor) else torch


def sample(shape: tuple[int, ...], kind: Any = np.float64, low: float = -3, high: float = 3) -> np.ndarray:
    out = np.asarray(RNG.uniform(low, high, shape))
    if np.dtype(kind).kind == "c":
        return np.asarray(out + 1j * RNG.uniform(low, high, shape)).astype(kind)
    return np.asarray(np.abs(out) if np.dtype(kind).kind == "u" else out).astype(kind)


def call(name: str, *args: Any, **more: Any) -> Callable[..., Any]:
    """The function of either library; args after the tensors."""
    return lambda *xs: getattr(of(xs[0]), name)(*xs, *args, **more)


AREAS = ["trapezoid", "trapz", "cumulative_trapezoid"]


@pytest.mark.parametrize("kind", [*FLOATS, *INTS, np.bool_])
@pytest.mark.parametrize("name", AREAS)
def test_areas(name: str, kind: Any) -> None:
    loose = np.dtype(kind).itemsize < 4 and np.dtype(kind).kind in "fV"
    for shape in [s for s in SHAPES if not loose or s in [(5,), (3, 4)]]:
        for more in [
            {},
            {"dx": 2},
            {"dx": 0.5},
            {"dim": 0},
            {"dim": 0, "dx": -1.5},
            {"dx": True},
            {"dx": 1j},
        ]:
            agree(call(name, **more), sample(shape, kind), name=False)
    for shape, other in [((5,), (5,)), ((3, 4), (4,)), ((3, 4), (3, 4)), ((3, 4), (1, 4)), ((2, 3, 4), (3, 4)),
                         ((3, 4), (3,)), ((4,), (3, 4)), ((4,), ()), ((3, 4), (1,))]:  # fmt: skip
        agree(call(name), sample(shape, kind), sample(other, kind), name=False)
        agree(call(name, dim=0), sample(shape, kind), sample(other[::-1], kind), name=False)
        agree(call(name), sample(shape, kind), sample(other), name=False)
    agree(call(name, 5), sample((3,)), name=False)
    agree(call(name), sample((4, 3)).T[::2], name=False)


@pytest.mark.parametrize("kind", [*FLOATS, *INTS, np.bool_])
def test_gradient(kind: Any) -> None:
    half = np.dtype(kind).itemsize < 4 and np.dtype(kind).kind in "fV"
    for shape in [(5,), (3, 4), (3, 4, 5), (1,), (2,), (0,), (), (0, 3)]:
        for more in [{}, {"spacing": 2}, {"dim": 0}, {"dim": -1}, {"edge_order": 2}, {"edge_order": 3}, {"dim": (0, 0)},
                     {"spacing": (2.0, 3.0)}, {"spacing": [2], "dim": 0}, {"dim": (1, 0), "spacing": (1, 0.5)}, {"dim": 3},
                     {"spacing": 0.5, "edge_order": 2}]:  # fmt: skip
            if half and more.get("edge_order") == 2:
                continue  # rounded after each step in another order
            agree(call("gradient", **more), sample(shape, kind), name=False)


@pytest.mark.parametrize("edge_order", [1, 2])
def test_gradient_at_uneven_coordinates(edge_order: int) -> None:
    for shape in [(5,), (3, 4), (4, 3, 5)]:
        x, place = sample(shape), np.sort(sample((shape[-1],)))
        agree(
            lambda x, p: of(x).gradient(x, spacing=(p,), dim=-1, edge_order=edge_order), x, place, name=False
        )
        agree(
            lambda x, p: of(x).gradient(x, spacing=(p,), dim=0, edge_order=edge_order),
            x,
            np.sort(sample((shape[0],))),
            name=False,
        )
    agree(
        lambda x, p, q: of(x).gradient(x, spacing=(p, q), edge_order=edge_order),
        sample((3, 4)), np.sort(sample((3,))), np.sort(sample((4,))), name=False,
    )  # fmt: skip


@pytest.mark.parametrize("name", ["cov", "corrcoef"])
@pytest.mark.parametrize("kind", [*WIDE, np.complex128, np.complex64, *INTS, np.bool_])
def test_covariance(name: str, kind: Any) -> None:
    for shape in [(5,), (3, 4), (2, 7), (1, 6), (2, 3, 4), (0, 3), (7, 3)]:
        if name == "corrcoef" and shape == (5,) and np.dtype(kind).kind == "c":
            continue  # no gradient passes x / x but rounding
        agree(call(name), sample(shape, kind), name=name == "cov")
        agree(lambda x: getattr(x, name)(), sample(shape, kind), name=name == "cov")
    for shape in [(), (1,), (3, 0), (3, 1), (0,)]:
        agree(call(name), sample(shape, kind), grad=False, name=False)


@pytest.mark.parametrize("kind", WIDE)
def test_covariance_with_weights(kind: Any) -> None:
    for correction in (0, 1, 2):
        for f, a in [(True, False), (False, True), (True, True)]:
            aweights = sample((4,), kind, 0.5, 2)

            def run(x: Any, w: Any, f: bool = f, a: bool = a, correction: int = correction) -> Any:
                other = of(x).tensor([1, 2, 0, 4]) if f else None
                return x.cov(correction=correction, fweights=other, aweights=w if a else None)

            agree(run, sample((3, 4), kind), aweights)
            agree(run, sample((4,), kind), aweights)
    for w in (
        np.array([1.0, 2, 3, 4]),
        np.array([1, 2, 3]),
        np.array([-1, 2, 3, 4]),
        np.zeros(4, int),
        np.ones((1, 4), int),
    ):
        agree(lambda x, w: x.cov(fweights=w), sample((3, 4), kind), w, grad=False)
        agree(lambda x, w: x.cov(aweights=w), sample((3, 4), kind), w, grad=False)
        agree(lambda x, w: x.cov(aweights=w), sample((3, 4), kind), w.astype(float), grad=False)
    agree(lambda x: x.cov(correction=4), sample((3, 4), kind), grad=False)


@pytest.mark.parametrize("interpolation", ["linear", "lower", "higher", "midpoint", "nearest", "foo"])
@pytest.mark.parametrize("name", ["quantile", "nanquantile"])
def test_quantiles(name: str, interpolation: str) -> None:
    for kind in WIDE:
        for shape in [(5,), (3, 4), (2, 3, 4), (), (1,), (0,), (0, 3)]:
            for dim in (None, 0, -1, 1):
                for keepdim in (False, True):
                    for q in (0.3, 0.0, 1, 0.5, 1.5):
                        agree(call(name, q, dim, keepdim, interpolation=interpolation), sample(shape, kind))
                    agree(
                        lambda x, q, dim=dim, keepdim=keepdim: getattr(x, name)(q, dim, keepdim, interpolation=interpolation),
                        sample(shape, kind), np.array([0.2, 0.75, 0.5], kind),
                    )  # fmt: skip
    holes = sample((4, 5))
    holes[0, 2] = holes[1, :] = holes[3, 0] = np.nan
    for dim in (None, 0, 1):
        agree(call(name, 0.4, dim, interpolation=interpolation), holes, grad=name == "nanquantile")
        agree(
            lambda x, q, dim=dim: getattr(of(x), name)(x, q, dim=dim, interpolation=interpolation),
            holes,
            np.array([0.0, 0.3]),
            grad=False,
        )


@pytest.mark.parametrize("name", ["quantile", "nanquantile"])
def test_quantiles_refused(name: str) -> None:
    for kind in (np.float16, ml_dtypes.bfloat16, np.complex128, *INTS, np.bool_):
        agree(call(name, 0.5), sample((4,), kind), grad=False)
    for q in ([[0.2]], [0.2, 1.5], [], [-0.1]):
        agree(call(name), sample((4,)), np.array(q, float))
    agree(call(name), sample((4,)), np.array([0.5], np.float32))
    agree(call(name, [0.5]), sample((4,)))
    agree(call(name, 0.5, 2), sample((3, 4)))


@pytest.mark.parametrize("kind", [*WIDE, np.complex128, *INTS])
def test_histogram(kind: Any) -> None:
    for shape in [(20,), (3, 4), (0,), (1,), ()] if kind in WIDE else [(20,)]:
        x = sample(shape, kind)
        weight = sample(shape, kind, 0.5, 2.0)
        for args, more in [
            ((), {}), ((4,), {}), ((7,), {"density": True}), ((4,), {"range": (-1.0, 2.0)}), ((4,), {"range": (1.0, 1.0)}),
            ((4,), {"range": (2.0, 1.0)}), ((0,), {}), ((-1,), {}),
        ]:  # fmt: skip
            if more.get("density") and shape != (20,):
                continue  # rows of nothing: 0 / 0
            agree(call("histogram", *args, **more), x, grad=False)
            agree(lambda x, w, a=args, m=more: x.histogram(*a, weight=w, **m), x, weight, grad=False)
        for edges in ([0.0, 1.0, 2.0, 4.0], [0.0], [], [[1.0, 2.0]]):
            agree(call("histogram"), x, np.array(edges, kind), grad=False)
    agree(call("histogram"), sample((4,)), np.array([0.0, 1.0], np.float32), grad=False)
    agree(lambda x, w: x.histogram(3, weight=w), sample((4,)), sample((3,)), grad=False)
    agree(lambda x, w: x.histogram(3, weight=w), sample((4,)), sample((4,), np.float32), grad=False)
    agree(call("histogram", 3), np.array([1.0, np.nan]), grad=False)
    agree(call("histogram", 3, range=(0.0, 2.0)), np.array([1.0, np.nan, 2.0, 0.0, 5.0]), grad=False)


def test_histogramdd() -> None:
    def flat(*args: Any, **more: Any) -> Callable[..., Any]:
        def run(x: Any, *rest: Any) -> list[Any]:
            found = of(x).histogramdd(x, *args, **more)
            return [found.hist, *found.bin_edges]

        return run

    for kind in [*WIDE, np.float16, np.int64]:
        for shape in [(20, 2), (5, 3), (2, 4, 2), (0, 2), (4,)]:
            x = sample(shape, kind)
            for bins in ([2, 3], [2, 3, 4], 3) if kind in WIDE else ([2] * shape[-1], 3):
                agree(flat(bins), x, grad=False)
    x = sample((20, 2))
    agree(flat([2, 3], range=[-1.0, 1.0, 0.0, 2.0]), x, grad=False)
    agree(flat([2, 3], range=[-1.0, 1.0]), x, grad=False)
    agree(flat([2, 3], density=True), x, grad=False)
    agree(lambda x, w: flat([2, 3], weight=w, density=True)(x), x, sample((20,), low=0.5), grad=False)
    agree(lambda x, e, f: flat([e, f])(x), x, np.array([-1.0, 0.0, 2.0]), np.array([-2.0, 2.0]), grad=False)


SEARCHED = [np.float64, np.float32, np.float16, ml_dtypes.bfloat16, *INTS, np.bool_, np.complex128]


@pytest.mark.parametrize("kind", SEARCHED)
def test_searchsorted(kind: Any) -> None:
    for edges, values in [
        ((6,), (4,)), ((6,), (2, 3)), ((6,), ()), ((2, 6), (2, 3)), ((2, 3, 4), (2, 3, 2)), ((2, 6), (3, 2)), ((0,), (3,)),
        ((6,), (0,)), ((), (3,)), ((2, 6), ()), ((2, 0), (2, 1)),
    ]:  # fmt: skip
        row = (
            np.sort(np.round(sample(edges, kind).astype(np.float64 if np.dtype(kind).kind in "fV" else kind)))
            if edges
            else sample(edges, kind)
        )
        ask = np.asarray(np.round(sample(values).astype(np.float64))).astype(kind)
        for more in [{}, {"right": True}, {"side": "right"}, {"out_int32": True}, {"side": "left", "right": True},
                     {"side": "foo"}]:  # fmt: skip
            agree(call("searchsorted", **more), row.astype(kind), ask, grad=False)
        if len(edges) == 1:
            agree(lambda v, e: of(v).bucketize(v, e, right=True), ask, row.astype(kind), grad=False)
    if kind is np.bool_:
        return
    agree(lambda e: of(e).searchsorted(e, 2), np.arange(5).astype(kind), grad=False)
    agree(lambda e: of(e).bucketize(2, e), np.arange(5).astype(kind), grad=False)


def test_searchsorted_with_a_sorter_and_nan() -> None:
    edges = sample((3, 5))
    order = np.argsort(edges, -1)
    agree(lambda e, v, s: of(e).searchsorted(e, v, sorter=s), edges, sample((3, 2)), order, grad=False)
    for sorter in (order[:2], order.astype(float), order + 3):
        agree(lambda e, v, s: of(e).searchsorted(e, v, sorter=s), edges, sample((3, 2)), sorter, grad=False)
    agree(call("searchsorted"), np.array([1.0, 2.0]), np.array([np.nan, 1.5]), grad=False)
    agree(lambda v: of(v).bucketize(v, [1, 2]), sample((3,)), grad=False)
    agree(call("bucketize"), sample((3,)), sample((3, 2)), grad=False)


@pytest.mark.parametrize("kind", [*SEARCHED])
def test_isin(kind: Any) -> None:
    for shape, tested in [
        ((6,), (3,)),
        ((2, 3), (2, 2)),
        ((), (3,)),
        ((0,), (3,)),
        ((3,), (0,)),
        ((40,), (20,)),
    ]:
        x, y = (
            np.asarray(np.round(sample(shape))).astype(kind),
            np.asarray(np.round(sample(tested))).astype(kind),
        )
        for more in [{}, {"invert": True}, {"assume_unique": False}]:
            agree(call("isin", **more), x, y, grad=False)
    agree(lambda x: of(x).isin(x, 2), np.arange(4).astype(kind), grad=False)
    agree(lambda x: of(x).isin(2, x), np.arange(4).astype(kind), grad=False)
    agree(lambda x: of(x).isin(x, 1.5), np.arange(4).astype(kind), grad=False)
    agree(call("isin"), np.arange(4).astype(kind), np.array([1.5, 2, np.nan]), grad=False)


def test_unravel_index() -> None:
    for shape in [(6,), (2, 3), (2, 3, 4), 7, [3, 2], (), (2, -3), (2, 3.0)]:
        for kind in [np.int64, np.int32, np.float64, np.bool_]:
            for size in [(), (3,), (2, 2), (0,)]:
                x = RNG.integers(0, 6, size)
                agree(
                    lambda x, shape=shape: of(x).unravel_index(x, shape),
                    np.asarray(x).astype(kind),
                    grad=False,
                )


POWERS = [0, 0.5, 1, 1.5, 2, 3, math.inf]


@pytest.mark.parametrize("p", [*POWERS, -1, -math.inf])
@pytest.mark.parametrize("kind", [*FLOATS, np.int64])
def test_dist(kind: Any, p: float) -> None:
    for a, b in [((5,), (5,)), ((3, 4), (4,)), ((2, 3), (2, 3)), ((), ()), ((3, 1), (1, 4)), ((3,), (4,))]:
        agree(
            lambda x, y: x.dist(y, p),
            sample(a, kind),
            sample(b, kind),
            grad=p != 0 and (a == b or np.dtype(kind).itemsize > 2),
        )
        agree(lambda x, y: of(x).dist(x, y, p=p), sample(a, kind), sample(b), grad=False)
    agree(lambda x: x.dist(x.detach(), p), sample((3,), kind), grad=p > 0)


@pytest.mark.parametrize("p", [*POWERS, -1])
@pytest.mark.parametrize("kind", [*FLOATS, np.int64])
def test_cdist(kind: Any, p: float) -> None:
    for a, b in [((3, 4), (2, 4)), ((1, 4), (5, 4)), ((2, 3, 4), (2, 2, 4)), ((3, 4), (5, 2, 4)), ((2, 1, 3, 2), (3, 2, 2)),
                 ((0, 4), (2, 4)), ((3, 4), (0, 4)), ((3, 0), (2, 0)), ((3, 4), (2, 3)), ((4,), (2, 4)), ((2, 3, 4), (3, 2, 4))]:  # fmt: skip
        agree(call("cdist", p), sample(a, kind), sample(b, kind))
    same = sample((3, 4), kind)
    agree(call("cdist", p), same, same.copy()[::-1].copy())
    agree(call("cdist", p), sample((4, 6), kind).T[::2], sample((4, 5), kind).T)
    for mode in ("use_mm_for_euclid_dist", "donot_use_mm_for_euclid_dist", "foo"):
        agree(call("cdist", p, mode), sample((3, 4), kind), sample((2, 4), kind), name=False)
    agree(call("cdist", p), sample((3, 4), kind), sample((2, 4), np.float64))
    if kind in WIDE:  # PyTorch's matrix product rounds half precision on the way
        agree(call("cdist", p), sample((30, 4), kind), sample((26, 4), kind), name=False)


@pytest.mark.parametrize("p", [0, 1, 1.5, 2, 3, math.inf, -1, 1j])
@pytest.mark.parametrize("kind", [*FLOATS, np.int64])
def test_renorm(kind: Any, p: Any) -> None:
    for shape in [(3, 4), (2, 3, 4), (4,), (0, 3), ()]:
        for dim, limit in [(0, 1.0), (1, 2), (-1, 0.5), (0, 100.0), (0, -1), (7, 1.0), (0, 0)]:
            # PyTorch's gradient of the largest of complex values is NaN, and at a limit of 0
            grad = np.dtype(kind).kind != "c" or (limit != 0 and p != math.inf)
            agree(call("renorm", p, dim, limit), sample(shape, kind), grad=grad)
    if np.dtype(kind).kind != "c":
        agree(lambda x: (x * 1).renorm_(p, 0, 1.0), sample((3, 4), kind))
        agree(lambda x: x.renorm(p, 1, 1.0), sample((4, 6), kind).T[::2])


@pytest.mark.parametrize("include", [True, False])
@pytest.mark.parametrize("reduce", ["prod", "mean", "amax", "amin", "sum"])
@pytest.mark.parametrize("kind", [*REAL, *INTS])
def test_index_reduce(kind: Any, reduce: str, include: bool) -> None:
    half = np.dtype(kind).itemsize < 4 and np.dtype(kind).kind in "fV"
    for shape, dim, index in [
        ((3, 4), 0, [0, 2, 0]), ((3, 4), 1, [1, 1]), ((5,), 0, [4, 0, 4, 4]), ((2, 3, 4), -2, [2, 0]), ((3, 4), 0, []),
        ((3, 4), 0, [0, 5]), ((3, 4), 0, [-1]), ((3, 4), 3, [0]), ((3, 4), 0, [[0, 1]]), ((3, 4), 0, [0.5]),
    ]:  # fmt: skip
        where = np.array(index) if index else np.zeros(0, int)
        source = list(shape)
        if -len(shape) <= dim < len(shape):
            source[dim] = where.size
        agree(
            lambda x, i, s, dim=dim: x.index_reduce(dim, i, s, reduce, include_self=include),
            sample(shape, kind, 0.5), where, sample(tuple(source), kind, 0.5), grad=not half,
        )  # fmt: skip
    agree(
        lambda x, s: (x * 1).index_reduce_(0, of(x).tensor([1, 1]), s, reduce, include_self=include),
        sample((3, 4), kind, 0.5), sample((2, 4), kind, 0.5), grad=not half,
    )  # fmt: skip
    agree(
        lambda x, s: of(x).index_reduce(x, 0, of(x).tensor([1]), s, reduce),
        sample((3, 4), kind),
        sample((1, 3), kind),
    )


@pytest.mark.parametrize("include", [True, False])
def test_products_with_zeros(include: bool) -> None:
    for zeros in ([0], [0, 1], [2], [0, 1, 2, 3], []):
        x, source = sample((3, 4)), sample((4, 4))
        source[zeros] = 0
        x[:, 1] = 0
        index = np.array([0, 0, 2, 0])
        agree(lambda x, i, s: x.index_reduce(0, i, s, "prod", include_self=include), x, index, source)
        wide = np.repeat(index[:, None], 4, 1)
        agree(lambda x, i, s: x.scatter_reduce(0, i, s, "prod", include_self=include), x, wide, source)


COPIES: list[tuple[str, tuple[Any, ...]]] = [
    ("alias_copy", ()), ("as_strided_copy", ((2, 2), (1, 2))), ("diagonal_copy", (1,)), ("expand_copy", ((2, 3, 4),)),
    ("permute_copy", ((1, 0),)), ("select_copy", (0, 1)), ("slice_copy", (0, 0, 3, 2)), ("slice_copy", ()),
    ("split_copy", (2,)), ("split_with_sizes_copy", ((1, 2),)), ("squeeze_copy", ()), ("squeeze_copy", (0,)), ("t_copy", ()),
    ("transpose_copy", (0, 1)), ("unbind_copy", ()), ("unfold_copy", (0, 2, 1)), ("unsqueeze_copy", (0,)),
    ("view_copy", ((4, 3),)), ("narrow_copy", (0, 1, 2)), ("narrow_copy", (0, 1, 5)), ("select_copy", (0, 7)),
    ("unsafe_chunk", (2,)), ("unsafe_split", (2, 1)), ("unsafe_split_with_sizes", ((1, 2),)), ("constant_pad_nd", ((1, 1), 2.0)),
    ("fill", (3,)), ("unsafe_split", (-1,)), ("unsafe_chunk", (0,)), ("unsafe_split_with_sizes", ((1, 1),)),
]  # fmt: skip


@pytest.mark.parametrize(
    "kind", [np.float64, np.float32, np.complex64, np.int64, np.bool_, ml_dtypes.bfloat16]
)
@pytest.mark.parametrize(("name", "args"), COPIES, ids=str)
def test_copies(name: str, args: tuple[Any, ...], kind: Any) -> None:
    def run(x: Any) -> Any:
        found = getattr(of(x), name)(x, *args)
        assert name[:6] == "unsafe" or all(piece.is_contiguous() for piece in several(found))
        return found

    if kind is np.complex64 and name in ("select_copy", "slice_copy"):
        return  # PyTorch has no gradient of these
    # PyTorch calls these nodes by the name of the view and "_copy"
    agree(run, sample((3, 4), kind), name=name.startswith("unsafe"))
    agree(
        run,
        sample((4, 3), kind).T.copy() if name == "as_strided_copy" else sample((4, 3), kind).T,
        name=False,
    ) if name not in ("view_copy",) else None


@pytest.mark.parametrize("kind", [np.float64, np.complex64, np.int64])
def test_sum_to_size_and_friends(kind: Any) -> None:
    for size in [(1, 4), (4,), (3, 1), (1, 1), (3, 4), (2, 4), (1, 1, 3, 4), (), (1,)]:
        agree(lambda x, size=size: x.sum_to_size(*size), sample((3, 4), kind))
        agree(lambda x, size=size: x.sum_to_size(size), sample((2, 3, 4), kind))
    for more in [{"size": 3}, {"size": 1}, {"size": 0}, {"size": 9, "fill_value": 5}, {"size": -1}, {}]:
        for shape in [(4,), (2, 3), (), (0,)]:
            x = np.asarray(RNG.integers(0, 2, shape)).astype(kind)
            agree(call("nonzero_static", **more), x, grad=False)
    for shape in [(3, 3), (5, 2), (7, 3), (2, 5), (3, 3, 3), (3, 3, 2), (3,)]:
        for wrap in (False, True):
            agree(lambda x, wrap=wrap: (x * 1).fill_diagonal_(2, wrap), sample(shape, kind), name=False)
    for offset in (None, 1):
        agree(
            lambda x, s, o=offset: of(x).as_strided_scatter(x, s, (2, 2), (1, 4), o),
            sample((3, 4), kind), sample((2, 2), kind), name=False, grad=False,
        )  # fmt: skip


@pytest.mark.parametrize("kind", [*FLOATS, *INTS, np.bool_])
def test_element_by_element(kind: Any) -> None:
    for shape in [(3,), (2, 3), (), (0,)]:
        agree(lambda x: (x * 1).apply_(lambda v: v + 2.5), sample(shape, kind), grad=False)
        agree(
            lambda x, y: (x * 1).map_(y * 1, lambda a, b: a * b),
            sample(shape, kind),
            sample(shape[-1:], kind),
            grad=False,
        )
    agree(lambda x: x.apply_(lambda v: v), sample((3,), np.float64))
    agree(lambda x: x.detach().map_(x, lambda a, b: b), sample((3,), np.float64))
    agree(lambda x: x.map_(x, lambda a, b: b), sample((3,), np.float64))
    agree(lambda x, y: x.map_(y, lambda a, b: b), sample((3,), kind), sample((2,), kind), grad=False)
    agree(
        lambda x, y: x.map_(y, lambda a, b: b), sample((3,), np.float64), sample((3,), np.float32), grad=False
    )
    for x in (sample((2, 3)), sample((2, 3)).T, sample((2, 3, 4)).transpose(1, 2, 0), sample(())):
        assert Tensor(x, None).dim_order() == torch.from_numpy(x).dim_order()


def test_memory_laid_out_as_asked_for() -> None:
    for size, stride in [((2, 3), (1, 2)), ((2, 3), (3, 1)), ((), ()), ((0, 3), (3, 1)), ((2, 3), (5, 0))]:
        ours, theirs = convgrad.empty_strided(size, stride), torch.empty_strided(size, stride)
        assert ours.shape == theirs.shape and tuple(ours.stride()) == tuple(theirs.stride())
        assert ours.new_empty_strided(size, stride).stride() == ours.stride()
    for order in [(0, 1, 2), (2, 0, 1), (1, 2, 0)]:
        ours, theirs = convgrad.empty_permuted((2, 3, 4), order), torch.empty_permuted((2, 3, 4), order)
        assert ours.shape == theirs.shape and tuple(ours.stride()) == tuple(theirs.stride())
    for value in (3, True, 2.5):
        close(convgrad.scalar_tensor(value), torch.scalar_tensor(value))
    x = convgrad.ones(2)
    assert x.is_cpu and not x.is_neg() and not x.is_conj() and x.resolve_neg() is x
    assert not convgrad.is_conj(x) and convgrad.resolve_conj(x) is x


@pytest.mark.parametrize("kind", [np.complex128, np.complex64, np.float64])
def test_conjugates(kind: Any) -> None:
    agree(call("conj_physical"), sample((3,), kind))
    agree(lambda x: (x * 1).conj_physical_(), sample((3,), kind), name=False)
    agree(call("msort"), sample((4, 3)))
    agree(call("mode"), np.round(sample((4, 5))), skip=(1,))


@pytest.mark.parametrize("kind", [*FLOATS, *INTS, np.bool_])
def test_diff_with_more_at_its_ends(kind: Any) -> None:
    for before, after in [((3, 1), None), (None, (3, 2)), ((3, 4), (3, 1)), ((2, 1), None), ((3,), None)]:
        for n in (0, 1, 2):
            xs = [sample((3, 4), kind), *[sample(s, kind) for s in (before, after) if s is not None]]

            def run(x: Any, *more: Any, n: int = n, before: Any = before, after: Any = after) -> Any:
                ends = list(more)
                return x.diff(
                    n, prepend=ends.pop(0) if before else None, append=ends.pop(0) if after else None
                )

            if before and after and kind in (np.float16, ml_dtypes.bfloat16):
                continue
            agree(run, *xs, name=n > 0)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.data())
def test_quantiles_of_anything(data: Any) -> None:
    shape = tuple(data.draw(st.lists(st.integers(1, 5), min_size=1, max_size=4)))
    dim = data.draw(st.none() | st.integers(-len(shape), len(shape) - 1))
    q = np.array(data.draw(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=4)))
    way = data.draw(st.sampled_from(["linear", "lower", "higher", "midpoint", "nearest"]))
    keepdim, turned = data.draw(st.booleans()), data.draw(st.booleans())
    x = sample(shape).T if turned else sample(shape)
    agree(lambda x, q: x.quantile(q, dim, keepdim, interpolation=way), x, q)
