"""The training steps of train.py on JAX: network, loss, gradient and optimiser in one ``jax.jit``."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

import nets_jax
from nets import PROGRAMS, Program
from training import FOLDER, KEPT
from worker import Case

Array = Any
Request = dict[str, Any]


def batches(jax: Any, program: Program) -> list[tuple[Array, Array]]:
    """The first batches of a program's data."""
    folder, size = Path(os.environ[FOLDER]), program.batch
    x, y = (
        np.load(folder / f"{program.data}-{part}.npy", mmap_mode="r")[: KEPT * size] for part in ("x", "y")
    )
    starts = range(0, len(x) - size + 1, size)
    return [(jax.numpy.asarray(x[at : at + size]), jax.numpy.asarray(y[at : at + size])) for at in starts]


def loss_of(jax: Any, program: Program, output: Array, y: Array) -> Array:
    """Cross-entropy or mean squared error, as the program says."""
    if program.loss == "mse_loss":
        return ((output - y) ** 2).mean()
    return -jax.nn.log_softmax(output)[jax.numpy.arange(len(y)), y].mean()


def update(
    program: Program, count: Array, weight: Array, gradient: Array, moments: tuple[Array, Array]
) -> tuple[Array, tuple[Array, Array]]:
    """One parameter after a step of SGD with momentum, or of Adam (Kingma & Ba 2015), and its new moments."""
    rate, first, second = program.settings["lr"], *moments
    if program.optimizer == "SGD":
        first = program.settings["momentum"] * first + gradient
        return weight - rate * first, (first, second)
    first = 0.9 * first + 0.1 * gradient
    second = 0.999 * second + 0.001 * gradient**2
    deviation = (second / (1 - 0.999**count)) ** 0.5 + 1e-8
    return weight - rate / (1 - 0.9**count) * first / deviation, (first, second)


@lru_cache(maxsize=1)
def training_step(jax: Any, program: Program) -> Callable[[], Any]:
    """The training step to time; the first call compiles."""
    net = program.net(nets_jax.namespace(jax))
    places = nets_jax.slots(net)

    def forward(weights: list[Array], buffers: list[Array], x: Array, y: Array) -> tuple[Array, list[Array]]:
        for slots, values in zip(places, (weights, buffers), strict=True):
            for (module, name), value in zip(slots, values, strict=True):
                setattr(module, name, value)
        loss = loss_of(jax, program, net(x), y)
        return loss, [getattr(module, name) for module, name in places[1]]

    def step(state: tuple[Array, ...], x: Array, y: Array) -> tuple[tuple[Array, ...], Array]:
        count, weights, buffers, moments = state
        (loss, buffers), gradients = jax.value_and_grad(forward, has_aux=True)(weights, buffers, x, y)
        count = count + 1
        changed = [update(program, count, *each) for each in zip(weights, gradients, moments, strict=True)]
        weights, moments = [weight for weight, _ in changed], [moment for _, moment in changed]
        return (count, weights, buffers, moments), loss

    compiled = jax.jit(step, donate_argnums=0)
    weights, buffers = [[jax.numpy.array(getattr(*slot)) for slot in slots] for slots in places]
    moments = [(jax.numpy.zeros_like(w), jax.numpy.zeros_like(w)) for w in weights]
    state = (jax.numpy.zeros((), jax.numpy.float32), weights, buffers, moments)
    given = itertools.cycle(batches(jax, program))

    def run() -> Any:
        nonlocal state
        state, loss = compiled(state, *next(given))
        return jax.block_until_ready(loss)

    return run


def can(jax: Any, program: Program) -> bool:
    """Whether nets_jax.py has what the network asks for."""
    try:
        program.net(nets_jax.namespace(jax))
    except AttributeError:
        return False
    return True


def setup(jax: Any) -> dict[str, Case]:
    """The rows that JAX has."""
    return {
        program.row: Case(None, partial(training_step, jax, program))
        for program in PROGRAMS
        if can(jax, program)
    }


def requests(jax: Any) -> dict[str, Callable[[Request], Request]]:
    """What a worker answers beside times."""
    programs = {program.row: program for program in PROGRAMS}

    def compilation(request: Request) -> Request:
        step = training_step(jax, programs[request["row"]])
        start = time.perf_counter()
        step()
        return {"seconds": time.perf_counter() - start}

    return {"compile": compilation, "threads": lambda _request: {}}
