"""Matrix products. NumPy's ``matmul`` (and through it the BLAS) does all the arithmetic.

Pullbacks hand transposed views to ``matmul``, which needs no copy of them. Where one side of a batch
is a single matrix, the batch is folded into the rows of one large product.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..dtypes import F32, F64, Array
from ..kernels import products, table
from . import formula
from .formula import (
    Value,
    call,
    conj,
    product_of_transposed,
    product_with_transposed,
    reshape,
    swap_last,
)
from .op import Bilinear, Linear, Op


def rows(x: Value) -> Value:
    """x (..., k) as one matrix (all the rest, k)."""
    if len(x.shape) == 2:
        return x
    return reshape(x, (math.prod(x.shape[:-1]), x.shape[-1]))


class MatMul(Bilinear):
    """Batches of matrices: a (..., m, k) times b (..., k, n), both of 2 or more axes, batches broadcast."""

    saves = ("a", "b", "folded")
    backward_name = "UnsafeViewBackward0"

    @staticmethod
    def forward(a: Array, b: Array) -> tuple[Array, tuple[Any, ...]]:
        if b.ndim == 2 and a.ndim > 2 and a.flags.c_contiguous:
            return _product(rows(a), b).reshape((*a.shape[:-1], b.shape[1])), (a, b, True)
        return np.matmul(a, b), (a, b, b.ndim == 2)

    @staticmethod
    def vjp_a(g: Value, _a: Value, b: Value, _folded: bool) -> Value:
        return call(MatMul, g, swap_last(conj(b))) if len(b.shape) > 2 else _times(g, swap_last(conj(b)))

    @staticmethod
    def vjp_b(g: Value, a: Value, _b: Value, folded: bool) -> Value:
        if folded:
            return swap_last(rows(conj(a))) @ rows(g)
        return swap_last(conj(a)) @ g


def _product(a: Array, b: Array) -> Array:
    """The product of two matrices of any dtype."""
    dtype = a.dtype
    if (dtype is F32 or dtype is F64) and b.dtype is dtype:
        return formula.product(a, b)
    return np.matmul(a, b)


def _times(g: Value, b: Value) -> Value:
    """g (..., m, n) times one matrix, through one product."""
    if len(g.shape) == 2:
        return g @ b
    return reshape(rows(g) @ b, (*g.shape[:-1], b.shape[1]))


class Bmm(MatMul):
    """The same for two batches of one size, under PyTorch's name for it."""

    backward_name = "BmmBackward0"


class Mm(MatMul):
    """One matrix (m, k) times another (k, n)."""

    backward_name = "MmBackward0"

    @staticmethod
    def forward(a: Array, b: Array) -> tuple[Array, tuple[Any, ...]]:
        return _product(a, b), (a, b, False)

    @staticmethod
    def vjp_a(g: Value, _a: Value, b: Value, _folded: bool) -> Value:
        return product_with_transposed(g, b)

    @staticmethod
    def vjp_b(g: Value, a: Value, _b: Value, _folded: bool) -> Value:
        return product_of_transposed(a, g)


class Mv(Bilinear):
    """A matrix (m, k), or a batch of them, times a vector (k)."""

    saves = ("a", "b")

    @staticmethod
    def forward(a: Array, b: Array) -> tuple[Array, tuple[Any, ...]]:
        return np.matmul(a, b), (a, b)

    @staticmethod
    def vjp_a(g: Value, _a: Value, b: Value) -> Value:
        return reshape(g, (*g.shape, 1)) * conj(b)

    @staticmethod
    def vjp_b(g: Value, a: Value, _b: Value) -> Value:
        column = reshape(g, (math.prod(g.shape), 1))
        return reshape(swap_last(rows(conj(a))) @ column, (a.shape[-1],))


class BatchedMv(Mv):
    """A batch of matrices times a vector: the same, under PyTorch's name for it."""

    backward_name = "UnsafeViewBackward0"


class Vm(Bilinear):
    """A vector (k) times a matrix (k, n)."""

    saves = ("a", "b")
    backward_name = "SqueezeBackward4"

    @staticmethod
    def forward(a: Array, b: Array) -> tuple[Array, tuple[Any, ...]]:
        return np.matmul(a, b), (a, b)

    @staticmethod
    def vjp_a(g: Value, _a: Value, b: Value) -> Value:
        return reshape(conj(b) @ reshape(g, (*g.shape, 1)), b.shape[:-1])

    @staticmethod
    def vjp_b(g: Value, a: Value, _b: Value) -> Value:
        return reshape(conj(a), (a.shape[0], 1)) * reshape(g, (*g.shape[:-1], 1, g.shape[-1]))


class BatchedVm(Vm):
    """A vector times each matrix of a batch: the same, under PyTorch's name for it."""

    backward_name = "UnsafeViewBackward0"


class Dot(Bilinear):
    """The inner product of two vectors (n)."""

    saves = ("a", "b")

    @staticmethod
    def forward(a: Array, b: Array) -> tuple[Array, tuple[Any, ...]]:
        return np.asarray(np.dot(a, b)), (a, b)

    @staticmethod
    def vjp_a(g: Value, _a: Value, b: Value) -> Value:
        return g * conj(b)

    @staticmethod
    def vjp_b(g: Value, a: Value, _b: Value) -> Value:
        return g * conj(a)


class Vdot(Op):
    """The inner product of two vectors (n), the first conjugated."""

    saves = ("a", "b")

    @staticmethod
    def forward(a: Array, b: Array) -> tuple[Array, tuple[Any, ...]]:
        return np.asarray(np.dot(np.conjugate(a), b)), (a, b)

    @staticmethod
    def vjp_a(g: Value, _a: Value, b: Value) -> Value:
        return conj(g) * b

    @staticmethod
    def vjp_b(g: Value, a: Value, _b: Value) -> Value:
        return g * a

    @staticmethod
    def jvp_a(d: Value, _a: Value, b: Value) -> Value:
        return call(Vdot, d, b)

    @staticmethod
    def jvp_b(d: Value, a: Value, _b: Value) -> Value:
        return call(Vdot, a, d)


def _scaled(x: Value, factor: Any) -> Value:
    return x if factor == 1 else x * factor


class AddMm(Op):
    """``beta * x + alpha * (a @ b)`` with a (..., m, k), b (..., k, n) and x broadcast to the result.

    With beta = 0 x is not read, so that its NaN do not come through.
    """

    backward_name = "AddmmBackward0"
    saves = ("a", "b", "beta", "alpha")

    @staticmethod
    def forward(x: Array, a: Array, b: Array, beta: Any, alpha: Any) -> tuple[Array, tuple[Any, ...]]:
        out = _scaled(np.matmul(a, b), alpha)
        if beta != 0:
            out += _scaled(x, beta)
        return out, (a, b, beta, alpha)

    @staticmethod
    def vjp_x(g: Value, _a: Value, _b: Value, beta: Any, _alpha: Any) -> Value:
        return _scaled(g, _conj(beta))

    @staticmethod
    def vjp_a(g: Value, _a: Value, b: Value, _beta: Any, alpha: Any) -> Value:
        return _scaled(g @ swap_last(conj(b)), _conj(alpha))

    @staticmethod
    def vjp_b(g: Value, a: Value, _b: Value, _beta: Any, alpha: Any) -> Value:
        return _scaled(swap_last(conj(a)) @ g, _conj(alpha))

    @staticmethod
    def jvp_x(d: Value, _a: Value, _b: Value, beta: Any, _alpha: Any) -> Value:
        return _scaled(d, beta)

    @staticmethod
    def jvp_a(d: Value, _a: Value, b: Value, _beta: Any, alpha: Any) -> Value:
        return _scaled(d @ b, alpha)

    @staticmethod
    def jvp_b(d: Value, a: Value, _b: Value, _beta: Any, alpha: Any) -> Value:
        return _scaled(a @ d, alpha)


def _conj(number: Any) -> Any:
    return number.conjugate() if isinstance(number, complex) else number


class Baddbmm(AddMm):
    """The same for batches of matrices."""

    backward_name = "BaddbmmBackward0"


class AddBmm(Op):
    """``beta * x + alpha * (sum over the batch of a @ b)`` with a (B, m, k) and b (B, k, n)."""

    backward_name = "AddbmmBackward0"
    saves = ("a", "b", "beta", "alpha")

    @staticmethod
    def forward(x: Array, a: Array, b: Array, beta: Any, alpha: Any) -> tuple[Array, tuple[Any, ...]]:
        out = _scaled(np.add.reduce(np.matmul(a, b), 0, dtype=a.dtype), alpha)
        if beta != 0:
            out = out + _scaled(x, beta)
        return out, (a, b, beta, alpha)

    @staticmethod
    def vjp_x(g: Value, _a: Value, _b: Value, beta: Any, _alpha: Any) -> Value:
        return _scaled(g, _conj(beta))

    @staticmethod
    def vjp_a(g: Value, _a: Value, b: Value, _beta: Any, alpha: Any) -> Value:
        return _scaled(g @ swap_last(conj(b)), _conj(alpha))

    @staticmethod
    def vjp_b(g: Value, a: Value, _b: Value, _beta: Any, alpha: Any) -> Value:
        return _scaled(swap_last(conj(a)) @ g, _conj(alpha))

    @staticmethod
    def jvp_x(d: Value, _a: Value, _b: Value, beta: Any, _alpha: Any) -> Value:
        return _scaled(d, beta)

    @staticmethod
    def jvp_a(d: Value, _a: Value, b: Value, _beta: Any, alpha: Any) -> Value:
        return _scaled(formula.sum(d @ b, 0), alpha)

    @staticmethod
    def jvp_b(d: Value, a: Value, _b: Value, _beta: Any, alpha: Any) -> Value:
        return _scaled(formula.sum(a @ d, 0), alpha)


class AddMv(Op):
    """``beta * x + alpha * (a @ b)`` with a matrix a (m, k) and a vector b (k)."""

    backward_name = "AddmvBackward0"
    saves = ("a", "b", "beta", "alpha")

    @staticmethod
    def forward(x: Array, a: Array, b: Array, beta: Any, alpha: Any) -> tuple[Array, tuple[Any, ...]]:
        out = _scaled(np.matmul(a, b), alpha)
        return out if beta == 0 else out + _scaled(x, beta), (a, b, beta, alpha)

    @staticmethod
    def vjp_x(g: Value, _a: Value, _b: Value, beta: Any, _alpha: Any) -> Value:
        return _scaled(g, _conj(beta))

    @staticmethod
    def vjp_a(g: Value, _a: Value, b: Value, _beta: Any, alpha: Any) -> Value:
        return _scaled(Mv.vjp_a(g, _a, b), _conj(alpha))

    @staticmethod
    def vjp_b(g: Value, a: Value, _b: Value, _beta: Any, alpha: Any) -> Value:
        return _scaled(Mv.vjp_b(g, a, _b), _conj(alpha))

    @staticmethod
    def jvp_x(d: Value, _a: Value, _b: Value, beta: Any, _alpha: Any) -> Value:
        return _scaled(d, beta)

    @staticmethod
    def jvp_a(d: Value, _a: Value, b: Value, _beta: Any, alpha: Any) -> Value:
        return _scaled(call(Mv, d, b), alpha)

    @staticmethod
    def jvp_b(d: Value, a: Value, _b: Value, _beta: Any, alpha: Any) -> Value:
        return _scaled(call(Mv, a, d), alpha)


class Addr(Op):
    """``beta * x + alpha * (a outer b)`` with vectors a (m) and b (n)."""

    saves = ("a", "b", "beta", "alpha")

    @staticmethod
    def forward(x: Array, a: Array, b: Array, beta: Any, alpha: Any) -> tuple[Array, tuple[Any, ...]]:
        out = _scaled(a[:, None] * b, alpha)
        return out if beta == 0 else out + _scaled(x, beta), (a, b, beta, alpha)

    @staticmethod
    def vjp_x(g: Value, _a: Value, _b: Value, beta: Any, _alpha: Any) -> Value:
        return _scaled(g, _conj(beta))

    @staticmethod
    def vjp_a(g: Value, _a: Value, b: Value, _beta: Any, alpha: Any) -> Value:
        return _scaled(call(Mv, g, conj(b)), _conj(alpha))

    @staticmethod
    def vjp_b(g: Value, a: Value, _b: Value, _beta: Any, alpha: Any) -> Value:
        return _scaled(call(Mv, swap_last(g), conj(a)), _conj(alpha))

    @staticmethod
    def jvp_x(d: Value, _a: Value, _b: Value, beta: Any, _alpha: Any) -> Value:
        return _scaled(d, beta)

    @staticmethod
    def jvp_a(d: Value, _a: Value, b: Value, _beta: Any, alpha: Any) -> Value:
        return _scaled(reshape(d, (d.shape[0], 1)) * b, alpha)

    @staticmethod
    def jvp_b(d: Value, a: Value, _b: Value, _beta: Any, alpha: Any) -> Value:
        return _scaled(reshape(a, (a.shape[0], 1)) * d, alpha)


def affine(x: Array, weight: Array, bias: Array | None, activation: str | None = None) -> Array:
    """``x @ weight.T + bias``, and zero for what is negative if ``activation`` is "relu"."""
    columns = weight.shape[0]
    if bias is not None and bias.size != columns:
        bias = np.full(columns, bias)  # one number for all
    if x.ndim == 2 and bias is not None:  # the usual case: the bias costs NumPy another pass
        return table.product(x, weight.T, bias, activation)
    flat = rows(x)
    small = bias is None and activation is None and flat.size * columns < formula.LARGE_PRODUCT
    out = (products if small else table).product(flat, weight.T, bias, activation)
    return out.reshape((*x.shape[:-1], columns))


class Affine(Op):
    """``x @ weight.T + bias``: x (..., in), weight (out, in), bias (out); a fully connected layer.

    The batch is folded into the rows of one product, in both directions.
    """

    backward_name = "AddmmBackward0"
    saves = ("x", "weight")

    @staticmethod
    def forward(bias: Array, x: Array, weight: Array) -> tuple[Array, tuple[Any, ...]]:
        return affine(x, weight, bias), (x, weight)

    @staticmethod
    def vjp_bias(g: Value, _x: Value, _weight: Value) -> Value:
        return g

    @staticmethod
    def vjp_x(g: Value, _x: Value, weight: Value) -> Value:
        return reshape(product_with_transposed(rows(g), swap_last(weight)), (*g.shape[:-1], weight.shape[1]))

    @staticmethod
    def vjp_weight(g: Value, x: Value, _weight: Value) -> Value:
        return product_of_transposed(rows(conj(g)), rows(conj(x)))

    @staticmethod
    def jvp_bias(d: Value, x: Value, _weight: Value) -> Value:
        return formula.broadcast_to(d, (*x.shape[:-1], d.shape[-1]))

    @staticmethod
    def jvp_x(d: Value, _x: Value, weight: Value) -> Value:
        return reshape(rows(d) @ swap_last(weight), (*d.shape[:-1], weight.shape[0]))

    @staticmethod
    def jvp_weight(d: Value, x: Value, _weight: Value) -> Value:
        return reshape(rows(x) @ swap_last(d), (*x.shape[:-1], d.shape[0]))


class AffineFolded(Affine):
    """The same for x of other than 2 dimensions, under PyTorch's name for it."""

    backward_name = "ViewBackward0"


class Trace(Linear):
    """The sum of the diagonal of a matrix (m, n)."""

    saves = ("shape",)

    @staticmethod
    def forward(x: Array) -> tuple[Array, tuple[Any, ...]]:
        return np.asarray(np.trace(x, dtype=x.dtype if x.dtype.kind in "fc" else np.int64)), (x.shape,)

    @staticmethod
    def vjp_x(g: Value, shape: tuple[int, int]) -> Value:
        return reshape(g, (1, 1)) * np.eye(*shape, dtype=bool)


class Cross(Bilinear):
    """The vector product along ``axis``, which has 3 elements; other axes broadcast.

    Its pullbacks are vector products again, by the cyclic symmetry of ``a x b . g``.
    """

    backward_name = "LinalgCrossBackward0"
    saves = ("a", "b", "axis")
    batch = {"axis": "axis"}

    @staticmethod
    def forward(a: Array, b: Array, axis: int) -> tuple[Array, tuple[Any, ...]]:
        u, v = np.moveaxis(a, axis, 0), np.moveaxis(b, axis, 0)
        out = np.stack([u[i - 2] * v[i - 1] - u[i - 1] * v[i - 2] for i in range(3)], axis)
        return out, (a, b, axis)

    @staticmethod
    def vjp_a(g: Value, _a: Value, b: Value, axis: int) -> Value:
        return call(Cross, conj(b), g, axis)

    @staticmethod
    def vjp_b(g: Value, a: Value, _b: Value, axis: int) -> Value:
        return call(Cross, g, conj(a), axis)
