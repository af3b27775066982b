"""The autograd graph as a picture and as text: shapes, values and gradients of every step.

Works on anything that follows PyTorch's protocol: a tensor has ``grad_fn``, ``shape``, ``dtype``, ``grad``,
``detach()``; a node has ``name()`` and ``next_functions``; an AccumulateGrad node has ``variable``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from convgrad.tools.layout import Box, Edge, Route, layout
from convgrad.tools.svg import Canvas, Picture, clip_text, text_width
from convgrad.tools.values import Array, as_array, dtype_text, grid_rows, shape_text, summary

MAX_NODES = 2000
_PAD = 10.0
_LINE = 16.0
_HEAD = 24.0
_MONO = 12.0
_NAME = 14.0
_SMALL = 11.0
_NAME_ROOM = 260.0
_MAX_DEPTH = 40


class Item:
    """One box of the graph: an operation, a leaf, or the place where the drawing stops.

    Args:
        key: the node (or, for a tensor without history, the tensor).
        kind: "op", "leaf", "input", "constant" or "more".
        title: the node's name, such as ``SubBackward0``.
    """

    __slots__ = ("inputs", "key", "kind", "outputs", "title")

    def __init__(self, key: object, kind: str, title: str) -> None:
        self.key = key
        self.kind = kind
        self.title = title
        self.inputs: list[tuple[int, int]] = []  # (item, output number there)
        self.outputs: list[Output] = []


class Output:
    """What is known of one tensor: name, shape, dtype, value, gradient; None where unknown."""

    __slots__ = ("dtype", "grad", "name", "shape", "value")

    def __init__(self, name: str, shape: Any, dtype: str, value: Array | None, grad: Array | None) -> None:
        self.name = name
        self.shape = shape
        self.dtype = dtype
        self.value = value
        self.grad = grad


class Graph:
    """The nodes that can be reached from a root, in breadth-first order from it; ``items[0]`` is the root.

    Args:
        root: a tensor or a node.
        inputs: tensors at which the walk stops; by default it goes on to the leaves.
        names: ``{name: tensor}`` or ``{tensor or node: name}``. Intermediate tensors named in the first way
            show their values and, after ``retain_grad()``, their gradients.
        values: ``{node: array}`` for nodes whose output should be shown.
        max_nodes: what lies beyond is summed up in a box "more".
    """

    def __init__(
        self,
        root: Any,
        *,
        inputs: Any = None,
        names: Mapping[Any, Any] | None = None,
        values: Mapping[Any, Any] | None = None,
        max_nodes: int = MAX_NODES,
    ) -> None:
        self._alive: list[object] = []  # ids stay valid only while the objects live
        self._labels: dict[int, str] = {}
        self._known: dict[int, list[tuple[int, str, Any]]] = {}  # node -> (output number, name, tensor)
        self._values = {self._hold(node): value for node, value in (values or {}).items()}
        self._stops: set[int] = set()
        self._read_names(names or {})
        self._read_inputs(inputs)
        if _is_tensor(root):
            self._remember("", root)
        self.items: list[Item] = []
        self._walk(_node_of(root), max_nodes)

    def _hold(self, thing: object) -> int:
        self._alive.append(thing)
        return id(thing)

    def _read_names(self, names: Mapping[Any, Any]) -> None:
        for key, value in names.items():
            name, thing = (key, value) if isinstance(key, str) else (str(value), key)
            if _is_tensor(thing):
                self._remember(name, thing)
            elif thing is not None:
                self._labels[self._hold(thing)] = name

    def _read_inputs(self, inputs: Any) -> None:
        if inputs is None:
            return
        named = inputs.items() if isinstance(inputs, Mapping) else [("", t) for t in _listed(inputs)]
        for name, tensor in named:
            self._stops.add(id(_node_of(tensor)))
            self._remember(str(name), tensor)

    def _remember(self, name: str, tensor: Any) -> None:
        node = _node_of(tensor)
        entries = self._known.setdefault(self._hold(node), [])
        for place, (number, old, other) in enumerate(entries):
            if other is tensor:
                entries[place] = (number, old or name, tensor)
                return
        entries.append((int(getattr(tensor, "output_nr", 0)), name, tensor))
        variable = getattr(tensor, "grad_fn", None)
        if variable is None:  # a leaf is met through its AccumulateGrad node, or is the root itself
            self._known[self._hold(tensor)] = entries

    def _walk(self, root: Any, max_nodes: int) -> None:
        found = {id(root): 0}
        self.items.append(self._item(root))
        more = -1
        place = 0
        while place < len(self.items):
            item = self.items[place]
            place += 1
            if item.kind != "op":
                continue
            for node, number in item.key.next_functions:  # type: ignore[attr-defined]
                if node is None:
                    continue
                at = found.get(self._hold(node))
                if at is None and len(self.items) >= max_nodes:
                    if more < 0:
                        more = len(self.items)
                        self.items.append(Item(None, "more", "more, not drawn"))
                    at = more
                elif at is None:
                    at = found[id(node)] = len(self.items)
                    self.items.append(self._item(node))
                item.inputs.append((at, int(number)))

    def _item(self, node: Any) -> Item:
        if _is_tensor(node):
            kind = "leaf" if getattr(node, "requires_grad", False) else "constant"
            item = Item(node, kind, "leaf" if kind == "leaf" else "no gradient")
            self._fill(item, node, node)
            return item
        variable = getattr(node, "variable", None)
        if variable is not None and not node.next_functions:
            item = Item(node, "leaf", "leaf")
            self._fill(item, variable, variable)
            return item
        item = Item(node, "input" if id(node) in self._stops else "op", str(node.name()))
        self._fill(item, node, None)
        return item

    def _fill(self, item: Item, key: Any, tensor: Any) -> None:
        """Collect what is known of the item's outputs."""
        entries = self._known.get(id(key), []) or self._known.get(id(item.key), [])
        label = self._labels.get(id(key)) or self._labels.get(id(item.key), "")
        if tensor is not None:
            name = label or next((name for _, name, _ in entries if name), "")
            item.outputs.append(_output_of(name, tensor))
            return
        for _, name, known in sorted(entries, key=lambda entry: entry[0]):
            item.outputs.append(_output_of(name or label, known))
        if not item.outputs:
            item.outputs.append(self._guess(item.key, label))

    def _guess(self, node: Any, label: str) -> Output:
        """What the node itself, its metadata and the given values say about its output."""
        metadata = getattr(node, "metadata", None)
        metadata = metadata if isinstance(metadata, Mapping) else {}
        given = self._values.get(id(node), metadata.get("value"))
        grad = metadata.get("grad")
        name = label or str(metadata.get("name", ""))
        if given is not None:
            output = _output_of(name, given)
            output.grad = output.grad if grad is None else as_array(grad)
            return output
        shape, dtype = metadata.get("shape", getattr(node, "shape", None)), metadata.get("dtype")
        hints = getattr(node, "_input_metadata", None)  # of the gradients it takes in: its outputs' shapes
        if shape is None and hints:
            shape, dtype = tuple(hints[0].shape), hints[0].dtype
        known = tuple(shape) if shape is not None and not callable(shape) else None
        text = dtype_text(dtype) if dtype is not None else ""
        return Output(name, known, text, None, None if grad is None else as_array(grad))


def _listed(inputs: Any) -> list[Any]:
    return [inputs] if _is_tensor(inputs) else list(inputs)


def _is_tensor(thing: Any) -> bool:
    return hasattr(thing, "grad_fn")


def _node_of(thing: Any) -> Any:
    """The node that made a tensor; the tensor itself if it has no history; a node as it is."""
    if not _is_tensor(thing):
        if not hasattr(thing, "next_functions"):
            raise TypeError(
                f"draw_graph: expected a tensor or a grad_fn node, got {type(thing).__name__}; "
                "pass the result of a computation, such as the loss"
            )
        return thing
    return thing if thing.grad_fn is None else thing.grad_fn


def _output_of(name: str, tensor: Any) -> Output:
    value = as_array(tensor)
    dtype = dtype_text(getattr(tensor, "dtype", value.dtype))
    grad = None
    if getattr(tensor, "requires_grad", False) and _may_read_grad(tensor):
        grad = tensor.grad
    return Output(name, tuple(value.shape), dtype, value, None if grad is None else as_array(grad))


def _may_read_grad(tensor: Any) -> bool:
    """PyTorch warns when the ``grad`` of a tensor that keeps none is read."""
    return getattr(tensor, "grad_fn", None) is None or bool(getattr(tensor, "retains_grad", True))


# --- text ---------------------------------------------------------------------------------------------


def graph_text(
    root: Any,
    *,
    inputs: Any = None,
    names: Mapping[Any, Any] | None = None,
    values: Mapping[Any, Any] | None = None,
    show_values: bool = True,
    max_lines: int = 500,
) -> str:
    """The graph as an indented tree, from the result back to the leaves.

    A node that several others use is printed once and marked ``[1]``; later it is only referred to.
    Several inputs of a node are indented below it; a single input follows with an arrow, not indented.

    Args:
        root: a tensor or a node.
        inputs: tensors at which to stop.
        names: ``{name: tensor}`` or ``{tensor or node: name}``.
        values: ``{node: array}``.
        show_values: print numbers of small tensors.
        max_lines: at most so many lines.
    Returns:
        Lines joined by newlines.
    Example:
        >>> from types import SimpleNamespace
        >>> node = SimpleNamespace(name=lambda: "ExpBackward0", next_functions=())
        >>> graph_text(node, names={"y": node})
        'y = ExpBackward0'
    """
    graph = Graph(root, inputs=inputs, names=names, values=values, max_nodes=max(max_lines, 1))
    uses = [0] * len(graph.items)
    for item in graph.items:
        for at, _ in item.inputs:
            uses[at] += 1
    marks: dict[int, int] = {}
    lines: list[str] = []
    stack: list[tuple[int, int, str]] = [(0, 0, "")]
    while stack:
        if len(lines) >= max_lines:
            lines.append("…")
            break
        at, depth, arrow = stack.pop()
        item = graph.items[at]
        indent = "  " * min(depth, _MAX_DEPTH) + (f"({depth}) " if depth > _MAX_DEPTH else "") + arrow
        if at in marks:
            lines.append(f"{indent}{_short(item)} -> [{marks[at]}]")
            continue
        mark = ""
        if uses[at] > 1:
            marks[at] = len(marks) + 1
            mark = f" [{marks[at]}]"
        lines.append(indent + _long(item, show_values) + mark)
        several = len(item.inputs) > 1
        deeper, link = (depth + 1, "") if several else (depth, "← ")
        stack.extend((child, deeper, link) for child, _ in reversed(item.inputs))
    return "\n".join(lines)


def _short(item: Item) -> str:
    name = next((o.name for o in item.outputs if o.name), "")
    return f"{name} = {item.title}" if name else item.title


def _long(item: Item, show_values: bool) -> str:
    parts = [_short(item)]
    for output in item.outputs:
        if output.shape is not None:
            parts.append(f"({', '.join(map(str, output.shape))}) {output.dtype}".rstrip())
        for word, array in (("value", output.value), ("grad", output.grad)) if show_values else ():
            if array is not None:
                parts.append(f"{word} {_inline(array)}")
    return "  ".join(parts)


def _inline(array: Array) -> str:
    rows = grid_rows(array)
    if rows is None:
        return "{" + ", ".join(" ".join(line.split()) for line in summary(array)) + "}"
    if array.ndim == 0:
        return rows[0][0]
    inner = ["[" + ", ".join(row) + "]" for row in rows]
    return inner[0] if array.ndim == 1 else "[" + ", ".join(inner) + "]"


# --- picture ------------------------------------------------------------------------------------------


class _Block:
    """A small table of numbers with its heading: what a box shows for a value or a gradient."""

    def __init__(self, heading: str, array: Array, colour: str) -> None:
        rows = grid_rows(array)
        self.heading, self.colour = heading, colour
        self.matrix = rows is not None and array.ndim > 0
        self.rows = rows if rows is not None else [[line] for line in summary(array)]
        self.right = rows is not None
        count = max(len(row) for row in self.rows)
        self.columns = [max(len(row[c]) for row in self.rows) * _MONO * 0.61 for c in range(count)]
        inner = sum(self.columns) + 12 * (count - 1) + (14 if self.matrix else 0)
        self.width = max(inner, text_width(heading, _SMALL))
        self.height = 14 + len(self.rows) * _LINE + 2

    def draw(self, canvas: Canvas, x: float, y: float) -> None:
        canvas.text(x, y + 10, self.heading, _SMALL, self.colour)
        top, bottom = y + 16, y + 16 + len(self.rows) * _LINE
        at = x + (7 if self.matrix else 0)
        for column, width in enumerate(self.columns):
            for row, cells in enumerate(self.rows):
                baseline = top + row * _LINE + 12
                where = at + width if self.right else at
                anchor = "end" if self.right else "start"
                canvas.text(where, baseline, cells[column], _MONO, self.colour, anchor=anchor, mono=True)
            at += width + 12
        if self.matrix:
            end = at - 12 + 7
            canvas.polyline([(x + 4, top), (x, top), (x, bottom), (x + 4, bottom)], self.colour, width=1.2)
            canvas.polyline(
                [(end - 4, top), (end, top), (end, bottom), (end - 4, bottom)], self.colour, width=1.2
            )


class _Card:
    """How one item looks: its head line, and for each output its shape, value and gradient."""

    COLOURS: ClassVar = {"op": "op", "leaf": "leaf", "input": "leaf", "constant": "panel", "more": "panel"}

    def __init__(self, item: Item, show_values: bool, root: bool) -> None:
        colour = "root" if root and item.kind == "op" else self.COLOURS[item.kind]
        self.fill, self.outline = colour, f"{colour}line" if colour != "panel" else "rule"
        single = len(item.outputs) == 1
        name = item.outputs[0].name if single else ""
        self.name = clip_text(name, _NAME, _NAME_ROOM)
        self.title = clip_text(item.title, 12.0, _NAME_ROOM)
        self.sections = [self._section(o, show_values, not single) for o in item.outputs]
        self.sections = [(line, blocks) for line, blocks in self.sections if line or blocks]
        head = text_width(self.title, 12.0) * 1.06
        head += text_width(self.name, _NAME) * 1.06 + 16 if self.name else 0
        widths = [head]
        height = _HEAD + 4
        for line, blocks in self.sections:
            widths += [text_width(line, _SMALL), sum(b.width for b in blocks) + 22 * (len(blocks) - 1)]
            height += (_LINE if line else 0) + (max(b.height for b in blocks) + 8 if blocks else 0)
        self.width = max(widths) + 2 * _PAD
        self.height = height + (4 if self.sections else 0)

    @staticmethod
    def _section(output: Output, show_values: bool, named: bool) -> tuple[str, list[_Block]]:
        parts = [clip_text(output.name, _SMALL, _NAME_ROOM)] if named and output.name else []
        if output.shape is not None:
            parts += [shape_text(output.shape), output.dtype]
        blocks = []
        if show_values and output.value is not None:
            blocks.append(_Block("value", output.value, "ink"))
        if show_values and output.grad is not None:
            blocks.append(_Block("gradient", output.grad, "grad"))
        return "  ".join(part for part in parts if part), blocks

    def draw(self, canvas: Canvas, x: float, y: float) -> None:
        canvas.rect(x, y, self.width, self.height, "paper", self.outline, radius=7, stroke=1.4)
        canvas.rect(x + 0.7, y + 0.7, self.width - 1.4, _HEAD, self.fill, radius=6)
        if self.sections:
            canvas.rect(x + 0.7, y + _HEAD - 6, self.width - 1.4, 6.7, self.fill)  # square lower corners
            canvas.line((x, y + _HEAD + 0.7), (x + self.width, y + _HEAD + 0.7), self.outline, width=0.8)
        else:
            canvas.rect(x + 0.7, y + 0.7, self.width - 1.4, self.height - 1.4, self.fill, radius=6)
        baseline = y + (17.5 if self.sections else self.height / 2 + 4.5)
        if self.name:
            canvas.text(x + _PAD, baseline, self.name, _NAME, bold=True)
            canvas.text(x + self.width - _PAD, baseline, self.title, 12.0, "muted", anchor="end")
        else:
            canvas.text(x + self.width / 2, baseline, self.title, 12.0, anchor="middle", bold=True)
        at = y + _HEAD + 4
        for line, blocks in self.sections:
            if line:
                canvas.text(x + _PAD, at + 12, line, _SMALL, "muted")
                at += _LINE
            left = x + _PAD
            for block in blocks:
                block.draw(canvas, left, at + 4)
                left += block.width + 22
            at += max(b.height for b in blocks) + 8 if blocks else 0


def draw_graph(
    root: Any,
    *,
    inputs: Any = None,
    names: Mapping[Any, Any] | None = None,
    values: Mapping[Any, Any] | None = None,
    show_values: bool = True,
    direction: str = "TB",
    max_nodes: int = MAX_NODES,
) -> Picture:
    """Draw how a result was computed: leaves, operations, values and gradients.

    Arrows follow the computation; ``backward()`` walks them the other way. Small tensors show their numbers,
    large ones minimum, mean and maximum. Call it after ``backward()`` to see gradients beside the values.

    Args:
        root: a tensor, or a node such as ``loss.grad_fn``.
        inputs: one tensor, several, or ``{name: tensor}``: the drawing stops there instead of at the leaves.
        names: ``{name: tensor}``, or ``{tensor or node: name}``. An intermediate tensor named here shows its
            value and, after ``retain_grad()``, its gradient.
        values: ``{node: array}`` for operations whose output has no name but should be shown.
        show_values: draw numbers, not only shapes.
        direction: "TB" from top to bottom, "LR" from left to right.
        max_nodes: a larger graph is cut here, and says so.
    Returns:
        A Picture.
    Raises:
        TypeError: ``root`` is neither tensor nor node.
        ValueError: ``direction`` is something else.
    Example:
        >>> from types import SimpleNamespace
        >>> node = SimpleNamespace(name=lambda: "ExpBackward0", next_functions=())
        >>> draw_graph(node, names={"y": node}).title
        'Computation graph of y'

    Source: figure 5 of Canziani's lecture on convolutions and automatic differentiation, 2020.
    """
    graph = Graph(root, inputs=inputs, names=names, values=values, max_nodes=max_nodes)
    cards = [_Card(item, show_values, place == 0) for place, item in enumerate(graph.items)]
    count = len(cards)  # sources first, so that the first input stands left
    boxes = [Box(place, cards[place].width, cards[place].height) for place in reversed(range(count))]
    edges = [
        _labelled(Edge(at, place), graph.items[at], number)
        for place in reversed(range(count))
        for at, number in graph.items[place].inputs
    ]
    plan = layout(boxes, edges, direction)
    names_shown = [o.name for o in graph.items[0].outputs if o.name]
    canvas = Canvas(f"Computation graph of {names_shown[0] if names_shown else graph.items[0].title}")
    for route in plan.routes:
        _draw_route(canvas, route, direction)
    for place, (x, y) in plan.boxes.items():
        cards[place].draw(canvas, x, y)  # type: ignore[call-overload]
    _legend(canvas, plan.height + 26, graph, show_values)
    return canvas.picture()


def _labelled(edge: Edge, source: Item, number: int) -> Edge:
    """Where an operation has several outputs its arrows say which one they carry."""
    if number == 0 and len(source.outputs) < 2:
        return edge
    text = f"output {number}"
    return Edge(edge.src, edge.dst, text, (text_width(text, _SMALL) + 8, 16.0))


def _draw_route(canvas: Canvas, route: Route, direction: str) -> None:
    (x, y), before = route.points[-1], route.points[-2]
    for point in route.points:
        canvas.cover(*point)
    canvas.path(route.path_data(direction), "muted", width=1.4)
    if len(route.points) == 4 and route.points[0][0] == x and direction == "TB" and before[1] > y:
        angle = math.pi
    else:
        angle = math.pi / 2 if direction == "TB" else 0.0
    canvas.arrow_head((x, y), angle, "muted")
    if route.label_at:
        lx, ly = route.label_at
        width = text_width(route.edge.label, _SMALL) + 8
        canvas.rect(lx - width / 2, ly - 8, width, 16, "paper")
        canvas.text(lx, ly + 4, route.edge.label, _SMALL, "muted", anchor="middle")


def _legend(canvas: Canvas, y: float, graph: Graph, show_values: bool) -> None:
    """One line that explains the colours in use."""
    kinds = {item.kind for item in graph.items}
    entries: Iterable[tuple[bool, str, str, str]] = (
        ("leaf" in kinds or "input" in kinds, "leaf", "leafline", "leaf"),
        ("op" in kinds, "op", "opline", "operation"),
        (graph.items[0].kind == "op", "root", "rootline", "result"),
    )
    x = 0.0
    for wanted, fill, outline, word in entries:
        if wanted:
            canvas.rect(x, y - 9, 11, 11, fill, outline, radius=2)
            canvas.text(x + 16, y, word, _SMALL, "muted")
            x += 16 + text_width(word, _SMALL) + 14
    if show_values and any(o.grad is not None for item in graph.items for o in item.outputs):
        canvas.text(x, y, "gradient of the result", _SMALL, "grad")
