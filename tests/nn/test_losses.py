"""Losses of tensors whose dtypes differ, and what a beginner's wrong target is told."""

from __future__ import annotations

import pytest

import convgrad as torch
from convgrad.nn import functional as F

DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.int64, torch.uint8]


@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_the_wider_dtype_wins(name: str, dtype: torch.dtype) -> None:
    loss = getattr(F, name)
    x = torch.tensor([0.25, 3.0], requires_grad=True)
    wide = torch.promote_types(torch.float32, dtype)
    for arguments in [(x, torch.tensor([0, 1]).to(dtype)), (torch.tensor([0, 1]).to(dtype), x)]:
        x.grad = None
        out = loss(*arguments, reduction="none")
        assert out.dtype is wide
        assert out.tolist() == loss(*[a.double() for a in arguments], reduction="none").tolist()
        out.sum().backward()
        assert x.grad is not None
        assert x.grad.dtype is torch.float32


def test_what_float32_holds_is_not_rounded_to_a_half() -> None:
    x = torch.tensor([1000.25])
    assert F.mse_loss(x, torch.zeros(1).half()).item() == 1000.25**2


@pytest.mark.parametrize(
    ("name", "target", "phrase"),
    [
        ("binary_cross_entropy", [0, 1], r"Found dtype Long but expected Float: .*target.to\(input.dtype\)"),
        ("binary_cross_entropy", [False, True], "Found dtype Bool but expected Float"),
        ("binary_cross_entropy_with_logits", [0, 1], r"can't be cast to .* Long: .*target.float\(\)"),
        ("kl_div", [0, 1], r"Integral inputs not supported.*\.float\(\)"),
    ],
)
def test_integer_targets_are_refused(name: str, target: list[int], phrase: str) -> None:
    with pytest.raises(RuntimeError, match=phrase):
        getattr(F, name)(torch.tensor([0.25, 0.5]), torch.tensor(target), reduction="sum")


@pytest.mark.parametrize(
    ("target", "phrase"),
    [
        (torch.eye(2).long(), r"Expected floating point type .* got Long .*target.argmax\(1\)"),
        (torch.eye(2).bool(), "Expected floating point type .* got Bool"),
        (torch.ones(2), r"expected scalar type Long but found Float\); classes are given as target.long\(\)"),
    ],
)
def test_cross_entropy_says_which_target_it_wants(target: torch.Tensor, phrase: str) -> None:
    with pytest.raises(RuntimeError, match=phrase):
        F.cross_entropy(torch.zeros(2, 2), target)
