"""Differences from PyTorch that a review by random programs found; each test failed before its repair."""

from __future__ import annotations

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
    with pytest.raises(RuntimeError, match="size of tensor a .* must match"):
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
