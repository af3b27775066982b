"""Layers without PyTorch: what their formulas promise, what their classes are derived from, what errors leave behind."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import convgrad as torch
from convgrad import nn
from convgrad.tensor.tensor import Tensor
from convgrad.testing import gradcheck

CLASSES = sorted([n for n, v in vars(nn).items() if isinstance(v, type) and issubclass(v, nn.Module)])


def normal(*shape: int, start: int = 0) -> Tensor:
    return Tensor(np.random.default_rng(start).standard_normal(shape), None)


@pytest.mark.parametrize("name", CLASSES)
def test_every_class_says_what_it_does(name: str) -> None:
    """A docstring of its own (or its base's words), and a forward that has one."""
    kind = getattr(nn, name)
    assert kind.__doc__ and len(kind.__doc__.split()) > 1
    assert kind.__name__ == name
    assert kind.__module__.startswith("convgrad.nn.")
    assert kind.forward.__doc__


def test_bases_that_programs_ask_for() -> None:
    """``isinstance`` with the private bases is how programs freeze or count layers of a kind."""
    modules = nn.modules
    for kind, base in (
        (nn.BatchNorm2d, modules.batchnorm._BatchNorm),
        (nn.SyncBatchNorm, modules.batchnorm._BatchNorm),
        (nn.InstanceNorm1d, modules.instancenorm._InstanceNorm),
        (nn.InstanceNorm1d, modules.batchnorm._NormBase),
        (nn.ConvTranspose3d, modules.conv._ConvTransposeNd),
        (nn.Conv1d, modules.conv._ConvNd),
        (nn.CrossEntropyLoss, modules.loss._WeightedLoss),
        (nn.Dropout2d, modules.dropout._DropoutNd),
        (nn.ZeroPad1d, nn.ConstantPad1d),
        (nn.LazyConv2d, nn.Conv2d),
    ):
        assert issubclass(kind, base)
    assert not issubclass(nn.InstanceNorm1d, modules.batchnorm._BatchNorm)


# ---------------------------------------------------------------- lazy layers


def test_a_lazy_network_learns_its_sizes() -> None:
    net = nn.Sequential(nn.LazyConv2d(4, 3), nn.LazyBatchNorm2d(), nn.ReLU(), nn.Flatten(), nn.LazyLinear(2))
    assert repr(net[4]) == "LazyLinear(in_features=0, out_features=2, bias=True)"
    assert net(normal(2, 3, 6, 5).float()).shape == (2, 2)
    assert repr(net[4]) == "Linear(in_features=48, out_features=2, bias=True)"
    assert [m.__class__ for m in net[:2]] == [nn.Conv2d, nn.BatchNorm2d]
    assert net[0].weight.shape == (4, 3, 3, 3)
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        net[4](normal(2, 5).float())


@pytest.mark.parametrize(
    "state",
    [
        {"0.weight": np.ones((3, 2), "f")},
        {"0.weight": np.ones((3, 2), "f"), "0.bias": np.ones(3, "f"), "1.weight": np.ones((2, 2), "f")},
        {
            "0.weight": 3,
            "0.bias": np.ones(3, "f"),
            "1.weight": np.ones((1, 3), "f"),
            "1.bias": np.ones(1, "f"),
        },
    ],
)
def test_a_state_that_does_not_fit_leaves_a_lazy_layer_lazy(state: dict[str, Any]) -> None:
    net = nn.Sequential(nn.LazyLinear(3), nn.Linear(3, 1))
    before = net[1].weight.tolist()
    with pytest.raises(RuntimeError, match="Error"):
        net.load_state_dict(state)
    assert net[0].has_uninitialized_params()
    assert [repr(p) for p in net[0].parameters()] == ["<UninitializedParameter>"] * 2
    assert net[1].weight.tolist() == before
    assert net(normal(4, 2).float()).shape == (4, 1)


def test_assignment_into_a_lazy_layer() -> None:
    layer = nn.LazyLinear(3)
    source = nn.Linear(2, 3).double()
    layer.load_state_dict(source.state_dict(), assign=True)
    assert layer.weight.dtype is torch.float64
    assert np.shares_memory(layer.weight._data, source.weight._data)
    layer.weight.sum().backward()
    assert layer.weight.grad is not None


def test_strictness_of_a_lazy_layer() -> None:
    layer = nn.LazyLinear(3)
    left = layer.load_state_dict({"weight": normal(3, 2), "other": normal(1)}, strict=False)
    assert left.missing_keys == ["bias"]
    assert left.unexpected_keys == ["other"]
    assert layer.weight.shape == (3, 2) and layer.has_uninitialized_params()


def test_a_leaf_made_before_there_is_a_shape() -> None:
    """Gradients, hooks and a dropped handle: the leaf of an uninitialised parameter is one like any other."""
    layer = nn.LazyLinear(3, bias=False)
    seen = []
    layer.weight.register_hook(lambda g: seen.append(tuple(g.shape)))
    out = layer(normal(4, 2).float())
    out.sum().backward()
    assert seen == [(3, 2)]
    assert layer.weight.grad.shape == (3, 2)
    assert (layer.weight * 2).grad_fn.next_functions[0][0].variable is layer.weight
    assert type(layer.weight) is nn.Parameter


def test_frozen_before_there_is_a_shape() -> None:
    layer = nn.LazyLinear(3)
    assert not layer.requires_grad_(False).weight.requires_grad
    assert layer.requires_grad_(True).weight.requires_grad
    layer.bias.requires_grad_(False)
    layer(torch.ones(1, 2)).sum().backward()
    assert layer.weight.grad is not None and layer.bias.grad is None
    assert not layer.bias.requires_grad
    with pytest.raises(RuntimeError, match="uninitialized parameter in numel"):
        nn.LazyLinear(2).weight.numel()
    with pytest.raises(ValueError, match="uninitialized parameter in ones_"):
        nn.init.ones_(nn.LazyLinear(2).weight)


def test_uninitialised_tensors_survive_copies() -> None:
    for value in (nn.UninitializedParameter(dtype=torch.float16), nn.UninitializedBuffer(persistent=False)):
        for twin in (copy.deepcopy(value), pickle.loads(pickle.dumps(value))):
            assert type(twin) is type(value)
            assert twin.dtype is value.dtype
            assert twin.requires_grad == value.requires_grad
            assert getattr(twin, "persistent", None) == getattr(value, "persistent", None)
    pair = [value] * 2
    assert copy.deepcopy(pair)[0] is not copy.deepcopy(pair)[1]  # two copies, each one object twice
    assert len({id(v) for v in copy.deepcopy(pair)}) == 1


# ---------------------------------------------------------------- formulas


def test_instance_norm_with_statistics() -> None:
    """They move towards the mean over examples of each example's own, and are used in evaluation."""
    layer = nn.InstanceNorm1d(3, momentum=0.25, track_running_stats=True).double()
    x = normal(4, 3, 6)
    layer(x)
    means, variances = x._data.mean(2).mean(0), x._data.var(2, ddof=1).mean(0)
    np.testing.assert_allclose(layer.running_mean._data, 0.25 * means)
    np.testing.assert_allclose(layer.running_var._data, 0.75 + 0.25 * variances)
    layer.eval()
    scaled = (x._data - 0.25 * means[:, None]) / np.sqrt(0.75 + 0.25 * variances[:, None] + 1e-5)
    np.testing.assert_allclose(layer(x)._data, scaled)
    np.testing.assert_allclose(layer(x[0])._data, scaled[0])


def test_cross_map_normalisation() -> None:
    layer = nn.CrossMapLRN2d(3, alpha=0.5, beta=0.7, k=2)
    x = normal(2, 5, 2, 3)
    square = x._data**2
    windows = [{0, 1}, {0, 1, 2}, {0, 1, 2, 3}, {0, 2, 3, 4}, {0, 3, 4}]
    sums = np.stack([sum(square[:, c] for c in window) for window in windows], 1)
    np.testing.assert_allclose(layer(x)._data, x._data * (2 + 0.5 / 3 * sums) ** -0.7)
    assert gradcheck(layer, x.requires_grad_())


def test_rare_rows_of_bags() -> None:
    """With ``scale_grad_by_freq`` the gradient of each row is divided by how often that row is used."""
    bag = nn.EmbeddingBag(6, 1, scale_grad_by_freq=True, mode="sum").double()
    bag(torch.tensor([[0, 1, 4], [4, 1, 1]])).backward(torch.tensor([[1.0], [10.0]]).double())
    np.testing.assert_allclose(bag.weight.grad._data[:, 0], [1, (1 + 10 + 10) / 3, 0, 0, (1 + 10) / 2, 0])


def test_adaptive_softmax_is_a_distribution() -> None:
    layer = nn.AdaptiveLogSoftmaxWithLoss(6, 20, [4, 9], div_value=1.5, head_bias=True).double()
    x = normal(7, 6).requires_grad_()
    all_classes = layer.log_prob(x)
    np.testing.assert_allclose(np.exp(all_classes._data).sum(1), 1)
    target = torch.tensor([0, 3, 4, 8, 9, 19, 2])
    out, loss = layer(x, target)
    np.testing.assert_allclose(out._data, all_classes._data[range(7), target._data])
    assert loss.item() == pytest.approx(-out.mean().item())
    assert layer.predict(x).tolist() == all_classes.argmax(1).tolist()
    assert gradcheck(lambda x: layer(x, target).loss, x)


@pytest.mark.parametrize("how", [{}, {"stride": 2, "padding": 1}, {"dilation": 2, "groups": 2}], ids=str)
def test_gradients_of_a_convolution_without_its_output(how: dict[str, Any]) -> None:
    x, w = (
        normal(2, 4, 7, 6).requires_grad_(),
        normal(6, 4 // how.get("groups", 1), 3, 3, start=1).requires_grad_(),
    )
    y = nn.functional.conv2d(x, w, **how)
    g = normal(*y.shape, start=2)
    gx, gw = torch.autograd.grad(y, (x, w), g)
    np.testing.assert_array_equal(nn.grad.conv2d_input(x.shape, w, g, **how)._data, gx._data)
    np.testing.assert_array_equal(nn.grad.conv2d_weight(x, list(w.shape), g, **how)._data, gw._data)
    with pytest.raises(
        RuntimeError, match=r"conv2d_weight: Expected a tensor of dimension 4 .* but got \[2, 6"
    ):
        nn.grad.conv2d_weight(x[:, :, 2:], w.shape, g, **how)
    assert gradcheck(lambda w, g: nn.grad.conv2d_input(x.shape, w, g, **how), (w, g.requires_grad_()))


def test_a_triplet_with_a_distance_of_ones_own() -> None:
    loss = nn.TripletMarginWithDistanceLoss(distance_function=lambda a, b: (a - b).abs().amax(-1), margin=0.5)
    a, b, c = normal(4, 3), normal(4, 3, start=1), normal(4, 3, start=2)
    far, near = [abs(a._data - v._data).max(1) for v in (c, b)]
    assert loss(a, b, c).item() == pytest.approx(np.maximum(0, near - far + 0.5).mean())


def test_wrappers_for_several_devices() -> None:
    layer = nn.Linear(3, 2)
    wrapped = nn.DataParallel(layer)
    assert wrapped(torch.ones(4, 3)).tolist() == layer(torch.ones(4, 3)).tolist()
    assert nn.parallel.data_parallel(layer, torch.ones(4, 3)).shape == (4, 2)
    assert nn.parallel.data_parallel(layer, (), module_kwargs={"input": torch.ones(4, 3)}).shape == (4, 2)
    with pytest.raises(RuntimeError, match="Run a dummy forward pass"):
        nn.LazyLinear(2)._replicate_for_data_parallel()


@pytest.mark.parametrize(
    "settings", [{}, {"affine": False}, {"bias": False}, {"dtype": torch.float64}], ids=str
)
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_batch_norm_in_evaluation_is_the_function(settings: dict[str, Any], mode: Any) -> None:
    """The short way of a module in evaluation gives what ``batch_norm`` gives, and refuses what it refuses."""
    layer = nn.BatchNorm1d(3, **settings)
    dtype = settings.get("dtype", torch.float32)
    layer(torch.randn(5, 3, 7, dtype=dtype) * 3 + 1)
    layer.eval()
    pair = nn.Sequential(layer, nn.ReLU())
    for shape in ((2, 3, 9), (4, 3), (0, 3)):
        x = torch.randn(*shape, dtype=dtype)
        wanted = nn.functional.batch_norm(
            x, layer.running_mean, layer.running_var, layer.weight, layer.bias, eps=layer.eps
        )
        with mode():
            for found, right in ((layer(x), wanted), (pair(x), wanted.relu())):
                np.testing.assert_array_equal(found.numpy(), right.detach().numpy())
                assert found.dtype is dtype and found.is_inference() == (mode is torch.inference_mode)
    with mode():
        with pytest.raises(ValueError, match="expected 2D or 3D input"):
            layer(torch.zeros(1, 3, 2, 2, dtype=dtype))
        with pytest.raises(RuntimeError, match="running_mean should contain 2 elements not 3"):
            layer(torch.zeros(4, 2, dtype=dtype))
    layer.track_running_stats, layer.running_mean, layer.running_var = False, None, None
    with mode():
        assert abs(float(layer(torch.randn(50, 3, dtype=dtype) + 9).mean())) < 1  # of the batch itself
