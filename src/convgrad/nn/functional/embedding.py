"""Tables of vectors: rows by index, sums of rows, one-hot rows."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ...dtypes import F32, F64, Array
from ...errors import ConvgradError, DtypeError, RangeError, ShapeError
from ...graph.grad_mode import MODE, RECORD
from ...graph.node import cell_of
from ...kernels import table
from ...ops import embedding as ops
from ...tensor.checks import scalar_name
from ...tensor.dual import batch_of
from ...tensor.functions_shape import one_hot
from ...tensor.methods.operands import check_tensor
from ...tensor.tensor import Tensor, apply

_INT64 = np.dtype(np.int64)


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
        scale_grad_by_freq: the gradient of a row is divided by how often the row is used.
        sparse: accepted; gradients are dense.
    Returns:
        ``(*input.shape, embedding_dim)``.
    Raises:
        DtypeError: indices that are no integers.
        IndexError: an index outside the table.
    """
    if padding_idx is None and max_norm is None and not scale_grad_by_freq:
        out = _rows(input, weight)
        if out is not None:
            return out
    check_tensor("embedding", input, "input")
    check_tensor("embedding", weight, "weight")
    if weight._data.ndim != 2:
        raise ShapeError(
            f"'weight' must be 2-D, got {weight._data.ndim}-D tensor of shape {list(weight.shape)}"
        )
    if input._data.dtype.kind not in "iu" or input._data.dtype.itemsize < 4:
        raise _index_error("embedding", input)
    index, rows = input._data, weight._data.shape[0]
    _check_range("embedding", index, rows)
    padding = -1
    if padding_idx is not None:
        if not -rows <= padding_idx < rows:
            raise AssertionError("Padding_idx must be within num_embeddings")
        padding = padding_idx % rows
    if max_norm is not None:
        renormalise(weight, input, max_norm, norm_type)
    return apply(ops.Embedding, (weight,), (index, padding, scale_grad_by_freq))


def _rows(input: Tensor, weight: Tensor) -> Tensor | None:
    """The usual case in few steps: a float table and int64. None for all else, and for what is wrong."""
    mode = MODE.get()
    if mode & ~RECORD or not isinstance(input, Tensor) or not isinstance(weight, Tensor):
        return None
    w, index = weight._data, input._data
    if (w.dtype is not F32 and w.dtype is not F64) or index.dtype is not _INT64 or len(w.shape) != 2:
        return None
    out = table.take_rows(w, index)
    if out is None:
        return None
    if weight._node is None or not mode:
        return Tensor(out, None)
    return weight._recorded(ops.Embedding, out, (index.copy(), -1, False, w.shape[0]))


def renormalise(weight: Tensor, input: Tensor, max_norm: float, norm_type: float) -> None:
    """Shorten, in place, the rows that ``input`` names to ``max_norm``; under ``vmap`` each sample's own.

    Raises:
        ConvgradError: samples have rows of their own to shorten in one table.
    """
    batch = batch_of(weight, input)
    if batch is not None:
        level = batch.level
        table = batch_of(weight)
        if table is None or table.level is not level:
            raise ConvgradError(
                "vmap: aten::embedding_renorm_(self, *extra_args) is not possible because there exists a "
                "Tensor `other` in extra_args that has more elements than `self`. This happened due to "
                "`other` being vmapped over but `self` not being vmapped over: embedding with max_norm would "
                f"shorten rows of the one weight of shape {list(weight._data.shape)} for every sample"
            )
        index = batch_of(input)
        own = index is not None and index.level is level
        with level.suspended():
            for i in range(level.size):
                renormalise(table.value[i], index.value[i] if own else input, max_norm, norm_type)
        return
    used = np.unique(input._data)
    norms = np.linalg.norm(weight._data[used], norm_type, 1)
    long = norms > max_norm
    if long.any():
        scale = (max_norm / (norms[long] + 1e-7)).astype(weight._data.dtype)
        weight._data[used[long]] *= scale[:, None]
        cell_of(weight).bump("embedding_renorm_")


def _index_error(name: str, index: Tensor) -> DtypeError:
    return DtypeError(
        "Expected tensor for argument #1 'indices' to have one of the following scalar types: Long, Int; but "
        f"got {index.dtype} instead (while checking arguments for {name}); use input.long()"
    )


def _check_range(name: str, index: Array, rows: int) -> None:
    if index.size and (int(index.min()) < 0 or int(index.max()) >= rows):
        raise RangeError(
            f"index out of range in self: {name} of {rows} rows needs 0 <= index < {rows}, but got indices "
            f"from {int(index.min())} to {int(index.max())}"
        )


def embedding_bag(
    input: Tensor,
    weight: Tensor,
    offsets: Tensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """The sum, mean or maximum of the rows of each bag, without the rows in between.

    Args:
        input: indices of rows; ``(B, n)``, a bag in each row, or ``(N,)`` with ``offsets``.
        weight: ``(num_embeddings, embedding_dim)``, float.
        offsets: ``(B,)``, where in a 1-d input each bag begins; the first is 0.
        max_norm: rows that are used are first shortened, in place, to this norm.
        norm_type: p of that norm.
        scale_grad_by_freq: the gradient of a row is divided by how often the row is used; not for "max".
        mode: "sum", "mean" or "max".
        sparse: accepted; gradients are dense.
        per_sample_weights: of input's shape and weight's dtype, a factor for each row; for "sum".
        include_last_offset: the last offset is the end of the last bag, not the beginning of one more.
        padding_idx: indices that do not count.
    Returns:
        ``(B, embedding_dim)``; an empty bag has zeros.
    Raises:
        ValueError: offsets, weight or mode do not fit.
        IndexError: an index outside the table.
    Example:
        >>> table = Tensor(np.eye(3), None)
        >>> embedding_bag(Tensor(np.array([[0, 1], [2, 2]]), None), table, mode="sum").tolist()
        [[1.0, 1.0, 0.0], [0.0, 0.0, 2.0]]
    """
    node = batch_of(input, weight, offsets, per_sample_weights)
    if node is not None:  # the plan of the bags is made of values: sample by sample
        if max_norm is not None:
            renormalise(weight, input, max_norm, norm_type)
        options = (None, norm_type, scale_grad_by_freq, mode, sparse, per_sample_weights)
        plain = (input, weight, offsets, *options, include_last_offset, padding_idx)
        out: Tensor = node.each("embedding_bag", embedding_bag, plain)
        return out
    check_tensor("embedding_bag", weight, "weight")
    if weight._data.dtype.kind in "iu" and input._data.dtype.kind == "f":
        warnings.warn(
            "Argument order of nn.functional.embedding_bag was changed. Usage `embedding_bag(weight, input, "
            "...)` is deprecated, and should now be `embedding_bag(input, weight, ...)`.",
            stacklevel=2,
        )
        input, weight = weight, input
    factors = per_sample_weights
    if factors is not None and factors._data.shape != input._data.shape:
        raise ValueError(
            f"embedding_bag: If per_sample_weights ({list(factors.shape)}) is not None, then it must have "
            f"the same shape as the input ({list(input.shape)})"
        )
    if weight._data.ndim != 2:
        raise ValueError(f"weight has to be a 2D Tensor, but got Tensor of dimension {weight._data.ndim}")
    starts = _starts(input, offsets, include_last_offset)
    _check_mode(mode, factors, scale_grad_by_freq, sparse)
    if max_norm is not None:
        renormalise(weight, input, max_norm, norm_type)
    return bags(weight, input, starts, mode, factors, scale_grad_by_freq, include_last_offset, padding_idx)[0]


def _starts(input: Tensor, offsets: Tensor | None, include_last_offset: bool) -> Array:
    shape = input._data.shape
    if len(shape) == 2:
        if offsets is not None:
            raise ValueError(
                "if input is 2D, then offsets has to be None, as input is treated is a mini-batch of fixed "
                f"length sequences. However, found offsets of type {type(offsets)}"
            )
        count = shape[0] + 1 if include_last_offset else shape[0]
        return np.arange(count) * shape[1]
    if len(shape) != 1:
        raise ValueError(f"input has to be 1D or 2D Tensor, but got Tensor of dimension {len(shape)}")
    if offsets is None or not isinstance(offsets, Tensor):
        raise ValueError(f"offsets has to be a 1D Tensor but got {offsets}")
    if offsets._data.ndim != 1:
        raise ValueError(f"offsets has to be a 1D Tensor, but got {list(offsets.shape)}")
    if offsets._data.dtype.kind not in "iu":
        raise _index_error("embedding_bag", offsets)
    return offsets._data.astype(np.int64, copy=False)


def _check_mode(mode: str, factors: Tensor | None, scale_grad_by_freq: bool, sparse: bool) -> None:
    if mode not in MODES:
        raise ValueError(f"mode has to be one of sum, mean or max, but got {mode!r}")
    if mode == "max" and scale_grad_by_freq:
        raise ValueError("max mode does not support scaling the gradient by the frequency")
    if mode == "max" and sparse:
        raise ValueError("max mode does not support sparse weights")
    if factors is not None and mode != "sum":
        raise NotImplementedError(
            "embedding_bag: per_sample_weights was not None. per_sample_weights is only supported for "
            f"mode='sum' (got mode='{mode}')."
        )


#: the ways to make one row of a bag, in the order of PyTorch's numbers for them
MODES = ("sum", "mean", "max")


def bags(
    weight: Tensor, indices: Tensor, starts: Array, mode: str, factors: Tensor | None, rarity: bool,
    last: bool, padding_idx: int | None,
) -> tuple[Tensor, Array, Array, Array]:  # fmt: skip
    """The row of each bag; the bag of each index, the bags' sizes, the rows that maxima took."""
    index = indices._data.reshape(-1)
    if index.dtype.kind not in "iu":
        raise _index_error("embedding_bag", indices)
    kind = weight._data.dtype
    if kind.kind not in "fV":
        raise DtypeError(
            "Expected tensor for argument #1 'weight' to have one of the following scalar types: Half, "
            "BFloat16, "
            f"Float, Double; but got {weight.dtype} instead (while checking arguments for embedding_bag)"
        )
    if factors is not None and factors._data.dtype != kind:
        raise DtypeError(
            "Expected tensor for argument #1 'weight' to have the same type as tensor for argument #1 "
            f"'per_sample_weights'; but type {scalar_name(weight.dtype)} does not equal "
            f"{scalar_name(factors.dtype)} (while checking arguments for embedding_bag)"
        )
    bag, count = _bag_of(index, starts, last)
    index = index[: len(bag)].astype(np.int64, copy=False)
    rows = weight._data.shape[0]
    if padding_idx is not None:
        if not -rows <= padding_idx < rows:
            raise ConvgradError(
                f"padding_idx must be within the number of embeddings, {-rows} through {rows - 1}, but got "
                f"{padding_idx}"
            )
        kept = np.flatnonzero(index != padding_idx % rows)
        index, bag = index[kept], bag[kept]
        if factors is not None:
            factors = factors.reshape(-1)[Tensor(kept, None)]
    _check_range("embedding_bag", index, rows)
    sizes = np.bincount(bag, minlength=count) if len(bag) else np.zeros(count, np.int64)
    if mode == "max":
        won, full = ops.winners(weight._data, index, bag, count)
        return apply(ops.EmbeddingBagMax, (weight,), (won, full)), bag, sizes, won
    share: Any = None if factors is None else factors.reshape(-1)[: len(index)]
    if mode == "mean":
        share = (1.0 / np.maximum(sizes, 1)).astype(np.float32 if kind.itemsize < 4 else kind)[bag]
    out = apply(ops.EmbeddingBag, (weight, share), (index, bag, count, rarity))
    return out, bag, sizes, np.zeros((0,), np.int64)


def _bag_of(index: Array, starts: Array, last: bool) -> tuple[Array, int]:
    """The bag of each index, and how many bags there are."""
    if last and not len(starts):
        raise ConvgradError("include_last_offset: number of offset should be at least 1")
    if len(starts) and starts[0] != 0:
        raise ConvgradError(
            "offsets[0] has to be 0, i.e., the first sequence in the mini-batch has to start from position "
            f"0. However, got {starts[0]}"
        )
    if len(starts) and starts[-1] > len(index):
        raise ConvgradError(
            f"offsets[-1] can not be greater than input's length {len(index)} but got offsets[-1] of "
            f"{starts[-1]}"
        )
    if len(starts) and (starts.min() < 0 or starts.max() > len(index)):
        raise RangeError(f"index out of range in self: embedding_bag got offsets {starts.tolist()}")
    inside = starts[1:-1] if last else starts[1:]
    used = int(starts[-1]) if last else len(index) if len(starts) else 0
    marks = np.bincount(inside, minlength=used + 1)[:used]
    return np.cumsum(marks), len(starts) - 1 if last else len(starts)


__all__ = ["embedding", "embedding_bag", "one_hot"]
