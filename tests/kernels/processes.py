"""Python processes of their own, for what may hang or end one; where such tests make sense."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import convgrad
from convgrad.kernels import native
from convgrad.kernels.machine import _native

compiled = pytest.mark.skipif(not native.available(), reason="the compiled kernels are not built here")
posix = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and signals as POSIX has them")
linux = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs Linux's affinity masks")
unsanitized = pytest.mark.skipif(
    _native is not None and "sanitizers" in _native.build_info()["compiler"],
    reason="the address sanitizer needs more address space than may be limited",
)


def run_python(code: str, timeout: float = 120, **env: str) -> str:
    """What a fresh Python prints for ``code``; it has to end well."""
    source = str(Path(convgrad.__file__).parents[1])
    path = os.pathsep.join(filter(None, [source, os.environ.get("PYTHONPATH", "")]))
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], env={**os.environ, "PYTHONPATH": path, **env},
        capture_output=True, text=True, timeout=timeout, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


SETUP = """
    import os, signal, sys, threading, time
    import numpy as np
    from convgrad.kernels import native, planner, threads
    from convgrad.kernels.geometry import Geometry
    from convgrad.kernels.problem import problem_of
    threads.set_num_threads(3)
    g = Geometry((1, 1), ((1, 1), (1, 1)), (1, 1), 1)
    rng = np.random.default_rng(0)
    x, w = (rng.standard_normal(s).astype(np.float32) for s in ((2, 32, 40, 40), (48, 32, 3, 3)))

    def digest():
        return native.convolve(x, w, g).tobytes()

    def direct_call(channels):
        "A direct convolution in tasks of some milliseconds at most."
        x, w = np.ones((6, channels, 64, 64)), np.full((channels, channels, 5, 5), 1e-3)
        p = problem_of("forward", x.dtype, 6, w.shape, x.shape[2:], x.shape[2:],
                       Geometry((1, 1), ((2, 2), (2, 2)), (1, 1), 1))
        plans = planner.candidates(p, native.machine())
        plan = next(plan for plan in plans if plan.algorithm.name == "direct_channels")
        call, out = plan.call, np.empty_like(x)
        return lambda: call(x, w, None, out, 0)

    def long_call(seconds=1.5):
        "One that takes about so long, on fast and slow builds; its time is that of channels squared."
        call = direct_call(64)
        times = []
        for _ in range(4):  # the best of them: a stall would make the call too short
            begin = time.monotonic()
            call()
            times.append(time.monotonic() - begin)
        return direct_call(min(640, int((seconds / min(times)) ** 0.5) * 64 or 64))

    wanted = digest()
"""


def run_with_setup(code: str, timeout: float = 120, **env: str) -> str:
    return run_python(textwrap.dedent(SETUP) + textwrap.dedent(code), timeout, **env)
