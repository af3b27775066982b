"""Lazy layers and what has no shape yet, in both libraries; and the functions that stand beside the layers."""

from __future__ import annotations

import copy
import inspect
import pickle
import warnings
from typing import Any

import numpy as np
import pytest
import torch

import convgrad

from .module_cases import f, k, p
from .test_modules import close, our_tensor, same_state, seed, their_tensor

BOTH = (convgrad, torch)
LAYERS: list[tuple[str, tuple[Any, ...], str, tuple[Any, ...], tuple[int, ...]]] = [
    ("LazyLinear", (3,), "Linear", (4, 3), (2, 4)),
    ("LazyConv1d", (4, 3), "Conv1d", (2, 4, 3), (1, 2, 6)),
    ("LazyConv2d", (4, 3, 1, 1, 1, 2), "Conv2d", (2, 4, 3, 1, 1, 1, 2), (1, 2, 6, 5)),
    ("LazyConvTranspose2d", (4, 3, 2, 0, 0, 2), "ConvTranspose2d", (2, 4, 3, 2, 0, 0, 2), (1, 2, 3, 3)),
    ("LazyBatchNorm2d", (), "BatchNorm2d", (3,), (2, 3, 4, 4)),
    ("LazyInstanceNorm1d", (), "InstanceNorm1d", (3, 1e-5, 0.1, True, True), (2, 3, 4)),
]
pairs = pytest.mark.parametrize(
    ("lazy", "args", "plain", "whole", "shape"), LAYERS, ids=[row[0] for row in LAYERS]
)


def tensor(t: Any, array: Any) -> Any:
    return their_tensor(array) if t is torch else our_tensor(array)


@pairs
def test_a_state_with_shapes_goes_into_a_lazy_layer(
    lazy: str, args: Any, plain: str, whole: Any, shape: Any
) -> None:
    """Before its first call; the layer then computes what the layer that the state is of computes."""
    results = []
    for t in BOTH:
        seed(1)
        source, layer = getattr(t.nn, plain)(*whole), getattr(t.nn, lazy)(*args)
        weight = layer.weight
        assert str(layer.load_state_dict(source.state_dict())) == "<All keys matched successfully>"
        assert layer.weight is weight and type(weight) is t.nn.Parameter and weight.requires_grad
        assert type(layer).__name__ == lazy and not layer.has_uninitialized_params()
        x = tensor(t, f(*shape).astype(np.float32))
        if lazy == "LazyInstanceNorm1d" and t is torch:
            layer = source  # with num_features still 0 PyTorch's refuses its first input
        results.append(layer(x))
        assert type(layer).__name__ == plain
        if t is convgrad:
            np.testing.assert_array_equal(results[0]._data, source(x)._data)
            assert repr(layer) == repr(source)
        again = getattr(t.nn, plain)(*whole)
        again.load_state_dict(layer.state_dict())
    close(*results, "output")


@pairs
def test_a_state_without_shapes(lazy: str, args: Any, plain: str, whole: Any, shape: Any) -> None:
    """Its names and looks; it fits a lazy layer, which stays as it is, and can be pickled and copied."""
    a, b = [getattr(t.nn, lazy)(*args) for t in BOTH]
    same_state(a, b)
    assert [repr(v) for v in a.state_dict().values()] == [repr(v) for v in b.state_dict().values()]
    assert a.state_dict(keep_vars=True)["weight"] is a.weight
    for t, layer in zip(BOTH, (a, b), strict=True):
        other = getattr(t.nn, lazy)(*args)
        assert str(other.load_state_dict(layer.state_dict())) == "<All keys matched successfully>"
        assert other.has_uninitialized_params()
        twins = [pickle.loads(pickle.dumps(layer))]
        if t is convgrad or "Norm" not in lazy:  # PyTorch cannot copy uninitialised buffers
            twins.append(copy.deepcopy(layer))
        for twin in twins:
            assert repr(twin) == repr(layer) and twin.has_uninitialized_params()
            assert twin.weight.requires_grad and twin.weight is not layer.weight
            twin(tensor(t, f(*shape).astype(np.float32)))
            assert type(twin).__name__ == plain and type(layer).__name__ == lazy


@pairs
def test_dtypes_of_lazy_layers(lazy: str, args: Any, plain: str, whole: Any, shape: Any) -> None:
    """``double()`` and the like, alone and in a chain, and ``dtype=``, before there is a shape."""
    for t in BOTH:
        chain = t.nn.Sequential(getattr(t.nn, lazy)(*args)).double()
        assert chain[0].weight.dtype is t.float64 and repr(chain[0].weight) == "<UninitializedParameter>"
        for layer in (chain[0], getattr(t.nn, lazy)(*args, dtype=t.float64)):
            out = layer(tensor(t, f(*shape)))
            assert out.dtype is t.float64 and layer.weight.dtype is t.float64


def test_lazy_layers_in_training() -> None:
    """An optimiser may be made before the first call; the values of one seed are those of ordinary layers."""
    losses = []
    for t in BOTH:
        t.manual_seed(3)
        net = t.nn.Sequential(
            t.nn.LazyConv1d(4, 3), t.nn.LazyBatchNorm1d(), t.nn.Flatten(), t.nn.LazyLinear(2)
        )
        first = net[0].weight
        sgd = t.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
        x = tensor(t, f(5, 2, 8).astype(np.float32))
        losses.append([])
        for _ in range(4):
            loss = (net(x) ** 2).mean()
            sgd.zero_grad()
            loss.backward()
            sgd.step()
            losses[-1].append(loss.item())
        assert net[0].weight is first and "Lazy" not in repr(net)
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert losses[0][-1] < losses[0][0]


@pytest.mark.parametrize("t", BOTH, ids=["convgrad", "torch"])
def test_lazy_classes_of_ones_own(t: Any) -> None:
    """With ``cls_to_become`` or without, and hooks, which see the module as it is after its first call."""

    class Scale(t.nn.Module):  # type: ignore[misc, name-defined]
        def forward(self, x: Any) -> Any:
            return x * self.factor

    class LazyScale(t.nn.modules.lazy.LazyModuleMixin, Scale):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.factor = t.nn.UninitializedParameter()

        def initialize_parameters(self, x: Any) -> None:
            if self.has_uninitialized_params():
                self.factor.materialize(x.shape[-1:])
                t.nn.init.ones_(self.factor)

    seen: list[Any] = []
    layer = LazyScale()
    layer.register_forward_hook(lambda m, i, o, seen=seen: seen.append(tuple(m.factor.shape)))
    for _ in range(2):
        assert layer(t.ones(2, 3)).sum().item() == 6 and type(layer) is LazyScale
    assert seen == [(3,), (3,)]
    LazyScale.cls_to_become = Scale
    layer = LazyScale()
    layer(x=t.ones(3))
    assert type(layer) is Scale


def test_uninitialised_tensors() -> None:
    for t in BOTH:
        for kind, plain in (
            (t.nn.UninitializedParameter, t.nn.Parameter),
            (t.nn.UninitializedBuffer, t.Tensor),
        ):
            value = kind(dtype=t.float64)
            assert repr(value) == str(value) == f"<{kind.__name__}>"
            assert (
                value.dtype is t.float64
                and value.is_leaf
                and value.grad is None
                and value.device.type == "cpu"
            )
            assert value.requires_grad == (plain is t.nn.Parameter)
            assert t.nn.parameter.is_lazy(value) and isinstance(value, t.Tensor)
            assert isinstance(value, t.nn.Buffer) == (plain is t.Tensor)
            assert list(inspect.signature(kind).parameters)[:3] == ["requires_grad", "device", "dtype"]
            value.materialize((2, 3))
            assert isinstance(value, plain) and not t.nn.parameter.is_lazy(value)
            assert tuple(value.shape) == (2, 3) and value.dtype is t.float64
            other = kind(requires_grad=False)
            other.materialize((2,), dtype=t.float16)
            assert other.dtype is t.float16 and not other.requires_grad
        module = t.nn.Module()
        module.kept, module.left = t.nn.UninitializedBuffer(), t.nn.UninitializedBuffer(persistent=False)
        assert [n for n, _ in module.named_buffers()] == ["kept", "left"]
        assert module._non_persistent_buffers_set == {"left"}


@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize(
    "how",
    [{}, {"stride": 2, "padding": 1}, {"dilation": 2, "groups": 2}, {"stride": 3, "groups": 2}],
    ids=str,
)
def test_gradients_of_convolutions_as_functions(ndim: int, how: dict[str, Any]) -> None:
    """``nn.grad``: values, and the gradients of these gradients."""
    size, groups = (9, 8, 7)[:ndim], how.get("groups", 1)
    arrays = f(2, 4, *size), f(6, 4 // groups, *(3,) * ndim, start=1)
    shape = torch.nn.functional.__dict__[f"conv{ndim}d"](*map(torch.from_numpy, arrays), **how).shape
    arrays = (*arrays, f(*shape, start=2))
    results = []
    for t in BOTH:
        x, w, g = [tensor(t, a).requires_grad_() for a in arrays]
        gx = getattr(t.nn.grad, f"conv{ndim}d_input")(x.shape, w, g, **how)
        gw = getattr(t.nn.grad, f"conv{ndim}d_weight")(x, w.shape, g, **how)
        ((gx**2).sum() + (gw**2).sum()).backward()
        results.append([gx, gw, x.grad, w.grad, g.grad])
    for a, b in zip(*results, strict=True):
        close(a, b, "nn.grad")


def test_synchronised_batch_norm() -> None:
    """Every batch norm of a tree is replaced; what they hold and their modes stay."""
    nets = []
    for t in BOTH:
        net = t.nn.Sequential(
            t.nn.Conv2d(2, 3, 3), t.nn.BatchNorm2d(3, 0.1, 0.3), t.nn.Sequential(t.nn.BatchNorm1d(2, affine=False)),
            t.nn.BatchNorm1d(4, track_running_stats=False, bias=False).eval(), t.nn.InstanceNorm1d(3),
        )  # fmt: skip
        weight, mean = net[1].weight, net[1].running_mean
        nets.append(t.nn.SyncBatchNorm.convert_sync_batchnorm(net, "group"))
        assert nets[-1][1].weight is weight and nets[-1][1].running_mean is mean
        assert nets[-1][1].process_group == "group"
        assert [m.training for m in nets[-1].modules()] == [True, True, True, True, True, False, True]
        assert type(t.nn.SyncBatchNorm.convert_sync_batchnorm(t.nn.BatchNorm1d(2))) is t.nn.SyncBatchNorm
    assert repr(nets[0]) == repr(nets[1])


def test_adaptive_softmax_of_all_classes() -> None:
    layers = []
    for t in BOTH:
        t.manual_seed(2)
        layers.append(t.nn.AdaptiveLogSoftmaxWithLoss(8, 12, [3, 7], 2.0))
    a, b = layers
    x = f(20, 8).astype(np.float32) * 3
    close(a.log_prob(our_tensor(x)), b.log_prob(their_tensor(x)), "log_prob")
    close(a.predict(our_tensor(x)), b.predict(their_tensor(x)), "predict")
    assert len(set(a.predict(our_tensor(x)).tolist())) > 3
    target = k(12, 20)
    out = a(our_tensor(x), our_tensor(target))
    np.testing.assert_allclose(
        out.output._data, a.log_prob(our_tensor(x))._data[range(20), target], rtol=1e-5
    )
    assert type(out)._fields == type(b(their_tensor(x), their_tensor(target)))._fields


@pytest.mark.parametrize("name", ["Embedding", "EmbeddingBag"])
def test_pretrained_tables(name: str) -> None:
    for options in ({}, {"freeze": False, "padding_idx": 1}, {"max_norm": 1.0, "norm_type": 1.0}):
        layers = [
            getattr(t.nn, name).from_pretrained(tensor(t, p(5, 3).astype(np.float32)), **options)
            for t in BOTH
        ]
        assert repr(layers[0]) == repr(layers[1])
        assert layers[0].weight.requires_grad == layers[1].weight.requires_grad
        close(*[layer(tensor(t, k(5, 2, 3))) for t, layer in zip(BOTH, layers, strict=True)], "rows")
    signatures = [inspect.signature(getattr(t.nn, name).from_pretrained).parameters for t in BOTH]
    assert [(q.name, q.default) for q in signatures[0].values()] == [
        (q.name, q.default) for q in signatures[1].values()
    ]


CHANGES: list[tuple[str, tuple[Any, ...], dict[str, Any], tuple[int, ...]]] = [
    ("Dropout", (), {"p": 0.2}, (4, 5)),
    ("LeakyReLU", (), {"negative_slope": 0.5}, (4, 5)),
    ("Softmax", (0,), {"dim": 1}, (4, 5)),
    ("Flatten", (), {"start_dim": 0}, (4, 5)),
    ("BatchNorm1d", (5,), {"momentum": 0.5, "eps": 0.1}, (4, 5)),
    ("BatchNorm1d", (5,), {"track_running_stats": False}, (4, 5)),
    ("BatchNorm1d", (5,), {"running_mean": None, "running_var": None}, (4, 5)),
    ("BatchNorm1d", (5,), {"weight": None, "bias": None}, (4, 5)),
    ("InstanceNorm1d", (3, 1e-5, 0.1, True, True), {"track_running_stats": False}, (2, 3, 5)),
    ("LayerNorm", (5,), {"eps": 0.5, "bias": None}, (4, 5)),
    ("GroupNorm", (2, 4), {"num_groups": 4}, (3, 4, 5)),
    ("Conv2d", (4, 4, 3), {"stride": (2, 2), "padding": (1, 1)}, (2, 4, 6, 5)),
    ("Conv2d", (4, 4, 3, 1, 1), {"dilation": (2, 2), "padding": (2, 2)}, (2, 4, 6, 5)),
    ("Conv1d", (4, 4, 3, 1, 1), {"padding_mode": "circular"}, (2, 4, 6)),
    ("ConvTranspose1d", (4, 4, 3, 2), {"output_padding": (1,), "padding": (1,)}, (2, 4, 6)),
    ("MaxPool2d", (2,), {"ceil_mode": True, "return_indices": True, "stride": 3}, (2, 3, 5, 7)),
    ("AvgPool2d", (2,), {"kernel_size": 3, "padding": 1, "count_include_pad": False}, (2, 3, 5, 7)),
    ("Upsample", (None, 2), {"scale_factor": 3, "mode": "bilinear", "align_corners": True}, (2, 3, 2, 2)),
    ("ZeroPad2d", (1,), {"padding": (0, 1, 2, 0)}, (2, 3, 2, 2)),
]


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize(("name", "args", "changes", "shape"), CHANGES, ids=str)
def test_settings_changed_afterwards(
    name: str, args: Any, changes: dict[str, Any], shape: Any, training: bool
) -> None:
    """Attributes are read at each call, as programs expect that change a network they were given."""
    results, states, looks = [], [], []
    for t in BOTH:
        t.manual_seed(1)
        layer = getattr(t.nn, name)(*args).double()
        layer(tensor(t, f(*shape, start=1)))
        layer.train(training)
        for attribute, value in changes.items():
            setattr(layer, attribute, value)
        out = layer(tensor(t, f(*shape)))
        results.append(out if isinstance(out, tuple) else (out,))
        states.append(layer)
        looks.append(repr(layer))
    for a, b in zip(*results, strict=True):
        close(a, b, name)
    same_state(*states, 1.0)
    assert looks[0] == looks[1]


def test_unpooling_to_a_wanted_size() -> None:
    for size in (None, (5, 6), (2, 3, 5, 6)):
        results = []
        for t in BOTH:
            pool, unpool = t.nn.MaxPool2d(2, return_indices=True), t.nn.MaxUnpool2d(2)
            values, at = pool(tensor(t, f(2, 3, 5, 6)))
            results.append(unpool(values, at, size) if size else unpool(values, at, output_size=[4, 6]))
        close(*results, "unpooled")


def test_parallel_shells() -> None:
    for t in BOTH:
        layer = t.nn.Linear(3, 2)
        wrapped = t.nn.DataParallel(layer, device_ids=[0], output_device=0, dim=1)
        assert t.nn.parallel.DataParallel is t.nn.DataParallel and wrapped.module is layer
        state = wrapped.state_dict()
        t.nn.modules.utils.consume_prefix_in_state_dict_if_present(state, "module.")
        assert dict(state._metadata) == {"": {"version": 1}} and list(state) == ["weight", "bias"]
        assert str(layer.load_state_dict(state)) == "<All keys matched successfully>"


def test_names_beside_the_layers() -> None:
    """Types, helpers and reductions under the paths that programs import them from."""
    a, b = convgrad.nn, torch.nn
    assert a.functional.grad is a.grad and a.functional._Reduction is a._reduction
    for u in (a.modules.module, b.modules.module):
        assert u._addindent("x\ny", 3) == "x\n   y" and u._IncompatibleKeys(["x"], []).missing_keys == ["x"]
    for name in ("uniform", "normal", "trunc_normal", "fill", "zero"):
        assert callable(getattr(a.init, f"_no_grad_{name}_")) and hasattr(b.init, f"_no_grad_{name}_")
    names = [n for n in dir(b.common_types) if n.endswith("_t")]
    assert [n for n in names if not hasattr(a.common_types, n)] == []
    for name in ("_single", "_pair", "_triple", "_quadruple"):
        for value in (3, (1, 2), [1, 2, 3], "ab", 2.5, range(2)):
            assert getattr(a.modules.utils, name)(value) == getattr(b.modules.utils, name)(value)
        assert getattr(a.modules.utils, name).__name__ == name
    for u in (a.modules.utils, b.modules.utils):
        assert u._ntuple(5)(1) == (1,) * 5 and u._reverse_repeat_tuple((1, 2, 3), 2) == (3, 3, 2, 2, 1, 1)
        assert u._list_with_default([None, 3], [7, 4, 5]) == [4, 3] and u._list_with_default(2, [4]) == 2
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for average in (None, True, False):
            for reduce in (None, True, False):
                for get in ("legacy_get_string", "legacy_get_enum"):
                    assert getattr(a._reduction, get)(average, reduce) == getattr(b._reduction, get)(
                        average, reduce
                    )
    for given in (None, {}, {"device": "cpu"}, {"device": "cpu", "factory_kwargs": {"dtype": None}}):
        assert a.factory_kwargs(given) == b.factory_kwargs(given)


@pytest.mark.parametrize(
    "name", [n for n in dir(torch.nn.init) if hasattr(torch.nn.init, f"{n}_") and not n.startswith("_")]
)
def test_starting_values_under_their_older_names(name: str) -> None:
    """The same numbers as under the new name, and PyTorch's warning."""
    options = {"constant": (2.0,), "sparse": (0.4,)}.get(name, ())
    results = []
    for t in BOTH:
        value = t.zeros((6, 5, 3) if name == "dirac" else (6, 5))
        seed(3)
        with pytest.warns(
            FutureWarning, match=f"`nn.init.{name}` is now deprecated in favor of `nn.init.{name}_`."
        ):
            assert getattr(t.nn.init, name)(value, *options) is value
        results.append(value)
    close(*results, name)
    assert results[0].abs().sum().item() > 0
    fans = [t.nn.init._calculate_correct_fan(t.zeros(4, 3, 2), "fan_out") for t in BOTH]
    assert fans == [8, 8]


def test_options_of_the_linear_cross_entropy() -> None:
    """A constant value that looks, compares and is copied as PyTorch's."""
    for make in (
        lambda o: o(),
        lambda o: o(True, 3, None, "compact"),
        lambda o: o(chunking_method="aspect_ratio:3"),
    ):
        mine, other = make(convgrad.nn.LinearCrossEntropyOptions), make(torch.nn.LinearCrossEntropyOptions)
        assert repr(mine) == repr(other)
        assert mine == pickle.loads(pickle.dumps(mine)) == copy.deepcopy(mine)
        assert hash(mine) == hash(copy.copy(mine))
        losses = [
            t.nn.LinearCrossEntropyLoss(5, 3, options=o) for t, o in zip(BOTH, (mine, other), strict=True)
        ]
        assert repr(losses[0]) == repr(losses[1])
    assert convgrad.nn.LinearCrossEntropyOptions() != convgrad.nn.LinearCrossEntropyOptions(True)
