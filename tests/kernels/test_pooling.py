"""Pooling against its definition as loops, and each adjoint against its forward."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.kernels import loops

from convgrad.kernels import pooling
from convgrad.kernels.geometry import Ints
from convgrad.kernels.pool_geometry import pool_output_size

Array = NDArray[Any]
RNG = np.random.default_rng(0)


@st.composite
def problems(draw: st.DrawFn) -> tuple[Ints, Ints, Ints, Ints, Ints, bool]:
    """x's shape, kernel, stride, padding, dilation, ceil_mode, with at least one window."""
    ndim = draw(st.integers(1, 3))
    kernel = tuple(draw(st.integers(1, 4)) for _ in range(ndim))
    stride = tuple(draw(st.integers(1, 5)) for _ in range(ndim))
    padding = tuple(draw(st.integers(0, k // 2)) for k in kernel)
    dilation = tuple(draw(st.integers(1, 3)) for _ in range(ndim))
    least = [max(1, d * (k - 1) + 1 - 2 * p) for k, p, d in zip(kernel, padding, dilation, strict=True)]
    size = tuple(draw(st.integers(n, n + 3)) for n in least)
    shape = (draw(st.integers(0, 2)), draw(st.integers(1, 2)), *size)
    return shape, kernel, stride, padding, dilation, draw(st.booleans())


@given(problems(), st.sampled_from(["ties", "normal", "nan"]))
@settings(max_examples=150, deadline=None)
def test_max_pool_is_the_definition(problem: tuple[Ints, Ints, Ints, Ints, Ints, bool], kind: str) -> None:
    shape, kernel, stride, padding, dilation, ceil_mode = problem
    x = RNG.integers(-2, 3, shape).astype(float) if kind == "ties" else RNG.standard_normal(shape)
    if kind == "nan":
        x[RNG.random(shape) < 0.2] = np.nan
    out, index = pooling.max_pool(x, kernel, stride, padding, dilation, ceil_mode)
    size = shape[2:]
    assert out.shape == (*shape[:2], *pool_output_size(size, kernel, stride, padding, dilation, ceil_mode))
    for n, c, *position in np.ndindex(out.shape):
        places = loops.window(tuple(position), kernel, stride, padding, dilation, size)
        here = (n, c, *position)
        if not places:
            assert out[here] == -np.inf
            assert 0 <= index[here] < np.prod(size)
            continue
        values = np.array([x[(n, c, *place)] for place in places])
        nans = np.flatnonzero(np.isnan(values))
        best = int(nans[-1]) if len(nans) else int(np.argmax(values))
        np.testing.assert_equal(out[here], values[best])
        assert index[here] == np.ravel_multi_index(places[best], size)


@given(problems())
@settings(max_examples=80, deadline=None)
def test_gather_and_grad_of_max_pool_are_adjoint(problem: tuple[Ints, Ints, Ints, Ints, Ints, bool]) -> None:
    shape, *window = problem
    x = RNG.standard_normal(shape)
    out, index = pooling.max_pool(x, *window)
    dx, g = RNG.standard_normal(shape), RNG.standard_normal(out.shape)
    pushed = pooling.max_pool_gather(dx, index)
    pulled = pooling.max_pool_grad(g, index, shape[2:])
    assert (pushed.shape, pulled.shape) == (out.shape, shape)
    assert np.vdot(pulled, dx) == pytest.approx(np.vdot(g, pushed), abs=1e-10)
    seen = np.isfinite(out)
    np.testing.assert_array_equal(pooling.max_pool_gather(x, index)[seen], out[seen])


@given(problems(), st.booleans(), st.sampled_from([None, 3, -2]))
@settings(max_examples=150, deadline=None)
def test_avg_pool_is_the_definition_and_its_grad_the_adjoint(
    problem: tuple[Ints, Ints, Ints, Ints, Ints, bool], count_include_pad: bool, divisor: int | None
) -> None:
    shape, kernel, stride, padding, _, ceil_mode = problem
    size, ones = shape[2:], (1,) * len(kernel)
    x = RNG.standard_normal(shape)
    out = pooling.avg_pool(x, kernel, stride, padding, ceil_mode, count_include_pad, divisor)
    assert out.shape == (*shape[:2], *pool_output_size(size, kernel, stride, padding, ones, ceil_mode))
    for n, c, *position in np.ndindex(out.shape):
        places = loops.window(tuple(position), kernel, stride, padding, ones, size)
        total = sum(x[(n, c, *place)] for place in places)
        count = 1
        for o, k, s, p, m in zip(position, kernel, stride, padding, size, strict=True):
            count *= min(o * s - p + k, m + p) - (o * s - p)
        count = divisor or (count if count_include_pad else len(places))
        assert out[(n, c, *position)] == pytest.approx(total / count, abs=1e-12)
    g = RNG.standard_normal(out.shape)
    gx = pooling.avg_pool_grad(g, size, kernel, stride, padding, count_include_pad, divisor)
    assert gx.shape == shape
    assert np.vdot(gx, x) == pytest.approx(np.vdot(g, out), abs=1e-10)


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 11)), min_size=1, max_size=3), st.integers(0, 2))
@settings(max_examples=150, deadline=None)
def test_adaptive_avg_pool_is_the_definition_and_its_grad_the_adjoint(
    axes: list[tuple[int, int]], batch: int
) -> None:
    size, wanted = tuple(n for n, _ in axes), tuple(m for _, m in axes)
    x = RNG.standard_normal((batch, 2, *size))
    out = pooling.adaptive_avg_pool(x, wanted)
    assert out.shape == (batch, 2, *wanted)
    for position in np.ndindex(*wanted):
        cut = tuple(
            slice(i * n // m, -(-(i + 1) * n // m)) for i, n, m in zip(position, size, wanted, strict=True)
        )
        mean = x[(..., *cut)].mean(axis=tuple(range(2, x.ndim)))
        np.testing.assert_allclose(out[(..., *position)], mean, atol=1e-12)
    g = RNG.standard_normal(out.shape)
    gx = pooling.adaptive_avg_pool_grad(g, size)
    assert gx.shape == x.shape
    assert np.vdot(gx, x) == pytest.approx(np.vdot(g, out), abs=1e-10)


@pytest.mark.parametrize(
    "dtype",
    [np.float32, np.float16, ml_dtypes.bfloat16, np.int32, np.uint8, np.int64],
    ids=lambda d: d.__name__,
)
def test_dtype_is_kept(dtype: Any) -> None:
    x = np.arange(36).reshape(1, 1, 6, 6).astype(dtype)
    out, index = pooling.max_pool(x, (2, 2), (2, 2), (1, 1), (1, 1))
    assert (out.dtype, index.dtype) == (dtype, np.int64)
    np.testing.assert_array_equal(index[0, 0, 0], [0, 2, 4, 5])
    assert pooling.max_pool_grad(out, index, (6, 6)).dtype == dtype
    assert pooling.max_pool_gather(x, index).dtype == dtype
    assert pooling.avg_pool(x, (2, 2), (2, 2), (0, 0)).dtype == dtype
    if np.dtype(dtype).kind not in "iu":
        assert pooling.adaptive_avg_pool(x, (4, 4)).dtype == dtype
        assert pooling.adaptive_avg_pool_grad(x, (4, 4)).dtype == dtype


def test_integer_averages_are_cut_towards_zero() -> None:
    x = np.array([[[-7, -4, 7, 4]]])
    np.testing.assert_array_equal(pooling.avg_pool(x, (2,), (2,), (0,)), [[[-5, 5]]])


def test_narrow_floats_are_rounded_once() -> None:
    x = np.ones((1, 1, 1000), ml_dtypes.bfloat16)
    assert float(pooling.avg_pool(x, (1000,), (1000,), (0,))[0, 0, 0]) == 1
    assert float(pooling.adaptive_avg_pool(x, (1,))[0, 0, 0]) == 1
    g = np.ones((1, 1, 1000), ml_dtypes.bfloat16)
    assert float(pooling.max_pool_grad(g, np.zeros((1, 1, 1000), np.int64), (1,))[0, 0, 0]) == 1000


def test_minus_infinity_everywhere_points_inside_the_input() -> None:
    x = np.full((1, 1, 4, 4), -np.inf)
    out, index = pooling.max_pool(x, (3, 3), (2, 2), (1, 1), (1, 1))
    np.testing.assert_array_equal(out, np.full((1, 1, 2, 2), -np.inf))
    np.testing.assert_array_equal(index[0, 0], [[0, 1], [4, 5]])


def test_more_taps_than_a_byte_counts() -> None:
    x = RNG.standard_normal((1, 1, 20, 20))
    out, index = pooling.max_pool(x, (17, 18), (1, 1), (0, 0), (1, 1))
    assert out[0, 0, 3, 2] == x[0, 0, 3:, 2:].max() == x.reshape(-1)[index[0, 0, 3, 2]]


def test_strided_and_read_only_inputs() -> None:
    x = RNG.standard_normal((6, 8, 3, 2)).transpose(3, 2, 1, 0)[..., ::-1]
    x.setflags(write=False)
    dense = x.copy()
    for a, b in zip(
        pooling.max_pool(x, (2, 3), (2, 1), (1, 1), (1, 1)),
        pooling.max_pool(dense, (2, 3), (2, 1), (1, 1), (1, 1)),
        strict=True,
    ):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_allclose(
        pooling.avg_pool(x, (2, 2), (2, 2), (0, 0)), pooling.avg_pool(dense, (2, 2), (2, 2), (0, 0))
    )
    np.testing.assert_allclose(pooling.adaptive_avg_pool(x, (3, 5)), pooling.adaptive_avg_pool(dense, (3, 5)))
    same = pooling.adaptive_avg_pool(x, x.shape[2:])
    np.testing.assert_array_equal(same, x)
    assert same.flags.writeable and not np.shares_memory(same, x)
    one = pooling.avg_pool(dense, (1, 1), (1, 1), (0, 0))
    assert not np.shares_memory(one, dense)
