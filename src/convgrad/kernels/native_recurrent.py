"""Recurrent layers on compiled kernels: all steps of a layer in one call, sequences shared among threads.

Same signatures as ``recurrent``, which also computes what these do not:
projections, other dtypes, empty arrays.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from convgrad.dtypes import F32, F64, Array
from convgrad.kernels import recurrent
from convgrad.kernels.machine import _native, instruction_set
from convgrad.kernels.memory import in_order
from convgrad.kernels.recurrent import Results, Walk, empty

__all__ = ["gru", "gru_grad", "lstm", "lstm_grad", "rnn", "rnn_grad"]

instruction_set()  # makes it the one in use

_TANH, _RELU, _LSTM, _GRU = range(4)
#: a few rows are multiplied with large weights sooner than these are packed
_FEW_ROWS, _LARGE_WEIGHTS = 4, 1 << 18


def _serves(x: Array, h0: Array, w_hh: Array) -> bool:
    """Whether the compiled form is for arrays like these."""
    return (
        (x.dtype is F32 or x.dtype is F64)
        and x.size > 0 and h0.size > 0
        and (x.shape[0] >= _FEW_ROWS or w_hh.size <= _LARGE_WEIGHTS)
    )  # fmt: skip


def _done(function: Any, head: tuple[Any, ...], dtype: Any, arrays: tuple[Any, ...]) -> bool:
    """Call a kernel, with copies of what is not contiguous; False where it does not take the arrays."""
    try:
        function(*head, *arrays)
        return True
    except (TypeError, ValueError):
        if any([a is not None and a.dtype != dtype for a in arrays]):
            return False
    try:
        function(*head, *[a if a is None else in_order(a, dtype) for a in arrays])
        return True
    except (TypeError, ValueError):  # sizes that do not fit: NumPy says which
        return False


def rnn(
    x: Array, h0: Array, w_ih: Array, w_hh: Array, b_ih: Array | None, b_hh: Array | None, relu: bool,
    walk: Walk,
) -> Results:  # fmt: skip
    """``recurrent.rnn``."""
    if _serves(x, h0, w_hh):
        (total, inputs), (n, width), kind = x.shape, h0.shape, x.dtype
        out, last = empty((total, width), kind), np.empty((n, width), kind)
        head = (_RELU if relu else _TANH, kind is F64, walk.counts, walk.reverse, inputs, width)
        arrays = (x, h0, None, w_ih, w_hh, b_ih, b_hh, None, None, out, last, None)
        if _done(_native.recur, head, kind, arrays):
            return out, last
    return recurrent.rnn(x, h0, w_ih, w_hh, b_ih, b_hh, relu, walk)


def rnn_grad(g: Array, g_last: Array, h0: Array, w_hh: Array, out: Array, relu: bool, walk: Walk) -> Results:
    """``recurrent.rnn_grad``."""
    if _serves(g, h0, w_hh):
        width, kind = h0.shape[1], g.dtype
        gz, g_h0 = empty(out.shape, kind), np.empty(h0.shape, kind)
        head = (_RELU if relu else _TANH, kind is F64, walk.counts, walk.reverse, width)
        arrays = (g, g_last, None, h0, None, w_hh, None, None, out, gz, None, g_h0, None)
        if _done(_native.recur_grad, head, kind, arrays):
            return gz, g_h0
    return recurrent.rnn_grad(g, g_last, h0, w_hh, out, relu, walk)


def lstm(
    x: Array, h0: Array, c0: Array, w_ih: Array, w_hh: Array, b_ih: Array | None, b_hh: Array | None,
    w_hr: Array | None, walk: Walk,
) -> Results:  # fmt: skip
    """``recurrent.lstm``."""
    if w_hr is None and _serves(x, h0, w_hh):
        (total, inputs), (n, width), kind = x.shape, h0.shape, x.dtype
        gates, cells, out = (
            empty((total, 4 * width), kind),
            empty((total, width), kind),
            empty((total, width), kind),
        )
        last_h, last_c = np.empty((n, width), kind), np.empty((n, width), kind)
        head = (_LSTM, kind is F64, walk.counts, walk.reverse, inputs, width)
        arrays = (x, h0, c0, w_ih, w_hh, b_ih, b_hh, gates, cells, out, last_h, last_c)
        if _done(_native.recur, head, kind, arrays):
            return out, last_h, last_c, gates, cells
    return recurrent.lstm(x, h0, c0, w_ih, w_hh, b_ih, b_hh, w_hr, walk)


def lstm_grad(
    g: Array, g_h: Array, g_c: Array, h0: Array, c0: Array, w_hh: Array, w_hr: Array | None, out: Array,
    gates: Array, cells: Array, walk: Walk,
) -> Results:  # fmt: skip
    """``recurrent.lstm_grad``."""
    if w_hr is None and _serves(g, h0, w_hh):
        width, kind = h0.shape[1], g.dtype
        gz, g_h0, g_c0 = empty(gates.shape, kind), np.empty(h0.shape, kind), np.empty(h0.shape, kind)
        head = (_LSTM, kind is F64, walk.counts, walk.reverse, width)
        arrays = (g, g_h, g_c, h0, c0, w_hh, gates, cells, out, gz, None, g_h0, g_c0)
        if _done(_native.recur_grad, head, kind, arrays):
            return gz, g, g_h0, g_c0
    return recurrent.lstm_grad(g, g_h, g_c, h0, c0, w_hh, w_hr, out, gates, cells, walk)


def gru(
    x: Array, h0: Array, w_ih: Array, w_hh: Array, b_ih: Array | None, b_hh: Array | None, walk: Walk
) -> Results:
    """``recurrent.gru``."""
    if _serves(x, h0, w_hh):
        (total, inputs), (n, width), kind = x.shape, h0.shape, x.dtype
        gates, inner, out = (
            empty((total, 3 * width), kind),
            empty((total, width), kind),
            empty((total, width), kind),
        )
        last = np.empty((n, width), kind)
        head = (_GRU, kind is F64, walk.counts, walk.reverse, inputs, width)
        arrays = (x, h0, None, w_ih, w_hh, b_ih, b_hh, gates, inner, out, last, None)
        if _done(_native.recur, head, kind, arrays):
            return out, last, gates, inner
    return recurrent.gru(x, h0, w_ih, w_hh, b_ih, b_hh, walk)


def gru_grad(
    g: Array, g_last: Array, h0: Array, w_hh: Array, out: Array, gates: Array, inner: Array, walk: Walk
) -> Results:
    """``recurrent.gru_grad``."""
    if _serves(g, h0, w_hh):
        width, kind = h0.shape[1], g.dtype
        of_input, of_state = empty(gates.shape, kind), empty(gates.shape, kind)
        g_h0 = np.empty(h0.shape, kind)
        head = (_GRU, kind is F64, walk.counts, walk.reverse, width)
        arrays = (g, g_last, None, h0, None, w_hh, gates, inner, out, of_state, of_input, g_h0, None)
        if _done(_native.recur_grad, head, kind, arrays):
            return of_input, of_state, g_h0
    return recurrent.gru_grad(g, g_last, h0, w_hh, out, gates, inner, walk)
