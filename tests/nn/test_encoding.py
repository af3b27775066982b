"""Encoder layers in few steps against the same layers by their parts."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

import convgrad as torch
from convgrad import nn
from convgrad.nn import functional as F
from convgrad.nn.modules import encoding, transformer


class Calls:
    """How many layers were computed in few steps."""

    def __init__(self) -> None:
        self.made = self.refused = 0


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    found = Calls()

    def encode(*args: Any) -> Any:
        out = encoding.encode(*args)
        if out is None:
            found.refused += 1
        else:
            found.made += 1
        return out

    monkeypatch.setattr(transformer, "encode", encode)
    return found


def layer(**settings: Any) -> Any:
    torch.manual_seed(0)
    given = {"d_model": 24, "nhead": 3, "dim_feedforward": 40, "batch_first": True, **settings}
    made = nn.TransformerEncoderLayer(**given).eval()
    for p in made.parameters():  # zeros and ones would hide what is left out
        p.data.add_(torch.randn(*p.shape, dtype=p.dtype) * 0.1)
    return made


def by_parts(net: Any, *args: Any, **named: Any) -> Any:
    """The result while gradients are recorded, which takes the ordinary way."""
    with torch.enable_grad():
        return net(*args, **named).detach()


def close(a: Any, b: Any) -> None:
    assert type(a) is torch.Tensor and a.dtype is b.dtype and a.shape == b.shape and not a.requires_grad
    np.testing.assert_allclose(a.numpy(), b.numpy(), atol=2e-5 if a.dtype is torch.float32 else 1e-12)


FORMS = [
    {}, {"batch_first": False}, {"norm_first": True}, {"activation": "gelu"}, {"activation": F.gelu}, {"bias": False},
    {"dtype": torch.float64}, {"nhead": 1, "layer_norm_eps": 0.1}, {"norm_first": True, "bias": False, "batch_first": False},
]  # fmt: skip


def _words(settings: dict[str, Any]) -> str:
    return "-".join([f"{k}={getattr(v, '__name__', v)}" for k, v in settings.items()]) or "as it is"


@pytest.mark.parametrize("settings", FORMS, ids=_words)
@pytest.mark.parametrize("masks", ["none", "bool", "float", "heads", "padding", "both", "causal", "hint"])
def test_few_steps_are_the_layer(settings: dict[str, Any], masks: str, calls: Calls) -> None:
    net = layer(**settings)
    dtype = settings.get("dtype", torch.float32)
    x = torch.randn(2, 7, 24, dtype=dtype)
    if settings.get("batch_first") is False:
        x = x.transpose(0, 1)
    named: dict[str, Any] = {}
    if masks in ("bool", "both"):
        named["src_mask"] = torch.rand(7, 7) < 0.3
    elif masks == "float":
        named["src_mask"] = torch.randn(7, 7, dtype=dtype)
    elif masks == "heads":
        named["src_mask"] = torch.randn(2 * settings.get("nhead", 3), 7, 7, dtype=dtype)
    elif masks in ("causal", "hint"):
        named["src_mask"] = nn.Transformer.generate_square_subsequent_mask(7, dtype=dtype)
        named["is_causal"] = masks == "hint"
    if masks in ("padding", "both"):
        named["src_key_padding_mask"] = torch.arange(7) >= torch.tensor([[7], [5]])
    with torch.no_grad():
        out = net(x, **named)
    assert (calls.made, calls.refused) == (1, 0)
    close(out, by_parts(net, x, **named))
    assert (calls.made, calls.refused) == (1, 1)


def test_where_nothing_wants_a_gradient(calls: Calls) -> None:
    """Recording does not matter if nothing is tracked; inference mode marks its results."""
    net = layer().requires_grad_(False)
    x = torch.randn(2, 7, 24)
    wanted = net(x)
    assert calls.made == 1
    with torch.inference_mode():
        out = net(x)
    assert calls.made == 2 and out.is_inference()
    close(out, wanted)
    assert net(x.requires_grad_()).requires_grad and calls.refused == 1


def test_a_stack(calls: Calls) -> None:
    net = nn.TransformerEncoder(layer(nhead=2), 3, nn.LayerNorm(24)).eval()
    x = torch.randn(2, 7, 24)
    with torch.no_grad():
        out = net(x, torch.rand(7, 7) < 0.2, torch.arange(7) >= torch.tensor([[7], [5]]))
    assert calls.made == 3 and out.shape == x.shape


def _hook(net: Any) -> None:
    net.linear2.register_forward_hook(lambda module, args, out: out * 0)


def _training_dropout(net: Any) -> None:
    net.dropout1.train()


def _own_class(net: Any) -> None:
    class Mine(nn.Linear):
        def forward(self, input: Any) -> Any:
            return super().forward(input) * 0

    net.linear2.__class__ = Mine


def _own_forward(net: Any) -> None:
    net.norm1.forward = lambda x: x * 0


def _other_activation(net: Any) -> None:
    net.activation = F.silu


def _parametrized(net: Any) -> None:
    nn.utils.parametrizations.weight_norm(net.linear1)


def _norm_without_weights(net: Any) -> None:
    net.norm2 = nn.LayerNorm(24, elementwise_affine=False).eval()


def _extra_key(net: Any) -> None:
    net.self_attn = nn.MultiheadAttention(24, 3, batch_first=True, add_bias_kv=True).eval()


def _zero_key(net: Any) -> None:
    net.self_attn.add_zero_attn = True


CHANGES = [
    _hook, _training_dropout, _own_class, _own_forward, _other_activation, _parametrized, _extra_key, _zero_key,
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_what_parts_do_is_respected(change: Any, calls: Calls) -> None:
    net = layer()
    change(net)
    x = torch.randn(2, 7, 24)
    with torch.no_grad():
        torch.manual_seed(1)
        out = net(x)
    assert (calls.made, calls.refused) == (0, 1)
    torch.manual_seed(1)
    close(out, by_parts(net, x))


def test_parts_without_weights(calls: Calls) -> None:
    net = layer()
    _norm_without_weights(net)
    with torch.no_grad():
        out = net(x := torch.randn(2, 7, 24))
    assert calls.made == 1
    close(out, by_parts(net, x))


def test_a_class_of_ones_own_and_training_take_the_ordinary_way(calls: Calls) -> None:
    class Mine(nn.TransformerEncoderLayer):
        def _ff_block(self, x: Any) -> Any:
            return x * 0

    net = layer()
    x = torch.randn(2, 7, 24)
    mine = Mine(24, 3, 40, batch_first=True).eval()
    mine.load_state_dict(net.state_dict())
    with torch.no_grad():
        assert not np.allclose(mine(x).numpy(), net(x).numpy())
        assert calls.made == 1
        copy.deepcopy(net).train()(x)
        net(x[0])  # one sequence
    assert calls.made == 1


def test_errors_are_those_of_the_parts() -> None:
    net = layer()
    with torch.no_grad():
        for bad in (
            (torch.randn(2, 7, 23),),
            (torch.randn(2, 7, 24), torch.randn(6, 7)),
            (torch.randn(2, 7, 24).double(),),
        ):
            with pytest.raises(Exception) as quick:
                net(*bad)
            with pytest.raises(type(quick.value)) as slow:
                by_parts(net, *bad)
            assert str(quick.value) == str(slow.value)
