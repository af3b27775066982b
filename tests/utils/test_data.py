"""DataLoader without PyTorch: structures, workers, exceptions, endings."""

from __future__ import annotations

import threading
import time
import traceback
from collections import namedtuple
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
        assert str(caught.value).startswith("Caught KeyError in DataLoader worker thread 0.\nOriginal Traceback")


def test_workers_end_with_the_iterator() -> None:
    def alive() -> int:
        return sum(t.name.startswith("DataLoader worker") for t in threading.enumerate())

    before = alive()
    batches = iter(DataLoader(Squares(100), 1, num_workers=2))
    next(batches)
    del batches
    deadline = time.monotonic() + 5
    while alive() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert alive() <= before


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
