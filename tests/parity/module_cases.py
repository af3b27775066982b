"""Every layer class of ``torch.nn``: how it is made, in several ways, and what it is called with.

Arguments and inputs are plain values and arrays; arrays become tensors of the library under test, functions
of ``nn`` are called with its ``nn``. Float inputs are cast to the dtype under test.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


class Case(NamedTuple):
    """One way of making a layer."""

    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    inputs: tuple[Any, ...]
    #: positions of inputs that are not differentiated
    fixed: tuple[int, ...] = ()

    def make(self, nn: Any, tensor: Callable[[Any], Any]) -> Any:
        args = [convert(v, nn, tensor) for v in self.args]
        kwargs = {k: convert(v, nn, tensor) for k, v in self.kwargs.items()}
        return getattr(nn, self.name)(*args, **kwargs)

    def __str__(self) -> str:
        parts = [short(v) for v in self.args] + [f"{k}={short(v)}" for k, v in self.kwargs.items()]
        sizes = "x".join([str(n) for x in self.inputs[:1] if isinstance(x, np.ndarray) for n in x.shape])
        return f"{self.name}({', '.join(parts)})-{sizes}"


def convert(value: Any, nn: Any, tensor: Callable[[Any], Any]) -> Any:
    """An argument in the library whose ``nn`` this is."""
    if isinstance(value, np.ndarray):
        return tensor(value.astype(np.float32) if value.dtype.kind == "f" else value)
    if isinstance(value, list) and any([callable(v) for v in value]):
        return [convert(v, nn, tensor) for v in value]
    return value(nn) if callable(value) else value


def short(value: Any) -> str:
    """An argument in the name of a test."""
    if isinstance(value, np.ndarray):
        return "array" + "x".join(map(str, value.shape))
    if isinstance(value, list):
        return f"[{','.join([short(v) for v in value])}]"
    return "f" if callable(value) else str(value).replace(" ", "")


def f(*shape: int, start: int = 0) -> np.ndarray:
    """Normal numbers."""
    return np.random.default_rng(start).standard_normal(shape)


def p(*shape: int, start: int = 1) -> np.ndarray:
    """Numbers inside (0, 1)."""
    return np.random.default_rng(start).uniform(0.05, 0.95, shape)


def k(high: int, *shape: int, start: int = 2) -> np.ndarray:
    """Whole numbers below ``high``."""
    return np.random.default_rng(start).integers(0, high, shape)


def signs(*shape: int) -> np.ndarray:
    """1 or -1."""
    return np.where(p(*shape, start=3) > 0.5, 1.0, -1.0)


def A(*args: Any, **kwargs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Arguments of a constructor."""
    return args, kwargs


CASES: list[Case] = []


def row(names: str, variants: list[Any], *inputs: Any, fixed: tuple[int, ...] = ()) -> None:
    """A case for each of the classes and each of the variants, all with these inputs."""
    for name in names.split():
        for args, kwargs in variants:
            CASES.append(Case(name, args, kwargs, inputs, fixed))


PLAIN = "Tanh Sigmoid LogSigmoid Softsign Tanhshrink"
row(PLAIN, [A()], f(3, 4) * 3)
row("ReLU SiLU Mish SELU Hardswish Hardsigmoid ReLU6", [A(), A(True)], f(3, 4) * 3)
row("Hardtanh", [A(), A(-0.5, 0.7), A(-0.5, inplace=True)], f(3, 4))
row("LeakyReLU", [A(), A(0.2, True)], f(3, 4))
row("RReLU", [A(), A(0.1, 0.6), A(0.2, 0.3, True)], f(3, 4))
row("ELU CELU", [A(), A(0.7), A(alpha=0.3, inplace=True)], f(3, 4))
row("GELU", [A(), A("tanh")], f(3, 4))
row("Softplus", [A(), A(2.0, 3.0), A(beta=1)], f(3, 4) * 2)
row("Threshold", [A(0.1, 2.0), A(0, 1, True)], f(3, 4))
row("Hardshrink Softshrink", [A(), A(0.3)], f(3, 4))
row("Softmax Softmin LogSoftmax", [A(1), A(dim=0)], f(3, 4))
row("GLU", [A(), A(0)], f(4, 6))
row("Softmax2d", [A()], f(2, 3, 4, 2))
row("Softmax2d", [A()], f(3, 4, 2))
row("PReLU", [A(), A(4), A(1, 0.5)], f(3, 4, 2))

row("Linear", [A(5, 3), A(5, 3, False), A(in_features=5, out_features=3, bias=True)], f(4, 5))
row("Linear", [A(5, 3), A(5, 3, bias=False)], f(2, 3, 5))
row("Linear", [A(5, 3)], f(5))
row("Bilinear", [A(3, 4, 2), A(3, 4, 2, bias=False)], f(5, 3), f(5, 4, start=1))
row("Identity", [A(), A(3, unused=1)], f(2, 3))
row("LazyLinear", [A(3), A(3, False)], f(4, 5))
row("Flatten", [A(), A(0), A(1, 2), A(start_dim=-2)], f(2, 3, 4))
row("Unflatten", [A(1, (2, 3)), A(-1, [3, -1])], f(2, 6))
row("Embedding", [A(6, 3), A(6, 3, 2), A(6, 3, -1), A(6, 3, scale_grad_by_freq=True)], k(6, 2, 4))
row("Embedding", [A(6, 3, max_norm=1.0), A(6, 3, max_norm=0.5, norm_type=1.0)], k(6, 5))
row("Embedding", [A(3, 2, _weight=f(3, 2).astype(np.float32)), A(3, 2, _freeze=True)], k(3, 5))
BAGS = [
    A(6, 3), A(6, 3, mode="sum"), A(6, 3, mode="max"), A(6, 3, padding_idx=1), A(6, 3, max_norm=1.0),
    A(6, 3, norm_type=1.0, padding_idx=-2),
]  # fmt: skip
row("EmbeddingBag", BAGS, k(6, 3, 4))
row("EmbeddingBag", BAGS, k(6, 9), np.array([0, 4, 4, 6]))
row("EmbeddingBag", [A(6, 3, mode="sum", include_last_offset=True)], k(6, 9), np.array([0, 4, 9]), p(9))
# the looks alone: PyTorch divides the gradients of some rows by the frequency of another row
row("EmbeddingBag", [A(6, 3, scale_grad_by_freq=True, mode="sum", sparse=True, padding_idx=-2)])
row("Embedding", [A(6, 3, sparse=True, norm_type=1.0)])
row("CosineSimilarity", [A(), A(0), A(-1, 0.1)], f(3, 4), f(3, 4, start=1))
row("PairwiseDistance", [A(), A(1), A(3.0, 0.1, True), A(p=0.5)], f(3, 4), f(3, 4, start=1))

CONV = [
    A(4, 6, 3), A(4, 6, 3, bias=False), A(4, 6, 3, 2, 1), A(4, 6, 2, stride=2, dilation=2, groups=2),
    A(4, 4, 3, padding="same"), A(4, 6, 3, padding="valid", groups=2), A(4, 4, 1, groups=4),
    A(4, 6, 3, padding=1, padding_mode="reflect"), A(4, 6, 3, padding=2, padding_mode="circular"),
    A(4, 6, 3, padding=1, padding_mode="replicate", bias=False),
]  # fmt: skip
TRANSPOSED = [
    A(4, 6, 3), A(4, 6, 3, 2, 1, 1), A(4, 6, 2, stride=2, groups=2, bias=False), A(4, 6, 3, dilation=2),
    A(4, 2, 3, 3, 1, 2, 2, True, 2),
]  # fmt: skip


def lazy(variants: list[Any]) -> list[Any]:
    """The same without the first argument, which a lazy layer finds for itself."""
    return [(args[1:], kwargs) for args, kwargs in variants]


for ndim, size in ((1, (7,)), (2, (6, 5)), (3, (5, 4, 5))):
    row(f"Conv{ndim}d", CONV, f(2, 4, *size))
    row(f"Conv{ndim}d", CONV[:3], f(4, *size))
    row(f"LazyConv{ndim}d", lazy(CONV[:4]), f(2, 4, *size))
    row(f"LazyConv{ndim}d", lazy(CONV[:1]), f(4, *size))
    small = (4, 3, 2)[:ndim]
    row(f"ConvTranspose{ndim}d", TRANSPOSED, f(2, 4, *small))
    row(f"ConvTranspose{ndim}d", TRANSPOSED[:2], f(4, *small))
    row(f"LazyConvTranspose{ndim}d", lazy(TRANSPOSED), f(2, 4, *small))
row("Conv2d", [A(4, 6, (3, 2), (1, 2), (2, 0), (1, 2)), A(4, 6, (3, 2), padding=(1, 0))], f(2, 4, 6, 5))

BATCH = [
    A(4), A(4, 0.1, 0.5), A(4, momentum=None), A(4, affine=False), A(4, track_running_stats=False),
    A(4, bias=False), A(4, 1e-3, 0.2, False, False),
]  # fmt: skip
INSTANCE = [A(4), A(4, affine=True), A(4, 0.1, 0.3, True, True), A(4, affine=True, bias=False)]
for ndim, size in ((1, (5,)), (2, (3, 4)), (3, (2, 3, 2))):
    row(f"BatchNorm{ndim}d SyncBatchNorm", BATCH, f(3, 4, *size))
    row(f"LazyBatchNorm{ndim}d", lazy(BATCH[:-1]), f(3, 4, *size))
    row(f"InstanceNorm{ndim}d", INSTANCE, f(3, 4, *size))
    row(f"InstanceNorm{ndim}d", INSTANCE, f(4, *size))
    row(f"LazyInstanceNorm{ndim}d", lazy(INSTANCE), f(3, 4, *size))
row("BatchNorm1d SyncBatchNorm", BATCH[:2], f(5, 4))
row("LayerNorm", [A(5), A((4, 5), 0.1), A([5], elementwise_affine=False), A(5, bias=False)], f(3, 4, 5))
row("RMSNorm", [A(5), A((4, 5), 0.1), A([5], elementwise_affine=False)], f(3, 4, 5))
row("GroupNorm", [A(2, 6), A(3, 6, 0.1), A(6, 6, affine=False), A(1, 6, bias=False)], f(3, 6, 4))
row("LocalResponseNorm", [A(2), A(3, 0.1, 0.5, 2.0), A(5, alpha=0.2)], f(2, 5, 3, 4))
row("LocalResponseNorm", [A(3, 0.5)], f(2, 5, 6))
# its gradient in PyTorch is that of another window than its values, and an error for some sizes
row(
    "CrossMapLRN2d",
    [A(1, 0.5), A(2, 0.5), A(3, 0.1, 0.5, 2), A(4, 0.2), A(5, alpha=0.2)],
    f(2, 7, 3, 4),
    fixed=(0,),
)

row("Dropout", [A(), A(0.3), A(0.2, True), A(0.0), A(1.0)], f(5, 7))
row("Dropout1d", [A(), A(0.3), A(0.2, True)], f(5, 7, 3))
row("Dropout2d", [A(), A(0.3), A(0.2, True)], f(5, 7, 3, 2))
row("Dropout3d", [A(), A(0.3), A(0.2, True)], f(5, 7, 3, 2, 2))
row("AlphaDropout FeatureAlphaDropout", [A(), A(0.3), A(0.2, True), A(0.0)], f(5, 7, 3))

MAX = [A(2), A(3, 2, 1), A(2, 1, 0, 2), A(3, stride=2, padding=1, ceil_mode=True), A(2, return_indices=True)]
AVG = [A(2), A(3, 2, 1), A(3, 2, 1, True, False), A(2, ceil_mode=True, stride=3)]
for ndim, size in ((1, (9,)), (2, (7, 6)), (3, (5, 6, 5))):
    row(f"MaxPool{ndim}d", MAX, f(2, 3, *size))
    row(f"MaxPool{ndim}d", MAX[:1], f(3, *size))
    row(f"AvgPool{ndim}d", AVG, f(2, 3, *size))
    row(f"AvgPool{ndim}d", AVG[:1], f(3, *size))
    row(f"LPPool{ndim}d", [A(2, 2), A(3, 2, 1), A(1.5, 3, ceil_mode=True)], p(2, 3, *size))
    row(f"AdaptiveAvgPool{ndim}d", [A(1), A(3), A((2,) * ndim)], f(2, 3, *size))
    row(f"AdaptiveMaxPool{ndim}d", [A(1), A(3), A(2, True), A((2,) * ndim)], f(2, 3, *size))
    half = tuple([n // 2 for n in size])
    places = np.tile(np.arange(np.prod(half)) * 2, (2, 3, 1)).reshape(2, 3, *half)
    row(f"MaxUnpool{ndim}d", [A(2), A(2, 2), A(2, stride=2, padding=0)], f(2, 3, *half), places)
row(
    "MaxUnpool2d",
    [A((2, 3), stride=(2, 3))],
    f(2, 3, 3, 2),
    np.tile(np.arange(6) * 5, (2, 3, 1)).reshape(2, 3, 3, 2),
)
row("MaxPool2d", [A((3, 2), (1, 2), (1, 0), (1, 2))], f(2, 3, 7, 6))
row("AvgPool2d", [A((3, 2), divisor_override=5)], f(2, 3, 7, 6))
row("AdaptiveAvgPool2d AdaptiveMaxPool2d", [A((None, 2)), A((3, None))], f(2, 3, 7, 6))
row("FractionalMaxPool2d", [A(2, 3), A((2, 3), output_ratio=0.5), A(2, (3, 2), None, True)], f(2, 3, 7, 8))
row(
    "FractionalMaxPool3d",
    [A(2, 3), A(2, output_ratio=(0.5, 0.5, 0.6)), A(2, 2, None, True)],
    f(2, 3, 6, 6, 7),
)

for ndim, size in ((1, (5,)), (2, (5, 4)), (3, (4, 3, 5))):
    sides = (1, 2, 0, 1, 2, 1)[: 2 * ndim]
    row(
        f"ReflectionPad{ndim}d ReplicationPad{ndim}d ZeroPad{ndim}d CircularPad{ndim}d",
        [A(1), A(sides)],
        f(2, 3, *size),
    )
    row(f"ConstantPad{ndim}d", [A(1, 3.5), A(sides, value=-1)], f(2, 3, *size))
row("ZeroPad2d ReplicationPad2d", [A((-1, 2, 0, 1))], f(2, 3, 5, 4))

row("ChannelShuffle", [A(2), A(3)], f(2, 6, 3, 3))
row("PixelShuffle", [A(2), A(1)], f(2, 8, 3, 4))
row("PixelUnshuffle", [A(2), A(1)], f(2, 2, 4, 6))
row("Fold", [A((4, 5), 2), A((4, 5), (2, 2), 1, 0, (1, 1))], f(2, 12, 12))
row("Fold", [A(4, 2, padding=1, stride=2)], f(12, 9))
row("Unfold", [A(2), A((2, 3), 1, 1, 2), A(2, dilation=2)], f(2, 3, 5, 4))
row("Upsample", [A(7), A(scale_factor=2), A(None, 1.7, "linear", True)], f(2, 3, 5))
row(
    "Upsample",
    [A((7, 3)), A(scale_factor=(2, 1.5), mode="bilinear"), A(scale_factor=2, mode="bicubic")],
    f(2, 3, 5, 4),
)
row("Upsample", [A(scale_factor=1.7, mode="bilinear", recompute_scale_factor=True)], f(2, 3, 5, 4))
row("Upsample", [A(6, mode="trilinear", align_corners=True)], f(2, 3, 4, 3, 5))
row("UpsamplingNearest2d UpsamplingBilinear2d", [A(7), A((3, 6)), A(scale_factor=2)], f(2, 3, 5, 4))

REDUCED = [A(), A(reduction="sum"), A(reduction="none")]
OLD = [*REDUCED, A(size_average=False), A(reduce=False)]
row("MSELoss L1Loss SmoothL1Loss", OLD, f(5, 4), f(5, 4, start=1))
row("SmoothL1Loss", [A(beta=0.3)], f(5, 4), f(5, 4, start=1))
row("HuberLoss", [*REDUCED, A("sum", 0.3)], f(5, 4), f(5, 4, start=1))
row("BCELoss", [*OLD, A(p(4))], p(5, 4), p(5, 4, start=4))
row("BCEWithLogitsLoss", [*OLD, A(p(4), pos_weight=p(4, start=5))], f(5, 4) * 4, p(5, 4))
row("KLDivLoss", [*OLD, A(reduction="batchmean")], f(5, 4), p(5, 4))
row("KLDivLoss", [A(log_target=True)], f(5, 4), f(5, 4, start=1))
row("GaussianNLLLoss", [*REDUCED, A(full=True, eps=0.3)], f(5, 4), f(5, 4, start=1), p(5, 4))
row("PoissonNLLLoss", [*OLD, A(False, True), A(full=True)], p(5, 4), p(5, 4, start=4) * 4, fixed=(1,))
row("NLLLoss NLLLoss2d CrossEntropyLoss", [*OLD, A(p(4)), A(ignore_index=2)], f(5, 4), k(4, 5))
row("NLLLoss CrossEntropyLoss", [A(), A(p(4), ignore_index=1)], f(5, 4, 2, 3), k(4, 5, 2, 3))
row("CrossEntropyLoss", [A(label_smoothing=0.2), A(p(4), label_smoothing=0.1)], f(5, 4), k(4, 5))
row("CrossEntropyLoss", [A(), A(label_smoothing=0.2)], f(5, 4), p(5, 4))
SCORES = [
    A(6, 4), A(6, 4, bias=True), A(6, 4, weight=p(4)), A(6, 4, reduction="none"),
    A(6, 4, ignore_index=2, label_smoothing=0.1, reduction="sum"),
]  # fmt: skip
row("LinearCrossEntropyLoss", SCORES, f(5, 6), k(4, 5))
row("LinearCrossEntropyLoss", [A(6, 4, out_features=(2, 3), bias=True)], f(5, 6), k(4, 5, 2, 3))
row("LinearCrossEntropyLoss", [A(6, 4)], f(5, 6), p(5, 4))
row("HingeEmbeddingLoss", [*OLD, A(0.5)], p(5, 4) * 2, signs(5, 4), fixed=(1,))
row("CosineEmbeddingLoss", [*OLD, A(0.3)], f(5, 4), f(5, 4, start=1), signs(5), fixed=(2,))
row("MarginRankingLoss", [*OLD, A(0.3)], f(5), f(5, start=1), signs(5), fixed=(2,))
row("SoftMarginLoss", OLD, f(5, 4), signs(5, 4), fixed=(1,))
row("MultiLabelMarginLoss", OLD, f(3, 4), np.array([[3, 0, -1, 1], [1, -1, 2, 2], [-1, 0, 0, 0]]))
row("MultiLabelSoftMarginLoss", [*OLD, A(p(4))], f(5, 4), (p(5, 4) > 0.5).astype(float), fixed=(1,))
row("MultiMarginLoss", [*OLD, A(2, 0.5), A(1, 0.7, p(4))], f(5, 4), k(4, 5))
row("TripletMarginLoss", [*OLD, A(0.5, 1.0, swap=True)], f(5, 4), f(5, 4, start=1), f(5, 4, start=2))
DISTANT = [
    *REDUCED, A(margin=0.3, swap=True), A(distance_function=lambda nn: nn.PairwiseDistance(1.0)),
    A(distance_function=lambda nn: lambda a, b: 1.0 - nn.functional.cosine_similarity(a, b)),
]  # fmt: skip
row("TripletMarginWithDistanceLoss", DISTANT, f(5, 4), f(5, 4, start=1), f(5, 4, start=2))
LOGS = np.log(np.exp(f(6, 2, 5)) / np.exp(f(6, 2, 5)).sum(-1, keepdims=True))
row(
    "CTCLoss",
    [A(), A(4, "sum"), A(reduction="none", zero_infinity=True)],
    LOGS,
    k(3, 2, 3) + 1,
    (6, 5),
    (3, 2),
)
ADAPTIVE = [A(8, 12, [3, 7]), A(8, 12, [3, 7], 2.0, True), A(8, 12, [2, 5, 9], div_value=1.5)]
row("AdaptiveLogSoftmaxWithLoss", ADAPTIVE[:2], f(6, 8), np.array([0, 11, 5, 2, 3, 7]))
row("AdaptiveLogSoftmaxWithLoss", ADAPTIVE[1:], f(8), np.array(6))

row("Sequential", [A(lambda nn: nn.Linear(5, 3), lambda nn: nn.ReLU(), lambda nn: nn.LazyLinear(2))], f(4, 5))
row("DataParallel", [A(lambda nn: nn.Linear(5, 3)), A(lambda nn: nn.Tanh(), None, None, 0)], f(4, 5))
# what holds modules or parameters and has no forward of its own
row("Module", [A()])
row("Container", [A(), A(first=lambda nn: nn.Linear(2, 3))])
row("ModuleList", [A(), A([lambda nn: nn.Linear(2, 3), lambda nn: nn.ReLU(), lambda nn: nn.ReLU()])])
row("ModuleDict", [A(), A(lambda nn: {"a": nn.Linear(2, 3), "b": nn.ReLU()})])
row("ParameterList", [A(), A(lambda nn: [nn.Linear(2, 3).weight, 1, nn.Linear(1, 1).bias])])
row("ParameterDict", [A(), A(lambda nn: {"a": nn.Linear(2, 3).weight, "b": 2})])

# layers of sequences, which have more comparisons in test_recurrent.py and test_transformer.py
SEQUENCES = [
    A(4, 3),
    A(4, 3, 2, batch_first=True),
    A(4, 3, bias=False, bidirectional=True),
    A(4, 3, 2, dropout=0.5),
]
row("RNN LSTM GRU", SEQUENCES, f(5, 2, 4))
row("RNN LSTM GRU", SEQUENCES[:1], f(5, 4))
row("RNN", [A(4, 3, nonlinearity="relu")], f(5, 2, 4))
row("LSTM", [A(4, 3, proj_size=2)], f(5, 2, 4))
row("RNNBase", [A("LSTM", 4, 3), A("GRU", 4, 3, 2)])
row("RNNCell LSTMCell GRUCell", [A(4, 3), A(4, 3, bias=False)], f(2, 4))
row("RNNCellBase", [A(4, 3, True, 2), A(4, 3, bias=False, num_chunks=3)])
HEADS = [A(4, 2), A(4, 2, 0.3, False), A(4, 1, add_bias_kv=True, add_zero_attn=True)]
row("MultiheadAttention", HEADS, f(3, 2, 4), f(5, 2, 4, start=1), f(5, 2, 4, start=2))
row("MultiheadAttention", [A(4, 2, batch_first=True)], f(2, 3, 4), f(2, 5, 4, start=1), f(2, 5, 4, start=2))
BLOCK = [A(4, 2, 8), A(4, 2, 8, 0.0, "gelu", norm_first=True), A(4, 2, 8, 0.2, batch_first=True, bias=False)]
row("TransformerEncoderLayer", BLOCK, f(3, 2, 4))
row("TransformerDecoderLayer", BLOCK[:2], f(3, 2, 4), f(5, 2, 4, start=1))
row("TransformerDecoderLayer", BLOCK[2:], f(2, 3, 4), f(2, 5, 4, start=1))
ENCODER = [
    A(lambda nn: nn.TransformerEncoderLayer(4, 2, 8), 2),
    A(lambda nn: nn.TransformerEncoderLayer(4, 2, 8), 1, lambda nn: nn.LayerNorm(4)),
]
DECODER = [
    A(lambda nn: nn.TransformerDecoderLayer(4, 2, 8), 2),
    A(lambda nn: nn.TransformerDecoderLayer(4, 2, 8), 1, lambda nn: nn.LayerNorm(4)),
]
row("TransformerEncoder", ENCODER, f(3, 2, 4))
row("TransformerDecoder", DECODER, f(3, 2, 4), f(5, 2, 4, start=1))
row(
    "Transformer", [A(4, 2, 1, 1, 8), A(4, 2, 1, 2, 8, 0.0, norm_first=True)], f(3, 2, 4), f(5, 2, 4, start=1)
)
