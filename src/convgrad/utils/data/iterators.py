"""Passes over the data: in the calling thread, or with a crew of workers that make batches ahead of time."""

from __future__ import annotations

import queue
import warnings
from collections.abc import Iterator
from typing import Any

from ...errors import ConvgradError
from .workers import ENDED, Failure, Plan, Task


class LoaderIterator:
    """One pass over the data of a loader.

    Args:
        plan: how batches are made.
        sampler: of the batches' indices.
        told: what ``len(loader)`` took for the length of an iterable dataset, or None if nobody asked.
    """

    def __init__(self, plan: Plan, sampler: Any, told: int | None) -> None:
        self._plan, self._sampler, self._told = plan, sampler, told
        self._indices: Iterator[Any] = iter(())
        self._yielded = 0

    def __iter__(self) -> LoaderIterator:
        return self

    def __len__(self) -> int:
        return len(self._sampler)

    def __next__(self) -> Any:
        value = self._next()
        self._yielded += 1
        if self._told is not None and self._yielded > self._told:
            warnings.warn(
                f"Length of IterableDataset {self._plan.dataset} was reported to be {self._told}(when "
                f"accessing len(dataloader)), but {self._yielded} samples have been fetched. {self._advice}",
                UserWarning,
                stacklevel=2,
            )
        return value

    _advice = ""

    def _next(self) -> Any:
        raise NotImplementedError


class PlainIterator(LoaderIterator):
    """A pass in the calling thread: a batch is made when it is asked for."""

    def __init__(self, plan: Plan, sampler: Any, told: int | None) -> None:
        super().__init__(plan, sampler, told)
        self._indices = iter(sampler)
        self._fetch = plan.fetcher()

    def _next(self) -> Any:
        value = self._fetch(next(self._indices))
        if value is ENDED:
            raise StopIteration
        return value


class CrewIterator(LoaderIterator):
    """A pass with workers: batch i is made by worker i modulo their number, as in PyTorch.

    Args:
        plan, sampler, told: as above.
        crew: the workers.
        count: how many they are.
        prefetch: batches ordered ahead per worker.
        in_order: hand batches over in their order; otherwise as they come.
        timeout: seconds to wait for a batch; 0 waits for ever.
        persistent: keep the workers for further passes.
    """

    _advice = (
        "For multiprocessing data-loading, this could be caused by not properly configuring the "
        "IterableDataset replica at each worker: share its examples by get_worker_info()."
    )

    def __init__(
        self, plan: Plan, sampler: Any, told: int | None, crew: Any, count: int, prefetch: int,
        in_order: bool, timeout: float, persistent: bool,
    ) -> None:  # fmt: skip
        super().__init__(plan, sampler, told)
        self._crew, self._count, self._prefetch = crew, count, prefetch
        self._in_order, self._timeout, self._persistent = in_order, timeout, persistent
        self._closed = False
        self._epoch = -1
        self.reset(told)

    def reset(self, told: int | None) -> None:
        """Begin a pass; what is left of another one is dropped as it arrives."""
        self._told = told
        self._epoch += 1
        self._yielded = 0
        self._indices = iter(self._sampler)
        self._alive = list(range(self._count))
        self._turn = 0
        self._sent = 0
        self._ordered: dict[int, int] = {}  # number of a batch -> its worker, in the order of the numbers
        self._arrived: dict[int, Any] = {}
        for _ in range(self._count * self._prefetch):
            self._order()

    def _order(self) -> None:
        """Order one more batch from the worker whose turn it is."""
        worker = self._whose_turn()
        if worker is None:
            return
        try:
            indices = next(self._indices)
        except StopIteration:
            return
        self._ordered[self._sent] = worker
        self._crew.send(worker, Task(self._epoch, self._sent, indices))
        self._sent += 1

    def _whose_turn(self) -> int | None:
        """The next worker that has not ended; out of order only one that has not enough to do."""
        loads = [] if self._in_order else list(self._ordered.values())
        for _ in range(self._count):
            worker = self._turn
            self._turn = (self._turn + 1) % self._count
            if worker in self._alive and (self._in_order or loads.count(worker) < self._prefetch):
                return worker
        return None

    def _next(self) -> Any:
        while self._ordered:
            number = self._wait()
            value, worker = self._arrived.pop(number), self._ordered.pop(number)
            if value is ENDED:
                if worker in self._alive:
                    self._alive.remove(worker)
                self._order()
                continue
            self._order()
            if type(value) is Failure:
                raise value.error()
            return value
        if not self._persistent:
            self.close()
        raise StopIteration

    def _wait(self) -> int:
        """The number of the batch to hand over next, once it is there.

        Raises:
            ConvgradError: it did not come in time, or a worker process has died.
        """
        first = next(iter(self._ordered))
        while first not in self._arrived and (self._in_order or not self._arrived):
            try:
                result = self._crew.receive(self._timeout or None)
            except queue.Empty:
                raise ConvgradError(f"DataLoader timed out after {self._timeout} seconds") from None
            except ConvgradError:
                self.close()
                raise
            if result.epoch == self._epoch:
                self._arrived[result.number] = result.value
        return first if self._in_order else next(iter(self._arrived))

    def close(self) -> None:
        """End the workers."""
        if not self._closed:
            self._closed = True
            self._ordered.clear()
            self._crew.close()

    def __del__(self) -> None:
        if hasattr(self, "_closed"):
            self.close()
