"""Autograd methods: leaves, gradients, hooks, backward."""

from __future__ import annotations

from typing import Any

from ...errors import GradError
from ...graph.node import LEAF, OUTPUT, Node
from .base import Methods


class GradMethods(Methods):
    """``requires_grad``, ``grad``, ``grad_fn``, ``detach`` and their kin."""

    __slots__ = ()

    @property
    def requires_grad(self) -> bool:
        """Whether operations on this tensor are recorded."""
        return self._node is not None

    @property
    def is_leaf(self) -> bool:
        """Whether this tensor has no history: made by the user, or not tracked at all."""
        return self._node is None or self._node.kind == LEAF

    @property
    def grad_fn(self) -> Node | None:
        """The node that made this tensor; None for leaves."""
        node = self._node
        if node is None or node.kind == LEAF:
            return None
        return node.parents[0] if node.kind == OUTPUT else node

    @property
    def grad(self) -> Any:
        """The gradient gathered by backward, or None."""
        node: Any = self._node
        return node.grad if node is not None and node.kind == LEAF else None

    @grad.setter
    def grad(self, value: Any) -> None:
        node: Any = self._node
        if node is not None and node.kind == LEAF:
            node.grad = value

    def detach(self) -> Any:
        """The same memory without history; in-place changes are seen by the version check."""
        return self._detached(share_version=True)

    def requires_grad_(self, requires_grad: bool = True) -> Any:
        """Start (or stop) tracking this leaf."""
        if not requires_grad:
            if not self.is_leaf:
                raise GradError("you can only change requires_grad flags of leaf variables.")
            self._node = None
        elif self._node is None:
            if self._data.dtype.kind not in "fcV":
                raise GradError("only Tensors of floating point and complex dtype can require gradients")
            self._make_leaf()
        return self
