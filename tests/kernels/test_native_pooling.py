"""Compiled pooling against its definition, with every instruction set."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.kernels.sets import SETS, spoilt_memory, threads, using
from tests.kernels.test_pooling import problems

from convgrad.kernels import machine, pooling

if machine._native is None:
    pytest.skip("no compiled kernels here", allow_module_level=True)

from convgrad.kernels import native_pooling as native

RNG = np.random.default_rng(0)
QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(autouse=True)
def _unwritten_results_show(monkeypatch: pytest.MonkeyPatch) -> None:
    spoilt_memory(monkeypatch, native)


def values(shape: Any, kind: str, dtype: Any) -> Any:
    x = RNG.integers(-2, 3, shape) if kind == "ties" else RNG.standard_normal(shape)
    x = x.astype(dtype)
    if kind == "nan":
        x[RNG.random(shape) < 0.2] = np.nan
    if kind == "low":
        x[RNG.random(shape) < 0.7] = -np.inf
    return x


def assert_close(a: Any, b: Any) -> None:
    tolerance = 1e-12 if a.dtype == np.float64 else 2e-6
    np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


#: sizes around those of vectors, in the dimensions that matter
SIZES = [1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 70]
WINDOWS: list[tuple[int, int, int, int]] = [
    (2, 2, 0, 1), (3, 2, 1, 1), (3, 1, 1, 1), (2, 1, 0, 1), (3, 3, 0, 1), (5, 4, 2, 1), (2, 2, 1, 1), (3, 2, 0, 2),
    (3, 1, 1, 2), (1, 1, 0, 1), (1, 2, 0, 1), (4, 4, 0, 1), (4, 2, 1, 1),
]  # fmt: skip


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float", "double"])
@pytest.mark.parametrize("window", WINDOWS, ids=str)
def test_rows_of_every_length(name: str, dtype: Any, window: tuple[int, int, int, int]) -> None:
    k, s, p, d = window
    for n in SIZES:
        if d * (k - 1) + 1 > n + 2 * p or d > n:
            continue
        for ceil_mode in (False, True):
            for shape, one in (
                ((3, 2, n), ((k,), (s,), (p,), (d,))),
                ((1, 2, n, n), ((k, k), (s, s), (p, p), (d, d))),
            ):
                x = values(shape, "nan" if n % 2 else "ties", dtype)
                with using(name):
                    out, index = native.max_pool(x, *one, ceil_mode)
                    choice, winner = native.max_pool_choice(x, *one, ceil_mode)
                    gx = native.max_pool_choice_grad(np.nan_to_num(out), winner, one, x.shape[2:])
                wanted, where = pooling.max_pool(x, *one, ceil_mode)
                np.testing.assert_array_equal(out, wanted)
                np.testing.assert_array_equal(choice, wanted)
                np.testing.assert_array_equal(index, where)
                np.testing.assert_array_equal(pooling.positions(winner, one, x.shape[2:]), where)
                assert_close(gx, pooling.max_pool_grad(np.nan_to_num(out), where, x.shape[2:]))
                if d == 1:
                    y = values(shape, "normal", dtype)
                    with using(name):
                        mean = native.avg_pool(y, *one[:3], ceil_mode)
                        back = native.avg_pool_grad(mean, y.shape[2:], *one[:3])
                    assert_close(mean, pooling.avg_pool(y, *one[:3], ceil_mode))
                    assert_close(back, pooling.avg_pool_grad(mean, y.shape[2:], *one[:3]))


@pytest.mark.parametrize("name", SETS)
@given(problems(), st.sampled_from(["ties", "normal", "nan", "low"]), st.booleans())
@QUICK
def test_max_pool(name: str, problem: Any, kind: str, wide: bool) -> None:
    shape, *window, ceil_mode = problem
    x = values(shape, kind, np.float64 if wide else np.float32)
    with using(name):
        out, index = native.max_pool(x, *window, ceil_mode)
        _, winner = native.max_pool_choice(x, *window, ceil_mode)
    wanted, where = pooling.max_pool(x, *window, ceil_mode)
    np.testing.assert_array_equal(out, wanted)
    np.testing.assert_array_equal(index, where)
    np.testing.assert_array_equal(pooling.positions(winner, tuple(window), shape[2:]), where)
    g = values(out.shape, "normal", x.dtype)
    with using(name):
        by_choice = native.max_pool_choice_grad(g, winner, tuple(window), shape[2:])
        by_index = native.max_pool_grad(g, index, shape[2:])
    assert_close(by_choice, pooling.max_pool_grad(g, where, shape[2:]))
    assert_close(by_index, by_choice)


@pytest.mark.parametrize("name", SETS)
@given(problems(), st.booleans(), st.sampled_from([None, 3, -2]), st.booleans())
@QUICK
def test_avg_pool(name: str, problem: Any, count_pad: bool, divisor: int | None, wide: bool) -> None:
    shape, kernel, stride, padding, _, ceil_mode = problem
    x = values(shape, "normal", np.float64 if wide else np.float32)
    params = (kernel, stride, padding)
    with using(name):
        out = native.avg_pool(x, *params, ceil_mode, count_pad, divisor)
        g = values(out.shape, "normal", x.dtype)
        gx = native.avg_pool_grad(g, shape[2:], *params, count_pad, divisor)
    assert_close(out, pooling.avg_pool(x, *params, ceil_mode, count_pad, divisor))
    assert_close(gx, pooling.avg_pool_grad(g, shape[2:], *params, count_pad, divisor))


@pytest.mark.parametrize("name", SETS)
@given(
    st.lists(st.tuples(st.integers(1, 40), st.integers(0, 20)), min_size=1, max_size=3),
    st.integers(0, 2), st.sampled_from(["ties", "nan"]), st.booleans(),
)  # fmt: skip
@QUICK
def test_adaptive_pools(name: str, axes: Any, batch: int, kind: str, wide: bool) -> None:
    size, wanted = tuple(n for n, _ in axes), tuple(m for _, m in axes)
    if np.prod(size) > 4000 or np.prod(wanted) > 200:
        size, wanted = size[:1], wanted[:1]
    x = values((batch, 2, *size), "normal", np.float64 if wide else np.float32)
    with using(name):
        out = native.adaptive_avg_pool(x, wanted)
        g = values(out.shape, "normal", x.dtype)
        gx = native.adaptive_avg_pool_grad(g, size)
        y = values(x.shape, kind, x.dtype)
        best, index = native.adaptive_max_pool(y, wanted)
    assert_close(out, pooling.adaptive_avg_pool(x, wanted))
    assert_close(gx, pooling.adaptive_avg_pool_grad(g, size))
    for a, b in zip((best, index), pooling.adaptive_max_pool(y, wanted), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", SETS)
@given(
    st.tuples(st.integers(0, 3), st.integers(1, 40), st.sampled_from([1, 1, 2, 5, 16, 17, 33])),
    st.integers(0, 40), st.integers(1, 4), st.booleans(),
)  # fmt: skip
@QUICK
def test_sums_along(name: str, shape: Any, m: int, taps: int, wide: bool) -> None:
    x = values(shape, "normal", np.float64 if wide else np.float32)
    index = RNG.integers(0, shape[1], (m, taps))
    weight = RNG.standard_normal((m, taps)) if taps > 1 or wide else None
    with using(name):
        out = native.sums_along(x, 1, index, weight)
    assert out.shape == (shape[0], m, shape[2])
    assert_close(out, pooling.sums_along(x, 1, index, weight))


@pytest.mark.parametrize(
    "window", [((2, 2), (2, 2), (0, 0)), ((3, 3), (2, 2), (1, 1)), ((3, 3), (1, 1), (1, 1))]
)
def test_the_same_bits_for_any_number_of_threads(window: Any) -> None:
    x = RNG.standard_normal((4, 24, 61, 67)).astype(np.float32)

    def everything() -> list[Any]:
        out, winner = native.max_pool_choice(x, *window, (1, 1))
        mean, share = native.avg_pool(x, *window), native.adaptive_avg_pool(x, (5, 7))
        return [
            out, winner, native.max_pool_choice_grad(out, winner, (*window, (1, 1)), x.shape[2:]),
            mean, native.avg_pool_grad(mean, x.shape[2:], *window), share,
            native.adaptive_avg_pool_grad(share, x.shape[2:]), native.adaptive_avg_pool(x, (1, 1)),
        ]  # fmt: skip

    with threads(1):
        alone = everything()
    for count in (2, 3):
        with threads(count):
            for a, b in zip(alone, everything(), strict=True):
                assert a.tobytes() == b.tobytes()


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16], ids=["half", "bfloat16"])
def test_narrow_floats_are_rounded_once(dtype: Any) -> None:
    # in sixteenths, so that sums are exact in whatever order they are added
    x = (np.random.default_rng(0).integers(-40, 40, (2, 3, 9, 10)) / 16).astype(dtype)
    window = ((3, 2), (2, 2), (1, 0))
    calls: list[Any] = [
        lambda k: k.max_pool(x, *window, (1, 1))[0], lambda k: k.max_pool(x, *window, (1, 1))[1],
        lambda k: k.avg_pool(x, *window), lambda k: k.avg_pool_grad(x[:, :, :5, :5], (9, 10), *window),
        lambda k: k.adaptive_avg_pool(x, (4, 4)), lambda k: k.adaptive_max_pool(x, (4, 4))[0],
        lambda k: k.adaptive_avg_pool_grad(x, (4, 4)),
    ]  # fmt: skip
    for call in calls:
        a, b = call(native), call(pooling)
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a.astype(float), b.astype(float))


def test_what_is_not_compiled_is_computed_by_the_definition() -> None:
    ints = RNG.integers(-9, 9, (1, 2, 6, 6))
    window = ((2, 2), (2, 2), (0, 0), (1, 1))
    for a, b in zip(native.max_pool(ints, *window), pooling.max_pool(ints, *window), strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(native.avg_pool(ints, *window[:3]), pooling.avg_pool(ints, *window[:3]))
    x = RNG.standard_normal((1, 1, 20, 20))
    many = ((17, 18), (1, 1), (0, 0), (1, 1))
    _, winner = native.max_pool_choice(x, *many)
    g = np.ones(winner.shape)
    np.testing.assert_array_equal(
        native.max_pool_choice_grad(g, winner, many, (20, 20)),
        pooling.max_pool_choice_grad(g, winner, many, (20, 20)),
    )
    tiny = RNG.standard_normal((1, 1, 2))
    over = ((2,), (1,), (1,), (3,))  # steps over the input: any place does
    for a, b in zip(native.max_pool(tiny, *over), pooling.max_pool(tiny, *over), strict=True):
        np.testing.assert_array_equal(a, b)
    z = x + 1j * x
    np.testing.assert_allclose(native.adaptive_avg_pool(z, (3, 3)), pooling.adaptive_avg_pool(z, (3, 3)))


def test_strided_unaligned_and_read_only_inputs() -> None:
    x = RNG.standard_normal((2, 3, 8, 12)).astype(np.float32)
    raw = np.zeros(x.nbytes + 1, np.uint8)[1:].view(x.dtype).reshape(x.shape)
    raw[...] = x
    window = ((2, 2), (2, 2), (0, 0))
    wanted = native.max_pool(x, *window, (1, 1))
    x.flags.writeable = False
    for y in (x, raw, np.repeat(x, 2, -1)[..., ::2], np.asfortranarray(x), x.astype(x.dtype.newbyteorder())):
        for a, b in zip(native.max_pool(y, *window, (1, 1)), wanted, strict=True):
            np.testing.assert_array_equal(a, b)
        assert_close(native.avg_pool(y, *window), native.avg_pool(x, *window))
        assert_close(native.adaptive_avg_pool(y, (3, 3)), native.adaptive_avg_pool(x, (3, 3)))
        np.testing.assert_array_equal(
            native.adaptive_max_pool(y, (3, 5))[0], native.adaptive_max_pool(x, (3, 5))[0]
        )


def test_infinities_zeros_and_subnormals() -> None:
    x = np.array([[[-np.inf, np.inf, -0.0, 0.0, 1e-42, -1e-42, -np.inf, -np.inf]]], np.float32)
    out, index = native.max_pool(x, (2,), (2,), (0,), (1,))
    np.testing.assert_array_equal(index, [[[1, 2, 4, 6]]])
    np.testing.assert_array_equal(out[..., [0, 1, 3]], [[[np.inf, 0.0, -np.inf]]])
    mean = native.avg_pool(x, (2,), (2,), (0,))
    assert np.isnan(mean[0, 0, 0]) and mean[0, 0, 3] == -np.inf and mean[0, 0, 1] == 0


def test_positions_outside_a_plane_are_refused() -> None:
    g, index = np.ones((1, 2, 3), np.float32), np.array([[[0, 1, 2], [0, 1, 9]]])
    with pytest.raises(IndexError):
        native.max_pool_grad(g, index, (4,))


NUMBERS = (2, 1, 4, 6, 1, 2, 3, 1, 2, 2, 1, 2, 2, 0, 0, 0, 1, 1, 1, 1, 0)


@pytest.mark.parametrize(
    ("at", "number"),
    [
        (0, 0),
        (1, 0),
        (2, 1 << 41),
        (7, 0),
        (8, -1),
        (11, 0),
        (14, 2),
        (14, -1),
        (17, 7),
        (5, 9),
        (4, 1 << 62),
    ],
)
def test_a_pooling_that_cannot_be_is_refused(at: int, number: int) -> None:
    machine._native.Pooling(NUMBERS, False)
    with pytest.raises(ValueError, match="pooling"):
        machine._native.Pooling([*NUMBERS[:at], number, *NUMBERS[at + 1 :]], False)
    with pytest.raises(ValueError, match="21 numbers"):
        machine._native.Pooling(NUMBERS[:-1], False)


def test_wrong_operands_are_refused() -> None:
    pool = machine._native.Pooling(NUMBERS, False)
    x, out = np.zeros((2, 4, 6), np.float32), np.zeros((2, 2, 3), np.float32)
    winner, index = np.zeros(out.shape, np.uint8), np.zeros(out.shape, np.int64)
    pool.max(x, out, winner, index)
    frozen = out.copy()
    frozen.flags.writeable = False
    for bad in ((x[..., :5], out, winner, None), (x.astype(float), out, winner, None), (x, frozen, winner, None),
                (x, out, winner.astype(np.int8), None), (x, out, winner, index.astype(np.int32)), (x, out, winner),
                (x, out, None, None)):  # fmt: skip
        with pytest.raises(TypeError):
            pool.max(*bad)
    for few in (
        (x[:1], out, winner, None),
        (x, out[:1], winner, None),
        (x, out, winner[:1], None),
        (x, out, winner, index[:1]),
    ):
        with pytest.raises(ValueError, match="not as many elements"):
            pool.max(*few)
    with pytest.raises(ValueError, match="not as many elements"):
        pool.max_grad(out, winner[:1], x)
    with pytest.raises(ValueError, match="not as many elements"):
        pool.mean(out, x)
    with pytest.raises(ValueError, match="one size"):
        pool.max_of_shares(x, out, index)
    shares = machine._native.Pooling([2, 1, 4, 6, 1, 2, 3], False)
    with pytest.raises(ValueError, match="fit a byte"):
        shares.max(x, out, winner, None)


def test_tables_of_sums_are_checked() -> None:
    x, out, at = np.zeros((2, 4, 3)), np.zeros((2, 1, 3)), np.zeros((1, 1), np.int64)
    call = machine._native.sums_along
    call(x, at, None, out, (2, 4, 3, 1, 1), True)
    for place in (-1, 4):
        with pytest.raises(ValueError, match="outside the axis"):
            call(x, at + place, None, out, (2, 4, 3, 1, 1), True)
    with pytest.raises(ValueError, match="need weights"):
        call(x, np.zeros((1, 2), np.int64), None, out, (2, 4, 3, 1, 2), True)
    with pytest.raises(ValueError, match="elements"):
        call(x, at, None, out, (2, 4, 2, 1, 1), True)
