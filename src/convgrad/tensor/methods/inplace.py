"""In-place forms that are made from their methods, and the rarer ways to write to a tensor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ... import dtypes
from ...errors import ConvgradError, DtypeError, ShapeError
from ...graph.node import cell_of
from ...ops.rearrange import AsStridedInPlace
from ..checks import check_result, scalar_name
from ..views import check_writable, rewrite
from .base import Methods
from .operands import common_dtype


def _overwrite(self: Any, name: str, compute: Callable[[Any], Any]) -> Any:
    """Change a tensor to ``compute`` of what it was, keeping every history right."""
    record = check_writable(self, name)
    data = self._data
    # backward may want the value that is about to be overwritten
    before = self._wrap(data.copy() if record and self._node is not None else data)
    before._node = self._node
    result = compute(before)
    check_result(name, result._data, data)
    np.copyto(data, result._data, casting="unsafe")
    rewrite(self, result._node if record else None, name)
    return self


def _form(name: str) -> Callable[..., Any]:
    """The in-place form of the method ``name``, by way of that method."""

    def in_place(self: Any, *args: Any, **kwargs: Any) -> Any:
        return _overwrite(self, name + "_", lambda before: getattr(before, name)(*args, **kwargs))

    in_place.__name__ = name + "_"
    in_place.__qualname__ = f"Tensor.{name}_"
    in_place.__doc__ = f"``{name}`` in place."
    return in_place


def _each(self: Any, name: str, function: Callable[..., Any], *others: Any) -> Any:
    if self._node is not None:
        raise ConvgradError(
            f"Can't call {name}() on Variable that requires grad. Use var.detach().{name}() instead."
        )
    check_writable(self, name)
    data = self._data
    for other in others:
        if other._data.dtype != data.dtype:
            raise TypeError(
                f"{name}: expected {data.dtype} for the other tensor, but got {other._data.dtype}"
            )
    try:
        arrays = [np.broadcast_to(other._data, data.shape) for other in others]
    except ValueError:
        raise ShapeError(
            f"{name}: shapes {[list(o._data.shape) for o in others]} do not expand to {list(data.shape)}"
        ) from None
    for index in np.ndindex(data.shape):
        data[index] = function(data[index].item(), *[array[index].item() for array in arrays])
    rewrite(self, None, name)
    return self


class LateMethods(Methods):
    """Names that end in an underscore: the tensor itself is changed, and returned."""

    __slots__ = ()

    conj_physical_, copysign_, gcd_ = _form("conj_physical"), _form("copysign"), _form("gcd")
    heaviside_, i0_, igamma_ = _form("heaviside"), _form("i0"), _form("igamma")
    igammac_, lcm_, ldexp_ = _form("igammac"), _form("lcm"), _form("ldexp")
    logit_, mvlgamma_, nextafter_ = _form("logit"), _form("mvlgamma"), _form("nextafter")
    polygamma_, xlogy_ = _form("polygamma"), _form("xlogy")

    def float_power_(self, exponent: Any) -> Any:
        """``float_power`` in place, for float64 and complex128 alone."""
        wide = dtypes.complex128 if common_dtype(self, exponent).is_complex else dtypes.float64
        own = dtypes.from_numpy(self._data.dtype)
        if own is not wide:
            raise ConvgradError(
                f"the base given to float_power_ has dtype {scalar_name(own)} but the operation's result "
                f"requires dtype {scalar_name(wide)}"
            )
        return _overwrite(self, "float_power_", lambda before: before.float_power(exponent))

    # -- element by element, in Python ------------------------------------------------------------------

    def map2_(self, x: Any, y: Any, callable: Callable[[Any, Any, Any], Any]) -> Any:
        """Each element becomes ``callable`` of it and those of x and y; slow, and not recorded."""
        return _each(self, "map2_", callable, x, y)

    # -- another picture of the memory --------------------------------------------------------------------

    def as_strided_(self, size: Any, stride: Any, storage_offset: Any = None) -> Any:
        """``as_strided`` in place: this tensor itself shows its storage with other sizes and strides."""
        x: Any = self
        x.as_strided(size, stride, storage_offset)  # its checks
        offset = x.storage_offset() if storage_offset is None else int(storage_offset)
        return x._become("as_strided_", AsStridedInPlace, (tuple(size), tuple(stride), offset))

    def resize_as_(self, the_template: Any, *, memory_format: Any = None) -> Any:
        """``resize_`` to the shape of another tensor."""
        x: Any = self
        return x.resize_(the_template._data.shape)

    def set_(self, source: Any = None) -> Any:
        """Share the memory and the shape of ``source``, a tensor of the same dtype; none: no elements."""
        x: Any = self
        if source is None:
            source = self._wrap(np.empty(0, self._data.dtype))
        if source._data.dtype != self._data.dtype:
            own, other = (dtypes.from_numpy(t._data.dtype) for t in (self, source))
            raise DtypeError(f"Could not set tensor of type {other} to a tensor of type {own}")
        check_writable(self, "set_")
        cell_of(self).bump("set_")
        x._data, x._cell = source._data, cell_of(source)
        return self

    def share_memory_(self) -> Any:
        """The tensor itself: processes share memory by forking here."""
        return self
