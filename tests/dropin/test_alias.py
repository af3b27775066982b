"""``convgrad.torch.install``: the same objects under PyTorch's names, here and in packages imported afterwards."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

import convgrad
import convgrad.torch
from convgrad.torch import finder

from .programs import output, run


@pytest.fixture
def alias() -> Iterator[None]:
    if "torch" in sys.modules:
        pytest.skip("PyTorch itself is loaded")
    with convgrad.torch.installed():
        yield
    assert not [name for name in sys.modules if name.partition(".")[0] in ("torch", "torchvision")]


@pytest.mark.usefixtures("alias")
def test_modules_are_the_same_objects() -> None:
    import torch  # noqa: PLC0415
    import torch.nn as nn  # noqa: PLC0415
    import torch.optim.lr_scheduler as schedules  # noqa: PLC0415
    from torch.autograd.function import FunctionCtx  # noqa: PLC0415, F401
    from torch.cuda.amp import autocast  # noqa: PLC0415, F401
    from torch.nn.parameter import Parameter  # noqa: PLC0415
    from torch.utils.data import DataLoader  # noqa: PLC0415

    assert torch is convgrad and nn is convgrad.nn and schedules is convgrad.optim.lr_scheduler
    assert Parameter is convgrad.nn.Parameter and DataLoader is convgrad.utils.data.DataLoader
    assert sys.modules["torch.nn"] is sys.modules["convgrad.nn"]
    assert convgrad.__spec__ is not None and convgrad.__spec__.name == "convgrad"


@pytest.mark.usefixtures("alias")
def test_functions_are_not_replaced_by_modules_of_the_same_name() -> None:
    """convgrad.tensor and convgrad.func.vmap are modules of convgrad, and functions of the interface."""
    for name in ("torch.tensor", "torch.func.vmap", "torch.kernels", "torch.random.nothing"):
        with pytest.raises(ModuleNotFoundError, match=f"No module named '{name}'"):
            importlib.import_module(name)
    assert callable(convgrad.tensor) and callable(convgrad.func.vmap)


@pytest.mark.usefixtures("alias")
@pytest.mark.parametrize(
    ("module", "name", "why"),
    [
        ("torch", "sparse_coo_tensor", "sparse tensors are out of scope"),
        ("torch", "nothing", "python -m convgrad.torch --names"),
        ("torch.nn", "Nothing", "python -m convgrad.torch --names"),
        ("torch.nn.functional", "nothing", "docs/dropin.md"),
        ("torch.backends", "nothing", "docs/dropin.md"),
        ("torch.jit", "load", "TorchScript is out of convgrad's scope"),
        ("torch.cuda", "CUDAGraph", "runs on the CPU"),
        ("torch.distributed", "init_process_group", "not there yet"),
        ("torch.hub", "nothing", "state dict"),
        ("torch.profiler", "supported_activities", "cProfile"),
    ],
)
def test_missing_names_are_named(module: str, name: str, why: str) -> None:
    loaded = importlib.import_module(module)
    assert not hasattr(loaded, name)
    with pytest.raises(AttributeError, match=f"module '{module}' has no attribute '{name}'") as error:
        getattr(loaded, name)
    assert why in str(error.value)


@pytest.mark.usefixtures("alias")
def test_missing_imports_are_named() -> None:
    for line in ("from torch import nothing", "from torch.nn import Nothing", "import torch.nothing"):
        with pytest.raises(ImportError, match=r"module 'torch[.\w]*' has no attribute '[Nn]othing'"):
            exec(line, {})
    with pytest.raises(ImportError, match=r"module 'torch' has no attribute '_dynamo'.*private"):
        exec("import torch._dynamo", {})
    for inside in ("import convgrad.nothing", "import convgrad.kernels.nothing"):
        with pytest.raises(ModuleNotFoundError, match=r"^No module named 'convgrad[.\w]*\.nothing'$"):
            exec(inside, {})
    assert importlib.util.find_spec("torch.nothing") is None  # a question is no import
    assert importlib.util.find_spec("torch.nn") is not None


@pytest.mark.usefixtures("alias")
def test_versions_compare() -> None:
    import torch  # noqa: PLC0415

    assert torch.__version__ == "2.13.0+convgrad.0.1.0"
    assert torch.__version__ >= "2.9" and torch.__version__ > (1, 8) and not torch.__version__ < "2.13"
    assert [int(part) for part in torch.__version__.split("+")[0].split(".")] == [2, 13, 0]
    assert importlib.metadata.version("torch") == torch.__version__
    assert torch.version.__version__ == torch.__version__ and torch.version.cuda is None
    packaging = pytest.importorskip("packaging.version")
    assert packaging.Version(torch.__version__) >= packaging.Version("2.13")
    assert torch.__version__ < packaging.Version("3.0")


def test_what_was_changed_is_put_back() -> None:
    if "torch" in sys.modules:
        pytest.skip("PyTorch itself is loaded")
    before = list(sys.meta_path), dict(vars(convgrad)), convgrad.__version__
    with convgrad.torch.installed():
        importlib.import_module("torch.nn.functional")
        with convgrad.torch.installed():  # inside of another: the outer one decides
            pass
        assert convgrad.torch.is_installed()
    assert not convgrad.torch.is_installed()
    assert list(sys.meta_path) == before[0] and convgrad.__version__ == before[2] == "0.1.0"
    assert vars(convgrad)["__getattr__"] is before[1]["__getattr__"]
    assert "__getattr__" not in vars(convgrad.nn)
    with pytest.raises(AttributeError, match=r"^module 'convgrad' has no attribute 'nothing'"):
        convgrad.nothing


def test_private_modules_are_hidden() -> None:
    """Every module of convgrad that PyTorch has no name for is known to be hidden, or a shell."""
    tops = {
        path.stem
        for path in Path(convgrad.__file__).parent.iterdir()
        if path.suffix == ".py" or path.is_dir()
    }
    shown = {name for name in tops if finder.our_name(f"torch.{name}")}
    assert {"nn", "optim", "autograd", "linalg", "overrides", "jit"} <= shown
    assert not shown & {"tensor", "kernels", "ops", "graph", "errors", "datasets", "tools", "size", "device"}


PACKAGE = """\
import torch
from torch import nn
class Layer(nn.Module):
    def forward(self, x):
        return torch.relu(x)
"""


def test_packages_imported_afterwards_get_it(tmp_path: Path) -> None:
    (tmp_path / "third_party.py").write_text(PACKAGE)
    program = (
        "import convgrad.torch; convgrad.torch.install(); import third_party, convgrad; "
        "print(third_party.torch is convgrad, third_party.Layer()(convgrad.tensor([-1.0, 2.0])).tolist())"
    )
    assert output("-c", program, folder=tmp_path) == "True [0.0, 2.0]\n"


FAKE = "__version__ = '9.9'\nclass Tensor: pass\n"


def test_the_alias_hides_an_installed_pytorch_and_refuses_a_loaded_one(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text(FAKE)
    hidden = "import convgrad.torch; convgrad.torch.install(); import torch; print(torch.__name__); convgrad.torch.uninstall(); import torch; print(torch.__version__)"
    assert output("-c", hidden, folder=tmp_path) == "convgrad\n9.9\n"
    late = run("-c", "import torch, convgrad.torch; convgrad.torch.install()", folder=tmp_path)
    assert late.returncode == 1
    assert "PyTorch 9.9 was imported already" in late.stderr and "torch.py" in late.stderr


def test_ipython_extension(tmp_path: Path) -> None:
    pytest.importorskip("IPython")
    program = "\n".join(
        [
            "from IPython.core.interactiveshell import InteractiveShell",
            "shell = InteractiveShell.instance()",
            "shell.run_line_magic('load_ext', 'convgrad.torch')",
            "shell.run_cell('import torch; print(torch.__name__)').raise_error()",
            "shell.run_line_magic('unload_ext', 'convgrad.torch')",
            "import sys; print('torch' in sys.modules)",
        ]
    )
    assert output("-c", program, folder=tmp_path, IPYTHONDIR=str(tmp_path / "ipython")) == "convgrad\nFalse\n"


def test_importing_convgrad_loads_nothing_of_this(tmp_path: Path) -> None:
    program = "import sys, convgrad; print([n for n in sys.modules if 'convgrad.torch' in n or n == 'multiprocessing'])"
    assert output("-c", program, folder=tmp_path) == "[]\n"


def test_compile_notes_once_that_it_does_nothing(tmp_path: Path) -> None:
    program = "\n".join(
        [
            "import torch, warnings",
            "with warnings.catch_warnings(record=True) as seen:",
            "    warnings.simplefilter('always')",
            "    f = lambda x: x",
            "    assert torch.compile(f) is f and torch.compile(mode='reduce-overhead')(f) is f",
            "print(len(seen), seen[0].message)",
        ]
    )
    assert output("-m", "convgrad.torch", "-c", program, folder=tmp_path).startswith(
        "1 torch.compile gives back"
    )


def test_shells() -> None:
    """What a program on a CPU asks, sets and switches off; what is out of scope says so when it is used."""
    torch = convgrad
    assert torch.get_default_device() == torch.device("cpu")
    torch.set_default_device("cpu")
    with pytest.raises(RuntimeError, match="convgrad runs on the CPU"):
        torch.set_default_device("cuda")
    try:
        torch.set_default_tensor_type(torch.DoubleTensor)
        assert torch.ones(1).dtype is torch.float64
    finally:
        torch.set_default_tensor_type("torch.FloatTensor")
    with pytest.raises(TypeError, match="only floating-point types are supported as the default type"):
        torch.set_default_tensor_type("torch.LongTensor")
    assert not torch.backends.mps.is_available() and not torch.backends.mps.is_built()
    torch.backends.cuda.matmul.allow_tf32 = True
    assert torch.accelerator.current_accelerator() is None and not torch.xpu.is_available()
    assert not torch.jit.is_scripting() and not torch.compiler.is_compiling()
    assert torch.jit.ignore(len) is len and torch.jit.ignore()(len) is len and torch.jit.unused(len) is len
    assert not torch.distributed.is_available() and not torch.distributed.is_initialized()
    with torch.profiler.record_function("forward"), torch.autograd.profiler.record_function("x"):
        pass
    for use in (
        lambda: torch.jit.script(len),
        lambda: torch.jit.trace(len, 1),
        lambda: torch.hub.load("a", "b"),
        lambda: torch.profiler.profile(),
        lambda: torch.autocast("cpu"),
        lambda: torch.autocast("cpu", dtype=torch.bfloat16),
        lambda: torch.amp.GradScaler("cpu"),
    ):
        with pytest.raises(NotImplementedError, match="out of convgrad's scope"):
            use()


def test_what_programs_do_with_the_gpu_they_do_not_have() -> None:
    """Checkpoints keep its generators' states, loops catch its errors, annotations name its classes."""
    cuda = convgrad.cuda
    assert cuda.get_rng_state_all() == []
    cuda.set_rng_state_all([])
    cuda.seed_all()
    assert cuda.get_arch_list() == []
    assert convgrad.OutOfMemoryError is cuda.OutOfMemoryError
    assert issubclass(cuda.OutOfMemoryError, RuntimeError)
    with cuda.stream(None), cuda.device(-1), convgrad.device("cpu") as place:
        assert str(convgrad.ones(1).device) == str(place) == "cpu"
    for use in (cuda.Stream, cuda.current_stream, cuda.get_rng_state, cuda.device(0).__enter__):
        with pytest.raises(RuntimeError, match="CUDA"):
            use()
    with pytest.raises(RuntimeError, match="runs on the CPU"), convgrad.device("meta"):
        pass


def test_marks_of_tools_that_are_not_there_can_be_imported() -> None:
    def square(x: int) -> int:
        return x * x

    assert convgrad.jit.script_if_tracing(square) is square
    assert convgrad.jit.Final[int] == Final[int]
    assert convgrad.profiler.ProfilerActivity.CPU.name == "CPU"
    with pytest.raises(RuntimeError, match="cProfile"):
        convgrad.profiler.schedule(wait=1, warmup=1, active=1)


def test_mixed_precision_that_is_off() -> None:
    torch = convgrad
    x = torch.ones(2, requires_grad=True)
    optimizer = torch.optim.SGD([x], lr=1.0)
    scaler = torch.amp.GradScaler(enabled=False)
    with torch.autocast("cpu", enabled=False):
        loss = scaler.scale((x * 2).sum())
    loss.backward()
    scaler.unscale_(optimizer)
    scaler.step(optimizer)
    scaler.update()
    assert x.tolist() == [-1.0, -1.0] and scaler.get_scale() == 1.0 and scaler.state_dict() == {}
    with pytest.warns(UserWarning, match="CUDA is not available"), torch.autocast("cuda"):
        assert (x + 1).dtype is torch.float32
    with pytest.warns(UserWarning, match="is enabled, but CUDA is not available"):
        assert not torch.amp.GradScaler().is_enabled()
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        torch.cuda.amp.autocast()
    assert [w.category for w in seen] == [FutureWarning, UserWarning]
