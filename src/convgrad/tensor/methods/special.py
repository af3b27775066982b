"""Elementary and special functions, choosing and activations as methods."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ... import dtypes
from ...errors import ConvgradError
from ...graph.grad_mode import MODE
from ...graph.node import cell_of
from ...ops import activation, rounding, select, special
from ...ops import complex as cplx
from ...ops import elementwise as ew
from ...ops.op import Op
from .base import dim_index, documented_by
from .clamp import ClampMethods, write
from .operands import (
    broadcast_error,
    cast,
    check_operand,
    check_tensor,
    fill_value,
    operands,
    plain_target,
    run,
)  # fmt: skip

Method = Callable[..., Any]


def _pair(op: type[Op], name: str) -> tuple[Method, Method]:
    """The method of a function of one operand and its in-place form.

    Made here rather than spelt out sixty times: ``sqrt, sqrt_ = _pair(special.Sqrt, "sqrt")``.
    """

    def method(self: Any) -> Any:
        return self._unary(op)

    floats = not op.exact and not getattr(op, "integers", False)

    def in_place(self: Any) -> Any:
        if floats and self._data.dtype.kind in "biu":
            raise ConvgradError(
                f"result type {dtypes.default_dtype()} can't be cast to the desired output type {self.dtype} "
                f"({name}_)"
            )
        return self._inplace(name + "_", op, ())

    return _named(method, name, op), _named(in_place, name + "_", op, " In place.")


def _pair2(op: type[Op], name: str, floats: bool = False) -> tuple[Method, Method]:
    """The same for a function of two tensors; ``floats``: integers become the default float."""

    def method(self: Any, other: Any) -> Any:
        check_tensor(name, other)
        return run(op, operands(self, other, floats=floats))

    def in_place(self: Any, other: Any) -> Any:
        check_tensor(name + "_", other)
        return write(self, name + "_", op, operands(self, other, floats=floats), ())

    return _named(method, name, op), _named(in_place, name + "_", op, " In place.")


def _named(method: Method, name: str, op: type[Op], note: str = "") -> Method:
    method.__name__ = name
    method.__qualname__ = f"Tensor.{name}"
    method.__doc__ = (op.__doc__ or "") + note
    return method


class SpecialMethods(ClampMethods):
    """Elementwise functions of one operand, choosing, activations and softmax."""

    __slots__ = ()

    exp_, log_ = _pair(ew.Exp, "exp")[1], _pair(ew.Log, "log")[1]  # exp and log stand in tensor.py
    sqrt, sqrt_ = _pair(special.Sqrt, "sqrt")
    rsqrt, rsqrt_ = _pair(special.Rsqrt, "rsqrt")
    reciprocal, reciprocal_ = _pair(special.Reciprocal, "reciprocal")
    exp2, exp2_ = _pair(special.Exp2, "exp2")
    expm1, expm1_ = _pair(special.Expm1, "expm1")
    log2, log2_ = _pair(special.Log2, "log2")
    log10, log10_ = _pair(special.Log10, "log10")
    log1p, log1p_ = _pair(special.Log1p, "log1p")
    sin, sin_ = _pair(special.Sin, "sin")
    cos, cos_ = _pair(special.Cos, "cos")
    tan, tan_ = _pair(special.Tan, "tan")
    asin, asin_ = arcsin, arcsin_ = _pair(special.Asin, "asin")
    acos, acos_ = arccos, arccos_ = _pair(special.Acos, "acos")
    atan, atan_ = arctan, arctan_ = _pair(special.Atan, "atan")
    sinh, sinh_ = _pair(special.Sinh, "sinh")
    cosh, cosh_ = _pair(special.Cosh, "cosh")
    tanh, tanh_ = _pair(special.Tanh, "tanh")
    asinh, asinh_ = arcsinh, arcsinh_ = _pair(special.Asinh, "asinh")
    acosh, acosh_ = arccosh, arccosh_ = _pair(special.Acosh, "acosh")
    atanh, atanh_ = arctanh, arctanh_ = _pair(special.Atanh, "atanh")
    sigmoid, sigmoid_ = _pair(special.Sigmoid, "sigmoid")
    erf, erf_ = _pair(special.Erf, "erf")
    erfc, erfc_ = _pair(special.Erfc, "erfc")
    erfinv, erfinv_ = _pair(special.Erfinv, "erfinv")
    lgamma, lgamma_ = _pair(special.Lgamma, "lgamma")
    digamma, digamma_ = _pair(special.Digamma, "digamma")
    sinc, sinc_ = _pair(special.Sinc, "sinc")
    deg2rad, deg2rad_ = _pair(special.Deg2Rad, "deg2rad")
    rad2deg, rad2deg_ = _pair(special.Rad2Deg, "rad2deg")
    floor, floor_ = _pair(rounding.Floor, "floor")
    ceil, ceil_ = _pair(rounding.Ceil, "ceil")
    trunc, trunc_ = fix, fix_ = _pair(rounding.Trunc, "trunc")
    frac, frac_ = _pair(rounding.Frac, "frac")
    sign, sign_ = _pair(rounding.Sign, "sign")
    sgn, sgn_ = _pair(cplx.Sgn, "sgn")
    relu, relu_ = _pair(activation.Relu, "relu")
    angle, _ = _pair(cplx.Angle, "angle")
    abs, _abs_ = _pair(cplx.Abs, "abs")
    absolute = abs

    atan2, atan2_ = arctan2, arctan2_ = _pair2(special.Atan2, "atan2", floats=True)
    hypot, hypot_ = _pair2(special.Hypot, "hypot")
    logaddexp, _ = _pair2(special.LogAddExp, "logaddexp")
    logaddexp2, _ = _pair2(special.LogAddExp2, "logaddexp2")
    maximum, _ = _pair2(select.Maximum, "maximum")
    minimum, _ = _pair2(select.Minimum, "minimum")
    fmax, _ = _pair2(select.Fmax, "fmax")
    fmin, _ = _pair2(select.Fmin, "fmin")
    del _

    def abs_(self) -> Any:
        """``abs`` in place; not for complex tensors, whose absolute value is real."""
        if self._data.dtype.kind == "c":
            raise ConvgradError("In-place abs is not supported for complex tensors.")
        return self._abs_()

    absolute_ = abs_

    def square(self) -> Any:
        """``self ** 2``."""
        return self**2  # type: ignore[operator]

    def square_(self) -> Any:
        """``square`` in place."""
        return self._inplace("square_", ew.Pow, (2,))

    def round(self, *, decimals: int = 0) -> Any:
        """The nearest integer, or multiple of ``10 ** -decimals``; halves go to the even one."""
        if decimals == 0:
            return self._unary(rounding.Round)
        return self._apply(rounding.RoundDecimals, (self,), (decimals,))

    def round_(self, *, decimals: int = 0) -> Any:
        """``round`` in place."""
        if decimals == 0:
            return self._inplace("round_", rounding.Round, ())
        return self._inplace("round_", rounding.RoundDecimals, (), (decimals,))

    def polygamma(self, n: int) -> Any:
        """The n-th derivative of ``digamma``; n = 0 is digamma itself."""
        if n < 0:
            raise ConvgradError(f"polygamma(n, x) does not support negative n, but got n={n}")
        return self._apply(special.Polygamma, (_floating(self),), (n,))

    @documented_by(special.Logit)
    def logit(self, eps: float | None = None) -> Any:
        return self._apply(special.Logit, (_floating(self),), (eps,))

    @documented_by(special.XLogY)
    def xlogy(self, other: Any) -> Any:
        check_operand("xlogy", other)
        op = special.XLogY if hasattr(other, "_data") else special.XLogYNumber
        return run(op, operands(self, other, floats=True))

    @documented_by(select.Copysign)
    def copysign(self, other: Any) -> Any:
        check_operand("copysign", other)
        op = select.Copysign if hasattr(other, "_data") else select.CopysignNumber
        return run(op, operands(self, other, floats=True))

    def nan_to_num(
        self, nan: float | None = None, posinf: float | None = None, neginf: float | None = None
    ) -> Any:
        """NaN replaced by ``nan`` (0), the infinities by ``posinf`` and ``neginf`` (the dtype's limits)."""
        return self._apply(rounding.NanToNum, (self,), _replacements(self._data, nan, posinf, neginf))

    def nan_to_num_(
        self, nan: float | None = None, posinf: float | None = None, neginf: float | None = None
    ) -> Any:
        """``nan_to_num`` in place."""
        return self._inplace(
            "nan_to_num_", rounding.NanToNum, (), _replacements(self._data, nan, posinf, neginf)
        )

    # -- tests of the values: bool tensors --------------------------------------------------------------

    def isnan(self) -> Any:
        """Where the values are NaN."""
        return self._wrap(self._data != self._data)

    def isinf(self) -> Any:
        """Where the values are infinite."""
        return self._wrap(np.isinf(self._data))

    def isfinite(self) -> Any:
        """Where the values are neither NaN nor infinite."""
        return self._wrap(np.isfinite(self._data))

    def isposinf(self) -> Any:
        """Where the values are +infinity."""
        _refuse_complex("isposinf", self._data)
        return self._wrap(self._data == np.inf)

    def isneginf(self) -> Any:
        """Where the values are -infinity."""
        _refuse_complex("isneginf", self._data)
        return self._wrap(self._data == -np.inf)

    def isreal(self) -> Any:
        """Where the imaginary part is 0."""
        return self._wrap(self._data.imag == 0)

    def signbit(self) -> Any:
        """Where the sign is minus, of zeros too."""
        _refuse_complex("signbit", self._data)
        return self._wrap(np.signbit(self._data) if self._data.dtype.kind in "fV" else self._data < 0)

    def hardshrink(self, lambd: float = 0.5) -> Any:
        """x, and 0 within [-lambd, lambd]."""
        if self._data.dtype.kind in "biuc":
            raise NotImplementedError(
                f'"hardshrink_cpu" not implemented for dtype {dtypes.from_numpy(self._data.dtype)}'
            )
        return self._apply(activation.Hardshrink, (self,), (lambd,))

    def is_nonzero(self) -> bool:
        """Whether the one element is not 0."""
        if self._data.size != 1:
            kind = "more than one value" if self._data.size else "no values"
            raise ConvgradError(f"Boolean value of Tensor with {kind} is ambiguous")
        return bool(self._data.reshape(-1)[0])

    def isclose(self, other: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Any:
        """Where ``|self - other| <= atol + rtol |other|``, or both are equal (or NaN, if ``equal_nan``)."""
        check_tensor("isclose", other)
        a, b = self._data, other._data
        if a.dtype != b.dtype:
            raise ConvgradError(
                f"{dtypes.from_numpy(a.dtype)} did not match {dtypes.from_numpy(b.dtype)} (isclose)"
            )
        for name, value in (("rtol", rtol), ("atol", atol)):
            if not value >= 0:
                raise ConvgradError(f"{name} must be greater than or equal to zero, but got {value}")
        wide = np.float32 if a.dtype in dtypes.HALVES else np.float64 if a.dtype.kind in "biu" else a.dtype
        x, y = a.astype(wide), b.astype(wide)
        try:
            np.broadcast_shapes(x.shape, y.shape)
        except ValueError:
            raise broadcast_error(x.shape, y.shape) from None
        finite = np.isfinite(x) & np.isfinite(y)
        gap = np.abs(np.where(finite, x, 0) - np.where(finite, y, 0))
        near = (x == y) | (finite & (gap <= atol + rtol * np.abs(np.where(finite, y, 0))))
        return self._wrap(near | ((x != x) & (y != y)) if equal_nan else near)

    def allclose(self, other: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> bool:
        """Whether all elements are close in the sense of ``isclose``."""
        return bool(self.isclose(other, rtol, atol, equal_nan)._data.all())

    def equal(self, other: Any) -> bool:
        """Whether both have one shape and the same values."""
        check_tensor("equal", other)
        return self._data.shape == other._data.shape and bool((self == other)._data.all())

    # -- choosing ---------------------------------------------------------------------------------------

    def where(self, condition: Any, other: Any) -> Any:
        """self where ``condition`` (bool) holds, else ``other``, a tensor or number."""
        check_operand("where", other)
        return run(ew.Where, operands(self, other), (check_condition(condition),))

    def masked_fill(self, mask: Any, value: Any) -> Any:
        """``value`` (a number or 0-d tensor) where ``mask`` (bool) holds, else self."""
        data = check_mask(mask)
        if hasattr(value, "_data"):
            return run(select.MaskedFillTensor, (self, _scalar_value(self, value)), (data,))
        return run(select.MaskedFill, (self,), (_fitting(self._data, value), data))

    def masked_fill_(self, mask: Any, value: Any) -> Any:
        """``masked_fill`` in place; the mask must broadcast to self."""
        data = check_mask(mask)
        if hasattr(value, "_data"):
            return self._inplace(
                "masked_fill_", select.MaskedFillTensor, (_scalar_value(self, value),), (data,)
            )
        return self._inplace("masked_fill_", select.MaskedFill, (), (_fitting(self._data, value), data))

    def lerp(self, end: Any, weight: Any) -> Any:
        """``self + weight (end - self)``; weight is a number or a tensor."""
        return run(*_lerp_call(self, end, weight))

    def lerp_(self, end: Any, weight: Any) -> Any:
        """``lerp`` in place."""
        if (
            plain_target(self, end, weight)
            and hasattr(end, "_data")
            and not hasattr(weight, "_data")
            and end._data.shape == self._data.shape
            and abs(weight) < 0.5
        ):
            self._data += weight * (end._data - self._data)
            (self._cell or cell_of(self)).bump("lerp_")
            return self
        op, inputs, params = _lerp_call(self, end, weight)
        return self._inplace("lerp_", op, inputs[1:], params)

    def addcmul(self, tensor1: Any, tensor2: Any, *, value: Any = 1) -> Any:
        """``self + value * tensor1 * tensor2``."""
        inputs, factor = _fused("addcmul", self, tensor1, tensor2, value)
        return run(ew.Addcmul, inputs, (factor,))

    def addcmul_(self, tensor1: Any, tensor2: Any, *, value: Any = 1) -> Any:
        """``addcmul`` in place."""
        return _fused_in_place("addcmul_", ew.Addcmul, np.multiply, self, tensor1, tensor2, value)

    def addcdiv(self, tensor1: Any, tensor2: Any, *, value: Any = 1) -> Any:
        """``self + value * tensor1 / tensor2``."""
        inputs, factor = _fused("addcdiv", self, tensor1, tensor2, value)
        return run(ew.Addcdiv, inputs, (factor,))

    def addcdiv_(self, tensor1: Any, tensor2: Any, *, value: Any = 1) -> Any:
        """``addcdiv`` in place."""
        return _fused_in_place("addcdiv_", ew.Addcdiv, np.true_divide, self, tensor1, tensor2, value)

    # -- complex numbers --------------------------------------------------------------------------------

    @property
    def real(self) -> Any:
        """The real part, a view; of a real tensor the tensor itself."""
        return self._apply(ew.Real, (self,)) if self._data.dtype.kind == "c" else self

    @property
    def imag(self) -> Any:
        """The imaginary part of a complex tensor, a view."""
        if self._data.dtype.kind != "c":
            raise ConvgradError("imag is not implemented for tensors with non-complex dtypes.")
        return self._apply(ew.Imag, (self,))

    def conj(self) -> Any:
        """The complex conjugate; of a real tensor the tensor itself."""
        return self._apply(ew.Conj, (self,)) if self._data.dtype.kind == "c" else self

    def conj_physical(self) -> Any:
        """The complex conjugate; of a real tensor the tensor itself."""
        return self._apply(cplx.ConjPhysical, (self,)) if self._data.dtype.kind == "c" else self

    def resolve_conj(self) -> Any:
        """The tensor itself: convgrad conjugates at once."""
        return self

    # -- activations ------------------------------------------------------------------------------------

    def softmax(self, dim: Any = None, dtype: Any = None, *, axis: Any = None) -> Any:
        """``exp(x) / sum(exp(x))`` along ``dim``; ``dtype``: the input is cast first."""
        return _softened(self, activation.Softmax, "softmax", dim if axis is None else axis, dtype)

    def log_softmax(self, dim: Any = None, dtype: Any = None, *, axis: Any = None) -> Any:
        """``x - log(sum(exp(x)))`` along ``dim``; ``dtype``: the input is cast first."""
        return _softened(self, activation.LogSoftmax, "log_softmax", dim if axis is None else axis, dtype)

    def prelu(self, weight: Any) -> Any:
        """x where positive, ``weight`` times x elsewhere; one weight, or one per channel (dimension 1)."""
        check_tensor("prelu", weight, "weight")
        shape, size = self._data.shape, weight._data.size
        if weight._data.ndim > 1:
            raise ConvgradError(
                f"prelu: Expected `weight` to be a scalar or 1D tensor, but got: ndim = {weight._data.ndim}"
            )
        if weight._data.dtype != self._data.dtype:
            raise ConvgradError(
                f"prelu: Type promoting not supported. Got {dtypes.from_numpy(self._data.dtype)} and "
                f"{weight.dtype}"
            )
        if size != 1:
            channels = shape[1] if len(shape) > 1 else 1
            if channels != size:
                raise ConvgradError(
                    f"Mismatch of parameter numbers and input channel size. Found parameter numbers = "
                    f"{size} and channel size = {channels} (input {list(shape)})."
                )
            weight = weight.reshape((1, size) + (1,) * (len(shape) - 2))
        elif weight._data.ndim > len(shape):
            weight = weight.reshape(())
        return run(activation.Prelu, (self, weight))


# ---------------------------------------------------------------------------------------------------
# What the methods share
# ---------------------------------------------------------------------------------------------------


def _refuse_complex(name: str, data: Any) -> None:
    if data.dtype.kind == "c":
        raise NotImplementedError(f"{name} does not support complex inputs (dtype {data.dtype}).")


def _floating(x: Any) -> Any:
    return cast(x, dtypes.default_dtype().np) if x._data.dtype.kind in "biu" else x


def _replacements(data: Any, nan: Any, posinf: Any, neginf: Any) -> tuple[Any, Any, Any]:
    limit = dtypes.finfo(dtypes.from_numpy(data.dtype)) if data.dtype.kind in "fcV" else None
    high, low = (limit.max, limit.min) if limit is not None else (0, 0)
    return (
        0.0 if nan is None else nan,
        high if posinf is None else posinf,
        low if neginf is None else neginf,
    )


def check_condition(condition: Any) -> Any:
    """The array of ``where``'s condition: bool, or uint8 as PyTorch still allows."""
    check_tensor("where", condition, "condition")
    data = condition._data
    if data.dtype.kind != "b":
        if data.dtype != np.uint8:
            raise ConvgradError(
                f"where expected condition to be a boolean tensor, but got a tensor with dtype "
                f"{condition.dtype}"
            )
        data = data != 0
    return data


def check_mask(mask: Any) -> Any:
    """The array of ``masked_fill``'s mask, which must be bool."""
    check_tensor("masked_fill", mask, "mask")
    if mask._data.dtype.kind != "b":
        raise ConvgradError(f"masked_fill_ only supports boolean masks, but got mask with dtype {mask.dtype}")
    return mask._data


def _scalar_value(x: Any, value: Any) -> Any:
    if value._data.ndim:
        raise ConvgradError(
            "masked_fill_ only supports a 0-dimensional value tensor, but got tensor with "
            f"{value._data.ndim} dimension(s)."
        )
    if x._data.dtype.kind in "iu":
        fill_value(value._data.item(), x._data.dtype)  # an error if it does not fit
    return value


def _fitting(data: Any, value: Any) -> Any:
    """A fill value as the tensor's dtype takes it."""
    check_operand("masked_fill", value, "value")
    return fill_value(value, data.dtype)


def _lerp_call(x: Any, end: Any, weight: Any) -> tuple[type[Op], tuple[Any, ...], tuple[Any, ...]]:
    check_tensor("lerp", end, "end")
    check_operand("lerp", weight, "weight")
    if end._data.dtype != x._data.dtype:
        raise ConvgradError(f"expected dtype {x.dtype} for `end` but got dtype {end.dtype}")
    if x._data.dtype.kind in "biu":
        raise NotImplementedError(f'"lerp_kernel_scalar" not implemented for dtype {x.dtype}')
    if not hasattr(weight, "_data"):
        return ew.Lerp, (x, end), (weight,)
    if weight._data.dtype != x._data.dtype:
        raise ConvgradError(f"expected dtype {x.dtype} for `weight` but got dtype {weight.dtype}")
    return ew.LerpTensor, (x, end, weight), ()


def _fused(name: str, x: Any, tensor1: Any, tensor2: Any, value: Any) -> tuple[tuple[Any, ...], Any]:
    """The promoted operands of addcmul and addcdiv and their factor."""
    check_tensor(name, tensor1, "tensor1")
    check_tensor(name, tensor2, "tensor2")
    inputs = operands(x, tensor1, tensor2)
    if inputs[0]._data.dtype.kind in "biu":
        if name.startswith("addcdiv"):
            raise ConvgradError(
                "Integer division with addcdiv is no longer supported, and in a future release addcdiv will "
                "perform a true division of tensor1 and tensor2. Convert the operands to floats first."
            )
        value = int(value)
    return inputs, value


def _fused_in_place(
    name: str, op: type[Op], ufunc: Any, x: Any, tensor1: Any, tensor2: Any, value: Any
) -> Any:
    if plain_target(x, tensor1, tensor2, value) and hasattr(tensor1, "_data") and hasattr(tensor2, "_data"):
        data = x._data
        if tensor1._data.shape == data.shape == tensor2._data.shape:
            step = ufunc(tensor1._data, tensor2._data)
            if value != 1:
                step *= value
            np.add(data, step, data)
            (x._cell or cell_of(x)).bump(name)
            return x
    inputs, factor = _fused(name, x, tensor1, tensor2, value)
    return write(x, name, op, inputs, (factor,))


def _softened(x: Any, op: Any, name: str, dim: Any, dtype: Any) -> Any:
    """Softmax or its logarithm, of float tensors in few steps."""
    if dtype is None and type(dim) is int and x._is_plain(dim):
        out, saved = op.forward(x._data, dim % x._data.ndim)
        return x._wrap(out) if x._node is None or not MODE.get() else x._recorded(op, out, saved)
    x, axis = _normalised(x, dim, dtype, name)
    return x._apply(op, (x,), (axis,))


def _normalised(x: Any, dim: Any, dtype: Any, name: str) -> tuple[Any, Any]:
    """The (cast) input of a softmax and its axis: () for a 0-d tensor."""
    axis = dim_index(dim, x._data.ndim)
    if dtype is not None:
        x = x.to(dtype)
    if x._data.dtype.kind in "biuc":
        raise NotImplementedError(
            f'"{name}_kernel_impl" not implemented for dtype {x.dtype}: give dtype=torch.float32'
        )
    return x, axis if x._data.ndim else ()
