"""Python's own pickle and copy, which multiprocessing uses, for everything a user holds."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import convgrad as torch
from convgrad import nn

from .objects import DTYPES, same, values

THINGS: dict[str, Any] = {
    "a size": torch.Size([2, 3]),
    "a dtype": torch.bfloat16,
    "a device": torch.device("cpu", 0),
    "a tensor": torch.arange(6.0).reshape(2, 3),
    "a turned tensor": torch.arange(6.0).reshape(2, 3).t(),
    "a leaf": torch.ones(2, requires_grad=True),
    "no dimension": torch.tensor(3),
    "no element": torch.zeros(0, 3),
    "a parameter": nn.Parameter(torch.ones(2), requires_grad=False),
    "a buffer": nn.Buffer(torch.ones(2), persistent=False),
    "results": torch.ones(2, 2).max(0),
    "a state": nn.BatchNorm1d(2).state_dict(),
    **{dtype: values(torch, dtype, 2, 3) for dtype in DTYPES},
}
WAYS: dict[str, Any] = {
    **{f"protocol {n}": lambda x, n=n: pickle.loads(pickle.dumps(x, n)) for n in range(2, 6)},
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("thing", THINGS)
def test_things_come_back(thing: str, way: str) -> None:
    x = THINGS[thing]
    y = WAYS[way](x)
    assert type(y) is type(x)
    if isinstance(x, torch.Tensor):
        assert (x.dtype, x.shape, x.requires_grad, x.is_leaf) == (
            y.dtype,
            y.shape,
            y.requires_grad,
            y.is_leaf,
        )
        assert x._data.tobytes() == y._data.tobytes()
        assert way == "copy" or y.data_ptr() != x.data_ptr() or not x.numel()
    elif thing == "results":
        assert y.indices.tolist() == x.indices.tolist()
    else:
        assert same(x, y)


def test_a_dtype_stays_the_one_it_is() -> None:
    for name in DTYPES:
        assert pickle.loads(pickle.dumps(getattr(torch, name))) is getattr(torch, name)


def test_attributes_and_classes_come_along() -> None:
    p = nn.Parameter(torch.ones(2))
    p.group = "bias"
    x = torch.ones(2)
    x.note = [1]
    for name, way in WAYS.items():
        assert (
            name == "deepcopy" or way(p).group == "bias"
        )  # a deep copy of a parameter has none, as in PyTorch
        assert way(x).note == [1]


@pytest.mark.parametrize("way", WAYS)
def test_a_network_computes_as_before(way: str) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv1d(1, 2, 3), nn.BatchNorm1d(2), nn.ReLU(), nn.Flatten(), nn.Linear(12, 2))
    x = torch.randn(3, 1, 8)
    net(x).sum().backward()
    again = WAYS[way](net)
    assert again.eval()(x).tolist() == net.eval()(x).tolist()
    assert [name for name, _ in again.named_parameters()] == [name for name, _ in net.named_parameters()]
    again.train()(x).sum().backward()


def test_tied_weights_stay_tied() -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    net[1].weight = net[0].weight
    for way in ("protocol 2", "protocol 5", "deepcopy"):
        again = WAYS[way](net)
        assert again[0].weight is again[1].weight


def test_an_optimiser_goes_on() -> None:
    net = nn.Linear(2, 1)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.1)

    def step(net: Any, optimizer: Any) -> list[Any]:
        optimizer.zero_grad()
        net(torch.ones(1, 2)).sum().backward()
        optimizer.step()
        return net.weight.tolist()

    step(net, optimizer)
    other = pickle.loads(pickle.dumps((net, optimizer)))
    assert step(*other) == step(net, optimizer)


def test_a_tensor_with_a_history_is_not_copied_deeply() -> None:
    y = torch.ones(2, requires_grad=True) * 2
    with pytest.raises(RuntimeError, match="Only Tensors created explicitly by the user"):
        copy.deepcopy(y)


PROGRAM = """
import multiprocessing
import convgrad as torch
from convgrad import nn

def run(net, x):
    return net(x).detach(), torch.float32, torch.Size([1])

if __name__ == "__main__":
    net, x = nn.Linear(3, 2), torch.arange(3.0)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        out, dtype, size = pool.apply(run, (net, x))
    assert out.tolist() == net(x).tolist() and dtype is torch.float32 and size.numel() == 1
    print("alike")
"""


def test_other_processes_get_tensors_and_networks(tmp_path: Path) -> None:
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, str(path)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout == "alike\n", done.stderr
