"""The door to the compiled kernels: it reads what it was made for, refuses everything else, and keeps nothing."""

from __future__ import annotations

import sys
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from convgrad.kernels import native, planner
from convgrad.kernels.geometry import Geometry

from .test_planner import problem

pytestmark = pytest.mark.skipif(not native.available(), reason="no compiled kernels here")


def made(dtype: type = np.float32) -> tuple[Any, list[Any]]:
    """A kernel and good operands: x, w, bias, out."""
    p = problem(dtype=dtype)
    plan = planner.choose(p, native.machine())
    assert plan is not None
    x, w, y = p.operand_shapes
    return plan.call, [np.ones(x, dtype), np.ones(w, dtype), np.ones(6, dtype), np.zeros(y, dtype)]


def misaligned(a: Any) -> Any:
    raw = np.zeros(a.nbytes + 1, np.uint8)[1:].view(a.dtype).reshape(a.shape)
    raw[...] = a
    assert not raw.flags.aligned
    return raw


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_good_operands_are_computed(dtype: type) -> None:
    call, operands = made(dtype)
    call(*operands)
    np.testing.assert_array_equal(operands[3], 4 * 9 + 1)
    operands[0].flags.writeable = operands[1].flags.writeable = operands[2].flags.writeable = False
    call(operands[0], operands[1], None, operands[3], 1)
    np.testing.assert_array_equal(operands[3], 4 * 9)


BAD: list[tuple[str, Any, type[Exception], str]] = [
    ("strided", lambda a: np.repeat(a, 2, -1)[..., ::2], TypeError, "no contiguous array"),
    ("fortran", lambda a: np.array(a, order="F", ndmin=2), TypeError, "no contiguous array"),
    ("misaligned", misaligned, TypeError, "multiple of its elements' size"),
    ("double", lambda a: a.astype(np.float64), TypeError, "not of the precision"),
    ("swapped", lambda a: a.astype(a.dtype.newbyteorder()), TypeError, "not of the precision"),
    ("integer", lambda a: a.astype(np.int32), TypeError, "not of the precision"),
    ("complex", lambda a: a.astype(np.complex64), TypeError, "not of the precision"),
    ("record", lambda a: a.astype([("f", "f4")]), TypeError, "not of the precision"),
    ("empty strings", lambda a: np.zeros(a.shape, "S0"), TypeError, "not of the precision"),
    ("objects", lambda a: a.astype(object), TypeError, "not of the precision"),
    ("list", lambda a: a.tolist(), TypeError, "no contiguous array"),
    ("bytes", lambda a: a.tobytes(), TypeError, "not of the precision"),
    ("longer", lambda a: np.zeros(a.size + 1, a.dtype), ValueError, "not as many elements"),
    ("shorter", lambda a: np.zeros(a.size - 1, a.dtype), ValueError, "not as many elements"),
    ("nothing", lambda a: a[:0], ValueError, "not as many elements"),
]


@pytest.mark.parametrize(("spoil", "error", "message"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
@pytest.mark.parametrize("which", range(4), ids=["x", "w", "bias", "out"])
def test_bad_operands_are_refused_and_let_go(which: int, spoil: Any, error: type, message: str) -> None:
    call, operands = made()
    operands[which] = spoil(operands[which])
    if which == 2 and spoil is BAD[1][1]:
        return  # a vector is as contiguous one way as the other
    counts = [sys.getrefcount(a) for a in operands]
    if which == 3 and isinstance(operands[3], bytes):
        message = "result no writable one"
    with pytest.raises(error, match=message):
        call(*operands)
    assert [sys.getrefcount(a) for a in operands] == counts


def test_a_result_that_cannot_be_written_is_refused() -> None:
    call, operands = made()
    operands[3].flags.writeable = False
    with pytest.raises(TypeError, match="result no writable one"):
        call(*operands)


@pytest.mark.parametrize("activation", [-1, 2, 10**6])
def test_an_unknown_activation_is_refused(activation: int) -> None:
    call, operands = made()
    with pytest.raises(ValueError, match="no such activation"):
        call(*operands, activation)


def test_missing_operands_are_refused() -> None:
    call, (x, w, bias, out) = made()
    for arguments in [(None, w, bias, out), (x, None, bias, out), (x, w, bias, None), (x, w), ()]:
        with pytest.raises(TypeError):
            call(*arguments)


def test_operands_are_let_go_after_a_run() -> None:
    call, operands = made()
    counts = [sys.getrefcount(a) for a in operands]
    for _ in range(10):
        call(*operands)
    assert [sys.getrefcount(a) for a in operands] == counts


def test_the_primitives_take_what_the_kernels_refuse() -> None:
    """Strided, misaligned and swapped arrays are copied once; the result is the same."""
    x = np.random.default_rng(0).standard_normal((2, 4, 9, 8)).astype(np.float32)
    w = np.random.default_rng(1).standard_normal((6, 4, 3, 3)).astype(np.float32)
    geometry = Geometry((1, 1), ((1, 1), (0, 0)), (1, 1), 1)
    wanted = native.convolve(x, w, geometry)
    g = np.ones_like(wanted)
    spoils = [misaligned, lambda a: np.repeat(a, 2, -1)[..., ::2], lambda a: a.astype(a.dtype.newbyteorder())]
    # the second operand of another precision, as gradients of half precision are
    assert np.allclose(native.convolve(x, w.astype(np.float64), geometry), wanted, atol=1e-5)
    low = w.astype(ml_dtypes.bfloat16)
    assert np.array_equal(
        native.convolve(x, low, geometry), native.convolve(x, low.astype(np.float32), geometry)
    )
    for spoil in spoils:
        assert np.allclose(native.convolve(spoil(x), w, geometry), wanted, atol=1e-5)
        assert np.allclose(native.convolve(x, spoil(w), geometry), wanted, atol=1e-5)
        for one, other in (
            (native.convolve_input_grad(spoil(g), spoil(w), geometry, (9, 8)), (g, w, geometry, (9, 8))),
            (native.convolve_weight_grad(spoil(x), spoil(g), geometry, (3, 3)), (x, g, geometry, (3, 3))),
        ):
            primitive = native.convolve_input_grad if other[1] is w else native.convolve_weight_grad
            assert np.allclose(one, primitive(*other), rtol=1e-4, atol=1e-4)
