"""DLPack with NumPy: memory is shared both ways, bfloat16 travels too, misuse is refused."""

from __future__ import annotations

import numpy as np
import pytest

import convgrad as torch
from convgrad.utils import dlpack

KINDS = [
    torch.float32, torch.float64, torch.float16, torch.int8, torch.int16, torch.int32, torch.int64, torch.uint8,
    torch.bool, torch.complex64, torch.complex128,
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_memory_is_shared_both_ways(kind: torch.dtype) -> None:
    x = torch.tensor([[0, 1, 2], [3, 4, 5]]).to(kind)[:, ::2]
    a = np.from_dlpack(x)
    assert np.array_equal(a, x.numpy()) and np.shares_memory(a, x.numpy())
    y = torch.from_dlpack(a)
    y[0, 0] = 1
    assert x[0, 0] == 1 and y.dtype is kind


def test_bfloat16_travels_as_a_capsule() -> None:
    x = torch.tensor([1.0, 2.5]).bfloat16()
    y = dlpack.from_dlpack(dlpack.to_dlpack(x))
    y[0] = 7.0
    assert y.dtype is torch.bfloat16 and x.tolist() == [7.0, 2.5]

    class Producer:  # what JAX and PyTorch are for from_dlpack
        def __dlpack__(self, **options):
            return x.__dlpack__(**options)

        def __dlpack_device__(self):
            return x.__dlpack_device__()

    assert torch.equal(torch.from_dlpack(Producer()), x)
    copied = torch.from_dlpack(x, copy=True)
    copied[0] = 0.0
    assert x[0] == 7.0


def test_a_capsule_serves_once() -> None:
    capsule = torch.to_dlpack(torch.ones(2))
    torch.from_dlpack(capsule)
    with pytest.raises(RuntimeError, match="DLTensor capsules can be consumed only once"):
        torch.from_dlpack(capsule)


def test_misuse() -> None:
    tracked = torch.ones(2, requires_grad=True)
    for use in (lambda: np.from_dlpack(tracked), lambda: torch.from_dlpack(tracked)):
        with pytest.raises(BufferError, match=r"require gradient, use tensor\.detach"):
            use()
    with pytest.raises(RuntimeError, match="require gradient"):
        torch.to_dlpack(tracked)
    with pytest.raises(TypeError, match="must be Tensor, not list"):
        torch.to_dlpack([1])
    with pytest.raises(AttributeError, match="'int' object has no attribute '__dlpack__'"):
        torch.from_dlpack(3)
    with pytest.raises(BufferError, match="lives on the CPU"):
        torch.ones(1).__dlpack__(dl_device=(2, 0))
    with pytest.raises(AssertionError, match="stream should be None on cpu"):
        torch.ones(1).__dlpack__(stream=1)
    with pytest.raises(RuntimeError, match="convgrad runs on the CPU"):
        torch.from_dlpack(np.ones(1), device="cuda")


def test_read_only_memory_stays_read_only() -> None:
    a = np.ones(3)
    a.flags.writeable = False
    y = torch.from_dlpack(a)
    with pytest.raises(RuntimeError, match="read-only"):
        y[0] = 2.0


def test_jax_shares_its_arrays() -> None:
    """Read-only, as JAX's arrays are; bfloat16 and bool included."""
    jnp = pytest.importorskip("jax.numpy")
    for kind in (jnp.float32, jnp.bfloat16, jnp.bool_, jnp.int32):
        given = jnp.asarray([1, 0, 2]).astype(kind)
        taken = torch.from_dlpack(given)
        assert taken.tolist() == given.tolist() and str(taken.dtype).endswith(str(given.dtype))
        with pytest.raises(RuntimeError, match="read-only"):
            taken[0] = 0
        back = jnp.from_dlpack(taken.clone())
        assert back.dtype == given.dtype and back.tolist() == given.tolist()
