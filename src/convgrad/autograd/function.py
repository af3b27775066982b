"""``Function``: a user's own differentiable operation, with PyTorch's interface."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy import ndarray

from ..errors import ConvgradError, GradError
from ..graph import watch
from ..graph.grad_mode import DUAL, MODE, RECORD, WATCH
from ..graph.node import LEAF, CustomNode, Output, Packed, cell_of
from ..graph.place import show
from ..tensor import dual
from ..tensor.dual import DualNode, primal_node
from ..tensor.tensor import Tensor, from_traced, to_traced
from ..tensor.views import CUSTOM_MADE, SEVERAL, View, rewrite, watch_over


class FunctionCtx:
    """What forward hands to backward. Any attribute may be set on it, too.

    ``needs_input_grad`` tells, per argument of forward, whether its gradient is wanted.
    """

    needs_input_grad: tuple[bool, ...] = ()

    def __init__(self) -> None:
        self._to_save: tuple[Any, ...] = ()
        self._dirty: tuple[Any, ...] = ()
        self._constant: tuple[Any, ...] = ()
        self._materialize = True
        self._node: FunctionNode | None = None
        #: the forward-mode level for which jvp runs
        self._level: Any = None

    def save_for_backward(self, *tensors: Any) -> None:
        """Keep tensors (or None) for backward; changes in place are then noticed."""
        for i, t in enumerate(tensors):
            if t is not None and not isinstance(t, Tensor):
                raise TypeError(
                    "save_for_backward can only save variables, but argument "
                    f"{i} is of type {type(t).__name__}"
                )
        self._to_save = tensors

    def save_for_forward(self, *tensors: Any) -> None:
        """Keep tensors (or None) for ``jvp``, which then reads them as ``saved_tensors``."""
        for i, t in enumerate(tensors):
            if t is not None and not isinstance(t, Tensor):
                raise TypeError(
                    f"save_for_forward can only save tensors, but argument {i} is of type {type(t).__name__}"
                )
        self._forward_saved = tensors

    def mark_dirty(self, *tensors: Any) -> None:
        """Say which arguments forward has changed in place."""
        self._dirty = tensors

    def mark_non_differentiable(self, *tensors: Any) -> None:
        """Say which outputs have no gradient."""
        self._constant = tensors

    def set_materialize_grads(self, value: bool) -> None:
        """Whether undefined gradients reach backward as zeros (the default) or as None."""
        self._materialize = value

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """What was kept by ``save_for_backward``, checked for changes in place."""
        if self._node is None:
            kept = getattr(self, "_forward_saved", self._to_save)
            return kept if self._level is None else tuple([_beneath(t, self._level) for t in kept])
        return self._node.unpack()

    @property
    def saved_variables(self) -> tuple[Any, ...]:
        """An old name of ``saved_tensors``."""
        return self.saved_tensors


class Function:
    """Base of user-defined operations: static ``forward`` and ``backward``, called through ``apply``.

    ``forward(ctx, *args)`` computes, recording nothing; ``backward(ctx, *grad_outputs)`` returns one
    gradient (or None) per argument of forward. Alternatively ``forward(*args)`` with a static
    ``setup_context(ctx, inputs, output)``. A static ``jvp(ctx, *tangents)`` adds forward mode.

    Example:
        >>> class Square(Function):
        ...     @staticmethod
        ...     def forward(ctx, x):
        ...         ctx.save_for_backward(x)
        ...         return x * x
        ...     @staticmethod
        ...     def backward(ctx, g):
        ...         (x,) = ctx.saved_tensors
        ...         return 2 * x * g
    """

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """Compute the result; to be written by the subclass."""
        raise NotImplementedError(
            "You must implement the forward function for custom autograd.Function: a @staticmethod "
            "forward(ctx, ...)"
        )

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> Any:
        """Fill ctx when ``forward`` takes none; optional."""
        raise NotImplementedError("setup_context is not implemented.")

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """Gradients of forward's arguments; to be written by the subclass."""
        raise NotImplementedError(
            "You must implement either the backward or vjp method for your custom autograd.Function "
            "to use it with "
            "backward mode AD."
        )

    vjp = backward

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Any:
        """Tangents of the outputs; optional."""
        raise NotImplementedError(
            "You must implement the jvp function for custom autograd.Function to use it with forward mode AD."
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise ConvgradError(
            f"{type(self).__name__} should not be instantiated. Methods on autograd functions are all "
            "static, so you "
            "should invoke them on the class itself: use .apply(...)."
        )

    #: let ``vmap`` run forward, backward and jvp on batches, where there is no ``vmap`` staticmethod
    generate_vmap_rule = False

    @staticmethod
    def vmap(info: Any, in_dims: Any, *args: Any) -> Any:
        """``(outputs, out_dims)`` for arguments with a batch dimension at ``in_dims``; optional.

        ``info.batch_size`` and ``info.randomness`` tell about the ``vmap`` that runs.
        """
        raise NotImplementedError(
            "To use autograd.Function with vmap, you must either override the vmap staticmethod or set "
            "generate_vmap_rule=True."
        )

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Run the operation and record it."""
        mode = MODE.get()
        if mode & DUAL:
            top = dual.highest(args)
            done = NotImplemented if top is None else top.call_function(cls, args, kwargs)
            if done is not NotImplemented:
                return done
        ctx = FunctionCtx()
        nodes = tuple(
            [a._node if isinstance(a, Tensor) and primal_node(a) is not None else None for a in args]
        )
        recording = bool(mode & RECORD) and any([n is not None for n in nodes])
        ctx.needs_input_grad = tuple([n is not None for n in nodes])
        MODE.set(mode & ~(RECORD | DUAL))
        try:
            if cls.setup_context is Function.setup_context:
                out = cls.forward(ctx, *args, **kwargs)
            else:
                out = cls.forward(*args, **kwargs)
                cls.setup_context(ctx, args, out)
        finally:
            MODE.set(mode)
        single = not isinstance(out, tuple)
        _check_dirty(ctx, (out,) if single else out)
        results = _fresh((out,) if single else out, args, ctx)
        if recording:
            _record(cls, ctx, nodes, results, args)
        if mode & DUAL:
            _push(cls, ctx, args, results)
        return results[0] if single else results


def _check_dirty(ctx: FunctionCtx, outputs: tuple[Any, ...]) -> None:
    if not {id(t) for t in ctx._dirty} <= {id(out) for out in outputs}:
        raise GradError(
            "Some elements marked as dirty during the forward method were not returned as output. "
            "The inputs that "
            "are modified inplace must all be outputs of the Function."
        )


def _fresh(outputs: tuple[Any, ...], args: tuple[Any, ...], ctx: FunctionCtx) -> tuple[Any, ...]:
    """Outputs with handles of their own: an argument that is returned as it is becomes a view of itself."""
    dirty = [id(t) for t in ctx._dirty]
    given = {id(a) for a in args if isinstance(a, Tensor)}
    results = []
    for out in outputs:
        if isinstance(out, Tensor) and id(out) in given and id(out) not in dirty:
            alias = Tensor(out._data, None)
            alias._cell = cell_of(out)
            alias._view = (
                View(out, None, "") if out._view is None else View(out._view.base, out._view.trail, "")
            )
            ctx._constant = tuple([alias if t is out else t for t in ctx._constant])
            ctx._to_save = tuple([alias if t is out and t._node is None else t for t in ctx._to_save])
            out = alias
        results.append(out)
    return tuple(results)


def _record(
    cls: type[Function],
    ctx: FunctionCtx,
    nodes: tuple[Any, ...],
    results: tuple[Any, ...],
    args: tuple[Any, ...],
) -> None:
    """Make the node and hang it on the outputs that carry a gradient."""
    constant = [id(t) for t in ctx._constant]
    tracked = [
        isinstance(t, Tensor) and id(t) not in constant and t._data.dtype.kind in "fcV" for t in results
    ]
    for t in ctx._dirty:
        if t._node is not None and t._node.kind == LEAF:
            raise GradError("a leaf Variable that requires grad has been used in an in-place operation.")
    node = _node_class(cls)(cls, ctx, nodes, results)
    for index, (result, track) in enumerate(zip(results, tracked, strict=True)):
        if not track:
            continue
        place = node if len(results) == 1 else Output(node, index)  # type: ignore[arg-type]
        if any([result is t for t in ctx._dirty]):
            rewrite(result, place, cls.__name__)
        else:
            result._node = place
            _fix_view(result, len(results) > 1)
    node.keep(ctx._to_save, results)
    ctx._to_save = ()
    if MODE.get() & WATCH:
        handles = tuple([a if isinstance(a, Tensor) else None for a in args])
        made = tuple([t for t, track in zip(results, tracked, strict=True) if track])
        watch.recorded(node, handles, made)


def _fix_view(result: Any, several: bool) -> None:
    """A view that forward returns has the function's derivative: a change in place would lose it."""
    view = result._view
    if view is None:
        return
    result._view = View(view.base, view.trail, SEVERAL if several else CUSTOM_MADE)
    cell = cell_of(result)
    refs = [ref for ref in cell.views or () if ref() is result] or [weakref.ref(result)]
    watch_over(cell, refs[:1])


def _beneath(tensor: Any, level: Any) -> Any:
    """A saved tensor without the tangents of the level whose tangents are being computed."""
    if not isinstance(tensor, Tensor) or type(tensor._node) is not DualNode:
        return tensor
    out = Tensor(tensor._data, dual.below(tensor._node, level))
    out._cell = tensor._cell
    return out


def _node_class(cls: type[Function]) -> type[FunctionNode]:
    """The class of nodes of a ``Function``, under its name; made once."""
    kind: Any = cls.__dict__.get("_backward_cls")
    if kind is None:
        kind = type(f"{cls.__name__}Backward", (FunctionNode,), {"__slots__": ()})
        cls._backward_cls = kind  # type: ignore[attr-defined]
    return kind


class FunctionNode(CustomNode):
    """One call of a ``Function``: the engine hands it gradients, it hands them to the user's backward."""

    __slots__ = ("ctx", "cls", "outputs")

    def __init__(
        self, cls: type[Function], ctx: FunctionCtx, nodes: tuple[Any, ...], results: tuple[Any, ...]
    ) -> None:
        self.outputs = tuple(
            [(t._data.shape, t._data.dtype) if isinstance(t, Tensor) else ((), None) for t in results]
        )
        shape, dtype = self.outputs[0] if len(results) == 1 else ((), None)
        super().__init__(cls, nodes, (), None, shape, dtype)
        self.cls = cls
        self.ctx = ctx

    def name(self) -> str:
        return f"{self.cls.__name__}Backward"

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """What forward kept for backward."""
        return self.unpack()

    def __getattr__(self, name: str) -> Any:
        """Whatever forward has set on its ctx."""
        ctx = CustomNode.__getattribute__(self, "ctx")
        try:
            return getattr(ctx, name)
        except AttributeError:
            raise AttributeError(f"{self.name()} has no attribute {name!r}") from None

    def __repr__(self) -> str:
        return f"<torch.autograd.function.{self.name()} object at {id(self):#x}>"

    def keep(self, tensors: tuple[Any, ...], results: tuple[Any, ...]) -> None:
        """Remember saved tensors by array, place and version, and outputs by index: nothing forms a cycle."""
        entries: list[Any] = []
        for t in tensors:
            if t is None:
                entries.append(None)
                continue
            index = next((i for i, r in enumerate(results) if r is t), None)
            cell = cell_of(t)
            node = t._node if index is None else None
            entries.append((t._data, node, cell, cell.version, index))
        self.saved = tuple(entries)

    def pack(self, pack: Callable[[Any], Packed]) -> None:
        """Give the saved arrays into the keeping of saved-tensor hooks; versions are no longer watched."""
        self.saved = tuple(
            [None if e is None else (pack(e[0]), e[1], None, 0, e[4]) for e in self.saved or ()]
        )

    def unpack(self) -> tuple[Any, ...]:
        """The saved tensors again, each at its place in the graph."""
        if self.saved is None:
            raise GradError(
                "Trying to backward through the graph a second time (or directly access saved "
                "tensors after they "
                "have already been freed). Specify retain_graph=True."
            )
        out: list[Any] = []
        for entry in self.saved:
            if entry is None:
                out.append(None)
                continue
            data, node, cell, version, index = entry
            packed = type(data) is Packed
            if packed:
                data = data.unpack(data.stored)
            elif cell.version != version:
                raise GradError(
                    "one of the variables needed for gradient computation has been modified by an inplace "
                    f"operation: [{data.dtype.name} {list(data.shape)}], saved by {self.name()}, was last "
                    f"changed by {cell.writer} at {show(cell.place)}; it is at version {cell.version}; "
                    f"expected version {version} instead."
                )
            if node is not None and node.kind == LEAF and not packed:
                out.append(node.variable)
                continue
            if index is not None:
                node = self if len(self.outputs) == 1 else Output(self, index)  # type: ignore[arg-type]
                node = (node.extra or {}).get("dual", node)
            tensor = Tensor(data, node)
            tensor._cell = cell
            out.append(dual.dressed(tensor))
        return tuple(out)

    def pull(self, g: Any, needs: tuple[bool, ...], create_graph: bool) -> tuple[Any, ...]:
        """Call the user's backward with Tensors and bring its answers back to the engine's form."""
        pieces = g if type(g) is list else [g]
        grads = [
            dual.dressed(from_traced(p))
            if p is not None
            else self._zeros(i)
            if self.ctx._materialize
            else None
            for i, p in enumerate(pieces)
        ]
        ctx = self.ctx
        ctx._node = self
        ctx.needs_input_grad = needs
        mode = MODE.get()
        if dual.stand_ins or (create_graph and dual.is_open()):
            MODE.set(mode | DUAL)
        try:
            backward = self.cls.backward if self.cls.backward is not Function.backward else self.cls.vjp
            answers = backward(ctx, *grads)
        finally:
            MODE.set(mode)
            ctx._node = None
        answers = answers if isinstance(answers, tuple) else (answers,)
        answers = self._checked(answers, len(needs))
        return tuple([self._lower(a, i, create_graph) for i, a in enumerate(answers)])

    def _zeros(self, index: int) -> Tensor | None:
        shape, dtype = self.outputs[index]
        return None if dtype is None else Tensor(np.zeros(shape, dtype), None)

    def _checked(self, answers: tuple[Any, ...], expected: int) -> tuple[Any, ...]:
        while len(answers) > expected and answers[-1] is None:
            answers = answers[:-1]
        if len(answers) != expected:
            raise GradError(
                f"function {self.name()} returned an incorrect number of gradients (expected {expected}, got "
                f"{len(answers)}): backward returns one gradient, or None, per argument of forward"
            )
        return answers

    def _lower(self, answer: Any, index: int, create_graph: bool) -> Any:
        if answer is None or self.parents[index] is None:
            return None
        if not isinstance(answer, Tensor):
            raise GradError(
                f"function {self.name()} returned gradient {index} as: expected Variable or None (got "
                f"{type(answer).__name__})"
            )
        wanted: Any = self.parents[index].shape  # type: ignore[union-attr]
        got = answer._data.shape
        if got != wanted and not _fits(got, wanted):
            raise GradError(
                f"Function {self.name()} returned an invalid gradient at index {index} - got {list(got)} but "
                f"expected shape compatible with {list(wanted)}"
            )
        return to_traced(answer) if create_graph or dual.batch_of(answer) is not None else answer._data


def _fits(got: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    """Whether a gradient can be summed to the shape of its input."""
    lead = len(got) - len(wanted)
    return lead >= 0 and all([n == 1 or n == m for n, m in zip(wanted, got[lead:], strict=True)])


def _push(cls: type[Function], ctx: FunctionCtx, args: tuple[Any, ...], results: tuple[Any, ...]) -> None:
    """Forward mode: the user's jvp gives the tangents of the outputs, level by level from the outermost."""
    constant = {id(t) for t in ctx._constant}
    for level in dual.open_levels():
        duals = [dual.at(a._node, level) if isinstance(a, Tensor) else None for a in args]
        if not any(duals):
            continue
        tangents = [
            dual.dressed(from_traced(d.tangent)) if d is not None
            else Tensor(np.zeros_like(a._data), None) if isinstance(a, Tensor) and ctx._materialize
            else None
            for a, d in zip(args, duals, strict=True)
        ]  # fmt: skip
        ctx._level = level
        try:
            pushed = cls.jvp(ctx, *tangents)
        finally:
            ctx._level = None
        for result, tangent in zip(results, pushed if isinstance(pushed, tuple) else (pushed,), strict=True):
            if isinstance(tangent, Tensor) and isinstance(result, Tensor) and id(result) not in constant:
                dual.place(result, to_traced(tangent), level)


def once_differentiable(backward: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a ``backward`` that computes outside the graph: differentiating it again is an error."""

    @functools.wraps(backward)
    def once(ctx: Any, *grads: Any) -> Any:
        mode = MODE.get()
        MODE.set(mode & ~RECORD)
        try:
            answers = backward(ctx, *grads)
        finally:
            MODE.set(mode)
        if not mode & RECORD:
            return answers
        single = not isinstance(answers, tuple)
        marked = tuple([_forbid(a, ctx) for a in ((answers,) if single else answers)])
        return marked[0] if single else marked

    return once


class _Once(Function):
    """Stands in the graph behind a once-differentiable backward and refuses."""

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:  # noqa: ARG004
        raise GradError("trying to differentiate twice a function that was marked with @once_differentiable")


def _forbid(answer: Any, ctx: FunctionCtx) -> Any:
    if not isinstance(answer, Tensor) or type(answer._data) is not ndarray:
        return answer
    parents = ctx._node.parents if ctx._node is not None else ()
    result = Tensor(answer._data, None)
    result._node = FunctionNode(_Once, FunctionCtx(), parents, (result,))
    return result


class InplaceFunction(Function):
    """A ``Function`` that may change its argument: an old base class that adds nothing."""


#: nodes of Functions, and the class of Function classes, under PyTorch's names
BackwardCFunction, FunctionMeta, _SingleLevelFunction = FunctionNode, type, Function

__all__ = [
    "BackwardCFunction", "Function", "FunctionCtx", "FunctionMeta", "InplaceFunction", "once_differentiable",
]  # fmt: skip
