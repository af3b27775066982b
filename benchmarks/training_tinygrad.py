"""The training steps of train.py on tinygrad: network, loss, gradient and optimiser in one ``TinyJit``."""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Callable
from typing import Any

import nets_tinygrad
import training_other
from nets import Program

Array = Any

# What every process with tinygrad is told: the processor, no kernels from earlier runs, no helping processes.
ENVIRONMENT = {"DEV": "CPU", "CACHELEVEL": "0", "PARALLEL": "0"}
# Run before the column is promised: a kernel must come out of the C compiler.
PROBE = "from tinygrad import Tensor; assert (Tensor([1.0, 2.0]) * 2).tolist() == [2.0, 4.0]"


def cross_entropy(output: Array, y: Array) -> Array:
    return output.sparse_categorical_crossentropy(y)


def state(tinygrad: Any, net: Any) -> list[Array]:
    """Parameters and buffers of a network, the former from our side's weights if they are there."""
    found = tinygrad.nn.state.get_parameters(net)
    parameters = [each for each in found if each.is_param]
    weights = training_other.given_weights([each.shape for each in parameters])
    for parameter, weight in zip(parameters, weights or (), strict=weights is not None):
        parameter.assign(tinygrad.Tensor(weight)).realize()
    return found


def training_step(tinygrad: Any, program: Program, net: Any) -> Callable[[], Array]:
    """The training step to time. The first call makes the kernels, the second a list of their calls."""
    # An optimiser changes the parameters; running statistics are computed with its step if it knows of them.
    optimizer = getattr(tinygrad.nn.optim, program.optimizer)(state(tinygrad, net), **program.settings)

    def step(x: Array, y: Array) -> Array:
        with tinygrad.Context(TRAINING=1):
            optimizer.zero_grad()
            loss = training_other.loss_of(cross_entropy, program, net(x), y)
            loss.backward()
            return loss.realize(*optimizer.schedule_step())

    compiled = tinygrad.TinyJit(step)
    given = itertools.cycle(training_other.batches(program, lambda array: tinygrad.Tensor(array).realize()))

    def run() -> Array:
        loss = compiled(*next(given))
        tinygrad.Device["CPU"].synchronize()  # the device has threads of its own; the parameters are last
        return loss

    return run


def set_threads(_tinygrad: Any, count: int) -> None:
    importlib.import_module("tinygrad.helpers").NUM_CPU_THREADS.value = count


STEPS = training_other.Steps(
    "tinygrad", "tinygrad", nets_tinygrad.namespace, training_step, 2, set_threads, PROBE, ENVIRONMENT
)
