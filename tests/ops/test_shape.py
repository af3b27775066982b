"""What the case tables cannot say of views and joins: shared memory, in-place shapes, promotion."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from convgrad import dtypes
from convgrad.errors import GradError
from convgrad.tensor import creation
from convgrad.tensor import functions_shape as joins

VIEWS = {
    "view": lambda x: x.view(-1),
    "permute": lambda x: x.permute(2, 1, 0),
    "expand": lambda x: x.expand(2, 2, 3, 4),
    "unsqueeze": lambda x: x.unsqueeze(1),
    "narrow": lambda x: x.narrow(1, 1, 2),
    "select": lambda x: x.select(0, 1),
    "diagonal": lambda x: x.diagonal(0, 1, 2),
    "unfold": lambda x: x.unfold(2, 2, 1),
    "split": lambda x: x.split(1)[0],
    "tensor_split": lambda x: x.tensor_split(2, 2)[1],
    "mT": lambda x: x.mT,
    "slice": lambda x: x[:, 1:, ::2],
}


@pytest.mark.parametrize("name", VIEWS)
def test_views_share_memory_and_version(name: str) -> None:
    x = creation.zeros(2, 3, 4)
    view = VIEWS[name](x)
    x.fill_(7)
    assert (view.numpy() == 7).all()
    assert view._cell is x._cell


@pytest.mark.parametrize("name", ["flip", "repeat", "roll", "tril"])
def test_copies_do_not(name: str) -> None:
    x = creation.zeros(2, 3)
    copy = {"flip": lambda: x.flip(0), "repeat": lambda: x.repeat(1, 1), "roll": lambda: x.roll(1, 0),
            "tril": lambda: x.tril()}[name]()  # fmt: skip
    x.fill_(7)
    assert (copy.numpy() == 0).all()


def test_diagonal_can_be_written_to() -> None:
    x = creation.zeros(3, 3)
    x.diagonal().fill_(1)
    assert x.tolist() == np.eye(3).tolist()


@settings(max_examples=60, deadline=None)
@given(st.permutations(range(4)), st.lists(st.integers(1, 3), min_size=4, max_size=4))
def test_reshape_is_a_view_exactly_where_view_allows(order: list[int], shape: list[int]) -> None:
    x = creation.arange(int(np.prod(shape))).view(shape).permute(order)
    flat = x.reshape(-1)
    assert flat.tolist() == x.numpy().reshape(-1).tolist()
    shares = np.shares_memory(flat.numpy(), x.numpy())
    if shares:
        assert x.view(-1).tolist() == flat.tolist()
    else:
        with pytest.raises(
            RuntimeError, match="at least one dimension spans across two contiguous subspaces"
        ):
            x.view(-1)


def test_in_place_shape_of_a_leaf_is_refused() -> None:
    x = creation.zeros(2, 3, requires_grad=True)
    with pytest.raises(GradError, match="a leaf Variable that requires grad"):
        x.t_()
    assert x.shape == (2, 3)


def test_views_taken_before_an_in_place_transpose_stay_right() -> None:
    x = creation.ones(2, 3, requires_grad=True)
    y = x * 1
    row = y[0]
    y.t_()
    row.mul_(5)
    assert y.tolist() == [[5.0, 1.0], [5.0, 1.0], [5.0, 1.0]]
    y.sum().backward()
    assert x.grad.tolist() == [[5.0] * 3, [1.0] * 3]


def test_cat_promotes_and_skips_legacy_empties() -> None:
    parts = [
        creation.zeros(0),
        creation.ones(2, 2, dtype=dtypes.int64),
        creation.ones(1, 2, dtype=dtypes.float16),
    ]
    out = joins.cat(parts)
    assert out.dtype is dtypes.float32
    assert out.shape == (3, 2)


def test_view_as_other_dtype_shares_memory() -> None:
    x = creation.zeros(2, 4)
    bits = x.view(dtypes.int32)
    bits.fill_(0x3F800000)
    assert x.tolist() == [[1.0] * 4] * 2
