"""Attention and transformers without PyTorch: what must hold of them whatever the numbers are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import convgrad
from convgrad import nn


def floats(*shape: int, start: int = 0) -> Any:
    return convgrad.tensor(np.random.default_rng(start).standard_normal(shape))


def equal(a: Any, b: Any) -> None:
    np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-9, atol=1e-12)


def test_attention_is_its_definition() -> None:
    """``softmax(q kᵀ / sqrt(E / heads)) v`` of each head, side by side, through the last projection."""
    convgrad.manual_seed(0)
    m = nn.MultiheadAttention(6, 2).double()
    q, k = floats(3, 1, 6), floats(4, 1, 6, start=1)
    out, weights = m(q, k, k)
    w, b = m.in_proj_weight.detach().numpy(), m.in_proj_bias.detach().numpy()
    parts = [x[:, 0].numpy() @ w[6 * i : 6 * i + 6].T + b[6 * i : 6 * i + 6] for i, x in enumerate((q, k, k))]
    heads, shares = [], []
    for h in (slice(0, 3), slice(3, 6)):
        scores = np.exp(parts[0][:, h] @ parts[1][:, h].T / np.sqrt(3))
        share = scores / scores.sum(1, keepdims=True)
        heads.append(share @ parts[2][:, h])
        shares.append(share)
    expected = np.concatenate(heads, 1) @ m.out_proj.weight.detach().numpy().T
    np.testing.assert_allclose(out[:, 0].detach().numpy(), expected, rtol=1e-9)
    np.testing.assert_allclose(weights[0].detach().numpy(), np.mean(shares, 0), rtol=1e-9)
    assert m(q, k, k, need_weights=False)[1] is None


def test_order_does_not_matter_without_a_mask_and_the_future_does_not_with_one() -> None:
    layer = nn.TransformerEncoderLayer(6, 2, 8).double().eval()
    x = floats(5, 2, 6)
    equal(layer(x.flip(0)).flip(0), layer(x))
    mask = nn.Transformer.generate_square_subsequent_mask(5)
    changed = x.clone()
    changed[4] = 0
    a, b = layer(x, mask.double(), is_causal=True), layer(changed, mask.double())
    equal(a[:4], b[:4])
    assert not np.allclose(a[4].detach().numpy(), b[4].detach().numpy())


@pytest.mark.parametrize("norm_first", [False, True])
def test_padding_is_not_looked_at(norm_first: bool) -> None:
    stack = nn.TransformerEncoder(
        nn.TransformerEncoderLayer(6, 2, 8, batch_first=True, norm_first=norm_first),
        2,
        enable_nested_tensor=False,
    )
    stack = stack.double().eval()
    x = floats(2, 5, 6)
    padding = convgrad.tensor([[False] * 5, [False, False, False, True, True]])
    out = stack(x, src_key_padding_mask=padding)
    equal(out[1, :3], stack(x[1:, :3])[0])
    equal(out[0], stack(x[:1])[0])


def test_a_transformer_learns_to_copy() -> None:
    convgrad.manual_seed(0)
    net = nn.Transformer(8, 2, 1, 1, 16, dropout=0.0, batch_first=True)
    embed, head = nn.Embedding(4, 8), nn.Linear(8, 4)
    tokens = convgrad.randint(0, 4, (8, 3))
    params = [*net.parameters(), *embed.parameters(), *head.parameters()]
    optimizer = convgrad.optim.Adam(params, lr=3e-2)
    mask = nn.Transformer.generate_square_subsequent_mask(3)
    losses = []
    for _ in range(25):
        out = head(net(embed(tokens), embed(tokens), tgt_mask=mask))
        loss = nn.functional.cross_entropy(out.reshape(-1, 4), tokens.reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.1 * losses[0]


def test_a_kernel_may_be_asked_for() -> None:
    with nn.attention.sdpa_kernel(nn.attention.SDPBackend.MATH):
        assert nn.functional.scaled_dot_product_attention(*[floats(1, 2, 4)] * 3).shape == (1, 2, 4)
    with pytest.raises(AssertionError, match="Backend must be an instance of SDPBackend"):
        nn.attention.sdpa_kernel("flash").__enter__()


def _both_ways(m: Any, x: Any, **named: Any) -> list[Any]:
    """Results and gradients of self-attention in few steps, and with a key that is another tensor."""
    found = []
    for key in (x, x.view(*x.shape)):
        m.zero_grad()
        x.grad = None
        convgrad.manual_seed(3)
        out = m(x, key, key, need_weights=False, **named)[0]
        (out * out.detach().cos()).sum().backward()
        found.append([out.detach(), x.grad, *[p.grad for p in m.parameters()]])
    return found


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("masks", ["none", "mask", "heads", "padding", "both", "hint"])
@pytest.mark.parametrize("settings", [{}, {"bias": False}, {"dropout": 0.3}, {"num_heads": 1}], ids=str)
def test_self_attention_in_few_steps(batch_first: bool, masks: str, settings: dict[str, Any]) -> None:
    convgrad.manual_seed(0)
    given = {
        "embed_dim": 12,
        "num_heads": 3,
        "batch_first": batch_first,
        "dtype": convgrad.float64,
        **settings,
    }
    m = nn.MultiheadAttention(**given)
    x = floats(4, 4, 12).requires_grad_()
    named: dict[str, Any] = {}
    if masks in ("mask", "both"):
        named["attn_mask"] = floats(4, 4, start=2)
    elif masks == "heads":
        named["attn_mask"] = floats(4 * given["num_heads"], 4, 4, start=2)
    elif masks == "hint":
        named |= {"attn_mask": nn.Transformer.generate_square_subsequent_mask(4).double(), "is_causal": True}
    if masks in ("padding", "both"):
        named["key_padding_mask"] = convgrad.where(
            convgrad.arange(4) >= convgrad.tensor([[3], [4], [2], [4]]), -np.inf, 0.0
        ).double()
    few, parts = _both_ways(m, x, **named)
    for a, b in zip(few, parts, strict=True):
        equal(a, b)
    # dropout behind it draws its numbers in the order of memory: that has to be the same, too
    assert (
        m(x, x, x, need_weights=False, **named)[0].stride()
        == m(x, x[:], x[:], need_weights=False, **named)[0].stride()
    )


def test_self_attention_in_few_steps_differentiates_twice() -> None:
    convgrad.manual_seed(0)
    m = nn.MultiheadAttention(4, 2, batch_first=True).double()
    mask = nn.Transformer.generate_square_subsequent_mask(3).double()

    def attend(x: Any) -> Any:
        return m(x, x, x, need_weights=False, attn_mask=mask)[0]

    x = floats(2, 3, 4).requires_grad_()
    assert convgrad.autograd.gradcheck(attend, (x,), check_forward_ad=True)
    assert convgrad.autograd.gradgradcheck(attend, (x,))


def test_what_few_steps_do_not_do() -> None:
    """A mask that learns, more keys, other classes and transforms take the long way, and errors are its own."""
    convgrad.manual_seed(0)
    m = nn.MultiheadAttention(4, 2, batch_first=True).double()
    x = floats(2, 3, 4)
    mask = floats(3, 3, start=1).requires_grad_()
    m(x, x, x, need_weights=False, attn_mask=mask)[0].sum().backward()
    assert mask.grad is not None
    mapped = convgrad.func.vmap(lambda x: m(x, x, x, need_weights=False)[0])(x.unsqueeze(1))
    equal(mapped[:, 0], m(x, x, x, need_weights=False)[0])
    longer = nn.MultiheadAttention(4, 2, batch_first=True, add_bias_kv=True, add_zero_attn=True).double()
    equal(longer(x, x, x, need_weights=False)[0], longer(x, x, x)[0])
    half = nn.MultiheadAttention(4, 2).to(convgrad.bfloat16)
    h = x.to(convgrad.bfloat16)
    assert half(h, h, h, need_weights=False)[0].dtype is convgrad.bfloat16
    with pytest.raises(AssertionError, match="was expecting embedding dimension of 4, but got 5"):
        m(floats(2, 3, 5), *[floats(2, 3, 5)] * 2, need_weights=False)
    y = floats(2, 3, 5)
    with pytest.raises(AssertionError, match="was expecting embedding dimension of 4, but got 5"):
        m(y, y, y, need_weights=False)
    with pytest.raises(RuntimeError, match="The shape of the 2D attn_mask"):
        m(x, x, x, need_weights=False, attn_mask=floats(2, 3))
    with pytest.raises(RuntimeError, match="Need attn_mask if specifying the is_causal hint"):
        m(x, x, x, need_weights=False, is_causal=True)
