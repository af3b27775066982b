"""The short way of a convolution from the layer to the kernel: every mode and check of the long way holds."""

from __future__ import annotations

import numpy as np
import pytest

import convgrad as torch
from convgrad import nn
from convgrad.autograd import forward_ad
from convgrad.nn import functional as F
from convgrad.ops import formula
from convgrad.tensor.tensor import apply
from convgrad.testing import assert_close


def test_nothing_is_recorded_where_nothing_is_tracked() -> None:
    x, w = torch.randn(1, 2, 8), torch.randn(3, 2, 3)
    assert F.conv1d(x, w).grad_fn is None
    assert F.conv1d(x, w, torch.randn(3)).grad_fn is None
    conv = nn.Conv1d(2, 3, 3)
    assert conv(x).grad_fn.name() == "ConvolutionBackward0"
    with torch.no_grad():
        assert not conv(x).requires_grad
    with torch.inference_mode():
        out = conv(x)
    assert out.is_inference() and not out.requires_grad


def test_forward_mode_takes_the_long_way() -> None:
    x, dx, w = (torch.randn(*shape, dtype=torch.float64) for shape in ((1, 2, 8), (1, 2, 8), (3, 2, 3)))
    with forward_ad.dual_level():
        out = F.conv1d(forward_ad.make_dual(x, dx), w)
        assert_close(forward_ad.unpack_dual(out).tangent, F.conv1d(dx, w))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.complex64, torch.int64])
def test_other_dtypes_take_the_long_way(dtype: torch.dtype) -> None:
    x, w = torch.ones(1, 2, 4).to(dtype), torch.ones(3, 2, 3).to(dtype)
    out = F.conv1d(x, w)
    assert out.dtype is dtype
    assert out.to(torch.complex64).tolist() == [[[6.0, 6.0]] * 3]


def test_one_example_is_a_batch_of_one() -> None:
    conv, x = nn.Conv2d(2, 3, 3), torch.randn(2, 5, 6)
    assert_close(conv(x), conv(x.unsqueeze(0)).squeeze(0))
    turned = nn.ConvTranspose2d(2, 3, 3)
    assert_close(turned(x), turned(x.unsqueeze(0)).squeeze(0))


def test_a_weight_changed_in_place_is_noticed() -> None:
    conv, x = nn.Conv1d(2, 3, 3), torch.randn(1, 2, 8, requires_grad=True)
    out = conv(x)
    with torch.no_grad():
        conv.weight.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        out.sum().backward()


def test_a_layer_whose_parameters_became_attributes_still_runs() -> None:
    """As weight normalisation and pruning do."""
    conv, x = nn.Conv1d(2, 3, 3), torch.randn(1, 2, 8)
    weight = conv.weight.detach() * 2
    wanted = F.conv1d(x, weight, conv.bias)
    del conv.weight
    conv.weight = weight
    assert_close(conv(x), wanted)


def test_dtypes_and_types_are_still_checked() -> None:
    x, w = torch.randn(1, 2, 8), torch.randn(3, 2, 3)
    with pytest.raises(
        RuntimeError, match=r"Input type \(.*float32\) and bias type \(.*float64\) should be the same"
    ):
        F.conv1d(x, w, torch.zeros(3, dtype=torch.float64))
    with pytest.raises(TypeError, match="argument 'bias' must be Tensor, not list"):
        F.conv1d(x, w, [0.0, 0.0, 0.0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "shape",
    [(2, 3, 4), (3, 5, 2000), (2, 7, 50, 41), (1, 2, 512, 8), (40, 16, 3, 3), (2, 3, 9, 10, 40), (0, 3, 9), (4, 5000), (5000, 2, 1)],
    ids=str,
)  # fmt: skip
def test_sums_over_all_but_the_channels(shape: tuple[int, ...], dtype: type) -> None:
    """As exact as NumPy's pairwise sums, however long a row is."""
    g = (np.random.default_rng(0).standard_normal(shape) + 1).astype(dtype)
    axes = (0, *range(2, len(shape)))
    wanted = g.astype(np.longdouble).sum(axes)
    out = formula.channel_sums(g)
    assert out.dtype == dtype and out.shape == shape[1:2]
    eps = np.finfo(dtype).eps
    assert np.abs(out - wanted).max(initial=0) <= 8 * eps * np.abs(wanted).max(initial=1)
    reversed_view = g[:, ::-1]
    np.testing.assert_allclose(formula.channel_sums(reversed_view), out[::-1], rtol=64 * eps)


def test_the_short_way_is_the_long_way() -> None:
    x, w, b = (
        torch.randn(2, 2, 9),
        torch.randn(3, 2, 3, requires_grad=True),
        torch.randn(3, requires_grad=True),
    )
    out = F.conv1d(x, w, b, 2, 1)
    geometry = out.grad_fn.saved[2]
    long = apply(out.grad_fn.op, (x, w, b), (geometry,))
    assert_close(out, long)
    for name in ("parents", "shape", "dtype"):
        assert getattr(out.grad_fn, name) == getattr(long.grad_fn, name)
    assert list(out.grad_fn.versions) == list(long.grad_fn.versions)
