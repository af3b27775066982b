"""Conversions: copies and pickles, NumPy and DLPack, ``.data``."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import convgrad as torch
from convgrad import dtypes
from convgrad.tensor import creation, functions_exchange


def test_pickle_and_deepcopy_keep_leaf_grad_and_dtype() -> None:
    x = creation.tensor([1.0, 2.0], dtype=dtypes.bfloat16, requires_grad=True)
    for y in (pickle.loads(pickle.dumps(x)), copy.deepcopy(x)):
        assert y.tolist() == [1.0, 2.0]
        assert y.requires_grad and y.is_leaf
        assert y.dtype is dtypes.bfloat16
        assert not np.shares_memory(y.detach().numpy(), x.detach().numpy())


def test_deepcopy_of_a_result_is_refused() -> None:
    x = creation.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match="Only Tensors created explicitly by the user"):
        copy.deepcopy(x * 2)


def test_data_shares_memory_without_history_or_version() -> None:
    x = creation.ones(2, requires_grad=True)
    y = (x * x).sum()
    x.data.mul_(3)  # not noticed: this is what .data is for
    y.backward()
    assert x.tolist() == [3.0, 3.0]
    assert x.grad.tolist() == [6.0, 6.0]


def test_setting_data_moves_the_leaf() -> None:
    x = creation.ones(2, requires_grad=True)
    x.data = creation.full((3,), 2.0)
    (x * x).sum().backward()
    assert x.grad.tolist() == [4.0] * 3
    node = x._node
    assert node.shape == (3,) and node.data is x._data


def test_dlpack_both_ways() -> None:
    x = creation.arange(4.0)
    a = np.from_dlpack(x)
    x[0] = 9
    assert a[0] == 9
    y = functions_exchange.from_dlpack(x)
    y[1] = 8
    assert x[1].item() == 8
    with pytest.raises(BufferError, match="require gradient"):
        np.from_dlpack(creation.ones(2, requires_grad=True))


def test_numpy_functions_give_tensors_and_operators_refuse_arrays_on_the_left() -> None:
    x = creation.ones(3)
    assert type(np.sin(x)) is type(x)
    with pytest.raises(TypeError, match="unsupported operand"):
        np.ones(3) * x


def test_casts_do_not_warn() -> None:
    x = creation.tensor([float("nan"), 1e300, -1.0], dtype=dtypes.float64)
    for kind in (dtypes.float32, dtypes.float16, dtypes.int64, dtypes.uint8):
        x.to(kind)


def test_gradient_is_cast_back() -> None:
    x = creation.ones(2, requires_grad=True)
    x.double().sum().backward()
    assert x.grad.dtype is dtypes.float32
    assert not x.long().requires_grad


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int64, np.bool_])
def test_what_comes_out_of_a_pickle_takes_the_short_ways_too(kind: type) -> None:
    """NumPy's pickles bring a dtype object of their own; the operators ask for one with ``is``."""
    array = np.ones((2, 3), kind)
    foreign = pickle.loads(pickle.dumps(array))
    tensors = [
        pickle.loads(pickle.dumps(torch.from_numpy(array))),
        pickle.loads(pickle.dumps(torch.nn.Buffer(torch.from_numpy(array)))),
        pickle.loads(pickle.dumps(torch.nn.Parameter(torch.from_numpy(array), False))),
        torch.from_numpy(foreign),
        torch.tensor(foreign),
    ]
    for tensor in tensors:
        assert tensor._data.dtype is np.dtype(kind)
    foreign[0, 0] = 0
    assert not tensors[3][0, 0], "from_numpy shares the memory"
    assert tensors[0].resize_(3, 4).shape == (3, 4)
