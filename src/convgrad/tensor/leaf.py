"""The leaf of a tensor: where its gradient gathers."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from sys import getrefcount
from threading import RLock
from typing import Any, ClassVar

import numpy as np

from ..graph.hooks import run_after
from ..graph.node import ALONE, Leaf, cell_of
from ..graph.traced import Traced
from ..kernels.memory import owns_memory
from ..ops.formula import add_to


class TensorLeaf(Leaf):
    """``AccumulateGrad`` of one tensor: it owns ``.grad`` and knows its tensor weakly (ruling R10).

    If the user has let go of the tensor, ``variable`` makes a new handle on the same array, version
    cell and node, so nothing can tell the difference and nothing forms a cycle.
    """

    __slots__ = ("tensor", "data", "cell", "type", "grad", "lock", "post_hooks")

    #: the class of gradients, which the tensor module names
    plain: ClassVar[type]

    def __init__(self, tensor: Any) -> None:
        data = tensor._data
        super().__init__(None, (), (), None, data.shape, data.dtype)
        self.tensor = weakref.ref(tensor)
        self.data = data
        self.cell = cell_of(tensor)
        self.type: Any = type(tensor)
        self.grad: Any = None
        #: threads that add to one leaf take turns: NumPy adds large arrays without Python's own lock
        self.lock = RLock()
        self.post_hooks: list[Callable[[Any], None]] | None = None

    @property
    def variable(self) -> Any:
        """The leaf tensor itself."""
        tensor: Any = self.tensor()
        if tensor is None:
            tensor = self.type.__new__(self.type)
            tensor._data, tensor._node, tensor._cell, tensor._view = self.data, self, self.cell, None
            self.tensor = weakref.ref(tensor)
        return tensor

    def accumulate(self, g: Any) -> None:
        """Add to ``.grad``: in place if it is plain, by a recorded sum under ``create_graph``."""
        with self.lock:
            old = self.grad
            if type(g) is Traced:
                new = self.plain(g._data, g._node)
                new._cell = g._cell
                self.grad = new if old is None else old + new
            elif old is None:
                # a copy, if the same array may be on its way to another leaf, or be in someone's hands
                alone = getrefcount(g) <= ALONE and g.flags.c_contiguous and owns_memory(g)
                self.grad = self.plain(g if alone else np.array(g, order="C", copy=True), None)
            elif old._node is not None:
                self.grad = old.detach() + self.plain(g, None)
            else:
                add_to(old._data, g)
                if old._cell is not None:
                    old._cell.bump("backward")
        if self.hooks is not None:
            run_after(self.hooks, (), (), g, type(g) is Traced)
        if self.post_hooks:
            for hook in tuple(self.post_hooks):
                hook(self.variable)
