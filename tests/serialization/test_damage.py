"""Files that were cut, changed or made to harm: an error or the same content, nothing run, memory and time bounded."""

from __future__ import annotations

import io
import pickle
import pickletools
import random
import struct
import sys
import threading
import time
import tracemalloc
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
import pytest

import convgrad as torch
from convgrad.serialization import CheckpointError, RefusedError

from .objects import archive, loaded, plain_values, same, saved, shared_state, with_stream

ERRORS = (CheckpointError, RefusedError, EOFError)


def small() -> dict[str, Any]:
    x = torch.arange(6.0).reshape(2, 3)
    return {"x": x, "row": x[1], "n": [1, 2.5, "text"], "p": torch.nn.Parameter(torch.ones(2))}


class Watch:
    """What Python reports of itself while files are loaded: calls that no reader of data needs."""

    FORBIDDEN = (
        "exec",
        "compile",
        "import",
        "os.",
        "subprocess.",
        "socket.",
        "ctypes.",
        "shutil.",
        "pickle.",
        "marshal.",
    )

    def __init__(self) -> None:
        self.on = False
        self.thread = threading.get_ident()  # others, such as those of the test runner, do as they like
        self.seen: list[str] = []
        sys.addaudithook(self.hear)

    def hear(self, event: str, args: tuple[Any, ...]) -> None:
        if self.on and event.startswith(self.FORBIDDEN) and threading.get_ident() == self.thread:
            self.seen.append(f"{event} {args!r}"[:200])


WATCH = Watch()


@contextmanager
def nothing_runs() -> Iterator[None]:
    WATCH.seen.clear()
    WATCH.thread = threading.get_ident()
    WATCH.on = True
    try:
        yield
    finally:
        WATCH.on = False
    assert WATCH.seen == []


def test_the_watch_hears() -> None:
    with pytest.raises(AssertionError, match="compile"), nothing_runs():
        exec("pass")


def outcome(data: bytes, content: Any) -> str:
    """ "error" or "same"; anything else is a failure."""
    try:
        found = loaded(torch, data)
    except ERRORS as error:
        assert str(error) or isinstance(error, EOFError)
        return "error"
    return "same" if same(found, content) else "changed"


def flipped(data: bytes, bit: int) -> bytes:
    out = bytearray(data)
    out[bit // 8] ^= 1 << bit % 8
    return bytes(out)


# ---- chance


def test_a_flipped_bit_is_an_error_or_harmless() -> None:
    content = small()
    data = saved(torch, content)
    for bit in random.Random(0).sample(range(8 * len(data)), 1500):
        assert outcome(flipped(data, bit), content) != "changed", bit


@pytest.mark.slow
def test_every_flipped_bit_is_an_error_or_harmless() -> None:
    content = small()
    data = saved(torch, content)
    found = {"error": 0, "same": 0, "changed": 0}
    for bit in range(8 * len(data)):
        found[outcome(flipped(data, bit), content)] += 1
    print(len(data), "bytes:", found)
    assert found["changed"] == 0


def test_every_flipped_bit_of_a_tensor_is_an_error() -> None:
    content = torch.arange(8.0)
    data = saved(torch, content)
    first = data.index(content._data.tobytes())
    for bit in range(8 * first, 8 * (first + 32)):
        with pytest.raises(CheckpointError, match="changed after saving"):
            loaded(torch, flipped(data, bit))


def test_mapped_memory_is_checked_when_asked(tmp_path: Any) -> None:
    content = torch.arange(8.0)
    data = saved(torch, content)
    path = tmp_path / "x.pt"
    path.write_bytes(flipped(data, 8 * data.index(content._data.tobytes()) + 3))
    assert torch.load(path, mmap=True).tolist() != content.tolist()
    assert torch.load(path, verify=False).tolist() != content.tolist()
    for mapped in (False, True):
        with pytest.raises(CheckpointError, match=r"record 'archive/data/0' .*checksum"):
            torch.load(path, mmap=mapped, verify=True)


def test_every_truncation_is_an_error() -> None:
    content = small()
    for data in (saved(torch, content), legacy_file()):
        for size in range(len(data)):
            assert outcome(data[:size], content) == "error", size


def test_appended_bytes_are_an_error() -> None:
    assert outcome(saved(torch, 1) + b"\0", 1) == "error"


# ---- malice: streams. Each is given with right checksums.


def stream_of(obj: Any) -> bytes:
    return zipfile.ZipFile(io.BytesIO(saved(torch, obj))).read("archive/data.pkl")


class Evil:
    def __reduce__(self) -> Any:
        return exec, ("raise SystemError('this ran')",)


STORAGE = b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuK\x04tQ"
TENSOR = b"ctorch._utils\n_rebuild_tensor_v2\n("
EMPTY_HOOKS = b"\x89ccollections\nOrderedDict\n)RtR."


def number(value: int) -> bytes:
    return pickle.dumps(value, 2)[2:-1]


def tensor(offset: int, shape: tuple[int, ...], strides: tuple[int, ...], storage: bytes = STORAGE) -> bytes:
    parts = [b"(" + b"".join(map(number, values)) + b"t" for values in (shape, strides)]
    return b"\x80\x02" + TENSOR + storage + number(offset) + b"".join(parts) + EMPTY_HOOKS


def nested(open_: bytes, close: bytes, depth: int) -> bytes:
    return b"\x80\x02" + open_ * depth + b"K\x01" + close * depth + b"."


STREAMS: dict[str, tuple[bytes, str]] = {
    "a call": (pickle.dumps(Evil(), 2), "Unsupported global: GLOBAL __builtin__.exec"),
    "a call, protocol 4": (pickle.dumps(Evil(), 4), "Unsupported global: GLOBAL builtins.exec"),
    "os.system": (b"cos\nsystem\nX\x02\0\0\0id\x85R.", "GLOBAL os.system was not an allowed global"),
    "an attribute of a name": (b"ctorch\nstorage.os.system\n.", "GLOBAL torch.storage.os.system"),
    "getattr": (b"c__builtin__\ngetattr\n.", "GLOBAL __builtin__.getattr"),
    "our own functions": (b"cconvgrad\nsave\n.", "GLOBAL convgrad.save"),
    "an instance of a type": (b"c__builtin__\nlist\n)\x81.", "a call of list"),
    "a call of a value": (b"K\x01)R.", "a call of int"),
    "a call of a text": (b"X\x01\0\0\0a)R.", "a call of str"),
    "arguments that are none": (b"ccollections\nOrderedDict\nK\x01R.", "in place of arguments"),
    "a state that hides methods": (
        b"ccollections\nOrderedDict\n)R}X\x05\0\0\0itemsK\x01sb.", "an attribute of a OrderedDict with a name of its class",
    ),
    "a state for a list": (b"]}b.", "a state for a list"),
    "a class attribute": (b"ctorch\nTensor\n}X\x01\0\0\0aK\x01sb.", "a state for a type"),
    "INST": (b"(ios\nsystem\n.", "Unsupported operand 105"),
    "OBJ": (b"(cos\n", "GLOBAL|truncated|end"),
    "EXT1": (b"\x82\x01.", "Unsupported operand 130"),
    "BUFFER": (b"\x97.", "Unsupported operand 151"),
    "protocol 0": (b"I1\n.", "Unsupported operand 73"),
    "an old protocol": (b"\x80\x01K\x01.", "pickle protocol 1"),
    "a new protocol": (b"\x80\x06K\x01.", "pickle protocol 6"),
    "nothing": (b"", "damaged"),
    "no end": (b"\x80\x02K\x01", "damaged"),
    "an empty stack": (b".", "damaged"),
    "a mark that is missing": (b"t.", "damaged"),
    "a memo that is missing": (b"h\x05.", "damaged"),
    "a text beyond the end": (b"X\xff\xff\xff\x7fabc.", "truncated"),
    "a text of 16 EB": (b"\x8d" + b"\xff" * 8 + b".", "truncated"),
    "bytes beyond the end": (b"B\xff\xff\xff\xffabc.", "truncated"),
    "a bytearray beyond the end": (b"\x96" + b"\xff" * 7 + b"\x7f.", "truncated"),
    "a huge integer": (b"\x8b\x00\x00\x10\x00" + b"\x7f" * (1 << 20) + b".", "an integer of 1048576 bytes"),
    "a negative length": (b"\x8b\xff\xff\xff\xff.", "truncated"),
    "bad UTF-8": (b"X\x02\0\0\0\xff\xff.", "damaged"),
    "a name without an end": (b"c" + b"a" * 5000, "a name at byte"),
    "a key that is a list": (b"}]K\x01s.", "list cannot be a key"),
    "a key that is a tensor": (b"}" + tensor(0, (4,), (1,))[2:-1] + b"K\x01s.", "Tensor cannot be a key"),
    "a member that is a dict": (b"\x8f(}\x90.", "dict cannot be a key"),
    "a key without a value": (b"}(K\x01u.", "a key without a value"),
    "items for a tuple": (b")(K\x01e.", "items appended to a tuple"),
    "items for a number": (b"K\x01(K\x01K\x02u.", "items set in a int"),
    "members for a list": (b"](K\x01\x90.", "members added to a list"),
    "a deep key": (b"}" + b"K\x01" + b"\x85" * 1_000_000 + b"K\x01s.", "nested more than 4 deep"),
    "a deep frozenset": (b"(" * 50_000 + b"K\x01" + b"\x91" * 50_000 + b".", "nested more than 4 deep"),
    "keys with one hash": (
        b"}" + b"".join([number(i * ((1 << 61) - 1)) + b"Ns" for i in range(1, 3000)]) + b".", "more than 1000 keys",
    ),
    "a tuple that doubles, as a key": (b"}K\x01" + b"\x85q\x00h\x00\x86" * 40 + b"Ns.", "nested more than 4 deep"),
    "copies of a copy": (
        b"\x80\x02](" + b"K\x01" * 50_000 + b"eq\x00" + b"c__builtin__\nset\nh\x00\x85R0" * 50_000 + b"N.",
        "out of proportion",
    ),
    "texts made bytes again and again": (
        b"\x80\x02X\x00\x00\x10\x00" + b"a" * (1 << 20) + b"q\x00c_codecs\nencode\nq\x01X\x06\0\0\0latin1q\x02"
        + b"h\x01h\x00h\x02\x86R0" * 50_000 + b"N.",
        "out of proportion",
    ),
    "another encoding": (b"c_codecs\nencode\nX\x01\0\0\0aX\x05\0\0\0rot13\x86R.", "something else than latin1"),
    "a factory": (b"ccollections\ndefaultdict\nctorch._utils\n_rebuild_tensor_v2\n\x85R.", "another factory"),
    "a storage by another name": (b"(X\x06\0\0\0modulet Q.".replace(b" ", b""), "persistent id"),
    "a storage that is a number": (b"K\x01Q.", "persistent id"),
    "a negative storage": (STORAGE.replace(b"K\x04", number(-4)) + b".", "a negative number of elements"),
    "a huge storage": (STORAGE.replace(b"K\x04", number(1 << 62)) + b".", "record 'archive/data/0' has 16 bytes"),
    "a storage that is missing": (STORAGE.replace(b"\x000X", b"\x009X") + b".", "there is no record 'data/9'"),
    "a storage out of the folder": (
        STORAGE.replace(b"X\x01\0\0\x000", b"X\x09\0\0\x00../../etc") + b".", "there is no record",
    ),
    "a storage of two dtypes": (
        b"\x80\x02" + STORAGE + STORAGE.replace(b"Float", b"Int") + b".", "named twice with another dtype",
    ),
    "a tensor beyond its storage": (tensor(1, (4,), (1,)), "out of the bounds of its storage of 4 elements"),
    "a tensor by strides beyond": (tensor(0, (2, 2), (3, 1)), "out of the bounds"),
    "a huge tensor": (tensor(0, (1 << 40,), (1,)), "out of the bounds"),
    "a huge expanded tensor": (tensor(0, (1 << 40, 1 << 40), (0, 0)), "more than can be addressed"),
    "an offset of ten thousand digits": (tensor(1 << 32_000, (1,), (1,)), "from huge on"),
    "a storage of ten thousand digits": (
        STORAGE.replace(b"K\x04", number(1 << 32_000)) + b".", "not those of huge elements",
    ),
    "an array of ten thousand digits": (
        b"cnumpy._core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85c_codecs\nencode\nX\x01\0\0\0bX\x06\0\0\0latin1"
        b"\x86R\x87R(K\x01" + number(1 << 32_000) + b"\x85cnumpy\ndtype\nX\x02\0\0\0f8\x85R\x89C\x00tb.",
        r"shape \[huge\] from 0 bytes",
    ),
    "an expanded integer": (tensor(0, (1 << 20_000,), (0,)), "more than can be addressed"),
    "a negative offset": (tensor(-1, (1,), (1,)), "out of the bounds"),
    "a negative size": (tensor(0, (-1,), (1,)), "integers from 0 on"),
    "a negative stride": (tensor(3, (4,), (-1,)), "integers from 0 on"),
    "an offset of an empty tensor": (tensor(1 << 70, (0,), (1,)), "out of the bounds"),
    "sizes without strides": (tensor(0, (2,), ()), "1 sizes and 0 strides"),
    "65 dimensions": (tensor(0, (1,) * 65, (1,) * 65), "64 at most"),
    "sizes that are texts": (tensor(0, (1,), (1,)).replace(b"(K\x01t", b"(X\x01\0\0\0at", 1), "integers from 0 on"),
    "a tensor without a storage": (tensor(0, (1,), (1,), b"N"), "a tensor without a storage"),
    "integers that require grad": (
        tensor(0, (1,), (1,), STORAGE.replace(b"Float", b"Int")).replace(b"\x89", b"\x88"), "requires grad",
    ),
    "a class of its own": (b"ctorch._tensor\n_rebuild_from_type_v2\n(NNNNtR.", "a class of its own"),
    "another device": (b"ctorch\ndevice\nX\x05\0\0\0a\nb\xc3\xa9\x85R.", "a device"),
    "a dtype that is missing": (b"ctorch\nfloat8_e5m2\n.", "GLOBAL torch.float8_e5m2"),
    "a quantised tensor": (b"ctorch._utils\n_rebuild_qtensor\n.", "GLOBAL torch._utils._rebuild_qtensor"),
    "an array of objects": (
        b"cnumpy._core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85Nt\x87R(K\x01K\x01\x85cnumpy\ndtype\nX\x02\0\0\0O8\x85R\x89]tb.",
        "damaged|no number's",
    ),
    "a dtype of objects": (b"cnumpy\ndtype\nX\x02\0\0\0O8\x89\x88\x87R.", "no number's"),
    "a NumPy number of other bytes": (
        b"cnumpy\n_core.multiarray.scalar\n.", "GLOBAL numpy._core.multiarray.scalar|damaged|argument",
    ),
    "a generator of other bytes": (
        b"ctorch._C\nGenerator\nX\x03\0\0\0cpu\x85R(NN" + tensor(0, (4,), (1,))[2:-1] + b"tb.", "a Generator: RNG state must be",
    ),
    "a huge Size of texts": (b"ctorch\nSize\n(X\x01\0\0\0at\x85R.", "a Size of something else"),
    "a complex of texts": (b"c__builtin__\ncomplex\nX\x01\0\0\x001X\x01\0\0\x002\x86R.", "an argument of type str"),
}  # fmt: skip


@pytest.mark.parametrize("name", STREAMS)
def test_a_hostile_stream_is_refused(name: str) -> None:
    stream, message = STREAMS[name]
    data = with_stream(stream, np.arange(4, dtype=np.float32).tobytes())
    start = time.perf_counter()
    with nothing_runs(), pytest.raises(ERRORS, match=message):
        loaded(torch, data, weights_only=False)
    assert time.perf_counter() - start < 10


def test_refusals_carry_the_words_people_search_for() -> None:
    with pytest.raises(pickle.UnpicklingError, match="Weights only load failed") as error:
        loaded(torch, with_stream(b"c__main__\nNet\n)\x81."))
    text = str(error.value)
    assert "GLOBAL __main__.Net was not an allowed global by default" in text
    assert "state_dict()" in text and "torch.serialization.add_safe_globals([Net])" in text


@pytest.mark.parametrize("kind", ["list", "tuple", "dict"])
def test_deep_values_are_built_and_freed(kind: str) -> None:
    stream = {
        "list": b"\x80\x02" + b"]" * 300_000 + b"a" * 299_999 + b".",
        "tuple": b"\x80\x02K\x01" + b"\x85" * 300_000 + b".",
        "dict": b"\x80\x02" + b"}K\x01" * 299_999 + b"}" + b"s" * 299_999 + b".",
    }[kind]
    found = loaded(torch, with_stream(stream))
    assert type(found).__name__ == kind
    del found


def test_memory_stays_in_proportion() -> None:
    for stream in (
        b"\x80\x02" + b"c__builtin__\nset\n)R" * 10_000 + b".",
        b"\x80\x02N" + b"\x86q\x00h\x00" * 30_000 + b".",
        STREAMS["a huge integer"][0], STREAMS["copies of a copy"][0], STREAMS["a huge storage"][0],
    ):  # fmt: skip
        data = with_stream(stream, bytes(16))
        tracemalloc.start()
        with suppress(*ERRORS):
            loaded(torch, data)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 100 * len(data) + (1 << 20)


# ---- malice: archives


def good_records() -> list[tuple[str, bytes]]:
    return [("data.pkl", b"\x80\x02" + STORAGE + b"."), ("data/0", bytes(16)), ("version", b"3\n")]


def patched(find: bytes, form: str, at: int, value: int, which: int = 0) -> bytes:
    """A good archive with one field of a header changed."""
    data = bytearray(archive(*good_records()))
    place = -1
    for _ in range(which + 1):
        place = data.index(find, place + 1)
    struct.pack_into(form, data, place + at, value)
    return bytes(data)


ARCHIVES: dict[str, tuple[bytes, str]] = {
    "two records of one name": (archive(*good_records(), good_records()[1]), "two records are called 'data/0'"),
    "no folder": (archive(*good_records(), folder=""), "not in a subdirectory"),
    "two folders": (
        archive(("a/x", b""), ("b/x", b""), folder="").replace(b"", b""), "not in a subdirectory",
    ),
    "no stream": (archive(("version", b"3\n")), "no record 'data.pkl'"),
    "empty": (archive(), "is no checkpoint"),
    "another version": (archive(*good_records()[:2], ("version", b"99\n")), "Attempted to read a PyTorch file"),
    "a long number as version": (
        archive(*good_records()[:2], ("version", b"3" * 9000)), "Attempted to read a PyTorch file",
    ),
    "no number as version": (archive(*good_records()[:2], ("version", b"x")), "Attempted to read a PyTorch file"),
    "another byte order": (archive(*good_records(), ("byteorder", b"middle")), "Unknown endianness type"),
    "a program": (archive(*good_records(), ("constants.pkl", b"")), "TorchScript archive"),
    "compressed": (patched(b"PK\1\2", "<H", 10, 8), "is compressed"),
    "another packed size": (patched(b"PK\1\2", "<I", 20, 8), "is compressed"),
    "encrypted": (patched(b"PK\1\2", "<H", 8, 1), "unknown flags 0x0001"),
    "a size beyond the file": (
        patched(b"PK\1\2", "<Q", 20, 0x7FFFFFFF_7FFFFFFF, which=1), "overlaps what begins at",
    ),
    "records that overlap": (patched(b"PK\1\2", "<Q", 20, 0x00000200_00000200), "overlaps what begins at"),
    "a record inside another": (patched(b"PK\1\2", "<I", 42, 0, which=1), "another name in its header"),
    "a header beyond the file": (patched(b"PK\1\2", "<I", 42, 0x7FFFFFFF), "truncated"),
    "another name in the header": (patched(b"PK\3\4", "<B", 30, 66), "another name in its header"),
    "no header": (patched(b"PK\3\4", "<H", 0, 0, which=1), "header of record .* is damaged"),
    "more entries": (patched(b"PK\5\6", "<I", 8, 0x00040004), "central directory"),
    "65535 entries": (patched(b"PK\5\6", "<I", 8, 0xFFFFFFFF), "failed finding central directory"),
    "a directory elsewhere": (patched(b"PK\5\6", "<I", 16, 3), "failed finding central directory"),
    "another disk": (patched(b"PK\5\6", "<H", 4, 1), "failed finding central directory"),
    "a name that is no text": (patched(b"PK\1\2", "<B", 46, 0xFF), "no UTF-8"),
}  # fmt: skip


@pytest.mark.parametrize("name", ARCHIVES)
def test_a_hostile_archive_is_refused(name: str) -> None:
    data, message = ARCHIVES[name]
    with pytest.raises(CheckpointError, match=message):
        loaded(torch, data)


def test_the_good_archive_of_these_tests_is_good() -> None:
    assert loaded(torch, archive(*good_records())).nbytes() == 16


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"hello, this is no checkpoint", "is no checkpoint"),
        (b"\x93NUMPY\x01\0 and so on......", "numpy.load reads it"),
        (b"\x89HDF\r\n\x1a\n..............", "h5py reads it"),
        (b"\x1f\x8b\x08................", "gzip.open"),
        (struct.pack("<Q", 20) + b'{"a":{"dtype":"F32"}}', "safetensors file"),
        (bytes(257) + b"ustar" + bytes(300), "tar format of PyTorch 0.1"),
        (pickle.dumps({"a": 1}, 2), "is a pickle, but none that torch.save wrote"),
    ],
)
def test_other_files_are_told_what_they_are(data: bytes, message: str) -> None:
    with pytest.raises(RuntimeError, match=f"(?s){message}"):
        loaded(torch, data)


# ---- the format before PyTorch 1.6


def legacy_file(keys: bytes = b"(X\x01\0\0\x000t", count: int = 4) -> bytes:
    """{"x": four numbers} as PyTorch 1.5 wrote it."""
    name = b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuK\x04NtQ"
    body = tensor(0, (4,), (1,), name)
    system = {
        "protocol_version": 1001,
        "little_endian": True,
        "type_sizes": {"short": 2, "int": 4, "long": 4},
    }
    parts = [pickle.dumps(part, 2) for part in (0x1950A86A20F9469CFC6C, 1001, system)]
    return b"".join(
        [
            *parts,
            body,
            b"\x80\x02](X\x01\0\0\x000e.",
            struct.pack("<q", count),
            np.arange(4, dtype="<f4").tobytes(),
        ]
    )


def test_the_old_format() -> None:
    assert loaded(torch, legacy_file()).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"K\x04NtQ", b"M\xff\xffNtQ", "truncated"),
        (b"K\x04NtQ", b"K\x04)tQ", "a view of another"),
        (b"M\xe9\x03.", b"M\xe8\x03.", "Invalid protocol version"),
        (struct.pack("<q", 4), struct.pack("<q", 5), "a storage of 5 elements"),
        (b"\x80\x02](X\x01\0\0\x000e.", b"\x80\x02](X\x01\0\0\x001e.", "that nothing uses"),
        (b"\x80\x02](X\x01\0\0\x000e.", b"\x80\x02].", "the data of 1 storages are missing"),
        (b"\x80\x02](X\x01\0\0\x000e.", b"\x80\x02N.", "the list of storages is none"),
        (b"ctorch._utils\n_rebuild_tensor_v2", b"cos\nsystem", "GLOBAL os.system"),
    ],
)
def test_damage_of_the_old_format(old: bytes, new: bytes, message: str) -> None:
    data = legacy_file()
    assert old in data
    with pytest.raises(ERRORS, match=message):
        loaded(torch, data.replace(old, new, 1))


# ---- chance and malice together


def mutants(seed: int, count: int) -> Iterator[bytes]:
    """Spoilt checkpoints: the bytes of the file, or of its stream with checksums right."""
    rng = random.Random(seed)
    files = [saved(torch, small()), saved(torch, shared_state(torch)), legacy_file()]
    streams = [
        (stream_of(small()), [np.arange(6, dtype=np.float32).tobytes(), bytes(8)]),
        (stream_of({k: v for k, v in plain_values(torch).items() if k not in ("long", "table")}), []),
        (
            stream_of([torch.Generator(), np.arange(3), torch.nn.Buffer(torch.ones(2))]),
            [bytes(5056), bytes(8)],
        ),
        (pickle.dumps(plain_values(torch)["texts"][:3] + [{1: (2, 3)}, {4}, b"5", frozenset([6])], 4), []),
    ]
    codes = [ord(opcode.code) for opcode in pickletools.opcodes]
    names = [
        b"cos\nsystem\n",
        b"c__builtin__\nset\n",
        b"ctorch\nFloatStorage\n",
        b"ctorch._utils\n_rebuild_tensor_v2\n",
    ]
    for _ in range(count):
        if rng.random() < 0.3:
            yield bytes(spoilt(rng, bytearray(rng.choice(files)), codes, names))
        else:
            stream, storages = rng.choice(streams)
            yield with_stream(bytes(spoilt(rng, bytearray(stream), codes, names)), *storages)


def spoilt(rng: random.Random, data: bytearray, codes: list[int], names: list[bytes]) -> bytearray:
    for _ in range(rng.choice((1, 1, 2, 5))):
        at = rng.randrange(len(data))
        kind = rng.randrange(7)
        if kind == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            data[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF))
        elif kind == 2:
            data[at] = rng.choice(codes)
        elif kind == 3:
            del data[at : at + rng.randrange(1, 9)]
        elif kind == 4:
            data[at:at] = rng.choice(names) if rng.random() < 0.3 else bytes((rng.choice(codes),))
        elif kind == 5:
            size = rng.randrange(1, 40)
            data[at:at] = data[at : at + size]
        else:
            data[at : at + 4] = struct.pack("<i", rng.choice((-1, 2**31 - 1, -(2**31), 65536)))
        if not data:
            data += b"."
    return data


def fuzz(seed: int, count: int) -> dict[str, int]:
    results = {"loaded": 0, "refused": 0}
    slowest = 0.0
    tracemalloc.start()
    try:
        for data in mutants(seed, count):
            tracemalloc.reset_peak()
            before, _ = tracemalloc.get_traced_memory()
            start = time.perf_counter()
            try:
                with nothing_runs():
                    touch(loaded(torch, data))
                results["loaded"] += 1
            except ERRORS:
                results["refused"] += 1
            slowest = max(slowest, time.perf_counter() - start)
            _, peak = tracemalloc.get_traced_memory()
            assert peak - before < 100 * len(data) + (1 << 20)
    finally:
        tracemalloc.stop()
    assert slowest < 5
    return results


def touch(obj: Any, depth: int = 0) -> None:
    """Read every element of every tensor: memory that is not there would end the process."""
    if hasattr(obj, "_data"):
        if obj._data.size < 1 << 20:
            obj._data.tobytes()
    elif isinstance(obj, (list, tuple, dict)) and depth < 50:
        for item in obj.values() if isinstance(obj, dict) else obj:
            touch(item, depth + 1)


def test_spoilt_files() -> None:
    results = fuzz(1, 2000)
    assert results["refused"] > 500 and results["loaded"] > 100


@pytest.mark.slow
def test_many_spoilt_files() -> None:
    print(fuzz(2, 100_000))
