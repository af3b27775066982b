"""``DataLoader``: batches from a dataset, shuffled, collated and, with workers, made ahead of time."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from ...errors import has, optional
from ...generator import Generator
from .collate import default_collate, default_convert
from .dataset import IterableDataset, Subset, TensorDataset
from .sampler import BatchSampler, RandomSampler, SequentialSampler, draw_seed
from .workers import EXHAUSTED, ThreadedIterator


class DataLoader:
    """Iterates over a dataset in batches.

    Args:
        dataset: with ``__getitem__`` and ``__len__``, or an IterableDataset.
        batch_size: examples in a batch; None gives single examples.
        shuffle: a new random order in each pass.
        sampler: iterable of indices, instead of ``shuffle``.
        batch_sampler: iterable of lists of indices, instead of the three above and ``drop_last``.
        num_workers: threads that make batches ahead of time; 0 makes them here, when asked.
        collate_fn: from a list of examples to a batch.
        pin_memory, pin_memory_device, multiprocessing_context, persistent_workers: accepted, without effect.
        drop_last: leave out a last batch that is smaller.
        timeout: seconds to wait for a worker; 0 waits for ever.
        worker_init_fn: called with the worker's number in each worker.
        generator: of random numbers for shuffling.
        prefetch_factor: batches made ahead per worker; 2 if None.
        in_order: accepted; batches always come in order.
        progress: show a progress bar (if tqdm is installed); a string is its label. Not in PyTorch.
    Raises:
        ValueError: options that exclude each other.
    Example:
        >>> [len(x) for (x,) in DataLoader(TensorDataset(Tensor([1.0, 2.0, 3.0])), batch_size=2)]
        [2, 1]
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Any = None,
        batch_sampler: Any = None,
        num_workers: int = 0,
        collate_fn: Callable[[Any], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], Any] | None = None,
        multiprocessing_context: Any = None,
        generator: Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
        progress: bool | str = False,
    ) -> None:
        _check_workers(num_workers, timeout, prefetch_factor, persistent_workers)
        self.dataset = dataset
        self.num_workers, self.timeout, self.worker_init_fn = num_workers, timeout, worker_init_fn
        self.prefetch_factor = 2 if num_workers and prefetch_factor is None else prefetch_factor
        self.pin_memory, self.pin_memory_device = pin_memory, pin_memory_device
        self.multiprocessing_context, self.persistent_workers = multiprocessing_context, persistent_workers
        self.in_order, self.generator, self.progress = in_order, generator, progress
        self._iterable = isinstance(dataset, IterableDataset)
        _check_order(self._iterable, batch_size, shuffle, sampler, batch_sampler, drop_last)
        if batch_sampler is not None:
            batch_size = None
        if sampler is None and not self._iterable:
            sampler = RandomSampler(dataset, generator=generator) if shuffle else SequentialSampler(dataset)
        if batch_size is not None and batch_sampler is None:
            order = sampler if not self._iterable else range(0)
            batch_sampler = BatchSampler(order, batch_size, drop_last)
        self.sampler, self.batch_sampler = sampler, batch_sampler
        self.batch_size, self.drop_last = batch_size, drop_last
        batched = batch_sampler is not None
        self.collate_fn = collate_fn or (default_collate if batched else default_convert)

    def __len__(self) -> int:
        if self._iterable:
            count = len(self.dataset)
            if self.batch_size is None:
                return count
            return count // self.batch_size if self.drop_last else -(-count // self.batch_size)
        return len(self.sampler if self.batch_sampler is None else self.batch_sampler)

    def __iter__(self) -> Iterator[Any]:
        batches = self._batches()
        if not self.progress or not has("tqdm"):
            return batches
        label = self.progress if isinstance(self.progress, str) else None
        total = len(self) if hasattr(self.dataset, "__len__") else None
        return iter(optional("tqdm", extra="data").tqdm(batches, total=total, desc=label))

    def _batches(self) -> Iterator[Any]:
        seed = draw_seed(self.generator)
        indices: Iterator[Any]
        if self._iterable:
            indices = itertools.repeat(None)
            make = partial(_stream, self.dataset, self.batch_size, self.drop_last, self.collate_fn)
        else:
            indices = iter(self.sampler if self.batch_sampler is None else self.batch_sampler)
            make = partial(_fetcher, self.dataset, self.batch_sampler is not None, self.collate_fn)
        if self.num_workers:
            return ThreadedIterator(
                indices,
                make,
                self.dataset,
                self.num_workers,
                self.prefetch_factor or 2,
                not self._iterable,
                seed,
                self.worker_init_fn,
                self.timeout,
            )
        return _here(indices, make())


def _here(indices: Iterator[Any], fetch: Callable[[Any], Any]) -> Iterator[Any]:
    """Batches made in this thread, one at a time."""
    for item in indices:
        value = fetch(item)
        if value is EXHAUSTED:
            return
        yield value


def _fetcher(dataset: Any, batched: bool, collate: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The function from indices to a batch, by the quickest way there is."""
    if not batched:
        return lambda index: collate(dataset[index])
    several = getattr(dataset, "__getitems__", None)

    def examples(indices: Any) -> Any:
        return collate(several(indices) if several is not None else [dataset[i] for i in indices])

    if collate is not default_collate or type(dataset) not in (TensorDataset, Subset):
        return examples

    def at_once(indices: Any) -> Any:
        batch = dataset.batch(indices)
        return examples(indices) if batch is None else batch

    return at_once


def _stream(
    dataset: Any, size: int | None, drop_last: bool, collate: Callable[[Any], Any]
) -> Callable[[Any], Any]:
    """The function that takes the next batch from an iterable dataset; EXHAUSTED at its end."""
    items = iter(dataset)

    def fetch(_: Any) -> Any:
        if size is None:
            item = next(items, EXHAUSTED)
            return item if item is EXHAUSTED else collate(item)
        batch = list(itertools.islice(items, size))
        if not batch or (drop_last and len(batch) < size):
            return EXHAUSTED
        return collate(batch)

    return fetch


def _check_workers(num_workers: int, timeout: float, prefetch_factor: int | None, persistent: bool) -> None:
    if num_workers < 0:
        raise ValueError(
            "num_workers option should be non-negative; use num_workers=0 to disable multiprocessing."
        )
    if timeout < 0:
        raise ValueError("timeout option should be non-negative")
    if num_workers == 0 and prefetch_factor is not None:
        raise ValueError(
            "prefetch_factor option could only be specified in multiprocessing. Let num_workers > 0 to "
            "enable it, "
            "otherwise set prefetch_factor to None."
        )
    if prefetch_factor is not None and prefetch_factor < 0:
        raise ValueError("prefetch_factor option should be non-negative")
    if persistent and num_workers == 0:
        raise ValueError("persistent_workers option needs num_workers > 0")


def _check_order(
    iterable: bool, batch_size: int | None, shuffle: Any, sampler: Any, batch_sampler: Any, drop_last: bool
) -> None:
    """Refuse options about the order of examples that exclude each other."""
    if iterable:
        for name, value in (("shuffle", shuffle), ("sampler", sampler), ("batch_sampler", batch_sampler)):
            if value not in (None, False):
                raise ValueError(
                    f"DataLoader with IterableDataset: expected unspecified {name} option, "
                    f"but got {name}={value}"
                )
    if sampler is not None and shuffle:
        raise ValueError("sampler option is mutually exclusive with shuffle")
    if batch_sampler is not None and (batch_size != 1 or shuffle or sampler is not None or drop_last):
        raise ValueError(
            "batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, and drop_last"
        )
    if batch_sampler is None and batch_size is None and drop_last:
        raise ValueError(
            "batch_size=None option disables auto-batching and is mutually exclusive with drop_last"
        )
