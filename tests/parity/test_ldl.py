"""``linalg.ldl_factor`` and ``ldl_solve`` against PyTorch: factors, pivots, solutions, refusals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import convgrad

pytestmark = pytest.mark.parity


def matrices(trial: int) -> tuple[np.ndarray, bool]:
    """Batches of symmetric or Hermitian matrices of four dtypes, some without a diagonal, some singular."""
    rng = np.random.default_rng(trial)
    n, batch = trial % 8, [(), (2,), (2, 3)][trial % 3]
    dtype = [np.float32, np.float64, np.complex64, np.complex128][trial // 2 % 4]
    hermitian = bool(trial % 2)
    a = rng.normal(size=(*batch, n, n))
    if np.dtype(dtype).kind == "c":
        a = a + 1j * rng.normal(size=a.shape)
    if trial % 5 == 0:
        a[..., range(n), range(n)] = 0
    if trial % 7 == 0:
        a = np.round(a)
    return (a + (a.conj() if hermitian else a).swapaxes(-1, -2)).astype(dtype), hermitian


@pytest.mark.parametrize("trial", range(120))
def test_factors_and_solutions(trial: int) -> None:
    a, hermitian = matrices(trial)
    theirs = torch.linalg.ldl_factor_ex(torch.tensor(a), hermitian=hermitian)
    ours = convgrad.linalg.ldl_factor_ex(convgrad.tensor(a), hermitian=hermitian)
    np.testing.assert_array_equal(ours.pivots.numpy(), theirs.pivots.numpy())
    np.testing.assert_array_equal(ours.info.numpy(), theirs.info.numpy())
    tol = 1e-3 if a.dtype in (np.float32, np.complex64) else 1e-9
    np.testing.assert_allclose(ours.LD.numpy(), theirs.LD.numpy(), rtol=tol, atol=10 * tol)
    if theirs.info.any():
        return
    b = np.random.default_rng(trial).normal(size=(*a.shape[:-1], 2)).astype(a.dtype)
    x = convgrad.linalg.ldl_solve(*ours[:2], convgrad.tensor(b), hermitian=hermitian)
    y = torch.linalg.ldl_solve(*theirs[:2], torch.tensor(b), hermitian=hermitian)
    np.testing.assert_allclose(x.numpy(), y.numpy(), rtol=50 * tol, atol=50 * tol)


MISTAKES: list[Callable[[Any], Any]] = [
    lambda lib: lib.linalg.ldl_factor(lib.ones(3)),
    lambda lib: lib.linalg.ldl_factor(lib.ones(3, 2)),
    lambda lib: lib.linalg.ldl_factor(lib.ones(3, 3, dtype=lib.int64)),
    lambda lib: lib.linalg.ldl_factor(lib.ones(3, 3, dtype=lib.float16)),
    lambda lib: lib.linalg.ldl_factor(lib.zeros(2, 2)),
    lambda lib: lib.linalg.ldl_factor_ex(lib.zeros(2, 2), check_errors=True),
    lambda lib: lib.linalg.ldl_factor([1]),
    lambda lib: lib.linalg.ldl_factor(lib.eye(2), False),
    lambda lib: lib.linalg.ldl_factor(lib.eye(2).requires_grad_())[0].sum().backward(),
    lambda lib: lib.linalg.ldl_solve(*lib.linalg.ldl_factor(lib.eye(2)), lib.ones(3, 1)),
    lambda lib: lib.linalg.ldl_solve(*lib.linalg.ldl_factor(lib.eye(2)), lib.ones(2, 1, dtype=lib.float64)),
    lambda lib: lib.linalg.ldl_solve(lib.eye(2), lib.ones(2), lib.ones(2, 1)),
    lambda lib: lib.linalg.ldl_solve(lib.eye(2), lib.ones(3, dtype=lib.int32), lib.ones(2, 1)),
]


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes(mistake: Callable[[Any], Any]) -> None:
    with pytest.raises(Exception) as expected:
        mistake(torch)
    with pytest.raises(expected.type) as found:
        mistake(convgrad)
    words = str(expected.value)
    said = (
        words[-24:] if expected.type is TypeError else words[:45].rstrip(".")
    )  # arguments: the prefix differs
    assert "INTERNAL ASSERT" in words or said in str(found.value)
