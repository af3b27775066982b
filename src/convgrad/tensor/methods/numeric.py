"""Bessel and gamma functions, powers of two, neighbours and divisors as methods."""

from __future__ import annotations

from typing import Any

from ... import dtypes
from ...errors import ConvgradError
from ...ops import bessel, floats, gammafunction
from .. import return_types
from .base import Methods, documented_by
from .operands import check_tensor, operands, run
from .special import _floating, _pair, _pair2


class LateMethods(Methods):
    """Functions that few programs need; their in-place forms stand in ``inplace.py``."""

    __slots__ = ()

    i0 = _pair(bessel.I0, "i0")[0]
    gcd = _pair2(floats.Gcd, "gcd")[0]
    lcm = _pair2(floats.Lcm, "lcm")[0]
    igamma = _pair2(gammafunction.Igamma, "igamma")[0]
    igammac = _pair2(gammafunction.Igammac, "igammac")[0]
    nextafter = _pair2(floats.Nextafter, "nextafter")[0]

    @documented_by(floats.Ldexp)
    def ldexp(self, other: Any) -> Any:
        check_tensor("ldexp", other)
        if other._data.dtype.kind == "b" and self._data.dtype.kind in "fV":
            raise NotImplementedError("\"ldexp_cpu_exp\" not implemented for 'Bool'")
        return run(floats.Ldexp, operands(self, other, floats=True))

    def mvlgamma(self, p: int) -> Any:
        """The logarithm of the multivariate gamma function of dimension p.

        Args:
            self: real, of any shape; integers become the default float.
            p: at least 1.
        Raises:
            ConvgradError: a smaller p, or a bool tensor.
        Example:
            >>> import convgrad
            >>> convgrad.tensor([3.0]).mvlgamma(2)
            tensor([1.5502])

        Source: DLMF 35.3.4.
        """
        if self._data.dtype.kind == "b":
            raise ConvgradError("The input tensor may not be a boolean tensor.")
        if p < 1:
            raise ConvgradError(f"p has to be greater than or equal to 1, but got {p}")
        return self._apply(gammafunction.Mvlgamma, (_floating(self),), (p,))

    def frexp(self) -> Any:
        """Mantissas in [1/2, 1), or 0, and exponents (int32) with ``self = mantissa * 2 ** exponent``.

        Raises:
            ConvgradError: not a real floating dtype.
        Example:
            >>> import convgrad
            >>> mantissa, exponent = convgrad.tensor([12.0]).frexp()
            >>> mantissa.item(), exponent.item()
            (0.75, 4)
        """
        if self._data.dtype.kind not in "fV":
            raise ConvgradError(f"torch.frexp() only supports floating-point dtypes, not {self._data.dtype}")
        return return_types.frexp(self._apply(floats.Frexp, (self,)))

    @documented_by(floats.Heaviside)
    def heaviside(self, values: Any) -> Any:
        check_tensor("heaviside", values, "values")
        kinds = [dtypes.from_numpy(t._data.dtype) for t in (self, values)]
        if kinds[0].is_complex or kinds[1].is_complex:
            raise ConvgradError("heaviside is not yet implemented for complex tensors.")
        if kinds[0] is not kinds[1]:
            raise ConvgradError(
                "heaviside is not yet implemented for tensors with different dtypes, such as "
                f"{kinds[0]} and {kinds[1]}"
            )
        return run(floats.Heaviside, (self, values))
