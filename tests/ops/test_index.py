"""What the case tables cannot say of indexing: in place, repeats, nothing half-done after an error."""

from __future__ import annotations

import numpy as np
import pytest

from convgrad import dtypes
from convgrad.tensor import creation


def test_masked_assignment_changes_only_the_mask() -> None:
    x = creation.arange(6.0).view(2, 3)
    x[x > 2] = -1
    assert x.tolist() == [[0.0, 1.0, 2.0], [-1.0, -1.0, -1.0]]


def test_assignment_is_counted_and_seen_by_backward() -> None:
    x = creation.ones(3, requires_grad=True)
    y = x * 2
    z = y * y
    y[0] = 5
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        z.sum().backward()


def test_untracked_assignment_counts_too() -> None:
    y = creation.ones(3)
    x = creation.ones(3, requires_grad=True)
    z = x * y
    y[1] = 4.0
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        z.sum().backward()


def test_gradient_of_repeated_indices_adds_up() -> None:
    x = creation.ones(3, requires_grad=True)
    x[[0, 0, 2]].sum().backward()
    assert x.grad.tolist() == [2.0, 0.0, 1.0]


@pytest.mark.parametrize("key", [5, (0, 9), ([0, 7],), "a", 1.5])
def test_a_bad_key_changes_nothing(key: object) -> None:
    x = creation.zeros(2, 3)
    with pytest.raises((IndexError, TypeError)):
        x[key] = 1.0
    assert not x.numpy().any()
    assert x._cell is None or x._cell.version == 0


def test_bfloat16_scatter_add_rounds_once() -> None:
    x = creation.zeros(1, dtype=dtypes.bfloat16)
    many = creation.ones(1000, dtype=dtypes.bfloat16)
    assert x.scatter_add(0, creation.zeros(1000, dtype=dtypes.int64), many).item() == 1000


def test_index_results_are_contiguous() -> None:
    x = creation.zeros(2, 3, 4)
    assert x[:, :, [0, 1]].is_contiguous()
    assert x.transpose(0, 2)[[0, 1]].is_contiguous()


def test_iteration_and_length() -> None:
    x = creation.arange(6).view(3, 2)
    assert [row.tolist() for row in x] == [[0, 1], [2, 3], [4, 5]]
    assert len(x) == 3
    assert 4 in x and 9 not in x
    assert np.array_equal(np.stack([r.numpy() for r in x.unbind(1)], 1), x.numpy())
