"""Inverses, determinants and factorisations as methods, under PyTorch's older names; see ``linalg``."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import DtypeError, ShapeError
from ...ops import lapack
from ...ops.linalg import Cholesky
from .. import functions_solvers as solvers
from .. import functions_spectra as spectra
from .. import return_types
from ..functions_reduce import matrix_norm
from ..matrices import as_square, check_batches, check_float, check_kernel
from .base import Methods
from .order import scalar_name


class LateMethods(Methods):
    """Methods of tensors of matrices ``(..., m, n)``."""

    __slots__ = ()

    def inverse(self) -> Any:
        """The inverse of square matrices; see ``linalg.inv``."""
        return solvers.inv(_me(self))

    def det(self) -> Any:
        """The determinant of square matrices; see ``linalg.det``."""
        return solvers.det(_me(self))

    def slogdet(self) -> Any:
        """Sign and logarithm of the determinant's absolute value; see ``linalg.slogdet``."""
        return return_types.slogdet(solvers.slogdet(_me(self)))

    def logdet(self) -> Any:
        """The logarithm of the determinant: NaN where it is negative, -inf where it is 0."""
        sign, size = solvers.sign_and_size(_me(self), "logdet")
        if sign._data.dtype.kind == "c":
            return size + sign.log()
        return size.where(sign != -1, float("nan"))

    def matrix_exp(self) -> Any:
        """The exponential of square matrices; see ``linalg.matrix_exp``."""
        return solvers.matrix_exp(_me(self))

    def pinverse(self, rcond: float = 1e-15) -> Any:
        """The pseudo-inverse; singular values up to ``rcond`` times the largest count as 0."""
        return solvers.pinv(_me(self), rtol=rcond)

    def cholesky(self, upper: bool = False) -> Any:
        """The Cholesky factor; see ``linalg.cholesky``."""
        check_kernel(as_square(self, "cholesky"), "cholesky_cpu")
        return self._apply(Cholesky, (self,), (upper, "cholesky"))[0]

    def cholesky_solve(self, L: Any, upper: bool = False) -> Any:
        """X with ``A X = self`` from the Cholesky factor of A: ``L Lᴴ X = self``, or ``Uᴴ U X = self``."""
        a, b = L._data, self._data
        for name, x in (("b", b), ("u", a)):
            if x.ndim < 2:
                raise ShapeError(
                    f"{name} should have at least 2 dimensions, but has {x.ndim} dimensions instead"
                )
        _check_sizes(a, b, "cholesky_solve")
        if a.dtype != b.dtype:
            raise DtypeError(
                f"Expected b and A to have the same dtype, but found b of type {scalar_name(b.dtype)} and "
                f"A of type {scalar_name(a.dtype)} instead."
            )
        check_kernel(a, "cholesky_solve_cpu")
        lower = L.adjoint() if upper else L
        inner = solvers.solve_triangular(lower, _me(self), upper=False)
        return solvers.solve_triangular(lower.adjoint(), inner, upper=True)

    def cholesky_inverse(self, upper: bool = False) -> Any:
        """The inverse of A from its Cholesky factor, self."""
        a = as_square(self, "cholesky_inverse")
        check_kernel(a, "cholesky_inverse_out_cpu")
        if a.size:
            zero = a.diagonal(0, -2, -1) == 0
            lapack.check((zero.argmax(-1) + 1) * zero.any(-1), "cholesky_inverse", "inv")
        me = _me(self)
        return self._wrap(np.eye(a.shape[-1], dtype=a.dtype)).cholesky_solve(me, upper)

    def qr(self, some: bool = True) -> Any:
        """(Q, R): reduced, or complete; see ``linalg.qr``."""
        return return_types.qr(spectra.orthogonal(_me(self), "reduced" if some else "complete"))

    def svd(self, some: bool = True, compute_uv: bool = True) -> Any:
        """(U, S, V) with ``self = U diag(S) Vᴴ``; see ``linalg.svd``.

        Without ``compute_uv`` U and V are zeros.
        """
        me = _me(self)
        if len(self._data.shape) < 2:
            raise ShapeError(
                f"linalg.svd: input should have at least 2 dimensions, but has {self._data.ndim} "
                "dimensions instead"
            )
        if compute_uv:
            u, s, vh = spectra.singular(me, not some)
            return return_types.svd((u, s, vh.adjoint()))
        (*batch, m, n), plain = self._data.shape, me.detach()
        s = spectra.svdvals(me)
        return return_types.svd((plain.new_zeros((*batch, m, m)), s, plain.new_zeros((*batch, n, n))))

    def lu(self, pivot: bool = True, get_infos: bool = False) -> Any:
        """(LU, pivots), and info with ``get_infos``; see ``linalg.lu_factor_ex``."""
        found = solvers.lu_factor_ex(_me(self), pivot=pivot)
        return tuple(found) if get_infos else tuple(found[:2])

    def lu_solve(self, LU_data: Any, LU_pivots: Any) -> Any:
        """X with ``A X = self`` from the results of ``lu_factor(A)``."""
        return solvers.lu_solve(LU_data, LU_pivots, _me(self))

    def triangular_solve(
        self, A: Any, upper: bool = True, transpose: bool = False, unitriangular: bool = False
    ) -> Any:
        """(X with ``A X = self`` for triangular A, a copy of A); see ``linalg.solve_triangular``."""
        a, b = A._data, self._data
        for name, x in (("b", b), ("A", a)):
            if x.ndim < 2:
                raise ShapeError(
                    f"torch.triangular_solve: Expected {name} to have at least 2 dimensions, but it has "
                    f"{x.ndim} dimensions instead"
                )
        _check_sizes(a, b, "triangular_solve")
        check_kernel(a, "triangular_solve_cpu")
        used = A.transpose(-1, -2) if transpose else A
        out = solvers.solve_triangular(
            used,
            _me(self),
            upper=upper != transpose,
            unitriangular=unitriangular,
        )
        return return_types.triangular_solve((out, A.expand(*out._data.shape[:-2], *a.shape[-2:]).clone()))

    def orgqr(self, input2: Any) -> Any:
        """``linalg.householder_product``."""
        return spectra.householder_product(_me(self), input2)

    def _nuclear_norm(self, dim: Any, keepdim: bool, dtype: Any) -> Any:
        """``Tensor.norm("nuc")``: the sum of singular values over all (two) dimensions, or over a pair."""
        dims = tuple(range(self._data.ndim)) if dim is None else dim
        return matrix_norm(_me(self), "nuc", dims, keepdim, dtype=dtype)

    def _spectral_norm(self, ord: Any, dim: tuple[int, int], keepdim: bool, dtype: Any) -> Any:
        """The largest (2), the least (-2) or the sum ("nuc") of the singular values over two dimensions."""
        check_float(self._data, "linalg.matrix_norm")
        wide = _me(self)
        if dtype is not None:
            wide = wide.to(dtype)
        if dim != (self._data.ndim - 2, self._data.ndim - 1):
            wide = wide.movedim(dim, (-2, -1))
        sizes: Any = spectra.svdvals(wide)
        if ord == "nuc":
            out = sizes.sum(-1)
        elif ord > 0 and not sizes._data.shape[-1]:
            out = sizes.detach().sum(-1)  # of nothing: a constant 0
        else:
            out = sizes.amax(-1) if ord > 0 else sizes.amin(-1)
        if keepdim:
            for d in sorted(dim):
                out = out.unsqueeze(d)
        return out


def _me(methods: Any) -> Any:
    """The tensor that a mixin's ``self`` is."""
    return methods


def _check_sizes(a: Any, b: Any, name: str) -> None:
    if a.shape[-1] != a.shape[-2]:
        raise ShapeError(
            f"A must be batches of square matrices, but they are {a.shape[-2]} by {a.shape[-1]} matrices"
        )
    if a.shape[-1] != b.shape[-2]:
        raise ShapeError(
            f"Incompatible matrix sizes for {name}: each A matrix is {a.shape[-1]} by {a.shape[-1]} but "
            f"each b matrix is {b.shape[-2]} by {b.shape[-1]}"
        )
    check_batches(a.shape[:-2], b.shape[:-2])
