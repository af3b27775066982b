"""Images, signals and volumes resampled, sampled, folded, shuffled, pooled and compared: against PyTorch 2.13."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import convgrad
from convgrad.nn import functional as F

from .agree import agree, close

pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings("ignore")]

BF16 = np.dtype(ml_dtypes.bfloat16)
WIDE = [np.float64, np.float32]
SEEDS = range(36)


def top(x: Any) -> Any:
    """The library of a tensor."""
    return torch if isinstance(x, torch.Tensor) else convgrad


def f(x: Any) -> Any:
    """Its ``nn.functional``."""
    return torch.nn.functional if isinstance(x, torch.Tensor) else F


class Draw(random.Random):
    """Shapes, strides and values from one seed."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.arrays = np.random.default_rng(seed)
        self.ndim = seed % 3 + 1

    def ints(self, low: int, high: int, count: int = 0) -> tuple[int, ...]:
        return tuple(self.randint(low, high) for _ in range(count or self.ndim))

    def array(self, *shape: int, dtype: Any = None) -> Any:
        """Random values: plain, transposed, with steps, or a broadcast batch."""
        kind = dtype or self.choice(WIDE)
        way = self.randint(0, 3)
        if way == 1:
            return np.ascontiguousarray(self.normal(*reversed(shape), dtype=kind)).T
        if way == 2:
            return self.normal(*shape[:-1], 2 * shape[-1], dtype=kind)[..., ::2]
        return self.normal(*shape, dtype=kind)

    def normal(self, *shape: int, dtype: Any = np.float64) -> Any:
        return np.asarray(self.arrays.standard_normal(shape)).astype(dtype)

    def image(self, *dtypes: Any, least: int = 1) -> Any:
        """``(N, C, *S)``, N possibly 0."""
        return self.array(
            self.randint(0, 3), self.randint(1, 4), *self.ints(least, 9),
            dtype=self.choice(dtypes) if dtypes else None,
        )  # fmt: skip


# ---- interpolate

MODES = [
    ("nearest", 1), ("nearest", 2), ("nearest", 3), ("nearest-exact", 1), ("nearest-exact", 2),
    ("nearest-exact", 3), ("linear", 1), ("bilinear", 2), ("trilinear", 3), ("bicubic", 2), ("area", 1),
    ("area", 2), ("area", 3),
]  # fmt: skip


def options(draw: Draw, mode: str) -> dict[str, Any]:
    """A size or factor, and what else the mode takes."""
    found: dict[str, Any] = draw.choice([
        {"size": draw.ints(1, 12)}, {"size": draw.randint(1, 12)},
        {"scale_factor": draw.choice([0.51, 1, 1.7, 2, 3])},
        {"scale_factor": tuple(draw.choice([0.6, 1.0, 2.3, 3.0]) for _ in range(draw.ndim))},
        {"scale_factor": 1.7, "recompute_scale_factor": True},
    ])  # fmt: skip
    if mode.endswith(("linear", "cubic")):
        found["align_corners"] = draw.choice([None, False, True])
    return found


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("mode", "ndim"), MODES)
def test_interpolate(mode: str, ndim: int, seed: int) -> None:
    draw = Draw(seed)
    draw.ndim = ndim
    x, how = draw.image(least=2), options(draw, mode)
    agree(lambda x: f(x).interpolate(x, mode=mode, **how), x)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_interpolate_without_aliases(mode: str, seed: int) -> None:
    draw = Draw(seed)
    draw.ndim = 2
    # three channels and no edge of 1: PyTorch takes other shapes for channels-last and repeats the first row
    x = draw.array(draw.randint(1, 2), 3, *draw.ints(4, 20))
    how = options(draw, mode)
    if "size" in how:
        how["size"] = draw.ints(2, 12)
    agree(lambda x: f(x).interpolate(x, mode=mode, antialias=True, **how), x)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("mode", ["nearest", "nearest-exact", "bilinear", "bicubic"])
def test_interpolate_bytes_to_the_bit(mode: str, seed: int) -> None:
    draw = Draw(seed)
    smooth = mode[0] == "b" and seed % 2 == 0
    x = draw.arrays.integers(0, 256, (2, 3, *draw.ints(4, 16, 2))).astype(np.uint8)
    size = draw.ints(2, 20, 2)
    align = draw.choice([False, True]) if mode[0] == "b" else None
    mine = F.interpolate(convgrad.tensor(x), size, mode=mode, align_corners=align, antialias=smooth)
    other = torch.nn.functional.interpolate(
        torch.from_numpy(x), size, mode=mode, align_corners=align, antialias=smooth
    )
    np.testing.assert_array_equal(mine.numpy(), other.numpy())


@pytest.mark.parametrize("dtype", [np.float16, BF16])
@pytest.mark.parametrize(("mode", "ndim"), MODES)
def test_interpolate_half_precision(mode: str, ndim: int, dtype: Any) -> None:
    x = np.random.default_rng(1).uniform(-1, 1, (2, 3, *(5, 4, 6)[:ndim])).astype(dtype)
    agree(lambda x: f(x).interpolate(x, scale_factor=2, mode=mode), x, grad=False)


def test_old_names() -> None:
    x = np.random.default_rng(2).standard_normal((2, 3, 4, 5))
    agree(lambda x: f(x).upsample(x, scale_factor=2, mode="bicubic"), x)
    agree(lambda x: f(x).upsample_nearest(x, (3, 9)), x)
    agree(lambda x: f(x).upsample_bilinear(x, scale_factor=3), x)


# ---- grids


@pytest.mark.parametrize("seed", range(60))
@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
def test_grid_sample(mode: str, seed: int) -> None:
    draw = Draw(seed)
    draw.ndim = 2 if mode == "bicubic" else seed % 2 + 2
    kind = draw.choice(WIDE)
    x = draw.array(draw.randint(0, 2), draw.randint(0, 3), *draw.ints(1, 6), dtype=kind)
    reach = draw.choice([0.9, 1.5, 4.0])
    grid = draw.arrays.uniform(-reach, reach, (x.shape[0], *draw.ints(1, 4), draw.ndim)).astype(kind)
    padding, align = draw.choice(["zeros", "border", "reflection"]), draw.choice([False, True])
    if kind is np.float32 and mode != "nearest":
        # float32 positions differ in their last bit: keep away from kinks, where slopes jump
        grid = (np.round(grid * 8) / 8 + 0.03).astype(kind)
    agree(lambda x, g: f(x).grid_sample(x, g, mode, padding, align), x, grid)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30])
@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
def test_grid_sample_far_outside(padding: str, mode: str, value: float) -> None:
    x, grid = np.arange(12.0).reshape(1, 1, 3, 4), np.array([[[[value, 0.0]]]])
    agree(lambda x, g: f(x).grid_sample(x, g, mode, padding, True), x, grid, grad=False)


@pytest.mark.parametrize("seed", SEEDS)
def test_affine_grid(seed: int) -> None:
    draw = Draw(seed)
    n, batch = seed % 2 + 2, draw.randint(1, 3)
    size, align = (batch, 1, *draw.ints(1, 5, n)), draw.choice([False, True])
    agree(lambda t: f(t).affine_grid(t, size, align), draw.array(batch, n, n + 1))


def test_top_names_of_grids() -> None:
    draw = Draw(3)
    x, grid = draw.normal(2, 3, 4, 5), draw.arrays.uniform(-1, 1, (2, 3, 2, 2))
    for a in range(3):
        agree(lambda x, g, a=a: top(x).grid_sampler(x, g, a, 2 - a, False), x, grid)
    agree(lambda t: top(t).affine_grid_generator(t, (2, 1, 3, 4), True), draw.normal(2, 2, 3))


# ---- windows and shuffles


@pytest.mark.parametrize("seed", range(48))
def test_unfold_and_fold(seed: int) -> None:
    draw = Draw(seed)
    kind = draw.choice([*WIDE, np.float16, BF16, np.complex64, bool])
    lead, channels, size = draw.choice([(), (0,), (2,)]), draw.randint(1, 3), draw.ints(3, 7, 2)
    window = {
        "kernel_size": draw.choice([2, draw.ints(1, 3, 2)]), "stride": draw.ints(1, 3, 2),
        "padding": draw.ints(0, 2, 2), "dilation": draw.choice([1, draw.ints(1, 2, 2)]),
    }  # fmt: skip
    wide = kind in (np.float16, BF16)
    agree(lambda x: f(x).unfold(x, **window), draw.array(*lead, channels, *size, dtype=kind), grad=not wide)
    like = torch.nn.functional.unfold(torch.zeros(channels, *size), **window).shape
    agree(lambda x: f(x).fold(x, size, **window), draw.array(*lead, *like, dtype=kind), grad=not wide)


@pytest.mark.parametrize("seed", SEEDS)
def test_shuffles(seed: int) -> None:
    draw = Draw(seed)
    kind = draw.choice([*WIDE, np.float16, BF16, np.complex64, np.int64, bool])
    r, lead = draw.randint(1, 3), draw.ints(1, 3, draw.randint(1, 2))  # PyTorch confuses empty ones
    channels, (h, w) = draw.randint(1, 3), draw.ints(1, 3, 2)
    agree(lambda x: top(x).pixel_shuffle(x, r), draw.array(*lead, channels * r * r, h, w, dtype=kind))
    agree(lambda x: f(x).pixel_unshuffle(x, r), draw.array(*lead, channels, h * r, w * r, dtype=kind))
    groups = draw.randint(1, 3)
    x = draw.array(draw.randint(0, 2), groups * channels, *draw.ints(1, 3, draw.randint(1, 3)), dtype=kind)
    agree(lambda x: top(x).channel_shuffle(x, groups), x)
    agree(lambda x: top(x).native_channel_shuffle(x, groups), x, name=False, grad=False)


# ---- pooling


def sized(draw: Draw) -> Any:
    """An image with or without a batch."""
    x = draw.image(least=4)
    return x[0] if x.shape[0] and draw.random() < 0.4 else x


@pytest.mark.parametrize("seed", range(48))
def test_max_pooling_with_positions_and_back(seed: int) -> None:
    draw = Draw(seed)
    n, x = draw.ndim, sized(draw)
    kernel, stride = draw.randint(2, 3), draw.choice([None, 2])
    padding = draw.randint(0, 1)
    args = (kernel, stride, padding)
    dilated = (*args, draw.randint(1, 2), draw.random() < 0.5)
    agree(lambda x: getattr(f(x), f"max_pool{n}d")(x, *dilated, return_indices=True), x)
    agree(lambda x: getattr(f(x), f"max_pool{n}d_with_indices")(x, *args), x)

    def back(x: Any) -> Any:
        small, places = getattr(f(x), f"max_pool{n}d")(x, *args, return_indices=True)
        return getattr(f(x), f"max_unpool{n}d")(small * 2, places, *args, output_size=x.shape[-n:])

    agree(back, x)


@pytest.mark.parametrize("seed", range(48))
def test_means(seed: int) -> None:
    draw = Draw(seed)
    n, x = draw.ndim, sized(draw)
    args = [
        draw.randint(2, 3),
        draw.choice([None, 1, 2]),
        draw.randint(0, 1),
        draw.random() < 0.5,
        draw.random() < 0.5,
    ]
    if n > 1:
        args.append(draw.choice([None, 5, -2]))
    agree(lambda x: getattr(f(x), f"avg_pool{n}d")(x, *args), x)


@pytest.mark.parametrize("seed", range(48))
def test_adaptive_pooling(seed: int) -> None:
    draw = Draw(seed)
    n, x = draw.ndim, sized(draw)
    size = draw.choice(
        [draw.randint(1, 5), tuple(draw.choice([None, 1, 2, 5]) for _ in range(n)) if n > 1 else 3]
    )
    agree(lambda x: getattr(f(x), f"adaptive_max_pool{n}d")(x, size, return_indices=True), x)
    agree(lambda x: getattr(f(x), f"adaptive_max_pool{n}d_with_indices")(x, size), x)
    agree(lambda x: getattr(f(x), f"adaptive_avg_pool{n}d")(x, size), x)


def test_adaptive_maxima_of_nans() -> None:
    x = np.random.default_rng(1).standard_normal((2, 3, 7, 6))
    x[np.random.default_rng(2).random(x.shape) < 0.2] = np.nan
    x[np.random.default_rng(3).random(x.shape) < 0.2] = -np.inf
    for size in (1, 2, (3, 5)):
        agree(lambda x, s=size: f(x).adaptive_max_pool2d(x, s, return_indices=True), x)
    draws = np.random.default_rng(4).random((2, 3, 2))
    agree(lambda x: f(x).fractional_max_pool2d(x, 3, 3, None, True, top(x).tensor(draws, dtype=x.dtype)), x)


@pytest.mark.parametrize("seed", range(48))
def test_power_means(seed: int) -> None:
    draw = Draw(seed)
    n, x = draw.ndim, np.abs(sized(draw)) + 0.1
    p, args = (
        draw.choice([1, 2, 2.5, 3.0, np.inf]),
        (draw.randint(2, 3), draw.choice([None, 1]), draw.random() < 0.5),
    )
    agree(lambda x: getattr(f(x), f"lp_pool{n}d")(x, p, *args), x)


@pytest.mark.parametrize("seed", range(48))
def test_windows_at_random_steps(seed: int) -> None:
    """The default generators give both libraries the same steps."""
    draw = Draw(seed)
    n = draw.ndim = seed % 2 + 2
    kind = draw.choice([*WIDE, np.float16, BF16])
    x = draw.array(*draw.choice([(), (0,), (2,)]), 3, *draw.ints(5, 8), dtype=kind)
    wanted = draw.choice(
        [{"output_size": draw.ints(0, 3)}, {"output_ratio": (0.5, 0.4, 0.6)[:n]}, {"output_size": 3}]
    )

    def pool(x: Any) -> Any:
        top(x).manual_seed(seed)
        return getattr(f(x), f"fractional_max_pool{n}d")(x, 2, **wanted, return_indices=True)

    agree(pool, x, grad=kind in WIDE)


# ---- norms and distances


@pytest.mark.parametrize("seed", SEEDS)
def test_response_and_root_mean_square_norms(seed: int) -> None:
    draw = Draw(seed)
    x = draw.image(least=2)
    size = draw.randint(1, 5)
    agree(lambda x: f(x).local_response_norm(x, size, 0.3, 0.6, 0.9), np.ascontiguousarray(x))
    last = x.shape[draw.choice([-1, -2]) :]
    kind = draw.choice([*WIDE, np.float16, BF16, np.complex64])
    eps, wide = draw.choice([None, 1e-3]), kind in (np.float16, BF16)
    # of a strided input PyTorch's last node is a copy
    agree(lambda x: f(x).rms_norm(x, last, None, eps), x.astype(kind), grad=not wide, name=False)
    agree(lambda x, w: top(x).rms_norm(x, last, w, eps), x, draw.normal(*last, dtype=x.dtype), name=False)


@pytest.mark.parametrize("seed", SEEDS)
def test_normalize(seed: int) -> None:
    draw = Draw(seed)
    x = draw.array(*draw.ints(1, 4, draw.randint(2, 4)), dtype=draw.choice([*WIDE, np.complex128]))
    p = draw.choice([1, 2.0, 3.5, np.inf])
    dim = draw.choice([0, -1, (0, 1)])
    eps = draw.choice([1e-12, 2.0])
    agree(lambda x: f(x).normalize(x, p, dim, eps), x)


@pytest.mark.parametrize("seed", SEEDS)
def test_cosine_similarity(seed: int) -> None:
    draw = Draw(seed)
    rank = draw.randint(1, 3)
    shape = draw.ints(1, 4, rank)
    kinds = draw.choice(
        [(np.float64,) * 2, (np.float32,) * 2, (np.float32, np.int64), (np.float64, np.int32)]
    )
    x, y = draw.array(*shape, dtype=kinds[0]), draw.array(*shape[draw.randint(0, rank - 1) :], dtype=kinds[1])
    eps, dim = draw.choice([1e-8, 2.0]), draw.choice([0, -1])
    agree(lambda a, b: top(a).cosine_similarity(a, b, dim, eps), x, y)


def test_cosine_similarity_of_two_dtypes() -> None:
    """Lengths are float32's, the product float64's, as in PyTorch."""
    x, y = Draw(1).normal(3, 5, dtype=np.float32), Draw(2).normal(3, 5)
    mine = F.cosine_similarity(convgrad.tensor(x), convgrad.tensor(y))
    other = torch.nn.functional.cosine_similarity(torch.tensor(x), torch.tensor(y))
    assert mine.dtype is convgrad.float64 and other.dtype is torch.float64
    np.testing.assert_allclose(mine.numpy(), other.numpy(), rtol=1e-6)


@pytest.mark.parametrize("p", [0.0, 0.5, 1.0, 2.0, 3.0, np.inf])
@pytest.mark.parametrize("seed", range(6))
def test_distances(seed: int, p: float) -> None:
    draw = Draw(seed)
    kind = draw.choice(WIDE)
    n, m = draw.ints(1, 5, 2)
    x, y = draw.array(n, m, dtype=kind), draw.array(*draw.choice([(n, m), (1, m), (m,)]), dtype=kind)
    keep = draw.random() < 0.5
    agree(lambda a, b: top(a).pairwise_distance(a, b, p, keepdim=keep), x, y)
    agree(lambda a: f(a).pairwise_distance(a, a, p), x[:1, 0])
    agree(lambda a: top(a).pdist(a, p), draw.array(n + 1, m, dtype=kind), name=False)


def test_distances_of_nothing_and_of_equals() -> None:
    for shape in ((0, 3), (1, 3), (4, 0)):
        agree(lambda a: f(a).pdist(a), np.zeros(shape), grad=False, name=False)
    agree(
        lambda a: f(a).pdist(top(a).cat([a, a])), np.random.default_rng(0).standard_normal((3, 4)), name=False
    )
    equal_gaps = np.array([[0.0, 0.0, 0.0], [1.0, 1.0, 0.5], [3.0, 3.0, 3.0]])
    for p in (0.0, float("inf")):
        agree(lambda a, p=p: f(a).pdist(a, p), equal_gaps, name=False)


def test_top_names_of_norms() -> None:
    draw = Draw(5)
    x, w, b = draw.normal(4, 3, 5), draw.normal(3), draw.normal(3)
    agree(lambda x, w, b: top(x).batch_norm(x, w, b, None, None, True, 0.1, 1e-5, False), x, w, b)
    agree(
        lambda x, w, b: top(x).batch_norm(x, w, None, b, b * b, False, 0.1, 1e-5, False),
        x,
        w,
        np.abs(b),
        grad=False,
    )
    agree(
        lambda x, w, b: top(x).instance_norm(x, w, b, None, None, True, 0.1, 1e-5, False), x, w, b, name=False
    )
    agree(lambda x: top(x).adaptive_max_pool1d(x, 2), x)
    agree(lambda x: top(x).max_pool1d_with_indices(x, 2), x)


# ---- padding, whatever the widths


@settings(max_examples=250, deadline=None, derandomize=True)
@given(st.data())
def test_pad(data: st.DataObject) -> None:
    mode = data.draw(st.sampled_from(["constant", "reflect", "replicate", "circular"]))
    count = data.draw(st.integers(1, 3))
    shape = data.draw(st.lists(st.integers(3, 6), min_size=count, max_size=count + 2))
    # PyTorch's circular borders of a cut input hold what lay in memory
    least = 0 if mode == "circular" else -3
    widths = data.draw(st.lists(st.integers(least, 4), min_size=2 * count, max_size=2 * count))
    x = np.random.default_rng(len(shape)).standard_normal(shape)
    sizes = [n + widths[2 * i] + widths[2 * i + 1] for i, n in enumerate(reversed(shape[-count:]))]
    whole = min(sizes) > 0  # of an empty result PyTorch's gradient is what lay in memory
    agree(lambda x: f(x).pad(x, widths, mode), x, name=mode != "circular", grad=whole)


# ---- errors

FAILS: list[Callable[[Any], Any]] = [
    lambda t: t.nn.functional.interpolate(t.ones(2, 3, 5), size=3, scale_factor=2),
    lambda t: t.nn.functional.interpolate(t.ones(2, 3, 5)),
    lambda t: t.nn.functional.interpolate(t.ones(2, 3, 5), size=3, align_corners=True),
    lambda t: t.nn.functional.interpolate(t.ones(2, 3, 5), size=(3, 4)),
    lambda t: t.nn.functional.interpolate(t.ones(2, 3, 5), scale_factor=(3, 4)),
    lambda t: t.nn.functional.interpolate(t.ones(2, 3, 5), size=3, mode="bilinear"),
    lambda t: t.nn.functional.interpolate(t.ones(2, 3, 5), size=3, mode="bicubic"),
    lambda t: t.nn.functional.interpolate(t.ones(2, 3, 5), size=0),
    lambda t: t.nn.functional.interpolate(t.ones(2, 0, 5), size=3),
    lambda t: t.nn.functional.interpolate(t.ones(3, 5), size=3),
    lambda t: t.nn.functional.interpolate(t.ones(2, 3, 5, dtype=t.int64), size=3),
    lambda t: t.nn.functional.grid_sample(t.ones(2, 3, 4, 5), t.ones(2, 3, 4, 2), "x"),
    lambda t: t.nn.functional.grid_sample(t.ones(2, 3, 4, 5), t.ones(2, 3, 4, 3)),
    lambda t: t.nn.functional.grid_sample(t.ones(2, 3, 4, 5), t.ones(1, 3, 4, 2)),
    lambda t: t.nn.functional.grid_sample(t.ones(2, 3, 0, 5), t.ones(2, 3, 4, 2)),
    lambda t: t.nn.functional.grid_sample(t.ones(2, 3, 4, 5, 6), t.ones(2, 3, 4, 2, 3), "bicubic"),
    lambda t: t.nn.functional.grid_sample(t.ones(2, 3, 4, 5), t.ones(2, 3, 4, 2, dtype=t.float64)),
    lambda t: t.nn.functional.affine_grid(t.ones(2, 2, 3), (2, 3, 4)),
    lambda t: t.nn.functional.affine_grid(t.ones(2, 3, 3), (2, 3, 4, 5)),
    lambda t: t.nn.functional.affine_grid(t.ones(2, 2, 3), (3, 3, 4, 5)),
    lambda t: t.nn.functional.affine_grid(t.ones(2, 2, 3), (2, 3, 0, 5)),
    lambda t: t.nn.functional.unfold(t.ones(5, 6), 2),
    lambda t: t.nn.functional.unfold(t.ones(2, 3, 5, 6), 9),
    lambda t: t.nn.functional.unfold(t.ones(2, 3, 5, 6), 2, stride=0),
    lambda t: t.nn.functional.unfold(t.ones(2, 3, 5, 6, dtype=t.int64), 2),
    lambda t: t.nn.functional.fold(t.ones(2, 12, 19), (5, 6), 2),
    lambda t: t.nn.functional.fold(t.ones(2, 11, 20), (5, 6), 2),
    lambda t: t.nn.functional.pixel_shuffle(t.ones(3, 4), 2),
    lambda t: t.nn.functional.pixel_shuffle(t.ones(2, 7, 3, 4), 2),
    lambda t: t.nn.functional.pixel_unshuffle(t.ones(2, 8, 5, 4), 2),
    lambda t: t.nn.functional.channel_shuffle(t.ones(2, 7, 4), 2),
    lambda t: t.nn.functional.channel_shuffle(t.ones(2, 8), 2),
    lambda t: t.nn.functional.lp_pool1d(t.ones(2, 3, 8), 0, 3),
    lambda t: t.nn.functional.max_unpool2d(t.ones(2, 3, 4, 4), t.zeros(2, 3, 4, 5, dtype=t.int64), 2),
    lambda t: t.nn.functional.max_unpool2d(t.ones(2, 3, 4, 4), t.zeros(2, 3, 4, 4), 2),
    lambda t: t.nn.functional.max_unpool2d(t.ones(2, 3, 4, 4), t.zeros(2, 3, 4, 4, dtype=t.int64) + 64, 2),
    lambda t: t.nn.functional.max_unpool2d(
        t.ones(2, 3, 4, 4), t.zeros(2, 3, 4, 4, dtype=t.int64), 2, output_size=(12, 9)
    ),
    lambda t: t.nn.functional.fractional_max_pool2d(t.ones(2, 3, 8, 8), 2),
    lambda t: t.nn.functional.fractional_max_pool2d(t.ones(2, 3, 8, 8), 2, output_size=8),
    lambda t: t.nn.functional.fractional_max_pool2d(
        t.ones(2, 3, 8, 8), 2, output_size=3, _random_samples=t.ones(1, 3, 2)
    ),
    lambda t: t.nn.functional.adaptive_max_pool2d(t.ones(2, 3, 8, 8, dtype=t.int64), 2),
    lambda t: t.nn.functional.adaptive_avg_pool2d(t.ones(2, 3, 8, 8, dtype=t.int64), 2),
    lambda t: t.nn.functional.max_pool2d(t.ones(2, 3, 8, 8, dtype=t.complex64), 2),
    lambda t: t.nn.functional.avg_pool2d(t.ones(2, 3, 8, 8, dtype=t.uint8), 2),
    lambda t: t.nn.functional.local_response_norm(t.ones(2, 5), 3),
    lambda t: t.nn.functional.rms_norm(t.ones(2, 5), (4,)),
    lambda t: t.nn.functional.rms_norm(t.ones(2, 5), ()),
    lambda t: t.nn.functional.layer_norm(t.ones(2, 5, dtype=t.int64), (5,)),
    lambda t: t.nn.functional.normalize(t.ones(2, 5, dtype=t.int64)),
    lambda t: t.nn.functional.normalize(t.ones(5)),
    lambda t: t.nn.functional.cosine_similarity(t.ones(2, 5), t.ones(3, 5)),
    lambda t: t.nn.functional.cosine_similarity(t.ones(2, 5, dtype=t.int64), t.ones(2, 5, dtype=t.int64)),
    lambda t: t.nn.functional.pairwise_distance(t.ones(2, 5), t.ones(3, 5)),
    lambda t: t.nn.functional.pdist(t.ones(4)),
    lambda t: t.nn.functional.pdist(t.ones(4, 3), -1),
    lambda t: t.nn.functional.pdist(t.ones(4, 3, dtype=t.int64)),
]


@pytest.mark.parametrize("call", FAILS, ids=range(len(FAILS)))
def test_errors(call: Callable[[Any], Any]) -> None:
    """The same exception type (ours may be a subclass), and half of the words people search for."""
    with pytest.raises(Exception) as expected:
        call(torch)
    with pytest.raises(expected.type) as got:
        call(convgrad)
    theirs, mine = ({w for w in str(e.value).split() if len(w) > 3} for e in (expected, got))
    assert len(theirs & mine) >= 0.5 * len(theirs), f"{expected.value} | {got.value}"


def test_second_derivatives_of_sampling_by_differences() -> None:
    """PyTorch has none to compare with: the gradient of a gradient against differences of PyTorch's gradient."""
    draw = Draw(8)
    x, grid = draw.normal(1, 2, 4, 5), draw.arrays.uniform(-0.8, 0.8, (1, 2, 2, 2))
    for mode in ("bilinear", "bicubic"):
        a = [convgrad.tensor(v, requires_grad=True) for v in (x, grid)]
        (g,) = convgrad.autograd.grad(
            (F.grid_sample(*a, mode, "border", False) ** 2).sum(), a[1], create_graph=True
        )
        seconds = convgrad.autograd.grad(g.sum(), a)
        step = 1e-6
        for k, second in enumerate(seconds):
            sums = []
            for sign in (1, -1):
                shifted = [v.copy() for v in (x, grid)]
                shifted[k].reshape(-1)[3] += sign * step
                b = [torch.tensor(v, requires_grad=True) for v in shifted]
                out = torch.nn.functional.grid_sample(*b, mode, "border", False)
                sums.append(torch.autograd.grad((out**2).sum(), b[1])[0].sum().item())
            difference = (sums[0] - sums[1]) / (2 * step)
            assert abs(second.flatten()[3].item() - difference) < 1e-5 * max(1, abs(difference))


def test_values_of_long_resampling() -> None:
    """Tables with many taps go through matrix products."""
    x = np.random.default_rng(4).standard_normal((2, 3, 64, 50)).astype(np.float32)
    for size in ((5, 7), (3, 200)):
        a = F.interpolate(convgrad.tensor(x), size, mode="bicubic", antialias=True)
        b = torch.nn.functional.interpolate(torch.tensor(x), size, mode="bicubic", antialias=True)
        close(a, b)
