"""Recurrent layers in NumPy: one layer in one direction over whole sequences, forward and backward.

Sequences lie flat: all rows of the first step, then all of the second, ``(total, features)``; a step may
have fewer rows than the one before it, where sequences have ended. What does not depend on the state before
is done for all steps at once; a step is then one matrix product and a few short lines. Backward stops at the
gradients of the affine maps: those of the weights are matrix products over all rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from convgrad.dtypes import Array
from convgrad.kernels.memory import allocator

__all__ = [
    "Walk", "empty", "gru", "gru_grad", "lstm", "lstm_grad", "plan_walk", "rnn", "rnn_grad",
    "row_products", "weight_grads",
]  # fmt: skip

Results = tuple[Array, ...]


class Walk(NamedTuple):
    """How a layer goes through its sequences.

    rows: the rows of each step, in the order of the walk; reverse: from the last step to the first;
    before: for each row, which row of (starting states, results) holds the state before it; even: all
    sequences are of one length; counts: how many rows each step has, from the first on.
    """

    rows: tuple[slice, ...]
    reverse: bool
    before: Array
    even: bool
    counts: Array

    def repeated(self, count: int) -> Walk:
        """The walk through ``count`` such sets side by side, each row ``count`` times in turn."""
        return plan_walk([int(n) * count for n in self.counts], self.reverse)


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
    return Walk(tuple(rows), reverse, before, sizes[-1] == sizes[0], np.array(sizes, np.int64))


def empty(shape: tuple[int, ...], dtype: Any) -> Array:
    """An array to be filled, in a block that is kept when it is freed, if it is large."""
    array: Array = allocator(shape, dtype)(shape, dtype)
    return array


def _affine(x: Array, w: Array, *biases: Array | None) -> Array:
    """``x wᵀ`` plus biases, a fresh array."""
    out = x.dot(w.T, empty((x.shape[0], w.shape[0]), np.result_type(x, w)))
    for bias in biases:
        if bias is not None:
            out += bias
    return out


class _States:
    """The state of every sequence on the way: rows of the sequences that a step has, of those that it has
    not yet the first ones, of those that it has no more the last."""

    def __init__(self, first: Array) -> None:
        self.all = first.copy()

    def of(self, rows: slice) -> Array:
        """The states of a step's sequences, to be read or changed."""
        return self.all[: rows.stop - rows.start]


# ---------------------------------------------------------------------- the plain cell


def rnn(
    x: Array, h0: Array, w_ih: Array, w_hh: Array, b_ih: Array | None, b_hh: Array | None, relu: bool,
    walk: Walk,
) -> Results:  # fmt: skip
    """``h = tanh(w_ih x + b_ih + w_hh h' + b_hh)``, h' being the state before; or with ``max(0, .)``.

    Args:
        x: ``(total, I)``, float.
        h0: ``(N, H)``.
        w_ih, w_hh: ``(H, I)``, ``(H, H)``.
        b_ih, b_hh: ``(H,)`` or None.
        relu: ``max(0, .)`` instead of tanh.
        walk: the way through the rows.
    Returns:
        The states of all rows ``(total, H)``, and the last ones ``(N, H)``.
    """
    out = _affine(x, w_ih, b_ih, b_hh)
    states = _States(h0)
    w = w_hh.T
    for rows in walk.rows:
        z, h = out[rows], states.of(rows)
        z += h.dot(w)
        h[...] = np.maximum(z, 0, out=z) if relu else np.tanh(z, z)
    return out, states.all


def rnn_grad(g: Array, g_last: Array, h0: Array, w_hh: Array, out: Array, relu: bool, walk: Walk) -> Results:
    """Back through ``rnn``, from the gradients of both results.

    Args:
        g: ``(total, H)``.
        g_last: ``(N, H)``.
        h0, w_hh, out, relu, walk: as of ``rnn``.
    Returns:
        The gradients of the affine maps of all rows, ``(total, H)``, and of h0, ``(N, H)``.
    """
    gz = empty(out.shape, out.dtype)
    slopes = (out > 0).astype(out.dtype) if relu else 1 - out * out
    states = _States(g_last)
    for rows in walk.rows[::-1]:
        gh = states.of(rows)
        gz[rows] = (gh + g[rows]) * slopes[rows]
        gh[...] = gz[rows].dot(w_hh)
    return gz, states.all


# ---------------------------------------------------------------------- long short-term memory


def _halves(width: int, dtype: Any) -> tuple[Array, Array]:
    """Factors and shifts that make sigmoids of tanh, for i, f and o."""
    half, shift = np.full(4 * width, 0.5, dtype), np.full(4 * width, 0.5, dtype)
    half[2 * width : 3 * width] = 1
    shift[2 * width : 3 * width] = 0
    return half, shift


def _columns(x: Array, count: int) -> list[Array]:
    """``(rows, count n)`` in equal parts."""
    n = x.shape[1] // count
    return [x[:, k * n : (k + 1) * n] for k in range(count)]


def lstm(
    x: Array, h0: Array, c0: Array, w_ih: Array, w_hh: Array, b_ih: Array | None, b_hh: Array | None,
    w_hr: Array | None, walk: Walk,
) -> Results:  # fmt: skip
    """Gates i, f, g, o from the input and the state before, ``c = f c' + i g``, ``h = o tanh(c)``.

    ``i, f, o = sigmoid(w_ih x + b_ih + w_hh h' + b_hh)``, g the same with tanh; with w_hr the state is
    ``w_hr (o tanh(c))``. Sigmoids are computed as ``(1 + tanh(z / 2)) / 2``, right to the roundoff of 1, so
    that one call serves all gates.

    Args:
        x: ``(total, I)``, float.
        h0, c0: ``(N, P)``, ``(N, H)``.
        w_ih, w_hh: ``(4 H, I)``, ``(4 H, P)``.
        b_ih, b_hh: ``(4 H,)`` or None.
        w_hr: ``(P, H)`` or None (P = H).
        walk: the way through the rows.
    Returns:
        h of all rows ``(total, P)``, the last h ``(N, P)`` and c ``(N, H)``, and what backward reads: gates
        ``(total, 4 H)`` and cells ``(total, H)``.
    """
    width = c0.shape[1]
    half, shift = _halves(width, x.dtype)
    biases = [None if b is None else b * half for b in (b_ih, b_hh)]
    gates = _affine(x, w_ih * half[:, None], *biases)
    w = (w_hh * half[:, None]).T
    cells, out = empty((x.shape[0], width), x.dtype), empty((x.shape[0], h0.shape[1]), x.dtype)
    states, memory = _States(h0), _States(c0)
    for rows in walk.rows:
        z, h, c = gates[rows], states.of(rows), memory.of(rows)
        z += h.dot(w)
        np.tanh(z, z)
        z *= half
        z += shift
        i, f, new, o = _columns(z, 4)
        c *= f
        c += i * new
        cells[rows] = c
        top = np.tanh(c)
        top *= o
        out[rows] = h[...] = top if w_hr is None else top.dot(w_hr.T)
    return out, states.all, memory.all, gates, cells


def lstm_grad(
    g: Array, g_h: Array, g_c: Array, h0: Array, c0: Array, w_hh: Array, w_hr: Array | None, out: Array,
    gates: Array, cells: Array, walk: Walk,
) -> Results:  # fmt: skip
    """Back through ``lstm``, from the gradients of its three results.

    Args:
        g: ``(total, P)``.
        g_h, g_c: ``(N, P)``, ``(N, H)``.
        h0, c0, w_hh, w_hr, out, gates, cells, walk: as of ``lstm``.
    Returns:
        The gradients of the affine maps of all rows ``(total, 4 H)``, of all h as they arrive ``(total, P)``
        (g itself without w_hr, when nobody asks for them), of h0 and of c0.
    """
    gz = empty(gates.shape, gates.dtype)
    arrived = g if w_hr is None else empty(g.shape, g.dtype)
    before = np.concatenate((c0, cells))[walk.before]
    states, memory = _States(g_h), _States(g_c)
    for rows in walk.rows[::-1]:
        i, f, new, o = _columns(gates[rows], 4)
        top, gh, gc = np.tanh(cells[rows]), states.of(rows), memory.of(rows)
        gm = gh + g[rows]
        if w_hr is not None:
            arrived[rows] = gm
            gm = gm.dot(w_hr)
        gc += gm * (o * (1 - top * top))
        gi, gf, gn, go = _columns(gz[rows], 4)
        gi[...] = gc * (i * (1 - i) * new)
        gf[...] = gc * (f * (1 - f) * before[rows])
        gn[...] = gc * (i * (1 - new * new))
        go[...] = gm * (o * (1 - o) * top)
        gc *= f
        gh[...] = gz[rows].dot(w_hh)
    return gz, arrived, states.all, memory.all


# ---------------------------------------------------------------------- gated recurrent units


def gru(
    x: Array, h0: Array, w_ih: Array, w_hh: Array, b_ih: Array | None, b_hh: Array | None, walk: Walk
) -> Results:
    """Reset r and update z from the input and the state before, new n between: ``h = (1 - z) n + z h'``.

    ``r, z = sigmoid(w_ih x + b_ih + w_hh h' + b_hh)``, ``n = tanh(w_in x + b_in + r (w_hn h' + b_hn))``.

    Args:
        x: ``(total, I)``, float.
        h0: ``(N, H)``.
        w_ih, w_hh: ``(3 H, I)``, ``(3 H, H)``.
        b_ih, b_hh: ``(3 H,)`` or None.
        walk: the way through the rows.
    Returns:
        The states of all rows ``(total, H)`` and the last ones ``(N, H)``, and what backward reads: gates
        ``(total, 3 H)`` and ``w_hn h' + b_hn`` of all rows ``(total, H)``.
    """
    width = h0.shape[1]
    both = 2 * width
    gates = _affine(x, w_ih, b_ih)
    inner, out = empty((x.shape[0], width), x.dtype), empty((x.shape[0], width), x.dtype)
    states = _States(h0)
    w = w_hh.T
    for rows in walk.rows:
        z, h = gates[rows], states.of(rows)
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
        h -= new  # n + z (h' - n)
        h *= z[:, width:both]
        h += new
        out[rows] = h
    return out, states.all, gates, inner


def gru_grad(
    g: Array, g_last: Array, h0: Array, w_hh: Array, out: Array, gates: Array, inner: Array, walk: Walk
) -> Results:
    """Back through ``gru``, from the gradients of its two results.

    Args:
        g: ``(total, H)``.
        g_last: ``(N, H)``.
        h0, w_hh, out, gates, inner, walk: as of ``gru``.
    Returns:
        The gradients of the affine maps of all rows, of the input and of the state, each ``(total, 3 H)``,
        and of h0.
    """
    of_input, of_state = empty(gates.shape, gates.dtype), empty(gates.shape, gates.dtype)
    before = np.concatenate((h0, out))[walk.before]
    states = _States(g_last)
    for rows in walk.rows[::-1]:
        reset, update, new = _columns(gates[rows], 3)
        own = states.of(rows)
        gh, rest = own + g[rows], 1 - update
        gr, gu, gn = _columns(of_input[rows], 3)
        along = rest * (1 - new * new)
        gr[...] = gh * (along * inner[rows] * reset * (1 - reset))
        gu[...] = gh * ((before[rows] - new) * update * rest)
        gn[...] = gh * along
        of_state[rows] = of_input[rows]
        _columns(of_state[rows], 3)[2][...] *= reset
        own[...] = of_state[rows].dot(w_hh) + gh * update
    return of_input, of_state, states.all


# ---------------------------------------------------------------------- products over all steps


def row_products(g: Array, w: Array) -> Array:
    """``g w`` of ``(total, G)`` and ``(G, I)``: the gradient of the input of an affine map of all rows."""
    out: Array = g @ w
    return out


def weight_grads(g: Array, x: Array, first: Array | None = None, before: Array | None = None) -> Results:
    """The gradients of the weights and the bias of an affine map of all rows.

    Args:
        g: the gradient of its results, ``(total, G)``.
        x: ``(total, I)``; with ``first`` ``(N, I)`` and ``before`` ``(total,)``, row k of the map's input is
            row ``before[k]`` of (first, x).
    Returns:
        ``(G, I)`` and ``(G,)``.
    """
    if first is not None and before is not None:
        x = np.concatenate((first, x))[before]
    return g.T.dot(x), np.add.reduce(g, 0)
