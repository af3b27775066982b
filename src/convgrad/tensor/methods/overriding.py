"""Methods for classes derived from Tensor: the same memory in another class, PyTorch's default handler."""

from __future__ import annotations

from typing import Any

from ...graph.node import cell_of
from ..overriding import DisableTorchFunctionSubclass, check_no_dispatch, converted
from .base import Methods


class LateMethods(Methods):
    """What ``Tensor`` shows under ``__torch_function__`` and the like."""

    __slots__ = ()

    @classmethod
    def __torch_function__(
        cls, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Call ``func`` and give its results this class; subclasses override it, and call it by ``super()``.

        Args:
            func: the function or method that was called, such as ``torch.add`` or ``Tensor.add``.
            types: the classes of its arguments that have such a handler.
            args, kwargs: its arguments.
        Returns:
            NotImplemented if one of the classes is no base of this one.
        """
        kwargs = kwargs or {}
        if not all([issubclass(cls, kind) for kind in types]):
            return NotImplemented
        with DisableTorchFunctionSubclass():
            result = func(*args, **kwargs)
            if _property_name(func) in ("grad", "_base"):  # those have the class they have
                return result
            return converted(result, cls, (*args, *kwargs.values()))

    def as_subclass(self, cls: type) -> Any:
        """A tensor of class ``cls`` on the same memory; differentiable.

        Raises:
            TypeError: ``cls`` does not derive from Tensor.
        """
        if not isinstance(cls, type) or getattr(cls, "_overrides", None) is None:
            raise TypeError(f"cls must be a type that inherits from Tensor, but got {cls}")
        check_no_dispatch(cls)
        with DisableTorchFunctionSubclass():
            out = self._detached(True) if self._node is None else self.view_as(self)  # type: ignore[attr-defined]
        return _in_class(out, cls)

    @staticmethod
    def _make_subclass(cls: Any, data: Any, require_grad: bool = False) -> Any:
        """A leaf of class ``cls`` on the memory of ``data``."""
        check_no_dispatch(cls)
        with DisableTorchFunctionSubclass():
            plain = data.detach()
            plain._cell = cell_of(data)
            out = _in_class(plain, cls)
            return out.requires_grad_() if require_grad else out


def _in_class(tensor: Any, kind: type) -> Any:
    """A fresh tensor as one of a subclass; one with slots of its own gets a handle of its own."""
    try:
        tensor.__class__ = kind
    except TypeError:
        out: Any = object.__new__(kind)
        out._data, out._node, out._cell, out._view = tensor._data, tensor._node, tensor._cell, tensor._view
        return out
    return tensor


def _property_name(func: Any) -> str:
    """The name of the property whose ``__get__`` a function is; empty for other functions."""
    return getattr(getattr(getattr(func, "__self__", None), "fget", None), "__name__", "")
