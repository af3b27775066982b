"""Adam and AdamW: steps scaled by running estimates of the gradient's mean and square."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..graph.node import cell_of
from ..tensor.tensor import Tensor
from .optimizer import Optimizer, check_options, fresh, gradient


class Adam(Optimizer):
    """``p -= lr * m / (sqrt(v) + eps)`` with bias-corrected running means m of g and v of g².

    Args:
        params: parameters or groups of them.
        lr: learning rate.
        betas: how much of the old m and v is kept in each step.
        eps: added to the denominator.
        weight_decay: pull towards 0, added to the gradient.
        amsgrad: use the largest v so far (Reddi et al. 2018).
        maximize: ascend.
        decoupled_weight_decay: shrink the parameter instead of adding to the gradient: AdamW.
        foreach, capturable, differentiable, fused: accepted for compatibility.
    Raises:
        ValueError: a negative option, or betas outside [0, 1).
    Source: Kingma & Ba 2014, arXiv:1412.6980.
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        check_options(lr=lr, eps=eps, weight_decay=weight_decay)
        for index, beta in enumerate(betas):
            if not 0.0 <= beta < 1.0:
                raise ValueError(f"Invalid beta parameter at index {index}: {beta}")
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults)

    def _start(self, param: Any, group: dict[str, Any]) -> dict[str, Any]:
        state = self.state[param]
        if not state:
            state["step"] = Tensor(np.zeros((), np.float32), None)
            state["exp_avg"] = fresh(param._data)
            state["exp_avg_sq"] = fresh(param._data)
            if group["amsgrad"]:
                state["max_exp_avg_sq"] = fresh(param._data)
        return state

    def _update(self, group: dict[str, Any]) -> None:
        lr, eps, decay = float(group["lr"]), group["eps"], group["weight_decay"]
        beta1, beta2 = (float(b) for b in group["betas"])
        for param in group["params"]:
            g = gradient(param, group["maximize"])
            if g is None:
                continue
            state = self._start(param, group)
            count = state["step"]._data
            count += 1
            step = float(count)
            data, m, v = param._data, state["exp_avg"]._data, state["exp_avg_sq"]._data
            work = np.empty_like(data)
            if decay and group["decoupled_weight_decay"]:
                np.multiply(data, 1 - lr * decay, out=data)
            elif decay:
                np.multiply(data, decay, out=work)
                g = work + g
            np.subtract(g, m, out=work)  # m += (1 - beta1) (g - m)
            np.multiply(work, 1 - beta1, out=work)
            np.add(m, work, out=m)
            np.multiply(v, beta2, out=v)  # v = beta2 v + (1 - beta2) g²
            np.multiply(g, g, out=work)
            np.multiply(work, 1 - beta2, out=work)
            np.add(v, work, out=v)
            if group["amsgrad"]:
                largest = state["max_exp_avg_sq"]._data
                v = np.maximum(largest, v, out=largest)
            np.sqrt(v, out=work)
            np.divide(work, math.sqrt(1 - beta2**step), out=work)
            np.add(work, eps, out=work)
            np.divide(m, work, out=work)
            np.multiply(work, lr / (1 - beta1**step), out=work)
            np.subtract(data, work, out=data)
            (param._cell or cell_of(param)).bump("Adam.step")


class AdamW(Adam):
    """Adam whose weight decay shrinks the parameters and leaves the gradient alone.

    Args as for ``Adam``, with ``weight_decay=1e-2``. Source: Loshchilov & Hutter 2017, arXiv:1711.05101.
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            foreach=foreach,
            maximize=maximize,
            capturable=capturable,
            differentiable=differentiable,
            fused=fused,
            decoupled_weight_decay=True,
        )
