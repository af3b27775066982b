"""Printed tensors against PyTorch's, character for character: random arrays and options, literal table."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from convgrad import printing

pytestmark = pytest.mark.parity

CASES = runpy.run_path(str(Path(__file__).parents[1] / "test_printing.py"))["CASES"]
FLOATS = ["float16", "bfloat16", "float32", "float64"]
COMPLEX = ["complex64", "complex128"]
INTEGERS = ["uint8", "int8", "int16", "int32", "int64", "uint16", "uint32", "uint64"]
DTYPES = ["bool", *INTEGERS, *FLOATS, *COMPLEX]
SEEDS, DRAWS = 25, 120  # 3,000 arrays
SPECIAL = [np.nan, np.inf, -np.inf, 0.0, -0.0]
NODES: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {  # operations that leave the values as they are
    "CloneBackward0": torch.clone,
    "SubBackward0": lambda t: t - 0,
    "MulBackward0": lambda t: t * 1,
    "DivBackward0": lambda t: t / 1,
    "AddmmBackward0": lambda t: torch.addmm(t, t[:, :1] * 0, t[:1] * 0),
}
# For each number of dimensions the bounds of a length, in small arrays and in those that get summarised.
SMALL, LARGE = [1, 12, 8, 5, 4], [1, 1500, 40, 14, 8]


def as_dtype(values: Any, dtype_name: str) -> np.ndarray:
    with np.errstate(all="ignore"):  # overflow to inf is welcome here
        return np.asarray(values).astype(ml_dtypes.bfloat16 if dtype_name == "bfloat16" else dtype_name)


def to_torch(data: np.ndarray, dtype_name: str) -> torch.Tensor:
    if dtype_name == "bfloat16":
        return torch.from_numpy(np.array(data, np.float32)).to(torch.bfloat16)
    return torch.from_numpy(np.array(data))


def both(
    data: np.ndarray,
    dtype_name: str,
    options: dict[str, Any],
    default: str = "float32",
    requires_grad: bool = False,
    grad_fn: str | None = None,
) -> tuple[str, str]:
    """PyTorch's text and ours."""
    tensor = to_torch(data, dtype_name)
    if requires_grad or grad_fn:
        tensor.requires_grad_()
    if grad_fn:
        tensor = NODES[grad_fn](tensor)
        assert tensor.grad_fn is not None and tensor.grad_fn.name() == grad_fn
    before = torch.get_default_dtype()
    torch.set_default_dtype(getattr(torch, default))
    try:
        with torch._tensor_str.printoptions(**options), printing.printoptions(**options):
            assert printing.get_printoptions() == torch._tensor_str.get_printoptions()
            theirs = repr(tensor)
            ours = printing.format_tensor(
                data, dtype_name, requires_grad=requires_grad, grad_fn=grad_fn, default_dtype_name=default
            )
    finally:
        torch.set_default_dtype(before)
    return theirs, ours


def random_reals(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Magnitudes around every border that the choice of notation knows, at times with nan, inf and zeros."""
    kind = rng.integers(8)
    if kind == 0:
        values = rng.integers(-9, 10, shape) * 10.0 ** rng.integers(0, 9)
    elif kind == 1:
        values = rng.normal(size=shape) * 10.0 ** rng.integers(-8, 10)
    elif kind == 2:
        values = 10.0 ** rng.uniform(-6, 9, shape)
    elif kind == 3:
        values = rng.choice([0.0, -0.0, 1, 1000, 1001, 1e8, 1e-4, 0.5, 99999999.5, 0.99995], shape)
    elif kind == 4:
        values = np.round(rng.normal(size=shape) * 1000)
    elif kind == 5:
        values = rng.choice([1e-4, 2e-4, 9.9e-5, 1e-1], shape)
    elif kind == 6:
        values = rng.choice([1e300, -1e-300, 5e-324, 1.0], shape)
    else:
        values = rng.normal(size=shape)
    if rng.random() < 0.3:
        values = np.where(rng.random(shape) < rng.choice([0.1, 0.5, 1]), rng.choice(SPECIAL, shape), values)
    return np.asarray(values)


def random_array(rng: np.random.Generator, dtype_name: str) -> np.ndarray:
    dims = int(rng.choice(5, p=[0.1, 0.35, 0.3, 0.15, 0.1]))
    longest = (LARGE if rng.random() < 0.3 else SMALL)[dims]
    shortest = 0 if rng.random() < 0.15 else 1
    shape = tuple(int(length) for length in rng.integers(shortest, longest, dims)) if dims else ()
    if dtype_name == "bool":
        return np.asarray(rng.random(shape) < 0.5)
    if dtype_name in INTEGERS:
        bounds = np.iinfo(dtype_name)
        if rng.random() < 0.3:
            return np.asarray(
                rng.integers(bounds.min, bounds.max, shape, dtype=np.dtype(dtype_name), endpoint=True)
            )
        reach = int(rng.choice([10, 200, 10**6]))
        return as_dtype(rng.integers(max(bounds.min, -reach), min(bounds.max, reach), shape), dtype_name)
    if dtype_name in COMPLEX:
        values = np.zeros(shape, np.complex128)
        values.real, values.imag = random_reals(rng, shape), random_reals(rng, shape)
        return as_dtype(values, dtype_name)
    return as_dtype(random_reals(rng, shape), dtype_name)


def random_options(rng: np.random.Generator) -> dict[str, Any]:
    choices: dict[str, Callable[[], Any]] = {
        "precision": lambda: int(rng.integers(0, 9)),
        "threshold": lambda: int(rng.choice([0, 1, 5, 20, 100])),
        "edgeitems": lambda: int(rng.integers(0, 6)),
        "linewidth": lambda: int(rng.integers(0, 130)),
        "sci_mode": lambda: bool(rng.integers(2)),
        "profile": lambda: str(rng.choice(["default", "short", "full"])),
    }
    if rng.random() < 0.5:
        return {}
    return {name: draw() for name, draw in choices.items() if rng.random() < 0.4}


@pytest.mark.parametrize("seed", range(SEEDS))
def test_random_arrays_print_alike(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(DRAWS):
        dtype_name = str(rng.choice(DTYPES))
        data, options = random_array(rng, dtype_name), random_options(rng)
        default = str(rng.choice(["float32", "float64", "float16", "bfloat16"], p=[0.7, 0.1, 0.1, 0.1]))
        requires_grad = bool(dtype_name in FLOATS + COMPLEX and rng.random() < 0.3)
        grad_fn = "CloneBackward0" if requires_grad and rng.random() < 0.5 else None
        theirs, ours = both(data, dtype_name, options, default, requires_grad, grad_fn)
        assert ours == theirs, (seed, dtype_name, data.shape, options, default)


def arrays(dtype: Any) -> st.SearchStrategy[np.ndarray]:
    return hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=7))


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    data=st.sampled_from([np.float32, np.float64, np.float16, np.complex64, np.int64, np.bool_]).flatmap(
        arrays
    ),
    options=st.fixed_dictionaries(
        {},
        optional={
            "precision": st.integers(0, 12),
            "threshold": st.integers(-1, 60),
            "edgeitems": st.integers(0, 5),
            "linewidth": st.integers(-2, 150),
            "profile": st.sampled_from(["default", "short", "full"]),
            "sci_mode": st.sampled_from([None, True, False]),
        },
    ),
)
def test_any_array_prints_alike(data: np.ndarray, options: dict[str, Any]) -> None:
    theirs, ours = both(data, data.dtype.name, options)
    assert ours == theirs


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_table_is_what_pytorch_prints(case: Any) -> None:
    """The literals themselves, so that a slip in the table cannot hide behind our own output."""
    form = dict(case.form)
    default = form.pop("default_dtype_name", "float32")
    theirs, ours = both(case.data, case.dtype_name, case.options, default, **form)
    assert theirs == case.expected
    assert ours == theirs


@pytest.mark.parametrize("spec", ["", ".3f", ">12", "e", "+.2f"])
@pytest.mark.parametrize("dtype_name", [*FLOATS, "int64", "uint8"])
def test_format_of_0d_tensors_is_alike(dtype_name: str, spec: str) -> None:
    for value in (0, 1, 2 / 3, 100.5, 1e-7):
        data = as_dtype(value, dtype_name)
        assert printing.format_scalar_value(data, spec) == format(to_torch(data, dtype_name), spec)


@pytest.mark.parametrize("spec", ["d", ".3f"])
def test_refused_formats_are_alike(spec: str) -> None:
    data = np.array(1.5) if spec == "d" else np.ones(2)
    with pytest.raises((TypeError, ValueError)) as theirs:
        format(torch.from_numpy(data), spec)
    with pytest.raises(theirs.type):
        printing.format_scalar_value(data, spec)
