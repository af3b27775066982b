"""The table of layers: shapes, counts, and that looking changes nothing."""

from __future__ import annotations

import pytest

import convgrad as torch
from convgrad import nn
from convgrad.utils import summary


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU())
        self.act = nn.ReLU()
        self.out = nn.Linear(8 * 16, 10)
        self.unused = nn.Linear(2, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.act(self.act(self.features(x)).flatten(1)))


def test_rows_follow_the_calls() -> None:
    found = summary(Net(), (2, 3, 4, 4))
    assert [(r.kind, r.name, r.depth, r.output_size, r.again) for r in found.rows] == [
        ("Net", "", 0, [2, 10], False),
        ("Sequential", "features", 1, [2, 8, 4, 4], False),
        ("Conv2d", "0", 2, [2, 8, 4, 4], False),
        ("BatchNorm2d", "1", 2, [2, 8, 4, 4], False),
        ("ReLU", "2", 2, [2, 8, 4, 4], False),
        ("ReLU", "act", 1, [2, 8, 4, 4], False),
        ("ReLU", "act", 1, [2, 128], True),
        ("Linear", "out", 1, [2, 10], False),
        ("Linear", "unused", 1, None, False),
    ]
    conv, linear = found.rows[2], found.rows[7]
    assert conv.mult_adds == 2 * 4 * 4 * 8 * 27 and linear.mult_adds == 2 * 128 * 10
    assert found.total_mult_adds == conv.mult_adds + linear.mult_adds
    assert found.total_params == 224 + 16 + 1290 + 6 and found.input_bytes == 2 * 48 * 4
    assert found.output_bytes == 4 * (5 * 2 * 128 + 2 * 10)


def test_the_table_reads_as_torchinfos() -> None:
    net = nn.Sequential(nn.Linear(4, 3), nn.ReLU())
    net[0].bias.requires_grad_(False)
    assert str(summary(net, (2, 4), col_width=15)) == "\n".join(
        [
            "=" * 54,
            "Layer (type:depth-idx)  Output Shape   Param #",
            "=" * 54,
            "Sequential              [2, 3]         --",
            "├─Linear: 1-1           [2, 3]         15",
            "└─ReLU: 1-2             [2, 3]         --",
            "=" * 54,
            "Total params: 15",
            "Trainable params: 12",
            "Non-trainable params: 3",
            "Total mult-adds (M): 0.00",
            "=" * 54,
            "Input size (MB): 0.00",
            "Forward/backward pass size (MB): 0.00",
            "Params size (MB): 0.00",
            "Estimated Total Size (MB): 0.00",
            "=" * 54,
        ]
    )
    every = str(
        summary(
            net, (2, 4), col_names=("input_size", "kernel_size", "params_percent", "mult_adds", "trainable")
        )
    )
    assert "[2, 4]" in every and "100.00%" in every and "Partial" in every and "24" in every


def test_looking_changes_nothing() -> None:
    net = Net()
    net.features.eval()
    modes = [m.training for m in net.modules()]
    state = {name: value.clone() for name, value in net.state_dict().items()}
    torch.manual_seed(1)
    generator = torch.get_rng_state()
    summary(net, (2, 3, 4, 4), mode="train")
    assert modes == [m.training for m in net.modules()]
    assert torch.equal(torch.get_rng_state(), generator)
    summary(net, (2, 3, 4, 4))
    assert all(net._hooks is None or not (net._hooks.before or net._hooks.after) for net in net.modules())
    with pytest.raises(RuntimeError):
        summary(net, (2, 5, 4, 4))
    assert modes == [m.training for m in net.modules()]
    assert set(state) == set(net.state_dict())


def test_other_ways_to_give_inputs(capsys: pytest.CaptureFixture[str]) -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(5, 3)

        def forward(self, a, b, scale=1.0):
            return {"sum": self.embed(a).sum(1) + b, "b": b * scale}

    found = summary(Two(), [(2, 4), (2, 3)], dtypes=[torch.int64, torch.float32])
    assert found.root.output_size == [[2, 3], [2, 3]] and found.root.mult_adds == 0
    found = summary(Two(), input_data=(torch.zeros(1, 2).long(), torch.ones(1, 3)), scale=2.0)
    assert found.root.input_size == [[1, 2], [1, 3]]
    found = summary(Two(), input_data={"a": torch.zeros(1, 2).long(), "b": torch.ones(1, 3)})
    assert found.rows[1].output_size == [1, 2, 3]
    assert summary(nn.Linear(3, 2), (3,), batch_dim=0).root.output_size == [1, 2]
    assert capsys.readouterr().out == ""
    summary(nn.Linear(3, 2), verbose=1)
    assert "Total params: 8" in capsys.readouterr().out


def test_depth_and_shared_parameters() -> None:
    shared = nn.Linear(3, 3)
    net = nn.Sequential(nn.Sequential(shared, nn.ReLU()), shared)
    found = summary(net, (1, 3), depth=1)
    assert found.total_params == 12 and len(found.rows) == 3
    assert "(recursive)" in str(found) and "12" in str(found).splitlines()[4]
    assert summary(net).root.output_size is None and "--" in str(summary(net))


def test_wrong_arguments() -> None:
    with pytest.raises(ValueError, match=r"unknown columns \['size'\]; there are input_size"):
        summary(nn.ReLU(), col_names=("size",))
    with pytest.raises(ValueError, match="mode must be 'eval' or 'train', got 'test'"):
        summary(nn.ReLU(), mode="test")
