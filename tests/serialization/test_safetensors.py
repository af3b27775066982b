"""The functions of ``safetensors.torch`` for our tensors; tests/parity/test_checkpoints.py has both sides."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import convgrad as torch
from convgrad import nn, safetensors
from convgrad.errors import DtypeError, MissingExtraError

from .objects import same, shapes_and_dtypes


def state() -> dict[str, Any]:
    return {name: x for name, x in shapes_and_dtypes(torch).items() if "complex128" not in name}


def test_without_the_package(monkeypatch: Any) -> None:
    monkeypatch.setattr(
        safetensors, "_package", lambda name="x": safetensors.optional("no_such_package", "files")
    )
    with pytest.raises(MissingExtraError, match=r"pip install 'convgrad\[files\]'"):
        safetensors.save({"a": torch.ones(1)})


def test_files_and_bytes(tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    path = tmp_path / "x.safetensors"
    safetensors.save_file(state(), path, {"made": "here"})
    assert os.listdir(tmp_path) == ["x.safetensors"]
    for found in (safetensors.load_file(path), safetensors.load(path.read_bytes())):
        assert found.keys() == state().keys()
        assert all(same(found[name], x) for name, x in state().items())
        next(iter(found.values())).zero_()  # memory of its own


def test_parts_of_a_file(tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    path = tmp_path / "x.safetensors"
    x = torch.arange(12.0).reshape(3, 4)
    safetensors.save_file({"x": x, "n": torch.arange(2)}, path, {"made": "here"})
    with safetensors.safe_open(path, framework="pt", device="cpu") as f:
        assert sorted(f.keys()) == ["n", "x"] and sorted(f.offset_keys()) == ["n", "x"]
        assert f.metadata() == {"made": "here"}
        part = f.get_slice("x")
        assert part.get_shape() == [3, 4] and part.get_dtype() == "F32"
        assert part[1:, :2].tolist() == x[1:, :2].tolist()
        assert isinstance(f.get_tensor("x"), torch.Tensor)
    with safetensors.safe_open(path, "np") as f:
        assert type(f.get_tensor("x")) is np.ndarray
    with pytest.raises(RuntimeError, match="framework 'tf' is invalid"):
        safetensors.safe_open(path, "tf")
    with pytest.raises(RuntimeError, match="cuda"):
        safetensors.load_file(path, device="cuda")


def test_models(tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    net, other = [nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3)) for _ in range(2)]
    for n in (net, other):
        n[1].weight = n[0].weight
    path = tmp_path / "x.safetensors"
    safetensors.save_model(net, path)
    assert sorted(safetensors.load_file(path)) == ["0.bias", "0.weight", "1.bias"]
    assert safetensors.load_model(other, path) == ([], [])
    assert same(net.state_dict(), other.state_dict())
    larger = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3), nn.Linear(3, 3))
    with pytest.raises(RuntimeError, match=r"Missing key\(s\) in state_dict: 1.weight, 2.bias, 2.weight"):
        safetensors.load_model(larger, path)
    assert safetensors.load_model(larger, path, strict=False) == (["1.weight", "2.bias", "2.weight"], [])


def test_refusals(tmp_path: Path) -> None:
    package = pytest.importorskip("safetensors")
    path = tmp_path / "x.safetensors"
    x = torch.ones(3, 2)
    bad: list[tuple[Any, type[Exception], str]] = [
        ([x], ValueError, "Expected a dict of"),
        ({"a": 1}, ValueError, "Key `a` is invalid, expected torch.Tensor"),
        ({1: x}, TypeError, "names must be str"),
        ({"a": x, "b": x[:1]}, RuntimeError, r"Some tensors share memory.*\['a', 'b'\].*save_model"),
        ({"a": x.t()}, ValueError, "save a non contiguous tensor: `a`"),
        ({"a": torch.ones(1, dtype=torch.complex128)}, DtypeError, "complex128"),
    ]
    for tensors, kind, message in bad:
        with pytest.raises(kind, match=message):
            safetensors.save_file(tensors, path)
    assert not path.exists()
    path.write_bytes(
        b"\x20\0\0\0\0\0\0\0" + b'{"a":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}}   '[:32]
    )
    with pytest.raises(package.SafetensorError):
        safetensors.load_file(path)
    header = b'{"a":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}}'
    path.write_bytes(len(header).to_bytes(8, "little") + header + b"\0")
    for load in (lambda: safetensors.load_file(path), lambda: safetensors.load(path.read_bytes())):
        with pytest.raises(DtypeError, match="'a' has dtype F8_E4M3"):
            load()
    with pytest.raises(RuntimeError, match="is a safetensors file"):
        torch.load(path)


def test_a_failed_save_leaves_the_old_file(tmp_path: Path, monkeypatch: Any) -> None:
    pytest.importorskip("safetensors")
    path = tmp_path / "x.safetensors"
    safetensors.save_file({"a": torch.ones(2)}, path)

    def full(*args: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        safetensors.save_file({"a": torch.zeros(2)}, path)
    monkeypatch.undo()
    assert safetensors.load_file(path)["a"].tolist() == [1, 1]
    assert os.listdir(tmp_path) == ["x.safetensors"]
