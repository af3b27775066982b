"""What the tables of cases cannot say of products: half precision, views, orders, any shapes."""

from __future__ import annotations

import itertools
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convgrad.graph.engine import run
from convgrad.ops import einsum as contraction
from convgrad.ops import matmul
from convgrad.tensor import functions_linear as functions
from convgrad.tensor.tensor import Tensor


def random(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed + len(shape)).standard_normal(shape)


def tensor(x: Any, kind: Any = None) -> Tensor:
    return Tensor(np.asarray(x, kind), None)


@pytest.mark.parametrize("kind", [np.float16, ml_dtypes.bfloat16])
def test_half_precision_is_rounded_once(kind: Any) -> None:
    a, b = np.ones((1, 1000)), np.ones((1000, 1))
    for out in (
        tensor(a, kind) @ tensor(b, kind),
        functions.einsum("ij,jk->ik", tensor(a, kind), tensor(b, kind)),
    ):
        assert out._data.dtype == np.dtype(kind)
        assert out._data.astype(np.float32).item() == 1000.0


def test_pullbacks_take_transposed_views() -> None:
    b = random(3, 4)
    g = np.ones((2, 4))
    seen: list[Any] = []

    class Spy(np.ndarray):
        def __matmul__(self, other: Any) -> Any:
            seen.append(other)
            return np.asarray(self) @ np.asarray(other)

    matmul.Mm.vjp_a(g.view(Spy), None, b, False)
    assert np.shares_memory(seen[0], b)


@given(st.data())
@settings(deadline=None, max_examples=80)
def test_einsum_of_random_equations(data: Any) -> None:
    sizes = {i: data.draw(st.integers(1, 3)) for i in range(5)}
    labels = [
        tuple(data.draw(st.lists(st.integers(0, 4), max_size=4))) for _ in range(data.draw(st.integers(1, 3)))
    ]
    used = sorted({i for own in labels for i in own})
    out = tuple(data.draw(st.permutations(used)))[: data.draw(st.integers(0, len(used)))]
    xs = [random(*[sizes[i] for i in own], seed=k) for k, own in enumerate(labels)]
    flat = [part for x, own in zip(xs, labels, strict=True) for part in (x, list(own))]
    expected = np.einsum(*flat, list(out))
    tensors = [tensor(x).requires_grad_() for x in xs]
    got = functions.einsum(
        *[p for t, own in zip(tensors, labels, strict=True) for p in (t, list(own))], list(out)
    )
    np.testing.assert_allclose(got._data, expected, rtol=1e-9, atol=1e-9)
    nodes = [t._node for t in tensors]
    grads = run([(got._node, np.ones(expected.shape))], inputs=nodes, capture=True)
    for t, x in zip(tensors, xs, strict=True):  # linear in each operand: <grad, x> is the sum of the result
        assert np.sum(grads[t._node] * x) == pytest.approx(np.sum(expected), abs=1e-9)


@given(st.lists(st.integers(1, 6), min_size=3, max_size=7))
@settings(deadline=None, max_examples=40)
def test_multi_dot_in_any_order(sizes: list[int]) -> None:
    chain = [random(m, n) for m, n in itertools.pairwise(sizes)]
    expected = chain[0]
    for x in chain[1:]:
        expected = expected @ x
    np.testing.assert_allclose(
        functions.multi_dot([tensor(x) for x in chain])._data, expected, rtol=1e-9, atol=1e-9
    )


def test_the_plan_contracts_every_operand_once() -> None:
    for count in range(1, 6):
        left = list(range(count))
        for steps in contraction.plan([(2,)] * count, [(0,)] * count, ()):
            assert len(set(steps)) == 2 and all(0 <= i < len(left) for i in steps)
            left = [x for i, x in enumerate(left) if i not in steps] + [-1]
        assert len(left) == 1


def test_beta_0_does_not_read_the_addend() -> None:
    bad = tensor(np.full((2, 2), np.nan))
    assert np.isfinite(bad.addmm(tensor(random(2, 3)), tensor(random(3, 2)), beta=0)._data).all()


def test_in_place_product_keeps_history() -> None:
    x, a = tensor(random(2, 2)).requires_grad_(), tensor(random(2, 2))
    y = x.clone()
    y.addmm_(a, a, beta=3)
    assert run([(y._node, np.ones((2, 2)))], inputs=[x._node], capture=True)[x._node] == pytest.approx(
        np.full((2, 2), 3.0)
    )


def test_a_folded_batch_gives_one_weight_gradient() -> None:
    x, w = tensor(random(5, 2, 3)), tensor(random(3, 4)).requires_grad_()
    g = random(5, 2, 4)
    got = run([((x @ w)._node, g)], inputs=[w._node], capture=True)[w._node]
    np.testing.assert_allclose(got, np.einsum("bij,bik->jk", x._data, g))


def test_matmul_with_a_number_is_a_type_error() -> None:
    with pytest.raises(TypeError):
        tensor(random(2, 2)) @ 3.0  # type: ignore[operator]


@pytest.mark.parametrize("sizes", [(300, 200), (70_000, 1), (1, 70_000), (3, 4), (0, 5)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_outer_products_of_every_size(sizes: tuple[int, int], dtype: Any) -> None:
    """To the bit NumPy's; large ones that nobody differentiates take a way of their own."""
    a, b = (np.arange(n).astype(dtype) / (dtype(3) if dtype is not np.int64 else 1) for n in sizes)
    a, b = a.astype(dtype), b.astype(dtype)
    found = Tensor(a, None).outer(Tensor(b, None))
    assert found._data.dtype == dtype and found.is_contiguous()
    np.testing.assert_array_equal(found._data, np.outer(a, b))
    if dtype is not np.int64:
        x = Tensor(a, None).requires_grad_()
        x.outer(Tensor(b, None)).sum().backward()
        np.testing.assert_allclose(x.grad._data, np.full(a.shape, b.sum()), 1e-5)
