"""Drop-in mode where PyTorch itself is installed: it stays unloaded, or is refused with its version."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tests.dropin.programs import output, run

import convgrad

pytestmark = pytest.mark.parity


def test_pytorch_stays_unloaded(tmp_path: Path) -> None:
    program = (
        "import sys, torch\nfrom torch import nn\nimport importlib.metadata\n"
        "print(torch.__name__, nn.Linear(2, 1)(torch.ones(1, 2)).shape, importlib.metadata.version('torch'))\n"
        "print([n for n, m in sys.modules.items() if 'site-packages/torch/' in str(getattr(m, '__file__', ''))])"
    )
    shown = output("-m", "convgrad.torch", "-c", program, folder=tmp_path)
    assert shown == "convgrad torch.Size([1, 1]) 2.13.0+convgrad.0.1.0\n[]\n"


def test_pytorch_that_is_loaded_is_refused(tmp_path: Path) -> None:
    done = run("-c", "import torch, convgrad.torch as c; c.install()", folder=tmp_path)
    assert done.returncode == 1 and f"PyTorch {torch.__version__} was imported already" in done.stderr


@pytest.mark.parametrize(
    "other", ["2.9", "2.13.0", "2.13", "1.8", "3", "2.13.0+cpu", (2, 0), (2, 13), "2.13.1"]
)
def test_versions_compare_as_pytorchs_do(other: object) -> None:
    theirs = torch.torch_version.TorchVersion("2.13.0")
    ours = convgrad.torch_version.TorchVersion("2.13.0")
    for name in ("__lt__", "__le__", "__gt__", "__ge__"):
        if other == "2.13.0+cpu":  # a local label counts there, and not here
            continue
        assert getattr(ours, name)(other) == getattr(theirs, name)(other), name
