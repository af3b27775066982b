"""Resampling, sampling at a grid, windows as columns, shuffles, unpooling and random steps; against loops."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np

from convgrad.nn import functional as F
from convgrad.ops import distance, fold, grid_sample, pool, resample
from convgrad.ops.resample import Axis
from convgrad.tensor import creation
from convgrad.tensor.tensor import Tensor

from .case import Case, ErrorCase, direct, kinds, values

Array = Any
_EMPTY = frozenset({"empty"})

# ---- resampling: every output by its definition, one axis at a time


def _cubic(d: float, a: float) -> float:
    d = abs(d)
    if d <= 1:
        return (a + 2) * d**3 - (a + 3) * d**2 + 1
    return a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a if d < 2 else 0.0


def _nearest(n: int, m: int, i: int) -> dict[int, float]:
    return {min(int(np.floor(i * n / m)), n - 1): 1.0}


def _centre(n: int, m: int, i: int) -> dict[int, float]:
    return {int(np.floor((i + 0.5) * n / m)): 1.0}


def _weights(reach: int, kernel: Callable[[float], float], align: bool = False) -> Callable[..., Any]:
    """What an output weighs each input with; beyond the borders the border's pixel repeats."""

    def weights(n: int, m: int, i: int) -> dict[int, float]:
        place = i * (n - 1) / (m - 1) if align else (i + 0.5) * n / m - 0.5
        found: dict[int, float] = {}
        for j in range(int(np.floor(place)) - reach + 1, int(np.floor(place)) + reach + 1):
            at = min(max(j, 0), n - 1)
            found[at] = found.get(at, 0.0) + kernel(place - j)
        return found

    return weights


def _wide(reach: int, kernel: Callable[[float], float]) -> Callable[..., Any]:
    """The same with a kernel that widens, cut off at the borders."""

    def weights(n: int, m: int, i: int) -> dict[int, float]:
        step = max(n / m, 1.0)
        place = (i + 0.5) * n / m
        found = {}
        for j in range(n):
            if int(place - reach * step + 0.5) <= j < int(place + reach * step + 0.5):
                found[j] = kernel((j + 0.5 - place) / step)
        total = sum(found.values())
        return {j: w / total for j, w in found.items()}

    return weights


def _line(d: float) -> float:
    return max(1 - abs(d), 0.0)


def _resampled(x: Array, size: tuple[int, ...], weights: Callable[..., Any]) -> Array:
    for k, m in enumerate(size):
        at = x.ndim - len(size) + k
        n = x.shape[at]
        rows = [
            sum((w * np.take(x, j, at) for j, w in weights(n, m, i).items()), np.zeros(())) for i in range(m)
        ]
        x = np.stack(rows, at)
    return x


_SIGNAL, _IMAGE, _VOLUME = values(1, 2, 3, 5), values(2, 2, 3, 5, 4), values(3, 1, 2, 4, 3, 5)
_SHAPES: dict[int, tuple[Array, Array, tuple[int, ...]]] = {
    1: (_SIGNAL, np.zeros((0, 3, 5)), (7,)),
    2: (_IMAGE, np.zeros((0, 3, 5, 4)), (3, 7)),
    3: (_VOLUME, np.zeros((0, 2, 4, 3, 5)), (2, 6, 4)),
}
_UPSAMPLINGS: list[tuple[Any, int, str, dict[str, Any], Callable[..., Any]]] = [
    (resample.UpsampleNearest1D, 1, "nearest", {}, _nearest),
    (resample.UpsampleNearest2D, 2, "nearest", {}, _nearest),
    (resample.UpsampleNearest3D, 3, "nearest", {}, _nearest),
    (resample.UpsampleNearestExact1D, 1, "nearest-exact", {}, _centre),
    (resample.UpsampleNearestExact2D, 2, "nearest-exact", {}, _centre),
    (resample.UpsampleNearestExact3D, 3, "nearest-exact", {}, _centre),
    (resample.Resample, 1, "linear", {}, _weights(1, _line)),
    (resample.Resample, 1, "linear", {"align_corners": True}, _weights(1, _line, True)),
    (resample.UpsampleBilinear2D, 2, "bilinear", {}, _weights(1, _line)),
    (resample.UpsampleBilinear2D, 2, "bilinear", {"align_corners": True}, _weights(1, _line, True)),
    (resample.UpsampleTrilinear3D, 3, "trilinear", {}, _weights(1, _line)),
    (resample.UpsampleBicubic2D, 2, "bicubic", {}, _weights(2, lambda d: _cubic(d, -0.75))),
    (
        resample.UpsampleBicubic2D, 2, "bicubic", {"align_corners": True},
        _weights(2, lambda d: _cubic(d, -0.75), True),
    ),
    (resample.UpsampleBilinear2DAa, 2, "bilinear", {"antialias": True}, _wide(1, _line)),
    (
        resample.UpsampleBicubic2DAa, 2, "bicubic", {"antialias": True},
        _wide(2, lambda d: _cubic(d, -0.5)),
    ),
]  # fmt: skip

CASES: list[Case] = []
for _op, _n, _mode, _options, _how in _UPSAMPLINGS:
    _x, _none, _size = _SHAPES[_n]
    CASES += kinds(
        _op, "-".join([_mode, *_options]),
        lambda x, s=_size, m=_mode, o=_options: F.interpolate(x, s, mode=m, **o),
        lambda x, s=_size, w=_how: _resampled(x, s, w), _x, empty=(_none,),
    )  # fmt: skip

_AXES = (Axis("linear", 5, 3, None, False, False, False), Axis("cubic", 4, 7, None, False, False, False))
_MIXED = [_weights(1, _line), _weights(2, lambda d: _cubic(d, -0.75))]


def _shared_out(g: Array) -> Array:
    """Each output's gradient times the weights of its inputs."""
    out = np.zeros((*g.shape[:2], 5, 4))
    for i, j in product(range(3), range(7)):
        for (a, v), (b, w) in product(_MIXED[0](5, 3, i).items(), _MIXED[1](4, 7, j).items()):
            out[:, :, a, b] += g[:, :, i, j] * v * w
    return out


CASES += kinds(
    resample.ResampleSpread, "two-kernels", direct(resample.ResampleSpread, _AXES), _shared_out,
    values(4, 2, 3, 3, 7), empty=(np.zeros((0, 3, 3, 7)),),
)  # fmt: skip
CASES += kinds(
    resample.UpsampleBicubic2DAa, "many-taps", lambda x: F.interpolate(x, (3, 5), mode="bicubic", antialias=True),
    lambda x: _resampled(x, (3, 5), _wide(2, lambda d: _cubic(d, -0.5))), values(5, 2, 1, 20, 31),
)  # fmt: skip

# ---- sampling at a grid, one position after another


def _pixel(x: Array, at: tuple[int, ...], padding: str, align: bool) -> Array:
    """x at whole numbers, outside by the padding."""
    inside = []
    for i, n in zip(at, x.shape[1:], strict=True):
        if padding == "zeros" and not 0 <= i < n:
            return np.zeros(x.shape[0])
        if padding == "reflection":
            i = int(_mirrored(i, n, align))
        inside.append(min(max(i, 0), n - 1))
    return x[(slice(None), *inside)]


def _mirrored(place: float, n: int, align: bool) -> float:
    low, high = (0.0, n - 1.0) if align else (-0.5, n - 0.5)
    while not low <= place <= high:
        place = 2 * low - place if place < low else 2 * high - place
    return place


def _sampled(x: Array, grid: Array, mode: str, padding: str, align: bool) -> Array:
    size = x.shape[2:]
    out = np.zeros((*x.shape[:2], *grid.shape[1:-1]))
    for spot in np.ndindex(grid.shape[:-1]):
        places = []
        for g, n in zip(reversed(grid[spot]), size, strict=True):
            place = (g + 1) / 2 * (n - 1) if align else ((g + 1) * n - 1) / 2
            if mode != "bicubic":
                place = _mirrored(place, n, align) if padding == "reflection" else place
                place = place if padding == "zeros" else min(max(place, 0), n - 1)
            places.append(round(place) if mode == "nearest" else place)
        reach, kernel = {
            "nearest": (1, _line),
            "bilinear": (1, _line),
            "bicubic": (2, lambda d: _cubic(d, -0.75)),
        }[mode]
        near = [range(int(np.floor(p)) - reach + 1, int(np.floor(p)) + reach + 1) for p in places]
        for at in product(*near):
            weight = np.prod([kernel(p - i) for p, i in zip(places, at, strict=True)])
            out[(spot[0], slice(None), *spot[1:])] += weight * _pixel(x[spot[0]], at, padding, align)
    return out


_GRID, _GRID3 = values(6, 2, 3, 2, 2, low=-1.6, high=1.6), values(7, 1, 2, 3, 2, 3, low=-1.6, high=1.6)
for _mode, _padding, _align in product(
    ("bilinear", "nearest", "bicubic"), ("zeros", "border", "reflection"), (False, True)
):
    CASES += kinds(
        grid_sample.GridSampler2D, f"{_mode}-{_padding}-{_align}",
        lambda x, g, o=(_mode, _padding, _align): F.grid_sample(x, g, *o),
        lambda x, g, o=(_mode, _padding, _align): _sampled(x, g, *o),
        _IMAGE, _GRID, empty=(np.zeros((0, 3, 5, 4)), np.zeros((0, 3, 2, 2))),
    )  # fmt: skip
for _padding, _align in product(("zeros", "border", "reflection"), (False, True)):
    CASES += kinds(
        grid_sample.GridSampler3D, f"{_padding}-{_align}",
        lambda x, g, o=("bilinear", _padding, _align): F.grid_sample(x, g, *o),
        lambda x, g, o=("bilinear", _padding, _align): _sampled(x, g, *o),
        _VOLUME, _GRID3, empty=(_VOLUME, np.zeros((1, 0, 3, 2, 3))),
    )  # fmt: skip


def _scattered(g: Array, grid: Array, mode: str) -> Array:
    """The adjoint of sampling in x, from what sampling makes of every unit image."""
    out = np.zeros((g.shape[0], 1, 4, 3))
    for y, z in product(range(4), range(3)):
        unit = np.zeros((g.shape[0], 1, 4, 3))
        unit[:, :, y, z] = 1
        out[:, 0, y, z] = (_sampled(unit, grid, mode, "zeros", False) * g).sum((1, 2, 3))
    return out


for _mode in ("bilinear", "bicubic", "nearest"):
    CASES += kinds(
        grid_sample.GridSpread, _mode,
        direct(grid_sample.GridSpread, _mode, "zeros", False, (0, 0), (4, 3)),
        lambda g, grid, m=_mode: _scattered(g, grid, m), values(8, 2, 1, 3, 2), _GRID,
        empty=(np.zeros((2, 1, 0, 2)), np.zeros((2, 0, 2, 2))),
    )  # fmt: skip


def _affine(theta: Array, size: tuple[int, ...], align: bool) -> Array:
    out = np.zeros((theta.shape[0], *size, len(size)))
    for spot in np.ndindex(*size):
        place = [
            (2 * i / (n - 1) - 1 if align else (2 * i + 1) / n - 1) for i, n in zip(spot, size, strict=True)
        ]
        out[(slice(None), *spot)] = theta @ np.array([*reversed(place), 1.0])
    return out


for _size, _align in product(((3, 2), (2, 3, 4)), (False, True)):
    CASES += kinds(
        grid_sample.AffineGridGenerator, f"{len(_size)}-{_align}",
        lambda t, s=_size, a=_align: F.affine_grid(t, (t.shape[0], 1, *s), a),
        lambda t, s=_size, a=_align: _affine(t, s, a), values(9, 2, len(_size), len(_size) + 1),
    )  # fmt: skip
CASES.append(
    Case(
        grid_sample.AffineGridGenerator, "empty",
        direct(grid_sample.AffineGridGenerator, (3, 2), False), (np.zeros((0, 2, 3)),),
        lambda t: np.zeros((0, 3, 2, 2)), tags=_EMPTY,
    )
)  # fmt: skip

# ---- windows and shuffles

_WINDOW = ((2, 3), (2, 1), (1, 2), (1, 2))  # kernel, stride, padding, dilation


def _columns(x: Array) -> Array:
    (kh, kw), (sh, sw), (ph, pw), (dh, dw) = _WINDOW
    wide = np.pad(x, [(0, 0)] * (x.ndim - 2) + [(ph, ph), (pw, pw)])
    h, w = wide.shape[-2] - dh * (kh - 1), wide.shape[-1] - dw * (kw - 1)
    windows = [
        wide[..., y : y + dh * (kh - 1) + 1 : dh, z : z + dw * (kw - 1) + 1 : dw].reshape(*x.shape[:-3], -1)
        if x.size else np.zeros((*x.shape[:-3], x.shape[-3] * kh * kw))
        for y in range(0, h, sh) for z in range(0, w, sw)
    ]  # fmt: skip
    return np.stack(windows, -1)


def _folded(columns: Array) -> Array:
    """The adjoint, from what the columns of every unit image are."""
    channels = columns.shape[-2] // 6
    out = np.zeros((*columns.shape[:-2], channels, 4, 3))
    for c, y, z in np.ndindex(channels, 4, 3):
        unit = np.zeros((channels, 4, 3))
        unit[c, y, z] = 1
        out[..., c, y, z] = (columns * _columns(unit)).sum((-1, -2))
    return out


_PLACED = {"kernel_size": (2, 3), "stride": (2, 1), "padding": (1, 2), "dilation": (1, 2)}


def _shuffled(x: Array, r: int) -> Array:
    out = np.zeros((*x.shape[:-3], x.shape[-3] // r**2, x.shape[-2] * r, x.shape[-1] * r))
    for c, i, j in np.ndindex(out.shape[-3], r, r):
        out[..., c, i::r, j::r] = x[..., c * r * r + i * r + j, :, :]
    return out


def _unshuffled(x: Array, r: int) -> Array:
    out = np.zeros((*x.shape[:-3], x.shape[-3] * r**2, x.shape[-2] // r, x.shape[-1] // r))
    for c, i, j in np.ndindex(x.shape[-3], r, r):
        out[..., c * r * r + i * r + j, :, :] = x[..., c, i::r, j::r]
    return out


def _dealt(x: Array) -> Array:
    return x[:, [0, 3, 1, 4, 2, 5]]


CASES += [
    *kinds(fold.Im2Col, "windows", lambda x: F.unfold(x, **_PLACED), _columns, values(10, 2, 2, 4, 3), empty=(np.zeros((0, 2, 4, 3)),)),
    *kinds(fold.Im2Col, "unbatched", lambda x: F.unfold(x, **_PLACED), _columns, values(11, 2, 4, 3)),
    *kinds(fold.Col2Im, "windows", lambda x: F.fold(x, (4, 3), **_PLACED), _folded, values(12, 2, 12, 9), empty=(np.zeros((0, 12, 9)),)),
    *kinds(fold.Col2Im, "unbatched", lambda x: F.fold(x, (4, 3), **_PLACED), _folded, values(13, 6, 9)),
    *kinds(fold.PixelShuffle, "two", lambda x: F.pixel_shuffle(x, 2), lambda x: _shuffled(x, 2), values(14, 2, 8, 2, 3), empty=(np.zeros((0, 8, 2, 3)),)),
    *kinds(fold.PixelUnshuffle, "two", lambda x: F.pixel_unshuffle(x, 2), lambda x: _unshuffled(x, 2), values(15, 2, 2, 4, 6), empty=(np.zeros((2, 2, 0, 6)),)),
    *kinds(fold.ChannelShuffle, "two", lambda x: F.channel_shuffle(x, 2), lambda x: _dealt(x), values(16, 2, 6, 3), empty=(np.zeros((0, 6, 3)),)),
]  # fmt: skip

# ---- maxima back in their places, and at random steps

_PLACES = {
    1: np.array([[[3, 0], [5, 2]]]),
    2: np.array([[[[3, 0], [5, 11]]]]),
    3: np.array([[[[[3, 0]], [[5, 23]]]]]),
}


def _back(x: Array, size: tuple[int, ...]) -> Array:
    at = _PLACES[len(size)]
    out = np.zeros((*x.shape[:2], int(np.prod(size))))
    for spot in np.ndindex(x.shape):
        out[(*spot[:2], at[spot])] = x[spot]
    return out.reshape(*x.shape[:2], *size)


for _op, _n, _size, _kernel in (
    (pool.MaxUnpool1D, 1, (6,), 3), (pool.MaxUnpool, 2, (4, 4), 2), (pool.MaxUnpool3D, 3, (4, 2, 4), 2),
):  # fmt: skip
    _f, _at = getattr(F, f"max_unpool{_n}d"), _PLACES[_n]
    CASES += kinds(
        _op, "places", lambda x, f=_f, i=_at, k=_kernel: f(x, Tensor(i[: x.shape[0]], None), k),
        lambda x, s=_size: _back(x, s), values(17, *_at.shape), empty=(np.zeros((0, *_at.shape[1:])),),
    )  # fmt: skip

_DRAWS = np.random.default_rng(3).uniform(0, 1, (2, 2, 3))


def _steps(n: int, kernel: int, count: int, draw: float) -> list[int]:
    alpha = (n - kernel) / (count - 1)
    return [*[int((i + draw) * alpha) - int(draw * alpha) for i in range(count - 1)], n - kernel]


def _at_steps(x: Array, kernel: int, count: int) -> Array:
    n = x.ndim - 2
    out = np.zeros((*x.shape[:2], *(count,) * n))
    for b, c in np.ndindex(*x.shape[:2]):
        draws = _DRAWS[b, c, :n][::-1] if n == 2 else _DRAWS[b, c]
        starts = [_steps(m, kernel, count, d) for m, d in zip(x.shape[2:], draws, strict=True)]
        for spot in np.ndindex(*(count,) * n):
            window = tuple([slice(s[i], s[i] + kernel) for s, i in zip(starts, spot, strict=True)])
            out[(b, c, *spot)] = x[(b, c, *window)].max()
    return out


for _op, _n in ((pool.FractionalMaxPool2D, 2), (pool.FractionalMaxPool3D, 3)):
    _f = getattr(F, f"fractional_max_pool{_n}d")
    CASES += kinds(
        _op, "steps",
        lambda x, f=_f, n=_n: f(x, 2, 3, _random_samples=creation.tensor(_DRAWS[: x.shape[0], :, :n], dtype=x.dtype)),
        lambda x: _at_steps(x, 2, 3), values(18, 2, 2, *(6, 5, 7)[:_n]), empty=(np.zeros((0, 2, *(6, 5, 7)[:_n])),),
    )  # fmt: skip

# ---- distances


def _apart(a: Array, b: Array) -> Array:
    return (np.abs(a - b + 1e-6) ** 3.0).sum(-1) ** (1 / 3)


CASES += [
    *kinds(distance.PairNorm, "cubes", lambda a, b: F.pairwise_distance(a, b, 3.0), _apart, values(20, 4, 3), values(21, 4, 3), empty=(np.zeros((0, 3)), np.zeros((0, 3)))),
    Case(distance.PairNorm, "0d", lambda a: F.pairwise_distance(a, a * 0.5, 2.0, 0.0), (np.array(1.5),), lambda a: np.abs(a * 0.5), tags=frozenset({"0d"})),
]  # fmt: skip

_X, _I = creation.ones(1, 3, 4, 4), creation.zeros(1, 3, 4, 4).long()
ERRORS: list[ErrorCase] = [
    ErrorCase("interpolate-both", lambda: F.interpolate(_X, 3, 2), ValueError, "only one of size or scale_factor should be defined"),
    ErrorCase("interpolate-none", lambda: F.interpolate(_X), ValueError, "either size or scale_factor should be defined"),
    ErrorCase("interpolate-mode", lambda: F.interpolate(_X, 3, mode="linear"), NotImplementedError, "Got 4D input, but linear mode needs 3D input"),
    ErrorCase("interpolate-unknown", lambda: F.interpolate(_X, 3, mode="x"), NotImplementedError, "Only 3D, 4D and 5D input Tensors supported"),
    ErrorCase("interpolate-align", lambda: F.interpolate(_X, 3, align_corners=True), ValueError, "align_corners option can only be set"),
    ErrorCase("interpolate-smooth", lambda: F.interpolate(_X, 3, antialias=True), ValueError, "Anti-alias option is restricted"),
    ErrorCase("interpolate-size", lambda: F.interpolate(_X, (3, 3, 3)), ValueError, "must have the same number of spatial dimensions"),
    ErrorCase("interpolate-factors", lambda: F.interpolate(_X, None, (3, 3, 3)), ValueError, "scale_factor must have the same number"),
    ErrorCase("interpolate-float", lambda: F.interpolate(_X, 3.5), TypeError, "size must be ints"),
    ErrorCase("interpolate-again", lambda: F.interpolate(_X, 3, recompute_scale_factor=True), ValueError, "recompute_scale_factor is not meaningful"),
    ErrorCase("interpolate-zero", lambda: F.interpolate(_X, 0), RuntimeError, "Input and output sizes should be greater than 0"),
    ErrorCase("interpolate-channels", lambda: F.interpolate(_X[:, :0], 3), RuntimeError, "Non-empty 4D data tensor expected"),
    ErrorCase("interpolate-int", lambda: F.interpolate(_I, 3), NotImplementedError, "not implemented for 'Long'"),
    ErrorCase("grid-mode", lambda: F.grid_sample(_X, _X[:, :, :, :2], "x"), ValueError, "expected mode to be", grid_sample.GridSampler2D),
    ErrorCase("grid-padding", lambda: F.grid_sample(_X, _X[:, :, :, :2], padding_mode="x"), ValueError, "expected padding_mode to be"),
    ErrorCase("grid-batch", lambda: F.grid_sample(_X, _X[:0, :, :, :2], align_corners=False), RuntimeError, "same batch size"),
    ErrorCase("grid-last", lambda: F.grid_sample(_X, _X, align_corners=False), RuntimeError, "expected grid to have size 2 in last dimension"),
    ErrorCase("grid-rank", lambda: F.grid_sample(_X, _X[:, 0, :, :2], align_corners=False), RuntimeError, "with same number of dimensions"),
    ErrorCase("grid-empty", lambda: F.grid_sample(_X[:, :, :0], _X[..., :2], align_corners=False), RuntimeError, "non-empty spatial dimensions"),
    ErrorCase("grid-dtype", lambda: F.grid_sample(_X, _X[..., :2].double(), align_corners=False), RuntimeError, "expected scalar type Float but found Double"),
    ErrorCase("grid-int", lambda: F.grid_sample(_I, _I[..., :2], align_corners=False), NotImplementedError, "not implemented for 'Long'"),
    ErrorCase("grid-cubic", lambda: F.grid_sample(_X[None], _X[None, ..., :3], "bicubic", align_corners=False), RuntimeError, "bicubic interpolation only supports 4D input"),
    ErrorCase("affine-int", lambda: F.affine_grid(_I[0, :2, :2, :3], (2, 1, 2, 2), False), ValueError, "Expected theta to have floating point type"),
    ErrorCase("affine-size", lambda: F.affine_grid(_X[0, :, :2, :3], (3, 1, 2), False), NotImplementedError, "affine_grid only supports 4D and 5D sizes"),
    ErrorCase("affine-theta", lambda: F.affine_grid(_X[0], (3, 1, 2, 2), False), ValueError, "Expected a batch of 2D affine matrices"),
    ErrorCase("affine-zero", lambda: F.affine_grid(_X[0, :, :2, :3], (3, 1, 0, 2), False), ValueError, "Expected non-zero, positive output size"),
    ErrorCase("affine-batch", lambda: F.affine_grid(_X[0, :, :2, :3], (2, 1, 2, 2), False), RuntimeError, "Expected size for first two dimensions"),
    ErrorCase("unfold-window", lambda: F.unfold(_X, 9), RuntimeError, "calculated shape of the array of sliding blocks as (-4, -4)", fold.Im2Col),
    ErrorCase("unfold-kernel", lambda: F.unfold(_X, 0), RuntimeError, "kernel size should be greater than zero"),
    ErrorCase("unfold-padding", lambda: F.unfold(_X, 2, padding=-1), RuntimeError, "padding should be non-negative"),
    ErrorCase("unfold-rank", lambda: F.unfold(_X[0, 0], 2), IndexError, "Dimension out of range"),
    ErrorCase("unfold-empty", lambda: F.unfold(_X[:, :0], 2), RuntimeError, "non-zero dimensions for input"),
    ErrorCase("unfold-triple", lambda: F.unfold(_X, (2, 2, 2)), RuntimeError, "It is expected kernel_size equals to 2, but got size 3"),
    ErrorCase("fold-blocks", lambda: F.fold(_X[0], (4, 4), (2, 1)), RuntimeError, "to match the calculated number of sliding blocks 3 * 4 = 12", fold.Col2Im),
    ErrorCase("fold-channels", lambda: F.fold(_X[0], (4, 4), (3, 1)), RuntimeError, "divisible by the product of kernel_size"),
    ErrorCase("fold-rank", lambda: F.fold(_X, (4, 4), 2), RuntimeError, "Expected 2D or 3D (batch mode) tensor"),
    ErrorCase("shuffle-rank", lambda: F.pixel_shuffle(_X[0, 0], 2), RuntimeError, "at least 3 dimensions", fold.PixelShuffle),
    ErrorCase("shuffle-channels", lambda: F.pixel_shuffle(_X, 2), RuntimeError, "divisible by the square of upscale_factor"),
    ErrorCase("shuffle-factor", lambda: F.pixel_shuffle(_X, 0), RuntimeError, "expects a positive upscale_factor"),
    ErrorCase("shuffle-type", lambda: F.pixel_shuffle(_X, 2.0), TypeError, "must be int"),
    ErrorCase("unshuffle-width", lambda: F.pixel_unshuffle(_X[..., :3], 2), RuntimeError, "expects width to be divisible"),
    ErrorCase("deal-rank", lambda: F.channel_shuffle(_X[0, 0], 2), RuntimeError, "expects input with > 2 dims"),
    ErrorCase("deal-groups", lambda: F.channel_shuffle(_X, 0), RuntimeError, "must be positive"),
    ErrorCase("deal-channels", lambda: F.channel_shuffle(_X, 2), RuntimeError, "Number of channels must be divisible by groups"),
    ErrorCase("unpool-index", lambda: F.max_unpool2d(_X, _I + 64, 2), RuntimeError, "Found an invalid max index: 64", pool.MaxUnpool),
    ErrorCase("unpool-shape", lambda: F.max_unpool2d(_X, _I[:, :1], 2), RuntimeError, "Expected shape of indices to be same"),
    ErrorCase("unpool-dtype", lambda: F.max_unpool2d(_X, _X, 2), RuntimeError, "elements in indices should be type int64"),
    ErrorCase("unpool-size", lambda: F.max_unpool2d(_X, _I, 2, output_size=(20, 8)), ValueError, "invalid output_size"),
    ErrorCase("unpool-length", lambda: F.max_unpool2d(_X, _I, 2, output_size=(8,)), ValueError, "output_size should be a sequence containing"),
    ErrorCase("unpool-rank", lambda: F.max_unpool2d(_X[0, 0], _I[0, 0], 2), RuntimeError, "should be a 3d or 4d Tensor"),
    ErrorCase("unpool-empty", lambda: F.max_unpool2d(_X[:, :0], _I[:, :0], 2), RuntimeError, "non-zero size for non-batch dimensions"),
    ErrorCase("unpool-int", lambda: F.max_unpool2d(_I, _I, 2), NotImplementedError, "not implemented for 'Long'"),
    ErrorCase("fraction-size", lambda: F.fractional_max_pool2d(_X, 2), ValueError, "either an output_size or an output_ratio"),
    ErrorCase("fraction-large", lambda: F.fractional_max_pool2d(_X, 2, 4), RuntimeError, "pool height 2 too large relative to input height 4"),
    ErrorCase("fraction-rank", lambda: F.fractional_max_pool2d(_X[0, 0], 2, 2), IndexError, "Dimension out of range"),
    ErrorCase("fraction-draws", lambda: F.fractional_max_pool2d(_X, 2, 2, _random_samples=_X[0]), RuntimeError, "_random_samples.size(1)"),
    ErrorCase("fraction-kind", lambda: F.fractional_max_pool2d(_X, 2, 2, _random_samples=_X[0].double()), RuntimeError, "same dtype as input"),
    ErrorCase("pdist-rank", lambda: F.pdist(_X), RuntimeError, "pdist only supports 2D tensors, got: 4D"),
    ErrorCase("pdist-power", lambda: F.pdist(_X[0, 0], -1), RuntimeError, "non-negative p values"),
    ErrorCase("pdist-int", lambda: F.pdist(_I[0, 0]), RuntimeError, "pdist only supports floating-point dtypes"),
    ErrorCase("cosine-int", lambda: F.cosine_similarity(_I, _I), RuntimeError, "expected common dtype to be floating point"),
    ErrorCase("normalize-int", lambda: F.normalize(_I), RuntimeError, "Expected a floating point or complex tensor"),
    ErrorCase("lrn-rank", lambda: F.local_response_norm(_X[0, 0], 2), ValueError, "Expected 3D or higher dimensionality"),
    ErrorCase("rms-none", lambda: F.rms_norm(_X, ()), RuntimeError, "at least 1-dimensional"),
    ErrorCase("pool-complex", lambda: F.max_pool2d(_X * 1j, 2), NotImplementedError, "not implemented for 'ComplexFloat'", pool.MaxPool),
    ErrorCase("mean-byte", lambda: F.avg_pool2d(_I.to(creation.tensor([True]).dtype), 2), NotImplementedError, "not implemented for 'Bool'", pool.AvgPool),
]  # fmt: skip
