"""Checkpoints across the two libraries: each reads what the other wrote, to the bit; and the files are alike."""

from __future__ import annotations

import io
import pickle
import shutil
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils import serialization

import convgrad

from ..serialization.objects import (
    loaded,
    plain_values,
    same,
    saved,
    shapes_and_dtypes,
    shared_state,
    training_state,
    values,
)

OBJECTS = [shapes_and_dtypes, shared_state, plain_values, training_state]


@pytest.mark.parametrize("make", OBJECTS)
@pytest.mark.parametrize("mmap", [False, True])
def test_we_read_pytorchs(make: Any, mmap: bool, tmp_path: Path) -> None:
    theirs = make(torch)
    torch.save(theirs, tmp_path / "x.pt")
    assert same(theirs, convgrad.load(tmp_path / "x.pt", mmap=mmap, verify=True))


@pytest.mark.parametrize("make", OBJECTS)
@pytest.mark.parametrize("weights_only", [False, True])
@pytest.mark.parametrize("mmap", [False, True])
def test_pytorch_reads_ours(make: Any, weights_only: bool, mmap: bool, tmp_path: Path) -> None:
    ours = make(convgrad)
    if make is plain_values and weights_only:  # not let in by PyTorch
        for name in ("slices", "default", "sets"):
            del ours[name]
    convgrad.save(ours, tmp_path / "x.pt")
    assert same(ours, torch.load(tmp_path / "x.pt", weights_only=weights_only, mmap=mmap))


@pytest.mark.parametrize("make", OBJECTS)
def test_we_read_pytorchs_old_format(make: Any) -> None:
    theirs = make(torch)
    data = saved(torch, theirs, _use_new_zipfile_serialization=False)
    assert same(theirs, loaded(convgrad, data))


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("make", OBJECTS)
def test_we_read_every_protocol(make: Any, protocol: int) -> None:
    theirs = make(torch)
    assert same(theirs, loaded(convgrad, saved(torch, theirs, pickle_protocol=protocol)))


def without_id(data: bytes) -> bytes:
    """A file without the digits that name its content, and without their checksums."""
    archive = zipfile.ZipFile(io.BytesIO(data))
    digits = archive.read("archive/.data/serialization_id")
    crc = archive.getinfo("archive/.data/serialization_id").CRC.to_bytes(4, "little")
    return data.replace(digits, b"?" * 40).replace(crc, b"????")


@pytest.mark.parametrize("make", [shared_state, training_state])
def test_the_files_are_the_same(make: Any) -> None:
    """Byte for byte, but for an identifier that each library makes in its own way."""
    theirs = saved(torch, make(torch))
    states = loaded(convgrad, theirs)
    if make is training_state:
        # the values of a training differ in their last bits, so PyTorch's own, as they were loaded
        streams = [
            zipfile.ZipFile(io.BytesIO(d)).read("archive/data.pkl") for d in (theirs, saved(convgrad, states))
        ]
        assert streams[0] == streams[1]
    assert without_id(theirs) == without_id(
        saved(convgrad, make(convgrad) if make is shared_state else states)
    )


@pytest.mark.parametrize("length", range(1, 80, 3))
def test_the_layout_is_the_same_for_every_length(length: int) -> None:
    """Names and records of many lengths: padding, alignment, directory."""
    theirs, ours = [
        saved(T, {"k" * length: T.zeros(length, dtype=T.uint8), "e": T.zeros(0)}) for T in (torch, convgrad)
    ]
    assert without_id(theirs) == without_id(ours)


def test_pytorch_finds_our_records_by_calculation(tmp_path: Path) -> None:
    """An option of PyTorch computes where storages lie, in place of looking it up."""
    state = {f"{n}": convgrad.full((n,), float(n)) for n in range(1, 40)}
    convgrad.save(state, tmp_path / "x.pt")
    with serialization.config.patch({"load.calculate_storage_offsets": True}):
        found = torch.load(tmp_path / "x.pt", mmap=True)
    assert all(found[name].tolist() == tensor.tolist() for name, tensor in state.items())


def test_numpys_values_cross() -> None:
    given = [np.float64(0.5), np.arange(6.0).reshape(2, 3), np.bool_(True), np.int16(3)]
    for writer, reader in ((torch, convgrad), (convgrad, torch)):
        found = loaded(reader, saved(writer, given), weights_only=False)
        for a, b in zip(given, found):
            assert type(a) is type(b) and a.dtype == b.dtype
            np.testing.assert_array_equal(a, b)


def test_generators_cross() -> None:
    for writer, reader in ((torch, convgrad), (convgrad, torch)):
        g = writer.Generator().manual_seed(7)
        writer.rand(5, generator=g)
        h = loaded(reader, saved(writer, g), weights_only=False)
        assert writer.rand(4, generator=g).tolist() == reader.rand(4, generator=h).tolist()


def test_parameters_buffers_and_attributes_cross() -> None:
    def make(T: Any) -> Any:
        p = T.nn.Parameter(T.ones(2), requires_grad=False)
        p.group = "bias"
        q = T.nn.Parameter(T.ones(3))
        b = T.nn.Buffer(T.ones(3), persistent=False)
        x = T.ones(1, requires_grad=True)
        x.note = {"unit": "mV"}
        return [p, q, b, x]

    for writer, reader in ((torch, convgrad), (convgrad, torch)):
        p, q, b, x = loaded(reader, saved(writer, make(writer)))
        assert type(p) is reader.nn.Parameter and not p.requires_grad and p.group == "bias"
        assert type(q) is reader.nn.Parameter and q.requires_grad
        assert isinstance(b, reader.nn.Buffer) and not b.persistent
        assert x.note == {"unit": "mV"} and x.requires_grad


def test_pending_conjugations_are_carried_out() -> None:
    z = torch.tensor([1 + 2j, 3 - 4j])
    found = loaded(convgrad, saved(torch, [z, z.conj()]))
    assert [t.tolist() for t in found] == [[1 + 2j, 3 - 4j], [1 - 2j, 3 + 4j]]
    assert loaded(convgrad, saved(torch, z.conj().imag)).tolist() == [-2.0, 4.0]
    old = loaded(convgrad, saved(torch, z.conj(), _use_new_zipfile_serialization=False))
    assert old.tolist() == [1 - 2j, 3 + 4j]


def test_networks_cross() -> None:
    """PyTorch's weights in our network give PyTorch's outputs, and the other way round."""

    def build(T: Any) -> Any:
        return T.nn.Sequential(
            T.nn.Conv2d(1, 4, 3), T.nn.BatchNorm2d(4), T.nn.ReLU(), T.nn.Flatten(), T.nn.Linear(144, 3)
        )

    x = np.random.default_rng(0).standard_normal((2, 1, 8, 8)).astype(np.float32)
    for writer, reader in ((torch, convgrad), (convgrad, torch)):
        writer.manual_seed(1)
        net, other = build(writer).eval(), build(reader).eval()
        other.load_state_dict(loaded(reader, saved(writer, net.state_dict())))
        left, right = net(writer.from_numpy(x)), other(reader.from_numpy(x))
        np.testing.assert_allclose(left.detach().numpy(), right.detach().numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["Adam", "AdamW", "SGD", "RMSprop"])
def test_optimisers_cross(name: str) -> None:
    """A training that goes on in the other library takes the steps it would have taken."""
    options = {"SGD": {"momentum": 0.9, "nesterov": True}}.get(name, {})

    def start(T: Any) -> Any:
        p = T.nn.Parameter(T.tensor([1.0, -2.0, 3.0]))
        return p, getattr(T.optim, name)([p], lr=0.1, **options)

    def steps(p: Any, optimizer: Any, count: int) -> None:
        for _ in range(count):
            optimizer.zero_grad()
            (p**2).sum().backward()
            optimizer.step()

    for writer, reader in ((torch, convgrad), (convgrad, torch)):
        p, optimizer = start(writer)
        steps(p, optimizer, 3)
        data = saved(writer, {"p": p, "optimizer": optimizer.state_dict()})
        steps(p, optimizer, 3)
        q, other = start(reader)
        state = loaded(reader, data)
        with reader.no_grad():
            q.copy_(state["p"])
        other.load_state_dict(state["optimizer"])
        steps(q, other, 3)
        np.testing.assert_allclose(q.detach().numpy(), p.detach().numpy(), rtol=1e-6, atol=1e-12)


class Ours(torch.nn.Module):
    """A network of the user's own, as PyTorch saves it whole."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Sequential(torch.nn.Conv1d(2, 3, 3), torch.nn.BatchNorm1d(3))
        self.lstm = torch.nn.LSTM(3, 2)
        self.scale = torch.nn.Parameter(torch.ones(2))
        self.register_buffer("hidden", torch.ones(1), persistent=False)
        self.register_buffer("kept", torch.ones(1))
        self.head = torch.nn.Linear(2, 2)
        self.tied = self.head


@pytest.mark.parametrize("zipped", [True, False])
def test_networks_saved_whole_become_their_state(zipped: bool) -> None:
    net = Ours()
    data = saved(torch, {"net": net, "notes": Path("x"), "epoch": 2}, _use_new_zipfile_serialization=zipped)
    with pytest.raises(pickle.UnpicklingError, match="Weights only load failed"):
        loaded(convgrad, data, weights_only=False)
    found = convgrad.serialization.load_state(io.BytesIO(data))
    expected = net.state_dict()
    assert same(dict(found["net"]), dict(expected))
    assert found["epoch"] == 2 and repr(found["notes"]).startswith("<pathlib.")
    names = convgrad.serialization.get_unsafe_globals_in_checkpoint(io.BytesIO(data))
    assert {"torch.nn.modules.linear.Linear", f"{Ours.__module__}.Ours"} <= set(names)


def test_files_without_checksums() -> None:
    torch.serialization.set_crc32_options(False)
    try:
        data = saved(torch, torch.ones(5))
    finally:
        torch.serialization.set_crc32_options(True)
    assert loaded(convgrad, data).tolist() == [1] * 5


ERRORS: dict[str, Any] = {
    "a network": lambda T: loaded(T, saved(torch, torch.nn.Linear(2, 2))),
    "an empty file": lambda T: loaded(T, b""),
    "a truncated file": lambda T: loaded(T, saved(T, T.ones(3))[:-40]),
    "a pickle": lambda T: loaded(T, b"\x80\x02K\x01."),
    "mmap of a file object": lambda T: loaded(T, saved(T, 1), mmap=True),
    "a number in place of a file": lambda T: T.load(3),
    "a number to save to": lambda T: T.save(1, 3),
    "a folder that is missing": lambda T: T.save(1, "no such folder/x.pt"),
    "another device": lambda T: loaded(T, saved(T, T.ones(1)), map_location={"cpu": "cuda:0"}),
    "another unpickler": lambda T: loaded(T, saved(T, 1), pickle_module=io, weights_only=True),
    "two dtypes": lambda T: saved(T, [(x := T.arange(4, dtype=T.int32)), x.view(T.float32)]),
    "bad trust": lambda T: T.serialization.set_default_load_endianness(3),
}  # fmt: skip
#: words both messages have
WORDS = {
    "a network": "Weights only load failed|Unsupported global: GLOBAL torch.nn.modules.linear.Linear was not an allowed "
    "global by default",
    "a truncated file": "PytorchStreamReader failed reading zip archive",
    "a pickle": "Invalid magic number; corrupt file?",
    "mmap of a file object": "f must be a file path in order to use the mmap argument",
    "a number in place of a file": "You can only torch.load from a file that is seekable",
    "a number to save to": "expected 'f' to be string, path, or a file-like object with a 'write' attribute",
    "a folder that is missing": "Parent directory no such folder does not exist.",
    "another device": "Attempting to deserialize object on a CUDA device but torch.cuda.is_available() is False.",
    "another unpickler": "Can not safely load weights when explicit pickle_module is specified",
    "two dtypes": "Cannot save multiple tensors or storages that view the same data as different types",
    "bad trust": "Invalid argument type in function set_default_load_endianness",
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors_are_pytorchs(name: str) -> None:
    with pytest.raises(Exception) as theirs:
        ERRORS[name](torch)
    with pytest.raises(Exception) as ours:
        ERRORS[name](convgrad)
    kinds = [type(theirs.value), *type(theirs.value).__mro__]
    assert isinstance(ours.value, kinds[0]), (type(ours.value), kinds[0])
    for words in WORDS.get(name, "").split("|"):
        assert words in str(theirs.value)
        assert words in str(ours.value)


def test_names_are_pytorchs() -> None:
    """The names of torch.serialization that are missing here, and why."""
    missing = set(torch.serialization.__all__) - set(convgrad.serialization.__all__)
    assert missing == {
        "SourceChangeWarning", "mkdtemp",  # leftovers of older versions
        "register_package", "location_tag", "default_restore_location", "validate_cuda_device", "validate_hpu_device",
        "normalize_storage_type", "storage_to_tensor_type", "StorageType",  # devices and typed storages
        "check_module_version_greater_or_equal",  # of pickle modules, which are not used
        "skip_data",  # fake tensors
    }  # fmt: skip


def test_safetensors_cross(tmp_path: Path) -> None:
    theirs = pytest.importorskip("safetensors.torch")
    ours = convgrad.safetensors
    names = (
        "float32",
        "float64",
        "float16",
        "bfloat16",
        "uint8",
        "int8",
        "int16",
        "int32",
        "int64",
        "bool",
        "complex64",
    )
    modules = ((theirs, torch, ours, convgrad), (ours, convgrad, theirs, torch))
    for write, T, read, _ in modules:
        state = {f"{name} {shape}": values(T, name, *shape) for name in names for shape in ((), (2, 3), (0,))}
        path = tmp_path / "x.safetensors"
        write.save_file(state, path, {"format": "pt"})
        for found in (read.load_file(path), read.load(path.read_bytes()), read.load(write.save(state))):
            assert found.keys() == state.keys()
            assert all(same(found[name], state[name]) for name in state)
    assert theirs.save({"a": torch.ones(2)}, {"k": "v"}) == ours.save({"a": convgrad.ones(2)}, {"k": "v"})


def test_safetensors_models_cross(tmp_path: Path) -> None:
    theirs = pytest.importorskip("safetensors.torch")
    ours = convgrad.safetensors

    def tied(T: Any) -> Any:
        net = T.nn.Sequential(T.nn.Linear(3, 3), T.nn.Linear(3, 3))
        net[1].weight = net[0].weight
        return net

    path = tmp_path / "x.safetensors"
    for write, T, read, other in ((theirs, torch, ours, convgrad), (ours, convgrad, theirs, torch)):
        net, copy = tied(T), tied(other)
        write.save_model(net, str(path))
        missing, unexpected = read.load_model(copy, path)
        assert list(missing) == list(unexpected) == []
        assert same(OrderedDict(net.state_dict()), OrderedDict(copy.state_dict()))
        assert copy[1].weight is copy[0].weight
        with pytest.raises(RuntimeError, match=r"Missing key|missing"):
            read.load_model(
                other.nn.Sequential(other.nn.Linear(3, 3), other.nn.Linear(3, 3), other.nn.Linear(3, 3)), path
            )


SAFETENSORS_ERRORS: dict[str, Any] = {
    "shared": lambda T: {"a": (x := T.ones(3)), "b": x},
    "not contiguous": lambda T: {"a": T.ones(3, 2).t()},
    "no tensor": lambda T: {"a": 1},
    "no dict": lambda T: [1],
    "no name": lambda T: {1: T.ones(1)},
}


@pytest.mark.parametrize("name", SAFETENSORS_ERRORS)
def test_safetensors_errors_are_theirs(name: str) -> None:
    theirs = pytest.importorskip("safetensors.torch")
    make = SAFETENSORS_ERRORS[name]
    with pytest.raises(Exception) as expected:
        theirs.save(make(torch))
    with pytest.raises(type(expected.value)) as got:
        convgrad.safetensors.save(make(convgrad))
    if name != "no name":
        assert str(expected.value).strip()[:25] == str(got.value)[:25]


@pytest.mark.slow
@pytest.mark.parametrize("writer", [convgrad, torch], ids=["ours", "theirs"])
def test_more_than_four_gigabytes(writer: Any, tmp_path: Path) -> None:
    """Sizes and places that 32 bits cannot hold: the zip64 fields, of either library for both."""
    size = 4_400_000_000
    if shutil.disk_usage(tmp_path).free < 2 * size:
        pytest.skip("too little space on the disk")
    path = tmp_path / "x.pt"
    writer.save({"large": writer.zeros(size, dtype=writer.uint8), "after": writer.arange(5)}, path)
    with zipfile.ZipFile(path) as archive:
        assert archive.getinfo("x/data/0").file_size == size
        assert archive.read("x/data/1")[8] == 1
    for reader in (convgrad, torch):
        found = reader.load(path, mmap=True)
        assert found["after"].tolist() == [0, 1, 2, 3, 4]
        assert found["large"].shape[0] == size and found["large"][-3:].tolist() == [0, 0, 0]
    path.unlink()
