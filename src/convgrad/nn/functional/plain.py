"""The functions that ``torch`` itself shows under a name of ``nn.functional``, with its own arguments.

There a reduction is a number (0 none, 1 mean, 2 sum), dropout's switch is called ``train``, and tables of
vectors come before their indices.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...generator import Generator, chosen
from ...tensor.tensor import Tensor
from . import likelihood, loss, ranking
from .activation import randomised_relu
from .dropout import alpha_dropout as of_elements
from .dropout import dropout as zeros_among_elements
from .dropout import feature_alpha_dropout as of_channels
from .dropout import feature_dropout as zeros_among_channels
from .embedding import MODES, bags, renormalise
from .embedding import embedding as rows_of
from .reduction import Weight

_REDUCTIONS = ("none", "mean", "sum")


def _named(reduction: int) -> str:
    if not isinstance(reduction, int):
        raise TypeError(
            f"argument 'reduction' must be int (0 none, 1 mean, 2 sum), not {type(reduction).__name__}; "
            "nn.functional takes the names"
        )
    return _REDUCTIONS[reduction]


def hinge_embedding_loss(input: Tensor, target: Tensor, margin: float = 1.0, reduction: int = 1) -> Tensor:
    """``nn.functional.hinge_embedding_loss`` with a number for the reduction."""
    return ranking.hinge_embedding_loss(input, target, margin, reduction=_named(reduction))


def margin_ranking_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, reduction: int = 1
) -> Tensor:
    """``nn.functional.margin_ranking_loss`` with a number for the reduction."""
    return ranking.margin_ranking_loss(input1, input2, target, margin, reduction=_named(reduction))


def cosine_embedding_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, reduction: int = 1
) -> Tensor:
    """``nn.functional.cosine_embedding_loss`` with a number for the reduction."""
    return ranking.cosine_embedding_loss(input1, input2, target, margin, reduction=_named(reduction))


def triplet_margin_loss(
    anchor: Tensor, positive: Tensor, negative: Tensor, margin: float = 1.0, p: float = 2.0,
    eps: float = 1e-6, swap: bool = False, reduction: int = 1,
) -> Tensor:  # fmt: skip
    """``nn.functional.triplet_margin_loss`` with a number for the reduction."""
    how = _named(reduction)
    return ranking.triplet_margin_loss(anchor, positive, negative, margin, p, eps, swap, reduction=how)


def kl_div(input: Tensor, target: Tensor, reduction: int = 1, *, log_target: bool = False) -> Tensor:
    """``nn.functional.kl_div`` with a number for the reduction."""
    return likelihood.kl_divergence(input, target, _named(reduction), log_target)


def poisson_nll_loss(
    input: Tensor, target: Tensor, log_input: bool, full: bool, eps: float, reduction: int
) -> Tensor:
    """``nn.functional.poisson_nll_loss`` with a number for the reduction."""
    return likelihood.poisson_nll_loss(input, target, log_input, full, eps=eps, reduction=_named(reduction))


def ctc_loss(
    log_probs: Tensor, targets: Tensor, input_lengths: Any, target_lengths: Any, blank: int = 0,
    reduction: int = 1, zero_infinity: bool = False,
) -> Tensor:  # fmt: skip
    """``nn.functional.ctc_loss`` with a number for the reduction."""
    how = _named(reduction)
    return likelihood.ctc_loss(log_probs, targets, input_lengths, target_lengths, blank, how, zero_infinity)


def binary_cross_entropy_with_logits(
    input: Tensor, target: Tensor, weight: Weight = None, pos_weight: Weight = None, reduction: int = 1
) -> Tensor:
    """``nn.functional.binary_cross_entropy_with_logits`` with a number for the reduction."""
    how = _named(reduction)
    return loss.binary_cross_entropy_with_logits(input, target, weight, reduction=how, pos_weight=pos_weight)


def embedding(
    weight: Tensor,
    indices: Tensor,
    padding_idx: int = -1,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """``nn.functional.embedding`` with the table first; a padding_idx of -1 is none."""
    padding = padding_idx if 0 <= padding_idx < weight._data.shape[0] else None
    return rows_of(indices, weight, padding, scale_grad_by_freq=scale_grad_by_freq)


def embedding_bag(
    weight: Tensor, indices: Tensor, offsets: Tensor, scale_grad_by_freq: bool = False, mode: int = 0,
    sparse: bool = False, per_sample_weights: Weight = None, include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    """``nn.functional.embedding_bag`` with the table first and a number for the mode (0 sum, 1 mean, 2 max).

    Returns:
        The result, then for those who take it apart: the bag of each index, the bags' sizes and the rows that
        were largest; like PyTorch, the first is empty for "sum" and the last for all but "max".
    """
    starts = offsets._data.astype(np.int64)
    out, bag, sizes, won = bags(
        weight, indices, starts, MODES[mode], per_sample_weights, scale_grad_by_freq,
        include_last_offset, padding_idx,
    )  # fmt: skip
    return out, Tensor(bag, None), Tensor(sizes, None), Tensor(won, None)


def embedding_renorm_(input: Tensor, indices: Tensor, max_norm: float, norm_type: float) -> Tensor:
    """Shorten the rows of a table that indices name, in place, to at most ``max_norm``."""
    renormalise(input, indices, max_norm, norm_type)
    return input


def _dropouts(function: Any) -> Any:
    """Two functions, the second in place, from one of ``nn.functional``."""

    def out_of_place(input: Tensor, p: float, train: bool) -> Tensor:
        return function(input, p, train)

    def in_place(input: Tensor, p: float, train: bool) -> Tensor:
        return function(input, p, train, True)

    for made, suffix in ((out_of_place, ""), (in_place, "_")):
        made.__name__ = made.__qualname__ = function.__name__ + suffix
        made.__doc__ = function.__doc__
    return out_of_place, in_place


dropout, dropout_ = _dropouts(zeros_among_elements)
feature_dropout, feature_dropout_ = _dropouts(zeros_among_channels)
alpha_dropout, alpha_dropout_ = _dropouts(of_elements)
feature_alpha_dropout, feature_alpha_dropout_ = _dropouts(of_channels)


def native_dropout(input: Tensor, p: float, train: bool | None = None) -> tuple[Tensor, Tensor]:
    """``dropout``, and a bool tensor that says which elements it kept."""
    if train is False or not input._data.size:
        return input * 1, Tensor(np.ones(input._data.shape, bool), None)
    noise = zeros_among_elements(Tensor(np.ones_like(input._data), None), p, True)
    return input * noise, noise != 0


def rrelu(
    input: Tensor, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False,
    generator: Generator | None = None,
) -> Tensor:  # fmt: skip
    """``nn.functional.rrelu``, with random numbers of any generator."""
    return randomised_relu(input, lower, upper, training, chosen(generator))


def rrelu_(
    input: Tensor, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False,
    generator: Generator | None = None,
) -> Tensor:  # fmt: skip
    """``rrelu`` in place."""
    return randomised_relu(input, lower, upper, training, chosen(generator), True)
