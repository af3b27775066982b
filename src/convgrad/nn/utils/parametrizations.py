"""Parametrizations by name: orthogonal weights, weights by length and direction, of spectral norm 1."""

from __future__ import annotations

import enum
from typing import Any

import numpy as np

from ... import linalg
from ...autograd import no_grad
from ...tensor import creation
from ...tensor.functions_shape import cat
from ...tensor.tensor import Tensor
from ..functional import normalize
from ..module import Module
from .parametrize import M, register_parametrization
from .spectral_norm import default_dim
from .weight_norm import norm_except_dim, with_norm


class _OrthMaps(enum.Enum):
    matrix_exp = enum.auto()
    cayley = enum.auto()
    householder = enum.auto()


def _make_orthogonal(a: Tensor) -> Tensor:
    """The orthogonal factor of a tall matrix, the one whose R has a positive diagonal."""
    q, r = linalg.qr(a)
    return q * r.diagonal(dim1=-2, dim2=-1).sgn().unsqueeze(-2)


def _is_orthogonal(q: Tensor) -> bool:
    n, k = q._data.shape[-2:]
    eye = np.eye(k, dtype=q._data.dtype)
    eps = 10.0 * n * np.finfo(q._data.dtype).eps
    product = np.swapaxes(q._data, -1, -2).conj() @ q._data
    return bool(np.allclose(product, eye, atol=eps))


def _reflectors(q: Tensor) -> Tensor:
    """A tall matrix as Householder vectors below the diagonal, the signs of the columns on it."""
    a = np.array(q._data)
    flat = a.reshape(-1, *a.shape[-2:])
    for k, one in enumerate(flat):
        h, tau = np.linalg.qr(one, mode="raw")
        factored = h.T.copy()
        sign = np.sign(np.diagonal(factored)).copy()
        sign[: tau.size][tau == 0] *= -1
        np.fill_diagonal(factored, sign)
        flat[k] = factored
    return Tensor(flat.reshape(a.shape), None)


class _Orthogonal(Module):
    """From any matrix to one with orthonormal rows or columns, whichever are fewer.

    ``matrix_exp``: exp of the skew-symmetric part A; ``cayley``: ``(I + A / 2) (I - A / 2)⁻¹``;
    ``householder``: a product of reflections. With a ``base`` the result is ``base`` times that, so that any
    starting point is reached at the identity. Source: Lezcano-Casado 2019, arXiv:1909.09501.
    """

    base: Any

    def __init__(self, weight: Tensor, orthogonal_map: _OrthMaps, *, use_trivialization: bool = True) -> None:
        super().__init__()
        if weight._data.dtype.kind == "c" and orthogonal_map is _OrthMaps.householder:
            raise ValueError("The householder parametrization does not support complex tensors.")
        self.shape = weight.shape
        self.orthogonal_map = orthogonal_map
        if use_trivialization:
            self.register_buffer("base", None)

    def forward(self, X: Tensor) -> Tensor:
        """``(*, n, k)`` to an orthogonal matrix of this shape."""
        n, k = X._data.shape[-2:]
        wide = n < k
        if wide:
            X, n, k = X.mT, k, n
        if self.orthogonal_map is _OrthMaps.householder:
            a = X.tril(diagonal=-1)
            tau = 2.0 / (1.0 + (a * a.conj()).sum(-2))
            q = linalg.householder_product(a, tau)
            q = q * X.diagonal(dim1=-2, dim2=-1).detach().sign().unsqueeze(-2)
        else:
            q = self._from_skew(X.tril(), n, k)
        if getattr(self, "base", None) is not None:
            q = self.base @ q
        return q.mT if wide else q

    def _from_skew(self, x: Tensor, n: int, k: int) -> Tensor:
        if n != k:
            x = cat([x, creation.zeros(*x._data.shape[:-1], n - k, dtype=x.dtype)], -1)
        a = x - x.mH
        if self.orthogonal_map is _OrthMaps.matrix_exp:
            q = a.matrix_exp()
        else:
            eye = creation.eye(n, dtype=a.dtype)
            q = linalg.solve(eye - a * 0.5, eye + a * 0.5)
        return q[..., :k] if n != k else q

    def right_inverse(self, Q: Tensor) -> Tensor:
        """What ``forward`` makes Q, or the orthogonal matrix nearest to it, from; ``base`` is set for that.

        Raises:
            ValueError: another shape.
            NotImplementedError: without ``base`` there is no inverse of the exponential and of Cayley's map.
        """
        with no_grad():
            if self.shape != Q.shape:
                raise ValueError(
                    f"Expected a matrix or batch of matrices of shape {self.shape}. Got {Q.shape}."
                )
            first = Q
            n, k = Q._data.shape[-2:]
            wide = n < k
            if wide:
                Q, n, k = Q.mT, k, n
            if not hasattr(self, "base"):
                if self.orthogonal_map is not _OrthMaps.householder:
                    raise NotImplementedError(
                        "It is not possible to assign to the matrix exponential or the Cayley "
                        "parametrizations when use_trivialization=False."
                    )
                a = _reflectors(Q)
                return a.mT if wide else a
            if n == k:
                Q = Q.clone() if _is_orthogonal(Q) else _make_orthogonal(Q)
            else:  # some more columns make it square
                more = creation.empty(*Q._data.shape[:-2], n, n - k, dtype=Q.dtype).normal_()
                Q = _make_orthogonal(cat([Q, more], -1))
            self.base = Q
            out = np.zeros(first._data.shape, first._data.dtype)
            at = np.arange(min(out.shape[-2:]))
            out[..., at, at] = -1.0  # every map gives the identity for this
            return Tensor(out, None)


def _tensor_of(module: Module, name: str) -> Tensor:
    found = getattr(module, name, None)
    if not isinstance(found, Tensor):
        raise ValueError(f"Module '{module}' has no parameter or buffer with name '{name}'")
    return found


def orthogonal(
    module: M, name: str = "weight", orthogonal_map: str | None = None, *, use_trivialization: bool = True
) -> M:
    """Keep a weight orthogonal: its rows, or its columns if there are fewer, stay orthonormal.

    Args:
        module: whose weight it is.
        name: of a matrix or a batch of matrices.
        orthogonal_map: "matrix_exp", "cayley" or "householder"; None: the first for square matrices and
            complex ones, else the last.
        use_trivialization: keep a fixed orthogonal matrix that is multiplied with the map's result.
    Raises:
        ValueError: no such tensor, fewer than two dimensions, or an unknown map.
    Source: Lezcano-Casado & Martínez-Rubio 2019, arXiv:1901.08428.
    """
    weight = _tensor_of(module, name)
    if weight._data.ndim < 2:
        raise ValueError(
            f"Expected a matrix or batch of matrices. Got a tensor of {weight._data.ndim} dimensions."
        )
    if orthogonal_map is None:
        square = weight._data.shape[-2] == weight._data.shape[-1]
        orthogonal_map = "matrix_exp" if square or weight._data.dtype.kind == "c" else "householder"
    chosen = getattr(_OrthMaps, orthogonal_map, None)
    if chosen is None:
        raise ValueError(
            f'orthogonal_map has to be one of "matrix_exp", "cayley", "householder". Got: {orthogonal_map}'
        )
    made = _Orthogonal(weight, chosen, use_trivialization=use_trivialization)
    return register_parametrization(module, name, made, unsafe=True)


class _WeightNorm(Module):
    def __init__(self, dim: int | None = 0) -> None:
        super().__init__()
        self.dim = -1 if dim is None else dim

    def forward(self, weight_g: Tensor, weight_v: Tensor) -> Tensor:
        """Length and direction to the weight."""
        return with_norm(weight_v, weight_g, self.dim)

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """The weight to its length and itself."""
        return norm_except_dim(weight, self.dim), weight


def weight_norm(module: M, name: str = "weight", dim: int | None = 0) -> M:
    """Train a weight as length and direction: ``original0 * original1 / |original1|``.

    States of the older ``nn.utils.weight_norm`` are read.

    Args:
        module: whose weight it is.
        name: of the weight.
        dim: each slice along it has a length of its own; None: one for the whole.
    Source: Salimans & Kingma 2016, arXiv:1602.07868.
    """
    register_parametrization(module, name, _WeightNorm(dim), unsafe=True)

    def from_old_names(state_dict: Any, prefix: str, *rest: Any) -> None:
        old = [f"{prefix}{name}_{end}" for end in "gv"]
        if all(key in state_dict for key in old):
            for k, key in enumerate(old):
                state_dict[f"{prefix}parametrizations.{name}.original{k}"] = state_dict.pop(key)

    module._register_load_state_dict_pre_hook(from_old_names)
    return module


class _SpectralNorm(Module):
    """Divides by the largest singular value, by vectors u and v that follow it."""

    _u: Any
    _v: Any

    def __init__(self, weight: Tensor, n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12) -> None:
        super().__init__()
        ndim = weight._data.ndim
        if not -ndim <= dim < ndim:
            raise IndexError(
                f"Dimension out of range (expected to be in range of [-{ndim}, {ndim - 1}] but got {dim})"
            )
        if n_power_iterations <= 0:
            raise ValueError(
                f"Expected n_power_iterations to be positive, but got n_power_iterations={n_power_iterations}"
            )
        self.dim = dim if dim >= 0 else dim + ndim
        self.eps = eps
        if ndim > 1:
            self.n_power_iterations = n_power_iterations
            with no_grad():
                matrix = self._matrix(weight)
                rows, columns = matrix._data.shape
                u, v = matrix.new_empty(rows).normal_(0, 1), matrix.new_empty(columns).normal_(0, 1)
                self.register_buffer("_u", normalize(u, dim=0, eps=eps))
                self.register_buffer("_v", normalize(v, dim=0, eps=eps))
                self._iterate(matrix, 15)  # a good start, so that the first values make sense

    def _matrix(self, weight: Tensor) -> Tensor:
        out = weight.movedim(self.dim, 0) if self.dim else weight
        return out.reshape(out._data.shape[0], -1)

    def _iterate(self, matrix: Tensor, count: int) -> None:
        with no_grad():
            for _ in range(count):
                self._u.copy_(normalize(matrix.mv(self._v), dim=0, eps=self.eps))
                self._v.copy_(normalize(matrix.mH.mv(self._u), dim=0, eps=self.eps))

    def forward(self, weight: Tensor) -> Tensor:
        """``weight / sigma``; in training after steps of the power iteration."""
        if weight._data.ndim == 1:
            return normalize(weight, dim=0, eps=self.eps)
        matrix = self._matrix(weight)
        if self.training:
            self._iterate(matrix, self.n_power_iterations)
        u, v = self._u.clone(), self._v.clone()  # the graph keeps these: a second forward changes the buffers
        return weight / u.conj().dot(matrix.mv(v))

    def right_inverse(self, value: Tensor) -> Tensor:
        """The value itself."""
        return value


def spectral_norm(
    module: M, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> M:
    """Divide a weight by its largest singular value, found by power iteration along with training.

    Args:
        module: whose weight it is.
        name: of the weight.
        n_power_iterations: steps of the iteration whenever the weight is computed in training.
        eps: lower bound of norms.
        dim: the dimension of the outputs; None: 1 for transposed convolutions, else 0.
    Raises:
        ValueError: no such tensor, or no iterations.
        IndexError: dim out of range.
    Source: Miyato et al. 2018, arXiv:1802.05957.
    """
    weight = _tensor_of(module, name)
    at = default_dim(module) if dim is None else dim
    return register_parametrization(module, name, _SpectralNorm(weight, n_power_iterations, at, eps))


__all__ = ["orthogonal", "spectral_norm", "weight_norm"]
