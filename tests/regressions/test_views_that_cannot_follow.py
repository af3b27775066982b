"""Views whose history cannot follow a change in place, shapes changed under ``no_grad``, views made anew."""

from __future__ import annotations

import numpy as np
import pytest

import convgrad as torch


def leaf():
    return torch.tensor([[0.0, 1, 2], [3, 4, 5]]).requires_grad_()


def silent_view(x):
    with torch.no_grad():
        return x[0]


@pytest.mark.parametrize("make", [leaf, lambda: leaf() * 1])
def test_a_view_made_under_no_grad_claims_its_bases_flag(make):
    v = silent_view(make())
    assert v.requires_grad and v.is_leaf and v.grad_fn is None
    out = v * 2
    assert out.requires_grad and out.grad_fn.next_functions == ((None, 0), (None, 0))
    out.sum().backward()
    assert v.grad is None
    assert torch.autograd.grad((v * 2).sum(), v, allow_unused=True) == (None,)
    assert v.requires_grad_(False) is v and v.requires_grad
    (v.requires_grad_() * 3).sum().backward()  # now a leaf of its own
    assert v.grad.tolist() == [3.0] * 3


def test_such_a_view_may_not_be_written_to_while_recording():
    words = "A view was created in no_grad mode and is being modified inplace with grad mode enabled"
    with pytest.raises(RuntimeError, match=words):
        silent_view(leaf()).mul_(2)
    plain = torch.zeros(2, 3)
    silent_view(plain).mul_(2)  # nothing is tracked
    with pytest.raises(RuntimeError, match=words):
        silent_view(plain).mul_(torch.ones(1, requires_grad=True))
    x = leaf()
    with torch.no_grad():
        x[0].zero_()
    assert x[0].tolist() == [0.0] * 3
    with pytest.raises(
        RuntimeError, match="Output 0 of Select is a view of a view which was created in no_grad"
    ):
        silent_view(leaf())[0].mul_(2)
    with torch.inference_mode():
        v = leaf()[0]
    assert not v.is_inference()
    with pytest.raises(
        RuntimeError, match="created in inference mode and is being modified inplace in normal"
    ):
        v.mul_(2)


@pytest.mark.parametrize(
    ("pieces", "name"),
    [
        (lambda x: x.split(1)[1], "Output 1 of Split"),
        (lambda x: x.chunk(2)[0], "Output 0 of Split"),
        (lambda x: x.unbind()[1], "Output 1 of Unbind"),
        (lambda x: x.unbind()[1][:1], "Output 0 of Slice"),
    ],
)
def test_a_piece_is_broken_by_a_change_of_its_base(pieces, name):
    x = leaf() * 1
    piece = pieces(x)
    with pytest.raises(RuntimeError, match=f"{name} is a view and is being modified inplace"):
        piece.mul_(2)
    x.mul_(2)
    for use in (lambda: piece * 1, lambda: piece.sum(), lambda: piece.grad_fn, lambda: torch.cat([piece])):
        with pytest.raises(RuntimeError, match=f"{name} is a view and its base or another view of its base"):
            use()
    assert piece.requires_grad and type(piece).__name__ == "Tensor" and isinstance(piece, torch.Tensor)
    assert "grad_fn=<Invalid>" in repr(piece)
    assert piece.detach().shape == piece.shape and piece.grad is None
    with torch.no_grad():
        assert not (piece * 1).requires_grad


def test_an_optimizer_breaks_pieces_too():
    w = leaf()
    a, _ = w.chunk(2)
    a.sum().backward()
    torch.optim.SGD([w], lr=0.1).step()
    with pytest.raises(RuntimeError, match="another view of its base has been modified inplace"):
        a.sum()


def test_pieces_of_what_is_not_tracked_stay():
    x = torch.zeros(2, 3)
    a, b = x.unbind()
    x.add_(1)
    a.add_(1)
    assert (a + b).tolist() == [3.0] * 3


def test_a_view_that_a_function_returns():
    class First(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x[0]

        @staticmethod
        def backward(ctx, g):
            return torch.zeros(2, 3) + g

    x = leaf() * 1
    v = First.apply(x)
    with pytest.raises(RuntimeError, match="Output 0 of First is a view and is being modified inplace"):
        v.mul_(2)
    x.mul_(2)
    with pytest.raises(RuntimeError, match="Output 0 of First is a view and its base or another view"):
        v.sum()


def test_a_view_of_what_was_a_leaf():
    for forget in (lambda x: x.detach_(), lambda x: x.requires_grad_(False)):
        x = leaf()
        v = x.narrow(0, 0, 1)
        forget(x)
        with pytest.raises(RuntimeError, match="a view of a leaf Variable"):
            v.zero_()


@pytest.mark.parametrize("change", ["squeeze_", "unsqueeze_", "t_", "as_strided_"])
@pytest.mark.parametrize("view", [False, True])
def test_a_shape_changed_under_no_grad_keeps_the_history(change, view):
    arguments = {"unsqueeze_": (0,), "as_strided_": ((3, 1), (1, 1))}.get(change, ())
    x = torch.tensor([[1.0, 2, 3]]).requires_grad_()
    y = (x * 2)[0:1] if view else x * 2
    with torch.no_grad():
        getattr(y, change)(*arguments)
    assert y.requires_grad and not y.is_leaf and y._version == 1
    (y * torch.arange(3.0).reshape(y.shape)).sum().backward()
    assert x.grad.tolist() == [[0.0, 2.0, 4.0]]


def test_a_changed_bases_views_are_made_anew_by_strides():
    x = leaf()
    y = x * 1
    v, wide, window = y.t()[1:], y[0].expand(2, 3), y.unfold(1, 2, 1)
    y.mul_(3)
    assert v.grad_fn.name() == "AsStridedBackward0" and v.grad_fn.next_functions == ((y.grad_fn, 0),)
    (v.sum() + wide.sum() + window.sum()).backward()
    np.testing.assert_allclose(x.grad.numpy(), 3 * np.array([[3.0, 5, 4], [1, 3, 2]]))


def test_as_strided_of_a_turned_base_is_written_to():
    x = leaf()
    y = x.t() * 1
    y.as_strided((2,), (1,), 1).mul_(10)
    got = y.detach().numpy().copy()
    (y * torch.tensor([[1.0, 2], [3, 4], [5, 6]])).sum().backward()
    before = x.detach().numpy().T
    assert np.count_nonzero(got != before) == 2
    factor = np.where(got != before, 10.0, 1.0)
    np.testing.assert_allclose(x.grad.numpy(), (factor * [[1, 2], [3, 4], [5, 6]]).T)


def test_set_asks_whether_it_may():
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad"):
        leaf().set_(torch.zeros(2))
