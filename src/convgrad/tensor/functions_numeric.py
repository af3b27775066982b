"""Areas, slopes, searches and distances: functions of a sequence, or of two."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..dtypes import Array
from ..errors import ConvgradError, DimError, DtypeError, ShapeError
from ..ops.distance import Cdist, EuclideanDist
from ..ops.reduce import comparable
from . import return_types
from .dual import batch_of
from .functions_shape import cat
from .histograms import density_of, edges_between, finite_range, histogram_of
from .methods.base import dim_index
from .methods.operands import broadcast_error
from .methods.order import scalar_name
from .promotion import common_dtype
from .tensor import Tensor, apply

# -- areas ------------------------------------------------------------------------------------------------


def trapezoid(y: Tensor, x: Any = None, *, dx: Any = None, dim: int = -1) -> Any:
    """The area under the straight lines between neighbours along ``dim``.

    Args:
        y: not bool; integers give the default float.
        x: where the samples lie: a vector, or a tensor that broadcasts with y.
        dx: without x the distance of neighbours, 1 if None.
    Raises:
        DimError: a 0-d tensor. ShapeError: x does not fit. DtypeError: bool.
    Example:
        >>> trapezoid(tensor([1.0, 5.0, 10.0])).item()
        10.5

    Source: semantics of torch.trapezoid.
    """
    _check_tensors("trapezoid", y, x, dx)
    if not y._data.ndim:
        raise DimError(f"Dimension specified as {dim} but tensor has no dimensions")
    axis = dim_index(dim, y._data.ndim)
    if not y._data.shape[axis]:
        return Tensor(np.zeros(y._data.shape[:axis] + y._data.shape[axis + 1 :], y._data.dtype), None)
    _check_area("trapezoid", y, x, dx)
    if x is not None:
        left, right = _neighbours(y, axis)
        return ((left + right) * _steps("trapezoid", y, x, axis)).sum(axis) / 2.0
    ends = y.select(axis, 0) + y.select(axis, -1)
    return (y.sum(axis) - ends * 0.5) * (1 if dx is None else dx)


def trapz(y: Tensor, x: Any = None, *, dx: Any = None, dim: int = -1) -> Any:
    """Another name for ``trapezoid``.

    Example:
        >>> trapz(tensor([1.0, 5.0, 10.0]), dx=2).item()
        21.0
    """
    if isinstance(dx, complex):
        raise TypeError("trapz() received an invalid combination of arguments: dx must be a float")
    return trapezoid(y, x, dx=float(dx) if isinstance(dx, bool) else dx, dim=dim)


def cumulative_trapezoid(y: Tensor, x: Any = None, *, dx: Any = None, dim: int = -1) -> Any:
    """The areas up to each sample after the first; arguments as of ``trapezoid``.

    Example:
        >>> cumulative_trapezoid(tensor([1.0, 5.0, 10.0])).tolist()
        [3.0, 10.5]

    Source: semantics of torch.cumulative_trapezoid.
    """
    _check_tensors("cumulative_trapezoid", y, x, dx)
    _check_area("cumulative_trapezoid", y, x, dx)
    if not y._data.ndim:
        raise DimError("slice() cannot be applied to a 0-dim tensor.")
    axis = dim_index(dim, y._data.ndim)
    left, right = _neighbours(y, axis)
    if x is not None:
        return ((left + right) * _steps("cumulative_trapezoid", y, x, axis)).cumsum(axis) / 2.0
    return ((1 if dx is None else dx) / 2.0 * (left + right)).cumsum(axis)


def _check_tensors(name: str, y: Any, x: Any, dx: Any) -> None:
    if not isinstance(y, Tensor):
        raise TypeError(f"{name}(): argument 'y' (position 1) must be Tensor, not {type(y).__name__}")
    if x is not None and (not isinstance(x, Tensor) or dx is not None):
        raise TypeError(
            f"{name}() received an invalid combination of arguments: x must be a Tensor, without dx"
        )


def _check_area(name: str, y: Tensor, x: Any, dx: Any) -> None:
    if y._data.dtype.kind == "b" or (x is not None and x._data.dtype.kind == "b"):
        which = "`y`" if x is None else "`x` or `y`"
        raise DtypeError(f"{name}: received a bool input for {which}, but bool is not supported")
    if isinstance(dx, (bool, complex)):
        raise ConvgradError(f"{name}: Currently, we only support dx as a real number.")


def _neighbours(x: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    lead = (slice(None),) * axis
    return x[(*lead, slice(0, -1))], x[(*lead, slice(1, None))]


def _steps(name: str, y: Tensor, x: Tensor, axis: int) -> Tensor:
    """The distances of neighbours, shaped to multiply y's."""
    if x._data.ndim == 1:
        if x._data.size != y._data.shape[axis]:
            raise ShapeError(
                f"{name}: There must be one `x` value for each sample point (got {x._data.size} for "
                f"{y._data.shape[axis]} samples of y {list(y._data.shape)})"
            )
        x = x.view(*[1] * axis, -1, *[1] * (y._data.ndim - axis - 1))
    elif x._data.ndim < y._data.ndim:
        x = x.view(*[1] * (y._data.ndim - x._data.ndim), *x._data.shape)
    left, right = _neighbours(x, axis)
    return right - left


# -- slopes -----------------------------------------------------------------------------------------------


def gradient(input: Tensor, *, spacing: Any = None, dim: Any = None, edge_order: int = 1) -> list[Tensor]:
    """The slope of a sampled function along each dimension, by second-order differences.

    Args:
        input: not bool or uint8; integers give the default float.
        spacing: the distance of neighbours: one number, or one per dimension; or a list with the
            coordinates of each dimension, a vector each.
        dim: an int or several; all if None.
        edge_order: 1 or 2: how exact the slope at both ends is.
    Returns:
        one tensor of input's shape per dimension, as a list.
    Raises:
        ShapeError: too few samples, or spacing that does not fit the dimensions.
    Example:
        >>> [g.tolist() for g in gradient(tensor([1.0, 4.0, 9.0, 16.0]))]
        [[3.0, 4.0, 6.0, 7.0]]

    Source: Fornberg 1988, "Generation of finite difference formulas"; semantics of torch.gradient.
    """
    ndim = input._data.ndim
    axes = [dim_index(d, ndim) for d in _dims(dim, ndim)]
    _check_gradient(input, axes, edge_order)
    if isinstance(spacing, Tensor):
        raise TypeError(
            "gradient() received an invalid combination of arguments: spacing is a list of tensors"
        )
    given = (
        list(spacing)
        if isinstance(spacing, (tuple, list))
        else [1 if spacing is None else spacing] * len(axes)
    )
    if len(given) != len(axes):
        why = "'self.dim() = " + str(ndim) + "', since dim argument was not given" if dim is None else "dim"
        raise ShapeError(
            "torch.gradient expected spacing to be unspecified, a scalar, or a list of length equal to "
            f"{why}, "
            f"but got a list of length {len(given)}"
        )
    return [_slope(input, axis, step, edge_order) for axis, step in zip(axes, given, strict=True)]


def _dims(dim: Any, ndim: int) -> Sequence[Any]:
    if dim is None:
        return range(ndim)
    return dim if isinstance(dim, (tuple, list)) else (dim,)


def _check_gradient(x: Tensor, axes: Sequence[int], edge_order: int) -> None:
    if x._data.dtype.kind == "u":
        raise DtypeError("torch.gradient does not support uint8 input.")
    if edge_order not in (1, 2):
        raise ConvgradError(
            f"torch.gradient only supports edge_order=1 and edge_order=2, but got {edge_order}"
        )
    if axes and not x._data.ndim:
        raise DimError(f"Dimension specified as {axes[0]} but tensor has no dimensions")
    for axis in axes:
        if axes.count(axis) > 1:
            raise ConvgradError(f"dim {axis} appears multiple times in the list of dims")
        size = x._data.shape[axis]
        if size < edge_order + 1:
            raise ShapeError(
                "torch.gradient expected each dimension size to be at least edge_order+1, but dimension "
                f"{axis} of {list(x._data.shape)} has {size}"
            )


def _slope(x: Tensor, axis: int, step: Any, edge_order: int) -> Tensor:
    """The differences inside and at both ends, joined."""
    lead = (slice(None),) * axis
    size = x._data.shape[axis]

    def part(start: int, stop: int) -> Tensor:
        return x[(*lead, slice(start, stop))]

    if isinstance(step, Tensor):
        return _slope_between(x, axis, step, edge_order)
    middle = (part(2, size) - part(0, size - 2)) / 2 / step
    a, b = part(0, 1), part(1, 2)
    y, z = part(size - 2, size - 1), part(size - 1, size)
    if edge_order == 1:
        first, last = (b - a) / step, (z - y) / step
    else:
        first = (b * 2 - a * 1.5 - part(2, 3) * 0.5) / step
        last = (z * 1.5 - y * 2 + part(size - 3, size - 2) * 0.5) / step
    return cat([first, middle, last], axis)


def _slope_between(x: Tensor, axis: int, place: Tensor, edge_order: int) -> Tensor:
    """The same where samples stand at uneven coordinates."""
    size = x._data.shape[axis]
    if place._data.shape != (size,):
        raise ShapeError(
            "torch.gradient expected each coordinate tensor to have one value per sample, but got "
            f"{list(place._data.shape)} for dimension {axis} of {list(x._data.shape)}"
        )
    lead = (slice(None),) * axis
    shape = (-1, *[1] * (x._data.ndim - axis - 1))

    def part(start: int, stop: int) -> Tensor:
        return x[(*lead, slice(start, stop))]

    def weighted(h: Tensor, k: Tensor, at: int, starts: tuple[int, int, int], count: int) -> Tensor:
        """The slope, at one of three neighbours, of the parabola through them; h and k lie between them."""
        whole = h + k
        weights = (
            (-(h + whole) / (h * whole), whole / (h * k), -h / (k * whole)),
            (-k / (h * whole), (k - h) / (h * k), h / (k * whole)),
            (k / (h * whole), -whole / (h * k), (k + whole) / (k * whole)),
        )[at]
        a, b, c = [w.view(shape) * part(s, s + count) for w, s in zip(weights, starts, strict=True)]
        return a + b + c

    steps = place[1:] - place[:-1]
    middle = weighted(steps[:-1], steps[1:], 1, (0, 1, 2), size - 2)
    if edge_order == 1:
        first = (part(1, 2) - part(0, 1)) / steps[0]
        last = (part(size - 1, size) - part(size - 2, size - 1)) / steps[-1]
    else:
        first = weighted(steps[:1], steps[1:2], 0, (0, 1, 2), 1)
        last = weighted(steps[-2:-1], steps[-1:], 2, (size - 3, size - 2, size - 1), 1)
    return cat([first, middle, last], axis)


# -- searches ---------------------------------------------------------------------------------------------


def searchsorted(
    sorted_sequence: Tensor, input: Any, *, out_int32: bool = False, right: bool = False, side: Any = None,
    sorter: Any = None,
) -> Tensor:  # fmt: skip
    """Where values would have to stand in a sorted sequence, so that it stays sorted.

    Args:
        sorted_sequence: a vector, or of input's shape but for the last dimension: one sequence per row.
        input: a tensor, or a number for a vector.
        out_int32: int32 instead of int64.
        right: behind equal values instead of before them; ``side="right"`` is the same.
        sorter: positions (int64) that sort the sequence, which is not sorted itself.
    Raises:
        ShapeError: shapes that do not fit. ConvgradError: side, or a sorter, that contradicts.
    Example:
        >>> searchsorted(tensor([1, 3, 5, 7]), tensor([3, 6])).tolist()
        [1, 3]

    Source: semantics of torch.searchsorted.
    """
    if (node := batch_of(sorted_sequence, input, sorter)) is not None:  # made of values: sample by sample
        options = {"out_int32": out_int32, "right": right, "side": side}
        one = lambda s, x, order: searchsorted(s, x, sorter=order, **options)  # noqa: E731
        out: Tensor = node.each("searchsorted", one, (sorted_sequence, input, sorter))
        return out
    if side not in (None, "left", "right"):
        raise ConvgradError(f"torch.searchsorted(): side can only be 'left' or 'right' but got {side}")
    if side == "left" and right:
        raise ConvgradError(
            "torch.searchsorted(): side and right can't be set to opposites, got side of left while "
            "right was True"
        )
    edges = sorted_sequence._data
    values = input._data if isinstance(input, Tensor) else np.asarray(input)
    _check_search(edges, values)
    if sorter is not None:
        edges = _in_order(edges, sorter._data)
    return _placed(edges, values, right or side == "right", out_int32)


def bucketize(input: Any, boundaries: Tensor, *, out_int32: bool = False, right: bool = False) -> Tensor:
    """The number of the bucket between ``boundaries``, a sorted vector, that each value falls into.

    Args:
        right: a boundary belongs to the bucket above it.
    Example:
        >>> bucketize(tensor([[3, 6, 9]]), tensor([1, 3, 5, 7, 9])).tolist()
        [[1, 3, 4]]

    Source: semantics of torch.bucketize.
    """
    if not isinstance(boundaries, Tensor):
        raise TypeError(f"bucketize(): argument 'boundaries' must be Tensor, not {type(boundaries).__name__}")
    if boundaries._data.ndim != 1:
        raise ShapeError(f"boundaries tensor must be 1 dimension, but got dim({boundaries._data.ndim})")
    return searchsorted(boundaries, input, out_int32=out_int32, right=right)


def _check_search(edges: Array, values: Array) -> None:
    if not edges.ndim:
        raise ShapeError(
            "torch.searchsorted(): boundaries tensor should have positive dimension, but got 0 dimension"
        )
    if not values.ndim and edges.ndim != 1:
        raise ShapeError(
            "torch.searchsorted(): input value can be a scalar only when boundaries tensor dimension is "
            "1, but "
            f"we got boundaries tensor dim({edges.ndim}) and input value's dim(0) numel(1)"
        )
    if edges.ndim != 1 and edges.shape[:-1] != values.shape[:-1]:
        raise ShapeError(
            "torch.searchsorted(): boundaries tensor should be 1 dimension or the first N-1 dimensions of "
            f"boundaries tensor and input value tensor must match, but we got boundaries tensor "
            f"{list(edges.shape)} and input value tensor {list(values.shape)}"
        )
    for kind in (edges.dtype, values.dtype):
        if kind.kind in "bc" and values.size:
            raise NotImplementedError(f"\"searchsorted_out_cpu\" not implemented for '{scalar_name(kind)}'")


def _in_order(edges: Array, sorter: Array) -> Array:
    if sorter.shape != edges.shape:
        raise ShapeError(
            "torch.searchsorted(): boundary and sorter must have the same size, but got boundary tensor "
            f"{list(edges.shape)} and got sorter tensor {list(sorter.shape)}"
        )
    if sorter.dtype != np.int64:
        raise DtypeError(
            "torch.searchsorted(): sorter must be a tensor of long dtype but got dtype "
            f"{scalar_name(sorter.dtype)}"
        )
    if sorter.size and not (sorter.min() >= 0 and sorter.max() < edges.shape[-1]):
        raise ConvgradError(f"torch.searchsorted(): sorter index out of range for size {edges.shape[-1]}")
    return np.take_along_axis(edges, sorter, -1)


def _placed(edges: Array, values: Array, right: bool, out_int32: bool) -> Tensor:
    edges, values = comparable(edges), comparable(values)
    side: Any = "right" if right else "left"
    if edges.ndim == 1:
        out = np.asarray(np.searchsorted(edges, values, side))
    else:
        out = np.empty(values.shape, np.int64)
        for at in np.ndindex(values.shape[:-1]):
            out[at] = np.searchsorted(edges[at], values[at], side)
    out = np.where(values != values, edges.shape[-1], out)  # NaN stands behind all
    return Tensor(out.astype(np.int32 if out_int32 else np.int64), None)


def isin(
    elements: Any = None, test_elements: Any = None, *, assume_unique: bool = False, invert: bool = False,
    element: Any = None, test_element: Any = None,
) -> Tensor:  # fmt: skip
    """Whether each element is among ``test_elements``; one of both may be a number. NaN is nowhere.

    Args:
        assume_unique: neither holds a value twice: accepted, and changes nothing.
        invert: whether it is not.
    Raises:
        DtypeError: bool or complex.
    Example:
        >>> isin(tensor([[1, 2], [3, 4]]), tensor([2, 3])).tolist()
        [[False, True], [True, False]]

    Source: semantics of torch.isin.
    """
    a = element if elements is None else elements
    b = test_element if test_elements is None else test_elements
    if not (isinstance(a, Tensor) or isinstance(b, Tensor)):
        raise TypeError("isin() received an invalid combination of arguments: one of both must be a Tensor")
    arrays = []
    for x in (a, b):
        data = x._data if isinstance(x, Tensor) else np.asarray(x)
        if data.dtype.kind in "bc":
            raise DtypeError(f"Unsupported input type encountered for isin(): {scalar_name(data.dtype)}")
        arrays.append(comparable(data.astype(common_dtype(a, b).np)))
    return Tensor(np.asarray(np.isin(arrays[0], arrays[1], invert=invert)), None)


def unravel_index(indices: Tensor, shape: Any) -> tuple[Tensor, ...]:
    """The position in each dimension of ``shape`` that a flat one means; of too large ones the remainder.

    Example:
        >>> [i.tolist() for i in unravel_index(tensor([4, 1]), (2, 3))]
        [[1, 0], [1, 1]]

    Source: semantics of torch.unravel_index.
    """
    sizes = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    if indices._data.dtype.kind not in "iu":
        raise TypeError(f"expected 'indices' to be integer dtype, but got {indices.dtype}")
    for n in sizes:
        if isinstance(n, bool) or not hasattr(n, "__index__"):
            raise TypeError(f"expected 'shape' sequence to only contain ints, but got {type(n)}")
        if n < 0:
            raise ShapeError(f"'shape' cannot have negative values, but got {tuple(sizes)}")
    flat, out = indices._data.astype(np.int64), []
    for n in reversed(sizes):
        out.append(Tensor(np.asarray(flat % n), None))
        flat = flat // n
    return tuple(reversed(out))


def histogramdd(
    input: Tensor, bins: Any, range: Any = None, weight: Any = None, density: bool = False
) -> Any:
    """``histogram`` of points in several dimensions, the last of ``input``.

    Args:
        bins: a number for all dimensions, a number for each, or the edges of each.
        range: least and largest edge of each dimension in turn: ``2 * dimensions`` numbers.
    Returns:
        the pair (hist, bin_edges); the edges are a tuple, one tensor per dimension.
    Example:
        >>> histogramdd(tensor([[0.0, 1.0], [1.0, 2.0], [2.0, 0.0]]), bins=[2, 2]).hist.tolist()
        [[0.0, 1.0], [1.0, 1.0]]

    Source: semantics of torch.histogramdd.
    """
    data = input._data
    if data.ndim < 2:
        raise ShapeError(
            f"torch.histogramdd: input tensor should have at least 2 dimensions, got {data.ndim}"
        )
    if data.dtype.kind not in "fV":
        raise NotImplementedError(f"\"histogramdd\" not implemented for '{scalar_name(data.dtype)}'")
    width = data.shape[-1]
    given = list(bins) if isinstance(bins, (tuple, list)) else [bins] * width
    if len(given) != width:
        raise ShapeError(
            "histogramdd: The size of bins must be equal to the innermost dimension of the input, but got "
            f"{len(given)} and {width}"
        )
    if range is not None and len(range) != 2 * width:
        raise ShapeError(
            f"torch.histogramdd: for a {width}-dimensional histogram, range should have {2 * width} "
            "elements, "
            f"but got {len(range)}"
        )
    points = data.reshape(-1, width)
    edges = [
        b._data if isinstance(b, Tensor)
        else edges_between(finite_range(points, k, range and range[2 * k : 2 * k + 2]), b, k, data.dtype)
        for k, b in enumerate(given)
    ]  # fmt: skip
    hist = histogram_of(points, edges, None if weight is None else weight._data, data.shape[:-1])
    if density:
        hist = density_of(hist, edges)
    return return_types.histogramdd((Tensor(hist, None), tuple([Tensor(e, None) for e in edges])))


# -- distances --------------------------------------------------------------------------------------------

_MODES = ("use_mm_for_euclid_dist_if_necessary", "use_mm_for_euclid_dist", "donot_use_mm_for_euclid_dist")


def cdist(x1: Tensor, x2: Tensor, p: float = 2.0, compute_mode: Any = _MODES[0]) -> Any:
    """The p-norm distances of all rows of x1 from all rows of x2.

    Args:
        x1: float32 or float64 (half precision where PyTorch has it), ``(..., P, M)``.
        x2: the same dtype, ``(..., R, M)``; batches broadcast.
        p: from 0 (how many differ) to inf (the largest difference).
        compute_mode: accepted; matrix products are used where they cost no digits.
    Returns:
        ``(..., P, R)``.
    Raises:
        ShapeError: fewer than two dimensions, other widths. DtypeError: other dtypes, or two different.
    Example:
        >>> cdist(tensor([[0.0, 0.0]]), tensor([[3.0, 4.0], [0.0, 1.0]])).tolist()
        [[5.0, 1.0]]

    Source: semantics of torch.cdist.
    """
    if compute_mode not in (*_MODES, None, 0, 1, 2):
        raise ValueError(f"{compute_mode} is not a valid value for compute_mode")
    if not isinstance(p, (int, float)):
        raise TypeError(f"cdist(): argument 'p' (position 3) must be float, not {type(p).__name__}")
    if p < 0:
        raise ConvgradError(f"cdist only supports non-negative p values, but got {p}")
    for name, x in (("X1", x1), ("X2", x2)):
        if x._data.ndim < 2:
            raise ShapeError(f"cdist only supports at least 2D tensors, {name} got: {x._data.ndim}D")
        if x._data.dtype.kind not in "fV":
            raise DtypeError(
                f"cdist only supports floating-point dtypes, {name} got: {scalar_name(x._data.dtype)}"
            )
    a, b = x1._data, x2._data
    if a.shape[-1] != b.shape[-1]:
        raise ShapeError(
            f"X1 and X2 must have the same number of columns. X1: {a.shape[-1]} X2: {b.shape[-1]} "
            f"(shapes {list(a.shape)} and {list(b.shape)})"
        )
    many = compute_mode not in (_MODES[2], 2) and max(a.shape[-2], b.shape[-2]) > 25
    if (
        a.dtype.itemsize < 4
        and a.size
        and b.size
        and not (p == 2 and (many or compute_mode in (_MODES[1], 1)))
    ):
        raise NotImplementedError(f"\"cdist\" not implemented for '{scalar_name(a.dtype)}'")
    if a.dtype != b.dtype:
        raise DtypeError(f"expected scalar type {scalar_name(a.dtype)} but found {scalar_name(b.dtype)}")
    try:
        return apply(EuclideanDist, (x1, x2)) if p == 2 else apply(Cdist, (x1, x2), (float(p),))
    except ValueError as error:
        raise broadcast_error(a.shape[:-2], b.shape[:-2]) if "broadcast" in str(error) else error from None


__all__ = [
    "bucketize", "cdist", "cumulative_trapezoid", "gradient", "histogramdd", "isin", "searchsorted",
    "trapezoid",
    "trapz", "unravel_index",
]  # fmt: skip
