"""Many training steps take no more memory than few: in arrays, blocks, objects, and as the system counts it."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable

import pytest
from tests.backends.trainings import MAKERS, Training
from tests.kernels.processes import linux, run_python, unsanitized

from convgrad.backends import memory


def grown(training: Training, steps: int) -> tuple[int, int]:
    """How many bytes and objects more there are after so many steps."""
    for _ in range(20):
        training.step()
    gc.collect()
    tracemalloc.start()
    try:
        training.step()
        gc.collect()
        bytes_before, objects = tracemalloc.get_traced_memory()[0], len(gc.get_objects())
        in_use = memory.memory_stats()["in_use"]
        for _ in range(steps):
            training.step()
        gc.collect()
        more = tracemalloc.get_traced_memory()[0] - bytes_before + memory.memory_stats()["in_use"] - in_use
        return more, len(gc.get_objects()) - objects
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("make", MAKERS)
def test_300_steps_do_not_grow(make: Callable[[], Training]) -> None:
    more, objects = grown(make(), 300)
    assert more < 30000 and objects < 50, (more, objects)


@pytest.mark.slow
@pytest.mark.parametrize("make", MAKERS)
def test_10000_steps_do_not_grow(make: Callable[[], Training]) -> None:
    more, objects = grown(make(), 10000)
    assert more < 30000 and objects < 50, (more, objects)


RESIDENT = """
    import gc, resource, sys
    import convgrad as torch
    from tests.backends import trainings

    def resident():
        gc.collect()
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * resource.getpagesize()

    training = getattr(trainings, {name!r})()
    for _ in range(300):
        training.step()
    before, facts = resident(), torch.memory_stats()
    for _ in range({steps}):
        training.step()
    after = torch.memory_stats()
    for name in ("in_use", "kept", "peak"):
        assert after[name] <= facts[name], (name, facts, after)
    assert resident() - before < 1 << 20, resident() - before
    print("done")
"""


@linux
@unsanitized
@pytest.mark.slow
@pytest.mark.parametrize("make", MAKERS)
def test_10000_steps_stay_as_large_as_the_system_sees_them(make: Callable[[], Training]) -> None:
    code = RESIDENT.format(name=make.__name__, steps=10000)
    assert run_python(code, timeout=600, OMP_NUM_THREADS="2").strip() == "done"
