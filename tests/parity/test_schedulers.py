"""Learning-rate schedules against PyTorch 2.13: every epoch, chains, resuming, states both ways, warnings, errors."""

from __future__ import annotations

import copy
import itertools
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import convgrad
from convgrad import optim

Make = Callable[[Any, Any], Any]


class Halved:
    """A function that is an object: its fields belong to the state."""

    def __init__(self) -> None:
        self.base = 0.5

    def __call__(self, x: float) -> float:
        return self.base**x


SIMPLE: dict[str, tuple[str, dict[str, Any]]] = {
    "Lambda": ("LambdaLR", {"lr_lambda": [lambda e: 0.95**e, Halved()]}),
    "Multiplicative": ("MultiplicativeLR", {"lr_lambda": lambda e: 1 - 0.1 / (e + 1)}),
    "Step": ("StepLR", {"step_size": 3, "gamma": 0.5}), "MultiStep": ("MultiStepLR", {"milestones": [8, 2, 5, 5], "gamma": 0.3}),
    "Constant": ("ConstantLR", {"factor": 0.2, "total_iters": 4}), "Constant 0": ("ConstantLR", {"total_iters": 0}),
    "Linear": ("LinearLR", {"start_factor": 0.1, "end_factor": 0.7, "total_iters": 6}), "Linear up": ("LinearLR", {}),
    "Exponential": ("ExponentialLR", {"gamma": 0.9}), "Polynomial": ("PolynomialLR", {"total_iters": 7, "power": 2.0}),
    "Cosine": ("CosineAnnealingLR", {"T_max": 5, "eta_min": 0.01}), "Cosine 1": ("CosineAnnealingLR", {"T_max": 1}),
    "Restarts": ("CosineAnnealingWarmRestarts", {"T_0": 4, "eta_min": 0.02}),
    "Restarts 2": ("CosineAnnealingWarmRestarts", {"T_0": 2, "T_mult": 2}),
    "Cyclic": ("CyclicLR", {"base_lr": 0.1, "max_lr": [1.0, 2.0], "step_size_up": 3, "step_size_down": 5}),
    "Cyclic 2": ("CyclicLR", {"base_lr": [0.1, 0.2], "max_lr": 1.0, "step_size_up": 4, "mode": "triangular2", "base_momentum": [0.5, 0.6]}),
    "Cyclic exp": ("CyclicLR", {"base_lr": 0.1, "max_lr": 1.0, "step_size_up": 4, "mode": "exp_range", "gamma": 0.9, "cycle_momentum": False}),
    "Cyclic own": ("CyclicLR", {"base_lr": 0.1, "max_lr": 1.0, "step_size_up": 2, "scale_fn": Halved(), "scale_mode": "iterations"}),
    "OneCycle": ("OneCycleLR", {"max_lr": 1.0, "total_steps": 30}),
    "OneCycle 3": ("OneCycleLR", {"max_lr": [1.0, 2.0], "epochs": 6, "steps_per_epoch": 5, "three_phase": True, "anneal_strategy": "linear",
                                  "base_momentum": [0.1, 0.2], "pct_start": 0.2, "div_factor": 5.0, "final_div_factor": 10.0}),
}  # fmt: skip


def simple(name: str, **more: Any) -> Make:
    kind, options = SIMPLE[name]
    return lambda S, o: getattr(S, kind)(o, **options, **more)


CHAINS: dict[str, Make] = {
    "Sequential": lambda S, o: S.SequentialLR(o, [S.ConstantLR(o, 0.1, 3), S.ExponentialLR(o, 0.9)], [4]),
    "Sequential 3": lambda S, o: S.SequentialLR(
        o, [S.LinearLR(o, 0.1, total_iters=4), S.CosineAnnealingLR(o, 6), S.StepLR(o, 2)], [4, 12]
    ),
    "Sequential lambda": lambda S, o: S.SequentialLR(
        o, [S.MultiplicativeLR(o, lambda e: 0.9), S.LambdaLR(o, lambda e: 1 / (e + 1)), S.MultiplicativeLR(o, lambda e: 0.8)], [3, 7]
    ),
    "Sequential restarts": lambda S, o: S.SequentialLR(
        o, [S.PolynomialLR(o, 4), S.CosineAnnealingWarmRestarts(o, 3), S.MultiStepLR(o, [2, 4])], [3, 13]
    ),
    "Sequential cycles": lambda S, o: S.SequentialLR(o, [S.ExponentialLR(o, 0.9), S.OneCycleLR(o, 1.0, 30)], [5]),
    "nested": lambda S, o: S.SequentialLR(
        o, [S.SequentialLR(o, [S.ConstantLR(o, 0.5, 2), S.ExponentialLR(o, 0.9)], [3]), S.ExponentialLR(o, 0.5)], [9]
    ),
    "Chained": lambda S, o: S.ChainedScheduler([S.ConstantLR(o, 0.1, 4), S.ExponentialLR(o, 0.9), S.CosineAnnealingLR(o, 5)], optimizer=o),
    "Chained in Sequential": lambda S, o: S.SequentialLR(
        o, [S.ChainedScheduler([S.ConstantLR(o, 0.1, 4), S.ExponentialLR(o, 0.9)]), S.StepLR(o, 2)], [6]
    ),
}  # fmt: skip
ALL: dict[str, Make] = {**{name: simple(name) for name in SIMPLE}, **CHAINS}
SCHEDULES = (optim.lr_scheduler, torch.optim.lr_scheduler)


def optimizers(method: str = "SGD", tensor: bool = False) -> tuple[Any, Any]:
    """One of either library with two groups of learning rates 0.5 and 0.05; steps do nothing without gradients."""
    made = []
    for library, namespace in ((convgrad, optim), (torch, torch.optim)):
        kind = library.nn.Parameter
        rates = [library.tensor(v) if tensor else v for v in (0.5, 0.05)]
        groups = [{"params": [kind(library.ones(1))], "lr": rate} for rate in rates]
        made.append(getattr(namespace, method)(groups, **({"momentum": 0.9} if method == "SGD" else {})))
    return made[0], made[1]


def assert_same(s: Any, t: Any, a: Any, b: Any) -> None:
    close = {"rtol": 1e-12, "atol": 1e-15}
    for g, h in zip(a.param_groups, b.param_groups, strict=True):
        assert g.keys() == h.keys()
        for key in g.keys() - {"params"}:
            if isinstance(h[key], bool | None):
                assert g[key] == h[key]
            else:
                np.testing.assert_allclose(
                    np.array(g[key], float), np.array(h[key], float), **close, err_msg=key
                )
    np.testing.assert_allclose(
        [float(v) for v in s.get_last_lr()], [float(v) for v in t.get_last_lr()], **close
    )


def plain(value: Any) -> Any:
    """A state with lists of numbers in place of tensors, to compare and to hand over."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    return round(value, 12) if isinstance(value, float) else value


def advance(*pairs: tuple[Any, Any]) -> None:
    for optimizer, schedule in pairs:
        optimizer.step()
        schedule.step()


#: one schedule inside another makes its first step twice, and both libraries warn of it
nested = pytest.mark.filterwarnings("ignore:Detected call")


@nested
@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("method", ["SGD", "Adam"])
def test_every_epoch_and_the_state(name: str, method: str) -> None:
    a, b = optimizers(method)
    s, t = (ALL[name](S, o) for S, o in zip(SCHEDULES, (a, b), strict=True))
    for _ in range(25):
        assert_same(s, t, a, b)
        assert plain(s.state_dict()) == plain(t.state_dict())
        advance((a, s), (b, t))


@nested
@pytest.mark.parametrize("name", ALL)
def test_states_go_both_ways(name: str) -> None:
    """After 7 epochs each library goes on from the other's state, in a scheduler that was just made."""
    a, b = optimizers()
    s, t = (ALL[name](S, o) for S, o in zip(SCHEDULES, (a, b), strict=True))
    for _ in range(7):
        advance((a, s), (b, t))
    c, d = optimizers()
    u, v = (ALL[name](S, o) for S, o in zip(SCHEDULES, (c, d), strict=True))
    c.load_state_dict(b.state_dict()), d.load_state_dict(a.state_dict())
    u.load_state_dict(copy.deepcopy(t.state_dict())), v.load_state_dict(copy.deepcopy(s.state_dict()))
    c.step(), d.step()
    for _ in range(12):
        assert_same(u, t, c, b)
        assert_same(s, v, a, d)
        for optimizer, schedule in ((a, s), (b, t), (c, u), (d, v)):
            optimizer.step(), schedule.step()


@pytest.mark.parametrize("name", SIMPLE)
def test_resuming_at_every_epoch(name: str) -> None:
    """``last_epoch=n`` with a new scheduler on the old optimiser."""
    for n in range(9):
        a, b = optimizers()
        s, t = (ALL[name](S, o) for S, o in zip(SCHEDULES, (a, b), strict=True))
        for _ in range(n):
            advance((a, s), (b, t))
        s, t = (simple(name, last_epoch=n)(S, o) for S, o in zip(SCHEDULES, (a, b), strict=True))
        for _ in range(3):
            assert_same(s, t, a, b)
            assert plain(s.state_dict()) == plain(t.state_dict())
            advance((a, s), (b, t))


@pytest.mark.parametrize("name", SIMPLE)
def test_any_epoch(name: str) -> None:
    """``step(epoch)`` goes anywhere by the closed form, with a warning."""
    a, b = optimizers()
    s, t = (ALL[name](S, o) for S, o in zip(SCHEDULES, (a, b), strict=True))
    a.step(), b.step()
    for epoch in (4, 2, 9, 9, None, 0, 13, None):
        told = []
        for schedule in (s, t):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                schedule.step(epoch)
            told.append([str(w.message)[:60] for w in caught])
        assert told[0] == told[1]
        assert_same(s, t, a, b)
    if "Restarts" in name:
        for part in np.linspace(0, 15, 31):
            s.step(part), t.step(part)
            assert_same(s, t, a, b)


@pytest.mark.parametrize("name", [n for n in SIMPLE if n != "Cyclic own"])
def test_rates_that_are_tensors(name: str) -> None:
    a, b = optimizers("Adam", tensor=True)
    kept = [g["lr"] for g in a.param_groups]
    s, t = (ALL[name](S, o) for S, o in zip(SCHEDULES, (a, b), strict=True))
    for _ in range(10):
        np.testing.assert_allclose(
            [float(v) for v in s.get_last_lr()], [float(v) for v in t.get_last_lr()], rtol=2e-6
        )
        advance((a, s), (b, t))
    assert all(g["lr"] is k for g, k in zip(a.param_groups, kept, strict=True))
    assert isinstance(s.get_last_lr()[0], convgrad.Tensor)


METRICS = (
    3.0,
    2.0,
    2.0,
    2.0,
    1.9999,
    2.0,
    2.0,
    1.0,
    1.0,
    1.0,
    1.0,
    1.0,
    float("nan"),
    1.0,
    0.5,
    0.5,
    0.5,
    0.5,
    0.5,
    0.4,
    0.3,
)
PLATEAUS: list[dict[str, Any]] = [
    {}, {"patience": 1, "cooldown": 2}, {"mode": "max", "threshold_mode": "abs", "patience": 0, "min_lr": 1e-3},
    {"patience": 0, "factor": 0.5, "min_lr": [0.1, 0.01], "threshold": 0.3}, {"mode": "max", "patience": 2, "eps": 0.1},
]  # fmt: skip


@pytest.mark.parametrize("options", PLATEAUS, ids=str)
def test_plateau(options: dict[str, Any]) -> None:
    a, b = optimizers()
    s, t = (S.ReduceLROnPlateau(o, **options) for S, o in zip(SCHEDULES, (a, b), strict=True))
    for turn, metric in enumerate(METRICS):
        s.step(metric), t.step(metric)
        assert_same(s, t, a, b)
        assert str(plain(s.state_dict())) == str(plain(t.state_dict()))
        assert s.in_cooldown == t.in_cooldown
        if turn == 9:
            u, v = (S.ReduceLROnPlateau(o) for S, o in zip(SCHEDULES, (a, b), strict=True))
            u.load_state_dict(t.state_dict()), v.load_state_dict(s.state_dict())
            s, t = u, v


def test_plateau_and_groups_that_come_later() -> None:
    for given in (0.1, [0.1, 0.1]):
        told = []
        for S, o, library in zip(SCHEDULES, optimizers(), (convgrad, torch), strict=True):
            schedule = S.ReduceLROnPlateau(o, patience=0, min_lr=given)
            o.add_param_group({"params": [library.nn.Parameter(library.ones(1))], "lr": 1.0})
            try:
                schedule.step(1.0), schedule.step(2.0)
            except RuntimeError as error:
                told.append(str(error))
            else:
                told.append(str([g["lr"] for g in o.param_groups]))
        assert told[0] == told[1]


@pytest.mark.parametrize(
    "options", [{}, {"anneal_strategy": "linear", "anneal_epochs": 4}, {"anneal_epochs": 0}], ids=str
)
def test_swalr(options: dict[str, Any]) -> None:
    a, b = optimizers()
    s = optim.swa_utils.SWALR(a, [0.2, 0.01], **options)
    t = torch.optim.swa_utils.SWALR(b, [0.2, 0.01], **options)
    for turn in range(20):
        assert_same(s, t, a, b)
        assert plain(s.state_dict()) == plain(t.state_dict())
        advance((a, s), (b, t))
        if turn == 3:
            u, v = optim.swa_utils.SWALR(a, 0.3), torch.optim.swa_utils.SWALR(b, 0.3)
            u.load_state_dict(t.state_dict()), v.load_state_dict(s.state_dict())
            s, t = u, v


USES: dict[str, Callable[[Any, Any, Any], Any]] = {
    "in order": lambda S, o, n: (s := n(S, o), o.step(), s.step()),
    "too early": lambda S, o, n: n(S, o).step(),
    "steps of before do not count": lambda S, o, n: (o.step(), n(S, o).step()),
    "overridden": lambda S, o, n: (s := n(S, o), setattr(o, "step", lambda *a: None), s.step()),
    "get_lr": lambda S, o, n: n(S, o).get_lr(),
    "twice": lambda S, o, n: (s := n(S, o), s.step(), s.step()),
    "two schedulers": lambda S, o, n: (n(S, o), o.step(), n(S, o).step()),
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize(
    "name", ["Exponential", "Cosine", "Restarts", "Sequential", "Chained", "nested", "Cyclic", "OneCycle"]
)
def test_warnings(use: str, name: str) -> None:
    told = []
    for S, o in zip(SCHEDULES, optimizers(), strict=True):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                USES[use](S, o, ALL[name])
            except NotImplementedError as error:
                told.append([type(error).__name__])
                continue
        told.append([f"{w.category.__name__} {str(w.message)[:60]}" for w in caught])
    assert told[0] == told[1]


BAD: list[Callable[[Any, Any], Any]] = [
    lambda S, o: S.StepLR(3, 1), lambda S, o: S.LambdaLR(o, [abs]), lambda S, o: S.MultiplicativeLR(o, [abs] * 3),
    lambda S, o: S.ConstantLR(o, 2), lambda S, o: S.ConstantLR(o, -1), lambda S, o: S.LinearLR(o, 0), lambda S, o: S.LinearLR(o, 1, 2),
    lambda S, o: S.LinearLR(o, end_factor=-1), lambda S, o: S.StepLR(o, 1, last_epoch=3), lambda S, o: S.LRScheduler(o),
    lambda S, o: S.CosineAnnealingWarmRestarts(o, 0), lambda S, o: S.CosineAnnealingWarmRestarts(o, 1, 0),
    lambda S, o: S.CosineAnnealingWarmRestarts(o, 1, 1.5), lambda S, o: S.CosineAnnealingWarmRestarts(o, 1, 1, "a"),
    lambda S, o: S.CosineAnnealingWarmRestarts(o, 1).step(-1), lambda S, o: S.OneCycleLR(o, 1.0), lambda S, o: S.OneCycleLR(3, 1.0),
    lambda S, o: S.OneCycleLR(o, 1.0, 0), lambda S, o: S.OneCycleLR(o, 1.0, 1.5), lambda S, o: S.OneCycleLR(o, 1.0, None, 0, 1),
    lambda S, o: S.OneCycleLR(o, 1.0, None, 1, -1), lambda S, o: S.OneCycleLR(o, 1.0, 5, pct_start=1.5),
    lambda S, o: S.OneCycleLR(o, 1.0, 5, pct_start=1), lambda S, o: S.OneCycleLR(o, 1.0, 5, anneal_strategy="x"),
    lambda S, o: S.OneCycleLR(o, [1.0], 5), lambda S, o: S.OneCycleLR(o, 1.0, 5, base_momentum=[0.1]),
    lambda S, o: [(s := S.OneCycleLR(o, 1.0, 3), o.step()), *[s.step() for _ in range(9)]],
    lambda S, o: S.CyclicLR(o, 0.1, 1.0, mode="x"), lambda S, o: S.CyclicLR(3, 0.1, 1.0), lambda S, o: S.CyclicLR(o, [0.1], 1.0),
    lambda S, o: S.CyclicLR(o, 0.1, [1.0]), lambda S, o: S.ReduceLROnPlateau(o, factor=1.0), lambda S, o: S.ReduceLROnPlateau(3),
    lambda S, o: S.ReduceLROnPlateau(o, "x"), lambda S, o: S.ReduceLROnPlateau(o, threshold_mode="x"),
    lambda S, o: S.ReduceLROnPlateau(o, min_lr=[1]), lambda S, o: S.ReduceLROnPlateau(o).step(), lambda S, o: S.ReduceLROnPlateau(o).step("a"),
    lambda S, o: S.SequentialLR(o, [], []), lambda S, o: S.SequentialLR(o, [S.ExponentialLR(o, 1)], [3]),
    lambda S, o: S.SequentialLR(o, [S.ExponentialLR(o, 1), S.ReduceLROnPlateau(o)], [3]), lambda S, o: S.SequentialLR(o, [S.ExponentialLR(o, 1), 3], [3]),
    lambda S, o: S.SequentialLR(type(o)([torch_or_ours(o)], lr=1.0), [S.ExponentialLR(o, 1)], []),
    lambda S, o: S.SequentialLR(o, [S.ExponentialLR(o, 1)], []).step(3), lambda S, o: S.ChainedScheduler([]),
    lambda S, o: S.ChainedScheduler([S.ReduceLROnPlateau(o)]), lambda S, o: S.ChainedScheduler([S.ExponentialLR(o, 1)]).step(3),
    lambda S, o: S.ChainedScheduler([S.ExponentialLR(o, 1)], type(o)([torch_or_ours(o)], lr=1.0)), lambda S, o: S.StepLR(o, 1, verbose=True),
]  # fmt: skip


def torch_or_ours(optimizer: Any) -> Any:
    """A new parameter of the optimiser's library."""
    return type(optimizer.param_groups[0]["params"][0])(
        optimizer.param_groups[0]["params"][0].detach().clone()
    )


@pytest.mark.parametrize("number", range(len(BAD)))
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_errors(number: int) -> None:
    a, b = optimizers()
    with pytest.raises(Exception) as expected:
        BAD[number](SCHEDULES[1], b)
    with pytest.raises(expected.type) as got:
        BAD[number](SCHEDULES[0], a)
    assert str(got.value)[:60] == str(expected.value)[:60]


def test_without_momentum() -> None:
    """Adagrad has none to cycle; both say so."""
    for make in (ALL["Cyclic"], ALL["OneCycle"]):
        a, b = optimizers("Adagrad")
        with pytest.raises(ValueError) as expected:
            make(SCHEDULES[1], b)
        with pytest.raises(ValueError) as got:
            make(SCHEDULES[0], a)
        assert str(got.value) == str(expected.value)


def test_pickled_and_copied() -> None:
    """A scheduler takes its optimiser with it."""
    for name, twice in itertools.product(
        ["Step", "Cosine", "Cyclic", "OneCycle", "Restarts"],
        (copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s))),
    ):
        a, _ = optimizers()
        s = ALL[name](optim.lr_scheduler, a)
        advance((a, s))
        other = twice(s)
        assert other.optimizer is not a
        for _ in range(3):
            assert s.get_last_lr() == other.get_last_lr() == [g["lr"] for g in other.optimizer.param_groups]
            advance((a, s), (other.optimizer, other))


def test_the_public_names() -> None:
    theirs = torch.optim.lr_scheduler.__all__
    assert sorted(optim.lr_scheduler.__all__) == sorted(theirs)
    assert issubclass(optim.lr_scheduler._LRScheduler, optim.lr_scheduler.LRScheduler)
    for name in theirs:
        ours = getattr(optim.lr_scheduler, name)
        assert ours.__doc__, name
        assert issubclass(ours, optim.lr_scheduler.LRScheduler), name
