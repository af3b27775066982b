"""Connectionist temporal classification: minus the log-probability of a labelling, over all alignments.

The labels are read with a blank between any two and at both ends, ``S = 2 U + 1`` states. From state s an
alignment stays, moves on to s + 1, or skips the blank between two different labels. All is done in
logarithms, for all sequences of the batch at once. Source: Graves et al. 2006, ICML, sections 4.1 and 4.2.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..dtypes import Array
from . import elementwise as ew
from . import formula
from .formula import Value, call, call_many, reshape, where
from .op import Op
from .reduce import Gather, ScatterSum
from .shape import Cat, Stack

#: the logarithm of nothing: finite, so that no difference of two is nan
_NEVER = -1e30
_INFINITE = 1e29


class Labels(NamedTuple):
    """What is constant: N labellings with blanks, in S states.

    labels: ``(N, S)`` classes; skip: ``(N, S)``, whether s may follow s - 2; skip_back: the same seen from
    the
    last state; first, last: ``(N, S)``, states an alignment may begin and end in; steps: ``(N,)`` lengths of
    the
    inputs; zero_infinity: whether a labelling that has no alignment has gradient 0 (else nan).
    """

    labels: Array
    skip: Array
    skip_back: Array
    first: Array
    last: Array
    steps: Array
    zero_infinity: bool


def read_labels(targets: Array, lengths: Array, steps: Array, blank: int, zero_infinity: bool) -> Labels:
    """The states of ``(N, U)`` targets of which ``lengths`` count."""
    n, width = targets.shape
    states = 2 * width + 1
    labels = np.full((n, states), blank, np.int64)
    labels[:, 1::2] = np.where(np.arange(width) < lengths[:, None], targets, blank)
    skip = np.zeros((n, states), bool)
    skip[:, 2:] = (labels[:, 2:] != blank) & (labels[:, 2:] != labels[:, :-2])
    back = np.zeros((n, states), bool)
    back[:, 2:] = skip[:, :1:-1]
    place, end = np.arange(states), 2 * lengths[:, None]
    first = (place == 0) | ((place == 1) & (end > 0))
    last = (place == end) | (place == end - 1)
    return Labels(labels, skip, back, first, last, steps, zero_infinity)


class CtcLoss(Op):
    """``-log p(labels | lp)`` of each sequence, ``(N,)``, inf if there is no alignment; lp is ``(T, N, C)``.

    The gradient is that of ``log_softmax`` together with the loss: ``exp(lp)`` less the share of the
    alignments
    that emit the class, as PyTorch has it. For lp that come from ``log_softmax`` the two agree.
    """

    saves = ("lp", "alpha", "nll", "plan")

    @staticmethod
    def forward(lp: Array, plan: Labels) -> tuple[Array, tuple[Any, ...]]:
        alpha = _forward_sums(_emitted(lp, plan), plan)
        nll = _negative(alpha, plan)
        out = np.where(nll > _INFINITE, lp.dtype.type(np.inf), nll)
        return np.where(plan.steps > 0, out, np.where(plan.last[:, 0], 0, out)).astype(lp.dtype), (
            lp, alpha, nll, plan,
        )  # fmt: skip

    @staticmethod
    def relift(lp: Value, _alpha: Value, _nll: Value, plan: Labels) -> tuple[Any, ...]:
        """Sums again from a recorded lp, so that second derivatives see them move."""
        alpha = _forward_sums(_emitted(lp, plan), plan)
        return lp, alpha, _negative(alpha, plan), plan

    @staticmethod
    def vjp_lp(g: Value, lp: Value, alpha: Value, nll: Value, plan: Labels) -> Value:
        return reshape(g, (1, lp.shape[1], 1)) * _surplus(lp, alpha, nll, plan)

    @staticmethod
    def jvp_lp(d: Value, lp: Value, alpha: Value, nll: Value, plan: Labels) -> Value:
        return formula.sum(d * _surplus(lp, alpha, nll, plan), (0, 2))


def _emitted(lp: Value, plan: Labels) -> Value:
    """``(T, N, S)``: what each state emits at each step."""
    states = np.broadcast_to(plan.labels, (lp.shape[0], *plan.labels.shape))
    x = call(Gather, lp, states, 2)
    return where(x > _NEVER, x, _NEVER)


def _forward_sums(x: Value, plan: Labels) -> Value:
    """``(T, N, S)``: the log-probability of all beginnings that are in state s at step t."""
    steps = [where(plan.first, x[0], _NEVER)]
    for t in range(1, x.shape[0]):
        steps.append(_moved(steps[-1], plan.skip) + x[t])
    return call_many(Stack, steps, 0)


def _backward_sums(x: Value, plan: Labels) -> Value:
    """``(T, N, S)``: the log-probability of all endings after step t from state s."""
    x = x[:, :, ::-1]
    end = np.where(plan.last[:, ::-1], 0.0, _NEVER).astype(x.dtype)
    later: Value = end
    steps = [later]
    for t in reversed(range(x.shape[0] - 1)):
        later = where((plan.steps == t + 1)[:, None], end, _moved(later + x[t + 1], plan.skip_back))
        steps.append(later)
    return call_many(Stack, steps[::-1], 0)[:, :, ::-1]


def _moved(a: Value, skip: Array) -> Value:
    """From each state to itself, the next, and the one after where that may be skipped to."""
    edge = np.full((a.shape[0], 2), _NEVER, a.dtype)
    wide = call_many(Cat, (edge, a), 1)
    return _log_sum(a, wide[:, 1:-1], where(skip, wide[:, :-2], _NEVER))


def _log_sum(a: Value, b: Value, c: Value) -> Value:
    top = where(a > b, a, b)
    top = where(top > c, top, c)
    return top + call(ew.Log, call(ew.Exp, a - top) + call(ew.Exp, b - top) + call(ew.Exp, c - top))


def _negative(alpha: Value, plan: Labels) -> Value:
    """``(N,)``: minus the log-probability of all alignments, a huge number where there is none."""
    n = np.arange(len(plan.steps))
    states = plan.last.shape[1]
    end = states - 1 - np.argmax(plan.last[:, ::-1], 1)
    at = np.maximum(plan.steps - 1, 0)
    whole = alpha[at, n, end]
    short = where(end > 0, alpha[at, n, np.maximum(end - 1, 0)], _NEVER)
    none = np.full(len(n), _NEVER, alpha.dtype)
    return where(plan.steps > 0, -_log_sum(whole, short, none), -_NEVER)


def _surplus(lp: Value, alpha: Value, nll: Value, plan: Labels) -> Value:
    """``(T, N, C)``: the probability of a class less the share of alignments that emit it."""
    steps, n, classes = lp.shape
    x = _emitted(lp, plan)
    possible = nll < _INFINITE
    total = where(possible[:, None], alpha + _backward_sums(x, plan) + reshape(nll, (n, 1)), _NEVER)
    states = np.broadcast_to(plan.labels, x.shape)
    share = call(ScatterSum, call(ew.Exp, total), states, 2, (steps, n, classes))
    inside = (np.arange(steps)[:, None] < plan.steps)[:, :, None]
    out = where(inside, call(ew.Exp, lp) - share, 0.0)
    wrong = inside & ~possible[None, :, None]
    return where(wrong, 0.0 if plan.zero_infinity else np.nan, out)


__all__ = ["CtcLoss", "Labels", "read_labels"]
