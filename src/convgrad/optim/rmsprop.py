"""RMSprop: steps divided by the size of recent gradients."""

from __future__ import annotations

from typing import Any

from ..dtypes import Array
from . import recorded
from .algorithm import Joint, State, check_lr, check_options, scalar, zeros


class RMSprop(Joint):
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

    _kernel = "rmsprop"

    def _options(self, group: dict[str, Any]) -> tuple[float, ...]:
        eps, decay = float(group["eps"]), float(group["weight_decay"])
        momentum, centered = float(group["momentum"]), float(group["centered"])
        return float(group["lr"]), float(group["alpha"]), eps, decay, momentum, centered

    def _kept(self, group: dict[str, Any]) -> tuple[str, ...]:
        names = ("square_avg", "grad_avg") if group["centered"] else ("square_avg",)
        return (*names, "momentum_buffer") if group["momentum"] > 0 else names

    def _begin(self, state: State, data: Array, group: dict[str, Any]) -> None:
        state["step"] = scalar(0.0)
        for name in sorted(self._kept(group), reverse=True):  # PyTorch's order
            state[name] = zeros(data)
