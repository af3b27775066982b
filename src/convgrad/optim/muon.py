"""Muon: matrices move along the orthogonal matrix nearest to their momentum."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..dtypes import BF16, F32, Array
from ..errors import ConvgradError
from ..tensor.tensor import Tensor
from .algorithm import Algorithm, mean_into, scratch, zeros

_ADJUSTMENTS = (None, "original", "match_rms_adamw")


class Muon(Algorithm):
    """``p -= lr * O`` with all singular values of the momentum brought near 1, by Newton and Schulz.

    For the weight matrices of hidden layers; vectors and embeddings belong to another optimiser.

    Args:
        params: real matrices, or groups of them.
        lr: learning rate; ``adjust_lr_fn`` says how it is scaled for a matrix (A, B).
        weight_decay: parameters are multiplied by ``1 - lr * weight_decay`` first.
        momentum: how much of the old mean of gradients is kept.
        nesterov: look ahead by the momentum.
        ns_coefficients: a, b and c of a step ``X = a X + (b A + c A²) X``, ``A = X Xᵀ``.
        eps: smallest norm the momentum is divided by.
        ns_steps: number of steps, below 100. They run in bfloat16.
        adjust_lr_fn: "original" or None: ``lr sqrt(max(1, A / B))``; "match_rms_adamw":
            ``0.2 lr sqrt(max(A, B))``.
    Raises:
        ValueError: an option out of its range, or a parameter that is no matrix.
        ConvgradError: a complex parameter has a gradient.
    Source: Jordan 2024, "Muon: an optimizer for hidden layers in neural networks"; Liu et al. 2025,
        arXiv:2502.16982.
    """

    def __init__(
        self, params: Any, lr: Any = 1e-3, weight_decay: float = 0.1, momentum: float = 0.95,
        nesterov: bool = True, ns_coefficients: tuple[float, float, float] = (3.4445, -4.775, 2.0315),
        eps: float = 1e-7, ns_steps: int = 5, adjust_lr_fn: str | None = None,
    ) -> None:  # fmt: skip
        if isinstance(lr, Tensor) and lr.numel() != 1:
            raise ValueError("Tensor lr must be 1-element")
        if not float(lr) >= 0.0:
            raise ValueError(f"Learning rate should be >= 0 but is: {lr}")
        if not momentum >= 0.0:
            raise ValueError(f"momentum should be >= 0 but is: {momentum}")
        if not weight_decay >= 0.0:
            raise ValueError(f"weight decay should be >= 0 but is: {weight_decay}")
        if adjust_lr_fn not in _ADJUSTMENTS:
            raise ValueError(f"Adjust learning rate function {adjust_lr_fn} is not supported")
        defaults = {
            "lr": lr, "weight_decay": weight_decay, "momentum": momentum, "nesterov": nesterov,
            "ns_coefficients": ns_coefficients, "eps": eps, "ns_steps": ns_steps,
            "adjust_lr_fn": adjust_lr_fn,
        }  # fmt: skip
        super().__init__(params, defaults)

    def _check(self, param: Any) -> None:
        super()._check(param)
        if param.dim() != 2:
            raise ValueError(
                f"Muon only supports 2D parameters whereas we found a parameter with size: {param.shape}"
            )

    def _update(self, group: dict[str, Any]) -> None:
        if any([p.is_complex() and p.grad is not None for p in group["params"]]):
            raise ConvgradError("Muon does not support complex parameters")
        lr, momentum = float(group["lr"]), group["momentum"]
        for data, g, state in self._walk(group):
            if not state:
                state["momentum_buffer"] = zeros(data)
            mean, work = state["momentum_buffer"]._data, scratch(data)
            mean_into(mean, g, 1 - momentum, work)
            if group["nesterov"]:
                direction = np.array(g, order="C")
                mean_into(direction, mean, momentum, work)
            else:
                direction = mean
            move = orthogonal(direction, group["ns_coefficients"], group["ns_steps"], group["eps"])
            np.multiply(data, 1 - lr * group["weight_decay"], out=data)
            np.multiply(move, lr * _adjusted(group["adjust_lr_fn"], *data.shape), out=work)
            np.subtract(data, work, out=data)


def _adjusted(how: str | None, rows: int, columns: int) -> float:
    """The factor of the learning rate for a matrix."""
    if how == "match_rms_adamw":
        return 0.2 * math.sqrt(max(rows, columns))
    return math.sqrt(max(1.0, rows / columns))


def orthogonal(x: Array, coefficients: Any, steps: int, eps: float) -> Array:
    """An approximation, in bfloat16, of the orthogonal matrix nearest to x; float32 holds it.

    Args:
        x: real matrix of any shape; the smaller side's rows (or columns) become nearly orthonormal.
        coefficients: of the polynomial ``a x + b x³ + c x⁵`` that drives singular values towards 1.
        steps: how often it is applied.
        eps: smallest norm that x is divided by.
    Raises:
        ValueError: 100 steps or more, or another number of coefficients than three.
    """
    if steps >= 100:
        raise ValueError("Number of steps must be less than 100 for computational efficiency")
    if len(coefficients) != 3:
        raise ValueError("Coefficients must be a tuple of exactly 3 values")
    a, b, c = coefficients
    wide = x.shape[0] <= x.shape[1]
    y = _rounded(x if wide else x.T)
    y = _rounded(y / max(float(_rounded(np.linalg.norm(y))), eps))
    for _ in range(steps):
        gram = _rounded(y @ y.T)
        polynomial = _rounded(b * gram + c * (gram @ gram))
        y = _rounded(a * y + polynomial @ y)
    return y if wide else y.T


def _rounded(x: Any) -> Array:
    """float32 values that bfloat16 holds: products are summed in float32 and rounded once."""
    return np.asarray(x).astype(BF16).astype(F32)
