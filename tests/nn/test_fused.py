"""Layers joined with the relu behind them: as the two, in value and gradient, and only where nobody can tell."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import convgrad as torch
from convgrad import nn
from convgrad.autograd import forward_ad
from convgrad.nn import functional as F
from convgrad.nn import fused
from convgrad.nn.modules import pairs
from convgrad.nn.utils import prune
from convgrad.testing import assert_close


def nodes(out: Any) -> list[str]:
    """The names of all nodes behind a tensor, without leaves."""
    found: dict[Any, str] = {}
    stack = [out.grad_fn]
    while stack:
        node = stack.pop()
        if node is not None and node not in found:
            found[node] = node.name()
            stack += [parent for parent, _ in node.next_functions]
    return [name for name in found.values() if "AccumulateGrad" not in name]


JOINED = {
    op.backward_name
    for op in vars(fused.ops).values()
    if getattr(op, "__module__", "") == "convgrad.ops.fused" and isinstance(op, type)
}


def fuses(net: Any, x: Any) -> bool:
    """Whether a call of a network joins any neighbours."""
    return not JOINED.isdisjoint(nodes(net(x)))


def one_by_one(net: Any, x: Any) -> Any:
    """The chain's modules called by hand."""
    for module in net:
        x = module(x)
    return x


def block() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.ReLU(), nn.Conv2d(3, 2, 1), nn.ReLU(inplace=True))


IMAGE = torch.arange(32.0).reshape(1, 2, 4, 4).sin()

LAYERS: list[tuple[Any, tuple[int, ...]]] = [
    (lambda: nn.Conv1d(3, 4, 3, stride=2, dilation=2), (2, 3, 9)),
    (lambda: nn.Conv1d(3, 4, 3, bias=False), (3, 9)),
    (lambda: nn.Conv2d(4, 4, 3, padding="same", groups=2), (2, 4, 5, 6)),
    (lambda: nn.Conv2d(2, 3, 3, padding=2, padding_mode="circular"), (2, 2, 5, 6)),
    (lambda: nn.Conv3d(2, 3, 2, padding_mode="reflect", padding=1), (1, 2, 3, 4, 3)),
    (lambda: nn.ConvTranspose1d(3, 4, 3, stride=2, output_padding=1), (2, 3, 5)),
    (lambda: nn.ConvTranspose2d(4, 2, 3, bias=False, groups=2), (2, 4, 3, 4)),
    (lambda: nn.ConvTranspose3d(2, 3, 2), (1, 2, 3, 2, 3)),
    (lambda: nn.Linear(5, 4), (3, 5)),
    (lambda: nn.Linear(5, 4, bias=False), (2, 3, 5)),
    (lambda: nn.Linear(5, 4), (5,)),
    (lambda: nn.BatchNorm1d(3), (4, 3)),
    (lambda: nn.BatchNorm1d(3, affine=False), (4, 3, 5)),
    (lambda: nn.BatchNorm2d(3, momentum=None), (4, 3, 2, 3)),
    (lambda: nn.BatchNorm3d(2, track_running_stats=False), (2, 2, 2, 3, 2)),
]


@pytest.mark.parametrize(("make", "shape"), LAYERS)
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("inplace", [True, False])
def test_every_layer_is_joined_and_gives_what_the_two_give(
    make: Any, shape: tuple[int, ...], training: bool, inplace: bool
) -> None:
    torch.manual_seed(1)
    net = nn.Sequential(make(), nn.ReLU(inplace)).double().train(training)
    other = copy.deepcopy(net)
    xs = [torch.randn(*shape, dtype=torch.float64, requires_grad=True) for _ in range(1)]
    xs.append(xs[0].detach().clone().requires_grad_())
    out, expected = net(xs[0]), one_by_one(other, xs[1])
    assert not JOINED.isdisjoint(nodes(out))
    assert_close(out, expected, rtol=1e-12, atol=1e-13)
    g = torch.randn_like(out)
    out.backward(g)
    expected.backward(g)
    assert_close(xs[0].grad, xs[1].grad, rtol=1e-11, atol=1e-12)
    for p, q in zip(net.parameters(), other.parameters(), strict=True):
        assert_close(p.grad, q.grad, rtol=1e-11, atol=1e-12)
    for (name, a), b in zip(net.state_dict().items(), other.state_dict().values(), strict=True):
        assert_close(a, b, msg=name)


def test_a_chain_of_three_joins_the_last_two() -> None:
    net = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.ReLU())
    assert nodes(net(IMAGE)) == ["ReluBackward0", "BatchNormReluBackward0", "ConvolutionBackward0"]


# ---- only where nobody can tell


def _hook_then_removed(net: Any) -> None:
    net[0].register_forward_hook(lambda *_: None).remove()


def _tables_made(net: Any) -> None:
    assert not net[0]._forward_hooks


KEEPS: list[Any] = [_hook_then_removed, _tables_made, lambda net: net.register_forward_hook(lambda *_: None)]


@pytest.mark.parametrize("change", KEEPS)
def test_what_leaves_the_pair_as_it_is(change: Any) -> None:
    net = block()
    change(net)
    assert fuses(net, IMAGE)


def _weight_norm(net: Any) -> None:
    with pytest.warns(FutureWarning):
        nn.utils.weight_norm(net[0])


def _own_forward(net: Any) -> None:
    plain = net[0].forward
    net[0].forward = lambda x: plain(x) * 2


def _own_inner(net: Any) -> None:
    plain = net[0]._conv_forward
    net[0]._conv_forward = lambda x, w, b: plain(x, w, b) * 2


def _own_relu(net: Any) -> None:
    net[1].forward = lambda x: x + 1


class Twice(nn.Conv2d):
    def forward(self, input: Any) -> Any:
        return super().forward(input) * 2


class Leaky(nn.ReLU):
    def forward(self, input: Any) -> Any:
        return F.leaky_relu(input)


def _class_of_first(net: Any) -> None:
    net[0].__class__ = Twice


def _class_of_second(net: Any) -> None:
    net[1].__class__ = Leaky


def _replaced(net: Any) -> None:
    net[0] = Twice(2, 3, 3, padding=1)


def _inserted(net: Any) -> None:
    net.insert(1, nn.Dropout(0.0))


def _weight_is_an_attribute(net: Any) -> None:
    weight = net[0].weight
    del net[0].weight
    net[0].weight = weight * 2


def _forward_of_the_table(net: Any) -> None:
    net._modules["1"] = nn.Identity()


CHANGES = [
    _weight_norm, _own_forward, _own_inner, _own_relu, _class_of_first, _class_of_second, _replaced, _inserted,
    _weight_is_an_attribute, _forward_of_the_table,
    lambda net: nn.utils.parametrizations.weight_norm(net[0]),
    lambda net: prune.l1_unstructured(net[0], "weight", 2),
    lambda net: net[0].register_forward_hook(lambda m, a, out: out * 2),
    lambda net: net[1].register_forward_pre_hook(lambda m, a: (a[0] + 1,)),
    lambda net: net[0].register_full_backward_hook(lambda *_: None),
    lambda net: net[1].register_full_backward_pre_hook(lambda *_: None),
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES, ids=lambda f: f.__name__)
def test_a_change_after_the_first_call_is_seen_at_the_next(change: Any) -> None:
    net = block()[:2]
    assert fuses(net, IMAGE)
    change(net)
    assert not fuses(net, IMAGE)
    assert_close(net(IMAGE), one_by_one(net, IMAGE))


def test_appended_modules_are_joined() -> None:
    net = block()[:1]
    assert not fuses(net, IMAGE)
    net.append(nn.ReLU())
    assert fuses(net, IMAGE)
    del net[1]
    assert not fuses(net, IMAGE)
    assert_close(net(IMAGE), net[0](IMAGE))


def test_a_method_changed_on_the_class_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    net = block()
    plain = nn.Conv2d.forward
    monkeypatch.setattr(nn.Conv2d, "forward", lambda self, x: plain(self, x) * 2)
    assert not fuses(net, IMAGE)
    monkeypatch.undo()
    assert fuses(net, IMAGE)
    call = nn.Module.__call__
    seen: list[Any] = []
    monkeypatch.setattr(nn.Module, "__call__", lambda self, *a: (seen.append(self), call(self, *a))[1])
    net(IMAGE)
    assert len(seen) == 5
    monkeypatch.undo()
    assert fuses(net, IMAGE)


def test_hooks_of_all_modules_see_every_module() -> None:
    net, seen = block(), []
    with nn.modules.module.register_module_forward_hook(lambda m, a, out: seen.append(type(m).__name__)):
        net(IMAGE)
    assert seen == ["Conv2d", "ReLU", "Conv2d", "ReLU", "Sequential"]
    assert fuses(net, IMAGE)


def test_watchers_and_transformations_see_single_operators() -> None:
    net = block().double()
    x = IMAGE.double()
    packed: list[Any] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: packed.append(t) or t, lambda t: t):
        assert not fuses(net, x)
    assert packed
    with pytest.warns(UserWarning, match="Anomaly Detection"), torch.autograd.detect_anomaly():
        assert not fuses(net, x)
    with forward_ad.dual_level():
        out = net(forward_ad.make_dual(x, torch.ones_like(x)))
        tangent = forward_ad.unpack_dual(out).tangent
    small = 1e-6
    assert_close(tangent, (net(x + small) - net(x - small)) / (2 * small), rtol=1e-5, atol=1e-6)
    each = torch.vmap(net)(torch.stack([x, x * 2]))
    assert_close(each[1], net(x * 2))
    assert fuses(net, x)


def test_modes_without_a_graph() -> None:
    net = block()
    expected = one_by_one(net, IMAGE)
    with torch.no_grad():
        out = net(IMAGE)
    assert not out.requires_grad and torch.equal(out, expected)
    with torch.inference_mode():
        out = net(IMAGE)
    assert out.is_inference() and torch.equal(out, expected)


def test_other_inputs_take_the_long_way() -> None:
    net = block()
    assert not fuses(net.double(), IMAGE.double().requires_grad_().as_subclass(Shown))
    for kind in (torch.float16, torch.bfloat16):
        assert net.to(kind)(IMAGE.to(kind)).dtype is kind
    with pytest.raises(RuntimeError, match="should be the same"):
        net.float()(IMAGE.double())
    with pytest.raises(RuntimeError, match="to have 2 channels, but got 3 channels instead"):
        net(torch.ones(1, 3, 4, 4))
    with pytest.raises(TypeError, match="must be Tensor"):
        net([1.0])
    with pytest.raises(ValueError, match="expected 4D input"):
        nn.Sequential(nn.BatchNorm2d(2), nn.ReLU())(torch.ones(2, 2))
    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        nn.Sequential(nn.Linear(3, 2), nn.ReLU())(torch.ones(2, 4))


class Shown(torch.Tensor):
    pass


def test_nothing_is_kept_in_the_module() -> None:
    net = block()
    before = set(vars(net))
    net(IMAGE)
    assert set(vars(net)) == before
    again = pickle.loads(pickle.dumps(net))
    assert torch.equal(again(IMAGE), net(IMAGE)) and fuses(copy.deepcopy(net), IMAGE)


def test_functional_call_and_grad_through_a_joined_pair() -> None:
    net = block()
    params = {name: p.detach() * 0.5 for name, p in net.named_parameters()}
    half = copy.deepcopy(net)
    half.load_state_dict(params)
    assert_close(torch.func.functional_call(net, params, (IMAGE,)), one_by_one(half, IMAGE))
    grads = torch.func.grad(lambda p: torch.func.functional_call(net, p, (IMAGE,)).sum())(params)
    one_by_one(half, IMAGE).sum().backward()
    for name, p in half.named_parameters():
        assert_close(grads[name], p.grad)


# ---- what is kept, and what is computed


def test_only_what_the_wanted_gradients_read_is_kept() -> None:
    """As in the two operators: a weight may change if nobody's gradient reads it."""
    layer = nn.Linear(3, 2)
    x = torch.randn(4, 3)
    out = nn.Sequential(layer, nn.ReLU())(x)
    with torch.no_grad():
        layer.weight.zero_()  # read by the gradient of x alone
    out.sum().backward()
    layer.requires_grad_(False)
    x.requires_grad_()
    out = nn.Sequential(layer, nn.ReLU())(x * 1)
    assert out.grad_fn._saved_x is None and out.grad_fn._saved_weight is not None


def test_a_gradient_that_nobody_asks_for_is_not_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = nn.Sequential(nn.Linear(3, 2), nn.ReLU())
    x = torch.randn(4, 3, requires_grad=True)
    asked: list[Any] = []
    op = fused.ops.AffineRelu
    plain = op.vjp
    monkeypatch.setattr(
        op, "vjp", staticmethod(lambda needs, *rest: (asked.append(needs), plain(needs, *rest))[1])
    )
    torch.autograd.grad(layer(x).sum(), x)
    assert asked == [(False, True, False)]


def test_nan_and_infinity_pass_as_they_do_one_by_one() -> None:
    x = torch.tensor([[np.nan, 1.0], [np.inf, -np.inf], [-0.0, 0.0]])
    other = torch.tensor([[1.0, -1.0], [1.0, 1.0], [-0.0, -0.0]])
    assert_close(fused.add_relu(x, other), (x + other).relu(), equal_nan=True)
    w = torch.eye(2)
    assert_close(fused.linear_relu(x[:1], w), F.linear(x[:1], w).relu(), equal_nan=True)
    image = torch.tensor([[[np.nan, -1.0, 2.0, np.inf, -np.inf]]])
    kernel = torch.ones(1, 1, 1)
    assert_close(fused.conv1d_relu(image, kernel), F.conv1d(image, kernel).relu(), equal_nan=True)


@pytest.mark.parametrize("size", [0, 1, 32767, 32768, 32769, 100000])
def test_large_sums_are_cut_into_blocks(size: int) -> None:
    a, b = torch.randn(size), torch.randn(size)
    assert torch.equal(fused.add_relu(a, b), (a + b).relu())
    wide = torch.randn(2, size)
    assert torch.equal(fused.add_relu(wide.T[:, 0], b), (wide.T[:, 0] + b).relu())


def test_shapes_that_broadcast_are_added_one_after_the_other() -> None:
    a, b = torch.randn(2, 3), torch.randn(3)
    assert torch.equal(fused.add_relu(a, b), (a + b).relu())
    assert torch.equal(fused.add_relu(a, 1.0), (a + 1.0).relu())  # type: ignore[arg-type]
    x = torch.randn(4, 3, 2)
    out = fused.batch_norm_add_relu(x, torch.ones(1), None, None, training=True)
    assert_close(out, (F.batch_norm(x, None, None, training=True) + 1).relu())


# ---- random programs


def _layer(kind: str, channels: int, size: int, draw: Any) -> tuple[list[Any], int, int]:
    """Modules, channels and length after them, for signals of some channels and length."""
    if kind == "conv":
        out, bias = draw(st.integers(1, 4)), draw(st.booleans())
        return [nn.Conv1d(channels, out, 3, padding=1, bias=bias)], out, size
    if kind == "transposed":
        out = draw(st.integers(1, 3))
        return [nn.ConvTranspose1d(channels, out, 2)], out, size + 1
    if kind == "norm":
        return [nn.BatchNorm1d(channels)], channels, size
    if kind == "linear":
        out = draw(st.integers(1, 5))
        return [nn.Linear(size, out)], channels, out
    if kind == "pool" and size > 1:
        return [nn.MaxPool1d(2)], channels, size // 2
    if kind == "dropout":
        return [nn.Dropout(0.5)], channels, size
    return [nn.ReLU(inplace=draw(st.booleans()))], channels, size


KINDS = ("conv", "transposed", "norm", "linear", "pool", "dropout", "relu", "relu", "relu")


@st.composite
def programs(draw: Any) -> tuple[Any, int, int]:
    channels, size = draw(st.integers(1, 3)), draw(st.integers(2, 7))
    modules: list[Any] = []
    now = channels, size
    for kind in draw(st.lists(st.sampled_from(KINDS), min_size=2, max_size=7)):
        made, *now = _layer(kind, *now, draw)
        modules += made
    net = nn.Sequential(*modules)
    for index in draw(st.sets(st.integers(0, len(modules) - 1), max_size=2)):
        net[index].register_forward_hook(lambda m, a, out: out * 1.5)
    return net, channels, size


@settings(max_examples=60, deadline=None)
@given(programs(), st.booleans(), st.booleans(), st.integers(0, 10**6))
def test_random_chains_are_as_their_modules_one_by_one(
    program: Any, training: bool, wide: bool, seed: int
) -> None:
    net, channels, size = program
    kind = torch.float64 if wide else torch.float32
    net.to(kind).train(training)
    other = copy.deepcopy(net)
    torch.manual_seed(seed)
    x = torch.randn(3, channels, size, dtype=kind)
    results = []
    for chain, run in ((net, nn.Sequential.forward), (other, one_by_one)):
        leaf = x.clone().requires_grad_()
        torch.manual_seed(seed)
        out = run(chain, leaf * 1)
        try:
            (out * out).sum().backward()
        except torch.errors.GradError as error:  # a relu in place on what a relu has kept
            results.append(str(error).partition(":")[0])
            continue
        results.append([out, leaf.grad, *[p.grad for p in chain.parameters()], *chain.state_dict().values()])
    if str in map(type, results):
        assert results[0] == results[1]
        return
    for a, b in zip(*results, strict=True):
        if a is not None or b is not None:
            scale = max(1.0, float(b.abs().max()))
            assert_close(a / scale, b / scale, rtol=0, atol=1e-10 if wide else 2e-4)


def test_the_pairs_name_classes_that_exist() -> None:
    assert len(pairs.FIRST) == 10 and all(issubclass(kind, nn.Module) for kind in pairs.FIRST)
