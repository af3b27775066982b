"""Windows and short-time Fourier transforms against PyTorch 2.13: values, dtypes, gradients, errors."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
import torch
from tests.parity.agree import agree, close

import convgrad
from convgrad.signal import windows
from convgrad.tensor.tensor import Tensor

pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings("ignore:The length of signal:UserWarning")]

RNG = np.random.default_rng(0)
SYMMETRIC: list[tuple[str, dict[str, Any]]] = [
    ("bartlett", {}), ("blackman", {}), ("cosine", {}), ("exponential", {}), ("exponential", {"tau": 3.0}),
    ("gaussian", {}), ("gaussian", {"std": 2.5}), ("general_cosine", {"a": [0.4, 0.3, 0.2, 0.1]}),
    ("general_cosine", {"a": (0.5,)}), ("general_hamming", {}), ("general_hamming", {"alpha": 0.4}), ("hamming", {}),
    ("hann", {}), ("kaiser", {}), ("kaiser", {"beta": 5.0}), ("kaiser", {"beta": 0}), ("nuttall", {}),
]  # fmt: skip
PERIODIC: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("hann_window", (), {}), ("hann_window", (False,), {}), ("hamming_window", (), {}),
    ("hamming_window", (False, 0.5), {}), ("hamming_window", (True, 0.6, 0.3), {}),
    ("hamming_window", (True,), {"alpha": 0.5, "beta": 0.5}), ("blackman_window", (), {}), ("blackman_window", (False,), {}),
    ("bartlett_window", (), {}), ("bartlett_window", (), {"periodic": False}), ("kaiser_window", (), {}),
    ("kaiser_window", (False, 8.0), {}), ("kaiser_window", (True,), {"beta": 3.0}),
]  # fmt: skip


def of(x: Any) -> Any:
    return convgrad if isinstance(x, Tensor) else torch


@pytest.mark.parametrize(("name", "more"), SYMMETRIC)
def test_windows_of_signal(name: str, more: dict[str, Any]) -> None:
    for size in (0, 1, 2, 5, 8, 33):
        for symmetric in (True, False):
            for kind in ("float32", "float64"):
                ours = getattr(windows, name)(size, sym=symmetric, dtype=getattr(convgrad, kind), **more)
                theirs = getattr(torch.signal.windows, name)(
                    size, sym=symmetric, dtype=getattr(torch, kind), **more
                )
                close(ours, theirs)
    for bad in (-1, 2.5):
        with pytest.raises((ValueError, TypeError)):
            getattr(windows, name)(bad, **more)
    with pytest.raises(ValueError, match="expects float32 or float64"):
        getattr(windows, name)(3, dtype=convgrad.float16, **more)


@pytest.mark.parametrize(("name", "args", "more"), PERIODIC)
def test_periodic_windows(name: str, args: tuple[Any, ...], more: dict[str, Any]) -> None:
    for size in (0, 1, 2, 5, 8, 33):
        for kind in ("float32", "float64", "float16", "bfloat16"):
            if name == "kaiser_window" and kind in ("float16", "bfloat16"):
                continue  # PyTorch's Bessel function rounds on the way
            ours = getattr(convgrad, name)(size, *args, dtype=getattr(convgrad, kind), **more)
            close(ours, getattr(torch, name)(size, *args, dtype=getattr(torch, kind), **more))
    made = getattr(convgrad, name)(4, *args, requires_grad=True, **more)
    assert made.requires_grad and made.is_leaf
    for kind, error in (("int64", RuntimeError), ("complex64", NotImplementedError)):
        with pytest.raises(error):
            getattr(torch, name)(4, dtype=getattr(torch, kind))
        with pytest.raises(error):
            getattr(convgrad, name)(4, dtype=getattr(convgrad, kind))


def test_parameters_of_windows_that_are_refused() -> None:
    for call in (
        lambda w: w.gaussian(5, std=0), lambda w: w.exponential(5, tau=0), lambda w: w.exponential(5, center=1),
        lambda w: w.kaiser(5, beta=-1), lambda w: w.general_cosine(5, a=[]), lambda w: w.general_cosine(5, a=0.5),
        lambda w: w.hann(5, False), lambda w: w.hann(5, foo=1),
    ):  # fmt: skip
        with pytest.raises(Exception) as theirs:
            call(torch.signal.windows)
        with pytest.raises(theirs.type):
            call(windows)
    close(
        windows.exponential(6, center=1.5, sym=False),
        torch.signal.windows.exponential(6, center=1.5, sym=False),
    )


SHORT: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    ((8,), {}), ((8, 3), {}), ((8, 3, 6), {}), ((7, 2, 4), {}), ((8,), {"center": False}), ((9,), {}),
    ((8,), {"pad_mode": "constant"}), ((8,), {"pad_mode": "replicate"}), ((8,), {"normalized": True}),
    ((8,), {"onesided": False}), ((8, 8), {"onesided": True}), ((40,), {}), ((60,), {}), ((80,), {}),
    ((8, 4, 4), {"center": False, "align_to_window": True}), ((8, 4, 5), {"center": False, "align_to_window": True}),
    ((8, 4, 4), {"center": False, "align_to_window": False}), ((8,), {"align_to_window": True}), ((0,), {}), ((8, 0), {}),
    ((8, 2, 0), {}), ((8, 2, 9), {}), ((50,), {"center": False}), ((8,), {"pad_mode": "foo"}),
    ((8,), {"return_complex": False}), ((8,), {"return_complex": None}), ((8, 20), {}),
]  # fmt: skip


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.complex128, np.complex64])
@pytest.mark.parametrize(("args", "more"), SHORT, ids=str)
def test_stft(kind: Any, args: tuple[Any, ...], more: dict[str, Any]) -> None:
    options = {"return_complex": True, **more}
    for shape in [(40,), (3, 40)]:
        x = RNG.standard_normal(shape).astype(kind)
        agree(lambda x: of(x).stft(x, *args, **options), x)
        length = (*args, None, None)[2] or args[0]
        window = RNG.uniform(0.5, 1.0, (length,)).astype(x.real.dtype)
        agree(lambda x, w: x.stft(*args, window=w, **options), x, window)
        agree(
            lambda x, w: of(x).stft(x, *args, window=w, **options), x, (window + 0.3j).astype(np.complex128)
        )
        agree(lambda x, w: x.stft(*args, window=w, **options), x, window[:-1])


@pytest.mark.parametrize("kind", [np.int64, np.float16, ml_dtypes.bfloat16, np.bool_])
def test_stft_refuses_dtypes(kind: Any) -> None:
    agree(lambda x: x.stft(8, return_complex=True), (RNG.standard_normal(40) * 3).astype(kind), grad=False)


def test_stft_of_other_shapes() -> None:
    for shape in [(), (0,), (2, 0), (1, 9), (2, 2, 20), (2, 2, 2, 20)]:
        for center in (True, False):
            agree(
                lambda x, center=center: x.stft(8, center=center, return_complex=True),
                np.asarray(RNG.standard_normal(shape)),
            )
    agree(lambda x: x.stft(8, return_complex=True), RNG.standard_normal((40, 4)).T[::2])


BACK: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    ((8,), {}), ((8, 3), {}), ((8, 3, 6), {}), ((8, 2, 5), {}), ((8,), {"normalized": True}), ((8,), {"length": 35}),
    ((8,), {"length": 38}), ((8,), {"length": 100}), ((8,), {"length": 0}), ((8,), {"length": -1}),
    ((8,), {"center": False}), ((8, 9), {}), ((8, 8), {}), ((8, 2, 9), {}), ((10,), {}), ((8,), {"onesided": False}),
    ((8,), {"return_complex": True}), ((5,), {"onesided": False}), ((5,), {"onesided": False, "return_complex": True}),
    ((5, 2, 4), {"return_complex": True}), ((9,), {}), ((8,), {"onesided": True, "return_complex": True}),
]  # fmt: skip


@pytest.mark.parametrize("kind", [np.complex128, np.complex64])
@pytest.mark.parametrize(("args", "more"), BACK, ids=str)
def test_istft(kind: Any, args: tuple[Any, ...], more: dict[str, Any]) -> None:
    for shape in [(5, 12), (2, 5, 12), (5, 1)]:
        x = (RNG.standard_normal(shape) + 1j * RNG.standard_normal(shape)).astype(kind)
        agree(lambda x: of(x).istft(x, *args, **more), x)
        length = (*args, None, None)[2] or args[0]
        window = RNG.uniform(0.5, 1.0, (length,)).astype(x.real.dtype)
        agree(lambda x, w: x.istft(*args, window=w, **more), x, window)
        agree(
            lambda x, w: of(x).istft(x, *args, window=w, **more), x, np.hanning(length).astype(x.real.dtype)
        )
        agree(lambda x, w: x.istft(*args, window=w, **more), x, window + 0j)
        agree(lambda x, w: x.istft(*args, window=w, **more), x, window[1:])


def test_istft_of_other_shapes() -> None:
    for shape in [(5,), (5, 0), (1, 1, 5, 12), (5, 12, 2)]:
        agree(lambda x: x.istft(8), RNG.standard_normal(shape) + 0j)
    agree(lambda x: x.istft(8), RNG.standard_normal((5, 12)))
    agree(lambda x: x.istft(8), (RNG.standard_normal((24, 5)) + 1j * RNG.standard_normal((24, 5))).T[:, ::2])


def test_there_and_back() -> None:
    for normalized in (False, True):
        for size, hop in [(16, 4), (15, 5), (32, 8)]:
            window = convgrad.hann_window(size, dtype=convgrad.float64)
            x = Tensor(RNG.standard_normal((2, 160)), None)
            pieces = x.stft(size, hop, window=window, normalized=normalized, return_complex=True)
            again = pieces.istft(size, hop, window=window, normalized=normalized, length=160)
            np.testing.assert_allclose(again.numpy()[:, :150], x.numpy()[:, :150], atol=1e-12)
