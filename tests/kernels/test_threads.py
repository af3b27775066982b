"""Threads of the compiled kernels: the same bits for any number, several callers, subnormals, scratch.

``test_threads_processes.py`` has what may end a process; ``pool_driver.cpp`` tests the pool without Python.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from tests.kernels.processes import compiled

from convgrad.kernels import native, planner, reference, threads
from convgrad.kernels.geometry import Geometry
from convgrad.kernels.machine import _native
from convgrad.kernels.problem import PRIMITIVES, problem_of

COUNTS = (1, 2, 3, 7, 16)


@pytest.fixture(autouse=True)
def _number_of_threads_stays() -> Iterator[None]:
    before = threads.get_num_threads()
    yield
    threads.set_num_threads(before)


def geometry(ndim: int, padding: int = 1, stride: int = 1, groups: int = 1) -> Geometry:
    return Geometry((stride,) * ndim, ((padding, padding),) * ndim, (1,) * ndim, groups)


def operands(*shapes: tuple[int, ...], dtype: Any = np.float32, seed: int = 0) -> list[Any]:
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape).astype(dtype) for shape in shapes]


# ---- results

SHAPES: dict[str, tuple[tuple[int, ...], tuple[int, ...], Geometry]] = {
    "3x3": ((2, 24, 40, 40), (40, 24, 3, 3), geometry(2)),
    "stride 2": ((2, 16, 45, 37), (20, 16, 3, 3), geometry(2, stride=2)),
    "1x1": ((3, 48, 30, 30), (33, 48, 1, 1), geometry(2, padding=0)),
    "few channels": ((2, 3, 64, 64), (16, 3, 7, 7), geometry(2, padding=3)),
    "groups": ((2, 24, 33, 33), (24, 6, 3, 3), geometry(2, groups=4)),
    "depthwise": ((2, 24, 33, 33), (24, 1, 3, 3), geometry(2, groups=24)),
    "1-d": ((4, 8, 3000), (12, 8, 9), geometry(1, padding=4)),
    "1-d long kernel": ((2, 2, 5000), (4, 2, 600), geometry(1, padding=100)),
    "3-d": ((1, 6, 12, 14, 16), (9, 6, 3, 3, 3), geometry(3)),
}


def three_results(x: Any, w: Any, g: Geometry) -> list[Any]:
    y = native.convolve(x, w, g)
    dx = native.convolve_input_grad(y, w, g, x.shape[2:])
    return [y, dx, native.convolve_weight_grad(x, y, g, w.shape[2:])]


@compiled
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", SHAPES)
def test_same_bits_for_any_number_of_threads(name: str, dtype: Any) -> None:
    x_shape, w_shape, g = SHAPES[name]
    x, w = operands(x_shape, w_shape, dtype=dtype)
    seen = set()
    for count in (*COUNTS, 2, 2):
        threads.set_num_threads(count)
        seen.add(tuple(result.tobytes() for result in three_results(x, w, g)))
    assert len(seen) == 1


@compiled
@pytest.mark.parametrize("name", SHAPES)
def test_plans_do_not_depend_on_the_number_of_threads(name: str) -> None:
    """Otherwise bits would, wherever two algorithms round differently."""
    x_shape, w_shape, g = SHAPES[name]
    size = reference.convolve(*(np.empty(s, np.float32) for s in (x_shape, w_shape)), g).shape[2:]
    for primitive in PRIMITIVES:
        problem = problem_of(primitive, np.dtype(np.float32), x_shape[0], w_shape, x_shape[2:], size, g)
        plans = set()
        for count in COUNTS:
            threads.set_num_threads(count)
            plan = planner.choose(problem, native.machine())
            plans.add(plan and (plan.algorithm.name, plan.cut))
        assert len(plans) == 1, plans


@compiled
def test_eight_python_threads() -> None:
    """All get on and all get their own results."""
    threads.set_num_threads(3)
    cases = [operands((1 + i % 3, 8 + i, 20, 20), (16, 8 + i, 3, 3), seed=i) for i in range(8)]
    wanted = [[a.tobytes() for a in three_results(x, w, geometry(2))] for x, w in cases]
    rounds, wrong = [0] * 8, [0] * 8
    end = time.monotonic() + 1.0

    def work(me: int) -> None:
        x, w = cases[me]
        while rounds[me] < 3 or time.monotonic() < end:
            wrong[me] += [a.tobytes() for a in three_results(x, w, geometry(2))] != wanted[me]
            rounds[me] += 1

    workers = [threading.Thread(target=work, args=(i,), daemon=True) for i in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert not any(worker.is_alive() for worker in workers)
    assert wrong == [0] * 8
    assert min(rounds) >= 3


# ---- subnormals


def keeps_subnormals() -> bool:
    small = np.full(40, 1e-30, np.float32)
    return bool((small * np.float32(1e-10) > 0).all() and np.float32(1e-30) * np.float32(1e-10) > 0)


@compiled
@pytest.mark.parametrize("count", [1, 3])
def test_the_callers_floating_point_mode_is_unchanged(count: int) -> None:
    threads.set_num_threads(count)
    x, w = operands((2, 16, 30, 30), (16, 16, 3, 3))
    assert keeps_subnormals()
    native.convolve(x, w, geometry(2))
    assert keeps_subnormals()
    # By an argument that the kernel refuses as well.
    call, shape, _ = next(ready for key, ready in native._usual.items() if ready[0] and key[1] == x.shape)
    with pytest.raises(ValueError):
        call(x[:1].copy(), w, None, np.empty(shape, np.float32), 0)
    assert keeps_subnormals()


@compiled
@pytest.mark.parametrize("count", [1, 3])
def test_subnormals_are_flushed_in_all_threads(count: int) -> None:
    """Results that normal arithmetic would leave subnormal are zero, wherever they were computed."""
    threads.set_num_threads(count)
    x, w = np.full((8, 16, 40, 40), 1e-20, np.float32), np.full((16, 16, 1, 1), 1e-20, np.float32)
    assert not native.convolve(x, w, geometry(2, padding=0)).any()
    tiny = np.full(w.shape, 1e-40, np.float32)
    assert tiny.all()
    assert not native.convolve(np.full(x.shape, 1e10, np.float32), tiny, geometry(2, padding=0)).any()


@compiled
def test_subnormal_weights_are_not_slow() -> None:
    """Processor time, best of several: without flushing they take tens of times as long."""
    threads.set_num_threads(1)
    x, w = operands((4, 32, 40, 40), (32, 32, 3, 3))
    best = {}
    for name, weights in {"normal": w, "subnormal": w * np.float32(1e-39)}.items():
        native.convolve(x, weights, geometry(2))
        times = []
        for _ in range(15):
            start = time.process_time()
            native.convolve(x, weights, geometry(2))
            times.append(time.process_time() - start)
        best[name] = min(times)
    assert best["subnormal"] < 3 * best["normal"] + 1e-4, best


# ---- scratch


def soon(condition: Callable[[], bool]) -> bool:
    """Whether the condition comes true within some seconds."""
    return any(condition() or time.sleep(0.01) for _ in range(1000))


@compiled
def test_scratch_is_kept_and_trimmed() -> None:
    threads.set_num_threads(2)
    x, w = operands((2, 64, 30, 30), (64, 64, 3, 3))
    native.convolve(x, w, geometry(2))
    _native.scratch_trim()
    trimmed = _native.scratch_held()
    first = native.convolve(x, w, geometry(2))
    held = _native.scratch_held()
    assert held > trimmed
    native.convolve(x, w, geometry(2))
    assert _native.scratch_held() <= held + 2**22  # a worker that was not there before
    # A worker may be leaving still.
    assert soon(lambda: _native.scratch_trim() or _native.scratch_held() <= trimmed)
    assert native.convolve(x, w, geometry(2)).tobytes() == first.tobytes()


@compiled
def test_scratch_of_ended_threads_is_given_back() -> None:
    threads.set_num_threads(1)
    x, w = operands((1, 32, 20, 20), (32, 32, 3, 3))
    _native.scratch_trim()
    before = _native.scratch_held()
    grown = []

    def work() -> None:
        native.convolve(x, w, geometry(2))
        grown.append(_native.scratch_held())

    for _ in range(3):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join(60)
    assert min(grown) > before
    assert soon(lambda: _native.scratch_held() <= before)  # join returns a little before the thread is gone


@compiled
def test_trimming_beside_calls() -> None:
    threads.set_num_threads(3)
    x, w = operands((2, 32, 30, 30), (32, 32, 3, 3))
    wanted = native.convolve(x, w, geometry(2)).tobytes()
    stop = threading.Event()

    def trim() -> None:
        while not stop.is_set():
            _native.scratch_trim()

    trimmer = threading.Thread(target=trim)
    trimmer.start()
    try:
        assert all(native.convolve(x, w, geometry(2)).tobytes() == wanted for _ in range(100))
    finally:
        stop.set()
        trimmer.join()
