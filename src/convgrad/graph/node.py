"""The nodes of the graph: one remembered call of an operator, its outputs, and the leaves.

A node knows other nodes and arrays, never a Tensor. What PyTorch shows of a node (``name()``,
``next_functions``, ``metadata``) is here; what runs it is in ``engine.py``.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from sys import getrefcount
from typing import Any, ClassVar

from numpy import ndarray

from ..errors import GradError
from ..ops.op import CONSTANT, OUT, OUTS, Op, Saved
from . import hooks as hooking
from . import watch
from .grad_mode import MODE, WATCH
from .hooks import Hooks, RemovableHandle
from .place import Place, here

OPERATION, LEAF, OUTPUT, CUSTOM = range(4)
#: a node whose saved values are in the keeping of somebody's pack hook (4 is TRANSFORM, in traced.py)
PACKED = 5


class Cell:
    """The version of one storage, shared by every tensor that is a view of it.

    Defaults live on the class, so that making one costs no more than an empty object.
    """

    version = 0
    #: name of the in-place operation that wrote last
    writer: str | None = None
    #: where in the user's program that was
    place: Place | None = None
    #: weak references to the tensors that view this storage (ruling R8); None before the first
    views: list[Any] | None = None
    #: weak references to those of them whose history cannot follow a change; None if there are none
    fragile: list[Any] | None = None
    #: made under inference_mode: may not be saved for backward
    inference = False

    def bump(self, writer: str) -> None:
        """Count one in-place change."""
        self.version += 1
        self.writer = writer
        self.place = here()
        if self.fragile is not None:
            self.break_fragile()

    def break_fragile(self) -> None:
        """Tell the views whose history cannot follow a change that there was one."""
        self.fragile = [r for r in self.fragile or () if (v := r()) is not None and not v._break()] or None


def bump_all(handles: Sequence[Any], writer: str) -> None:
    """Count one in-place change of each handle's storage, all made at one place."""
    place = here()
    for handle in handles:
        cell = handle._cell or cell_of(handle)
        cell.version += 1
        cell.writer = writer
        cell.place = place
        if cell.fragile is not None:
            cell.break_fragile()


class Node:
    """One recorded call of an operator.

    ``parents`` are the nodes of its array inputs (None where no gradient is wanted); ``saved`` is
    what the operator's vjp reads and becomes None when backward has freed it; ``versions`` has
    (cell, version, index) of each saved value that belongs to a tensor; ``shape`` and ``dtype`` are the
    output's.
    """

    __slots__ = ("op", "parents", "saved", "versions", "shape", "dtype", "hooks", "extra", "__weakref__")

    kind: ClassVar[int] = OPERATION
    #: whether this is the place of a dual tensor (forward mode); its parent is then the primal's node
    dual: ClassVar[bool] = False

    def __init__(
        self,
        op: Any,
        parents: tuple[Node | None, ...],
        saved: Saved | None,
        versions: Sequence[tuple[Cell, int, int]] | None,
        shape: Any,
        dtype: Any,
    ) -> None:
        self.op = op
        self.parents = parents
        self.saved = saved
        self.versions = versions
        self.shape = shape
        self.dtype = dtype
        self.hooks: Hooks | None = None
        self.extra: dict[str, Any] | None = None

    def name(self) -> str:
        """The node's name as PyTorch prints it, such as ``SubBackward0``."""
        return str(self.op.backward_name)

    @property
    def next_functions(self) -> tuple[tuple[Node | None, int], ...]:
        """Per input: the node that made it and which of that node's outputs it is."""
        return tuple(_edge(parent) for parent in self.parents)

    @property
    def metadata(self) -> dict[str, Any]:
        """A dictionary for whatever the user wants to remember with this node."""
        if self.extra is None:
            self.extra = {}
        return self.extra.setdefault("metadata", {})

    def register_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(grad_inputs, grad_outputs)`` when backward has passed; a tuple replaces the first."""
        hooks = self.hooks = Hooks() if self.hooks is None else self.hooks
        hooks.after.append(hook)
        return RemovableHandle(hooks.after, hook)

    def register_prehook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(grad_outputs)`` when backward comes to this node; a tuple it returns replaces them."""
        hooks = self.hooks = Hooks() if self.hooks is None else self.hooks
        hooks.before.append(hook)
        return RemovableHandle(hooks.before, hook)

    def unpacked(self) -> Saved:
        """The saved values as arrays and parameters.

        Raises:
            GradError: they were freed.
        """
        if self.saved is None:
            raise GradError(freed_message(self))
        return self.saved

    def __getattr__(self, name: str) -> Any:
        """Saved values under PyTorch's names: ``_saved_<name>``, tensors as Tensors."""
        if name.startswith("_saved_"):
            names = self.op.saves
            wanted = {"self": names[0] if names else "", "result": "out"}.get(name[7:], name[7:])
            if wanted in names:
                value = self.unpacked()[names.index(wanted)]
                return hooking.lift(value) if type(value) is ndarray else value
        raise AttributeError(f"{self.name()} has no attribute {name!r}")

    def __repr__(self) -> str:
        return f"<{self.name()} object at {id(self):#x}>"


def _edge(parent: Node | None) -> tuple[Node | None, int]:
    if parent is None or type(parent) is Idle:
        return None, 0
    if parent.kind == OUTPUT:
        return parent.parents[0], parent.index
    return parent, 0


class ManyNode(Node):
    """A call of an operator with several differentiable outputs; ``outputs`` holds (shape, dtype) of each.

    ``places`` refers, weakly, to the node of each output, for saved values that are outputs.
    """

    __slots__ = ("outputs", "places")

    def __init__(
        self,
        op: Any,
        parents: tuple[Node | None, ...],
        saved: Saved | None,
        versions: Sequence[tuple[Cell, int, int]] | None,
        outputs: tuple[tuple[Any, Any], ...],
    ) -> None:
        super().__init__(op, parents, saved, versions, (), None)
        self.outputs = outputs
        self.places: dict[int, weakref.ref[Output]] = {}

    def place(self, index: int) -> Output:
        """The node of an output: there is one at a time, since gradients meet in it."""
        ref = self.places.get(index)
        found = None if ref is None else ref()
        if found is None:
            found = Output(self, index)
            self.places[index] = weakref.ref(found)
        return found


class Packed:
    """A saved array in the keeping of a pack hook: what that gave, and the hook that gives it back."""

    __slots__ = ("stored", "unpack")

    def __init__(self, stored: Any, unpack: Callable[[Any], Any]) -> None:
        self.stored = stored
        self.unpack = unpack


class _PackedValues:
    """What nodes with ``Packed`` saved values have in common."""

    __slots__ = ()

    kind = PACKED
    saved: Any

    def unpacked(self) -> Saved:
        """The saved values, packed ones asked back from their hooks."""
        if self.saved is None:
            raise GradError(freed_message(self))  # type: ignore[arg-type]
        return tuple([v.unpack(v.stored) if type(v) is Packed else v for v in self.saved])


class PackedNode(_PackedValues, Node):
    """A node of one output whose saved values are packed."""

    __slots__ = ()


class PackedManyNode(_PackedValues, ManyNode):
    """A node of several outputs whose saved values are packed."""

    __slots__ = ()


class Output(Node):
    """Output ``index`` of a ``ManyNode``: where the gradients of that output meet (ruling R9)."""

    __slots__ = ("index",)

    kind = OUTPUT

    def __init__(self, source: ManyNode, index: int) -> None:
        # spelt out, since a split of many pieces makes as many of these
        self.op = source.op
        self.parents = (source,)
        self.saved = ()
        self.versions = None
        self.shape, self.dtype = source.outputs[index]
        self.hooks = None
        self.extra = None
        self.index = index


def _references(value: Any) -> int:
    return getrefcount(value)


def _references_alone() -> int:
    value = object()
    return _references(value)


#: ``getrefcount`` of what only a caller and the function it calls with it hold: Pythons differ
ALONE = _references_alone()


class Leaf(Node):
    """Where the gradient of a leaf tensor gathers; PyTorch's ``AccumulateGrad``.

    The tensor layer derives the class that knows its tensor and how to add to its ``.grad``.
    """

    __slots__ = ()

    kind = LEAF

    def name(self) -> str:
        """Always ``AccumulateGrad``, as in PyTorch."""
        return "torch::autograd::AccumulateGrad"

    def __repr__(self) -> str:
        return f"<AccumulateGrad object at {id(self):#x}>"

    def accumulate(self, g: Any) -> None:
        """Add the gradient that has arrived; g is an array or a recorded value."""
        raise NotImplementedError


class Idle(Leaf):
    """The place of a view that was made under ``no_grad`` of a tracked tensor.

    It claims its base's ``requires_grad``, as in PyTorch, but no gradient passes or stays here.
    """

    __slots__ = ("grad", "post_hooks", "data")

    def __init__(self, data: Any) -> None:
        super().__init__(None, (), (), None, data.shape, data.dtype)
        self.data = data
        self.grad: Any = None
        self.post_hooks: list[Callable[[Any], None]] | None = None

    def accumulate(self, g: Any) -> None:
        """Let go of the gradient."""


class CustomNode(Node):
    """A node with a backward of its own, which sees Tensors (ruling R2): a user's ``Function``."""

    __slots__ = ()

    kind = CUSTOM

    def pull(self, g: Any, needs: tuple[bool, ...], create_graph: bool) -> tuple[Any, ...]:
        """Gradients of the inputs from the gradient (or tuple of gradients) of the outputs."""
        raise NotImplementedError


def freed_message(node: Node) -> str:
    """The message of a second backward through freed buffers."""
    return (
        "Trying to backward through the graph a second time (or directly access saved tensors after they "
        "have already been freed). Saved intermediate values of the graph are freed when you call "
        ".backward() or autograd.grad(). Specify retain_graph=True if you need to backward through the "
        "graph a second time or if you need to access saved tensors after calling backward. "
        f"(first met at {node.name()}, output shape {list(node.shape)})"
    )


_ONE = (True,)


def attach(op: type[Op], handles: tuple[Any, ...], out: Any, saved: Saved) -> None:
    """Record one call: make its node from the input handles and hang it on the output handle(s).

    A handle is anything with ``_data``, ``_node`` and ``_cell`` (a Tensor or a Traced); None stands
    for a constant input. ``out`` is one handle, or a tuple of them for an op with several outputs.
    """
    parents = tuple([None if h is None else h._node for h in handles])
    versions: list[tuple[Cell, int, int]] = []
    first = out if not op.several else out[op.primary or 0]
    if saved:
        needs = _ONE if len(parents) == 1 else tuple([p is not None for p in parents])
        whole, keep, owned = op.plans.get(needs) or op.plan(needs)
        if not whole:
            saved = tuple([value if k else None for value, k in zip(saved, keep, strict=True)])
        for i, role in owned:
            owner = first if role == OUT else handles[role] if role > CONSTANT else out[OUTS - role]
            if owner is not None:
                cell = owner._cell or cell_of(owner)
                versions.append((cell, cell.version, i) if not cell.inference else snapshot(cell, i))
        if op.several:  # positions, say, that backward reads and the user holds as a result
            arrays = [i for i, value in enumerate(saved) if type(value) is ndarray]
            for h in out[1:] if arrays else ():
                versions += [snapshot(cell_of(h), i) for i in arrays if saved[i] is h._data]
    if not op.several or op.primary is not None:
        data = first._data
        node = first._node = Node(op, parents, saved, versions or None, data.shape, data.dtype)
        if MODE.get() & WATCH:
            watch.recorded(node, handles, first)
        return
    outputs = tuple([(h._data.shape, h._data.dtype) for h in out])
    many = ManyNode(op, parents, saved, versions or None, outputs)
    for index, handle in enumerate(out):
        node = handle._node = Output(many, index)
        many.places[index] = weakref.ref(node)
    if MODE.get() & WATCH:
        watch.recorded(many, handles, out)


def attach_one(op: type[Op], handle: Any, out: Any, saved: Saved) -> None:
    """``attach`` for one input and one output."""
    versions = None
    if saved:
        whole, keep, owned = op.plans.get(_ONE) or op.plan(_ONE)
        if not whole:
            saved = tuple([value if k else None for value, k in zip(saved, keep, strict=True)])
        if owned:
            owners = [(out if role == OUT else handle, i) for i, role in owned]
            versions = tuple([snapshot(o._cell or cell_of(o), i) for o, i in owners])
    data = out._data
    out._node = Node(op, (handle._node,), saved, versions, data.shape, data.dtype)


def snapshot(cell: Cell, index: int) -> tuple[Cell, int, int]:
    """What a node remembers of a saved tensor: its cell, the version now, and which saved value it is."""
    if cell.inference:
        raise GradError(
            "Inference tensors cannot be saved for backward. To work around you can make a clone to get a "
            "normal tensor and use it in autograd."
        )
    return cell, cell.version, index


def cell_of(handle: Any) -> Cell:
    """The version cell of a handle's storage, made on first need."""
    cell: Cell | None = handle._cell
    if cell is None:
        cell = handle._cell = Cell()
    return cell
