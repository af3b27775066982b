"""Recurrent layers in one direction or both, padded and packed; against their definitions, step by step."""

from __future__ import annotations

from typing import Any

import numpy as np

from convgrad.errors import ConvgradError, DtypeError, ShapeError
from convgrad.nn.functional import recurrent as F
from convgrad.ops import recurrent
from convgrad.tensor import creation

from .case import Case, ErrorCase, kinds, values

Array = Any
STEPS, N, WIDTH, H = 4, 3, 2, 3
#: rows of each step of packed sequences
SIZES = [3, 3, 2, 1]


def _sigmoid(z: Array) -> Array:
    return 1 / (1 + np.exp(-z))


def _rnn(x: Array, h: list[Array], a: Array, b: Array, c: Any = 0.0, d: Any = 0.0) -> list[Array]:
    return [np.tanh(a @ x + c + b @ h[0] + d)]


def _relu(x: Array, h: list[Array], a: Array, b: Array, c: Any = 0.0, d: Any = 0.0) -> list[Array]:
    return [np.maximum(a @ x + c + b @ h[0] + d, 0)]


def _lstm(x: Array, h: list[Array], a: Array, b: Array, *rest: Array) -> list[Array]:
    c, d, *proj = rest if len(rest) > 1 else (0.0, 0.0, *rest)
    i, f, g, o = np.split(a @ x + c + b @ h[0] + d, 4)
    cell = _sigmoid(f) * h[1] + _sigmoid(i) * np.tanh(g)
    out = _sigmoid(o) * np.tanh(cell)
    return [proj[0] @ out if proj else out, cell]


def _gru(x: Array, h: list[Array], a: Array, b: Array, c: Any = 0.0, d: Any = 0.0) -> list[Array]:
    (xr, xz, xn), (hr, hz, hn) = np.split(a @ x + c, 3), np.split(b @ h[0] + d, 3)
    z = _sigmoid(xz + hz)
    return [(1 - z) * np.tanh(xn + _sigmoid(xr + hr) * hn) + z * h[0]]


def _run(step: Any, xs: Array, states: list[Array], weights: Any, back: bool) -> tuple[Array, list[Array]]:
    """One sequence ``(T, I)``."""
    out, h = [], states
    for x in xs[::-1] if back else xs:
        h = step(x, h, *weights)
        out.append(h[0])
    return np.array(out[::-1] if back else out), h


def _reference(step: Any, count: int, lengths: list[int], both: bool = False) -> Any:
    """The outputs ``(T, N, H)``, zero where a sequence has ended, and the last states."""

    def reference(x: Array, *args: Array) -> list[Array]:
        states, weights = args[:count], args[count:]
        halves = [weights] if not both else [weights[: len(weights) // 2], weights[len(weights) // 2 :]]
        outs, last = [], []
        for k, half in enumerate(halves):
            out = np.zeros((x.shape[0], x.shape[1], states[0].shape[2]))
            ends = [np.zeros(s.shape[1:]) for s in states]
            for n in range(x.shape[1]):
                own = [s[k, n] for s in states]
                rows, h = _run(step, x[: lengths[n], n], own, half, k == 1)
                out[: lengths[n], n] = rows
                for end, value in zip(ends, h, strict=True):
                    end[n] = value
            outs.append(out)
            last.append(ends)
        return [np.concatenate(outs, 2), *[np.stack(e) for e in zip(*last, strict=True)]]

    return reference


def _call(name: str, count: int, both: bool = False, biases: bool = True) -> Any:
    def call(x: Any, *args: Any) -> Any:
        hx = args[:count] if count > 1 else args[0]
        return getattr(F, name)(x, hx, list(args[count:]), biases, 1, 0.0, True, both, False)

    return call


def _packed_call(name: str, count: int, both: bool = False) -> Any:
    """The packed form, given padded sequences and giving them."""
    where = [(t, n) for t, rows in enumerate(SIZES) for n in range(rows)]
    t, n = (np.array(a) for a in zip(*where, strict=True))

    def call(x: Any, *args: Any) -> Any:
        hx = args[:count] if count > 1 else args[0]
        sizes, weights = creation.tensor(SIZES), list(args[count:])
        data = x[creation.tensor(t), creation.tensor(n)]
        out, *last = getattr(F, name)(data, sizes, hx, weights, True, 1, 0.0, True, both)
        whole = creation.zeros(STEPS, N, out.shape[1], dtype=out.dtype)
        return whole.index_put((creation.tensor(t), creation.tensor(n)), out), *last

    return call


def _arrays(gates: int, count: int, both: bool = False, biases: bool = True, p: int = 0) -> list[Array]:
    """x, states and weights."""
    d = 2 if both else 1
    out = [values(1, STEPS, N, WIDTH), *[values(2 + k, d, N, p if p and k == 0 else H) for k in range(count)]]
    for k in range(d):
        out += [values(5 + k, gates * H, WIDTH), values(7 + k, gates * H, p or H)]
        if biases:
            out += [values(9 + k, gates * H), values(11 + k, gates * H)]
        if p:
            out.append(values(13 + k, p, H))
    return out


def _cases(op: type, name: str, step: Any, gates: int, count: int = 1) -> list[Case]:
    whole, ended = [STEPS] * N, [sum(rows > n for rows in SIZES) for n in range(N)]
    plain, twice = _arrays(gates, count), _arrays(gates, count, True)
    empty = tuple([a[:, :0] if k <= count else a for k, a in enumerate(plain)])
    bare = _arrays(gates, count, biases=False)
    return [
        *kinds(op, name, _call(name, count), _reference(step, count, whole), *plain, empty=empty),
        *kinds(op, f"{name}-both", _call(name, count, True), _reference(step, count, whole, True), *twice),
        *kinds(op, f"{name}-bare", _call(name, count, biases=False), _reference(step, count, whole), *bare),
        *kinds(op, f"{name}-packed", _packed_call(name, count), _reference(step, count, ended), *plain),
        *kinds(op, f"{name}-packed-both", _packed_call(name, count, True), _reference(step, count, ended, True), *twice),
    ]  # fmt: skip


CASES: list[Case] = [
    *_cases(recurrent.Rnn, "rnn_tanh", _rnn, 1),
    *_cases(recurrent.Rnn, "rnn_relu", _relu, 1),
    *_cases(recurrent.Lstm, "lstm", _lstm, 4, 2),
    *_cases(recurrent.Gru, "gru", _gru, 3),
    *kinds(recurrent.Lstm, "projected", _call("lstm", 2), _reference(_lstm, 2, [STEPS] * N), *_arrays(4, 2, p=2)),
]  # fmt: skip


def _zeros(*shape: int, dtype: Any = None) -> Any:
    return creation.zeros(*shape, dtype=dtype)


W = [_zeros(12, 2), _zeros(12, 3), _zeros(12), _zeros(12)]
STATE = _zeros(1, 1, 3)
ERRORS = [
    ErrorCase("lstm-one-state", lambda: F.lstm(_zeros(2, 1, 2), [STATE], W, True, 1, 0.0, False, False, False), ConvgradError, "lstm expects two hidden states", recurrent.Lstm),
    ErrorCase("lstm-weights", lambda: F.lstm(_zeros(2, 1, 2), (STATE, STATE), W[:3], True, 2, 0.0, False, False, False), ConvgradError, "size 3 not divisible by stride 4", recurrent.Lstm),
    ErrorCase("lstm-arguments", lambda: F.lstm(_zeros(2, 1, 2), (STATE, STATE), W), TypeError, "lstm() takes input and hx", recurrent.Lstm),
    ErrorCase("lstm-dtype", lambda: F.lstm(_zeros(2, 1, 2, dtype=creation.zeros(1).double().dtype), (STATE, STATE), W, True, 1, 0.0, False, False, False), DtypeError, "must have the same dtype, but got Double and Float", recurrent.Lstm),
    ErrorCase("lstm-no-steps", lambda: F.lstm(_zeros(0, 1, 2), (STATE, STATE), W, True, 1, 0.0, False, False, False), ConvgradError, "Expected sequence length to be larger than 0 in RNN", recurrent.Lstm),
    ErrorCase("gru-cell-features", lambda: F.gru_cell(_zeros(1, 4), _zeros(1, 3), _zeros(9, 2), _zeros(9, 3)), ShapeError, "input has inconsistent input_size: got 4 expected 2", recurrent.Gru),
    ErrorCase("rnn-cell-batch", lambda: F.rnn_tanh_cell(_zeros(1, 2), _zeros(2, 3), _zeros(3, 2), _zeros(3, 3)), ShapeError, "Input batch size 1 doesn't match hidden0 batch size 2", recurrent.Rnn),
]  # fmt: skip
