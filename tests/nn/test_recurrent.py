"""Recurrent layers and packed sequences without PyTorch: what must hold of them whatever the numbers are."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import convgrad
from convgrad import nn
from convgrad.func import grad, jacrev, vmap
from convgrad.func.functional_call import functional_call
from convgrad.nn.utils import rnn
from convgrad.ops.recurrent import plan_walk

KINDS = [nn.RNN, nn.LSTM, nn.GRU]


def floats(*shape: int, start: int = 0) -> Any:
    return convgrad.tensor(np.random.default_rng(start).standard_normal(shape))


def made(kind: Any, *args: Any, **more: Any) -> Any:
    convgrad.manual_seed(0)
    return kind(*args, **more).double()


def equal(a: Any, b: Any) -> None:
    np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_a_layer_is_its_cell_step_by_step(kind: Any) -> None:
    layer, cell = made(kind, 3, 4), getattr(nn, kind.__name__ + "Cell")(3, 4).double()
    cell.load_state_dict({k.removesuffix("_l0"): v for k, v in layer.state_dict().items()})
    x = floats(5, 2, 3)
    state: Any = None
    steps = []
    for row in x:
        state = cell(row, state)
        steps.append(state[0] if kind is nn.LSTM else state)
    out, last = layer(x)
    equal(out, convgrad.stack(steps))
    equal((last[0] if kind is nn.LSTM else last)[0], steps[-1])


@pytest.mark.parametrize("kind", KINDS)
def test_the_reverse_direction_is_the_forward_one_of_the_turned_sequence(kind: Any) -> None:
    layer, both = made(kind, 3, 4), made(kind, 3, 4, bidirectional=True)
    layer.load_state_dict({k: v for k, v in both.state_dict().items() if "reverse" not in k})
    turned = {k.removesuffix("_reverse"): v for k, v in both.state_dict().items() if "reverse" in k}
    x = floats(5, 2, 3)
    out = both(x)[0]
    equal(out[..., :4], layer(x)[0])
    layer.load_state_dict(turned)
    equal(out[..., 4:], layer(x.flip(0))[0].flip(0))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("batch_first", [False, True])
def test_packed_sequences_are_computed_each_by_itself(kind: Any, batch_first: bool) -> None:
    layer = made(kind, 3, 4, 2, bidirectional=True, batch_first=batch_first)
    items = [floats(n, 3, start=n) for n in (2, 5, 3)]
    out, last = layer(rnn.pack_sequence(items, enforce_sorted=False))
    rows = rnn.unpack_sequence(out)
    for k, item in enumerate(items):
        alone, end = layer(item)
        equal(rows[k], alone)
        for whole, one in zip(
            last if kind is nn.LSTM else [last], end if kind is nn.LSTM else [end], strict=True
        ):
            equal(whole[:, k], one)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_of_packed_sequences(kind: Any) -> None:
    layer = made(kind, 3, 4, bidirectional=True)
    items = [floats(n, 3, start=n) for n in (4, 1)]
    layer(rnn.pack_sequence(items))[0].data.pow(2).sum().backward()
    packed = [p.grad.clone() for p in layer.parameters()]
    layer.zero_grad()
    sum(layer(item)[0].pow(2).sum() for item in items).backward()
    for together, alone in zip(packed, layer.parameters(), strict=True):
        equal(together, alone.grad)


@pytest.mark.parametrize("kind", KINDS)
def test_under_vmap_samples_are_more_sequences(kind: Any) -> None:
    """One call for all samples, and their gradients; samples with weights of their own run one by one."""
    layer = made(kind, 3, 4)
    weights = {k: v.detach() for k, v in layer.named_parameters()}
    x = floats(6, 5, 2, 3)

    def loss(w: Any, x: Any) -> Any:
        return functional_call(layer, w, (x,))[0].pow(2).sum()

    equal(vmap(lambda x: layer(x)[0])(x), convgrad.stack([layer(row)[0] for row in x]))
    grads = vmap(grad(loss), (None, 0))(weights, x)
    for k, row in enumerate(x):
        for name, g in grad(loss)(weights, row).items():
            equal(grads[name][k], g)
    several = {k: convgrad.stack([v, 2 * v]) for k, v in weights.items()}
    outs = vmap(loss, (0, None))(several, x[0])
    equal(outs[1], loss({k: 2 * v for k, v in weights.items()}, x[0]))


def test_jacobian_of_a_step() -> None:
    """tanh'(z) W at every state, by reverse and by hand."""
    cell = made(nn.RNNCell, 2, 3)
    x, h = floats(1, 2), floats(1, 3)
    jacobian = jacrev(lambda h: cell(x, h)[0])(h)[:, 0]
    out = cell(x, h)
    equal(jacobian, (1 - out[0] ** 2)[:, None] * cell.weight_hh)


def test_results_are_no_views_of_each_other() -> None:
    """What a program writes into a last state reaches neither the output nor the gradients."""
    for kind in KINDS:
        layer = made(kind, 3, 4)
        x = floats(3, 2, 3)
        with convgrad.no_grad():
            out, last = layer(x)
            before = out.clone()
            for state in last if kind is nn.LSTM else [last]:
                state.zero_()
        equal(out, before)


def test_changing_the_output_before_backward_is_noticed() -> None:
    layer = made(nn.GRU, 3, 4)
    out, _ = layer(floats(3, 2, 3))
    loss = out.sum()
    with convgrad.no_grad():
        out.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


@pytest.mark.parametrize("kind", KINDS)
def test_half_precision_and_copies(kind: Any) -> None:
    layer = made(kind, 3, 4, 2, dropout=0.5).eval()
    x = floats(3, 2, 3)
    whole = layer(x)[0]
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        equal(twin(x)[0], whole)
    for dtype in (convgrad.float16, convgrad.bfloat16):
        out, _ = copy.deepcopy(layer).to(dtype)(x.to(dtype))
        assert out.dtype is dtype
        np.testing.assert_allclose(out.double().detach().numpy(), whole.detach().numpy(), atol=0.05)


def test_no_sequences() -> None:
    for kind in KINDS:
        out, _ = made(kind, 3, 4)(convgrad.zeros(5, 0, 3).double())
        assert out.shape == (5, 0, 4)
        with pytest.raises(RuntimeError, match="Expected sequence length to be larger than 0 in RNN"):
            made(kind, 3, 4)(convgrad.zeros(0, 2, 3).double())


def test_saturated_gates_stay_finite() -> None:
    for kind in KINDS:
        layer = made(kind, 1, 2)
        x = (convgrad.tensor([[[1e4]], [[-1e4]], [[1e30]]]).double()).requires_grad_()
        out, _ = layer(x)
        out.sum().backward()
        assert bool(out.isfinite().all()) and bool(x.grad.isfinite().all())


def test_the_plan_of_a_walk() -> None:
    forward, back = plan_walk([3, 2, 1], False), plan_walk([3, 2, 1], True)
    assert [(r.start, r.stop) for r in forward.rows] == [(0, 3), (3, 5), (5, 6)]
    assert forward.rows == back.rows[::-1]
    assert forward.before.tolist() == [0, 1, 2, 3, 4, 6]
    assert back.before.tolist() == [6, 7, 2, 8, 1, 0]
    assert plan_walk([6, 4, 2], True).before.tolist() == back.repeated(2).before.tolist()


@pytest.mark.regression
def test_the_gradient_of_distinct_positions_is_stored_not_added() -> None:
    """Indexing with arrays adds up where a position comes twice, and only there."""
    x = floats(4, 3).requires_grad_()
    for rows, counts in (([0, 2, 3], [1, 0, 1, 1]), ([0, 2, 0], [2, 0, 1, 0]), ([-1, 3, 1], [0, 1, 0, 2])):
        x.grad = None
        x[convgrad.tensor(rows)].sum().backward()
        assert x.grad.tolist() == [[c] * 3 for c in counts]
