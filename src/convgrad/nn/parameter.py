"""``Parameter`` and ``Buffer``: tensors that a module registers when they are assigned to it.

The uninitialised ones have a dtype but no shape yet: lazy modules give them one at the first call.
"""

from __future__ import annotations

import sys
from typing import Any, ClassVar

import numpy as np

from .. import dtypes
from ..device import check_device
from ..dtypes import Array
from ..errors import ConvgradError, DtypeError
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
    _shown_as = "tensor"

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
    return kind(Tensor(dtypes.with_own_dtype(data), None), requires_grad)


def _rebuild_buffer(data: Array, persistent: bool) -> Buffer:
    return Buffer(Tensor(dtypes.with_own_dtype(data), None), persistent=persistent)


def replace_array(tensor: Any, array: Array) -> None:
    """Let a leaf stand on another array, of any dtype and shape; its gradient stays as it is."""
    tensor._data = array
    tensor._cell = Cell()
    tensor._view = None
    node = tensor._node
    if node is not None:
        node.data, node.cell, node.shape, node.dtype = array, tensor._cell, array.shape, array.dtype


class UninitializedError(ConvgradError, ValueError):
    """A parameter was used before it had a shape; either type PyTorch raises catches it."""


_slot: Any = Tensor.__dict__["_data"]


class UninitializedTensorMixin(Tensor):
    """A tensor without a shape: all it knows is its dtype and whether it is trained.

    The array is behind a property here, so that whatever wants to compute with it raises; the slot below
    holds an empty array of the right dtype.
    """

    __slots__ = ()

    cls_to_become: ClassVar[Any]

    @property
    def _data(self) -> Array:
        raise UninitializedError(
            f"Attempted to use an uninitialized parameter in {_caller()}. This error happens when you are "
            "using a `LazyModule` or explicitly manipulating "
            f"`torch.nn.parameter.{type(self).__name__}` objects. When using LazyModules Call `forward` with "
            "a dummy batch to initialize the parameters before calling torch functions"
        )

    @_data.setter
    def _data(self, array: Array) -> None:
        _slot.__set__(self, array)

    @property
    def shape(self) -> Any:
        """There is none yet.

        Raises:
            UninitializedError: always.
        """
        raise UninitializedError(
            "Can't access the shape of an uninitialized parameter or buffer. This error usually happens in "
            "`load_state_dict` when trying to load an uninitialized parameter into an initialized one. Call "
            "`forward` to initialize the parameters before accessing their attributes."
        )

    @property
    def dtype(self) -> Any:
        """The dtype it will have."""
        return dtypes.from_numpy(_slot.__get__(self).dtype)

    def materialize(self, shape: Any, device: Any = None, dtype: Any = None) -> None:
        """Become an ordinary parameter or buffer of this shape; its values are left open.

        Args:
            shape: ints.
            device: only the CPU.
            dtype: another dtype than the one given at first.
        """
        check_device(device)
        kind = _slot.__get__(self).dtype if dtype is None else dtypes.as_dtype(dtype).np
        _become(self, self.cls_to_become)
        replace_array(self, np.zeros(tuple(shape), kind))

    def requires_grad_(self, requires_grad: bool = True) -> Any:
        """Switch the recording of gradients on or off, also for what it will become."""
        own = type(self)
        _become(self, own.cls_to_become)
        Tensor.requires_grad_(self, requires_grad)
        _become(self, own)
        return self

    def share_memory_(self) -> Any:
        """Only for what has a shape."""
        raise UninitializedError(
            "Can't share memory on an uninitialized parameter or buffer. Call `forward` to initialize the "
            "parameters before calling `module.share_memory()`."
        )

    def __repr__(self) -> str:  # type: ignore[override]
        return f"<{type(self).__name__}>"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        known = memo.get(id(self))
        if known is None:
            make, arguments = self.__reduce_ex__(2)
            known = memo[id(self)] = make(*arguments)
        return known


class UninitializedParameter(UninitializedTensorMixin, Parameter):
    """A parameter whose shape is not known yet.

    It can change its dtype, be saved, copied and handed to an optimiser; everything else raises until
    ``materialize(shape)`` has made it a ``Parameter``.

    Args:
        requires_grad: whether gradients will be recorded for it.
        device: only the CPU.
        dtype: of the parameter; None is the default dtype.
    Example:
        >>> p = UninitializedParameter()
        >>> p.materialize((2, 3))
        >>> type(p).__name__, p.shape
        ('Parameter', torch.Size([2, 3]))
    """

    __slots__ = ()

    cls_to_become = Parameter

    def __init__(self, requires_grad: bool = True, device: Any = None, dtype: Any = None) -> None:
        check_device(device)
        own = type(self)
        _become(self, Parameter)  # for a leaf like that of any parameter
        Parameter.__init__(self, _nothing(dtype), requires_grad)
        _become(self, own)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return type(self), (self.requires_grad, None, self.dtype)


class UninitializedBuffer(UninitializedTensorMixin, Buffer):
    """A buffer whose shape is not known yet; see ``UninitializedParameter``.

    Args:
        requires_grad: whether gradients will be recorded for it.
        device: only the CPU.
        dtype: of the buffer; None is the default dtype.
        persistent: whether it is part of ``state_dict()``.
    """

    __slots__ = ()

    cls_to_become = Buffer

    def __init__(
        self, requires_grad: bool = False, device: Any = None, dtype: Any = None, persistent: bool = True
    ) -> None:
        check_device(device)
        own = type(self)
        _become(self, Buffer)
        Buffer.__init__(self, _nothing(dtype), persistent=persistent)
        if requires_grad:
            self.requires_grad_()
        _become(self, own)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return type(self), (self.requires_grad, None, self.dtype, self.persistent)


def _caller() -> str:
    """The name of the function of convgrad that was called from outside."""
    frame = sys._getframe(2)
    while frame.f_back is not None and frame.f_back.f_globals.get("__name__", "").startswith("convgrad"):
        frame = frame.f_back
    return frame.f_code.co_name


def _become(tensor: Any, kind: type) -> None:
    """Change the class of a tensor; all of them have the same slots."""
    tensor.__class__ = kind


def _nothing(dtype: Any) -> Tensor:
    """An empty tensor of a dtype."""
    kind = dtypes.default_dtype() if dtype is None else dtypes.as_dtype(dtype)
    return Tensor(np.empty(0, kind.np), None)


def is_lazy(param: Any) -> bool:
    """Whether a parameter or buffer has no shape yet."""
    return isinstance(param, UninitializedTensorMixin)


def cast_lazy(param: UninitializedTensorMixin, fn: Any) -> None:
    """Give an uninitialised tensor the dtype that ``fn``, a function of tensors, casts to."""
    replace_array(param, fn(Tensor(_slot.__get__(param), None))._data)


def factory_kwargs(kwargs: dict[str, Any] | None) -> dict[str, Any]:
    """The arguments of a layer that say where and how its tensors are made, as one dictionary.

    Args:
        kwargs: device, dtype, memory_format, or a dictionary of them under "factory_kwargs".
    Raises:
        TypeError: another name, or one that is given twice.
    Example:
        >>> factory_kwargs({"device": "cpu", "factory_kwargs": {"dtype": None}})
        {'dtype': None, 'device': 'cpu'}
    """
    given = dict(kwargs or {})
    out = dict(given.pop("factory_kwargs", {}))
    unknown = given.keys() - {"device", "dtype", "memory_format"}
    if unknown:
        raise TypeError(f"unexpected kwargs {unknown}")
    for name, value in given.items():
        if name in out:
            raise TypeError(f"{name} specified twice, in **kwargs and in factory_kwargs")
        out[name] = value
    return out


def copy_tensor(tensor: Tensor, memo: dict[int, Any]) -> Any:
    """A deep copy of a tensor of a module's state; Parameters and Buffers stay what they are."""
    if isinstance(tensor, Parameter | Buffer):
        return tensor.__deepcopy__(memo)
    known = memo.get(id(tensor))
    if known is None:
        known = memo[id(tensor)] = Tensor(tensor._data.copy(order="K"), None)
    return known


__all__ = [
    "Buffer", "Parameter", "UninitializedBuffer", "UninitializedParameter", "UninitializedTensorMixin",
    "cast_lazy", "copy_tensor", "factory_kwargs", "is_lazy", "replace_array",
]  # fmt: skip
