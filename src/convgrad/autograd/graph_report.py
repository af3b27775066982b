"""What a graph holds in memory, node by node."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from numpy import ndarray

from ..graph.node import CUSTOM, LEAF, OUTPUT, Node, Packed
from ..graph.place import show


class Held(NamedTuple):
    """One saved array: its node's name and output shape, which saved value, bytes, and whose memory it is."""

    node: str
    output: tuple[int, ...]
    value: str
    shape: tuple[int, ...]
    dtype: str
    #: bytes that nothing before it in the report holds
    bytes: int
    #: "graph" (freed with it), "leaf" (a leaf's own values), "shared" (counted with an earlier line)
    owner: str
    #: where the operation stands in the user's program; known under ``detect_anomaly``
    place: str


class MemoryReport:
    """The saved values of a graph, largest first; printed as a table.

    ``rows`` are ``Held``; ``total`` is the bytes that the graph alone holds, ``leaves`` those of leaves
    that it points to, ``nodes`` the number of its nodes, ``packed`` the values in the keeping of
    saved-tensor hooks.
    """

    def __init__(self, rows: list[Held], nodes: int, packed: int) -> None:
        self.rows = sorted(rows, key=lambda row: -row.bytes)
        self.nodes = nodes
        self.packed = packed
        self.total = sum([row.bytes for row in rows if row.owner == "graph"])
        self.leaves = sum([row.bytes for row in rows if row.owner == "leaf"])

    def __str__(self, most: int = 20) -> str:
        held, leaves = _bytes(self.total), _bytes(self.leaves)
        lines = [f"{self.nodes} nodes hold {held} for backward, and point to {leaves} of leaves"]
        if self.packed:
            lines.append(f"{self.packed} values are in the keeping of saved-tensor hooks")
        for row in self.rows[:most]:
            what = f"{row.value} {row.dtype} {list(row.shape)}"
            place = f"  {row.place}" if row.place else ""
            lines.append(f"{_bytes(row.bytes):>10}  {row.owner:<6}  {row.node:<28}  {what}{place}")
        if len(self.rows) > most:
            lines.append(f"... and {len(self.rows) - most} more")
        return "\n".join(lines)

    __repr__ = __str__


def memory_report(*roots: Any) -> MemoryReport:
    """What the graphs behind these tensors keep for backward: bytes per saved value, largest first.

    Memory that several nodes share is counted once. Example:

        >>> from convgrad import ones
        >>> x = ones(100, requires_grad=True)
        >>> memory_report(x.exp().sum()).total
        400
    """
    nodes = list(_nodes([t._node for t in roots if t._node is not None]))
    counted: dict[int, Any] = {}  # addresses of memory already counted, each with its owner kept alive
    for node in nodes:
        if node.kind == LEAF:
            counted[_address(node.data)] = node.data
    leaf_memory = set(counted)
    seen_leaves: set[int] = set()
    rows: list[Held] = []
    packed = 0
    for node in nodes:
        place = (node.extra or {}).get("place")
        for name, value in _saved(node):
            if type(value) is Packed:
                packed += 1
                continue
            address = _address(value)
            owner = "graph"
            if address in leaf_memory:
                owner = "shared" if address in seen_leaves else "leaf"
                seen_leaves.add(address)
            elif address in counted:
                owner = "shared"
            counted.setdefault(address, value)
            size = 0 if owner == "shared" else _owner(value).nbytes
            shape = tuple(node.shape) if isinstance(node.shape, tuple) else ()
            rows.append(
                Held(node.name(), shape, name, value.shape, value.dtype.name, size, owner,
                     show(place[-1]) if place else "")
            )  # fmt: skip
    return MemoryReport(rows, len([n for n in nodes if n.kind != OUTPUT]), packed)


def _nodes(roots: list[Node]) -> Iterator[Node]:
    seen: set[int] = set()
    stack = list(roots)
    while stack:
        node = stack.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        yield node
        stack += [p for p in node.parents if p is not None]


def _saved(node: Node) -> Iterator[tuple[str, Any]]:
    if node.kind in (LEAF, OUTPUT) or not node.saved:
        return
    if node.kind == CUSTOM:
        for i, entry in enumerate(node.saved):
            if entry is not None:
                yield f"saved {i}", entry[0]
        return
    for name, value in zip(node.op.saves, node.saved, strict=False):
        for v in value if type(value) is tuple else (value,):
            if type(v) is ndarray or type(v) is Packed:
                yield name, v


def _owner(array: Any) -> Any:
    """The array that owns the memory, as far as NumPy tells."""
    base = array.base
    while type(base) is ndarray:
        array, base = base, base.base
    return array


def _address(array: Any) -> int:
    return int(_owner(array).__array_interface__["data"][0]) if array.size else id(array)


def _bytes(count: int) -> str:
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return ""


__all__ = ["Held", "MemoryReport", "memory_report"]
