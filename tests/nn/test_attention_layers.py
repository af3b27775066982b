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
