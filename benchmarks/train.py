"""Whole networks beside PyTorch: time of a training step and of a prediction, memory, and what is learned.

The nets are in nets.py, their data in train_data.py. Both sides run in workers of their own and are asked in
turn; memory and processor time come from a fresh process each. ``--learned`` trains some of the nets to the
end and compares their accuracies, ``--others`` has columns for torch.compile, JAX and tinygrad.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import training
import training_jax
import training_tinygrad
from harness import (
    LEAST_ROUNDS,
    ROOT,
    Asked,
    Row,
    Side,
    both_sides,
    control_fault,
    describe,
    environment,
    load_fault,
    measure_row,
    measure_sides,
    options,
    reported,
    started,
)
from machine import LoadMeter, usable_cores
from nets import INFERENCE_TARGET, PROGRAMS, Program, programs_of_each_net
from train_report import Losses, Other, Result, TrainReport
from worker import CONTROL, Worker, WorkerError, work

TARGETS = {program.row: program.target for program in PROGRAMS} | {
    program.inference: INFERENCE_TARGET for program in programs_of_each_net()
}
UNIT = ["s", 1, None]
COST_SECONDS = 0.5
PATIENCE = 1800.0  # seconds that a compilation may take
OTHERS = {steps.library: steps for steps in (training_jax.STEPS, training_tinygrad.STEPS)}
LABELS = [training.COMPILED, *(steps.label for steps in OTHERS.values())]
# Compilers that wait in processes of their own would count as foreign load.
ONE_COMPILER = {"TORCHINDUCTOR_COMPILE_THREADS": "1"}
FIRST_STEPS = 50


def more_options(parser: argparse.ArgumentParser) -> None:
    """The command line of this benchmark alone."""
    parser.set_defaults(threads=usable_cores(), rounds=9)
    parser.add_argument(
        "--costs", action=argparse.BooleanOptionalAction, default=True, help="memory and processor time"
    )
    parser.add_argument(
        "--losses", action=argparse.BooleanOptionalAction, default=True,
        help=f"compare the losses of the first {FIRST_STEPS} steps",
    )  # fmt: skip
    parser.add_argument("--learned", action="store_true", help="also train to the end and compare accuracies")
    parser.add_argument("--seeds", type=int, default=3, help="trainings to the end for each net (--learned)")
    parser.add_argument(
        "--others", nargs="*", choices=LABELS, metavar="LABEL",
        help=f"columns for {', '.join(LABELS)}, or only those named, where they are there",
    )  # fmt: skip
    parser.add_argument(
        "--jax-python", default=str(ROOT / ".venv-jax" / "bin" / "python"),
        help="interpreter of an environment that has JAX, tinygrad (.venv-jax/bin/python, see `make jax`)",
    )  # fmt: skip


def further_sides(wanted: argparse.Namespace) -> tuple[dict[str, Side], dict[str, str]]:
    """The sides of the further columns by label, and why others are left out."""
    if wanted.others is None:
        return {}, {}
    labels = wanted.others or LABELS
    sides, lacks = {}, {}
    if wanted.theirs == "torch" and training.COMPILED in labels:
        sides[training.COMPILED] = Side(wanted.torch_python, "torch", PATIENCE)
    for other in OTHERS.values():
        if other.label not in labels:
            continue
        if lack := other.lack(wanted.jax_python):
            lacks[other.label] = f"left out: {lack}"
            print(f"no column for {other.label}: {lack}", file=sys.stderr)
        else:
            sides[other.label] = Side(wanted.jax_python, other.library, PATIENCE)
    return sides, lacks


class Session:
    """One run: its workers, and what they are asked program by program.

    Args:
        workers: ours, theirs if there is one, then the further ones.
        wanted: the command line.
        environ: of every worker.
        labels: of the further ones.
        random: sets that are random numbers.
    """

    def __init__(
        self,
        workers: list[Worker],
        wanted: argparse.Namespace,
        environ: dict[str, str],
        labels: list[str],
        random: list[str],
    ) -> None:
        self.wanted, self.environ, self.random = wanted, environ, random
        self.sides = both_sides(wanted)
        self.pair = workers[: len(self.sides)]
        self.others = dict(zip(labels, workers[len(self.pair) :], strict=True))
        for worker in workers:
            worker.tell("threads", threads=wanted.threads)

    def time(self, name: str) -> Row:
        """Time of one row on both sides, with a line about it for whoever waits."""
        row = measure_row(name, UNIT, self.pair, self.wanted)
        print(f"  {row.ratio:6.2f}  {name}", file=sys.stderr, flush=True)
        return row

    def measure(self, program: Program) -> Result:
        """Everything about one program."""
        notes: list[str] = []
        step = self.time(program.row)
        others = self._others(program, notes)
        costs = self._costs(program, notes) if self.wanted.costs else {}
        losses = self._losses(program, notes) if self.wanted.losses and len(self.pair) > 1 else None
        learned = self.wanted.learned and program.epochs and len(self.pair) > 1
        accuracy = self._accuracy(program, notes) if learned else {}
        return Result(program, step, costs, losses, accuracy, others, notes)

    def _costs(self, program: Program, notes: list[str]) -> dict[str, dict[str, float]]:
        """Memory and processor time, by side, each from a process that did nothing else."""
        found = {}
        for side in self.sides:
            try:
                with started([side], self.environ, self.wanted.timeout) as (worker,):
                    worker.ask("threads", threads=self.wanted.threads)
                    found[side.library] = answered(worker, "costs", row=program.row, seconds=COST_SECONDS)
            except WorkerError as error:
                notes.append(f"memory and processor time: {error}")
        return found

    def _losses(self, program: Program, notes: list[str]) -> Losses | None:
        """Losses of the first steps; in float64 as well where those of both sides part."""
        request = {"row": program.row, "steps": FIRST_STEPS}
        found: list[list[float]] = []
        try:
            for double in (False, True):
                for worker in self.pair:
                    found.append(answered(worker, "losses", **request, double=double)["losses"])
                if Losses(*found).agree:
                    break
            return Losses(*found)
        except WorkerError as error:
            notes.append(f"losses: {error}")
            return None

    def _accuracy(self, program: Program, notes: list[str]) -> dict[str, list[float]]:
        """Accuracies after a whole training, by side."""
        if program.data in self.random:
            notes.append("accuracy: the data are not here (CONVGRAD_DATA names their folder)")
            return {}
        found: dict[str, list[float]] = {}
        try:
            for seed in range(self.wanted.seeds):
                for worker in self.pair:
                    answer = answered(worker, "accuracy", row=program.row, seed=seed)
                    found.setdefault(worker.library, []).append(answer["accuracy"])
        except WorkerError as error:
            notes.append(f"accuracy: {error}")
            return {}
        return found

    def _others(self, program: Program, notes: list[str]) -> dict[str, Other]:
        """The further columns, from the weights that we start from."""
        found: dict[str, Other] = {}
        if not self.others:
            return found
        fewer = argparse.Namespace(**vars(self.wanted))
        fewer.rounds = max(LEAST_ROUNDS, self.wanted.rounds // 2)
        ours = answered(self.pair[0], "start", row=program.row)["losses"]
        for label, worker in self.others.items():
            worker.close()  # what it is asked next, a new process does
            try:
                answer = answered(worker, "compile", row=program.row, seconds=COST_SECONDS)
                name = training.compiled_name(program) if label == training.COMPILED else program.row
                values, errors = measure_sides([Asked(worker, name)], fewer)
            except WorkerError as error:
                said = str(error).removeprefix(f"{worker.library}: ").partition("\n")[0]
                notes.append(f"{label}: {said}")
                continue
            notes += [f"{label}: {error}" for error in errors if error]
            if values[0]:
                found[label] = Other(
                    step=Row(label, "s", values[0], []).our_median,
                    compilation=answer["seconds"],
                    calls=answer["first"],
                    costs=answer["costs"],
                    losses=Losses(answer["losses"], ours),
                )
        return found


def answered(worker: Worker, do: str, **request: Any) -> dict[str, Any]:
    """A worker's answer.

    Raises:
        WorkerError: it is an error.
    """
    answer = worker.ask(do, **request)
    if "error" in answer:
        raise WorkerError(f"{worker.library}: {answer['error']}")
    return answer


def measured(
    wanted: argparse.Namespace, folder: Path, faults: list[str], before: float | None
) -> TrainReport:
    """Run everything, with the data in ``folder``; the report."""
    programs = [program for program in PROGRAMS if wanted.only in program.row]
    predicted = [program for program in programs_of_each_net() if wanted.only in program.inference]
    # Only the asking side knows where the data are; a worker of PyTorch is not to load convgrad.
    random = importlib.import_module("train_data").write(
        folder, sorted({program.data for program in [*programs, *predicted]})
    )
    environ = environment(wanted.threads) | {training.FOLDER: str(folder)}
    others, lacks = further_sides(wanted)
    if others:
        # What an earlier run compiled is not to be found again.
        environ |= ONE_COMPILER | {"TORCHINDUCTOR_CACHE_DIR": str(folder / "inductor")}
        for other in OTHERS.values():
            environ |= other.environ
    with started([*both_sides(wanted), *others.values()], environ, wanted.timeout) as workers:
        about = describe(workers)
        session = Session(workers, wanted, environ, list(others), random)
        meter = LoadMeter(workers)
        control = measure_row(CONTROL, UNIT, session.pair, wanted)
        predictions = [session.time(program.inference) for program in predicted]
        results = [session.measure(program) for program in programs]
        during = meter.foreign_cores()
    faults = faults + load_fault(during, wanted.max_load, "during") + control_fault([control])
    about["data"] = {"random numbers instead of": ", ".join(random) or "nothing"}
    if lacks:
        about["further columns"] = lacks
    about["control"] = {"ratio of the same pure Python on both sides": f"{control.ratio:.2f}"}
    targets = {name: least for name, least in TARGETS.items() if wanted.theirs}
    load = {"before": before, "during": during}
    sides = (wanted.ours, wanted.theirs)
    return TrainReport(
        "train", sides, about, results, predictions, targets, load, faults, list(others)
    )  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    """Measure and report; the exit code as in :func:`harness.main`."""
    wanted = options("train", argv, more_options)
    if wanted.worker:
        side: Any = OTHERS.get(wanted.worker, training)
        return work(wanted.worker, side.setup, side.requests)
    with tempfile.TemporaryDirectory(prefix="convgrad-bench-") as folder:
        return reported(wanted, "train", partial(measured, wanted, Path(folder)))


if __name__ == "__main__":
    sys.exit(main())
