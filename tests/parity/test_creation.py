"""Creation and conversion against PyTorch: values to the last bit, dtypes, errors."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.parity.shape_support import OURS, THEIRS, array, evaluate, same

import convgrad
from convgrad.tensor import creation

DATA = """
1 | 1.5 | True | 1j | [1, 2] | [1., 2] | [True, 2] | [True, 2.] | [1, 2j] | [] | [[], []] | [[1, 2], [3, 4.5]] | range(3) | (1, (2)) | ((1, 2), [3, 4])
[[1, 2], [1, 2, 3]] | [[1, 2], 3] | [1, [2]] | 'a' | ['a'] | None | [None] | {1, 2} | 2**63 | [2**63] | -2**63 | [2**62, 1.5] | float('nan') | [float('inf'), 1]
np.float64(1.5) | np.float32(1.5) | [np.float64(1.5)] | [np.float32(1.5)] | [np.int32(1)] | np.int32(1) | np.ones(2) | np.ones((2, 2), np.int16) | [np.ones(2), np.ones(2)] | np.array(3) | np.bool_(True) | [np.float32(1), 2] | np.ones((2, 3)).T
torch.ones(2) | [torch.tensor(1), torch.tensor(2.5)] | [torch.ones(2), torch.ones(2)] | [torch.ones(1), torch.ones(1)] | [[torch.tensor(1.)]] | np.array(['a']) | np.ones(2, '>f4') | [[[1]], [[2]]] | [[1], [2, 3]] | [[[1], [2]], [[3]]] | (i for i in range(3))
"""
MADE = """
torch.zeros(2, 3) | torch.zeros((2, 3)) | torch.zeros([]) | torch.zeros() | torch.zeros(-1) | torch.zeros('a') | torch.zeros(2.5) | torch.zeros((2, 2.5)) | torch.zeros(2, dtype=int) | torch.zeros(2, dtype=float) | torch.zeros(2, dtype=bool) | torch.zeros(2, dtype=complex) | torch.zeros(torch.Size([2, 1])) | torch.zeros(2, device='cpu') | torch.zeros(2, device='foo') | torch.zeros(0, 3)
torch.ones(2, dtype=torch.int8) | torch.ones((), dtype=torch.bfloat16) | torch.ones(2, requires_grad=True) | torch.ones(2, dtype=torch.long, requires_grad=True) | torch.full((2,), 1) | torch.full((2,), 1.5) | torch.full((2,), True) | torch.full((2,), 1j) | torch.full((), 2.) | torch.full(2, 1.) | torch.full((2,), 1.7, dtype=torch.int64) | torch.full((2,), 1j, dtype=torch.float32) | torch.empty(2, 3).shape | torch.empty(()).shape
torch.eye(3) | torch.eye(2, 3) | torch.eye(-1) | torch.eye(2, dtype=torch.bool) | torch.eye(0) | torch.zeros_like(x) | torch.ones_like(x, dtype=torch.int8) | torch.full_like(x, 3) | torch.full_like(x, 2.7, dtype=torch.int32) | torch.empty_like(x).shape | torch.zeros_like(x, requires_grad=True)
torch.arange(5) | torch.arange(5.) | torch.arange(2, 8, 3) | torch.arange(8, 2, -2) | torch.arange(1, 2.5, .5) | torch.arange(0, 1, .1) | torch.arange(0, 1, 0) | torch.arange(0, -1) | torch.arange(0, -1, -.3) | torch.arange(torch.tensor(3)) | torch.arange(3, dtype=torch.float16) | torch.arange(0, 5, dtype=torch.bool) | torch.arange(0, 10, 3, dtype=torch.uint8) | torch.arange(0, 2.5, dtype=torch.int64) | torch.arange(1000) | torch.arange(0, 100, .7) | torch.arange(-3.3, 50, 1.1, dtype=torch.float64) | torch.arange(0) | torch.arange(3, 3) | torch.arange(1, 3, .5, dtype=torch.int32) | torch.arange(1, 3, .5, dtype=torch.int64) | torch.arange(0, 5, 1.5, dtype=torch.int16) | torch.zeros(0, 3).stride() | torch.zeros(2, 0, 3).stride()
torch.linspace(0, 1, 5) | torch.linspace(3, 10, 5) | torch.linspace(0, 1, 1) | torch.linspace(0, 1, 0) | torch.linspace(0, 1, -1) | torch.linspace(0, 10, 5, dtype=torch.int64) | torch.linspace(-3, 7, 100) | torch.linspace(-3, 7, 101, dtype=torch.float64) | torch.linspace(1, 0, 7) | torch.linspace(torch.tensor(0.), torch.tensor(2.), 3) | torch.linspace(0.1, 0.7, 33) | torch.linspace(2, 2, 3) | torch.linspace(-5, 9, 8, dtype=torch.int32)
torch.logspace(0, 1, 3) | torch.logspace(-2, 2, 9) | torch.logspace(0, 1, 3, base=2) | torch.logspace(0, 3, 4, dtype=torch.float64) | torch.logspace(0, 1, 3, base=2, dtype=torch.int64) | torch.logspace(1, 2, 1)
torch.tril_indices(3, 3) | torch.tril_indices(3, 4, 1, dtype=torch.int32) | torch.triu_indices(3, 4, -1) | torch.triu_indices(2, 5, 9) | torch.tril_indices(0, 3)
torch.FloatTensor(2).shape | torch.FloatTensor([1, 2]) | torch.LongTensor([1.5]) | torch.LongTensor([1, 2]) | torch.BoolTensor([0, 1]) | torch.ByteTensor([0, 1]) | torch.HalfTensor([1]) | torch.DoubleTensor([[1, 2]]) | torch.IntTensor(2, 3).shape | torch.CharTensor([1]) | torch.ShortTensor([]) | isinstance(x, torch.DoubleTensor) | isinstance(x, torch.FloatTensor) | torch.FloatTensor
torch.from_numpy(a) | torch.from_numpy(a[::-1]) | torch.from_numpy(a.astype('>f8')) | torch.from_numpy(np.array(['a'])) | torch.from_numpy([1]) | torch.from_numpy(np.float32(1)) | torch.from_numpy(a[::2]) | torch.as_tensor([1, 2]) | torch.as_tensor(a) | torch.as_tensor(a, dtype=torch.float32) | torch.as_tensor(x) is x | torch.as_tensor(np.float64(2)) | torch.asarray(2.5) | torch.asarray([1, 2], dtype=torch.float64) | torch.asarray(a, copy=True) | torch.from_dlpack(a) | torch.frombuffer(bytearray(b'abcdefgh'), dtype=torch.int32, count=1, offset=4) | torch.frombuffer(bytearray(b'abc'), dtype=torch.int32) | torch.frombuffer(bytearray(b''), dtype=torch.int32)
torch.tensor(1.5, dtype=torch.int64) | torch.tensor([1.5], dtype=torch.bool) | torch.tensor([1], requires_grad=True) | torch.tensor([1.], requires_grad=True) | torch.tensor([1j], dtype=torch.float32) | torch.tensor(300, dtype=torch.uint8) | torch.tensor([300], dtype=torch.int8) | torch.tensor(-1, dtype=torch.uint8) | torch.tensor([1, 2], dtype=torch.bfloat16) | torch.tensor(float('nan'), dtype=torch.float16) | torch.tensor([1], dtype=float) | torch.tensor([0.1], dtype=torch.float64) | torch.tensor(a, dtype=torch.int32)
"""
CONVERTED = """
x.to(torch.float32) | x.to('cpu') | x.to('cpu', torch.int64) | x.to(torch.float64) is x | x.to(torch.float64, copy=True) is x | x.to(torch.float32, True, True) | x.to(n) | x.to(dtype=torch.int8) | x.to(device='cpu', dtype=torch.float16) | x.to('foo') | x.to() | x.to(torch.device('cpu')) | x.to(None) | c.to(torch.float32) | x.to(torch.complex64) | w.to(torch.uint8) | w.to(torch.int8) | w.bool()
x.float() | x.double() is x | x.half() | x.bfloat16() | w.int() | w.long() | w.short() | w.char() | w.byte() | x.cfloat() | x.cdouble() | x.cpu() is x | x.type() | n.type() | x.type('torch.FloatTensor') | x.type(torch.int) | x.type('foo') | x.type_as(n) | n.bool()
x.item() | z.item() | n[0].item() | c[0].item() | x.tolist() | z.tolist() | n.tolist() | x.bfloat16().tolist() | float(z) | int(z) | float(x) | int(x) | bool(z) | bool(x) | bool(e) | bool(n[0] * 0) | complex(z) | float(c[0]) | complex(c[0]) | int(n[0]) | float(n[:1]) | range(n[0]) | range(z) | [1, 2, 3][n[1]] | f'{z:.2f}' | f'{x:.2f}' | f'{n[1]}' | '%.3f' % z | '%d' % n[1]
x.numpy().shape | y.numpy() | y.numpy(force=True).shape | np.asarray(x).dtype | np.asarray(y) | np.array(x, dtype='f4').dtype | np.sin(x) | np.ones(3) * x | x * np.ones(3) | np.float64(2) * x | x * np.float64(2) | np.add(x, np.ones(3))
x.size() | x.size(0) | x.size(3) | x.dim() | x.ndim | x.numel() | x.nelement() | x.stride() | x.stride(0) | z.stride() | x.element_size() | x.itemsize | x.nbytes | x.is_contiguous() | x.device | x.layout | x.is_cuda | x.get_device() | x.is_floating_point() | c.is_complex() | n.is_signed() | x.is_same_size(w) | x.storage_offset() | x[1:].storage_offset() | x.dtype | x.equal(x) | x.ndimension()
x.new_tensor([1, 2]) | x.new_tensor([1, 2], dtype=torch.int8) | x.new_zeros(2, 3) | x.new_zeros((2,)) | x.new_ones(2, dtype=torch.int32) | x.new_full((2,), 3) | x.new_empty(2).shape | n.new_tensor([1.7]) | n.new_zeros(2) | x.data | y.data | y.data.requires_grad | x.view(torch.int64) | x.float().view(torch.int32) | x.view(torch.int32).shape | x.float().view(torch.float64) | z.view(torch.int64) | z.view(torch.int32)
y.data = x * 2; y | y.data = torch.ones(2, 2, dtype=torch.float64); y.sum() | q = x.clone(); q.data = x + 1; q | q = x.clone(); q.resize_(2, 1) | y.resize_(2) | x.is_set_to(x) | torch.device('cpu') | torch.device('cpu:0') | torch.device('cpu', 0) | str(torch.device('cpu:1')) | torch.device('cpu') == torch.device('cpu:0') | torch.device('cpu').index | torch.device('cpu').type | torch.device('foo')
"""
NAMES = {
    "x": np.array([0.5, -1.5, 2.25]),
    "w": np.array([-1.7, 300.2, 3.0]),
    "n": np.array([0, 1, 2]),
    "z": np.array(1.625),
    "c": np.array([1 + 2j, 3 - 1j]),
    "e": np.zeros(0),
}


def expressions(text: str) -> list[str]:
    return [part.strip() for line in text.strip().splitlines() for part in line.split(" | ")]


def both(expression: str) -> None:
    ours = {k: creation.tensor(v) for k, v in NAMES.items()}
    theirs = {k: torch.tensor(v) for k, v in NAMES.items()}
    ours["y"], theirs["y"] = (
        creation.tensor(NAMES["x"], requires_grad=True),
        torch.tensor(NAMES["x"], requires_grad=True),
    )
    ours["a"], theirs["a"] = NAMES["x"].copy(), NAMES["x"].copy()
    left, right = evaluate(expression, OURS, ours), evaluate(expression, THEIRS, theirs)
    if isinstance(right, float | complex):
        assert type(left) is type(right)
        np.testing.assert_equal(left, right)
        return
    # PyTorch rounds these differently from one instruction set to the next
    spaced = any([name in expression for name in ("logspace", "linspace", "arange")])
    same(left, right, rtol=3e-7 if spaced else 0)


@pytest.mark.parametrize("data", expressions(DATA))
def test_tensor(data: str) -> None:
    both(f"torch.tensor({data})")


@pytest.mark.parametrize("expression", expressions(MADE))
def test_made(expression: str) -> None:
    both(expression)


@pytest.mark.parametrize("expression", expressions(CONVERTED))
def test_converted(expression: str) -> None:
    both(expression)


@pytest.mark.parametrize(
    "source", ["float32", "float64", "float16", "bfloat16", "int64", "int8", "uint8", "bool"]
)
@pytest.mark.parametrize("target", ["float32", "float64", "float16", "bfloat16", "int64", "int32", "int8", "uint8", "bool", "complex64"])  # fmt: skip
def test_every_cast(source: str, target: str) -> None:
    both(f"torch.tensor([0, 1, 5, 100, 2.5, 0.3]).to(torch.{source}).to(torch.{target})")


@pytest.mark.parametrize("seed", range(40))
def test_spaced_numbers(seed: int) -> None:
    rng = np.random.default_rng(seed)
    start, end, steps = float(rng.normal() * 10), float(rng.normal() * 10), int(rng.integers(1, 70))
    for kind in ("float32", "float64"):
        ours = creation.linspace(start, end, steps, dtype=getattr(OURS, kind))
        theirs = torch.linspace(start, end, steps, dtype=getattr(torch, kind)).numpy()
        if kind == "float32":
            np.testing.assert_array_equal(array(ours), theirs)
        eps = np.finfo(kind).eps * 4 * max(abs(start), abs(end))
        np.testing.assert_allclose(array(ours), theirs, rtol=0, atol=eps)
        step = (end - start) / steps * 1.3
        ours = creation.arange(start, end, step, dtype=getattr(OURS, kind))
        theirs = torch.arange(start, end, step, dtype=getattr(torch, kind)).numpy()
        np.testing.assert_allclose(array(ours), theirs, rtol=0, atol=eps)


@pytest.mark.parametrize("name", ["float16", "bfloat16", "float32", "float64", "complex64"])
def test_limits_of_floating_dtypes(name: str) -> None:
    ours, theirs = (library.finfo(getattr(library, name)) for library in (convgrad, torch))
    assert repr(ours) == repr(theirs)
    for limit in ("bits", "eps", "max", "min", "tiny", "smallest_normal", "resolution", "dtype"):
        assert getattr(ours, limit) == getattr(theirs, limit)


def test_buffers_read_as_tensors() -> None:
    ours, theirs = (library.nn.Buffer(library.ones(2)) for library in (convgrad, torch))
    assert repr(ours) == repr(theirs) == "tensor([1., 1.])"
