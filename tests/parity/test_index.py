"""Indexing, gather, scatter and their kin against PyTorch: values, nodes, gradients, errors."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from tests.parity.shape_support import compare

RNG = np.random.default_rng(0)
ARRAYS = {
    "x": RNG.normal(size=(2, 3, 4)),
    "m": RNG.normal(size=(3, 3)).astype(np.float32),
    "v": RNG.normal(size=6),
    "z": np.array(1.5),
    "e": np.zeros((0, 3)),
    "k": np.array([0, 2, 2]),
    "g": np.array([[0, 1, 2], [2, 2, 0]]),
    "h": np.array([[0, 2], [1, 1], [2, 0]]),
    "b": np.array([True, False, True]),
    "i": np.arange(12).reshape(3, 4),
}

READ = """
x[0] | x[-1] | x[0, 1] | x[0, 1, 2] | x[:] | x[...] | x[None] | x[0, :] | x[:, 0] | x[1:] | x[0, 1:] | x[1:, 0] | x[:, :, ::2] | x[0, None] | x[None, 0] | x[0, ...] | x[..., 0] | x[..., None] | x[:, None, :, 0] | x[5] | x[-3] | x[0, 0, 0, 0]
x[True] | x[False] | x[:, True] | x[True, False] | x[:, None, True] | x[[0, 1]] | x[[0, 1], 0] | x[0, [0, 1]] | x[1:, [0, 1]] | x[:, [2, 0, 0]] | x[[0, 1], :, [1, 2]] | x[[[0], [1]], [0, 2]] | x[0, :, [1, 2]] | x[:, 0, [1, 2]] | x[[0, 1], None, [0, 2]] | x[[0, 1], 0, [0, 2]] | x[..., [1, 1]] | x[[0, 1], ..., [1, 3]]
x[torch.tensor(1)] | x[torch.tensor(1), 1:] | x[torch.tensor([1, 0])] | x[torch.tensor([[1, 0]])] | x[:, torch.tensor([True, False, True])] | x[x > 0] | x[0][x[0] > 0] | x[:, b] | x[:, b, 0] | x[0, b] | x[b] | x[:, b, [0, 1]] | x[torch.tensor([True, False]), b.sum()] | m[m > 5] | x[x > 100] | m[k] | m[k, k] | m[k][:, k] | m[:, k] | v[k] | m[g] | x[:, g]
z[0] | z[None] | z[...] | z[True] | z[z > 0] | z[()] | x['a'] | x[1.0] | x[v] | x[::-1] | x[[5]] | x[[-3]] | x[[-1]] | x[[0, 1], [0, 1, 2]] | x[k[0]] | x[:, k[1]:] | x[k[0]:k[1]] | x[torch.tensor([0, 1], dtype=torch.int32)] | x[torch.tensor([0], dtype=torch.int16)] | x[[]] | x[:, []] | e[0] | e[[]] | e[:, [0, 1]] | e[e > 0]
x[np.array([0, 1])] | x[np.int64(1)] | x[np.array(1)] | x[range(2)] | x[(0, [0, 1])] | x[[0, slice(None)]] | x[[[0, 1], [1, 0]]] | x[:, 1:1] | x[9:] | x[-1:] | x[:, :, 1:3][0] | x[0][1][2] | len(x) | len(z) | list(v) | list(x) | iter(z) | 1.5 in z | v[0] in v | 'a' in v | x[0:2, 1] | x[slice(0, 1), slice(None), 1] | x[torch.tensor(True)] | x[:, torch.tensor(False)] | x.size(1) | x.size(5) | x.size() | x.stride() | x[1:].storage_offset() | x.T.stride()
"""
WRITE = """
y[0] = 1. | y[0] = 2 | y[:, 1] = y[:, 2].clone() | y[0, 1:] = x[1, :2] | y[0] = torch.zeros(4) | y[0] = torch.zeros(1, 1, 4) | y[0] = torch.zeros(5) | y[:] = 0 | y[...] = 3. | y[None] = 3. | y[0, 0, 0] = z | y[0] = z | y[[0, 1]] = 7. | y[[0, 1], 0] = v[:4] | y[:, [0, 2]] = 1.5 | y[y > 0] = 0. | y[x > 0] = z | y[x > 0] = v[:1] | y[:, b] = 2. | y[:, b] = x[:, :2] | y[0, [0, 1]] = x[0, 1:] | y[[0, 0]] = z | y[..., [1]] = x[..., [2]] | y[True] = 1. | y[False] = 1. | y[5] = 1. | y[[5]] = 1. | y['a'] = 1. | y[0] = 'a' | y[0] = [1., 2., 3., 4.] | y[0] = 1j | y[[0]] = torch.ones(5, dtype=torch.float64) | y[[0]] = torch.ones(4) | y[[0]] = torch.ones(1, 1, 1, 4, dtype=torch.float64) | y[x > 0] = torch.ones(5, dtype=torch.float64) | y[0] = torch.ones(4) | y[::2] = 5. | y[:, ::2] += 1 | y[0] += y[1] | y[[0, 1], [0, 1]] += 1 | y[0][1] = 5. | y[:, 0][0] = v[:4] | y.t_ | y[0, :, [0, 1]] = 2. | y[k[0]] = 4. | y[:, k] = 1. | y[1:, b, 0] = 9. | y[[True, False]] = 0. | y[0] = i[0] | y[0, 0] = True | y[:, []] = 5. | y[[]] = torch.ones(4, dtype=torch.float64)
"""
PLACE = """
x.index_select(0, torch.tensor([1, 0, 1])) | x.index_select(-1, k) | x.index_select(0, k) | x.index_select(0, g) | x.index_select(0, v) | x.index_select(1, torch.tensor(1)) | z.index_select(0, torch.tensor([0])) | m.index_select(0, torch.tensor([-1])) | x.index_select(1, torch.tensor([], dtype=torch.long)) | m.index_select(1, torch.tensor([2, 1], dtype=torch.int32))
m.gather(0, g) | m.gather(1, h) | m.gather(0, k) | m.gather(0, torch.tensor([[5]])) | m.gather(0, torch.tensor([[-1]])) | m.gather(0, torch.tensor([[0.]])) | m.gather(1, torch.zeros(4, 1, dtype=torch.long)) | z.gather(0, torch.tensor([0])) | z.gather(0, torch.tensor(0)) | v.gather(0, k) | x.gather(2, torch.zeros(1, 1, 6, dtype=torch.long)) | m.gather(-1, h) | m.gather(0, torch.zeros(0, 3, dtype=torch.long))
m.scatter(0, g, m[:2] * 2) | m.scatter(0, g, 2.) | m.scatter(1, torch.tensor([[0, 1], [1, 2], [2, 0]]), m.detach() * 3) | m.scatter(0, torch.tensor([[5]]), 1.) | m.scatter(0, torch.tensor([[-1]]), 1.) | m.scatter(0, k, 1.) | m.scatter(0, torch.tensor([[0, 1]]), m[:1, :1]) | m.scatter(0, torch.tensor([[0]]), torch.ones(1, 1, dtype=torch.double)) | v.scatter(0, k[:2], v[:2]) | z.scatter(0, torch.tensor([0]), 5.) | m.scatter(0, g, value=3) | v.scatter(0, torch.tensor([0, 1]), v.detach())
m.scatter_add(0, g, m[:2]) | m.scatter_add(1, h, m[:, :2]) | v.scatter_add(0, k, v[:3]) | z.scatter_add(0, torch.tensor(0), z) | m.scatter_add(0, torch.tensor([[0, 0]]), m[:1].detach()) | v.scatter_add(0, k, m[0]) | i.scatter_add(0, torch.zeros(3, 4, dtype=torch.long), i)
v.scatter_reduce(0, k, v[3:], 'sum') | v.scatter_reduce(0, k, v[3:], 'mean') | v.scatter_reduce(0, k, v[3:], 'amax') | v.scatter_reduce(0, k, v[3:], 'amin') | v.scatter_reduce(0, k, v[3:], 'prod') | v.scatter_reduce(0, k, v[3:], 'mean', include_self=False) | v.scatter_reduce(0, k, v[3:], 'amax', include_self=False) | v.scatter_reduce(0, k, v[3:], 'amin', include_self=False) | v.scatter_reduce(0, k, v[3:], 'prod', include_self=False) | v.scatter_reduce(0, k, v[3:], 'foo') | m.scatter_reduce(1, h, m[:, 1:], 'amax') | i.scatter_reduce(0, torch.zeros(2, 4, dtype=torch.long), i[:2], 'mean') | i.scatter_reduce(0, torch.zeros(2, 4, dtype=torch.long), i[:2], 'prod')
m.index_add(0, k, m) | m.index_add(1, k[:2], m[:, 1:], alpha=2) | m.index_add(0, torch.tensor([0]), m[:2]) | m.index_add(0, torch.tensor([5]), m[:1]) | m.index_add(0, torch.tensor([-1]), m[:1]) | v.index_add(0, torch.tensor(0), v[:1]) | m.index_add(0, k[:1], x[0, :1, :3]) | z.index_add(0, torch.tensor([0]), z) | m.index_add(0, k, v)
m.index_copy(0, torch.tensor([0, 2]), m[:2] * 2) | m.index_copy(1, torch.tensor([1]), m[:, :1]) | m.index_copy(0, torch.tensor([5]), m[:1]) | m.index_copy(0, torch.tensor([0]), m[:2]) | m.index_fill(0, k, 1.) | m.index_fill(1, torch.tensor([-1]), 2) | m.index_fill(0, k, m[0, 0]) | m.index_fill(0, torch.tensor([5]), 1.) | m.index_fill(0, k, v) | z.index_fill(0, torch.tensor([0]), 5.)
m.index_put((k,), m[:1]) | m.index_put((k, k), m[0, 0]) | m.index_put((k,), m[:1], accumulate=True) | m.index_put((m > 0,), m[0, 0]) | m.index_put((k,), v)
m.masked_select(m > 0) | x.masked_select(b[:, None]) | m.masked_select(b) | z.masked_select(torch.tensor(True)) | m.masked_select(v) | m.masked_select(torch.tensor([True, False])) | m.masked_scatter(m > 0, m * 2) | m.masked_scatter(b, m) | m.masked_scatter(m > -9, m[0]) | m.masked_scatter(m > 0, x) | x.masked_scatter(x > 0, x.flip(0))
m.take(torch.tensor([0, 8, -1, 0])) | m.take(g) | m.take(torch.tensor([9])) | m.take(torch.tensor([0.])) | m.put(torch.tensor([0, 4]), m[0, :2]) | m.put(torch.tensor([0, 0]), m[0, :2], accumulate=True) | m.put(torch.tensor([10]), m[0, :1]) | m.put(torch.tensor([0]), m[0]) | m.take_along_dim(g, 0) | m.take_along_dim(h[:, :1], 1) | m.take_along_dim(torch.tensor([[1]]), 0) | m.take_along_dim(torch.tensor([1, 5])) | m.take_along_dim(k, 0) | x.take_along_dim(torch.zeros(1, 3, 1, dtype=torch.long), 2)
"""
PLACE_IN = """
y.scatter_(0, g, m[:2]) | y.scatter_(0, g, 2.) | y.scatter_add_(0, g, m[:2]) | y.index_add_(0, k, m) | y.index_copy_(0, torch.tensor([0, 2]), m[:2]) | y.index_fill_(0, k, 1.) | y.index_put_((k,), m[:1]) | y.index_put_((k,), m[:1], accumulate=True) | y.masked_scatter_(m > 0, m * 2) | y.put_(torch.tensor([0, 4]), m[0, :2]) | y.scatter_reduce_(0, g, m[:2], 'amax') | y[0].index_fill_(0, k, 1.) | y[:, 0].scatter_(0, k[:1], 5.)
"""


def expressions(text: str) -> list[str]:
    return [part.strip() for line in text.strip().splitlines() for part in line.split(" | ")]


@pytest.mark.parametrize("expression", expressions(READ + PLACE))
def test_read(expression: str) -> None:
    # PyTorch works on 0-d tensors directly where we go by a view of one element
    compare(expression, ARRAYS, names=not expression.startswith("z."))


@pytest.mark.parametrize("statement", expressions(WRITE))
def test_write(statement: str) -> None:
    compare(f"y = x * 1; {statement}; y", ARRAYS)


@pytest.mark.parametrize("statement", expressions(WRITE))
def test_write_untracked(statement: str) -> None:
    compare(f"x = x.detach(); v = v.detach(); z = z.detach(); y = x.clone(); {statement}; y", ARRAYS)


@pytest.mark.parametrize("expression", expressions(PLACE_IN))
def test_in_place(expression: str) -> None:
    compare(f"y = m * 1; {expression}; y", ARRAYS, names="scatter_reduce" not in expression)


@st.composite
def keys(draw: Any) -> tuple[tuple[int, ...], str]:
    """A shape and the text of a key for it: ints, slices, None, ..., lists, masks and bools mixed."""
    shape = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=4)))
    length = draw(st.sampled_from([1, 2, 3]))
    parts: list[str] = []
    dim, ellipsis = 0, False
    while dim < len(shape):
        n = shape[dim]
        kind = draw(
            st.sampled_from(["int", "slice", "none", "list", "mask", "full", "...", "bool", "tensor", "stop"])
        )
        if kind == "stop":
            break
        if kind == "none":
            parts.append("None")
            continue
        if kind == "bool":
            parts.append("True")
            continue
        if kind == "...":
            if ellipsis:
                continue
            ellipsis = True
            parts.append("...")
            dim += draw(st.integers(0, len(shape) - dim))
            if dim < len(shape):  # what follows counts from the end: speak of all the rest
                parts.extend([":"] * (len(shape) - dim))
            break
        if kind == "int":
            parts.append(str(draw(st.integers(-n, n - 1))))
        elif kind == "slice":
            a, b = draw(st.integers(-n - 1, n + 1)), draw(st.integers(-n - 1, n + 1))
            parts.append(f"{a}:{b}:{draw(st.integers(1, 2))}")
        elif kind == "full":
            parts.append(":")
        elif kind == "mask":
            mask = [False] * n
            for j in draw(st.lists(st.integers(0, n - 1), min_size=0, max_size=n)):
                mask[j] = True
            parts.append(f"torch.tensor({mask})")
        else:
            index = draw(st.lists(st.integers(-n, n - 1), min_size=length, max_size=length))
            parts.append(f"torch.tensor({index})" if kind == "tensor" else str(index))
        dim += 1
    return shape, ", ".join(parts) + "," if parts else "..."


@settings(max_examples=300, deadline=None, derandomize=True)
@given(keys())
def test_any_mixture_reads_alike(drawn: tuple[tuple[int, ...], str]) -> None:
    shape, key = drawn
    compare(f"x[{key}]", {"x": RNG.normal(size=shape)})


@settings(max_examples=300, deadline=None, derandomize=True)
@given(keys(), st.booleans())
def test_any_mixture_writes_alike(drawn: tuple[tuple[int, ...], str], number: bool) -> None:
    shape, key = drawn
    value = "z" if number else "2."
    compare(
        f"y = x * 1; y[{key}] = {value}; y", {"x": RNG.normal(size=shape), "z": np.array(0.5)}, names=False
    )
