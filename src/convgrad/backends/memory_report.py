"""Where the peak of a program's memory comes from, operator by operator.

A watcher is told of every operator that is recorded, and of every step of a backward. It asks Python
(``tracemalloc``, which knows NumPy's arrays) and the blocks how much there is, and remembers which arrays
were alive when there was most.
"""

from __future__ import annotations

import sys
import tracemalloc
import weakref
from collections.abc import Iterable, Iterator
from types import FrameType
from typing import Any, NamedTuple

from numpy import ndarray

from convgrad.errors import ConvgradError
from convgrad.graph.node import LEAF, OUTPUT
from convgrad.graph.traced import Traced
from convgrad.graph.watch import Watcher, enter, leave
from convgrad.kernels.machine import _native
from convgrad.ops.op import CONSTANT


class Live(NamedTuple):
    """An array that was alive at the peak: bytes, what made it, in which module, and what it is."""

    bytes: int
    operator: str
    #: dotted name of the module that was called, from the outermost; "" outside of modules
    module: str
    #: "result", "saved <name>" or "gradient"
    what: str
    shape: tuple[int, ...]
    dtype: str


class Peak(NamedTuple):
    """The operator at which there was most memory, and how much above the start of the report."""

    bytes: int
    operator: str
    module: str
    #: "forward" or "backward"
    phase: str


class report(Watcher):
    """A ``with`` block that finds where the peak of the memory in it comes from; then printed as a table.

    It takes several times as long as the block alone. Operators without a graph (under ``no_grad``) are not
    seen, their memory is. A backward runs here node by node, as under ``saved_tensors_hooks``.

    Attributes:
        peak: a ``Peak``; its bytes are those of arrays and Python's objects above the start. Within one
            operator the peaks of NumPy's arrays and of blocks are added, though they may not coincide.
        rows: ``Live`` arrays at the peak that were made in the block, largest first.
        other: bytes of the peak that no row has: temporaries of the operator, gradients on leaves, Python's
            objects.
    Raises:
        ConvgradError: it is entered a second time.
    Example:
        >>> from convgrad import nn, ones
        >>> net = nn.Sequential(nn.Linear(10, 1000), nn.Tanh(), nn.Linear(1000, 1))
        >>> with report() as found:
        ...     net(ones(100, 10)).sum().backward()
        >>> found.rows[0].bytes, found.peak.bytes >= 400000
        (400000, True)
    """

    single = False  # what is joined is measured as one

    def __init__(self) -> None:
        self.peak = Peak(0, "", "", "forward")
        self.rows: list[Live] = []
        self._alive: dict[int, tuple[weakref.ref[Any], Live]] = {}
        self._known: dict[int, weakref.ref[Any]] = {}  # arrays that were there before
        self._names: weakref.WeakKeyDictionary[Any, dict[int, str]] = weakref.WeakKeyDictionary()
        self._started = False
        self._base = 0
        self._step: tuple[str, str] = ("", "")

    @property
    def other(self) -> int:
        """Bytes of the peak that no row has."""
        return max(0, self.peak.bytes - sum([row.bytes for row in self.rows]))

    def __enter__(self) -> report:
        if self._base or self._started:
            raise ConvgradError(
                "a memory report measures one block: make another one by backends.memory.report()"
            )
        if not tracemalloc.is_tracing():
            tracemalloc.start(1)
            self._started = True
        _reset_peaks()
        self._base = _now()[0]
        enter(self)
        return self

    def __exit__(self, *exc: object) -> None:
        leave(self)
        self._measure("the end of the block", "", "forward")
        if self._started:
            tracemalloc.stop()
        self._alive.clear()

    # ---- what a watcher is told

    def recorded(self, node: Any, handles: tuple[Any, ...], out: Any) -> None:
        """An operator has run: what it made is alive from now on."""
        name, module = node.name(), self._module()
        node.extra = {**(node.extra or {}), "module": module}
        for handle in handles:  # inputs that nobody has seen being made were there before
            if handle is not None:
                owner = _owner(handle._data)
                key = id(owner)
                if key not in self._alive and key not in self._known:
                    self._known[key] = _watched(owner, self._known)
        results = out if type(out) is tuple else (out,)
        self._note([h._data for h in results], name, module, "result")
        for role, label, value in zip(node.op.roles, node.op.saves, node.saved or (), strict=False):
            if role == CONSTANT and type(value) is ndarray:
                self._note([value], name, module, f"saved {label}")
        self._measure(name, module, "forward")

    def entered(self, node: Any, g: Any) -> None:
        """Backward has come to a node."""
        if node.kind != OUTPUT:
            self._step = (node.name(), (node.extra or {}).get("module", ""))

    def pulled(self, node: Any, g: Any, grads: Any) -> None:
        """A node's gradients are there."""
        if node.kind in (LEAF, OUTPUT):
            return
        arrays = [value._data if type(value) is Traced else value for value in grads]
        self._note([a for a in arrays if type(a) is ndarray], *self._step, "gradient")
        self._measure(*self._step, "backward")

    # ---- what it makes of that

    def _note(self, arrays: Iterable[Any], name: str, module: str, what: str) -> None:
        for array in arrays:
            owner = _owner(array)
            key = id(owner)
            if key in self._alive or key in self._known or not owner.nbytes:
                continue
            row = Live(owner.nbytes, name, module, what, array.shape, array.dtype.name)
            self._alive[key] = (_watched(owner, self._alive), row)

    def _measure(self, name: str, module: str, phase: str) -> None:
        """Look whether there has been more memory than ever since the last look."""
        highest = _now()[1] - self._base
        if highest > self.peak.bytes:
            self.peak = Peak(highest, name, module, phase)
            self.rows = sorted([row for _, row in self._alive.values()], key=lambda row: -row.bytes)
        _reset_peaks()

    def _module(self) -> str:
        """The dotted name of the module that is being called."""
        chain = [m for frame in _frames() for m in _modules_of(frame)]
        if not chain:
            return ""
        root = chain[-1]
        names = self._names.get(root)
        if names is None or id(chain[0]) not in names:
            names = self._names[root] = {id(m): name for name, m in root.named_modules()}
        return names.get(id(chain[0]), "") or type(chain[0]).__name__

    # ---- how it looks

    def __str__(self, most: int = 20) -> str:
        peak = self.peak
        place = f" in {peak.module}" if peak.module else ""
        where = f"{peak.operator or 'the start'}{place} ({peak.phase})"
        lines = [f"at most {_bytes(peak.bytes)} above the start, at {where}"]
        for row in self.rows[:most]:
            what = f"{row.what} {row.dtype} {list(row.shape)}"
            lines.append(f"{_bytes(row.bytes):>10}  {row.module:<20}  {row.operator:<28}  {what}")
        rest = self.rows[most:]
        if rest:
            lines.append(f"{_bytes(sum([row.bytes for row in rest])):>10}  {len(rest)} more arrays")
        lines.append(f"{_bytes(self.other):>10}  temporaries, gradients of leaves, Python's objects")
        return "\n".join(lines)

    __repr__ = __str__


def _frames() -> Iterator[FrameType]:
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        yield frame
        frame = frame.f_back


def _modules_of(frame: FrameType) -> Iterator[Any]:
    """The modules whose call a frame is, innermost first; by their looks, as they stand above this layer."""
    name = frame.f_code.co_name
    if name == "run" and frame.f_globals.get("__name__") == "convgrad.nn.modules.pairs":
        yield frame.f_locals["module"]  # the first of a pair, which is not called by itself
    elif name == "__call__":
        called = frame.f_locals.get("self")
        if hasattr(called, "named_modules"):
            yield called


def _watched(array: Any, table: dict[int, Any]) -> weakref.ref[Any]:
    """A reference that takes an array's line out of a table when it dies."""
    key = id(array)

    def forget(_: Any) -> None:
        table.pop(key, None)

    return weakref.ref(array, forget)


def _owner(array: Any) -> Any:
    """The array that owns the memory, as far as NumPy tells."""
    base = array.base
    while type(base) is ndarray:
        array, base = base, base.base
    return array


def _now() -> tuple[int, int]:
    """Bytes that Python, NumPy and the blocks have now, and the most they have had since the last reset."""
    now, peak = tracemalloc.get_traced_memory()
    facts = {"in_use": 0, "peak": 0} if _native is None else _native.memory_facts()
    return now + facts["in_use"], peak + facts["peak"]


def _reset_peaks() -> None:
    tracemalloc.reset_peak()
    if _native is not None:
        _native.memory_reset_peak()


def _bytes(count: int) -> str:
    size = float(count)
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


__all__ = ["Live", "Peak", "report"]
