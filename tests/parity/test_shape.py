"""Views, joins, rearrangements and padding against PyTorch: values, dtypes, nodes, gradients, errors."""

from __future__ import annotations

import numpy as np
import pytest
from tests.parity.shape_support import compare

RNG = np.random.default_rng(0)
ARRAYS = {
    "x": RNG.normal(size=(2, 3, 4)),
    "m": RNG.normal(size=(3, 3)).astype(np.float32),
    "w": RNG.normal(size=(3, 5)),
    "v": RNG.normal(size=6),
    "z": np.array(1.5),
    "e": np.zeros((0, 3)),
    "o": RNG.normal(size=(1, 3, 1)),
    "c": RNG.normal(size=(2, 2)) + 1j * RNG.normal(size=(2, 2)),
    "i": np.arange(12).reshape(3, 4),
    "b": np.array([True, False, True]),
}

VIEWS = """
x.view(6, 4) | x.view(-1) | x.view(2, -1, 2) | x.view((4, 6)) | x.reshape(4, -1) | x.reshape(-1, 3) | z.view(1, 1)
e.view(3, 0) | e.reshape(0, 5) | e.view(-1, 3) | e.view(-1, 0) | x.transpose(0, 1).reshape(-1) | x.view(5) | x.view(-1, -1)
x.transpose(0, 1).view(6, 4) | x.transpose(0, 1).view(3, 2, 2, 2) | x[:, :, ::2].view(-1) | x[:, :2].view(2, 8) | x.view(2, 3, 4, 1)
x.view_as(x) | x.reshape_as(x) | x.flatten() | x.flatten(1) | x.flatten(0, 1) | x.flatten(1, 0) | z.flatten() | x.flatten(-2, -1)
x.transpose(0, 2).flatten() | v.flatten() | v.unflatten(0, (2, 3)) | v.unflatten(0, (-1, 2)) | v.unflatten(0, (4, 2)) | x.unflatten(-1, (2, 2))
x.ravel() | x.transpose(0, 1).ravel() | z.ravel() | e.ravel() | x.permute(2, 0, 1) | x.permute((1, 0, 2)) | x.permute(-1, 0, 1)
x.permute(0, 1) | x.permute(0, 0, 1) | x.permute(0, 1, 5) | x.transpose(0, 2) | x.transpose(-1, 0) | x.transpose(0, 3) | z.transpose(0, -1)
x.swapaxes(0, 1) | x.swapdims(1, 2) | x.movedim(0, 2) | x.movedim((0, 1), (2, 0)) | x.movedim(-1, 0) | x.movedim((0, 0), (1, 2)) | x.movedim(0, 3)
m.t() | v.t() | z.t() | x.t() | m.T | w.T | x.T | x.mT | v.mT | m.H | v.H | m.adjoint() | x.adjoint() | x.mH
o.squeeze() | o.squeeze(0) | o.squeeze(1) | o.squeeze(-1) | o.squeeze((0, 2)) | o.squeeze((0, 0)) | o.squeeze(5) | z.squeeze() | z.squeeze(0) | x.squeeze()
x.unsqueeze(0) | x.unsqueeze(-1) | x.unsqueeze(2) | x.unsqueeze(4) | z.unsqueeze(0) | e.unsqueeze(1) | z.unsqueeze(1)
o.expand(4, 3, 5) | o.expand(2, 4, 3, 5) | o.expand(-1, -1, 2) | o.expand(2, 2, 2) | o.expand(3) | z.expand(2, 2) | v.expand(-1, 6) | v.expand(0, 6)
o.expand_as(x) | v.expand_as(v) | o.broadcast_to((4, 3, 5)) | e.expand(2, 0, 3) | x.contiguous() | x.transpose(0, 1).contiguous() | x.expand(2, 3, 4)
v.diag_embed() | m.diag_embed(1) | m.diag_embed(-1, 0, 2) | m.diag_embed(0, 0, 0) | v.diag() | v.diag(2) | w.diag() | w.diag(-1) | w.diag(3) | x.diag() | z.diag()
w.diagonal() | w.diagonal(1) | w.diagonal(-1) | w.diagonal(9) | x.diagonal(0, 0, 2) | x.diagonal(1, -1, 0) | v.diagonal() | x.diagonal(0, 1, 1)
v.unfold(0, 3, 1) | v.unfold(0, 2, 3) | x.unfold(1, 2, 1) | x.unfold(-1, 4, 2) | v.unfold(0, 7, 1) | v.unfold(0, 2, 0) | z.unfold(0, 1, 1) | v.unfold(0, 0, 1)
v.as_strided((2, 2), (1, 2)) | v.as_strided((3,), (1,), 2) | v.as_strided((2, 2), (0, 1)) | v.as_strided((4, 4), (3, 3)) | v.diagflat(1) | m.diagflat()
"""
PIECES = """
x.split(1) | x.split(2, 1) | x.split([1, 2], 1) | x.split([1, 1], 1) | x.split(-1) | x.split(0) | z.split(1) | e.split(2) | v.split(4) | v.split((1, 5))
x.chunk(2) | v.chunk(4) | v.chunk(9) | x.chunk(0) | z.chunk(1) | e.chunk(3) | x.tensor_split(2, 1) | v.tensor_split(4) | v.tensor_split((1, 3)) | v.tensor_split((3, 1))
v.tensor_split((-2, 9)) | v.tensor_split(0) | z.tensor_split(1) | v.hsplit(2) | x.hsplit(3) | x.vsplit(2) | x.dsplit(2) | x.vsplit(4) | v.vsplit(1) | x.hsplit((1,))
x.unbind() | x.unbind(-1) | z.unbind() | e.unbind() | x.narrow(1, 0, 2) | x.narrow(-1, -2, 2) | x.narrow(0, 1, 2) | x.narrow(0, 0, -1) | x.narrow(0, 5, 1)
x.select(0, 1) | x.select(-1, -1) | x.select(0, 2) | z.select(0, 0) | x.select_scatter(x[0] * 2, 0, 1) | x.slice_scatter(x[:, :1] * 2, 1, 1, 2) | x.select_scatter(v, 0, 1)
m.diagonal_scatter(m[0]) | m.diagonal_scatter(m[0, :2], 1) | m.diagonal_scatter(v)
"""
MOVES = """
x.repeat(2, 1, 1) | x.repeat(2, 2, 1, 3) | x.repeat(2) | x.repeat(0, 1, 1) | x.repeat(-1, 1, 1) | z.repeat(3) | z.repeat(2, 2) | v.tile(2) | x.tile((2,)) | x.tile((2, 1, 1, 1)) | e.repeat(2, 2)
x.repeat_interleave(2) | x.repeat_interleave(3, dim=1) | v.repeat_interleave(0) | z.repeat_interleave(3) | v.repeat_interleave(-1) | x.repeat_interleave(2, dim=-1)
x.repeat_interleave(torch.tensor([1, 2]), dim=0) | v.repeat_interleave(torch.tensor([2])) | x.repeat_interleave(torch.tensor([1, 2, 3]), dim=0) | v.repeat_interleave(torch.tensor([1., 2.]))
torch.repeat_interleave(torch.tensor([1, 0, 2])) | torch.repeat_interleave(x, 2, dim=0)
x.flip(0) | x.flip(0, 2) | x.flip((1,)) | x.flip(-1) | x.flip(0, 0) | x.flip(3) | z.flip(0) | e.flip(0) | w.fliplr() | w.flipud() | v.fliplr() | i.flip(1)
x.roll(1, 0) | x.roll(-2, 2) | x.roll((1, 2), (0, 1)) | x.roll(5) | v.roll(-1) | x.roll((1, 2)) | x.roll((1, 2), 0) | x.roll((1, 1), (0, 0)) | z.roll(1) | e.roll(1, 0)
w.rot90() | w.rot90(2) | w.rot90(-1) | w.rot90(5) | x.rot90(1, (0, 2)) | x.rot90(1, (2, 1)) | w.rot90(1, (0, 0)) | v.rot90() | w.rot90(0)
w.tril() | w.tril(1) | w.triu(-1) | x.tril() | x.triu(2) | v.tril() | e.triu() | w.triu(9) | w.tril(-9) | i.triu() | i.tril(-1)
"""
JOINS = """
torch.cat([x, x]) | torch.cat([x, x[:, :1]], 1) | torch.cat([x, x], -1) | torch.cat([x, o]) | torch.cat([]) | torch.cat([z, z]) | torch.cat([v, w]) | torch.cat(v) | torch.cat([torch.zeros(0), w])
torch.cat([w, m], 1) | torch.cat([m, i], 1) | torch.cat([b, v]) | torch.cat([b, torch.tensor([1, 2])]) | torch.cat((e, w[:, :3])) | torch.concat([v, v]) | torch.concatenate([v, v], dim=0) | torch.cat([x, x], 5) | torch.cat([v, 1])
torch.stack([x, x]) | torch.stack([x, x * 2], -1) | torch.stack([x, x], 1) | torch.stack([]) | torch.stack([v, w]) | torch.stack([z, z]) | torch.stack([m, m.double()]) | torch.stack([x, x], 4) | torch.stack([e, e], 2)
torch.hstack([x, x]) | torch.hstack([v, v]) | torch.hstack([z, z]) | torch.vstack([v, v]) | torch.vstack([x, x]) | torch.dstack([v, v]) | torch.dstack([w, w]) | torch.dstack([x, x]) | torch.column_stack([v, v]) | torch.column_stack([w, m])
torch.atleast_1d(z) | torch.atleast_2d(v) | torch.atleast_3d(w) | torch.atleast_3d(z) | torch.atleast_2d(z, v) | torch.broadcast_tensors(o, x[:1]) | torch.broadcast_tensors(v, m) | torch.broadcast_shapes((2, 1), (3,)) | torch.broadcast_shapes((2,), (3,))
torch.meshgrid(v, m[0].double(), indexing='ij') | torch.meshgrid(v, v, indexing='xy') | torch.meshgrid(v, v, v, indexing='xy') | torch.meshgrid(z, v, indexing='ij') | torch.meshgrid(w, v, indexing='ij') | torch.meshgrid(v, v, indexing='zz') | torch.meshgrid(m[0], v, indexing='ij')
torch.cartesian_prod(v) | torch.cartesian_prod(v, v[:2]) | torch.cartesian_prod(w, v) | torch.complex(v, v * 2) | torch.polar(v.abs(), v) | torch.complex(v, m[0]) | torch.polar(m[0].abs(), m[1]) | torch.complex(v, z)
"""
NAMELESS = """
torch.combinations(v) | torch.combinations(v, 3) | torch.combinations(v, 2, True) | torch.combinations(v, 1) | torch.combinations(w) | torch.block_diag(m, m) | torch.block_diag(m, m[0]) | torch.one_hot(torch.tensor([0, 2])) | torch.one_hot(torch.tensor([[0, 2]]), 4) | torch.one_hot(torch.tensor([3]), 2) | torch.one_hot(v) | torch.one_hot(torch.tensor([-1]))
"""
PADS = """
torch.pad(x, (1, 2)) | torch.pad(x, (1, 2, 0, 1)) | torch.pad(x, (1, 0, 0, 1, 2, 2), value=3.5) | torch.pad(x, (-1, 1)) | torch.pad(x, (-1, -2)) | torch.pad(x, (-3, -3)) | torch.pad(x, (1,)) | torch.pad(x, (1,) * 8) | torch.pad(x, ()) | torch.pad(i, (1, 1), value=2) | torch.pad(e, (1, 1)) | torch.pad(v, (2, 3), 'constant', None) | torch.pad(z, (1, 1)) | torch.pad(c, (1, 1))
torch.pad(x, (1, 2), mode='reflect') | torch.pad(x, (3, 3), mode='reflect') | torch.pad(x, (4, 0), mode='reflect') | torch.pad(x, (-1, 2), mode='reflect') | torch.pad(x, (1, 2, 1, 1), mode='reflect') | torch.pad(x[None], (1, 2, 2, 0), mode='reflect') | torch.pad(x[None], (1, 0, 0, 1, 1, 1), mode='reflect') | torch.pad(v, (1, 1), mode='reflect') | torch.pad(w, (2, 1), mode='reflect') | torch.pad(e, (1, 1), mode='reflect') | torch.pad(x, (1, 1), mode='reflect', value=1.)
torch.pad(x, (1, 2), mode='replicate') | torch.pad(x, (6, 3), mode='replicate') | torch.pad(x, (-1, 2), mode='replicate') | torch.pad(x, (1, 2, 1, 1), mode='replicate') | torch.pad(x[None], (1, 2, 2, 0), mode='replicate') | torch.pad(x[None], (1, 0, 0, 1, 1, 1), mode='replicate') | torch.pad(v, (1, 1), mode='replicate') | torch.pad(i, (1, 1), mode='replicate')
torch.pad(x, (1, 2), mode='circular') | torch.pad(x, (4, 4), mode='circular') | torch.pad(x, (5, 0), mode='circular') | torch.pad(x, (-1, 2), mode='circular') | torch.pad(x, (1, 2, 1, 1), mode='circular') | torch.pad(x[None], (1, 0, 0, 1, 1, 1), mode='circular') | torch.pad(x, (1, -2), mode='circular') | torch.pad(x, (1, 1), mode='foo') | torch.pad(x, (0, 0), mode='circular')
"""
INPLACE = """
y = m.clone(); y.t_(); y * 1 | y = m.clone(); y.t_(); y | y = x.clone(); y.transpose_(0, 2) | y = x.clone(); y.swapaxes_(0, 2) | y = o.clone(); y.squeeze_() | y = o.clone(); y.squeeze_(0) | y = o.clone(); y.unsqueeze_(1)
m.t_() | y = m.clone(); y.copy_(m[0]) | y = m.clone(); y.copy_(v) | y = m.clone(); y.copy_(w[:, :3]) | y = m.clone(); y.fill_(2) | y = m.clone(); y.fill_(m[0, 0]) | y = m.clone(); y.fill_(v) | y = m.clone(); y.zero_() | y = x.clone(); y.triu_() | y = w.clone(); y.tril_(1)
y = m.clone(); u = y.view(9); y.t_(); u.mul_(2); y * 1 | y = m.clone(); y.t_(); y.mul_(3); y | y = m.clone(); u = y[0]; y.t_(); u.mul_(2); y * 1 | i.t() | y = i.clone(); y.t_(); y | y = i.clone(); y.fill_(1.7); y | y = i.clone(); y.copy_(w[:, :4]) | y = i.clone(); y.fill_(1j)
"""


def expressions(text: str) -> list[str]:
    return [part.strip() for line in text.strip().splitlines() for part in line.split(" | ")]


@pytest.mark.parametrize("expression", expressions(VIEWS + PIECES + MOVES + JOINS + PADS + INPLACE))
def test_same_as_torch(expression: str) -> None:
    compare(expression, ARRAYS)


@pytest.mark.parametrize("expression", expressions(NAMELESS))
def test_same_values(expression: str) -> None:
    """Made of other operators than PyTorch's: everything but the name of the node agrees."""
    compare(expression, ARRAYS, names=False)


LINEAR = [
    "x.reshape(-1, 2)",
    "x.permute(2, 0, 1)",
    "x.flip(0)",
    "x.roll(1, 2)",
    "x.tril()",
    "x.repeat(2, 1, 1)",
    "torch.cat([x, x])",
    "x.unfold(1, 2, 1)",
    "torch.pad(x, (1, 1))",
    "torch.pad(x, (1, 1), mode='reflect')",
    "x.diagonal()",
    "x[:, [0, 0]]",
    "x.gather(0, torch.zeros(1, 3, 4, dtype=torch.long))",
    "x.scatter_add(0, torch.zeros(2, 3, 4, dtype=torch.long), x)",
    "x.index_add(0, torch.tensor([0, 0]), x)",
    "x.index_select(1, torch.tensor([1, 1]))",
]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "complex64", "int32", "uint8", "bool"])
@pytest.mark.parametrize("expression", LINEAR)
def test_every_dtype(expression: str, dtype: str) -> None:
    values = RNG.integers(0, 5, size=(2, 3, 4)).astype(np.float32)
    compare(f"x = x.to(torch.{dtype}); {expression}", {"x": values}, names=False)
