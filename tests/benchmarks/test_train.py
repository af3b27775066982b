"""The networks of benchmarks/train.py, what its workers answer, and its report."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import convgrad
import train
import train_data
import training
import training_jax
import training_other
import training_tinygrad
from harness import Row
from nets import PROGRAMS, Program, programs_of_each_net
from train_report import Losses, Other, Result, TrainReport, agreement, gap

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"
NETS = programs_of_each_net()
SPIRAL = PROGRAMS[0]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Sets of a few random examples where a worker looks for them."""
    folder = tmp_path_factory.mktemp("data")
    for name, source in train_data.SETS.items():
        found = source.read() if name == "spiral" else train_data.random_examples(source, 4)
        for part, array in found._asdict().items():
            np.save(folder / f"{name}-{part}.npy", array)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(training.FOLDER, str(folder))
        yield folder


def few(program: Program) -> Program:
    """The same program with batches of 2, which a test has the time for."""
    return program if program.data == "spiral" else program._replace(batch=2)


# ---- nets and data


@pytest.mark.parametrize("program", NETS, ids=lambda program: program.name)
def test_a_net_is_trained_and_predicts(program: Program, data: Path) -> None:
    program = few(program)
    convgrad.manual_seed(0)
    batches = training.kept_batches(convgrad, program)
    assert len(batches) == (1 if program.data == "spiral" else 2)
    net = training.Training(convgrad, program, iter(batches * 2))
    assert np.isfinite([net.step().item() for _ in range(2)]).all()
    gradients = [parameter.grad for parameter in net.net.parameters()]
    assert all([gradient is not None and gradient.abs().sum().item() > 0 for gradient in gradients])
    out = training.predictor(convgrad, program)()
    assert not out.requires_grad
    source = train_data.SETS[program.data]
    assert tuple(out.shape) == ((1, source.classes) if source.classes else (1, *source.shape))


def test_the_sizes_of_published_nets() -> None:
    """Parameters of LeNet-5 with dense second convolution, of ResNet-20 and of its projections."""
    counts = {
        program.name.split()[0]: sum(p.numel() for p in program.net(convgrad).parameters())
        for program in NETS
    }
    assert counts["LeNet"] == 61_706
    assert counts["ResNet-20"] == 269_722 + (16 * 32 + 2 * 32) + (32 * 64 + 2 * 64)
    assert counts["perceptron"] == 603


def test_names_are_those_of_one_row_each() -> None:
    rows = list(training.setup(convgrad))
    assert len(rows) == len(set(rows)) == len(PROGRAMS) + len(NETS)
    assert {program.data for program in PROGRAMS} <= set(train_data.SETS)


@pytest.mark.parametrize("name", train_data.SETS)
def test_a_set_is_as_its_row_says(name: str) -> None:
    source = train_data.SETS[name]
    try:
        found = source.read()
    except FileNotFoundError:
        found = train_data.random_examples(source)
    assert found.x.dtype == np.float32 and found.x.shape[1:] == source.shape
    assert np.isfinite(found.x).all() and 0.02 < found.x.std() < 5
    assert len(found.x) == len(found.y) and len(found.test_x) == len(found.test_y)
    if source.classes:
        assert found.y.dtype == np.int64 and set(np.unique(found.y)) == set(range(source.classes))
    else:
        assert found.y.dtype == np.float32 and found.y.shape == found.x.shape
    most = max(program.batch for program in PROGRAMS if program.data == name)
    assert len(found.x) >= most


def test_what_is_missing_becomes_random(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CONVGRAD_DATA", raising=False)
    assert train_data.write(tmp_path, ["vowels", "digits"]) == ["vowels"]
    assert np.load(tmp_path / "vowels-x.npy").shape == (512, 29, 12)
    assert len(np.load(tmp_path / "vowels-test_x.npy")) == 0
    assert np.load(tmp_path / "digits-test_y.npy").shape == (1000,)


# ---- workers


def test_a_worker_tells_what_training_costs(data: Path) -> None:
    found = training.requests(convgrad)["costs"]({"row": SPIRAL.row, "seconds": 0.05})
    assert found["resident"] > 2**20 and 0 <= found["peak"] < 2**30
    assert 0 < found["cpu"] < 1 and found["faults"] >= 0


def test_losses_start_from_the_seed_and_fall(data: Path) -> None:
    ask = training.requests(convgrad)["losses"]
    first, again, exact = (
        ask({"row": SPIRAL.row, "steps": 20, "double": double})["losses"] for double in (False, False, True)
    )
    assert first == again
    assert first[-1] < first[0]
    assert agreement(first, exact) == 20 and first != exact


def test_a_whole_training_is_tested(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spiral = train_data.spiral()
    whole = spiral._replace(test_x=spiral.x[:300], test_y=spiral.y[:300])
    for part, array in whole._asdict().items():
        np.save(tmp_path / f"spiral-{part}.npy", array)
    monkeypatch.setenv(training.FOLDER, str(tmp_path))
    found = training.accuracy(convgrad, SPIRAL._replace(epochs=100), 0)
    assert 45 < found < 100


def steps_beside_ours(steps: Any, program: Program, data: Path) -> None:
    """From the same weights a library has our losses, in every step of its own formulas."""
    library = pytest.importorskip(steps.library)
    program = few(program)
    ours = training.start_weights(convgrad, program)
    try:
        step = steps.step(library, program)
        theirs = [step().item() for _ in range(3)]
    except NotImplementedError as error:
        pytest.skip(str(error))
    finally:
        (data / training.WEIGHTS).unlink()
    assert theirs == pytest.approx(ours[:3], rel=2e-3)
    assert theirs[0] == pytest.approx(ours[0], rel=1e-5)


@pytest.mark.parametrize("program", NETS, ids=lambda program: program.name)
def test_jax_trains_the_same_net(program: Program, data: Path) -> None:
    steps_beside_ours(training_jax.STEPS, program, data)


@pytest.mark.parametrize(
    "program",
    [pytest.param(net, marks=[] if net is SPIRAL else pytest.mark.slow, id=net.name) for net in NETS],
)
def test_tinygrad_trains_the_same_net(program: Program, data: Path) -> None:
    if lack := training_tinygrad.STEPS.lack(sys.executable):
        pytest.skip(lack)
    steps_beside_ours(training_tinygrad.STEPS, program, data)


def test_tinygrad_leaves_nothing_of_a_step_undone(data: Path) -> None:
    """What no loss needs is computed as well: the last step's parameters, and running statistics."""
    tinygrad, steps = pytest.importorskip("tinygrad"), training_tinygrad.STEPS
    if lack := steps.lack(sys.executable):
        pytest.skip(lack)

    def normed(torch: Any) -> Any:
        nn = torch.nn
        return nn.Sequential(nn.Linear(2, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))

    program = SPIRAL._replace(net=normed)
    training.start_weights(convgrad, program)
    ours = training.Training(convgrad, program, iter(training.kept_batches(convgrad, program) * 4))
    net = steps.net(tinygrad, program)
    step = steps.make(tinygrad, program, net)
    with np.load(data / training.WEIGHTS) as saved, convgrad.no_grad():
        for parameter, name in zip(ours.net.parameters(), saved.files, strict=True):
            parameter.copy_(convgrad.from_numpy(saved[name]))
    (data / training.WEIGHTS).unlink()
    for _ in range(4):
        ours.step()
        step()
    norm = net.layers[1]
    for theirs, own in ((norm.running_mean, ours.net[1].running_mean), (norm.weight, ours.net[1].weight)):
        assert theirs.uop.is_realized
        assert theirs.numpy() == pytest.approx(own.detach().numpy(), rel=1e-4, abs=1e-6)


def test_a_net_that_lacks_a_part_is_named() -> None:
    made = training_other.Steps("this", "This", lambda _: SimpleNamespace(nn=SimpleNamespace()), list, 1)
    with pytest.raises(NotImplementedError, match=r"nets_this\.py has no Sequential"):
        made.step(None, SPIRAL)


def test_a_library_that_is_not_there_says_why(tmp_path: Path) -> None:
    lacking = training_jax.STEPS.lack(str(tmp_path / "python"))
    assert lacking == "no environment that has it (`make jax`)"
    broken = dataclasses.replace(training_jax.STEPS, probe="raise OSError('no clang')")
    assert broken.lack(sys.executable) == "OSError: no clang"
    assert dataclasses.replace(broken, probe="pass").lack(sys.executable) == ""


def test_columns_are_those_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def sides(*given: str) -> tuple[list[str], list[str]]:
        line = [*given, "--jax-python", str(tmp_path / "python")]
        found, lacks = train.further_sides(train.options("train", line, train.more_options))
        return list(found), list(lacks)

    assert sides() == ([], [])
    assert sides("--others") == (["torch.compile"], ["JAX", "tinygrad"])
    assert sides("--others", "--theirs", "convgrad") == ([], ["JAX", "tinygrad"])
    assert sides("--others", "tinygrad") == ([], ["tinygrad"])
    assert capsys.readouterr().err.endswith(
        "no column for tinygrad: no environment that has it (`make jax`)\n"
    )


def test_a_compiled_step_is_asked_for_its_first_calls(data: Path) -> None:
    calls: list[float] = []

    def step() -> np.float64:
        calls.append(0.01 if len(calls) < 2 else 0.0)
        time.sleep(calls[-1])
        return np.float64(len(calls))

    found = training.compilation(lambda: step, 2, 0.0)
    assert 0.02 <= found["seconds"] < 1 and found["first"] == 2
    assert found["losses"] == list(range(1, training.COMPARED + 1))
    assert len(calls) == training.COMPARED + 1 and found["costs"]["peak"] >= 0


def test_weights_go_to_the_further_columns(data: Path) -> None:
    losses = training.requests(convgrad)["start"]({"row": SPIRAL.row})["losses"]
    assert len(losses) == training.COMPARED and losses[-1] < losses[0]
    shapes = [(100, 2), (100,), (3, 100), (3,)]
    weights = training_other.given_weights(shapes)
    assert weights is not None and [weight.shape for weight in weights] == shapes
    with pytest.raises(ValueError, match="are for another network, this one has"):
        training_other.given_weights(shapes[:3])
    (data / training.WEIGHTS).unlink()
    assert training_other.given_weights(shapes) is None


# ---- the report


def test_agreement_ends_at_the_first_loss_that_differs() -> None:
    assert agreement([1.0, 2.0, 3.0], [1.0, 2.0004, 3.0]) == 3
    assert agreement([1.0, 2.0, 3.0], [1.0, 2.1, 3.0]) == 1
    assert agreement([math.nan, 2.0], [1.0, 2.0]) == 0
    assert gap([1.0, 2.0], [1.0, 2.5]) == pytest.approx(0.2)


def test_losses_may_part_where_rounding_errors_grow() -> None:
    exact = [1.0, 2.0, 3.0, 4.0]
    assert Losses(exact, exact).agree
    early, late = [1.0, 2.1, 3.1, 4.1], [1.0, 2.0, 3.0, 4.1]
    assert not Losses(late, exact).agree, "float64 was not asked"
    assert Losses(late, early, exact, exact).agree
    assert not Losses(late, early, early, exact).agree
    text = Losses(late, early, exact, exact).text()
    assert text.startswith("1 of 4 equal to 3 digits, largest difference ")
    assert text.endswith("; 4 of 4 in float64, which ours leaves after 3 and theirs after 1")


def report(**more: Any) -> TrainReport:
    costs = {side: {"peak": size, "cpu": 0.1, "faults": 3.0} for side, size in (("a", 2**20), ("b", 2**21))}
    parts = {"costs": costs, "losses": Losses([1.0], [1.0]), "accuracy": {"a": [97.0], "b": [97.4]}, **more}
    result = Result(SPIRAL, Row(SPIRAL.row, "s", [0.01], [0.02]), **parts)
    prediction = Row(SPIRAL.inference, "s", [0.01], [0.012])
    load = {"before": 0.0, "during": 0.0}
    targets = {SPIRAL.row: 1.8, SPIRAL.inference: 1.5}
    return TrainReport("train", ("a", "b"), {}, [result], [prediction], targets, load, [], ["JAX"])


def test_the_report_judges_time_memory_and_learning(tmp_path: Path) -> None:
    found = {check.text: check.holds for check in report().checks}
    assert found[f"{SPIRAL.row}: ratio 2.00, wanted 1.8"]
    assert not found[f"{SPIRAL.inference}: ratio 1.20, wanted 1.5"]
    assert found[f"{SPIRAL.row}: peak memory 0.50 of b's, wanted 0.8"]
    assert found[f"{SPIRAL.row}: accuracy 97.00 %, b 97.40 %, wanted within 0.5"]
    assert len(found) == 5
    jax = Other(0.03, 1.5, 2, {"cpu": 0.01, "compiling": 2**22, "peak": 2**21}, Losses([1.0], [1.0]))
    text = report(others={"JAX": jax}).write(tmp_path).read_text()
    assert "| perceptron on the spiral, batch 1000 | 1.0 MiB | 2.0 MiB | 0.50 |" in text
    assert "| perceptron on the spiral, batch 1000 | 30 ms (3.00) |" in text
    assert "difference 0.0e+00 | 2: 1.5 s | 10 ms | 4.0 MiB | 2.0 MiB |" in text
    saved = json.loads((tmp_path / "train.json").read_text())
    assert saved["programs"][0]["accuracy"] == {"a": [97.0], "b": [97.4]}
    assert saved["programs"][0]["others"]["JAX"]["losses"]["ours"] == [1.0]


def test_a_report_of_one_side_has_what_it_has() -> None:
    made = report(costs={"a": {"peak": 2**20, "cpu": 0.1, "faults": 0.0}}, losses=None, accuracy={})
    assert not [check for check in made.checks if "memory" in check.text or "losses" in check.text]
    assert "1.0 MiB" in made.text() and "What is learned" not in made.text()


def test_our_side_alone_from_end_to_end(tmp_path: Path) -> None:
    command = [
        sys.executable, str(FOLDER / "train.py"), "--theirs", "", "--allow-load", "--settle", "0.2",
        "--only", "perceptron", "--rounds", "1", "--seconds", "0.001", "--out", str(tmp_path),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=dict(os.environ))
    assert done.returncode == 0, done.stderr
    (path,) = tmp_path.glob("train*.json")
    found = json.loads(path.read_text())
    assert [row["name"] for row in found["rows"]] == [SPIRAL.row, SPIRAL.inference]
    assert found["programs"][0]["costs"]["convgrad"]["cpu"] > 0
