"""What changes all parameters and buffers of a tree of modules: dtypes, devices, memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np

from .. import dtypes
from ..errors import ConvgradError, DeviceError
from ..tensor.tensor import Tensor
from .parameter import replace_array

T = TypeVar("T", bound="MovingMethods")


class MovingMethods:
    """The part of ``Module`` that casts and moves."""

    _parameters: dict[str, Any]
    _buffers: dict[str, Any]
    children: Callable[[], Iterator[Any]]

    def _apply(self: T, fn: Callable[[Any], Any], recurse: bool = True) -> T:
        """Put every parameter, gradient and buffer of the tree through a function of tensors."""
        if recurse:
            for module in self.children():
                module._apply(fn)
        for param in self._parameters.values():
            if param is not None:
                changed = fn(Tensor(param._data, None))._data
                grad = param.grad
                if changed is not param._data:
                    replace_array(param, changed)
                if grad is not None:
                    param.grad = fn(grad)
        for name, buffer in self._buffers.items():
            if buffer is not None:
                self._buffers[name] = fn(buffer)
        return self

    def to(self: T, *args: Any, **kwargs: Any) -> T:
        """Move to a dtype (floating parameters and buffers only); the device can only be the CPU.

        Forms: ``to(dtype)``, ``to(device)``, ``to(device, dtype)``, ``to(tensor)``; ``non_blocking`` and
        ``memory_format`` are accepted by name and change nothing.

        Raises:
            TypeError: a dtype that is neither floating nor complex.
            DeviceError: another device.
        """
        target = _parse_to(args, kwargs)
        if target is not None and target.category < dtypes.FLOATING:
            raise TypeError(
                f"nn.Module.to only accepts floating point or complex dtypes, but got desired dtype={target}"
            )
        if target is not None:
            self._cast(target)
        return self

    def _cast(self: T, target: dtypes.dtype) -> T:
        def cast(t: Any) -> Any:
            if t._data.dtype.kind in "biu" or t._data.dtype is target.np:
                return t
            return Tensor(t._data.astype(target.np), None)

        return self._apply(cast)

    def float(self: T) -> T:
        """Floating parameters and buffers to float32."""
        return self._cast(dtypes.float32)

    def double(self: T) -> T:
        """Floating parameters and buffers to float64."""
        return self._cast(dtypes.float64)

    def half(self: T) -> T:
        """Floating parameters and buffers to float16."""
        return self._cast(dtypes.float16)

    def bfloat16(self: T) -> T:
        """Floating parameters and buffers to bfloat16."""
        return self._cast(dtypes.bfloat16)

    def type(self: T, dst_type: Any) -> T:
        """All parameters and buffers to one dtype, given as such or by an old name ("torch.DoubleTensor").

        Raises:
            ConvgradError: an integer dtype for parameters that require gradients; nothing is changed then.
        """
        target = _named_dtype(dst_type)
        tracked = [
            p for m in _tree(self) for p in m._parameters.values() if p is not None and p.requires_grad
        ]
        if tracked and target.category < dtypes.FLOATING:
            raise ConvgradError(
                "data set to a tensor that requires gradients must be floating point or complex dtype, not "
                f"{target}"
            )
        return self._apply(lambda t: Tensor(t._data.astype(target.np), None))

    def to_empty(self: T, *, device: Any, recurse: bool = True) -> T:
        """New memory for parameters and buffers, with arbitrary values; the device can only be the CPU."""
        check_device(device)
        return self._apply(lambda t: Tensor(np.empty_like(t._data), None), recurse)

    def cpu(self: T) -> T:
        """The module itself: it lives on the CPU."""
        return self

    def cuda(self: T, device: Any = None) -> T:
        """Always an error: convgrad computes on the CPU."""
        raise DeviceError("Module.cuda: convgrad is not compiled with CUDA enabled; it computes on the CPU")

    def xpu(self: T, device: Any = None) -> T:
        """Always an error: convgrad computes on the CPU."""
        raise DeviceError("Module.xpu: convgrad is not compiled with XPU enabled; it computes on the CPU")

    def ipu(self: T, device: Any = None) -> T:
        """Always an error: convgrad computes on the CPU."""
        raise DeviceError("Module.ipu: convgrad has no support for ipu devices; it computes on the CPU")

    def mtia(self: T, device: Any = None) -> T:
        """Always an error: convgrad computes on the CPU."""
        raise DeviceError("Module.mtia: convgrad has no support for mtia devices; it computes on the CPU")

    def share_memory(self: T) -> T:
        """The module itself; threads share memory anyway."""
        return self


def _tree(module: Any) -> Iterator[Any]:
    yield module
    for child in module.children():
        yield from _tree(child)


_OLD_NAMES = {
    "Float": dtypes.float32, "Double": dtypes.float64, "Half": dtypes.float16, "BFloat16": dtypes.bfloat16,
    "Byte": dtypes.uint8, "Char": dtypes.int8, "Short": dtypes.int16, "Int": dtypes.int32,
    "Long": dtypes.int64,
}  # fmt: skip


def _named_dtype(kind: Any) -> dtypes.dtype:
    if isinstance(kind, str):
        found = _OLD_NAMES.get(kind.removeprefix("torch.").removesuffix("Tensor"))
        if found is None:
            raise ValueError(f"invalid type: '{kind}'")
        return found
    return dtypes.as_dtype(kind)


def check_device(device: Any) -> None:
    """Only the CPU (None, "cpu", "cpu:0", device objects of type "cpu").

    Raises:
        DeviceError: any other device.
    """
    kind = getattr(device, "type", device)
    if kind is not None and str(kind).partition(":")[0] not in ("cpu", "meta"):
        hint = " (Torch not compiled with CUDA enabled)" if str(kind).startswith("cuda") else ""
        raise DeviceError(f"device '{device}' was asked for, but convgrad runs on the CPU{hint}: use 'cpu'")


def _parse_to(args: tuple[Any, ...], kwargs: dict[str, Any]) -> dtypes.dtype | None:
    """The dtype that a call of ``to`` asks for; devices are checked."""
    target: Any = kwargs.get("dtype")
    check_device(kwargs.get("device"))
    if isinstance(kwargs.get("tensor"), Tensor):
        args = (kwargs["tensor"], *args)
    for arg in args:
        if isinstance(arg, Tensor):
            target = arg.dtype
        elif isinstance(arg, dtypes.dtype):
            target = arg
        elif not isinstance(arg, bool) and arg is not None:
            check_device(arg)
    return target
