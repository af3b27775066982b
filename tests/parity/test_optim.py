"""Optimisers and schedules against PyTorch 2.13: twenty steps, states, looks, errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from convgrad import nn, optim
from convgrad.optim import lr_scheduler
from convgrad.tensor.tensor import Tensor

STEPS: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {}), ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "maximize": True}), ("SGD", {"lr": 0.1, "weight_decay": 0.2}),
    ("Adam", {}), ("Adam", {"lr": 0.01, "amsgrad": True, "weight_decay": 0.1}), ("Adam", {"betas": (0.5, 0.7), "eps": 0.1}),
    ("AdamW", {}), ("AdamW", {"lr": 0.01, "amsgrad": True, "maximize": True, "weight_decay": 0.3}),
    ("RMSprop", {}), ("RMSprop", {"momentum": 0.5, "centered": True, "weight_decay": 0.1, "maximize": True}),
    ("Adagrad", {}), ("Adagrad", {"lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.2}),
]  # fmt: skip
SHAPES: tuple[tuple[int, ...], ...] = ((4, 3), (), (5,))


def pair(name: str, options: dict[str, Any], dtype: Any = np.float64) -> tuple[Any, ...]:
    rng = np.random.default_rng(0)
    arrays = [np.asarray(rng.standard_normal(s), dtype) for s in SHAPES]
    mine = [nn.Parameter(Tensor(a.copy(), None)) for a in arrays]
    other = [torch.nn.Parameter(torch.tensor(a)) for a in arrays]
    groups = [slice(0, 2), slice(2, 3)]
    a = getattr(optim, name)(
        [{"params": mine[groups[0]]}, {"params": mine[groups[1]], "lr": 0.05}], **options
    )
    b = getattr(torch.optim, name)(
        [{"params": other[groups[0]]}, {"params": other[groups[1]], "lr": 0.05}], **options
    )
    return mine, other, a, b


def feed(mine: Any, other: Any, turn: int) -> None:
    rng = np.random.default_rng(turn)
    for p, q in zip(mine, other, strict=True):
        g = np.asarray(rng.standard_normal(p._data.shape), p._data.dtype)
        p.grad, q.grad = Tensor(g.copy(), None), torch.tensor(g)


@pytest.mark.parametrize(("name", "options"), STEPS, ids=str)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_twenty_steps(name: str, options: dict[str, Any], dtype: Any) -> None:
    mine, other, a, b = pair(name, options, dtype)
    assert repr(a) == repr(b)
    tolerance = 1e-12 if dtype is np.float64 else 2e-6
    for turn in range(20):
        feed(mine, other, turn)
        assert a.step() is None and b.step() is None
        for p, q in zip(mine, other, strict=True):
            np.testing.assert_allclose(p._data, q.detach().numpy(), rtol=tolerance, atol=tolerance)
            assert p._data.dtype == dtype
        if turn == 9:  # go on from the saved state
            kept = a.state_dict()
            a = type(a)([{"params": mine[:2]}, {"params": mine[2:]}], **options)
            a.load_state_dict(kept)
    left, right = a.state_dict(), b.state_dict()
    assert left["param_groups"] == right["param_groups"]
    assert left["state"].keys() == right["state"].keys()
    for number, values in right["state"].items():
        assert left["state"][number].keys() == values.keys()
        for key, value in values.items():
            got = left["state"][number][key]
            np.testing.assert_allclose(got._data, value.numpy(), rtol=tolerance, atol=tolerance)
            assert got.dtype.name == str(value.dtype).removeprefix("torch.")


SCHEDULES: list[tuple[str, dict[str, Any]]] = [
    ("StepLR", {"step_size": 3}), ("MultiStepLR", {"milestones": [2, 5, 5]}), ("ExponentialLR", {"gamma": 0.9}),
    ("CosineAnnealingLR", {"T_max": 5, "eta_min": 0.01}), ("LambdaLR", {"lr_lambda": lambda e: 0.9**e}),
    ("MultiplicativeLR", {"lr_lambda": lambda e: 0.9}), ("LinearLR", {}), ("ConstantLR", {}),
    ("OneCycleLR", {"max_lr": 1.0, "total_steps": 20}),
    ("OneCycleLR", {"max_lr": [1.0, 2.0], "epochs": 5, "steps_per_epoch": 4, "three_phase": True, "anneal_strategy": "linear"}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "options"), SCHEDULES, ids=[n for n, _ in SCHEDULES])
@pytest.mark.parametrize("method", ["SGD", "Adam"])
def test_schedules(name: str, options: dict[str, Any], method: str) -> None:
    mine, other, a, b = pair(method, {"lr": 0.5, **({"momentum": 0.9} if method == "SGD" else {})})
    s, t = getattr(lr_scheduler, name)(a, **options), getattr(torch.optim.lr_scheduler, name)(b, **options)
    key = "momentum" if method == "SGD" else "betas"
    for turn in range(18):
        np.testing.assert_allclose(s.get_last_lr(), t.get_last_lr(), rtol=1e-12)
        for g, h in zip(a.param_groups, b.param_groups, strict=True):
            np.testing.assert_allclose(
                [g["lr"], *np.atleast_1d(g[key])], [h["lr"], *np.atleast_1d(h[key])], rtol=1e-12
            )
        feed(mine, other, turn)
        a.step(), b.step(), s.step(), t.step()


def test_plateau() -> None:
    _, _, a, b = pair("SGD", {"lr": 0.5})
    for options in (
        {},
        {"patience": 1, "cooldown": 2},
        {"mode": "max", "threshold_mode": "abs", "patience": 0, "min_lr": 1e-3},
    ):
        s = lr_scheduler.ReduceLROnPlateau(a, **options)
        t = torch.optim.lr_scheduler.ReduceLROnPlateau(b, **options)
        for metric in (3.0, 2.0, 2.0, 2.0, 1.9999, 2.0, 2.0, 1.0, 1.0, 1.0, 1.0, 1.0, float("nan"), 1.0, 0.5):
            s.step(metric), t.step(metric)
            assert [g["lr"] for g in a.param_groups] == [g["lr"] for g in b.param_groups]


BAD: list[tuple[str, Any]] = [
    ("empty", lambda o, p: o.SGD([])), ("tensor", lambda o, p: o.SGD(p)), ("negative", lambda o, p: o.SGD([p], lr=-1)),
    ("nesterov", lambda o, p: o.SGD([p], lr=1, nesterov=True)), ("beta", lambda o, p: o.Adam([p], betas=(1.0, 0.9))),
    ("eps", lambda o, p: o.Adam([p], eps=-1)), ("number", lambda o, p: o.SGD([3])),
    ("leaf", lambda o, p: o.SGD([p * 1])), ("twice", lambda o, p: o.SGD([{"params": [p]}, {"params": [p]}])),
    ("group", lambda o, p: o.SGD([p]).add_param_group(3)), ("set", lambda o, p: o.SGD([{"params": {p}}])),
    ("groups", lambda o, p: o.SGD([p]).load_state_dict({"state": {}, "param_groups": []})),
    ("size", lambda o, p: o.SGD([p]).load_state_dict({"state": {}, "param_groups": [{"params": []}]})),
    ("alpha", lambda o, p: o.RMSprop([p], alpha=-1)), ("gamma", lambda o, p: o.lr_scheduler.StepLR(3, 1)),
    ("lambdas", lambda o, p: o.lr_scheduler.LambdaLR(o.SGD([p]), [1, 2])),
    ("cycle", lambda o, p: o.lr_scheduler.OneCycleLR(o.SGD([p]), 1.0)),
    ("plateau", lambda o, p: o.lr_scheduler.ReduceLROnPlateau(o.SGD([p]), factor=2)),
]  # fmt: skip


@pytest.mark.parametrize("call", [c for _, c in BAD], ids=[n for n, _ in BAD])
def test_errors(call: Any) -> None:
    with pytest.raises(Exception) as expected:
        call(torch.optim, torch.nn.Parameter(torch.ones(2)))
    with pytest.raises(expected.type) as got:
        call(optim, nn.Parameter(Tensor([1.0, 1.0])))
    assert str(got.value)[:25] == str(expected.value)[:25]
