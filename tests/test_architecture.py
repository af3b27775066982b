"""The shape of the code, held by a test: who imports whom and where, how long files and functions grow.

Every rule is a function from a small piece of source to a list of complaints, and each is first shown a bad
piece, so that a rule which has gone blind fails here.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "convgrad"

# The one table of layers. The longest matching name counts; imports go to the same layer or lower ones.
LAYERS: dict[str, int] = {
    "convgrad.errors": 0,
    "convgrad.switches": 0,
    "convgrad.version": 0,
    "convgrad.dtypes": 0,
    "convgrad.size": 0,
    "convgrad.printing": 0,
    "convgrad.device": 0,
    "convgrad.draws": 0,
    "convgrad.torch_version": 0,
    "convgrad.amp": 1,
    "convgrad.accelerator": 1,
    "convgrad.distributed": 1,
    "convgrad.hub": 1,
    "convgrad.jit": 1,
    "convgrad.mps": 1,
    "convgrad.multiprocessing": 1,
    "convgrad.xpu": 1,
    "convgrad.kernels": 1,
    "convgrad.generator": 1,
    "convgrad.ops": 2,
    "convgrad.graph": 3,
    "convgrad.tensor": 4,
    "convgrad.linalg": 4,
    "convgrad.fft": 4,
    "convgrad.signal": 4,
    "convgrad.special": 4,
    "convgrad.random": 4,
    "convgrad.backends": 4,
    "convgrad.cuda": 4,
    "convgrad.compiler": 4,
    "convgrad.types": 4,
    "convgrad._C": 4,
    "convgrad.autograd": 5,
    "convgrad.func": 5,
    "convgrad.neighbours": 5,
    "convgrad.testing": 5,
    "convgrad.distributions": 7,
    "convgrad.profiler": 5,
    "convgrad.utils.checkpoint": 5,
    "convgrad.nn": 6,
    "convgrad.optim": 7,
    "convgrad.utils": 7,
    "convgrad.serialization": 7,
    "convgrad.safetensors": 7,
    "convgrad.datasets": 8,
    "convgrad.torchvision": 8,
    "convgrad.tools": 8,
    "convgrad": 9,
    "convgrad.overrides": 9,
    "convgrad.torch": 9,
    "convgrad.__main__": 9,
}
THIRD_PARTY = {"numpy", "ml_dtypes"}
# The doors through which modules come in late: optional packages, layer 8 on first use (PEP 562), and
# families of methods that few programs need.
LATE_IMPORTERS = {
    "convgrad", "convgrad.autograd", "convgrad.autograd.derive", "convgrad.backends", "convgrad.errors",
    "convgrad.kernels", "convgrad.kernels.native", "convgrad.overrides", "convgrad.tensor.late", "convgrad.torch.finder",
    "convgrad.utils",
}  # fmt: skip
MAX_FILE_LINES = 600
MAX_FUNCTION_LINES = 60  # without the docstring
# What `import convgrad` may load beyond NumPy and ml_dtypes, and what it must not.
MAX_FOREIGN_MODULES = 12
OPTIONAL = {
    "torch", "scipy", "tqdm", "PIL", "matplotlib", "safetensors", "pandas", "onnx", "mpi4py", "pytest",
}  # fmt: skip
HEAVY = {
    "asyncio",
    "dataclasses",
    "inspect",
    "multiprocessing",
    "unittest",
    "urllib.request",
    "xml",
    "http",
    "ssl",
}


class Module(NamedTuple):
    """One file: its dotted name, its text and whether it is a package's ``__init__``."""

    name: str
    text: str
    is_package: bool = False

    @property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.name)


def read_package(root: Path = PACKAGE) -> dict[str, Module]:
    """Every Python file of the package by dotted name; a stub stands for its compiled module."""
    modules = {}
    for path in sorted([*root.rglob("*.py"), *root.rglob("*.pyi")]):
        parts = [root.name, *path.relative_to(root).with_suffix("").parts]
        is_package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if is_package else parts)
        modules[name] = Module(name, path.read_text(encoding="utf-8"), is_package)
    return modules


def layer(name: str) -> int | None:
    """The layer of the longest entry of LAYERS that holds ``name``; the root's is for itself alone."""
    parts = name.split(".")
    for size in range(len(parts), 1, -1):
        prefix = ".".join(parts[:size])
        if prefix in LAYERS:
            return LAYERS[prefix]
    return LAYERS["convgrad"] if name == "convgrad" else None


def imported(module: Module, known: set[str]) -> Iterator[tuple[str, int]]:
    """(absolute name, line) of what a module imports; ``from p import m`` is p.m where that is a module."""
    package = module.name.split(".") if module.is_package else module.name.split(".")[:-1]
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            source = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                child = f"{source}.{alias.name}"
                yield (child if child in known else source), node.lineno


def runs(name: str, importer: str) -> Iterator[str]:
    """What importing ``name`` runs: itself, and the packages above it that do not hold the importer."""
    parts = name.split(".")
    for size in range(2, len(parts) + 1):
        package = ".".join(parts[:size])
        if package == name or not f"{importer}.".startswith(f"{package}."):
            yield package


def edges(modules: dict[str, Module]) -> Iterator[tuple[str, str, int]]:
    """(importer, imported, line) for every import of one module of the package by another."""
    known = set(modules)
    for module in modules.values():
        for name, line in imported(module, known):
            if name == "convgrad":
                yield module.name, name, line
            elif name.startswith("convgrad."):
                yield from ((module.name, package, line) for package in runs(name, module.name))


# ---- the rules


def unlisted(modules: dict[str, Module]) -> list[str]:
    """Modules that no entry of LAYERS holds."""
    return [f"{name}: no layer in LAYERS" for name in modules if layer(name) is None]


def upward_imports(modules: dict[str, Module]) -> list[str]:
    """Imports that point to a higher layer, or to a module that does not exist."""
    found = []
    for importer, name, line in edges(modules):
        own, other = layer(importer), layer(name)
        if name not in modules:
            found.append(f"{importer}:{line} imports {name}, which does not exist")
        elif own is not None and other is not None and other > own:
            found.append(f"{importer}:{line} (layer {own}) imports {name} (layer {other})")
    return found


def circles(modules: dict[str, Module]) -> list[str]:
    """Import circles, each once: modules are peeled off while they import nothing that is left."""
    wants: dict[str, set[str]] = {name: set() for name in modules}
    for importer, name, _ in edges(modules):
        if name in wants and name != importer:
            wants[importer].add(name)
    while free := [name for name, targets in wants.items() if not targets & wants.keys()]:
        for name in free:
            del wants[name]
    found = []
    while wants:
        path = [next(iter(wants))]
        while path[-1] not in path[:-1]:
            path.append(min(wants[path[-1]] & wants.keys()))
        circle = path[path.index(path[-1]) :]
        found.append(" -> ".join(circle))
        for name in circle[:-1]:
            del wants[name]
        while free := [name for name, targets in wants.items() if not targets & wants.keys()]:
            for name in free:
                del wants[name]
    return found


def late_imports(modules: dict[str, Module]) -> list[str]:
    """Imports in functions, in classes or under TYPE_CHECKING, and calls of the import machinery."""
    found = []
    for module in modules.values():
        for node, where in nested(module.tree, ""):
            if isinstance(node, ast.Import | ast.ImportFrom) and where:
                found.append(f"{module.name}:{node.lineno} imports inside {where}")
            elif isinstance(node, ast.Call) and module.name not in LATE_IMPORTERS:
                called = ast.unparse(node.func)
                if called in {"__import__", "import_module", "importlib.import_module"}:
                    found.append(f"{module.name}:{node.lineno} calls {called}; use errors.optional")
    return found


def nested(node: ast.AST, where: str) -> Iterator[tuple[ast.AST, str]]:
    """Every node below, with the innermost place that makes an import in it a late one."""
    for child in ast.iter_child_nodes(node):
        yield child, where
        inside = where
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            inside = child.name
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            inside = "TYPE_CHECKING"
        yield from nested(child, inside)


def foreign_imports(modules: dict[str, Module]) -> list[str]:
    """Imports of anything but the standard library, NumPy, ml_dtypes and convgrad itself."""
    allowed = sys.stdlib_module_names | THIRD_PARTY | {"convgrad"}
    return [
        f"{module.name}:{line} imports {name}; use errors.optional"
        for module in modules.values()
        for name, line in imported(module, set(modules))
        if name.partition(".")[0] not in allowed
    ]


def long_files(modules: dict[str, Module]) -> list[str]:
    """Files over MAX_FILE_LINES."""
    lengths = {name: len(module.text.splitlines()) for name, module in modules.items()}
    return [f"{name}: {lines} lines" for name, lines in lengths.items() if lines > MAX_FILE_LINES]


def long_functions(modules: dict[str, Module]) -> list[str]:
    """Functions over MAX_FUNCTION_LINES, their docstrings aside."""
    found = []
    for module in modules.values():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if ast.get_docstring(node) is not None:
                    lines -= (node.body[0].end_lineno or 0) - node.body[0].lineno + 1
                if lines > MAX_FUNCTION_LINES:
                    found.append(f"{module.name}:{node.lineno} {node.name}: {lines} lines")
    return found


RULES = [unlisted, upward_imports, circles, late_imports, foreign_imports, long_files, long_functions]


@pytest.fixture(scope="module")
def package() -> dict[str, Module]:
    return read_package()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_package_keeps_the_rule(rule, package: dict[str, Module]) -> None:
    assert rule(package) == []


def test_every_file_is_read(package: dict[str, Module]) -> None:
    """A rule over an empty package holds trivially."""
    assert {"convgrad", "convgrad.errors", "convgrad.ops"} <= set(package)
    assert len(package) == len([path for path in PACKAGE.rglob("*.py*") if path.suffix in (".py", ".pyi")])


def sources(files: dict[str, str]) -> dict[str, Module]:
    """A tiny package: "ops.relu" is convgrad/ops/relu.py, "" the root; what holds others is a package."""
    names = {f"convgrad.{name}".rstrip("."): text for name, text in files.items()}
    parents = {name.rpartition(".")[0] for name in names} | {"convgrad"}
    names |= {parent: "" for parent in parents - names.keys() if parent}
    return {name: Module(name, text, name in parents) for name, text in names.items()}


LONG = "x = 1\n" * 601
LONG_FUNCTION = "def f():\n" + "    x = 1\n" * 60
LONG_METHOD = "class C:\n  def f(self):\n" + "    x = 1\n" * 60
BAD = [
    (unlisted, sources({"novelty": ""})),
    (upward_imports, sources({"ops.relu": "from convgrad.tensor import Tensor", "tensor": ""})),
    (upward_imports, sources({"ops.relu": "from ..graph import node", "graph.node": ""})),
    (upward_imports, sources({"ops.relu": "from ..graph.node import Node", "graph.node": ""})),
    (upward_imports, sources({"ops.relu": "from .. import tensor", "tensor": ""})),
    (upward_imports, sources({"ops.relu": "import convgrad"})),
    (upward_imports, sources({"ops.relu": "import convgrad.nn.modules", "nn.modules": ""})),
    (upward_imports, sources({"nn.init": "from ..utils.data import DataLoader", "utils.data": ""})),
    # checkpoint itself is low enough, but importing it runs utils/__init__, which is not
    (
        upward_imports,
        sources(
            {"nn.init": "from ..utils.checkpoint import checkpoint", "utils.checkpoint": "", "utils": ""}
        ),
    ),
    (upward_imports, sources({"": "from .missing import x"})),
    (circles, sources({"ops.a": "from . import b", "ops.b": "from .a import f"})),
    (
        circles,
        sources({"ops.a": "from .b import f", "ops.b": "from .c import f", "ops.c": "from .a import f"}),
    ),
    (circles, sources({"ops": "from .a import f", "ops.a": "from . import f"})),
    (
        circles,
        sources(
            {
                "nn.f": "from .modules.conv import g",
                "nn.modules": "from .conv import g",
                "nn.modules.conv": "from ..f import h",
            }
        ),
    ),
    (late_imports, sources({"ops.a": "def f():\n    import math"})),
    (
        late_imports,
        sources({"ops.a": "class C:\n    def f(self):\n        if 1:\n            from math import pi"}),
    ),
    (
        late_imports,
        sources({"ops.a": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import math"}),
    ),
    (late_imports, sources({"ops.a": "import typing\nif typing.TYPE_CHECKING:\n    import math"})),
    (late_imports, sources({"ops.a": "import importlib\nimportlib.import_module('math')"})),
    (late_imports, sources({"ops.a": "m = __import__('math')"})),
    (foreign_imports, sources({"datasets.a": "import scipy.signal"})),
    (
        foreign_imports,
        sources({"datasets.a": "try:\n    from tqdm import tqdm\nexcept ImportError:\n    pass"}),
    ),
    (long_files, sources({"ops.a": LONG})),
    (long_functions, sources({"ops.a": LONG_FUNCTION})),
    (long_functions, sources({"ops.a": LONG_METHOD})),
]


@pytest.mark.parametrize(("rule", "bad"), BAD, ids=lambda value: getattr(value, "__name__", ""))
def test_rule_sees_a_bad_source(rule, bad: dict[str, Module]) -> None:
    assert rule(bad)


def test_rules_accept_a_good_source() -> None:
    """Downward and sideways imports, module-level try, a long docstring, late third parties."""
    docstring = '"""Text.\n' + "    more\n" * 80 + '    """'
    good = sources(
        {
            "errors": "import importlib\ndef optional(name):\n    return importlib.import_module(name)",
            "kernels": "try:\n    from . import fast\nexcept ImportError:\n    fast = None",
            "kernels.fast": "import numpy as np",
            "ops.op": "from ..kernels import fast\nfrom ..errors import optional\nimport ml_dtypes",
            "ops.relu": f"from .op import Op\ndef relu(x):\n    {docstring}\n    return x",
            "ops": "from .relu import relu\nfrom .op import Op",
            "tensor.tensor": "from ..ops.relu import relu",
            "linalg": "from .tensor.tensor import Tensor",
            "": "from . import linalg, ops",
            "__main__": "from . import tools",
            "tools": "from .errors import optional",
        }
    )
    assert {rule.__name__: rule(good) for rule in RULES} == {rule.__name__: [] for rule in RULES}


# ---- what an import costs

PROBE = """
import json, sys
import numpy, ml_dtypes
before = set(sys.modules)
import convgrad
print(json.dumps(sorted(set(sys.modules) - before)))
"""


@pytest.fixture(scope="module")
def loaded() -> list[str]:
    """What ``import convgrad`` loads in a fresh interpreter beyond NumPy and ml_dtypes."""
    source = {**os.environ, "PYTHONPATH": str(PACKAGE.parent)}
    done = subprocess.run(
        [sys.executable, "-c", PROBE], capture_output=True, text=True, env=source, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_import_loads_convgrad(loaded: list[str]) -> None:
    assert "convgrad" in loaded


def test_import_loads_no_optional_package(loaded: list[str]) -> None:
    assert {name.partition(".")[0] for name in loaded} & OPTIONAL == set()


def test_import_loads_no_heavy_module(loaded: list[str]) -> None:
    assert set(loaded) & HEAVY == set()


def test_import_loads_few_foreign_modules(loaded: list[str]) -> None:
    foreign = [name for name in loaded if name.partition(".")[0] != "convgrad"]
    assert len(foreign) <= MAX_FOREIGN_MODULES, foreign


def test_import_leaves_the_top_layer_aside(loaded: list[str]) -> None:
    assert [name for name in loaded if name.startswith("convgrad.") and layer(name) == 8] == []
