"""``fuse``: layers of a model joined with what follows them, where a run proves that nothing else reads
the value between them.

The run is watched: each result of a layer that may be joined is a tensor that tells of every look at its
values. If all looks fall within the call of one other module, that module alone follows.
"""

from __future__ import annotations

import copy
import itertools
import weakref
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeVar

from ..autograd import no_grad
from ..errors import ConvgradError
from ..nn import Identity, Module, ReLU, Sequential
from ..nn.modules import pairs
from ..nn.modules.batchnorm import BatchNorm1d, BatchNorm2d, BatchNorm3d
from ..nn.modules.joined import WITH_RELU
from ..nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval
from ..random import fork_rng
from ..tensor.tensor import Tensor

M = TypeVar("M", bound=Module)
_NORMS = (BatchNorm1d, BatchNorm2d, BatchNorm3d)


class Join(NamedTuple):
    """Two modules that follow each other, by name, and what becomes of them; or why nothing does."""

    first: str
    second: str
    #: "relu" (one operator), "fold" (a batch norm goes into the weights), "" (they stay)
    what: str
    reason: str


class Report:
    """What ``fuse`` did or would do; prints as a table. ``rows`` are ``Join``."""

    def __init__(self, rows: list[Join]) -> None:
        self.rows = rows

    def __str__(self) -> str:
        done = [row for row in self.rows if row.what]
        lines = [f"{len(done)} of {len(self.rows)} pairs of neighbours are joined"]
        width = max([len(row.first) for row in self.rows], default=0)
        for row in self.rows:
            text = {"relu": "one operator", "fold": "batch norm in the weights"}.get(row.what, "")
            lines.append(f"  {row.first:<{width}}  {row.second}: {text or 'stay two, since ' + row.reason}")
        return "\n".join(lines)

    __repr__ = __str__


def fusible(model: Module, *example: Any) -> Report:
    """What ``fuse`` would join; the model stays as it is.

    Args:
        model: as ``fuse`` takes it.
        example: arguments for one call, as there.
    """
    return _plan(model, example)[0]


def fuse(model: M, *example: Any, inplace: bool = False, show: bool = True) -> M:
    """Join layers of a model with the relu behind them; in evaluation also batch norms with the layer before.

    A convolution, linear layer or batch norm and the ``nn.ReLU`` behind it become one module with the
    layer's name and parameters. A batch norm in evaluation mode is folded into the weights of the
    convolution or linear layer before it, which gets new ones. What has been joined into another module is
    an ``nn.Identity``.

    Args:
        model: its mode says whether batch norms are folded.
        example: arguments for one call of the model (of a copy), which shows what follows what. Without them
            only neighbours in an ``nn.Sequential`` are joined. Control flow that depends on the data should
            take the same way for all inputs.
        inplace: change the model, not a copy.
        show: print what was joined and what was not.
    Returns:
        the model, or the copy.
    Raises:
        ConvgradError: the model joined gives other values for the example than before; it stays as it was.
    Example:
        >>> from convgrad import nn, ones
        >>> net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU()).eval()
        >>> fused = fuse(net, ones(1, 1, 5, 5))
        2 of 2 pairs of neighbours are joined
          0  1: batch norm in the weights
          0  2: one operator
    """
    report, expected = _plan(model, example)
    if example:
        trial = _applied(copy.deepcopy(model), report)
        with no_grad(), fork_rng():
            _compare(_tensors(trial(*example)), expected)
    fused = _applied(model if inplace else copy.deepcopy(model), report)
    if show:
        print(report)
    return fused


# ---- which modules follow each other


class _Watched(Tensor):
    """A result that tells of every look at its values."""

    __slots__ = ()

    def __getattribute__(self, name: str) -> Any:
        if name == "_data":
            look = _looks.get(id(self))
            if look is not None:
                look()
        return object.__getattribute__(self, name)


_looks: dict[int, Callable[[], None]] = {}


class _Result:
    """One result of a layer: which modules looked at it, and whether anybody else did."""

    def __init__(self, first: Module, value: Tensor, running: list[Module]) -> None:
        self.first, self.running = first, running
        self.readers: list[Module] = []
        self.others = False
        self.value = weakref.ref(value)
        value.__class__ = _Watched
        self.key = id(value)
        _looks[self.key] = self.look

    def look(self) -> None:
        """Somebody reads the values."""
        if not self.running or type(self.running[-1]) not in (ReLU, *_NORMS):
            self.others = True
        elif self.running[-1] not in self.readers:
            self.readers.append(self.running[-1])

    def release(self) -> None:
        """Nobody need look any more: the tensor is a plain one again."""
        value = self.value()
        if value is not None and type(value) is _Watched:
            value.__class__ = Tensor  # type: ignore[assignment]
        if _looks.get(self.key) == self.look:  # else another tensor has its place by now
            del _looks[self.key]


def _watch(model: Module, example: tuple[Any, ...]) -> tuple[list[_Result], Any, dict[Module, int]]:
    """Run a model once: results of its layers, what it gave, and how often each module was called."""
    running: list[Module] = []
    results: list[_Result] = []
    calls: dict[Module, int] = {}
    handles = []

    def before(module: Module, _: Any) -> None:
        running.append(module)
        calls[module] = calls.get(module, 0) + 1

    def after(module: Module, args: Any, out: Any) -> None:
        running.pop()
        for result in results:  # in place: who reads it from now on reads the second's result
            if result.value() is out:
                result.release()
        if type(module) in pairs.FIRST and type(out) is Tensor:
            results.append(_Result(module, out, running))

    for module in model.modules():
        handles += [module.register_forward_pre_hook(before), module.register_forward_hook(after)]
    try:
        with no_grad(), fork_rng():
            out = model(*example)
        for result in results:
            if type(result.value()) is _Watched:
                result.others = True  # it is returned, or kept somewhere
        return results, out, calls
    finally:
        for handle in handles:
            handle.remove()
        for result in results:
            result.release()


def _tensors(value: Any) -> list[Any]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (tuple, list)):
        return [t for part in value for t in _tensors(part)]
    return [value] if isinstance(value, Tensor) else []


def _plan(model: Module, example: tuple[Any, ...]) -> tuple[Report, list[Any]]:
    """What can be joined, and the values the model gave for the example."""
    names = {module: name for name, module in model.named_modules()}
    expected: list[Any] = []
    found: dict[tuple[str, str], str]
    if example:
        twin = copy.deepcopy(model)
        twins = {module: name for name, module in twin.named_modules()}
        results, out, calls = _watch(twin, example)
        expected = [t.detach() for t in _tensors(out)]
        found = _followers(results, calls, twins)
    else:
        found = {(names[a], names[b]): "" for a, b in _neighbours(model)}
    rows: list[Join] = []
    into: dict[str, str] = {}  # a folded batch norm -> the layer that does its work
    shared = _shared(model)
    modules = dict(model.named_modules())
    for (first, second), reason in found.items():
        a, b = modules[first], modules[second]
        reason = reason or _obstacle(a, b, shared)
        what = "" if reason else "relu" if type(b) is ReLU else "fold"
        rows.append(Join(into.get(first, first), second, what, reason))
        if what == "fold":
            into[second] = into.get(first, first)
    return Report(rows), expected


def _followers(
    results: list[_Result], calls: dict[Module, int], names: dict[Module, str]
) -> dict[tuple[str, str], str]:
    """Pairs of names with the reason why they must stay two, "" if none."""
    met: dict[tuple[str, str], list[_Result]] = {}
    for result in results:
        for reader in result.readers:
            met.setdefault((names[result.first], names[reader]), []).append(result)
    found = {}
    for pair, own in met.items():
        reason = ""
        if any([r.others or len(r.readers) > 1 for r in own]):
            reason = "the value between them is read elsewhere, too"
        elif not len(own) == calls[own[0].first] == calls[own[0].readers[0]]:
            reason = (
                f"{pair[1]} is called {calls[own[0].readers[0]]} times, behind {pair[0]} {len(own)} times"
            )
        found[pair] = reason
    return found


def _neighbours(model: Module) -> Iterator[tuple[Module, Module]]:
    """Modules that follow each other in a Sequential, and stand nowhere else."""
    places: dict[Module, int] = {}
    for parent in model.modules():
        for child in parent._modules.values():
            places[child] = places.get(child, 0) + 1
    for parent in model.modules():
        if isinstance(parent, Sequential) and type(parent).forward is Sequential.forward:
            chain = list(parent)
            for a, b in itertools.pairwise(chain):
                if type(a) in pairs.FIRST and type(b) in (ReLU, *_NORMS) and places[a] == places[b] == 1:
                    yield a, b


def _shared(model: Module) -> set[int]:
    """The parameters that several modules have."""
    seen: set[int] = set()
    twice: set[int] = set()
    for module in model.modules():
        for p in module._parameters.values():
            (twice if id(p) in seen else seen).add(id(p))
    return twice - {id(None)}


def _obstacle(a: Any, b: Any, shared: set[int]) -> str:
    """Why two modules that follow each other must stay two; "" if they need not."""
    for module in (a, b):
        if pairs.hooked(module):
            return "one of them has hooks"
        if "forward" in module.__dict__:
            return "one of them has a forward of its own"
    if type(b) is ReLU:
        return ""
    if type(a) in _NORMS:
        return "a batch norm is not folded into another"
    if a.training or b.training:
        return "batch norms are folded in evaluation mode alone"
    if b.running_mean is None or b.running_var is None:
        return "it has no running statistics"
    if any([id(p) in shared for p in (*a._parameters.values(), *b._parameters.values())]):
        return "other modules have the same parameters"
    features = getattr(a, "out_channels", getattr(a, "out_features", None))
    return "" if features == b.num_features else "it has another number of features"


# ---- joining


def _applied(model: M, report: Report) -> M:
    """The model, with its modules joined as a report says."""
    modules: dict[str, Any] = dict(model.named_modules())
    for row in report.rows:
        if not row.what:
            continue
        first, second = modules[row.first], modules[row.second]
        if row.what == "fold":
            if hasattr(first, "out_features"):
                folded: Any = fuse_linear_bn_eval(first, second)
            else:
                folded = fuse_conv_bn_eval(first, second, first.transposed)
            first.weight, first.bias = folded.weight, folded.bias
        else:
            first.__class__ = WITH_RELU[type(first)]
        for parent in list(model.modules()):
            for name, child in parent._modules.items():
                if child is second:
                    parent._modules[name] = Identity().train(second.training)
    return model


def _compare(values: list[Any], expected: list[Any]) -> None:
    """Refuse values that differ by more than rounding.

    Raises:
        ConvgradError: they do.
    """
    for value, other in zip(values, expected, strict=True):
        a, b = value.detach().double(), other.double()
        limit = 1e-8 if other._data.dtype.itemsize >= 8 else 1e-3
        scale = max(1.0, float(b.abs().max())) if b.numel() else 1.0
        if a.shape != b.shape or (a.numel() and float((a - b).abs().max()) > limit * scale):
            raise ConvgradError(
                "fuse: the joined model gives other values for the example than the model itself, which "
                "stays as it is. Does a forward read the parameters of a layer that has been joined?"
            )


__all__ = ["Join", "Report", "fuse", "fusible"]
