"""The parts of ``torch.nn`` that are the same lines over JAX and tinygrad; the rest is in nets_jax.py and
nets_tinygrad.py."""

from __future__ import annotations

from typing import Any

Array = Any


class Module:
    """Parameters, buffers and modules are attributes. ``training`` is always true here."""

    def __call__(self, x: Array) -> Array:
        return self.forward(x)

    def forward(self, x: Array) -> Array:
        raise NotImplementedError


class Sequential(Module):
    def __init__(self, *layers: Any) -> None:
        self.layers = list(layers)

    def forward(self, x: Array) -> Array:
        for layer in self.layers:
            x = layer(x)
        return x


class Function(Module):
    """A function without parameters."""

    def __init__(self, function: Any) -> None:
        self.function = function

    def forward(self, x: Array) -> Array:
        return self.function(x)


class Identity(Module):
    def forward(self, x: Array) -> Array:
        return x


class Flatten(Module):
    def forward(self, x: Array) -> Array:
        return x.reshape(x.shape[0], -1)


def over_space(mean: Any) -> Any:
    """Adaptive pooling to size 1, no other is asked for; ``mean(x, axes)`` keeps the axes."""

    def average(size: int) -> Module:
        assert size == 1, size
        return Function(lambda x: mean(x, tuple(range(2, x.ndim))))

    return average
