"""``python -m convgrad.torch``: arguments, exit codes, tracebacks and paths as without it."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from .programs import output, run

TRAIN = """\
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.utils.checkpoint
import torch.backends.cudnn as cudnn
from torch import Tensor, nn as layers, optim
from torch.autograd import Function, Variable
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader, TensorDataset

cudnn.benchmark = True
torch.manual_seed(0)
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)
        self.out = nn.Linear(4 * 6 * 6, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(F.relu(self.conv(x)).flatten(1))


x = torch.randn(32, 1, 8, 8)
y = (x.mean((1, 2, 3)) > 0).long()
model = Net().to(device)
optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
scheduler = StepLR(optimizer, 5, 0.5)
losses = []
for epoch in range(10):
    for a, b in DataLoader(TensorDataset(x, y), batch_size=8, shuffle=True):
        loss = F.cross_entropy(model(a.to(device)), b.to(device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    scheduler.step()
    losses.append(loss.item())
print(losses[-1] < losses[0] / 2, torch.__name__, layers is nn)
"""


def test_an_ordinary_program_trains(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(TRAIN)
    assert output("-m", "convgrad.torch", "train.py", folder=tmp_path) == "True convgrad True\n"


FACTS = """\
import json, sys, torch
import helper
print(json.dumps([sys.argv, __name__, sys.path[0], __file__, torch.__name__, helper.NAME]))
"""


def test_a_script_sees_what_python_would_show_it(tmp_path: Path) -> None:
    """Its folder comes first on the path, wherever it was started; arguments that look like options are its own."""
    folder = tmp_path / "programs"
    folder.mkdir()
    (folder / "facts.py").write_text(FACTS)
    (folder / "helper.py").write_text("from torch import nn\nNAME = nn.__name__\n")
    shown = json.loads(output("-m", "convgrad.torch", "programs/facts.py", "-m", "--lr=1", folder=tmp_path))
    plain = json.loads(
        output("-c", f"import convgrad.torch; convgrad.torch.install()\nimport runpy, sys\nsys.argv = ['programs/facts.py', '-m', '--lr=1']\nsys.path[0] = {str(folder)!r}\nrunpy.run_path(sys.argv[0], run_name='__main__')", folder=tmp_path)
    )  # fmt: skip
    assert shown == plain
    assert shown[0] == ["programs/facts.py", "-m", "--lr=1"]
    assert shown[1:] == ["__main__", str(folder), "programs/facts.py", "convgrad", "convgrad.nn"]


def test_a_module(tmp_path: Path) -> None:
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").write_text("")
    (tmp_path / "package" / "work.py").write_text(
        "import sys, torch\nfrom . import other\nprint(sys.argv[1:], __name__, __package__, other.torch.__name__)\n"
    )
    (tmp_path / "package" / "other.py").write_text("import torch\n")
    shown = output("-m", "convgrad.torch", "-m", "package.work", "a", "-b", folder=tmp_path)
    assert shown == "['a', '-b'] __main__ package convgrad\n"


def test_code_and_standard_input(tmp_path: Path) -> None:
    code = "import sys, torch; print(sys.argv, torch.ones(2).sum().item())"
    assert output("-m", "convgrad.torch", "-c", code, "x", folder=tmp_path) == "['-c', 'x'] 2.0\n"
    assert output("-m", "convgrad.torch", folder=tmp_path, text=code) == "[''] 2.0\n"
    assert output("-m", "convgrad.torch", "-", "y", folder=tmp_path, text=code) == "['-', 'y'] 2.0\n"


@pytest.mark.parametrize(
    ("end", "code"), [("sys.exit(7)", 7), ("sys.exit('no')", 1), ("1 / 0", 1), ("", 0), ("sys.exit()", 0)]
)
def test_exit_codes_are_kept(tmp_path: Path, end: str, code: int) -> None:
    (tmp_path / "ends.py").write_text(f"import sys, torch\n{end}\n")
    done = run("-m", "convgrad.torch", "ends.py", folder=tmp_path)
    assert done.returncode == code, done.stderr
    if end == "1 / 0":
        assert 'ends.py", line 2, in <module>' in done.stderr
        assert done.stderr.endswith("ZeroDivisionError: division by zero\n")


def test_what_is_missing_is_named_with_a_place_to_look(tmp_path: Path) -> None:
    for line in ("from torch import nothing", "import torch; torch.nothing"):
        done = run("-m", "convgrad.torch", "-c", line, folder=tmp_path)
        assert done.returncode == 1
        assert "module 'torch' has no attribute 'nothing'" in done.stderr
        assert "python -m convgrad.torch --names" in done.stderr
    done = run(
        "-m", "convgrad.torch", "-c", "from torch.optim.lr_scheduler import NothingLR", folder=tmp_path
    )
    assert done.returncode == 1 and "NothingLR" in done.stderr.splitlines()[-2] + done.stderr.splitlines()[-1]
    assert "python -m convgrad.torch --names" in done.stderr


def test_the_names_are_listed(tmp_path: Path) -> None:
    names = output("-m", "convgrad.torch", "--names", "conv2d", folder=tmp_path).split()
    assert {"torch.conv2d", "torch.nn.functional.conv2d"} <= set(names)
    assert all("conv2d" in name for name in names)
    done = run("-m", "convgrad.torch", "--names", "nonsense", folder=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "no name has 'nonsense' in it" in done.stderr


@pytest.mark.skipif(os.name != "posix", reason="a shell's pipe")
def test_the_list_may_be_cut_off(tmp_path: Path) -> None:
    listing = f"'{sys.executable}' -m convgrad.torch --names | head -n 1"
    done = run("-c", f"import subprocess; subprocess.run({listing!r}, shell=True)", folder=tmp_path)
    assert done.stdout.startswith("torch.")
    assert done.stderr == ""


def test_wrong_calls(tmp_path: Path) -> None:
    done = run("-m", "convgrad.torch", "-m", folder=tmp_path)
    assert done.returncode == 1 and "argument expected for the -m option" in done.stderr
    done = run("-m", "convgrad.torch", "--nonsense", folder=tmp_path)
    assert done.returncode == 1 and "unknown option --nonsense" in done.stderr
    assert "usage: python -m convgrad.torch SCRIPT" in output(
        "-m", "convgrad.torch", "--help", folder=tmp_path
    )
    done = run("-m", "convgrad.torch", "missing.py", folder=tmp_path)
    assert done.returncode == 1 and "missing.py" in done.stderr


SPAWN = """\
import multiprocessing
import torch


def work(x):
    import torch.nn.functional as F
    return torch.__name__, F.relu(torch.tensor(x)).tolist()


if __name__ == "__main__":
    method = {method!r}
    with multiprocessing.get_context(method).Pool(1) as pool:
        print(pool.map(work, [[-1.0, 2.0]]))
"""


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_new_processes_inherit_the_alias(tmp_path: Path, method: str) -> None:
    if method == "forkserver" and sys.platform == "win32":
        pytest.skip("no fork server here")
    (tmp_path / "pool.py").write_text(SPAWN.format(method=method))
    assert output("-m", "convgrad.torch", "pool.py", folder=tmp_path) == "[('convgrad', [0.0, 2.0])]\n"


SPAWNED = """\
import sys
import torch
import torch.multiprocessing as mp


def work(rank, scale):
    if rank == scale:
        sys.exit(3)
    torch.ones(1) * scale


if __name__ == "__main__":
    mp.set_sharing_strategy("file_system")
    print(mp.spawn(work, args=(7,), nprocs=2), mp.get_sharing_strategy(), mp.Queue.__name__)
    try:
        mp.spawn(work, args=(1,), nprocs=2)
    except mp.ProcessRaisedException as error:
        print(error)
"""


def test_multiprocessing_under_pytorchs_name(tmp_path: Path) -> None:
    (tmp_path / "spawned.py").write_text(SPAWNED)
    shown = output("-m", "convgrad.torch", "spawned.py", folder=tmp_path)
    assert shown == "None file_system Queue\nprocess 1 terminated with exit code 3\n"
