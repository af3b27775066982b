"""Classes that users derive from ``Tensor``: their methods ask ``__torch_function__`` first.

``Subclassed`` is put between such a class and ``Tensor`` when it is defined, so that plain tensors,
parameters and everything convgrad makes of them never pay for the question.
"""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any

from . import overriding
from .arrays import legacy_array
from .late import LateMethod
from .methods.base import NUMBERS
from .tensor import Tensor

#: operators -> the method that stands for them in handlers, as in PyTorch
OPERATORS = {
    "__add__": "add", "__sub__": "sub", "__mul__": "mul", "__truediv__": "div", "__matmul__": "matmul",
    "__mod__": "remainder", "__pow__": "pow", "__lt__": "lt", "__le__": "le", "__gt__": "gt", "__ge__": "ge",
    "__neg__": "neg", "__abs__": "abs", "__ne__": "ne",
}  # fmt: skip
#: reflected operators whose operands change places where the other is a tensor
REFLECTED = {"__rsub__": "sub", "__rtruediv__": "div", "__rmatmul__": "matmul", "__rpow__": "pow"}
#: the same in either order
SYMMETRIC = {"__radd__": "add", "__rmul__": "mul"}

_RAW = frozenset(
    """
    __class__ __new__ __init__ __init_subclass__ __subclasshook__ __dir__ __getattribute__ __setattr__
    __delattr__ __hash__ __sizeof__ __reduce__ __reduce_ex__ __setstate__ __getstate__ __torch_function__
    __array_priority__ __weakref__ __dict__ __slots__ __module__ __doc__ __iter__ __annotations__
    __firstlineno__ __static_attributes__ as_subclass
    """.split()
)


def _asking(name: str) -> Callable[..., Any]:
    """A method that hands ``Tensor.name`` and its arguments to the handlers."""

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        func = getattr(Tensor, name)
        if overriding.passed_over():
            return func(self, *args, **kwargs)
        return overriding.dispatch(func, (self, *args), kwargs)

    method.__name__ = method.__qualname__ = name
    return method


def _operator(name: str, shown: str, swapped: bool = False) -> Callable[..., Any]:
    """An operator that shows itself to handlers as the method ``shown``."""

    def method(self: Any, *others: Any) -> Any:
        raw = getattr(Tensor, name)
        if overriding.passed_over():
            return raw(self, *others)
        for other in others:
            if not isinstance(other, (Tensor, *NUMBERS)) and not overriding.overrides(type(other)):
                return raw(self, *others)
        if swapped and isinstance(others[0], Tensor):
            return overriding.dispatch(getattr(Tensor, shown), (*others, self), {})
        return overriding.dispatch(raw if swapped else getattr(Tensor, shown), (self, *others), {})

    method.__name__ = method.__qualname__ = name
    return method


def _attribute(of_tensor: property) -> property:
    """A property that hands its ``__get__`` and ``__set__`` to the handlers."""

    def get(self: Any) -> Any:
        if overriding.passed_over():
            return of_tensor.__get__(self)
        return overriding.dispatch(of_tensor.__get__, (self,), {})

    def put(self: Any, value: Any) -> None:
        if overriding.passed_over():
            of_tensor.__set__(self, value)
        else:
            overriding.dispatch(of_tensor.__set__, (self, value), {})

    return property(get, None if of_tensor.fset is None else put, of_tensor.fdel, of_tensor.__doc__)


class Subclassed(Tensor):
    """The base between Tensor and a user's subclass."""

    __slots__ = ()

    _overrides = True

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:  # noqa: ARG004 - those are for __init__
        overriding.check_no_dispatch(cls)
        plain: Any = Tensor
        if len(args) == 1 and isinstance(args[0], Tensor):
            return plain.as_subclass(args[0], cls)
        out: Any = object.__new__(cls)
        out._data, out._node, out._cell, out._view = legacy_array(list(args)), None, None, None
        return out

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass  # __new__ did it; a class may hand arguments of its own to both

    def __iter__(self) -> Any:
        return iter(self.unbind()) if self._data.ndim else Tensor.__iter__(self)


def _equip() -> None:
    """Give ``Subclassed`` an asking form of everything that Tensor has."""
    for owner in reversed(Tensor.__mro__[:-1]):
        for name, value in vars(owner).items():
            if name in _RAW or (name[0] == "_" and name[:2] != "__"):
                continue
            if isinstance(value, FunctionType) and "<locals>" in value.__qualname__:
                value.__name__ = name.strip("_") if name in SYMMETRIC else name  # handlers print it
            wrapped: Any
            if isinstance(value, property):
                wrapped = _attribute(value)
            elif name in OPERATORS:
                wrapped = _operator(name, OPERATORS[name])
            elif name in SYMMETRIC:
                wrapped = _operator(name, SYMMETRIC[name])
            elif name in REFLECTED:
                wrapped = _operator(name, REFLECTED[name], swapped=True)
            elif isinstance(value, LateMethod) or callable(value):
                wrapped = _asking(name)
            else:
                continue
            setattr(Subclassed, name, wrapped)


_equip()


def adopt(kind: type) -> None:
    """Put ``Subclassed`` in the place of ``Tensor`` among the bases of a new class."""
    kind.__bases__ = tuple([Subclassed if base is Tensor else base for base in kind.__bases__])
    overriding.wake()
