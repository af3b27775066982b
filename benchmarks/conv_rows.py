"""The convolutions to be measured: rows of shapes.toml, checked, with the sizes and data that follow."""

from __future__ import annotations

import tomllib
import zlib
from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

SHAPES = Path(__file__).resolve().parent / "shapes.toml"

Ints = tuple[int, ...]
Array = np.ndarray[Any, np.dtype[Any]]


class ConvRow(NamedTuple):
    """One layer of a network.

    Attributes:
        group: the line of the summary it counts in.
        net: where the layer comes from.
        x: shape of the input, ``(N, C, *S)``.
        w: shape of the kernel, ``(O, C / groups, *K)``; transposed: ``(C, O / groups, *K)``.
        stride, padding, dilation, output_padding: one int per spatial dimension.
    """

    group: str
    net: str
    x: Ints
    w: Ints
    stride: Ints
    padding: Ints
    dilation: Ints
    output_padding: Ints
    groups: int = 1
    transposed: bool = False
    bias: bool = False

    @property
    def name(self) -> str:
        return f"{self.group} / {self.net}"

    @property
    def ndim(self) -> int:
        """Spatial dimensions."""
        return len(self.x) - 2

    @property
    def out_channels(self) -> int:
        return self.w[1] * self.groups if self.transposed else self.w[0]

    @property
    def output(self) -> Ints:
        """Shape of the output; the formulas of Dumoulin & Visin (2016, arXiv:1603.07285)."""
        parts = zip(self.x[2:], self.w[2:], self.stride, self.padding, self.dilation, strict=True)
        if self.transposed:
            sizes = [(n - 1) * s - 2 * p + d * (k - 1) + 1 for n, k, s, p, d in parts]
            sizes = [size + extra for size, extra in zip(sizes, self.output_padding, strict=True)]
        else:
            sizes = [(n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in parts]
        return (self.x[0], self.out_channels, *sizes)

    @property
    def flops(self) -> int:
        """Operations of the forward pass by the definition: two for each weight and place of the kernel."""
        places = self.x[2:] if self.transposed else self.output[2:]
        return 2 * self.x[0] * prod(self.w) * prod(places)

    @property
    def shape(self) -> str:
        """The row's sizes in one short text."""
        parts = [_times(self.x), "w " + _times(self.w)]
        defaults = (("s", self.stride, 1), ("p", self.padding, 0), ("d", self.dilation, 1))
        for letter, values, default in (*defaults, ("op", self.output_padding, 0)):
            if any(value != default for value in values):
                same = len(set(values)) == 1
                parts.append(letter + (str(values[0]) if same else _times(values)))
        parts += [f"g{self.groups}"] if self.groups > 1 else []
        return " ".join(parts) + (", transposed" if self.transposed else "") + (" +b" if self.bias else "")


def _times(sizes: Ints) -> str:
    return "x".join(map(str, sizes))


def read_rows(path: Path = SHAPES) -> list[ConvRow]:
    """The rows of a TOML file, in its order.

    Raises:
        ValueError: a row that is no valid convolution, or two of the same name; says which and why.
    """
    rows = [row_of(entry) for entry in tomllib.loads(path.read_text(encoding="utf-8"))["row"]]
    names = [row.name for row in rows]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{path.name}: more than one row is called {', '.join(twice)}")
    return rows


_KEYS = {
    "group", "net", "x", "w", "stride", "padding", "dilation", "output_padding", "groups", "transposed",
    "bias",
}  # fmt: skip


def row_of(entry: dict[str, Any]) -> ConvRow:
    """A row from its entry in the file, as PyTorch would read its numbers."""
    who = f"row {entry.get('net', entry)!r}"
    missing = {"group", "net", "x", "w"} - set(entry)
    if missing or set(entry) - _KEYS:
        raise ValueError(f"{who}: needs {sorted(missing)}, does not know {sorted(set(entry) - _KEYS)}")
    ndim = len(entry["x"]) - 2

    def each(key: str, default: int) -> Ints:
        value = entry.get(key, default)
        return (value,) * ndim if isinstance(value, int) else tuple(value)

    row = ConvRow(
        entry["group"], entry["net"], tuple(entry["x"]), tuple(entry["w"]), each("stride", 1),
        each("padding", 0), each("dilation", 1), each("output_padding", 0), entry.get("groups", 1),
        entry.get("transposed", False), entry.get("bias", False),
    )  # fmt: skip
    complaint = complaint_about(row)
    if complaint:
        raise ValueError(f"{who}: {complaint}")
    return row


def complaint_about(row: ConvRow) -> str:
    """Why a row is no convolution; empty if it is one."""
    if not 1 <= row.ndim <= 3 or len(row.w) != len(row.x):
        return f"x {row.x} and w {row.w} must have 1 to 3 spatial dimensions, as many in both"
    settings = (row.stride, row.padding, row.dilation, row.output_padding)
    if any(len(setting) != row.ndim for setting in settings):
        return f"settings {settings} must have {row.ndim} numbers each"
    least = (row.x, row.w, row.stride, row.dilation, (row.groups,))
    if any(value < 1 for values in least for value in values) or any(p < 0 for p in row.padding):
        return "sizes, strides, dilations and groups must be positive, paddings not negative"
    channels = row.w[0] if row.transposed else row.w[1] * row.groups
    if channels != row.x[1]:
        return f"w {row.w} with groups={row.groups} needs {channels} channels, x has {row.x[1]}"
    if (row.w[0] if not row.transposed else row.x[1]) % row.groups:
        return f"channels of w {row.w} cannot be cut into {row.groups} groups"
    if any(size < 1 for size in row.output):
        return f"the output would be {row.output}"
    return ""


class Operands(NamedTuple):
    """What a row is measured on: the same numbers for every library."""

    x: Array
    w: Array
    bias: Array | None
    gy: Array


def operands(row: ConvRow, dtype: type[np.floating[Any]] = np.float32) -> Operands:
    """Normal numbers from a seed that the row's name gives; drawn in float32 whatever the dtype."""
    draw = np.random.default_rng(zlib.crc32(row.name.encode()))

    def normal(shape: Sequence[int]) -> Array:
        return draw.standard_normal(shape, np.float32).astype(dtype, copy=False)

    bias = normal((row.out_channels,)) if row.bias else None
    return Operands(normal(row.x), normal(row.w), bias, normal(row.output))
