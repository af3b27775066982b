"""Attention: the definitions against sums in float64, the compiled kernels against the definitions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import convgrad as torch
from convgrad.kernels import attention as definitions
from convgrad.kernels.machine import _native

if _native is not None:
    from convgrad.kernels import native_attention

Array = NDArray[Any]
compiled = pytest.mark.skipif(_native is None, reason="nothing is compiled here")
DTYPES = [np.float32, np.float64]
#: batch, heads, queries, keys, features of a query, features of a value
SIZES = [
    (1, 1, 1, 1, 1, 1), (2, 3, 5, 7, 4, 4), (1, 4, 28, 28, 16, 16), (2, 1, 16, 15, 8, 9), (1, 2, 17, 33, 31, 3),
    (1, 1, 50, 64, 65, 17), (1, 1, 3, 530, 5, 6), (1, 2, 400, 20, 6, 5), (3, 1, 9, 1200, 2, 2), (1, 1, 2, 3, 600, 4),
]  # fmt: skip


@pytest.fixture
def garbage(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory of results is full of NaN: what a kernel does not write is seen."""
    monkeypatch.setattr(native_attention, "_like", lambda x: np.full(x.shape, np.nan, x.dtype))
    monkeypatch.setattr(np, "empty", lambda shape, dtype: np.full(shape, np.nan, dtype))


def drawn(size: tuple[int, ...], dtype: Any, masked: bool = False, noisy: bool = False) -> list[Any]:
    """q, k, v, mask, noise and a gradient of the result."""
    batch, heads, length, keys, width, features = size
    rng = np.random.default_rng(sum(size))
    shapes = [(length, width), (keys, width), (keys, features), (length, features)]
    q, k, v, g = [rng.standard_normal((batch, heads, *shape)).astype(dtype) for shape in shapes]
    mask = noise = None
    if masked:
        mask = rng.standard_normal((batch, 1, length, keys)).astype(dtype)
        mask[rng.random(mask.shape) < 0.3] = -np.inf
        mask[0, 0, 0] = -np.inf  # looks nowhere
    if noisy:
        noise = (rng.random((batch, heads, length, keys)) < 0.8).astype(dtype) / dtype(0.8)
    return [q, k, v, mask, noise, g]


def exactly(q: Array, k: Array, v: Array, mask: Any, noise: Any, g: Array, scale: float) -> tuple[Array, ...]:
    """The result and its gradients in q, k and v, in float64 and by the book."""
    q, k, v, g = [a.astype(np.float64) for a in (q, k, v, g)]
    scores = scale * np.einsum("...le,...se->...ls", q, k)
    if mask is not None:
        scores = scores + mask
    with np.errstate(invalid="ignore"):
        p = np.exp(scores - scores.max(-1, keepdims=True))
        p = np.nan_to_num(p / p.sum(-1, keepdims=True))
    n = np.ones_like(p) if noise is None else noise.astype(np.float64)
    gp = np.einsum("...lf,...sf->...ls", g, v) * n
    gs = p * (gp - (gp * p).sum(-1, keepdims=True)) * scale
    return (
        np.einsum("...ls,...sf->...lf", p * n, v),
        np.einsum("...ls,...se->...le", gs, k),
        np.einsum("...ls,...le->...se", gs, q),
        np.einsum("...ls,...lf->...sf", p * n, g),
    )


def check(found: Any, wanted: Array, dtype: Any) -> None:
    assert found.dtype == dtype
    np.testing.assert_allclose(
        found, wanted, rtol=0, atol=1e3 * np.finfo(dtype).eps * max(1, abs(wanted).max())
    )


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("noisy", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
def test_definitions(dtype: Any, noisy: bool, masked: bool) -> None:
    for size in SIZES:
        *inputs, g = drawn(size, dtype, masked, noisy)
        wanted = exactly(*inputs, g, 0.4)
        out, norm = definitions.attention(*inputs, 0.4)
        found = definitions.attention_grad(g, *inputs, 0.4, out, norm)
        for a, b in zip((out, *found), wanted, strict=True):
            check(a, b, dtype)


@compiled
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("noisy", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
def test_kernels(dtype: Any, noisy: bool, masked: bool, every_set: str, garbage: None) -> None:
    for size in SIZES:
        *inputs, g = drawn(size, dtype, masked, noisy)
        wanted = exactly(*inputs, g, 0.4)
        out, norm = native_attention.attention(*inputs, 0.4)
        found = native_attention.attention_grad(g, *inputs, 0.4, out, norm)
        for a, b in zip((out, *found), wanted, strict=True):
            check(a, b, dtype)
        np.testing.assert_allclose(norm, definitions.attention(*inputs, 0.4)[1], rtol=1e-5)
        only = native_attention.attention_grad(g, *inputs, 0.4, out, norm, (False, True, False))
        assert only[0] is None and only[2] is None and np.array_equal(only[1], found[1])


@compiled
def test_operands_are_read_where_they_lie(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slices of one projection, heads behind positions: no copy, and the result lies in the same order."""
    joint = np.random.default_rng(0).standard_normal((2, 9, 3, 4, 8)).astype(np.float32)
    q, k, v = [joint[:, :, i].transpose(0, 2, 1, 3) for i in range(3)]
    copies = [np.ascontiguousarray(a) for a in (q, k, v)]
    wanted, norm = native_attention.attention(*copies, None, None, 0.3)
    monkeypatch.setattr(definitions, "attention", None)
    monkeypatch.setattr(np, "require", None)
    out, _ = native_attention.attention(q, k, v, None, None, 0.3)
    assert np.array_equal(out, wanted)
    assert out.transpose(0, 2, 1, 3).flags.c_contiguous
    grads = native_attention.attention_grad(out, q, k, v, None, None, 0.3, out, norm)
    others = native_attention.attention_grad(wanted, *copies, None, None, 0.3, wanted, norm)
    for a, b in zip(grads, others, strict=True):
        assert np.array_equal(a, b)


@compiled
@pytest.mark.parametrize(
    "shape", [(5, 7), (1, 7), (5, 1), (7,), (3, 1, 7), (2, 1, 5, 7), (2, 3, 5, 7), (1, 3, 1, 1)]
)
def test_masks_broadcast(shape: tuple[int, ...]) -> None:
    q, k, v, _, _, g = drawn((2, 3, 5, 7, 4, 4), np.float64)
    mask = np.random.default_rng(1).standard_normal(shape)
    out, norm = native_attention.attention(q, k, v, mask, None, 0.3)
    wanted = exactly(q, k, v, mask, None, g, 0.3)
    found = native_attention.attention_grad(g, q, k, v, mask, None, 0.3, out, norm)
    for a, b in zip((out, *found), wanted, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12)


@compiled
@pytest.mark.parametrize(
    "form", ["reversed", "spread", "five", "broadcast", "mixed", "half", "empty", "read-only"]
)
def test_other_operands(form: str) -> None:
    """What the kernels do not read is copied, or left to the definitions."""
    q, k, v, _, _, g = drawn((2, 3, 5, 7, 4, 4), np.float32)
    if form == "reversed":
        q, k = q[:, ::-1, ::-1], k[..., ::-1]
    elif form == "spread":
        v = np.repeat(v, 2, -1)[..., ::2]
    elif form == "five":
        q, k, v, g = [a.reshape(2, 3, 1, *a.shape[2:]) for a in (q, k, v, g)]
    elif form == "broadcast":
        k, v = k[:1], v[:, :1]
    elif form == "mixed":
        k = k.astype(np.float64)
    elif form == "half":
        g = g.astype(np.float16)
    elif form == "empty":
        k, v = k[:, :, :0], v[:, :, :0]
    else:
        for a in (q, k, v, g):
            a.flags.writeable = False
    out, norm = native_attention.attention(q, k, v, None, None, 0.3)
    wanted, other = definitions.attention(q, k, v, None, None, 0.3)
    np.testing.assert_allclose(out, wanted, atol=1e-5)
    if form == "empty":
        return
    found = native_attention.attention_grad(g, q, k, v, None, None, 0.3, out, norm)
    for a, b in zip(
        found, definitions.attention_grad(g, q, k, v, None, None, 0.3, wanted, other), strict=True
    ):
        np.testing.assert_allclose(a, b, atol=1e-3 if form == "half" else 1e-5)


@compiled
def test_one_query_and_many_keys_are_for_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Word by word: packing the keys would take longer than the products."""
    q, k, v, _, _, g = drawn((2, 3, 1, 500, 8, 8), np.float32)
    wanted = exactly(q, k, v, None, None, g, 0.3)
    out, norm = native_attention.attention(q, k, v, None, None, 0.3)
    for a, b in zip(
        (out, *native_attention.attention_grad(g, q, k, v, None, None, 0.3, out, norm)), wanted, strict=True
    ):
        check(a, b, np.float32)
    monkeypatch.setattr(definitions, "attention", None)
    with pytest.raises(TypeError):
        native_attention.attention(q, k, v, None, None, 0.3)
    native_attention.attention(q, k[:, :, :256], v[:, :, :256], None, None, 0.3)


@compiled
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_spoil_their_rows(value: float) -> None:
    q, k, v, *_ = drawn((1, 1, 5, 20, 4, 4), np.float32)
    q[0, 0, 1, 2] = value
    with np.errstate(invalid="ignore"):
        out, _ = native_attention.attention(q, k, v, None, None, 0.3)
        wanted, _ = definitions.attention(q, k, v, None, None, 0.3)
    assert np.isnan(wanted[0, 0, 1]).all()
    np.testing.assert_array_equal(np.isnan(out), np.isnan(wanted))


@compiled
def test_the_same_bits_for_any_number_of_threads() -> None:
    before = torch.get_num_threads()
    q, k, v, mask, noise, g = drawn((2, 3, 500, 90, 24, 24), np.float32, True, True)
    seen = set()
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            out, norm = native_attention.attention(q, k, v, mask, noise, 0.3)
            grads = native_attention.attention_grad(g, q, k, v, mask, noise, 0.3, out, norm)
            seen.add(b"".join([a.tobytes() for a in (out, norm, *grads)]))
    finally:
        torch.set_num_threads(before)
    assert len(seen) == 1


@compiled
def test_wrong_operands_are_refused() -> None:
    q, k, v, mask, noise, g = drawn((2, 3, 5, 7, 4, 4), np.float32, True, True)
    out, norm = np.full((2, 3, 5, 4), np.nan, np.float32), np.full((2, 3, 5), np.nan, np.float32)

    def attend(**changed: Any) -> None:
        given = {
            "q": q,
            "k": k,
            "v": v,
            "mask": mask,
            "noise": noise,
            "out": out,
            "norm": norm,
            "scale": 0.3,
            "wide": False,
        }
        _native.attend(**{**given, **changed})

    fixed = np.zeros_like(out)
    fixed.flags.writeable = False
    for bad in (
        {"q": None},
        {"q": q.astype(np.float64)},
        {"q": q[..., ::-1]},
        {"wide": True},
        {"out": None},
        {"out": fixed},
        {"v": [1.0]},
        {"k": k[0, 0, 0]},
    ):
        with pytest.raises(TypeError):
            attend(**bad)
    for bad in (
        {"k": k[:, :, :6]},
        {"v": v[:, :2]},
        {"q": q[..., :3]},
        {"out": out[:, :, :4]},
        {"norm": norm[:1]},
        {"noise": noise[0]},
        {"mask": mask[..., :6]},
        {"mask": mask[:, :, :3]},
        {"q": q[:, :, :0]},
    ):
        with pytest.raises(ValueError):
            attend(**bad)
    assert np.isnan(out).all()
    grads = np.empty_like(q), np.empty_like(k), np.empty_like(v)
    with pytest.raises(TypeError):
        _native.attend_grad(g, q, k, v, None, None, out, None, *grads, 0.3, False)  # type: ignore[arg-type]
    with pytest.raises(ValueError):
        _native.attend_grad(g, q, k, v, None, None, out, norm, grads[1], grads[1], grads[2], 0.3, False)
    attend()
    assert math.isfinite(float(out.sum()))
