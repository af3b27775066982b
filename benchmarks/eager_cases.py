"""The operations of eager.py: how each is called and on what, from 16 numbers to 100 MB.

convgrad and PyTorch run the same lines. Tensors are the library's own, in memory that it allocated.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from functools import lru_cache, partial
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from worker import Case

Array = NDArray[Any]
Timed = Callable[[], Any]

FORWARD, TRAINING = "forward", "forward + backward"
FORMS = (FORWARD, TRAINING)
PATTERN = np.random.default_rng(0).standard_normal(65_521, np.float32)  # a prime: no row repeats another


class Size(NamedTuple):
    """One size: as rows, as images and as the output of an embedding from a table."""

    label: str
    rows: tuple[int, int]
    images: tuple[int, int, int, int]
    table: tuple[int, int]
    """Entries of the embedding's table and their length."""

    @property
    def numbers(self) -> int:
        return prod(self.rows)


SIZES = (
    Size("16 numbers", (4, 4), (1, 4, 2, 2), (10, 4)),
    Size("16 kB", (64, 64), (2, 8, 16, 16), (1000, 64)),
    Size("1 MB", (512, 512), (8, 32, 32, 32), (1000, 128)),
    Size("100 MB", (5120, 5120), (64, 64, 80, 80), (10_000, 512)),
)


class Prepared(NamedTuple):
    """A call ready to be made.

    Attributes:
        call: of the inputs.
        inputs: tensors.
        leaves: which of them a gradient is wanted for; none: the operation has no backward.
    """

    call: Callable[..., Any]
    inputs: tuple[Any, ...]
    leaves: tuple[int, ...] = (0,)


class Operation(NamedTuple):
    """An operation and its group; ``prepare`` is given the library and the size."""

    group: str
    name: str
    prepare: Callable[[Any, Size], Prepared]
    forms: tuple[str, ...] = FORMS

    def row(self, size: Size, form: str) -> str:
        """What the workers call one measurement."""
        return f"{self.group} / {self.name}, {size.label} | {form}"


def numbers(torch: Any, shape: tuple[int, ...], offset: int = 0, positive: bool = False) -> Any:
    """Normal numbers, or their absolute values and a tenth."""
    values = np.resize(np.roll(PATTERN, offset), shape)
    if positive:
        values = np.abs(values) + np.float32(0.1)
    return torch.from_numpy(values).clone()


def classes(torch: Any, count: int, most: int) -> Any:
    """Class numbers in an order without pattern."""
    return torch.from_numpy(np.random.default_rng(1).integers(0, most, count))


# ---- elementwise

UNARY: dict[str, Callable[[Any, Any], Any]] = {
    "exp": lambda torch, x: torch.exp(x),
    "tanh": lambda torch, x: torch.tanh(x),
    "sigmoid": lambda torch, x: torch.sigmoid(x),
    "erf": lambda torch, x: torch.erf(x),
    "relu": lambda torch, x: torch.relu(x),
    "gelu": lambda torch, x: torch.nn.functional.gelu(x),
    "silu": lambda torch, x: torch.nn.functional.silu(x),
    "softplus": lambda torch, x: torch.nn.functional.softplus(x),
    "abs": lambda _torch, x: x.abs(),
    "clamp": lambda _torch, x: x.clamp(-1.0, 1.0),
    "x ** 2": lambda _torch, x: x**2,
    "2 x + 1": lambda _torch, x: 2.0 * x + 1.0,
}
UNARY_POSITIVE: dict[str, Callable[[Any, Any], Any]] = {
    "log": lambda torch, x: torch.log(x),
    "sqrt": lambda torch, x: torch.sqrt(x),
    "x ** 2.5": lambda _torch, x: x**2.5,
}
BINARY: dict[str, Callable[[Any, Any, Any], Any]] = {
    "x + y": lambda _torch, x, y: x + y,
    "x * y": lambda _torch, x, y: x * y,
    "x / y": lambda _torch, x, y: x / y,
    "maximum": lambda torch, x, y: torch.maximum(x, y),
    "where(x > y, x, y)": lambda torch, x, y: torch.where(x > y, x, y),
}
CHANNELS: dict[str, Callable[[Any, Any], Any]] = {
    "x + channels": lambda x, c: x + c,
    "x * channels": lambda x, c: x * c,
}


def unary(call: Callable[[Any, Any], Any], positive: bool = False) -> Callable[[Any, Size], Prepared]:
    return lambda torch, size: Prepared(
        partial(call, torch), (numbers(torch, size.rows, positive=positive),)
    )  # fmt: skip


def binary(call: Callable[[Any, Any, Any], Any]) -> Callable[[Any, Size], Prepared]:
    def prepare(torch: Any, size: Size) -> Prepared:
        pair = numbers(torch, size.rows), numbers(torch, size.rows, 77, positive=True)
        return Prepared(partial(call, torch), pair, (0, 1))

    return prepare


def channelled(call: Callable[[Any, Any], Any]) -> Callable[[Any, Size], Prepared]:
    def prepare(torch: Any, size: Size) -> Prepared:
        channels = numbers(torch, (1, size.images[1], 1, 1), 5)
        return Prepared(call, (numbers(torch, size.images), channels), (0, 1))

    return prepare


def cast(source: str, target: str) -> Callable[[Any, Size], Prepared]:
    def prepare(torch: Any, size: Size) -> Prepared:
        x = numbers(torch, size.rows).to(getattr(torch, source))
        dtype = getattr(torch, target)
        return Prepared(lambda x: x.to(dtype), (x,))

    return prepare


def dropout(torch: Any, size: Size) -> Prepared:
    return Prepared(partial(torch.nn.functional.dropout, p=0.5, training=True), (numbers(torch, size.rows),))


def elementwise() -> list[Operation]:
    """Functions of one or two numbers, products with a number per channel, casts, dropout."""
    found = [Operation("elementwise", name, unary(call)) for name, call in UNARY.items()]
    found += [Operation("elementwise", name, unary(call, True)) for name, call in UNARY_POSITIVE.items()]
    found += [Operation("elementwise", name, binary(call)) for name, call in BINARY.items()]
    found += [Operation("elementwise", name, channelled(call)) for name, call in CHANNELS.items()]
    for half in ("bfloat16", "float16"):
        found.append(Operation("cast", f"float32 to {half}", cast("float32", half)))
        found.append(Operation("cast", f"{half} to float32", cast(half, "float32")))
    return [*found, Operation("dropout", "dropout", dropout)]


# ---- reductions and softmax

REDUCTIONS: dict[str, Callable[[Any], Any]] = {
    "sum": lambda x: x.sum(),
    "sum of rows": lambda x: x.sum(1),
    "sum of columns": lambda x: x.sum(0),
    "mean of rows": lambda x: x.mean(1),
    "variance of rows": lambda x: x.var(1),
    "maximum": lambda x: x.max(),
    "maximum of rows": lambda x: x.max(1)[0],
    "maximum of columns": lambda x: x.max(0)[0],
}


def on_rows(call: Callable[[Any], Any]) -> Callable[[Any, Size], Prepared]:
    return lambda torch, size: Prepared(call, (numbers(torch, size.rows),))


def reductions() -> list[Operation]:
    """Sums, means, variances and maxima of a matrix, softmax along its rows."""
    found = [Operation("reduction", name, on_rows(call)) for name, call in REDUCTIONS.items()]
    found.append(Operation("reduction", "argmax of rows", on_rows(lambda x: x.argmax(1)), (FORWARD,)))
    found.append(Operation("softmax", "softmax", on_rows(lambda x: x.softmax(1))))
    found.append(Operation("softmax", "log-softmax", on_rows(lambda x: x.log_softmax(1))))
    return found


# ---- norms


def norm(kind: str) -> Callable[[Any, Size], Prepared]:
    """Normalisation with weight and bias; batch norm as in training, with running statistics."""

    def prepare(torch: Any, size: Size) -> Prepared:
        functional, channels = torch.nn.functional, size.images[1]
        count = size.rows[1] if kind == "layer" else channels
        affine = numbers(torch, (count,), 3), numbers(torch, (count,), 9)
        mean, variance = torch.zeros(channels), torch.ones(channels)
        calls: dict[str, Callable[[Any, Any, Any], Any]] = {
            "batch": lambda x, w, b: functional.batch_norm(x, mean, variance, w, b, True),
            "batch eval": lambda x, w, b: functional.batch_norm(x, mean, variance, w, b, False),
            "layer": lambda x, w, b: functional.layer_norm(x, (count,), w, b),
            "group": lambda x, w, b: functional.group_norm(x, 4, w, b),
            "instance": lambda x, w, b: functional.instance_norm(x, weight=w, bias=b),
        }
        x = numbers(torch, size.rows if kind == "layer" else size.images)
        return Prepared(calls[kind], (x, *affine), (0, 1, 2))

    return prepare


def norms() -> list[Operation]:
    """The four norms; batch norm in training and in evaluation."""
    return [
        Operation("norm", f"{kind} norm", norm(kind)) for kind in ("batch", "layer", "group", "instance")
    ] + [Operation("norm", "batch norm, evaluation", norm("batch eval"))]


# ---- pooling and resampling

IMAGES: dict[str, Callable[[Any, Any], Any]] = {
    "max_pool2d 2": lambda functional, x: functional.max_pool2d(x, 2),
    "max_pool2d 3, stride 2, padding 1": lambda functional, x: functional.max_pool2d(x, 3, 2, 1),
    "avg_pool2d 2": lambda functional, x: functional.avg_pool2d(x, 2),
    "adaptive_avg_pool2d 1": lambda functional, x: functional.adaptive_avg_pool2d(x, 1),
    "interpolate, nearest": lambda functional, x: functional.interpolate(x, scale_factor=2),
    "interpolate, bilinear": lambda functional, x: functional.interpolate(
        x, scale_factor=2, mode="bilinear", align_corners=False
    ),
}


def on_images(call: Callable[[Any, Any], Any]) -> Callable[[Any, Size], Prepared]:
    def prepare(torch: Any, size: Size) -> Prepared:
        return Prepared(partial(call, torch.nn.functional), (numbers(torch, size.images),))

    return prepare


def enlarged(call: Callable[[Any, Any], Any]) -> Callable[[Any, Size], Prepared]:
    """What makes images twice as large is given a quarter of them: the size is the larger one's."""

    def prepare(torch: Any, size: Size) -> Prepared:
        n, c, h, w = size.images
        return Prepared(partial(call, torch.nn.functional), (numbers(torch, (n, c, h // 2, w // 2)),))

    return prepare


def pooling() -> list[Operation]:
    """Windows of images, and images made larger."""
    return [
        Operation("resampling", name, enlarged(call))
        if name.startswith("interpolate")
        else Operation("pooling", name, on_images(call))
        for name, call in IMAGES.items()
    ]


# ---- losses and embedding


def loss(kind: str) -> Callable[[Any, Size], Prepared]:
    def prepare(torch: Any, size: Size) -> Prepared:
        x = numbers(torch, size.rows)
        if kind == "cross_entropy":
            target = classes(torch, *size.rows)
        elif kind == "binary_cross_entropy_with_logits":
            target = (numbers(torch, size.rows, 77) > 0).to(torch.float32)
        else:
            target = numbers(torch, size.rows, 77)
        return Prepared(getattr(torch.nn.functional, kind), (x, target))

    return prepare


def embedding(torch: Any, size: Size) -> Prepared:
    entries, length = size.table
    chosen = classes(torch, size.numbers // length, entries)
    return Prepared(
        lambda table: torch.nn.functional.embedding(chosen, table), (numbers(torch, size.table),)
    )  # fmt: skip


def losses() -> list[Operation]:
    """Losses of a matrix, and rows looked up in a table."""
    kinds = ("cross_entropy", "mse_loss", "smooth_l1_loss", "binary_cross_entropy_with_logits")
    return [
        *(Operation("loss", kind, loss(kind)) for kind in kinds),
        Operation("embedding", "embedding", embedding),
    ]


# ---- optimisers

OPTIMIZERS: dict[str, dict[str, Any]] = {
    "SGD": {"lr": 1e-3, "momentum": 0.9},
    "Adam": {"lr": 1e-3},
    "AdamW": {"lr": 1e-3},
    "RMSprop": {"lr": 1e-3},
}


def weights(torch: Any, size: Size) -> list[Any]:
    """Parameters with gradients, so many numbers in all: 16 tensors, fewer if those had less than 8 each."""
    count = min(16, size.numbers // 8)
    found = [numbers(torch, (size.numbers // count,), index).requires_grad_() for index in range(count)]
    for index, weight in enumerate(found):
        weight.grad = numbers(torch, tuple(weight.shape), 100 + index)
    return found


def step(kind: str) -> Callable[[Any, Size], Prepared]:
    def prepare(torch: Any, size: Size) -> Prepared:
        return Prepared(getattr(torch.optim, kind)(weights(torch, size), **OPTIMIZERS[kind]).step, (), ())

    return prepare


def clip(torch: Any, size: Size) -> Prepared:
    return Prepared(partial(torch.nn.utils.clip_grad_norm_, weights(torch, size), 1.0), (), ())


def optimizers() -> list[Operation]:
    """A step over all parameters, and their gradients' norm held to 1."""
    found = [Operation("optimiser", f"{kind} step", step(kind), (FORWARD,)) for kind in OPTIMIZERS]
    return [*found, Operation("optimiser", "clip_grad_norm_", clip, (FORWARD,))]


OPERATIONS = [*elementwise(), *reductions(), *norms(), *pooling(), *losses(), *optimizers()]
GROUPS = list(dict.fromkeys(operation.group for operation in OPERATIONS))


# ---- cases


@lru_cache(maxsize=1)
def prepared(torch: Any, operation: Operation, size: Size) -> Prepared:
    """The call of one row; that of the last one is kept."""
    return operation.prepare(torch, size)


@lru_cache(maxsize=1)
def timed(torch: Any, operation: Operation, size: Size, form: str) -> Timed:
    """The function to time; that of the last row is kept. Modes are set here, and last until the next row."""
    call, inputs, leaves = prepared(torch, operation, size)
    torch.set_grad_enabled(form == TRAINING)
    if form == FORWARD:
        return partial(call, *inputs)
    wanted = [inputs[index].requires_grad_() for index in leaves]
    out = call(*inputs)
    gradient = numbers(torch, tuple(out.shape), 11).to(out.dtype)
    grad = torch.autograd.grad

    def training() -> Any:
        return grad(call(*inputs), wanted, gradient)

    return training


def setup(torch: Any) -> dict[str, Case]:
    """All rows; what a row needs is made when its turn comes."""
    gc.freeze()  # the collection before every batch need not look at all that an import leaves
    return {
        operation.row(size, form): Case(None, partial(timed, torch, operation, size, form))
        for operation in OPERATIONS
        for size in SIZES
        for form in operation.forms
    }
