"""Names and forms against PyTorch's own lists: functions, methods, in-place forms, names of arguments."""

from __future__ import annotations

import inspect
from collections import defaultdict
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

import convgrad
from convgrad.tensor.keywords import NAMES
from convgrad.tools.operator_gaps import GAPS
from convgrad.tools.operators import Entry, entries

from .agree import agree

ROWS = {row.name: row for row in entries()}


def gaps_of(row: Entry) -> set[tuple[str, str]]:
    """The forms PyTorch has of a name and convgrad has not."""
    found = set()
    function, method = getattr(torch, row.name, None), getattr(torch.Tensor, row.name, None)
    if callable(function) and not isinstance(function, type) and not {"function"} & set(row.forms):
        found.add((row.name, "function"))
    if callable(method) and callable(function) and "method" not in row.forms:
        found.add((row.name, "method"))
    name = f"{row.name}_"
    if callable(getattr(torch.Tensor, name, None)) and not hasattr(convgrad.Tensor, name):
        found.add((row.name, "in place"))
    if callable(getattr(torch, name, None)) and not hasattr(convgrad, name):
        found.add((name, "function"))
    return found


def test_no_form_is_missing_without_a_reason() -> None:
    missing = set().union(*map(gaps_of, ROWS.values()))
    assert not missing - set(GAPS), f"forms PyTorch has: {sorted(missing - set(GAPS))}"
    assert not set(GAPS) - missing, f"no gaps any more, take them out: {sorted(set(GAPS) - missing)}"


#: arguments that one CPU process has no use for, and names that only other overloads have
NOT_TAKEN = frozenset(
    """
    layout device pin_memory memory_format generator out out_dtype self implicit non_blocking cudnn_enable
    cudnn_enabled train a b l n t i el elem idx list lis item left right string fillvalue result input reverse
    """.split()
)
#: (kind, name) -> arguments convgrad has not, and why
EXCEPT: dict[tuple[str, str], tuple[str, str]] = {
    **{
        ("function", name): (
            "batch_first batch_sizes bidirectional data dropout has_biases hx num_layers params",
            "handed on, in two forms; tests/parity/test_recurrent.py has them",
        )
        for name in ("gru", "lstm", "rnn_relu", "rnn_tanh")
    },
    ("function", "from_dlpack"): ("copy", "always shares memory"),
    ("function", "result_type"): ("other scalar scalar1 scalar2", "names of four overloads"),
    ("method", "copy_"): ("other", "src in the documentation"),
    ("function", "cholesky_solve"): ("input2", "L in the documentation"),
    ("method", "cholesky_solve"): ("input2", "L in the documentation"),
    ("function", "slice_copy"): ("dim start end step", "handed on; tests/parity/test_numeric.py has them"),
    ("function", "ldexp"): ("x", "input in the documentation"),
    ("method", "ldexp"): ("x", "input in the documentation"),
    ("method", "dim_order"): ("ambiguity_check", "every tensor here has one order"),
    ("method", "set_"): ("size storage_offset stride", "storages are not shown"),
    ("method", "sum_to_size"): ("size", "sizes are given by position"),
    ("method", "resize_"): ("size", "sizes are given by position"),
    ("method", "new_empty"): ("size", "sizes are given by position"),
    ("method", "new_ones"): ("size", "sizes are given by position"),
    ("method", "new_zeros"): ("size", "sizes are given by position"),
}


@cache
def schemas() -> dict[str, set[str]]:
    """The names of arguments of all overloads, by operator."""
    found: dict[str, set[str]] = defaultdict(set)
    for schema in torch._C._jit_get_all_schemas():
        usual = schema.name.startswith("aten::") and not any(a.is_out for a in schema.arguments)
        if usual and "Dimname" not in str(schema):
            found[schema.name[6:]] |= {a.name for a in schema.arguments}
    return found


def lacking(name: str, mine: Any, theirs: Any) -> set[str]:
    """The names of arguments that a function of PyTorch takes and ours does not."""
    wanted = (
        set(inspect.signature(theirs).parameters) - {"args", "kwargs", "tensors", "shapes", "matrices"}
        if inspect.isfunction(theirs)
        else schemas()[name]
    )
    kinds = inspect.signature(mine).parameters.values()
    have = {p.name for p in kinds if p.kind is not p.VAR_POSITIONAL}
    have |= {other for other, ours in NAMES.items() if ours in have}
    have |= {"tensors", "tensor"}  # given one by one, or the first
    return wanted - NOT_TAKEN - have


@pytest.mark.parametrize("kind", ["function", "method"])
def test_arguments_have_their_names(kind: str) -> None:
    mine, theirs = (convgrad, torch) if kind == "function" else (convgrad.Tensor, torch.Tensor)
    wrong = {}
    for name in dir(mine):
        function, other = getattr(mine, name), getattr(theirs, name, None)
        if (
            name.startswith("_")
            or not callable(function)
            or isinstance(function, type)
            or not callable(other)
        ):
            continue
        kinds = [p.kind for p in inspect.signature(function).parameters.values()]
        if inspect.Parameter.VAR_KEYWORD in kinds:  # hands its arguments on to the plain form
            plain = name.removesuffix("_copy").removesuffix("_")
            function = getattr(mine, plain, None) or getattr(convgrad.Tensor, plain, function)
        missing = lacking(name, function, other)
        allowed = set(EXCEPT.get((kind, name), ("", ""))[0].split())
        if missing != allowed:
            wrong[name] = sorted(missing ^ allowed)
    assert not wrong, wrong


CALLS = """
sum(x, axis=0) | sum(input=x, axis=(0, 1), keepdims=True) | mean(x, axis=1, keepdims=True) | max(x, axis=0) | min(x, axis=1, keepdims=True) | argmax(x, axis=0) | argmin(x, axis=1, keepdims=True) | amax(x, axis=0) | prod(x, axis=0) | all(x, axis=0) | any(x, axis=1) | std(x, axis=0) | var_mean(x, axis=0) | std_mean(x, axis=1, keepdim=True) | var(x, axis=0, keepdims=True, correction=0) | std(x, axis=0, unbiased=False) | median(x, axis=0) | logsumexp(x, axis=0) | nansum(x, axis=0) | nanmean(x, axis=0) | count_nonzero(x, axis=0) | cumsum(x, axis=0) | cumprod(x, axis=0) | cummax(x, axis=0) | logcumsumexp(x, axis=1)
sort(x, axis=0) | argsort(x, axis=0) | topk(x, 2, axis=1) | kthvalue(x, 2, axis=0) | softmax(x, axis=0) | log_softmax(x, axis=0) | squeeze(x, axis=0) | unsqueeze(x, axis=0) | unbind(x, axis=1) | chunk(x, 2, axis=1) | tensor_split(x, 2, axis=1) | select(x, axis=0, index=1) | narrow(x, axis=0, start=0, length=2) | index_select(x, axis=0, index=k) | gather(x, axis=0, index=g) | take_along_dim(x, g, axis=0) | index_add(x, axis=0, index=k, source=x[:2]) | index_fill(x, axis=0, index=k, value=2.0) | index_copy(x, axis=0, index=k, source=x[:2]) | scatter(x, axis=0, index=g, src=x[:1]) | diff(x, axis=0) | repeat_interleave(x, 2, axis=0) | cat([x, x], axis=1) | stack([x, x], axis=1) | concat(tensors=[x, x], axis=1)
sin(x=x) | exp(a=x) | exp(input=x) | multiply(input=x, other=x) | maximum(x, x2=x) | maximum(x1=x, x2=x) | add(input=x, other=x, alpha=2) | sub(input=x, other=x) | div(input=x, other=x + 9, rounding_mode='floor') | atan2(x1=x, x2=x)
permute(x, dims=(1, 0)) | reshape(x, shape=(4, 3)) | flip(x, dims=(0,)) | tile(x, dims=(2, 1)) | broadcast_to(x, size=(2, 3, 4)) | movedim(x, source=0, destination=1) | swapaxes(x, axis0=0, axis1=1) | swapdims(x, dim0=0, dim1=1) | transpose(x, dim0=0, dim1=1) | roll(x, shifts=1, dims=0) | rot90(x, k=1, dims=(0, 1)) | split(x, split_size_or_sections=2) | split(tensor=x, split_size_or_sections=[1, 2]) | hsplit(x, sections=2) | vsplit(x, indices=(1,)) | tensor_split(x, sections=2) | tensor_split(x, indices=(1, 2)) | tensor_split(x, tensor_indices_or_sections=k) | zeros(size=(2, 3)) | ones(size=(2, 3)) | full(size=(2,), fill_value=1.5) | clamp(input=x, min=0, max=1) | where(condition=x > 0, input=x, other=x) | lerp(input=x, end=x, weight=0.5) | addcmul(input=x, tensor1=x, tensor2=x, value=2) | matmul(input=x, other=x.t()) | mm(input=x, mat2=x.t()) | addmm(input=x[:, :3], mat1=x, mat2=x.t(), beta=2, alpha=3) | diagonal(input=x, offset=1, dim1=0, dim2=1) | norm(input=x, p=2, dim=0) | linalg.norm(x, axis=0) | linalg.vector_norm(x, axis=0, keepdims=True) | linalg.cross(input=x[:, :3], other=x[:, :3])
"""  # fmt: skip
METHODS = """
sum(axis=0) | mean(axis=0, keepdims=True) | max(axis=0) | argmax(axis=1) | std(axis=0) | softmax(axis=0) | cumsum(axis=1) | sort(axis=0) | unsqueeze(axis=1) | squeeze(axis=0) | unbind(axis=0) | chunk(2, axis=1) | select(axis=0, index=0) | narrow(axis=0, start=1, length=1) | logsumexp(axis=0) | prod(axis=0) | amax(axis=0, keepdims=True) | gather(axis=0, index=g) | index_select(axis=0, index=k) | permute(dims=(1, 0)) | reshape(shape=(4, 3)) | view(size=(2, 6)) | view(dtype=torch.int32) | expand(size=(2, 3, 4)) | repeat(repeats=(2, 1)) | flip(dims=(0,)) | tile(dims=(2,)) | swapaxes(axis0=0, axis1=1) | hsplit(indices=(1,)) | clone().unsqueeze_(axis=0) | clone().cumsum_(axis=0) | clone().swapaxes_(axis0=0, axis1=1) | maximum(other=x) | tensor_split(sections=2, axis=1) | any(axis=0) | diff(axis=1)
"""  # fmt: skip
X = np.random.default_rng(3).normal(size=(3, 4)).astype(np.float32)


def _listed(text: str) -> list[str]:
    return [c.strip() for line in text.strip().splitlines() for c in line.split(" | ")]


@pytest.mark.parametrize(
    "text", [*[f"torch.{c}" for c in _listed(CALLS)], *[f"x.{c}" for c in _listed(METHODS)]]
)
def test_a_call_by_names(text: str) -> None:
    def call(x: Any) -> Any:
        library = convgrad if isinstance(x, convgrad.Tensor) else torch
        k, g = library.tensor([0, 2]), library.tensor([[0, 1, 2, 0]])
        result = eval(text, {"torch": library, "x": x, "k": k, "g": g})
        return tuple(result) if isinstance(result, tuple) else result

    agree(call, X, name=False)


#: the functions and methods the project sets out to have
CORE = """
fmod remainder floor_divide xlogy logaddexp hypot atan2 copysign heaviside frac trunc round erfinv lgamma digamma polygamma
sinc expm1 log1p logit nan_to_num lerp addcmul addcdiv float_power bitwise_and bitwise_or bitwise_xor bitwise_not
bitwise_left_shift bitwise_right_shift isclose allclose view_as_complex view_as_real real imag conj angle polar complex
min max amin amax aminmax median nanmedian kthvalue nansum nanmean var std var_mean std_mean norm logsumexp logcumsumexp cummax
cummin cumsum cumprod count_nonzero unique unique_consecutive bincount histc matmul mm bmm mv dot einsum kron cross trace
matrix_power movedim swapaxes narrow select unfold as_strided tensor_split hsplit vsplit dsplit dstack meshgrid cartesian_prod
combinations repeat_interleave tile rot90 diag diag_embed diagonal_scatter slice_scatter select_scatter index_add index_copy
index_fill index_put scatter scatter_add scatter_reduce masked_scatter take put gather broadcast_tensors broadcast_to block_diag
pad cosine_similarity embedding dropout softmax gumbel_softmax one_hot normalize
""".split()


@pytest.mark.parametrize("name", CORE)
def test_the_core_is_there(name: str) -> None:
    assert name in ROWS
