"""What the tables of cases cannot say of reductions: ties, NaN, half precision, printing, any shapes."""

from __future__ import annotations

import math
import pickle
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from convgrad.autograd import grad
from convgrad.graph.engine import run
from convgrad.ops import scan
from convgrad.tensor import return_types
from convgrad.tensor.tensor import Tensor

ARRAYS = arrays.arrays(
    np.float64,
    arrays.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=4),
    elements=st.integers(-3, 3),
)


def tensor(x: Any, kind: Any = None) -> Tensor:
    return Tensor(np.asarray(x, kind), None)


def gradient(out: Tensor, x: Tensor) -> Any:
    node = x._node
    return run([(out._node, np.ones(out._data.shape, out._data.dtype))], inputs=[node], capture=True)[node]


@pytest.mark.parametrize("kind", [np.bool_, np.uint8, np.int8, np.int32, np.int64])
@pytest.mark.parametrize("name", ["sum", "prod", "nansum"])
def test_integers_reduce_in_int64(kind: Any, name: str) -> None:
    assert getattr(tensor([1, 1, 1], kind), name)()._data.dtype == np.int64
    assert tensor([100] * 4, np.int8).sum().item() == 400


@pytest.mark.parametrize("kind", [np.float16, ml_dtypes.bfloat16])
def test_half_precision_sums_in_float32(kind: Any) -> None:
    ones = tensor(np.ones(1000), kind)
    assert ones.sum().item() == 1000.0
    assert ones.mean().item() == 1.0
    assert ones.cumsum(0)._data[-1] == 1000.0
    assert ones.norm().item() == pytest.approx(math.sqrt(1000), rel=4e-3)
    assert ones.sum()._data.dtype == np.dtype(kind)


def test_gradient_of_a_converted_sum_has_the_input_dtype() -> None:
    x = tensor([1.0, 2.0], np.float32).requires_grad_()
    out = x.sum(dtype=tensor([1.0]).dtype)
    assert out._data.dtype == np.float64
    assert gradient(out, x).dtype == np.float32


def test_uint8_any_is_uint8() -> None:
    assert tensor([0, 2], np.uint8).any()._data.dtype == np.uint8
    assert tensor([0, 2], np.int64).any()._data.dtype == np.bool_


def test_max_gives_the_first_of_equals_and_shares_only_without_dim() -> None:
    x = tensor([2.0, 2.0, 1.0]).requires_grad_()
    assert x.max(0)[1].item() == 0
    assert gradient(x.max(0)[0], x).tolist() == [1.0, 0.0, 0.0]
    assert gradient(x.max(), x).tolist() == [0.5, 0.5, 0.0]
    assert gradient(x.amax(0), x).tolist() == [0.5, 0.5, 0.0]


def test_nan_is_the_largest() -> None:
    x = tensor([1.0, math.nan, 3.0, math.nan])
    assert x.argmax().item() == x.argmin().item() == 1
    assert math.isnan(x.max().item()) and math.isnan(x.min().item()) and math.isnan(x.median().item())
    assert x.nanmedian().item() == 1.0
    assert x.sort()[1].tolist() == [0, 2, 1, 3]
    assert x.sort(descending=True)[1].tolist() == [1, 3, 2, 0]
    assert x.topk(2)[1].tolist() == [1, 3]
    assert x.cummax(0)[1].tolist() == [0, 1, 1, 3]
    assert x.nansum().item() == 4.0 and x.nanmean().item() == 2.0


def test_running_extremes_name_the_last_of_equals() -> None:
    x = tensor([3, 1, 3, 2, 1, 3])
    assert x.cummax(0)[1].tolist() == [0, 0, 2, 2, 2, 5]
    assert x.cummin(0)[1].tolist() == [0, 1, 1, 1, 4, 4]


@given(ARRAYS, st.booleans())
@settings(deadline=None, max_examples=60)
def test_sort_is_stable_both_ways(x: Any, descending: bool) -> None:
    values, index = tensor(x).sort(-1, descending)
    keys = np.moveaxis(-x if descending else x, -1, -1)
    assert np.array_equal(index._data, np.argsort(keys, -1, kind="stable"))
    assert np.array_equal(values._data, np.take_along_axis(x, index._data, -1))


@given(ARRAYS)
@settings(deadline=None, max_examples=60)
def test_gradient_of_a_product_is_the_product_of_the_others(x: Any) -> None:
    t = tensor(x).requires_grad_()
    flat = x.reshape(-1)
    expected = [math.prod(np.delete(flat, k).tolist()) for k in range(flat.size)]
    assert gradient(t.prod(), t).reshape(-1) == pytest.approx(expected)


@given(ARRAYS, st.integers(0, 2))
@settings(deadline=None, max_examples=60)
def test_gradient_of_cumprod_with_zeros_anywhere(x: Any, dim: int) -> None:
    axis = dim % x.ndim
    g = np.arange(1.0, x.size + 1).reshape(x.shape)
    pulled = scan.CumProdGrad.forward(g, x, axis)[0]
    rows, back = np.moveaxis(x, axis, -1), np.moveaxis(g, axis, -1)
    expected = np.zeros(rows.shape)
    for at in np.ndindex(rows.shape):
        others = rows[at[:-1]].copy()
        others[at[-1]] = 1.0
        expected[at] = np.sum((back[at[:-1]] * np.cumprod(others))[at[-1] :])
    np.testing.assert_allclose(np.moveaxis(pulled, axis, -1), expected, atol=1e-9)


@given(ARRAYS)
@settings(deadline=None, max_examples=40)
def test_reductions_agree_with_numpy_over_any_axis(x: Any) -> None:
    for axis in range(-x.ndim, x.ndim):
        assert tensor(x).sum(axis)._data == pytest.approx(x.sum(axis))
        assert tensor(x).var(axis, correction=0, keepdim=True)._data == pytest.approx(
            x.var(axis, keepdims=True)
        )
        assert np.array_equal(tensor(x).argmin(axis)._data, x.argmin(axis))
        assert np.array_equal(tensor(x).cummax(axis)[0]._data, np.maximum.accumulate(x, axis))


def test_the_mean_of_nothing_is_nan_and_its_sum_is_0() -> None:
    nothing = tensor([], np.float32)
    assert math.isnan(nothing.mean().item()) and nothing.sum().item() == 0.0 and nothing.prod().item() == 1.0
    assert nothing.logsumexp(0).item() == -math.inf


def test_logarithmic_sums_do_not_overflow() -> None:
    x = tensor([1000.0, 1000.0, -1000.0]).requires_grad_()
    assert x.logsumexp(0).item() == pytest.approx(1000 + math.log(2))
    assert gradient(x.logsumexp(0), x) == pytest.approx([0.5, 0.5, 0.0])
    assert gradient(x.logcumsumexp(0), x) == pytest.approx([2.0, 1.0, 0.0])


def test_named_results_print_and_pickle() -> None:
    pair = tensor([1.0, 3.0]).max(0)
    assert isinstance(pair, tuple) and pair.values is pair[0] and pair.indices is pair[1]
    assert repr(return_types.max((1, 2))) == "torch.return_types.max(\nvalues=1,\nindices=2)"
    assert pickle.loads(pickle.dumps(return_types.sort((1, 2)))) == (1, 2)
    low = tensor([1.0, 3.0]).aminmax()
    assert (low.min.item(), low.max.item()) == (1.0, 3.0)


def test_unique_counts_and_inverse() -> None:
    values, inverse, counts = tensor([3, 1, 3, 2, 1, 3]).unique(return_inverse=True, return_counts=True)
    assert (values.tolist(), inverse.tolist(), counts.tolist()) == ([1, 2, 3], [2, 0, 2, 1, 0, 2], [2, 1, 3])
    assert tensor([1, 1, 2, 1]).unique_consecutive().tolist() == [1, 2, 1]


def test_cumsum_in_place_writes_through_a_view() -> None:
    base = tensor([[1.0, 2.0], [3.0, 4.0]])
    base[0].cumsum_(0)
    assert base.tolist() == [[1.0, 3.0], [3.0, 4.0]]


def test_the_sum_of_a_large_leaf_writes_no_gradient_that_is_one_number() -> None:
    """It is seen as the leaf's shape; ``.grad`` is an array of its own, and so is what is computed with it."""
    x = Tensor(np.zeros((200, 300), np.float32), None).requires_grad_()
    (found,) = grad(x.sum(), x)
    assert found.stride() == (0, 0) and found.shape == x.shape and (found == 1).all()
    for times in (1.0, 2.0):
        x.sum().backward()
        assert x.grad.stride() == (300, 1) and (x.grad == times).all()
    x.grad.mul_(3.0)
    assert (x.grad == 6).all()
    (found,) = grad((x * x).sum(), x)
    assert (found == 0).all() and found.stride() == (300, 1)
    (found,) = grad(x.sum(), x, create_graph=True)
    assert (found == 1).all()
