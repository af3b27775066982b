"""The convolution primitives against the definition, and against each other by their adjoint identities."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.kernels import loops

from convgrad.kernels import reference, registered, spectral, table
from convgrad.kernels.geometry import Geometry, Ints, conv_output_size

Array = NDArray[Any]
RNG = np.random.default_rng(0)


def normal(*shape: int, dtype: Any = np.float64) -> Array:
    values = RNG.standard_normal(shape)
    if np.dtype(dtype).kind == "c":
        return (values + 1j * RNG.standard_normal(shape)).astype(dtype)
    return values.astype(dtype)


@st.composite
def problems(draw: st.DrawFn) -> tuple[Ints, Ints, Geometry]:
    """Shapes of x and w and a geometry; outputs may be empty, padding lopsided or beyond the kernel."""
    ndim = draw(st.integers(1, 3))
    most = (9, 6, 4)[ndim - 1]
    groups = draw(st.integers(1, 3))
    channels, out = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    each = st.integers

    def per_axis(low: int, high: int) -> Ints:
        return tuple(draw(each(low, high)) for _ in range(ndim))

    pairs = tuple((draw(each(0, 4)), draw(each(-1, 4))) for _ in range(ndim))
    geometry = Geometry(per_axis(1, 4), pairs, per_axis(1, 3), groups)
    x = (draw(each(0, 3)), groups * channels, *per_axis(1, most))
    return x, (groups * out, channels, *per_axis(1, 3)), geometry


@given(problems())
@settings(max_examples=150, deadline=None)
def test_convolve_is_the_definition(problem: tuple[Ints, Ints, Geometry]) -> None:
    x_shape, w_shape, geometry = problem
    x, w = normal(*x_shape), normal(*w_shape)
    out = reference.convolve(x, w, geometry)
    expected = loops.convolve(x, w, geometry)
    assert out.shape == expected.shape
    assert out.flags.c_contiguous
    np.testing.assert_allclose(out, expected, atol=1e-12)


@given(problems())
@settings(max_examples=200, deadline=None)
def test_the_three_primitives_are_adjoint(problem: tuple[Ints, Ints, Geometry]) -> None:
    """<convolve(x, w), g> = <x, input_grad(g, w)> = <w, weight_grad(x, g)>, to rounding error."""
    x_shape, w_shape, geometry = problem
    x, w = normal(*x_shape), normal(*w_shape)
    g = normal(x_shape[0], w_shape[0], *conv_output_size(x_shape[2:], w_shape[2:], geometry))
    gx = reference.convolve_input_grad(g, w, geometry, x_shape[2:])
    gw = reference.convolve_weight_grad(x, g, geometry, w_shape[2:])
    assert (gx.shape, gw.shape) == (x.shape, w.shape)
    assert gx.flags.c_contiguous and gw.flags.c_contiguous
    form = np.vdot(reference.convolve(x, w, geometry), g)
    assert np.vdot(x, gx) == pytest.approx(form, rel=1e-9, abs=1e-9)
    assert np.vdot(w, gw) == pytest.approx(form, rel=1e-9, abs=1e-9)


LARGE = [
    ((5, 4, 70, 31), (6, 4, 3, 3), Geometry((1, 1), ((1, 1), (1, 1)), (1, 1), 1)),
    ((3, 4, 70, 31), (6, 2, 5, 3), Geometry((2, 1), ((1, 2), (0, 1)), (1, 2), 2)),
    ((9, 8, 6, 6), (8, 1, 3, 3), Geometry((1, 1), ((1, 1), (1, 1)), (1, 1), 8)),
    ((2, 3, 20, 9, 8), (4, 3, 3, 3, 3), Geometry((1, 2, 1), ((1, 1),) * 3, (1, 1, 1), 1)),
    ((2, 2, 700), (3, 2, 7), Geometry((3,), ((2, 5),), (4,), 1)),
    ((2, 2, 900), (3, 2, 300), Geometry((1,), ((0, 0),), (1,), 1)),
    ((2, 2, 900), (3, 2, 257), Geometry((1,), ((300, 20),), (1,), 1)),
    ((2, 2, 900), (3, 2, 257), Geometry((1,), ((3, -8),), (1,), 1)),
]


def by_taps(x: Array, w: Array, geometry: Geometry) -> Array:
    """An oracle for larger shapes: one einsum per tap of the padded input."""
    pads = [(0, 0), (0, 0), *[(low, max(high, 0)) for low, high in geometry.padding]]
    padded = np.pad(x, pads)
    size = conv_output_size(x.shape[2:], w.shape[2:], geometry)
    n, groups = x.shape[0], geometry.groups
    padded = padded.reshape(n, groups, -1, *padded.shape[2:])
    filters = w.reshape(groups, -1, *w.shape[1:])
    out = np.zeros((n, groups, w.shape[0] // groups, *size), x.dtype)
    for tap in np.ndindex(*w.shape[2:]):
        axes = zip(tap, geometry.stride, geometry.dilation, size, strict=True)
        cut = tuple(slice(k * d, k * d + (m - 1) * s + 1, s) for k, s, d, m in axes)
        out += np.einsum("ngc...,goc->ngo...", padded[(..., *cut)], filters[(..., *tap)])
    return out.reshape(n, w.shape[0], *size)


@pytest.mark.parametrize("block", [2**6, 2**12, 2**18])
@pytest.mark.parametrize(("x_shape", "w_shape", "geometry"), LARGE, ids=str)
def test_every_way_of_cutting_gives_the_same(
    x_shape: Ints, w_shape: Ints, geometry: Geometry, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reference, "_BLOCK", block)
    x, w = normal(*x_shape), normal(*w_shape)
    out = reference.convolve(x, w, geometry)
    np.testing.assert_allclose(out, by_taps(x, w, geometry), atol=1e-10)
    g = normal(*out.shape)
    form = np.vdot(out, g)
    gx = reference.convolve_input_grad(g, w, geometry, x_shape[2:])
    gw = reference.convolve_weight_grad(x, g, geometry, w_shape[2:])
    assert np.vdot(x, gx) == pytest.approx(form, rel=1e-10, abs=1e-8)
    assert np.vdot(w, gw) == pytest.approx(form, rel=1e-10, abs=1e-8)


def test_the_fourier_route_agrees_with_the_columns_in_all_three(monkeypatch: pytest.MonkeyPatch) -> None:
    geometry = Geometry((1,), ((7, 40),), (1,), 1)
    x, w, g = normal(2, 3, 3000), normal(4, 3, 400), normal(2, 4, 2648)
    assert spectral.pays(x.dtype, w.shape, (2648,), geometry)
    fourier = _all_three(x, w, g, geometry)
    monkeypatch.setattr(spectral, "_LONG", 10**9)
    for fast, slow in zip(fourier, _all_three(x, w, g, geometry), strict=True):
        np.testing.assert_allclose(fast, slow, atol=1e-10)


def _all_three(x: Array, w: Array, g: Array, geometry: Geometry) -> tuple[Array, Array, Array]:
    return (
        reference.convolve(x, w, geometry),
        reference.convolve_input_grad(g, w, geometry, x.shape[2:]),
        reference.convolve_weight_grad(x, g, geometry, w.shape[2:]),
    )


@pytest.mark.parametrize("bad", [np.inf, np.nan])
def test_a_value_that_is_not_finite_stays_where_it_belongs(bad: float) -> None:
    """The Fourier route would spread it over a whole frame."""
    x, w = np.ones((1, 1, 2000), np.float32), np.ones((1, 1, 300), np.float32)
    x[0, 0, 1000] = bad
    out = reference.convolve(x, w, Geometry((1,), ((0, 0),), (1,), 1))
    touched = ~np.isfinite(out[0, 0])
    assert touched.sum() == 300
    assert touched[701:1001].all()
    np.testing.assert_allclose(out[0, 0, ~touched], 300)


@pytest.mark.parametrize("dtype", [np.float32, np.complex64, np.complex128], ids=lambda d: d.__name__)
def test_dtype_is_kept_and_nothing_is_conjugated(dtype: Any) -> None:
    geometry = Geometry((2, 1), ((1, 0), (2, 2)), (1, 2), 2)
    x, w = normal(2, 4, 6, 7, dtype=dtype), normal(6, 2, 3, 2, dtype=dtype)
    out = reference.convolve(x, w, geometry)
    g = normal(*out.shape, dtype=dtype)
    three = _all_three(x, w, g, geometry)
    assert all(a.dtype == dtype for a in three)
    np.testing.assert_allclose(out, loops.convolve(x, w, geometry), rtol=1e-4, atol=1e-4)
    form = (out * g).sum()  # bilinear: a plain product, no conjugate
    np.testing.assert_allclose([(x * three[1]).sum(), (w * three[2]).sum()], form, rtol=1e-4)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int16, np.int32, np.int64], ids=lambda d: d.__name__)
def test_integers_are_exact_and_wrap_as_their_dtype_does(dtype: Any) -> None:
    geometry = Geometry((1,), ((1, 1),), (1,), 1)
    x, w = RNG.integers(0, 100, (2, 3, 9)).astype(dtype), RNG.integers(0, 100, (2, 3, 3)).astype(dtype)
    out = reference.convolve(x, w, geometry)
    assert out.dtype == dtype
    exact = loops.convolve(x.astype(np.int64), w.astype(np.int64), geometry)
    np.testing.assert_array_equal(out, exact.astype(dtype))


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16], ids=["float16", "bfloat16"])
def test_narrow_floats_are_rounded_once(dtype: Any) -> None:
    """Adding 1,000 ones one by one in bfloat16 would stop at 256."""
    x, w = np.ones((1, 1, 1000), dtype), np.ones((1, 1, 1000), dtype)
    geometry = Geometry((1,), ((0, 0),), (1,), 1)
    three = _all_three(x, w, np.ones((1, 1, 1), dtype), geometry)
    assert all(a.dtype == dtype for a in three)
    assert float(three[0][0, 0, 0]) == 1000
    overflow = reference.convolve(x * np.array(100, dtype), w * np.array(100, dtype), geometry)
    assert float(overflow[0, 0, 0]) == float(np.array(np.inf if dtype is np.float16 else 1e7, dtype))


@pytest.mark.parametrize("groups", [1, 2])
def test_empty_batches_channels_and_outputs(groups: int) -> None:
    geometry = Geometry((1, 1), ((0, 0), (0, 0)), (1, 1), groups)
    for x_shape, w_shape, size in [
        ((0, 2, 5, 5), (4, 2 // groups, 3, 3), (3, 3)),
        ((2, 0, 5, 5), (4, 0, 3, 3), (3, 3)),
        ((2, 2, 2, 5), (4, 2 // groups, 3, 3), (0, 3)),
        ((2, 2, 5, 0), (4, 2 // groups, 3, 1), (3, 0)),
        ((2, 2, 5, 5), (0, 2 // groups, 3, 3), (3, 3)),
    ]:
        out, gx, gw = _all_three(
            normal(*x_shape), normal(*w_shape), normal(x_shape[0], w_shape[0], *size), geometry
        )
        assert out.shape == (x_shape[0], w_shape[0], *size)
        assert (gx.shape, gw.shape) == (x_shape, w_shape)
        if not x_shape[0] * x_shape[1] * w_shape[0] * size[0] * size[1]:
            assert not out.any() and not gx.any() and not gw.any()
    long = Geometry((1,), ((0, 0),), (1,), 1)
    for n, c in ((0, 2), (2, 0)):
        out, gx, gw = _all_three(normal(n, c, 900), normal(3, c, 300), normal(n, 3, 601), long)
        assert (out.shape, gx.shape, gw.shape) == ((n, 3, 601), (n, c, 900), (3, c, 300))
        assert not out.any() and not gx.any() and not gw.any()


def test_strided_reversed_and_read_only_inputs_are_read_and_left_alone() -> None:
    geometry = Geometry((1, 2), ((0, 0), (1, 1)), (1, 1), 1)
    x = normal(5, 6, 4, 2).transpose(3, 2, 1, 0)[:, ::-1, :, ::-1]
    w = np.broadcast_to(normal(1, 1, 3, 2), (3, 4, 3, 2))
    g = np.broadcast_to(normal(1, 3, 1, 1), (2, 3, 4, 3))
    x.setflags(write=False)
    before = x.copy()
    strided = _all_three(x, w, g, geometry)
    dense = _all_three(x.copy(), w.copy(), g.copy(), geometry)
    for a, b in zip(strided, dense, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-13)
        assert a.flags.writeable and not np.shares_memory(a, x)
    np.testing.assert_array_equal(x, before)


def test_a_pointwise_result_does_not_alias_its_input() -> None:
    geometry = Geometry((1,), ((0, 0),), (1,), 1)
    x = normal(1, 1, 80)
    out = reference.convolve(x, np.ones((1, 1, 1)), geometry)
    np.testing.assert_array_equal(out, x)
    assert not np.shares_memory(out, x)


def test_the_table_holds_the_last_set_registered() -> None:
    assert table.name == registered()[-1]
    assert table.convolve.__module__.endswith(table.name)
