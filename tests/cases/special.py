"""Bessel, gamma, zeta and normal functions, polynomials, divisors, powers of two, and draws from tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.special as sp

import convgrad
from convgrad.errors import ConvgradError, ShapeError
from convgrad.generator import Generator
from convgrad.ops import bessel, floats, gammafunction, normal, polynomial, sampling
from convgrad.tensor.tensor import Tensor, apply

from .case import Case, ErrorCase, kinds, values

CASES: list[Case] = []
ERRORS: list[ErrorCase] = []
S = convgrad.special


def _one(
    op: type, call: Callable[..., Any], reference: Callable[..., Any], low: float, high: float, **more: Any
) -> None:
    """The kinds of cases of a function of one operand."""
    xs = [values(len(CASES), *shape, low=low, high=high) for shape in ((3, 4), (0, 3), ())]
    CASES.extend(kinds(op, "x", call, reference, xs[0], empty=(xs[1],), zero=(np.asarray(xs[2]),), **more))


def _two(
    op: type, call: Callable[..., Any], reference: Callable[..., Any], a: Any, b: Any, other: Any, **more: Any
) -> None:
    """Those of a function of two operands; ``other`` is b in another dtype, or None."""
    made = kinds(
        op,
        "ab",
        call,
        reference,
        a,
        b,
        empty=(a[:0], b[:1]),
        zero=(np.array(a[0, 0]), np.array(b[0, 1])),
        **more,
    )
    made.append(
        Case(
            op,
            "broadcast",
            call,
            (a[:, :1].copy(), b[0].copy()),
            reference,
            tags=frozenset({"broadcast"}),
            **more,
        )
    )
    if other is not None:
        more["differentiable"] = (0,) if 0 in more.get("differentiable", (0,)) else ()
        made.append(Case(op, "mixed", call, (a, other), reference, tags=frozenset({"mixed"}), **more))
    CASES.extend(made)
    one, two = Tensor(np.ones((2, 3), a.dtype), None), Tensor(np.ones(4, b.dtype), None)
    ERRORS.append(
        ErrorCase(
            f"{op.__name__}-shapes", lambda: call(one, two), ShapeError, "must match the size of tensor b", op
        )
    )


_one(bessel.I0, lambda x: x.i0(), sp.i0, -10.0, 10.0)
_one(bessel.I0e, S.i0e, sp.i0e, -10.0, 10.0)
_one(bessel.I1, S.i1, sp.i1, -10.0, 10.0)
_one(bessel.I1e, S.i1e, sp.i1e, -10.0, 10.0)
_VALUES: list[tuple[type, Callable[..., Any], Callable[..., Any], float]] = [
    (bessel.AiryAi, S.airy_ai, lambda x: sp.airy(x)[0], -5.0),
    (bessel.SphericalBesselJ0, S.spherical_bessel_j0, lambda x: np.sinc(x / np.pi), -5.0),
    (bessel.BesselJ0, S.bessel_j0, sp.j0, -12.0),
    (bessel.BesselJ1, S.bessel_j1, sp.j1, -12.0),
    (bessel.BesselY0, S.bessel_y0, sp.y0, 0.1),
    (bessel.BesselY1, S.bessel_y1, sp.y1, 0.1),
    (bessel.ModifiedBesselI0, S.modified_bessel_i0, sp.i0, -5.0),
    (bessel.ModifiedBesselI1, S.modified_bessel_i1, sp.i1, -5.0),
    (bessel.ModifiedBesselK0, S.modified_bessel_k0, sp.k0, 0.1),
    (bessel.ModifiedBesselK1, S.modified_bessel_k1, sp.k1, 0.1),
    (bessel.ScaledModifiedBesselK0, S.scaled_modified_bessel_k0, sp.k0e, 0.1),
    (bessel.ScaledModifiedBesselK1, S.scaled_modified_bessel_k1, sp.k1e, 0.1),
]
for _op, _call, _reference, _low in _VALUES:
    _one(_op, _call, _reference, _low, 12.0 if "Bessel" in _op.__name__ else 4.0, differentiable=())

_one(normal.Erfcx, S.erfcx, sp.erfcx, -2.0, 6.0)
_one(normal.LogNdtr, S.log_ndtr, sp.log_ndtr, -8.0, 2.0)
_one(normal.Ndtri, S.ndtri, sp.ndtri, 0.1, 0.9)
_one(normal.Entr, S.entr, sp.entr, 0.1, 3.0)
_one(
    gammafunction.Mvlgamma,
    lambda x: x.mvlgamma(3),
    lambda x: np.vectorize(lambda v: sp.multigammaln(v, 3), otypes=[float])(x),
    1.2,
    6.0,
)
_one(gammafunction.ZetaFirst, lambda q: S.zeta(2.5, q), lambda q: sp.zeta(2.5, q), 0.3, 4.0)
_one(
    gammafunction.ZetaNumber, lambda x: S.zeta(x, 0.7), lambda x: sp.zeta(x, 0.7), 1.3, 6.0, differentiable=()
)
_one(normal.XLog1pYFirst, lambda x: S.xlog1py(2.5, x), lambda x: sp.xlog1py(2.5, x), -0.8, 3.0)
_one(normal.XLog1pYNumber, lambda x: S.xlog1py(x, 0.75), lambda x: sp.xlog1py(x, 0.75), -2.0, 2.0)
_one(floats.Frexp, lambda x: tuple(x.frexp()), np.frexp, -3.0, 3.0)

for _case in [c for c in CASES if c.name == "x-ordinary" and c.op.__name__.endswith(("First", "Number"))]:
    CASES.append(
        Case(
            _case.op, "int32", _case.call, (np.arange(2, 5, dtype=np.int32),), _case.reference,
            tags=frozenset({"mixed"}),
        )
    )  # fmt: skip

_A, _B = values(50, 3, 4), values(51, 3, 4)
_P, _Q = values(52, 3, 4, low=0.3, high=4.0), values(53, 3, 4, low=0.3, high=4.0)
_two(normal.XLog1pY, S.xlog1py, sp.xlog1py, _A, _P, _P.astype(np.float32))
_two(gammafunction.Igamma, S.gammainc, sp.gammainc, _P, _Q, _Q.astype(np.float32), differentiable=(1,))
_two(gammafunction.Igammac, S.gammaincc, sp.gammaincc, _P, _Q, _Q.astype(np.float32), differentiable=(1,))
_two(gammafunction.Zeta, S.zeta, sp.zeta, _P + 1.2, _Q, _Q.astype(np.float32), differentiable=(1,))
_two(floats.Ldexp, lambda a, b: a.ldexp(b), lambda a, b: a * 2.0**b, _A, _B, _B.astype(np.float32))
_two(floats.Nextafter, lambda a, b: a.nextafter(b), np.nextafter, _A, _B, _B.astype(np.float32))
_two(floats.Heaviside, lambda a, b: a.heaviside(b), np.heaviside, np.trunc(_A), _B, None, differentiable=())

_I, _J = np.array([[12, -18, 0], [7, 6, 0]], np.int32), np.array([[8, 12, 5], [-21, 4, 0]], np.int32)
_two(floats.Gcd, lambda a, b: a.gcd(b), np.gcd, _I, _J, _J.astype(np.int64), differentiable=())
_two(floats.Lcm, lambda a, b: a.lcm(b), np.lcm, _I, _J, _J.astype(np.int64), differentiable=())


def _angles(numerator: Callable[..., Any], denominator: Callable[..., Any], add: float) -> Callable[..., Any]:
    """A Chebyshev polynomial by its trigonometric form."""
    return lambda x, n: (
        numerator((n + add) * np.arccos(x)) / denominator(np.arccos(x) * (0.5 if add == 0.5 else 1.0))
    )


def _moved(reference: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, n: reference(2.0 * x - 1.0, n)


_U = _angles(np.sin, np.sin, 1.0)
_V, _W = _angles(np.cos, np.cos, 0.5), _angles(np.sin, np.sin, 0.5)
_X, _UNIT = values(54, 3, 4, low=-0.95, high=0.95), values(55, 3, 4, low=0.05, high=0.95)
_N = np.array([[0.0, 1.0, 2.0, 3.0], [4.0, 5.0, 9.0, 60.0], [7.0, 1.0, 80.0, 6.0]])
_POLYNOMIALS: list[tuple[type, Callable[..., Any], Callable[..., Any], Any, Any]] = [
    (polynomial.ChebyshevT, S.chebyshev_polynomial_t, lambda x, n: np.cos(n * np.arccos(x)), _X, _N),
    (polynomial.ChebyshevU, S.chebyshev_polynomial_u, _U, _X, _N),
    (polynomial.ChebyshevV, S.chebyshev_polynomial_v, _V, _X, _N),
    (polynomial.ChebyshevW, S.chebyshev_polynomial_w, _W, _X, _N),
    (polynomial.ShiftedChebyshevT, S.shifted_chebyshev_polynomial_t, lambda x, n: np.cos(n * np.arccos(2 * x - 1)), _UNIT, _N),
    (polynomial.ShiftedChebyshevU, S.shifted_chebyshev_polynomial_u, _moved(_U), _UNIT, _N),
    (polynomial.ShiftedChebyshevV, S.shifted_chebyshev_polynomial_v, _moved(_V), _UNIT, _N),
    (polynomial.ShiftedChebyshevW, S.shifted_chebyshev_polynomial_w, _moved(_W), _UNIT, _N),
    (polynomial.HermiteH, S.hermite_polynomial_h, lambda x, n: sp.eval_hermite(n.astype(int), x), _X, _N % 8),
    (polynomial.HermiteHe, S.hermite_polynomial_he, lambda x, n: sp.eval_hermitenorm(n.astype(int), x), _X, _N % 8),
    (polynomial.LaguerreL, S.laguerre_polynomial_l, lambda x, n: sp.eval_laguerre(n, x), _X, _N % 8),
    (polynomial.LegendreP, S.legendre_polynomial_p, lambda x, n: sp.eval_legendre(n, x), _X, _N % 8),
]  # fmt: skip
for _op, _call, _reference, _x, _n in _POLYNOMIALS:
    _two(_op, _call, _reference, _x, _n, _n.astype(np.int64), differentiable=())


def _drawn(x: Any) -> Any:
    """Poisson numbers of a fixed seed: where the rate is 0 there is none, and the gradient is 0."""
    return apply(sampling.Poisson, (x * 0,), (Generator().manual_seed(3),))


_one(sampling.Poisson, _drawn, np.zeros_like, 0.5, 20.0)


def _tried(x: Any) -> Any:
    """Trials that cannot succeed."""
    return apply(sampling.Bernoulli, (x * 0,), (Generator().manual_seed(3),))


def _exact(mean: Any, std: Any) -> Any:
    """Normal numbers without spread around 0."""
    return apply(sampling.Normal, (mean * 0, std * 0), (Generator().manual_seed(3),))


_one(sampling.Bernoulli, _tried, np.zeros_like, 0.1, 0.9)
_two(
    sampling.Normal,
    _exact,
    lambda a, b: 0 * (a + b),
    values(56, 3, 4),
    values(57, 1, 4),
    values(58, 1, 4).astype(np.float32),
)

_ints, _flags, _floats = (
    Tensor(np.array([1, -2, 0]), None), Tensor(np.array([True, False]), None), Tensor(np.array([1.0, 2.0]), None),
)  # fmt: skip
_complex = Tensor(np.array([1j, 2j]), None)
_halves = Tensor(np.array([1.0, 2.0], np.float16), None)
ERRORS += [
    ErrorCase("igamma-int", lambda: _ints.igamma(_ints), NotImplementedError, "igamma_cpu", gammafunction.Igamma),
    ErrorCase("gcd-float", lambda: _floats.gcd(_floats), NotImplementedError, "gcd_cpu", floats.Gcd),
    ErrorCase("nextafter-int", lambda: _ints.nextafter(_ints), NotImplementedError, "nextafter_cpu", floats.Nextafter),
    ErrorCase("heaviside-dtype", lambda: _floats.heaviside(_ints), ConvgradError, "different dtypes", floats.Heaviside),
    ErrorCase("frexp-int", lambda: _ints.frexp(), ConvgradError, "only supports floating-point dtypes", floats.Frexp),
    ErrorCase("mvlgamma-bool", lambda: _flags.mvlgamma(1), ConvgradError, "may not be a boolean tensor", gammafunction.Mvlgamma),
    ErrorCase("mvlgamma-p", lambda: _floats.mvlgamma(0), ConvgradError, "p has to be greater than or equal to 1", gammafunction.Mvlgamma),
    ErrorCase("zeta-numbers", lambda: S.zeta(2.0, 3.0), TypeError, "invalid combination of arguments", gammafunction.Zeta),
    ErrorCase("zeta-half", lambda: S.zeta(_halves, 2.0), NotImplementedError, "zeta_cpu", gammafunction.ZetaNumber),
    ErrorCase("zeta-complex", lambda: S.zeta(2.0, _complex), NotImplementedError, "zeta_cpu", gammafunction.ZetaFirst),
    ErrorCase("xlog1py-first", lambda: S.xlog1py(2.0, _complex), NotImplementedError, "xlog1py_cpu", normal.XLog1pYFirst),
    ErrorCase("xlog1py-number", lambda: S.xlog1py(_complex, 2.0), NotImplementedError, "xlog1py_cpu", normal.XLog1pYNumber),
    ErrorCase("bessel-half", lambda: S.bessel_j0(_halves), NotImplementedError, "bessel_j0_cpu", bessel.BesselJ0),
    ErrorCase("i0-complex", lambda: _complex.i0(), NotImplementedError, "i0_vml_cpu", bessel.I0),
    ErrorCase("poisson-negative", lambda: convgrad.poisson(-_floats), ConvgradError, "invalid Poisson rate", sampling.Poisson),
    ErrorCase("bernoulli-range", lambda: convgrad.bernoulli(_floats), ConvgradError, "p_in >= 0 && p_in <= 1", sampling.Bernoulli),
    ErrorCase("normal-negative", lambda: convgrad.normal(_floats, -_floats), ConvgradError, "all elements of std >= 0.0", sampling.Normal),
    ErrorCase("poisson-int", lambda: convgrad.poisson(_ints), NotImplementedError, "poisson_cpu", sampling.Poisson),
    ErrorCase("multinomial-many", lambda: _floats.multinomial(3), ConvgradError, "without replacement"),
    ErrorCase("multinomial-int", lambda: _ints.multinomial(1), ConvgradError, "only supports floating-point"),
    ErrorCase("multinomial-negative", lambda: (-_floats).multinomial(1), ConvgradError, "either `inf`, `nan` or element < 0"),
    ErrorCase("multinomial-zero", lambda: (_floats * 0).multinomial(1), ConvgradError, "sum of probabilities <= 0"),
    ErrorCase("multinomial-none", lambda: _floats.multinomial(0), ConvgradError, "cannot sample n_sample <= 0"),
    ErrorCase("multinomial-dims", lambda: _floats.sum().multinomial(1), ConvgradError, "prob_dist must be 1 or 2 dim"),
    ErrorCase("geometric-p", lambda: _floats.geometric_(1.0), ConvgradError, "expects p to be in (0, 1)"),
    ErrorCase("cauchy-sigma", lambda: _floats.cauchy_(0, -1), ConvgradError, "expects sigma > 0.0"),
    ErrorCase("cauchy-int", lambda: _ints.cauchy_(), ConvgradError, "continuous probability distribution"),
    ErrorCase("log_normal-std", lambda: _floats.log_normal_(0, -1), ConvgradError, "expects std > 0.0"),
    ErrorCase("log_normal-int", lambda: _ints.log_normal_(), NotImplementedError, "log_normal_cpu"),
    ErrorCase("float_power_", lambda: _ints.float_power_(2), ConvgradError, "requires dtype Double"),
    ErrorCase("fill_diagonal_", lambda: _floats.fill_diagonal_(1), ConvgradError, "dimensions must larger than 1"),
    ErrorCase("xlogy_-int", lambda: _ints.xlogy_(2.0), ConvgradError, "can't be cast to the desired output type"),
    ErrorCase("apply_", lambda: _floats.clone().requires_grad_().apply_(abs), ConvgradError, "Can't call apply_() on Variable"),
    ErrorCase("set_", lambda: _floats.set_(_ints), ConvgradError, "Could not set tensor of type"),
    ErrorCase("polygamma-n", lambda: convgrad.polygamma(_floats, 1), TypeError, "argument 'n' (position 1) must be int"),
]  # fmt: skip
