"""Functions that are constant in steps: rounding, signs, quotients, comparisons, logic and bits.

Their gradient is 0 wherever it exists; the classes for comparison, logic and bits are there for the
in-place methods, which must cut the history of what they overwrite.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..dtypes import Array, unsupported
from ..errors import ConvgradError
from ..kernels import table
from .elementwise import applied
from .formula import FEW, LARGE, Value, call, zeros_like
from .op import Elementwise, Ufunc


class Step(Elementwise):
    """A function of one operand that is constant between its jumps; integers stay as they are."""

    integers = True
    #: what PyTorch calls the kernel when it has none for bool
    kernel = ""

    @staticmethod
    def vjp_x(g: Value) -> Value:
        return zeros_like(g)


def _refuse(cls: type[Step], x: Array, kinds: str) -> None:
    if x.dtype.kind in kinds:
        if x.dtype.kind == "c":
            raise NotImplementedError(
                f"{cls.__name__.lower()} is not supported for complex inputs (dtype {x.dtype})"
            )
        raise unsupported(cls.kernel, x.dtype)


def _rounded(ufunc: np.ufunc, x: Array) -> Array:
    if x.dtype.kind in "iu":
        return x.copy()
    return np.asarray(ufunc(x) if x.size < LARGE else table.mapped(ufunc, x))


class Floor(Step):
    """The largest integer not above x."""

    kernel = "floor_vml_cpu"

    @classmethod
    def forward(cls, x: Array) -> tuple[Array, tuple[()]]:
        _refuse(cls, x, "bc")
        return _rounded(np.floor, x), ()


class Ceil(Step):
    """The smallest integer not below x."""

    kernel = "ceil_vml_cpu"

    @classmethod
    def forward(cls, x: Array) -> tuple[Array, tuple[()]]:
        _refuse(cls, x, "bc")
        return _rounded(np.ceil, x), ()


class Trunc(Step):
    """x without its fraction."""

    kernel = "trunc_vml_cpu"

    @classmethod
    def forward(cls, x: Array) -> tuple[Array, tuple[()]]:
        _refuse(cls, x, "bc")
        return _rounded(np.trunc, x), ()


class Round(Step):
    """The nearest integer; halves go to the even one."""

    kernel = "round_vml_cpu"

    @classmethod
    def forward(cls, x: Array) -> tuple[Array, tuple[()]]:
        _refuse(cls, x, "bc")
        return _rounded(np.rint, x), ()


class RoundDecimals(Step):
    """The nearest multiple of ``10 ** -decimals``."""

    backward_name = "RoundBackward1"
    kernel = "round_cpu"

    @classmethod
    def forward(cls, x: Array, decimals: int) -> tuple[Array, tuple[()]]:
        _refuse(cls, x, "biuc")
        scale = 10.0 ** abs(decimals)
        return (np.rint(x * scale) / scale if decimals >= 0 else np.rint(x / scale) * scale), ()


class Frac(Elementwise):
    """``x - trunc(x)``: the fraction with x's sign."""

    integers = True

    @staticmethod
    def forward(x: Array) -> tuple[Array, tuple[()]]:
        if x.dtype.kind in "biuc":
            raise unsupported("frac_cpu", x.dtype)
        return x - np.trunc(x), ()

    @staticmethod
    def vjp_x(g: Value) -> Value:
        return g


class Sign(Step):
    """-1, 0 or 1; 0 for NaN."""

    @classmethod
    def forward(cls, x: Array) -> tuple[Array, tuple[()]]:
        if x.dtype.kind == "c":
            raise NotImplementedError(
                "Unlike NumPy, torch.sign is not intended to support complex numbers. "
                "Please use torch.sgn instead."
            )
        if x.dtype.kind == "b":
            return x.copy(), ()
        return np.asarray(np.sign(x)) if x.dtype.kind in "iu" else table.sign(x), ()


class _Quotient(Ufunc):
    """Two operands, constant between its jumps."""

    @staticmethod
    def vjp_a(g: Value) -> Value:
        return zeros_like(g)

    @staticmethod
    def vjp_b(g: Value) -> Value:
        return zeros_like(g)


def _divisible(name: str, a: Any, b: Any) -> bool:
    """Whether the operands are integers, after refusing what integers and others cannot do."""
    kind = np.result_type(a, b).kind
    if kind in "bc":
        raise unsupported(name, np.result_type(a, b))
    if kind in "iu" and np.size(a) and np.any(np.equal(b, 0)):
        raise ConvgradError(f"ZeroDivisionError: {name} of integers by 0")
    return kind in "iu"


def _divided(ufunc: np.ufunc, a: Any, b: Any) -> Any:
    """What takes NumPy so long that a kernel is asked early."""
    return ufunc(a, b) if type(a) is not np.ndarray or a.size < FEW else table.arithmetic(ufunc, a, b)


class DivFloor(_Quotient):
    """``floor(a / b)``."""

    backward_name = "DivBackward2"

    @staticmethod
    def forward(a: Array, b: Array) -> tuple[Array, tuple[()]]:
        _divisible("div_floor_cpu", a, b)
        return _divided(np.floor_divide, a, b), ()


class FloorDivide(DivFloor):
    """``a // b``: the quotient rounded down."""

    backward_name = "FloorDivideBackward0"


class DivTrunc(_Quotient):
    """``trunc(a / b)``."""

    backward_name = "DivBackward2"

    @staticmethod
    def forward(a: Array, b: Array) -> tuple[Array, tuple[()]]:
        if not _divisible("div_trunc_cpu", a, b):
            return np.trunc(np.true_divide(a, b)), ()
        down = np.floor_divide(a, b)
        return down + ((down < 0) & (down * b != a)), ()


class Remainder(Ufunc):
    """``a - b floor(a / b)``: it has the sign of b."""

    backward_name = "RemainderBackward1"
    saves = ("a", "b")

    @staticmethod
    def forward(a: Array, b: Array) -> tuple[Array, tuple[Any, Any]]:
        _divisible("remainder_cpu", a, b)
        return _divided(np.remainder, a, b), (a, b)

    @staticmethod
    def vjp_a(g: Value, _a: Value, _b: Value) -> Value:
        return g

    @staticmethod
    def vjp_b(g: Value, a: Value, b: Value) -> Value:
        return -g * call(DivFloor, a, b)


class RemainderNumber(Remainder):
    """The remainder by a number (its node has another name in PyTorch)."""

    backward_name = "RemainderBackward0"


class Fmod(Ufunc):
    """``a - b trunc(a / b)``: it has the sign of a."""

    backward_name = "FmodBackward1"
    saves = ("a", "b")

    @staticmethod
    def forward(a: Array, b: Array) -> tuple[Array, tuple[Any, Any]]:
        _divisible("fmod_cpu", a, b)
        return applied(np.fmod, a, b), (a, b)

    @staticmethod
    def vjp_a(g: Value, _a: Value, _b: Value) -> Value:
        return g

    @staticmethod
    def vjp_b(g: Value, a: Value, b: Value) -> Value:
        return -g * call(DivTrunc, a, b)


class FmodNumber(Fmod):
    """fmod by a number (its node has another name in PyTorch)."""

    backward_name = "FmodBackward0"


class Relation(_Quotient):
    """A comparison, or a logical or bitwise operation: one NumPy ufunc."""

    @classmethod
    def forward(cls, a: Array, b: Array) -> tuple[Array, tuple[()]]:
        return cls.ufunc(a, b), ()


class Eq(Relation):
    """``a == b``."""

    ufunc = np.equal


class Ne(Relation):
    """``a != b``."""

    ufunc = np.not_equal


class Lt(Relation):
    """``a < b``."""

    ufunc = np.less


class Le(Relation):
    """``a <= b``."""

    ufunc = np.less_equal


class Gt(Relation):
    """``a > b``."""

    ufunc = np.greater


class Ge(Relation):
    """``a >= b``."""

    ufunc = np.greater_equal


class LogicalAnd(Relation):
    """Both are not zero."""

    ufunc = np.logical_and


class LogicalOr(Relation):
    """One is not zero."""

    ufunc = np.logical_or


class LogicalXor(Relation):
    """Exactly one is not zero."""

    ufunc = np.logical_xor


class LogicalNot(Step):
    """Where x is zero."""

    @classmethod
    def forward(cls, x: Array) -> tuple[Array, tuple[()]]:
        return np.logical_not(x), ()


class Bitwise(Relation):
    """An operation on the bits of integers, or on truth values."""

    kernel = ""
    kinds = "biu"

    @classmethod
    def forward(cls, a: Array, b: Array) -> tuple[Array, tuple[()]]:
        kind = np.result_type(a, b)
        if kind.kind not in cls.kinds:
            raise unsupported(cls.kernel, kind)
        return cls.ufunc(a, b), ()


class BitwiseAnd(Bitwise):
    """``a & b``."""

    kernel = "bitwise_and_cpu"
    ufunc = np.bitwise_and


class BitwiseOr(Bitwise):
    """``a | b``."""

    kernel = "bitwise_or_cpu"
    ufunc = np.bitwise_or


class BitwiseXor(Bitwise):
    """``a ^ b``."""

    kernel = "bitwise_xor_cpu"
    ufunc = np.bitwise_xor


class LeftShift(Bitwise):
    """``a << b``."""

    kernel = "lshift_cpu"
    kinds = "iu"
    ufunc = np.left_shift


class RightShift(Bitwise):
    """``a >> b``."""

    kernel = "rshift_cpu"
    kinds = "iu"
    ufunc = np.right_shift


class BitwiseNot(Step):
    """``~x``: every bit, or the truth value, inverted."""

    @classmethod
    def forward(cls, x: Array) -> tuple[Array, tuple[()]]:
        if x.dtype.kind not in "biu":
            raise unsupported("bitwise_not_cpu", x.dtype)
        return np.invert(x), ()


class NanToNum(Elementwise):
    """NaN and the infinities replaced by numbers; no gradient flows to what was replaced."""

    saves = ("finite",)
    integers = True

    @staticmethod
    def forward(x: Array, nan: float, posinf: float, neginf: float) -> tuple[Array, tuple[Any]]:
        if x.dtype.kind in "biu":
            return x.copy(), (None,)
        out = np.where(x != x, x.dtype.type(nan), x)
        out = np.where(x == math.inf, x.dtype.type(posinf), out)
        return np.where(x == -math.inf, x.dtype.type(neginf), out), (np.isfinite(x),)

    @staticmethod
    def vjp_x(g: Value, finite: Any) -> Value:
        return g * finite
