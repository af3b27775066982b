"""The Fourier transforms against PyTorch 2.13: values, dtypes, nodes, gradients, errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
import ml_dtypes
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from tests.parity.agree import agree, fails, ours

import convgrad
from convgrad.tensor.tensor import Tensor

pytestmark = pytest.mark.parity

LINE = ["fft", "ifft", "rfft", "irfft", "hfft", "ihfft"]
SEVERAL = [
    "fftn",
    "ifftn",
    "rfftn",
    "irfftn",
    "hfftn",
    "ihfftn",
    "fft2",
    "ifft2",
    "rfft2",
    "irfft2",
    "hfft2",
    "ihfft2",
]
NORMS = [None, "backward", "ortho", "forward"]
RNG = np.random.default_rng(0)


def calls(name: str, *args: Any, **more: Any) -> Callable[[Any], Any]:
    """The transform of either library."""
    return lambda x: getattr((convgrad if isinstance(x, Tensor) else torch).fft, name)(x, *args, **more)


def sample(shape: tuple[int, ...], kind: Any) -> np.ndarray:
    out = np.asarray(RNG.standard_normal(shape))
    if np.dtype(kind).kind == "c":
        return np.asarray(out + 1j * RNG.standard_normal(shape)).astype(kind)
    return np.asarray(out * 3).astype(kind)


FLOATS = [np.float64, np.complex128, np.float32, np.complex64]


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("kind", FLOATS)
@pytest.mark.parametrize("name", LINE)
def test_along_one_dimension(name: str, kind: Any, norm: Any) -> None:
    for shape in [(1,), (7,), (8,), (3, 4), (2, 3, 5)]:
        for n in (None, 1, 4, 9):
            agree(calls(name, n, norm=norm), sample(shape, kind))
    agree(calls(name, 3, 0, norm), sample((5, 2), kind))
    agree(calls(name, dim=-2), sample((5, 2, 2), kind).T)


@pytest.mark.parametrize("kind", FLOATS)
@pytest.mark.parametrize("name", SEVERAL)
def test_along_several(name: str, kind: Any) -> None:
    for norm in NORMS:
        for shape in [(3, 4), (2, 3, 5)]:
            agree(calls(name, norm=norm), sample(shape, kind))
            agree(calls(name, (3, 4), norm=norm), sample(shape, kind))
            agree(calls(name, (2, -1), norm=norm), sample(shape, kind))
            agree(calls(name, dim=(1, 0), norm=norm), sample(shape, kind))
            agree(calls(name, (6, 3), (-1, 0), norm), sample(shape, kind)[:, ::-1].copy()[..., ::2].copy())
    agree(calls(name, dim=(0,)), sample((5, 3), kind).T)


@pytest.mark.parametrize("name", LINE + SEVERAL)
def test_what_is_refused_and_what_is_no_float(name: str) -> None:
    for kind in (np.int64, np.int32, np.uint8, np.bool_, np.float16, ml_dtypes.bfloat16):
        agree(calls(name), sample((3, 4), kind), grad=False)
    matrix = sample((3, 4), np.float64)
    bad: list[tuple[Any, dict[str, Any]]] = [
        ((), {"norm": "foo"}), ((), {"norm": ""}), ((), {"dim": 5}), ((), {"dim": "a"}), ((0,), {}), ((-2,), {}),
        ((2.0,), {}), (((2, 0),), {}), (((1, 2, 3),), {}), (((1, 2), (0,)), {}), ((), {"dim": ()}),
        ((), {"dim": (0, 0)}), (((),), {}),
    ]  # fmt: skip
    for args, more in bad:
        agree(calls(name, *args, **more), matrix)
    for shape in [(), (0,), (1,), (0, 3), (2, 0)]:
        if shape != (0, 3):  # PyTorch's library fails on no signals, where ours gives none
            agree(calls(name), sample(shape, np.float64))
    other = getattr(convgrad.fft, name)
    try:
        getattr(torch.fft, name)(3)
    except TypeError as error:
        fails(lambda _: other(3), [ours(matrix, False)], error)


@pytest.mark.parametrize("name", ["fftshift", "ifftshift"])
@pytest.mark.parametrize("kind", [*FLOATS, np.int64])
def test_shifts(name: str, kind: Any) -> None:
    for shape in [(5,), (4,), (3, 4), (2, 3, 5), (0, 3)]:
        for dim in (None, 0, -1, (0,), (0, 1), (2, 0)):
            agree(calls(name, dim), sample(shape, kind))


@pytest.mark.parametrize("name", ["fftfreq", "rfftfreq"])
def test_frequencies(name: str) -> None:
    for n in (0, 1, 4, 5, 12):
        for d in (1.0, 0.1, 3):
            for kind in ("float32", "float64"):
                got = getattr(convgrad.fft, name)(n, d, dtype=getattr(convgrad, kind))
                want = (
                    getattr(torch.fft, name)(n, d, dtype=getattr(torch, kind)) if n else torch.zeros(len(got))
                )
                np.testing.assert_array_equal(got.numpy(), want.numpy())
    assert getattr(convgrad.fft, name)(5, requires_grad=True).requires_grad


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.data())
def test_any_shape_length_and_dimensions(data: Any) -> None:
    shape = tuple(data.draw(st.lists(st.integers(1, 5), min_size=1, max_size=4)))
    kind = data.draw(st.sampled_from([np.float64, np.complex128, np.float32]))
    dims = data.draw(st.lists(st.integers(0, len(shape) - 1), min_size=1, max_size=3, unique=True))
    s = data.draw(st.none() | st.lists(st.integers(1, 6), min_size=len(dims), max_size=len(dims)))
    name = data.draw(st.sampled_from(SEVERAL[:6]))
    x = sample(tuple(2 * n for n in shape), kind)[tuple(slice(None, None, 2) for _ in shape)]
    agree(
        calls(name, s, dims, data.draw(st.sampled_from(NORMS))), x.copy() if data.draw(st.booleans()) else x
    )


@pytest.mark.parametrize("name", ["fft", "ifft", "fft2"])
def test_single_precision_is_as_exact_as_theirs(name: str) -> None:
    x = sample((4, 1000), np.complex64)
    exact = getattr(convgrad.fft, name)(Tensor(x.astype(np.complex128), None)).numpy()
    mine = np.abs(calls(name)(Tensor(x, None)).numpy() - exact).max()
    other = np.abs(calls(name)(torch.from_numpy(x)).numpy() - exact).max()
    assert mine <= 3 * other
