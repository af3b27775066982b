"""DataLoader without PyTorch: structures, workers, exceptions, endings."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import subprocess
import sys
import threading
import time
import traceback
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import convgrad
from convgrad.tensor.tensor import Tensor
from convgrad.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    IterableDataset,
    Subset,
    TensorDataset,
    default_collate,
    get_worker_info,
    random_split,
)

Point = namedtuple("Point", "x y")


class Squares(Dataset[int]):
    def __init__(self, n: int, bad: int = -1) -> None:
        self.n, self.bad = n, bad

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, index: int) -> int:
        if index == self.bad:
            raise KeyError(f"example {index} is broken")
        return index * index


class Shared(IterableDataset[int]):
    """Each worker gives its share."""

    def __init__(self, n: int) -> None:
        self.n = n

    def __iter__(self) -> Iterator[int]:
        info = get_worker_info()
        return iter(range(self.n)) if info is None else iter(range(info.id, self.n, info.num_workers))


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 30), st.integers(1, 7), st.booleans(), st.booleans(), st.sampled_from([0, 1, 3]))
def test_every_example_once(n: int, size: int, shuffle: bool, drop_last: bool, workers: int) -> None:
    loader = DataLoader(Squares(n), size, shuffle, drop_last=drop_last, num_workers=workers)
    batches = [b.tolist() for b in loader]
    assert len(batches) == len(loader)
    seen = [v for b in batches for v in b]
    assert len(seen) == (n // size * size if drop_last else n)
    assert len(set(seen)) == len(seen)
    if not shuffle:
        assert seen == [i * i for i in range(len(seen))]


@pytest.mark.parametrize("workers", [0, 1, 3])
@pytest.mark.parametrize("size", [None, 1, 4])
def test_iterable_datasets(workers: int, size: int | None) -> None:
    values = [v if size is None else v.tolist() for v in DataLoader(Shared(11), size, num_workers=workers)]
    flat = values if size is None else [v for b in values for v in b]
    assert sorted(flat) == list(range(11))


@pytest.mark.parametrize("workers", [0, 2])
def test_an_exception_arrives_with_its_traceback(workers: int) -> None:
    got: list[Any] = []
    loader = DataLoader(Squares(10, bad=5), 2, num_workers=workers)
    with pytest.raises(KeyError, match="example 5 is broken") as caught:
        got.extend(batch.tolist() for batch in loader)
    assert got == [[0, 1], [4, 9]]
    assert "__getitem__" in "".join(traceback.format_exception(caught.value))
    if workers:
        assert str(caught.value).startswith(
            "Caught KeyError in DataLoader worker thread 0.\nOriginal Traceback"
        )


def alive() -> int:
    """Worker threads and processes that live now."""
    threads = sum(t.name.startswith("DataLoader") for t in threading.enumerate())
    return threads + len(multiprocessing.active_children())


def assert_all_end(before: int) -> None:
    deadline = time.monotonic() + 5
    while alive() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert alive() <= before


#: forked processes inherit what is defined here; a start method that pickles has a test of its own
WORKERS: dict[str, dict[str, Any]] = {
    "thread": {"worker_type": "thread"}, "process": {"worker_type": "process", "multiprocessing_context": "fork"},
}  # fmt: skip
KINDS = list(WORKERS) if "fork" in multiprocessing.get_all_start_methods() else ["thread"]
needs_fork = pytest.mark.skipif("process" not in KINDS, reason="no processes can be forked here")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("persistent", [False, True])
def test_workers_end_with_the_iterator(kind: str, persistent: bool) -> None:
    """Half way, at the end, after an exception."""
    before = alive()
    loader = DataLoader(Squares(100), 1, num_workers=2, **WORKERS[kind], persistent_workers=persistent)
    batches = iter(loader)
    next(batches)
    assert alive() >= 2
    del batches, loader
    assert_all_end(before)
    loader = DataLoader(Squares(6), 1, num_workers=2, **WORKERS[kind], persistent_workers=persistent)
    assert len(list(loader)) == 6
    del loader
    assert_all_end(before)
    with pytest.raises(KeyError):
        list(DataLoader(Squares(6, bad=1), num_workers=2, **WORKERS[kind], persistent_workers=persistent))
    assert_all_end(before)


@pytest.mark.parametrize("kind", KINDS)
def test_workers_that_persist(kind: str) -> None:
    """One start for all passes; a pass that was left half way leaves nothing behind in the next."""
    starts: list[int] = []
    loader = DataLoader(
        Squares(9), 2, num_workers=2, **WORKERS[kind], persistent_workers=True,
        worker_init_fn=starts.append if kind == "thread" else None,
    )  # fmt: skip
    whole = [b.tolist() for b in loader]
    first = iter(loader)
    next(first)
    assert iter(loader) is first
    for _ in range(3):
        assert [b.tolist() for b in loader] == whole == [[0, 1], [4, 9], [16, 25], [36, 49], [64]]
    assert sorted(starts) == ([0, 1] if kind == "thread" else [])


class Uneven(Dataset[int]):
    """Even examples take their time."""

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> int:
        time.sleep(0.05 if index % 2 == 0 else 0.0)
        return index


@pytest.mark.parametrize("kind", KINDS)
def test_out_of_order(kind: str) -> None:
    """Batches come as they are ready, each once; the slow worker gets no more than it has time for."""
    loader = DataLoader(Uneven(), None, num_workers=2, **WORKERS[kind], in_order=False)
    found = list(loader)
    assert sorted(found) == list(range(8))
    assert found != sorted(found)
    assert list(DataLoader(Uneven(), None, num_workers=2, **WORKERS[kind])) == list(range(8))


class Told(Dataset[Any]):
    """Says which process and thread made an example."""

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> Any:
        info = get_worker_info()
        assert info is not None
        return (
            os.getpid(),
            threading.current_thread().name,
            info.id,
            repr(info).partition(", dataset")[0],
            info.worker_method,
        )


def test_where_workers_run() -> None:
    for kind in KINDS:
        found = list(DataLoader(Told(), None, num_workers=2, **WORKERS[kind], collate_fn=lambda x: x))
        assert [(f[0] == os.getpid()) for f in found] == [kind == "thread"] * 4
        assert [f[2] for f in found] == [0, 1, 0, 1]
        assert found[1][3].startswith("WorkerInfo(id=1, num_workers=2, seed=")
        assert found[0][4] == {"thread": "thread", "process": "multiprocessing"}[kind]
    assert get_worker_info() is None


def unpicklable(batch: Any) -> Any:
    return lambda: batch


class Dies(Squares):
    def __getitem__(self, index: int) -> int:
        os._exit(3)


@needs_fork
def test_what_goes_wrong_in_processes() -> None:
    before = alive()
    with pytest.raises(
        (AttributeError, RuntimeError, pickle.PicklingError), match="DataLoader worker process 0"
    ):
        list(DataLoader(Squares(4), num_workers=1, **WORKERS["process"], collate_fn=unpicklable))
    with pytest.raises(RuntimeError, match=r"DataLoader worker \(pid\(s\) \d+\) exited unexpectedly"):
        list(DataLoader(Dies(4), num_workers=2, **WORKERS["process"]))
    with pytest.raises(RuntimeError, match="timed out after"):
        list(DataLoader(Uneven(), num_workers=1, **WORKERS["process"], timeout=0.01))
    assert_all_end(before)
    with pytest.warns(UserWarning, match="will create 999 worker processes in total"):
        DataLoader(Squares(4), num_workers=999, worker_type="process")
    with pytest.raises(ValueError, match="worker_type option should be 'thread' or 'process'"):
        DataLoader(Squares(4), num_workers=1, worker_type="fibre")


class Pairs(Dataset[Any]):
    def __len__(self) -> int:
        return 5

    def __getitem__(self, index: int) -> Any:
        return {"x": Tensor(np.full((2, 3), index, np.float32), None), "p": Point(index, str(index))}


@needs_fork
def test_tensors_cross_between_processes() -> None:
    plain, crossed = (
        list(DataLoader(Pairs(), 2, num_workers=n, **(WORKERS["process"] if n else {}))) for n in (0, 2)
    )
    for a, b in zip(plain, crossed, strict=True):
        assert a["x"].tolist() == b["x"].tolist()
        assert a["x"].dtype is b["x"].dtype
        assert (a["p"].x.tolist(), a["p"].y) == (b["p"].x.tolist(), b["p"].y)


INTERRUPTED = """
import os, signal, sys, threading, time
from convgrad.utils.data import DataLoader
class Slow:
    def __len__(self): return 4
    def __getitem__(self, i):
        time.sleep(60)
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # what started this may ignore it
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
    start = time.monotonic()
    try:
        list(DataLoader(Slow(), num_workers=2, worker_type=sys.argv[1]))
    except KeyboardInterrupt:
        print("interrupted", time.monotonic() - start < 10)
"""


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
@pytest.mark.parametrize("kind", KINDS)
def test_ctrl_c(kind: str, tmp_path: Path) -> None:
    """It ends the wait for a worker, and the program does not wait for workers at its end."""
    script = tmp_path / "program.py"
    script.write_text(INTERRUPTED)
    done = subprocess.run(
        [sys.executable, script, kind],
        capture_output=True,
        text=True,
        timeout=30,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.stdout.strip() == "interrupted True", done.stderr
    assert done.returncode == 0


ENDING = """
import convgrad
from convgrad.utils.data import DataLoader
class Data:
    def __len__(self): return 8
    def __getitem__(self, i): return convgrad.rand(1)
closed = list(DataLoader(Data(), 2, num_workers=2))
kept = DataLoader(Data(), 2, num_workers=2, persistent_workers=True)
print(len(closed), len(list(kept)))
begun = iter(DataLoader(Data(), 2, num_workers=2))
next(begun)
"""


def test_threads_leave_nothing_behind_at_the_end_of_the_program(tmp_path: Path) -> None:
    """Those of a closed crew, of persistent workers, and of a pass that was not gone through."""
    script = tmp_path / "program.py"
    script.write_text(ENDING)
    done = subprocess.run(
        [sys.executable, script],
        capture_output=True,
        text=True,
        timeout=30,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert (done.stdout.strip(), done.stderr) == ("4 4", "")


SPAWNED = """
from convgrad.utils.data import DataLoader
class Data:
    def __len__(self): return 4
    def __getitem__(self, i): return i * i
def collate(batch): return sum(batch)
if __name__ == "__main__":
    loader = DataLoader(Data(), 2, num_workers=1, worker_type="process", multiprocessing_context="spawn", collate_fn=collate)
    print(list(loader))
"""


def test_processes_that_are_not_forked(tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text(SPAWNED)
    done = subprocess.run(
        [sys.executable, script],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.stdout.strip() == "[1, 13]", done.stderr


class Recorded(Dataset[bool]):
    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> bool:
        return convgrad.is_grad_enabled()


def test_workers_record_as_the_main_thread_does() -> None:
    for kind in KINDS:
        for mode in (True, False):
            with convgrad.set_grad_enabled(mode):
                assert list(DataLoader(Recorded(), None, num_workers=1, **WORKERS[kind])) == [mode, mode]


def test_a_dataset_that_cannot_be_copied_is_shared() -> None:
    class Stubborn(Squares):
        def __reduce_ex__(self, protocol: Any) -> Any:
            raise TypeError("no copies")

    data = Stubborn(3)
    assert [b.tolist() for b in DataLoader(data, num_workers=2)] == [[0], [1], [4]]
    assert [b.tolist() for b in DataLoader([5, 6], num_workers=2)] == [[5], [6]]


class Random(Dataset[float]):
    def __len__(self) -> int:
        return 40

    def __getitem__(self, index: int) -> float:
        return convgrad.rand(1).item()


def test_threads_do_not_disturb_the_main_streams_numbers() -> None:
    """What workers draw depends on the seed alone, and the main thread's numbers do not depend on the workers."""
    found = []
    for _ in range(2):
        convgrad.manual_seed(7)
        values = [v for batch in DataLoader(Random(), 3, num_workers=3) for v in batch.tolist()]
        found.append((values, convgrad.rand(1).item()))
    assert found[0] == found[1]
    assert len(set(found[0][0])) == 40


def test_init_functions_and_timeouts() -> None:
    seen: list[int] = []
    list(DataLoader(Squares(40), num_workers=2, worker_init_fn=seen.append))
    assert set(seen) <= {0, 1}
    assert seen
    with pytest.raises(RuntimeError, match="timed out after"):
        list(DataLoader(Squares(4), num_workers=1, timeout=0.05, collate_fn=lambda b: time.sleep(0.3)))


def test_collation_of_structures() -> None:
    batch = default_collate([{"p": Point(1, 2.0), "s": "a", "t": (np.ones(2, np.float32), True)}] * 2)
    assert type(batch["p"]) is Point
    assert batch["p"].x.tolist() == [1, 1]
    assert batch["p"].y._data.dtype == np.float64
    assert batch["s"] == ["a", "a"]
    assert batch["t"][0].shape == (2, 2)
    assert batch["t"][1]._data.dtype == bool
    with pytest.raises(RuntimeError, match="stack expects each tensor to be equal size"):
        default_collate([Tensor([1.0]), Tensor([1.0, 2.0])])
    with pytest.raises(TypeError, match="batch must contain tensors, numpy arrays, numbers, dicts or lists"):
        default_collate([object()])
    with pytest.raises(RuntimeError, match="each element in list of batch should be of equal size"):
        default_collate([[1], [1, 2]])


def test_whole_batches_equal_single_examples() -> None:
    data = TensorDataset(Tensor(np.arange(20.0).reshape(10, 2), None), Tensor(np.arange(10), None))
    quick = list(DataLoader(Subset(data, [9, 3, 5, 1]), 3))
    slow = list(DataLoader(Subset(data, [9, 3, 5, 1]), 3, collate_fn=lambda b: default_collate(b)))
    for a, b in zip(quick, slow, strict=True):
        assert [t.tolist() for t in a] == [t.tolist() for t in b]
    assert quick[0][1].tolist() == [9, 3, 5]


def test_datasets() -> None:
    joined = Squares(3) + Squares(2)
    assert [joined[i] for i in range(len(joined))] == [0, 1, 4, 0, 1]
    parts = random_split(Squares(10), [0.7, 0.3])
    assert sorted(p[i] for p in parts for i in range(len(p))) == [i * i for i in range(10)]
    assert list(BatchSampler(range(5), 2, True)) == [[0, 1], [2, 3]]
    with pytest.raises(ValueError, match="Sum of input lengths does not equal"):
        random_split(Squares(4), [1, 2])
    with pytest.raises(AssertionError, match="Size mismatch between tensors"):
        TensorDataset(Tensor([1.0]), Tensor([1.0, 2.0]))


def test_a_progress_bar_changes_nothing() -> None:
    assert [b.tolist() for b in DataLoader(Squares(4), 2, progress="squares")] == [[0, 1], [4, 9]]
