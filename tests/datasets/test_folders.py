"""The readers of the data folder: shapes, counts and values that its documentation states; bad folders."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from convgrad import datasets

READERS: dict[str, tuple[Callable[..., object], str]] = {
    "spoken_digits": (datasets.spoken_digits, "fsdd/fsdd.npz"),
    "ecg_beats": (datasets.ecg_beats, "ecg/mitbih10.npz"),
    "ecg_signal": (datasets.ecg_signal, "ecg/mitbih10.npz"),
    "japanese_vowels": (datasets.japanese_vowels, "japanese-vowels/japanese_vowels.npz"),
    "sign_digits": (datasets.sign_digits, "sign-digits/sign_digits_32.npz"),
}


MEMBERS = {
    "spoken_digits": ("audio", "offsets", "label", "speaker", "index", "speaker_names"),
    "ecg_beats": ("train_records",),
    "ecg_signal": ("signal_100", "beat_100", "pvc_100"),
    "japanese_vowels": ("train_x", "train_len", "train_y"),
    "sign_digits": ("x", "y", "is_test"),
}


def test_spoken_digits(real_data: Path) -> None:
    digits = datasets.spoken_digits()
    assert digits.audio.shape == (3000, 1, 8000) and digits.audio.dtype == np.float32
    assert digits.is_test.sum() == 300 and (np.bincount(digits.labels) == 300).all()
    assert (np.bincount(digits.speakers) == 500).all()
    assert digits.speaker_names == ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
    peaks = np.abs(digits.audio).max(axis=(1, 2))
    assert peaks.max() == 1 and (peaks == 1).sum() > 2900  # the peak of a few lies in what was cut
    with np.load(real_data / "fsdd" / "fsdd.npz", allow_pickle=False) as raw:
        clip = raw["audio"][raw["offsets"][7] : raw["offsets"][8]].astype(float)
    np.testing.assert_allclose(digits.audio[7, 0, : clip.size], clip / np.abs(clip).max(), rtol=1e-6)
    assert not digits.audio[7, 0, clip.size :].any()
    short = datasets.spoken_digits(real_data, length=100).audio
    np.testing.assert_array_equal(short, digits.audio[:, :, :100])


@pytest.mark.parametrize(("part", "count", "pvcs"), [("train", 10066, 1133), ("test", 10822, 872)])
def test_ecg_beats(real_data: Path, part: str, count: int, pvcs: int) -> None:
    beats = datasets.ecg_beats(part)
    assert beats.windows.shape == (count, 1, 256) and beats.windows.dtype == np.float32
    assert beats.pvc.shape == (count,) and beats.pvc.sum() == pvcs
    with np.load(real_data / "ecg" / "mitbih10.npz", allow_pickle=False) as raw:
        record = raw[f"{part}_records"][0]
        marks = raw[f"beat_{record}"]
        at = marks[marks >= 100][3]
        expected = (raw[f"signal_{record}"][at - 100 : at + 156].astype(float) - 1024) / 200
    np.testing.assert_allclose(beats.windows[3, 0], expected, rtol=1e-6)


def test_ecg_signal(real_data: Path) -> None:
    recording = datasets.ecg_signal("200")
    assert recording.signal.shape == (1, 650000) and abs(recording.signal).max() < 5.2
    assert recording.beats.shape == recording.pvc.shape and recording.pvc.sum() == 826
    with pytest.raises(ValueError, match="expected an array 'signal_102'"):
        datasets.ecg_signal("102")


def test_japanese_vowels(real_data: Path) -> None:
    train, test = datasets.japanese_vowels(), datasets.japanese_vowels("test")
    assert train.series.shape == (270, 12, 29) and test.series.shape == (370, 12, 29)
    assert np.bincount(test.speakers).tolist() == [31, 35, 88, 44, 29, 24, 40, 50, 29]
    for series, length in zip(train.series, train.lengths, strict=True):
        assert not series[:, length:].any() and series[:, length - 1].any()


def test_sign_digits(real_data: Path) -> None:
    train, test = datasets.sign_digits(), datasets.sign_digits("test")
    assert train.images.shape == (1643, 3, 32, 32) and test.images.shape == (419, 3, 32, 32)
    assert train.images.dtype == np.uint8 and train.images.flags.c_contiguous
    assert set(train.labels) == set(test.labels) == set(range(10))


def test_stereo_without_a_data_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CONVGRAD_DATA", raising=False)
    sound, rate = datasets.stereo()
    assert sound.shape == (2, 69305) and rate == 44100
    assert datasets.stereo("ambi_choir.wav")[0].shape == sound.shape
    with pytest.raises(
        FileNotFoundError, match=r"set CONVGRAD_DATA to the folder that holds stereo/perc_bell\.wav"
    ):
        datasets.stereo("perc_bell")


@pytest.mark.parametrize("name", READERS)
def test_without_a_folder_the_error_says_what_to_set(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    reader, file = READERS[name]
    monkeypatch.delenv("CONVGRAD_DATA", raising=False)
    assert datasets.data_root() is None
    with pytest.raises(
        FileNotFoundError, match=f"{name}: no data folder .* set CONVGRAD_DATA .* holds {file}"
    ):
        reader()


@pytest.mark.parametrize("name", READERS)
def test_damaged_files(name: str, tmp_path: Path) -> None:
    reader, file = READERS[name]
    path = tmp_path / file
    with pytest.raises(FileNotFoundError, match=rf"{name}: there is no .*{path.name}; set CONVGRAD_DATA"):
        reader(root=tmp_path)
    path.parent.mkdir()
    path.write_bytes(b"no archive")
    with pytest.raises(ValueError, match=path.name):
        reader(root=tmp_path)
    with zipfile.ZipFile(path, "w") as archive:
        for array in MEMBERS[name]:
            archive.writestr(f"{array}.npy", b"no array")
    with pytest.raises(ValueError, match=f"{path.name}: damaged"):
        reader(root=tmp_path)
    np.savez(path, unrelated=np.zeros(3))
    with pytest.raises(ValueError, match=r"expected an array '.*', found unrelated"):
        reader(root=tmp_path)


def test_pickled_objects_are_refused(tmp_path: Path) -> None:
    (tmp_path / "japanese-vowels").mkdir()
    hidden = np.array([{"a": 1}], dtype=object)
    np.savez(
        tmp_path / "japanese-vowels" / "japanese_vowels.npz", train_x=hidden, train_len=hidden, train_y=hidden
    )
    with pytest.raises(ValueError, match="allow_pickle=False"):
        datasets.japanese_vowels(root=tmp_path)


def test_offsets_that_leave_the_recording(tmp_path: Path) -> None:
    (tmp_path / "fsdd").mkdir()
    good = {
        "audio": np.zeros(10, np.int16),
        "label": np.zeros(2, np.uint8),
        "speaker": np.zeros(2, np.uint8),
        "index": np.array([3, 7], np.uint8),
        "speaker_names": np.array(["a"]),
    }
    for offsets in ([0, 5, 11], [0, 6, 5], [-1, 2, 3], [0, 5]):
        np.savez(tmp_path / "fsdd" / "fsdd.npz", offsets=np.array(offsets), **good)
        with pytest.raises(ValueError, match="expected ascending offsets into 10 samples"):
            datasets.spoken_digits(tmp_path)
    np.savez(tmp_path / "fsdd" / "fsdd.npz", offsets=np.array([0, 5, 10]), **good)
    silent = datasets.spoken_digits(tmp_path, length=7)
    assert (
        silent.audio.shape == (2, 1, 7)
        and not silent.audio.any()
        and silent.is_test.tolist() == [True, False]
    )


def test_parts_and_folders_that_do_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    for reader in (datasets.ecg_beats, datasets.japanese_vowels, datasets.sign_digits):
        with pytest.raises(ValueError, match="part must be 'train' or 'test', but got 'valid'"):
            reader("valid")
    monkeypatch.setenv("CONVGRAD_DATA", "/no/such/folder")
    with pytest.raises(FileNotFoundError, match="CONVGRAD_DATA is '/no/such/folder', which is no folder"):
        datasets.data_root()
