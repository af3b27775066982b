"""Neighbours in a chain of modules that are computed as one: a layer and the relu behind it.

A pair is joined only where nobody can tell: both modules are of the very classes of this library and behave
as these say, nobody has hooks on them, and nothing watches single operators. All of this is asked at each
call, for a fraction of a microsecond per pair. A plan that is kept would have to be told of every module,
hook, class and mode that changes; this one cannot be out of date.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from ...dtypes import F32, F64
from ...graph import watch
from ...graph.grad_mode import DUAL, MODE, WATCH
from ...ops.fused import AffineRelu
from ...tensor.tensor import Tensor, apply
from ..functional.conv import convolve, convolve_transposed, convolve_with_border
from ..functional.linear import plain_linear
from ..functional.norm import normalise_batch
from ..fused import BATCH_RELU, RELU, TRANSPOSED_RELU
from ..hooks import ACTIVE
from ..module import Module
from ..parameter import Parameter
from .activation import ReLU
from .batchnorm import BatchNorm1d, BatchNorm2d, BatchNorm3d
from .conv import Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from .linear import Linear

#: parameters of other classes may have a ``__torch_function__``, which is to see each function
_TENSORS = (Parameter, Tensor, type(None))


def _convolution(module: Any, input: Any) -> Any:
    """``relu`` of what ``Conv1d`` and its kin give."""
    own = module._parameters
    name, ndim = f"conv{module.ndim}d", module.ndim
    weight, bias, stride, dilation, groups = (
        own["weight"], own["bias"], module.stride, module.dilation, module.groups,
    )  # fmt: skip
    if module.padding_mode == "zeros":
        return convolve(name, ndim, input, weight, bias, stride, module.padding, dilation, groups, RELU)
    widths = module._reversed_padding_repeated_twice
    if min(widths) < 0:  # they cut the input
        return convolve(name, ndim, module._padded(input), weight, bias, stride, 0, dilation, groups, RELU)
    return convolve_with_border(
        ndim, input, weight, bias, stride, widths, dilation, groups, module.padding_mode, RELU
    )


def _transposed(module: Any, input: Any) -> Any:
    """``relu`` of what ``ConvTranspose1d`` and its kin give."""
    own = module._parameters
    given = module.stride, module.padding, module.output_padding, module.groups, module.dilation
    name = f"conv_transpose{module.ndim}d"
    return convolve_transposed(name, module.ndim, input, own["weight"], own["bias"], *given, TRANSPOSED_RELU)


def _linear(module: Any, input: Any) -> Any:
    """``relu`` of what ``Linear`` gives."""
    own = module._parameters
    weight, bias = own["weight"], own["bias"]
    out = plain_linear(input, weight, bias, AffineRelu, "relu")
    if out is not None:
        return out
    x, w = input._data.shape, weight._data.shape
    if len(w) != 2 or not x or x[-1] != w[1] or (bias is not None and bias._data.shape != w[:1]):
        return module.forward(input).relu()  # which says what is wrong
    return apply(AffineRelu, (bias, input, weight))


def _batch_norm(module: Any, input: Any) -> Any:
    """``relu`` of what ``BatchNorm1d`` and its kin give."""
    if not module.training:
        out = module._evaluated(input, "relu")
        if out is not None:
            return out
    mean, var, weight, bias, training, momentum, eps = module._settings(input)
    return normalise_batch(input, mean, var, weight, bias, training, momentum, eps, BATCH_RELU, (None,))


class First(NamedTuple):
    """A class that may be the first of a pair: how both are computed, and what its own behaviour is."""

    joined: Callable[[Any, Any], Any]
    forward: Any
    call: Any
    #: methods that an instance may have of its own
    methods: tuple[str, ...]


def _first(kind: type[Module], joined: Callable[[Any, Any], Any], *methods: str) -> First:
    return First(joined, kind.forward, kind.__call__, ("forward", *methods))


#: the classes that pairs begin with
FIRST: dict[type, First] = {
    **{kind: _first(kind, _convolution, "_conv_forward", "_padded") for kind in (Conv1d, Conv2d, Conv3d)},
    **{
        kind: _first(kind, _transposed, "_output_padding")
        for kind in (ConvTranspose1d, ConvTranspose2d, ConvTranspose3d)
    },
    **{
        kind: _first(kind, _batch_norm, "_settings", "_evaluated", "_check_input_dim")
        for kind in (BatchNorm1d, BatchNorm2d, BatchNorm3d)
    },
    Linear: _first(Linear, _linear),
}  # fmt: skip
_SECOND = _first(ReLU, lambda module, input: module(input))


def hooked(module: Any) -> bool:
    """Whether anybody has hooks on a module."""
    hooks = module.__dict__.get("_hooks")
    return hooks is not None and bool(hooks.before or hooks.after or hooks.backward or hooks.backward_before)


def as_defined(module: Any, kind: type, first: First) -> bool:
    """Whether a module does what its class does, this class what it did at first, and nobody looks on."""
    if kind.forward is not first.forward or kind.__call__ is not first.call:  # type: ignore[attr-defined]
        return False
    own = module.__dict__
    for name in first.methods:
        if name in own:
            return False
    return not hooked(module)


def joinable(module: Any, first: First, input: Any) -> bool:
    """Whether ``first.joined(module, input)`` may stand for ``relu(module(input))`` in this call."""
    if type(input) is not Tensor or ACTIVE:
        return False
    mode = MODE.get()
    if mode & (DUAL | WATCH) and (mode & DUAL or not watch.whole()):
        return False
    dtype = input._data.dtype
    if dtype is not F32 and dtype is not F64:
        return False
    own = module._parameters
    if "weight" not in own or "bias" not in own:
        return False
    for value in own.values():
        if type(value) not in _TENSORS or (value is not None and value._data.dtype is not dtype):
            return False
    return True


def run(modules: Iterable[Any], input: Any) -> Any:
    """The value after the last of some modules, each called with the result of the one before."""
    chain = tuple(modules)
    place, end = 0, len(chain)
    while place < end:
        module = chain[place]
        place += 1
        kind = type(module)
        first = FIRST.get(kind)
        if (
            first is not None
            and place < end
            and type(chain[place]) is ReLU
            and joinable(module, first, input)
            and as_defined(module, kind, first)
            and as_defined(chain[place], ReLU, _SECOND)
        ):
            input = first.joined(module, input)
            place += 1
        else:
            input = module(input)
    return input


__all__ = ["FIRST", "First", "as_defined", "hooked", "joinable", "run"]
