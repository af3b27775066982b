"""``add_safe_globals`` and its kin, and what the user's own classes may do then."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import convgrad as torch
from convgrad import nn
from convgrad import serialization as s

from .objects import loaded, saved, with_stream


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(2, 1)

    def forward(self, x: Any) -> Any:
        return self.fc(x)


class Slotted:
    __slots__ = ("a", "b")


class Numbers(list):
    pass


class Table(dict):
    def __setstate__(self, state: Any) -> None:
        self.restored = state


def double(x: float) -> float:
    return 2 * x


class Doubled:
    def __reduce__(self) -> Any:
        return double, (2.5,)


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    yield
    s.clear_safe_globals()


def test_a_whole_network_whose_classes_are_trusted() -> None:
    net = Net()
    with s.safe_globals([Net, nn.Linear]):
        data = saved(torch, net)
        again = loaded(torch, data)
    assert type(again) is Net
    x = torch.ones(1, 2)
    assert again(x).tolist() == net(x).tolist()
    assert s.get_safe_globals() == []
    with pytest.raises(s.RefusedError, match=rf"GLOBAL {Net.__module__}.Net was not an allowed global"):
        loaded(torch, data)
    assert s.get_unsafe_globals_in_checkpoint(io.BytesIO(data)) == sorted(
        [f"{Net.__module__}.Net", "convgrad.nn.modules.linear.Linear"]
    )


def test_all_ways_to_be_rebuilt() -> None:
    s.add_safe_globals([Slotted, Numbers, Table, Doubled, double])
    slotted, numbers, table = Slotted(), Numbers([1, 2]), Table(a=1)
    slotted.a, slotted.b = 1, [2]
    numbers.name = "n"
    table.note = "t"
    a, b, c, d, e = loaded(torch, saved(torch, [slotted, numbers, table, Doubled(), double]))
    assert (a.a, a.b) == (1, [2])
    assert type(b) is Numbers and b == [1, 2] and b.name == "n"
    assert type(c) is Table and c == {"a": 1} and c.restored == {"note": "t"}
    assert d == 5.0 and e is double


def test_trust_in_one_class_is_trust_in_no_other() -> None:
    with pytest.raises(s.UnsavableError, match="double"), s.safe_globals([Doubled]):
        saved(torch, Doubled())
    with s.safe_globals([Slotted]):
        for stream in (b"cos\nsystem\n)R.", b"cposix\nsystem\n)R."):
            with pytest.raises(s.RefusedError, match="was not an allowed global"):
                loaded(torch, with_stream(stream))


def test_a_class_under_another_name() -> None:
    s.add_safe_globals([(Slotted, "old_module.Thing")])
    found = loaded(torch, with_stream(b"\x80\x02cold_module\nThing\n)\x81N}X\x01\0\0\0aK\x07s\x86b."))
    assert type(found) is Slotted and found.a == 7


def test_bad_trust() -> None:
    with pytest.raises(TypeError, match="expected classes or functions"):
        s.add_safe_globals([3])
    with pytest.raises(TypeError, match="expected classes or functions"):
        s.safe_globals([(Net, 3)])


def test_looking_through_runs_nothing(tmp_path: Path) -> None:
    stream = b"\x80\x02}(X\x01\0\0\0acos\nsystem\nX\x02\0\0\0id\x85RX\x01\0\0\0bc__main__\nNet\n)\x81}bX\x01\0\0\0c](K\x01eu."
    s.add_safe_globals([Net])
    names = s.get_unsafe_globals_in_checkpoint(io.BytesIO(with_stream(stream)))
    assert names == ["__main__.Net", "os.system"]
    (tmp_path / "x.pt").write_bytes(with_stream(stream))
    assert s.get_unsafe_globals_in_checkpoint(tmp_path / "x.pt") == names
    assert s.get_safe_globals() == [Net]
