"""The four figures: every number in them is one of the arrays', or their convolution's."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convgrad.errors import ShapeError
from convgrad.tools import monophonic_signal, output_layers, scalar_products, stacked_kernels
from convgrad.tools.convolution_pictures import cells, convolve_by_definition
from convgrad.tools.svg import Canvas, Picture
from convgrad.tools.values import show

SVG = "{http://www.w3.org/2000/svg}"


def words(picture: Picture) -> list[str]:
    """All text elements."""
    return [e.text or "" for e in ET.fromstring(picture.svg).iter(SVG + "text")]


def tips(picture: Picture) -> list[str]:
    """The exact numbers of all cells, as the pointer shows them."""
    return [e.text or "" for e in ET.fromstring(picture.svg).iterfind(f".//{SVG}rect/{SVG}title")]


def numbers_of(*arrays: np.ndarray) -> list[str]:
    return [show(float(v), 6) for array in arrays for v in np.ravel(array)]


def layer(m: int, c: int, n: int, k: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A signal, kernels, and their convolution by loops, with a bias."""
    draw = np.random.default_rng(seed)
    x, w, bias = draw.normal(size=(c, n)), draw.normal(size=(m, c, k)), draw.normal(size=m)
    y = np.zeros((m, n - k + 1))
    for j in range(m):
        for p in range(n - k + 1):
            y[j, p] = bias[j] + sum(w[j, ch, i] * x[ch, p + i] for ch in range(c) for i in range(k))
    return x, w, y


sizes = st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(1, 12), st.integers(1, 12)).map(
    lambda t: (t[0], t[1], max(t[2], t[3]), min(t[2], t[3]))
)


@given(sizes)
@settings(deadline=None, max_examples=25)
def test_definition_agrees_with_loops(size: tuple[int, int, int, int]) -> None:
    x, w, y = layer(*size)
    product = convolve_by_definition(x, w)
    assert product.shape == y.shape
    np.testing.assert_allclose(product - product[:, :1], y - y[:, :1], atol=1e-12)


def test_stacked_kernels_are_the_rows_of_the_matrix() -> None:
    x, w, _ = layer(2, 1, 10, 3)
    picture = stacked_kernels(w, x)
    y = convolve_by_definition(x, w)
    expected = [v for j in range(2) for v in [*8 * numbers_of(w[j]), *numbers_of(x), *numbers_of(y[j])]]
    assert sorted(tips(picture)) == sorted(expected)
    assert any("2 layers of height n − k + 1 = 10 − 3 + 1 = 8" in w for w in words(picture))
    # the first kernel entry of row i stands i columns to the right
    first = show(float(w[0, 0, 0]), 6)
    rects = [r for r in ET.fromstring(picture.svg).iter(SVG + "rect") if r.findtext(SVG + "title") == first]
    xs, ys = [float(r.get("x", "")) for r in rects], [float(r.get("y", "")) for r in rects]
    assert (
        np.ptp(np.diff(xs)) < 0.02
        and np.diff(xs)[0] > 0
        and np.ptp(np.diff(ys)) < 0.02
        and np.diff(ys)[0] > 0
    )


def test_stereo_is_a_sum_of_two_products() -> None:
    x, w, _ = layer(16, 2, 64, 3)
    shown = words(stacked_kernels(w, x))
    assert {"+", "=", "kernel, channel 1", "kernel, channel 2", "layer 1 of 16"} <= set(shown)
    assert "Drawn: 7 of 64 samples, 3 of 16 kernels." in shown
    many, bank, _ = layer(1, 5, 9, 3)
    assert "Drawn: 7 of 9 samples, 2 of 5 channels." in words(stacked_kernels(bank, many))


def test_output_layers() -> None:
    _, _, y = layer(16, 2, 64, 3)
    picture = output_layers(y)
    assert "thickness m = 16: 16 vectors of size n − k + 1 = 62" in words(picture)
    assert sorted(tips(picture)) == sorted(numbers_of(y[:16, :12]))
    small = output_layers(np.array([1.0, -2.0]))
    assert tips(small) == ["1", "-2"]
    assert "thickness m = 1: 1 vector of size n − k + 1 = 2" in words(small)


def test_signal_names_its_domain_and_channels() -> None:
    mono = words(monophonic_signal([1, 2, -3, 0.5]))
    assert "A signal is a mapping  x : Ω → ℝ" in mono
    assert "Ω = {1, 2, 3, 4},  c = 1 (monophonic)" in mono
    x = np.sin(np.arange(44100) / 9) * np.linspace(0, 1, 44100)
    stereo = monophonic_signal(np.stack([x, -x]), sample_rate=44100)
    assert "A signal is a mapping  x : Ω → ℝ²" in words(stereo)
    assert "Ω = {1, 2, 3, …, 44100},  c = 2 (stereophonic), 44100 samples per second, 1 s" in words(stereo)
    start = int(next(t for t in words(stereo) if "starting at" in t).split("starting at ")[1].rstrip(".")) - 1
    assert tips(stereo) == numbers_of(x[start : start + 20], -x[start : start + 20])


def test_scalar_products_add_up_to_the_output() -> None:
    x, w, y = layer(3, 2, 20, 4)
    picture = scalar_products(x, w, y, 5)
    shown = words(picture)
    for j in range(3):
        total = float((w[j] * x[:, 5:9]).sum())
        bias = float(y[j, 5]) - total
        assert f"Σ {show(total)} + bias {show(bias)}" in shown
        assert show(float(y[j, 5]), 6) in tips(picture)
        for value in numbers_of(w[j] * x[:, 5:9]):
            assert value in tips(picture)
    assert "window 6…9 of the signal gives entry 6 of each of the 3 layers" in shown
    assert {"y₁[6]", "y₂[6]", "y₃[6]"} <= set(shown)


def test_scalar_products_without_bias_mention_none() -> None:
    x, w, _ = layer(1, 1, 8, 3)
    assert not [t for t in words(scalar_products(x, w, convolve_by_definition(x, w))) if "bias" in t]


def test_scalar_products_notice_a_wrong_output() -> None:
    x, w, y = layer(2, 1, 9, 3)
    with pytest.raises(ValueError, match="not the convolution of x with w"):
        scalar_products(x, w, y[:, ::-1])
    with pytest.raises(ValueError, match="not the convolution of x with w"):
        scalar_products(x, w, y, bias=[100.0, 0.0])


@pytest.mark.parametrize(
    ("call", "error", "phrase"),
    [
        (lambda: stacked_kernels(np.ones((1, 2, 3)), np.ones(9)), ShapeError, "have 2 channels"),
        (
            lambda: stacked_kernels(np.ones((1, 1, 9)), np.ones(3)),
            ShapeError,
            "kernel of size 9 on a signal of 3",
        ),
        (lambda: stacked_kernels(np.ones((1, 1, 1, 3)), np.ones(9)), ShapeError, r"w must be \(m, C, k\)"),
        (lambda: output_layers(np.ones((2, 2, 2))), ShapeError, "y must be"),
        (lambda: output_layers(np.ones((0, 3))), ShapeError, "not empty"),
        (lambda: monophonic_signal([]), ShapeError, "not empty"),
        (
            lambda: scalar_products(np.ones(5), np.ones(3), np.ones(4)),
            ShapeError,
            r"= \(1, 3\), got \(1, 4\)",
        ),
        (
            lambda: scalar_products(np.ones(5), np.ones(3), np.ones(3), 3),
            IndexError,
            r"position must be in 0\.\.2",
        ),
    ],
)
def test_what_does_not_fit_is_refused(call: Any, error: type[Exception], phrase: str) -> None:
    with pytest.raises(error, match=phrase):
        call()


@given(sizes, st.sampled_from([0.0, 1.0, 1e-12, 1e12, 1e300]))
@settings(deadline=None, max_examples=40)
def test_any_size_and_scale_draws(size: tuple[int, int, int, int], scale: float) -> None:
    """Well-formed, without NaN, the same every time; also for constant and for huge numbers."""
    x, w, _ = layer(*size)
    x *= scale
    y = convolve_by_definition(x, w)
    calls = (
        lambda: stacked_kernels(w, x),
        lambda: output_layers(y),
        lambda: monophonic_signal(x),
        lambda: scalar_products(x, w, y, y.shape[1] - 1),
    )
    for call in calls:
        picture = call()
        ET.fromstring(picture.svg)
        assert not re.search(r'="[^"]*\b(nan|inf)', picture.svg)
        assert call().svg == picture.svg


@pytest.mark.parametrize(("n", "k"), [(5000, 3), (3000, 1024), (64, 64)])
def test_long_signals_and_kernels(n: int, k: int) -> None:
    """Nothing grows beyond reason: large tables become one image."""
    x, w = np.random.default_rng(0).normal(size=(1, n)), np.random.default_rng(1).normal(size=(2, 1, k))
    y = convolve_by_definition(x, w)
    for picture in (
        stacked_kernels(w, x),
        scalar_products(x, w, y, min(7, n - k)),
        monophonic_signal(x),
        output_layers(y),
    ):
        assert len(picture.svg) < 1_500_000
        ET.fromstring(picture.svg)


def test_colour_follows_sign_and_size_and_numbers_fit() -> None:
    canvas = Canvas("cells")
    cells(canvas, np.array([[-1.0, 0.25, np.nan]]), 0, 0, 26, 1.0, wide=40)
    root = ET.fromstring(canvas.picture().svg)
    rects = list(root.iter(SVG + "rect"))
    assert [(r.get("class"), r.get("fill-opacity", "1")) for r in rects] == [
        ("f-neg", "1"),
        ("f-pos", "0.25"),
    ]
    assert [t.text for t in root.iter(SVG + "text")] == ["-1", "0.250"]
    tiny = Canvas("tiny")
    cells(tiny, np.array([[-1.5]]), 0, 0, 5, 1.0)
    assert not list(ET.fromstring(tiny.picture().svg).iter(SVG + "text"))
