"""Sizes, and every complaint about shapes: the phrase people search for, the numbers and the remedy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convgrad.errors import ShapeError
from convgrad.kernels import pool_geometry as pool
from convgrad.kernels.geometry import (
    Geometry,
    as_tuple,
    conv_output_size,
    plan_conv,
    plan_conv_transpose,
    resolve_padding,
)

X, W = (1, 3, 8, 8), (16, 3, 3, 3)


def conv(
    x: tuple[int, ...] = X, w: tuple[int, ...] = W, bias: Any = None, **options: Any
) -> Callable[[], object]:
    return lambda: plan_conv(len(w) - 2, x, w, bias, **options)


def transposed(
    x: tuple[int, ...] = X, w: tuple[int, ...] = (3, 4, 3, 3), bias: Any = None, **options: Any
) -> Callable[[], object]:
    return lambda: plan_conv_transpose(len(w) - 2, x, w, bias, **options)


def pooled(x: tuple[int, ...], kernel: Any, name: str = "max_pool2d", **options: Any) -> Callable[[], object]:
    return lambda: pool.plan_pool(name, int(name[-2]), x, kernel, **options)


def adaptive(x: tuple[int, ...], size: Any) -> Callable[[], object]:
    return lambda: pool.plan_adaptive_pool("adaptive_avg_pool2d", 2, x, size)


BAD_CALLS: list[tuple[Callable[[], object], list[str]]] = [
    # channels
    (
        conv((1, 3, 64, 128), (16, 20, 3, 5)),
        [
            "Given groups=1, weight of size [16, 20, 3, 5], expected input[1, 3, 64, 128] to have 20 channels, but got 3 channels instead",
            "in_channels should be 3",
        ],
    ),
    (
        conv((1, 64, 128, 20), (16, 20, 3, 5)),
        [
            "to have 20 channels, but got 64",
            "the last dimension has 20 entries",
            "channels-last",
            "input.permute(0, 3, 1, 2)",
        ],
    ),
    (conv((8, 8, 3)), ["expected input[1, 8, 8, 3]", "input.permute(2, 0, 1)"]),
    (conv((2, 9, 3), (4, 3, 2)), ["input.permute(0, 2, 1)"]),
    (conv((64, 28, 28), (4, 1, 3, 3)), ["batch of 64 with one channel each use input.unsqueeze(1)"]),
    (conv(X, (3, 16, 3, 3)), ["the weight looks transposed", "weight.transpose(0, 1)"]),
    (conv(X, (16, 20, 3, 5), groups=2), ["to have 40 channels", "weight.shape[1] * groups = 20 * 2 = 40"]),
    (
        conv((1, 6, 8, 8), (15, 3, 3, 3), groups=2),
        ["expected weight to be divisible by 2 at dimension 0", "15"],
    ),
    (conv((1, 6, 8, 8), (1, 3, 3, 3), groups=2), ["expected weight to be at least 2 at dimension 0"]),
    (conv(groups=0), ["conv2d: non-positive groups is not supported"]),
    (conv(X, (0, 3, 3, 3)), ["expected weight to be at least 1 at dimension 0"]),
    (
        transposed(w=(20, 16, 3, 5)),
        [
            "Given transposed=1, weight of size [20, 16, 3, 5], expected input[1, 3, 8, 8] to have 20 channels, but got 3 channels instead"
        ],
    ),
    (transposed(w=(20, 3, 3, 5)), ["the weight looks transposed"]),
    (
        transposed((1, 6, 8, 8), (6, 2, 3, 3), groups=4),
        ["expected weight to be divisible by 4 at dimension 0"],
    ),
    # ranks and bias
    (
        conv((3, 3)),
        [
            "Expected 3D (unbatched) or 4D (batched) input to conv2d, but got input of size: [3, 3]",
            "unsqueeze(0)",
        ],
    ),
    (
        conv((1, 1, 1, 8, 8)),
        ["Expected 3D (unbatched) or 4D (batched) input to conv2d", "input.flatten(0, 1)"],
    ),
    (
        conv((3,), (4, 3, 3)),
        ["Expected 2D (unbatched) or 3D (batched) input to conv1d, but got input of size: [3]"],
    ),
    (conv((3, 3), (4, 3, 3, 3, 3)), ["Expected 4D (unbatched) or 5D (batched) input to conv3d"]),
    (transposed((8, 8)), ["Expected 3D (unbatched) or 4D (batched) input to conv_transpose2d"]),
    (lambda: plan_conv(2, X, (4, 3, 3)), ["conv2d: expected weight to be 4-dimensional", "[4, 3, 3]"]),
    (
        conv(bias=(15,)),
        [
            "Given weight of size [16, 3, 3, 3], expected bias to be 1-dimensional with 16 elements, but got bias of size [15] instead"
        ],
    ),
    (
        conv(bias=(16, 1)),
        [
            "expected bias to be 1-dimensional with 16 elements, but got bias of size [16, 1]",
            "bias.flatten()",
        ],
    ),
    (
        transposed(bias=(5,)),
        [
            "Given transposed=1, weight of size [3, 4, 3, 3], expected bias to be 1-dimensional with 4 elements"
        ],
    ),
    # sizes
    (
        conv((1, 3, 2, 2)),
        [
            "Calculated padded input size per channel: (2 x 2). Kernel size: (3 x 3). Kernel size can't be greater than actual input size",
            "oH = (2 + 2*0 - 1*(3-1) - 1)//1 + 1 = 0: needs padding >= 1 or a smaller kernel",
            "oW = ",
        ],
    ),
    (conv((1, 3, 2), (4, 3, 3)), ["(2). Kernel size: (3).", "oL = "]),
    (
        conv((1, 3, 8, 3), dilation=(1, 3)),
        [
            "Kernel size: (3 x 7)",
            "oW = (3 + 2*0 - 3*(3-1) - 1)//1 + 1 = -3: needs padding >= 2",
            "or dilation",
        ],
    ),
    (
        transposed((1, 3, 1, 1), padding=2),
        [
            "Given input size per channel: (1 x 1). Calculated output size per channel: (-1 x -1). Output size is too small",
            "oH = (1 - 1)*1 - 2*2 + 1*(3-1) + 0 + 1 = -1: needs padding <= 1",
        ],
    ),
    (transposed((1, 3, 0, 8)), ["Only zero batch or zero channel inputs are supported", "[1, 3, 0, 8]"]),
    (conv(padding=10**9), ["Storage size calculation overflowed with sizes=[1, 3, 2000000008, 2000000008]"]),
    (conv(stride=10**30), ["Overflow when unpacking long long"]),
    (transposed(stride=10**9), ["Storage size calculation overflowed"]),
    # stride, padding, dilation
    (conv(stride=0), ["non-positive stride is not supported"]),
    (conv(stride=(1, -1)), ["non-positive stride is not supported", "[1, -1]"]),
    (conv(padding=-1), ["negative padding is not supported"]),
    (conv(dilation=0), ["dilation should be greater than zero"]),
    (conv(w=(4, 3, 0, 3)), ["kernel size should be greater than zero"]),
    (
        conv(padding="same", stride=2),
        ["padding='same' is not supported for strided convolutions", "padding=1"],
    ),
    (conv(padding="foo"), ["Invalid padding string: 'foo'"]),
    (
        conv(stride=(1, 2, 3)),
        [
            "expected stride to be a single integer value or a list of 2 values to match the convolution dimensions, but got stride=[1, 2, 3]"
        ],
    ),
    (conv(padding=[1, 2, 3]), ["expected padding to be a single integer value", "padding=[1, 2, 3]"]),
    (transposed(output_padding=(1, 1, 1)), ["expected output_padding to be a single integer value"]),
    (
        transposed(stride=2, output_padding=2),
        ["output padding must be smaller than either stride or dilation", "stride=[2, 2]"],
    ),
    (transposed(stride=2, output_padding=-1), ["negative output_padding is not supported"]),
    # pooling
    (
        pooled((8, 8), 2),
        [
            "max_pool2d: Expected 3D or 4D (batch mode) tensor",
            "non-empty 3D or 4D (batch mode) tensor expected for input",
        ],
    ),
    (pooled((1, 0, 8, 8), 2), ["with optional 0 dim batch size for input, but got:[1, 0, 8, 8]"]),
    (pooled((8,), 2, "max_pool1d"), ["max_pool1d: Expected 2D or 3D (batch mode) tensor"]),
    (
        pooled((1, 1, 2, 2), 3),
        [
            "Given input size: (1x2x2). Calculated output size: (1x0x0). Output size is too small",
            "oH = (2 + 2*0 - 1*(3-1) - 1)//3 + 1 = 0",
        ],
    ),
    (
        pooled((1, 1, 8), 2, "max_pool1d", padding=2),
        ["max_pool1d() padding should be at most half of kernel size, but got padding=2 and kernel_size=2"],
    ),
    (pooled(X, 2, padding=2), ["pad should be at most half of effective kernel size"]),
    (pooled(X, 2, padding=-1), ["padding must be non-negative, but got -1"]),
    (pooled(X, 0), ["kernel_size must be greater than zero, but got 0"]),
    (pooled(X, 2, stride=0), ["stride must be greater than zero, but got 0", "stride should not be zero"]),
    (pooled(X, 2, dilation=(1, -1)), ["dilation must be greater than zero, but got [1, -1]"]),
    (pooled(X, (2, 2, 2)), ["max_pool2d: kernel_size must either be a single int, or a tuple of two ints"]),
    (adaptive((8, 8), 2), ["adaptive_avg_pool2d(): Expected 3D or 4D tensor, but got [8, 8]"]),
    (adaptive(X, (2, 2, 2)), ["adaptive_avg_pool2d: output_size must be 2"]),
    (adaptive(X, -1), ["elements of output_size must be greater than or equal to 0 but received [-1, -1]"]),
    (
        adaptive((1, 1, 0, 8), 2),
        ["Expected input to have non-zero size for non-batch dimensions", "dimension 2 being empty"],
    ),
    (adaptive(X, 10**9), ["Storage size calculation overflowed"]),
]


@pytest.mark.parametrize(("call", "phrases"), BAD_CALLS, ids=[phrases[0][:50] for _, phrases in BAD_CALLS])
def test_a_bad_call_is_explained(call: Callable[[], object], phrases: list[str]) -> None:
    with pytest.raises(ShapeError) as caught:
        call()
    assert isinstance(caught.value, RuntimeError)  # what PyTorch raises
    assert isinstance(caught.value, ValueError)
    for phrase in phrases:
        assert phrase in str(caught.value)


@pytest.mark.parametrize(
    "call",
    [
        lambda: plan_conv(2, X, W, stride=1.5),  # type: ignore[arg-type]
        lambda: plan_conv(2, X, W, stride=(1, "2")),  # type: ignore[arg-type]
        lambda: plan_conv_transpose(2, X, (3, 4, 3, 3), padding="same"),  # type: ignore[arg-type]
        lambda: pool.plan_pool("max_pool2d", 2, X, 2.0),  # type: ignore[arg-type]
    ],
)
def test_what_is_no_int_is_a_type_error(call: Callable[[], object]) -> None:
    with pytest.raises(TypeError, match="must be"):
        call()


def test_the_suggested_padding_is_the_smallest_that_works() -> None:
    for kernel in range(1, 12):
        for size in range(1, kernel):
            with pytest.raises(ShapeError) as caught:
                plan_conv(1, (1, 1, size), (1, 1, kernel))
            need = int(str(caught.value).rpartition("padding >= ")[2].split()[0])
            assert plan_conv(1, (1, 1, size), (1, 1, kernel), padding=need).output_size[0] >= 1
            with pytest.raises(ShapeError):
                plan_conv(1, (1, 1, size), (1, 1, kernel), padding=need - 1)


def test_a_geometry_is_immutable_hashable_and_small() -> None:
    geometry = Geometry((1,), ((0, 0),), (1,), 1)
    with pytest.raises(AttributeError):
        geometry.groups = 2  # type: ignore[misc]
    with pytest.raises(AttributeError):
        geometry.extra = 2  # type: ignore[attr-defined]
    assert hash(geometry) == hash(Geometry((1,), ((0, 0),), (1,), 1))
    assert {geometry: 1}[Geometry((1,), ((0, 0),), (1,), 1)] == 1


def test_arguments_of_every_int_like_kind() -> None:
    assert as_tuple(np.int64(2), 2, "stride") == (2, 2)
    assert as_tuple([3], 2, "stride") == (3, 3)
    assert all(type(n) is int for n in as_tuple((np.int32(1), np.int8(2)), 2, "stride"))
    plan = plan_conv(2, X, W, stride=[2, 1], padding=[1, 0], dilation=[1, 2])
    arrays = {"stride": np.array([2, 1]), "padding": np.array([1, 0]), "dilation": np.array([1, 2])}
    assert plan == plan_conv(2, X, W, **arrays)  # type: ignore[arg-type]
    assert plan == plan_conv(2, X, W, stride=(2, 1), padding=(1, 0), dilation=(1, 2))
    assert plan.geometry == Geometry((2, 1), ((1, 1), (0, 0)), (1, 2), 1)
    assert plan.output_size == (4, 4)


def test_unbatched_and_batched_plans_agree() -> None:
    assert plan_conv(2, X, W) == plan_conv(2, X[1:], W)
    assert plan_conv_transpose(2, X, (3, 4, 3, 3)) == plan_conv_transpose(2, X[1:], (3, 4, 3, 3))
    assert plan_conv(2, (0, 3, 8, 8), W).output_size == (6, 6)


@given(st.integers(1, 9), st.integers(1, 4), st.integers(1, 30))
def test_same_keeps_the_size_and_puts_the_odd_zero_last(kernel: int, dilation: int, size: int) -> None:
    (pair,) = resolve_padding("same", (kernel,), (1,), (dilation,))
    assert pair[1] - pair[0] in (0, 1)
    assert conv_output_size((size,), (kernel,), Geometry((1,), (pair,), (dilation,), 1)) == (size,)


@given(st.data())
def test_a_transposed_plan_is_the_adjoint_of_a_convolution(data: st.DataObject) -> None:
    """Whatever the output padding, the convolution from its output leads back to its input's size."""
    size, kernel, stride, dilation = (data.draw(st.integers(1, 6)) for _ in range(4))
    padding = data.draw(st.integers(0, dilation * (kernel - 1) // 2))
    extra = data.draw(st.integers(0, max(stride, dilation) - 1))
    plan = plan_conv_transpose(1, (1, 1, size), (1, 1, kernel), None, stride, padding, extra, 1, dilation)
    assert plan.output_size == ((size - 1) * stride - 2 * padding + dilation * (kernel - 1) + extra + 1,)
    assert conv_output_size(plan.output_size, (kernel,), plan.geometry) == (size,)


def test_pool_plans() -> None:
    assert pool.plan_pool("max_pool2d", 2, (1, 1, 9, 9), 2).output_size == (4, 4)
    assert pool.plan_pool("max_pool2d", 2, (1, 1, 9, 9), 2, stride=[]).stride == (2, 2)
    plan = pool.plan_pool("max_pool2d", 2, (1, 1, 9, 9), (3, 2), (2, 3), (1, 0), (1, 2), True)
    assert plan == pool.PoolPlan((3, 2), (2, 3), (1, 0), (1, 2), (5, 3))
    assert pool.plan_adaptive_pool("adaptive_avg_pool2d", 2, (3, 9, 9), None) == (9, 9)
    assert pool.plan_adaptive_pool("adaptive_avg_pool2d", 2, (0, 3, 9, 9), 0) == (0, 0)
