"""What a worker of benchmarks/conv.py does: each row forward, and forward + backward, on one library.

convgrad and PyTorch run the same lines. Tensors are the library's own, in memory that it allocated.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Iterable
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

import conv_jax
import conv_scipy
from conv_rows import ConvRow, operands, read_rows
from worker import Case

FORWARD, TRAINING = "forward", "forward + backward"
FORMS = (FORWARD, TRAINING)
CHANNELS_LAST = "channels_last"
PRIMITIVES = ("forward", "input grad", "weight grad")

Request = dict[str, Any]


def case_name(row: ConvRow, form: str, layout: str = "") -> str:
    """What the workers call one measurement."""
    return " | ".join([row.name, form, *([layout] if layout else [])])


def has_channels_last(row: ConvRow) -> bool:
    """Whether PyTorch knows this memory format for the row's tensors: images and volumes."""
    return row.ndim in (2, 3)


def setup(library: Any) -> dict[str, Case]:
    """All rows; what a row needs is made when its turn comes."""
    rows = read_rows()
    make = makers(library)
    cases = {
        case_name(row, form): Case(None, partial(make, row, form, ""))
        for row in rows
        for form in FORMS
        if form == FORWARD or library.__name__ != "scipy"
    }
    if library.__name__ == "torch":
        cases |= {
            case_name(row, form, CHANNELS_LAST): Case(None, partial(make, row, form, CHANNELS_LAST))
            for row in rows
            for form in FORMS
            if has_channels_last(row)
        }
    return cases


@lru_cache
def makers(library: Any) -> Callable[[ConvRow, str, str], Callable[[], Any]]:
    """The function (row, form, layout) -> function to time, for this library."""
    if library.__name__ == "jax":
        return conv_jax.maker(library)
    if library.__name__ == "scipy":
        return conv_scipy.maker(library)
    return partial(eager, library)


# ---- convgrad and PyTorch


def eager(library: Any, row: ConvRow, form: str, layout: str) -> Callable[[], Any]:
    """The function to time. Modes are set here, outside it, and last for the batch."""
    x, w, bias, gy = tensors(library, row, form == TRAINING, layout)
    conv, arguments = call_of(library, row)
    library.set_grad_enabled(form == TRAINING)
    if form == FORWARD:
        return partial(conv, x, w, bias, *arguments)
    inputs = (x, w) if bias is None else (x, w, bias)
    grad = library.autograd.grad

    def training() -> Any:
        return grad(conv(x, w, bias, *arguments), inputs, gy)

    return training


def call_of(library: Any, row: ConvRow) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """The public function and its arguments after input, weight and bias."""
    function = getattr(library.nn.functional, f"conv{'_transpose' if row.transposed else ''}{row.ndim}d")
    if row.transposed:
        return function, (row.stride, row.padding, row.output_padding, row.groups, row.dilation)
    return function, (row.stride, row.padding, row.dilation, row.groups)


def owned(library: Any, arrays: Iterable[Any]) -> list[Any]:
    """Arrays as tensors of the library, in memory that it allocated itself."""
    return [None if array is None else library.from_numpy(array).clone() for array in arrays]


@lru_cache(maxsize=1)
def tensors(library: Any, row: ConvRow, training: bool, layout: str) -> tuple[Any, Any, Any, Any]:
    """x, w, bias and the output's gradient as tensors of the library; those of the last row are kept."""
    x, w, bias, gy = owned(library, operands(row))
    if layout:
        memory_format = library.channels_last if row.ndim == 2 else library.channels_last_3d
        x, w, gy = [tensor.contiguous(memory_format=memory_format) for tensor in (x, w, gy)]
    if training:
        for tensor in [x, w, *([] if bias is None else [bias])]:
            tensor.requires_grad_()
    return x, w, bias, gy


# ---- what a worker answers beside times


def requests(library: Any) -> dict[str, Callable[[Request], Request]]:
    """Answers by request name; JAX's and SciPy's workers know their output alone."""
    rows = {row.name: row for row in read_rows()}

    def results(request: Request) -> Request:
        row, stem = rows[request["row"]], request["stem"]
        if library.__name__ in ("jax", "scipy"):
            found = [np.asarray(makers(library)(row, FORWARD, "")())]
        else:
            found = primitives(library, row, np.float64 if request["double"] else np.float32)
        for number, array in enumerate(found):
            np.save(f"{stem}-{number}.npy", array)
        return {"saved": len(found)}

    # convgrad's worker knows more; its module is not to be loaded by any other.
    own: Any = importlib.import_module("conv_own") if library.__name__ == "convgrad" else None

    def threads(request: Request) -> Request:
        # Not every library reads an environment variable.
        if hasattr(library, "set_num_threads"):
            library.set_num_threads(request["threads"])
        if own is not None:
            own.set_threads(request["threads"])
        return {}

    answers: dict[str, Callable[[Request], Request]] = {"results": results, "threads": threads}
    if own is None:
        return answers
    return answers | {
        "plans": lambda request: {"plans": own.algorithms(rows[request["row"]])},
        "peak": lambda request: {"flops": own.peak(request["threads"], request["seconds"])},
        "instruction set": lambda _request: {"name": own.instruction_set()},
    }


def primitives(library: Any, row: ConvRow, dtype: type[np.floating[Any]]) -> list[Any]:
    """Output, gradient of x and gradient of w: one result of each primitive."""
    library.set_grad_enabled(True)
    x, w, bias, gy = owned(library, operands(row, dtype))
    conv, arguments = call_of(library, row)
    y = conv(x.requires_grad_(), w.requires_grad_(), bias, *arguments)
    return [tensor.detach().numpy() for tensor in (y, *library.autograd.grad(y, (x, w), gy))]


def errors_of(stem: Path, reference: Path, count: int) -> list[float]:
    """Largest error of each primitive, relative to the largest value in float64; NaN counts as infinite."""
    found = []
    for number in range(count):
        exact = np.load(f"{reference}-{number}.npy")
        result = np.load(f"{stem}-{number}.npy")
        if result.shape != exact.shape:
            raise ValueError(f"{PRIMITIVES[number]}: shape {result.shape}, but {exact.shape} is right")
        error = float(np.abs(result - exact).max() / np.abs(exact).max())
        found.append(math.inf if math.isnan(error) else error)
    return found
