"""The canvas: well-formed, escaped, finite, growing to fit, and saved as a whole."""

from __future__ import annotations

import math
import struct
import xml.etree.ElementTree as ET
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convgrad.errors import ShapeError
from convgrad.tools.png import grey_pixels, png_bytes, signed_pixels
from convgrad.tools.svg import (
    PALETTE,
    Canvas,
    clip_text,
    escape,
    number,
    palette_css,
    picture_style,
    text_width,
)
from convgrad.tools.values import as_array, grid_rows, show, summary


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(a: str, b: str) -> float:
    high, low = sorted((_luminance(a), _luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@given(st.text(st.characters(codec=None)))
def test_any_text_makes_well_formed_xml(text: str) -> None:
    canvas = Canvas(text)
    canvas.text(0, 0, text)
    canvas.rect(0, 0, 1, 1, "pos", tip=text)
    root = ET.fromstring(canvas.picture().svg)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"


def test_markup_in_names_is_text() -> None:
    canvas = Canvas("<b>&\"'")
    canvas.text(0, 0, "<script>alert(1)</script>")
    root = ET.fromstring(canvas.picture().svg)
    assert not [e for e in root.iter() if e.tag.endswith("script")]
    assert [e.text for e in root.iter() if e.tag.endswith("}text")] == ["<script>alert(1)</script>"]
    assert root.get("aria-label") == "<b>&\"'"


def test_control_characters_are_replaced() -> None:
    assert escape("a\x00b\ud800c") == "a\ufffdb\ufffdc"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_coordinates_must_be_finite(value: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        number(value)


def test_view_box_covers_everything_drawn() -> None:
    canvas = Canvas("box")
    canvas.rect(-50, 10, 20, 5, "pos")
    canvas.line((0, 0), (300, 400))
    left, top, width, height = map(float, ET.fromstring(canvas.picture(5).svg).get("viewBox", "").split())
    assert (left, top, width, height) == (-55, -5, 360, 410)


def test_wider_text_is_measured_wider_and_clipped_text_fits() -> None:
    assert text_width("mmmm", 10) > text_width("iiii", 10)
    assert text_width("畳み", 10) > text_width("ab", 10)
    long = "a_very_long_parameter_name.weight"
    short = clip_text(long, 12, 100)
    assert text_width(short, 12) <= 100
    assert "…" in short and short.startswith("a_v") and short.endswith("t")
    assert clip_text("short", 12, 100) == "short"


@pytest.mark.parametrize("mode", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(
    ("ink", "paper", "least"),
    [
        ("ink", "paper", 7),
        ("muted", "paper", 4.5),
        ("grad", "paper", 4.5),
        ("ink", "leaf", 7),
        ("ink", "op", 7),
    ]
    + [("ink", "root", 7), ("muted", "op", 4.5), ("good", "paper", 4.5), ("bad", "paper", 4.5)]
    + [(f"s{i}", "paper", 3) for i in range(6)],
)
def test_palette_has_enough_contrast(ink: str, paper: str, least: float, mode: int) -> None:
    """WCAG 2.2: 4.5 for text, 3 for graphics."""
    assert _contrast(PALETTE[ink][mode], PALETTE[paper][mode]) >= least


def test_white_text_is_readable_on_full_colours() -> None:
    for name in ("pos", "neg"):
        for colour in PALETTE[name]:
            assert _contrast("#ffffff", colour) >= 4.5


def test_style_is_self_contained_and_has_both_modes() -> None:
    assert "prefers-color-scheme:dark" in palette_css(".cg")
    for word in ("url(", "@import", "http"):
        assert word not in picture_style()


def test_save_is_atomic_and_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    canvas = Canvas("one")
    canvas.circle(0, 0, 1, "pos")
    picture = canvas.picture()
    assert picture._repr_svg_() == str(picture) == picture.svg
    assert picture.svg in picture._repr_html_()
    path = picture.save(tmp_path / "one.svg")
    assert path.read_text(encoding="utf-8").strip() == picture.svg
    picture.save(tmp_path / "one.html")
    assert (tmp_path / "one.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")

    def fails(source: str, target: Path) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", fails)
    with pytest.raises(OSError, match="disk full"):
        Canvas("two").picture().save(tmp_path / "one.svg")
    assert path.read_text(encoding="utf-8").strip() == picture.svg
    assert sorted(p.name for p in tmp_path.iterdir()) == ["one.html", "one.svg"]


def _decode(png: bytes) -> np.ndarray:
    """A reader for what we write: 8 bits, filter 0."""
    at, data, header = 8, b"", b""
    while at < len(png):
        (size,) = struct.unpack(">I", png[at : at + 4])
        kind, body = png[at + 4 : at + 8], png[at + 8 : at + 8 + size]
        assert struct.unpack(">I", png[at + 8 + size : at + 12 + size]) == (zlib.crc32(kind + body),)
        header, data = (body if kind == b"IHDR" else header), (data + body if kind == b"IDAT" else data)
        at += 12 + size
    width, height, depth, colour = struct.unpack(">IIBB", header[:10])
    channels = {0: 1, 2: 3, 6: 4}[colour]
    assert depth == 8
    rows = np.frombuffer(zlib.decompress(data), np.uint8).reshape(height, 1 + width * channels)
    assert not rows[:, 0].any()
    return rows[:, 1:].reshape(height, width, channels)


@pytest.mark.parametrize("shape", [(3, 5, 1), (3, 5, 3), (1, 1, 4)])
def test_png_holds_the_pixels(shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    given_pixels = pixels[..., 0] if shape[2] == 1 else pixels
    assert np.array_equal(_decode(png_bytes(given_pixels)), pixels)


@pytest.mark.parametrize("shape", [(3,), (0, 4), (2, 2, 2)])
def test_png_refuses_other_shapes(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match="png: expected"):
        png_bytes(np.zeros(shape, np.uint8))


def test_signed_pixels_colour_by_sign_and_opacity_by_size() -> None:
    out = signed_pixels(np.array([[-2.0, 0.0, 1.0, np.nan]]), 2.0)
    assert out[0, :, 3].tolist() == [255, 0, 128, 0]
    assert out[0, 0, 2] > out[0, 0, 0]  # blue
    assert out[0, 2, 0] > out[0, 2, 2]  # red
    assert grey_pixels(np.array([[5.0, 5.0]]), 5, 5).tolist() == [[128, 128]]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1e-9, "1e-9"),
        (1.5e10, "1.5e10"),
        (12345.6, "12346"),
        (float("nan"), "nan"),
        (-0.25, "-0.25"),
        (3, "3"),
    ]
    + [(1 + 2j, "1+2j"), (1 - 0.5j, "1-0.5j"), (False, "False"), (102.4, "102.4")],
)
def test_numbers_as_text(value: complex, text: str) -> None:
    assert show(value) == text


def test_arrays_and_their_summaries() -> None:
    class Strange:
        def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray:
            raise TypeError("no numpy for this dtype")

        def tolist(self) -> list[float]:
            return [1.5, 2.5]

    assert as_array(Strange()).tolist() == [1.5, 2.5]
    assert summary(np.array([1.0, np.inf, 3.0])) == ["min  1", "mean 2", "max  3", "not finite: 1"]
    assert summary(np.zeros((0, 3))) == ["(empty)"]
    assert summary(np.array([True] * 3 + [False])) == ["true in 3 of 4"]
    assert grid_rows(np.arange(4).reshape(2, 2)) == [["0", "1"], ["2", "3"]]
    assert grid_rows(np.zeros(7)) is None
