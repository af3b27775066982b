"""Memory of a training step: reports, limits, growth, and what is left after an allocation that failed."""

from __future__ import annotations

import gc
import tracemalloc
from typing import Any

import numpy as np
import pytest
from tests.kernels.processes import compiled, linux, run_python, unsanitized

import convgrad as torch
from convgrad import nn
from convgrad.backends import memory
from convgrad.graph.grad_mode import MODE, RECORD
from convgrad.graph.watch import WATCHERS
from convgrad.kernels import memory as blocks


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(),
        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8 * 16 * 16, 32), nn.ReLU(), nn.Linear(32, 4),
    )  # fmt: skip


def step(model: Any, optimizer: Any, x: Any, target: Any) -> float:
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(x), target)
    loss.backward()
    optimizer.step()
    return float(loss)


def trained(model: Any) -> tuple[Any, Any, Any, Any]:
    """A model with what a step of it takes."""
    torch.manual_seed(1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    return model, optimizer, torch.randn(16, 1, 32, 32), torch.randint(0, 4, (16,))


# ---- reports


def test_a_report_names_the_largest_arrays_at_the_peak() -> None:
    model = nn.Sequential(nn.Linear(10, 5000), nn.Tanh(), nn.Linear(5000, 2), nn.ReLU())
    x = torch.ones(50, 10)
    with memory.report() as found:
        model(x).sum().backward()
    assert found.peak.bytes >= 2 * 50 * 5000 * 4
    first, second = found.rows[:2]
    assert {first.module, second.module} <= {"0", "1", "2"} and first.bytes >= 50 * 5000 * 4
    assert first.shape == (50, 5000) and first.dtype == "float32"
    text = str(found)
    assert text.startswith("at most ") and "Tanh" in text and "temporaries" in text
    assert found.other <= found.peak.bytes
    assert WATCHERS.get() == () and MODE.get() == RECORD and not tracemalloc.is_tracing()


def test_a_report_measures_pairs_as_they_run() -> None:
    model = nn.Sequential(nn.Sequential(nn.Conv1d(2, 8, 3), nn.ReLU()), nn.Conv1d(8, 2, 1))
    with memory.report() as found:
        out = model(torch.ones(4, 2, 3000))
    assert out.grad_fn.next_functions[0][0].name() == "ConvolutionReluBackward0"
    (row,) = [row for row in found.rows if row.operator == "ConvolutionReluBackward0"]
    assert row.module == "0.0" and row.what == "result" and row.bytes == 4 * 8 * 2998 * 4


def test_a_report_counts_what_has_no_graph_and_is_made_once() -> None:
    found = memory.report()
    with found, torch.no_grad():
        torch.ones(300000) * 2
    assert found.peak.bytes >= 2 * 1200000 and not found.rows and found.other == found.peak.bytes
    with pytest.raises(RuntimeError, match="measures one block"), found:
        pass


def test_a_report_of_a_block_that_raises_leaves_nothing_behind() -> None:
    with pytest.raises(ZeroDivisionError), memory.report():
        raise ZeroDivisionError
    assert WATCHERS.get() == () and MODE.get() == RECORD and not tracemalloc.is_tracing()


# ---- limits


@compiled
def test_a_limit_is_kept_and_taken_back() -> None:
    usual = memory.memory_stats()["limit"]
    try:
        memory.set_limit(1 << 20)
        held = [blocks.empty_large((1 << 17,), np.dtype(np.float32)) for _ in range(5)]
        held.clear()
        assert memory.memory_stats()["kept"] <= 1 << 20 == memory.memory_stats()["limit"]
        memory.set_limit(0)
        assert memory.memory_stats()["kept"] == 0
    finally:
        memory.set_limit(None)
    assert memory.memory_stats()["limit"] == usual


def test_limits_that_are_none() -> None:
    for bad in (1.5, "x", True):
        with pytest.raises(TypeError, match="must be int or None"):
            memory.set_limit(bad)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="must not be negative"):
        memory.set_limit(-1)


@compiled
def test_the_peak_is_counted_from_its_reset() -> None:
    gc.collect()
    memory.reset_peak()
    before = memory.memory_stats()
    assert before["peak"] == before["in_use"]
    del (held := [blocks.empty_large((1 << 18,), np.dtype(np.float32))])[:]
    assert not held and memory.memory_stats()["peak"] >= before["in_use"] + (1 << 20)
    memory.reset_peak()
    assert memory.memory_stats()["peak"] == before["in_use"]


def test_they_stand_at_the_top_as_well() -> None:
    assert torch.memory_stats() == memory.memory_stats()
    torch.empty_cache()
    assert torch.memory_stats()["kept"] == 0


# ---- allocations that fail


class _Failing:
    """Stands for the extension and for its class of blocks: the n-th block is not to be had."""

    def __init__(self, native: Any, at: int) -> None:
        self.native, self.left, self.Block = native, at, self

    def __getattr__(self, name: str) -> Any:
        return getattr(self.native, name)

    def __call__(self, size: int) -> Any:
        self.left -= 1
        if self.left == 0:
            raise MemoryError
        return self.native.Block(size)

    def __instancecheck__(self, value: Any) -> bool:
        return isinstance(value, self.native.Block)


@compiled
def test_a_step_whose_nth_block_is_not_to_be_had_can_be_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the place, the engine is as before, and the same step gives what it gives elsewhere."""
    reference = trained(net())
    start = {name: value.clone() for name, value in reference[0].state_dict().items()}
    expected = step(*reference)
    after = {name: value.clone() for name, value in reference[0].state_dict().items()}
    failed, at, native = 0, 0, blocks._native
    while failed == at:
        at += 1
        given = trained(net())
        given[0].load_state_dict(start)
        failing = _Failing(native, at)
        with monkeypatch.context() as patch:
            patch.setattr(blocks, "_native", failing)
            try:
                step(*given)
            except MemoryError:
                failed += 1
        assert MODE.get() == RECORD and torch.is_grad_enabled()
        for p in given[0].parameters():
            assert p.grad is None or p.grad.shape == p.shape
        given[0].load_state_dict(start)  # a batch norm may have counted the batch
        given = (given[0], torch.optim.SGD(given[0].parameters(), lr=0.01, momentum=0.9), *given[2:])
        assert step(*given) == expected
        for name, value in given[0].state_dict().items():
            assert torch.equal(value, after[name]), (at, name)
    assert failed >= 4  # two convolutions' results, and more in backward


@linux
@unsanitized
def test_a_step_with_too_little_memory_can_be_repeated() -> None:
    """The address space ends at one place after another, wherever that is: in NumPy, in blocks, in scratch."""
    code = """
        import resource
        import numpy as np
        import convgrad as torch
        from convgrad import nn
        torch.manual_seed(0)
        net = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 16, 3), nn.Tanh())
        x = torch.randn(32, 1, 64, 64)
        def step():
            net.zero_grad()
            loss = (net(x) ** 2).mean()
            loss.backward()
            return float(loss), float(net[0].weight.grad.sum())
        expected = step()
        net.zero_grad()
        failures = 0
        for extra in range(0, 160 << 20, 5 << 20):
            torch.empty_cache()
            with open("/proc/self/statm") as file:
                size = int(file.read().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (size + extra, -1))
            try:
                step()
            except MemoryError:
                failures += 1
            finally:
                resource.setrlimit(resource.RLIMIT_AS, (-1, -1))
            assert torch.is_grad_enabled()
            assert np.allclose(step(), expected, rtol=1e-6), extra
        assert failures > 3, failures
        print("done")
    """
    assert run_python(code).strip().endswith("done")
