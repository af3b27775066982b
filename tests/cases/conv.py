"""Convolutions: the three primitives and the biased forms, against loops from the definition."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from convgrad.errors import ShapeError
from convgrad.kernels.geometry import Geometry
from convgrad.nn.functional import conv as F
from convgrad.ops import conv as ops
from convgrad.tensor.tensor import Tensor

from .case import Case, ErrorCase, direct, values


def loops(
    x: Any, w: Any, b: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
) -> Any:
    """Cross-correlation term by term, in float64: out[n, o, p] = sum x[n, c, p s - pad + k d] w[o, c, k]."""
    nd = x.ndim - 2
    stride, padding, dilation = [
        v if isinstance(v, tuple) else (v,) * nd for v in (stride, padding, dilation)
    ]
    size, kernel = x.shape[2:], w.shape[2:]
    out_size = [(n + 2 * p - d * (k - 1) - 1) // s + 1
                for n, p, d, k, s in zip(size, padding, dilation, kernel, stride, strict=True)]  # fmt: skip
    out = np.zeros((x.shape[0], w.shape[0], *out_size), x.dtype)
    per = w.shape[0] // groups
    for o in range(w.shape[0]):
        for place in itertools.product(*map(range, out_size)):
            for tap in itertools.product(*map(range, kernel)):
                at = [
                    i * s - p + t * d
                    for i, s, p, t, d in zip(place, stride, padding, tap, dilation, strict=True)
                ]
                if all(0 <= a < n for a, n in zip(at, size, strict=True)):
                    first = (o // per) * w.shape[1]
                    window = x[(slice(None), slice(first, first + w.shape[1]), *at)]
                    out[(slice(None), o, *place)] += window @ w[(o, slice(None), *tap)]
    return out if b is None else out + b.reshape(-1, *[1] * nd)


def transposed(
    x: Any, w: Any, b: Any = None, stride: int = 1, padding: int = 0, output_padding: int = 0
) -> Any:
    """The transposed convolution in 1 dimension by scattering: out[n, o, i s - p + k] += x[n, c, i] w[c, o, k]."""
    length = (x.shape[2] - 1) * stride - 2 * padding + w.shape[2] + output_padding
    out = np.zeros((x.shape[0], w.shape[1], length), x.dtype)
    for i, k in itertools.product(range(x.shape[2]), range(w.shape[2])):
        at = i * stride - padding + k
        if 0 <= at < length:
            out[:, :, at] += x[:, :, i] @ w[:, :, k]
    return out if b is None else out + b.reshape(-1, 1)


def _conv(nd: int, **kw: Any) -> Any:
    function = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}[nd]
    return lambda *args: function(*args, **kw)


def _case(
    op: type, name: str, nd: int, shapes: list[tuple[int, ...]], tags: set[str] = frozenset(), **kw: Any
) -> Case:  # type: ignore[assignment]
    args = tuple(values(i, *s) for i, s in enumerate(shapes))
    return Case(op, name, _conv(nd, **kw), args, lambda *a: loops(*a, **kw), tags=frozenset(tags))


_NUMPY_MODES: Any = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}


class Border:
    """A convolution whose borders repeat the input: called on tensors, and by loops on what NumPy has padded."""

    def __init__(
        self, border: str, pairs: list[tuple[int, int]], stride: int = 1, dilation: int = 1, groups: int = 1
    ) -> None:
        n = len(pairs)
        self.border, self.pairs, self.stride, self.dilation, self.groups = (
            border,
            pairs,
            stride,
            dilation,
            groups,
        )
        self.geometry = Geometry((stride,) * n, tuple(pairs), (dilation,) * n, groups, border)

    def call(self, x: Any, w: Any, b: Any = None) -> Any:
        n = len(self.pairs)
        widths = tuple(itertools.chain(*self.pairs[::-1]))
        each = (self.stride,) * n, widths, (self.dilation,) * n, self.groups
        return F.convolve_with_border(n, x, w, b, *each, self.border)

    def loops(self, x: Any, w: Any, b: Any = None) -> Any:
        padded = np.pad(x, [(0, 0), (0, 0), *self.pairs], _NUMPY_MODES[self.border])
        return loops(padded, w, b, self.stride, 0, self.dilation, self.groups)

    def input_grad(self, y: Any, w: Any, shape: tuple[int, ...]) -> Any:
        """The adjoint of ``loops`` in x, entry by entry."""
        out = np.zeros(shape)
        for place in np.ndindex(*shape):
            unit = np.zeros(shape)
            unit[place] = 1.0
            out[place] = (y * self.loops(unit, w)).sum()
        return out

    def weight_grad(self, x: Any, y: Any, shape: tuple[int, ...]) -> Any:
        """The adjoint of ``loops`` in w, entry by entry."""
        out = np.zeros(shape)
        for place in np.ndindex(*shape):
            unit = np.zeros(shape)
            unit[place] = 1.0
            out[place] = (y * self.loops(x, unit)).sum()
        return out


def _border_cases() -> list[Case]:
    """Each mode in each number of dimensions, with a stride, a dilation, groups and lopsided widths among them."""
    cases = []
    for border, (n, pairs, options, x, w) in itertools.product(_NUMPY_MODES, (
        (1, [(2, 3)], {}, (2, 2, 5), (3, 2, 4)),
        (1, [(3, 3)], {"stride": 2, "dilation": 2, "groups": 2}, (1, 4, 6), (4, 2, 3)),
        (2, [(1, 0), (2, 2)], {"stride": 2}, (2, 2, 3, 4), (2, 2, 2, 3)),
        (2, [(1, 1), (1, 1)], {"groups": 3, "dilation": 2}, (1, 3, 4, 3), (3, 1, 2, 2)),
        (3, [(1, 1), (0, 1), (1, 0)], {}, (1, 1, 2, 3, 2), (2, 1, 2, 2, 2)),
    )):  # fmt: skip
        form = Border(border, pairs, **options)
        name = "-".join([border, f"{n}d", *options])
        xs, ws = values(1, *x), values(2, *w)
        ys = values(3, *form.loops(xs, ws).shape)
        input_grad = (form.geometry, x[2:])
        weight_grad = (form.geometry, w[2:])
        cases += [
            Case(ops.Convolve, name, form.call, (xs, ws), form.loops),
            Case(ops.Convolution, name, form.call, (xs, ws, values(4, w[0])), form.loops),
            Case(
                ops.ConvolveInputGrad, name, direct(ops.ConvolveInputGrad, *input_grad), (ys, ws),
                lambda y, w, form=form, shape=x: form.input_grad(y, w, shape),
            ),
            Case(
                ops.ConvolveWeightGrad, name, direct(ops.ConvolveWeightGrad, *weight_grad), (xs, ys),
                lambda x, y, form=form, shape=w: form.weight_grad(x, y, shape),
            ),
        ]  # fmt: skip
    return cases


_strided = values(7, 2, 6, 3).transpose(0, 2, 1)

CASES = [
    _case(ops.Convolve, "1d", 1, [(2, 3, 7), (4, 3, 3)]),
    _case(ops.Convolve, "2d-stride-pad", 2, [(2, 2, 5, 6), (3, 2, 3, 2)], stride=(2, 1), padding=(1, 2)),
    _case(ops.Convolve, "2d-dilated-groups", 2, [(1, 4, 6, 5), (4, 2, 2, 2)], dilation=2, groups=2),
    _case(ops.Convolve, "depthwise", 1, [(2, 3, 6), (3, 1, 3)], padding=1, groups=3),
    _case(ops.Convolve, "3d", 3, [(1, 2, 3, 4, 3), (2, 2, 2, 2, 2)]),
    _case(ops.Convolve, "no-batch", 1, [(0, 3, 7), (4, 3, 3)], {"empty"}),
    Case(ops.Convolve, "strided", F.conv1d, (_strided, values(8, 2, 3, 2)), loops, tags=frozenset({"strided"})),
    _case(ops.Convolution, "1d", 1, [(2, 3, 7), (4, 3, 3), (4,)]),
    _case(ops.Convolution, "2d", 2, [(2, 2, 5, 4), (4, 1, 3, 2), (4,)], padding=1, stride=2, groups=2),
    _case(ops.Convolution, "pad-over-kernel", 1, [(1, 2, 3), (2, 2, 2), (2,)], padding=4),
    _case(ops.Convolution, "no-batch", 2, [(0, 2, 5, 4), (4, 2, 3, 2), (4,)], {"empty"}),
    Case(
        ops.Convolution, "strided", F.conv1d, (_strided, values(8, 2, 3, 2), values(9, 2)), loops,
        tags=frozenset({"strided"}),
    ),
    Case(
        ops.ConvolveInputGrad, "1d", lambda x, w: F.conv_transpose1d(x, w, stride=2, padding=1, output_padding=1),
        (values(1, 2, 3, 4), values(2, 3, 2, 3)), lambda x, w: transposed(x, w, None, 2, 1, 1),
    ),
    Case(
        ops.ConvolveInputGrad, "no-batch", F.conv_transpose1d, (values(1, 0, 3, 4), values(2, 3, 2, 3)), transposed,
        tags=frozenset({"empty"}),
    ),
    Case(
        ops.ConvolveInputGrad, "strided", F.conv_transpose1d, (_strided, values(2, 3, 2, 3)), transposed,
        tags=frozenset({"strided"}),
    ),
    Case(
        ops.TransposedConvolution, "1d", F.conv_transpose1d, (values(1, 2, 3, 4), values(2, 3, 2, 3), values(3, 2)),
        transposed,
    ),
    Case(
        ops.TransposedConvolution, "no-batch", F.conv_transpose1d,
        (values(1, 0, 3, 4), values(2, 3, 2, 3), values(3, 2)), transposed, tags=frozenset({"empty"}),
    ),
    Case(
        ops.TransposedConvolution, "strided", F.conv_transpose1d, (_strided, values(2, 3, 2, 3), values(3, 2)),
        transposed, tags=frozenset({"strided"}),
    ),
    Case(
        ops.ConvolveWeightGrad, "1d",
        lambda x, y: x._apply(ops.ConvolveWeightGrad, (x, y), (ops.Geometry((1,), ((0, 0),), (1,), 1), (3,))),
        (values(1, 2, 3, 6), values(2, 2, 4, 4)),
        lambda x, y: loops(x.transpose(1, 0, 2), y.transpose(1, 0, 2)).transpose(1, 0, 2),
    ),
    Case(
        ops.ConvolveWeightGrad, "no-batch",
        lambda x, y: x._apply(ops.ConvolveWeightGrad, (x, y), (ops.Geometry((1,), ((0, 0),), (1,), 1), (3,))),
        (values(1, 0, 3, 6), values(2, 0, 4, 4)), lambda x, y: np.zeros((4, 3, 3)), tags=frozenset({"empty"}),
    ),
    Case(
        ops.ConvolveWeightGrad, "strided",
        lambda x, y: x._apply(ops.ConvolveWeightGrad, (x, y), (ops.Geometry((1,), ((0, 0),), (1,), 1), (3,))),
        (_strided, values(2, 2, 4, 4)),
        lambda x, y: loops(x.transpose(1, 0, 2), y.transpose(1, 0, 2)).transpose(1, 0, 2),
        tags=frozenset({"strided"}),
    ),
    *_border_cases(),
]  # fmt: skip


def _t(*shape: int, dtype: Any = np.float32) -> Tensor:
    return Tensor(np.zeros(shape, dtype), None)


ERRORS = [
    ErrorCase("conv1d-channels", lambda: F.conv1d(_t(1, 3, 8), _t(2, 4, 3)), ShapeError, "to have 4 channels, but got 3 channels instead", ops.Convolve),
    ErrorCase("conv2d-channels-last", lambda: F.conv2d(_t(1, 8, 8, 3), _t(2, 3, 3, 3)), ShapeError, "channels-last", ops.Convolution),
    ErrorCase("conv2d-too-small", lambda: F.conv2d(_t(1, 1, 2, 2), _t(1, 1, 3, 3)), ShapeError, "Kernel size can't be greater than actual input size", ops.Convolve),
    ErrorCase("conv2d-rank", lambda: F.conv2d(_t(2, 2), _t(1, 1, 3, 3)), ShapeError, "Expected 3D (unbatched) or 4D (batched) input to conv2d", ops.Convolve),
    ErrorCase("conv1d-bias", lambda: F.conv1d(_t(1, 3, 8), _t(2, 3, 3), _t(3)), ShapeError, "bias", ops.Convolution),
    ErrorCase("conv1d-dtype", lambda: F.conv1d(_t(1, 3, 8), _t(2, 3, 3, dtype=np.float64)), RuntimeError, "should be the same", ops.Convolve),
    ErrorCase("conv1d-not-tensor", lambda: F.conv1d([1.0], _t(2, 3, 3)), TypeError, "must be Tensor, not list", ops.Convolve),
    ErrorCase("conv1d-same-strided", lambda: F.conv1d(_t(1, 3, 8), _t(2, 3, 3), stride=2, padding="same"), RuntimeError, "padding='same' is not supported for strided convolutions", ops.Convolve),
    ErrorCase("transpose-channels", lambda: F.conv_transpose1d(_t(1, 3, 8), _t(2, 3, 3)), ShapeError, "to have 2 channels, but got 3 channels instead", ops.ConvolveInputGrad),
    ErrorCase("transpose-output-padding", lambda: F.conv_transpose1d(_t(1, 2, 8), _t(2, 3, 3), _t(3), output_padding=1), RuntimeError, "output padding must be smaller than either stride or dilation", ops.TransposedConvolution),
]  # fmt: skip
