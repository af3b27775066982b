"""Helpers for tests: derivatives checked against finite differences, and tensors compared."""

from __future__ import annotations

from ..autograd.gradient_check import GradcheckError, gradcheck, gradgradcheck
from .comparison import assert_close

__all__ = ["GradcheckError", "assert_close", "gradcheck", "gradgradcheck"]
