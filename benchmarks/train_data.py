"""What the networks of train.py learn from: real recordings and images, the same arrays for every library.

The asking side reads them with convgrad's readers and writes NumPy files into a folder; a worker reads those
with NumPy alone. Sets whose files are not at hand (``CONVGRAD_DATA`` names their folder) become random
numbers of the same shapes: times hardly change, and what is learned from them is not compared.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from convgrad import datasets

Array = NDArray[Any]


class Examples(NamedTuple):
    """Inputs float32 and targets (int64 classes, or float32) of both parts; a set may have no test part."""

    x: Array
    y: Array
    test_x: Array
    test_y: Array


def parted(x: Array, y: Array, test_x: Array | None = None, test_y: Array | None = None) -> Examples:
    """Training examples in an order of chance, so that the first batches hold all classes."""
    order = np.random.default_rng(0).permutation(len(x))
    test_x = x[:0] if test_x is None else test_x
    test_y = y[:0] if test_y is None else test_y
    return Examples(x[order], as_target(y)[order], test_x, as_target(test_y))


def as_target(y: Array) -> Array:
    """Classes as int64; numbers as they are."""
    return y if y.dtype.kind == "f" else y.astype(np.int64)


def noise(shape: tuple[int, ...]) -> Array:
    """Normal numbers, the same ones every time."""
    return np.random.default_rng(1).standard_normal(shape, np.float32)


def spiral() -> Examples:
    """1,000 points on three arms that turn by 2/3 of a circle, with normal noise of 0.2 in the angle."""
    arm = np.arange(1000) % 3
    radius = np.linspace(0, 1, 1000, dtype=np.float32)
    angle = 2 * np.pi * (arm / 3 + 2 / 3 * radius) + 0.2 * noise((1000,))
    points = radius * np.stack([np.sin(angle), np.cos(angle)])
    return parted(np.ascontiguousarray(points.T, np.float32), arm)


def digits() -> Examples:
    """5,000 digits of MNIST to learn from, (1, 28, 28) around 0; 10,000 to test, or 1,000 packaged ones."""
    root = datasets.data_root()
    (x, y), (test_x, test_y) = datasets.load_digits(), datasets.load_digits(train=False)
    if root is not None and (root / "mnist").is_dir():
        test_x, test_y = datasets.load_mnist(root, train=False)
    return parted(centred(x), y, centred(test_x), test_y)


def centred(images: Array) -> Array:
    """Grey bytes (N, H, W) as (N, 1, H, W) of about mean 0 and deviation 1."""
    return (images[:, None] / np.float32(255) - np.float32(0.13)) / np.float32(0.31)


def rows() -> Examples:
    """The digits without the axis of channels: 28 rows of 28."""
    whole = digits()
    return whole._replace(x=whole.x[:, 0], test_x=whole.test_x[:, 0])


def hands(enlarged: int = 1, count: int | None = None) -> Examples:
    """Photographs of hands that sign a digit, (3, 32, 32) around 0, or with every pixel so many times."""
    found = datasets.sign_digits()
    order = np.random.default_rng(2).permutation(len(found.images))[:count]
    images = found.images[order].repeat(enlarged, 2).repeat(enlarged, 3) / np.float32(127.5) - np.float32(1)
    return parted(images, found.labels[order])


def noisy_hands() -> Examples:
    """16 photographs of (3, 128, 128) with noise; what is asked for is those without."""
    clean = hands(4, 16).x
    return parted(clean + np.float32(0.3) * noise(clean.shape), clean)


def stereo() -> Examples:
    """Windows of 1,024 samples of both channels; the target is the window one sample later."""
    names = ["ambi_choir", "ambi_piano", "guit_e_fifths", "loop_safari", "perc_bell"]
    if datasets.data_root() is None:
        names = names[:1]
    clips = [datasets.stereo(name)[0] for name in names]
    windows = [clip[:, at : at + 1025] for clip in clips for at in range(0, clip.shape[1] - 1025, 1000)]
    sound = np.stack(windows).astype(np.float32)
    return parted(np.ascontiguousarray(sound[..., :-1]), np.ascontiguousarray(sound[..., 1:]))


def beats() -> Examples:
    """Windows of 256 around heart beats in millivolts, less their median; to test, other people's."""
    train, test = datasets.ecg_beats("train"), datasets.ecg_beats("test")
    inputs = [part.windows - np.median(part.windows, 2, keepdims=True) for part in (train, test)]
    return parted(inputs[0], train.pvc, inputs[1], test.pvc)


def speech() -> Examples:
    """Spoken digits, a second at 8 kHz; to test, the first 15 of each speaker's 50 takes of a digit."""
    found = datasets.spoken_digits()
    held = np.arange(len(found.labels)) % 50 < 15  # sorted by digit, speaker, take
    return parted(found.audio[~held], found.labels[~held], found.audio[held], found.labels[held])


def vowels() -> Examples:
    """29 steps of twelve cepstrum coefficients, (29, 12), and which of nine men speaks."""
    train, test = datasets.japanese_vowels("train"), datasets.japanese_vowels("test")
    inputs = [np.ascontiguousarray(part.series.transpose(0, 2, 1)) for part in (train, test)]
    return parted(inputs[0], train.speakers, inputs[1], test.speakers)


class Source(NamedTuple):
    """A set: how it is read, the shape of an example and the number of classes (0: targets are as inputs)."""

    read: Callable[[], Examples]
    shape: tuple[int, ...]
    classes: int


SETS = {
    "spiral": Source(spiral, (2,), 3),
    "digits": Source(digits, (1, 28, 28), 10),
    "rows": Source(rows, (28, 28), 10),
    "hands": Source(hands, (3, 32, 32), 10),
    "hands96": Source(lambda: hands(3, 128), (3, 96, 96), 10),
    "hands128": Source(noisy_hands, (3, 128, 128), 0),
    "stereo": Source(stereo, (2, 1024), 0),
    "beats": Source(beats, (1, 256), 2),
    "speech": Source(speech, (1, 8000), 10),
    "vowels": Source(vowels, (29, 12), 9),
}


def random_examples(source: Source, count: int = 512) -> Examples:
    """Random numbers in the shapes of a set."""
    x = noise((count, *source.shape))
    return parted(x, np.arange(count) % source.classes if source.classes else x)


def write(folder: Path, names: list[str]) -> list[str]:
    """Write the sets named, and return which of them are random numbers."""
    random = []
    for name in names:
        try:
            found = SETS[name].read()
        except FileNotFoundError:
            found = random_examples(SETS[name])
            random.append(name)
        for part, array in found._asdict().items():
            np.save(folder / f"{name}-{part}.npy", array)
    return random
