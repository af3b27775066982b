"""Worker threads that make batches ahead of time and hand them over in order.

Threads rather than processes: NumPy and file reading release the interpreter's lock, nothing is
copied between processes, and nothing has to be picklable.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import Any, NamedTuple

from ...errors import ConvgradError

STOP: Any = object()
EXHAUSTED: Any = object()

_current = threading.local()


class WorkerInfo(NamedTuple):
    """What ``get_worker_info()`` says inside a worker."""

    id: int
    num_workers: int
    seed: int
    dataset: Any


def get_worker_info() -> WorkerInfo | None:
    """Which DataLoader worker this thread is; None in the main thread."""
    return getattr(_current, "info", None)


class Failure:
    """An exception on its way to the main thread."""

    __slots__ = ("error",)

    def __init__(self, error: BaseException) -> None:
        self.error = error


class Board:
    """Where workers lay down their results by number; shared by all threads of one pass."""

    def __init__(self) -> None:
        self.results: dict[int, Any] = {}
        self.ready = threading.Condition()
        self.stopped = False

    def put(self, number: int, value: Any) -> None:
        """Lay down a result."""
        with self.ready:
            self.results[number] = value
            self.ready.notify()

    def take(self, number: int, timeout: float) -> Any:
        """Wait for a result and take it.

        Raises:
            ConvgradError: it did not come in time.
        """
        with self.ready:
            if not self.ready.wait_for(lambda: number in self.results, timeout or None):
                raise ConvgradError(f"DataLoader timed out after {timeout} seconds")
            return self.results.pop(number)


def _work(
    board: Board,
    tasks: Any,
    make_fetch: Callable[[], Callable[[Any], Any]],
    info: WorkerInfo,
    init: Callable[[int], Any] | None,
) -> None:
    """The life of one worker: tasks are (number, indices) until STOP."""
    _current.info = info
    fetch: Any = None
    failed: BaseException | None = None
    try:
        if init is not None:
            init(info.id)
        fetch = make_fetch()
    except BaseException as error:
        failed = error
    while True:
        task = tasks.get()
        if task is STOP or board.stopped:
            return
        number, indices = task
        if failed is not None:
            board.put(number, Failure(failed))
            continue
        try:
            value = fetch(indices)
        except BaseException as error:
            error.add_note(f"(raised in DataLoader worker thread {info.id}, batch {number})")
            value = Failure(error)
        board.put(number, value)


class ThreadedIterator:
    """One pass over the data with workers.

    Args:
        indices: the batches' indices (None for each batch of an iterable dataset).
        make_fetch: called in each worker; gives the function from indices to a batch.
        dataset: told to the workers.
        count: number of workers.
        prefetch: batches made ahead per worker.
        shared: any worker may take any batch; otherwise batch i belongs to worker i modulo count.
        seed: worker i is told ``seed + i``.
        init: called with the worker's number first.
        timeout: seconds to wait for a batch; 0 waits for ever.
    """

    def __init__(
        self, indices: Iterator[Any], make_fetch: Callable[[], Any], dataset: Any, count: int, prefetch: int,
        shared: bool, seed: int, init: Callable[[int], Any] | None, timeout: float,
    ) -> None:  # fmt: skip
        self._indices = indices
        self._timeout = timeout
        self._board = Board()
        one: Any = SimpleQueue()
        self._queues: list[Any] = [one if shared else SimpleQueue() for _ in range(count)]
        self._alive = list(range(count))
        self._turn = 0
        self._sent = 0
        self._expected: list[tuple[int, int]] = []
        for i in range(count):
            info = WorkerInfo(i, count, seed + i, dataset)
            args = (self._board, self._queues[i], make_fetch, info, init)
            threading.Thread(target=_work, args=args, name=f"DataLoader worker {i}", daemon=True).start()
        for _ in range(count * prefetch):
            self._send()

    def _send(self) -> None:
        """Order one more batch from the worker whose turn it is."""
        if not self._alive:
            return
        try:
            indices = next(self._indices)
        except StopIteration:
            return
        worker = self._alive[self._turn % len(self._alive)]
        self._turn += 1
        self._expected.append((self._sent, worker))
        self._queues[worker].put((self._sent, indices))
        self._sent += 1

    def __iter__(self) -> ThreadedIterator:
        return self

    def __next__(self) -> Any:
        while self._expected:
            number, worker = self._expected.pop(0)
            value = self._board.take(number, self._timeout)
            if value is EXHAUSTED:
                if worker in self._alive:
                    place = self._alive.index(worker)
                    self._alive.remove(worker)
                    if self._alive and place < self._turn % (len(self._alive) + 1):
                        self._turn -= 1
                continue
            self._send()
            if type(value) is Failure:
                self.close()
                raise value.error
            return value
        self.close()
        raise StopIteration

    def close(self) -> None:
        """Let the workers end."""
        if not self._board.stopped:
            self._board.stopped = True
            for tasks in self._queues:
                tasks.put(STOP)

    def __del__(self) -> None:
        if hasattr(self, "_queues"):
            self.close()
