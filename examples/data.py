"""Real data for these examples, read with NumPy and torch alone, so that they run under either library.

Files are looked for in the folder that the environment variable CONVGRAD_DATA names, then among the parts
that come with convgrad: the first 5,000 training and 1,000 test digits of MNIST and one stereo recording.
What is in neither place ends the program with a message that says which file is missing.
"""

import gzip
import os
import sys
import wave
from pathlib import Path

import numpy as np
import torch

PACKAGED = Path(__file__).resolve().parents[1] / "src" / "convgrad" / "datasets" / "data"


def find(folder, name):
    """The path of ``name``, in ``folder`` of CONVGRAD_DATA or among the packaged files."""
    root = os.environ.get("CONVGRAD_DATA")
    places = ([Path(root, folder, name)] if root else []) + [PACKAGED / name]
    for path in places:
        if path.is_file():
            return path
    sys.exit(f"{folder}/{name} not found: set CONVGRAD_DATA to a folder that holds it")


def read_idx(path):
    """An IDX file of bytes: two zeros, the type 8, the rank, big-endian sizes, the elements."""
    with gzip.open(path) as file:
        raw = file.read()
    if raw[:3] != b"\0\0\x08":
        sys.exit(f"{path}: not an IDX file of bytes")
    rank = raw[3]
    shape = np.frombuffer(raw, ">u4", rank, offset=4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * rank).reshape(shape).copy()


def digits(train=True, count=None, folder="mnist"):
    """The first images of MNIST, float32 (count, 1, 28, 28) in [0, 1], and their labels, int64 (count,)."""
    part = "train" if train else "t10k"
    images = read_idx(find(folder, f"{part}-images-idx3-ubyte.gz"))[:count]
    labels = read_idx(find(folder, f"{part}-labels-idx1-ubyte.gz"))[:count]
    return torch.from_numpy(images).unsqueeze(1).float() / 255, torch.from_numpy(labels).long()


def spoken_digits(length=4000):
    """Recordings at 8 kHz: (train, test), each audio float32 (N, 1, length) and labels int64 (N,).

    A recording is scaled to a peak of 1, cut or followed by zeros. The test part is the official one: takes 0
    to 4 of each digit by each speaker.
    """
    archive = np.load(find("fsdd", "fsdd.npz"), allow_pickle=False)
    samples, offsets = archive["audio"], archive["offsets"]
    audio = np.zeros((len(offsets) - 1, 1, length), np.float32)
    for row, start, end in zip(audio, offsets[:-1], offsets[1:]):
        clip = samples[start:end].astype(np.float32)
        row[0, : len(clip)] = (clip / np.abs(clip).max())[:length]
    is_test = archive["index"] < 5
    labels = archive["label"].astype(np.int64)
    return tuple(
        (torch.from_numpy(audio[part]), torch.from_numpy(labels[part])) for part in (~is_test, is_test)
    )


def ecg_beats(part="train", before=100, after=156):
    """Heart beats at 360 Hz: float32 (N, 1, 256) in millivolts without baseline; 1.0 for premature ones (N,).

    Training and test patients are different people. Contains information from the MIT-BIH Arrhythmia
    Database, which is made available under the ODC Attribution License.
    """
    archive = np.load(find("ecg", "mitbih10.npz"), allow_pickle=False)
    windows, premature = [], []
    for record in archive[f"{part}_records"]:
        signal, beats = archive[f"signal_{record}"], archive[f"beat_{record}"]
        whole = (beats >= before) & (beats + after <= len(signal))
        windows += [signal[beat - before : beat + after] for beat in beats[whole]]
        premature.append(archive[f"pvc_{record}"][whole])
    millivolts = (np.stack(windows).astype(np.float32) - 1024) / 200
    millivolts -= np.median(millivolts, axis=1, keepdims=True)
    labels = np.concatenate(premature).astype(np.float32)
    return torch.from_numpy(millivolts[:, None]), torch.from_numpy(labels)


def vowels(part="train"):
    """Twelve cepstrum coefficients over time: float32 (N, 12, 29), lengths (N,), one of nine speakers (N,).

    From each length on a series is zero. Japanese Vowels, M. Kudo, J. Toyama, M. Shimbo, CC BY 4.0.
    """
    archive = np.load(find("japanese-vowels", "japanese_vowels.npz"), allow_pickle=False)
    series, lengths, speakers = (archive[f"{part}_{name}"] for name in ("x", "len", "y"))
    return (
        torch.from_numpy(series),
        torch.from_numpy(lengths.astype(np.int64)),
        torch.from_numpy(speakers.astype(np.int64)),
    )


def stereo(name="ambi_choir"):
    """A stereo recording: float32 (2, samples) in [-1, 1), and its rate in hertz."""
    with wave.open(str(find("stereo", f"{name}.wav"))) as file:
        frames = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        sound = frames.reshape(-1, file.getnchannels()).T.astype(np.float32) / 32768
        return torch.from_numpy(sound), file.getframerate()
