"""The short ways of small calls say what the long ones say: plain keys, joins, rolls, borders, views."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import convgrad as torch
from convgrad.kernels.padding import pad
from convgrad.ops.rearrange import stacked
from convgrad.tensor.methods.index import _kind, plain_key, split_key
from convgrad.tensor.tensor import Tensor

ATOMS = (
    0,
    -1,
    1,
    2,
    None,
    ...,
    slice(None),
    slice(1, 3),
    slice(0, 9),
    slice(-9, None),
    slice(2, 1),
    slice(0, 2, 2),
)
SHAPES = ((), (3,), (0,), (2, 3), (2, 0, 4), (3, 1, 2))


def arrays() -> Iterator[Any]:
    """Arrays that lie in order, transposed, in steps, repeated, backwards, empty and 0-d."""
    x = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    yield from (
        x,
        x.T,
        x[:, ::2, 1:],
        np.broadcast_to(x[:1], (2, 3, 4)),
        x[::-1],
        x[:, :0],
        x[0, 0, 0, ...],
        x[0, 0],
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_a_plain_key_is_read_as_any_key(shape: tuple[int, ...]) -> None:
    data, read = np.arange(np.prod(shape)).reshape(shape), 0
    for count in range(4):
        for key in itertools.product(ATOMS, repeat=count):
            found = plain_key(key, shape)
            if found is None:
                continue
            basic, advanced = split_key(key, data)
            assert advanced is None
            assert found[0] is _kind(basic)
            assert np.array_equal(data[found[1]], data[basic])
            assert data[found[1]].strides == data[basic].strides
            read += 1
    assert read > (5 if not shape else 50)


@pytest.mark.parametrize(
    "key",
    [(0, True), (np.int64(1),), ([0],), (torch.tensor(0),), (slice(torch.tensor(0), None),), (..., 0, ...)],
)
def test_other_keys_are_left_to_the_general_way(key: Any) -> None:
    assert plain_key(key, (2, 3)) is None


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("count", [1, 2, 8, 9])
def test_stacked_is_numpys_stack(axis: int, count: int) -> None:
    for x in arrays():
        if axis <= x.ndim:
            assert np.array_equal(stacked([x] * count, axis), np.stack([x] * count, axis))
    mixed = [np.ones(2, np.float32), np.ones(2)]
    assert stacked(mixed, 0).dtype == np.float64


@pytest.mark.parametrize("shift", [-5, -1, 0, 1, 2, 7])
def test_roll_and_flip_are_numpys(shift: int) -> None:
    for x in arrays():
        t = Tensor(x, None)
        assert np.array_equal(t.roll(shift).numpy(), np.roll(x, shift))
        for axis in range(x.ndim):
            assert np.array_equal(t.roll(shift, axis).numpy(), np.roll(x, shift, axis))
            assert np.array_equal(t.roll((shift, 1), (axis, 0)).numpy(), np.roll(x, (shift, 1), (axis, 0)))
            assert np.array_equal(t.flip(axis).numpy(), np.flip(x, axis))
            assert t.flip(axis)._data.flags.owndata


@pytest.mark.parametrize("first", [(0, 0), (1, 2), (-1, 3), (2, -1), (0, -1)])
@pytest.mark.parametrize("value", [0, 1.5])
def test_pad_is_numpys(first: tuple[int, int], value: float) -> None:
    for x in arrays():
        if x.ndim and x.shape[0] > 1:
            widths = (first, *((0, 1),) * (x.ndim - 1))
            a, b = first
            cut = x[max(-a, 0) : x.shape[0] - max(-b, 0)]
            wide = np.pad(cut, ((max(a, 0), max(b, 0)), *widths[1:]), constant_values=value)
            assert np.array_equal(pad(x, widths, value), wide)


def test_expand_repeats_without_a_copy() -> None:
    for x in arrays():
        wide = Tensor(x, None).expand(3, *x.shape)
        assert np.array_equal(wide._data, np.broadcast_to(x, (3, *x.shape)))
        assert wide._data.strides[0] == 0
        assert not x.size or np.may_share_memory(wide._data, x)
    half = torch.ones(1, 2, dtype=torch.bfloat16).expand(3, 2)
    assert half.tolist() == [[1.0, 1.0]] * 3


def test_expand_of_what_may_not_be_written_may_not_either() -> None:
    x = np.ones(3)
    x.flags.writeable = False
    assert not Tensor(x, None).expand(2, 3)._data.flags.writeable


def test_dead_views_are_let_go() -> None:
    x = torch.zeros(64, 2)
    for _ in range(100):
        x.split(2)
        x.view(-1)
    assert len(x._cell.views) < 200
    r = torch.zeros(64, 2, requires_grad=True)
    for _ in range(100):
        r.split(2)
    assert len(r._cell.views) < 200
    assert len(r._cell.fragile) < 200


def test_cat_and_stack_of_mixed_kinds_still_promote_and_refuse() -> None:
    a, b = torch.ones(2), torch.ones(2, dtype=torch.float64)
    assert torch.cat([a, b]).dtype is torch.float64
    assert torch.stack((a, b)).dtype is torch.float64
    assert torch.cat([torch.zeros(0), torch.ones(2, 2)]).shape == (2, 2)
    with pytest.raises(RuntimeError, match="Sizes of tensors must match except in dimension 0"):
        torch.cat([torch.ones(2, 3), torch.ones(2, 4)])
    with pytest.raises(RuntimeError, match="stack expects each tensor to be equal size"):
        torch.stack([torch.ones(2), torch.ones(3)])
    with pytest.raises(IndexError, match="Dimension out of range"):
        torch.cat([a, a], 1)
    r = torch.ones(2, requires_grad=True)
    torch.cat([a, r * 2]).sum().backward()
    assert r.grad is not None
    assert r.grad.tolist() == [2.0, 2.0]
    with torch.no_grad():
        assert not torch.stack([r, r]).requires_grad


@pytest.mark.parametrize("value", [1, -2.5, 1e300, float("inf")])
def test_fill_writes_the_number_and_counts_it(value: float) -> None:
    x = torch.zeros(2, 3)
    version = x._version
    if value == 1e300:
        with pytest.raises(RuntimeError, match="without overflow"):
            x.fill_(value)
        return
    assert x.fill_(value).tolist() == [[value] * 3] * 2
    assert x._version == version + 1


def test_a_list_of_floats_takes_the_default_dtype() -> None:
    assert torch.tensor([1.0, 2.5]).dtype is torch.float32
    assert torch.tensor([1e300, -1e300]).tolist() == [float("inf"), float("-inf")]
    assert torch.tensor([1.0, 2]).dtype is torch.float32
    assert torch.tensor([]).shape == (0,)


@pytest.mark.parametrize(
    "ends", [(5,), (0,), (2, 9), (2, 9, 3), (-4, 4, 5), (3, 3), (2**62 - 1, 2**62), (7, 2, -2)]
)
def test_arange_of_ints_counts_as_python_does(ends: tuple[int, ...]) -> None:
    made = torch.arange(*ends)
    assert made.dtype is torch.int64
    assert made.tolist() == list(range(*ends))


def test_repeat_interleave_by_a_number_is_numpys_repeat() -> None:
    for x in arrays():
        t = Tensor(x, None)
        assert np.array_equal(t.repeat_interleave(3).numpy(), x.repeat(3))
        for axis in range(x.ndim):
            out = t.repeat_interleave(2, axis)
            assert np.array_equal(out.numpy(), x.repeat(2, axis))
            assert out.is_contiguous()
            t.clone().requires_grad_().repeat_interleave(2, axis).sum().backward()


@pytest.mark.parametrize("value", [0.1, -1.5, float("nan"), float("-inf"), 1e39, -1e300, 1e-46])
def test_floats_are_rounded_to_float32_as_c_casts(value: float) -> None:
    with np.errstate(over="ignore"):
        want = np.float64(value).astype(np.float32)
    for data, shape in (
        (value, ()),
        ([value], (1,)),
        ([float("nan"), value, 1.0], (3,)),
        ([value] * 17, (17,)),
    ):
        made = torch.tensor(data).numpy()
        assert made.dtype == np.float32
        assert made.shape == shape
        where = 1 if shape == (3,) else 0
        assert np.array_equal(made.reshape(-1)[where], want, equal_nan=True)


def test_an_index_of_positions_is_read_as_numpy_reads_it() -> None:
    where = torch.tensor([[0, -1], [1, 0]])
    for x in arrays():
        if x.ndim and x.shape[0]:
            assert np.array_equal(Tensor(x, None)[where].numpy(), x[where.numpy()])
    with pytest.raises(IndexError, match="out of bounds"):
        torch.zeros(1)[where]
    with pytest.raises(IndexError):
        torch.tensor(1.0)[where]
