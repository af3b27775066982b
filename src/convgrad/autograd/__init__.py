"""Automatic differentiation: ``backward``, ``grad``, modes, ``Function``, ``functional``, forward mode."""

from __future__ import annotations

from . import forward_ad, functional, grad_mode
from .derive import backward, grad
from .function import Function
from .grad_mode import enable_grad, inference_mode, no_grad, set_grad_enabled
from .gradcheck import gradcheck, gradgradcheck

__all__ = [
    "Function", "backward", "enable_grad", "forward_ad", "functional", "grad", "grad_mode", "gradcheck",
    "gradgradcheck", "inference_mode", "no_grad", "set_grad_enabled",
]  # fmt: skip
