"""Recurrent layers and cells as functions: what ``torch.lstm``, ``torch.gru_cell`` and the like compute.

Layers call one operator per layer and direction; between layers stands dropout, drawn from the same stream
and in the same order as PyTorch's.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from ...errors import ConvgradError, DtypeError, ShapeError
from ...ops.recurrent import Gru, Lstm, Rnn, Walk, plan_walk
from ...tensor.checks import scalar_name
from ...tensor.functions_shape import cat
from ...tensor.methods.operands import check_tensor
from ...tensor.tensor import Tensor, apply
from .dropout import dropout

States = tuple[Tensor, ...]


class Kind(NamedTuple):
    """One of the recurrent networks: its name, how many states it carries, how it runs one layer."""

    name: str
    states: int
    run: Any


def _lstm_layer(x: Tensor, states: States, weights: Sequence[Any], walk: Walk) -> States:
    w_ih, w_hh, b_ih, b_hh, w_hr = weights
    return apply(Lstm, (x, *states, w_ih, w_hh, b_ih, b_hh, w_hr), (walk,))


def _gru_layer(x: Tensor, states: States, weights: Sequence[Any], walk: Walk) -> States:
    return apply(Gru, (x, *states, *weights[:4]), (walk,))


def _tanh_layer(x: Tensor, states: States, weights: Sequence[Any], walk: Walk) -> States:
    return apply(Rnn, (x, *states, *weights[:4]), (False, walk))


def _relu_layer(x: Tensor, states: States, weights: Sequence[Any], walk: Walk) -> States:
    return apply(Rnn, (x, *states, *weights[:4]), (True, walk))


LSTM, GRU = Kind("lstm", 2, _lstm_layer), Kind("gru", 1, _gru_layer)
RNN_TANH, RNN_RELU = Kind("rnn_tanh", 1, _tanh_layer), Kind("rnn_relu", 1, _relu_layer)

#: plans of the walks met last: networks see the same lengths again and again
_walk = lru_cache(64)(plan_walk)


def run_layers(
    kind: Kind,
    x: Tensor,
    sizes: tuple[int, ...],
    hidden: Sequence[Tensor],
    weights: Sequence[Sequence[Any]],
    bidirectional: bool,
    p: float,
) -> tuple[Tensor, States]:
    """All layers, one after another, in one direction or in both.

    Args:
        kind: which network.
        x: ``(total, I)``: all rows of the first step, then of the second, and so on.
        sizes: how many rows each step has.
        hidden: each state at the start, ``(layers * directions, N, H)``.
        weights: (w_ih, w_hh, b_ih, b_hh, w_hr) of each layer and direction, None for what there is not.
        bidirectional: whether each layer runs in both directions.
        p: probability of zero of what goes from layer to layer.
    Returns:
        ``(total, directions * H)`` and the last states, each ``(layers * directions, N, H)``.
    """
    directions = 2 if bidirectional else 1
    last: list[States] = []
    for first in range(0, len(weights), directions):
        if first and p > 0:
            x = dropout(x, p)
        outs = []
        for k in range(directions):
            states = tuple([h[first + k] for h in hidden])
            out, *ends = kind.run(x, states, weights[first + k], _walk(sizes, k == 1))
            outs.append(out)
            last.append(tuple(ends))
        x = outs[0] if directions == 1 else cat(outs, 1)
    if len(last) == 1:
        return x, tuple([end.unsqueeze(0) for end in last[0]])
    return x, tuple([cat([end.unsqueeze(0) for end in ends]) for ends in zip(*last, strict=True)])


def grouped(name: str, params: Sequence[Any], biases: bool, each: int) -> list[list[Any]]:
    """A flat list of weights as (w_ih, w_hh, b_ih, b_hh, w_hr) of each layer and direction.

    Raises:
        ConvgradError: the number of weights is no multiple of that of one layer.
    """
    if each == 0 or len(params) % each:
        raise ConvgradError(
            f"{name}: ArrayRef size {len(params)} not divisible by stride {each}: weights of each layer and "
            "direction come together"
        )
    groups = []
    for i in range(0, len(params), each):
        one = list(params[i : i + each])
        if not biases:
            one[2:2] = [None, None]
        groups.append(one + [None] * (5 - len(one)))
    return groups


def check_dtypes(name: str, x: Tensor, others: Sequence[Any]) -> None:
    """All of one dtype.

    Raises:
        DtypeError: some are not.
    """
    kind = x._data.dtype
    for other in others:
        if other is not None and other._data.dtype is not kind and other._data.dtype != kind:
            raise DtypeError(
                f"{name}: mat1 and mat2 must have the same dtype, but got {scalar_name(x.dtype)} and "
                f"{scalar_name(other.dtype)}: input, states and weights are of one dtype"
            )


def run_padded(
    kind: Kind, x: Tensor, states: Sequence[Tensor], weights: Sequence[Sequence[Any]], bidirectional: bool,
    p: float, batch_first: bool,
) -> tuple[Tensor, States]:  # fmt: skip
    """``run_layers`` of ``(T, N, I)``, or ``(N, T, I)`` with ``batch_first``; the output has the same order.

    Raises:
        ConvgradError: no steps.
    """
    if batch_first:
        x = x.transpose(0, 1)
    steps, n, features = x._data.shape
    if not steps:
        raise ConvgradError("Expected sequence length to be larger than 0 in RNN")
    flat = x.reshape(steps * n, features)
    out, last = run_layers(kind, flat, (n,) * steps, states, weights, bidirectional, p)
    out = out.reshape(steps, n, out._data.shape[1])
    return out.transpose(0, 1) if batch_first else out, last


_SETTINGS = ("has_biases", "num_layers", "dropout", "train", "bidirectional")
_PADDED = ("hx", "params", *_SETTINGS, "batch_first")
_PACKED = ("batch_sizes", "hx", "params", *_SETTINGS)


def _call(kind: Kind, x: Tensor, args: tuple[Any, ...], more: dict[str, Any]) -> tuple[Tensor, ...]:
    """One of PyTorch's two forms: of padded sequences, or of packed ones and their batch sizes."""
    check_tensor(kind.name, x, "input")
    second = kind.states == 2 or (len(args) > 1 and isinstance(args[1], Tensor))
    packed = "batch_sizes" in more or (len(args) > 1 and isinstance(args[0], Tensor) and second)
    names = _PACKED if packed else _PADDED
    given = {**dict(zip(names, args, strict=False)), **more}
    if len(args) > len(names) or set(given) != set(names):
        raise TypeError(f"{kind.name}() takes input and {', '.join(names)}, but got {', '.join(given)}")
    states = list(given["hx"]) if kind.states == 2 else [given["hx"]]
    if len(states) != kind.states:
        raise ConvgradError(f"{kind.name} expects two hidden states, but got {len(states)}")
    params, biases, both = given["params"], bool(given["has_biases"]), bool(given["bidirectional"])
    count = given["num_layers"] * (2 if both else 1)
    each = len(params) // count if count and not len(params) % count else 4 if biases else 2
    groups = grouped(kind.name, params, biases, each)
    check_dtypes(kind.name, x, [*states, *params])
    p = given["dropout"] if given["train"] else 0.0
    if packed:
        sizes = tuple(given["batch_sizes"].tolist())
        out, last = run_layers(kind, x, sizes, states, groups, both, p)
    else:
        out, last = run_padded(kind, x, states, groups, both, p, bool(given["batch_first"]))
    return (out, *last)


def lstm(input: Tensor, *args: Any, **more: Any) -> tuple[Tensor, ...]:
    """Layers of long short-term memory over whole sequences, with their weights as arguments.

    Forms: ``lstm(input, (h0, c0), params, has_biases, num_layers, dropout, train, bidirectional,
    batch_first)``, input ``(T, N, I)``; and ``lstm(data, batch_sizes, (h0, c0), params, has_biases,
    num_layers, dropout, train, bidirectional)`` for packed sequences.

    Args:
        params: w_ih, w_hh, b_ih, b_hh (and w_hr) of each layer and direction, one after another.
    Returns:
        The output ``(T, N, directions * H)``, the last h and the last c ``(layers * directions, N, H)``.
    Raises:
        ConvgradError: other than two states, or a number of weights that makes no whole layers.
    Source: Hochreiter & Schmidhuber 1997, Neural Computation 9.
    """
    return _call(LSTM, input, args, more)


def gru(input: Tensor, *args: Any, **more: Any) -> tuple[Tensor, ...]:
    """Layers of gated recurrent units over whole sequences; forms as ``lstm``, with one state ``hx``.

    Source: Cho et al. 2014, arXiv:1406.1078.
    """
    return _call(GRU, input, args, more)


def rnn_tanh(input: Tensor, *args: Any, **more: Any) -> tuple[Tensor, ...]:
    """Layers of plain recurrence with tanh over whole sequences; forms as ``lstm``, with one state ``hx``.

    Source: Elman 1990, Cognitive Science 14.
    """
    return _call(RNN_TANH, input, args, more)


def rnn_relu(input: Tensor, *args: Any, **more: Any) -> tuple[Tensor, ...]:
    """Layers of plain recurrence with ReLU over whole sequences; forms as ``lstm``, with one state ``hx``."""
    return _call(RNN_RELU, input, args, more)


def _cell(
    kind: Kind, x: Tensor, states: States, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None,
    b_hh: Tensor | None,
) -> States:  # fmt: skip
    """One step: a sequence of one."""
    name = f"{kind.name}_cell"
    for value, what in ((x, "input"), (w_ih, "w_ih"), (w_hh, "w_hh")):
        check_tensor(name, value, what)
    if x._data.ndim != 2 or x._data.shape[1] != w_ih._data.shape[1]:
        raise ShapeError(
            f"input has inconsistent input_size: got {x._data.shape[-1]} expected {w_ih._data.shape[1]} "
            f"({name}: input {list(x.shape)}, w_ih {list(w_ih.shape)})"
        )
    for k, h in enumerate(states):
        check_tensor(name, h, "hx")
        if h._data.shape[0] != x._data.shape[0]:
            raise ShapeError(
                f"Input batch size {x._data.shape[0]} doesn't match hidden{k} batch size {h._data.shape[0]}"
            )
        if h._data.ndim != 2 or h._data.shape[1] != w_hh._data.shape[1]:
            raise ShapeError(
                f"hidden{k} has inconsistent hidden_size: got {h._data.shape[-1]}, expected "
                f"{w_hh._data.shape[1]}"
            )
    check_dtypes(name, x, [*states, w_ih, w_hh, b_ih, b_hh])
    sizes = (x._data.shape[0],)
    out, *last = kind.run(x, states, [w_ih, w_hh, b_ih, b_hh, None], _walk(sizes, False))
    return (out, *last[1:])


def lstm_cell(
    input: Tensor, hx: Any, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None, b_hh: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """One step of long short-term memory.

    Args:
        input: ``(N, I)``.
        hx: the pair ``(h, c)``, each ``(N, H)``.
        w_ih, w_hh: ``(4 H, I)`` and ``(4 H, H)``, gates in the order i, f, g, o.
        b_ih, b_hh: ``(4 H,)`` or None.
    Returns:
        The next ``(h, c)``.
    Raises:
        ShapeError: sizes that do not fit.
        ConvgradError: hx is no pair.
    """
    states = tuple(hx)
    if len(states) != 2:
        raise ConvgradError(f"lstm_cell expects two hidden states, but got {len(states)}")
    h, c = _cell(LSTM, input, states, w_ih, w_hh, b_ih, b_hh)
    return h, c


def gru_cell(
    input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """One step of gated recurrent units; ``lstm_cell`` with one state and three gates, r, z and n."""
    return _cell(GRU, input, (hx,), w_ih, w_hh, b_ih, b_hh)[0]


def rnn_tanh_cell(
    input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """``tanh(w_ih input + b_ih + w_hh hx + b_hh)``."""
    return _cell(RNN_TANH, input, (hx,), w_ih, w_hh, b_ih, b_hh)[0]


def rnn_relu_cell(
    input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """``max(0, w_ih input + b_ih + w_hh hx + b_hh)``."""
    return _cell(RNN_RELU, input, (hx,), w_ih, w_hh, b_ih, b_hh)[0]


__all__ = [
    "gru",
    "gru_cell",
    "lstm",
    "lstm_cell",
    "rnn_relu",
    "rnn_relu_cell",
    "rnn_tanh",
    "rnn_tanh_cell",
]
