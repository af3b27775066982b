"""Arithmetic methods: operators, their in-place and named forms, comparison, logic and bits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...dtypes import HALVES, complex128, float64, unsupported
from ...errors import ConvgradError
from ...graph.node import cell_of
from ...kernels import table
from ...ops import elementwise as ew
from ...ops import rounding
from ...ops.formula import LARGE
from ...ops.op import Op, Ufunc
from .base import NUMBERS, Methods, documented_by
from .operands import check_alpha, check_operand, check_tensor, common_dtype, operands, plain_target, run

Method = Callable[[Any, Any], Any]

_ROUNDED: dict[Any, type[Op]] = {"floor": rounding.DivFloor, "trunc": rounding.DivTrunc}


#: comparisons that complex numbers have not, and PyTorch's names of their kernels
_ORDERED = {np.less: "lt_cpu", np.less_equal: "le_cpu", np.greater: "gt_cpu", np.greater_equal: "ge_cpu"}


def _check_order(ufunc: Any, a: Any, b: Any) -> None:
    kind = common_dtype(a, b)
    if kind.is_complex:
        raise unsupported(_ORDERED[ufunc], kind.np)


def _named(method: Callable[..., Any], name: str, op: type[Op], note: str = "") -> Any:
    method.__name__ = name
    method.__qualname__ = f"Tensor.{name}"
    method.__doc__ = (op.__doc__ or "") + note
    return method


def _in_place(op: type[Ufunc], name: str) -> Method:
    """An in-place arithmetic method; unrecorded floats of one dtype are one ufunc call on the spot."""
    ufunc = op.ufunc

    def method(self: Any, other: Any) -> Any:
        if plain_target(self, other):
            data = self._data
            try:
                value = other._data if hasattr(other, "_data") else other
                if data.size < LARGE:
                    ufunc(data, value, data)
                else:
                    table.arithmetic(ufunc, data, value, data)
            except ValueError:  # shapes: nothing has been written yet; the long way says what is wrong
                return self._inplace(name, op, (other,))
            (self._cell or cell_of(self)).bump(name)
            return self
        check_operand(name, other)
        return self._inplace(name, op, (other,))

    return _named(method, name, op, " In place.")


def _compared(op: type[rounding.Relation], name: str) -> tuple[Method, Method]:
    """A comparison or logical method and its in-place form."""
    ufunc = op.ufunc
    check = check_tensor if name.startswith("logical") else check_operand

    def method(self: Any, other: Any) -> Any:
        check(name, other)
        if ufunc in _ORDERED:
            _check_order(ufunc, self, other)
        return self._compare(ufunc, other)

    def in_place(self: Any, other: Any) -> Any:
        check(name + "_", other)
        if ufunc in _ORDERED:
            _check_order(ufunc, self, other)
        return self._inplace(name + "_", op, (other,))

    return _named(method, name, op, " A bool tensor."), _named(in_place, name + "_", op, " In place.")


def _operator(ufunc: Any) -> Method:
    """A comparison operator: foreign types are left to Python."""

    def method(self: Any, other: Any) -> Any:
        if not hasattr(other, "_data") and not isinstance(other, NUMBERS):
            if type(other) is not np.ndarray:
                return NotImplemented
            other = self._wrap(other)
        if ufunc in _ORDERED:
            _check_order(ufunc, self, other)
        return self._compare(ufunc, other)

    return method


def _bits(op: type[rounding.Bitwise], name: str) -> tuple[Method, Method, Method, Method]:
    """The named method, its in-place form, the operator and the reflected operator."""

    def operator(self: Any, other: Any) -> Any:
        return self._binary(op, other)

    def reflected(self: Any, other: Any) -> Any:
        return self._binary(op, other, reflected=True)

    def method(self: Any, other: Any) -> Any:
        check_operand(name, other)
        return self._binary(op, other)

    def in_place(self: Any, other: Any) -> Any:
        check_operand(name + "_", other)
        return self._inplace(name + "_", op, (other,))

    return _named(method, name, op), _named(in_place, name + "_", op, " In place."), operator, reflected


class ArithmeticMethods(Methods):
    """``+ - * / **`` and their kin. The hottest of them are closures in ``tensor.py``."""

    __slots__ = ()

    # ``__add__ __radd__ __sub__ __mul__ __rmul__ __truediv__ __neg__`` stand in tensor.py.
    def __rsub__(self, other: Any) -> Any:
        _check_sub(self, other)
        return self._binary(ew.Rsub, other, reflected=True)

    def __rtruediv__(self, other: Any) -> Any:
        if not isinstance(other, NUMBERS):
            return NotImplemented
        x: Any = self
        return x.reciprocal() * other

    def __pow__(self, exponent: Any) -> Any:
        if hasattr(exponent, "_data"):
            return self._binary(ew.PowTensor, exponent)
        _check_exponent(self, exponent)
        return self._binary(ew.Pow, exponent)

    def __rpow__(self, base: Any) -> Any:
        return self._binary(ew.PowBase, base, reflected=True)

    def __floordiv__(self, other: Any) -> Any:
        return self._binary(rounding.FloorDivide, other)

    def __rfloordiv__(self, other: Any) -> Any:
        return self._binary(rounding.FloorDivide, other, reflected=True)

    def __mod__(self, other: Any) -> Any:
        return self._binary(
            rounding.Remainder if hasattr(other, "_data") else rounding.RemainderNumber, other
        )

    def __rmod__(self, other: Any) -> Any:
        return self._binary(rounding.Remainder, other, reflected=True)

    def __pos__(self) -> Any:
        return self.positive()

    def __abs__(self) -> Any:
        return self.abs()  # type: ignore[attr-defined]

    @documented_by(ew.Pow)
    def pow(self, exponent: Any) -> Any:
        check_operand("pow", exponent, "exponent")
        return self.__pow__(exponent)

    def pow_(self, exponent: Any) -> Any:
        """``pow`` in place."""
        check_operand("pow_", exponent, "exponent")
        _check_exponent(self, exponent)
        return self._inplace("pow_", ew.PowTensor if hasattr(exponent, "_data") else ew.Pow, (exponent,))

    def float_power(self, exponent: Any) -> Any:
        """``pow`` in float64 (or complex128), whatever the dtypes."""
        check_operand("float_power", exponent, "exponent")
        kind = complex128 if common_dtype(self, exponent).is_complex else float64
        x: Any = self
        return x.to(kind).pow(exponent.to(kind) if hasattr(exponent, "_data") else exponent)

    def positive(self) -> Any:
        """The tensor itself."""
        if self._data.dtype.kind == "b":
            raise ConvgradError("The `+` operator, on a bool tensor is not supported.")
        return self

    def add(self, other: Any, *, alpha: Any = 1) -> Any:
        """``self + alpha * other``."""
        check_operand("add", other)
        if type(alpha) is int and alpha == 1:
            return self + other
        return self._scaled(ew.AddScaled, other, alpha)

    def sub(self, other: Any, *, alpha: Any = 1) -> Any:
        """``self - alpha * other``."""
        check_operand("sub", other)
        _check_sub(self, other)
        if type(alpha) is int and alpha == 1:
            return self - other
        return self._scaled(ew.SubScaled, other, alpha)

    def rsub(self, other: Any, *, alpha: Any = 1) -> Any:
        """``other - alpha * self``."""
        x: Any = self
        return other - (x if alpha == 1 else x * alpha)

    def _scaled(self, op: type[Op], other: Any, alpha: Any) -> Any:
        common = common_dtype(self, other)
        check_alpha(common, alpha)
        return run(op, operands(self, other), (_rounded_alpha(common, alpha),))

    def add_(self, other: Any, *, alpha: Any = 1) -> Any:
        """``self + alpha * other`` in place."""
        if type(alpha) is int and alpha == 1:
            return self.__iadd__(other)
        return self._scaled_("add_", ew.Add, other, alpha)

    def sub_(self, other: Any, *, alpha: Any = 1) -> Any:
        """``self - alpha * other`` in place."""
        check_operand("sub_", other)
        _check_sub(self, other)
        if type(alpha) is int and alpha == 1:
            return self.__isub__(other)
        return self._scaled_("sub_", ew.Sub, other, alpha)

    def _scaled_(self, name: str, op: type[Ufunc], other: Any, alpha: Any) -> Any:
        check_operand(name, other)
        if plain_target(self, other, alpha):
            data = self._data
            try:
                _add_scaled_to(data, other, alpha if op is ew.Add else -alpha)
            except ValueError:
                return self._inplace(name, op, (other,))
            (self._cell or cell_of(self)).bump(name)
            return self
        common = common_dtype(self, other)
        check_alpha(common, alpha)
        alpha = _rounded_alpha(common, alpha)
        first, second = operands(self, other)
        if first is not self:  # a wider dtype: the sum is taken in it, and must fit back
            return self._inplace(name, op, (other * alpha,))
        return self._inplace(name, ew.AddScaled if op is ew.Add else ew.SubScaled, (second,), (alpha,))

    def mul(self, other: Any) -> Any:
        """``self * other``."""
        check_operand("mul", other)
        return self * other

    def div(self, other: Any, *, rounding_mode: Any = None) -> Any:
        """``self / other``; ``rounding_mode`` "floor" or "trunc" rounds the quotient and keeps integers."""
        check_operand("div", other)
        if rounding_mode is None:
            return self / other
        return self._binary(_rounded(rounding_mode), other)

    def div_(self, other: Any, *, rounding_mode: Any = None) -> Any:
        """``div`` in place."""
        if rounding_mode is None:
            return self.__itruediv__(other)
        check_operand("div_", other)
        return self._inplace("div_", _rounded(rounding_mode), (other,))

    __iadd__ = _in_place(ew.Add, "add_")
    __isub__ = _in_place(ew.Sub, "sub_")
    __imul__ = mul_ = _in_place(ew.Mul, "mul_")
    __itruediv__ = _in_place(ew.Div, "div_")

    def __ipow__(self, exponent: Any) -> Any:
        return self.pow_(exponent)

    def neg(self) -> Any:
        """``-self``."""
        return -self  # type: ignore[operator]

    def neg_(self) -> Any:
        """``neg`` in place."""
        return self._inplace("neg_", ew.Neg, ())

    def floor_divide(self, other: Any) -> Any:
        """The quotient rounded down; integers stay integers."""
        check_operand("floor_divide", other)
        return self // other

    def floor_divide_(self, other: Any) -> Any:
        """``floor_divide`` in place."""
        check_operand("floor_divide_", other)
        return self._inplace("floor_divide_", rounding.FloorDivide, (other,))

    def remainder(self, other: Any) -> Any:
        """``self - other floor(self / other)``: the remainder with the sign of ``other``."""
        check_operand("remainder", other)
        return self % other

    def remainder_(self, other: Any) -> Any:
        """``remainder`` in place."""
        check_operand("remainder_", other)
        op = rounding.Remainder if hasattr(other, "_data") else rounding.RemainderNumber
        return self._inplace("remainder_", op, (other,))

    def fmod(self, other: Any) -> Any:
        """The remainder with the sign of ``self``, as C's fmod."""
        check_operand("fmod", other)
        return self._binary(rounding.Fmod if hasattr(other, "_data") else rounding.FmodNumber, other)

    def fmod_(self, other: Any) -> Any:
        """``fmod`` in place."""
        check_operand("fmod_", other)
        return self._inplace(
            "fmod_", rounding.Fmod if hasattr(other, "_data") else rounding.FmodNumber, (other,)
        )

    __ifloordiv__, __imod__ = floor_divide_, remainder_
    subtract, subtract_, multiply, multiply_ = sub, sub_, mul, mul_
    divide, divide_, negative, negative_ = div, div_, neg, neg_

    def true_divide(self, other: Any) -> Any:
        """``self / other``."""
        return self.div(other)

    def true_divide_(self, other: Any) -> Any:
        """``true_divide`` in place."""
        return self.div_(other)

    __gt__, __lt__ = _operator(np.greater), _operator(np.less)
    __ge__, __le__ = _operator(np.greater_equal), _operator(np.less_equal)
    __eq__, __ne__ = _operator(np.equal), _operator(np.not_equal)

    def __hash__(self) -> int:
        return id(self)

    eq, eq_ = _compared(rounding.Eq, "eq")
    ne, ne_ = _compared(rounding.Ne, "ne")
    lt, lt_ = _compared(rounding.Lt, "lt")
    le, le_ = _compared(rounding.Le, "le")
    gt, gt_ = _compared(rounding.Gt, "gt")
    ge, ge_ = _compared(rounding.Ge, "ge")
    not_equal, not_equal_, less, less_, less_equal, less_equal_ = ne, ne_, lt, lt_, le, le_
    greater, greater_, greater_equal, greater_equal_ = gt, gt_, ge, ge_
    logical_and, logical_and_ = _compared(rounding.LogicalAnd, "logical_and")
    logical_or, logical_or_ = _compared(rounding.LogicalOr, "logical_or")
    logical_xor, logical_xor_ = _compared(rounding.LogicalXor, "logical_xor")

    def logical_not(self) -> Any:
        """Where the tensor is zero; a bool tensor."""
        return self._wrap(np.logical_not(self._data))

    def logical_not_(self) -> Any:
        """``logical_not`` in place."""
        return self._inplace("logical_not_", rounding.LogicalNot, ())

    bitwise_and, bitwise_and_, __and__, __rand__ = _bits(rounding.BitwiseAnd, "bitwise_and")
    bitwise_or, bitwise_or_, __or__, __ror__ = _bits(rounding.BitwiseOr, "bitwise_or")
    bitwise_xor, bitwise_xor_, __xor__, __rxor__ = _bits(rounding.BitwiseXor, "bitwise_xor")
    bitwise_left_shift, bitwise_left_shift_, __lshift__, __rlshift__ = _bits(
        rounding.LeftShift, "bitwise_left_shift"
    )
    bitwise_right_shift, bitwise_right_shift_, __rshift__, __rrshift__ = _bits(
        rounding.RightShift, "bitwise_right_shift"
    )
    __iand__, __ior__, __ixor__ = bitwise_and_, bitwise_or_, bitwise_xor_
    __ilshift__, __irshift__ = bitwise_left_shift_, bitwise_right_shift_

    def bitwise_not(self) -> Any:
        """``~self``: every bit of integers, or the truth value, inverted."""
        return self._apply(rounding.BitwiseNot, (self,))

    def bitwise_not_(self) -> Any:
        """``bitwise_not`` in place."""
        return self._inplace("bitwise_not_", rounding.BitwiseNot, ())

    def __invert__(self) -> Any:
        if self._data.dtype.kind not in "biu":
            raise TypeError("~ (operator.invert) is only implemented on integer and Boolean-type tensors")
        return self.bitwise_not()


def _add_scaled_to(data: Any, other: Any, alpha: float) -> None:
    """``data += alpha other``, for a tensor or a number."""
    if not hasattr(other, "_data"):
        np.add(data, other * alpha, data)
    elif data.size < LARGE:
        np.add(data, np.multiply(other._data, alpha), data)
    else:
        table.add_scaled(data, other._data, alpha, data)


def _check_sub(a: Any, b: Any) -> None:
    if (
        a._data.dtype.kind == "b"
        or isinstance(b, bool)
        or (hasattr(b, "_data") and b._data.dtype.kind == "b")
    ):
        raise ConvgradError(
            "Subtraction, the `-` operator, with a bool tensor is not supported. If you are trying to "
            "invert a mask, use the `~` or `logical_not()` operator instead."
        )


def _check_exponent(x: Any, exponent: Any) -> None:
    if isinstance(exponent, int) and exponent < 0 and x._data.dtype.kind in "iub":
        raise ConvgradError("Integers to negative integer powers are not allowed.")


def _rounded(mode: Any) -> type[Op]:
    try:
        return _ROUNDED[mode]
    except (KeyError, TypeError):
        raise ConvgradError(
            f"div expected rounding_mode to be one of None, 'trunc', or 'floor' but found {mode!r}"
        ) from None


def _rounded_alpha(common: Any, alpha: Any) -> Any:
    """Beside half precision PyTorch rounds ``alpha`` to it."""
    return float(common.np.type(alpha)) if common.np in HALVES else alpha
