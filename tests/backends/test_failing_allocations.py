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
from tests.backends.trainings import MAKERS, Training, lenet
from tests.kernels.processes import compiled

import convgrad as torch
from convgrad import backends, nn, optim
from convgrad.backends import memory
from convgrad.graph.engine import RUNNING
from convgrad.graph.grad_mode import MODE, RECORD
from convgrad.graph.node import Node

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
