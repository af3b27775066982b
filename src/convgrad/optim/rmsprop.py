"""RMSprop: steps divided by the size of recent gradients."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import recorded
from .algorithm import (
    Algorithm,
    advance,
    check_lr,
    check_options,
    decayed,
    divide_into,
    mean_into,
    scalar,
    scratch,
    square_into,
    zeros,
)


class RMSprop(Algorithm):
    """``p -= lr * g / (sqrt(s) + eps)`` with a running mean s of g².

    Args:
        params: parameters or groups of them.
        lr: learning rate.
        alpha: how much of the old s is kept.
        eps: added to the denominator.
        weight_decay: pull towards 0, added to the gradient.
        momentum: how much of the last step is kept.
        centered: subtract the square of the running mean of g from s (Graves 2013, arXiv:1308.0850).
        maximize: ascend.
        differentiable: record the step, to differentiate through it.
        capturable, foreach: accepted; there is one way to compute a step here.
    Raises:
        ValueError: a negative option.
    Source: Hinton, Neural Networks for Machine Learning, lecture 6e, 2012.
    """

    _recorded = staticmethod(recorded.rmsprop)

    def __init__(
        self, params: Any, lr: Any = 1e-2, alpha: float = 0.99, eps: float = 1e-8, weight_decay: float = 0,
        momentum: float = 0, centered: bool = False, capturable: bool = False, foreach: bool | None = None,
        maximize: bool = False, differentiable: bool = False,
    ) -> None:  # fmt: skip
        check_lr(lr)
        check_options(eps=eps, momentum=momentum, weight_decay=weight_decay, alpha=alpha)
        defaults = {
            "lr": lr, "momentum": momentum, "alpha": alpha, "eps": eps, "centered": centered,
            "weight_decay": weight_decay, "capturable": capturable, "foreach": foreach, "maximize": maximize,
            "differentiable": differentiable,
        }  # fmt: skip
        super().__init__(params, defaults)

    def _update(self, group: dict[str, Any]) -> None:
        lr, alpha, momentum = float(group["lr"]), group["alpha"], group["momentum"]
        for data, g, state in self._walk(group):
            if not state:
                state["step"], state["square_avg"] = scalar(0.0), zeros(data)
                if momentum > 0:
                    state["momentum_buffer"] = zeros(data)
                if group["centered"]:
                    state["grad_avg"] = zeros(data)
            advance(state)
            square, work = state["square_avg"]._data, scratch(data)
            if group["weight_decay"]:
                g = decayed(g, data, group["weight_decay"], scratch(data))
            square_into(square, g, alpha, work)
            size = scratch(data)
            if group["centered"]:
                mean = state["grad_avg"]._data
                mean_into(mean, g, 1 - alpha, work)
                np.multiply(mean, mean, out=work)
                square = np.subtract(square, work, out=work)
            np.sqrt(square, out=size)
            np.add(size, group["eps"], out=size)
            if momentum > 0:
                buffer = state["momentum_buffer"]._data
                np.multiply(buffer, momentum, out=buffer)
                divide_into(buffer, g, 1.0, size, work)
                np.multiply(buffer, lr, out=work)
                np.subtract(data, work, out=data)
            else:
                divide_into(data, g, -lr, size, work)
