"""Short-time transforms: their derivatives, and that what goes there comes back."""

from __future__ import annotations

import numpy as np
import pytest

import convgrad as torch
from convgrad.tensor.tensor import Tensor
from convgrad.testing import gradcheck, gradgradcheck

RNG = np.random.default_rng(0)


def leaf(*shape: int, kind: str = "f") -> Tensor:
    x = RNG.uniform(0.5, 1.5, shape)
    return Tensor(x + 1j * RNG.uniform(-1, 1, shape) if kind == "c" else x, None).requires_grad_()


@pytest.mark.parametrize("onesided", [True, False])
def test_stft_is_differentiable_in_signal_and_window(onesided: bool) -> None:
    def call(x: Tensor, w: Tensor) -> Tensor:
        return x.stft(6, 2, 5, w, onesided=onesided, return_complex=True)

    xs = [leaf(2, 11), leaf(5)]
    assert gradcheck(call, xs, check_forward_ad=True, fast_mode=True)
    assert gradgradcheck(call, xs, check_fwd_over_rev=True, fast_mode=True)


@pytest.mark.parametrize("complex_signal", [True, False])
def test_istft_is_differentiable_in_pieces_and_window(complex_signal: bool) -> None:
    size = 5 if complex_signal else 8

    def call(x: Tensor, w: Tensor) -> Tensor:
        return x.istft(size, 2, window=w, return_complex=complex_signal)

    xs = [leaf(2, 5, 4, kind="c"), leaf(size)]
    assert gradcheck(call, xs, check_forward_ad=True, fast_mode=True)
    assert gradgradcheck(call, xs, check_fwd_over_rev=True, fast_mode=True)


def test_istft_undoes_stft() -> None:
    x, window = Tensor(RNG.standard_normal((2, 96)), None), torch.hann_window(16, dtype=torch.float64)
    again = x.stft(16, window=window, return_complex=True).istft(16, window=window)
    np.testing.assert_allclose(again.numpy(), x.numpy(), atol=1e-12)


def test_a_signal_that_ends_early_is_filled_up_with_a_warning() -> None:
    with pytest.warns(UserWarning, match="padded with zeros in the tail"):
        assert torch.istft(torch.ones(3, 8) + 0j, 4, length=100).shape == (100,)


def test_namespaces_load_on_first_use() -> None:
    assert torch.signal.windows.hann(3).tolist() == [0.0, 1.0, 0.0]
    assert torch.fft.fft(torch.ones(2)).real.tolist() == [2.0, 0.0]
