"""Arrays out of what users write: nested lists, numbers, sizes, dtypes. Knows no Tensor by name.

A tensor is recognised by its ``_data``.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy import ndarray

from .. import dtypes
from ..dtypes import F32, Array, dtype
from ..errors import ConvgradError, DtypeError, ShapeError
from ..ops.shape import cast_array

_PLAIN = frozenset((bool, int, float, complex))


def as_kind(value: Any, default: dtype | None = None) -> dtype:
    """The dtype a ``dtype=`` argument names: a dtype, or float, int, bool, complex (64-bit forms)."""
    if value is None:
        return dtypes.default_dtype() if default is None else default
    if value is float:
        return dtypes.float64
    if value is complex:
        return dtypes.complex128
    return dtypes.as_dtype(value)


def sizes(name: str, args: tuple[Any, ...]) -> tuple[int, ...]:
    """Sizes given one by one or as one sequence.

    Raises:
        TypeError: something that is no int.
        ShapeError: a negative size.
    """
    if not args:
        raise TypeError(f'{name}() missing 1 required positional arguments: "size"')
    if len(args) == 1 and isinstance(args[0], (tuple, list)):
        args = tuple(args[0])
    for n in args:
        if type(n) is not int or n < 0:
            break
    else:  # the usual case
        return args
    out = []
    for n in args:
        if type(n) is not int:
            if isinstance(n, (bool, float, str)) or not hasattr(n, "__index__"):
                raise TypeError(
                    f"{name}(): argument 'size' must be tuple of ints, but found {type(n).__name__}: {n!r}"
                )
            n = n.__index__()
        if n < 0:
            raise ShapeError(
                f"{name}: Dimension size must be non-negative. (Trying to create tensor with negative "
                f"dimension {n}: {list(args)})"
            )
        out.append(n)
    return tuple(out)


def filled(shape: tuple[int, ...], value: Any, kind: np.dtype[Any]) -> Array:
    """One number everywhere: ``np.full`` and ``np.ones`` of a small array take three times as long."""
    out: Array = np.empty(shape, kind)
    out.fill(value)
    return out


def array_of(data: Any, kind: dtype | None = None) -> Array:
    """A fresh array of numbers, nested sequences, NumPy arrays or tensors, by PyTorch's rules.

    Without ``kind``: floats take the default dtype, ints int64, NumPy values and tensors their own.

    Raises:
        ShapeError: a ragged sequence (a ValueError).
        TypeError: strings and other things that are no numbers.
        ConvgradError: a number that does not fit into ``kind``.
    """
    if hasattr(data, "_data"):
        return _copied(data._data, kind)
    if isinstance(data, (ndarray, np.generic)):
        return _copied(from_foreign(np.asarray(data)), kind)
    if kind is None and (type(data) is float or (type(data) is list and set(map(type, data)) == {float})):
        return _of_floats(data, dtypes.default_dtype().np)
    if type(data) in _PLAIN:
        return _filled([data], (1,), {type(data)}, kind).reshape(())
    if not _is_sequence(data):
        if isinstance(data, str):
            raise TypeError(f"new(): invalid data type 'str' (got {data!r})")
        if hasattr(data, "__array__"):
            return _copied(from_foreign(np.asarray(data)), kind)
        raise ConvgradError(f"Could not infer dtype of {type(data).__name__}")
    shape = _shape_of(data)
    found: set[Any] = set()
    _scan(data, shape, 0, found)
    return _filled(data, shape, found, kind)


def _of_floats(data: Any, kind: np.dtype[Any]) -> Array:
    """A float or a list of floats, in a float dtype."""
    if kind is F32 and (type(data) is float or len(data) <= 16):
        low, high = (data, data) if type(data) is float else (min(data), max(data))
        if low > -1e38 and high < 1e38:  # nothing overflows: no warning has to be kept back, which takes 1 us
            return np.array(data, kind)
    return cast_array(np.array(data), kind)


def _copied(array: Array, kind: dtype | None) -> Array:
    if kind is None or array.dtype == kind.np:
        return array.copy(order="C")
    return cast_array(array, kind.np)


def _is_sequence(value: Any) -> bool:
    if isinstance(value, (list, tuple, range)):
        return True
    if isinstance(value, (str, bytes, set, frozenset, dict)):
        return False
    if hasattr(value, "_data"):
        return bool(value._data.size != 1)  # one element counts as a number
    if isinstance(value, ndarray):
        return value.ndim > 0
    return hasattr(value, "__len__") and hasattr(value, "__getitem__")


def _shape_of(data: Any) -> tuple[int, ...]:
    """Sizes along the first element of each level."""
    shape: list[int] = []
    while _is_sequence(data):
        if isinstance(data, ndarray):
            return (*shape, *data.shape)
        if hasattr(data, "_data"):
            raise ShapeError(
                "only one element tensors can be converted to Python scalars (stack() joins tensors)"
            )
        shape.append(len(data))
        if not shape[-1]:
            break
        data = data[0]
    return tuple(shape)


def _scan(data: Any, shape: tuple[int, ...], depth: int, found: set[Any]) -> None:
    """Check the lengths of all sequences and gather the types (or dtypes) of what they hold."""
    if isinstance(data, ndarray) and data.shape == shape[depth:]:
        found.add(dtypes.from_numpy(data.dtype))
        return
    if len(data) != shape[depth]:
        raise ShapeError(f"expected sequence of length {shape[depth]} at dim {depth} (got {len(data)})")
    if depth < len(shape) - 1:
        for item in data:
            if not _is_sequence(item):
                raise TypeError(
                    f"not a sequence: {type(item).__name__} where dim {depth + 1} needs length "
                    f"{shape[depth + 1]}"
                )
            _scan(item, shape, depth + 1, found)
        return
    types = set(map(type, data))
    for kind in types:
        if kind in _PLAIN:
            found.add(kind)
        elif issubclass(kind, str):
            raise ShapeError(f"too many dimensions 'str' (got a string at dim {depth})")
    if not types <= _PLAIN:
        found.update([_leaf_kind(item) for item in data if type(item) not in _PLAIN])


def _leaf_kind(item: Any) -> dtype:
    array = item._data if hasattr(item, "_data") else item
    if isinstance(array, (ndarray, np.generic)):
        if array.size != 1:
            raise ShapeError("only one element tensors can be converted to Python scalars")
        return dtypes.from_numpy(array.dtype)
    for kind in (bool, int, float, complex):
        if isinstance(item, kind):
            return dtypes.scalar_dtype(item)
    if _is_sequence(item):
        raise TypeError(f"'{type(item).__name__}' object cannot be interpreted as a number")
    raise ConvgradError(f"Could not infer dtype of {type(item).__name__}")


def _filled(data: Any, shape: tuple[int, ...], found: set[Any], kind: dtype | None) -> Array:
    """The array of a checked sequence."""
    inferred: dtype | None = None
    for item in found:
        one = dtypes.scalar_dtype(item()) if item in _PLAIN else item
        inferred = one if inferred is None else dtypes.promote_types(inferred, one)
    if inferred is None:
        inferred = dtypes.default_dtype()
    target = inferred if kind is None else kind
    if target.category < dtypes.COMPLEX and inferred.category == dtypes.COMPLEX:
        raise DtypeError(f"must be real number, not complex (dtype={target})")
    if not found <= _PLAIN:
        data = _bare(data)
    try:
        wide = np.array(data, None if found else target.np)
        if found and wide.dtype.kind == "O":
            raise OverflowError
    except (OverflowError, ValueError):
        raise ShapeError("Overflow when unpacking long long: an int does not fit into int64") from None
    wide = wide.reshape(shape)
    if wide.dtype.kind == "u" and wide.dtype.itemsize == 8 and target is not dtypes.uint64:
        raise ShapeError("Overflow when unpacking long long: an int does not fit into int64")
    if target.category == dtypes.INTEGER and wide.size and wide.dtype.kind in "iu":
        limits = np.iinfo(target.np)
        low = int(limits.min) if target.is_signed or target is dtypes.uint64 else -int(limits.max)
        if target is dtypes.uint64 and int(wide.min()) < 0:
            raise OverflowError("can't convert negative int to unsigned")
        if int(wide.max()) > limits.max or int(wide.min()) < low:
            raise ConvgradError(f"value cannot be converted to type {target.name} without overflow")
    return cast_array(wide, target.np) if wide.dtype != target.np else np.asarray(wide, order="C")


def _bare(data: Any) -> Any:
    """Nested sequences with NumPy's and tensors' numbers as Python's."""
    if hasattr(data, "_data"):
        return data._data.item()
    if isinstance(data, ndarray):
        return data.tolist()
    if isinstance(data, np.generic):
        return data.item()
    return [_bare(item) for item in data] if _is_sequence(data) else data


_NUMPY_NAMES = (
    "float64, float32, float16, complex64, complex128, int64, int32, int16, int8, uint64, uint32, "
    "uint16, uint8, and bool"
)


def from_foreign(array: Array) -> Array:
    """An array that a tensor may stand on, or the error PyTorch raises."""
    if array.dtype not in dtypes._FROM_NUMPY or not array.dtype.isnative:
        if not array.dtype.isnative:
            raise ShapeError(
                "given numpy array has byte order different from the native byte order. Conversion "
                "between byte orders "
                "is currently not supported. (array.astype(array.dtype.newbyteorder('=')) converts)"
            )
        raise DtypeError(
            f"can't convert np.ndarray of type numpy.{array.dtype.type.__name__}. The only supported "
            f"types are: "
            f"{_NUMPY_NAMES}."
        )
    return dtypes.with_own_dtype(array)


def shared(array: Any) -> Array:
    """The memory of a NumPy array for a tensor to stand on.

    Raises:
        TypeError: no array.
        ShapeError: negative strides, or a foreign byte order (a ValueError).
        DtypeError: a dtype that tensors do not have.
    """
    if not isinstance(array, ndarray):
        raise TypeError(
            f"expected np.ndarray (got {type(array).__name__}); for lists and numbers use torch.tensor()"
        )
    array = from_foreign(array)
    if any([s < 0 and n > 1 for s, n in zip(array.strides, array.shape, strict=True)]):
        raise ShapeError(
            "At least one stride in the given numpy array is negative, and tensors with negative strides "
            "are not "
            "currently supported. (You can probably work around this by making a copy of your array with "
            "array.copy().)"
        )
    if any([s % array.itemsize for s in array.strides]):
        raise ShapeError(
            "given numpy array strides not a multiple of the element byte size. Copy the numpy array first."
        )
    if not array.flags.writeable:
        warnings.warn(
            "The given NumPy array is not writable: writing to the tensor raises an error. Copy the array "
            "to protect "
            "its data or make it writable before converting it to a tensor.",
            stacklevel=3,
        )
    return array if type(array) is ndarray else array.view(ndarray)


def legacy_array(args: list[Any], kind: Any = None) -> Array:
    """The array behind ``torch.Tensor(...)``: sizes give uninitialised memory, a sequence gives values."""
    kind = dtypes.default_dtype().np if kind is None else kind
    if len(args) == 1 and not isinstance(args[0], int):
        value = args[0]
        if hasattr(value, "_data"):
            held: Array = value._data
            return held
        if type(value).__name__ == "Size":
            return np.empty(value, kind)
        return np.array(value, kind)
    return np.empty(args, kind) if args else np.empty(0, kind)
