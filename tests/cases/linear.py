"""Matrix products and einsum, against NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from convgrad.errors import DtypeError, ShapeError
from convgrad.ops import einsum, matmul, shape
from convgrad.tensor import functions_linear as functions
from convgrad.tensor.tensor import Tensor

from .case import Case, ErrorCase, values

Shape = tuple[int, ...]
CASES: list[Case] = []


def _add(
    op: type,
    call: Callable[..., Any],
    reference: Callable[..., Any],
    name: str,
    *shapes: Shape,
    tags: str = "",
) -> None:
    """An ordinary case and, under the same name, one of transposed arrays."""
    args = tuple([values(i, *shape) for i, shape in enumerate(shapes)])
    CASES.append(Case(op, name, call, args, reference, tags=frozenset(tags.split())))
    if not tags:
        turned = tuple([a.T.copy().T[::-1] for a in args])
        CASES.append(Case(op, f"{name}-strided", call, turned, reference, tags=frozenset({"strided"})))


def _matmul(op: type, name: str, a: Shape, b: Shape, tags: str = "") -> None:
    _add(op, lambda x, y: x @ y, np.matmul, name, a, b, tags=tags)


_matmul(matmul.Mm, "matrix", (2, 3), (3, 4))
_matmul(matmul.Mm, "empty", (2, 0), (0, 4), "empty")
_matmul(matmul.MatMul, "batch", (5, 2, 3), (5, 3, 4))
_matmul(matmul.MatMul, "one-matrix", (5, 2, 3), (3, 4))
_matmul(matmul.MatMul, "broadcast", (5, 1, 2, 3), (6, 3, 4), "broadcast")
_matmul(matmul.MatMul, "row-batch", (2, 3), (5, 3, 4), "broadcast")
_matmul(matmul.MatMul, "empty", (0, 2, 3), (3, 4), "empty")
_matmul(matmul.Mv, "vector", (2, 3), (3,))
_matmul(matmul.Mv, "empty", (0, 3), (3,), "empty")
_matmul(matmul.BatchedMv, "batch", (5, 2, 3), (3,))
_matmul(matmul.Vm, "vector", (3,), (3, 4))
_matmul(matmul.BatchedVm, "batch", (3,), (5, 3, 4))
_matmul(matmul.BatchedMv, "empty", (5, 2, 0), (0,), "empty")
_matmul(matmul.Vm, "empty", (0,), (0, 4), "empty")
_matmul(matmul.BatchedVm, "empty", (3,), (0, 3, 4), "empty")
_matmul(matmul.Dot, "vectors", (3,), (3,))
_matmul(matmul.Dot, "empty", (0,), (0,), "empty")
_add(matmul.Bmm, lambda x, y: x.bmm(y), np.matmul, "batch", (5, 2, 3), (5, 3, 4))
_add(matmul.Bmm, lambda x, y: x.bmm(y), np.matmul, "empty", (0, 2, 3), (0, 3, 4), tags="empty")
_add(matmul.Vdot, lambda x, y: x.vdot(y), np.vdot, "vectors", (3,), (3,))
_z = values(8, 3) + 1j * values(9, 3)
CASES.append(Case(matmul.Vdot, "complex", lambda x, y: x.vdot(y), (_z, _z[::-1] * 1j), np.vdot))
CASES.append(
    Case(matmul.Mm, "complex", lambda x, y: x @ y, (np.outer(_z, _z), np.outer(_z, _z[:2])), np.matmul)
)
CASES.append(
    Case(
        matmul.Mm,
        "integers",
        lambda x, y: x @ y,
        (np.arange(6).reshape(2, 3), np.arange(12).reshape(3, 4)),
        np.matmul,
        tags=frozenset({"mixed"}),
    )
)

_add(
    matmul.AddMm,
    lambda x, a, b: x.addmm(a, b, beta=2, alpha=3),
    lambda x, a, b: 2 * x + 3 * a @ b,
    "scaled",
    (2, 4),
    (2, 3),
    (3, 4),
)
_add(
    matmul.AddMm,
    lambda x, a, b: x.addmm(a, b),
    lambda x, a, b: x + a @ b,
    "row",
    (4,),
    (2, 3),
    (3, 4),
    tags="broadcast",
)
_add(
    matmul.AddMm,
    lambda x, a, b: x.addmm(a, b),
    lambda x, a, b: x + a @ b,
    "0d",
    (),
    (2, 3),
    (3, 4),
    tags="0d broadcast",
)
_add(
    matmul.AddMm,
    lambda x, a, b: x.addmm(a, b),
    lambda x, a, b: x + a @ b,
    "empty",
    (2, 4),
    (2, 0),
    (0, 4),
    tags="empty",
)
_add(
    matmul.AddMv,
    lambda x, a, b: x.addmv(a, b, beta=2, alpha=3),
    lambda x, a, b: 2 * x + 3 * a @ b,
    "scaled",
    (2,),
    (2, 3),
    (3,),
)
_add(
    matmul.AddMv,
    lambda x, a, b: x.addmv(a, b),
    lambda x, a, b: x + a @ b,
    "0d",
    (),
    (2, 3),
    (3,),
    tags="0d broadcast",
)
_add(
    matmul.AddBmm,
    lambda x, a, b: x.addbmm(a, b, beta=2, alpha=3),
    lambda x, a, b: 2 * x + 3 * (a @ b).sum(0),
    "scaled",
    (2, 4),
    (5, 2, 3),
    (5, 3, 4),
)
_add(
    matmul.AddBmm,
    lambda x, a, b: x.addbmm(a, b),
    lambda x, a, b: x + (a @ b).sum(0),
    "0d",
    (),
    (5, 2, 3),
    (5, 3, 4),
    tags="0d broadcast",
)
_add(
    matmul.Baddbmm,
    lambda x, a, b: x.baddbmm(a, b, beta=2, alpha=3),
    lambda x, a, b: 2 * x + 3 * a @ b,
    "scaled",
    (5, 2, 4),
    (5, 2, 3),
    (5, 3, 4),
)
_add(
    matmul.Baddbmm,
    lambda x, a, b: x.baddbmm(a, b),
    lambda x, a, b: x + a @ b,
    "0d",
    (),
    (5, 2, 3),
    (5, 3, 4),
    tags="0d broadcast",
)
_add(
    matmul.Addr,
    lambda x, a, b: x.addr(a, b, beta=2, alpha=3),
    lambda x, a, b: 2 * x + 3 * np.outer(a, b),
    "scaled",
    (3, 4),
    (3,),
    (4,),
)
_add(
    matmul.Addr,
    lambda x, a, b: x.addr(a, b),
    lambda x, a, b: x + np.outer(a, b),
    "0d",
    (),
    (3,),
    (4,),
    tags="0d broadcast",
)
_affine = lambda x, w, b: functions.linear(x, w, b)
_add(matmul.Affine, _affine, lambda x, w, b: x @ w.T + b, "matrix", (2, 3), (4, 3), (4,))
_add(matmul.Affine, _affine, lambda x, w, b: x @ w.T + b, "one-bias", (2, 3), (4, 3), (1,), tags="broadcast")
_add(matmul.Affine, _affine, lambda x, w, b: x @ w.T + b, "empty", (0, 3), (4, 3), (4,), tags="empty")
_add(matmul.AffineFolded, _affine, lambda x, w, b: x @ w.T + b, "batch", (5, 2, 3), (4, 3), (4,))
_add(matmul.AffineFolded, _affine, lambda x, w, b: x @ w.T + b, "vector", (3,), (4, 3), (4,))
_add(
    matmul.AffineFolded, _affine, lambda x, w, b: x @ w.T + b, "empty", (5, 0, 3), (4, 3), (4,), tags="empty"
)
_add(matmul.Vdot, lambda x, y: x.vdot(y), np.vdot, "empty", (0,), (0,), tags="empty")
_add(matmul.Cross, lambda a, b: a.cross(b), np.cross, "empty", (0, 3), (0, 3), tags="empty")
_add(shape.UnsafeView, lambda a, b: a.kron(b), np.kron, "empty", (2, 0), (4, 5), tags="empty")
_add(
    matmul.AddMv,
    lambda x, a, b: x.addmv(a, b),
    lambda x, a, b: x + a @ b,
    "empty",
    (2,),
    (2, 0),
    (0,),
    tags="empty",
)
_add(matmul.AddBmm, lambda x, a, b: x.addbmm(a, b), lambda x, a, b: x, "empty", (2, 4), (0, 2, 3), (0, 3, 4), tags="empty")  # fmt: skip
_add(matmul.Baddbmm, lambda x, a, b: x.baddbmm(a, b), lambda x, a, b: x, "empty", (5, 2, 4), (5, 2, 0), (5, 0, 4), tags="empty")  # fmt: skip
_add(matmul.Addr, lambda x, a, b: x.addr(a, b), lambda x, a, b: x, "empty", (0, 4), (0,), (4,), tags="empty")
_add(matmul.Trace, lambda x: x.trace(), np.trace, "wide", (3, 5))
_add(matmul.Trace, lambda x: x.trace(), np.trace, "empty", (0, 5), tags="empty")
_add(matmul.Cross, lambda a, b: a.cross(b, dim=-1), np.cross, "rows", (4, 3), (4, 3))
_add(
    matmul.Cross,
    lambda a, b: a.cross(b, dim=0),
    lambda a, b: np.cross(a, b, axis=0),
    "broadcast",
    (3, 4),
    (3, 1),
    tags="broadcast",
)
_add(shape.UnsafeView, lambda a, b: a.kron(b), np.kron, "numbers", (), (), tags="0d")
_add(shape.UnsafeView, lambda a, b: a.kron(b), np.kron, "kron", (2, 3), (4, 5))
_add(shape.UnsafeView, lambda a, b: a.kron(b), np.kron, "kron-ranks", (2,), (4, 5), tags="broadcast")
_add(
    matmul.Mm,
    lambda a, b, c: functions.multi_dot([a, b, c]),
    lambda a, b, c: a @ b @ c,
    "multi_dot",
    (2, 3),
    (3, 4),
    (4, 5),
)
_add(matmul.Mm, lambda a: a.matrix_power(5), lambda a: np.linalg.matrix_power(a, 5), "power", (3, 3))
_add(einsum.Contract, lambda a, b: a.inner(b), np.inner, "inner", (2, 3), (4, 5, 3))
_add(
    einsum.Contract,
    lambda a, b: functions.tensordot(a, b, ([0, 2], [1, 0])),
    lambda a, b: np.tensordot(a, b, ([0, 2], [1, 0])),
    "tensordot",
    (2, 5, 3),
    (3, 2, 4),
)

_EQUATIONS: list[tuple[type, str, tuple[Shape, ...], str]] = [
    (einsum.Contract, "ij,jk->ki", ((2, 3), (3, 4)), ""),
    (einsum.Contract, "bij,bjk->bik", ((5, 2, 3), (5, 3, 4)), ""),
    (einsum.Contract, "bn,anm,bm->ba", ((2, 5), (3, 5, 4), (2, 4)), ""),
    (einsum.Contract, "iij,jkk->ik", ((2, 2, 3), (3, 4, 4)), ""),
    (einsum.Contract, "ij,jkl->k", ((2, 3), (3, 4, 2)), ""),
    (einsum.Contract, "...ij,...jk->...ik", ((6, 2, 3), (5, 1, 3, 4)), "broadcast"),
    (einsum.Contract, "ij,jk->ik", ((2, 0), (0, 4)), "empty"),
    (einsum.ContractMul, ",i->i", ((), (3,)), "0d"),
    (einsum.ContractMul, "i,j->ji", ((3,), (4,)), ""),
    (einsum.ContractMul, "ij,ij->ij", ((2, 3), (2, 3)), ""),
    (einsum.ContractMul, "ij,k->ik", ((2, 3), (4,)), ""),
    (einsum.Arrange, "ijk->kij", ((2, 3, 4),), ""),
    (einsum.Arrange, "iji->ji", ((3, 2, 3),), ""),
    (einsum.Arrange, "...->...", ((),), "0d"),
    (einsum.Arrange, "ijk->kij", ((2, 0, 4),), "empty"),
    (einsum.ContractMul, ",->", ((), ()), "0d"),
    (einsum.ContractMul, "i,j->ji", ((0,), (4,)), "empty"),
    (einsum.ArrangeSum, "iij->j", ((3, 3, 2),), ""),
    (einsum.ArrangeSum, "ij->", ((2, 3),), ""),
    (einsum.ArrangeSum, "ij->j", ((0, 3),), "empty"),
]
for _op, _equation, _shapes, _tags in _EQUATIONS:
    _add(
        _op,
        lambda *x, e=_equation: functions.einsum(e, *x),
        lambda *x, e=_equation: np.einsum(e, *x),
        _equation,
        *_shapes,
        tags=_tags,
    )


def _t(*shape: int, kind: Any = np.float32) -> Tensor:
    return Tensor(np.zeros(shape, kind), None)


ERRORS: list[ErrorCase] = [
    ErrorCase(
        "mm-size",
        lambda: _t(2, 3) @ _t(4, 5),
        ShapeError,
        "mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)",
        matmul.Mm,
    ),
    ErrorCase(
        "mm-dtype",
        lambda: _t(2, 3) @ _t(3, 5, kind=np.float64),
        DtypeError,
        "expected m1 and m2 to have the same dtype, but got: float != double",
        matmul.Mm,
    ),
    ErrorCase(
        "matmul-0d",
        lambda: _t() @ _t(3),
        ShapeError,
        "both arguments to matmul need to be at least 1D, but they are 0D and 1D",
        matmul.MatMul,
    ),
    ErrorCase(
        "matmul-batch",
        lambda: _t(5, 2, 3) @ _t(4, 3, 2),
        ShapeError,
        "The size of tensor a (5) must match the size of tensor b (4)",
        matmul.MatMul,
    ),
    ErrorCase("matmul-list", lambda: _t(2).matmul([1]), TypeError, "must be Tensor, not list", matmul.MatMul),
    ErrorCase(
        "bmm-2d", lambda: _t(2, 3).bmm(_t(1, 2, 3)), ShapeError, "batch1 must be a 3D tensor", matmul.Bmm
    ),
    ErrorCase(
        "bmm-dtype",
        lambda: _t(1, 2, 3).bmm(_t(1, 3, 2, kind=np.float64)),
        DtypeError,
        "expected scalar type Float but found Double",
        matmul.Bmm,
    ),
    ErrorCase(
        "mv-size",
        lambda: _t(2, 3) @ _t(4),
        ShapeError,
        "size mismatch, got input (2), mat (2x3), vec (4)",
        matmul.Mv,
    ),
    ErrorCase("batched-mv-size", lambda: _t(5, 2, 3) @ _t(4), ShapeError, "size mismatch", matmul.BatchedMv),
    ErrorCase(
        "vm-size",
        lambda: _t(3) @ _t(4, 5),
        ShapeError,
        "mat1 and mat2 shapes cannot be multiplied (1x3 and 4x5)",
        matmul.Vm,
    ),
    ErrorCase(
        "batched-vm-size", lambda: _t(3) @ _t(2, 4, 5), ShapeError, "cannot be multiplied", matmul.BatchedVm
    ),
    ErrorCase(
        "dot-2d",
        lambda: _t(2, 3).dot(_t(3)),
        ShapeError,
        "1D tensors expected, but got 2D and 1D tensors",
        matmul.Dot,
    ),
    ErrorCase("vdot-size", lambda: _t(2).vdot(_t(3)), ShapeError, "inconsistent tensor size", matmul.Vdot),
    ErrorCase(
        "addmm-size",
        lambda: _t(3).addmm(_t(2, 3), _t(3, 4)),
        ShapeError,
        "The expanded size of the tensor (4) must match the existing size (3)",
        matmul.AddMm,
    ),
    ErrorCase(
        "addmv-size",
        lambda: _t(3).addmv(_t(2, 3), _t(3)),
        ShapeError,
        "size mismatch, got input (3)",
        matmul.AddMv,
    ),
    ErrorCase(
        "addbmm-2d",
        lambda: _t(2).addbmm(_t(2, 3), _t(1, 3, 2)),
        ShapeError,
        "batch1 must be a 3D tensor",
        matmul.AddBmm,
    ),
    ErrorCase(
        "baddbmm-2d",
        lambda: _t(2).baddbmm(_t(1, 2, 3), _t(3, 2)),
        ShapeError,
        "batch2 must be a 3D tensor",
        matmul.Baddbmm,
    ),
    ErrorCase(
        "addr-2d",
        lambda: _t(2).addr(_t(2), _t(2, 2)),
        ShapeError,
        "Expected 1-D argument vec2, but got 2-D",
        matmul.Addr,
    ),
    ErrorCase(
        "linear-size",
        lambda: functions.linear(_t(2, 3), _t(4, 5), _t(4)),
        ShapeError,
        "cannot be multiplied (2x3 and 5x4)",
        matmul.Affine,
    ),
    ErrorCase(
        "linear-bias",
        lambda: functions.linear(_t(1, 2, 3), _t(4, 3), _t(5)),
        ShapeError,
        "The expanded size of the tensor (4)",
        matmul.AffineFolded,
    ),
    ErrorCase(
        "trace-3d",
        lambda: _t(2, 3, 4).trace(),
        ShapeError,
        "trace: expected a matrix, but got tensor with dim 3",
        matmul.Trace,
    ),
    ErrorCase(
        "cross-size",
        lambda: _t(4, 2).cross(_t(4, 2), dim=1),
        ShapeError,
        "must have length 3. Got 2 and 2",
        matmul.Cross,
    ),
    ErrorCase(
        "inner-size",
        lambda: _t(2).inner(_t(3)),
        ShapeError,
        "inner() the last dimension must match",
        einsum.Contract,
    ),
    ErrorCase(
        "einsum-size",
        lambda: functions.einsum("ij,jk", _t(2, 3), _t(4, 5)),
        ShapeError,
        "subscript j has size 4 for operand 1 which does not broadcast with previously seen size 3",
        einsum.Contract,
    ),
    ErrorCase(
        "einsum-rank",
        lambda: functions.einsum("ijk->k", _t(2, 3)),
        ShapeError,
        "does not match the number of dimensions (2) for operand 0",
        einsum.Arrange,
    ),
    ErrorCase(
        "einsum-diagonal",
        lambda: functions.einsum("ii", _t(2, 3)),
        ShapeError,
        "is repeated for operand 0 but the sizes don't match",
        einsum.ArrangeSum,
    ),
    ErrorCase(
        "einsum-output",
        lambda: functions.einsum("i,j->k", _t(2), _t(3)),
        ShapeError,
        "output subscript k does not appear in the equation",
        einsum.ContractMul,
    ),
    ErrorCase(
        "kron-dtype",
        lambda: _t(2).outer(_t(2, 2)),
        ShapeError,
        "outer: Expected 1-D argument vec2",
        shape.UnsafeView,
    ),
    ErrorCase("matrix_power", lambda: _t(2, 3).matrix_power(2), ShapeError, "batches of square matrices"),
    ErrorCase(
        "multi_dot",
        lambda: functions.multi_dot([_t(2, 3)]),
        ShapeError,
        "expected at least 2 tensors but got 1",
    ),
    ErrorCase(
        "tensordot",
        lambda: functions.tensordot(_t(2, 3), _t(4, 3), 1),
        ShapeError,
        "contracted dimensions need to match",
    ),
]
