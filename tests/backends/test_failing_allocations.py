"""Memory runs out at one place of a training step after another: MemoryError, and nothing is half done.

Afterwards the engine is as before: the same step gives the same bits, and what was taken is given back. The
unit of an optimiser's step is stated in ``optim/algorithm.py``.
"""

from __future__ import annotations

import gc
import itertools
from collections.abc import Callable
from types import TracebackType
from typing import Any

import pytest
from tests.backends import failing
from tests.kernels.processes import compiled

import convgrad as torch
from convgrad import backends, nn, optim
from convgrad.backends import memory
from convgrad.graph.engine import RUNNING
from convgrad.graph.grad_mode import MODE, RECORD
from convgrad.graph.node import Node

F = nn.functional


class LeNet(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(1, 6, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(),
            nn.MaxPool2d(2), nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Dropout(0.2), nn.Linear(120, 10),
        )  # fmt: skip


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(5, 12, 2, batch_first=True, bidirectional=True, dropout=0.1)
        self.out = nn.Linear(24, 4)

    def forward(self, x: Any) -> Any:
        return self.out(self.lstm(x)[0][:, -1])


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(11, 16)
        self.layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True, activation="gelu")
        self.out = nn.Linear(16, 4)

    def forward(self, x: Any) -> Any:
        return self.out(self.layer(self.table(x)).mean(1))


class Residual(nn.Module):
    """Batch norms that are joined with a relu, in a chain and by hand, and a residual sum."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU())
        self.second, self.norm = nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
        self.out = nn.Linear(8, 4)

    def forward(self, x: Any) -> Any:
        x = self.first(x)
        x = nn.fused.batch_norm_add_relu(
            self.second(x), x, self.norm.running_mean, self.norm.running_var, self.norm.weight,
            self.norm.bias, training=True,
        )  # fmt: skip
        return self.out(F.adaptive_avg_pool2d(x, 1).flatten(1))


class Training:
    """A net, its optimiser and a batch; one step changes no more than these."""

    def __init__(self, net: Any, optimizer: Callable[..., Any], x: Any, classes: int, **options: Any) -> None:
        self.net, self.x = net, x
        self.target = torch.arange(len(x)) % classes
        self.optimizer = optimizer(net.parameters(), lr=0.01, **options)

    def gradients(self) -> Any:
        torch.manual_seed(7)
        self.optimizer.zero_grad()
        loss = F.cross_entropy(self.net(self.x), self.target)
        loss.backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        return loss

    def step(self) -> float:
        loss = self.gradients()
        self.optimizer.step()
        return float(loss)

    def state(self) -> list[Any]:
        """All numbers, in an order of their own."""
        kept = self.optimizer.state
        per_parameter = [kept[p][name] for p in self.net.parameters() for name in sorted(kept[p])]
        return [value.detach().clone() for value in (*self.net.state_dict().values(), *per_parameter)]

    def restore(self, state: list[Any]) -> None:
        kept = self.optimizer.state
        per_parameter = [kept[p][name] for p in self.net.parameters() for name in sorted(kept[p])]
        with torch.no_grad():
            for value, old in zip((*self.net.state_dict().values(), *per_parameter), state, strict=True):
                value.copy_(old)


def lenet() -> Training:
    torch.manual_seed(0)
    return Training(LeNet(), optim.SGD, torch.randn(8, 1, 28, 28), 10, momentum=0.9)


def recurrent() -> Training:
    torch.manual_seed(0)
    return Training(Recurrent(), optim.Adam, torch.randn(3, 7, 5), 4)


def encoder() -> Training:
    torch.manual_seed(0)
    return Training(Encoder(), optim.AdamW, torch.randint(0, 11, (3, 6)), 4, amsgrad=True)


def residual() -> Training:
    torch.manual_seed(0)
    return Training(Residual(), optim.RMSprop, torch.randn(4, 1, 96, 96), 4, momentum=0.5)


MAKERS = [lenet, recurrent, encoder, residual]
SOURCES = [failing.arrays, pytest.param(failing.kernels, marks=compiled)]


def same(a: list[Any], b: list[Any]) -> bool:
    return len(a) == len(b) and all([torch.equal(x, y) for x, y in zip(a, b)])


def fail_everywhere(training: Training, source: Any, stride: int) -> int:
    """Fail at every ``stride``-th request of a step; how many failed."""
    for _ in range(3):
        training.step()  # states and plans are made
    start = training.state()
    expected, after = training.step(), training.state()
    for at in itertools.count(1, stride):
        requests, failed = failing.Requests(at), False
        training.restore(start)
        with source(requests):
            try:
                training.step()
            except MemoryError:
                failed = True
        if not failed:
            break
        assert requests.count >= at  # more, if several threads ask
        assert MODE.get() == RECORD and torch.is_grad_enabled() and RUNNING.get() is None
        training.restore(start)
        assert training.step() == expected, at
        assert same(training.state(), after), at
    return at // stride


def held(training: Training) -> tuple[int, int]:
    """Bytes in blocks; tensors, nodes and tracebacks."""
    training.optimizer.zero_grad()
    gc.collect()
    kinds = torch.Tensor, Node, TracebackType
    return memory.memory_stats()["in_use"], sum([isinstance(o, kinds) for o in gc.get_objects()])


def passes(training: Training, source: Any, stride: int) -> None:
    number = fail_everywhere(training, source, stride)
    assert number >= 1
    before = held(training)
    for _ in range(100 // number + 1):  # a hundred failures at least
        fail_everywhere(training, source, stride)
    after = held(training)
    assert after[0] <= before[0] and after[1] <= before[1] + 10, (before, after)


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("source", SOURCES)
def test_a_step_that_failed_somewhere_can_be_repeated(make: Callable[[], Training], source: Any) -> None:
    passes(make(), source, 7)


@pytest.mark.slow
@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("threads", [1, 3])
def test_a_step_that_failed_anywhere_can_be_repeated(
    make: Callable[[], Training], source: Any, threads: int
) -> None:
    usual = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        passes(make(), source, 1)
    finally:
        torch.set_num_threads(usual)


@pytest.fixture(params=["native", "reference"])
def kernels(request: pytest.FixtureRequest) -> Any:
    """The set of kernels in use for a test."""
    usual = backends.info()["kernels"]
    if request.param not in backends.info()["available"]:
        pytest.skip("the compiled kernels are not built here")
    backends.use(request.param)
    yield request.param
    backends.use(usual)


@pytest.mark.usefixtures("kernels")
def test_a_step_in_plain_numpy_that_failed_somewhere_can_be_repeated() -> None:
    passes(lenet(), failing.arrays, 17)


# ---- the unit of an optimiser's step

OPTIMIZERS: list[tuple[Any, dict[str, Any]]] = [
    (optim.SGD, {}), (optim.SGD, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    (optim.SGD, {"momentum": 0.9, "dampening": 0.1}), (optim.Adam, {"amsgrad": True, "weight_decay": 0.1}),
    (optim.AdamW, {}), (optim.RMSprop, {"momentum": 0.5, "centered": True, "weight_decay": 0.1}),
    (optim.Adagrad, {"weight_decay": 0.1}), (optim.Adadelta, {"weight_decay": 0.1}),
    (optim.Adamax, {"weight_decay": 0.1}), (optim.ASGD, {"weight_decay": 0.1}),
    (optim.NAdam, {"weight_decay": 0.1, "decoupled_weight_decay": True}),
    (optim.RAdam, {"weight_decay": 0.1, "decoupled_weight_decay": True}), (optim.Rprop, {}),
    (optim.Adafactor, {"weight_decay": 0.1}), (optim.Muon, {"weight_decay": 0.1}),
]  # fmt: skip
SHAPE = (9, 8)


def optimizer_before(kind: Any, options: dict[str, Any], dtype: Any, steps: int) -> Any:
    """An optimiser of three parameters with gradients, after some steps."""
    torch.manual_seed(0)
    params = [nn.Parameter(torch.randn(SHAPE).to(dtype)) for _ in range(3)]
    optimizer = kind(params, lr=0.5, **options)
    for number in range(steps + 1):
        for p in params:
            p.grad = torch.randn(SHAPE).to(dtype)
        if number < steps:
            optimizer.step()
    return optimizer


def numbers(optimizer: Any, with_state: bool) -> list[list[Any]]:
    """What there is of each parameter."""
    found = []
    for p in optimizer.param_groups[0]["params"]:
        kept = optimizer.state.get(p, {}) if with_state else {}
        found.append([value.detach().clone() for value in (p, *kept.values())])
    return found


@pytest.mark.usefixtures("kernels")
@pytest.mark.parametrize(("kind", "options"), OPTIMIZERS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("steps", [0, 1])
def test_each_parameter_makes_its_step_or_none(kind: Any, options: Any, dtype: Any, steps: int) -> None:
    """Memory of a parameter's size is not to be had, at one place after another."""
    made = optimizer_before(kind, options, dtype, steps)
    # A first step makes states; that of others has begun then, with zeros.
    with_state = steps > 0 and kind not in (optim.Adafactor, optim.Muon)
    before = numbers(made, with_state)
    made.step()
    after = numbers(made, with_state)
    for at in itertools.count(1):
        optimizer, failed = optimizer_before(kind, options, dtype, steps), False
        with failing.arrays(failing.Requests(at, least=dtype.itemsize * 72)):
            try:
                optimizer.step()
            except MemoryError:
                failed = True
        found = numbers(optimizer, with_state)
        if not failed:
            break
        done = [same(values, new) for values, new in zip(found, after)]
        assert done == sorted(done, reverse=True) and not all(done)
        assert all([same(values, old) for values, old, new in zip(found, before, done) if not new]), at
        for p, new in zip(optimizer.param_groups[0]["params"], done):
            assert p._version >= steps + new
    assert all([same(values, new) for values, new in zip(found, after)])
