"""The order of examples, splits and samplers, number by number, against PyTorch 2.13."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.utils import data as theirs

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


BAD: list[dict[str, Any]] = [
    {"shuffle": True, "sampler": [1]}, {"batch_sampler": [[1]], "batch_size": 2}, {"num_workers": -1},
    {"prefetch_factor": 2}, {"batch_size": 0}, {"persistent_workers": True}, {"timeout": -1},
    {"batch_size": None, "drop_last": True},
]  # fmt: skip


@pytest.mark.parametrize("options", BAD, ids=str)
def test_bad_options_fail_alike(options: dict[str, Any]) -> None:
    mine, reference = pair(4)
    with pytest.raises(Exception) as expected:
        theirs.DataLoader(reference, **options)
    with pytest.raises(type(expected.value)) as got:
        ours.DataLoader(mine, **options)
    assert str(expected.value)[:40] == str(got.value)[:40]
