"""Functions of functions: derivatives and batches, as ``torch.func`` has them."""

from __future__ import annotations

from . import custom as _custom  # noqa: F401  # how Functions are called on batches
from .functional_call import (
    debug_unwrap,
    functional_call,
    functionalize,
    replace_all_batch_norm_modules_,
    stack_module_state,
)
from .jacobians import hessian, jacfwd, jacrev
from .transforms import grad, grad_and_value, jvp, linearize, value_and_grad, vjp
from .vmap import vmap, vmap_fallbacks

__all__ = [
    "debug_unwrap", "functional_call", "functionalize", "grad", "grad_and_value", "hessian", "jacfwd",
    "jacrev", "jvp", "linearize", "replace_all_batch_norm_modules_", "stack_module_state",
    "value_and_grad", "vjp", "vmap", "vmap_fallbacks",
]  # fmt: skip
