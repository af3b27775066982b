"""Operators that join a layer and the relu behind it, against the layers' definitions as loops."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from convgrad.errors import ShapeError
from convgrad.nn import fused as F
from convgrad.ops import fused as ops
from convgrad.tensor.tensor import Tensor

from .case import Case, ErrorCase, kinds, values
from .conv import loops, transposed


def _relu(reference: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args: np.maximum(reference(*args), 0)


def _column(v: Any, x: Any) -> Any:
    return v.reshape(1, -1, *(1,) * (x.ndim - 2))


def _batch(x: Any, w: Any, b: Any, r: Any = 0.0) -> Any:
    axes = (0, *range(2, x.ndim))
    centred = x - x.mean(axes, keepdims=True) if x.size else x
    normal = centred / np.sqrt((centred**2).mean(axes, keepdims=True) + 1e-5) if x.size else x
    return normal * _column(w, x) + _column(b, x) + r


_MEAN, _VAR = np.array([0.125, -0.25, 0.5]), np.array([0.5, 1.0, 1.5])  # in any precision


def _given(x: Any, w: Any, b: Any, r: Any = 0.0) -> Any:
    normal = (x - _column(_MEAN, x)) / np.sqrt(_column(_VAR, x) + 1e-5)
    return normal * _column(w, x) + _column(b, x) + r


def _statistics(x: Any) -> tuple[Tensor, Tensor]:
    return Tensor(_MEAN.astype(x._data.dtype), None), Tensor(_VAR.astype(x._data.dtype), None)


def _eval(x: Any, w: Any, b: Any) -> Any:
    return F.batch_norm_relu(x, *_statistics(x), w, b)


def _eval_add(x: Any, w: Any, b: Any, r: Any) -> Any:
    return F.batch_norm_add_relu(x, r, *_statistics(x), w, b)


X, W, B = values(1, 2, 3, 7), values(2, 4, 3, 3), values(3, 4)
NONE = np.zeros((0, 3, 7))
Y, V, C = values(6, 2, 3, 4), values(7, 3, 2, 3), values(8, 2)
N, S, H, R = values(11, 4, 3, 5), values(12, 3), values(13, 3), values(14, 4, 3, 5)
N0 = np.zeros((0, 3, 5))
ROWS, WL, BL = values(15, 4, 5), values(16, 3, 5), values(17, 3)
DEEP = values(18, 2, 3, 5)


def _linear(b: Any, x: Any, w: Any) -> Any:
    return np.einsum("...i,oi->...o", x, w) + b


CASES: list[Case] = [
    *kinds(ops.ConvolveRelu, "1d", F.conv1d_relu, _relu(loops), X, W, empty=(NONE, W)),
    *kinds(
        ops.ConvolveRelu, "3d", F.conv3d_relu, _relu(loops), values(1, 1, 2, 3, 3, 3), values(2, 2, 2, 2, 2, 2)
    ),
    *kinds(ops.ConvolutionRelu, "1d", F.conv1d_relu, _relu(loops), X, W, B, empty=(NONE, W, B)),
    *kinds(
        ops.ConvolutionRelu, "2d", lambda x, w, b: F.conv2d_relu(x, w, b, 2, 1, groups=2),
        _relu(lambda x, w, b: loops(x, w, b, 2, 1, 1, 2)),
        values(1, 2, 2, 5, 4), values(2, 4, 1, 3, 2), values(3, 4),
    ),
    *kinds(
        ops.ConvolveTransposedRelu, "1d", lambda y, w: F.conv_transpose1d_relu(y, w, None, 2, 1, 1),
        _relu(lambda y, w: transposed(y, w, None, 2, 1, 1)), Y, V, empty=(np.zeros((0, 3, 4)), V),
    ),
    *kinds(
        ops.TransposedConvolutionRelu, "1d", F.conv_transpose1d_relu, _relu(transposed), Y, V, C,
        empty=(np.zeros((0, 3, 4)), V, C),
    ),
    *kinds(
        ops.AffineRelu, "rows", lambda b, x, w: F.linear_relu(x, w, b), _relu(_linear), BL, ROWS, WL,
        empty=(BL, np.zeros((0, 5)), WL),
    ),
    *kinds(ops.AffineRelu, "deep", lambda b, x, w: F.linear_relu(x, w, b), _relu(_linear), BL, DEEP, WL),
    *kinds(
        ops.AffineRelu, "no-bias", F.linear_relu, _relu(lambda x, w: np.einsum("...i,oi->...o", x, w)), ROWS, WL
    ),
    *kinds(
        ops.AddRelu, "plain", F.add_relu, _relu(np.add), N, R, empty=(N0, N0),
        zero=(values(1), values(2)),
    ),
    *kinds(
        ops.BatchNormRelu, "plain", lambda x, w, b: F.batch_norm_relu(x, None, None, w, b, True), _relu(_batch),
        N, S, H, empty=(N0, S, H),
    ),
    *kinds(
        ops.BatchNormRelu, "add",
        lambda x, w, b, r: F.batch_norm_add_relu(x, r, None, None, w, b, True), _relu(_batch), N, S, H, R,
        empty=(N0, S, H, N0),
    ),
    *kinds(ops.BatchNormEvalRelu, "plain", _eval, _relu(_given), N, S, H, empty=(N0, S, H)),
    *kinds(ops.BatchNormEvalRelu, "add", _eval_add, _relu(_given), N, S, H, R, empty=(N0, S, H, N0)),
]  # fmt: skip


def _t(*shape: int) -> Tensor:
    return Tensor(np.zeros(shape, np.float32), None)


ERRORS = [
    ErrorCase("conv1d_relu-channels", lambda: F.conv1d_relu(_t(1, 3, 8), _t(2, 4, 3)), ShapeError, "to have 4 channels, but got 3 channels instead", ops.ConvolveRelu),
    ErrorCase("conv2d_relu-not-tensor", lambda: F.conv2d_relu([1.0], _t(2, 3, 3, 3)), TypeError, "must be Tensor, not list", ops.ConvolutionRelu),
    ErrorCase("conv_transpose1d_relu-channels", lambda: F.conv_transpose1d_relu(_t(1, 3, 8), _t(2, 3, 3)), ShapeError, "to have 2 channels, but got 3 channels instead", ops.ConvolveTransposedRelu),
    ErrorCase("linear_relu-shapes", lambda: F.linear_relu(_t(2, 3), _t(4, 5)), ShapeError, "mat1 and mat2 shapes cannot be multiplied (2x3 and 5x4)", ops.AffineRelu),
    ErrorCase("linear_relu-bias", lambda: F.linear_relu(_t(2, 3), _t(4, 3), _t(5)), RuntimeError, "must match the existing size (5)", ops.AffineRelu),
    ErrorCase("add_relu-shapes", lambda: F.add_relu(_t(2, 3), _t(4)), RuntimeError, "must match the size of tensor b", ops.AddRelu),
    ErrorCase("batch_norm_relu-one-value", lambda: F.batch_norm_relu(_t(1, 3), None, None, training=True), ValueError, "Expected more than 1 value per channel when training", ops.BatchNormRelu),
    ErrorCase("batch_norm_add_relu-channels", lambda: F.batch_norm_add_relu(_t(2, 3), _t(2, 3), _t(4), _t(4)), RuntimeError, "running_mean should contain 3 elements not 4", ops.BatchNormEvalRelu),
]  # fmt: skip
