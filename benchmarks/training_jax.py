"""The training steps of train.py on JAX: network, loss, gradient and optimiser in one ``jax.jit``."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial
from typing import Any

import nets_jax
import training_other
from nets import Program

Array = Any


def cross_entropy(jax: Any, output: Array, y: Array) -> Array:
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


def training_step(jax: Any, program: Program, net: Any) -> Callable[[], Any]:
    """The training step to time; the first call compiles."""
    places = nets_jax.slots(net)

    def forward(weights: list[Array], buffers: list[Array], x: Array, y: Array) -> tuple[Array, list[Array]]:
        for slots, values in zip(places, (weights, buffers), strict=True):
            for (module, name), value in zip(slots, values, strict=True):
                setattr(module, name, value)
        loss = training_other.loss_of(partial(cross_entropy, jax), program, net(x), y)
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
    given = training_other.given_weights([weight.shape for weight in weights])
    weights = weights if given is None else list(map(jax.numpy.array, given))
    moments = [(jax.numpy.zeros_like(w), jax.numpy.zeros_like(w)) for w in weights]
    state = (jax.numpy.zeros((), jax.numpy.float32), weights, buffers, moments)
    examples = itertools.cycle(training_other.batches(program, jax.numpy.asarray))

    def run() -> Any:
        nonlocal state
        state, loss = jax.block_until_ready(compiled(state, *next(examples)))
        return loss

    return run


STEPS = training_other.Steps("jax", "JAX", nets_jax.namespace, training_step, 1, probe="import jax")
