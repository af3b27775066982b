"""Clamping: values kept within bounds, out of place and in place."""

from __future__ import annotations

from typing import Any

from ... import dtypes
from ...errors import ConvgradError, ShapeError
from ...graph.node import cell_of
from ...kernels import table
from ...ops import elementwise as ew
from ...ops import select
from ...ops.op import Op
from .base import Methods
from .operands import check_operand, operands, plain_target, run


class ClampMethods(Methods):
    """``clamp`` and its kin."""

    __slots__ = ()

    def clamp(self, min: Any = None, max: Any = None) -> Any:
        """Values kept within [min, max]: numbers, tensors or None; NaN stays."""
        if _plain_bounds(self, min, max):
            return self._apply(select.Clamp, (self,), (min, max))
        op, bounds = _clamping(self, min, max)
        return run(op, bounds[:1], bounds[1:]) if op is select.Clamp else run(op, bounds)

    def clamp_(self, min: Any = None, max: Any = None) -> Any:
        """``clamp`` in place."""
        if _plain_bounds(self, min, max) and plain_target(self):
            table.clamp(self._data, min, max, self._data)
            (self._cell or cell_of(self)).bump("clamp_")
            return self
        op, bounds = _clamping(self, min, max)
        return _clamp_in_place(self, "clamp_", op, bounds)

    def clamp_min(self, min: Any) -> Any:
        """Values raised to at least ``min``."""
        if _plain_bounds(self, min, None):
            return self._apply(select.ClampMin, (self,), (min, None))
        op, bounds = _clamping(self, min, None, select.ClampMin, select.ClampMinTensor)
        return run(op, bounds[:1], bounds[1:]) if op is select.ClampMin else run(op, bounds)

    def clamp_max(self, max: Any) -> Any:
        """Values lowered to at most ``max``."""
        if _plain_bounds(self, None, max):
            return self._apply(select.ClampMax, (self,), (None, max))
        op, bounds = _clamping(self, None, max, select.ClampMax, select.ClampMaxTensor)
        return run(op, bounds[:1], bounds[1:]) if op is select.ClampMax else run(op, bounds)

    def clamp_min_(self, min: Any) -> Any:
        """``clamp_min`` in place."""
        return _clamp_in_place(
            self, "clamp_min_", *_clamping(self, min, None, select.ClampMin, select.ClampMinTensor)
        )

    def clamp_max_(self, max: Any) -> Any:
        """``clamp_max`` in place."""
        return _clamp_in_place(
            self, "clamp_max_", *_clamping(self, None, max, select.ClampMax, select.ClampMaxTensor)
        )

    clip, clip_ = clamp, clamp_


#: types of bounds that a float tensor takes as they are
_BOUNDS = (float, type(None))


def _plain_bounds(x: Any, low: Any, high: Any) -> bool:
    """Whether a clamp needs no promotion: a float tensor, and bounds that are floats or one of them None."""
    kind = x._data.dtype
    return (
        (kind is dtypes.F32 or kind is dtypes.F64)
        and type(low) in _BOUNDS
        and type(high) in _BOUNDS
        and low is not high
    )


def _clamping(
    x: Any, low: Any, high: Any, op: type[Op] = select.Clamp, tensor_op: type[Op] = select.ClampTensor
) -> tuple[type[Op], tuple[Any, ...]]:
    """The operator and the promoted (x, low, high) of a clamp."""
    if low is None and high is None:
        raise ConvgradError("torch.clamp: At least one of 'min' or 'max' must not be None")
    for bound, name in ((low, "min"), (high, "max")):
        if bound is not None:
            check_operand("clamp", bound, name)
    bounds = operands(x, low, high)
    if bounds[0]._data.dtype.kind == "c":
        raise NotImplementedError("clamp is not supported for complex types")
    return (tensor_op if hasattr(low, "_data") or hasattr(high, "_data") else op), bounds


def _clamp_in_place(x: Any, name: str, op: type[Op], bounds: tuple[Any, ...]) -> Any:
    if issubclass(op, select.Clamp):
        return write(x, name, op, bounds[:1], bounds[1:])
    return write(x, name, op, bounds, ())


def write(x: Any, name: str, op: type[Op], inputs: tuple[Any, ...], params: tuple[Any, ...]) -> Any:
    """``op`` in place of x, of which the first input is the promoted form."""
    if inputs[0] is x:
        return x._inplace(name, op, inputs[1:], params)
    wide, own = dtypes.from_numpy(inputs[0]._data.dtype), dtypes.from_numpy(x._data.dtype)
    if not dtypes.can_cast(wide, own):
        raise ConvgradError(f"result type {wide} can't be cast to the desired output type {own} ({name})")
    inputs[0]._cell = None  # the values are a copy already: writing to x does not touch them
    result = run(op, inputs, params)
    if result._data.shape != x._data.shape:
        raise ShapeError(
            f"output with shape {list(x._data.shape)} doesn't match the broadcast shape "
            f"{list(result._data.shape)} ({name})"
        )
    return x._inplace(name, ew.Copy, (result,))
