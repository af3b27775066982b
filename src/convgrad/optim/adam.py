"""Adam: steps scaled by running estimates of the gradient's mean and square."""

from __future__ import annotations

from typing import Any

from ..dtypes import Array
from ..tensor.tensor import Tensor
from . import recorded
from .algorithm import Joint, State, check_betas, check_fused, check_lr, check_options, scalar, zeros


class Adam(Joint):
    """``p -= lr * m / (sqrt(v) + eps)`` with bias-corrected running means m of g and v of g².

    Args:
        params: parameters or groups of them.
        lr: learning rate.
        betas: how much of the old m and v is kept in each step.
        eps: added to the denominator.
        weight_decay: pull towards 0, added to the gradient.
        amsgrad: use the largest v so far (Reddi et al. 2018).
        maximize: ascend.
        differentiable: record the step, to differentiate through it.
        decoupled_weight_decay: shrink the parameter instead of adding to the gradient: AdamW.
        foreach, capturable, fused: accepted; there is one way to compute a step here.
    Raises:
        ValueError: a negative option, or betas outside [0, 1).
    Source: Kingma & Ba 2014, arXiv:1412.6980.
    """

    _recorded = staticmethod(recorded.adam)

    def __init__(
        self, params: Any, lr: Any = 1e-3, betas: Any = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 0, amsgrad: bool = False, *, foreach: bool | None = None,
        maximize: bool = False, capturable: bool = False, differentiable: bool = False,
        fused: bool | None = None, decoupled_weight_decay: bool = False,
    ) -> None:  # fmt: skip
        check_lr(lr)
        if isinstance(lr, Tensor) and foreach and not capturable:
            raise ValueError("lr as a Tensor is not supported for capturable=False and foreach=True")
        check_options(eps=eps)
        check_betas(betas)
        check_options(weight_decay=weight_decay)
        defaults = {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "amsgrad": amsgrad,
            "maximize": maximize, "foreach": foreach, "capturable": capturable,
            "differentiable": differentiable, "fused": fused,
            "decoupled_weight_decay": decoupled_weight_decay,
        }  # fmt: skip
        super().__init__(params, defaults)
        check_fused(fused, foreach, differentiable)

    _kernel = "adam"

    def _options(self, group: dict[str, Any]) -> tuple[float, ...]:
        beta1, beta2 = group["betas"]
        decay, decoupled = float(group["weight_decay"]), float(group["decoupled_weight_decay"])
        eps, largest = float(group["eps"]), float(group["amsgrad"])
        return float(group["lr"]), float(beta1), float(beta2), eps, decay, decoupled, largest

    def _kept(self, group: dict[str, Any]) -> tuple[str, ...]:
        return ("exp_avg", "exp_avg_sq", "max_exp_avg_sq") if group["amsgrad"] else ("exp_avg", "exp_avg_sq")

    def _begin(self, state: State, data: Array, group: dict[str, Any]) -> None:
        state["step"] = scalar(0.0)
        for name in self._kept(group):
            state[name] = zeros(data)
