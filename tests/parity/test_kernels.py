"""The NumPy kernels beside PyTorch: values, shapes, and who refuses what, over random configurations."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from convgrad.kernels import pooling, reference
from convgrad.kernels.geometry import plan_conv, plan_conv_transpose
from convgrad.kernels.pool_geometry import plan_adaptive_pool, plan_pool

pytestmark = pytest.mark.parity

CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
CONV_TRANSPOSE = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}
MAX_POOL = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
AVG_POOL = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}
ADAPTIVE = {1: F.adaptive_avg_pool1d, 2: F.adaptive_avg_pool2d, 3: F.adaptive_avg_pool3d}

SEEDS = range(300)


class Draw(random.Random):
    """Random shapes and values from one seed."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.arrays = np.random.default_rng(seed)
        self.ndim = seed % 3 + 1

    def ints(self, low: int, high: int) -> tuple[int, ...]:
        return tuple(self.randint(low, high) for _ in range(self.ndim))

    def normal(self, *shape: int) -> np.ndarray[Any, Any]:
        return self.arrays.standard_normal(shape)


def attempt(call: Callable[[], Any]) -> tuple[Any, Exception | None]:
    try:
        return call(), None
    except RuntimeError as error:
        return None, error


def agree(ours: Exception | None, theirs: Exception | None) -> bool:
    """Both refuse or neither; True if there are values to compare."""
    assert (ours is None) == (theirs is None), (ours, theirs)
    return ours is None


@pytest.mark.filterwarnings("ignore:Using padding='same':UserWarning")  # PyTorch's, for even kernels
@pytest.mark.parametrize("seed", SEEDS)
def test_convolution_and_its_gradients(seed: int) -> None:
    draw = Draw(seed)
    groups = draw.choice([1, 1, 2, 3])
    batch = (draw.randint(0, 3),)
    x = draw.normal(*batch, groups * draw.randint(1, 3), *draw.ints(1, 8))
    w = draw.normal(groups * draw.randint(1, 3), x.shape[1] // groups, *draw.ints(1, 4))
    stride, dilation = draw.ints(1, 4), draw.ints(1, 3)
    padding = draw.choice([draw.ints(0, 4), "same", "valid"])
    tx, tw = torch.tensor(x, requires_grad=True), torch.tensor(w, requires_grad=True)
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    expected, theirs = attempt(lambda: CONV[draw.ndim](tx, tw, None, **options))
    plan, ours = attempt(lambda: plan_conv(draw.ndim, x.shape, w.shape, None, **options))
    if not agree(ours, theirs):
        return
    out = reference.convolve(x, w, plan.geometry)
    assert out.shape[2:] == plan.output_size
    np.testing.assert_allclose(out, expected.detach().numpy(), atol=1e-11)
    g = draw.normal(*out.shape)
    gx, gw = torch.autograd.grad(expected, (tx, tw), torch.tensor(g))
    np.testing.assert_allclose(
        reference.convolve_input_grad(g, w, plan.geometry, x.shape[2:]), gx.numpy(), atol=1e-11
    )
    np.testing.assert_allclose(
        reference.convolve_weight_grad(x, g, plan.geometry, w.shape[2:]), gw.numpy(), atol=1e-11
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_transposed_convolution_and_its_gradients(seed: int) -> None:
    draw = Draw(seed)
    groups = draw.choice([1, 1, 2, 3])
    x = draw.normal(draw.randint(1, 3), groups * draw.randint(1, 3), *draw.ints(1, 6))
    w = draw.normal(x.shape[1], draw.randint(1, 3), *draw.ints(1, 4))
    stride, padding, dilation = draw.ints(1, 4), draw.ints(0, 2), draw.ints(1, 3)
    extra = draw.ints(0, 2)
    tx, tw = torch.tensor(x, requires_grad=True), torch.tensor(w, requires_grad=True)
    arguments = (None, stride, padding, extra, groups, dilation)
    expected, theirs = attempt(lambda: CONV_TRANSPOSE[draw.ndim](tx, tw, *arguments))
    plan, ours = attempt(lambda: plan_conv_transpose(draw.ndim, x.shape, w.shape, *arguments))
    if not agree(ours, theirs):
        return
    out = reference.convolve_input_grad(x, w, plan.geometry, plan.output_size)
    np.testing.assert_allclose(out, expected.detach().numpy(), atol=1e-11)
    g = draw.normal(*out.shape)
    gx, gw = torch.autograd.grad(expected, (tx, tw), torch.tensor(g))
    np.testing.assert_allclose(reference.convolve(g, w, plan.geometry), gx.numpy(), atol=1e-11)
    np.testing.assert_allclose(
        reference.convolve_weight_grad(g, x, plan.geometry, w.shape[2:]), gw.numpy(), atol=1e-11
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_max_pool_and_its_gradient(seed: int) -> None:
    draw = Draw(seed)
    shape = (draw.randint(0, 2), draw.randint(1, 3), *draw.ints(1, 8))
    x = draw.arrays.integers(-2, 3, shape).astype(float) if seed % 2 else draw.normal(*shape)
    if seed % 5 == 0:
        x[draw.arrays.random(shape) < 0.1] = np.nan
        x[draw.arrays.random(shape) < 0.1] = -np.inf
    kernel, stride, dilation = draw.ints(1, 4), draw.ints(1, 5), draw.ints(1, 3)
    padding = tuple(draw.randint(0, k // 2 + draw.choice([0, 0, 0, 1])) for k in kernel)
    ceil_mode = draw.random() < 0.5
    window = (kernel, stride, padding, dilation, ceil_mode)
    tx = torch.tensor(x, requires_grad=True)
    expected, theirs = attempt(lambda: MAX_POOL[draw.ndim](tx, *window, return_indices=True))
    plan, ours = attempt(lambda: plan_pool(f"max_pool{draw.ndim}d", draw.ndim, shape, *window))
    if not agree(ours, theirs):
        return
    out, index = pooling.max_pool(x, *window)
    assert out.shape[2:] == plan.output_size
    np.testing.assert_array_equal(out, expected[0].detach().numpy())
    # A dilated window that steps over the whole input has no maximum; PyTorch's index then points outside.
    seen = out != -np.inf
    np.testing.assert_array_equal(index[seen], expected[1].numpy()[seen])
    if seen.all():
        g = draw.normal(*out.shape)
        (gx,) = torch.autograd.grad(expected[0], tx, torch.tensor(g))
        np.testing.assert_allclose(pooling.max_pool_grad(g, index, shape[2:]), gx.numpy(), atol=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_avg_pool_and_its_gradient(seed: int) -> None:
    draw = Draw(seed)
    x = draw.normal(draw.randint(0, 2), draw.randint(1, 3), *draw.ints(1, 8))
    kernel, stride = draw.ints(1, 4), draw.ints(1, 5)
    padding = tuple(draw.randint(0, k // 2 + draw.choice([0, 0, 0, 1])) for k in kernel)
    ceil_mode, count_include_pad = draw.random() < 0.5, draw.random() < 0.5
    options: dict[str, Any] = {"count_include_pad": count_include_pad}
    if draw.ndim > 1:
        options["divisor_override"] = draw.choice([None, None, 3, -2])
    window = (kernel, stride, padding)
    tx = torch.tensor(x, requires_grad=True)
    expected, theirs = attempt(lambda: AVG_POOL[draw.ndim](tx, *window, ceil_mode, **options))
    name = f"avg_pool{draw.ndim}d"
    plan, ours = attempt(lambda: plan_pool(name, draw.ndim, x.shape, *window, ceil_mode=ceil_mode))
    if theirs is not None and "smaller than kernel size" in str(theirs):
        return  # avg_pool3d alone compares the kernel with the unpadded input; we accept what fits
    if not agree(ours, theirs):
        return
    out = pooling.avg_pool(x, *window, ceil_mode, **options)
    assert out.shape[2:] == plan.output_size
    np.testing.assert_allclose(out, expected.detach().numpy(), atol=1e-12)
    g = draw.normal(*out.shape)
    (gx,) = torch.autograd.grad(expected, tx, torch.tensor(g))
    np.testing.assert_allclose(
        pooling.avg_pool_grad(g, x.shape[2:], *window, **options), gx.numpy(), atol=1e-12
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_adaptive_avg_pool_and_its_gradient(seed: int) -> None:
    draw = Draw(seed)
    x = draw.normal(draw.randint(0, 2), draw.randint(1, 3), *draw.ints(1, 9))
    wanted = draw.ints(1, 11)
    tx = torch.tensor(x, requires_grad=True)
    expected = ADAPTIVE[draw.ndim](tx, wanted)
    assert plan_adaptive_pool("adaptive_avg_pool", draw.ndim, x.shape, wanted) == wanted
    out = pooling.adaptive_avg_pool(x, wanted)
    np.testing.assert_allclose(out, expected.detach().numpy(), atol=1e-12)
    g = draw.normal(*out.shape)
    (gx,) = torch.autograd.grad(expected, tx, torch.tensor(g))
    np.testing.assert_allclose(pooling.adaptive_avg_pool_grad(g, x.shape[2:]), gx.numpy(), atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int64, torch.complex64, torch.float16])
def test_dtypes_of_convolution(dtype: torch.dtype) -> None:
    x = torch.randint(0, 100, (2, 3, 7, 7)).to(dtype)
    w = torch.randint(0, 100, (4, 3, 3, 3)).to(dtype)
    plan = plan_conv(2, tuple(x.shape), tuple(w.shape), padding=1)
    out = reference.convolve(x.numpy(), w.numpy(), plan.geometry)
    expected = F.conv2d(x, w, padding=1).numpy()
    assert out.dtype == expected.dtype
    np.testing.assert_allclose(out, expected, rtol=1e-3)


PHRASES: list[Callable[[], Any]] = [
    lambda: F.conv2d(torch.zeros(1, 3, 64, 128), torch.zeros(16, 20, 3, 5)),
    lambda: F.conv2d(torch.zeros(3, 3), torch.zeros(4, 3, 3, 3)),
    lambda: F.conv2d(torch.zeros(1, 3, 2, 2), torch.zeros(4, 3, 3, 3)),
    lambda: F.conv2d(torch.zeros(1, 3, 8, 8), torch.zeros(16, 3, 3, 3), torch.zeros(15)),
    lambda: F.conv_transpose2d(torch.zeros(1, 3, 8, 8), torch.zeros(20, 16, 3, 5)),
    lambda: F.conv_transpose2d(torch.zeros(1, 3, 1, 1), torch.zeros(3, 4, 3, 3), None, 1, 2),
]
OURS: list[Callable[[], Any]] = [
    lambda: plan_conv(2, (1, 3, 64, 128), (16, 20, 3, 5)),
    lambda: plan_conv(2, (3, 3), (4, 3, 3, 3)),
    lambda: plan_conv(2, (1, 3, 2, 2), (4, 3, 3, 3)),
    lambda: plan_conv(2, (1, 3, 8, 8), (16, 3, 3, 3), (15,)),
    lambda: plan_conv_transpose(2, (1, 3, 8, 8), (20, 16, 3, 5)),
    lambda: plan_conv_transpose(2, (1, 3, 1, 1), (3, 4, 3, 3), None, 1, 2),
]


@pytest.mark.parametrize(("theirs", "ours"), list(zip(PHRASES, OURS, strict=True)))
def test_our_message_contains_pytorchs(theirs: Callable[[], Any], ours: Callable[[], Any]) -> None:
    with pytest.raises(RuntimeError) as expected:
        theirs()
    with pytest.raises(RuntimeError) as caught:
        ours()
    assert str(expected.value) in str(caught.value)
