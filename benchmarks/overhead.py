"""What one small operation costs, with and without gradient, and what each feature of a tensor adds to it.

All tensors have four elements or fewer: the time is the library's own, not the arithmetic's.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from harness import Case, Check, Rows, main
from machine import resident_bytes

CHAIN_LENGTHS = (1_000, 10_000, 100_000, 1_000_000)
LIVE_NODES = 100_000

FORWARD = "lecture chain, forward"
BACKWARD = "lecture chain, forward + backward"
PRODUCT = "a * b with gradient, forward"
PRODUCT_BACKWARD = "a * b with gradient, forward + backward"
LIVE = f"a * b with gradient, forward, while {LIVE_NODES} nodes live"
TARGETS = {FORWARD: 1.4, BACKWARD: 1.8, PRODUCT: 1.1}


def chain_name(length: int) -> str:
    return f"backward of a chain of {length}, per node"


def memory_name(length: int) -> str:
    return f"memory of a chain of {length}, per node"


def lecture(torch: Any) -> dict[str, Any]:
    """The chain of the lecture: y = x - 2, z = 3 y^2, a = mean(z)."""
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)

    def forward() -> Any:
        y = x - 2
        z = 3 * y**2
        return z.mean()

    return {FORWARD: forward, BACKWARD: lambda: forward().backward()}


def products(torch: Any) -> dict[str, Any]:
    """One multiplication of two 2 x 2 tensors: bare, recorded, differentiated."""
    a = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    b = torch.tensor([[0.5, 1.5], [2.5, 3.5]], requires_grad=True)
    plain_a, plain_b = a.detach(), b.detach()
    ones = torch.ones(2, 2)
    return {
        "a * b without gradient": lambda: plain_a * plain_b,
        PRODUCT: lambda: a * b,
        PRODUCT_BACKWARD: lambda: (a * b).backward(ones),
        "a * b with gradient to a alone, forward + backward": lambda: (a * plain_b).backward(ones),
    }


def operands(torch: Any) -> dict[str, Any]:
    """The same multiplication with operands that leave the common path."""
    a = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    scalar = torch.tensor(1.5, requires_grad=True)
    double = torch.ones(2, 2, dtype=torch.float64)
    whole = torch.ones(2, 2, dtype=torch.int64)
    half = torch.ones(2, 2, dtype=torch.bfloat16)
    row = torch.ones(1, 2)
    return {
        "scalar operand: a * 2.0": lambda: a * 2.0,
        "scalar operand: a + 1": lambda: a + 1,
        "0-d: s * s": lambda: scalar * scalar,
        "0-d: s * s, forward + backward": lambda: (scalar * scalar).backward(),
        "0-d operand: a * s": lambda: a * scalar,
        "promotion: float32 * float64": lambda: a * double,
        "promotion: float32 * int64": lambda: a * whole,
        "promotion: float32 * bfloat16": lambda: a * half,
        "bfloat16 * bfloat16, no gradient": lambda: half * half,
        "broadcasting: (2, 2) * (1, 2)": lambda: a * row,
        "broadcasting: (2, 2) * (1, 2), forward + backward": broadcast_backward(torch),
    }


def broadcast_backward(torch: Any) -> Callable[[], None]:
    a = torch.ones(2, 2, requires_grad=True)
    row = torch.ones(1, 2, requires_grad=True)
    ones = torch.ones(2, 2)
    return lambda: (a * row).backward(ones)


def features(torch: Any) -> dict[str, Any]:
    """Hooks, modes, views, in-place changes, several outputs, higher order, a user's Function."""
    a = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    hooked = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    hooked.register_hook(lambda _gradient: None)
    plain, ones = a.detach(), torch.ones(2, 2)

    class Double(torch.autograd.Function):  # type: ignore[name-defined, misc, unused-ignore]
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return x * 2

        @staticmethod
        def backward(ctx: Any, gradient: Any) -> Any:
            (_x,) = ctx.saved_tensors
            return gradient * 2

    def under_no_grad() -> Any:
        with torch.no_grad():
            return a * a

    def in_place_on_view() -> None:
        y = a * 1.0
        y[0].add_(1.0)

    def split_backward() -> None:
        first, second = (a * 1.0).split(1)
        (first + second).backward(ones[:1])

    def second_order() -> None:
        (gradient,) = torch.autograd.grad((a * a * a).sum(), a, create_graph=True)
        gradient.sum().backward()

    return {
        "hook on a leaf: a * a, forward + backward": lambda: (hooked * hooked).backward(ones),
        "no hook: a * a, forward + backward": lambda: (a * a).backward(ones),
        "no_grad: with no_grad(): a * a": under_no_grad,
        "detach": a.detach,
        "view: a.view(4)": lambda: a.view(4),
        "index: a[0]": lambda: a[0],
        "in place, no gradient: plain.add_(0.0)": lambda: plain.add_(0.0),
        "in place on a view of a recorded tensor": in_place_on_view,
        "several outputs: split, forward + backward": split_backward,
        "sum": lambda: a.sum(),
        "matmul 2 x 2": lambda: a @ a,
        "second order: d/da sum(d sum(a^3)/da)": second_order,
        "Function of the user, forward": lambda: Double.apply(a),
        "Function of the user, forward + backward": lambda: Double.apply(a).backward(ones),
        "item": lambda: plain[0, 0].item(),
    }


def build_chain(torch: Any, length: int) -> Any:
    """x + 1 + 1 + ... with one recorded node for each step."""
    y = torch.ones(1, requires_grad=True)
    for _ in range(length):
        y = y + 1.0
    return y


def chain_memory(torch: Any, length: int) -> float:
    """Bytes of resident memory that a recorded chain takes; reused blocks do not count."""
    before = resident_bytes()
    y = build_chain(torch, length)
    grown = resident_bytes() - before
    y.backward()
    return float(grown)


def memory(torch: Any) -> dict[str, Any]:
    """Memory per node of long chains."""

    def row(length: int) -> Case:
        return Case(lambda: chain_memory(torch, length), per=length, unit="B", rounds=1)

    return {memory_name(length): row(length) for length in CHAIN_LENGTHS[-2:]}


def chains(torch: Any) -> dict[str, Any]:
    """Time per node of long chains, and the cost of one operation among many live nodes."""
    a = torch.ones(2, 2, requires_grad=True)

    def row(length: int) -> Case:
        rounds = 3 if length >= 100_000 else None
        return Case(lambda y: y.backward(), lambda: build_chain(torch, length), True, length, rounds=rounds)

    rows: dict[str, Any] = {chain_name(length): row(length) for length in CHAIN_LENGTHS}
    rows[LIVE] = Case(lambda _alive: a * a, prepare=lambda: build_chain(torch, LIVE_NODES))
    return rows


def setup(torch: Any) -> dict[str, Any]:
    """All rows. Memory first: later it would find the memory of other rows to use again."""
    parts = (memory, lecture, products, operands, features, chains)
    return {name: case for part in parts for name, case in part(torch).items()}


def checks(rows: Rows) -> list[Check]:
    """What must hold of our own figures, whatever PyTorch's are."""
    short, long = (
        rows[chain_name(CHAIN_LENGTHS[0])].our_median,
        rows[chain_name(CHAIN_LENGTHS[-1])].our_median,
    )
    few, many = (rows[memory_name(length)].our_median for length in CHAIN_LENGTHS[-2:])
    alone, crowded = rows[PRODUCT].our_median, rows[LIVE].our_median
    node, memory_of_node, among = long / short, many / few, crowded / alone
    return [
        Check(
            f"a node of the longest chain costs {node:.2f}x one of the shortest (at most 1.5)", node <= 1.5
        ),
        Check(
            f"memory of a node in the longest chain is {memory_of_node:.2f}x that in one of a tenth",
            memory_of_node <= 1.5,
        ),
        Check(
            f"among {LIVE_NODES} live nodes an operation costs {among:.2f}x one alone (at most 1.5)",
            among <= 1.5,
        ),
    ]


if __name__ == "__main__":
    sys.exit(main(setup, "overhead", TARGETS, checks))
