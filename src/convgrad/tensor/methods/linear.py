"""Matrix products as methods."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import DtypeError, ShapeError
from ...ops import matmul as ops
from ...ops.einsum import Contract
from ...ops.formula import LARGE
from ...ops.shape import Clone, UnsafeView
from .base import Methods, dim_index
from .order import scalar_name

_C_NAMES = {
    "float32": "float", "float64": "double", "float16": "c10::Half", "bfloat16": "c10::BFloat16",
    "uint8": "unsigned char", "int8": "signed char", "int16": "short", "int32": "int", "int64": "long int",
    "bool": "bool", "complex64": "c10::complex<float>", "complex128": "c10::complex<double>",
}  # fmt: skip


class LinearMethods(Methods):
    """``@`` and its kin. No product promotes: both operands must have one dtype, as in PyTorch."""

    __slots__ = ()

    def matmul(self, other: Any) -> Any:
        """The matrix product in all of NumPy's broadcasting forms: dot, mv, mm, bmm, batches broadcast.

        Raises:
            ShapeError: the inner sizes differ, or one operand is 0-d.
            DtypeError: the dtypes differ.
        """
        if not hasattr(other, "_data"):
            raise TypeError(
                f"matmul(): argument 'other' (position 2) must be Tensor, not {type(other).__name__}"
            )
        a, b = self._data, other._data
        na, nb = a.ndim, b.ndim
        if na == 2 and nb == 2:
            if a.dtype is not b.dtype or a.shape[1] != b.shape[0] or a.dtype.kind == "b":
                check_product(a, b)
            return self._apply(ops.Mm, (self, other))
        if not na or not nb:
            raise ShapeError(f"both arguments to matmul need to be at least 1D, but they are {na}D and {nb}D")
        if nb == 1:
            if na == 1:
                return self.dot(other)
            check_vector(a, b)
            return self._apply(ops.Mv if na == 2 else ops.BatchedMv, (self, other))
        if na == 1:
            check_product(a, b)
            return self._apply(ops.Vm if nb == 2 else ops.BatchedVm, (self, other))
        check_product(a, b)
        return self._apply(ops.MatMul, (self, other))

    def __matmul__(self, other: Any) -> Any:
        return self.matmul(other) if hasattr(other, "_data") else NotImplemented

    def __rmatmul__(self, other: Any) -> Any:
        return other.matmul(self) if hasattr(other, "_data") else NotImplemented

    def mm(self, mat2: Any) -> Any:
        """The product of two matrices (m, k) and (k, n)."""
        for name, x in (("self", self), ("mat2", mat2)):
            if x._data.ndim != 2:
                raise ShapeError(f"{name} must be a matrix, but got shape {list(x._data.shape)}")
        check_product(self._data, mat2._data)
        return self._apply(ops.Mm, (self, mat2))

    def bmm(self, mat2: Any) -> Any:
        """The products of two batches of matrices (B, m, k) and (B, k, n)."""
        check_batches(self._data, mat2._data)
        return self._apply(ops.Bmm, (self, mat2))

    def mv(self, vec: Any) -> Any:
        """The product of a matrix (m, k) and a vector (k)."""
        check_matrix_vector(self._data, vec._data, self._data.shape[:1])
        return self._apply(ops.Mv, (self, vec))

    def dot(self, tensor: Any) -> Any:
        """The inner product of two vectors (n)."""
        check_dot(self._data, tensor._data, "dot")
        return self._apply(ops.Dot, (self, tensor))

    def vdot(self, other: Any) -> Any:
        """The inner product of two vectors (n), the first conjugated."""
        check_dot(self._data, other._data, "vdot")
        return self._apply(ops.Vdot, (self, other))

    def outer(self, vec2: Any) -> Any:
        """All products of an element of this vector (m) and one of ``vec2`` (n): (m, n)."""
        for name, x in (("self", self), ("vec2", vec2)):
            if x._data.ndim != 1:
                raise ShapeError(f"outer: Expected 1-D argument {name}, but got {x._data.ndim}-D")
        column: Any = self
        m, n = self._data.size, vec2._data.size
        if m * n >= LARGE and self._node is None and vec2._node is None:
            # where both are repeated NumPy computes, on one thread
            return vec2.expand(m, n).contiguous() * column.reshape(-1, 1)
        return column.reshape(-1, 1) * vec2

    def ger(self, vec2: Any) -> Any:
        """``outer`` under its old name."""
        return self.outer(vec2)

    def addmm(self, mat1: Any, mat2: Any, *, beta: Any = 1, alpha: Any = 1) -> Any:
        """``beta * self + alpha * (mat1 @ mat2)``; with beta = 0 self is not read."""
        _check_addmm(self._data, mat1._data, mat2._data)
        return self._apply(ops.AddMm, (self, mat1, mat2), _factors(self, beta, alpha))

    def addmm_(self, mat1: Any, mat2: Any, *, beta: Any = 1, alpha: Any = 1) -> Any:
        """``addmm`` in place."""
        _check_addmm(self._data, mat1._data, mat2._data)
        return self._inplace("addmm_", ops.AddMm, (mat1, mat2), _factors(self, beta, alpha))

    def addmv(self, mat: Any, vec: Any, *, beta: Any = 1, alpha: Any = 1) -> Any:
        """``beta * self + alpha * (mat @ vec)``."""
        check_matrix_vector(mat._data, vec._data, self._data.shape, self._data)
        return self._apply(ops.AddMv, (self, mat, vec), _factors(self, beta, alpha))

    def addmv_(self, mat: Any, vec: Any, *, beta: Any = 1, alpha: Any = 1) -> Any:
        """``addmv`` in place."""
        check_matrix_vector(mat._data, vec._data, self._data.shape, self._data)
        return self._inplace("addmv_", ops.AddMv, (mat, vec), _factors(self, beta, alpha))

    def addbmm(self, batch1: Any, batch2: Any, *, beta: Any = 1, alpha: Any = 1) -> Any:
        """``beta * self + alpha * (batch1 @ batch2 summed over the batch)``."""
        a, b = batch1._data, batch2._data
        check_batches(a, b)
        _check_addend(self._data, b)
        check_expands(self._data, (a.shape[1], b.shape[2]))
        return self._apply(ops.AddBmm, (self, batch1, batch2), _factors(self, beta, alpha))

    def addbmm_(self, batch1: Any, batch2: Any, *, beta: Any = 1, alpha: Any = 1) -> Any:
        """``addbmm`` in place."""
        check_batches(batch1._data, batch2._data)
        return self._inplace("addbmm_", ops.AddBmm, (batch1, batch2), _factors(self, beta, alpha))

    def baddbmm(self, batch1: Any, batch2: Any, *, beta: Any = 1, alpha: Any = 1) -> Any:
        """``beta * self + alpha * (batch1 @ batch2)``, batch by batch."""
        a, b = batch1._data, batch2._data
        check_batches(a, b)
        _check_addend(self._data, b)
        check_expands(self._data, (*a.shape[:2], b.shape[2]))
        return self._apply(ops.Baddbmm, (self, batch1, batch2), _factors(self, beta, alpha))

    def baddbmm_(self, batch1: Any, batch2: Any, *, beta: Any = 1, alpha: Any = 1) -> Any:
        """``baddbmm`` in place."""
        check_batches(batch1._data, batch2._data)
        return self._inplace("baddbmm_", ops.Baddbmm, (batch1, batch2), _factors(self, beta, alpha))

    def addr(self, vec1: Any, vec2: Any, *, beta: Any = 1, alpha: Any = 1) -> Any:
        """``beta * self + alpha * (vec1 outer vec2)``."""
        for name, x in (("vec1", vec1), ("vec2", vec2)):
            if x._data.ndim != 1:
                raise ShapeError(f"addr: Expected 1-D argument {name}, but got {x._data.ndim}-D")
        check_expands(self._data, (*vec1._data.shape, *vec2._data.shape))
        return self._apply(ops.Addr, (self, vec1, vec2), _factors(self, beta, alpha))

    def addr_(self, vec1: Any, vec2: Any, *, beta: Any = 1, alpha: Any = 1) -> Any:
        """``addr`` in place."""
        return self._inplace("addr_", ops.Addr, (vec1, vec2), _factors(self, beta, alpha))

    def inner(self, other: Any) -> Any:
        """The sum of products over the last dimension of both.

        (..., k) and (..., k) give all pairs of the rest.
        """
        a, b = self._data, other._data
        if not a.ndim or not b.ndim:
            return self * other
        if a.shape[-1] != b.shape[-1]:
            raise ShapeError(
                "inner() the last dimension must match on both input tensors but got shapes "
                f"{list(a.shape)} and {list(b.shape)}"
            )
        same_dtype(a, b)
        _no_bool(a, "inner")
        last = a.ndim + b.ndim
        left, right = tuple(range(a.ndim - 1)), tuple(range(a.ndim - 1, a.ndim + b.ndim - 2))
        return self._apply(Contract, (self, other), ((*left, last), (*right, last), left + right))

    def kron(self, other: Any) -> Any:
        """The Kronecker product: each element of self times the whole of other, laid out as blocks."""
        a, b = self._data.shape, other._data.shape
        rank = max(len(a), len(b))
        a, b = (1,) * (rank - len(a)) + a, (1,) * (rank - len(b)) + b
        spread: Any = self
        x = spread.reshape([n for pair in zip(a, (1,) * rank, strict=True) for n in pair])
        y = other.reshape([n for pair in zip((1,) * rank, b, strict=True) for n in pair])
        return self._apply(UnsafeView, (x * y,), (tuple([m * n for m, n in zip(a, b, strict=True)]),))

    def trace(self) -> Any:
        """The sum of the diagonal of a matrix; integers sum in int64."""
        if self._data.ndim != 2:
            raise ShapeError(f"trace: expected a matrix, but got tensor with dim {self._data.ndim}")
        if self._data.dtype.kind == "b":
            raise NotImplementedError("\"trace\" not implemented for 'Bool'")
        return self._apply(ops.Trace, (self,))

    def cross(self, other: Any, dim: Any = None) -> Any:
        """The vector product along ``dim``, which has 3 elements (None: the first dimension that has)."""
        a, b = self._data, other._data
        if a.ndim != b.ndim:
            raise ShapeError(
                "linalg.cross: inputs must have the same number of dimensions, but got shapes "
                f"{list(a.shape)} and "
                f"{list(b.shape)}."
            )
        if dim is None:
            dim = next((i for i, n in enumerate(a.shape) if n == 3), -1)
        axis = dim_index(dim, a.ndim)
        if not a.ndim or a.shape[axis] != 3 or b.shape[axis] != 3:
            raise ShapeError(
                f"linalg.cross: inputs dimension {dim} must have length 3. Got "
                f"{a.shape[axis] if a.ndim else 1} and "
                f"{b.shape[axis] if b.ndim else 1} (shapes {list(a.shape)} and {list(b.shape)})"
            )
        same_scalar_type(a, b)
        return self._apply(ops.Cross, (self, other), (axis,))

    def matrix_power(self, n: int) -> Any:
        """The n-th power of a square matrix or a batch of them; by squaring, negative through the inverse."""
        shape = self._data.shape
        if len(shape) < 2:
            raise ShapeError(
                "linalg.matrix_power: The input tensor A must have at least 2 dimensions, but got shape "
                f"{list(shape)}."
            )
        if shape[-1] != shape[-2]:
            raise ShapeError(
                f"linalg.matrix_power: A must be batches of square matrices, but they are {shape[-2]} by "
                f"{shape[-1]} "
                "matrices"
            )
        base: Any = self
        if n == 0:
            return base.clone().copy_(self._wrap(np.eye(shape[-1], dtype=self._data.dtype)))
        if n < 0:
            base, n = base.inverse(), -n
        if n == 1:
            return self._apply(Clone, (base,))
        out: Any = None
        while True:
            if n & 1:
                out = base if out is None else out.matmul(base)
            n >>= 1
            if not n:
                return out
            base = base.matmul(base)


# ---------------------------------------------------------------------------------------------------
# Checks. Messages have the words that PyTorch users search for.
# ---------------------------------------------------------------------------------------------------


def _factors(x: Any, beta: Any, alpha: Any) -> tuple[Any, Any]:
    """beta and alpha as numbers; of integers and bool they are of that kind, as in PyTorch."""
    if x._data.dtype.kind in "iu":
        return int(beta), int(alpha)
    if x._data.dtype.kind == "b":
        return bool(beta), bool(alpha)
    return beta, alpha


def extent(shape: Any) -> str:
    """A shape as PyTorch writes it in products: ``2x3``."""
    return "x".join(map(str, shape))


def same_scalar_type(a: Any, b: Any) -> None:
    """Raise unless both dtypes agree."""
    if a.dtype != b.dtype:
        raise DtypeError(
            f"expected scalar type {scalar_name(a.dtype)} but found {scalar_name(b.dtype)}. "
            "Remedy: convert one operand with .to(other.dtype)."
        )


def same_dtype(a: Any, b: Any) -> None:
    """Raise unless both dtypes agree."""
    if a.dtype != b.dtype:
        raise DtypeError(
            f"both inputs should have same dtype, but got {scalar_name(a.dtype)} and {scalar_name(b.dtype)}"
        )


def _no_bool(a: Any, kernel: str) -> None:
    if a.dtype.kind == "b":
        raise NotImplementedError(f"\"{kernel}\" not implemented for 'Bool'. Remedy: x.float() or x.long().")


def check_product(a: Any, b: Any) -> None:
    """Whether a (..., m, k) and b (..., k, n) can be multiplied; a or b may have one axis."""
    if a.ndim > 2 and b.ndim > 2:
        _check_batched(a, b)
    elif a.shape[-1] != b.shape[-2]:
        left = (1, a.shape[0]) if a.ndim == 1 else (a.size // a.shape[-1] if a.shape[-1] else 0, a.shape[-1])
        raise ShapeError(
            f"mat1 and mat2 shapes cannot be multiplied ({extent(left)} and {extent(b.shape[-2:])}): the "
            "last "
            f"dimension of {list(a.shape)} must equal the one before the last of {list(b.shape)}"
        )
    if a.dtype != b.dtype:
        names = [_C_NAMES[x.dtype.name] for x in (a, b)]
        raise DtypeError(
            f"expected m1 and m2 to have the same dtype, but got: {names[0]} != {names[1]}. "
            "Remedy: convert one operand with .to(other.dtype)."
        )
    _no_bool(a, "addmm_impl_cpu_")


def _check_batched(a: Any, b: Any) -> None:
    try:
        lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    except ValueError:
        x, y = a.shape[:-2][::-1], b.shape[:-2][::-1]
        at = next(i for i, (m, n) in enumerate(zip(x, y, strict=False)) if m != n and 1 not in (m, n))
        raise ShapeError(
            f"The size of tensor a ({x[at]}) must match the size of tensor b ({y[at]}) at non-singleton "
            "dimension "
            f"{max(len(x), len(y)) - 1 - at} (batches of shapes {list(a.shape)} and {list(b.shape)})"
        ) from None
    if a.shape[-1] != b.shape[-2]:
        count = int(np.prod(lead, dtype=int))
        raise ShapeError(
            f"Expected size for first two dimensions of batch2 tensor to be: [{count}, {a.shape[-1]}] but "
            "got: "
            f"[{count}, {b.shape[-2]}]. (shapes {list(a.shape)} and {list(b.shape)}: mat1 and mat2 shapes "
            "cannot be "
            "multiplied)"
        )


def check_vector(a: Any, b: Any) -> None:
    """Whether a (..., m, k) and the vector b (k) can be multiplied."""
    if a.shape[-1] != b.shape[0]:
        m = a.size // a.shape[-1] if a.shape[-1] else 0
        raise ShapeError(
            f"size mismatch, got input ({m}), mat ({m}x{a.shape[-1]}), vec ({b.shape[0]}) for shapes "
            f"{list(a.shape)} "
            f"and {list(b.shape)}"
        )
    if a.dtype != b.dtype:
        names = [scalar_name(x.dtype) for x in (b, a, b)]
        raise DtypeError(
            f"addmv input tensors must have the same dtype, but got {names[0]}, {names[1]}, and {names[2]}"
        )
    _no_bool(a, "addmv_impl_cpu")


def check_matrix_vector(a: Any, b: Any, lead: Any, x: Any = None) -> None:
    """Whether a matrix (m, k) times a vector (k) can be added to something of shape ``lead``."""
    if a.ndim != 2 or b.ndim != 1 or len(lead) > 1:
        raise ShapeError(f"vector + matrix @ vector expected, got {len(lead)}, {a.ndim}, {b.ndim}")
    if x is not None and lead and lead[0] not in (1, a.shape[0]):
        raise ShapeError(f"size mismatch, got input ({lead[0]}), mat ({extent(a.shape)}), vec ({b.shape[0]})")
    check_vector(a, b)
    if x is not None and x.dtype != a.dtype:
        names = [scalar_name(v.dtype) for v in (x, a, b)]
        raise DtypeError(
            f"addmv input tensors must have the same dtype, but got {names[0]}, {names[1]}, and {names[2]}"
        )


def check_dot(a: Any, b: Any, name: str) -> None:
    """Whether two vectors have an inner product."""
    if a.ndim != 1 or b.ndim != 1:
        raise ShapeError(f"1D tensors expected, but got {a.ndim}D and {b.ndim}D tensors")
    if a.shape != b.shape:
        raise ShapeError(
            f"inconsistent tensor size, expected tensor [{a.shape[0]}] and src [{b.shape[0]}] to have the "
            "same number "
            f"of elements, but got {a.shape[0]} and {b.shape[0]} elements respectively"
        )
    if a.dtype != b.dtype:
        raise DtypeError(
            f"{name} : expected both vectors to have same dtype, but found {scalar_name(a.dtype)} and "
            f"{scalar_name(b.dtype)}"
        )
    _no_bool(a, name)


def check_batches(a: Any, b: Any) -> None:
    """Whether (B, m, k) and (B, k, n) can be multiplied batch by batch."""
    for name, x in (("batch1", a), ("batch2", b)):
        if x.ndim != 3:
            raise ShapeError(f"{name} must be a 3D tensor, but got shape {list(x.shape)}")
    if (a.shape[0], a.shape[2]) != b.shape[:2]:
        raise ShapeError(
            f"Expected size for first two dimensions of batch2 tensor to be: [{a.shape[0]}, {a.shape[2]}] "
            "but got: "
            f"[{b.shape[0]}, {b.shape[1]}]. (shapes {list(a.shape)} and {list(b.shape)})"
        )
    same_scalar_type(a, b)
    _no_bool(a, "baddbmm")


def _check_addmm(x: Any, a: Any, b: Any) -> None:
    for name, m in (("mat1", a), ("mat2", b)):
        if m.ndim != 2:
            raise ShapeError(f"{name} must be a matrix, got {m.ndim}-D tensor")
    _check_addend(x, b)
    check_product(a, b)
    check_expands(x, (a.shape[0], b.shape[1]))


def _check_addend(x: Any, b: Any) -> None:
    if x.dtype != b.dtype:
        raise DtypeError(
            f"self and mat2 must have the same dtype, but got {scalar_name(x.dtype)} and "
            f"{scalar_name(b.dtype)}"
        )


def check_expands(x: Any, target: tuple[int, ...]) -> None:
    """Whether x can be broadcast to the result it is added to."""
    lead = len(target) - x.ndim
    if lead < 0:
        raise ShapeError(
            f"expand({list(x.shape)}, size={list(target)}): the number of sizes provided ({len(target)}) "
            "must be "
            f"greater or equal to the number of dimensions in the tensor ({x.ndim})"
        )
    for i, n in enumerate(x.shape):
        if n not in (1, target[lead + i]):
            raise ShapeError(
                f"The expanded size of the tensor ({target[lead + i]}) must match the existing size ({n}) at "
                f"non-singleton dimension {lead + i}.  Target sizes: {list(target)}.  Tensor sizes: "
                f"{list(x.shape)}"
            )
