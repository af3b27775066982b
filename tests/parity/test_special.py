"""``torch.special`` and the late elementwise methods beside PyTorch, over the samples of ``test_elementwise``."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import convgrad

from . import test_elementwise as elementwise
from .agree import agree
from .test_elementwise import Call, _check, _method, _pairs, _samples

pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings("ignore")]


def _names(text: str) -> list[str]:
    return text.split()


elementwise.OURS.torch, elementwise.THEIRS.torch = convgrad, torch


def _special(name: str, *more: Any, **kw: Any) -> Call:
    return lambda ns, *t: getattr(ns.torch.special, name)(*t, *more, **kw)


def _function(name: str, *more: Any) -> Call:
    return lambda ns, *t: getattr(ns.torch, name)(*t, *more)


def _after(x: Any, _: Any) -> Any:
    """x, whose memory was changed by way of its ``detach``."""
    return x


UNARY: dict[str, Call] = {
    name: _special(name)
    for name in _names("""
    airy_ai bessel_j0 bessel_j1 bessel_y0 bessel_y1 digamma entr erf erfc erfcx erfinv exp2 expit expm1 gammaln i0 i0e
    i1 i1e log1p log_ndtr logit modified_bessel_i0 modified_bessel_i1 modified_bessel_k0 modified_bessel_k1 ndtr
    ndtri psi round scaled_modified_bessel_k0 scaled_modified_bessel_k1 sinc spherical_bessel_j0
    """)
}
UNARY |= {
    "softmax": _special("softmax", -1), "log_softmax": _special("log_softmax", -1), "logsumexp": _special("logsumexp", -1),
    "multigammaln": lambda ns, x: ns.torch.special.multigammaln(x.abs() + 2, 3), "mvlgamma": _method("mvlgamma", 2),
    "mvlgamma1": _function("mvlgamma", 1), "mvlgamma0": _method("mvlgamma", 0), "polygamma": lambda ns, x: ns.torch.polygamma(1, x.abs()),
    "polygamma0": lambda ns, x: ns.torch.special.polygamma(0, x.abs()), "polygamma3": lambda ns, x: ns.torch.polygamma(3, x.abs()),
    "polygamma-": lambda ns, x: ns.torch.polygamma(-1, x), "round1": _special("round", decimals=1), "i0m": _method("i0"), "i0f": _function("i0"),
    "mantissa": lambda ns, x: ns.torch.frexp(x).mantissa, "exponent": lambda ns, x: x.frexp()[1],
    "xlog1py2": _special("xlog1py", 2.5), "2xlog1py": lambda ns, x: ns.torch.special.xlog1py(2, x), "xlogy2": _special("xlogy", 2),
    "zeta2": _special("zeta", 2.5), "2zeta": lambda ns, x: ns.torch.special.zeta(2.5, x.abs()), "logit_eps": _special("logit", 0.1),
    "legendre3": _special("legendre_polynomial_p", 3), "hermite": lambda ns, x: ns.torch.special.hermite_polynomial_he(0.7, x),
}  # fmt: skip
BINARY: dict[str, Call] = {
    name: _special(name)
    for name in _names("""
    chebyshev_polynomial_t chebyshev_polynomial_u chebyshev_polynomial_v chebyshev_polynomial_w gammainc gammaincc
    hermite_polynomial_h hermite_polynomial_he laguerre_polynomial_l legendre_polynomial_p
    shifted_chebyshev_polynomial_t shifted_chebyshev_polynomial_u shifted_chebyshev_polynomial_v
    shifted_chebyshev_polynomial_w xlog1py xlogy zeta
    """)
}
BINARY |= {name: _method(name) for name in _names("gcd heaviside igamma igammac lcm ldexp nextafter")}
BINARY |= {
    f"f.{name}": _function(name) for name in _names("gcd heaviside igamma igammac lcm ldexp nextafter")
}
BINARY |= {
    "igamma+": lambda ns, a, b: ns.torch.igamma(a.detach().abs() + 0.5, b.abs()),
    "igammac+": lambda ns, a, b: ns.torch.igammac(a.detach().abs() + 0.5, b.abs()),
    "zeta+": lambda ns, a, b: ns.torch.special.zeta(a.detach().abs() + 1.5, b.abs() + 0.1),
}
IN_PLACE: dict[str, Call] = {
    name: _method(name)
    for name in _names("""
    i0_ conj_physical_ logit_ acos_ acosh_ asinh_ atanh_ cosh_ log10_ sinc_ rad2deg_ erfinv_ lgamma_ arccos_ negative_
    """)
}
IN_PLACE |= {f"f.{name}": _function(name) for name in _names("acos_ tan_ log2_ i0_ logit_ frac_ trunc_ rsqrt_ selu_ celu_ sinh_")}  # fmt: skip
IN_PLACE |= {
    "logit_e": _method("logit_", 0.1), "mvlgamma_": _method("mvlgamma_", 1), "polygamma_": lambda ns, x: x.polygamma_(1),
    "copysign_": _method("copysign_", -1.0), "copysign_t": lambda ns, x: x.copysign_(-x.detach().clone()), "xlogy_": _method("xlogy_", 2.0),
    "xlogy_t": lambda ns, x: x.xlogy_(x.detach().clone()), "heaviside_": lambda ns, x: _after(x, x.detach().heaviside_(x.detach().clone())),
    "igamma_": lambda ns, x: _after(x, x.detach().igamma_(x.detach().clone())), "igammac_": lambda ns, x: _after(x, x.detach().igammac_(x.detach().abs())),
    "nextafter_": lambda ns, x: x.nextafter_(x.detach() + 1), "gcd_": lambda ns, x: x.gcd_(x.detach() * 2 + 1), "lcm_": lambda ns, x: x.lcm_(x.detach() + 1),
    "ldexp_": lambda ns, x: x.ldexp_(x.detach().clone()), "float_power_": _method("float_power_", 2), "float_power_t": lambda ns, x: x.float_power_(x.detach().clone()),
    "float_power_z": _method("float_power_", 2j), "threshold_": _function("threshold_", 0.5, 7.0), "rrelu_": _function("rrelu_"),
    "fill_diagonal_": _method("fill_diagonal_", 2), "map_": lambda ns, x: _after(x, x.detach().map_(x.detach().clone(), lambda a, b: a + b)),
    "apply_": lambda ns, x: _after(x, x.detach().apply_(lambda a: a)), "apply_g": lambda ns, x: x.apply_(lambda a: a),
    "igamma_wide": lambda ns, x: x.igamma_(ns.double(x.detach())), "xlogy_big": lambda ns, x: x.xlogy_(x.detach().unsqueeze(0).expand(2, *x.shape)),
    "heaviside_g": lambda ns, x: x.heaviside_(x.detach().clone()),
}  # fmt: skip

#: where convgrad departs: phrases of the differences that are meant
KNOWN: dict[str, tuple[str, ...]] = {
    # PyTorch's float64 values are good to 7 digits only: beyond 5, and beyond -2 for Airy's function
    **dict.fromkeys(
        ("airy_ai", "bessel_j0", "bessel_j1", "bessel_y0", "bessel_y1"), ("float64[", "[3, 2, 2]")
    ),
    "ndtr": ("names",),  # a product has one name here
    "sinc": ("float16",),  # PyTorch's gradient near 0 cancels in half precision
    "softmax": ("[0, 3]",),
    "log_softmax": ("[0, 3]",),  # empty integers
    "mvlgamma": ("float16",),
    "polygamma3": ("float16", "[16]"),  # PyTorch sums in half precision; infinity
    "ldexp": ("int64",),
    "f.ldexp": ("int64",),  # PyTorch's gradient takes the power in integers: 0 for 2^-1
    "nextafter": ("float64[6, 1]",),
    "f.nextafter": ("float64[6, 1]",),  # at infinity
    # PyTorch's polynomials of infinity and NaN
    **{
        f"{name}_polynomial_{kind}": ("[6, 1]",)
        for name, kinds in (
            ("chebyshev", "uw"),
            ("shifted_chebyshev", "uw"),
            ("laguerre", "l"),
            ("legendre", "p"),
        )
        for kind in kinds
    },
    # in place, PyTorch's nodes have another number than the function's, or that of a copy of slices
    **dict.fromkeys(
        _names("""
        conj_physical_ acosh_ asinh_ atanh_ f.selu_ f.celu_ threshold_ rrelu_ fill_diagonal_
        """),
        ("names",),
    ),
    "polygamma_": ("names", "[16]"),  # PyTorch's poles at negative integers are finite
}


@pytest.mark.parametrize("name", UNARY)
def test_unary(name: str) -> None:
    _check(UNARY[name], [(x,) for x in _samples(len(name))], KNOWN.get(name, ()))


@pytest.mark.parametrize("name", BINARY)
def test_binary(name: str) -> None:
    _check(BINARY[name], _pairs(len(name)), KNOWN.get(name, ()))


@pytest.mark.parametrize("name", IN_PLACE)
def test_in_place(name: str) -> None:
    _check(IN_PLACE[name], [(x,) for x in _samples(len(name))], KNOWN.get(name, ()), in_place=True)


@pytest.mark.parametrize("include", [True, False])
@pytest.mark.parametrize("reduce", ["prod", "mean", "amax", "amin", "sum"])
@pytest.mark.parametrize("dim", [0, 1, -1, 3])
def test_index_reduce(reduce: str, dim: int, include: bool) -> None:
    index = np.array([2, 0, 2, 1])
    rng = np.random.default_rng(4)
    for dtype in ("float64", "float32", "float16", "bfloat16", "int64", "uint8"):
        x, source = (elementwise._array(i, (4, 4), dtype) for i in (1, 2))
        if rng.random() < 0.5:
            x, source = x.T, source[::-1].copy()
        agree(
            lambda a, b: a.index_reduce(
                dim, a.new_tensor(index.tolist(), dtype=(torch if isinstance(a, torch.Tensor) else convgrad).int64),
                b, reduce, include_self=include,
            ),
            x.copy(), source,
        )  # fmt: skip


@pytest.mark.parametrize("wrap", [False, True])
@pytest.mark.parametrize(
    "shape", [(3, 3), (5, 3), (7, 2), (2, 5), (3, 3, 3), (2, 2, 2, 2), (1, 4), (0, 3), (3,), (2, 3, 2)]
)
def test_fill_diagonal(shape: tuple[int, ...], wrap: bool) -> None:
    for dtype in ("float64", "int64", "bool", "complex64"):
        x = elementwise._array(3, shape, dtype)
        agree(lambda a: (a * 1).fill_diagonal_(1, wrap), x, name=False)
