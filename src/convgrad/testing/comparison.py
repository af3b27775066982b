"""``assert_close``: two tensors (or nests of them) equal to within the precision of their dtype."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..dtypes import Array
from ..tensor.tensor import Tensor

#: (rtol, atol) by dtype; integers and bool must be equal
_TOLERANCES = {
    "float16": (1e-3, 1e-5), "bfloat16": (1.6e-2, 1e-5), "float32": (1.3e-6, 1e-5), "float64": (1e-7, 1e-7),
    "complex64": (1.3e-6, 1e-5), "complex128": (1e-7, 1e-7),
}  # fmt: skip


def assert_close(
    actual: Any,
    expected: Any,
    *,
    allow_subclasses: bool = True,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = False,
    check_device: bool = True,
    check_dtype: bool = True,
    check_layout: bool = True,
    check_stride: bool = False,
    msg: str | Callable[[str], str] | None = None,
) -> None:
    """Fail unless ``|actual - expected| <= atol + rtol |expected|`` everywhere.

    Args:
        actual, expected: tensors, NumPy arrays, numbers, or equal nests of them in sequences and mappings.
        allow_subclasses: whether a subclass may stand against its base.
        rtol, atol: tolerances, both or neither; by default those of the dtype (the looser of two).
        equal_nan: whether NaN equals NaN.
        check_dtype, check_stride: whether these must agree too.
        check_device, check_layout: accepted; there is one device and one layout.
        msg: the message, or a function of the usual one.
    Raises:
        AssertionError: they differ; the message counts the differences and shows the greatest.
        TypeError: something that cannot be compared.
        ValueError: one tolerance without the other.
    Example:
        >>> assert_close(Tensor([1.0, 2.0]), Tensor([1.0, 2.0]))
    """
    if (rtol is None) != (atol is None):
        raise ValueError(
            "Both 'rtol' and 'atol' must be either specified or omitted, but got no "
            f"{'rtol' if rtol is None else 'atol'}."
        )
    problem = _compare(
        actual, expected, (rtol, atol), equal_nan, (check_dtype, check_stride, allow_subclasses), ()
    )
    if problem is not None:
        raise AssertionError(msg(problem) if callable(msg) else msg or problem)


def _compare(
    a: Any,
    b: Any,
    tolerance: tuple[Any, Any],
    nan: bool,
    checks: tuple[bool, bool, bool],
    path: tuple[Any, ...],
) -> str | None:
    """What is wrong, or None."""
    if isinstance(a, (Sequence, Mapping)) and not isinstance(a, (str, bytes)) and not isinstance(a, Tensor):
        found = _compare_nests(a, b, tolerance, nan, checks, path)
        return found
    problem = _compare_leaves(a, b, tolerance, nan, checks)
    if problem is None or not path:
        return problem
    return problem + "\n\nThe failure occurred for item " + "".join([f"[{key!r}]" for key in path])


def _compare_nests(
    a: Any,
    b: Any,
    tolerance: tuple[Any, Any],
    nan: bool,
    checks: tuple[bool, bool, bool],
    path: tuple[Any, ...],
) -> str | None:
    if isinstance(a, Mapping):
        if not isinstance(b, Mapping):
            raise TypeError(f"a mapping cannot be compared with {type(b).__name__}")
        if a.keys() != b.keys():
            return (
                "The keys of the mappings do not match:\n"
                f"Missing keys in the actual mapping: {sorted(b.keys() - a.keys(), key=repr)}\n"
                f"Additional keys in the actual mapping: {sorted(a.keys() - b.keys(), key=repr)}"
            )
        keys: Sequence[Any] = list(a)
    else:
        if not isinstance(b, Sequence):
            raise TypeError(f"a sequence cannot be compared with {type(b).__name__}")
        if len(a) != len(b):
            return f"The length of the sequences mismatch: {len(a)} != {len(b)}"
        keys = range(len(a))
    for key in keys:
        problem = _compare(a[key], b[key], tolerance, nan, checks, (*path, key))
        if problem is not None:
            return problem
    return None


def _compare_leaves(
    a: Any, b: Any, tolerance: tuple[Any, Any], nan: bool, checks: tuple[bool, bool, bool]
) -> str | None:
    check_dtype, check_stride, allow_subclasses = checks
    x, y = _array(a), _array(b)
    if x is None or y is None:
        if a is None and b is None:
            return None
        raise TypeError(f"No comparison pair was able to handle inputs of type {type(a)} and {type(b)}.")
    if isinstance(a, Tensor) != isinstance(b, Tensor) or (not allow_subclasses and type(a) is not type(b)):
        raise TypeError(f"No comparison pair was able to handle inputs of type {type(a)} and {type(b)}.")
    numbers = not isinstance(a, Tensor) and not isinstance(a, np.ndarray)
    if numbers and check_dtype and type(a) is not type(b):
        return f"The (d)types do not match: {type(a)} != {type(b)}."
    if x.shape != y.shape:
        return f"The values for attribute 'shape' do not match: {_shape(a)} != {_shape(b)}."
    if check_dtype and x.dtype != y.dtype:
        return f"The values for attribute 'dtype' do not match: {a.dtype} != {b.dtype}."
    if check_stride and x.strides != y.strides:
        steps = [tuple([s // v.itemsize for s in v.strides]) for v in (x, y)]
        return f"The values for attribute 'stride()' do not match: {steps[0]} != {steps[1]}."
    rtol, atol = tolerance if tolerance[0] is not None else _tolerance(x, y)
    return _difference(_wide(x), _wide(y), rtol, atol, nan)


def _array(value: Any) -> Array | None:
    if isinstance(value, Tensor):
        return value._data
    if isinstance(value, (np.ndarray, np.number, np.bool_, bool, int, float, complex)):
        return np.asarray(value)
    return None


def _shape(value: Any) -> str:
    return str(value.shape) if isinstance(value, Tensor) else f"torch.Size({list(np.shape(value))})"


def _tolerance(x: Array, y: Array) -> tuple[float, float]:
    pairs = [_TOLERANCES.get(v.dtype.name, (0.0, 0.0)) for v in (x, y)]
    return max(pairs[0][0], pairs[1][0]), max(pairs[0][1], pairs[1][1])


def _wide(x: Array) -> Array:
    """x in a dtype in which differences can be taken; single and double precision stay."""
    if x.dtype.kind == "c" or x.dtype in (np.float32, np.float64):
        return x
    return x.astype(np.int64) if x.dtype.kind in "biu" else x.astype(np.float32)


def _difference(x: Array, y: Array, rtol: float, atol: float, nan: bool) -> str | None:
    if x.dtype != y.dtype:
        x, y = x.astype(np.result_type(x, y)), y.astype(np.result_type(x, y))
    with np.errstate(all="ignore"):
        gap = np.abs(x - y)
        close = (x == y) | (gap <= atol + rtol * np.abs(y)) & np.isfinite(y) & np.isfinite(x)
        if nan:
            close |= (x != x) & (y != y)
        if close.all():
            return None
        relative = np.where(close, 0.0, gap / np.abs(y))
    gap = np.where(close, 0 * gap, gap)
    exact = rtol == 0 and atol == 0
    word = "equal" if exact else "close"
    bounds = ("", "") if exact else (f" (up to {atol} allowed)", f" (up to {rtol} allowed)")
    if x.ndim == 0:
        return (
            f"Scalars are not {word}!\n\nExpected {y.item()} but got {x.item()}.\n"
            f"Absolute difference: {gap.item()}{bounds[0]}\nRelative difference: {relative.item()}{bounds[1]}"
        )
    wrong = int(x.size - np.count_nonzero(close))
    lines = [f"Mismatched elements: {wrong} / {x.size} ({100.0 * wrong / x.size:.1f}%)"]
    for name, values, bound in (("absolute", gap, bounds[0]), ("relative", relative, bounds[1])):
        at = tuple(map(int, np.unravel_index(int(np.argmax(values)), values.shape)))
        lines.append(f"Greatest {name} difference: {values[at].item()} at index {at}{bound}")
    return f"Tensor-likes are not {word}!\n\n" + "\n".join(lines)


__all__ = ["assert_close"]
