"""What is saved is loaded: values, dtypes, sharing, strides, states, by paths and file objects."""

from __future__ import annotations

import io
import mmap
import os
import stat
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import convgrad as torch
from convgrad import nn
from convgrad import serialization as s
from convgrad.serialization import CheckpointError, RefusedError, UnsavableError, load_npz, save_npz

from .objects import (
    archive,
    loaded,
    plain_values,
    same,
    saved,
    shapes_and_dtypes,
    shared_state,
    training_state,
    values,
    with_stream,
)


@pytest.mark.parametrize("make", [shapes_and_dtypes, shared_state, plain_values, training_state])
@pytest.mark.parametrize("weights_only", [True, False])
def test_an_object_comes_back(make: Any, weights_only: bool) -> None:
    obj = make(torch)
    assert same(obj, loaded(torch, saved(torch, obj), weights_only=weights_only))


def test_tensors_that_shared_memory_share_it_again() -> None:
    state = loaded(torch, saved(torch, shared_state(torch)))
    state["base"][1, 2] = 99.0
    for name, index in {"row": 2, "column": 1, "turned": (2, 1)}.items():
        assert state[name][index].item() == 99.0
    assert state["same"] is state["base"]
    assert state["apart"][1, 2].item() == 8.0
    assert state["expanded"].stride() == (0, 1)


def test_a_change_of_loaded_memory_is_noticed_through_every_view() -> None:
    state = loaded(torch, saved(torch, shared_state(torch)))
    w = torch.ones(6, requires_grad=True)
    out = (w * state["row"]).sum()
    state["base"].zero_()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        out.backward()


def test_a_view_is_saved_with_all_its_storage_and_a_clone_without() -> None:
    x = torch.zeros(100_000)
    assert len(saved(torch, x[:10])) > 400_000
    assert len(saved(torch, x[:10].clone())) < 4_000
    assert loaded(torch, saved(torch, x[7:10])).storage_offset() == 7
    assert loaded(torch, saved(torch, x[7:10].detach())).storage_offset() == 7


def test_a_part_of_a_numpy_array_is_saved_alone() -> None:
    """The array is no storage of ours: its other elements are nobody's business."""
    array = np.full(100_000, 7.0)
    data = saved(torch, torch.from_numpy(array[10:20]))
    assert len(data) < 4_000
    assert loaded(torch, data).storage_offset() == 0


def test_foreign_strides_and_offsets_are_saved_by_value() -> None:
    swapped = np.zeros(9, np.uint8)[1:].view(np.float64)
    for array in (swapped, np.asfortranarray(np.arange(6.0).reshape(2, 3))):
        assert loaded(torch, saved(torch, torch.from_numpy(array))).tolist() == array.tolist()


def test_two_dtypes_of_one_memory_are_refused() -> None:
    x = torch.arange(4, dtype=torch.int32)
    with pytest.raises(
        RuntimeError, match="Cannot save multiple tensors or storages that view the same data"
    ):
        saved(torch, [x, x.view(torch.float32)])


def test_a_parameter_keeps_its_kind_and_attributes() -> None:
    p = nn.Parameter(torch.ones(2), requires_grad=False)
    p.group = "bias"
    b = nn.Buffer(torch.ones(3), persistent=False)
    x = torch.ones(1)
    x.note = {"unit": "mV"}
    q, c, y = loaded(torch, saved(torch, [p, b, x]))
    assert type(q) is nn.Parameter and not q.requires_grad and q.group == "bias"
    assert type(c) is nn.Buffer and not c.persistent
    assert y.note == {"unit": "mV"}


def test_a_generator_continues() -> None:
    g = torch.Generator().manual_seed(5)
    torch.randn(3, generator=g)
    again = loaded(torch, saved(torch, g))
    assert torch.randn(5, generator=again).tolist() == torch.randn(5, generator=g).tolist()
    state = loaded(torch, saved(torch, torch.get_rng_state()))
    expected = torch.rand(3)
    torch.set_rng_state(state)
    assert torch.rand(3).tolist() == expected.tolist()


def test_training_goes_on_to_the_bit() -> None:
    """Two runs from one checkpoint, one of them through a file, give the same weights."""

    def build() -> Any:
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 1))
        optimizer = torch.optim.Adam(net.parameters(), lr=0.05)
        return net, optimizer, torch.optim.lr_scheduler.StepLR(optimizer, 2)

    def step(net: Any, optimizer: Any, scheduler: Any) -> None:
        optimizer.zero_grad()
        net(torch.randn(8, 4)).pow(2).mean().backward()
        optimizer.step()
        scheduler.step()

    first = build()
    for _ in range(3):
        step(*first)
    data = saved(torch, [part.state_dict() for part in first] + [torch.get_rng_state()])
    for _ in range(3):
        step(*first)
    second = build()
    *states, random = loaded(torch, data)
    for part, state in zip(second, states):
        part.load_state_dict(state)
    torch.set_rng_state(random)
    for _ in range(3):
        step(*second)
    assert same(first[0].state_dict(), second[0].state_dict())


def test_numpys_numbers_and_arrays() -> None:
    given_ = [
        np.float64(0.5),
        np.float32(2),
        np.int64(3),
        np.bool_(True),
        np.arange(6).reshape(2, 3).T,
        np.zeros(0),
    ]
    found = loaded(torch, saved(torch, given_))
    for a, b in zip(given_, found):
        assert type(a) is type(b) and a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
    found[4][0, 0] = 7  # it is an array like any other


def test_a_list_that_contains_itself() -> None:
    x: list[Any] = [1]
    x.append((x, {"again": x}))
    y = loaded(torch, saved(torch, x))
    assert y[1][0] is y and y[1][1]["again"] is y
    inner: list[Any] = []
    loop = (inner, 1)
    inner.append(loop)
    z = loaded(torch, saved(torch, loop))
    assert z[0][0] is z


leaves = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(), st.binary(),
    st.complex_numbers(allow_nan=False),
)  # fmt: skip
keys = st.one_of(st.text(), st.integers(-(2**59), 2**59), st.tuples(st.text(), st.booleans()))
trees = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner), st.dictionaries(keys, inner), st.tuples(inner, inner), st.sets(st.text()),
        st.dictionaries(keys, inner).map(OrderedDict),
    ),
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(trees)
def test_any_tree_comes_back(tree: Any) -> None:
    found = loaded(torch, saved(torch, tree))
    assert found == tree and type(found) is type(tree)


# ---- places


def test_paths_and_file_objects(tmp_path: Path) -> None:
    x = torch.arange(3)
    for name in (tmp_path / "a.pt", str(tmp_path / "b"), os.fsencode(tmp_path / "c.tar.pth")):
        torch.save(x, name)
        assert torch.load(name).tolist() == [0, 1, 2]
    with open(tmp_path / "d", "wb") as f:
        f.write(b"before")
        torch.save(x, f)
    with open(tmp_path / "d", "rb") as f:
        f.seek(6)
        assert torch.load(f).tolist() == [0, 1, 2]
    assert zipfile.ZipFile(tmp_path / "a.pt").testzip() is None
    assert zipfile.ZipFile(tmp_path / "a.pt").namelist()[0] == "a/data.pkl"


def test_a_file_object_with_short_reads() -> None:
    class Slow(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(min(size or 0, 7))

        def readinto(self, view: Any) -> int:
            return super().readinto(memoryview(view)[:5])

    class OnlyRead:
        def __init__(self, data: bytes) -> None:
            self.inner = io.BytesIO(data)
            self.read, self.seek, self.tell = self.inner.read, self.inner.seek, self.inner.tell

    data = saved(torch, shared_state(torch))
    for f in (Slow(data), OnlyRead(data)):
        assert same(torch.load(f), shared_state(torch))


def test_every_storage_is_aligned(tmp_path: Path) -> None:
    torch.save({f"{'k' * n}": torch.ones(n + 1) for n in range(70)}, tmp_path / "x.pt")
    raw = (tmp_path / "x.pt").read_bytes()
    for info in zipfile.ZipFile(tmp_path / "x.pt").infolist():
        named, extra = struct.unpack_from("<2H", raw, info.header_offset + 26)
        assert (info.header_offset + 30 + named + extra) % 64 == 0


def test_mapped_memory_is_read_lazily_and_never_written(tmp_path: Path) -> None:
    path = tmp_path / "x.pt"
    torch.save(shared_state(torch), path)
    before = path.read_bytes()
    state = torch.load(path, mmap=True)
    assert same(state, shared_state(torch))
    state["base"].zero_()
    assert state["row"].sum().item() == 0.0
    assert path.read_bytes() == before
    torch.save({"other": 1}, path)  # the map stays on the old content
    assert state["apart"][1, 2].item() == 8.0
    assert state["base"].data_ptr() % 64 == 0


def test_mapped_weights_become_a_modules_own(tmp_path: Path) -> None:
    net = nn.Linear(3, 2)
    torch.save(net.state_dict(), tmp_path / "x.pt")
    other = nn.Linear(3, 2)
    other.load_state_dict(torch.load(tmp_path / "x.pt", mmap=True), assign=True)
    x = torch.ones(1, 3)
    assert other(x).tolist() == net(x).tolist()
    other(x).sum().backward()
    torch.optim.SGD(other.parameters(), lr=0.1).step()
    assert torch.load(tmp_path / "x.pt")["weight"].tolist() == net.weight.tolist()


def test_mmap_needs_a_path(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="f must be a file path in order to use the mmap argument"):
        torch.load(io.BytesIO(saved(torch, 1)), mmap=True)


def test_settings_of_maps() -> None:
    assert s.get_default_mmap_options() == mmap.MAP_PRIVATE
    with s.set_default_mmap_options(mmap.MAP_PRIVATE):
        pass
    with pytest.raises(RuntimeError, match=r"expected mmap\.MAP_PRIVATE"):
        s.set_default_mmap_options(mmap.MAP_SHARED)


# ---- byte order and checksums


def test_the_other_byte_order_is_turned() -> None:
    for dtype in ("int16", "float32", "float64", "complex64", "complex128", "bfloat16", "uint8"):
        x = values(torch, dtype, 5)
        data = saved(torch, x)
        stream = zipfile.ZipFile(io.BytesIO(data)).read("archive/data.pkl")
        array = x._data.view(np.uint8).reshape(-1, x.dtype.to_real().itemsize)[:, ::-1]
        turned = with_stream(stream, array.tobytes()).replace(b"little", b"bigend")
        big = turned.replace(b"bigend", b"big\0\0\0")
        with pytest.raises(CheckpointError, match="checksum"):
            loaded(torch, big)
        found = loaded(
            torch, archive(("data.pkl", stream), ("byteorder", b"big"), ("data/0", array.tobytes()))
        )
        assert same(found, x)


def test_a_file_without_a_byte_order_is_little_unless_told() -> None:
    data = saved(torch, torch.tensor([1], dtype=torch.int16), _disable_byteorder_record=True)
    assert loaded(torch, data).item() == 1
    try:
        s.set_default_load_endianness(s.LoadEndianness.BIG)
        assert loaded(torch, data).item() == 256
        assert s.get_default_load_endianness() is s.LoadEndianness.BIG
    finally:
        s.set_default_load_endianness(None)


def test_checksums_can_be_left_out() -> None:
    assert s.get_crc32_options()
    try:
        s.set_crc32_options(False)
        data = saved(torch, torch.ones(100))
    finally:
        s.set_crc32_options(True)
    assert loaded(torch, data).sum().item() == 100
    with pytest.raises(CheckpointError, match="checksum"):
        loaded(torch, data, verify=True)


# ---- arguments and refusals to save


def test_what_cannot_be_saved_is_named_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "x.pt"
    path.write_bytes(b"old")
    point = type("Point", (tuple,), {})
    bad: list[tuple[Any, str]] = [
        ({"model": [nn.Linear(2, 2)]}, r"Linear object at checkpoint\['model'\]\[0\].*state_dict\(\)"),
        (
            {"opt": torch.optim.SGD([torch.ones(1)], lr=1)},
            r"SGD object at checkpoint\['opt'\].*state_dict\(\)",
        ),
        (lambda: 1, "function"),
        ({"c": point()}, "Point object.*plain tuple"),
        ({"p": Path("x")}, r"Path object at checkpoint\['p'\].*add_safe_globals"),
        ({"n": np.array(["a"])}, "NumPy's <U1"),
        ({"n": np.array([None])}, "NumPy's object"),
        ({"i": 1 << 40_000}, "an integer of"),
        ({1 << 20_000: print}, r"builtin_function_or_method builtins.print at checkpoint\[...\]"),
        ({"t": type("Sub", (torch.Tensor,), {})([1.0])}, "Sub object"),
        (nn.Linear, "class convgrad.nn"),
    ]
    for obj, message in bad:
        with pytest.raises(UnsavableError, match=message) as error:
            torch.save(obj, path)
        assert "Nothing was written" in str(error.value)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["x.pt"]
    with pytest.raises(TypeError, match="Can't pickle"):  # as a Python programmer would expect it
        torch.save(object(), path)


def test_too_deep_to_be_saved() -> None:
    x: list[Any] = []
    for _ in range(100_000):
        x = [x]
    with pytest.raises(UnsavableError, match="nested too deeply"):
        saved(torch, x)


def test_bad_arguments(tmp_path: Path) -> None:
    with pytest.raises(AttributeError, match=r"expected 'f' to be string, path, or a file-like object"):
        torch.save(1, 3)
    with pytest.raises(AttributeError, match=r"You can only torch\.load from a file that is seekable"):
        torch.load(3)
    with pytest.raises(RuntimeError, match=r"Parent directory .*nowhere does not exist"):
        torch.save(1, tmp_path / "nowhere" / "x.pt")
    with pytest.raises(IsADirectoryError):
        torch.save(1, tmp_path)
    with pytest.raises(IsADirectoryError):
        torch.load(tmp_path)
    with pytest.raises(FileNotFoundError):
        torch.load(tmp_path / "none")
    with pytest.raises(EOFError, match=r"seek\(0\)"):
        torch.load(io.BytesIO())
    with pytest.raises(
        RuntimeError, match="Can not safely load weights when explicit pickle_module is specified"
    ):
        torch.load(io.BytesIO(saved(torch, 1)), pickle_module=os)
    with pytest.raises(UnsavableError, match="pickle_protocol must be an int"):
        saved(torch, 1, pickle_protocol="2")
    for protocol in range(6):
        assert loaded(torch, saved(torch, (1, b"x"), pickle_protocol=protocol)) == (1, b"x")
    assert loaded(torch, saved(torch, 1, _use_new_zipfile_serialization=False)) == 1


# ---- NumPy's archives


def test_npz(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    state = nn.BatchNorm1d(3).state_dict()
    state["half"] = torch.ones(2, dtype=torch.bfloat16)
    save_npz(path, state)
    found = load_npz(path)
    assert list(found) == list(state)
    assert all(same(found[name], state[name]) for name in state)
    with np.load(path) as arrays:
        assert arrays["running_var"].tolist() == [1, 1, 1]
    out = io.BytesIO()
    save_npz(out, {"a": torch.ones(2)})
    out.seek(0)
    assert load_npz(out)["a"].tolist() == [1, 1]
    assert stat.S_ISREG(path.stat().st_mode)


def test_npz_refusals(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    with pytest.raises(TypeError, match="expected names and tensors"):
        save_npz(path, {"a": 1})
    assert not path.exists()
    np.savez(path, a=np.array([{}], dtype=object))
    with pytest.raises(RefusedError, match="allow_pickle"):
        load_npz(path)
    np.savez(path, a=np.array(["x"]))
    with pytest.raises(RefusedError, match="'a' has dtype <U1"):
        load_npz(path)
    np.savez(path, a=np.zeros(100))
    data = bytearray(path.read_bytes())
    data[300] ^= 1
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match="damaged"):
        load_npz(path)
    with pytest.raises(CheckpointError, match="load_npz reads it"):
        torch.load(path)
    path.write_bytes(b"PK\3\4 no archive")
    with pytest.raises(CheckpointError, match="damaged"):
        load_npz(path)
