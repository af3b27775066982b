"""Break every derivative of every operator in the tables by 0.1 % in turn, and see the check fail.

A check that never fails proves nothing. The check is the one of ``test_operators.py``: a vjp is held
against its jvp (adjoint identity, to rounding), so a change of either side by 0.1 % must show.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from convgrad import autograd
from convgrad.autograd import forward_ad
from convgrad.ops.op import Op
from convgrad.tensor.tensor import Tensor

from .cases.case import Case
from .generic import DIFFERENTIABLE, cotangent, floating, inner, tensors

FACTOR = 1.001

#: inputs that no case can differentiate: reason
NUMBER = "this operand is a number: the class is the tensor-with-number form of another"
UNREACHED = {
    ("Cast", 0): "between wide floats it does nothing; gradcheck meets it in float32",
    ("Index", 0): "a base: every key makes one of its forms",
    ("IndexFill", 1): NUMBER,
    ("LinalgLdlSolve", 0): "the factors, by which PyTorch has no derivative either",
    ("ScatterValue", 1): NUMBER,
    ("ClampMaxTensor", 1): "the lower bound, which this form does not have",
    ("ClampMinTensor", 2): "the upper bound, which this form does not have",
    ("CopysignNumber", 1): NUMBER,
    ("FmodNumber", 1): NUMBER,
    ("Pow", 1): NUMBER,
    ("PowBase", 0): NUMBER,
    ("RemainderNumber", 1): NUMBER,
    ("Rsub", 0): NUMBER,
    ("Igamma", 0): "PyTorch has no derivative by the order, nor have we",
    ("Igammac", 0): "PyTorch has no derivative by the order, nor have we",
    ("XLog1pYFirst", 0): NUMBER,
    ("XLog1pYNumber", 1): NUMBER,
    ("XLogYFirst", 0): NUMBER,
    ("XLogYNumber", 1): NUMBER,
    ("Zeta", 0): "PyTorch has no derivative by the exponent, nor have we",
    ("ZetaFirst", 0): NUMBER,
}


class _Bent:
    """A derivative that gives 0.1 % too much, and remembers whether it ever gave anything."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.calls = 0
        self.largest = 0.0

    def __call__(self, *args: Any) -> Any:
        self.calls += 1
        out = self.function(*args)
        return tuple([self._bend(part) for part in out]) if isinstance(out, tuple) else self._bend(out)

    def _bend(self, value: Any) -> Any:
        if value is None:
            return None
        self.largest = max(self.largest, float(np.abs(getattr(value, "_data", value)).max(initial=0.0)))
        return value * FACTOR


def _targets() -> list[tuple[type[Op], str, int | None]]:
    """(operator, "vjps" or "jvps" or "vjp" or "jvp", input) of every derivative in the tables."""
    ops = sorted({c.op for c in DIFFERENTIABLE}, key=lambda op: op.__qualname__)
    found: list[tuple[type[Op], str, int | None]] = []
    for op in ops:
        for joint, single in (("vjp", "vjps"), ("jvp", "jvps")):
            if hasattr(op, joint):
                found.append((op, joint, None))
            else:
                found += [(op, single, i) for i, f in enumerate(getattr(op, single)) if f is not None]
    return found


def gap(case: Case) -> float | None:
    """How far <g, J dx> and <Jᵀ g, dx> differ, relatively; None if both vanish."""
    xs = tensors(case)
    worst, alive = 0.0, False
    for i in case.wanted:
        results = [t for t in floating(case.call(*xs)) if t.requires_grad]
        gs = [cotangent(t, 3 + k) for k, t in enumerate(results)]
        (pulled,) = autograd.grad(
            results, [xs[i]], [Tensor(g, None) for g in gs], allow_unused=True, materialize_grads=True
        )
        d = cotangent(xs[i], 30)
        with forward_ad.dual_level():
            duals = list(xs)
            duals[i] = forward_ad.make_dual(xs[i], Tensor(d, None))
            moved = [t for t in floating(case.call(*duals)) if t.requires_grad]
            tangents = [forward_ad.unpack_dual(t).tangent for t in moved]
            left = sum(inner(g, t._data) for g, t in zip(gs, tangents, strict=True) if t is not None)
        right = inner(pulled._data, d)
        if np.isfinite(left + right) and max(abs(left), abs(right)) > 1e-9:
            alive = True
            worst = max(worst, abs(left - right) / max(abs(left), abs(right)))
    return worst if alive else None


@pytest.mark.parametrize(
    ("op", "attribute", "index"),
    _targets(),
    ids=lambda v: v.__name__ if isinstance(v, type) else str(v),
)
def test_a_derivative_off_by_a_thousandth_is_caught(
    op: type[Op], attribute: str, index: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = [c for c in DIFFERENTIABLE if c.op is op and all(a.dtype.itemsize >= 8 for a in c.args)]
    whole = [(c, gap(c)) for c in cases]
    live = [c for c, g in whole if g is not None]
    if not live:
        assert _vanishes(op, cases), f"no case of {op.__name__} exercises its derivative"
        return
    assert all(g < 1e-8 for _, g in whole if g is not None)
    bent = _Bent(getattr(op, attribute) if index is None else getattr(op, attribute)[index])
    if index is None:
        monkeypatch.setattr(op, attribute, staticmethod(bent))
    else:
        table = list(getattr(op, attribute))
        table[index] = bent
        monkeypatch.setattr(op, attribute, tuple(table))
    if any((gap(c) or 0.0) > 1e-4 for c in live):
        return
    if not bent.calls:
        assert (op.__name__, index) in UNREACHED, f"no case of {op.__name__} differentiates input {index}"
    else:  # zero by nature, as that of a sign: gradcheck has held it against differences
        assert bent.largest == 0.0, f"{op.__name__}.{attribute}[{index}] off by 0.1 % goes unseen"


def _vanishes(op: type[Op], cases: list[Case]) -> bool:
    """Whether all results are locally constant (floor, sign): differences say so."""
    for case in cases:
        xs = [a.copy() for a in case.args]
        before = [t._data for t in floating(case.call(*[Tensor(a, None) for a in xs]))]
        for i in case.wanted:
            xs[i] = np.asarray(xs[i] + 1e-7)
        after = [t._data for t in floating(case.call(*[Tensor(a, None) for a in xs]))]
        if any(not np.allclose(a, b, atol=1e-10, rtol=0) for a, b in zip(before, after, strict=True)):
            return False
    return True
