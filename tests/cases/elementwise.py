"""Elementwise operators: arithmetic, special functions, choosing, rounding, complex numbers, activations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.special as sp

from convgrad.errors import ConvgradError, ShapeError
from convgrad.ops import activation, rounding, select, special
from convgrad.ops import complex as cplx
from convgrad.ops import elementwise as ew
from convgrad.tensor import functions_activation as fa
from convgrad.tensor import functions_elementwise as fe
from convgrad.tensor.tensor import Tensor

from .case import Case, ErrorCase, values

CASES: list[Case] = []
ERRORS: list[ErrorCase] = []


def _tagged(*tags: str) -> frozenset[str]:
    return frozenset(tags)


def _unary(
    op: type,
    call: Callable[..., Any],
    reference: Callable[..., Any],
    low: float = -2.0,
    high: float = 2.0,
    **more: Any,
) -> None:
    """An ordinary, an empty, a 0-d, a strided and a mixed (int32 input) case of a function of one operand."""
    integers = more.pop("integers", True)
    seed = len(CASES)
    CASES.extend(
        [
            Case(op, "ordinary", call, (values(seed, 3, 4, low=low, high=high),), reference, **more),
            Case(op, "empty", call, (values(seed, 0, 3, low=low, high=high),), reference, tags=_tagged("empty"), **more),
            Case(op, "0d", call, (values(seed, low=low, high=high),), reference, tags=_tagged("0d"), **more),
            Case(
                op, "strided", call, (values(seed, 4, 6, low=low, high=high).T[::2],), reference,
                tags=_tagged("strided"), **more,
            ),
        ]
    )  # fmt: skip
    if integers:
        whole = np.arange(1, 4, dtype=np.int32)
        CASES.append(
            Case(
                op,
                "int32",
                call,
                (whole,),
                lambda x: reference(x.astype(np.float32)),
                tags=_tagged("mixed"),
                **more,
            )
        )


def _binary(
    op: type,
    call: Callable[..., Any],
    reference: Callable[..., Any],
    low: float = -2.0,
    high: float = 2.0,
    **more: Any,
) -> None:
    """The same and a broadcasting case of a function of two operands; mixed is float32 with float64."""
    mixed = more.pop("mixed", True)
    a, b = values(len(CASES), 3, 4, low=low, high=high), values(len(CASES) + 1, 3, 4, low=low, high=high)
    CASES.extend(
        [
            Case(op, "ordinary", call, (a, b), reference, **more),
            Case(
                op,
                "broadcast",
                call,
                (a[:, :1].copy(), b[0].copy()),
                reference,
                tags=_tagged("broadcast"),
                **more,
            ),
            Case(op, "empty", call, (a[:0], b[:1]), reference, tags=_tagged("empty", "broadcast"), **more),
            Case(
                op, "0d", call, (np.array(a[0, 0]), np.array(b[0, 1])), reference, tags=_tagged("0d"), **more
            ),
            Case(
                op, "strided", call, (a.T, np.asfortranarray(b).T), reference, tags=_tagged("strided"), **more
            ),
        ]
    )
    if mixed:
        more.setdefault("differentiable", (1,))
        CASES.append(
            Case(op, "mixed", call, (a.astype(np.float32), b), reference, tags=_tagged("mixed"), **more)
        )
    ERRORS.append(
        ErrorCase(
            f"{op.__name__}-shapes", lambda: call(Tensor(np.ones((2, 3)), None), Tensor(np.ones(4), None)), ShapeError,
            "must match the size of tensor b", op,
        )
    )  # fmt: skip


def _softplus(x: Any) -> Any:
    return np.logaddexp(x, 0)


_binary(ew.Add, lambda a, b: a + b, lambda a, b: a + b)
_binary(ew.AddScaled, lambda a, b: a.add(b, alpha=2.5), lambda a, b: a + 2.5 * b)
_binary(ew.Sub, lambda a, b: a - b, lambda a, b: a - b)
_binary(ew.SubScaled, lambda a, b: a.sub(b, alpha=2.5), lambda a, b: a - 2.5 * b)
_unary(ew.Rsub, lambda x: 2 - x, lambda x: 2 - x)
_binary(ew.Mul, lambda a, b: a * b, lambda a, b: a * b)
_binary(ew.Div, lambda a, b: a / b, lambda a, b: a / b)
_unary(ew.Neg, lambda x: -x, lambda x: -x)
for _p in (2, 3, -1, 0.5, -0.5, 2.5, 0, 1):
    CASES.append(
        Case(ew.Pow, f"p={_p}", lambda x, p=_p: x**p, (values(3, 5, low=0.3),), lambda x, p=_p: x**p)
    )
_unary(ew.Pow, lambda x: x**2, lambda x: x * x)
_binary(ew.PowTensor, lambda a, b: a**b, lambda a, b: np.exp(b * np.log(a)), low=0.3)
_unary(ew.PowBase, lambda x: 1.5**x, lambda x: np.exp(x * np.log(1.5)))
_binary(ew.Lerp, lambda a, b: a.lerp(b, 0.3), lambda a, b: 0.7 * a + 0.3 * b, mixed=False)
_binary(ew.Lerp, lambda a, b: a.lerp(b, 0.8), lambda a, b: 0.2 * a + 0.8 * b, mixed=False)
_binary(ew.LerpTensor, lambda a, b: a.lerp(b, b), lambda a, b: a + b * (b - a), mixed=False)
_binary(ew.Addcmul, lambda a, b: a.addcmul(b, a, value=0.5), lambda a, b: a + 0.5 * b * a)
_binary(ew.Addcdiv, lambda a, b: a.addcdiv(a, b, value=0.5), lambda a, b: a + 0.5 * a / b, low=0.3)
_unary(ew.Exp, lambda x: x.exp(), lambda x: np.e**x)
_unary(ew.Log, lambda x: x.log(), lambda x: np.log2(x) * np.log(2), low=0.3)
_binary(ew.Where, lambda a, b: fe.where(a > b, a, b), lambda a, b: np.maximum(a, b))
_binary(
    ew.Where,
    lambda a, b: a.where(b > 0, 1.5),
    lambda a, b: np.where(b > 0, a, 1.5),
    differentiable=(0,),
    mixed=False,
)

_unary(special.Sqrt, lambda x: x.sqrt(), lambda x: x**0.5, low=0.3)
_unary(special.Rsqrt, lambda x: x.rsqrt(), lambda x: x**-0.5, low=0.3)
_unary(special.Reciprocal, lambda x: x.reciprocal(), lambda x: x**-1.0)
_unary(special.Exp2, lambda x: x.exp2(), lambda x: 2.0**x)
_unary(special.Expm1, lambda x: x.expm1(), sp.expm1)
_unary(special.Log2, lambda x: x.log2(), lambda x: np.log(x) / np.log(2), low=0.3)
_unary(special.Log10, lambda x: x.log10(), lambda x: np.log(x) / np.log(10), low=0.3)
_unary(special.Log1p, lambda x: x.log1p(), sp.log1p, low=-0.8)
_unary(special.Sin, lambda x: x.sin(), lambda x: np.exp(1j * x).imag)
_unary(special.Cos, lambda x: x.cos(), lambda x: np.exp(1j * x).real)
_unary(special.Tan, lambda x: x.tan(), lambda x: np.sin(x) / np.cos(x), low=-1.2, high=1.2)
_unary(
    special.Asin,
    lambda x: x.asin(),
    lambda x: np.arctan2(x, np.sqrt(1 - x * x)),
    low=-0.9,
    high=0.9,
    integers=False,
)
_unary(
    special.Acos,
    lambda x: x.acos(),
    lambda x: np.arctan2(np.sqrt(1 - x * x), x),
    low=-0.9,
    high=0.9,
    integers=False,
)
_unary(special.Atan, lambda x: x.atan(), lambda x: np.arctan2(x, np.ones_like(x)))
_unary(special.Sinh, lambda x: x.sinh(), lambda x: (np.exp(x) - np.exp(-x)) / 2)
_unary(special.Cosh, lambda x: x.cosh(), lambda x: (np.exp(x) + np.exp(-x)) / 2)
_unary(special.Tanh, lambda x: x.tanh(), lambda x: np.sinh(x) / np.cosh(x))
_unary(special.Asinh, lambda x: x.asinh(), lambda x: np.log(x + np.sqrt(x * x + 1)))
_unary(special.Acosh, lambda x: x.acosh(), lambda x: np.log(x + np.sqrt(x * x - 1)), low=1.2, high=3.0)
_unary(
    special.Atanh,
    lambda x: x.atanh(),
    lambda x: np.log((1 + x) / (1 - x)) / 2,
    low=-0.9,
    high=0.9,
    integers=False,
)
_binary(special.Atan2, lambda a, b: a.atan2(b), lambda a, b: np.angle(b + 1j * a))
_binary(special.Hypot, lambda a, b: a.hypot(b), lambda a, b: np.sqrt(a * a + b * b))
_binary(special.LogAddExp, lambda a, b: a.logaddexp(b), lambda a, b: np.log(np.exp(a) + np.exp(b)))
_binary(special.LogAddExp2, lambda a, b: a.logaddexp2(b), lambda a, b: np.log2(2**a + 2**b))
_binary(special.XLogY, lambda a, b: a.xlogy(b), sp.xlogy, low=0.3)
_unary(special.XLogYFirst, lambda x: fe.xlogy(2.0, x), lambda x: 2 * np.log(x), low=0.3)
_unary(special.XLogYNumber, lambda x: x.xlogy(2.0), lambda x: x * np.log(2.0))
_unary(special.Sigmoid, lambda x: x.sigmoid(), sp.expit)
_unary(special.Logit, lambda x: x.logit(), sp.logit, low=0.1, high=0.9, integers=False)
_unary(special.Erf, lambda x: x.erf(), sp.erf)
_unary(special.Erfc, lambda x: x.erfc(), sp.erfc)
_unary(special.Erfinv, lambda x: x.erfinv(), sp.erfinv, low=-0.9, high=0.9, integers=False)
_unary(special.Lgamma, lambda x: x.lgamma(), sp.gammaln, low=0.3, high=4.0)
_unary(special.Digamma, lambda x: x.digamma(), sp.digamma, low=0.3, high=4.0)
_unary(special.Polygamma, lambda x: x.polygamma(2), lambda x: sp.polygamma(2, x), low=0.3, high=4.0)
_unary(special.Sinc, lambda x: x.sinc(), lambda x: np.sin(np.pi * x) / (np.pi * x), integers=False)
_unary(special.Deg2Rad, lambda x: x.deg2rad(), lambda x: x / 180 * np.pi)
_unary(special.Rad2Deg, lambda x: x.rad2deg(), lambda x: x * 180 / np.pi)

_binary(select.Maximum, lambda a, b: a.maximum(b), lambda a, b: np.where(a > b, a, b))
_binary(select.Minimum, lambda a, b: a.minimum(b), lambda a, b: np.where(a < b, a, b))
_binary(select.Fmax, lambda a, b: a.fmax(b), lambda a, b: np.where(a > b, a, b))
_binary(select.Fmin, lambda a, b: a.fmin(b), lambda a, b: np.where(a < b, a, b))
_unary(select.Clamp, lambda x: x.clamp(-0.5, 1), lambda x: np.clip(x, -0.5, 1))
_unary(select.ClampMin, lambda x: x.clamp_min(0.25), lambda x: np.where(x < 0.25, 0.25, x))
_unary(select.ClampMax, lambda x: x.clamp_max(0.25), lambda x: np.where(x > 0.25, 0.25, x))
_binary(select.ClampTensor, lambda a, b: a.clamp(b, b + 1), lambda a, b: np.clip(a, b, b + 1))
_binary(select.ClampMinTensor, lambda a, b: a.clamp_min(b), np.maximum)
_binary(select.ClampMaxTensor, lambda a, b: a.clamp_max(b), np.minimum)
_binary(select.MaskedFill, lambda a, b: a.masked_fill(b > 0, 1.5), lambda a, b: np.where(b > 0, 1.5, a), differentiable=(0,), mixed=False)  # fmt: skip
_binary(
    select.MaskedFillTensor, lambda a, b: a.masked_fill(b > 0, b.sum()), lambda a, b: np.where(b > 0, b.sum(), a), mixed=False
)  # fmt: skip
_binary(select.Copysign, lambda a, b: a.copysign(b), lambda a, b: np.abs(a) * np.sign(b))
_unary(select.CopysignNumber, lambda x: x.copysign(-1.0), lambda x: -np.abs(x))

for _op, _name, _reference in (
    (rounding.Floor, "floor", np.floor), (rounding.Ceil, "ceil", np.ceil), (rounding.Trunc, "trunc", np.trunc),
    (rounding.Round, "round", np.round), (rounding.Sign, "sign", np.sign),
):  # fmt: skip
    _unary(_op, lambda x, name=_name: getattr(x, name)(), _reference)
_unary(rounding.RoundDecimals, lambda x: x.round(decimals=1), lambda x: np.round(x, 1), integers=False)
_unary(rounding.Frac, lambda x: x.frac(), lambda x: np.modf(x)[0], integers=False)
_unary(rounding.NanToNum, lambda x: x.nan_to_num(), np.nan_to_num)
_binary(rounding.DivFloor, lambda a, b: a.div(b, rounding_mode="floor"), lambda a, b: np.floor(a / b))
_binary(rounding.DivTrunc, lambda a, b: a.div(b, rounding_mode="trunc"), lambda a, b: np.trunc(a / b))
_binary(rounding.FloorDivide, lambda a, b: a // b, lambda a, b: np.floor(a / b))
_binary(rounding.Remainder, lambda a, b: a % b, lambda a, b: a - b * np.floor(a / b))
_unary(rounding.RemainderNumber, lambda x: x % -0.7, lambda x: x + 0.7 * np.floor(x / -0.7), integers=False)
_binary(rounding.Fmod, lambda a, b: a.fmod(b), lambda a, b: a - b * np.trunc(a / b))
_unary(rounding.FmodNumber, lambda x: x.fmod(0.7), lambda x: x - 0.7 * np.trunc(x / 0.7), integers=False)
for _op, _name, _reference in (
    (rounding.Eq, "eq", np.equal), (rounding.Ne, "ne", np.not_equal), (rounding.Lt, "lt", np.less),
    (rounding.Le, "le", np.less_equal), (rounding.Gt, "gt", np.greater), (rounding.Ge, "ge", np.greater_equal),
    (rounding.LogicalAnd, "logical_and", np.logical_and), (rounding.LogicalOr, "logical_or", np.logical_or),
    (rounding.LogicalXor, "logical_xor", np.logical_xor),
):  # fmt: skip
    _binary(_op, lambda a, b, name=_name: getattr(a, name)(b), _reference, differentiable=())
_unary(rounding.LogicalNot, lambda x: x.logical_not(), np.logical_not, differentiable=())

_z = values(1, 3, 4) + 1j * values(2, 3, 4)


def _complex(op: type, call: Callable[..., Any], reference: Callable[..., Any]) -> None:
    CASES.append(Case(op, "complex", call, (_z,), reference))
    CASES.append(Case(op, "complex-0d", call, (np.array(_z[0, 0]),), reference, tags=_tagged("0d")))
    CASES.append(Case(op, "complex-empty", call, (_z[:0],), reference, tags=_tagged("empty")))
    CASES.append(Case(op, "complex-strided", call, (_z.T[::2],), reference, tags=_tagged("strided")))


_unary(cplx.Abs, lambda x: x.abs(), lambda x: np.where(x < 0, -x, x))
_unary(cplx.Sgn, lambda x: x.sgn(), np.sign)
_unary(cplx.Angle, lambda x: x.angle(), lambda x: np.where(x < 0, np.pi, 0).astype(x.dtype))
_complex(cplx.Abs, lambda z: z.abs(), lambda z: np.sqrt(z.real**2 + z.imag**2))
_complex(cplx.Sgn, lambda z: z.sgn(), lambda z: np.exp(1j * np.angle(z)))
_complex(cplx.Angle, lambda z: z.angle(), lambda z: np.arctan2(z.imag, z.real))
_complex(cplx.ConjPhysical, lambda z: z.conj_physical(), lambda z: z.real - 1j * z.imag)
_complex(ew.Conj, lambda z: z.conj(), lambda z: z.real - 1j * z.imag)
_complex(ew.Real, lambda z: z.real, lambda z: (z + z.conj()).real / 2)
_complex(ew.Imag, lambda z: z.imag, lambda z: (z - z.conj()).imag / 2)
_complex(cplx.ViewAsReal, fe.view_as_real, lambda z: np.stack([z.real, z.imag], -1))
_complex(special.Sin, lambda z: z.sin(), lambda z: (np.exp(1j * z) - np.exp(-1j * z)) / 2j)
_complex(special.Tanh, lambda z: z.tanh(), lambda z: np.sinh(z) / np.cosh(z))
_complex(special.Sqrt, lambda z: z.sqrt(), lambda z: np.exp(np.log(z) / 2))
_complex(ew.Pow, lambda z: z**2.5, lambda z: np.exp(np.log(z) * 2.5))
_complex(ew.Mul, lambda z: z * z, lambda z: z**2)
_complex(ew.Div, lambda z: 1 / z, lambda z: z.conj() / (z * z.conj()).real)
CASES.append(
    Case(
        cplx.ViewAsComplex,
        "ordinary",
        fe.view_as_complex,
        (values(1, 3, 2),),
        lambda x: x[..., 0] + 1j * x[..., 1],
    )
)
_binary(cplx.Complex, fe.complex, lambda a, b: a + 1j * b, mixed=False)
_binary(cplx.Polar, fe.polar, lambda a, b: a * (np.cos(b) + 1j * np.sin(b)), low=0.3, mixed=False)

_unary(activation.Relu, lambda x: x.relu(), lambda x: np.where(x > 0, x, 0))
_FLOATS: list[tuple[type, Callable[..., Any], Callable[..., Any]]] = [
    (activation.LeakyRelu, lambda x: fa.leaky_relu(x, 0.1), lambda x: np.where(x > 0, x, 0.1 * x)),
    (activation.Elu, lambda x: fa.elu(x, 0.7), lambda x: np.where(x > 0, x, 0.7 * np.expm1(x))),
    (activation.Elu, fa.selu, lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(x))),
    (activation.Celu, lambda x: fa.celu(x, 0.7), lambda x: np.where(x > 0, x, 0.7 * np.expm1(x / 0.7))),
    (activation.Gelu, fa.gelu, lambda x: x * sp.ndtr(x)),
    (activation.GeluTanh, lambda x: fa.gelu(x, "tanh"), lambda x: 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))),
    (activation.Silu, fa.silu, lambda x: x * sp.expit(x)),
    (activation.Softplus, lambda x: fa.softplus(x, 2.0, 1.5), lambda x: np.where(2 * x > 1.5, x, _softplus(2 * x) / 2)),
    (activation.LogSigmoid, fa.logsigmoid, lambda x: np.log(sp.expit(x))),
    (activation.Mish, fa.mish, lambda x: x * np.tanh(_softplus(x))),
    (activation.Hardtanh, fa.hardtanh, lambda x: np.clip(x, -1, 1)),
    (activation.Hardsigmoid, fa.hardsigmoid, lambda x: np.clip(x / 6 + 0.5, 0, 1)),
    (activation.Hardswish, fa.hardswish, lambda x: x * np.clip(x / 6 + 0.5, 0, 1)),
    (activation.Threshold, lambda x: fa.threshold(x, 0.2, 7.0), lambda x: np.where(x > 0.2, x, 7.0)),
    (activation.Hardshrink, fa.hardshrink, lambda x: np.where(np.abs(x) > 0.5, x, 0)),
    (activation.Softshrink, fa.softshrink, lambda x: np.sign(x) * np.maximum(np.abs(x) - 0.5, 0)),
    (activation.Softmax, lambda x: x.softmax(-1), lambda x: sp.softmax(x, -1) if x.size else x),
    (activation.LogSoftmax, lambda x: x.log_softmax(-1), lambda x: sp.log_softmax(x, -1) if x.size else x),
]  # fmt: skip
for _op, _call, _reference in _FLOATS:
    _unary(_op, _call, _reference, low=-4.0, high=4.0, integers=False)
_binary(
    activation.Prelu, lambda a, b: a.prelu(b.sum()), lambda a, b: np.where(a > 0, a, a * b.sum()), mixed=False
)

_binary(
    ew.Copy,
    lambda a, b: a.expand(np.broadcast_shapes(a.shape, b.shape)).clone().copy_(b),
    lambda a, b: np.broadcast_to(b.astype(a.dtype), np.broadcast_shapes(a.shape, b.shape)),
)
CASES.append(
    Case(
        select.MaskedFillTensor, "mixed", lambda a, b: a.masked_fill(a > 0, b),
        (values(1, 3, 4), np.array(0.7, np.float32)), lambda a, b: np.where(a > 0, b, a),
        differentiable=(0,), tags=_tagged("mixed"),
    )
)  # fmt: skip
CASES.append(
    Case(
        cplx.ViewAsComplex, "empty", fe.view_as_complex, (np.zeros((0, 2)),),
        lambda x: np.zeros(0, complex), tags=_tagged("empty"),
    )
)  # fmt: skip
for _op, _call, _reference in (
    (rounding.RemainderNumber, lambda x: x % -0.7, lambda x: x + 0.7 * np.floor(x / -0.7)),
    (rounding.FmodNumber, lambda x: x.fmod(0.7), lambda x: x - 0.7 * np.trunc(x / 0.7)),
):
    CASES.append(
        Case(_op, "int32", _call, (np.arange(1, 4, dtype=np.int32),), _reference, tags=_tagged("mixed"))
    )


def _digits(n: int) -> Any:
    """A NumPy function on the bits of a and b, one by one: bit k of the result is bit n of ``a + 2 b``."""
    return np.vectorize(
        lambda a, b: int("".join(str(n >> (int(x) + 2 * int(y)) & 1) for x, y in zip(f"{a & 255:08b}", f"{b & 255:08b}", strict=True)), 2)
    )  # fmt: skip


def _bits(n: int) -> Any:
    """The same as an int8, also for no elements."""

    def run(a: Any, b: Any) -> Any:
        a, b = np.broadcast_arrays(a, b)
        return (
            _digits(n)(a.astype(int), b.astype(int)).astype(np.uint8).view(np.int8)
            if a.size
            else np.zeros(a.shape)
        )

    return run


_I, _J = np.array([[3, -5, 12], [0, 7, -1]], np.int8), np.array([[6, 3, -2], [1, 0, 5]], np.int8)
_SHIFT = np.array([[1, 0, 2], [3, 1, 2]], np.int8)


def _whole(op: type, call: Callable[..., Any], reference: Callable[..., Any], a: Any, b: Any) -> None:
    """All kinds of cases of an operation on two tensors of integers; nothing to differentiate."""
    for name, xs in {
        "ordinary": (a, b), "broadcast": (a[:, :1], b[0]), "empty": (a[:0], b[:0]), "0d": (a[0, 0], b[0, 0]),
        "strided": (a.T[::2], b.T[::2]), "mixed": (a, b.astype(np.int64)),
    }.items():  # fmt: skip
        args = tuple([np.asarray(x) for x in xs])
        CASES.append(Case(op, name, call, args, reference, tags=_tagged(name) - {"ordinary"}))
    one = Tensor(np.array([1.0]), None)
    ERRORS.append(
        ErrorCase(f"{op.__name__}-float", lambda: call(one, one), NotImplementedError, "not implemented", op)
    )


_whole(rounding.BitwiseAnd, lambda a, b: a & b, _bits(0b1000), _I, _J)
_whole(rounding.BitwiseOr, lambda a, b: a | b, _bits(0b1110), _I, _J)
_whole(rounding.BitwiseXor, lambda a, b: a ^ b, _bits(0b0110), _I, _J)
_whole(rounding.LeftShift, lambda a, b: a << b, lambda a, b: a * 2.0**b, _I, _SHIFT)
_whole(rounding.RightShift, lambda a, b: a >> b, lambda a, b: np.floor(a / 2.0**b), _I, _SHIFT)
for _name, _x in {
    "ordinary": _I, "empty": _I[:0], "0d": np.array(5, np.int8), "strided": _I.T[::2],
}.items():  # fmt: skip
    CASES.append(
        Case(
            rounding.BitwiseNot,
            _name,
            lambda x: ~x,
            (_x,),
            lambda x: -1 - x,
            tags=_tagged(_name) - {"ordinary"},
        )
    )
CASES.append(Case(rounding.BitwiseNot, "bool", lambda x: ~x, (_I > 0,), lambda x: 1 - x))

_ints, _bools, _floats = (
    Tensor(np.array([1, -2, 0]), None), Tensor(np.array([True, False]), None), Tensor(np.array([1.0, 2.0]), None),
)  # fmt: skip
ERRORS = [e for e in ERRORS if e.op not in (activation.Prelu, select.MaskedFillTensor, ew.Copy)]
ERRORS += [
    ErrorCase("neg-bool", lambda: -_bools, ConvgradError, "Negation, the `-` operator, on a bool tensor", ew.Neg),
    ErrorCase("pos-bool", lambda: +_bools, ConvgradError, "The `+` operator, on a bool tensor"),
    ErrorCase("sub-bool", lambda: _bools.sub(_bools), ConvgradError, "Subtraction, the `-` operator", ew.Sub),
    ErrorCase("pow-negative", lambda: _ints**-1, ConvgradError, "Integers to negative integer powers", ew.Pow),
    ErrorCase("pow-bool", lambda: _bools**_bools, NotImplementedError, '"pow" not implemented', ew.PowTensor),
    ErrorCase("div-mode", lambda: _ints.div(2, rounding_mode="up"), ConvgradError, "rounding_mode to be one of", ew.Div),
    ErrorCase("floordiv-0", lambda: _ints // 0, ConvgradError, "ZeroDivisionError", rounding.FloorDivide),
    ErrorCase("remainder-0", lambda: _ints % _ints, ConvgradError, "ZeroDivisionError", rounding.Remainder),
    ErrorCase("copy_-shape", lambda: _floats.clone().copy_(_ints), ConvgradError, "must match the size of tensor b (3)", ew.Copy),
    ErrorCase("prelu-dtype", lambda: _floats.prelu(Tensor(np.ones(1, np.float32), None)), ConvgradError, "Type promoting not supported", activation.Prelu),
    ErrorCase("rsub-bool", lambda: 1 - _bools, ConvgradError, "Subtraction, the `-` operator", ew.Rsub),
    ErrorCase("power-of-number", lambda: True**_bools, NotImplementedError, '"pow" not implemented', ew.PowBase),
    ErrorCase("remainder-number", lambda: _ints % 0, ConvgradError, "ZeroDivisionError", rounding.RemainderNumber),
    ErrorCase("fmod-number", lambda: _ints.fmod(0), ConvgradError, "ZeroDivisionError", rounding.FmodNumber),
    ErrorCase("copysign-complex", lambda: Tensor(np.array([1j]), None).copysign(1.0), NotImplementedError, "copysign_cpu", select.CopysignNumber),
    ErrorCase("xlogy-complex", lambda: Tensor(np.array([1j]), None).xlogy(2.0), NotImplementedError, "xlogy_cpu", special.XLogYNumber),
    ErrorCase("xlogy-first-complex", lambda: fe.xlogy(2.0, Tensor(np.array([1j]), None)), NotImplementedError, "xlogy_cpu", special.XLogYFirst),
    ErrorCase("complex-dtype", lambda: fe.complex(_floats, Tensor(np.ones(2, np.float32), None)), ConvgradError, "Expected object of scalar type", cplx.Complex),
    ErrorCase("polar-int", lambda: fe.polar(_ints, _ints), ConvgradError, "Expected both inputs to be", cplx.Polar),
    ErrorCase("add-str", lambda: _ints.add("a"), TypeError, "argument 'other' must be Tensor", ew.Add),
    ErrorCase("add-none", lambda: _ints + None, TypeError, "unsupported operand", ew.Add),
    ErrorCase("alpha", lambda: _ints.add(1, alpha=1.5), ConvgradError, "alpha must not be a floating point", ew.AddScaled),
    ErrorCase("iadd-float", lambda: _ints.add_(1.5), ConvgradError, "can't be cast to the desired output type", ew.Add),
    ErrorCase("exp_-int", lambda: _ints.exp_(), ConvgradError, "can't be cast to the desired output type", ew.Exp),
    ErrorCase("add_-shape", lambda: _floats.add_(Tensor(np.ones((3, 2)), None)), ShapeError, "doesn't match the broadcast shape"),
    ErrorCase("maximum-number", lambda: _floats.maximum(1.0), TypeError, "must be Tensor, not float", select.Maximum),
    ErrorCase("clamp-none", lambda: _floats.clamp(), ConvgradError, "At least one of 'min' or 'max'", select.Clamp),
    ErrorCase("where-int", lambda: fe.where(_ints, 1, 2), ConvgradError, "expected condition to be a boolean", ew.Where),
    ErrorCase("masked_fill", lambda: _floats.masked_fill(_floats, 1), ConvgradError, "only supports boolean masks", select.MaskedFill),
    ErrorCase("masked_fill-1d", lambda: _floats.masked_fill(_bools, _floats), ConvgradError, "0-dimensional value", select.MaskedFillTensor),
    ErrorCase("lerp-dtype", lambda: _floats.lerp(_ints, 0.5), ConvgradError, "for `end` but got dtype", ew.Lerp),
    ErrorCase("lerp-weight-dtype", lambda: _floats.lerp(_floats, Tensor(np.ones(2, np.float32), None)), ConvgradError, "for `weight` but got dtype", ew.LerpTensor),
    ErrorCase("addcdiv-int", lambda: _ints.addcdiv(_ints, _ints), ConvgradError, "Integer division with addcdiv", ew.Addcdiv),
    ErrorCase("invert-float", lambda: ~_floats, TypeError, "only implemented on integer and Boolean"),
    ErrorCase("and-float", lambda: _floats & 1, NotImplementedError, "bitwise_and_cpu", rounding.BitwiseAnd),
    ErrorCase("isclose", lambda: _floats.isclose(_ints), ConvgradError, "did not match"),
    ErrorCase("imag-real", lambda: _floats.imag, ConvgradError, "imag is not implemented", ew.Imag),
    ErrorCase("softmax-int", lambda: _ints.softmax(0), NotImplementedError, "softmax_kernel_impl", activation.Softmax),
    ErrorCase("softmax-dim", lambda: _floats.softmax(3), IndexError, "Dimension out of range", activation.Softmax),
    ErrorCase("gelu", lambda: fa.gelu(_floats, "exact"), ConvgradError, "approximate argument must be", activation.Gelu),
    ErrorCase("relu-bool", lambda: _bools.relu(), ConvgradError, "Boolean inputs not supported", activation.Relu),
    ErrorCase("hardtanh", lambda: fa.hardtanh(_floats, 1, 0), ValueError, "min_val cannot be greater", activation.Hardtanh),
    ErrorCase("erf-complex", lambda: Tensor(np.array([1j]), None).erf(), NotImplementedError, "erf_vml_cpu", special.Erf),
    ErrorCase("view_as_complex", lambda: fe.view_as_complex(Tensor(np.ones(3), None)), ConvgradError, "last dimension of size 2", cplx.ViewAsComplex),
]  # fmt: skip
