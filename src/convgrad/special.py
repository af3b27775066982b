"""``torch.special``: special functions under PyTorch's names.

Each takes a tensor of any shape, and those of two operands a number in place of one of them where PyTorch
does. Integers become the default float; float32 and float64 stay as they are, and so do float16 and bfloat16
(computed in float32) where PyTorch has the function for them. Complex tensors are refused but by ``exp2``,
``expm1``, ``expit``, ``log1p`` and ``sinc``. What has no gradient in PyTorch (the Bessel functions but for
``i0`` to ``i1e``, Airy's, the polynomials) has none here: nothing is recorded.

Example:
    >>> import convgrad
    >>> convgrad.special.ndtri(convgrad.tensor([0.025, 0.5]))
    tensor([-1.9600,  0.0000])
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import dtypes
from .ops import bessel, gammafunction, normal
from .ops import polynomial as poly
from .ops.op import Op
from .ops.rounding import RoundDecimals
from .tensor.functions import function
from .tensor.functions_elementwise import polygamma, xlogy
from .tensor.methods.base import NUMBERS
from .tensor.methods.operands import check_operand, check_tensor, operands, run
from .tensor.out import equip
from .tensor.tensor import Tensor, apply, unary


def _alias(method: str, name: str) -> Callable[..., Any]:
    """The function ``name`` of a tensor that its method of another name computes."""
    found = function(method)
    found.__name__ = found.__qualname__ = name
    return found


def _of_one(name: str, op: type[Op], halves: bool = False) -> Callable[[Tensor], Any]:
    """A function of one tensor; ``halves``: float16 and bfloat16 are taken."""

    def of_one(input: Tensor) -> Any:
        check_tensor(name, input, "input")
        if not halves:
            _refuse_halves(name, input)
        return unary(op, input)

    of_one.__name__ = of_one.__qualname__ = name
    of_one.__doc__ = op.__doc__
    return of_one


def _of_two(
    name: str,
    op: type[Op],
    first: type[Op] | None = None,
    second: type[Op] | None = None,
    halves: bool = False,
) -> Callable[[Any, Any], Any]:
    """A function of two operands, one of which may be a number.

    Args:
        first, second: the operators whose first or second operand is a number, where PyTorch's nodes differ.
    """

    def of_two(input: Any, other: Any) -> Any:
        check_operand(name, input, "input")
        check_operand(name, other)
        if isinstance(input, NUMBERS) and isinstance(other, NUMBERS):
            raise TypeError(
                f"special_{name}() received an invalid combination of arguments - got "
                f"({type(input).__name__}, {type(other).__name__}), but one of them must be a Tensor"
            )
        pair = operands(input, other, floats=True)
        if not halves:
            _refuse_halves(name, *pair)
        chosen = (
            (first or op)
            if isinstance(input, NUMBERS)
            else (second or op)
            if isinstance(other, NUMBERS)
            else op
        )
        return run(chosen, pair)

    of_two.__name__ = of_two.__qualname__ = name
    of_two.__doc__ = op.__doc__
    return of_two


def _refuse_halves(name: str, *values: Any) -> None:
    for x in values:
        if isinstance(x, Tensor) and x._data.dtype in dtypes.HALVES:
            raise NotImplementedError(f'"{name}_cpu" not implemented for dtype {x.dtype}')


digamma = function("digamma")
psi = _alias("digamma", "psi")
erf, erfc, erfinv = function("erf"), function("erfc"), function("erfinv")
exp2, expm1, log1p, sinc = function("exp2"), function("expm1"), function("log1p"), function("sinc")
expit = _alias("sigmoid", "expit")
logit, logsumexp = function("logit"), function("logsumexp")
gammaln = _alias("lgamma", "gammaln")
gammainc, gammaincc = _alias("igamma", "gammainc"), _alias("igammac", "gammaincc")
multigammaln = _alias("mvlgamma", "multigammaln")
i0 = function("i0")

i0e = _of_one("i0e", bessel.I0e, halves=True)
i1 = _of_one("i1", bessel.I1, halves=True)
i1e = _of_one("i1e", bessel.I1e, halves=True)
airy_ai = _of_one("airy_ai", bessel.AiryAi)
bessel_j0 = _of_one("bessel_j0", bessel.BesselJ0)
bessel_j1 = _of_one("bessel_j1", bessel.BesselJ1)
bessel_y0 = _of_one("bessel_y0", bessel.BesselY0)
bessel_y1 = _of_one("bessel_y1", bessel.BesselY1)
modified_bessel_i0 = _of_one("modified_bessel_i0", bessel.ModifiedBesselI0)
modified_bessel_i1 = _of_one("modified_bessel_i1", bessel.ModifiedBesselI1)
modified_bessel_k0 = _of_one("modified_bessel_k0", bessel.ModifiedBesselK0)
modified_bessel_k1 = _of_one("modified_bessel_k1", bessel.ModifiedBesselK1)
scaled_modified_bessel_k0 = _of_one("scaled_modified_bessel_k0", bessel.ScaledModifiedBesselK0)
scaled_modified_bessel_k1 = _of_one("scaled_modified_bessel_k1", bessel.ScaledModifiedBesselK1)
spherical_bessel_j0 = _of_one("spherical_bessel_j0", bessel.SphericalBesselJ0)

erfcx = _of_one("erfcx", normal.Erfcx)
log_ndtr = _of_one("log_ndtr", normal.LogNdtr)
ndtri = _of_one("ndtri", normal.Ndtri)
entr = _of_one("entr", normal.Entr, halves=True)
xlog1py = _of_two("xlog1py", normal.XLog1pY, normal.XLog1pYFirst, normal.XLog1pYNumber, halves=True)
zeta = _of_two("zeta", gammafunction.Zeta, gammafunction.ZetaFirst, gammafunction.ZetaNumber)

chebyshev_polynomial_t = _of_two("chebyshev_polynomial_t", poly.ChebyshevT)
chebyshev_polynomial_u = _of_two("chebyshev_polynomial_u", poly.ChebyshevU)
chebyshev_polynomial_v = _of_two("chebyshev_polynomial_v", poly.ChebyshevV)
chebyshev_polynomial_w = _of_two("chebyshev_polynomial_w", poly.ChebyshevW)
shifted_chebyshev_polynomial_t = _of_two("shifted_chebyshev_polynomial_t", poly.ShiftedChebyshevT)
shifted_chebyshev_polynomial_u = _of_two("shifted_chebyshev_polynomial_u", poly.ShiftedChebyshevU)
shifted_chebyshev_polynomial_v = _of_two("shifted_chebyshev_polynomial_v", poly.ShiftedChebyshevV)
shifted_chebyshev_polynomial_w = _of_two("shifted_chebyshev_polynomial_w", poly.ShiftedChebyshevW)
hermite_polynomial_h = _of_two("hermite_polynomial_h", poly.HermiteH)
hermite_polynomial_he = _of_two("hermite_polynomial_he", poly.HermiteHe)
laguerre_polynomial_l = _of_two("laguerre_polynomial_l", poly.LaguerreL)
legendre_polynomial_p = _of_two("legendre_polynomial_p", poly.LegendreP)


def ndtr(input: Tensor) -> Any:
    """The standard normal distribution: how likely a standard normal number is to lie below ``input``."""
    check_tensor("ndtr", input, "input")
    x: Any = input
    return (x * -(0.5**0.5)).erfc() * 0.5


def round(input: Tensor, *, decimals: int = 0) -> Any:
    """The nearest multiple of ``10 ** -decimals`` of a float tensor; halves go to the even one."""
    check_tensor("round", input, "input")
    return apply(RoundDecimals, (input,), (decimals,))


def softmax(input: Tensor, dim: int, *, dtype: Any = None) -> Any:
    """``exp(x) / sum(exp(x))`` along ``dim``; ``dtype``: the input is cast first."""
    check_tensor("softmax", input, "input")
    return input.softmax(dim, dtype)


def log_softmax(input: Tensor, dim: int, *, dtype: Any = None) -> Any:
    """``log(softmax(x))`` along ``dim``, without overflow; ``dtype``: the input is cast first."""
    check_tensor("log_softmax", input, "input")
    return input.log_softmax(dim, dtype)


__all__ = [
    "airy_ai", "bessel_j0", "bessel_j1", "bessel_y0", "bessel_y1", "chebyshev_polynomial_t",
    "chebyshev_polynomial_u", "chebyshev_polynomial_v", "chebyshev_polynomial_w", "digamma", "entr",
    "erf", "erfc", "erfcx", "erfinv", "exp2", "expit", "expm1", "gammainc", "gammaincc", "gammaln",
    "hermite_polynomial_h", "hermite_polynomial_he", "i0", "i0e", "i1", "i1e", "laguerre_polynomial_l",
    "legendre_polynomial_p", "log1p", "log_ndtr", "log_softmax", "logit", "logsumexp",
    "modified_bessel_i0", "modified_bessel_i1", "modified_bessel_k0", "modified_bessel_k1",
    "multigammaln", "ndtr", "ndtri", "polygamma", "psi", "round", "scaled_modified_bessel_k0",
    "scaled_modified_bessel_k1", "shifted_chebyshev_polynomial_t", "shifted_chebyshev_polynomial_u",
    "shifted_chebyshev_polynomial_v", "shifted_chebyshev_polynomial_w", "sinc", "softmax",
    "spherical_bessel_j0", "xlog1py", "xlogy", "zeta",
]  # fmt: skip

equip(globals(), "special")
