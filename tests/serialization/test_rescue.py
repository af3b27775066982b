"""``load_state``: what files that ``load`` refuses hold, without running anything."""

from __future__ import annotations

import io
import pickle
from collections import OrderedDict
from typing import Any

import numpy as np
import pytest

import convgrad as torch
from convgrad import nn
from convgrad.serialization import RefusedError, StandIn, load_state, safe_globals

from .objects import same, saved, with_stream
from .test_damage import ERRORS, STREAMS, Evil, legacy_file, mutants, nothing_runs, small, tensor


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(2)
        self.weight = nn.Parameter(torch.arange(3.0))
        self.register_buffer("kept", torch.ones(2))
        self.register_buffer("hidden", torch.ones(2), persistent=False)
        self.register_parameter("bias", None)
        self.inner = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2))
        self.inner[2].weight = self.inner[0].weight


CLASSES = [Block, nn.BatchNorm1d, nn.Sequential, nn.Linear, nn.ReLU]


def state_of(data: bytes) -> Any:
    with nothing_runs():
        return load_state(io.BytesIO(data))


def test_a_whole_network_becomes_its_state() -> None:
    net = Block()
    with safe_globals(CLASSES):
        data = saved(torch, net)
    with pytest.raises(RefusedError, match=r"convgrad\.serialization\.load_state\(f\) reads its state"):
        torch.load(io.BytesIO(data))
    found = state_of(data)
    assert type(found) is OrderedDict
    assert same(dict(found), dict(net.state_dict()))
    assert found["inner.0.weight"].data_ptr() == found["inner.2.weight"].data_ptr()
    other = Block()
    other.load_state_dict(found)
    assert same(other.state_dict(), net.state_dict())


def test_networks_among_other_things() -> None:
    net = Block()
    with safe_globals(CLASSES):
        data = saved(torch, {"nets": [net, (net, 1)], "epoch": 3})
    found = state_of(data)
    assert found["epoch"] == 3 and found["nets"][1][1] == 1
    assert found["nets"][0] is found["nets"][1][0]
    assert same(dict(found["nets"][0]), dict(net.state_dict()))


def test_other_objects_are_shown_not_made() -> None:
    found = state_of(with_stream(pickle.dumps({"evil": Evil(), "n": 1}, 2)))
    assert found["n"] == 1
    thing = found["evil"]
    assert type(thing) is StandIn and thing.name == "__builtin__.exec"
    assert thing.args == ("raise SystemError('this ran')",)
    assert repr(thing) == "<__builtin__.exec, not loaded>"


def test_a_state_and_items_of_other_objects() -> None:
    stream = b"\x80\x02cmy\nList\n)\x81(K\x01K\x02eX\x01\0\0\0aK\x05s}X\x01\0\0\0bK\x06sb."
    thing = state_of(with_stream(stream))
    assert (thing.items, thing.pairs, thing.state, thing.args) == ([1, 2], [("a", 5)], {"b": 6}, ())


def test_what_load_reads_is_the_same() -> None:
    assert same(state_of(saved(torch, small())), small())
    assert state_of(legacy_file()).tolist() == [0, 1, 2, 3]


def test_the_old_format_with_a_class_and_its_source() -> None:
    data = legacy_file()
    start = data.index(b"\x80\x02ctorch._utils")
    end = data.index(b"\x80\x02](X")
    body = data[start + 2 : end - 1]
    network = (
        b"\x80\x02(X\x06\0\0\0modulec__main__\nNet\nX\x04\0\0\0n.pyX\x04\0\0\0texttQ)\x81}("
        b"X\x0b\0\0\0_parameters}X\x01\0\0\0w" + body + b"sX\x08\0\0\0_buffers}X\x08\0\0\0_modules}ub."
    )  # fmt: skip
    found = state_of(data[:start] + network + data[end:])
    assert list(found) == ["w"] and found["w"].tolist() == [0, 1, 2, 3]


def network(modules: bytes, parameters: bytes = b"}") -> bytes:
    return (
        b"cm\nNet\n)\x81}(X\x0b\0\0\0_parameters" + parameters + b"X\x08\0\0\0_buffers}X\x08\0\0\0_modules" + modules + b"ub"
    )  # fmt: skip


def test_a_network_within_itself() -> None:
    weight = b"}X\x01\0\0\0w" + tensor(0, (4,), (1,))[2:-1] + b"s"
    stream = (
        b"\x80\x02cm\nNet\n)\x81q\x07}(X\x0b\0\0\0_parameters" + weight
        + b"X\x08\0\0\0_buffers}X\x08\0\0\0_modules}X\x01\0\0\0mh\x07sub."
    )  # fmt: skip
    assert list(state_of(with_stream(stream, np.zeros(4, np.float32).tobytes()))) == ["w"]


def test_parts_that_double() -> None:
    """Thirty levels, each naming the one below twice: a thousand million names."""
    stream = b"\x80\x02" + network(b"}", b"}X\x01\0\0\0wNs") + b"q\x01"
    for _ in range(30):
        stream += network(b"}(X\x01\0\0\0ah\x01X\x01\0\0\0bh\x01u") + b"q\x01"
    with pytest.raises(RefusedError, match="have no end"):
        state_of(with_stream(stream + b"."))


def test_too_deep() -> None:
    with pytest.raises(RefusedError, match="nested too deeply"):
        state_of(with_stream(b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b"."))


def test_a_list_that_contains_itself() -> None:
    x: list[Any] = [1]
    x.append((x, {"again": x}))
    y = state_of(saved(torch, x))
    assert y[1][1]["again"] is y


@pytest.mark.parametrize("name", STREAMS)
def test_hostile_streams(name: str) -> None:
    """Refused or shown; never run, and no crash."""
    data = with_stream(STREAMS[name][0], np.arange(4, dtype=np.float32).tobytes())
    try:
        state_of(data)
    except ERRORS as error:
        assert str(error)


def test_spoilt_files() -> None:
    counts = {"loaded": 0, "refused": 0}
    for data in mutants(3, 1000):
        try:
            state_of(data)
            counts["loaded"] += 1
        except ERRORS:
            counts["refused"] += 1
    assert min(counts.values()) > 100
