"""New tensors: from data, filled, counted and spaced; and other libraries' memory.

``layout``, ``pin_memory`` and ``memory_format`` are accepted as in PyTorch and change nothing;
``device`` must be the CPU.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from .. import dtypes
from ..device import check_device
from ..dtypes import Array, dtype
from ..errors import ConvgradError, GradError, ShapeError
from ..ops.shape import cast_array
from .arrays import array_of, as_kind, filled, shared, sizes
from .dual import spread
from .methods.operands import fill_value
from .out import into
from .tensor import Tensor


def _made(array: Array, requires_grad: bool = False) -> Tensor:
    """A leaf on an array."""
    if requires_grad and array.dtype.kind not in "fcV":
        raise GradError(
            f"Only Tensors of floating point and complex dtype can require gradients (got {array.dtype.name})"
        )
    out = Tensor(array, None)
    return out.requires_grad_() if requires_grad else out


# -- from data ------------------------------------------------------------------------------------------


def tensor(
    data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, pin_memory: bool = False
) -> Tensor:
    """A new tensor that copies ``data``.

    Args:
        data: a number, nested sequences of numbers, a NumPy array or a tensor.
        dtype: inferred if None: floats give the default dtype, ints int64, NumPy values their own.
        requires_grad: record operations on it.
    Returns:
        a leaf of the shape of ``data``.
    Raises:
        ShapeError: ragged sequences (a ValueError, as in PyTorch).
        TypeError: strings and the like.
    Example:
        >>> tensor([[1, 2], [3, 4.5]]).dtype
        torch.float32

    Source: semantics of torch.tensor.
    """
    check_device(device)
    if hasattr(data, "_data"):
        warnings.warn(
            "To copy construct from a tensor, it is recommended to use sourceTensor.detach().clone() or "
            "sourceTensor.detach().clone().requires_grad_(True), rather than torch.tensor(sourceTensor).",
            stacklevel=2,
        )
    return _made(array_of(data, None if dtype is None else as_kind(dtype)), requires_grad)


def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """``data`` as a tensor, sharing memory (and history) where it can be shared.

    Args:
        data: as for ``tensor``; a tensor comes back as it is, a NumPy array shares its memory.
    Example:
        >>> as_tensor([1, 2]).dtype
        torch.int64
    """
    check_device(device)
    kind = None if dtype is None else as_kind(dtype)
    if isinstance(data, Tensor):
        return data if kind is None else data._cast(kind)
    if isinstance(data, np.ndarray) and (kind is None or data.dtype == kind.np):
        return from_numpy(data)
    return _made(array_of(data, kind))


def asarray(
    obj: Any, *, dtype: Any = None, device: Any = None, copy: Any = None, requires_grad: bool = False
) -> Tensor:
    """``obj`` as a tensor; memory is shared unless ``copy`` is True or the dtype changes."""
    if copy:
        check_device(device)
        out = _made(array_of(obj, None if dtype is None else as_kind(dtype)))
    else:
        if isinstance(obj, (bytes, bytearray, memoryview)):
            out = frombuffer(obj, dtype=as_kind(dtype))
        else:
            if not isinstance(obj, (Tensor, np.ndarray)) and hasattr(obj, "__array_interface__"):
                obj = np.asarray(obj)  # of a storage, or of another library's array
            out = as_tensor(obj, dtype, device)
        if copy is False and not (
            isinstance(obj, (Tensor, np.ndarray)) and np.shares_memory(out._data, _array(obj))
        ):
            raise ValueError("can't alias arbitrary sequence into a tensor.")
    if requires_grad and out._node is None:
        return _made(out._data, True)
    return out


def _array(x: Any) -> Any:
    return x._data if isinstance(x, Tensor) else x


def from_numpy(ndarray: Any) -> Tensor:
    """A tensor on a NumPy array's memory: what one writes, the other sees.

    Raises:
        TypeError: no array, or a dtype that tensors do not have.
        ShapeError: negative strides or a foreign byte order (a ValueError).
    Example:
        >>> a = np.zeros(2); from_numpy(a)[0] = 7; float(a[0])
        7.0
    """
    return Tensor(shared(ndarray), None)


def frombuffer(
    buffer: Any, *, dtype: Any, count: int = -1, offset: int = 0, requires_grad: bool = False
) -> Tensor:
    """A vector on the memory of an object with the buffer protocol.

    Args:
        count: elements to take; -1 takes all.
        offset: bytes to skip first.
    Raises:
        ShapeError: the buffer is empty, too short, or no multiple of the element size (a ValueError).
    """
    kind = as_kind(dtype)
    length = memoryview(buffer).nbytes
    if not length or not count:
        raise ShapeError(f"both buffer length ({length}) and count ({count}) must not be 0")
    if not 0 <= offset < length:
        raise ShapeError(
            f"offset ({offset} bytes) must be non-negative and no greater than buffer length ({length} "
            f"bytes) - 1"
        )
    if count < 0 and (length - offset) % kind.itemsize:
        raise ShapeError(
            f"buffer length ({length - offset} bytes) after offset ({offset} bytes) must be a multiple of "
            f"element size "
            f"({kind.itemsize})"
        )
    if count > 0 and offset + count * kind.itemsize > length:
        raise ShapeError(
            f"requested buffer length ({count} * {kind.itemsize} bytes) after offset ({offset} bytes) "
            f"must not be "
            f"greater than actual buffer length ({length} bytes)"
        )
    return _made(np.frombuffer(buffer, kind.np, count, offset), requires_grad)


# -- filled ---------------------------------------------------------------------------------------------


def zeros(
    *shape: Any, size: Any = None, out: Any = None,
    dtype: Any = None, layout: Any = None, device: Any = None, pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """Zeros of a shape given as ints or as one sequence.

    Example:
        >>> zeros(2, 3).shape
        torch.Size([2, 3])
    """
    if size is not None:
        shape = (size,)
    if out is not None:
        return into("zeros", zeros, out, shape, {"dtype": dtype, "requires_grad": requires_grad})
    check_device(device)
    return _made(np.zeros(sizes("zeros", shape), as_kind(dtype).np), requires_grad)


def ones(
    *shape: Any, size: Any = None, out: Any = None,
    dtype: Any = None, layout: Any = None, device: Any = None, pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """Ones of a shape given as ints or as one sequence."""
    if size is not None:
        shape = (size,)
    if out is not None:
        return into("ones", ones, out, shape, {"dtype": dtype, "requires_grad": requires_grad})
    check_device(device)
    return _made(filled(sizes("ones", shape), 1, as_kind(dtype).np), requires_grad)


def empty(
    *shape: Any, size: Any = None, out: Any = None,
    dtype: Any = None, layout: Any = None, device: Any = None, pin_memory: bool = False,
    requires_grad: bool = False, memory_format: Any = None,
) -> Tensor:  # fmt: skip
    """Uninitialised memory of a shape given as ints or as one sequence."""
    if size is not None:
        shape = (size,)
    if out is not None:
        return into("empty", empty, out, shape, {"dtype": dtype, "requires_grad": requires_grad})
    check_device(device)
    return _made(np.empty(sizes("empty", shape), as_kind(dtype).np), requires_grad)


def full(
    size: Any, fill_value: Any, *, out: Any = None, dtype: Any = None, layout: Any = None, device: Any = None,
    pin_memory: bool = False, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """One number everywhere; its type decides the dtype unless one is given.

    Example:
        >>> full((2,), 7).dtype
        torch.int64
    """
    if out is not None:
        return into("full", full, out, (size, fill_value), {"dtype": dtype, "requires_grad": requires_grad})
    check_device(device)
    if not isinstance(size, (tuple, list)):
        raise TypeError(
            f"full(): argument 'size' (position 1) must be tuple of ints, not {type(size).__name__}"
        )
    return _made(
        _full(sizes("full", (size,)), fill_value, None if dtype is None else as_kind(dtype)), requires_grad
    )


def _full(size: tuple[int, ...], value: Any, kind: dtype | None) -> Array:
    value = value.item() if isinstance(value, Tensor) else value
    kind = dtypes.scalar_dtype(value) if kind is None else kind
    return filled(size, fill_value(value, kind.np), kind.np)


def zeros_like(
    input: Tensor, *, dtype: Any = None, layout: Any = None, device: Any = None, requires_grad: bool = False,
    memory_format: Any = None,
) -> Tensor:  # fmt: skip
    """Zeros of the shape (and, unless given, the dtype) of ``input``."""
    check_device(device)
    return spread(input, _made(np.zeros(input._data.shape, as_kind(dtype, input.dtype).np), requires_grad))


def ones_like(
    input: Tensor, *, dtype: Any = None, layout: Any = None, device: Any = None, requires_grad: bool = False,
    memory_format: Any = None,
) -> Tensor:  # fmt: skip
    """Ones of the shape (and, unless given, the dtype) of ``input``."""
    check_device(device)
    return spread(input, _made(filled(input._data.shape, 1, as_kind(dtype, input.dtype).np), requires_grad))


def empty_like(
    input: Tensor, *, dtype: Any = None, layout: Any = None, device: Any = None, requires_grad: bool = False,
    memory_format: Any = None,
) -> Tensor:  # fmt: skip
    """Uninitialised memory of the shape (and, unless given, the dtype) of ``input``."""
    check_device(device)
    return spread(input, _made(np.empty(input._data.shape, as_kind(dtype, input.dtype).np), requires_grad))


def full_like(
    input: Tensor, fill_value: Any, *, dtype: Any = None, layout: Any = None, device: Any = None,
    requires_grad: bool = False, memory_format: Any = None,
) -> Tensor:  # fmt: skip
    """One number everywhere, in the shape (and, unless given, the dtype) of ``input``."""
    check_device(device)
    return spread(
        input, _made(_full(input._data.shape, fill_value, as_kind(dtype, input.dtype)), requires_grad)
    )


def eye(
    n: int, m: int | None = None, *, dtype: Any = None, layout: Any = None, device: Any = None,
    requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """``n`` rows and ``m`` (or n) columns with ones on the diagonal, zeros elsewhere."""
    check_device(device)
    for name, value in (("n", n), ("m", 0 if m is None else m)):
        if value < 0:
            raise ShapeError(f"{name} must be greater or equal to 0, got {value}")
    return _made(np.eye(n, m, dtype=as_kind(dtype).np), requires_grad)


# -- counted and spaced -----------------------------------------------------------------------------------


#: no int64 overflows on the way to numbers below
_FAR = 2**62


def arange(
    start: Any, end: Any = None, step: Any = 1, *, out: Any = None,
    dtype: Any = None, layout: Any = None, device: Any = None,
    requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """Numbers from ``start`` (0 if only one is given) to ``end``, exclusive, ``step`` apart.

    Args:
        dtype: int64 if all three are ints, else the default dtype.
    Raises:
        ConvgradError: step 0, or of the wrong sign.
    Example:
        >>> arange(1, 2.5, 0.5).tolist()
        [1.0, 1.5, 2.0]
    """
    if out is not None:
        return into(
            "arange", arange, out, (start, end, step), {"dtype": dtype, "requires_grad": requires_grad}
        )
    check_device(device)
    if end is None:
        start, end = 0, start
    plain = dtype is None and type(start) is int and type(end) is int and type(step) is int
    if plain and step > 0 and -_FAR < start <= end < _FAR:
        return _made(np.arange(start, end, step, dtype=np.int64))
    start, end, step = [v.item() if isinstance(v, Tensor) else v for v in (start, end, step)]
    whole = all([isinstance(v, (int, np.integer)) for v in (start, end, step)])
    kind = as_kind(dtype, dtypes.int64 if whole else None)
    if kind is dtypes.bool_:
        raise NotImplementedError("\"arange_cpu\" not implemented for 'Bool'")
    if step == 0:
        raise ConvgradError(f"step must be nonzero (arange({start}, {end}, {step}))")
    if not (math.isfinite(start) and math.isfinite(end)):
        raise ConvgradError(f"unsupported range: {start} -> {end}")
    if (end - start) * step < 0:
        raise ConvgradError(
            f"upper bound and lower bound inconsistent with step sign (arange({start}, {end}, {step}))"
        )
    if kind.category == dtypes.INTEGER:
        count = math.ceil((end - start) / step)
        start, end, step = int(start), int(end), int(step)
        if kind is dtypes.int64:  # whose numbers are counted after they are cut
            if step == 0:
                raise ValueError(f"step must be nonzero in {kind}")
            count = max(0, -(-(end - start) // step))
        return _made((np.arange(count, dtype=np.int64) * step + start).astype(kind.np))
    count = math.ceil((end - start) / step)
    return _made(
        (np.arange(count, dtype=np.float64) * float(step) + float(start)).astype(kind.np), requires_grad
    )


def _spaced(start: Any, end: Any, steps: int, kind: dtype) -> Array:
    """``steps`` numbers from start to end, both ends exact: the first half counts up, the second down."""
    start, end = [v.item() if isinstance(v, Tensor) else v for v in (start, end)]
    if not isinstance(steps, (int, np.integer)):
        raise TypeError(f"argument 'steps' must be int, not {type(steps).__name__} ({steps})")
    if steps < 0:
        raise ConvgradError(f"number of steps must be non-negative (got {steps})")
    work = {dtypes.float64: np.float64, dtypes.complex64: np.complex64, dtypes.complex128: np.complex128}.get(
        kind, np.float32
    )
    if kind.category == dtypes.INTEGER:
        start, end, work = int(start), int(end), np.float64
    first, last = work(start), work(end)
    if steps == 1:
        return np.asarray([first])
    gap = (last - first) / work(max(steps - 1, 1))
    if work is np.float32:  # multiply and add with one rounding, as a fused instruction does
        first, last, gap = np.float64(first), np.float64(last), np.float64(gap)
    index = np.arange(steps)
    half = steps // 2
    out = np.concatenate((first + gap * index[:half], last - gap * (steps - 1 - index[half:])))
    return out.astype(work)


def linspace(
    start: Any, end: Any, steps: int, *, dtype: Any = None, layout: Any = None, device: Any = None,
    requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """``steps`` evenly spaced numbers from ``start`` to ``end``, both included.

    Example:
        >>> linspace(3, 10, 5).tolist()
        [3.0, 4.75, 6.5, 8.25, 10.0]
    """
    check_device(device)
    kind = as_kind(dtype)
    return _made(cast_array(_spaced(start, end, steps, kind), kind.np), requires_grad)


def logspace(
    start: Any, end: Any, steps: int, base: float = 10.0, *, dtype: Any = None, layout: Any = None,
    device: Any = None, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """``base`` to the power of ``steps`` evenly spaced exponents from ``start`` to ``end``."""
    check_device(device)
    kind = as_kind(dtype)
    exponents = _spaced(start, end, steps, kind)
    return _made(cast_array(np.power(np.float64(base), exponents.astype(np.float64)), kind.np), requires_grad)


def tril_indices(
    row: int, col: int, offset: int = 0, *, dtype: Any = dtypes.int64, device: Any = None, layout: Any = None
) -> Tensor:
    """Row and column numbers as a ``(2, n)`` tensor of the lower triangle of a ``row`` by ``col`` matrix."""
    check_device(device)
    return _made(np.stack(np.tril_indices(row, offset, col)).astype(as_kind(dtype).np))


def triu_indices(
    row: int, col: int, offset: int = 0, *, dtype: Any = dtypes.int64, device: Any = None, layout: Any = None
) -> Tensor:
    """Row and column numbers as a ``(2, n)`` tensor of the upper triangle of a ``row`` by ``col`` matrix."""
    check_device(device)
    return _made(np.stack(np.triu_indices(row, offset, col)).astype(as_kind(dtype).np))


# -- PyTorch's old constructors --


class LegacyType(type):
    """The type of ``FloatTensor`` and its kin: calling one makes a Tensor, ``isinstance`` asks the dtype."""

    dtype: dtype

    def __call__(cls, *args: Any, device: Any = None) -> Any:
        check_device(device)
        if len(args) == 1 and not isinstance(args[0], (int, np.integer)):
            if type(args[0]).__name__ == "Size":
                return _made(np.empty(tuple(args[0]), cls.dtype.np))
            return _made(array_of(args[0], cls.dtype))
        return _made(np.empty(sizes(cls.__name__, args) if args else 0, cls.dtype.np))

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, Tensor) and instance.dtype is cls.dtype

    def __repr__(cls) -> str:
        return f"<class 'torch.{cls.__name__}'>"


class FloatTensor(metaclass=LegacyType):
    """A float32 tensor from sizes (uninitialised) or data."""

    dtype = dtypes.float32


class DoubleTensor(metaclass=LegacyType):
    """A float64 tensor from sizes (uninitialised) or data."""

    dtype = dtypes.float64


class HalfTensor(metaclass=LegacyType):
    """A float16 tensor from sizes (uninitialised) or data."""

    dtype = dtypes.float16


class BFloat16Tensor(metaclass=LegacyType):
    """A bfloat16 tensor from sizes (uninitialised) or data."""

    dtype = dtypes.bfloat16


class LongTensor(metaclass=LegacyType):
    """An int64 tensor from sizes (uninitialised) or data."""

    dtype = dtypes.int64


class IntTensor(metaclass=LegacyType):
    """An int32 tensor from sizes (uninitialised) or data."""

    dtype = dtypes.int32


class ShortTensor(metaclass=LegacyType):
    """An int16 tensor from sizes (uninitialised) or data."""

    dtype = dtypes.int16


class CharTensor(metaclass=LegacyType):
    """An int8 tensor from sizes (uninitialised) or data."""

    dtype = dtypes.int8


class ByteTensor(metaclass=LegacyType):
    """A uint8 tensor from sizes (uninitialised) or data."""

    dtype = dtypes.uint8


class BoolTensor(metaclass=LegacyType):
    """A bool tensor from sizes (uninitialised) or data."""

    dtype = dtypes.bool_
