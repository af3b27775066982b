"""Element types, their relation to NumPy's, and PyTorch's promotion rules.

A ``dtype`` wraps one NumPy dtype under PyTorch's name. Promotion works on three kinds of operand:
tensors with dimensions, tensors without, and Python numbers; a later kind changes the result only
if it is of a higher category (bool < integer < floating < complex). Source: the documentation page
"Tensor Attributes" of PyTorch 2.13, and its ``promote_types`` tabulated by experiment.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import ml_dtypes
import numpy as np

from .errors import ConvgradError, DtypeError

Array: TypeAlias = np.ndarray[Any, Any]
Number: TypeAlias = bool | int | float | complex

BOOL, INTEGER, FLOATING, COMPLEX = range(4)


class dtype:
    """The type of a tensor's elements, such as ``torch.float32``.

    ``itemsize`` is in bytes; ``np`` is the NumPy dtype it stands for.
    """

    __slots__ = ("name", "np", "category", "itemsize", "is_floating_point", "is_complex", "is_signed")

    def __init__(self, name: str, kind: Any, category: int) -> None:
        self.name = name
        self.np: np.dtype[Any] = np.dtype(kind)
        self.category = category
        self.itemsize = self.np.itemsize
        self.is_floating_point = category == FLOATING
        self.is_complex = category == COMPLEX
        self.is_signed = name != "bool" and not name.startswith("uint")

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self) -> tuple[Any, ...]:
        return _by_name, (self.name,)

    def to_real(self) -> dtype:
        """The dtype of the real part."""
        return {complex64: float32, complex128: float64}.get(self, self)

    def to_complex(self) -> dtype:
        """The complex dtype with parts of this one (float16 and bfloat16 take complex64)."""
        if self.is_complex:
            return self
        return complex128 if self is float64 else complex64


float32 = dtype("float32", np.float32, FLOATING)
float64 = dtype("float64", np.float64, FLOATING)
float16 = dtype("float16", np.float16, FLOATING)
bfloat16 = dtype("bfloat16", ml_dtypes.bfloat16, FLOATING)
uint8 = dtype("uint8", np.uint8, INTEGER)
uint16 = dtype("uint16", np.uint16, INTEGER)
uint32 = dtype("uint32", np.uint32, INTEGER)
uint64 = dtype("uint64", np.uint64, INTEGER)
int8 = dtype("int8", np.int8, INTEGER)
int16 = dtype("int16", np.int16, INTEGER)
int32 = dtype("int32", np.int32, INTEGER)
int64 = dtype("int64", np.int64, INTEGER)
bool_ = dtype("bool", np.bool_, BOOL)
complex64 = dtype("complex64", np.complex64, COMPLEX)
complex128 = dtype("complex128", np.complex128, COMPLEX)

ALL = (
    float32, float64, float16, bfloat16, uint8, int8, int16, int32, int64, bool_, complex64, complex128,
    uint16, uint32, uint64,
)  # fmt: skip
#: for storing, moving and viewing; they are promoted with no other integer, as in PyTorch
WIDE_UNSIGNED = frozenset((uint16, uint32, uint64))
ALIASES = {
    "float": float32, "double": float64, "half": float16, "short": int16, "int": int32, "long": int64,
    "cfloat": complex64, "cdouble": complex128, "bool": bool_,
}  # fmt: skip

# NumPy keeps one object per built-in dtype, so the hot path may compare these with `is`.
F32, F64, F16, BF16, I64, B8 = float32.np, float64.np, float16.np, bfloat16.np, int64.np, bool_.np
HALVES = frozenset((F16, BF16))

_FROM_NUMPY = {d.np: d for d in ALL}
_NAMES = {d.name: d for d in ALL}
_SCALAR_TYPES = {bool: bool_, int: int64, float: float64, complex: complex128}


def _by_name(name: str) -> dtype:
    return _NAMES[name]


def from_numpy(np_dtype: np.dtype[Any]) -> dtype:
    """The convgrad dtype of a NumPy dtype.

    Raises:
        DtypeError: NumPy knows it, tensors do not (strings, objects, byte-swapped numbers, ...).
    """
    found = _FROM_NUMPY.get(np_dtype)
    if found is None or not np_dtype.isnative:
        raise DtypeError(
            f"can't convert np.ndarray of type {np_dtype}. The only supported types are: "
            f"{', '.join(d.name for d in ALL)} in native byte order."
        )
    return found


def with_own_dtype(array: Array) -> Array:
    """The same memory under the dtype object that ``is`` asks for: a pickle brings an equal one.

    Raises:
        DtypeError: NumPy knows the dtype, tensors do not.
    """
    own = from_numpy(array.dtype).np
    return array if array.dtype is own else array.view(own)


def as_dtype(value: Any) -> dtype:
    """A dtype from a dtype or a Python type, as ``dtype=`` arguments take it: float means float64 there."""
    if type(value) is dtype:
        return value
    if value in _SCALAR_TYPES:
        return _SCALAR_TYPES[value]
    raise DtypeError(f"dtype must be torch.dtype, not {type(value).__name__}: {value!r}")


class _Default:
    """The floating dtype that Python floats take; one per process, as in PyTorch."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = float32


_default = _Default()


def default_dtype() -> dtype:
    """The dtype of tensors made from Python floats; float32 unless changed."""
    return _default.value


def set_default_dtype(d: dtype) -> None:
    """Set the dtype that Python floats take in new tensors.

    Raises:
        DtypeError: not a floating dtype.
    """
    if type(d) is not dtype or not d.is_floating_point:
        raise DtypeError(f"only floating-point types are supported as the default type, got {d}")
    _default.value = d


_UNSIGNED_WITH = {int8: int16, int16: int16, int32: int32, int64: int64}


def promote_types(type1: dtype, type2: dtype) -> dtype:
    """The smallest dtype that holds both, by PyTorch's table.

    Example:
        >>> promote_types(uint8, int8), promote_types(float16, bfloat16), promote_types(int64, float16)
        (torch.int16, torch.float32, torch.float16)
    """
    a, b = type1, type2
    if a is b:
        return a
    if WIDE_UNSIGNED & {a, b} and a.category < FLOATING and b.category < FLOATING:
        names = " and ".join([SCALAR_NAMES[d.name] for d in (a, b)])
        raise ConvgradError(
            f"Promotion for uint16, uint32, uint64 types is not supported, attempted to promote {names}"
        )
    low, high = (a, b) if a.category <= b.category else (b, a)
    if low.category != high.category:
        if low is float64 and high is complex64:
            return complex128
        return high
    if high.category == INTEGER and (low is uint8 or high is uint8):
        return _UNSIGNED_WITH[high if low is uint8 else low]
    if high.category == FLOATING and low.itemsize == high.itemsize == 2:
        return float32
    return low if low.itemsize > high.itemsize else high


def scalar_dtype(value: Number) -> dtype:
    """The dtype a Python number has in promotion: bool, int64, the default float or its complex."""
    if isinstance(value, (bool, np.bool_)):
        return bool_
    if isinstance(value, (int, np.integer)):
        return int64
    if isinstance(value, (float, np.floating)):
        return default_dtype()
    return default_dtype().to_complex()


def _combine(higher: dtype | None, lower: dtype | None) -> dtype | None:
    if higher is None or lower is None:
        return higher or lower
    if higher.is_complex:
        return higher
    if higher.is_floating_point:
        return higher.to_complex() if lower.is_complex else higher
    if higher is bool_ or lower.category >= FLOATING:
        return promote_types(higher, lower)
    return higher


def result_dtype(dimensioned: list[dtype], zero_dim: list[dtype], numbers: list[dtype]) -> dtype:
    """The common dtype of operands, by kind: tensors with dims, 0-d tensors, Python numbers."""
    combined: dtype | None = None
    for group in (dimensioned, zero_dim, numbers):
        joined: dtype | None = None
        for d in group:
            joined = d if joined is None else promote_types(joined, d)
        combined = _combine(combined, joined)
    if combined is None:
        raise DtypeError("result_type needs at least one operand")
    return combined


def can_cast(from_: dtype, to: dtype) -> bool:
    """Whether an in-place result of ``from_`` may be written into ``to`` (no category is lost).

    Example:
        >>> can_cast(int64, float32), can_cast(float32, int64)
        (True, False)
    """
    if from_.category > to.category and from_.category >= FLOATING:
        return False
    return not (from_ is not bool_ and to is bool_)


class finfo:
    """Limits of a floating dtype: bits, eps, max, min, tiny, smallest_normal, resolution."""

    def __init__(self, kind: dtype | None = None) -> None:
        kind = default_dtype() if kind is None else kind
        if kind.category < FLOATING:
            raise DtypeError(
                f"torch.finfo() requires a floating point input type. Use torch.iinfo to handle {kind}"
            )
        kind = kind.to_real()
        info: Any = ml_dtypes.finfo(kind.np)  # type: ignore[no-untyped-call]
        self.bits = int(info.bits)
        self.eps, self.max, self.min = float(info.eps), float(info.max), float(info.min)
        self.tiny = self.smallest_normal = float(info.smallest_normal)
        self.resolution = float(info.resolution)
        self.dtype = kind.name

    def __repr__(self) -> str:
        return (
            f"finfo(resolution={self.resolution:g}, min={self.min:g}, max={self.max:g}, eps={self.eps:g}, "
            f"smallest_normal={self.smallest_normal:g}, tiny={self.tiny:g}, dtype={self.dtype})"
        )


class iinfo:
    """Limits of an integer dtype: bits, max, min."""

    def __init__(self, kind: dtype) -> None:
        if kind.category != INTEGER:
            raise DtypeError(f"torch.iinfo() requires an integer input type, got {kind}")
        info = np.iinfo(kind.np)
        self.bits, self.max, self.min, self.dtype = info.bits, int(info.max), int(info.min), kind.name

    def __repr__(self) -> str:
        return f"iinfo(min={self.min:g}, max={self.max:g}, dtype={self.dtype})"


#: the names of element types in PyTorch's messages
SCALAR_NAMES = {
    "float32": "Float", "float64": "Double", "float16": "Half", "bfloat16": "BFloat16", "uint8": "Byte",
    "int8": "Char", "int16": "Short", "int32": "Int", "int64": "Long", "bool": "Bool",
    "complex64": "ComplexFloat", "complex128": "ComplexDouble", "uint16": "UInt16", "uint32": "UInt32",
    "uint64": "UInt64",
}  # fmt: skip


def unsupported(kernel: str, kind: Any) -> NotImplementedError:
    """PyTorch's exception for an element type (NumPy's dtype) that a kernel does not take."""
    name = np.dtype(kind).name
    return NotImplementedError(f"\"{kernel}\" not implemented for '{SCALAR_NAMES.get(name, name)}'")
