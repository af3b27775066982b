"""Datasets: anything with ``__getitem__`` and ``__len__``, or anything that can be iterated over."""

from __future__ import annotations

import bisect
import itertools
import math
import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

import numpy as np

from ...dtypes import Array
from ...generator import Generator, default_generator
from ...tensor.tensor import Tensor

T = TypeVar("T", covariant=True)


class Dataset(Generic[T]):
    """Examples by number: derive and write ``__getitem__`` and ``__len__``.

    ``__getitems__(indices)``, if defined, gives the examples of a whole batch at once.
    """

    def __getitem__(self, index: Any) -> T:
        raise NotImplementedError("Subclasses of Dataset should implement __getitem__.")

    def __add__(self, other: Dataset[Any]) -> ConcatDataset:
        return ConcatDataset([self, other])


class IterableDataset(Dataset[T]):
    """Examples one after another: derive and write ``__iter__``, e.g. for streams.

    With worker threads every worker iterates; use ``get_worker_info()`` to share the work.
    """

    def __iter__(self) -> Iterator[T]:
        raise NotImplementedError("Subclasses of IterableDataset should implement __iter__.")


class TensorDataset(Dataset[tuple[Any, ...]]):
    """Example i is the tuple of the i-th rows of all tensors; DataLoader cuts whole batches at once.

    Args:
        tensors: equally long along the first dimension.
    Raises:
        AssertionError: they are not.
    Example:
        >>> TensorDataset(Tensor([[1.0], [2.0]]), Tensor([3.0, 4.0]))[1][0].tolist()
        [2.0]
    """

    def __init__(self, *tensors: Any) -> None:
        sizes = [t._data.shape[0] for t in tensors]
        if len(set(sizes)) > 1:
            raise AssertionError(f"Size mismatch between tensors: their first dimensions are {sizes}")
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple[Any, ...]:
        return tuple([t[index] for t in self.tensors])

    def __len__(self) -> int:
        return self.tensors[0]._data.shape[0]

    def batch(self, indices: Any) -> list[Any] | None:
        """The rows of a whole batch from each tensor; None if gradients must be followed."""
        if any([t._node is not None for t in self.tensors]):
            return None
        rows = np.asarray(indices, np.int64)
        return [Tensor(t._data[rows], None) for t in self.tensors]


class ConcatDataset(Dataset[Any]):
    """Several datasets one after another."""

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise AssertionError("datasets should not be an empty iterable")
        if any([isinstance(d, IterableDataset) for d in self.datasets]):
            raise AssertionError("ConcatDataset does not support IterableDataset")
        self.cumulative_sizes = list(itertools.accumulate([len(d) for d in self.datasets]))

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]

    def __getitem__(self, index: int) -> Any:
        if index < 0:
            if -index > len(self):
                raise ValueError("absolute value of index should not exceed dataset length")
            index += len(self)
        which = bisect.bisect_right(self.cumulative_sizes, index)
        start = self.cumulative_sizes[which - 1] if which else 0
        return self.datasets[which][index - start]


class ChainDataset(IterableDataset[Any]):
    """Several iterable datasets one after another."""

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = list(datasets)

    def __iter__(self) -> Iterator[Any]:
        return itertools.chain.from_iterable(self.datasets)


class Subset(Dataset[Any]):
    """The examples of a dataset at given numbers."""

    def __init__(self, dataset: Any, indices: Sequence[int]) -> None:
        self.dataset = dataset
        self.indices = indices

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, list):
            return self.dataset[[self.indices[i] for i in index]]
        return self.dataset[self.indices[index]]

    def __len__(self) -> int:
        return len(self.indices)

    def __getitems__(self, indices: list[int]) -> list[Any]:
        if callable(getattr(self.dataset, "__getitems__", None)):
            return self.dataset.__getitems__([self.indices[i] for i in indices])
        return [self.dataset[self.indices[i]] for i in indices]

    def batch(self, indices: Any) -> list[Any] | None:
        """The batch of a TensorDataset below, taken at once; None if that is not possible."""
        inner = getattr(self.dataset, "batch", None)
        if inner is None or type(self.dataset) not in (TensorDataset, Subset):
            return None
        chosen: Array = np.asarray(self.indices, np.int64)
        return inner(chosen[np.asarray(indices, np.int64)])


def random_split(dataset: Any, lengths: Sequence[float], generator: Generator | None = None) -> list[Subset]:
    """Cut a dataset at random into parts that do not overlap.

    Args:
        dataset: anything with a length.
        lengths: numbers of examples, or fractions that sum to 1.
        generator: of random numbers.
    Raises:
        ValueError: lengths that do not sum to the dataset's, fractions outside [0, 1].
    """
    if math.isclose(sum(lengths), 1) and sum(lengths) <= 1:
        sizes = []
        for i, fraction in enumerate(lengths):
            if fraction < 0 or fraction > 1:
                raise ValueError(f"Fraction at index {i} is not between 0 and 1")
            sizes.append(math.floor(len(dataset) * fraction))
        for i in range(len(dataset) - sum(sizes)):
            sizes[i % len(sizes)] += 1
        for i, size in enumerate(sizes):
            if size == 0:
                warnings.warn(
                    f"Length of split at index {i} is 0. This might result in an empty dataset.", stacklevel=2
                )
    else:
        sizes = [int(n) for n in lengths]
    if sum(sizes) != len(dataset):
        raise ValueError(
            "Sum of input lengths does not equal the length of the input dataset! "
            f"({' + '.join(map(str, lengths))} against {len(dataset)})"
        )
    order = (default_generator if generator is None else generator).randperm(len(dataset)).tolist()
    ends = list(itertools.accumulate(sizes))
    return [Subset(dataset, order[end - size : end]) for end, size in zip(ends, sizes, strict=True)]
