"""Recurrent layers: one operator runs one layer in one direction over whole sequences.

Sequences lie flat: all rows of the first step, then all of the second, ``(total, features)``; a step may
have fewer rows than the one before it, where sequences have ended. A kernel walks through the steps, forward
and backward (``kernels/recurrent.py``); the gradients of the weights are products over all steps after it.
What is recorded is walked through here, by formulas that can themselves be differentiated.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy import ndarray

from ..dtypes import Array
from ..kernels import table
from ..kernels.recurrent import Walk, empty, plan_walk
from . import formula
from .formula import Value, call, call_many, one_minus, product_of_transposed, swap_last
from .op import Op
from .shape import Cat, IndexTensor
from .special import Sigmoid, Tanh


def _fit(state: Value, n: int, others: Value, ended: list[Value]) -> Value:
    """A state of n rows: more come from ``others``; those of sequences that have ended are set aside."""
    m = state.shape[0]
    if m < n:
        return call_many(Cat, (state, others[m:n]), 0)
    if m > n:
        ended.append(state[n:])
        return state[:n]
    return state


def _whole(state: Value, ended: list[Value]) -> Value:
    """The last states of all sequences."""
    return call_many(Cat, (state, *ended[::-1]), 0) if ended else state


class _Steps:
    """What a walk makes step by step, put together in the order of time.

    Arrays go into one large one at once, so that each step works in the same small memory.
    """

    __slots__ = ("walk", "backwards", "array", "pieces")

    def __init__(self, walk: Walk, backwards: bool = False) -> None:
        self.walk = walk
        self.backwards = backwards
        self.array: Any = None
        self.pieces: list[Value] = []

    def put(self, rows: slice, piece: Value) -> None:
        """What belongs to these rows."""
        if type(piece) is ndarray and not self.pieces:
            if self.array is None:
                self.array = empty((self.walk.before.size, piece.shape[1]), piece.dtype)
            self.array[rows] = piece
            return
        if self.array is not None:  # first steps that were no recorded ones
            order = self.walk.rows[::-1] if self.backwards else self.walk.rows
            self.pieces = [self.array[at] for at in order[: order.index(rows)]]
            self.array = None
        self.pieces.append(piece)

    def whole(self) -> Value:
        """All rows."""
        if self.array is not None:
            return self.array
        return call_many(Cat, self.pieces[::-1] if self.walk.reverse != self.backwards else self.pieces, 0)


def _before(first: Value, states: Value, walk: Walk) -> Value:
    """The state before each row."""
    n = first.shape[0]
    if walk.even and n:
        return call_many(Cat, (states[n:], first) if walk.reverse else (first, states[:-n]), 0)
    return call(IndexTensor, call_many(Cat, (first, states), 0), (walk.before,))


def _product(x: Value, w: Value) -> Value:
    """``x wᵀ``."""
    return x @ swap_last(w)


def _shifted(x: Value, bias: Value) -> Value:
    return x if bias is None else x + bias


def _moved(x: Value, w: Value, dx: Value, dw: Value, *more: Value) -> Value:
    """The tangent of ``x wᵀ + b + ...``, or None."""
    parts = [d for d in more if d is not None]
    if dx is not None:
        parts.append(_product(dx, w))
    if dw is not None:
        parts.append(_product(x, dw))
    return sum(parts[1:], parts[0]) if parts else None


def _filled(tangent: Value, like: Value) -> Value:
    """A tangent, zeros for None."""
    return formula.zeros_like(like) if tangent is None else tangent


def _columns(x: Value, count: int) -> list[Value]:
    """``(rows, count n)`` in equal parts."""
    n = x.shape[1] // count
    return [x[:, k * n : (k + 1) * n] for k in range(count)]


def _weight_grads(
    needs: Sequence[bool], gx: Value, gh: Value, x: Value, first: Value, states: Value, walk: Walk
) -> list[Value]:
    """Of w_ih, w_hh, b_ih and b_hh, from the gradients of the two affine maps of all rows."""
    of_input = _map_grads(gx, x, None, walk) if needs[0] or needs[2] or (needs[3] and gh is gx) else None
    of_state = _map_grads(gh, states, first, walk) if needs[1] or (needs[3] and gh is not gx) else None
    total = of_input if gh is gx else of_state
    return [
        of_input[0] if of_input and needs[0] else None,
        of_state[0] if of_state and needs[1] else None,
        of_input[1] if of_input and needs[2] else None,
        total[1] if total and needs[3] else None,
    ]


def _map_grads(g: Value, x: Value, first: Value, walk: Walk) -> tuple[Value, Value]:
    """The gradients of the weights and the bias of one affine map; first: its input are the states before."""
    if formula.bare(g, x):
        gw, gb = table.weight_grads(g, x, first, None if first is None else walk.before)
        return gw, gb
    x = x if first is None else _before(first, x, walk)
    return product_of_transposed(g, x), formula.sum(g, 0)


def _rows_grad(g: Value, w: Value) -> Value:
    """The gradient of the input of an affine map."""
    return table.row_products(g, w) if formula.bare(g, w) else g @ w


class Rnn(Op):
    """``h = tanh(w_ih x + b_ih + w_hh h' + b_hh)``, h' being the state before; or with ``max(0, .)``.

    x is ``(total, I)``, h0 ``(N, H)``, w_ih ``(H, I)``, w_hh ``(H, H)``, biases ``(H,)`` or None. Results:
    the states of all rows ``(total, H)``, and the last ones ``(N, H)``. Source: Elman 1990, Cognitive
    Science 14.
    """

    saves = ("x", "h0", "w_ih", "w_hh", "out0", "relu", "walk")
    several = True

    @staticmethod
    def forward(
        x: Array, h0: Array, w_ih: Array, w_hh: Array, b_ih: Array, b_hh: Array, relu: bool, walk: Walk
    ) -> tuple[tuple[Array, ...], tuple[Any, ...]]:
        out, last = table.rnn(x, h0, w_ih, w_hh, b_ih, b_hh, relu, walk)
        return (out, last), (x, h0, w_ih, w_hh, out, relu, walk)

    @staticmethod
    def vjp(
        needs: tuple[bool, ...], g: tuple[Value, ...], x: Value, h0: Value, w_ih: Value, w_hh: Value,
        out: Value, relu: bool, walk: Walk,
    ) -> tuple[Value, ...]:  # fmt: skip
        gy, last = g
        if formula.bare(gy, last, h0, w_hh, out):
            gz, first = table.rnn_grad(gy, last, h0, w_hh, out, relu, walk)
        else:
            gz, first = Rnn.walk_back(gy, last, w_hh, out, relu, walk)
        weights = _weight_grads(needs[2:], gz, gz, x, h0, out, walk)
        return _rows_grad(gz, w_ih) if needs[0] else None, first, *weights

    @staticmethod
    def walk_back(
        gy: Value, last: Value, w_hh: Value, out: Value, relu: bool, walk: Walk
    ) -> tuple[Value, Value]:
        """``kernels.recurrent.rnn_grad`` of recorded values."""
        slopes = _slopes(out, relu)
        gh = last[: _count(walk.rows[-1])]
        ended: list[Value] = []
        made = _Steps(walk, True)
        for rows in walk.rows[::-1]:
            gh = _fit(gh, _count(rows), last, ended) + gy[rows]
            gz = gh * slopes[rows]
            made.put(rows, gz)
            gh = gz @ w_hh
        return made.whole(), _whole(gh, ended)

    @staticmethod
    def jvp(
        tangents: tuple[Value, ...], x: Value, h0: Value, w_ih: Value, w_hh: Value,
        out: Value, relu: bool, walk: Walk,
    ) -> tuple[Value, ...]:  # fmt: skip
        dx, first, dwi, dwh, dbi, dbh = tangents
        moved = _moved(x, w_ih, dx, dwi, dbi, dbh)
        own = _moved(_before(h0, out, walk), w_hh, None, dwh)
        slopes = _slopes(out, relu)
        first = _filled(first, h0)
        dh = first[: _count(walk.rows[0])]
        ended: list[Value] = []
        made = _Steps(walk)
        for rows in walk.rows:
            dh = _product(_fit(dh, _count(rows), first, ended), w_hh)
            for part in (moved, own):
                if part is not None:
                    dh = dh + (part if len(part.shape) == 1 else part[rows])
            dh = dh * slopes[rows]
            made.put(rows, dh)
        return made.whole(), _whole(dh, ended)


def _count(rows: slice) -> int:
    return rows.stop - rows.start


def _slopes(out: Value, relu: bool) -> Value:
    """The derivative of the nonlinearity, from its result."""
    return (out > 0).astype(out.dtype) if relu else one_minus(out * out)


class Lstm(Op):
    """Long short-term memory: gates i, f, g, o from the input and the state before.

    ``i, f, o = sigmoid(w_ih x + b_ih + w_hh h' + b_hh)``, g the same with tanh; ``c = f c' + i g``,
    ``h = o tanh(c)``, and with w_hr its projection ``w_hr (o tanh(c))``. x is ``(total, I)``, h0 ``(N, P)``,
    c0 ``(N, H)``, w_ih ``(4 H, I)``, w_hh ``(4 H, P)``, biases ``(4 H,)`` or None, w_hr ``(P, H)`` or None
    (P = H). Results: h of all rows ``(total, P)``, the last h ``(N, P)``, the last c ``(N, H)``.
    Source: Hochreiter & Schmidhuber 1997, Neural Computation 9; Gers et al. 2000; Sak et al. 2014,
    arXiv:1402.1128 (the projection).
    """

    saves = ("x", "h0", "c0", "w_ih", "w_hh", "b_ih", "b_hh", "w_hr", "out0", "gates", "cells", "walk")
    several = True

    @staticmethod
    def forward(
        x: Array, h0: Array, c0: Array, w_ih: Array, w_hh: Array, b_ih: Array, b_hh: Array, w_hr: Array,
        walk: Walk,
    ) -> tuple[tuple[Array, ...], tuple[Any, ...]]:  # fmt: skip
        out, h, c, gates, cells = table.lstm(x, h0, c0, w_ih, w_hh, b_ih, b_hh, w_hr, walk)
        return (out, h, c), (x, h0, c0, w_ih, w_hh, b_ih, b_hh, w_hr, out, gates, cells, walk)

    @staticmethod
    def relift(
        x: Value, h0: Value, c0: Value, w_ih: Value, w_hh: Value, b_ih: Value, b_hh: Value, w_hr: Value,
        out: Value, _gates: Value, _cells: Value, walk: Walk,
    ) -> tuple[Any, ...]:  # fmt: skip
        """Gates and cells again from recorded values, so that second derivatives see them move."""
        z = _shifted(_product(x, w_ih), b_ih) + _shifted(_product(_before(h0, out, walk), w_hh), b_hh)
        i, f, new, o = _columns(z, 4)
        i, f, o, new = call(Sigmoid, i), call(Sigmoid, f), call(Sigmoid, o), call(Tanh, new)
        gates = call_many(Cat, (i, f, new, o), 1)
        added = i * new
        c = c0[: _count(walk.rows[0])]
        made = _Steps(walk)
        for rows in walk.rows:
            c = f[rows] * _fit(c, _count(rows), c0, []) + added[rows]
            made.put(rows, c)
        cells = made.whole()
        return x, h0, c0, w_ih, w_hh, b_ih, b_hh, w_hr, out, gates, cells, walk

    @staticmethod
    def vjp(
        needs: tuple[bool, ...], g: tuple[Value, ...], x: Value, h0: Value, c0: Value, w_ih: Value,
        w_hh: Value, _b_ih: Value, _b_hh: Value, w_hr: Value, out: Value, gates: Value, cells: Value,
        walk: Walk,
    ) -> tuple[Value, ...]:  # fmt: skip
        gy, last_h, last_c = g
        if formula.bare(gy, last_h, last_c, h0, c0, w_hh, out, gates, cells):
            back = table.lstm_grad(gy, last_h, last_c, h0, c0, w_hh, w_hr, out, gates, cells, walk)
        else:
            back = Lstm.walk_back(gy, last_h, last_c, c0, w_hh, w_hr, gates, cells, walk)
        gz, arrived, gh, gc = back
        weights = _weight_grads(needs[3:], gz, gz, x, h0, out, walk)
        gr = None
        if w_hr is not None and needs[7]:
            gr = product_of_transposed(arrived, _unprojected(gates, cells))
        return _rows_grad(gz, w_ih) if needs[0] else None, gh, gc, *weights, gr

    @staticmethod
    def walk_back(
        gy: Value, last_h: Value, last_c: Value, c0: Value, w_hh: Value, w_hr: Value, gates: Value,
        cells: Value, walk: Walk,
    ) -> tuple[Value, ...]:  # fmt: skip
        """``kernels.recurrent.lstm_grad`` of recorded values."""
        before = _before(c0, cells, walk)
        n = _count(walk.rows[-1])
        gh, gc = last_h[:n], last_c[:n]
        ended_h: list[Value] = []
        ended_c: list[Value] = []
        made, arrived = _Steps(walk, True), _Steps(walk, True)
        for rows in walk.rows[::-1]:
            n = _count(rows)
            forget, slopes, into = _lstm_slopes(gates[rows], cells[rows], before[rows])
            gh = _fit(gh, n, last_h, ended_h) + gy[rows]
            arrived.put(rows, gh)
            gm = gh if w_hr is None else gh @ w_hr
            gc = _fit(gc, n, last_c, ended_c) + gm * into
            gz = call_many(Cat, (gc, gc, gc, gm), 1) * slopes
            made.put(rows, gz)
            gh = gz @ w_hh
            gc = gc * forget
        return made.whole(), arrived.whole(), _whole(gh, ended_h), _whole(gc, ended_c)

    @staticmethod
    def jvp(
        tangents: tuple[Value, ...], x: Value, h0: Value, c0: Value, w_ih: Value, w_hh: Value, _b_ih: Value,
        _b_hh: Value, w_hr: Value, out: Value, gates: Value, cells: Value, walk: Walk,
    ) -> tuple[Value, ...]:  # fmt: skip
        dx, first_h, first_c, dwi, dwh, dbi, dbh, dwr = tangents
        moved = _moved(x, w_ih, dx, dwi, dbi, dbh)
        own = _moved(_before(h0, out, walk), w_hh, None, dwh)
        projected = None if dwr is None else _product(_unprojected(gates, cells), dwr)
        before = _before(c0, cells, walk)
        first_h, first_c = _filled(first_h, h0), _filled(first_c, c0)
        n = _count(walk.rows[0])
        dh, dc = first_h[:n], first_c[:n]
        ended_h: list[Value] = []
        ended_c: list[Value] = []
        made = _Steps(walk)
        for rows in walk.rows:
            n = _count(rows)
            dz = _product(_fit(dh, n, first_h, ended_h), w_hh)
            for part in (moved, own):
                if part is not None:
                    dz = dz + (part if len(part.shape) == 1 else part[rows])
            forget, slopes, into = _lstm_slopes(gates[rows], cells[rows], before[rows])
            di, df, dg, do = _columns(dz * slopes, 4)
            dc = _fit(dc, n, first_c, ended_c) * forget + di + df + dg
            dh = do + dc * into
            if w_hr is not None:
                dh = _product(dh, w_hr)
            if projected is not None:
                dh = dh + projected[rows]
            made.put(rows, dh)
        return made.whole(), _whole(dh, ended_h), _whole(dc, ended_c)


def _unprojected(gates: Value, cells: Value) -> Value:
    """``o tanh(c)``."""
    return _columns(gates, 4)[3] * call(Tanh, cells)


def _lstm_slopes(gates: Value, cells: Value, before: Value) -> tuple[Value, Value, Value]:
    """f; the slope of c (for o, of h) along each gate before its nonlinearity; the slope of h along c."""
    i, f, new, o = _columns(gates, 4)
    si, sf, _, so = _columns(gates * one_minus(gates), 4)  # right for the three sigmoids
    top = call(Tanh, cells)
    slopes = call_many(Cat, (si * new, sf * before, i * one_minus(new * new), so * top), 1)
    return f, slopes, o * one_minus(top * top)


class Gru(Op):
    """Gated recurrent units: reset r and update z from the input and the state before, new n between.

    ``r, z = sigmoid(w_ih x + b_ih + w_hh h' + b_hh)``, ``n = tanh(w_in x + b_in + r (w_hn h' + b_hn))``,
    ``h = (1 - z) n + z h'``. x is ``(total, I)``, h0 ``(N, H)``, w_ih ``(3 H, I)``, w_hh ``(3 H, H)``, biases
    ``(3 H,)`` or None. Results: the states of all rows ``(total, H)``, and the last ones ``(N, H)``.
    Source: Cho et al. 2014, arXiv:1406.1078; with r after the product, as cuDNN has it.
    """

    saves = ("x", "h0", "w_ih", "w_hh", "b_ih", "b_hh", "out0", "gates", "inner", "walk")
    several = True

    @staticmethod
    def forward(
        x: Array, h0: Array, w_ih: Array, w_hh: Array, b_ih: Array, b_hh: Array, walk: Walk
    ) -> tuple[tuple[Array, ...], tuple[Any, ...]]:
        out, last, gates, inner = table.gru(x, h0, w_ih, w_hh, b_ih, b_hh, walk)
        return (out, last), (x, h0, w_ih, w_hh, b_ih, b_hh, out, gates, inner, walk)

    @staticmethod
    def relift(
        x: Value, h0: Value, w_ih: Value, w_hh: Value, b_ih: Value, b_hh: Value, out: Value, _gates: Value,
        _inner: Value, walk: Walk,
    ) -> tuple[Any, ...]:  # fmt: skip
        """Gates again from recorded values, so that second derivatives see them move."""
        a = _shifted(_product(x, w_ih), b_ih)
        b = _shifted(_product(_before(h0, out, walk), w_hh), b_hh)
        (ar, az, an), (br, bz, inner) = _columns(a, 3), _columns(b, 3)
        r, z = call(Sigmoid, ar + br), call(Sigmoid, az + bz)
        gates = call_many(Cat, (r, z, call(Tanh, an + r * inner)), 1)
        return x, h0, w_ih, w_hh, b_ih, b_hh, out, gates, inner, walk

    @staticmethod
    def vjp(
        needs: tuple[bool, ...], g: tuple[Value, ...], x: Value, h0: Value, w_ih: Value, w_hh: Value,
        _b_ih: Value, _b_hh: Value, out: Value, gates: Value, inner: Value, walk: Walk,
    ) -> tuple[Value, ...]:  # fmt: skip
        gy, last = g
        if formula.bare(gy, last, h0, w_hh, out, gates, inner):
            gx, gz, first = table.gru_grad(gy, last, h0, w_hh, out, gates, inner, walk)
        else:
            gx, gz, first = Gru.walk_back(gy, last, h0, w_hh, out, gates, inner, walk)
        weights = _weight_grads(needs[2:], gx, gz, x, h0, out, walk)
        return _rows_grad(gx, w_ih) if needs[0] else None, first, *weights

    @staticmethod
    def walk_back(
        gy: Value, last: Value, h0: Value, w_hh: Value, out: Value, gates: Value, inner: Value, walk: Walk
    ) -> tuple[Value, ...]:
        """``kernels.recurrent.gru_grad`` of recorded values."""
        before = _before(h0, out, walk)
        gh = last[: _count(walk.rows[-1])]
        ended: list[Value] = []
        of_input, of_state = _Steps(walk, True), _Steps(walk, True)
        for rows in walk.rows[::-1]:
            gh = _fit(gh, _count(rows), last, ended) + gy[rows]
            reset, update, slopes = _gru_slopes(gates[rows], inner[rows], before[rows])
            gr, gu, gn = [gh * slope for slope in slopes]
            of_input.put(rows, call_many(Cat, (gr, gu, gn), 1))
            gz = call_many(Cat, (gr, gu, gn * reset), 1)
            of_state.put(rows, gz)
            gh = gz @ w_hh + gh * update
        return of_input.whole(), of_state.whole(), _whole(gh, ended)

    @staticmethod
    def jvp(
        tangents: tuple[Value, ...], x: Value, h0: Value, w_ih: Value, w_hh: Value, _b_ih: Value,
        _b_hh: Value, out: Value, gates: Value, inner: Value, walk: Walk,
    ) -> tuple[Value, ...]:  # fmt: skip
        dx, first, dwi, dwh, dbi, dbh = tangents
        before = _before(h0, out, walk)
        moved, own = _moved(x, w_ih, dx, dwi, dbi), _moved(before, w_hh, None, dwh, dbh)
        first = _filled(first, h0)
        dh = first[: _count(walk.rows[0])]
        ended: list[Value] = []
        made = _Steps(walk)
        for rows in walk.rows:
            dh = _fit(dh, _count(rows), first, ended)
            db = _product(dh, w_hh)
            if own is not None:
                db = db + (own if len(own.shape) == 1 else own[rows])
            reset, update, slopes = _gru_slopes(gates[rows], inner[rows], before[rows])
            dr, du, dn = _columns(db, 3)
            dz = call_many(Cat, (dr, du, dn * reset), 1)
            if moved is not None:
                dz = dz + (moved if len(moved.shape) == 1 else moved[rows])
            dr, du, dn = [d * slope for d, slope in zip(_columns(dz, 3), slopes, strict=True)]
            dh = dh * update + dr + du + dn
            made.put(rows, dh)
        return made.whole(), _whole(dh, ended)


def _gru_slopes(gates: Value, inner: Value, before: Value) -> tuple[Value, Value, tuple[Value, ...]]:
    """r, z, and the slopes of h along r, z and n before their nonlinearities."""
    r, z, n = _columns(gates, 3)
    rest = one_minus(z)
    along_n = rest * one_minus(n * n)
    return r, z, (along_n * inner * r * one_minus(r), (before - n) * z * rest, along_n)


__all__ = ["Gru", "Lstm", "Rnn", "Walk", "plan_walk"]
