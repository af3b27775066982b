"""``DataLoader``: batches from a dataset, shuffled, collated and, with workers, made ahead of time."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

from ...errors import has, optional
from ...generator import Generator
from .collate import default_collate, default_convert
from .crews import ProcessCrew, ThreadCrew, multiprocessing
from .dataset import IterableDataset
from .iterators import CrewIterator, LoaderIterator, PlainIterator
from .sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler, draw_seed
from .workers import Plan, get_worker_info

T = TypeVar("T", covariant=True)

#: what a loader is made of and cannot be changed in it
_FIXED = ("batch_size", "batch_sampler", "sampler", "drop_last", "dataset", "persistent_workers")


class _Endless(Sampler[None]):
    """Indices of an iterable dataset, which has none: only their number counts."""

    def __iter__(self) -> Iterator[None]:
        while True:
            yield None


class DataLoader(Generic[T]):
    """Iterates over a dataset in batches.

    Args:
        dataset: with ``__getitem__`` and ``__len__``, or an IterableDataset.
        batch_size: examples in a batch; None gives single examples.
        shuffle: a new random order in each pass.
        sampler: iterable of indices, instead of ``shuffle``.
        batch_sampler: iterable of lists of indices, instead of the three above and ``drop_last``.
        num_workers: threads (or processes) that make batches ahead of time; 0 makes them when asked.
        collate_fn: from a list of examples to a batch.
        pin_memory, pin_memory_device: accepted, without effect: there is no device to copy to.
        drop_last: leave out a last batch that is smaller.
        timeout: seconds to wait for a batch of a worker; 0 waits for ever.
        worker_init_fn: called with the worker's number in each worker.
        multiprocessing_context: start method or context of worker processes; with it workers are processes.
        generator: of random numbers for shuffling and for the workers' seeds.
        prefetch_factor: batches made ahead per worker; 2 if None.
        persistent_workers: keep workers, and their state, from pass to pass.
        in_order: hand batches over in their order, rather than as workers finish them.
        worker_type: "thread", or "process" for examples made by slow Python code; None is "process" where a
            ``multiprocessing_context`` is given, else "thread". Not in PyTorch.
        progress: show a progress bar (if tqdm is installed); a string is its label. Not in PyTorch.
    Raises:
        ValueError: options that exclude each other.
    Example:
        >>> [len(x) for (x,) in DataLoader(TensorDataset(Tensor([1.0, 2.0, 3.0])), batch_size=2)]
        [2, 1]

    Worker i draws its random numbers from the stream of ``seed + i``, and makes batch i, i + n, ...: the same
    numbers as PyTorch's workers for a seed. In threads this holds for convgrad's own; ``random`` and
    ``numpy.random`` have one stream for all threads.

    An exception in a worker is raised here, of the same type, with the worker's traceback in its message; the
    pass may go on after it. Workers end with the iterator, also if it is dropped half way.
    """

    __initialized = False

    def __init__(
        self, dataset: Any, batch_size: int | None = 1, shuffle: bool | None = None, sampler: Any = None,
        batch_sampler: Any = None, num_workers: int = 0, collate_fn: Callable[[Any], Any] | None = None,
        pin_memory: bool = False, drop_last: bool = False, timeout: float = 0,
        worker_init_fn: Callable[[int], Any] | None = None, multiprocessing_context: Any = None,
        generator: Generator | None = None, *, prefetch_factor: int | None = None,
        persistent_workers: bool = False, pin_memory_device: str = "", in_order: bool = True,
        worker_type: str | None = None, progress: bool | str = False,
    ) -> None:  # fmt: skip
        if worker_type is None:
            worker_type = "thread" if multiprocessing_context is None else "process"
        _check_workers(num_workers, timeout, prefetch_factor, persistent_workers, worker_type)
        self.dataset = dataset
        self.num_workers, self.timeout, self.worker_init_fn = num_workers, timeout, worker_init_fn
        self.prefetch_factor = 2 if num_workers and prefetch_factor is None else prefetch_factor
        self.pin_memory, self.pin_memory_device = pin_memory, pin_memory_device
        self.multiprocessing_context, self.persistent_workers = multiprocessing_context, persistent_workers
        self.in_order, self.generator = in_order, generator
        self.worker_type, self.progress = worker_type, progress
        self._iterable = isinstance(dataset, IterableDataset)
        _check_order(self._iterable, batch_size, shuffle, sampler, batch_sampler, drop_last)
        if batch_sampler is not None:
            batch_size = None
        if sampler is None:
            if self._iterable:
                sampler = _Endless()
            else:
                sampler = (
                    RandomSampler(dataset, generator=generator) if shuffle else SequentialSampler(dataset)
                )
        if batch_size is not None and batch_sampler is None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self.sampler, self.batch_sampler = sampler, batch_sampler
        self.batch_size, self.drop_last = batch_size, drop_last
        self.collate_fn = collate_fn or (default_collate if self._auto_collation else default_convert)
        self._told_length: int | None = None
        self._iterator: Any = None
        self.__initialized = True
        self.check_worker_number_rationality()

    @property
    def multiprocessing_context(self) -> Any:
        """The start method or context of worker processes."""
        return self.__multiprocessing_context

    @multiprocessing_context.setter
    def multiprocessing_context(self, context: Any) -> None:
        if context is not None:
            context = _checked_context(context, self.num_workers)
        self.__multiprocessing_context = context

    def __setattr__(self, name: str, value: Any) -> None:
        if self.__initialized and name in _FIXED:
            raise ValueError(f"{name} attribute should not be set after {type(self).__name__} is initialized")
        super().__setattr__(name, value)

    @property
    def _auto_collation(self) -> bool:
        return self.batch_sampler is not None

    @property
    def _index_sampler(self) -> Any:
        return self.batch_sampler if self._auto_collation else self.sampler

    def __len__(self) -> int:
        if not self._iterable:
            return len(self._index_sampler)
        count = self._told_length = len(self.dataset)
        if self.batch_size is None:
            return count
        return count // self.batch_size if self.drop_last else -(-count // self.batch_size)

    def __iter__(self) -> Any:
        if not (self.persistent_workers and self.num_workers):
            batches = self._get_iterator()
        elif self._iterator is None:
            batches = self._iterator = self._get_iterator()
        else:
            batches = self._iterator
            batches.reset(self._told_length)
        if not self.progress or not has("tqdm"):
            return batches
        label = self.progress if isinstance(self.progress, str) else None
        total = len(self) if hasattr(self.dataset, "__len__") else None
        return iter(optional("tqdm", extra="data").tqdm(batches, total=total, desc=label))

    def _get_iterator(self) -> LoaderIterator:
        """A new pass, with workers of its own."""
        seed = draw_seed(self.generator)
        plan = Plan(
            self.dataset, self._iterable, self._auto_collation, self.collate_fn, self.drop_last,
            self.worker_init_fn,
        )  # fmt: skip
        count, ahead = self.num_workers, self.prefetch_factor
        if not count:
            if self.timeout:
                raise AssertionError("a DataLoader without workers requires timeout == 0")
            return PlainIterator(plan, self._index_sampler, self._told_length)
        if not ahead:
            raise AssertionError("prefetch_factor must be greater than 0 for a DataLoader with workers")
        crew: Any
        if self.worker_type == "process":
            crew = ProcessCrew(plan, count, seed, self.multiprocessing_context)
        else:
            crew = ThreadCrew(plan, count, seed)
        return CrewIterator(
            plan, self._index_sampler, self._told_length, crew, count, ahead, self.in_order, self.timeout,
            self.persistent_workers,
        )  # fmt: skip

    def check_worker_number_rationality(self) -> None:
        """Warn of more worker processes than the processors this process may use."""
        allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        if self.worker_type == "process" and self.num_workers > (allowed or 1):
            warnings.warn(
                f"This DataLoader will create {self.num_workers} worker processes in total. Our suggested "
                f"max number of worker in current system is {allowed}, which is smaller than what this "
                "DataLoader is going to create.",
                UserWarning,
                stacklevel=3,
            )


def _check_workers(
    num_workers: int, timeout: float, prefetch_factor: int | None, persistent: bool, worker_type: str
) -> None:
    """Refuse options about workers that are out of range or need workers."""
    if num_workers < 0:
        raise ValueError(
            "num_workers option should be non-negative; use num_workers=0 to disable multiprocessing."
        )
    if timeout < 0:
        raise ValueError("timeout option should be non-negative")
    if num_workers == 0 and prefetch_factor is not None:
        raise ValueError(
            "prefetch_factor option could only be specified in multiprocessing.let num_workers > 0 to enable "
            "multiprocessing, otherwise set prefetch_factor to None."
        )
    if prefetch_factor is not None and prefetch_factor < 0:
        raise ValueError("prefetch_factor option should be non-negative")
    if persistent and num_workers == 0:
        raise ValueError("persistent_workers option needs num_workers > 0")
    if worker_type not in ("thread", "process"):
        raise ValueError(f"worker_type option should be 'thread' or 'process', but got {worker_type!r}")


def _checked_context(context: Any, num_workers: int) -> Any:
    """A context of multiprocessing, from itself or the name of a start method."""
    if num_workers == 0:
        raise ValueError(
            "multiprocessing_context can only be used with multi-process loading (num_workers > 0), but got "
            "num_workers=0"
        )
    if isinstance(context, str):
        methods = multiprocessing().get_all_start_methods()
        if context not in methods:
            raise ValueError(
                "multiprocessing_context option should specify a valid start method in "
                f"{methods!r}, but got multiprocessing_context={context!r}"
            )
        context = multiprocessing().get_context(context)
    if not isinstance(context, multiprocessing().context.BaseContext):
        raise TypeError(
            "multiprocessing_context option should be a valid context object or a string specifying the "
            f"start method, but got multiprocessing_context={context}"
        )
    return context


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


__all__ = ["DataLoader", "default_collate", "default_convert", "get_worker_info"]
