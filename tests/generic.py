"""What the generic tests share: the tables of cases, and tensors made from a case's arrays."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

import numpy as np

from convgrad.tensor.tensor import Tensor

from . import cases
from .cases.case import Case, ErrorCase


def _tables() -> tuple[list[Case], list[ErrorCase]]:
    found: list[Case] = []
    errors: list[ErrorCase] = []
    for entry in sorted(pkgutil.iter_modules(cases.__path__), key=lambda e: e.name):
        module = importlib.import_module(f"{cases.__name__}.{entry.name}")
        found += getattr(module, "CASES", [])
        errors += getattr(module, "ERRORS", [])
    return found, errors


CASES, ERRORS = _tables()
#: cases with something to differentiate
DIFFERENTIABLE = [c for c in CASES if c.wanted]


def tensors(case: Case, dtype: Any = None, track: bool = True) -> list[Tensor]:
    """The case's arguments as tensors on copies that keep their strides; floats in ``dtype``."""
    out = []
    for i, a in enumerate(case.args):
        copy = a.astype(dtype) if dtype is not None and a.dtype.kind == "f" else keep_strides(a)
        t = Tensor(copy, None)
        out.append(t.requires_grad_() if track and i in case.wanted else t)
    return out


def keep_strides(a: np.ndarray) -> np.ndarray:
    """A copy with the same strides (also steps and zero strides), not only the same order of axes."""
    if a.flags.c_contiguous or not a.size:
        return a.copy()
    out = a.copy(order="K")
    if any(s < 0 for s in a.strides):
        return out
    wide = np.zeros([2 * n for n in a.shape], a.dtype)
    view = wide[tuple(slice(0, 2 * n, 2) for n in a.shape)]
    view[...] = out
    return view


def several(result: Any) -> list[Any]:
    """A result as a list of results."""
    return list(result) if isinstance(result, (tuple, list)) else [result]


def floating(result: Any) -> list[Tensor]:
    """The results that can carry a gradient."""
    return [t for t in several(result) if isinstance(t, Tensor) and t._data.dtype.kind in "fcV"]


def cotangent(t: Tensor, seed: int = 7) -> np.ndarray:
    """A random array like a tensor."""
    rng = np.random.default_rng(seed)
    g = rng.uniform(0.5, 1.5, t._data.shape)
    if t._data.dtype.kind == "c":
        g = g + 1j * rng.uniform(-1, 1, t._data.shape)
    return np.asarray(g).astype(t._data.dtype)


def inner(a: np.ndarray, b: np.ndarray) -> float:
    """The real inner product; complex numbers as pairs."""
    return float(np.real(np.vdot(a, b)))
