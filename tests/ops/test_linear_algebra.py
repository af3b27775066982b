"""Linear algebra: compositions, gradients where they are delicate, saved results, late loading."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.cases.case import values
from tests.cases.decompositions import cvalues, matrices, positive

import convgrad as cg
from convgrad import autograd, linalg
from convgrad.errors import ConvgradError, GradError, LinAlgError
from convgrad.func import vmap
from convgrad.ops import lapack
from convgrad.tensor.tensor import Tensor
from convgrad.testing import gradcheck, gradgradcheck


def _leaf(array: Any) -> Tensor:
    return Tensor(np.array(array), None).requires_grad_()


def _second(call: Callable[..., Any], *arrays: Any) -> None:
    """First and second derivatives, reverse and forward, against differences."""
    xs = [_leaf(a) for a in arrays]
    assert gradcheck(call, xs, check_forward_ad=True)
    assert gradgradcheck(call, xs, check_fwd_over_rev=True)


COMPOSED: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "lu_solve": (lambda a, b: linalg.lu_solve(*linalg.lu_factor(a), b), (matrices(1, 2, 3, 3), values(2, 3, 2))),
    "lu_solve-adjoint": (
        lambda a, b: linalg.lu_solve(*linalg.lu_factor(a), b, adjoint=True), (cvalues(3, 3, 3), cvalues(4, 3, 2)),
    ),
    "lu_solve-right": (
        lambda a, b: linalg.lu_solve(*linalg.lu_factor(a), b, left=False), (cvalues(5, 3, 3), cvalues(6, 2, 3)),
    ),
    "cholesky_solve": (lambda b, a: b.cholesky_solve(a), (values(7, 3, 2), matrices(8, 3, 3))),
    "cholesky_inverse": (lambda a: positive(a).cholesky(True).cholesky_inverse(True), (cvalues(9, 3, 3),)),
    "triangular_solve": (lambda b, a: b.triangular_solve(a, transpose=True)[0], (values(10, 3, 2), matrices(11, 3, 3))),
    "householder_product": (linalg.householder_product, (cvalues(12, 4, 3), cvalues(13, 2))),
    "logdet": (lambda a: positive(a).logdet(), (values(14, 2, 3, 3),)),
    "logdet-complex": (cg.logdet, (cvalues(15, 3, 3),)),
    "norm2": (lambda a: linalg.matrix_norm(a, 2), (cvalues(16, 4, 3),)),
    "nuclear": (lambda a: a.norm("nuc", dim=(0, 2)), (values(17, 3, 2, 3),)),
    "cond": (linalg.cond, (values(18, 3, 3),)),
    "cond-1": (lambda a: linalg.cond(a, 1), (values(19, 3, 3),)),
    "cond-fro": (lambda a: linalg.cond(a, "fro"), (cvalues(20, 3, 3),)),
    "cond-nuc": (lambda a: linalg.cond(a, "nuc"), (values(21, 3, 3),)),
    "vander": (linalg.vander, (cvalues(22, 3),)),
    "vander-falling": (lambda x: cg.vander(x, 4), (values(23, 3),)),
    "tensorinv": (linalg.tensorinv, (values(24, 2, 3, 6),)),
    "tensorsolve": (linalg.tensorsolve, (values(25, 2, 3, 6), values(26, 2, 3))),
    "vecdot": (linalg.vecdot, (cvalues(27, 2, 3), cvalues(28, 3))),
    "matrix_power": (lambda a: linalg.matrix_power(a, -2), (matrices(29, 3, 3),)),
    "lu_unpack": (lambda a: cg.lu_unpack(*linalg.lu_factor(a))[1:], (values(30, 4, 3),)),
    "svd-V": (lambda a: (lambda u, s, v: (u * s.sin().unsqueeze(-2)) @ v.mH)(*a.svd()), (cvalues(31, 4, 3),)),
    "qr-complete": (lambda a: tuple(linalg.qr(a, "complete")), (cvalues(32, 3, 4),)),
    "eig-function": (
        lambda a: (lambda w, v: (v * w.exp().unsqueeze(-2)) @ linalg.inv(v))(*linalg.eig(a)), (cvalues(33, 3, 3),),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", COMPOSED)
def test_compositions_have_derivatives_of_second_order(name: str) -> None:
    call, arrays = COMPOSED[name]
    _second(call, *arrays)


@pytest.mark.parametrize("rank", [0, 1, 2, 3])
def test_determinants_of_any_rank_have_two_derivatives(rank: int) -> None:
    """The determinant is a polynomial: nothing about a singular matrix is special."""
    u, v = values(40, 3, rank), values(41, rank, 3)
    _second(linalg.det, u @ v)
    a = _leaf(u @ v)
    (g,) = autograd.grad(linalg.det(a), [a])
    minors = [[np.delete(np.delete(a._data, i, 0), j, 1) for j in range(3)] for i in range(3)]
    expected = [[(-1) ** (i + j) * np.linalg.det(minors[i][j]) for j in range(3)] for i in range(3)]
    np.testing.assert_allclose(g._data, expected, atol=1e-12)


def test_a_singular_determinant_has_a_third_derivative() -> None:
    a = _leaf(np.diag([1.0, 2.0, 0.0]))
    (g,) = autograd.grad(linalg.det(a), [a], create_graph=True)
    (h,) = autograd.grad(g[2, 2], [a], create_graph=True)  # of a00 a11 - a01 a10
    np.testing.assert_allclose(h._data, [[2, 0, 0], [0, 1, 0], [0, 0, 0]], atol=1e-12)
    (t,) = autograd.grad(h[0, 0], [a])
    np.testing.assert_allclose(t._data, [[0, 0, 0], [0, 1, 0], [0, 0, 0]], atol=1e-12)


def test_equal_singular_values_do_no_harm_to_those_who_ask_for_values_alone() -> None:
    a = _leaf(np.eye(3))
    linalg.svd(a).S.sum().backward()
    np.testing.assert_allclose(a.grad._data, np.eye(3))
    a = _leaf(np.eye(3))
    linalg.eigh(a).eigenvalues.sum().backward()
    np.testing.assert_allclose(a.grad._data, np.eye(3))


@pytest.mark.parametrize(
    "call",
    [
        lambda a: linalg.svd(a, full_matrices=False), lambda a: linalg.eigh(positive(a)), linalg.qr, linalg.eig,
        lambda a: linalg.lu(a)[1:], lambda a: linalg.slogdet(a)[:1],
    ],
)  # fmt: skip
def test_a_saved_result_changed_in_place_is_noticed(call: Callable[..., Any]) -> None:
    for k in range(len(call(_leaf(values(50, 3, 3))))):
        results = call(_leaf(cvalues(50, 3, 3)))
        total = sum(abs(x).sum() for x in results)
        with cg.no_grad():
            results[k].mul_(2)
        with pytest.raises(GradError, match="modified by an inplace operation"):
            total.backward()


def test_saved_results_stay_the_ones_that_were_given_out() -> None:
    """A gradient of a gradient by a factor itself arrives at that factor."""
    a = _leaf(values(51, 3, 3))
    w, v = linalg.eigh(positive(a))
    (g,) = autograd.grad((v**3).sum() + w.sum(), [a], create_graph=True)
    back = autograd.grad(g.sum(), [w, v], allow_unused=True)
    assert all(x is not None for x in back)


def test_zeros_on_the_diagonal_of_a_triangle_divide() -> None:
    a = np.triu(values(60, 70, 70)) + 4 * np.eye(70)
    a[3, 3] = 0
    b = values(61, 70, 2)
    x = linalg.solve_triangular(Tensor(a, None), Tensor(b, None), upper=True)._data
    np.testing.assert_allclose(x[4:], np.linalg.solve(a[4:, 4:], b[4:]))
    assert np.isinf(x[3]).all() and not np.isfinite(x[:3]).any()


def test_singular_matrices_are_named() -> None:
    assert issubclass(linalg.LinAlgError, RuntimeError) and linalg.LinAlgError is LinAlgError
    bad = Tensor(np.stack([np.eye(2), np.ones((2, 2))]), None)
    with pytest.raises(LinAlgError, match=r"linalg.inv: \(Batch element 1\): The diagonal element 2 is zero"):
        linalg.inv(bad)
    inverse, info = linalg.inv_ex(bad)
    assert info.tolist() == [0, 2]
    np.testing.assert_array_equal(inverse._data[0], np.eye(2))
    assert np.isnan(inverse._data[1]).all()
    with pytest.raises(LinAlgError, match=r"linalg\.inv_ex: \(Batch element 1\)"):
        linalg.inv_ex(bad, check_errors=True)
    factor, info = linalg.cholesky_ex(Tensor(np.stack([np.eye(3), np.diag([4.0, -1.0, 1.0])]), None))
    assert info.tolist() == [0, 2] and factor[1, 0, 0].item() == 2


def test_a_matrix_that_lapack_finds_singular_by_rounding() -> None:
    """Where elimination here rounds otherwise than LAPACK's, the least pivot is named."""
    rng = np.random.default_rng(3)
    for n in (3, 5, 8):
        a = rng.integers(-3, 4, (40, n, n)).astype(np.float64)
        a[:, -1] = a[:, 0] + a[:, 1]
        _, info = linalg.inv_ex(Tensor(a, None))
        for matrix, found in zip(a, info.tolist(), strict=True):
            try:
                np.linalg.inv(matrix)
            except np.linalg.LinAlgError:
                assert found
            else:
                assert not found or abs(np.linalg.det(matrix)) < 1e-9


@pytest.mark.parametrize(("m", "n"), [(40, 40), (70, 33), (33, 70), (90, 70), (70, 90), (1, 5), (5, 1)])
@pytest.mark.parametrize("kind", [np.float32, np.complex128])
@pytest.mark.parametrize("large", [64, 0], ids=["any", "numpy"])
def test_large_factors_multiply_to_the_matrix(
    m: int, n: int, kind: Any, large: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With SciPy's LAPACK where it is installed, and without."""
    monkeypatch.setattr(lapack, "_LARGE", large)
    a = Tensor(cvalues(52, m, n).real.astype(kind) if kind == np.float32 else cvalues(52, m, n), None)
    p, left, right = linalg.lu(a)
    np.testing.assert_allclose((p @ left @ right)._data, a._data, atol=1e-4 if kind == np.float32 else 1e-12)
    assert (abs(left)._data <= 1 + 1e-6).all() or kind == np.complex128


@pytest.mark.parametrize("size", [1e-8, 1.0, 30.0, 700.0])
def test_exponentials_over_a_range_of_norms(size: float) -> None:
    a = np.array([[-1.0, 1.0], [0.0, -1.0]]) * size
    expected = np.exp(-size) * np.array([[1.0, size], [0.0, 1.0]])
    np.testing.assert_allclose(linalg.matrix_exp(Tensor(a, None))._data, expected, rtol=1e-11, atol=1e-280)


def test_half_precision_exponentials_are_rounded_once() -> None:
    x = cg.eye(3, dtype=cg.float16)
    assert linalg.matrix_exp(x).dtype is cg.float16
    assert linalg.matrix_exp(x)[0, 0].item() == float(np.float16(np.exp(np.float32(1))))


@pytest.mark.parametrize(
    "call",
    [
        linalg.inv, linalg.det, linalg.matrix_exp, linalg.svdvals, linalg.pinv, linalg.matrix_rank,
        lambda a: tuple(linalg.lu(a)), lambda a: tuple(linalg.qr(a)), lambda a: linalg.lu_solve(*linalg.lu_factor(a), a),
    ],
)  # fmt: skip
def test_vmap_is_the_batch(call: Callable[..., Any]) -> None:
    a = Tensor(matrices(53, 4, 3, 3), None)
    mapped, whole = vmap(call)(a), call(a)
    for x, y in zip(
        mapped if type(mapped) is tuple else [mapped], whole if type(whole) is tuple else [whole]
    ):
        np.testing.assert_allclose(x._data, y._data, atol=1e-12)


def test_vmap_refuses_a_singular_sample() -> None:
    with pytest.raises(LinAlgError, match="singular"):
        vmap(linalg.inv)(Tensor(np.stack([np.eye(2), np.ones((2, 2))]), None))


def test_residuals_only_of_full_rank() -> None:
    a, b = np.zeros((4, 2)), np.ones((4, 1))
    a[:, 0] = 1
    found = linalg.lstsq(Tensor(a, None), Tensor(b, None), driver="gelsd")
    assert found.rank.item() == 1 and found.residuals.shape == (0,)
    np.testing.assert_allclose(found.solution._data, [[1.0], [0.0]])
    with pytest.raises(ConvgradError, match="should be one of"):
        linalg.lstsq(Tensor(a, None), Tensor(b, None), driver="qr")


def test_the_family_is_loaded_when_it_is_used() -> None:
    program = (
        "import sys, convgrad as cg\n"
        "assert not [n for n in sys.modules if n.startswith('convgrad') and ('functions_spectra' in n or 'decomp' in n)]\n"
        "assert 'inverse' in dir(cg) and 'det' in dir(cg.Tensor) and hasattr(cg, 'vander')\n"
        "print(cg.eye(2).inverse().tolist(), cg.det(cg.eye(2)).item(), cg.lu_unpack.__name__)\n"
    )
    source = {**os.environ, "PYTHONPATH": str(Path(cg.__file__).resolve().parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=source
    )
    assert done.stdout == "[[1.0, 0.0], [0.0, 1.0]] 1.0 lu_unpack\n"
