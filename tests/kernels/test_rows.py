"""Reductions, softmax, losses and sums by index, compiled: beside float64, at odd sizes, bit by bit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from tests.kernels.processes import compiled

from convgrad.kernels import rows, threads
from convgrad.kernels.machine import _native, instruction_set

pytestmark = compiled

SETS = _native.instruction_sets() if _native is not None else []
if _native is not None:
    from convgrad.kernels import native_rows

LANES = 16
SHAPES = [
    (1,), (LANES - 1,), (LANES,), (LANES + 1,), (4 * LANES,), (70_000,), (5, 33), (40, 10), (2, 2049),
    (3_000, 3), (300, 64), (3, 70, 5), (2, 3, 100), (2, 21, 130), (2, 5, 7, 11),
]  # fmt: skip
by_set = pytest.mark.parametrize("name", SETS)
by_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])
by_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)


@pytest.fixture(autouse=True)
def everything_compiled(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Also what NumPy would do sooner; the instruction set and the number of threads stay."""
    before = threads.get_num_threads()
    monkeypatch.setattr(native_rows, "_REDUCED", 1)
    yield
    _native.use_instruction_set(instruction_set())
    threads.set_num_threads(before)


def drawn(shape: tuple[int, ...], dtype: Any, seed: int = 0) -> Any:
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def axes_of(shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    single = [(i,) for i in range(len(shape))]
    return [*single, tuple(range(len(shape))), *([(0, 2)] if len(shape) > 2 else [])]


def near(found: Any, exact: Any, dtype: Any, units: float, scale: Any = None) -> None:
    """Within so many units in the last place of the largest value (or of a scale)."""
    assert found.dtype == dtype and found.shape == exact.shape
    size = np.abs(exact if scale is None else scale).max()
    assert np.abs(found - exact).max() <= units * np.finfo(dtype).eps * size


@by_set
@by_dtype
@by_shape
def test_reductions(name: str, dtype: Any, shape: tuple[int, ...]) -> None:
    _native.use_instruction_set(name)
    x = drawn(shape, dtype)
    wide = x.astype(np.longdouble)
    for axes in axes_of(shape):
        for keepdims in (True, False):
            total = native_rows.sum_over(x, axes, keepdims)
            near(total, wide.sum(axes, keepdims=keepdims), dtype, 4, np.abs(wide).sum(axes))
            squares = native_rows.squares_over(x, axes, keepdims)
            near(squares, (wide * wide).sum(axes, keepdims=keepdims), dtype, 8)
            np.testing.assert_array_equal(
                native_rows.most_over(x, axes, keepdims), x.max(axes, keepdims=keepdims)
            )
            np.testing.assert_array_equal(
                native_rows.least_over(x, axes, keepdims), x.min(axes, keepdims=keepdims)
            )
            exact = np.log(np.exp(wide).sum(axes, keepdims=keepdims))
            near(native_rows.log_sum_exp_over(x, axes, keepdims), exact, dtype, 8, np.abs(exact) + 1)
        mean, spread = native_rows.moments_over(x, axes)
        near(mean, wide.mean(axes, keepdims=True), dtype, 4, np.abs(wide).mean(axes))
        near(
            spread,
            wide.var(axes, keepdims=True) * (wide.size // mean.size),
            dtype,
            16,
            np.square(wide).sum(axes),
        )


@by_set
@by_dtype
@by_shape
def test_folds_of_one_axis_and_of_all(name: str, dtype: Any, shape: tuple[int, ...]) -> None:
    """The kernels that small tensors come to: sums, means, extremes and variances, axis kept or not."""
    _native.use_instruction_set(name)
    x = drawn(shape, dtype)
    wide = x.astype(np.longdouble)
    for axis in (None, *range(x.ndim), -1):
        for keepdims in (True, False):
            for kind in (rows.SUM, rows.MEAN, rows.MOST, rows.LEAST):
                exact = rows.fold(kind, wide, axis, keepdims)
                scale = rows.fold(kind if kind == rows.MEAN else rows.SUM, np.abs(wide), axis, keepdims)
                near(native_rows.fold(kind, x, axis, keepdims), exact, dtype, 4, scale)
            if axis is not None and x.shape[axis] > 1:
                exact = wide.var(axis, ddof=1, keepdims=keepdims)
                near(native_rows.variance_along(x, axis, 1.0, keepdims), exact, dtype, 16)
                near(rows.variance_along(x, axis, 1.0, keepdims), exact, dtype, 32)


def test_folds_of_what_the_kernels_do_not_take() -> None:
    x = drawn((40, 60), np.float32)
    raw = np.zeros(x.nbytes + 1, np.uint8)[1:].view(np.float32).reshape(x.shape)
    raw[...] = x
    for other in (x.T, x[::2, ::3], raw, x.astype(np.longdouble), np.zeros((3, 0), np.float32)):
        found = native_rows.fold(rows.MEAN, other, 0, True)
        np.testing.assert_allclose(found, other.mean(0, keepdims=True), rtol=1e-4, atol=1e-6)
        np.testing.assert_array_equal(native_rows.fold(rows.MOST, other, 0, False), other.max(0))
        np.testing.assert_allclose(
            native_rows.variance_along(other, 0, 1.0, False), other.var(0, ddof=1), rtol=1e-4
        )
    with np.errstate(all="ignore"):
        assert np.isnan(native_rows.variance_along(x[:1].copy(), 0, 1.0, False)).all()


@by_set
@by_dtype
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 5), (5, 3), (33, 10), (7, 40), (3_000, 3), (70, 701), (2, 5, 7), (3, 4, 5, 6), (1, 21, 70)],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
def test_likelihood_of_classes(name: str, dtype: Any, shape: Any, reduction: str, weighted: bool) -> None:
    _native.use_instruction_set(name)
    rng = np.random.default_rng(1)
    x, classes = drawn(shape, dtype), rng.integers(0, shape[1], (shape[0], *shape[2:]))
    weights = rng.random(shape[1]).astype(dtype) + dtype(0.25) if weighted else None
    for ignored in (-100, int(classes.flat[-1])):
        used = classes != ignored
        if not used.any():
            assert native_rows.likelihood_loss(x, classes, ignored, reduction, weights) is None
            assert rows.likelihood_loss(x, classes, ignored, reduction, weights) is None
            continue
        np.put_along_axis(
            x, classes[:, None], np.where(used, drawn(classes.shape, dtype, 3), np.inf)[:, None], 1
        )
        by = used * (np.ones(shape[1]) if weights is None else weights.astype(np.longdouble))[classes]
        picked = np.take_along_axis(x.astype(np.longdouble), classes[:, None], 1)[:, 0]
        each = np.where(used, -np.where(used, picked, 0) * by, 0)
        whole = by.sum() if reduction == "mean" else 1
        wanted = each if reduction == "none" else np.asarray(each.sum() / whole)
        for form in (native_rows, rows):
            found = form.likelihood_loss(x, classes, ignored, reduction, weights)
            assert found is not None
            out, places, factors = found
            near(out, wanted, dtype, 8, np.abs(each).sum() / whole)
            g = drawn(classes.shape, dtype, 2) if reduction == "none" else np.full((), 1.5, dtype)
            spread = np.zeros(shape, np.longdouble)
            np.put_along_axis(spread, classes[:, None], (-g * by / whole)[:, None], 1)
            near(form.likelihood_grad(g, places, factors, shape[1]), spread, dtype, 4)


def test_classes_whose_weights_are_nothing_have_no_mean() -> None:
    x, classes, weights = drawn((3, 4), np.float32), np.array([1, 1, 2]), np.array([1, 0, 0, 1], np.float32)
    for form in (native_rows, rows):
        assert form.likelihood_loss(x, classes, -100, "mean", weights) is None
        found = form.likelihood_loss(x, classes, -100, "sum", weights)
        assert found is not None and found[0] == 0


def test_a_class_that_is_none_is_not_looked_up() -> None:
    x = drawn((3, 4), np.float32)
    for form in (native_rows, rows):
        for wrong in (4, -1, 1 << 40):
            assert form.likelihood_loss(x, np.array([0, wrong, 1]), -100, "mean") is None
            assert form.likelihood_loss(x, np.array([0, wrong, 1]), wrong, "mean") is not None
    with pytest.raises(IndexError):
        native_rows.likelihood_grad(x[:, 0].copy(), np.array([0, 9, 1]), x[:, 1].copy(), 4)


@by_set
@by_dtype
@by_shape
@pytest.mark.parametrize("least", [False, True])
def test_extremes_and_their_places(name: str, dtype: Any, shape: tuple[int, ...], least: bool) -> None:
    """Few different values, so that there are equals: the first counts; NaN before all."""
    _native.use_instruction_set(name)
    x = np.round(drawn(shape, dtype))
    for poisoned in (False, True):
        if poisoned:
            x.reshape(-1)[[x.size // 3, -1]] = np.nan
        for axis in range(x.ndim):
            value, place = native_rows.extreme_along(x, axis, least)
            expected = (np.argmin if least else np.argmax)(x, axis, keepdims=True)
            np.testing.assert_array_equal(place, expected)
            np.testing.assert_array_equal(value, np.take_along_axis(x, expected, axis))
            value, place = native_rows.extreme_along(x, axis, least, False)
            np.testing.assert_array_equal(place, np.squeeze(expected, axis))
            assert value.shape == place.shape


@by_set
@by_dtype
@by_shape
def test_softmax_and_its_gradient(name: str, dtype: Any, shape: tuple[int, ...]) -> None:
    _native.use_instruction_set(name)
    x, g = drawn(shape, dtype) * 3, drawn(shape, dtype, 1)
    for axis in range(x.ndim):
        for function in ("softmax", "log_softmax"):
            exact = getattr(rows, function)(x.astype(np.longdouble), axis)
            near(getattr(native_rows, function)(x, axis), exact, dtype, 8)
            out = exact.astype(dtype)
            pulled = getattr(rows, f"{function}_grad")(
                g.astype(np.longdouble), out.astype(np.longdouble), axis
            )
            scale = np.abs(pulled).max() + np.abs(g).sum(axis).max()
            near(getattr(native_rows, f"{function}_grad")(g, out, axis), pulled, dtype, 8, scale)


@by_set
@by_dtype
@by_shape
def test_sums_by_index(name: str, dtype: Any, shape: tuple[int, ...]) -> None:
    _native.use_instruction_set(name)
    rng = np.random.default_rng(0)
    for axis, places in enumerate(shape):
        index = rng.integers(0, places, 13)
        g = drawn((*shape[:axis], 13, *shape[axis + 1 :]), dtype)
        exact = np.zeros(shape, np.longdouble)
        np.add.at(exact, (slice(None),) * axis + (index,), g.astype(np.longdouble))
        near(native_rows.add_rows(g, index, axis, places), exact, dtype, 16)
        near(rows.add_rows(g, index, axis, places), exact, dtype, 16)
        each = rng.integers(0, places, g.shape)
        exact = rows.add_along(g.astype(np.longdouble), each, axis, places)
        near(native_rows.add_along(g, each, axis, places), exact, dtype, 16)


@by_set
@by_dtype
@pytest.mark.parametrize("width", [1, 3, LANES, 700])
def test_rows_by_their_places(name: str, dtype: Any, width: int) -> None:
    _native.use_instruction_set(name)
    x = drawn((50, width), dtype)
    for shape in ((), (0,), (7,), (3, 40), (2_000,)):
        index = np.random.default_rng(3).integers(0, 50, shape)
        for form in (native_rows, rows):
            found = form.take_rows(x, np.asarray(index))
            assert found is not None and found.dtype == dtype
            np.testing.assert_array_equal(found, x[index])
    for form in (native_rows, rows):
        for wrong in (50, -1):
            assert form.take_rows(x, np.array([0, wrong])) is None
        np.testing.assert_array_equal(form.take_rows(x[::2, ::-1], np.array([1, 0])), x[[2, 0], ::-1])


@by_set
@by_dtype
@by_shape
def test_elements_by_their_places(name: str, dtype: Any, shape: tuple[int, ...]) -> None:
    _native.use_instruction_set(name)
    rng = np.random.default_rng(4)
    for kind in (dtype, np.int32, np.int64, np.float16, np.complex64):
        x = drawn(shape, dtype).astype(kind)
        for axis, places in enumerate(shape):
            index = rng.integers(0, places, (*shape[:axis], 5, *shape[axis + 1 :]))
            exact = np.take_along_axis(x, index, axis)
            for given in (x, x.astype(kind, order="F")):
                for form in (native_rows, rows):
                    found = form.take_along(given, index, axis)
                    assert found.dtype == kind
                    np.testing.assert_array_equal(found, exact)
            none = np.moveaxis(np.moveaxis(index, axis, 0)[:0], 0, axis)
            assert native_rows.take_along(x, none, axis).shape == none.shape


@by_set
@by_dtype
@pytest.mark.parametrize("width", [1, 3, LANES, 4 * LANES + 3, 200])
@pytest.mark.parametrize("count", [0, 1, 7, 3_000])
def test_rows_added_to_rows(name: str, dtype: Any, width: int, count: int) -> None:
    _native.use_instruction_set(name)
    rng = np.random.default_rng(5)
    x, factors = drawn((30, width), dtype), drawn((count,), dtype)
    source, target = rng.integers(0, 30, count), rng.integers(0, 20, count)
    for to in (target, np.sort(target)):
        for by in (None, factors):
            exact = rows.move_rows(x.astype(np.longdouble), source, to, by, 20)
            near(rows.move_rows(x, source, to, by, 20), exact, dtype, 64)
            near(native_rows.move_rows(x, source, to, by, 20), exact, dtype, 64)
            near(native_rows.move_rows(np.asfortranarray(x), source, to, by, 20), exact, dtype, 64)


@by_set
@by_dtype
@by_shape
def test_running_sums_and_products(name: str, dtype: Any, shape: tuple[int, ...]) -> None:
    _native.use_instruction_set(name)
    for x in (drawn(shape, dtype), drawn(shape[::-1], dtype).T):
        for axis in range(len(shape)):
            for ufunc in (np.add, np.multiply):
                for reverse in (False, True):
                    found = native_rows.scan(ufunc, x, axis, reverse)
                    assert found.dtype == dtype
                    np.testing.assert_array_equal(found, rows.scan(ufunc, x, axis, reverse))


@by_set
@by_dtype
@by_shape
def test_products(name: str, dtype: Any, shape: tuple[int, ...]) -> None:
    _native.use_instruction_set(name)
    x = drawn(shape, dtype)
    x = np.where(np.abs(x) < 0.1, 1, np.sign(x) * (1 + x / 100)).astype(dtype)  # no overflow
    for axis in (None, *range(len(shape))):
        for keepdims in (False, True):
            exact = np.multiply.reduce(x.astype(np.longdouble), axis, keepdims=keepdims)
            found = native_rows.fold(rows.PRODUCT, x, axis, keepdims)
            assert found.shape == exact.shape and found.dtype == dtype
            rounding = np.finfo(dtype).eps * x.size
            np.testing.assert_allclose(found, exact.astype(dtype), rounding, 0)
            np.testing.assert_allclose(rows.fold(rows.PRODUCT, x, axis, keepdims), found, rounding, 0)


def test_products_may_be_subnormal() -> None:
    x = np.full((40, 6), 1e-7, np.float32)
    for found in (
        native_rows.scan(np.multiply, x, 1, False)[:, -1],
        native_rows.fold(rows.PRODUCT, x, 1, False),
    ):
        np.testing.assert_allclose(found, np.full(40, 1e-42), 1e-2)


def test_places_outside_are_left_to_numpy() -> None:
    x = np.ones((3, 4), np.float32)
    with pytest.raises(IndexError):
        native_rows.take_along(x, np.full((3, 4), 7), 0)
    np.testing.assert_array_equal(native_rows.take_along(x, np.full((3, 4), -1), 0), x)
    for source, target in ((3, 0), (0, 2), (-1, 5)):
        with pytest.raises(IndexError):
            native_rows.move_rows(x, np.array([0, source]), np.array([0, target]), None, 2)


def test_positions_outside_are_left_to_numpy() -> None:
    g = np.ones((3, 4), np.float32)
    with pytest.raises(IndexError):
        native_rows.add_rows(g, np.array([0, 5, 1]), 0, 5)
    with pytest.raises(IndexError):
        native_rows.add_along(g, np.full((3, 4), 7), 0, 5)
    assert not _native.rows_add_at(
        g, np.array([0, -1, 1]), np.zeros((5, 4), np.float32), 1, 5, 3, 4, False, False
    )


KINDS = [
    rows.SQUARE, rows.ABSOLUTE, rows.SMOOTH, rows.HUBER, rows.CROSS_ENTROPY, rows.CROSS_ENTROPY_OF_LOGITS,
]  # fmt: skip


@by_set
@by_dtype
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [1, LANES - 1, LANES, LANES + 1, 1_000, 40_000])
def test_losses(name: str, dtype: Any, kind: int, size: int) -> None:
    _native.use_instruction_set(name)
    rng = np.random.default_rng(size)
    x, y = rng.standard_normal(size).astype(dtype) * 3, rng.random(size).astype(dtype)
    if kind == rows.CROSS_ENTROPY:
        x = rng.random(size).astype(dtype)
        x[:2] = (0, 1)[: size and 2][: len(x[:2])]
    width = 0.75
    wide = x.astype(np.longdouble), y.astype(np.longdouble)
    exact = rows.pair_losses(kind, *wide, width)
    near(native_rows.pair_losses(kind, x, y, width), exact, dtype, 4)
    near(native_rows.pair_loss_sum(kind, x, y, width), exact.sum(), dtype, 8, np.abs(exact).sum())
    for g in (np.full((), 1.5, dtype), rng.standard_normal(size).astype(dtype)):
        pulled = rows.pair_loss_grad(kind, g.astype(np.longdouble), *wide, width, 0.5)
        near(native_rows.pair_loss_grad(kind, g, x, y, width, 0.5), pulled, dtype, 8)


CALLS: dict[str, Callable[[Any], Any]] = {
    "sum": lambda x: native_rows.sum_over(x, (0, 1), False),
    "sum of columns": lambda x: native_rows.sum_over(x, (0,), False),
    "moments": lambda x: native_rows.moments_over(x, (0, 1))[1],
    "mean of rows": lambda x: native_rows.fold(rows.MEAN, x, 1, False),
    "variance": lambda x: native_rows.variance_along(x, 1, 1.0, False),
    "places": lambda x: native_rows.extreme_along(x, 1, False)[1],
    "softmax": lambda x: native_rows.softmax(x, 1),
    "softmax of short rows": lambda x: native_rows.softmax(x[:, :798].reshape(-1, 7), 1),
    "log_softmax_grad of short rows": lambda x: native_rows.log_softmax_grad(
        *[x[:, :798].reshape(-1, 7)] * 2, 1
    ),
    "classes": lambda x: native_rows.likelihood_loss(x, np.arange(len(x)), -100, "sum")[0],
    "placed": lambda x: native_rows.likelihood_grad(x[:, 0].copy(), np.arange(len(x)), x[:, 1].copy(), 800),
    "log_softmax": lambda x: native_rows.log_softmax(x, 0),
    "log_softmax_grad": lambda x: native_rows.log_softmax_grad(x, x, 1),
    "loss": lambda x: native_rows.pair_loss_sum(rows.HUBER, x, x[::-1].copy(), 1.0),
    "add_rows": lambda x: native_rows.add_rows(x, np.arange(len(x)) % 7, 0, 8),
}


@by_set
@pytest.mark.parametrize("call", list(CALLS))
def test_same_bits_for_any_number_of_threads(name: str, call: str) -> None:
    _native.use_instruction_set(name)
    x = drawn((701, 803), np.float32)
    found = set()
    for count in (1, 2, 3):
        threads.set_num_threads(count)
        found.add(CALLS[call](x).tobytes())
    assert len(found) == 1


@by_set
def test_what_is_no_number(name: str) -> None:
    _native.use_instruction_set(name)
    inf, nan = np.inf, np.nan
    x = np.tile(np.arange(20, dtype=np.float32), (6, 1))
    x[0, 3], x[1, 4], x[2, 5] = nan, inf, -inf
    x[3], x[4, 19], x[5] = -inf, nan, -0.0
    for y in (x, np.repeat(x, 5, 1), x[:, [3, 4, 5, 19]]):
        np.testing.assert_array_equal(native_rows.sum_over(y, (1,), False), y.sum(1))
        np.testing.assert_array_equal(native_rows.most_over(y, (1,), False), y.max(1))
        np.testing.assert_array_equal(native_rows.least_over(y, (1,), False), y.min(1))
        for function in ("softmax", "log_softmax"):
            for axis, z in ((1, y), (0, y.T.copy())):
                found, expected = getattr(native_rows, function)(z, axis), getattr(rows, function)(z, axis)
                np.testing.assert_allclose(found, expected, rtol=1e-5)
        found = native_rows.log_sum_exp_over(y, (1,), False)
        np.testing.assert_allclose(found, rows.log_sum_exp_over(y, (1,), False), rtol=1e-6)
        assert found[3] == -inf and found[1] == inf and np.isnan(found[0])
    assert np.signbit(native_rows.sum_over(x[5:].copy(), (0, 1), False))
    tiny = np.full(100, 1e-40, np.float32)
    assert native_rows.sum_over(tiny, (0,), False) == 0  # subnormals are flushed


def test_other_arrays_are_left_to_numpy() -> None:
    x = drawn((40, 60), np.float32)
    fixed = x.copy()
    fixed.flags.writeable = False
    raw = np.zeros(x.nbytes + 1, np.uint8)[1:].view(np.float32).reshape(x.shape)
    raw[...] = x
    for other in (x.T, x[::2, ::3], fixed, raw, x.astype(np.float16), x.astype(np.longdouble)):
        np.testing.assert_allclose(
            native_rows.sum_over(other, (0,), True), other.sum(0, keepdims=True), rtol=1e-3
        )
        np.testing.assert_allclose(native_rows.softmax(other, 1), rows.softmax(other, 1), rtol=1e-3)
    nothing = np.zeros((0, 3), np.float32)
    np.testing.assert_array_equal(native_rows.sum_over(nothing, (0,), False), np.zeros(3))
    assert np.isnan(native_rows.moments_over(nothing, (0,))[0]).all()


F32, F64, I64 = np.float32, np.float64, np.int64
WRONG: list[tuple[str, tuple[Any, ...], type[Exception]]] = [
    ("rows_reduce", (0, np.ones(6, F32), np.ones(2, F32), 2, 3, 2, False), ValueError),
    ("rows_reduce", (0, np.ones(6, F32), np.ones(3, F32), 2, 3, 1, False), ValueError),
    ("rows_reduce", (9, np.ones(6, F32), np.ones(2, F32), 2, 3, 1, False), ValueError),
    ("rows_reduce", (0, np.ones(6, F64), np.ones(2, F32), 2, 3, 1, False), TypeError),
    ("rows_reduce", (0, np.ones(6, F32), np.ones(2, F32), 2, 3, 1, True), TypeError),
    ("rows_reduce", (0, np.ones(0, F32), np.ones(2, F32), 2, 0, 1, False), ValueError),
    ("rows_reduce", (0, np.ones(6, F32), np.ones(2, F32), 1 << 40, 1 << 40, 1, False), ValueError),
    ("rows_moments", (np.ones(6, F32), np.ones(2, F32), np.ones(1, F32), 2, 3, 1, 1.0, False), ValueError),
    ("rows_extreme", (0, np.ones(6, F32), np.ones(2, F32), np.ones(2, F32), 1, 3, 2, False), TypeError),
    ("rows_extreme", (0, np.ones(6, F32), np.ones(6, F32), np.ones(5, I64), 6, 1, 1, False), ValueError),
    ("rows_reduce", (6, np.ones(6, F32), np.ones(2, F32), 2, 3, 1, False), ValueError),
    *[
        ("rows_picked", (np.ones(6, F32), classes, weights, *outs, *sizes, -1, each, True, False), kind)
        for classes, weights, outs, sizes, each, kind in (
            (
                np.zeros(4, I64),
                None,
                (np.ones(4, F32), np.ones(4, I64), np.ones((), F32)),
                (4, 3),
                False,
                ValueError,
            ),
            (
                np.zeros(2, I64),
                None,
                (np.ones(2, F32), np.ones(2, I64), np.ones((), F32)),
                (2, 3),
                True,
                ValueError,
            ),
            (
                np.zeros(2, F32),
                None,
                (np.ones(2, F32), np.ones(2, I64), np.ones((), F32)),
                (2, 3),
                False,
                TypeError,
            ),
            (
                np.zeros(2, I64),
                None,
                (np.ones(2, F32), np.ones(2, I64), np.ones((), F32)),
                (0, 3),
                False,
                ValueError,
            ),
            (
                np.zeros(2, I64),
                None,
                (np.ones(2, F32), np.ones(2, I64), np.ones((), F32)),
                (3, 3),
                False,
                ValueError,
            ),
            (
                np.zeros(2, I64),
                np.ones(2, F32),
                (np.ones(2, F32), np.ones(2, I64), np.ones((), F32)),
                (2, 3),
                False,
                ValueError,
            ),
            (
                np.zeros(2, I64),
                np.ones(3),
                (np.ones(2, F32), np.ones(2, I64), np.ones((), F32)),
                (2, 3),
                False,
                TypeError,
            ),
        )
    ],
    ("rows_taken", (np.ones(6, F32), np.zeros(2, I64), np.ones(5, F32), 3, False), ValueError),
    ("rows_taken", (np.ones(6, F32), np.zeros(2, I64), np.ones(6, F32), 0, False), ValueError),
    (
        "rows_placed",
        (np.ones(3, F32), np.zeros(2, I64), np.ones(2, F32), np.ones(6, F32), 2, 3, False),
        ValueError,
    ),
    (
        "rows_placed",
        (np.ones(2, F32), np.zeros(2, I64), np.ones(2, F32), np.ones(5, F32), 2, 3, False),
        ValueError,
    ),
    (
        "rows_placed",
        (np.ones(2, F32), np.zeros(2, I64), np.ones(2, F32), np.ones(6, F32), 3, 3, False),
        ValueError,
    ),
    ("rows_softmax", (0, np.ones(6, F32), np.ones(2, F32), 2, 3, 1, False), ValueError),
    ("rows_softmax", (3, np.ones(6, F32), np.ones(6, F32), 2, 3, 1, False), ValueError),
    ("rows_softmax_grad", (0, np.ones(5, F32), np.ones(6, F32), np.ones(6, F32), 2, 3, 1, False), ValueError),
    (
        "rows_add_at",
        (np.ones(6, F32), np.zeros(2, I64), np.ones(4, F32), 1, 2, 3, 2, False, False),
        ValueError,
    ),
    (
        "rows_add_at",
        (np.ones(6, F32), np.zeros(3, F32), np.ones(4, F32), 1, 2, 3, 2, False, False),
        TypeError,
    ),
    ("rows_gather", (np.ones(6, F32), np.zeros(4, I64), np.ones(5, F32), 1, 3, 2, 2, False), ValueError),
    ("rows_gather", (np.ones(6, F32), np.zeros(4, F32), np.ones(4, F32), 1, 3, 2, 2, False), TypeError),
    (
        "rows_gather",
        (np.ones(6, F32), np.zeros(4, I64), np.ones(4, F32), 1, 1 << 60, 2, 2, False),
        ValueError,
    ),
    ("rows_move", (np.ones(6, F32), *[np.zeros(2, I64)] * 2, None, np.ones(5, F32), 3, False), ValueError),
    ("rows_move", (np.ones(6, F32), *[np.zeros(2, I64)] * 2, None, np.ones(6, F32), 0, False), ValueError),
    (
        "rows_move",
        (np.ones(6, F32), *[np.zeros(2, I64)] * 2, np.ones(3, F32), np.ones(6, F32), 3, False),
        ValueError,
    ),
    ("rows_scan", (0, np.ones(6, F32), np.ones(5, F32), 2, 3, 1, False, False), ValueError),
    ("rows_scan", (2, np.ones(6, F32), np.ones(6, F32), 2, 3, 1, False, False), ValueError),
    ("rows_losses", (0, np.ones(6, F32), np.ones(5, F32), np.ones(6, F32), 1.0, True, False), ValueError),
    ("rows_losses", (0, np.ones(6, F32), np.ones(6, F32), np.ones(6, F32), 1.0, False, False), ValueError),
    (
        "rows_loss_grad",
        (0, np.ones(2, F32), *[np.ones(6, F32)] * 2, np.ones(6, F32), 1.0, 1.0, False),
        ValueError,
    ),
]


@pytest.mark.parametrize(("function", "arguments", "kind"), WRONG)
def test_wrong_operands_are_refused(function: str, arguments: tuple[Any, ...], kind: type[Exception]) -> None:
    before = [a.copy() for a in arguments if isinstance(a, np.ndarray)]
    with pytest.raises(kind):
        getattr(_native, function)(*arguments)
    for a, b in zip([a for a in arguments if isinstance(a, np.ndarray)], before, strict=True):
        np.testing.assert_array_equal(a, b)
