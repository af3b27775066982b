"""Optimisers without PyTorch: they find minima, count versions, and are whole after errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from convgrad import nn, optim
from convgrad.graph.node import cell_of
from convgrad.nn import functional as F
from convgrad.tensor.tensor import Tensor

METHODS: list[tuple[type, dict[str, Any]]] = [
    (optim.SGD, {"lr": 0.1}), (optim.SGD, {"lr": 0.05, "momentum": 0.8, "nesterov": True}),
    (optim.Adam, {"lr": 0.1}), (optim.AdamW, {"lr": 0.1, "weight_decay": 0.0}), (optim.RMSprop, {"lr": 0.02}),
    (optim.Adagrad, {"lr": 0.5}),
]  # fmt: skip


@pytest.mark.parametrize(("method", "options"), METHODS, ids=lambda v: getattr(v, "__name__", str(v)))
def test_a_parabola_is_minimised(method: type, options: dict[str, Any]) -> None:
    goal = Tensor([1.0, -2.0, 3.0])
    p = nn.Parameter(Tensor([0.0, 0.0, 0.0]))
    optimizer = method([p], **options)

    def closure() -> Any:
        optimizer.zero_grad()
        loss = F.mse_loss(p, goal)
        loss.backward()
        return loss

    first = float(optimizer.step(closure).item())
    version = cell_of(p).version
    for _ in range(400):
        last = float(optimizer.step(closure).item())
    assert cell_of(p).version == version + 400
    assert last < 1e-2 < first
    np.testing.assert_allclose(p._data, goal._data, atol=0.05)


def test_a_graph_from_before_the_step_cannot_be_walked() -> None:
    p = nn.Parameter(Tensor([1.0]))
    loss = (p * p).sum()
    p.grad = Tensor([1.0])
    optim.SGD([p], lr=0.1).step()
    with pytest.raises(RuntimeError, match=r"modified by an inplace operation.*SGD.step"):
        loss.backward()


def test_parameters_without_gradient_are_left_alone() -> None:
    p, q = nn.Parameter(Tensor([1.0])), nn.Parameter(Tensor([1.0]))
    p.grad = Tensor([1.0])
    optimizer = optim.Adam([p, q], lr=0.5)
    optimizer.step()
    assert q.tolist() == [1.0]
    assert p.tolist() != [1.0]
    assert list(optimizer.state_dict()["state"]) == [0]
    optimizer.zero_grad(set_to_none=False)
    assert p.grad.tolist() == [0.0]
    assert q.grad is None


def test_a_refused_state_changes_nothing() -> None:
    p = nn.Parameter(Tensor([1.0]))
    p.grad = Tensor([1.0])
    optimizer = optim.SGD([p], lr=0.5, momentum=0.9)
    optimizer.step()
    with pytest.raises(ValueError, match="doesn't match the size of optimizer's group"):
        optimizer.load_state_dict({"state": {}, "param_groups": [{"params": [0, 1], "lr": 9.0}]})
    assert optimizer.param_groups[0]["lr"] == 0.5
    assert optimizer.state[p]["momentum_buffer"].tolist() == [1.0]


def test_a_schedule_before_the_optimiser_warns() -> None:
    optimizer = optim.SGD([nn.Parameter(Tensor([1.0]))], lr=1.0)
    schedule = optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    with pytest.warns(UserWarning, match=r"Detected call of `lr_scheduler.step\(\)` before"):
        schedule.step()
    assert schedule.get_last_lr() == [0.5]
    assert "optimizer" not in schedule.state_dict()
