"""In-place forms that are made from their methods: values, gradients, versions, views, refusals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import convgrad
from convgrad.tensor.tensor import Tensor

FORMS: dict[str, tuple[Any, ...]] = {
    "conj_physical": (), "copysign": (-1.0,), "i0": (), "igamma": (Tensor(np.full(3, 0.4), None),),
    "igammac": (Tensor(np.full(3, 0.4), None),), "ldexp": (Tensor(np.array([1.0, -1.0, 0.5]), None),), "logit": (0.1,),
    "mvlgamma": (1,), "nextafter": (Tensor(np.full(3, 2.0), None),), "polygamma": (1,), "xlogy": (2.0,),
    "float_power": (1.5,),
}  # fmt: skip
X = np.array([0.3, 0.6, 0.8])


def _leaf(x: Any = X) -> Any:
    return Tensor(x.copy(), None).requires_grad_()


def _differentiable(name: str) -> bool:
    return not name.startswith("igamma")


@pytest.mark.parametrize("name", FORMS)
def test_value_gradient_and_version(name: str) -> None:
    plain, changed = _leaf(), _leaf()
    expected = getattr(plain * 1, name)(*FORMS[name])
    work = changed * 1
    before = work._version
    assert getattr(work, name + "_")(*FORMS[name]) is work
    assert work._version > before
    np.testing.assert_array_equal(work._data, expected._data)
    if _differentiable(name):
        expected.sum().backward()
        work.sum().backward()
        np.testing.assert_array_equal(changed.grad._data, plain.grad._data)


@pytest.mark.parametrize("name", [n for n in FORMS if _differentiable(n)])
def test_a_view_tells_its_base(name: str) -> None:
    plain, changed = _leaf(np.stack([X, X])), _leaf(np.stack([X, X]))
    convgrad.stack([plain[0], getattr(plain[1], name)(*FORMS[name])]).sum().backward()
    base = changed * 1
    getattr(base[1], name + "_")(*FORMS[name])
    base.sum().backward()
    np.testing.assert_allclose(changed.grad._data, plain.grad._data, rtol=1e-15)


@pytest.mark.parametrize("name", FORMS)
def test_refusals(name: str) -> None:
    leaf = _leaf()
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad"):
        getattr(leaf, name + "_")(*FORMS[name])
    with convgrad.no_grad():
        getattr(leaf, name + "_")(*FORMS[name])
    saved = _leaf() * 1
    out = saved * saved
    getattr(saved, name + "_")(*FORMS[name])
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        out.sum().backward()


@pytest.mark.parametrize("name", ["xlogy_", "copysign_", "logit_", "i0_", "ldexp_"])
def test_floats_do_not_fit_into_integers(name: str) -> None:
    x = Tensor(np.array([1, 2, 3]), None)
    other = () if name in ("logit_", "i0_") else (Tensor(X, None),)
    with pytest.raises(RuntimeError, match=r"result type .* can't be cast to the desired output type"):
        getattr(x, name)(*other)
    assert x.tolist() == [1, 2, 3]


def test_a_result_must_have_the_shape() -> None:
    x, wide = Tensor(X.copy(), None), Tensor(np.ones((2, 3)), None)
    for change in (lambda: x.xlogy_(wide), lambda: x.igamma_(wide), lambda: x.nextafter_(wide)):
        with pytest.raises(RuntimeError, match="doesn't match the broadcast shape"):
            change()


def test_integers_and_rare_forms() -> None:
    x = Tensor(np.array([12, 18]), None)
    assert x.gcd_(Tensor(np.array([8, 12]), None)).tolist() == [4, 6]
    assert x.lcm_(Tensor(np.array([6, 4]), None)).tolist() == [12, 12]
    assert x.apply_(lambda v: v + 1).tolist() == [13, 13]
    assert x.map_(x.clone(), lambda a, b: a + b).tolist() == [26, 26]
    assert x.set_(Tensor(np.array([7]), None)).tolist() == [7]
    assert convgrad.zeros(4, 2).fill_diagonal_(1, wrap=True).sum(1).tolist() == [1, 1, 0, 1]
    y = convgrad.arange(6.0).as_strided_((2, 2), (1, 2))
    assert y.tolist() == [[0, 2], [1, 3]]


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x.geometric_(0.5), lambda x: x.cauchy_(), lambda x: x.log_normal_(), lambda x: x.uniform_(),
        lambda x: x.normal_(), lambda x: x.random_(), lambda x: x.bernoulli_(), lambda x: x.exponential_(),
    ],
)  # fmt: skip
def test_a_random_fill_leaves_a_gradient_of_zero(change: Callable[[Any], Any]) -> None:
    x = _leaf()
    work = x * 1
    change(work)
    assert work.requires_grad
    work.sum().backward()
    assert x.grad.tolist() == [0, 0, 0]
