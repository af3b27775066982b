"""WAV files: every encoding against the standard library or the definition, round trips, damaged files."""

from __future__ import annotations

import struct
import tempfile
import wave
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from convgrad.datasets import read_wav, stereo, write_wav
from convgrad.datasets.files import PACKAGED

PCM_GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")


def chunk(kind: bytes, body: bytes, size: int | None = None) -> bytes:
    return kind + struct.pack("<I", len(body) if size is None else size) + body + b"\0" * (len(body) % 2)


def fmt(
    code: int, channels: int, bits: int, rate: int = 8000, frame: int | None = None, extra: bytes = b""
) -> bytes:
    frame = channels * bits // 8 if frame is None else frame
    return chunk(
        b"fmt ", struct.pack("<HHIIHH", code, channels, rate, rate * frame & 0xFFFFFFFF, frame, bits) + extra
    )


def riff(*chunks: bytes) -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def three_bytes(values: list[int]) -> bytes:
    return b"".join((v & 0xFFFFFF).to_bytes(3, "little") for v in values)


ENCODINGS = {
    "uint8": (1, 8, bytes([0, 128, 255, 129]), [-1, 0, 127 / 128, 1 / 128]),
    "int16": (1, 16, struct.pack("<4h", -32768, 0, 32767, 1), [-1, 0, 32767 / 32768, 1 / 32768]),
    "int24": (1, 24, three_bytes([-(2**23), 0, 2**23 - 1, -1]), [-1, 0, 1 - 2.0**-23, -(2.0**-23)]),
    "int32": (1, 32, struct.pack("<4i", -(2**31), 0, 2**31 - 1, 2**10), [-1, 0, 1 - 2.0**-24, 2.0**-21]),
    "float32": (3, 32, struct.pack("<4f", -1, 0.25, 1.5, -0.0), [-1, 0.25, 1.5, -0.0]),
    "float64": (3, 64, struct.pack("<4d", -1, 0.25, 1.5, 1e300), [-1, 0.25, 1.5, np.inf]),
}


@pytest.mark.parametrize("name", ENCODINGS)
@pytest.mark.parametrize("channels", [1, 2, 4])
@pytest.mark.parametrize("extensible", [False, True])
def test_reads_every_encoding(name: str, channels: int, extensible: bool) -> None:
    code, bits, content, expected = ENCODINGS[name]
    form = fmt(code, channels, bits)
    if extensible:
        extra = struct.pack("<HHI", 22, bits, 0) + struct.pack("<H", code) + PCM_GUID_TAIL
        form = fmt(0xFFFE, channels, bits, extra=extra)
    sound, rate = read_wav(riff(form, chunk(b"LIST", b"odd"), chunk(b"data", content)))
    assert rate == 8000 and sound.dtype == np.float32 and sound.flags.c_contiguous and sound.flags.writeable
    np.testing.assert_array_equal(sound, np.array(expected, np.float32).reshape(-1, channels).T)


def test_the_packaged_clip_against_the_standard_library() -> None:
    sound, rate = read_wav(PACKAGED / "ambi_choir.wav")
    with wave.open(str(PACKAGED / "ambi_choir.wav")) as file:
        plain = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2).T
        assert rate == file.getframerate() == 44100
    np.testing.assert_array_equal(sound * 32768, plain)
    assert sound.shape == (2, 69305) and -1 <= sound.min() < sound.max() < 1


def test_the_recordings_of_the_data_folder(real_data: Path, tmp_path: Path) -> None:
    for path in sorted((real_data / "stereo").glob("*.wav")):
        sound, rate = stereo(path.name)
        assert sound.shape[0] == 2 and rate == 44100 and not np.array_equal(sound[0], sound[1])
        write_wav(tmp_path / "again.wav", sound, rate)
        with wave.open(str(path)) as a, wave.open(str(tmp_path / "again.wav")) as b:
            assert a.getparams()[:4] == b.getparams()[:4]
            assert a.readframes(a.getnframes()) == b.readframes(b.getnframes())


WHOLE = {
    "int16": lambda i: i.astype(np.int16).astype(np.float32) / 32768,
    "int24": lambda i: (i >> 8).astype(np.float32) / 2**23,
    "float32": lambda i: i.view(np.float32),
}


@settings(max_examples=60, deadline=None)
@given(
    encoding=st.sampled_from(sorted(WHOLE)),
    numbers=hnp.arrays(
        np.int32, st.tuples(st.integers(1, 4), st.integers(0, 9)), elements=st.integers(-(2**31), 2**31 - 1)
    ),
    rate=st.integers(1, 192000),
)
def test_round_trip_bit_for_bit(encoding: str, numbers: np.ndarray, rate: int) -> None:
    sound = WHOLE[encoding](numbers)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.wav")
        write_wav(path, sound, rate, encoding)
        raw = path.read_bytes()
        again, found = read_wav(path)
        assert found == rate and len(raw) % 2 == 0 and struct.unpack_from("<I", raw, 4)[0] == len(raw) - 8
        assert again.shape == sound.shape and again.tobytes() == sound.tobytes()
        write_wav(path, again, rate, encoding)
        assert path.read_bytes() == raw


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_flipped_and_cut_bytes_give_sound_or_a_value_error(data: st.DataObject) -> None:
    raw = bytearray(riff(fmt(1, 2, 16), chunk(b"data", bytes(range(16)))))
    for _ in range(data.draw(st.integers(0, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    raw = raw[: data.draw(st.integers(0, len(raw)))]
    try:
        sound, rate = read_wav(bytes(raw))
    except ValueError as error:
        message = str(error)
    else:
        message = "<bytes>" if sound.size <= len(raw) and rate > 0 else "more than there was"
    assert "<bytes>" in message


def test_writing_rounds_and_clips(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    write_wav(path, np.array([2.0, -2.0, 1.0, 0.6 / 32768, -0.6 / 32768, np.inf]), 8000)
    np.testing.assert_array_equal(read_wav(path)[0][0] * 32768, [32767, -32768, 32767, 1, -1, 32767])
    write_wav(path, np.array([2.0, -2.0, 1.0, 0.6 / 2**23]), 8000, "int24")
    np.testing.assert_array_equal(read_wav(path)[0][0] * 2**23, [2**23 - 1, -(2**23), 2**23 - 1, 1])
    write_wav(path, np.array([[2.5, np.nan]]), 8000, "float32")
    np.testing.assert_array_equal(read_wav(path)[0], [[2.5, np.nan]])


def test_the_standard_library_reads_what_is_written(tmp_path: Path) -> None:
    sound = np.linspace(-1, 0.9, 22, dtype=np.float32).reshape(2, 11)
    for encoding, width in (("int16", 2), ("int24", 3)):
        write_wav(tmp_path / "a.wav", sound, 22050, encoding)
        with wave.open(str(tmp_path / "a.wav")) as file:
            assert file.getparams()[:4] == (2, width, 22050, 11)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.wav"
    write_wav(path, np.zeros(4), 8000)
    before = path.read_bytes()

    def broken(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("os.fsync", broken)
    with pytest.raises(OSError, match="disk full"):
        write_wav(path, np.ones(9), 8000)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


DATA = chunk(b"data", bytes(8))
BAD = {
    "empty": (b"", "expected it to begin with RIFF....WAVE"),
    "text": (b"hello, this is no sound at all", "no WAV file"),
    "RF64": (b"RF64" + riff(fmt(1, 1, 16), DATA)[4:], "no WAV file"),
    "nothing inside": (riff(), "expected a 'fmt ' and 'data' chunk, found none in 12 bytes"),
    "no format": (riff(DATA), "expected a 'fmt ' chunk before the 'data' chunk"),
    "no data": (riff(fmt(1, 1, 16)), "expected a 'data' chunk, found none in 36 bytes"),
    "data cut": (
        riff(fmt(1, 1, 16), chunk(b"data", bytes(8), 12)),
        "cut short, expected 12 bytes in the 'data' chunk, found 8",
    ),
    "absurd data": (
        riff(fmt(1, 1, 16), chunk(b"data", bytes(8), 2**32 - 1)),
        "expected 4294967295 bytes .* found 8",
    ),
    "absurd other chunk": (
        riff(fmt(1, 1, 16), chunk(b"LIST", b"", 2**32 - 2), DATA),
        "expected a 'data' chunk",
    ),
    "absurd format": (
        riff(chunk(b"fmt ", b"", 2**31)),
        "cut short, expected 2147483648 bytes in the 'fmt ' chunk",
    ),
    "short format": (
        riff(chunk(b"fmt ", bytes(14)), DATA),
        "at least 16 bytes in the 'fmt ' chunk, found 14",
    ),
    "half a sample": (
        riff(fmt(1, 2, 16), chunk(b"data", bytes(6))),
        "a multiple of 4 bytes of sound, found 6",
    ),
    "no channels": (riff(fmt(1, 0, 16), DATA), "above 0, found 0 and 8000"),
    "no rate": (riff(fmt(1, 1, 16, rate=0), DATA), "above 0, found 1 and 0"),
    "frame size": (
        riff(fmt(1, 2, 16, frame=2), DATA),
        "expected 4 bytes for a sample of 2 channels of 16 bits, found 2",
    ),
    "12 bits": (riff(fmt(1, 1, 12), DATA), "WAV format 1 with 12 bits cannot be read"),
    "mu-law": (riff(fmt(7, 1, 8), DATA), "WAV format 7 with 8 bits"),
    "float16": (riff(fmt(3, 1, 16), DATA), "WAV format 3 with 16 bits"),
    "short extensible": (riff(fmt(0xFFFE, 1, 16), DATA), "expected 40 bytes in an extensible"),
    "extensible format": (riff(fmt(0xFFFE, 1, 16, extra=bytes(24)), DATA), "unknown extensible WAV format"),
}


@pytest.mark.parametrize("case", BAD)
def test_damaged_files_are_named_and_measured(case: str, tmp_path: Path) -> None:
    raw, phrase = BAD[case]
    path = tmp_path / "damaged.wav"
    path.write_bytes(raw)
    with pytest.raises(ValueError, match=phrase) as caught:
        read_wav(path)
    assert str(path) in str(caught.value)


SOUND = np.zeros((2, 4), np.float32)
REFUSED = {
    "encoding": ((SOUND, 8000, "mp3"), "encoding must be one of int16, int24, float32, but got 'mp3'"),
    "whole numbers": ((np.zeros(4, np.int16), 8000), "expected floats in .* but got int16"),
    "three dimensions": (
        (np.zeros((1, 2, 3)), 8000),
        r"\(channels, samples\) or \(samples,\), but got shape",
    ),
    "no channels": ((np.zeros((0, 3)), 8000), "but got shape"),
    "transposed": ((np.zeros((5000, 2)), 8000), "must be transposed first"),
    "rate 0": ((SOUND, 0), "whole number of hertz, but got 0"),
    "rate 0.5": ((SOUND, 0.5), "whole number of hertz, but got 0.5"),
    "nan": ((np.array([np.nan]), 8000), "nan values, which int16 cannot hold"),
    "too fast": ((SOUND, 2**31), "do not fit into the 32-bit sizes"),
    "too long": ((np.broadcast_to(np.float32(0), (2, 2**30)), 8000), "do not fit into the 32-bit sizes"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_wav_cannot_hold_is_refused_and_leaves_no_file(case: str, tmp_path: Path) -> None:
    arguments, phrase = REFUSED[case]
    if case == "too long":  # checked before the 2 GiB scan for nan
        arguments = (*arguments, "float32")
    with pytest.raises(ValueError, match=phrase):
        write_wav(tmp_path / "a.wav", *arguments)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_file() -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere\.wav"):
        read_wav("nowhere.wav")
