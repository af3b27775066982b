"""The convolution primitives on compiled kernels: shapes in, a plan, one call.

Same signatures as ``reference``, which also computes what these do not: other dtypes, empty arrays.
"""

from __future__ import annotations

import importlib
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from convgrad.dtypes import F32, F64, Array
from convgrad.errors import ConvgradError
from convgrad.kernels import borders, memory, planner, reference
from convgrad.kernels.algorithms import Machine
from convgrad.kernels.geometry import Geometry, Ints, conv_output_size
from convgrad.kernels.machine import _native, instruction_set
from convgrad.kernels.planner import REFERENCE, Plan, UnfitError, Wish
from convgrad.kernels.problem import FORWARD, INPUT_GRAD, WEIGHT_GRAD, Problem, in_words, problem_of
from convgrad.switches import switches

ACTIVATIONS = {None: 0, "relu": 1}
_MOST_READY = 4096


def available() -> bool:
    """Whether the compiled kernels are here."""
    return _native is not None


#: bytes of a vector, floating point operations per second of a thread, vector registers
_SETS = {"baseline": (16, 5e10, 16), "avx2": (32, 1.3e11, 16), "avx512": (64, 2.6e11, 32)}
_ARM = (16, 6e10, 32)


def machine() -> Machine:
    """What plans are made for now."""
    name = instruction_set()
    arm = platform.machine().lower() in ("arm64", "aarch64")
    vector_bytes, flops, registers = _ARM if arm else _SETS[name]
    return Machine(name, vector_bytes, 2, flops, 5e10, registers)


# ---- the three primitives: spelt out alike, since in a call that takes 2 microseconds each step counts


def convolve(
    x: Array, w: Array, geometry: Geometry, bias: Array | None = None, activation: str | None = None
) -> Array:
    """``reference.convolve`` by the planned algorithm."""
    call, shape, empty = _in_use()[FORWARD, x.shape, w.shape, geometry, x.dtype, None]
    if call is None:
        return reference.convolve(x, w, geometry, bias, activation)
    out = empty(shape, x.dtype)
    try:
        call(x, w, bias, out, ACTIVATIONS[activation])
    except TypeError:
        call(plain(x), plain(w, x.dtype), plain(bias, x.dtype), out, ACTIVATIONS[activation])
    return out


def convolve_input_grad(
    g: Array, w: Array, geometry: Geometry, input_size: Ints, bias: Array | None = None,
    activation: str | None = None,
) -> Array:  # fmt: skip
    """``reference.convolve_input_grad`` by the planned algorithm."""
    if geometry.border != "zeros":
        return borders.through_fold(convolve_input_grad, g, w, geometry, input_size, bias, activation)
    call, shape, empty = _in_use()[INPUT_GRAD, g.shape, w.shape, geometry, g.dtype, input_size]
    if call is None:
        return reference.convolve_input_grad(g, w, geometry, input_size, bias, activation)
    out = empty(shape, g.dtype)
    try:
        call(g, w, bias, out, ACTIVATIONS[activation])
    except TypeError:
        call(plain(g), plain(w, g.dtype), plain(bias, g.dtype), out, ACTIVATIONS[activation])
    return out


def convolve_weight_grad(x: Array, g: Array, geometry: Geometry, kernel_size: Ints) -> Array:
    """``reference.convolve_weight_grad`` by the planned algorithm."""
    call, shape, empty = _in_use()[WEIGHT_GRAD, x.shape, g.shape, geometry, x.dtype, kernel_size]
    if call is None:
        return reference.convolve_weight_grad(x, g, geometry, kernel_size)
    out = empty(shape, x.dtype)
    try:
        call(x, g, None, out)
    except TypeError:
        call(plain(x), plain(g, x.dtype), None, out)
    return out


def plain(a: Any, dtype: Any = None) -> Any:
    """The array as the kernels read it: contiguous, aligned, of one precision. None stays None.

    The kernels refuse anything else with a TypeError; to ask them first saves a tenth of a small call.
    """
    return None if a is None else memory.in_order(a, dtype)


# ---- calls made ready


class Ready(dict[Any, tuple[Any, Ints, Any]]):
    """By primitive, shapes, geometry and dtype: a call made ready (None: the reference), its result's shape
    and where memory for that comes from.

    ``forced`` is the algorithm or family that was asked for. What is missing is planned and kept.
    """

    __slots__ = ("forced",)

    def __init__(self, forced: str | None = None) -> None:
        self.forced = forced

    def wish(self) -> Wish:
        """What may be used now."""
        return Wish(switches.strict, self.forced)

    def __missing__(self, key: Any) -> tuple[Any, Ints, Any]:
        changes = switches.changes
        problem, shape = problem_of_call(*key)
        try:
            found = _call(problem, self.wish()), shape, memory.allocator(shape, problem.dtype)
        except UnfitError as unfit:
            raise ConvgradError(
                f"backends.convolution.algorithm({self.forced!r}) cannot compute {_in_words(*key)}: {unfit}"
            ) from None
        with switches.lock:
            if switches.changes == changes:  # else it was planned for what no longer holds
                if len(self) >= _MOST_READY:
                    self.clear()
                self[key] = found
        return found


_usual = Ready()
_asked: dict[str, Ready] = {}
_choice: ContextVar[Ready] = ContextVar("convgrad.convolutions", default=_usual)
_in_use: Callable[[], Ready] = _choice.get


def _forget() -> None:
    for ready in (_usual, *_asked.values()):
        ready.clear()


switches.on_change(_forget)


@contextmanager
def forced(name: str) -> Iterator[None]:
    """Plan with this algorithm or family alone, in this thread and task, until the context is left."""
    token = _choice.set(_asked.setdefault(name, Ready(name)))
    try:
        yield
    finally:
        _choice.reset(token)


def wish() -> Wish:
    """What may be used now, in this thread and task."""
    return _in_use().wish()


def timed() -> bool:
    """Whether the clock chooses among the candidates."""
    return switches.benchmark and not switches.deterministic


def problem_of_call(
    primitive: str, first: Ints, second: Ints, geometry: Geometry, dtype: np.dtype[Any], size: Ints | None
) -> tuple[Problem, Ints]:
    """What one of the primitives is asked to compute, and the shape of its result.

    Args:
        primitive: one of ``PRIMITIVES``.
        first, second: shapes of its first two arguments.
        size: ``input_size`` or ``kernel_size``, where it takes one.
    """
    groups = geometry.groups
    if primitive == FORWARD:
        output_size = conv_output_size(first[2:], second[2:], geometry)
        w_shape, input_size, shape = second, first[2:], (first[0], second[0], *output_size)
    elif primitive == INPUT_GRAD:
        assert size is not None
        w_shape, input_size, output_size = second, size, first[2:]
        shape = (first[0], second[1] * groups, *size)
    else:
        assert size is not None
        shape = w_shape = (second[1], first[1] // groups, *size)
        input_size, output_size = first[2:], second[2:]
    problem = problem_of(primitive, dtype, first[0], w_shape, input_size, output_size, geometry)
    return problem, shape


def _in_words(
    primitive: str, first: Ints, second: Ints, geometry: Geometry, dtype: np.dtype[Any], size: Ints | None
) -> str:
    """The call that a key names, as a user knows it."""
    if primitive == FORWARD:
        return in_words(primitive, first, second, geometry, dtype)
    assert size is not None
    if primitive == INPUT_GRAD:
        return in_words(primitive, (first[0], second[1] * geometry.groups, *size), second, geometry, dtype)
    return in_words(primitive, first, (second[1], first[1] // geometry.groups, *size), geometry, dtype)


def _call(problem: Problem, wish: Wish) -> Any:
    """The planned call made ready; None where the reference is to compute."""
    if wish.forced == REFERENCE or problem.empty:
        return None
    if problem.dtype not in (F32, F64):
        if wish.forced is not None:
            raise UnfitError(f"the compiled kernels take float32 and float64. This can: {REFERENCE}")
        return None
    plan = best_plan(problem, machine(), wish)
    return None if plan is None else plan.call


def best_plan(problem: Problem, here: Machine, wish: Wish) -> Plan | None:
    """The planner's choice; that of the clock among its candidates, where the user lets them be timed."""
    if timed() and wish.forced is None:
        plans = [plan for plan in planner.allowed(problem, here, wish) if plan.fits_memory]
        # its file format is JSON, which takes a millisecond to import
        return importlib.import_module("convgrad.kernels.timings").quickest(plans)
    return planner.choose(problem, here, wish)
