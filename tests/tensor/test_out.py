"""``out=``: where results go, what is refused, and that nothing is half written."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pytest

import convgrad as torch
from convgrad import linalg
from convgrad.errors import ConvgradError
from convgrad.tensor.out import rules


def test_the_given_tensor_comes_back_and_its_memory_is_written() -> None:
    memory = np.zeros((2, 6), np.float32)
    out = torch.from_numpy(memory)[:, ::2]
    assert torch.add(torch.ones(2, 3), 1, out=out) is out
    assert memory.tolist() == [[2, 0, 2, 0, 2, 0]] * 2
    assert out._version == 1


def test_several_results_are_a_named_tuple_of_the_given_tensors() -> None:
    values, indices = torch.empty(2), torch.empty(2, dtype=torch.long)
    found = torch.max(torch.tensor([[1.0, 3.0], [4.0, 2.0]]), 1, out=(values, indices))
    assert found.values is values and found.indices is indices
    assert type(found).__name__ == "max_out"
    assert values.tolist() == [3.0, 4.0] and indices.tolist() == [1, 0]
    with pytest.raises(TypeError, match="expected tuple of 2 elements but got 1"):
        torch.max(torch.ones(2, 2), 1, out=(values,))
    with pytest.raises(TypeError, match=r"max\(\) received an invalid combination"):
        torch.max(torch.ones(2, 2), 1, out=values)


def test_another_shape_is_taken_with_a_warning_unless_empty() -> None:
    with pytest.warns(UserWarning, match=r"was resized since it had shape \[5\].*output shape \[2, 3\]"):
        assert torch.exp(torch.zeros(2, 3), out=torch.empty(5)).shape == (2, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        out = torch.empty(0)
        torch.exp(torch.zeros(2, 3), out=out)
        torch.zeros(4, out=torch.ones(9))
    assert out.tolist() == [[1.0] * 3] * 2 and out._version == 1


def test_dtypes_are_cast_where_they_may_be() -> None:
    assert torch.add(torch.ones(2), 1, out=torch.empty(2, dtype=torch.float64)).tolist() == [2.0, 2.0]
    with pytest.raises(RuntimeError, match="result type Float can't be cast to the desired output type Long"):
        torch.add(torch.ones(2), 1, out=torch.empty(2, dtype=torch.long))
    with pytest.raises(RuntimeError, match="Expected out tensor to have dtype float, but got double instead"):
        torch.mm(torch.ones(2, 2), torch.ones(2, 2), out=torch.empty(2, 2, dtype=torch.float64))
    with pytest.raises(RuntimeError, match="does not match dtype of out parameter"):
        torch.zeros(2, dtype=torch.float64, out=torch.empty(2))
    total = torch.sum(torch.ones(3, dtype=torch.int64), out=torch.empty((), dtype=torch.float32))
    assert total.dtype == torch.float32


def test_gradients_do_not_go_through_out() -> None:
    x, out = torch.ones(2, requires_grad=True), torch.zeros(2)
    for call in (
        lambda: torch.exp(x, out=out),
        lambda: torch.add(x.detach(), 1, out=torch.ones(2, requires_grad=True)),
    ):
        with pytest.raises(
            RuntimeError, match=r"functions with out=\.\.\. arguments don't support automatic"
        ):
            call()
    assert out.tolist() == [0.0, 0.0] and out._version == 0
    with torch.no_grad():
        assert torch.exp(x, out=out) is out and not out.requires_grad
    assert torch.eq(x, 1, out=torch.empty(2, dtype=torch.bool)).tolist() == [True, True]


def test_a_write_to_a_saved_tensor_is_noticed() -> None:
    x = torch.ones(2, requires_grad=True)
    y = x * torch.ones(2)
    saved = torch.full((2,), 3.0)
    z = (y * saved).sum()
    torch.add(saved, 1, out=saved)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        z.backward()


def test_input_and_out_may_share_memory() -> None:
    x = torch.arange(6.0)
    torch.add(x[:5], 1, out=x[1:])
    assert x.tolist() == [0, 1, 2, 3, 4, 5]
    square = torch.arange(4.0).reshape(2, 2)
    torch.matmul(square, square, out=square)
    assert square.tolist() == [[2, 3], [6, 11]]
    torch.flip(square, (0,))
    turned = torch.tril(square, out=square.t())
    assert turned.tolist() == [[2, 0], [6, 11]]


def test_what_cannot_be_written_to() -> None:
    with pytest.raises(RuntimeError, match="single memory location"):
        torch.add(torch.ones(2, 3), 1, out=torch.zeros(1, 3).expand(2, 3))
    with pytest.raises(TypeError, match=r"add\(\): argument 'out' must be Tensor, not list"):
        torch.add(torch.ones(2), 1, out=[1])
    with pytest.raises(TypeError, match=r"relu\(\) got an unexpected keyword argument 'out'"):
        torch.relu(torch.ones(2), out=torch.empty(2))
    assert torch.add(torch.ones(2), 1, out=None).tolist() == [2.0, 2.0]


def test_functions_keep_their_names_and_can_be_pickled() -> None:
    for function in (torch.add, torch.tensordot, torch.hstack, linalg.norm, linalg.cross):
        assert pickle.loads(pickle.dumps(function)) is function
        assert function.__doc__
    assert torch.tensordot.__name__ == "tensordot" and linalg.norm.__name__ == "norm"
    assert linalg.norm(torch.ones(4), out=torch.empty(())).item() == 2.0


def test_every_rule_is_known() -> None:
    assert set(rules().values()) == {"cast", "copied", "each", "same", "dtype", "made"}


def test_what_a_composition_writes_carries_no_gradient_and_says_so() -> None:
    """PyTorch does so without a word; what records a node refuses."""
    x = torch.ones(2, 3).requires_grad_()
    out = torch.zeros(2, 3)
    with pytest.warns(UserWarning, match=r"softmax\(\): what is written into out= carries no gradient"):
        torch.softmax(x, 1, out=out)
    assert not out.requires_grad
    with pytest.raises(ConvgradError, match="don't support automatic differentiation"):
        torch.exp(x, out=out)


def test_resized_matrices_lie_by_columns_as_lapack_leaves_them() -> None:
    square = torch.eye(3) * 2
    out = torch.empty(0)
    torch.linalg.inv(square, out=out)
    assert out.stride() == (1, 3) and out.tolist() == (torch.eye(3) / 2).tolist()


def test_arange_keeps_a_target_with_as_many_elements() -> None:
    out = torch.zeros(2, 2)
    torch.arange(4.0, out=out)
    assert out.tolist() == [[0, 1], [2, 3]]
    with pytest.warns(UserWarning, match="resized to a tensor of shape"):
        torch.arange(3.0, out=out)
    assert out.shape == (3,)


def test_random_numbers_take_the_shape_asked_for() -> None:
    out = torch.zeros(12)
    assert torch.rand(3, 4, out=out).shape == (3, 4)
