"""Weights divided by their largest singular value, recomputed before each forward.

The newer form is in ``parametrizations``. Source: Miyato et al. 2018, arXiv:1802.05957.
"""

from __future__ import annotations

from typing import Any, TypeVar

from ...autograd import no_grad
from ...errors import ConvgradError
from ...tensor.tensor import Tensor
from ..functional import normalize
from ..module import Module
from ..modules.conv import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from ..parameter import Parameter

T = TypeVar("T", bound=Module)


class SpectralNorm:
    """The hook that makes ``module.<name>`` from ``<name>_orig`` and vectors ``<name>_u``, ``<name>_v``."""

    #: of what a state holds: since 1 there is v beside u
    _version = 1

    def __init__(
        self, name: str = "weight", n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12
    ) -> None:
        if n_power_iterations <= 0:
            raise ValueError(
                f"Expected n_power_iterations to be positive, but got n_power_iterations={n_power_iterations}"
            )
        self.name, self.n_power_iterations, self.dim, self.eps = name, n_power_iterations, dim, eps

    def reshape_weight_to_matrix(self, weight: Tensor) -> Tensor:
        """``(size of dim, all others)``."""
        out = weight.movedim(self.dim, 0) if self.dim else weight
        return out.reshape(out._data.shape[0], -1)

    def compute_weight(self, module: Any, do_power_iteration: bool) -> Tensor:
        """The weight as it is now; the vectors take steps of the power iteration in place, if asked for."""
        weight = getattr(module, self.name + "_orig")
        u, v = getattr(module, self.name + "_u"), getattr(module, self.name + "_v")
        matrix = self.reshape_weight_to_matrix(weight)
        if do_power_iteration:
            with no_grad():
                for _ in range(self.n_power_iterations):
                    v.copy_(normalize(matrix.t().mv(u), dim=0, eps=self.eps))
                    u.copy_(normalize(matrix.mv(v), dim=0, eps=self.eps))
                u, v = u.clone(), v.clone()  # the graph keeps these: a second forward changes the buffers
        return weight / u.dot(matrix.mv(v))

    def remove(self, module: Module) -> None:
        """Put the weight back as a parameter."""
        with no_grad():
            weight = self.compute_weight(module, do_power_iteration=False)
        for end in ("", "_u", "_v", "_orig"):
            delattr(module, self.name + end)
        module.register_parameter(self.name, Parameter(weight.detach()))

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, self.name, self.compute_weight(module, do_power_iteration=module.training))

    @staticmethod
    def apply(module: Module, name: str, n_power_iterations: int, dim: int, eps: float) -> SpectralNorm:
        """Replace a parameter.

        Raises:
            ConvgradError: it has been.
            ValueError: no iterations.
        """
        for hook in module._forward_pre_hooks.values():
            if isinstance(hook, SpectralNorm) and hook.name == name:
                raise ConvgradError(f"Cannot register two spectral_norm hooks on the same parameter {name}")
        hook = SpectralNorm(name, n_power_iterations, dim, eps)
        weight = module._parameters[name]
        if weight is None:
            raise ValueError(f"`SpectralNorm` cannot be applied as parameter `{name}` is None")
        with no_grad():
            rows, columns = hook.reshape_weight_to_matrix(weight)._data.shape
            u = normalize(weight.new_empty(rows).normal_(0, 1), dim=0, eps=eps)
            v = normalize(weight.new_empty(columns).normal_(0, 1), dim=0, eps=eps)
        delattr(module, name)
        module.register_parameter(name + "_orig", weight)
        setattr(module, name, weight.data)  # a plain tensor, until the first forward
        module.register_buffer(name + "_u", u)
        module.register_buffer(name + "_v", v)
        module.register_forward_pre_hook(hook)
        module._register_state_dict_hook(_StateHook(hook))
        module._register_load_state_dict_pre_hook(_LoadHook(hook))
        return hook


class _StateHook:
    """Notes in a state's metadata which kind it is."""

    def __init__(self, norm: SpectralNorm) -> None:
        self.norm = norm

    def __call__(self, module: Any, state_dict: Any, prefix: str, local_metadata: Any) -> None:
        versions = local_metadata.setdefault("spectral_norm", {})
        key = self.norm.name + ".version"
        if key in versions:
            raise ConvgradError(f"Unexpected key in metadata['spectral_norm']: {key}")
        versions[key] = self.norm._version


class _LoadHook:
    """Makes v for a state from before there was one: the pseudo-inverse knows where u came from."""

    def __init__(self, norm: SpectralNorm) -> None:
        self.norm = norm

    def __call__(
        self, state_dict: Any, prefix: str, local_metadata: Any, strict: bool, missing: Any, unexpected: Any,
        errors: Any,
    ) -> None:  # fmt: skip
        name = self.norm.name
        version = local_metadata.get("spectral_norm", {}).get(name + ".version")
        key = prefix + name
        keys = [f"{key}_{end}" for end in ("orig", "u", "v")]
        if version is not None or keys[2] in state_dict or not all(k in state_dict for k in keys[:2]):
            return
        with no_grad():
            matrix = self.norm.reshape_weight_to_matrix(state_dict[keys[0]])
            u = state_dict[keys[1]]
            v = (matrix.t() @ matrix).pinverse() @ (matrix.t() @ u)
            if key in state_dict:
                sigma = (state_dict[keys[0]] / state_dict.pop(key)).mean()
                v = v * (sigma / u.dot(matrix @ v))
            state_dict[keys[2]] = v


def default_dim(module: Module) -> int:
    """Which dimension of a weight has the outputs: 1 in transposed convolutions, else 0."""
    return 1 if isinstance(module, ConvTranspose1d | ConvTranspose2d | ConvTranspose3d) else 0


def spectral_norm(
    module: T, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> T:
    """Divide a parameter by its largest singular value, found by power iteration along with training.

    Args:
        module: whose parameter it is.
        name: of the parameter.
        n_power_iterations: steps of the iteration at each forward in training.
        eps: lower bound of norms.
        dim: the dimension of the outputs; None: 1 for transposed convolutions, else 0.
    Raises:
        ConvgradError: the parameter has been replaced before.
        ValueError: no iterations, or a parameter that is None.
    Source: Miyato et al. 2018, arXiv:1802.05957.
    """
    SpectralNorm.apply(module, name, n_power_iterations, default_dim(module) if dim is None else dim, eps)
    return module


def remove_spectral_norm(module: T, name: str = "weight") -> T:
    """Undo ``spectral_norm``: the weight as it is now becomes the parameter.

    Raises:
        ValueError: there is no spectral norm of this name.
    """
    for key, hook in module._forward_pre_hooks.items():
        if isinstance(hook, SpectralNorm) and hook.name == name:
            hook.remove(module)
            del module._forward_pre_hooks[key]
            tables = module._state_tables or {}
            for table in tables.values():
                for at in [k for k, entry in table.items() if getattr(entry[0], "norm", None) is hook]:
                    del table[at]
            return module
    raise ValueError(f"spectral_norm of '{name}' not found in {module}")


__all__ = ["SpectralNorm", "remove_spectral_norm", "spectral_norm"]
