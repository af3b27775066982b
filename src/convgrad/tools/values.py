"""Numbers out of anything array-like, and how they are written in pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def as_array(value: Any) -> Array:
    """The NumPy array behind a tensor, array, list or number, without its gradient history.

    Args:
        value: anything with ``.detach()``, ``.__array__`` or ``.tolist()``, or a nested list.
    Returns:
        An array of a NumPy dtype; types NumPy does not know (bfloat16) come as float64.
    """
    plain = value.detach() if hasattr(value, "detach") else value
    try:
        out = np.asarray(plain)
    except (TypeError, RuntimeError, ValueError):
        if not hasattr(plain, "tolist"):
            raise
        out = np.asarray(plain.tolist())
    if out.dtype == object and hasattr(plain, "tolist"):
        out = np.asarray(plain.tolist())
    if out.dtype.kind not in "biufc":
        out = out.astype(np.float64)
    return out


def as_real(value: Any) -> Array:
    """As ``as_array``, in float64; complex numbers become their magnitude."""
    out = as_array(value)
    return (np.abs(out) if out.dtype.kind == "c" else out).astype(np.float64)


def show(value: Any, digits: int = 4) -> str:
    """One number in at most ``digits`` significant digits.

    Example:
        >>> show(1024.0), show(-1.5), show(True), show(1e-9), show(2 / 3), show(-0.0)
        ('1024', '-1.5', 'True', '1e-9', '0.6667', '0')
    """
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value))
    if isinstance(value, (int, np.integer)):
        return str(int(value))
    if isinstance(value, (complex, np.complexfloating)):
        real, imag = show(float(value.real), digits), show(float(value.imag), digits)
        return f"{real}{'' if imag.startswith('-') else '+'}{imag}j"
    plain = float(value)
    if not math.isfinite(plain):
        return str(plain)
    if plain == 0:
        return "0"
    text = f"{plain:.{digits}g}"
    if "e" in text:
        mantissa, _, power = text.partition("e")
        exponent = int(power)
        if 0 <= exponent < 7:  # 1.024e+03 reads worse than 1024
            return str(round(plain))
        return f"{mantissa}e{exponent}"
    return text


def show_column(values: Sequence[Any], digits: int = 4) -> list[str]:
    """Several numbers for one column of a table."""
    return [show(v, digits) for v in values]


def shape_text(shape: Sequence[int]) -> str:
    """A shape as people write it.

    Example:
        >>> shape_text((2, 3)), shape_text((5,)), shape_text(())
        ('2 × 3', '5', 'scalar')
    """
    return " × ".join(str(int(n)) for n in shape) if len(shape) else "scalar"


def dtype_text(value: Any) -> str:
    """A dtype's bare name: ``float32`` for ``torch.float32``."""
    return str(value).rpartition(".")[2].removeprefix("<class '").removesuffix("'>")


def summary(values: Array) -> list[str]:
    """Three lines about an array too large to print: its min, mean and max (of the finite part)."""
    if values.size == 0:
        return ["(empty)"]
    if values.dtype.kind == "b":
        return [f"true in {int(values.sum())} of {values.size}"]
    real = as_real(values).ravel()
    finite = real[np.isfinite(real)]
    kind = "|·| " if values.dtype.kind == "c" else ""
    lines = []
    if finite.size:
        parts = (("min", finite.min()), ("mean", finite.mean()), ("max", finite.max()))
        lines = [f"{kind}{name:<4} {show(float(v))}" for name, v in parts]
    if finite.size < real.size:
        lines.append(f"not finite: {real.size - finite.size}")
    return lines


def grid_rows(values: Array, *, rows: int = 6, columns: int = 6) -> list[list[str]] | None:
    """The numbers of a small array as rows of text, or None where it is too large to print."""
    if values.ndim > 2 or values.size == 0:
        return None
    table = values.reshape(1, -1) if values.ndim < 2 else values
    if table.shape[0] > rows or table.shape[1] > columns:
        return None
    return [[show(v) for v in row] for row in table.tolist()]
