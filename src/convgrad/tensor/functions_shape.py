"""Functions of several tensors that join, align and pad."""

from __future__ import annotations

import itertools
import warnings
from typing import Any

import numpy as np

from .. import dtypes
from ..dtypes import Array
from ..errors import ConvgradError, DtypeError, ShapeError
from ..graph.grad_mode import MODE, RECORD
from ..ops import pad as pads
from ..ops import shape as ops
from ..ops.op import Op
from ..size import Size
from . import dual
from .keywords import by_either_name
from .methods.base import dim_index
from .methods.operands import broadcast_error
from .out import into
from .tensor import Tensor, apply


def _tensors(name: str, tensors: Any) -> list[Tensor]:
    """A checked list of tensors."""
    if isinstance(tensors, Tensor) or not hasattr(tensors, "__iter__"):
        raise TypeError(
            f"{name}(): argument 'tensors' (position 1) must be tuple of Tensors, not "
            f"{type(tensors).__name__}"
        )
    listed = list(tensors)
    for i, x in enumerate(listed):
        if not isinstance(x, Tensor):
            raise TypeError(
                f"{name}(): expected Tensor as element {i} in argument 0, but got {type(x).__name__}"
            )
    return listed


def _promoted(tensors: list[Tensor]) -> list[Tensor]:
    """All in their common dtype."""
    first = tensors[0]._data.dtype
    if all([x._data.dtype == first for x in tensors]):
        return tensors
    kinds: list[list[dtypes.dtype]] = [[], []]
    for x in tensors:
        kinds[0 if x._data.ndim else 1].append(x.dtype)
    common = dtypes.result_dtype(kinds[0], kinds[1], [])
    return [x._cast(common) for x in tensors]


def _alike(tensors: Any) -> tuple[list[Array], bool] | None:
    """The arrays of tensors that agree in dtype and rank, and whether the call is to be recorded.

    Returns:
        None where there is more to look at: other classes, dtypes or ranks, none at all, a transformation.
    """
    mode = MODE.get()
    if mode > RECORD or (type(tensors) is not list and type(tensors) is not tuple) or not tensors:
        return None
    arrays: list[Array] = []
    tracked = False
    for x in tensors:
        if not isinstance(x, Tensor):
            return None
        data = x._data
        if arrays and (data.dtype is not arrays[0].dtype or data.ndim != arrays[0].ndim):
            return None
        arrays.append(data)
        tracked = tracked or x._node is not None
    return arrays, tracked and mode == RECORD


def _joined(op: type[Op], tensors: Any, arrays: list[Array], tracked: bool, axis: int) -> Tensor:
    return apply(op, tuple(tensors), (axis,)) if tracked else Tensor(op.forward(arrays, axis)[0], None)


def cat(tensors: Any, dim: int = 0, *, axis: int | None = None, out: Any = None) -> Tensor:
    """Tensors joined along an existing dimension.

    Args:
        tensors: of equal sizes but in ``dim``; dtypes are promoted; empty ones of shape (0,) are skipped.
        dim: the dimension to join along.
    Raises:
        ShapeError: sizes that do not match.
        ValueError: an empty list.
    Example:
        >>> cat([zeros(2, 3), ones(1, 3)]).shape
        torch.Size([3, 3])

    Source: semantics of torch.cat.
    """
    if axis is not None:
        dim = axis
    if out is not None:
        return into("cat", cat, out, (tensors, dim), {})
    found = _alike(tensors)
    if found is not None and found[0][0].ndim:
        try:
            return _joined(ops.Cat, tensors, *found, dim_index(dim, found[0][0].ndim))
        except ValueError:
            pass  # sizes that do not match: said below
    listed = _tensors("cat", tensors)
    if not listed:
        raise ValueError("torch.cat(): expected a non-empty list of Tensors")
    for i, x in enumerate(listed):
        if not x._data.ndim:
            raise ShapeError(f"zero-dimensional tensor (at position {i}) cannot be concatenated")
    listed = _promoted(listed)
    kept = [x for x in listed if x._data.shape != (0,)] or listed[:1]
    first = kept[0]._data.shape
    axis = dim_index(dim, len(first))
    for i, x in enumerate(kept):
        shape = x._data.shape
        if len(shape) != len(first):
            raise ShapeError(
                f"Tensors must have same number of dimensions: got {len(first)} and {len(shape)}"
            )
        for n, m, at in zip(first, shape, range(len(first)), strict=True):
            if n != m and at != axis:
                raise ShapeError(
                    f"Sizes of tensors must match except in dimension {axis}. Expected size {n} but got "
                    f"size {m} for "
                    f"tensor number {i} in the list. (shapes {[list(x._data.shape) for x in kept]})"
                )
    return apply(ops.Cat, tuple(kept), (axis,))


concat = concatenate = cat


def stack(tensors: Any, dim: int = 0, *, axis: int | None = None, out: Any = None) -> Tensor:
    """Tensors of one shape joined along a new dimension.

    Example:
        >>> stack([zeros(3), ones(3)]).shape
        torch.Size([2, 3])
    """
    if axis is not None:
        dim = axis
    if out is not None:
        return into("stack", stack, out, (tensors, dim), {})
    found = _alike(tensors)
    if found is not None:
        first = found[0][0].shape
        if all([x.shape == first for x in found[0]]):
            return _joined(ops.Stack, tensors, *found, dim_index(dim, len(first), extra=1))
    listed = _tensors("stack", tensors)
    if not listed:
        raise ConvgradError("stack expects a non-empty TensorList")
    first = listed[0]._data.shape
    axis = dim_index(dim, len(first), extra=1)
    for i, x in enumerate(listed):
        if x._data.shape != first:
            raise ShapeError(
                f"stack expects each tensor to be equal size, but got {list(first)} at entry 0 and "
                f"{list(x._data.shape)} at entry {i}"
            )
    return apply(ops.Stack, tuple(_promoted(listed)), (axis,))


def atleast_1d(*tensors: Any) -> Any:
    """Each tensor with at least one dimension."""
    return _each(tensors, lambda x: x.reshape(1) if not x._data.ndim else x)


def atleast_2d(*tensors: Any) -> Any:
    """Each tensor with at least two dimensions; new ones come first."""
    return _each(tensors, _two_dims)


def _two_dims(x: Tensor) -> Tensor:
    if not x._data.ndim:
        return x.reshape(1, 1)
    return x.unsqueeze(0) if x._data.ndim == 1 else x


def atleast_3d(*tensors: Any) -> Any:
    """Each tensor with at least three dimensions; a vector becomes ``(1, n, 1)``, a matrix ``(n, m, 1)``."""
    return _each(tensors, _three_dims)


def _three_dims(x: Tensor) -> Tensor:
    if not x._data.ndim:
        return x.reshape(1, 1, 1)
    if x._data.ndim == 1:
        return x.unsqueeze(0).unsqueeze(-1)
    return x.unsqueeze(-1) if x._data.ndim == 2 else x


def _each(tensors: tuple[Any, ...], function: Any) -> Any:
    if len(tensors) == 1:
        if isinstance(tensors[0], Tensor):
            return function(tensors[0])
        tensors = tuple(tensors[0])
    return tuple([function(x) for x in tensors])


def _some(name: str, tensors: Any) -> list[Any]:
    listed = _tensors(name, tensors)
    if not listed:
        raise ConvgradError(f"{name} expects a non-empty TensorList")
    return listed


def hstack(tensors: Any) -> Tensor:
    """Joined along the second dimension (vectors: along their only one)."""
    listed = list(atleast_1d(_some("hstack", tensors)))
    return cat(listed, 0 if listed[0]._data.ndim == 1 else 1)


def vstack(tensors: Any) -> Tensor:
    """Joined along the first dimension; vectors are rows."""
    return cat(list(atleast_2d(_some("vstack", tensors))), 0)


row_stack = vstack


def dstack(tensors: Any) -> Tensor:
    """Joined along the third dimension."""
    return cat(list(atleast_3d(_some("dstack", tensors))), 2)


def column_stack(tensors: Any) -> Tensor:
    """Joined along the second dimension; vectors are columns."""
    listed = _tensors("column_stack", tensors)
    return hstack([x.reshape(x._data.size, 1) if x._data.ndim <= 1 else x for x in listed])


def block_diag(*tensors: Tensor) -> Tensor:
    """Matrices (vectors are rows, numbers 1 by 1) along the diagonal of one, zeros elsewhere."""
    blocks: list[Any] = _promoted([_two_dims(x) for x in tensors])
    for x in blocks:
        if x._data.ndim > 2:
            raise ShapeError(
                f"torch.block_diag: Input tensors must have 2 or fewer dimensions, got {list(x._data.shape)}"
            )
    width = sum([x._data.shape[1] for x in blocks])
    at, rows = 0, []
    for x in blocks:
        m = x._data.shape[1]
        rows.append(pad(x, (at, width - at - m)))
        at += m
    return cat(rows, 0)


def broadcast_shapes(*shapes: Any) -> Size:
    """The shape that shapes broadcast to."""
    listed = [(s,) if isinstance(s, int) else tuple(s) for s in shapes]
    try:
        return Size(np.broadcast_shapes(*listed))
    except ValueError:
        raise ShapeError(
            "Shape mismatch: objects cannot be broadcast to a single shape: "
            + " and ".join([str(list(s)) for s in listed])
        ) from None


def broadcast_tensors(*tensors: Any) -> tuple[Tensor, ...]:
    """Tensors expanded to the shape they broadcast to; views."""
    listed = list(tensors[0]) if len(tensors) == 1 and not isinstance(tensors[0], Tensor) else list(tensors)
    shape: tuple[int, ...] = ()
    for x in listed:
        try:
            shape = np.broadcast_shapes(shape, x._data.shape)
        except ValueError:
            raise broadcast_error(shape, x._data.shape) from None
    return tuple([x if x._data.shape == shape else x.expand(shape) for x in listed])


def meshgrid(*tensors: Any, indexing: str | None = None) -> tuple[Tensor, ...]:
    """Coordinates of a grid: tensor i varies along dimension i ("ij") or with the first two exchanged ("xy").

    Args:
        tensors: vectors (or numbers) of one dtype.
    Returns:
        one expanded view per vector, all of the grid's shape.
    """
    listed = list(tensors[0]) if len(tensors) == 1 and not isinstance(tensors[0], Tensor) else list(tensors)
    if not listed:
        raise ConvgradError("meshgrid expects a non-empty TensorList")
    if indexing is None:
        warnings.warn(
            "torch.meshgrid: in an upcoming release, it will be required to pass the indexing argument.",
            stacklevel=2,
        )
    elif indexing not in ("ij", "xy"):
        raise ConvgradError(f'torch.meshgrid: indexing must be one of "xy" or "ij", but received: {indexing}')
    for x in listed:
        if x._data.ndim > 1:
            raise ShapeError(
                f"torch.meshgrid: Expected 0D or 1D tensor in the tensor list but got: {list(x._data.shape)}"
            )
        if x._data.dtype != listed[0]._data.dtype:
            raise DtypeError(
                f"torch.meshgrid expects all tensors to have the same dtype, got {listed[0].dtype} and "
                f"{x.dtype}"
            )
    places = list(range(len(listed)))
    if indexing == "xy" and len(listed) > 1:
        places[0], places[1] = 1, 0
    shape = tuple([listed[p]._data.size for p in places])
    grids = []
    for place, x in zip(places, listed, strict=True):
        alone = [1] * len(listed)
        alone[place] = x._data.size
        grids.append(x.view(alone).expand(shape))
    return tuple(grids)


def cartesian_prod(*tensors: Tensor) -> Tensor:
    """All tuples of one element of each vector, as rows."""
    for x in tensors:
        if x._data.ndim != 1:
            raise ShapeError(f"Expect a 1D vector, but got shape {list(x._data.shape)}")
    if len(tensors) == 1:
        return tensors[0]
    return stack([g.reshape(-1) for g in meshgrid(*tensors, indexing="ij")], 1)


def combinations(input: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor:
    """All choices of ``r`` elements of a vector in order, as rows."""
    if input._data.ndim != 1:
        raise ShapeError(f"Expect a 1D vector, but got shape {list(input._data.shape)}")
    if r < 0:
        raise ConvgradError(f"Expect a non-negative number, but got {r}")
    if r == 0:
        return Tensor(np.empty(0, input._data.dtype), None)
    choose: Any = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    rows = np.array(list(choose(range(input._data.size), r)), np.int64).reshape(-1, r)
    return input.take(Tensor(rows, None))


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """A new last dimension with 1 at the position each int64 element names, 0 elsewhere.

    Args:
        num_classes: size of the new dimension; -1 takes the largest element plus one.
    """
    if num_classes > 0 and dual.batch_of(tensor) is not None:
        return (tensor.unsqueeze(-1) == Tensor(np.arange(num_classes), None)).to(tensor.dtype)
    x = tensor._data
    if x.dtype != np.int64:
        raise DtypeError(f"one_hot is only applicable to index tensor of type LongTensor, got {tensor.dtype}")
    if not x.size and num_classes <= 0:
        raise ConvgradError("Can not infer total number of classes from empty tensor.")
    if x.size and x.min() < 0:
        raise ConvgradError(f"Class values must be non-negative. (got {x.min()})")
    size = int(x.max()) + 1 if num_classes == -1 else num_classes
    if num_classes != -1 and num_classes < 1:
        raise ConvgradError(f"num_classes should be positive, got {num_classes}")
    if x.size and x.max() >= size:
        raise ConvgradError(
            f"Class values must be smaller than num_classes. (got {x.max()}, num_classes={size})"
        )
    out = np.zeros((x.size, size), np.int64)
    out[np.arange(x.size), x.reshape(-1)] = 1
    return Tensor(out.reshape(*x.shape, size), None)


_BORDERS: dict[str, tuple[type[pads.Border], ...]] = {
    "reflect": (pads.ReflectionPad1D, pads.ReflectionPad2D, pads.ReflectionPad3D),
    "replicate": (pads.ReplicationPad1D, pads.ReplicationPad2D, pads.ReplicationPad3D),
    "circular": (pads.CircularPad,) * 3,
}


def pad(input: Tensor, pad: Any, mode: str = "constant", value: Any = None) -> Tensor:
    """Borders around the last dimensions; negative widths cut.

    Args:
        input: any shape; for the modes other than constant 2-d to 5-d with the last 1 to 3 dimensions padded.
        pad: widths (elements) from the last dimension backwards: (left, right, top, bottom, ...).
        mode: "constant", "reflect" (mirrored without the edge), "replicate" (the edge) or "circular".
        value: what a constant border holds; 0 if None.
    Raises:
        ConvgradError: widths that do not fit the input.
        NotImplementedError: an unknown mode, or one that does not pad so many dimensions.
    Example:
        >>> pad(tensor([[1., 2., 3.]]), (1, 1), mode="reflect").tolist()
        [[2.0, 1.0, 2.0, 3.0, 2.0]]

    Source: semantics of torch.nn.functional.pad.
    """
    given = tuple(map(int, pad))
    shape = input._data.shape
    if mode == "constant":
        return _constant_pad(input, _widths(shape, given), 0 if value is None else value)
    if mode in _BORDERS and value:
        raise ConvgradError(f'Padding mode "{mode}" doesn\'t take in value argument')
    widths = border_widths(shape, given, mode)
    if input._data.dtype == bool and mode != "circular":
        raise NotImplementedError(f"\"{mode}\" padding not implemented for 'Bool'")
    return apply(_BORDERS[mode][len(given) // 2 - 1], (input,), (widths, mode))


def _widths(shape: tuple[int, ...], given: tuple[int, ...]) -> pads.Widths:
    """The (before, after) pair of each axis, from widths counted from the last axis backwards."""
    if len(given) % 2:
        raise ConvgradError(f"Padding length must be divisible by 2 (got {list(given)})")
    if len(given) > 2 * len(shape):
        raise ConvgradError(
            "Padding length should be less than or equal to two times the input dimension but got padding "
            f"length {len(given)} and input of dimension {len(shape)}"
        )
    pairs = [(given[i], given[i + 1]) for i in range(0, len(given), 2)]
    return ((0, 0),) * (len(shape) - len(pairs)) + tuple(reversed(pairs))


def border_widths(shape: tuple[int, ...], given: tuple[int, ...], mode: str) -> pads.Widths:
    """The (before, after) pair of each axis for a border other than a constant, checked as ``pad`` does."""
    widths = _widths(shape, given)
    if mode not in _BORDERS:
        raise NotImplementedError(f"Unrecognised padding mode {mode}")
    count = len(given) // 2
    if not 1 <= count <= 3 or len(shape) not in (count + 1, count + 2):
        raise NotImplementedError(
            f"Padding size {len(given)} is not supported for {len(shape)}D input tensor.\nSupported "
            "combinations for non-constant padding:\n  - 2D or 3D input: padding size = 2 (pads last "
            "dimension)\n  - 3D or 4D input: padding size = 4 (pads last 2 dimensions)\n  - 4D or 5D input: "
            "padding size = 6 (pads last 3 dimensions)"
        )
    _check_border(mode, shape, widths, count)
    return widths


def _constant_pad(input: Tensor, widths: pads.Widths, value: Any) -> Tensor:
    shape = input._data.shape
    for n, (a, b) in zip(shape, widths, strict=True):
        if (a < 0 or b < 0) and (n + a + b < 0 or n + a < 0 or n + b < 0):
            raise ShapeError(
                f"narrow(): length must be non-negative. The input size {n}, plus negative padding {a} "
                f"and {b}, resulted "
                f"in a negative output size (input shape {list(shape)})"
            )
    return apply(pads.ConstantPad, (input,), (widths, value))


def _check_border(mode: str, shape: tuple[int, ...], widths: pads.Widths, count: int) -> None:
    rank = len(shape)
    if mode != "circular" and 0 in shape[rank - count - 1 :]:
        raise ConvgradError(
            f"Expected {count + 1}D or {count + 2}D (batch mode) tensor with possibly 0 batch size and other "
            f"non-zero dimensions for input, but got: {list(shape)}"
        )
    for at in range(rank - count, rank):
        n, (a, b) = shape[at], widths[at]
        if mode == "circular":
            if a > n or b > n:
                raise ConvgradError(
                    f"Padding value causes wrapping around more than once. (widths {a}, {b} at dimension "
                    f"{at} of "
                    f"input {list(shape)})"
                )
        elif mode == "reflect" and (a >= n or b >= n):
            raise ConvgradError(
                "Argument #4: Padding size should be less than the corresponding input dimension, but "
                "got: padding "
                f"({a}, {b}) at dimension {at} of input {list(shape)}"
            )
        if n + a + b < 0:
            raise _border_error(shape, at, widths)
    sizes = [shape[at] + sum(widths[at]) for at in range(rank - count, rank)]
    if mode != "circular" and max(sizes) < 1:
        raise _border_error(shape, rank - 1, widths)


def _border_error(shape: tuple[int, ...], at: int, widths: pads.Widths) -> ConvgradError:
    return ConvgradError(
        f"input (size {shape[at]}) is too small for padding {widths[at]} at dimension {at}: the output "
        "would be "
        f"empty (input {list(shape)})"
    )


@by_either_name
def repeat_interleave(input: Any, repeats: Any = None, dim: Any = None, *, output_size: Any = None) -> Tensor:
    """Each element repeated; of one tensor alone, its index repeated as often as each element says."""
    if repeats is None:
        times = input._data
        if times.dtype.kind not in "iu":
            raise NotImplementedError(f'"repeat_interleave_cpu" not implemented for {times.dtype.name}')
        return Tensor(np.repeat(np.arange(times.size, dtype=times.dtype), times), None)
    return input.repeat_interleave(repeats, dim)


def is_tensor(obj: Any) -> bool:
    """Whether an object is a Tensor."""
    return isinstance(obj, Tensor)


__all__ = [
    "atleast_1d", "atleast_2d", "atleast_3d", "block_diag", "broadcast_shapes", "broadcast_tensors",
    "cartesian_prod", "cat", "column_stack", "combinations", "concat", "concatenate", "dstack",
    "hstack", "is_tensor", "meshgrid", "one_hot", "pad", "repeat_interleave", "row_stack", "stack",
    "vstack",
]  # fmt: skip
