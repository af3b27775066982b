"""L3: a signal is a mapping, and sound is one: read, convolved, written, heard."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np

from convgrad.datasets import PACKAGED
from convgrad.tools import spectrum, waveform
from convgrad.tools.tour.row import Row, row
from convgrad.tools.values import Array, as_array

CLIP = PACKAGED / "ambi_choir.wav"
_HIGH = 3000.0  # hertz: what the smoothing takes away


@row(
    "L3",
    "A signal is a mapping: mono and stereo sound",
    "A signal maps Ω = {1, 2, 3, …} to ℝᶜ: with c = 1 it is monophonic, with c = 2 stereophonic. Real "
    "stereo sound is read, convolved so that one hears it, and written back.",
)
def sound(r: Row) -> None:
    r.run(
        """
        from convgrad.datasets import PACKAGED, read_wav, write_wav

        sound, rate = read_wav(PACKAGED / "ambi_choir.wav")
        print(sound.shape, sound.dtype, rate, "Hz")
        x = torch.from_numpy(sound)[None]          # one signal, c = 2 channels: left and right
        """
    )
    r.check("two channels, as the standard library's reader says", r["sound"], _read_plainly(CLIP)[0])
    r.sound(CLIP, "The choir as it was recorded.")
    _mono(r)
    _smooth(r)
    _echo(r)


def _mono(r: Row) -> None:
    r.say("**From stereo to mono**: one kernel of size 1 over both channels.")
    r.run(
        """
        to_mono = nn.Conv1d(2, 1, 1, bias=False)
        with torch.no_grad():
            to_mono.weight.fill_(0.5)
            mono = to_mono(x)
        print(mono.shape)
        """
    )
    left, right = r["sound"].astype(np.float64)
    r.check(
        "c = 1: the mean of left and right", as_array(r["mono"])[0], (0.5 * (left + right))[None], rel=1e-6
    )


def _smooth(r: Row) -> None:
    r.say(
        "**Smoothing**: every output sample is a weighted mean of 65 neighbours. `groups=2` keeps left and "
        "right apart; high frequencies go, as through a closed door."
    )
    r.run(
        f"""
        from pathlib import Path

        out = Path({str(r.settings.out)!r})
        smooth = nn.Conv1d(2, 2, 65, padding="same", groups=2, bias=False)
        window = torch.from_numpy(np.hanning(67)[1:-1].astype("float32"))
        with torch.no_grad():
            smooth.weight.copy_((window / window.sum()).expand(2, 1, 65))
            soft = smooth(x)
        print(smooth)
        print(x.shape, "->", soft.shape)
        write_wav(out / "tour-smooth.wav", soft[0].numpy(), rate)
        """
    )
    taps = np.hanning(67)[1:-1] / np.hanning(67)[1:-1].sum()
    want = np.stack([np.convolve(channel, taps, "same") for channel in r["sound"].astype(np.float64)])
    r.check("the layer's output is NumPy's convolution", as_array(r["soft"])[0], want, rel=1e-5)
    before, after = _loud_above(r["sound"], r["rate"]), _loud_above(as_array(r["soft"])[0], r["rate"])
    r.holds(
        f"above {_HIGH:.0f} Hz the sound is at least 20 dB weaker",
        after < before - 20,
        f"{after - before:.0f} dB",
    )
    _written(r, "tour-smooth.wav", want)
    path = r.settings.out / "tour-smooth.wav"
    r.sound(path, "The choir, smoothed: the brightness is gone.")
    for name, heard in (("before", r["sound"]), ("after smoothing", as_array(r["soft"])[0])):
        r.picture(
            spectrum(heard, r["rate"], f"Spectrum {name}"), f"Which frequencies the sound holds, {name}."
        )


def _echo(r: Row) -> None:
    r.say(
        "**An echo that changes sides**: a kernel of six taps whose `dilation` puts 0.12 s between them. "
        "Here left and right are mixed: every second echo comes from the other side, so the kernel has "
        "thickness 2."
    )
    r.run(
        """
        step = int(0.12 * rate)                        # samples from echo to echo
        echo = nn.Conv1d(2, 2, 6, dilation=step, padding=5 * step, bias=False)
        with torch.no_grad():
            echo.weight.zero_()
            for k in range(6):                         # the last tap is the sound itself
                for side in range(2):
                    echo.weight[side, (side + k) % 2, 5 - k] = 0.6 ** k
            wet = echo(x)
            wet = wet * (0.9 / wet.abs().max())        # full scale is 1
        print(echo)
        print(x.shape, "->", wet.shape)
        write_wav(out / "tour-echo.wav", wet[0].numpy(), rate)
        """
    )
    dry, step = r["sound"].astype(np.float64), r["step"]
    want = np.zeros((2, dry.shape[1] + 5 * step))
    for k in range(6):
        want[:, k * step : k * step + dry.shape[1]] += 0.6**k * (dry if k % 2 == 0 else dry[::-1])
    want *= 0.9 / np.abs(want).max()
    r.check(
        "the echo is a sum of delayed copies, left and right exchanged", as_array(r["wet"])[0], want, rel=1e-5
    )
    _written(r, "tour-echo.wav", want)
    r.sound(r.settings.out / "tour-echo.wav", "The choir with an echo that walks from side to side.")
    r.picture(waveform(dry, r["rate"], "Before"), "The two channels as they were recorded.")
    r.picture(waveform(as_array(r["wet"])[0], r["rate"], "After: with echo"), "With echo, 0.6 s longer.")


def _written(r: Row, name: str, want: Array) -> None:
    """Check a WAV file with the standard library's reader."""
    got, rate = _read_plainly(r.settings.out / name)
    r.check(f"{name} has the sample rate of the original", rate, r["rate"])
    r.check(
        f"{name}, read by another reader, holds that sound to 16 bits",
        got,
        want,
        rel=1.01 / 32768 / np.abs(want).max(),
    )


def _read_plainly(path: Path) -> tuple[Array, int]:
    """A 16-bit WAV file with Python's own ``wave`` module: (C, n) in [-1, 1), and the rate."""
    with wave.open(str(path), "rb") as file:
        raw = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        return raw.reshape(-1, file.getnchannels()).T.astype(np.float32) / 32768, file.getframerate()


def _loud_above(heard: Array, rate: int) -> float:
    """The power above ``_HIGH`` in decibels (of an arbitrary unit)."""
    power = np.abs(np.fft.rfft(heard.astype(np.float64), axis=-1)) ** 2
    frequencies = np.fft.rfftfreq(heard.shape[-1], 1 / rate)
    return float(10 * np.log10(power[:, frequencies > _HIGH].sum() + 1e-30))
