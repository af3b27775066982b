"""``utils.data`` against PyTorch 2.13: orders number by number, workers, structures, datasets, samplers, errors."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import itertools
import random
import re
import warnings
from collections import OrderedDict, UserDict, defaultdict, deque, namedtuple
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils import data as theirs

import convgrad
from convgrad.generator import Generator, default_generator
from convgrad.tensor.tensor import Tensor
from convgrad.utils import data as ours


def seed(value: int) -> None:
    torch.manual_seed(value)
    default_generator.manual_seed(value)


def pair(n: int) -> tuple[Any, Any]:
    x, y = np.arange(n * 2, dtype=np.float32).reshape(n, 2), np.arange(n)
    mine = ours.TensorDataset(Tensor(x, None), Tensor(y, None))
    return mine, theirs.TensorDataset(torch.from_numpy(x), torch.from_numpy(y))


@pytest.mark.parametrize("n", [1, 7, 10, 64])
@pytest.mark.parametrize("size", [1, 3, 8])
@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("workers", [0, 2])
def test_shuffled_batches_and_the_stream_after_them(n: int, size: int, drop_last: bool, workers: int) -> None:
    mine, reference = pair(n)
    seed(n * size)
    a = ours.DataLoader(mine, size, shuffle=True, drop_last=drop_last, num_workers=workers)
    b = theirs.DataLoader(reference, size, shuffle=True, drop_last=drop_last)
    for _ in range(2):
        left, right = list(a), list(b)
        assert len(left) == len(right) == len(a) == len(b)
        for p, q in zip(left, right, strict=True):
            assert type(p) is type(q) is list
            for u, v in zip(p, q, strict=True):
                np.testing.assert_array_equal(u._data, v.numpy())
    assert default_generator.uniform(1)[0] == torch.rand(1).item()


def test_with_a_generator() -> None:
    mine, reference = pair(11)
    g, h = Generator().manual_seed(5), torch.Generator().manual_seed(5)
    left = [b[1].tolist() for b in ours.DataLoader(mine, 4, shuffle=True, generator=g)]
    right = [b[1].tolist() for b in theirs.DataLoader(reference, 4, shuffle=True, generator=h)]
    assert left == right
    assert g.uniform(1)[0] == torch.rand(1, generator=h).item()


@pytest.mark.parametrize("lengths", [[7, 3], [0.5, 0.3, 0.2], [0.33, 0.67], [10]])
def test_random_split(lengths: list[float]) -> None:
    mine, reference = pair(10)
    seed(1)
    assert [s.indices for s in ours.random_split(mine, lengths)] == [
        s.indices for s in theirs.random_split(reference, lengths)
    ]


@pytest.mark.parametrize("name", ["RandomSampler", "SubsetRandomSampler", "WeightedRandomSampler"])
@pytest.mark.parametrize("start", range(5))
def test_samplers(name: str, start: int) -> None:
    calls: dict[str, list[tuple[Any, ...]]] = {
        "RandomSampler": [(range(9),), (range(9), True, 70), (range(5), False, 13), (range(5), True, 64)],
        "SubsetRandomSampler": [([5, 6, 7, 9],)],
        "WeightedRandomSampler": [([0.1, 0.2, 0.7], 20), ([1.0, 5.0, 2.0, 0.5], 3, False), ([3, 1, 0], 1)],
    }
    for args in calls[name]:
        seed(start)
        assert list(getattr(ours, name)(*args)) == list(getattr(theirs, name)(*args))


# ---------------------------------------------------------------------- workers


class Drawn:
    """Examples with random numbers of the worker that makes them."""

    def __init__(self, library: Any, data: Any, n: int = 7) -> None:
        self.library, self.data, self.n = library, data, n

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, index: int) -> Any:
        info = self.data.get_worker_info()
        drawn = round(self.library.rand(1).item(), 6), int(self.library.randint(0, 1000, (1,)).item())
        return index, drawn, info.id, info.num_workers, info.seed, self.library.initial_seed() == info.seed


def keep(batch: Any) -> Any:
    return batch


@pytest.mark.parametrize("kind", ["thread", "process"])
@pytest.mark.parametrize("persistent", [False, True])
def test_random_numbers_of_workers(kind: str, persistent: bool) -> None:
    """Order, worker of each batch, seeds and numbers drawn there are those of PyTorch's worker processes."""
    seed(3)
    options = {
        "batch_size": 2,
        "shuffle": True,
        "num_workers": 2,
        "collate_fn": keep,
        "persistent_workers": persistent,
        "multiprocessing_context": "fork",
    }
    a = ours.DataLoader(Drawn(convgrad, ours), worker_type=kind, **options)
    b = theirs.DataLoader(Drawn(torch, theirs), **options)
    for _ in range(2):
        assert list(a) == list(b)
    assert convgrad.rand(1).item() == torch.rand(1).item()
    assert (iter(a) is iter(a)) == persistent
    del a, b


def numpy_and_python(index: int) -> Any:
    return np.random.rand(), random.random()  # noqa: NPY002


class Computed:
    """Example i is ``function(i)``."""

    def __init__(self, function: Any, n: int) -> None:
        self.function, self.n = function, n

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, index: int) -> Any:
        return self.function(index)


def test_numpys_and_pythons_random_numbers_in_processes() -> None:
    seed(4)
    options = {"batch_size": None, "num_workers": 2, "collate_fn": keep, "multiprocessing_context": "fork"}
    a = list(ours.DataLoader(Computed(numpy_and_python, 4), **options))
    assert a == list(theirs.DataLoader(Computed(numpy_and_python, 4), **options))
    assert len(set(a)) == 4


def streams(library: Any) -> type:
    class Stream(library.IterableDataset):  # type: ignore[misc]
        def __init__(self, n: int, share: bool = True, length: int | None = None) -> None:
            self.n, self.share, self.length = n, share, length

        def __iter__(self) -> Any:
            info = library.get_worker_info()
            start, step = (0, 1) if info is None or not self.share else (info.id, info.num_workers)
            return iter(range(start, self.n, step))

        def __len__(self) -> int:
            if self.length is None:
                raise TypeError("object of type 'Stream' has no len()")
            return self.length

    return Stream


@pytest.mark.parametrize("workers", [0, 1, 2])
@pytest.mark.parametrize(("size", "drop_last"), [(None, False), (1, False), (3, False), (3, True)])
def test_streams(workers: int, size: int | None, drop_last: bool) -> None:
    """Workers end at different times, with and without sharing; the order is PyTorch's."""
    for n, share in ((0, True), (1, True), (7, True), (5, False)):
        found = [
            [
                np.asarray(batch).tolist()
                for batch in library.DataLoader(
                    streams(library)(n, share), size, drop_last=drop_last, num_workers=workers
                )
            ]
            for library in (ours, theirs)
        ]
        assert found[0] == found[1]


@pytest.mark.parametrize("kind", ["thread", "process"])
def test_shares_that_are_set_on_the_workers_dataset(kind: str) -> None:
    """The documented way to divide a stream: ``worker_init_fn`` changes the worker's own copy of the dataset."""
    told = []
    for library, more in ((ours, {"worker_type": kind}), (theirs, {})):

        class Range(library.IterableDataset):  # type: ignore[misc]
            def __init__(self, start: int, end: int) -> None:
                self.start, self.end, self.at = start, end, 0

            def __iter__(self) -> Any:
                self.at = self.start
                return self

            def __next__(self) -> int:
                self.at += 1
                if self.at > self.end:
                    raise StopIteration
                return self.at

        def divide(worker: int, library: Any = library) -> None:
            info = library.get_worker_info()
            size = (info.dataset.end - info.dataset.start) // info.num_workers
            info.dataset.start += worker * size
            info.dataset.end = info.dataset.start + size

        data = Range(3, 9)
        loader = library.DataLoader(
            data, 2, num_workers=2, worker_init_fn=divide, multiprocessing_context="fork", **more
        )
        told.append([[b.tolist() for b in loader] for _ in range(2)])
        assert (data.start, data.end, data.at) == (3, 9, 0)
    assert told[0] == told[1]
    assert told[0][0] == [[4, 5], [7, 8], [6], [9]]


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("size", [None, 1, 2])
def test_the_length_of_a_stream(workers: int, size: int | None) -> None:
    """It is believed, and doubted with a warning once there are more examples."""
    told = []
    for library in (ours, theirs):
        loader = library.DataLoader(streams(library)(6, length=4), size, num_workers=workers)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            told.append(
                (
                    len(loader),
                    len(list(loader)),
                    [re.sub(r"IterableDataset <.* was", "", str(w.message))[:100] for w in caught],
                )
            )
    assert told[0] == told[1]


class Broken(Exception):
    def __init__(self, a: int, b: int) -> None:
        super().__init__(a, b)


def key_error(index: int) -> int:
    if index == 2:
        raise KeyError("no such key")
    return index


def value_error(index: int) -> int:
    if index == 2:
        raise ValueError("no such value")
    return index


def own_error(index: int) -> int:
    if index == 2:
        raise Broken(1, 2)
    return index


@pytest.mark.parametrize("kind", ["thread", "process"])
@pytest.mark.parametrize("function", [key_error, value_error, own_error])
@pytest.mark.parametrize("workers", [0, 1])
def test_exceptions_and_what_comes_after_them(kind: str, function: Any, workers: int) -> None:
    """Type and head of the message, its traceback, and the batches before and after."""
    told: list[Any] = []
    for library, more in ((ours, {"worker_type": kind}), (theirs, {})):
        more = {**more, "multiprocessing_context": "fork" if workers else None}
        batches = iter(library.DataLoader(Computed(function, 6), 2, num_workers=workers, **more))
        found: list[Any] = [next(batches).tolist()]
        try:
            next(batches)
        except Exception as error:
            head = str(error).partition("\n")[0].replace("thread", "process")
            found += [
                type(error),
                head,
                function.__name__ in str(error),
                "Original Traceback" in str(error),
                repr(error).startswith(type(error).__name__),
            ]
        told.append([*found, [b.tolist() for b in batches]])
    assert told[0] == told[1]


def refuse(worker: int) -> None:
    raise ValueError("not today")


@pytest.mark.parametrize("kind", ["thread", "process"])
def test_a_failing_init_function(kind: str) -> None:
    told = []
    for library, more in ((ours, {"worker_type": kind}), (theirs, {})):
        more = {**more, "multiprocessing_context": "fork"}
        batches = iter(library.DataLoader(Computed(abs, 2), num_workers=1, worker_init_fn=refuse, **more))
        with pytest.raises(ValueError) as caught:
            next(batches)
        for _ in range(3):  # to the end: PyTorch takes 5 s to close a pass that was left
            with contextlib.suppress(Exception):
                next(batches)
        told.append(str(caught.value).partition("\n")[0].replace("thread", "process"))
    assert told[0] == told[1]


# ---------------------------------------------------------------------- collation

Pair = namedtuple("Pair", "x y")


class MyList(list[Any]):
    pass


class MyDict(dict[Any, Any]):
    def __init__(self, items: Any) -> None:
        super().__init__(items)


class Fixed(tuple[Any, ...]):
    __slots__ = ()

    def __new__(cls, a: Any, b: Any) -> Fixed:
        return super().__new__(cls, (a, b))


STRUCTURES: dict[str, Callable[[Any], Any]] = {
    "tensors": lambda T: [T([1.0, 2.0]), T([3.0, 4.0])], "0-d": lambda T: [T(1.0), T(2.0)], "mixed dtypes": lambda T: [T([1]), T([1.5])],
    "ints": lambda T: [1, 2], "large ints": lambda T: [2**40, -1], "bools": lambda T: [True, False], "floats": lambda T: [1.5, 2],
    "ints and floats": lambda T: [1, 2.5], "float32": lambda T: [np.float32(1), np.float32(2)], "int16": lambda T: [np.int16(1), np.int16(2)],
    "bool_": lambda T: [np.bool_(True), np.bool_(False)], "float64": lambda T: [np.float64(1)], "arrays": lambda T: [np.ones((2, 1), np.float32)] * 2,
    "0-d arrays": lambda T: [np.array(1, np.int32)] * 2, "arrays of strings": lambda T: [np.array(["a"])], "numpy strings": lambda T: [np.str_("a")] * 2,
    "arrays of objects": lambda T: [np.array([None])], "strings": lambda T: ["a", "b"], "bytes": lambda T: [b"a", b"b"],
    "dicts": lambda T: [{"a": 1, "b": [1, 2]}] * 2, "ordered": lambda T: [OrderedDict(a=1)] * 2, "default": lambda T: [defaultdict(int, a=1)] * 2,
    "user": lambda T: [UserDict(a=1)] * 2, "own dicts": lambda T: [MyDict({"a": 1})] * 2, "named": lambda T: [Pair(1, T([1.0]))] * 2,
    "tuples": lambda T: [(1, "a")] * 2, "lists": lambda T: [[1, 2]] * 2, "own lists": lambda T: [MyList([1, 2])] * 2, "own tuples": lambda T: [Fixed(1, 2)] * 2,
    "deques": lambda T: [deque([1, 2])] * 2, "ranges": lambda T: [range(2)] * 2, "other lengths": lambda T: [[1], [1, 2]], "None": lambda T: [None],
    "other shapes": lambda T: [T([1.0]), T([1.0, 2.0])], "other arrays": lambda T: [np.ones(1), np.ones(2)], "nothing": lambda T: [], "empty lists": lambda T: [[], []],
    "complex": lambda T: [1j, 2j], "a missing key": lambda T: [{"a": 1}, {}], "a set": lambda T: {1, 2}, "objects": lambda T: [object()], "bytearrays": lambda T: [bytearray(b"a")] * 2,
    "nested": lambda T: [({"a": (1, Pair(2.0, "x"))}, [b"q"])] * 2, "a tuple": lambda T: (1, 2), "read-only": lambda T: [MappingProxyType({"a": 1})] * 2,
}  # fmt: skip


def shown(value: Any) -> Any:
    """A structure of either library's tensors as text with types."""
    if isinstance(value, torch.Tensor | Tensor):
        return f"T{value.tolist()}{value.dtype}"
    if hasattr(value, "keys"):
        return type(value).__name__, {k: shown(value[k]) for k in value}
    if isinstance(value, list | tuple | deque):
        return type(value).__name__, [shown(v) for v in value]
    return re.sub(" at 0x.*", "", repr(value))


@pytest.mark.parametrize("name", STRUCTURES)
@pytest.mark.parametrize("function", ["default_collate", "default_convert"])
def test_structures(name: str, function: str) -> None:
    told: list[Any] = []
    for library, T in ((ours, convgrad.tensor), (theirs, torch.tensor)):
        batch = STRUCTURES[name](T)
        try:
            told.append(shown(getattr(library, function)(batch)))
        except Exception as error:
            kind = next(c.__name__ for c in type(error).__mro__ if c.__module__ == "builtins")
            told.append((kind, str(error)[:50]))
    assert told[0] == told[1]


def test_a_type_of_ones_own_is_collated() -> None:
    told = []
    for library in ("convgrad", "torch"):
        module = importlib.import_module(f"{library}.utils.data._utils.collate")
        table = module.default_collate_fn_map
        table[complex] = lambda batch, *, collate_fn_map=None: ("complex", batch)
        try:
            told.append(module.default_collate([(1j, "a"), (2j, "b")]))
            told.append(module.collate([1j], collate_fn_map={complex: lambda batch, **_: 7}))
        finally:
            del table[complex]
    assert told[:2] == told[2:]


# ---------------------------------------------------------------------- datasets and samplers


class Doubled(Computed):
    def __getitems__(self, indices: list[int]) -> list[int]:
        return [200 + i for i in indices]


class Short(Computed):
    def __getitems__(self, indices: list[int]) -> list[int]:
        return [1]


def square(index: int) -> int:
    if index >= 5:
        raise IndexError(index)
    return index * index


def joined(library: Any, *datasets: Any) -> Any:
    return library.ConcatDataset(datasets)


Sq = Computed
USES: dict[str, Callable[[Any, Any], Any]] = {
    "sizes": lambda D, T: D.TensorDataset(T([1]), T([1, 2])), "0-d": lambda D, T: D.TensorDataset(T(1.0)), "cut": lambda D, T: shown(D.TensorDataset(T([1, 2, 3]))[1:]),
    "no tensors": lambda D, T: len(D.TensorDataset()), "stack nothing": lambda D, T: D.StackDataset(), "stack both": lambda D, T: D.StackDataset(Sq(square, 2), a=Sq(square, 2)),
    "stack sizes": lambda D, T: D.StackDataset(Sq(square, 2), Sq(square, 3)), "stack names": lambda D, T: D.StackDataset(a=Sq(square, 2), b=Sq(square, 3)),
    "stack": lambda D, T: (D.StackDataset(Sq(square, 3), Sq(abs, 3))[2], D.StackDataset(a=Sq(square, 3), b=Sq(abs, 3))[2], len(D.StackDataset(Sq(square, 3)))),
    "stack items": lambda D, T: (D.StackDataset(Doubled(square, 3), Sq(square, 3)).__getitems__([0, 2]), D.StackDataset(a=Doubled(square, 3)).__getitems__([0, 2])),
    "stack short": lambda D, T: D.StackDataset(Short(square, 3)).__getitems__([0, 2]), "stack short names": lambda D, T: D.StackDataset(a=Short(square, 3)).__getitems__([0, 2]),
    "stack stream": lambda D, T: D.StackDataset(streams(D)(3)), "concat nothing": lambda D, T: D.ConcatDataset([]), "concat stream": lambda D, T: D.ConcatDataset([streams(D)(3)]),
    "concat": lambda D, T: (d := joined(D, Sq(square, 3), Sq(abs, 2))) and ([d[i] for i in range(-5, 5)], d.cumulative_sizes, D.ConcatDataset.cumsum([Sq(abs, 1), Sq(abs, 2)])),
    "concat below": lambda D, T: joined(D, Sq(square, 3))[-4], "concat above": lambda D, T: joined(D, Sq(square, 3))[3], "old name": lambda D, T: joined(D, Sq(square, 3)).cummulative_sizes,
    "chain": lambda D, T: (list(streams(D)(2) + streams(D)(3)), type(streams(D)(2) + streams(D)(3)).__name__), "chain no length": lambda D, T: len(streams(D)(2) + streams(D)(3)),
    "chain length": lambda D, T: len(streams(D)(2, length=2) + streams(D)(3, length=3)), "chain of others": lambda D, T: list(D.ChainDataset([Sq(abs, 2)])),
    "length of others": lambda D, T: len(D.ChainDataset([Sq(abs, 2)])), "subset": lambda D, T: (D.Subset(Sq(square, 5), [1, 3])[1], D.Subset(Sq(square, 5), [1, 3]).__getitems__([0, 1])),
    "subset items": lambda D, T: D.Subset(Doubled(square, 5), [1, 3]).__getitems__([0, 1]), "subset above": lambda D, T: D.Subset(Sq(square, 5), [1])[3],
    "subset list": lambda D, T: shown(D.Subset(D.TensorDataset(T([5, 6, 7])), [2, 0])[[0, 1]]), "abstract": lambda D, T: D.Dataset()[0], "abstract length": lambda D, T: len(D.Dataset()),
    "abstract stream": lambda D, T: D.IterableDataset(), "split sum": lambda D, T: D.random_split(Sq(abs, 4), [1, 2]), "split parts": lambda D, T: D.random_split(Sq(abs, 4), [0.5, 0.6]),
    "split negative": lambda D, T: D.random_split(Sq(abs, 4), [1.5, -0.5]), "split empty": lambda D, T: [len(x) for x in D.random_split(Sq(abs, 2), [0.3, 0.3, 0.4])],
    "split none": lambda D, T: [len(x) for x in D.random_split(Sq(abs, 10), [10, 0])], "split thirds": lambda D, T: [len(x) for x in D.random_split(Sq(abs, 7), [1 / 3] * 3)],
    "random": lambda D, T: D.RandomSampler(Sq(abs, 3), "a"), "random 0": lambda D, T: D.RandomSampler(Sq(abs, 3), num_samples=0), "random 2.0": lambda D, T: D.RandomSampler(Sq(abs, 3), num_samples=2.0),
    "random empty": lambda D, T: D.RandomSampler([]), "random length": lambda D, T: len(D.RandomSampler(Sq(abs, 3), num_samples=7)), "weights": lambda D, T: D.WeightedRandomSampler([[1.0]], 1),
    "weights 0": lambda D, T: D.WeightedRandomSampler([1.0], 0), "weights a": lambda D, T: D.WeightedRandomSampler([1.0], 1, "a"), "weights True": lambda D, T: D.WeightedRandomSampler([1.0], True),
    "few weights": lambda D, T: list(D.WeightedRandomSampler([1.0, 1.0], 3, False)), "no weight": lambda D, T: list(D.WeightedRandomSampler([0.0, 0.0], 2)),
    "the weights": lambda D, T: shown(D.WeightedRandomSampler([1.0, 2.0], 3).weights), "batch True": lambda D, T: D.BatchSampler([1], True, False), "batch 1.5": lambda D, T: D.BatchSampler([1], 1.5, False),
    "batch drop": lambda D, T: D.BatchSampler([1], 1, 3), "batches": lambda D, T: (list(D.BatchSampler(iter([1, 2, 3]), 2, False)), len(D.BatchSampler([1, 2, 3], 2, True))),
    "batch length": lambda D, T: len(D.BatchSampler(iter([1]), 2, False)), "sampler": lambda D, T: D.Sampler([1]), "sampler length": lambda D, T: len(D.Sampler()),
    "shares": lambda D, T: D.DistributedSampler(Sq(abs, 5)), "rank": lambda D, T: D.DistributedSampler(Sq(abs, 5), 2, 2), "rank -1": lambda D, T: D.DistributedSampler(Sq(abs, 5), 2, -1),
    "singles": lambda D, T: shown(list(D.DataLoader([np.ones(2), [np.ones(1)], "a"], batch_size=None))), "a dict": lambda D, T: shown(list(D.DataLoader({0: 5, 1: 6}))),
    "attributes": lambda D, T: ((a := D.DataLoader(Sq(abs, 3), num_workers=2)), a.prefetch_factor, a.batch_size, a.drop_last, type(a.sampler).__name__, type(a.batch_sampler).__name__)[1:],
    "of batches": lambda D, T: ((a := D.DataLoader(Sq(abs, 3), batch_sampler=[[1, 2]])), a.batch_size, a.drop_last, len(a), shown(list(a)))[1:],
    "of singles": lambda D, T: ((a := D.DataLoader(Sq(abs, 3), batch_size=None)), a.batch_sampler, len(a), a.collate_fn.__name__)[1:], "a stream's length": lambda D, T: len(D.DataLoader(streams(D)(3))),
    "a sampler": lambda D, T: shown(list(D.DataLoader(Sq(square, 5), 2, sampler=[3, 1, 2]))), "after the end": lambda D, T: ((i := iter(D.DataLoader(Sq(abs, 1)))), next(i), next(i, 7), next(i, 8), len(i))[2:],
    "empty": lambda D, T: list(D.DataLoader([])), "empty, shuffled": lambda D, T: D.DataLoader([], shuffle=True), "two passes": lambda D, T: ((a := D.DataLoader(Sq(abs, 3))), iter(a) is iter(a))[1],
    **{f"set {name}": (lambda D, T, name=name: setattr(D.DataLoader(Sq(abs, 3)), name, 1)) for name in ("batch_size", "batch_sampler", "sampler", "drop_last", "dataset", "persistent_workers", "num_workers")},
    "context": lambda D, T: D.DataLoader(Sq(abs, 3), multiprocessing_context="spawn"), "bad context": lambda D, T: D.DataLoader(Sq(abs, 3), num_workers=1, multiprocessing_context="x"),
    "no context": lambda D, T: D.DataLoader(Sq(abs, 3), num_workers=1, multiprocessing_context=3), "a timeout": lambda D, T: type(D.DataLoader(Sq(abs, 3), timeout=1)).__name__,
    "stream shuffled": lambda D, T: D.DataLoader(streams(D)(3), shuffle=True), "stream not shuffled": lambda D, T: shown(list(D.DataLoader(streams(D)(3), shuffle=False))),
    "stream sampler": lambda D, T: D.DataLoader(streams(D)(3), sampler=[1]), "stream batches": lambda D, T: D.DataLoader(streams(D)(3), batch_sampler=[[1]]),
    "generic": lambda D, T: bool(D.DataLoader[int]) and bool(D.Sampler[int]) and bool(D.Dataset[int]),
}  # fmt: skip


@pytest.mark.parametrize("use", USES)
def test_uses(use: str) -> None:
    told: list[Any] = []
    for library, T in ((ours, convgrad.tensor), (theirs, torch.tensor)):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                result = USES[use](library, T)
            except Exception as error:
                kinds = [
                    c.__name__
                    for c in type(error).__mro__
                    if c.__module__ == "builtins" and c is not RuntimeError
                ]
                result = kinds[0] if kinds[0] != "Exception" else "RuntimeError", str(error)[:50]
        told.append((result, [str(w.message)[:60] for w in caught]))
    (got, warned), (expected, warned_there) = told
    if isinstance(expected, tuple) and isinstance(expected[1], str):  # an error: ours may say more
        assert got[0] == expected[0]
        assert got[1].startswith(expected[1].rstrip(".")) or got[1] == expected[1]
    else:
        assert got == expected
    assert warned == warned_there


@pytest.mark.parametrize("n", [0, 1, 2, 5, 12, 13])
@pytest.mark.parametrize("replicas", [1, 2, 3, 5, 14])
def test_distributed_sampler(n: int, replicas: int) -> None:
    for drop_last, shuffle, start in itertools.product((False, True), (False, True), (0, 7)):
        for rank in range(replicas):
            samplers = [
                D.DistributedSampler(range(n), replicas, rank, shuffle, start, drop_last)
                for D in (ours, theirs)
            ]
            for epoch in (0, 3):
                found = []
                for sampler in samplers:
                    sampler.set_epoch(epoch)
                    try:
                        found.append((list(sampler), len(sampler), sampler.total_size))
                    except (AssertionError, ZeroDivisionError):  # PyTorch's own check of an empty data set
                        found.append(None)
                assert found[1] is None or found[0] == found[1]


@pytest.mark.parametrize("start", range(20))
def test_order_for_many_seeds(start: int) -> None:
    mine, reference = pair(23)
    for size, drop_last in ((1, False), (4, True), (23, False)):
        seed(start)
        a = [
            b[1].tolist()
            for b in ours.DataLoader(mine, size, shuffle=True, drop_last=drop_last, num_workers=start % 3)
        ]
        b = [b[1].tolist() for b in theirs.DataLoader(reference, size, shuffle=True, drop_last=drop_last)]
        assert a == b
        weights = np.random.default_rng(start).random(9)
        assert list(ours.WeightedRandomSampler(weights, 9, False)) == list(
            theirs.WeightedRandomSampler(weights.tolist(), 9, False)
        )
        assert [list(s) for s in ours.random_split(range(10), [0.5, 0.25, 0.25])] == [
            list(s) for s in theirs.random_split(range(10), [0.5, 0.25, 0.25])
        ]
    assert default_generator.uniform(1)[0] == torch.rand(1).item()


class Eager:
    """A sampler that draws as soon as it is iterated over."""

    def __init__(self, library: Any) -> None:
        self.library = library

    def __iter__(self) -> Any:
        return iter(self.library.randperm(4).tolist())

    def __len__(self) -> int:
        return 4


@pytest.mark.parametrize("workers", [0, 1])
def test_the_seed_of_workers_is_drawn_before_the_order(workers: int) -> None:
    seed(3)
    a, b = (
        library.DataLoader(range(4), sampler=Eager(tensors), num_workers=workers)
        for library, tensors in ((ours, convgrad), (theirs, torch))
    )
    assert [x.tolist() for x in a] == [x.tolist() for x in b]


# ---------------------------------------------------------------------- names

#: public names that convgrad has not, and why
LEFT_OUT = dict.fromkeys(
    """DFIterDataPipe DataChunk IterDataPipe MapDataPipe _DatasetKind argument_validation functional_datapipe\n    guaranteed_datapipes_determinism non_deterministic runtime_validation runtime_validation_disabled""".split(),
    "data pipes: deprecated in PyTorch itself",
)


def test_the_public_names() -> None:
    assert set(theirs.__all__) - set(ours.__all__) == set(LEFT_OUT)
    for module in ("dataloader", "dataset", "sampler", "distributed", "_utils.collate", "_utils.worker"):
        a, b = (
            importlib.import_module(f"{library}.utils.data.{module}") for library in ("convgrad", "torch")
        )
        for name in getattr(b, "__all__", None) or [
            n
            for n, v in vars(b).items()
            if callable(v) and ("collate" in n or "convert" in n or n in ("WorkerInfo", "get_worker_info"))
        ]:
            assert hasattr(a, name), f"{module}.{name}"


@pytest.mark.parametrize("name", [n for n in theirs.__all__ if n not in LEFT_OUT])
def test_the_arguments(name: str) -> None:
    a, b = (getattr(D, name) for D in (ours, theirs))
    left, right = (inspect.signature(x.__init__ if isinstance(x, type) else x).parameters for x in (a, b))
    extra = {"worker_type", "progress"} if name == "DataLoader" else set()
    simple = [
        (p.name, None if p.name == "generator" else p.default) for p in left.values() if p.name not in extra
    ]
    if list(right) != ["self", "args", "kwargs"] or name == "StackDataset":
        assert simple == [(p.name, None if p.name == "generator" else p.default) for p in right.values()]
    assert a.__doc__


BAD: list[dict[str, Any]] = [
    {"shuffle": True, "sampler": [1]}, {"batch_sampler": [[1]], "batch_size": 2}, {"num_workers": -1},
    {"prefetch_factor": 2}, {"batch_size": 0}, {"persistent_workers": True}, {"timeout": -1},
    {"batch_size": None, "drop_last": True}, {"batch_size": 2.5}, {"drop_last": "a"}, {"num_workers": 1, "prefetch_factor": -1},
]  # fmt: skip


@pytest.mark.parametrize("options", BAD, ids=str)
def test_bad_options_fail_alike(options: dict[str, Any]) -> None:
    mine, reference = pair(4)
    with pytest.raises(Exception) as expected:
        theirs.DataLoader(reference, **options)
    with pytest.raises(type(expected.value)) as got:
        ours.DataLoader(mine, **options)
    assert str(expected.value)[:40] == str(got.value)[:40]
