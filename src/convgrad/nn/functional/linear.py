"""The linear layer, embeddings, similarities; ``pad`` and ``one_hot`` come from the tensor layer."""

from __future__ import annotations

import numpy as np

from ...dtypes import Array
from ...errors import DtypeError, ShapeError
from ...graph.node import cell_of
from ...ops import embedding as embedding_ops
from ...tensor import functions_linear
from ...tensor.checks import scalar_name
from ...tensor.functions_shape import one_hot, pad
from ...tensor.methods.operands import check_tensor
from ...tensor.tensor import Tensor, apply


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``input @ weight.T + bias``.

    Args:
        input: ``(..., in_features)``.
        weight: same dtype, ``(out_features, in_features)``, or ``(in_features,)`` for one output.
        bias: ``(out_features,)`` or None.
    Returns:
        ``(..., out_features)``.
    Raises:
        ShapeError: the last dimension of input is not in_features.
        DtypeError: the dtypes differ.
    """
    if not isinstance(input, Tensor):
        raise TypeError(f"linear(): argument 'input' (position 1) must be Tensor, not {type(input).__name__}")
    x, w = input._data.shape, weight._data.shape
    if len(w) == 2 and x and x[-1] != w[1]:
        raise _linear_error(input._data, weight._data)
    try:
        return functions_linear.linear(input, weight, bias)
    except DtypeError:
        if input.dtype is weight.dtype:
            raise
        names = scalar_name(input.dtype), scalar_name(weight.dtype)
        raise DtypeError(
            f"mat1 and mat2 must have the same dtype, but got {names[0]} and {names[1]}: linear's input is "
            f"{input.dtype}, its weight {weight.dtype}; use input.to({weight.dtype})"
        ) from None


def _linear_error(x: Array, w: Array) -> ShapeError:
    rows = x.size // max(1, x.shape[-1])
    hint = ""
    if x.size and x.ndim > 1 and x.size // x.shape[0] == w.shape[1]:
        hint = "; flatten the input first: nn.Flatten(), or x.flatten(1)"
    return ShapeError(
        f"mat1 and mat2 shapes cannot be multiplied ({rows}x{x.shape[-1]} and {w.shape[1]}x{w.shape[0]}): "
        "linear "
        f"needs the last dimension of input {list(x.shape)} to be in_features = {w.shape[1]}{hint}"
    )


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``x1 A_k x2 + b_k`` for every output k; weight is ``(out, in1, in2)``."""
    out, in1, in2 = weight._data.shape
    if input1._data.shape[-1] != in1 or input2._data.shape[-1] != in2:
        raise ShapeError(
            f"bilinear: weight {[out, in1, in2]} needs inputs with {in1} and {in2} features, but got "
            f"{list(input1.shape)} and {list(input2.shape)}"
        )
    lead = input1._data.shape[:-1]
    left = input1.reshape(-1, in1) @ weight.transpose(0, 1).reshape(in1, out * in2)
    right = input2.reshape(-1, 1, in2)
    value = (left.reshape(-1, out, in2) * right).sum(-1).reshape(*lead, out)
    return value if bias is None else value + bias


def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """Rows of a table by index.

    Args:
        input: indices, int32 or int64 of any shape.
        weight: ``(num_embeddings, embedding_dim)``.
        padding_idx: a row that gets no gradient.
        max_norm: rows that are used are first shortened, in place, to this norm.
        norm_type: p of that norm.
        scale_grad_by_freq, sparse: only False is supported.
    Returns:
        ``(*input.shape, embedding_dim)``.
    Raises:
        DtypeError: indices that are no integers.
        IndexError: an index outside the table.
    """
    if scale_grad_by_freq or sparse:
        raise NotImplementedError("embedding: scale_grad_by_freq and sparse gradients are not supported")
    check_tensor("embedding", input, "input")
    index, table = input._data, weight._data
    if index.dtype.kind not in "iu" or index.dtype.itemsize < 4:
        raise DtypeError(
            "Expected tensor for argument #1 'indices' to have one of the following scalar types: Long, "
            "Int; but "
            f"got {input.dtype} instead (while checking arguments for embedding); use input.long()"
        )
    rows = table.shape[0]
    if index.size and (int(index.min()) < 0 or int(index.max()) >= rows):
        raise IndexError(
            f"index out of range in self: embedding of {rows} rows needs 0 <= index < {rows}, but got "
            "indices from "
            f"{int(index.min())} to {int(index.max())}"
        )
    padding = -1
    if padding_idx is not None:
        if not -rows <= padding_idx < rows:
            raise AssertionError("Padding_idx must be within num_embeddings")
        padding = padding_idx % rows
    if max_norm is not None:
        _renormalise(weight, index, max_norm, norm_type)
    return apply(embedding_ops.Embedding, (weight,), (index, padding))


def _renormalise(weight: Tensor, index: Array, max_norm: float, norm_type: float) -> None:
    used = np.unique(index)
    norms = np.linalg.norm(weight._data[used], norm_type, 1)
    long = norms > max_norm
    if long.any():
        scale = (max_norm / (norms[long] + 1e-7)).astype(weight._data.dtype)
        weight._data[used[long]] *= scale[:, None]
        cell_of(weight).bump("embedding_renorm_")


def normalize(input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Tensor:
    """Vectors along ``dim`` divided by their p-norm (or by ``eps``, where that is larger)."""
    length = input.norm(p, dim, keepdim=True)
    return input / length.clamp(min=eps)


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """The cosine of the angle between vectors along ``dim``."""
    lengths = [(x * x).sum(dim).sqrt().clamp(min=eps) for x in (x1, x2)]
    return (x1 * x2).sum(dim) / (lengths[0] * lengths[1])


def pairwise_distance(
    x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Tensor:
    """The p-norm of ``x1 - x2 + eps`` along the last dimension."""
    return (x1 - x2 + eps).norm(p, -1, keepdim=keepdim)


__all__ = [
    "bilinear", "cosine_similarity", "embedding", "linear", "normalize", "one_hot", "pad",
    "pairwise_distance",
]  # fmt: skip
