"""Elementwise operators beside PyTorch: values, shapes, dtypes, gradients, node names, who refuses what."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import torch
import torch.nn.functional as TF

from convgrad.tensor import functions_activation, functions_elementwise
from convgrad.tensor.tensor import Tensor

pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings("ignore")]

OURS = types.SimpleNamespace(
    **{n: getattr(functions_activation, n) for n in functions_activation.__all__},
    **{f"t_{n}": getattr(functions_elementwise, n) for n in functions_elementwise.__all__},
)
THEIRS = types.SimpleNamespace(
    **{n: getattr(TF, n) for n in functions_activation.__all__},
    **{f"t_{n}": getattr(torch, n) for n in functions_elementwise.__all__ if hasattr(torch, n)},
)

OURS.double = lambda x: Tensor(x._data.astype(np.float64), None)
THEIRS.double = lambda x: x.double()

Call = Callable[..., Any]


def _method(name: str, *args: Any, **kw: Any) -> Call:
    return lambda ns, *t: getattr(t[0], name)(*t[1:], *args, **kw)


UNARY: dict[str, Call] = {
    name: _method(name)
    for name in [
        "neg",
        "absolute",
        "sign",
        "sgn",
        "square",
        "reciprocal",
        "sqrt",
        "rsqrt",
        "exp",
        "exp2",
        "expm1",
        "log",
        "log2",
        "log10",
        "log1p",
        "sin",
        "cos",
        "tan",
        "asin",
        "acos",
        "atan",
        "sinh",
        "cosh",
        "tanh",
        "asinh",
        "acosh",
        "atanh",
        "arcsin",
        "arctanh",
        "sigmoid",
        "erf",
        "erfc",
        "erfinv",
        "lgamma",
        "digamma",
        "sinc",
        "deg2rad",
        "rad2deg",
        "floor",
        "ceil",
        "trunc",
        "fix",
        "frac",
        "round",
        "relu",
        "angle",
        "abs",
        "nan_to_num",
        "isnan",
        "isinf",
        "isfinite",
        "isposinf",
        "isneginf",
        "signbit",
        "logical_not",
        "bitwise_not",
        "logit",
        "positive",
        "conj",
        "conj_physical",
        "isreal",
    ]
}
UNARY |= {f"F.{name}": (lambda ns, x, name=name: getattr(ns, name)(x)) for name in ["leaky_relu", "elu", "selu", "celu", "gelu", "silu", "softplus", "softsign", "hardtanh", "relu6", "hardswish", "hardsigmoid", "mish", "tanhshrink", "logsigmoid", "hardshrink", "softshrink"]}  # fmt: skip
UNARY |= {
    "pow2": lambda ns, x: x**2, "pow3": lambda ns, x: x**3, "pow-1": lambda ns, x: x**-1, "pow0": lambda ns, x: x**0,
    "pow.5": lambda ns, x: x**0.5, "pow-.5": lambda ns, x: x**-0.5, "pow2.5": lambda ns, x: x**2.5, "pow1": lambda ns, x: x**1,
    "rpow": lambda ns, x: 2**x, "rpow-": lambda ns, x: (-2) ** x, "rpow0": lambda ns, x: 0**x, "rpowf": lambda ns, x: 1.5**x,
    "powz": lambda ns, x: x ** (1 + 2j), "float_power": lambda ns, x: x.float_power(2),
    "add1": lambda ns, x: x + 1, "add1.5": lambda ns, x: x + 1.5, "addz": lambda ns, x: x + 1j, "addb": lambda ns, x: x + True,
    "add-300": lambda ns, x: x + 300, "rsub": lambda ns, x: 2 - x, "sub": lambda ns, x: x - 2, "mul": lambda ns, x: 3 * x,
    "mulf": lambda ns, x: x * 0.5, "div": lambda ns, x: x / 2, "rdiv": lambda ns, x: 2 / x, "floordiv": lambda ns, x: x // 2,
    "floordiv-": lambda ns, x: x // -1.5, "mod": lambda ns, x: x % 3, "mod-": lambda ns, x: x % -1.5, "rmod": lambda ns, x: 5 % (x + 7.5),
    "fmod": lambda ns, x: x.fmod(1.5), "fmod-": lambda ns, x: x.fmod(-2), "div_t": lambda ns, x: x.div(-2, rounding_mode="trunc"),
    "div_f": lambda ns, x: x.div(3, rounding_mode="floor"), "div_bad": lambda ns, x: x.div(3, rounding_mode="down"),
    "alpha": lambda ns, x: x.add(2, alpha=3), "alphaf": lambda ns, x: x.add(2, alpha=0.5), "salpha": lambda ns, x: x.sub(2, alpha=2),
    "rsubm": lambda ns, x: ns.t_sub(2, x), "and": lambda ns, x: x & 3, "or": lambda ns, x: 4 | x, "xor": lambda ns, x: x ^ 1,
    "shl": lambda ns, x: x << 2, "shr": lambda ns, x: x >> 1, "gt": lambda ns, x: x > 0, "le": lambda ns, x: x.le(1), "eq": lambda ns, x: x == 1,
    "ne": lambda ns, x: x.ne(1.5), "land": lambda ns, x: x.logical_and(x), "lxor": lambda ns, x: x.logical_xor(x), "lt": lambda ns, x: x > 1,
    "clamp": lambda ns, x: x.clamp(-1, 1), "clampf": lambda ns, x: x.clamp(-0.5, 1), "clamp_min": lambda ns, x: x.clamp_min(0),
    "clamp_max": lambda ns, x: x.clamp_max(0.5), "clampmin": lambda ns, x: x.clamp(min=0), "clip": lambda ns, x: x.clip(1, -1),
    "clampnone": lambda ns, x: x.clamp(), "round1": lambda ns, x: x.round(decimals=1), "round-1": lambda ns, x: x.round(decimals=-1),
    "fill": lambda ns, x: x.masked_fill(x > 0, 2.5), "where": lambda ns, x: ns.t_where(x > 0, x, 1), "wheref": lambda ns, x: ns.t_where(x > 0, 0.5, x),
    "where2": lambda ns, x: ns.t_where(x > 0, 0.5, 1), "softmax": lambda ns, x: x.softmax(-1), "softmax0": lambda ns, x: x.softmax(0),
    "log_softmax": lambda ns, x: x.log_softmax(-1), "softmin": lambda ns, x: ns.softmin(x, 0), "elu2": lambda ns, x: ns.elu(x, 0.7),
    "celu2": lambda ns, x: ns.celu(x, 0.7), "gelut": lambda ns, x: ns.gelu(x, approximate="tanh"), "softplus2": lambda ns, x: ns.softplus(x, 2, 1),
    "leaky": lambda ns, x: ns.leaky_relu(x, -0.3), "hardtanh2": lambda ns, x: ns.hardtanh(x, -0.5, 2.0), "threshold": lambda ns, x: ns.threshold(x, 0.1, 20.0),
    "lerp": lambda ns, x: x.lerp(x * 2, 0.3), "lerp7": lambda ns, x: x.lerp(x * 2, 0.7), "xlogy": lambda ns, x: x.xlogy(2.0), "rxlogy": lambda ns, x: ns.t_xlogy(0, x),
    "nan2": lambda ns, x: x.nan_to_num(1.0, 2.0, 3.0), "copysign": lambda ns, x: x.copysign(-1.0), "polygamma1": lambda ns, x: x.abs().polygamma(1),
    "isclose": lambda ns, x: x.isclose(x, equal_nan=True), "logit_eps": lambda ns, x: x.logit(1e-3), "glu": lambda ns, x: ns.glu(x), "abs_op": lambda ns, x: abs(x), "pos": lambda ns, x: +x,
    "inv": lambda ns, x: ~x, "selfmul": lambda ns, x: x * x + x, "real": lambda ns, x: x.real, "addcmul1": lambda ns, x: x.addcmul(x, x, value=2),
    "addcmulf": lambda ns, x: x.addcmul(x, x, value=0.5), "addcdiv1": lambda ns, x: x.addcdiv(x, x + 0.5, value=2),
}  # fmt: skip
BINARY: dict[str, Call] = {
    name: _method(name)
    for name in [
        "add",
        "sub",
        "mul",
        "div",
        "floor_divide",
        "remainder",
        "fmod",
        "pow",
        "atan2",
        "hypot",
        "logaddexp",
        "logaddexp2",
        "maximum",
        "minimum",
        "fmax",
        "fmin",
        "copysign",
        "xlogy",
        "eq",
        "ne",
        "lt",
        "le",
        "gt",
        "ge",
        "logical_and",
        "logical_or",
        "logical_xor",
        "bitwise_and",
        "bitwise_or",
        "bitwise_xor",
        "bitwise_left_shift",
        "bitwise_right_shift",
        "clamp",
        "clamp_min",
        "clamp_max",
        "subtract",
        "true_divide",
        "less",
        "greater_equal",
        "float_power",
    ]
}
BINARY |= {
    "div_t": lambda ns, a, b: a.div(b, rounding_mode="trunc"), "div_f": lambda ns, a, b: a.div(b, rounding_mode="floor"),
    "alpha": lambda ns, a, b: a.add(b, alpha=2), "salpha": lambda ns, a, b: a.sub(b, alpha=0.5), "where": lambda ns, a, b: ns.t_where(a > b, a, b),
    "where_m": lambda ns, a, b: a.where(b > 0, b), "clampmax": lambda ns, a, b: a.clamp(max=b), "clamp2": lambda ns, a, b: a.clamp(b, b + 1),
    "clampx": lambda ns, a, b: a.clamp(b + 1, b), "lerp": lambda ns, a, b: a.lerp(b, 0.25),
    "lerp_t": lambda ns, a, b: a.lerp(b, b), "addcmul": lambda ns, a, b: a.addcmul(b, b, value=0.5), "addcmul2": lambda ns, a, b: b.addcmul(a, b, value=2),
    "addcdiv": lambda ns, a, b: a.addcdiv(b, a + 7.5), "fill": lambda ns, a, b: a.masked_fill(b > 0, 1.0), "fill0": lambda ns, a, b: a.masked_fill(b > 0, b.sum()),
    "shift": lambda ns, a, b: a << b, "operators": lambda ns, a, b: (a + b) * (a - b) / (b * b + 1), "complex": lambda ns, a, b: ns.t_complex(a, b),
    "polar": lambda ns, a, b: ns.t_polar(a, b), "isclose": lambda ns, a, b: a.isclose(b), "prelu": lambda ns, a, b: ns.prelu(a, b), "rpow": lambda ns, a, b: ns.t_pow(a, b),
    "result_type": lambda ns, a, b: a + b if str(ns.t_result_type(a, b)) == str((a + b).dtype) else 1 / 0,
    "heaviside": lambda ns, a, b: a.detach().heaviside(b.detach()),
}  # fmt: skip
IN_PLACE: dict[str, Call] = {
    name: _method(name)
    for name in [
        "neg_",
        "abs_",
        "sign_",
        "sgn_",
        "square_",
        "reciprocal_",
        "sqrt_",
        "rsqrt_",
        "exp_",
        "exp2_",
        "expm1_",
        "log_",
        "log2_",
        "log1p_",
        "sin_",
        "cos_",
        "tan_",
        "asin_",
        "atan_",
        "sinh_",
        "tanh_",
        "sigmoid_",
        "erf_",
        "erfc_",
        "floor_",
        "ceil_",
        "trunc_",
        "frac_",
        "round_",
        "relu_",
        "nan_to_num_",
        "logical_not_",
        "bitwise_not_",
        "deg2rad_",
        "digamma_",
    ]
}
IN_PLACE |= {
    "add_": lambda ns, x: x.add_(1), "add_f": lambda ns, x: x.add_(1.5), "add_a": lambda ns, x: x.add_(2, alpha=3), "sub_a": lambda ns, x: x.sub_(x.detach().clone(), alpha=0.5),
    "mul_": lambda ns, x: x.mul_(2), "div_": lambda ns, x: x.div_(2), "div_r": lambda ns, x: x.div_(2, rounding_mode="floor"), "pow_": lambda ns, x: x.pow_(2),
    "pow_f": lambda ns, x: x.pow_(0.5), "pow_n": lambda ns, x: x.pow_(-1), "fmod_": lambda ns, x: x.fmod_(2), "remainder_": lambda ns, x: x.remainder_(2), "floor_divide_": lambda ns, x: x.floor_divide_(2),
    "clamp_": lambda ns, x: x.clamp_(-1, 1), "clamp_f": lambda ns, x: x.clamp_(min=-0.5), "clamp_min_": lambda ns, x: x.clamp_min_(0), "clamp_t": lambda ns, x: x.clamp_(max=x.detach().clone()),
    "fill_": lambda ns, x: x.masked_fill_(x > 0, 2.5), "lt_": lambda ns, x: x.lt_(1), "eq_": lambda ns, x: x.eq_(1), "and_": lambda ns, x: x.bitwise_and_(1), "land_": lambda ns, x: x.logical_and_(x.detach().clone()),
    "lerp_": lambda ns, x: x.lerp_(x.detach() * 2, 0.3), "addcmul_": lambda ns, x: x.addcmul_(x.detach().clone(), x.detach().clone(), value=2), "addcdiv_": lambda ns, x: x.addcdiv_(x.detach().clone(), x.detach() + 5),
    "atan2_": lambda ns, x: x.atan2_(x.detach().clone()), "hypot_": lambda ns, x: x.hypot_(x.detach().clone()), "iadd": lambda ns, x: x.__iadd__(2), "itruediv": lambda ns, x: x.__itruediv__(2), "ior": lambda ns, x: x.__ior__(2),
    "imod": lambda ns, x: x.__imod__(2), "ifloordiv": lambda ns, x: x.__ifloordiv__(2), "ipow": lambda ns, x: x.__ipow__(2), "ilshift": lambda ns, x: x.__ilshift__(1), "add_wide": lambda ns, x: x.add_(ns.double(x.detach())),
    "add_big": lambda ns, x: x.add_(x.detach().unsqueeze(0).expand(2, *x.shape)),
}  # fmt: skip

SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 3.0, -3.0, 6.0, np.inf, -np.inf, np.nan, 1.5, 2.5]
DTYPES = [
    "float32",
    "float64",
    "float16",
    "bfloat16",
    "int64",
    "int32",
    "uint8",
    "bool",
    "complex64",
    "complex128",
]


def _array(seed: int, shape: tuple[int, ...], dtype: str) -> Any:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=shape) * 1.5
    if dtype == "bool":
        return x > 0
    if dtype == "uint8":
        return (rng.integers(0, 6, shape)).astype(np.uint8)
    if dtype.startswith("int"):
        return np.asarray(rng.integers(-4, 5, shape)).astype(dtype)
    if dtype.startswith("complex"):
        return np.asarray(x + 1j * rng.normal(size=shape)).astype(dtype)
    return np.asarray(x).astype(ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype)


def _samples(seed: int) -> list[Any]:
    out = [_array(seed + i, shape, d) for d in DTYPES for i, shape in enumerate([(3, 4), (), (0, 3)])]
    out.append(_array(seed, (4, 3, 2), "float64").transpose(2, 0, 1)[:, ::2])
    out.append(np.array(SPECIAL, "float32"))
    out.append(np.array(SPECIAL))
    out.append(np.abs(_array(seed, (5,), "float64")) % 0.9 + 0.05)
    out.append(np.abs(_array(seed, (5,), "float64")) + 1.1)
    return out


def _pairs(seed: int) -> list[tuple[Any, Any]]:
    kinds = [(d, d) for d in DTYPES] + [("float32", "float64"), ("float32", "int64"), ("int64", "float32"), ("bfloat16", "float16"),
             ("int32", "uint8"), ("bool", "int64"), ("bool", "float32"), ("complex64", "float64"), ("float64", "complex64")]  # fmt: skip
    shapes = [((3, 4), (3, 4)), ((3, 1), (4,)), ((), (2, 3)), ((2, 3), ()), ((0, 3), (1, 3)), ((2, 3), (4,))]
    out = [
        (_array(seed + i, a, ka), _array(seed + i + 50, b, kb))
        for ka, kb in kinds
        for i, (a, b) in enumerate(shapes)
    ]
    grid = np.array([0.0, 1.0, -1.0, np.nan, np.inf, 2.5])
    out.append((grid[:, None].copy(), grid.copy()))
    return out


def _theirs(x: Any) -> torch.Tensor:
    x = np.array(x, order="K")
    if x.dtype == ml_dtypes.bfloat16:
        return (
            torch.from_numpy(x.view(np.int16).reshape(x.shape).copy()).view(torch.bfloat16).reshape(x.shape)
        )
    return torch.from_numpy(np.asarray(x))


def _numpy(t: Any) -> Any:
    if isinstance(t, torch.Tensor):
        t = t.detach().resolve_conj().resolve_neg()
        return t.float().numpy() if t.dtype == torch.bfloat16 else t.numpy(force=True)
    data = t._data
    return data.astype(np.float32) if data.dtype == ml_dtypes.bfloat16 else data


def _tolerance(dtype: str) -> float:
    if "bfloat16" in dtype:
        return 1.6e-2
    return 2e-3 if "float16" in dtype else 1e-4 if dtype in ("torch.float32", "torch.complex64") else 1e-9


def _attempt(call: Callable[[], Any]) -> tuple[Any, Exception | None]:
    try:
        return call(), None
    except (RuntimeError, TypeError, ValueError, IndexError, ZeroDivisionError) as error:
        return None, error


def _compare(call: Call, arrays: tuple[Any, ...], in_place: bool = False) -> str:
    """ "" if both agree, else what differs."""
    ours = [Tensor(np.array(a, order="K"), None) for a in arrays]
    theirs = [_theirs(a) for a in arrays]
    for o, t in zip(ours, theirs, strict=True):
        if o._data.dtype.kind in "fcV":
            o.requires_grad_()
            t.requires_grad_()
    used_o = [o * 1 if in_place and o.requires_grad else o for o in ours]
    used_t = [t * 1 if in_place and t.requires_grad else t for t in theirs]
    a, error_a = _attempt(lambda: call(OURS, *used_o))
    b, error_b = _attempt(lambda: call(THEIRS, *used_t))
    if error_b is not None or error_a is not None:
        if error_a is None or error_b is None:
            return f"errors: ours {error_a!r:.150}, theirs {error_b!r:.150}"
        return (
            "" if isinstance(error_a, type(error_b)) else f"error types: {error_a!r:.150}, {error_b!r:.150}"
        )
    if in_place and a is not used_o[0]:
        return "in place: another object"
    if str(a.dtype) != str(b.dtype) or tuple(a.shape) != tuple(b.shape):
        return f"kind: ours {a.dtype} {list(a.shape)}, theirs {b.dtype} {list(b.shape)}"
    tolerance = max([_tolerance(str(t.dtype)) for t in (b, *theirs)])
    if not np.allclose(_numpy(a), _numpy(b), tolerance, tolerance, equal_nan=True):
        return f"values: ours {_numpy(a)}, theirs {_numpy(b)}"
    if a.requires_grad != b.requires_grad:
        return f"requires_grad: ours {a.requires_grad}, theirs {b.requires_grad}"
    return _compare_gradients(a, b, ours, theirs, tolerance) if b.requires_grad else ""


def _compare_gradients(a: Any, b: Any, ours: list[Any], theirs: list[Any], tolerance: float) -> str:
    names = tuple(None if x.grad_fn is None else x.grad_fn.name() for x in (a, b))
    if names[0] != names[1]:
        return f"names: {names}"
    g = np.asarray(np.random.default_rng(1).normal(size=tuple(b.shape)))
    gt = torch.from_numpy(g).to(b.dtype)
    if _attempt(lambda: b.backward(gt))[1] is not None:
        return ""  # PyTorch cannot differentiate this one (a complex gradient for a bool operand, say)
    kind = a._data.dtype
    a.backward(Tensor(g.astype(kind), None))
    for o, t in zip(ours, theirs, strict=True):
        if (o.grad is None) != (t.grad is None):
            return f"grad: ours {o.grad}, theirs {t.grad}"
        if t.grad is not None:
            loose = max([tolerance, 1e-7, *[_tolerance(str(u.dtype)) for u in theirs]])
            loose *= 5 if loose > 1e-3 else 1
            x, y = _numpy(o.grad), _numpy(t.grad)
            if x.shape == y.shape == b.shape:  # beyond the domain, and at infinity, everyone does as he likes
                usual = np.isfinite(_numpy(b)) & np.isfinite(_numpy(t))
                x, y = np.where(usual, x, 0), np.where(usual, y, 0)
            if str(o.grad.dtype) != str(t.grad.dtype) or x.shape != y.shape:
                return f"grad kind: ours {o.grad.dtype} {x.shape}, theirs {t.grad.dtype} {y.shape}"
            if not np.allclose(x, y, loose, loose, equal_nan=True):
                return f"grad: ours {x}, theirs {y} at {_numpy(o)}"
    return ""


def _check(
    call: Call, samples: list[tuple[Any, ...]], allowed: tuple[str, ...], in_place: bool = False
) -> None:
    problems = []
    for arrays in samples:
        found = _compare(call, arrays, in_place)
        line = f"{[f'{a.dtype}{list(a.shape)}' for a in arrays]}: {found}"
        if found and not any(word in line for word in allowed):
            problems.append(line)
    assert not problems, f"{len(problems)} of {len(samples)}\n" + "\n".join(problems[:12])


#: where convgrad departs: phrases of the differences that are meant
KNOWN: dict[str, tuple[str, ...]] = {
    "sub": ("'bool[", "Subtraction"), "F.tanhshrink": ("Subtraction",), "operators": ("Subtraction",),  # bool - number
    "sinc": ("float16",),  # PyTorch's gradient near 0 cancels in half precision
    "nan_to_num": ("complex",), "nan2": ("complex",), "nan_to_num_": ("complex",),  # convgrad differentiates these
    "F.gelu": ("float32[16]",),  # gelu(inf) is inf, PyTorch's vectorised kernel gives nan
    "pow.5": ("float32[16]", "float64[16]"),  # the sign of the infinite slope at -0.0
    "rpow0": ("complex",),  # PyTorch: nan for every complex power of 0
    "powz": ("ComplexHalf",), "addz": ("complex32",), "complex": ("float16",),  # there is no complex32 here
    "rdiv": ("names",),  # PyTorch multiplies by the reciprocal, which rounds twice
    "glu": ("names", "bool"),
    "logit_eps": ("float16", "float64[16]"),  # PyTorch clamps in half precision
    "floor_divide": ("names",), "floordiv": ("names",), "floordiv-": ("names",), "rmod": ("names",),
    "floor_divide_": ("names",), "ifloordiv": ("names",),  # PyTorch: NotImplemented; here the gradient is 0
    "logaddexp": ("complex",),
    "copysign": ("float64[6, 1]",),  # at infinity
    "fill0": ("Autograd not support",),
    "rsubm": ("names",), "pow_f": ("[16]",), "land_": ("names",), "atan2_": ("float16[]",),
    "softmax": ("[0, 3]",), "softmax0": ("[0, 3]",), "log_softmax": ("[0, 3]",), "softmin": ("[0, 3]",),  # empty integers
    "polar": ("grad:", "float16"),  # PyTorch's gradient has the wrong sign at negative lengths
    "logical_not_": ("names",),  # PyTorch keeps the history of what was overwritten
}  # fmt: skip


@pytest.mark.parametrize("name", UNARY)
def test_unary(name: str) -> None:
    _check(UNARY[name], [(x,) for x in _samples(len(name))], KNOWN.get(name, ()))


@pytest.mark.parametrize("name", BINARY)
def test_binary(name: str) -> None:
    _check(BINARY[name], _pairs(len(name)), KNOWN.get(name, ()))


@pytest.mark.parametrize("name", IN_PLACE)
def test_in_place(name: str) -> None:
    _check(IN_PLACE[name], [(x,) for x in _samples(len(name))], KNOWN.get(name, ()), in_place=True)
