"""Devices that a file names: ``map_location`` in its four forms."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import convgrad as torch
from convgrad.serialization import CheckpointError

from .objects import loaded, with_stream
from .test_damage import STORAGE, tensor


def file_from(location: str) -> bytes:
    """A tensor [0, 1, 2, 3] that was saved on another device."""
    name = b"X" + len(location).to_bytes(4, "little") + location.encode()
    storage = STORAGE.replace(b"X\x03\0\0\0cpu", name)
    return with_stream(tensor(0, (4,), (1,), storage), np.arange(4, dtype=np.float32).tobytes())


@pytest.mark.parametrize(
    "map_location",
    ["cpu", torch.device("cpu"), {"cuda:0": "cpu"}, lambda storage, location: storage, lambda storage, location: storage.cpu()],
)  # fmt: skip
def test_a_file_from_another_device(map_location: Any) -> None:
    assert loaded(torch, file_from("cuda:0"), map_location=map_location).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("map_location", [None, {}, {"cuda:1": "cpu"}, lambda storage, location: None])
def test_without_a_place_on_the_cpu(map_location: Any) -> None:
    match = r"Attempting to deserialize object on a CUDA device but torch\.cuda\.is_available\(\) is False"
    with pytest.raises(RuntimeError, match=match):
        loaded(torch, file_from("cuda:0"), map_location=map_location)


@pytest.mark.parametrize("map_location", ["cuda", "cuda:1", {"cpu": "cuda:0"}, "mps"])
def test_no_other_device(map_location: Any) -> None:
    with pytest.raises(RuntimeError, match=r"map_location=torch\.device\('cpu'\)"):
        loaded(torch, file_from("cpu"), map_location=map_location)


def test_an_unknown_place() -> None:
    with pytest.raises(CheckpointError, match="don't know how to restore data location"):
        loaded(torch, file_from("moon"))


def test_what_a_function_gets_and_gives() -> None:
    seen = []

    def place(storage: Any, location: str) -> Any:
        seen.append((storage.nbytes(), storage.size(), len(storage), storage.device, location))
        assert storage.data_ptr() == storage.array.ctypes.data
        return storage

    assert loaded(torch, file_from("cuda:3"), map_location=place).sum().item() == 6
    assert seen == [(16, 16, 16, torch.device("cpu"), "cuda:3")]
    with pytest.raises(TypeError, match="must return the storage it was given, or None"):
        loaded(torch, file_from("cpu"), map_location=lambda storage, location: 3)
    with pytest.raises(TypeError, match="map_location must be a device, a dict or a function, not int"):
        loaded(torch, file_from("cpu"), map_location=3)
    with pytest.raises(ZeroDivisionError):
        loaded(torch, file_from("cpu"), map_location=lambda storage, location: 1 / 0)
