"""Matrix products of the compiled kernels against sums in float64, in all steps and sizes."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest

import convgrad as torch
from convgrad.kernels import products
from convgrad.kernels.machine import _native

pytest.importorskip("convgrad.kernels._native", reason="no compiled kernels here")
native_products = importlib.import_module("convgrad.kernels.native_products")

SIZES = [
    (1, 1, 1), (1, 7, 5), (1, 65, 130), (2, 16, 32), (3, 33, 15), (4, 5, 513), (4, 515, 17), (5, 3, 2),
    (5, 16, 48), (17, 1, 33), (100, 1000, 2), (300, 100, 3), (9, 7, 1), (3, 1100, 70), (47, 40, 63), (49, 513, 65), (64, 400, 120), (97, 1030, 10), (130, 20, 200),
]  # fmt: skip
FORMS = ["NN", "NT", "TN", "TT"]


def matrix(rng: Any, rows: int, columns: int, form: str, dtype: Any) -> Any:
    """Of that shape, in rows ("N") or in columns ("T")."""
    if form == "N":
        return rng.standard_normal((rows, columns)).astype(dtype)
    return rng.standard_normal((columns, rows)).astype(dtype).T


def operands(size: tuple[int, int, int], form: str, dtype: Any) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(sum(size))
    m, k, n = size
    bias = rng.standard_normal(n).astype(dtype)
    return matrix(rng, m, k, form[0], dtype), matrix(rng, k, n, form[1], dtype), bias


def check(out: Any, a: Any, b: Any, bias: Any = None, relu: bool = False) -> None:
    exact = a.astype(np.float64) @ b.astype(np.float64)
    room = np.abs(a.astype(np.float64)) @ np.abs(b.astype(np.float64)) + 1e-30
    if bias is not None:
        exact, room = exact + bias, room + np.abs(bias)
    if relu:
        exact = np.maximum(exact, 0)
    eps = np.finfo(out.dtype).eps
    # a chain of additions errs by half an eps a step at most; what was seen is a tenth of this
    assert np.all(np.abs(out - exact) <= room * eps * (4 + 0.05 * a.shape[1])), np.max(
        np.abs(out - exact) / room
    )


@pytest.mark.parametrize("name", _native.instruction_sets())
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("form", FORMS)
def test_products_of_all_sizes(form: str, dtype: Any, name: str) -> None:
    before = _native.instruction_sets()[-1]
    _native.use_instruction_set(name)
    try:
        for size in SIZES:
            a, b, bias = operands(size, form, dtype)
            out = np.full((size[0] + 1, size[2]), np.nan, dtype)
            _native.product(a, b, None, out[:-1], dtype is np.float64)
            check(out[:-1], a, b)
            assert np.isnan(out[-1]).all()  # nothing is written beyond the result
            _native.product(a, b, bias, out[:-1], dtype is np.float64, 1)
            check(out[:-1], a, b, bias, relu=True)
    finally:
        _native.use_instruction_set(before)


@pytest.mark.parametrize("size", [(1, 300, 700), (64, 400, 120), (500, 300, 200), (3, 2000, 1100)])
def test_the_same_bits_for_any_number_of_threads(size: tuple[int, int, int]) -> None:
    before = torch.get_num_threads()
    a, b, bias = operands(size, "NT", np.float32)
    seen = set()
    try:
        for threads in (1, 2, 3, 5):
            torch.set_num_threads(threads)
            out = np.empty((size[0], size[2]), np.float32)
            _native.product(a, b, bias, out, False)
            seen.add(out.tobytes())
    finally:
        torch.set_num_threads(before)
    assert len(seen) == 1


def test_a_matrix_in_other_steps_is_copied() -> None:
    rng = np.random.default_rng(0)
    a = rng.standard_normal((40, 90)).astype(np.float32)[:, ::-1]
    b = rng.standard_normal((180, 60)).astype(np.float32)[::2, ::2]
    np.testing.assert_allclose(native_products.product(a, b), products.product(a, b), rtol=1e-4, atol=1e-5)
    wide = np.broadcast_to(a[:1], (40, 90))
    np.testing.assert_allclose(
        native_products.product(wide, b), products.product(wide, b), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("shape", [(0, 3, 4), (3, 0, 4), (3, 4, 0)])
def test_products_of_nothing(shape: tuple[int, int, int]) -> None:
    m, k, n = shape
    bias = np.arange(n, dtype=np.float32)
    out = native_products.product(np.ones((m, k), np.float32), np.ones((k, n), np.float32), bias)
    np.testing.assert_array_equal(out, np.broadcast_to(bias, (m, n)))


def test_wrong_operands_are_refused() -> None:
    a, b, bias = operands((6, 5, 4), "NN", np.float32)
    out = np.zeros((6, 4), np.float32)
    with pytest.raises(ValueError, match="do not fit each other"):
        _native.product(a, a, None, out, False)
    with pytest.raises(ValueError, match="do not fit each other"):
        _native.product(a, b, bias[:3], out, False)
    with pytest.raises(TypeError, match="no matrix of the precision"):
        _native.product(a, b.astype(np.float64), None, out, False)
    with pytest.raises(TypeError, match="no matrix of the precision"):
        _native.product(a.tolist(), b, None, out, False)
    with pytest.raises(TypeError, match="other steps"):
        _native.product(a[::-1], b, None, out, False)
    with pytest.raises(ValueError, match="no such activation"):
        _native.product(a, b, None, out, False, 7)
    out.flags.writeable = False
    with pytest.raises(TypeError):
        _native.product(a, b, None, out, False)
    assert not out.any()


def test_nan_and_infinity_stay_in_their_rows_and_columns() -> None:
    a, b, _ = operands((50, 40, 70), "NN", np.float32)
    a[3, 7], b[11, 64] = np.nan, np.inf
    out = np.empty((50, 70), np.float32)
    _native.product(a, b, None, out, False)
    assert np.isnan(out[3]).all()
    odd = ~np.isfinite(out)
    odd[3] = odd[:, 64] = False
    assert not odd.any()
