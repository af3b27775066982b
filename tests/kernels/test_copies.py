"""Compiled copies and casts: to the bit what NumPy gives, whatever the strides, and nothing else is touched."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from tests.kernels.processes import compiled

from convgrad.kernels import machine, maps, native, threads
from convgrad.ops.formula import viewable
from convgrad.ops.shape import cast_array

pytestmark = compiled
if native.available():
    from convgrad.kernels import native_maps
    from convgrad.kernels.machine import _native

SETS = _native.instruction_sets() if native.available() else []
ITEMS = [np.uint8, np.int16, np.float32, np.float64, np.complex64, np.complex128]
#: about the squares of each instruction set, short rows, and tiles
SIZES = [1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 33, 65, 130]


@pytest.fixture(params=SETS)
def instruction_set(request: pytest.FixtureRequest) -> Iterator[str]:
    before = threads.get_num_threads()
    _native.use_instruction_set(request.param)
    yield request.param
    _native.use_instruction_set(machine.instruction_set())
    threads.set_num_threads(before)


def strided(rng: np.random.Generator, dtype: Any) -> Any:
    """Any bytes in up to six axes: cut, in steps, backwards, in any order, some repeated without memory."""
    ndim = int(rng.integers(0, 7))
    sizes = SIZES[: 13 if ndim < 3 else 11 if ndim < 4 else 5]
    shape = [int(n) for n in rng.choice(sizes, ndim)]
    whole = [2 * n for n in shape]
    data = rng.integers(0, 256, int(np.prod(whole)) * np.dtype(dtype).itemsize, np.uint8)
    x = data.view(dtype).reshape(whole)
    for axis, n in enumerate(shape):
        keys = [slice(n), slice(None, None, 2), slice(None, None, -2), slice(n - 1, None, -1)]
        x = x[(slice(None),) * axis + (keys[rng.integers(4)],)]
    if ndim and rng.random() < 0.3:
        axis = int(rng.integers(ndim))
        x = np.broadcast_to(x.take([0], axis), x.shape)
    return x.transpose(rng.permutation(ndim))


@pytest.mark.parametrize("dtype", ITEMS)
def test_any_strides(instruction_set: str, dtype: Any) -> None:
    rng = np.random.default_rng(0)
    for trial in range(150):
        x = strided(rng, dtype)
        threads.set_num_threads(1 + trial % 3)
        around = np.full(x.size + 128, 7, dtype)
        out = around[64:-64].reshape(x.shape)
        assert _native.copy_strided(x, out)
        assert out.tobytes() == x.tobytes(), (x.shape, x.strides)
        assert (around[:64] == 7).all() and (around[-64:] == 7).all()


@pytest.mark.parametrize("dtype", ITEMS)
@pytest.mark.parametrize(
    ("shape", "axes"),
    [((512, 300), (1, 0)), ((4, 16, 40, 64), (0, 2, 3, 1)), ((4, 40, 64, 16), (0, 3, 1, 2)),
     ((3, 5, 2, 64, 2, 64), (0, 3, 2, 5, 4, 1))],
)  # fmt: skip
def test_large_ones(instruction_set: str, dtype: Any, shape: tuple[int, ...], axes: tuple[int, ...]) -> None:
    """Cut into several tasks; also backwards, and into arrays with axes as they lay."""
    x = np.random.default_rng(0).integers(0, 100, shape).astype(dtype)
    for view in (x.transpose(axes), x.transpose(axes)[::-1], x[..., ::-1], x[::2].transpose(axes)):
        for count in (1, 2, 3):
            threads.set_num_threads(count)
            found = native_maps.contiguous(view)
            assert found.flags.c_contiguous and found.tobytes() == view.tobytes()
            kept, wanted = native_maps.copy(view), maps.copy(view)
            assert kept.strides == wanted.strides and kept.tobytes() == wanted.tobytes()


def test_copies_of_axes_without_memory_or_of_one_item() -> None:
    """``copy`` lays out what has memory once as NumPy does."""
    x = np.random.default_rng(0).random((1, 300, 200))
    for view in (
        x.transpose(2, 0, 1), np.broadcast_to(x, (4, 300, 200)), np.broadcast_to(x[..., :1], (4, 300, 200)),
        np.broadcast_to(x.T, (200, 300, 5)),
    ):  # fmt: skip
        found, wanted = native_maps.copy(view), maps.copy(view)
        assert [s for s, n in zip(found.strides, view.shape, strict=True) if n > 1] == [
            s for s, n in zip(wanted.strides, view.shape, strict=True) if n > 1
        ]
        np.testing.assert_array_equal(found, wanted)


def test_what_is_left_to_numpy() -> None:
    x = np.arange(100.0)
    assert not _native.copy_strided(x[:50], x[25:75])  # overlap
    assert not _native.copy_strided(x[::-1], x)
    assert not _native.copy_strided(x, np.empty(100, np.float32))
    assert not _native.copy_strided(x, np.empty((10, 10)))
    assert not _native.copy_strided(x, np.empty(200)[::2])
    assert not _native.copy_strided(x.astype("S3"), np.empty(100, "S3"))
    assert not _native.copy_strided(list(x), np.empty(100))
    unaligned = np.frombuffer(b"0" + x.tobytes(), np.float64, 100, 1)
    assert not _native.copy_strided(unaligned, np.empty(100))
    assert not _native.copy_strided(x.astype(">f8"), np.empty(100))
    many = np.zeros((2,) * 12).transpose(range(11, -1, -1))
    assert not _native.copy_strided(many, np.empty(many.shape))
    read_only = np.empty(100)
    read_only.flags.writeable = False
    assert not _native.copy_strided(x, read_only)
    empty = np.empty((3, 0))
    assert _native.copy_strided(empty, empty.copy())
    for odd in (many, np.frombuffer(b"0" + bytes(80000), np.float64, 10000, 1)[::2]):
        np.testing.assert_array_equal(native_maps.contiguous(odd), odd)
    things = np.array([[]] * 5000 + [None], object)[::-1]
    assert native_maps.contiguous(things).tolist() == things.tolist()


CASTS = ["f4", "f8", "i8", "i4", "u1", "?"]


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("to", CASTS)
@pytest.mark.parametrize("given", CASTS)
def test_casts(instruction_set: str, given: str, to: str, count: int) -> None:
    """Also of subnormal numbers, of what is no number and of what does not fit."""
    threads.set_num_threads(count)
    rng = np.random.default_rng(0)
    special = [
        0.0,
        -0.0,
        1e-40,
        -1e-310,
        np.nan,
        np.inf,
        -np.inf,
        3e38,
        1e300,
        -2.5,
        2.5,
        1e10,
        -1e19,
        2**53 + 1.0,
    ]
    for size in [0, 1, 7, 8, 17, 300_001]:
        x = rng.standard_normal(size) * 1000
        x[: len(special)] = special[:size]
        with np.errstate(all="ignore"):
            if given == "i8":  # every bit: float32 rounds them
                source = rng.integers(-(2**63), 2**63 - 1, size)
            else:
                source = x.astype(given) if given != "u1" else x.astype(np.int64).astype(given)
            out = np.full(size, 1, to)
            wanted = source.astype(to)
        if _native.cast_elements(source, out):
            assert out.tobytes() == wanted.tobytes()
        else:
            assert given == to or (given in ("f4", "f8") and to == "u1")


def test_casts_are_refused() -> None:
    x = np.ones(10, np.float32)
    assert not _native.cast_elements(x, np.empty(10, np.complex64))
    assert not _native.cast_elements(x, x.view(np.int32))  # overlap
    with pytest.raises(ValueError, match="as many elements"):
        _native.cast_elements(x, np.empty(9))
    with pytest.raises(TypeError):
        _native.cast_elements(x[::2], np.empty(5))
    with pytest.raises(TypeError):
        _native.cast_elements(x, np.empty(20)[::2])


def test_large_arrays_are_cast_by_the_kernel() -> None:
    x = np.random.default_rng(0).standard_normal((300, 200)) * 100
    for given in CASTS:
        source = x.astype(np.int64).astype(given)
        for to in (*CASTS, "c16"):
            for view in (source, source.T):
                wanted = view.astype(np.int64).astype(to) if to == "u1" else view.astype(to)
                found = cast_array(view, np.dtype(to))
                assert found.dtype == wanted.dtype and found.strides == wanted.strides
                np.testing.assert_array_equal(found, wanted)


def test_viewable_is_what_numpy_does() -> None:
    rng = np.random.default_rng(1)
    for _ in range(500):
        x = strided(rng, np.float32)
        new: list[int] = []
        for n in x.shape:  # axes joined and split at random, ones put in
            if new and rng.random() < 0.5:
                new[-1] *= n
            elif n % 2 == 0 and rng.random() < 0.5:
                new += [2, n // 2]
            else:
                new += [n, 1] if rng.random() < 0.2 else [n]
        assert viewable(x, tuple(new)) == np.may_share_memory(x.reshape(new), x), (x.shape, x.strides, new)
