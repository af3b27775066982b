"""Differences from PyTorch that a review by random programs found; each test failed before its repair."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

import convgrad as torch

pytestmark = pytest.mark.regression


@pytest.mark.parametrize(
    "change",
    [
        lambda x, y: x.masked_fill_(y > 0, 1.0),
        lambda x, y: x.addcmul_(y, y),
        lambda x, y: x.lerp_(y, 0.25),
        lambda x, y: x.addcdiv_(y, y),
    ],
)
def test_in_place_shapes_that_do_not_meet_are_a_runtime_error(change):
    x = torch.ones(2, 3)
    with pytest.raises(RuntimeError, match=r"size of tensor a .* must match"):
        change(x, torch.ones(3, 2))
    assert x.tolist() == [[1.0] * 3] * 2


def test_a_python_bool_is_not_subtracted():
    for call in (lambda x: x - True, lambda x: True - x, lambda x: x.sub_(True)):
        with pytest.raises(RuntimeError, match="bool tensor is not supported"):
            call(torch.ones(2))


def test_an_empty_mask_of_another_shape_is_refused_when_assigning():
    x = torch.ones(2, 3)
    for mask in (torch.ones(2, 0), torch.ones(0, 3)):
        with pytest.raises(IndexError, match="shape of the mask"):
            x[mask > 0] = 3.0


def test_copy_gives_zeros_to_what_it_overwrote():
    x = torch.ones(3, requires_grad=True)
    y = x * 1
    y.copy_(torch.zeros(3))
    y.sum().backward()
    assert x.grad is not None and x.grad.tolist() == [0.0, 0.0, 0.0]


def test_empty_views_share_the_version():
    x = torch.empty(2, 0)
    pieces = [x.split(1, 0)[0], x.squeeze(0).expand(2, 0), x.t()]
    x.fill_(1.0)
    assert [p._version for p in pieces] == [1, 1, 1]


@pytest.mark.parametrize("scalar", [np.float64(1.5), np.float32(1.5)])
def test_numpy_scalars_are_numbers_in_promotion(scalar):
    x = torch.tensor([1.0, 2.0])
    for out in (x + scalar, scalar + x, x * scalar, scalar * x, scalar - x, x / scalar, x**scalar):
        assert out.dtype is torch.float32


def test_comparison_with_an_array_is_elementwise():
    x, a = torch.tensor([1.0, 2.0]), np.ones(2)
    assert (x == a).tolist() == (a == x).tolist() == [True, False]
    assert (x != a).tolist() == (a != x).tolist() == [False, True]
    assert (x > a).tolist() == (a < x).tolist() == [False, True]


def _assign(x, value):
    x[0] = value


def _assign_masked(x, value):
    x[x > 0] = value


_FILLS = [
    lambda x, v: x.fill_(v),
    lambda x, v: x.masked_fill_(x > 0, v),
    lambda x, v: torch.full((2,), v, dtype=x.dtype),
    _assign,
    _assign_masked,
]


@pytest.mark.parametrize("fill", _FILLS)
@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (torch.uint8, 300), (torch.uint8, -256), (torch.int8, 1e3), (torch.int32, float("nan")),
        (torch.int64, 1e30), (torch.float16, 1e9), (torch.float32, 1e300), (torch.float32, 1j),
    ],
)  # fmt: skip
def test_a_number_that_does_not_fit_is_refused(fill, kind, value):
    x = torch.ones(2, dtype=kind)
    with pytest.raises(RuntimeError, match="without overflow"):
        fill(x, value)
    assert x.tolist() == [1, 1]


@pytest.mark.parametrize("fill", _FILLS)
def test_negative_numbers_wrap_around_in_uint8_and_inf_stays(fill):
    x = torch.ones(2, dtype=torch.uint8)
    out = fill(x, -3)
    assert (x if out is None else out)[0] == 253
    y = torch.ones(2)
    out = fill(y, float("inf"))
    assert (y if out is None else out)[0] == float("inf")


def test_views_are_not_detached_in_place():
    with pytest.raises(RuntimeError, match="Can't detach views in-place"):
        torch.ones(3)[:2].detach_()


def test_a_gradient_of_another_dtype_is_refused():
    x = torch.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match="assign a gradient with dtype"):
        x.grad = torch.ones(2, dtype=torch.float64)
    assert x.grad is None


def test_can_cast():
    assert torch.can_cast(torch.int64, torch.float32) and not torch.can_cast(torch.float32, torch.int32)


def test_retained_grad_is_that_of_the_tensor_as_it_is_now():
    x = torch.ones(3, requires_grad=True)
    y = x * 2
    y.retain_grad()
    y.mul_(3)
    y.sum().backward()
    assert y.grad.tolist() == [1.0] * 3 and x.grad.tolist() == [6.0] * 3


def test_retained_grad_of_a_base_and_a_view_follows_a_change_of_the_view():
    x = torch.ones(4, requires_grad=True)
    y = x * 2
    v = y[:2]
    for t in (v, y):
        t.retain_grad()
    v.mul_(3)
    (y * torch.arange(4.0)).sum().backward()
    assert y.grad.tolist() == [0.0, 1.0, 2.0, 3.0] and x.grad.tolist() == [0.0, 6.0, 4.0, 6.0]


def test_retained_grad_is_what_all_hooks_left():
    x = torch.ones(3, requires_grad=True)
    y = x * 2
    y.register_hook(lambda g: g * 2)
    y.retain_grad()
    y.register_hook(lambda g: g * 3)
    y.sum().backward()
    assert y.grad.tolist() == [6.0] * 3 and x.grad.tolist() == [12.0] * 3


@pytest.mark.parametrize(
    "change", [lambda y: y.add_(1), lambda y: y.relu_(), lambda y: y[:].zero_(), lambda y: _assign(y, 1.0)]
)
@pytest.mark.parametrize("mode", [torch.enable_grad, torch.no_grad])
def test_inference_tensors_are_not_changed_outside(change, mode):
    with torch.inference_mode():
        y = torch.ones(3) * 2
    with mode(), pytest.raises(RuntimeError, match="Inplace update to inference tensor"):
        change(y)
    assert y.tolist() == [2.0] * 3
    with pytest.raises(RuntimeError, match="requires_grad=True on inference tensor"):
        y.requires_grad_()


def test_no_cotangent_is_made_up_for_complex_outputs():
    x = torch.tensor([1 + 2j], requires_grad=True)
    with pytest.raises(RuntimeError, match="only for real scalar outputs"):
        x.sum().backward()


def test_materialized_gradients_are_zeros_even_of_infinities():
    x = torch.tensor([1.0, float("inf")], requires_grad=True)
    y = torch.ones(2, requires_grad=True)
    gx, _ = torch.autograd.grad(y.sum(), (x, y), materialize_grads=True)
    assert gx.tolist() == [0.0, 0.0]
    with pytest.raises(ValueError, match="allow_unused to be True"):
        torch.autograd.grad(y.sum(), (x, y), materialize_grads=True, allow_unused=False)
    with pytest.raises(RuntimeError, match="cannot be empty"):
        torch.autograd.grad(y.sum(), [])


def test_hooks_and_retained_gradients_form_no_cycle():
    x = torch.ones(3, requires_grad=True)
    y = x * 2
    y.register_hook(lambda g: g)
    y.retain_grad()
    node, tensor = weakref.ref(y.grad_fn), weakref.ref(y)
    gc.disable()
    try:
        del y
        assert node() is None and tensor() is None
    finally:
        gc.enable()


def test_a_view_of_a_view_shares_its_path():
    x = torch.ones(4, requires_grad=True) * 1
    y = x
    for _ in range(3000):
        z, y = y, y.view(4)
    assert y._view.trail[0] is z._view.trail and len(y._view.steps) == 3000
    y.mul_(2)
    assert x.tolist() == [2.0] * 4 and x.grad_fn.name() == "CopySlices"


def test_relu_keeps_nan_cotangents_out_of_its_zeros():
    x = torch.tensor([-1.0, 0.0, 2.0], requires_grad=True)
    x.relu().backward(torch.tensor([float("nan"), float("inf"), 5.0]))
    assert x.grad.tolist() == [0.0, 0.0, 5.0]


def test_a_graph_that_saved_no_values_can_be_walked_twice():
    x = torch.ones(3, requires_grad=True)
    y = (x + x).sum()
    y.backward()
    y.backward()
    assert x.grad.tolist() == [4.0] * 3


def test_one_over_x_keeps_its_result_not_x():
    leaf = torch.tensor([1.0, 2.0, 4.0], requires_grad=True)
    x = leaf * 1.0
    y = 1 / x
    x.add_(1)
    y.sum().backward()
    assert leaf.grad.tolist() == [-1.0, -0.25, -0.0625]
