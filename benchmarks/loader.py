"""What a DataLoader costs: LeNet trained on batches that are in memory, and on those a loader makes ahead.

The images are the packaged digits. A loader's batches come from a worker (a thread here, a process in
PyTorch), once from numbers ready to be used, once from bytes that the worker makes into numbers.
"""

from __future__ import annotations

import gzip
import sys
from collections.abc import Callable, Iterable
from functools import lru_cache, partial
from typing import Any

import numpy as np

from harness import ROOT, Case, Check, Rows, main
from machine import usable_cores
from nets import MOMENTUM, SEED, lenet

COUNT, BATCH = 2048, 64
FOLDER = ROOT / "src" / "convgrad" / "datasets" / "data"
IN_MEMORY = "LeNet, a step with batches in memory"
NUMBERS = "LeNet, a step with a DataLoader of numbers"
BYTES = "LeNet, a step with a DataLoader of bytes made into numbers"
LEAST = 0.95


def digits() -> tuple[Any, Any]:
    """The first packaged digits: bytes ``(N, 1, 28, 28)`` and classes ``(N,)``."""
    found = []
    for name, header in (("train-images-idx3", 16), ("train-labels-idx1", 8)):
        with gzip.open(FOLDER / f"{name}-ubyte.gz") as file:
            found.append(np.frombuffer(file.read(), np.uint8, offset=header))
    return found[0].reshape(-1, 1, 28, 28)[:COUNT].copy(), found[1][:COUNT].astype(np.int64)


def as_numbers(torch: Any, images: Any) -> Any:
    """Bytes as float32 around 0."""
    return images.to(torch.float32).sub_(33.3).div_(78.6)


def batches_in_memory(torch: Any) -> Iterable[Any]:
    """All batches of an epoch, ready."""
    images, labels = (torch.from_numpy(array).clone() for array in digits())
    numbers = as_numbers(torch, images)
    return [
        (numbers[at : at + BATCH].clone(), labels[at : at + BATCH].clone()) for at in range(0, COUNT, BATCH)
    ]


def loader(torch: Any, bytes_: bool) -> Iterable[Any]:
    """A DataLoader with one worker, which makes two batches ahead and lives from epoch to epoch."""
    images, labels = (torch.from_numpy(array).clone() for array in digits())

    class Bytes(torch.utils.data.Dataset):  # type: ignore[name-defined, misc, unused-ignore]
        """Gives whole batches: the bytes are made into numbers in one pass."""

        def __len__(self) -> int:
            return COUNT

        def __getitems__(self, chosen: list[int]) -> Any:
            return as_numbers(torch, images[chosen]), labels[chosen]

    data = Bytes() if bytes_ else torch.utils.data.TensorDataset(as_numbers(torch, images), labels)
    return torch.utils.data.DataLoader(
        data, BATCH, shuffle=True, num_workers=1, persistent_workers=True,
        collate_fn=(lambda batch: batch) if bytes_ else None,
    )  # fmt: skip


@lru_cache(maxsize=1)
def epoch(torch: Any, make: Callable[[Any], Iterable[Any]]) -> Callable[[], None]:
    """An epoch of training to time; that of the last row is kept."""
    torch.manual_seed(SEED)
    net, given = lenet(torch), make(torch)
    optimizer = torch.optim.SGD(net.parameters(), **MOMENTUM)
    loss_of = torch.nn.functional.cross_entropy

    def run() -> None:
        for x, y in given:
            optimizer.zero_grad()
            loss_of(net(x), y).backward()
            optimizer.step()

    return run


def setup(torch: Any) -> dict[str, Case]:
    """All rows. Memory comes last: a worker process of PyTorch has then ended, and counts as PyTorch's."""
    torch.set_num_threads(usable_cores())
    makers: dict[str, Callable[[Any], Iterable[Any]]] = {
        NUMBERS: partial(loader, bytes_=False),
        BYTES: partial(loader, bytes_=True),
        IN_MEMORY: batches_in_memory,
    }
    return {
        name: Case(None, partial(epoch, torch, make), per=COUNT // BATCH) for name, make in makers.items()
    }


def checks(rows: Rows) -> list[Check]:
    """The loaders keep up."""
    found = []
    for name in (NUMBERS, BYTES):
        speed = rows[IN_MEMORY].our_median / rows[name].our_median
        text = f"{name}: {speed:.0%} of the speed with batches in memory, wanted {LEAST:.0%}"
        found.append(Check(text, speed >= LEAST))
    return found


if __name__ == "__main__":
    sys.exit(main(setup, "loader", checks=checks))
