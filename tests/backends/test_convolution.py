"""The switches on ``backends.convolution``: they take effect at once, in the right threads, and are undone."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading

import numpy as np
import pytest

import convgrad as torch
import convgrad.backends.convolution as imported
from convgrad import backends
from convgrad.errors import ConvgradError
from convgrad.kernels import native, planner, reference
from convgrad.kernels.geometry import Geometry
from convgrad.switches import switches

from ..kernels.fakes import Fake

convolution = backends.convolution
needs_native = pytest.mark.skipif(backends.info()["kernels"] != "native", reason="no compiled kernels in use")
GEOMETRY = Geometry((1, 1), ((1, 1), (1, 1)), (1, 1), 1)
X = np.random.default_rng(1).standard_normal((2, 3, 6, 5)).astype(np.float32)
W = np.random.default_rng(2).standard_normal((4, 3, 3, 3)).astype(np.float32)


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch):
    """Two made-up algorithms, the quicker one inexact; nothing made ready before or after."""
    fakes = Fake("fft", 1.0, exact=False), Fake("direct_rows", 2.0)
    native._forget()
    monkeypatch.setattr(planner, "ALGORITHMS", fakes)
    yield fakes
    for name in ("strict", "benchmark", "deterministic"):
        switches.turn(name, False)
    native._forget()


def ran(fakes: tuple[Fake, Fake]) -> str:
    """Which of them computes a convolution here and now."""
    before = [fake.runs for fake in fakes]
    out = native.convolve(X, W, GEOMETRY)
    np.testing.assert_allclose(out, reference.convolve(X, W, GEOMETRY), rtol=1e-5)
    names = [fake.name for fake, runs in zip(fakes, before, strict=True) if fake.runs != runs]
    return names[0] if names else "reference"


def test_switches_are_plain_attributes() -> None:
    assert convolution is imported
    for name in ("strict", "benchmark"):
        assert getattr(convolution, name) is False
        setattr(convolution, name, True)
        assert getattr(convolution, name) is True and getattr(switches, name) is True
        setattr(convolution, name, False)
        for wrong in (1, 0, None, "True", np.True_):
            with pytest.raises(
                TypeError, match=rf"backends.convolution.{name} must be True or False, but got"
            ):
                setattr(convolution, name, wrong)
        assert getattr(convolution, name) is False


@needs_native
def test_strict_takes_effect_on_shapes_met_before(table) -> None:
    assert ran(table) == "fft"
    convolution.strict = True
    assert ran(table) == "direct_rows"
    convolution.strict = False
    assert ran(table) == "fft"


@needs_native
def test_a_plan_made_while_a_switch_turns_is_not_kept(table, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare = table[0].prepare

    def prepare_while_another_thread_turns_the_switch(*args):
        thread = threading.Thread(target=switches.turn, args=("strict", True))
        thread.start()
        thread.join()
        return prepare(*args)

    monkeypatch.setattr(table[0], "prepare", prepare_while_another_thread_turns_the_switch)
    assert ran(table) == "fft"  # what was asked for when the call began
    assert ran(table) == "direct_rows"


def test_strict_keeps_the_reference_from_fourier_transforms() -> None:
    """A 1 in the signal leaves the outputs it does not reach at zero, exactly."""
    x, w = np.zeros((1, 1, 2000), np.float32), np.ones((1, 1, 300), np.float32)
    x[0, 0, 1000] = 1.0
    w[...] = np.random.default_rng(0).standard_normal(300)
    g = Geometry((1,), ((0, 0),), (1,), 1)
    far = slice(0, 690)
    assert np.any(reference.convolve(x, w, g)[0, 0, far] != 0)
    switches.turn("strict", True)
    try:
        assert np.all(reference.convolve(x, w, g)[0, 0, far] == 0)
    finally:
        switches.turn("strict", False)


@needs_native
def test_algorithm_holds_inside_the_block_and_nests(table) -> None:
    with convolution.algorithm("direct"):
        assert ran(table) == "direct_rows"
        with convolution.algorithm("fft"):
            assert ran(table) == "fft"
            with convolution.algorithm("reference"):
                assert ran(table) == "reference"
        assert ran(table) == "direct_rows"
    assert ran(table) == "fft"
    with pytest.raises(KeyError), convolution.algorithm("direct"):
        raise KeyError
    assert ran(table) == "fft"


@needs_native
def test_algorithm_decorates_functions(table) -> None:
    @convolution.algorithm("direct_rows")
    def inside(depth: int = 0) -> str:
        return inside(depth + 1) if depth < 2 else ran(table)

    assert inside() == inside() == "direct_rows"
    assert ran(table) == "fft"


@needs_native
def test_algorithm_belongs_to_its_thread_and_task(table) -> None:
    seen: dict[str, str] = {}
    with convolution.algorithm("direct"):
        thread = threading.Thread(target=lambda: seen.update(thread=ran(table)))
        thread.start()
        thread.join()

    async def with_direct(entered: asyncio.Event, leave: asyncio.Event) -> None:
        with convolution.algorithm("direct"):
            entered.set()
            await leave.wait()
            seen["task"] = ran(table)

    async def main() -> None:
        entered, leave = asyncio.Event(), asyncio.Event()
        task = asyncio.create_task(with_direct(entered, leave))
        await entered.wait()
        seen["beside"] = ran(table)
        leave.set()
        await task

    asyncio.run(main())
    inherits = getattr(
        sys.flags, "thread_inherit_context", 0
    )  # builds of Python whose threads start in a copy
    assert seen.pop("thread") == ("direct_rows" if inherits else "fft")
    assert seen == {"task": "direct_rows", "beside": "fft"}


@needs_native
def test_an_algorithm_that_does_not_fit_a_call_says_why(table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table[0], "_unfit", lambda p: "wants long kernels")
    x = torch.tensor(X, requires_grad=True)
    with convolution.algorithm("fft"), pytest.raises(ConvgradError) as caught:
        torch.nn.functional.conv2d(x, torch.tensor(W))
    assert str(caught.value) == (
        "backends.convolution.algorithm('fft') cannot compute the output of a convolution of (2, 3, 6, 5) with "
        "(4, 3, 3, 3), float32: fft wants long kernels. These can: direct_rows, reference"
    )
    with (
        convolution.algorithm("direct"),
        pytest.raises(ConvgradError, match=r"float32 and float64\. This can: ref"),
    ):
        native.convolve(X.astype(complex), W.astype(complex), GEOMETRY)
    with convolution.algorithm("direct"):
        assert native.convolve(X[:0], W, GEOMETRY).shape == (
            0,
            4,
            6,
            5,
        )  # nothing to compute: nothing to refuse


@needs_native
def test_gradients_obey_too(table) -> None:
    x, w = torch.tensor(X, requires_grad=True), torch.tensor(W, requires_grad=True)
    with convolution.algorithm("direct"):
        torch.nn.functional.conv2d(x, w, padding=1).sum().backward()
    assert [fake.runs for fake in table] == [0, 3]


def test_unknown_algorithms_are_refused() -> None:
    with pytest.raises(
        ConvgradError, match=r"there is no algorithm 'dir'; there are .*direct_channels.*reference"
    ):
        convolution.algorithm("dir")


def test_compiled_algorithms_need_compiled_kernels_in_use() -> None:
    before = backends.info()["kernels"]
    backends.use("reference")
    try:
        with pytest.raises(
            ConvgradError, match=r"algorithm\('direct'\): needs the compiled kernels, but .*'reference'"
        ):
            convolution.algorithm("direct")
        with convolution.algorithm("reference"):
            pass
    finally:
        backends.use(before)


def test_deterministic_algorithms_is_remembered() -> None:
    assert torch.are_deterministic_algorithms_enabled() is False
    torch.use_deterministic_algorithms(True)
    assert torch.are_deterministic_algorithms_enabled() is True and switches.deterministic is True
    torch.use_deterministic_algorithms(False, warn_only=True)
    assert torch.are_deterministic_algorithms_enabled() is False


def test_cudnn_switches_do_nothing() -> None:
    backends.cudnn.benchmark = backends.cudnn.deterministic = True
    assert not switches.benchmark and not switches.deterministic
    backends.cudnn.benchmark = backends.cudnn.deterministic = False


def test_matmul_precision_is_kept_and_without_effect() -> None:
    x, w = torch.from_numpy(X), torch.from_numpy(W)
    before = torch.nn.functional.conv2d(x, w)
    assert torch.get_float32_matmul_precision() == "highest"
    try:
        for precision in ("high", "medium"):
            torch.set_float32_matmul_precision(precision)
            assert torch.get_float32_matmul_precision() == precision
            assert torch.equal(torch.nn.functional.conv2d(x, w), before)
        with pytest.warns(UserWarning, match="foo is not one of 'highest', 'high', or 'medium'"):
            torch.set_float32_matmul_precision("foo")
        with pytest.raises(RuntimeError, match="expects a str, but got int"):
            torch.set_float32_matmul_precision(3)  # type: ignore[arg-type]
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision("highest")


@needs_native
def test_scratch_is_counted_and_given_back() -> None:
    native.convolve(X, W, GEOMETRY)
    held = convolution.scratch_bytes()
    convolution.trim_scratch()
    assert 0 <= convolution.scratch_bytes() <= held


def test_without_compiled_kernels_there_is_no_scratch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imported, "_native", None)
    assert convolution.scratch_bytes() == 0
    convolution.trim_scratch()


FORK = """
import os, threading, time
from convgrad.kernels import timings
from convgrad.switches import switches
held = threading.Event()

def hold():
    with switches.lock, timings._measuring:
        held.set()
        time.sleep(30)

threading.Thread(target=hold, daemon=True).start()
held.wait()
child = os.fork()
if child == 0:
    switches.turn("strict", True)
    with timings._measuring:
        os._exit(7)
deadline = time.monotonic() + 20
while time.monotonic() < deadline:
    done, status = os.waitpid(child, os.WNOHANG)
    if done:
        os._exit(os.waitstatus_to_exitcode(status))
    time.sleep(0.01)
os.kill(child, 9)
os._exit(1)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_does_not_wait_for_a_thread_that_is_not_there() -> None:
    path = os.pathsep.join(sys.path)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORK], timeout=60, env={**os.environ, "PYTHONPATH": path}
    )
    assert done.returncode == 7
