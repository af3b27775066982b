"""Samples of images and volumes at any position: compiled against the definition, with every instruction set."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.kernels.sets import SETS, spoilt_memory, threads, using

from convgrad.kernels import machine, sampling

if machine._native is None:
    pytest.skip("no compiled kernels here", allow_module_level=True)

from convgrad.kernels import native_sampling as native

RNG = np.random.default_rng(0)
MODES, PADDINGS = ("nearest", "bilinear", "bicubic"), ("zeros", "border", "reflection")


@pytest.fixture(autouse=True)
def _unwritten_results_show(monkeypatch: pytest.MonkeyPatch) -> None:
    spoilt_memory(monkeypatch, native)


@pytest.mark.parametrize("name", SETS)
@given(
    st.sampled_from(MODES), st.sampled_from(PADDINGS), st.booleans(), st.booleans(), st.integers(2, 3), st.integers(0, 2),
    st.data(),
)  # fmt: skip
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_samples_and_their_adjoint(
    name: str, mode: str, padding: str, align: bool, wide: bool, axes: int, batch: int, data: st.DataObject
) -> None:
    dtype = np.float64 if wide else np.float32
    size = tuple(data.draw(st.lists(st.integers(1, 9), min_size=axes, max_size=axes)))
    out_size = tuple(data.draw(st.lists(st.integers(0, 9), min_size=axes, max_size=axes)))
    orders = tuple(data.draw(st.lists(st.integers(0, 1), min_size=axes, max_size=axes)))
    x = RNG.standard_normal((batch, 3, *size)).astype(dtype)
    grid = RNG.uniform(-1.6, 1.6, (batch, *out_size, axes)).astype(dtype)
    params = (mode, padding, align, orders)
    with using(name):
        out = native.grid_sample(x, grid, *params)
        g = RNG.standard_normal(out.shape).astype(dtype)
        gx = native.grid_sample_grad(g, grid, *params, size)
    tolerance = 1e-12 if wide else 1e-5
    np.testing.assert_allclose(out, sampling.grid_sample(x, grid, *params), rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(
        gx, sampling.grid_sample_grad(g, grid, *params, size), rtol=tolerance, atol=tolerance
    )
    np.testing.assert_array_equal(
        native.grid_slopes(grid, size, mode, padding, align),
        sampling.grid_slopes(grid, size, mode, padding, align),
    )


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("mode", MODES[:2])
def test_many_points_with_special_ones(name: str, mode: str, padding: str) -> None:
    x = RNG.standard_normal((2, 5, 11, 13)).astype(np.float32)
    grid = RNG.uniform(-1.2, 1.2, (2, 37, 31, 2)).astype(np.float32)
    grid[0, :3, 0, 0] = np.nan, np.inf, -np.inf
    grid[1, :4, :4] = np.linspace(-1, 1, 4)[:, None]
    with using(name):
        out = native.grid_sample(x, grid, mode, padding, False, (0, 0))
    with np.errstate(all="ignore"):
        wanted = sampling.grid_sample(x, grid, mode, padding, False, (0, 0))
    np.testing.assert_allclose(out, wanted, rtol=1e-5, atol=1e-5)


def test_the_same_bits_for_any_number_of_threads() -> None:
    x = RNG.standard_normal((2, 20, 40, 40)).astype(np.float32)
    grid = RNG.uniform(-1, 1, (2, 50, 50, 2)).astype(np.float32)
    found = set()
    for count in (1, 2, 3):
        with threads(count):
            out = native.grid_sample(x, grid, "bilinear", "zeros", False, (0, 0))
            gx = native.grid_sample_grad(out, grid, "bilinear", "zeros", False, (0, 0), (40, 40))
            found.add(out.tobytes() + gx.tobytes())
    assert len(found) == 1


@pytest.mark.parametrize(
    ("at", "number", "message"),
    [
        (0, 0, "positive"),
        (3, 1, "axes"),
        (3, 3, "elements"),
        (4, 2, "axes"),
        (8, 3, "padding"),
        (10, 2, "order"),
    ],
)
def test_wrong_numbers_are_refused(at: int, number: int, message: str) -> None:
    numbers = [1, 2, 4, 2, 1, 3, 3, 0, 0, 0, 0, 0, 0]
    x, grid, out = np.zeros((1, 2, 3, 3)), np.zeros((1, 4, 2)), np.zeros((1, 2, 4))
    machine._native.grid_samples(x, grid, out, numbers, False, True)
    with pytest.raises(ValueError, match=message):
        machine._native.grid_samples(x, grid, out, [*numbers[:at], number, *numbers[at + 1 :]], False, True)
    with pytest.raises(ValueError, match="elements"):
        machine._native.grid_samples(x, grid, out[..., 1:].copy(), numbers, False, True)
    with pytest.raises(TypeError):
        machine._native.grid_samples(x, grid.astype(np.float32), out, numbers, False, True)
