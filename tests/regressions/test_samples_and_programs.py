"""Differences from PyTorch that its own samples and random programs found; each test failed before its repair."""

from __future__ import annotations

import numpy as np
import pytest

import convgrad as torch
from convgrad.nn import functional

pytestmark = pytest.mark.regression


@pytest.mark.parametrize(
    "pick",
    [
        lambda x: x.sort(1), lambda x: x.max(1), lambda x: x.topk(2, 1), lambda x: x.kthvalue(2, 1),
        lambda x: x.median(1), lambda x: x.mode(1), lambda x: x.cummax(1), lambda x: x.cummin(1),
        lambda x: x.max(1, keepdim=True),
    ],
)  # fmt: skip
def test_positions_that_backward_reads_are_guarded(pick):
    values, positions = pick(torch.ones(2, 3, requires_grad=True) * 1)
    positions.zero_()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        values.sum().backward()


def test_as_strided_of_an_expanded_tensor_stays_inside_its_storage():
    with pytest.raises(RuntimeError, match="out of bounds for storage of size 4"):
        torch.tensor(1.0).expand(2).as_strided((2,), (1,))
    assert torch.tensor(1.0).expand(2).as_strided((2,), (0,)).tolist() == [1.0, 1.0]


def test_as_strided_is_a_view_wherever_it_looks():
    x = torch.arange(6.0)
    y = x[4:]
    z = y.as_strided((2,), (1,), 0)
    z.zero_()
    assert (x._version, y._version, z._version) == (1, 1, 1)
    leaf = torch.arange(6.0).requires_grad_()
    with pytest.raises(RuntimeError, match="a view of a leaf Variable"):
        leaf[4:].as_strided((2,), (1,), 0).zero_()


@pytest.mark.parametrize(
    "change",
    [lambda v: v.t_(), lambda v: v.squeeze_(), lambda v: v.unsqueeze_(0), lambda v: v.transpose_(0, 1)],
)
def test_shapes_of_views_that_may_not_be_written_to_stay(change):
    with pytest.raises(RuntimeError, match="a view of a leaf Variable that requires grad"):
        change(torch.ones(2, 3, requires_grad=True).view(3, 2))
    with pytest.raises(RuntimeError, match="returns multiple views"):
        change((torch.ones(2, 3, requires_grad=True) * 1).split(1)[0])


def test_a_mask_is_filled_with_a_number_of_any_dtype():
    x = torch.tensor([1, 2, 3])
    x[x > 1] = torch.tensor(1.5)
    assert x.tolist() == [1, 1, 1]
    y = torch.ones(3)
    y[y > 0] = torch.tensor(2)
    assert y.tolist() == [2.0, 2.0, 2.0]
    with pytest.raises(RuntimeError, match="dtypes match"):
        x[x > 0] = torch.tensor([1.5])


def test_the_shape_of_a_mask_is_looked_at_before_the_dtype():
    with pytest.raises(IndexError, match="shape of the mask"):
        torch.tensor([1, 2])[torch.ones(3) > 0] = torch.ones(3)


def test_names_of_reshape():
    x = torch.ones(2, 3, requires_grad=True) * 1
    names = [
        y.grad_fn.name() for y in (x.reshape(-1), x[:, 0].reshape(2, 1), x.t().reshape(-1), x[:, 0].flatten())
    ]
    assert names == ["ViewBackward0", "ReshapeAliasBackward0", "UnsafeViewBackward0", "SelectBackward0"]


@pytest.mark.parametrize(
    "name",
    [
        "float",
        "double",
        "half",
        "bfloat16",
        "int",
        "long",
        "short",
        "char",
        "byte",
        "bool",
        "cfloat",
        "cdouble",
    ],
)
def test_casts_take_a_memory_format(name):
    x = torch.ones(2, 3)
    assert getattr(x, name)(memory_format=torch.preserve_format).dtype is getattr(x, name)().dtype


def test_keywords_of_flip_and_normal():
    assert torch.flip(torch.arange(3), dims=[0]).tolist() == [2, 1, 0]
    assert torch.normal(0.0, 1.0, (2,), device="cpu", requires_grad=True).requires_grad


def test_diff_of_no_order_leaves_out_what_was_put_before():
    x = torch.arange(3.0)
    assert torch.diff(x, n=0, prepend=x, append=x).tolist() == [0.0, 1.0, 2.0]


def test_unique_consecutive_of_slices():
    x = torch.tensor([[1, 2, 2], [1, 2, 2], [3, 1, 1]])
    values, inverse, counts = x.unique_consecutive(True, True, dim=0)
    assert values.tolist() == [[1, 2, 2], [3, 1, 1]]
    assert (inverse.tolist(), counts.tolist()) == ([0, 0, 1], [2, 1])
    assert x.unique_consecutive(dim=-1).tolist() == [[1, 2], [1, 2], [3, 1]]
    with pytest.raises(RuntimeError, match="0 sized dimensions"):
        torch.zeros(3, 0).unique_consecutive(dim=0)


def test_take_along_dim_counts_from_the_end():
    x = torch.tensor([[1, 2, 3]])
    assert x.take_along_dim(torch.tensor([[-1, 0]]), 1).tolist() == [[3, 1]]
    assert x.take_along_dim(torch.tensor([-2])).tolist() == [2]
    with pytest.raises(IndexError, match="out of bounds"):
        x.take_along_dim(torch.tensor([[-4]]), 1)


def test_tensordot_broadcasts_a_dimension_of_one():
    a, b = torch.ones(2, 1, requires_grad=True), torch.ones(3, 4)
    out = torch.tensordot(a, b, ([1], [0]))
    assert out.tolist() == [[3.0] * 4] * 2
    out.sum().backward()
    assert a.grad is not None and a.grad.tolist() == [[12.0], [12.0]]


def test_l1_loss_of_complex_numbers_has_the_gradient_of_the_modulus():
    x = torch.tensor([3 + 4j], requires_grad=True)
    functional.l1_loss(x, torch.zeros(1, dtype=torch.complex64)).backward()
    assert x.grad is not None
    np.testing.assert_allclose(x.grad.numpy(), [0.6 + 0.8j], rtol=1e-6)


def test_an_empty_index_of_gather_may_be_of_any_dtype():
    assert torch.ones(3).gather(0, torch.zeros(0, dtype=torch.uint8)).shape == (0,)


def test_bernoulli_of_one_number():
    torch.manual_seed(0)
    assert torch.bernoulli(torch.tensor(1.0)).item() == 1.0


@pytest.mark.parametrize(
    ("kind", "words", "mistake"),
    [
        (IndexError, "no dimensions", lambda: torch.tensor(1.0).roll(1, 0)),
        (RuntimeError, "no dimensions", lambda: torch.tensor(1.0).unflatten(0, (1, 1))),
        (IndexError, "Dimension out of range", lambda: torch.stack([torch.ones(2), torch.ones(3)], 3)),
        (RuntimeError, "vstack expects a non-empty TensorList", lambda: torch.vstack([])),
        (RuntimeError, "dstack expects a non-empty TensorList", lambda: torch.dstack([])),
        (RuntimeError, "0-dim integral Tensor", lambda: torch.ones(3).narrow(0, torch.tensor(True), 1)),
        (TypeError, "must be int", lambda: torch.linspace(0, 1, 2.5)),
        (TypeError, "must be Tensor", lambda: torch.ones(2).logical_or(1)),
        (TypeError, "must be Tensor", lambda: torch.polar(torch.tensor(1), 1)),
        (RuntimeError, "Bad in-place call", lambda: torch.ones(2).cumsum_(0, dtype=torch.float64)),
        (NotImplementedError, "cumprod_out_cpu.*Bool", lambda: torch.tensor([True]).cumprod_(0)),
        (
            IndexError,
            "dimensionality",
            lambda: torch.ones(2, 3).index_copy_(0, torch.tensor([0, 1]), torch.ones(3)),
        ),
        (
            IndexError,
            "one element",
            lambda: torch.ones(3).index_add_(0, torch.tensor([0, 1]), torch.tensor(1.0)),
        ),
        (RuntimeError, "two bool tensors", lambda: torch.tensor([True]) - torch.tensor([True])),
        (NotImplementedError, "gt_cpu.*ComplexFloat", lambda: torch.ones(1, dtype=torch.complex64) > 0),
        (NotImplementedError, "bitwise_and_cpu.*Float", lambda: torch.ones(1) & torch.ones(1)),
        (RuntimeError, "type int8_t without", lambda: torch.ones(1, dtype=torch.int8).fill_(1000)),
    ],
)
def test_mistakes_are_named_as_in_pytorch(kind, words, mistake):
    with pytest.raises(kind, match=words):
        mistake()
