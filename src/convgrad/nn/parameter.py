"""``Parameter`` and ``Buffer``: tensors that a module registers when they are assigned to it."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import dtypes
from ..dtypes import Array
from ..errors import DtypeError
from ..graph.node import Cell, cell_of
from ..tensor.tensor import Tensor


class Parameter(Tensor):
    """A tensor that is trained: assigned to a module it appears in ``module.parameters()``.

    Args:
        data: a tensor of any shape, whose memory the parameter shares; None gives an empty one.
        requires_grad: whether gradients are recorded for it.
    Raises:
        DtypeError: ``requires_grad`` for a dtype that is neither floating nor complex.
    Example:
        >>> p = Parameter(Tensor([1.0, 2.0]))
        >>> p.requires_grad, p.shape
        (True, torch.Size([2]))
    """

    __slots__ = ()

    _shown_as = "tensor"

    def __init__(self, data: Any = None, requires_grad: bool = True) -> None:
        if data is None:
            data = Tensor(np.empty(0, dtypes.default_dtype().np), None)
        elif not isinstance(data, Tensor):
            raise TypeError(f"Parameter data must be a Tensor, but got {type(data).__name__}")
        if requires_grad and data._data.dtype.kind in "biu":
            raise DtypeError(
                "Only Tensors of floating point and complex dtype can require gradients, but got a "
                "Parameter of "
                f"{data.dtype}; pass requires_grad=False"
            )
        super().__init__(data._data, None)
        self._cell = cell_of(data)
        if requires_grad:
            self._make_leaf()

    def __repr__(self) -> str:  # type: ignore[override]
        return "Parameter containing:\n" + repr(Tensor(self._data, self._node))

    def __deepcopy__(self, memo: dict[int, Any]) -> Parameter:
        known = memo.get(id(self))
        if known is None:
            known = type(self)(Tensor(self._data.copy(order="K"), None), self.requires_grad)
            memo[id(self)] = known
        return known

    def __reduce_ex__(self, protocol: Any) -> Any:
        return _rebuild_parameter, (type(self), self._data, self.requires_grad), self.__dict__ or None


class Buffer(Tensor):
    """A tensor that belongs to a module's state but is not trained, such as a running mean.

    Args:
        data: a tensor, whose memory the buffer shares; None gives an empty one.
        persistent: whether it is part of ``state_dict()``.
    """

    __slots__ = ("persistent",)

    def __init__(self, data: Any = None, *, persistent: bool = True) -> None:
        if data is None:
            data = Tensor(np.empty(0, dtypes.default_dtype().np), None)
        super().__init__(data._data, data._node)
        self._cell = cell_of(data)
        self.persistent = persistent

    def __deepcopy__(self, memo: dict[int, Any]) -> Buffer:
        known = memo.get(id(self))
        if known is None:
            known = memo[id(self)] = Buffer(
                Tensor(self._data.copy(order="K"), None), persistent=self.persistent
            )
        return known

    def __reduce_ex__(self, protocol: Any) -> Any:
        return _rebuild_buffer, (self._data, self.persistent)


def _rebuild_parameter(kind: type[Parameter], data: Array, requires_grad: bool) -> Parameter:
    return kind(Tensor(data, None), requires_grad)


def _rebuild_buffer(data: Array, persistent: bool) -> Buffer:
    return Buffer(Tensor(data, None), persistent=persistent)


def replace_array(tensor: Any, array: Array) -> None:
    """Let a leaf stand on another array, of any dtype and shape; its gradient stays as it is."""
    tensor._data = array
    tensor._cell = Cell()
    tensor._view = None
    node = tensor._node
    if node is not None:
        node.data, node.cell, node.shape, node.dtype = array, tensor._cell, array.shape, array.dtype


def copy_tensor(tensor: Tensor, memo: dict[int, Any]) -> Any:
    """A deep copy of a tensor of a module's state; Parameters and Buffers stay what they are."""
    if isinstance(tensor, Parameter | Buffer):
        return tensor.__deepcopy__(memo)
    known = memo.get(id(tensor))
    if known is None:
        known = memo[id(tensor)] = Tensor(tensor._data.copy(order="K"), None)
    return known


__all__ = ["Buffer", "Parameter", "copy_tensor", "replace_array"]
