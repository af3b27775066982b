"""How operators act on a whole batch at once: what is behind ``vmap``.

A batched tensor looks like one sample (its ``_data`` is the first sample of all, so that shapes, dims
and error messages are a sample's) and its node, a ``BatchNode``, holds the tensor of all samples, batch
first. ``apply`` hands every call on one to ``BatchNode.run``: the operator runs once on all samples, as
its class declares (``Op.batch``) or a rule says (``rules.py``); what has neither runs sample by sample
and is counted. What is called here are ordinary recorded operations on the tensor of all samples, so
that gradients, tangents and outer batches pass through, and changes in place reach views and bases.
"""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from .. import dtypes
from ..dtypes import Array
from ..errors import ConvgradError
from ..graph.grad_mode import DUAL, MODE
from ..graph.traced import Traced
from ..ops import shape
from ..ops.op import Op
from ..tensor import dual
from ..tensor.dual import TransformNode
from ..tensor.methods.operands import common_dtype
from ..tensor.tensor import Tensor, apply, from_traced, to_traced
from .rules import RULES
from .whole import (
    Whole,
    aligned,
    expanded,
    ndim_of,
    planned,
    sample_of,
    sample_param,
    shape_of,
    squeezed,
    unfolded,
    unsqueezed,
    unsqueezed_param,
)

#: operators that ran sample by sample, and how often
FALLBACKS: Counter[str] = Counter()


RANDOM = (
    "vmap: called random operation while in randomness error mode. Please either use the 'same' or "
    "'different' "
    "randomness flags on vmap or perform the randomness operation out of vmap"
)


class Level:
    """One running ``vmap``: its size, its depth, how it draws, and the arrays that stand for batches."""

    def __init__(
        self, size: int, stack: list[Level], randomness: str = "error", private: bool = False
    ) -> None:
        self.size = size
        #: the levels open in this thread, outermost first, and the place among them, from 1 on
        self.stack = stack
        self.depth = len(stack) + 1
        self.randomness = randomness
        self.private = private
        #: id of a sample's array -> (weakly, that array, and the node of what it stands for)
        self.samples: dict[int, tuple[weakref.ref[Array], BatchNode]] = {}

    def find(self, array: Any) -> BatchNode | None:
        """What an array, a sample or a view of one, stands for at this level."""
        entry = self.samples.get(id(array))
        if entry is not None and entry[0]() is array:
            return entry[1]
        base = getattr(array, "base", None)
        entry = None if base is None else self.samples.get(id(base))
        if entry is None or entry[0]() is not base:
            return None
        return entry[1].viewed(array)

    @contextmanager
    def suspended(self) -> Iterator[None]:
        """The block runs as if this level and those within it were not there: draws are ordinary ones."""
        kept = self.stack[self.depth - 1 :]
        del self.stack[self.depth - 1 :]
        try:
            yield
        finally:
            self.stack.extend(kept)

    def remember(self, sample: Array, node: BatchNode) -> None:
        """Let an array stand for a batch as long as it lives."""
        key, samples = id(sample), self.samples
        samples[key] = (weakref.ref(sample, lambda _: samples.pop(key, None)), node)


class BatchNode(TransformNode):
    """The place of a batched tensor: the tensor of all samples, batch first."""

    __slots__ = ("level", "value")

    def __init__(self, level: Level, value: Tensor, sample: Array) -> None:
        super().__init__(value._node, sample.shape, sample.dtype)
        self.level = level
        self.value = value
        level.remember(sample, self)

    @property
    def rank(self) -> int:  # type: ignore[override]
        """Inner batches before outer ones, and all of them before tangents."""
        return 2 + self.level.depth

    @property
    def primal(self) -> Any:
        """The node of the tensor of all samples, as it is now."""
        node: Any = self.value._node
        return node.primal if isinstance(node, TransformNode) else node

    def viewed(self, view: Array) -> BatchNode:
        """The node of a NumPy view of this node's sample: the same view of every sample."""
        return BatchNode(self.level, self._every(view), view)

    def _every(self, view: Array) -> Tensor:
        whole = self.value
        data = as_strided(view, (self.level.size, *view.shape), (whole._data.strides[0], *view.strides))
        outer = whole._node
        if isinstance(outer, BatchNode):
            every: Tensor = batched(outer._every(data), outer.level)
            return every
        return Tensor(data, None)

    def each(self, name: str, function: Any, args: tuple[Any, ...]) -> Any:
        """A function that computes with values, sample by sample; counted."""
        return Batched.__dict__["each"](name, function, args, {})

    def spread(self, tensor: Tensor) -> Any:
        """A copy of a tensor for each sample."""
        size = self.level.size
        whole = Tensor(np.repeat(tensor._data[None], size, 0), None)
        outer = self.value._node
        return batched(outer.spread(whole) if isinstance(outer, BatchNode) else whole, self.level)

    def forgotten(self) -> Traced:
        """The batched value with the tangents of its samples but without their place in the reverse graph."""
        every = from_traced(dual.forget_history(to_traced(self.value)))
        return to_traced(batched(every, self.level))

    def draw(self, function: Any, probabilities: Tensor, generator: Any) -> Any:
        """Numbers drawn with a batch of probabilities, each sample's own."""
        how = self.level.randomness
        if how == "same":
            raise ConvgradError(
                "vmap: Vmap does not currently support same randomness with a batched tensor input. "
                "Please use "
                "different randomness."
            )
        if how == "error":
            raise ConvgradError(RANDOM)
        with self.level.suspended():
            return batched(function(self.value, generator=generator), self.level)

    def dress(self, tensor: Any) -> Any:
        """Let a tensor on this node's sample stand for the batch."""
        tensor._node = self
        if type(tensor) is Tensor:
            tensor.__class__ = Batched.kind
        return tensor

    def compare(self, ufunc: Any, first: Any, second: Any) -> Any:
        """A comparison of all samples, promoted by the dtypes and ranks of one."""
        level = self.level
        common = common_dtype(first, second)
        a, b = batch_value(first, level), batch_value(second, level)
        ndim = max(ndim_of(a), ndim_of(b))
        left, right = [
            v if isinstance(v, Tensor) else Tensor(np.asarray(v), None)
            for v in (aligned(a, ndim), aligned(b, ndim))
        ]
        return batched(left.to(common)._compare(ufunc, right.to(common)), level)

    def refuse_write(self, target: Any, name: str) -> None:
        """Refuse to write what differs between samples into what does not.

        Raises:
            ConvgradError: always.
        """
        shape = list(target._data.shape)
        raise ConvgradError(
            f"vmap: {name}: output with shape {shape} doesn't match the broadcast shape "
            f"{[self.level.size, *shape]}: in-place arithmetic on a tensor that all samples share, "
            "with one that "
            "they do not, is not possible. Use the out-of-place form, or new_zeros() of a batched tensor."
        )

    def run(self, op: type[Op], inputs: tuple[Any, ...], params: tuple[Any, ...]) -> Any:
        """One call of ``op`` for all samples."""
        level = self.level
        values = [batch_value(x, level) for x in inputs]
        mode = MODE.get()
        if (
            not mode & DUAL
        ):  # in the engine's walk; outer batches and tangents are to be followed all the same
            MODE.set(mode | DUAL)
        try:
            out = run_batched(op, values, tuple([batch_param(p, level) for p in params]), level.size)
        finally:
            MODE.set(mode)
        return tuple([batched(o, level) for o in out]) if type(out) is tuple else batched(out, level)

    def call_function(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A user's ``Function``: as its ``vmap`` says, or sample by sample."""
        return Batched.__dict__["call"](function, self.level, [_own_or(a, self.level) for a in args], kwargs)

    def differentiate(self, grad: Any, tensors: Sequence[Sequence[Any]], options: dict[str, Any]) -> Any:
        """The gradient of the tensor of all samples holds each sample's: they do not touch each other."""
        level = self.level
        outputs, inputs, cotangents = tensors
        given = [
            c if c is not None else Tensor(np.ones_like(o._data), None) for o, c in zip(outputs, cotangents)
        ]
        wholes = [[expanded(batch_value(t, level), level.size) for t in outputs]]
        wholes.append([_own(batch_value(t, level)) for t in inputs])
        wholes.append([expanded(batch_value(t, level), level.size) for t in given])
        shared = [not isinstance(t._node, BatchNode) for t in inputs]
        if any(shared):
            raise NotImplementedError(
                "vmap: autograd.grad inside of vmap needs inputs that are batched: differentiate "
                "with func.grad"
            )
        found = grad(*wholes, **options)
        return tuple([None if g is None else batched(g, level) for g in found])


def _own_or(arg: Any, level: Level) -> Any:
    """An argument of a ``Function``: a ``Whole``, or what it was."""
    value = batch_value(arg, level) if isinstance(arg, Tensor) else arg
    return value if type(value) is Whole else arg


def _own(value: Any) -> Any:
    return value.tensor if type(value) is Whole else value


def batch_value(handle: Any, level: Level) -> Any:
    """An input as a rule sees it: a ``Whole``, a Tensor, or a constant."""
    if isinstance(handle, Traced):
        handle = from_traced(handle)
    if not isinstance(handle, Tensor):
        found = level.find(handle) if type(handle) is np.ndarray else None
        if found is None:
            return Tensor(handle, None) if type(handle) is np.ndarray else handle
        return Whole(found.value)
    node = handle._node
    if node is None:
        node = level.find(handle._data)
    if not isinstance(node, BatchNode) or node.level is not level:
        return handle
    value, dtype = node.value, handle._data.dtype
    return Whole(value if value._data.dtype == dtype else value.to(dtypes.from_numpy(dtype)))


def batch_param(value: Any, level: Level) -> Any:
    """A parameter as a rule sees it: arrays that stand for a batch as ``Whole``."""
    if type(value) is tuple or type(value) is list:
        return type(value)([batch_param(v, level) for v in value])
    found = level.find(value) if type(value) is np.ndarray else None
    return value if found is None else Whole(found.value)


class _Row(np.ndarray):
    """A base of another class, so that NumPy names the sample, not its owner, as the base of views."""


def batched(whole: Tensor, level: Level) -> Any:
    """A tensor that looks like one sample of ``whole`` and stands for all."""
    data = whole._data
    sample = np.asarray(data[0, ...].view(_Row)) if data.shape[0] else np.zeros(data.shape[1:], data.dtype)
    out = Batched.kind(sample, None)
    out._node = BatchNode(level, whole, sample)
    return out


class Batched:
    """Which class batched tensors have: ``batched.py`` says it, standing above this module."""

    kind: Any = Tensor
    #: how a user's Function is called on batches (``custom.py``)
    call: Any = None
    #: how a function of tensors runs sample by sample (``batched.py``)
    each: Any = None


def run_batched(op: type[Op], values: list[Any], params: tuple[Any, ...], size: int) -> Any:
    """One call of ``op`` on all samples, by its rule or sample by sample."""
    for kind in op.__mro__:
        rule = RULES.get(f"{kind.__module__.rpartition('.')[2]}.{kind.__name__}")
        if rule is not None:
            out = rule(op, values, params, size)
            if out is not NotImplemented:
                return out
            break
        if "batch" in kind.__dict__:
            break
    if not op.variadic:
        out = declared(op, values, params, size)
        if out is not NotImplemented:
            return out
    return _one_by_one(op, values, params, size)


def declared(op: type[Op], values: list[Any], params: tuple[Any, ...], size: int) -> Any:
    """One call of ``op`` on all samples, as ``op.batch`` says."""
    flat = type(op.batch) is dict and "axis" in op.batch.values() and not any(map(shape_of, values))
    if flat:  # the one dimension that samples of no dimension have for this purpose
        values = [Whole(unsqueezed(expanded(v, size))) for v in values]
        params = tuple(
            [unsqueezed_param(p, op.batch.get(n)) for n, p in zip(op.params, params, strict=False)]
        )
    plan = planned(op, values, params, size)
    if plan is None:
        return NotImplemented
    out = apply(op, plan.inputs, plan.params)
    if flat:
        return squeezed(out, size)
    return unfolded(out, size) if op.batch == "fold" else out


def _one_by_one(op: type[Op], values: list[Any], params: tuple[Any, ...], size: int) -> Any:
    FALLBACKS[op.__name__] += 1
    rows = [
        apply(op, tuple([sample_of(v, i) for v in values]), tuple([sample_param(p, i) for p in params]))
        for i in range(size)
    ]
    return joined(rows)


def joined(rows: Sequence[Any]) -> Any:
    """Samples' results as the result for all; tuples of results piece by piece."""
    if isinstance(rows[0], tuple):
        return tuple([joined(column) for column in zip(*rows, strict=True)])
    return apply(shape.Stack, tuple(rows), (0,))


__all__ = [
    "FALLBACKS", "BatchNode", "Batched", "Level", "aligned", "batch_param", "batch_value", "batched",
    "joined", "run_batched",
]  # fmt: skip
