"""Write native/elementary_fits.hpp: the polynomials of the elementwise functions.

    python native/elementary_fits.py > native/elementary_fits.hpp

Each interpolates its function at Chebyshev's nodes of its interval, in 100 decimal digits, and is rounded
once at the end: within a factor of two of the best polynomial of that degree (Trefethen, Approximation
Theory and Approximation Practice, 2013, chapter 16). The comment above each gives its largest error, from
the rounded coefficients; a unit in the last place is 1.2e-07 for float, 2.2e-16 for double.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal, getcontext

import numpy as np

getcontext().prec = 100
PI = Decimal("3.14159265358979323846264338327950288419716939937510582097494459230781640628620899862803")

Function = Callable[[Decimal], Decimal]


def exp_rest(r: Decimal) -> Decimal:
    """(e^r - 1 - r) / r²"""
    return (r.exp() - 1 - r) / (r * r)


def artanh_rest(z: Decimal) -> Decimal:
    """(2 artanh(s) - 2 s) / s³ with s² = z"""
    s = z.sqrt()
    return (((1 + s) / (1 - s)).ln() - 2 * s) / (z * s)


def erf_rest(z: Decimal) -> Decimal:
    """erf(a) / a - 1 with a² = z, by its series (DLMF 7.6.1)"""
    total, term = Decimal(0), Decimal(1)
    for k in range(200):
        total += term / (2 * k + 1)
        term *= -z / (k + 1)
    return 2 / PI.sqrt() * total - 1


def scaled_tail(a: Decimal) -> Decimal:
    """P(X > a) e^(a²/2) of a standard normal X: Laplace's continued fraction, near 0 by the series of erf"""
    if a < 1:
        half = a * a / 2
        return (1 - (erf_rest(half) + 1) * half.sqrt()) / 2 * half.exp()
    fraction = a
    for k in range(4000, 0, -1):
        fraction = a + k / fraction
    return 1 / (fraction * (2 * PI).sqrt())


def tail_rest(place: Decimal) -> Function:
    """``scaled_tail`` over t = place / (place + a), as a function of 2 t - 1"""

    def function(v: Decimal) -> Decimal:
        """P(X > a) e^(a²/2) / t, as a function of 2 t - 1"""
        t = (v + 1) / 2
        return scaled_tail(place * (1 - t) / t) / t

    return function


def inverse(function: Function) -> Function:
    """Its reciprocal, which makes errors relative."""
    return lambda x: 1 / function(x)


def fit(function: Function, low: float, high: float, terms: int) -> list[Decimal]:
    """Coefficients, lowest power first, of the interpolating polynomial (Newton's divided differences)."""
    middle, half = Decimal(low + high) / 2, Decimal(high - low) / 2
    nodes = [middle + half * Decimal(math.cos(math.pi * (k + 0.5) / terms)) for k in range(terms)]
    differences = [function(x) for x in nodes]
    for level in range(1, terms):
        for k in range(terms - 1, level - 1, -1):
            differences[k] = (differences[k] - differences[k - 1]) / (nodes[k] - nodes[k - level])
    coefficients = [differences[-1]]
    for k in range(terms - 2, -1, -1):
        shifted = [Decimal(0), *coefficients]
        coefficients = [s - nodes[k] * c for s, c in zip(shifted, [*coefficients, Decimal(0)], strict=True)]
        coefficients[0] += differences[k]
    return coefficients


def largest_error(function: Function, rounded: list[Decimal], low: float, high: float, of: Function) -> float:
    """The largest difference, over what it enters: ``of`` says how much of the result one unit of it is."""
    worst = Decimal(0)
    for k in range(200):
        x = Decimal(low) + Decimal(high - low) * (2 * k + 1) / 400
        value = sum([c * x**i for i, c in enumerate(rounded)], Decimal(0))
        worst = max(worst, abs(value - function(x)) * of(x))
    return float(worst)


#: name: function, the ends of its interval, terms for float and double, what an error in it weighs
LN2_HALF = math.log(2.0) / 2.0
FITS: dict[str, tuple[Function, float, float, tuple[int, int], Function]] = {
    "Exp": (exp_rest, -LN2_HALF, LN2_HALF, (5, 11), lambda r: r * r),
    "Artanh": (artanh_rest, 0.0, (3.0 - 2.0 * math.sqrt(2.0)) ** 2, (3, 7), lambda z: z / 2),
    "ArtanhWide": (artanh_rest, 0.0, 1.0 / 9.0, (5, 11), lambda z: z / 2),
    "Erf": (erf_rest, 0.0, 0.5625, (6, 11), lambda _z: Decimal("0.9")),
}
#: of the normal distribution's tail: place, largest a and terms
TAILS = ((4.0, 16.0, 11), (4.0, 40.0, 24))


HEAD = """// elementary_fits.hpp - polynomials of elementary.hpp and its kin, highest power first.
#pragma once

#include "simd.hpp"

namespace convgrad::CONVGRAD_ISA {

template <typename T>
struct Fits;
"""


def array(
    kind: str, name: str, function: Function, ends: tuple[float, float], terms: int, of: Function
) -> str:
    """The line of one polynomial."""
    single = kind == "float"
    rounded = [float(np.float32(c)) if single else float(c) for c in fit(function, *ends, terms)]
    error = largest_error(function, [Decimal(c) for c in rounded], *ends, of)
    words = [f"{c:.9g}f" if single else f"{c:.17g}" for c in reversed(rounded)]
    numbers = ", ".join([word if "." in word or "e" in word else word.replace("f", ".0f") for word in words])
    return f"  // {function.__doc__}, to {error:.1e}\n  static constexpr {kind} k{name}[] = {{{numbers}}};"


def main() -> None:
    """Print the header."""
    print(HEAD, end="")
    for i, kind in enumerate(("float", "double")):
        print(f"template <>\nstruct Fits<{kind}> {{")
        for name, (function, low, high, terms, of) in FITS.items():
            print(array(kind, name, function, (low, high), terms[i], of))
        place, furthest, count = TAILS[i]
        rest = tail_rest(Decimal(place))
        ends = (2.0 * place / (place + furthest) - 1.0, 1.0)
        print(f"  static constexpr double kTailPlace = {place};")
        print(array(kind, "Tail", rest, ends, count, inverse(rest)))
        print("};")
    print("\n}  // namespace convgrad::CONVGRAD_ISA")


if __name__ == "__main__":
    main()
