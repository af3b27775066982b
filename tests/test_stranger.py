"""What somebody who comes from PyTorch tries first, where convgrad once said something else."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import convgrad as torch
from convgrad import __main__ as command_line


def test_data_loading_is_reached_without_an_import_of_its_own() -> None:
    program = "import convgrad as torch; print(torch.utils.data.DataLoader([1, 2], batch_size=2).batch_size)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout == "2\n", done.stderr


def test_a_name_that_is_missing_is_named() -> None:
    assert not hasattr(torch, "zeors")
    with pytest.raises(AttributeError, match=r"^module 'convgrad' has no attribute 'zeors' .*README"):
        torch.zeors


def test_a_list_is_sent_to_tensor() -> None:
    with pytest.raises(TypeError, match=r"expected np.ndarray \(got list\).*torch.tensor\(\)"):
        torch.from_numpy([1.0])


@pytest.mark.parametrize("name", ["cuda", "cuda:0", "mps"])
def test_other_devices_get_one_message(name: str) -> None:
    messages = []
    for ask in (torch.device, torch.zeros(1).to, torch.nn.Linear(1, 1).to):
        with pytest.raises(
            RuntimeError, match=f"device '{name}' was asked for, but convgrad runs on the CPU"
        ) as e:
            ask(name)
        messages.append(str(e.value))
    assert all(("not compiled with CUDA" in m) == name.startswith("cuda") for m in messages)


def test_the_command_line_knows_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        command_line.main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"convgrad {torch.__version__}\n"


def test_a_parameter_becomes_an_array_where_nothing_is_recorded() -> None:
    x = torch.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match=r"Use tensor\.detach"):
        x.numpy()
    for quiet in (torch.no_grad(), torch.inference_mode()):
        with quiet:
            x.numpy()[0] += 1
            assert np.asarray(x).tolist() == x.tolist()
    assert x.tolist() == [3.0, 1.0]


ARRAY = np.ones((2, 3), np.float32)
CALLS = {
    "relu": lambda: torch.nn.functional.relu(ARRAY),
    "dropout": lambda: torch.nn.functional.dropout(ARRAY),
    "max_pool1d": lambda: torch.nn.MaxPool1d(2)(ARRAY),
    "avg_pool2d": lambda: torch.nn.AvgPool2d(2)(ARRAY),
    "adaptive_avg_pool1d": lambda: torch.nn.AdaptiveAvgPool1d(2)(ARRAY),
    "adaptive_max_pool1d": lambda: torch.nn.AdaptiveMaxPool1d(2)(ARRAY),
    "embedding": lambda: torch.nn.Embedding(3, 3)(ARRAY),
    "BatchNorm1d": lambda: torch.nn.BatchNorm1d(3)(ARRAY),
    "mse_loss": lambda: torch.nn.MSELoss()(torch.ones(2, 3), ARRAY),
    "nll_loss": lambda: torch.nn.NLLLoss()(torch.ones(2, 3), np.array([0, 1])),
    "cross_entropy": lambda: torch.nn.CrossEntropyLoss()(torch.ones(2, 3), np.array([0, 1])),
    "binary_cross_entropy": lambda: torch.nn.BCELoss()(torch.ones(2, 3), ARRAY),
    "binary_cross_entropy_with_logits": lambda: torch.nn.BCEWithLogitsLoss()(torch.ones(2, 3), ARRAY),
    "kl_div": lambda: torch.nn.KLDivLoss(reduction="sum")(torch.ones(2, 3), ARRAY),
}


@pytest.mark.parametrize("name", CALLS)
def test_an_array_in_place_of_a_tensor_is_named(name: str) -> None:
    message = rf"^{name}\(\): argument '\w+' must be Tensor, not ndarray \(torch.as_tensor makes one\)"
    with pytest.raises(TypeError, match=message):
        CALLS[name]()


@pytest.mark.parametrize("dtype", [torch.float64, torch.int64], ids=str)
def test_a_linear_layer_says_which_dtype_it_wants(dtype: torch.dtype) -> None:
    message = r"mat1 and mat2 must have the same dtype, but got (Double|Long) and Float: .*input.to\(torch.float32\)"
    with pytest.raises(RuntimeError, match=message):
        torch.nn.Linear(3, 1)(torch.ones(2, 3).to(dtype))
