"""Cases of views, joins, rearrangements and padding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from convgrad.errors import ConvgradError, DimError, ShapeError
from convgrad.ops import pad, rearrange, shape
from convgrad.tensor import creation
from convgrad.tensor import functions_shape as joins

from .case import Case, ErrorCase, direct, kinds, values

BASE = values(1, 2, 3, 4)
INPUTS: dict[str, tuple[Any, ...]] = {
    "plain": (BASE, ()),
    "strided": (values(2, 4, 3, 2).transpose(2, 1, 0), ("strided",)),
    "empty": (np.zeros((2, 3, 0)), ("empty",)),
}


def family(
    op: type, name: str, call: Callable[..., Any], reference: Callable[..., Any], zero: Any = None
) -> list[Case]:
    """A case for each kind of input; ``zero``: the reference for a 0-d input where the call takes one."""
    cases = [
        Case(op, f"{name}-{kind}", call, (array,), reference, tags=frozenset(tags))
        for kind, (array, tags) in INPUTS.items()
    ]
    cases.append(
        Case(
            op,
            f"{name}-single",
            call,
            (BASE.astype(np.float32),),
            reference,
            tags=frozenset({"mixed"}),
            second=False,
        )
    )
    if zero is not None:
        cases.append(Case(op, f"{name}-0d", call, (np.array(1.5),), zero, tags=frozenset({"0d"})))
    return cases


def windows(x: Any) -> Any:
    """Windows of two along axis 1, by the definition."""
    return np.stack([np.stack([x[:, k], x[:, k + 1]], -1) for k in range(x.shape[1] - 1)], 1)


CASES: list[Case] = [
    *family(shape.Reshape, "reshape", lambda x: x.reshape(3, -1) if x.numel() else x.reshape(0, 3), lambda x: x.reshape(3, -1) if x.size else x.reshape(0, 3)),
    *family(shape.Permute, "permute", lambda x: x.permute(2, 0, 1), lambda x: np.moveaxis(x, 2, 0)),
    *family(shape.Transpose, "transpose", lambda x: x.transpose(-1, 0), lambda x: np.swapaxes(x, 0, -1), lambda x: x),
    *family(shape.Unsqueeze, "unsqueeze", lambda x: x.unsqueeze(-1), lambda x: x[..., None], lambda x: x[None]),
    *family(shape.Expand, "expand", lambda x: x.expand(2, *x.shape), lambda x: np.stack([x, x]), lambda x: np.stack([x, x])),
    *family(shape.Squeeze, "squeeze", lambda x: x[:1].squeeze(), lambda x: np.squeeze(x[:1])),
    *family(shape.Select, "select", lambda x: x.select(1, -1), lambda x: x[:, -1]),
    *family(shape.Slice, "slice", lambda x: x[:, 1:], lambda x: x[:, 1:]),
    *family(shape.Clone, "clone", lambda x: x.clone(), lambda x: x.copy(), lambda x: x),
    *family(shape.Contiguous, "contiguous", lambda x: x.transpose(0, 1).contiguous(), lambda x: np.swapaxes(x, 0, 1)),
    *family(shape.Cast, "to", lambda x: x.double().to(x.dtype), lambda x: x, lambda x: x),
    *family(shape.Cat, "cat", lambda x: joins.cat([x, x * 2], 1), lambda x: np.concatenate([x, x * 2], 1)),
    *family(shape.Stack, "stack", lambda x: joins.stack([x, x * 2], -1), lambda x: np.stack([x, x * 2], -1), lambda x: np.stack([x, x * 2], -1)),
    *family(shape.Split, "split", lambda x: x.split(2, 1), lambda x: (x[:, :2], x[:, 2:])),
    *family(shape.SplitSizes, "split-sizes", lambda x: x.split([1, 2], 1), lambda x: (x[:, :1], x[:, 1:])),
    *family(shape.Unbind, "unbind", lambda x: x.unbind(1), lambda x: tuple(np.moveaxis(x, 1, 0))),
    *family(rearrange.Flip, "flip", lambda x: x.flip(0, 1), lambda x: x[::-1, ::-1]),
    *family(rearrange.Roll, "roll", lambda x: x.roll((1, -2), (0, 1)), lambda x: np.roll(x, (1, -2), (0, 1))),
    *family(rearrange.Rot90, "rot90", lambda x: x.rot90(1, (0, 1)), lambda x: np.rot90(x)),
    *family(rearrange.Tril, "tril", lambda x: x.tril(-1), lambda x: np.tril(x, -1)),
    *family(rearrange.Triu, "triu", lambda x: x.triu(1), lambda x: np.triu(x, 1)),
    *family(rearrange.Diagonal, "diagonal", lambda x: x.diagonal(1, 0, 1), lambda x: np.diagonal(x, 1, 0, 1)),
    *family(rearrange.DiagonalPut, "diag-embed", lambda x: x.diag_embed(), lambda x: x[..., None] * np.eye(x.shape[-1])),
    *family(rearrange.Unfold, "unfold", lambda x: x.unfold(1, 2, 1), windows),
    *family(rearrange.Repeat, "repeat", lambda x: x.repeat(2, 1, 3, 1), lambda x: np.tile(x, (2, 1, 3, 1)), lambda x: np.tile(x, (2, 1, 3, 1))),
    *family(pad.ConstantPad, "pad", lambda x: joins.pad(x, (1, 2, -1, 0), value=2.5), lambda x: np.pad(x[:, 1:], ((0, 0), (0, 0), (1, 2)), constant_values=2.5)),
    Case(pad.ReflectionPad1D, "reflect", lambda x: joins.pad(x, (2, 1), mode="reflect"), (BASE,), lambda x: np.pad(x, ((0, 0), (0, 0), (2, 1)), mode="reflect")),
    Case(pad.ReflectionPad2D, "reflect", lambda x: joins.pad(x, (2, 1, 1, 1), mode="reflect"), (BASE,), lambda x: np.pad(x, ((0, 0), (1, 1), (2, 1)), mode="reflect")),
    Case(pad.ReplicationPad1D, "replicate", lambda x: joins.pad(x, (5, 1), mode="replicate"), (BASE,), lambda x: np.pad(x, ((0, 0), (0, 0), (5, 1)), mode="edge")),
    Case(pad.ReplicationPad2D, "replicate", lambda x: joins.pad(x, (2, 1, 1, 4), mode="replicate"), (BASE,), lambda x: np.pad(x, ((0, 0), (1, 4), (2, 1)), mode="edge")),
    Case(pad.CircularPad, "circular", lambda x: joins.pad(x, (3, 1, 1, 2), mode="circular"), (BASE,), lambda x: np.pad(x, ((0, 0), (1, 2), (3, 1)), mode="wrap")),
    Case(rearrange.AsStrided, "as-strided", lambda x: x.as_strided((3, 2), (1, 2)), (values(5, 6),), lambda x: np.array([[x[i + 2 * j] for j in range(2)] for i in range(3)])),
    Case(rearrange.DiagonalScatter, "diagonal-scatter", lambda x, v: x.diagonal_scatter(v), (values(6, 3, 3), values(7, 3)), lambda x, v: np.where(np.eye(3, dtype=bool), np.diag(v), x)),
]  # fmt: skip

# The further forms of views, in place too: the same under other names, so each needs its own cases.
EMPTY, ZERO = np.zeros((2, 3, 0)), np.array(1.5)
THIN, THIN0 = values(8, 2, 1, 3, 1), np.zeros((0, 1, 3, 1))
MATRIX, SQUARE = values(9, 3, 4), values(10, 3, 3)


def changed(method: str, *args: Any) -> Callable[..., Any]:
    """An in-place method on a copy."""
    return lambda x, *more: getattr(x.clone(), method)(*args, *more)


CASES += [
    *kinds(shape.UnsafeView, "reshape", lambda x: x.transpose(0, 1).reshape(-1), lambda x: np.swapaxes(x, 0, 1).reshape(-1), MATRIX),
    *kinds(shape.UnsafeView, "adjoint", direct(shape.UnsafeView, (4, 0)), lambda x: np.zeros((4, 0)), empty=(EMPTY,)),
    *kinds(shape.UnsafeView, "one", direct(shape.UnsafeView, (1,)), lambda x: np.array([x]), zero=(ZERO,)),
    *kinds(shape.ReshapeAlias, "reshape", direct(shape.ReshapeAlias, (-1,)), lambda x: x.reshape(-1), MATRIX),
    *kinds(shape.ReshapeAlias, "adjoint", direct(shape.ReshapeAlias, (4, 0)), lambda x: np.zeros((4, 0)), empty=(EMPTY,)),
    *kinds(shape.ReshapeAlias, "one", direct(shape.ReshapeAlias, (1,)), lambda x: np.array([x]), zero=(ZERO,)),
    *kinds(shape.SqueezeDim, "squeeze", lambda x: x.squeeze(-1), lambda x: x[..., 0] if x.ndim else x, THIN, empty=(THIN0,), zero=(ZERO,)),
    *kinds(shape.SqueezeDims, "squeeze", lambda x: x.squeeze((1, 3)) if x.ndim else x.squeeze((0,)), lambda x: x[:, 0, :, 0] if x.ndim else x, THIN, empty=(THIN0,), zero=(ZERO,)),
    *kinds(shape.SqueezeInPlace, "squeeze_", changed("squeeze_"), lambda x: x[:, 0, :, 0] if x.ndim else x, THIN, empty=(THIN0,), zero=(ZERO,)),
    *kinds(shape.SqueezeDimInPlace, "squeeze_", changed("squeeze_", -1), lambda x: x[..., 0] if x.ndim else x, THIN, empty=(THIN0,), zero=(ZERO,)),
    *kinds(shape.SqueezeDimsInPlace, "squeeze_", lambda x: x.clone().squeeze_((1, 3) if x.ndim else (0,)), lambda x: x[:, 0, :, 0] if x.ndim else x, THIN, empty=(THIN0,), zero=(ZERO,)),
    *kinds(shape.UnsqueezeInPlace, "unsqueeze_", changed("unsqueeze_", -1), lambda x: x[..., None], MATRIX, empty=(EMPTY,), zero=(ZERO,)),
    *kinds(shape.T, "t", lambda x: x.t(), lambda x: np.transpose(x), MATRIX, empty=(EMPTY[0],), zero=(ZERO,)),
    *kinds(shape.TInPlace, "t_", changed("t_"), lambda x: np.transpose(x), MATRIX, empty=(EMPTY[0],), zero=(ZERO,)),
    *kinds(shape.TransposeInPlace, "transpose_", changed("transpose_", 0, -1), lambda x: np.swapaxes(x, 0, -1) if x.ndim else x, BASE, empty=(EMPTY,), zero=(ZERO,)),
    *kinds(shape.Alias, "dots", lambda x: x[...], lambda x: x, BASE, empty=(EMPTY,), zero=(ZERO,)),
    *kinds(shape.UnsqueezeIndex, "none", lambda x: x[..., None], lambda x: np.expand_dims(x, -1), BASE, empty=(EMPTY,), zero=(ZERO,)),
    *kinds(shape.Fill, "fill_", changed("fill_", 2.5), lambda x: np.full(x.shape, 2.5), BASE, empty=(EMPTY,), zero=(ZERO,)),
    *kinds(shape.Zero, "zero_", changed("zero_"), lambda x: np.zeros(x.shape), BASE, empty=(EMPTY,), zero=(ZERO,)),
    *kinds(shape.FillTensor, "fill_", changed("fill_"), lambda x, v: np.full(x.shape, v), BASE, np.array(0.7), empty=(EMPTY, np.array(0.7)), zero=(ZERO, np.array(0.7))),
    *kinds(shape.Reshape, "one", lambda x: x.reshape(1, 1), lambda x: np.array([[x]]), zero=(ZERO,)),
    *kinds(shape.Permute, "none", lambda x: x.permute(()), lambda x: x, zero=(ZERO,)),
    *kinds(shape.Squeeze, "none", lambda x: x.squeeze(), lambda x: x, zero=(ZERO,)),
    *kinds(shape.Contiguous, "column", lambda x: x[:, 0].contiguous(), lambda x: x[:, 0].copy(), MATRIX),
    *kinds(rearrange.Flip, "none", lambda x: x.flip(()), lambda x: x, zero=(ZERO,)),
    *kinds(rearrange.Roll, "one", lambda x: x.roll(1), lambda x: x, zero=(ZERO,)),
    *kinds(rearrange.Unfold, "one", lambda x: x.unfold(0, 1, 1), lambda x: x.reshape(1), zero=(ZERO,)),
    *kinds(rearrange.AsStrided, "steps", lambda x: x.as_strided((3, 2), (1, 2)), lambda x: np.array([[x[0], x[2]], [x[1], x[3]], [x[2], x[4]]]), values(5, 6))[:1],
    *kinds(rearrange.AsStrided, "one", lambda x: x.as_strided((2, 2), (0, 0)), lambda x: np.full((2, 2), x), zero=(ZERO,)),
    *kinds(rearrange.AsStridedInPlace, "as_strided_", changed("as_strided_", (3, 2), (1, 2)), lambda x: np.array([[x[0], x[2]], [x[1], x[3]], [x[2], x[4]]]), values(5, 6))[:1],
    *kinds(rearrange.AsStridedInPlace, "as_strided_ one", changed("as_strided_", (2, 2), (0, 0)), lambda x: np.full((2, 2), x), zero=(ZERO,)),
    Case(rearrange.AsStridedInPlace, "as_strided_-empty", changed("as_strided_", (0, 2), (2, 1)), (values(5, 6),), lambda x: np.zeros((0, 2)), tags=frozenset({"empty"})),
    Case(rearrange.AsStrided, "steps-empty", lambda x: x.as_strided((0, 2), (2, 1)), (values(5, 6),), lambda x: np.zeros((0, 2)), tags=frozenset({"empty"})),
    *kinds(rearrange.DiagonalCopy, "diag", lambda x: x.diag(1), lambda x: np.array([x[i, i + 1] for i in range(min(len(x), x.shape[1] - 1))]), MATRIX, empty=(EMPTY[0],)),
    *kinds(rearrange.DiagonalScatter, "offset", lambda x, v: x.diagonal_scatter(v, 1), lambda x, v: np.array([[v[i] if j == i + 1 else x[i, j] for j in range(x.shape[1])] for i in range(len(x))]).reshape(x.shape), MATRIX, values(11, 3), empty=(EMPTY[0], np.zeros(0))),
    *kinds(pad.ConstantPad, "none", lambda x: joins.pad(x, ()), lambda x: x, zero=(ZERO,)),
]  # fmt: skip

# Padding: each number of dimensions has its own node.
_PADS: list[tuple[type, str, tuple[int, ...], str, Any, tuple[int, ...]]] = [
    (pad.ReflectionPad1D, "reflect", (2, 1), "reflect", BASE, (0, 3, 4)),
    (pad.ReflectionPad2D, "reflect", (2, 1, 1, 1), "reflect", BASE, (0, 2, 3, 4)),
    (pad.ReflectionPad3D, "reflect", (1, 1, 1, 0, 0, 1), "reflect", values(12, 1, 2, 3, 2), (0, 1, 2, 3, 2)),
    (pad.ReplicationPad1D, "replicate", (5, 1), "edge", BASE, (0, 3, 4)),
    (pad.ReplicationPad2D, "replicate", (2, 1, 1, 4), "edge", BASE, (0, 2, 3, 4)),
    (pad.ReplicationPad3D, "replicate", (1, 4, 1, 0, 3, 1), "edge", values(12, 1, 2, 3, 2), (0, 1, 2, 3, 2)),
    (pad.CircularPad, "circular", (3, 1, 1, 2), "wrap", values(12, 2, 2, 3, 4), (0, 2, 3, 4)),
]  # fmt: skip


def numpy_pad(x: Any, widths: tuple[int, ...], mode: str) -> Any:
    """NumPy's padding, which wants (before, after) of every axis, the first axis first."""
    sides = [(0, 0)] * (x.ndim - len(widths) // 2)
    sides += [(widths[i], widths[i + 1]) for i in range(len(widths) - 2, -1, -2)]
    return np.pad(x, sides, mode=mode)  # type: ignore[call-overload]


for _op, _mode, _widths, _numpy, _x, _none in _PADS:
    CASES += kinds(
        _op, f"{_mode}-table",
        lambda x, w=_widths, m=_mode: joins.pad(x, w, mode=m),
        lambda x, w=_widths, m=_numpy: numpy_pad(x, w, m),
        _x, empty=(np.zeros(_none),),
    )  # fmt: skip

X = creation.ones(2, 3, 4)
ERRORS: list[ErrorCase] = [
    ErrorCase("view-size", lambda: X.view(5), ShapeError, "is invalid for input of size 24", shape.Reshape),
    ErrorCase("view-two", lambda: X.view(-1, -1), ShapeError, "only one dimension can be inferred", shape.Reshape),
    ErrorCase("view-strides", lambda: X.transpose(0, 1).view(-1), ShapeError, r"Use .reshape(...) instead", shape.Reshape),
    ErrorCase("permute", lambda: X.permute(0, 0, 1), ConvgradError, "duplicate dims are not allowed", shape.Permute),
    ErrorCase("transpose", lambda: X.transpose(0, 5), DimError, "Dimension out of range", shape.Transpose),
    ErrorCase("unsqueeze", lambda: X.unsqueeze(9), DimError, "Dimension out of range", shape.Unsqueeze),
    ErrorCase("expand", lambda: X.expand(3, 3, 4), ShapeError, "must match the existing size", shape.Expand),
    ErrorCase("squeeze", lambda: X.squeeze(7), DimError, "Dimension out of range", shape.Squeeze),
    ErrorCase("cat", lambda: joins.cat([X, X[:, :2]]), ShapeError, "Sizes of tensors must match except in dimension 0", shape.Cat),
    ErrorCase("cat-empty", lambda: joins.cat([]), ValueError, "expected a non-empty list of Tensors", shape.Cat),
    ErrorCase("stack", lambda: joins.stack([X, X[0]]), ShapeError, "stack expects each tensor to be equal size", shape.Stack),
    ErrorCase("split", lambda: X.split([1, 2]), ShapeError, "expects split_sizes to sum exactly to 2", shape.SplitSizes),
    ErrorCase("split-size", lambda: X.split(-1), ShapeError, "non-negative", shape.Split),
    ErrorCase("unbind", lambda: creation.tensor(1.0).unbind(), DimError, "no dimensions", shape.Unbind),
    ErrorCase("flip", lambda: X.flip(0, 0), ConvgradError, "appears multiple times", rearrange.Flip),
    ErrorCase("roll", lambda: X.roll((1, 2), 0), ConvgradError, "must align", rearrange.Roll),
    ErrorCase("rot90", lambda: X.rot90(1, (0, 0)), ConvgradError, "rotation dims to be different", rearrange.Rot90),
    ErrorCase("tril", lambda: X[0, 0].tril(), ConvgradError, "at least 2 dimensions", rearrange.Tril),
    ErrorCase("triu", lambda: X[0, 0].triu(), ConvgradError, "at least 2 dimensions", rearrange.Triu),
    ErrorCase("diagonal", lambda: X.diagonal(0, 1, 1), ConvgradError, "cannot be identical", rearrange.Diagonal),
    ErrorCase("unfold", lambda: X.unfold(0, 3, 1), ConvgradError, "maximum size for tensor", rearrange.Unfold),
    ErrorCase("repeat", lambda: X.repeat(2), ShapeError, "can not be smaller than number of dimensions", rearrange.Repeat),
    ErrorCase("as-strided", lambda: X.as_strided((9, 9), (9, 9)), ConvgradError, "out of bounds for storage", rearrange.AsStrided),
    ErrorCase("pad-odd", lambda: joins.pad(X, (1,)), ConvgradError, "must be divisible by 2", pad.ConstantPad),
    ErrorCase("pad-reflect", lambda: joins.pad(X, (4, 0), mode="reflect"), ConvgradError, "less than the corresponding input dimension", pad.ReflectionPad1D),
    ErrorCase("pad-wrap", lambda: joins.pad(X, (5, 0), mode="circular"), ConvgradError, "wrapping around more than once", pad.CircularPad),
    ErrorCase("pad-mode", lambda: joins.pad(X, (1, 1), mode="mirror"), NotImplementedError, "Unrecognised padding mode", pad.ConstantPad),
    ErrorCase("ragged", lambda: creation.tensor([[1, 2], [1, 2, 3]]), ValueError, "expected sequence of length 2 at dim 1 (got 3)"),
    ErrorCase("device", lambda: creation.zeros(2, device="cuda"), RuntimeError, "convgrad runs on the CPU"),
    ErrorCase("bool", lambda: bool(X), RuntimeError, "Boolean value of Tensor with more than one value is ambiguous"),
    ErrorCase("item", lambda: X.item(), RuntimeError, "a Tensor with 24 elements cannot be converted to Scalar"),
]  # fmt: skip
