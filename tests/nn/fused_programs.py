"""Random nets of layers that are joined with what follows them, made of either library's modules.

``draw(seed)`` gives a plan: names and numbers alone. ``build(torch, plan)`` makes the net.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

Rng = np.random.Generator


class Plan(NamedTuple):
    """What a net consists of, and the shape of a batch for it."""

    layers: list[tuple[Any, ...]]
    shape: tuple[int, ...]
    classes: int


def draw(seed: int) -> Plan:
    """The plan with that number."""
    rng = np.random.default_rng(seed)
    channels, size = int(rng.integers(1, 7)), int(rng.integers(5, 20))
    shape = (int(rng.integers(2, 5)), channels, size, size + int(rng.integers(0, 3)))
    layers: list[tuple[Any, ...]] = []
    for _ in range(rng.integers(2, 7)):
        kind = str(rng.choice(["conv", "conv", "transposed", "block", "residual", "again", "pool", "other"]))
        found, channels, size = _layer(rng, kind, channels, size)
        layers += found
    return Plan(layers, shape, int(rng.integers(2, 6)))


def _layer(rng: Rng, kind: str, channels: int, size: int) -> tuple[list[tuple[Any, ...]], int, int]:
    """Layers, then channels and size after them."""
    flag = [bool(b) for b in rng.integers(0, 2, 4)]
    relu = ("relu", flag[0])
    if kind == "conv":
        stride, out = int(rng.integers(1, 3)), int(rng.integers(1, 5)) * 2
        groups = 2 if channels % 2 == 0 and flag[1] else 1
        mode = str(rng.choice(["zeros", "zeros", "reflect", "circular"]))
        padding = 1 if size > 2 else 0
        if size < 3:
            return [relu], channels, size
        made = ("conv", channels, out, 3, stride, padding, groups, flag[2], mode)
        return [made, *([relu] if flag[3] else [])], out, (size + 2 * padding - 3) // stride + 1
    if kind == "transposed":
        if size > 20:
            return [relu], channels, size
        out = int(rng.integers(1, 5))
        return [("transposed", channels, out, 2, 2, flag[1]), relu], out, size * 2
    if kind == "block":
        out = int(rng.integers(1, 9))
        return (
            [("conv", channels, out, 1, 1, 0, 1, flag[1], "zeros"), ("norm", out, flag[2]), relu],
            out,
            size,
        )
    if kind == "residual":
        same = ("conv", channels, channels, 3, 1, 1, 1, flag[1], "zeros")
        inner = [
            same,
            ("norm", channels, True),
            relu,
            ("conv", channels, channels, 1, 1, 0, 1, False, "zeros"),
        ]
        return [("residual", inner[: 4 if flag[2] else 3], flag[3])], channels, size
    if kind == "again":
        return [("again", [("conv", channels, channels, 3, 1, 1, 1, flag[1], "zeros"), relu])], channels, size
    if kind == "pool" and size > 3:
        return [("pool", flag[1])], channels, size // 2
    return [(str(rng.choice(["tanh", "gelu", "dropout", "relu"])), False)], channels, size


def build(torch: Any, plan: Plan) -> Any:
    """The net of a plan: images to classes."""
    nn = torch.nn

    class Residual(nn.Module):  # type: ignore[name-defined, misc, unused-ignore]
        """What stands inside, and the image added to it."""

        def __init__(self, inner: Any, active: bool) -> None:
            super().__init__()
            self.inner, self.active = inner, nn.ReLU() if active else None

        def forward(self, x: Any) -> Any:
            out = self.inner(x) + x
            return out if self.active is None else self.active(out)

    class Net(nn.Module):  # type: ignore[name-defined, misc, unused-ignore]
        """A trunk, the mean over the pixels, and a head."""

        def __init__(self) -> None:
            super().__init__()
            self.trunk = chain(plan.layers)
            width = trunk_width(plan)
            self.hidden, self.relu, self.head = nn.Linear(width, 5), nn.ReLU(), nn.Linear(5, plan.classes)

        def forward(self, x: Any) -> Any:
            x = self.trunk(x * 1).flatten(2).mean(2)
            return self.head(self.relu(self.hidden(x)))

    def chain(layers: list[tuple[Any, ...]]) -> Any:
        return nn.Sequential(*[module for layer in layers for module in made(*layer)])

    def made(kind: str, *how: Any) -> list[Any]:
        if kind == "conv":
            c, out, k, stride, padding, groups, bias, mode = how
            return [nn.Conv2d(c, out, k, stride, padding, 1, groups, bias, mode)]
        if kind == "transposed":
            c, out, k, stride, bias = how
            return [nn.ConvTranspose2d(c, out, k, stride, bias=bias)]
        if kind == "residual":
            return [Residual(chain(how[0]), how[1])]
        if kind == "again":
            return [*chain(how[0])] * 2  # the same modules, a second time
        return [
            {
                "norm": lambda: nn.BatchNorm2d(how[0], affine=how[1]),
                "relu": lambda: nn.ReLU(how[0]),
                "pool": lambda: nn.MaxPool2d(2) if how[0] else nn.AvgPool2d(2),
                "tanh": nn.Tanh,
                "gelu": nn.GELU,
                "dropout": lambda: nn.Dropout(0.3),
            }[kind]()
        ]

    return Net()


def trunk_width(plan: Plan) -> int:
    """Channels behind the trunk."""
    width = plan.shape[1]
    for kind, *how in plan.layers:
        if kind in ("conv", "transposed"):
            width = how[1]
    return width


__all__ = ["Plan", "build", "draw"]
