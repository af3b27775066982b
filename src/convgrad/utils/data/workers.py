"""What a worker of a DataLoader does, be it a thread or a process: it answers tasks with batches."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable
from typing import Any, NamedTuple

from ...tensor.tensor import Tensor
from .collate import collate_tensor_fn, default_collate, default_collate_fn_map
from .dataset import Subset, TensorDataset


class WorkerInfo:
    """What ``get_worker_info()`` says inside a worker.

    Args:
        id: number of the worker, from 0.
        num_workers: how many there are.
        seed: what its random numbers are seeded with; differs from pass to pass and worker to worker.
        dataset: the worker's dataset: a copy in a process, a shallow one in a thread.
        worker_method: "thread" or "multiprocessing".
    """

    def __init__(
        self,
        id: int,
        num_workers: int,
        seed: int,
        dataset: Any,
        rng: Any = None,
        worker_method: str = "thread",
    ) -> None:
        self.id, self.num_workers, self.seed, self.dataset = id, num_workers, seed, dataset
        self.rng, self.worker_method = rng, worker_method

    def __repr__(self) -> str:
        fields = ", ".join([f"{name}={value!r}" for name, value in self.__dict__.items()])
        return f"WorkerInfo({fields})"


_current = threading.local()


def get_worker_info() -> WorkerInfo | None:
    """Which DataLoader worker this thread or process is; None in the main one."""
    return getattr(_current, "info", None)


class _Mark:
    """A message of its own kind; one object in every process."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __reduce__(self) -> str:
        return self.name


#: for a worker: there will be no more tasks
STOP = _Mark("STOP")
#: from a worker, or in the main thread: its iterable dataset has ended
ENDED = _Mark("ENDED")


class Task(NamedTuple):
    """An order for one batch: of which pass, its number, and the indices of its examples."""

    epoch: int
    number: int
    indices: Any


class Result(NamedTuple):
    """The answer: of which pass, number, and the batch, or ENDED, or a Failure."""

    epoch: int
    number: int
    value: Any


class _KeyErrorMessage(str):
    """A message whose lines are shown as lines, where KeyError shows the repr of its argument."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


class Failure:
    """An exception on its way to the main thread, as text: its traceback holds what cannot travel."""

    def __init__(self, error: BaseException, where: str) -> None:
        self.kind = type(error)
        text = "".join(traceback.format_exception(error))
        self.message = f"Caught {self.kind.__name__} {where}.\nOriginal {text}"

    def error(self) -> BaseException:
        """An exception of the same type with the traceback in its message; else a RuntimeError."""
        if self.kind is KeyError:
            return KeyError(_KeyErrorMessage(self.message))
        try:
            return self.kind(self.message)
        except Exception:
            return RuntimeError(self.message)


class Plan(NamedTuple):
    """What every worker is told at its start."""

    dataset: Any
    iterable: bool
    batched: bool
    collate: Callable[[Any], Any]
    drop_last: bool
    init: Callable[[int], Any] | None

    def fetcher(self) -> Callable[[Any], Any]:
        """A function from indices to a batch; of an iterable dataset a new pass, ENDED at its end."""
        if self.iterable:
            return _stream(self.dataset, self.batched, self.drop_last, self.collate)
        return _chooser(self.dataset, self.batched, self.collate)


def _chooser(dataset: Any, batched: bool, collate: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Examples by index, by the quickest way there is."""
    if not batched:
        return lambda index: collate(dataset[index])
    several = getattr(dataset, "__getitems__", None)

    def examples(indices: Any) -> Any:
        return collate(several(indices) if several else [dataset[i] for i in indices])

    if collate is not default_collate or type(dataset) not in (TensorDataset, Subset):
        return examples
    if default_collate_fn_map.get(Tensor) is not collate_tensor_fn:
        return examples

    def at_once(indices: Any) -> Any:
        batch = dataset.batch(indices)
        return examples(indices) if batch is None else batch

    return at_once


def _stream(
    dataset: Any, batched: bool, drop_last: bool, collate: Callable[[Any], Any]
) -> Callable[[Any], Any]:
    """The next examples of an iterable dataset, as many as there are indices."""
    items = iter(dataset)

    def fetch(indices: Any) -> Any:
        if not batched:
            item = next(items, ENDED)
            return item if item is ENDED else collate(item)
        batch: list[Any] = []
        for _ in indices:  # not islice: it calls iter() again, and some streams then start anew
            item = next(items, ENDED)
            if item is ENDED:
                break
            batch.append(item)
        if not batch or (drop_last and len(batch) < len(indices)):
            return ENDED
        return collate(batch)

    return fetch


def run_worker(
    plan: Plan, info: WorkerInfo, where: str, receive: Callable[[], Any], send: Callable[[Result], None]
) -> None:
    """The life of a worker: every task gets one result, until STOP; a failing ``init`` is every result."""
    _current.info = info
    refused: Failure | None = None
    try:
        if plan.init is not None:
            plan.init(info.id)
    except BaseException as error:
        refused = Failure(error, where)
    fetch: Any = None
    epoch = -1
    while True:
        task = receive()
        if task is STOP:
            return
        if task.epoch != epoch:
            fetch, epoch = None, task.epoch
        value: Any
        try:
            if refused is not None:
                value = refused
            else:
                fetch = plan.fetcher() if fetch is None else fetch
                value = fetch(task.indices)
        except BaseException as error:  # a worker that fell silent would be waited for
            value = Failure(error, where)
        send(Result(task.epoch, task.number, value))
        del value, task  # a batch is not held while the worker waits for the next task


__all__ = [
    "ENDED", "STOP", "Failure", "Plan", "Result", "Task", "WorkerInfo", "get_worker_info", "run_worker",
]  # fmt: skip
