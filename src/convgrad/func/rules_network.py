"""Batching rules of networks: tables, norms, convolutions, losses (see ``rules.py``)."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy import ndarray

from ..ops import elementwise as ew
from ..ops import reduce, shape, statistics
from ..ops.op import Op
from ..tensor.tensor import Tensor, apply
from .whole import (
    Whole,
    aligned,
    aligned_array,
    expanded,
    expanded_array,
    folded,
    ndim_of,
    permuted,
    reshaped,
    unfolded,
)

Values: TypeAlias = list[Any]
Params: TypeAlias = tuple[Any, ...]


def _embedding(op: type[Op], values: Values, params: Params, size: int) -> Any:
    w, (index, padding, *rarity) = values[0], params
    if any(rarity):  # how often a row is read differs between samples
        return NotImplemented
    if type(w) is not Whole:
        return apply(op, (w,), (index.data, padding))
    rows, width = w.data.shape[1:]
    tensor = w.tensor
    if padding >= 0:  # a row without gradient
        row = np.arange(rows)[:, None] == padding
        tensor = apply(ew.Where, (tensor.detach(), tensor), (row,))
    each = expanded_array(index, size)
    each = each + (np.arange(size) * rows).reshape(size, *(1,) * (each.ndim - 1))
    return apply(op, (reshaped(tensor, (size * rows, width)),), (each, -1))


def _embedding_dense(op: type[Op], values: Values, params: Params, size: int) -> Any:
    g, (index, padding, rows) = values[0], params
    each = expanded_array(index, size)
    each = each + (np.arange(size) * rows).reshape(size, *(1,) * (each.ndim - 1))
    out = apply(op, (expanded(g, size),), (each, -1, size * rows))
    out = reshaped(out, (size, rows, out._data.shape[1]))
    if padding < 0:
        return out
    row = np.arange(rows)[:, None] == padding
    return apply(ew.Where, (np.zeros((), out._data.dtype), out), (row,))


def _fold(tensor: Tensor) -> Tensor:
    """(B, N, C, ...) as (N, B C, ...): each sample's channels side by side."""
    turned = permuted(tensor, (1, 0, *range(2, tensor._data.ndim)))
    n, b, c, *rest = turned._data.shape
    return reshaped(turned, (n, b * c, *rest))


def _unfold(tensor: Tensor, size: int) -> Tensor:
    """The inverse of ``_fold``."""
    n, bc, *rest = tensor._data.shape
    parted = reshaped(tensor, (n, size, bc // size, *rest))
    return permuted(parted, (1, 0, *range(2, parted._data.ndim)))


def _channels(value: Any, size: int) -> Any:
    """(B, C, ...) as (B C, ...)."""
    return None if value is None else folded(expanded(value, size))


def _batch_norm(op: type[Op], values: Values, params: Params, size: int) -> Any:
    x, weight, bias = values
    inputs = (_fold(expanded(x, size)), _channels(weight, size), _channels(bias, size))
    out, mean, var = apply(op, inputs, params)
    return _unfold(out, size), *[reshaped(v, (size, v._data.size // size)) for v in (mean, var)]


def _batch_norm_eval(op: type[Op], values: Values, params: Params, size: int) -> Any:
    x, weight, bias = values
    mean, var = [expanded_array(v, size).reshape(-1) for v in params[:2]]
    inputs = (_fold(expanded(x, size)), _channels(weight, size), _channels(bias, size))
    return _unfold(apply(op, inputs, (mean, var, *params[2:])), size)


def _standardise(op: type[Op], values: Values, params: Params, size: int) -> Any:
    """Layer and group norm: x alone is like more rows; scales of a sample's own come afterwards."""
    x, weight, bias = values
    group = op.__name__ == "GroupNorm"
    whole = expanded(x, size)
    if type(weight) is not Whole and type(bias) is not Whole:
        if not group:
            return apply(op, (whole, weight, bias), params)
        return unfolded(apply(op, (folded(whole), weight, bias), params), size)
    out = apply(op, (folded(whole), None, None), params)
    out = reshaped(out, whole._data.shape)
    ndim = ndim_of(x)
    for factor, how in ((weight, ew.Mul), (bias, ew.Add)):
        if factor is not None:
            if group:
                tensor = expanded(factor, size)
                factor = reshaped(tensor, (size, 1, tensor._data.shape[1], *(1,) * (ndim - 2)))
            else:
                factor = aligned(factor, ndim)
            out = apply(how, (out, factor))
    return out


def _rms_norm(op: type[Op], values: Values, params: Params, size: int) -> Any:
    """x alone is like more rows; a weight of a sample's own comes afterwards."""
    x, weight = values
    if type(weight) is not Whole:
        return apply(op, (expanded(x, size), weight), params)
    out = apply(op, (expanded(x, size), None), params)
    return apply(ew.Mul, (out, aligned(weight, ndim_of(x))))


def _convolve(op: type[Op], values: Values, params: Params, size: int) -> Any:
    """One kernel for all: samples join the N axis. A kernel each: they become groups."""
    x, w, *bias = values
    if type(x) is Whole and not any([type(v) is Whole for v in (w, *bias)]):
        return unfolded(apply(op, (folded(x.tensor), w, *bias), params), size)
    each = params[0]._replace(groups=params[0].groups * size)
    inputs = (_fold(expanded(x, size)), _channels(w, size), *[_channels(b, size) for b in bias])
    return _unfold(apply(op, inputs, (each, *params[1:])), size)


def _convolve_weight_grad(op: type[Op], values: Values, params: Params, size: int) -> Any:
    x, y = values
    each = params[0]._replace(groups=params[0].groups * size)
    out = apply(op, (_fold(expanded(x, size)), _fold(expanded(y, size))), (each, *params[1:]))
    return unfolded(out, size)


def _loss(op: type[Op], values: Values, params: Params, size: int) -> Any:
    """Losses of pairs: element by element, then each sample's own reduction."""
    at = op.params.index("reduction")
    reduction = params[at]
    arrays = [p for p in params if type(p) in (Whole, ndarray)]
    ndim = max([ndim_of(v) for v in (*values, *arrays)])
    inputs = [expanded(values[0], size), *[aligned(v, ndim) for v in values[1:]]]
    inputs[0] = aligned(Whole(inputs[0]), ndim)
    each = [aligned_array(p, ndim) if type(p) is Whole else p for p in params]
    each[at] = "none"
    out = apply(op, tuple(inputs), tuple(each))
    if reduction == "none":
        return out
    how = reduce.MeanDims if reduction == "mean" else reduce.SumDims
    return apply(how, (out,), (tuple(range(1, out._data.ndim)), False))


def _nll(op: type[Op], values: Values, params: Params, size: int) -> Any:
    target, coeff, several = params
    whole = folded(expanded(values[0], size))
    arrays = [_rows(p, size) for p in (target, coeff)]
    out = unfolded(apply(op, (whole,), (*arrays, False)), size)
    return apply(reduce.SumDims, (out,), (tuple(range(1, out._data.ndim)), False)) if several else out


def _nll_spread(op: type[Op], values: Values, params: Params, size: int) -> Any:
    target, coeff, several, sizes = params
    arrays = [_rows(p, size) for p in (target, coeff)]
    g = expanded(values[0], size)
    if several:
        g = apply(
            shape.Expand,
            (reshaped(g, (size, *(1,) * (arrays[0].ndim))),),
            ((size, sizes[0], *arrays[0].shape[1:]),),
        )
    out = apply(op, (folded(g),), (*arrays, False, (size * sizes[0], *sizes[1:])))
    return unfolded(out, size)


def _rows(param: Any, size: int) -> Any:
    """A parameter of N samples as one of B N."""
    data = expanded_array(param, size)
    return data.reshape(data.shape[0] * data.shape[1], *data.shape[2:])


def _solve(op: type[Op], values: Values, params: Params, size: int) -> Any:
    """Systems of equations: leading dimensions broadcast, batch first."""
    a, b = values
    columns = 1 if dict(zip(op.params, params, strict=False)).get("vector") else 2
    lead = max(ndim_of(a) - 2, ndim_of(b) - columns)
    inputs = [aligned(Whole(expanded(v, size)), lead + n) for v, n in ((a, 2), (b, columns))]
    return apply(op, tuple(inputs), params)


def _ldl_solve(op: type[Op], values: Values, params: Params, size: int) -> Any:
    """Systems of equations with factors in two parts."""
    ranks = (2, 1, 2)
    lead = max([ndim_of(v) - n for v, n in zip(values, ranks, strict=True)])
    pairs = zip(values, ranks, strict=True)
    return apply(op, tuple([aligned(Whole(expanded(v, size)), lead + n) for v, n in pairs]), params)


def _least_squares(op: type[Op], values: Values, params: Params, size: int) -> Any:
    """The same; where no residuals are wanted, there is an empty array for each sample."""
    solution, residuals, sizes = _solve(op, values, params, size)
    if not params[1]:
        residuals = Tensor(np.empty((size, 0), sizes._data.dtype), None)
    return solution, residuals, sizes


def _attention(op: type[Op], values: Values, params: Params, size: int) -> Any:
    """One more dimension in front of queries, keys and values; masks broadcast."""
    ndim = max([ndim_of(v) for v in values[:3]])
    inputs = [aligned(Whole(expanded(v, size)), ndim) for v in values[:3]]
    return apply(op, (*inputs, aligned(values[3], ndim)), tuple([aligned_array(p, ndim) for p in params]))


def _self_attention(op: type[Op], values: Values, params: Params, size: int) -> Any:
    """Samples are more sequences."""
    *numbers, heads, batch_first = params
    joint = expanded(values[0], size)
    first, second, width = joint._data.shape[1:]
    if batch_first:
        n, rows = first, reshaped(joint, (size * first, second, width))
    else:
        n, rows = second, reshaped(permuted(joint, (1, 0, 2, 3)), (first, size * second, width))
    # masks and noise of each sequence, the same for all samples
    each = [a if a is None or a.ndim < 4 or a.shape[0] == 1 else np.concatenate([a] * size) for a in numbers]
    out = apply(op, (rows,), (*each, heads, batch_first))
    length, _, features = out._data.shape
    return permuted(reshaped(out, (length, size, n, features)), (1, 0, 2, 3))


def _dist(op: type[Op], values: Values, params: Params, size: int) -> Any:
    """The norm of each sample's difference, over all its dimensions."""
    ndim = max([*map(ndim_of, values), 1])
    gap = apply(ew.Sub, tuple([aligned(v, ndim) for v in values]))
    return apply(statistics.VectorNorm, (gap,), (*params, tuple(range(1, ndim + 1)), False))


def _renorm(op: type[Op], values: Values, params: Params, size: int) -> Any:
    """Every slice of every sample as a row."""
    p, axis, limit = params
    ndim = values[0].ndim
    order = (0, axis + 1, *[i for i in range(1, ndim + 1) if i != axis + 1])
    turned = permuted(values[0].tensor, order)
    sizes = turned._data.shape
    rows = reshaped(turned, (sizes[0] * sizes[1], *sizes[2:]))
    out = reshaped(apply(op, (rows,), (p, 0, limit)), sizes)
    return permuted(out, tuple([order.index(i) for i in range(ndim + 1)]))


def _recurrent(op: type[Op], values: Values, params: Params, size: int) -> Any:
    """Samples are more sequences, if they share the weights."""
    inputs = 3 if op.__name__ == "Lstm" else 2
    if any([type(v) is Whole for v in values[inputs:]]):
        return NotImplemented
    joined = []
    for value in values[:inputs]:
        turned = permuted(expanded(value, size), (1, 0, 2))
        rows, _, width = turned._data.shape
        joined.append(reshaped(turned, (rows * size, width)))
    outs = apply(op, (*joined, *values[inputs:]), (*params[:-1], params[-1].repeated(size)))
    parted = [reshaped(o, (o._data.shape[0] // size, size, o._data.shape[1])) for o in outs]
    return tuple([permuted(o, (1, 0, 2)) for o in parted])


NETWORK_RULES: dict[str, Any] = {
    "embedding.Embedding": _embedding, "embedding.EmbeddingDense": _embedding_dense,
    "norm.BatchNorm": _batch_norm, "norm.BatchNormEval": _batch_norm_eval, "norm.LayerNorm": _standardise,
    "norm.GroupNorm": _standardise, "norm.RmsNorm": _rms_norm,
    "conv.Convolve": _convolve, "conv.Convolution": _convolve, "conv.ConvolveInputGrad": _convolve,
    "conv.TransposedConvolution": _convolve, "conv.ConvolveWeightGrad": _convolve_weight_grad,
    "loss.MseLoss": _loss, "loss.L1Loss": _loss, "loss.SmoothL1Loss": _loss, "loss.HuberLoss": _loss,
    "loss.BinaryCrossEntropy": _loss, "loss.BinaryCrossEntropyWithLogits": _loss, "loss.NllLoss": _nll,
    "loss.NllSpread": _nll_spread, "margin.SoftMarginLoss": _loss,
    "linalg.LinalgSolveEx": _solve, "linalg.LinalgSolveTriangular": _solve,
    "spectral.LinalgLstsq": _least_squares, "ldl.LinalgLdlSolve": _ldl_solve,
    "distance.Cdist": _solve, "distance.EuclideanDist": _solve, "distance.Dist": _dist,
    "distance.Renorm": _renorm,
    "attention.ScaledDotProductAttention": _attention, "attention.SelfAttention": _self_attention,
    "recurrent.Rnn": _recurrent, "recurrent.Lstm": _recurrent, "recurrent.Gru": _recurrent,
}  # fmt: skip
