"""Steps with ``differentiable=True``: the formulas of each algorithm as programs of tensors.

What was recorded before the step (gradients that depend on parameters, on learning rates) stays connected to
the parameters after it, as learning to learn needs it (Andrychowicz et al. 2016, arXiv:1606.04474). Every
function changes ``p`` in place, which so cannot be a leaf that requires grad, and renews ``state``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ..tensor.functions_elementwise import view_as_complex, view_as_real
from ..tensor.tensor import Tensor
from .optimizer import scalar


def not_recorded(p: Any, g: Any, state: Any, group: Any) -> None:
    """For algorithms whose step cannot be differentiated."""
    raise NotImplementedError("this optimizer has no differentiable step")


def record(step: Callable[..., None], p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
    """Run a recorded step; complex parameters as pairs of real numbers."""
    if not p.is_complex():
        step(p, g, state, group)
        return
    real = {k: view_as_real(v) if isinstance(v, Tensor) and v.is_complex() else v for k, v in state.items()}
    step(view_as_real(p), view_as_real(g), real, group)
    for name, value in real.items():
        paired = isinstance(value, Tensor) and value.dim() == p.dim() + 1
        state[name] = view_as_complex(value) if paired else value


def _start(p: Any, state: dict[str, Any], *names: str) -> float:
    """Zeros for a parameter's first step; returns the number of this step."""
    if not state:
        state["step"] = scalar(0.0)
        for name in names:
            state[name] = p.detach().new_zeros(p.shape)
    step = float(state["step"]) + 1.0
    state["step"] = scalar(step)
    return step


def _decayed(g: Any, p: Any, group: dict[str, Any]) -> Any:
    decay = group["weight_decay"]
    return g + decay * p if decay else g


def _towards(mean: Any, g: Any, weight: float) -> Any:
    return mean + weight * (g - mean)


def sgd(p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
    """See ``SGD``."""
    g, momentum = _decayed(g, p, group), group["momentum"]
    if momentum:
        old = state.get("momentum_buffer")
        v = g.clone() if old is None else momentum * old + (1 - group["dampening"]) * g
        state["momentum_buffer"] = v
        g = g + momentum * v if group["nesterov"] else v
    p.sub_(group["lr"] * g)


def _moments(p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> tuple[Any, ...]:
    """The count, and the new means of the gradient and its square, after the decay of weights."""
    step = _start(p, state, "exp_avg", "exp_avg_sq")
    beta1, beta2 = group["betas"]
    if group.get("decoupled_weight_decay"):
        p.mul_(1 - group["lr"] * group["weight_decay"])
    else:
        g = _decayed(g, p, group)
    m = state["exp_avg"] = _towards(state["exp_avg"], g, 1 - beta1)
    v = state["exp_avg_sq"] = beta2 * state["exp_avg_sq"] + (1 - beta2) * g * g
    return step, g, m, v, beta1, beta2


def adam(p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
    """See ``Adam``."""
    step, g, m, v, beta1, beta2 = _moments(p, g, state, group)
    if group["amsgrad"]:
        v = state["max_exp_avg_sq"] = v.maximum(state.get("max_exp_avg_sq", v))
    denominator = v.sqrt() / (1 - beta2**step) ** 0.5 + group["eps"]
    p.sub_(group["lr"] / (1 - beta1**step) * m / denominator)


def nadam(p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
    """See ``NAdam``."""
    step, g, m, v, beta1, beta2 = _moments(p, g, state, group)
    lr, decay = group["lr"], group["momentum_decay"]
    mu, after = [beta1 * (1 - 0.5 * 0.96 ** (t * decay)) for t in (step, step + 1)]
    product = state["mu_product"] = scalar(float(state.get("mu_product", 1.0)) * mu)
    denominator = (v / (1 - beta2**step)).sqrt() + group["eps"]
    p.sub_(lr * (1 - mu) / (1 - float(product)) * g / denominator)
    p.sub_(lr * after / (1 - float(product) * after) * m / denominator)


def radam(p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
    """See ``RAdam``."""
    step, g, m, v, beta1, beta2 = _moments(p, g, state, group)
    rectified = rectification(step, beta2)
    move = group["lr"] * m / (1 - beta1**step)
    if rectified:
        move = move * (rectified * (1 - beta2**step) ** 0.5) / (v.sqrt() + group["eps"])
    p.sub_(move)


def rectification(step: float, beta2: float) -> float:
    """RAdam's factor for a step's variance; 0 while there are too few steps to know it (5 or less)."""
    limit = 2 / (1 - beta2) - 1
    length = limit - 2 * step * beta2**step / (1 - beta2**step)
    if length <= 5.0:
        return 0.0
    top, bottom = (length - 4) * (length - 2) * limit, (limit - 4) * (limit - 2) * length
    return math.sqrt(top / bottom)


def adamax(p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
    """See ``Adamax``."""
    step = _start(p, state, "exp_avg", "exp_inf")
    beta1, beta2 = group["betas"]
    g = _decayed(g, p, group)
    m = state["exp_avg"] = _towards(state["exp_avg"], g, 1 - beta1)
    u = state["exp_inf"] = (beta2 * state["exp_inf"]).maximum(g.abs() + group["eps"])
    p.sub_(group["lr"] / (1 - beta1**step) * m / u)


def adagrad(p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
    """See ``Adagrad``; its state is made by the constructor."""
    step = _start(p, state, "sum")
    g = _decayed(g, p, group)
    total = state["sum"] = state["sum"] + g * g
    p.sub_(group["lr"] / (1 + (step - 1) * group["lr_decay"]) * g / (total.sqrt() + group["eps"]))


def adadelta(p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
    """See ``Adadelta``."""
    _start(p, state, "square_avg", "acc_delta")
    rho, eps = group["rho"], group["eps"]
    g = _decayed(g, p, group)
    v = state["square_avg"] = rho * state["square_avg"] + (1 - rho) * g * g
    move = (state["acc_delta"] + eps).sqrt() / (v + eps).sqrt() * g
    state["acc_delta"] = rho * state["acc_delta"] + (1 - rho) * move * move
    p.sub_(group["lr"] * move)


def rmsprop(p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
    """See ``RMSprop``."""
    _start(p, state, "square_avg")
    alpha, momentum = group["alpha"], group["momentum"]
    g = _decayed(g, p, group)
    v = state["square_avg"] = alpha * state["square_avg"] + (1 - alpha) * g * g
    if group["centered"]:
        old = state["grad_avg"] if "grad_avg" in state else p.detach().new_zeros(p.shape)
        mean = state["grad_avg"] = _towards(old, g, 1 - alpha)
        v = v - mean * mean
    move = g / (v.sqrt() + group["eps"])
    if momentum > 0:
        old = state.get("momentum_buffer")
        move = state["momentum_buffer"] = move if old is None else momentum * old + move
    p.sub_(group["lr"] * move)


def rprop(p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
    """See ``Rprop``."""
    first = not state
    _start(p, state, "prev")
    sizes = p.detach().new_ones(p.shape) * group["lr"] if first else state["step_size"]
    down, up = group["etas"]
    turn = (g * state["prev"]).sign()
    factor = (turn > 0) * (up - 1.0) + (turn < 0) * (down - 1.0) + 1.0
    sizes = state["step_size"] = (sizes * factor).clamp(*group["step_sizes"])
    g = state["prev"] = g.masked_fill(turn < 0, 0.0)
    p.sub_(g.sign() * sizes)


def asgd(p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
    """See ``ASGD``."""
    lr, lambd = group["lr"], group["lambd"]
    first = not state
    step = _start(p, state)
    eta, mu = (lr, 1.0) if first else (state["eta"], float(state["mu"]))
    g = _decayed(g, p, group)
    p.mul_(1 - lambd * eta)
    p.sub_(eta * g)
    rate = lr / (1 + lambd * lr * step) ** group["alpha"]
    state["eta"] = rate if isinstance(rate, Tensor) else scalar(rate)
    state["mu"] = scalar(1 / max(1.0, step - group["t0"]))
    state["ax"] = p.clone() if mu == 1 else state["ax"] + mu * (p - state["ax"])
