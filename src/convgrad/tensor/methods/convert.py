"""Conversions: to other dtypes, Python numbers, lists, NumPy arrays and other libraries."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np

from ... import dtypes
from ...device import check_device
from ...dtypes import Array
from ...errors import ConvgradError, DeviceError, ShapeError
from ...graph.grad_mode import MODE, OFF, RECORD, is_grad_enabled
from ...ops import shape as ops
from ..arrays import as_kind
from .base import Methods

LEGACY_NAMES = dtypes.SCALAR_NAMES
_BY_LEGACY = {f"torch.{legacy}Tensor": name for name, legacy in LEGACY_NAMES.items()}


class ConvertMethods(Methods):
    """``to``, ``item``, ``tolist``, ``numpy``, ``float`` and their kin."""

    __slots__ = ()

    #: let ndarray's operators step back in favour of ours
    __array_priority__ = 1000

    # -- other dtypes -------------------------------------------------------------------------------

    def _cast(self, kind: dtypes.dtype, copy: builtins.bool = False) -> Any:
        data, goal = self._data, kind.np
        if data.dtype is goal or (kind.category < dtypes.FLOATING and data.dtype == goal):
            return self._apply(ops.Clone, (self,)) if copy else self
        mode = MODE.get()
        if mode == OFF or (mode == RECORD and self._node is None):
            return self._wrap(ops.cast_array(data, goal))
        if kind.category < dtypes.FLOATING:  # no gradient passes an integer
            return self._wrap(ops.cast_array(self._data, kind.np))
        return self._apply(ops.Cast, (self,), (kind.np,))

    def to(
        self,
        *args: Any,
        dtype: Any = None,
        device: Any = None,
        non_blocking: builtins.bool = False,
        copy: builtins.bool = False,
        memory_format: Any = None,
        other: Any = None,
    ) -> Any:
        """The tensor in another dtype (``self`` itself if it has it already).

        Args:
            args: a dtype, a device, a device and a dtype, or a tensor whose dtype is meant.
            copy: copy even if nothing changes.
        Raises:
            DeviceError: another device than the CPU.
        Example:
            >>> x.to(torch.float64).dtype, x.to("cpu", torch.int64).dtype
            (torch.float64, torch.int64)
        """
        if len(args) == 1 and type(args[0]) is dtypes.dtype and device is None and other is None:
            return self._cast(args[0], copy)
        positional = list(args)
        if positional:
            first = positional.pop(0)
            if hasattr(first, "_data"):
                other = first
            elif _is_kind(first):
                dtype = first
            else:
                device = first
                if positional and (positional[0] is None or _is_kind(positional[0])):
                    dtype = positional.pop(0)
            if len(positional) > 1:
                copy = bool(positional[1])
        check_device(device)
        if other is not None:
            dtype = dtypes.from_numpy(other._data.dtype)
        return self._cast(as_kind(dtype, dtypes.from_numpy(self._data.dtype)), copy)

    def type(self, dtype: Any = None, non_blocking: builtins.bool = False) -> Any:
        """The name of the tensor's type; or the tensor in another dtype."""
        if dtype is None:
            return f"torch.{LEGACY_NAMES[dtypes.from_numpy(self._data.dtype).name]}Tensor"
        if isinstance(dtype, str):
            if dtype not in _BY_LEGACY:
                raise ValueError(f"invalid type: '{dtype}'")
            dtype = dtypes._by_name(_BY_LEGACY[dtype])
        return self._cast(getattr(dtype, "dtype", None) or as_kind(dtype))

    def type_as(self, other: Any) -> Any:
        """The tensor in another's dtype."""
        return self._cast(dtypes.from_numpy(other._data.dtype))

    def float(self, memory_format: Any = None) -> Any:
        """``to(float32)``."""
        return self._cast(dtypes.float32)

    def double(self, memory_format: Any = None) -> Any:
        """``to(float64)``."""
        return self._cast(dtypes.float64)

    def half(self, memory_format: Any = None) -> Any:
        """``to(float16)``."""
        return self._cast(dtypes.float16)

    def bfloat16(self, memory_format: Any = None) -> Any:
        """``to(bfloat16)``."""
        return self._cast(dtypes.bfloat16)

    def int(self, memory_format: Any = None) -> Any:
        """``to(int32)``."""
        return self._cast(dtypes.int32)

    def long(self, memory_format: Any = None) -> Any:
        """``to(int64)``."""
        return self._cast(dtypes.int64)

    def short(self, memory_format: Any = None) -> Any:
        """``to(int16)``."""
        return self._cast(dtypes.int16)

    def char(self, memory_format: Any = None) -> Any:
        """``to(int8)``."""
        return self._cast(dtypes.int8)

    def byte(self, memory_format: Any = None) -> Any:
        """``to(uint8)``."""
        return self._cast(dtypes.uint8)

    def bool(self, memory_format: Any = None) -> Any:
        """``to(bool)``."""
        return self._cast(dtypes.bool_)

    def cfloat(self, memory_format: Any = None) -> Any:
        """``to(complex64)``."""
        return self._cast(dtypes.complex64)

    def cdouble(self, memory_format: Any = None) -> Any:
        """``to(complex128)``."""
        return self._cast(dtypes.complex128)

    def cpu(self, memory_format: Any = None) -> Any:
        """The tensor itself."""
        return self

    def cuda(self, *args: Any, **options: Any) -> Any:
        """Always an error: convgrad runs on the CPU."""
        raise DeviceError(
            "cuda() was called, but convgrad runs on the CPU (Torch not compiled with CUDA enabled)"
        )

    # -- Python values --------------------------------------------------------------------------------

    def item(self) -> Any:
        """The value of a one-element tensor as a Python number."""
        if self._data.size != 1:
            raise ShapeError(
                f"a Tensor with {self._data.size} elements cannot be converted to Scalar (shape "
                f"{list(self._data.shape)})"
            )
        value = self._data.item()
        return value if type(value) in _NUMBERS else builtins.float(value)

    def tolist(self) -> Any:
        """Nested lists of Python numbers."""
        if self._data.dtype is dtypes.BF16:
            return self._data.astype(np.float32).tolist()
        return self._data.tolist()

    def _scalar(self) -> Any:
        if self._data.size != 1:
            raise ShapeError(
                "only one element tensors can be converted to Python scalars (a Tensor with "
                f"{self._data.size} elements cannot be converted to Scalar)"
            )
        return self.item()

    def __float__(self) -> builtins.float:
        return builtins.float(self._real("double"))

    def __int__(self) -> builtins.int:
        return builtins.int(self._real("int64"))

    def _real(self, goal: str) -> Any:
        value = self._scalar()
        if type(value) is complex:
            if value.imag:
                raise ConvgradError(f"value cannot be converted to type {goal} without overflow: {value!r}")
            return value.real
        return value

    def __complex__(self) -> complex:
        return complex(self._scalar())

    def __bool__(self) -> builtins.bool:
        size = self._data.size
        if size != 1:
            which = "no values" if not size else "more than one value"
            raise ConvgradError(
                f"Boolean value of Tensor with {which} is ambiguous (shape {list(self._data.shape)}; use "
                f".any() or .all())"
            )
        return builtins.bool(self._data.item())

    def __index__(self) -> builtins.int:
        if self._data.size != 1 or self._data.dtype.kind not in "biu":
            raise TypeError(
                "only integer tensors of a single element can be converted to an index (got "
                f"{self._data.dtype.name}, shape {list(self._data.shape)})"
            )
        return builtins.int(self._data.item())

    def __format__(self, spec: str) -> str:
        if not self._data.ndim:
            return format(self.item(), spec)
        return object.__format__(self, spec)

    # -- other libraries ------------------------------------------------------------------------------

    def numpy(self, *, force: builtins.bool = False) -> Array:
        """The array itself, sharing memory.

        Args:
            force: also for a tensor that requires grad; under ``no_grad`` that needs no force.
        Raises:
            ConvgradError: the tensor requires grad and operations are being recorded.
        """
        if self._node is not None and not force and is_grad_enabled():
            raise ConvgradError(
                "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead."
            )
        return self._data

    def __array__(self, dtype: Any = None, copy: Any = None) -> Array:
        array = self.numpy()
        if copy or (dtype is not None and array.dtype != dtype):
            if copy is False:
                raise ValueError("Unable to avoid copy while creating an array as requested.")
            return np.array(array, dtype)
        return array

    def __array_wrap__(self, array: Any, context: Any = None, return_scalar: builtins.bool = False) -> Any:
        """What NumPy's functions give for tensors: a tensor again."""
        return self._wrap(np.asarray(array))


_NUMBERS = frozenset((bool, int, float, complex))


def _is_kind(value: Any) -> bool:
    return type(value) is dtypes.dtype or value in (float, int, bool, complex)


__all__ = ["LEGACY_NAMES", "ConvertMethods"]
