"""The compiled steps of optimisers and clipping: the bits of their definitions, whatever the threads."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from convgrad.kernels import machine, native, steps, threads

Array = NDArray[Any]

pytestmark = pytest.mark.skipif(not native.available(), reason="no compiled kernels here")

if native.available():
    from convgrad.kernels import native_steps

SETS = machine._native.instruction_sets() if machine._native is not None else []
#: below, at and above what a vector holds, a task, several tasks; and nothing
SIZES = (1, 0, 3, 7, 8, 9, 15, 16, 17, 33, 8192, 8193, 20000)

#: kernel, options, how many arrays are kept, whether steps are counted
CASES: list[tuple[str, tuple[float, ...], int, bool]] = [
    *[
        ("sgd", (0.1, decay, momentum, dampening, nesterov), int(momentum > 0), False)
        for decay, momentum, dampening, nesterov in (
            (0.0, 0.0, 0.0, 0.0), (0.1, 0.0, 0.0, 0.0), (0.0, 0.9, 0.0, 0.0), (0.1, 0.9, 0.3, 0.0), (0.1, 0.9, 0.0, 1.0),
        )
    ],
    *[
        ("adam", (0.01, beta, 0.99, 1e-8, decay, decoupled, largest), 2 + int(largest), True)
        for beta, (decay, decoupled), largest in itertools.product(
            (0.9, 0.3), ((0.0, 0.0), (0.1, 0.0), (0.1, 1.0)), (0.0, 1.0)
        )
    ],
    *[
        ("rmsprop", (0.01, alpha, 1e-8, decay, momentum, centered), 1 + int(momentum > 0) + int(centered), True)
        for alpha, decay, momentum, centered in itertools.product((0.99, 0.2), (0.0, 0.1), (0.0, 0.9), (0.0, 1.0))
    ],
    *[("adagrad", (0.1, slower, 1e-10, decay), 1, True) for slower in (0.0, 0.1) for decay in (0.0, 0.1)],
]  # fmt: skip


@pytest.fixture(autouse=True)
def _what_is_in_use_stays() -> Iterator[None]:
    before = threads.get_num_threads()
    yield
    threads.set_num_threads(before)
    machine._native.use_instruction_set(machine.instruction_set())


def made(kept: int, counted: bool, dtype: Any, sizes: Any = SIZES) -> tuple[list[Any], list[Any], Any, Any]:
    """Parameters, gradients, what is kept (no negative squares) and counts."""
    rng = np.random.default_rng(1)
    params, grads = ([rng.standard_normal(n).astype(dtype) for n in sizes] for _ in range(2))
    kept_lists = [[rng.random(n).astype(dtype) for n in sizes] for _ in range(kept)]
    if kept == 3:  # a mean whose square is less than the mean square
        kept_lists[1] = [a * 0 for a in kept_lists[1]]
    counts = [np.array(float(i), np.float32) for i in range(len(sizes))] if counted else None
    return params, grads, kept_lists, counts


def flat(params: list[Any], kept: list[list[Any]], counts: Any) -> list[Any]:
    return [*params, *itertools.chain.from_iterable(kept), *(counts or [])]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("name", "options", "kept", "counted"), CASES, ids=lambda v: v if isinstance(v, str) else None
)
def test_steps_have_the_bits_of_the_definition(
    name: str, options: tuple[float, ...], kept: int, counted: bool, dtype: Any
) -> None:
    for ascend in (False, True):
        params, grads, lists, counts = made(kept, counted, dtype)
        for _ in range(3):
            getattr(steps, name)(options, ascend, params, grads, lists, counts)
        wanted = flat(params, lists, counts)
        for instruction_set in SETS:
            machine._native.use_instruction_set(instruction_set)
            for number in (1, 2, 3):
                threads.set_num_threads(number)
                params, grads, lists, counts = made(kept, counted, dtype)
                before = [g.copy() for g in grads]
                for _ in range(3):
                    getattr(native_steps, name)(options, ascend, params, grads, lists, counts)
                for a, b in zip(flat(params, lists, counts), wanted, strict=True):
                    np.testing.assert_array_equal(a, b)
                for a, b in zip(grads, before, strict=True):
                    np.testing.assert_array_equal(a, b)


def test_special_values_go_as_in_the_definition() -> None:
    special = np.array([np.nan, np.inf, -np.inf, -0.0, 0.0, 1e38, -1e38, 1.0] * 5, np.float32)
    for name, options, kept, counted in CASES:
        found = []
        for module in (steps, native_steps):
            params, _, lists, counts = made(kept, counted, np.float32, (40,))
            with np.errstate(all="ignore"):
                getattr(module, name)(options, False, params, [special], lists, counts)
                getattr(module, name)(options, False, params, [special[::-1].copy()], lists, counts)
            found.append(flat(params, lists, counts))
        for a, b in zip(*found, strict=True):
            np.testing.assert_array_equal(a, b)
            np.testing.assert_array_equal(np.signbit(a[~np.isnan(a)]), np.signbit(b[~np.isnan(b)]))


def test_subnormal_squares_are_zero() -> None:
    """A gradient whose square is below the smallest normal number moves a parameter by lr / eps times itself."""
    p, v = np.ones(20, np.float32), np.zeros(20, np.float32)
    g = np.full(20, 1e-21, np.float32)
    native_steps.adagrad((1.0, 0.0, 1e-10, 0.0), False, [p], [g], [[v]], [np.array(0.0, np.float32)])
    assert not v.any()
    np.testing.assert_array_equal(p, np.float32(1) - np.float32(1e-11))


SPOILT: list[tuple[str, Any]] = [
    ("strided", lambda a: np.repeat(a, 2)[::2]),
    ("misaligned", lambda a: np.concatenate([np.zeros(1, np.uint8), a.view(np.uint8)])[1:].view(a.dtype)),
]


@pytest.mark.parametrize("spoil", [row[1] for row in SPOILT], ids=[row[0] for row in SPOILT])
@pytest.mark.parametrize("where", ["params", "grads", "kept"])
def test_arrays_with_gaps_are_stepped_by_the_definition(where: str, spoil: Any) -> None:
    options = (0.1, 0.0, 0.9, 0.0, 0.0)
    params, grads, lists, _ = made(1, False, np.float32, (5, 40, 17))
    steps.sgd(options, False, params, grads, lists)
    wanted = flat(params, lists, None)
    params, grads, lists, _ = made(1, False, np.float32, (5, 40, 17))
    column = {"params": params, "grads": grads, "kept": lists[0]}[where]
    column[1] = spoil(column[1])
    native_steps.sgd(options, False, params, grads, lists, None)
    for a, b in zip(flat(params, lists, None), wanted, strict=True):
        np.testing.assert_array_equal(a, b)


def test_one_memory_twice_is_stepped_twice_in_order() -> None:
    big = np.ones(50_000, np.float32)
    halves = np.full(big.size, 0.5, np.float32)
    threads.set_num_threads(3)
    native_steps.sgd((1.0, 0.5, 0.0, 0.0, 0.0), False, [big, big[:40_000]], [halves, halves[:40_000]], [])
    np.testing.assert_array_equal(big[40_000:], 0.0)
    np.testing.assert_array_equal(big[:40_000], -0.5)


def test_arrays_are_not_held_after_a_step() -> None:
    """Another array in the place of one takes it over, at whatever address."""
    options = (0.5, 0.0, 0.0, 0.0, 0.0)
    p, q, g = (np.full(4, v, np.float32) for v in (1.0, 10.0, 1.0))
    counts = [sys.getrefcount(a) for a in (p, q, g)]
    native_steps.sgd(options, False, [p], [g], [])
    native_steps.sgd(options, False, [q], [g], [])
    native_steps.sgd(options, False, [q, p], [g, g], [])
    assert [sys.getrefcount(a) for a in (p, q, g)] == counts
    assert (p.tolist(), q.tolist()) == ([0.0] * 4, [9.0] * 4)


def test_wrong_operands_are_refused_before_anything_changes() -> None:
    p, g, v = np.ones(4, np.float32), np.ones(4, np.float32), np.zeros(4, np.float32)
    count = np.array(0.0, np.float32)
    adam = (0.1, 0.9, 0.99, 1e-8, 0.0, 0.0, 0.0)
    bad: list[tuple[type[Exception], str, tuple[Any, ...]]] = [
        (ValueError, "no such optimiser", (9, False, adam, False, [p], [g], [[v], [v]], [count])),
        (ValueError, "another number of options", (1, False, adam[:3], False, [p], [g], [[v], [v]], [count])),
        (ValueError, "as many gradients", (1, False, adam, False, [p], [], [[v], [v]], [count])),
        (ValueError, "as many gradients", (1, False, adam, False, [p], [g], [[v]], [count])),
        (ValueError, "as many gradients", (1, False, adam, False, [p], [g], [[v], []], [count])),
        (ValueError, "as many gradients", (1, False, adam, False, [p], [g], [[v], [v]], [])),
        (TypeError, "counts its steps", (1, False, adam, False, [p], [g], [[v], [v]], None)),
        (ValueError, "of one size", (1, False, adam, False, [p], [g[:3]], [[v], [v]], [count])),
        (ValueError, "of one size", (1, False, adam, False, [p], [g], [[v], [v[:3]]], [count])),
        (ValueError, "of one size", (1, False, adam, False, [p], [g], [[v], [v]], [p])),
        (TypeError, "not of the precision", (1, False, adam, False, [p], [g.astype(float)], [[v], [v]], [count])),
        (TypeError, "not of the precision", (1, True, adam, False, [p], [g], [[v], [v]], [count])),
        (TypeError, "no contiguous array", (1, False, adam, False, [p[::2]], [g[::2]], [[v], [v]], [count])),
        (TypeError, "incompatible function arguments", (1, False, adam, False, p, [g], [[v], [v]], [count])),
    ]  # fmt: skip
    for error, message, arguments in bad:
        with pytest.raises(error, match=message):
            machine._native.step_arrays(*arguments)
    assert (p.tolist(), v.tolist(), count.item()) == ([1.0] * 4, [0.0] * 4, 0.0)
    for change in (-1, 3):
        with pytest.raises(ValueError, match="no such change"):
            machine._native.change_arrays(change, False, [p], 2.0, 0.0)
    with pytest.raises(TypeError, match="not of the precision"):
        machine._native.sum_of_squares(True, [p])
    p.flags.writeable = False
    with pytest.raises(TypeError, match="no writable one"):
        machine._native.change_arrays(0, False, [p], 2.0, 0.0)


# ---------------------------------------------------------------------- clipping


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sums_of_squares(dtype: Any) -> None:
    arrays = [np.random.default_rng(2).standard_normal(n).astype(dtype) for n in SIZES]
    wanted = sum(float(np.square(a.astype(np.longdouble)).sum()) for a in arrays)
    for instruction_set in SETS:
        machine._native.use_instruction_set(instruction_set)
        found = set()
        for number in (1, 2, 3):
            threads.set_num_threads(number)
            found.add(native_steps.sum_of_squares(arrays))
        assert len(found) == 1
        assert found.pop() == pytest.approx(wanted, rel=1e-14)
    assert native_steps.sum_of_squares([]) == 0.0
    assert native_steps.sum_of_squares([np.full(3, 1e30, np.float32)]) == pytest.approx(3e60)
    assert native_steps.sum_of_squares([np.full((2, 2), 3 + 4j, np.complex64)]) == pytest.approx(100.0)
    assert np.isnan(native_steps.sum_of_squares([np.array([1.0, np.nan], np.float32)]))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, np.complex64])
def test_scaling_and_clamping_have_the_bits_of_the_definition(dtype: Any) -> None:
    rng = np.random.default_rng(3)
    for instruction_set in SETS:
        machine._native.use_instruction_set(instruction_set)
        for name, numbers in (
            ("scale_all", (0.3,)),
            ("clamp_all", (-0.5, 0.25)),
            ("clamp_all", (0.5, -0.5)),
            ("fill_all", (0.5,)),
        ):
            if name == "clamp_all" and dtype is np.complex64:
                continue
            arrays = [rng.standard_normal(n).astype(dtype) for n in SIZES]
            arrays[-1][:4] = np.nan, np.inf, -np.inf, -0.0
            arrays.append(np.ones((6, 6), dtype)[:, ::2])
            copies = [a.copy() for a in arrays]
            getattr(native_steps, name)(arrays, *numbers)
            getattr(steps, name)(copies, *numbers)
            for a, b in zip(arrays, copies, strict=True):
                np.testing.assert_array_equal(a, b)
