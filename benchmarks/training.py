"""What a worker of train.py does: training steps, predictions, what they cost, and what is learned.

convgrad and PyTorch run the same lines. Tensors are the library's own, in memory that it allocated.
"""

from __future__ import annotations

import itertools
import os
import resource
import time
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from machine import resident_bytes
from nets import PROGRAMS, SEED, Program, programs_of_each_net
from worker import Case

FOLDER = "CONVGRAD_BENCH_FOLDER"
"""The environment variable that tells a worker where train.py's asking side wrote the data."""
KEPT = 8  # batches that are used in turn
PEAK_STEPS = 5
TEST_BATCH = 500
WEIGHTS = "weights.npz"
"""The file, in the same folder, of the weights that the further columns start from."""
COMPARED = 10  # losses of theirs beside ours
COMPILED = "torch.compile"
"""Label of the column of PyTorch's compiler."""

Batch = tuple[Any, Any]
Request = dict[str, Any]


# ---- data


def examples(torch: Any, name: str, part: str, count: int | None = None) -> Any:
    """The first ``count`` of a part ("x", "y", "test_x", "test_y") of a set; the rest is not read."""
    whole = np.load(Path(os.environ[FOLDER]) / f"{name}-{part}.npy", mmap_mode="r")
    return torch.from_numpy(np.array(whole[:count])).clone()


def kept_batches(torch: Any, program: Program, most: int = KEPT) -> list[Batch]:
    """The first batches of a program's data."""
    x, y = (examples(torch, program.data, part, most * program.batch) for part in ("x", "y"))
    starts = range(0, len(x) - program.batch + 1, program.batch)
    return [(x[at : at + program.batch].clone(), y[at : at + program.batch].clone()) for at in starts]


def shuffled(torch: Any, x: Any, y: Any, batch: int) -> Iterator[Batch]:
    """Batches without end, each epoch in an order of its own."""
    while True:
        order = torch.randperm(len(x))
        for at in range(0, len(x) - batch + 1, batch):
            chosen = order[at : at + batch]
            yield x[chosen], y[chosen]


# ---- training


class Training:
    """A program under way: its network, its optimiser and the batches it is given.

    Args:
        torch: the library.
        program: what is trained.
        batches: taken in turn.
        double: in float64, from the same weights.
    """

    def __init__(self, torch: Any, program: Program, batches: Iterator[Batch], double: bool = False) -> None:
        self.net = program.net(torch)
        if double:
            self.net.to(torch.float64)
        self.optimizer = getattr(torch.optim, program.optimizer)(self.net.parameters(), **program.settings)
        self.loss = getattr(torch.nn.functional, program.loss)
        self.batches = batches

    def step(self) -> Any:
        """One training step as every user writes it; returns the loss."""
        x, y = next(self.batches)
        self.optimizer.zero_grad()
        loss = self.loss(self.net(x), y)
        loss.backward()
        self.optimizer.step()
        return loss


@lru_cache(maxsize=1)
def training_step(torch: Any, program: Program) -> Callable[[], Any]:
    """The training step to time; that of the last program is kept."""
    predictor.cache_clear()
    torch.manual_seed(SEED)
    return Training(torch, program, itertools.cycle(kept_batches(torch, program))).step


@lru_cache(maxsize=1)
def predictor(torch: Any, program: Program) -> Callable[[], Any]:
    """A prediction for one example, nothing recorded."""
    training_step.cache_clear()
    torch.manual_seed(SEED)
    net = program.net(torch).eval()
    x = examples(torch, program.data, "x", 1)

    def predict() -> Any:
        with torch.no_grad():
            return net(x)

    return predict


def compiled_name(program: Program) -> str:
    """What the workers call a training step whose network PyTorch has compiled."""
    return f"{program.row} | compiled"


@lru_cache(maxsize=1)
def compiled_step(torch: Any, program: Program) -> Callable[[], Any]:
    """The training step with a compiled network; the first call compiles."""
    torch.manual_seed(SEED)
    training = Training(torch, program, itertools.cycle(kept_batches(torch, program)))
    training.net = torch.compile(training.net)
    return training.step


def setup(torch: Any) -> dict[str, Case]:
    """All rows; what a row needs is made when its turn comes."""
    steps = {program.row: Case(None, partial(training_step, torch, program)) for program in PROGRAMS}
    if torch.__name__ == "torch":
        steps |= {
            compiled_name(program): Case(None, partial(compiled_step, torch, program)) for program in PROGRAMS
        }
    predictions = {
        program.inference: Case(None, partial(predictor, torch, program))
        for program in programs_of_each_net()
    }
    return steps | predictions


# ---- memory and processor time: asked of a process that has done nothing else


def reset_peak() -> bool:
    """Let the peak of the resident size start anew; False where the system cannot."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def peak_bytes() -> int:
    """The peak of the resident size, in bytes, since the reset or else since the process began."""
    try:
        status = Path("/proc/self/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) * 1024
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def costs(torch: Any, program: Program, seconds: float) -> dict[str, float]:
    """What training costs beside time.

    Returns:
        "peak": bytes above the resident size after the import, at the worst moment of the first steps with
        one batch in memory; "resident": that size; "cpu": processor seconds of a step, all threads;
        "faults": pages that a step had to be given anew (memory that was handed back and asked for again).
    """
    reset_peak()
    resident = resident_bytes()
    torch.manual_seed(SEED)
    step = Training(torch, program, itertools.cycle(kept_batches(torch, program, 1))).step
    for _ in range(PEAK_STEPS):
        step()
    peak = peak_bytes() - resident
    return {"peak": float(peak), "resident": float(resident), **spent(step, seconds)}


def spent(step: Callable[[], Any], seconds: float) -> dict[str, float]:
    """Processor time ("cpu") and new pages ("faults") of a step, over so many seconds of them."""
    until, done = time.perf_counter() + seconds, 0
    cpu, faults = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    while not done or time.perf_counter() < until:
        step()
        done += 1
    cpu = (time.process_time() - cpu) / done
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults
    return {"cpu": cpu, "faults": faults / done}


def compilation(make: Callable[[], Callable[[], Any]], first: int, seconds: float) -> Request:
    """What a compiled training step costs, in a process that has done nothing else.

    Args:
        make: makes the step.
        first: calls of it that compile.
        seconds: of steps, for their processor time.
    Returns:
        "seconds" of the first calls, "first"; "losses" of the first steps; "costs": "compiling" and "peak",
        bytes above the resident size after the import while it was compiled and in the steps thereafter
        (with the batches that are used in turn in memory), "cpu" and "faults" of a step.
    """
    reset_peak()
    resident = resident_bytes()
    step = make()
    start = time.perf_counter()
    losses = [step().item() for _ in range(first)]
    took, compiling = time.perf_counter() - start, peak_bytes() - resident
    reset_peak()
    losses += [step().item() for _ in range(COMPARED - first)]
    peak = peak_bytes() - resident
    costs = {"compiling": float(compiling), "peak": float(peak), **spent(step, seconds)}
    return {"seconds": took, "first": first, "losses": losses, "costs": costs}


def start_weights(torch: Any, program: Program) -> list[float]:
    """Write the weights that training starts from; the losses of the first steps over the kept batches."""
    torch.manual_seed(SEED)
    training = Training(torch, program, itertools.cycle(kept_batches(torch, program)))
    weights = [parameter.detach().numpy() for parameter in training.net.parameters()]
    np.savez(Path(os.environ[FOLDER]) / WEIGHTS, *weights)
    return [training.step().item() for _ in range(COMPARED)]


# ---- what is learned


def first_losses(torch: Any, program: Program, steps: int, double: bool) -> list[float]:
    """Losses of the first steps, from the same seed and in the same order under every library."""
    torch.manual_seed(SEED)
    x, y = (examples(torch, program.data, part) for part in ("x", "y"))
    training = Training(torch, program, iter(()), double)
    if double:
        x, y = (part.to(torch.float64) if part.is_floating_point() else part for part in (x, y))
    training.batches = shuffled(torch, x, y, program.batch)
    return [training.step().item() for _ in range(steps)]


def accuracy(torch: Any, program: Program, seed: int) -> float:
    """Percent of the test part that a whole training gets right; its step size falls as a cosine."""
    torch.manual_seed(seed)
    x, y, test_x, test_y = (examples(torch, program.data, part) for part in ("x", "y", "test_x", "test_y"))
    training = Training(torch, program, shuffled(torch, x, y, program.batch))
    steps = program.epochs * (len(x) // program.batch)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(training.optimizer, T_max=steps)
    for _ in range(steps):
        training.step()
        schedule.step()
    net, right = training.net.eval(), 0
    with torch.no_grad():
        for at in range(0, len(test_x), TEST_BATCH):
            guess = net(test_x[at : at + TEST_BATCH]).argmax(1)
            right += int((guess == test_y[at : at + TEST_BATCH]).sum().item())
    return 100 * right / len(test_x)


def requests(torch: Any) -> dict[str, Callable[[Request], Request]]:
    """What a worker answers beside times."""
    programs = {program.row: program for program in PROGRAMS}

    def threads(request: Request) -> Request:
        torch.set_num_threads(request["threads"])
        return {}

    def cost(request: Request) -> Request:
        return costs(torch, programs[request["row"]], request["seconds"])

    def compiled(request: Request) -> Request:
        return compilation(partial(compiled_step, torch, programs[request["row"]]), 1, request["seconds"])

    def start(request: Request) -> Request:
        return {"losses": start_weights(torch, programs[request["row"]])}

    def losses(request: Request) -> Request:
        program = programs[request["row"]]
        return {"losses": first_losses(torch, program, request["steps"], request["double"])}

    def learned(request: Request) -> Request:
        return {"accuracy": accuracy(torch, programs[request["row"]], request["seed"])}

    return {
        "threads": threads, "costs": cost, "compile": compiled, "start": start, "losses": losses,
        "accuracy": learned,
    }  # fmt: skip
