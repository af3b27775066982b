"""Adafactor: Adam's variance from one number per row and one per column."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..dtypes import Array
from ..errors import ConvgradError
from ..tensor.tensor import Tensor
from .algorithm import Algorithm, State, advance, mean_into, scalar, scratch


class Adafactor(Algorithm):
    """Steps divided by a variance that is the product of a column and a row, so that the state stays small.

    With ``b = t^beta2_decay``, the means R over columns and C over rows of g² run as ``R += b (g² - R)``;
    ``v = R C / mean(R)`` (for vectors v is the running mean itself) and ``u = g / sqrt(v)``. Then
    ``p -= a u / max(1, rms(u) / d)`` with ``a = max(eps2, rms(p)) min(lr, 1 / sqrt(t))``.

    Args:
        params: real parameters or groups of them; matrices are the last two dimensions.
        lr: bound of the relative step size, and factor of the weight decay.
        beta2_decay: power of the step number, at most 0.
        eps: lower bounds of v's root (None: the dtype's epsilon) and of a parameter's size.
        d: updates with a larger root mean square are shrunk to it.
        weight_decay: parameters are multiplied by ``1 - lr * weight_decay`` first.
        foreach: accepted; there is one way to compute a step here.
        maximize: ascend.
    Raises:
        ValueError: an option out of its range.
        ConvgradError: a complex parameter has a gradient.
    Source: Shazeer & Stern 2018, arXiv:1804.04235.
    """

    def __init__(
        self, params: Any, lr: Any = 1e-2, beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3), d: float = 1.0, weight_decay: float = 0.0, *,
        foreach: bool | None = None, maximize: bool = False,
    ) -> None:  # fmt: skip
        if isinstance(lr, Tensor) and lr.numel() != 1:
            raise ValueError("Tensor lr must be 1-element")
        if not float(lr) >= 0.0:
            raise ValueError(f"Learning rate should be >= 0 but is: {lr}")
        if not beta2_decay <= 0.0:
            raise ValueError(f"beta2_decay should be <= 0 but is: {beta2_decay}")
        if eps[0] is not None and not eps[0] >= 0.0:
            raise ValueError(f"epsilon1 should be >= 0 but is: {eps[0]}")
        if not eps[1] >= 0.0:
            raise ValueError(f"epsilon2 should be >= 0 but is: {eps[1]}")
        if not d >= 1.0:
            raise ValueError(f"Clipping threshold d should be >= 1 but is: {d}")
        if not weight_decay >= 0.0:
            raise ValueError(f"weight_decay should be >= 0 but is: {weight_decay}")
        defaults = {
            "lr": lr, "beta2_decay": beta2_decay, "eps": eps, "d": d, "weight_decay": weight_decay,
            "foreach": foreach, "maximize": maximize,
        }  # fmt: skip
        super().__init__(params, defaults)

    def _update(self, group: dict[str, Any]) -> None:
        if any([p.is_complex() and p.grad is not None for p in group["params"]]):
            raise ConvgradError("Adafactor does not support complex parameters")
        lr, decay, d = float(group["lr"]), group["weight_decay"], group["d"]
        for data, g, state in self._walk(group):
            if not data.size:
                continue
            if not state:
                state["step"] = scalar(0.0)
                if data.ndim > 1:
                    state["row_var"] = Tensor(np.zeros((*data.shape[:-1], 1), data.dtype), None)
                    state["col_var"] = Tensor(
                        np.zeros((*data.shape[:-2], 1, data.shape[-1]), data.dtype), None
                    )
                else:
                    state["variance"] = Tensor(np.zeros(data.shape, data.dtype), None)
            step = advance(state)
            smallest, size = group["eps"]
            smallest = float(np.finfo(data.dtype).eps) if smallest is None else smallest
            scale = max(size, _norm(data) / math.sqrt(data.size)) * min(lr, 1 / math.sqrt(step))
            weight = step ** group["beta2_decay"]
            update = _variance(g, state, weight, smallest)
            np.maximum(update, smallest * smallest, out=update)
            np.sqrt(update, out=update)
            np.divide(g, update, out=update)
            clip = max(1.0, _norm(update) / (math.sqrt(data.size) * d))
            np.multiply(update, scale / clip, out=update)
            if decay:
                np.multiply(data, 1 - lr * decay, out=data)
            np.subtract(data, update, out=data)


def _norm(array: Array) -> float:
    return float(np.linalg.norm(array))


def _variance(g: Array, state: State, weight: float, smallest: float) -> Array:
    """The estimated mean of g² in an array of its own; the running means in the state move by ``weight``."""
    square = np.multiply(g, g, out=scratch(g))
    if g.ndim < 2:
        mean = state["variance"]._data
        mean_into(mean, square, weight, np.empty_like(mean))
        np.copyto(square, mean)
        return square
    row, col = state["row_var"]._data, state["col_var"]._data
    mean_into(row, square.mean(axis=-1, keepdims=True), weight, np.empty_like(row))
    mean_into(col, square.mean(axis=-2, keepdims=True), weight, np.empty_like(col))
    np.multiply(row, col, out=square)
    return np.divide(square, np.maximum(row.mean(axis=-2, keepdims=True), smallest), out=square)
