"""The meta path finder that answers ``import torch`` and its submodules with convgrad's own modules."""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.metadata
import importlib.util
import sys
from collections.abc import Iterable, Sequence
from importlib.abc import Loader, MetaPathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

from convgrad.torch.gaps import WHERE, reason
from convgrad.version import INTERFACE, RELEASE

ALIASES = {
    "torch": "convgrad",
    "torchvision": "convgrad.torchvision",
    "torchviz": "convgrad.torch.torchviz",
}
"""Packages that convgrad stands in for."""

MOVED = {
    "torch._tensor": "convgrad.tensor.tensor",
    "torch.backends.mkl": "convgrad.backends.mkldnn",
    "torch.backends.openmp": "convgrad.backends.mkldnn",
    "torch.functional": "convgrad",
    "torch.return_types": "convgrad.tensor.return_types",
    "torch.utils.data._utils": "convgrad.utils.data",
    "torch.utils.data._utils.collate": "convgrad.utils.data.collate",
    "torch.utils.hooks": "convgrad.nn.hooks",
}
"""Modules that lie elsewhere than in PyTorch."""

MOVED |= {
    f"torch.distributions.{name}": "convgrad.distributions"
    for name in """
    bernoulli beta binomial cauchy chi2 continuous_bernoulli dirichlet exp_family exponential fishersnedecor
    generalized_pareto geometric gumbel half_cauchy half_normal independent inverse_gamma kumaraswamy laplace
    lkj_cholesky log_normal logistic_normal lowrank_multivariate_normal mixture_same_family multinomial
    multivariate_normal negative_binomial normal one_hot_categorical pareto poisson relaxed_bernoulli
    relaxed_categorical studentT transformed_distribution uniform von_mises weibull wishart
    """.split()
}

VERSION = f"{INTERFACE}+convgrad.{RELEASE}"
"""What ``torch.__version__`` and the installed packages' metadata say: the interface, then who has it."""


class _Stand(importlib.metadata.Distribution):
    """PyTorch's metadata; of torchvision there is too little for packages that ask whether it is there."""

    def read_text(self, filename: str) -> str | None:
        return f"Metadata-Version: 2.1\nName: torch\nVersion: {VERSION}\n" if filename == "METADATA" else None

    def locate_file(self, path: Any) -> Path:
        return Path(path)


class AliasLoader(Loader):
    """Loads a module under another name: the same object, not a second copy."""

    def __init__(self, target: str) -> None:
        self.target = target

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> None:
        """Python makes an empty module, which ``exec_module`` replaces."""

    def exec_module(self, module: ModuleType) -> None:
        """Put convgrad's module in the place of the empty one."""
        found = importlib.import_module(self.target)
        name = str(module.__spec__.name) if module.__spec__ else module.__name__
        announce_gaps(found, name)
        sys.modules[name] = found


class AliasFinder(MetaPathFinder):
    """Stands first on ``sys.meta_path`` while convgrad is installed as torch."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The spec of an alias; None for other packages.

        Raises:
            ModuleNotFoundError: convgrad has no such module (later finders would look into its folder).
        """
        top = fullname.partition(".")[0]
        if top not in ALIASES:
            return None
        ours = our_name(fullname)
        if ours is not None:
            package = bool(importlib.util.find_spec(ours).submodule_search_locations)  # type: ignore[union-attr]
            return importlib.machinery.ModuleSpec(fullname, AliasLoader(ours), is_package=package)
        if sys._getframe(2).f_globals.get("__name__") == "importlib.util":
            return None  # importlib.util.find_spec asks whether there is one; no import that fails
        raise missing_module(fullname)

    def find_distributions(self, context: Any = None) -> Iterable[importlib.metadata.Distribution]:
        """The metadata of torch, for ``importlib.metadata.version``."""
        return [_Stand()] if context is None or context.name in (None, "torch") else []


class GapFinder(MetaPathFinder):
    """Stands last on ``sys.meta_path``: names what ``from torch import name`` did not find.

    Python looks for a submodule under the module's own name, ``convgrad.name``, before it gives up.
    """

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> None:
        """None, or the error of a name that one of convgrad's public packages has not.

        Raises:
            ModuleNotFoundError: nobody knows a module of this name in convgrad.
        """
        shown = shown_name(fullname)
        if shown != fullname and _in_from_import() and our_name(shown.rpartition(".")[0]) is not None:
            raise missing_module(shown)


def _in_from_import() -> bool:
    """Whether Python looks for a name behind ``from package import``, rather than for a module."""
    frame: Any = sys._getframe(2)
    while frame is not None and frame.f_globals.get("__name__") == "importlib._bootstrap":
        if frame.f_code.co_name == "_handle_fromlist":
            return True
        frame = frame.f_back
    return False


def our_name(fullname: str) -> str | None:
    """convgrad's module for a name of PyTorch's; None if there is none that programs should see.

    Example:
        >>> our_name("torch.nn.functional"), our_name("torch.tensor"), our_name("torch.missing")
        ('convgrad.nn.functional', None, None)
    """
    top, dot, rest = fullname.partition(".")
    if not dot:
        return ALIASES[top]
    moved = MOVED.get(fullname)
    if top == "torch" and rest.partition(".")[0] in HIDDEN:
        return moved
    parent, _, name = f"{ALIASES[top]}.{rest}".rpartition(".")
    try:
        if importlib.util.find_spec(f"{parent}.{name}") is None:
            return moved
    except ModuleNotFoundError:
        return moved
    # convgrad.tensor is a package, torch.tensor a function: an import must not put one in place of the other
    shown = vars(importlib.import_module(parent)).get(name)
    return f"{parent}.{name}" if shown is None or isinstance(shown, ModuleType) else None


HIDDEN = frozenset(
    """
    datasets draws dtypes errors generator graph kernels neighbours ops printing size switches tensor tools
    torch torchvision __main__
    """.split()
)
"""Modules of convgrad that are no part of the interface."""


def shown_name(ours: str) -> str:
    """The name a program knows one of convgrad's modules by."""
    for name, target in sorted(ALIASES.items(), key=lambda pair: -len(pair[1])):
        if ours == target or ours.startswith(f"{target}."):
            return name + ours[len(target) :]
    return ours


def missing_text(fullname: str) -> str:
    """What is said of a name that is not there."""
    module, _, name = fullname.rpartition(".")
    return f"module '{module}' has no attribute '{name}' (in convgrad, its stand-in): {reason(fullname)}"


def missing_module(fullname: str) -> ModuleNotFoundError:
    """The error of an import that finds nothing."""
    return ModuleNotFoundError(f"No module named '{fullname}': {missing_text(fullname)}", name=fullname)


_announced: list[tuple[ModuleType, Any]] = []


def announce_gaps(module: ModuleType, name: str) -> None:
    """Let a module's AttributeError speak of PyTorch's module, and say where to look."""
    space = vars(module)
    before = space.get("__getattr__")
    if getattr(before, "of_alias", False) or not module.__name__.startswith("convgrad"):
        return

    def missing(attribute: str) -> Any:
        if before is not None:
            try:
                found = before(attribute)
            except AttributeError as error:
                if f"module 'torch.{name[6:]}'" in str(error):  # a shell, which says why itself
                    raise
            else:
                if isinstance(found, ModuleType) and found.__name__.startswith(f"{module.__name__}."):
                    announce_gaps(found, f"{name}.{attribute}")
                return found
        raise AttributeError(missing_text(f"{name}.{attribute}"), name=attribute, obj=module)

    missing.of_alias = True  # type: ignore[attr-defined]
    space["__getattr__"] = missing
    _announced.append((module, before))


def retract_gaps() -> None:
    """Give all modules their own ``__getattr__`` back."""
    while _announced:
        module, before = _announced.pop()
        if before is None:
            del vars(module)["__getattr__"]
        else:
            vars(module)["__getattr__"] = before


def public_names(text: str = "") -> list[str]:
    """What there is, as ``torch.nn.functional.relu``: the public names of all modules with PyTorch's names.

    Args:
        text: only names with this in them.
    """
    found = set()
    todo = ["torch", "torchvision"]
    seen = set()
    while todo:
        shown = todo.pop()
        ours = our_name(shown)
        if ours is None or shown in seen:
            continue
        seen.add(shown)
        module = importlib.import_module(ours)
        names = dir(module) if ours == "convgrad" else getattr(module, "__all__", dir(module))
        for name in names:
            if name.startswith("_") or name == "annotations":
                continue
            value = getattr(module, name, None)
            if not isinstance(value, ModuleType):
                found.add(f"{shown}.{name}")
            elif value.__name__.startswith("convgrad") and our_name(f"{shown}.{name}"):
                todo.append(f"{shown}.{name}")
    return sorted(name for name in found if text in name)


__all__ = [
    "ALIASES",
    "VERSION",
    "WHERE",
    "AliasFinder",
    "GapFinder",
    "announce_gaps",
    "public_names",
    "retract_gaps",
]
