"""Views and rearrangements as methods."""

from __future__ import annotations

import math
import warnings
import weakref
from typing import Any

from ... import dtypes
from ...errors import ConvgradError, DimError, ShapeError
from ...graph.grad_mode import MODE, OFF, RECORD
from ...graph.node import LEAF, cell_of
from ...ops import elementwise as ew
from ...ops import rearrange
from ...ops import shape as ops
from ...ops.formula import viewable
from ...ops.op import Op
from ..views import check_history, refresh
from .base import dim_index, size_args
from .split import SplitMethods


class ShapeMethods(SplitMethods):
    """``view``, ``permute``, ``expand``, ``flip``, ``tril`` and their kin."""

    __slots__ = ()

    # -- other shapes ---------------------------------------------------------------------------

    def reshape(self, *given: Any, shape: Any = None) -> Any:
        """The same elements in another shape; one size may be -1. A view where strides allow."""
        if shape is not None:
            given = (shape,)
        data = self._data
        new = fill_size(size_args(given), data)
        if data.flags.c_contiguous:
            return self._apply_view(ops.Reshape, self, (new,))
        return self._apply(ops.ReshapeAlias if viewable(data, new) else ops.UnsafeView, (self,), (new,))

    def view(self, *shape: Any, size: Any = None, dtype: Any = None) -> Any:
        """The same memory in another shape, or with its bytes read as another dtype.

        Args:
            shape: the sizes, one of which may be -1; or one dtype.
        Raises:
            ShapeError: the sizes do not fit, or the strides do not allow a view.
        Example:
            >>> x.view(2, -1).shape
            torch.Size([2, 3])
        """
        if size is not None or dtype is not None:
            shape = (size if dtype is None else dtype,)
        if len(shape) == 1 and type(shape[0]) is dtypes.dtype:
            return self._view_dtype(shape[0])
        data = self._data
        new = fill_size(size_args(shape), data)
        if not data.flags.c_contiguous and not viewable(data, new):
            raise ShapeError(
                "view size is not compatible with input tensor's size and stride (at least one dimension "
                "spans "
                f"across two contiguous subspaces). Use .reshape(...) instead. (view({list(new)}) of a "
                f"tensor of "
                f"shape {list(data.shape)} and stride {[s // data.itemsize for s in data.strides]})"
            )
        return self._apply_view(ops.Reshape, self, (new,))

    def _view_dtype(self, kind: dtypes.dtype) -> Any:
        data = self._data
        old = data.dtype
        if data.ndim == 0 and old.itemsize != kind.itemsize:
            raise ConvgradError(
                f"self.dim() cannot be 0 to view {old.name} as {kind.name} (different element sizes)"
            )
        if kind.itemsize > old.itemsize and (data.shape[-1] * old.itemsize) % kind.itemsize:
            raise ConvgradError(
                f"self.size(-1) must be divisible by {kind.itemsize // old.itemsize} to view {old.name} as "
                f"{kind.name} (different element sizes), but got {data.shape[-1]}"
            )
        out = self._wrap(data.view(kind.np))
        out._cell = cell_of(self)
        return out

    def view_as(self, other: Any) -> Any:
        """``view`` with the shape of another tensor."""
        return self.view(other._data.shape)

    def reshape_as(self, other: Any) -> Any:
        """``reshape`` with the shape of another tensor."""
        return self.reshape(other._data.shape)

    def flatten(self, start_dim: int = 0, end_dim: int = -1) -> Any:
        """Dimensions ``start_dim`` to ``end_dim`` (inclusive) as one."""
        shape = self._data.shape
        first, last = dim_index(start_dim, len(shape)), dim_index(end_dim, len(shape))
        if not shape:
            return self.reshape(1)
        if first > last:
            raise ConvgradError(
                f"flatten() has invalid args: start_dim cannot come after end_dim (got {start_dim} and "
                f"{end_dim} "
                f"for shape {list(shape)})"
            )
        if first == last:
            return self
        return self.reshape((*shape[:first], math.prod(shape[first : last + 1]), *shape[last + 1 :]))

    def unflatten(self, dim: int, sizes: Any) -> Any:
        """Dimension ``dim`` as several; one size may be -1."""
        shape = self._data.shape
        if not shape:
            raise DimError("unflatten: Dimension specified as 0 but tensor has no dimensions")
        at = dim_index(dim, len(shape))
        new = size_args((sizes,))
        if not new:
            raise ConvgradError("unflatten: sizes must be non-empty")
        known = math.prod([n for n in new if n != -1])
        if new.count(-1) == 1 and known and shape[at] % known == 0:
            new = tuple([shape[at] // known if n == -1 else n for n in new])
        elif known != shape[at] or -1 in new:
            raise ShapeError(
                f"unflatten: Provided sizes {list(new)} don't multiply up to the size of dim {at} "
                f"({shape[at]}) "
                f"in the input tensor (shape {list(shape)})"
            )
        return self.view((*shape[:at], *new, *shape[at + 1 :]))

    def ravel(self) -> Any:
        """All elements in one dimension, in row-major order."""
        return self.contiguous().view(-1)

    def contiguous(self, memory_format: Any = None) -> Any:
        """The tensor itself if its rows lie one after another in memory, else a copy where they do."""
        return self if self._data.flags.c_contiguous else self._apply(ops.Contiguous, (self,))

    # -- other orders of dimensions -------------------------------------------------------------

    def permute(self, *given: Any, dims: Any = None) -> Any:
        """Dimensions in another order; a view."""
        if dims is not None:
            given = (dims,)
        order = size_args(given)
        ndim = self._data.ndim
        if len(order) != ndim:
            raise ShapeError(
                "permute(sparse_coo): number of dimensions in the tensor input does not match the length "
                "of the "
                f"desired ordering of dimensions i.e. input.dim() = {ndim} is not equal to len(dims) = "
                f"{len(order)}"
            )
        if order and min(order) >= 0:
            try:
                return self._apply_view(ops.Permute, self, (order,))
            except ValueError:
                pass  # NumPy's word for what is said below
        axes = tuple([dim_index(d, ndim) for d in order])
        if len(set(axes)) != ndim:
            raise ConvgradError(f"permute(): duplicate dims are not allowed. (got {list(order)})")
        return self._apply_view(ops.Permute, self, (axes,))

    def transpose(self, dim0: int, dim1: int) -> Any:
        """Two dimensions exchanged; a view."""
        ndim = self._data.ndim
        return self._apply_view(ops.Transpose, self, (dim_index(dim0, ndim), dim_index(dim1, ndim)))

    swapdims = transpose

    def swapaxes(self, axis0: int, axis1: int) -> Any:
        """Two dimensions exchanged; a view."""
        return self.transpose(axis0, axis1)

    def movedim(self, source: Any, destination: Any) -> Any:
        """Dimensions ``source`` moved to ``destination``, the others keeping their order; a view."""
        ndim = self._data.ndim
        given, goal = [(d,) if isinstance(d, int) else tuple(d) for d in (source, destination)]
        if len(given) != len(goal):
            raise ConvgradError(
                f"movedim: Invalid source or destination dims: source ({list(given)} dims) should contain "
                f"the same "
                f"number of dims as destination ({list(goal)} dims)"
            )
        src, dst = [tuple([dim_index(d, ndim) for d in dims]) for dims in (given, goal)]
        for name, dims, original in (("source", src, given), ("destination", dst, goal)):
            if len(set(dims)) != len(dims):
                raise ConvgradError(f"movedim: repeated dim in `{name}` ({list(original)})")
        if not ndim:
            return self._apply_view(ops.Alias, self, (...,))
        order: list[int] = [d for d in range(ndim) if d not in src]
        for to, frm in sorted(zip(dst, src, strict=True)):
            order.insert(to, frm)
        return self._apply_view(ops.Permute, self, (tuple(order),))

    moveaxis = movedim

    def t(self) -> Any:
        """The transpose of a matrix; vectors and numbers are themselves."""
        ndim = self._data.ndim
        if ndim > 2:
            raise ConvgradError(f"t() expects a tensor with <= 2 dimensions, but self is {ndim}D")
        return self._apply_view(ops.T, self, (0, ndim - 1 if ndim else 0))

    @property
    def T(self) -> Any:
        """The dimensions in reverse order."""
        ndim = self._data.ndim
        if ndim != 2:
            warnings.warn(
                "The use of `x.T` on tensors of dimension other than 2 to reverse their shape is "
                "deprecated and it "
                "will throw an error in a future release. Consider `x.mT` to transpose batches of "
                "matrices or "
                "`x.permute(*torch.arange(x.ndim - 1, -1, -1))` to reverse the dimensions of a tensor.",
                stacklevel=2,
            )
        return self._apply_view(ops.Permute, self, (tuple(range(ndim - 1, -1, -1)),))

    @property
    def mT(self) -> Any:
        """The last two dimensions exchanged."""
        if self._data.ndim == 1:
            raise ConvgradError(
                "tensor.mT is only supported on matrices or batches of matrices. Got 1-D tensor."
            )
        return self.transpose(-2, -1) if self._data.ndim else self

    @property
    def H(self) -> Any:
        """The conjugate transpose of a matrix."""
        if self._data.ndim not in (0, 2):
            raise ConvgradError(
                f"tensor.H is only supported on matrices (2-D tensors). Got {self._data.ndim}-D tensor."
            )
        return self.adjoint() if self._data.ndim else self

    @property
    def mH(self) -> Any:
        """``adjoint()``."""
        return self.adjoint()

    def adjoint(self) -> Any:
        """The last two dimensions exchanged, and the complex conjugate taken."""
        if self._data.ndim < 2:
            raise ConvgradError(
                f"tensor.adjoint() is only supported on matrices or batches of matrices. Got "
                f"{self._data.ndim}-D tensor."
            )
        out = self.transpose(-2, -1)
        return out._unary(ew.Conj) if self._data.dtype.kind == "c" else out

    # -- dimensions of size 1, and repeating ------------------------------------------------------

    def unsqueeze(self, dim: Any = None, *, axis: Any = None) -> Any:
        """A dimension of size 1 put in before ``dim``; a view."""
        if axis is not None:
            dim = axis
        return self._apply_view(ops.Unsqueeze, self, (unsqueezed(self._data.shape, dim),))

    def squeeze(self, dim: Any = None, *, axis: Any = None) -> Any:
        """Dimensions of size 1 taken away: all of them, or those named whose size is 1; a view."""
        if axis is not None:
            dim = axis
        op = (
            ops.Squeeze
            if dim is None
            else ops.SqueezeDims
            if isinstance(dim, (tuple, list))
            else ops.SqueezeDim
        )
        return self._apply_view(op, self, (squeezed(self._data.shape, dim),))

    def expand(self, *sizes: Any, size: Any = None) -> Any:
        """Size-1 dimensions repeated without copying; -1 keeps a size; a view."""
        if size is not None:
            sizes = (size,)
        return self._apply_view(ops.Expand, self, (expanded_shape(size_args(sizes), self._data.shape),))

    def expand_as(self, other: Any) -> Any:
        """``expand`` to the shape of another tensor."""
        return self.expand(other._data.shape)

    def broadcast_to(self, size: Any) -> Any:
        """``expand`` to a shape."""
        return self.expand(size)

    def repeat(self, *given: Any, repeats: Any = None) -> Any:
        """The tensor set side by side ``repeats`` times along each dimension; a copy."""
        if repeats is not None:
            given = (repeats,)
        times = size_args(given)
        shape = self._data.shape
        if len(times) < len(shape):
            raise ShapeError(
                "Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor "
                f"(got repeat({list(times)}) of shape {list(shape)})"
            )
        if min(times, default=0) < 0:
            raise ConvgradError(f"Trying to create tensor with negative dimension: repeat({list(times)})")
        return self._apply(rearrange.Repeat, (self,), (times,))

    def tile(self, *given: Any, dims: Any = None) -> Any:
        """``repeat`` that takes fewer repeats than there are dimensions as meant for the last ones."""
        if dims is not None:
            given = (dims,)
        times = size_args(given)
        return self.repeat((1,) * (self._data.ndim - len(times)) + times)

    # -- rearranging copies -----------------------------------------------------------------------

    def flip(self, *given: Any, dims: Any = None) -> Any:
        """The order of elements reversed along ``dims``; a copy."""
        if dims is not None:
            given = (dims,)
        order = size_args(given)
        axes = tuple([dim_index(d, self._data.ndim) for d in order])
        if len(set(axes)) != len(axes):
            raise ConvgradError(
                f"dim {next(a for a in axes if axes.count(a) > 1)} appears multiple times in the list of dims"
            )
        return self._apply(rearrange.Flip, (self,), (axes if self._data.ndim else (),))

    def fliplr(self) -> Any:
        """``flip`` of the second dimension."""
        if self._data.ndim < 2:
            raise ConvgradError(f"Input must be >= 2-d. (fliplr got shape {list(self._data.shape)})")
        return self.flip(1)

    def flipud(self) -> Any:
        """``flip`` of the first dimension."""
        if self._data.ndim < 1:
            raise ConvgradError("Input must be >= 1-d. (flipud got a 0-d tensor)")
        return self.flip(0)

    def roll(self, shifts: Any, dims: Any = ()) -> Any:
        """Elements moved on by ``shifts`` along ``dims``, those leaving one end entering at the other.

        Without dims the tensor is rolled as if flattened.
        """
        by = (int(shifts),) if not isinstance(shifts, (tuple, list)) else tuple(shifts)
        given = () if dims is None else (dims,) if isinstance(dims, int) else tuple(dims)
        if not by:
            raise ConvgradError("`shifts` required")
        if not given and len(by) == 1:
            return self._apply(rearrange.Roll, (self,), (by, ()))
        if len(by) != len(given):
            raise ConvgradError(f"shifts and dimensions must align. shifts: {len(by)}, dims:{len(given)}")
        if not self._data.ndim:
            raise DimError(f"Dimension specified as {given[0]} but tensor has no dimensions (roll)")
        axes = tuple([dim_index(d, self._data.ndim) for d in given])
        return self._apply(rearrange.Roll, (self,), (by, axes))

    def rot90(self, k: int = 1, dims: Any = (0, 1)) -> Any:
        """A rotation by ``k`` quarter turns from the first of two dimensions to the second."""
        ndim = self._data.ndim
        if len(dims) != 2:
            raise ConvgradError(f"expected total rotation dims == 2, but got dims = {len(dims)}")
        if ndim < 2:
            raise ConvgradError(f"expected total dims >= 2, but got total dims = {ndim}")
        if dims[0] == dims[1] or abs(dims[0] - dims[1]) == ndim:
            raise ConvgradError(
                f"expected rotation dims to be different, but got dim0 = {dims[0]} and dim1 = {dims[1]}"
            )
        axes = (dim_index(dims[0], ndim), dim_index(dims[1], ndim))
        return self._apply(rearrange.Rot90, (self,), (k % 4, axes))

    def tril(self, diagonal: int = 0) -> Any:
        """The lower triangle of the last two dimensions; zeros above the given diagonal."""
        self._needs_matrix("tril")
        return self._apply(rearrange.Tril, (self,), (diagonal,))

    def triu(self, diagonal: int = 0) -> Any:
        """The upper triangle of the last two dimensions; zeros below the given diagonal."""
        self._needs_matrix("triu")
        return self._apply(rearrange.Triu, (self,), (diagonal,))

    def tril_(self, diagonal: int = 0) -> Any:
        """``tril`` in place."""
        self._needs_matrix("tril_")
        return self._inplace("tril_", rearrange.Tril, (), (diagonal,))

    def triu_(self, diagonal: int = 0) -> Any:
        """``triu`` in place."""
        self._needs_matrix("triu_")
        return self._inplace("triu_", rearrange.Triu, (), (diagonal,))

    def _needs_matrix(self, name: str) -> None:
        if self._data.ndim < 2:
            raise ConvgradError(
                f"{name}: input tensor must have at least 2 dimensions (got shape {list(self._data.shape)})"
            )

    # -- the same handle with another shape ---------------------------------------------------------

    def t_(self) -> Any:
        """``t`` in place."""
        ndim = self._data.ndim
        if ndim > 2:
            raise ConvgradError(f"t_() expects a tensor with <= 2 dimensions, but self is {ndim}D")
        return self._become("t_", ops.TInPlace, (0, ndim - 1 if ndim else 0))

    def transpose_(self, dim0: int, dim1: int) -> Any:
        """``transpose`` in place."""
        ndim = self._data.ndim
        return self._become(
            "transpose_", ops.TransposeInPlace, (dim_index(dim0, ndim), dim_index(dim1, ndim))
        )

    swapdims_ = transpose_

    def swapaxes_(self, axis0: int, axis1: int) -> Any:
        """``swapaxes`` in place."""
        return self.transpose_(axis0, axis1)

    def unsqueeze_(self, dim: int) -> Any:
        """``unsqueeze`` in place."""
        return self._become("unsqueeze_", ops.UnsqueezeInPlace, (unsqueezed(self._data.shape, dim),))

    def squeeze_(self, dim: Any = None) -> Any:
        """``squeeze`` in place."""
        several = isinstance(dim, (tuple, list))
        op = (
            ops.SqueezeInPlace
            if dim is None
            else ops.SqueezeDimsInPlace
            if several
            else ops.SqueezeDimInPlace
        )
        return self._become("squeeze_", op, (squeezed(self._data.shape, dim),))

    def _become(self, name: str, op: type[Op], params: tuple[Any, ...]) -> Any:
        """Turn this handle into the view of itself that ``op`` makes."""
        me: Any = self
        if MODE.get() & RECORD:
            check_history(self, name)
        node: Any = self._node
        leaf = node is not None and node.kind == LEAF
        before = self._wrap(self._data)  # takes this handle's place as base of its views
        before._node, before._cell, before._view = node, cell_of(self), self._view
        silent = node is not None and not leaf and MODE.get() == OFF
        if silent:  # the history stays, also where nothing is recorded: it is to have the new shape
            MODE.set(RECORD)
        try:
            out = before._apply(op, (before,), params)
        finally:
            if silent:
                MODE.set(OFF)
        cell = cell_of(self)
        views = [view for view in (ref() for ref in cell.views or ()) if view is not None and view is not out]
        dependants = [v for v in views if v._view is not None and v._view.base is self]
        me._data = out._data
        if leaf:
            node.data, node.shape = out._data, out._data.shape
        elif self._view is None and not dependants:  # still the owner of its storage
            me._node = node if silent and out._data.shape == node.shape else out._node
        else:
            for view in dependants:
                view._view.base = before
            me._node, me._view = out._node, out._view
            cell.views = cell.views or []
            cell.views.append(weakref.ref(self))
            if silent and not dependants:
                refresh(me._view.base, cell)
        cell.bump(name)
        return self


def unsqueezed(shape: tuple[int, ...], dim: int) -> tuple[int, ...]:
    """A shape with a 1 put in before ``dim``."""
    at = dim_index(dim, len(shape), extra=1)
    return (*shape[:at], 1, *shape[at:])


def squeezed(shape: tuple[int, ...], dim: Any) -> tuple[int, ...]:
    """A shape without its ones, or without those of the named dimensions."""
    if dim is None:
        return tuple([n for n in shape if n != 1])
    if type(dim) is int:
        at = dim_index(dim, len(shape))
        return shape[:at] + shape[at + 1 :] if shape and shape[at] == 1 else shape
    dims = [dim_index(d, len(shape)) for d in (dim if isinstance(dim, (tuple, list)) else (dim,))]
    if len(set(dims)) != len(dims):
        raise ConvgradError(
            f"dim {next(d for d in dims if dims.count(d) > 1)} appears multiple times in the list of dims"
        )
    return tuple([n for i, n in enumerate(shape) if n != 1 or i not in dims])


def expanded_shape(sizes: tuple[int, ...], old: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that ``expand(sizes)`` gives a tensor of shape ``old``.

    Raises:
        ShapeError: fewer sizes than dimensions, or a size other than 1 that would change.
    """
    lead = len(sizes) - len(old)
    if lead < 0:
        raise ShapeError(
            f"expand(shape {list(old)}, size={list(sizes)}): the number of sizes provided ({len(sizes)}) "
            f"must be "
            f"greater or equal to the number of dimensions in the tensor ({len(old)})"
        )
    full = list(sizes)
    for i, n in enumerate(sizes):
        if i < lead:
            if n < 0:
                raise ShapeError(
                    f"The expanded size of the tensor ({n}) isn't allowed in a leading, non-existing "
                    f"dimension {i}"
                )
        elif n == -1:
            full[i] = old[i - lead]
        elif n != old[i - lead] and (old[i - lead] != 1 or n < 0):
            raise ShapeError(
                f"The expanded size of the tensor ({n}) must match the existing size ({old[i - lead]}) at "
                f"non-singleton dimension {i}.  Target sizes: {list(sizes)}.  Tensor sizes: {list(old)}"
            )
    return tuple(full)


def fill_size(shape: tuple[int, ...], data: Any) -> tuple[int, ...]:
    """A shape with its one -1 filled in.

    Raises:
        ShapeError: the sizes do not multiply to the number of elements.
    """
    if shape == (-1,):
        return (data.size,)
    product = math.prod(shape)
    if product == data.size:
        for n in shape:
            if n < 0:
                break
        else:
            return shape
    elif product < 0 and data.size % product == 0 and shape.count(-1) == 1 and min(shape) == -1:
        at = shape.index(-1)
        return (*shape[:at], data.size // -product, *shape[at + 1 :])
    known = math.prod([n for n in shape if n != -1])
    missing = shape.count(-1)
    if missing == 1 and known > 0 and data.size % known == 0:
        return tuple([data.size // known if n == -1 else n for n in shape])
    if missing > 1:
        raise ShapeError(f"only one dimension can be inferred (got shape {list(shape)})")
    if missing == 1 and known == 0 and data.size == 0:
        raise ShapeError(
            f"cannot reshape tensor of 0 elements into shape {list(shape)} because the unspecified "
            f"dimension size "
            "-1 can be any value and is ambiguous"
        )
    if missing or known != data.size or min(shape, default=0) < 0:
        raise ShapeError(
            f"shape '{list(shape)}' is invalid for input of size {data.size} (of shape {list(data.shape)})"
        )
    return shape
