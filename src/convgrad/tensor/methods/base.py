"""What the method mixins may rely on: the slots of a tensor and the ways an operator is run.

The mixins speak to ``self`` alone, so that they stand below ``tensor.py`` without a circle.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from ...dtypes import Array
from ...errors import ConvgradError, DimError
from ...graph.node import Cell, Node
from ...ops.op import Op
from ...size import Size

NUMBERS = (bool, int, float, complex, np.number, np.bool_)

F = TypeVar("F", bound=Callable[..., Any])


class Methods:
    """Declares what ``Tensor`` provides to the mixins."""

    __slots__ = ()

    _data: Array
    _node: Node | None
    _cell: Cell | None
    _view: Any

    _overrides = False  # whether __torch_function__ is to be asked: only in classes of users

    def _apply(self, op: type[Op], inputs: tuple[Any, ...], params: tuple[Any, ...] = ()) -> Any:
        raise NotImplementedError

    @staticmethod
    def _apply_view(op: type[Op], x: Any, params: tuple[Any, ...]) -> Any:
        raise NotImplementedError

    def _unary(self, op: type[Op]) -> Any:
        raise NotImplementedError

    def _binary(self, op: type[Op], other: Any, reflected: bool = False) -> Any:
        raise NotImplementedError

    def _compare(self, ufunc: Any, other: Any) -> Any:
        raise NotImplementedError

    def _wrap(self, array: Any) -> Any:
        raise NotImplementedError

    def _recorded(self, op: type[Op], out: Any, saved: Any) -> Any:
        raise NotImplementedError

    def _inplace(self, name: str, op: type[Op], others: tuple[Any, ...], params: tuple[Any, ...] = ()) -> Any:
        raise NotImplementedError

    def _detached(self, share_version: bool) -> Any:
        raise NotImplementedError

    @staticmethod
    def _lift(value: Any) -> Any:
        raise NotImplementedError

    def _make_leaf(self) -> Any:
        raise NotImplementedError


def documented_by(op: type[Op]) -> Callable[[F], F]:
    """Give a method the docstring of the operator it exposes; returns the function itself."""

    def borrow(method: F) -> F:
        method.__doc__ = op.__doc__
        return method

    return borrow


def dim_index(dim: Any, ndim: int, extra: int = 0) -> int:
    """A dimension counted from the front.

    Args:
        dim: may be negative, counting from the end.
        ndim: of the tensor; a 0-d tensor has one dimension for this purpose, as in PyTorch.
        extra: 1 where a new dimension may stand behind the last.
    Raises:
        DimError: out of range.
    """
    size = ndim + extra
    if type(dim) is int and -size <= dim < size:
        return dim if dim >= 0 else dim + size
    size = max(ndim, 1 - extra) + extra
    if not isinstance(dim, (int, np.integer)) or isinstance(dim, bool):
        raise TypeError(f"dim must be an int, not {type(dim).__name__}")
    if not -size <= dim < size:
        raise DimError(
            f"Dimension out of range (expected to be in range of [{-size}, {size - 1}], but got {dim})"
        )
    return int(dim) % size


def dim_tuple(dim: Any, ndim: int) -> tuple[int, ...]:
    """Dimensions to reduce, counted from the front: None and () mean all; a 0-d tensor has none."""
    if dim is None or (isinstance(dim, (tuple, list)) and not dim):
        return tuple(range(ndim))
    dims = tuple([dim_index(d, ndim) for d in (dim if isinstance(dim, (tuple, list)) else (dim,))])
    if len(set(dims)) != len(dims):
        raise ConvgradError(
            f"dim {next(d for d in dims if dims.count(d) > 1)} appears multiple times in the list of dims"
        )
    return dims if ndim else ()


def size_args(args: tuple[Any, ...]) -> tuple[int, ...]:
    """Sizes given one by one or as one sequence, as ints."""
    if len(args) == 1 and type(args[0]) is not int:
        given = args[0]
        if type(given) is tuple or type(given) is list or type(given) is Size:
            args = tuple(given)
    for a in args:
        if type(a) is not int:
            break
    else:  # the usual case
        return args
    if len(args) == 1 and not isinstance(args[0], (int, np.integer)) and not hasattr(args[0], "_data"):
        args = tuple(args[0])
    return tuple([a.item() if hasattr(a, "_data") else int(a.__index__()) for a in args])
