"""Recurrent layers, cells and packed sequences against PyTorch 2.13."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import convgrad
from convgrad.nn.utils import rnn as ours
from convgrad.tensor.tensor import Tensor

from .layers_support import both, close, compare, flat, floats, make, same_error, seed

# what PyTorch itself says while it runs
pytestmark = [
    pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN"),
    pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated"),
]

Build = Callable[[Any], Any]
LAYERS: list[Build] = [
    lambda n: n.RNN(3, 4),
    lambda n: n.RNN(3, 4, 2, "relu"),
    lambda n: n.RNN(3, 4, 2, nonlinearity="relu", bias=False, bidirectional=True),
    lambda n: n.RNN(3, 4, 3, "tanh", True, True, 0.5, True),
    lambda n: n.LSTM(3, 4),
    lambda n: n.LSTM(3, 4, 2, batch_first=True),
    lambda n: n.LSTM(3, 4, 2, False, bidirectional=True),
    lambda n: n.LSTM(3, 4, 3, dropout=0.3),
    lambda n: n.LSTM(3, 4, 2, True, True, 0.4, True),
    lambda n: n.LSTM(3, 4, proj_size=2),
    lambda n: n.LSTM(3, 4, 2, bidirectional=True, proj_size=3, bias=False, dropout=0.2),
    lambda n: n.LSTM(1, 1),
    lambda n: n.GRU(3, 4),
    lambda n: n.GRU(3, 4, 2, bidirectional=True, batch_first=True, dropout=0.6),
    lambda n: n.GRU(3, 4, 2, bias=False),
    lambda n: n.GRU(3, 5, 1, bidirectional=True),
]
IDS = [f"{k}-{build(torch.nn)}" for k, build in enumerate(LAYERS)]


def hidden(module: Any, n: int, *states: Any) -> Any:
    """The states given, as the module takes them."""
    return states[:2] if hasattr(module, "get_expected_cell_size") else states[0]


def states_of(build: Build, n: int) -> list[Any]:
    """Starting states for n sequences."""
    m = build(torch.nn)
    layers = m.num_layers * (2 if m.bidirectional else 1)
    return [
        floats(layers, n, m.proj_size or m.hidden_size, start=1), floats(layers, n, m.hidden_size, start=2)
    ]  # fmt: skip


@pytest.mark.filterwarnings("ignore:dropout option adds dropout")
@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["f64", "f32"])
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("build", LAYERS, ids=IDS)
def test_layers(build: Build, training: bool, dtype: Any) -> None:
    """Starting values, outputs, last states, gradients of input, states and weights; the same dropout."""
    size = build(torch.nn).input_size
    compare(build, [floats(5, 2, size)], lambda _, m, x: m(x), training=training, dtype=dtype)
    n = 5 if build(torch.nn).batch_first else 2
    compare(
        build, [floats(5, 2, size), *states_of(build, n)],
        lambda _, m, x, h, c: m(x, hidden(m, n, h, c)), training=training, dtype=dtype,
    )  # fmt: skip


@pytest.mark.parametrize("build", LAYERS, ids=IDS)
def test_unbatched(build: Build) -> None:
    size = build(torch.nn).input_size
    compare(build, [floats(4, size)], lambda _, m, x: m(x))
    one = [s[:, 0] for s in states_of(build, 1)]
    compare(build, [floats(4, size), *one], lambda _, m, x, h, c: m(x, hidden(m, 1, h, c)))


LENGTHS = [[5, 3, 3, 1], [2, 5, 1, 4], [3], [1, 1]]


@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
@pytest.mark.parametrize("build", LAYERS, ids=IDS)
def test_packed(build: Build, lengths: list[int]) -> None:
    """Packed sequences, sorted and not, with and without starting states; dropout in the same order."""
    size, n = build(torch.nn).input_size, len(lengths)

    def call(library: Any, m: Any, x: Any, h: Any, c: Any) -> Any:
        rnn = library.nn.utils.rnn
        packed = rnn.pack_padded_sequence(x, lengths, m.batch_first, enforce_sorted=False)
        out, last = m(packed, hidden(m, n, h, c))
        again, _ = m(packed)
        padded, sizes = rnn.pad_packed_sequence(out, batch_first=m.batch_first, total_length=6)
        assert sizes.tolist() == lengths
        return out.data, last, again.data, padded

    shape = (n, 5, size) if build(torch.nn).batch_first else (5, n, size)
    compare(build, [floats(*shape), *states_of(build, n)], call)


@pytest.mark.parametrize("kind", ["RNNCell", "LSTMCell", "GRUCell"])
@pytest.mark.parametrize("bias", [True, False])
def test_cells(kind: str, bias: bool) -> None:
    def step(_: Any, m: Any, x: Any, h: Any, c: Any) -> Any:
        return m(x, (h, c) if kind == "LSTMCell" else h), m(x)

    for shape in ((2,), ()):
        compare(
            lambda n: getattr(n, kind)(3, 4, bias),
            [floats(*shape, 3), floats(*shape, 4), floats(*shape, 4)],
            step,
        )
    if kind == "RNNCell":
        compare(lambda n: n.RNNCell(3, 4, bias, "relu"), [floats(2, 3)], lambda _, m, x: m(x))


FUNCTIONS = [("lstm", 4), ("gru", 3), ("rnn_tanh", 1), ("rnn_relu", 1)]


@pytest.mark.parametrize(("name", "gates"), FUNCTIONS)
def test_functions_of_the_top_namespace(name: str, gates: int) -> None:
    """Padded and packed forms, and the cells, with weights as arguments."""
    weights = [floats(gates * 4, k, start=k) for k in (3, 4)] + [floats(gates * 4, start=k) for k in (7, 8)]
    arrays = [floats(5, 2, 3), floats(1, 2, 4, start=5), floats(1, 2, 4, start=6), *weights]

    def padded(t: Any, x: Any, h: Any, c: Any, *w: Any) -> Any:
        hx = (h, c) if name == "lstm" else h
        return getattr(t, name)(x, hx, list(w), True, 1, 0.0, True, False, False)

    def packed(t: Any, x: Any, h: Any, c: Any, *w: Any) -> Any:
        data, sizes = x.reshape(10, 3)[:7], t.tensor([2, 2, 2, 1])
        hx = (h, c) if name == "lstm" else h
        return getattr(t, name)(data, sizes, hx, list(w), True, 1, 0.0, True, False)

    def cell(t: Any, x: Any, h: Any, c: Any, *w: Any) -> Any:
        hx = (h[0], c[0]) if name == "lstm" else h[0]
        return getattr(t, f"{name}_cell")(x[0], hx, *w)

    for call in (padded, packed, cell):
        pairs = [both(a, True) for a in arrays]
        outs = [list(flat(call(t, *[p[k] for p in pairs]))) for k, t in enumerate((convgrad, torch))]
        for x, y in zip(*outs, strict=True):
            close(x, y)
        sum((x * x).sum() for x in outs[0]).backward()
        sum((y * y).sum() for y in outs[1]).backward()
        for p, q in pairs:
            if q.grad is not None:
                close(p.grad, q.grad, 10)


@pytest.mark.parametrize("build", LAYERS, ids=IDS)
def test_second_derivatives(build: Build) -> None:
    """The gradient of a gradient's norm, by input, states and weights."""
    size = build(torch.nn).input_size

    def call(t: Any, m: Any, x: Any, h: Any, c: Any) -> Any:
        m.eval()
        out, last = m(x, hidden(m, 3, h, c))
        loss = (out**3).sum() + sum((s**2).sum() for s in flat(last))
        grads = t.autograd.grad(loss, [x, h, *m.parameters()], create_graph=True)
        return sum((g**2).sum() for g in grads)

    n = 3 if build(torch.nn).batch_first else 2
    compare(build, [floats(3, 2, size), *states_of(build, n)], call, scale=1e4)


@pytest.mark.parametrize("name", ["LSTM", "GRU", "RNN"])
def test_forward_mode_agrees_with_reverse(name: str) -> None:
    """A tangent along weights, input and states against PyTorch's."""
    modules = make(lambda n: getattr(n, name)(3, 4, 2, bidirectional=True))
    pairs = [both(floats(4, 2, 3)), both(floats(4, 2, 4, start=1)), both(floats(4, 2, 4, start=2))]
    tangents = [both(floats(*p[0].shape, start=9 + k)) for k, p in enumerate(pairs)]
    results = []
    for k, t in enumerate((convgrad, torch)):
        module = modules[k]
        params = {key: p.detach() for key, p in module.named_parameters()}
        moved = {key: both(floats(*p.shape, start=20))[k] for key, p in params.items()}

        def f(params: Any, x: Any, h: Any, c: Any, module: Any = module, t: Any = t, name: str = name) -> Any:
            args = (x, (h, c) if name == "LSTM" else h)
            return t.func.functional_call(module, params, args)

        primals, along = [p[k] for p in pairs], [d[k] for d in tangents]
        results.append(t.func.jvp(f, (params, *primals), (moved, *along)))
    for x, y in zip(flat(results[0]), flat(results[1]), strict=True):
        close(x, y, 10)


def test_same_dropout_as_pytorch_in_long_training() -> None:
    """Several calls in turn stay on one stream of random numbers."""
    a, b = make(lambda n: n.LSTM(6, 8, 3, dropout=0.5))
    x, y = both(floats(7, 4, 6))
    seed(0)
    for _ in range(3):
        close(a(x)[0], b(y)[0])
    assert convgrad.rand(3).tolist() == torch.rand(3).tolist()


ERRORS: list[Callable[[Any], Any]] = [
    lambda t: t.nn.LSTM(3, 4)(t.zeros(3)),
    lambda t: t.nn.GRU(3, 4)(t.zeros(1, 1, 1, 3)),
    lambda t: t.nn.LSTM(3, 4)(t.zeros(2, 1, 4)),
    lambda t: t.nn.LSTM(3, 4)(t.zeros(2, 1, 3), (t.zeros(1, 4), t.zeros(1, 4))),
    lambda t: t.nn.LSTM(3, 4)(t.zeros(2, 3), (t.zeros(1, 1, 4), t.zeros(1, 1, 4))),
    lambda t: t.nn.GRU(3, 4)(t.zeros(2, 1, 3), t.zeros(1, 4)),
    lambda t: t.nn.RNN(3, 4)(t.zeros(2, 3), t.zeros(1, 1, 4)),
    lambda t: t.nn.LSTM(3, 4)(t.zeros(2, 1, 3), (t.zeros(1, 2, 4), t.zeros(1, 1, 4))),
    lambda t: t.nn.LSTM(3, 4)(t.zeros(2, 1, 3), (t.zeros(1, 1, 4), t.zeros(1, 2, 4))),
    lambda t: t.nn.GRU(3, 4, 2)(t.zeros(2, 1, 3), t.zeros(1, 1, 4)),
    lambda t: t.nn.LSTM(3, 4)(t.zeros(2, 1, 3, dtype=t.float64)),
    lambda t: t.nn.LSTM(3, 4)(t.zeros(0, 1, 3)),
    lambda t: t.nn.RNNBase("X", 3, 4),
    lambda t: t.nn.RNN(3, 4, nonlinearity="x"),
    lambda t: t.nn.LSTM(3, 4, dropout=2),
    lambda t: t.nn.LSTM(3, 4, dropout=True),
    lambda t: t.nn.LSTM(3, 4, proj_size=4),
    lambda t: t.nn.LSTM(3, 4, proj_size=-1),
    lambda t: t.nn.GRU(3, 4, proj_size=2),
    lambda t: t.nn.RNN(3, 4, proj_size=2),
    lambda t: t.nn.LSTM(3, 0),
    lambda t: t.nn.LSTM(0, 3),
    lambda t: t.nn.LSTM(3, 4, 0),
    lambda t: t.nn.LSTM(3, 4.0),
    lambda t: t.nn.LSTM("3", 4),
    lambda t: t.nn.LSTMCell(3, 4)(t.zeros(1, 1, 3)),
    lambda t: t.nn.LSTMCell(3, 4)(t.zeros(1, 4)),
    lambda t: t.nn.LSTMCell(3, 4)(t.zeros(1, 3), (t.zeros(2, 4), t.zeros(2, 4))),
    lambda t: t.nn.LSTMCell(3, 4)(t.zeros(1, 3), (t.zeros(1, 5), t.zeros(1, 5))),
    lambda t: t.nn.GRUCell(3, 4)(t.zeros(1, 3), t.zeros(1, 1, 4)),
    lambda t: t.nn.RNNCell(3, 4)(t.zeros(1, 1, 3)),
    lambda t: t.nn.RNNCell(3, 4, nonlinearity="q")(t.zeros(1, 3)),
    lambda t: t.nn.utils.rnn.pack_padded_sequence(t.zeros(3, 2, 1), [2, 3]),
    lambda t: t.nn.utils.rnn.pack_padded_sequence(t.zeros(3, 2, 1), [3]),
    lambda t: t.nn.utils.rnn.pack_padded_sequence(t.zeros(3, 2, 1), [3, 0]),
    lambda t: t.nn.utils.rnn.pack_padded_sequence(t.zeros(3, 0, 1), []),
    lambda t: t.nn.utils.rnn.pad_packed_sequence(
        t.nn.utils.rnn.pack_padded_sequence(t.zeros(3, 2, 1), [3, 1]), total_length=2
    ),
    lambda t: t.nn.utils.rnn.pad_sequence([t.zeros(2), t.zeros(3)], padding_side="x"),
    lambda t: t.nn.utils.rnn.pad_sequence([]),
    lambda t: t.nn.utils.rnn.pad_sequence([[1, 2]]),
    lambda t: t.nn.utils.rnn.pack_sequence([t.zeros(1), t.zeros(2)]),
    lambda t: t.nn.utils.rnn.PackedSequence(t.zeros(3)),
]


@pytest.mark.parametrize("call", ERRORS, ids=range(len(ERRORS)))
def test_errors(call: Callable[[Any], Any]) -> None:
    same_error(call)


def test_a_dropout_that_does_nothing_warns() -> None:
    for t in (convgrad, torch):
        with pytest.warns(UserWarning, match="non-zero dropout expects num_layers greater than 1, but got"):
            t.nn.GRU(3, 4, dropout=0.5)


def test_states_travel() -> None:
    """Weights under PyTorch's names, in its order; copies and pickles keep them."""
    a, b = make(lambda n: n.LSTM(3, 4, 2, bidirectional=True, proj_size=2))
    assert a._flat_weights_names == b._flat_weights_names
    shapes = [[tuple(w.shape) for w in ws] for ws in b.all_weights]
    assert [[tuple(w.shape) for w in ws] for ws in a.all_weights] == shapes
    assert a.flatten_parameters() is None
    x = both(floats(3, 2, 3))[0]
    for twin in (copy.deepcopy(a), pickle.loads(pickle.dumps(a))):
        np.testing.assert_array_equal(twin(x)[0].detach().numpy(), a(x)[0].detach().numpy())
    half = copy.deepcopy(a).half()
    assert half(x.half())[0].dtype is convgrad.float16


# --- packing ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(5, 3), (5, 3, 2), (5, 3, 2, 2)], ids=str)
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("lengths", [[5, 4, 1], [2, 5, 2]], ids=str)
def test_packing_and_unpacking(shape: tuple[int, ...], batch_first: bool, lengths: list[int]) -> None:
    a, b = both(floats(*shape), True)
    outs = []
    for x, rnn in ((a, ours), (b, torch.nn.utils.rnn)):
        x = x.transpose(0, 1) if batch_first else x
        packed = rnn.pack_padded_sequence(x, lengths, batch_first, enforce_sorted=False)
        back, sizes = rnn.pad_packed_sequence(packed, batch_first, -2.5, 7)
        outs.append([*packed, back, sizes])
    for x, y in zip(*outs, strict=True):
        close(x, y)
    (outs[0][0].exp().sum() + outs[0][4].sin().sum()).backward()
    (outs[1][0].exp().sum() + outs[1][4].sin().sum()).backward()
    close(a.grad, b.grad)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("batch_first", [False, True])
def test_sequences_side_by_side(side: str, batch_first: bool) -> None:
    pairs = [both(floats(n, 2, start=n), True) for n in (2, 4, 1)]
    outs = []
    for k, rnn in enumerate((ours, torch.nn.utils.rnn)):
        items = [p[k] for p in pairs]
        padded = rnn.pad_sequence(items, batch_first, 1.5, side)
        packed = rnn.pack_sequence(items, enforce_sorted=False)
        lengths = (Tensor(np.array([2, 4, 1]), None), torch.tensor([2, 4, 1]))[k]
        outs.append(
            [
                padded,
                *packed,
                *rnn.unpack_sequence(packed),
                *rnn.unpad_sequence(padded.clone(), lengths, batch_first),
            ]
        )
    for x, y in zip(*outs, strict=True):
        close(x, y)
    outs[0][0].exp().sum().backward(), outs[1][0].exp().sum().backward()
    for p, q in pairs:
        close(p.grad, q.grad)


def test_a_packed_sequence_is_a_tuple_of_four() -> None:
    packed = [
        t.nn.utils.rnn.pack_padded_sequence(t.ones(3, 2, 1), [1, 3], enforce_sorted=False)
        for t in (convgrad, torch)
    ]
    a, b = packed
    assert repr(a) == repr(b)
    assert isinstance(a, tuple) and len(a) == 4
    assert a.sorted_indices.tolist() == [1, 0] and a.unsorted_indices.tolist() == [1, 0]
    assert a.to(convgrad.float64).data.dtype is convgrad.float64
    assert a.double().data.dtype is convgrad.float64 and a.float() is a and a.cpu() is a
    assert a.is_cuda is b.is_cuda and a.is_pinned() == b.is_pinned()
    twin = pickle.loads(pickle.dumps(a))
    assert type(twin) is ours.PackedSequence and twin.data.tolist() == a.data.tolist()
    permutation = both(np.array([2, 0, 1]))
    close(ours.invert_permutation(permutation[0]), torch.nn.utils.rnn.invert_permutation(permutation[1]))
    assert ours.invert_permutation(None) is None


def test_a_length_beyond_the_input_is_refused() -> None:
    """PyTorch reads on behind the input there."""
    with pytest.raises(RuntimeError, match="a length of 4 was given"):
        ours.pack_padded_sequence(convgrad.zeros(3, 2, 1), [4, 3])
