"""The ``*_copy`` functions: what a view shows, in memory of its own; and memory laid out as asked for.

Each takes the arguments of the method it is named for. Source: semantics of torch.view_copy and so on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..device import check_device
from ..errors import ConvgradError, ShapeError
from ..ops.shape import Contiguous
from .arrays import as_kind, sizes
from .functions_elementwise import view_as_complex, view_as_real
from .functions_shape import pad
from .methods.copies import strided_memory
from .tensor import Tensor, apply


def _copy_of(name: str, view: Callable[..., Any] | None = None) -> Callable[..., Any]:
    """The function ``<name>_copy``."""
    look = getattr(Tensor, name) if view is None else view

    def copied(input: Tensor, *args: Any, **kwargs: Any) -> Any:
        if not isinstance(input, Tensor):
            raise TypeError(f"{name}_copy(): argument 'input' must be Tensor, not {type(input).__name__}")
        found = look(input, *args, **kwargs)
        if isinstance(found, tuple):
            return tuple([apply(Contiguous, (piece,)) for piece in found])
        return apply(Contiguous, (found,))

    copied.__name__ = copied.__qualname__ = f"{name}_copy"
    copied.__doc__ = f"What ``{name}`` shows, in memory of its own; the same arguments."
    return copied


def _slice(input: Tensor, dim: int = 0, start: Any = None, end: Any = None, step: int = 1) -> Any:
    if not input._data.ndim:
        raise ShapeError("slice() cannot be applied to a 0-dim tensor.")
    if step <= 0:
        raise ConvgradError(f"slice step must be positive, but got {step}")
    return input[(slice(None),) * (dim % input._data.ndim) + (slice(start, end, step),)]


def _view(input: Tensor, size: Any = None, *, dtype: Any = None) -> Any:
    if dtype is None and isinstance(size, (int, tuple, list)):
        return input.reshape(size)  # in memory of its own, whatever the strides
    return input.view(size if dtype is None else dtype)


def _expand(input: Tensor, size: Any) -> Any:
    return input.expand(size)


def _permute(input: Tensor, dims: Any) -> Any:
    return input.permute(dims)


alias_copy = _copy_of("alias", lambda input: input)
as_strided_copy = _copy_of("as_strided")
detach_copy = _copy_of("detach")
diagonal_copy = _copy_of("diagonal")
expand_copy = _copy_of("expand", _expand)
permute_copy = _copy_of("permute", _permute)
select_copy = _copy_of("select")
slice_copy = _copy_of("slice", _slice)
split_copy = _copy_of("split")
split_with_sizes_copy = _copy_of("split_with_sizes")
squeeze_copy = _copy_of("squeeze")
t_copy = _copy_of("t")
transpose_copy = _copy_of("transpose")
unbind_copy = _copy_of("unbind")
unfold_copy = _copy_of("unfold")
unsqueeze_copy = _copy_of("unsqueeze")
view_copy = _copy_of("view", _view)
view_as_complex_copy = _copy_of("view_as_complex", view_as_complex)
view_as_real_copy = _copy_of("view_as_real", view_as_real)


def constant_pad_nd(input: Tensor, pad: Any, value: Any = 0) -> Tensor:
    """``nn.functional.pad`` with a constant border.

    Example:
        >>> constant_pad_nd(ones(2), (1, 1), 5.0).tolist()
        [5.0, 1.0, 1.0, 5.0]
    """
    return _pad(input, pad, "constant", value)


_pad = pad


def fill(input: Tensor, value: Any) -> Any:
    """A copy in which every element is ``value``, a number or a 0-d tensor.

    Example:
        >>> fill(zeros(2), 3).tolist()
        [3.0, 3.0]
    """
    return input.clone().fill_(value)


def scalar_tensor(
    s: Any, *, dtype: Any = None, layout: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """A number as a 0-d tensor, of the default dtype if none is given.

    Example:
        >>> scalar_tensor(3)
        tensor(3.)
    """
    check_device(device)
    return Tensor(np.asarray(s).astype(as_kind(dtype).np), None).requires_grad_(requires_grad)


def empty_strided(
    size: Any, stride: Any, *, dtype: Any = None, layout: Any = None, device: Any = None,
    requires_grad: bool = False, pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """Uninitialised memory with strides counted in elements.

    Example:
        >>> empty_strided((2, 3), (1, 2)).stride()
        (1, 2)
    """
    check_device(device)
    memory = strided_memory(sizes("empty_strided", (size,)), tuple(stride), as_kind(dtype))
    return Tensor(memory, None).requires_grad_(requires_grad)


def empty_permuted(
    size: Any, physical_layout: Any, *, dtype: Any = None, layout: Any = None, device: Any = None,
    requires_grad: bool = False, pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """Uninitialised memory whose dimensions lie in the given order, the last one densest.

    Example:
        >>> empty_permuted((2, 3, 4), (2, 0, 1)).stride()
        (3, 1, 6)
    """
    check_device(device)
    shape, order = sizes("empty_permuted", (size,)), tuple(physical_layout)
    if len(shape) != len(order):
        raise ShapeError(
            "Number of dimensions in size does not match the length of the physical_layout; i.e. len(size) = "
            f"{len(shape)} is not equal to len(physical_layout) = {len(order)}"
        )
    if any([not 0 <= d < len(shape) for d in order]):
        raise ConvgradError(
            f"Dimension out of range (expected to be below {len(shape)}, but got {list(order)})"
        )
    if len(set(order)) != len(order):
        raise ConvgradError(f"Duplicate dim not allowed in physical_layout {list(order)}")
    memory = np.empty([shape[d] for d in order], as_kind(dtype).np)
    return Tensor(memory.transpose(np.argsort(order)), None).requires_grad_(requires_grad)
