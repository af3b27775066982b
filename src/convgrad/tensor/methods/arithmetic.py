"""Arithmetic methods: operators, their in-place and named forms, comparison and logic."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...ops import elementwise as ew
from .base import Methods, documented_by


class ArithmeticMethods(Methods):
    """``+ - * / **`` and their kin. The hottest of them are closures in ``tensor.py``."""

    __slots__ = ()

    def __rsub__(self, other: Any) -> Any:
        return self._binary(ew.Sub, other, reflected=True)

    def __rtruediv__(self, other: Any) -> Any:
        return self._binary(ew.Div, other, reflected=True)

    def __pow__(self, exponent: Any) -> Any:
        if hasattr(exponent, "_data"):
            return self._binary(ew.PowTensor, exponent)
        return self._binary(ew.Pow, exponent)

    def __rpow__(self, base: Any) -> Any:
        return self._binary(ew.PowTensor, base, reflected=True)

    @documented_by(ew.Pow)
    def pow(self, exponent: Any) -> Any:
        return self.__pow__(exponent)

    def add(self, other: Any, *, alpha: Any = 1) -> Any:
        """``self + alpha * other``."""
        return self._binary(ew.Add, other if alpha == 1 else other * alpha)

    def add_(self, other: Any, *, alpha: Any = 1) -> Any:
        """``add`` in place."""
        return self._inplace("add_", ew.Add, (other if alpha == 1 else other * alpha,))

    def mul_(self, other: Any) -> Any:
        """``mul`` in place."""
        return self._inplace("mul_", ew.Mul, (other,))

    def __iadd__(self, other: Any) -> Any:
        return self._inplace("add_", ew.Add, (other,))

    def __imul__(self, other: Any) -> Any:
        return self._inplace("mul_", ew.Mul, (other,))

    def __gt__(self, other: Any) -> Any:
        return self._compare(np.greater, other)

    def __lt__(self, other: Any) -> Any:
        return self._compare(np.less, other)

    def __ge__(self, other: Any) -> Any:
        return self._compare(np.greater_equal, other)

    def __le__(self, other: Any) -> Any:
        return self._compare(np.less_equal, other)

    def __eq__(self, other: object) -> Any:
        return self._compare(np.equal, other)

    def __ne__(self, other: object) -> Any:
        return self._compare(np.not_equal, other)

    def __hash__(self) -> int:
        return id(self)
