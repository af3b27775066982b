"""Layers and losses against PyTorch 2.13: starting values, outputs, gradients, states, looks, errors."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn as theirs

from convgrad import nn as ours
from convgrad.generator import default_generator
from convgrad.tensor.tensor import Tensor


def seed(value: int) -> None:
    torch.manual_seed(value)
    default_generator.manual_seed(value)


def both(array: Any, grad: bool = True) -> tuple[Any, Any]:
    """One array as our tensor and PyTorch's, each with memory of its own."""
    a = Tensor(np.array(array), None)
    b = torch.from_numpy(np.array(array))
    if grad and array.dtype.kind == "f":
        return a.requires_grad_(), b.requires_grad_()
    return a, b


def close(a: Any, b: Any, scale: float = 1.0) -> None:
    """Equal shape and dtype, and values to rounding."""
    left, right = a._data, b.detach().numpy()
    assert left.shape == right.shape
    assert left.dtype == right.dtype
    tolerance = {"d": 1e-11, "f": 3e-5}.get(left.dtype.char, 0) * scale
    np.testing.assert_allclose(left, right, rtol=tolerance, atol=tolerance)


def floats(*shape: int, start: int = 0) -> Any:
    return np.random.default_rng(start).standard_normal(shape)


Make = Callable[[Any], Any]
# PyTorch's own formulas use float32 constants there, even for doubles
ROUGH = ("CELU", "Hardsigmoid")
# made of several operators here or there, so that the last node has another name
OTHER_NODE = ("InstanceNorm", "CircularPad", "GLU")
LAYERS: list[tuple[Make, tuple[int, ...]]] = [
    (lambda n: n.Linear(5, 3), (4, 5)),
    (lambda n: n.Linear(5, 3, bias=False), (4, 5)),
    (lambda n: n.Linear(5, 3), (2, 4, 5)),
    (lambda n: n.Linear(5, 3), (5,)),
    (lambda n: n.Linear(5, 3, bias=False), (2, 2, 5)),
    (lambda n: n.Bilinear(3, 4, 2), (0,)),
    (lambda n: n.Identity(), (2, 3)),
    (lambda n: n.Flatten(), (2, 3, 4)),
    (lambda n: n.Flatten(0, 1), (2, 3, 4)),
    (lambda n: n.Unflatten(1, (2, 3)), (2, 6)),
    (lambda n: n.BatchNorm1d(4), (5, 4)),
    (lambda n: n.BatchNorm1d(4, momentum=None), (5, 4, 3)),
    (lambda n: n.BatchNorm1d(4, affine=False), (5, 4, 3)),
    (lambda n: n.BatchNorm2d(4, track_running_stats=False), (2, 4, 3, 3)),
    (lambda n: n.BatchNorm2d(4, bias=False, eps=0.1, momentum=0.5), (2, 4, 3, 3)),
    (lambda n: n.BatchNorm3d(2), (2, 2, 2, 3, 3)),
    (lambda n: n.InstanceNorm1d(3, affine=True), (2, 3, 5)),
    (lambda n: n.InstanceNorm2d(3), (3, 4, 5)),
    (lambda n: n.LayerNorm(5), (4, 5)),
    (lambda n: n.LayerNorm((3, 5), eps=0.1), (2, 3, 5)),
    (lambda n: n.LayerNorm(5, elementwise_affine=False), (4, 2, 5)),
    (lambda n: n.LayerNorm(5, bias=False), (4, 5)),
    (lambda n: n.RMSNorm(5), (4, 5)),
    (lambda n: n.GroupNorm(2, 6), (3, 6, 4)),
    (lambda n: n.GroupNorm(3, 6, affine=False), (3, 6)),
    (lambda n: n.Conv1d(2, 4, 3), (3, 2, 9)),
    (lambda n: n.Conv1d(2, 4, 3), (2, 9)),
    (lambda n: n.Conv1d(4, 6, 3, stride=2, padding=1, dilation=2, groups=2, bias=False), (2, 4, 11)),
    (lambda n: n.Conv1d(2, 3, 4, padding="same"), (1, 2, 8)),
    (lambda n: n.Conv1d(2, 3, 4, padding="same", padding_mode="circular", dilation=2), (1, 2, 8)),
    (lambda n: n.Conv2d(2, 4, (3, 2), padding="valid"), (2, 2, 6, 5)),
    (lambda n: n.Conv2d(2, 4, 3, padding=1, padding_mode="reflect"), (2, 2, 6, 5)),
    (lambda n: n.Conv2d(2, 4, 3, padding=(1, 2), padding_mode="replicate", stride=(2, 1)), (2, 2, 6, 5)),
    (lambda n: n.Conv2d(2, 4, 3, padding=2, padding_mode="circular"), (2, 6, 5)),
    (lambda n: n.Conv3d(2, 2, 2, padding=1, groups=2), (1, 2, 3, 4, 3)),
    (lambda n: n.ConvTranspose1d(2, 4, 3, stride=2, padding=1, output_padding=1, dilation=2), (2, 2, 5)),
    (lambda n: n.ConvTranspose2d(4, 6, 3, stride=2, groups=2, bias=False), (2, 4, 3, 4)),
    (lambda n: n.ConvTranspose3d(2, 2, 2), (1, 2, 3, 2, 3)),
    (lambda n: n.MaxPool1d(3, 2, 1), (2, 3, 10)),
    (lambda n: n.MaxPool2d(2, ceil_mode=True), (2, 3, 5, 7)),
    (lambda n: n.MaxPool2d((3, 2), stride=1, padding=1, dilation=(1, 2)), (2, 3, 5, 7)),
    (lambda n: n.MaxPool2d(2), (3, 4, 6)),
    (lambda n: n.MaxPool3d(2), (1, 2, 4, 4, 5)),
    (lambda n: n.AvgPool1d(3, 2, 1), (2, 3, 10)),
    (lambda n: n.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False), (2, 3, 6, 7)),
    (lambda n: n.AvgPool2d(2, divisor_override=3), (3, 4, 6)),
    (lambda n: n.AvgPool3d(2), (1, 2, 4, 4, 5)),
    (lambda n: n.AdaptiveAvgPool1d(4), (2, 3, 10)),
    (lambda n: n.AdaptiveAvgPool2d((3, None)), (2, 3, 5, 7)),
    (lambda n: n.AdaptiveAvgPool2d(1), (2, 3, 5, 7)),
    (lambda n: n.AdaptiveAvgPool3d(2), (1, 2, 3, 4, 5)),
    (lambda n: n.AdaptiveMaxPool1d(3), (2, 3, 10)),
    (lambda n: n.AdaptiveMaxPool2d((2, 3)), (2, 3, 5, 7)),
    (lambda n: n.ReflectionPad1d(2), (2, 3, 5)),
    (lambda n: n.ReplicationPad2d((1, 2, 0, 1)), (2, 3, 5, 4)),
    (lambda n: n.ZeroPad2d(1), (2, 3, 5, 4)),
    (lambda n: n.ConstantPad1d((1, 2), 3.5), (2, 3, 5)),
    (lambda n: n.CircularPad2d(1), (2, 3, 5, 4)),
    (lambda n: n.ReLU(), (3, 4)),
    (lambda n: n.LeakyReLU(0.2), (3, 4)),
    (lambda n: n.PReLU(), (3, 4)),
    (lambda n: n.PReLU(4), (3, 4, 2)),
    (lambda n: n.ELU(0.7), (3, 4)),
    (lambda n: n.SELU(), (3, 4)),
    (lambda n: n.CELU(0.7), (3, 4)),
    (lambda n: n.GELU(), (3, 4)),
    (lambda n: n.GELU("tanh"), (3, 4)),
    (lambda n: n.SiLU(), (3, 4)),
    (lambda n: n.Mish(), (3, 4)),
    (lambda n: n.Softplus(2.0, 3.0), (3, 4)),
    (lambda n: n.Softsign(), (3, 4)),
    (lambda n: n.Softmax(1), (3, 4)),
    (lambda n: n.Softmin(0), (3, 4)),
    (lambda n: n.LogSoftmax(-1), (3, 4)),
    (lambda n: n.Softmax2d(), (2, 3, 4, 2)),
    (lambda n: n.Hardtanh(-0.5, 0.7), (3, 4)),
    (lambda n: n.ReLU6(), (3, 4)),
    (lambda n: n.Tanh(), (3, 4)),
    (lambda n: n.Sigmoid(), (3, 4)),
    (lambda n: n.LogSigmoid(), (3, 4)),
    (lambda n: n.Tanhshrink(), (3, 4)),
    (lambda n: n.Hardshrink(), (3, 4)),
    (lambda n: n.Softshrink(0.3), (3, 4)),
    (lambda n: n.Hardswish(), (3, 4)),
    (lambda n: n.Hardsigmoid(), (3, 4)),
    (lambda n: n.Threshold(0.1, 2.0), (3, 4)),
    (lambda n: n.GLU(1), (3, 4)),
    (lambda n: n.Dropout(0.3), (5, 7)),
    (lambda n: n.Dropout1d(0.4), (5, 7, 3)),
    (lambda n: n.Dropout2d(0.4), (5, 7, 3, 2)),
    (lambda n: n.Dropout3d(0.4), (5, 7, 3, 2, 2)),
    (
        lambda n: n.Sequential(
            n.Conv2d(1, 4, 3, padding=1), n.BatchNorm2d(4), n.ReLU(), n.MaxPool2d(2), n.Flatten(), n.Dropout(0.2),
            n.Linear(64, 5),
        ),
        (6, 1, 8, 8),
    ),
]  # fmt: skip


def arguments(make: Make, shape: tuple[int, ...]) -> list[Any]:
    return [floats(3, 3), floats(3, 4)] if shape == (0,) else [floats(*shape)]


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize(
    ("make", "shape"), LAYERS, ids=[f"{i}-{make(theirs)}"[:60] for i, (make, _) in enumerate(LAYERS)]
)
def test_layers(make: Make, shape: tuple[int, ...], training: bool) -> None:
    """Starting values for one seed, then three passes with gradients, then the states."""
    seed(3)
    a, b = make(ours), make(theirs)
    assert repr(a) == repr(b)
    assert list(a.state_dict()) == list(b.state_dict())
    for key, value in b.state_dict().items():
        close(a.state_dict()[key], value, 0.01)
    a.double().train(training), b.double().train(training)
    a.load_state_dict({k: Tensor(v.numpy().copy(), None) for k, v in b.state_dict().items()})
    for turn in range(3):
        seed(turn)
        pairs = [both(x + turn) for x in arguments(make, shape)]
        x, y = a(*[p[0] for p in pairs]), b(*[p[1] for p in pairs])
        close(x, y)
        if not repr(a).startswith(OTHER_NODE):
            assert (x.grad_fn and x.grad_fn.name()) == (y.grad_fn and y.grad_fn.name())
        if y.grad_fn is None:
            continue
        g = floats(*y.shape, start=9)
        x.backward(Tensor(g.copy(), None)), y.backward(torch.from_numpy(g))
        for p, q in [*pairs, *zip(a.parameters(), b.parameters(), strict=True)]:
            close(p.grad, q.grad, 1e5 if repr(a).startswith(ROUGH) else 10)
    for (name, value), (other, expected) in zip(a.state_dict().items(), b.state_dict().items(), strict=True):
        assert name == other
        close(value, expected)


CLASSES = np.array([0, 3, 1, 3, 2])
IMAGES = np.random.default_rng(0).integers(0, 4, (5, 2, 3))
WEIGHT = np.array([0.5, 2.0, 1.0, 0.25])
soft = np.abs(floats(5, 4, start=2))
soft /= soft.sum(1, keepdims=True)
LOSSES: list[tuple[str, dict[str, Any], Any, Any]] = [
    ("MSELoss", {}, floats(5, 4), floats(5, 4, start=1)),
    ("L1Loss", {}, floats(5, 4), floats(5, 4, start=1)),
    ("SmoothL1Loss", {"beta": 0.5}, floats(5, 4), floats(5, 4, start=1)),
    ("HuberLoss", {"delta": 0.5}, floats(5, 4), floats(5, 4, start=1)),
    ("NLLLoss", {}, floats(5, 4), CLASSES),
    ("NLLLoss", {"weight": WEIGHT, "ignore_index": 3}, floats(5, 4), CLASSES),
    ("NLLLoss", {}, floats(4), np.array(2)),
    ("NLLLoss", {"weight": WEIGHT, "ignore_index": 1}, floats(5, 4, 2, 3), IMAGES),
    ("NLLLoss", {}, floats(5, 4, 6), IMAGES.reshape(5, 6)),
    ("CrossEntropyLoss", {}, floats(5, 4), CLASSES),
    ("CrossEntropyLoss", {"weight": WEIGHT, "ignore_index": 3}, floats(5, 4), CLASSES),
    ("CrossEntropyLoss", {"label_smoothing": 0.2}, floats(5, 4), CLASSES),
    (
        "CrossEntropyLoss",
        {"label_smoothing": 0.2, "weight": WEIGHT, "ignore_index": 1},
        floats(5, 4, 2, 3),
        IMAGES,
    ),
    ("CrossEntropyLoss", {}, floats(5, 4), soft),
    ("CrossEntropyLoss", {"weight": WEIGHT, "label_smoothing": 0.1}, floats(5, 4), soft),
    ("CrossEntropyLoss", {}, floats(4), np.array(1)),
    ("CrossEntropyLoss", {}, floats(4), soft[0]),
    ("BCELoss", {}, soft, np.abs(soft - 0.1)),
    ("BCELoss", {"weight": WEIGHT}, soft, np.abs(soft - 0.1)),
    ("BCEWithLogitsLoss", {}, floats(5, 4) * 30, soft),
    ("BCEWithLogitsLoss", {"weight": WEIGHT, "pos_weight": WEIGHT[::-1].copy()}, floats(5, 4), soft),
    ("KLDivLoss", {}, floats(5, 4), soft),
    ("KLDivLoss", {"log_target": True}, floats(5, 4), np.log(soft)),
]


@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides")
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize(("name", "options", "x", "target"), LOSSES, ids=lambda v: str(v)[:30])
def test_losses(name: str, options: dict[str, Any], x: Any, target: Any, reduction: str) -> None:
    mine = {k: Tensor(v, None) if isinstance(v, np.ndarray) else v for k, v in options.items()}
    other = {k: torch.from_numpy(v) if isinstance(v, np.ndarray) else v for k, v in options.items()}
    a, b = (
        getattr(ours, name)(reduction=reduction, **mine),
        getattr(theirs, name)(reduction=reduction, **other),
    )
    assert repr(a) == repr(b)
    assert list(a.state_dict()) == list(b.state_dict())
    second = name not in ("CrossEntropyLoss", "KLDivLoss")
    (x1, x2), (t1, t2) = both(np.asarray(x)), both(np.asarray(target), second)
    y1, y2 = a(x1, t1), b(x2, t2)
    close(y1, y2)
    g = floats(*y2.shape, start=9)
    y1.backward(Tensor(np.asarray(g), None)), y2.backward(torch.as_tensor(g))
    close(x1.grad, x2.grad)
    if t2.grad is not None:
        close(t1.grad, t2.grad)


def test_a_column_against_a_row_warns_as_pytorch_does() -> None:
    (a, b), (s, t) = both(np.ones((3, 1))), both(np.ones(3))
    for name in ("MSELoss", "L1Loss", "SmoothL1Loss", "HuberLoss"):
        with pytest.warns(UserWarning) as expected:
            reference = getattr(theirs, name)(reduction="none")(b, t)
        with pytest.warns(UserWarning) as got:
            value = getattr(ours, name)(reduction="none")(a, s)
        close(value, reference)
        start = (
            "Using a target size (torch.Size([3])) that is different to the input size (torch.Size([3, 1]))"
        )
        text = str(got[0].message)
        assert text.startswith(start) and str(expected[0].message).startswith(start)
        assert "[3, 3]" in text and "unsqueeze" in text
        assert got[0].filename == __file__ or "loss.py" in got[0].filename


@pytest.mark.parametrize("options", [{}, {"padding_idx": 2}, {"padding_idx": -1}, {"max_norm": 1.0}], ids=str)
def test_embedding(options: dict[str, Any]) -> None:
    seed(0)
    a, b = ours.Embedding(6, 3, **options), theirs.Embedding(6, 3, **options)
    assert repr(a) == repr(b)
    index = np.array([[0, 2, 5], [2, 2, 1]])
    (s, t) = both(index)
    x, y = a(s), b(t)
    close(x, y)
    g = floats(2, 3, 3).astype(np.float32)
    x.backward(Tensor(g, None)), y.backward(torch.from_numpy(g))
    close(a.weight.grad, b.weight.grad)


INITS: list[tuple[str, tuple[int, ...], dict[str, Any]]] = [
    ("uniform_", (3, 4), {"a": -1.0, "b": 2.0}), ("normal_", (5, 4), {"mean": 1.0, "std": 2.0}),
    ("normal_", (3,), {}), ("constant_", (3,), {"val": 2.5}), ("ones_", (2,), {}), ("zeros_", (2,), {}),
    ("eye_", (3, 4), {}), ("dirac_", (4, 2, 3), {}), ("dirac_", (4, 2, 3, 3), {"groups": 2}),
    ("xavier_uniform_", (4, 5), {"gain": 2.0}), ("xavier_normal_", (4, 5, 3), {}),
    ("kaiming_uniform_", (4, 5), {"a": 0.1}), ("kaiming_normal_", (4, 5, 2, 2), {"mode": "fan_out", "nonlinearity": "relu"}),
    ("trunc_normal_", (50,), {"std": 1.5}), ("trunc_normal_", (50,), {"mean": 1.0, "std": 0.5, "a": 0.5, "b": 2.0}),
    ("orthogonal_", (4, 6), {}), ("orthogonal_", (6, 4), {"gain": 2.0}), ("orthogonal_", (4, 2, 3), {}),
    ("sparse_", (6, 5), {"sparsity": 0.4}),
]  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("name", "shape", "options"), INITS, ids=str)
def test_init(name: str, shape: tuple[int, ...], options: dict[str, Any], dtype: Any) -> None:
    seed(7)
    a, b = (
        Tensor(np.empty(shape, dtype), None),
        torch.empty(shape, dtype=getattr(torch, np.dtype(dtype).name)),
    )
    assert getattr(ours.init, name)(a, **options) is a
    getattr(theirs.init, name)(b, **options)
    close(a, b)
    assert default_generator.uniform(1)[0] == torch.rand(1).item()


def test_gains() -> None:
    for name in ("linear", "conv2d", "sigmoid", "tanh", "relu", "leaky_relu", "selu"):
        assert ours.init.calculate_gain(name) == theirs.init.calculate_gain(name)
    assert ours.init.calculate_gain("leaky_relu", 0.2) == theirs.init.calculate_gain("leaky_relu", 0.2)


def net(n: Any) -> Any:
    return n.Sequential(
        n.Linear(2, 3), n.BatchNorm1d(3), n.ModuleDict({"a": n.ReLU(), "b": n.ModuleList([n.Tanh()])})
    )


CONTAINERS: list[Callable[[Any, Any], Any]] = [
    lambda n, t: net(n),
    lambda n, t: n.ModuleList([n.ReLU(), n.ReLU(), n.Linear(1, 2), n.ReLU()]),
    lambda n, t: n.ModuleList(),
    lambda n, t: n.Sequential(),
    lambda n, t: n.ParameterList([t([1.0, 2.0]), t([[1.0]])]),
    lambda n, t: n.ParameterList([t([1.0, 2.0])]),
    lambda n, t: n.ParameterDict({"x": t([1.0, 2.0]), "y": t([[1.0]])}),
    lambda n, t: n.Sequential(n.Sequential(n.Linear(1, 1), n.Sequential(n.Conv2d(1, 1, 1)))),
    lambda n, t: n.Sequential(n.Linear(1, 1), n.ReLU(), n.Linear(1, 1))[1:],
    lambda n, t: n.Sequential(n.ReLU()).append(n.Tanh()).insert(0, n.GELU()).extend([n.ELU()]),
    lambda n, t: n.Embedding(10, 3, padding_idx=0, max_norm=2.0),
    lambda n, t: n.MaxPool2d(2, return_indices=True),
    lambda n, t: n.ReLU(inplace=True),
]


@pytest.mark.parametrize("make", CONTAINERS)
def test_looks_and_keys(make: Callable[[Any, Any], Any]) -> None:
    a, b = make(ours, Tensor), make(theirs, torch.tensor)
    assert repr(a) == repr(b)
    assert list(a.state_dict()) == list(b.state_dict())
    assert [n for n, _ in a.named_modules()] == [n for n, _ in b.named_modules()]
    assert [n for n, _ in a.named_parameters()] == [n for n, _ in b.named_parameters()]
    assert [n for n, _ in a.named_children()] == [n for n, _ in b.named_children()]
    if hasattr(a.state_dict(), "_metadata"):
        assert dict(a.state_dict()._metadata) == dict(b.state_dict()._metadata)


BAD_STATES: list[dict[str, tuple[int, ...]]] = [
    {}, {"a": (1,)}, {"0.weight": (3, 3)}, {"0.weight": (3, 2), "9.x": (2,), "0": (1,)}, {"1.running_mean": (4,)},
]  # fmt: skip


@pytest.mark.parametrize("shapes", BAD_STATES, ids=str)
def test_messages_of_load_state_dict(shapes: dict[str, tuple[int, ...]]) -> None:
    a, b = net(ours), net(theirs)
    before = a[0].weight._data.copy()
    with pytest.raises(RuntimeError) as expected:
        b.load_state_dict({k: torch.zeros(s) for k, s in shapes.items()})
    with pytest.raises(RuntimeError) as got:
        a.load_state_dict({k: Tensor(np.zeros(s, np.float32), None) for k, s in shapes.items()})
    assert str(got.value) == str(expected.value)
    np.testing.assert_array_equal(a[0].weight._data, before)
    keep = {k: s for k, s in shapes.items() if k not in ("0.weight", "1.running_mean")}
    x = a.load_state_dict({k: Tensor(np.zeros(s, np.float32), None) for k, s in keep.items()}, strict=False)
    y = b.load_state_dict({k: torch.zeros(s) for k, s in keep.items()}, strict=False)
    assert tuple(x) == tuple(y)
    assert repr(x) == repr(y).replace("torch.nn.modules.module.", "")


def assign(value: Any, name: str = "weight") -> Callable[[Any, Any], Any]:
    return lambda n, t: setattr(n.Linear(2, 2), name, value)


ERRORS: list[Callable[[Any, Any], Any]] = [
    lambda n, t: n.Conv2d(3, 4, 3, groups=2),
    lambda n, t: n.Conv2d(2, 3, 3, groups=2),
    lambda n, t: n.Conv2d(2, 2, 3, groups=0),
    lambda n, t: n.Conv2d(2, 2, 3, padding="x"),
    lambda n, t: n.Conv2d(2, 2, 3, padding="same", stride=2),
    lambda n, t: n.Conv2d(2, 2, 3, padding_mode="x"),
    lambda n, t: n.ConvTranspose2d(2, 2, 3, padding_mode="reflect"),
    lambda n, t: n.ConvTranspose1d(1, 1, 3, stride=2)(t([[[1.0] * 4]]), output_size=[20]),
    lambda n, t: n.ConvTranspose1d(1, 1, 3, stride=2)(t([[[1.0] * 4]]), output_size=[20, 2]),
    lambda n, t: n.Dropout(1.5),
    lambda n, t: n.GroupNorm(2, 3),
    lambda n, t: n.BatchNorm1d(2)(t([[1.0, 2.0]])),
    lambda n, t: n.BatchNorm1d(2)(t([1.0, 2.0])),
    lambda n, t: n.BatchNorm2d(2)(t([[1.0, 2.0]])),
    lambda n, t: n.BatchNorm1d(3)(t([[1.0, 2.0], [1.0, 3.0]])),
    lambda n, t: n.LayerNorm(3)(t([[1.0, 2.0]])),
    lambda n, t: n.Linear(3, 2)(t([[1.0, 2.0]])),
    lambda n, t: n.Embedding(3, 2)(t([1.0])),
    lambda n, t: n.Module()(1),
    lambda n, t: n.Module(1),
    lambda n, t: n.Module(x=1),
    lambda n, t: n.Linear(1, 1).nothing,
    lambda n, t: n.Sequential(n.ReLU())[1],
    lambda n, t: n.ModuleList([n.ReLU()])[1],
    lambda n, t: n.Sequential(1),
    lambda n, t: n.Linear(1, 1).train(3),
    lambda n, t: n.Linear(1, 1).get_submodule("a.b"),
    lambda n, t: n.Linear(1, 1).register_buffer("weight", None),
    lambda n, t: n.Linear(1, 1).register_buffer("a.b", None),
    lambda n, t: n.Linear(1, 1).register_buffer("", None),
    lambda n, t: n.Linear(1, 1).register_parameter("x", 3),
    lambda n, t: n.Linear(1, 1).add_module("x", 3),
    lambda n, t: n.Linear(1, 1).load_state_dict(3),
    assign(3),
    lambda n, t: setattr(n.Linear(1, 1), "weight", t([1.0])),
    lambda n, t: setattr(n.Sequential(n.ReLU()), "0", 3),
    lambda n, t: setattr(n.BatchNorm1d(2), "running_mean", 3),
    lambda n, t: n.NLLLoss()(t([[1.0, 2.0]]), t([0.0])),
    lambda n, t: n.CrossEntropyLoss()(t([[1.0, 2.0], [1.0, 2.0]]), t([[0.0, 1.0]])),
    lambda n, t: n.BCELoss()(t([[2.0]]), t([[1.0]])),
    lambda n, t: n.BCELoss()(t([[0.5]]), t([1.0])),
    lambda n, t: n.BCEWithLogitsLoss()(t([[0.5]]), t([1.0])),
    lambda n, t: n.MSELoss(reduction="x")(t([0.5]), t([1.0])),
    lambda n, t: n.MaxPool2d(3)(t([[[[1.0]]]])),
    lambda n, t: n.init.eye_(t([1.0])),
    lambda n, t: n.init.xavier_uniform_(t([1.0])),
    lambda n, t: n.init.kaiming_normal_(t([[1.0]]), mode="x"),
    lambda n, t: n.init.calculate_gain("x"),
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("call", ERRORS, ids=range(len(ERRORS)))
def test_errors_are_of_pytorchs_type(call: Callable[[Any, Any], Any]) -> None:
    """The same exception type (ours may be a subclass), and the first words of the message."""
    with pytest.raises(Exception) as expected:
        call(theirs, torch.tensor)
    with pytest.raises(Exception) as got:
        call(ours, Tensor)
    assert isinstance(got.value, expected.type), f"{got.value!r} against {expected.value!r}"


class Counting:
    """Hooks that write down what they are called with."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def full(self, _module: Any, grad_in: Any, grad_out: Any) -> None:
        for g in (*grad_in, *grad_out):
            self.seen.append(None if g is None else np.asarray(g.detach().numpy()).round(5).tolist())


def test_full_backward_hooks() -> None:
    seed(1)
    results = []
    for n, tensor in ((ours, lambda v: Tensor(v, None)), (theirs, torch.from_numpy)):
        counting = Counting()
        layers: Any = n.Sequential(n.Linear(3, 4), n.Tanh(), n.Linear(4, 2)).double()
        layers.load_state_dict(
            {k: tensor(np.full(tuple(v.shape), 0.3)) for k, v in layers.state_dict().items()}
        )
        for layer in layers:
            layer.register_full_backward_hook(counting.full)
        layers[1].register_full_backward_pre_hook(lambda m, g: (g[0] * 2,))
        x = tensor(floats(2, 3)).requires_grad_()
        layers(x).sum().backward()
        results.append((counting.seen, np.asarray(x.grad.numpy()).round(5).tolist()))
    assert results[0] == results[1]


def test_copies_and_pickles() -> None:
    a = net(ours)
    for twin in (copy.deepcopy(a), pickle.loads(pickle.dumps(a)), copy.copy(a)):
        assert repr(twin) == repr(a)
        for p, q in zip(a.parameters(), twin.parameters(), strict=True):
            np.testing.assert_array_equal(p._data, q._data)
            assert q.requires_grad and q.is_leaf
    twin = copy.deepcopy(a)
    twin[0].weight._data[...] = 0
    assert a[0].weight._data.any()


@pytest.mark.parametrize("norm", [2.0, 1.0, float("inf")])
def test_clipping(norm: float) -> None:
    arrays = [floats(3, 4), floats(5, start=1)]
    mine = [ours.Parameter(Tensor(x.copy(), None)) for x in arrays]
    other = [theirs.Parameter(torch.from_numpy(x.copy())) for x in arrays]
    for p, q, x in zip(mine, other, arrays, strict=True):
        p.grad, q.grad = Tensor(x * 3, None), torch.from_numpy(x * 3)
    close(ours.utils.clip_grad_norm_(mine, 1.5, norm), theirs.utils.clip_grad_norm_(other, 1.5, norm))
    for p, q in zip(mine, other, strict=True):
        close(p.grad, q.grad)
    ours.utils.clip_grad_value_(mine, 0.1), theirs.utils.clip_grad_value_(other, 0.1)
    for p, q in zip(mine, other, strict=True):
        close(p.grad, q.grad)
    vector = ours.utils.parameters_to_vector(mine)
    close(vector, theirs.utils.parameters_to_vector(other))
    ours.utils.vector_to_parameters(Tensor(vector._data * 2, None), mine)
    np.testing.assert_array_equal(mine[1]._data, arrays[1] * 2)


@pytest.mark.parametrize(
    ("make", "shape"),
    [case for case in LAYERS if "Conv" in repr(case[0](theirs))][:-1],
    ids=lambda v: str(v)[:9],
)
def test_a_convolution_as_one_matrix(make: Make, shape: tuple[int, ...]) -> None:
    layer = make(ours)
    layer.bias = None
    batched = len(shape) == layer.ndim + 2
    one = shape[1:] if batched else shape
    x = floats(*one).astype(np.float32)
    y = layer(Tensor(x[None], None))._data[0]
    np.testing.assert_allclose(
        layer.as_matrix(shape, sparse=False)._data @ x.reshape(-1), y.reshape(-1), rtol=1e-4, atol=1e-5
    )
    np.testing.assert_allclose(layer.as_matrix(one) @ x.reshape(-1), y.reshape(-1), rtol=1e-4, atol=1e-5)
