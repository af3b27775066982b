"""Tensors as text, character for character as PyTorch 2.13 prints them.

One path for every dtype: cut the array down to what will be shown, turn each element into a *cell*, lay the
cells out in rows, append the suffixes. This module sees NumPy arrays and names of dtypes, never a tensor.

The rules were found by experiment and are held by ``tests/parity/test_printing.py``:

* All decisions (notation, column width) look at the elements shown, not at those behind ``...``, and are
  taken in float64 even for half precision.
* Zeros, infinities and nan have no say in notation and width, so a column of them may stand out of line.
* The real and the imaginary parts of complex elements choose their notation separately.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import floor, inf, isfinite, isnan
from threading import Lock
from typing import Any, NamedTuple

import numpy as np


class _Options(NamedTuple):
    """The print options; immutable, so that a thread that prints sees either all or nothing of a change."""

    precision: int = 4
    threshold: float = 1000
    edgeitems: int = 3
    linewidth: float = 80
    sci_mode: bool | None = None


_PROFILES = {
    "default": _Options(),
    "short": _Options(precision=2, edgeitems=2),
    "full": _Options(threshold=inf),
}
_options = _PROFILES["default"]
_options_lock = Lock()  # held by writers only: two changes at once must not lose one of them


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: float | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Choose how tensors are printed, for the whole process; what is not given stays as it is.

    As in PyTorch, ``sci_mode`` is the exception: every call sets it, and leaving it out gives the choice back
    to the printer.

    Args:
        precision: digits after the decimal point.
        threshold: tensors with more elements than this are summarised with ``...``.
        edgeitems: elements shown at each end of a summarised dimension; with 0 the size is shown instead.
        linewidth: characters per line; ``inf`` never breaks a line.
        profile: ``"default"``, ``"short"`` or ``"full"``: set the four above, before those given are applied.
        sci_mode: True for scientific notation, False for none, None to choose by the values.
    Raises:
        ValueError, TypeError: a value that could not be printed with; nothing is changed then.
    Example:
        >>> set_printoptions(precision=2)
        >>> format_tensor(np.array([0.5, 1.0], np.float32), "float32")
        'tensor([0.50, 1.00])'
        >>> set_printoptions(profile="default")

    Source: semantics of torch.set_printoptions.
    """
    global _options
    given = {
        "precision": _count("precision", precision),
        "threshold": _number("threshold", threshold),
        "edgeitems": _count("edgeitems", edgeitems),
        "linewidth": _number("linewidth", linewidth),
    }
    if profile is not None and profile not in _PROFILES:
        raise ValueError(f"set_printoptions: profile must be one of {[*_PROFILES]}, but got {profile!r}")
    changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    with _options_lock:
        start = _options if profile is None else _PROFILES[profile]
        _options = start._replace(**changes, sci_mode=sci_mode)


def get_printoptions() -> dict[str, Any]:
    """The print options in force, as a new dictionary that ``set_printoptions`` accepts.

    Returns:
        ``precision``, ``threshold``, ``edgeitems``, ``linewidth`` and ``sci_mode``.
    Example:
        >>> get_printoptions()["linewidth"]
        80
    """
    return _options._asdict()


@contextmanager
def printoptions(**changes: Any) -> Iterator[None]:
    """Change the print options inside a ``with`` block; afterwards all are as they were before it.

    Args:
        changes: as for ``set_printoptions``. The change is seen by all threads.
    Example:
        >>> with printoptions(sci_mode=True):
        ...     format_tensor(np.array([10.0], np.float32), "float32")
        'tensor([1.0000e+01])'
    """
    global _options
    before = _options
    set_printoptions(**changes)
    try:
        yield
    finally:
        with _options_lock:
            _options = before


def format_tensor(
    data: np.ndarray,
    dtype_name: str,
    *,
    requires_grad: bool = False,
    grad_fn: str | None = None,
    default_dtype_name: str = "float32",
    prefix: str = "tensor(",
    indent: int | None = None,
    suffixes: Sequence[str] = (),
    contents: str | None = None,
) -> str:
    """The complete ``repr`` of a tensor.

    Args:
        data: its elements, any shape: bool, integers, floats (also ``ml_dtypes.bfloat16``) or complex.
        dtype_name: the dtype to name, e.g. ``"bfloat16"``; left out of the text where it goes without saying.
        requires_grad: whether the tensor asks for a gradient; said only where there is no ``grad_fn``.
        grad_fn: name of the node that made the tensor, e.g. ``"SubBackward0"``.
        default_dtype_name: the default dtype, which needs no naming, nor does the complex dtype of its parts.
        prefix: what opens the text; a subclass ``S`` of Tensor says ``"S("``.
        indent: columns before the elements on the lines after the first; the length of ``prefix`` if None.
        suffixes: further suffixes at the end, e.g. ``"tangent=tensor([1.])"``.
        contents: text to print instead of the elements.
    Returns:
        One string, of several lines if need be, without a newline at its end.
    Example:
        >>> print(format_tensor(np.array([[1, 2.5]]), "float64", requires_grad=True))
        tensor([[1.0000, 2.5000]], dtype=torch.float64, requires_grad=True)
        >>> print(format_tensor(np.zeros((0, 3), np.float32), "float32"))
        tensor([], size=(0, 3))

    Source: observed behaviour of torch.Tensor.__repr__.
    """
    options = _options
    margin = len(prefix) if indent is None else indent
    if contents is None:
        contents = _elements(data, options, margin)
    notes = []
    if (data.ndim != 1) if data.size == 0 else (options.edgeitems == 0):
        notes.append(f"size={tuple(data.shape)}")
    if not _goes_without_saying(dtype_name, default_dtype_name, empty=data.size == 0):
        notes.append(f"dtype=torch.{dtype_name}")
    if grad_fn is not None:
        notes.append(f"grad_fn=<{grad_fn}>")
    elif requires_grad:
        notes.append("requires_grad=True")
    return _append_notes(prefix + contents, [*notes, *suffixes], margin, options.linewidth) + ")"


def format_scalar_value(data: np.ndarray, spec: str = "") -> str:
    """The text of ``format(tensor, spec)`` and of an f-string for a tensor without dimensions.

    Args:
        data: array with no dimensions, any dtype of ``format_tensor``.
        spec: format specification of the Python number that ``.item()`` gives.
    Raises:
        TypeError: the array has dimensions: the specification says nothing about those.
        ValueError: the specification is not one for this kind of number.
    Example:
        >>> format_scalar_value(np.array(2 / 3, np.float32), ".3f")
        '0.667'
    """
    if data.ndim:
        raise TypeError(
            f"unsupported format string passed to Tensor.__format__: {spec!r} formats one number, "
            f"but the tensor has shape {tuple(data.shape)}; use .item(), .tolist() or str()"
        )
    return format(_values(data)[0], spec)


def _count(name: str, value: Any) -> int | None:
    """``value`` as a number of things, or None."""
    if value is None:
        return None
    if not isinstance(value, (int, np.integer)):
        raise TypeError(f"set_printoptions: {name} must be an int, but got {value!r}")
    if value < 0:
        raise ValueError(f"set_printoptions: {name} must not be negative, but got {value}")
    return int(value)


def _number(name: str, value: Any) -> float | None:
    """``value`` if it is a real number, or None."""
    if value is None:
        return None
    if not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f"set_printoptions: {name} must be a number, but got {value!r}")
    if isnan(value):
        raise ValueError(f"set_printoptions: {name} must be a number, but got nan")
    return value  # type: ignore[return-value]


def _elements(data: np.ndarray, options: _Options, indent: int) -> str:
    """The bracketed elements, without prefix and suffixes."""
    if data.size == 0:
        return "[]"
    edge = options.edgeitems
    cut = [data.size > options.threshold and length > 2 * edge for length in data.shape]
    if any(cut):
        if edge == 0:
            return "[...]"
        data = _edges(data, cut, edge)
    cells, width = _cells(data, options)
    return _Layout(cells, width, data.shape, cut, edge, options.linewidth).block(0, 0, indent)


def _edges(data: np.ndarray, cut: list[bool], edge: int) -> np.ndarray:
    """``data`` without the middle of the dimensions that are cut; those keep ``edge`` at each end."""
    kept = [
        np.r_[:edge, length - edge : length] if short else np.arange(length)
        for length, short in zip(data.shape, cut, strict=True)
    ]
    return data[np.ix_(*kept)]


def _values(data: np.ndarray) -> list[Any]:
    """The elements as Python numbers, in row-major order; all floats pass exactly through float64."""
    if data.dtype.kind not in "biufc":  # ml_dtypes.bfloat16, whose items are not Python floats
        data = data.astype(np.float64)
    return data.ravel().tolist()


def _cells(data: np.ndarray, options: _Options) -> tuple[list[str], int]:
    """The text of every element, padded to its column, and the width of a column.

    The width counts for breaking lines; cells of zeros, infinities and nan may be longer than it.
    """
    if data.dtype.kind in "biu":
        cells = [str(value) for value in _values(data)]
        width = max(map(len, cells))
    elif data.dtype.kind == "c":
        real, real_width = _float_cells(_values(data.real), options)
        imag, imag_width = _float_cells(_values(data.imag), options)
        # Imaginary parts follow the real ones without padding, so only the real parts stand in columns.
        return [
            f"{re:>{real_width}}{'' if im[0] == '-' else '+'}{im}j" for re, im in zip(real, imag, strict=True)
        ], real_width + imag_width + 1
    else:
        cells, width = _float_cells(_values(data), options)
    return [cell.rjust(width) for cell in cells], width


def _float_cells(values: list[float], options: _Options) -> tuple[list[str], int]:
    """Floats in one common notation, not yet padded, and the width of their column."""
    sizes = [abs(value) for value in values if value and isfinite(value)]
    whole = all(size.is_integer() for size in sizes)
    if _is_scientific(sizes, whole, options.sci_mode):
        cells = [format(value, f".{options.precision}e") for value in values]
    elif whole:  # "3." says that a float is meant
        cells = [f"{value:.0f}." if isfinite(value) else str(value) for value in values]
    else:
        cells = [format(value, f".{options.precision}f") for value in values]
    widths = [len(cell) for cell, value in zip(cells, values, strict=True) if value and isfinite(value)]
    return cells, max(widths, default=1)


def _is_scientific(sizes: list[float], whole: bool, wish: bool | None) -> bool:
    """Whether non-zero finite magnitudes need an exponent: far apart, huge, or with digits lost otherwise."""
    if not sizes:
        return False
    if wish is not None:
        return wish
    low, high = min(sizes), max(sizes)
    return high / low > 1000 or high > 1e8 or (low < 1e-4 and not whole)


class _Layout(NamedTuple):
    """Cells, and all that says where on which line they go."""

    cells: list[str]
    width: int
    shape: tuple[int, ...]
    cut: list[bool]
    edge: int
    linewidth: float

    def block(self, dim: int, start: int, indent: int) -> str:
        """The text of one sub-array.

        Args:
            dim: number of leading dimensions already indexed.
            start: position in ``cells`` of its first element.
            indent: column at which its bracket opens.
        """
        inner = len(self.shape) - dim
        if inner == 0:
            return self.cells[start]
        if inner == 1:
            return self._row(start, indent)
        length = self.shape[dim]
        step = int(np.prod(self.shape[dim + 1 :], dtype=np.int64))
        parts = [self.block(dim + 1, start + i * step, indent + 1) for i in range(length)]
        if self.cut[dim]:
            parts.insert(self.edge, "...")
        # A blank line between matrices, two between stacks of matrices, and so on.
        return "[" + ("," + "\n" * (inner - 1) + " " * (indent + 1)).join(parts) + "]"

    def _row(self, start: int, indent: int) -> str:
        """The innermost dimension, broken into lines of equally many cells; ``...`` counts as one."""
        row = self.cells[start : start + self.shape[-1]]
        if self.cut[-1]:
            row.insert(self.edge, " ...")
        room = (self.linewidth - indent) / (self.width + 2)
        per_line = floor(max(1, min(room, len(row))))  # bounded first: the line width may be infinite
        lines = [", ".join(row[i : i + per_line]) for i in range(0, len(row), per_line)]
        return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"


def _goes_without_saying(dtype_name: str, default: str, *, empty: bool) -> bool:
    """Whether a reader can tell the dtype from the elements alone; of no elements, only the default."""
    if dtype_name == default:
        return True
    complex_default = "complex128" if default == "float64" else "complex64"
    return not empty and dtype_name in ("int64", "bool", complex_default)


def _append_notes(text: str, notes: Sequence[str], indent: int, linewidth: float) -> str:
    """``text`` with the notes after it, each on the line where it fits, or else on a new one."""
    # PyTorch takes the last line of the elements for two characters longer than it is, and so must we.
    column = len(text) - text.rfind("\n") + 1
    for note in notes:
        if column + len(note) + 2 > linewidth:
            text += ",\n" + " " * indent + note
            column = indent + len(note)
        else:
            text += ", " + note
            column += len(note) + 2
    return text
