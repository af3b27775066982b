"""Einstein summation: products of arrays summed over the labels that the result does not have.

The pullback of an einsum is an einsum: to find the gradient of one operand, put g in its place and
let its labels be the result.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import errors
from ..dtypes import Array
from .formula import Value, broadcast_to, call, conj, permute, reshape
from .op import Bilinear, Linear

Labels = tuple[int, ...]


class Contract(Bilinear):
    """The product of a and b, axes labelled by the ints of ``la`` and ``lb``, summed over what ``out`` lacks.

    A label has one size everywhere. Repeated within one operand it takes the diagonal. ``out`` has
    each label at most once. The work is done by one (batched) ``matmul``.
    """

    backward_name = "ViewBackward0"
    saves = ("a", "b", "la", "lb", "lo", "sa", "sb")

    @staticmethod
    def forward(a: Array, b: Array, la: Labels, lb: Labels, lo: Labels) -> tuple[Array, tuple[Any, ...]]:
        return contract(a, b, la, lb, lo), (a, b, la, lb, lo, a.shape, b.shape)

    @staticmethod
    def vjp_a(
        g: Value, _a: Value, b: Value, la: Labels, lb: Labels, lo: Labels, sa: tuple[int, ...], _sb: Any
    ) -> Value:
        return _pulled(g, b, la, lb, lo, sa)

    @staticmethod
    def vjp_b(
        g: Value, a: Value, _b: Value, la: Labels, lb: Labels, lo: Labels, _sa: Any, sb: tuple[int, ...]
    ) -> Value:
        return _pulled(g, a, lb, la, lo, sb)


def _pulled(g: Value, other: Value, own: Labels, its: Labels, lo: Labels, shape: tuple[int, ...]) -> Value:
    """The gradient of the operand whose axes are ``own``; ``its`` are the labels of the other one."""
    found = tuple([i for i in dict.fromkeys(own) if i in lo or i in its])
    return _restored(call(Contract, g, conj(other), lo, its, found), found, own, shape)


def _restored(g: Value, found: Labels, own: Labels, shape: tuple[int, ...]) -> Value:
    """g with axes ``found`` back in an operand's form: summed labels repeated, diagonals put in place."""
    unique = tuple(dict.fromkeys(own))
    if len(found) < len(unique):
        sizes = dict(zip(own, shape, strict=True))
        g = reshape(g, tuple([sizes[i] if i in found else 1 for i in unique]))
        g = broadcast_to(g, tuple([sizes[i] for i in unique]))
    return call(PutDiagonal, g, own) if len(unique) < len(own) else g


class Arrange(Linear):
    """One operand of an einsum: diagonals of repeated labels, sums over what ``lo`` lacks.

    Axes in its order.
    """

    saves = ("own", "lo", "shape")
    batch = {"own": "label", "lo": "label"}
    backward_name = "PermuteBackward0"

    @staticmethod
    def forward(x: Array, own: Labels, lo: Labels) -> tuple[Array, tuple[Any, ...]]:
        out, left = _alone(x, own, set(lo))
        return out.transpose([left.index(i) for i in lo]).copy(), (own, lo, x.shape)

    @staticmethod
    def vjp_x(g: Value, own: Labels, lo: Labels, shape: tuple[int, ...]) -> Value:
        found = tuple([i for i in dict.fromkeys(own) if i in lo])
        return _restored(permute(g, [lo.index(i) for i in found]), found, own, shape)


class ArrangeSum(Arrange):
    """The same where something is summed, under PyTorch's name for it."""

    backward_name = "SumBackward1"


class ContractMul(Contract):
    """A contraction that sums nothing, under PyTorch's name for it."""

    backward_name = "MulBackward0"


class PutDiagonal(Linear):
    """Zeros whose axes have ``labels``, with x on the diagonal of repeated ones (x has each label once)."""

    saves = ("labels",)
    batch = {"labels": "label"}
    exact = True

    @staticmethod
    def forward(x: Array, labels: Labels) -> tuple[Array, tuple[Any, ...]]:
        own = tuple(dict.fromkeys(labels))
        sizes = dict(zip(own, x.shape, strict=True))
        out = np.zeros([sizes[i] for i in labels], x.dtype)
        _diagonal(out, labels, own)[...] = x
        return out, (labels,)

    @staticmethod
    def vjp_x(g: Value, labels: Labels) -> Value:
        return call(TakeDiagonal, g, labels)


class TakeDiagonal(Linear):
    """x whose axes have ``labels``, with repeated ones merged into their diagonal."""

    saves = ("labels",)
    batch = {"labels": "label"}
    exact = True

    @staticmethod
    def forward(x: Array, labels: Labels) -> tuple[Array, tuple[Any, ...]]:
        return _diagonal(x, labels, tuple(dict.fromkeys(labels))).copy(), (labels,)

    @staticmethod
    def vjp_x(g: Value, labels: Labels) -> Value:
        return call(PutDiagonal, g, labels)


def _diagonal(x: Array, labels: Labels, own: Labels) -> Array:
    """A view of x with each label once, its strides summed."""
    strides = [sum([s for s, i in zip(x.strides, labels, strict=True) if i == label]) for label in own]
    shape = [x.shape[labels.index(label)] for label in own]
    return np.lib.stride_tricks.as_strided(x, shape, strides)


def _alone(x: Array, own: Labels, wanted: set[int]) -> tuple[Array, Labels]:
    """One operand with diagonals taken and labels that nobody else wants summed."""
    unique = tuple(dict.fromkeys(own))
    if len(unique) < len(own):
        x = _diagonal(x, own, unique)
    lone = tuple([k for k, i in enumerate(unique) if i not in wanted])
    if lone:
        x = np.asarray(np.add.reduce(x, lone))
    return x, tuple([i for i in unique if i in wanted])


def contract(x: Array, y: Array, lx: Labels, ly: Labels, lo: Labels) -> Array:
    """The contraction itself, on arrays: bring both to (batch, rows, columns) and multiply matrices."""
    wanted = set(lo)
    x, lx = _alone(x, lx, wanted | set(ly))
    y, ly = _alone(y, ly, wanted | set(lx))
    sizes = dict(zip((*lx, *ly), (*x.shape, *y.shape), strict=True))
    batch = [i for i in lx if i in ly and i in wanted]
    gone = [i for i in lx if i in ly and i not in wanted]
    free_x = [i for i in lx if i not in ly]
    free_y = [i for i in ly if i not in lx]
    lead, m, k, n = [[sizes[i] for i in part] for part in (batch, free_x, gone, free_y)]
    x = x.transpose([lx.index(i) for i in (*batch, *free_x, *gone)])
    y = y.transpose([ly.index(i) for i in (*batch, *gone, *free_y)])
    if gone:
        x = x.reshape((*lead, math.prod(m), math.prod(k)))
        y = y.reshape((*lead, math.prod(k), math.prod(n)))
        out = np.matmul(x, y).reshape((*lead, *m, *n))
    else:  # nothing is summed: a product with broadcasting
        out = x.reshape((*lead, *m, *[1] * len(n))) * y.reshape((*lead, *[1] * len(m), *n))
    made = [*batch, *free_x, *free_y]
    return np.ascontiguousarray(out.transpose([made.index(i) for i in lo])).reshape([sizes[i] for i in lo])


def plan(shapes: list[tuple[int, ...]], labels: list[Labels], out: Labels) -> list[tuple[int, ...]]:
    """Which two operands to contract at each step; a result goes to the end of the list.

    opt_einsum's order where that is installed, else from left to right.
    """
    if len(shapes) > 2 and errors.has("opt_einsum"):
        planner = errors.optional("opt_einsum", extra="matrix")
        pairs = [part for pair in zip(shapes, labels, strict=True) for part in pair]
        path = planner.contract_path(*pairs, out, shapes=True)[0]
        if all([len(step) == 2 for step in path]):
            return [tuple(step) for step in path]
    first: list[tuple[int, ...]] = [(0, 1)] if len(shapes) > 1 else []
    return first + [(len(shapes) - k, 0) for k in range(2, len(shapes))]
