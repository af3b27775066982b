"""Autograd methods: leaves, gradients, hooks, backward."""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...dtypes import F32, F64
from ...errors import ConvgradError, GradError, ShapeError
from ...graph import engine
from ...graph.grad_mode import INFERENCE, MODE
from ...graph.hooks import Hooks, RemovableHandle
from ...graph.node import LEAF, OUTPUT, Idle, Node
from ...graph.traced import Traced
from ...size import Size
from .base import Methods

# The seed of most backward calls; read-only, since an engine never writes into a gradient.
_ONES = {F32: np.ones((), F32), F64: np.ones((), F64)}
for _one in _ONES.values():
    _one.flags.writeable = False


class GradMethods(Methods):
    """``requires_grad``, ``grad``, ``grad_fn``, ``backward``, ``detach`` and their kin."""

    __slots__ = ()

    @property
    def requires_grad(self) -> bool:
        """Whether operations on this tensor are recorded."""
        node = self._node
        return node is not None and (not node.dual or node.primal is not None)

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        self.requires_grad_(value)

    @property
    def is_leaf(self) -> bool:
        """Whether this tensor has no history: made by the user, or not tracked at all."""
        return self._node is None or self._node.kind == LEAF

    @property
    def grad_fn(self) -> Node | None:
        """The node that made this tensor; None for leaves."""
        node = self._node
        if node is not None and node.dual:
            node = node.primal
        if node is None or node.kind == LEAF:
            return None
        return node.parents[0] if node.kind == OUTPUT else node

    @property
    def output_nr(self) -> int:
        """Which output of its ``grad_fn`` this tensor is."""
        return getattr(self._node, "index", 0)

    @property
    def grad(self) -> Any:
        """The gradient gathered by backward, or None; of tensors with history only after ``retain_grad``."""
        node: Any = self._node
        if node is not None and node.kind == LEAF:
            return node.grad
        kept = self.__dict__.get("_grad")
        if kept is None and node is not None and not self.retains_grad:
            warnings.warn(
                "The .grad attribute of a Tensor that is not a leaf Tensor is being accessed. Its .grad "
                "attribute won't be populated during autograd.backward(). If you indeed want the .grad field "
                "to be populated for a non-leaf Tensor, use .retain_grad() on the non-leaf Tensor.",
                UserWarning,
                stacklevel=2,
            )
        return kept

    @grad.setter
    def grad(self, value: Any) -> None:
        if value is not None:
            if not hasattr(value, "_data"):
                raise TypeError(
                    "assigned grad expected to be a Tensor or None but got grad of type "
                    f"{type(value).__name__}"
                )
            if value._data.shape != self._data.shape:
                raise ShapeError(
                    "attempting to assign a gradient of another size. Please ensure that the gradient and "
                    f"the tensor are the same size: grad {list(value._data.shape)}, "
                    f"tensor {list(self._data.shape)}"
                )
            if value._data.dtype != self._data.dtype:
                raise ConvgradError(
                    f"attempting to assign a gradient with dtype {value._data.dtype} to a tensor of dtype "
                    f"{self._data.dtype}: they must be the same; grad.to(tensor.dtype) converts it"
                )
        node: Any = self._node
        if node is not None and node.kind == LEAF:
            node.grad = value
        else:
            self.__dict__["_grad"] = value

    @grad.deleter
    def grad(self) -> None:
        self.grad = None

    def requires_grad_(self, requires_grad: bool = True) -> Any:
        """Start (or stop) tracking this leaf; returns it.

        Raises:
            GradError: stopping a tensor with history, or tracking one of integer dtype.
        """
        idle = type(self._node) is Idle
        if not requires_grad:
            if idle:
                return self  # its base's flag, not its own
            if not self.is_leaf:
                raise GradError(
                    "you can only change requires_grad flags of leaf variables. If you want to use a "
                    "computed variable in a subgraph that doesn't require differentiation use "
                    "var_no_grad = var.detach()."
                )
            if self._node is not None:
                kept = self.grad
                self._node = None  # type: ignore[misc]
                self.__dict__["_grad"] = kept
        elif self._node is None or idle:
            if self._cell is not None and self._cell.inference and not MODE.get() & INFERENCE:
                raise GradError(
                    "Setting requires_grad=True on inference tensor outside InferenceMode is not allowed: "
                    "clone() it first"
                )
            if self._data.dtype.kind not in "fcV":
                raise GradError(
                    "only Tensors of floating point dtype can require gradients (and of complex dtype), "
                    f"but this one is of dtype {self._data.dtype}"
                )
            self._make_leaf().grad = self.__dict__.pop("_grad", None)
        return self

    def backward(
        self,
        gradient: Any = None,
        retain_graph: bool | None = None,
        create_graph: bool = False,
        inputs: Any = None,
    ) -> None:
        """Differentiate this tensor with respect to the leaves it came from, adding to their ``.grad``.

        Args:
            gradient: cotangent of this tensor, of its shape; may be left out for one element.
            retain_graph: keep what the graph saved, for another backward; None means create_graph.
            create_graph: record the derivatives themselves, for higher orders.
            inputs: leaves to add to (a tensor or a sequence); None means all.
        Raises:
            GradError: nothing here is tracked; the graph was freed; a saved value was changed.
            ShapeError: a gradient of another shape.
        """
        run_backward((self,), (gradient,), retain_graph, create_graph, inputs)

    def retain_grad(self) -> None:
        """Let backward fill ``.grad`` of this tensor although it is not a leaf."""
        if self._node is None:
            raise GradError("can't retain_grad on Tensor that has requires_grad=False")
        if self.is_leaf or self.retains_grad:
            return
        self.__dict__["_retains"] = True
        me = weakref.ref(self)

        def keep(g: Any) -> None:
            tensor = me()
            if tensor is not None:
                old = tensor.__dict__.get("_grad")
                tensor.__dict__["_grad"] = g if old is None else old + g

        self.register_hook(keep)
        self._node.hooks[-1].owner = me  # type: ignore[index]  # stays last, and follows in-place changes

    @property
    def retains_grad(self) -> bool:
        """Whether ``retain_grad`` was called on this tensor with history."""
        return bool(self.__dict__.get("_retains")) and not self.is_leaf

    def register_hook(self, hook: Callable[[Any], Any]) -> RemovableHandle:
        """Call ``hook(grad)`` when this tensor's gradient is known; its result (unless None) replaces it.

        Raises:
            GradError: the tensor is not tracked.
        """
        node = self._node
        if node is None:
            raise GradError("cannot register a hook on a tensor that doesn't require gradient")
        lift = self._lift

        def on_arrays(g: Any) -> Any:
            replaced = hook(lift(g))
            if replaced is None:
                return g
            if not hasattr(replaced, "_data"):
                raise TypeError(f"hook must return a Tensor or None, not {type(replaced).__name__}")
            return (
                Traced(replaced._data, replaced._node, replaced._cell)
                if type(g) is Traced
                else replaced._data
            )

        if node.hooks is None:
            node.hooks = Hooks()
        last = node.hooks[-1:]
        if last and getattr(last[0], "owner", None) is not None:  # retain_grad sees what the other hooks left
            node.hooks.insert(len(node.hooks) - 1, on_arrays)
        else:
            node.hooks.append(on_arrays)
        return RemovableHandle(node.hooks, on_arrays)

    def register_post_accumulate_grad_hook(self, hook: Callable[[Any], None]) -> RemovableHandle:
        """Call ``hook(tensor)`` each time backward has added to this leaf's ``.grad``."""
        node: Any = self._node
        if node is None or node.kind != LEAF:
            raise GradError("post accumulate grad hooks cannot be registered on non-leaf tensors")
        if node.post_hooks is None:
            node.post_hooks = []
        node.post_hooks.append(hook)
        return RemovableHandle(node.post_hooks, hook)

    def detach(self) -> Any:
        """The same memory without history; in-place changes are seen by the version check."""
        return self._detached(share_version=True)

    def detach_(self) -> Any:
        """Forget this tensor's history."""
        if self._view is not None:
            raise GradError("Can't detach views in-place. Use detach() instead: x = x.detach()")
        self._node = None  # type: ignore[misc]
        return self

    @property
    def _version(self) -> int:
        """How often this tensor's storage was changed in place."""
        return 0 if self._cell is None else self._cell.version

    def _is_view(self) -> bool:
        """Whether this tensor is a view of another."""
        return self._view is not None

    @property
    def _base(self) -> Any:
        """The tensor this one is a view of, or None."""
        return None if self._view is None else self._view.base

    def is_inference(self) -> bool:
        """Whether this tensor was made under ``inference_mode``."""
        return self._cell is not None and self._cell.inference


def run_backward(
    tensors: Sequence[Any],
    gradients: Sequence[Any],
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Any = None,
) -> None:
    """Differentiate several tensors at once; see ``Tensor.backward``."""
    if retain_graph is None:
        retain_graph = create_graph
    roots = [root(t, g, i, create_graph) for i, (t, g) in enumerate(zip(tensors, gradients, strict=True))]
    if inputs is None:
        engine.run(roots, retain_graph=retain_graph, create_graph=create_graph)
        return
    chosen = (inputs,) if hasattr(inputs, "_data") else tuple(inputs)
    if not chosen:
        raise GradError("`inputs` argument to `backward()` cannot be empty.")
    for index, tensor in enumerate(chosen):
        if tensor._node is None:
            raise GradError(f"element {index} of the input tensors does not require grad")
        tensor.retain_grad()
    nodes = [tensor._node for tensor in chosen]
    engine.run(roots, retain_graph=retain_graph, create_graph=create_graph, inputs=nodes)


def root(tensor: Any, gradient: Any, index: int, create_graph: bool) -> tuple[Node, Any]:
    """Where a backward starts: a tensor's node and its cotangent.

    Raises:
        GradError: the tensor is not tracked, or needs a cotangent and has none.
        ShapeError: the cotangent has another shape.
    """
    node = tensor._node
    data = tensor._data
    if node is None or not tensor.requires_grad or type(node) is Idle:
        raise GradError(
            f"element {index} of tensors does not require grad and does not have a grad_fn. "
            "Create the leaves with requires_grad=True, and compute outside of torch.no_grad()."
        )
    if gradient is None:
        if data.size != 1:
            raise GradError(
                "grad can be implicitly created only for scalar outputs, but this one has shape "
                f"{list(data.shape)}: pass backward(gradient) of that shape, or reduce it first (.sum())"
            )
        if data.dtype.kind == "c":
            raise GradError(
                "grad can be implicitly created only for real scalar outputs, but this one is "
                f"{data.dtype}: pass backward(gradient), or make it real first (.abs(), .real)"
            )
        g = _ONES.get(data.dtype) if data.ndim == 0 else None
        if g is None:
            g = np.ones(data.shape, data.dtype)
        return node, Traced(g) if create_graph else g
    if not hasattr(gradient, "_data"):
        raise TypeError(f"gradients can be either Tensors or None, but got {type(gradient).__name__}")
    if gradient._data.shape != data.shape:
        raise ShapeError(
            f"Mismatch in shape: grad_output[{index}] has a shape of {Size(gradient._data.shape)} and "
            f"output[{index}] has a shape of {Size(data.shape)}."
        )
    g = gradient._data if gradient._data.dtype == data.dtype else gradient._data.astype(data.dtype)
    return node, Traced(g, gradient._node, gradient._cell) if create_graph else g
