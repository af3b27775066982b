"""Reductions as methods."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ... import dtypes
from ...dtypes import B8, F32, F64, Array
from ...errors import ConvgradError, DimError, DtypeError, ShapeError
from ...graph.grad_mode import MODE, RECORD
from ...graph.node import LEAF
from ...kernels import table
from ...ops import reduce
from ...ops import scan as scans
from ...ops import statistics as stats
from ...ops.formula import LARGE
from .. import return_types
from .base import dim_index, dim_tuple
from .operands import cast
from .order import OrderMethods, scalar_name, typed

_mode = MODE.get
#: kinds of table.fold
_SUM, _, _MOST, _LEAST, _MEAN = range(5)


class ReduceMethods(OrderMethods):
    """``sum``, ``mean``, ``max`` and their kin.

    Each has a short way for float tensors, all of them or along one dimension, which small ones are in need
    of: no operator is looked for, and nothing prepared that only a recorded call wants.
    """

    __slots__ = ()

    def _is_plain(self, dim: Any, dtype: Any = None) -> bool:
        """Whether the short way serves: float numbers, an int for a dimension that there is, no transform."""
        data = self._data
        return (
            (data.dtype is F32 or data.dtype is F64)
            and data.size > 0
            and (dtype is None or dtype is self.dtype)  # type: ignore[attr-defined]
            and (dim is None or (type(dim) is int and -data.ndim <= dim < data.ndim))
            and not _mode() & ~RECORD
        )

    def _folded(self, kind: int, op: Any, dim: Any, keepdim: bool) -> Any:
        """The short way of sums and means."""
        data = self._data
        out = table.fold(kind, data, dim, keepdim)
        node = self._node
        if node is None or not _mode():
            return self._wrap(out)
        axes = tuple(range(data.ndim)) if dim is None else (dim % data.ndim,)
        if kind == _MEAN:
            return self._recorded(op, out, (axes, keepdim, data.shape))
        for_leaf = node.kind == LEAF and data.size >= LARGE
        return self._recorded(op, out, (axes, keepdim, data.shape, for_leaf))

    def sum(
        self,
        dim: Any = None,
        keepdim: bool = False,
        *,
        dtype: Any = None,
        axis: Any = None,
        keepdims: bool = False,
    ) -> Any:
        """The sum of all elements, or over one or several dimensions; bool and integers sum in int64.

        Args:
            dim: an int, a tuple of ints, or None for all; ``axis`` is another name for it.
            keepdim: leave the dimensions as size 1; ``keepdims`` is another name for it.
            dtype: convert to this dtype first.
        """
        dim, keepdim = dim if axis is None else axis, keepdim or keepdims
        if (dim is not None or not keepdim) and self._is_plain(dim, dtype):
            return self._folded(_SUM, reduce.Sum if dim is None else reduce.SumDims, dim, keepdim)
        data = self._data
        if data.dtype is B8 and dtype is None and dim is None and not keepdim and not _mode() & ~RECORD:
            return self._wrap(np.asarray(np.count_nonzero(data)))
        x = typed(self, dtype, widen=True)
        if dim is None and not keepdim:
            return self._apply(reduce.Sum, (x,), (tuple(range(self._data.ndim)), False))
        return self._apply(reduce.SumDims, (x,), (dim_tuple(dim, self._data.ndim), keepdim))

    def mean(
        self,
        dim: Any = None,
        keepdim: bool = False,
        *,
        dtype: Any = None,
        axis: Any = None,
        keepdims: bool = False,
    ) -> Any:
        """The mean of all elements, or over one or several dimensions; arguments as of ``sum``.

        Raises:
            DtypeError: integers or bool without ``dtype``.
        """
        dim, keepdim = dim if axis is None else axis, keepdim or keepdims
        if (dim is not None or not keepdim) and self._is_plain(dim, dtype):
            return self._folded(_MEAN, reduce.Mean if dim is None else reduce.MeanDims, dim, keepdim)
        x = typed(self, dtype)
        if x._data.dtype.kind in "biu":
            what = "could not infer output dtype. Input" if dtype is None else "Optional"
            raise DtypeError(
                f"mean(): {what} dtype must be either a floating point or complex dtype. "
                f"Got: {scalar_name(x._data.dtype)}. Remedy: x.float().mean(), or mean(dtype=torch.float32)."
            )
        if dim is None and not keepdim:
            return self._apply(reduce.Mean, (x,), (tuple(range(self._data.ndim)), False))
        return self._apply(reduce.MeanDims, (x,), (dim_tuple(dim, self._data.ndim), keepdim))

    def nansum(self, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
        """``sum`` in which NaN counts as 0."""
        x = typed(self, dtype, widen=True)
        if x._data.dtype.kind == "c":
            if self._data.dtype.kind != "c":
                raise NotImplementedError(
                    f"\"nansum_cpu\" not implemented for '{scalar_name(x._data.dtype)}'"
                )
            raise ConvgradError(
                f"nansum on CPU does not support complex inputs, but got {scalar_name(x._data.dtype)}"
            )
        return self._apply(reduce.NanSum, (x,), (dim_tuple(dim, self._data.ndim), keepdim))

    def nanmean(self, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
        """``mean`` of the values that are not NaN."""
        if self._data.dtype.kind in "biu":
            raise DtypeError(
                "nanmean(): expected input to have floating point or complex dtype but got "
                f"{scalar_name(self._data.dtype)}"
            )
        if dtype is not None and not dtype.is_floating_point:
            raise NotImplementedError(
                "nanmean(): could not infer output dtype. Optional dtype must be either a floating point or "
                f'complex dtype. Got: {scalar_name(dtype.np)} ("nansum_cpu" not implemented for it)'
            )
        total = self.nansum(dim, keepdim, dtype=dtype)
        present = np.sum(self._data == self._data, axis=dim_tuple(dim, self._data.ndim), keepdims=keepdim)
        with np.errstate(all="ignore"):
            return total / self._wrap(np.asarray(present).astype(total._data.dtype))

    def prod(self, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
        """The product of all elements, or over one dimension; bool and integers multiply in int64.

        The gradient is right where elements are zero, one or several.
        """
        x = typed(self, dtype, widen=True)
        if dim is None:
            return self._apply(scans.ProdAll, (x,))
        return self._apply(scans.Prod, (x,), (dim_index(dim, self._data.ndim), keepdim))

    def var(
        self, dim: Any = None, unbiased: Any = None, keepdim: bool = False, *, correction: Any = None,
        axis: Any = None, keepdims: bool = False,
    ) -> Any:  # fmt: skip
        """The variance over all elements or some dimensions, divided by ``n - correction`` (1 by default).

        ``var(False)`` and ``var(dim, False)`` divide by n, as ``correction=0`` does.
        """
        dim, keepdim = dim if axis is None else axis, keepdim or keepdims
        if type(dim) is int and unbiased is None and correction is None and self._is_plain(dim):
            data = self._data
            out = table.variance_along(data, dim, 1.0, keepdim)
            if self._node is None or not _mode():
                return self._wrap(out)
            return self._recorded(stats.Var, out, (data, (dim % data.ndim,), 1.0, keepdim))
        return self._spread(stats.Var, "std and var", dim, unbiased, keepdim, correction)

    def std(
        self, dim: Any = None, unbiased: Any = None, keepdim: bool = False, *, correction: Any = None
    ) -> Any:
        """The standard deviation, the square root of ``var``; same arguments."""
        return self._spread(stats.Std, "std and var", dim, unbiased, keepdim, correction)

    def _spread(self, op: Any, name: str, dim: Any, unbiased: Any, keepdim: bool, correction: Any) -> Any:
        """The four forms of variance."""
        if isinstance(dim, bool):
            dim, unbiased = None, dim
        if unbiased is not None and correction is not None:
            raise TypeError(
                f"{name}: received an invalid combination of arguments - got both unbiased and correction"
            )
        if self._data.dtype.kind in "biu":
            raise DtypeError(
                f"{name} only support floating point and complex dtypes, but got "
                f"{scalar_name(self._data.dtype)}"
            )
        taken = correction if correction is not None else 1 if unbiased in (None, True) else 0
        return self._apply(op, (self,), (dim_tuple(dim, self._data.ndim), float(taken), keepdim))

    def norm(self, p: Any = "fro", dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Any:
        """The p-norm ``(sum |x|^p)^(1/p)`` of all elements or over some dimensions; real.

        Args:
            p: a number, inf, -inf (the extreme of \\|x\\|), 0 (how many are not 0), ``"fro"`` for 2, or
            ``"nuc"``:
                the sum of the singular values of a matrix, or over two dimensions.
        """
        if isinstance(p, str):
            if p == "nuc":
                me: Any = self  # the method is of a late family
                return me._nuclear_norm(dim, keepdim, dtype)
            if p != "fro":
                raise ConvgradError(f"linalg.matrix_norm: Order {p} not supported.")
            if isinstance(dim, (tuple, list)) and len(dim) > 2:
                raise ConvgradError(
                    f"linalg.matrix_norm: dim must be a 2-tuple. Got {' '.join(map(str, dim))}"
                )
        order = 2.0 if p is None or p == "fro" else float(p)
        return self._vector_norm(order, dim, keepdim, dtype)

    def _vector_norm(self, p: float, dim: Any, keepdim: bool, dtype: Any) -> Any:
        """The checks of all norms, and the norm."""
        kind = self._data.dtype
        if kind.kind in "biu":
            raise DtypeError(
                "linalg.vector_norm: Expected a floating point or complex tensor as input. Got "
                f"{scalar_name(kind)}"
            )
        if dtype is not None:
            kind = dtypes.as_dtype(dtype).np
            if kind.kind in "biu":
                raise DtypeError(
                    "linalg.vector_norm: dtype should be floating point or complex, but got "
                    f"{scalar_name(kind)}"
                )
            if dtypes.promote_types(dtypes.from_numpy(self._data.dtype), dtypes.from_numpy(kind)).np != kind:
                raise DtypeError(
                    f"linalg.vector_norm: the dtype of the input ({scalar_name(self._data.dtype)}) should "
                    "be convertible "
                    f"without narrowing to the specified dtype ({scalar_name(kind)})"
                )
        axes = dim_tuple(dim, self._data.ndim)
        if p < 0 or p == math.inf:
            _norm_needs_elements(self._data, p, dim, axes)
        return self._apply(stats.VectorNorm, (typed(self, dtype),), (p, axes, keepdim))

    def logsumexp(self, dim: Any, keepdim: bool = False) -> Any:
        """``log(sum(exp(x)))`` over one or several dimensions, without overflow."""
        x: Any = self
        if self._data.dtype.kind in "biu":
            x = cast(self, dtypes.default_dtype().np)
        return self._apply(stats.LogSumExp, (x,), (dim_tuple(dim, self._data.ndim), keepdim))

    def max(
        self, dim: Any = None, keepdim: bool = False, *, other: Any = None, axis: Any = None,
        keepdims: bool = False,
    ) -> Any:  # fmt: skip
        """The largest element; along ``dim`` the pair (values, indices); with a tensor: ``maximum``.

        NaN counts as the largest. Of equals the first has the index; ``max()`` divides the gradient
        among equals, ``max(dim)`` gives it to the one that the index names.
        """
        if dim is None and axis is None and other is None:
            if not self._is_plain(None):
                return self._extreme_of_all("max", reduce.MaxAll)
            out = table.fold(_MOST, self._data, None, False)
            if self._node is None or not _mode():
                return self._wrap(out)
            return self._recorded(reduce.MaxAll, out, (self._data, out))
        if other is not None or hasattr(dim, "_data"):
            return self.maximum(dim if other is None else other)  # type: ignore[attr-defined]
        dim, keepdim = dim if axis is None else axis, keepdim or keepdims
        return return_types.max(self._extreme_along("max", reduce.MaxDim, dim, keepdim))

    def min(
        self, dim: Any = None, keepdim: bool = False, *, other: Any = None, axis: Any = None,
        keepdims: bool = False,
    ) -> Any:  # fmt: skip
        """The smallest element; along ``dim`` the pair (values, indices); with a tensor: ``minimum``.

        NaN and equals as in ``max``.
        """
        if dim is None and axis is None and other is None:
            if not self._is_plain(None):
                return self._extreme_of_all("min", reduce.MinAll)
            out = table.fold(_LEAST, self._data, None, False)
            if self._node is None or not _mode():
                return self._wrap(out)
            return self._recorded(reduce.MinAll, out, (self._data, out))
        if other is not None or hasattr(dim, "_data"):
            return self.minimum(dim if other is None else other)  # type: ignore[attr-defined]
        dim, keepdim = dim if axis is None else axis, keepdim or keepdims
        return return_types.min(self._extreme_along("min", reduce.MinDim, dim, keepdim))

    def _extreme_of_all(self, name: str, op: Any) -> Any:
        self._no_complex(f"{name}_all")
        if not self._data.size:
            raise ShapeError(no_elements(name, self._data))
        return self._apply(op, (self,))

    def _extreme_along(self, name: str, op: Any, dim: Any, keepdim: bool) -> Any:
        if dim is not None and self._is_plain(dim):
            data = self._data
            axis = dim % data.ndim
            pair = table.extreme_along(data, axis, name == "min", keepdim)
            if self._node is None or not _mode():
                return self._wrap(pair[0]), self._wrap(pair[1])
            old = data.shape
            return self._recorded(op, pair, (pair[1], axis, old, (*old[:axis], 1, *old[axis + 1 :])))
        axis = dim_index(dim, self._data.ndim)
        self._no_complex(name)
        self._needs_size(name, (axis,))
        return self._apply(op, (self,), (axis, keepdim))

    def amax(self, dim: Any = (), keepdim: bool = False) -> Any:
        """The largest value of all or over dimensions; equals divide the gradient."""
        return self._extreme_over("amax", "max_values_cpu", reduce.AMax, dim, keepdim)

    def amin(self, dim: Any = (), keepdim: bool = False) -> Any:
        """The smallest value of all or over dimensions; equals divide the gradient."""
        return self._extreme_over("amin", "min_values_cpu", reduce.AMin, dim, keepdim)

    def _extreme_over(self, name: str, kernel: str, op: Any, dim: Any, keepdim: bool) -> Any:
        self._no_complex(kernel)
        axes = dim_tuple(dim, self._data.ndim)
        if not self._data.size and (dim is None or dim == ()):
            raise ShapeError(no_elements(name, self._data))
        self._needs_size(name, axes)
        return self._apply(op, (self,), (axes, keepdim))

    def aminmax(self, *, dim: Any = None, keepdim: bool = False) -> Any:
        """Smallest and largest value as a pair (min, max), of all or over one dimension."""
        self._no_complex("aminmax")
        if dim is None and not self._data.size:
            raise ShapeError(
                "aminmax(): cannot compute aminmax over an empty dimension as the operation has no identity. "
                f"The input has shape {list(self._data.shape)}."
            )
        axes = dim_tuple(dim, self._data.ndim)
        self._needs_size("aminmax", axes)
        return return_types.aminmax(self._apply(reduce.AMinMax, (self,), (axes, keepdim)))

    def argmax(
        self, dim: Any = None, keepdim: bool = False, *, axis: Any = None, keepdims: bool = False
    ) -> Any:
        """The position (int64) of the largest element: of all, flattened, or along ``dim``.

        The first of equals.
        """
        return self._position("argmax", np.argmax, dim if axis is None else axis, keepdim or keepdims)

    def argmin(
        self, dim: Any = None, keepdim: bool = False, *, axis: Any = None, keepdims: bool = False
    ) -> Any:
        """The position (int64) of the smallest element: of all, flattened, or along ``dim``.

        The first of equals.
        """
        return self._position("argmin", np.argmin, dim if axis is None else axis, keepdim or keepdims)

    def _position(self, name: str, arg: Any, dim: Any, keepdim: bool) -> Any:
        data = self._data
        if dim is not None and self._is_plain(dim):
            return self._wrap(table.extreme_along(data, dim % data.ndim, arg is np.argmin, keepdim)[1])
        if data.dtype.kind in "bc":
            raise ConvgradError(
                f"{name}(): does not support {'bool' if data.dtype.kind == 'b' else 'complex'} input"
            )
        if dim is None:
            if not data.size:
                raise DimError(f"{name}(): Expected reduction dim to be specified for input.numel() == 0.")
            out = np.asarray(arg(reduce.comparable(data).reshape(-1)))
            return self._wrap(out.reshape((1,) * data.ndim) if keepdim else out)
        axis = dim_index(dim, data.ndim)
        self._needs_size(name, (axis,))
        if not data.ndim:
            return self._wrap(np.zeros((), np.int64))
        return self._wrap(arg(reduce.comparable(data), axis=axis, keepdims=keepdim))

    def any(self, dim: Any = None, keepdim: bool = False) -> Any:
        """Whether any element is true (not 0): of all or over dimensions; bool, of uint8 it is uint8."""
        return self._logical(np.logical_or, dim, keepdim)

    def all(self, dim: Any = None, keepdim: bool = False) -> Any:
        """Whether all elements are true (not 0): of all or over dimensions; bool, of uint8 it is uint8."""
        return self._logical(np.logical_and, dim, keepdim)

    def _logical(self, ufunc: np.ufunc, dim: Any, keepdim: bool) -> Any:
        data = self._data
        # an empty tuple reduces nothing here, unlike elsewhere, as in PyTorch
        axes = () if isinstance(dim, (tuple, list)) and not dim else dim_tuple(dim, data.ndim)
        out = np.asarray(ufunc.reduce(data if data.dtype is B8 else data != 0, axes, keepdims=keepdim))
        return self._wrap(out.astype(np.uint8) if data.dtype == np.uint8 else out)

    def count_nonzero(self, dim: Any = None) -> Any:
        """How many elements are not 0 (int64), of all or over dimensions."""
        return self._wrap(np.sum(self._data != 0, axis=dim_tuple(dim, self._data.ndim), dtype=np.int64))


def no_elements(name: str, data: Array) -> str:
    """The message of an extreme of nothing."""
    return (
        f"{name}(): Expected reduction dim to be specified for input.numel() == 0. Specify the reduction "
        "dim with "
        f"the 'dim' argument. The input has shape {list(data.shape)}."
    )


def _norm_needs_elements(data: Array, p: float, dim: Any, axes: tuple[int, ...]) -> None:
    order = f"{p:g}"
    if dim is None and not data.size:
        raise ShapeError(
            f"linalg.vector_norm cannot compute the {order} norm on an empty tensor because the operation "
            "does not "
            "have an identity"
        )
    for axis in axes:
        if not data.shape[axis]:
            raise ShapeError(
                f"linalg.vector_norm cannot compute the {order} norm on the dimension {axis} because this "
                "dimension "
                f"is empty and the operation does not have an identity (shape {list(data.shape)})"
            )
