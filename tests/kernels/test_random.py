"""The Mersenne Twister in compiled code and in NumPy: the same numbers, with every instruction set."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from tests.kernels.sets import SETS, spoilt_memory, threads, using

from convgrad.dtypes import F32, F64
from convgrad.kernels import machine, random

if machine._native is None:
    pytest.skip("no compiled kernels here", allow_module_level=True)

from convgrad.kernels import native_random as native

COUNTS = [0, 1, 2, 7, 8, 15, 16, 17, 33, 227, 396, 397, 623, 624, 625, 1247, 2495, 2496, 2497, 5000, 1, 3]


@pytest.fixture(autouse=True)
def _unwritten_results_show(monkeypatch: pytest.MonkeyPatch) -> None:
    spoilt_memory(monkeypatch, native)


def assert_same_place(ours: Any, definition: Any) -> None:
    """Both give the same numbers from here on: their states are equal, up to when words are renewed."""
    (key, at), (wanted, place) = ours.get_state(), definition.get_state()
    assert at == place
    np.testing.assert_array_equal(key, wanted)


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1, 67280421])
def test_every_fill_is_the_definition(name: str, seed: int) -> None:
    ours, definition = native.twister(seed), random.twister(seed)
    assert_same_place(ours, definition)
    with using(name):
        for n in COUNTS:
            for draw in (
                lambda t, n=n: t.words(n), lambda t, n=n: t.long_words(n), lambda t, n=n: t.uniform(n, F32),
                lambda t, n=n: t.uniform(n, F64), lambda t, n=n: t.trials(n, int(0.3 * 2**53), 1.0, F32),
                lambda t, n=n: t.trials(n, int(0.7 * 2**53), 3.5, F64),
                lambda t, n=n: t.trials(n, 1 << 52, 1.0, np.dtype(np.int64)),
                lambda t, n=n: t.trials(n, 1 << 52, 1.25, np.dtype(np.float16)),
                lambda t, n=n: t.trials(n, 1 << 52, 1 / 0.9, np.dtype(np.complex128)),
                lambda t, n=n: t.permutation(n),
            ):  # fmt: skip
                a, b = draw(ours), draw(definition)
                assert (a.dtype, a.shape) == (b.dtype, b.shape)
                np.testing.assert_array_equal(a, b)
                assert_same_place(ours, definition)


@pytest.mark.parametrize("dtype", [F32, F64], ids=str)
@pytest.mark.parametrize(
    ("low", "high"), [(-0.1, 0.33), (2.0, 5.0), (1.0, 1.0), (0.0, 1e-30), (1.0, 1.0000001)]
)
def test_uniform_numbers_between_bounds(dtype: Any, low: float, high: float) -> None:
    ours, definition = native.twister(1), random.twister(1)
    for n in COUNTS:
        a, b = ours.uniform(n, dtype, low, high), definition.uniform(n, dtype, low, high)
        np.testing.assert_array_equal(a, b)
        assert np.all((a >= dtype.type(low)) & ((a < dtype.type(high)) | (low == high)))


@pytest.mark.parametrize("name", SETS)
def test_certain_trials(name: str) -> None:
    ours = native.twister(3)
    with using(name):
        assert np.all(ours.trials(1000, 1 << 53, 2.0, F32) == 2)
        assert np.all(ours.trials(1000, 0, 2.0, F64) == 0)


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize(("mean", "std"), [(0.0, 1.0), (-3.0, 0.02)])
def test_normal_numbers(name: str, mean: float, std: float) -> None:
    """Against the definition in float64: radius and angle are right to a few units in the last place."""
    for n in (16, 32, 48, 16 * 513, 1 << 17, (1 << 17) + 16):
        ours, definition = native.twister(n), random.twister(n)
        with using(name):
            out = ours.normal(n, mean, std)
        u = definition.uniform(n, F32).astype(np.float64).reshape(-1, 16)
        radius, angle = np.sqrt(-2 * np.log1p(-u[:, :8])), 2 * math.pi * u[:, 8:]
        exact = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)], 1).reshape(n)
        reach = np.concatenate([radius, radius], 1).reshape(n)
        # the angle is rounded to float32: half a unit in the last place of up to 2 pi
        bound = std * (reach * 4.0e-7 + 1e-7) + abs(mean) * 1.2e-7
        assert np.all(np.abs(out - (exact * std + mean)) <= bound)
        assert_same_place(ours, definition)


@pytest.mark.parametrize("n", [17, 31, 33, 1000, (1 << 17) + 5])
@pytest.mark.parametrize("thrifty", [False, True])
def test_the_last_sixteen_normal_numbers_are_made_anew(n: int, thrifty: bool) -> None:
    for dtype in (F32, F64):
        ours, definition = native.twister(n), random.twister(n)
        a, b = ours.normal(n, 0.5, 2.0, dtype, thrifty), definition.normal(n, 0.5, 2.0, dtype, thrifty)
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-5)
        assert_same_place(ours, definition)


def test_the_same_bits_for_any_number_of_threads() -> None:
    found = set()
    for count in (1, 2, 3):
        with threads(count):
            found.add(native.twister(5).normal(300_000 // 16 * 16, 0.0, 1.0).tobytes())
    assert len(found) == 1


def test_a_state_goes_from_one_to_the_other_and_back() -> None:
    for first, second in ((native, random), (random, native)):
        a, b = first.twister(9), second.twister(1)
        a.words(1000)
        b.set_state(*a.get_state())
        np.testing.assert_array_equal(a.words(700), b.words(700))


def test_what_is_no_state_or_no_result_is_refused() -> None:
    t = machine._native.Twister(1)
    key = np.zeros(2496, np.uint8)
    with pytest.raises(ValueError, match="624"):
        t.set_state(key[:-1], 0)
    for place in (-1, 625):
        with pytest.raises(ValueError, match="624"):
            t.set_state(key, place)
    with pytest.raises(ValueError, match="624"):
        t.get_state(key[1:])
    with pytest.raises(TypeError):
        t.set_state(key.view(np.uint32), 0)
    with pytest.raises(ValueError, match="4 bytes"):
        t.words(np.zeros(7, np.uint8))
    with pytest.raises(ValueError, match="16 at a time"):
        t.normal(np.zeros(15, np.float32), 0.0, 1.0, False)
    for bad in (np.zeros(16), np.zeros(32, np.float32)[::2], b"0" * 16):
        with pytest.raises(TypeError):
            t.uniform(bad, 0.0, 1.0, 1.0, False)
        with pytest.raises(TypeError):
            t.trials(bad, 1, 1.0, False)
        with pytest.raises(TypeError):
            t.normal(bad, 0.0, 1.0, False)
