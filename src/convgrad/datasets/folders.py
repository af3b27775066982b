"""Readers for the folder of real recordings that ``CONVGRAD_DATA`` names: speech, heart beats, hands, music.

Every function takes the folder as ``root``; without it the environment variable says where it is.
"""

from __future__ import annotations

import os
import zipfile
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .files import PACKAGED, PathName
from .wav import read_wav

Array = NDArray[Any]

VARIABLE = "CONVGRAD_DATA"
PACKAGED_CLIP = "ambi_choir"
"""The stereo recording that convgrad brings along."""

_PARTS = ("train", "test")


class SpokenDigits(NamedTuple):
    """Recordings of the digits 0 to 9, at 8,000 samples a second."""

    audio: NDArray[np.float32]
    """``(N, 1, length)``, each scaled to a peak of 1 and followed by zeros, or cut."""
    labels: NDArray[np.uint8]
    """``(N,)``, 0 to 9."""
    speakers: NDArray[np.uint8]
    """``(N,)``, index into ``speaker_names``."""
    is_test: NDArray[np.bool_]
    """``(N,)``, the official test part: takes 0 to 4 of each digit by each speaker."""
    speaker_names: tuple[str, ...]


class Beats(NamedTuple):
    """Heart beats, cut out of recordings of 360 samples a second."""

    windows: NDArray[np.float32]
    """``(N, 1, before + after)`` in millivolts."""
    pvc: NDArray[np.uint8]
    """``(N,)``, 1 for a premature ventricular contraction, 0 for every other kind of beat."""


class Recording(NamedTuple):
    """One half-hour heart recording, 360 samples a second."""

    signal: NDArray[np.float32]
    """``(1, 650000)`` in millivolts."""
    beats: NDArray[np.int32]
    """``(n,)``, the sample at which each beat is marked."""
    pvc: NDArray[np.uint8]
    """``(n,)``, 1 for a premature ventricular contraction."""


class Vowels(NamedTuple):
    """Utterances of a vowel by nine speakers."""

    series: NDArray[np.float32]
    """``(N, 12, 29)``, zeros from ``lengths`` on."""
    lengths: NDArray[np.uint8]
    """``(N,)``, 7 to 29."""
    speakers: NDArray[np.uint8]
    """``(N,)``, 0 to 8."""


class Hands(NamedTuple):
    """Photographs of hands that sign a digit."""

    images: NDArray[np.uint8]
    """``(N, 3, 32, 32)``, red, green, blue."""
    labels: NDArray[np.uint8]
    """``(N,)``, 0 to 9."""


def data_root() -> Path | None:
    """The folder that the environment variable ``CONVGRAD_DATA`` names, None where it names none.

    Raises:
        FileNotFoundError: it names something that is no folder.
    """
    name = os.environ.get(VARIABLE, "")
    if not name:
        return None
    if not Path(name).is_dir():
        raise FileNotFoundError(
            f"{VARIABLE} is {name!r}, which is no folder; set it to the folder with the data"
        )
    return Path(name)


def spoken_digits(root: PathName | None = None, length: int = 8000) -> SpokenDigits:
    """The Free Spoken Digit Dataset: 3,000 recordings by six speakers.

    Args:
        root: the data folder, with ``fsdd/fsdd.npz`` in it.
        length: samples of each recording; one second by default, which cuts 20 of them.
    Raises:
        FileNotFoundError: no data folder, or the file is missing; ``CONVGRAD_DATA`` names the folder.
        ValueError: the file is damaged.

    Source: Free Spoken Digit Dataset, Z. Jackson et al., CC BY-SA 4.0.
    """
    names = ("audio", "offsets", "label", "speaker", "index", "speaker_names")
    path = _find("spoken_digits", root, "fsdd", "fsdd.npz")
    raw, offsets, labels, speakers, takes, speaker_names = _arrays(path, names)
    count = len(offsets) - 1
    ordered = bool((np.diff(offsets) >= 0).all()) and offsets[0] >= 0 and offsets[-1] <= len(raw)
    if not ordered or not len(labels) == len(speakers) == len(takes) == count:
        raise ValueError(
            f"{path}: expected ascending offsets into {len(raw)} samples and a label for each clip"
        )
    audio = np.zeros((count, 1, length), np.float32)
    for row, start, end in zip(audio, offsets[:-1], offsets[1:], strict=True):
        clip = raw[start:end].astype(np.float32)
        peak = np.abs(clip).max(initial=1)
        row[0, : len(clip)] = clip[:length] / peak
    return SpokenDigits(audio, labels, speakers, takes < 5, tuple(speaker_names.tolist()))


def ecg_beats(
    part: str = "train", root: PathName | None = None, before: int = 100, after: int = 156
) -> Beats:
    """Windows around the beats of the MIT-BIH recordings; training and test patients are different people.

    Beats too near to either end of their recording are left out.

    Args:
        part: ``'train'`` (10,066 windows of the usual width) or ``'test'`` (10,822).
        root: the data folder, with ``ecg/mitbih10.npz`` in it.
        before, after: samples in front of the mark of the beat, and from it on.
    Raises:
        FileNotFoundError: no data folder, or the file is missing; ``CONVGRAD_DATA`` names the folder.
        ValueError: another part, or a damaged file.

    Source: Contains information from the MIT-BIH Arrhythmia Database, which is made available under the ODC
    Attribution License.
    """
    _check_part("ecg_beats", part)
    path = _find("ecg_beats", root, "ecg", "mitbih10.npz")
    (records,) = _arrays(path, (f"{part}_records",))
    windows, pvcs = [], []
    for record in records.tolist():
        signal, beats, pvc = _recording(path, record)
        kept = (beats >= before) & (beats + after <= signal.size)
        every = np.lib.stride_tricks.sliding_window_view(signal[0], before + after)
        windows.append(every[beats[kept] - before])
        pvcs.append(pvc[kept])
    return Beats(np.concatenate(windows)[:, None], np.concatenate(pvcs))


def ecg_signal(record: str = "100", root: PathName | None = None) -> Recording:
    """One whole recording of the MIT-BIH database.

    Args:
        record: its number: 100 105 106 108 114 116 119 121 123 or 200.
        root: the data folder, with ``ecg/mitbih10.npz`` in it.
    Raises:
        FileNotFoundError: no data folder, or the file is missing; ``CONVGRAD_DATA`` names the folder.
        ValueError: there is no such recording, or the file is damaged.
    """
    return _recording(_find("ecg_signal", root, "ecg", "mitbih10.npz"), str(record))


def japanese_vowels(part: str = "train", root: PathName | None = None) -> Vowels:
    """Twelve cepstrum coefficients over time; the task is to tell which of nine men speaks.

    Args:
        part: ``'train'`` (270 utterances) or ``'test'`` (370).
        root: the data folder, with ``japanese-vowels/japanese_vowels.npz`` in it.
    Raises:
        FileNotFoundError: no data folder, or the file is missing; ``CONVGRAD_DATA`` names the folder.
        ValueError: another part, or a damaged file.

    Source: M. Kudo, J. Toyama, M. Shimbo, Japanese Vowels, UCI Machine Learning Repository, CC BY 4.0.
    """
    _check_part("japanese_vowels", part)
    path = _find("japanese_vowels", root, "japanese-vowels", "japanese_vowels.npz")
    return Vowels(*_arrays(path, (f"{part}_x", f"{part}_len", f"{part}_y")))


def sign_digits(part: str = "train", root: PathName | None = None) -> Hands:
    """Colour photographs of hands that sign the digits 0 to 9.

    Args:
        part: ``'train'`` (1,643 photographs) or ``'test'`` (419, of other pupils).
        root: the data folder, with ``sign-digits/sign_digits_32.npz`` in it.
    Raises:
        FileNotFoundError: no data folder, or the file is missing; ``CONVGRAD_DATA`` names the folder.
        ValueError: another part, or a damaged file.

    Source: A. Mavi, Z. Dikle, Sign Language Digits Dataset, arXiv:2011.08927, Apache License 2.0.
    """
    _check_part("sign_digits", part)
    path = _find("sign_digits", root, "sign-digits", "sign_digits_32.npz")
    images, labels, is_test = _arrays(path, ("x", "y", "is_test"))
    chosen = (is_test == 1) == (part == "test")
    return Hands(np.ascontiguousarray(images[chosen].transpose(0, 3, 1, 2)), labels[chosen])


def stereo(name: str = PACKAGED_CLIP, root: PathName | None = None) -> tuple[NDArray[np.float32], int]:
    """A stereo recording; ``ambi_choir`` comes with convgrad, the others lie in the data folder.

    Args:
        name: ``ambi_choir``, ``ambi_piano``, ``guit_e_fifths``, ``loop_safari`` or ``perc_bell``.
        root: the data folder, with ``stereo/<name>.wav`` in it.
    Returns:
        float32 ``(2, samples)`` in [-1, 1) and the sample rate in hertz.
    Raises:
        FileNotFoundError: no data folder, or no such recording.
        ValueError: the file is damaged.
    Example:
        >>> sound, rate = stereo()
        >>> sound.shape, rate
        ((2, 69305), 44100)

    Source: sounds of freesound.org, CC0 1.0; ``ambi_choir`` by Exsomniel, 2013.
    """
    file = f"{name.removesuffix('.wav')}.wav"
    if root is None and name.removesuffix(".wav") == PACKAGED_CLIP:
        return read_wav(PACKAGED / file)
    return read_wav(_find("stereo", root, "stereo", file))


def _check_part(function: str, part: str) -> None:
    if part not in _PARTS:
        raise ValueError(f"{function}: part must be 'train' or 'test', but got {part!r}")


def _find(function: str, root: PathName | None, folder: str, file: str) -> Path:
    """The path of a file in the data folder, or an error that says how to name that folder."""
    base = data_root() if root is None else Path(root)
    if base is None:
        raise FileNotFoundError(
            f"{function}: no data folder is known; set CONVGRAD_DATA to the folder that holds "
            f"{folder}/{file}, or pass root="
        )
    path = base / folder / file
    if not path.is_file():
        raise FileNotFoundError(
            f"{function}: there is no {path}; set {VARIABLE} to the folder that holds {folder}/{file}"
        )
    return path


def _arrays(path: Path, names: tuple[str, ...]) -> list[Array]:
    """The named arrays of an ``.npz`` file, which may hold no pickled objects."""
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path}: expected an .npz file, which is a zip archive; it is none, or cut short")
    with np.load(path, allow_pickle=False) as archive:
        absent = [name for name in names if name not in archive.files]
        if absent:
            raise ValueError(f"{path}: expected an array {absent[0]!r}, found {', '.join(archive.files)}")
        try:
            arrays: list[Any] = [archive[name] for name in names]
        except (EOFError, OSError, ValueError, zipfile.BadZipFile, zlib.error) as error:
            raise ValueError(f"{path}: damaged ({error})") from error
    for name, array in zip(names, arrays, strict=True):
        if not isinstance(array, np.ndarray):
            raise ValueError(f"{path}: damaged, {name!r} is no array")
    return arrays


def _recording(path: Path, record: str) -> Recording:
    units, beats, pvc = _arrays(path, (f"signal_{record}", f"beat_{record}", f"pvc_{record}"))
    zero, per_millivolt = _arrays(path, ("adc_zero", "adc_per_mv"))
    signal = (units.astype(np.float32) - np.float32(zero)) / np.float32(per_millivolt)
    return Recording(signal[None], beats, pvc)
