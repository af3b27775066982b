"""Attention and tables of vectors in nn.functional against PyTorch 2.13."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from types import ModuleType
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as theirs

import convgrad
from convgrad.nn import functional as ours
from convgrad.tensor.tensor import Tensor

from .agree import agree

F32, F64 = np.dtype(np.float32), np.dtype(np.float64)
HALVES = [np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16)]


def module(x: Any) -> ModuleType:
    """The functional namespace that a tensor belongs to."""
    return ours if isinstance(x, Tensor) else theirs


def seed(value: int) -> None:
    torch.manual_seed(value)
    convgrad.manual_seed(value)


def floats(*shape: int, start: int = 0, dtype: Any = F64) -> np.ndarray:
    return np.random.default_rng(start).standard_normal(shape).astype(dtype)


# --- attention -------------------------------------------------------------------------------------------

LEADS = [
    ((), (), ()),
    ((2,), (2,), (2,)),
    ((2, 3), (2, 3), (2, 3)),
    ((2, 3), (1, 3), (3,)),
    ((1, 1), (2, 1), (2, 1)),
]
SIZES = [(4, 4, 5, 5), (3, 5, 4, 2), (5, 2, 3, 3), (1, 1, 1, 1)]


@pytest.mark.parametrize("mask", ["none", "bool", "float", "causal", "scale", "column"])
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("lead", LEADS, ids=str)
def test_scaled_dot_product_attention(lead: Any, size: tuple[int, int, int, int], mask: str) -> None:
    rows, columns, features, out = size
    for start, dtype in ((1, F64), (5, F32)):
        q = floats(*lead[0], rows, features, start=start, dtype=dtype)
        k = floats(*lead[1], columns, features, start=start + 1, dtype=dtype)
        v = floats(*lead[2], columns, out, start=start + 2, dtype=dtype)
        args = [q, np.asfortranarray(k), v]
        look = np.random.default_rng(start).uniform(size=(rows, columns)) > 0.4
        look[-1] = False
        options: dict[str, Any] = {"scale": 0.3} if mask == "scale" else {}
        options |= {"is_causal": True} if mask == "causal" else {}
        if mask == "bool":
            args.append(look)
        elif mask in ("float", "column"):
            args.append(floats(1 if mask == "column" else rows, columns, dtype=dtype))

        def call(q: Any, k: Any, v: Any, m: Any = None, options: Any = options) -> Any:
            return module(q).scaled_dot_product_attention(q, k, v, m, **options)

        agree(call, *args, name=False)


def test_a_mask_in_float32_serves_doubles() -> None:
    agree(
        lambda q: module(q).scaled_dot_product_attention(q, q, q, q[0, :, :3].detach().float()),
        floats(2, 3, 4), name=False,
    )  # fmt: skip


def test_attention_has_its_node() -> None:
    agree(lambda q: module(q).scaled_dot_product_attention(q, q, q, is_causal=True), floats(2, 2, 3, 4))


@pytest.mark.parametrize("heads", [(6, 3), (6, 2), (4, 1), (3, 3)], ids=str)
@pytest.mark.parametrize("causal", [False, True])
def test_grouped_heads(heads: tuple[int, int], causal: bool) -> None:
    def call(q: Any, k: Any, v: Any) -> Any:
        return module(q).scaled_dot_product_attention(q, k, v, is_causal=causal, enable_gqa=True)

    agree(call, floats(2, heads[0], 4, 3), floats(2, heads[1], 5, 3), floats(2, heads[1], 5, 3), name=False)


@pytest.mark.parametrize("p", [0.3, 0.7, 1.0])
@pytest.mark.parametrize("lead", [(), (2,), (2, 3)], ids=str)
@pytest.mark.parametrize("dtype", [F32, F64], ids=str)
def test_attention_with_dropout(dtype: Any, lead: tuple[int, ...], p: float) -> None:
    def call(q: Any, k: Any, v: Any) -> Any:
        seed(4)
        out = module(q).scaled_dot_product_attention(q, k, v, dropout_p=p)
        return out, (convgrad if isinstance(q, Tensor) else torch).rand(2)

    args = [floats(*lead, n, 4, start=n, dtype=dtype) for n in (3, 5, 5)]
    agree(call, *args, name=False)


@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_attention_in_half_precision(dtype: Any) -> None:
    q, k, v = [floats(2, 2, 5, 4, start=i).astype(dtype) for i in range(3)]
    agree(lambda q, k, v: module(q).scaled_dot_product_attention(q, k, v), q, k, v, grad=False)


ONE = floats(2, 3, 4, 5)
BAD_ATTENTION: list[Callable[..., Any]] = [
    lambda f, x: f.scaled_dot_product_attention(x[0, 0, 0], x, x),
    lambda f, x: f.scaled_dot_product_attention(x, x[..., :4], x),
    lambda f, x: f.scaled_dot_product_attention(x, x.float(), x),
    lambda f, x: f.scaled_dot_product_attention(x.long(), x.long(), x.long()),
    lambda f, x: f.scaled_dot_product_attention(x, x, x, (x[0, 0, :, :4] > 0).long()),
    lambda f, x: f.scaled_dot_product_attention(x, x, x, x[0, 0, :3, :3]),
    lambda f, x: f.scaled_dot_product_attention(x, x[:, :2], x),
    lambda f, x: f.scaled_dot_product_attention(x, x, x, dropout_p=1.5),
    lambda f, x: f.scaled_dot_product_attention(x, x[:, :2], x[:, :2], enable_gqa=True),
    lambda f, x: f.scaled_dot_product_attention(x + 1j, x + 1j, x + 1j),
]  # fmt: skip


@pytest.mark.parametrize("call", BAD_ATTENTION, ids=range(len(BAD_ATTENTION)))
def test_attention_errors(call: Callable[..., Any]) -> None:
    agree(lambda x: call(module(x), x), ONE)


# --- several heads -------------------------------------------------------------------------------------------

E, H, L, S, N = 6, 2, 4, 5, 3


class Heads:
    """Arguments of multi_head_attention_forward that a test changes."""

    def __init__(self, batched: bool, separate: bool, bias: bool, extra: bool) -> None:
        n = (N,) if batched else ()
        kv = (4, 3) if separate else (E, E)
        self.arrays = {
            "query": floats(L, *n, E, start=1), "key": floats(S, *n, kv[0], start=2),
            "value": floats(S, *n, kv[1], start=3), "out_proj_weight": floats(E, E, start=4),
        }  # fmt: skip
        if separate:
            self.arrays |= {
                "q_proj_weight": floats(E, E, start=5), "k_proj_weight": floats(E, kv[0], start=6),
                "v_proj_weight": floats(E, kv[1], start=7),
            }  # fmt: skip
        else:
            self.arrays["key"] = self.arrays["value"] = floats(S, *n, E, start=2)
            self.arrays["in_proj_weight"] = floats(3 * E, E, start=8)
        if bias:
            self.arrays |= {"in_proj_bias": floats(3 * E, start=9), "out_proj_bias": floats(E, start=10)}
        if extra:
            self.arrays |= {"bias_k": floats(1, 1, E, start=11), "bias_v": floats(1, 1, E, start=12)}
        self.separate = separate

    def agree(self, **options: Any) -> None:
        names = list(self.arrays)

        def call(*tensors: Any) -> Any:
            given = dict.fromkeys(("in_proj_weight", "in_proj_bias", "bias_k", "bias_v", "out_proj_bias"))
            given |= {"add_zero_attn": False, "dropout_p": 0.0}
            given |= dict(zip(names, tensors, strict=True)) | options
            given["use_separate_proj_weight"] = self.separate
            out, weights = module(tensors[0]).multi_head_attention_forward(
                embed_dim_to_check=E, num_heads=H, **given
            )
            return out if weights is None else (out, weights)

        agree(call, *self.arrays.values(), name=False)


FLAGS = list(itertools.product([True, False], repeat=4))


@pytest.mark.parametrize("zero", [False, True])
@pytest.mark.parametrize("weights", [False, True])
@pytest.mark.parametrize(("batched", "separate", "bias", "extra"), FLAGS)
def test_multi_head_attention(
    batched: bool, separate: bool, bias: bool, extra: bool, weights: bool, zero: bool
) -> None:
    heads = Heads(batched, separate, bias, extra)
    heads.agree(need_weights=weights, add_zero_attn=zero)
    heads.agree(need_weights=weights, add_zero_attn=zero, average_attn_weights=False)


LOOK = np.random.default_rng(3).uniform(size=(L, S)) > 0.7
KEYS = np.random.default_rng(4).uniform(size=(N, S)) > 0.8
MASKS: list[dict[str, np.ndarray]] = [
    {"attn_mask": LOOK}, {"attn_mask": floats(L, S)}, {"attn_mask": floats(N * H, L, S)},
    {"attn_mask": np.broadcast_to(LOOK, (N * H, L, S)).copy()},
    {"key_padding_mask": KEYS}, {"key_padding_mask": floats(N, S)},
    {"key_padding_mask": KEYS, "attn_mask": LOOK}, {"key_padding_mask": floats(N, S), "attn_mask": floats(L, S)},
    {"key_padding_mask": KEYS, "attn_mask": np.zeros((N * H, L, S), bool)},
]  # fmt: skip


@pytest.mark.parametrize("extra", [False, True])
@pytest.mark.parametrize("weights", [False, True])
@pytest.mark.parametrize("masks", MASKS, ids=[f"{'+'.join(m)}-{i}" for i, m in enumerate(MASKS)])
def test_masks_of_heads(masks: dict[str, np.ndarray], weights: bool, extra: bool) -> None:
    heads = Heads(True, False, True, extra)
    heads.arrays |= masks
    heads.agree(need_weights=weights)


@pytest.mark.parametrize("weights", [False, True])
def test_static_keys_and_the_causal_hint(weights: bool) -> None:
    heads = Heads(True, False, True, False)
    heads.arrays |= {"static_k": floats(N * H, S, E // H), "static_v": floats(N * H, S, E // H, start=1)}
    heads.agree(need_weights=weights)
    heads = Heads(True, False, True, False)
    heads.arrays["attn_mask"] = np.triu(np.full((L, S), -np.inf), 1)
    heads.agree(need_weights=weights, is_causal=True)


def test_dropout_of_heads_only_in_training() -> None:
    for training, weights in itertools.product([True, False], [True, False]):
        heads = Heads(True, False, True, False)
        names = list(heads.arrays)

        def call(*tensors: Any, names: Any = names, training: Any = training, weights: Any = weights) -> Any:
            seed(5)
            given = dict(zip(names, tensors, strict=True))
            return module(tensors[0]).multi_head_attention_forward(
                embed_dim_to_check=E, num_heads=H, bias_k=None, bias_v=None, add_zero_attn=False, dropout_p=0.4,
                training=training, need_weights=weights, **given,
            )[0]  # fmt: skip

        agree(call, *heads.arrays.values(), name=False)


BAD_HEADS: list[dict[str, Any]] = [
    {"query": floats(2, L, N, E)}, {"key": floats(S, E)}, {"query": floats(L, N, E + 1)},
    {"value": floats(2, N, E)}, {"attn_mask": floats(L, 3)}, {"attn_mask": floats(2, L, S)},
    {"attn_mask": floats(S)}, {"attn_mask": np.zeros((L, S), np.uint8)}, {"key_padding_mask": floats(N, 2)},
    {"key_padding_mask": floats(S)}, {"key_padding_mask": np.zeros((N, S), int)}, {"bias_k": floats(1, 1, E)},
    {"static_k": floats(2, S, 3)}, {"static_k": floats(N * H, S, 2)},
]  # fmt: skip


@pytest.mark.parametrize("change", BAD_HEADS, ids=[f"{'+'.join(b)}-{i}" for i, b in enumerate(BAD_HEADS)])
def test_errors_of_heads(change: dict[str, Any]) -> None:
    heads = Heads(True, False, True, False)
    heads.arrays |= change
    heads.agree()


def test_more_errors_of_heads() -> None:
    Heads(True, False, True, False).agree(is_causal=True)
    heads = Heads(True, True, True, False)
    del heads.arrays["q_proj_weight"]
    heads.agree()
    heads = Heads(True, False, True, False)
    del heads.arrays["in_proj_weight"]
    heads.agree()


# --- tables ----------------------------------------------------------------------------------------------


@st.composite
def bag_cases(draw: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, dict[str, Any]]:
    rows, width, count = draw(st.integers(1, 6)), draw(st.integers(1, 4)), draw(st.integers(0, 9))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    options: dict[str, Any] = {"mode": draw(st.sampled_from(["sum", "mean", "max"]))}
    if draw(st.booleans()):
        options["padding_idx"] = draw(st.integers(-rows, rows - 1))
    dtype = draw(st.sampled_from([F32, F64]))
    table = rng.standard_normal((rows, width)).astype(dtype)
    if draw(st.booleans()):
        return table, rng.integers(0, rows, (draw(st.integers(1, 3)), count + 1)), None, options
    starts = np.sort(rng.integers(0, count + 1, draw(st.integers(1, 5))))
    starts[0] = 0
    options["include_last_offset"] = draw(st.booleans())
    if options["include_last_offset"]:
        starts[-1] = count  # elsewhere PyTorch reads what lies behind
        starts[0] = 0 if len(starts) > 1 or not count else starts[0]
    return table, rng.integers(0, rows, count), starts, options


@settings(max_examples=150, deadline=None)
@given(bag_cases())
def test_embedding_bag(case: Any) -> None:
    table, index, starts, options = case
    args = [table, index, *([] if starts is None else [starts])]

    def call(w: Any, i: Any, o: Any = None) -> Any:
        return module(w).embedding_bag(i, w, o, **options)

    agree(call, *args, name=False)


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("padding", [None, 2])
@pytest.mark.parametrize("start", range(8))
def test_embedding_bag_with_weights(start: int, padding: int | None, last: bool) -> None:
    rng = np.random.default_rng(start)
    index, starts = rng.integers(0, 5, 9), np.array([0, 3, 3, 9 if last else 8])
    w, s = [floats(n, 3, start=start + i) for i, n in enumerate((5, 9))]

    def call(w: Any, i: Any, o: Any, s: Any) -> Any:
        return module(w).embedding_bag(
            i, w, o, mode="sum", per_sample_weights=s, padding_idx=padding, include_last_offset=last
        )

    agree(call, w, index, starts, np.ascontiguousarray(s[:, 0]))


INDEX, TABLE = np.array([0, 2, 2, 4, 1]), floats(6, 3)
STARTS = np.array([0, 2, 4])


@pytest.mark.parametrize("name", ["sum", "mean", "max"])
@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_embedding_bag_in_half_precision(dtype: Any, name: str) -> None:
    agree(lambda w, i, o: module(w).embedding_bag(i, w, o, mode=name), TABLE.astype(dtype), INDEX, STARTS)


@pytest.mark.parametrize("norm", [1.0, 2.0, float("inf")])
@pytest.mark.parametrize("bag", [False, True])
def test_rows_are_shortened_in_place(bag: bool, norm: float) -> None:
    def call(w: Any, i: Any) -> Any:
        table = w.detach().clone()
        if bag:
            return module(w).embedding_bag(i[None], table, max_norm=0.7, norm_type=norm), table
        return module(w).embedding(i, table, max_norm=0.7, norm_type=norm), table

    agree(call, TABLE, INDEX)


@pytest.mark.parametrize("rarity", [False, True])
@pytest.mark.parametrize("padding", [None, 0, 2, -1])
@pytest.mark.parametrize("shape", [(5,), (5, 1), (1, 5), (0,), ()], ids=str)
def test_embedding(shape: tuple[int, ...], padding: int | None, rarity: bool) -> None:
    index = INDEX.reshape(shape) if np.prod(shape) == 5 else np.zeros(shape, int)
    for dtype in (F32, F64):
        agree(
            lambda w, i: module(w).embedding(i, w, padding, scale_grad_by_freq=rarity),
            np.asfortranarray(TABLE.astype(dtype)), index,
        )  # fmt: skip
    agree(lambda w, i: module(w).embedding(i, w, padding), TABLE, index.astype(np.int32))


@pytest.mark.parametrize("classes", [-1, 3, 5, 7, 0])
@pytest.mark.parametrize("shape", [(5,), (5, 1), (0,), ()], ids=str)
def test_one_hot(shape: tuple[int, ...], classes: int) -> None:
    index = INDEX.reshape(shape) if np.prod(shape) == 5 else np.zeros(shape, int)
    agree(lambda i: module(i).one_hot(i, classes), index)
    agree(lambda i: module(i).one_hot(i - 3, classes), index)
    agree(lambda i: module(i).one_hot(i, classes), index.astype(np.int32))


BAD_TABLES: list[Callable[..., Any]] = [
    lambda f, w, i: f.embedding(i + 3, w), lambda f, w, i: f.embedding(i - 1, w),
    lambda f, w, i: f.embedding(i.double(), w), lambda f, w, i: f.embedding(i, w[0]),
    lambda f, w, i: f.embedding(i, w[None]), lambda f, w, i: f.embedding(i, w, padding_idx=6),
    lambda f, w, i: f.embedding(i, w, padding_idx=-7), lambda f, w, i: f.embedding(i > 0, w),
    lambda f, w, i: f.embedding_bag(i, w), lambda f, w, i: f.embedding_bag(i[None], w, i),
    lambda f, w, i: f.embedding_bag(i[None, None], w), lambda f, w, i: f.embedding_bag(i, w, i + 1),
    lambda f, w, i: f.embedding_bag(i, w, i * 3), lambda f, w, i: f.embedding_bag(i, w, i[None]),
    lambda f, w, i: f.embedding_bag(i[None], w, mode="min"), lambda f, w, i: f.embedding_bag(i[None], w[0]),
    lambda f, w, i: f.embedding_bag(i[None], w, per_sample_weights=w[:5, :1].T),
    lambda f, w, i: f.embedding_bag(i[None], w, mode="sum", per_sample_weights=w[:5, 0]),
    lambda f, w, i: f.embedding_bag(i[None], w, mode="sum", per_sample_weights=w[:5, :1].T.float()),
    lambda f, w, i: f.embedding_bag(i[None], w, mode="max", scale_grad_by_freq=True),
    lambda f, w, i: f.embedding_bag(i[None], w, mode="max", sparse=True),
    lambda f, w, i: f.embedding_bag(i[None], w, padding_idx=6), lambda f, w, i: f.embedding_bag(i[None] + 3, w),
    lambda f, w, i: f.embedding_bag(i[None].double(), w), lambda f, w, i: f.embedding_bag(i[None], w.long()),
    lambda f, w, i: f.embedding_bag(i, w, i[:0], include_last_offset=True),
]  # fmt: skip


@pytest.mark.parametrize("call", BAD_TABLES, ids=range(len(BAD_TABLES)))
@pytest.mark.filterwarnings("ignore:Argument order")
def test_errors_of_tables(call: Callable[..., Any]) -> None:
    agree(lambda w, i: call(module(w), w, i), TABLE, INDEX)


@pytest.mark.parametrize("mode", [0, 1, 2])
def test_the_plain_forms_of_tables(mode: int) -> None:
    def of(x: Any) -> Any:
        return convgrad if isinstance(x, Tensor) else torch

    agree(lambda w, i, o: of(w).embedding_bag(w, i, o, mode=mode), TABLE, INDEX, STARTS, skip=(1, 2, 3))
    agree(lambda w, i, o: of(w).embedding_bag(w, i, o, mode=mode)[0], TABLE, INDEX, STARTS)
    agree(lambda w, i: of(w).embedding(w, i), TABLE, INDEX)
    agree(lambda w, i: of(w).embedding(w, i, 2, True), TABLE, INDEX)
    agree(lambda w, i: of(w).embedding_renorm_(w.detach().clone(), i, 0.5, 2.0), TABLE, INDEX)
