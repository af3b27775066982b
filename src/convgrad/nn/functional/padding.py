"""``pad``: borders around a tensor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...errors import ShapeError
from ...ops import pad as ops
from ...tensor.tensor import Tensor, apply

_BORDERS: dict[tuple[str, int], Any] = {
    ("reflect", 1): ops.ReflectionPad1D,
    ("reflect", 2): ops.ReflectionPad2D,
    ("reflect", 3): ops.ReflectionPad3D,
    ("replicate", 1): ops.ReplicationPad1D,
    ("replicate", 2): ops.ReplicationPad2D,
    ("replicate", 3): ops.ReplicationPad3D,
}


def pad(input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Tensor:
    """Put borders around a tensor, or with negative widths cut them off.

    Args:
        input: any shape.
        pad: widths in elements, last dimension first: ``(left, right, top, bottom, ...)``.
        mode: "constant", "reflect" (mirrored without the edge), "replicate" (the edge) or "circular".
        value: of a constant border; 0 if None.
    Raises:
        ShapeError: an odd number of widths, more than dimensions, or a border the mode cannot fill.
        NotImplementedError: an unknown mode, or one that does not fit the number of dimensions.
    Example:
        >>> pad(Tensor([1.0, 2.0, 3.0]), (1, 0), value=9.0).tolist()
        [9.0, 1.0, 2.0, 3.0]
    """
    shape = input._data.shape
    widths = [int(w) for w in pad]
    if len(widths) % 2:
        raise ShapeError(f"Padding length must be divisible by 2, but got pad={widths}")
    count = len(widths) // 2
    if count > len(shape):
        raise ShapeError(
            f"Padding length should be less than or equal to two times the input dimension but got padding length "
            f"{len(widths)} and input of dimension {len(shape)} (shape {list(shape)})"
        )
    pairs = [(widths[2 * i], widths[2 * i + 1]) for i in range(count)][::-1]
    full = ((0, 0),) * (len(shape) - count) + tuple(pairs)
    for axis, (n, (a, b)) in enumerate(zip(shape, full, strict=True)):
        if n + a + b < 0:
            raise ShapeError(
                f"The input size {n}, plus negative padding {a} and {b}, resulted in a negative output size, which "
                f"is invalid. Check dimension {axis} of your input."
            )
    if mode == "constant":
        return apply(ops.ConstantPad, (input,), (full, 0 if value is None else value))
    if mode not in ("reflect", "replicate", "circular"):
        raise NotImplementedError(f"Unrecognised padding mode {mode}")
    if value is not None and value != 0:
        raise ValueError(f"Padding mode '{mode}' doesn't take in value argument")
    if not 1 <= count <= 3 or len(shape) not in (count + 1, count + 2):
        raise NotImplementedError(
            f"Only 2D, 3D, 4D, 5D padding with non-constant padding are supported for now; got pad of length "
            f"{len(widths)} on input {list(shape)}: mode '{mode}' pads the last {count} of {count + 1} or "
            f"{count + 2} dimensions"
        )
    _check_border(mode, shape, full)
    return apply(_BORDERS.get((mode, count), ops.CircularPad), (input,), (full, mode))


def _check_border(mode: str, shape: tuple[int, ...], full: tuple[tuple[int, int], ...]) -> None:
    for axis, (n, (a, b)) in enumerate(zip(shape, full, strict=True)):
        if mode == "reflect" and max(a, b) >= n and (a or b):
            raise ShapeError(
                "Argument #4: Padding size should be less than the corresponding input dimension, but got: padding "
                f"({a}, {b}) at dimension {axis} of input {list(shape)}"
            )
        if mode == "circular" and max(a, b) > n:
            raise ShapeError(
                f"Padding value causes wrapping around more than once: padding ({a}, {b}) at dimension {axis} of "
                f"input {list(shape)}"
            )
        if mode == "replicate" and n == 0 and (a or b):
            raise ShapeError(f"replicate padding needs a non-empty dimension {axis}, but got {list(shape)}")
