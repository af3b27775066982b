"""``torch.multiprocessing``: Python's ``multiprocessing``; tensors are copied from process to process.

All names of Python's module are here, and PyTorch's ``spawn`` and sharing strategies.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from typing import Any

from .errors import ConvgradError

_strategy = "file_descriptor"


class ProcessRaisedException(ConvgradError):
    """One of the processes that ``spawn`` started ended with an error."""


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    return getattr(multiprocessing, name)


def get_all_sharing_strategies() -> set[str]:
    """The ways PyTorch shares memory; here each copies."""
    return {"file_descriptor", "file_system"}


def get_sharing_strategy() -> str:
    """What ``set_sharing_strategy`` was last given."""
    return _strategy


def set_sharing_strategy(new_strategy: str) -> None:
    """Accept one of ``get_all_sharing_strategies``; it changes nothing."""
    global _strategy
    if new_strategy not in get_all_sharing_strategies():
        raise AssertionError(f"set_sharing_strategy: unknown strategy {new_strategy!r}")
    _strategy = new_strategy


class SpawnContext:
    """The processes that ``spawn(join=False)`` started."""

    def __init__(self, processes: list[Any]) -> None:
        self.processes = processes

    def pids(self) -> list[int]:
        """Their numbers."""
        return [process.pid for process in self.processes]

    def join(self, timeout: float | None = None) -> bool:
        """Wait for all of them.

        Returns:
            Whether all have ended within ``timeout`` seconds.
        Raises:
            ProcessRaisedException: one ended with an error; the others are stopped.
        """
        for place, process in enumerate(self.processes):
            process.join(timeout)
            if process.exitcode:
                for other in self.processes:
                    other.terminate()
                raise ProcessRaisedException(f"process {place} terminated with exit code {process.exitcode}")
        return all(process.exitcode is not None for process in self.processes)


def spawn(
    fn: Callable[..., Any],
    args: tuple[Any, ...] = (),
    nprocs: int = 1,
    join: bool = True,
    daemon: bool = False,
    start_method: str = "spawn",
) -> SpawnContext | None:
    """Run ``fn(i, *args)`` in ``nprocs`` new processes, ``i`` from 0 on.

    Args:
        fn: at the top of a module, so that a new process finds it.
        args: further arguments, which are copied.
        join: wait for them; otherwise their ``SpawnContext`` is given back.
        daemon: whether they end with this process.
        start_method: "spawn", "fork" or "forkserver".
    Raises:
        ProcessRaisedException: one ended with an error.
    """
    context: Any = multiprocessing.get_context(start_method)
    processes = [context.Process(target=fn, args=(i, *args), daemon=daemon) for i in range(nprocs)]
    for process in processes:
        process.start()
    found = SpawnContext(processes)
    if not join:
        return found
    found.join()
    return None
