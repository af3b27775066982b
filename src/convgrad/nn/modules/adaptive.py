"""An output layer for very many classes, of which some are frequent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ...errors import ConvgradError
from ...tensor.functions_shape import cat
from ...tensor.tensor import Tensor
from .. import functional as F
from ..module import Module
from .container import ModuleList, Sequential
from .linear import Linear


class _ASMoutput(NamedTuple):
    """Log-probabilities of the targets, and their mean with the sign changed."""

    output: Any
    loss: Any


class AdaptiveLogSoftmaxWithLoss(Module):
    """Log-softmax in two steps: first among frequent classes and clusters of rare ones, then in a cluster.

    Rare classes are computed for the samples that have them only, and from fewer features: cluster i
    has ``in_features // div_value ** (i + 1)`` of them.

    Args:
        in_features: size of the input.
        n_classes: number of classes, which are sorted from frequent to rare.
        cutoffs: where clusters begin, increasing, between 1 and n_classes - 1.
        div_value: how much smaller each cluster's features are than the last one's.
        head_bias: a bias for the first step.
        device: only the CPU.
        dtype: of the parameters; None is the default dtype.
    Attributes:
        head: the ``Linear`` of the first step.
        tail: the ``Sequential`` of two linear layers of each cluster.
    Raises:
        ValueError: cutoffs that are not such numbers.
    Example:
        >>> layer = AdaptiveLogSoftmaxWithLoss(8, 100, [10, 50], div_value=2.0)
        >>> layer(ones(3, 8), Tensor([1, 20, 99]).long()).output.shape
        torch.Size([3])

    Source: Grave et al. 2016, arXiv:1609.04309.
    """

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        cutoffs: Sequence[int],
        div_value: float = 4.0,
        head_bias: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        cuts = list(cutoffs)
        if not cuts:
            raise ValueError("cutoffs should be a sequence of length larger than 0")
        whole = all([int(c) == c for c in cuts])
        if not whole or cuts != sorted(set(cuts)) or cuts[0] <= 0 or cuts[-1] > n_classes - 1:
            raise ValueError(
                "cutoffs should be a sequence of unique, positive integers sorted in an increasing order, "
                f"where each value is between 1 and n_classes-1, but got {cuts} for n_classes={n_classes}"
            )
        self.in_features, self.n_classes = in_features, n_classes
        self.cutoffs = [*cuts, n_classes]
        self.div_value, self.head_bias = div_value, head_bias
        self.shortlist_size = self.cutoffs[0]
        self.n_clusters = len(cuts)
        self.head_size = self.shortlist_size + self.n_clusters
        self.head = Linear(in_features, self.head_size, head_bias, device, dtype)
        self.tail = ModuleList()
        for i in range(self.n_clusters):
            features = int(in_features // div_value ** (i + 1))
            size = self.cutoffs[i + 1] - self.cutoffs[i]
            inner = Linear(in_features, features, False, device, dtype)
            self.tail.append(Sequential(inner, Linear(features, size, False, device, dtype)))

    def reset_parameters(self) -> None:
        """Draw new starting values."""
        self.head.reset_parameters()
        for inner, outer in self.tail:
            inner.reset_parameters()
            outer.reset_parameters()

    def forward(self, input_: Any, target_: Any) -> _ASMoutput:
        """``(N, in_features)`` and ``(N,)`` int64, or without N.

        Returns:
            ``output``, ``(N,)``: the log-probability of each target; ``loss``: minus their mean.
        Raises:
            RuntimeError: shapes that do not fit, or a target that is no class.
        """
        self._check(input_, target_)
        batched = target_._data.ndim == 1
        input, target = (input_, target_) if batched else (input_.unsqueeze(0), target_.unsqueeze(0))
        classes = target._data
        in_head, tails = classes.copy(), []
        for i in range(self.n_clusters):
            rows = np.flatnonzero((classes >= self.cutoffs[i]) & (classes < self.cutoffs[i + 1]))
            if rows.size:
                in_head[rows] = self.shortlist_size + i
                at = Tensor(rows, None)
                scores = F.log_softmax(self.tail[i](input.index_select(0, at)), 1)
                chosen = Tensor(classes[rows, None] - self.cutoffs[i], None)
                tails.append((at, scores.gather(1, chosen).squeeze(1)))
        log_head = F.log_softmax(self.head(input), 1)
        output = log_head.gather(1, Tensor(in_head[:, None], None)).squeeze(1)
        for at, values in tails:
            output = output.index_add(0, at, values)
        loss = (-output).mean()
        return _ASMoutput(output if batched else output.squeeze(0), loss)

    def _check(self, input: Any, target: Any) -> None:
        size, labels = input._data.shape, target._data.shape
        if len(labels) > 1:
            raise ConvgradError(
                f"0D or 1D target tensor expected, multi-target not supported, but its size is {target.shape}"
            )
        if len(size) != len(labels) + 1:
            raise ConvgradError(
                f"{len(labels)}D target tensor expects {len(labels) + 1}D input tensors, but found inputs "
                f"with size {input.shape}"
            )
        if labels and size[0] != labels[0]:
            raise ConvgradError(
                "Input and target should have the same size in the batch dimension. They have "
                f"{input.shape} and {target.shape}"
            )
        classes = target._data
        if classes.size and (classes.min() < 0 or classes.max() >= self.n_classes):
            raise ConvgradError(
                f"Target values should be in [0, {self.n_classes - 1}], but values in range "
                f"[{classes.min()}, {classes.max()}] were found. "
            )

    def _full_log_prob(self, input: Any, head_output: Any) -> Any:
        """Log-probabilities of all classes, ``(N, n_classes)``."""
        log_head = F.log_softmax(head_output, 1)
        first = self.shortlist_size
        parts = [log_head[:, :first]]
        for i in range(self.n_clusters):
            within = F.log_softmax(self.tail[i](input), 1)
            parts.append(within + log_head[:, first + i].unsqueeze(1))
        return cat(parts, 1)

    def log_prob(self, input: Any) -> Any:
        """Log-probabilities of all classes: ``(N, in_features)`` to ``(N, n_classes)``."""
        return self._full_log_prob(input, self.head(input))

    def predict(self, input: Any) -> Any:
        """The most probable class: ``(N, in_features)`` to ``(N,)`` int64."""
        return self.log_prob(input).argmax(1)


__all__ = ["AdaptiveLogSoftmaxWithLoss"]
