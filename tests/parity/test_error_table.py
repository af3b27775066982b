"""The error table: usual mistakes, the exception PyTorch raises and the words people search for, in both libraries."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch

import convgrad
import convgrad.autograd
import convgrad.nn.functional
import convgrad.optim

Mistake = Callable[[Any], Any]


def _leaf(t: Any) -> Any:
    return t.ones(2, 3, requires_grad=True)


def _twice(t: Any) -> None:
    y = (_leaf(t) ** 2).sum()
    y.backward()
    y.backward()


def _saved(t: Any) -> None:
    y = (_leaf(t) * 2).exp()
    y.add_(1)
    y.sum().backward()


def _saved_index(t: Any) -> None:
    values, positions = (_leaf(t) * 1).sort(1)
    positions.zero_()
    values.sum().backward()


def _cumulated_index(t: Any) -> None:
    values, positions = (_leaf(t) * 1).cummax(1)
    positions.zero_()
    values.sum().backward()


def _view_of_leaf(t: Any) -> None:
    _leaf(t)[0].zero_()


def _shape_of_view_of_leaf(t: Any) -> None:
    _leaf(t).view(3, 2).t_()


def _split_in_place(t: Any) -> None:
    (_leaf(t) * 1).split(1)[0].mul_(2)


def _assign(t: Any, key: Any, value: Any) -> None:
    x = t.ones(2, 3)
    x[key(t)] = value(t)


def _conv(t: Any, x: tuple[int, ...], w: tuple[int, ...], **how: Any) -> Any:
    return t.nn.functional.conv2d(t.ones(x), t.ones(w), **how)


#: what, the mistake, the type of torch's exception, words of its message that convgrad's has too
TABLE: list[tuple[str, Mistake, type[Exception], str]] = [
    # -- shapes
    ("mse_loss", lambda t: t.nn.functional.mse_loss(t.ones(2), t.ones(3)), RuntimeError, "The size of tensor a (2) must match the size of tensor b (3) at non-singleton dimension 0"),
    # -- devices, generators, gradients
    ("device", lambda t: t.ones(1).to("float32"), RuntimeError, "Invalid device string: 'float32'"),
    ("device number", lambda t: t.device("cpu:a"), RuntimeError, "Invalid device string: 'cpu:a'"),
    ("cuda event", lambda t: t.cuda.Event(enable_timing=True), RuntimeError, "Tried to instantiate dummy base class Event"),
    ("cuda stream", lambda t: t.cuda.Stream(), RuntimeError, "torch.cuda.Stream requires CUDA support"),
    ("generator", lambda t: t.rand(2, generator=3), TypeError, "torch.Generator"),
    ("generator of randperm", lambda t: t.randperm(2, generator=3), TypeError, "torch.Generator"),
    ("generator of normal_", lambda t: t.ones(2).normal_(generator=3), TypeError, "torch.Generator"),
    ("grad of text", lambda t: t.autograd.grad(t.ones(1, requires_grad=True).sum(), ["a"]), RuntimeError, "all inputs have to be Tensors or GradientEdges, but got str"),
    ("backward to nothing", lambda t: t.ones(1, requires_grad=True).sum().backward(inputs=[]), RuntimeError, "`inputs` argument to `backward()` cannot be empty"),
    ("add", lambda t: t.ones(2, 3) + t.ones(4), RuntimeError, "must match the size of tensor b"),
    ("add sizes", lambda t: t.ones(2, 3) * t.ones(2, 4), RuntimeError, "at non-singleton dimension 1"),
    ("add in place", lambda t: t.ones(3).add_(t.ones(2, 3)), RuntimeError, "doesn't match the broadcast shape"),
    ("matmul", lambda t: t.ones(2, 3) @ t.ones(4, 5), RuntimeError, "shapes cannot be multiplied (2x3 and 4x5)"),
    ("mm of a vector", lambda t: t.mm(t.ones(3), t.ones(3, 2)), RuntimeError, "must be a matrix"),
    ("bmm", lambda t: t.bmm(t.ones(2, 3, 4), t.ones(2, 5, 6)), RuntimeError, "Expected size for first two dimensions"),
    ("dot", lambda t: t.dot(t.ones(3), t.ones(4)), RuntimeError, "inconsistent tensor size"),
    ("mv", lambda t: t.mv(t.ones(2, 3), t.ones(4)), RuntimeError, "size mismatch"),
    ("view", lambda t: t.ones(2, 3).view(4, 2), RuntimeError, "is invalid for input of size 6"),
    ("reshape", lambda t: t.ones(2, 3).reshape(-1, 4), RuntimeError, "is invalid for input of size 6"),
    ("reshape twice -1", lambda t: t.ones(2, 3).reshape(-1, -1), RuntimeError, "only one dimension can be inferred"),
    ("view of transposed", lambda t: t.ones(2, 3).t().view(6), RuntimeError, "Use .reshape(...) instead"),
    ("expand", lambda t: t.ones(2, 3).expand(2, 4), RuntimeError, "must match the existing size"),
    ("expand fewer", lambda t: t.ones(2, 3).expand(3), RuntimeError, "must be greater or equal to the number of dimensions"),
    ("cat", lambda t: t.cat([t.ones(2, 3), t.ones(2, 4)]), RuntimeError, "Sizes of tensors must match except in dimension 0"),
    ("cat of numbers", lambda t: t.cat([t.tensor(1.0)]), RuntimeError, "cannot be concatenated"),
    ("cat of nothing", lambda t: t.cat([]), ValueError, "expected a non-empty list of Tensors"),
    ("stack", lambda t: t.stack([t.ones(2), t.ones(3)]), RuntimeError, "stack expects each tensor to be equal size"),
    ("hstack of nothing", lambda t: t.hstack([]), RuntimeError, "hstack expects a non-empty TensorList"),
    ("t of 3-d", lambda t: t.ones(2, 3, 4).t(), RuntimeError, "expects a tensor with <= 2 dimensions"),
    ("permute", lambda t: t.ones(2, 3).permute(0, 0), RuntimeError, "duplicate dims are not allowed"),
    ("unflatten of 0-d", lambda t: t.tensor(1.0).unflatten(0, (1, 1)), RuntimeError, "tensor has no dimensions"),
    ("split", lambda t: t.ones(5).split([2, 2]), RuntimeError, "split_with_sizes expects split_sizes to sum exactly to"),
    ("chunk", lambda t: t.ones(5).chunk(0), RuntimeError, "chunk expects `chunks` to be greater than 0"),
    ("narrow", lambda t: t.ones(5).narrow(0, 3, 4), RuntimeError, "exceeds dimension size"),
    ("diagonal", lambda t: t.ones(3).diagonal(), IndexError, "Dimension out of range"),
    ("repeat", lambda t: t.ones(2, 3).repeat(2), RuntimeError, "Number of dimensions of repeat dims can not be smaller"),
    ("unfold", lambda t: t.ones(3).unfold(0, 4, 1), RuntimeError, "maximum size for tensor at dimension 0 is 3"),
    ("as_strided", lambda t: t.ones(3).as_strided((4,), (1,)), RuntimeError, "out of bounds for storage of size 12"),
    ("as_strided of expanded", lambda t: t.tensor(1.0).expand(2).as_strided((2,), (1,)), RuntimeError, "out of bounds for storage of size 4"),
    ("einsum", lambda t: t.einsum("ij,jk->ik", t.ones(2, 3), t.ones(4, 5)), RuntimeError, "does not broadcast with previously seen size"),
    ("tensordot", lambda t: t.tensordot(t.ones(2, 3), t.ones(4, 5), 1), RuntimeError, "contracted dimensions need to match"),
    ("cross", lambda t: t.cross(t.ones(2), t.ones(2), dim=0), RuntimeError, "must have length 3"),
    ("item", lambda t: t.ones(2).item(), RuntimeError, "cannot be converted to Scalar"),
    ("bool of many", lambda t: bool(t.ones(2)), RuntimeError, "Boolean value of Tensor with more than one value is ambiguous"),
    ("max of nothing", lambda t: t.ones(0).max(), RuntimeError, "max(): Expected reduction dim to be specified for input.numel() == 0"),
    ("argmax of nothing", lambda t: t.ones(0).argmax(), IndexError, "Expected reduction dim to be specified for input.numel() == 0"),
    ("argmax of no columns", lambda t: t.ones(2, 0).argmax(1), IndexError, "Expected reduction dim 1 to have non-zero size"),
    # -- dimensions and indices
    ("sum dim", lambda t: t.ones(2, 3).sum(2), IndexError, "Dimension out of range (expected to be in range of [-2, 1], but got 2)"),
    ("sum dim twice", lambda t: t.ones(2, 3).sum((0, 0)), RuntimeError, "dim 0 appears multiple times in the list of dims"),
    ("squeeze dim", lambda t: t.ones(2, 3).squeeze(5), IndexError, "Dimension out of range"),
    ("unsqueeze dim", lambda t: t.ones(2, 3).unsqueeze(4), IndexError, "Dimension out of range"),
    ("roll of 0-d", lambda t: t.tensor(1.0).roll(1, 0), IndexError, "tensor has no dimensions"),
    ("stack dim", lambda t: t.stack([t.ones(2), t.ones(3)], 3), IndexError, "Dimension out of range"),
    ("flip dims", lambda t: t.ones(2, 3).flip(0, 0), RuntimeError, "appears multiple times in the list of dims"),
    ("index", lambda t: t.ones(2, 3)[2], IndexError, "index 2 is out of bounds for dimension 0 with size 2"),
    ("index list", lambda t: t.ones(2, 3)[[0, 5]], IndexError, "is out of bounds for dimension 0 with size 2"),
    ("too many indices", lambda t: t.ones(2, 3)[0, 0, 0], IndexError, "too many indices for tensor of dimension 2"),
    ("mask", lambda t: t.ones(2, 3)[t.ones(3, 2) > 0], IndexError, "The shape of the mask [3, 2] at index 0"),
    ("float index", lambda t: t.ones(2, 3)[t.ones(2)], IndexError, "tensors used as indices must be long"),
    ("negative step", lambda t: t.ones(3)[::-1], ValueError, "step must be greater than zero"),
    ("index of 0-d", lambda t: t.tensor(1.0)[0], IndexError, "invalid index of a 0-dim tensor"),
    ("gather dtype", lambda t: t.ones(3).gather(0, t.ones(2)), RuntimeError, "Expected dtype int32/int64 for index"),
    ("gather index", lambda t: t.ones(3).gather(0, t.tensor([4])), RuntimeError, "index 4 is out of bounds for dimension 0 with size 3"),
    ("gather dims", lambda t: t.ones(2, 3).gather(0, t.tensor([0])), RuntimeError, "same number of dimensions"),
    ("index_select", lambda t: t.ones(3).index_select(0, t.tensor([3])), IndexError, "index out of range in self"),
    ("index_add_", lambda t: t.ones(3).index_add_(0, t.tensor([0, 1]), t.ones(3)), RuntimeError, "Number of indices (2) should be equal to source.size(dim)"),
    ("index_copy_", lambda t: t.ones(2, 3).index_copy_(0, t.tensor([0, 1]), t.ones(2)), IndexError, "dimensionality must match"),
    ("take", lambda t: t.ones(3).take(t.tensor([5])), IndexError, "out of range"),
    ("embedding index", lambda t: t.nn.functional.embedding(t.tensor([9]), t.ones(3, 2)), IndexError, "index out of range in self"),
    ("assign shape", lambda t: _assign(t, lambda t: 0, lambda t: t.ones(2)), RuntimeError, "must match"),
    ("assign dtype", lambda t: _assign(t, lambda t: [0], lambda t: t.ones(3).double()), RuntimeError, "Index put requires the source and destination dtypes match"),
    ("assign mask", lambda t: _assign(t, lambda t: t.ones(3, 3) > 0, lambda t: 1.0), IndexError, "The shape of the mask [3, 3]"),
    ("iterate 0-d", lambda t: list(t.tensor(1.0)), TypeError, "iteration over a 0-d tensor"),
    ("len of 0-d", lambda t: len(t.tensor(1.0)), TypeError, "len() of a 0-d tensor"),
    ("topk", lambda t: t.ones(3).topk(4), RuntimeError, "selected index k out of range"),
    ("kthvalue", lambda t: t.ones(3).kthvalue(4), RuntimeError, "selected number k out of range"),
    # -- dtypes
    ("mm dtypes", lambda t: t.mm(t.ones(2, 2), t.ones(2, 2).double()), RuntimeError, "expected m1 and m2 to have the same dtype"),
    ("in place into int", lambda t: t.tensor([1]).add_(1.5), RuntimeError, "can't be cast to the desired output type Long"),
    ("bool minus", lambda t: t.tensor([True]) - t.tensor([True]), RuntimeError, "Subtraction, the `-` operator, with two bool tensors is not supported"),
    ("minus bool", lambda t: -t.tensor([True]), RuntimeError, "Negation, the `-` operator, on a bool tensor is not supported"),
    ("mean of ints", lambda t: t.tensor([1, 2]).mean(), RuntimeError, "mean(): could not infer output dtype"),
    ("requires_grad of ints", lambda t: t.tensor([1], requires_grad=True), RuntimeError, "Only Tensors of floating point and complex dtype can require gradients"),
    ("requires_grad_ of ints", lambda t: t.tensor([1]).requires_grad_(), RuntimeError, "floating point"),
    ("fill too large", lambda t: t.ones(1, dtype=t.int8).fill_(1000), RuntimeError, "cannot be converted to type int8_t without overflow"),
    ("integer to a negative power", lambda t: t.tensor([2]) ** -1, RuntimeError, "Integers to negative integer powers are not allowed"),
    ("bitwise of floats", lambda t: t.ones(2) & t.ones(2), RuntimeError, "not implemented for 'Float'"),
    ("not of floats", lambda t: ~t.ones(2), TypeError, "only implemented on integer and Boolean-type tensors"),
    ("where condition", lambda t: t.where(t.ones(2), t.ones(2), t.ones(2)), RuntimeError, "where expected condition to be a boolean tensor"),
    ("masked_fill mask", lambda t: t.ones(2).masked_fill(t.ones(2), 0.0), RuntimeError, "only supports boolean masks"),
    ("order of complex", lambda t: t.ones(2, dtype=t.complex64) > 0, RuntimeError, "not implemented for 'ComplexFloat'"),
    ("numpy of tracked", lambda t: _leaf(t).numpy(), RuntimeError, "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead."),
    ("one_hot of floats", lambda t: t.nn.functional.one_hot(t.ones(2)), RuntimeError, "one_hot is only applicable to index tensor"),
    ("cumsum_ of bools", lambda t: t.tensor([True]).cumsum_(0), NotImplementedError, "not implemented for 'Bool'"),
    ("logical_and with a number", lambda t: t.ones(2).logical_and(1), TypeError, "must be Tensor, not int"),
    ("tensor of words", lambda t: t.tensor("word"), TypeError, "new(): invalid data type 'str'"),
    ("ragged", lambda t: t.tensor([[1, 2], [3]]), ValueError, "expected sequence of length 2 at dim 1 (got 1)"),
    ("steps of linspace", lambda t: t.linspace(0, 1, 2.5), TypeError, "int"),
    ("arange", lambda t: t.arange(5, 0), RuntimeError, "upper bound and lower bound inconsistent with step sign"),
    ("negative size", lambda t: t.zeros(-1), RuntimeError, "Dimension size must be non-negative"),
    # -- gradients
    ("backward without grad", lambda t: t.ones(2).sum().backward(), RuntimeError, "does not require grad and does not have a grad_fn"),
    ("backward of many", lambda t: (_leaf(t) * 2).backward(), RuntimeError, "grad can be implicitly created only for scalar outputs"),
    ("backward twice", _twice, RuntimeError, "Trying to backward through the graph a second time"),
    ("backward gradient's shape", lambda t: (_leaf(t) * 2).backward(t.ones(2)), RuntimeError, "Mismatch in shape"),
    ("saved and changed", _saved, RuntimeError, "one of the variables needed for gradient computation has been modified by an inplace operation"),
    ("positions of sort changed", _saved_index, RuntimeError, "has been modified by an inplace operation"),
    ("positions of cummax changed", _cumulated_index, RuntimeError, "has been modified by an inplace operation"),
    ("leaf in place", lambda t: _leaf(t).add_(1), RuntimeError, "a leaf Variable that requires grad is being used in an in-place operation."),
    ("view of a leaf in place", _view_of_leaf, RuntimeError, "a view of a leaf Variable that requires grad is being used in an in-place operation."),
    ("shape of a view of a leaf", _shape_of_view_of_leaf, RuntimeError, "a view of a leaf Variable that requires grad is being used in an in-place operation."),
    ("piece of split in place", _split_in_place, RuntimeError, "This view is the output of a function that returns multiple views"),
    ("expanded in place", lambda t: t.ones(1).expand(3).add_(1), RuntimeError, "Please clone() the tensor before performing the operation."),
    ("grad unused", lambda t: t.autograd.grad(_leaf(t).sum(), _leaf(t)), RuntimeError, "appears to not have been used in the graph. Set allow_unused=True"),
    ("grad of a constant", lambda t: t.autograd.grad(_leaf(t).sum(), t.ones(1)), RuntimeError, "One of the differentiated Tensors does not require grad"),
    ("requires_grad of a result", lambda t: setattr(_leaf(t) * 2, "requires_grad", False), RuntimeError, "you can only change requires_grad flags of leaf variables."),
    ("retain_grad", lambda t: t.ones(2).retain_grad(), RuntimeError, "can't retain_grad on Tensor that has requires_grad=False"),
    ("grad's shape", lambda t: setattr(_leaf(t), "grad", t.ones(2)), RuntimeError, "Please ensure that the gradient and the tensor are the same size"),
    ("deepcopy of a result", lambda t: __import__("copy").deepcopy(_leaf(t) * 2), RuntimeError, "Only Tensors created explicitly by the user"),
    # -- networks
    ("conv2d channels", lambda t: _conv(t, (1, 3, 8, 8), (4, 2, 3, 3)), RuntimeError, "to have 2 channels, but got 3"),
    ("conv2d kernel too large", lambda t: _conv(t, (1, 3, 2, 2), (4, 3, 3, 3)), RuntimeError, "Kernel size can't be greater than actual input size"),
    ("conv2d groups", lambda t: _conv(t, (1, 4, 8, 8), (3, 2, 3, 3), groups=2), RuntimeError, "groups"),
    ("conv2d stride", lambda t: _conv(t, (1, 3, 8, 8), (4, 3, 3, 3), stride=0), RuntimeError, "non-positive stride is not supported"),
    ("linear", lambda t: t.nn.functional.linear(t.ones(2, 3), t.ones(4, 5)), RuntimeError, "shapes cannot be multiplied (2x3 and 5x4)"),
    ("cross_entropy batch", lambda t: t.nn.functional.cross_entropy(t.ones(2, 3), t.tensor([0])), ValueError, "Expected input batch_size (2) to match target batch_size (1)"),
    ("cross_entropy class", lambda t: t.nn.functional.cross_entropy(t.ones(1, 3), t.tensor([3])), IndexError, "Target 3 is out of bounds"),
    ("bce shapes", lambda t: t.nn.functional.binary_cross_entropy(t.ones(2), t.ones(3)), ValueError, "Using a target size"),
    ("batch_norm of one", lambda t: t.nn.functional.batch_norm(t.ones(1, 3), None, None, training=True), ValueError, "Expected more than 1 value per channel when training"),
    ("max_pool2d", lambda t: t.nn.functional.max_pool2d(t.ones(1, 1, 2, 2), 2, padding=2), RuntimeError, "pad should be at most half of effective kernel size"),
    ("pad", lambda t: t.nn.functional.pad(t.ones(1, 1, 3), (3, 0), mode="reflect"), RuntimeError, "Padding size should be less than the corresponding input dimension"),
    ("dropout", lambda t: t.nn.functional.dropout(t.ones(2), 1.5), ValueError, "dropout probability has to be between 0 and 1, but got 1.5"),
    ("softmax dim", lambda t: t.softmax(t.ones(2), 1), IndexError, "Dimension out of range"),
    ("layer_norm", lambda t: t.nn.functional.layer_norm(t.ones(2, 3), (4,)), RuntimeError, "Given normalized_shape=[4], expected input with shape [*, 4]"),
    ("reduction", lambda t: t.nn.functional.mse_loss(t.ones(2), t.ones(2), reduction="all"), ValueError, "all is not a valid value for reduction"),
    ("lr", lambda t: t.optim.SGD([_leaf(t)], lr=-1), ValueError, "Invalid learning rate: -1"),
    ("no parameters", lambda t: t.optim.SGD([], lr=0.1), ValueError, "optimizer got an empty parameter list"),
    ("parameter not a leaf", lambda t: t.optim.SGD([_leaf(t) * 2], lr=0.1), ValueError, "can't optimize a non-leaf Tensor"),
    ("module attribute", lambda t: t.nn.Linear(2, 3).weights, AttributeError, "'Linear' object has no attribute 'weights'"),
    ("state_dict", lambda t: t.nn.Linear(2, 3).load_state_dict({}), RuntimeError, "Error(s) in loading state_dict for Linear"),
]  # fmt: skip


@pytest.mark.parametrize("library", [torch, convgrad], ids=["torch", "convgrad"])
@pytest.mark.parametrize(("what", "mistake", "kind", "words"), TABLE, ids=[row[0] for row in TABLE])
def test_error_table(what: str, mistake: Mistake, kind: type[Exception], words: str, library: Any) -> None:
    """The table is right about torch, and convgrad's exception goes by the same ``except`` and the same search."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(kind) as caught:
            mistake(library)
    assert words in str(caught.value), f"{what}: {caught.value}"


def test_table_is_of_a_hundred_rows() -> None:
    assert len(TABLE) >= 100
    assert len({row[0] for row in TABLE}) == len(TABLE)
