"""Objects that checkpoints hold, made alike of either library, and files to spoil."""

from __future__ import annotations

import io
import struct
import zlib
from collections import Counter, OrderedDict, defaultdict
from typing import Any

import numpy as np

DTYPES = (
    "float32", "float64", "float16", "bfloat16", "uint8", "int8", "int16", "int32", "int64", "bool", "complex64",
    "complex128",
)  # fmt: skip


def values(T: Any, dtype: str, *shape: int) -> Any:
    """A tensor of library ``T`` with every kind of value its dtype has: signs, zeros, infinities, NaN."""
    count = int(np.prod(shape))
    numbers = np.random.default_rng(count).standard_normal(count) * 9
    if dtype.startswith(("float", "bfloat", "complex")):
        special = [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-5]
        numbers[: min(count, 6)] = special[: min(count, 6)]
    flat = T.from_numpy(numbers).to(getattr(T, dtype if dtype != "uint8" else "int64"))
    if dtype.startswith("complex"):
        flat = flat * (1 - 2j)
    return flat.to(getattr(T, dtype)).reshape(shape)


def shared_state(T: Any) -> dict[str, Any]:
    """Tensors that share memory in several ways."""
    base = T.arange(24, dtype=T.float32).reshape(4, 6)
    return {
        "base": base,
        "row": base[1],
        "column": base[:, 2],
        "turned": base.t(),
        "every other": base[::2, 1::2],
        "same": base,
        "expanded": base[0, :1].expand(5, 1),
        "apart": base.clone(),
    }


def shapes_and_dtypes(T: Any) -> dict[str, Any]:
    """Every dtype in several shapes."""
    return {
        f"{dtype} {shape}": values(T, dtype, *shape)
        for dtype in DTYPES
        for shape in ((), (3,), (2, 3, 4), (0,), (0, 3))
    }


def plain_values(T: Any) -> dict[Any, Any]:
    """Everything that is no tensor."""
    ordered = OrderedDict([("z", 1), ("a", [2.5, None])])
    repeated = ["x", "y"]
    return {
        "numbers": [
            0,
            1,
            255,
            256,
            65535,
            65536,
            -1,
            -129,
            2**31 - 1,
            -(2**31),
            2**31,
            2**70,
            -(2**70),
            2**2000,
        ],
        "floats": [0.0, -0.0, 1.5, float("inf"), -float("inf"), 5e-324],
        "complex": 1 - 2j,
        "flags": (True, False, None),
        "texts": ["", "word", "Grüße, κόσμε 🎈", "\ud800", "a" * 300],
        "bytes": [b"", b"\x00\xff", bytearray(b""), bytearray(b"ab")],
        "tuples": [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), ((((1,),),),)],
        "sets": [set(), {1, 2, 3}, frozenset(), frozenset([("a", 1)])],
        "slices": [slice(3), slice(1, None, -2)],
        "ordered": ordered,
        "default": defaultdict(list, {"a": [1]}),
        "counter": Counter("abracadabra"),
        "repeated": [repeated, repeated],
        "long": list(range(2500)),
        "table": {i: str(i) for i in range(1001)},
        3: "three",
        None: "none",
        (1, "a"): "pair",
        "size": T.Size([2, 3]),
        "dtypes": [getattr(T, name) for name in DTYPES],
        "device": T.device("cpu"),
    }


def training_state(T: Any) -> dict[str, Any]:
    """What a training program keeps: network, optimiser, scheduler, random state, numbers."""
    T.manual_seed(3)
    net = T.nn.Sequential(T.nn.Conv1d(2, 3, 3), T.nn.BatchNorm1d(3), T.nn.Flatten(), T.nn.Linear(18, 2))
    optimizer = T.optim.Adam(net.parameters(), lr=0.1)
    scheduler = T.optim.lr_scheduler.StepLR(optimizer, 2)
    for _ in range(3):
        optimizer.zero_grad()
        net(T.randn(4, 2, 8)).pow(2).sum().backward()
        optimizer.step()
        scheduler.step()
    return {
        "model": net.state_dict(),
        "optimizer": optimizer.state_dict(),
        "scheduler": scheduler.state_dict(),
        "random": T.get_rng_state(),
        "epoch": 3,
        "best": 0.25,
    }


def saved(T: Any, obj: Any, **options: Any) -> bytes:
    """The bytes of a checkpoint."""
    out = io.BytesIO()
    T.save(obj, out, **options)
    return out.getvalue()


def loaded(T: Any, data: bytes, **options: Any) -> Any:
    """What a checkpoint of these bytes holds."""
    return T.load(io.BytesIO(data), **options)


def archive(*records: tuple[str, bytes], folder: str = "archive") -> bytes:
    """A zip file of stored records, written by the book, with right checksums."""
    out, entries = bytearray(), bytearray()
    for name, data in records:
        path = f"{folder}/{name}".encode() if folder else name.encode()
        fields = (0, 0, 0, 0, 0, zlib.crc32(data), len(data), len(data), len(path), 0)
        entries += struct.pack("<4sH5H3I2H3H2I", b"PK\1\2", 0, *fields, 0, 0, 0, 0, len(out)) + path
        out += struct.pack("<4s5H3I2H", b"PK\3\4", *fields) + path + data
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, len(records), len(records), len(entries), len(out), 0)
    return bytes(out + entries + end)


def with_stream(stream: bytes, *storages: bytes) -> bytes:
    """A checkpoint with this pickle and these storages, checksums right: only the reader can find a fault."""
    data = [(f"data/{i}", content) for i, content in enumerate(storages)]
    return archive(("data.pkl", stream), ("byteorder", b"little"), *data, ("version", b"3\n"))


def same(a: Any, b: Any) -> bool:
    """Whether two loaded objects are equal to the bit: types, order, shapes, strides, flags, values."""
    if hasattr(a, "untyped_storage") or hasattr(a, "_data"):
        return described(a) == described(b)
    if type(a).__name__.replace("StateDict", "OrderedDict") != type(b).__name__.replace(
        "StateDict", "OrderedDict"
    ):
        return False
    if isinstance(a, dict):
        return (
            len(a) == len(b)
            and all(same(x, y) for x, y in zip(a, b))
            and all(same(x, y) for x, y in zip(a.values(), b.values()))
            and same(getattr(a, "_metadata", None), getattr(b, "_metadata", None))
            and getattr(a, "default_factory", None) is getattr(b, "default_factory", None)
        )
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b))
    if isinstance(a, float):
        return struct.pack("<d", a) == struct.pack("<d", b)
    return bool(a == b) or repr(a) == repr(b)


def described(t: Any) -> tuple[Any, ...]:
    """All that is to be the same of a tensor."""
    return (
        type(t).__name__, str(t.dtype), tuple(t.shape), t.stride() if t.numel() else None,
        t.storage_offset() if t.numel() else None, t.requires_grad, raw(t),
    )  # fmt: skip


def raw(t: Any) -> bytes:
    """The bytes of a tensor's elements in order."""
    array = t._data if hasattr(t, "_data") else None
    if array is None:
        t = t.detach().contiguous()
        if str(t.dtype) == "torch.bfloat16":
            t = t.view(__import__("torch").int16)
        array = t.numpy()
    return np.ascontiguousarray(array).tobytes()
