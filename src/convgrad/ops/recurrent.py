"""Recurrent layers: one operator runs one layer in one direction over whole sequences.

Sequences lie flat: all rows of the first step, then all of the second, ``(total, features)``; a step may
have fewer rows than the one before it, where sequences have ended. Everything that does not depend on the
state before is done for all steps at once: the product with the input before the walk, in backward the
gradients of the weights after it. A step is then one matrix product and a few short lines, on arrays small
enough for the cache. Formulas walk over arrays and recorded values alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray

from ..dtypes import Array
from ..kernels.memory import allocator
from . import formula
from .formula import Value, call, call_many, one_minus, product_of_transposed, swap_last
from .op import Op
from .shape import Cat, IndexTensor
from .special import Sigmoid, Tanh


class Walk(NamedTuple):
    """How a layer goes through its sequences.

    rows: the rows of each step, in the order of the walk; reverse: from the last step to the first;
    before: for each row, which row of (starting states, results) holds the state before it; even: all
    sequences are of one length.
    """

    rows: tuple[slice, ...]
    reverse: bool
    before: Array
    even: bool

    def repeated(self, count: int) -> Walk:
        """The walk through ``count`` such sets side by side, each row ``count`` times in turn."""
        rows = self.rows[::-1] if self.reverse else self.rows
        return plan_walk([_count(at) * count for at in rows], self.reverse)


def plan_walk(sizes: Sequence[int], reverse: bool) -> Walk:
    """The walk through steps of these numbers of rows, which never grow.

    Args:
        sizes: rows of each step; the first is the number of sequences.
        reverse: each sequence from its last step to its first.
    """
    ends = np.cumsum(sizes)
    rows = [slice(int(end) - n, int(end)) for end, n in zip(ends, sizes, strict=True)]
    if reverse:
        rows.reverse()
    start = np.arange(sizes[0])  # where the state of each sequence is, among (starting states, results)
    before = np.empty(int(ends[-1]), np.int64)
    for at in rows:
        n = at.stop - at.start
        before[at] = start[:n]
        start[:n] = np.arange(at.start, at.stop) + sizes[0]
    return Walk(tuple(rows), reverse, before, sizes[-1] == sizes[0])


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


def _empty(rows: int, columns: int, dtype: Any) -> Array:
    """An array to be filled, in a block that is kept when it is freed, if it is large."""
    array: Array = allocator((rows, columns), dtype)((rows, columns), dtype)
    return array


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
                self.array = _empty(self.walk.before.size, piece.shape[1], piece.dtype)
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


def _affine(x: Array, w: Array, *biases: Array | None) -> Array:
    """``x wᵀ`` plus biases, a fresh array."""
    out = x.dot(w.T, _empty(x.shape[0], w.shape[0], np.result_type(x, w)))
    for bias in biases:
        if bias is not None:
            out += bias
    return out


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


def _weight_grads(needs: Sequence[bool], gx: Value, gh: Value, x: Value, before: Value) -> list[Value]:
    """Of w_ih, w_hh, b_ih and b_hh, from the gradients of the two affine maps of all rows."""
    total_x = formula.sum(gx, 0) if needs[2] or needs[3] else None
    return [
        product_of_transposed(gx, x) if needs[0] else None,
        product_of_transposed(gh, before) if needs[1] else None,
        total_x,
        total_x if gh is gx else formula.sum(gh, 0) if needs[3] else None,
    ]


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
        out = _affine(x, w_ih, b_ih, b_hh)
        first = walk.rows[0]
        h: Any = h0[: first.stop - first.start]
        ended: list[Any] = []
        w = w_hh.T
        for rows in walk.rows:
            z = out[rows]
            h = _fit(h, z.shape[0], h0, ended)
            z += h.dot(w)
            h = np.maximum(z, 0, out=z) if relu else np.tanh(z, z)
        # the last state is a result of its own: never a view of the others
        return (out, _whole(h.copy(), ended)), (x, h0, w_ih, w_hh, out, relu, walk)

    @staticmethod
    def vjp(
        needs: tuple[bool, ...], g: tuple[Value, ...], x: Value, h0: Value, w_ih: Value, w_hh: Value,
        out: Value, relu: bool, walk: Walk,
    ) -> tuple[Value, ...]:  # fmt: skip
        gy, last = g
        slopes = _slopes(out, relu)
        gh = last[: _count(walk.rows[-1])]
        ended: list[Value] = []
        made = _Steps(walk, True)
        for rows in walk.rows[::-1]:
            gh = _fit(gh, _count(rows), last, ended) + gy[rows]
            gz = gh * slopes[rows]
            made.put(rows, gz)
            gh = gz @ w_hh
        gz = made.whole()
        weights = _weight_grads(needs[2:], gz, gz, x, _before(h0, out, walk))
        return gz @ w_ih if needs[0] else None, _whole(gh, ended), *weights

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
    (P = H). Results: h of all rows ``(total, P)``, the last h ``(N, P)``, the last c ``(N, H)``. Sigmoids are
    computed as ``(1 + tanh(z / 2)) / 2``, right to the roundoff of 1, so that one call serves all gates.
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
        width = c0.shape[1]
        half, shift = _halves(width, x.dtype)
        biases = [None if b is None else b * half for b in (b_ih, b_hh)]
        gates = _affine(x, w_ih * half[:, None], *biases)
        w = (w_hh * half[:, None]).T
        cells = _empty(x.shape[0], width, x.dtype)
        out = _empty(x.shape[0], h0.shape[1], x.dtype)
        n = _count(walk.rows[0])
        h, c = h0[:n], c0[:n]
        ended_h: list[Any] = []
        ended_c: list[Any] = []
        for rows in walk.rows:
            z = gates[rows]
            n = z.shape[0]
            z += _fit(h, n, h0, ended_h).dot(w)
            np.tanh(z, z)
            z *= half
            z += shift
            i, f, new, o = _columns(z, 4)
            c = np.multiply(f, _fit(c, n, c0, ended_c), cells[rows])
            c += i * new
            h = np.tanh(c, out[rows] if w_hr is None else None)
            h *= o
            if w_hr is not None:
                h = h.dot(w_hr.T, out[rows])
        results = (out, _whole(h.copy(), ended_h), _whole(c.copy(), ended_c))
        return results, (x, h0, c0, w_ih, w_hh, b_ih, b_hh, w_hr, out, gates, cells, walk)

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
            gm = gh
            if w_hr is not None:
                arrived.put(rows, gh)
                gm = gh @ w_hr
            gc = _fit(gc, n, last_c, ended_c) + gm * into
            gz = call_many(Cat, (gc, gc, gc, gm), 1) * slopes
            made.put(rows, gz)
            gh = gz @ w_hh
            gc = gc * forget
        gz = made.whole()
        weights = _weight_grads(needs[3:], gz, gz, x, _before(h0, out, walk))
        gr = None
        if w_hr is not None and needs[7]:
            gr = product_of_transposed(arrived.whole(), _unprojected(gates, cells))
        gx = gz @ w_ih if needs[0] else None
        return gx, _whole(gh, ended_h), _whole(gc, ended_c), *weights, gr

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


def _halves(width: int, dtype: Any) -> tuple[Array, Array]:
    """Factors and shifts that make sigmoids of tanh, for i, f and o."""
    half, shift = np.full(4 * width, 0.5, dtype), np.full(4 * width, 0.5, dtype)
    half[2 * width : 3 * width] = 1
    shift[2 * width : 3 * width] = 0
    return half, shift


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
        width = h0.shape[1]
        both = 2 * width
        gates = _affine(x, w_ih, b_ih)
        inner = _empty(x.shape[0], width, x.dtype)
        out = _empty(x.shape[0], width, x.dtype)
        h: Any = h0[: _count(walk.rows[0])]
        ended: list[Any] = []
        w = w_hh.T
        for rows in walk.rows:
            z = gates[rows]
            h = _fit(h, z.shape[0], h0, ended)
            own = h.dot(w)
            if b_hh is not None:
                own += b_hh
            sigmoids, new = z[:, :both], z[:, both:]
            sigmoids += own[:, :both]
            sigmoids *= 0.5
            np.tanh(sigmoids, sigmoids)
            sigmoids *= 0.5
            sigmoids += 0.5
            inner[rows] = own[:, both:]
            new += z[:, :width] * own[:, both:]
            np.tanh(new, new)
            h = np.subtract(h, new, out[rows])  # n + z (h' - n)
            h *= z[:, width:both]
            h += new
        return (out, _whole(h.copy(), ended)), (x, h0, w_ih, w_hh, b_ih, b_hh, out, gates, inner, walk)

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
        gx, gz = of_input.whole(), of_state.whole()
        weights = _weight_grads(needs[2:], gx, gz, x, before)
        return gx @ w_ih if needs[0] else None, _whole(gh, ended), *weights

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
