"""Covariance, quantiles, histograms, distances and norms cut to a limit, as methods."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from ... import dtypes
from ...dtypes import Array
from ...errors import ConvgradError, DtypeError, ShapeError
from ...ops import distance
from ...ops.complex import Complex
from .. import return_types
from ..histograms import density_of, edges_between, finite_range, histogram_of
from ..promotion import common_dtype
from .base import Methods, dim_index
from .operands import run
from .order import scalar_name


class LateMethods(Methods):
    """``cov``, ``quantile``, ``histogram``, ``dist``, ``renorm`` and their kin."""

    __slots__ = ()

    def cov(self, *, correction: int = 1, fweights: Any = None, aweights: Any = None) -> Any:
        """The covariance of the rows of a matrix, whose columns are observations.

        Args:
            correction: subtracted from the number of observations.
            fweights: how often each observation counts: integers, one per observation.
            aweights: how much each observation counts: floats.
        Returns:
            ``(rows, rows)``, or 0-d for a vector (one variable).
        Raises:
            ShapeError: more than two dimensions; weights that do not fit.
            DtypeError: bool; weights of another kind.
        Example:
            >>> tensor([[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]]).cov().tolist()
            [[1.0, -1.0], [-1.0, 1.0]]

        Source: semantics of torch.cov.
        """
        x: Any = self
        _check_variables("cov", self._data)
        if self._data.dtype.kind in "iu":
            x = x._cast(dtypes.default_dtype())
        x = x if self._data.ndim == 2 else x.view(1, -1)
        count = x._data.shape[1]
        weights: Any = None
        for name, given, kinds in (("fweights", fweights, "iu"), ("aweights", aweights, "fV")):
            if given is not None:
                _check_weights(name, given, kinds, count)
                weights = given if weights is None else weights * given
        if weights is None:
            total: Any = count
            mean = x.sum(1) / count
        else:
            total = weights.sum()
            if total._data == 0:
                raise ConvgradError("cov(): weights sum to zero, can't be normalized")
            mean = (x * weights).sum(1) / total
        if aweights is not None and correction:
            norm = total - correction * (weights * aweights).sum() / total
        else:
            norm = total - correction
        if (norm if weights is None else norm._data) <= 0:
            warnings.warn(
                "cov(): degrees of freedom is <= 0. Correction should be strictly less than the number of "
                "observations.",
                stacklevel=2,
            )
            norm = 0
        centred = x - mean.unsqueeze(1)
        other = centred if weights is None else centred * weights
        return (centred.mm(other.t().conj()) / norm).squeeze()

    def corrcoef(self) -> Any:
        """The correlation of the rows of a matrix: the covariance over both standard deviations.

        Example:
            >>> tensor([[0.0, 1.0, 2.0], [4.0, 2.0, 0.0]]).corrcoef()[0, 1].round(decimals=4).item()
            -1.0

        Source: semantics of torch.corrcoef.
        """
        _check_variables("corrcoef", self._data)
        c = self.cov()
        if not c._data.ndim:
            return c / c
        deviation = (c.diagonal().real if c._data.dtype.kind == "c" else c.diagonal()).sqrt()
        c = c / deviation.view(-1, 1) / deviation.view(1, -1)
        if c._data.dtype.kind != "c":
            return c.clip(-1, 1)
        return run(Complex, (c.real.clip(-1, 1), c.imag.clip(-1, 1)))

    def quantile(
        self, q: Any, dim: Any = None, keepdim: bool = False, *, interpolation: str = "linear"
    ) -> Any:
        """The value below which a part ``q`` of the elements lies, of all or along a dimension; NaN wins.

        Args:
            q: from 0 to 1: a number, or a tensor of self's dtype, 0-d or 1-d.
            interpolation: between two elements: "linear", "lower", "higher", "midpoint" or "nearest".
        Returns:
            self's dtype (float32 or float64); a 1-d ``q`` is the first dimension of the result.
        Raises:
            DtypeError: another dtype. ShapeError: nothing to choose from.
            ConvgradError: q out of range, or an unknown interpolation.
        Example:
            >>> tensor([1.0, 2.0, 3.0, 5.0]).quantile(0.5).item()
            2.5

        Source: Hyndman & Fan 1996, definition 7; semantics of torch.quantile.
        """
        return _quantile("quantile", self, q, dim, keepdim, interpolation)

    def nanquantile(
        self, q: Any, dim: Any = None, keepdim: bool = False, *, interpolation: str = "linear"
    ) -> Any:
        """``quantile`` of the elements that are not NaN; NaN where there is none.

        Example:
            >>> tensor([1.0, float("nan"), 3.0]).nanquantile(0.5).item()
            2.0
        """
        return _quantile("nanquantile", self, q, dim, keepdim, interpolation)

    def histogram(
        self, bins: Any = 100, *, range: Any = None, weight: Any = None, density: bool = False
    ) -> Any:
        """How many elements (or how much weight) lie between neighbouring edges; the last edge belongs in.

        Args:
            bins: a number of equal bins over ``range``, or the edges themselves in order.
            range: (least, largest) edge; taken from the elements if None.
            weight: what each element counts, in self's shape and dtype.
            density: divide so that the whole has an area of 1.
        Returns:
            the pair (hist, bin_edges), in self's dtype; no gradient.
        Raises:
            NotImplementedError: not float32 or float64. ShapeError: bins or weights that do not fit.
        Example:
            >>> tensor([0.0, 1.0, 1.0, 2.0]).histogram(2).hist.tolist()
            [1.0, 3.0]

        Source: semantics of torch.histogram.
        """
        data = self._data
        if data.dtype.kind not in "fV":
            raise NotImplementedError(f"\"histogramdd\" not implemented for '{scalar_name(data.dtype)}'")
        points = data.reshape(-1, 1)
        if hasattr(bins, "_data"):
            edges = bins._data
        else:
            edges = edges_between(finite_range(points, 0, range), bins, 0, data.dtype)
        hist = histogram_of(points, [edges], None if weight is None else weight._data, data.shape)
        if density:
            hist = density_of(hist, [edges])
        return return_types.histogram((self._wrap(hist), self._wrap(edges)))

    def dist(self, other: Any, p: Any = 2) -> Any:
        """The p-norm of ``self - other``, broadcast, over all elements: 0-d.

        Raises:
            DtypeError: integers. ShapeError: shapes that do not broadcast.
        Example:
            >>> tensor([0.0, 0.0]).dist(tensor([3.0, 4.0])).item()
            5.0

        Source: semantics of torch.dist.
        """
        common = common_dtype(self, other)
        if common.category < dtypes.FLOATING:
            raise DtypeError(
                "norm(): input dtype should be either floating point or complex. Got "
                f"{scalar_name(common.np)} instead."
            )
        x: Any = self
        return run(distance.Dist, (x._cast(common), other._cast(common)), (float(p),))

    def renorm(self, p: Any, dim: int, maxnorm: Any) -> Any:
        """Slices along ``dim`` whose p-norm is above ``maxnorm`` scaled down to it.

        Raises:
            ShapeError: fewer than two dimensions. ConvgradError: p is not positive, or maxnorm negative.
        Example:
            >>> tensor([[0.0, 4.0], [0.0, 0.5]]).renorm(2, 0, 1.0).round(decimals=4).tolist()
            [[0.0, 1.0], [0.0, 0.5]]

        Source: semantics of torch.renorm.
        """
        return self._apply(distance.Renorm, (self,), _renorm_plan(self._data, p, dim, maxnorm))

    def renorm_(self, p: Any, dim: int, maxnorm: Any) -> Any:
        """``renorm`` in place."""
        return self._inplace("renorm_", distance.Renorm, (), _renorm_plan(self._data, p, dim, maxnorm))


def _renorm_plan(data: Array, p: Any, dim: int, maxnorm: Any) -> tuple[float, int, float]:
    if isinstance(p, complex):
        raise ConvgradError("renorm: p must be real-valued")
    if p <= 0:
        raise ConvgradError(f"renorm: non-positive-norm not supported (p={p})")
    if maxnorm < 0:
        raise ConvgradError(f"renorm: expected maxnorm to be >= 0 but got {maxnorm}")
    if data.ndim < 2:
        raise ShapeError(f"renorm: input needs at least 2 dimensions, got {data.ndim} dimensions")
    axis = dim_index(dim, data.ndim)
    if data.dtype.kind in "biu":
        raise DtypeError(
            "linalg.vector_norm: Expected a floating point or complex tensor as input. Got "
            f"{scalar_name(data.dtype)}"
        )
    if p == math.inf and 0 in data.shape[:axis] + data.shape[axis + 1 :]:
        raise ShapeError(
            f"linalg.vector_norm cannot compute the inf norm on slices of {list(data.shape)} because a "
            "dimension "
            "is empty and the operation does not have an identity"
        )
    return float(p), axis, float(maxnorm)


def _quantile(name: str, x: Any, q: Any, dim: Any, keepdim: bool, interpolation: str) -> Any:
    if not hasattr(q, "_data"):
        if not isinstance(q, (int, float)):
            raise TypeError(f"{name}(): argument 'q' must be a Tensor or float, not {type(q).__name__}")
        if not 0 <= q <= 1:
            raise ConvgradError(f"quantile() q must be in the range [0, 1] but got {q}")
        q = x._wrap(np.asarray(q, x._data.dtype if x._data.dtype.kind == "f" else None))
    _check_quantile(x._data, q._data, interpolation)
    axis = None if dim is None else dim_index(dim, x._data.ndim)
    shape = list(x._data.shape)
    if dim is None:
        line = x.view(-1) if x.is_contiguous() else x.reshape(-1)
        lead = [1] * len(shape) if keepdim else []
    elif not shape:
        line, lead = x.view(1), []
    else:
        line = x if axis == len(shape) - 1 else x.unsqueeze(-1).transpose(axis, -1)
        lead = [*shape[:axis], *([1] if keepdim else []), *shape[axis + 1 :]]  # type: ignore[operator]
    values = line.sort(-1)[0]
    size = values._data.shape[-1]
    values = values.reshape(*lead, size)
    missing = values.detach().isnan()
    flat = q if q._data.ndim else q.view(1)
    if name == "nanquantile":
        last = (size - 1 - missing.sum(-1, keepdim=True)).clamp(min=0)
        ranks = flat * last.to(q.dtype)
    else:
        ranks = (flat * (size - 1)).expand(*lead, flat._data.size)
        ranks = ranks.masked_fill(missing.any(-1, keepdim=True), size - 1)
    out = _between(values, ranks, interpolation)
    if q._data.ndim:
        out = out.unsqueeze_(0).transpose_(0, -1)
    return out.squeeze_(-1)


def _check_variables(name: str, data: Array) -> None:
    if data.ndim > 2:
        raise ShapeError(
            f"{name}(): expected input to have two or fewer dimensions but got an input with {data.ndim} "
            f"dimensions (shape {list(data.shape)})"
        )
    if data.dtype.kind == "b":
        raise DtypeError(f"{name}(): bool dtype is not supported for input")


def _check_weights(name: str, weights: Any, kinds: str, count: int) -> None:
    data = weights._data
    if data.ndim > 1:
        raise ShapeError(
            f"cov(): expected {name} to have one or fewer dimensions but got {name} with {data.ndim} "
            "dimensions"
        )
    if data.dtype.kind not in kinds:
        kind = "integral" if name == "fweights" else "floating point"
        raise DtypeError(
            f"cov(): expected {name} to have {kind} dtype but got {name} with {scalar_name(data.dtype)} dtype"
        )
    if data.size != count:
        raise ShapeError(
            f"cov(): expected {name} to have the same numel as there are observations in the input but got "
            f"{data.size} != {count}"
        )
    if data.size and data.min() < 0:
        raise ConvgradError(f"cov(): {name} cannot be negative")


def _check_quantile(data: Array, q: Array, interpolation: str) -> None:
    if not data.size:
        raise ShapeError(f"quantile() input tensor must be non-empty, but has shape {list(data.shape)}")
    if q.ndim > 1:
        raise ShapeError(f"quantile() q must be a scalar or 1D tensor, but has shape {list(q.shape)}")
    if data.dtype.kind != "f" or data.dtype.itemsize < 4:
        raise DtypeError(
            f"quantile() input tensor must be either float or double dtype, but is {scalar_name(data.dtype)}"
        )
    if q.dtype != data.dtype:
        raise DtypeError(
            f"quantile() q tensor must be same dtype as the input tensor, but is {scalar_name(q.dtype)}"
        )
    if interpolation not in ("linear", "lower", "higher", "midpoint", "nearest"):
        raise ConvgradError(
            "quantile() interpolation must be one of linear, lower, higher, midpoint or nearest, but got "
            f"{interpolation}"
        )
    if q.size and not (q.min() >= 0 and q.max() <= 1):
        raise ConvgradError("quantile() q values must be in the range [0, 1]")


def _between(values: Any, ranks: Any, interpolation: str) -> Any:
    """The elements at these ranks along the last dimension; between two of them as asked for."""
    place = ranks.detach()
    below = {"higher": place.ceil, "nearest": place.round}.get(interpolation, place.floor)()

    def taken(positions: Any) -> Any:
        return values.gather(-1, positions.long())

    if interpolation not in ("linear", "midpoint"):
        return taken(below)
    weight = (below * 0 + 0.5) if interpolation == "midpoint" else ranks - below
    return taken(below).lerp(taken(place.ceil()), weight)
