"""``Variable``: the old name of a tensor that can be tracked."""

from __future__ import annotations

from typing import Any

from ..tensor.tensor import Tensor


class _VariableMeta(type):
    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, Tensor)


class Variable(metaclass=_VariableMeta):
    """``Variable(tensor, requires_grad=False)`` gives the tensor itself, detached; tensors are instances."""

    def __new__(cls, data: Any, requires_grad: bool = False, volatile: Any = None) -> Any:  # noqa: ARG004
        """The tensor on the same memory."""
        return data.detach().requires_grad_(requires_grad)


__all__ = ["Variable"]
