"""Layers made or called wrongly, in both libraries: the type of the exception and the words people search for."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch

import convgrad

Mistake = Callable[[Any], Any]


def _lazy(t: Any, *shape: int) -> Any:
    layer = t.nn.LazyLinear(2)
    if shape:
        layer(t.ones(shape))
    return layer


def _unfinished(t: Any) -> Any:
    class Scale(t.nn.modules.lazy.LazyModuleMixin, t.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = t.nn.UninitializedParameter(), t.nn.UninitializedParameter()

        def initialize_parameters(self, x: Any) -> None:
            self.a.materialize(x.shape)

        def forward(self, x: Any) -> Any:
            return x * self.a

    return Scale()(t.ones(2))


def _adaptive(t: Any, x: tuple[int, ...], target: Any, cutoffs: Any = (2, 5)) -> Any:
    return t.nn.AdaptiveLogSoftmaxWithLoss(8, 10, list(cutoffs), 2.0)(t.ones(x), t.tensor(target))


#: the mistake, and words of PyTorch's message that convgrad's has too
TABLE: list[tuple[Mistake, str]] = [
    # -- linear, embedding, reshaping
    (lambda t: t.nn.Linear(3, 2)(t.ones(2, 4)), "mat1 and mat2 shapes cannot be multiplied (2x4 and 3x2)"),
    (lambda t: t.nn.Linear(3, 2)(t.ones(2, 3, dtype=t.float64)), "dtype"),
    (lambda t: t.nn.Linear(-1, 2), "negative dimension"),
    (lambda t: t.nn.Linear(2, 3, dtype=t.int64), "floating point and complex dtype can require gradients"),
    (lambda t: t.nn.Linear(2, 3, nothing=1), "unexpected keyword argument 'nothing'"),
    (lambda t: t.nn.Linear(2), "missing 1 required positional argument: 'out_features'"),
    (lambda t: t.nn.Bilinear(0, 1, 1), "in1_features must be > 0, but got (in1_features=0)"),
    (lambda t: t.nn.Bilinear(2, 3, 1)(t.ones(4, 2), t.ones(4, 2)), "input2 size does not match weight size"),
    (lambda t: t.nn.Embedding(5, 3, padding_idx=7), "Padding_idx must be within num_embeddings"),
    (lambda t: t.nn.Embedding(5, 3, padding_idx=-7), "Padding_idx must be within num_embeddings"),
    (lambda t: t.nn.Embedding(5, 3, _weight=t.ones(2, 2)), "Shape of weight does not match num_embeddings and embedding_dim"),
    (lambda t: t.nn.Embedding.from_pretrained(t.ones(3)), "Embeddings parameter is expected to be 2-dimensional"),
    (lambda t: t.nn.Embedding(5, 3)(t.tensor([5])), "index out of range in self"),
    (lambda t: t.nn.EmbeddingBag(5, 3, padding_idx=7), "padding_idx must be within num_embeddings"),
    (lambda t: t.nn.EmbeddingBag(5, 3, _weight=t.ones(2, 2)), "Shape of weight does not match num_embeddings and embedding_dim"),
    (lambda t: t.nn.EmbeddingBag.from_pretrained(t.ones(3)), "Embeddings parameter is expected to be 2-dimensional"),
    (lambda t: t.nn.EmbeddingBag(5, 3, mode="x")(t.tensor([[1]])), "mode has to be one of sum, mean or max"),
    (lambda t: t.nn.EmbeddingBag(5, 3)(t.tensor([1])), "offsets has to be a 1D Tensor but got"),
    (lambda t: t.nn.Unflatten(1, 2), "unflattened_size must be a tuple of ints, but found type int"),
    (lambda t: t.nn.Unflatten(1, (2, 3.0)), "unflattened_size must be tuple of ints, but found element of type float at pos 1"),
    (lambda t: t.nn.Unflatten(1, (2, 4))(t.ones(2, 6)), "unflatten: Provided sizes [2, 4] don't multiply up to the size of dim 1 (6)"),
    (lambda t: t.nn.PixelShuffle(2)(t.ones(1, 3, 2, 2)), "divisible by the square of"),
    (lambda t: t.nn.PixelUnshuffle(2)(t.ones(1, 3, 3, 2)), "divisible by downscale_factor"),
    (lambda t: t.nn.ChannelShuffle(2)(t.ones(1, 3, 2, 2)), "Number of channels must be divisible by groups"),
    (lambda t: t.nn.Fold((4, 5), 2)(t.ones(1, 12, 11)), "expected size of input's dimension 2 to match the calculated number of sliding blocks"),
    (lambda t: t.nn.Unfold(5)(t.ones(1, 3, 4, 4)), "sliding blocks"),
    # -- activations and dropout
    (lambda t: t.nn.Hardtanh(2, 1), "max_val (1) must be greater than min_val (2)"),
    (lambda t: t.nn.Softmax2d()(t.ones(2, 3)), "Softmax2d: expected input to be 3D or 4D, got 2D instead"),
    (lambda t: t.nn.GLU()(t.ones(3)), "Halving dimension must be even"),
    (lambda t: t.nn.GELU("x")(t.ones(3)), "approximate argument must be either none or tanh"),
    (lambda t: t.nn.Softshrink(-1.0)(t.ones(3)), "lambda must be"),
    (lambda t: t.nn.PReLU(3)(t.ones(2, 4)), "Mismatch of parameter numbers and input channel size"),
    (lambda t: t.nn.ReLU(inplace=True)(t.ones(2, requires_grad=True)), "a leaf Variable that requires grad is being used in an in-place operation."),
    (lambda t: t.nn.RReLU(0.5, 0.1)(t.ones(3)), "Lower bound should be less than or equal to the upper bound"),
    (lambda t: t.nn.Dropout(1.5), "dropout probability has to be between 0 and 1, but got 1.5"),
    (lambda t: t.nn.AlphaDropout(-0.1), "dropout probability has to be between 0 and 1, but got -0.1"),
    # -- convolution
    (lambda t: t.nn.Conv2d(3, 4, 3, groups=2), "in_channels must be divisible by groups"),
    (lambda t: t.nn.Conv2d(2, 3, 3, groups=2), "out_channels must be divisible by groups"),
    (lambda t: t.nn.Conv2d(2, 2, 3, groups=0), "groups must be a positive integer"),
    (lambda t: t.nn.Conv2d(2, 2, 3, padding="x"), "Invalid padding string 'x', should be one of"),
    (lambda t: t.nn.Conv2d(2, 2, 3, padding="same", stride=2), "padding='same' is not supported for strided convolutions"),
    (lambda t: t.nn.Conv2d(2, 2, 3, padding_mode="x"), "padding_mode must be one of"),
    (lambda t: t.nn.Conv2d(2, 2, 3)(t.ones(1, 3, 5, 5)), "expected input[1, 3, 5, 5] to have 2 channels, but got 3 channels instead"),
    (lambda t: t.nn.Conv2d(2, 2, 3)(t.ones(2, 5)), "Expected 3D (unbatched) or 4D (batched) input to conv2d, but got input of size: [2, 5]"),
    (lambda t: t.nn.Conv2d(2, 2, 3)(t.ones(1, 2, 2, 2)), "Kernel size can't be greater than actual input size"),
    (lambda t: t.nn.ConvTranspose2d(2, 2, 3, padding_mode="reflect"), 'Only "zeros" padding mode is supported for ConvTranspose2d'),
    (lambda t: t.nn.ConvTranspose1d(1, 1, 3, stride=2)(t.ones(1, 1, 4), [20]), "requested an output size of"),
    (lambda t: t.nn.LazyConv2d(4, 3)(t.ones(3)), "Expected 3D (unbatched) or 4D (batched) input to LazyConv2d, but got input of size: torch.Size([3])"),
    (lambda t: t.nn.LazyConv1d(4, 3, groups=2)(t.ones(1, 3, 4)), "in_channels must be divisible by groups"),
    # -- normalisation
    (lambda t: t.nn.BatchNorm1d(2)(t.ones(2)), "expected 2D or 3D input (got 1D input)"),
    (lambda t: t.nn.BatchNorm2d(2)(t.ones(2, 2)), "expected 4D input (got 2D input)"),
    (lambda t: t.nn.BatchNorm3d(2)(t.ones(2, 2)), "expected 5D input (got 2D input)"),
    (lambda t: t.nn.BatchNorm1d(2)(t.ones(1, 2)), "Expected more than 1 value per channel when training, got input size"),
    (lambda t: t.nn.BatchNorm1d(3)(t.ones(2, 2)), "running_mean should contain 2 elements not 3"),
    (lambda t: t.nn.SyncBatchNorm(2)(t.ones(2)), "expected at least 2D input (got 1D input)"),
    (lambda t: t.nn.InstanceNorm2d(3)(t.ones(1, 3)), "expected 3D or 4D input (got 2D input)"),
    (lambda t: t.nn.InstanceNorm1d(3, affine=True)(t.ones(2, 4, 5)), "expected input's size at dim=1 to match num_features (3), but got: 4"),
    (lambda t: t.nn.InstanceNorm1d(3, affine=True)(t.ones(4, 5)), "expected input's size at dim=0 to match num_features (3), but got: 4"),
    (lambda t: t.nn.InstanceNorm2d(3)(t.ones(1, 3, 1, 1)), "Expected more than 1 spatial element when training"),
    (lambda t: t.nn.InstanceNorm1d(3).load_state_dict({"running_mean": t.ones(3)}), 'Unexpected running stats buffer(s) "running_mean" for InstanceNorm1d with track_running_stats=False.'),
    (lambda t: t.nn.LayerNorm(3)(t.ones(2, 4)), "Given normalized_shape=[3], expected input with shape [*, 3], but got input of size[2, 4]"),
    (lambda t: t.nn.GroupNorm(2, 3), "must be divisible by num_groups"),
    (lambda t: t.nn.GroupNorm(2, 4)(t.ones(2, 3)), "Expected number of channels in input to be divisible by num_groups"),
    (lambda t: t.nn.LocalResponseNorm(2)(t.ones(2, 3)), "Expected 3D or higher dimensionality"),
    (lambda t: t.nn.CrossMapLRN2d(2)(t.ones(2, 3)), "CrossMapLRN2d: Expected input to be 4D, got 2D instead"),
    # -- pooling, padding, resampling
    (lambda t: t.nn.MaxPool2d(2)(t.ones(3)), "3D or 4D (batch mode) tensor expected for input"),
    (lambda t: t.nn.MaxPool2d(2, padding=2)(t.ones(1, 1, 4, 4)), "pad should be at most half of effective kernel size"),
    (lambda t: t.nn.AvgPool2d(2, 0)(t.ones(1, 1, 4, 4)), "stride should not be zero"),
    (lambda t: t.nn.AdaptiveAvgPool2d((1, 2, 3))(t.ones(1, 1, 4, 4)), "must be 2"),
    (lambda t: t.nn.FractionalMaxPool2d(2), "FractionalMaxPool2d requires specifying either an output size, or a pooling ratio"),
    (lambda t: t.nn.FractionalMaxPool3d(2), "FractionalMaxPool3d requires specifying either an output size, or a pooling ratio"),
    (lambda t: t.nn.FractionalMaxPool2d(2, 3, 0.5), "only one of output_size and output_ratio may be specified"),
    (lambda t: t.nn.FractionalMaxPool2d(2, output_ratio=1.5), "output_ratio must be between 0 and 1 (got 1.5)"),
    (lambda t: t.nn.FractionalMaxPool3d((0, 1, 1), 2), "kernel_size must be greater than 0, but got (0, 1, 1)"),
    (lambda t: t.nn.MaxUnpool2d(2)(t.ones(1, 1, 2, 2), t.zeros(1, 1, 2, 2)), "elements in indices should be type int64"),
    (lambda t: t.nn.MaxUnpool2d(2)(t.ones(1, 1, 2, 2), t.zeros(1, 1, 2, 3).long()), "Expected shape of indices to be same as that of the input tensor ([1, 1, 2, 2]) but got indices tensor with shape: [1, 1, 2, 3]"),
    (lambda t: t.nn.MaxUnpool2d(2)(t.ones(1, 1, 2, 2), t.zeros(1, 1, 2, 2).long(), (9, 9)), "invalid output_size"),
    (lambda t: t.nn.ReflectionPad1d(3)(t.ones(1, 1, 3)), "Padding size should be less than the corresponding input dimension"),
    (lambda t: t.nn.CircularPad1d(4)(t.ones(1, 1, 3)), "Padding value causes wrapping around more than once"),
    (lambda t: t.nn.Upsample()(t.ones(1, 1, 3)), "either size or scale_factor should be defined"),
    (lambda t: t.nn.Upsample(2, 2)(t.ones(1, 1, 3)), "only one of size or scale_factor should be defined"),
    (lambda t: t.nn.Upsample(2, mode="bilinear")(t.ones(1, 1, 3)), "Got 3D input, but bilinear mode needs 4D input"),
    # -- losses
    (lambda t: t.nn.L1Loss(reduction="x")(t.ones(2), t.ones(2)), "x is not a valid value for reduction"),
    (lambda t: t.nn.NLLLoss()(t.ones(2, 3), t.tensor([0, 3])), "Target 3 is out of bounds"),
    (lambda t: t.nn.CrossEntropyLoss(t.ones(2))(t.ones(2, 3), t.tensor([0, 1])), "weight tensor should be defined either for all 3 classes or no classes but got weight tensor of shape: [2]"),
    (lambda t: t.nn.CrossEntropyLoss()(t.ones(2, 3), t.tensor([0, 1, 2])), "Expected input batch_size (2) to match target batch_size (3)"),
    (lambda t: t.nn.BCELoss()(t.ones(2) * 2, t.ones(2)), "all elements of input should be between 0 and 1"),
    (lambda t: t.nn.BCEWithLogitsLoss()(t.ones(2), t.ones(3)), "Target size (torch.Size([3])) must be the same as input size (torch.Size([2]))"),
    (lambda t: t.nn.GaussianNLLLoss()(t.ones(2), t.ones(2), -t.ones(2)), "var has negative entry/entries"),
    (lambda t: t.nn.MultiMarginLoss(3), "only p == 1 and p == 2 supported"),
    (lambda t: t.nn.MultiMarginLoss(weight=t.ones(2, 2)), "MultiMarginLoss: expected weight to be None or 1D tensor, got 2D instead"),
    (lambda t: t.nn.TripletMarginLoss(margin=0.0), "TripletMarginLoss: expected margin to be greater than 0, got 0.0 instead"),
    (lambda t: t.nn.TripletMarginWithDistanceLoss(margin=-1), "TripletMarginWithDistanceLoss: expected margin to be greater than 0, got -1 instead"),
    (lambda t: t.nn.TripletMarginLoss()(t.ones(2, 3), t.ones(3), t.ones(2, 3)), "are expected to have the same number of dimensions, but got"),
    (lambda t: t.nn.CosineEmbeddingLoss()(t.ones(2, 3), t.ones(2, 3), t.ones(2, 1)), "0D or 1D target tensor expected, multi-target not supported"),
    (lambda t: t.nn.CTCLoss()(t.zeros(3, 1, 2), t.tensor([[1]]), [4], [1]), "Expected input_lengths to have value at most 3"),
    (lambda t: t.nn.LinearCrossEntropyLoss(5, 3, label_smoothing=2.0), "expected label_smoothing to be in range [0, 1], got 2.0"),
    (lambda t: t.nn.LinearCrossEntropyLoss(5, 3, weight=t.ones(2)), "expected weight shape to be (3,), got (2,)"),
    (lambda t: t.nn.LinearCrossEntropyLoss(5, 3, out_features=2), "'int' object is not iterable"),
    (lambda t: t.nn.LinearCrossEntropyOptions(acc_policy="x"), "invalid acc_policy: 'x'"),
    (lambda t: t.nn.LinearCrossEntropyOptions(chunking_method="x"), "invalid chunking_method: 'x'"),
    (lambda t: t.nn.LinearCrossEntropyOptions(batch_chunk_size=0), "batch_chunk_size must be positive int or None, got 0"),
    (lambda t: t.nn.LinearCrossEntropyOptions(acc_dtype=t.int64), "acc_dtype must be one of"),
    (lambda t: _adaptive(t, (8,), 1, [5, 2]), "cutoffs should be a sequence of unique, positive integers sorted in an increasing order"),
    (lambda t: _adaptive(t, (8,), 1, [2, 10]), "where each value is between 1 and n_classes-1"),
    (lambda t: _adaptive(t, (8,), 1, []), "cutoffs should be a sequence of length larger than 0"),
    (lambda t: _adaptive(t, (2, 8), [3]), "Input and target should have the same size in the batch dimension."),
    (lambda t: _adaptive(t, (2, 8), [3, 10]), "Target values should be in [0, 9], but values in range [3, 10] were found."),
    (lambda t: _adaptive(t, (2, 8), [-3, 1]), "Target values should be in [0, 9], but values in range [-3, 1] were found."),
    (lambda t: _adaptive(t, (2, 8), 3), "0D target tensor expects 1D input tensors, but found inputs with size torch.Size([2, 8])"),
    (lambda t: _adaptive(t, (2, 2, 8), [3, 1]), "1D target tensor expects 2D input tensors, but found inputs with size torch.Size([2, 2, 8])"),
    (lambda t: _adaptive(t, (2, 8), [[3, 1]]), "0D or 1D target tensor expected, multi-target not supported"),
    # -- what has no shape yet
    (lambda t: _lazy(t).weight.shape, "Can't access the shape of an uninitialized parameter or buffer."),
    (lambda t: _lazy(t).weight + 1, "Attempted to use an uninitialized parameter in"),
    (lambda t: t.add(_lazy(t).weight, 1), "Attempted to use an uninitialized parameter in"),
    (lambda t: _lazy(t).weight.numel(), "explicitly manipulating `torch.nn.parameter.UninitializedParameter` objects"),
    (lambda t: _lazy(t).weight.detach(), "Call `forward` with a dummy batch to initialize the parameters"),
    (lambda t: _lazy(t).weight.tolist(), "Attempted to use an uninitialized parameter in"),
    (lambda t: _lazy(t).weight[0], "Attempted to use an uninitialized parameter in"),
    (lambda t: len(_lazy(t).weight), "Attempted to use an uninitialized parameter in"),
    (lambda t: t.nn.init.ones_(_lazy(t).weight), "Attempted to use an uninitialized parameter in"),
    (lambda t: t.nn.LazyBatchNorm1d().running_mean.sum(), "explicitly manipulating `torch.nn.parameter.UninitializedBuffer` objects"),
    (lambda t: _lazy(t).share_memory(), "Can't share memory on an uninitialized parameter or buffer."),
    (lambda t: _lazy(t, 1, 3).weight.materialize((2,)), "object has no attribute 'materialize'"),
    (lambda t: t.nn.Linear(3, 2).load_state_dict(_lazy(t).state_dict()), "uninitialized parameter"),
    (lambda t: _lazy(t).load_state_dict({"weight": t.ones(2, 3)}), 'Missing key(s) in state_dict: "bias".'),
    (lambda t: t.nn.LazyLinear(2, bias=False).load_state_dict(_lazy(t).state_dict()), 'Unexpected key(s) in state_dict: "bias".'),
    (lambda t: _lazy(t)(t.ones(2, 3), 1), "positional argument"),
    (lambda t: t.nn.LazyBatchNorm2d()(t.ones(2, 3)), "expected 4D input (got 2D input)"),
    (_unfinished, "module Scale has not been fully initialized"),
    # -- the rest
    (lambda t: t.nn.parallel.DistributedDataParallel(t.nn.Linear(1, 1)), "Default process group has not been initialized, please make sure to call init_process_group."),
    (lambda t: t.nn.factory_kwargs({"x": 1}), "unexpected kwargs {'x'}"),
    (lambda t: t.nn.factory_kwargs({"device": "cpu", "factory_kwargs": {"device": 1}}), "device specified twice, in **kwargs and in factory_kwargs"),
    (lambda t: t.nn._reduction.get_enum("x"), "x is not a valid value for reduction"),
    (lambda t: t.nn.modules.utils._list_with_default([1, 2, 3], [4, 5]), "Input dimension should be at least 4"),
    (lambda t: t.nn.grad.conv1d_input((1, 2, 7), t.ones(4, 2, 3), t.ones(1, 4, 4)), "Expected a tensor of dimension"),
    (lambda t: t.nn.grad.conv1d_input((1, 3, 6), t.ones(4, 2, 3), t.ones(1, 4, 4)), "to have 2 channels, but got 3 channels instead"),
]  # fmt: skip


@pytest.mark.parametrize(("mistake", "words"), TABLE, ids=[f"{i}-{w[:40]}" for i, (_, w) in enumerate(TABLE)])
def test_errors(mistake: Mistake, words: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(Exception) as expected:
            mistake(torch)
        with pytest.raises(Exception) as got:
            mistake(convgrad)
    assert words in str(expected.value), f"the table is wrong: {expected.value}"
    assert isinstance(got.value, expected.type), f"{got.value!r} against {expected.value!r}"
    assert words in str(got.value)


#: what warns, and the words
WARNINGS: list[tuple[Mistake, type[Warning], str]] = [
    (lambda t: t.nn.L1Loss(size_average=False), UserWarning, "size_average and reduce args will be deprecated, please use reduction='sum' instead."),
    (lambda t: t.nn.MSELoss(True, False), UserWarning, "size_average and reduce args will be deprecated, please use reduction='none' instead."),
    (lambda t: t.nn.NLLLoss(None, True), UserWarning, "size_average and reduce args will be deprecated, please use reduction='mean' instead."),
    (lambda t: t.nn._reduction.legacy_get_enum(False, None), UserWarning, "please use reduction='sum' instead."),
    (lambda t: t.nn._reduction.get_enum("elementwise_mean"), UserWarning, "reduction='elementwise_mean' is deprecated. Please use reduction='mean' instead."),
    (lambda t: t.nn.NLLLoss2d(), FutureWarning, "`NLLLoss2d` has been deprecated. Please use `NLLLoss` instead"),
    (lambda t: t.nn.Container(), FutureWarning, "`nn.Container` is deprecated."),
    (lambda t: t.nn.Hardtanh(min_value=-2.0), FutureWarning, "keyword argument `min_value` is deprecated and renamed to `min_val`"),
    (lambda t: t.nn.Hardtanh(max_value=2.0), FutureWarning, "keyword argument `max_value` is deprecated and renamed to `max_val`"),
    (lambda t: t.nn.Linear(0, 2), UserWarning, "Initializing zero-element tensors is a no-op"),
    (lambda t: t.nn.InstanceNorm1d(3)(t.ones(2, 4, 5)), UserWarning, "You can silence this warning by not passing in num_features, which is not used because affine=False"),
    (lambda t: t.nn.Softmax()(t.ones(2, 3)), UserWarning, "Implicit dimension choice for softmax has been deprecated."),
    (lambda t: t.nn.Dropout2d()(t.ones(2, 3)), UserWarning, "dropout2d: Received a 2-D input to dropout2d"),
    (lambda t: t.nn.KLDivLoss()(t.zeros(2, 3), t.ones(2, 3)), UserWarning, "reduction: 'mean' divides the total loss by both the batch size and the support size."),
]  # fmt: skip


@pytest.mark.parametrize(("call", "kind", "words"), WARNINGS, ids=[w[:50] for _, _, w in WARNINGS])
def test_warnings(call: Mistake, kind: type[Warning], words: str) -> None:
    """One warning of that class and text, which names this file and not one of the library's."""
    for t in (torch, convgrad):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            call(t)
        mine = [w for w in caught if words in str(w.message)]
        assert len(mine) == 1 and mine[0].category is kind, (
            f"{t.__name__}: {[str(w.message) for w in caught]}"
        )
