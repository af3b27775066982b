"""What the workers of train.py's further libraries, JAX and tinygrad, have in common.

Such a library compiles the whole training step. It starts from the weights that our side wrote, so that the
losses of its first steps can be compared with ours.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from nets import PROGRAMS, Program
from training import FOLDER, KEPT, WEIGHTS, Request, compilation
from worker import Case

Array = Any
Step = Callable[[], Any]
PROBE_SECONDS = 120.0


def batches(program: Program, array: Callable[[Array], Array]) -> list[tuple[Array, Array]]:
    """The first batches of a program's data, as arrays of the library."""
    folder, size = Path(os.environ[FOLDER]), program.batch
    x, y = (
        np.array(np.load(folder / f"{program.data}-{part}.npy", mmap_mode="r")[: KEPT * size])
        for part in ("x", "y")
    )
    starts = range(0, len(x) - size + 1, size)
    return [(array(x[at : at + size]), array(y[at : at + size])) for at in starts]


def loss_of(
    cross_entropy: Callable[[Array, Array], Array], program: Program, output: Array, y: Array
) -> Array:
    """Cross-entropy or mean squared error, as the program says."""
    return ((output - y) ** 2).mean() if program.loss == "mse_loss" else cross_entropy(output, y)


def given_weights(shapes: list[tuple[int, ...]]) -> list[Array] | None:
    """The parameters that our side starts from, if it wrote any.

    Raises:
        ValueError: the library's network has parameters of other shapes.
    """
    try:
        with np.load(Path(os.environ[FOLDER]) / WEIGHTS) as saved:
            weights = [saved[name] for name in saved.files]
    except FileNotFoundError:
        return None
    if (given := [weight.shape for weight in weights]) != shapes:
        raise ValueError(f"weights of shapes {given} are for another network, this one has {shapes}")
    return weights


@dataclass(frozen=True, eq=False)
class Steps:
    """How a library trains, and what its workers are asked.

    Attributes:
        library: module name.
        label: of its column.
        namespace: given the library, what stands for ``torch`` in nets.py.
        make: given library, program and network, the training step; it returns the loss when all is done.
        first: calls of a step that compile.
        set_threads: given library and number, if it can be told.
        probe: Python that fails where the library cannot run.
        environ: of every worker, so that all compile alone and anew.
    """

    library: str
    label: str
    namespace: Callable[[Any], Any]
    make: Callable[[Any, Program, Any], Step]
    first: int
    set_threads: Callable[[Any, int], None] | None = None
    probe: str = ""
    environ: dict[str, str] = field(default_factory=dict)

    def net(self, library: Any, program: Program) -> Any:
        """The program's network.

        Raises:
            NotImplementedError: the library's namespace lacks one of its parts.
        """
        try:
            return program.net(self.namespace(library))
        except AttributeError as error:
            raise NotImplementedError(f"nets_{self.library}.py has no {error.name}") from None

    @lru_cache(maxsize=1)  # noqa: B019 - there is one of these for each library
    def step(self, library: Any, program: Program) -> Step:
        """The training step to time; that of the last program is kept."""
        return self.make(library, program, self.net(library, program))

    def setup(self, library: Any) -> dict[str, Case]:
        """A row for every program."""
        return {program.row: Case(None, partial(self.step, library, program)) for program in PROGRAMS}

    def requests(self, library: Any) -> dict[str, Callable[[Request], Request]]:
        """What a worker answers beside times."""
        programs = {program.row: program for program in PROGRAMS}

        def compiled(request: Request) -> Request:
            make = partial(self.step, library, programs[request["row"]])
            return compilation(make, self.first, request["seconds"])

        def threads(request: Request) -> Request:
            if self.set_threads is not None:
                self.set_threads(library, request["threads"])
            return {}

        return {"compile": compiled, "threads": threads}

    def lack(self, python: str) -> str:
        """Why an environment's interpreter cannot run this library; empty if it can."""
        if not os.path.exists(python):
            return "no environment that has it (`make jax`)"
        command, environ = [python, "-c", self.probe], {**os.environ, **self.environ}
        done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=PROBE_SECONDS)
        return done.stderr.strip().rpartition("\n")[2] if done.returncode else ""
