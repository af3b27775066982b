"""The convolution primitives on compiled kernels: shapes in, a plan, one call.

Same signatures as ``reference``, which also computes what these do not: other dtypes, empty arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from convgrad.dtypes import F32, F64, Array
from convgrad.kernels import borders, planner, reference, threads
from convgrad.kernels.algorithms import Machine
from convgrad.kernels.geometry import Geometry, Ints, conv_output_size
from convgrad.kernels.machine import _native, instruction_set
from convgrad.kernels.problem import FORWARD, INPUT_GRAD, WEIGHT_GRAD, problem_of

ACTIVATIONS = {None: 0, "relu": 1}
_MOST_READY = 4096

#: a call made ready, and the shape of what it fills
Ready = tuple[Callable[..., None], Ints]
_ready: dict[Any, Ready | None] = {}


def available() -> bool:
    """Whether the compiled kernels are here."""
    return _native is not None


def machine() -> Machine:
    """What plans are made for now."""
    name = instruction_set()
    lanes = {"baseline": 16, "avx2": 32, "avx512": 64}
    return Machine(name, lanes[name], threads.get_num_threads(), 1e11, 2e10)


def convolve(
    x: Array, w: Array, geometry: Geometry, bias: Array | None = None, activation: str | None = None
) -> Array:
    """``reference.convolve`` by the planned algorithm."""
    key = (FORWARD, x.shape, w.shape, geometry, x.dtype)
    ready = _ready[key] if key in _ready else _ready_forward(key, x, w, geometry)
    if ready is None:
        return reference.convolve(x, w, geometry, bias, activation)
    return _run(ready, x, w, bias, activation)


def convolve_input_grad(
    g: Array, w: Array, geometry: Geometry, input_size: Ints, bias: Array | None = None,
    activation: str | None = None,
) -> Array:  # fmt: skip
    """``reference.convolve_input_grad`` by the planned algorithm."""
    if geometry.border != "zeros":
        return borders.through_fold(convolve_input_grad, g, w, geometry, input_size, bias, activation)
    key = (INPUT_GRAD, g.shape, w.shape, geometry, g.dtype, input_size)
    ready = _ready[key] if key in _ready else _ready_input_grad(key, g, w, geometry, input_size)
    if ready is None:
        return reference.convolve_input_grad(g, w, geometry, input_size, bias, activation)
    return _run(ready, g, w, bias, activation)


def convolve_weight_grad(x: Array, g: Array, geometry: Geometry, kernel_size: Ints) -> Array:
    """``reference.convolve_weight_grad`` by the planned algorithm."""
    key = (WEIGHT_GRAD, x.shape, g.shape, geometry, x.dtype, kernel_size)
    ready = _ready[key] if key in _ready else _ready_weight_grad(key, x, g, geometry, kernel_size)
    if ready is None:
        return reference.convolve_weight_grad(x, g, geometry, kernel_size)
    return _run(ready, x, g, None, None)


def _run(ready: Ready, first: Array, second: Array, bias: Array | None, activation: str | None) -> Array:
    call, shape = ready
    out = np.empty(shape, first.dtype)
    call(plain(first), plain(second), None if bias is None else plain(bias), out, ACTIVATIONS[activation])
    return out


def plain(a: Array) -> Array:
    """The array as the kernels read it: contiguous, aligned, in this machine's byte order."""
    flags = a.flags
    if flags.c_contiguous and flags.aligned and a.dtype.isnative:
        return a
    return np.require(a, a.dtype.newbyteorder("="), ["C", "A"])


def _ready_forward(key: Any, x: Array, w: Array, geometry: Geometry) -> Ready | None:
    size = conv_output_size(x.shape[2:], w.shape[2:], geometry)
    out = (x.shape[0], w.shape[0], *size)
    return _prepare(key, out, x.dtype, x.shape[0], w.shape, x.shape[2:], size, geometry)


def _ready_input_grad(key: Any, g: Array, w: Array, geometry: Geometry, input_size: Ints) -> Ready | None:
    out = (g.shape[0], w.shape[1] * geometry.groups, *input_size)
    return _prepare(key, out, g.dtype, g.shape[0], w.shape, input_size, g.shape[2:], geometry)


def _ready_weight_grad(key: Any, x: Array, g: Array, geometry: Geometry, kernel_size: Ints) -> Ready | None:
    w_shape = (g.shape[1], x.shape[1] // geometry.groups, *kernel_size)
    return _prepare(key, w_shape, x.dtype, x.shape[0], w_shape, x.shape[2:], g.shape[2:], geometry)


def _prepare(
    key: Any, out: Ints, dtype: np.dtype[Any], batch: int, weight_shape: Ints, input_size: Ints, output_size: Ints,
    geometry: Geometry,
) -> Ready | None:  # fmt: skip
    """Plan a call and remember it under ``key``; None where the reference is to compute it."""
    ready = None
    if dtype in (F32, F64) and prod((batch, *weight_shape, *input_size, *output_size)):
        problem = problem_of(key[0], dtype, batch, weight_shape, input_size, output_size, geometry)
        here = machine()
        plan = planner.choose(problem, here)
        if plan is not None:
            ready = planner.prepare(plan, problem, here), out
    if len(_ready) >= _MOST_READY:
        _ready.clear()
    _ready[key] = ready
    return ready
