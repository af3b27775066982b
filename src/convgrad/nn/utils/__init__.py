"""Helpers around parameters: clipping gradients, and parameters as one vector."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np

from ...errors import ConvgradError
from ...graph.node import cell_of
from ...ops.shape import Cat
from ...tensor.tensor import Tensor, apply


def _gradients(parameters: Any) -> list[Tensor]:
    if isinstance(parameters, Tensor):
        parameters = [parameters]
    return [p.grad for p in parameters if p.grad is not None]


def get_total_norm(tensors: Any, norm_type: float = 2.0, error_if_nonfinite: bool = False) -> Tensor:
    """The norm of all tensors taken as one vector.

    Raises:
        ConvgradError: it is nan or infinite, with ``error_if_nonfinite``.
    """
    arrays = [t._data for t in ([tensors] if isinstance(tensors, Tensor) else tensors)]
    if not arrays:
        return Tensor(np.zeros((), np.float32), None)
    dtype = arrays[0].dtype
    if norm_type == math.inf:
        total = max([float(np.abs(a).max()) if a.size else 0.0 for a in arrays])
    else:
        norms = [
            float(np.linalg.norm(a.reshape(-1).astype(np.float64, copy=False), norm_type)) for a in arrays
        ]
        total = float(np.linalg.norm(np.array(norms), norm_type))
    if error_if_nonfinite and not math.isfinite(total):
        raise ConvgradError(
            f"The total norm of order {norm_type} for gradients from `parameters` is non-finite, so it "
            "cannot be "
            "clipped. To disable this error and scale the gradients by the non-finite norm anyway, set "
            "`error_if_nonfinite=False`"
        )
    return Tensor(np.asarray(total, dtype), None)


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: Any = None,
) -> Tensor:
    """Scale gradients in place so that their norm, taken as one vector, is at most ``max_norm``.

    Args:
        parameters: a tensor or several; those without gradient are passed over.
        max_norm: largest norm left as it is.
        norm_type: p of the norm; ``math.inf`` for the largest element.
        error_if_nonfinite: raise if the norm is nan or infinite.
        foreach: accepted for compatibility.
    Returns:
        The norm before clipping, 0-d.
    """
    grads = _gradients(list(parameters) if not isinstance(parameters, Tensor) else parameters)
    total = get_total_norm(grads, norm_type, error_if_nonfinite)
    factor = float(max_norm) / (float(total._data) + 1e-6)
    if not factor >= 1.0:  # also nan
        for grad in grads:
            np.multiply(grad._data, grad._data.dtype.type(factor), out=grad._data)
            cell_of(grad).bump("clip_grad_norm_")
    return total


def clip_grad_norm(*args: Any, **kwargs: Any) -> Tensor:
    """The old name of ``clip_grad_norm_``."""
    warnings.warn(
        "torch.nn.utils.clip_grad_norm is now deprecated in favor of torch.nn.utils.clip_grad_norm_.",
        FutureWarning,
        stacklevel=2,
    )
    return clip_grad_norm_(*args, **kwargs)


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float, foreach: Any = None) -> None:
    """Cut every gradient element in place to ``[-clip_value, clip_value]``."""
    bound = float(clip_value)
    for grad in _gradients(list(parameters) if not isinstance(parameters, Tensor) else parameters):
        np.clip(grad._data, -bound, bound, out=grad._data)
        cell_of(grad).bump("clip_grad_value_")


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """All parameters one after another in one vector, through which gradients flow back to them."""
    pieces = tuple([p.reshape(-1) for p in parameters])
    if not pieces:
        raise ConvgradError("parameters_to_vector: expected at least one parameter")
    return apply(Cat, pieces, (0,))


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Write a vector into parameters, in the order of ``parameters_to_vector``.

    Raises:
        TypeError: vec is no tensor.
        ConvgradError: it is shorter than the parameters together; nothing is written then.
    """
    if not isinstance(vec, Tensor):
        raise TypeError(f"expected torch.Tensor, but got: {type(vec).__name__}")
    targets = list(parameters)
    needed = sum([p._data.size for p in targets])
    if vec._data.size < needed:
        raise ConvgradError(
            f"vector_to_parameters: the parameters have {needed} elements, but the vector of shape "
            f"{list(vec.shape)} has only {vec._data.size}"
        )
    start = 0
    for param in targets:
        count = param._data.size
        param._data[...] = vec._data[start : start + count].reshape(param._data.shape)
        cell_of(param).bump("vector_to_parameters")
        start += count


__all__ = [
    "clip_grad_norm",
    "clip_grad_norm_",
    "clip_grad_value_",
    "get_total_norm",
    "parameters_to_vector",
    "vector_to_parameters",
]
