"""Modules without PyTorch: registration, states, hooks, and that nothing is half done after an error."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convgrad import nn
from convgrad.errors import DeviceError
from convgrad.generator import default_generator
from convgrad.tensor.tensor import Tensor


def tensor(*shape: int) -> Tensor:
    return Tensor(np.random.default_rng(0).standard_normal(shape).astype(np.float32), None)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3, 4)
        self.norm = nn.BatchNorm1d(4)
        self.tied = self.first
        self.scale = nn.Parameter(Tensor([2.0]))
        self.register_buffer("kept", Tensor([1.0]))
        self.register_buffer("passing", Tensor([1.0]), persistent=False)

    def forward(self, x: Any) -> Any:
        return self.norm(self.first(x)) * self.scale


def test_what_is_registered() -> None:
    net = Net()
    assert [n for n, _ in net.named_parameters()] == [
        "scale", "first.weight", "first.bias", "norm.weight", "norm.bias",
    ]  # fmt: skip
    assert len(list(net.named_parameters(remove_duplicate=False))) == 7
    assert "passing" not in net.state_dict()
    assert "tied.weight" in net.state_dict()
    assert net.get_parameter("first.bias") is net.first.bias
    del net.scale
    assert "scale" not in dict(net.named_parameters())
    net.kept = Tensor([5.0])
    assert net.state_dict()["kept"].tolist() == [5.0]


def test_a_parameter_shares_memory_and_prints() -> None:
    source = Tensor([1.0, 2.0])
    p = nn.Parameter(source)
    source._data[0] = 7
    assert p._data[0] == 7
    assert repr(p) == "Parameter containing:\ntensor([7., 2.], requires_grad=True)"
    with pytest.raises(RuntimeError, match="floating point and complex dtype can require gradients"):
        nn.Parameter(Tensor(np.arange(3), None))
    assert not nn.Parameter(Tensor(np.arange(3), None), requires_grad=False).requires_grad


def test_nothing_is_loaded_when_something_does_not_fit() -> None:
    net = Net()
    before = {k: v._data.copy() for k, v in net.state_dict().items()}
    state = {k: Tensor(np.asarray(v + 1), None) for k, v in before.items()}
    state["norm.bias"] = Tensor([1.0])
    with pytest.raises(RuntimeError, match=r"size mismatch for norm.bias: copying a param with shape"):
        net.load_state_dict(state)
    for key, value in net.state_dict().items():
        np.testing.assert_array_equal(value._data, before[key])
    assert repr(net.load_state_dict(Net().state_dict())) == "<All keys matched successfully>"


def test_modes_dtypes_and_gradients() -> None:
    net = Net().eval()
    assert not any(m.training for m in net.modules())
    net.train()(tensor(5, 3)).sum().backward()
    node = net.scale._node
    net.double()
    assert net.scale._node is node
    assert {p._data.dtype for p in net.parameters()} == {np.dtype(np.float64)}
    assert net.scale.grad._data.dtype == np.float64
    assert net.norm.num_batches_tracked._data.dtype == np.int64
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())
    assert not any(p.requires_grad for p in net.requires_grad_(False).parameters())
    with pytest.raises(TypeError, match="only accepts floating point or complex"):
        net.to(Tensor(np.arange(3), None).dtype)
    with pytest.raises(DeviceError, match="CPU"):
        net.to("cuda:0")


def test_hooks_in_order_and_removed() -> None:
    seen: list[str] = []
    layer = nn.Identity()
    handles = [
        layer.register_forward_pre_hook(lambda m, args: seen.append("before")),
        layer.register_forward_pre_hook(lambda m, args: (args[0] + 1,), prepend=True),
        layer.register_forward_hook(lambda m, args, out: out * 2),
        layer.register_forward_hook(lambda m, a, kw, out: seen.append(f"{out.tolist()}"), with_kwargs=True),
    ]
    assert layer(Tensor([1.0])).tolist() == [4.0]
    assert seen == ["before", "[4.0]"]
    for handle in handles:
        handle.remove()
    assert layer(Tensor([1.0])).tolist() == [1.0]


def test_copies_are_independent() -> None:
    net = Net()
    net(tensor(4, 3)).sum().backward()
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert twin.tied is twin.first
        twin.first.weight._data[...] = 0
        assert net.first.weight._data.any()
        twin(tensor(4, 3)).sum().backward()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(["append", "insert", "pop", "slice"]), max_size=8), st.integers(0, 9))
def test_sequential_behaves_as_a_list(actions: list[str], start: int) -> None:
    chain, model = nn.Sequential(), []
    for number, action in enumerate(actions):
        layer, place = nn.Hardshrink(float(number)), (start + number) % (len(model) + 1)
        if action == "append":
            chain.append(layer)
            model.append(layer)
        elif action == "insert":
            chain.insert(place, layer)
            model.insert(place, layer)
        elif model and action == "pop":
            assert chain.pop(-1) is model.pop(-1)
        elif action == "slice":
            assert list(chain[place:]) == model[place:]
    assert list(chain) == model
    assert list(chain._modules) == [str(i) for i in range(len(model))]


def test_batch_norm_moves_its_statistics() -> None:
    layer = nn.BatchNorm1d(2, momentum=0.25)
    x = Tensor(np.array([[1.0, 2.0], [3.0, 6.0]], np.float32), None)
    layer(x)
    np.testing.assert_allclose(layer.running_mean._data, [0.5, 1.0])
    np.testing.assert_allclose(layer.running_var._data, [0.75 + 0.25 * 2, 0.75 + 0.25 * 8])
    layer.eval()(x)
    assert layer.num_batches_tracked.item() == 1


def test_dropout_keeps_the_mean_and_repeats_with_the_seed() -> None:
    x = Tensor(np.ones(20000, np.float32), None)
    default_generator.manual_seed(0)
    first = nn.Dropout(0.25)(x)._data
    default_generator.manual_seed(0)
    np.testing.assert_array_equal(nn.Dropout(0.25)(x)._data, first)
    assert set(np.unique(first)) == {np.float32(0), np.float32(1 / 0.75)}
    assert abs(first.mean() - 1) < 0.02
    assert nn.Dropout(0.25).eval()(x) is x


def test_layers_are_documented_and_conv1d_explains_its_arguments() -> None:
    assert [n for n in nn.__all__ if not (getattr(nn, n).__doc__ or "").strip()] == []
    text = nn.Conv1d.__doc__ or ""
    for name in [
        "in_channels",
        "out_channels",
        "kernel_size",
        "stride",
        "padding",
        "dilation",
        "groups",
        "bias",
        "padding_mode",
    ]:
        assert f"{name}:" in text


def test_a_dense_and_a_sparse_matrix_of_a_convolution() -> None:
    layer = nn.Conv1d(1, 1, 3, bias=False, padding=1, padding_mode="circular")
    layer.weight._data[...] = [[[1.0, 2.0, 3.0]]]
    expected = [[2, 3, 0, 1], [1, 2, 3, 0], [0, 1, 2, 3], [3, 0, 1, 2]]
    assert layer.as_matrix((1, 4), sparse=False).tolist() == expected
    assert layer.as_matrix(4).toarray().tolist() == expected
    with pytest.raises(RuntimeError, match="as_matrix: needs the shape of one example"):
        layer.as_matrix((2, 4))


def test_a_parameter_that_is_assigned_again_keeps_its_place() -> None:
    """The order of the state is that of the first registration, as in PyTorch: files are compared by it."""
    layer = nn.Linear(2, 2)
    layer.weight = nn.Parameter(Tensor(np.zeros((2, 2), np.float32)))
    assert list(layer.state_dict()) == ["weight", "bias"]
