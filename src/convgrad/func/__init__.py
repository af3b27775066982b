"""Functions of functions: derivatives and batches, as ``torch.func`` has them."""

from __future__ import annotations

from .jacobians import hessian, jacfwd, jacrev
from .transforms import grad, grad_and_value, jvp, linearize, value_and_grad, vjp
from .vmap import vmap, vmap_fallbacks

__all__ = [
    "grad", "grad_and_value", "hessian", "jacfwd", "jacrev", "jvp", "linearize", "value_and_grad", "vjp", "vmap",
    "vmap_fallbacks",
]  # fmt: skip
