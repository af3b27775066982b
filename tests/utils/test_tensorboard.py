"""TensorBoard's files, read back."""

from __future__ import annotations

import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import convgrad as torch
from convgrad.utils.tensorboard import SummaryWriter


def events(folder: Path) -> list[Any]:
    """The events of all files in a folder: records of length, checksum, message, checksum."""
    proto = pytest.importorskip("tensorboardX.proto.event_pb2")
    found = []
    for path in sorted(folder.glob("**/events.*")):
        raw = path.read_bytes()
        at = 0
        while at < len(raw):
            (size,) = struct.unpack_from("<Q", raw, at)
            found.append(proto.Event.FromString(raw[at + 12 : at + 12 + size]))
            at += 16 + size
    return found


@pytest.mark.filterwarnings("ignore")
def test_what_is_added_is_in_the_file(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    loss = torch.tensor(0.5, requires_grad=True) * 2
    with SummaryWriter(tmp_path) as writer:
        assert writer.get_logdir() == writer.log_dir == str(tmp_path)
        writer.add_scalar("loss", loss, 3)
        writer.add_histogram("weights", torch.randn(100).bfloat16(), global_step=1)
        writer.add_text("note", "<b>hello</b>")
        writer.flush()
    values = {v.tag: (e.step, v) for e in events(tmp_path) for v in e.summary.value}
    assert values["loss"][0] == 3 and values["loss"][1].simple_value == 1.0
    assert values["weights"][1].histo.num == 100
    assert any("note" in tag for tag in values)


@pytest.mark.filterwarnings("ignore")
def test_images_are_taken_as_tensors(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    pytest.importorskip("PIL")
    writer = SummaryWriter(str(tmp_path), comment="x")
    writer.add_image("one", torch.rand(3, 5, 6))
    writer.add_images("many", torch.rand(4, 1, 5, 6))
    writer.add_scalars("both", {"a": torch.tensor(1.0), "b": np.float32(2)}, 1)
    writer.close()
    values = {v.tag: v for e in events(tmp_path) for v in e.summary.value}
    assert (values["one"].image.height, values["one"].image.width) == (5, 6)
    with pytest.raises(NotImplementedError, match="draw_graph"):
        writer.add_graph(None)
    with pytest.raises(AttributeError):
        writer.add_nothing


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ImportError, match=r"pip install 'convgrad\[tensorboard\]'"):
        SummaryWriter()
