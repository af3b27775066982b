"""``DistributedSampler``: every process its share of the examples."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from ...generator import Generator
from .sampler import Sampler


class DistributedSampler(Sampler[int]):
    """Every ``num_replicas``-th index of one order that is common to all processes, beginning with ``rank``.

    Args:
        dataset: anything with a length.
        num_replicas: number of processes.
        rank: which of them this is.
        shuffle: a random order, that of ``seed + epoch``; call ``set_epoch`` before each pass.
        seed: the same in all processes.
        drop_last: leave out the last examples, rather than repeat the first ones, where shares are uneven.
    Raises:
        ValueError: no number of processes or rank (there is no process group to ask), or a rank out of range.
    Example:
        >>> list(DistributedSampler(range(5), num_replicas=2, rank=1, shuffle=False))
        [1, 3, 0]
    """

    def __init__(
        self, dataset: Any, num_replicas: int | None = None, rank: int | None = None, shuffle: bool = True,
        seed: int = 0, drop_last: bool = False,
    ) -> None:  # fmt: skip
        if num_replicas is None or rank is None:
            raise ValueError(
                "Default process group has not been initialized, please make sure to give num_replicas "
                "and rank"
            )
        if not 0 <= rank < num_replicas:
            raise ValueError(f"Invalid rank {rank}, rank should be in the interval [0, {num_replicas - 1}]")
        self.dataset, self.num_replicas, self.rank = dataset, num_replicas, rank
        self.epoch, self.drop_last, self.shuffle, self.seed = 0, drop_last, shuffle, seed
        share = len(dataset) / num_replicas
        self.num_samples = math.floor(share) if drop_last else math.ceil(share)
        self.total_size = self.num_samples * num_replicas

    def __iter__(self) -> Iterator[int]:
        count = len(self.dataset)
        order = list(range(count))
        if self.shuffle:
            order = Generator().manual_seed(self.seed + self.epoch).randperm(count).tolist()
        if count and len(order) < self.total_size:  # the first ones again, as often as it takes
            order = (order * math.ceil(self.total_size / count))[: self.total_size]
        return iter(order[: self.total_size][self.rank :: self.num_replicas])

    def __len__(self) -> int:
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Take the order of another pass; without it every pass has the same."""
        self.epoch = epoch


__all__ = ["DistributedSampler"]
