"""As much of ``torch.nn`` over JAX as the networks of nets.py ask for: they are the same ones for JAX, too.

A module holds its parameters and buffers as attributes, which :func:`slots` lists. Under ``jax.jit`` they are
replaced by what is traced, and the buffers that a call left are read out again: see training_jax.py.
"""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np

import nets_other
from nets_other import Flatten, Function, Identity, Sequential, over_space

Array = Any
Slot = tuple[nets_other.Module, str]
DECAY = 0.1  # of running statistics
EPSILON = 1e-5


class Module(nets_other.Module):
    """Names of the attributes that are parameters, and of those that are buffers."""

    parameters: tuple[str, ...] = ()
    buffers: tuple[str, ...] = ()


def children(module: nets_other.Module) -> list[nets_other.Module]:
    """Modules in attributes, and in lists among these, in the order of assignment."""
    values = [
        entry for value in vars(module).values() for entry in (value if isinstance(value, list) else [value])
    ]
    return [value for value in values if isinstance(value, nets_other.Module)]


def slots(module: nets_other.Module) -> tuple[list[Slot], list[Slot]]:
    """Where parameters and buffers of a network stand: (module, attribute), each once."""
    found: tuple[list[Slot], list[Slot]] = ([], [])
    if isinstance(module, Module):
        found[0].extend((module, name) for name in module.parameters)
        found[1].extend((module, name) for name in module.buffers)
    for child in children(module):
        for kind, more in zip(found, slots(child), strict=True):
            kind.extend(more)
    return found


def uniform(shape: tuple[int, ...], fan_in: int) -> Array:
    """Numbers within ``1 / sqrt(fan_in)``: the default of linear layers and convolutions."""
    bound = 1 / math.sqrt(fan_in)
    return np.random.default_rng(math.prod(shape)).uniform(-bound, bound, shape).astype(np.float32)


def several(value: int | tuple[int, ...], ndim: int) -> tuple[int, ...]:
    return (value,) * ndim if isinstance(value, int) else value


def columns(values: Array, ndim: int) -> Array:
    """A number per channel, in the shape of ``(N, C, *spatial)``."""
    return values.reshape(-1, *(1,) * ndim)


def namespace(jax: Any) -> Any:
    """What stands for ``torch``: ``nn``, ``nn.functional`` and ``cat``, over this JAX."""
    average = over_space(lambda x, axes: x.mean(axes, keepdims=True))
    nn = SimpleNamespace(
        Module=nets_other.Module, Sequential=Sequential, Identity=Identity, Flatten=Flatten, Linear=Linear,
        ReLU=lambda: Function(jax.nn.relu),
        AdaptiveAvgPool1d=average, AdaptiveAvgPool2d=average,
        MaxPool1d=lambda width: MaxPool(jax, width, 1), MaxPool2d=lambda width: MaxPool(jax, width, 2),
        BatchNorm1d=lambda channels: BatchNorm(jax, channels, 1),
        BatchNorm2d=lambda channels: BatchNorm(jax, channels, 2),
        Conv1d=lambda *sizes, **more: Conv(jax, 1, *sizes, **more),
        Conv2d=lambda *sizes, **more: Conv(jax, 2, *sizes, **more),
        ConvTranspose2d=lambda *sizes: Unpool(jax, *sizes),
        LSTM=lambda inputs, hidden, **_batch_first: LSTM(jax, inputs, hidden),
        functional=SimpleNamespace(relu=jax.nn.relu, pad=lambda x, ends: pad(jax, x, ends)),
    )  # fmt: skip
    return SimpleNamespace(nn=nn, cat=jax.numpy.concatenate)


def pad(jax: Any, x: Array, ends: tuple[int, int]) -> Array:
    """Zeros around the last axis."""
    return jax.numpy.pad(x, [(0, 0)] * (x.ndim - 1) + [ends])


class Linear(Module):
    parameters = ("weight", "bias")

    def __init__(self, inputs: int, outputs: int) -> None:
        self.weight, self.bias = uniform((outputs, inputs), inputs), uniform((outputs,), inputs)

    def forward(self, x: Array) -> Array:
        return x @ self.weight.T + self.bias


class Conv(Module):
    """A convolution of ``ndim`` dimensions; arguments in PyTorch's order."""

    def __init__(
        self, jax: Any, ndim: int, inputs: int, outputs: int, kernel_size: int, stride: int = 1,
        padding: int = 0, dilation: int = 1, groups: int = 1, bias: bool = True,
    ) -> None:  # fmt: skip
        self.convolve, self.ndim, self.groups = jax.lax.conv_general_dilated, ndim, groups
        self.stride, self.dilation = several(stride, ndim), several(dilation, ndim)
        self.padding = [(padding, padding)] * ndim
        fan_in = inputs // groups * kernel_size**ndim
        self.weight = uniform((outputs, inputs // groups, *several(kernel_size, ndim)), fan_in)
        self.bias = uniform((outputs,), fan_in) if bias else None
        self.parameters = ("weight", "bias") if bias else ("weight",)

    def forward(self, x: Array) -> Array:
        y = self.convolve(
            x, self.weight, self.stride, self.padding, rhs_dilation=self.dilation,
            feature_group_count=self.groups,
        )  # fmt: skip
        return y if self.bias is None else y + columns(self.bias, self.ndim)


class Unpool(Module):
    """A transposed convolution whose stride is its width: every input number becomes a patch of its own."""

    parameters = ("weight", "bias")

    def __init__(self, jax: Any, inputs: int, outputs: int, width: int, stride: int) -> None:
        assert width == stride, (width, stride)
        self.numpy, self.width = jax.numpy, width
        self.weight = uniform((inputs, outputs, width, width), outputs * width * width)
        self.bias = uniform((outputs,), outputs * width * width)

    def forward(self, x: Array) -> Array:
        n, _, h, w = x.shape
        patches = self.numpy.einsum("ncyx,coij->noyixj", x, self.weight)
        return patches.reshape(n, -1, h * self.width, w * self.width) + columns(self.bias, 2)


class MaxPool(Module):
    """Maxima of windows side by side; what is left at the end is dropped."""

    def __init__(self, jax: Any, width: int, ndim: int) -> None:
        self.lax, self.window = jax.lax, (1, 1, *several(width, ndim))

    def forward(self, x: Array) -> Array:
        return self.lax.reduce_window(x, -np.inf, self.lax.max, self.window, self.window, "VALID")


class BatchNorm(Module):
    parameters = ("weight", "bias")
    buffers = ("mean", "variance")

    def __init__(self, jax: Any, channels: int, ndim: int) -> None:
        self.rsqrt, self.ndim = jax.lax.rsqrt, ndim
        self.weight, self.bias = np.ones(channels, np.float32), np.zeros(channels, np.float32)
        self.mean, self.variance = np.zeros(channels, np.float32), np.ones(channels, np.float32)

    def forward(self, x: Array) -> Array:
        axes = (0, *range(2, x.ndim))
        mean, variance = x.mean(axes), x.var(axes)
        count = x.size // x.shape[1]
        unbiased = variance * (count / max(count - 1, 1))
        self.mean = self.mean + DECAY * (mean - self.mean)
        self.variance = self.variance + DECAY * (unbiased - self.variance)
        scale = self.weight * self.rsqrt(variance + EPSILON)
        return x * columns(scale, self.ndim) + columns(self.bias - mean * scale, self.ndim)


class LSTM(Module):
    """One layer, batch first (Hochreiter & Schmidhuber 1997); gates: input, forget, cell, output."""

    parameters = ("weight", "recurrent", "bias", "recurrent_bias")

    def __init__(self, jax: Any, inputs: int, hidden: int) -> None:
        self.jax, self.hidden = jax, hidden
        self.weight = uniform((4 * hidden, inputs), hidden)
        self.recurrent = uniform((4 * hidden, hidden), hidden)
        self.bias, self.recurrent_bias = uniform((4 * hidden,), hidden), uniform((4 * hidden,), hidden)

    def forward(self, x: Array) -> Array:
        numpy, sigmoid = self.jax.numpy, self.jax.nn.sigmoid

        def cell(state: tuple[Array, Array], gates: Array) -> tuple[tuple[Array, Array], Array]:
            h, c = state
            i, f, g, o = numpy.split(gates + h @ self.recurrent.T, 4, 1)
            c = sigmoid(f) * c + sigmoid(i) * numpy.tanh(g)
            h = sigmoid(o) * numpy.tanh(c)
            return (h, c), h

        gates = (x @ self.weight.T + self.bias + self.recurrent_bias).swapaxes(0, 1)
        start = (numpy.zeros((len(x), self.hidden), x.dtype),) * 2
        last, states = self.jax.lax.scan(cell, start, gates)
        return states.swapaxes(0, 1), last
