"""Matrix products and einsum against PyTorch 2.13."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import torch
from tests.parity.agree import agree

from convgrad.tensor import functions_linear
from convgrad.tensor.tensor import Tensor

pytestmark = pytest.mark.parity


def fns(x: Any) -> Any:
    """The functions that take a tensor's kind."""
    return functions_linear if isinstance(x, Tensor) else torch


def lin(x: Any) -> Any:
    return functions_linear if isinstance(x, Tensor) else torch.nn.functional


def multi(x: Any) -> Any:
    return functions_linear if isinstance(x, Tensor) else torch.linalg


def arrays(*shapes: tuple[int, ...], kind: Any = np.float64, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    out = []
    for shape in shapes:
        x = rng.integers(-4, 5, shape) / (1 if np.dtype(kind).kind in "iub" else 2)
        out.append(
            np.asarray(x + 1j * rng.integers(-3, 4, shape) if np.dtype(kind).kind == "c" else x).astype(kind)
        )
    return out


MATMUL = [
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((3,), (3, 4)),
    ((2, 3), (3, 4)),
    ((5, 2, 3), (3,)),
    ((3,), (5, 3, 4)),
    ((5, 2, 3), (3, 4)),
    ((2, 3), (5, 3, 4)),
    ((5, 2, 3), (5, 3, 4)),
    ((5, 1, 2, 3), (6, 3, 4)),
    ((1, 2, 3), (6, 3, 4)),
    ((6, 5, 2, 3), (6, 5, 3, 4)),
    ((2, 0), (0, 3)),
    ((0, 3), (3, 2)),
    ((0,), (0,)),
    ((0, 2, 3), (3, 4)),
    ((2, 3, 0), (0,)),
    ((1,), (1,)),
    ((), (3,)),
    ((3,), ()),
    ((3,), (4,)),
    ((2, 3), (4,)),
    ((3,), (4, 3)),
    ((2, 3), (4, 5)),
    ((5, 2, 3), (4, 5)),
    ((5, 2, 3), (5, 4, 5)),
    ((5, 2, 3), (4, 3, 5)),
    ((2, 3), (5, 4, 3)),
    ((5, 2, 3), (2,)),
    ((4, 5, 2, 3), (3, 6)),
    ((4, 5, 2, 3), (3,)),
    ((3,), (4, 5, 3, 2)),
]
# here PyTorch's node depends on which operand requires grad
FOLDED = [((2, 3), (5, 3, 4)), ((1, 2, 3), (6, 3, 4))]
KINDS = [np.float32, np.float16, ml_dtypes.bfloat16, np.int64, np.int32, np.uint8, np.complex128]


@pytest.mark.parametrize("shapes", MATMUL, ids=str)
def test_matmul(shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    name = shapes not in FOLDED
    agree(lambda a, b: a @ b, *arrays(*shapes), name=name)
    agree(lambda a, b: a.matmul(b), *arrays(*shapes, seed=1), name=name)


@pytest.mark.parametrize("shapes", MATMUL[:12], ids=str)
@pytest.mark.parametrize("kind", KINDS, ids=lambda k: np.dtype(k).name)
def test_matmul_dtypes(shapes: Any, kind: Any) -> None:
    agree(lambda a, b: a @ b, *arrays(*shapes, kind=kind), name=shapes not in FOLDED)


@pytest.mark.parametrize("shapes", MATMUL[:12], ids=str)
def test_mixed_dtypes_and_bool_fail(shapes: Any) -> None:
    a, b = arrays(*shapes)
    agree(lambda a, b: a @ b, a.astype(np.float32), b)
    agree(lambda a, b: a @ b, a.astype(bool), b.astype(bool))


def matrix(*shape: int, seed: int = 0) -> np.ndarray:
    return arrays(shape, seed=seed)[0]


PRODUCTS: dict[str, tuple[Callable[..., Any], tuple[tuple[int, ...], ...]]] = {
    "mm": (lambda a, b: a.mm(b), ((2, 3), (3, 4))),
    "mm-1d": (lambda a, b: a.mm(b), ((2, 3), (3,))),
    "mm-3d": (lambda a, b: a.mm(b), ((1, 2, 3), (3, 4))),
    "mm-size": (lambda a, b: a.mm(b), ((2, 3), (4, 3))),
    "bmm": (lambda a, b: a.bmm(b), ((5, 2, 3), (5, 3, 4))),
    "bmm-empty": (lambda a, b: a.bmm(b), ((0, 2, 3), (0, 3, 4))),
    "bmm-2d": (lambda a, b: a.bmm(b), ((2, 3), (5, 3, 4))),
    "bmm-size": (lambda a, b: a.bmm(b), ((5, 2, 3), (4, 3, 4))),
    "mv": (lambda a, b: a.mv(b), ((2, 3), (3,))),
    "mv-size": (lambda a, b: a.mv(b), ((2, 3), (2,))),
    "mv-1d": (lambda a, b: a.mv(b), ((3,), (3,))),
    "dot": (lambda a, b: a.dot(b), ((3,), (3,))),
    "dot-2d": (lambda a, b: a.dot(b), ((2, 3), (3,))),
    "dot-size": (lambda a, b: a.dot(b), ((2,), (3,))),
    "vdot": (lambda a, b: a.vdot(b), ((3,), (3,))),
    "inner1": (lambda a, b: a.inner(b), ((3,), (3,))),
    "inner2": (lambda a, b: a.inner(b), ((2, 3), (4, 5, 3))),
    "inner0": (lambda a, b: a.inner(b), ((2, 3), ())),
    "inner-size": (lambda a, b: a.inner(b), ((2, 3), (4, 5))),
    "outer": (lambda a, b: a.outer(b), ((3,), (4,))),
    "ger": (lambda a, b: a.ger(b), ((3,), (4,))),
    "outer-2d": (lambda a, b: a.outer(b), ((3,), (4, 1))),
    "addmm": (lambda x, a, b: x.addmm(a, b), ((2, 4), (2, 3), (3, 4))),
    "addmm-row": (lambda x, a, b: x.addmm(a, b, beta=2, alpha=0.5), ((4,), (2, 3), (3, 4))),
    "addmm-0d": (lambda x, a, b: x.addmm(a, b, beta=0), ((), (2, 3), (3, 4))),
    "addmm-size": (lambda x, a, b: x.addmm(a, b), ((3,), (2, 3), (3, 4))),
    "addmm-3d": (lambda x, a, b: x.addmm(a, b), ((1, 2, 4), (2, 3), (3, 4))),
    "addmm-mat": (lambda x, a, b: x.addmm(a, b), ((2,), (2, 3), (3,))),
    "addmv": (lambda x, a, b: x.addmv(a, b, beta=3, alpha=2), ((2,), (2, 3), (3,))),
    "addmv-0d": (lambda x, a, b: x.addmv(a, b), ((), (2, 3), (3,))),
    "addmv-size": (lambda x, a, b: x.addmv(a, b), ((3,), (2, 3), (3,))),
    "addbmm": (lambda x, a, b: x.addbmm(a, b, beta=3, alpha=2), ((2, 4), (5, 2, 3), (5, 3, 4))),
    "addbmm-row": (lambda x, a, b: x.addbmm(a, b), ((4,), (5, 2, 3), (5, 3, 4))),
    "addbmm-size": (lambda x, a, b: x.addbmm(a, b), ((3,), (5, 2, 3), (5, 3, 4))),
    "baddbmm": (lambda x, a, b: x.baddbmm(a, b, beta=3, alpha=2), ((5, 2, 4), (5, 2, 3), (5, 3, 4))),
    "baddbmm-0d": (lambda x, a, b: x.baddbmm(a, b), ((), (5, 2, 3), (5, 3, 4))),
    "baddbmm-2d": (lambda x, a, b: x.baddbmm(a, b), ((), (2, 3), (5, 3, 4))),
    "addr": (lambda x, a, b: x.addr(a, b, beta=3, alpha=2), ((3, 4), (3,), (4,))),
    "addr-0d": (lambda x, a, b: x.addr(a, b), ((), (3,), (4,))),
    "addr-size": (lambda x, a, b: x.addr(a, b), ((2, 4), (3,), (4,))),
    "linear": (lambda x, w, b: lin(x).linear(x, w, b), ((2, 3), (4, 3), (4,))),
    "linear3": (lambda x, w, b: lin(x).linear(x, w, b), ((5, 2, 3), (4, 3), (4,))),
    "linear1": (lambda x, w, b: lin(x).linear(x, w, b), ((3,), (4, 3), (4,))),
    "linear-empty": (lambda x, w, b: lin(x).linear(x, w, b), ((0, 3), (4, 3), (4,))),
    "linear-b1": (lambda x, w, b: lin(x).linear(x, w, b), ((2, 3), (4, 3), (1,))),
    "linear-nobias": (lambda x, w: lin(x).linear(x, w), ((2, 3), (4, 3))),
    "linear-nobias3": (lambda x, w: lin(x).linear(x, w), ((5, 2, 3), (4, 3))),
    "linear-vector": (lambda x, w: lin(x).linear(x, w), ((2, 3), (3,))),
    "linear-size": (lambda x, w, b: lin(x).linear(x, w, b), ((2, 3), (3, 4), (3,))),
    "linear-bias": (lambda x, w, b: lin(x).linear(x, w, b), ((2, 3), (4, 3), (3,))),
    "tensordot1": (lambda a, b: fns(a).tensordot(a, b, 1), ((2, 3), (3, 4))),
    "tensordot2": (lambda a, b: fns(a).tensordot(a, b), ((5, 2, 3), (2, 3, 4))),
    "tensordot0": (lambda a, b: fns(a).tensordot(a, b, 0), ((2, 3), (4,))),
    "tensordot-lists": (lambda a, b: fns(a).tensordot(a, b, ([0, -1], [1, 0])), ((2, 5, 3), (3, 2, 4))),
    "tensordot-size": (lambda a, b: fns(a).tensordot(a, b, 1), ((2, 3), (4, 3))),
    "tensordot-big": (lambda a, b: fns(a).tensordot(a, b, 3), ((2, 3), (2, 3))),
    "tensordot-neg": (lambda a, b: fns(a).tensordot(a, b, -1), ((2, 3), (2, 3))),
    "tensordot-len": (lambda a, b: fns(a).tensordot(a, b, ([0, 1], [0])), ((2, 3), (2, 3))),
    "kron": (lambda a, b: a.kron(b), ((2, 3), (4, 5))),
    "kron-ranks": (lambda a, b: a.kron(b), ((2,), (4, 5))),
    "kron-0d": (lambda a, b: a.kron(b), ((), (4, 5))),
    "trace": (lambda a: a.trace(), ((3, 5),)),
    "trace-empty": (lambda a: a.trace(), ((0, 5),)),
    "trace-3d": (lambda a: a.trace(), ((2, 3, 5),)),
    "multi_dot2": (lambda a, b: multi(a).multi_dot([a, b]), ((2, 3), (3, 4))),
    "multi_dot3": (lambda a, b, c: multi(a).multi_dot([a, b, c]), ((2, 3), (3, 4), (4, 6))),
    "multi_dot4": (lambda *m: multi(m[0]).multi_dot(m), ((10,), (10, 2), (2, 9), (9,))),
    "multi_dot5": (lambda *m: multi(m[0]).multi_dot(m), ((3, 10), (10, 2), (2, 9), (9, 1), (1, 4))),
    "multi_dot-1": (lambda a: multi(a).multi_dot([a]), ((2, 3),)),
    "multi_dot-size": (lambda a, b: multi(a).multi_dot([a, b]), ((2, 3), (4, 4))),
    "multi_dot-3d": (lambda a, b, c: multi(a).multi_dot([a, b, c]), ((2, 3), (2, 3, 4), (4, 6))),
    "chain_matmul": (lambda a, b, c: fns(a).chain_matmul(a, b, c), ((2, 3), (3, 4), (4, 6))),
    "matrix_power0": (lambda a: a.matrix_power(0), ((3, 3),)),
    "matrix_power1": (lambda a: a.matrix_power(1), ((3, 3),)),
    "matrix_power5": (lambda a: a.matrix_power(5), ((3, 3),)),
    "matrix_power2b": (lambda a: a.matrix_power(2), ((2, 3, 3),)),
    "matrix_power-shape": (lambda a: a.matrix_power(2), ((2, 3),)),
    "matrix_power-1d": (lambda a: a.matrix_power(2), ((2,),)),
    "cross": (lambda a, b: a.cross(b), ((4, 3), (4, 3))),
    "cross-dim": (lambda a, b: a.cross(b, dim=0), ((3, 4), (3, 1))),
    "cross-bad": (lambda a, b: a.cross(b, dim=0), ((4, 3), (4, 3))),
    "cross-rank": (lambda a, b: a.cross(b, dim=-1), ((4, 3), (3,))),
}  # fmt: skip
OTHER_NAMES = {"inner0", "matrix_power0"}


@pytest.mark.parametrize("name", PRODUCTS)
@pytest.mark.parametrize("seed", range(2))
def test_products(name: str, seed: int) -> None:
    call, shapes = PRODUCTS[name]
    agree(call, *arrays(*shapes, seed=seed), name=name not in OTHER_NAMES)


@pytest.mark.parametrize("name", PRODUCTS)
@pytest.mark.parametrize("kind", KINDS, ids=lambda k: np.dtype(k).name)
def test_product_dtypes(name: str, kind: Any) -> None:
    call, shapes = PRODUCTS[name]
    agree(call, *arrays(*shapes, kind=kind), name=name not in OTHER_NAMES)


@pytest.mark.parametrize("name", PRODUCTS)
def test_product_mixed_dtypes(name: str) -> None:
    call, shapes = PRODUCTS[name]
    if name == "bmm-empty":
        pytest.skip("PyTorch does not look at the dtypes of nothing")
    xs = arrays(*shapes)
    agree(call, xs[0].astype(np.float32), *xs[1:], name=name not in OTHER_NAMES)


@pytest.mark.parametrize("name", PRODUCTS)
def test_product_strides(name: str) -> None:
    call, shapes = PRODUCTS[name]
    if name == "kron-ranks":
        pytest.skip("PyTorch's kron fails on these strides")
    agree(call, *[x.T.copy().T for x in arrays(*shapes)], name=False)


EINSUMS: list[tuple[str, tuple[tuple[int, ...], ...]]] = [
    ("ij,jk->ik", ((2, 3), (3, 4))),
    ("ij,jk", ((2, 3), (3, 4))),
    ("ij->ji", ((2, 3),)),
    ("ij->", ((2, 3),)),
    ("ij->j", ((2, 3),)),
    ("ii->i", ((3, 3),)),
    ("ii", ((3, 3),)),
    ("iij->j", ((3, 3, 2),)),
    ("bij,bjk->bik", ((5, 2, 3), (5, 3, 4))),
    ("i,j->ij", ((3,), (4,))),
    ("i,i->i", ((3,), (3,))),
    ("i,i->", ((3,), (3,))),
    ("bij,jk", ((5, 2, 3), (3, 4))),
    ("bn,anm,bm->ba", ((2, 5), (3, 5, 4), (2, 4))),
    ("...ij,...jk->...ik", ((6, 2, 3), (5, 1, 3, 4))),
    ("...i->...", ((2, 3, 4),)),
    ("i...->i", ((2, 3, 4),)),
    ("...", ((2, 3),)),
    ("i...,j...", ((2, 3), (4, 3))),
    (" i j , j k -> k i ", ((2, 3), (3, 4))),
    ("bA,bc", ((2, 3), (2, 4))),
    (",i->i", ((), (3,))),
    ("->", ((),)),
    ("ij,ij,ij->i", ((2, 3), (2, 3), (2, 3))),
    ("ij,ij->ij", ((2, 3), (1, 3))),
    ("i,i", ((3,), (1,))),
    ("ij->ij...", ((2, 3),)),
    ("ij,k->j", ((2, 3), (4,))),
    ("ijk,ilm,njm,nlk,abc->", ((2, 3, 4), (2, 5, 6), (3, 3, 6), (3, 5, 4), (1, 2, 1))),
    ("ii,ij->j", ((3, 3), (3, 2))),
    ("iij,jkk->ik", ((2, 2, 3), (3, 4, 4))),
    ("ij,jk->ik", ((2, 0), (0, 4))),
    ("ij,jk->ik", ((0, 3), (3, 4))),
    ("abc,cd->abd", ((2, 3, 4), (4, 5))),
    ("ij,jk", ((2, 3), (4, 5))),
    ("ij,jk->ijk", ((2, 3),)),
    ("ij->kj", ((2, 3),)),
    ("ijk->k", ((2, 3),)),
    ("i->i", ((2, 3),)),
    ("ij...->i", ((2, 3),)),
    ("ij,j->ii", ((2, 3), (3,))),
    ("i1->i", ((2, 3),)),
    ("i.->i", ((2, 3),)),
    ("ij->i->j", ((2, 3),)),
    ("...i...->i", ((2, 3),)),
    ("ii->i", ((2, 3),)),
    ("ij->i", ((2, 3), (2, 3))),
    ("", ()),
]


@pytest.mark.parametrize(("equation", "shapes"), EINSUMS, ids=str)
def test_einsum(equation: str, shapes: tuple[tuple[int, ...], ...]) -> None:
    if not shapes:
        with pytest.raises(ValueError, match="must specify the equation string"):
            functions_linear.einsum(equation)
        return
    for kind in (np.float64, np.float32, np.complex128, np.int64, np.float16):
        agree(lambda *x: fns(x[0]).einsum(equation, *x), *arrays(*shapes, kind=kind), name=False)


def test_einsum_with_lists() -> None:
    a, b = arrays((2, 3), (3, 4))
    agree(lambda x, y: fns(x).einsum(x, [0, 1], y, [1, 2], [0, 2]), a, b, name=False)
    agree(lambda x, y: fns(x).einsum(x, [0, 1], y, [1, 2]), a, b, name=False)
    agree(lambda x: fns(x).einsum(x, [0, ...], [..., 0]), a, name=False)
    agree(lambda x: fns(x).einsum(x, [0, 60], [0]), a, name=False)
    agree(lambda x, y: fns(x).einsum("ij,jk", [x, y]), a, b, name=False)


@pytest.mark.parametrize(("call", "shapes"), [
    (lambda x, a, b: x.addmm_(a, b, beta=2), ((2, 4), (2, 3), (3, 4))),
    (lambda x, a, b: x.addmm_(a, b), ((4,), (2, 3), (3, 4))),
    (lambda x, a, b: x.addmv_(a, b, alpha=2), ((2,), (2, 3), (3,))),
    (lambda x, a, b: x.addr_(a, b), ((3, 4), (3,), (4,))),
    (lambda x, a, b: x.baddbmm_(a, b), ((5, 2, 4), (5, 2, 3), (5, 3, 4))),
    (lambda x, a, b: x.addbmm_(a, b), ((2, 4), (5, 2, 3), (5, 3, 4))),
    (lambda x: x.cumsum_(0), ((3, 4),)),
    (lambda x: x.cumprod_(-1), ((3, 4),)),
])  # fmt: skip
def test_in_place(call: Callable[..., Any], shapes: tuple[tuple[int, ...], ...]) -> None:
    agree(lambda x, *rest: call(x.clone(), *rest), *arrays(*shapes))
