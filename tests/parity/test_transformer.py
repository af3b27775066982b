"""MultiheadAttention and transformers against PyTorch 2.13: starting values, masks, gradients, errors."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import convgrad

from .layers_support import both, close, compare, floats, make, same_error

pytestmark = [
    pytest.mark.filterwarnings("ignore:enable_nested_tensor is True"),
    pytest.mark.filterwarnings("ignore:Support for mismatched"),
]

Build = Callable[[Any], Any]
HEADS: list[dict[str, Any]] = [
    {}, {"bias": False}, {"dropout": 0.3}, {"add_bias_kv": True}, {"add_zero_attn": True},
    {"batch_first": True}, {"kdim": 3, "vdim": 5}, {"kdim": 3}, {"add_bias_kv": True, "add_zero_attn": True, "vdim": 6},
    {"kdim": 3, "vdim": 5, "bias": False, "batch_first": True, "dropout": 0.2},
]  # fmt: skip
CAUSAL = np.triu(np.ones((4, 4), bool), 1)
PADDING = np.array([[False, False, False, True], [False, False, True, True], [False] * 4])


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("options", HEADS, ids=str)
def test_heads(options: dict[str, Any], training: bool) -> None:
    """Query ``(3, 2, 8)``, keys and values of other lengths and widths; weights of the heads and their mean."""
    arrays = [floats(3, 2, 8), floats(4, 2, options.get("kdim", 8)), floats(4, 2, options.get("vdim", 8))]
    if options.get("batch_first"):
        arrays = [a.transpose(1, 0, 2).copy() for a in arrays]
    for more in ({}, {"need_weights": False}, {"average_attn_weights": False}):
        compare(
            lambda n: n.MultiheadAttention(8, 2, **options), arrays, lambda _, m, *x, more=more: m(*x, **more),
            training=training,
        )  # fmt: skip


MASKS = [
    {"attn_mask": CAUSAL},
    {"attn_mask": CAUSAL, "is_causal": True},
    {"attn_mask": np.where(CAUSAL, -np.inf, 0.0)},
    {"attn_mask": floats(4, 4)},
    {"attn_mask": floats(6, 4, 4)},
    {"key_padding_mask": PADDING},
    {"key_padding_mask": PADDING, "attn_mask": CAUSAL, "is_causal": True},
    {"key_padding_mask": np.where(PADDING, -np.inf, 0.0), "attn_mask": floats(6, 4, 4)},
]


@pytest.mark.parametrize("need_weights", [True, False])
@pytest.mark.parametrize("masks", MASKS, ids=range(len(MASKS)))
@pytest.mark.parametrize("options", [{}, {"batch_first": True}, {"add_bias_kv": True}], ids=str)
def test_masks(options: dict[str, Any], masks: dict[str, Any], need_weights: bool) -> None:
    x = floats(3, 4, 8) if options.get("batch_first") else floats(4, 3, 8)
    if options.get("add_bias_kv"):  # every query has something to look at
        masks = {k: v for k, v in masks.items() if k != "is_causal"}

    def call(t: Any, m: Any, x: Any) -> Any:
        given = {k: v if isinstance(v, bool) else t.tensor(v.copy()) for k, v in masks.items()}
        return m(x, x, x, need_weights=need_weights, **given)

    compare(lambda n: n.MultiheadAttention(8, 2, **options), [x], call)


@pytest.mark.parametrize("first", [False, True])
def test_one_sequence(first: bool) -> None:
    compare(
        lambda n: n.MultiheadAttention(8, 2, batch_first=first), [floats(4, 8), floats(5, 8)],
        lambda t, m, q, k: m(q, k, k, key_padding_mask=t.tensor([False, False, True, False, True])),
    )  # fmt: skip


LAYER_OPTIONS: list[dict[str, Any]] = [
    {}, {"norm_first": True}, {"batch_first": True}, {"activation": "gelu"}, {"bias": False}, {"dropout": 0.0},
    {"norm_first": True, "batch_first": True, "activation": "gelu", "layer_norm_eps": 1e-3, "dropout": 0.4},
]  # fmt: skip


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("options", LAYER_OPTIONS, ids=str)
def test_encoder(options: dict[str, Any], training: bool) -> None:
    """Layer and stack with and without masks; the same dropout for one seed."""
    x = floats(3, 4, 8) if options.get("batch_first") else floats(4, 3, 8)

    def layer(n: Any) -> Any:
        return n.TransformerEncoderLayer(8, 2, 12, **options)

    def call(t: Any, m: Any, x: Any) -> Any:
        mask, padding = t.tensor(CAUSAL), t.tensor(PADDING)
        return m(x), m(x, mask), m(x, src_key_padding_mask=padding), m(x, mask, padding)

    compare(layer, [x], call, training=training)
    compare(lambda n: n.TransformerEncoder(layer(n), 2), [x], call, training=training)
    compare(
        lambda n: n.TransformerEncoder(layer(n), 1, n.LayerNorm(8), enable_nested_tensor=False), [x],
        lambda t, m, x: m(x, t.nn.Transformer.generate_square_subsequent_mask(4), is_causal=True),
        training=training,
    )  # fmt: skip


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("options", LAYER_OPTIONS, ids=str)
def test_decoder(options: dict[str, Any], training: bool) -> None:
    turned = options.get("batch_first")
    x, memory = [floats(*((3, n, 8) if turned else (n, 3, 8))) for n in (4, 5)]

    def layer(n: Any) -> Any:
        return n.TransformerDecoderLayer(8, 4, 12, **options)

    def call(t: Any, m: Any, x: Any, memory: Any) -> Any:
        mask = t.nn.Transformer.generate_square_subsequent_mask(4, dtype=t.float64)
        far = t.tensor(np.tile([False, True, False, False, True], (3, 1)))
        return (
            m(x, memory), m(x, memory, mask, tgt_is_causal=True), m(x, memory, memory_key_padding_mask=far),
            m(x, memory, mask, t.tensor(floats(4, 5, start=3)), memory_key_padding_mask=far),
        )  # fmt: skip

    compare(layer, [x, memory], call, training=training)
    compare(lambda n: n.TransformerDecoder(layer(n), 2, n.LayerNorm(8)), [x, memory], call, training=training)


@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["f64", "f32"])
@pytest.mark.parametrize("options", LAYER_OPTIONS, ids=str)
def test_transformer(options: dict[str, Any], dtype: Any) -> None:
    turned = options.get("batch_first")
    src, tgt = [floats(*((2, n, 8) if turned else (n, 2, 8))) for n in (4, 5)]

    def call(t: Any, m: Any, src: Any, tgt: Any) -> Any:
        mask = m.generate_square_subsequent_mask(5, dtype=src.dtype)
        return m(src, tgt, tgt_mask=mask), m(src, tgt, src_key_padding_mask=t.tensor(PADDING[:2]))

    compare(
        lambda n: n.Transformer(8, 2, 2, 1, 16, **options), [src, tgt], call, dtype=dtype,
        scale=10 if dtype is np.float64 else 30,
    )  # fmt: skip
    if not options:
        compare(lambda n: n.Transformer(8, 2, 1, 1, 16), [src[:, 0], tgt[:, 0]], lambda _, m, s, t: m(s, t))


def test_an_activation_may_be_a_function() -> None:
    for library in (convgrad, torch):
        layer = library.nn.TransformerEncoderLayer(8, 2, activation=library.tanh)
        assert layer.activation is library.tanh and layer.activation_relu_or_gelu == 0
        assert library.nn.TransformerEncoderLayer(8, 2, activation="gelu").activation_relu_or_gelu == 2
    compare(
        lambda n: n.TransformerEncoderLayer(8, 2, 12, activation=(convgrad if n is convgrad.nn else torch).tanh),
        [floats(4, 2, 8)], lambda _, m, x: m(x),
    )  # fmt: skip


def test_second_derivatives() -> None:
    def call(t: Any, m: Any, x: Any) -> Any:
        with t.nn.attention.sdpa_kernel(t.nn.attention.SDPBackend.MATH):  # PyTorch's other one has none
            out = m(x)
        grads = t.autograd.grad((out**3).sum(), [x, *m.parameters()], create_graph=True)
        return sum((g**2).sum() for g in grads)

    compare(
        lambda n: n.TransformerEncoderLayer(8, 2, 6, activation="gelu"), [floats(3, 2, 8)], call,
        training=False, scale=1e4,
    )  # fmt: skip


def test_copies_and_pickles() -> None:
    a, _ = make(lambda n: n.TransformerEncoder(n.TransformerEncoderLayer(8, 2, 12), 2))
    a.eval()
    x = both(floats(4, 2, 8))[0]
    for twin in (copy.deepcopy(a), pickle.loads(pickle.dumps(a))):
        np.testing.assert_array_equal(twin(x).detach().numpy(), a(x).detach().numpy())
    layers = list(a.layers)
    assert layers[0].linear1.weight is not layers[1].linear1.weight


def test_the_causal_mask() -> None:
    for args in ((1,), (4,), (3, None, "float64")):
        outs = [
            t.nn.Transformer.generate_square_subsequent_mask(
                args[0], dtype=getattr(t, args[2]) if args[2:] else None
            )
            for t in (convgrad, torch)
        ]
        close(*outs)


def z(t: Any, *shape: int) -> Any:
    return t.zeros(*shape)


ERRORS: list[tuple[Callable[[Any], Any], str | None]] = [
    (lambda t: t.nn.MultiheadAttention(5, 2), None),
    (lambda t: t.nn.MultiheadAttention(0, 2), None),
    (lambda t: t.nn.MultiheadAttention(4, 2)(z(t, 1, 1, 1, 4), z(t, 3, 1, 4), z(t, 3, 1, 4)), None),
    (lambda t: t.nn.MultiheadAttention(4, 2)(z(t, 3, 1, 5), z(t, 3, 1, 5), z(t, 3, 1, 5)), None),
    (lambda t: t.nn.MultiheadAttention(4, 2)(z(t, 3, 1, 4), z(t, 2, 1, 4), z(t, 3, 1, 4)), None),
    (
        lambda t: t.nn.MultiheadAttention(4, 2)(*[z(t, 3, 1, 4)] * 3, attn_mask=z(t, 3, 3).int()),
        None,
    ),
    (lambda t: t.nn.MultiheadAttention(4, 2)(*[z(t, 3, 1, 4)] * 3, attn_mask=z(t, 2, 3)), None),
    (
        lambda t: t.nn.MultiheadAttention(4, 2)(*[z(t, 3, 1, 4)] * 3, is_causal=True),
        "Need attn_mask if specifying the is_causal hint",
    ),
    (
        lambda t: t.nn.MultiheadAttention(4, 2)(*[z(t, 3, 1, 4)] * 3, key_padding_mask=z(t, 2, 3).bool()),
        "Expected key_padded_mask.shape[0] to be 1, but got 2",
    ),
    (lambda t: t.nn.TransformerEncoderLayer(4, 2, activation="x"), None),
    (lambda t: t.nn.TransformerEncoderLayer(4, 2)(z(t, 3, 1, 4), z(t, 3, 3).int()), None),
    (lambda t: t.nn.TransformerEncoderLayer(4, 2)(z(t, 3, 1, 4), None, z(t, 1, 3).int()), None),
    (lambda t: t.nn.Transformer(4, 2, 1, 1, 8)(z(t, 3, 1, 4), z(t, 3, 2, 4)), None),
    (lambda t: t.nn.Transformer(4, 2, 1, 1, 8)(z(t, 3, 1, 5), z(t, 3, 1, 5)), None),
    (lambda t: t.nn.attention.sdpa_kernel("flash").__enter__(), None),
]


@pytest.mark.parametrize(("call", "phrase"), ERRORS, ids=range(len(ERRORS)))
def test_errors(call: Callable[[Any], Any], phrase: str | None) -> None:
    same_error(call, phrase)


@pytest.mark.filterwarnings("default:enable_nested_tensor is True")
def test_warnings_about_nested_tensors() -> None:
    for options in (
        {}, {"batch_first": True, "norm_first": True}, {"batch_first": True, "bias": False},
        {"batch_first": True, "nhead": 1}, {"batch_first": True, "activation": "tanh"},
    ):  # fmt: skip
        texts = []
        for t in (convgrad, torch):
            given = {"nhead": 2, **options}
            if given.get("activation"):
                given["activation"] = t.tanh
            layer = t.nn.TransformerEncoderLayer(4, dim_feedforward=8, **given)
            with pytest.warns(UserWarning) as seen:
                t.nn.TransformerEncoder(layer, 1)
            texts.append(str(seen[0].message))
        assert texts[0] == texts[1]


def test_a_choice_of_kernel_changes_nothing() -> None:
    for t in (convgrad, torch):
        backend = t.nn.attention.SDPBackend
        q = t.ones(1, 2, 3, 4)
        with t.nn.attention.sdpa_kernel([backend.MATH, backend.FLASH_ATTENTION]):
            assert t.nn.functional.scaled_dot_product_attention(q, q, q).tolist() == q.tolist()
    assert [b.name for b in convgrad.nn.attention.SDPBackend] == list(
        torch.nn.attention.SDPBackend.__members__
    )
