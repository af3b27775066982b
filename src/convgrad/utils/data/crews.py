"""Crews of workers: threads, or processes, behind one interface.

A crew is sent tasks, ``send(worker, task)``, and asked for results as they come, ``receive(timeout)``.
Threads are the default: NumPy and file reading release the interpreter's lock, nothing is copied and nothing
has to be picklable. Processes are for examples that are made by Python code.
"""

from __future__ import annotations

import atexit
import copy
import os
import queue
import random
import signal
import threading
import time
import warnings
import weakref
from typing import Any

import numpy as np

from ...autograd.grad_mode import set_grad_enabled
from ...errors import ConvgradError, optional
from ...generator import Generator, default_generator, own_stream
from ...graph.grad_mode import is_grad_enabled
from .workers import STOP, Failure, Plan, Result, WorkerInfo, run_worker

#: seconds between two looks of a worker process at whether its parent is alive
_LOOK = 5.0
#: seconds that workers are given to end by themselves
_PATIENCE = 1.0
#: the worker threads there are, and the queues that they take their tasks from
_threads: weakref.WeakKeyDictionary[threading.Thread, Any] = weakref.WeakKeyDictionary()


def multiprocessing() -> Any:
    """The module, which takes 15 ms to load: only who wants processes waits for it."""
    return optional("multiprocessing", extra="data")


class ThreadCrew:
    """Worker threads, each with a stream of random numbers of its own behind the default generator.

    They see a shallow copy of the dataset, and record gradients if the thread that made them does.

    Args:
        plan: what they do.
        count: how many.
        seed: worker i draws from the stream of ``seed + i``.
    """

    def __init__(self, plan: Plan, count: int, seed: int) -> None:
        self._results: Any = queue.SimpleQueue()
        self._tasks: list[Any] = [queue.SimpleQueue() for _ in range(count)]
        recording = is_grad_enabled()
        for i, tasks in enumerate(self._tasks):
            own = plan._replace(dataset=_own_copy(plan.dataset))
            info = WorkerInfo(i, count, seed + i, own.dataset)
            thread = threading.Thread(
                target=_thread,
                args=(own, info, tasks, self._results, recording),
                name=f"DataLoader worker {i}",
                daemon=True,
            )
            _threads[thread] = tasks
            thread.start()

    def send(self, worker: int, task: Any) -> None:
        """Give a worker a task."""
        self._tasks[worker].put(task)

    def receive(self, timeout: float | None) -> Result:
        """The next result of any worker.

        Raises:
            queue.Empty: none came in time.
        """
        return self._results.get(timeout=timeout)

    def close(self) -> None:
        """Let the workers end, each after the batch it is at."""
        for tasks in self._tasks:
            _dismiss(tasks)


def _dismiss(tasks: Any) -> None:
    """End the thread that takes its tasks from the queue."""
    while True:  # what was ordered and not begun is not wanted any more
        try:
            tasks.get_nowait()
        except queue.Empty:
            break
    tasks.put(STOP)


@atexit.register
def _end_threads() -> None:
    """At the end of the process: one stopped in the midst of a batch would leave behind what it holds."""
    running = list(_threads.items())
    for _, tasks in running:
        _dismiss(tasks)
    deadline = time.monotonic() + _PATIENCE
    for thread, _ in running:
        thread.join(max(0.0, deadline - time.monotonic()))


def _own_copy(dataset: Any) -> Any:
    """A shallow copy: what a worker sets on its dataset, as its share of a stream, is its own."""
    if not hasattr(dataset, "__dict__"):
        return dataset
    try:
        return copy.copy(dataset)
    except Exception:  # an object that cannot be copied is shared
        return dataset


def _thread(plan: Plan, info: WorkerInfo, tasks: Any, results: Any, recording: bool) -> None:
    with own_stream(Generator().manual_seed(info.seed)), set_grad_enabled(recording):
        run_worker(plan, info, f"in DataLoader worker thread {info.id}", tasks.get, results.put)


class ProcessCrew:
    """Worker processes, each on a pipe; a thread of the main process reads what they send.

    Args:
        plan: what they do; must be picklable where processes are not forked.
        count: how many.
        seed: ``seed + i`` seeds convgrad's and Python's random numbers in worker i, and both NumPy's.
        context: of ``multiprocessing``; None is the system's.
    """

    def __init__(self, plan: Plan, count: int, seed: int, context: Any = None) -> None:
        made = multiprocessing().get_context() if context is None else context
        self._owner = os.getpid()
        self._results: Any = queue.SimpleQueue()
        self._pipes: list[Any] = []
        self._workers: list[Any] = []
        for i in range(count):
            ours, theirs = made.Pipe()
            info = WorkerInfo(i, count, seed + i, plan.dataset, None, "multiprocessing")
            worker = made.Process(
                target=_process,
                args=(plan, info, seed, theirs, self._owner),
                name=f"DataLoader worker {i}",
                daemon=True,
            )
            with warnings.catch_warnings():  # of threads: the child runs a worker and nothing else
                warnings.filterwarnings("ignore", r".*multi-threaded, use of fork", DeprecationWarning)
                worker.start()
            theirs.close()
            self._pipes.append(ours)
            self._workers.append(worker)
        by_pipe = {pipe: worker.pid for pipe, worker in zip(self._pipes, self._workers, strict=True)}
        self._reader = threading.Thread(
            target=_read, args=(by_pipe, self._results), name="DataLoader reader", daemon=True
        )
        self._reader.start()

    def send(self, worker: int, task: Any) -> None:
        """Give a worker a task."""
        try:
            self._pipes[worker].send(task)
        except (BrokenPipeError, ConnectionError):
            self._results.put(_Dead(self._workers[worker].pid))

    def receive(self, timeout: float | None) -> Result:
        """The next result of any worker.

        Raises:
            queue.Empty: none came in time.
            ConvgradError: a worker has died.
        """
        found = self._results.get(timeout=timeout)
        if isinstance(found, _Dead):
            raise ConvgradError(f"DataLoader worker (pid(s) {found.pid}) exited unexpectedly")
        return found

    def close(self) -> None:
        """End the workers; one that is at a long batch is terminated."""
        if os.getpid() != self._owner:  # a forked copy of this object
            return
        for pipe in self._pipes:
            try:
                pipe.send(STOP)
            except (OSError, ValueError):
                continue
        deadline = time.monotonic() + _PATIENCE
        for worker in self._workers:
            worker.join(max(0.0, deadline - time.monotonic()))
            if worker.is_alive():
                worker.terminate()
                worker.join()
        self._reader.join(_PATIENCE)
        for pipe in self._pipes:
            pipe.close()


class _Dead:
    """Told by the reader: a worker's pipe has ended."""

    def __init__(self, pid: int) -> None:
        self.pid = pid


def _read(by_pipe: dict[Any, int], results: Any) -> None:
    """Move what the workers send into the queue, until all their pipes have ended."""
    wait: Any = multiprocessing().connection.wait  # loaded by Pipe(), and not before
    while by_pipe:
        ready = wait(list(by_pipe))
        for pipe in ready:
            try:
                results.put(pipe.recv())
            except (EOFError, OSError):
                results.put(_Dead(by_pipe.pop(pipe)))


def _process(plan: Plan, info: WorkerInfo, base_seed: int, pipe: Any, parent: int) -> None:
    """The life of a worker process. Ctrl-C is the parent's affair, which ends its workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    default_generator.manual_seed(info.seed)
    random.seed(info.seed)
    np.random.seed(_words(base_seed, info.id))  # noqa: NPY002 - what transforms draw from
    where = f"in DataLoader worker process {info.id}"

    def receive() -> Any:
        try:
            while not pipe.poll(_LOOK):
                if os.getppid() != parent:
                    return STOP
            return pipe.recv()
        except (EOFError, OSError):
            return STOP

    def send(result: Result) -> None:
        try:
            pipe.send(result)
        except OSError:  # nobody listens any more; STOP comes next
            return
        except Exception as error:  # the batch cannot be pickled
            pipe.send(result._replace(value=Failure(error, where)))

    run_worker(plan, info, where, receive, send)


def _words(base_seed: int, worker: int) -> Any:
    """Four words to seed NumPy's generator with, from the seed of the pass and the number of the worker."""
    entropy = [worker, base_seed & 0xFFFFFFFF, base_seed >> 32, 0]
    return np.random.SeedSequence(entropy).generate_state(4)


__all__ = ["ProcessCrew", "ThreadCrew", "multiprocessing"]
