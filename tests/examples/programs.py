"""The programs in examples/: how long the tests let them run, what their last line must say, and how to run them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import convgrad

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
OUTPUT = EXAMPLES / "output"
HELPERS = {"data", "make_checkpoint", "record"}
"""Modules that stand beside the programs."""

NUMBER = re.compile(r"(?<![\w.])[+-]?\d+(?:\.\d+)?(?:e[+-]\d+)?")


class Program(NamedTuple):
    """One of the examples."""

    name: str
    least: float
    most: float
    """The number in the last line lies between these, with other processors and BLAS libraries too."""
    alike: int
    """So many numbers, from the first on, are those of the recorded output to one part in a thousand."""
    short: str
    """Arguments that end it after a few steps, each of them printed."""
    folder: str = ""
    """What it reads in the folder that CONVGRAD_DATA names; nothing: the packaged data do."""

    def __str__(self) -> str:
        return self.name

    @property
    def readable(self) -> bool:
        """Whether its data are there."""
        return not self.folder or Path(os.environ.get("CONVGRAD_DATA", ""), self.folder).is_dir()


FEW = "--steps 6 --log-every 1"
PROGRAMS = [
    Program("autoencoder", 0.015, 0.025, 20, FEW),
    Program("curve_fit", 1.5, 1.8, 40, FEW),
    Program("dropout_regression", 3.0, 12.0, 4, FEW),
    Program("ecg", 0.95, 0.98, 6, FEW, "ecg"),
    Program("echo", -40.0, -18.0, 6, FEW),
    Program("gan", 0.0, 0.15, 3, FEW),
    Program("lenet", 0.91, 0.96, 35, "--epochs 1 " + FEW),
    Program("lstm_speakers", 0.9, 0.98, 12, "--epochs 2 --steps 3 --log-every 1", "japanese-vowels"),
    Program("maml", 0.03, 0.15, 4, FEW),
    Program("permuted_pixels", 0.92, 0.97, 13, FEW),
    Program("spoken_digits", 0.93, 1.0, 11, "--epochs 1 " + FEW, "fsdd"),
    Program("torchvision_digits", 0.9, 0.97, 8, FEW, "mnist"),
    Program("transfer", 0.87, 0.94, 24, FEW),
    Program("transformer_rows", 0.8, 0.92, 7, FEW),
    Program("vae", -145.0, -125.0, 8, FEW),
    Program("vowel_convnet", 0.95, 0.99, 16, "--epochs 2 --log-every 1", "japanese-vowels"),
]


def run(name: str, arguments: str = "", **variables: str) -> str:
    """What a program prints under convgrad: the one that is tested here, be it installed or in the sources."""
    where = {"PYTHONPATH": str(Path(convgrad.__file__).parents[1])}
    program = str(EXAMPLES / f"{name}.py")
    done = subprocess.run(
        [sys.executable, "-m", "convgrad.torch", program, *arguments.split()],
        capture_output=True, text=True, timeout=300, env=os.environ | where | variables,
    )  # fmt: skip
    assert done.returncode == 0, f"{name}:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def numbers(text: str) -> list[float]:
    """All the numbers in a text, in order; "conv2" holds none."""
    return [float(found) for found in NUMBER.findall(text)]


def words(text: str) -> list[str]:
    """The lines with # for each number, a bar's length among them; pictures made of letters are left out."""
    lines = (re.sub("=+", "=", NUMBER.sub("#", line)) for line in text.splitlines())
    return [re.sub(r"\s+", " ", line) for line in lines if re.search(r"[a-z]{3}", line)]
