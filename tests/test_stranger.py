"""What somebody who comes from PyTorch tries first, where convgrad once said something else."""

from __future__ import annotations

import subprocess
import sys

import pytest

import convgrad as torch
from convgrad import __main__ as command_line


def test_data_loading_is_reached_without_an_import_of_its_own() -> None:
    program = "import convgrad as torch; print(torch.utils.data.DataLoader([1, 2], batch_size=2).batch_size)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout == "2\n", done.stderr


def test_a_name_that_is_missing_is_named() -> None:
    assert not hasattr(torch, "zeors")
    with pytest.raises(AttributeError, match="^module 'convgrad' has no attribute 'zeors' .*README"):
        torch.zeors  # noqa: B018


def test_a_list_is_sent_to_tensor() -> None:
    with pytest.raises(TypeError, match=r"expected np.ndarray \(got list\).*torch.tensor\(\)"):
        torch.from_numpy([1.0])


@pytest.mark.parametrize("name", ["cuda", "cuda:0", "mps"])
def test_other_devices_get_one_message(name: str) -> None:
    messages = []
    for ask in (torch.device, torch.zeros(1).to, torch.nn.Linear(1, 1).to):
        with pytest.raises(RuntimeError, match=f"device '{name}' was asked for, but convgrad runs on the CPU") as e:
            ask(name)
        messages.append(str(e.value))
    assert all(("not compiled with CUDA" in m) == name.startswith("cuda") for m in messages)


def test_the_command_line_knows_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        command_line.main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"convgrad {torch.__version__}\n"
