"""Normalisation: the definitions against sums in float64, and the compiled kernels against the definitions."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from math import prod
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from convgrad.kernels import norms
from convgrad.kernels.geometry import Ints
from convgrad.kernels.machine import _native

if _native is not None:
    from convgrad.kernels import native_norms

Array = NDArray[Any]
compiled = pytest.mark.skipif(_native is None, reason="nothing is compiled here")
DTYPES = [np.float32, np.float64]
#: of the largest value, by bytes of an element
TOLERANCE = {4: 4e-6, 8: 1e-13}
EPS = 1e-3

# 0 and 1 to 3 spatial axes; runs of a lane less, as many and one more than a vector has, of float and double
SHAPES: list[Ints] = [
    (2, 3), (7, 100), (130, 33), (1, 1, 2), (3, 70, 4), (4, 3, 1, 1), (4, 3, 7), (4, 3, 8), (4, 3, 9), (2, 3, 15),
    (2, 3, 16), (2, 3, 17), (2, 5, 8, 8), (1, 16, 4, 4), (3, 2, 70, 71), (1, 2, 61, 141), (70, 2, 33), (2, 9, 3, 5, 7),
]  # fmt: skip


@pytest.fixture
def garbage(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory of results is full of NaN: what a kernel does not write is seen."""

    def empty(shape: Any, dtype: Any) -> Array:
        return np.full(shape, np.nan, dtype)

    monkeypatch.setattr(native_norms, "empty_large", empty)
    monkeypatch.setattr(np, "empty", empty)


def normal(seed: int, shape: Ints, dtype: Any) -> Array:
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def wide(*arrays: Array | None) -> list[Any]:
    return [None if a is None else a.astype(np.float64) for a in arrays]


def agree(found: Any, wanted: Any) -> None:
    """Results, or None, equal up to rounding."""
    assert len(found) == len(wanted)
    for a, b in zip(found, wanted, strict=True):
        if b is None:
            assert a is None
            continue
        assert a.shape == b.shape
        largest = max(1.0, float(np.abs(b).max()))
        np.testing.assert_allclose(a, b, rtol=0, atol=TOLERANCE[a.dtype.itemsize] * largest)


# ---- the definitions


@pytest.mark.parametrize("shape", [(4, 3), (2, 3, 4), (2, 3, 2, 5)])
def test_gradients_are_those_of_the_definition(shape: Ints) -> None:
    """By central differences, of all inputs of all forms."""
    x, g = normal(0, shape, np.float64), normal(1, shape, np.float64)
    w, b, r = (
        normal(2, shape[1:2], np.float64),
        normal(3, shape[1:2], np.float64),
        normal(4, shape, np.float64),
    )
    mean, var = normal(5, shape[1:2], np.float64), np.abs(normal(6, shape[1:2], np.float64))
    v = normal(7, shape[1:], np.float64)
    axes = len(shape) - 1

    def check(f: Callable[..., Array], args: tuple[Array, ...], grads: Any) -> None:
        for i, grad in enumerate(grads):
            for seed in range(2):
                d = normal(8 + seed, args[i].shape, np.float64) * 1e-5
                high, low = [f(*args[:i], args[i] + s * d, *args[i + 1 :]) for s in (1, -1)]
                assert np.vdot(grad, d) == pytest.approx(np.vdot(g, high - low) / 2, rel=1e-5, abs=1e-9)

    out, m, _, i = norms.batch_norm(x, w, b, EPS, "relu", r)
    gx, gw, gb, gr = norms.batch_norm_grad(g, x, w, m, i, out=out, wants_addend=True)
    check(lambda x, w, b, r: norms.batch_norm(x, w, b, EPS, "relu", r)[0], (x, w, b, r), (gx, gw, gb, gr))
    _, i = norms.batch_norm_eval(x, w, b, mean, var, EPS)
    grads = norms.batch_norm_grad(g, x, w, mean, i, given=True)[:3]
    check(lambda x, w, b: norms.batch_norm_eval(x, w, b, mean, var, EPS)[0], (x, w, b), grads)
    _, m, i = norms.layer_norm(x, v, v, axes, EPS)
    grads = norms.layer_norm_grad(g, x, v, m, i, axes)
    check(lambda x, w, b: norms.layer_norm(x, w, b, axes, EPS)[0], (x, v, v), grads)
    _, i = norms.rms_norm(x, v, axes, EPS)
    check(lambda x, w: norms.rms_norm(x, w, axes, EPS)[0], (x, v), norms.rms_norm_grad(g, x, v, i, axes))
    if len(shape) > 2:
        _, m, i = norms.group_norm(x, w, b, 3, EPS)
        grads = norms.group_norm_grad(g, x, w, m, i, 3)
        check(lambda x, w, b: norms.group_norm(x, w, b, 3, EPS)[0], (x, w, b), grads)


def test_running_statistics_move() -> None:
    for module in [norms] if _native is None else [norms, native_norms]:
        for dtype in (np.float32, np.float64, np.float16):
            mean, var = np.ones(3, dtype), np.full(3, 2, dtype)
            module.move_statistics(mean, var, np.zeros(3, np.float32), np.full(3, 4, np.float32), 1.5, 0.25)
            np.testing.assert_allclose(mean, 0.75, rtol=1e-6)
            np.testing.assert_allclose(var, 3.0, rtol=1e-6)


# ---- the compiled kernels


@compiled
@pytest.mark.usefixtures("every_set", "garbage")
@pytest.mark.parametrize("dtype", DTYPES)
def test_channels_are_those_of_the_definition(dtype: Any) -> None:
    for shape in SHAPES:
        x, g, r = (normal(i, shape, dtype) * 2 + 1 for i in range(3))
        vectors = normal(4, shape[1:2], dtype), normal(5, shape[1:2], dtype)
        for affine, activation, addend in product((True, False), (None, "relu"), (r, None)):
            w, b = vectors if affine else (None, None)
            found = native_norms.batch_norm(x, w, b, EPS, activation, addend)
            agree(found, norms.batch_norm(*wide(x, w, b), EPS, activation, *wide(addend)))
            given = vectors[0], vectors[1] ** 2
            eval_found = native_norms.batch_norm_eval(x, w, b, *given, EPS, activation, addend)
            agree(eval_found, norms.batch_norm_eval(*wide(x, w, b, *given), EPS, activation, *wide(addend)))
            _, mean, _, invstd = found
            out = normal(6, shape, dtype) if activation else None
            for how in ((False, True), (True, True), (False, False)):
                grads = native_norms.batch_norm_grad(g, x, w, mean, invstd, *how, out, addend is not None)
                exact = wide(g, x, w, mean, invstd), wide(out)
                agree(grads, norms.batch_norm_grad(*exact[0], *how, *exact[1], addend is not None))
        found, exact = native_norms.channel_sum(x), norms.channel_sum(*wide(x))
    # rounding is relative to the terms: where they cancel, more of it is seen in their sum
    room = norms.channel_sum(*wide(np.abs(x))) * np.finfo(dtype).eps
    assert found.dtype == dtype and np.all(np.abs(found - exact) <= room)


@compiled
@pytest.mark.usefixtures("every_set", "garbage")
@pytest.mark.parametrize("dtype", DTYPES)
def test_rows_are_those_of_the_definition(dtype: Any) -> None:
    for shape in SHAPES:
        x, g = normal(0, shape, dtype) * 2 + 1, normal(1, shape, dtype)
        for axes in range(1, len(shape)):
            last = shape[len(shape) - axes :]
            for w, b in pairs(normal(2, last, dtype), normal(3, last, dtype)):
                wants = (True, w is not None, b is not None)
                for how, out in ((None, None), ("relu", normal(6, shape, dtype))):
                    found = native_norms.layer_norm(x, w, b, axes, EPS, how)
                    agree(found, norms.layer_norm(*wide(x, w, b), axes, EPS, how))
                    grads = native_norms.layer_norm_grad(g, x, w, *found[1:], axes, wants, out)
                    agree(grads, norms.layer_norm_grad(*wide(g, x, w, *found[1:]), axes, wants, *wide(out)))
                root = native_norms.rms_norm(x, w, axes, EPS)
                agree(root, norms.rms_norm(*wide(x, w), axes, EPS))
                grads = native_norms.rms_norm_grad(g, x, w, root[1], axes, wants[:2])
                agree(grads, norms.rms_norm_grad(*wide(g, x, w, root[1]), axes, wants[:2]))
        for groups in {1, shape[1]} if prod(shape[2:]) > 1 else {1}:
            for w, b in pairs(normal(2, shape[1:2], dtype), normal(3, shape[1:2], dtype)):
                for how, out in ((None, None), ("relu", normal(6, shape, dtype))):
                    found = native_norms.group_norm(x, w, b, groups, EPS, how)
                    agree(found, norms.group_norm(*wide(x, w, b), groups, EPS, how))
                    for wants in ((True, w is not None, b is not None), (False, w is not None, True)):
                        grads = native_norms.group_norm_grad(g, x, w, *found[1:], groups, wants, out)
                        exact = wide(g, x, w, *found[1:]), wide(out)
                        agree(grads, norms.group_norm_grad(*exact[0], groups, wants, *exact[1]))


def pairs(w: Array, b: Array) -> list[tuple[Any, Any]]:
    return [(w, b), (w, None), (None, b), (None, None)]


@compiled
@given(st.lists(st.integers(1, 24), min_size=2, max_size=4), st.sampled_from(DTYPES))
@settings(max_examples=60, deadline=None)
@example([19, 18], np.float64)
def test_sums_of_any_shape(shape: list[int], dtype: Any) -> None:
    x = normal(sum(shape), tuple(shape), dtype)
    others = (0, *range(2, x.ndim))
    found, exact = native_norms.channel_sum(x), x.astype(np.longdouble).sum(others)  # NumPy's double errs too
    # A chain of n sums errs by n - 1 half units of the terms' sizes at most (Higham 2002, 4.2): here along the
    # batch, whereas what lies side by side is added in lanes. Where terms cancel, more of it is seen.
    room = np.abs(x).astype(np.longdouble).sum(others) * np.finfo(dtype).eps * max(2, shape[0] - 1) / 2
    assert found.dtype == dtype and np.all(np.abs(found - exact) <= room)


@compiled
@pytest.mark.usefixtures("every_set")
@pytest.mark.parametrize("shape", [(64, 4, 16, 16), (2, 3, 200, 200), (300, 5), (64, 4, 3)])
def test_a_large_mean_does_not_hide_the_variance(shape: Ints) -> None:
    """Of float32 around 10,000 the exact result comes out, as far as x itself has it."""
    x = (1e4 + normal(0, shape, np.float64)).astype(np.float32)
    out, mean, var, _ = native_norms.batch_norm(x, None, None, 0.0)
    exact, exact_mean, exact_var, _ = norms.batch_norm(x.astype(np.float64), None, None, 0.0)
    np.testing.assert_allclose(var, exact_var, rtol=2e-6)
    np.testing.assert_allclose(mean, exact_mean, rtol=1e-7)
    np.testing.assert_allclose(out, exact, atol=4e-6)
    rows, exact_rows = [
        norms.layer_norm(a, None, None, len(shape) - 1, 0.0) for a in (x, x.astype(np.float64))
    ]
    found = native_norms.layer_norm(x, None, None, len(shape) - 1, 0.0)
    np.testing.assert_allclose(found[0], exact_rows[0], atol=4e-6)
    assert np.abs(found[0] - exact_rows[0]).max() <= np.abs(rows[0] - exact_rows[0]).max() + 1e-6


@compiled
@pytest.mark.usefixtures("every_set")
def test_values_that_are_no_numbers_stay_in_their_channel() -> None:
    for shape, bad in product([(8, 3), (4, 3, 5, 9), (3, 3, 2)], [np.nan, np.inf, -np.inf]):
        x = normal(0, shape, np.float32)
        x[1, 1] = bad
        with np.errstate(invalid="ignore"):
            exact = norms.batch_norm(x, None, None, EPS, "relu")
            out = native_norms.batch_norm(x, None, None, EPS, "relu")
            grads = norms.batch_norm_grad(x, x, None, *exact[1::2])
            found = native_norms.batch_norm_grad(x, x, None, *exact[1::2])
        for a, b in zip((*out, *found[:3]), (*exact, *grads[:3]), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@compiled
@pytest.mark.usefixtures("every_set")
def test_signs_of_zero_and_subnormals() -> None:
    """relu gives +0 for -0 or keeps it, as the definition does up to sign; subnormals count as zero."""
    x = np.full((2, 1, 20), 1e-40, np.float32)
    out, mean, var, _ = native_norms.batch_norm(x, None, None, EPS)
    assert (mean, var) == (0, 0)
    assert not out.any()
    g, zero = np.ones_like(x), -np.zeros_like(x)
    gx, _, gbias, gaddend = native_norms.batch_norm_grad(g, x, None, mean, mean, out=zero, wants_addend=True)
    assert not gaddend.any() and not gx.any() and gbias == 0  # -0 let nothing through
    gaddend = native_norms.batch_norm_grad(g, x, None, mean, mean, out=zero * np.nan, wants_addend=True)[3]
    assert (gaddend == 1).all()  # NaN does, as in PyTorch


@compiled
@pytest.mark.parametrize("shape", [(64, 16, 40), (70, 2, 33, 33), (3000, 70), (40, 40, 5, 1), (9, 8, 64, 64)])
def test_the_number_of_threads_changes_no_bit(shape: Ints) -> None:
    x, g = normal(0, shape, np.float32), normal(1, shape, np.float32)
    w = normal(2, shape[1:2], np.float32)
    v = normal(3, shape[-1:], np.float32)
    before, results = _native.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            _native.set_num_threads(threads)
            out, mean, _, invstd = native_norms.batch_norm(x, w, w, EPS, "relu")
            parts = [out, *native_norms.batch_norm_grad(g, x, w, mean, invstd, out=out)[:3]]
            found = native_norms.layer_norm(x, v, v, 1, EPS)
            parts += [*found, *native_norms.layer_norm_grad(g, x, v, *found[1:], 1)]
            found = native_norms.group_norm(x, w, w, 2, EPS)
            parts += [*found, *native_norms.group_norm_grad(g, x, w, *found[1:], 2)]
            parts += [native_norms.channel_sum(x)]
            results.append(b"".join([np.asarray(p).tobytes() for p in parts]))
    finally:
        _native.set_num_threads(before)
    assert results[0] == results[1] == results[2]


@compiled
def test_other_layouts_and_dtypes_are_served() -> None:
    """Strided, misaligned and read-only arrays give what plain ones give; mixed dtypes promote."""
    x, w = normal(0, (4, 6, 5), np.float32), normal(1, (6,), np.float32)
    x.flags.writeable = w.flags.writeable = False
    plain = native_norms.batch_norm(x, w, w, EPS)
    raw = np.zeros(x.nbytes + 1, np.uint8)[1:].view(np.float32).reshape(x.shape)
    raw[...] = x
    for other in (np.repeat(x, 2, -1)[..., ::2], np.asfortranarray(x), raw):
        for a, b in zip(plain, native_norms.batch_norm(other, w[::-1][::-1], w, EPS), strict=True):
            np.testing.assert_array_equal(a, b)
        strided = native_norms.batch_norm_grad(other, other, w, plain[1], plain[3])
        for a, b in zip(strided, native_norms.batch_norm_grad(x, x, w, plain[1], plain[3]), strict=True):
            np.testing.assert_array_equal(a, b)
        np.testing.assert_allclose(native_norms.channel_sum(other), native_norms.channel_sum(x), rtol=1e-5)
    assert native_norms.batch_norm(x, w.astype(np.float64), None, EPS)[0].dtype == np.float64
    assert native_norms.layer_norm(x[:0], None, None, 1, EPS)[0].shape == (0, 6, 5)


def test_gradients_in_half_precision_are_summed_in_single() -> None:
    """1,000 ones of bfloat16 are 1,000, not 256."""
    x = normal(0, (1000, 3, 2), np.float32)
    w, g = np.ones(3, np.float32), np.ones(x.shape, ml_dtypes.bfloat16)
    for module in [norms] if _native is None else [norms, native_norms]:
        _, mean, _, invstd = module.batch_norm(x, w, w, EPS)
        assert (module.batch_norm_grad(g, x, w, mean, invstd)[2] == 2000).all()
        _, mean, invstd = module.group_norm(x, w, w, 3, EPS)
        assert (module.group_norm_grad(g, x, w, mean, invstd, 3)[2] == 2000).all()
        v = np.ones(2, np.float32)
        _, mean, invstd = module.layer_norm(x, v, v, 1, EPS)
        assert (module.layer_norm_grad(g, x, v, mean, invstd, 1)[2] == 3000).all()
        grads = module.rms_norm_grad(g, x, v, module.rms_norm(x, v, 1, EPS)[1], 1)
        assert all(grad.dtype == np.float32 for grad in grads)


@compiled
def test_wrong_operands_are_refused() -> None:
    x, v, out = np.ones((2, 3, 4), np.float32), np.ones(3, np.float32), np.zeros((2, 3, 4), np.float32)
    good = [x, v, v, None, v.copy(), v.copy(), v.copy(), out, 2, 3, 4, 1e-5, False, 0, False]
    _native.batch_norm(*good)
    short, double = np.ones(2, np.float32), np.ones((2, 3, 4))
    spoiled: list[tuple[int, Any, type[Exception]]] = [
        (0, double, TypeError), (0, x[..., ::2], TypeError), (1, short, ValueError), (3, short, ValueError),
        (4, short, ValueError), (7, short, ValueError), (8, 3, ValueError), (8, 0, ValueError),
        (9, -3, ValueError), (10, 2**62, ValueError), (13, 2, ValueError), (14, True, TypeError), (0, None, TypeError),
    ]  # fmt: skip
    for at, bad, error in spoiled:
        with pytest.raises(error):
            _native.batch_norm(*good[:at], bad, *good[at + 1 :])
    grad = [x, x, None, v, v, v, out, v.copy(), v.copy(), None, 2, 3, 4, False, False]
    _native.batch_norm_grad(*grad)
    for at, bad in ((0, short), (2, short), (5, short), (6, short), (8, short), (9, out.copy())):
        with pytest.raises(ValueError):
            _native.batch_norm_grad(*grad[:at], bad, *grad[at + 1 :])
    rows = [x, v, v, np.ones(2, np.float32), np.ones(2, np.float32), out, 2, 1, 3, 4, 1e-5, 0, False]
    _native.row_norm(*rows)
    for at, bad in ((1, short), (3, v.copy()), (4, v.copy()), (7, 2), (7, 3), (6, 0), (11, 2)):
        with pytest.raises(ValueError):
            _native.row_norm(*rows[:at], bad, *rows[at + 1 :])
    with pytest.raises(ValueError):
        _native.row_norm_grad(x, x, None, v, None, v, out, v.copy(), None, 2, 1, 3, 4, False)
    with pytest.raises(ValueError):
        _native.row_norm_grad(x, x, short, v, None, short, out, v.copy(), None, 2, 1, 3, 4, False)
    with pytest.raises(ValueError):
        _native.channel_sum(x, short, 2, 3, 4, False)
    with pytest.raises(ValueError):
        _native.move_statistics(v.copy(), v.copy(), short, v, 1.0, 0.1, False)
