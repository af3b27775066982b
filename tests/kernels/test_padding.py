"""Borders of one value: compiled against the definition, with every instruction set."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.kernels.sets import SETS, spoilt_memory, threads, using

from convgrad.kernels import machine, padding

if machine._native is None:
    pytest.skip("no compiled kernels here", allow_module_level=True)

from convgrad.kernels import native_padding as native

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _unwritten_results_show(monkeypatch: pytest.MonkeyPatch) -> None:
    spoilt_memory(monkeypatch, native)
    monkeypatch.setattr(native, "_LEAST", 1)


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_borders_of_every_width(name: str, dtype: Any) -> None:
    for _ in range(150):
        rank = int(RNG.integers(0, 6))
        shape = tuple(RNG.choice([1, 2, 3, 7, 8, 9, 17, 33] if rank < 4 else [1, 2, 3, 7], rank).tolist())
        x = RNG.standard_normal(shape).astype(dtype)
        widths = [(0, 0)] * rank
        for axis in range(max(rank - int(RNG.integers(0, 5)), 0), rank):
            a, b = RNG.integers(-3, 20, 2).tolist()
            widths[axis] = (max(a, -shape[axis]), 0) if shape[axis] + a + b < 0 else (max(a, -shape[axis]), b)
            if shape[axis] + min(widths[axis][1], 0) + min(widths[axis][0], 0) < 0:
                widths[axis] = (0, 0)
        value = float(RNG.choice([0.0, -1.5, np.inf, np.nan]))
        with using(name):
            out = native.pad(x, tuple(widths), value)
        np.testing.assert_array_equal(out, padding.pad(x, tuple(widths), value))


def test_the_same_bits_for_any_number_of_threads() -> None:
    x = RNG.standard_normal((8, 16, 61, 67)).astype(np.float32)
    widths = ((0, 0), (0, 0), (1, 2), (3, 4))
    for count in (1, 2, 3):
        with threads(count):
            np.testing.assert_array_equal(native.pad(x, widths, 2.5), padding.pad(x, widths, 2.5))


def test_strided_inputs_and_other_dtypes() -> None:
    x = RNG.standard_normal((3, 8, 10))
    widths = ((0, 0), (1, 0), (0, 2))
    for y in (x[:, ::2], x.transpose(0, 2, 1), x.astype(np.float16), (9 * x).astype(np.int32), x + 1j):
        np.testing.assert_array_equal(native.pad(y, widths, 0), padding.pad(y, widths, 0))


def test_wrong_operands_are_refused() -> None:
    call, x, out = machine._native.pad_with_value, np.zeros((2, 3)), np.zeros((2, 5))
    numbers = (1, 1, 2, 3, 1, 1, 2, 5, 0, 0, 0, 1)
    call(x, out, 1.0, numbers, True)
    with pytest.raises(ValueError, match="elements"):
        call(x[:1], out, 1.0, numbers, True)
    with pytest.raises(ValueError, match="elements"):
        call(x, out[:1], 1.0, numbers, True)
    with pytest.raises(ValueError, match="12 numbers"):
        call(x, out, 1.0, numbers[1:], True)
    with pytest.raises(ValueError, match="wide"):
        call(x, out, 1.0, (*numbers[:-1], 1 << 60), True)
    with pytest.raises(TypeError):
        call(x, out.astype(np.float32), 1.0, numbers, True)
