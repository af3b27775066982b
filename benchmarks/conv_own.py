"""What only convgrad's own worker is asked: which algorithms the planner takes, and the machine's peak."""

from __future__ import annotations

import importlib
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from conv_rows import ConvRow
from convgrad.kernels import native, planner
from convgrad.kernels.geometry import plan_conv, plan_conv_transpose
from convgrad.kernels.problem import FORWARD, INPUT_GRAD, WEIGHT_GRAD, Problem, problem_of

_BATCH = 0.05  # seconds of multiply-adds at a time


def problems(row: ConvRow) -> list[Problem]:
    """The kernel problems behind a row's output, gradient of x and gradient of w.

    A transposed convolution is the input gradient of the convolution that leads back.
    """
    if row.transposed:
        plan = plan_conv_transpose(
            row.ndim, row.x, row.w, None, row.stride, row.padding, row.output_padding, row.groups,
            row.dilation,
        )  # fmt: skip
        primitives, sizes = (INPUT_GRAD, FORWARD, WEIGHT_GRAD), (plan.output_size, row.x[2:])
    else:
        plan = plan_conv(row.ndim, row.x, row.w, None, row.stride, row.padding, row.dilation, row.groups)
        primitives, sizes = (FORWARD, INPUT_GRAD, WEIGHT_GRAD), (row.x[2:], plan.output_size)
    return [
        problem_of(primitive, np.dtype(np.float32), row.x[0], row.w, *sizes, plan.geometry)
        for primitive in primitives
    ]


def algorithms(row: ConvRow) -> list[tuple[str, bool]]:
    """The algorithm planned for output, gradient of x and gradient of w, and whether it is a direct one."""
    if not native.available():
        return [("reference", False)] * 3
    machine = native.machine()
    plans = [planner.choose(problem, machine) for problem in problems(row)]
    return [
        ("reference", False) if plan is None else (plan.algorithm.name, plan.algorithm.exact)
        for plan in plans
    ]


def instruction_set() -> str:
    """The table of kernels in use; empty where nothing is compiled."""
    return native.machine().instruction_set if native.available() else ""


def compiled() -> Any:
    """The extension; to be asked for only where it is."""
    return importlib.import_module("convgrad.kernels._native")


def set_threads(threads: int) -> None:
    """How many threads the compiled kernels use."""
    if native.available():
        compiled().set_num_threads(threads)


def peak(threads: int, seconds: float) -> float:
    """Float32 operations per second of nothing but multiply-adds in registers; 0 where nothing is compiled.

    Args:
        threads: so many at once.
        seconds: how long to look for the best batch.
    """
    if not native.available():
        return 0.0
    kernels, name, rounds = compiled(), instruction_set(), 1_000_000
    start = time.perf_counter()
    kernels.multiply_add_loop(name, rounds)
    rounds = max(1, int(rounds * _BATCH / (time.perf_counter() - start)))
    best, until = 0.0, time.perf_counter() + seconds
    while time.perf_counter() < until:
        best = max(best, _all_at_once(lambda: kernels.multiply_add_loop(name, rounds), threads))
    return best


def _all_at_once(batch: Callable[[], int], threads: int) -> float:
    """Operations per second of one batch on every thread."""
    done: list[int] = []
    workers = [threading.Thread(target=lambda: done.append(batch())) for _ in range(threads)]
    start = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(done) / (time.perf_counter() - start)
