"""Programs of many small recorded operations: cells by hand, scalar loops of higher order, Jacobians."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import overhead
from harness import main

CHAIN = overhead.BACKWARD
LSTM = "LSTM cell by hand, hidden 32, 50 steps, forward + backward"
NEWTON = "Newton's method, 1000 scalar steps with create_graph"
JACOBIAN = "jacobian of a function with 100 outputs"
TARGETS = {CHAIN: 2.0, LSTM: 1.4, NEWTON: 1.6, JACOBIAN: 1.4}


def lecture(torch: Any) -> dict[str, Any]:
    """The lecture's chain, as overhead.py has it."""
    return {CHAIN: overhead.lecture(torch)[CHAIN]}


def lstm(torch: Any, steps: int = 50, batch: int = 4, inputs: int = 16, hidden: int = 32) -> dict[str, Any]:
    """Four gates of two products each, spelt out: some thirty operations a step."""
    torch.manual_seed(0)
    signal = torch.randn(steps, batch, inputs)
    gates = [
        [
            (torch.randn(*shape) * 0.1).requires_grad_()
            for shape in ((inputs, hidden), (hidden, hidden), (hidden,))
        ]
        for _ in range(4)
    ]

    def gate(k: int, x: Any, h: Any) -> Any:
        wx, wh, b = gates[k]
        return x @ wx + h @ wh + b

    def run() -> None:
        h, c = torch.zeros(batch, hidden), torch.zeros(batch, hidden)
        for t in range(steps):
            x = signal[t]
            i, f = torch.sigmoid(gate(0, x, h)), torch.sigmoid(gate(1, x, h))
            g, o = torch.tanh(gate(2, x, h)), torch.sigmoid(gate(3, x, h))
            c = f * c + i * g
            h = o * torch.tanh(c)
        (h * h).sum().backward()

    return {LSTM: run}


def newton(torch: Any, steps: int = 1000) -> dict[str, Any]:
    """x - f'(x) / f''(x), each derivative by the engine: the minimum of x^4 - 3 x^2 + x."""

    def run() -> float:
        x = torch.tensor(2.0, requires_grad=True)
        for _ in range(steps):
            y = x * x * x * x - 3 * x * x + x
            (slope,) = torch.autograd.grad(y, x, create_graph=True)
            (curvature,) = torch.autograd.grad(slope, x)
            x = (x - slope / curvature).detach().requires_grad_()
        return x.item()

    return {NEWTON: run}


def jacobian(torch: Any, size: int = 100) -> dict[str, Any]:
    """All derivatives of tanh(V tanh(W x)), row by row: the default of autograd.functional.jacobian."""
    torch.manual_seed(0)
    w, v = torch.randn(size, size) * 0.1, torch.randn(size, size) * 0.1
    x = torch.randn(size)

    def f(x: Any) -> Any:
        return torch.tanh(v @ torch.tanh(w @ x))

    derivative: Callable[..., Any] = torch.autograd.functional.jacobian
    return {JACOBIAN: lambda: derivative(f, x)}


def setup(torch: Any) -> dict[str, Any]:
    """All rows."""
    return {name: case for part in (lecture, lstm, newton, jacobian) for name, case in part(torch).items()}


if __name__ == "__main__":
    sys.exit(main(setup, "graphs", TARGETS))
