"""Real data: the packaged digits and a stereo clip, MNIST, sound files, readers for a folder of recordings.

The readers give NumPy arrays; ``Digits``, ``MNIST`` and ``FashionMNIST`` are Datasets of Tensors.
"""

from .files import PACKAGED
from .folders import (
    Beats,
    Hands,
    Recording,
    SpokenDigits,
    Vowels,
    data_root,
    ecg_beats,
    ecg_signal,
    japanese_vowels,
    sign_digits,
    spoken_digits,
    stereo,
)
from .idx import read_idx, write_idx
from .mnist import download, load_digits, load_mnist
from .sets import MNIST, Digits, FashionMNIST, ImageSet
from .wav import read_wav, write_wav

__all__ = [
    "MNIST",
    "Digits",
    "FashionMNIST",
    "ImageSet",
    "PACKAGED",
    "Beats",
    "Hands",
    "Recording",
    "SpokenDigits",
    "Vowels",
    "data_root",
    "download",
    "ecg_beats",
    "ecg_signal",
    "japanese_vowels",
    "load_digits",
    "load_mnist",
    "read_idx",
    "read_wav",
    "sign_digits",
    "spoken_digits",
    "stereo",
    "write_idx",
    "write_wav",
]
