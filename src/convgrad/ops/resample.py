"""Resampling of signals, images and volumes: each output is a weighted sum of a few inputs, axis by axis.

All of these are linear and separable. Along one axis the weights are a table, ``(outputs, taps)``
positions and as many weights, made once per size and remembered; the adjoint is the same sum with the
transposed table.

Sources: Keys 1981, Cubic convolution interpolation for digital image processing (bicubic); semantics of
torch.nn.functional.interpolate.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from ..dtypes import F32, F64, HALVES, Array
from ..kernels import table as kernels
from ..kernels.cubic import CUBIC_SMOOTH, CUBIC_TAPS
from .formula import Value, call
from .op import Linear

#: from so many taps on one matrix product is quicker than a sum of gathered pieces
_DENSE = 9


class Axis(NamedTuple):
    """How one axis is resampled: by which kernel, from n to m elements.

    ``scale`` is the factor the user gave, if it is to count rather than ``m / n``; ``single`` computes
    positions in float32, where they decide which neighbour is nearest.
    """

    kind: str
    n: int
    m: int
    scale: float | None
    align: bool
    smooth: bool
    single: bool


Axes: TypeAlias = tuple[Axis, ...]
Table: TypeAlias = "tuple[Array, Array | None]"


def _step(axis: Axis, number: Any) -> Any:
    """How far apart two outputs lie in the input."""
    if axis.align:
        return number(axis.n - 1) / number(axis.m - 1) if axis.m > 1 else number(0)
    return number(1 / axis.scale) if axis.scale else number(axis.n) / number(axis.m)


def _nearest(axis: Axis) -> Table:
    number: Any = np.float32 if axis.single else np.float64
    places = np.arange(axis.m, dtype=number)
    step = _step(axis, number)
    if axis.kind == "nearest":
        places = places * step
    else:  # exact: the pixel whose area holds the output's centre
        places = np.maximum(step * (places + number(0.5)) - number(0.5), number(0)) + number(0.5)
    index = np.floor(places.astype(np.float32)).astype(np.intp)
    return np.minimum(index, axis.n - 1)[:, None], None


def _linear(axis: Axis) -> Table:
    step, places = _step(axis, np.float64), np.arange(axis.m, dtype=np.float64)
    places = places * step if axis.align else np.maximum(step * (places + 0.5) - 0.5, 0.0)
    first = np.minimum(np.floor(places).astype(np.intp), axis.n - 1)
    t = np.clip(places - first, 0.0, 1.0)
    return np.stack((first, np.minimum(first + 1, axis.n - 1)), 1), np.stack((1.0 - t, t), 1)


def _cubic(axis: Axis) -> Table:
    step, places = _step(axis, np.float64), np.arange(axis.m, dtype=np.float64)
    places = places * step if axis.align else step * (places + 0.5) - 0.5
    first = np.floor(places)
    t = places - first
    index = first.astype(np.intp)[:, None] + np.arange(-1, 3)
    weight = np.stack([np.polyval(tap, t) for tap in CUBIC_TAPS], 1)
    return np.clip(index, 0, axis.n - 1), weight


def _triangle(x: Array) -> Array:
    return np.maximum(1.0 - np.abs(x), 0.0)


def _keys(x: Array) -> Array:
    a, x = CUBIC_SMOOTH, np.abs(x)
    near, far = ((a + 2) * x - (a + 3)) * x * x + 1, ((x - 5) * x + 8) * x - 4
    return np.where(x < 1, near, np.where(x < 2, a * far, 0.0))


def _smooth(axis: Axis) -> Table:
    """A kernel as wide as the outputs lie apart, so that nothing aliases."""
    step = float(_step(axis, np.float64))
    kernel, reach = (_triangle, 1.0) if axis.kind == "linear" else (_keys, 2.0)
    reach *= max(step, 1.0)
    centre = step * (np.arange(axis.m) + 0.5)
    low = np.maximum((centre - reach + 0.5).astype(np.intp), 0)
    high = np.minimum((centre + reach + 0.5).astype(np.intp), axis.n)
    index = low[:, None] + np.arange(int((high - low).max(initial=1)))
    weight = kernel((index - centre[:, None] + 0.5) / max(step, 1.0))
    weight[index >= high[:, None]] = 0.0
    total = weight.sum(1, keepdims=True)
    return np.minimum(index, axis.n - 1), weight / np.where(total == 0, 1.0, total)


_TABLES: dict[str, Callable[[Axis], Table]] = {
    "nearest": _nearest, "nearest-exact": _nearest, "linear": _linear, "cubic": _cubic,
}  # fmt: skip


@lru_cache(maxsize=128)
def table(axis: Axis, transposed: bool = False) -> Table:
    """Positions and weights (None: all 1) of every output, or for the adjoint of every input."""
    index, weight = _smooth(axis) if axis.smooth else _TABLES[axis.kind](axis)
    return _transposed(index, weight, axis.n) if transposed else (index, weight)


def _transposed(index: Array, weight: Array | None, n: int) -> Table:
    """For each input the outputs it serves; rows are filled up with weight 0."""
    m, taps = index.shape
    source = index.reshape(-1)
    order = np.argsort(source, kind="stable")
    counts = np.bincount(source, minlength=n)
    within = np.arange(m * taps) - np.repeat(np.cumsum(counts) - counts, counts)
    places = np.zeros((n, max(int(counts.max(initial=0)), 1)), np.intp)
    weights = np.zeros(places.shape)
    rows = source[order]
    places[rows, within] = order // taps
    weights[rows, within] = 1.0 if weight is None else weight.reshape(-1)[order]
    return places, weights


@lru_cache(maxsize=128)
def _sums(axis: Axis, transposed: bool, dtype: np.dtype[Any]) -> Table:
    """The table as kernels take it, its weights in the dtype of what they weigh."""
    index, weight = table(axis, transposed)
    whole = np.ascontiguousarray(index, np.int64)
    return whole, None if weight is None else np.ascontiguousarray(weight, dtype)


@lru_cache(maxsize=32)
def _matrix(axis: Axis, transposed: bool, dtype: np.dtype[Any]) -> Array:
    index, weight = table(axis)
    out = np.zeros((axis.m, axis.n))
    np.add.at(out, (np.arange(axis.m)[:, None], index), 1.0 if weight is None else weight)
    return (out.T if transposed else out).astype(dtype)


class _Step(NamedTuple):
    """One axis, counted from the first that is resampled, and what it is summed with."""

    at: int
    places: Array
    weight: Array | None
    matrix: Array | None


@lru_cache(maxsize=256)
def _steps(axes: Axes, transposed: bool, dtype: np.dtype[Any]) -> tuple[_Step, ...]:
    """The axes in the order they are summed: what shrinks first, then the last."""
    growth = [axis.n / axis.m if transposed else axis.m / axis.n for axis in axes]
    found = []
    for k in sorted(range(len(axes)), key=lambda k: (growth[k], -k)):
        index, weight = _sums(axes[k], transposed, dtype)
        dense = weight is not None and index.shape[1] >= _DENSE
        found.append(_Step(k, index, weight, _matrix(axes[k], transposed, dtype) if dense else None))
    return tuple(found)


def _times(x: Array, at: int, matrix: Array) -> Array:
    """One axis of x multiplied by a matrix."""
    if at == x.ndim - 1:
        return np.asarray(x @ matrix.T)
    return np.ascontiguousarray(np.moveaxis(matrix @ np.moveaxis(x, at, -2), -2, at))


def _bytes_along(x: Array, at: int, axis: Axis) -> Array:
    """One axis of uint8, with weights in fixed point of 15 bits: the result is PyTorch's to the bit."""
    matrix = _matrix(axis, False, F64)
    bits = 22
    while int(0.5 + matrix.max() * (1 << bits)) >= 1 << 15:
        bits -= 1
    fixed = np.trunc(matrix * (1 << bits) + np.copysign(0.5, matrix))
    sums = np.moveaxis(x.astype(F64), at, -1) @ fixed.T  # whole numbers: exact
    out = np.clip(np.floor((sums + (1 << (bits - 1))) / (1 << bits)), 0, 255)
    return np.moveaxis(out, -1, at).astype(x.dtype)


def resampled(x: Array, axes: Axes, transposed: bool = False) -> Array:
    """The last axes of x resampled; half precision is summed in float32."""
    kind, lead = x.dtype, x.ndim - len(axes)
    if kind is F32 or kind is F64:
        return _summed(x, lead, axes, transposed)
    exact = not transposed and axes[0].kind.startswith("nearest")
    if kind.kind == "u" and not exact:
        for k in reversed([k for k, axis in enumerate(axes) if axis.n != axis.m]):
            x = _bytes_along(x, lead + k, axes[k])
        return x.copy()
    if kind in HALVES and not exact:
        x = x.astype(F32)
    return _summed(x, lead, axes, transposed).astype(kind, copy=False)


def _summed(x: Array, lead: int, axes: Axes, transposed: bool) -> Array:
    for at, places, weight, matrix in _steps(axes, transposed, x.dtype):
        if matrix is not None:
            x = _times(x, lead + at, matrix)
        else:
            x = kernels.sums_along(x, lead + at, places, weight)
    return x


class Resample(Linear):
    """The last axes of x resampled, each by its table."""

    backward_name = "UpsampleLinear1DBackward0"
    saves = ("axes",)
    batch = "leading"

    @staticmethod
    def forward(x: Array, axes: Axes) -> tuple[Array, tuple[Axes]]:
        return resampled(x, axes), (axes,)

    @staticmethod
    def vjp_x(g: Value, axes: Axes) -> Value:
        return call(ResampleSpread, g, axes)


class ResampleSpread(Linear):
    """Every output's gradient shared out over the inputs it was made of: the adjoint of ``Resample``."""

    saves = ("axes",)
    batch = "leading"

    @staticmethod
    def forward(g: Array, axes: Axes) -> tuple[Array, tuple[Axes]]:
        return resampled(g, axes, True), (axes,)

    @staticmethod
    def vjp_g(d: Value, axes: Axes) -> Value:
        return call(Resample, d, axes)


class UpsampleBilinear2D(Resample):
    """Images by lines between neighbours, along both axes."""

    backward_name = "UpsampleBilinear2DBackward0"


class UpsampleTrilinear3D(Resample):
    """Volumes by lines between neighbours, along three axes."""

    backward_name = "UpsampleTrilinear3DBackward0"


class UpsampleBicubic2D(Resample):
    """Images by cubic convolution over four by four neighbours."""

    backward_name = "UpsampleBicubic2DBackward0"


class UpsampleBilinear2DAa(Resample):
    """Images by a triangle that widens as the image shrinks."""

    backward_name = "UpsampleBilinear2DAaBackward0"


class UpsampleBicubic2DAa(Resample):
    """Images by a cubic kernel that widens as the image shrinks."""

    backward_name = "UpsampleBicubic2DAaBackward0"


class UpsampleNearest1D(Resample):
    """Each output of a signal is one input."""

    backward_name = "UpsampleNearest1DBackward0"
    exact = True


class UpsampleNearest2D(UpsampleNearest1D):
    """Each output of an image is one input."""

    backward_name = "UpsampleNearest2DBackward0"


class UpsampleNearest3D(UpsampleNearest1D):
    """Each output of a volume is one input."""

    backward_name = "UpsampleNearest3DBackward0"


class UpsampleNearestExact1D(UpsampleNearest1D):
    """Each output of a signal is the input that holds its centre."""

    backward_name = "UpsampleNearestExact1DBackward0"


class UpsampleNearestExact2D(UpsampleNearest1D):
    """Each output of an image is the input that holds its centre."""

    backward_name = "UpsampleNearestExact2DBackward0"


class UpsampleNearestExact3D(UpsampleNearest1D):
    """Each output of a volume is the input that holds its centre."""

    backward_name = "UpsampleNearestExact3DBackward0"
