"""Cases of views, joins, rearrangements and padding."""


from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from convgrad.errors import ConvgradError, DimError, ShapeError
from convgrad.ops import pad, rearrange, shape
from convgrad.tensor import creation
from convgrad.tensor import functions_shape as joins

from .case import Case, ErrorCase, values

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
