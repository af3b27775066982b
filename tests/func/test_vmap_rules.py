"""Every operator under ``vmap``: the values and gradients of a loop over samples, in one call, or named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convgrad.autograd import grad
from convgrad.errors import ConvgradError
from convgrad.func import vmap, vmap_fallbacks
from convgrad.ops.shape import Stack
from convgrad.tensor.tensor import Tensor

from ..cases.case import Case
from ..generic import CASES, several

TABLE = Path(__file__).with_name("vmap_loops.txt")
SIZE = 3
#: what vmap refuses, as PyTorch does
REFUSALS = ("dynamic shape", ".item()", "in-place arithmetic", "Cannot access data pointer")


def listed() -> dict[str, str]:
    """Operator -> why it has no rule (or none for some calls)."""
    lines = [line.partition("|") for line in TABLE.read_text().splitlines() if line and line[0] != "#"]
    return {name.strip(): reason.strip() for name, _, reason in lines}


def samples(a: np.ndarray) -> np.ndarray:
    """Three arrays like ``a``: itself, its elements in reverse order, itself again."""
    turned = a[tuple([slice(None, None, -1)] * a.ndim)] if a.ndim else a
    return np.stack([a, turned, a])


def looped(call: Callable[..., Any], args: list[Tensor], dims: tuple[int | None, ...]) -> list[Tensor]:
    """The results of the samples, one after another, stacked."""
    rows = [
        several(call(*[a if d is None else a[i] for a, d in zip(args, dims, strict=True)]))
        for i in range(SIZE)
    ]
    return [rows[0][k]._apply(Stack, tuple([row[k] for row in rows]), (0,)) for k in range(len(rows[0]))]


def patterns(count: int) -> list[tuple[int | None, ...]]:
    """Which arguments have a sample each: all, and each alone."""
    alone = [tuple([0 if i == j else None for j in range(count)]) for i in range(count)]
    return [tuple([0] * count), *(alone if count > 1 else [])]


def tensors(case: Case, dims: tuple[int | None, ...]) -> list[Tensor]:
    out = []
    for i, (a, d) in enumerate(zip(case.args, dims, strict=True)):
        t = Tensor(np.array(a) if d is None else samples(a), None)
        out.append(t.requires_grad_() if i in case.wanted else t)
    return out


def close(got: Any, expected: Any, reordered: bool = False) -> None:
    assert got._data.shape == expected._data.shape and got._data.dtype == expected._data.dtype
    rtol, atol = (1e-6, 1e-6) if reordered else (1e-7, 1e-9)
    np.testing.assert_allclose(got._data, expected._data, rtol=rtol, atol=atol)


def gradients(outs: list[Tensor], args: list[Tensor]) -> list[Any]:
    rng = np.random.default_rng(3)
    roots = [o for o in outs if o.requires_grad]
    wanted = [a for a in args if a.requires_grad]
    if not roots or not wanted:
        return []
    seeds = [Tensor(np.asarray(rng.standard_normal(o.shape)).astype(o._data.dtype), None) for o in roots]
    return list(grad(roots, wanted, seeds, allow_unused=True, materialize_grads=True))


#: whose gradients are sums of single precision that all samples together add in another order
REORDERED = ("Repeat",)
#: random operators: each sample would have numbers of its own
DRAWS = ("Bernoulli", "Normal", "Poisson", "RreluWithNoise")


@pytest.mark.parametrize("case", [c for c in CASES if c.op.__name__ not in DRAWS], ids=str)
def test_vmap_is_a_loop_over_samples(case: Case) -> None:
    for dims in patterns(len(case.args)):
        if not case.args:
            continue
        args = tensors(case, dims)
        try:
            expected = looped(case.call, args, dims)
        except Exception:
            continue  # these samples do not fit the call
        before = vmap_fallbacks()
        try:
            got = several(vmap(lambda *xs: tuple(several(case.call(*xs))), in_dims=dims)(*args))
        except ConvgradError as error:
            assert any(phrase in str(error) for phrase in REFUSALS), error
            continue
        for a, b in zip(got, expected, strict=True):
            close(a, b)
        reordered = case.op.__name__ in REORDERED and case.name.endswith("single")
        for a, b in zip(gradients(got, args), gradients(expected, args), strict=True):
            close(a, b, reordered)
        fallen = {k for k, n in vmap_fallbacks().items() if n > before.get(k, 0)}
        assert fallen <= set(listed()), f"ran sample by sample: {sorted(fallen - set(listed()))}"
