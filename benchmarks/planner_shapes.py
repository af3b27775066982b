"""Shapes to try the planner on: layers of the families of nets in shapes.toml, at sizes drawn from a seed.

None of them is a row of shapes.toml, for which the kernels were measured while they were made.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import NamedTuple

from conv_rows import ConvRow, Ints, complaint_about, read_rows

SEED = 20
DRAWS = 5  # per family
MOST_FLOPS = 2e9  # forward: keeps a candidate to some tens of milliseconds
DEPTHWISE = 0


class Family(NamedTuple):
    """A layer of a net, before its sizes are changed. Up to four input channels are kept as they are."""

    name: str
    batch: int
    channels: int
    out: int
    size: Ints
    kernel: Ints
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    groups: int = 1  # DEPTHWISE: as many as channels
    transposed: bool = False


FAMILIES = (
    Family("ResNet stage 1", 8, 64, 64, (56, 56), (3, 3), padding=1),
    Family("ResNet stage 2", 8, 128, 128, (28, 28), (3, 3), padding=1),
    Family("ResNet stage 3", 8, 256, 256, (14, 14), (3, 3), padding=1),
    Family("ResNet stage 4", 4, 512, 512, (7, 7), (3, 3), padding=1),
    Family("VGG", 1, 128, 128, (112, 112), (3, 3), padding=1),
    Family("CIFAR ResNet", 64, 32, 32, (16, 16), (3, 3), padding=1),
    Family("U-Net, unpadded", 1, 64, 64, (140, 140), (3, 3)),
    Family("downsampling 3x3", 8, 64, 128, (56, 56), (3, 3), 2, 1),
    Family("stem 7x7", 8, 3, 64, (160, 160), (7, 7), 2, 3),
    Family("stem 3x3", 8, 3, 32, (160, 160), (3, 3), 2, 1),
    Family("patches 4x4", 8, 3, 96, (160, 160), (4, 4), 4),
    Family("AlexNet", 4, 3, 64, (200, 200), (11, 11), 4, 2),
    Family("1x1, wide image", 8, 128, 64, (56, 56), (1, 1)),
    Family("1x1, many channels", 8, 768, 256, (14, 14), (1, 1)),
    Family("1x1, one image", 1, 320, 1280, (7, 7), (1, 1)),
    Family("1x1 stride 2", 8, 256, 512, (28, 28), (1, 1), 2),
    Family("MobileNet expansion", 8, 24, 144, (56, 56), (1, 1)),
    Family("LeNet 5x5", 64, 6, 16, (14, 14), (5, 5)),
    Family("MNIST", 64, 1, 32, (28, 28), (3, 3), padding=1),
    Family("few channels, wide kernel", 16, 20, 16, (48, 96), (3, 5)),
    Family("AlexNet 5x5", 8, 64, 192, (27, 27), (5, 5), padding=2),
    Family("Inception 1x7", 4, 160, 192, (17, 17), (1, 7), padding=3),
    Family("DeepLab, dilated", 1, 256, 256, (33, 33), (3, 3), padding=6, dilation=6),
    Family("EEGNet temporal", 8, 1, 8, (32, 512), (1, 64)),
    Family("ECG k7", 16, 64, 64, (1000,), (7,), padding=3),
    Family("WaveNet, dilated", 2, 64, 64, (12000,), (3,), padding=8, dilation=8),
    Family("TCN", 16, 25, 25, (600,), (7,), padding=12, dilation=4),
    Family("M5, k80", 8, 1, 64, (16000,), (80,), 4),
    Family("wav2vec k10", 2, 1, 512, (16000,), (10,), 5),
    Family("wav2vec k3", 1, 512, 512, (1600,), (3,), 2),
    Family("Whisper", 1, 80, 384, (3000,), (3,), padding=1),
    Family("HiFi-GAN, dilated", 1, 128, 128, (4096,), (7,), padding=9, dilation=3),
    Family("filter bank k128", 4, 1, 16, (16000,), (128,)),
    Family("filter bank k512", 4, 1, 16, (16000,), (512,)),
    Family("impulse responses", 1, 2, 4, (24000,), (3000,)),
    Family("C3D", 1, 32, 64, (8, 56, 56), (3, 3, 3), padding=1),
    Family("3-D U-Net", 1, 16, 32, (24, 48, 48), (3, 3, 3), padding=1),
    Family("MobileNet 3x3", 8, 96, 96, (56, 56), (3, 3), padding=1, groups=DEPTHWISE),
    Family("MobileNet 3x3 stride 2", 8, 96, 96, (80, 80), (3, 3), 2, 1, groups=DEPTHWISE),
    Family("EfficientNet 5x5", 8, 240, 240, (28, 28), (5, 5), padding=2, groups=DEPTHWISE),
    Family("ConvNeXt 7x7", 4, 192, 192, (28, 28), (7, 7), padding=3, groups=DEPTHWISE),
    Family("Conformer k31", 4, 256, 256, (2000,), (31,), padding=15, groups=DEPTHWISE),
    Family("Mamba k4", 4, 512, 512, (2048,), (4,), padding=3, groups=DEPTHWISE),
    Family("long depthwise k256", 2, 64, 64, (4096,), (256,), padding=255, groups=DEPTHWISE),
    Family("long depthwise k2048", 1, 64, 64, (4096,), (2048,), padding=2047, groups=DEPTHWISE),
    Family("X3D", 2, 54, 54, (8, 40, 40), (3, 3, 3), padding=1, groups=DEPTHWISE),
    Family("DCGAN 4x4", 16, 128, 64, (16, 16), (4, 4), 2, 1, transposed=True),
    Family("U-Net up", 2, 128, 64, (48, 48), (2, 2), 2, transposed=True),
    Family("HiFi-GAN up", 1, 256, 128, (256,), (16,), 8, 4, transposed=True),
    Family("decoder k16", 4, 256, 1, (2000,), (16,), 8, transposed=True),
    Family("ResNeXt, 32 groups", 8, 256, 256, (28, 28), (3, 3), padding=1, groups=32),
    Family("8 groups", 8, 128, 128, (28, 28), (3, 3), padding=1, groups=8),
)


def shapes() -> list[ConvRow]:
    """The shapes, the same on every call."""
    draw = random.Random(SEED)
    taken = {signature(row) for row in read_rows()}
    found = []
    for family in FAMILIES:
        for number in range(DRAWS):
            row = next(row for row in draws(family, number, draw) if signature(row) not in taken)
            taken.add(signature(row))
            found.append(row)
    return found


def signature(row: ConvRow) -> ConvRow:
    """The row without its name: equal for rows of the same sizes."""
    return row._replace(group="", net="", bias=False)


def draws(family: Family, number: int, draw: random.Random) -> Iterator[ConvRow]:
    """Versions of a family's layer that are valid and not too much work."""
    while True:
        row = varied(family, number, draw)
        while row.flops > MOST_FLOPS and row.x[0] > 1:
            row = row._replace(x=(max(1, row.x[0] // 2), *row.x[1:]))
        if not complaint_about(row) and row.flops <= 2 * MOST_FLOPS:
            yield row


def varied(family: Family, number: int, draw: random.Random) -> ConvRow:
    """One version: other batch, channels and sizes; kernel, stride and dilation are the net's own."""
    groups = family.groups or 1
    batch = draw.choice((1, max(1, family.batch // 2), family.batch, 2 * family.batch))
    channels = family.channels if family.channels <= 4 else _scaled(family.channels, groups, draw)
    if family.groups == DEPTHWISE:
        groups = out = channels
    else:
        out = _scaled(family.out, groups, draw)
    stretch = draw.uniform(0.6, 1.3)
    size = tuple(
        max(kernel, round(n * stretch)) for n, kernel in zip(family.size, family.kernel, strict=True)
    )
    w = (channels, out // groups) if family.transposed else (out, channels // groups)
    ndim = len(size)
    # A kernel of one entry along an axis needs no padding there.
    padding = tuple(family.padding if kernel > 1 else 0 for kernel in family.kernel)
    return ConvRow(
        family.name, f"{family.name} {number + 1}", (batch, channels, *size), (*w, *family.kernel),
        (family.stride,) * ndim, padding, (family.dilation,) * ndim, (0,) * ndim, groups, family.transposed,
    )  # fmt: skip


def _scaled(channels: int, groups: int, draw: random.Random) -> int:
    """Other channels: mostly multiples of 8 where there are many, as nets have them, sometimes odd."""
    value = channels * draw.choice((0.5, 0.75, 1.0, 1.0, 1.25, 1.5))
    step = 1 if channels < 32 or draw.random() < 0.15 else 8
    return max(groups, round(value / step) * step // groups * groups)
