"""Clipping of gradients, by their norm taken together or element by element."""

from __future__ import annotations

import math
import types
import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np

from ...errors import ConvgradError
from ...graph.node import bump_all
from ...kernels import table
from ...tensor.tensor import Tensor


def _gradients(parameters: Any) -> list[Tensor]:
    """The gradients there are; an empty generator (used up before, as a rule) is worth a warning."""
    given = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    if not given and isinstance(parameters, types.GeneratorType):
        warnings.warn(
            "`parameters` is an empty generator, no gradient clipping will occur.", UserWarning, stacklevel=3
        )
    return [p.grad for p in given if p.grad is not None]


def get_total_norm(
    tensors: Any, norm_type: float = 2.0, error_if_nonfinite: bool = False, foreach: Any = None
) -> Tensor:
    """The norm of all tensors taken as one vector, 0-d.

    Args:
        tensors: one or several.
        norm_type: p of the norm; ``math.inf`` for the largest element.
        error_if_nonfinite: raise if the norm is nan or infinite.
        foreach: accepted for compatibility.
    Raises:
        ConvgradError: it is nan or infinite, with ``error_if_nonfinite``.
    """
    arrays = [t._data for t in ([tensors] if isinstance(tensors, Tensor) else tensors)]
    if not arrays:
        return Tensor(np.zeros((), np.float32), None)
    dtype = arrays[0].dtype
    if norm_type == math.inf:
        total = max([float(np.abs(a).max()) if a.size else 0.0 for a in arrays])
    elif norm_type == 2:
        total = math.sqrt(table.sum_of_squares(arrays))
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
    grads = _gradients(parameters)
    total = get_total_norm(grads, norm_type, error_if_nonfinite)
    _scale(grads, max_norm, total)
    return total


def _scale(grads: list[Tensor], max_norm: float, total: Tensor) -> None:
    kind = total._data.dtype
    factor = float(np.asarray(max_norm, kind) / (total._data + np.asarray(1e-6, kind)))  # in the norm's dtype
    if not factor >= 1.0:  # also nan
        table.scale_all([grad._data for grad in grads], factor)
        bump_all(grads, "clip_grad_norm_")


def clip_grads_with_norm_(
    parameters: Tensor | Iterable[Tensor], max_norm: float, total_norm: Tensor, foreach: Any = None
) -> None:
    """Scale gradients in place by ``max_norm / total_norm`` if that is below 1.

    Args:
        parameters: a tensor or several; those without gradient are passed over.
        max_norm: largest norm left as it is.
        total_norm: 0-d, from ``get_total_norm``.
        foreach: accepted for compatibility.
    """
    _scale(_gradients(parameters), max_norm, total_norm)


def clip_grad_norm(*args: Any, **kwargs: Any) -> Tensor:
    """The old name of ``clip_grad_norm_``."""
    warnings.warn(
        "`torch.nn.utils.clip_grad_norm` is now deprecated in favor of `torch.nn.utils.clip_grad_norm_`.",
        FutureWarning,
        stacklevel=2,
    )
    return clip_grad_norm_(*args, **kwargs)


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float, foreach: Any = None) -> None:
    """Cut every gradient element in place to ``[-clip_value, clip_value]``."""
    bound = float(clip_value)
    grads = _gradients(parameters)
    table.clamp_all([grad._data for grad in grads], -bound, bound)
    bump_all(grads, "clip_grad_value_")


__all__ = ["clip_grad_norm", "clip_grad_norm_", "clip_grad_value_", "clip_grads_with_norm_", "get_total_norm"]
