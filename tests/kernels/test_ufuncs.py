"""NumPy's loops cut among threads: to the bit what NumPy gives, subnormal numbers and borders included."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.kernels.processes import compiled

from convgrad.kernels import native, threads

pytestmark = compiled
if native.available():
    from convgrad.kernels import native_maps
    from convgrad.kernels.machine import _native

ONE = [
    np.sin, np.cos, np.tan, np.arcsin, np.arctan, np.sinh, np.cosh, np.arcsinh, np.expm1, np.log1p, np.log2, np.log10,
    np.exp2, np.floor, np.ceil, np.trunc, np.rint, np.cbrt,
]  # fmt: skip
TWO = [
    np.power, np.arctan2, np.hypot, np.logaddexp, np.logaddexp2, np.remainder, np.fmod, np.floor_divide, np.copysign,
    np.nextafter,
]  # fmt: skip
SIZES = [1, 7, 8191, 8192, 65537, 300_001]
SPECIAL = [0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 1e-40, -1e-40, 3e38, 0.5, 2.0]


def numbers(size: int, dtype: Any, seed: int) -> Any:
    x = np.random.default_rng(seed).standard_normal(size).astype(dtype)
    x[: len(SPECIAL)] = np.array(SPECIAL[:size], dtype)[:size]
    x[-1] = dtype(1e-310 if dtype is np.float64 else 1e-40)  # subnormal, at the end of the last task
    return x


def run(ufunc: np.ufunc, x: Any, other: Any) -> Any:
    out = np.full(x.shape, 7, x.dtype)
    assert _native.map_ufunc(ufunc, x, other, out, x.dtype == np.float64)
    return out


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("ufunc", [*ONE, *TWO], ids=lambda u: u.__name__)
def test_to_the_bit(ufunc: np.ufunc, dtype: Any, count: int) -> None:
    before = threads.get_num_threads()
    threads.set_num_threads(count)
    try:
        with np.errstate(all="ignore"):
            for size in SIZES:
                x, y = numbers(size, dtype, 1), numbers(size, dtype, 2)[::-1].copy()
                for other in [None] if ufunc.nin == 1 else [y, 2.5, -0.3]:
                    wanted = ufunc(x) if other is None else ufunc(x, other)
                    np.testing.assert_array_equal(
                        run(ufunc, x, other).view(f"u{x.itemsize}"), wanted.view(f"u{x.itemsize}")
                    )
    finally:
        threads.set_num_threads(before)


def test_what_has_no_such_loop_is_left_to_numpy() -> None:
    x = np.ones(4, np.float32)
    out = np.empty_like(x)
    assert not _native.map_ufunc(np.modf, x, None, out, False)  # two results
    assert not _native.map_ufunc(np.sin, x, x, out, False)  # one operand
    assert not _native.map_ufunc(np.power, x, None, out, False)
    assert not _native.map_ufunc(np.bitwise_and, x, x, out, False)  # integers alone
    assert not _native.map_ufunc(np.isnan, x, None, out, False)  # bool
    assert not _native.map_ufunc(np.vectorize(lambda v: v), x, None, out, False)
    assert not _native.map_ufunc(np.frompyfunc(lambda v: v, 1, 1), x, None, out, False)


def test_operands_are_checked() -> None:
    x = np.ones(10, np.float32)
    for wrong in (x[::2], x.astype(np.float64), [1.0] * 5):
        with pytest.raises(TypeError):
            _native.map_ufunc(np.sin, wrong, None, np.empty(5, np.float32), False)
    with pytest.raises(ValueError, match="as many elements"):
        _native.map_ufunc(np.sin, x, None, np.empty(9, np.float32), False)
    with pytest.raises(ValueError, match="as many elements"):
        _native.map_ufunc(np.power, x, x[:9], np.empty(10, np.float32), False)
    with pytest.raises(TypeError, match="overlaps"):
        _native.map_ufunc(np.sin, x[:-1], None, x[1:], False)
    run(np.sin, x[:0], None)


def test_large_operands_take_this_way_and_others_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also strided, unaligned and mixed ones, with the same values."""
    called: list[bool] = []
    true = _native.map_ufunc

    class Watched:
        @staticmethod
        def map_ufunc(*args: Any) -> bool:
            called.append(bool(true(*args)))
            return called[-1]

        def __getattr__(self, name: str) -> Any:
            return getattr(_native, name)

    monkeypatch.setattr(native_maps, "_native", Watched())
    x = np.random.default_rng(0).random((400, 300), np.float32)
    unaligned = np.frombuffer(b"0" + x.tobytes(), np.float32, x.size, 1).reshape(x.shape)
    np.testing.assert_array_equal(native_maps.mapped(np.sin, x), np.sin(x))
    np.testing.assert_array_equal(native_maps.arithmetic(np.power, x, 2.5), np.power(x, 2.5))
    np.testing.assert_array_equal(native_maps.arithmetic(np.arctan2, x, x), np.arctan2(x, x))
    assert called == [True, True, True]
    for other in (x.T, unaligned, x[:10]):
        np.testing.assert_array_equal(native_maps.mapped(np.sin, other), np.sin(other))
        np.testing.assert_array_equal(native_maps.arithmetic(np.power, other, 2.5), np.power(other, 2.5))
    np.testing.assert_array_equal(native_maps.arithmetic(np.arctan2, x, x[0]), np.arctan2(x, x[0]))
    wide = x.astype(np.float64)
    assert native_maps.arithmetic(np.arctan2, x, wide).dtype == np.float64
    assert called == [True, True, True]
